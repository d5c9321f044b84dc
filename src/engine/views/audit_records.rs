//! Audit records of all sources, each event once: `UnifiedAuditLog`, and the views that only views read.
//!
//! One event may be in an audit export, in OfficeActivity and in CloudAppEvents; its id may be spelled in several ways, be missing, or
//! stand in `ReportId` only.

use std::fmt::Write;

use super::select::{columns, lineage, stored};
use crate::catalog::{EXTRA, FINGERPRINT, INGEST_ID, Kusto, Origin, RECORD, TIME, labels, table};
use crate::engine::apps::{FIRST_LABEL, FIRST_RECORD};
use crate::engine::session::Session;

/// Audit records of audit exports and of OfficeActivity, each once.
pub(super) const AUDIT: &str = "_Audit";
/// Audit records of audit exports and of CloudAppEvents, each once.
pub(super) const RECORDS: &str = "_Records";
/// Audit records of CloudAppEvents, each once.
pub(super) const APP_RECORDS: &str = "_AppRecords";
/// Label actions of CloudAppEvents, with a record and without, each once.
pub(super) const APP_LABELS: &str = "_AppLabels";
/// Audit records of audit exports and of OfficeActivity, and label actions of CloudAppEvents, each once.
pub(super) const LABEL_RECORDS: &str = "_LabelRecords";

/// The query of `UnifiedAuditLog` or of one of these.
pub(super) fn sql(session: &Session, name: &str) -> String {
    match name {
        AUDIT => audit(session),
        RECORDS => {
            let own = stored(table("UnifiedAuditLog"));
            let others = apart(session, &["UnifiedAuditLog"], &apps(APP_RECORDS), APPS_ID);
            with_apps(session, own, &others)
        }
        APP_RECORDS => app_records(session, Take::Records),
        APP_LABELS => app_records(session, Take::Labels),
        LABEL_RECORDS => {
            let key = format!("event_key({APPS_ID})");
            let others = without(&audited_labels(session), &apps(APP_LABELS), &key);
            with_apps(session, all_of(AUDIT), &others)
        }
        _ => {
            let others = apart(session, &AUDITED, &apps(APP_RECORDS), APPS_ID);
            with_apps(session, all_of(AUDIT), &others)
        }
    }
}

fn all_of(view: &str) -> String {
    format!("SELECT * FROM \"{view}\"")
}

/// The keys of the events in those of these tables that have rows, a query for each. What is equal to ingest is one key.
fn keys(session: &Session, tables: &[&str]) -> Vec<String> {
    let present = tables.iter().filter(|name| session.has(name));
    present
        .map(|name| {
            let key = match *name {
                "CloudAppEvents" => app_key(),
                "OfficeActivity" => "event_key(c.\"OfficeId\")".into(),
                _ => "event_key(c.\"Id\")".into(),
            };
            format!("SELECT {key} AS \"Key\" FROM stored.\"{name}\" AS c")
        })
        .collect()
}

/// The rows whose event is none of these; rows without a key are all different events.
///
/// The keys stand left, which is the side that a join keeps in memory; rows are wide.
pub(super) fn without(keys: &[String], rows: &str, key: &str) -> String {
    match keys {
        [] => rows.into(),
        keys => format!(
            "({}) AS k RIGHT ANTI JOIN {rows} ON k.\"Key\" = {key}",
            keys.join(" UNION ALL ")
        ),
    }
}

/// The rows whose event is in none of these tables, with a condition that others can follow. `id` is the id of a row's event.
///
/// Where it is known which events the tables have, they are not read, and a range of times goes down to the rows.
pub(super) fn apart(session: &Session, tables: &[&str], rows: &str, id: &str) -> String {
    let present = tables.iter().filter(|name| session.has(name));
    let known: Option<Vec<String>> = present
        .map(|name| Some(format!("{}({id})", known(session, name)?)))
        .collect();
    match known.as_deref() {
        Some([]) => format!("{rows} WHERE true"),
        Some(known) => format!("{rows} WHERE NOT ({})", known.join(" OR ")),
        None => {
            let keys = keys(session, tables);
            let rows = without(&keys, rows, &format!("event_key({id})"));
            format!("{rows} WHERE true")
        }
    }
}

/// The function that tells whether a table has the event of an id; nothing where it is not known which it has.
fn known(session: &Session, name: &str) -> Option<&'static str> {
    let mut all = session.known_events().iter();
    all.find(|(table, _)| *table == name)
        .map(|(_, function)| *function)
}

