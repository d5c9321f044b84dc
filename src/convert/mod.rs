//! From exports to the archive: reads inputs, converts blocks on all cores, drops repeats, writes files, commits.
//!
//! One thread reads and cuts; rayon converts blocks and writes Parquet; the calling thread puts blocks back into
//! their order and decides about repeats, so that the outcome does not depend on timing. Blocks in flight and rows waiting to be written
//! are limited by the memory that they take, whatever the size of the input and the number of files and days. A panic while a file is
//! read or converted is said as a fault of coldtrail, and the rest goes on; one while a file of the archive is written ends the ingest.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use crate::archive::Archive;
use crate::archive::ledger::{Entry, Status};
use crate::catalog::Table;
use crate::error::{Error, Result};
use crate::ingest::block::{self, Block, Pool};
use crate::ingest::detect::{self, Format, Hints};
use crate::ingest::input::{Found, Input};
use crate::ingest::time::DateOrder;
use crate::progress::Progress;

mod caught;
mod merge;
mod message;
mod permits;
mod pieces;
mod read;
mod revisions;
mod store;
mod tally;
#[cfg(test)]
mod tests;
mod waiting;
mod watchlists;

pub use tally::Tally;
pub use watchlists::{Planned as PlannedList, notes as watchlist_notes, plan as plan_watchlists};

use merge::Merge;
use permits::Permits;
use pieces::{Convert, Pieces};
use read::Reader;
use store::Store;

/// How to ingest.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The time of this run, in microseconds.
    pub now: i64,
    /// What the user said about the inputs.
    pub hints: Hints,
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
    /// Those that changed since they were read last, told by path, size and time alone: what did not change is not hashed.
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
    /// Files that had been ingested before.
    pub known: Vec<ReadBefore>,
    /// Watchlists that were taken into the archive, and whether there was another one of that name.
    pub watchlists: Vec<(String, bool)>,
    /// Files of watchlists that were left out, and why.
    pub refused: Vec<(String, String)>,
    /// What is to be said of watchlists that were taken, by file.
    pub list_notes: Vec<(String, String)>,
    /// Why records are in quarantine, and the first place of each reason.
    pub reasons: Tally,
    /// Events that stay without a time.
    pub untimed: u64,
}

/// A file that was read in an earlier ingest, as far as it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBefore {
    /// The file, as it is named now.
    pub file: String,
    /// The number of that ingest.
    pub ingest: i64,
    /// How reading ended then. What was broken is broken still.
    pub status: Status,
    /// Why, where it was not read whole.
    pub note: String,
}

impl ReadBefore {
    fn of(file: String, entry: &Entry) -> Self {
        ReadBefore {
            file,
            ingest: entry.id,
            status: entry.status,
            note: match entry.status {
                Status::Complete => String::new(),
                _ => entry.note.clone(),
            },
        }
    }
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

    /// Whether something could not be read, now or before.
    pub fn is_incomplete(&self) -> bool {
        let is_broken = |e: &Entry| e.status != Status::Complete || e.quarantined > 0;
        self.untimed > 0
            || !self.refused.is_empty()
            || self.entries.iter().any(is_broken)
            || self.known.iter().any(|k| k.status != Status::Complete)
    }
}

/// Blocks in flight, for each core.
const BLOCKS_PER_CORE: usize = 2;

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
    ingest_with(block::convert, archive, found, options, progress)
}

fn ingest_with(
    convert: Convert,
    archive: &Archive,
    found: &Found,
    options: &Options,
    progress: &Arc<dyn Progress>,
) -> Result<Summary> {
    let lock = archive.lock(|| progress.step("waiting for another ingest into this archive"))?;
    let snapshot = Arc::new(archive.begin(options.now, &lock)?);
    let ledger = Arc::clone(&snapshot.ledger);
    let existing = |name: &str| watchlists::stored(archive.root(), name);
    let (inputs, lists) = watchlists::sorted(found);
    let watchlists = watchlists::check(&lists, &existing);
    if options.fault == Fault::Stop
        && let Some((file, reason)) = watchlists.refused.first()
    {
        return Err(Error::Unusable {
            path: file.into(),
            reason: reason.clone(),
        });
    }
    let mut summary = Summary {
        watchlists: (watchlists.taken.iter())
            .map(|w| (w.name.clone(), w.replaces.is_some()))
            .collect(),
        refused: watchlists.refused,
        list_notes: watchlists.remarks,
        ..Summary::default()
    };
    let total = inputs
        .iter()
        .map(Input::size)
        .try_fold(0, |sum, size| size.map(|s| sum + s));
    progress.total_bytes(total);
    let permits = Arc::new(Permits::new(
        block::BLOCK_BYTES * (BLOCKS_PER_CORE * rayon::current_num_threads() + 1),
    ));
    let pool = Arc::new(Pool::default());
    let (send, receive) = mpsc::channel();
    let reader = Reader {
        inputs,
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
    let mut store = Store::new(archive, &lock, snapshot, options.now);
    store.take(watchlists.taken);
    let summing = &mut summary;
    let mut merge = Merge::new(store, pool, send, summing, ledger, options, convert);
    let outcome = merge.run(&receive);
    // Whatever happened, the reader must not wait for permits that nobody gives back.
    permits.open();
    if let Err(e) = &outcome {
        merge.abandon(&receive, e);
    }
    drop((merge, receive));
    let read = thread.join();
    outcome?;
    read.map_err(|_| merge::lost())?;
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
    /// Whether it has the column of the time that the user named.
    pub timed: bool,
}

/// Tells what inputs are, without reading more of them than that takes.
///
/// # Errors
/// When the archive's ledger cannot be read.
pub fn plan(archive: Option<&Archive>, found: &Found, hints: &Hints) -> Result<Vec<Planned>> {
    let snapshot = archive
        .map(Archive::snapshot)
        .transpose()?
        .unwrap_or_default();
    let ledger = &snapshot.ledger;
    let mut out = Vec::new();
    for input in &watchlists::sorted(found).0 {
        read::plan(input, ledger, hints, &mut out);
    }
    Ok(out)
}

fn order_name(order: Option<DateOrder>) -> &'static str {
    match order {
        None => "",
        Some(DateOrder::MonthFirst) => "month first",
        Some(DateOrder::DayFirst) => "day first",
    }
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
            time_column: None,
            header: Vec::new(),
            called: None,
        });
        let block = Block {
            bytes: record.to_string().into_bytes(),
            last: true,
            ..Block::default()
        };
        let pieces = Pieces::of(block::convert, &format, &block);
        if let Some(reject) = pieces.rejects.first() {
            return Err(Error::Usage(format!("event {}: {}", i + 1, reject.reason)));
        }
        for rows in &pieces.tables {
            let batch = store::with_lineage(rows, &rows.table.schema(), 1, i as u64)?;
            match out.iter_mut().find(|(t, _)| std::ptr::eq(*t, rows.table)) {
                Some((_, batches)) => batches.push(batch),
                None => out.push((rows.table, vec![batch])),
            }
        }
    }
    Ok(out)
}
