//! The folder of an archive: opened, begun, and locked against other ingests.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) use super::disk::PLAN;
pub(super) use super::disk::WATCHLISTS;
use super::disk::{NIGHTLY, NOTICES};
use super::remote::{Lease, Remote};
use super::{commits, delta, ledger, part, store};
use crate::catalog::catalog;
use crate::fault::{Error, Result};
use crate::storage::{Place, is_remote, misspelt};

/// An open archive.
pub struct Archive {
    root: PathBuf,
    store: store::Store,
    log: delta::Logs,
    remote: Option<Arc<Remote>>,
}

/// Keeps other ingests out while it lives.
pub struct Lock {
    // Before the file: another process of this machine waits for that.
    lease: Option<Lease>,
    _file: File,
}

/// Where an archive is: its folder, which is a copy where it lies in object storage.
struct Here {
    root: PathBuf,
    remote: Option<Arc<Remote>>,
}

impl Here {
    /// # Errors
    /// When object storage does not answer.
    fn of(place: &Path) -> Result<Here> {
        if let Some(scheme) = misspelt(place) {
            return Err(Error::Usage(format!(
                "`{}` is neither a folder nor an address: that begins with `{scheme}://`",
                place.display()
            )));
        }
        if !is_remote(place) {
            return Ok(Here {
                root: of_file(place).unwrap_or_else(|| place.to_path_buf()),
                remote: None,
            });
        }
        let remote = Remote::open(place)?;
        Ok(Here {
            root: remote.root().to_path_buf(),
            remote: Some(Arc::new(remote)),
        })
    }
}

/// Name of the archive in a folder of results: `analyze` makes it there.
pub const RESULT: &str = "archive";
/// File that keeps other ingests out.
const LOCK: &str = ".lock";

impl Archive {
    /// Opens an archive that exists: in a folder, or at an address of object storage.
    ///
    /// # Errors
    /// When the folder is missing, has no ledger, or holds links; when object storage does not answer.
    pub fn open(place: &Path) -> Result<Archive> {
        let here = Here::of(place)?;
        Archive::look_for(place, &here.root)?;
        Archive::at(here)
    }

    /// The same, to ask it and nothing else. Only where its tables begin is looked at for links: each file is looked at when it is opened, and an
    /// archive of years has many that nobody asks for.
    ///
    /// # Errors
    /// When the folder is missing, has no ledger, or there are links at the tables and their logs.
    pub fn open_to_ask(place: &Path) -> Result<Archive> {
        let here = Here::of(place)?;
        Archive::look_for(place, &here.root)?;
        let archive = Archive::of(here)?;
        archive.refuse_links_above()?;
        Ok(archive)
    }

    fn look_for(place: &Path, root: &Path) -> Result<()> {
        let refuse = |reason: &str| no_archive(place, reason.into());
        if !root.is_dir() {
            return Err(refuse("no such folder"));
        }
        // A copy keeps the folders of an archive that is there no more.
        let has_log = |table: &str| match is_remote(place) {
            true => commits::newest_version(&root.join(table)).is_ok_and(|v| v.is_some()),
            false => root.join(table).join("_delta_log").is_dir(),
        };
        if !has_log(ledger::TABLE) && !catalog().tables().any(|t| has_log(t.name)) {
            return Err(refuse("it has no table `Ingests`"));
        }
        Ok(())
    }

    /// Opens an archive that may have lost all of its logs, for [`repair`](super::repair).
    ///
    /// # Errors
    /// When the folder holds nothing of an archive, or links.
    pub fn open_damaged(root: &Path) -> Result<Archive> {
        if is_remote(root) {
            let why = "an archive is repaired on a disk: copy the folder from object storage to one, repair it, and copy it back";
            return Err(Error::Usage(format!("`{}`: {why}", root.display())));
        }
        match has_files(root) {
            true => Archive::at(Here::of(root)?),
            false => Archive::open(root),
        }
    }

