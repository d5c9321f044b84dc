//! Times as exports spell them, as microseconds UTC.
//!
//! Times without a zone are UTC: that is what the audit log and the portals write. Day-first or month-first is never
//! guessed for a single value: [`order_of`] decides it for a whole column. `words` has the spellings that are not ISO 8601, [`names`] the
//! names of columns with times.

use chrono::{DateTime, MappedLocalTime, NaiveDate, TimeZone};
use chrono_tz::Tz;

mod counts;
mod languages;
pub mod names;
mod taken_from;
mod words;

pub use counts::dotnet;
use counts::{counted, dotnet_escaped, fraction, inside};
pub use taken_from::TakenFrom;
use words::{Date, Spelled};

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

impl Evidence {
    /// What two values, or two parts of a file, say together.
    pub fn and(self, other: Evidence) -> Evidence {
        match (self, other) {
            (Evidence::NotNeeded, e) | (e, Evidence::NotNeeded) => e,
            (Evidence::Contradictory, _) | (_, Evidence::Contradictory) => Evidence::Contradictory,
            (Evidence::Decided(a), Evidence::Decided(b)) if a != b => Evidence::Contradictory,
            (e @ Evidence::Decided(_), _) | (_, e) => e,
        }
    }
}

/// Returns microseconds since 1970 for a time in any known spelling; `order` is needed for `3/4/2026` and the like.
pub fn parse(text: &str, order: Option<DateOrder>) -> Option<i64> {
    // Most of the times that a row may have are not there, and all spellings would be tried.
    if text.is_empty() {
        return None;
    }
    match iso(text.as_bytes()) {
        None => instant(text.trim(), order).map(|(t, _)| t),
        found => found,
    }
}

/// A time in microseconds, and whether it says which zone it is in: with an offset or a `Z`, or as a count since 1970.
fn instant(text: &str, order: Option<DateOrder>) -> Option<(i64, bool)> {
    if let Some(t) = iso(text.as_bytes()) {
        // Behind the seconds, so that no date is taken for an offset.
        let zoned = text
            .get(19..)
            .is_some_and(|rest| rest.contains(['Z', 'z', '+', '-']));
        return Some((t, zoned));
    }
    if text.starts_with('{') {
        return instant(&inside(text)?, order);
    }
    if let Some(t) = dotnet(text)
        .or_else(|| dotnet_escaped(text))
        .or_else(|| counted(text))
    {
        // Days of Excel are those of whoever looked at them.
        let is_of_excel = text.as_bytes().get(5) == Some(&b'.');
        return Some((t, !is_of_excel));
    }
    let Spelled {
        date,
        clock,
        offset,
    } = words::read(text)?;
    let day = match date {
        Date::Numbers(a, b, year) | Date::Short(a, b, year) => {
            let (month, day) = match order? {
                DateOrder::MonthFirst => (a, b),
                DateOrder::DayFirst => (b, a),
            };
            NaiveDate::from_ymd_opt(year, month, day)?
        }
        Date::Known(day) => day,
    };
    let (seconds, micros) = clock.unwrap_or_default();
    let midnight = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros();
    let seconds = seconds - offset.unwrap_or_default() * 60;
    Some((midnight + seconds * 1_000_000 + micros, offset.is_some()))
}

/// Whether an instant is one, and not what systems write for never: the first or the last that they know.
pub fn is_moment(micros: i64) -> bool {
    /// 1602-01-01 and 9999-01-01.
    const FIRST: i64 = -11_612_937_600_000_000;
    const LAST: i64 = 253_370_764_800_000_000;
    (FIRST..LAST).contains(&micros)
}

/// Whether a time has a date and no clock: `2026-05-18`, `18 May 2026`.
pub fn is_date_alone(text: &str) -> bool {
    iso(text.trim().as_bytes()).is_none()
        && words::read(text).is_some_and(|spelled| spelled.clock.is_none())
}

/// Whether a text is a clock without a date: `13:05:12`, `9.13 PM`.
pub fn is_clock(text: &str) -> bool {
    words::is_clock(text)
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
            let (verb, kept) = match self.skipped {
                1 => ("does", "it is"),
                _ => ("do", "they are"),
            };
            notes.push(format!(
                "{} {verb} not exist in {zone}, where the clock was set forward: {kept} kept in ExtraColumns",
                crate::text::counted(self.skipped, "local time")
            ));
        }
        if self.repeated > 0 {
            let verb = match self.repeated {
                1 => "is",
                _ => "are",
            };
            notes.push(format!(
                "{} {verb} ambiguous in {zone}, where the clock was set back: the first was taken",
                crate::text::counted(self.repeated, "local time")
            ));
        }
        notes
    }
}

