//! What a number in a cell stands for, by the format in which it is shown: itself, a date, a time, a span of time.

use chrono::{Days, NaiveDate};

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Look {
    /// As a number.
    #[default]
    Number,
    /// As a date without a time.
    Date,
    /// As a time, with or without a date.
    Clock,
    /// As a span of time, such as `26:30:00`.
    Span,
}

const DAY_MILLIS: i64 = 86_400_000;
/// The last day that Excel has: 9999-12-31.
const LAST_DAY: f64 = 2_958_465.0;
/// Decimal digits that a float has at most.
const FLOAT_DIGITS: usize = 17;

impl Look {
    /// Of the formats without a code (ECMA-376 part 1, section 18.8.30), those of East Asia among them.
    pub(super) fn built_in(id: u32) -> Look {
        match id {
            14..=17 | 27..=31 | 36 | 50..=54 | 57 | 58 => Look::Date,
            18..=22 | 32..=35 | 45 | 47 | 55 | 56 => Look::Clock,
            46 => Look::Span,
            _ => Look::Number,
        }
    }

    /// By the letters of a code that stand for parts of a date.
    pub(super) fn of_code(code: &str) -> Look {
        let (mut date, mut clock) = (false, false);
        let mut letters = code.chars();
        while let Some(letter) = letters.next() {
            match letter.to_ascii_lowercase() {
                // What follows is for negative numbers.
                ';' => break,
                '"' => letters.by_ref().take_while(|c| *c != '"').for_each(drop),
                // The next letter stands for itself, for a gap, for what fills the cell.
                '\\' | '_' | '*' => {
                    letters.next();
                }
                '[' => {
                    let inside: String = letters.by_ref().take_while(|c| *c != ']').collect();
                    let inside = inside.to_ascii_lowercase();
                    let all = |unit: char| !inside.is_empty() && inside.chars().all(|c| c == unit);
                    if all('h') || all('m') || all('s') {
                        return Look::Span;
                    }
                }
                'y' | 'd' | 'm' => date = true,
                'h' | 's' => clock = true,
                _ => {}
            }
        }
        match (clock, date) {
            (true, _) => Look::Clock,
            (false, true) => Look::Date,
            (false, false) => Look::Number,
        }
    }
}

/// What a cell with this number says.
pub(super) fn shown(number: &str, look: Look, from_1904: bool) -> String {
    let number = number.trim();
    let shown = match look {
        Look::Number => None,
        Look::Date | Look::Clock => time(number, look, from_1904),
        Look::Span => span(number),
    };
    shown.unwrap_or_else(|| plain(number))
}

/// A number without an exponent, and with no digit that is only there because floats are binary.
fn plain(number: &str) -> String {
    let has_exponent = number.contains(['e', 'E']);
    let is_whole = !has_exponent && !number.contains('.');
    let digits = number.bytes().filter(u8::is_ascii_digit);
    let digits = digits.skip_while(|b| *b == b'0').count();
    if is_whole || (!has_exponent && digits > FLOAT_DIGITS) {
        return number.to_string();
    }
    match number.parse::<f64>() {
        Ok(float) if float.is_finite() => float.to_string(),
        _ => number.to_string(),
    }
}

/// Whether it is a whole number with more digits than spreadsheets keep: an id that should have been text.
pub(super) fn is_long(number: &str, look: Look) -> bool {
    /// The least number of 16 digits.
    const LEAST: f64 = 1e15;
    // No number of 16 digits is shorter than `1E15`.
    let may_be = look == Look::Number && (number.len() > 15 || number.contains(['e', 'E']));
    may_be
        && number
            .trim()
            .parse::<f64>()
            .is_ok_and(|n| n.abs() >= LEAST && n.fract() == 0.0)
}

/// Whole days, and the milliseconds of the day.
fn days_of(number: &str) -> Option<(i64, i64)> {
    let days = number.parse::<f64>().ok()?;
    if !(0.0..LAST_DAY + 1.0).contains(&days) {
        return None;
    }
    let whole = days.floor();
    let millis = ((days - whole) * DAY_MILLIS as f64).round() as i64;
    let whole = whole as i64;
    Some((whole + millis / DAY_MILLIS, millis % DAY_MILLIS))
}

