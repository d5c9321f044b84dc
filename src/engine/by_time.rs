//! Rows that can matter to the runs of a query, in the order of their times, and their part of the memory.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use datafusion::execution::memory_pool::MemoryReservation;

use super::options::TimeRange;
use crate::fault::{Error, Result};

/// Rows of a slot that can matter.
pub struct Candidates {
    /// Ascending.
    times: Vec<i64>,
    /// Where it is known of each when it was ingested.
    ingestion: Option<Ingestion>,
    /// In the order of their times, where they are not too many.
    rows: Option<RecordBatch>,
    _room: MemoryReservation,
}

/// When each candidate was ingested.
struct Ingestion {
    /// In the order of the candidates.
    times: Vec<i64>,
    /// The places of the candidates, in the order of these times.
    order: Vec<u64>,
}

/// Which candidates a run sees. What is the same is equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// All in these places.
    Between(Range<usize>),
    /// Those in each of these places, ascending: between them are others.
    Each(Vec<u64>),
}

impl Default for Seen {
    fn default() -> Seen {
        Seen::Between(Range::default())
    }
}

impl Seen {
    /// Those in each of these places, ascending.
    fn each(places: Vec<u64>) -> Seen {
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return Seen::default();
        };
        let is_all = last - first == places.len() as u64 - 1;
        let from = *first as usize;
        match is_all {
            true => Seen::Between(from..from + places.len()),
            false => Seen::Each(places),
        }
    }

    /// Whether it sees none.
    pub fn is_empty(&self) -> bool {
        match self {
            Seen::Between(places) => places.is_empty(),
            Seen::Each(places) => places.is_empty(),
        }
    }
}

impl Candidates {
    /// Their times in microseconds, ascending.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// When each was ingested, in no order of its own, where that is known of each.
    pub fn ingested(&self) -> Option<&[i64]> {
        self.ingestion.as_ref().map(|known| known.times.as_slice())
    }

    /// Whether there are more than are kept: only their times are known.
    pub fn is_too_many(&self) -> bool {
        self.rows.is_none()
    }

    /// Where those of a time are. What is empty is always the same.
    fn places(&self, range: TimeRange) -> Range<usize> {
        let places = places(&self.times, range, |time| *time);
        match places.is_empty() {
            true => Range::default(),
            false => places,
        }
    }

    /// Those of a time that were ingested in a time, where that is known of each.
    pub fn seen(&self, range: TimeRange, ingested: TimeRange) -> Seen {
        let of_time = self.places(range);
        let Some(known) = &self.ingestion else {
            return Seen::Between(of_time);
        };
        let come = &known.order[places(&known.order, ingested, |at| known.times[*at as usize])];
        // A run over all times sees the little that has just come, and one over a short time little of all that has come.
        if come.len() < of_time.len() {
            let both = come.iter().copied();
            let both = both.filter(|at| of_time.contains(&(*at as usize)));
            let mut both: Vec<u64> = both.collect();
            both.sort_unstable();
            return Seen::each(both);
        }
        let both = of_time.filter(|at| ingested.holds(known.times[*at]));
        Seen::each(both.map(|at| at as u64).collect())
    }

    /// Those that a run sees; nothing where there are none.
    ///
    /// # Errors
    /// When only their times are known.
    pub fn of(&self, seen: &Seen) -> Result<Option<RecordBatch>> {
        if seen.is_empty() {
            return Ok(None);
        }
        let lost = || Error::Query("rows of a replay that were too many".into());
        let rows = self.rows.as_ref().ok_or_else(lost)?;
        Ok(Some(match seen {
            Seen::Between(places) => rows.slice(places.start, places.len()),
            Seen::Each(places) => take_record_batch(rows, &UInt64Array::from(places.clone()))?,
        }))
    }
}

/// Where those of a time are in a list that is in the order of times.
fn places<T>(list: &[T], range: TimeRange, time: impl Fn(&T) -> i64) -> Range<usize> {
    let before = |t: i64| list.partition_point(|one| time(one) < t);
    let from = range.from.map_or(0, before);
    from..range.to.map_or(list.len(), before).max(from)
}

/// Candidates that are being read.
pub(super) struct Gathering {
    schema: SchemaRef,
    /// Which column has the times …
    time: usize,
    /// … and which those of ingestion, where these are known of each.
    ingested: Option<usize>,
    /// Bytes that may be kept. Of more, only the times are.
    most: usize,
    room: MemoryReservation,
    times: Vec<i64>,
    come: Vec<i64>,
    rows: Option<Vec<RecordBatch>>,
}

impl Gathering {
    pub(super) fn new(
        schema: SchemaRef,
        (time, ingested): (usize, Option<usize>),
        most: usize,
        room: MemoryReservation,
    ) -> Gathering {
        Gathering {
            schema,
            time,
            ingested,
            most,
            room,
            times: Vec::new(),
            come: Vec::new(),
            rows: Some(Vec::new()),
        }
    }

