//! A row of `LabelEvents` while it is made.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};

use crate::archive::fields::Text;
use crate::catalog::{self, INGEST_ID, RECORD, TIME};
use crate::fault::Result;

/// One row.
#[derive(Default)]
pub(super) struct Event<'b> {
    pub time: Option<i64>,
    pub kind: &'static str,
    pub event_type: Text<'b>,
    pub operation: Text<'b>,
    pub user: Text<'b>,
    pub user_type: Option<i32>,
    pub file: Text<'b>,
    pub path: Text<'b>,
    pub previous_file: Text<'b>,
    pub old_label: Text<'b>,
    pub old_name: Text<'b>,
    pub new_label: Text<'b>,
    pub new_name: Text<'b>,
    pub justification: Text<'b>,
    pub action_source: Text<'b>,
    pub protected: Option<bool>,
    pub protected_before: Option<bool>,
    pub owner: Text<'b>,
    pub application: Text<'b>,
    pub device: Text<'b>,
    pub site: Text<'b>,
    pub site_label: Text<'b>,
    pub address: Text<'b>,
    pub country: Text<'b>,
    pub workload: Text<'b>,
    pub record_type: Option<i32>,
    pub source: &'static str,
    pub id: Text<'b>,
    /// What is equal for one event in all sources; nothing for a row that is an event of its own.
    pub key: Option<String>,
    /// Of the rows of one key those with the least count.
    pub rank: String,
    pub ingest: Option<i64>,
    pub record: Option<i64>,
}

/// The events in the columns of the table.
pub(super) fn batch_of<'b>(events: &[Event<'b>]) -> Result<RecordBatch> {
    type Of<'x, T> = for<'e> fn(&'e Event<'x>) -> Option<T>;
    let text = |f: for<'e> fn(&'e Event<'b>) -> Option<&'e str>| -> ArrayRef {
        Arc::new(StringArray::from_iter(events.iter().map(f)))
    };
    let int =
        |f: Of<'b, i32>| -> ArrayRef { Arc::new(Int32Array::from_iter(events.iter().map(f))) };
    let long =
        |f: Of<'b, i64>| -> ArrayRef { Arc::new(Int64Array::from_iter(events.iter().map(f))) };
    let flag =
        |f: Of<'b, bool>| -> ArrayRef { Arc::new(BooleanArray::from_iter(events.iter().map(f))) };
    let table = catalog::label_events();
    let columns = table
        .columns
        .iter()
        .map(|c| match c.name {
            TIME => {
                let times = TimestampMicrosecondArray::from_iter(events.iter().map(|e| e.time));
                Arc::new(times.with_timezone("UTC")) as ArrayRef
            }
            "Kind" => text(|e| Some(e.kind)),
            "LabelEventType" => text(|e| e.event_type.as_deref()),
            "Operation" => text(|e| e.operation.as_deref()),
            "UserId" => text(|e| e.user.as_deref()),
            "UserType" => int(|e| e.user_type),
            "FileName" => text(|e| e.file.as_deref()),
            "FilePath" => text(|e| e.path.as_deref()),
            "PreviousFileName" => text(|e| e.previous_file.as_deref()),
            "OldLabelId" => text(|e| e.old_label.as_deref()),
            "OldLabelText" => text(|e| e.old_name.as_deref()),
            "NewLabelId" => text(|e| e.new_label.as_deref()),
            "NewLabelText" => text(|e| e.new_name.as_deref()),
            "Justification" => text(|e| e.justification.as_deref()),
            "ActionSource" => text(|e| e.action_source.as_deref()),
            "Protected" => flag(|e| e.protected),
            "ProtectedBefore" => flag(|e| e.protected_before),
            "Owner" => text(|e| e.owner.as_deref()),
            "Application" => text(|e| e.application.as_deref()),
            "DeviceName" => text(|e| e.device.as_deref()),
            "SiteUrl" => text(|e| e.site.as_deref()),
            "SiteLabelId" => text(|e| e.site_label.as_deref()),
            "IPAddress" => text(|e| e.address.as_deref()),
            "CountryCode" => text(|e| e.country.as_deref()),
            "Workload" => text(|e| e.workload.as_deref()),
            "RecordType" => int(|e| e.record_type),
            "SourceTable" => text(|e| Some(e.source)),
            "EventId" => text(|e| e.id.as_deref()),
            "Key" => text(|e| e.key.as_deref()),
            "Rank" => text(|e| Some(e.rank.as_str())),
            INGEST_ID => long(|e| e.ingest),
            RECORD => long(|e| e.record),
            other => unreachable!("`LabelEvents` has no column {other}"),
        })
        .collect();
    Ok(RecordBatch::try_new(table.schema(), columns)?)
}
