//! The answer of a query as an output has it.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::Result as PlanResult;
use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::later::gone_through;
use super::relation::{Column, projection};
use super::{Empty, Failure, Lowered, Options, arrays, transcode};
use crate::engine::Session;
use crate::engine::output::{DATETIME_TEXT, DECIMAL_TEXT, GUID_TEXT, LOCAL_TEXT, TIMESPAN_TEXT};
use crate::fault::Result;
use crate::function::Env;
use crate::function::value::{Civil, Type, Value};
use crate::kql::ast::Span;

/// A query that is planned for an output.
pub struct Planned {
    /// Its rows.
    pub frame: DataFrame,
    /// The archive's tables that it reads, or that were read to plan it, each once.
    pub reads: Vec<String>,
    /// What is to be said beside its rows.
    pub notes: Vec<String>,
    /// Whether it puts its rows in an order of their own.
    pub(in crate::engine) is_ordered: bool,
    /// The memory of what was worked out to plan it.
    _room: Option<MemoryReservation>,
}

impl Planned {
    /// A plan for which nothing was worked out.
    pub(in crate::engine) fn of(frame: DataFrame, reads: Vec<String>) -> Planned {
        Planned {
            is_ordered: is_sorted(frame.logical_plan()),
            frame,
            reads,
            notes: Vec::new(),
            _room: None,
        }
    }
}

impl Session {
    /// Plans a KQL query for an output. Times, timespans, decimals and ids are text, with all their digits; `dynamic` is JSON text.
    /// [`schema`](crate::engine::output::schema()) says which is which.
    ///
    /// # Errors
    /// When the query is wrong or not supported.
    pub fn kql_plan(&self, query: &str, options: &Options) -> Result<DataFrame> {
        let shown = self.shown(query, options);
        let (frame, _) = shown.map_err(|failure| failure.told(query))?;
        Ok(frame)
    }

    /// The same, with what is to be known of its answer.
    ///
    /// # Errors
    /// When the query is wrong or not supported.
    pub fn kql_planned(&self, query: &str, options: &Options) -> Result<Planned> {
        let shown = self.shown(query, options);
        let (frame, lowered) = shown.map_err(|failure| failure.told(query))?;
        let mut reads = self.reads(frame.logical_plan())?;
        for part in &lowered.parts {
            for name in self.reads(&part.plan)? {
                if !reads.contains(&name) {
                    reads.push(name);
                }
            }
        }
        let mut notes: Vec<String> = lowered.empty.iter().map(Empty::told).collect();
        notes.extend(lowered.notes);
        notes.sort();
        notes.dedup();
        Ok(Planned {
            is_ordered: lowered.relation.ordered && is_sorted(frame.logical_plan()),
            frame,
            reads,
            notes,
            _room: Some(lowered.room),
        })
    }

    /// The same, with what is made of which rows when it runs.
    pub(super) fn shown(
        &self,
        query: &str,
        options: &Options,
    ) -> std::result::Result<(DataFrame, Lowered), Failure> {
        let lowered = self.lowered(query, options)?;
        let relation = &lowered.relation;
        if let Some(name) = twice(&relation.columns) {
            let message = format!("two columns of the answer are called `{name}`");
            return Err(Failure::at(Span::default(), message));
        }
        let columns = relation.columns.iter();
        let columns = columns.map(|c| shown(c).alias(&c.name));
        let columns: Vec<Expr> = columns.collect();
        let fields = relation.columns.iter().map(|c| {
            let ty = match c.ty {
                Type::DateTime | Type::Timespan | Type::Decimal => DataType::Utf8,
                ty => arrays::arrow_type(ty),
            };
            Field::new(&c.name, ty, true)
        });
        let plan = projection(columns, Arc::clone(&relation.plan), fields.collect())?;
        // What is lowered for no moment is bound when it is asked.
        let plan = match options.now == Env::OPEN {
            true => plan,
            false => self.bound(plan)?,
        };
        let frame = DataFrame::new(lowered.state.clone(), plan);
        Ok((frame, lowered))
    }
}

