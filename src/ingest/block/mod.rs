//! A file in blocks that end at record boundaries, and a block converted to rows on one core.

use std::io::Read;
use std::sync::{Arc, Mutex};

use super::format::{Container, Format, Kind};
use super::{MAX_RECORD_BYTES, behind, csv, json};
use crate::catalog::spellings;

mod arrays;
mod cells;
mod cut;
mod lists;
mod objects;
mod piece;
mod several;
mod swallowed;
mod w3c;
mod wrapped;

use arrays::rows_of_arrays;
use cells::cells;
use objects::Objects;
pub use piece::{Block, Converted, Shift};
use swallowed::swallowed;
use w3c::lines_of_tabs;

/// Bytes read before a block is cut: large enough to keep a core busy, small enough that all blocks in flight stay within the
/// memory budget (benches/ingest.rs).
pub const BLOCK_BYTES: usize = 2 << 20;

/// Buffers of blocks that were converted, for the next ones: fresh memory has to be cleared by the system first.
#[derive(Debug, Default)]
pub struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
    /// Takes the buffer of a block that nobody needs any more.
    pub fn give(&self, buffer: Vec<u8>) {
        // Larger ones are rare and would only sit there.
        if buffer.capacity() <= 2 * BLOCK_BYTES {
            self.0.lock().expect("nobody panics with it").push(buffer);
        }
    }

    fn take(&self) -> Vec<u8> {
        self.0
            .lock()
            .expect("nobody panics with it")
            .pop()
            .unwrap_or_default()
    }
}

/// Reads a stream block by block.
pub struct Blocks<R> {
    reader: R,
    /// Bytes read before a block is cut.
    size: usize,
    /// What was read and not given away yet is its first `filled` bytes.
    buffer: Vec<u8>,
    filled: usize,
    pool: Arc<Pool>,
    offset: u64,
    mid_line: bool,
    /// The last `#Fields:` line before the buffer.
    fields: Option<Vec<u8>>,
    ended: bool,
    cutter: json::Cutter,
    /// The rest of a line that was too long is still to be passed over.
    skip_line: bool,
    /// Why reading stopped early, if it did.
    pub failure: Option<std::io::Error>,
}

impl<R: Read> Blocks<R> {
    /// Starts to read; [`Blocks::head`] shows the first bytes. `offset` is that of the first byte (after a byte order mark).
    pub fn new(reader: R, offset: u64, pool: Arc<Pool>) -> Self {
        Blocks {
            pool,
            ..Blocks::sized(reader, offset, BLOCK_BYTES)
        }
    }

    /// The same with blocks of another size, for tests.
    pub fn sized(reader: R, offset: u64, size: usize) -> Self {
        Blocks {
            reader,
            size: size.clamp(1, MAX_RECORD_BYTES),
            buffer: Vec::new(),
            filled: 0,
            pool: Arc::default(),
            offset,
            mid_line: false,
            fields: None,
            ended: false,
            cutter: json::Cutter::default(),
            skip_line: false,
            failure: None,
        }
    }

    /// Reads until there are `size` bytes or the stream ends.
    fn fill(&mut self, size: usize) {
        if self.buffer.len() < size && !self.ended {
            self.buffer.resize(size, 0);
        }
        while !self.ended && self.filled < size {
            match self.reader.read(&mut self.buffer[self.filled..size]) {
                Ok(n) => {
                    self.filled += n;
                    self.ended = n == 0;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.failure = Some(e);
                    self.ended = true;
                }
            }
        }
    }

