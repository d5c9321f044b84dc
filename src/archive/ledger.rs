//! The ledger: the table `Ingests`. Every file that was read, with its hash and what became of its records.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::delta::FileEntry;
use super::part;
use super::store::Store;
use crate::catalog;
use crate::fault::{Error, Result};

/// Name of the ledger's table.
pub const TABLE: &str = "Ingests";

/// What a watchlist's entry says under `Kind`.
pub const WATCHLIST: &str = "watchlist";
/// The version that writes entries.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How reading a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All of it was read.
    #[default]
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

/// What was derived from the events of an ingest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Derived {
    /// Version of the derivation.
    pub version: u32,
    /// Rows of the derived table.
    pub rows: u64,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
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
    /// SHA-256 of the file's absolute path; empty for what has none. Tells files of one name in two folders apart and names none.
    pub path_key: String,
    /// When the file was changed last, in microseconds; 0 where that is not known.
    pub modified: i64,
    /// Version of coldtrail that read it.
    pub version: String,
    /// Digest of the rows that it added, per table, as [`super::digest::RowSet`] makes it.
    pub rows: BTreeMap<String, String>,
    /// What was derived from its events, per derived table; nothing where an older version read it.
    pub derived: BTreeMap<String, Derived>,
    /// SHA-256 of the entry before and of what this one says: the archive's digest after it. Empty in entries of older versions.
    pub chain: String,
}

impl Entry {
    /// Events added.
    pub fn events(&self) -> u64 {
        self.tables.values().sum()
    }

    /// Whether it is a watchlist that was taken, and no file of records.
    pub fn is_watchlist(&self) -> bool {
        self.kind == WATCHLIST
    }

    /// Rows that it added to a table.
    pub fn rows_of(&self, table: &str) -> u64 {
        match table {
            "Quarantine" => self.quarantined,
            "Revisions" => self.revisions,
            catalog::LABEL_EVENTS => self.derived.get(table).map_or(0, |d| d.rows),
            _ => self.tables.get(table).copied().unwrap_or(0),
        }
    }

    /// The archive's digest after this entry. It speaks of content: not of when, where and by whom the file was read.
    pub fn chained(&self, before: &str) -> String {
        let own_name = self.file.rsplit('/').next().unwrap_or("");
        let mut text = format!(
            "{before}\n{}\n{own_name}\n{}\n{}\n{}\n{} {} {} {}\n{:?}\n{}\n{}\n{}\n{}\n{}\n",
            self.id,
            self.sha256,
            self.bytes,
            self.status.name(),
            self.records,
            self.duplicates,
            self.revisions,
            self.quarantined,
            self.times,
            self.kind,
            self.container,
            self.encoding,
            self.compression,
            self.date_order,
        );
        for (table, rows) in &self.tables {
            text.push_str(&format!("{table} {rows}\n"));
        }
        for (table, digest) in &self.rows {
            text.push_str(&format!("{table} {} {digest}\n", self.rows_of(table)));
        }
        hex::encode(Sha256::digest(text.as_bytes()))
    }
}

/// All files read so far.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The files, by number.
    pub entries: Vec<Entry>,
    by_hash: HashMap<String, i64>,
    /// Places in [`Ledger::entries`] of the last entry of each path, and of each hash that was not read whole.
    by_path: HashMap<String, usize>,
    unfinished: HashMap<String, usize>,
    sizes: HashSet<u64>,
}

impl Ledger {
    /// The ingest of a file with this hash, if it was read whole.
    pub fn ingest_of(&self, sha256: &str) -> Option<i64> {
        self.by_hash.get(sha256).copied()
    }

    /// The last entry of a file with this hash that this version could not read, or not whole.
    pub fn unfinished_of(&self, sha256: &str) -> Option<&Entry> {
        self.entries.get(*self.unfinished.get(sha256)?)
    }

    /// The last entry of the file at a path.
    pub fn entry_of_path(&self, path_key: &str) -> Option<&Entry> {
        self.entries.get(*self.by_path.get(path_key)?)
    }

    /// An entry by its number.
    pub fn entry(&self, id: i64) -> Option<&Entry> {
        let at = self.entries.binary_search_by_key(&id, |e| e.id).ok()?;
        self.entries.get(at)
    }

    /// How many files an archive's entry has inside: the members that were read with it, those of archives in it among them.
    pub fn members_of(&self, entry: &Entry) -> u64 {
        let inside = format!("{}/", entry.file);
        let at = self.entries.partition_point(|e| e.id < entry.id);
        // They are told before the archive that they lie in.
        let members = self.entries[..at].iter().rev();
        members.take_while(|e| e.file.starts_with(&inside)).count() as u64
    }

    /// The ingest of the file at this path, if neither its size nor its time have changed since.
    pub fn ingest_since(&self, path_key: &str, bytes: u64, modified: i64) -> Option<i64> {
        self.entry_of_path(path_key)
            .filter(|e| e.bytes == bytes && e.modified == modified && modified != 0)
            .filter(|e| e.status != Status::Unreadable)
            .map(|e| e.id)
    }

    /// Whether a file of this size was read: only then is it worth hashing.
    pub fn has_size(&self, bytes: u64) -> bool {
        self.sizes.contains(&bytes)
    }

