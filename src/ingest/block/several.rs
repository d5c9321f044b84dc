//! Rows of one header that are of several tables, each of which says its own.

use std::borrow::Cow;

use super::super::columns::{Filler, Target};
use super::super::format::{Format, OTHER, is_table_name, targets};
use super::super::rows::{Slot, TableRows};
use super::piece::Converted;
use crate::catalog::{Table, catalog, table};

/// Rows of one table.
pub(super) struct Own<'a> {
    pub table: &'static Table,
    /// Where the columns of the header go.
    pub targets: Cow<'a, [Target]>,
    filler: Filler<'a>,
    rows: TableRows,
}

impl<'a> Own<'a> {
    fn new(format: &Format, table: &'static Table, targets: Cow<'a, [Target]>) -> Self {
        let filler = Filler::new(table, format.order, format.zone)
            .timed_by(format.time_column.as_deref())
            .called(format.called.as_deref());
        Own {
            table,
            targets,
            filler,
            rows: TableRows::new(table, format.order),
        }
    }

    /// Sets a value of the row by the place of its column.
    pub(super) fn set(&mut self, column: usize, value: Slot<'a>) {
        if let Some(target) = self.targets.get(column) {
            self.filler.set(target, value);
        }
    }

    /// Forgets the values that were set.
    pub(super) fn clear(&mut self) {
        self.filler.clear();
    }

    /// Adds the row whose values were set.
    pub(super) fn push(&mut self, record: i64) {
        self.filler.push(&mut self.rows, record);
    }
}

/// The rows of a block by their tables, that of the file first.
pub(super) struct Several<'a> {
    format: &'a Format,
    /// Column with the name of the row's table.
    named: Option<usize>,
    all: Vec<Own<'a>>,
}

impl<'a> Several<'a> {
    pub(super) fn new(
        format: &'a Format,
        table: &'static Table,
        targets: &'a [Target],
        named: Option<usize>,
    ) -> Self {
        Several {
            format,
            named,
            all: vec![Own::new(format, table, Cow::Borrowed(targets))],
        }
    }

    /// The rows of the table that a row says; those of the file's where it says none.
    ///
    /// # Errors
    /// When it says something that is no table.
    pub(super) fn of(&mut self, says: &str, out: &mut Converted) -> Result<&mut Own<'a>, String> {
        let first = self.all[0].table;
        let says = says.trim();
        if says.is_empty() || says.eq_ignore_ascii_case(first.name) {
            return Ok(&mut self.all[0]);
        }
        let table = match catalog().get(says).filter(|t| t.by_day) {
            Some(stored) => stored,
            None if is_table_name(says) || first.name == OTHER => {
                // Of the first the file's note says it.
                if !self.format.why.contains(says) {
                    out.unknown(says);
                }
                table(OTHER)
            }
            None => return Err(format!("row of table `{says}` in a file of {}", first.name)),
        };
        let at = match self.all.iter().position(|o| std::ptr::eq(o.table, table)) {
            Some(at) => at,
            None => {
                let time = self.format.time_column.as_deref();
                let own = targets(table, &self.format.header, self.named, time);
                self.all.push(Own::new(self.format, table, Cow::Owned(own)));
                self.all.len() - 1
            }
        };
        Ok(&mut self.all[at])
    }

    /// Gives all rows away.
    pub(super) fn finish(self, out: &mut Converted) {
        out.tables.extend(self.all.into_iter().map(|own| own.rows));
    }
}
