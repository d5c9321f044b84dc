//! Times as people and their machines spell them: months by name, halves of the day, dots in the clock, a zone behind.
//!
//! A zone is taken where it is an offset, UTC or GMT. `CET` or `EST` mean several things: such a time is none.

use chrono::NaiveDate;

use super::counts;
use super::languages::{self, BETWEEN, HALVES};

/// A date, and what stood beside it.
pub(super) struct Spelled {
    pub date: Date,
    /// Seconds of the day and microseconds, where there is a clock.
    pub clock: Option<(i64, i64)>,
    /// Minutes east of UTC, where the text names its zone.
    pub offset: Option<i64>,
}

/// A date.
pub(super) enum Date {
    /// Two numbers whose order is open, and the year.
    Numbers(u32, u32, i32),
    /// The same with a year of two digits, which may as well stand first.
    Short(u32, u32, i32),
    /// One that can be read in one way only.
    Known(NaiveDate),
}

/// Bytes of the longest text that is looked at: a time with all its words has about seventy.
const LONGEST: usize = 120;

/// A time with a date in one of these spellings.
pub(super) fn read(text: &str) -> Option<Spelled> {
    let text = plain(text)?;
    let (text, offset) = zone(text.trim())?;
    let (date, rest) = date(text).or_else(|| date(without_day_of_week(text)?))?;
    let clock = clock(without_words_behind(rest))?;
    // `13.05.12` alone is a clock.
    if matches!(date, Date::Short(..)) && clock.is_none() {
        return None;
    }
    Some(Spelled {
        date,
        clock,
        offset,
    })
}

/// Whether a text is a clock without a date: `13:05:12`, `9.13 PM`.
pub(super) fn is_clock(text: &str) -> bool {
    let Some(text) = plain(text) else {
        return false;
    };
    zone(text.trim()).is_some_and(|(text, _)| clock(text).is_some_and(|clock| clock.is_some()))
}

/// In lower case, with plain blanks: newer ICU puts U+202F before AM and PM. Without the marks of direction that browsers put between the
/// parts of a date, and without the apostrophe or the formula that keeps Excel from reading a date.
fn plain(text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    let is_mark = |c: &char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{feff}');
    let blanks = text
        .chars()
        .filter(|c| !is_mark(c))
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .collect::<String>()
        .to_lowercase();
    let text = blanks.trim();
    let formula = text.strip_prefix("=\"").and_then(|t| t.strip_suffix('"'));
    let text = formula.unwrap_or(text);
    let text = text.strip_prefix('\'').unwrap_or(text);
    Some(text.strip_suffix('\'').unwrap_or(text).to_string())
}

/// Takes the zone away from the end of a time. Nothing where the zone is named in other words than UTC.
fn zone(text: &str) -> Option<(&str, Option<i64>)> {
    if let Some(text) = text.strip_suffix(" etc/utc") {
        return Some((text, Some(0)));
    }
    let Some(inner) = text.strip_suffix([')', ']']) else {
        return Some(offset(text));
    };
    // JavaScript adds the name of the zone: `GMT+0200 (Central European Summer Time)`.
    let at = inner.rfind(['(', '['])?;
    let name = inner[at + 1..].trim();
    let (rest, offset) = offset(inner[..at].trim_end());
    let is_utc = ["utc", "gmt", "z", "coordinated universal time"].contains(&name);
    (offset.is_some() || is_utc).then_some((rest, offset.or(Some(0))))
}

fn offset(text: &str) -> (&str, Option<i64>) {
    if let Some(rest) = without_utc(text) {
        return (rest, Some(0));
    }
    let Some(at) = text.rfind(['+', '-', '\u{2212}']) else {
        return (text, None);
    };
    let (rest, signed) = text.split_at(at);
    let mut digits = signed.chars();
    let east = digits.next() == Some('+');
    // An offset stands behind a clock: `18-05-2026` has none.
    let behind_clock = rest.contains(':') || (rest.ends_with(' ') && rest.trim_end().contains(' '));
    let Some(minutes) = minutes(digits.as_str()).filter(|_| behind_clock) else {
        return (text, None);
    };
    let rest = rest.trim_end();
    let rest = without_utc(rest).unwrap_or(rest);
    (rest, Some(if east { minutes } else { -minutes }))
}

fn without_utc(text: &str) -> Option<&str> {
    ["utc", "gmt", "z"].iter().find_map(|name| {
        let rest = text.strip_suffix(name)?;
        rest.ends_with(|c: char| c == ' ' || c.is_ascii_digit())
            .then(|| rest.trim_end())
    })
}

/// `+2`, `-08:00` in minutes east.
pub(super) fn signed(text: &str) -> Option<i64> {
    let mut digits = text.chars();
    let east = match digits.next()? {
        '+' => true,
        '-' | '\u{2212}' => false,
        _ => return None,
    };
    let minutes = minutes(digits.as_str().trim())?;
    Some(if east { minutes } else { -minutes })
}

