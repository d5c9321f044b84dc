//! `LabelEvents`: every label action from every source and spelling in one shape.
//!
//! Upgraded or downgraded comes from the record's own `LabelEventType` where it has one, else from the ranks of the
//! watchlist `Labels`. A labelled mail writes two `MipLabel` records, of types 43 and 13; the second counts only where the first is
//! missing.
//!
//! Where the archive has the rows derived already, the view joins them with names and ranks and leaves out what is there twice. Else it works
//! them out of the sources, as [`derived`](crate::archive::derived) does: a session over events in memory, or over an archive of an older version.
//!
//! Sources write the address of one person in several cases; here it has one, so that a person is one group. The record keeps its own.

use datafusion::common::TableReference;

use super::audit_records::{LABEL_RECORDS, app_key, is_app_label, is_label, label_keys, without};
use super::information_protection_logs::{REQUESTS, has_requests};
use super::label_sources::{COPILOT_ROWS, COPILOT_TABLE, EXPLORED, EXPLORED_ROWS, READ_BY_COPILOT};
use crate::archive::derived::is_made_of;
use crate::catalog::catalog;
use crate::catalog::labels::{COPILOT, HEARTBEAT, MAIL, SECOND_OF_MAIL};
use crate::engine::session::Session;
use crate::fault::{Error, Result};

/// The view's query.
pub(super) async fn sql(session: &Session) -> Result<String> {
    let (country, events) = match session.stored.is_derived() {
        true => derived(session),
        false => (country(session), events(session)),
    };
    Ok(format!(
        "WITH labels AS ({labels}), country AS ({country}), events AS ({events}) {CHOOSE}",
        labels = labels(session).await?,
    ))
}

/// The countries of events and the events, of the rows that are derived. What ingests have seen to is not worked out again.
fn derived(session: &Session) -> (String, String) {
    let country = match session.stored.may_have("CloudAppEvents") {
        true => DERIVED_COUNTRY.to_string(),
        false => no_country(),
    };
    let tables = catalog().tables().filter(|t| is_made_of(t.name));
    let mut sources = tables.filter(|t| session.stored.may_have(t.name));
    let first = sources.next().map(|table| table.name);
    // An audit log has each event once.
    let rows = match (first, sources.next()) {
        (Some("UnifiedAuditLog" | "OfficeActivity"), None) => "stored.\"LabelEvents\"",
        _ => ONCE,
    };
    (country, format!("{DERIVED} {rows} AS u {BESIDE_MAIL}"))
}

/// The events of all sources, worked out of these.
fn events(session: &Session) -> String {
    let mut parts = vec![audit(session)];
    if session.has("InformationProtectionLogs_CL") {
        parts.push(INFORMATION_PROTECTION.to_string());
    }
    if has_requests(session) {
        parts.push(format!("{RIGHTS_MANAGEMENT} FROM \"{REQUESTS}\" AS r"));
    }
    if session.has("MicrosoftPurviewInformationProtection") {
        parts.push(purview(session));
    }
    if session.has("DataSecurityEvents") {
        parts.push(secured(session));
    }
    if session.has("ActivityExplorer") {
        let rows = without(
            &known_keys(session),
            EXPLORED_ROWS,
            "event_key(x.\"RecordIdentity\")",
        );
        parts.push(format!(
            "{EXPLORED} FROM {rows} WHERE x.\"Kind\" IS NOT NULL"
        ));
    }
    if session.has("CopilotActivity") {
        let rows = without(
            &label_keys(session),
            COPILOT_TABLE,
            "event_key(r.\"EventId\")",
        );
        parts.push(format!(
            "{READ_BY_COPILOT} FROM {rows} WHERE r.\"Read\" IS NOT NULL"
        ));
    }
    parts.join(" UNION ALL ")
}

/// The keys of the events of all sources that say more of one than the activity explorer does.
fn known_keys(session: &Session) -> Vec<String> {
    let mut keys = label_keys(session);
    if session.has("MicrosoftPurviewInformationProtection") {
        keys.push(purview_keys());
    }
    if session.has("DataSecurityEvents") {
        keys.push(format!(
            "SELECT event_key(d.\"ActivityId\") AS \"Key\" FROM {SECURED_ROWS} WHERE d.\"Label\" IS NOT NULL"
        ));
    }
    keys
}

