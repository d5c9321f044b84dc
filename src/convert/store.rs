//! Rows on their way into the archive: repeats are dropped, the rest waits by table and day until a file is worth writing.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use sha2::{Digest, Sha256};

use super::blocks::{Convert, Piece};
use super::message::Event;
use super::revisions;
use super::steps::Steps;
use super::waiting::{Day, PART_BYTES, Picked, Waiting};
use super::watchlists::Taken;
use super::writer::{self, Failed, Wrote};
use crate::archive::derived;
use crate::archive::digest::RowSets;
use crate::archive::keys::{self, Identity, Keys, Known};
use crate::archive::ledger::{self, Entry};
use crate::archive::part::{self, Part};
use crate::archive::{Archive, Lock, Snapshot};
use crate::catalog::{self, FINGERPRINT, INGEST_ID, RECORD, Table};
use crate::fault::Result;
use crate::ingest::Reject;
use crate::ingest::rows::id_key;

/// Memory of rows that wait, over all tables; beyond it the table with the most is written. An export that is in no order has rows of all its days
/// in them: the fewer, the more files a day and the more of an ingest goes into the columns of small files.
const WAITING_BYTES: usize = 128 << 20;
/// Rows that are being written; beyond it no more blocks are merged.
const WRITING_BYTES: u64 = 80 << 20;

/// Identities of new events in memory, over all tables; beyond it those of the table with the most go to the disk.
const FRESH_KEYS: usize = 1 << 20;

/// What became of rows.
pub(super) struct Added {
    pub table: &'static Table,
    pub events: u64,
    pub duplicates: u64,
    pub revisions: u64,
    pub untimed: u64,
    /// Rows of the derived table.
    pub derived: u64,
    pub times: Option<(i64, i64)>,
}

/// Rows for `Quarantine`.
#[derive(Default)]
struct Rejected {
    ingest: Vec<i64>,
    file: Vec<String>,
    record: Vec<i64>,
    offset: Vec<i64>,
    reason: Vec<String>,
    length: Vec<i64>,
    content: Vec<String>,
    bytes: usize,
}

pub(super) struct Store<'a> {
    archive: &'a Archive,
    lock: &'a Lock,
    snapshot: Arc<Snapshot>,
    /// The archive's digest so far.
    chain: String,
    watchlists: Vec<Taken>,
    now: i64,
    steps: Steps,
    staging: PathBuf,
    next_id: i64,
    /// The first ingest of what will be committed together.
    batch: Option<i64>,
    next_part: u64,
    keys: HashMap<&'static str, Keys>,
    buckets: BTreeMap<&'static str, Waiting>,
    /// Bytes in all of them.
    waiting: usize,
    rejected: Rejected,
    writing: u64,
    jobs: usize,
    parts: BTreeMap<&'static str, Vec<Part>>,
}

impl<'a> Store<'a> {
    pub(super) fn new(
        archive: &'a Archive,
        lock: &'a Lock,
        snapshot: Arc<Snapshot>,
        now: i64,
        steps: Steps,
    ) -> Self {
        Store {
            staging: archive.staging(),
            next_id: snapshot.ledger.next_id(),
            chain: snapshot.ledger.digest(),
            watchlists: Vec::new(),
            archive,
            lock,
            snapshot,
            now,
            steps,
            batch: None,
            next_part: 0,
            keys: HashMap::new(),
            buckets: BTreeMap::new(),
            waiting: 0,
            rejected: Rejected::default(),
            writing: 0,
            jobs: 0,
            parts: BTreeMap::new(),
        }
    }

    /// What makes rows of a block.
    pub(super) fn convert(&self) -> Convert {
        self.steps.convert
    }

    /// Watchlists that are taken with the next commit.
    pub(super) fn take(&mut self, watchlists: Vec<Taken>) {
        self.watchlists = watchlists;
    }

