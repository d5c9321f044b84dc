//! The archive: a folder of Delta tables of Parquet files, one table a folder, one folder a day.
//!
//! - [`store`]: the folder as an object store that writes durably.
//! - [`delta`]: the tables' logs.
//! - [`part`]: Parquet files.
//! - [`ledger`]: the table `Ingests`, which says what was read.
//! - `pending`: commits over several tables that happen as a whole.
//! - [`digest`]: what rows say, whatever files they lie in.
//! - [`keys`]: which events the archive has.
//! - [`compact`]: many small files become one.
//! - [`repair`]: what to do when log, ledger and files do not agree.
//!
//! What a log names is read, whoever wrote it; only staged leftovers and files that coldtrail itself replaced are ever deleted. Where logs and ledger
//! do not agree nothing is written any more until they are repaired. Knows nothing of exports and of queries.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{Table, catalog};
use crate::error::{Error, Result};

pub mod compact;
pub mod delta;
pub mod digest;
pub mod keys;
pub mod ledger;
pub mod part;
mod pending;
pub mod repair;
pub mod store;

use delta::FileEntry;
use ledger::Ledger;

/// An open archive.
pub struct Archive {
    root: PathBuf,
    store: store::Store,
    log: delta::Logs,
}

/// Keeps other ingests out while it lives.
pub struct Lock {
    _file: File,
}

/// An archive at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// What was read.
    pub ledger: Arc<Ledger>,
    tables: BTreeMap<&'static str, Vec<FileEntry>>,
}

impl Snapshot {
    /// Files of a table; none where it has no rows.
    pub fn files(&self, table: &Table) -> &[FileEntry] {
        self.tables.get(table.name).map_or(&[], Vec::as_slice)
    }

    /// Tables that have files, with those files.
    pub fn tables(&self) -> impl Iterator<Item = (&'static Table, &[FileEntry])> {
        catalog()
            .tables()
            .map(|t| (t, self.files(t)))
            .filter(|(_, files)| !files.is_empty())
    }

    fn rows(&self, table: &Table) -> u64 {
        self.files(table).iter().map(|f| f.rows).sum()
    }
}

/// Folder of the watchlists.
pub const WATCHLISTS: &str = "watchlists";
/// File that keeps other ingests out.
const LOCK: &str = ".lock";
/// Looks at an archive that is being written before it is given up.
const LOOKS: u32 = 200;
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(25);

impl Archive {
    /// Opens an archive that exists.
    ///
    /// # Errors
    /// When the folder is missing, has no ledger, or holds links.
    pub fn open(root: &Path) -> Result<Archive> {
        let refuse = |reason: &str| Error::NotAnArchive {
            path: root.to_path_buf(),
            reason: reason.into(),
        };
        if !root.is_dir() {
            return Err(refuse("no such folder"));
        }
        if !Archive::exists(root) && !has_tables(root) {
            return Err(refuse("it has no table `Ingests`"));
        }
        Archive::at(root)
    }

    /// Opens an archive that may have lost all of its logs, for [`repair`].
    ///
    /// # Errors
    /// When the folder holds nothing of an archive, or links.
    pub fn open_damaged(root: &Path) -> Result<Archive> {
        match has_files(root) {
            true => Archive::at(root),
            false => Archive::open(root),
        }
    }

    /// Whether the folder has a ledger.
    pub fn exists(root: &Path) -> bool {
        root.join(ledger::TABLE).join("_delta_log").is_dir()
    }

    /// Opens an archive, or begins one in a folder that is empty or missing.
    ///
    /// # Errors
    /// When the folder holds something else, or links.
    pub fn create(root: &Path) -> Result<Archive> {
        if !root.join(ledger::TABLE).is_dir() && root.is_dir() {
            for entry in fs::read_dir(root).map_err(Error::io("read", root))? {
                let entry = entry.map_err(Error::io("read", root))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if !is_known(&name) {
                    return Err(Error::NotAnArchive {
                        path: root.to_path_buf(),
                        reason: format!("it has no table `Ingests`, but holds `{name}`"),
                    });
                }
            }
        }
        let new = !root.exists();
        fs::create_dir_all(root).map_err(Error::io("create", root))?;
        if new
            && let Some(parent) = dunce::canonicalize(root)
                .ok()
                .as_deref()
                .and_then(Path::parent)
        {
            store::sync_folder(parent)?;
        }
        Archive::at(root)
    }

