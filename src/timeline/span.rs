//! Spans of time that are sorted one after the other: a sort of all events of a large archive would go to the disk and take them up again.

use std::collections::BTreeMap;

use crate::archive::Pinned;
use crate::catalog::catalog;
use crate::engine::TimeRange;
use crate::fault::Result;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// Memory of queries for each event of a span, in bytes: with their JSON some are several KiB, and a sort holds them twice.
const MEMORY_OF_EVENT: usize = 8 << 10;
/// Spans of a day, at most: of one minute.
const MOST_A_DAY: u64 = 1440;
/// Days that the events of one file are spread over, at most. What another program says of its files may be anything.
const MOST_DAYS: i64 = 3660;

/// The times at which one span ends and the next begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<i64>);

impl Spans {
    /// Spans with as many events as fit into the memory of queries, by what the logs of an archive say of its files; one for all where the memory has no
    /// limit. No border lies outside of the times that are asked for.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn of(archive: &Pinned, range: TimeRange, memory: Option<usize>) -> Result<Spans> {
        let Some(memory) = memory else {
            return Ok(Spans::default());
        };
        let mut days: BTreeMap<i64, u64> = BTreeMap::new();
        for table in catalog().tables().filter(|table| table.by_day) {
            for file in archive.files(table)?.iter() {
                if let Some(times) = file.times {
                    spread(&mut days, times, file.rows);
                }
            }
        }
        let most = u64::try_from(memory / MEMORY_OF_EVENT).unwrap_or(u64::MAX);
        let mut borders = borders(&days, most.max(1));
        borders.retain(|at| {
            range.from.is_none_or(|from| *at > from) && range.to.is_none_or(|to| *at < to)
        });
        Ok(Spans(borders))
    }

    /// The conditions of all spans, in the order of time, on a column with times. Each row meets one of them; those without a time meet the last.
    pub(super) fn conditions(&self, column: &str) -> Vec<String> {
        let at =
            |time: &i64| format!("arrow_cast({time}, 'Timestamp(Microsecond, Some(\"UTC\"))')");
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else {
            return vec!["true".into()];
        };
        let mut all = vec![format!("{column} < {}", at(first))];
        for pair in self.0.windows(2) {
            all.push(format!(
                "{column} >= {} AND {column} < {}",
                at(&pair[0]),
                at(&pair[1])
            ));
        }
        all.push(format!("({column} >= {} OR {column} IS NULL)", at(last)));
        all
    }
}

/// Adds the rows of a file to its days.
fn spread(days: &mut BTreeMap<i64, u64>, (first, last): (i64, i64), rows: u64) {
    let (first, last) = (first.div_euclid(DAY), last.div_euclid(DAY));
    let last = last.min(first.saturating_add(MOST_DAYS)).max(first);
    let each = rows / u64::try_from(last - first + 1).unwrap_or(1);
    for day in first..=last {
        *days.entry(day).or_default() += each.max(1);
    }
}

/// Where spans of so many rows end. Small days are one span, a large one is several of equal length.
fn borders(days: &BTreeMap<i64, u64>, most: u64) -> Vec<i64> {
    let mut borders: Vec<i64> = Vec::new();
    let mut filled: u64 = 0;
    for (&day, &rows) in days {
        let begin = day.saturating_mul(DAY);
        if filled > 0 && filled + rows > most {
            borders.push(begin);
            filled = 0;
        }
        let parts = rows.div_ceil(most).clamp(1, MOST_A_DAY);
        let count = i64::try_from(parts).unwrap_or(1);
        borders.extend((1..count).map(|part| begin + DAY / count * part));
        filled += rows / parts;
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_days_are_one_span_and_a_large_one_is_several() {
        let of = |days: &[(i64, u64)], most| borders(&days.iter().copied().collect(), most);
        assert_eq!(of(&[(1, 10), (2, 10), (3, 10)], 20), [3 * DAY]);
        assert!(of(&[(1, 10), (2, 10)], 100).is_empty());
        assert_eq!(
            of(&[(-1, 5), (0, 40), (1, 5)], 20),
            [0, DAY / 2, DAY],
            "an even half of the large day is full"
        );
        assert_eq!(of(&[(0, u64::MAX >> 8)], 1).len(), 1439);
        let mut days = BTreeMap::new();
        spread(&mut days, (-1, 2 * DAY), 40);
        assert_eq!(
            days.into_iter().collect::<Vec<_>>(),
            [(-1, 10), (0, 10), (1, 10), (2, 10)]
        );
        let mut days = BTreeMap::new();
        spread(&mut days, (i64::MIN, i64::MAX), 1);
        assert_eq!(days.len(), 3661);
    }

    #[test]
    fn every_row_meets_one_condition() {
        let of = |spans: Spans| spans.conditions("t").len();
        assert_eq!(Spans::default().conditions("t"), ["true"]);
        assert_eq!(of(Spans(vec![1])), 2);
        let three = Spans(vec![-5, 7]).conditions("t");
        let at = |time| format!("arrow_cast({time}, 'Timestamp(Microsecond, Some(\"UTC\"))')");
        assert_eq!(
            three,
            [
                format!("t < {}", at(-5)),
                format!("t >= {} AND t < {}", at(-5), at(7)),
                format!("(t >= {} OR t IS NULL)", at(7)),
            ]
        );
    }
}
