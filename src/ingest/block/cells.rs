//! Records that are rows of cells: CSV, W3C logs, and rows of query answers.

use std::sync::Arc;

use super::super::columns::{Filler, Target, target};
use super::super::csv::{self, Fields, Next};
use super::super::detect::{Format, Kind};
use super::super::rows::{Row, Slot, TableRows};
use super::super::{MAX_RECORD_BYTES, audit, json, time};
use super::{Block, Converted, Shift};
use crate::catalog::table;
use crate::text::json as plain;

/// Excel cuts a cell after this many characters.
const EXCEL_CELL: usize = 32_767;

/// Rows of a block whose two clocks are compared.
const CLOCKS: usize = 16;

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
        match plain::strict(value).filter(|_| nested) {
            Some(json) => out.push_str(&json),
            None => plain::quote(value, &mut out),
        }
    }
    out.push('}');
    out
}

/// Says why an audit record is refused, with what is known of exports that damage it.
fn audit_reason(refusal: &audit::Refusal, text: &str) -> String {
    match refusal {
        audit::Refusal::Json(_) if text.chars().count() == EXCEL_CELL => {
            format!("{refusal}: the cell was cut by Excel at 32,767 characters")
        }
        audit::Refusal::Json(_) if text.len() == 3060 => {
            format!("{refusal}: old exports cut AuditData at 3,060 characters")
        }
        _ => refusal.to_string(),
    }
}

/// Records of a CSV block: all cells, without quotes, one after the other.
struct Cells {
    text: String,
    ends: Vec<usize>,
    records: Vec<CellRecord>,
}

struct CellRecord {
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

fn read_cells(block: &Block, delimiter: u8, out: &mut Converted) -> Cells {
    let bytes = &block.bytes;
    let mut fields = Fields::with_capacity(bytes.len());
    let mut records: Vec<CellRecord> = Vec::new();
    let mut at = 0;
    // After a quote that nothing closes, records end with their line: looking for the quote again and again would take for ever.
    let mut by_lines = false;
    loop {
        let seen = match by_lines {
            true => line_end(bytes, at),
            false => bytes.len(),
        };
        let first = fields.len();
        match csv::next_record(&bytes[..seen], at, delimiter, &mut fields) {
            Next::Record { start, next } => {
                if next == bytes.len() && !block.last && bytes[next - 1] != b'\n' {
                    fields.cut_back(first);
                    out.leftover = Some(start);
                    break;
                }
                if std::str::from_utf8(fields.text_from(first)).is_err() {
                    fields.cut_back(first);
                    out.reject(start, "not valid UTF-8", &bytes[start..next]);
                } else {
                    records.push(CellRecord {
                        first,
                        offset: start,
                        length: next - start,
                    });
                    // Keeps the numbers of good and bad records in one sequence.
                    out.records += 1;
                }
                at = next;
            }
            Next::Unclosed { start } if !block.last && bytes.len() - start < MAX_RECORD_BYTES => {
                out.leftover = Some(start);
                break;
            }
            Next::Unclosed { start } => {
                let end = line_end(bytes, start);
                out.reject(
                    start,
                    "a quote is opened and never closed",
                    &bytes[start..end],
                );
                at = end;
                by_lines = true;
            }
            Next::End if seen < bytes.len() => at = seen,
            Next::End => break,
        }
    }
    let (text, ends) = fields.into_parts();
    // Every record was checked.
    let text = String::from_utf8(text)
        .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    Cells {
        text,
        ends,
        records,
    }
}

/// First byte after the line that `at` stands in.
fn line_end(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |i| at + i + 1)
}

