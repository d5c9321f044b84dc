//! Running rules: each over the times that it needs, with the rows that the hunt wants.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use datafusion::dataframe::DataFrame;
use serde::Serialize;

use super::crew::{Answer, Answered, Job, Scope};
use super::finding::END_TIME;
use crate::catalog::{SECOND_TIME, TIME};
use crate::engine::TimeRange as Window;
use crate::engine::kql::{self, Planned};
use crate::engine::{self, Question, Session, output};
use crate::fault::{Error, Result};
use crate::function::value::UNIX_EPOCH_TICKS;
use crate::ingest::time;
use crate::rules::{self, Language};

/// Rules that run at the same time.
const SIDE_BY_SIDE: usize = 4;

/// Events that a rule could not judge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unjudged {
    /// How many.
    pub count: u64,
    /// Of what.
    pub what: String,
    /// For want of what.
    pub why: String,
}

/// A query that is ready to run.
struct Plan {
    frame: DataFrame,
    schema: SchemaRef,
    reads: Vec<String>,
    /// What was worked out to plan it.
    held: Option<Planned>,
}

/// From a time, and before another.
type Times = (Option<i64>, Option<i64>);

/// Sessions over the times that rules need, each opened once.
pub(super) struct Runs<'a> {
    /// Over all that one of the rules needs.
    session: &'a Session,
    /// The same for KQL, whose tables have the columns of the product.
    product: &'a Session,
    how: &'a kql::Options,
    window: Window,
    parts: Mutex<BTreeMap<Times, Session>>,
}

impl<'a> Runs<'a> {
    pub(super) fn new(
        session: &'a Session,
        product: &'a Session,
        how: &'a kql::Options,
        window: Window,
    ) -> Self {
        Runs {
            session,
            product,
            how,
            window,
            parts: Mutex::default(),
        }
    }

    /// The session over these times, for a question that ends at that time.
    fn over(&self, times: Window, until: Option<Instant>) -> Result<Session> {
        if times.is_all() {
            return Ok(self.session.until(until));
        }
        // Who panicked here has added nothing.
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let part = match parts.entry((times.from, times.to)) {
            Entry::Occupied(part) => part.into_mut(),
            Entry::Vacant(free) => free.insert(self.session.within(times.from, times.to)?),
        };
        Ok(part.until(until))
    }

    /// What each query gives, and how long it took. `begun` and `ended` are told the number of each that is to be planned or has ended.
    pub(super) fn answers(
        &self,
        jobs: &[Job],
        begun: impl FnMut(usize),
        ended: impl FnMut(usize),
    ) -> Vec<Answered> {
        let shapes: Vec<OnceLock<(SchemaRef, Vec<String>)>> =
            jobs.iter().map(|_| OnceLock::new()).collect();
        let plan = |number: usize| -> Result<(DataFrame, Option<Planned>)> {
            let plan = guarded(|| self.plan(&jobs[number]))?;
            shapes[number].get_or_init(|| (plan.schema, plan.reads));
            Ok((plan.frame, plan.held))
        };
        let ran = self
            .session
            .collect_all(jobs.len(), SIDE_BY_SIDE, plan, begun, ended);
        let mut answers = Vec::new();
        for ((job, shape), (held, took)) in jobs.iter().zip(shapes).zip(ran) {
            let answer = held.and_then(|held| {
                let (schema, reads) = shape.into_inner().expect("only what was planned has run");
                let answer = Answer {
                    schema,
                    batches: held.batches,
                    reads,
                };
                match job.scope {
                    Scope::Around(_) | Scope::Part { .. } => guarded(|| self.chosen(job, answer)),
                    Scope::Window => Ok(answer),
                }
            });
            answers.push((answer, took));
        }
        answers
    }

    fn plan(&self, job: &Job) -> Result<Plan> {
        // Of many jobs those that the user ended need no plan.
        self.session.may_go_on()?;
        // Each has its own time, however many are planned at once.
        let until = self.session.ends();
        let (sees, within) = self.sight(job.scope);
        let plan = self.planned(job, sees, until)?;
        if sees == within || has_time(&plan.schema) {
            return Ok(plan);
        }
        self.planned(job, within, until)
    }

    /// What a query sees, and what of that lies in the window.
    fn sight(&self, scope: Scope) -> (Window, Window) {
        let sees = match scope {
            Scope::Around(period) => self.window.around(period),
            Scope::Part { sees } => sees,
            Scope::Window => self.window,
        };
        (sees, sees.and(self.window))
    }

    fn planned(&self, job: &Job, times: Window, until: Option<Instant>) -> Result<Plan> {
        if job.language == Language::Sql {
            let session = self.over(times, until)?;
            let frame = session.plan(&job.text)?;
            return Ok(Plan {
                schema: output::schema(&frame),
                reads: session.reads(frame.logical_plan())?,
                frame: engine::fitted(session.unless_none(frame))?,
                held: None,
            });
        }
        let planned = self.product.until(until).ask(&Question {
            language: engine::Language::Kql(self.how),
            text: &job.text,
            window: times,
            now: moment(self.how),
        })?;
        Ok(Plan {
            schema: output::schema(&planned.frame),
            reads: planned.reads.clone(),
            frame: engine::fitted(self.product.unless_none(planned.frame.clone()))?,
            held: Some(planned),
        })
    }