/// The watchlist with one row a label; the names of its columns may be in any case.
async fn labels(session: &Session) -> Result<String> {
    let reference = TableReference::partial("watchlists", "Labels");
    if !session.context().table_exist(reference.clone())? {
        return Ok(
            "SELECT CAST(NULL AS VARCHAR) AS \"Id\", CAST(NULL AS VARCHAR) AS \"Name\", \
                   CAST(NULL AS INT) AS \"Rank\" WHERE false"
                .into(),
        );
    }
    let provider = session.context().table_provider(reference).await?;
    let schema = provider.schema();
    let column = |name: &str| {
        schema
            .fields()
            .iter()
            .find(|f| f.name().eq_ignore_ascii_case(name))
            .map(|f| format!("\"{}\"", f.name()))
    };
    let (Some(id), Some(name)) = (column("Id"), column("Name")) else {
        return Err(Error::Query(
            "watchlist `Labels` needs the columns Id and Name (and Rank, Parent)".into(),
        ));
    };
    let rank = column("Rank").unwrap_or_else(|| "NULL".into());
    let parent = column("Parent").unwrap_or_else(|| "CAST(NULL AS VARCHAR)".into());
    Ok(format!(
        "SELECT lower(trim(l.{id})) AS \"Id\", \
           min(CASE WHEN l.\"P\" IS NULL OR starts_with(lower(l.{name}), lower(coalesce(p.\"N\", l.\"P\") || '\\')) THEN l.{name} \
             ELSE coalesce(p.\"N\", l.\"P\") || '\\' || l.{name} END) AS \"Name\", \
           min(TRY_CAST(TRY_CAST(l.\"R\" AS DOUBLE) AS INT)) AS \"Rank\" \
         FROM (SELECT {id}, {name}, {rank} AS \"R\", nullif(trim({parent}), '') AS \"P\" FROM watchlists.\"Labels\") AS l \
         LEFT JOIN (SELECT lower(trim({id})) AS \"I\", min({name}) AS \"N\" FROM watchlists.\"Labels\" GROUP BY 1) AS p \
           ON p.\"I\" = lower(l.\"P\") \
         WHERE l.{id} IS NOT NULL GROUP BY 1"
    ))
}

/// The country of an event, where a CloudAppEvents row about a label says it.
fn country(session: &Session) -> String {
    if !session.has("CloudAppEvents") {
        return no_country();
    }
    format!(
        "SELECT {} AS \"Key\", min(c.\"CountryCode\") AS \"CountryCode\" FROM stored.\"CloudAppEvents\" AS c \
         WHERE c.\"CountryCode\" IS NOT NULL AND {} GROUP BY 1",
        app_key(),
        is_app_label()
    )
}

fn no_country() -> String {
    "SELECT CAST(NULL AS VARCHAR) AS \"Key\", CAST(NULL AS VARCHAR) AS \"CountryCode\" WHERE false"
        .into()
}

/// What tables say of mails and their labels: columns with the type, the operation and the mail of a record.
const MAILS: [(&str, &str, &str, &str); 4] = [
    (
        "UnifiedAuditLog",
        "m.\"RecordType\"",
        "Operation",
        "ObjectId",
    ),
    (
        "OfficeActivity",
        "record_type_number(m.\"RecordType\")",
        "Operation",
        "OfficeObjectId",
    ),
    (
        "CloudAppEvents",
        "m.\"RawEventData_RecordType\"",
        "RawEventData_Operation",
        "RawEventData_ObjectId",
    ),
    (
        "MicrosoftPurviewInformationProtection",
        "m.\"RecordType\"",
        "Operation",
        "ObjectId",
    ),
];

