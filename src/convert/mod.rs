//! From exports to the archive: reads inputs, converts blocks on all cores, drops repeats, writes files, commits.
//!
//! One thread reads and cuts; rayon converts blocks and writes Parquet; the calling thread puts blocks back into
//! their order and decides about repeats, so that the outcome does not depend on timing. Blocks in flight and rows waiting to be written
//! are limited by the memory that they take, whatever the size of the input and the number of files and days. A panic while a file is
//! read, a block is converted, or its rows are stored is said as a fault of coldtrail, and the rest goes on.

use std::collections::HashSet;
use std::sync::{Arc, mpsc};

use crate::archive::{Archive, Lock, derived, part};
use crate::catalog::{self, Table};
use crate::fault::{Error, Result};
use crate::ingest::block::{self, Block, Pool};
use crate::ingest::format::{self, Format, Hints};
use crate::ingest::input::{Found, Input};
use crate::progress::{Progress, Silent};
use crate::text::counted;

mod blocks;
mod caught;
mod merge;
mod message;
mod permits;
mod read;
mod recognise;
mod revisions;
mod spoiled;
mod steps;
mod store;
mod summary;
mod tally;
#[cfg(test)]
mod tests;
mod waiting;
mod watchlists;
mod writer;

pub use recognise::Planned;
pub use store::identity;
pub use summary::{Choice, Fault, Options, ReadBefore, Summary};
pub use tally::Tally;
pub use watchlists::{
    Made as MadeList, Planned as PlannedList, notes as watchlist_notes, plan as plan_watchlists,
};

use blocks::Pieces;
use caught::caught;
use merge::Merge;
use permits::Permits;
use read::Reader;
use spoiled::Failing;
use steps::Steps;
use store::Store;
use watchlists::{Stored, Taken};

/// Blocks in flight, for each core.
const BLOCKS_PER_CORE: usize = 2;

/// What an ingest does to rows.
const STEPS: Steps = Steps {
    convert: block::convert,
    place: store::with_lineage,
    write: part::write,
};

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
    ingest_with(STEPS, archive, found, options, progress)
}

fn ingest_with(
    steps: Steps,
    archive: &Archive,
    found: &Found,
    options: &Options,
    progress: &Arc<dyn Progress>,
) -> Result<Summary> {
    let lock = archive.lock(|| progress.step("waiting for another ingest into this archive"))?;
    let mut summary = Summary::default();
    let mut failing = Failing::new();
    loop {
        let pass = Pass {
            steps,
            archive,
            lock: &lock,
            found,
            options,
            progress,
            failing: &failing,
        };
        let more = pass.run(&mut summary)?;
        if more.is_empty() {
            break;
        }
        let before = failing.len();
        let told = cannot_leave_out(&more);
        failing.extend(more);
        if failing.len() == before {
            // It fails without them too.
            return Err(told);
        }
        progress.step("reading once more, without blocks that cannot be stored");
    }
    if !failing.is_empty() {
        // Members of an archive that were committed before it was read once more.
        let own: HashSet<i64> = summary.entries.iter().map(|e| e.id).collect();
        summary.known.retain(|known| !own.contains(&known.ingest));
    }
    Ok(summary)
}

/// Puts a watchlist that is made of the archive's own into its place, as one commit: `make` is given the list as it is while nobody else writes,
/// and says what it is to be, or nothing where it stays. The ledger keeps the hash of the one that goes. `name` is that of the file, such as
/// `Labels.csv`.
///
/// # Errors
/// When the archive's list cannot be read, the archive cannot be written, and what `make` says.
pub fn change_list(
    archive: &Archive,
    name: &str,
    now: i64,
    progress: &dyn Progress,
    make: impl FnOnce(Option<&[u8]>) -> Result<Option<MadeList>>,
) -> Result<bool> {
    let lock = archive.lock(|| progress.step("waiting for another ingest into this archive"))?;
    let snapshot = derived::begin(archive, now, &lock, progress)?;
    let own = stored_list(archive, name)?;
    let content = own.as_ref().map(|list| list.content.as_slice());
    let Some(made) = make(content)? else {
        return Ok(false);
    };
    let mut store = Store::new(archive, &lock, Arc::new(snapshot), now, STEPS);
    store.take(vec![Taken::made(name, made, own)]);
    store.commit(&mut Vec::new())?;
    Ok(true)
}

/// The content of an archive's watchlist, by the name of its file in whatever case; nothing where it has none.
///
/// # Errors
/// When it cannot be read.
pub fn list_of(archive: &Archive, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(stored_list(archive, name)?.map(|list| list.content))
}

fn stored_list(archive: &Archive, name: &str) -> Result<Option<Stored>> {
    watchlists::stored(archive.root(), name).map_err(|reason| Error::Unusable {
        path: archive.root().to_path_buf(),
        reason,
    })
}