    /// Whether there is an archive, or what a first ingest left that was cut off.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn is_begun(place: &Path) -> Result<bool> {
        if is_remote(place) {
            return Ok(!Place::new(place)?.list("")?.is_empty());
        }
        let root = of_file(place).unwrap_or_else(|| place.to_path_buf());
        match fs::read_dir(&root) {
            // The folder of nights is there before an ingest has read anything.
            Ok(mut entries) => Ok(entries.any(|entry| {
                let name = entry.map(|e| e.file_name().to_string_lossy().into_owned());
                name.is_ok_and(|name| name != NIGHTLY && !name.starts_with('.'))
            })),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("read", place)(e)),
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
    pub fn create(place: &Path) -> Result<Archive> {
        let here = Here::of(place)?;
        let root = here.root.as_path();
        if here.remote.is_some() {
            let log = format!("{}/", ledger::TABLE);
            let listed = Place::new(place)?.list("")?;
            let first = |name: &str| name.split('/').next().unwrap_or_default().to_string();
            let strange = listed.iter().find(|found| !is_known(&first(&found.name)));
            if let Some(strange) = strange
                && !listed.iter().any(|found| found.name.starts_with(&log))
            {
                let reason = format!("it has no table `Ingests`, but holds `{}`", strange.name);
                return Err(no_archive(place, reason));
            }
            return Archive::at(here);
        }
        if !root.join(ledger::TABLE).is_dir() && root.is_dir() {
            for entry in fs::read_dir(root).map_err(Error::io("read", root))? {
                let entry = entry.map_err(Error::io("read", root))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if !is_known(&name) {
                    let reason = format!("it has no table `Ingests`, but holds `{name}`");
                    return Err(no_archive(root, reason));
                }
            }
        }
        let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let new = root.ancestors().take_while(is_new).count();
        fs::create_dir_all(root).map_err(Error::io("create", root))?;
        if new > 0 {
            // The name of each new folder stands in the one above it.
            let made = dunce::canonicalize(root).map_err(Error::io("find", root))?;
            for above in made.ancestors().skip(1).take(new) {
                store::sync_folder(above)?;
            }
        }
        Archive::at(here)
    }

    fn at(here: Here) -> Result<Archive> {
        let archive = Archive::of(here)?;
        archive.refuse_links()?;
        Ok(archive)
    }

    fn of(here: Here) -> Result<Archive> {
        let Here { root, remote } = here;
        // Without `..` and links: neither the log nor the queries' file access takes them.
        let root = dunce::canonicalize(&root).map_err(Error::io("find", &root))?;
        let store = store::Store::new(&root, remote.clone())?;
        Ok(Archive {
            log: delta::Logs::new(&root, store.clone())?,
            store,
            root,
            remote,
        })
    }

    /// An archive may come from a stranger: nothing in it leads elsewhere, and nothing but files and folders is opened.
    fn refuse_links(&self) -> Result<()> {
        let lists = self.root.join(WATCHLISTS);
        let walk = walkdir::WalkDir::new(&self.root).into_iter();
        let walk = walk.filter_entry(|e| {
            // Folders of others are not touched; a watchlist is looked at when it is named.
            let name = e.file_name().to_string_lossy();
            let known = e.depth() != 1 || is_looked_at(&name);
            known && e.path().parent() != Some(lists.as_path())
        });
        for entry in walk {
            let entry = entry.map_err(Error::walk(&self.root))?;
            if entry.depth() > 0 {
                self.refuse_link(entry.path(), entry.file_type())?;
            }
        }
        Ok(())
    }