    /// A number for a file.
    pub(super) fn next_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.batch.get_or_insert(id);
        id
    }

    pub(super) fn batch(&self) -> i64 {
        self.batch.unwrap_or(self.next_id)
    }

    pub(super) fn is_full(&self) -> bool {
        self.writing > WRITING_BYTES
    }

    pub(super) fn is_writing(&self) -> bool {
        self.jobs > 0
    }

    /// Takes back the number of a file that is not entered: the last one that was given.
    pub(super) fn give_back(&mut self, id: i64) {
        self.next_id = id;
        if self.batch == Some(id) {
            self.batch = None;
        }
    }

    /// Drops repeats of a block's rows of one table and keeps the rest for writing.
    pub(super) fn add(&mut self, entry: &Entry, base: u64, rows: &Piece) -> Result<Added> {
        let table = rows.table;
        let mut added = Added {
            table,
            events: 0,
            duplicates: 0,
            revisions: 0,
            untimed: 0,
            derived: 0,
            times: None,
        };
        let mut new: Vec<(Day, u32)> = Vec::with_capacity(rows.records.len());
        let mut differs: Vec<usize> = Vec::new();
        for (row, known) in self.known(entry.id, rows)?.into_iter().enumerate() {
            match known {
                Known::New => {
                    new.push((rows.day(row), row as u32));
                    match rows.times[row] {
                        Some(t) => {
                            let bounds = added.times.unwrap_or((t, t));
                            added.times = Some((bounds.0.min(t), bounds.1.max(t)));
                        }
                        None => added.untimed += 1,
                    }
                }
                Known::Same => added.duplicates += 1,
                Known::Differs => differs.push(row),
            }
        }
        added.events = new.len() as u64;
        if new.is_empty() && differs.is_empty() {
            return Ok(added);
        }
        let schema = Arc::clone(self.bucket(table).schema());
        let batch = (self.steps.place)(rows, &schema, entry.id, base)?;
        if !differs.is_empty() {
            added.revisions = self.revise(table, &batch, &rows.prints, &differs)?;
            added.duplicates += differs.len() as u64 - added.revisions;
        }
        added.derived = self.derive(table, &batch, &new)?;
        self.keep(table, batch, new)?;
        Ok(added)
    }

    /// Keeps what is derived from new rows; returns how many rows that are.
    fn derive(
        &mut self,
        table: &'static Table,
        batch: &RecordBatch,
        new: &[(Day, u32)],
    ) -> Result<u64> {
        let rows = new.iter().map(|(_, row)| *row as usize);
        let Some(derived) = derived::rows(table, batch, rows)? else {
            return Ok(0);
        };
        let days = derived::days(&derived).into_iter().zip(0..).collect();
        let rows = derived.num_rows() as u64;
        self.keep(catalog::label_events(), derived, days)?;
        Ok(rows)
    }

    /// Which rows the archive has, or this ingest had before.
    fn known(&mut self, ingest: i64, rows: &Piece) -> Result<Vec<Known>> {
        let table = rows.table;
        let keys = self.keys(table)?;
        let mut known = Vec::with_capacity(rows.records.len());
        for (id, print) in rows.ids.iter().zip(&rows.prints) {
            known.push(match (id, table.identity) {
                (Some(id), _) => keys.note(*id, *print)?,
                // The table has identities and this row has none: it is known by its content.
                (None, Some(_)) => keys.note(keys::content_id(*print), *print)?,
                (None, None) => keys.note_content(*print, ingest)?,
            });
        }
        if self.keys.values().map(Keys::len).sum::<usize>() > FRESH_KEYS
            && let Some(most) = self.keys.values_mut().max_by_key(|k| k.len())
        {
            most.spill()?;
        }
        Ok(known)
    }

    /// What is known of the rows of a table.
    fn keys(&mut self, table: &'static Table) -> Result<&mut Keys> {
        if !self.keys.contains_key(table.name) {
            let (snapshot, identity) = (&self.snapshot, identity(table));
            let opened = Keys::open(self.archive, self.lock, snapshot, table, identity)?;
            self.keys.insert(table.name, opened);
        }
        Ok(self.keys.get_mut(table.name).expect("it was opened above"))
    }

    fn bucket(&mut self, table: &'static Table) -> &mut Waiting {
        let new = || Waiting::new(table);
        self.buckets.entry(table.name).or_insert_with(new)
    }

    fn keep(
        &mut self,
        table: &'static Table,
        batch: RecordBatch,
        rows: Vec<(Day, u32)>,
    ) -> Result<()> {
        self.bucket(table).add(batch, rows)?;
        self.weigh();
        Ok(())
    }

    /// Keeps all rows of a table that has no days.
    fn keep_whole(&mut self, table: &'static Table, batch: RecordBatch) -> Result<()> {
        let rows = (0..batch.num_rows() as u32).map(|row| (None, row));
        let rows = rows.collect();
        self.keep(table, batch, rows)
    }

    fn weigh(&mut self) {
        self.waiting = self.buckets.values().map(Waiting::bytes).sum();
    }

    /// Keeps repeats whose content differs; returns how many were not known yet.
    fn revise(
        &mut self,
        table: &'static Table,
        batch: &RecordBatch,
        prints: &[u128],
        rows: &[usize],
    ) -> Result<u64> {
        let side = catalog::table(revisions::TABLE);
        let seen = self.keys(side)?;
        let mut fresh = Vec::new();
        for row in rows {
            let print = prints[*row];
            if seen.note(revisions::key(table.name, print), print)? == Known::New {
                fresh.push(*row);
            }
        }
        if fresh.is_empty() {
            return Ok(0);
        }
        let prints = prints_array(fresh.iter().map(|row| prints[*row]));
        let rows = revisions::rows(table, batch, &fresh, &prints)?;
        self.keep_whole(side, rows)?;
        Ok(fresh.len() as u64)
    }

    pub(super) fn quarantine(
        &mut self,
        entry: &Entry,
        record: i64,
        offset: i64,
        reject: &Reject,
    ) -> Result<()> {
        let content = text_of(&reject.content);
        let q = &mut self.rejected;
        q.bytes += content.len() + 200;
        q.ingest.push(entry.id);
        q.file.push(entry.file.clone());
        q.record.push(record);
        q.offset.push(offset);
        q.reason.push(reject.reason.clone());
        q.length.push(reject.length as i64);
        q.content.push(content);
        if q.bytes > PART_BYTES / 2 {
            self.keep_rejected()?;
        }
        Ok(())
    }

    fn keep_rejected(&mut self) -> Result<()> {
        let q = std::mem::take(&mut self.rejected);
        if q.ingest.is_empty() {
            return Ok(());
        }
        let side = catalog::table("Quarantine");
        let long = |v: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(v)) };
        let text = |v: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(v)) };
        let columns = vec![
            long(q.ingest),
            text(q.file),
            long(q.record),
            long(q.offset),
            text(q.reason),
            long(q.length),
            text(q.content),
        ];
        let batch = RecordBatch::try_new(side.schema(), columns)?;
        self.keep_whole(side, batch)
    }

    /// Writes days that have enough rows for a file, and the tables that hold most when too much waits.
    pub(super) fn write_full(&mut self, send: &mpsc::Sender<Event>) {
        let full = self.buckets.values_mut().flat_map(Waiting::take_full);
        let mut picked: Vec<Picked> = full.collect();
        self.weigh();
        while self.waiting > WAITING_BYTES
            && let Some(most) = self.buckets.values_mut().max_by_key(|w| w.bytes())
        {
            picked.extend(most.take_all());
            self.weigh();
        }
        for rows in picked {
            self.write(rows, send);
        }
    }

    /// Writes everything that waits.
    pub(super) fn flush(&mut self, send: &mpsc::Sender<Event>) -> Result<()> {
        self.keep_rejected()?;
        let all = self.buckets.values_mut().flat_map(Waiting::take_all);
        let picked: Vec<Picked> = all.collect();
        self.weigh();
        for rows in picked {
            self.write(rows, send);
        }
        Ok(())
    }

    fn write(&mut self, picked: Picked, send: &mpsc::Sender<Event>) {
        let bytes = picked.bytes as u64;
        self.writing += bytes;
        self.jobs += 1;
        let name = part::name(self.batch(), self.next_part);
        self.next_part += 1;
        let (staging, send, write) = (self.staging.clone(), send.clone(), self.steps.write);
        rayon::spawn(move || {
            let table = picked.table.name;
            let wrote = writer::wrote(write, &staging, picked, &name);
            // Nobody listens any more when the ingest failed elsewhere.
            let _ = send.send(Event::Written(bytes, Box::new((table, wrote))));
        });
    }

    /// Removes what was staged. Not after a commit has begun: what is staged belongs to the archive then.
    pub(super) fn discard(&self) {
        // What stays, the next ingest removes.
        let _ = self.archive.clean_staging(self.lock);
    }

    /// Takes note of rows that were written, or gives those that could not be.
    pub(super) fn written(
        &mut self,
        bytes: u64,
        outcome: (&'static str, Result<Wrote>),
    ) -> Result<Option<Failed>> {
        self.writing -= bytes;
        self.jobs -= 1;
        let (table, wrote) = outcome;
        match wrote? {
            Wrote::Part(part) => self.parts.entry(table).or_default().push(part),
            Wrote::Failed(failed) => return Ok(Some(failed)),
        }
        Ok(None)
    }

    /// Commits what was written, as a whole. The watchlists' entries follow those of the files.
    pub(super) fn commit(&mut self, entries: &mut Vec<Entry>) -> Result<()> {
        let first = entries.first().map_or(self.next_id, |e| e.batch);
        for taken in std::mem::take(&mut self.watchlists) {
            self.stage(first, &taken, entries)?;
        }
        if entries.is_empty() {
            return Ok(());
        }
        let parts = std::mem::take(&mut self.parts);
        self.seal(entries, &parts);
        let last = entries.last().map_or(first, |e| e.id);
        for keys in self.keys.values_mut() {
            keys.seal(first, last, &self.chain)?;
        }
        self.archive
            .add_batch(self.lock, self.now, entries, parts)?;
        for keys in self.keys.values_mut() {
            keys.tidy()?;
        }
        self.batch = None;
        Ok(())
    }

    /// Writes a watchlist where it waits, and adds the entry for it; one for a list that it replaces, too, where the ledger has none.
    fn stage(&mut self, batch: i64, taken: &Taken, entries: &mut Vec<Entry>) -> Result<()> {
        self.archive.stage_watchlist(&taken.name, &taken.content)?;
        let entry = |id: i64, content: &[u8], note: String| Entry {
            id,
            batch,
            file: taken.name.clone(),
            sha256: hex::encode(Sha256::digest(content)),
            bytes: content.len() as u64,
            container: "CSV".into(),
            kind: ledger::WATCHLIST.into(),
            note,
            at: self.now,
            version: ledger::VERSION.into(),
            ..Entry::default()
        };
        let mut id = self.next_id;
        let mut note = format!("{} rows", taken.rows);
        if let Some(origin) = &taken.origin {
            note.push_str(&format!(" from {origin}"));
        }
        if let Some(old) = &taken.replaces {
            let hash = hex::encode(Sha256::digest(&old.content));
            let lists = self.snapshot.ledger.watchlists();
            let known = lists.get(taken.name.as_str());
            let known = known.filter(|e| e.sha256 == hash).map(|e| e.id);
            note.push_str(&format!(
                ", replaces the list of ingest {}",
                known.unwrap_or(id)
            ));
            if known.is_none() {
                entries.push(entry(id, &old.content, "found in the archive".into()));
                id += 1;
            }
        }
        entries.push(entry(id, &taken.content, note));
        self.next_id = id + 1;
        Ok(())
    }

    /// Writes into the entries what their rows say, and how the archive's digest goes on.
    fn seal(&mut self, entries: &mut [Entry], parts: &BTreeMap<&'static str, Vec<Part>>) {
        // What is derived says nothing that the events do not say, and may be derived again.
        let parts = parts
            .iter()
            .filter(|(name, _)| **name != catalog::LABEL_EVENTS);
        for (table, parts) in parts {
            let mut sets = RowSets::new();
            for (ingest, set) in parts.iter().flat_map(|p| &p.sets) {
                sets.entry(*ingest).or_default().add(set);
            }
            for entry in entries.iter_mut() {
                if let Some(set) = sets.get(&entry.id) {
                    entry.rows.insert(table.to_string(), set.digest());
                }
            }
        }
        for entry in entries {
            entry.chain = entry.chained(&self.chain);
            self.chain = entry.chain.clone();
        }
    }
}

