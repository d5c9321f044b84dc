//! The tables' logs: Delta Lake, through `deltalake-core`. Files are written elsewhere; here they are added and replaced.
//!
//! A table is made with its first files, in one commit. Every commit says which batch it belongs to (`txn` of the application
//! `INGEST` or `COMPACT`), so that one that was cut off is completed once, and carries the ledger's entries of its rows: from them a lost ledger is
//! made again. No path of this machine stands in a log.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::DateTime;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{
    CommitBuilder, CommitProperties, PROTOCOL, TableReference,
};
use deltalake_core::kernel::{
    Action, Add, LogicalFileView, MetadataExt, Protocol, Remove, StructField, StructType,
    Transaction, new_metadata,
};
use deltalake_core::logstore::{StorageConfig, logstore_with};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::commits;
use super::entry::Described;
use super::part::Part;
use super::store::Store;
use crate::catalog::{DATE, TIME, Table};
use crate::fault::{Error, Result};

pub use super::entry::FileEntry;

/// Tag of a file in the log: SHA-256 of its bytes.
pub const SHA256: &str = "sha256";
/// Tag of a file in the log: its [`FileEntry::nested`], with commas between.
pub(super) const NESTED: &str = "nested";
/// Application in the log of commits that add rows; their version is the batch.
pub(super) const INGEST: &str = "coldtrail";
/// Application in the log of commits that merge files.
pub(super) const COMPACT: &str = "coldtrail-compact";
/// Application in the log of commits that derive a table again.
pub(super) const DERIVE: &str = "coldtrail-derive";
/// Application in the log of commits that add what a hunt concluded.
pub(super) const CONCLUDE: &str = "coldtrail-conclude";
/// Application in the log of commits that repair.
pub(super) const REPAIR: &str = "coldtrail-repair";
/// All of them: a commit without one is another program's.
pub(super) const OWN: [&str; 5] = [INGEST, COMPACT, CONCLUDE, DERIVE, REPAIR];
/// Where a commit's own words stand in its `commitInfo`.
pub(super) const INFO: &str = "coldtrail";

/// Setting of a table that says which version of the archive's form it has.
pub(super) const FORMAT_KEY: &str = "coldtrail.format";
/// Version of the archive's form: 1 is that of coldtrail 0.1.0, which has no such setting.
pub(super) const FORMAT: u32 = 2;

/// A change of one table.
pub(super) struct Change<'c> {
    pub table: &'static Table,
    pub remove: &'c [FileEntry],
    pub add: &'c [Part],
    /// [`INGEST`] or [`COMPACT`], and its version.
    pub mark: (&'static str, i64),
    /// What the commit says of itself.
    pub info: Value,
    /// In microseconds.
    pub now: i64,
}

/// Opens and writes the logs of an archive's tables.
pub struct Logs {
    root: PathBuf,
    store: Store,
    runtime: Runtime,
}

