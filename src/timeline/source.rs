//! Which tables and views have events, what they say in a way of their own, and what is one event in two of them.
//!
//! The view `UnifiedAuditLog` has the audit records of all sources, each once. What has no audit record comes from its own table. A sign-in is in up
//! to four tables under one id; the log of Entra says most of it and counts first. Requests for protected documents come from the view
//! `InformationProtectionLogs_CL`, which has those of all logs once. A change in the directory is in `AuditLogs` and in the audit log under ids that have
//! nothing in common: both lines stay, and name their tables.

use super::field::Field;
use crate::catalog::labels::{MAIL, SECOND_OF_MAIL};
use crate::catalog::{ALERTS, EXTRA, INGEST_ID, RECORD, TYPE, Table, catalog, table};
use crate::engine::Session;
use crate::engine::views::INFORMATION_PROTECTION_LOGS;
use crate::ingest::format::OTHER;

/// Tables of the same events as the audit log, with the column that has its id.
const RECORDED: [(&str, &str); 4] = [
    ("MicrosoftPurviewInformationProtection", "e.\"Id\""),
    ("ActivityExplorer", "e.\"RecordIdentity\""),
    ("CopilotActivity", "e.\"RecordId\""),
    ("DataSecurityEvents", "CAST(e.\"ActivityId\" AS VARCHAR)"),
];
/// Tables of sign-ins with the column that has the id of the request, the one that says most first.
const SIGN_INS: [(&str, &str); 7] = [
    ("SigninLogs", "Id"),
    ("AADNonInteractiveUserSignInLogs", "Id"),
    ("AADServicePrincipalSignInLogs", "Id"),
    ("AADManagedIdentitySignInLogs", "Id"),
    ("EntraIdSignInEvents", "RequestId"),
    ("AADSignInEventsBeta", "RequestId"),
    ("EntraIdSpnSignInEvents", "RequestId"),
];
/// Logs of the Rights Management service whose requests the view has, with a condition for what it leaves out.
const RIGHTS: [(&str, &str); 4] = [
    (
        "AipServiceUserLog",
        "NOT coalesce(licence_request(e.\"RequestType\") IS NOT NULL AND e.\"UserId\" <> '' AND e.\"UserId\" NOT LIKE 'microsoftrmsonline@%' \
         AND e.\"UserId\" NOT LIKE 'Aadrm\\_S-1-7-0%', false)",
    ),
    ("RMSData_CL", "false"),
    ("AipServiceTrackingLog", "false"),
    ("RMSDataDetails_CL", "false"),
];
/// Tables of audit records.
const AUDITED: [&str; 3] = ["UnifiedAuditLog", "OfficeActivity", "CloudAppEvents"];
/// Tables whose rows say how something is, or are parts of the rows of another table: nothing happened at their times.
const STATES: [&str; 11] = [
    "AlertEvidence",
    "BehaviorEntities",
    "EmailAttachmentInfo",
    "EmailUrlInfo",
    "IdentityInfo",
    "OAuthAppInfo",
    "ThreatIntelIndicators",
    "ThreatIntelObjects",
    "ThreatIntelligenceIndicator",
    "UserPeerAnalytics",
    "Watchlist",
];

/// Rows of one table or view.
pub(super) struct Source {
    /// The table by whose columns they are read.
    pub(super) table: &'static Table,
    /// What stands behind FROM; the rows are called `e`.
    pub(super) rows: String,
    /// A condition that all of them meet.
    pub(super) condition: Option<String>,
    /// A row's identity, where other sources have the same events and say them better, and these.
    pub(super) apart: Option<(String, Vec<Better>)>,
}

/// A source whose events count where another has them too.
pub(super) struct Better {
    /// Its rows.
    pub(super) source: Source,
    /// The identity of each.
    pub(super) key: String,
}

impl Source {
    fn of(table: &'static Table) -> Source {
        Source {
            table,
            rows: format!("\"{}\" AS e", table.name),
            condition: None,
            apart: None,
        }
    }

    /// The table's name as an expression.
    pub(super) fn name(&self) -> String {
        match self.table.name {
            OTHER => format!("coalesce(nullif(e.\"{EXTRA}\"->>'{TYPE}', ''), '{OTHER}')"),
            name => format!("'{name}'"),
        }
    }
}

