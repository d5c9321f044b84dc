//! A file in blocks that end at record boundaries, and a block converted to rows on one core.

use std::io::Read;
use std::sync::Arc;

use super::audit;
use super::columns::{Filler, Target};
use super::csv::{self, Field, Next};
use super::detect::{Container, Format, Kind};
use super::json::{self, Raw};
use super::rows::{Row, Slot, TableRows};
use super::{MAX_RECORD_BYTES, Reject, time};
use crate::catalog::{Table, catalog, table};

/// Bytes read before a block is cut: large enough to keep a core busy, small enough that all blocks in flight stay within the
/// memory budget (benches/ingest.rs).
pub const BLOCK_BYTES: usize = 4 << 20;

/// Bytes of a rejected record that are kept.
const REJECT_BYTES: usize = 1 << 20;

/// A piece of a file.
#[derive(Debug, Default)]
pub struct Block {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where records are, when the reader had to find them in order to cut.
    pub records: Option<Vec<(usize, usize)>>,
    /// Where the block begins in the decompressed file.
    pub offset: u64,
    /// Whether nothing follows.
    pub last: bool,
    /// Whether a record was too long and the block had to be cut inside it.
    pub too_long: bool,
}

/// Reads a stream block by block.
pub struct Blocks<R> {
    reader: R,
    buffer: Vec<u8>,
    offset: u64,
    ended: bool,
    cutter: json::Cutter,
    /// The rest of a line that was too long is still to be passed over.
    skip_line: bool,
    /// Why reading stopped early, if it did.
    pub failure: Option<std::io::Error>,
}

impl<R: Read> Blocks<R> {
    /// Starts to read; [`Blocks::head`] shows the first bytes. `offset` is that of the first byte (after a byte order mark).
    pub fn new(reader: R, offset: u64) -> Self {
        Blocks {
            reader,
            buffer: Vec::new(),
            offset,
            ended: false,
            cutter: json::Cutter::default(),
            skip_line: false,
            failure: None,
        }
    }

