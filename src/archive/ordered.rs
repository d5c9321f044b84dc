//! Rows of several sources in the order of time, a few at a time.
//!
//! Each source is in that order by itself. Where two have rows of one time, those of the earlier source come first, and rows without a time before
//! all others. What a source has wrong stays wrong, and no row is lost: queries do not rely on the order. Knows nothing of files.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;

use super::gathered::gather;
use super::part::{WRITE_ROWS, plain_bytes};
use crate::fault::Result;

/// Rows of a source, batch by batch.
pub(super) type Rows = Box<dyn Iterator<Item = Result<RecordBatch>>>;

/// Bytes that an array takes for each row beside the values.
pub(super) const ROW_BYTES: usize = 5;

/// Bytes of a batch in memory.
pub(super) fn bytes_of(batch: &RecordBatch) -> usize {
    let values: usize = batch.columns().iter().map(plain_bytes).sum();
    values + ROW_BYTES * batch.num_columns() * batch.num_rows()
}

/// Where a source is.
struct Head {
    /// The place of its batch among those that are held.
    batch: usize,
    row: usize,
    rows: usize,
    /// Bytes of a row of the batch, at the mean.
    width: usize,
}

/// Sources that are being merged.
struct Merge<F> {
    /// Position of the time.
    time: usize,
    /// Bytes that may wait.
    limit: usize,
    sources: Vec<Rows>,
    heads: Vec<Option<Head>>,
    /// Batches with rows that wait, or that are still to come.
    held: Vec<RecordBatch>,
    waiting: Vec<(usize, usize)>,
    /// Bytes of rows that wait, and of batches that only wait for them to go.
    bytes: usize,
    put: F,
}

/// Merges sources: `put` gets their rows in order, in batches of about so many bytes at most. Besides, one batch of each source is in memory.
///
/// # Errors
/// When a source or `put` fails.
pub(super) fn merge(
    sources: Vec<Rows>,
    time: usize,
    limit: usize,
    put: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    let count = sources.len();
    let mut merge = Merge {
        time,
        limit,
        heads: sources.iter().map(|_| None).collect(),
        sources,
        held: Vec::new(),
        waiting: Vec::new(),
        bytes: 0,
        put,
    };
    let mut next = BinaryHeap::new();
    for source in 0..count {
        if merge.load(source)? {
            next.push(Reverse((merge.time_of(source), source)));
        }
    }
    while let Some(Reverse((_, source))) = next.pop() {
        let other = next.peek().map(|Reverse(other)| *other);
        // Mostly many rows of one source follow one another.
        while merge.take(source)? {
            let own = (merge.time_of(source), source);
            if other.is_some_and(|other| other < own) {
                next.push(Reverse(own));
                break;
            }
        }
    }
    merge.flush()
}

