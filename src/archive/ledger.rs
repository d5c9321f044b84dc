//! The ledger: the table `Ingests`. Every file that was read, with its hash and what became of its records.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use super::{Archive, part};
use crate::catalog;
use crate::error::{Error, Result};

/// Name of the ledger's table.
pub const TABLE: &str = "Ingests";

/// How reading a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All of it was read.
    Complete,
    /// It breaks off; what could be read was.
    Incomplete,
    /// Nothing in it is known.
    Unreadable,
}

impl Status {
    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Status::Complete => "complete",
            Status::Incomplete => "incomplete",
            Status::Unreadable => "unreadable",
        }
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Number of the ingest.
    pub id: i64,
    /// Number of the first ingest of the same commit.
    pub batch: i64,
    /// File as it was named.
    pub file: String,
    /// Its hash.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// How it is packed.
    pub compression: String,
    /// How its text is encoded.
    pub encoding: String,
    /// CSV, JSON lines, …
    pub container: String,
    /// What its records were taken for.
    pub kind: String,
    /// How dates were read.
    pub date_order: String,
    /// Records in it.
    pub records: u64,
    /// Repeats with equal content.
    pub duplicates: u64,
    /// Repeats with different content.
    pub revisions: u64,
    /// Records that could not be converted.
    pub quarantined: u64,
    /// Events added, per table.
    pub tables: BTreeMap<String, u64>,
    /// Earliest and latest event, in microseconds.
    pub times: Option<(i64, i64)>,
    /// How reading ended.
    pub status: Status,
    /// Why, and warnings.
    pub note: String,
    /// When it was read, in microseconds.
    pub at: i64,
}

impl Entry {
    /// Events added.
    pub fn events(&self) -> u64 {
        self.tables.values().sum()
    }
}

/// All files read so far.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The files, by number.
    pub entries: Vec<Entry>,
    batches: HashSet<i64>,
    by_hash: HashMap<String, i64>,
}

impl Ledger {
    /// Whether this batch was committed.
    pub fn has_batch(&self, batch: i64) -> bool {
        self.batches.contains(&batch)
    }

    /// The ingest of a file with this hash, if it was read whole.
    pub fn ingest_of(&self, sha256: &str) -> Option<i64> {
        self.by_hash.get(sha256).copied()
    }

    /// The ingest of a file of this name and size that was read whole after it was changed last.
    pub fn ingest_since(&self, file: &str, bytes: u64, changed: SystemTime) -> Option<i64> {
        let changed = changed.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let changed = i64::try_from(changed.as_micros()).ok()?;
        self.entries
            .iter()
            .find(|e| {
                e.file == file && e.bytes == bytes && e.status == Status::Complete && e.at > changed
            })
            .map(|e| e.id)
    }

    /// Whether a file of this size was read: only then is it worth hashing.
    pub fn has_size(&self, bytes: u64) -> bool {
        self.entries.iter().any(|e| e.bytes == bytes)
    }

    /// The next free number.
    pub fn next_id(&self) -> i64 {
        self.entries.iter().map(|e| e.id).max().unwrap_or(0) + 1
    }

    fn add(&mut self, entry: Entry) {
        self.batches.insert(entry.batch);
        if entry.status == Status::Complete {
            self.by_hash.entry(entry.sha256.clone()).or_insert(entry.id);
        }
        self.entries.push(entry);
    }
}

/// Reads the ledger.
///
/// # Errors
/// When the table cannot be read.
pub fn read(archive: &Archive) -> Result<Ledger> {
    let mut files = archive.logs().files(TABLE)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut ledger = Ledger::default();
    for file in files {
        let path = archive.root().join(TABLE).join(&file.path);
        for batch in super::keys::read_columns(&path, None)? {
            for row in 0..batch.num_rows() {
                ledger.add(entry(&path, &batch, row)?);
            }
        }
    }
    ledger.entries.sort_by_key(|e| e.id);
    Ok(ledger)
}