/// Audit records of labels. Of the two that a labelled mail writes, the one of type 13 counts where the other is in no source.
fn audit(session: &Session) -> String {
    let mails: Vec<String> = MAILS
        .iter()
        .filter(|(table, ..)| session.has(table))
        .map(|(table, record_type, operation, mail)| {
            format!(
                "SELECT m.\"{mail}\" AS \"Mail\" FROM stored.\"{table}\" AS m \
                 WHERE {record_type} = 43 AND m.\"{operation}\" = '{MAIL}'"
            )
        })
        .collect();
    let rows = format!("\"{LABEL_RECORDS}\" AS u");
    let rows = match mails.as_slice() {
        [] => rows,
        mails => format!(
            "({}) AS m RIGHT ANTI JOIN {rows} \
               ON m.\"Mail\" = u.\"ObjectId\" AND u.\"RecordType\" = {SECOND_OF_MAIL} AND u.\"Operation\" = '{MAIL}'",
            mails.join(" UNION ALL ")
        ),
    };
    format!(
        "{AUDIT} FROM {rows} WHERE {} AND (u.\"Operation\" IS DISTINCT FROM '{HEARTBEAT}') AND (u.\"Operation\" IS DISTINCT FROM '{COPILOT}') \
         UNION ALL {READ_BY_COPILOT} FROM {COPILOT_ROWS} WHERE r.\"Read\" IS NOT NULL",
        is_label("u.\"RecordType\"", "u.\"Operation\"")
    )
}

/// Rows of Sentinel's table of the same records that say something of their own. Types 13 and 97: the second record of a mail, and signs of life.
const PURVIEW_ROWS: &str = r#"(m."Operation" IS DISTINCT FROM 'HeartBeat') AND coalesce(m."RecordType", 0) NOT IN (13, 97)"#;

/// Sentinel's table of the same records, those that no other source has.
fn purview(session: &Session) -> String {
    let rows = without(
        &label_keys(session),
        "stored.\"MicrosoftPurviewInformationProtection\" AS m",
        "event_key(m.\"Id\")",
    );
    format!("{PURVIEW} FROM {rows} WHERE {PURVIEW_ROWS}")
}

/// The keys of the events there.
fn purview_keys() -> String {
    format!(
        "SELECT event_key(m.\"Id\") AS \"Key\" FROM stored.\"MicrosoftPurviewInformationProtection\" AS m \
         WHERE {PURVIEW_ROWS}"
    )
}

/// Data security events of Defender XDR that are about a label, those that no other source has.
fn secured(session: &Session) -> String {
    let mut keys = label_keys(session);
    if session.has("MicrosoftPurviewInformationProtection") {
        keys.push(purview_keys());
    }
    let rows = without(&keys, SECURED_ROWS, "event_key(d.\"ActivityId\")");
    format!("{SECURED} FROM {rows} WHERE d.\"Label\" IS NOT NULL")
}

