//! The files of an ingest, each written on any core. Where that panics, it is found out which rows are at fault.

use std::path::{Path, PathBuf};
use std::slice;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use parquet::errors::ParquetError;

use super::caught::caught;
use super::waiting::Picked;
use crate::archive::part::{self, Part};
use crate::catalog::{INGEST_ID, RECORD, Table};
use crate::fault::{Error, Result};

/// Writes batches of one table and day to a staged file of that name.
pub(super) type Write = fn(&Path, &Table, Option<&str>, &str, &[RecordBatch]) -> Result<Part>;

/// So many times rows are halved to find those at fault: where all are, that would be each for itself.
const HALVED: usize = 64;

/// What became of rows that were to be written.
pub(super) enum Wrote {
    Part(Part),
    Failed(Failed),
}

/// Rows that cannot be written, by a fault of coldtrail.
pub(super) struct Failed {
    /// For a person.
    pub why: String,
    /// The ingest of each, and the number of its record in the file.
    pub rows: Vec<(i64, u64)>,
    /// For where nobody knows the blocks in which they stood.
    pub error: Error,
}

/// Writes the rows of a day to a staged file.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn wrote(write: Write, staging: &Path, picked: Picked, name: &str) -> Result<Wrote> {
    let table = picked.table;
    let date = picked.day.and_then(part::day_text);
    let failed = |fault: String, rows: Vec<(i64, u64)>| {
        Wrote::Failed(Failed {
            why: format!("could not be written: {fault}"),
            rows,
            error: Error::Parquet {
                path: PathBuf::from(table.name).join(name),
                source: Box::new(ParquetError::General(fault)),
            },
        })
    };
    let rows = match caught(|| picked.rows()) {
        Ok(rows) => rows?,
        Err(fault) => {
            let sources = picked.sources().into_iter();
            return Ok(failed(fault, sources.flat_map(origins).collect()));
        }
    };
    // Where rows were copied out, what they need no more of their batches is let go.
    drop(picked);
    let attempt =
        |rows: &[RecordBatch]| caught(|| write(staging, table, date.as_deref(), name, rows));
    let fault = match attempt(&rows) {
        Ok(part) => return part.map(Wrote::Part),
        Err(fault) => fault,
    };
    let at_fault = at_fault(rows, |rows| attempt(slice::from_ref(rows)).is_err());
    Ok(failed(fault, at_fault.iter().flat_map(origins).collect()))
}

/// Of rows that fail together, those that fail alone, or as few as are found; all where none does.
fn at_fault(rows: Vec<RecordBatch>, fails: impl Fn(&RecordBatch) -> bool) -> Vec<RecordBatch> {
    let mut open: Vec<RecordBatch> = rows.iter().filter(|rows| fails(rows)).cloned().collect();
    if open.is_empty() {
        return rows;
    }
    let mut found = Vec::new();
    let mut halved = 0;
    while let Some(rows) = open.pop() {
        let half = rows.num_rows() / 2;
        if half == 0 || halved == HALVED {
            found.push(rows);
            continue;
        }
        halved += 1;
        let halves = [
            rows.slice(0, half),
            rows.slice(half, rows.num_rows() - half),
        ];
        let before = open.len();
        open.extend(halves.into_iter().filter(&fails));
        if open.len() == before {
            found.push(rows);
        }
    }
    found
}

/// The ingest of each row, and the number of its record in the file.
fn origins(rows: &RecordBatch) -> Vec<(i64, u64)> {
    let numbers = |name| {
        let column = rows.column_by_name(name);
        column.and_then(|c| c.as_primitive_opt::<Int64Type>())
    };
    let (Some(ingests), Some(records)) = (numbers(INGEST_ID), numbers(RECORD)) else {
        return Vec::new();
    };
    let records = records
        .values()
        .iter()
        .map(|n| u64::try_from(*n).unwrap_or(0));
    ingests.values().iter().copied().zip(records).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, new_null_array};

    use super::super::waiting::Waiting;
    use super::*;
    use crate::catalog;

    /// Rows of one file, with these numbers.
    fn rows(records: std::ops::Range<i64>) -> RecordBatch {
        let schema = catalog::table("UnifiedAuditLog").schema();
        let count = usize::try_from(records.end - records.start).expect("not many");
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                INGEST_ID => Arc::new(Int64Array::from_value(7, count)),
                RECORD => Arc::new(Int64Array::from_iter_values(records.clone())),
                _ => new_null_array(field.data_type(), count),
            }
        });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect()).expect("columns of the table")
    }

    fn has(rows: &RecordBatch, record: u64) -> bool {
        origins(rows).contains(&(7, record))
    }

    #[test]
    fn a_writer_that_panics_names_its_table_and_the_rows_at_fault() {
        let table = catalog::table("UnifiedAuditLog");
        let mut waiting = Waiting::new(table);
        let all = (0..300).map(|row| (None, row)).collect();
        waiting.add(rows(1..301), all).expect("it is kept");
        let picked = waiting.take_all().pop().expect("a day");
        let write: Write = |_, _, _, _, rows| {
            assert!(!rows.iter().any(|rows| has(rows, 42)), "no such column");
            Err(Error::NoInput("not this time".into()))
        };
        let name = "ct-000001-00000.parquet";
        let wrote = wrote(write, Path::new("nowhere"), picked, name).expect("it goes on");
        let Wrote::Failed(failed) = wrote else {
            panic!("it is written");
        };
        assert_eq!(failed.rows, [(7, 42)]);
        let fault = "this is a fault of coldtrail (no such column)";
        assert_eq!(failed.why, format!("could not be written: {fault}"));
        let said = failed.error.to_string();
        for part in ["UnifiedAuditLog", name, fault] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn rows_at_fault_are_found_or_what_is_left_after_some_tries() {
        let batches = vec![rows(1..1000), rows(1000..3000), rows(3000..3500)];
        let found = at_fault(batches.clone(), |rows| has(rows, 1500) || has(rows, 3499));
        let found: Vec<_> = found.iter().flat_map(origins).collect();
        assert_eq!(found, [(7, 3499), (7, 1500)]);
        // Only together.
        let found = at_fault(batches.clone(), |rows| has(rows, 1500) && has(rows, 1501));
        assert!(found.iter().all(|rows| has(rows, 1500) && has(rows, 1501)));
        let found = at_fault(batches.clone(), |_| false);
        assert_eq!(found.len(), batches.len());
        // All of them.
        let tries = std::cell::Cell::new(0);
        let found = at_fault(batches, |_| {
            tries.set(tries.get() + 1);
            true
        });
        assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 3499);
        assert!(tries.get() <= 3 + 2 * HALVED, "{}", tries.get());
    }
}
