//! `LabelEvents`: every label action from every source and spelling in one shape.
//!
//! Upgraded or downgraded comes from the record's own `LabelEventType` where it has one, else from the ranks of the
//! watchlist `Labels`. A labelled mail writes two `MipLabel` records, of types 43 and 13; the second counts only where the first is
//! missing.
//!
//! Sources write the address of one person in several cases; here it has one, so that a person is one group. The record keeps its own.

use datafusion::common::TableReference;

use super::audit_records::{LABEL_RECORDS, app_key, is_label, label_keys, without};
use super::information_protection_logs::{REQUESTS, has_requests};
use crate::engine::session::Session;
use crate::fault::{Error, Result};

/// The view's query.
pub(super) async fn sql(session: &Session) -> Result<String> {
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
    Ok(format!(
        "WITH labels AS ({labels}), country AS ({country}), events AS ({events}) {CHOOSE}",
        labels = labels(session).await?,
        country = country(session),
        events = parts.join(" UNION ALL "),
    ))
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

/// The country of an event, where a CloudAppEvents row says it.
fn country(session: &Session) -> String {
    if !session.has("CloudAppEvents") {
        return "SELECT CAST(NULL AS VARCHAR) AS \"Key\", CAST(NULL AS VARCHAR) AS \"CountryCode\" WHERE false".into();
    }
    format!(
        "SELECT {} AS \"Key\", min(c.\"CountryCode\") AS \"CountryCode\" FROM stored.\"CloudAppEvents\" AS c \
         WHERE c.\"CountryCode\" IS NOT NULL GROUP BY 1",
        app_key()
    )
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
                 WHERE {record_type} = 43 AND m.\"{operation}\" = 'MipLabel'"
            )
        })
        .collect();
    let rows = format!("\"{LABEL_RECORDS}\" AS u");
    let rows = match mails.as_slice() {
        [] => rows,
        mails => format!(
            "({}) AS m RIGHT ANTI JOIN {rows} \
               ON m.\"Mail\" = u.\"ObjectId\" AND u.\"RecordType\" = 13 AND u.\"Operation\" = 'MipLabel'",
            mails.join(" UNION ALL ")
        ),
    };
    format!(
        "{AUDIT} FROM {rows} WHERE {} AND (u.\"Operation\" IS DISTINCT FROM 'HeartBeat')",
        is_label("u.\"RecordType\"", "u.\"Operation\"")
    )
}

/// Sentinel's table of the same records, those that no other source has.
fn purview(session: &Session) -> String {
    let rows = without(
        &label_keys(session),
        "stored.\"MicrosoftPurviewInformationProtection\" AS m",
        "event_key(m.\"Id\")",
    );
    // Types 13 and 97: the second record of a mail, and signs of life.
    format!(
        "{PURVIEW} FROM {rows} WHERE (m.\"Operation\" IS DISTINCT FROM 'HeartBeat') \
           AND coalesce(m.\"RecordType\", 0) NOT IN (13, 97)"
    )
}

