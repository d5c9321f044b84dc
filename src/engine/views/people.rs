//! People: who did what an audit record tells, under the name and the id that the archive knows for the account.
//!
//! An audit record says an address, in whatever case, and at times the account's id. Sign-ins, identity tables and CloudAppEvents say the name.
//! Addresses and ids that stand in one row are one person; where they had several names, all records say the latest one. Names are taken from
//! the rows of all times, so that they do not depend on the range.
//!
//! Knows accounts of people only: what an application is called is not looked up.

use std::fmt::Write;

use super::audit_records::AUDIT;
use crate::engine::session::Session;

/// Tables that name accounts, with what they say as address, id and name.
const NAMED: [(&str, &str, &str, &str); 13] = [
    (
        "CloudAppEvents",
        "a.\"RawEventData_UserId\"",
        "a.\"AccountObjectId\"",
        "a.\"AccountDisplayName\"",
    ),
    ("SigninLogs", UPN, "a.\"UserId\"", SIGNED_IN),
    (
        "AADNonInteractiveUserSignInLogs",
        UPN,
        "a.\"UserId\"",
        SIGNED_IN,
    ),
    ("ADFSSignInLogs", UPN, "a.\"UserId\"", SIGNED_IN),
    (
        "AADUserRiskEvents",
        UPN,
        "a.\"UserId\"",
        "a.\"UserDisplayName\"",
    ),
    ("AADRiskyUsers", UPN, "a.\"Id\"", "a.\"UserDisplayName\""),
    (
        "IdentityInfo",
        "a.\"AccountUPN\"",
        "a.\"AccountObjectId\"",
        ACCOUNT_NAME,
    ),
    (
        "AADSignInEventsBeta",
        ACCOUNT_UPN,
        "a.\"AccountObjectId\"",
        ACCOUNT_NAME,
    ),
    (
        "EntraIdSignInEvents",
        ACCOUNT_UPN,
        "a.\"AccountObjectId\"",
        ACCOUNT_NAME,
    ),
    (
        "IdentityLogonEvents",
        ACCOUNT_UPN,
        "a.\"AccountObjectId\"",
        ACCOUNT_NAME,
    ),
    (
        "IdentityDirectoryEvents",
        ACCOUNT_UPN,
        "a.\"AccountObjectId\"",
        ACCOUNT_NAME,
    ),
    (
        "IdentityQueryEvents",
        ACCOUNT_UPN,
        "a.\"AccountObjectId\"",
        ACCOUNT_NAME,
    ),
    (
        "AipServiceTrackingLog",
        "a.\"RequesterEmail\"",
        "CAST(NULL AS VARCHAR)",
        "a.\"RequesterDisplayName\"",
    ),
];
const UPN: &str = "a.\"UserPrincipalName\"";
const SIGNED_IN: &str = "coalesce(nullif(a.\"UserDisplayName\", ''), a.\"Identity\")";
const ACCOUNT_UPN: &str = "a.\"AccountUpn\"";
const ACCOUNT_NAME: &str = "a.\"AccountDisplayName\"";

/// Audit records know the id of an address, and no name. Those of applications (types 5 and 6) have other keys.
const AUDITED: [(&str, &str); 2] = [
    ("UnifiedAuditLog", "a.\"UserType\""),
    ("OfficeActivity", "user_type_number(a.\"UserType\")"),
];

/// An id of an account as an audit record spells it.
const GUID: &str = "'^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'";

/// By what the person of an audit record is looked up.
const KEY: &str = "CASE WHEN u.\"UserId\" LIKE '%_@_%' THEN lower(trim(u.\"UserId\")) \
    ELSE lower(trim(u.\"UserKey\")) END";

/// Audit records as `u`, and who did them, as expressions.
pub(super) struct Actors {
    /// What stands after FROM.
    pub(super) rows: String,
    pub(super) object_id: String,
    pub(super) display_name: String,
}

/// The actors of all audit records.
pub(super) fn actors(session: &Session) -> Actors {
    let recorded = format!(
        "CASE WHEN u.\"UserType\" IN (5, 6) THEN NULL \
              WHEN regexp_like(u.\"UserKey\", {GUID}) THEN u.\"UserKey\" \
              ELSE coalesce(json_get_str(u.\"AuditData\", 'TokenObjectId'), \
                (regexp_match(u.\"Actor\", '\"ID\":\\s*\"([0-9a-fA-F-]{{36}})\",\\s*\"Type\":\\s*0'))[1]) END"
    );
    let records = format!("\"{AUDIT}\" AS u");
    // One person is one name: of an address, its case does not count.
    let address = "user_spelling(u.\"UserId\")";
    match known(session) {
        // The people stand left, which is the side that a join keeps in memory: they are few, and the records are wide.
        Some(people) => Actors {
            rows: format!("(({people}) AS p RIGHT JOIN {records} ON p.\"Person\" = {KEY})"),
            object_id: format!(
                "coalesce({recorded}, CASE WHEN u.\"UserType\" IN (5, 6) THEN NULL ELSE p.\"PersonId\" END)"
            ),
            display_name: format!("coalesce(p.\"PersonName\", {address})"),
        },
        None => Actors {
            rows: records,
            object_id: recorded,
            display_name: address.into(),
        },
    }
}

