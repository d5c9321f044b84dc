//! Views: each table answered from whatever was ingested, each event once.
//!
//! A view reads the stored table of its name and what other tables say of the same kind of event; where two sources
//! have one event, the table's own row counts. Parts whose source has no rows are left out of the query. Rows of a table never come
//! back into its view through another one: by where they are from, since not every event has an id.
//!
//! Views are made of the rows of all times and cut to the session's range last.
//!
//! The time of an event is that of the row that counts, and which row counts does not depend on the order of the ingests. In a view that is the row
//! of its own table; else that of the audit exports (`CreationTime`), then of OfficeActivity, then of CloudAppEvents, of several there the first by
//! ReportId, else by time and content. `LabelEvents` asks the audit exports first, then OfficeActivity, CloudAppEvents,
//! MicrosoftPurviewInformationProtection, DataSecurityEvents, ActivityExplorer and CopilotActivity. Of two contents of one event in one table the one that came first counts, and the
//! other is in `Revisions`: the archive takes nothing back that a finding may stand on.
//!
//! The mappings follow public rows of the same event in several tables; where a product enriches (countries), a view over audit records says
//! null. Names of people are those that the archive knows from its other tables.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::prelude::lit;

use super::session::Session;
use super::small;
use crate::catalog::audit::{self, APPLICATION_OTHERWISE, APPLICATIONS};
use crate::catalog::{DATE, EXTRA, Kusto, Origin, TIME, TYPE, Table, catalog, table};
use crate::fault::Result;
use crate::ingest::format::OTHER;

use audit_records::{APP_LABELS, APP_RECORDS, AUDIT, LABEL_RECORDS, RECORDS, apart, has_audit};
use information_protection_logs::{REQUESTS, has_requests};
use select::{columns, from_extra, lineage, rows, stored};

pub(crate) use audit_records::is_label;
pub(super) use information_protection_logs::has_rows as has_protection_logs;
pub(super) use names::is_beside;
pub use names::{
    INFORMATION_PROTECTION_EVENTS, INFORMATION_PROTECTION_LOGS, LABEL_EVENTS, SOURCE, exists,
};
pub(crate) use people::known as people_of;

pub mod alerts;
mod audit_records;
pub(super) mod custom;
pub(super) mod found;
mod information_protection_events;
mod information_protection_logs;
mod label_events;
mod label_sources;
pub(super) mod makers;
pub(super) mod names;
mod people;
mod select;
mod wide;

/// Registers a view.
///
/// # Errors
/// When DataFusion refuses its query, which is a fault of coldtrail.
pub(super) async fn make(session: &Session, name: &str) -> Result<()> {
    let _alone = session.makers.alone(name).await;
    if !exists(name) {
        return custom::make(session, name).await;
    }
    make_whole(session, name).await?;
    session.publish(name, time_of(name)).await
}

/// The column of a view by which it is cut to a range of times.
pub(super) fn time_of(name: &str) -> Option<&'static str> {
    match name {
        LABEL_EVENTS => Some(TIME),
        INFORMATION_PROTECTION_EVENTS => Some(information_protection_events::TIME),
        // A table of a workspace's own.
        _ if !exists(name) => Some(TIME),
        _ => {
            let table = described(name);
            (table.by_day || table.concluded).then_some(TIME)
        }
    }
}

/// Makes a view of the rows of all times, and the views that it reads. Nobody else makes it meanwhile.
async fn make_whole(session: &Session, name: &str) -> Result<()> {
    let reference = || TableReference::bare(name);
    if session.whole.table_exist(reference())? {
        return Ok(());
    }
    for needed in needs(session, name) {
        let _alone = session.makers.alone(needed).await;
        Box::pin(make_whole(session, needed)).await?;
    }
    let sql = match name {
        LABEL_EVENTS => label_events::sql(session).await?,
        INFORMATION_PROTECTION_EVENTS => information_protection_events::SQL.into(),
        INFORMATION_PROTECTION_LOGS => information_protection_logs::sql(session),
        REQUESTS => information_protection_logs::requests(session),
        "UnifiedAuditLog" | AUDIT | RECORDS | APP_RECORDS | APP_LABELS | LABEL_RECORDS => {
            audit_records::sql(session, name)
        }
        "CloudAppEvents" => cloud_app_events(session),
        "OfficeActivity" => office_activity(session),
        alerts::ALERTS | alerts::INCIDENTS => alerts::sql(session, name),
        _ => either_name(session, described(name)),
    };
    let state = session.whole.state();
    let plan = wide::plan(&state, &sql).await?;
    // A table that no export has filled is planned in no time.
    let view: Arc<dyn TableProvider> = match small::has_none(&state, &plan)? {
        true => {
            let schema = Arc::new(plan.schema().as_arrow().clone());
            Arc::new(MemTable::try_new(schema, vec![Vec::new()])?)
        }
        false => DataFrame::new(state, plan).into_view(),
    };
    session.whole.register_table(reference(), view)?;
    Ok(())
}

