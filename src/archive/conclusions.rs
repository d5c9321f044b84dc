//! What hunts concluded: alerts and incidents in tables of their own, added in one commit that the ledger does not speak of.
//!
//! An alert is known by its `SystemAlertId`, an incident by what it says: stored again, neither changes anything. An incident that took further alerts
//! gets a further row, as Sentinel writes one for each change, under the number that it had.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::DateTime;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::delta::{CONCLUDE, FileEntry};
use super::part::{self, Part};
use super::pending::{Deed, Plan, Step};
use super::{Archive, Lock, Pinned, compact};
use crate::catalog::{self, ALERTS, INCIDENTS, Kusto, ROW, STORE_ID, TIME, Table};
use crate::fault::Result;
use crate::progress::Progress;

const ALERT_ID: &str = "SystemAlertId";
const NAME: &str = "IncidentName";
const NUMBER: &str = "IncidentNumber";
/// The number again, as text.
const PROVIDER_ID: &str = "ProviderIncidentId";
const CONTENT: &str = "Content";
/// Times of an incident that follow from its alerts.
const TIMES: [&str; 6] = [
    TIME,
    "CreatedTime",
    "FirstModifiedTime",
    "LastModifiedTime",
    "FirstActivityTime",
    "LastActivityTime",
];

/// Columns of an alert or incident by name; times are ISO 8601.
pub type Row = Map<String, Value>;

/// An alert on its way into the archive.
#[derive(Debug, Clone, Copy)]
pub struct NewAlert<'r> {
    /// Id of the rule that raised it.
    pub rule: &'r str,
    /// Its row of `SecurityAlert`.
    pub row: &'r Row,
}

/// What was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Added {
    /// Alerts that were not there before.
    pub alerts: usize,
    /// Incidents, or further states of incidents, that were not there before.
    pub incidents: usize,
}

/// Ids of the alerts that are stored.
///
/// # Errors
/// When a log or a file cannot be read.
pub fn known(archive: &Archive) -> Result<HashSet<String>> {
    known_in(&archive.pinned()?)
}

fn known_in(pinned: &Pinned) -> Result<HashSet<String>> {
    let mut ids = HashSet::new();
    pinned.each(catalog::table(ALERTS), &[ALERT_ID], |batch| {
        let column = batch.column(0).as_string::<i32>();
        ids.extend(column.iter().flatten().map(str::to_string));
        Ok(())
    })?;
    Ok(ids)
}

/// The time of the last alert or incident that is stored. It may lie behind the last event.
///
/// # Errors
/// When a log or a file cannot be read.
pub fn last(archive: &Archive) -> Result<Option<i64>> {
    let pinned = archive.pinned()?;
    let mut last: Option<i64> = None;
    for name in [ALERTS, INCIDENTS] {
        pinned.each(catalog::table(name), &[TIME], |batch| {
            let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
            last = last.max(arrow::compute::max(times));
            Ok(())
        })?;
    }
    Ok(last)
}

/// The number of the last store of alerts or incidents; 0 where there was none.
///
/// # Errors
/// When a log or a file cannot be read.
pub fn last_store(archive: &Archive) -> Result<i64> {
    Ok(next_run(archive, &archive.pinned()?)? - 1)
}

/// How many alerts were added by stores after one of these numbers and up to the other, by their severity as Sentinel spells it.
///
/// # Errors
/// When a log or a file cannot be read.
pub fn stored_in(archive: &Archive, (after, last): (i64, i64)) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    let names = [STORE_ID, "AlertSeverity"];
    let pinned = archive.pinned()?;
    pinned.each(catalog::table(ALERTS), &names, |batch| {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let severities = batch.column(1).as_string::<i32>();
        for (id, severity) in ids.iter().zip(severities) {
            if id.is_some_and(|id| id > after && id <= last) {
                let severity = severity.unwrap_or_default().to_string();
                *counts.entry(severity).or_default() += 1;
            }
        }
        Ok(())
    })?;
    Ok(counts)
}