/// The name and the id behind each address and each id, if a table with names has rows.
///
/// Each table is gone through once: a common table expression would be worked out wherever it is named. The columns have names that no record
/// has: DataFusion 55.2 pushes a filter over columns of both sides of a join into one of them by their names alone.
pub(crate) fn known(session: &Session) -> Option<String> {
    let mut sources = String::new();
    for (table, upn, id, name) in NAMED.iter().filter(|(table, ..)| session.has(table)) {
        // Writing to a String cannot fail.
        let _ = write!(
            sources,
            "SELECT {upn} AS \"Upn\", {id} AS \"Id\", {name} AS \"Name\", max(a.\"TimeGenerated\") AS \"At\" \
             FROM stored.\"{table}\" AS a GROUP BY 1, 2, 3 UNION ALL "
        );
    }
    if sources.is_empty() {
        return None;
    }
    for (table, user_type) in AUDITED.iter().filter(|(table, _)| session.has(table)) {
        let _ = write!(
            sources,
            "SELECT a.\"UserId\" AS \"Upn\", a.\"UserKey\" AS \"Id\", CAST(NULL AS VARCHAR) AS \"Name\", \
               max(a.\"TimeGenerated\") AS \"At\" \
             FROM stored.\"{table}\" AS a \
             WHERE length(a.\"UserKey\") = 36 AND coalesce({user_type}, 0) NOT IN (5, 6) GROUP BY 1, 2 UNION ALL "
        );
    }
    let sources = sources.trim_end_matches(" UNION ALL ");
    // Whose id is not known is the person of the address. An id of zeros stands for nobody, and an address is no name.
    Some(format!(
        "SELECT \"Key\" AS \"Person\", min(\"Name\") AS \"PersonName\", min(\"Id\") AS \"PersonId\" FROM ( \
           SELECT unnest(make_array(CASE WHEN \"Person\" = coalesce(\"OfUpn\", \"Upn\") THEN \"Upn\" END, \"Id\")) AS \"Key\", \
             CASE WHEN \"Person\" NOT LIKE '%@%' THEN \"Person\" END AS \"Id\", \
             first_value(\"Name\") OVER (PARTITION BY \"Person\" ORDER BY \"Name\" IS NULL, \"At\" DESC NULLS LAST, \"Name\" {ALL}) AS \"Name\" \
           FROM (SELECT *, coalesce(\"Id\", \"OfUpn\", \"Upn\") AS \"Person\" FROM ( \
             SELECT *, CASE WHEN \"Upn\" IS NOT NULL THEN \
               first_value(\"Id\") OVER (PARTITION BY \"Upn\" ORDER BY \"Id\" IS NULL, \"At\" DESC NULLS LAST, \"Id\" {ALL}) END AS \"OfUpn\" \
             FROM (SELECT \"Upn\", \"Id\", \"Name\", max(\"At\") AS \"At\" FROM ( \
               SELECT CASE WHEN \"Upn\" LIKE '%_@_%' THEN \"Upn\" END AS \"Upn\", \
                 CASE WHEN length(\"Id\") = 36 AND \"Id\" NOT LIKE '%@%' AND \"Id\" <> '00000000-0000-0000-0000-000000000000' \
                   THEN \"Id\" END AS \"Id\", \
                 CASE WHEN \"Name\" <> '' AND \"Name\" NOT LIKE '%@%' AND lower(\"Name\") IS DISTINCT FROM \"Id\" THEN \"Name\" END AS \"Name\", \
                 \"At\" \
               FROM (SELECT lower(trim(\"Upn\")) AS \"Upn\", lower(trim(\"Id\")) AS \"Id\", trim(\"Name\") AS \"Name\", \"At\" \
                 FROM ({sources}))) \
             GROUP BY 1, 2, 3)))) \
         WHERE \"Key\" IS NOT NULL GROUP BY 1"
    ))
}

/// A window of the whole partition.
const ALL: &str = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING";
