//! `format_datetime` and `format_timespan`.

use std::cell::RefCell;
use std::fmt::Write;

use super::arguments::{Want, constant_text, take};
use super::definition::{Function, lifted};
use super::result_name::ResultName;
use crate::function::value::{Cell, Civil, TICKS_PER_DAY, TICKS_PER_SECOND, Type};

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
fn check_datetime(format: Option<&str>) -> Result<(), String> {
    match format {
        Some(format) if datetime_pieces(format).is_none() => Err(format!(
            "`{format}` is no format; it takes y, M, d, h, H, m, s, f, F, tt and the characters `{DELIMITERS}`"
        )),
        _ => Ok(()),
    }
}

/// Refuses formats that Kusto does not know.
fn check_timespan(format: Option<&str>) -> Result<(), String> {
    match format {
        Some(format) if timespan_pieces(format).is_none() => Err(format!(
            "`{format}` is no format; it takes d, h, H, m, s, f, F and the characters `{DELIMITERS}`"
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

thread_local! {
    /// The format that was asked for last, in pieces: all rows of a column mostly ask for the same.
    static LAST: RefCell<(String, Option<Vec<Piece>>)> = const { RefCell::new((String::new(), None)) };
}

/// Writes a date; nothing where the format is wrong.
fn show_datetime(ticks: i64, format: &str, text: &mut String) {
    LAST.with_borrow_mut(|(known, pieces)| {
        if pieces.is_none() || known.as_str() != format {
            *pieces = datetime_pieces(format);
            format.clone_into(known);
        }
        show_pieces(ticks, pieces.as_deref().unwrap_or_default(), text);
    });
}

fn show_pieces(ticks: i64, pieces: &[Piece], text: &mut String) {
    let civil = Civil::from_ticks(ticks);
    let half_day = (civil.hour() + 11) % 12 + 1;
    for piece in pieces {
        match piece {
            Piece::Plain(c) => text.push(*c),
            Piece::Field('y', count @ 1..=2) => padded(text, civil.year % 100, *count),
            Piece::Field('y', count) => padded(text, civil.year, *count),
            Piece::Field('M', count) => padded(text, civil.month, *count),
            Piece::Field('d', count) => padded(text, civil.day, *count),
            Piece::Field('h', count) => padded(text, half_day, *count),
            Piece::Field('H', count) => padded(text, civil.hour(), *count),
            Piece::Field('m', count) => padded(text, civil.minute(), *count),
            Piece::Field('s', count) => padded(text, civil.second(), *count),
            Piece::Field('t', _) => text.push_str(if civil.hour() < 12 { "AM" } else { "PM" }),
            Piece::Field(letter, count) => fraction(text, *letter, civil.fraction(), *count),
        }
    }
}

/// Writes a timespan; nothing where the format is wrong.
fn show_timespan(ticks: i64, format: &str, text: &mut String) {
    let Some(pieces) = timespan_pieces(format) else {
        return;
    };
    // Part by part: the least timespan has no positive counterpart.
    let (days, rest) = ((ticks / TICKS_PER_DAY).abs(), (ticks % TICKS_PER_DAY).abs());
    let seconds = rest / TICKS_PER_SECOND;
    // .NET leaves the sign out; Kusto puts it before the whole.
    text.push_str(if ticks < 0 { "-" } else { "" });
    for piece in pieces {
        match piece {
            Piece::Plain(c) => text.push(c),
            Piece::Field('d', count) => padded(text, days, count),
            Piece::Field('h' | 'H', count) => padded(text, seconds / 3600, count),
            Piece::Field('m', count) => padded(text, seconds / 60 % 60, count),
            Piece::Field('s', count) => padded(text, seconds % 60, count),
            Piece::Field(letter, count) => {
                fraction(text, letter, rest % TICKS_PER_SECOND, count);
            }
        }
    }
}

pub(super) const TABLE: &[Function] = &[
    lifted! {
        0b10,
        |a, room| {
            if let Some(ticks) = a[0].to_datetime() {
                show_datetime(ticks, &a[1].text(), room);
            }
            Cell::String(room)
        },
        name: "format_datetime",
        arguments: (2, 2),
        constants: |c| check_datetime(constant_text(c, 1)),
        names: ResultName::First,
        doc: "format_datetime(date, format): the date as text; y, M, d, h, H, m, s, f, F and tt stand for its parts",
        example: "print x = format_datetime(datetime(2020-06-15 13:45:09), \"M/d/yyyy h:mm:ss tt\")",
        answer: "6/15/2020 1:45:09 PM",
        ty: |a| take(a, &[Want::DateTime, Want::Text], Type::String),
    },
    lifted! {
        0b10,
        |a, room| {
            if let Some(ticks) = a[0].to_timespan() {
                show_timespan(ticks, &a[1].text(), room);
            }
            Cell::String(room)
        },
        name: "format_timespan",
        arguments: (2, 2),
        constants: |c| check_timespan(constant_text(c, 1)),
        names: ResultName::First,
        doc: "format_timespan(timespan, format): the timespan as text, its sign before it; d, h, m, s, f and F stand for its parts",
        example: "print x = format_timespan(time(29.09:00:05.12345), \"dd.hh:mm:ss:FF\")",
        answer: "29.09:00:05:12",
        ty: |a| take(a, &[Want::Timespan, Want::Text], Type::String),
    },
];