/// What an audit record says, wherever it came from.
const AUDIT: &str = r#"
SELECT
  u."TimeGenerated",
  coalesce(label_failure(u."ResultStatus"), label_operation(u."Operation"),
    CASE WHEN u."RecordType" = 95 AND trim(u."Operation") <> '' THEN 'ProtectionChanged' END, 'Other') AS "Kind",
  label_event_type(coalesce(u."SensitivityLabelEventData_LabelEventType", u."LabelEventType")) AS "LabelEventType",
  u."Operation",
  u."UserId",
  u."UserType",
  coalesce(CASE WHEN u."RecordType" = 8 THEN label_group_of(u."Target") END,
    nullif(u."ItemName", ''), nullif(u."SourceFileName", ''), nullif(u."DestinationFileName", ''),
    nullif(json_get_str(u."AuditData", 'EmailInfo', 'Subject'), ''), regexp_replace(u."ObjectId", '^.*[/\\]', ''), nullif(u."TeamName", '')) AS "FileName",
  u."ObjectId" AS "FilePath",
  u."PreviousFileName",
  coalesce(label_id(u."SensitivityLabelEventData_OldSensitivityLabelId"), label_id(u."OldSensitivityLabelId"), label_id(u."SourceLabel"),
    label_old_of(u."ModifiedProperties")) AS "OldLabelId",
  CAST(NULL AS VARCHAR) AS "OldLabelText",
  coalesce(label_id(u."SensitivityLabelEventData_SensitivityLabelId"), label_id(u."SensitivityLabelId"), label_id(u."DestinationLabel"), label_id(u."LabelId"),
    label_new_of(u."ModifiedProperties"),
    CASE WHEN u."RecordType" = 13 THEN lower(json_get_str(u."AuditData", 'PolicyDetails', 0, 'Rules', 0, 'RuleId')) END) AS "NewLabelId",
  nullif(u."LabelName", '') AS "NewLabelText",
  coalesce(nullif(u."SensitivityLabelEventData_JustificationText", ''), nullif(u."SensitivityLabelJustificationText", '')) AS "Justification",
  coalesce(label_action_source(nullif(u."SensitivityLabelEventData_ActionSource", '')),
    CASE WHEN u."RecordType" IN (71, 72, 75, 82) THEN 'Auto'
      WHEN u."RecordType" = 43 THEN label_mode(json_get_str(u."AuditData", 'ApplicationMode')) END) AS "ActionSource",
  CASE lower(coalesce(u."ProtectionEventData_IsProtected", u."CurrentProtectionType_documentEncrypted"))
    WHEN 'true' THEN true WHEN '1' THEN true WHEN 'false' THEN false WHEN '0' THEN false END AS "Protected",
  CASE lower(coalesce(u."ProtectionEventData_IsProtectedBefore", u."PreviousProtectionType_documentEncrypted"))
    WHEN 'true' THEN true WHEN '1' THEN true WHEN 'false' THEN false WHEN '0' THEN false END AS "ProtectedBefore",
  coalesce(nullif(u."ProtectionEventData_ProtectionOwner", ''), nullif(u."CurrentProtectionType_owner", ''), nullif(u."PreviousProtectionType_owner", ''),
    nullif(u."SensitivityLabelOwnerEmail", '')) AS "Owner",
  coalesce(nullif(u."Common_ApplicationName", ''), nullif(u."Application", ''), nullif(u."ApplicationDisplayName", ''),
    nullif(u."Common_ProcessName", ''), label_web_application(u."UserAgent")) AS "Application",
  coalesce(nullif(u."Common_DeviceName", ''), nullif(u."DeviceName", '')) AS "DeviceName",
  coalesce(label_site(u."SiteUrl"), label_site_of(u."ObjectId")) AS "SiteUrl",
  label_id(json_get_str(u."AuditData", 'SiteSensitivityLabelId')) AS "SiteLabelId",
  u."IPAddress",
  u."Workload",
  u."RecordType",
  'UnifiedAuditLog' AS "SourceTable",
  u."Id" AS "EventId",
  u."_IngestId",
  u."_Record",
  u."_Source""#;

/// Azure Information Protection analytics; the spelling of activities varies, so blanks and case do not count.
const INFORMATION_PROTECTION: &str = r#"
SELECT
  p."TimeGenerated",
  coalesce(CASE WHEN label_activity(p."Activity_s") IN ('applied', 'changed', 'removed', 'ProtectionChanged')
    THEN label_failure(json_as_text(p."ExtraColumns", 'ResultStatus_s')) END, label_activity(p."Activity_s"), 'Other'),
  label_activity_type(p."Activity_s"),
  coalesce(p."Operation_s", p."Activity_s"),
  p."UserId_s",
  CAST(NULL AS INT),
  regexp_replace(p."ObjectId_s", '^.*[/\\]', ''),
  p."ObjectId_s",
  CAST(NULL AS VARCHAR),
  label_id(p."LabelIdBeforeAction_g"),
  nullif(p."LabelNameBefore_s", ''),
  label_id(p."LabelId_g"),
  nullif(p."LabelName_s", ''),
  coalesce(nullif(json_as_text(p."ExtraColumns", 'UserJustification_s'), ''), nullif(json_as_text(p."ExtraColumns", 'Justification_s'), '')),
  label_action_source(nullif(p."ActionSource_s", '')),
  p."Protected_b",
  p."ProtectedBeforeAction_b",
  p."ProtectionOwner_s",
  coalesce(nullif(p."ApplicationName_s", ''), nullif(p."ProcessName_s", '')),
  p."MachineName_s",
  label_site_of(p."ObjectId_s"),
  CAST(NULL AS VARCHAR),
  clean_ip(p."IPv4_s"),
  p."Workload_s",
  CAST(NULL AS INT),
  'InformationProtectionLogs_CL',
  p."LogId_g",
  p."_IngestId",
  p."_Record",
  CAST(p."_IngestId" AS VARCHAR) || ':' || CAST(p."_Record" AS VARCHAR)
