//! The Gregorian calendar on ticks of 100 ns, from year 1 to 9999, and the weeks of ISO 8601.

/// Ticks of 100 ns in a second.
pub const TICKS_PER_SECOND: i64 = 10_000_000;
/// Ticks of 100 ns in a day.
pub const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;
/// Ticks from 0001-01-01, where `datetime` begins, to 1970-01-01.
pub const UNIX_EPOCH_TICKS: i64 = 621_355_968_000_000_000;

/// The last instant of year 9999.
pub const MAX_DATETIME_TICKS: i64 = 3_155_378_975_999_999_999;

/// Days from 0001-01-01 to 1970-01-01.
const UNIX_EPOCH_DAYS: i64 = 719_162;

/// An instant by the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// 1 to 9999
    pub year: i64,
    /// 1 to 12
    pub month: i64,
    /// 1 to 31
    pub day: i64,
    /// Ticks of 100 ns since midnight.
    pub time: i64,
}

/// Whether the year has a 29th of February.
fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month.
pub(super) fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 0001-01-01 to a date; nothing where there is no such date.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let valid = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=month_length(year, month)).contains(&day);
    if !valid {
        return None;
    }
    // Years that begin in March, so that the leap day is the last.
    let shifted = year - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + days - 719_468 + UNIX_EPOCH_DAYS)
}

impl Civil {
    /// The instant at those ticks.
    pub fn from_ticks(ticks: i64) -> Civil {
        let days = ticks.div_euclid(TICKS_PER_DAY) - UNIX_EPOCH_DAYS + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        Civil {
            year: year + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * shifted + 2) / 5 + 1,
            time: ticks.rem_euclid(TICKS_PER_DAY),
        }
    }

    /// Its ticks; nothing where there is no such date.
    pub fn ticks(self) -> Option<i64> {
        let days = days_from_civil(self.year, self.month, self.day)?;
        Some(days * TICKS_PER_DAY + self.time)
    }

    /// The same day and time so many months later; a day that the month does not have becomes its last.
    pub fn add_months(self, months: i64) -> Option<Civil> {
        let count = (self.year * 12 + self.month - 1).checked_add(months)?;
        let (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
        (1..=9999).contains(&year).then(|| Civil {
            year,
            month,
            day: self.day.min(month_length(year, month)),
            time: self.time,
        })
    }

    /// 0 to 23
    pub fn hour(self) -> i64 {
        self.time / (3600 * TICKS_PER_SECOND)
    }

    /// 0 to 59
    pub fn minute(self) -> i64 {
        self.time / (60 * TICKS_PER_SECOND) % 60
    }

    /// 0 to 59
    pub fn second(self) -> i64 {
        self.time / TICKS_PER_SECOND % 60
    }

    /// Ticks of 100 ns since the second began.
    pub fn fraction(self) -> i64 {
        self.time % TICKS_PER_SECOND
    }

    /// 1 to 366
    pub fn day_of_year(self) -> i64 {
        let first = days_from_civil(self.year, 1, 1).unwrap_or(0);
        days_from_civil(self.year, self.month, self.day).unwrap_or(0) - first + 1
    }

    /// 0, a Sunday, to 6.
    pub fn day_of_week(self) -> i64 {
        // 0001-01-01 was a Monday.
        (days_from_civil(self.year, self.month, self.day).unwrap_or(0) + 1).rem_euclid(7)
    }

    /// The week of ISO 8601, 1 to 53.
    pub fn week_of_year(self) -> i64 {
        let weekday = (self.day_of_week() + 6) % 7;
        // The Thursday of the week tells the year it belongs to.
        let thursday = self.day_of_year() + 3 - weekday;
        let length = |year| if is_leap(year) { 366 } else { 365 };
        let day = match thursday {
            day if day < 1 => day + length(self.year - 1),
            day if day > length(self.year) => day - length(self.year),
            day => day,
        };
        (day - 1) / 7 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_ticks_agree() {
        assert_eq!(days_from_civil(1, 1, 1), Some(0));
        assert_eq!(days_from_civil(1970, 1, 1), Some(719_162));
        assert_eq!(days_from_civil(2021, 2, 29), None);
        let mut day = 0;
        while day < 3_652_059 {
            let civil = Civil::from_ticks(day * TICKS_PER_DAY);
            assert_eq!(civil.ticks(), Some(day * TICKS_PER_DAY));
            day += 13;
        }
        assert_eq!(Civil::from_ticks(MAX_DATETIME_TICKS).year, 9999);
    }

    #[test]
    fn weeks_are_those_of_iso() {
        let week = |y, m, d| {
            let days = days_from_civil(y, m, d).unwrap_or(0);
            Civil::from_ticks(days * TICKS_PER_DAY).week_of_year()
        };
        assert_eq!(week(2016, 1, 1), 53);
        assert_eq!(week(2017, 1, 1), 52);
        assert_eq!(week(2021, 1, 3), 53);
        assert_eq!(week(2020, 12, 31), 53);
        assert_eq!(week(2018, 12, 31), 1);
        assert_eq!(week(1, 1, 1), 1);
    }
}
