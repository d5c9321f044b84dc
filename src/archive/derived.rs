//! Tables that are derived from events: written in the commit of the events, known by the version of their derivation, and made again where
//! that is another one. There is one, `LabelEvents`.
//!
//! The ledger says of each ingest how many rows were derived from its events, and by which version. Where it does not, because an older version
//! read the export or a repair could not tell, the table is not current: the views work its rows out of the events, and the next ingest, or
//! `archive rebuild`, makes all of them again. The archive's digest does not speak of derived rows.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use super::delta::{DERIVE, FileEntry};
use super::ledger::{self, Derived, Entry};
use super::part::{self, Part};
use super::pending::{Deed, Plan, Step};
use super::store::Store;
use super::{Archive, Lock, Snapshot, compact, label_events};
use crate::catalog::{self, INGEST_ID, LABEL_EVENTS, TIME, Table};
use crate::fault::Result;
use crate::progress::Progress;
use crate::text::counted;

/// Version of the derivation: another one makes the rows of older ones be made again.
pub const VERSION: u32 = 5;

/// Derived rows that wait for their files, in bytes.
const WAITING_BYTES: usize = 64 << 20;
const DAY_MICROS: i64 = 86_400_000_000;

/// Rows of the derived table for these rows of a batch, in their order; nothing where there are none.
///
/// # Errors
/// When a column has another type than the table says, a fault of coldtrail.
pub fn rows(
    table: &Table,
    batch: &RecordBatch,
    rows: impl Iterator<Item = usize>,
) -> Result<Option<RecordBatch>> {
    label_events::derive(table, batch, rows)
}

/// The day of each derived row, in days since 1970. It need not be that of the event: some logs say when they were collected.
pub fn days(derived: &RecordBatch) -> Vec<Option<i32>> {
    let times = derived.column_by_name(TIME);
    let times = times.and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
    let day = |time: Option<i64>| time.map(|t| t.div_euclid(DAY_MICROS) as i32);
    match times {
        Some(times) => times.iter().map(day).collect(),
        None => vec![None; derived.num_rows()],
    }
}

/// Notes in an entry that rows of a table were added and so many derived from them.
pub fn note(entry: &mut Entry, table: &Table, rows: u64) {
    if is_made_of(table.name) {
        let derived = entry.derived.entry(LABEL_EVENTS.to_string());
        let derived = derived.or_insert(Derived {
            version: VERSION,
            rows: 0,
        });
        derived.rows += rows;
    }
}

/// Whether rows are derived from those of a table.
pub fn is_made_of(table: &str) -> bool {
    label_events::SOURCES.contains(&table)
}

/// Whether rows are derived from the events of an ingest.
fn is_source(entry: &Entry) -> bool {
    entry.tables.keys().any(|table| is_made_of(table))
}

/// Rows that this version derived from the events of an ingest; nothing where another version did, or none.
pub fn rows_of(entry: &Entry) -> Option<u64> {
    let derived = entry.derived.get(LABEL_EVENTS);
    match derived.filter(|d| d.version == VERSION) {
        Some(derived) => Some(derived.rows),
        None => (!is_source(entry)).then_some(0),
    }
}

/// Whether the derived table has the rows of all events, as this version derives them.
pub(super) fn is_current(store: &Store, entries: &[Entry], files: &[FileEntry]) -> bool {
    let told: Option<u64> = entries.iter().map(rows_of).sum();
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let is_whole = |file: &FileEntry| {
        let found = store.size(&format!("{LABEL_EVENTS}/{}", file.path));
        // What cannot be read is as good as not there: the rows are worked out of the events.
        matches!(found, Ok(Some(size)) if size == file.size)
    };
    told == Some(rows) && files.iter().all(is_whole)
}

