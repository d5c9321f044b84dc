//! How to ingest, and what became of the inputs.

use std::collections::BTreeMap;

use super::tally::Tally;
use crate::archive::ledger::{Entry, Status};
use crate::ingest::format::Hints;
use crate::ingest::time::DateOrder;

/// How to ingest.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The time of this run, in microseconds.
    pub now: i64,
    /// What the user said about the inputs.
    pub hints: Hints,
    /// Which files are read.
    pub choice: Choice,
    /// What a record or file that cannot be read does.
    pub fault: Fault,
}

/// Which of the inputs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// Those whose content was not read before.
    #[default]
    New,
    /// Those that changed since they were read last, told by path, size and time alone: what did not change is not hashed.
    SinceLast,
    /// All; events that are there already count as repeats.
    Again,
}

/// What a record or file that cannot be read does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// It is kept aside and counted.
    #[default]
    Quarantine,
    /// It ends the ingest, which then adds nothing.
    Stop,
}

/// What became of the inputs.
#[derive(Debug, Default)]
pub struct Summary {
    /// Files that were read now.
    pub entries: Vec<Entry>,
    /// Files that had been ingested before.
    pub known: Vec<ReadBefore>,
    /// Watchlists that were taken into the archive, and whether there was another one of that name.
    pub watchlists: Vec<(String, bool)>,
    /// Files of watchlists that were left out, and why.
    pub refused: Vec<(String, String)>,
    /// What is to be said of watchlists that were taken, by file.
    pub list_notes: Vec<(String, String)>,
    /// Watchlists without rows that replaced a list of so many.
    pub emptied: Vec<(String, u64)>,
    /// Why records are in quarantine, and the first place of each reason.
    pub reasons: Tally,
    /// Events that stay without a time.
    pub untimed: u64,
}

/// A file that was read in an earlier ingest, as far as it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBefore {
    /// The file, as it is named now.
    pub file: String,
    /// The number of that ingest.
    pub ingest: i64,
    /// Files inside of it that were read with it, where it is an archive.
    pub members: u64,
    /// How reading ended then. What was broken is broken still.
    pub status: Status,
    /// Why, where it was not read whole.
    pub note: String,
}

impl ReadBefore {
    pub(super) fn of(file: String, entry: &Entry) -> Self {
        ReadBefore {
            file,
            ingest: entry.id,
            members: 0,
            status: entry.status,
            note: match entry.status {
                Status::Complete => String::new(),
                _ => entry.note.clone(),
            },
        }
    }
}

impl Summary {
    /// Sum over the files.
    pub fn sum(&self, of: impl Fn(&Entry) -> u64) -> u64 {
        self.entries.iter().map(of).sum()
    }

    /// Events added, per table.
    pub fn tables(&self) -> BTreeMap<&str, u64> {
        let mut out = BTreeMap::new();
        for (table, n) in self.entries.iter().flat_map(|e| &e.tables) {
            *out.entry(table.as_str()).or_insert(0) += n;
        }
        out
    }

    /// Earliest and latest event, in microseconds.
    pub fn times(&self) -> Option<(i64, i64)> {
        self.entries
            .iter()
            .filter_map(|e| e.times)
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Files that were read before, with those inside of archives.
    pub fn read_before(&self) -> u64 {
        self.known.iter().map(|known| 1 + known.members).sum()
    }

    /// Files that could not be read whole, now or before.
    pub fn not_whole(&self) -> u64 {
        let now = self.entries.iter().map(|e| e.status);
        let all = now.chain(self.known.iter().map(|k| k.status));
        all.filter(|status| *status != Status::Complete).count() as u64
    }

    /// Whether something could not be read, now or before.
    pub fn is_incomplete(&self) -> bool {
        let is_broken = |e: &Entry| e.status != Status::Complete || e.quarantined > 0;
        self.untimed > 0
            || !self.refused.is_empty()
            || self.entries.iter().any(is_broken)
            || self.known.iter().any(|k| k.status != Status::Complete)
    }
}

/// The order of dates, as the ledger says it.
pub(super) fn order_name(order: Option<DateOrder>) -> &'static str {
    match order {
        None => "",
        Some(DateOrder::MonthFirst) => "month first",
        Some(DateOrder::DayFirst) => "day first",
    }
}
