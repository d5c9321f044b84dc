//! Parquet files of an archive in object storage: where they lie, and those that were brought to this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use object_store::{GetOptions, GetResult};

use super::Remote;
use super::names::{self, Kind, kind, name_below};
use crate::archive::disk::{self, STAGING};
use crate::fault::Result;
use crate::storage;

/// Files of up to so many bytes are brought whole: to ask for their footer and columns one by one takes longer.
const SMALL: u64 = 8 << 20;

impl Remote {
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
    pub(in crate::archive) fn size(&self, name: &str) -> Option<u64> {
        self.lies(name).map(|(_, size)| size)
    }

    /// The same, asked of the store where this process does not know it: another one may have copied what came later.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(in crate::archive) fn size_there(&self, name: &str) -> Result<Option<u64>> {
        match self.size(name) {
            None if disk::is_inside(name) => Ok(self.place.head(name)?.map(|found| found.size)),
            size => Ok(size),
        }
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
    pub(in crate::archive) fn fetch(&self, name: &str) -> Result<Option<PathBuf>> {
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
    pub(in crate::archive) fn fetch_all(&self, names: &[String]) -> Result<()> {
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
    pub(in crate::archive) fn is_used(&self, path: &Path) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if !used.contains(path) {
            used.insert(path.to_path_buf());
        }
    }

    /// Whether a file is read by ranges; small ones are brought whole.
    pub(in crate::archive) fn is_read_by_range(&self, name: &str) -> bool {
        self.size(name).is_some_and(|size| size > SMALL)
    }

    /// Reads a file, or a part of it, where it lies.
    pub(in crate::archive) async fn read(
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
    pub(super) fn shrink(&self, limit: u64) {
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

    /// Deletes a Parquet file. Says whether it was there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(in crate::archive) fn delete(&self, name: &str) -> Result<bool> {
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
