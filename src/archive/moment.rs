//! The archive as it is now: read while others write, and made ready for writing when logs, ledger and files agree.

use std::cell::LazyCell;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::delta::FileEntry;
use super::folder::{Archive, Lock};
use super::snapshot::Snapshot;
use super::{ledger, part, pending};
use crate::catalog::{INCIDENTS, Table, catalog};
use crate::fault::{Error, Result};

/// Looks at an archive that is being written before it is given up.
const LOOKS: u32 = 200;
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(25);

/// The plan of a commit, where there is one, and the newest commits of tables.
type Moment = (Option<Vec<u8>>, [Option<PathBuf>; 2]);

impl Archive {
    /// The archive as it is now: every batch whole or not at all, also while others write.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.at_rest(|plan| self.read_all(plan))
    }

    /// Reads while no batch is committed; the bytes are those of the plan of a commit that is under way.
    pub(super) fn at_rest<T>(&self, read: impl Fn(Option<&[u8]>) -> Result<T>) -> Result<T> {
        for look in 0..LOOKS {
            {
                let _steady = self.remote().map(|r| r.steady()).transpose()?;
                let before = self.moment()?;
                let read = read(before.0.as_deref());
                if self.moment()? == before {
                    return read;
                }
            }
            // A batch was committed in between.
            if look > 2 {
                std::thread::sleep(PAUSE);
            }
        }
        Err(Error::Busy(self.address().to_path_buf()))
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
        let mut files = self.logs().files(table.name)?;
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
        let newest = catalog().stored().map(|t| self.newest(t.name));
        Ok((plan, newest.collect::<Result<Vec<_>>>()?))
    }

    /// What changes when a commit over several tables is made: the plan, and the versions of the tables that are the last of such commits.
    fn moment(&self) -> Result<Moment> {
        let last = [self.newest(ledger::TABLE)?, self.newest(INCIDENTS)?];
        Ok((self.plan_bytes()?, last))
    }

    fn read_all(&self, plan: Option<&[u8]>) -> Result<Snapshot> {
        let pinned = self.pin(plan)?;
        let mut snapshot = Snapshot::default();
        for table in catalog().stored() {
            let files = pinned.files(table)?;
            snapshot.tables.insert(table.name, files.to_vec());
        }
        snapshot.beyond = pinned.beyond();
        let files = snapshot.files(crate::catalog::table(ledger::TABLE));
        snapshot.ledger = Arc::new(ledger::read(self.store(), files)?);
        Ok(snapshot)
    }

    /// Makes the archive ready for writing: completes what was cut off, removes leftovers, and looks whether logs and ledger agree.
    ///
    /// # Errors
    /// When they do not: a log or the ledger lacks commits, and writing on would make that final. When another program gave a table features
    /// that cannot be written here.
    pub fn begin(&self, now: i64, lock: &Lock) -> Result<Snapshot> {
        self.recover(lock)?;
        self.clean_staging(lock)?;
        let snapshot = self.snapshot()?;
        if let Some((table, features)) = &snapshot.beyond {
            // A commit would fail half-way.
            return Err(Error::Beyond {
                table: (*table).into(),
                features: features.clone(),
            });
        }
        if let Some(what) = self.disagreement(&snapshot) {
            return Err(Error::Behind {
                path: self.address().to_path_buf(),
                what,
            });
        }
        self.clean_retired(now, &snapshot, lock)?;
        Ok(snapshot)
    }

    /// In what logs, ledger and files do not agree; nothing where they do.
    pub fn disagreement(&self, snapshot: &Snapshot) -> Option<String> {
        let counted = |t: &&Table| t.name != ledger::TABLE && !t.concluded;
        for table in catalog().tables().filter(counted) {
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
                match self.store().size(&name) {
                    Ok(Some(size)) if size == file.size => {}
                    Ok(Some(size)) => {
                        return Some(format!("`{name}` has {size} bytes, not {}", file.size));
                    }
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
        for table in catalog().stored() {
            let empty = snapshot.files(table).is_empty();
            // What a log took out stays for a while. A commit that cannot be read is said elsewhere.
            let removed = LazyCell::new(|| self.logs().removed(table.name).unwrap_or_default());
            for below in self.names_in(table.name) {
                let name = below.rsplit('/').next().unwrap_or(&below);
                let young = part::batch_of(name).is_some_and(|b| b >= next);
                let is_strange = young || (empty && part::is_own(name));
                if is_strange && !removed.contains(&below) {
                    return Some(format!(
                        "`{}/{name}` is there, and neither log nor ledger know it",
                        table.name
                    ));
                }
            }
        }
        None
    }

    /// Files in the folder of a table but for its log, by their names below it.
    fn names_in(&self, table: &str) -> Vec<String> {
        if let Some(remote) = self.remote() {
            return remote.parts_of(table);
        }
        let folder = self.root().join(table);
        let walk = walkdir::WalkDir::new(&folder).into_iter();
        let walk = walk.filter_entry(|e| e.file_name() != "_delta_log");
        let files = walk.flatten().filter(|e| e.file_type().is_file());
        let below = |e: walkdir::DirEntry| {
            let below = e.path().strip_prefix(&folder).unwrap_or(e.path());
            let parts = below.components().map(|c| c.as_os_str().to_string_lossy());
            parts.collect::<Vec<_>>().join("/")
        };
        files.map(below).collect()
    }
}