FROM stored."InformationProtectionLogs_CL" AS p"#;

/// Requests for licences, which the logs of the Rights Management service have; the service says neither paths nor labels.
const RIGHTS_MANAGEMENT: &str = r#"
SELECT
  r."TimeGenerated",
  CASE WHEN r."Denied" THEN 'AccessDenied' WHEN NOT r."Denied" THEN 'FileOpened' ELSE 'Other' END,
  CAST(NULL AS VARCHAR),
  r."Operation",
  r."UserId",
  CAST(NULL AS INT),
  r."FileName",
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS BOOLEAN),
  CAST(NULL AS BOOLEAN),
  r."Owner",
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  r."IPAddress",
  'RightsManagement',
  CAST(NULL AS INT),
  r."SourceTable",
  r."EventId",
  r."_IngestId",
  r."_Record",
  CAST(r."_IngestId" AS VARCHAR) || ':' || CAST(r."_Record" AS VARCHAR)"#;

/// What a row of Sentinel's table of the same records says.
const PURVIEW: &str = r#"
SELECT
  m."TimeGenerated",
  coalesce(label_failure(m."ResultStatus"), label_operation(m."Operation"),
    CASE WHEN m."RecordType" = 95 AND trim(m."Operation") <> '' THEN 'ProtectionChanged' END, 'Other'),
  label_event_type(m."LabelEventType"),
  m."Operation",
  m."UserId",
  user_type_number(m."UserType"),
  coalesce(nullif(m."ItemName", ''), nullif(json_as_text(m."EmailInfo", 'Subject'), ''), regexp_replace(m."ObjectId", '^.*[/\\]', '')),
  m."ObjectId",
  CAST(NULL AS VARCHAR),
  label_id(m."OldSensitivityLabelId"),
  CAST(NULL AS VARCHAR),
  label_id(m."SensitivityLabelId"),
  nullif(m."LabelName", ''),
  nullif(m."JustificationText", ''),
  coalesce(label_action_source(nullif(m."ActionSource", '')),
    CASE WHEN m."RecordType" IN (71, 72, 75, 82) THEN 'Auto' WHEN m."RecordType" = 43 THEN label_mode(m."ApplicationMode") END),
  CASE lower(coalesce(json_as_text(m."ProtectionEventData", 'IsProtected'), json_as_text(m."CurrentProtectionType", 'documentEncrypted')))
    WHEN 'true' THEN true WHEN '1' THEN true WHEN 'false' THEN false WHEN '0' THEN false END,
  CASE lower(coalesce(json_as_text(m."ProtectionEventData", 'IsProtectedBefore'), json_as_text(m."PreviousProtectionType", 'documentEncrypted')))
    WHEN 'true' THEN true WHEN '1' THEN true WHEN 'false' THEN false WHEN '0' THEN false END,
  coalesce(nullif(json_as_text(m."ProtectionEventData", 'ProtectionOwner'), ''), nullif(json_as_text(m."CurrentProtectionType", 'owner'), ''),
    nullif(json_as_text(m."PreviousProtectionType", 'owner'), ''), nullif(m."SensitivityLabelOwnerEmail", '')),
  coalesce(nullif(json_as_text(m."Common", 'ApplicationName'), ''), nullif(m."Application", ''),
    nullif(json_as_text(m."Common", 'ProcessName'), '')),
  coalesce(nullif(json_as_text(m."Common", 'DeviceName'), ''), nullif(m."DeviceName", '')),
  coalesce(label_site(json_as_text(m."SharePointMetaData", 'SiteCollectionUrl')), label_site_of(m."ObjectId")),
  CAST(NULL AS VARCHAR),
  clean_ip(m."ClientIP"),
  m."Workload",
  m."RecordType",
  'MicrosoftPurviewInformationProtection',
  m."Id",
  m."_IngestId",
  m."_Record",
  CAST(m."_IngestId" AS VARCHAR) || ':' || CAST(m."_Record" AS VARCHAR)"#;