/// The inputs are read and what is in them is committed, or read until coldtrail fails on blocks of them.
struct Pass<'a> {
    steps: Steps,
    archive: &'a Archive,
    lock: &'a Lock,
    found: &'a Found,
    options: &'a Options,
    progress: &'a Arc<dyn Progress>,
    /// Blocks on which it fails, as far as that is known.
    failing: &'a Failing,
}

impl Pass<'_> {
    /// Reads and commits; returns blocks on which coldtrail fails. Where there are any, what is not in the summary's entries was not committed.
    fn run(&self, summary: &mut Summary) -> Result<Failing> {
        let (archive, options) = (self.archive, self.options);
        let snapshot = derived::begin(archive, options.now, self.lock, &**self.progress)?;
        let snapshot = Arc::new(snapshot);
        let ledger = Arc::clone(&snapshot.ledger);
        let existing = |name: &str| watchlists::stored(archive.root(), name);
        let (mut inputs, lists) = watchlists::sorted(self.found);
        let watchlists = watchlists::check(&lists, &existing);
        if options.fault == Fault::Stop
            && let Some((file, reason)) = watchlists.refused.first()
        {
            return Err(Error::Unusable {
                path: file.into(),
                reason: reason.clone(),
            });
        }
        let mut progress = Arc::clone(self.progress);
        if self.failing.is_empty() {
            summary.watchlists = (watchlists.taken.iter())
                .map(|w| (w.name.clone(), w.replaces.is_some()))
                .collect();
            summary.refused = watchlists.refused;
            summary.list_notes = watchlists.remarks;
            summary.emptied = watchlists.emptied;
            let total = inputs
                .iter()
                .map(Input::size)
                .try_fold(0, |sum, size| size.map(|s| sum + s));
            progress.total_bytes(total);
        } else {
            inputs = self.left(inputs, summary)?;
            summary.known.clear();
            // Its bytes are told already.
            progress = Arc::new(Silent);
        }
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
            progress,
        };
        let thread = std::thread::Builder::new()
            .name("read".into())
            .spawn(move || reader.run())
            .map_err(Error::io("start a thread for", archive.root()))?;
        let mut store = Store::new(archive, self.lock, snapshot, options.now, self.steps);
        store.take(watchlists.taken);
        let mut merge = Merge::new(store, pool, send, summary, ledger, options, self.failing);
        let outcome = caught(|| merge.run(&receive)).unwrap_or_else(|fault| {
            Err(Error::Unusable {
                path: archive.root().to_path_buf(),
                reason: format!("the ingest failed: {fault}"),
            })
        });
        // Whatever happened, the reader must not wait for permits that nobody gives back.
        permits.open();
        if let Err(e) = &outcome {
            merge.abandon(&receive, e);
        }
        drop((merge, receive));
        let read = thread.join();
        let failing = outcome?;
        read.map_err(|_| merge::lost())?;
        Ok(failing)
    }

    /// What is to be read once more: not what was committed.
    fn left(&self, inputs: Vec<Input>, summary: &Summary) -> Result<Vec<Input>> {
        let done: HashSet<&str> = summary.entries.iter().map(|e| e.file.as_str()).collect();
        let is_open = |input: &Input| !done.contains(input.name().as_str());
        let left: Vec<Input> = inputs.into_iter().filter(is_open).collect();
        match left.iter().any(Input::is_pipe) {
            // It is gone.
            true => Err(cannot_leave_out(self.failing)),
            false => Ok(left),
        }
    }
}

/// Says that blocks cannot be stored, nor left out.
fn cannot_leave_out(failing: &Failing) -> Error {
    let Some(((file, offset), why)) = failing.first_key_value() else {
        return merge::lost();
    };
    let more = match failing.len() {
        1 => String::new(),
        n => format!(", and {} more", counted(n as u64 - 1, "block")),
    };
    Error::Unusable {
        path: file.into(),
        reason: format!(
            "the block at byte {offset} {why}{more}: the file was not added, nor what was read with it"
        ),
    }
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
        recognise::plan(input, ledger, hints, &mut out);
    }
    Ok(out)
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
        let (table, called) = match catalog::catalog().get(name) {
            Some(table) => (table, None),
            // As in an export: rows of a table that is not stored are kept under its name.
            None if format::is_unknown_table(name, false) => {
                (catalog::table(format::OTHER), Some(name.clone()))
            }
            None => {
                return Err(Error::NoTable {
                    name: name.clone(),
                    known: Vec::new(),
                });
            }
        };
        let kind = match table.name {
            "UnifiedAuditLog" => format::Kind::Audit,
            _ => format::Kind::Objects { table },
        };
        let format = Arc::new(Format {
            container: format::Container::JsonLines,
            kind,
            why: String::new(),
            order: None,
            order_open: false,
            zone: None,
            time_column: None,
            header: Vec::new(),
            called,
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
