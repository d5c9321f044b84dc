//! The body file of the Sleuth Kit: `MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime`.
//!
//! An event has one time, so all four are the same and `mactime` shows one line. The name is the message with the table, the inode is ingest and record.
//! `mactime` passes over a line without a word where UID or GID has no digit or the time lies before 1970: they are 0, and such a time is 1, which the
//! message says. The mode says whose lines these are: a body file of several tools is nothing but their lines one after another. The format has whole
//! seconds.

use std::io::{self, Write};

use super::line::Line;
use crate::ingest::own::BODY_MODE;
use crate::text::safe::visible;
use crate::timeline::field::Field;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// Writes a line.
pub(super) fn line(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    let seconds = line.time.div_euclid(SECOND);
    let finer = match (seconds, line.time.rem_euclid(SECOND)) {
        // Without any time a line is none to `mactime`.
        (..=0, _) => format!("[{}] ", line.iso(None)),
        (_, 0) => String::new(),
        (_, micros) => format!("[.{micros:06}] "),
    };
    let seconds = seconds.max(1);
    let event = &line.event;
    let place = match event.get(Field::Ingest) {
        "" => "0".to_string(),
        ingest => format!("{ingest}-{}", event.get(Field::Record)),
    };
    let (message, table) = (safe(line.message), safe(event.get(Field::Table)));
    writeln!(
        out,
        "0|{finer}{message} ({table})|{place}|{BODY_MODE}|0|0|0|{seconds}|{seconds}|{seconds}|{seconds}"
    )
}

/// A text without the separator. `mactime` takes `%` and two digits for a character, and loses a line that has a line feed then.
fn safe(text: &str) -> String {
    let text = visible(text);
    let is_escape = |at: usize| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    };
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '|' => out.push_str("%7C"),
            '%' if is_escape(at) => out.push_str("%25"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_separator_or_an_escape_stays_text() {
        assert_eq!(safe("a|b 100% %0A%zz %7"), "a%7Cb 100% %250A%zz %7");
        assert_eq!(safe("%%41"), "%%2541");
    }
}
