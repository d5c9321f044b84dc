//! The audit record (AuditData, and RawEventData in CloudAppEvents): its fields become columns.
//!
//! Knows nothing of the container it came in.

use std::sync::LazyLock;

use super::json::{self, Fault, KeyOrder, Paths};
use super::rows::{Row, Slot, TableRows, id_key};
use super::time;
use crate::catalog::audit::{self, record_type, record_type_name, user_type};
use crate::catalog::{self, TIME, Table};
use crate::text::address;

/// Where the fields of an audit record go in one table.
struct Plan {
    table: &'static Table,
    paths: Paths,
    id: usize,
    record_type: usize,
    user_type: usize,
    client_ips: Vec<usize>,
    time: usize,
    record_type_name: Option<usize>,
    address: usize,
    record: usize,
}

/// Slots beyond the table's columns: fields that are read but have no column of their own.
const CREATION_TIME: usize = usize::MAX;
const SENDER_IP: usize = usize::MAX - 1;

impl Plan {
    fn new(table: &'static Table, prefix: &str) -> Plan {
        let column = |name: &str| table.at(&format!("{prefix}{name}"));
        let mut paths = Paths::default();
        for p in audit::paths() {
            paths.add(p.path, column(p.column));
        }
        let (id, record_type, user_type) = (column("Id"), column("RecordType"), column("UserType"));
        paths.add("Id", id);
        paths.add("RecordType", record_type);
        paths.add("UserType", user_type);
        paths.add("CreationTime", CREATION_TIME);
        paths.add("SenderIp", SENDER_IP);
        paths.add("SenderIP", SENDER_IP);
        Plan {
            table,
            paths,
            id,
            record_type,
            user_type,
            client_ips: ["ClientIP", "ClientIPAddress", "ActorIpAddress"]
                .map(column)
                .to_vec(),
            time: table.at(TIME),
            record_type_name: table.position("RecordTypeName"),
            address: table.at("IPAddress"),
            record: table
                .record
                .expect("tables with audit records have a column for them"),
        }
    }

    /// Makes numbers of enums that came as names, in place. What is no known name stays for `ExtraColumns`.
    fn enums(&self, row: &mut Row<'_>) -> Option<i32> {
        let mut number = None;
        for (column, read) in [
            (self.record_type, record_type as fn(&str) -> Option<i32>),
            (self.user_type, user_type),
        ] {
            let text = row.get(column).text();
            if text.is_empty() {
                continue;
            }
            let found = read(text);
            if column == self.record_type {
                number = found;
            }
            if let Some(n) = found
                && !text.bytes().all(|b| b.is_ascii_digit())
            {
                row.replace(column, Slot::Text(n.to_string().into()));
            }
        }
        number
    }
}

static AUDIT: LazyLock<Plan> = LazyLock::new(|| Plan::new(catalog::table("UnifiedAuditLog"), ""));
static CLOUD_APP: LazyLock<Plan> =
    LazyLock::new(|| Plan::new(catalog::table("CloudAppEvents"), "RawEventData_"));

/// Why an audit record is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not JSON, or not an object.
    #[error("AuditData: {0}")]
    Json(#[from] Fault),
    /// Nothing there.
    #[error("AuditData is empty")]
    Empty,
    /// An object, but not an audit record.
    #[error("neither Id nor CreationTime: not an audit record")]
    NotAudit,
}

/// Adds an audit record to `rows` (of `UnifiedAuditLog`). `row` may hold extra columns of the export already;
/// `fallback_time` is the export's own time, used when the record has none.
///
/// # Errors
/// When the text is no audit record; the row is cleared then.
pub fn push<'a>(
    text: &'a str,
    row: &mut Row<'a>,
    rows: &mut TableRows,
    record: i64,
    fallback_time: Option<i64>,
) -> Result<(), Refusal> {
    push_or(text, row, rows, record, &|| fallback_time)
}

/// The same where the export's own time is dear to read: few records need it.
///
/// # Errors
/// As [`push`].
pub fn push_or<'a>(
    text: &'a str,
    row: &mut Row<'a>,
    rows: &mut TableRows,
    record: i64,
    fallback_time: &dyn Fn() -> Option<i64>,
) -> Result<(), Refusal> {
    let plan = &*AUDIT;
    if !text.starts_with('{') && text.trim().is_empty() {
        row.clear();
        return Err(Refusal::Empty);
    }
    let mut creation = Slot::Empty;
    let mut sender = Slot::Empty;
    let walked = json::walk(text, &plan.paths, &mut rows.keys, |slot, raw| match slot {
        CREATION_TIME => creation = raw.into(),
        SENDER_IP => sender = raw.into(),
        column => row.set_path(column, raw.into()),
    });
    let print = match walked {
        Ok(print) => print,
        Err(fault) => {
            row.clear();
            return Err(fault.into());
        }
    };
    let id = id_key(row.get(plan.id).text());
    if id.is_none() && creation == Slot::Empty {
        row.clear();
        return Err(Refusal::NotAudit);
    }
    let at = time::parse(creation.text(), rows.order());
    if at.is_none() && creation != Slot::Empty {
        row.extra("CreationTime", &creation);
    }
    if at.is_some() {
        row.replace(plan.time, creation);
    } else if let Some(t) = fallback_time() {
        row.replace(plan.time, micros(t));
    }
    if let Some(number) = plan.enums(row)
        && let Some(name) = record_type_name(number)
        && let Some(column) = plan.record_type_name
    {
        row.replace(column, Slot::Text(name.into()));
    }
    let address = plan
        .client_ips
        .iter()
        .map(|c| row.get(*c).text())
        .chain([sender.text()])
        .find_map(address::clean);
    if let Some(address) = address {
        row.replace(plan.address, Slot::Text(address.into()));
    }
    row.replace(plan.record, Slot::Json(text));
    rows.push(row, record, Some(print));
    rows.identify(id);
    Ok(())
}

