//! Rows of `LabelEvents` from rows of their sources: every label action, and every request for a protected document, in one shape.
//!
//! Says what one row says; one of Copilot tells of several documents. Which of the rows of one event counts is asked by `Key` and `Rank`; names and ranks of labels are
//! joined by queries. The view works the same out of the sources, in SQL, where an archive has no such rows.

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::Int32Type;

pub use self::audited::app_id;
use self::event::{Event, batch_of};
use super::fields::Fields;
use crate::catalog::{INGEST_ID, RECORD, Table, labels};
use crate::fault::Result;

mod audited;
mod event;
mod requests;
mod rows;

/// The tables that have label actions.
pub(super) const SOURCES: [&str; 12] = [
    "UnifiedAuditLog",
    "OfficeActivity",
    "CloudAppEvents",
    "MicrosoftPurviewInformationProtection",
    "DataSecurityEvents",
    "ActivityExplorer",
    "CopilotActivity",
    "InformationProtectionLogs_CL",
    "AipServiceUserLog",
    "RMSData_CL",
    "AipServiceTrackingLog",
    "RMSDataDetails_CL",
];

/// Columns with the type and the operations of a record, of tables whose rows are mostly about something else.
pub(super) fn telling(table: &str) -> Option<&'static [&'static str]> {
    match table {
        "UnifiedAuditLog" => Some(&["RecordType", "Operation"]),
        "CloudAppEvents" => Some(&[
            "RawEventData_RecordType",
            "RawEventData_Operation",
            "ActionType",
        ]),
        _ => None,
    }
}

/// Those of the rows that may be about a label.
pub(super) fn candidates(
    table: &Table,
    batch: &RecordBatch,
    rows: impl Iterator<Item = usize>,
) -> Vec<usize> {
    let Some((record_type, operations)) = telling(table.name).and_then(|names| names.split_first())
    else {
        return rows.collect();
    };
    let types = batch.column_by_name(record_type);
    let types = types.and_then(|c| c.as_primitive_opt::<Int32Type>());
    let operations: Vec<&StringArray> = operations
        .iter()
        .filter_map(|name| batch.column_by_name(name)?.as_string_opt::<i32>())
        .collect();
    rows.filter(|row| {
        let number = types.filter(|c| c.is_valid(*row)).map(|c| c.value(*row));
        let mut said = operations.iter().filter(|c| c.is_valid(*row));
        let operation = said.next().map(|c| c.value(*row));
        labels::is_label(number, operation)
    })
    .collect()
}

/// The label actions among these rows of a batch, in their order; nothing where there are none.
///
/// # Errors
/// When a column has another type than the table says, a fault of coldtrail.
pub(super) fn derive(
    table: &Table,
    batch: &RecordBatch,
    rows: impl Iterator<Item = usize>,
) -> Result<Option<RecordBatch>> {
    if !SOURCES.contains(&table.name) {
        return Ok(None);
    }
    let rows = candidates(table, batch, rows);
    if rows.is_empty() {
        return Ok(None);
    }
    let fields = Fields::of(table, batch);
    let mut events: Vec<Event<'_>> = Vec::with_capacity(rows.len());
    for row in rows {
        let before = events.len();
        say(table.name, &fields, row, &mut events);
        for event in &mut events[before..] {
            event.ingest = fields.long(INGEST_ID, row);
            event.record = fields.long(RECORD, row);
        }
    }
    match events.as_slice() {
        [] => Ok(None),
        events => batch_of(events).map(Some),
    }
}

/// Adds what a row says: an event, several where it tells of several documents, nothing where it is about no label.
fn say<'b>(table: &str, fields: &Fields<'b>, row: usize, out: &mut Vec<Event<'b>>) {
    let event = match table {
        "UnifiedAuditLog" => return audited::audited(fields, row, out),
        "OfficeActivity" => return audited::office(fields, row, out),
        "CloudAppEvents" => return audited::app(fields, row, out),
        "CopilotActivity" => return rows::copilot(fields, row, out),
        "MicrosoftPurviewInformationProtection" => rows::purview(fields, row),
        "DataSecurityEvents" => rows::secured(fields, row),
        "ActivityExplorer" => rows::explored(fields, row),
        "InformationProtectionLogs_CL" => Some(requests::protection(fields, row)),
        "AipServiceUserLog" => requests::usage(fields, row),
        "RMSData_CL" => requests::collected_usage(fields, row),
        "AipServiceTrackingLog" => requests::tracking(fields, row),
        "RMSDataDetails_CL" => requests::collected_tracking(fields, row),
        _ => None,
    };
    out.extend(event);
}
