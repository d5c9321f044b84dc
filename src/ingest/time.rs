//! Times as exports spell them, as microseconds UTC.
//!
//! Times without a zone are UTC: that is what the audit log and the portals write. Day-first or month-first is never
//! guessed for a single value: [`order_of`] decides it for a whole column.

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;

/// Which of two numbers in `3/4/2026` is the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// Month first, as in the United States.
    MonthFirst,
    /// Day first.
    DayFirst,
}

/// What a column of dates says about its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// No value depends on an order.
    NotNeeded,
    /// A value fits only this order.
    Decided(DateOrder),
    /// Some values need an order and all fit both.
    Ambiguous,
    /// One value fits only one order, another only the other.
    Contradictory,
}

/// Returns microseconds since 1970 for a time in any known spelling; `order` is needed for `3/4/2026` and the like.
pub fn parse(text: &str, order: Option<DateOrder>) -> Option<i64> {
    if let Some(t) = iso(text.as_bytes()) {
        return Some(t);
    }
    let text = text.trim();
    if let Some(t) = iso(text.as_bytes()) {
        return Some(t);
    }
    if let Some(t) = dotnet(text).or_else(|| dotnet_escaped(text)) {
        return Some(t);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return match text.len() {
            10 => text.parse::<i64>().ok()?.checked_mul(1_000_000),
            13 => text.parse::<i64>().ok()?.checked_mul(1000),
            16 => text.parse().ok(),
            _ => None,
        };
    }
    if let Ok(t) = DateTime::parse_from_rfc3339(text) {
        return Some(t.timestamp_micros());
    }
    let (date, clock) = split_date(text)?;
    let day = match date {
        Date::Numbers(a, b, year) => {
            let (month, day) = match order? {
                DateOrder::MonthFirst => (a, b),
                DateOrder::DayFirst => (b, a),
            };
            NaiveDate::from_ymd_opt(year, month, day)?
        }
        Date::Known(day) => day,
    };
    let (seconds, micros) = clock_of(clock)?;
    let t: NaiveDateTime = day.and_hms_opt(0, 0, 0)?;
    Some(t.and_utc().timestamp_micros() + seconds * 1_000_000 + micros)
}

/// The instant of `/Date(1620000000000)/`, as .NET writes times into JSON; `/Date(1620000000000+0200)/` is the same instant, shown elsewhere.
/// Nothing where anything else stands before or behind it.
pub fn dotnet(text: &str) -> Option<i64> {
    let inner = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    milliseconds(inner)
}

/// The same with the backslashes that it has in JSON.
fn dotnet_escaped(text: &str) -> Option<i64> {
    let inner = text.strip_prefix(r"\/Date(")?.strip_suffix(r")\/")?;
    milliseconds(inner)
}

/// `-62135596800000+0100` in microseconds.
fn milliseconds(inner: &str) -> Option<i64> {
    let offset = inner
        .char_indices()
        .skip(1)
        .find(|(_, c)| !c.is_ascii_digit())
        .map_or(inner.len(), |(at, _)| at);
    let (number, offset) = inner.split_at(offset);
    let known = match offset.as_bytes() {
        [] => true,
        [b'+' | b'-', digits @ ..] => digits.len() == 4 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    // Rust reads `+5`, too, which nobody writes.
    match known && !number.starts_with('+') {
        true => number.parse::<i64>().ok()?.checked_mul(1000),
        false => None,
    }
}

/// What a time without a zone is in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// This instant.
    At(i64),
    /// The clock showed it twice, when it was set back; this was the first time.
    Twice(i64),
    /// The clock never showed it: it was set forward over it.
    Never,
}

/// Local times that were not one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clocks {
    /// Those that the clock skipped.
    pub skipped: u64,
    /// Those that it showed twice.
    pub repeated: u64,
}

impl Clocks {
    /// Adds those of other rows.
    pub fn add(&mut self, other: Clocks) {
        self.skipped += other.skipped;
        self.repeated += other.repeated;
    }

    /// What is to be said of them, a sentence each.
    pub fn notes(self, zone: Option<Tz>) -> Vec<String> {
        let zone = zone.map_or("this zone", Tz::name);
        let mut notes = Vec::new();
        if self.skipped > 0 {
            notes.push(format!(
                "{} local times do not exist in {zone}, where the clock was set forward: they are kept in ExtraColumns",
                self.skipped
            ));
        }
        if self.repeated > 0 {
            notes.push(format!(
                "{} local times are ambiguous in {zone}, where the clock was set back: the first was taken",
                self.repeated
            ));
        }
        notes
    }
}