impl Logs {
    pub(super) fn new(root: &Path, store: Store) -> Result<Logs> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Error::io("start threads for", root))?;
        Ok(Logs {
            root: root.to_path_buf(),
            store,
            runtime,
        })
    }

    /// The table, not loaded yet.
    fn table(&self, name: &str) -> Result<DeltaTable, DeltaTableError> {
        // The store begins at the archive's folder; the scheme only says that it is no place of the network.
        let url = url::Url::parse(&format!("memory:///{name}/"))
            .map_err(|e| DeltaTableError::generic(format!("table `{name}`: {e}")))?;
        let store = Arc::new(self.store.clone());
        Ok(DeltaTable::new(logstore_with(
            store,
            &url,
            StorageConfig::default(),
        )?))
    }

    fn open(&self, name: &str) -> Result<Option<DeltaTable>> {
        self.open_at(name, None)
    }

    /// The table at a version, or as it is now.
    fn open_at(&self, name: &str, version: Option<u64>) -> Result<Option<DeltaTable>> {
        if !self.root.join(name).join("_delta_log").is_dir() {
            return Ok(None);
        }
        let table = self.runtime.block_on(async {
            let mut table = self.table(name)?;
            let loaded = match version {
                Some(version) => table.load_version(version).await,
                None => table.load().await,
            };
            match loaded {
                Ok(()) => Ok(Some(table)),
                // A log folder without a commit: its first one was cut off.
                Err(DeltaTableError::NotATable(_)) => Ok(None),
                Err(e) => Err(e),
            }
        });
        table.map_err(failure(name))
    }

    /// Files of a table; none where there is no table.
    ///
    /// # Errors
    /// When the log cannot be read, or names what coldtrail cannot read.
    pub fn files(&self, name: &str) -> Result<Vec<FileEntry>> {
        match self.open(name)? {
            Some(table) => self.files_of(name, &table),
            None => Ok(Vec::new()),
        }
    }

    fn files_of(&self, name: &str, table: &DeltaTable) -> Result<Vec<FileEntry>> {
        let state = table.snapshot().map_err(failure(name))?;
        // The library keeps the settings to itself, but for their JSON.
        let metadata = serde_json::to_value(state.metadata())
            .map_err(|e| Error::Damaged(format!("the log of `{name}`: {e}")))?;
        let format = metadata["configuration"][FORMAT_KEY].as_str();
        let format = format.and_then(|v| v.parse::<u32>().ok());
        if format.is_some_and(|f| f > FORMAT) {
            return Err(Error::Unusable {
                path: self.root.join(name),
                reason: "a newer version of coldtrail wrote it".into(),
            });
        }
        let files = state.log_data();
        files.iter().map(|file| self.entry(name, &file)).collect()
    }

    /// The version that an application wrote last into a table's log.
    pub(super) fn mark(&self, name: &str, application: &str) -> Result<Option<i64>> {
        match self.open(name)? {
            Some(table) => self.mark_of(name, &table, application),
            None => Ok(None),
        }
    }

    fn mark_of(&self, name: &str, table: &DeltaTable, application: &str) -> Result<Option<i64>> {
        let found = self.runtime.block_on(async {
            let log = table.log_store();
            table
                .snapshot()?
                .transaction_version(log.as_ref(), application)
                .await
        });
        found.map_err(failure(name))
    }

    /// A table at a version, by whoever wrote its log.
    pub(super) fn at(&self, name: &str, version: u64) -> Result<AtVersion> {
        match self.open_at(name, Some(version))? {
            Some(table) => Ok(AtVersion {
                files: self.files_of(name, &table)?,
                batch: self.mark_of(name, &table, INGEST)?,
                beyond: beyond(&table).map_err(failure(name))?,
            }),
            None => Ok(AtVersion::default()),
        }
    }

    /// Names and types of a table's columns, as its log has them; nothing where there is no table.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn columns(&self, name: &str) -> Result<Option<Vec<(String, String)>>> {
        let Some(table) = self.open(name)? else {
            return Ok(None);
        };
        let state = table.snapshot().map_err(failure(name))?;
        let schema = state.schema();
        Ok(Some(schema.fields().map(name_and_type).collect()))
    }

    fn entry(&self, table: &str, file: &LogicalFileView) -> Result<FileEntry> {
        #[expect(deprecated, reason = "nothing else gives the tags of a file")]
        let mut tags = file.add_action().tags.unwrap_or_default();
        let described = Described {
            path: file.path().into_owned(),
            size: file.size(),
            stats: file.stats(),
            sha256: tags.remove(SHA256).flatten(),
            nested: tags.remove(NESTED).flatten(),
            date: file.partition_values_map().get(DATE).cloned().flatten(),
            deletes: file.deletion_vector_descriptor().is_some(),
        };
        described.entry(&self.store, table)
    }

    /// Files that were in a table once, by its commits: they stay where they were for a while.
    ///
    /// # Errors
    /// When a commit cannot be read or is not JSON.
    pub fn removed(&self, name: &str) -> Result<HashSet<String>> {
        let mut out = HashSet::new();
        for path in commits::of(&self.root.join(name))? {
            for action in commits::actions(&path)? {
                out.extend(action["remove"]["path"].as_str().map(commits::decoded));
            }
        }
        Ok(out)
    }

    /// What is wrong with the hint at the last checkpoint, which readers begin with.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn hint(&self, name: &str) -> Result<Option<String>> {
        let folder = self.root.join(name).join("_delta_log");
        let path = folder.join("_last_checkpoint");
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path)(e)),
        };
        let hint: Value = match serde_json::from_slice(&text) {
            Ok(hint) => hint,
            Err(e) => return Ok(Some(format!("not JSON: {e}"))),
        };
        let Some(version) = hint["version"].as_u64() else {
            return Ok(Some("it names no version".into()));
        };
        let begin = format!("{version:020}.checkpoint");
        let mut there = false;
        for file in std::fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let name = file.map_err(Error::io("read", &folder))?.file_name();
            there |= name.to_string_lossy().starts_with(&begin);
        }
        Ok((!there).then(|| format!("there is no checkpoint of version {version}")))
    }

    /// Files of a table by its commits alone, without its checkpoints; nothing where its first commits are not there any more.
    ///
    /// # Errors
    /// When a commit cannot be read or is not JSON.
    pub fn replayed(&self, name: &str) -> Result<Option<Vec<FileEntry>>> {
        let mut files: BTreeMap<String, Described> = BTreeMap::new();
        for (expected, path) in commits::of(&self.root.join(name))?.into_iter().enumerate() {
            if commits::version(&path) != Some(expected as u64) {
                return Ok(None);
            }
            for action in commits::actions(&path)? {
                let path = |action: &Value| action["path"].as_str().map(commits::decoded);
                if let Some(path) = path(&action["remove"]) {
                    files.remove(&path);
                }
                let add = &action["add"];
                let Some(path) = path(add) else { continue };
                let text = |value: &Value| value.as_str().map(str::to_string);
                let described = Described {
                    size: add["size"].as_i64().unwrap_or(0),
                    stats: text(&add["stats"]),
                    sha256: text(&add["tags"][SHA256]),
                    nested: text(&add["tags"][NESTED]),
                    date: text(&add["partitionValues"][DATE]),
                    deletes: !add["deletionVector"].is_null(),
                    path: path.clone(),
                };
                files.insert(path, described);
            }
        }
        // Only what is left: files of long ago need not be there any more.
        let left = files
            .into_values()
            .map(|file| file.entry(&self.store, name));
        Ok(Some(left.collect::<Result<_>>()?))
    }

    /// Whether a table has the commit already, or what it would replace is replaced: in object storage others may have completed it and gone on.
    fn is_overtaken(&self, change: &Change<'_>, existing: &DeltaTable) -> Result<bool> {
        let (name, (application, number)) = (change.table.name, change.mark);
        let mark = self.mark_of(name, existing, application)?;
        let files = self.files_of(name, existing)?;
        let named: HashSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
        let is_gone = |file: &FileEntry| !named.contains(file.path.as_str());
        // The moments of merges need not grow.
        let is_later = application != COMPACT && mark > Some(number);
        Ok(is_later || mark == Some(number) || change.remove.iter().any(is_gone))
    }

    /// Changes a table in one commit. Makes the table where there is none, and gives it the columns of its schema.
    ///
    /// # Errors
    /// When the log cannot be written, or the table was changed by another program so that the change makes no sense any more.
    pub(super) fn commit(&self, change: &Change<'_>) -> Result<()> {
        let table = change.table;
        let failed = failure(table.name);
        let existing = self.open(table.name)?;
        if self.store.is_copy()
            && let Some(existing) = &existing
            && self.is_overtaken(change, existing)?
        {
            return Ok(());
        }
        let mut actions: Vec<Action> = Vec::new();
        let schema = schema(table).map_err(&failed)?;
        let target = match &existing {
            None => {
                actions.extend(made(table, &schema).map_err(&failed)?);
                self.table(table.name).map_err(&failed)?
            }
            Some(existing) => {
                actions.extend(changed(existing, table, &schema).map_err(&failed)?);
                existing.clone()
            }
        };
        let merges = change.mark.0 == COMPACT;
        let removed = change.remove.iter();
        actions.extend(removed.map(|f| remove(table, f, change.now / 1000)));
        actions.extend(change.add.iter().map(|part| {
            Action::Add(Add {
                data_change: !merges,
                ..add(table, part, change.now / 1000)
            })
        }));
        let operation = match merges {
            true => DeltaOperation::Optimize {
                predicate: None,
                target_size: 0,
            },
            false => DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: table.by_day.then(|| vec![DATE.to_string()]),
                predicate: None,
            },
        };
        let mark = Transaction::new_with_last_update(
            change.mark.0,
            change.mark.1,
            Some(change.now / 1000),
        );
        let properties = CommitProperties::default()
            // The log is evidence: its old entries stay.
            .with_cleanup_expired_logs(Some(false))
            .with_metadata([(INFO.to_string(), change.info.clone())])
            .with_application_transaction(mark);
        let done = self.runtime.block_on(async {
            let before = match &existing {
                Some(table) => Some(table.snapshot()? as &dyn TableReference),
                None => None,
            };
            CommitBuilder::from(properties)
                .with_actions(actions)
                .build(before, target.log_store(), operation)
                .await
        });
        done.map(|_| ()).map_err(failed)
    }
}

