//! Where a time stands in the figures: its bucket and its day, on the clocks of the report's zone.

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeZone, Weekday};
use chrono_tz::Tz;

use super::picture::MOST_DAYS;

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Seconds of an hour.
const HOUR: i64 = 3600;
/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// Days that are drawn hour by hour at most …
const HOURLY: i64 = 2;
/// … day by day …
const DAILY: i64 = 93;
/// … and week by week; what is longer is drawn month by month.
const WEEKLY: i64 = 730;
/// Buckets at most: one event of a wrong year is not to make thousands of them. The last ones count.
const MOST: i64 = 400;

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Hour,
    Day,
    Week,
    Month,
}

/// A range of times in buckets and days.
#[derive(Debug, Clone)]
pub struct Buckets {
    zone: Option<Tz>,
    unit: Unit,
    /// Number of the first bucket, counted from 1970.
    first: i64,
    /// How many.
    count: i64,
    /// The first day, counted from 1970.
    first_day: i64,
    /// How many days.
    days: i64,
}

impl Buckets {
    /// Those of the times from the first to the last, both in microseconds; none where there is no time.
    pub(super) fn of(times: Option<(i64, i64)>, zone: Option<Tz>) -> Buckets {
        let mut buckets = Buckets {
            zone,
            unit: Unit::Day,
            first: 0,
            count: 0,
            first_day: 0,
            days: 0,
        };
        let Some((first, last)) = times else {
            return buckets;
        };
        let (first_day, last_day) = (buckets.day_number(first), buckets.day_number(last));
        buckets.unit = match last_day - first_day + 1 {
            days if days <= HOURLY => Unit::Hour,
            days if days <= DAILY => Unit::Day,
            days if days <= WEEKLY => Unit::Week,
            _ => Unit::Month,
        };
        let (from, to) = (buckets.number(first), buckets.number(last));
        buckets.first = from.max(to - MOST + 1);
        buckets.count = to - buckets.first + 1;
        let most = i64::try_from(MOST_DAYS).unwrap_or(i64::MAX);
        buckets.first_day = first_day.max(last_day - most + 1);
        buckets.days = last_day - buckets.first_day + 1;
        buckets
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        usize::try_from(self.count).unwrap_or(0)
    }

    /// How many days there are.
    pub(super) fn day_count(&self) -> usize {
        usize::try_from(self.days).unwrap_or(0)
    }

    /// The bucket of a time.
    pub fn bucket(&self, at: i64) -> Option<usize> {
        place(self.number(at), self.first, self.count)
    }

    /// The day of a time.
    pub(super) fn day(&self, at: i64) -> Option<usize> {
        self.day_place(self.day_number(at))
    }

    /// The place of a day among those that have one.
    pub(super) fn day_place(&self, number: i64) -> Option<usize> {
        place(number, self.first_day, self.days)
    }

    /// The day of a time, counted from 1970.
    pub(super) fn day_number(&self, at: i64) -> i64 {
        self.local(at).div_euclid(DAY)
    }

    /// How long a bucket is, in a word.
    pub(super) fn unit(&self) -> &'static str {
        match self.unit {
            Unit::Hour => "hour",
            Unit::Day => "day",
            Unit::Week => "week",
            Unit::Month => "month",
        }
    }

    /// The beginnings of the buckets.
    pub(super) fn names(&self) -> Vec<String> {
        let numbers = self.first..self.first + self.count;
        numbers.map(|number| self.name(number)).collect()
    }

    /// The days.
    pub(super) fn day_names(&self) -> Vec<String> {
        let numbers = self.first_day..self.first_day + self.days;
        numbers.map(day_name).collect()
    }

    /// Seconds since 1970 on the clocks of the zone.
    fn local(&self, at: i64) -> i64 {
        let seconds = at.div_euclid(SECOND);
        let Some(zone) = self.zone else {
            return seconds;
        };
        // What no calendar has has no offset either.
        let utc = DateTime::from_timestamp(seconds, 0).map(|time| time.naive_utc());
        let offset = utc.map_or(0, |utc| {
            zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()
        });
        seconds + i64::from(offset)
    }

    /// The bucket of a time, counted from 1970.
    fn number(&self, at: i64) -> i64 {
        let local = self.local(at);
        let day = local.div_euclid(DAY);
        match self.unit {
            Unit::Hour => local.div_euclid(HOUR),
            Unit::Day => day,
            // The first of January 1970 was a Thursday; weeks begin on Monday.
            Unit::Week => (day + i64::from(Weekday::Thu.num_days_from_monday())).div_euclid(7),
            Unit::Month => date(day).map_or(0, |date| {
                (i64::from(date.year()) - 1970) * 12 + i64::from(date.month0())
            }),
        }
    }

    fn name(&self, number: i64) -> String {
        match self.unit {
            Unit::Hour => {
                let (day, hour) = (number.div_euclid(24), number.rem_euclid(24));
                format!("{}T{hour:02}:00", day_name(day))
            }
            Unit::Day => day_name(number),
            Unit::Week => {
                let monday = i64::from(Weekday::Thu.num_days_from_monday());
                day_name(number * 7 - monday)
            }
            Unit::Month => {
                let (year, month) = (number.div_euclid(12) + 1970, number.rem_euclid(12) + 1);
                format!("{year:04}-{month:02}-01")
            }
        }
    }
}