    /// Takes some rows up.
    ///
    /// # Errors
    /// When there is no memory for their times.
    pub(super) fn add(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let number = columns[self.time].len();
        self.room.try_grow(self.bytes_of_times(number))?;
        add_times(&columns[self.time], &mut self.times)?;
        if let Some(ingested) = self.ingested {
            add_times(&columns[ingested], &mut self.come)?;
        }
        let Some(kept) = &mut self.rows else {
            return Ok(());
        };
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns.to_vec())?;
        let bytes = batch.get_array_memory_size();
        if self.room.size() + bytes > self.most || self.room.try_grow(bytes).is_err() {
            self.keep_times_only();
        } else {
            kept.push(batch);
        }
        Ok(())
    }

    /// Lets go of the rows, which are too many.
    fn keep_times_only(&mut self) {
        self.rows = None;
        let of_times = self.bytes_of_times(self.times.len());
        self.room.shrink(self.room.size() - of_times);
    }

    /// What the times of so many rows take: those of ingestion with their order.
    fn bytes_of_times(&self, rows: usize) -> usize {
        let lists = match self.ingested {
            Some(_) => 3,
            None => 1,
        };
        rows * lists * size_of::<i64>()
    }

    /// Bytes that it takes so far.
    pub(super) fn size(&self) -> usize {
        self.room.size()
    }

    /// The rows in the order of their times.
    pub(super) fn finish(mut self) -> Result<Candidates> {
        // Rows are there twice while they are put in order.
        let copies = self.room.new_empty();
        if self.rows.is_some() && copies.try_grow(self.room.size()).is_err() {
            self.keep_times_only();
        }
        let all = match self.rows.take() {
            Some(batches) => Some(concat_batches(&self.schema, &batches)?),
            None => None,
        };
        let order = match (&all, self.ingested) {
            (Some(all), _) => in_order(&self.times, all, &self.room)?,
            (None, Some(_)) => ascending(&self.times),
            (None, None) => Vec::new(),
        };
        let ingestion = self.ingested.map(|_| {
            let times = order.iter().map(|at| self.come[*at as usize]);
            let times: Vec<i64> = times.collect();
            Ingestion {
                order: ascending(&times),
                times,
            }
        });
        let rows = match all {
            Some(all) => Some(take_record_batch(&all, &UInt64Array::from(order))?),
            None => None,
        };
        self.times.sort_unstable();
        Ok(Candidates {
            times: self.times,
            ingestion,
            rows,
            _room: self.room,
        })
    }
}

/// Adds what a column says, in microseconds.
fn add_times(column: &ArrayRef, into: &mut Vec<i64>) -> Result<()> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let column = cast(column, &micros)?;
    into.extend(column.as_primitive::<TimestampMicrosecondType>().values());
    Ok(())
}

/// The places of times in their order, those of one time as they are.
fn ascending(times: &[i64]) -> Vec<u64> {
    let mut order: Vec<u64> = (0..times.len() as u64).collect();
    order.sort_by_key(|at| times[*at as usize]);
    order
}

/// The order of rows by their times, and of those of one time by what is in them: which of several threads came first must not show.
fn in_order(times: &[i64], rows: &RecordBatch, room: &MemoryReservation) -> Result<Vec<u64>> {
    let mut order = ascending(times);
    let is_tied = |pair: &[u64]| times[pair[0] as usize] == times[pair[1] as usize];
    if !order.windows(2).any(is_tied) {
        return Ok(order);
    }
    let fields = rows.schema_ref().fields().iter();
    let fields: Vec<SortField> = fields
        .map(|field| SortField::new(field.data_type().clone()))
        .collect();
    // A list in the order in which it was read is as good as another, where there is no better one.
    let keys = room.new_empty();
    if !RowConverter::supports_fields(&fields)
        || keys.try_grow(rows.get_array_memory_size()).is_err()
    {
        return Ok(order);
    }
    let made = RowConverter::new(fields)?.convert_columns(rows.columns())?;
    let key = |at: &u64| (times[*at as usize], made.row(*at as usize));
    order.sort_by(|one, two| key(one).cmp(&key(two)));
    Ok(order)
}

