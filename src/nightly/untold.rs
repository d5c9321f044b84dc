//! Alerts that a run has stored and that no exit code has told of yet: the run was cut off, or ended with the code of an error.
//!
//! A small file in the archive says after which store of alerts they begin. It is there from before a run stores any until its exit code is known.

use std::fs;
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use crate::archive::{Archive, NIGHTLY};
use crate::fault::{Error, Result};

/// The file.
const FILE: &str = "untold.json";
/// Version of the file.
const FORM: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Untold {
    form: u32,
    /// Number of the last store of alerts that was told of.
    after: i64,
}

/// The last store of alerts that was told of, where an earlier run left later ones untold.
///
/// # Errors
/// When the file cannot be read, is damaged, or a newer version wrote it.
pub fn after(archive: &Archive) -> Result<Option<i64>> {
    let path = archive.root().join(NIGHTLY).join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io("read", &path)(e)),
    };
    let unusable = |reason: String| Error::Unusable {
        path: path.clone(),
        reason,
    };
    let untold: Untold = serde_json::from_slice(&bytes).map_err(|e| {
        unusable(format!(
            "{e}: without this file, the run tells of no alerts of a run that was cut off"
        ))
    })?;
    match untold.form > FORM {
        true => Err(unusable("a newer version of coldtrail wrote it".into())),
        false => Ok(Some(untold.after)),
    }
}

/// Notes that stores of alerts after this one are not told of. It is on the disk when this returns.
///
/// # Errors
/// When it cannot be written.
pub fn note(archive: &Archive, after: i64) -> Result<()> {
    let untold = Untold { form: FORM, after };
    let bytes = serde_json::to_vec(&untold).map_err(|e| Error::Damaged(e.to_string()))?;
    archive.write_nightly(FILE, &bytes)
}

/// Notes that all are told of.
///
/// # Errors
/// When the file cannot be removed.
pub fn forget(archive: &Archive) -> Result<()> {
    archive.remove_nightly(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_stays_until_it_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::create(&folder.path().join("archive")).expect("an archive");
        assert_eq!(after(&archive).expect("no file"), None);
        forget(&archive).expect("nothing to forget");
        fs::create_dir_all(archive.root().join(NIGHTLY)).expect("a folder");
        note(&archive, 7).expect("written");
        assert_eq!(after(&archive).expect("a file"), Some(7));
        forget(&archive).expect("removed");
        assert_eq!(after(&archive).expect("no file"), None);
    }
}
