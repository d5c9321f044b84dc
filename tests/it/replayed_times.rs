//! A replay on the command line, held against times and numbers that were worked out by hand.

use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::run;
use crate::ingest;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
/// 2026-05-04T08:00:00Z
const EIGHT: i64 = 1_777_881_600 * SECOND;
/// 2023-07-24T20:23:59.107Z
const RAN_2023: i64 = 1_690_230_239_107_000;

fn iso(micros: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(micros).expect("in the calendar");
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// An archive with failed sign-ins at these times.
fn failures(folder: &Path, times: &[i64]) -> String {
    let mut lines = String::new();
    for (number, time) in times.iter().enumerate() {
        let time = iso(*time);
        let record = json!({
            "TenantId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "SourceSystem": "Azure AD", "TimeGenerated": time,
            "OperationName": "Sign-in activity", "Category": "SignInLogs", "ResultType": "50126",
            "CorrelationId": format!("15000000-0000-4000-8000-1{number:011}"), "CreatedDateTime": time,
            "Id": format!("15000000-0000-4000-8000-{number:012}"), "IPAddress": "192.0.2.7",
            "UserPrincipalName": "ada@contoso.com", "Type": "SigninLogs",
        });
        lines.push_str(&format!("{record}\n"));
    }
    let export = folder.join("SigninLogs.json");
    std::fs::write(&export, lines).expect("an export");
    let archive = folder.join("archive");
    ingest(&archive, &[export]);
    archive.to_string_lossy().into_owned()
}

/// Failures at 08:10, 08:20 and 10:59.
fn three(folder: &Path) -> String {
    failures(
        folder,
        &[10, 20, 179].map(|minutes| EIGHT + minutes * MINUTE),
    )
}

const FAILED: &str = "SigninLogs | where ResultType == '50126' | project TimeGenerated, Id";

/// An hourly rule as it is exported from a workspace, with settings of its own.
fn rule(folder: &Path, query: &str, settings: &Value) -> String {
    let mut properties = json!({
        "displayName": "Test alert", "description": "test alert", "severity": "Medium", "enabled": true, "query": query,
        "queryFrequency": "PT1H", "queryPeriod": "PT1H", "triggerOperator": "GreaterThan", "triggerThreshold": 0,
        "suppressionEnabled": false, "suppressionDuration": "PT5H", "tactics": [], "techniques": [],
    });
    for (name, value) in settings.as_object().expect("settings") {
        properties[name] = value.clone();
    }
    let template = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [{
            "name": "[concat(parameters('workspace'),'/Microsoft.SecurityInsights/11111111-58a9-4d66-af3a-b054778b4aa2')]",
            "type": "Microsoft.OperationalInsights/workspaces/providers/alertRules",
            "kind": "Scheduled", "apiVersion": "2024-03-01", "properties": properties,
        }],
    });
    let path = folder.join("rule.json");
    std::fs::write(&path, template.to_string()).expect("a rule");
    path.to_string_lossy().into_owned()
}

/// What a replay shows, and what it says.
fn replayed(archive: &str, rule: &str, more: &[&str]) -> (Vec<Value>, String) {
    let mut arguments = vec![
        "hunt", "-a", archive, "-r", rule, "--replay", "-f", "ndjson",
    ];
    arguments.extend(more);
    let out = run(&arguments);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    let shown = String::from_utf8_lossy(&out.stdout).into_owned();
    let shown = shown
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"));
    (shown.collect(), said)
}

#[test]
fn an_alert_of_the_command_line_is_as_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    // Twelve rows from 19:45:43.196291 to 19:50:01.015524.
    let (first, last) = (1_690_227_943_196_291, 1_690_228_201_015_524);
    let mut times = vec![first, last];
    times.extend((1..11).map(|n| first + n * SECOND));
    let archive = failures(folder.path(), &times);
    let five_hours = json!({"queryFrequency": "PT5H", "queryPeriod": "PT5H"});
    let rule = rule(folder.path(), "union SigninLogs", &five_hours);
    let at = iso(RAN_2023);
    let (alerts, _) = replayed(
        &archive,
        &rule,
        &["--from", &at, "--to", "2023-07-24T21:00"],
    );
    assert_eq!(alerts.len(), 1);
    let alert = &alerts[0];
    assert_eq!(alert["StartTime"], "2023-07-24T19:45:43.196291Z");
    assert_eq!(alert["EndTime"], "2023-07-24T19:50:01.015524Z");
    assert_eq!(alert["TimeGenerated"], "2023-07-24T20:28:59.107Z");
    assert_eq!(alert["ProviderName"], "ASI Scheduled Alerts");
    let said = alert["ExtendedProperties"].as_str().expect("text");
    let said: Value = serde_json::from_str(said).expect("an object");
    for (name, value) in [
        ("Query Period", "05:00:00"),
        ("Search Query Results Overall Count", "12"),
        ("Query Start Time UTC", "2023-07-24 15:23:59Z"),
        ("Query End Time UTC", "2023-07-24 20:24:00Z"),
        ("Event Grouping", "SingleAlert"),
        ("Alert generation status", "Full alert created"),
    ] {
        assert_eq!(said[name], value, "{name}");
    }
    let query = said["Query"].as_str().expect("text");
    let set = "set query_now = datetime(2023-07-24T20:23:59.1070000Z);\nunion SigninLogs";
    assert!(query.ends_with(set), "{query}");
}

