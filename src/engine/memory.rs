//! Memory of queries: one pool for all that a session works out, DataFusion's operators and our own.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::common::utils::memory::RecordBatchMemoryCounter;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use futures::StreamExt;
use tokio::task::JoinSet;

/// Memory of a session, in bytes, where nobody says how much.
pub const DEFAULT: usize = 4 << 30;

/// What DataFusion calls those that ask for memory, and what a reader calls them.
const ASKING: [(&str, &str); 6] = [
    ("Join", "a join"),
    ("SMJ", "a join"),
    ("Aggregate", "a grouping"),
    ("Sort", "a sort"),
    ("TopK", "a sort"),
    ("Repartition", "an exchange between threads"),
];

/// Before the name of whoever asks that is not DataFusion's: rows that are held as they came.
const OWN: &str = "held.";

/// Before the name of a watchlist that asks: one called `JoinedUsers` is no join.
pub(super) const LIST: &str = "watchlists.";

/// One part in so many is kept from those that can go to the disk: a sort that took all would leave nothing to the merge that takes up its
/// rows, which cannot, and the query would fail for want of a few MiB.
const SPARE: usize = 4;

/// Beside a sort, rows that are held as they came have so many parts of the limit: what the sort took before its rows were taken is not the
/// system's again.
const BESIDE_SORT: (usize, usize) = (3, 8);
const SORT: &str = "Sort";

/// A grouping writes its groups out beside those that it still holds, and does not ask for the copy.
const GROUPS_AT_ONCE: usize = 2;
const GROUPING: &str = "Aggregate";

/// A join makes one batch of the side that it holds, beside the batches that came. Rows are about half of what it asks for; the rest is
/// the table over them, which is there once.
const ROWS_OF_JOIN: usize = 2;
const JOIN: &str = "HashJoin";

/// A pool that says in plain words when it is used up.
#[derive(Debug)]
pub(super) struct Pool {
    shared: FairSpillPool,
    limit: usize,
    /// How many can go to the disk.
    spillers: AtomicUsize,
    /// How many sort, or merge what was sorted: by then a sort has gone to the disk and is no spiller any more.
    sorts: AtomicUsize,
    /// Bytes of those that cannot.
    fixed: AtomicUsize,
    /// Of these, the bytes of joins.
    joined: AtomicUsize,
}

impl Pool {
    /// A pool of so many bytes.
    pub(super) fn new(limit: usize) -> Pool {
        Pool {
            shared: FairSpillPool::new(limit),
            limit,
            spillers: AtomicUsize::new(0),
            sorts: AtomicUsize::new(0),
            fixed: AtomicUsize::new(0),
            joined: AtomicUsize::new(0),
        }
    }

    /// What each of those may have that can go to the disk.
    fn share(&self) -> usize {
        let left = self
            .limit
            .saturating_sub(self.fixed.load(Ordering::Relaxed));
        let spare = (self.limit / SPARE).min(left / 2);
        (left - spare) / self.spillers.load(Ordering::Relaxed).max(1)
    }

    /// Changes the sums that one who asks is part of.
    fn count(&self, reservation: &MemoryReservation, change: impl Fn(&AtomicUsize)) {
        let consumer = reservation.consumer();
        if consumer.can_spill() {
            return;
        }
        change(&self.fixed);
        if consumer.name().contains(JOIN) {
            change(&self.joined);
        }
    }

    /// Whether what an operator copies without asking has room too, when it has so much more.
    fn has_room_to_copy(&self, reservation: &MemoryReservation, additional: usize) -> bool {
        let name = reservation.consumer().name();
        let size = reservation.size().saturating_add(additional);
        if reservation.consumer().can_spill() {
            let copies = match name.contains(GROUPING) {
                true => GROUPS_AT_ONCE,
                false => 1,
            };
            return size <= self.share() / copies;
        }
        if name.starts_with(OWN) {
            let is_alone = self.sorts.load(Ordering::Relaxed) == 0;
            let (parts, of) = BESIDE_SORT;
            return is_alone || size <= self.limit / of * parts;
        }
        if !name.contains(JOIN) {
            return true;
        }
        let joined = self
            .joined
            .load(Ordering::Relaxed)
            .saturating_add(additional);
        let all = self.reserved().saturating_add(additional);
        all.saturating_add(joined / ROWS_OF_JOIN) <= self.limit
    }

