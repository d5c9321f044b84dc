//! What is checked, and what of it holds.

use std::collections::BTreeMap;

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Logs and ledger.
    Log,
    /// Files and their sizes.
    Files,
    /// Hashes of files.
    Hashes,
    /// Files that nobody names.
    Orphans,
    /// Rows of files.
    Rows,
    /// Days and times of files.
    Bounds,
    /// Sums of the ledger.
    Ledger,
    /// Rows of ingests.
    Ingests,
    /// Events that are there twice.
    Identities,
    /// Typed columns and raw records.
    Records,
    /// Fingerprints.
    Fingerprints,
    /// The chain of what each ingest added.
    Content,
    /// Rows that are derived from events.
    Derived,
    /// Watchlists.
    Watchlists,
    /// Exports.
    Sources,
}

impl Check {
    /// All checks, in the order in which they are told.
    pub const ALL: [Check; 15] = [
        Check::Log,
        Check::Files,
        Check::Hashes,
        Check::Orphans,
        Check::Rows,
        Check::Bounds,
        Check::Ledger,
        Check::Ingests,
        Check::Identities,
        Check::Records,
        Check::Fingerprints,
        Check::Content,
        Check::Derived,
        Check::Watchlists,
        Check::Sources,
    ];

    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Check::Log => "log",
            Check::Files => "files",
            Check::Hashes => "hashes",
            Check::Orphans => "orphans",
            Check::Rows => "rows",
            Check::Bounds => "bounds",
            Check::Ledger => "ledger",
            Check::Ingests => "ingests",
            Check::Identities => "identities",
            Check::Records => "records",
            Check::Fingerprints => "fingerprints",
            Check::Content => "content",
            Check::Derived => "derived",
            Check::Watchlists => "watchlists",
            Check::Sources => "sources",
        }
    }

    /// What must hold.
    pub fn about(self) -> &'static str {
        match self {
            Check::Log => {
                "logs can be read, checkpoints say what commits say, columns are those of the tables"
            }
            Check::Files => "files that the logs name are there, with their size",
            Check::Hashes => "files have the SHA-256 that the logs have of them",
            Check::Orphans => "there are no files that no log names",
            Check::Rows => "files have as many rows as the logs say",
            Check::Bounds => "rows are of the day and between the times that the logs say",
            Check::Ledger => {
                "records of an export are its events, duplicates, revisions and quarantined"
            }
            Check::Ingests => "tables, Quarantine and Revisions have the rows that the ledger says",
            Check::Identities => "no event is in a table twice",
            Check::Records => "typed columns say what the raw record says",
            Check::Fingerprints => "fingerprints are those of the content",
            Check::Content => "rows are those that the ledger's chain of digests speaks of",
            Check::Derived => "rows of LabelEvents are those that their events give",
            Check::Watchlists => "watchlists are those that were taken",
            Check::Sources => {
                "exports that are still there are those that were read; a packed one counts once, watchlists stand above"
            }
        }
    }

    /// Why some of it cannot be checked.
    pub fn unchecked(self) -> &'static str {
        match self {
            Check::Log => {
                "another program has removed old commits of the log: its checkpoint is all there is"
            }
            Check::Hashes => {
                "the log has no hash of these files: another program or an older version wrote them"
            }
            Check::Orphans => {
                "the logs have taken these files out: they stay a while for readers that began before, and go by a later `archive compact` or with the program that replaced them"
            }
            Check::Rows => "these files are damaged: their rows are not read",
            Check::Ingests => "tables with damage: their rows cannot all be counted",
            Check::Fingerprints => {
                "the export had values beyond the columns, or in another spelling than they keep: the fingerprint cannot be worked out again from columns; \
                 `content` covers these rows"
            }
            Check::Content => "an older version wrote it without a digest, or the table has damage",
            Check::Derived => {
                "another version derived them, or none did, or a table has damage: `archive rebuild` derives them again"
            }
            Check::Watchlists => "an older version took them and noted no hash",
            Check::Sources => {
                "not where they were, or a later export has taken the place: --sources names a folder to look in"
            }
            Check::Files | Check::Bounds | Check::Ledger | Check::Identities | Check::Records => {
                "it cannot be read"
            }
        }
    }
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What was compared.
    pub check: Check,
    /// The table; empty where it is about an export.
    pub table: String,
    /// The file of the table, or the export.
    pub file: String,
    /// Number of the ingest.
    pub ingest: Option<i64>,
    /// Number of the record in its export, from 1.
    pub record: Option<i64>,
    /// What log, ledger or raw record say.
    pub expected: String,
    /// What there is.
    pub found: String,
}