/// Audit records of audit exports, and those that only OfficeActivity had: it has their fields, not the record itself.
fn audit(session: &Session) -> String {
    let own = table("UnifiedAuditLog");
    let office = table("OfficeActivity");
    let mut sql = stored(own);
    if !session.has("OfficeActivity") {
        return sql;
    }
    let from_office = |name: &str| -> Option<String> {
        if let Some(e) = lineage("o", name) {
            return Some(e);
        }
        Some(match name {
            "Id" => "o.\"OfficeId\"".into(),
            "RecordType" => "record_type_number(o.\"RecordType\")".into(),
            "RecordTypeName" => "record_type_name(record_type_number(o.\"RecordType\"))".into(),
            "UserType" => "user_type_number(o.\"UserType\")".into(),
            "IPAddress" => "coalesce(clean_ip(o.\"ClientIP\"), clean_ip(o.\"Client_IPAddress\"), \
                clean_ip(o.\"ActorIpAddress\"))"
                .into(),
            "Workload" => "o.\"OfficeWorkload\"".into(),
            "ObjectId" => "o.\"OfficeObjectId\"".into(),
            "ClientIPAddress" => "o.\"Client_IPAddress\"".into(),
            "Site" => "o.\"Site_\"".into(),
            "SiteUrl" => "o.\"Site_Url\"".into(),
            "EventData" => "o.\"Event_Data\"".into(),
            "Target" => "o.\"AADTarget\"".into(),
            EXTRA => return None,
            _ => {
                let column = office.columns.iter().find(|c| c.name == name)?;
                match column.kusto {
                    Kusto::String | Kusto::Dynamic | Kusto::Guid => format!("o.\"{name}\""),
                    _ => format!("CAST(o.\"{name}\" AS VARCHAR)"),
                }
            }
        })
    };
    let _ = write!(
        sql,
        " UNION ALL SELECT {} FROM {}",
        columns(own, &from_office),
        apart(
            session,
            &["UnifiedAuditLog"],
            "stored.\"OfficeActivity\" AS o",
            "o.\"OfficeId\""
        )
    );
    sql
}

/// Tables of audit records, the more complete first.
const AUDITED: [&str; 2] = ["UnifiedAuditLog", "OfficeActivity"];

/// Whether any source has audit records beside CloudAppEvents.
pub(super) fn has_audit(session: &Session) -> bool {
    AUDITED.iter().any(|name| session.has(name))
}

/// Id of the audit record of a CloudAppEvents row: its own, else the end of `ReportId`, for rows that were exported without RawEventData.
const APP_ID: &str = "app_record_id(c.\"RawEventData_Id\", c.\"ReportId\")";

pub(super) fn app_key() -> String {
    format!("event_key({APP_ID})")
}

/// Whether a CloudAppEvents row has an audit record.
const HAS_RECORD: &str =
    "(c.\"RawEventData_Id\" IS NOT NULL AND c.\"RawEventData_Operation\" IS NOT NULL)";

/// Whether a record is about labels, as a condition on its type and its operation.
pub(crate) fn is_label(record_type: &str, operation: &str) -> String {
    let types: Vec<String> = labels::RECORD_TYPES.iter().map(i32::to_string).collect();
    let operations: Vec<String> = labels::operations().map(|o| format!("'{o}'")).collect();
    format!(
        "({record_type} IN ({}) OR {operation} IN ({}) OR ({record_type} = {} AND {operation} = '{}'))",
        types.join(", "),
        operations.join(", "),
        labels::SECOND_OF_MAIL,
        labels::MAIL
    )
}

/// Which rows of CloudAppEvents are taken for audit records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    /// Those that have one.
    Records,
    /// Those that are about labels, also where only the row itself says so.
    Labels,
}

impl Take {
    /// As a condition.
    fn condition(self) -> String {
        match self {
            Take::Records => HAS_RECORD.into(),
            Take::Labels => is_label(
                "c.\"RawEventData_RecordType\"",
                "coalesce(c.\"RawEventData_Operation\", c.\"ActionType\")",
            ),
        }
    }

    /// The function that tells of a row whether no other row of its event comes before it.
    fn is_first(self) -> &'static str {
        match self {
            Take::Records => FIRST_RECORD,
            Take::Labels => FIRST_LABEL,
        }
    }

    /// The order of the rows of one event; no two have the same. Some records are in two rows, `1_20892_<Id>` and `2_20892_<Id>`: the
    /// first by ReportId counts, whatever the order of the ingests, and one with the record before one without. Of rows without a ReportId the
    /// first by time counts, and of those of one time one that is chosen by its content.
    fn rank(self) -> String {
        let rank = format!(
            "coalesce(nullif(trim(c.\"ReportId\"), ''), coalesce(CAST(c.\"{TIME}\" AS VARCHAR), '') || ' ' || \
               coalesce(encode(c.\"{FINGERPRINT}\", 'hex'), '') || ' ' || \
               CAST(c.\"{INGEST_ID}\" AS VARCHAR) || ':' || CAST(c.\"{RECORD}\" AS VARCHAR))"
        );
        match self {
            Take::Records => rank,
            Take::Labels => {
                format!("(CASE WHEN {HAS_RECORD} THEN '0' ELSE '1' END || {rank})")
            }
        }
    }
}

