//! Rows of `LabelEvents` from rows of their sources: every label action, and every request for a protected document, in one shape.
//!
//! Says what one row says. Which of the rows of one event counts is asked by `Key` and `Rank`; names and ranks of labels are
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

/// The tables that have label actions.
pub(super) const SOURCES: [&str; 10] = [
    "UnifiedAuditLog",
    "OfficeActivity",
    "CloudAppEvents",
    "MicrosoftPurviewInformationProtection",
    "DataSecurityEvents",
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
    let events = rows.iter().filter_map(|row| {
        let event = event(table.name, &fields, *row)?;
        Some(Event {
            ingest: fields.long(INGEST_ID, *row),
            record: fields.long(RECORD, *row),
            ..event
        })
    });
    let events: Vec<Event<'_>> = events.collect();
    match events.as_slice() {
        [] => Ok(None),
        events => batch_of(events).map(Some),
    }
}

/// What a row says; nothing where it is about no label.
fn event<'b>(table: &str, fields: &Fields<'b>, row: usize) -> Option<Event<'b>> {
    match table {
        "UnifiedAuditLog" => audited::audited(fields, row),
        "OfficeActivity" => audited::office(fields, row),
        "CloudAppEvents" => audited::app(fields, row),
        "MicrosoftPurviewInformationProtection" => audited::purview(fields, row),
        "DataSecurityEvents" => audited::secured(fields, row),
        "InformationProtectionLogs_CL" => Some(requests::protection(fields, row)),
        "AipServiceUserLog" => requests::usage(fields, row),
        "RMSData_CL" => requests::collected_usage(fields, row),
        "AipServiceTrackingLog" => requests::tracking(fields, row),
        "RMSDataDetails_CL" => requests::collected_tracking(fields, row),
        _ => None,
    }
}
