//! Rows on their way into the archive: repeats are dropped, the rest waits by table and day until a file is worth writing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{concat_batches, filter, filter_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use xxhash_rust::xxh3::xxh3_128;

use super::pieces::{Piece, TablePieces};
use super::{Added, Event};
use crate::archive::keys::{self, Keys, Known};
use crate::archive::ledger::{self, Entry, Ledger};
use crate::archive::part::{self, Part};
use crate::archive::{Archive, delta};
use crate::catalog::{self, FINGERPRINT, INGEST_ID, RECORD, TIME, Table};
use crate::error::{Error, Result};
use crate::ingest::Reject;
use crate::ingest::rows::id_key;

/// Rows of a table and day are written when they take this many bytes in memory.
const PART_BYTES: usize = 24 << 20;
/// Rows that wait, over all tables and days; beyond it the largest group is written.
const WAITING_BYTES: usize = 56 << 20;
/// Rows that are being written; beyond it no more blocks are merged.
const WRITING_BYTES: u64 = 80 << 20;

/// Rows of a batch that are new. They are copied out on the core that writes them: here it would hold up all others.
struct Picked {
    batch: RecordBatch,
    mask: Option<BooleanArray>,
}

impl Picked {
    fn rows(self) -> Result<RecordBatch> {
        Ok(match self.mask {
            Some(mask) => filter_record_batch(&self.batch, &mask)?,
            None => self.batch,
        })
    }
}

#[derive(Default)]
struct Bucket {
    batches: Vec<Picked>,
    bytes: usize,
    /// Batches since they were joined last.
    small: usize,
}

/// Batches of one table and day that are joined to one.
const COALESCE: usize = 32;
/// What an array takes beside its values.
const ARRAY_BYTES: usize = 256;

fn memory_of(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|c| ARRAY_BYTES + c.to_data().get_slice_memory_size().unwrap_or(0))
        .sum()
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

type Group = (&'static str, Option<i32>);

pub(super) struct Store<'a> {
    archive: &'a Archive,
    ledger: Arc<Ledger>,
    now: i64,
    staging: PathBuf,
    next_id: i64,
    /// The first ingest of what will be committed together.
    batch: Option<i64>,
    next_part: u64,
    keys: HashMap<&'static str, Keys>,
    revisions: Option<HashSet<u128>>,
    buckets: BTreeMap<Group, Bucket>,
    waiting: usize,
    rejected: Rejected,
    writing: u64,
    jobs: usize,
    parts: BTreeMap<&'static str, Vec<Part>>,
}

impl<'a> Store<'a> {
    pub fn new(archive: &'a Archive, ledger: Arc<Ledger>, now: i64) -> Self {
        Store {
            staging: archive.staging(),
            next_id: ledger.next_id(),
            archive,
            ledger,
            now,
            batch: None,
            next_part: 0,
            keys: HashMap::new(),
            revisions: None,
            buckets: BTreeMap::new(),
            waiting: 0,
            rejected: Rejected::default(),
            writing: 0,
            jobs: 0,
            parts: BTreeMap::new(),
        }
    }