/// A table at one version of its log.
#[derive(Debug, Default)]
pub(super) struct AtVersion {
    pub files: Vec<FileEntry>,
    /// The last batch whose rows are in it.
    pub batch: Option<i64>,
    /// What another program gave it and cannot be written here, where there is such a thing.
    pub beyond: Option<String>,
}

/// What of a table the library does not write, in words; nothing where it writes all of it.
fn beyond(table: &DeltaTable) -> Result<Option<String>, DeltaTableError> {
    let state = table.snapshot()?;
    if PROTOCOL.can_write_to(state).is_ok() {
        return Ok(None);
    }
    let protocol = serde_json::to_value(state.protocol())
        .map_err(|e| DeltaTableError::generic(e.to_string()))?;
    // The older versions have these two as well: nobody gave them to the table.
    let listed = protocol["writerFeatures"].as_array().into_iter().flatten();
    let mut names: Vec<&str> = listed
        .filter_map(Value::as_str)
        .filter(|name| !["appendOnly", "invariants"].contains(name))
        .collect();
    names.sort_unstable();
    let with = match names.is_empty() {
        true => String::new(),
        false => format!(" with {}", names.join(", ")),
    };
    let version = &protocol["minWriterVersion"];
    Ok(Some(format!(
        "version {version} of Delta's protocol for writers{with}"
    )))
}