/// Adds the alerts and incidents that are not there yet, all of them or none.
///
/// # Errors
/// When logs, ledger and files do not agree, or something cannot be read or written.
pub fn add(
    archive: &Archive,
    alerts: &[NewAlert<'_>],
    incidents: &[Row],
    now: i64,
    progress: &dyn Progress,
) -> Result<Added> {
    let lock = archive.lock(|| progress.step("waiting for an ingest into this archive"))?;
    archive.begin(now, &lock)?;
    let pinned = archive.pinned()?;
    let mut known = known_in(&pinned)?;
    let mut new: Vec<NewAlert<'_>> = Vec::new();
    for alert in alerts {
        if known.insert(text(alert.row, ALERT_ID).to_string()) {
            new.push(*alert);
        }
    }
    new.sort_by(|a, b| key(a.row, ALERT_ID).cmp(&key(b.row, ALERT_ID)));
    let mut states = States::read(&pinned)?;
    let mut changed: Vec<Row> = Vec::new();
    let mut sorted: Vec<&Row> = incidents.iter().collect();
    // In the order of their creation, in which the run has numbered them.
    sorted.sort_by_key(|&row| (row.get(NUMBER).and_then(Value::as_i64), text(row, NAME)));
    for incident in sorted {
        changed.extend(states.take(incident));
    }
    let added = Added {
        alerts: new.len(),
        incidents: changed.len(),
    };
    let alerts = new.into_iter().map(|alert| {
        let mut row = alert.row.clone();
        row.insert("RuleId".into(), alert.rule.into());
        row
    });
    let alerts: Vec<Row> = alerts.collect();
    let parts = [(ALERTS, alerts), (INCIDENTS, changed)];
    commit(archive, &pinned, parts, now, &lock)?;
    Ok(added)
}

/// By what rows are put in order: their time, and what names them.
fn key<'r>(row: &'r Row, name: &str) -> (&'r str, &'r str) {
    (text(row, TIME), text(row, name))
}

fn text<'r>(row: &'r Row, column: &str) -> &'r str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

/// The incidents that are stored.
#[derive(Default)]
struct States {
    numbers: HashMap<String, i32>,
    contents: HashSet<String>,
    last: i32,
}

impl States {
    fn read(pinned: &Pinned) -> Result<States> {
        let mut states = States::default();
        let names = [NAME, NUMBER, CONTENT];
        pinned.each(catalog::table(INCIDENTS), &names, |batch| {
            let names = batch.column(0).as_string::<i32>();
            let numbers = batch.column(1).as_primitive::<Int32Type>();
            for (name, number) in names.iter().zip(numbers) {
                let (name, number) = (name.unwrap_or_default(), number.unwrap_or(0));
                states.numbers.insert(name.to_string(), number);
                states.last = states.last.max(number);
            }
            let contents = batch.column(2).as_string::<i32>();
            states
                .contents
                .extend(contents.iter().flatten().map(str::to_string));
            Ok(())
        })?;
        Ok(states)
    }

    /// The row of an incident under its number in the archive; nothing where it is there already.
    fn take(&mut self, incident: &Row) -> Option<Row> {
        let mut row = incident.clone();
        // In the run that made it it had another one.
        row.shift_remove(NUMBER);
        row.shift_remove(PROVIDER_ID);
        let mut said = row.clone();
        // What is of no known time has that of the last event, which is another one after the next ingest.
        said.retain(|name, _| !TIMES.contains(&name.as_str()));
        let content = hex::encode(Sha256::digest(Value::Object(said).to_string()));
        if !self.contents.insert(content.clone()) {
            return None;
        }
        let name = text(&row, NAME).to_string();
        let next = self.last.saturating_add(1);
        let number = *self.numbers.entry(name).or_insert(next);
        self.last = self.last.max(number);
        row.insert(NUMBER.into(), number.into());
        row.insert(PROVIDER_ID.into(), number.to_string().into());
        row.insert(CONTENT.into(), content.into());
        Some(row)
    }
}

