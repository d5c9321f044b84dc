//! The tables' logs: Delta Lake, through `deltalake-core`. Files are written elsewhere; here they are added and removed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::CommitBuilder;
use deltalake_core::kernel::{
    Action, Add, MetadataExt, Remove, StructField, StructType, Transaction,
};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use tokio::runtime::Runtime;

use super::part::{self, Part};
use crate::catalog::{DATE, Table};
use crate::error::{Error, Result};

/// Tag of a file in the log: SHA-256 of its bytes.
const SHA256: &str = "sha256";

/// A file of a table, as its log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Path below the table's folder, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Earliest and latest event, in microseconds.
    pub times: Option<(i64, i64)>,
    /// Day of the folder.
    pub date: Option<String>,
    /// Batch that wrote it.
    pub batch: Option<i64>,
    /// SHA-256 of its bytes; files of older versions have none.
    pub sha256: Option<String>,
}

/// Opens and writes the logs of an archive's tables.
pub struct Logs {
    root: PathBuf,
    runtime: Runtime,
}

impl Logs {
    pub(super) fn new(root: &Path) -> Result<Logs> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Error::io("start threads for", root))?;
        Ok(Logs {
            root: root.to_path_buf(),
            runtime,
        })
    }

    fn open(&self, name: &str) -> Result<Option<DeltaTable>> {
        let folder = self.root.join(name);
        if !folder.join("_delta_log").is_dir() {
            return Ok(None);
        }
        let failed = failure(name);
        let table = self.runtime.block_on(async {
            let url = url(&folder)?;
            match DeltaTableBuilder::from_url(url)?.load().await {
                Ok(table) => Ok(Some(table)),
                // A log folder without a commit: creation was cut off.
                Err(DeltaTableError::NotATable(_)) => Ok(None),
                Err(e) => Err(e),
            }
        });
        table.map_err(failed)
    }

    /// Files of a table; none where there is no table.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn files(&self, name: &str) -> Result<Vec<FileEntry>> {
        let Some(table) = self.open(name)? else {
            return Ok(Vec::new());
        };
        let state = table.snapshot().map_err(failure(name))?;
        Ok(state
            .log_data()
            .iter()
            .map(|file| {
                let path = file.path().into_owned();
                let stats: serde_json::Value = file
                    .stats()
                    .and_then(|s| serde_json::from_str(&s).ok())
                    .unwrap_or_default();
                let time = |which: &str| {
                    stats[which][crate::catalog::TIME]
                        .as_str()
                        .and_then(|t| chrono::DateTime::parse_from_rfc3339(t).ok())
                        .map(|t| t.timestamp_micros())
                };
                #[expect(deprecated, reason = "nothing else gives the tags of a file")]
                let tags = file.add_action().tags;
                FileEntry {
                    sha256: tags.and_then(|mut t| t.remove(SHA256)).flatten(),
                    size: u64::try_from(file.size()).unwrap_or(0),
                    rows: stats["numRecords"].as_u64().unwrap_or(0),
                    times: time("minValues").zip(time("maxValues")),
                    date: file.partition_values_map().get(DATE).cloned().flatten(),
                    batch: part::batch_of(path.rsplit('/').next().unwrap_or("")),
                    path,
                }
            })
            .collect())
    }

    /// Adds files to a table in one commit, making the table where there is none and adding columns that its schema lacks.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn add(
        &self,
        table: &Table,
        parts: &[Part],
        now: i64,
        applications: &[String],
    ) -> Result<()> {
        let mut actions: Vec<Action> = Vec::new();
        let existing = match self.open(table.name)? {
            Some(found) => found,
            None => self.make(table)?,
        };
        let failed = failure(table.name);
        let schema = schema(table).map_err(&failed)?;
        let state = existing.snapshot().map_err(&failed)?;
        let stored: StructType = state.schema().as_ref().clone();
        let missing: Vec<StructField> = schema
            .fields()
            .filter(|f| stored.field(f.name()).is_none())
            .cloned()
            .collect();
        if !missing.is_empty() {
            let wider = StructType::try_new(stored.fields().cloned().chain(missing))
                .map_err(|e| failed(DeltaTableError::generic(e.to_string())))?;
            let metadata = state.metadata().clone().with_schema(&wider);
            let metadata = metadata.map_err(|e| failed(DeltaTableError::from(e)))?;
            actions.push(Action::Metadata(metadata));
        }
        actions.extend(parts.iter().map(|p| Action::Add(add(table, p, now))));
        let transactions: Vec<Transaction> = applications
            .iter()
            .map(|id| Transaction::new_with_last_update(id, 1, Some(now)))
            .collect();
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: table.by_day.then(|| vec![DATE.to_string()]),
            predicate: None,
        };
        self.commit(&existing, actions, transactions, operation)
            .map_err(failed)
    }

    /// Takes files out of a table and deletes them.
    ///
    /// # Errors
    /// When the log cannot be written or a file cannot be deleted.
    pub fn remove(&self, table: &Table, files: &[FileEntry]) -> Result<()> {
        let Some(existing) = self.open(table.name)? else {
            return Ok(());
        };
        let actions = files.iter().map(|f| remove(table, f, true)).collect();
        let operation = DeltaOperation::Delete { predicate: None };
        self.commit(&existing, actions, Vec::new(), operation)
            .map_err(failure(table.name))?;
        for file in files {
            let path = self.root.join(table.name).join(&file.path);
            if path.exists() {
                std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Puts files in the place of others, in one commit that changes no row. The others stay on disk.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn replace(&self, table: &Table, old: &[FileEntry], new: &[Part], now: i64) -> Result<()> {
        let failed = failure(table.name);
        let Some(existing) = self.open(table.name)? else {
            return Ok(());
        };
        let mut actions: Vec<Action> = old.iter().map(|f| remove(table, f, false)).collect();
        actions.extend(new.iter().map(|p| {
            Action::Add(Add {
                data_change: false,
                ..add(table, p, now)
            })
        }));
        let operation = DeltaOperation::Optimize {
            predicate: None,
            target_size: 0,
        };
        self.commit(&existing, actions, Vec::new(), operation)
            .map_err(failed)
    }

    fn commit(
        &self,
        table: &DeltaTable,
        actions: Vec<Action>,
        transactions: Vec<Transaction>,
        operation: DeltaOperation,
    ) -> Result<(), DeltaTableError> {
        self.runtime.block_on(async {
            let properties = deltalake_core::kernel::transaction::CommitProperties::default()
                // The log is evidence: its old entries stay.
                .with_cleanup_expired_logs(Some(false))
                .with_application_transactions(transactions);
            CommitBuilder::from(properties)
                .with_actions(actions)
                .build(Some(table.snapshot()?), table.log_store(), operation)
                .await?;
            Ok(())
        })
    }

    fn make(&self, table: &Table) -> Result<DeltaTable> {
        let folder = self.root.join(table.name);
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let failed = failure(table.name);
        let schema = schema(table).map_err(&failed)?;
        let made = self.runtime.block_on(async {
            let create = DeltaTable::try_from_url(url(&folder)?)
                .await?
                .create()
                .with_table_name(table.name)
                .with_comment(table.doc)
                .with_columns(schema.fields().cloned());
            if table.by_day {
                create.with_partition_columns([DATE]).await
            } else {
                create.await
            }
        });
        made.map_err(failed)
    }
}

fn failure(name: &str) -> impl Fn(DeltaTableError) -> Error {
    let table = name.to_string();
    move |source| Error::Delta {
        table: table.clone(),
        source: Box::new(source),
    }
}

fn url(folder: &Path) -> Result<url::Url, DeltaTableError> {
    url::Url::from_directory_path(folder).map_err(|()| {
        DeltaTableError::generic(format!("`{}` is not an absolute path", folder.display()))
    })
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

fn partition(table: &Table, date: Option<&str>) -> HashMap<String, Option<String>> {
    if table.by_day {
        HashMap::from([(DATE.to_string(), date.map(str::to_string))])
    } else {
        HashMap::new()
    }
}

fn remove(table: &Table, file: &FileEntry, data_change: bool) -> Action {
    Action::Remove(Remove {
        path: file.path.clone(),
        data_change,
        deletion_timestamp: Some(0),
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
            chrono::DateTime::from_timestamp_millis(ms)
                .map(|t| t.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
        };
        stats["minValues"] = serde_json::json!({crate::catalog::TIME: text(first, false)});
        stats["maxValues"] = serde_json::json!({crate::catalog::TIME: text(last, true)});
    }
    Add {
        path: part.path.clone(),
        partition_values: partition(table, part.date.as_deref()),
        size: part.size as i64,
        modification_time: now,
        data_change: true,
        stats: Some(stats.to_string()),
        tags: Some(HashMap::from([(
            SHA256.to_string(),
            Some(part.sha256.clone()),
        )])),
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}
