//! Of which tables the rows of a part of the times cost a part of what those of all times cost, and how these rows lie in the times.
//!
//! Views are made of the rows of all times. Where a view needs these to say which of its rows count, each part of the times reads them anew:
//!
//! | view | what a part reads |
//! |---|---|
//! | a table that is stored as it is | its own rows |
//! | `UnifiedAuditLog`, `OfficeActivity` | its own rows, where it is known which events the tables have; else the ids of all rows |
//! | `CloudAppEvents` | its own rows; beside audit records all accounts, which say the names of people |
//! | `LabelEvents`, protection logs, alerts and incidents | the keys of all rows, and more |

use std::collections::BTreeMap;
use std::sync::Arc;

use super::session::Session;
use super::views::{INFORMATION_PROTECTION_LOGS, alerts};
use crate::archive::delta::FileEntry;
use crate::catalog::{Table, catalog, table};

/// Tables of which one may have the events of another. The last one has some of its own events twice.
const AUDITED: [&str; 3] = ["UnifiedAuditLog", "OfficeActivity", APPS];
const APPS: &str = "CloudAppEvents";
/// Microseconds.
const DAY: i64 = 86_400_000_000;

/// How the rows of tables lie in the times, by the files that they are in.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    files: Vec<Arc<[FileEntry]>>,
}

impl Spread {
    /// Takes up the rows of others.
    pub(crate) fn add(&mut self, other: Spread) {
        self.files.extend(other.files);
    }

    /// Whether each row is certain to have a time.
    pub(crate) fn is_timed(&self) -> bool {
        self.entries().all(is_timed)
    }

    /// How many rows lie between two times in microseconds, the second not among them, by the first moment of their day. Of a file that has some
    /// there, all rows count, on its first day there.
    pub(crate) fn by_day(&self, from: Option<i64>, to: Option<i64>) -> BTreeMap<i64, u64> {
        let mut days: BTreeMap<i64, u64> = BTreeMap::new();
        for file in self.entries() {
            let Some((first, last)) = file.times else {
                continue;
            };
            if from.is_some_and(|from| last < from) || to.is_some_and(|to| first >= to) {
                continue;
            }
            let first = from.map_or(first, |from| first.max(from));
            let rows = days.entry(first.saturating_sub(first.rem_euclid(DAY)));
            let rows = rows.or_default();
            *rows = rows.saturating_add(file.rows);
        }
        days
    }

    /// Whether each file says between which times its rows lie.
    pub(crate) fn is_bounded(&self) -> bool {
        self.entries().all(|file| file.bounded)
    }

    fn entries(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().flat_map(|files| files.iter())
    }
}

/// Whether each row of a file is certain to have a time: those that have none are in folders without a day.
fn is_timed(file: &FileEntry) -> bool {
    file.bounded && file.times.is_some() && file.date.is_some()
}

impl Session {
    /// How the rows of a table lie in the times, where those of some times cost so much less than those of all. Nothing of a table that has no rows
    /// of its own in an archive, nor of one whose log cannot be read: who asks for its rows is told.
    pub(crate) fn spread(&self, name: &str) -> Option<Spread> {
        let mut spread = Spread::default();
        for source in self.read_in_parts(name)? {
            let files = self.stored.files(source).ok()??;
            spread.files.push(files);
        }
        Some(spread)
    }

    /// The stored tables whose rows of some times are all that a table's rows of these times are made of.
    fn read_in_parts(&self, name: &str) -> Option<Vec<&'static Table>> {
        let own = catalog().get(name);
        let own = own.filter(|own| own.name == name && own.by_day)?;
        match name {
            INFORMATION_PROTECTION_LOGS | alerts::ALERTS | alerts::INCIDENTS => None,
            APPS => {
                let alone = AUDITED.iter().all(|one| *one == APPS || !self.has(one));
                (alone && self.has(name)).then(|| vec![own])
            }
            "UnifiedAuditLog" | "OfficeActivity" => {
                let there = AUDITED.into_iter().filter(|one| self.has(one));
                let there: Vec<&str> = there.collect();
                let alone = matches!(there.as_slice(), [one] if *one != APPS);
                let known = self.known_events();
                let is_known = |one: &&str| known.iter().any(|(table, _)| table == one);
                let in_parts = !there.is_empty() && (alone || there.iter().all(is_known));
                in_parts.then(|| there.into_iter().map(table).collect())
            }
            // Without rows of its own it may have those of another one.
            _ => self.has(name).then(|| vec![own]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(times: Option<(i64, i64)>, rows: u64) -> FileEntry {
        FileEntry {
            path: "date=1970-01-02/ct-000001-00001.parquet".into(),
            size: 1,
            rows,
            times,
            bounded: true,
            date: times.map(|_| "1970-01-02".into()),
            sha256: None,
            nested: Vec::new(),
        }
    }

    fn spread(files: Vec<FileEntry>) -> Spread {
        Spread {
            files: vec![files.into()],
        }
    }

    #[test]
    fn rows_are_counted_by_the_day_on_which_they_begin() {
        let all = spread(vec![
            file(Some((DAY + 7, DAY + 9)), 2),
            file(Some((DAY + 8, 3 * DAY)), 3),
            file(Some((-1, -1)), 4),
            file(None, 5),
        ]);
        let days = |from, to| all.by_day(from, to).into_iter().collect::<Vec<_>>();
        assert_eq!(days(None, None), [(-DAY, 4), (DAY, 5)]);
        assert_eq!(days(Some(DAY + 10), None), [(DAY, 3)]);
        assert_eq!(days(Some(2 * DAY + 1), Some(3 * DAY)), [(2 * DAY, 3)]);
        assert!(days(None, Some(-1)).is_empty());
        assert!(days(Some(3 * DAY + 1), None).is_empty());
    }

    #[test]
    fn a_file_may_have_rows_without_a_time() {
        let timed = || file(Some((DAY, DAY)), 1);
        assert!(spread(vec![timed(), timed()]).is_timed());
        assert!(!spread(vec![timed(), file(None, 1)]).is_timed());
        // Files of other programs, which need not say.
        let unsaid = FileEntry {
            bounded: false,
            ..timed()
        };
        assert!(!spread(vec![unsaid]).is_timed());
        let beside = FileEntry {
            date: None,
            ..timed()
        };
        assert!(!spread(vec![timed(), beside]).is_timed());
    }
}
