//! From exports to the archive: reads inputs, converts blocks on all cores, drops repeats, writes files, commits.
//!
//! One thread reads and cuts; rayon converts blocks and writes Parquet; the calling thread puts blocks back into
//! their order and decides about repeats, so that the outcome does not depend on timing. Blocks in flight and rows waiting to be written
//! are limited by the memory that they take, whatever the size of the input and the number of files and days. A panic while a file is
//! read or converted is said as a fault of coldtrail, and the rest goes on; one while a file of the archive is written ends the ingest.

use std::sync::{Arc, mpsc};

use crate::archive::Archive;
use crate::catalog::Table;
use crate::fault::{Error, Result};
use crate::ingest::block::{self, Block, Pool};
use crate::ingest::format::{self, Format, Hints};
use crate::ingest::input::{Found, Input};
use crate::progress::Progress;

mod blocks;
mod caught;
mod merge;
mod message;
mod permits;
mod read;
mod recognise;
mod revisions;
mod store;
mod summary;
mod tally;
#[cfg(test)]
mod tests;
mod waiting;
mod watchlists;

pub use recognise::Planned;
pub use summary::{Choice, Fault, Options, ReadBefore, Summary};
pub use tally::Tally;
pub use watchlists::{Planned as PlannedList, notes as watchlist_notes, plan as plan_watchlists};

use blocks::{Convert, Pieces};
use merge::Merge;
use permits::Permits;
use read::Reader;
use store::Store;

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
        let table = crate::catalog::catalog()
            .get(name)
            .ok_or_else(|| Error::NoTable {
                name: name.clone(),
                known: Vec::new(),
            })?;
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
