//! What the digests speak of: the rows of each ingest, the watchlists, and the bytes of logs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::files::Listed;
use super::sheet::{Check, Problem, Sheet};
use crate::archive::delta::FileEntry;
use crate::archive::digest::{RowSet, RowSets};
use crate::archive::keys::checked;
use crate::archive::ledger::{self, Ledger};
use crate::archive::store::KEYS;
use crate::archive::{Archive, WATCHLISTS, derived};
use crate::catalog::{LABEL_EVENTS, Table};
use crate::convert;

/// A file by its name below the archive's folder, and its hash.
type Hashed = (String, String);

/// What ingests know of the events of a table against its rows, where they could be read.
pub(super) fn runs(
    archive: &Archive,
    ledger: Option<&Ledger>,
    listed: &Listed,
    readable: &[&FileEntry],
    sheet: &mut Sheet,
) {
    let Some(ledger) = ledger else {
        return;
    };
    let table = listed.table;
    let is_whole = listed.complete && readable.len() == listed.files.len();
    let files = is_whole.then_some(readable);
    let found = checked::check(archive, ledger, table, convert::identity(table), files);
    let mut problem = |file: &str, found: String| {
        let expected = "the events of the table; without the file, the next ingest makes it again";
        let check = Check::Identities;
        sheet.problem(Problem::new(check, table.name, file, expected, found));
    };
    match found {
        Ok(wrong) => {
            for (file, found) in wrong.believed {
                problem(&file, found.to_string());
            }
            sheet.passed_over.extend(wrong.passed_over);
        }
        Err(e) => problem("", e.to_string()),
    }
}

/// Rows of each ingest against its digests, and each entry against the one before.
pub(super) fn chain(
    ledger: &Ledger,
    sets: &BTreeMap<&str, RowSets>,
    unread: &BTreeSet<&str>,
    sheet: &mut Sheet,
) {
    let mut before = String::new();
    let mut begun = false;
    for entry in &ledger.entries {
        let chained = entry.chained(&before);
        if entry.chain.is_empty() && !begun {
            // An older version wrote it: what it says of itself is in the digests that follow.
            sheet.not_checked(Check::Content, 1);
            before = chained;
            continue;
        }
        begun = true;
        sheet.checked(Check::Content, 1);
        let problem = |table: &str, expected: &str, found: String| {
            Problem::new(Check::Content, table, &entry.file, expected, found)
                .at(Some(entry.id), None)
        };
        if chained != entry.chain {
            sheet.problem(problem(ledger::TABLE, &entry.chain, chained.clone()));
        }
        before = match entry.chain.as_str() {
            "" => chained,
            chain => chain.to_string(),
        };
        for (table, digest) in &entry.rows {
            if unread.contains(table.as_str()) {
                sheet.not_checked(Check::Content, 1);
                continue;
            }
            sheet.checked(Check::Content, 1);
            let rows = sets.get(table.as_str()).and_then(|s| s.get(&entry.id));
            let found = rows.map_or("no rows".to_string(), |set| set.digest());
            if found != *digest {
                sheet.problem(problem(table, digest, found));
            }
        }
    }
}

/// Derived rows against those that the events of each ingest give.
pub(super) fn derived(
    ledger: &Ledger,
    made: &RowSets,
    stored: Option<&RowSets>,
    unread: &BTreeSet<&str>,
    sheet: &mut Sheet,
) {
    let is_part = |table: &&str| *table == LABEL_EVENTS || derived::is_made_of(table);
    let damaged = unread.iter().any(is_part);
    let digest = |set: Option<&RowSet>| match set {
        Some(set) => set.digest(),
        None => "no rows".to_string(),
    };
    for entry in ledger.exports() {
        if damaged || derived::rows_of(entry).is_none() {
            sheet.not_checked(Check::Derived, 1);
            continue;
        }
        sheet.checked(Check::Derived, 1);
        let (expected, found) = (made.get(&entry.id), stored.and_then(|s| s.get(&entry.id)));
        if expected != found {
            let (expected, found) = (digest(expected), digest(found));
            let problem = Problem::new(Check::Derived, LABEL_EVENTS, &entry.file, expected, found);
            sheet.problem(problem.at(Some(entry.id), None));
        }
    }
}

