//! Archives in object storage: what lies there, and a copy of its small files on this machine.
//!
//! The copy is a folder of its own below the cache, laid out like an archive on a disk, so that all else works on files. Logs, plan, watchlists and the
//! lists of nights are copied when an archive is opened, and only what is new; Parquet files come when somebody asks for them, large ones
//! by the ranges that a query reads, and go again when there are too many. The copy is never more than a copy: what is written goes to the store
//! first, and an opened copy is made equal to the store, whatever a run that was cut off has left in it.
//!
//! A commit is the one of a disk, step by step (see [`pending`](super::pending)). Staged files go up; then the plan, by a conditional put: there is
//! at most one, and whoever has put it makes sure that the ledger is still the one that the plan was made from. So a writer that was thought dead and
//! comes back cannot commit over another one. The [`lease`] only makes writers wait for each other instead of failing.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use object_store::{GetOptions, GetResult};

pub(super) use lease::Lease;

use super::commits;
use super::disk::{
    self, ASIDE, Existing, KEYS, NIGHTLY, NOTICES, RETIRED, STAGED, STAGING, WATCHLISTS,
};
use crate::catalog::{INCIDENTS, catalog};
use crate::fault::{Error, Result};
use crate::storage::{self, Found, Place, Put};

mod lease;

/// File in the copy with the tags of what was copied.
const INDEX: &str = ".remote.json";
/// File in the copy that is locked while it is changed.
const CHANGING: &str = ".changing";
/// Files of up to so many bytes are brought whole: to ask for their footer and columns one by one takes longer.
const SMALL: u64 = 8 << 20;
/// Looks at an archive that is being written before what was seen is good enough.
const LOOKS: usize = 20;

/// An archive in object storage.
#[derive(Debug)]
pub struct Remote {
    place: Place,
    root: PathBuf,
    plan: String,
    /// Parquet files that lie there, and their sizes.
    parts: RwLock<HashMap<String, u64>>,
    /// Bytes that were brought since somebody looked how large the copy is.
    brought: AtomicU64,
}

