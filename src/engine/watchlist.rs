//! Watchlists: CSV files of reference data, all columns text, as in Sentinel.
//!
//! A list is read when a query names it first, and once. So a bad one stops the queries that need it and no others. Its rows stay, and are
//! a part of the memory of queries: one that there is no room for is tried again when it is named again.

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
use datafusion::execution::memory_pool::MemoryReservation;

use super::memory::{LIST, Room};
use crate::fault::{Error, Result};
use crate::ingest::watchlist::{self, Watchlist};

/// The watchlists of a session as a schema of DataFusion, by their names in lower case.
#[derive(Debug)]
pub(super) struct Watchlists {
    lists: Mutex<BTreeMap<String, List>>,
    /// The memory of queries.
    room: Room,
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

type Outcome = std::result::Result<Open, Refused>;

/// A list that was read.
#[derive(Debug)]
struct Open {
    table: Arc<dyn TableProvider>,
    /// The memory of its rows; given as rows, they are counted by who gave them.
    _room: Option<MemoryReservation>,
}

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
    pub(super) fn of(folder: &Path, room: Room) -> Watchlists {
        let none = Watchlists::none(room);
        match list(folder) {
            Ok(lists) => Watchlists {
                lists: Mutex::new(lists),
                ..none
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => none,
            Err(e) => Watchlists {
                unlisted: Some(Refused::new(folder, format!("cannot read it: {e}"))),
                ..none
            },
        }
    }

    /// None but those that are given as rows.
    pub(super) fn none(room: Room) -> Watchlists {
        Watchlists {
            lists: Mutex::default(),
            room,
            unlisted: None,
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
        if list.outcome.is_none() {
            list.outcome = Some(open(&list.name, &list.file, &self.room)?);
        }
        match &list.outcome {
            Some(Ok(open)) => Ok(Some(Arc::clone(&open.table))),
            Some(Err(refused)) => Err(refused.told()),
            None => Ok(None),
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
                    outcome: Some(Ok(Open { table, _room: None })),
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

/// What a cell takes while its list is read, beside its text: where it ends, in the list and in its column.
const CELL_BYTES: usize = size_of::<usize>() + size_of::<i32>();

/// Reads a list of an archive.
///
/// # Errors
/// When there is no room for it. That is nothing to remember: others give theirs back.
fn open(name: &str, file: &Path, room: &Room) -> PlanResult<Outcome> {
    let refused = |reason: String| Ok(Err(Refused::new(file, reason)));
    let room = room.reserve(&format!("{LIST}{name}"));
    // What it takes to read it, until its rows are there.
    let reading = room.new_empty();
    match own(file) {
        Ok(bytes) => reading.try_grow(bytes)?,
        Err(reason) => return refused(reason),
    }
    let content = match watchlist::read(file) {
        Ok(content) => content,
        Err(reason) => return refused(reason),
    };
    let ends = |byte: &&u8| matches!(byte, b',' | b';' | b'\t' | b'|' | b'\n');
    let cells = content.iter().filter(ends).count();
    // Its text as it came, and cell by cell.
    let text = content.len().saturating_mul(2);
    reading.try_resize(text.saturating_add(cells.saturating_mul(CELL_BYTES)))?;
    let list = match Watchlist::parse(name, &content) {
        Ok(list) => list,
        Err(reason) => return refused(reason),
    };
    drop(content);
    let batch = match batch_of(&list) {
        Ok(batch) => batch,
        Err(e) => return refused(e.to_string()),
    };
    drop((list, reading));
    room.try_grow(batch.get_array_memory_size())?;
    Ok(match MemTable::try_new(batch.schema(), vec![vec![batch]]) {
        Ok(table) => Ok(Open {
            table: Arc::new(table),
            _room: Some(room),
        }),
        Err(e) => Err(Refused::new(file, e.to_string())),
    })
}

/// Bytes of a file of the archive's own. Refuses a link.
fn own(file: &Path) -> std::result::Result<usize, String> {
    match std::fs::symlink_metadata(file) {
        Ok(found) if found.is_symlink() => {
            Err("it is a link, which is not followed out of an archive".into())
        }
        Ok(found) => Ok(usize::try_from(found.len()).unwrap_or(usize::MAX)),
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