    /// Reads until the buffer holds `size` bytes or the stream ends.
    fn fill(&mut self, size: usize) {
        while !self.ended && self.buffer.len() < size {
            let from = self.buffer.len();
            self.buffer.resize(size, 0);
            match self.reader.read(&mut self.buffer[from..]) {
                Ok(n) => {
                    self.buffer.truncate(from + n);
                    self.ended = n == 0;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {
                    self.buffer.truncate(from);
                }
                Err(e) => {
                    self.buffer.truncate(from);
                    self.failure = Some(e);
                    self.ended = true;
                }
            }
        }
    }

    /// The first bytes, for detection.
    pub fn head(&mut self) -> &[u8] {
        self.fill(BLOCK_BYTES);
        &self.buffer
    }

    /// Looks for records under a key of an outer object.
    pub fn within(&mut self, key: &'static str, once: bool) {
        self.cutter = json::Cutter::within(key, once);
    }

    /// Drops the first bytes (a CSV header).
    pub fn skip(&mut self, bytes: usize) {
        self.buffer.drain(..bytes);
        self.offset += bytes as u64;
    }

    /// The stream, after reading.
    pub fn into_reader(self) -> R {
        self.reader
    }

    /// The next block, or nothing after the last.
    pub fn next_block(&mut self, container: &Container) -> Option<Block> {
        let mut want = BLOCK_BYTES;
        loop {
            self.fill(want);
            if self.skip_line {
                let line = memchr::memchr(b'\n', &self.buffer);
                self.skip_line = line.is_none();
                self.skip(line.map_or(self.buffer.len(), |i| i + 1));
                if !self.ended || !self.buffer.is_empty() {
                    continue;
                }
            }
            if self.ended {
                if self.buffer.is_empty() {
                    return None;
                }
                let json = matches!(
                    container,
                    Container::JsonValues | Container::JsonEnvelope { .. }
                );
                let records = json.then(|| {
                    self.cutter.scan(&self.buffer);
                    let (mut found, cut) = self.cutter.take(&self.buffer);
                    // What is still open when the file ends is a record too: a broken one.
                    if self.cutter.is_open() && !self.buffer[cut..].trim_ascii().is_empty() {
                        found.push((cut, self.buffer.len()));
                    }
                    found
                });
                let size = self.buffer.len();
                return Some(self.cut(size, records, true, false));
            }
            let (cut, records) = match container {
                Container::Csv { .. } => (csv::cut(&self.buffer), None),
                Container::JsonLines | Container::W3c => {
                    (memchr::memrchr(b'\n', &self.buffer).map(|i| i + 1), None)
                }
                Container::JsonValues | Container::JsonEnvelope { .. } => {
                    if self.cutter.scan(&self.buffer).is_empty() && self.cutter.is_open() {
                        (None, None)
                    } else {
                        let (found, cut) = self.cutter.take(&self.buffer);
                        (Some(cut), Some(found))
                    }
                }
            };
            if let Some(cut) = cut.filter(|c| *c > 0) {
                return Some(self.cut(cut, records, false, false));
            }
            if self.buffer.len() >= MAX_RECORD_BYTES {
                let size = self.buffer.len();
                match container {
                    // Quotes do not add up. Conversion finds out where records end; any line end does for a cut.
                    Container::Csv { .. } => {
                        let at = memchr::memrchr(b'\n', &self.buffer).map_or(size, |i| i + 1);
                        return Some(self.cut(at, None, false, false));
                    }
                    Container::JsonLines | Container::W3c => self.skip_line = true,
                    Container::JsonValues | Container::JsonEnvelope { .. } => {
                        if self.cutter.abandon() {
                            // Its beginning was told before.
                            self.skip(size);
                            continue;
                        }
                    }
                }
                return Some(self.cut(size, None, false, true));
            }
            want = (want * 2).min(MAX_RECORD_BYTES);
        }
    }

    fn cut(
        &mut self,
        at: usize,
        records: Option<Vec<(usize, usize)>>,
        last: bool,
        too_long: bool,
    ) -> Block {
        let rest = self.buffer.split_off(at);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let block = Block {
            offset: self.offset,
            records,
            last,
            too_long,
            bytes,
        };
        self.offset += block.bytes.len() as u64;
        block
    }
}

/// A block as rows.
#[derive(Default)]
pub struct Converted {
    /// Rows, per table.
    pub tables: Vec<TableRows>,
    /// Records that could not be converted.
    pub rejects: Vec<Reject>,
    /// Records seen, good and bad.
    pub records: u64,
    /// A quote is open at the end of the block: from here on the bytes belong to the next block.
    pub leftover: Option<usize>,
}

impl Converted {
    fn reject(&mut self, offset: usize, reason: impl Into<String>, bytes: &[u8]) {
        self.rejects.push(Reject {
            record: self.records,
            offset,
            reason: reason.into(),
            content: bytes[..bytes.len().min(REJECT_BYTES)].to_vec(),
            length: bytes.len(),
        });
        self.records += 1;
    }

