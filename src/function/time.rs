//! Dates and times: `now`, `startofday`, `datetime_diff`, …

use std::str::FromStr;

use chrono::{NaiveDate, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::arguments::{Want, constant_text, take, text};
use super::definition::{BARE, Clock, Function, lifted};
use super::result_name::ResultName;
use crate::function::value::{
    Cell, Civil, MAX_DATETIME_TICKS, TICKS_PER_DAY, TICKS_PER_SECOND, Type, UNIX_EPOCH_TICKS,
    Value, days_from_civil,
};

/// A unit of the calendar or of time.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    /// Ticks of a unit that is always of one length.
    Ticks(i64),
    Nanosecond,
}

impl Unit {
    fn named(name: &str) -> Option<Unit> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" => Unit::Year,
            "quarter" => Unit::Quarter,
            "month" => Unit::Month,
            "week" => Unit::Week,
            "day" => Unit::Day,
            "hour" => Unit::Ticks(3600 * TICKS_PER_SECOND),
            "minute" => Unit::Ticks(60 * TICKS_PER_SECOND),
            "second" => Unit::Ticks(TICKS_PER_SECOND),
            "millisecond" => Unit::Ticks(10_000),
            "microsecond" => Unit::Ticks(10),
            "nanosecond" => Unit::Nanosecond,
            _ => return None,
        })
    }
}

/// Refuses names of parts that Kusto does not know.
fn check_part(arguments: &[Option<&Value>], known: fn(&str) -> bool) -> Result<(), String> {
    match constant_text(arguments, 0) {
        Some(part) if !known(part) => Err(format!("no part `{part}` of a date")),
        _ => Ok(()),
    }
}

fn part(ticks: i64, name: &str) -> Option<i64> {
    let civil = Civil::from_ticks(ticks);
    Some(match name.to_ascii_lowercase().as_str() {
        "year" => civil.year,
        "quarter" => (civil.month + 2) / 3,
        "month" => civil.month,
        "week_of_year" | "weekofyear" => civil.week_of_year(),
        "day" => civil.day,
        "dayofyear" => civil.day_of_year(),
        "hour" => civil.hour(),
        "minute" => civil.minute(),
        "second" => civil.second(),
        "millisecond" => civil.fraction() / 10_000,
        "microsecond" => civil.fraction() / 10,
        "nanosecond" => civil.fraction() * 100,
        _ => return None,
    })
}

fn add(ticks: i64, unit: Unit, count: i64) -> Option<i64> {
    let civil = Civil::from_ticks(ticks);
    let months = |each: i64| {
        let months = count.checked_mul(each)?;
        civil.add_months(months)?.ticks()
    };
    let ticks = match unit {
        Unit::Year => months(12)?,
        Unit::Quarter => months(3)?,
        Unit::Month => months(1)?,
        Unit::Week => ticks.checked_add(count.checked_mul(7 * TICKS_PER_DAY)?)?,
        Unit::Day => ticks.checked_add(count.checked_mul(TICKS_PER_DAY)?)?,
        Unit::Ticks(each) => ticks.checked_add(count.checked_mul(each)?)?,
        Unit::Nanosecond => ticks.checked_add(count.div_euclid(100))?,
    };
    Some(ticks)
}

/// How many borders between units lie between two instants.
fn difference(unit: Unit, a: i64, b: i64) -> Option<i64> {
    let (x, y) = (Civil::from_ticks(a), Civil::from_ticks(b));
    let apart =
        |ticks: i64, shift: i64| (a + shift).div_euclid(ticks) - (b + shift).div_euclid(ticks);
    Some(match unit {
        Unit::Year => x.year - y.year,
        Unit::Quarter => (x.year * 4 + (x.month - 1) / 3) - (y.year * 4 + (y.month - 1) / 3),
        Unit::Month => (x.year * 12 + x.month) - (y.year * 12 + y.month),
        // Weeks begin on Sundays; tick 0 is a Monday.
        Unit::Week => apart(7 * TICKS_PER_DAY, TICKS_PER_DAY),
        Unit::Day => apart(TICKS_PER_DAY, 0),
        Unit::Ticks(each) => apart(each, 0),
        Unit::Nanosecond => (a - b).checked_mul(100)?,
    })
}