/// The archive ready for writing, with a derived table that is current.
///
/// # Errors
/// When logs and ledger do not agree, or something cannot be read or written.
pub fn begin(
    archive: &Archive,
    now: i64,
    lock: &Lock,
    progress: &dyn Progress,
) -> Result<Snapshot> {
    let snapshot = archive.begin(now, lock)?;
    match make_current(archive, &snapshot, now, lock, progress)? {
        Some(_) => archive.begin(now, lock),
        None => Ok(snapshot),
    }
}

/// Makes the derived table again from the events where it is not current; returns how many rows it has then.
///
/// # Errors
/// When something cannot be read or written.
pub(super) fn make_current(
    archive: &Archive,
    snapshot: &Snapshot,
    now: i64,
    lock: &Lock,
    progress: &dyn Progress,
) -> Result<Option<u64>> {
    let files = snapshot.files(catalog::label_events());
    if is_current(archive.store(), &snapshot.ledger.entries, files) {
        return Ok(None);
    }
    make_again(archive, snapshot, now, lock, progress).map(Some)
}

/// Makes the derived table again from the events; returns how many rows it has.
///
/// # Errors
/// When logs and ledger do not agree, or something cannot be read or written.
pub fn rebuild(archive: &Archive, now: i64, progress: &dyn Progress) -> Result<u64> {
    let lock = archive.lock(|| progress.step("waiting for an ingest into this archive"))?;
    let snapshot = archive.begin(now, &lock)?;
    make_again(archive, &snapshot, now, &lock, progress)
}

fn make_again(
    archive: &Archive,
    snapshot: &Snapshot,
    now: i64,
    lock: &Lock,
    progress: &dyn Progress,
) -> Result<u64> {
    let table = catalog::label_events();
    let old = snapshot.files(table);
    let mut work = Work {
        archive,
        number: new_number(old, now),
        waiting: BTreeMap::new(),
        bytes: 0,
        parts: Vec::new(),
        rows: BTreeMap::new(),
    };
    for name in label_events::SOURCES {
        let source = catalog::table(name);
        let files = snapshot.files(source);
        if !files.is_empty() {
            progress.step(&format!(
                "deriving {LABEL_EVENTS} from {} of {name}",
                counted(files.len() as u64, "file")
            ));
        }
        for file in files {
            work.file(source, file)?;
        }
    }
    work.flush()?;
    let rows = work.parts.iter().map(|part| part.rows).sum();
    let mut entries = snapshot.ledger.entries.clone();
    for entry in &mut entries {
        entry.derived.remove(LABEL_EVENTS);
        if is_source(entry) {
            let derived = Derived {
                version: VERSION,
                rows: work.rows.get(&entry.id).copied().unwrap_or(0),
            };
            entry.derived.insert(LABEL_EVENTS.to_string(), derived);
        }
    }
    let info = serde_json::json!({
        "derived": LABEL_EVENTS,
        "version": VERSION,
        "digest": snapshot.ledger.digest(),
    });
    let paths = |files: &[FileEntry]| -> Vec<String> {
        let paths = files.iter().map(|f| f.path.clone());
        paths.collect()
    };
    let mut plan = Plan::new(Deed::Derive, number_of(archive, now)?, now);
    if !work.parts.is_empty() || !old.is_empty() {
        plan.steps.push(Step {
            table: LABEL_EVENTS.into(),
            add: work.parts,
            remove: paths(old),
            info: info.clone(),
        });
    }
    let ledger = snapshot.files(catalog::table(ledger::TABLE));
    if !entries.is_empty() {
        let name = part::merged_name(new_number(ledger, now));
        plan.steps.push(Step {
            table: ledger::TABLE.into(),
            add: vec![ledger::write(&archive.staging(), &entries, &name)?],
            remove: paths(ledger),
            info,
        });
    }
    if !plan.steps.is_empty() {
        archive.carry_out(&plan, lock)?;
    }
    Ok(rows)
}

/// A number that no merged file of a table has.
fn new_number(files: &[FileEntry], now: i64) -> u64 {
    compact::next_number(files).max(u64::try_from(now).unwrap_or(0))
}