fn entry(path: &Path, batch: &RecordBatch, row: usize) -> Result<Entry> {
    let text = |name: &str| -> String {
        batch
            .column_by_name(name)
            .and_then(|c| c.as_string_opt::<i32>())
            .filter(|c| c.is_valid(row))
            .map(|c| c.value(row).to_string())
            .unwrap_or_default()
    };
    let long = |name: &str| -> i64 {
        batch
            .column_by_name(name)
            .and_then(|c| c.as_primitive_opt::<Int64Type>())
            .map_or(0, |c| c.value(row))
    };
    let time = |name: &str| -> Option<i64> {
        batch
            .column_by_name(name)
            .and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>())
            .filter(|c| c.is_valid(row))
            .map(|c| c.value(row))
    };
    let tables = serde_json::from_str(&text("Tables")).map_err(|e| Error::Unusable {
        path: path.to_path_buf(),
        reason: format!(
            "ledger, ingest {}: column `Tables`: {e}",
            long(catalog::INGEST_ID)
        ),
    })?;
    Ok(Entry {
        id: long(catalog::INGEST_ID),
        batch: long("Batch"),
        file: text("File"),
        sha256: text("Sha256"),
        bytes: long("Bytes") as u64,
        compression: text("Compression"),
        encoding: text("Encoding"),
        container: text("Container"),
        kind: text("Kind"),
        date_order: text("DateOrder"),
        records: long("Records") as u64,
        duplicates: long("Duplicates") as u64,
        revisions: long("Revisions") as u64,
        quarantined: long("Quarantined") as u64,
        tables,
        times: time("FirstTime").zip(time("LastTime")),
        status: match text("Status").as_str() {
            "complete" => Status::Complete,
            "incomplete" => Status::Incomplete,
            _ => Status::Unreadable,
        },
        note: text("Note"),
        at: time("IngestedAt").unwrap_or(0),
    })
}

/// Writes entries and commits them: from then on their batch is part of the archive.
///
/// # Errors
/// When the table cannot be written.
pub fn commit(archive: &Archive, entries: &[Entry]) -> Result<()> {
    let table = catalog::table(TABLE);
    let Some(first) = entries.first() else {
        return Ok(());
    };
    let name = part::name(first.batch, 0);
    let rows = [batch(entries)?];
    let part = part::write(&archive.staging(), table, None, &name, &rows)?;
    part::publish(archive.root(), table, &part)?;
    let applications: Vec<String> = entries
        .iter()
        .filter(|e| e.status == Status::Complete)
        .map(|e| format!("sha256:{}", e.sha256))
        .collect();
    archive
        .logs()
        .add(table, &[part], first.at / 1000, &applications)
}

fn batch(entries: &[Entry]) -> Result<RecordBatch> {
    let table = catalog::table(TABLE);
    let text = |f: fn(&Entry) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(entries.iter().map(f)))
    };
    let long = |f: fn(&Entry) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            entries.iter().map(|e| f(e) as i64),
        ))
    };
    let time = |f: fn(&Entry) -> Option<i64>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter(entries.iter().map(f)).with_timezone("UTC"))
    };
    let columns = table
        .columns
        .iter()
        .map(|c| match c.name {
            catalog::INGEST_ID => long(|e| e.id as u64),
            "Batch" => long(|e| e.batch as u64),
            "File" => text(|e| e.file.clone()),
            "Sha256" => text(|e| e.sha256.clone()),
            "Bytes" => long(|e| e.bytes),
            "Compression" => text(|e| e.compression.clone()),
            "Encoding" => text(|e| e.encoding.clone()),
            "Container" => text(|e| e.container.clone()),
            "Kind" => text(|e| e.kind.clone()),
            "DateOrder" => text(|e| e.date_order.clone()),
            "Records" => long(|e| e.records),
            "Events" => long(Entry::events),
            "Duplicates" => long(|e| e.duplicates),
            "Revisions" => long(|e| e.revisions),
            "Quarantined" => long(|e| e.quarantined),
            "Tables" => {
                text(|e| serde_json::to_string(&e.tables).expect("names and numbers are JSON"))
            }
            "FirstTime" => time(|e| e.times.map(|t| t.0)),
            "LastTime" => time(|e| e.times.map(|t| t.1)),
            "Status" => text(|e| e.status.name().to_string()),
            "Note" => text(|e| e.note.clone()),
            "IngestedAt" => time(|e| Some(e.at)),
            "Version" => text(|_| env!("CARGO_PKG_VERSION").to_string()),
            other => unreachable!("the ledger has no column {other}"),
        })
        .collect();
    Ok(RecordBatch::try_new(table.schema(), columns)?)
}
