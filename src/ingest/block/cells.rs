//! Records that are rows of a CSV: their cells, and what becomes of these.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use super::super::columns::{Target, is_named};
use super::super::csv::{self, Fields, Next};
use super::super::format::{self, Format, Kind, tells_time};
use super::super::rows::{Row, Slot, TableRows};
use super::super::{
    MAX_RECORD_BYTES, audit, behind, mended, python, recast, suffixed, time, wrappers,
};
use super::cut::{self, CUT, is_cut};
use super::piece::{Block, Converted, Shift};
use super::several::Several;
use super::wrapped::{self, CellRow};
use crate::catalog::{Table, table};
use crate::text::json as plain;

/// Rows of a block whose two clocks are compared.
const CLOCKS: usize = 16;

thread_local! {
    /// Buffer for the cells of a block: fresh memory has to be cleared by the system first.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of a buffer that is kept: larger ones are rare and would only sit there.
const KEPT_BUFFER: usize = 4 << 20;

/// The audit record that Export-Csv took apart: cells that hold objects or arrays as JSON are taken as such, the others are text.
fn object_of<'c>(names: &[String], values: impl Iterator<Item = &'c str>) -> String {
    let mut out = String::from("{");
    for (name, value) in names.iter().zip(values) {
        if value.is_empty() {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        plain::quote(name, &mut out);
        out.push(':');
        // What only looks like JSON is text.
        let nested = matches!(value.as_bytes()[0], b'{' | b'[');
        let json = plain::strict(value).filter(|_| nested);
        match json.or_else(|| python::json(value).map(Cow::Owned)) {
            Some(json) => out.push_str(&json),
            None => plain::quote(value, &mut out),
        }
    }
    out.push('}');
    out
}

/// Says why an audit record is refused, with what is known of exports that damage it.
fn audit_reason(refusal: &audit::Refusal, text: &str) -> String {
    let why = match refusal {
        audit::Refusal::Json(_) if text.len() == 3060 => {
            Some("old exports cut AuditData at 3,060 characters")
        }
        audit::Refusal::Json(_) => cut::by(text),
        _ => None,
    };
    match why {
        Some(why) => format!("{refusal}: {why}"),
        None => refusal.to_string(),
    }
}

/// Records of a CSV block: all cells, without quotes, one after the other.
struct Cells {
    text: String,
    ends: Vec<usize>,
    records: Vec<CellRecord>,
}

struct CellRecord {
    /// In the block, good and bad ones counted.
    number: u64,
    first: usize,
    offset: usize,
    length: usize,
}

impl Cells {
    fn of(&self, record: usize) -> (impl Iterator<Item = &str>, usize) {
        let first = self.records[record].first;
        let last = self
            .records
            .get(record + 1)
            .map_or(self.ends.len(), |r| r.first);
        let cells = (first..last).map(|i| {
            let start = if i == 0 { 0 } else { self.ends[i - 1] };
            &self.text[start..self.ends[i]]
        });
        (cells, last - first)
    }
}

/// Finds the records of a CSV block.
struct CellReader<'b> {
    header: &'b [String],
    block: &'b Block,
    delimiter: u8,
    fields: Fields,
    records: Vec<CellRecord>,
}

impl<'b> CellReader<'b> {
    fn new(format: &'b Format, block: &'b Block, delimiter: u8) -> Self {
        CellReader {
            header: &format.header,
            block,
            delimiter,
            fields: Fields::within(BUFFER.take(), block.bytes.len()),
            records: Vec::new(),
        }
    }

    /// All records of the block; what is none is rejected or remarked upon.
    fn read(mut self, out: &mut Converted) -> Cells {
        let block = self.block;
        let bytes = &block.bytes;
        let width = self.header.len();
        let mut at = 0;
        // After a quote that nothing closes, records end with their line: looking for the quote again and again would take for ever.
        let mut by_lines = false;
        loop {
            at = csv::next_start(bytes, at);
            let seen = match by_lines {
                true => csv::line_end(bytes, at),
                false => bytes.len(),
            };
            let first = self.fields.len();
            let (seen_bytes, fields) = (&bytes[..seen], &mut self.fields);
            match csv::next_row(seen_bytes, at, self.delimiter, width, fields) {
                Next::Record { start, next } => {
                    let ends_a_line = matches!(bytes[next - 1], b'\n' | b'\r');
                    if next == bytes.len() && !block.last && !ends_a_line {
                        self.fields.cut_back(first);
                        out.leftover = Some(start);
                        break;
                    }
                    self.take(first, start, next, out);
                    at = next;
                }
                Next::Unclosed { start }
                    if !block.last && bytes.len() - start < MAX_RECORD_BYTES =>
                {
                    out.leftover = Some(start);
                    break;
                }
                Next::Unclosed { start } => {
                    at = csv::line_end(bytes, start);
                    self.take_unclosed(first, start, at, out);
                    by_lines = true;
                }
                Next::End if seen < bytes.len() => at = seen,
                Next::End => break,
            }
        }
        let (text, ends) = self.fields.into_parts();
        // Every record was checked.
        let text = String::from_utf8(text)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Cells {
            text,
            ends,
            records: self.records,
        }
    }