    fn rows(&mut self, table: &'static Table, format: &Format) -> &mut TableRows {
        let i = match self
            .tables
            .iter()
            .position(|t| std::ptr::eq(t.table, table))
        {
            Some(i) => i,
            None => {
                self.tables.push(TableRows::new(table, format.order));
                self.tables.len() - 1
            }
        };
        &mut self.tables[i]
    }
}

/// Converts a block.
pub fn convert(format: &Arc<Format>, block: &Block) -> Converted {
    let mut out = Converted::default();
    if block.too_long {
        out.reject(
            0,
            format!("record is longer than {} MiB", MAX_RECORD_BYTES >> 20),
            &block.bytes,
        );
        return out;
    }
    match &format.container {
        Container::Csv { delimiter, .. } => cells(format, block, *delimiter, &mut out),
        Container::W3c => lines_of_tabs(format, block, &mut out),
        Container::JsonLines => {
            let mut objects = Objects::new(format);
            let mut at = 0;
            while at < block.bytes.len() {
                let end =
                    memchr::memchr(b'\n', &block.bytes[at..]).map_or(block.bytes.len(), |i| at + i);
                let line = block.bytes[at..end].trim_ascii();
                if !line.is_empty() {
                    objects.add(line, at, &mut out);
                }
                at = end + 1;
            }
        }
        Container::JsonValues | Container::JsonEnvelope { .. } => {
            if let Kind::Cells { .. } = &format.kind {
                rows_of_arrays(format, block, &mut out);
                return out;
            }
            let mut objects = Objects::new(format);
            for (start, end) in block.records.iter().flatten() {
                let bytes = block.bytes[*start..*end].trim_ascii();
                let parts = match objects.can_read(bytes) {
                    true => Vec::new(),
                    // A stray quote swallows the records after it: they begin on lines of their own.
                    false => lines_that_begin_alike(&block.bytes, *start, *end),
                };
                if parts.len() < 2 {
                    objects.add(bytes, *start, &mut out);
                }
                for (start, end) in parts {
                    let part = block.bytes[start..end].trim_ascii();
                    let part = part.strip_suffix(b"]").unwrap_or(part).trim_ascii_end();
                    let part = part.strip_suffix(b",").unwrap_or(part);
                    objects.add(part, start, &mut out);
                }
            }
        }
    }
    out
}

/// Cuts a broken record at the lines that begin as its first one does: the same blanks and `{`.
fn lines_that_begin_alike(bytes: &[u8], start: usize, end: usize) -> Vec<(usize, usize)> {
    let line = memchr::memrchr(b'\n', &bytes[..start]).map_or(0, |i| i + 1);
    let indent = &bytes[line..start];
    if !indent.iter().all(u8::is_ascii_whitespace) {
        return Vec::new();
    }
    let mut begins = vec![start];
    for i in memchr::memchr_iter(b'\n', &bytes[start..end]) {
        let next = start + i + 1;
        let rest = &bytes[next..end];
        if rest.starts_with(indent) && rest.get(indent.len()) == Some(&b'{') {
            begins.push(next + indent.len());
        }
    }
    let ends = begins[1..].iter().copied().chain([end]);
    begins.iter().copied().zip(ends).collect()
}

/// Excel cuts a cell after this many characters.
const EXCEL_CELL: usize = 32_767;

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
    let mut text: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut ends = Vec::new();
    let mut records: Vec<CellRecord> = Vec::new();
    let mut fields: Vec<Field> = Vec::new();
    let mut at = 0;
    // After a quote that nothing closes, records end with their line: looking for the quote again and again would take for ever.
    let mut by_lines = false;
    loop {
        let seen = match by_lines {
            true => line_end(bytes, at),
            false => bytes.len(),
        };
        match csv::next_record(&bytes[..seen], at, delimiter, &mut fields) {
            Next::Record { start, next } => {
                if next == bytes.len() && !block.last && bytes[next - 1] != b'\n' {
                    out.leftover = Some(start);
                    break;
                }
                let first = ends.len();
                let begin = text.len();
                for field in &fields {
                    text.extend_from_slice(&field.content(bytes));
                    ends.push(text.len());
                }
                if std::str::from_utf8(&text[begin..]).is_err() {
                    text.truncate(begin);
                    ends.truncate(first);
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

fn cells(format: &Arc<Format>, block: &Block, delimiter: u8, out: &mut Converted) {
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
            let mut rows = TableRows::new(table, format.order);
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
                if let Err(refusal) =
                    audit::push(text, &mut row, &mut rows, numbers[r] as i64, fallback)
                {
                    let raw = &block.bytes[record.offset..record.offset + record.length];
                    out.records = numbers[r];
                    out.reject(record.offset, audit_reason(&refusal, text), raw);
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
            let mut filler = Filler::new(table, format.order);
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

fn lines_of_tabs(format: &Arc<Format>, block: &Block, out: &mut Converted) {
    let Kind::Cells { table, targets, .. } = &format.kind else {
        return;
    };
    let mut filler = Filler::new(table, format.order);
    let mut rows = TableRows::new(table, format.order);
    let mut at = 0;
    let mut moved = false;
    while at < block.bytes.len() {
        let end = memchr::memchr(b'\n', &block.bytes[at..]).map_or(block.bytes.len(), |i| at + i);
        let raw = &block.bytes[at..end];
        let offset = at;
        at = end + 1;
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        if let Some(fields) = raw.strip_prefix(b"#Fields:") {
            let names = String::from_utf8_lossy(fields);
            let here: Vec<Target> = names
                .trim()
                .split('\t')
                .map(|n| super::columns::target(table, n.trim()))
                .collect();
            moved = here != *targets;
        }
        if raw.trim_ascii().is_empty() || raw.starts_with(b"#") {
            continue;
        }
        if moved {
            out.reject(offset, "line after another `#Fields:` than the first", raw);
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
fn rows_of_arrays(format: &Arc<Format>, block: &Block, out: &mut Converted) {
    let Kind::Cells {
        table,
        targets,
        named,
    } = &format.kind
    else {
        return;
    };
    let mut filler = Filler::new(table, format.order);
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

/// Converts JSON records.
struct Objects<'f, 'a> {
    format: &'f Arc<Format>,
    audit: Row<'a>,
    fillers: Vec<(&'static Table, Filler<'a>)>,
}

impl<'f, 'a> Objects<'f, 'a> {
    fn new(format: &'f Arc<Format>) -> Self {
        Objects {
            format,
            audit: Row::new(table("UnifiedAuditLog")),
            fillers: Vec::new(),
        }
    }

    /// Whether the bytes are one JSON object.
    fn can_read(&self, bytes: &[u8]) -> bool {
        std::str::from_utf8(bytes).is_ok_and(|t| json::entries(t, |_, _, _| {}).is_ok())
    }

    fn filler(&mut self, table: &'static Table) -> &mut Filler<'a> {
        let i = match self.fillers.iter().position(|f| std::ptr::eq(f.0, table)) {
            Some(i) => i,
            None => {
                self.fillers
                    .push((table, Filler::new(table, self.format.order)));
                self.fillers.len() - 1
            }
        };
        &mut self.fillers[i].1
    }

    fn add(&mut self, bytes: &'a [u8], offset: usize, out: &mut Converted) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            out.reject(offset, "not valid UTF-8", bytes);
            return;
        };
        let added = match &self.format.kind {
            Kind::Audit => self.audit_record(text, out),
            Kind::AuditWrapped => self.wrapped(text, out),
            Kind::Objects { table } => self.object(table, text, out),
            Kind::Streamed => self.streamed(text, out),
            // Detection gives JSON no other kind.
            Kind::AuditCell { .. } | Kind::Cells { .. } => Err("not of this container".into()),
        };
        match added {
            Ok(()) => out.records += 1,
            Err(reason) => out.reject(offset, reason, bytes),
        }
    }

    fn audit_record(&mut self, text: &'a str, out: &mut Converted) -> Result<(), String> {
        let record = out.records as i64;
        let rows = out.rows(table("UnifiedAuditLog"), self.format);
        audit::push(text, &mut self.audit, rows, record, None).map_err(|refusal| match refusal {
            // Here the record is the whole text, not a cell called AuditData.
            audit::Refusal::Json(fault) => fault.to_string(),
            other => other.to_string(),
        })
    }

    fn wrapped(&mut self, text: &'a str, out: &mut Converted) -> Result<(), String> {
        let mut inner = None;
        let mut fallback = None;
        let order = self.format.order;
        let mut others: Vec<(String, Slot<'a>)> = Vec::new();
        json::entries(text, |key, raw, _| match key.as_ref() {
            "AuditData" | "auditData" => inner = Some(raw),
            "CreationDate" | "createdDateTime" => {
                fallback = raw.text().and_then(|t| time::parse(&t, order));
            }
            other if super::detect::repeats_the_record(other) => {}
            other => others.push((other.to_string(), raw.into())),
        })
        .map_err(|fault| fault.to_string())?;
        for (name, value) in &others {
            if !value.text().is_empty() {
                self.audit.extra_quietly(name, value);
            }
        }
        let record = out.records as i64;
        let rows = out.rows(table("UnifiedAuditLog"), self.format);
        let pushed = match inner {
            Some(Raw::Other(json)) => audit::push(json, &mut self.audit, rows, record, fallback),
            Some(Raw::Text {
                inner,
                escaped: false,
            }) => audit::push(inner, &mut self.audit, rows, record, fallback),
            Some(Raw::Text { inner, .. }) => {
                let text = json::unescape(inner);
                let mut row = Row::new(rows.table);
                for (name, value) in others.iter().filter(|o| !o.1.text().is_empty()) {
                    row.extra_quietly(name, value);
                }
                self.audit.clear();
                audit::push(&text, &mut row, rows, record, fallback)
            }
            Some(Raw::Null) | None => {
                self.audit.clear();
                Err(audit::Refusal::Empty)
            }
        };
        pushed.map_err(|refusal| refusal.to_string())
    }

    fn object(
        &mut self,
        default: &'static Table,
        text: &'a str,
        out: &mut Converted,
    ) -> Result<(), String> {
        let mut own = None;
        if default.position("Type").is_some() {
            // Rows of several tables may stand in one file.
            json::entries(text, |key, raw, _| {
                if key == "Type" {
                    own = raw.text();
                }
            })
            .map_err(|fault| fault.to_string())?;
        }
        let chosen = match own.as_deref().filter(|t| !t.is_empty()) {
            None => default,
            Some(name) => catalog()
                .get(name)
                .filter(|t| t.by_day)
                .ok_or_else(|| format!("table `{name}` is not known"))?,
        };
        let filler = self.filler(chosen);
        filler.set_object(text).map_err(|f| f.to_string())?;
        let record = out.records as i64;
        let rows = out.rows(chosen, self.format);
        // The borrow of `self` ends above; take the filler again.
        let i = self
            .fillers
            .iter()
            .position(|f| std::ptr::eq(f.0, chosen))
            .expect("it was made above");
        self.fillers[i].1.push(rows, record);
        Ok(())
    }

    fn streamed(&mut self, text: &'a str, out: &mut Converted) -> Result<(), String> {
        let mut category = None;
        let mut properties = None;
        let mut transport: Vec<(String, Slot<'a>)> = Vec::new();
        json::entries(text, |key, raw, _| match key.as_ref() {
            "category" => category = raw.text(),
            "properties" => properties = Some(raw),
            // It says `Publish` always.
            "operationName" => {}
            other => transport.push((other.to_string(), raw.into())),
        })
        .map_err(|fault| fault.to_string())?;
        let category = category.ok_or("no `category`: not of the streaming API")?;
        let name = category
            .strip_prefix("AdvancedHunting-")
            .unwrap_or(&category);
        let chosen = catalog()
            .get(name)
            .filter(|t| t.by_day)
            .ok_or_else(|| format!("table `{name}` is not known"))?;
        let Some(Raw::Other(properties)) = properties else {
            return Err("no `properties` object".into());
        };
        let filler = self.filler(chosen);
        filler.set_object(properties).map_err(|f| f.to_string())?;
        for (name, value) in &transport {
            match (name.as_str(), chosen.position("TenantId")) {
                ("tenantId", Some(i)) => filler.set(&Target::Column(i), value.clone()),
                _ => filler.transport(name, value),
            }
        }
        let record = out.records as i64;
        let rows = out.rows(chosen, self.format);
        let i = self
            .fillers
            .iter()
            .position(|f| std::ptr::eq(f.0, chosen))
            .expect("it was made above");
        self.fillers[i].1.push(rows, record);
        Ok(())
    }
}