fn needs(session: &Session, name: &str) -> &'static [&'static str] {
    match name {
        LABEL_EVENTS if session.stored.is_derived() => &[],
        LABEL_EVENTS if has_requests(session) => &[LABEL_RECORDS, REQUESTS],
        LABEL_EVENTS => &[LABEL_RECORDS],
        INFORMATION_PROTECTION_EVENTS => &[INFORMATION_PROTECTION_LOGS],
        INFORMATION_PROTECTION_LOGS if has_requests(session) => &[REQUESTS],
        LABEL_RECORDS => &[AUDIT, APP_LABELS],
        "OfficeActivity" => &[RECORDS],
        RECORDS => &[APP_RECORDS],
        "UnifiedAuditLog" => &[AUDIT, APP_RECORDS],
        "CloudAppEvents" => &[AUDIT],
        _ => &[],
    }
}

/// The table of that name, stored or foreign, which the catalog promises.
fn described(name: &str) -> &'static Table {
    catalog().foreign(name).unwrap_or_else(|| table(name))
}

/// The paths of the audit record whose kept texts are all JSON in the rows of a view.
pub(super) fn nested_paths(session: &Session, of: &str) -> Vec<&'static str> {
    const RECORDED: [&str; 2] = ["UnifiedAuditLog", "CloudAppEvents"];
    let present = RECORDED.into_iter().filter(|name| session.has(name));
    let present: Vec<&'static str> = present.collect();
    // Rows of OfficeActivity have paths, and no record.
    if !RECORDED.contains(&of) || present.is_empty() || session.has("OfficeActivity") {
        return Vec::new();
    }
    let certain = |path: &&'static str| {
        let mut sources = present.iter();
        sources.all(|name| session.stored.is_nested(name, path))
    };
    audit::LISTS.into_iter().filter(certain).collect()
}

/// Adds the hidden columns of a table that a query names to the rows of its view.
pub(super) fn with_hidden(
    mut rows: DataFrame,
    of: &Table,
    named: impl Fn(&str) -> bool,
) -> Result<DataFrame> {
    // A file that the user named like the table has its own columns only.
    if !rows.schema().has_column_with_unqualified_name(EXTRA) {
        return Ok(rows);
    }
    for column in of.hidden().filter(|c| named(c.name)) {
        let value = rows.parse_sql_expr(&from_extra(&format!("\"{EXTRA}\""), column))?;
        rows = rows.with_column(column.name, value)?;
    }
    Ok(rows)
}

/// Adds the column with the table's name, which every table of Log Analytics has, to the rows of a view without one. Rows of no known table
/// say their own.
pub(super) fn with_type(rows: DataFrame, name: &str) -> Result<DataFrame> {
    let has = |column: &str| rows.schema().has_column_with_unqualified_name(column);
    // Files and watchlists have their own columns only.
    if has(TYPE) || !has(SOURCE) || !exists(name) {
        return Ok(rows);
    }
    let value = match name {
        OTHER => rows.parse_sql_expr(&format!("coalesce({}, '{OTHER}')", custom::said()))?,
        name => lit(name),
    };
    Ok(rows.with_column(TYPE, value)?)
}

/// The name of a table before or after Defender XDR renamed it.
fn other_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "AADSignInEventsBeta" => "EntraIdSignInEvents",
        "EntraIdSignInEvents" => "AADSignInEventsBeta",
        "AADSpnSignInEventsBeta" => "EntraIdSpnSignInEvents",
        "EntraIdSpnSignInEvents" => "AADSpnSignInEventsBeta",
        _ => return None,
    })
}

/// A table, and where no rows are stored under its name, those of its other name.
fn either_name(session: &Session, own: &Table) -> String {
    let mut sql = rows(own, own);
    if let Some(other) = other_name(own.name)
        && !session.has(own.name)
    {
        let _ = write!(sql, " UNION ALL {}", rows(own, described(other)));
    }
    sql
}

/// What the product has for the workload of an audit record.
fn by_workload(of: fn(&(&str, &str, i32)) -> String, otherwise: &str) -> String {
    let cases: String = APPLICATIONS
        .iter()
        .map(|a| format!(" WHEN '{}' THEN {}", a.0, of(a)))
        .collect();
    format!("CASE u.\"Workload\"{cases} ELSE {otherwise} END")
}