    /// The next free number.
    pub fn next_id(&self) -> i64 {
        self.entries.iter().map(|e| e.id).max().unwrap_or(0) + 1
    }

    /// The files of records: all entries but the watchlists.
    pub fn exports(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|e| !e.is_watchlist())
    }

    /// Rows that a table should have.
    pub fn rows_of(&self, table: &str) -> u64 {
        self.entries.iter().map(|e| e.rows_of(table)).sum()
    }

    /// The archive's digest after its last entry; empty where there is none. Entries of older versions have no digest of their own: what they say of
    /// themselves counts.
    pub fn digest(&self) -> String {
        self.digest_after(i64::MAX)
    }

    /// The archive's digest after the entries up to this number.
    pub(super) fn digest_after(&self, id: i64) -> String {
        let next = |before: String, e: &Entry| match e.chain.as_str() {
            "" => e.chained(&before),
            chain => chain.to_string(),
        };
        let entries = self.entries.iter().take_while(|e| e.id <= id);
        entries.fold(String::new(), next)
    }

    /// The watchlists that were taken last, by file name.
    pub fn watchlists(&self) -> BTreeMap<&str, &Entry> {
        let lists = self.entries.iter().filter(|e| e.is_watchlist());
        lists
            .map(|e| (e.file.rsplit('/').next().unwrap_or(""), e))
            .collect()
    }

    fn of(mut entries: Vec<Entry>) -> Ledger {
        entries.sort_by_key(|e| e.id);
        let mut ledger = Ledger::default();
        for (at, entry) in entries
            .iter()
            .enumerate()
            .filter(|(_, e)| !e.is_watchlist())
        {
            ledger.sizes.insert(entry.bytes);
            if !entry.path_key.is_empty() {
                ledger.by_path.insert(entry.path_key.clone(), at);
            }
            if entry.status == Status::Complete {
                let known = ledger.by_hash.entry(entry.sha256.clone());
                known.or_insert(entry.id);
            } else if !entry.sha256.is_empty() && entry.version == VERSION {
                ledger.unfinished.insert(entry.sha256.clone(), at);
            }
        }
        ledger.entries = entries;
        ledger
    }
}

/// Reads the ledger from its files.
///
/// # Errors
/// When the table cannot be read.
pub fn read(store: &Store, files: &[FileEntry]) -> Result<Ledger> {
    entries(store, files, None).map(Ledger::of)
}

/// Reads what the entries say of events, of what was derived from these, and of the archive's digest, and nothing else: queries ask no more, and
/// a few columns say it.
pub(super) fn read_known(store: &Store, files: &[FileEntry]) -> Result<Ledger> {
    let names = [catalog::INGEST_ID, "Tables", "Derived", "Chain"];
    let known = entries(store, files, Some(&names))?;
    // After an entry without a digest of its own it depends on all that the entry says.
    match known.iter().any(|entry| entry.chain.is_empty()) {
        true => read(store, files),
        false => Ok(Ledger::of(known)),
    }
}

fn entries(store: &Store, files: &[FileEntry], names: Option<&[&str]>) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for file in files {
        for batch in part::read(store, catalog::table(TABLE), &file.path, names)? {
            for row in 0..batch.num_rows() {
                entries.push(entry(Path::new(&file.path), &batch, row)?);
            }
        }
    }
    Ok(entries)
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
    let tables = serde_json::from_str(&text("Tables"))
        .map_err(|e| unusable(path, &format!("column `Tables`: {e}")))?;
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
        path_key: text("PathKey"),
        modified: long("Modified"),
        version: text("Version"),
        rows: match text("RowDigests").as_str() {
            "" => BTreeMap::new(),
            digests => serde_json::from_str(digests)
                .map_err(|e| unusable(path, &format!("column `RowDigests`: {e}")))?,
        },
        derived: match text("Derived").as_str() {
            "" => BTreeMap::new(),
            derived => serde_json::from_str(derived)
                .map_err(|e| unusable(path, &format!("column `Derived`: {e}")))?,
        },
        chain: text("Chain"),
    })
}

fn unusable(path: &Path, reason: &str) -> Error {
    Error::Unusable {
        path: path.to_path_buf(),
        reason: format!("ledger: {reason}"),
    }
}

/// Writes entries to a staged file of the ledger.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(staging: &Path, entries: &[Entry], name: &str) -> Result<part::Part> {
    let table = catalog::table(TABLE);
    part::write(staging, table, None, name, &[batch(entries)?])
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
            "Version" => text(|e| e.version.clone()),
            "PathKey" => text(|e| e.path_key.clone()),
            "Modified" => long(|e| e.modified as u64),
            "RowDigests" => {
                text(|e| serde_json::to_string(&e.rows).expect("names and digests are JSON"))
            }
            "Derived" => {
                text(|e| serde_json::to_string(&e.derived).expect("names and numbers are JSON"))
            }
            "Chain" => text(|e| e.chain.clone()),
            other => unreachable!("the ledger has no column {other}"),
        })
        .collect();
    Ok(RecordBatch::try_new(table.schema(), columns)?)
}
