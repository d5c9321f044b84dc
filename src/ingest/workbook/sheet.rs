//! A sheet as CSV, row by row. Empty rows are left out, and so are titles above the header, which is said.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use quick_xml::events::{BytesStart, Event};

use super::super::MAX_RECORD_BYTES;
use super::book::Book;
use super::marks::Marks;
use super::number;
use super::strings::{Cache, Strings, unescaped};
use super::xml::{Xml, add_text};

/// Rows that tell where the header is.
const FIRST_ROWS: usize = 50;
/// Bytes of such rows after which no more are looked at.
const FIRST_BYTES: usize = 4 << 20;
/// Columns that a sheet has at most.
const MAX_COLUMNS: usize = 16_384;
/// Cells that a title above the header has at most.
const TITLE_CELLS: usize = 4;
/// Columns of a table below which a row with one cell is a remark.
const TABLE_COLUMNS: usize = 3;
/// Remarks below a table.
const MAX_FOOTERS: usize = 20;
/// Bytes that are made at once.
const TEXT_BYTES: usize = 64 << 10;

/// What the text of a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Held {
    /// A number, or a date.
    #[default]
    Number,
    /// The number of a text of the workbook.
    Shared,
    Bool,
    /// As it stands there: text, an error, a date in ISO 8601.
    Text,
}

/// A cell that is read.
#[derive(Default)]
struct Cell {
    column: usize,
    style: usize,
    held: Held,
    text: String,
}

impl Cell {
    fn begin(&mut self, tag: &BytesStart<'_>, next: usize) {
        self.text.clear();
        (self.column, self.style, self.held) = (next, 0, Held::Number);
        for attribute in tag.attributes().with_checks(false).flatten() {
            let value: &[u8] = &attribute.value;
            match attribute.key.local_name().as_ref() {
                b"r" => self.column = column_of(value).unwrap_or(next),
                b"s" => self.style = number_of(value).unwrap_or(0),
                b"t" => {
                    self.held = match value {
                        b"s" => Held::Shared,
                        b"b" => Held::Bool,
                        b"n" => Held::Number,
                        _ => Held::Text,
                    }
                }
                _ => {}
            }
        }
    }
}

/// The column of a place such as `AB12`, from 0.
fn column_of(place: &[u8]) -> Option<usize> {
    let letters = place.iter().take_while(|b| b.is_ascii_alphabetic());
    let column = letters.fold(0, |column: usize, letter| {
        let digit = letter.to_ascii_uppercase() - b'A' + 1;
        column.saturating_mul(26).saturating_add(digit.into())
    });
    column.checked_sub(1)
}

fn number_of(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}

/// What an event asks for.
enum Step {
    On,
    Cell,
    Row,
    End,
}

/// The rows of a sheet.
struct Rows {
    xml: Xml,
    book: Arc<Book>,
    strings: Arc<Strings>,
    cache: Cache,
    cell: Cell,
    /// The cells of the row that was read last; what stands behind `used` is of older ones.
    cells: Vec<String>,
    used: usize,
    /// Bytes in them.
    bytes: usize,
    /// Its number, from 1.
    number: u64,
    /// Numbers with more digits than spreadsheets keep.
    long: u64,
    /// Whether rows began, and ended.
    begun: bool,
    ended: bool,
}

impl Rows {
    /// The cells of the row that was read last, up to the last one that is not empty.
    fn row(&self) -> &[String] {
        &self.cells[..self.used]
    }

    /// Reads the next row that is not empty; says whether there was one.
    fn advance(&mut self) -> io::Result<bool> {
        self.read().map_err(|e| match self.number {
            0 => e,
            number => io::Error::new(e.kind(), format!("row {number} of the sheet: {e}")),
        })
    }