    /// Takes the record whose fields are those from `first` on, where it is a row; else forgets them.
    fn take(&mut self, first: usize, start: usize, end: usize, out: &mut Converted) {
        let (fields, width) = (&self.fields, self.header.len());
        let bytes = &self.block.bytes[start..end];
        let is_blank = fields.text_from(first).trim_ascii().is_empty();
        if is_blank || csv::repeats(self.header, fields, first) {
            // No record: a row of delimiters, or the header of a file that was joined to this one.
        } else if csv::is_no_row(width, fields, first) {
            out.remark(csv::NO_ROWS);
        } else if csv::is_other_header(self.header, fields, first) {
            out.reject(start, csv::OTHER_HEADER, bytes);
        } else if width > 1 && fields.len() == first + 1 && csv::are_pairs(fields.text_from(first))
        {
            out.reject(start, csv::PAIRS, bytes);
        } else if std::str::from_utf8(fields.text_from(first)).is_ok() {
            return self.keep(first, start, end, out);
        } else if self.fields.read_as_windows(first) {
            out.remark(csv::WINDOWS);
            return self.keep(first, start, end, out);
        } else {
            out.reject(start, "not valid UTF-8", bytes);
        }
        self.fields.cut_back(first);
    }

    /// Takes the line of a quote that nothing closes, where it is a row all the same.
    fn take_unclosed(&mut self, first: usize, start: usize, end: usize, out: &mut Converted) {
        let line = &self.block.bytes[start..end];
        if closes(line, self.delimiter, self.header.len(), &mut self.fields) {
            self.keep(first, start, end, out);
        } else if line.trim_ascii() != b"\"" {
            out.reject(start, "a quote is opened and never closed", line);
        }
    }

    fn keep(&mut self, first: usize, start: usize, end: usize, out: &mut Converted) {
        self.records.push(CellRecord {
            number: out.records,
            first,
            offset: start,
            length: end - start,
        });
        // Keeps the numbers of good and bad records in one sequence.
        out.records += 1;
    }
}

/// Takes the fields of a line with one quote too many at its end, where it is a whole row without it.
fn closes(line: &[u8], delimiter: u8, width: usize, fields: &mut Fields) -> bool {
    let first = fields.len();
    let Some(line) = line.trim_ascii_end().strip_suffix(b"\"") else {
        return false;
    };
    let read = csv::next_record(line, 0, delimiter, fields);
    let whole = matches!(read, Next::Record { next, .. } if next == line.len())
        && fields.len() - first == width
        && std::str::from_utf8(fields.text_from(first)).is_ok();
    if !whole {
        fields.cut_back(first);
    }
    whole
}

/// Why a row does not fit its header: cells that no column names, or too few cells to know that only the last are missing, which Excel
/// leaves out where they are empty.
fn misfit<'c>(
    values: impl Iterator<Item = &'c str>,
    columns: usize,
    has_time: impl Fn(usize, &str) -> bool,
) -> Option<String> {
    let (mut width, mut timed, mut surplus) = (0, false, false);
    for (i, value) in values.enumerate() {
        width += 1;
        timed |= i < columns && has_time(i, value);
        surplus |= i >= columns && !value.trim().is_empty();
    }
    let fits = match width >= columns {
        true => !surplus,
        false => width > 1 && timed,
    };
    (!fits).then(|| format!("row has {width} columns, the header {columns}"))
}

/// What is to be said of rows that are shorter than their header.
const SHORT: &str = "rows have fewer cells than the header: those at the end are taken as empty";

/// A CSV block whose records were found.
struct CsvBlock<'b> {
    format: &'b Arc<Format>,
    block: &'b Block,
    cells: Cells,
}

/// Converts a CSV block.
pub(super) fn cells(format: &Arc<Format>, block: &Block, delimiter: u8, out: &mut Converted) {
    let csv = CsvBlock {
        format,
        block,
        cells: CellReader::new(format, block, delimiter).read(out),
    };
    let mut total = out.records;
    match &format.kind {
        Kind::AuditCell {
            audit,
            time,
            extra,
            width,
        } => {
            let order = format.order;
            let room = csv.cells.text.len();
            let audit_cells = AuditCells {
                csv: &csv,
                audit: *audit,
                time: *time,
                extra,
                width: *width,
                rows: TableRows::with_capacity(table("UnifiedAuditLog"), order, room),
            };
            audit_cells.convert(out);
        }
        Kind::AuditFlat { names } => csv.flat_audit(names, out),
        Kind::Cells {
            table,
            targets,
            named,
        } => csv.table_rows(table, targets, *named, out),
        Kind::WrappedCell { cell, names, .. } => total += csv.wrapped(*cell, names, out),
        // Detection gives a CSV no other kind.
        Kind::Audit
        | Kind::AuditWrapped
        | Kind::Objects { .. }
        | Kind::Streamed
        | Kind::Recast { .. }
        | Kind::Wrapped { .. } => {}
    }
    out.records = total;
    let buffer = csv.cells.text.into_bytes();
    if buffer.capacity() <= KEPT_BUFFER {
        BUFFER.set(buffer);
    }
}