/// The sources of a session that have rows.
pub(super) fn sources(session: &Session) -> Vec<Source> {
    let has = |name: &&str| session.has(name);
    let mut all = Vec::new();
    let audited = AUDITED.iter().any(has);
    if audited {
        all.push(Source {
            apart: Some(audited_apart(session)),
            ..Source::of(table("UnifiedAuditLog"))
        });
    }
    if session.has("CloudAppEvents") {
        all.push(Source {
            rows: "stored.\"CloudAppEvents\" AS e".into(),
            condition: Some(
                "(e.\"RawEventData_Id\" IS NULL OR e.\"RawEventData_Operation\" IS NULL)".into(),
            ),
            apart: Some((
                "event_key(app_record_id(e.\"RawEventData_Id\", e.\"ReportId\"))".into(),
                vec![audit_records()],
            )),
            ..Source::of(table("CloudAppEvents"))
        });
    }
    let rights = RIGHTS.iter().any(|(name, _)| session.has(name));
    if rights || session.has(INFORMATION_PROTECTION_LOGS) {
        all.push(Source::of(table(INFORMATION_PROTECTION_LOGS)));
    }
    let alerts = session.has(ALERTS) && !session.has("SecurityAlert");
    all.extend(alerts.then(|| Source::of(table("SecurityAlert"))));
    let taken = |name: &str| {
        AUDITED.contains(&name) || STATES.contains(&name) || name == INFORMATION_PROTECTION_LOGS
    };
    for table in catalog().tables() {
        if table.by_day && session.has(table.name) && !taken(table.name) {
            all.push(own(session, table, audited));
        }
    }
    all
}

/// A table with events of its own.
fn own(session: &Session, table: &'static Table, audited: bool) -> Source {
    let name = table.name;
    let mut source = Source::of(table);
    if let Some((_, condition)) = RIGHTS.iter().find(|(log, _)| *log == name) {
        source.condition = Some((*condition).into());
    }
    if let Some((_, id)) = RECORDED
        .iter()
        .find(|(other, _)| *other == name)
        .filter(|_| audited)
    {
        source.apart = Some((format!("event_key({id})"), vec![audit_records()]));
    }
    if let Some(at) = SIGN_INS.iter().position(|(other, _)| *other == name) {
        let (_, id) = SIGN_INS[at];
        let better = sign_ins(session, &SIGN_INS[..at]);
        let key = || format!("event_key(e.\"{id}\")");
        source.apart = (!better.is_empty()).then(|| (key(), better));
    }
    source
}

/// All audit records.
fn audit_records() -> Better {
    Better {
        source: Source::of(table("UnifiedAuditLog")),
        key: "event_key(e.\"Id\")".into(),
    }
}

/// Those of these tables of sign-ins that have rows.
fn sign_ins(session: &Session, tables: &[(&str, &str)]) -> Vec<Better> {
    let present = tables.iter().filter(|(name, _)| session.has(name));
    present
        .map(|(name, id)| Better {
            source: Source::of(table(name)),
            key: format!("event_key(e.\"{id}\")"),
        })
        .collect()
}

/// What tells audit records that another record says better: sign-ins name the request, which a table of sign-ins may have; of the two records of a
/// labelled mail the second is that of the rule which labelled it.
fn audited_apart(session: &Session) -> (String, Vec<Better>) {
    const MAILED: &str = "concat('mail ', e.\"ObjectId\")";
    let mut better = sign_ins(session, &SIGN_INS);
    better.push(Better {
        source: Source {
            condition: Some("e.\"RecordType\" = 43 AND e.\"ObjectId\" <> ''".into()),
            ..Source::of(table("UnifiedAuditLog"))
        },
        key: MAILED.into(),
    });
    let key = format!(
        "CASE WHEN e.\"RecordType\" = 15 THEN event_key(coalesce(nullif(json_as_text(e.\"AuditData\", 'IntraSystemId'), ''), e.\"Id\")) \
         WHEN e.\"RecordType\" = {SECOND_OF_MAIL} AND e.\"Operation\" = '{MAIL}' THEN {MAILED} END"
    );
    (key, better)
}

