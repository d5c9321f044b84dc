//! A workbook for Excel, with a further sheet where one is full. Rows go to temporary files, so that memory does not grow with them.
//!
//! Every cell of the log is a text, but for counts and the numbers of records. One that would be a formula keeps a quote in front that Excel does not
//! show: it stays a text when somebody edits the cell.

use std::io::{self, Write};
use std::path::Path;

use chrono_tz::Tz;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::line::{BESIDE, Line};
use crate::ingest::own::GENERATOR;
use crate::text::safe::visible;
use crate::timeline::field::Field;

/// Rows of a sheet in Excel, with the header.
pub(super) const ROWS: u32 = 1_048_576;
/// UTF-16 units of a cell in Excel.
const UNITS: usize = 32_767;
/// Days from the beginning of Excel's calendar to 1970.
const DAYS_BEFORE: f64 = 25_569.0;
/// The day from which on Excel counts as others do: before it there is a 29 February 1900, which no calendar has.
const FIRST_DAY: f64 = 61.0;
/// Microseconds of a day.
const DAY: f64 = 86_400_000_000.0;
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
pub(super) struct Book {
    book: Workbook,
    rows: u32,
    /// Rows of the last sheet, with the header.
    filled: u32,
    sheets: usize,
    date: Format,
    quoted: Format,
    bold: Format,
}

impl Book {
    /// An empty one, with so many rows a sheet. Temporary files lie in a folder; in that of the system where none is given.
    pub(super) fn new(rows: u32, folder: Option<&Path>) -> io::Result<Book> {
        let mut book = Workbook::new();
        if let Some(folder) = folder {
            book.set_tempdir(folder).map_err(failed)?;
        }
        // A workbook says when it was made: two runs are to give equal bytes.
        let made = ExcelDateTime::from_ymd(2000, 1, 1).map_err(failed)?;
        let properties = DocProperties::new().set_author(GENERATOR);
        book.set_properties(&properties.set_creation_datetime(&made));
        book.use_zip_large_file(true);
        let mut book = Book {
            book,
            rows,
            filled: 0,
            sheets: 0,
            date: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
            quoted: Format::new().set_quote_prefix(),
            bold: Format::new().set_bold(),
        };
        book.begin()?;
        Ok(book)
    }

    /// A further sheet with its header.
    fn begin(&mut self) -> io::Result<()> {
        self.end()?;
        self.sheets += 1;
        let name = match self.sheets {
            1 => "Timeline".to_string(),
            n => format!("Timeline {n}"),
        };
        let sheet = self
            .book
            .add_worksheet_with_constant_memory()
            .map_err(failed)?;
        header(sheet, &name, &self.bold).map_err(failed)?;
        self.filled = 1;
        Ok(())
    }

    /// Ends the last sheet: its filter reaches to its last row.
    fn end(&mut self) -> io::Result<()> {
        if self.sheets == 0 {
            return Ok(());
        }
        let last = columns().saturating_sub(1);
        let sheet = self
            .book
            .worksheet_from_index(self.sheets - 1)
            .map_err(failed)?;
        sheet
            .autofilter(0, 0, self.filled - 1, last)
            .map_err(failed)?;
        Ok(())
    }

    /// Adds a line.
    pub(super) fn line(&mut self, line: &Line<'_>, zone: Option<Tz>) -> io::Result<()> {
        if self.filled == self.rows {
            self.begin()?;
        }
        let sheet = self
            .book
            .worksheet_from_index(self.sheets - 1)
            .map_err(failed)?;
        let row = self.filled;
        let time = line.iso(zone);
        if let Some(serial) = serial(&time) {
            sheet
                .write_number_with_format(row, 0, serial, &self.date)
                .map_err(failed)?;
        }
        let beside = BESIDE.iter().map(|(_, field)| line.event.get(*field));
        let texts = [line.message, time.as_str(), line.kind]
            .into_iter()
            .chain(beside)
            .chain([line.file]);
        for (text, column) in texts.zip(1u16..) {
            if let Some(number) = number(text).filter(|_| is_number(column)) {
                sheet.write_number(row, column, number).map_err(failed)?;
                continue;
            }
            let text = cell(text);
            let written = match is_formula(&text) {
                true => sheet.write_string_with_format(row, column, text, &self.quoted),
                false => sheet.write_string(row, column, text),
            };
            written.map_err(failed)?;
        }
        self.filled += 1;
        Ok(())
    }

    /// Writes the whole.
    pub(super) fn finish(mut self, out: impl Write + Send) -> io::Result<()> {
        self.end()?;
        self.book.save_to_writer(out).map_err(failed)
    }
}

fn header(sheet: &mut Worksheet, name: &str, bold: &Format) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    sheet.set_freeze_panes(1, 0)?;
    let others = BESIDE.iter().map(|(name, _)| (*name, WIDTH));
    for ((name, width), column) in FIRST
        .into_iter()
        .chain(others)
        .chain([("file", WIDTH)])
        .zip(0u16..)
    {
        sheet.set_column_width(column, width)?;
        sheet.write_string_with_format(0, column, name, bold)?;
    }
    Ok(())
}

/// Whether a column counts.
fn is_number(column: u16) -> bool {
    let at = usize::from(column).checked_sub(FIRST.len());
    let beside = at.and_then(|at| BESIDE.get(at));
    beside.is_some_and(|(_, field)| NUMBERS.contains(field))
}

/// A number of digits that Excel shows as they are.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// How many columns there are.
fn columns() -> u16 {
    u16::try_from(FIRST.len() + BESIDE.len() + 1).unwrap_or(u16::MAX)
}

/// A time as Excel counts it: days, on the clocks of the zone. Nothing for times before 1 March 1900.
fn serial(iso: &str) -> Option<f64> {
    let clock = iso.get(..26)?;
    let clock = chrono::NaiveDateTime::parse_from_str(clock, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    // A date of Excel has no more digits than this; the text beside it has all.
    let days = clock.and_utc().timestamp_micros() as f64 / DAY + DAYS_BEFORE;
    (days >= FIRST_DAY).then_some(days)
}

/// As much of a text as a cell takes, with escapes for characters that nobody sees.
fn cell(text: &str) -> String {
    let text = visible(text);
    if text.len() <= UNITS {
        return text;
    }
    let mut units = 1;
    let mut cut: String = text
        .chars()
        .take_while(|c| {
            units += c.len_utf16();
            units <= UNITS
        })
        .collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// Whether Excel would take a text for a formula when somebody edits its cell.
fn is_formula(text: &str) -> bool {
    text.trim_start().starts_with([
        '=', '+', '-', '@', '\'', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ])
}

fn failed(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) | XlsxError::TempFileError(_, error) => error,
        other => io::Error::other(other),
    }
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
        assert_eq!(serial("1970-01-01T12:00:00.000000+01:00"), Some(25_569.5));
        assert_eq!(serial("1900-02-28T12:00:00.000000Z"), None);
        assert_eq!(serial("1900-03-01T00:00:00.000000Z"), Some(61.0));
    }
}
