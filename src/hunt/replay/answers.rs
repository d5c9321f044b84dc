//! The answers of a rule's runs. Rows that can matter to some run are read once, and each run is answered from those that it sees; where they are
//! too many for memory, or where the query does not let itself be cut so, each run asks the archive. A run that sees what the run before it saw has
//! its answer, where the query does not depend on the moment otherwise.
//!
//! Either way a run has the rows that its query gives at its time over what it sees. Rows that the query puts in no order are put in one, so that
//! an alert that speaks for several always quotes the same.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::MemoryReservation;
use serde_json::Map;

use super::needed::needed;
use super::result_row::ResultRow;
use super::schedule::{Axis, Interval, Run, Timetable};
use crate::engine::memory::Held;
use crate::engine::{
    Candidates, Language, Nothing, Prepared, Seen, Session, Slotted, TimeRange, Wanted, output,
};
use crate::fault::{Error, Result};

/// How a rule is replayed. What comes of it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// Rows are read once, and runs that see none of them are not done.
    #[default]
    Once,
    /// Each run asks the archive.
    EachRun,
}

/// The answers of the runs of a rule.
pub(super) struct Answers<'s> {
    session: &'s Session,
    prepared: Prepared<'s>,
    /// The query over rows that are given to it, until they are read.
    query: Option<Slotted<'s>>,
    /// Whether it gives the answers of runs. Else it only says which runs see something.
    is_whole: bool,
    once: Option<Once<'s>>,
    /// The schema of its rows, where that is the same for all runs …
    schema: Option<SchemaRef>,
    /// … and whether the query puts them in order then.
    is_ordered: bool,
    /// Why each run is planned by itself, where not all are answered from rows that are read once.
    each_run: Option<String>,
    /// The memory of the rows of a run.
    room: MemoryReservation,
    asked: u64,
}

/// Rows that can matter, of each place that the query reads.
struct Once<'s> {
    query: Slotted<'s>,
    candidates: Vec<Candidates>,
    /// What the query gives over no rows, where that does not depend on the time.
    nothing: Option<Arc<[ResultRow]>>,
    /// Which of the candidates the run before has seen …
    seen: Vec<Seen>,
    /// Whether all of these mattered.
    all_matter: bool,
    /// … and what came of it.
    last: Option<Arc<[ResultRow]>>,
}

impl Once<'_> {
    /// Whether there are more rows than are kept.
    fn is_too_much(&self) -> bool {
        self.candidates.iter().any(Candidates::is_too_many)
    }

    /// Looks for the candidates that a run sees, and says whether that gives what the run before gave.
    fn look(&mut self, run: &Run) -> Result<bool> {
        let mut is_same = self.last.is_some() && self.all_matter && !self.query.moves();
        self.all_matter = true;
        let (window, ingested) = (range(run.window), range(run.ingested));
        for (slot, candidates) in self.candidates.iter().enumerate() {
            let (times, all) = self.query.seen_at(slot, window, ingested, run.at)?;
            // Rows that come one by one can be others in the same time.
            let seen = candidates.seen(times, ingested);
            self.all_matter &= all;
            is_same &= self.seen[slot] == seen;
            self.seen[slot] = seen;
        }
        Ok(is_same && self.all_matter)
    }

    /// What is known of the answer of a run without asking.
    fn known(&mut self, run: &Run) -> Result<Option<Arc<[ResultRow]>>> {
        let is_same = self.look(run)?;
        if let Some(nothing) = &self.nothing
            && self.seen.iter().all(Seen::is_empty)
        {
            return Ok(Some(Arc::clone(nothing)));
        }
        if !is_same {
            self.last = None;
        }
        Ok(self.last.clone())
    }

    /// The rows that the run sees.
    fn rows(&self) -> Result<Vec<Option<RecordBatch>>> {
        let rows = self.candidates.iter().zip(&self.seen);
        rows.map(|(candidates, seen)| candidates.of(seen)).collect()
    }
}

/// What came of asking.
enum Asked {
    Planned(DataFrame),
    Held(Held),
}

/// The same as a range of a question.
fn range(of: Interval) -> TimeRange {
    TimeRange {
        from: (of.from != i64::MIN).then_some(of.from),
        to: (of.to != i64::MAX).then_some(of.to),
    }
}