/// CloudAppEvents, and audit records that have no row there. These carry the name that the archive knows for their account.
fn cloud_app_events(session: &Session) -> String {
    let own = table("CloudAppEvents");
    let mut sql = stored(own);
    if !has_audit(session) {
        return sql;
    }
    let (name, id) = APPLICATION_OTHERWISE;
    let application = by_workload(|a| format!("'{}'", a.1), &format!("'{name}'"));
    let application_id = by_workload(|a| a.2.to_string(), &id.to_string());
    let people::Actors {
        rows,
        object_id,
        display_name,
    } = people::actors(session);
    let mailbox = "u.\"RecordType\" IN (2, 3, 50)";
    let from_audit = |name: &str| -> Option<String> {
        if let Some(e) = lineage("u", name) {
            return Some(e);
        }
        let column = own.columns.iter().find(|c| c.name == name)?;
        Some(match name {
            "ActionType" => "u.\"Operation\"".into(),
            "Application" => application.clone(),
            "ApplicationId" => format!("CAST({application_id} AS INT)"),
            "AppInstanceId" => "CAST(0 AS INT)".into(),
            "AccountObjectId" => object_id.clone(),
            "AccountId" => format!(
                "coalesce({object_id}, CASE WHEN u.\"UserType\" IN (5, 6) THEN coalesce(nullif(u.\"UserKey\", ''), nullif(u.\"AppId\", '')) END, \
                lower(coalesce(nullif(u.\"UserKey\", ''), u.\"UserId\")))"
            ),
            "AccountDisplayName" => display_name.clone(),
            "AccountType" => "CASE WHEN u.\"UserType\" IN (0, 4) THEN 'Regular' \
                WHEN u.\"UserType\" IN (2, 3) THEN 'Admin' WHEN u.\"UserType\" IN (5, 6) THEN 'Application' END"
                .into(),
            "IsAdminOperation" => "coalesce(u.\"RecordType\" IN (1, 18), false)".into(),
            "IPAddress" => "u.\"IPAddress\"".into(),
            // Exports spell a text in several ways: all slashes of an audit CSV are escaped.
            "UserAgent" => "coalesce(nullif(u.\"UserAgent\", ''), user_agent_among(u.\"ExtendedProperties\"), u.\"ClientInfoString\")".into(),
            "ActivityType" => format!("CASE WHEN {mailbox} THEN 'Run' ELSE 'Basic' END"),
            "ObjectName" => {
                format!("CASE WHEN {mailbox} THEN u.\"Operation\" ELSE u.\"SourceFileName\" END")
            }
            "ObjectType" => format!(
                "CASE WHEN {mailbox} THEN 'Task' WHEN u.\"SourceFileName\" <> '' THEN 'File' END"
            ),
            "ObjectId" => "u.\"ObjectId\"".into(),
            "ReportId" => format!("'0_' || CAST({application_id} AS VARCHAR) || '_' || u.\"Id\""),
            "RawEventData" => "u.\"AuditData\"".into(),
            "AdditionalFields" => "'{}'".into(),
            "IsExternalUser" => {
                "coalesce(u.\"UserType\" = 10 OR lower(u.\"UserId\") LIKE '%#ext#%', false)".into()
            }
            "IsImpersonated" => "false".into(),
            "OAuthAppId" => {
                "coalesce(nullif(u.\"ClientAppId\", ''), u.\"AppAccessContext_ClientAppId\")".into()
            }
            "Type" => "'CloudAppEvents'".into(),
            _ => match (&column.origin, name.strip_prefix("RawEventData_")) {
                (Origin::Path(_), Some(path)) => format!("u.\"{path}\""),
                _ => return None,
            },
        })
    };
    let _ = write!(
        sql,
        " UNION ALL SELECT {} FROM {}",
        columns(own, &from_audit),
        apart(session, &["CloudAppEvents"], &rows, "u.\"Id\"")
    );
    sql
}

/// Record types of label actions, which Sentinel keeps in another table than OfficeActivity.
const LABEL_RECORD_TYPES: &str = "43, 71, 72, 75, 82, 83, 84, 93, 94, 95, 96, 97, 206";
/// Record types whose name OfficeActivity spells out; newer ones are numbers there.
const OFFICE_NAMED: i32 = 25;

