//! The commits of a table's log as files: their names, and what stands in them. Knows nothing of what actions mean.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::fault::{Error, Result};

/// The commits of a table in order.
pub(super) fn of(table: &Path) -> Result<Vec<PathBuf>> {
    let folder = table.join("_delta_log");
    let mut out = Vec::new();
    if folder.is_dir() {
        for file in std::fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let path = file.map_err(Error::io("read", &folder))?.path();
            if version(&path).is_some() {
                out.push(path);
            }
        }
    }
    out.sort();
    Ok(out)
}

/// The newest version of a table; nothing where it has no log.
///
/// # Errors
/// When the log's folder cannot be read, or a commit is no file.
pub(super) fn newest_version(table: &Path) -> Result<Option<u64>> {
    let folder = table.join("_delta_log");
    let files = match std::fs::read_dir(&folder) {
        Ok(files) => files,
        Err(e) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&e.kind()) => {
            return Ok(None);
        }
        Err(e) => return Err(Error::io("read", &folder)(e)),
    };
    let mut newest = None;
    for file in files {
        let file = file.map_err(Error::io("read", &folder))?;
        let Some(version) = version(Path::new(&file.file_name())) else {
            continue;
        };
        // An archive may come from a stranger.
        if !file
            .file_type()
            .map_err(Error::io("read", file.path()))?
            .is_file()
        {
            return Err(Error::Unusable {
                path: file.path(),
                reason: "it is no file".into(),
            });
        }
        newest = newest.max(Some(version));
    }
    Ok(newest)
}

/// The version in the name of a commit.
pub(super) fn version(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
    let digits = name.len() == 20 && name.bytes().all(|b| b.is_ascii_digit());
    name.parse().ok().filter(|_| digits)
}

/// The actions of a commit.
pub(super) fn actions(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    let lines = text.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    let read = |line| {
        serde_json::from_slice(line).map_err(|e| Error::Unusable {
            path: path.to_path_buf(),
            reason: format!("not JSON: {e}"),
        })
    };
    lines.map(read).collect()
}

/// A path as it is on the disk: logs escape it like an address.
pub(super) fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}
