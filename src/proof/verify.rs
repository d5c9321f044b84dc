//! Whether an archive is still what was written, and whether its exports are still what was read.
//!
//! Files against the logs, logs against their commits, rows against the ledger and its chain of digests, typed columns against the raw records
//! beside them, derived rows and identities against the events, watchlists and exports against their hashes. What cannot be checked is counted
//! as such. A hash in the log proves that a file did not change by itself or by mistake;
//! whoever can write both file and log can make them agree, and against that the digest of the content helps when it was noted elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use rayon::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::sheet::Sheet;
use super::{content, files, sources};
use crate::archive::digest::RowSets;
use crate::archive::ledger::{self, Ledger};
use crate::archive::{Archive, derived};
use crate::catalog::LABEL_EVENTS;
use crate::progress::Progress;

pub use super::sheet::{Check, KEPT, Problem, Tally};

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// Each check, in order.
    pub tallies: Vec<(Check, Tally)>,
    /// The first [`KEPT`] problems of each check, in order.
    pub problems: Vec<Problem>,
    /// Exports that were not found, as the ledger names them.
    pub missing: Vec<String>,
    /// Staged files of a run that was cut off or is under way: no damage, the next ingest completes or removes them.
    pub leftovers: u64,
    /// Files with identities of events that are damaged or of another time: no damage, the next ingest into their table makes them again.
    pub passed_over: Vec<String>,
    /// Digest of the content, whatever files it lies in: the last of the ledger's chain. Empty where an older version wrote the archive.
    pub content: String,
    /// SHA-256 of the lines `HASH  FILE` of all files, logs, identities and watchlists among them, sorted by name: what `sha256sum` writes for
    /// them. Files that were replaced, and stay for readers that began before, are left out.
    pub digest: String,
}

impl Report {
    /// All problems, also those that are not told one by one.
    pub fn count(&self) -> u64 {
        self.tallies.iter().map(|(_, t)| t.problems).sum()
    }

    /// The tally of a check.
    pub fn tally(&self, check: Check) -> Tally {
        let found = self.tallies.iter().find(|(c, _)| *c == check);
        found.map(|(_, t)| *t).unwrap_or_default()
    }

    /// The report as JSON.
    pub fn json(&self) -> Value {
        let checks: Vec<Value> = self
            .tallies
            .iter()
            .map(|(check, tally)| {
                json!({
                    "check": check.name(),
                    "about": check.about(),
                    "checked": tally.checked,
                    "not_checked": tally.not_checked,
                    "not_checked_because": (tally.not_checked > 0).then(|| check.unchecked()),
                    "problems": tally.problems,
                })
            })
            .collect();
        let problems: Vec<Value> = self
            .problems
            .iter()
            .map(|p| {
                json!({
                    "check": p.check.name(),
                    "table": p.table,
                    "file": p.file,
                    "ingest": p.ingest,
                    "record": p.record,
                    "expected": p.expected,
                    "found": p.found,
                })
            })
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "checks": checks,
            "problems": problems,
            "exports_not_found": self.missing,
            "leftovers": self.leftovers,
            "identities_made_again": self.passed_over,
            "content_digest": self.content,
            "digest": self.digest,
        })
    }
}

/// Rows by table and ingest.
type Counts = BTreeMap<String, BTreeMap<i64, u64>>;

/// Times that an archive is looked at again when somebody writes to it meanwhile.
const LOOKS: usize = 5;

/// Checks an archive. Exports are looked for in `folders` and where the ledger says they were. What is found while others write is looked at again
/// before it is told.
pub fn run(archive: &Archive, folders: &[PathBuf], progress: &dyn Progress) -> Report {
    let mut report = None;
    for _ in 0..LOOKS {
        let before = archive.state();
        let found = look(archive, folders, progress);
        let still = match (before, archive.state()) {
            (Ok(before), Ok(after)) => before == after,
            // What cannot be read is among the problems.
            _ => true,
        };
        let done = found.count() == 0 || still;
        report = Some(found);
        if done {
            break;
        }
    }
    report.expect("an archive is looked at once at least")
}