/// A file of the copy is changed by one process at a time.
struct Changing(#[expect(dead_code, reason = "held for its lock")] File);

impl Remote {
    /// The archive of an address, with its copy made equal.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(super) fn open(address: &Path, plan: &str) -> Result<Remote> {
        let place = Place::new(address)?;
        let text = address.to_string_lossy();
        let text = text.trim_end_matches('/');
        let name = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text.as_bytes()));
        let root = storage::settings().cache.join("archives").join(name);
        private_folder(&root).map_err(Error::io("create", &root))?;
        let root = dunce::canonicalize(&root).map_err(Error::io("find", &root))?;
        let archive = Remote {
            place,
            root,
            plan: format!("{STAGING}/{plan}"),
            parts: RwLock::default(),
            brought: AtomicU64::default(),
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

    /// Keeps writers on other machines out.
    pub(super) fn lease(&self, waiting: impl FnOnce()) -> Result<Lease> {
        let lease = Lease::take(&self.place, &self.owner()?, waiting)?;
        self.pull()?;
        Ok(lease)
    }

    /// The name of this copy, by which a lease of it is known.
    fn owner(&self) -> Result<String> {
        let path = self.root.join(".owner");
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
            let listed = self.place.list("")?;
            let moment = moment(&listed, &self.plan);
            self.copy(&listed, &mut index)?;
            let parts = listed.iter().filter(|f| kind(&f.name) == Kind::Part);
            let parts = parts.map(|f| (f.name.clone(), f.size)).collect();
            *self.parts.write().unwrap_or_else(PoisonError::into_inner) = parts;
            // A commit in between may be copied by half.
            let newest = [self.plan.as_str(), "Ingests/_delta_log", INCIDENT_LOG];
            let mut now = Vec::new();
            for below in newest {
                now.extend(self.place.list(below)?);
            }
            if self::moment(&now, &self.plan) == moment {
                break;
            }
        }
        self.write_index(&index)?;
        self.shrink(storage::settings().cache_bytes);
        Ok(())
    }

    /// Copies what is new, and takes away what is there no more.
    fn copy(&self, listed: &[Found], index: &mut BTreeMap<String, String>) -> Result<()> {
        let mut wanted = Vec::new();
        let mut there: HashMap<&str, &Found> = HashMap::new();
        for found in listed {
            there.insert(&found.name, found);
            if kind(&found.name) != Kind::Small || !disk::is_inside(&found.name) {
                continue;
            }
            let path = self.root.join(&found.name);
            let same = index.get(&found.name) == Some(&found.tag)
                && fs::symlink_metadata(&path).is_ok_and(|d| d.len() == found.size);
            if !same {
                wanted.push((found.name.clone(), path));
            }
        }
        let tags = |name: &str| there.get(name).map(|f| f.tag.clone()).unwrap_or_default();
        for ((name, _), is_there) in wanted.iter().zip(self.place.bring(&wanted)?) {
            match is_there {
                true => index.insert(name.clone(), tags(name)),
                false => index.remove(name),
            };
        }
        let walk = walkdir::WalkDir::new(&self.root).min_depth(1).into_iter();
        let walk = walk.filter_entry(|e| {
            let name = e.file_name().to_string_lossy();
            e.depth() > 1 || (!name.starts_with('.') && ![KEYS, RETIRED, ASIDE].contains(&&*name))
        });
        for entry in walk {
            let entry = entry.map_err(Error::walk(&self.root))?;
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
                fs::remove_file(entry.path()).map_err(Error::io("remove", entry.path()))?;
                index.remove(&name);
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
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        let staged = staged(name);
        [name, &staged]
            .into_iter()
            .find_map(|n| parts.get(n).map(|size| (n.to_string(), *size)))
    }

    /// The size of a Parquet file; nothing where there is none.
    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.lies(name).map(|(_, size)| size)
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
        for from in [self.lies(name).map(|(n, _)| n), Some(name.to_string())] {
            let Some(from) = from.filter(|_| disk::is_inside(name)) else {
                continue;
            };
            if self.place.bring(&[(from, path.clone())])? == [true] {
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
        // The newest one is being read.
        let last = all.len().saturating_sub(1);
        for (_, size, path) in &all[..last] {
            if bytes <= limit {
                break;
            }
            if fs::remove_file(path).is_ok() {
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

    /// Sends what was changed in a folder of the copy.
    ///
    /// # Errors
    /// When the store does not take it.
    pub(super) fn send_folder(&self, folder: &str) -> Result<()> {
        let _changing = self.changing()?;
        let path = self.root.join(folder);
        if !path.is_dir() {
            return Ok(());
        }
        for entry in fs::read_dir(&path).map_err(Error::io("read", &path))? {
            let entry = entry.map_err(Error::io("read", &path))?;
            let own = entry.file_name().to_string_lossy().into_owned();
            if !entry.path().is_file() || own.starts_with('.') || own.ends_with("lock") {
                continue;
            }
            let bytes = fs::read(entry.path()).map_err(Error::io("read", entry.path()))?;
            let name = format!("{folder}/{own}");
            if let Some((there, _)) = self.place.get(&name)?
                && there == bytes
            {
                continue;
            }
            if let Some(tag) = self.place.put(&name, &Bytes::from(bytes), &Put::Replace)? {
                let mut index = self.index();
                index.insert(name, tag);
                self.write_index(&index)?;
            }
        }
        Ok(())
    }

    /// Offers a commit: its staged files go up, then its plan. From then on it belongs to the archive.
    ///
    /// # Errors
    /// When the store does not take it, or another writer was faster.
    pub(super) fn offer(&self, files: &[(PathBuf, String)], plan: Vec<u8>) -> Result<()> {
        self.place.send(files)?;
        let _changing = self.changing()?;
        let Some(tag) = self.place.put(&self.plan, &plan.into(), &Put::Create)? else {
            return Err(self.overtaken());
        };
        // While a plan is there nobody else writes to a log: what was written before it is seen now.
        let known = |below: &str| {
            let log = self.root.join(below);
            commits::newest_version(log.parent().unwrap_or(&log))
        };
        for below in ["Ingests/_delta_log", INCIDENT_LOG] {
            let listed = self.place.list(below)?;
            let newest = listed.iter().filter_map(|f| version(&f.name)).max();
            if newest != known(below)? {
                self.place.delete(std::slice::from_ref(&self.plan))?;
                return Err(self.overtaken());
            }
        }
        let mut index = self.index();
        index.insert(self.plan.clone(), tag);
        self.write_index(&index)?;
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        for (path, name) in files {
            let size = fs::metadata(path).map_err(Error::io("read", path))?.len();
            parts.insert(name.clone(), size);
        }
        Ok(())
    }

    fn overtaken(&self) -> Error {
        Error::Overtaken(self.address().to_path_buf())
    }

    /// Gives staged files of the store their names; those that have them stay.
    ///
    /// # Errors
    /// When the store does not answer, or a file is neither staged nor in its place.
    pub(super) fn place(&self, names: &[String]) -> Result<()> {
        for name in names {
            let found = self.place.head(name)?;
            let size = match found {
                Some(found) => found.size,
                None if self.place.copy(&staged(name), name)? => {
                    self.place.head(name)?.map_or(0, |f| f.size)
                }
                None => {
                    return Err(Error::Damaged(format!(
                        "`{}` is neither in its place nor among the staged files",
                        self.place.of(name).display()
                    )));
                }
            };
            let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
            parts.insert(name.clone(), size);
        }
        Ok(())
    }

    /// Gives a staged watchlist its place.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(super) fn place_watchlist(&self, staged: &str, name: &str) -> Result<()> {
        self.place.copy(staged, name).map(|_| ())
    }

    /// Ends a commit: the plan goes, and what was staged for it.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(super) fn end(&self) -> Result<()> {
        let _changing = self.changing()?;
        self.place.delete(std::slice::from_ref(&self.plan))?;
        let path = self.root.join(&self.plan);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path)(e)),
            _ => Ok(()),
        }
    }

    /// Removes staged files of the store that are ours.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(super) fn clean_staging(&self, is_own: impl Fn(&Path) -> bool) -> Result<()> {
        let listed = self.place.list(STAGING)?;
        let own = listed.into_iter().map(|f| f.name);
        let own: Vec<String> = own
            .filter(|n| *n != self.plan && is_own(Path::new(n)))
            .collect();
        self.place.delete(&own)?;
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|name, _| !own.contains(name));
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

