//! Small files as people have them (`tests/it/data/field`): what each becomes.

use super::*;

/// A file, the exit code, and the answer of a question about it.
const FILES: [(&str, i32, &str, &[&str]); 13] = [
    (
        "entra-interactive.json",
        0,
        "SELECT ResultType, ResultDescription, Location, LocationDetails->>'city', \
         ConditionalAccessPolicies->0->>'displayName' FROM SigninLogs ORDER BY Id",
        &[
            "0||PT|Lisbon|MFA for all",
            "50126|Error validating credentials due to invalid username or password.|PT|Lisbon|MFA for all",
        ],
    ),
    (
        "entra-interactive.csv",
        0,
        "SELECT ResultType, Location, UserPrincipalName, TimeGenerated FROM SigninLogs ORDER BY Id",
        &[
            "0|PT|grace@contoso.com|2026-06-04T11:00:01Z",
            "50126|PT|grace@contoso.com|2026-06-04T11:00:02Z",
        ],
    ),
    (
        "entra-directory-audits.jsonl",
        0,
        "SELECT OperationName, TimeGenerated, InitiatedBy->'user'->>'userPrincipalName' FROM AuditLogs ORDER BY 2",
        &[
            "Add member to group|2026-06-04T10:00:01Z|grace@contoso.com",
            "Add member to group|2026-06-04T10:00:02Z|grace@contoso.com",
        ],
    ),
    (
        "wazuh-alerts.json",
        0,
        "SELECT TimeGenerated, Operation FROM UnifiedAuditLog ORDER BY 1",
        &[
            "2026-06-03T08:16:11Z|FileAccessed",
            "2026-06-03T08:16:12Z|FileAccessed",
        ],
    ),
    (
        "power-bi-activity.json",
        0,
        "SELECT TimeGenerated, Operation FROM UnifiedAuditLog ORDER BY 1",
        &[
            "2026-06-03T08:15:21Z|SensitivityLabelChanged",
            "2026-06-03T08:15:22Z|ViewReport",
        ],
    ),
    (
        "splunk-results.json",
        0,
        "SELECT TimeGenerated, Operation FROM UnifiedAuditLog ORDER BY 1",
        &[
            "2026-06-03T08:17:31Z|FileAccessed",
            "2026-06-03T08:17:32Z|FileAccessed",
        ],
    ),
    (
        "defender-for-cloud-apps.json",
        0,
        "SELECT TimeGenerated, Operation FROM UnifiedAuditLog ORDER BY 1",
        &[
            "2026-06-03T08:18:41Z|FileAccessed",
            "2026-06-03T08:18:42Z|FileAccessed",
        ],
    ),
    (
        "elasticsearch-hits.json",
        0,
        "SELECT TimeGenerated, Operation FROM UnifiedAuditLog ORDER BY 1",
        &[
            "2026-06-03T08:19:51Z|FileAccessed",
            "2026-06-03T08:19:52Z|FileAccessed",
        ],
    ),
    (
        "message-trace.csv",
        0,
        "SELECT TimeGenerated, ExtraColumns->>'Subject' FROM OtherRecords ORDER BY 1",
        &["2026-06-17T08:00:00Z|Plan", "2026-06-18T08:00:00Z|Plan 2"],
    ),
    (
        "custom-table.jsonl",
        0,
        "SELECT TimeGenerated, \"Operation\", \"Count\" FROM \"M365AuditGeneral_CL\" ORDER BY 1",
        &[
            "2026-06-05T12:00:01Z|DLPRuleMatch|1",
            "2026-06-05T12:00:02Z|DLPRuleMatch|2",
        ],
    ),
    (
        "separator-line.csv",
        0,
        "SELECT TimeGenerated, UserId FROM UnifiedAuditLog ORDER BY 1",
        &[
            "2026-06-03T08:20:01Z|grace@contoso.com",
            "2026-06-03T08:20:02Z|grace@contoso.com",
        ],
    ),
    (
        "graph-incidents.json",
        0,
        "SELECT Title, Severity, Status FROM SecurityIncident ORDER BY ProviderIncidentId",
        &["Labels removed|High|Active", "Labels removed|High|Active"],
    ),
    (
        "pull-error.json",
        10,
        "SELECT \"Status\", \"Note\" FROM Ingests",
        &["unreadable|an error answer: this pull is incomplete (UnknownError)"],
    ),
];

#[test]
fn every_file_becomes_what_its_owner_expects() {
    for (name, code, question, want) in FILES {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("archive");
        let file = crate::project(&format!("tests/it/data/field/{name}"));
        let out = run(&[
            "ingest",
            &file.to_string_lossy(),
            "-a",
            &archive.to_string_lossy(),
        ]);
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert_eq!(out.status.code(), Some(code), "{name}: {said}");
        assert_eq!(crate::ask(&archive, question), want, "{name}: {said}");
    }
}