fn failure(name: &str) -> impl Fn(DeltaTableError) -> Error {
    let table = name.to_string();
    move |source| Error::Delta {
        table: table.clone(),
        source: Box::new(source),
    }
}

fn name_and_type(field: &StructField) -> (String, String) {
    (field.name().clone(), field.data_type().to_string())
}

/// Names and types that a table's log should have.
///
/// # Errors
/// When a column has a type that Delta Lake lacks, a fault of coldtrail.
pub fn columns_of(table: &Table) -> Result<Vec<(String, String)>> {
    let schema = schema(table).map_err(failure(table.name))?;
    Ok(schema.fields().map(name_and_type).collect())
}

fn schema(table: &Table) -> Result<StructType, DeltaTableError> {
    let mut fields = Vec::new();
    for field in table.schema().fields() {
        let field: StructField = field
            .as_ref()
            .try_into_kernel()
            .map_err(|e: arrow::error::ArrowError| DeltaTableError::generic(e.to_string()))?;
        fields.push(field);
    }
    if table.by_day {
        fields.push(StructField::nullable(
            DATE,
            deltalake_core::kernel::DataType::DATE,
        ));
    }
    StructType::try_new(fields).map_err(|e| DeltaTableError::generic(e.to_string()))
}

/// What the first commit of a table says of it.
fn made(table: &Table, schema: &StructType) -> Result<[Action; 2], DeltaTableError> {
    let days = table.by_day.then_some(DATE);
    // Other programs would delete old commits after 30 days when they write.
    let settings = [
        ("delta.enableExpiredLogCleanup", "false".to_string()),
        (FORMAT_KEY, FORMAT.to_string()),
    ];
    let metadata = new_metadata(schema, days, settings)?
        .with_name(table.name.to_string())?
        .with_description(table.doc.to_string())?;
    let protocol: Protocol = serde_json::from_value(serde_json::json!({
        "minReaderVersion": 1,
        "minWriterVersion": 2,
    }))
    .map_err(|e| DeltaTableError::generic(e.to_string()))?;
    Ok([Action::Protocol(protocol), Action::Metadata(metadata)])
}

