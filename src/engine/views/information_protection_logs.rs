//! `InformationProtectionLogs_CL`: the table of Azure Information Protection's analytics, over every source that knows who was denied a
//! protected document.
//!
//! Its own rows are evidence and stay as they were exported. Requests for licences that only the logs of the Rights Management service have
//! stand in its columns beside them: `Activity_s` is `Access` or `AccessDenied`, whatever the reason for the denial was. A log names a document
//! by its id and seldom by more; so its rows carry the name that the archive knows for the document, one name a document, and its id where nobody
//! named it. A query that joins denials by `ContentId_g` with the names of documents (`ObjectId_s`), as Microsoft's sample of 2020 did,
//! finds each denial.
//!
//! What the logs do not say, such as the label that the document had, is null. `IPv4_s` holds addresses of both kinds.

use std::fmt::Write;

use super::audit_records::{is_label, without};
use super::names::INFORMATION_PROTECTION_LOGS;
use super::select::{columns, lineage, stored};
use crate::catalog::table;
use crate::engine::session::Session;

/// Requests for a licence to open a document, from all logs of the Rights Management service, each once.
pub(super) const REQUESTS: &str = "_LicenceRequests";

/// Logs of the Rights Management service and their rows as requests, the log that says more first.
const LOGS: [(&str, &str); 4] = [
    ("AipServiceUserLog", USAGE),
    ("RMSData_CL", COLLECTED_USAGE),
    ("AipServiceTrackingLog", TRACKING),
    ("RMSDataDetails_CL", COLLECTED_TRACKING),
];

/// Whether a log of the Rights Management service has rows.
pub(super) fn has_requests(session: &Session) -> bool {
    LOGS.iter().any(|(log, _)| session.has(log))
}

/// Whether any source has rows.
pub(in crate::engine) fn has_rows(session: &Session) -> bool {
    session.has(INFORMATION_PROTECTION_LOGS) || has_requests(session)
}

/// What is the same request in every log. They have no id in common; each is true to the second.
const REQUEST: &str = r#"s."ContentId" || ' ' || lower(trim(s."UserId")) || ' ' || CAST(s."Denied" AS VARCHAR) || ' ' ||
  CAST(date_trunc('second', s."TimeGenerated") AS VARCHAR)"#;

/// The requests of the logs that have rows, without those that `InformationProtectionLogs_CL` or a log before them has.
pub(super) fn requests(session: &Session) -> String {
    let key = |rows: &str| format!("SELECT {REQUEST} AS \"Key\" FROM ({rows}) AS s");
    let mut known = Vec::new();
    if session.has(INFORMATION_PROTECTION_LOGS) {
        known.push(key(OWN));
    }
    let mut parts = Vec::new();
    for (_, rows) in LOGS.iter().filter(|(log, _)| session.has(log)) {
        parts.push(format!(
            "SELECT s.* FROM {}",
            without(&known, &format!("({rows}) AS s"), REQUEST)
        ));
        known.push(key(rows));
    }
    parts.join(" UNION ALL ")
}

/// The table's own rows, and the requests that it does not have.
pub(super) fn sql(session: &Session) -> String {
    let own = table(INFORMATION_PROTECTION_LOGS);
    let mut sql = stored(own);
    if !has_requests(session) {
        return sql;
    }
    let from_log = |name: &str| -> Option<String> {
        if let Some(e) = lineage("s", name) {
            return Some(e);
        }
        let expression = match name {
            "Activity_s" => {
                "CASE WHEN s.\"Denied\" THEN 'AccessDenied' WHEN NOT s.\"Denied\" THEN 'Access' END"
            }
            "Operation_s" => "s.\"Operation\"",
            "UserId_s" => "user_spelling(s.\"UserId\")",
            "ContentId_g" => "s.\"ContentId\"",
            "ObjectId_s" => "coalesce(n.\"Name\", s.\"ContentId\", s.\"FileName\")",
            "ProtectionOwner_s" => "user_spelling(s.\"Owner\")",
            "ProtectionTime_t" => "s.\"Published\"",
            "TemplateId_g" => "s.\"TemplateId\"",
            // The service knows no other documents.
            "Protected_b" => "true",
            "IPv4_s" => "s.\"IPAddress\"",
            "ProcessName_s" => "(regexp_match(s.\"ClientInfo\", '(?:^|;)AppName=([^;]+)'))[1]",
            "Platform_s" => "(regexp_match(s.\"ClientInfo\", '(?:^|;)OSName=([^;]+)'))[1]",
            "LogId_g" => "s.\"EventId\"",
            "Workload_s" => "'AIP'",
            "Type" => "'InformationProtectionLogs_CL'",
            _ => return None,
        };
        Some(expression.to_string())
    };
    // Writing to a String cannot fail.
    let _ = write!(
        sql,
        " UNION ALL SELECT {} FROM ({}) AS n RIGHT JOIN \"{REQUESTS}\" AS s ON n.\"Id\" = s.\"ContentId\"",
        columns(own, &from_log),
        names(session)
    );
    sql
}