impl CsvBlock<'_> {
    /// The bytes of a record.
    fn raw(&self, record: &CellRecord) -> &[u8] {
        &self.block.bytes[record.offset..record.offset + record.length]
    }

    /// Rejects a record that was counted when it was found.
    fn reject(&self, record: &CellRecord, reason: impl Into<String>, out: &mut Converted) {
        out.records = record.number;
        out.reject(record.offset, reason, self.raw(record));
    }

    /// Rows with a column for each field of the audit record.
    fn flat_audit(&self, names: &[String], out: &mut Converted) {
        let (format, cells) = (self.format, &self.cells);
        let mut rows = TableRows::new(table("UnifiedAuditLog"), format.order);
        let made = names.iter().position(|name| suffixed::is_time(name));
        let is_suffixed = format.why.contains(suffixed::WHY);
        let asked = format.time_column.as_deref();
        let asked = asked.and_then(|c| format.header.iter().position(|n| is_named(n, c)));
        for (r, record) in cells.records.iter().enumerate() {
            let has_time = |i: usize, value: &str| {
                Some(i) == made && time::parse(value, format.order).is_some()
            };
            let (values, width) = cells.of(r);
            if let Some(reason) = misfit(values, names.len(), has_time) {
                self.reject(record, reason, out);
                continue;
            }
            if cells.of(r).0.any(is_cut) {
                out.remark(CUT);
            }
            let text = object_of(names, cells.of(r).0);
            let fallback = asked
                .and_then(|i| cells.of(r).0.nth(i))
                .and_then(|t| time::parse(t, format.order));
            let made = is_suffixed.then(|| suffixed::record(&text)).flatten();
            let mut row = Row::new(rows.table);
            if made.is_some() {
                let values = names.iter().zip(cells.of(r).0);
                for (name, value) in values.filter(|(_, value)| !value.is_empty()) {
                    row.extra_quietly(name, &Slot::Text(value.into()));
                }
            }
            let text = made.as_deref().unwrap_or(&text);
            let number = record.number as i64;
            match audit::push(text, &mut row, &mut rows, number, fallback) {
                Err(refusal) => self.reject(record, refusal.to_string(), out),
                Ok(()) if width < names.len() => out.remark(SHORT),
                Ok(()) => {}
            }
        }
        if recast::lacks_record(&format.why) && !rows.is_empty() {
            *out.remarks.entry(recast::LACKING).or_default() += rows.len() as u64;
        }
        out.tables.push(rows);
    }

    /// Rows of a table, or of several whose names stand in a column.
    fn table_rows(
        &self,
        table: &'static Table,
        targets: &[Target],
        named: Option<usize>,
        out: &mut Converted,
    ) {
        let (format, cells) = (self.format, &self.cells);
        let mut several = Several::new(format, table, targets, named);
        let by_row = format::by_row(format);
        for (r, record) in cells.records.iter().enumerate() {
            let (mut values, _) = cells.of(r);
            let says = named.and_then(|i| values.nth(i)).unwrap_or_default();
            let says = match &by_row {
                Some(by_row) if says.is_empty() => by_row.table(cells.of(r).0),
                _ => says,
            };
            let own = match several.of(says, out) {
                Ok(own) => own,
                Err(reason) => {
                    self.reject(record, reason, out);
                    continue;
                }
            };
            let (values, width) = cells.of(r);
            let has_time = |i: usize, value: &str| {
                tells_time(own.table, &own.targets[i]) && time::parse(value, format.order).is_some()
            };
            if width != targets.len()
                && let Some(reason) = misfit(values, targets.len(), has_time)
            {
                self.reject(record, reason, out);
                continue;
            }
            if width < targets.len() {
                out.remark(SHORT);
            }
            for (column, value) in cells.of(r).0.enumerate() {
                if is_cut(value) {
                    out.remark(CUT);
                }
                if !value.is_empty() {
                    own.set(column, Slot::Text(value.into()));
                }
            }
            own.push(record.number as i64);
        }
        several.finish(out);
    }

    /// Rows of another tool with a record in a cell. Gives how many records more there were than rows.
    fn wrapped(&self, cell: usize, names: &[String], out: &mut Converted) -> u64 {
        let records = self.cells.records.iter().enumerate();
        let rows: Vec<CellRow<'_>> = records
            .map(|(r, record)| CellRow {
                values: self.cells.of(r).0.collect(),
                number: record.number,
                offset: record.offset,
                raw: self.raw(record),
            })
            .collect();
        wrapped::cells(self.format, (cell, names), &rows, out)
    }
}

