//! Exports against what the ledger says was read.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;

use super::sheet::{Check, Problem, Sheet};
use crate::archive::ledger::{Entry, Ledger};
use crate::ingest::input::Input;
use crate::ingest::stream;
use crate::progress::Progress;

/// An export of the ledger, and files that may be it.
pub(super) struct Export {
    /// Place in the ledger.
    entry: usize,
    found: Vec<PathBuf>,
}

impl Export {
    /// Bytes that will be read at least.
    pub(super) fn size(&self) -> u64 {
        self.found
            .first()
            .and_then(|path| Input::File(path.clone()).size())
            .unwrap_or(0)
    }
}

/// Looks for the exports: in the folders below every end of the path that the ledger has, the longest first; then where they were.
/// Members of a zip archive are left out: the archive stands for them.
pub(super) fn find(ledger: &Ledger, folders: &[PathBuf]) -> Vec<Export> {
    let names: HashSet<&str> = ledger.entries.iter().map(|e| e.file.as_str()).collect();
    let is_member = |file: &str| {
        file.match_indices('/')
            .any(|(at, _)| names.contains(&file[..at]))
    };
    ledger
        .entries
        .iter()
        .enumerate()
        .filter(|(_, e)| !e.is_watchlist() && !is_member(&e.file))
        .map(|(entry, e)| Export {
            entry,
            found: match e.file.as_str() {
                // Standard input leaves nothing.
                "-" => Vec::new(),
                file => places(file, folders)
                    .into_iter()
                    .filter(|path| path.is_file())
                    .collect(),
            },
        })
        .collect()
}

fn places(file: &str, folders: &[PathBuf]) -> Vec<PathBuf> {
    let names: Vec<&std::ffi::OsStr> = Path::new(file)
        .components()
        .filter_map(|c| match c {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    let mut out = Vec::new();
    for folder in folders {
        for from in 0..names.len() {
            let end: PathBuf = names[from..].iter().collect();
            out.push(folder.join(end));
        }
    }
    out.push(PathBuf::from(file));
    out
}

/// Compares size and hash. An export that is not there is no problem: it is counted as not checked.
pub(super) fn check(
    ledger: &Ledger,
    exports: &[Export],
    progress: &dyn Progress,
    sheet: &mut Sheet,
) {
    let mut named: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in &ledger.entries {
        named.entry(&entry.file).or_default().push(entry);
    }
    let sheets: Vec<Sheet> = exports
        .par_iter()
        .map(|export| {
            let entry = &ledger.entries[export.entry];
            let same: &[&Entry] = match named.get(entry.file.as_str()) {
                Some(entries) => entries,
                None => &[],
            };
            let sheet = one(entry, same, &export.found);
            progress.read_bytes(export.size());
            sheet
        })
        .collect();
    for one in sheets {
        sheet.merge(one);
    }
}

fn one(entry: &Entry, same: &[&Entry], found: &[PathBuf]) -> Sheet {
    let mut sheet = Sheet::default();
    let mut wrong: Option<(&PathBuf, String)> = None;
    let mut replaced = false;
    // A file that could not be opened has no hash.
    let found: &[PathBuf] = if entry.sha256.is_empty() { &[] } else { found };
    for path in found {
        let input = Input::File(path.clone());
        let told = match input.size() {
            Some(size) if !same.iter().any(|e| e.bytes == size) => format!("{size} bytes"),
            _ => match stream::sha256(&input) {
                Ok(hash) if hash == entry.sha256 => {
                    sheet.checked(Check::Sources, 1);
                    return sheet;
                }
                Ok(hash) if same.iter().any(|e| e.sha256 == hash) => {
                    replaced = true;
                    continue;
                }
                Ok(hash) => format!("SHA-256 {hash}"),
                Err(e) => e.to_string(),
            },
        };
        wrong.get_or_insert((path, told));
    }
    match wrong {
        Some((path, told)) if !replaced => {
            sheet.checked(Check::Sources, 1);
            let expected = format!("{} bytes, SHA-256 {}", entry.bytes, entry.sha256);
            let file = path.to_string_lossy();
            let problem = Problem::new(Check::Sources, "", &file, expected, told);
            sheet.problem(problem.at(Some(entry.id), None));
        }
        // A file of that name that was read later on has taken its place.
        _ if replaced => sheet.not_checked(Check::Sources, 1),
        _ => sheet.missing(&entry.file),
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_looked_for_below_every_end_of_their_path() {
        let folder = PathBuf::from("copy");
        let got = places("/evidence/a/b.csv", std::slice::from_ref(&folder));
        let want = ["evidence/a/b.csv", "a/b.csv", "b.csv"].map(|end| folder.join(end));
        assert_eq!(got[..3], want);
        assert_eq!(got[3], PathBuf::from("/evidence/a/b.csv"));
        assert_eq!(places("a.csv", &[]), [PathBuf::from("a.csv")]);
    }
}