    fn at(root: &Path) -> Result<Archive> {
        // Without `..` and links: neither the log nor the queries' file access takes them.
        let root = dunce::canonicalize(root).map_err(Error::io("find", root))?;
        let store = store::Store::new(&root)?;
        let archive = Archive {
            log: delta::Logs::new(&root, store.clone())?,
            store,
            root,
        };
        archive.refuse_links()?;
        Ok(archive)
    }

    /// An archive may come from a stranger: nothing in it leads elsewhere, and nothing but files and folders is opened.
    fn refuse_links(&self) -> Result<()> {
        let lists = self.root.join(WATCHLISTS);
        let walk = walkdir::WalkDir::new(&self.root).into_iter();
        let walk = walk.filter_entry(|e| {
            // Folders of others are not touched; a watchlist is looked at when it is named.
            let name = e.file_name().to_string_lossy();
            let known =
                e.depth() != 1 || name == LOCK || (is_known(&name) && !name.starts_with('.'));
            known && e.path().parent() != Some(lists.as_path())
        });
        for entry in walk {
            let entry = entry.map_err(|e| Error::io("read", &self.root)(e.into()))?;
            let kind = entry.file_type();
            if entry.depth() > 0 && !kind.is_dir() && !kind.is_file() {
                let below = entry
                    .path()
                    .strip_prefix(&self.root)
                    .unwrap_or(entry.path());
                let what = if kind.is_symlink() {
                    "a link"
                } else {
                    "no file"
                };
                return Err(Error::NotAnArchive {
                    path: self.root.clone(),
                    reason: format!("`{}` in it is {what}", below.display()),
                });
            }
        }
        Ok(())
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder as an object store.
    pub fn store(&self) -> &store::Store {
        &self.store
    }

    /// Waits until no other ingest writes to this archive, then keeps others out.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn lock(&self, waiting: impl FnOnce()) -> Result<Lock> {
        let path = self.root.join(LOCK);
        let file = self.lock_file(&path)?;
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

    fn lock_file(&self, path: &Path) -> Result<File> {
        if let Ok(data) = fs::symlink_metadata(path)
            && !data.is_file()
        {
            let why = io::Error::other("it is a link, a folder or a device");
            return Err(Error::io("lock", path)(why));
        }
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true).read(true);
        options.open(path).map_err(Error::io("create", path))
    }

    /// The logs of the tables.
    pub fn logs(&self) -> &delta::Logs {
        &self.log
    }