/// The instant of a time without a zone, in this zone; nothing where the text is no time. A time that names its zone is that instant.
pub fn in_zone(text: &str, order: Option<DateOrder>, zone: Tz) -> Option<Local> {
    let utc = parse(text, order)?;
    if names_its_zone(text.trim()) {
        return Some(Local::At(utc));
    }
    let naive = DateTime::from_timestamp_micros(utc)?.naive_utc();
    Some(match zone.from_local_datetime(&naive) {
        MappedLocalTime::Single(t) => Local::At(t.timestamp_micros()),
        MappedLocalTime::Ambiguous(first, _) => Local::Twice(first.timestamp_micros()),
        MappedLocalTime::None => Local::Never,
    })
}

/// Whether a time says which zone it is in: with an offset or a `Z`, or as a count since 1970.
fn names_its_zone(text: &str) -> bool {
    let counted = text.bytes().all(|b| b.is_ascii_digit()) || text.contains("/Date(");
    // Behind the seconds of ISO 8601, so that no date is taken for an offset.
    let behind = text.get(19..).filter(|_| iso(text.as_bytes()).is_some());
    counted || text.ends_with(['Z', 'z']) || behind.is_some_and(|rest| rest.contains(['+', '-']))
}

/// What these values say about the order of day and month.
pub fn order_of<'a>(values: impl Iterator<Item = &'a str>) -> Evidence {
    let mut evidence = Evidence::NotNeeded;
    for text in values {
        let text = text.trim();
        if iso(text.as_bytes()).is_some() {
            continue;
        }
        let Some((Date::Numbers(a, b, _), _)) = split_date(text) else {
            continue;
        };
        let one = match (a > 12, b > 12) {
            (true, false) => Evidence::Decided(DateOrder::DayFirst),
            (false, true) => Evidence::Decided(DateOrder::MonthFirst),
            _ => Evidence::Ambiguous,
        };
        evidence = match (evidence, one) {
            (Evidence::NotNeeded, e) => e,
            (e, Evidence::Ambiguous) => e,
            (Evidence::Ambiguous, e) => e,
            (Evidence::Decided(x), Evidence::Decided(y)) if x != y => {
                return Evidence::Contradictory;
            }
            (e, _) => e,
        };
    }
    evidence
}

enum Date {
    /// Two numbers whose order is open, and the year.
    Numbers(u32, u32, i32),
    Known(NaiveDate),
}

/// `4/28/2021, 3:05:26.000 PM` → the date and the rest.
fn split_date(text: &str) -> Option<(Date, &str)> {
    let bytes = text.as_bytes();
    if bytes.first()?.is_ascii_alphabetic() {
        // May 7, 2024 6:35:31 PM
        let (month, rest) = text.split_once(' ')?;
        let (day, rest) = rest.trim_start().split_once([',', ' '])?;
        let rest = rest.trim_start();
        let (year, clock) = rest.split_once([' ', ',']).unwrap_or((rest, ""));
        let month = [
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ]
        .iter()
        .position(|m| {
            month.len() >= 3
                && month
                    .get(..3)
                    .is_some_and(|head| head.eq_ignore_ascii_case(m))
        })? as u32
            + 1;
        let date = NaiveDate::from_ymd_opt(number(year)? as i32, month, number(day)?)?;
        return Some((Date::Known(date), clock));
    }
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '/' | '.' | '-')))
        .unwrap_or(text.len());
    let (date, clock) = text.split_at(end);
    let mut parts = date.split(['/', '.', '-']);
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let clock = clock.trim_start_matches([',', ' ', 'T']);
    if a.len() == 4 {
        let date = NaiveDate::from_ymd_opt(number(a)? as i32, number(b)?, number(c)?)?;
        return Some((Date::Known(date), clock));
    }
    if c.len() != 4 || a.is_empty() || b.is_empty() || a.len() > 2 || b.len() > 2 {
        return None;
    }
    Some((
        Date::Numbers(number(a)?, number(b)?, number(c)? as i32),
        clock,
    ))
}