    /// The same of what stands in the folder itself, of the logs' folders and of the plan of a commit.
    fn refuse_links_above(&self) -> Result<()> {
        let failed = || Error::io("read", &self.root);
        let mut all = vec![self.root.join(store::STAGING).join(PLAN)];
        for entry in fs::read_dir(&self.root).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            if is_looked_at(&entry.file_name().to_string_lossy()) {
                all.push(entry.path().join("_delta_log"));
                self.refuse_link(&entry.path(), entry.file_type().map_err(failed())?)?;
            }
        }
        for path in all {
            match fs::symlink_metadata(&path) {
                Ok(data) => self.refuse_link(&path, data.file_type())?,
                // Files have none below them.
                Err(e) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&e.kind()) => {}
                Err(e) => return Err(Error::io("read", &path)(e)),
            }
        }
        Ok(())
    }

    fn refuse_link(&self, path: &Path, kind: fs::FileType) -> Result<()> {
        if kind.is_dir() || kind.is_file() {
            return Ok(());
        }
        let what = if kind.is_symlink() {
            "a link"
        } else {
            "no file"
        };
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        Err(Error::NotAnArchive {
            path: self.root.clone(),
            reason: format!("`{}` in it is {what}", below.display()),
            meant: None,
        })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where it is, as a user names it: the folder, or the address in object storage.
    pub fn address(&self) -> &Path {
        self.remote().map_or(&self.root, |remote| remote.address())
    }

    /// What lies in object storage, where the folder is a copy of that.
    pub fn remote(&self) -> Option<&Arc<Remote>> {
        self.remote.as_ref()
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
        let mut waiting = Some(waiting);
        let mut wait = || waiting.take().map_or((), |waiting| waiting());
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                wait();
                file.lock().map_err(Error::io("lock", &path))?;
            }
            Err(fs::TryLockError::Error(e)) => return Err(Error::io("lock", &path)(e)),
        }
        Ok(Lock {
            lease: self.remote().map(|r| r.lease(wait)).transpose()?,
            _file: file,
        })
    }

    /// Refuses to go on writing where another writer has taken over.
    pub(super) fn is_locked(&self, lock: &Lock) -> Result<()> {
        match (&lock.lease, self.remote()) {
            (Some(lease), Some(remote)) if lease.is_lost() => {
                Err(Error::Overtaken(remote.address().to_path_buf()))
            }
            _ => Ok(()),
        }
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

    /// The name of a table's newest commit.
    pub(super) fn newest(&self, table: &str) -> Result<Option<PathBuf>> {
        Ok(commits::of(&self.root.join(table))?.pop())
    }

    /// Puts the names of what lies in the folder of notices, and its own, on the disk.
    ///
    /// # Errors
    /// When that fails.
    pub fn sync_notices(&self) -> Result<()> {
        self.sync_below(NOTICES)
    }

    /// Writes a file of a nightly run: there whole or as it was before, and on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_nightly(&self, name: &str, bytes: &[u8]) -> Result<()> {
        if let Some(remote) = self.remote() {
            return remote.write_nightly(name, bytes);
        }
        let path = self.root.join(NIGHTLY).join(name);
        store::write_whole(&path, [bytes], store::Existing::Replace)
            .map_err(Error::io("write", &path))?;
        self.sync_below(NIGHTLY)
    }

    /// Removes a file of a nightly run, where there is one.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_nightly(&self, name: &str) -> Result<()> {
        if let Some(remote) = self.remote() {
            remote.remove_nightly(name)?;
        }
        let path = self.root.join(NIGHTLY).join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", &path)(e)),
            _ => Ok(()),
        }
    }

    /// Keeps nightly runs on other machines out; nothing where one is under way.
    ///
    /// # Errors
    /// When object storage does not answer.
    pub fn night(&self) -> Result<Option<impl fmt::Debug + use<>>> {
        match self.remote() {
            Some(remote) => Ok(remote.night()?.map(Some)),
            None => Ok(Some(None)),
        }
    }

    /// Keeps those on other machines from sending mails.
    ///
    /// # Errors
    /// When object storage does not answer.
    pub fn mails(&self, waiting: &mut dyn FnMut()) -> Result<Option<impl Send + use<>>> {
        let remote = self.remote();
        Ok(remote.map(|r| r.mails(waiting)).transpose()?.flatten())
    }

    fn sync_below(&self, name: &str) -> Result<()> {
        store::sync_folder(&self.root.join(name))?;
        store::sync_folder(&self.root)
    }

    /// Files that are being written go here.
    pub fn staging(&self) -> PathBuf {
        self.root.join(store::STAGING)
    }
}

/// The path of an address such as `file:///srv/archive`.
fn of_file(place: &Path) -> Option<PathBuf> {
    let text = place.to_str().filter(|text| text.starts_with("file://"))?;
    url::Url::parse(text).ok()?.to_file_path().ok()
}

/// Whether what has this name in an archive's folder is looked at.
fn is_looked_at(name: &str) -> bool {
    name == LOCK || (is_known(name) && !name.starts_with('.'))
}

/// Names that stand in an archive's folder.
pub fn is_known(name: &str) -> bool {
    name.starts_with('.')
        || [
            store::STAGING,
            store::RETIRED,
            store::ASIDE,
            store::KEYS,
            WATCHLISTS,
            NOTICES,
            NIGHTLY,
        ]
        .contains(&name)
        || catalog().stored_table(name).is_some_and(|t| t.name == name)
}

/// Whether a folder has files of ours in folders of tables.
fn has_files(root: &Path) -> bool {
    catalog().tables().any(|t| {
        let walk = walkdir::WalkDir::new(root.join(t.name)).max_depth(2);
        let mut names = walk.into_iter().flatten();
        names.any(|e| part::is_own(&e.file_name().to_string_lossy()))
    })
}

/// A folder that is no archive. It may be the folder of results around one, or a folder of one.
fn no_archive(root: &Path, reason: String) -> Error {
    // A table lies in an archive, a day in a table.
    let above = root.ancestors().skip(1).take(2);
    let above = above.map(|folder| match folder.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => folder.to_path_buf(),
    });
    let mut near = std::iter::once(root.join(RESULT)).chain(above);
    Error::NotAnArchive {
        path: root.to_path_buf(),
        reason,
        meant: match root.is_dir() {
            true => near.find(|folder| Archive::exists(folder)),
            false => None,
        },
    }
}
