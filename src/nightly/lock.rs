//! One nightly run at a time. The system lets go of the lock when its process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use crate::archive::{Archive, NIGHTLY};
use crate::fault::{Error, Result};

/// The file that is locked.
const LOCK: &str = ".lock";
/// Who holds it. A file of its own: Windows lets nobody read one that is locked.
const HOLDER: &str = "holder.txt";

/// Keeps other runs out while it lives.
#[derive(Debug)]
pub struct Turn {
    /// Other machines are kept out, too, where the archive lies in object storage.
    _there: Box<dyn std::fmt::Debug>,
    _file: File,
}

impl Turn {
    /// Takes the lock. `holder` says to others who has it, such as `process 4711, since 2026-11-29T02:00:00Z`.
    ///
    /// # Errors
    /// [`Error::Unusable`], with the holder, when another run has it; or when its file cannot be written.
    pub fn take(archive: &Archive, holder: &str) -> Result<Turn> {
        let folder = archive.root().join(NIGHTLY);
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let path = folder.join(LOCK);
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true);
        let file = options.open(&path).map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(archive, &folder)),
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path)(e)),
        }
        let held = folder.join(HOLDER);
        fs::write(&held, holder).map_err(Error::io("write", &held))?;
        let there = archive.night()?.ok_or_else(|| Error::Unusable {
            path: archive.address().to_path_buf(),
            reason: "another run is under way, on another machine".into(),
        })?;
        Ok(Turn {
            _there: Box::new(there),
            _file: file,
        })
    }
}

fn taken(archive: &Archive, folder: &Path) -> Error {
    // The other one may not have written it yet.
    let holder = fs::read_to_string(folder.join(HOLDER));
    let holder = holder.unwrap_or_else(|_| "a process that did not yet say which".into());
    Error::Unusable {
        path: archive.address().to_path_buf(),
        reason: format!("another run is under way: {holder}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_told_who_has_the_lock_and_a_later_one_gets_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::create(&folder.path().join("archive")).expect("an archive");
        let first = Turn::take(&archive, "process 1").expect("free");
        let refused = Turn::take(&archive, "process 2").expect_err("taken");
        assert!(refused.to_string().contains("process 1"), "{refused}");
        drop(first);
        Turn::take(&archive, "process 3").expect("free again");
    }
}