/// Whether a plan puts its rows in an order of their own.
pub(in crate::engine) fn is_sorted(plan: &LogicalPlan) -> bool {
    let mut plan = plan;
    loop {
        plan = match plan {
            LogicalPlan::Sort(_) => return true,
            LogicalPlan::Projection(node) => node.input.as_ref(),
            LogicalPlan::Filter(node) => node.input.as_ref(),
            LogicalPlan::SubqueryAlias(node) => node.input.as_ref(),
            LogicalPlan::Limit(node) => node.input.as_ref(),
            LogicalPlan::Extension(extension) => match gone_through(extension) {
                Some(rows) => rows,
                None => return false,
            },
            _ => return false,
        };
    }
}

/// A name that two columns have.
fn twice(columns: &[Column]) -> Option<&str> {
    let mut names = HashSet::new();
    let mut columns = columns.iter().map(|c| c.name.as_str());
    columns.find(|name| !names.insert(*name))
}

/// A column for an output.
fn shown(of: &Column) -> Expr {
    let column = of.expr();
    match of.ty {
        Type::DateTime if of.local => transcode::of_text(LOCAL_TEXT, local_times, column),
        Type::DateTime => transcode::of_text(DATETIME_TEXT, datetimes, column),
        Type::Timespan => transcode::of_text(TIMESPAN_TEXT, timespans, column),
        Type::Guid => transcode::of_text(GUID_TEXT, |array| Ok(Arc::clone(array)), column),
        Type::Decimal => transcode::of_text(DECIMAL_TEXT, decimals, column),
        Type::Dynamic => transcode::to_output(column),
        _ => column,
    }
}

/// Ticks as times.
fn datetimes(array: &ArrayRef) -> PlanResult<ArrayRef> {
    texts(array, "2026-01-01T00:00:00.0000000Z".len(), datetime)
}

/// Ticks as times that are no instants: nothing says that they were UTC.
fn local_times(array: &ArrayRef) -> PlanResult<ArrayRef> {
    texts(array, "2026-01-01T00:00:00.0000000".len(), clock)
}

/// Ticks as timespans.
fn timespans(array: &ArrayRef) -> PlanResult<ArrayRef> {
    texts(array, "1.00:00:00.0000000".len(), |ticks, out| {
        out.write_str(&Value::Timespan(ticks).show())
    })
}

/// Decimals as Kusto prints them, whatever holds them in a column.
fn decimals(array: &ArrayRef) -> PlanResult<ArrayRef> {
    let values = (0..array.len()).map(|row| arrays::value(array, row, Type::Decimal));
    let texts = values.map(|value| (!value.is_null()).then(|| value.show()));
    Ok(Arc::new(texts.collect::<StringArray>()))
}

fn texts(
    array: &ArrayRef,
    length: usize,
    write: fn(i64, &mut StringBuilder) -> std::fmt::Result,
) -> PlanResult<ArrayRef> {
    let ticks = array.as_primitive::<Int64Type>();
    let mut out = StringBuilder::with_capacity(ticks.len(), ticks.len() * length);
    for value in ticks {
        match value {
            Some(value) => {
                // Writing into memory cannot fail.
                let _ = write(value, &mut out);
                out.append_value("");
            }
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn datetime(ticks: i64, out: &mut StringBuilder) -> std::fmt::Result {
    clock(ticks, out)?;
    out.write_str("Z")
}

/// Three, six or seven digits of a second, or none: no more than there are.
fn clock(ticks: i64, out: &mut StringBuilder) -> std::fmt::Result {
    let civil = Civil::from_ticks(ticks);
    let (hour, minute, second) = (civil.hour(), civil.minute(), civil.second());
    let Civil {
        year, month, day, ..
    } = civil;
    write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    )?;
    match civil.fraction() {
        0 => Ok(()),
        ticks if ticks % 10_000 == 0 => write!(out, ".{:03}", ticks / 10_000),
        ticks if ticks % 10 == 0 => write!(out, ".{:06}", ticks / 10),
        ticks => write!(out, ".{ticks:07}"),
    }
}