pub(super) fn cells(format: &Arc<Format>, block: &Block, delimiter: u8, out: &mut Converted) {
    let cells = read_cells(block, delimiter, out);
    // Numbers that rejected records took while the block was split.
    let mut taken = out.rejects.iter().map(|r| r.record).peekable();
    let mut number = 0u64;
    let mut numbers = Vec::with_capacity(cells.records.len());
    for _ in 0..cells.records.len() {
        while taken.next_if_eq(&number).is_some() {
            number += 1;
        }
        numbers.push(number);
        number += 1;
    }
    drop(taken);
    let total = out.records;
    match &format.kind {
        Kind::AuditCell {
            audit,
            time,
            extra,
            width,
        } => {
            let table = table("UnifiedAuditLog");
            let mut rows = TableRows::with_capacity(table, format.order, cells.text.len());
            let mut row = Row::new(table);
            let mut values: Vec<&str> = Vec::new();
            for (r, record) in cells.records.iter().enumerate() {
                values.clear();
                values.extend(cells.of(r).0);
                for (i, name) in extra {
                    if let Some(text) = values.get(*i).filter(|t| !t.is_empty()) {
                        row.extra_quietly(name, &Slot::Text((*text).into()));
                    }
                }
                let fallback = time
                    .and_then(|t| values.get(t))
                    .and_then(|t| time::parse(t, format.order));
                for (i, text) in values.iter().enumerate().skip(*width) {
                    if !text.is_empty() {
                        row.extra_quietly(
                            &format!("column {}", i + 1),
                            &Slot::Text((*text).into()),
                        );
                    }
                }
                let text = values.get(*audit).copied().unwrap_or("");
                let before = rows.len();
                if let Err(refusal) =
                    audit::push(text, &mut row, &mut rows, numbers[r] as i64, fallback)
                {
                    let raw = &block.bytes[record.offset..record.offset + record.length];
                    out.records = numbers[r];
                    out.reject(record.offset, audit_reason(&refusal, text), raw);
                } else if r < CLOCKS
                    && rows.len() > before
                    && let (Some(cell), Some(Some(own))) = (fallback, rows.times.last())
                {
                    // The cell has whole seconds.
                    let minutes = (cell.div_euclid(1_000_000) - own.div_euclid(1_000_000)) / 60;
                    out.shift = out.shift.and(match minutes % 15 {
                        0 => Shift::Minutes(minutes),
                        _ => Shift::Mixed,
                    });
                }
            }
            out.tables.push(rows);
        }
        Kind::AuditFlat { names } => {
            let mut rows = TableRows::new(table("UnifiedAuditLog"), format.order);
            for (r, record) in cells.records.iter().enumerate() {
                let (values, width) = cells.of(r);
                let raw = &block.bytes[record.offset..record.offset + record.length];
                out.records = numbers[r];
                if width != names.len() {
                    let reason = format!("row has {width} columns, the header {}", names.len());
                    out.reject(record.offset, reason, raw);
                    continue;
                }
                let text = object_of(names, values);
                let mut row = Row::new(rows.table);
                if let Err(refusal) =
                    audit::push(&text, &mut row, &mut rows, numbers[r] as i64, None)
                {
                    out.reject(record.offset, refusal.to_string(), raw);
                }
            }
            out.tables.push(rows);
        }
        Kind::Cells {
            table,
            targets,
            named,
        } => {
            let mut rows = TableRows::new(table, format.order);
            let mut filler = Filler::new(table, format.order, format.zone);
            for (r, record) in cells.records.iter().enumerate() {
                let (mut values, _) = cells.of(r);
                let other = named
                    .and_then(|i| values.nth(i))
                    .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(table.name))
                    .map(str::to_string);
                drop(values);
                if let Some(other) = other {
                    let raw = &block.bytes[record.offset..record.offset + record.length];
                    out.records = numbers[r];
                    out.reject(
                        record.offset,
                        format!("row of table `{other}` in a file of {}", table.name),
                        raw,
                    );
                    continue;
                }
                let (values, width) = cells.of(r);
                if width != targets.len() {
                    let raw = &block.bytes[record.offset..record.offset + record.length];
                    out.records = numbers[r];
                    out.reject(
                        record.offset,
                        format!("row has {width} columns, the header {}", targets.len()),
                        raw,
                    );
                    continue;
                }
                for (target, value) in targets.iter().zip(values) {
                    if !value.is_empty() {
                        filler.set(target, Slot::Text(value.into()));
                    }
                }
                filler.push(&mut rows, numbers[r] as i64);
            }
            out.tables.push(rows);
        }
        // Detection gives a CSV no other kind.
        Kind::Audit | Kind::AuditWrapped | Kind::Objects { .. } | Kind::Streamed => {}
    }
    out.records = total;
}