fn place(number: i64, first: i64, count: i64) -> Option<usize> {
    let at = number - first;
    (0..count).contains(&at).then(|| usize::try_from(at).ok())?
}

fn date(day: i64) -> Option<NaiveDate> {
    let time = DateTime::from_timestamp(day.checked_mul(DAY)?, 0)?;
    Some(time.date_naive())
}

/// A day, counted from 1970, as ISO 8601.
pub(super) fn day_name(day: i64) -> String {
    date(day).map_or_else(
        || day.to_string(),
        |date| date.format("%Y-%m-%d").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(time: &str) -> i64 {
        let time = DateTime::parse_from_rfc3339(time).expect("a time");
        time.timestamp_micros()
    }

    fn of(first: &str, last: &str, zone: Option<Tz>) -> Buckets {
        Buckets::of(Some((micros(first), micros(last))), zone)
    }

    #[test]
    fn empty_buckets_are_among_them() {
        let days = of("2026-05-01T10:00:00Z", "2026-05-05T00:00:00Z", None);
        assert_eq!((days.unit(), days.count()), ("day", 5));
        assert_eq!(days.names()[4], "2026-05-05");
        assert_eq!(days.bucket(micros("2026-05-03T23:59:59Z")), Some(2));
        assert_eq!(days.bucket(micros("2026-05-06T00:00:00Z")), None);
        let weeks = of("2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", None);
        // 2026-01-01 is a Thursday, 2026-06-01 a Monday.
        assert_eq!((weeks.unit(), weeks.count()), ("week", 23));
        assert_eq!(weeks.names()[0], "2025-12-29");
        assert_eq!(weeks.names()[22], "2026-06-01");
        assert_eq!(weeks.bucket(micros("2026-01-05T00:00:00Z")), Some(1));
        let months = of("2023-11-30T00:00:00Z", "2026-02-01T00:00:00Z", None);
        assert_eq!((months.unit(), months.count()), ("month", 28));
        assert_eq!(months.names()[1], "2023-12-01");
        assert_eq!(Buckets::of(None, None).names(), Vec::<String>::new());
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let zone = Some(Tz::Europe__Berlin);
        let hours = of("2026-05-01T21:30:00Z", "2026-05-01T22:30:00Z", zone);
        assert_eq!((hours.unit(), hours.day_count()), ("hour", 2));
        assert_eq!(hours.names(), ["2026-05-01T23:00", "2026-05-02T00:00"]);
        assert_eq!(hours.day(micros("2026-05-01T22:30:00Z")), Some(1));
    }

    #[test]
    fn one_event_of_a_wrong_year_makes_no_thousands_of_buckets() {
        let long = of("1601-01-01T00:00:00Z", "2026-05-01T00:00:00Z", None);
        assert_eq!(long.count(), 400);
        assert_eq!(long.names().last().map(String::as_str), Some("2026-05-01"));
        assert_eq!(long.day_count(), MOST_DAYS);
        assert_eq!(long.bucket(micros("1601-01-01T00:00:00Z")), None);
    }
}