impl Problem {
    pub(super) fn new(
        check: Check,
        table: &str,
        file: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Problem {
        Problem {
            check,
            table: table.into(),
            file: file.into(),
            ingest: None,
            record: None,
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The same with the place of a record.
    pub(super) fn at(mut self, ingest: Option<i64>, record: Option<i64>) -> Problem {
        self.ingest = ingest;
        self.record = record;
        self
    }
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Things that were compared.
    pub checked: u64,
    /// Things that could not be compared.
    pub not_checked: u64,
    /// Things that differ.
    pub problems: u64,
}

/// Problems of one check that are told one by one; all are counted.
pub const KEPT: usize = 100;

/// Tallies and problems while they are gathered.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    tallies: BTreeMap<Check, Tally>,
    pub(super) kept: Vec<Problem>,
    pub(super) missing: Vec<String>,
    pub(super) leftovers: u64,
    pub(super) passed_over: Vec<String>,
}

impl Sheet {
    pub(super) fn checked(&mut self, check: Check, n: u64) {
        self.tallies.entry(check).or_default().checked += n;
    }

    pub(super) fn not_checked(&mut self, check: Check, n: u64) {
        self.tallies.entry(check).or_default().not_checked += n;
    }

    /// Files that wait for the next ingest.
    pub(super) fn left_over(&mut self, files: u64) {
        self.leftovers += files;
    }

    /// An export that is not where it was.
    pub(super) fn missing(&mut self, export: &str) {
        self.not_checked(Check::Sources, 1);
        self.missing.push(export.to_string());
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.tallies.entry(problem.check).or_default().problems += 1;
        self.keep(problem);
    }

    pub(super) fn tally(&self, check: Check) -> Tally {
        self.tallies.get(&check).copied().unwrap_or_default()
    }

    fn keep(&mut self, problem: Problem) {
        let same = self.kept.iter().filter(|p| p.check == problem.check);
        if same.count() < KEPT {
            self.kept.push(problem);
        }
    }

    pub(super) fn merge(&mut self, other: Sheet) {
        for (check, tally) in other.tallies {
            let own = self.tallies.entry(check).or_default();
            own.checked += tally.checked;
            own.not_checked += tally.not_checked;
            own.problems += tally.problems;
        }
        for problem in other.kept {
            self.keep(problem);
        }
        self.missing.extend(other.missing);
        self.leftovers += other.leftovers;
        self.passed_over.extend(other.passed_over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_counted_and_the_first_are_kept() {
        let mut all = Sheet::default();
        for _ in 0..3 {
            let mut one = Sheet::default();
            for n in 0..KEPT - 30 {
                one.problem(Problem::new(Check::Rows, "T", "f", n.to_string(), ""));
            }
            one.problem(Problem::new(Check::Files, "T", "f", "", ""));
            one.checked(Check::Rows, 7);
            all.merge(one);
        }
        assert_eq!(
            all.tally(Check::Rows),
            Tally {
                checked: 21,
                not_checked: 0,
                problems: 3 * (KEPT as u64 - 30)
            }
        );
        let kept = |check| all.kept.iter().filter(|p| p.check == check).count();
        assert_eq!([kept(Check::Rows), kept(Check::Files)], [KEPT, 3]);
    }
}