fn commit(
    archive: &Archive,
    pinned: &Pinned,
    rows: [(&'static str, Vec<Row>); 2],
    now: i64,
    lock: &Lock,
) -> Result<()> {
    let run = next_run(archive, pinned)?;
    let mut plan = Plan::new(Deed::Conclude, run, now);
    for (name, rows) in rows {
        if rows.is_empty() {
            continue;
        }
        let table = catalog::table(name);
        let files = pinned.files(table)?;
        let batch = batch(table, &rows, run, now)?;
        plan.steps.push(Step {
            table: name.into(),
            add: vec![write(archive, table, &files, &batch, now)?],
            remove: Vec::new(),
            info: serde_json::json!({"run": run, "version": env!("CARGO_PKG_VERSION")}),
        });
    }
    match plan.steps.is_empty() {
        true => Ok(()),
        false => archive.carry_out(&plan, lock),
    }
}

fn write(
    archive: &Archive,
    table: &Table,
    files: &[FileEntry],
    batch: &RecordBatch,
    now: i64,
) -> Result<Part> {
    // Numbers of batches are those of ingests. The moment makes the name new where another program merged the last one.
    let number = compact::next_number(files).max(u64::try_from(now).unwrap_or(0));
    let name = part::merged_name(number);
    let batches = std::slice::from_ref(batch);
    part::write(&archive.staging(), table, None, &name, batches)
}

/// A number that no run has, by the rows or by the logs.
fn next_run(archive: &Archive, pinned: &Pinned) -> Result<i64> {
    let mut last = 0;
    for name in [ALERTS, INCIDENTS] {
        if let Some(mark) = archive.logs().mark(name, CONCLUDE)? {
            last = last.max(mark);
        }
        pinned.each(catalog::table(name), &[STORE_ID], |batch| {
            let runs = batch.column(0).as_primitive::<Int64Type>();
            last = last.max(arrow::compute::max(runs).unwrap_or(0));
            Ok(())
        })?;
    }
    Ok(last + 1)
}

/// Rows in the columns of their table.
fn batch(table: &Table, rows: &[Row], run: i64, now: i64) -> Result<RecordBatch> {
    let columns = table.columns.iter().map(|column| -> Result<ArrayRef> {
        let cells = || {
            rows.iter()
                .map(|row| row.get(column.name).filter(|v| !v.is_null()))
        };
        Ok(match (column.name, column.kusto) {
            (STORE_ID, _) => Arc::new(Int64Array::from(vec![run; rows.len()])),
            (ROW, _) => Arc::new(Int64Array::from_iter_values((1..).take(rows.len()))),
            ("StoredAt", _) => {
                let times = TimestampMicrosecondArray::from(vec![now; rows.len()]);
                Arc::new(times.with_timezone("UTC"))
            }
            (_, Kusto::DateTime) => {
                let times = cells().map(|cell| cell.map(time).transpose());
                let times = times.collect::<Result<Vec<Option<i64>>>>()?;
                Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
            }
            (_, Kusto::Bool) => {
                let values = cells().map(|cell| cell.and_then(Value::as_bool));
                Arc::new(values.collect::<BooleanArray>())
            }
            (_, Kusto::Real) => {
                let values = cells().map(|cell| cell.and_then(Value::as_f64));
                Arc::new(values.collect::<Float64Array>())
            }
            (_, Kusto::Int) => {
                let values = cells().map(|cell| i32::try_from(cell?.as_i64()?).ok());
                Arc::new(values.collect::<Int32Array>())
            }
            (_, Kusto::Long) => {
                let values = cells().map(|cell| cell?.as_i64());
                Arc::new(values.collect::<Int64Array>())
            }
            (_, Kusto::Guid | Kusto::String | Kusto::Dynamic) => {
                let texts = cells().map(|cell| cell.map(shown));
                Arc::new(texts.collect::<StringArray>())
            }
        })
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    Ok(RecordBatch::try_new(table.schema(), columns)?)
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Microseconds of a time that coldtrail wrote.
fn time(value: &Value) -> Result<i64> {
    let text = value.as_str().unwrap_or_default();
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|e| ArrowError::ParseError(format!("the time `{text}` of an alert: {e}")))?;
    Ok(time.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;
    use serde_json::json;

    use super::*;

    fn row(value: Value) -> Row {
        match value {
            Value::Object(row) => row,
            other => panic!("{other} is no row"),
        }
    }

    #[test]
    fn an_incident_keeps_its_number_and_a_change_is_a_further_row() {
        let mut states = States::default();
        let incident = |number: i32, alerts: &[&str]| {
            let id = number.to_string();
            row(json!({
                "IncidentName": "n", "IncidentNumber": number, "ProviderIncidentId": id, "AlertIds": alerts,
            }))
        };
        let first = states.take(&incident(7, &["a"])).expect("it is new");
        assert_eq!(first[NUMBER], 1);
        assert_eq!(first[PROVIDER_ID], "1");
        assert!(
            states.take(&incident(9, &["a"])).is_none(),
            "the number is no change"
        );
        let mut later = incident(9, &["a"]);
        later.insert(TIME.into(), "2026-05-01T08:00:00Z".into());
        assert!(states.take(&later).is_none(), "its alerts are the same");
        later.insert("ClosedTime".into(), "2026-05-01T08:00:00Z".into());
        assert!(states.take(&later).is_some(), "it was closed");
        let second = states.take(&incident(9, &["a", "b"])).expect("it grew");
        assert_eq!(second[NUMBER], 1);
        assert_ne!(first[CONTENT], second[CONTENT]);
        let other = states.take(&row(json!({"IncidentName": "m"})));
        assert_eq!(other.expect("it is new")[NUMBER], 2);
    }

    #[test]
    fn rows_have_the_types_of_their_table() {
        let table = catalog::table(ALERTS);
        let rows = [row(json!({
            "TimeGenerated": "2026-05-01T08:00:00.5Z", "ConfidenceScore": null, "IsIncident": false, "Entities": "[]",
        }))];
        let made = batch(table, &rows, 3, 7).expect("columns of the table");
        assert_eq!(made.schema(), table.schema());
        let long = |name: &str| {
            let column = made.column_by_name(name).expect("a column");
            column.as_primitive::<Int64Type>().value(0)
        };
        assert_eq!((long(STORE_ID), long(ROW)), (3, 1));
        let score = made.column_by_name("ConfidenceScore").expect("a column");
        assert!(score.is_null(0));
        let wrong = [row(json!({"TimeGenerated": "yesterday"}))];
        assert!(batch(table, &wrong, 1, 1).is_err());
    }
}