/// What follows the last `#Fields:` that begins a line.
pub(super) fn last_fields(bytes: &[u8]) -> Option<Vec<u8>> {
    const MARK: &[u8] = b"#Fields:";
    let mut end = bytes.len();
    while let Some(at) = memchr::memmem::rfind(&bytes[..end], MARK) {
        if at == 0 || bytes[at - 1] == b'\n' {
            let line = &bytes[at + MARK.len()..];
            let stop = memchr::memchr(b'\n', line).unwrap_or(line.len());
            return Some(line[..stop].to_vec());
        }
        end = at;
    }
    None
}

pub(super) fn lines_of_tabs(format: &Arc<Format>, block: &Block, out: &mut Converted) {
    let Kind::Cells { table, targets, .. } = &format.kind else {
        return;
    };
    let mut filler = Filler::new(table, format.order, format.zone);
    let mut rows = TableRows::new(table, format.order);
    let mut at = 0;
    let columns = |line: &[u8]| -> Vec<Target> {
        let names = String::from_utf8_lossy(line);
        let names = names.trim().split('\t');
        names.map(|n| target(table, n.trim())).collect()
    };
    // Logs that were joined may change their fields on the way.
    let mut targets = match &block.fields {
        Some(line) => columns(line),
        None => targets.clone(),
    };
    while at < block.bytes.len() {
        let end = memchr::memchr(b'\n', &block.bytes[at..]).map_or(block.bytes.len(), |i| at + i);
        let raw = &block.bytes[at..end];
        let offset = at;
        at = end + 1;
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        if let Some(fields) = raw.strip_prefix(b"#Fields:") {
            targets = columns(fields);
        }
        if raw.trim_ascii().is_empty() || raw.starts_with(b"#") {
            continue;
        }
        let Ok(line) = std::str::from_utf8(raw) else {
            out.reject(offset, "not valid UTF-8", raw);
            continue;
        };
        let width = line.split('\t').count();
        // Empty columns at the end of a line may be missing.
        if width > targets.len() || width < 6 {
            out.reject(
                offset,
                format!("line has {width} columns, `#Fields:` {}", targets.len()),
                raw,
            );
            continue;
        }
        for (target, value) in targets.iter().zip(line.split('\t')) {
            filler.set(target, Slot::Text(value.into()));
        }
        filler.push(&mut rows, out.records as i64);
        out.records += 1;
    }
    out.tables.push(rows);
}

/// Rows that are JSON arrays, as in query answers.
pub(super) fn rows_of_arrays(format: &Arc<Format>, block: &Block, out: &mut Converted) {
    let Kind::Cells {
        table,
        targets,
        named,
    } = &format.kind
    else {
        return;
    };
    let mut filler = Filler::new(table, format.order, format.zone);
    let mut rows = TableRows::new(table, format.order);
    for (start, end) in block.records.iter().flatten() {
        let bytes = &block.bytes[*start..*end];
        let Ok(text) = std::str::from_utf8(bytes) else {
            out.reject(*start, "not valid UTF-8", bytes);
            continue;
        };
        let mut width = 0;
        let mut other = None;
        let walked = json::elements(text, |i, raw| {
            width = i + 1;
            if Some(i) == *named {
                other = raw
                    .text()
                    .filter(|t| !t.is_empty() && !t.eq_ignore_ascii_case(table.name));
            }
            if let Some(target) = targets.get(i) {
                filler.set(target, raw.into());
            }
        });
        let reason = match (walked, other) {
            (Err(fault), _) => fault.to_string(),
            (_, Some(other)) => format!("row of table `{other}` in a file of {}", table.name),
            _ if width != targets.len() => {
                format!("row has {width} columns, the header {}", targets.len())
            }
            _ => {
                filler.push(&mut rows, out.records as i64);
                out.records += 1;
                continue;
            }
        };
        filler.clear();
        out.reject(*start, reason, bytes);
    }
    out.tables.push(rows);
}