/// The instant of a time without a zone, in this zone; nothing where the text is no time. A time that names its zone is that instant.
pub fn in_zone(text: &str, order: Option<DateOrder>, zone: Tz) -> Option<Local> {
    let (utc, zoned) = instant(text.trim(), order)?;
    if zoned {
        return Some(Local::At(utc));
    }
    let naive = DateTime::from_timestamp_micros(utc)?.naive_utc();
    Some(match zone.from_local_datetime(&naive) {
        MappedLocalTime::Single(t) => Local::At(t.timestamp_micros()),
        MappedLocalTime::Ambiguous(first, _) => Local::Twice(first.timestamp_micros()),
        MappedLocalTime::None => Local::Never,
    })
}

/// The instant of a time on a clock so many minutes east of UTC; a time that names its zone is that instant.
pub fn east(text: &str, order: Option<DateOrder>, minutes: i64) -> Option<i64> {
    match instant(text.trim(), order)? {
        (t, true) => Some(t),
        (t, false) => t.checked_sub(minutes * 60_000_000),
    }
}

/// What these values say about the order of day and month.
pub fn order_of<'a>(values: impl Iterator<Item = &'a str>) -> Evidence {
    values.fold(Evidence::NotNeeded, |evidence, text| {
        evidence.and(order_in(text))
    })
}

/// What one value says about the order of day and month.
pub fn order_in(text: &str) -> Evidence {
    let text = text.trim();
    if iso(text.as_bytes()).is_some() {
        return Evidence::NotNeeded;
    }
    let (a, b) = match words::read(text).map(|spelled| spelled.date) {
        Some(Date::Numbers(a, b, _)) => (a, b),
        // `26/05/18` may begin with its year.
        Some(Date::Short(a, b, _)) if a > 12 && b <= 12 => return Evidence::Ambiguous,
        Some(Date::Short(a, b, _)) => (a, b),
        _ => return Evidence::NotNeeded,
    };
    match (a > 12, b > 12) {
        (true, false) => Evidence::Decided(DateOrder::DayFirst),
        (false, true) => Evidence::Decided(DateOrder::MonthFirst),
        (false, false) => Evidence::Ambiguous,
        // No date in any order.
        (true, true) => Evidence::NotNeeded,
    }
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
    let days = NaiveDate::from_ymd_opt(year as i32, month, day)?.to_epoch_days();
    let seconds =
        i64::from(days) * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - offset * 60;
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
        // Long because it is one table of cases.
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
            ("1620000000.25", None, "2021-05-03T00:00:00.250000Z"),
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
            "20260518",
            "10.0.2026.1",
            "2026-05-18 09:13:33 CEST",
            "18 Brumaire 2026",
            "2026-05-18 25:00",
            "May 2026",
        ] {
            assert_eq!(parse(input, None), None, "{input}");
        }
    }

    #[test]
    fn words_halves_of_the_day_and_zones_are_read() {
        let want = "2026-05-18T09:13:33.000000Z";
        for input in [
            "2026-05-18 09:13:33 UTC",
            "2026-05-18 09:13:33 GMT",
            "2026-05-18 09:13:33 +0000",
            "2026-05-18 11:13:33 +02:00",
            "2026-05-18T09:13:33.000 UTC",
            "2026-05-18 09:13:33 (UTC)",
            "18/05/2026 09:13:33 UTC",
            "18/05/2026 9:13:33 AM +00:00",
            "18.5.2026 9.13.33",
            "18.5.2026 klo 9.13.33",
            "18. 5. 2026 9:13:33",
            "18 May 2026 09:13:33",
            "18-May-2026 09:13:33",
            "18/May/2026:09:13:33 +0000",
            "18 mai 2026 à 09:13:33",
            "18. Mai 2026, 09:13:33 Uhr",
            "18 de mayo de 2026, 9:13:33 a. m.",
            "18 maj 2026 kl. 09:13:33",
            "Mon, 18 May 2026 09:13:33 GMT",
            "Montag, 18. Mai 2026 09:13:33",
            "lundi 18 mai 2026 09:13:33",
            "Monday, May 18, 2026 9:13:33 AM",
            "Mon May 18 2026 11:13:33 GMT+0200 (Central European Summer Time)",
            "Mon May 18 09:13:33 2026",
            "Mon May 18 09:13:33 UTC 2026",
            "May 18, 2026 @ 09:13:33.000",
            "May 18th, 2026 at 9:13:33\u{202f}AM",
            "2026/05/18 09:13:33",
            "2026/5/18 上午 9:13:33",
            "2026년 5월 18일 오전 9:13:33",
            "2026年5月18日 9:13:33",
            "2026-05-18 09:13:33,000",
            "20260518T091333Z",
        ] {
            let t = parse(input, Some(DateOrder::DayFirst)).map(text);
            assert_eq!(t.as_deref(), Some(want), "{input}");
        }
        let alone = parse("18 mars 2026", None).map(text);
        assert_eq!(alone.as_deref(), Some("2026-03-18T00:00:00.000000Z"));
        assert!(is_date_alone("18 mars 2026") && !is_date_alone("2026-05-18T09:13:33"));
        assert!(is_clock("9:13 PM") && is_clock("13.05.12") && !is_clock("2026-05-18"));
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
            "2026-03-29 02:30:00 UTC",
            "29 March 2026 04:30 +0200",
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
