//! Spans of time as rules write them: `PT1H30M`, `P14D`, `1h`, `14d`.

/// Seconds of `15s`, `5m`, `1h`, `1d`, `2w`, `1d12h`, `PT1H`, `P1D`, `P1DT12H`. Months and years have no length and are none.
pub fn seconds(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let Some(iso) = text.strip_prefix('p') else {
        return sum(&text, true);
    };
    let (days, clock) = match iso.split_once('t') {
        Some((days, clock)) => (days, Some(clock)),
        None => (iso, None),
    };
    match (days, clock) {
        ("", Some(clock)) => sum(clock, true),
        (days, None) => sum(days, false),
        (days, Some(clock)) => sum(days, false)?.checked_add(sum(clock, true)?),
    }
}

/// The sum of numbers with their units. In front of the clock an `m` is a month.
fn sum(text: &str, minutes: bool) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        let mut behind = rest[end..].chars();
        let unit = match behind.next()? {
            's' => 1,
            'm' if minutes => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = behind.as_str();
        if rest.is_empty() {
            return Some(total);
        }
    }
}

/// A span as short as it can be written: `1h`, `14d`, `90m`.
pub fn short(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let unit = units
        .into_iter()
        .find(|(length, _)| seconds >= *length && seconds.is_multiple_of(*length));
    match unit {
        Some((length, name)) => format!("{}{name}", seconds / length),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_both_spellings() {
        for (text, want) in [
            ("15s", Some(15)),
            ("PT5M", Some(300)),
            ("1h", Some(3600)),
            ("1H", Some(3600)),
            ("P14D", Some(14 * 86_400)),
            ("2w", Some(14 * 86_400)),
            ("P1DT12H30M", Some(86_400 + 12 * 3600 + 30 * 60)),
            ("1h30m", Some(5400)),
            ("PT0S", Some(0)),
            ("P1M", None),
            ("PT1M", Some(60)),
            ("P1Y", None),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("", None),
            ("1", None),
            ("h", None),
            ("soon", None),
            ("99999999999999999999d", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(seconds(text), want, "{text}");
        }
    }

    #[test]
    fn spans_are_written_in_their_largest_unit() {
        for (length, want) in [
            (300, "5m"),
            (5400, "90m"),
            (14 * 86_400, "14d"),
            (61, "61s"),
        ] {
            assert_eq!(short(length), want);
        }
        assert_eq!(short(0), "0s");
    }
}