/// `3:05:26.000 PM` → seconds of the day and microseconds. Nothing at all is midnight.
fn clock_of(text: &str) -> Option<(i64, i64)> {
    // Newer ICU puts U+202F before AM and PM.
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == ',');
    if text.is_empty() {
        return Some((0, 0));
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let lower = text.to_ascii_lowercase();
    let (clock, half) = if let Some(c) = lower.strip_suffix("am") {
        (c, Some(0))
    } else if let Some(c) = lower.strip_suffix("pm") {
        (c, Some(12))
    } else {
        (lower.as_str(), None)
    };
    let clock = clock.trim_end();
    let mut parts = clock.split(':');
    let hour = number(parts.next()?)?;
    let minute = number(parts.next()?)?;
    let (second, micros) = match parts.next() {
        None => (0, 0),
        Some(s) => match s.split_once('.') {
            None => (number(s)?, 0),
            Some((s, f)) => (number(s)?, fraction(f.as_bytes())?),
        },
    };
    if parts.next().is_some() || minute > 59 || second > 60 {
        return None;
    }
    let hour = match half {
        None if hour < 24 => hour,
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        _ => return None,
    };
    Some((i64::from(hour * 3600 + minute * 60 + second), micros))
}

fn number(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Digits after the point as microseconds; what is finer is cut off.
fn fraction(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 12 {
        return None;
    }
    let mut micros = 0i64;
    for i in 0..6 {
        let d = match digits.get(i) {
            Some(d) => i64::from(d.checked_sub(b'0').filter(|d| *d < 10)?),
            None => 0,
        };
        micros = micros * 10 + d;
    }
    digits.iter().all(u8::is_ascii_digit).then_some(micros)
}

/// ISO 8601 as the services write it: `2026-05-04T09:12:00[.fffffff][Z|±hh:mm]`, also with a blank for the `T`.
///
/// Written by hand because it runs for every record.
pub fn iso(b: &[u8]) -> Option<i64> {
    if b.len() < 19 || b[4] != b'-' || b[7] != b'-' || b[13] != b':' || b[16] != b':' {
        return None;
    }
    if b[10] != b'T' && b[10] != b' ' && b[10] != b't' {
        return None;
    }
    let two = |i: usize| -> Option<u32> {
        let (x, y) = (b[i].wrapping_sub(b'0'), b[i + 1].wrapping_sub(b'0'));
        (x < 10 && y < 10).then(|| u32::from(x) * 10 + u32::from(y))
    };
    let year = two(0)? * 100 + two(2)?;
    let (month, day) = (two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = &b[19..];
    let mut micros = 0;
    if let Some(after) = rest.strip_prefix(b".") {
        let end = after
            .iter()
            .position(|c| !c.is_ascii_digit())
            .unwrap_or(after.len());
        micros = fraction(&after[..end])?;
        rest = &after[end..];
    }
    let offset = match rest {
        b"" | b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, tail @ ..] => {
            let (m1, m2) = match tail {
                [] => (&b'0', &b'0'),
                [m1, m2] | [b':', m1, m2] => (m1, m2),
                _ => return None,
            };
            let digits = [h1, h2, m1, m2].map(|c| u32::from(c.wrapping_sub(b'0')));
            let [h1, h2, m1, m2] = digits;
            let (hours, minutes) = (h1 * 10 + h2, m1 * 10 + m2);
            if digits.iter().any(|d| *d > 9) || hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = i64::from(hours * 60 + minutes);
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let days = NaiveDate::from_ymd_opt(year as i32, month, day)?
        .signed_duration_since(NaiveDate::default())
        .num_days();
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - offset * 60;
    Some(seconds * 1_000_000 + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(t: i64) -> String {
        DateTime::from_timestamp_micros(t)
            .expect("in range")
            .format("%Y-%m-%dT%H:%M:%S%.6fZ")
            .to_string()
    }

    #[test]
    fn every_spelling_seen_in_real_exports() {
        use DateOrder::{DayFirst, MonthFirst};
        for (input, order, want) in [
            ("2021-05-18T21:13:33", None, "2021-05-18T21:13:33.000000Z"),
            (
                "2024-03-13T06:40:13.9880000Z",
                None,
                "2024-03-13T06:40:13.988000Z",
            ),
            (
                "2024-04-13T09:30:13.98Z",
                None,
                "2024-04-13T09:30:13.980000Z",
            ),
            (
                "2021-04-28T14:08:45.2213421+02:00",
                None,
                "2021-04-28T12:08:45.221342Z",
            ),
            (
                "2025-04-21 20:51:04.058183200",
                None,
                "2025-04-21T20:51:04.058183Z",
            ),
            (
                "5/18/2021 9:13:33 PM",
                Some(MonthFirst),
                "2021-05-18T21:13:33.000000Z",
            ),
            (
                "4/28/2021, 3:05:26.000 PM",
                Some(MonthFirst),
                "2021-04-28T15:05:26.000000Z",
            ),
            (
                "4/28/2021, 12:05:26.000\u{202f}AM",
                Some(MonthFirst),
                "2021-04-28T00:05:26.000000Z",
            ),
            (
                "13/03/2024, 3:40:13.988 pm",
                Some(DayFirst),
                "2024-03-13T15:40:13.988000Z",
            ),
            (
                "26.09.2023 02:13:50",
                Some(DayFirst),
                "2023-09-26T02:13:50.000000Z",
            ),
            ("2022-09-15 5:49:22 PM", None, "2022-09-15T17:49:22.000000Z"),
            (
                "May 7, 2024 6:35:31 PM",
                None,
                "2024-05-07T18:35:31.000000Z",
            ),
            (
                "May 7, 2024 18:41:25.123",
                None,
                "2024-05-07T18:41:25.123000Z",
            ),
            ("/Date(946684800000)/", None, "2000-01-01T00:00:00.000000Z"),
            (
                r"\/Date(946684800000-0700)\/",
                None,
                "2000-01-01T00:00:00.000000Z",
            ),
            (
                "/Date(-62135596800000)/",
                None,
                "0001-01-01T00:00:00.000000Z",
            ),
            ("1620000000", None, "2021-05-03T00:00:00.000000Z"),
        ] {
            assert_eq!(
                parse(input, order).map(text).as_deref(),
                Some(want),
                "{input}"
            );
        }
        for input in [
            "",
            "yesterday",
            "5/18/2021 9:13:33 PM",
            "99/99/2021 1:00:00",
            "2021-02-30T00:00:00",
            "2021-02-28T00:00:00+00:75",
            "2021-02-28T00:00:00+0::0",
            "/Date(946684800000)/ one",
            "/Date(946684800000)",
            "/Date(946684800000+02)/",
            "/Date(+5)/",
            "/Date()/",
            "/Date(é)/",
        ] {
            assert_eq!(parse(input, None), None, "{input}");
        }
    }

    #[test]
    fn a_time_that_the_clock_skipped_is_none_and_one_it_repeated_is_the_first() {
        let local = |text| in_zone(text, Some(DateOrder::DayFirst), Tz::Europe__Berlin);
        let utc = |text| parse(text, None).expect("a time");
        assert_eq!(
            local("2026-03-29 01:59:59"),
            Some(Local::At(utc("2026-03-29T00:59:59Z")))
        );
        assert_eq!(local("2026-03-29 02:30"), Some(Local::Never));
        assert_eq!(local("29/03/2026, 2:30:00.000 AM"), Some(Local::Never));
        assert_eq!(
            local("2026-10-25T02:30:00"),
            Some(Local::Twice(utc("2026-10-25T00:30:00Z")))
        );
        for zoned in [
            "2026-03-29T02:30:00Z",
            "2026-03-29T04:30:00.5+02:00",
            "/Date(1774751400000)/",
            "1774751400",
        ] {
            assert_eq!(local(zoned), Some(Local::At(utc(zoned))), "{zoned}");
        }
        assert_eq!(local("soon"), None);
    }

    #[test]
    fn the_order_is_decided_by_the_whole_column() {
        let order = |v: &[&str]| order_of(v.iter().copied());
        assert_eq!(order(&["3/4/2026 1:00:00 AM"]), Evidence::Ambiguous);
        assert_eq!(
            order(&["3/4/2026 1:00:00 AM", "3/14/2026 1:00:00 AM"]),
            Evidence::Decided(DateOrder::MonthFirst)
        );
        assert_eq!(
            order(&["26.09.2023 02:13:50", "01.09.2023 02:13:50"]),
            Evidence::Decided(DateOrder::DayFirst)
        );
        assert_eq!(
            order(&["26.09.2023 02:13:50", "01.19.2023 02:13:50"]),
            Evidence::Contradictory
        );
        assert_eq!(order(&["2026-03-04T00:00:00Z", ""]), Evidence::NotNeeded);
    }
}