/// The instant at which the unit begins that is `offset` units behind that of an instant. The year after the last is given
/// too, so that ends can be counted from it.
fn start(ticks: i64, unit: Unit, offset: i64) -> Option<i64> {
    let civil = Civil::from_ticks(ticks);
    let month = |year: i64, month: i64| {
        let count = (year * 12 + month - 1).checked_add(offset.checked_mul(match unit {
            Unit::Year => 12,
            _ => 1,
        })?)?;
        let (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
        match (year, month) {
            (10_000, 1) => Some(MAX_DATETIME_TICKS + 1),
            _ => days_from_civil(year, month, 1).map(|days| days * TICKS_PER_DAY),
        }
    };
    match unit {
        Unit::Year => month(civil.year, 1),
        Unit::Month => month(civil.year, civil.month),
        Unit::Week => {
            let sunday = ticks - civil.time - civil.day_of_week() * TICKS_PER_DAY;
            sunday.checked_add(offset.checked_mul(7 * TICKS_PER_DAY)?)
        }
        _ => (ticks - civil.time).checked_add(offset.checked_mul(TICKS_PER_DAY)?),
    }
}

fn date(a: &[Value], at: usize) -> Option<i64> {
    a.get(at)?.to_datetime()
}

/// An instant as a cell; null where there is none.
fn moment(ticks: Option<i64>) -> Cell<'static> {
    let ticks = ticks.filter(|ticks| !Value::datetime(*ticks).is_null());
    ticks.map_or(Cell::Null, Cell::DateTime)
}

fn instant(ticks: Option<i64>) -> Value {
    ticks.map_or(Value::Null, Value::datetime)
}

fn starts(a: &[Cell], unit: Unit) -> Cell<'static> {
    let offset = a.get(1).map_or(Some(0), |offset| offset.to_long());
    let ticks = a[0].to_datetime();
    moment(ticks.and_then(|ticks| start(ticks, unit, offset?)))
}

fn ends(a: &[Cell], unit: Unit) -> Cell<'static> {
    let offset = a.get(1).map_or(Some(0), |offset| offset.to_long());
    let ticks = a[0].to_datetime();
    let next = ticks.and_then(|ticks| start(ticks, unit, offset?.checked_add(1)?));
    moment(next.map(|next| next - 1))
}

/// `startofday(date, offset)` and its like.
macro_rules! border {
    ($name:expr, $doc:expr, $example:expr, $answer:expr, $of:expr $(,)?) => {
        lifted! {
            0, $of,
            name: $name,
            arguments: (1, 2),
            doc: $doc,
            example: $example,
            answer: $answer,
            ty: |a| take(a, &[Want::DateTime, Want::Integer], Type::DateTime),
        }
    };
}

/// A number of a date.
macro_rules! number {
    ($name:expr, $doc:expr, $example:expr, $answer:expr, $of:expr $(,)?) => {
        lifted! {
            0, |a, _| of(a[0], $of),
            name: $name,
            arguments: (1, 1),
            doc: $doc,
            example: $example,
            answer: $answer,
            ty: |a| take(a, &[Want::DateTime], Type::Int),
        }
    };
}

/// Kusto counts from the Sunday before, and before Monday 0001-01-01 there is none.
fn day_of_week(ticks: i64) -> Option<i64> {
    let day = ticks - Civil::from_ticks(ticks).time;
    let sunday = start(ticks, Unit::Week, 0).filter(|sunday| *sunday >= 0)?;
    Some(day - sunday)
}

fn of(cell: Cell, f: impl Fn(Civil) -> i64) -> Cell<'static> {
    small(cell.to_datetime().map(|ticks| f(Civil::from_ticks(ticks))))
}

