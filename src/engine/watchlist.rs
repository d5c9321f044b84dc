//! Watchlists: CSV files of reference data, all columns text, as in Sentinel.
//!
//! A list is read when a query names it first, and once. So a bad one stops the queries that need it and no others.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::catalog::SchemaProvider;
use datafusion::datasource::{MemTable, TableProvider, TableType};
use datafusion::error::{DataFusionError, Result as PlanResult};

use crate::fault::{Error, Result};
use crate::ingest::watchlist::{self, Watchlist};

/// The watchlists of a session as a schema of DataFusion, by their names in lower case.
#[derive(Debug, Default)]
pub(super) struct Watchlists {
    lists: Mutex<BTreeMap<String, List>>,
    /// Why nobody knows which lists there are.
    unlisted: Option<Refused>,
}

#[derive(Debug)]
struct List {
    name: String,
    /// Rows in memory have none.
    file: PathBuf,
    /// What came of reading it.
    outcome: Option<Outcome>,
}

type Outcome = std::result::Result<Arc<dyn TableProvider>, Refused>;

/// A file that cannot be asked, and why.
#[derive(Debug)]
struct Refused {
    file: PathBuf,
    reason: String,
}

impl Refused {
    fn new(file: &Path, reason: impl Into<String>) -> Refused {
        Refused {
            file: file.to_path_buf(),
            reason: reason.into(),
        }
    }

    fn told(&self) -> DataFusionError {
        DataFusionError::External(Box::new(Error::Unusable {
            path: self.file.clone(),
            reason: self.reason.clone(),
        }))
    }
}

impl Watchlists {
    /// Those of an archive's folder, none of them read; none where the folder is missing.
    pub(super) fn of(folder: &Path) -> Watchlists {
        match list(folder) {
            Ok(lists) => Watchlists {
                lists: Mutex::new(lists),
                unlisted: None,
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => Watchlists::default(),
            Err(e) => Watchlists {
                lists: Mutex::default(),
                unlisted: Some(Refused::new(folder, format!("cannot read it: {e}"))),
            },
        }
    }

    /// Their names, as the rules spell them.
    pub(super) fn names(&self) -> Vec<String> {
        self.lists().values().map(|l| l.name.clone()).collect()
    }

    fn lists(&self) -> MutexGuard<'_, BTreeMap<String, List>> {
        // A reader that panicked has changed nothing.
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SchemaProvider for Watchlists {
    fn table_names(&self) -> Vec<String> {
        self.names()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        if let Some(refused) = &self.unlisted {
            return Err(refused.told());
        }
        let mut lists = self.lists();
        let Some(list) = lists.get_mut(&key(name)) else {
            return Ok(None);
        };
        let outcome = list
            .outcome
            .get_or_insert_with(|| open(&list.name, &list.file));
        match outcome {
            Ok(table) => Ok(Some(Arc::clone(table))),
            Err(refused) => Err(refused.told()),
        }
    }

    async fn table_type(&self, name: &str) -> PlanResult<Option<TableType>> {
        // Known without reading the list.
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        match self.lists().entry(key(&name)) {
            Entry::Occupied(_) => Err(DataFusionError::Execution(format!(
                "there is a watchlist `{name}` already"
            ))),
            Entry::Vacant(free) => {
                free.insert(List {
                    name,
                    file: PathBuf::new(),
                    outcome: Some(Ok(table)),
                });
                Ok(None)
            }
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        // Where nobody knows, asking for it says why; to say that there is none would be wrong.
        self.unlisted.is_some() || self.lists().contains_key(&key(name))
    }
}

fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The lists of a folder, by their names in lower case.
fn list(folder: &Path) -> io::Result<BTreeMap<String, List>> {
    let is_link = std::fs::symlink_metadata(folder)?.is_symlink();
    let mut files = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.sort();
    let mut lists = BTreeMap::new();
    for file in files {
        let Some(name) = watchlist::name_of(&file) else {
            continue;
        };
        match lists.entry(key(&name)) {
            Entry::Vacant(free) => {
                let refused = is_link.then(|| Err(Refused::new(&file, LINKED_FOLDER)));
                free.insert(List {
                    name,
                    file,
                    outcome: refused,
                });
            }
            Entry::Occupied(mut other) => {
                let reason = format!("another watchlist is called `{}`", other.get().name);
                other.get_mut().outcome = Some(Err(Refused::new(&file, reason)));
            }
        }
    }
    Ok(lists)
}

/// A received archive shows its own files and none of the machine's that it is read on.
const LINKED_FOLDER: &str = "its folder is a link, which is not followed out of an archive";

/// Reads a list of an archive.
fn open(name: &str, file: &Path) -> Outcome {
    let table = |content: &[u8]| -> std::result::Result<MemTable, String> {
        let list = Watchlist::parse(name, content)?;
        let batch = batch_of(&list).map_err(|e| e.to_string())?;
        MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(|e| e.to_string())
    };
    own(file)
        .and_then(|()| watchlist::read(file))
        .and_then(|content| table(&content))
        .map(|table| Arc::new(table) as Arc<dyn TableProvider>)
        .map_err(|reason| Refused::new(file, reason))
}

/// Refuses a link.
fn own(file: &Path) -> std::result::Result<(), String> {
    match std::fs::symlink_metadata(file) {
        Ok(found) if found.is_symlink() => {
            Err("it is a link, which is not followed out of an archive".into())
        }
        Ok(_) => Ok(()),
        Err(e) => Err(format!("cannot read it: {e}")),
    }
}

/// A list as columns of text. Empty cells are null.
fn batch_of(list: &Watchlist) -> Result<RecordBatch> {
    let columns = (0..list.header().len())
        .map(|c| Arc::new(StringArray::from_iter(list.column(c))) as ArrayRef)
        .collect();
    batch(list.header(), columns, list.rows())
}

/// A watchlist from names and rows of text. Empty cells are null.
///
/// # Errors
/// When two columns have one name.
pub fn from_rows(header: &[String], rows: &[Vec<String>]) -> Result<RecordBatch> {
    let header: Vec<String> = header.iter().map(|n| n.trim().to_string()).collect();
    watchlist::check_header(&header).map_err(Error::Usage)?;
    let columns = (0..header.len())
        .map(|c| {
            let cells = rows
                .iter()
                .map(|r| r.get(c).map(String::as_str).filter(|t| !t.is_empty()));
            Arc::new(StringArray::from_iter(cells)) as ArrayRef
        })
        .collect();
    batch(&header, columns, rows.len())
}

fn batch(header: &[String], columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let fields: Vec<Field> = header
        .iter()
        .map(|name| Field::new(name, DataType::Utf8, true))
        .collect();
    Ok(RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )?)
}