/// What an audit record says, wherever it came from.
const AUDIT: &str = r#"
SELECT
  u."TimeGenerated",
  CASE
    WHEN u."Operation" IN ('SensitivityLabelApplied', 'FileSensitivityLabelApplied', 'SiteSensitivityLabelApplied', 'MipLabel') THEN 'applied'
    WHEN u."Operation" IN ('SensitivityLabelUpdated', 'SensitivityLabelChanged', 'FileSensitivityLabelChanged', 'SiteSensitivityLabelChanged') THEN 'changed'
    WHEN u."Operation" IN ('SensitivityLabelRemoved', 'FileSensitivityLabelRemoved', 'SiteSensitivityLabelRemoved') THEN 'removed'
    WHEN u."Operation" IN ('SensitivityLabeledFileOpened', 'SensitivityLabelFileRead', 'Access') THEN 'FileOpened'
    WHEN u."Operation" = 'SensitivityLabeledFileRenamed' THEN 'FileRenamed'
    WHEN u."Operation" = 'SensitivityLabeledFileModified' THEN 'FileModified'
    WHEN u."Operation" IN ('SensitivityLabeledFileDeleted', 'FileDeleted') THEN 'FileDeleted'
    WHEN u."Operation" = 'Discover' THEN 'FileDiscovered'
    WHEN u."Operation" = 'DocumentSensitivityMismatchDetected' THEN 'LabelMismatch'
    WHEN u."Operation" IN ('SensitivityLabelPolicyMatched', 'AutoSensitivityLabelRuleMatch') THEN 'PolicyMatched'
    WHEN u."RecordType" = 95 THEN 'ProtectionChanged'
    ELSE 'Other'
  END AS "Kind",
  CASE lower(coalesce(u."SensitivityLabelEventData_LabelEventType", u."LabelEventType"))
    WHEN '1' THEN 1 WHEN 'labelupgraded' THEN 1 WHEN '2' THEN 2 WHEN 'labeldowngraded' THEN 2
    WHEN '3' THEN 3 WHEN 'labelremoved' THEN 3 WHEN '4' THEN 4 WHEN 'labelchangedsameorder' THEN 4
  END AS "EventType",
  u."Operation",
  u."UserId",
  u."UserType",
  coalesce(nullif(u."ItemName", ''), nullif(u."SourceFileName", ''), nullif(u."DestinationFileName", ''), regexp_replace(u."ObjectId", '^.*[/\\]', '')) AS "FileName",
  u."ObjectId" AS "FilePath",
  u."PreviousFileName",
  lower(coalesce(nullif(u."SensitivityLabelEventData_OldSensitivityLabelId", ''), nullif(u."OldSensitivityLabelId", ''), nullif(u."SourceLabel", ''))) AS "OldLabelId",
  CAST(NULL AS VARCHAR) AS "OldLabelText",
  lower(coalesce(nullif(u."SensitivityLabelEventData_SensitivityLabelId", ''), nullif(u."SensitivityLabelId", ''), nullif(u."DestinationLabel", ''), nullif(u."LabelId", ''),
    CASE WHEN u."RecordType" = 13 THEN json_get_str(u."AuditData", 'PolicyDetails', 0, 'Rules', 0, 'RuleId') END)) AS "NewLabelId",
  u."LabelName" AS "NewLabelText",
  coalesce(nullif(u."SensitivityLabelEventData_JustificationText", ''), nullif(u."SensitivityLabelJustificationText", '')) AS "Justification",
  CASE u."SensitivityLabelEventData_ActionSource"
    WHEN '0' THEN 'None' WHEN '1' THEN 'Default' WHEN '2' THEN 'Auto' WHEN '3' THEN 'Manual' WHEN '4' THEN 'Recommended'
    ELSE u."SensitivityLabelEventData_ActionSource"
  END AS "ActionSource",
  lower(coalesce(u."ProtectionEventData_IsProtected", u."CurrentProtectionType_documentEncrypted")) IN ('true', '1') AS "Protected",
  lower(coalesce(u."ProtectionEventData_IsProtectedBefore", u."PreviousProtectionType_documentEncrypted")) IN ('true', '1') AS "ProtectedBefore",
  coalesce(nullif(u."ProtectionEventData_ProtectionOwner", ''), nullif(u."CurrentProtectionType_owner", ''), nullif(u."PreviousProtectionType_owner", ''),
    nullif(u."SensitivityLabelOwnerEmail", '')) AS "Owner",
  coalesce(nullif(u."Common_ApplicationName", ''), nullif(u."Application", ''), nullif(u."ApplicationDisplayName", '')) AS "Application",
  coalesce(nullif(u."Common_DeviceName", ''), nullif(u."DeviceName", '')) AS "DeviceName",
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
  CASE lower(replace(p."Activity_s", ' ', ''))
    WHEN 'accessdenied' THEN 'AccessDenied' WHEN 'access' THEN 'FileOpened' WHEN 'discover' THEN 'FileDiscovered'
    WHEN 'newlabel' THEN 'applied' WHEN 'upgradelabel' THEN 'changed' WHEN 'downgradelabel' THEN 'changed'
    WHEN 'removelabel' THEN 'removed' WHEN 'fileremoved' THEN 'FileDeleted'
    WHEN 'newcustomprotection' THEN 'ProtectionChanged' WHEN 'changecustomprotection' THEN 'ProtectionChanged'
    WHEN 'removecustomprotection' THEN 'ProtectionChanged'
    ELSE 'Other'
  END,
  CASE lower(replace(p."Activity_s", ' ', '')) WHEN 'upgradelabel' THEN 1 WHEN 'downgradelabel' THEN 2 WHEN 'removelabel' THEN 3 END,
  coalesce(p."Operation_s", p."Activity_s"),
  p."UserId_s",
  CAST(NULL AS INT),
  regexp_replace(p."ObjectId_s", '^.*[/\\]', ''),
  p."ObjectId_s",
  CAST(NULL AS VARCHAR),
  lower(p."LabelIdBeforeAction_g"),
  p."LabelNameBefore_s",
  lower(p."LabelId_g"),
  p."LabelName_s",
  CAST(NULL AS VARCHAR),
  p."ActionSource_s",
  p."Protected_b",
  p."ProtectedBeforeAction_b",
  p."ProtectionOwner_s",
  p."ApplicationName_s",
  p."MachineName_s",
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
  CAST(NULL AS BIGINT),
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
  CASE
    WHEN m."Operation" LIKE '%LabelRemoved' THEN 'removed'
    WHEN m."Operation" LIKE '%LabelApplied' OR m."Operation" = 'MipLabel' THEN 'applied'
    WHEN m."Operation" LIKE '%LabelUpdated' OR m."Operation" LIKE '%LabelChanged' THEN 'changed'
    WHEN m."Operation" IN ('SensitivityLabeledFileOpened', 'Access') THEN 'FileOpened'
    WHEN m."Operation" = 'SensitivityLabeledFileRenamed' THEN 'FileRenamed'
    WHEN m."Operation" = 'SensitivityLabeledFileModified' THEN 'FileModified'
    WHEN m."Operation" = 'Discover' THEN 'FileDiscovered'
    WHEN m."Operation" IN ('SensitivityLabeledFileDeleted', 'FileDeleted') THEN 'FileDeleted'
    WHEN m."Operation" = 'DocumentSensitivityMismatchDetected' THEN 'LabelMismatch'
    WHEN m."Operation" IN ('SensitivityLabelPolicyMatched', 'AutoSensitivityLabelRuleMatch') THEN 'PolicyMatched'
    WHEN m."RecordType" = 95 THEN 'ProtectionChanged'
    ELSE 'Other'
  END,
  CASE m."LabelEventType" WHEN 'LabelUpgraded' THEN 1 WHEN 'LabelDowngraded' THEN 2 WHEN 'LabelRemoved' THEN 3 WHEN 'LabelChangedSameOrder' THEN 4 END,
  m."Operation",
  m."UserId",
  user_type_number(m."UserType"),
  coalesce(nullif(m."ItemName", ''), regexp_replace(m."ObjectId", '^.*[/\\]', '')),
  m."ObjectId",
  CAST(NULL AS VARCHAR),
  lower(nullif(m."OldSensitivityLabelId", '')),
  CAST(NULL AS VARCHAR),
  lower(nullif(m."SensitivityLabelId", '')),
  nullif(m."LabelName", ''),
  nullif(m."JustificationText", ''),
  m."ActionSource",
  lower(coalesce(json_as_text(m."ProtectionEventData", 'IsProtected'), json_as_text(m."CurrentProtectionType", 'documentEncrypted'))) IN ('true', '1'),
  lower(coalesce(json_as_text(m."ProtectionEventData", 'IsProtectedBefore'), json_as_text(m."PreviousProtectionType", 'documentEncrypted'))) IN ('true', '1'),
  coalesce(nullif(json_as_text(m."ProtectionEventData", 'ProtectionOwner'), ''), nullif(json_as_text(m."CurrentProtectionType", 'owner'), ''),
    nullif(json_as_text(m."PreviousProtectionType", 'owner'), ''), nullif(m."SensitivityLabelOwnerEmail", '')),
  coalesce(json_as_text(m."Common", 'ApplicationName'), m."Application"),
  m."DeviceName",
  clean_ip(m."ClientIP"),
  m."Workload",
  m."RecordType",
  'MicrosoftPurviewInformationProtection',
  m."Id",
  m."_IngestId",
  m."_Record",
  CAST(m."_IngestId" AS VARCHAR) || ':' || CAST(m."_Record" AS VARCHAR)"#;