    /// The rows that the window wants. Rows without a time are those that the rule gives when it sees nothing but the window, or its own part of it.
    fn chosen(&self, job: &Job, answer: Answer) -> Result<Answer> {
        if self.window.is_all() || !has_time(&answer.schema) {
            return Ok(answer);
        }
        let (schema, window) = (&answer.schema, self.window);
        let (mut kept, mut untimed) = (Vec::new(), false);
        for batch in &answer.batches {
            let times = last_times(schema, batch)?;
            untimed |= times.contains(&None);
            let wanted = times.iter().map(|t| t.is_some_and(|t| window.holds(t)));
            kept.push(only(batch, wanted.collect())?);
        }
        if untimed {
            let (_, within) = self.sight(job.scope);
            let plan = self.planned(job, within, self.session.ends())?;
            for batch in &self.session.collect_one(plan.frame)?.batches {
                let times = last_times(&plan.schema, batch)?;
                kept.push(only(batch, times.iter().map(Option::is_none).collect())?);
            }
        }
        Ok(Answer {
            batches: kept,
            ..answer
        })
    }

    /// For want of what a rule cannot judge something.
    fn reason(&self, watchlist: Option<&str>) -> String {
        match watchlist {
            Some(name) if self.session.has_own_watchlist(name) => {
                format!("`watchlists/{name}.csv` does not say it")
            }
            Some(name) => format!("no `watchlists/{name}.csv`"),
            None => "the records do not say it".into(),
        }
    }

    /// What a rule could not judge among the events of the window, by what its query for that counted.
    pub(super) fn unjudged(&self, of: &rules::Unjudged, counted: &Result<u64>) -> Option<Unjudged> {
        let (count, why) = match counted {
            Ok(0) => return None,
            Ok(count) => (*count, self.reason(of.watchlist.as_deref())),
            Err(e) => (0, format!("how many cannot be counted: {e}")),
        };
        let plural = match count {
            1 => "",
            _ => "s",
        };
        let what = of.what.trim().replace("{s}", plural);
        Some(Unjudged { count, what, why })
    }
}

/// The number that a query gives in a column; none is 0.
pub(super) fn number(answer: &Answer, column: usize) -> Result<u64> {
    let cell = match answer.batches.iter().find(|batch| batch.num_rows() > 0) {
        Some(batch) => output::cell(batch.column(column), 0)?,
        None => return Ok(0),
    };
    cell.parse()
        .map_err(|_| Error::Query(format!("`{cell}` is no number")))
}

/// What `now()` of KQL says, in microseconds.
fn moment(how: &kql::Options) -> i64 {
    how.now.saturating_sub(UNIX_EPOCH_TICKS) / 10
}

/// Does work that may panic: a fault of coldtrail costs one rule and not the hunt.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What the work changes holds no half of anything: sessions, and lists that grow.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words: &str = match panic.downcast_ref::<&str>() {
            Some(words) => words,
            None => panic
                .downcast_ref::<String>()
                .map_or("no words", String::as_str),
        };
        Err(Error::Query(format!(
            "this is a fault of coldtrail ({words})"
        )))
    })
}

/// Those rows of a batch that are wanted.
fn only(batch: &RecordBatch, wanted: Vec<bool>) -> Result<RecordBatch> {
    Ok(filter_record_batch(batch, &BooleanArray::from(wanted))?)
}

/// Whether the rows of a result have a time.
fn has_time(schema: &SchemaRef) -> bool {
    let columns = [END_TIME, TIME, SECOND_TIME].into_iter();
    columns
        .filter_map(|name| schema.field_with_name(name).ok())
        .any(|field| is_time(field.data_type()))
}

fn is_time(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Timestamp(..)
            | DataType::Date32
            | DataType::Date64
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
    )
}

/// The time of each row's last event, in microseconds.
fn last_times(schema: &SchemaRef, batch: &RecordBatch) -> Result<Vec<Option<i64>>> {
    let mut last = vec![None; batch.num_rows()];
    for name in [END_TIME, TIME, SECOND_TIME] {
        let Ok(column) = schema.index_of(name) else {
            continue;
        };
        for (t, own) in last.iter_mut().zip(times(batch.column(column))?) {
            *t = t.or(own);
        }
    }
    Ok(last)
}

fn times(array: &ArrayRef) -> Result<Vec<Option<i64>>> {
    let zone = match array.data_type() {
        DataType::Timestamp(..) => Some("UTC".into()),
        DataType::Date32 | DataType::Date64 => None,
        ty if is_time(ty) => {
            // A rule may write its times as text.
            return (0..array.len())
                .map(|row| Ok(time::parse(&output::cell(array, row)?, None)))
                .collect();
        }
        _ => return Ok(vec![None; array.len()]),
    };
    let array = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
    let times = array.as_primitive::<TimestampMicrosecondType>();
    Ok(times.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, StringArray, TimestampNanosecondArray};
    use std::sync::Arc;

    #[test]
    fn times_are_read_in_every_type() {
        const DAY: i64 = 86_400_000_000;
        let nanoseconds = TimestampNanosecondArray::from(vec![Some(DAY * 1000), None]);
        let arrays: [ArrayRef; 4] = [
            Arc::new(nanoseconds.clone()),
            Arc::new(nanoseconds.with_timezone("+00:00")),
            Arc::new(Date32Array::from(vec![Some(1), None])),
            Arc::new(StringArray::from(vec![Some("1970-01-02T00:00:00Z"), None])),
        ];
        for array in arrays {
            let got = times(&array).expect("times");
            assert_eq!(got, [Some(DAY), None], "{:?}", array.data_type());
        }
        let number: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![DAY]));
        assert_eq!(times(&number).expect("times"), [None]);
    }

    #[test]
    fn a_panic_costs_one_rule() {
        assert!(matches!(guarded(|| Ok(7)), Ok(7)));
        for (n, words) in [(0, "short"), (1, "row 1")] {
            let told = guarded::<()>(|| match n {
                0 => panic!("short"),
                n => panic!("row {n}"),
            });
            let told = told.map_err(|e| e.to_string());
            let want = format!("this is a fault of coldtrail ({words})");
            assert_eq!(told.err(), Some(want));
        }
    }
}