/// Watchlists against what was taken; returns their hashes.
pub(super) fn watchlists(
    archive: &Archive,
    ledger: Option<&Ledger>,
    sheet: &mut Sheet,
) -> Vec<Hashed> {
    let folder = archive.root().join(WATCHLISTS);
    let mut out: Vec<Hashed> = Vec::new();
    let problem = |name: &str, expected: &str, found: String| {
        let name = format!("{WATCHLISTS}/{name}");
        Problem::new(Check::Watchlists, "", &name, expected, found)
    };
    let taken = ledger.map(Ledger::watchlists).unwrap_or_default();
    // Version 0.1.0 did not note what it took.
    let noted = ledger.is_none_or(|l| l.entries.first().is_none_or(|e| !e.chain.is_empty()));
    let mut there: BTreeMap<String, String> = BTreeMap::new();
    if folder.is_dir() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) => {
                sheet.problem(problem("", "a folder that can be read", e.to_string()));
                return out;
            }
        };
        for entry in entries {
            let read = entry.and_then(|e| match e.file_type()?.is_file() {
                true => Ok((e.file_name(), fs::read(e.path())?)),
                false => Err(std::io::Error::other(format!(
                    "{:?} is no file",
                    e.file_name()
                ))),
            });
            match read {
                Ok((name, content)) => {
                    let hash = hex::encode(Sha256::digest(&content));
                    there.insert(name.to_string_lossy().into_owned(), hash);
                }
                Err(e) => sheet.problem(problem("", "a file that can be read", e.to_string())),
            }
        }
    }
    for (name, hash) in &there {
        match taken.get(name.as_str()) {
            Some(entry) if entry.sha256 == *hash => sheet.checked(Check::Watchlists, 1),
            Some(entry) => {
                sheet.checked(Check::Watchlists, 1);
                let expected = format!("{}, as ingest {} took it", entry.sha256, entry.id);
                sheet.problem(problem(name, &expected, hash.clone()));
            }
            None if noted => {
                sheet.checked(Check::Watchlists, 1);
                let found = "one that no ingest took".to_string();
                sheet.problem(problem(name, "a watchlist that was taken", found));
            }
            None => sheet.not_checked(Check::Watchlists, 1),
        }
        out.push((format!("{WATCHLISTS}/{name}"), hash.clone()));
    }
    for (name, entry) in taken {
        // A commit that was cut off: the next ingest puts it in its place.
        let waits = fs::read(archive.staged_watchlist(name))
            .is_ok_and(|content| hex::encode(Sha256::digest(content)) == entry.sha256);
        if !there.contains_key(name) && !waits {
            sheet.checked(Check::Watchlists, 1);
            let expected = format!("{}, as ingest {} took it", entry.sha256, entry.id);
            sheet.problem(problem(name, &expected, "no such file".to_string()));
        }
    }
    out
}

/// Hashes of the files of a table's log, and of the runs that ingests tell its events apart by.
pub(super) fn side_hashes(archive: &Archive, table: &Table, sheet: &mut Sheet) -> Vec<Hashed> {
    let log = archive.root().join(table.name).join("_delta_log");
    let mut out = hashes_below(archive, table, &log, sheet);
    if archive.remote().is_none() {
        // Those of a copy are of this machine.
        let runs = archive.root().join(KEYS).join(table.name);
        out.extend(hashes_below(archive, table, &runs, sheet));
    }
    out
}

fn hashes_below(archive: &Archive, table: &Table, folder: &Path, sheet: &mut Sheet) -> Vec<Hashed> {
    let mut out = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let read = entry.map_err(std::io::Error::from).and_then(|entry| {
            if !entry.file_type().is_file() {
                return Ok(None);
            }
            let below = entry
                .path()
                .strip_prefix(archive.root())
                .unwrap_or(entry.path());
            let parts = below.components().map(|c| c.as_os_str().to_string_lossy());
            let name = parts.collect::<Vec<_>>().join("/");
            Ok(Some((name, hash_of(entry.path())?)))
        });
        match read {
            Ok(hashed) => out.extend(hashed),
            // Where there is no log at all, that is said already.
            Err(e) if folder.is_dir() => {
                let expected = "a folder whose files can be read";
                sheet.problem(Problem::new(
                    Check::Log,
                    table.name,
                    "",
                    expected,
                    e.to_string(),
                ));
            }
            Err(_) => {}
        }
    }
    out
}

/// SHA-256 of a file, in hexadecimal.
fn hash_of(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash) = (BufReader::new(File::open(path)?), Sha256::new());
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(bytes);
        let length = bytes.len();
        file.consume(length);
    }
}
