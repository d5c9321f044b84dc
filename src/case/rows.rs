//! Rows of answers, cell by cell.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::catalog::TIME;
use crate::engine::{Session, fitted, output};
use crate::fault::{Error, Result};
use crate::hunt::Window;

/// A row of an answer, its cells by the number of their column.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl Row<'_> {
    /// A text without blanks around it; nothing where it says nothing.
    pub(super) fn text(self, column: usize) -> Result<Option<String>> {
        let text = output::cell(self.batch.column(column), self.row)?;
        let bare = text.trim();
        Ok(match bare.len() {
            0 => None,
            len if len == text.len() => Some(text),
            _ => Some(bare.to_string()),
        })
    }

    /// A whole number, as queries here cast them.
    pub(super) fn number(self, column: usize) -> Result<Option<i64>> {
        let array = self.batch.column(column);
        let numbers = array.as_primitive_opt::<Int64Type>().ok_or_else(|| {
            Error::Query(format!(
                "column {column} of a query of the case holds {}",
                array.data_type()
            ))
        })?;
        Ok(numbers.is_valid(self.row).then(|| numbers.value(self.row)))
    }

    /// Number of the ingest and of the record, from two columns.
    pub(super) fn record(self, ingest: usize) -> Result<(i64, i64)> {
        let number = |column| Ok::<i64, Error>(self.number(column)?.unwrap_or_default());
        Ok((number(ingest)?, number(ingest + 1)?))
    }
}

/// Runs a query and shows each of its rows. Before those of a batch, `room` is asked whether there is memory for what they become.
pub(super) fn each(
    session: &Session,
    sql: &str,
    mut room: impl FnMut(&RecordBatch) -> Result<()>,
    mut show: impl FnMut(Row<'_>) -> Result<()>,
) -> Result<()> {
    let frame = fitted(session.plan(sql)?)?;
    session.stream(frame, |batch| {
        room(batch)?;
        (0..batch.num_rows()).try_for_each(|row| show(Row { batch, row }))
    })
}

/// The condition that the event of a row of `of` lies in a window.
pub(super) fn within(window: Window, of: &str) -> String {
    let at = |t: i64| format!("arrow_cast({t}, 'Timestamp(Microsecond, Some(\"UTC\"))')");
    let mut condition = format!("{of}.\"{TIME}\" IS NOT NULL");
    if let Some(from) = window.from {
        condition += &format!(" AND {of}.\"{TIME}\" >= {}", at(from));
    }
    if let Some(to) = window.to {
        condition += &format!(" AND {of}.\"{TIME}\" < {}", at(to));
    }
    condition
}

/// The condition that a row of `e` is of one of these users, in lower case; where none is named, of anybody.
pub(super) fn of_users(users: &[String]) -> String {
    match users {
        [] => "true".into(),
        users => format!("lower(trim(e.\"UserId\")) IN ({})", listed(users.iter())),
    }
}

/// Texts as a list in SQL.
pub(super) fn listed<'t>(texts: impl Iterator<Item = &'t String>) -> String {
    let quoted = texts.map(|text| format!("'{}'", text.replace('\'', "''")));
    quoted.collect::<Vec<_>>().join(", ")
}