/// Rows of Defender XDR's data security events, with what they say of a label and the path that they are about.
const SECURED_ROWS: &str = r#"(SELECT s.*,
    CASE WHEN label_secured(s."Operation") IS NOT NULL THEN s."Operation"
      WHEN label_secured(s."ActionType") IS NOT NULL THEN s."ActionType" END AS "Label",
    coalesce(nullif(s."ObjectId", ''), nullif(s."TargetFilePath", '')) AS "Path"
  FROM stored."DataSecurityEvents" AS s) AS d"#;

/// What a data security event says. One row may be of files with several labels: those are no label that a list could name.
const SECURED: &str = r#"
SELECT
  d."TimeGenerated",
  label_secured(d."Label"),
  label_secured_type(d."Label"),
  d."Label",
  nullif(d."AccountUpn", ''),
  CAST(NULL AS INT),
  coalesce(nullif(d."ObjectName", ''), regexp_replace(d."Path", '^.*[/\\]', '')),
  d."Path",
  CAST(NULL AS VARCHAR),
  CASE WHEN strpos(d."PreviousSensitivityLabelId", ',') = 0 THEN label_id(d."PreviousSensitivityLabelId") END,
  CAST(NULL AS VARCHAR),
  CASE WHEN strpos(d."SensitivityLabelId", ',') = 0 AND (label_secured(d."Label") <> 'removed'
    OR strpos(d."PreviousSensitivityLabelId", ',') > 0 OR label_id(d."SensitivityLabelId") IS DISTINCT FROM label_id(d."PreviousSensitivityLabelId"))
    THEN label_id(d."SensitivityLabelId") END,
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS BOOLEAN),
  CAST(NULL AS BOOLEAN),
  CAST(NULL AS VARCHAR),
  nullif(d."ApplicationNames", ''),
  nullif(d."DeviceName", ''),
  coalesce(label_site(d."SiteUrl"), label_site_of(d."Path")),
  CASE WHEN strpos(d."SharepointSiteSensitivityLabelIds", ',') = 0 THEN label_id(d."SharepointSiteSensitivityLabelIds") END,
  clean_ip(d."IPAddress"),
  d."Workload",
  CAST(NULL AS INT),
  'DataSecurityEvents',
  d."ActivityId",
  d."_IngestId",
  d."_Record",
  CAST(d."_IngestId" AS VARCHAR) || ':' || CAST(d."_Record" AS VARCHAR)"#;

/// The country of an event, where a derived row says it.
const DERIVED_COUNTRY: &str = r#"SELECT f."Key", min(f."CountryCode") AS "CountryCode" FROM stored."LabelEvents" AS f
  WHERE f."CountryCode" IS NOT NULL GROUP BY 1"#;

/// Derived rows, before the rows. Of the two records of a labelled mail the second counts where the first is in no source. Joins keep keys in memory,
/// not rows.
const DERIVED: &str = r#"
SELECT
  u."TimeGenerated",
  u."Kind",
  u."LabelEventType",
  u."Operation",
  u."UserId",
  u."UserType",
  u."FileName",
  u."FilePath",
  u."PreviousFileName",
  u."OldLabelId",
  u."OldLabelText",
  u."NewLabelId",
  u."NewLabelText",
  u."Justification",
  u."ActionSource",
  u."Protected",
  u."ProtectedBefore",
  u."Owner",
  u."Application",
  u."DeviceName",
  u."SiteUrl",
  u."SiteLabelId",
  u."IPAddress",
  u."Workload",
  u."RecordType",
  u."SourceTable",
  u."EventId",
  u."_IngestId",
  u."_Record",
  CAST(u."_IngestId" AS VARCHAR) || ':' || CAST(u."_Record" AS VARCHAR) AS "_Source"