    fn text(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// The first bytes, for detection. Blank ones are passed over where there are more than that: records may come behind them.
    pub fn head(&mut self) -> &[u8] {
        self.fill(BLOCK_BYTES);
        while self.filled >= BLOCK_BYTES && !self.ended && is_blank(self.text()) {
            self.skip(self.filled);
            self.fill(BLOCK_BYTES);
            // The rest of them.
            let blank = self.text().iter().take_while(|b| is_blank(&[**b]));
            let blank = blank.count();
            self.skip(blank);
            self.mid_line = false;
            self.fill(BLOCK_BYTES);
        }
        self.text()
    }

    /// Looks for records under a key of an outer object.
    pub fn within(&mut self, key: &'static str, once: bool) {
        self.cutter = json::Cutter::within(key, once);
    }

    /// Drops the first bytes (a CSV header).
    pub fn skip(&mut self, bytes: usize) {
        self.note_end(bytes);
        self.buffer.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
        self.offset += bytes as u64;
    }

    /// The stream, after reading.
    pub fn into_reader(self) -> R {
        self.reader
    }

    /// The next block, or nothing after the last.
    pub fn next_block(&mut self, container: &Container) -> Option<Block> {
        let mut block = self.next_bytes(container)?;
        if *container == Container::W3c {
            let own = w3c::last_fields(&block.bytes);
            block.fields = match own {
                Some(line) => self.fields.replace(line),
                None => self.fields.clone(),
            };
        }
        Some(block)
    }

    fn next_bytes(&mut self, container: &Container) -> Option<Block> {
        let mut want = self.size;
        loop {
            self.fill(want);
            if self.skip_line {
                let line = memchr::memchr(b'\n', self.text());
                self.skip_line = line.is_none();
                self.skip(line.map_or(self.filled, |i| i + 1));
                if !self.ended || self.filled > 0 {
                    continue;
                }
            }
            if self.ended {
                if self.filled == 0 {
                    self.note_open_list();
                    return None;
                }
                let json = matches!(
                    container,
                    Container::JsonValues | Container::JsonEnvelope { .. }
                );
                let records = json.then(|| {
                    self.cutter.scan(&self.buffer[..self.filled]);
                    let (mut found, cut) = self.cutter.take(&self.buffer[..self.filled]);
                    // What is still open when the file ends is a record too: a broken one.
                    if self.cutter.is_open()
                        && !self.buffer[cut..self.filled].trim_ascii().is_empty()
                    {
                        found.push((cut, self.filled));
                    }
                    found
                });
                self.note_open_list();
                let size = self.filled;
                return Some(self.cut(size, records, true, false));
            }
            let (cut, records) = match container {
                Container::Csv { .. } => (csv::cut(self.text()), None),
                Container::JsonLines | Container::W3c => {
                    (memchr::memrchr(b'\n', self.text()).map(|i| i + 1), None)
                }
                Container::FormatList => (lists::cut(self.text()), None),
                Container::JsonValues | Container::JsonEnvelope { .. } => {
                    if self.cutter.scan(&self.buffer[..self.filled]).is_empty()
                        && self.cutter.is_open()
                    {
                        (None, None)
                    } else {
                        let (found, cut) = self.cutter.take(&self.buffer[..self.filled]);
                        (Some(cut), Some(found))
                    }
                }
            };
            if let Some(cut) = cut.filter(|c| *c > 0) {
                return Some(self.cut(cut, records, false, false));
            }
            if self.filled >= MAX_RECORD_BYTES {
                let size = self.filled;
                match container {
                    // Quotes do not add up. Conversion finds out where records end; any line end does for a cut.
                    Container::Csv { .. } | Container::FormatList => {
                        let at = memchr::memrchr(b'\n', self.text()).map_or(size, |i| i + 1);
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

    /// Notes that the file ends in the list of an answer, between two records: more may have followed.
    fn note_open_list(&mut self) {
        if self.failure.is_none() && self.cutter.is_in_array() && !self.cutter.is_open() {
            let end = std::io::ErrorKind::UnexpectedEof;
            let why = "the list of records has no end";
            self.failure = Some(std::io::Error::new(end, why));
        }
    }

    /// Notes whether what follows these bytes begins a line.
    fn note_end(&mut self, bytes: usize) {
        if let Some(last) = bytes.checked_sub(1) {
            self.mid_line = self.buffer[last] != b'\n';
        }
    }

    fn cut(
        &mut self,
        at: usize,
        records: Option<Vec<(usize, usize)>>,
        last: bool,
        too_long: bool,
    ) -> Block {
        let mid_line = self.mid_line;
        self.note_end(at);
        let mut next = self.pool.take();
        let rest = &self.buffer[at..self.filled];
        if next.len() < rest.len() {
            next.resize(rest.len(), 0);
        }
        next[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
        let mut bytes = std::mem::replace(&mut self.buffer, next);
        bytes.truncate(at);
        let block = Block {
            offset: self.offset,
            records,
            mid_line,
            fields: None,
            last,
            too_long,
            bytes,
        };
        self.offset += block.bytes.len() as u64;
        block
    }
}

/// Whether bytes are no letters: white space, or what a crash or a copy by blocks leaves.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| b.is_ascii_whitespace() || *b == 0)
}

/// Counts names of types in the place of lists and dictionaries: `System.Object[]`, `System.Collections.Hashtable`.
fn names_of_types(bytes: &[u8]) -> u64 {
    const SYSTEM: &[u8] = b"System.";
    let is_name = |at: &usize| {
        let rest = &bytes[at + SYSTEM.len()..];
        let is_whole = *at > 0 && bytes[at - 1] == b'"';
        rest.starts_with(b"Object[]") || (is_whole && rest.starts_with(b"Collections."))
    };
    memchr::memmem::find_iter(bytes, SYSTEM)
        .filter(is_name)
        .count() as u64
}

/// Counts what PowerShell writes for objects that are nested deeper than it was told to go.
fn flattened(kind: &Kind, bytes: &[u8]) -> u64 {
    let count = |mark: &[u8]| memchr::memmem::find_iter(bytes, mark).count() as u64;
    let of_entra = match kind {
        Kind::Cells { table, .. } | Kind::Objects { table } => spellings::of(table.name).is_some(),
        _ => false,
    };
    match of_entra {
        // Objects that it wrote as text are read there.
        true => {
            count(b"System.Object[]")
                + count(b".PowerShell.Models.")
                + count(b"System.Collections.Generic.List`1[Microsoft.")
        }
        false => names_of_types(bytes) + count(b"\"@{"),
    }
}

/// Converts a block.
pub fn convert(format: &Arc<Format>, block: &Block) -> Converted {
    let mut out = Converted {
        flattened: flattened(&format.kind, &block.bytes),
        room: block.bytes.len(),
        ..Converted::default()
    };
    if block.too_long {
        out.reject(
            0,
            format!("record is longer than {} MiB", MAX_RECORD_BYTES >> 20),
            &block.bytes,
        );
        return out;
    }
    if let Kind::Wrapped { wrapper, .. } = &format.kind {
        wrapped::objects(format, wrapper, block, &mut out);
        return out;
    }
    match &format.container {
        Container::Csv { delimiter, .. } => cells(format, block, *delimiter, &mut out),
        Container::W3c => lines_of_tabs(format, block, &mut out),
        Container::FormatList => lists::lists(format, block, &mut out),
        Container::JsonLines => {
            let mut objects = Objects::new(format);
            let mut at = 0;
            while at < block.bytes.len() {
                let end =
                    memchr::memchr(b'\n', &block.bytes[at..]).map_or(block.bytes.len(), |i| at + i);
                let start = csv::next_start(&block.bytes[..end], at);
                let line = block.bytes[start..end].trim_ascii();
                if !line.is_empty() {
                    objects.add_line(line, start, &mut out);
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
                let Err(reason) = objects.try_add(bytes, &mut out) else {
                    continue;
                };
                if behind::is_remark(bytes) || swallowed::is_end(bytes) {
                    out.remark(behind::REMARKS);
                    continue;
                }
                // A stray quote or a lost bracket swallows the records after it.
                let parts = match objects::is_object(bytes) {
                    true => Vec::new(),
                    false => swallowed(block, (*start, *end)),
                };
                if parts.len() < 2 {
                    out.reject(*start, reason, bytes);
                    continue;
                }
                for (start, end) in parts {
                    objects.add(&block.bytes[start..end], start, &mut out);
                }
            }
        }
    }
    out
}