/// Rows of a CSV with the audit record in a cell.
struct AuditCells<'b> {
    csv: &'b CsvBlock<'b>,
    /// Column of the record.
    audit: usize,
    /// Column of the export's own time.
    time: Option<usize>,
    /// Columns kept beside the record, with their names.
    extra: &'b [(usize, String)],
    /// Columns of the header.
    width: usize,
    rows: TableRows,
}

impl<'b> AuditCells<'b> {
    fn convert(mut self, out: &mut Converted) {
        let csv = self.csv;
        let mut row = Row::new(self.rows.table);
        let mut values: Vec<&'b str> = Vec::new();
        for (r, record) in csv.cells.records.iter().enumerate() {
            values.clear();
            values.extend(csv.cells.of(r).0);
            self.keep_beside(&values, &mut row);
            let cell = self.time.and_then(|t| values.get(t)).copied();
            let fallback = || cell.and_then(|t| time::parse(t, csv.format.order));
            let text = values.get(self.audit).copied().unwrap_or("");
            let before = self.rows.len();
            let number = record.number as i64;
            let mut pushed = audit::push_or(text, &mut row, &mut self.rows, number, &fallback);
            if let Err(refusal) = pushed {
                pushed = self.push_otherwise(refusal, record, &values, fallback());
            }
            if let Err(refusal) = pushed {
                csv.reject(record, audit_reason(&refusal, text), out);
            } else if r < CLOCKS
                && self.rows.len() > before
                && let (Some(cell), Some(Some(own))) = (fallback(), self.rows.times.last())
            {
                out.shift = out.shift.and(shift(cell, *own));
            }
        }
        out.tables.push(self.rows);
    }

    /// Adds a record that was refused where it can be read in another way: out of another tool's object, mended, or put together
    /// again from the cells that its commas made of it.
    fn push_otherwise(
        &mut self,
        refusal: audit::Refusal,
        record: &CellRecord,
        values: &[&str],
        fallback: Option<i64>,
    ) -> Result<(), audit::Refusal> {
        let text = values.get(self.audit).copied().unwrap_or("");
        let in_cell = match &refusal {
            audit::Refusal::Json(_) => {
                wrappers::audit_record(text).or_else(|| mended::object(text))
            }
            audit::Refusal::NotAudit => wrappers::audit_record(text),
            audit::Refusal::Empty => None,
        };
        let is_in_cell = in_cell.is_some();
        let json = in_cell.or_else(|| match &refusal {
            audit::Refusal::Json(_) if values.len() > self.width => spread(self.csv.raw(record)),
            _ => None,
        });
        let Some(json) = json else {
            return Err(refusal);
        };
        let mut own = Row::new(self.rows.table);
        match is_in_cell {
            true => {
                self.keep_beside(values, &mut own);
                own.extra_quietly("AuditData", &Slot::Text(text.into()));
            }
            // What follows is the record's.
            false => self.keep_beside(&values[..self.audit], &mut own),
        }
        let number = record.number as i64;
        audit::push(&json, &mut own, &mut self.rows, number, fallback)
    }

    /// Keeps the cells beside an audit record.
    fn keep_beside(&self, values: &[&str], row: &mut Row<'_>) {
        for (i, name) in self.extra {
            if let Some(text) = values.get(*i).filter(|t| !t.is_empty()) {
                row.extra_quietly(name, &Slot::Text((*text).into()));
            }
        }
        for (i, text) in values.iter().enumerate().skip(self.width) {
            if !text.trim().is_empty() {
                let name = format!("column {}", i + 1);
                row.extra_quietly(&name, &Slot::Text((*text).into()));
            }
        }
    }
}

/// How far the export's own time is from that of its record.
fn shift(cell: i64, own: i64) -> Shift {
    // The cell has whole seconds.
    let minutes = (cell.div_euclid(1_000_000) - own.div_euclid(1_000_000)) / 60;
    match minutes % 15 {
        0 => Shift::Minutes(minutes),
        _ => Shift::Mixed,
    }
}

/// The record that ends a row without quotes round it, or with escaped ones in it, so that its commas made cells of it.
fn spread(row: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(row).ok()?;
    if let Some(at) = behind::object(row) {
        return Some(text.get(at..)?.trim_end().to_string());
    }
    let (begin, end) = (text.find(r#""{\""#)?, text.rfind("}\"")?);
    mended::object(text.get(begin + 1..=end)?)
}
