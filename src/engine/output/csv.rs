//! Cells of a CSV: quoted where they must be, and no formula for a spreadsheet.

use std::borrow::Cow;

use super::cells::Cells;
use crate::text::safe::{is_unsafe, visible};

/// A text cell of a CSV. What a spreadsheet would take for a formula is made text by a `'` in front, also behind a `;`, TAB or line end
/// inside of the cell: some spreadsheets split there, quoted or not.
pub fn csv(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_text(text, true, false, &mut out);
    out
}

/// Writes a cell. On a terminal characters are escapes that nobody should send there.
pub(super) fn push(cells: &Cells<'_>, guard: bool, terminal: bool, row: usize, out: &mut String) {
    if cells.is_null(row) {
        return;
    }
    if let Some(text) = cells.str(row) {
        return push_text(text, guard, terminal, out);
    }
    if !cells.is_nested() && !guard {
        // Numbers and times need no quotes.
        return cells.text(row, out);
    }
    let mut text = String::new();
    match cells.is_nested() {
        // As the portals write dynamic columns.
        true => cells.json(row, &mut text),
        false => cells.text(row, &mut text),
    }
    push_text(&text, guard, terminal, out);
}

/// Writes a text as a cell.
pub(super) fn push_text(text: &str, guard: bool, terminal: bool, out: &mut String) {
    let text = match guard {
        true => guarded(text),
        false => Cow::Borrowed(text),
    };
    let split = matches!(text, Cow::Owned(_)) && text.contains([';', '\t']);
    let text = match terminal {
        true => Cow::Owned(visible(&text)),
        false => text,
    };
    if !split && !text.contains([',', '"', '\n', '\r']) {
        out.push_str(&text);
        return;
    }
    out.push('"');
    for (n, part) in text.split('"').enumerate() {
        if n > 0 {
            out.push_str("\"\"");
        }
        out.push_str(part);
    }
    out.push('"');
}

/// Where a spreadsheet may begin a cell, whatever separates the cells of the file.
fn separates(c: char) -> bool {
    matches!(c, ';' | '\t' | '\n' | '\r')
}

/// The text with a `'` in front of what would be a formula.
fn guarded(text: &str) -> Cow<'_, str> {
    let first = text.starts_with(['\t', '\r']) || is_formula(text);
    if !first && !text.contains(separates) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut from = 0;
    if first {
        out.push('\'');
    }
    for (at, _) in text.match_indices(separates) {
        let next = at + 1;
        if is_formula(&text[next..]) && !is_number(&text[next..]) {
            out.push_str(&text[from..next]);
            out.push('\'');
            from = next;
        }
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// Whether a cell that begins so is a formula. Spreadsheets pass over blanks, and take the wide forms of the signs for the signs.
fn is_formula(text: &str) -> bool {
    let blank = |c: char| !separates(c) && (c.is_whitespace() || is_unsafe(c));
    text.trim_start_matches(blank).starts_with([
        '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\u{fe66}', '\u{fe62}',
        '\u{fe63}', '\u{fe6b}',
    ])
}

/// Whether a number stands there and nothing behind it, as in a list of numbers.
fn is_number(text: &str) -> bool {
    let digits = text.trim_start().trim_start_matches(['+', '-']);
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    rest.len() < digits.len()
        && rest
            .chars()
            .next()
            .is_none_or(|c| separates(c) || matches!(c, ',' | ']' | '}'))
}

#[cfg(test)]
mod tests {
    use super::csv;

    #[test]
    fn formulas_are_text_wherever_a_spreadsheet_splits() {
        for (text, cell) in [
            ("plain", "plain"),
            ("a;b", "a;b"),
            ("a, b", "\"a, b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("-5", "'-5"),
            (" =1", "' =1"),
            ("\u{a0}\u{200b}@x", "'\u{a0}\u{200b}@x"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\t=1", "\"'\t'=1\""),
            ("x;=cmd|' /C calc'!A0", "\"x;'=cmd|' /C calc'!A0\""),
            ("x\t +1+cmd", "\"x\t' +1+cmd\""),
            ("x\n=1", "\"x\n'=1\""),
            ("x;-1+cmd|' /C calc'!A0", "\"x;'-1+cmd|' /C calc'!A0\""),
            ("[\n-1,\n-2\n]", "\"[\n-1,\n-2\n]\""),
        ] {
            assert_eq!(csv(text), cell, "{text:?}");
        }
    }
}