/// A number that no commit of this kind has.
fn number_of(archive: &Archive, now: i64) -> Result<i64> {
    let mut number = now;
    for table in [LABEL_EVENTS, ledger::TABLE] {
        if let Some(last) = archive.logs().mark(table, DERIVE)? {
            number = number.max(last + 1);
        }
    }
    Ok(number)
}

/// Derived rows on their way into files.
struct Work<'a> {
    archive: &'a Archive,
    /// Of the next file.
    number: u64,
    waiting: BTreeMap<Option<i32>, Vec<RecordBatch>>,
    bytes: usize,
    parts: Vec<Part>,
    /// Rows by ingest.
    rows: BTreeMap<i64, u64>,
}

impl Work<'_> {
    /// Derives the rows of a file. Of tables whose rows are mostly about something else, two columns say whether it is worth reading.
    fn file(&mut self, source: &'static Table, file: &FileEntry) -> Result<()> {
        let store = self.archive.store();
        if let Some(names) = label_events::telling(source.name) {
            let mut found = false;
            part::each(store, source, &file.path, Some(names), |batch| {
                let all = 0..batch.num_rows();
                found |= !label_events::candidates(source, &batch, all).is_empty();
                Ok(())
            })?;
            if !found {
                return Ok(());
            }
        }
        part::each(store, source, &file.path, None, |batch| {
            let all = 0..batch.num_rows();
            match label_events::derive(source, &batch, all)? {
                Some(derived) => self.add(&derived),
                None => Ok(()),
            }
        })
    }

    fn add(&mut self, derived: &RecordBatch) -> Result<()> {
        for ingest in ingests(derived) {
            *self.rows.entry(ingest).or_insert(0) += 1;
        }
        let mut by_day: BTreeMap<Option<i32>, Vec<u32>> = BTreeMap::new();
        for (day, row) in days(derived).into_iter().zip(0..) {
            by_day.entry(day).or_default().push(row);
        }
        for (day, rows) in by_day {
            let rows = take_record_batch(derived, &UInt32Array::from(rows))?;
            self.bytes += rows.get_array_memory_size();
            self.waiting.entry(day).or_default().push(rows);
        }
        match self.bytes > WAITING_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let staging = self.archive.staging();
        for (day, batches) in std::mem::take(&mut self.waiting) {
            let date = day.and_then(part::day_text);
            let name = part::merged_name(self.number);
            self.number += 1;
            let table = catalog::label_events();
            let part = part::write(&staging, table, date.as_deref(), &name, &batches)?;
            self.parts.push(part);
        }
        Ok(())
    }
}

/// The ingest of each row.
fn ingests(derived: &RecordBatch) -> impl Iterator<Item = i64> {
    let ingests = derived.column_by_name(INGEST_ID);
    let ingests = ingests.and_then(|c| c.as_primitive_opt::<Int64Type>());
    ingests.into_iter().flatten().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_version_derived_does_not_count() {
        let mut entry = Entry::default();
        assert_eq!(rows_of(&entry), Some(0), "it has no events");
        entry.tables.insert("SigninLogs".into(), 5);
        assert_eq!(rows_of(&entry), Some(0), "nothing is derived from those");
        entry.tables.insert("UnifiedAuditLog".into(), 5);
        assert_eq!(rows_of(&entry), None, "an older version read it");
        note(&mut entry, catalog::table("UnifiedAuditLog"), 2);
        note(&mut entry, catalog::table("SigninLogs"), 0);
        note(&mut entry, catalog::table("CloudAppEvents"), 1);
        assert_eq!(rows_of(&entry), Some(3));
        let version = VERSION + 1;
        entry
            .derived
            .insert(LABEL_EVENTS.into(), Derived { version, rows: 3 });
        assert_eq!(rows_of(&entry), None);
    }
}
