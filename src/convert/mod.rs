//! From exports to the archive: reads inputs, converts blocks on all cores, drops repeats, writes files, commits.
//!
//! One thread reads and cuts; rayon converts blocks and writes Parquet; the calling thread puts blocks back into
//! their order and decides about repeats, so that the outcome does not depend on timing. Blocks in flight and rows waiting to be written
//! are limited in bytes, whatever the size of the input.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use crate::archive::ledger::{self, Entry, Status};
use crate::archive::{Archive, part};
use crate::catalog::Table;
use crate::error::{Error, Result};
use crate::ingest::block::{self, Block, Pool, Shift};
use crate::ingest::detect::{self, Format, Hints};
use crate::ingest::input::{Found, Input};
use crate::ingest::time::DateOrder;
use crate::progress::Progress;

mod pieces;
mod read;
mod store;

use pieces::Pieces;
use read::{Permits, Reader};
use store::Store;

/// How to ingest.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The time of this run, in microseconds.
    pub now: i64,
    /// What the user said about the inputs.
    pub hints: Hints,
    /// Whether a watchlist of other content is replaced.
    pub clobber: bool,
    /// Which files are read.
    pub choice: Choice,
    /// What a record or file that cannot be read does.
    pub fault: Fault,
}

/// Which of the inputs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// Those whose content was not read before.
    #[default]
    New,
    /// Those that changed since they were read last, told by name, size and time alone: nothing is hashed.
    SinceLast,
    /// All; events that are there already count as repeats.
    Again,
}

/// What a record or file that cannot be read does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// It is kept aside and counted.
    #[default]
    Quarantine,
    /// It ends the ingest, which then adds nothing.
    Stop,
}

/// What became of the inputs.
#[derive(Debug, Default)]
pub struct Summary {
    /// Files that were read now.
    pub entries: Vec<Entry>,
    /// Files that had been ingested before, with the number of that ingest.
    pub known: Vec<(String, i64)>,
    /// Watchlists that were taken into the archive.
    pub watchlists: Vec<String>,
    /// Why records are in quarantine: reason, how many, the first place.
    pub reasons: BTreeMap<String, (u64, String)>,
}

impl Summary {
    /// Sum over the files.
    pub fn sum(&self, of: impl Fn(&Entry) -> u64) -> u64 {
        self.entries.iter().map(of).sum()
    }

    /// Events added, per table.
    pub fn tables(&self) -> BTreeMap<&str, u64> {
        let mut out = BTreeMap::new();
        for (table, n) in self.entries.iter().flat_map(|e| &e.tables) {
            *out.entry(table.as_str()).or_insert(0) += n;
        }
        out
    }

