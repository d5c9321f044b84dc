//! The copy of an archive's small files on this machine, made equal to what lies in the store.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::PoisonError;

use bytes::Bytes;

use super::names::{Kind, kind, name_below};
use super::{LOOKS, Remote};
use crate::archive::commits;
use crate::archive::disk::{self, ASIDE, Existing, KEYS, NIGHTLY, NOTICES, RETIRED, STAGING};
use crate::fault::{Error, Result};
use crate::storage::{self, Found, Put, is_same_tag};

/// File in the copy with the tags of what was copied.
const INDEX: &str = ".remote.json";

impl Remote {
    /// Makes the copy equal to what lies in the store.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(in crate::archive) fn pull(&self) -> Result<()> {
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

    /// Writes a file of a log to the store and to the copy. Says whether it was taken: one that exists is not replaced where that is not allowed.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(in crate::archive) fn write(&self, name: &str, bytes: &Bytes, put: &Put) -> Result<bool> {
        let _changing = self.changing()?;
        let Some(tag) = self.place.put(name, bytes, put)? else {
            return Ok(false);
        };
        self.keep(name, bytes, tag)?;
        Ok(true)
    }

    pub(super) fn keep(&self, name: &str, bytes: &[u8], tag: String) -> Result<()> {
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
}

fn is_gone(error: Option<&io::Error>) -> bool {
    error.is_some_and(|e| e.kind() == io::ErrorKind::NotFound)
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
