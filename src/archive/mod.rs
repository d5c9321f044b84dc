//! The archive: a folder of Delta tables of Parquet files, one table a folder, one folder a day.
//!
//! - [`delta`]: the tables' logs.
//! - [`part`]: Parquet files.
//! - [`ledger`]: the table `Ingests`, which says what was read. It is committed last: what it does not name is not there yet.
//! - [`keys`]: which events the archive has.
//! - [`compact`]: many small files become one.
//!
//! Files carry the number of their batch in their name. Files of a batch that the ledger does not name come from a run that was cut
//! off: readers do not see them, and the next ingest removes them. Knows nothing of exports and of queries.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::catalog::{Table, catalog};
use crate::error::{Error, Result};

pub mod compact;
pub mod delta;
pub mod keys;
pub mod ledger;
pub mod part;

/// An open archive.
pub struct Archive {
    root: PathBuf,
    log: delta::Logs,
}

/// Keeps other ingests out while it lives.
pub struct Lock {
    _file: File,
}

/// Folder for files that are being written.
const STAGING: &str = "_staging";

impl Archive {
    /// Opens an archive that exists.
    ///
    /// # Errors
    /// When the folder is missing or has no ledger.
    pub fn open(root: &Path) -> Result<Archive> {
        let refuse = |reason: &str| Error::NotAnArchive {
            path: root.to_path_buf(),
            reason: reason.into(),
        };
        if !root.is_dir() {
            return Err(refuse("no such folder"));
        }
        if !Archive::exists(root) {
            return Err(refuse("it has no table `Ingests`"));
        }
        Archive::at(root)
    }

    /// Whether the folder has a ledger.
    pub fn exists(root: &Path) -> bool {
        root.join(ledger::TABLE).join("_delta_log").is_dir()
    }

    /// Opens an archive, or begins one in a folder that is empty or missing.
    ///
    /// # Errors
    /// When the folder holds something else.
    pub fn create(root: &Path) -> Result<Archive> {
        if !root.join("Ingests").is_dir() && root.is_dir() {
            let known = |name: &str| {
                name.starts_with('.')
                    || name == STAGING
                    || name == "watchlists"
                    || catalog().get(name).is_some()
            };
            for entry in fs::read_dir(root).map_err(Error::io("read", root))? {
                let entry = entry.map_err(Error::io("read", root))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if !known(&name) {
                    return Err(Error::NotAnArchive {
                        path: root.to_path_buf(),
                        reason: format!("it has no table `Ingests`, but holds `{name}`"),
                    });
                }
            }
        }
        fs::create_dir_all(root).map_err(Error::io("create", root))?;
        Archive::at(root)
    }

    fn at(root: &Path) -> Result<Archive> {
        // Without `..` and links: neither the log nor the queries' file access takes them.
        let root = dunce::canonicalize(root).map_err(Error::io("find", root))?;
        Ok(Archive {
            log: delta::Logs::new(&root)?,
            root,
        })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Waits until no other ingest writes to this archive, then keeps others out.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn lock(&self, waiting: impl FnOnce()) -> Result<Lock> {
        let path = self.root.join(".lock");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                waiting();
                file.lock().map_err(Error::io("lock", &path))?;
            }
            Err(fs::TryLockError::Error(e)) => return Err(Error::io("lock", &path)(e)),
        }
        Ok(Lock { _file: file })
    }

    /// The logs of the tables.
    pub fn logs(&self) -> &delta::Logs {
        &self.log
    }

    /// Tables that have files which the ledger names, with those files.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn tables(&self) -> Result<Vec<(&'static Table, Vec<delta::FileEntry>)>> {
        let ledger = ledger::read(self)?;
        let mut out = Vec::new();
        for table in catalog().tables() {
            let files = self.files_of(table, &ledger)?;
            if !files.is_empty() {
                out.push((table, files));
            }
        }
        Ok(out)
    }

    /// Files of one table that the ledger names.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn files_of(
        &self,
        table: &Table,
        ledger: &ledger::Ledger,
    ) -> Result<Vec<delta::FileEntry>> {
        let mut files = self.log.files(table.name)?;
        if table.name != ledger::TABLE {
            files.retain(|f| f.batch.is_none_or(|b| ledger.has_batch(b)));
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Folder for files that are being written.
    pub fn staging(&self) -> PathBuf {
        self.root.join(STAGING)
    }

    /// Removes what a run that was cut off has left. Needs the lock.
    ///
    /// # Errors
    /// When a file cannot be removed or a log cannot be written.
    pub fn clean(&self, ledger: &ledger::Ledger, _lock: &Lock) -> Result<()> {
        let staging = self.staging();
        if staging.exists() {
            fs::remove_dir_all(&staging).map_err(Error::io("remove", &staging))?;
        }
        for table in catalog().tables() {
            let folder = self.root.join(table.name);
            if !folder.is_dir() {
                continue;
            }
            let (orphans, kept): (Vec<_>, Vec<_>) =
                self.log.files(table.name)?.into_iter().partition(|f| {
                    table.name != ledger::TABLE && f.batch.is_some_and(|b| !ledger.has_batch(b))
                });
            if !orphans.is_empty() {
                self.log.remove(table, &orphans)?;
            }
            // Files that never got into the log, and those that were merged into others.
            let kept: HashSet<PathBuf> = kept.iter().map(|f| folder.join(&f.path)).collect();
            for entry in walkdir::WalkDir::new(&folder).sort_by_file_name() {
                let entry = entry.map_err(|e| Error::io("read", &folder)(e.into()))?;
                let name = entry.file_name().to_string_lossy();
                let own = part::batch_of(&name).is_some() || part::merged_number(&name).is_some();
                if own && entry.file_type().is_file() && !kept.contains(entry.path()) {
                    fs::remove_file(entry.path()).map_err(Error::io("remove", entry.path()))?;
                }
            }
        }
        Ok(())
    }
}