fn time(number: &str, look: Look, from_1904: bool) -> Option<String> {
    let (days, millis) = days_of(number)?;
    if days == 0 && look == Look::Clock {
        return Some(clock(millis));
    }
    let (year, month, day) = match from_1904 {
        true => (1904, 1, 1),
        // There was no 29 February 1900, but Excel has it, as day 60.
        false if days == 60 => return None,
        false if days < 60 => (1899, 12, 31),
        false => (1899, 12, 30),
    };
    let start = NaiveDate::from_ymd_opt(year, month, day)?;
    let date = start.checked_add_days(Days::new(days.unsigned_abs()))?;
    Some(match (look, millis) {
        (Look::Date, 0) => date.to_string(),
        _ => format!("{date}T{}", clock(millis)),
    })
}

/// A span as Kusto writes it.
fn span(number: &str) -> Option<String> {
    let (sign, number) = match number.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", number),
    };
    let (days, millis) = days_of(number)?;
    Some(match days {
        0 => format!("{sign}{}", clock(millis)),
        days => format!("{sign}{days}.{}", clock(millis)),
    })
}

fn clock(millis: i64) -> String {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let text = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    match rest {
        0 => text,
        rest => format!("{text}.{rest:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_dates_from_numbers() {
        for (code, want) in [
            ("General", Look::Number),
            ("0.00E+00", Look::Number),
            ("#,##0.00\\ \"days\"", Look::Number),
            ("[Red]0;[Blue]d", Look::Number),
            ("_d0*y", Look::Number),
            ("@", Look::Number),
            ("dd/mm/yyyy", Look::Date),
            ("[$-409]mmmm d, yyyy;@", Look::Date),
            ("yyyy-mm-dd\\Thh:mm:ss", Look::Clock),
            ("m/d/yy h:mm AM/PM", Look::Clock),
            ("mm:ss.0", Look::Clock),
            ("[h]:mm:ss", Look::Span),
            ("[mm]", Look::Span),
        ] {
            assert_eq!(Look::of_code(code), want, "{code}");
        }
        assert_eq!(Look::built_in(22), Look::Clock);
        assert_eq!(Look::built_in(14), Look::Date);
        assert_eq!(Look::built_in(46), Look::Span);
        assert_eq!(Look::built_in(49), Look::Number);
    }

    #[test]
    fn numbers_keep_their_digits() {
        for (number, want) in [
            ("12345678901234567890", "12345678901234567890"),
            ("1.2345678901234501E+17", "123456789012345010"),
            ("0.10000000000000001", "0.1"),
            ("-4.2000000000000002", "-4.2"),
            ("123.45678901234567890", "123.45678901234567890"),
            ("1E-3", "0.001"),
            ("inf", "inf"),
            ("no number", "no number"),
        ] {
            assert_eq!(shown(number, Look::Number, false), want);
        }
    }

    #[test]
    fn ids_that_lost_digits_are_told_from_numbers() {
        for (number, want) in [
            ("1.234567890123457E+16", true),
            ("12345678901234567", true),
            ("-1234567890123456", true),
            ("1E15", true),
            ("123456789012345", false),
            ("0.10000000000000001", false),
            ("46146.424444444441", false),
            ("1E-3", false),
            ("no number at all", false),
        ] {
            assert_eq!(is_long(number, Look::Number), want, "{number}");
        }
        assert!(!is_long("1E15", Look::Date));
    }

    #[test]
    fn days_are_dates() {
        for (number, look, from_1904, want) in [
            ("46146", Look::Date, false, "2026-05-04"),
            ("46146", Look::Clock, false, "2026-05-04T00:00:00"),
            ("46146.5", Look::Date, false, "2026-05-04T12:00:00"),
            (
                "46146.424444444441",
                Look::Clock,
                false,
                "2026-05-04T10:11:12",
            ),
            (
                "46146.424450231483",
                Look::Clock,
                false,
                "2026-05-04T10:11:12.500",
            ),
            (
                "46146.999999999996",
                Look::Clock,
                false,
                "2026-05-05T00:00:00",
            ),
            ("44684", Look::Date, true, "2026-05-04"),
            ("59", Look::Date, false, "1900-02-28"),
            ("60", Look::Date, false, "60"),
            ("61", Look::Date, false, "1900-03-01"),
            ("0.25", Look::Clock, false, "06:00:00"),
            ("-1", Look::Date, false, "-1"),
            ("-0.5", Look::Span, false, "-12:00:00"),
            ("1.104166666666667", Look::Span, false, "1.02:30:00"),
            ("NaN", Look::Date, false, "NaN"),
        ] {
            assert_eq!(shown(number, look, from_1904), want, "{number}");
        }
    }
}