/// Names, ranks, and what follows from them. No two relations have a column of one name: DataFusion 55.2 pushes a filter over columns of both
/// sides of a join into one of them by their names alone.
const CHOOSE: &str = r#"
SELECT
  e."TimeGenerated",
  e."TimeGenerated" AS "Timestamp",
  CASE
    WHEN e."Kind" = 'removed' THEN 'LabelRemoved'
    WHEN e."Kind" IN ('applied', 'changed') AND e."EventType" = 3 THEN 'LabelRemoved'
    WHEN e."Kind" IN ('applied', 'changed') AND e."EventType" = 2 THEN 'LabelDowngraded'
    WHEN e."Kind" = 'applied' AND e."OldLabelId" IS NULL THEN 'LabelApplied'
    WHEN e."Kind" IN ('applied', 'changed') AND e."EventType" = 1 THEN 'LabelUpgraded'
    WHEN e."Kind" IN ('applied', 'changed') AND e."EventType" = 4 THEN 'LabelChanged'
    WHEN e."Kind" IN ('applied', 'changed') AND n."NewRank" > o."OldRank" THEN 'LabelUpgraded'
    WHEN e."Kind" IN ('applied', 'changed') AND n."NewRank" < o."OldRank" THEN 'LabelDowngraded'
    WHEN e."Kind" = 'applied' THEN 'LabelApplied'
    WHEN e."Kind" = 'changed' THEN 'LabelChanged'
    ELSE e."Kind"
  END AS "Action",
  e."Operation",
  user_spelling(e."UserId") AS "UserId",
  e."UserType",
  e."FileName",
  e."FilePath",
  e."PreviousFileName",
  e."OldLabelId",
  coalesce(o."OldName", e."OldLabelText") AS "OldLabelName",
  o."OldRank" AS "OldLabelRank",
  e."NewLabelId",
  coalesce(n."NewName", e."NewLabelText") AS "NewLabelName",
  n."NewRank" AS "NewLabelRank",
  e."Justification",
  e."ActionSource",
  e."Protected",
  e."ProtectedBefore",
  user_spelling(e."Owner") AS "Owner",
  e."Application",
  e."DeviceName",
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
