//! Archives in object storage: what lies there, and a copy of its small files on this machine.
//!
//! The copy is a folder of its own below the cache, laid out like an archive on a disk, so that all else works on files. Logs, plan, watchlists and the
//! lists of nights are copied when an archive is opened, and only what is new; Parquet files come when somebody asks for them, large ones
//! by the ranges that a query reads, and go again when there are too many. The copy is never more than a copy: what is written goes to the store
//! first, and an opened copy is made equal to the store, whatever a run that was cut off has left in it.
//!
//! A commit is the one of a disk, step by step (see `pending`). Its files go up below a name of this run; then its plan; each table's
//! commit is a conditional write. The file of the plan is never removed: it holds a plan, or the name of the run that wrote last, and
//! is changed by conditional writes alone. Who begins to write changes it first. So a writer that was thought dead and wakes up can commit nothing,
//! end nothing, and remove nothing that is another's. The lease only makes writers wait for each other instead of failing.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, RwLock};

use bytes::Bytes;

pub(super) use lease::Lease;
use lease::Patience;

use super::disk::{self, Existing, NIGHTLY, PLAN, STAGING};
use crate::fault::{Error, Result};
use crate::storage::{self, Place, Put};

pub(super) use names::staged;

mod copied;
mod lease;
mod names;
mod parts;
mod turn;

/// File in the copy that is locked while it is changed.
const CHANGING: &str = ".changing";
/// Looks at an archive that is being written before it is given up.
const LOOKS: usize = 50;
/// File in the copy with the name of this copy.
const OWNER: &str = ".owner";
/// The lease of writers.
const WRITERS: &str = ".lease";
/// The lease of those who send mails.
const MAILS: &str = "_notices/.lease";
/// The lease of nightly runs.
const NIGHTS: &str = "_nightly/.lease";
/// How the file of the plan begins where there is no plan.
const IDLE: &str = "{\"idle\":";

/// An archive in object storage.
#[derive(Debug)]
pub struct Remote {
    place: Place,
    root: PathBuf,
    plan: String,
    /// Parquet files that lie there, and their sizes.
    parts: RwLock<HashMap<String, u64>>,
    /// Below which name the files of the plan are staged.
    staged: RwLock<String>,
    /// What this process has asked for: it may be opened at any time.
    used: Mutex<HashSet<PathBuf>>,
    /// Bytes that were brought since somebody looked how large the copy is.
    brought: AtomicU64,
    turn: Mutex<Turn>,
}

/// What a writer knows of its turn.
#[derive(Debug, Default)]
struct Turn {
    /// The tag of the plan's file as this run left it: only where it has that tag still this run may go on.
    tag: String,
    /// Below which name this run stages.
    run: String,
    /// Staged files of runs that can commit no more.
    leftovers: Vec<String>,
}

/// A file of the copy is changed by one process at a time.
struct Changing(#[expect(dead_code, reason = "held for its lock")] File);

impl Remote {
    /// The archive of an address, with its copy made equal.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(super) fn open(address: &Path) -> Result<Remote> {
        let place = Place::new(address)?;
        let name = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&place.identity()));
        let root = storage::settings().cache.join("archives").join(name);
        private_folder(&root).map_err(Error::io("create", &root))?;
        let root = dunce::canonicalize(&root).map_err(Error::io("find", &root))?;
        let archive = Remote {
            place,
            root,
            plan: format!("{STAGING}/{PLAN}"),
            parts: RwLock::default(),
            staged: RwLock::default(),
            used: Mutex::default(),
            brought: AtomicU64::default(),
            turn: Mutex::default(),
        };
        archive.pull()?;
        Ok(archive)
    }

    /// The folder of the copy.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The address.
    pub fn address(&self) -> &Path {
        self.place.address()
    }

    fn changing(&self) -> Result<Changing> {
        let path = self.root.join(CHANGING);
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true);
        let file = options.open(&path).map_err(Error::io("create", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(Changing(file))
    }

    /// Keeps the copy as it is while it is read: logs are brought one after the other.
    pub(super) fn steady(&self) -> Result<impl Sized + use<>> {
        let path = self.root.join(CHANGING);
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true).read(true);
        let file = options.open(&path).map_err(Error::io("create", &path))?;
        file.lock_shared().map_err(Error::io("lock", &path))?;
        Ok(file)
    }

    /// Keeps writers on other machines out.
    pub(super) fn lease(&self, waiting: impl FnOnce()) -> Result<Lease> {
        let owner = self.owner()?;
        let lease = Lease::take(&self.place, WRITERS, &owner, Patience::Waits, waiting)?;
        let lease = lease.ok_or_else(|| self.overtaken())?;
        self.take_turn()?;
        Ok(lease)
    }

    /// Keeps nightly runs on other machines out; nothing where one is under way.
    pub(super) fn night(&self) -> Result<Option<Lease>> {
        let owner = self.owner()?;
        let lease = Lease::take(&self.place, NIGHTS, &owner, Patience::UntilAlive, || {})?;
        if lease.is_some() {
            // The one before may have ended since this was copied.
            self.pull()?;
        }
        Ok(lease)
    }

    /// Keeps others on other machines from sending mails.
    pub(super) fn mails(&self, waiting: impl FnOnce()) -> Result<Option<Lease>> {
        Lease::take(&self.place, MAILS, &self.owner()?, Patience::Waits, waiting)
    }

    /// The name of this copy, by which a lease of it is known.
    fn owner(&self) -> Result<String> {
        let path = self.root.join(OWNER);
        let _changing = self.changing()?;
        if let Ok(name) = fs::read_to_string(&path)
            && !name.is_empty()
        {
            return Ok(name);
        }
        let name = uuid::Uuid::new_v4().to_string();
        disk::write_whole(&path, [name.as_bytes()], Existing::Replace)
            .map_err(Error::io("write", &path))?;
        Ok(name)
    }

    /// Writes a file of a nightly run.
    ///
    /// # Errors
    /// When the store does not take it, or the copy cannot be written.
    pub(super) fn write_nightly(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let bytes = Bytes::copy_from_slice(bytes);
        self.write(&format!("{NIGHTLY}/{name}"), &bytes, &Put::Replace)
            .map(|_| ())
    }

    /// Removes a file of a nightly run from the store.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(super) fn remove_nightly(&self, name: &str) -> Result<()> {
        self.place.delete(&[format!("{NIGHTLY}/{name}")])
    }

    pub(super) fn overtaken(&self) -> Error {
        Error::Overtaken(self.address().to_path_buf())
    }
}

/// Makes a folder that others may not read: evidence lies in it.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whether the file of the plan holds none.
pub(super) fn is_idle(bytes: &[u8]) -> bool {
    bytes.starts_with(IDLE.as_bytes())
}