#[cfg(test)]
mod tests {
    use arrow::array::{StringArray, TimestampMicrosecondArray};
    use arrow::datatypes::{Field, Schema};
    use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};

    use super::*;

    fn gathered(rows: &[(i64, &str)], most: usize) -> Candidates {
        let rows: Vec<(i64, i64, &str)> = rows.iter().map(|row| (row.0, row.0, row.1)).collect();
        gathered_from(&rows, None, most)
    }

    /// Of rows with their time, that of their ingestion, and a text.
    fn gathered_from(
        rows: &[(i64, i64, &str)],
        ingested: Option<usize>,
        most: usize,
    ) -> Candidates {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let schema = Schema::new(vec![
            Field::new("f0", DataType::Utf8, true),
            Field::new("f1", micros.clone(), true),
            Field::new("f2", micros, true),
        ]);
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let room = MemoryConsumer::new("test").register(&pool);
        let mut gathering = Gathering::new(Arc::new(schema), (1, ingested), most, room);
        let times = |time: i64| -> ArrayRef {
            let times = TimestampMicrosecondArray::from(vec![time]);
            Arc::new(times.with_timezone("UTC"))
        };
        for (time, come, text) in rows {
            let texts: ArrayRef = Arc::new(StringArray::from(vec![*text]));
            let added = gathering.add(&[texts, times(*time), times(*come)]);
            added.expect("there is room");
        }
        gathering.finish().expect("they can be put in order")
    }

    /// The texts of those that a run sees.
    fn texts(candidates: &Candidates, seen: &Seen) -> Vec<String> {
        let rows = candidates.of(seen).expect("they are kept");
        let rows = rows.into_iter();
        rows.flat_map(|rows| {
            let texts = rows.column(0).as_string::<i32>().iter().flatten();
            texts.map(String::from).collect::<Vec<String>>()
        })
        .collect()
    }

    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange {
            from: Some(from),
            to: Some(to),
        }
    }

    #[test]
    fn rows_are_in_the_order_of_their_times_and_then_of_what_is_in_them() {
        for rows in [
            [(3, "c"), (1, "b"), (1, "a")],
            [(1, "a"), (3, "c"), (1, "b")],
        ] {
            let candidates = gathered(&rows, 1 << 20);
            assert_eq!(candidates.times(), [1, 1, 3]);
            let seen = candidates.seen(range(0, 4), TimeRange::default());
            assert_eq!(texts(&candidates, &seen), ["a", "b", "c"]);
        }
    }

    #[test]
    fn rows_are_seen_when_each_of_them_has_come() {
        let rows = [
            (5, 5, "e"),
            (1, 9, "a"),
            (2, 4, "b"),
            (3, 7, "c"),
            (2, 3, "d"),
        ];
        let candidates = gathered_from(&rows, Some(2), 1 << 20);
        assert_eq!(candidates.times(), [1, 2, 2, 3, 5]);
        let come = candidates.ingested().expect("it is known of each");
        assert_eq!(come, [9, 4, 3, 7, 5]);
        for (times, ingested, wanted) in [
            ((0, 9), (0, 10), "abdce"),
            ((0, 9), (0, 9), "bdce"),
            ((0, 9), (4, 8), "bce"),
            ((0, 9), (9, 10), "a"),
            ((2, 3), (4, 5), "b"),
            ((1, 4), (5, 10), "ac"),
            ((1, 2), (0, 9), ""),
        ] {
            let seen = candidates.seen(range(times.0, times.1), range(ingested.0, ingested.1));
            assert_eq!(texts(&candidates, &seen).concat(), wanted);
            assert_eq!(seen.is_empty(), wanted.is_empty());
        }
    }

    #[test]
    fn the_same_rows_are_seen_whichever_times_say_so() {
        let rows = [(1, 9, "a"), (2, 4, "b"), (3, 7, "c"), (4, 5, "d")];
        let candidates = gathered_from(&rows, Some(2), 1 << 20);
        let seen = |from, to, late| candidates.seen(range(from, to), range(0, late));
        assert_eq!(seen(0, 5, 8), seen(2, 9, 20));
        assert_eq!(seen(0, 5, 6), seen(2, 9, 7));
        assert_ne!(seen(0, 5, 6), seen(2, 9, 8));
        assert_eq!(seen(0, 2, 9), Seen::default());
    }

    #[test]
    fn places_have_their_first_moment_and_not_their_last() {
        let candidates = gathered(&[(1, "a"), (2, "b"), (5, "c")], 1 << 20);
        assert_eq!(candidates.places(range(1, 5)), 0..2);
        assert_eq!(candidates.places(range(2, 6)), 1..3);
        assert_eq!(candidates.places(TimeRange::default()), 0..3);
        // Nothing is nothing, wherever it is.
        assert_eq!(candidates.places(range(3, 5)), 0..0);
        assert_eq!(candidates.places(range(9, 4)), 0..0);
        assert!(candidates.of(&Seen::default()).expect("nothing").is_none());
    }

    #[test]
    fn of_too_many_only_the_times_are_kept() {
        let candidates = gathered(&[(2, "b"), (1, "a")], 1);
        assert!(candidates.is_too_many());
        assert_eq!(candidates.times(), [1, 2]);
        assert!(candidates.of(&Seen::Between(0..1)).is_err());
    }
}