impl<'s> Answers<'s> {
    /// Prepares the query of a rule. Nothing is read yet.
    ///
    /// # Errors
    /// When the query is wrong.
    pub(super) fn of(
        session: &'s Session,
        (language, text): (Language<'s>, &'s str),
        timetable: &Timetable,
        manner: Manner,
    ) -> Result<Answers<'s>> {
        let prepared = session.prepare(language, text)?;
        let first = timetable.run(0);
        let seen = (range(first.window), range(first.ingested));
        let shape = prepared.shape(seen.0, seen.1, first.at)?;
        // What each run asks for itself has its rows by itself.
        let is_whole = shape.is_some() && (manner == Manner::Once || prepared.is_lowered_once());
        let (schema, is_ordered) = match shape.filter(|_| is_whole) {
            Some((schema, is_ordered)) => (Some(schema), is_ordered),
            None => (None, false),
        };
        let query = match (manner, is_whole) {
            (Manner::Once, true) => prepared.slotted(),
            (Manner::Once, false) => prepared.scans(),
            (Manner::EachRun, _) => Ok(None),
        };
        // What is wrong with it is told run by run.
        let (query, refused) = match query {
            Ok(query) => (query, None),
            Err(e) => (None, Some(e.to_string())),
        };
        let each_run = match (manner, is_whole, &query) {
            (Manner::EachRun, ..) => None,
            (Manner::Once, false, _) => Some("its plan depends on the time of the run".into()),
            (Manner::Once, true, Some(query)) => query.unplanned().map(String::from),
            (Manner::Once, true, None) => refused,
        };
        // Where each run must be asked, it does not help to know which see something.
        let query = query.filter(|query| is_whole || query.nothing() != Nothing::Depends);
        Ok(Answers {
            session,
            prepared,
            query,
            is_whole,
            once: None,
            schema,
            is_ordered,
            each_run,
            room: session.reserve("rows of a run"),
            asked: 0,
        })
    }

    /// What is to be read for its runs; no more than so many bytes of it are kept.
    pub(super) fn wanted(&self, timetable: &Timetable, most: usize) -> Vec<Wanted<'_, 's>> {
        let Some(query) = &self.query else {
            return Vec::new();
        };
        let wanted = (0..query.slots()).map(|slot| Wanted {
            query,
            slot,
            range: reach(query, slot, timetable),
            most: match self.is_whole {
                true => most / query.slots(),
                // Only the times are of use.
                false => 0,
            },
        });
        wanted.collect()
    }

    /// Reads what can matter to one of the runs, but for what was read with other rules.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub(super) fn read(
        &mut self,
        timetable: &Timetable,
        most: usize,
        read: Vec<Option<Candidates>>,
    ) -> Result<()> {
        let missing = self.wanted(timetable, most).into_iter();
        let mut read = read.into_iter();
        let candidates = missing.map(|one| match read.next().flatten() {
            Some(known) => Ok(known),
            None => one.query.read(one.slot, one.range, one.most),
        });
        let candidates = candidates.collect::<Result<Vec<Candidates>>>();
        let Some(query) = self.query.take() else {
            return Ok(());
        };
        self.once = match candidates.and_then(|all| self.once(query, all, timetable)) {
            Ok(once) => Some(once),
            // What cannot be taken apart can still be asked run by run; what is wrong with it is told there.
            Err(e @ (Error::Query(_) | Error::Arrow(_))) => {
                self.each_run.get_or_insert_with(|| e.to_string());
                None
            }
            Err(e) => return Err(e),
        };
        if self.once.as_ref().is_some_and(Once::is_too_much) && self.is_whole {
            let why = "more rows matter to its runs than are kept";
            self.each_run.get_or_insert_with(|| why.to_string());
        }
        Ok(())
    }

    fn once(
        &mut self,
        query: Slotted<'s>,
        candidates: Vec<Candidates>,
        timetable: &Timetable,
    ) -> Result<Once<'s>> {
        let at = timetable.run(0).at;
        let nothing = match (query.nothing(), self.is_whole) {
            (Nothing::NoRows, _) => Some(Arc::default()),
            (Nothing::Same, true) => {
                let frame = query.over(&[], at)?;
                Some(self.rows(frame, self.is_ordered)?.into())
            }
            (Nothing::Same, false) => {
                let none = range(Interval { from: at, to: at });
                let (frame, is_ordered) = self.prepared.ask_seen(none, none, at)?;
                Some(self.rows(frame, is_ordered)?.into())
            }
            (Nothing::Depends, _) => None,
        };
        Ok(Once {
            seen: candidates.iter().map(|_| Seen::default()).collect(),
            all_matter: false,
            last: None,
            query,
            candidates,
            nothing,
        })
    }

    /// The numbers of the runs that must be asked: all others have the answer over nothing.
    pub(super) fn needed(&self, timetable: &Timetable) -> Vec<Range<u64>> {
        let Some(once) = self.once.as_ref().filter(|once| once.nothing.is_some()) else {
            let all = 0..timetable.count();
            return std::iter::once(all).filter(|all| !all.is_empty()).collect();
        };
        let mut times: Vec<i64> = Vec::new();
        for (slot, candidates) in once.candidates.iter().enumerate() {
            if let (Axis::Ingestion, Some(come)) = (timetable.axis(), candidates.ingested()) {
                times.extend(come);
                continue;
            }
            let late = match timetable.axis() {
                Axis::Event => 0,
                Axis::Ingestion => once.query.late(slot),
            };
            let of = candidates.times().iter();
            times.extend(of.map(|time| time.saturating_add(late)));
        }
        times.sort_unstable();
        times.dedup();
        needed(timetable, &times)
    }

    /// The answer over nothing.
    pub(super) fn nothing(&self) -> Arc<[ResultRow]> {
        let known = self.once.as_ref().and_then(|once| once.nothing.clone());
        known.unwrap_or_default()
    }

    /// Why each run is planned by itself, where the manner of the replay does not say so.
    pub(super) fn each_run(&self) -> Option<&str> {
        self.each_run.as_deref()
    }

    /// The schema of the rows of all runs, where it is the same for them.
    pub(super) fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// How many queries were asked.
    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    /// The rows of a run.
    ///
    /// # Errors
    /// When the query fails.
    pub(super) fn answer(&mut self, run: &Run) -> Result<Arc<[ResultRow]>> {
        let (asked, is_ordered) = match &mut self.once {
            Some(once) if self.is_whole && !once.is_too_much() => {
                if let Some(known) = once.known(run)? {
                    return Ok(known);
                }
                let seen = once.rows()?;
                let few = match once.all_matter {
                    true => once.query.of_few(&seen)?,
                    false => None,
                };
                let asked = match few {
                    Some(held) => Asked::Held(held),
                    None => Asked::Planned(once.query.over(&seen, run.at)?),
                };
                (asked, self.is_ordered)
            }
            _ => {
                let (window, ingested) = (range(run.window), range(run.ingested));
                let (frame, is_ordered) = self.prepared.ask_seen(window, ingested, run.at)?;
                (Asked::Planned(frame), is_ordered)
            }
        };
        let rows = match asked {
            Asked::Held(held) => self.taken(&held, None, is_ordered)?,
            Asked::Planned(frame) => self.rows(frame, is_ordered)?,
        };
        let rows: Arc<[ResultRow]> = rows.into();
        // Where nothing is known without asking, they are not to be held beside those of the next run.
        if let Some(once) = &mut self.once
            && self.is_whole
            && !once.is_too_much()
        {
            once.last = Some(Arc::clone(&rows));
        }
        Ok(rows)
    }

    fn rows(&mut self, frame: DataFrame, is_ordered: bool) -> Result<Vec<ResultRow>> {
        let schema = match self.schema {
            Some(_) => None,
            None => Some(output::schema(&frame)),
        };
        let held = self.session.collect_one(frame)?;
        self.taken(&held, schema, is_ordered)
    }

    /// The rows of an answer, with its schema where that is one of its own.
    fn taken(
        &mut self,
        held: &Held,
        own: Option<SchemaRef>,
        is_ordered: bool,
    ) -> Result<Vec<ResultRow>> {
        self.asked += 1;
        // Those of the run before are gone.
        self.room.free();
        let schema = own.or_else(|| self.schema.clone());
        let schema = schema.expect("an answer has a schema of its own, or that of all runs");
        let mut rows = Vec::new();
        for batch in &held.batches {
            for row in 0..batch.num_rows() {
                let mut cells = Map::new();
                for (field, column) in schema.fields().iter().zip(batch.columns()) {
                    let value = output::json_of(field, column, row)?;
                    cells.insert(field.name().clone(), value);
                }
                let row = ResultRow::of(cells);
                // As JSON they take many times what they took in columns.
                self.room.try_grow(row.size())?;
                rows.push(row);
            }
        }
        if !is_ordered {
            // As text they take a part of that.
            let keys = self.room.new_empty();
            keys.try_grow(rows.iter().map(ResultRow::size).sum::<usize>() / 4)?;
            rows.sort_by_cached_key(|row| (row.time, row.key()));
        }
        Ok(rows)
    }
}

/// The times of the events of a place that one of the runs sees. The first may look back further than the next.
fn reach(query: &Slotted<'_>, slot: usize, timetable: &Timetable) -> TimeRange {
    let Some(last) = timetable.count().checked_sub(1) else {
        return TimeRange {
            from: Some(0),
            to: Some(0),
        };
    };
    let seen = |number: u64| {
        let run = timetable.run(number);
        query.seen(slot, range(run.window), range(run.ingested))
    };
    let (first, second, last) = (seen(0), seen(last.min(1)), seen(last));
    let both =
        |one: Option<i64>, two: Option<i64>, choose: fn(i64, i64) -> i64| Some(choose(one?, two?));
    TimeRange {
        from: both(first.from, second.from, i64::min),
        to: both(first.to, last.to, i64::max),
    }
}