/// The log of the table that is the last of what a hunt stores.
const INCIDENT_LOG: &str = "Incidents/_delta_log";

/// What becomes of a name in the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is copied.
    Small,
    /// It is brought when it is asked for.
    Part,
    /// It is of the copy alone, or nobody's of ours.
    Own,
}

fn kind(name: &str) -> Kind {
    let (first, rest) = name.split_once('/').unwrap_or((name, ""));
    let own = rest.rsplit('/').next().unwrap_or("");
    let is_table = catalog()
        .stored_table(first)
        .is_some_and(|t| t.name == first);
    match first {
        _ if own.starts_with('.') || rest.is_empty() => Kind::Own,
        _ if is_table && rest.starts_with("_delta_log/") => Kind::Small,
        _ if is_table => Kind::Part,
        // What is staged here waits for its commit.
        STAGING if rest.starts_with("watchlists/") => Kind::Own,
        STAGING if rest.ends_with(STAGED) && rest.contains('/') => match rest.split('/').next() {
            Some(table) if catalog().stored_table(table).is_some() => Kind::Part,
            _ => Kind::Own,
        },
        STAGING if !rest.contains('/') => Kind::Small,
        WATCHLISTS | NOTICES | NIGHTLY => match own.ends_with("lock") {
            true => Kind::Own,
            false => Kind::Small,
        },
        _ => Kind::Own,
    }
}

/// Where a file of a table waits in the store.
pub(super) fn staged(name: &str) -> String {
    let table = name.split('/').next().unwrap_or_default();
    let own = name.rsplit('/').next().unwrap_or_default();
    format!("{STAGING}/{table}/{own}{STAGED}")
}

fn version(name: &str) -> Option<u64> {
    commits::version(Path::new(name))
}

/// The plan, and the newest versions of the tables that are the last of commits.
fn moment(listed: &[Found], plan: &str) -> (Option<String>, [Option<u64>; 2]) {
    debug_assert!(INCIDENT_LOG.starts_with(INCIDENTS));
    let plan = listed.iter().find(|f| f.name == plan);
    let newest = |below: &str| {
        let own = listed.iter().filter(|f| f.name.starts_with(below));
        own.filter_map(|f| version(&f.name)).max()
    };
    (
        plan.map(|f| f.tag.clone()),
        [newest("Ingests/_delta_log/"), newest(INCIDENT_LOG)],
    )
}

fn name_below(root: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(root).ok()?;
    let parts = below.components().map(|c| c.as_os_str().to_string_lossy());
    Some(parts.collect::<Vec<_>>().join("/"))
}
