//! `rules why`: what of a rule's tables, fields, conditions and trigger keeps it from finding anything.

use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::run;

const EVENTS: &str = r#"{"CreationTime":"2026-06-11T08:00:00","Id":"b1","Operation":"New-InboxRule","RecordType":1,"Workload":"Exchange","ClientIP":"192.0.2.7","UserId":"eve@contoso.com","ResultStatus":"True"}
{"CreationTime":"2026-06-11T09:00:00","Id":"b2","Operation":"MailItemsAccessed","RecordType":2,"Workload":"Exchange","ClientIP":"192.0.2.9","UserId":"ada@contoso.com","ResultStatus":"Succeeded"}
"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An archive of the events.
fn archive(folder: &Path) -> String {
    let evidence = folder.join("audit.jsonl");
    std::fs::write(&evidence, EVENTS).expect("a file");
    let archive = folder.join("archive").to_string_lossy().into_owned();
    let out = run(&["ingest", &evidence.to_string_lossy(), "-a", &archive]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    archive
}

/// What is said of a rule with this name and text.
fn why(folder: &Path, archive: &str, name: &str, rule: &str, format: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, rule).expect("a file");
    let file = file.to_string_lossy();
    let out = run(&["rules", "why", &file, "-a", archive, "-f", format]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}{}", text(&out.stderr));
    said
}

fn explained(folder: &Path, archive: &str, query: &str) -> Value {
    let said = why(folder, archive, "rule.kql", query, "json");
    let list: Value = serde_json::from_str(&said).expect("JSON");
    list[0].clone()
}

#[test]
fn conditions_are_counted_alone_and_together_and_the_nearest_row_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let query = "let who = 'ada@contoso.com';\nUnifiedAuditLog\n| where Operation == 'New-InboxRule'\n| where UserId == who and ClientIP == '192.0.2.9'\n| summarize count() by UserId\n";
    let one = explained(folder.path(), &archive, query);
    assert_eq!(one["now"], "2026-06-11T09:00:00Z");
    let table = &one["tables"][0];
    assert_eq!(
        (&table["table"], &table["rows"]),
        (&json!("UnifiedAuditLog"), &json!(2))
    );
    assert_eq!(
        table["conditions"],
        json!([
            {"condition": "Operation == 'New-InboxRule'", "alone": 1, "together": 1},
            {"condition": "UserId == who", "alone": 1, "together": 0},
            {"condition": "ClientIP == '192.0.2.9'", "alone": 1, "together": 0},
        ])
    );
    assert_eq!(table["nearest"]["met"], 2);
    assert_eq!(
        table["nearest"]["not_met"],
        json!(["Operation == 'New-InboxRule'"])
    );
    let row = table["nearest"]["row"].as_array().expect("a list");
    assert!(
        row.contains(&json!({"field": "UserId", "value": "ada@contoso.com"})),
        "{row:?}"
    );
    assert_eq!(one["fires"], false);
    let reason = one["reasons"][0].as_str().expect("a text");
    assert!(
        reason.contains("meet each condition and none meets all: `UserId == who`"),
        "{reason}"
    );
    let said = why(folder.path(), &archive, "rule.kql", query, "text");
    assert!(said.contains("  nearest miss: it meets 2 of 3\n"), "{said}");
    assert!(
        said.contains("0 rows found, the trigger is GreaterThan 0: it does not fire\n"),
        "{said}"
    );
}

#[test]
fn since_counts_back_from_the_last_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let file = folder.path().join("rule.kql");
    std::fs::write(&file, "UnifiedAuditLog | where UserId != ''\n").expect("a file");
    let file = file.to_string_lossy();
    let rows = |since: &str| {
        let out = run(&[
            "rules", "why", &file, "-a", &archive, "--since", since, "-f", "json",
        ]);
        let list: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        list[0]["rows"].clone()
    };
    assert_eq!((rows("30m"), rows("2h")), (json!(1), json!(2)));
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let query = "UnifiedAuditLog | where tostring(AuditData.NoSuchField) == 'x' and Operation == 'Nothing'\n";
    let one = explained(folder.path(), &archive, query);
    let reasons = one["reasons"].as_array().expect("a list");
    assert_eq!(
        reasons[..3],
        [
            "no row of `UnifiedAuditLog` has `AuditData.NoSuchField`",
            "no row of `UnifiedAuditLog` meets `tostring(AuditData.NoSuchField) == 'x'`",
            "no row of `UnifiedAuditLog` meets `Operation == 'Nothing'`",
        ]
    );
    let one = explained(
        folder.path(),
        &archive,
        "DeviceProcessEvents | where FileName == 'x'\n",
    );
    let reason = &one["reasons"][0];
    assert_eq!(reason, "there are no rows of `DeviceProcessEvents`");
    let one = explained(
        folder.path(),
        &archive,
        "UnifiedAuditLog | where Opperation == 'x'\n",
    );
    let reason = one["reasons"][0].as_str().expect("a text");
    assert!(
        reason.starts_with("its query does not run: no column or variable"),
        "{reason}"
    );
}

#[test]
fn the_trigger_is_held_against_the_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let rule = "/*\nid: many\nname: Many\nseverity: Low\ntriggerOperator: gt\ntriggerThreshold: 5\n*/\nSELECT * FROM UnifiedAuditLog\n";
    let said = why(folder.path(), &archive, "many.sql", rule, "json");
    let list: Value = serde_json::from_str(&said).expect("JSON");
    let one = &list[0];
    assert_eq!((&one["rows"], &one["fires"]), (&json!(2), &json!(false)));
    assert_eq!(one["tables"][0]["table"], "UnifiedAuditLog");
    assert_eq!(one["tables"][0]["rows"], 2);
    assert_eq!(
        one["reasons"],
        json!(["its query gives 2 rows, and its trigger is GreaterThan 5"])
    );
    let sigma = "title: Rule of an inbox\nid: inbox\nlogsource:\n  product: m365\n  service: exchange\ndetection:\n  selection:\n    eventName: New-InboxRule\n  condition: selection\n";
    let said = why(folder.path(), &archive, "inbox.yml", sigma, "text");
    assert!(
        said.contains("1 row found, the trigger is GreaterThan 0: it fires\n"),
        "{said}"
    );
}

#[test]
fn a_broken_file_beside_the_rule_is_said_and_does_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    let files = [
        ("good.kql", "UnifiedAuditLog | where UserId != ''\n"),
        ("broken.yaml", "id: [\n"),
    ];
    for (name, content) in files {
        std::fs::write(rules.join(name), content).expect("a file");
    }
    let rules = rules.to_string_lossy();
    for command in [&["why", "good", "-a", &archive][..], &["show", "good"][..]] {
        let out = run(&[&["rules"][..], command, &["-r", &rules]].concat());
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{said}");
        assert!(text(&out.stdout).contains("good"), "{said}");
        assert!(
            said.contains("warning: `") && said.contains("broken.yaml"),
            "{said}"
        );
        // The others of the folder are one line.
        let others = "broken.yaml` beside the rule: 1 error; `coldtrail rules check` says which\n";
        assert!(said.contains(others), "{said}");
    }
    // All rules are asked for where none is named.
    let out = run(&["rules", "show", "-r", &rules]);
    assert_eq!(out.status.code(), Some(2), "{}", text(&out.stderr));
}
