//! Files that a log has taken out. They stay where they are, as Delta Lake has it: whoever opened the table before, in whatever program, reads them to
//! its end. Those that coldtrail replaced are deleted by a later merge, once they have been out for a while; all others are left to the program
//! that replaced them.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value;

use super::delta::OWN;
use super::{Archive, Lock, commits, part, store};
use crate::catalog::{Table, catalog};
use crate::fault::{Error, Result};

/// Deletes the files that coldtrail took out so many microseconds ago, or earlier; says how many. A file that a log names again stays.
///
/// # Errors
/// When a log cannot be read, or a file cannot be deleted.
pub(super) fn clean(archive: &Archive, retention: i64, now: i64, _lock: &Lock) -> Result<u64> {
    let mut deleted = 0;
    for table in catalog().stored() {
        let folder = archive.root().join(table.name);
        if !folder.is_dir() {
            continue;
        }
        let out = taken_out(archive, table)?;
        if out.is_empty() {
            continue;
        }
        let files = archive.files(table)?;
        let named: HashSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
        for (path, since) in out {
            let own = part::is_own(path.rsplit('/').next().unwrap_or(""));
            let may_go = now.saturating_sub(since) >= retention;
            if own && may_go && store::is_inside(&path) && !named.contains(path.as_str()) {
                let mut was = delete(archive.root(), &folder.join(&path))?;
                if let Some(remote) = archive.remote() {
                    was |= remote.delete(&format!("{}/{path}", table.name))?;
                }
                deleted += u64::from(was);
            }
        }
    }
    Ok(deleted)
}

/// Deletes a file. Says whether it was there.
fn delete(root: &Path, file: &Path) -> Result<bool> {
    if !store::is_plain(root, file).map_err(Error::io("read", file))? {
        return Ok(false);
    }
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io("remove", file)(e)),
    }
}

/// Files that coldtrail took out of a table and did not put in again, and when, in microseconds.
fn taken_out(archive: &Archive, table: &Table) -> Result<HashMap<String, i64>> {
    let mut out: HashMap<String, i64> = HashMap::new();
    for commit in commits::of(&archive.root().join(table.name))? {
        let actions = commits::actions(&commit)?;
        let path = |action: &Value| action["path"].as_str().map(commits::decoded);
        let added = actions.iter().filter_map(|a| path(&a["add"]));
        for path in added {
            out.remove(&path);
        }
        if !actions.iter().any(is_mark) {
            continue;
        }
        let written = actions
            .iter()
            .find_map(|a| a["commitInfo"]["timestamp"].as_i64());
        for removed in actions.iter().map(|a| &a["remove"]) {
            let Some(path) = path(removed) else { continue };
            // Older versions did not say when.
            let since = removed["deletionTimestamp"].as_i64().filter(|t| *t > 0);
            let since = since.or(written).unwrap_or(i64::MAX / 1000);
            out.insert(path, since.saturating_mul(1000));
        }
    }
    Ok(out)
}

/// Whether an action says that the commit is coldtrail's.
fn is_mark(action: &Value) -> bool {
    let application = action["txn"]["appId"].as_str();
    application.is_some_and(|name| OWN.contains(&name))
}
