//! Alerts as data: what a hunt stores is there once, rules over Sentinel's tables see it, and what is excluded is counted.

use std::fs;
use std::path::{Path, PathBuf};

use coldtrail::archive::Archive;
use coldtrail::archive::conclusions::{self, Added, NewAlert, Row};
use coldtrail::progress::Silent;
use serde_json::{Value, json};

use crate::command_line::run;
use crate::durable::{done, export, ingest, quick_folder, text, told};
use crate::{NOW, ask, number};

const RULE: &str = "/*
id: reads
name: Somebody read something
description: Each record is a finding.
severity: Low
kind: Scheduled
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [Collection]
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: FullName, columnName: UserId}
*/
SELECT \"TimeGenerated\", \"UserId\", \"Operation\", \"_Source\" FROM UnifiedAuditLog
";

struct Case {
    _folder: tempfile::TempDir,
    path: PathBuf,
    archive: PathBuf,
    rule: PathBuf,
}

impl Case {
    /// An archive of six records, and a rule that finds each of them.
    fn new() -> Case {
        let folder = quick_folder();
        let path = folder.path().to_path_buf();
        let archive = path.join("archive");
        ingest(&archive, &export(&path, "first.jsonl", 0..6));
        let rule = path.join("reads.sql");
        fs::write(&rule, RULE).expect("a rule");
        Case {
            _folder: folder,
            path,
            archive,
            rule,
        }
    }

    fn hunt(&self, more: &[&str]) -> String {
        let (archive, rule) = (text(&self.archive), text(&self.rule));
        done(&[&["hunt", "-a", &archive, "-r", &rule][..], more].concat())
    }

    /// The JSON that a command writes to stdout.
    fn json(&self, arguments: &[&str]) -> Value {
        let out = run(&[arguments, &["-a", &text(&self.archive)]].concat());
        let said = String::from_utf8_lossy(&out.stdout);
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"))
    }

    fn digest(&self) -> String {
        let report = self.json(&["verify", "--json"]);
        assert_eq!(report["problems"], json!([]));
        report["content_digest"].to_string()
    }

    fn ask(&self, sql: &str) -> Vec<String> {
        ask(&self.archive, sql)
    }
}

/// The Parquet files of a table.
fn files(archive: &Path, table: &str) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(archive.join(table)).into_iter();
    // There may be no such folder.
    walk.flatten()
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|x| x == "parquet"))
        .collect()
}

#[test]
fn what_a_hunt_stores_is_there_once_and_the_content_stays_the_same() {
    let case = Case::new();
    let before = case.digest();
    let said = case.hunt(&["--new-only"]);
    assert!(
        said.contains("6 alerts raised: 6 new, 0 stored before"),
        "{said}"
    );
    assert!(
        files(&case.archive, "Alerts").is_empty(),
        "nothing was to be stored"
    );
    let said = case.hunt(&["--store"]);
    assert!(
        said.contains("6 new, 0 stored before; 6 alerts and 0 incidents added to the archive"),
        "{said}"
    );
    let said = case.hunt(&["--store"]);
    assert!(
        said.contains("0 new, 6 stored before; 0 alerts and 0"),
        "{said}"
    );
    assert!(said.contains("6 findings"), "{said}");
    assert_eq!(case.digest(), before);
    let said = case.hunt(&["--new-only"]);
    assert!(said.contains("0 findings"), "{said}");
    ingest(&case.archive, &export(&case.path, "second.jsonl", 6..8));
    let said = case.hunt(&["--new-only", "--store"]);
    assert!(
        said.contains("8 alerts raised: 2 new, 6 stored before"),
        "{said}"
    );
    assert!(said.contains("2 findings"), "{said}");
    let stored = "SELECT \"_StoreId\", count(*), min(\"RuleId\") FROM Alerts GROUP BY 1 ORDER BY 1";
    assert_eq!(case.ask(stored), ["1|6|reads", "2|2|reads"]);
    let after = case.digest();
    let path = text(&case.archive);
    done(&["archive", "compact", "--retention", "0", "-a", &path]);
    assert_eq!(files(&case.archive, "Alerts").len(), 1);
    assert_eq!(case.ask(stored), ["1|6|reads", "2|2|reads"]);
    assert_eq!(case.digest(), after);
}