/// Fills the promoted columns of CloudAppEvents from its RawEventData. A record that is not JSON stays as it is. Says whether it is an object.
pub fn promote<'a>(text: &'a str, row: &mut Row<'a>) -> bool {
    let plan = &*CLOUD_APP;
    // The value itself is checked when the column is typed; here only an object has anything to promote.
    let whole = json::pick(text, &plan.paths, |slot, raw| {
        if slot < plan.table.columns.len() {
            row.set_path(slot, raw.into());
        }
    });
    if whole.is_ok() {
        plan.enums(row);
    }
    whole.is_ok()
}

/// Reads the RawEventData of CloudAppEvents where it stands in the row's own text, in one go: the promoted columns, the text and its
/// fingerprint. `keys` are those of such records before.
///
/// # Errors
/// When it is not JSON.
pub fn promote_value<'a>(
    value: json::Value<'_, 'a>,
    column: usize,
    row: &mut Row<'a>,
    keys: &mut KeyOrder,
) -> Result<(), Fault> {
    let plan = &*CLOUD_APP;
    let (text, print) = value.walk(&plan.paths, keys, |slot, raw| {
        if slot < plan.table.columns.len() {
            row.set_path(slot, raw.into());
        }
    })?;
    plan.enums(row);
    row.set_known(column, text, print);
    Ok(())
}

/// A time on its way into a column, spelled so that it is read back exactly.
pub fn micros<'a>(t: i64) -> Slot<'a> {
    let text = match chrono::DateTime::from_timestamp_micros(t) {
        Some(t) => t.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        None => return Slot::Empty,
    };
    Slot::Text(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Int32Type, TimestampMicrosecondType};

    #[test]
    fn a_label_record_fills_the_promoted_columns() {
        let table = catalog::table("UnifiedAuditLog");
        let mut rows = TableRows::new(table, None);
        let mut row = Row::new(table);
        let text = r#"{"Id":"7b0f0c6e-0000-4000-8000-000000000001","CreationTime":"2026-05-04T09:12:00","RecordType":"SensitivityLabelAction","UserType":"Regular",
            "Operation":"SensitivityLabelRemoved","UserId":"alice@contoso.com","ClientIP":"[2001:db8::1]:443",
            "SensitivityLabelEventData":{"OldSensitivityLabelId":"aaaa","LabelEventType":3}}"#;
        push(text, &mut row, &mut rows, 0, None).expect("an audit record");
        let arrays = rows.arrays();
        let text_of = |name: &str| {
            arrays[table.at(name)]
                .as_string::<i32>()
                .value(0)
                .to_string()
        };
        assert_eq!(
            text_of("SensitivityLabelEventData_OldSensitivityLabelId"),
            "aaaa"
        );
        assert_eq!(text_of("SensitivityLabelEventData_LabelEventType"), "3");
        assert_eq!(text_of("IPAddress"), "2001:db8::1");
        assert_eq!(text_of("ClientIP"), "[2001:db8::1]:443");
        assert_eq!(text_of("RecordTypeName"), "SensitivityLabelAction");
        assert_eq!(text_of("AuditData"), text);
        assert_eq!(
            arrays[table.at("RecordType")]
                .as_primitive::<Int32Type>()
                .value(0),
            83
        );
        assert_eq!(
            arrays[table.at("UserType")]
                .as_primitive::<Int32Type>()
                .value(0),
            0
        );
        let t = arrays[table.at(TIME)].as_primitive::<TimestampMicrosecondType>();
        assert_eq!(Some(t.value(0)), time::parse("2026-05-04T09:12:00Z", None));
        assert!(arrays[table.at("Workload")].is_null(0));
    }

    #[test]
    fn what_is_no_audit_record_is_refused_with_the_reason() {
        let table = catalog::table("UnifiedAuditLog");
        let mut rows = TableRows::new(table, None);
        let mut row = Row::new(table);
        let mut refused = |text: &'static str| {
            push(text, &mut row, &mut rows, 0, None)
                .expect_err(text)
                .to_string()
        };
        assert_eq!(refused(""), "AuditData is empty");
        assert_eq!(
            refused("{\"Platform\":1}"),
            "neither Id nor CreationTime: not an audit record"
        );
        assert_eq!(
            refused("{\"Id\":"),
            "AuditData: JSON ends in the middle (after 6 bytes)"
        );
        assert!(rows.is_empty());
    }
}
