//! Rules as KQL: `rules convert`, and `kql -F` and `--check` of rules in every format.

use std::path::Path;

use serde_json::Value;

use crate::command_line::run;

const SIGMA: &str = "title: Mailbox permission\nid: 55555555-0000-4000-8000-000000000005\nlogsource:\n  product: m365\n  service: exchange\ndetection:\n  selection:\n    eventName: Add-MailboxPermission\n  condition: selection\nlevel: high\ntags:\n  - attack.persistence\n  - attack.t1098\n";

const CORRELATION: &str = "title: Failed\nname: failed\nlogsource:\n  product: azure\n  service: signinlogs\ndetection:\n  selection:\n    ResultType: 50126\n  condition: selection\n---\ntitle: Many failed\nid: many\ncorrelation:\n  type: event_count\n  rules: failed\n  group-by: [UserPrincipalName]\n  timespan: 5m\n  condition:\n    gte: 10\n";

const OWN_SQL: &str = "/*\nid: own-sql\nname: Own in SQL\nseverity: High\n*/\nSELECT 1 AS x\n";

const OWN_KQL: &str =
    "/*\nid: own-kql\nname: Own in KQL\nseverity: Low\nqueryPeriod: 7d\n*/\nprint x = 1\n";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file in a folder, by its name as an argument.
fn put(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file");
    path.to_string_lossy().into_owned()
}

#[test]
fn a_rule_in_sigma_becomes_one_of_our_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = run(&["rules", "convert", &put(folder.path(), "mail.yml", SIGMA)]);
    let shown = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{shown}{}", text(&out.stderr));
    for line in [
        "// id: \"55555555-0000-4000-8000-000000000005\"\n",
        "// severity: \"High\"\n",
        "// tactics: [\"Persistence\"]\n",
        "// relevantTechniques: [\"T1098\"]\n",
        "\nUnifiedAuditLog\n| where ",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let own = put(folder.path(), "own.kql", &shown);
    let out = run(&["rules", "list", "-f", "json", &own]);
    let list: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(list[0]["id"], "55555555-0000-4000-8000-000000000005");
    assert_eq!(list[0]["language"], "KQL");
    assert_eq!(list[0]["name"], "Mailbox permission");
    assert_eq!(list[0]["entityMappings"][0]["type"], "Account");
    let out = run(&["rules", "check", &own]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stdout));
}

#[test]
fn what_has_no_query_in_kql_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "a.sql", OWN_SQL);
    put(folder.path(), "b.kql", OWN_KQL);
    put(folder.path(), "c.yml", CORRELATION);
    put(
        folder.path(),
        "d.yml",
        &SIGMA.replace("product: m365", "product: toaster"),
    );
    let rules = folder.path().to_string_lossy();
    let out = run(&["rules", "convert", "-f", "json", &rules]);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(
        said.contains("rule `own-sql`: its query is in SQL"),
        "{said}"
    );
    let list: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let list = list.as_array().expect("a list");
    let ids: Vec<(&str, bool)> = list
        .iter()
        .map(|one| {
            let id = one["id"].as_str().expect("an id");
            (id, one["ok"].as_bool().expect("a verdict"))
        })
        .collect();
    // What a correlation counts is a part of it.
    assert_eq!(
        ids,
        [
            ("55555555-0000-4000-8000-000000000005", false),
            ("many", true),
            ("own-kql", true),
            ("own-sql", false),
        ]
    );
    let error = list[0]["error"].as_str().expect("a text");
    assert!(
        error.contains("no known table has the events of"),
        "{error}"
    );
    assert_eq!(list[1]["tables"][0], "SigninLogs");
    let own = list[2]["kql"].as_str().expect("a text");
    assert!(own.starts_with("// id: \"own-kql\"\n// name: "), "{own}");
    assert!(own.ends_with("\nprint x = 1\n"), "{own}");
}

#[test]
fn a_query_is_asked_whatever_its_rule_is_written_as() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = put(folder.path(), "own.kql", OWN_KQL);
    let out = run(&["kql", "-f", "csv", "-F", &own]);
    assert_eq!(text(&out.stdout), "x\n1\n", "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("looks back 7d"));

    let two =
        "id: one\nname: One\nquery: print x = 1\n---\nid: two\nname: Two\nquery: print x = 2\n";
    let two = put(folder.path(), "two.yaml", two);
    let out = run(&["kql", "-F", &two]);
    assert_eq!(out.status.code(), Some(2));
    let said = text(&out.stderr);
    let want = "has 2 queries: --rule ID says which is meant (one, two)";
    assert!(said.contains(want), "{said}");
    let out = run(&["kql", "-f", "csv", "-F", &two, "--rule", "two"]);
    assert_eq!(text(&out.stdout), "x\n2\n", "{}", text(&out.stderr));
    let out = run(&["kql", "-F", &two, "--rule", "three"]);
    assert!(text(&out.stderr).contains("has no rule `three`"));

    let sql = put(folder.path(), "own.sql", OWN_SQL);
    let out = run(&["kql", "-F", &sql]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("its query is in SQL"));
    let out = run(&["kql", "-F", &put(folder.path(), "mail.yml", SIGMA)]);
    let said = text(&out.stderr);
    assert!(
        said.contains("`UnifiedAuditLog` needs an archive"),
        "{said}"
    );
    // Of a correlation and what it counts, the correlation is meant.
    let out = run(&["kql", "-F", &put(folder.path(), "many.yml", CORRELATION)]);
    let said = text(&out.stderr);
    assert!(said.contains("`SigninLogs` needs an archive"), "{said}");
}

#[test]
fn queries_of_sigma_are_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().to_string_lossy().into_owned();
    put(folder.path(), "mail.yml", SIGMA);
    let unused = SIGMA.replace("  condition:", "  other:\n    eventName: x\n  condition:");
    put(
        folder.path(),
        "unused.yml",
        &unused.replace("55555555", "66666666"),
    );
    let out = run(&["kql", "--check", &rules]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(
        said.ends_with("2 queries: 2 would run, 0 would not\n"),
        "{said}"
    );
    let out = run(&["rules", "check", &rules]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}");
    let want = "the condition does not ask for the search `other`";
    assert!(said.contains(want), "{said}");
    let nowhere = SIGMA.replace("    eventName", "    Nonsense|frobnicate");
    put(
        folder.path(),
        "wrong.yml",
        &nowhere.replace("55555555", "77777777"),
    );
    let out = run(&["rules", "check", &rules]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(
        said.contains("wrong.yml: would not run\n    error 8:"),
        "{said}"
    );
}