/// Whether a row of CloudAppEvents is about a label, as a condition.
pub(super) fn is_app_label() -> String {
    Take::Labels.condition()
}

/// The keys of the events in [`LABEL_RECORDS`].
pub(super) fn label_keys(session: &Session) -> Vec<String> {
    let mut keys = audited_labels(session);
    if session.has("CloudAppEvents") {
        keys.push(format!(
            "SELECT {} AS \"Key\" FROM stored.\"CloudAppEvents\" AS c WHERE {}",
            app_key(),
            Take::Labels.condition()
        ));
    }
    keys
}

/// The keys of label actions in audit exports and OfficeActivity: only another record of a label action makes one superfluous.
fn audited_labels(session: &Session) -> Vec<String> {
    let present = AUDITED.iter().filter(|name| session.has(name));
    present
        .map(|name| {
            let (id, record_type) = match *name {
                "OfficeActivity" => ("OfficeId", "record_type_number(c.\"RecordType\")"),
                _ => ("Id", "c.\"RecordType\""),
            };
            format!(
                "SELECT event_key(c.\"{id}\") AS \"Key\" FROM stored.\"{name}\" AS c WHERE {}",
                is_label(record_type, "c.\"Operation\"")
            )
        })
        .collect()
}

/// CloudAppEvents as audit records.
fn app_records(session: &Session, take: Take) -> String {
    let own = table("UnifiedAuditLog");
    // What the row itself says where it has no record.
    let instead = |name: &str| match (take, name) {
        (Take::Labels, "Operation") => Some("c.\"ActionType\""),
        (Take::Labels, "UserId") => Some("c.\"AccountId\", c.\"AccountDisplayName\""),
        (Take::Labels, "ObjectId") => Some("c.\"ObjectId\""),
        (Take::Labels, "SourceFileName") => Some("c.\"ObjectName\""),
        _ => None,
    };
    let from_apps = |name: &str| -> Option<String> {
        if let Some(e) = lineage("c", name) {
            return Some(e);
        }
        let column = own.columns.iter().find(|c| c.name == name)?;
        Some(match name {
            "Id" => APP_ID.into(),
            "RecordType" | "UserType" => format!("c.\"RawEventData_{name}\""),
            "RecordTypeName" => "record_type_name(c.\"RawEventData_RecordType\")".into(),
            "IPAddress" => {
                "coalesce(clean_ip(c.\"RawEventData_ClientIP\"), clean_ip(c.\"IPAddress\"))".into()
            }
            "AuditData" => "c.\"RawEventData\"".into(),
            _ if matches!(column.origin, Origin::Path(_)) => {
                let recorded = format!("c.\"RawEventData_{name}\"");
                match instead(name) {
                    Some(instead) => format!(
                        "CASE WHEN {HAS_RECORD} THEN {recorded} ELSE coalesce({recorded}, {instead}) END"
                    ),
                    None => recorded,
                }
            }
            _ => return None,
        })
    };
    let list = columns(own, &from_apps);
    let (key, rank, condition) = (app_key(), take.rank(), take.condition());
    if known(session, "CloudAppEvents").is_some() {
        let first = take.is_first();
        return format!(
            "SELECT {list} FROM stored.\"CloudAppEvents\" AS c WHERE {condition} AND {first}({APP_ID}, {rank})"
        );
    }
    // To number the rows of each key would be to sort them all.
    format!(
        "SELECT {list} FROM (SELECT {key} AS \"Key\", min({rank}) AS \"First\" FROM stored.\"CloudAppEvents\" AS c \
           WHERE {condition} GROUP BY 1 HAVING count(*) > 1) AS k \
         RIGHT ANTI JOIN stored.\"CloudAppEvents\" AS c ON k.\"Key\" = {key} AND {rank} > k.\"First\" WHERE {condition}"
    )
}

/// The rows of a view of CloudAppEvents as audit records.
fn apps(view: &str) -> String {
    format!("\"{view}\" AS a")
}

/// The id of an event there.
const APPS_ID: &str = "a.\"Id\"";

/// Audit records, and those of CloudAppEvents that none of their tables has.
fn with_apps(session: &Session, rows: String, others: &str) -> String {
    if !session.has("CloudAppEvents") {
        return rows;
    }
    format!("{rows} UNION ALL SELECT a.* FROM {others}")
}