#[test]
fn rules_over_sentinels_tables_see_what_is_stored() {
    let case = Case::new();
    case.hunt(&["--store"]);
    let path = text(&case.archive);
    let query = "SecurityAlert | where Entities has 'user3' | project TimeGenerated, AlertName, AlertSeverity, Status";
    assert_eq!(
        case.json(&["kql", query, "-f", "json"]),
        json!([{
            "TimeGenerated": "2026-05-02T01:00:00Z", "AlertName": "Somebody read something",
            "AlertSeverity": "Low", "Status": "New",
        }])
    );
    // Alerts are of the time at which they were written.
    let later = [
        "kql",
        "SecurityAlert | count",
        "-f",
        "csv",
        "--from",
        "2026-05-02",
        "-a",
        &path,
    ];
    assert!(done(&later).contains("\n3\n"));
    let listed = case.json(&["alerts", "list", "-f", "json"]);
    let listed = listed.as_array().expect("a list");
    assert_eq!(listed.len(), 6);
    let id = listed[0]["SystemAlertId"].as_str().expect("an id");
    let shown = done(&["alerts", "show", &id[..13], "-a", &path]);
    assert!(
        shown.contains("\"Analytic Rule Name\": \"Somebody read something\""),
        "{shown}"
    );
    let same = case.json(&["alerts", "show", id, "-f", "json"]);
    assert_eq!(same[0]["SystemAlertId"], id);
    let (code, said) = told(&["alerts", "show", "nothing", "-a", &path]);
    assert_eq!(code, Some(2), "{said}");
    let csv = done(&["alerts", "list", "-f", "csv", "-a", &path]);
    assert!(
        csv.starts_with("TenantId,TimeGenerated,DisplayName,AlertName,AlertSeverity,"),
        "{csv}"
    );
    let none = done(&["alerts", "list", "--rule", "other", "-a", &path]);
    assert!(!none.contains("reads"), "{none}");
    let tables = done(&["sql", "SHOW TABLES", "-f", "csv", "-a", &path]);
    for line in ["Alerts,table\n", "SecurityAlert,view\n"] {
        assert!(tables.contains(line), "{tables}");
    }
}

#[test]
fn excluded_alerts_are_counted_and_expired_exclusions_hide_nothing() {
    let case = Case::new();
    let lists = case.archive.join("watchlists");
    fs::create_dir_all(&lists).expect("a folder");
    let list = "Rule,EntityType,Entity,Expires,Reason\n\
        reads,Account,user1@*,,a test account\n\
        reads,Account,user2@contoso.com,2020-01-01,it was away\n\
        reads,Account,,,all of them\n";
    fs::write(lists.join("Exclusions.csv"), list).expect("a list");
    let rule = text(&case.rule);
    let found = case.json(&["hunt", "-r", &rule, "-f", "json"]);
    assert_eq!(found["findings"].as_array().map(Vec::len), Some(5));
    assert_eq!(found["rules"][0]["findings"], 5);
    let tally = &found["alerts"];
    assert_eq!(
        tally["excluded"],
        json!([{"rule": "reads", "reason": "a test account", "alerts": 1}])
    );
    assert_eq!(tally["raised"], 6);
    assert_eq!(tally["expired_exclusions"], 1);
    let said = case.hunt(&["--store"]);
    for line in [
        "6 alerts raised: 5 new, 0 stored before, 1 excluded; 5 alerts and 0 incidents added",
        "excluded 1 alert of rule `reads`: a test account",
        "1 exclusion ended and excluded nothing",
        "row 3: it says Account and no Entity",
        "5 findings",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    // What was excluded is new when nobody excludes it any more.
    fs::remove_file(lists.join("Exclusions.csv")).expect("it is there");
    let said = case.hunt(&["--store"]);
    assert!(
        said.contains("6 alerts raised: 1 new, 5 stored before"),
        "{said}"
    );
}

#[test]
fn what_is_excluded_is_counted_in_a_report_too() {
    let folder = quick_folder();
    let (input, out) = (folder.path().join("input"), folder.path().join("out"));
    let lists = input.join("watchlists");
    fs::create_dir_all(&lists).expect("a folder");
    export(&input, "first.jsonl", 0..6);
    let list = "Rule,EntityType,Entity,Reason\nreads,Account,user1@*,a test <account>\n";
    fs::write(lists.join("Exclusions.csv"), list).expect("a list");
    let rule = folder.path().join("reads.sql");
    fs::write(&rule, RULE).expect("a rule");
    let (input, to, rule) = (text(&input), text(&out), text(&rule));
    let said = done(&["analyze", &input, "-o", &to, "-r", &rule]);
    for line in [
        "excluded 1 alert of rule `reads`: a test <account>",
        "5 findings",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let read = |name: &str| fs::read_to_string(out.join(name)).expect("a file");
    let found: Value = serde_json::from_str(&read("findings.json")).expect("findings are JSON");
    assert_eq!(found["alerts"]["excluded"][0]["alerts"], 1);
    assert_eq!(found["findings"].as_array().map(Vec::len), Some(5));
    let report = read("report.html");
    assert!(report.contains(r"a test \u003caccount\u003e"));
}

fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        other => panic!("{other} is no row"),
    }
}

