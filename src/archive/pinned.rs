//! The tables of an archive at one moment. To open them costs a look at each log's folder; a log is read when its table is asked for, and once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;

use super::delta::{AtVersion, FileEntry, Logs};
use super::folder::Archive;
use super::ledger::{self, Ledger};
use super::pending::Plan;
use super::store::Store;
use super::{commits, derived, part, replay};
use crate::catalog::{Table, catalog, label_events, table};
use crate::fault::Result;

/// The tables of an archive at one moment: every batch whole or not at all, whoever writes by then.
#[derive(Debug)]
pub struct Pinned {
    root: PathBuf,
    store: Store,
    /// The commit that was under way.
    plan: Option<Plan>,
    /// The newest version of each table that has a log.
    versions: BTreeMap<&'static str, u64>,
    /// Files of the tables that were asked for.
    read: Mutex<HashMap<&'static str, Arc<[FileEntry]>>>,
    /// The ledger, where somebody asked what it knows of the tables.
    ledger: Mutex<Option<Arc<Ledger>>>,
    /// Features that tables among those that were asked for have and that cannot be written here.
    beyond: Mutex<BTreeMap<&'static str, String>>,
}

impl Archive {
    /// The tables of the archive as it is now.
    ///
    /// # Errors
    /// When a folder, the plan of a commit or the ledger's log cannot be read, or a newer version wrote it.
    pub fn pinned(&self) -> Result<Pinned> {
        let pinned = self.at_rest(|plan| self.pin(plan))?;
        // That says for all tables whether this version can read them.
        pinned.files(table(ledger::TABLE))?;
        Ok(pinned)
    }

    /// The tables while nobody commits; the bytes are those of the plan of a commit that is under way.
    pub(super) fn pin(&self, plan: Option<&[u8]>) -> Result<Pinned> {
        let plan = plan.map(|bytes| self.plan_of(bytes)).transpose()?;
        if let (Some(remote), Some(plan)) = (self.remote(), &plan) {
            remote.plan_is_of(&plan.staged);
        }
        let mut versions = BTreeMap::new();
        for table in catalog().stored() {
            if let Some(version) = commits::newest_version(&self.root().join(table.name))? {
                versions.insert(table.name, version);
            }
        }
        Ok(Pinned {
            root: self.root().to_path_buf(),
            store: self.store().clone(),
            plan,
            versions,
            read: Mutex::default(),
            ledger: Mutex::default(),
            beyond: Mutex::default(),
        })
    }

    /// What was read so far, by the ledger alone.
    ///
    /// # Errors
    /// When the ledger or its log cannot be read.
    pub fn ledger(&self) -> Result<Ledger> {
        let files = self.pinned()?.files(table(ledger::TABLE))?;
        ledger::read(self.store(), &files)
    }
}

impl Pinned {
    /// Whether a table may have files: it has a log, or gets one by the commit that is under way.
    pub fn may_have(&self, table: &Table) -> bool {
        self.versions.contains_key(table.name) || !self.planned(table).is_empty()
    }

    /// Files of a table; none where it has no rows.
    ///
    /// # Errors
    /// When its log cannot be read, or names what coldtrail cannot read.
    pub fn files(&self, table: &'static Table) -> Result<Arc<[FileEntry]>> {
        // A reader that panicked has put nothing in.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = read.get(table.name) {
            return Ok(Arc::clone(files));
        }
        let files: Arc<[FileEntry]> = self.read_log(table)?.into();
        read.insert(table.name, Arc::clone(&files));
        Ok(files)
    }

    /// Reads columns of a table's rows, a batch at a time.
    ///
    /// # Errors
    /// When the log or a file cannot be read, or `see` fails.
    pub fn each(
        &self,
        table: &'static Table,
        names: &[&str],
        mut see: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        for file in self.files(table)?.iter() {
            part::each(&self.store, table, &file.path, Some(names), &mut see)?;
        }
        Ok(())
    }

    /// Whether the derived table has the rows of all events, as this version derives them.
    ///
    /// # Errors
    /// When its log, one of a table that it is made of, the ledger or the ledger's log cannot be read.
    pub fn is_derived(&self) -> Result<bool> {
        let files = self.files(label_events())?;
        let known = self.known()?;
        if !derived::is_current(&self.store, &known.entries, &files) {
            return Ok(false);
        }
        for source in catalog().stored().filter(|t| derived::is_made_of(t.name)) {
            let rows: u64 = self.files(source)?.iter().map(|f| f.rows).sum();
            // Another program may have deleted events: what is derived from them is still there.
            if rows != known.rows_of(source.name) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the ledger knows of the rows of the tables, and no more of it.
    pub(super) fn known(&self) -> Result<Arc<Ledger>> {
        let files = self.files(table(ledger::TABLE))?;
        let mut known = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let read = ledger::read_known(&self.store, &files)?;
        Ok(Arc::clone(known.insert(Arc::new(read))))
    }

    /// The folder as an object store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn read_log(&self, table: &Table) -> Result<Vec<FileEntry>> {
        let at = match self.versions.get(table.name) {
            None => AtVersion::default(),
            Some(version) => match replay::own(&self.store, table.name, *version)? {
                Some(at) => at,
                None => self.by_library(table.name, *version)?,
            },
        };
        if let Some(features) = at.beyond {
            let mut beyond = self.beyond.lock().unwrap_or_else(PoisonError::into_inner);
            beyond.insert(table.name, features);
        }
        let mut files = at.files;
        let mut planned = self.planned(table);
        if at.batch != self.plan.as_ref().map(|plan| plan.number) {
            let named: HashSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
            planned.retain(|f| !named.contains(f.path.as_str()));
            files.extend(planned);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// The first of the tables that were asked for whose features cannot be written here, with these features.
    pub(super) fn beyond(&self) -> Option<(&'static str, String)> {
        let beyond = self.beyond.lock().unwrap_or_else(PoisonError::into_inner);
        let (table, features) = beyond.first_key_value()?;
        Some((*table, features.clone()))
    }

    /// What the commit that was under way adds to a table.
    fn planned(&self, table: &Table) -> Vec<FileEntry> {
        let plan = self.plan.iter().filter(|p| p.deed.adds());
        let steps = plan.flat_map(|p| &p.steps);
        let own = steps.filter(|s| s.table == table.name);
        own.flat_map(|s| s.add.iter().map(FileEntry::of_part))
            .collect()
    }

    /// The same by the Delta library, which runs on threads of its own and cannot be waited for on those of queries.
    fn by_library(&self, table: &str, version: u64) -> Result<AtVersion> {
        let read = || Logs::new(&self.root, self.store.clone())?.at(table, version);
        std::thread::scope(|scope| match scope.spawn(read).join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}