impl<F: FnMut(&RecordBatch) -> Result<()>> Merge<F> {
    /// Reads the next batch of a source. Says whether there is one.
    fn load(&mut self, source: usize) -> Result<bool> {
        self.heads[source] = None;
        for batch in self.sources[source].by_ref() {
            let batch = batch?;
            let rows = batch.num_rows();
            if rows > 0 {
                self.heads[source] = Some(Head {
                    batch: self.held.len(),
                    row: 0,
                    rows,
                    width: bytes_of(&batch).div_ceil(rows),
                });
                self.held.push(batch);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The time of a source's next row.
    fn time_of(&self, source: usize) -> i64 {
        let Some(head) = &self.heads[source] else {
            return i64::MAX;
        };
        let times = self.held[head.batch].column(self.time);
        let times = times.as_primitive::<TimestampMicrosecondType>();
        match times.is_valid(head.row) {
            true => times.value(head.row),
            false => i64::MIN,
        }
    }

    /// Takes the next row of a source. Says whether it has another one.
    fn take(&mut self, source: usize) -> Result<bool> {
        let Some(head) = &mut self.heads[source] else {
            return Ok(false);
        };
        self.waiting.push((head.batch, head.row));
        self.bytes += head.width;
        head.row += 1;
        let more = head.row < head.rows;
        if !more {
            self.bytes += head.width * head.rows;
            self.heads[source] = None;
        }
        if self.bytes >= self.limit || self.waiting.len() >= WRITE_ROWS {
            self.flush()?;
        }
        match more {
            true => Ok(true),
            false => self.load(source),
        }
    }

    /// Passes on what waits, and forgets the batches that are used up.
    fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let held: Vec<&RecordBatch> = self.held.iter().collect();
        let rows = gather(&held, &self.waiting)?;
        (self.put)(&rows)?;
        self.waiting.clear();
        self.bytes = 0;
        let mut old: Vec<Option<RecordBatch>> = self.held.drain(..).map(Some).collect();
        for head in self.heads.iter_mut().flatten() {
            let batch = old[head.batch].take();
            head.batch = self.held.len();
            self.held
                .push(batch.expect("each source has a batch of its own"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    /// Times, numbers and texts of so many bytes.
    fn batch(rows: &[(Option<i64>, i64, usize)]) -> RecordBatch {
        let times: TimestampMicrosecondArray = rows.iter().map(|row| row.0).collect();
        let numbers: Int64Array = rows.iter().map(|row| Some(row.1)).collect();
        let texts: StringArray = rows.iter().map(|row| Some("x".repeat(row.2))).collect();
        let columns: [(&str, ArrayRef); 3] = [
            ("Time", Arc::new(times)),
            ("Number", Arc::new(numbers)),
            ("Text", Arc::new(texts)),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, c)| (name, c, true)))
            .expect("columns of one length")
    }

    fn rows(batches: Vec<RecordBatch>) -> Rows {
        Box::new(batches.into_iter().map(Result::<RecordBatch>::Ok))
    }

    /// The numbers in the order in which they come, and the most bytes of a batch.
    fn merged(sources: Vec<Vec<RecordBatch>>, limit: usize) -> (Vec<i64>, usize) {
        let (mut numbers, mut most) = (Vec::new(), 0);
        let sources = sources.into_iter().map(rows).collect();
        merge(sources, 0, limit, |batch| {
            let own = batch
                .column(1)
                .as_primitive::<arrow::datatypes::Int64Type>();
            numbers.extend_from_slice(own.values());
            most = most.max(bytes_of(batch));
            Ok(())
        })
        .expect("sources that can be read");
        (numbers, most)
    }

    #[test]
    fn rows_of_one_time_stay_in_the_order_of_their_sources() {
        let first = vec![
            batch(&[(None, 1, 1), (Some(5), 3, 1)]),
            batch(&[]),
            batch(&[(Some(5), 4, 1), (Some(9), 7, 1)]),
        ];
        let second = vec![batch(&[(None, 2, 1), (Some(5), 5, 1), (Some(7), 6, 1)])];
        let third = vec![batch(&[(Some(9), 8, 1)]), batch(&[(Some(10), 9, 1)])];
        let none = Vec::new();
        let sources = vec![first, none, second, third];
        for limit in [1, 100, 1 << 20] {
            let (numbers, _) = merged(sources.clone(), limit);
            assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9], "{limit}");
        }
    }

    #[test]
    fn batches_are_as_small_as_wide_rows_want_it() {
        const WIDE: usize = 1000;
        let source = |n: i64| {
            let row = |t: i64| (Some(t), 10 * t + n, WIDE);
            let part = |from: i64| batch(&(from..from + 20).map(row).collect::<Vec<_>>());
            vec![part(0), part(20), part(40)]
        };
        let sources: Vec<Vec<RecordBatch>> = (0..3).map(source).collect();
        let wanted: Vec<i64> = (0..60)
            .flat_map(|t| (0..3).map(move |n| 10 * t + n))
            .collect();
        let limit = 4 * WIDE;
        let (numbers, most) = merged(sources, limit);
        assert_eq!(numbers, wanted);
        let row = bytes_of(&batch(&[(Some(0), 0, WIDE)]));
        assert!(most <= limit + row, "{most}");
        assert!(most > WIDE, "{most}");
    }

    #[test]
    fn a_source_that_is_not_in_order_loses_nothing() {
        let odd = vec![batch(&[(Some(9), 1, 1), (Some(2), 2, 1), (Some(5), 3, 1)])];
        let even = vec![batch(&[(Some(3), 4, 1), (Some(6), 5, 1)])];
        let (mut numbers, _) = merged(vec![odd, even], 1);
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
    }
}