/// Tables that name documents beside their ids, and what they say as id and name.
const NAMED: [(&str, &str, &str); 4] = [
    (
        INFORMATION_PROTECTION_LOGS,
        "d.\"ContentId_g\"",
        "d.\"ObjectId_s\"",
    ),
    ("AipServiceUserLog", "d.\"ContentId\"", "d.\"FileName\""),
    (
        "MicrosoftPurviewInformationProtection",
        "d.\"IrmContentId\"",
        "coalesce(nullif(d.\"ObjectId\", ''), d.\"ItemName\")",
    ),
    (
        "ActivityExplorer",
        "d.\"IRMContentId\"",
        "coalesce(nullif(d.\"FilePath\", ''), d.\"ItemName\")",
    ),
];

/// Tables of audit records, of which those about labels name documents: columns with the record, the name, the type and the operation.
const RECORDED: [(&str, &str, &str, &str, &str); 2] = [
    (
        "UnifiedAuditLog",
        "AuditData",
        "ObjectId",
        "RecordType",
        "Operation",
    ),
    (
        "CloudAppEvents",
        "RawEventData",
        "RawEventData_ObjectId",
        "RawEventData_RecordType",
        "RawEventData_Operation",
    ),
];

/// The name of each document, by its id: what the table itself says last, else what others say last.
fn names(session: &Session) -> String {
    let mut sources = Vec::new();
    for (table, id, name) in NAMED.iter().filter(|(table, ..)| session.has(table)) {
        let rank = i32::from(*table != INFORMATION_PROTECTION_LOGS);
        sources.push(format!(
            "SELECT event_key({id}) AS \"Id\", {name} AS \"Name\", {rank} AS \"Rank\", d.\"TimeGenerated\" AS \"At\" \
             FROM stored.\"{table}\" AS d"
        ));
    }
    let recorded = RECORDED.iter().filter(|(table, ..)| session.has(table));
    for (table, record, name, record_type, operation) in recorded {
        sources.push(format!(
            "SELECT event_key(json_as_text(d.\"{record}\", 'IrmContentId')) AS \"Id\", \
               coalesce(nullif(d.\"{name}\", ''), json_as_text(d.\"{record}\", 'EmailInfo', 'Subject')) AS \"Name\", 1 AS \"Rank\", \
               d.\"TimeGenerated\" AS \"At\" \
             FROM stored.\"{table}\" AS d WHERE {}",
            is_label(&format!("d.\"{record_type}\""), &format!("d.\"{operation}\""))
        ));
    }
    if sources.is_empty() {
        return "SELECT CAST(NULL AS VARCHAR) AS \"Id\", CAST(NULL AS VARCHAR) AS \"Name\" WHERE false".into();
    }
    format!(
        "SELECT \"Id\", first_value(\"Name\" ORDER BY \"Rank\", \"At\" DESC NULLS LAST, \"Name\") AS \"Name\" FROM ({}) \
         WHERE \"Id\" IS NOT NULL AND trim(\"Name\") <> '' GROUP BY 1",
        sources.join(" UNION ALL ")
    )
}

/// What the table itself says of requests. The spelling of activities varies: blanks and case do not count.
const OWN: &str = r#"
SELECT
  event_key(p."ContentId_g") AS "ContentId",
  p."UserId_s" AS "UserId",
  CASE lower(replace(p."Activity_s", ' ', '')) WHEN 'accessdenied' THEN true WHEN 'access' THEN false END AS "Denied",
  p."TimeGenerated"
FROM stored."InformationProtectionLogs_CL" AS p"#;

/// Usage log: requests for a licence are attempts to open; every result but Success is a denial, and a result that is not there is
/// neither. Services that ask for themselves are no users.
const USAGE: &str = r#"
SELECT
  r."TimeGenerated",
  CASE WHEN r."Result" = 'Success' THEN false WHEN trim(r."Result") <> '' THEN true END AS "Denied",
  r."RequestType" AS "Operation",
  r."UserId",
  event_key(r."ContentId") AS "ContentId",
  r."FileName",
  coalesce(r."OwnerEmail", r."Issuer") AS "Owner",
  event_key(r."TemplateId") AS "TemplateId",
  r."DatePublished" AS "Published",
  r."ClientInfo",
  r."IPAddress",
  'AipServiceUserLog' AS "SourceTable",
  r."RowId" AS "EventId",
  r."_IngestId",
  r."_Record"