/// Metadata with the columns that an older table lacks, and of derived rows without those that they had in an older version; nothing where it is
/// the same.
fn changed(
    existing: &DeltaTable,
    table: &Table,
    schema: &StructType,
) -> Result<Option<Action>, DeltaTableError> {
    let state = existing.snapshot()?;
    let stored: StructType = state.schema().as_ref().clone();
    let kept: Vec<StructField> = stored
        .fields()
        .filter(|f| !table.derived || schema.field(f.name()).is_some())
        .cloned()
        .collect();
    let missing: Vec<StructField> = schema
        .fields()
        .filter(|f| stored.field(f.name()).is_none())
        .cloned()
        .collect();
    if missing.is_empty() && kept.len() == stored.num_fields() {
        return Ok(None);
    }
    let schema = StructType::try_new(kept.into_iter().chain(missing))
        .map_err(|e| DeltaTableError::generic(e.to_string()))?;
    let metadata = state.metadata().clone().with_schema(&schema)?;
    Ok(Some(Action::Metadata(metadata)))
}

fn partition(table: &Table, date: Option<&str>) -> HashMap<String, Option<String>> {
    if table.by_day {
        HashMap::from([(DATE.to_string(), date.map(str::to_string))])
    } else {
        HashMap::new()
    }
}

/// Programs that tidy up count from `now`, in milliseconds, how long the file stays where it is.
fn remove(table: &Table, file: &FileEntry, now: i64) -> Action {
    Action::Remove(Remove {
        path: file.path.clone(),
        data_change: false,
        deletion_timestamp: Some(now),
        extended_file_metadata: Some(true),
        partition_values: Some(partition(table, file.date.as_deref())),
        size: Some(file.size as i64),
        ..Default::default()
    })
}

fn add(table: &Table, part: &Part, now: i64) -> Add {
    let mut stats = serde_json::json!({"numRecords": part.rows});
    if let Some((first, last)) = part.times {
        let text = |t: i64, up: bool| {
            // Delta keeps milliseconds in statistics; the upper bound is rounded up so that it stays a bound.
            let ms = t.div_euclid(1000) + i64::from(up && t.rem_euclid(1000) != 0);
            DateTime::from_timestamp_millis(ms)
                .map(|t| t.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
        };
        stats["minValues"] = serde_json::json!({TIME: text(first, false)});
        stats["maxValues"] = serde_json::json!({TIME: text(last, true)});
    }
    let mut tags = HashMap::from([(SHA256.to_string(), Some(part.sha256.clone()))]);
    if !part.nested.is_empty() {
        tags.insert(NESTED.to_string(), Some(part.nested.join(",")));
    }
    Add {
        path: part.path.clone(),
        partition_values: partition(table, part.date.as_deref()),
        size: part.size as i64,
        modification_time: now,
        data_change: true,
        stats: Some(stats.to_string()),
        tags: Some(tags),
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}