    /// A number for a file.
    pub fn next_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.batch.get_or_insert(id);
        id
    }

    pub fn batch(&self) -> i64 {
        self.batch.unwrap_or(self.next_id)
    }

    pub fn is_full(&self) -> bool {
        self.writing > WRITING_BYTES
    }

    pub fn is_writing(&self) -> bool {
        self.jobs > 0
    }

    /// Drops repeats of a block's rows of one table and keeps the rest for writing.
    pub fn add(
        &mut self,
        entry: &Entry,
        base: u64,
        rows: &TablePieces,
        contents: &mut hashbrown::HashMap<(&'static str, u128), u32>,
    ) -> Result<Added> {
        let table = rows.table;
        if !self.keys.contains_key(table.name) {
            let loaded = keys::load(self.archive, table, &self.ledger, id_key)?;
            self.keys.insert(table.name, loaded);
        }
        let keys = self.keys.get_mut(table.name).expect("it was loaded above");
        let mut known = Vec::with_capacity(rows.records.len());
        for (id, print) in rows.ids.iter().zip(&rows.prints) {
            known.push(match (id, table.identity) {
                (Some(id), _) => keys.note(*id, *print),
                // The table has identities and this row has none: it is known by its content.
                (None, Some(_)) => keys.note(keys::content_id(*print), *print),
                (None, None) => {
                    let seen = contents.entry((table.name, *print)).or_insert(0);
                    *seen += 1;
                    keys.note_content(*print, *seen - 1)
                }
            });
        }
        let mut added = Added {
            table,
            events: 0,
            duplicates: 0,
            revisions: 0,
            untimed: 0,
            times: None,
        };
        for piece in &rows.pieces {
            self.add_piece(entry, base, rows, piece, &known, &mut added)?;
        }
        Ok(added)
    }

    fn add_piece(
        &mut self,
        entry: &Entry,
        base: u64,
        rows: &TablePieces,
        piece: &Piece,
        known: &[Known],
        added: &mut Added,
    ) -> Result<()> {
        let table = rows.table;
        let known: Vec<Known> = piece.rows.iter().map(|i| known[*i as usize]).collect();
        let new = known.iter().filter(|k| **k == Known::New).count();
        let differs: Vec<usize> = (0..known.len())
            .filter(|i| known[*i] == Known::Differs)
            .collect();
        added.events += new as u64;
        added.duplicates += (known.len() - new - differs.len()) as u64;
        let batch = with_lineage(rows, piece, entry.id, base)?;
        if !differs.is_empty() {
            let prints: Vec<u128> = piece
                .rows
                .iter()
                .map(|i| rows.prints[*i as usize])
                .collect();
            let revised = self.revise(table, &batch, &prints, &differs)?;
            added.revisions += revised;
            added.duplicates += differs.len() as u64 - revised;
        }
        if new == 0 {
            return Ok(());
        }
        if piece.day.is_none() {
            added.untimed += new as u64;
        }
        let (picked, times) = if new == known.len() {
            (whole(batch), piece.times)
        } else {
            let mask: BooleanArray = known.iter().map(|k| Some(*k == Known::New)).collect();
            let times = filter(batch.column(table.at(TIME)), &mask)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            let bounds = arrow::compute::min(times).zip(arrow::compute::max(times));
            let mask = Some(mask);
            let mut picked = Picked { batch, mask };
            // Where most rows are repeats, what waits must not hold them.
            if new * 2 < known.len() {
                picked = whole(picked.rows()?);
            }
            (picked, bounds)
        };
        added.times = match (added.times, times) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.keep(table, piece.day, picked)
    }

    fn keep(&mut self, table: &'static Table, day: Option<i32>, rows: Picked) -> Result<()> {
        let bytes = memory_of(&rows.batch);
        let bucket = self.buckets.entry((table.name, day)).or_default();
        bucket.batches.push(rows);
        bucket.bytes += bytes;
        self.waiting += bytes;
        bucket.small += 1;
        if bucket.small >= COALESCE {
            // Many small batches of many columns take more memory for the columns than for what is in them.
            let parts = std::mem::take(&mut bucket.batches);
            let parts: Vec<RecordBatch> =
                parts.into_iter().map(Picked::rows).collect::<Result<_>>()?;
            let joined = concat_batches(&table.schema(), &parts)?;
            self.waiting -= bucket.bytes;
            bucket.bytes = memory_of(&joined);
            self.waiting += bucket.bytes;
            bucket.batches = vec![whole(joined)];
            bucket.small = 0;
        }
        Ok(())
    }

    /// Keeps repeats whose content differs; returns how many were not known yet.
    fn revise(
        &mut self,
        table: &'static Table,
        batch: &RecordBatch,
        prints: &[u128],
        rows: &[usize],
    ) -> Result<u64> {
        if self.revisions.is_none() {
            self.revisions = Some(self.load_revisions()?);
        }
        let seen = self.revisions.as_mut().expect("it was loaded above");
        let mut fresh = Vec::new();
        for row in rows {
            if seen.insert(revision_key(table.name, prints[*row])) {
                fresh.push(*row);
            }
        }
        if fresh.is_empty() {
            return Ok(0);
        }
        let side = catalog::table("Revisions");
        let mut contents = Vec::new();
        for row in &fresh {
            contents.push(
                match table.record.filter(|_| table.name == "UnifiedAuditLog") {
                    Some(column) => batch
                        .column(column)
                        .as_string::<i32>()
                        .value(*row)
                        .to_string(),
                    None => row_json(&batch.slice(*row, 1))?,
                },
            );
        }
        let ids: Vec<Option<String>> = fresh
            .iter()
            .map(|row| {
                let column = batch.column(table.identity?).as_string::<i32>();
                column
                    .is_valid(*row)
                    .then(|| column.value(*row).to_string())
            })
            .collect();
        let times = batch
            .column(table.at(TIME))
            .as_primitive::<TimestampMicrosecondType>();
        let pick = |name: &str| {
            let column = batch
                .column(table.at(name))
                .as_primitive::<arrow::datatypes::Int64Type>();
            Arc::new(Int64Array::from_iter_values(
                fresh.iter().map(|r| column.value(*r)),
            ))
        };
        let columns: Vec<ArrayRef> = side
            .columns
            .iter()
            .map(|c| -> ArrayRef {
                match c.name {
                    "Table" => Arc::new(StringArray::from_iter_values(
                        fresh.iter().map(|_| table.name),
                    )),
                    "EventId" => Arc::new(StringArray::from(ids.clone())),
                    "TimeGenerated" => Arc::new(
                        TimestampMicrosecondArray::from_iter(
                            fresh
                                .iter()
                                .map(|r| times.is_valid(*r).then(|| times.value(*r))),
                        )
                        .with_timezone("UTC"),
                    ),
                    "Content" => Arc::new(StringArray::from(contents.clone())),
                    FINGERPRINT => prints_array(fresh.iter().map(|r| prints[*r])),
                    other => pick(other),
                }
            })
            .collect();
        let rows = RecordBatch::try_new(side.schema(), columns)?;
        self.keep(side, None, whole(rows))?;
        Ok(fresh.len() as u64)
    }

    fn load_revisions(&self) -> Result<HashSet<u128>> {
        let side = catalog::table("Revisions");
        let mut out = HashSet::new();
        for file in self.archive.files_of(side, &self.ledger)? {
            let path = self.archive.root().join(side.name).join(&file.path);
            for batch in keys::read_columns(&path, Some(&["Table", FINGERPRINT]))? {
                let table = batch.column(0).as_string::<i32>();
                let print = batch.column(1).as_binary::<i32>();
                for row in 0..batch.num_rows() {
                    if let Ok(bytes) = <[u8; 16]>::try_from(print.value(row)) {
                        let print = u128::from_be_bytes(bytes);
                        out.insert(revision_key(table.value(row), print));
                    }
                }
            }
        }
        Ok(out)
    }

    pub fn quarantine(
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
        self.keep(side, None, whole(batch))
    }

    /// Writes groups that are large enough, and the largest ones when too much waits.
    pub fn write_full(&mut self, send: &mpsc::Sender<Event>) {
        let full: Vec<Group> = self
            .buckets
            .iter()
            .filter(|(_, b)| b.bytes >= PART_BYTES)
            .map(|(g, _)| *g)
            .collect();
        for group in full {
            self.write(group, send);
        }
        while self.waiting > WAITING_BYTES {
            let Some(group) = self
                .buckets
                .iter()
                .max_by_key(|(_, b)| b.bytes)
                .map(|(g, _)| *g)
            else {
                break;
            };
            self.write(group, send);
        }
    }

    /// Writes everything that waits.
    pub fn flush(&mut self, send: &mpsc::Sender<Event>) -> Result<()> {
        self.keep_rejected()?;
        let groups: Vec<Group> = self.buckets.keys().copied().collect();
        for group in groups {
            self.write(group, send);
        }
        Ok(())
    }

    fn write(&mut self, group: Group, send: &mpsc::Sender<Event>) {
        let Some(bucket) = self.buckets.remove(&group) else {
            return;
        };
        self.waiting -= bucket.bytes;
        self.writing += bucket.bytes as u64;
        self.jobs += 1;
        let name = part::name(self.batch(), self.next_part);
        self.next_part += 1;
        let (staging, send) = (self.staging.clone(), send.clone());
        rayon::spawn(move || {
            let (table, day) = (catalog::table(group.0), group.1);
            let date = day.and_then(date_text);
            let rows: Result<Vec<RecordBatch>> =
                bucket.batches.into_iter().map(Picked::rows).collect();
            let part =
                rows.and_then(|rows| part::write(&staging, table, date.as_deref(), &name, &rows));
            // Nobody listens any more when the ingest failed elsewhere.
            let _ = send.send(Event::Written(
                bucket.bytes as u64,
                Box::new((group.0, part)),
            ));
        });
    }

    pub fn written(&mut self, bytes: u64, outcome: (&'static str, Result<Part>)) -> Result<()> {
        self.writing -= bytes;
        self.jobs -= 1;
        let (table, part) = outcome;
        self.parts.entry(table).or_default().push(part?);
        Ok(())
    }

    /// Commits what was written: the tables first, the ledger last.
    pub fn commit(&mut self, entries: &[Entry]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let applications: Vec<String> = entries
            .iter()
            .map(|e| format!("sha256:{}", e.sha256))
            .collect();
        for (name, mut parts) in std::mem::take(&mut self.parts) {
            let table = catalog::table(name);
            parts.sort_by(|a, b| a.path.cmp(&b.path));
            for part in &parts {
                part::publish(self.archive.root(), table, part)?;
            }
            let logs: &delta::Logs = self.archive.logs();
            logs.add(table, &parts, self.now / 1000, &applications)?;
        }
        ledger::commit(self.archive, entries)?;
        if self.staging.exists() {
            std::fs::remove_dir_all(&self.staging).map_err(Error::io("remove", &self.staging))?;
        }
        self.batch = None;
        Ok(())
    }
}

fn whole(batch: RecordBatch) -> Picked {
    Picked { batch, mask: None }
}

/// Bytes as text; those that are not UTF-8 as `\xFF`, so that none is lost.
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

fn revision_key(table: &str, print: u128) -> u128 {
    print ^ xxh3_128(table.as_bytes())
}

fn prints_array(prints: impl Iterator<Item = u128>) -> ArrayRef {
    let bytes: Vec<[u8; 16]> = prints.map(u128::to_be_bytes).collect();
    Arc::new(BinaryArray::from_iter_values(bytes.iter()))
}

/// Fills the lineage columns.
pub(super) fn with_lineage(
    rows: &TablePieces,
    piece: &Piece,
    ingest: i64,
    base: u64,
) -> Result<RecordBatch> {
    let table = rows.table;
    let mut columns = piece.columns.clone();
    let picked = || piece.rows.iter().map(|i| *i as usize);
    columns[table.at(INGEST_ID)] =
        Arc::new(Int64Array::from_value(ingest, piece.rows.len())) as ArrayRef;
    columns[table.at(RECORD)] = Arc::new(Int64Array::from_iter_values(
        picked().map(|i| base as i64 + rows.records[i] + 1),
    ));
    columns[table.at(FINGERPRINT)] = prints_array(picked().map(|i| rows.prints[i]));
    Ok(RecordBatch::try_new(table.schema(), columns)?)
}

fn row_json(row: &RecordBatch) -> Result<String> {
    let keep: Vec<usize> = (0..row.num_columns())
        .filter(|i| !row.schema().field(*i).name().starts_with('_'))
        .collect();
    let row = row.project(&keep)?;
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(&row)?;
    writer.finish()?;
    Ok(String::from_utf8_lossy(&writer.into_inner())
        .trim()
        .to_string())
}

fn date_text(day: i32) -> Option<String> {
    let date = chrono::NaiveDate::from_epoch_days(day)?;
    Some(date.format("%Y-%m-%d").to_string())
}