/// `2`, `02`, `0200`, `02:00` in minutes.
fn minutes(digits: &str) -> Option<i64> {
    /// The clocks that are farthest ahead.
    const FARTHEST: u32 = 14;
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "00"),
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= FARTHEST && minutes < 60).then(|| i64::from(hours * 60 + minutes))
}

fn without_day_of_week(text: &str) -> Option<&str> {
    let end = text.find([',', ' '])?;
    let word = text[..end].trim_end_matches('.');
    // `segunda-feira`
    let word = word.split('-').next()?;
    languages::is_day(word).then(|| text[end..].trim_start_matches([',', ' ']))
}

/// Passes over what says that a year was a year, and over a day of the week: `2026 г.`, `2026年5月18日(月)`, `18 Mayıs 2026 Pazartesi`.
fn without_words_behind(text: &str) -> &str {
    let text = trimmed(text);
    let year = ["г.", "р.", "г", "р"].iter().find_map(|word| {
        let rest = text.strip_prefix(word)?;
        (!rest.starts_with(char::is_alphabetic)).then(|| trimmed(rest))
    });
    let text = year.unwrap_or(text);
    if let Some((word, rest)) = text.strip_prefix('(').and_then(|t| t.split_once(')'))
        && languages::is_day(word)
    {
        return rest;
    }
    let end = text.find(|c: char| !c.is_alphabetic());
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    match languages::is_day(word) {
        true => rest,
        false => text,
    }
}

/// The date at the beginning, and what follows it.
fn date(text: &str) -> Option<(Date, &str)> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return month_first(text);
    }
    let (first, rest) = digits(text);
    match first.len() {
        8 => return compact(first, rest),
        // As directories write it: `20260518091333.0Z`.
        14 => return Some((compact_date(&first[..8])?, &text[8..])),
        _ => {}
    }
    let (mark, rest) = separator(rest);
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return month_between(first, mark, rest);
    }
    let (second, rest) = digits(rest);
    let (other, rest) = separator(rest);
    let (third, rest) = digits(rest);
    // Blanks alone are between other numbers.
    let is_date = |mark: &str| mark.contains(['/', '.', '-', '年', '月', '년', '월']);
    if !is_date(mark) || !is_date(other) {
        return None;
    }
    let rest = rest
        .strip_prefix(['日', '일'])
        .or_else(|| rest.strip_prefix('.'))
        .unwrap_or(rest);
    if first.len() == 4 {
        return Some((known(first, number(second)?, third)?, rest));
    }
    let short = |digits: &str| (1..=2).contains(&digits.len());
    if !short(first) || !short(second) {
        return None;
    }
    let (a, b) = (number(first)?, number(second)?);
    match third.len() {
        4 => Some((Date::Numbers(a, b, year(third)?), rest)),
        2 if mark == other => Some((Date::Short(a, b, year(third)?), rest)),
        _ => None,
    }
}

/// A year of four digits or two, in our calendar. Thailand counts from 543 years before; the years of Islam and of Iran begin on other days.
fn year(digits: &str) -> Option<i32> {
    let year = number(digits)? as i32;
    match (digits.len(), year) {
        (2, 0..70) => Some(2000 + year),
        (2, _) => Some(1900 + year),
        (4, 1390..1510) => None,
        (4, 2530..2640) => Some(year - 543),
        (4, _) => Some(year),
        _ => None,
    }
}

/// `20260518T091333`; eight digits alone are a number.
fn compact<'t>(date: &str, rest: &'t str) -> Option<(Date, &'t str)> {
    let clock = rest.strip_prefix('t')?;
    Some((compact_date(date)?, clock))
}

/// `20260518`.
fn compact_date(date: &str) -> Option<Date> {
    let (year, rest) = date.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let is_of_now = year.starts_with("19") || year.starts_with("20");
    known(year, number(month)?, day).filter(|_| is_of_now)
}

/// `18 May 2026`, `18. Mai 2026`, `18 de mayo de 2026`, `18/May/2026`, `2026-May-18`.
fn month_between<'t>(first: &str, mark: &str, rest: &'t str) -> Option<(Date, &'t str)> {
    let rest = ["st ", "nd ", "rd ", "th ", "er ", "º ", "de "]
        .iter()
        .find_map(|word| rest.strip_prefix(word))
        .unwrap_or(rest);
    let rest = rest.strip_prefix("de ").unwrap_or(rest);
    let (month, rest) = match rest.strip_prefix("listopada") {
        // November in Polish; October in Croatian, where a dot stands behind the day.
        Some(rest) if !mark.contains('.') => (11, rest),
        _ => month(rest)?,
    };
    let (other, rest) = separator(rest);
    let rest = rest
        .strip_prefix("de ")
        .or_else(|| rest.strip_prefix("del "))
        .unwrap_or(rest);
    let (last, rest) = digits(rest);
    Some(match (first.len(), last.len()) {
        (4, _) => {
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            (known(first, month, last)?, rest)
        }
        // `18-MAY-26`, as databases write it.
        (_, 2) if mark == "-" && other == "-" => (day(year(last)?, month, first)?, rest),
        _ => (known(last, month, first)?, rest),
    })
}