/// The value of a column, from an expression that gives its text.
fn of_type(kusto: Kusto, text: String) -> String {
    match kusto {
        Kusto::Bool => format!("TRY_CAST({text} AS BOOLEAN)"),
        Kusto::Int => format!("TRY_CAST({text} AS INT)"),
        Kusto::Long => format!("TRY_CAST({text} AS BIGINT)"),
        Kusto::Real => format!("TRY_CAST({text} AS DOUBLE)"),
        Kusto::DateTime => format!(
            "arrow_cast(TRY_CAST({text} AS TIMESTAMP), 'Timestamp(Microsecond, Some(\"UTC\"))')"
        ),
        Kusto::Guid | Kusto::String | Kusto::Dynamic => text,
    }
}

/// OfficeActivity, and the audit records of its workloads that have no row there. As in `UnifiedAuditLog`, a user is spelled as the record
/// spells it: these tables are the evidence, and their ids lead to the audit log of the service itself.
fn office_activity(session: &Session) -> String {
    let own = table("OfficeActivity");
    let mut sql = stored(own);
    if !has_audit(session) && !session.has("CloudAppEvents") {
        return sql;
    }
    let promoted = |path: &str| audit::paths().iter().find(|p| p.path == path);
    let field = |path: &str| match promoted(path) {
        Some(p) => format!("u.\"{}\"", p.column),
        None => format!("json_as_text(u.\"AuditData\", '{path}')"),
    };
    let from_audit = |name: &str| -> Option<String> {
        if let Some(e) = lineage("u", name) {
            return Some(e);
        }
        let column = own.columns.iter().find(|c| c.name == name)?;
        let text = match name {
            "RecordType" => format!(
                "CASE WHEN u.\"RecordType\" <= {OFFICE_NAMED} \
                 THEN coalesce(record_type_name(u.\"RecordType\"), CAST(u.\"RecordType\" AS VARCHAR)) \
                 ELSE CAST(u.\"RecordType\" AS VARCHAR) END"
            ),
            "UserType" => "user_type_name(u.\"UserType\")".into(),
            "OfficeWorkload" => "u.\"Workload\"".into(),
            "OfficeId" | "SourceRecordId" => "u.\"Id\"".into(),
            "OfficeObjectId" => "u.\"ObjectId\"".into(),
            "ResultReasonType" => "u.\"ResultStatus\"".into(),
            "Client_IPAddress" => "u.\"ClientIPAddress\"".into(),
            "Logon_Type" => "CASE u.\"LogonType\" WHEN '0' THEN 'Owner' WHEN '1' THEN 'Admin' \
                WHEN '2' THEN 'Delegated' WHEN '3' THEN 'Transport' WHEN '4' THEN 'SystemService' \
                WHEN '5' THEN 'BestAccess' WHEN '6' THEN 'DelegatedAdmin' ELSE u.\"LogonType\" END"
                .into(),
            "ExternalAccess" => "CASE json_as_text(u.\"AuditData\", 'ExternalAccess') \
                WHEN 'true' THEN 'True' WHEN 'false' THEN 'False' \
                ELSE json_as_text(u.\"AuditData\", 'ExternalAccess') END"
                .into(),
            "Site_" => field("Site"),
            "Site_Url" => field("SiteUrl"),
            "Event_Data" => field("EventData"),
            "Source_Name" => field("SourceName"),
            "AddonName" => field("AddOnName"),
            "IntraSystemId" => field("IntraSystemId"),
            "AzureActiveDirectory_EventType" => field("AzureActiveDirectoryEventType"),
            "AADTarget" => field("Target"),
            "Start_Time" => return Some(format!("u.\"{TIME}\"")),
            "SourceSystem" => "'OfficeActivityManager'".into(),
            "Type" => "'OfficeActivity'".into(),
            // The workspace, its tenant and what billing adds are not in the audit log.
            "TenantId" | "OfficeTenantId" | EXTRA | DATE => return None,
            _ if name.starts_with('_') || column.origin != Origin::Export => return None,
            "CrossMailboxOperations" => {
                "coalesce(json_as_text(u.\"AuditData\", 'CrossMailboxOperations'), \
                json_as_text(u.\"AuditData\", 'CrossMailboxOperation'))"
                    .into()
            }
            _ => field(name),
        };
        Some(of_type(column.kusto, text))
    };
    let _ = write!(
        sql,
        " UNION ALL SELECT {} FROM {} \
            AND u.\"Workload\" IN ('Exchange', 'SharePoint', 'OneDrive', 'MicrosoftTeams') \
            AND coalesce(u.\"RecordType\", 0) NOT IN ({LABEL_RECORD_TYPES}) \
            AND (u.\"RecordType\" = 13 AND u.\"Operation\" = 'MipLabel') IS NOT TRUE",
        columns(own, &from_audit),
        apart(
            session,
            &["OfficeActivity"],
            &format!("\"{RECORDS}\" AS u"),
            "u.\"Id\""
        )
    );
    sql
}
