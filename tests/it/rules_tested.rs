//! `rules test`: rules in every language run their tests, and a failure says why.

use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::run;

const SIGMA: &str = "title: Mailbox permission\nid: 55555555-0000-4000-8000-000000000005\nlogsource:\n  product: m365\n  service: exchange\ndetection:\n  selection:\n    eventName: Add-MailboxPermission\n  condition: selection\nlevel: high\n";

const ANALYTICS: &str = "id: many\nname: Many\nkind: Scheduled\nseverity: Low\nqueryFrequency: 1h\nqueryPeriod: 1h\ntriggerOperator: gt\ntriggerThreshold: 2\nquery: |\n  UnifiedAuditLog\n  | where Operation == 'Add-MailboxPermission'\n";

/// Tests of one event each: its operation, and how many findings it must give.
fn tests(wanted: &[(&str, usize)]) -> String {
    let tests = wanted.iter().map(|(operation, finds)| {
        format!(
            "- name: {operation} {finds}\n  events:\n  - record: {{CreationTime: \"2026-06-01T08:00:00\", Id: a1, Operation: {operation}, RecordType: 1, Workload: Exchange, UserId: ada@contoso.com}}\n  finds: {finds}\n"
        )
    });
    tests.collect()
}

fn tested(folder: &Path, files: &[(&str, &str)], more: &[&str]) -> (Option<i32>, String) {
    for (name, content) in files {
        std::fs::write(folder.join(name), content).expect("a file");
    }
    let rules = folder.to_string_lossy();
    let out = run(&[&["rules", "test", &rules][..], more].concat());
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    (out.status.code(), said)
}

#[test]
fn a_rule_in_sigma_passes_the_tests_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = tests(&[
        ("Add-MailboxPermission", 1),
        ("Remove-MailboxPermission", 0),
    ]);
    let files = [("mail.yml", SIGMA), ("mail.tests.yaml", good.as_str())];
    let (code, said) = tested(folder.path(), &files, &[]);
    assert_eq!(said, "2 tests in 1 rule: 2 passed, 0 failed\n");
    assert_eq!(code, Some(0));
}

#[test]
fn a_test_that_fails_says_what_was_found_and_what_the_trigger_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let bad = tests(&[("Add-MailboxPermission", 2)]);
    let one = tests(&[("Add-MailboxPermission", 1)]);
    let files = [
        ("mail.yml", SIGMA),
        ("mail.tests.yaml", bad.as_str()),
        ("many.yaml", ANALYTICS),
        ("many.tests.yaml", one.as_str()),
        ("none.kql", "print x = 1\n"),
    ];
    let (code, said) = tested(folder.path(), &files, &[]);
    assert_eq!(code, Some(2), "{said}");
    for want in [
        "failed  55555555-0000-4000-8000-000000000005: Add-MailboxPermission 2: found 1, must find 2\n",
        "failed  many: Add-MailboxPermission 1: found 0, must find 1: its query gives 1 row, the trigger is GreaterThan 2\n",
        "2 tests in 3 rules: 0 passed, 2 failed; 1 rule has none\n",
    ] {
        assert!(said.contains(want), "{want}: {said}");
    }
    let (code, said) = tested(folder.path(), &[], &["-f", "json"]);
    assert_eq!(code, Some(2), "{said}");
    let list: Value = serde_json::from_str(&said).expect("JSON");
    let many = &list[1];
    assert_eq!(many["id"], "many");
    assert_eq!(many["ok"], false);
    assert_eq!(
        many["tests"],
        json!([{"name": "Add-MailboxPermission 1", "ok": false, "found": 0, "wanted": 1, "rows": 1, "error": null}])
    );
    assert_eq!(list[2]["ok"], true);
}

#[test]
fn a_query_that_fails_in_a_test_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = tests(&[("Add-MailboxPermission", 1)]);
    let wrong = ANALYTICS.replace("Operation ==", "Opperation ==");
    let files = [
        ("many.yaml", wrong.as_str()),
        ("many.tests.yaml", one.as_str()),
    ];
    let (code, said) = tested(folder.path(), &files, &[]);
    assert_eq!(code, Some(2), "{said}");
    let want = "failed  many: Add-MailboxPermission 1: no column or variable `Opperation`\n";
    assert!(said.contains(want), "{said}");
}

#[test]
fn a_test_takes_every_table_of_sentinel_and_of_a_workspace() {
    let folder = tempfile::tempdir().expect("a folder");
    let rule = |table: &str, row: &str| {
        format!(
            "/*\nid: {table}\nname: A\nseverity: Low\ntests:\n  - name: own\n    events:\n      - table: {table}\n        record: {{TimeGenerated: \"2026-05-14T03:20:00Z\", {row}}}\n    finds: 1\n*/\n{table} | where Type == '{table}' and TimeGenerated == datetime(2026-05-14T03:20:00Z)\n"
        )
    };
    let files = [
        // A row that says its table, as exports do, and one that does not.
        (
            "AzureActivity",
            "Type: AzureActivity, Caller: ada@contoso.com",
        ),
        ("PowerBIActivity", "ActorName: ada@contoso.com"),
        ("Dynamics365Activity", "UserId: ada@contoso.com"),
        ("DeviceEvents", "ActionType: Other"),
        ("Doors_CL", "Door_s: north"),
    ];
    let files = files.map(|(table, row)| (format!("{table}.kql"), rule(table, row)));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    let (code, said) = tested(folder.path(), &files, &[]);
    assert_eq!(said, "5 tests in 5 rules: 5 passed, 0 failed\n");
    assert_eq!(code, Some(0));
    let folder = tempfile::tempdir().expect("a folder");
    let none = rule("AzureActvity", "Caller: ada@contoso.com");
    let (code, said) = tested(folder.path(), &[("a.kql", none.as_str())], &[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("no table `AzureActvity`"), "{said}");
}

#[test]
fn a_rule_that_cannot_be_loaded_does_not_fail_those_that_pass() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = tests(&[("Add-MailboxPermission", 1)]);
    let files = [
        ("mail.yml", SIGMA),
        ("mail.tests.yaml", good.as_str()),
        ("broken.yaml", "id: [\n"),
    ];
    let (code, said) = tested(folder.path(), &files, &[]);
    assert_eq!(said, "1 test in 1 rule: 1 passed, 0 failed\n");
    assert_eq!(code, Some(20));
    let folder = tempfile::tempdir().expect("a folder");
    let (code, said) = tested(folder.path(), &[("broken.yaml", "id: [\n")], &[]);
    assert_eq!(code, Some(2), "{said}");
}
