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

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use object_store::{GetOptions, GetResult};

pub(super) use lease::Lease;
use lease::Patience;
use names::{Kind, kind, name_below};

use super::commits;
use super::disk::{self, ASIDE, Existing, KEYS, NIGHTLY, NOTICES, PLAN, RETIRED, STAGING};
use crate::fault::{Error, Result};
use crate::storage::{self, Found, Place, Put, is_same_tag};

pub(super) use names::staged;

mod lease;
mod names;

/// File in the copy with the tags of what was copied.
const INDEX: &str = ".remote.json";
/// File in the copy that is locked while it is changed.
const CHANGING: &str = ".changing";
/// Files of up to so many bytes are brought whole: to ask for their footer and columns one by one takes longer.
const SMALL: u64 = 8 << 20;
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

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this run the one that writes: whoever began before can change the plan's file no more. A commit that was cut off is this run's to complete.
    ///
    /// # Errors
    /// When the store does not answer, or others are always faster.
    pub(super) fn take_turn(&self) -> Result<()> {
        for _ in 0..LOOKS {
            let listed = self.place.list(STAGING)?;
            let found = self.place.get(&self.plan)?;
            let run = uuid::Uuid::new_v4().simple().to_string();
            let idle = Bytes::from(format!("{IDLE}\"{run}\"}}"));
            let (put, is_plan) = match &found {
                None => (Put::Create, false),
                Some((bytes, tag)) => (Put::Update(tag.clone()), !is_idle(bytes)),
            };
            let taken = match (found, is_plan) {
                (Some((bytes, tag)), true) => Some((bytes, tag)),
                _ => self
                    .place
                    .put(&self.plan, &idle, &put)?
                    .map(|tag| (idle, tag)),
            };
            let Some((_, tag)) = taken else { continue };
            let mut leftovers: Vec<String> = listed.into_iter().map(|found| found.name).collect();
            // What a plan needs goes with it; what is listed beside it is the next run's to remove.
            leftovers.retain(|name| *name != self.plan && !is_plan);
            *self.turn() = Turn {
                tag,
                run,
                leftovers,
            };
            return self.pull();
        }
        Err(self.overtaken())
    }

    /// The name below which this run stages.
    pub(super) fn run(&self) -> String {
        self.turn().run.clone()
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

    /// Makes the copy equal to what lies in the store.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(super) fn pull(&self) -> Result<()> {
        let _changing = self.changing()?;
        let mut index = self.index();
        for _ in 0..LOOKS {
            let before = self.place.head(&self.plan)?.map(|found| found.tag);
            let listed = self.place.list("")?;
            self.copy(&listed, &mut index)?;
            let parts = listed.iter().filter(|f| kind(&f.name) == Kind::Part);
            let parts = parts.map(|f| (f.name.clone(), f.size)).collect();
            *self.parts.write().unwrap_or_else(PoisonError::into_inner) = parts;
            let plan = fs::read(self.root.join(&self.plan)).unwrap_or_default();
            let plan: serde_json::Value = serde_json::from_slice(&plan).unwrap_or_default();
            let staged = plan["staged"].as_str().unwrap_or_default().to_string();
            *self.staged.write().unwrap_or_else(PoisonError::into_inner) = staged;
            // A commit that began or ended in between may be copied by half.
            let after = self.place.head(&self.plan)?.map(|found| found.tag);
            if before == after {
                self.write_index(&index)?;
                self.shrink(storage::settings().cache_bytes);
                return Ok(());
            }
        }
        self.write_index(&index)?;
        Err(Error::Busy(self.address().to_path_buf()))
    }

    /// Copies what is new, and takes away what is there no more.
    fn copy(&self, listed: &[Found], index: &mut BTreeMap<String, String>) -> Result<()> {
        if is_another(listed, index) {
            // One was made anew at this address: nothing of the old one may be taken for the new one's.
            self.clear()?;
            index.clear();
        }
        let mut wanted = Vec::new();
        let mut bytes = 0;
        let mut there: HashMap<&str, &Found> = HashMap::new();
        for found in listed {
            there.insert(&found.name, found);
            if kind(&found.name) != Kind::Small || !disk::is_inside(&found.name) {
                continue;
            }
            let path = self.root.join(&found.name);
            let known = index.get(&found.name);
            let same = known.is_some_and(|tag| is_same_tag(tag, &found.tag))
                && fs::symlink_metadata(&path).is_ok_and(|d| d.len() == found.size);
            if !same {
                bytes += found.size;
                wanted.push((found.name.clone(), path));
            }
        }
        if bytes > storage::settings().cache_bytes {
            return Err(Error::Unusable {
                path: self.address().to_path_buf(),
                reason: format!(
                    "its logs and lists are {bytes} bytes, more than is kept of an archive"
                ),
            });
        }
        for ((name, _), tag) in wanted.iter().zip(self.place.bring(&wanted)?) {
            match tag {
                Some(tag) => index.insert(name.clone(), tag),
                None => index.remove(name),
            };
        }
        let walk = walkdir::WalkDir::new(&self.root).min_depth(1).into_iter();
        let walk = walk.filter_entry(|e| {
            let name = e.file_name().to_string_lossy();
            e.depth() > 1 || (!name.starts_with('.') && ![KEYS, RETIRED, ASIDE].contains(&&*name))
        });
        for entry in walk {
            let entry = match entry {
                // Another process has removed it in the meantime.
                Err(e) if is_gone(e.io_error()) => continue,
                entry => entry.map_err(Error::walk(&self.root))?,
            };
            let Some(name) = name_below(&self.root, entry.path()) else {
                continue;
            };
            let size = || entry.metadata().map(|d| d.len()).unwrap_or(0);
            let gone = match kind(&name) {
                _ if entry.file_type().is_dir() => false,
                // What waits here for its commit.
                Kind::Part if name.starts_with(STAGING) => false,
                Kind::Small => !there.contains_key(name.as_str()),
                Kind::Part => there.get(name.as_str()).is_none_or(|f| f.size != size()),
                Kind::Own => false,
            };
            if gone {
                match fs::remove_file(entry.path()) {
                    Err(e) if !is_gone(Some(&e)) => {
                        return Err(Error::io("remove", entry.path())(e));
                    }
                    _ => index.remove(&name),
                };
            }
        }
        Ok(())
    }

    /// Removes what was copied.
    fn clear(&self) -> Result<()> {
        for entry in fs::read_dir(&self.root).map_err(Error::io("read", &self.root))? {
            let path = entry.map_err(Error::io("read", &self.root))?.path();
            // What waits for its commit, and locks, are those of other processes.
            let is_shared = |name: &&str| path.ends_with(name);
            if path.is_dir() && ![STAGING, NIGHTLY, NOTICES].iter().any(is_shared) {
                fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn index(&self) -> BTreeMap<String, String> {
        let text = fs::read(self.root.join(INDEX)).unwrap_or_default();
        // Without it everything is copied again.
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn write_index(&self, index: &BTreeMap<String, String>) -> Result<()> {
        let path = self.root.join(INDEX);
        let text = serde_json::to_vec(index).map_err(|e| Error::Damaged(e.to_string()))?;
        disk::write_whole(&path, [text.as_slice()], Existing::Replace)
            .map_err(Error::io("write", &path))
    }

    /// The name under which a file lies in the store, and its size: a batch whose commit is under way is among the staged files.
    fn lies(&self, name: &str) -> Option<(String, u64)> {
        let run = self.staged.read().unwrap_or_else(PoisonError::into_inner);
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        let staged = names::staged(&run, name);
        [name, &staged]
            .into_iter()
            .find_map(|n| parts.get(n).map(|size| (n.to_string(), *size)))
    }

    /// The size of a Parquet file; nothing where there is none.
    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.lies(name).map(|(_, size)| size)
    }

    /// The same, asked of the store where this process does not know it: another one may have copied what came later.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(super) fn size_there(&self, name: &str) -> Result<Option<u64>> {
        match self.size(name) {
            None if disk::is_inside(name) => Ok(self.place.head(name)?.map(|found| found.size)),
            size => Ok(size),
        }
    }

    /// Below which name the files of the plan are staged that another process may have copied.
    pub(super) fn plan_is_of(&self, run: &str) {
        *self.staged.write().unwrap_or_else(PoisonError::into_inner) = run.to_string();
    }

    /// Parquet files in the folder of a table.
    pub fn parts_of(&self, table: &str) -> Vec<String> {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        let own = parts.keys().filter_map(|name| name.strip_prefix(table));
        let mut names: Vec<String> = own
            .filter_map(|name| name.strip_prefix('/'))
            .map(str::to_string)
            .collect();
        names.sort();
        names
    }

    /// Brings a Parquet file to this machine; says where it is.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(super) fn fetch(&self, name: &str) -> Result<Option<PathBuf>> {
        let path = self.root.join(name);
        // Between two looks it may have got its place.
        let run = self.staged.read().unwrap_or_else(PoisonError::into_inner);
        let staged = names::staged(&run, name);
        drop(run);
        let known = self.lies(name).map(|(n, _)| n);
        for from in [known, Some(name.to_string()), Some(staged)] {
            let Some(from) = from.filter(|_| disk::is_inside(name)) else {
                continue;
            };
            if let [Some(_)] = self.place.bring(&[(from, path.clone())])?[..] {
                self.is_used(&path);
                self.brought(self.size(name).unwrap_or(0));
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Brings Parquet files, many at once. One that is not there any more is missed by who opens it.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(super) fn fetch_all(&self, names: &[String]) -> Result<()> {
        let mut wanted = Vec::with_capacity(names.len());
        let mut bytes = 0;
        for name in names.iter().filter(|name| disk::is_inside(name)) {
            if let Some((from, size)) = self.lies(name) {
                bytes += size;
                wanted.push((from, self.root.join(name)));
            }
        }
        if !wanted.is_empty() {
            self.place.bring(&wanted)?;
            self.brought(bytes);
        }
        Ok(())
    }

    /// Looks now and then whether the copy has become too large.
    fn brought(&self, bytes: u64) {
        let limit = storage::settings().cache_bytes;
        let all = self.brought.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all > limit / 8 {
            self.brought.store(0, Ordering::Relaxed);
            self.shrink(limit);
        }
    }

    /// Notes that this process uses a file of the copy.
    pub(super) fn is_used(&self, path: &Path) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if !used.contains(path) {
            used.insert(path.to_path_buf());
        }
    }

    /// Whether a file is read by ranges; small ones are brought whole.
    pub(super) fn is_read_by_range(&self, name: &str) -> bool {
        self.size(name).is_some_and(|size| size > SMALL)
    }

    /// Reads a file, or a part of it, where it lies.
    pub(super) async fn read(
        &self,
        name: &str,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let from = self.lies(name).map_or_else(|| name.to_string(), |(n, _)| n);
        match self.place.read(&from, options.clone()).await {
            Err(object_store::Error::NotFound { .. }) if from != name => {
                self.place.read(name, options).await
            }
            answer => answer,
        }
    }

    /// Takes the Parquet files out of the copy that were not read for longest, until the others have no more bytes than these.
    fn shrink(&self, limit: u64) {
        let walk = walkdir::WalkDir::new(&self.root).min_depth(2).into_iter();
        let mut all = Vec::new();
        for entry in walk.flatten().filter(|e| e.file_type().is_file()) {
            let name = name_below(&self.root, entry.path());
            // What waits for its commit is nowhere else.
            if name.is_some_and(|n| kind(&n) == Kind::Part && !n.starts_with(STAGING))
                && let Ok(data) = entry.metadata()
            {
                let used = data.accessed().or_else(|_| data.modified()).ok();
                all.push((used, data.len(), entry.into_path()));
            }
        }
        let mut bytes: u64 = all.iter().map(|(_, size, _)| size).sum();
        if bytes <= limit {
            return;
        }
        all.sort();
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, size, path) in &all {
            if bytes <= limit {
                break;
            }
            if !used.contains(path) && fs::remove_file(path).is_ok() {
                bytes -= size;
            }
        }
    }

    /// Writes a file of a log to the store and to the copy. Says whether it was taken: one that exists is not replaced where that is not allowed.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(super) fn write(&self, name: &str, bytes: &Bytes, put: &Put) -> Result<bool> {
        let _changing = self.changing()?;
        let Some(tag) = self.place.put(name, bytes, put)? else {
            return Ok(false);
        };
        self.keep(name, bytes, tag)?;
        Ok(true)
    }

    fn keep(&self, name: &str, bytes: &[u8], tag: String) -> Result<()> {
        let path = self.root.join(name);
        disk::write_whole(&path, [bytes], Existing::Replace).map_err(Error::io("write", &path))?;
        let mut index = self.index();
        index.insert(name.to_string(), tag);
        self.write_index(&index)
    }

    /// Brings a small file anew and says which tag it has; nothing where there is none.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub fn renew(&self, name: &str) -> Result<Option<String>> {
        let _changing = self.changing()?;
        let Some((bytes, tag)) = self.place.get(name)? else {
            return Ok(None);
        };
        self.keep(name, &bytes, tag.clone())?;
        Ok(Some(tag))
    }

    /// Replaces a small file that has this tag, or that is not there; returns the tag that it has then.
    ///
    /// # Errors
    /// When somebody else has changed it, the store does not answer, or the copy cannot be written.
    pub fn replace(&self, name: &str, bytes: &[u8], tag: Option<&str>) -> Result<String> {
        let _changing = self.changing()?;
        let put = tag.map_or(Put::Create, |tag| Put::Update(tag.to_string()));
        let bytes = Bytes::copy_from_slice(bytes);
        let tag = self.place.put(name, &bytes, &put)?;
        let tag = tag.ok_or_else(|| self.overtaken())?;
        self.keep(name, &bytes, tag.clone())?;
        Ok(tag)
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

    /// Offers a commit: its staged files go up, then its plan. From then on it belongs to the archive.
    ///
    /// # Errors
    /// When the store does not take it, or another writer was faster.
    pub(super) fn offer(&self, files: &[(PathBuf, String)], plan: Vec<u8>) -> Result<()> {
        self.place.send(files)?;
        let plan = Bytes::from(plan);
        let tag = self.turn().tag.clone();
        let Some(tag) = self.place.put(&self.plan, &plan, &Put::Update(tag))? else {
            let own: Vec<String> = files.iter().map(|(_, name)| name.clone()).collect();
            self.place.delete(&own)?;
            return Err(self.overtaken());
        };
        self.turn().tag = tag;
        *self.staged.write().unwrap_or_else(PoisonError::into_inner) = self.run();
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        for (path, name) in files.iter().filter(|(_, name)| kind(name) == Kind::Part) {
            let size = fs::metadata(path).map_err(Error::io("read", path))?.len();
            parts.insert(name.clone(), size);
        }
        Ok(())
    }

    pub(super) fn overtaken(&self) -> Error {
        Error::Overtaken(self.address().to_path_buf())
    }

    /// Gives files that are staged below a name of a run their own names; those that have them stay. Each goes with its size.
    ///
    /// # Errors
    /// When the store does not answer, or a file is neither staged nor in its place, or is another.
    pub(super) fn place(&self, run: &str, files: &[(String, u64)]) -> Result<()> {
        let is_there = |name: &str, size: u64| {
            let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
            parts.get(name) == Some(&size)
        };
        let wanted = files.iter().filter(|(name, size)| !is_there(name, *size));
        let wanted: Vec<&(String, u64)> = wanted.collect();
        let copies = wanted
            .iter()
            .map(|(name, _)| (names::staged(run, name), name.clone()));
        let copies: Vec<(String, String)> = copies.collect();
        for ((name, size), is_copied) in wanted.into_iter().zip(self.place.copy(&copies)?) {
            // Another run that completes the same commit may have put it there and removed what was staged.
            if !is_copied
                && self
                    .place
                    .head(name)?
                    .is_none_or(|found| found.size != *size)
            {
                return Err(Error::Damaged(format!(
                    "`{}` is neither in its place nor among the staged files",
                    self.place.of(name).display()
                )));
            }
            let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
            parts.insert(name.clone(), *size);
        }
        Ok(())
    }

    /// Gives a staged watchlist its place.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(super) fn place_watchlist(&self, staged: String, name: &str) -> Result<()> {
        self.place.copy(&[(staged, name.to_string())])?;
        self.renew(name).map(|_| ())
    }

    /// Ends a commit: the plan goes, and what was staged for it. Says whether this run has ended it: another one may have completed it.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(super) fn end(&self, staged: &str) -> Result<bool> {
        let _changing = self.changing()?;
        let (tag, run) = {
            let turn = self.turn();
            (turn.tag.clone(), turn.run.clone())
        };
        let idle = Bytes::from(format!("{IDLE}\"{run} {}\"}}", uuid::Uuid::new_v4()));
        let Some(tag) = self.place.put(&self.plan, &idle, &Put::Update(tag))? else {
            return Ok(false);
        };
        self.turn().tag.clone_from(&tag);
        self.keep(&self.plan, &idle, tag)?;
        if !staged.is_empty() {
            let own = self.place.list(&format!("{STAGING}/{staged}"))?;
            let own: Vec<String> = own.into_iter().map(|found| found.name).collect();
            self.remove_staged(&own)?;
        }
        Ok(true)
    }

    /// Removes staged files of runs that can commit no more.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(super) fn clean_staging(&self) -> Result<()> {
        let leftovers = std::mem::take(&mut self.turn().leftovers);
        self.remove_staged(&leftovers)
    }

    fn remove_staged(&self, names: &[String]) -> Result<()> {
        self.place.delete(names)?;
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|name, _| !names.contains(name));
        Ok(())
    }

    /// Deletes a Parquet file. Says whether it was there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(super) fn delete(&self, name: &str) -> Result<bool> {
        let was = {
            let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
            parts.remove(name).is_some()
        };
        if was {
            self.place.delete(&[name.to_string()])?;
        }
        Ok(was)
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

fn is_gone(error: Option<&io::Error>) -> bool {
    error.is_some_and(|e| e.kind() == io::ErrorKind::NotFound)
}

/// Whether the file of the plan holds none.
pub(super) fn is_idle(bytes: &[u8]) -> bool {
    bytes.starts_with(IDLE.as_bytes())
}

/// Whether an archive was made anew where another one was copied from: a commit is never changed.
fn is_another(listed: &[Found], index: &BTreeMap<String, String>) -> bool {
    let commits = listed
        .iter()
        .filter(|f| commits::version(Path::new(&f.name)).is_some());
    let other = |found: &Found| {
        let tag = index.get(&found.name);
        tag.is_some_and(|tag| !found.tag.is_empty() && !is_same_tag(tag, &found.tag))
    };
    commits.into_iter().any(other)
}