    fn read(&mut self) -> io::Result<bool> {
        let mut next = 0;
        // What is written above letters to say how they are spoken is none of the text.
        let (mut in_text, mut spoken) = (false, false);
        self.clear();
        loop {
            let step = match self.xml.event()? {
                Event::Start(tag) => {
                    match tag.local_name().as_ref() {
                        b"row" => {
                            self.number = number_in(&tag).unwrap_or(self.number.saturating_add(1));
                            next = 0;
                        }
                        b"c" => {
                            self.cell.begin(&tag, next);
                            next = self.cell.column.saturating_add(1);
                        }
                        b"v" => in_text = true,
                        b"t" => in_text = !spoken,
                        b"rPh" => spoken = true,
                        b"sheetData" => self.begun = true,
                        _ => {}
                    }
                    Step::On
                }
                Event::End(tag) => match tag.local_name().as_ref() {
                    b"sheetData" => {
                        self.ended = true;
                        Step::On
                    }
                    b"c" => Step::Cell,
                    b"row" => Step::Row,
                    b"v" | b"t" => {
                        in_text = false;
                        Step::On
                    }
                    b"rPh" => {
                        spoken = false;
                        Step::On
                    }
                    _ => Step::On,
                },
                // All of it is read, so that its checksum is looked at.
                Event::Eof => Step::End,
                event => {
                    if in_text {
                        add_text(&event, &mut self.cell.text)?;
                    }
                    Step::On
                }
            };
            match step {
                Step::On => {}
                Step::Cell => self.put()?,
                Step::Row if self.used > 0 => return Ok(true),
                Step::Row => self.clear(),
                Step::End if self.ended => return Ok(false),
                // The reader of XML does not mind.
                Step::End => {
                    return Err(io::Error::other(match self.begun {
                        true => "the sheet breaks off",
                        false => "its part of the workbook has no rows of a sheet",
                    }));
                }
            }
        }
    }

    fn clear(&mut self) {
        self.cells[..self.used].iter_mut().for_each(String::clear);
        (self.used, self.bytes) = (0, 0);
    }

    /// Puts the cell into its row.
    fn put(&mut self) -> io::Result<()> {
        let Cell {
            column,
            style,
            held,
            text,
        } = &self.cell;
        if text.is_empty() {
            return Ok(());
        }
        if *column >= MAX_COLUMNS {
            return Err(io::Error::other("a column that no sheet has"));
        }
        if self.cells.len() <= *column {
            self.cells.resize_with(column + 1, String::new);
        }
        let cell = &mut self.cells[*column];
        self.bytes -= cell.len();
        cell.clear();
        match held {
            Held::Shared => {
                let number = number_of(text.as_bytes());
                let number = number.ok_or_else(|| io::Error::other("a cell names no text"))?;
                cell.push_str(self.strings.get(number, &mut self.cache)?);
            }
            // As .NET writes them, and Kusto.
            Held::Bool => cell.push_str(match text.trim() {
                "1" => "True",
                "0" => "False",
                other => other,
            }),
            Held::Text => cell.push_str(&unescaped(text)),
            Held::Number => {
                let look = self.book.looks.get(*style).copied().unwrap_or_default();
                self.long += u64::from(number::is_long(text, look));
                cell.push_str(&number::shown(text, look, self.book.from_1904));
            }
        }
        self.bytes += cell.len();
        if !cell.is_empty() {
            self.used = self.used.max(column + 1);
        }
        match self.bytes > MAX_RECORD_BYTES {
            true => Err(io::Error::other(format!(
                "it has more than {} MiB",
                MAX_RECORD_BYTES >> 20
            ))),
            false => Ok(()),
        }
    }
}

/// The number of a row, where it says it.
fn number_in(row: &BytesStart<'_>) -> Option<u64> {
    super::xml::attribute(row, b"r")?.trim().parse().ok()
}

/// How rows become lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As CSV.
    Cells,
    /// As they are: somebody put whole lines of an export into the first column.
    Lines,
}

/// A sheet as CSV.
pub(super) struct Text {
    rows: Rows,
    /// Rows that were read to find the header, and their numbers.
    first: VecDeque<Vec<String>>,
    numbers: VecDeque<u64>,
    /// Rows with one cell that may be remarks below the table.
    held: Vec<(u64, Vec<String>)>,
    /// The number of the last row that was given or held.
    last: u64,
    /// Why there are no more rows, if that is not the end of the sheet.
    failure: Option<io::Error>,
    ended: bool,
    form: Form,
    /// Columns of the header.
    width: usize,
    marks: Arc<Marks>,
    /// Bytes given before those in `out`.
    given: u64,
    out: Vec<u8>,
    at: usize,
}

