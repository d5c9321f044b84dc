//! Stored tables as a schema of DataFusion, with the rows of all times. A table is made when a query names it, and once: an archive has some three
//! hundred, and to read the logs of all of them would cost more than most queries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use async_trait::async_trait;
use datafusion::catalog::SchemaProvider;
use datafusion::common::TableReference;
use datafusion::datasource::{MemTable, TableProvider, ViewTable, provider_as_source};
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::col;

use super::options::TimeRange;
use super::table::ArchiveTable;
use crate::archive::Pinned;
use crate::archive::delta::FileEntry;
use crate::archive::keys::Events;
use crate::catalog::{TIME, Table, catalog};
use crate::fault::{Error, Result};

/// The stored tables of a session.
#[derive(Debug)]
pub(super) struct Stored {
    /// Tables that nobody named yet have their rows here; where there is no archive, none.
    archive: Option<Pinned>,
    /// Only rows of these times can be known at all.
    seen: TimeRange,
    made: Mutex<HashMap<&'static str, Made>>,
    derived: OnceLock<bool>,
}

#[derive(Debug)]
struct Made {
    rows: Arc<dyn TableProvider>,
    /// Whether there are any.
    has_rows: bool,
}

impl Stored {
    /// Tables of an archive, or none.
    pub(super) fn of(archive: Option<Pinned>, seen: TimeRange) -> Stored {
        Stored {
            archive,
            seen,
            made: Mutex::default(),
            derived: OnceLock::new(),
        }
    }

    /// Only rows before this time, in microseconds, can be known at all.
    pub(super) fn seen(&self) -> Option<i64> {
        self.seen.to
    }

    /// What the archive is.
    ///
    /// # Errors
    /// When a log or a watchlist cannot be read, or there is no archive.
    pub(super) fn identity(&self) -> Result<String> {
        match &self.archive {
            Some(archive) => archive.identity(),
            None => Err(Error::Usage(
                "rows in memory cannot be asked on other machines: ingest them into an archive"
                    .into(),
            )),
        }
    }

    /// Puts rows in the place of those that a table has.
    ///
    /// # Errors
    /// When DataFusion refuses them, which is a fault of coldtrail.
    pub(super) fn put(
        &self,
        table: &'static Table,
        rows: Arc<dyn TableProvider>,
        has_rows: bool,
    ) -> Result<()> {
        let rows = self.cut(table, rows)?;
        self.made().insert(table.name, Made { rows, has_rows });
        Ok(())
    }

    /// Whether a table has rows. Of one whose log cannot be read it is taken to have some: who asks for them is told.
    pub(super) fn has(&self, name: &str) -> bool {
        // What has rows that are derived is the view over them.
        let Some(table) = known(name).filter(|table| !table.derived) else {
            return false;
        };
        if let Some(made) = self.made().get(table.name) {
            return made.has_rows;
        }
        match &self.archive {
            Some(archive) if archive.may_have(table) => {
                archive.files(table).map_or(true, |files| !files.is_empty())
            }
            _ => false,
        }
    }

    /// Whether a table may have rows, without a look into its log.
    pub(super) fn may_have(&self, name: &str) -> bool {
        let table = known(name).filter(|table| !table.derived);
        table.is_some_and(|table| match &self.archive {
            Some(archive) => archive.may_have(table),
            None => self.has(name),
        })
    }