/// By what an ingest tells the rows of a table apart.
pub fn identity(table: &Table) -> Identity {
    let named = table.identity.filter(|_| !table.by_content);
    match table.name {
        revisions::TABLE => Identity {
            column: Some("Table"),
            key: |table, print| Some(revisions::key(table, print)),
        },
        _ => Identity {
            column: named.map(|i| table.columns[i].name),
            key: |id, _| id_key(id),
        },
    }
}

/// Bytes as text for reading, those that are not UTF-8 as `\xFF`. A record that has these four letters reads the same; its bytes are in the export, at
/// the offset that stands beside it.
fn text_of(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    out
}

fn prints_array(prints: impl Iterator<Item = u128>) -> ArrayRef {
    let bytes: Vec<[u8; 16]> = prints.map(u128::to_be_bytes).collect();
    Arc::new(BinaryArray::from_iter_values(bytes.iter()))
}

/// The rows with their lineage.
pub(super) fn with_lineage(
    rows: &Piece,
    schema: &SchemaRef,
    ingest: i64,
    base: u64,
) -> Result<RecordBatch> {
    let table = rows.table;
    let mut columns = rows.columns.clone();
    columns[table.at(INGEST_ID)] = Arc::new(Int64Array::from_value(ingest, rows.records.len()));
    columns[table.at(RECORD)] = Arc::new(Int64Array::from_iter_values(
        rows.records.iter().map(|r| base as i64 + r + 1),
    ));
    columns[table.at(FINGERPRINT)] = prints_array(rows.prints.iter().copied());
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