impl Text {
    /// The sheet, what is to be said of it, and what is known of it while it is read.
    pub(super) fn new(
        xml: Xml,
        strings: Arc<Strings>,
        book: Arc<Book>,
    ) -> (Text, String, Arc<Marks>) {
        let mut text = Text {
            rows: Rows {
                xml,
                book,
                strings,
                cache: Cache::default(),
                cell: Cell::default(),
                cells: Vec::new(),
                used: 0,
                bytes: 0,
                number: 0,
                long: 0,
                begun: false,
                ended: false,
            },
            first: VecDeque::new(),
            numbers: VecDeque::new(),
            held: Vec::new(),
            last: 0,
            failure: None,
            ended: false,
            form: Form::Cells,
            width: 0,
            marks: Arc::default(),
            given: 0,
            out: Vec::new(),
            at: 0,
        };
        let mut bytes = 0;
        while text.first.len() < FIRST_ROWS && bytes < FIRST_BYTES && text.read_row() {
            bytes += text.rows.bytes;
            text.numbers.push_back(text.rows.number);
            text.first.push_back(text.rows.row().to_vec());
        }
        let titles = titles(&text.first);
        text.first.drain(..titles);
        text.numbers.drain(..titles);
        let mut note = String::new();
        if titles > 0 {
            note = format!(
                "the header is in row {}; rows above it, passed over: {titles}",
                text.numbers.front().copied().unwrap_or_default()
            );
        }
        if let Some(header) = text.first.front() {
            text.width = header.len();
            if is_a_line(header) && text.first.iter().all(|row| row.len() == 1) {
                text.form = Form::Lines;
            }
        }
        let marks = Arc::clone(&text.marks);
        (text, note, marks)
    }

    /// The header, where it has a column of whole audit records.
    pub(super) fn audit_header(&self) -> Option<&[String]> {
        let header = self.first.front()?;
        audit_column(header).map(|_| header.as_slice())
    }

    /// Whether its first rows, from the very first on, have audit records where this header names them.
    pub(super) fn goes_on(&self, header: &[String]) -> bool {
        let Some(column) = audit_column(header) else {
            return false;
        };
        let has_record = |row: &Vec<String>| {
            row.len() <= header.len() && row.get(column).is_some_and(|cell| cell.starts_with('{'))
        };
        !self.first.is_empty() && self.first.iter().all(has_record)
    }

    /// Puts a header before its rows.
    pub(super) fn take_header(&mut self, header: &[String]) {
        self.first.push_front(header.to_vec());
        self.numbers.push_front(0);
        self.width = header.len();
        self.form = Form::Cells;
    }

    /// Reads a row; says whether there was one.
    fn read_row(&mut self) -> bool {
        if self.ended {
            return false;
        }
        match self.rows.advance() {
            Ok(true) => return true,
            Ok(false) => {}
            Err(e) => self.failure = Some(e),
        }
        self.ended = true;
        false
    }

    fn fill(&mut self) {
        self.given += self.out.len() as u64;
        self.out.clear();
        self.at = 0;
        while self.out.len() < TEXT_BYTES {
            if let Some(row) = self.first.pop_front() {
                let number = self.numbers.pop_front().unwrap_or_default();
                if !self.holds(number, &row) {
                    self.give_held();
                    self.mark(number);
                    line(&row, self.form, self.width, &mut self.out);
                }
                self.last = number;
            } else if self.read_row() {
                let number = self.rows.number;
                // Nearly all rows have more cells.
                let is_held = self.rows.used == 1 && {
                    let row = self.rows.row().to_vec();
                    self.holds(number, &row)
                };
                if !is_held {
                    self.give_held();
                    self.mark(number);
                    line(self.rows.row(), self.form, self.width, &mut self.out);
                }
                self.last = number;
            } else {
                if self.failure.is_some() {
                    // Other rows may have come behind them.
                    self.give_held();
                }
                let long = std::mem::take(&mut self.rows.long);
                self.marks.ended(self.held.len() as u64, long);
                self.held.clear();
                return;
            }
        }
    }

    /// Keeps back a row that is a remark below the table if nothing else follows: one cell, at least one empty row below the rest.
    fn holds(&mut self, number: u64, row: &[String]) -> bool {
        let [only] = row else {
            return false;
        };
        let is_apart = !self.held.is_empty() || number > self.last.saturating_add(1);
        let is_remark = self.last > 0
            && is_apart
            && self.form == Form::Cells
            && self.width >= TABLE_COLUMNS
            && self.held.len() < MAX_FOOTERS
            && only.len() <= TEXT_BYTES
            && !only.starts_with(['{', '[']);
        if is_remark {
            self.held.push((number, row.to_vec()));
        }
        is_remark
    }

