//! A workbook for Excel, with a further sheet where one is full. Every cell of the log is a text, but for counts and the numbers of records.

use std::io::{self, Write};
use std::path::Path;

use chrono_tz::Tz;

use super::line::{BESIDE, Line};
use crate::ingest::own::GENERATOR;
use crate::text::workbook::{self, Cell};
use crate::timeline::field::Field;

pub(super) use crate::text::workbook::ROWS;

/// Name of the sheets.
const NAME: &str = "Timeline";
/// Columns before those of [`BESIDE`], and how wide they are.
const FIRST: [(&str, f64); 4] = [
    ("time", 22.0),
    ("message", 90.0),
    ("datetime", 32.0),
    ("timestamp_desc", 14.0),
];
/// Fields that are numbers, to be summed and sorted.
const NUMBERS: [Field; 3] = [Field::Count, Field::Ingest, Field::Record];
/// Width of the others.
const WIDTH: f64 = 22.0;

/// A workbook that is being written.
pub(super) struct Book(workbook::Book);

impl Book {
    /// An empty one, with so many rows a sheet. Temporary files lie in a folder; in that of the system where none is given.
    pub(super) fn new(rows: u32, folder: Option<&Path>) -> io::Result<Book> {
        let mut book = workbook::Book::new(GENERATOR, rows, folder)?;
        let beside = BESIDE.iter().map(|(name, _)| (*name, WIDTH));
        let columns = FIRST.into_iter().chain(beside).chain([("file", WIDTH)]);
        book.sheet(NAME, &columns.collect::<Vec<_>>())?;
        Ok(Book(book))
    }

    /// Adds a line.
    pub(super) fn line(&mut self, line: &Line<'_>, zone: Option<Tz>) -> io::Result<()> {
        let time = line.iso(zone);
        let date = match workbook::serial(&time) {
            Some(_) => Cell::Time(&time),
            None => Cell::Nothing,
        };
        let texts = [line.message, time.as_str(), line.kind].map(Cell::Text);
        let beside = BESIDE.iter().map(|(_, field)| {
            let text = line.event.get(*field);
            let number = number(text).filter(|_| NUMBERS.contains(field));
            number.map_or(Cell::Text(text), |number| Cell::Number(number.into()))
        });
        let file = Cell::Text(line.file);
        let cells = [date].into_iter().chain(texts).chain(beside).chain([file]);
        self.0.row(cells)
    }

    /// Writes the whole.
    pub(super) fn finish(self, out: impl Write + Send) -> io::Result<()> {
        self.0.finish(out)
    }
}

/// A number of digits that Excel shows as they are.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    use crate::timeline::field::Event;

    fn member(bytes: &[u8], name: &str) -> String {
        let mut zip = zip::ZipArchive::new(io::Cursor::new(bytes)).expect("a zip");
        let mut text = String::new();
        let mut file = zip.by_name(name).expect("a member");
        file.read_to_string(&mut text).expect("text");
        text
    }

    #[test]
    fn a_full_sheet_is_followed_by_another() {
        let mut book = Book::new(3, None).expect("a workbook");
        let long = "x".repeat(40_000);
        for (time, message) in [(0, "=1+1"), (1_500_000, "two"), (2_000_000, long.as_str())] {
            let line = Line {
                time,
                message,
                kind: "Event Time",
                file: "",
                event: Event::of(time, &[(Field::User, "-ann"), (Field::Record, "7")]),
            };
            book.line(&line, Some(Tz::Europe__Berlin)).expect("a line");
        }
        let mut bytes = Vec::new();
        book.finish(&mut bytes).expect("a file");
        let sheets = member(&bytes, "xl/workbook.xml");
        assert!(
            sheets.contains("\"Timeline\"") && sheets.contains("\"Timeline 2\""),
            "{sheets}"
        );
        let first = member(&bytes, "xl/worksheets/sheet1.xml");
        assert!(!first.contains("<f>") && first.contains("=1+1"), "{first}");
        assert!(first.contains("ref=\"A1:S3\""), "{first}");
        assert!(first.contains("<c r=\"R2\"><v>7</v></c>"), "{first}");
        let said = member(&bytes, "docProps/core.xml");
        assert!(said.contains("<dc:creator>coldtrail "), "{said}");
        assert_eq!(
            (number("12"), number("007"), number("+5")),
            (Some(12), None, None)
        );
        let second = member(&bytes, "xl/worksheets/sheet2.xml");
        assert!(
            second.contains("xxx…") && second.contains("ref=\"A1:S2\""),
            "{}",
            second.len()
        );
        assert_eq!(
            workbook::serial("1970-01-01T12:00:00.000000+01:00"),
            Some(25_569.5)
        );
        assert_eq!(workbook::serial("1900-02-28T12:00:00.000000Z"), None);
        assert_eq!(workbook::serial("1900-03-01T00:00:00.000000Z"), Some(61.0));
    }
}