    fn lacks(&self, reservation: &MemoryReservation, additional: usize) -> DataFusionError {
        // It must stay this kind of error: operators that get it go to the disk.
        DataFusionError::ResourcesExhausted(format!(
            "{} needs {} more than the memory limit of {} leaves",
            asking(reservation.consumer().name()),
            size_text(additional),
            size_text(self.limit)
        ))
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", size_text(self.limit))
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        "queries"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.spillers.fetch_add(1, Ordering::Relaxed);
        }
        if consumer.name().contains(SORT) {
            self.sorts.fetch_add(1, Ordering::Relaxed);
        }
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.spillers.fetch_sub(1, Ordering::Relaxed);
        }
        if consumer.name().contains(SORT) {
            self.sorts.fetch_sub(1, Ordering::Relaxed);
        }
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.count(reservation, |bytes| {
            bytes.fetch_add(additional, Ordering::Relaxed);
        });
        self.shared.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.count(reservation, |bytes| {
            bytes.fetch_sub(shrink, Ordering::Relaxed);
        });
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if !self.has_room_to_copy(reservation, additional) {
            return Err(self.lacks(reservation, additional));
        }
        self.shared
            .try_grow(reservation, additional)
            .map_err(|_| self.lacks(reservation, additional))?;
        self.count(reservation, |bytes| {
            bytes.fetch_add(additional, Ordering::Relaxed);
        });
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.shared.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

/// Who asks for memory, in a reader's words.
fn asking(consumer: &str) -> String {
    let consumer = consumer.strip_prefix(OWN).unwrap_or(consumer);
    if let Some(list) = consumer.strip_prefix(LIST) {
        return format!("the watchlist `{list}`");
    }
    // `HashJoinInput[3]`
    let name = consumer.split('[').next().unwrap_or(consumer);
    match ASKING.iter().find(|(known, _)| name.contains(known)) {
        Some((_, words)) => (*words).to_string(),
        None => format!("`{name}`"),
    }
}