    /// Gives rows that were kept back and are rows of the table.
    fn give_held(&mut self) {
        for (number, row) in std::mem::take(&mut self.held) {
            self.mark(number);
            line(&row, self.form, self.width, &mut self.out);
        }
    }

    /// Says of which row the line is that comes next.
    fn mark(&self, number: u64) {
        let offset = self.given + self.out.len() as u64;
        self.marks.line(offset, number);
    }
}

/// The column of whole audit records.
fn audit_column(header: &[String]) -> Option<usize> {
    header
        .iter()
        .position(|cell| cell.trim().eq_ignore_ascii_case("AuditData"))
}

/// How many of the first rows are titles above the header: such rows have few cells where others have many.
fn titles(rows: &VecDeque<Vec<String>>) -> usize {
    let filled = |row: &Vec<String>| row.iter().filter(|cell| !cell.is_empty()).count();
    let most = rows.iter().map(filled).max().unwrap_or(0);
    let is_title = |row: &&Vec<String>| {
        let cells = filled(row);
        cells <= TITLE_CELLS && cells * 2 <= most && most > 2
    };
    let titles = rows.iter().take_while(is_title).count();
    // Where most rows are like that, but for remarks at the end, somebody wrote beside a narrow table.
    let below: Vec<&Vec<String>> = rows.iter().skip(titles + 1).collect();
    let end = below.iter().rposition(|row| filled(row) > 1);
    let below = &below[..end.map_or(0, |last| last + 1)];
    let narrow = below.iter().filter(|row| is_title(row)).count();
    match narrow * 2 > below.len() {
        true => 0,
        false => titles,
    }
}

/// Whether a row is a line of an export in one cell.
fn is_a_line(row: &[String]) -> bool {
    match row {
        [only] => only.starts_with(['{', '[']) || only.contains([',', ';', '\t']),
        _ => false,
    }
}

/// Appends a row.
fn line(row: &[String], form: Form, width: usize, out: &mut Vec<u8>) {
    for at in 0..row.len().max(width) {
        if at > 0 {
            out.push(b',');
        }
        let cell = row.get(at).map_or("", String::as_str);
        match form {
            Form::Cells if is_special(cell) => {
                out.push(b'"');
                out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
                out.push(b'"');
            }
            _ => out.extend_from_slice(cell.as_bytes()),
        }
    }
    out.push(b'\n');
}

/// Whether a cell needs quotes, also so that nobody takes the file for something else.
fn is_special(cell: &str) -> bool {
    cell.contains([',', ';', '\t', '|', '"', '\r', '\n'])
        || cell.starts_with([' ', '{', '[', '<', '#'])
        || cell.ends_with(' ')
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.out.len() {
            self.fill();
        }
        if self.out.is_empty()
            && let Some(e) = self.failure.take()
        {
            return Err(e);
        }
        let n = buffer.len().min(self.out.len() - self.at);
        buffer[..n].copy_from_slice(&self.out[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_by_their_letters() {
        for (place, want) in [
            (&b"A1"[..], Some(0)),
            (b"Z9", Some(25)),
            (b"AA10", Some(26)),
            (b"XFD1048576", Some(MAX_COLUMNS - 1)),
            (b"12", None),
            (b"", None),
        ] {
            assert_eq!(column_of(place), want, "{place:?}");
        }
        let beyond = [b'Z'; 400];
        assert!(column_of(&beyond).is_some_and(|column| column > MAX_COLUMNS));
    }

    #[test]
    fn titles_are_rows_with_few_cells_before_one_with_many() {
        let rows = |widths: &[usize]| {
            let row = |n: &usize| vec!["x".to_string(); *n];
            titles(&widths.iter().map(row).collect())
        };
        assert_eq!(rows(&[1, 2, 6, 6]), 2);
        assert_eq!(rows(&[3, 6, 6]), 1);
        assert_eq!(rows(&[1, 6]), 1);
        assert_eq!(rows(&[3, 6, 6, 1, 1, 1]), 1);
        assert_eq!(rows(&[6, 1, 6]), 0);
        // A remark beside the second row.
        assert_eq!(rows(&[2, 2, 7, 2, 2]), 0);
        assert_eq!(rows(&[2, 2, 3]), 0);
        assert_eq!(rows(&[1, 1]), 0);
        assert_eq!(rows(&[]), 0);
    }
}