FROM stored."AipServiceUserLog" AS r
WHERE licence_request(r."RequestType") IS NOT NULL
  AND coalesce(r."UserId", '') <> ''
  AND r."UserId" NOT LIKE 'microsoftrmsonline@%'
  AND r."UserId" NOT LIKE 'Aadrm\_S-1-7-0%'"#;

/// The same log as the MPARR collector stores it: texts may keep their quotes, and `TimeGenerated` is when it was collected.
const COLLECTED_USAGE: &str = r#"
SELECT
  coalesce(arrow_cast(TRY_CAST(btrim(r."date_s", ''' ') || 'T' || btrim(r."time_s", ''' ') AS TIMESTAMP), 'Timestamp(Microsecond, Some("UTC"))'),
    r."TimeGenerated") AS "TimeGenerated",
  CASE WHEN btrim(r."result_s", ''' ') = 'Success' THEN false WHEN btrim(r."result_s", ''' ') <> '' THEN true END AS "Denied",
  btrim(r."request_type_s", ''' ') AS "Operation",
  btrim(r."user_id_s", ''' ') AS "UserId",
  event_key(r."content_id_g") AS "ContentId",
  CAST(NULL AS VARCHAR) AS "FileName",
  coalesce(nullif(btrim(r."owner_email_s", ''' '), ''), btrim(r."issuer_s", ''' ')) AS "Owner",
  event_key(r."template_id_g") AS "TemplateId",
  arrow_cast(TRY_CAST(btrim(r."date_published_s", ''' ') AS TIMESTAMP), 'Timestamp(Microsecond, Some("UTC"))') AS "Published",
  btrim(r."c_info_s", ''' ') AS "ClientInfo",
  clean_ip(r."c_ip_s") AS "IPAddress",
  'RMSData_CL' AS "SourceTable",
  CAST(NULL AS VARCHAR) AS "EventId",
  r."_IngestId",
  r."_Record"
FROM stored."RMSData_CL" AS r
WHERE licence_request(btrim(r."request_type_s", ''' ')) IS NOT NULL
  AND btrim(r."user_id_s", ''' ') <> ''
  AND btrim(r."user_id_s", ''' ') NOT LIKE 'microsoftrmsonline@%'
  AND btrim(r."user_id_s", ''' ') NOT LIKE 'Aadrm\_S-1-7-0%'"#;

/// Tracking log of one document: it names the document by its id only. Whether it was opened may not be said.
const TRACKING: &str = r#"
SELECT
  t."TimeGenerated",
  NOT t."Successful" AS "Denied",
  'Track' AS "Operation",
  t."RequesterEmail" AS "UserId",
  event_key(t."ContentId") AS "ContentId",
  t."ContentId" AS "FileName",
  t."Issuer" AS "Owner",
  CAST(NULL AS VARCHAR) AS "TemplateId",
  arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS "Published",
  CAST(NULL AS VARCHAR) AS "ClientInfo",
  t."IPAddress",
  'AipServiceTrackingLog' AS "SourceTable",
  CAST(NULL AS VARCHAR) AS "EventId",
  t."_IngestId",
  t."_Record"
FROM stored."AipServiceTrackingLog" AS t
WHERE coalesce(t."RequesterEmail", '') NOT LIKE 'microsoftrmsonline@%'"#;

/// The same log as the MPARR collector stores it.
const COLLECTED_TRACKING: &str = r#"
SELECT
  coalesce(t."RequestTime_t", t."TimeGenerated") AS "TimeGenerated",
  NOT t."Successful_b" AS "Denied",
  'Track' AS "Operation",
  t."RequesterEmail_s" AS "UserId",
  event_key(t."ContentId_g") AS "ContentId",
  t."ContentId_g" AS "FileName",
  t."Issuer_s" AS "Owner",
  CAST(NULL AS VARCHAR) AS "TemplateId",
  arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS "Published",
  CAST(NULL AS VARCHAR) AS "ClientInfo",
  clean_ip(t."RequesterLocation_IP_s") AS "IPAddress",
  'RMSDataDetails_CL' AS "SourceTable",
  CAST(NULL AS VARCHAR) AS "EventId",
  t."_IngestId",
  t."_Record"
FROM stored."RMSDataDetails_CL" AS t
WHERE coalesce(t."RequesterEmail_s", '') NOT LIKE 'microsoftrmsonline@%'"#;
