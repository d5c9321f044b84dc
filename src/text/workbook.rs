//! Workbooks for Excel, sheet by sheet and row by row. Where a sheet is full another one follows. Rows go to temporary files, so that memory does not grow
//! with them.
//!
//! Text stays text: what would be a formula keeps a quote in front that Excel does not show, also when somebody edits the cell. Numbers are numbers, times
//! are dates of Excel on the clocks that the text names. Two workbooks of the same rows are the same bytes. Who made one is its author.

use std::io::{self, Write};
use std::path::Path;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::safe::visible;

/// Rows of a sheet in Excel, with the header.
pub const ROWS: u32 = 1_048_576;
/// Bytes of a sheet at which another one follows: its file holds at most 4 GiB.
const SHEET_BYTES: u64 = 3 << 30;
/// Bytes of a cell beside its text, at most.
const CELL_BYTES: u64 = 80;
/// UTF-16 units of a cell in Excel.
const UNITS: usize = 32_767;
/// Characters of the name of a sheet in Excel, less a number behind it.
const NAME: usize = 27;
/// Days from the beginning of Excel's calendar to 1970.
const DAYS_BEFORE: f64 = 25_569.0;
/// The day from which on Excel counts as others do: before it there is a 29 February 1900, which no calendar has.
const FIRST_DAY: f64 = 61.0;
/// Microseconds of a day.
const DAY: f64 = 86_400_000_000.0;

/// What stands in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Nothing,
    /// Text, whatever it looks like.
    Text(&'a str),
    /// A number.
    Number(f64),
    /// A time as ISO 8601: the date of Excel that its clock shows. What is no time, or before 1 March 1900, is a text.
    Time(&'a str),
}

/// A workbook that is being written.
pub struct Book {
    book: Workbook,
    /// Rows that a sheet takes, with the header.
    rows: u32,
    /// The sheet that rows go to.
    open: Option<Sheet>,
    sheets: usize,
    date: Format,
    quoted: Format,
    bold: Format,
}

/// A sheet, or several where one is full.
struct Sheet {
    name: String,
    columns: Vec<(String, f64)>,
    /// How many sheets it is by now.
    parts: usize,
    /// Rows of the last one, with the header.
    filled: u32,
    /// Bytes of the last one, at most.
    bytes: u64,
}

impl Book {
    /// An empty one of an author, with so many rows a sheet. Temporary files lie in a folder; in that of the system where none is given.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn new(author: &str, rows: u32, folder: Option<&Path>) -> io::Result<Book> {
        let mut book = Workbook::new();
        if let Some(folder) = folder {
            book.set_tempdir(folder).map_err(failed)?;
        }
        // A workbook says when it was made: two runs are to give equal bytes.
        let made = ExcelDateTime::from_ymd(2000, 1, 1).map_err(failed)?;
        let properties = DocProperties::new().set_author(author);
        book.set_properties(&properties.set_creation_datetime(&made));
        // LibreOffice opens no workbook in the form for sheets of more than 4 GB, so none gets there.
        book.use_zip_large_file(false);
        Ok(Book {
            book,
            rows,
            open: None,
            sheets: 0,
            date: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
            quoted: Format::new().set_quote_prefix(),
            bold: Format::new().set_bold(),
        })
    }

    /// A further sheet with its columns and their widths; rows go to it from now on.
    ///
    /// # Errors
    /// When it cannot be written, or has the name of another.
    pub fn sheet(&mut self, name: &str, columns: &[(&str, f64)]) -> io::Result<()> {
        self.end()?;
        let columns = columns.iter();
        self.open = Some(Sheet {
            name: named(name),
            columns: columns
                .map(|(name, width)| ((*name).to_string(), *width))
                .collect(),
            parts: 0,
            filled: 0,
            bytes: 0,
        });
        self.begin()
    }

    /// Begins the sheet that rows go to, or one more where it is full.
    fn begin(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.parts += 1;
        open.filled = 1;
        open.bytes = 0;
        let name = match open.parts {
            1 => open.name.clone(),
            n => format!("{} {n}", open.name),
        };
        let sheet = self
            .book
            .add_worksheet_with_constant_memory()
            .map_err(failed)?;
        self.sheets += 1;
        header(sheet, &name, &open.columns, &self.bold).map_err(failed)
    }

    /// Ends the last sheet: its filter reaches to its last row.
    fn end(&mut self) -> io::Result<()> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let last = u16::try_from(open.columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
        let filled = open.filled;
        let sheet = self.book.worksheet_from_index(self.sheets - 1);
        let filtered = sheet.and_then(|sheet| sheet.autofilter(0, 0, filled - 1, last));
        filtered.map_err(failed)?;
        Ok(())
    }

    /// Adds a row to the sheet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn row<'c>(&mut self, cells: impl IntoIterator<Item = Cell<'c>>) -> io::Result<()> {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.filled == self.rows || open.bytes >= SHEET_BYTES)
        {
            self.end()?;
            self.begin()?;
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let row = open.filled;
        open.filled += 1;
        let sheet = self
            .book
            .worksheet_from_index(self.sheets - 1)
            .map_err(failed)?;
        for (cell, column) in cells.into_iter().zip(0u16..) {
            open.bytes += CELL_BYTES;
            let (text, serial) = match cell {
                Cell::Nothing | Cell::Text("") => continue,
                Cell::Number(number) => {
                    sheet.write_number(row, column, number).map_err(failed)?;
                    continue;
                }
                Cell::Text(text) => (text, None),
                Cell::Time(time) => (time, serial(time)),
            };
            let text = fitted(text);
            open.bytes += escaped_bytes(&text);
            let written = match serial {
                Some(serial) => sheet.write_number_with_format(row, column, serial, &self.date),
                None if is_formula(&text) => {
                    sheet.write_string_with_format(row, column, text, &self.quoted)
                }
                None => sheet.write_string(row, column, text),
            };
            written.map_err(failed)?;
        }
        Ok(())
    }

    /// Writes the whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, out: impl Write + Send) -> io::Result<()> {
        self.end()?;
        self.book.save_to_writer(out).map_err(failed)
    }
}

