//! How to ask: what a session is opened with, and the names of its schemas.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datafusion::prelude::{Expr, lit};
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};

/// How to ask.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only events at or after this time, in microseconds, whatever is asked.
    pub from: Option<i64>,
    /// Only events before this time, in microseconds, whatever is asked.
    pub to: Option<i64>,
    /// What `now()` of SQL says to questions that name no moment, in microseconds; the time at which a query runs when not given.
    pub now: Option<i64>,
    /// Only events before this time, in microseconds, can be known at all: names that views take from other tables, too.
    pub seen: Option<i64>,
    /// Threads; all cores when not given.
    pub threads: Option<usize>,
    /// Memory for queries, in bytes, [`memory::DEFAULT`](super::memory::DEFAULT) when not given; they spill to disk beyond it.
    pub memory: Option<usize>,
    /// Folder for what does not fit into memory; that of the system when not given.
    pub temp: Option<PathBuf>,
    /// How long a question may take.
    pub timeout: Option<Duration>,
    /// What ends the question at hand before its time; nothing where nobody does.
    pub stop: Option<Stop>,
    /// Further tables, each from a file.
    pub files: Vec<(String, PathBuf)>,
    /// Which columns stand for all of a table.
    pub columns: Columns,
    /// How much later than they happen events are ingested.
    pub late: Late,
    /// Each is ingested when its export says, and not later than it happens where that says nothing. `late` is not asked then.
    pub recorded: bool,
}

/// Ends the questions of a session from another thread. Copies are one.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Ends the question at hand, and each that is asked until [`Self::clear`].
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The next question may run.
    pub fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether the question at hand is to end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How much later than they happen the events of a table are ingested, in microseconds. `ingestion_time()` answers from it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Late {
    /// By the table's name in lower case.
    pub tables: BTreeMap<String, i64>,
    /// Of all other tables.
    pub others: i64,
}

impl Late {
    /// That of a table.
    pub fn of(&self, table: &str) -> i64 {
        let own = match self.tables.is_empty() {
            true => None,
            false => self.tables.get(&table.to_ascii_lowercase()),
        };
        *own.unwrap_or(&self.others)
    }
}

/// Which columns of a table stand for all of them, as `*` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Columns {
    /// All that the archive has.
    #[default]
    All,
    /// Those of the product, and those that the query names.
    Product,
}

/// The times of an answer. Without bounds all are, also what has no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TimeRange {
    /// Not before this time, in microseconds.
    pub from: Option<i64>,
    /// Before this time, in microseconds.
    pub to: Option<i64>,
}

impl TimeRange {
    pub(super) fn of(options: &Options) -> TimeRange {
        TimeRange {
            from: options.from,
            to: options.to,
        }
    }

    pub(crate) fn is_all(self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Whether a time, in microseconds, lies in it.
    pub(crate) fn holds(self, time: i64) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
    }

    /// The times that are in both.
    pub(crate) fn and(self, other: TimeRange) -> TimeRange {
        let from = self.from.max(other.from);
        let to = match (self.to, other.to) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        TimeRange {
            from,
            // Where there are none it ends where it begins.
            to: to.map(|to| from.map_or(to, |from| to.max(from))),
        }
    }

    /// The least that has both.
    pub(crate) fn with(self, other: TimeRange) -> TimeRange {
        TimeRange {
            from: self.from.zip(other.from).map(|(one, two)| one.min(two)),
            to: self.to.zip(other.to).map(|(one, two)| one.max(two)),
        }
    }

    /// The same with so many seconds before and behind it; all times where nobody says how many.
    pub(crate) fn around(self, seconds: Option<u64>) -> TimeRange {
        let micros = |seconds: u64| i64::try_from(seconds).ok()?.checked_mul(1_000_000);
        match seconds.and_then(micros) {
            Some(period) => TimeRange {
                from: self.from.map(|t| t.saturating_sub(period)),
                to: self.to.map(|t| t.saturating_add(period)),
            },
            None => TimeRange::default(),
        }
    }

    /// The same so many microseconds earlier.
    pub(super) fn earlier(self, by: i64) -> TimeRange {
        TimeRange {
            from: self.from.map(|t| t.saturating_sub(by)),
            to: self.to.map(|t| t.saturating_sub(by)),
        }
    }

    /// What the time in this column must meet.
    pub(super) fn condition(self, column: Expr) -> Option<Expr> {
        let at = |t| {
            lit(ScalarValue::TimestampMicrosecond(
                Some(t),
                Some("UTC".into()),
            ))
        };
        let from = self.from.map(|t| column.clone().gt_eq(at(t)));
        let to = self.to.map(|t| column.lt(at(t)));
        match (from, to) {
            (Some(from), Some(to)) => Some(from.and(to)),
            (from, to) => from.or(to),
        }
    }
}

/// The one catalog of a session, and the schema of its views.
pub(super) const CATALOG: &str = "archive";
pub(super) const PUBLIC: &str = "public";
/// Schema of the stored tables.
pub(super) const STORED: &str = "stored";
/// Schema of the watchlists.
pub(super) const WATCHLISTS: &str = "watchlists";

/// Stack of a thread that plans and runs queries, in bytes: enough for what `depth` lets through. The system gives what is used of it.
pub const STACK: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_first_moment_and_not_its_last() {
        let window = TimeRange {
            from: Some(10),
            to: Some(20),
        };
        assert_eq!(
            [9, 10, 19, 20].map(|t| window.holds(t)),
            [false, true, true, false]
        );
        assert!(TimeRange::default().holds(i64::MIN));
    }

    #[test]
    fn times_that_are_in_two_ranges() {
        let window = |from, to| TimeRange { from, to };
        let some = window(Some(10), Some(20));
        for (other, both) in [
            (TimeRange::default(), some),
            (window(Some(15), None), window(Some(15), Some(20))),
            (window(None, Some(15)), window(Some(10), Some(15))),
            (window(Some(5), Some(25)), some),
            (window(Some(20), None), window(Some(20), Some(20))),
            (window(Some(25), Some(30)), window(Some(25), Some(25))),
            (window(None, Some(5)), window(Some(10), Some(10))),
        ] {
            assert_eq!(some.and(other), both, "{other:?}");
            assert_eq!(other.and(some), both, "{other:?}");
        }
        assert!(!window(Some(20), Some(20)).holds(20));
        assert!(TimeRange::default().and(TimeRange::default()).is_all());
    }

    #[test]
    fn a_session_reaches_as_far_as_the_rule_that_looks_back_most() {
        let window = TimeRange {
            from: Some(0),
            to: None,
        };
        let second = 1_000_000;
        assert_eq!(window.around(Some(5)).from, Some(-5 * second));
        assert_eq!(window.around(Some(5)).to, None);
        // Without a period a rule sees everything.
        assert!(window.around(None).is_all());
        assert!(window.around(Some(u64::MAX)).is_all());
        let both = window.around(Some(5)).with(window.around(Some(7)));
        assert_eq!(both.from, Some(-7 * second));
        assert!(both.with(TimeRange::default()).is_all());
    }
}
