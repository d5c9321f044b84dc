//! Values from text, in the forms Kusto's literals and conversions take.

use super::calendar::{TICKS_PER_DAY, TICKS_PER_SECOND, days_from_civil};
use super::scalar::Value;

/// Units of a timespan literal, and their length in nanoseconds.
const TIMESPAN_UNITS: &[(&[&str], i128)] = &[
    (&["d", "day", "days"], 86_400_000_000_000),
    (&["h", "hour", "hours", "hr", "hrs"], 3_600_000_000_000),
    (&["m", "min", "minute", "minutes"], 60_000_000_000),
    (&["s", "sec", "second", "seconds"], 1_000_000_000),
    (&["ms", "milli", "millis", "millisec"], 1_000_000),
    (&["millisecond", "milliseconds"], 1_000_000),
    (&["micro", "micros", "microsec"], 1_000),
    (&["microsecond", "microseconds"], 1_000),
    (
        &["nano", "nanos", "nanosec", "nanosecond", "nanoseconds"],
        1,
    ),
    (&["tick", "ticks"], 100),
];

/// Length in nanoseconds of a unit of timespan literals.
pub fn unit_nanoseconds(unit: &str) -> Option<i128> {
    let known = TIMESPAN_UNITS
        .iter()
        .find(|(names, _)| names.contains(&unit));
    known.map(|(_, nanoseconds)| *nanoseconds)
}

/// A whole number, decimal or `0x…`, with blanks around it.
pub fn read_long(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    if let Some(hex) = hex {
        let plain = !negative && hex.bytes().all(|b| b.is_ascii_hexdigit());
        return plain
            .then(|| u64::from_str_radix(hex, 16).ok().map(u64::cast_signed))
            .flatten();
    }
    // A second sign would be read too.
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// A number with blanks around it, or Kusto's words for what is none.
pub fn read_real(text: &str) -> Option<f64> {
    let text = text.trim();
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let word = matches!(bare, "nan" | "NaN" | "inf" | "Infinity" | "infinity");
    let number = bare.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    match word || number {
        true => text.parse().ok(),
        false => None,
    }
}

/// `true`, `false` in any case and without blanks, or a whole number, which may have some around it.
pub fn read_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Some(false);
    }
    read_long(text).map(|value| value != 0)
}

/// 32 hexadecimal digits, with hyphens anywhere between them and braces around them.
pub fn read_guid(text: &str) -> Option<u128> {
    let text = text.trim();
    let bare = text
        .strip_prefix('{')
        .and_then(|t| t.strip_suffix('}'))
        .unwrap_or(text);
    let mut digits = 0;
    let mut guid: u128 = 0;
    for c in bare.chars() {
        if c == '-' {
            continue;
        }
        guid = (guid << 4) | u128::from(c.to_digit(16)?);
        digits += 1;
        if digits > 32 {
            return None;
        }
    }
    (digits == 32).then_some(guid)
}

/// `1d`, `90s`, `[-][d.]hh:mm[:ss[.f]]`; a bare whole number counts days.
pub fn read_timespan(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let ticks = match text.contains(':') {
        true => clock(text)?,
        false => quantity(text)?,
    };
    i64::try_from(sign * ticks).ok()
}