fn header(
    sheet: &mut Worksheet,
    name: &str,
    columns: &[(String, f64)],
    bold: &Format,
) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    sheet.set_freeze_panes(1, 0)?;
    for ((name, width), column) in columns.iter().zip(0u16..) {
        sheet.set_column_width(column, *width)?;
        sheet.write_string_with_format(0, column, name, bold)?;
    }
    Ok(())
}

/// A name that Excel takes for a sheet.
fn named(name: &str) -> String {
    let taken = name.chars().filter(|c| !"[]:*?/\\'".contains(*c));
    taken.take(NAME).collect()
}

/// A time as Excel counts it: days, on the clocks that the text shows. Nothing for times before 1 March 1900.
pub fn serial(iso: &str) -> Option<f64> {
    let seconds = iso.get(..19)?;
    let rest = iso.get(19..)?;
    let digits = match rest.strip_prefix('.') {
        Some(rest) => rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len(),
        None => 0,
    };
    let clock = match digits {
        0 => seconds,
        digits => iso.get(..20 + digits.min(6))?,
    };
    let clock = chrono::NaiveDateTime::parse_from_str(clock, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    // A date of Excel has no more digits than this; a text beside it may have all.
    let days = clock.and_utc().timestamp_micros() as f64 / DAY + DAYS_BEFORE;
    (days >= FIRST_DAY).then_some(days)
}

/// As much of a text as a cell takes, with escapes for characters that nobody sees.
fn fitted(text: &str) -> String {
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

/// How many bytes a text takes in XML, at most.
fn escaped_bytes(text: &str) -> u64 {
    let of = |byte| match byte {
        b'&' | b'<' | b'>' | b'"' | 0..=0x1f => 7,
        _ => 1,
    };
    text.bytes().map(of).sum()
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

    fn member(bytes: &[u8], name: &str) -> String {
        let mut zip = zip::ZipArchive::new(io::Cursor::new(bytes)).expect("a zip");
        let mut text = String::new();
        let mut file = zip.by_name(name).expect("a member");
        file.read_to_string(&mut text).expect("text");
        text
    }

    fn written() -> Vec<u8> {
        let mut book = Book::new("coldtrail 1", 3, None).expect("a workbook");
        book.sheet("Users", &[("user", 20.0), ("events", 10.0)])
            .expect("a sheet");
        for n in 0..3 {
            let cells = [Cell::Text("=1+1"), Cell::Number(f64::from(n))];
            book.row(cells).expect("a row");
        }
        book.sheet("Times", &[("time", 20.0)]).expect("a sheet");
        for cell in [Cell::Time("2026-05-01T12:00:00Z"), Cell::Time("never")] {
            book.row([cell]).expect("a row");
        }
        let mut bytes = Vec::new();
        book.finish(&mut bytes).expect("a file");
        bytes
    }

    #[test]
    fn files_are_in_the_form_that_all_programs_open() {
        // The version that a reader needs, in the first local header: 4.5 is that of files beyond 4 GB.
        assert!(written()[4] < 45);
        assert_eq!(escaped_bytes("a<\u{1}"), 15);
    }

    #[test]
    fn a_full_sheet_is_followed_by_another() {
        let bytes = written();
        let sheets = member(&bytes, "xl/workbook.xml");
        for name in ["\"Users\"", "\"Users 2\"", "\"Times\""] {
            assert!(sheets.contains(name), "{name}: {sheets}");
        }
        let first = member(&bytes, "xl/worksheets/sheet1.xml");
        assert!(!first.contains("<f>") && first.contains("=1+1"), "{first}");
        assert!(first.contains("ref=\"A1:B3\""), "{first}");
        let second = member(&bytes, "xl/worksheets/sheet2.xml");
        assert!(second.contains("ref=\"A1:B2\""), "{second}");
        let times = member(&bytes, "xl/worksheets/sheet3.xml");
        assert!(
            times.contains("<v>46143.5</v>") && times.contains("never"),
            "{times}"
        );
        let said = member(&bytes, "docProps/core.xml");
        assert!(
            said.contains("<dc:creator>coldtrail 1</dc:creator>"),
            "{said}"
        );
        assert_eq!(bytes, written());
    }

    #[test]
    fn times_are_those_of_the_clock_and_names_fit() {
        assert_eq!(serial("1970-01-01T12:00:00.000000+01:00"), Some(25_569.5));
        assert_eq!(serial("1970-01-01T12:00:00Z"), Some(25_569.5));
        assert_eq!(
            serial("1970-01-01T12:00:00.1234567Z"),
            serial("1970-01-01T12:00:00.123456Z")
        );
        assert_eq!(serial("1800-01-01T12:00:00.000000Z"), None);
        assert_eq!(serial("1900-02-28T12:00:00.000000Z"), None);
        assert_eq!(serial("1900-03-01T00:00:00.000000Z"), Some(61.0));
        assert_eq!(serial("1970-01-01"), None);
        assert_eq!(named("a/b: who's *there*?"), "ab whos there");
        assert_eq!(named(&"x".repeat(40)).len(), NAME);
    }
}