FROM (SELECT m."FilePath" AS "Mail" FROM stored."LabelEvents" AS m
  WHERE m."RecordType" = 43 AND m."Operation" = 'MipLabel') AS m
RIGHT ANTI JOIN"#;

/// Of the rows of one key those of the least rank.
const ONCE: &str = r#"(SELECT e.* FROM
  (SELECT f."Key" AS "Known", min(f."Rank") AS "First" FROM stored."LabelEvents" AS f
    WHERE f."Key" IS NOT NULL GROUP BY 1 HAVING count(*) > 1) AS k
  RIGHT ANTI JOIN stored."LabelEvents" AS e ON k."Known" = e."Key" AND e."Rank" > k."First")"#;

/// Which derived rows are superfluous beside others.
const BESIDE_MAIL: &str =
    r#"ON m."Mail" = u."FilePath" AND u."RecordType" = 13 AND u."Operation" = 'MipLabel'"#;

/// Names, ranks, and what follows from them. No two relations have a column of one name: DataFusion 55.2 pushes a filter over columns of both
/// sides of a join into one of them by their names alone.
const CHOOSE: &str = r#"
SELECT
  e."TimeGenerated",
  e."TimeGenerated" AS "Timestamp",
  CASE
    WHEN e."Kind" = 'removed' THEN 'LabelRemoved'
    WHEN e."Kind" IN ('applied', 'changed') AND e."LabelEventType" = 'LabelRemoved' THEN 'LabelRemoved'
    WHEN e."Kind" IN ('applied', 'changed') AND e."LabelEventType" = 'LabelDowngraded' THEN 'LabelDowngraded'
    WHEN e."Kind" = 'applied' AND e."OldLabelId" IS NULL THEN 'LabelApplied'
    WHEN e."Kind" IN ('applied', 'changed') AND e."LabelEventType" = 'LabelUpgraded' THEN 'LabelUpgraded'
    WHEN e."Kind" IN ('applied', 'changed') AND e."LabelEventType" = 'LabelChangedSameOrder' THEN 'LabelChanged'
    WHEN e."Kind" IN ('applied', 'changed') AND n."NewRank" > o."OldRank" THEN 'LabelUpgraded'
    WHEN e."Kind" IN ('applied', 'changed') AND n."NewRank" < o."OldRank" THEN 'LabelDowngraded'
    WHEN e."Kind" = 'applied' THEN 'LabelApplied'
    WHEN e."Kind" = 'changed' THEN 'LabelChanged'
    ELSE e."Kind"
  END AS "Action",
  e."LabelEventType",
  e."Operation",
  user_spelling(e."UserId") AS "UserId",
  e."UserType",
  e."FileName",
  e."FilePath",
  e."PreviousFileName",
  e."OldLabelId",
  coalesce(nullif(o."OldName", ''), e."OldLabelText", label_default_name(e."OldLabelId")) AS "OldLabelName",
  o."OldRank" AS "OldLabelRank",
  e."NewLabelId",
  coalesce(nullif(n."NewName", ''), e."NewLabelText", label_default_name(e."NewLabelId")) AS "NewLabelName",
  n."NewRank" AS "NewLabelRank",
  e."Justification",
  e."ActionSource",
  e."Protected",
  e."ProtectedBefore",
  user_spelling(e."Owner") AS "Owner",
  e."Application",
  e."DeviceName",
  e."SiteUrl",
  e."SiteLabelId",
  e."IPAddress",
  c."CountryCode",
  e."Workload",
  e."RecordType",
  e."SourceTable",
  e."EventId",
  e."_IngestId",
  e."_Record",
  e."_Source"
FROM events AS e
LEFT JOIN (SELECT "Id" AS "OldKey", "Name" AS "OldName", "Rank" AS "OldRank" FROM labels) AS o ON o."OldKey" = e."OldLabelId"
LEFT JOIN (SELECT "Id" AS "NewKey", "Name" AS "NewName", "Rank" AS "NewRank" FROM labels) AS n ON n."NewKey" = e."NewLabelId"
LEFT JOIN country AS c ON c."Key" = event_key(e."EventId")"#;
