//! The answer of a query as an output has it.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::Result as PlanResult;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::Expr;

use super::relation::projection;
use super::{Failure, Options, Parts, arrays, unary};
use crate::engine::Session;
use crate::engine::output::{DATETIME_TEXT, DECIMAL_TEXT, GUID_TEXT, TIMESPAN_TEXT};
use crate::error::Result;
use crate::kql::ast::Span;
use crate::kql::value::{Civil, Type, Value};

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

    /// The same, with what is made of which rows when it runs.
    pub(super) fn shown(
        &self,
        query: &str,
        options: &Options,
    ) -> std::result::Result<(DataFrame, Parts), Failure> {
        let (relation, parts) = self.lowered(query, options)?;
        let mut names = HashSet::new();
        if let Some(twice) = relation.columns.iter().find(|c| !names.insert(&c.name)) {
            let message = format!("two columns of the answer are called `{}`", twice.name);
            return Err(Failure::at(Span::default(), message));
        }
        let columns = relation.columns.iter();
        let columns = columns.map(|c| shown(c.ty, c.expr()).alias(&c.name));
        let columns: Vec<Expr> = columns.collect();
        let fields = relation.columns.iter().map(|c| {
            let ty = match c.ty {
                Type::DateTime | Type::Timespan | Type::Decimal => DataType::Utf8,
                ty => arrays::arrow_type(ty),
            };
            Field::new(&c.name, ty, true)
        });
        let plan = match columns.is_empty() {
            true => relation.plan.as_ref().clone(),
            false => projection(columns, Arc::clone(&relation.plan), fields.collect())?,
        };
        let frame = DataFrame::new(self.context().state(), plan);
        Ok((frame, parts))
    }
}

/// A column for an output.
fn shown(ty: Type, column: Expr) -> Expr {
    match ty {
        Type::DateTime => unary::of_text(DATETIME_TEXT, datetimes, column),
        Type::Timespan => unary::of_text(TIMESPAN_TEXT, timespans, column),
        Type::Guid => unary::of_text(GUID_TEXT, |array| Ok(Arc::clone(array)), column),
        Type::Decimal => unary::of_text(DECIMAL_TEXT, decimals, column),
        Type::Dynamic => unary::to_output(column),
        _ => column,
    }
}

/// Ticks as times.
fn datetimes(array: &ArrayRef) -> PlanResult<ArrayRef> {
    texts(array, "2026-01-01T00:00:00.0000000Z".len(), datetime)
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

/// Three, six or seven digits of a second, or none: no more than there are.
fn datetime(ticks: i64, out: &mut StringBuilder) -> std::fmt::Result {
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
        0 => out.write_str("Z"),
        ticks if ticks % 10_000 == 0 => write!(out, ".{:03}Z", ticks / 10_000),
        ticks if ticks % 10 == 0 => write!(out, ".{:06}Z", ticks / 10),
        ticks => write!(out, ".{ticks:07}Z"),
    }
}