/// A size in the units of `--memory-limit`.
fn size_text(bytes: usize) -> String {
    const UNITS: [(usize, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes.is_multiple_of(*unit) => format!("{} {name}", bytes / unit),
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}

/// Rows that are held in memory, and their part of it.
pub struct Held {
    /// The rows.
    pub batches: Vec<RecordBatch>,
    room: MemoryReservation,
}

impl Held {
    pub(super) fn into_parts(self) -> (Vec<RecordBatch>, MemoryReservation) {
        (self.batches, self.room)
    }
}

/// All rows of a query, each held before the next one is asked for.
pub(super) async fn collect(frame: DataFrame, name: &str, room: &Room) -> Result<Held> {
    let stream = frame.execute_stream().await?;
    held(stream, room.reserve(name)).await
}

/// All rows of a query that runs, each held before the next one is asked for.
pub(super) async fn held(
    mut stream: SendableRecordBatchStream,
    room: MemoryReservation,
) -> Result<Held> {
    let batches = taken(&mut stream, &room).await?;
    Ok(Held { batches, room })
}

/// All rows of a query, each part by a thread of its own; the parts come one after the other.
pub(super) async fn collect_partitioned(frame: DataFrame, name: &str, room: &Room) -> Result<Held> {
    let mut parts = JoinSet::new();
    for (number, mut stream) in frame
        .execute_stream_partitioned()
        .await?
        .into_iter()
        .enumerate()
    {
        let room = room.reserve(name);
        parts.spawn(async move {
            let batches = taken(&mut stream, &room).await?;
            Ok::<_, DataFusionError>((number, Held { batches, room }))
        });
    }
    let mut held = Vec::new();
    while let Some(part) = parts.join_next().await {
        held.push(part.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??);
    }
    held.sort_by_key(|(number, _)| *number);
    let whole = room.reserve(name);
    let mut batches = Vec::new();
    for (_, part) in held {
        let bytes = part.room.size();
        drop(part.room);
        whole.try_grow(bytes)?;
        batches.extend(part.batches);
    }
    Ok(Held {
        batches,
        room: whole,
    })
}

async fn taken(
    stream: &mut SendableRecordBatchStream,
    room: &MemoryReservation,
) -> Result<Vec<RecordBatch>> {
    // Batches share what they are cut of.
    let mut counter = RecordBatchMemoryCounter::new();
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        room.try_grow(counter.count_batch(&batch))?;
        batches.push(batch);
    }
    Ok(batches)
}

/// The pool, as a part of functions that are compared: whoever asks for memory, it is the same function.
#[derive(Debug, Clone)]
pub(super) struct Room(pub(super) Arc<dyn MemoryPool>);

impl Room {
    /// A part of the memory, which has nothing yet.
    pub(super) fn reserve(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(format!("{OWN}{name}")).register(&self.0)
    }
}

impl PartialEq for Room {
    fn eq(&self, _: &Room) -> bool {
        true
    }
}

impl Eq for Room {}

impl Hash for Room {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_that_is_used_up_says_who_asked_and_what_the_limit_is() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(16 << 20));
        let room = Room(pool);
        let theirs = |name: &str| MemoryConsumer::new(name).register(&room.0);
        let held = theirs("ExternalSorter[3]");
        held.try_grow(10 << 20).expect("there is room");
        let error = theirs("HashJoinInput[0]")
            .try_grow(8 << 20)
            .expect_err("there is none");
        assert!(
            matches!(&error, DataFusionError::ResourcesExhausted(text)
                if text == "a join needs 8 MiB more than the memory limit of 16 MiB leaves"),
            "{error}"
        );
        drop(held);
        room.reserve("rows")
            .try_grow(16 << 20)
            .expect("all is free");
        let sort = MemoryConsumer::new("ExternalSorter[0]").with_can_spill(true);
        let sort = sort.register(&room.0);
        assert!(sort.try_grow(13 << 20).is_err());
        sort.try_grow(12 << 20).expect("its share");
        theirs("merge")
            .try_grow(4 << 20)
            .expect("what is kept for others");
        sort.shrink(12 << 20);
        theirs("merge")
            .try_grow(16 << 20)
            .expect("a merge may have all that is free");
        drop(sort);
        let merge = theirs("ExternalSorterMerge[0]");
        let rows = room.reserve("rows");
        assert!(rows.try_grow(7 << 20).is_err(), "not all, beside a sort");
        rows.try_grow(6 << 20).expect("three parts of eight");
        drop(merge);
        rows.try_grow(10 << 20).expect("all, alone");
        drop(rows);
        let grouping = MemoryConsumer::new("FinalHashAggregateStream[0]").with_can_spill(true);
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(16 << 20));
        let grouping = grouping.register(&pool);
        assert!(grouping.try_grow(7 << 20).is_err(), "half its share");
        grouping.try_grow(6 << 20).expect("its groups, twice");
        drop(grouping);
        let join = MemoryConsumer::new("HashJoinInput[0]").register(&pool);
        assert!(
            join.try_grow(12 << 20).is_err(),
            "no room for its rows twice"
        );
        join.try_grow(10 << 20).expect("its rows, twice");
        drop(join);
        assert_eq!(pool.reserved(), 0);
        assert_eq!(asking("Something[1] (x)"), "`Something`");
        assert_eq!(asking(&format!("{OWN}rows")), "`rows`");
        let list = format!("{OWN}{LIST}JoinedUsers");
        assert_eq!(asking(&list), "the watchlist `JoinedUsers`");
        assert_eq!(size_text(1_600_000), "1.5 MiB");
    }
}