fn look(archive: &Archive, folders: &[PathBuf], progress: &dyn Progress) -> Report {
    let mut sheet = Sheet::default();
    let tables = files::listed(archive, &mut sheet);
    let ledger = ledger_of(archive, &tables, &mut sheet);
    let exports = ledger
        .as_ref()
        .map(|l| sources::find(l, folders))
        .unwrap_or_default();
    let bytes: u64 = tables.iter().flat_map(|t| &t.files).map(|f| f.size).sum();
    let export_bytes: u64 = exports.iter().map(sources::Export::size).sum();
    // Files are read twice: for their hash and for their rows.
    progress.total_bytes(Some(2 * bytes + export_bytes));
    let mut counts = Counts::new();
    let mut sets: BTreeMap<&str, RowSets> = BTreeMap::new();
    let mut derived = RowSets::new();
    let mut unread: BTreeSet<&str> = BTreeSet::new();
    let mut hashes: Vec<(String, String)> = Vec::new();
    for listed in &tables {
        let table = listed.table;
        progress.step(table.name);
        let reads: Vec<files::Read> = listed
            .files
            .par_iter()
            .map(|file| files::check(archive, table, file, progress))
            .collect();
        let (mut ids, mut readable) = (Vec::new(), Vec::new());
        let rows = counts.entry(table.name.to_string()).or_default();
        let own = sets.entry(table.name).or_default();
        for (file, read) in listed.files.iter().zip(reads) {
            sheet.merge(read.sheet);
            for (ingest, n) in read.rows {
                *rows.entry(ingest).or_insert(0) += n;
            }
            add(own, read.sets);
            add(&mut derived, read.derived);
            if read.whole {
                readable.push(file);
            }
            if read.unread {
                unread.insert(table.name);
            }
            if let Some(hash) = read.hash {
                hashes.push((format!("{}/{}", table.name, file.path), hash));
            }
            ids.extend(read.ids);
        }
        if !listed.complete {
            unread.insert(table.name);
        }
        files::identities(archive, table, &readable, ids, &mut sheet);
        content::runs(archive, ledger.as_ref(), listed, &readable, &mut sheet);
        hashes.extend(content::side_hashes(archive, table, &mut sheet));
    }
    hashes.extend(content::watchlists(archive, ledger.as_ref(), &mut sheet));
    if let Some(ledger) = &ledger {
        sums(ledger, &mut sheet);
        ingests(ledger, &counts, &unread, &mut sheet);
        content::chain(ledger, &sets, &unread, &mut sheet);
        let stored = sets.get(LABEL_EVENTS);
        content::derived(ledger, &derived, stored, &unread, &mut sheet);
        progress.step("exports");
        sources::check(ledger, &exports, progress, &mut sheet);
    }
    let mut problems = std::mem::take(&mut sheet.kept);
    // Stable: within a check they stay in the order of tables, files and records.
    problems.sort_by_key(|p| p.check);
    Report {
        tallies: Check::ALL.map(|c| (c, sheet.tally(c))).to_vec(),
        problems,
        missing: std::mem::take(&mut sheet.missing),
        leftovers: sheet.leftovers,
        passed_over: std::mem::take(&mut sheet.passed_over),
        content: ledger
            .filter(|l| l.entries.iter().any(|e| !e.chain.is_empty()))
            .map(|l| l.digest())
            .unwrap_or_default(),
        digest: digest(hashes),
    }
}

/// Adds the rows of a file to those of the files before it.
fn add(sets: &mut RowSets, more: RowSets) {
    for (ingest, set) in more {
        sets.entry(ingest).or_default().add(&set);
    }
}

/// The ledger; nothing where it cannot be read.
fn ledger_of(archive: &Archive, tables: &[files::Listed], sheet: &mut Sheet) -> Option<Ledger> {
    let found = tables.iter().find(|t| t.table.name == ledger::TABLE);
    let read = match found {
        Some(listed) if !listed.complete => return None,
        Some(listed) => ledger::read(archive.store(), &listed.files).map_err(|e| e.to_string()),
        None => Err("there is none".to_string()),
    };
    sheet.checked(Check::Log, 1);
    read.map_err(|found| {
        let expected = "a ledger that can be read";
        sheet.problem(Problem::new(Check::Log, ledger::TABLE, "", expected, found));
    })
    .ok()
}

