//! Cells and lines of tables: how wide they are, cut to a width, one beside the other.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::engine::output::visible;

/// Display width of a text that is safe to show.
pub(super) fn wide(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => UnicodeWidthStr::width(text),
    }
}

/// A text cut to a width, with `…` where something is left out; and whether it was cut.
pub(super) fn cut_to(text: &str, width: usize) -> (String, bool) {
    if wide(text) <= width {
        return (text.to_string(), false);
    }
    (ended(text, width), true)
}

/// As much of a text as leaves room for `…` in a width.
fn ended(text: &str, width: usize) -> String {
    let mut used = 1;
    let mut out: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= width
        })
        .collect();
    out.push('…');
    out
}

/// A value from a log, safe to show and cut to a width; and whether it was cut. Looks only at its beginning.
pub(super) fn safe(value: &str, width: usize) -> (String, bool) {
    // Marks that take no room would make a short line of any length.
    let most = 4 * width + 16;
    match value.char_indices().nth(most) {
        Some((end, _)) => (ended(&visible(&value[..end]), width), true),
        None => cut_to(&visible(value), width),
    }
}

/// One line: a blank, the cells at their widths with two blanks between, nothing after the last word.
pub(super) fn put_line<'a>(
    out: &mut String,
    indent: usize,
    cells: impl Iterator<Item = (&'a str, usize, bool)>,
) {
    let begin = out.len();
    out.extend(std::iter::repeat_n(' ', indent));
    for (cell, width, right) in cells {
        let blanks = width.saturating_sub(wide(cell));
        out.push(' ');
        if right {
            out.extend(std::iter::repeat_n(' ', blanks));
        }
        out.push_str(cell);
        if !right {
            out.extend(std::iter::repeat_n(' ', blanks));
        }
        out.push(' ');
    }
    let end = begin + out[begin..].trim_end().len();
    out.truncate(end);
    out.push('\n');
}

/// Which columns stand at the right.
pub(super) fn sides(right: &[usize], columns: usize) -> Vec<bool> {
    (0..columns).map(|i| right.contains(&i)).collect()
}