/// A part of a date, which is an `int`.
fn small(number: Option<i64>) -> Cell<'static> {
    let number = number.and_then(|number| i32::try_from(number).ok());
    number.map_or(Cell::Null, Cell::Int)
}

/// `unixtime_…_todatetime`
macro_rules! unixtime {
    ($name:expr, $doc:expr, $example:expr, $nanoseconds:expr $(,)?) => {
        lifted! {
            0, |a, _| since_epoch(a[0], $nanoseconds),
            name: $name,
            arguments: (1, 1),
            doc: $doc,
            example: $example,
            answer: "2019-01-01T00:00:00.0000000Z",
            ty: |a| take(a, &[Want::Number], Type::DateTime),
        }
    };
}

/// An instant so many units after 1970-01-01; `nanoseconds` is the unit's length.
fn since_epoch(count: Cell, nanoseconds: i64) -> Cell<'static> {
    let whole = match count {
        Cell::Int(_) | Cell::Long(_) => count.to_long(),
        _ => None,
    };
    let ticks = match whole {
        Some(count) => i64::try_from(i128::from(count) * i128::from(nanoseconds) / 100).ok(),
        None => count
            .to_real()
            .map(|count| (count * nanoseconds as f64 / 100.0).round())
            .filter(|ticks| ticks.abs() < 9e18)
            .map(|ticks| ticks as i64),
    };
    moment(ticks.and_then(|ticks| ticks.checked_add(UNIX_EPOCH_TICKS)))
}

fn zone(name: &str) -> Option<Tz> {
    Tz::from_str(name.trim()).ok()
}

/// The offset of a zone from UTC at an instant in UTC, in ticks.
fn offset(zone: Tz, ticks: i64) -> Option<i64> {
    let seconds = (ticks - UNIX_EPOCH_TICKS).div_euclid(TICKS_PER_SECOND);
    let base = NaiveDate::from_ymd_opt(1970, 1, 1)?.and_hms_opt(0, 0, 0)?;
    let utc = base.checked_add_signed(TimeDelta::try_seconds(seconds)?)?;
    let seconds = zone.offset_from_utc_datetime(&utc).fix().local_minus_utc();
    Some(i64::from(seconds) * TICKS_PER_SECOND)
}

fn utc_to_local(a: &[Value]) -> Option<i64> {
    let (ticks, zone) = (date(a, 0)?, zone(&text(a, 1))?);
    ticks.checked_add(offset(zone, ticks)?)
}

/// The instant of a local time; one that stands twice, or in a gap, counts with the offset after the change.
fn local_to_utc(a: &[Value]) -> Option<i64> {
    let (local, zone) = (date(a, 0)?, zone(&text(a, 1))?);
    // The offsets around: transitions lie days apart.
    let before = offset(zone, local.checked_sub(TICKS_PER_DAY)?)?;
    let after = offset(zone, local.checked_add(TICKS_PER_DAY)?)?;
    let fits = |shift: i64| offset(zone, local - shift) == Some(shift);
    match (fits(before), fits(after)) {
        (true, false) => Some(local - before),
        // Documented for gaps, by an example for Brussels.
        (_, _) => Some(local - after),
    }
}

fn make_datetime(a: &[Value]) -> Option<i64> {
    if a.len() == 1 {
        return a[0].to_datetime();
    }
    let part = |at: usize| a.get(at).map_or(Some(0), Value::to_long);
    let (hour, minute) = (part(3)?, part(4)?);
    let second = a.get(5).map_or(Some(0.0), Value::to_real)?;
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..60.0).contains(&second) {
        return None;
    }
    let days = days_from_civil(part(0)?, part(1)?, part(2)?)?;
    let seconds = (second * TICKS_PER_SECOND as f64).round() as i64;
    Some(days * TICKS_PER_DAY + (hour * 60 + minute) * 60 * TICKS_PER_SECOND + seconds)
}

