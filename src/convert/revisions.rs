//! Rows of `Revisions`: events that the archive has already, with other content.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use xxhash_rust::xxh3::xxh3_128;

use crate::catalog::{self, FINGERPRINT, TIME, Table};
use crate::fault::Result;

/// The table.
pub(super) const TABLE: &str = "Revisions";

/// By which a revision is known: its table and its fingerprint.
pub(super) fn key(table: &str, print: u128) -> u128 {
    print ^ xxh3_128(table.as_bytes())
}

/// The revisions that stand in these rows of a batch; `prints` are their fingerprints.
pub(super) fn rows(
    table: &Table,
    batch: &RecordBatch,
    rows: &[usize],
    prints: &ArrayRef,
) -> Result<RecordBatch> {
    let contents = contents(table, batch, rows)?;
    let ids: Vec<Option<String>> = rows
        .iter()
        .map(|row| {
            let column = batch.column(table.identity?).as_string::<i32>();
            column
                .is_valid(*row)
                .then(|| column.value(*row).to_string())
        })
        .collect();
    let times = batch
        .column(table.at(TIME))
        .as_primitive::<TimestampMicrosecondType>();
    let times = rows
        .iter()
        .map(|row| times.is_valid(*row).then(|| times.value(*row)));
    let times = TimestampMicrosecondArray::from_iter(times).with_timezone("UTC");
    let pick = |name: &str| {
        let column = batch.column(table.at(name)).as_primitive::<Int64Type>();
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|row| column.value(*row)),
        ))
    };
    let side = catalog::table(TABLE);
    let columns: Vec<ArrayRef> = side
        .columns
        .iter()
        .map(|c| -> ArrayRef {
            match c.name {
                "Table" => Arc::new(StringArray::from_iter_values(
                    rows.iter().map(|_| table.name),
                )),
                "EventId" => Arc::new(StringArray::from(ids.clone())),
                TIME => Arc::new(times.clone()),
                "Content" => Arc::new(StringArray::from(contents.clone())),
                FINGERPRINT => Arc::clone(prints),
                other => pick(other),
            }
        })
        .collect();
    Ok(RecordBatch::try_new(side.schema(), columns)?)
}

/// What the rows say: the audit record as it came, else all columns as JSON.
fn contents(table: &Table, batch: &RecordBatch, rows: &[usize]) -> Result<Vec<String>> {
    let record = table.record.filter(|_| table.name == "UnifiedAuditLog");
    let content = |row: &usize| match record {
        Some(column) => {
            let records = batch.column(column).as_string::<i32>();
            Ok(records.value(*row).to_string())
        }
        None => row_json(&batch.slice(*row, 1)),
    };
    rows.iter().map(content).collect()
}

fn row_json(row: &RecordBatch) -> Result<String> {
    let keep: Vec<usize> = (0..row.num_columns())
        .filter(|i| !row.schema().field(*i).name().starts_with('_'))
        .collect();
    let row = row.project(&keep)?;
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(&row)?;
    writer.finish()?;
    Ok(String::from_utf8_lossy(&writer.into_inner())
        .trim()
        .to_string())
}