fn alert(id: &str, name: &str) -> Row {
    row(json!({
        "TimeGenerated": "2026-05-01T08:00:00Z", "SystemAlertId": id, "AlertName": name, "IsIncident": false,
    }))
}

fn incident(number: usize, alerts: &[&str], modified: &str) -> Row {
    row(json!({
        "TimeGenerated": modified, "IncidentName": "n", "Title": "t", "IncidentNumber": number,
        "ProviderIncidentId": number.to_string(), "AlertIds": alerts, "AdditionalData": {"alertsCount": alerts.len()},
    }))
}

#[test]
fn an_event_of_an_export_and_a_hunt_counts_once_and_incidents_grow() {
    let case = Case::new();
    let (ours, both) = (
        alert("77777777-0000-4000-8000-000000000002", "ours"),
        alert("77777777-0000-4000-8000-00000000000A", "stored"),
    );
    let exported = case.path.join("alerts.jsonl");
    let line = r#"{"TimeGenerated":"2026-05-01T08:00:00Z","Type":"SecurityAlert","AlertName":"exported","AlertSeverity":"Low","SystemAlertId":"77777777-0000-4000-8000-00000000000a","ProviderName":"ASI Scheduled Alerts","VendorName":"Microsoft","Status":"New","Entities":"[]"}"#;
    fs::write(&exported, format!("{line}\n")).expect("an export");
    ingest(&case.archive, &exported);
    let archive = Archive::open(&case.archive).expect("an archive");
    let add = |alerts: &[Row], incidents: &[Row]| {
        let alerts = alerts.iter().map(|row| NewAlert { rule: "r", row });
        let alerts: Vec<NewAlert<'_>> = alerts.collect();
        conclusions::add(&archive, &alerts, incidents, NOW, &Silent).expect("they can be stored")
    };
    let first = incident(5, &["a"], "2026-05-01T08:00:00Z");
    let added = add(
        &[ours.clone(), both, ours.clone()],
        std::slice::from_ref(&first),
    );
    let wanted = Added {
        alerts: 2,
        incidents: 1,
    };
    assert_eq!(added, wanted);
    assert_eq!(add(&[ours], &[first]), Added::default());
    add(&[], &[incident(9, &["a", "b"], "2026-05-01T09:00:00Z")]);
    let names = "SELECT AlertName FROM SecurityAlert ORDER BY 1";
    assert_eq!(case.ask(names), ["exported", "ours"]);
    let grown = "SELECT IncidentNumber, ProviderIncidentId, AlertIds FROM SecurityIncident ORDER BY TimeGenerated";
    assert_eq!(case.ask(grown), ["1|1|[\"a\"]", "1|1|[\"a\",\"b\"]"]);
    let listed = case.json(&["alerts", "list", "--incidents", "-f", "json"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!(listed[0]["AlertIds"], json!(["a", "b"]));
    let short = done(&["alerts", "list", "--incidents", "-a", &text(&case.archive)]);
    let line = short.lines().nth(1).unwrap_or_default();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(
        cells.first().zip(cells.last()),
        Some((&"1", &"2")),
        "{short}"
    );
    case.digest();
}

#[test]
fn lost_alerts_are_told_and_a_hunt_gives_them_again() {
    let case = Case::new();
    let before = case.digest();
    case.hunt(&["--store"]);
    for file in files(&case.archive, "Alerts") {
        fs::remove_file(file).expect("it is there");
    }
    let path = text(&case.archive);
    let (code, said) = told(&["verify", "-a", &path]);
    assert_eq!(code, Some(1), "{said}");
    let said = done(&["archive", "repair", "-a", &path]);
    assert!(said.contains("6 rows of `Alerts` are lost"), "{said}");
    assert_eq!(case.digest(), before);
    assert_eq!(
        number(&case.archive, "SELECT count(*) FROM SecurityAlert"),
        0
    );
    let said = case.hunt(&["--store"]);
    assert!(said.contains("6 new, 0 stored before"), "{said}");
    // A log that is gone is made again from the files.
    fs::remove_dir_all(case.archive.join("Alerts/_delta_log")).expect("it is there");
    done(&["archive", "repair", "-a", &path]);
    assert_eq!(
        number(&case.archive, "SELECT count(*) FROM SecurityAlert"),
        6
    );
    let said = case.hunt(&["--store"]);
    assert!(said.contains("0 new, 6 stored before"), "{said}");
    assert_eq!(case.digest(), before);
}