    /// Earliest and latest event, in microseconds.
    pub fn times(&self) -> Option<(i64, i64)> {
        self.entries
            .iter()
            .filter_map(|e| e.times)
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Whether something could not be read.
    pub fn is_incomplete(&self) -> bool {
        self.entries
            .iter()
            .any(|e| e.status != Status::Complete || e.quarantined > 0)
    }
}

/// Blocks in flight, for each core.
const BLOCKS_PER_CORE: usize = 2;
/// Input after which what was read is committed, at the end of a file.
const COMMIT_BYTES: u64 = 2 << 30;

/// Reads inputs into an archive.
///
/// # Errors
/// When an input cannot be opened or the archive cannot be written. Bad records and files of unknown content are no errors: they are
/// in the summary, the ledger and the quarantine.
pub fn ingest(
    archive: &Archive,
    found: &Found,
    options: &Options,
    progress: &Arc<dyn Progress>,
) -> Result<Summary> {
    let lock = archive.lock(|| progress.step("waiting for another ingest into this archive"))?;
    let ledger = ledger::read(archive)?;
    archive.clean(&ledger, &lock)?;
    let mut summary = Summary {
        watchlists: take_watchlists(archive, &found.watchlists, options.clobber)?,
        ..Summary::default()
    };
    let total = found
        .inputs
        .iter()
        .map(Input::size)
        .try_fold(0, |sum, size| size.map(|s| sum + s));
    progress.total_bytes(total);
    let ledger = Arc::new(ledger);
    let permits = Arc::new(Permits::new(
        block::BLOCK_BYTES * (BLOCKS_PER_CORE * rayon::current_num_threads() + 1),
    ));
    let pool = Arc::new(Pool::default());
    let (send, receive) = mpsc::channel();
    let reader = Reader {
        inputs: found.inputs.clone(),
        hints: options.hints.clone(),
        choice: options.choice,
        ledger: Arc::clone(&ledger),
        permits: Arc::clone(&permits),
        pool: Arc::clone(&pool),
        send: send.clone(),
        progress: Arc::clone(progress),
    };
    let thread = std::thread::Builder::new()
        .name("read".into())
        .spawn(move || reader.run())
        .map_err(Error::io("start a thread for", archive.root()))?;
    let store = Store::new(archive, Arc::clone(&ledger), options.now);
    let outcome = Merge {
        store,
        permits: Arc::clone(&permits),
        pool,
        send,
        summary: &mut summary,
        now: options.now,
        fault: options.fault,
        files: Vec::new(),
        uncommitted: 0,
    }
    .run(&receive);
    // Whatever happened, the reader must not wait for permits that nobody gives back.
    permits.open();
    drop(receive);
    let read = thread.join();
    outcome?;
    read.map_err(|_| lost())?;
    Ok(summary)
}

/// What a file would be taken for.
#[derive(Debug)]
pub struct Planned {
    /// The file.
    pub file: String,
    /// The ingest in which it was read already.
    pub known: Option<i64>,
    /// What its records are, and why.
    pub kind: String,
    /// Container, packing and encoding.
    pub container: String,
    /// How dates without a fixed form are read.
    pub dates: String,
    /// Whether it can be read.
    pub status: Status,
    /// Why not, and warnings.
    pub note: String,
}

/// Tells what inputs are, without reading more of them than that takes.
///
/// # Errors
/// When the archive's ledger cannot be read.
pub fn plan(archive: Option<&Archive>, found: &Found, hints: &Hints) -> Result<Vec<Planned>> {
    let ledger = archive.map(ledger::read).transpose()?.unwrap_or_default();
    let mut out = Vec::new();
    for input in &found.inputs {
        read::plan(input, &ledger, hints, &mut out);
    }
    Ok(out)
}

/// Copies watchlists into the archive; returns their names.
fn take_watchlists(archive: &Archive, files: &[PathBuf], clobber: bool) -> Result<Vec<String>> {
    let folder = archive.root().join("watchlists");
    let mut names = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default();
        let target = folder.join(name);
        let content = std::fs::read(file).map_err(Error::io("read", file))?;
        if target.exists() {
            let old = std::fs::read(&target).map_err(Error::io("read", &target))?;
            if old == content {
                continue;
            }
            if !clobber {
                return Err(Error::Exists(target));
            }
        }
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let staged = target.with_extension("csv.part");
        std::fs::write(&staged, &content).map_err(Error::io("write", &staged))?;
        std::fs::rename(&staged, &target).map_err(Error::io("write", &target))?;
        names.push(name.to_string_lossy().into_owned());
    }
    Ok(names)
}

/// What the merging thread hears, each with its place in the order.
enum Message {
    Begin {
        input: String,
        format: Option<Arc<Format>>,
        packing: (&'static str, &'static str),
    },
    Converted {
        block: Box<Block>,
        pieces: Box<Pieces>,
    },
    Finish(Box<Finish>),
    /// The file was ingested before.
    Known {
        input: String,
        ingest: i64,
    },
    /// Reading cannot go on at all.
    Failed(Error),
    Done,
}

struct Finish {
    digest: Result<(u64, String)>,
    failure: Option<io::Error>,
    status: Status,
    note: String,
}

