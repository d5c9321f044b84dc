//! `format_datetime` and `format_timespan`.

use std::fmt::Write;

use super::{Function, Want, take, text};
use crate::kql::value::{Civil, TICKS_PER_DAY, TICKS_PER_SECOND, Type, Value};

/// Characters that stand for themselves; Kusto refuses all others.
const DELIMITERS: &str = " /-:,._[]";

/// A piece of a format: a letter so many times, or a character that stands for itself.
enum Piece {
    Field(char, usize),
    Plain(char),
}

/// Cuts a format into pieces; a letter is taken at most so many times at once as `longest` says.
fn pieces(format: &str, longest: impl Fn(char) -> Option<usize>) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut characters = format.chars().peekable();
    while let Some(c) = characters.next() {
        let Some(most) = longest(c) else {
            if !DELIMITERS.contains(c) {
                return None;
            }
            pieces.push(Piece::Plain(c));
            continue;
        };
        let mut count = 1;
        while count < most && characters.peek() == Some(&c) {
            characters.next();
            count += 1;
        }
        pieces.push(Piece::Field(c, count));
    }
    Some(pieces)
}

fn datetime_pieces(format: &str) -> Option<Vec<Piece>> {
    let longest = |c| match c {
        'y' => Some(4),
        'M' | 'd' | 'h' | 'H' | 'm' | 's' | 't' => Some(2),
        'f' | 'F' => Some(7),
        _ => None,
    };
    let pieces = pieces(format, longest)?;
    let known = |piece: &Piece| !matches!(piece, Piece::Field('y', 3) | Piece::Field('t', 1));
    pieces.iter().all(known).then_some(pieces)
}

fn timespan_pieces(format: &str) -> Option<Vec<Piece>> {
    pieces(format, |c| match c {
        'd' => Some(8),
        'h' | 'H' | 'm' | 's' => Some(2),
        'f' | 'F' => Some(7),
        _ => None,
    })
}

/// Refuses formats that Kusto does not know.
pub(super) fn check_datetime(format: Option<&str>) -> Result<(), String> {
    match format {
        Some(format) if datetime_pieces(format).is_none() => Err(format!(
            "`format_datetime`: `{format}` is no format; it takes y, M, d, h, H, m, s, f, F, tt and the characters `{DELIMITERS}`"
        )),
        _ => Ok(()),
    }
}

/// Refuses formats that Kusto does not know.
pub(super) fn check_timespan(format: Option<&str>) -> Result<(), String> {
    match format {
        Some(format) if timespan_pieces(format).is_none() => Err(format!(
            "`format_timespan`: `{format}` is no format; it takes d, h, H, m, s, f, F and the characters `{DELIMITERS}`"
        )),
        _ => Ok(()),
    }
}

fn padded(text: &mut String, value: i64, width: usize) {
    let _ = write!(text, "{value:0width$}");
}

/// Digits behind the point; with `F`, without zeros at the end.
fn fraction(text: &mut String, letter: char, ticks: i64, count: usize) {
    let digits = format!("{ticks:07}");
    let digits = &digits[..count.min(digits.len())];
    match letter {
        'F' => text.push_str(digits.trim_end_matches('0')),
        _ => text.push_str(digits),
    }
}

fn show_datetime(ticks: i64, format: &str) -> Option<String> {
    let civil = Civil::from_ticks(ticks);
    let half_day = (civil.hour() + 11) % 12 + 1;
    let mut text = String::new();
    for piece in datetime_pieces(format)? {
        match piece {
            Piece::Plain(c) => text.push(c),
            Piece::Field('y', count @ 1..=2) => padded(&mut text, civil.year % 100, count),
            Piece::Field('y', count) => padded(&mut text, civil.year, count),
            Piece::Field('M', count) => padded(&mut text, civil.month, count),
            Piece::Field('d', count) => padded(&mut text, civil.day, count),
            Piece::Field('h', count) => padded(&mut text, half_day, count),
            Piece::Field('H', count) => padded(&mut text, civil.hour(), count),
            Piece::Field('m', count) => padded(&mut text, civil.minute(), count),
            Piece::Field('s', count) => padded(&mut text, civil.second(), count),
            Piece::Field('t', _) => text.push_str(if civil.hour() < 12 { "AM" } else { "PM" }),
            Piece::Field(letter, count) => fraction(&mut text, letter, civil.fraction(), count),
        }
    }
    Some(text)
}

fn show_timespan(ticks: i64, format: &str) -> Option<String> {
    // Part by part: the least timespan has no positive counterpart.
    let (days, rest) = ((ticks / TICKS_PER_DAY).abs(), (ticks % TICKS_PER_DAY).abs());
    let seconds = rest / TICKS_PER_SECOND;
    // .NET leaves the sign out; Kusto puts it before the whole.
    let mut text = String::from(if ticks < 0 { "-" } else { "" });
    for piece in timespan_pieces(format)? {
        match piece {
            Piece::Plain(c) => text.push(c),
            Piece::Field('d', count) => padded(&mut text, days, count),
            Piece::Field('h' | 'H', count) => padded(&mut text, seconds / 3600, count),
            Piece::Field('m', count) => padded(&mut text, seconds / 60 % 60, count),
            Piece::Field('s', count) => padded(&mut text, seconds % 60, count),
            Piece::Field(letter, count) => {
                fraction(&mut text, letter, rest % TICKS_PER_SECOND, count);
            }
        }
    }
    Some(text)
}

pub(super) const TABLE: &[Function] = &[
    Function {
        name: "format_datetime",
        arguments: (2, 2),
        doc: "format_datetime(date, format): the date as text; y, M, d, h, H, m, s, f, F and tt stand for its parts",
        example: "print x = format_datetime(datetime(2020-06-15 13:45:09), \"M/d/yyyy h:mm:ss tt\")",
        answer: "6/15/2020 1:45:09 PM",
        ty: |a| take(a, &[Want::DateTime, Want::Text], Type::String),
        eval: |_, a| {
            let shown = a[0]
                .to_datetime()
                .and_then(|ticks| show_datetime(ticks, &text(a, 1)));
            Value::from(shown.unwrap_or_default())
        },
    },
    Function {
        name: "format_timespan",
        arguments: (2, 2),
        doc: "format_timespan(timespan, format): the timespan as text, its sign before it; d, h, m, s, f and F stand for its parts",
        example: "print x = format_timespan(time(29.09:00:05.12345), \"dd.hh:mm:ss:FF\")",
        answer: "29.09:00:05:12",
        ty: |a| take(a, &[Want::Timespan, Want::Text], Type::String),
        eval: |_, a| {
            let shown = a[0]
                .to_timespan()
                .and_then(|ticks| show_timespan(ticks, &text(a, 1)));
            Value::from(shown.unwrap_or_default())
        },
    },
];