/// What a table says of a field in a way of its own, before its columns of the common names.
pub(super) fn special(name: &str, field: Field) -> Option<&'static str> {
    Some(match (name, field) {
        ("UnifiedAuditLog", Field::Result) => {
            "CASE WHEN e.\"RecordType\" = 15 THEN nullif(e.\"ErrorNumber\", '') END"
        }
        // A sign-in has it among what is said of the device; mail and files that were opened in that session have it in a column.
        ("UnifiedAuditLog", Field::Session) => {
            "CASE WHEN e.\"RecordType\" = 15 THEN \
             (regexp_match(e.\"AuditData\", '\"Name\" *: *\"SessionId\" *, *\"Value\" *: *\"([^\"]+)\"'))[1] END"
        }
        ("UnifiedAuditLog", Field::Name) => {
            "CASE WHEN e.\"RecordType\" IN (2, 3) THEN coalesce(json_as_text(e.\"AuditData\", 'Item', 'Subject'), \
             json_as_text(e.\"AuditData\", 'AffectedItems', 0, 'Subject')) \
             WHEN e.\"RecordType\" = 40 THEN json_as_text(e.\"AuditData\", 'Name') END"
        }
        ("UnifiedAuditLog", Field::Scope) => {
            "CASE WHEN e.\"RecordType\" = 40 THEN json_as_text(e.\"AuditData\", 'Severity') END"
        }
        ("UnifiedAuditLog", Field::Target) => {
            "CASE WHEN e.\"RecordType\" IN (8, 15) THEN e.\"Target\" \
             WHEN e.\"RecordType\" = 25 THEN json_as_text(e.\"AuditData\", 'Members') \
             WHEN e.\"Operation\" = 'SendAs' THEN json_as_text(e.\"AuditData\", 'SendAsUserSmtp') \
             WHEN e.\"Operation\" = 'SendOnBehalf' THEN json_as_text(e.\"AuditData\", 'SendOnBehalfOfUserSmtp') END"
        }
        ("UnifiedAuditLog", Field::Destination) => {
            "CASE WHEN e.\"DestinationRelativeUrl\" <> '' THEN concat(e.\"DestinationRelativeUrl\", '/', e.\"DestinationFileName\") \
             WHEN e.\"RecordType\" IN (2, 3) THEN json_as_text(e.\"AuditData\", 'DestFolder', 'Path') END"
        }
        ("UnifiedAuditLog", Field::Count) => {
            "CASE WHEN e.\"RecordType\" = 3 THEN CAST(json_length(e.\"AuditData\", 'AffectedItems') AS VARCHAR) END"
        }
        ("AuditLogs", Field::User) => {
            "coalesce(nullif(json_as_text(e.\"InitiatedBy\", 'user', 'userPrincipalName'), ''), \
             nullif(json_as_text(e.\"InitiatedBy\", 'app', 'displayName'), ''), json_as_text(e.\"InitiatedBy\", 'user', 'id'))"
        }
        ("AuditLogs", Field::Address) => "json_as_text(e.\"InitiatedBy\", 'user', 'ipAddress')",
        ("AuditLogs", Field::Target) => "e.\"TargetResources\"",
        ("SigninLogs" | "AADNonInteractiveUserSignInLogs", Field::Device) => {
            "json_as_text(e.\"DeviceDetail\", 'displayName')"
        }
        (OTHER, Field::Action) => {
            "coalesce(nullif(json_as_text(e.\"ExtraColumns\", 'Operation'), ''), nullif(json_as_text(e.\"ExtraColumns\", 'ActionType'), ''), \
             json_as_text(e.\"ExtraColumns\", 'OperationName'))"
        }
        (OTHER, Field::User) => {
            "coalesce(nullif(json_as_text(e.\"ExtraColumns\", 'UserPrincipalName'), ''), nullif(json_as_text(e.\"ExtraColumns\", 'AccountUpn'), ''), \
             nullif(json_as_text(e.\"ExtraColumns\", 'UserId'), ''), json_as_text(e.\"ExtraColumns\", 'AccountName'))"
        }
        (OTHER, Field::Address) => {
            "coalesce(nullif(json_as_text(e.\"ExtraColumns\", 'IPAddress'), ''), nullif(json_as_text(e.\"ExtraColumns\", 'ClientIP'), ''), \
             json_as_text(e.\"ExtraColumns\", 'RemoteIP'))"
        }
        (OTHER, Field::Device) => "json_as_text(e.\"ExtraColumns\", 'DeviceName')",
        (OTHER, Field::Name) => "json_as_text(e.\"ExtraColumns\", 'FileName')",
        _ => return None,
    })
}

/// The value of a field that leads back to the record.
pub(super) fn lineage(field: Field) -> Option<String> {
    let column = match field {
        Field::Ingest => INGEST_ID,
        Field::Record => RECORD,
        _ => return None,
    };
    Some(format!("CAST(e.\"{column}\" AS VARCHAR)"))
}