/// `May 18, 2026 9:13 AM`, `May 18 09:13:33 2026`.
fn month_first(text: &str) -> Option<(Date, &str)> {
    let (month, rest) = month(text)?;
    let (day, rest) = digits(separator(rest).1);
    let rest = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|word| rest.strip_prefix(word))
        .unwrap_or(rest);
    let rest = separator(rest).1;
    // As `date` prints it, with the year behind the clock.
    if let Some((clock, year)) = rest.split_once(' ')
        && clock.contains(':')
    {
        let year = ["utc ", "gmt "]
            .iter()
            .find_map(|zone| year.strip_prefix(zone))
            .unwrap_or(year);
        return Some((known(year.trim(), month, day)?, clock));
    }
    let (year, rest) = digits(rest);
    Some((known(year, month, day)?, rest))
}

fn known(digits: &str, month: u32, of_month: &str) -> Option<Date> {
    // `May 18 09:13:33` has no year.
    match digits.len() {
        4 => day(year(digits)?, month, of_month),
        _ => None,
    }
}

fn day(year: i32, month: u32, of_month: &str) -> Option<Date> {
    if of_month.len() > 2 {
        return None;
    }
    NaiveDate::from_ymd_opt(year, month, number(of_month)?).map(Date::Known)
}

/// The month whose name is at the beginning, and what follows it.
fn month(text: &str) -> Option<(u32, &str)> {
    let end = text
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    Some((languages::month(name)?, rest))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// What stands between two parts of a date, with the blanks around it.
fn separator(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !matches!(c, '/' | '.' | '-' | ' ' | ',' | '年' | '月' | '년' | '월'))
        .unwrap_or(text.len());
    text.split_at(end)
}

/// `3:05:26.000 PM` → seconds of the day and microseconds; nothing inside where nothing is there.
fn clock(text: &str) -> Option<Option<(i64, i64)>> {
    let mut text = trimmed(text);
    while let Some(rest) = BETWEEN.iter().find_map(|word| behind(text, word)) {
        text = trimmed(rest);
    }
    if text.is_empty() {
        return Some(None);
    }
    let text = text.strip_suffix("uhr").map_or(text, trimmed);
    let half = HALVES.iter().find_map(|(word, hours)| {
        let clock = text
            .strip_suffix(word)
            .or_else(|| text.strip_prefix(word))?;
        Some((trimmed(clock), *hours))
    });
    let (clock, half) = match half {
        Some((clock, hours)) => (clock, Some(hours)),
        None => (text, None),
    };
    let (hour, minute, second, micros) = parts(clock, half.is_some())?;
    if minute > 59 || second > 60 {
        return None;
    }
    let hour = match half {
        None if hour < 24 => hour,
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        // `21:13 PM`, as some formats add it whatever the hour.
        Some(12) if (13..24).contains(&hour) => hour,
        _ => return None,
    };
    Some(Some((
        i64::from(hour * 3600 + minute * 60 + second),
        micros,
    )))
}

/// What follows a word that stands between date and clock.
fn behind<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(word)?;
    let ends = |c: char| c == ' ' || c.is_ascii_digit();
    rest.starts_with(ends).then_some(rest)
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([',', ' '])
}

/// Hours, minutes, seconds and microseconds.
fn parts(text: &str, has_half: bool) -> Option<(u32, u32, u32, i64)> {
    const MARKS: [char; 8] = [':', '.', 'h', '時', '时', '시', '分', '분'];
    // `9時13分33秒`
    let text = text.trim_end_matches(['秒', '초', '分', '분']);
    let (hour, rest) = digits(text);
    if hour.len() == 6
        && let Some(part) = rest.strip_prefix(['.', ','])
    {
        let (hour, minute, second, _) = parts(hour, has_half)?;
        return Some((hour, minute, second, counts::fraction(part.as_bytes())?));
    }
    if rest.is_empty() {
        return match hour.len() {
            // Of a compact time.
            4 => Some((number(&hour[..2])?, number(&hour[2..])?, 0, 0)),
            6 => Some((
                number(&hour[..2])?,
                number(&hour[2..4])?,
                number(&hour[4..])?,
                0,
            )),
            1 | 2 if has_half => Some((number(hour)?, 0, 0, 0)),
            _ => None,
        };
    }
    let (minute, rest) = digits(rest.strip_prefix(MARKS)?.trim_start());
    let pair = |digits: &str| number(digits).filter(|_| digits.len() <= 2);
    let (hour, minute) = (pair(hour)?, pair(minute)?);
    if rest.is_empty() {
        return Some((hour, minute, 0, 0));
    }
    let (second, rest) = digits(rest.strip_prefix(MARKS)?.trim_start());
    let second = pair(second)?;
    if rest.is_empty() {
        return Some((hour, minute, second, 0));
    }
    let fraction = rest.strip_prefix(['.', ',', ':'])?;
    Some((hour, minute, second, counts::fraction(fraction.as_bytes())?))
}

fn number(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