fn make_timespan(a: &[Value]) -> Option<i64> {
    if a.len() == 1 {
        return a[0].to_timespan();
    }
    let (days, rest) = match a.len() {
        4 => (a[0].to_long()?, &a[1..]),
        _ => (0, a),
    };
    let (hours, minutes) = (rest.first()?.to_long()?, rest.get(1)?.to_long()?);
    let seconds = rest.get(2).map_or(Some(0.0), Value::to_real)?;
    let valid =
        (0..24).contains(&hours) && (0..60).contains(&minutes) && (0.0..60.0).contains(&seconds);
    if !valid {
        return None;
    }
    let seconds = (seconds * TICKS_PER_SECOND as f64).round() as i64;
    // Of days Kusto says no range: any that fit into a timespan, also negative ones.
    let ticks = i128::from(days) * i128::from(TICKS_PER_DAY)
        + i128::from((hours * 60 + minutes) * 60 * TICKS_PER_SECOND + seconds);
    i64::try_from(ticks).ok()
}

const WEEK_OF_YEAR: Function = number!(
    "week_of_year",
    "week_of_year(date): the week of ISO 8601, 1 to 53",
    "print x = week_of_year(datetime(2016-01-01))",
    "53",
    Civil::week_of_year,
);
const DATETIME_PART: Function = lifted! {
    0b1,
    |a, _| small(a[1].to_datetime().and_then(|ticks| part(ticks, &a[0].text()))),
    name: "datetime_part",
    arguments: (2, 2),
    constants: |c| check_part(c, |name| part(0, name).is_some()),
    doc: "datetime_part(part, date): the year, quarter, month, week_of_year, day, dayofyear, hour, … of a date",
    example: "print x = datetime_part(\"quarter\", datetime(2017-10-30))",
    answer: "4",
    ty: |a| take(a, &[Want::Text, Want::DateTime], Type::Int),
};
const MONTH: Function = number!(
    "monthofyear",
    "monthofyear(date): 1 to 12",
    "print x = monthofyear(datetime(2015-12-14))",
    "12",
    |c| c.month,
);

/// A time as it is, of which it is known that it is a local one.
pub(super) static LOCAL: Function = Function {
    name: "local_time",
    arguments: (1, 1),
    clock: Clock::Local,
    doc: "",
    example: "",
    answer: "",
    ty: |a| take(a, &[Want::DateTime], Type::DateTime),
    eval: |_, a| a[0].clone(),
    ..BARE
};

