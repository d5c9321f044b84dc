//! Comma-separated values as exports have them: what programs write before and between the records, and rows that are none.
//!
//! Where records end, and what is in their fields, is said by [`crate::text::csv`]. Knows nothing of what the fields mean.

use crate::text::csv::MARK;

mod between;
mod letters;

pub use crate::text::csv::{Fields, Next, cut, delimiter_of, line_end, next_record};
pub use between::{
    NO_ROWS, OTHER_HEADER, is_no_row, is_other_header, next_row, repeats, take_apart,
};
pub use letters::{PAIRS, WINDOWS, are_pairs};

/// Passes over what stands between records and is none: empty lines, byte order marks, `#TYPE` lines of Windows PowerShell, `sep=` lines of
/// Excel, bytes that fill a file up. Says where the next record begins.
pub fn next_start(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = &bytes[at..];
        at = match rest.first() {
            Some(b'\n' | b'\r') => at + 1,
            Some(0xef) if rest.starts_with(MARK) => at + MARK.len(),
            Some(b'#') if rest.starts_with(b"#TYPE ") => line_end(bytes, at),
            // NUL, and the mark of DOS for the end of a text.
            Some(0 | 0x1a) => at + rest.iter().take_while(|b| matches!(b, 0 | 0x1a)).count(),
            Some(b's' | b'S' | b'"') if named_delimiter(rest).is_some() => line_end(bytes, at),
            _ => return at,
        };
    }
}

/// What a line such as `sep=;` says, which some exporters write before the header so that Excel reads it: the delimiter, or nothing where it
/// was changed since. `None` where it is no such line.
fn named_delimiter(rest: &[u8]) -> Option<Option<u8>> {
    /// Excel adds a delimiter for each column when it saves such a file.
    const LONGEST: usize = 4096;
    // Every row of a CSV that begins with a quote comes by here.
    let start = usize::from(rest.first() == Some(&b'"'));
    let word = rest.get(start..start + 4)?;
    if !word.eq_ignore_ascii_case(b"sep=") {
        return None;
    }
    let line = &rest[start + 4..line_end(rest, start + 4)];
    if line.len() > LONGEST {
        return None;
    }
    let marks: Vec<u8> = line
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'"' | b'\r' | b'\n' | b' '))
        .collect();
    if marks == b"\\t" {
        return Some(Some(b'\t'));
    }
    let is_mark = |b: &u8| b.is_ascii_punctuation() || *b == b'\t';
    if !marks.iter().all(is_mark) {
        return None;
    }
    let first = marks.first().copied();
    Some(first.filter(|first| marks.iter().all(|b| b == first)))
}

/// Where the header begins, and the delimiter that a line before it names.
pub fn header_start(head: &[u8], from: usize) -> (usize, Option<u8>) {
    let start = next_start(head, from);
    let before = &head[from..start];
    let mut named = None;
    let mut at = 0;
    while at < before.len() {
        let line = before[at..].strip_prefix(MARK).unwrap_or(&before[at..]);
        named = named_delimiter(line).flatten().or(named);
        at = line_end(before, at);
    }
    // A file that was changed since may have another.
    let line = &head[start..line_end(head, start)];
    (start, named.filter(|mark| line.contains(mark)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_records_is_passed_over() {
        for (text, want) in [
            ("a,b", 0),
            ("\r\n\na", 3),
            ("\u{feff}a", 3),
            ("#TYPE System.Object\r\na", 21),
            ("#Types,b\n", 0),
            ("sep=;\na", 6),
            ("\"sep=;\"\r\na", 9),
            ("separator;b\n", 0),
            ("sep=x;b\n", 0),
            ("\0\0\0", 3),
            ("\0\0\na", 3),
            ("\0\0a\n", 2),
            ("\u{1a}", 1),
        ] {
            assert_eq!(next_start(text.as_bytes(), 0), want, "{text:?}");
        }
        for (text, want) in [
            ("sep=;\na;b\n", (6, Some(b';'))),
            ("#TYPE X\nSEP=\t\na\tb\n", (14, Some(b'\t'))),
            ("sep=\\t\na\tb\n", (7, Some(b'\t'))),
            // Saved again by an Excel that writes commas.
            ("sep=;,,\na,b,c\n", (8, None)),
            ("sep=;\na,b\n", (6, None)),
            ("a;b\n", (0, None)),
        ] {
            assert_eq!(header_start(text.as_bytes(), 0), want, "{text:?}");
        }
    }
}