    /// The archive as it is now: every batch whole or not at all, also while others write.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        for look in 0..LOOKS {
            let before = self.moment()?;
            let read = self.read_all(before.0.as_deref());
            if self.moment()? == before {
                return read;
            }
            // A batch was committed in between.
            if look > 2 {
                std::thread::sleep(PAUSE);
            }
        }
        Err(Error::Busy(self.root.clone()))
    }

    /// Files of a table, with those of a batch that is being committed.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn files(&self, table: &Table) -> Result<Vec<FileEntry>> {
        let plan = self.plan_bytes()?;
        let plan = plan.map(|bytes| self.plan_of(&bytes)).transpose()?;
        self.files_of(table, plan.as_ref())
    }

    fn files_of(&self, table: &Table, plan: Option<&pending::Plan>) -> Result<Vec<FileEntry>> {
        // What is not committed before the log is read may be so afterwards: it is counted once all the same.
        let planned = plan.map(|p| self.planned(p, table)).transpose()?;
        let mut files = self.log.files(table.name)?;
        if let Some(mut planned) = planned.filter(|p| !p.is_empty()) {
            let named: HashSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
            planned.retain(|f| !named.contains(f.path.as_str()));
            files.extend(planned);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// The newest commit of each table, and the commit that is under way: what does not change while nobody writes.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn state(&self) -> Result<impl PartialEq> {
        let plan = self.plan_bytes()?;
        let newest = catalog().tables().map(|t| self.newest(t.name));
        Ok((plan, newest.collect::<Result<Vec<_>>>()?))
    }

    /// The name of a table's newest commit.
    fn newest(&self, table: &str) -> Result<Option<PathBuf>> {
        Ok(delta::commits(&self.root.join(table))?.pop())
    }

    /// What changes when a batch is committed: the plan, and the version of the ledger.
    fn moment(&self) -> Result<(Option<Vec<u8>>, Option<PathBuf>)> {
        Ok((self.plan_bytes()?, self.newest(ledger::TABLE)?))
    }

    fn read_all(&self, plan: Option<&[u8]>) -> Result<Snapshot> {
        let plan = plan.map(|bytes| self.plan_of(bytes)).transpose()?;
        let mut snapshot = Snapshot::default();
        for table in catalog().tables() {
            let files = self.files_of(table, plan.as_ref())?;
            snapshot.tables.insert(table.name, files);
        }
        let files = snapshot.files(crate::catalog::table(ledger::TABLE));
        snapshot.ledger = Arc::new(ledger::read(self, files)?);
        Ok(snapshot)
    }

    /// Files that are being written go here.
    pub fn staging(&self) -> PathBuf {
        self.root.join(store::STAGING)
    }

    /// Makes the archive ready for writing: completes what was cut off, removes leftovers, and looks whether logs and ledger agree.
    ///
    /// # Errors
    /// When they do not: a log or the ledger lacks commits, and writing on would make that final.
    pub fn begin(&self, now: i64, lock: &Lock) -> Result<Snapshot> {
        self.recover(lock)?;
        self.clean_staging(lock)?;
        let snapshot = self.snapshot()?;
        if let Some(what) = self.disagreement(&snapshot) {
            return Err(Error::Behind {
                path: self.root.clone(),
                what,
            });
        }
        self.clean_retired(now, &snapshot, lock)?;
        Ok(snapshot)
    }

    /// In what logs, ledger and files do not agree; nothing where they do.
    pub fn disagreement(&self, snapshot: &Snapshot) -> Option<String> {
        for table in catalog().tables().filter(|t| t.name != ledger::TABLE) {
            let (rows, told) = (snapshot.rows(table), snapshot.ledger.rows_of(table.name));
            if rows != told {
                let which = if rows < told { "log" } else { "ledger" };
                return Some(format!(
                    "the {which} is behind: by the ledger `{}` has {told} rows, by its log {rows}",
                    table.name
                ));
            }
        }
        for (table, files) in snapshot.tables() {
            for file in files {
                let name = format!("{}/{}", table.name, file.path);
                match self.store.find(&name) {
                    Ok(Some(path)) => match fs::metadata(&path) {
                        Ok(data) if data.len() == file.size => {}
                        Ok(data) => {
                            return Some(format!(
                                "`{name}` has {} bytes, not {}",
                                data.len(),
                                file.size
                            ));
                        }
                        Err(e) => return Some(format!("`{name}`: {e}")),
                    },
                    Ok(None) => return Some(format!("`{name}` is not there")),
                    Err(e) => return Some(format!("`{name}`: {e}")),
                }
            }
        }
        self.stranger(snapshot)
    }

    /// A file of ours that is younger than the ledger, or whose table's log is empty: logs and ledger may be of yesterday, all of them.
    fn stranger(&self, snapshot: &Snapshot) -> Option<String> {
        let next = snapshot.ledger.next_id();
        for table in catalog().tables() {
            let folder = self.root.join(table.name);
            let empty = snapshot.files(table).is_empty();
            let walk = walkdir::WalkDir::new(&folder).into_iter();
            let walk = walk.filter_entry(|e| e.file_name() != "_delta_log");
            for entry in walk.flatten().filter(|e| e.file_type().is_file()) {
                let name = entry.file_name().to_string_lossy();
                let young = part::batch_of(&name).is_some_and(|b| b >= next);
                if young || (empty && part::is_own(&name)) {
                    return Some(format!(
                        "`{}/{name}` is there, and neither log nor ledger know it",
                        table.name
                    ));
                }
            }
        }
        None
    }
}

/// Names that stand in an archive's folder.
pub fn is_known(name: &str) -> bool {
    name.starts_with('.')
        || [store::STAGING, store::RETIRED, store::ASIDE, WATCHLISTS].contains(&name)
        || catalog().get(name).is_some_and(|t| t.name == name)
}

/// Whether a folder has files of ours in folders of tables.
fn has_files(root: &Path) -> bool {
    catalog().tables().any(|t| {
        let walk = walkdir::WalkDir::new(root.join(t.name)).max_depth(2);
        let mut names = walk.into_iter().flatten();
        names.any(|e| part::is_own(&e.file_name().to_string_lossy()))
    })
}

/// Whether a folder has tables of an archive, but for the ledger.
fn has_tables(root: &Path) -> bool {
    catalog()
        .tables()
        .any(|t| root.join(t.name).join("_delta_log").is_dir())
}
