//! Running rules: each over the times that it needs, with the rows that the hunt wants.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use datafusion::dataframe::DataFrame;
use serde::Serialize;

use super::finding::END_TIME;
use super::window::Window;
use crate::catalog::TIME;
use crate::engine::{Session, output, views};
use crate::fault::{Error, Result};
use crate::ingest::time;
use crate::rules::Rule;

/// Rules that run at the same time.
const SIDE_BY_SIDE: usize = 4;
/// Views that are asked by many rules.
const SHARED: [&str; 2] = [views::LABEL_EVENTS, "UnifiedAuditLog"];

/// Keeps the views in memory that several rules ask.
pub(super) fn keep_views(session: &mut Session, rules: &[&Rule]) {
    for view in SHARED {
        let asking = rules.iter().filter(|rule| names(&rule.sql, view));
        if asking.count() > 1 {
            // What is wrong with a view is said by each rule that asks it.
            let _ = session.keep(view);
        }
    }
}

fn names(sql: &str, view: &str) -> bool {
    sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| word == view)
}

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

/// The rows of a rule.
pub(super) struct Answer {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
}

/// Sessions over the times that rules need, each opened once.
pub(super) struct Runs<'a> {
    /// Over all that one of the rules needs.
    session: &'a Session,
    window: Window,
    parts: BTreeMap<(Option<i64>, Option<i64>), Session>,
}

impl<'a> Runs<'a> {
    pub(super) fn new(session: &'a Session, window: Window) -> Self {
        Runs {
            session,
            window,
            parts: BTreeMap::new(),
        }
    }

    /// The session over these times.
    fn over(&mut self, times: Window) -> Result<&Session> {
        if times.is_all() {
            return Ok(self.session);
        }
        Ok(match self.parts.entry((times.from, times.to)) {
            Entry::Occupied(part) => part.into_mut(),
            Entry::Vacant(free) => free.insert(self.session.within(times.from, times.to)?),
        })
    }

    /// What each rule finds: rows whose last event lies in the window.
    pub(super) fn answers(&mut self, rules: &[&Rule]) -> Vec<Result<Answer>> {
        let mut frames = Vec::new();
        let mut schemas = Vec::new();
        for rule in rules {
            let begun = Instant::now();
            self.session.begin();
            schemas.push(self.plan(rule).map(|frame| {
                let schema = output::schema(&frame);
                frames.push((frame, begun.elapsed()));
                schema
            }));
        }
        self.session.end();
        let mut ran = self.session.collect_all(frames, SIDE_BY_SIDE).into_iter();
        let mut answers = Vec::new();
        for (rule, schema) in rules.iter().zip(schemas) {
            answers.push(match schema {
                Ok(schema) => {
                    let held = ran.next().expect("each query that was planned ran");
                    held.and_then(|held| {
                        let batches = held.batches;
                        self.chosen(rule, Answer { schema, batches })
                    })
                }
                Err(e) => Err(e),
            });
        }
        answers
    }

    fn plan(&mut self, rule: &Rule) -> Result<DataFrame> {
        let around = self.window.around(rule.period);
        let frame = self.over(around)?.plan(&rule.sql)?;
        if self.window.is_all() || has_time(&output::schema(&frame)) {
            return Ok(frame);
        }
        self.over(self.window)?.plan(&rule.sql)
    }

    /// The rows that the window wants. Rows without a time are those that the rule gives when it sees nothing but the window.
    fn chosen(&mut self, rule: &Rule, answer: Answer) -> Result<Answer> {
        if self.window.is_all() || !has_time(&answer.schema) {
            return Ok(answer);
        }
        let Answer { schema, batches } = answer;
        let window = self.window;
        let (mut kept, mut untimed) = (Vec::new(), false);
        for batch in &batches {
            let times = last_times(&schema, batch)?;
            untimed |= times.contains(&None);
            let wanted = times.iter().map(|t| t.is_some_and(|t| window.holds(t)));
            kept.push(only(batch, wanted.collect())?);
        }
        if untimed {
            self.session.begin();
            let untimed = self.over(window)?.collect(&rule.sql);
            self.session.end();
            let (own, batches) = untimed?;
            for batch in &batches {
                let times = last_times(&own, batch)?;
                kept.push(only(batch, times.iter().map(Option::is_none).collect())?);
            }
        }
        Ok(Answer {
            schema,
            batches: kept,
        })
    }

    /// What rules could not judge, among the events of the window. Rules that ask the same are answered together.
    pub(super) fn unjudged(&mut self, rules: &[&Rule]) -> BTreeMap<String, Unjudged> {
        let mut counts: BTreeMap<&str, Result<u64>> = BTreeMap::new();
        let mut found = BTreeMap::new();
        for rule in rules {
            let Some(unjudged) = &rule.unjudged else {
                continue;
            };
            let count = match counts.entry(unjudged.query.as_str()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(self.count(&unjudged.query)),
            };
            let (count, why) = match count {
                Ok(0) => continue,
                Ok(count) => (*count, self.reason(unjudged.watchlist.as_deref())),
                Err(e) => (0, format!("how many cannot be counted: {e}")),
            };
            let plural = match count {
                1 => "",
                _ => "s",
            };
            let what = unjudged.what.trim().replace("{s}", plural);
            found.insert(rule.id.clone(), Unjudged { count, what, why });
        }
        found
    }

    fn count(&mut self, sql: &str) -> Result<u64> {
        self.session.begin();
        let counted = self.over(self.window)?.collect(sql);
        self.session.end();
        let (_, batches) = counted?;
        let cell = match batches.iter().find(|batch| batch.num_rows() > 0) {
            Some(batch) => output::cell(batch.column(0), 0)?,
            None => return Ok(0),
        };
        cell.parse()
            .map_err(|_| Error::Query(format!("`{cell}` is no number")))
    }

    fn reason(&self, watchlist: Option<&str>) -> String {
        match watchlist {
            Some(name) if self.session.has_own_watchlist(name) => {
                format!("`watchlists/{name}.csv` does not say it")
            }
            Some(name) => format!("no `watchlists/{name}.csv`"),
            None => "the records do not say it".into(),
        }
    }
}

/// Those rows of a batch that are wanted.
fn only(batch: &RecordBatch, wanted: Vec<bool>) -> Result<RecordBatch> {
    Ok(filter_record_batch(batch, &BooleanArray::from(wanted))?)
}

/// Whether the rows of a result have a time.
fn has_time(schema: &SchemaRef) -> bool {
    let columns = [END_TIME, TIME].into_iter();
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
    for name in [END_TIME, TIME] {
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
}