/// Sums inside the ledger.
fn sums(ledger: &Ledger, sheet: &mut Sheet) {
    let mut ids = HashSet::new();
    for entry in &ledger.entries {
        sheet.checked(Check::Ledger, 1);
        let problem = |expected: String, found: String| {
            Problem::new(Check::Ledger, ledger::TABLE, &entry.file, expected, found)
                .at(Some(entry.id), None)
        };
        let told = [entry.duplicates, entry.revisions, entry.quarantined]
            .into_iter()
            .fold(entry.events(), u64::saturating_add);
        if told != entry.records {
            sheet.problem(problem(
                format!("{} records", entry.records),
                format!("{told} events, duplicates, revisions and quarantined"),
            ));
        }
        if !ids.insert(entry.id) {
            sheet.problem(problem(
                "a number of its own".into(),
                format!("ingest {} a second time", entry.id),
            ));
        }
    }
}

/// Rows of each ingest in each table against the ledger.
fn ingests(ledger: &Ledger, counts: &Counts, unread: &BTreeSet<&str>, sheet: &mut Sheet) {
    let mut wanted = Counts::new();
    let mut names: HashMap<i64, &str> = HashMap::new();
    let mut underived: HashSet<i64> = HashSet::new();
    for entry in &ledger.entries {
        if derived::rows_of(entry).is_none() {
            underived.insert(entry.id);
        }
        names.insert(entry.id, &entry.file);
        let sides = [
            ("Quarantine", entry.quarantined),
            ("Revisions", entry.revisions),
        ];
        let tables = entry.tables.iter().map(|(t, n)| (t.as_str(), *n));
        let derived = entry.derived.iter().map(|(t, d)| (t.as_str(), d.rows));
        for (table, n) in tables.chain(sides).chain(derived) {
            *wanted
                .entry(table.to_string())
                .or_default()
                .entry(entry.id)
                .or_insert(0) += n;
        }
    }
    let tables: BTreeSet<&String> = wanted.keys().chain(counts.keys()).collect();
    let none = BTreeMap::new();
    for table in tables.into_iter().filter(|t| *t != ledger::TABLE) {
        let (want, have) = (
            wanted.get(table).unwrap_or(&none),
            counts.get(table).unwrap_or(&none),
        );
        let ingests: BTreeSet<i64> = want.keys().chain(have.keys()).copied().collect();
        for ingest in ingests {
            let number = |of: &BTreeMap<i64, u64>| of.get(&ingest).copied().unwrap_or(0);
            let (expected, found) = (number(want), number(have));
            if unread.contains(table.as_str()) {
                sheet.not_checked(Check::Ingests, 1);
                continue;
            }
            // Rows that nobody answers from: they are made again, or a run that made them was cut off before it said so. The check of what is
            // derived counts them.
            if table == LABEL_EVENTS && underived.contains(&ingest) {
                continue;
            }
            sheet.checked(Check::Ingests, 1);
            if expected != found {
                let file = names.get(&ingest).copied().unwrap_or_default();
                let words = |n: u64| format!("{n} rows");
                sheet.problem(
                    Problem::new(Check::Ingests, table, file, words(expected), words(found))
                        .at(Some(ingest), None),
                );
            }
        }
    }
}

fn digest(mut hashes: Vec<(String, String)>) -> String {
    hashes.sort();
    let mut digest = Sha256::new();
    for (path, hash) in hashes {
        digest.update(format!("{hash}  {path}\n").as_bytes());
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_what_sha256sum_gives() {
        // printf '' | sha256sum
        assert_eq!(
            digest(Vec::new()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(
            digest(vec![pair("b", "2"), pair("a", "1")]),
            digest(vec![pair("a", "1"), pair("b", "2")])
        );
    }
}