/// `2.5h`
fn quantity(text: &str) -> Option<i128> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(at.unwrap_or(text.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let known = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.len() <= 18;
    if whole.is_empty() || !known(whole) || !known(fraction) {
        return None;
    }
    let unit = unit.trim();
    if unit.is_empty() {
        let days: i128 = whole.parse().ok()?;
        return fraction
            .is_empty()
            .then(|| days * i128::from(TICKS_PER_DAY));
    }
    let nanoseconds = unit_nanoseconds(unit)?;
    let scale = 10i128.pow(u32::try_from(fraction.len()).ok()?);
    let parts: i128 = match fraction.is_empty() {
        true => 0,
        false => fraction.parse().ok()?,
    };
    let scaled = (whole.parse::<i128>().ok()? * scale + parts).checked_mul(nanoseconds)?;
    Some(scaled / scale / 100)
}

/// `[d.]hh:mm[:ss[.f]]`
fn clock(text: &str) -> Option<i128> {
    let mut parts = text.split(':');
    let (first, minutes) = (parts.next()?, parts.next()?);
    let seconds = parts.next();
    if parts.next().is_some() {
        return None;
    }
    let (days, hours) = first.split_once('.').unwrap_or(("0", first));
    let (seconds, fraction) = match seconds {
        Some(text) => match text.split_once('.') {
            Some((seconds, fraction)) => (seconds, fraction_ticks(fraction)?),
            None => (text, 0),
        },
        None => ("0", 0),
    };
    let days = number(days, 8)?;
    let (hours, minutes, seconds) = (number(hours, 2)?, number(minutes, 2)?, number(seconds, 2)?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    Some(i128::from(total) * i128::from(TICKS_PER_SECOND) + i128::from(fraction))
}

/// Digits, at most so many.
fn number(text: &str, most: usize) -> Option<i64> {
    let plain = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Ticks of the digits behind a point; those beyond a tick are cut off.
fn fraction_ticks(digits: &str) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let kept = &digits[..digits.len().min(7)];
    number(kept, 7).map(|ticks| ticks * 10i64.pow(7 - u32::try_from(kept.len()).unwrap_or(7)))
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// ISO 8601 (`2020-06-15`, `2020-06-15 13:45[:09[.5]][Z|+02:00]`), RFC 822 and 850 (`Mon, 15 Jun 20 13:45:09 GMT`,
/// `15-Jun-20`), and month, day and year (`12-02-2022`, `1/2/2020 3:04 PM`). What has an offset becomes UTC. Kusto's
/// documentation also has `2020, 6, 15` and `2020 - 06 - 15`.
pub fn read_datetime(text: &str) -> Option<i64> {
    let text = text.trim();
    let spaced = text.starts_with(|c: char| c.is_ascii_digit())
        && (text.contains(',') || text.contains(" - "));
    match spaced {
        true => read_instant(
            &text
                .replace(", ", "-")
                .replace(',', "-")
                .replace(" - ", "-"),
        ),
        false => read_instant(text),
    }
}

fn read_instant(text: &str) -> Option<i64> {
    let (date, time) = split_date(text)?;
    let days = date_days(date)?;
    let time = match time.trim() {
        "" => 0,
        time => time_ticks(time)?,
    };
    let ticks = days.checked_mul(TICKS_PER_DAY)?.checked_add(time)?;
    match Value::datetime(ticks) {
        Value::DateTime(ticks) => Some(ticks),
        _ => None,
    }
}

/// Cuts the time off a date.
fn split_date(text: &str) -> Option<(&str, &str)> {
    let text = match text.split_once(',') {
        // `Mon, …`
        Some((day, rest)) if day.chars().all(char::is_alphabetic) => rest.trim_start(),
        Some(_) => return None,
        None => text,
    };
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let head = text.find(|c: char| !c.is_ascii_digit() && !"-/".contains(c));
        match head {
            None => return Some((text, "")),
            Some(at) if text[at..].starts_with('T') => return Some((&text[..at], &text[at + 1..])),
            Some(at) if text[at..].starts_with(' ') => {
                let rest = text[at..].trim_start();
                // `15 Jun 20 13:45`
                if rest.starts_with(|c: char| c.is_ascii_alphabetic())
                    && !text[..at].contains(['-', '/'])
                {
                    let year = text.len() - rest.len() + rest.find(' ')?;
                    let after = text[year..].trim_start();
                    let end = after.find(' ').unwrap_or(after.len());
                    let end = text.len() - after.len() + end;
                    return Some((&text[..end], &text[end..]));
                }
                return Some((&text[..at], rest));
            }
            // `15-Jun-20 13:45`
            Some(_) => {
                let end = text.find(' ').unwrap_or(text.len());
                return Some((&text[..end], &text[end..]));
            }
        }
    }
    None
}

/// Days since 0001-01-01 of a date.
fn date_days(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text
        .split(['-', '/', ' '])
        .filter(|part| !part.is_empty())
        .collect();
    let (year, month, day) = match *parts.as_slice() {
        [year, month, day] if year.len() == 4 => {
            (number(year, 4)?, number(month, 2)?, number(day, 2)?)
        }
        [day, month, year] if month.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            let name = month.get(..3)?.to_ascii_lowercase();
            let month = MONTHS.iter().position(|known| **known == name)?;
            let year = match year.len() {
                // RFC 822 and 850 have years of two digits.
                2 => match number(year, 2)? {
                    year if year < 50 => 2000 + year,
                    year => 1900 + year,
                },
                4 => number(year, 4)?,
                _ => return None,
            };
            (year, i64::try_from(month).ok()? + 1, number(day, 2)?)
        }
        [month, day, year] if year.len() == 4 => {
            (number(year, 4)?, number(month, 2)?, number(day, 2)?)
        }
        _ => return None,
    };
    days_from_civil(year, month, day)
}

/// Ticks since midnight in UTC of `hh:mm[:ss[.f]][ AM|PM][Z|GMT|±hh[:mm]]`.
fn time_ticks(text: &str) -> Option<i64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.')
        .unwrap_or(text.len());
    let (clock, mut rest) = (&text[..end], text[end..].trim());
    let mut parts = clock.split(':');
    let (mut hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let (second, fraction) = match parts.next() {
        Some(text) => match text.split_once('.') {
            Some((second, fraction)) => (number(second, 2)?, fraction_ticks(fraction)?),
            None => (number(text, 2)?, 0),
        },
        None => (0, 0),
    };
    if parts.next().is_some() || minute > 59 || second > 59 {
        return None;
    }
    let half = rest.get(..2).map(str::to_ascii_uppercase);
    if let Some(half @ ("AM" | "PM")) = half.as_deref() {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if half == "PM" { 12 } else { 0 };
        rest = rest[2..].trim_start();
    }
    if hour > 23 {
        return None;
    }
    let offset = match rest {
        "" | "Z" | "z" | "GMT" | "UTC" | "UT" => 0,
        _ => {
            let sign = match rest.as_bytes()[0] {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let digits = rest.get(1..)?;
            let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
                (Some((hours, minutes)), _) => (hours, minutes),
                (None, 4) => digits.split_at_checked(2)?,
                (None, _) => (digits, "0"),
            };
            let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
            if hours > 14 || minutes > 59 {
                return None;
            }
            sign * (hours * 60 + minutes) * 60
        }
    };
    let seconds = (hour * 60 + minute) * 60 + second - offset;
    Some(seconds * TICKS_PER_SECOND + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_kustos_spellings() {
        assert_eq!(read_long(" 123 "), Some(123));
        assert_eq!(read_long("0xFF"), Some(255));
        assert_eq!(read_long("+0"), Some(0));
        for none in [
            "",
            "12.5",
            "0b1",
            "--1",
            "+-1",
            "9223372036854775808",
            "0x",
            "é",
        ] {
            assert_eq!(read_long(none), None, "{none}");
        }
        assert_eq!(read_real("1.5e3"), Some(1500.0));
        assert_eq!(read_real("-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(read_real("INF"), None);
        assert_eq!(read_bool("-1"), Some(true));
        assert_eq!(read_bool("TRUE"), Some(true));
        assert_eq!(read_bool(" 0 "), Some(false));
        for none in ["yes", " true", "false\t", "\u{a0}true"] {
            assert_eq!(read_bool(none), None, "{none}");
        }
        assert_eq!(read_bool("1.0"), None);
    }

    #[test]
    fn timespans_in_all_forms() {
        let hour = 3600 * TICKS_PER_SECOND;
        assert_eq!(read_timespan("2h"), Some(2 * hour));
        assert_eq!(read_timespan("-00:30:00"), Some(-hour / 2));
        assert_eq!(read_timespan("13:00"), Some(13 * hour));
        assert_eq!(read_timespan("0:0:0.001"), Some(10_000));
        assert_eq!(read_timespan("15 seconds"), Some(15 * TICKS_PER_SECOND));
        for none in ["", "1.5", "abc", "25:00:00", "1:60", "1:2:3:4", "é"] {
            assert_eq!(read_timespan(none), None, "{none}");
        }
    }

    #[test]
    fn datetimes_in_all_forms() {
        let shown = |text| read_datetime(text).map(super::super::show::show_datetime);
        let is = |text, iso: &str| assert_eq!(shown(text).as_deref(), Some(iso), "{text}");
        is("1970-5-12", "1970-05-12T00:00:00.0000000Z");
        is("2015-12-31 23:59:59.9", "2015-12-31T23:59:59.9000000Z");
        is(
            "2020-06-15T13:45:09.12345678+02:00",
            "2020-06-15T11:45:09.1234567Z",
        );
        is("2020-06-15 13:45", "2020-06-15T13:45:00.0000000Z");
        is("Sat, 8 Nov 14 15:05:02 GMT", "2014-11-08T15:05:02.0000000Z");
        is("8 Nov 2014 15:05", "2014-11-08T15:05:00.0000000Z");
        is(
            "Saturday, 08-Nov-14 15:05:02 UTC",
            "2014-11-08T15:05:02.0000000Z",
        );
        is("12-02-2022", "2022-12-02T00:00:00.0000000Z");
        is("1/2/2020 3:04:05 PM", "2020-01-02T15:04:05.0000000Z");
        is("2025, 6, 14", "2025-06-14T00:00:00.0000000Z");
        is("2025,6,14", "2025-06-14T00:00:00.0000000Z");
        is("2017 - 08 - 01", "2017-08-01T00:00:00.0000000Z");
        for none in [
            "",
            "abc",
            "2020-13-01",
            "2020-02-30",
            "2020-01-01 25:00",
            "1577836800",
            "2020-01-01 1:2 é",
            "é-1-2020",
            "2020,",
            "1 - 2",
            "2020, 6",
        ] {
            assert_eq!(read_datetime(none), None, "{none}");
        }
    }

    #[test]
    fn guids_with_and_without_hyphens() {
        let guid = Some(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(read_guid("0123456789abcdef0123456789abcdef"), guid);
        assert_eq!(read_guid("{01234567-89AB-cdef-0123-456789abcdef}"), guid);
        assert_eq!(read_guid("a string that is not a guid"), None);
    }
}