#[test]
fn runs_that_a_silent_rule_skips_count_whether_they_would_have_seen_something_or_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = three(folder.path());
    let silent = json!({"suppressionEnabled": true});
    let rule = rule(folder.path(), FAILED, &silent);
    // The run of nine raises an alert; those of ten, which would see nothing, and of eleven do not take place.
    for more in [
        &["--from", "2026-05-04T08:00"][..],
        &["--from", "2026-05-04T08:00", "--each-run"],
    ] {
        let (alerts, said) = replayed(&archive, &rule, more);
        assert_eq!(alerts.len(), 1, "{said}");
        assert!(said.contains("; 2 runs suppressed"), "{more:?}: {said}");
    }
}

#[test]
fn alerts_that_only_a_delay_raises_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = three(folder.path());
    let query = "SigninLogs | summarize N = count() | where N == 0";
    let rule = rule(folder.path(), query, &json!({}));
    let from = ["--from", "2026-05-04T08:00"];
    // The hours before eight and ten have no event.
    let (alerts, _) = replayed(&archive, &rule, &from);
    assert_eq!(alerts.len(), 2);
    // Ten minutes late the event of 10:59 is not there for the run of eleven, and too old for that of noon. All rows are equal: none.
    let late = [&from[..], &["--delay", "10m"]].concat();
    let (alerts, said) = replayed(&archive, &rule, &late);
    assert_eq!(alerts.len(), 4);
    let told =
        "without the delay: 2 alerts; of these 0 come later and 0 are missed, 2 come only with it";
    assert!(said.contains(told), "{said}");
}

#[test]
fn incidents_of_one_run_are_numbered_as_its_alerts_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let times: Vec<i64> = (0..9).map(|n| EIGHT + n * MINUTE).collect();
    let archive = failures(folder.path(), &times);
    let each = json!({"eventGroupingSettings": {"aggregationKind": "AlertPerResult"}});
    let rule = rule(folder.path(), FAILED, &each);
    let (incidents, _) = replayed(&archive, &rule, &["--incidents"]);
    let begun = |i: &Value| i["FirstActivityTime"].as_str().map(String::from);
    let begun: Vec<String> = incidents.iter().filter_map(begun).collect();
    let wanted: Vec<String> = (0..9).map(|n| format!("2026-05-04T08:0{n}:00Z")).collect();
    assert_eq!(begun, wanted);
    let numbers: Vec<Option<u64>> = incidents
        .iter()
        .map(|i| i["IncidentNumber"].as_u64())
        .collect();
    assert_eq!(numbers, (1..10).map(Some).collect::<Vec<_>>());
}

#[test]
fn alerts_about_different_people_are_not_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = three(folder.path());
    let about = |who: &str| {
        let folder = folder.path().join(who);
        std::fs::create_dir(&folder).expect("a folder");
        let query =
            format!("SigninLogs | summarize N = count() | where N > 0 | extend U = '{who}', M = N");
        let account = json!([{"entityType": "Account", "fieldMappings": [{"identifier": "FullName", "columnName": "U"}]}]);
        rule(&folder, &query, &json!({"entityMappings": account}))
    };
    let (ada, ben) = (about("ada@contoso.com"), about("ben@contoso.com"));
    let compared = |one: &str, two: &str| {
        let out = run(&[
            "hunt",
            "-a",
            &archive,
            "--replay",
            "--from",
            "2026-05-04T08:00",
            "--compare",
            one,
            two,
        ]);
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    let said = compared(&ada, &ben);
    let told = "2 alerts and 2 alerts: 0 the same, 2 only in the first, 2 only in the second\n";
    assert!(said.ends_with(told), "{said}");
    // The same people, and another number of sign-ins.
    let other = std::fs::read_to_string(&ada).expect("the rule");
    std::fs::write(&ben, other.replace("M = N", "M = N + 1")).expect("a rule");
    let said = compared(&ada, &ben);
    let told = "0 the same, 0 only in the first, 0 only in the second, 2 at another time or with other rows\n";
    assert!(said.ends_with(told), "{said}");
}

#[test]
fn what_would_run_after_this_moment_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let now = chrono::Utc::now().timestamp_micros();
    // A run fifty minutes ago, which saw nothing; the next is in ten minutes, and nobody knows yet what it will see.
    let archive = failures(folder.path(), &[now - 50 * MINUTE, now - 20 * MINUTE]);
    let rule = rule(folder.path(), FAILED, &json!({}));
    let from = iso(now - 50 * MINUTE);
    let (alerts, said) = replayed(&archive, &rule, &["--from", &from]);
    assert!(alerts.is_empty(), "{said}");
    assert!(said.contains("from 1 run of 1 rule"), "{said}");
}