enum Event {
    /// The reading thread panicked.
    Lost,
    /// A block to convert.
    Convert(u64, Arc<Format>, Box<Block>),
    InOrder(u64, Message),
    /// Rows of a table were written; they took so many bytes in memory.
    Written(u64, Box<(&'static str, Result<part::Part>)>),
}

/// A file that is being merged.
struct Current {
    entry: Entry,
    format: Option<Arc<Format>>,
    /// Bytes after a quote that was still open at the end of a block.
    carry: Option<Block>,
    /// How often a content occurred in this file, for tables without identities.
    contents: hashbrown::HashMap<(&'static str, u128), u32>,
    /// Events without a time.
    untimed: u64,
    /// Values that PowerShell flattened.
    flattened: u64,
    /// Rows of tables that are not known.
    unknown: BTreeMap<String, u64>,
    /// How far the export's own times are from those of the records.
    shift: Shift,
}

struct Merge<'a> {
    store: Store<'a>,
    permits: Arc<Permits>,
    pool: Arc<Pool>,
    send: mpsc::Sender<Event>,
    summary: &'a mut Summary,
    now: i64,
    fault: Fault,
    /// Files that were read and not committed yet.
    files: Vec<Entry>,
    uncommitted: u64,
}

impl Merge<'_> {
    fn run(mut self, receive: &mpsc::Receiver<Event>) -> Result<()> {
        let mut waiting: BTreeMap<u64, Message> = BTreeMap::new();
        let mut next = 0;
        let mut current: Option<Current> = None;
        let mut late: VecDeque<Event> = VecDeque::new();
        loop {
            let event = match late.pop_front() {
                Some(event) => event,
                None => receive.recv().map_err(|_| lost())?,
            };
            match event {
                Event::Lost => return Err(lost()),
                Event::Convert(order, format, block) => {
                    let send = self.send.clone();
                    rayon::spawn(move || {
                        let pieces = Box::new(Pieces::new(block::convert(&format, &block)));
                        let message = Message::Converted { block, pieces };
                        // Nobody listens any more when the ingest failed elsewhere.
                        let _ = send.send(Event::InOrder(order, message));
                    });
                }
                Event::Written(bytes, part) => self.store.written(bytes, *part)?,
                Event::InOrder(order, message) => {
                    waiting.insert(order, message);
                }
            }
            // Rows wait in memory while too much is being written.
            while !self.store.is_full()
                && let Some(message) = waiting.remove(&next)
            {
                next += 1;
                match message {
                    Message::Done => {
                        self.commit(receive, &mut late)?;
                        return Ok(());
                    }
                    Message::Failed(e) => return Err(e),
                    Message::Known { input, ingest } => self.summary.known.push((input, ingest)),
                    Message::Begin {
                        input,
                        format,
                        packing,
                    } => current = Some(self.begin(input, format, packing)?),
                    Message::Converted { block, pieces } => {
                        let bytes = block.bytes.len();
                        if let Some(file) = current.as_mut() {
                            self.block(file, *block, *pieces)?;
                        }
                        self.permits.give(bytes);
                    }
                    Message::Finish(finish) => {
                        if let Some(file) = current.take() {
                            self.finish(file, *finish)?;
                        }
                        // A strict ingest adds all or nothing.
                        if self.uncommitted >= COMMIT_BYTES && self.fault != Fault::Stop {
                            self.commit(receive, &mut late)?;
                        }
                    }
                }
            }
        }
    }

    fn begin(
        &mut self,
        input: String,
        format: Option<Arc<Format>>,
        packing: (&'static str, &'static str),
    ) -> Result<Current> {
        let id = self.store.next_id();
        Ok(Current {
            entry: Entry {
                id,
                batch: self.store.batch(),
                file: input,
                sha256: String::new(),
                bytes: 0,
                compression: packing.0.into(),
                encoding: packing.1.into(),
                container: format
                    .as_ref()
                    .map_or(String::new(), |f| f.container.to_string()),
                kind: format
                    .as_ref()
                    .map_or(String::new(), |f| format!("{}: {}", f.kind_name(), f.why)),
                date_order: format.as_ref().map_or("", |f| order_name(f.order)).into(),
                records: 0,
                duplicates: 0,
                revisions: 0,
                quarantined: 0,
                tables: BTreeMap::new(),
                times: None,
                status: Status::Complete,
                note: String::new(),
                at: self.now,
            },
            format,
            carry: None,
            contents: hashbrown::HashMap::new(),
            untimed: 0,
            flattened: 0,
            unknown: BTreeMap::new(),
            shift: Shift::Unknown,
        })
    }

    fn block(&mut self, file: &mut Current, block: Block, pieces: Pieces) -> Result<()> {
        let (block, pieces) = match (file.carry.take(), &file.format) {
            (Some(mut carried), Some(format)) => {
                // The block was converted on the belief that a record begins where it begins.
                carried.bytes.extend_from_slice(&block.bytes);
                carried.last = block.last;
                let pieces = Pieces::new(block::convert(format, &carried));
                (carried, pieces)
            }
            _ => (block, pieces),
        };
        self.add(file, &block, pieces)?;
        self.pool.give(block.bytes);
        Ok(())
    }

    fn add(&mut self, file: &mut Current, block: &Block, pieces: Pieces) -> Result<()> {
        let base = file.entry.records;
        file.flattened += pieces.flattened;
        for (name, rows) in pieces.unknown {
            *file.unknown.entry(name).or_default() += rows;
        }
        file.shift = file.shift.and(pieces.shift);
        if let Some(from) = pieces.leftover {
            file.carry = Some(Block {
                bytes: block.bytes[from..].to_vec(),
                offset: block.offset + from as u64,
                ..Block::default()
            });
        }
        file.entry.records += pieces.records;
        for reject in pieces.rejects {
            file.entry.quarantined += 1;
            let record = base + reject.record + 1;
            let offset = block.offset + reject.offset as u64;
            if self.fault == Fault::Stop {
                return Err(Error::Strict {
                    path: file.entry.file.clone().into(),
                    place: format!("record {record}, byte {offset}: "),
                    reason: reject.reason,
                });
            }
            self.summary
                .reasons
                .entry(kind_of(&reject.reason))
                .or_insert_with(|| {
                    let place = format!("{}, record {record}, byte {offset}", file.entry.file);
                    (0, place)
                })
                .0 += 1;
            self.store
                .quarantine(&file.entry, record as i64, offset as i64, &reject)?;
        }
        for rows in &pieces.tables {
            let added = self
                .store
                .add(&file.entry, base, rows, &mut file.contents)?;
            file.untimed += added.untimed;
            file.entry.duplicates += added.duplicates;
            file.entry.revisions += added.revisions;
            if added.events > 0 {
                *file
                    .entry
                    .tables
                    .entry(added.table.name.to_string())
                    .or_insert(0) += added.events;
            }
            file.entry.times = match (file.entry.times, added.times) {
                (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
                (a, b) => a.or(b),
            };
        }
        self.store.write_full(&self.send);
        Ok(())
    }

    fn finish(&mut self, mut file: Current, finish: Finish) -> Result<()> {
        if let (Some(mut carried), Some(format)) = (file.carry.take(), file.format.clone()) {
            carried.last = true;
            let pieces = Pieces::new(block::convert(&format, &carried));
            self.add(&mut file, &carried, pieces)?;
        }
        let mut entry = file.entry;
        let mut notes = vec![finish.note];
        entry.status = finish.status;
        if let Some(e) = finish.failure {
            entry.status = Status::Incomplete;
            let note = format!("the file breaks off after {} records: {e}", entry.records);
            notes.insert(0, note);
        }
        match finish.digest {
            Ok((bytes, sha256)) => (entry.bytes, entry.sha256) = (bytes, sha256),
            Err(e) => {
                if entry.status == Status::Complete {
                    entry.status = Status::Incomplete;
                }
                notes.push(format!("no hash: {e}"));
            }
        }
        if file.untimed > 0 {
            notes.push(format!("{} events have no time", file.untimed));
        }
        for (name, rows) in file.unknown {
            notes.push(format!(
                "table `{name}` is not known: {rows} of its rows are kept in {}",
                detect::OTHER
            ));
        }
        if file.flattened > 0 {
            notes.push(format!(
                "PowerShell wrote {} nested values as names of types (System.Object[], @{{…}}): what was in them is lost",
                file.flattened
            ));
        }
        if let Shift::Minutes(minutes) = file.shift
            && minutes != 0
        {
            notes.push(format!(
                "CreationDate is {minutes:+} minutes from CreationTime: the export shows local time; CreationTime, which is UTC, counts"
            ));
        }
        notes.retain(|n| !n.is_empty());
        entry.note = notes.join("; ");
        if self.fault == Fault::Stop && entry.status != Status::Complete {
            return Err(Error::Strict {
                path: entry.file.into(),
                place: String::new(),
                reason: entry.note,
            });
        }
        self.uncommitted += entry.bytes;
        self.files.push(entry);
        Ok(())
    }

    fn commit(
        &mut self,
        receive: &mpsc::Receiver<Event>,
        late: &mut VecDeque<Event>,
    ) -> Result<()> {
        self.store.flush(&self.send)?;
        while self.store.is_writing() {
            let event = receive.recv().map_err(|_| lost())?;
            match event {
                Event::Written(bytes, part) => self.store.written(bytes, *part)?,
                Event::Lost => return Err(lost()),
                other => late.push_back(other),
            }
        }
        self.store.commit(&self.files)?;
        self.summary.entries.append(&mut self.files);
        self.uncommitted = 0;
        Ok(())
    }
}

/// A reason without the places in it, so that equal faults are counted together.
fn kind_of(reason: &str) -> String {
    let mut out = String::with_capacity(reason.len());
    let mut words = reason.split(' ').peekable();
    while let Some(word) = words.next() {
        let place = matches!(word, "byte" | "(after");
        out.push_str(word);
        if words.peek().is_some() {
            out.push(' ');
        }
        if place && let Some(next) = words.next_if(|w| w.starts_with(|c: char| c.is_ascii_digit()))
        {
            out.push('…');
            out.push_str(next.trim_start_matches(|c: char| c.is_ascii_digit()));
            if words.peek().is_some() {
                out.push(' ');
            }
        }
    }
    out
}

fn lost() -> Error {
    Error::Usage("the reading thread failed; this is a fault of coldtrail".into())
}

fn order_name(order: Option<DateOrder>) -> &'static str {
    match order {
        None => "",
        Some(DateOrder::MonthFirst) => "month first",
        Some(DateOrder::DayFirst) => "day first",
    }
}

/// What [`Store::add`] did.
struct Added {
    table: &'static Table,
    events: u64,
    duplicates: u64,
    revisions: u64,
    untimed: u64,
    times: Option<(i64, i64)>,
}

/// Converts records in memory, as an ingest would, without an archive and without looking for repeats. For tests of rules.
///
/// # Errors
/// When a table is not known or a record cannot be converted.
pub fn in_memory(
    records: &[(String, serde_json::Value)],
) -> Result<Vec<(&'static Table, Vec<arrow::array::RecordBatch>)>> {
    let mut out: Vec<(&'static Table, Vec<arrow::array::RecordBatch>)> = Vec::new();
    for (i, (name, record)) in records.iter().enumerate() {
        let table = crate::catalog::catalog()
            .get(name)
            .ok_or_else(|| Error::NoTable {
                name: name.clone(),
                known: Vec::new(),
            })?;
        let kind = match table.name {
            "UnifiedAuditLog" => detect::Kind::Audit,
            _ => detect::Kind::Objects { table },
        };
        let format = Arc::new(Format {
            container: detect::Container::JsonLines,
            kind,
            why: String::new(),
            order: None,
            order_open: false,
            zone: None,
        });
        let block = Block {
            bytes: record.to_string().into_bytes(),
            last: true,
            ..Block::default()
        };
        let pieces = Pieces::new(block::convert(&format, &block));
        if let Some(reject) = pieces.rejects.first() {
            return Err(Error::Usage(format!("event {}: {}", i + 1, reject.reason)));
        }
        for rows in &pieces.tables {
            for piece in &rows.pieces {
                let batch = store::with_lineage(rows, piece, 1, i as u64)?;
                match out.iter_mut().find(|(t, _)| std::ptr::eq(*t, rows.table)) {
                    Some((_, batches)) => batches.push(batch),
                    None => out.push((rows.table, vec![batch])),
                }
            }
        }
    }
    Ok(out)
}