pub(super) const TABLE: &[Function] = &[
    Function {
        name: "now",
        asks_now: true,
        arguments: (0, 1),
        doc: "now(offset): the instant of the query, one for all of it, and a timespan later",
        example: "print x = now() - now()",
        answer: "00:00:00",
        ty: |a| take(a, &[Want::Timespan], Type::DateTime),
        eval: |env, a| {
            let offset = a.first().map_or(Some(0), Value::to_timespan);
            instant(offset.and_then(|offset| env.now.checked_add(offset)))
        },
        ..BARE
    },
    Function {
        name: "ago",
        asks_now: true,
        arguments: (1, 1),
        doc: "ago(timespan): the instant so long before `now()`",
        example: "print x = now() - ago(1h)",
        answer: "01:00:00",
        ty: |a| take(a, &[Want::Timespan], Type::DateTime),
        eval: |env, a| {
            instant(
                a[0].to_timespan()
                    .and_then(|span| env.now.checked_sub(span)),
            )
        },
        ..BARE
    },
    border!(
        "startofday",
        "startofday(date, offset = 0): midnight of the day, so many days later",
        "print x = startofday(datetime(2020-06-15 13:45))",
        "2020-06-15T00:00:00.0000000Z",
        |a, _| starts(a, Unit::Day),
    )
    .names(ResultName::First),
    border!(
        "startofweek",
        "startofweek(date, offset = 0): the Sunday the week begins with, so many weeks later",
        "print x = startofweek(datetime(2020-06-15))",
        "2020-06-14T00:00:00.0000000Z",
        |a, _| starts(a, Unit::Week),
    ),
    border!(
        "startofmonth",
        "startofmonth(date, offset = 0): the first day of the month, so many months later",
        "print x = startofmonth(datetime(2020-06-15))",
        "2020-06-01T00:00:00.0000000Z",
        |a, _| starts(a, Unit::Month),
    ),
    border!(
        "startofyear",
        "startofyear(date, offset = 0): the first day of the year, so many years later",
        "print x = startofyear(datetime(2020-06-15))",
        "2020-01-01T00:00:00.0000000Z",
        |a, _| starts(a, Unit::Year),
    ),
    border!(
        "endofday",
        "endofday(date, offset = 0): the last tick of the day, so many days later",
        "print x = endofday(datetime(2020-06-15))",
        "2020-06-15T23:59:59.9999999Z",
        |a, _| ends(a, Unit::Day),
    ),
    border!(
        "endofweek",
        "endofweek(date, offset = 0): the last tick of the week's Saturday, so many weeks later",
        "print x = endofweek(datetime(2020-06-15))",
        "2020-06-20T23:59:59.9999999Z",
        |a, _| ends(a, Unit::Week),
    ),
    border!(
        "endofmonth",
        "endofmonth(date, offset = 0): the last tick of the month, so many months later",
        "print x = endofmonth(datetime(2020-02-15))",
        "2020-02-29T23:59:59.9999999Z",
        |a, _| ends(a, Unit::Month),
    ),
    border!(
        "endofyear",
        "endofyear(date, offset = 0): the last tick of the year, so many years later",
        "print x = endofyear(datetime(2020-06-15))",
        "2020-12-31T23:59:59.9999999Z",
        |a, _| ends(a, Unit::Year),
    ),
    number!(
        "dayofmonth",
        "dayofmonth(date): 1 to 31",
        "print x = dayofmonth(datetime(2020-06-15))",
        "15",
        |c| c.day,
    ),
    number!(
        "dayofyear",
        "dayofyear(date): 1 to 366",
        "print x = dayofyear(datetime(2024-12-31))",
        "366",
        Civil::day_of_year,
    ),
    number!(
        "hourofday",
        "hourofday(date): 0 to 23",
        "print x = hourofday(datetime(2020-06-15 13:45))",
        "13",
        Civil::hour,
    ),
    number!(
        "getyear",
        "getyear(date): the year",
        "print x = getyear(datetime(2015-10-12))",
        "2015",
        |c| c.year,
    ),
    MONTH,
    MONTH.named("getmonth"),
    WEEK_OF_YEAR,
    WEEK_OF_YEAR.named("weekofyear"),
    lifted! {
        0,
        |a, _| {
            let days = a[0].to_datetime().and_then(day_of_week);
            days.map_or(Cell::Null, Cell::Timespan)
        },
        name: "dayofweek",
        arguments: (1, 1),
        doc: "dayofweek(date): days since Sunday, a timespan; null in the first week of year 1, whose Sunday is no date",
        example: "print x = dayofweek(datetime(1970-05-12))",
        answer: "2.00:00:00",
        ty: |a| take(a, &[Want::DateTime], Type::Timespan),
    },
    DATETIME_PART,
    DATETIME_PART.named("datepart"),
    lifted! {
        0b1,
        |a, _| {
            let sum = || {
                let unit = Unit::named(&a[0].text())?;
                add(a[2].to_datetime()?, unit, a[1].to_long()?)
            };
            moment(sum())
        },
        name: "datetime_add",
        arguments: (3, 3),
        constants: |c| check_part(c, |name| Unit::named(name).is_some()),
        doc: "datetime_add(unit, count, date): the date so many years, quarters, months, weeks, days, hours, … later",
        example: "print x = datetime_add(\"year\", 1, datetime(2020-02-29))",
        answer: "2021-02-28T00:00:00.0000000Z",
        ty: |a| {
            take(
                a,
                &[Want::Text, Want::Integer, Want::DateTime],
                Type::DateTime,
            )
        },
    },
    lifted! {
        0b1,
        |a, _| {
            let apart = || {
                let unit = Unit::named(&a[0].text())?;
                difference(unit, a[1].to_datetime()?, a[2].to_datetime()?)
            };
            apart().map_or(Cell::Null, Cell::Long)
        },
        name: "datetime_diff",
        arguments: (3, 3),
        constants: |c| check_part(c, |name| Unit::named(name).is_some()),
        doc: "datetime_diff(unit, a, b): how many borders between years, months, weeks, days, hours, … lie from b to a",
        example: "print x = datetime_diff(\"hour\", datetime(2017-10-31 01:00), datetime(2017-10-30 23:59))",
        answer: "2",
        ty: |a| take(a, &[Want::Text, Want::DateTime], Type::Long),
    },
    Function {
        name: "make_datetime",
        arguments: (1, 6),
        names: ResultName::Only,
        doc: "make_datetime(year, month, day, hour, minute, second): the date; null where there is none",
        example: "print x = make_datetime(2017, 10, 1, 12, 10)",
        answer: "2017-10-01T12:10:00.0000000Z",
        ty: |a| match a.len() {
            1 => Ok(Type::DateTime),
            2 => Err("takes 1 or 3 to 6 arguments, not 2".to_owned()),
            _ => take(a, &[Want::Number], Type::DateTime),
        },
        eval: |_, a| instant(make_datetime(a)),
        ..BARE
    },
    Function {
        name: "make_timespan",
        arguments: (1, 4),
        names: ResultName::Only,
        doc: "make_timespan(days, hours, minutes, seconds): the timespan; null where there is none",
        example: "print x = make_timespan(1, 12, 30, 55.123)",
        answer: "1.12:30:55.1230000",
        ty: |a| match a.len() {
            1 => Ok(Type::Timespan),
            _ => take(a, &[Want::Number], Type::Timespan),
        },
        eval: |_, a| make_timespan(a).map_or(Value::Null, Value::Timespan),
        ..BARE
    },
    unixtime!(
        "unixtime_seconds_todatetime",
        "unixtime_seconds_todatetime(n): so many seconds after 1970-01-01",
        "print x = unixtime_seconds_todatetime(1546300800)",
        1_000_000_000,
    ),
    unixtime!(
        "unixtime_milliseconds_todatetime",
        "unixtime_milliseconds_todatetime(n): so many milliseconds after 1970-01-01",
        "print x = unixtime_milliseconds_todatetime(1546300800000)",
        1_000_000,
    ),
    unixtime!(
        "unixtime_microseconds_todatetime",
        "unixtime_microseconds_todatetime(n): so many microseconds after 1970-01-01",
        "print x = unixtime_microseconds_todatetime(1546300800000000)",
        1_000,
    ),
    unixtime!(
        "unixtime_nanoseconds_todatetime",
        "unixtime_nanoseconds_todatetime(n): so many nanoseconds after 1970-01-01",
        "print x = unixtime_nanoseconds_todatetime(1546300800000000000)",
        1,
    ),
    Function {
        name: "datetime_utc_to_local",
        arguments: (2, 2),
        clock: Clock::Local,
        doc: "datetime_utc_to_local(date, zone): the local time in an IANA zone; null where there is no such zone",
        example: "print x = datetime_utc_to_local(datetime(2020-02-02 20:02:20), \"Europe/Paris\")",
        answer: "2020-02-02T21:02:20.0000000Z",
        ty: |a| take(a, &[Want::DateTime, Want::Text], Type::DateTime),
        eval: |_, a| instant(utc_to_local(a)),
        ..BARE
    },
    Function {
        name: "datetime_local_to_utc",
        arguments: (2, 2),
        clock: Clock::Utc,
        doc: "datetime_local_to_utc(date, zone): the instant of a local time in an IANA zone; null where there is no such zone",
        example: "print x = datetime_local_to_utc(datetime(2020-02-02 20:02:20), \"Europe/Paris\")",
        answer: "2020-02-02T19:02:20.0000000Z",
        ty: |a| take(a, &[Want::DateTime, Want::Text], Type::DateTime),
        eval: |_, a| instant(local_to_utc(a)),
        ..BARE
    },
];
