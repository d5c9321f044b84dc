//! CSV with a header. What a spreadsheet would run as a formula is text.

use std::io::{self, Write};

use chrono_tz::Tz;

use super::line::{BESIDE, Line};
use crate::engine::output::csv;
use crate::ingest::own::TIMELINE_HEADER;
use crate::text::safe::visible;

/// Writes the header.
pub(super) fn head(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{TIMELINE_HEADER}")
}

/// Writes a line. On a terminal characters are escapes that nobody should send there.
pub(super) fn line(
    out: &mut impl Write,
    line: &Line<'_>,
    zone: Option<Tz>,
    terminal: bool,
) -> io::Result<()> {
    let cell = |text: &str| match terminal {
        true => csv(&visible(text)),
        false => csv(text),
    };
    let mut row = format!("{},{},{}", line.iso(zone), line.kind, cell(line.message));
    for (_, field) in BESIDE {
        row.push(',');
        row.push_str(&cell(line.event.get(field)));
    }
    row.push(',');
    row.push_str(&cell(line.file));
    row.push('\n');
    out.write_all(row.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_what_stands_below_it() {
        let names: Vec<&str> = BESIDE.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            TIMELINE_HEADER,
            format!("datetime,timestamp_desc,message,{},file", names.join(","))
        );
    }
}
