//! The commits of a table's log as files: their names, and what stands in them. Knows nothing of what actions mean.

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
