//! Times as the forms write them, and texts that fit into their fields.

use chrono::{DateTime, Utc};

/// In microseconds.
pub(super) const MILLISECOND: i64 = 1000;
/// 0001-01-01T00:00:00Z and the last microsecond of 9999: the forms have four digits for a year.
pub(super) const YEARS: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);

fn date(micros: i64) -> DateTime<Utc> {
    let within = micros.clamp(YEARS.0, YEARS.1);
    DateTime::from_timestamp_micros(within).expect("a calendar has these years")
}

/// `2026-05-19T14:05:00Z`
pub(super) fn seconds(micros: i64) -> String {
    date(micros).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-05-19T14:05:00.000Z`: STIX wants milliseconds.
pub(super) fn millis(micros: i64) -> String {
    date(micros).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// `2026-05-19T14:05:00.25Z`: all that is known, without zeros at the end.
pub(super) fn exact(micros: i64) -> String {
    let date = date(micros);
    if date.timestamp_subsec_micros() == 0 {
        return seconds(micros);
    }
    let text = date.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    format!("{}Z", text.trim_end_matches('0'))
}

/// Characters of a description at most, counted as the service does: in UTF-16.
const DESCRIPTION: usize = 100;

/// Two texts as one that fits into a description: of the first as much as there is room for.
pub(super) fn fitted(head: &str, tail: &str) -> String {
    let long = |text: &str| text.encode_utf16().count();
    let room = DESCRIPTION.saturating_sub(long(tail));
    if long(head) <= room {
        return format!("{head}{tail}");
    }
    let mut text = String::new();
    // One for the mark of the cut.
    let mut left = room.saturating_sub(1);
    for c in head.chars() {
        match left.checked_sub(c.len_utf16()) {
            Some(rest) => left = rest,
            None => break,
        }
        text.push(c);
    }
    format!("{text}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_each_form_wants_them() {
        // 2026-05-19T14:05:00.25Z
        let time = 1_779_199_500_250_000;
        assert_eq!(seconds(time), "2026-05-19T14:05:00Z");
        assert_eq!(millis(time), "2026-05-19T14:05:00.250Z");
        assert_eq!(exact(time), "2026-05-19T14:05:00.25Z");
        assert_eq!(exact(1_779_199_500_000_000), "2026-05-19T14:05:00Z");
        assert_eq!(millis(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(millis(i64::MIN), "0001-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_description_fits_whatever_it_is_made_of() {
        assert_eq!(fitted("short", " (once)"), "short (once)");
        for head in ["a".repeat(300), "ü".repeat(300), "😀".repeat(300)] {
            let text = fitted(&head, " (once)");
            let long = text.encode_utf16().count();
            assert!((99..=100).contains(&long), "{long}");
            assert!(text.ends_with("… (once)"), "{text}");
        }
        assert_eq!(fitted(&"a".repeat(93), " (once)").len(), 100);
    }
}