    /// Tables that have rows.
    pub(super) fn present(&self) -> impl Iterator<Item = &'static Table> {
        catalog().tables().filter(|table| self.has(table.name))
    }

    /// Whether a kept list is JSON in all rows of a table, by what its log says.
    pub(super) fn is_nested(&self, name: &str, path: &str) -> bool {
        let table = known(name).filter(|table| table.record.is_some());
        let files = table.zip(self.archive.as_ref());
        let files = files.map(|(table, archive)| archive.files(table));
        files.is_some_and(|files| {
            files.is_ok_and(|files| {
                let says = |list: &String| list == path;
                files.iter().all(|file| file.nested.iter().any(says))
            })
        })
    }

    /// Whether the rows of `LabelEvents` are stored, all of them as this version derives them. It is found out when it is asked, and once.
    pub(super) fn is_derived(&self) -> bool {
        *self.derived.get_or_init(|| {
            let archive = self.archive.as_ref();
            // What cannot be read is as good as not there: the view works the rows out of the events.
            archive.is_some_and(|archive| archive.is_derived().unwrap_or(false))
        })
    }

    /// Whether a query can name a table: rows that are derived, where they are those of all events.
    fn is_there(&self, table: &Table) -> bool {
        !table.derived || self.is_derived()
    }

    /// What ingests know of the events of a table; nothing where that is not all of them.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn events(&self, table: &'static Table) -> Result<Option<Events>> {
        match &self.archive {
            Some(archive) => Events::of(archive, table),
            None => Ok(None),
        }
    }

    /// Whether rows of a table may lie beyond what can be seen.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub(super) fn is_cut(&self, table: &'static Table) -> Result<bool> {
        let (Some(archive), Some(to)) = (&self.archive, self.seen.to) else {
            return Ok(false);
        };
        // Rows without a time are beyond, too.
        let seen = |file: &FileEntry| file.bounded && file.times.is_some_and(|(_, last)| last < to);
        Ok(!archive.files(table)?.iter().all(seen))
    }

    /// The files of a table; nothing where there is no archive.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub(super) fn files(&self, table: &'static Table) -> Result<Option<Arc<[FileEntry]>>> {
        let files = self.archive.as_ref().map(|archive| archive.files(table));
        files.transpose()
    }

    /// The rows of a table in files, by its log; nothing where there are no files.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub(super) fn rows_in_files(&self, table: &'static Table) -> Result<Option<u64>> {
        let files = self.files(table)?.filter(|files| !files.is_empty());
        Ok(files.map(|files| files.iter().map(|file| file.rows).sum()))
    }

    /// The rows of a table in files that may have some within a range of times; none where its log cannot be read: who asks for them is told.
    pub(super) fn rows_within(&self, table: &'static Table, range: TimeRange) -> u64 {
        let Ok(Some(files)) = self.files(table) else {
            return 0;
        };
        let may_have = |file: &&FileEntry| {
            let times = file.times.filter(|_| file.bounded);
            times.is_none_or(|(first, last)| {
                range.from.is_none_or(|from| last >= from) && range.to.is_none_or(|to| first < to)
            })
        };
        files.iter().filter(may_have).map(|file| file.rows).sum()
    }

    /// Reads columns of the rows in files that can be seen, a batch at a time.
    ///
    /// # Errors
    /// When one cannot be read, or `see` fails.
    pub(super) fn each(
        &self,
        table: &'static Table,
        names: &[&str],
        mut see: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let Some(archive) = &self.archive else {
            return Ok(());
        };
        let Some(to) = self.seen.to.filter(|_| table.by_day) else {
            return archive.each(table, names, |batch| see(&batch));
        };
        let mut names = names.to_vec();
        if !names.contains(&TIME) {
            names.push(TIME);
        }
        archive.each(table, &names, |batch| see(&before(&batch, to)?))
    }

    fn table_of(&self, table: &'static Table) -> Result<Arc<dyn TableProvider>> {
        if let Some(made) = self.made().get(table.name) {
            return Ok(Arc::clone(&made.rows));
        }
        let (rows, has_rows): (Arc<dyn TableProvider>, bool) = match &self.archive {
            Some(archive) => {
                let files = archive.files(table)?;
                let has_rows = !files.is_empty();
                (
                    Arc::new(ArchiveTable::new(table, files, archive.store().clone())),
                    has_rows,
                )
            }
            None => {
                let none: Vec<RecordBatch> = Vec::new();
                (
                    Arc::new(MemTable::try_new(table.schema(), vec![none])?),
                    false,
                )
            }
        };
        let rows = self.cut(table, rows)?;
        // Of two that made it at once, both take the first one's.
        let made = Made { rows, has_rows };
        Ok(self.made().entry(table.name).or_insert(made).rows.clone())
    }

    /// The rows that can be known.
    fn cut(&self, table: &Table, rows: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
        let condition = self.seen.condition(col(format!("\"{TIME}\"")));
        let timed = table.by_day || table.concluded;
        let Some(condition) = condition.filter(|_| timed) else {
            return Ok(rows);
        };
        let source = provider_as_source(rows);
        let plan = LogicalPlanBuilder::scan(TableReference::bare(table.name), source, None)?
            .filter(condition)?
            .build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    fn made(&self) -> MutexGuard<'_, HashMap<&'static str, Made>> {
        // Who panicked has changed nothing.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SchemaProvider for Stored {
    fn table_names(&self) -> Vec<String> {
        let there = catalog().stored().filter(|table| self.is_there(table));
        there.map(|table| table.name.to_string()).collect()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        let table = known(name).filter(|table| self.is_there(table));
        let table = table.map(|table| self.table_of(table));
        table.transpose().map_err(told)
    }

    fn table_exist(&self, name: &str) -> bool {
        known(name).is_some_and(|table| self.is_there(table))
    }
}

/// The rows of a batch with a time before this one.
fn before(batch: &RecordBatch, to: i64) -> Result<RecordBatch> {
    let times = batch.column_by_name(TIME);
    let times = times.and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
    let mask: BooleanArray = match times {
        Some(times) => times
            .iter()
            .map(|t| Some(t.is_some_and(|t| t < to)))
            .collect(),
        None => vec![false; batch.num_rows()].into(),
    };
    Ok(filter_record_batch(batch, &mask)?)
}

/// The table of exactly that name.
fn known(name: &str) -> Option<&'static Table> {
    catalog()
        .stored_table(name)
        .filter(|table| table.name == name)
}

/// An error on its way through DataFusion: of these kinds it is taken for what it is at the other end.
pub(super) fn told(error: Error) -> DataFusionError {
    let error = match error {
        plain @ (Error::Unusable { .. } | Error::Damaged(_)) => plain,
        Error::Memory(text) => return DataFusionError::ResourcesExhausted(text),
        // What is to be done about damage is said of all of it.
        damaged @ Error::Parquet { .. } => Error::Damaged(damaged.to_string()),
        other => Error::Damaged(match other.hint() {
            Some(hint) => format!("{other}: {hint}"),
            None => other.to_string(),
        }),
    };
    DataFusionError::External(Box::new(error))
}
