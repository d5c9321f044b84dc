//! What a replay raises: written as Sentinel writes it, excluded, told from what is known and stored; incidents of a sweep; late events as the export
//! says; and what a hunt leaves that is killed while it stores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ask;
use crate::command_line::run;
use crate::crash::{Moment, wait_for};
use crate::durable::{Chance, copy, done, ingest, quick_folder, text};
use crate::replay::FAILED_SIGN_IN;

/// The rule of failed sign-ins, with the alerts of one account in one incident.
pub(crate) fn grouped() -> String {
    let grouping = "incidentConfiguration:
  createIncident: true
  groupingConfiguration: {enabled: true, reopenClosedIncident: false, lookbackDuration: 5h, matchingMethod: AllEntities}
version: 1.0.0
";
    FAILED_SIGN_IN.replace("version: 1.0.0\n", grouping)
}

/// Failures of sign-ins at these times, each of somebody.
fn sign_ins(failures: &[(&str, &str)]) -> String {
    let mut lines = String::new();
    for (number, (time, user)) in failures.iter().enumerate() {
        let record = json!({
            "TenantId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "SourceSystem": "Azure AD", "TimeGenerated": time,
            "OperationName": "Sign-in activity", "Category": "SignInLogs", "ResultType": "50126",
            "CorrelationId": format!("15000000-0000-4000-8000-1000000000{number:02}"), "Identity": user,
            "AppDisplayName": "Office 365 SharePoint Online", "CreatedDateTime": time,
            "Id": format!("15000000-0000-4000-8000-0000000000{number:02}"), "IPAddress": "192.0.2.7",
            "UserPrincipalName": format!("{user}@contoso.com"), "Type": "SigninLogs",
        });
        lines.push_str(&format!("{record}\n"));
    }
    lines
}

struct Case {
    folder: tempfile::TempDir,
    archive: PathBuf,
    rule: PathBuf,
}

impl Case {
    fn of(export: &str, rule: &str) -> Case {
        let folder = quick_folder();
        let (archive, path) = (
            folder.path().join("archive"),
            folder.path().join("rule.yaml"),
        );
        fs::write(&path, rule).expect("a rule");
        let file = folder.path().join("export.json");
        fs::write(&file, export).expect("an export");
        ingest(&archive, &file);
        Case {
            folder,
            archive,
            rule: path,
        }
    }

    /// Ada failed at 08:10 and 08:20, Bob at 10:59.
    fn new() -> Case {
        let failures = [
            ("2026-05-04T08:10:00Z", "ada"),
            ("2026-05-04T08:20:00Z", "ada"),
            ("2026-05-04T10:59:00Z", "bob"),
        ];
        Case::of(&sign_ins(&failures), &grouped())
    }

    /// A hunt: its status, what it answers and what it says.
    fn hunt(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let (archive, rule) = (text(&self.archive), text(&self.rule));
        let out = run(&[&["hunt", "-a", &archive, "-r", &rule][..], more].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    }

    /// A replay from eight o'clock that goes well.
    fn replay(&self, more: &[&str]) -> (String, String) {
        let from = ["--replay", "--from", "2026-05-04T08:00"];
        let (code, answer, said) = self.hunt(&[&from[..], more].concat());
        assert_eq!(code, Some(0), "{said}");
        (answer, said)
    }

    fn replayed(&self, more: &[&str]) -> Value {
        let (answer, _) = self.replay(&[&["-f", "json"][..], more].concat());
        serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"))
    }
}

#[test]
fn what_a_replay_raises_is_stored_once() {
    let case = Case::new();
    let (_, said) = case.replay(&["--store"]);
    let stored =
        "2 alerts raised: 2 new, 0 stored before; 2 alerts and 2 incidents added to the archive\n";
    assert!(said.contains(stored), "{said}");
    let (answer, said) = case.replay(&["--store", "--new-only", "-f", "ndjson"]);
    assert_eq!(answer, "", "{said}");
    let known = "2 alerts raised: 0 new, 2 stored before; 0 alerts and 0 incidents added";
    assert!(said.contains(known), "{said}");
    assert!(
        said.contains("0 alerts in 0 incidents from 4 runs"),
        "{said}"
    );
    assert_eq!(case.replayed(&["--new-only", "--incidents"]), json!([]));
    // What is shown is what is stored.
    let shown = case.replayed(&[]);
    let archive = text(&case.archive);
    let listed = run(&["alerts", "list", "-a", &archive, "-f", "json"]).stdout;
    let listed: Value = serde_json::from_slice(&listed).expect("alerts are JSON");
    for (shown, listed) in [(&shown[0], &listed[0]), (&shown[1], &listed[1])] {
        for name in ["SystemAlertId", "TimeGenerated", "AlertName", "StartTime"] {
            assert_eq!(shown[name], listed[name], "{name}");
        }
    }
    let query =
        "SecurityIncident | project IncidentNumber, CreatedTime | sort by IncidentNumber asc";
    let answer = done(&["kql", "-a", &archive, "-f", "csv", query]);
    assert!(
        answer.contains("1,2026-05-04T09:05:00Z\n2,2026-05-04T11:05:00Z"),
        "{answer}"
    );
}

#[test]
fn exclusions_take_alerts_out_of_a_replay_and_out_of_its_exit_code() {
    let case = Case::new();
    let lists = case.archive.join("watchlists");
    fs::create_dir_all(&lists).expect("a folder");
    let list = |rows: &str| {
        let list = format!("Rule,EntityType,Entity,Expires,Reason\n{rows}");
        fs::write(lists.join("Exclusions.csv"), list).expect("a list");
    };
    list("Failed sign-in,Account,ada@*,,a test account\n");
    let (answer, said) = case.replay(&["-f", "ndjson"]);
    assert_eq!(answer.lines().count(), 1, "{answer}");
    let alert: Value = serde_json::from_str(&answer).expect("an alert is JSON");
    let entities = alert["Entities"].as_str().expect("entities are a text");
    let bob = r#""Name":"bob","UPNSuffix":"contoso.com""#;
    assert!(entities.contains(bob), "{entities}");
    let excluded = "2 alerts raised: 1 new, 0 stored before, 1 excluded\nexcluded 1 alert of rule `15000000-0000-4000-8000-000000000001`: a test account\n";
    assert!(said.contains(excluded), "{said}");
    let verdict = "1 alert (1 medium) in 1 incident from 4 runs of 1 rule";
    assert!(said.contains(verdict), "{said}");
    let bad = ["--replay", "--from", "2026-05-04T08:00", "--fail-on", "low"];
    assert_eq!(case.hunt(&bad).0, Some(1));
    list("Failed sign-in,,,,noise\n");
    assert_eq!(case.hunt(&bad).0, Some(0));
}

#[test]
fn a_replay_is_written_in_all_formats_and_in_the_zone_that_is_asked_for() {
    let case = Case::new();
    let (markdown, _) = case.replay(&["-f", "markdown"]);
    assert!(
        markdown.starts_with("| TenantId | TimeGenerated | DisplayName |"),
        "{markdown}"
    );
    assert_eq!(markdown.lines().count(), 4, "{markdown}");
    let file = text(&case.folder.path().join("incidents.csv"));
    let (answer, _) = case.replay(&["--incidents", "-o", &file]);
    assert_eq!(answer, "");
    let csv = fs::read_to_string(&file).expect("a file");
    assert!(
        csv.starts_with("TenantId,TimeGenerated,IncidentName,"),
        "{csv}"
    );
    let from = ["--replay", "--incidents", "-o", &file];
    assert_eq!(case.hunt(&from).0, Some(3), "it exists");
    let (table, _) = case.replay(&["--tz", "Europe/Berlin"]);
    assert!(table.contains("2026-05-04T11:05:00+02:00"), "{table}");
    let there = case.replayed(&["--tz", "Europe/Berlin"]);
    assert_eq!(there[0]["TimeGenerated"], "2026-05-04T11:05:00+02:00");
    assert_eq!(there[0]["StartTime"], "2026-05-04T10:10:00+02:00");
    // What an alert is does not depend on the clock beside it.
    assert_eq!(
        there[0]["SystemAlertId"],
        case.replayed(&[])[0]["SystemAlertId"]
    );
}

#[test]
fn a_sweep_groups_its_findings_into_incidents_where_they_are_asked_for() {
    let case = Case::new();
    let (code, answer, said) = case.hunt(&["--incidents", "-f", "json"]);
    assert_eq!(code, Some(0), "{said}");
    let incidents: Value = serde_json::from_str(&answer).expect("incidents are JSON");
    let counted: Vec<(&Value, usize)> = incidents
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            let alerts = one["AlertIds"].as_array().map(Vec::len);
            (&one["CreatedTime"], alerts.unwrap_or(0))
        })
        .collect();
    let (ada, bob) = (json!("2026-05-04T08:10:00Z"), json!("2026-05-04T10:59:00Z"));
    assert_eq!(counted, [(&ada, 2), (&bob, 1)]);
    assert!(
        said.ends_with("2 incidents of 3 findings (3 medium) from 1 rule\n"),
        "{said}"
    );
    let (_, table, said) = case.hunt(&["--incidents", "--store"]);
    assert!(
        said.contains("3 new, 0 stored before; 3 alerts and 2 incidents added"),
        "{said}"
    );
    assert_eq!(table.lines().count(), 3, "{table}");
    let (_, table, _) = case.hunt(&["--incidents", "--new-only"]);
    // A header alone tells nothing.
    assert_eq!(table, "");
}

#[test]
fn rules_that_are_replayed_have_saved_functions() {
    let called = grouped().replace("SigninLogs\n", "Failures()\n");
    let case = Case::new();
    fs::write(&case.rule, called).expect("a rule");
    let (code, _, said) = case.hunt(&["--replay"]);
    assert_eq!(code, Some(20), "{said}");
    let functions = case.folder.path().join("functions");
    fs::create_dir(&functions).expect("a folder");
    fs::write(functions.join("Failures.kql"), "SigninLogs").expect("a function");
    let alerts = case.replayed(&["--saved-functions", &text(&functions)]);
    assert_eq!(alerts.as_array().map(Vec::len), Some(2));
}

/// An event of Defender's streaming API, of some moment, and when it reached the service.
fn streamed(number: usize, time: &str, received: &str) -> String {
    let record = json!({
        "time": received, "tenantId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "operationName": "Publish",
        "category": "AdvancedHunting-CloudAppEvents", "_TimeReceivedBySvc": received,
        "properties": {
            "Timestamp": time, "ActionType": "FileDownloaded", "Application": "Microsoft SharePoint Online",
            "ApplicationId": 20892, "AccountDisplayName": "Ada", "ReportId": format!("15_{number}"),
            "RawEventData": {"Id": format!("15000000-0000-4000-8000-00000000002{number}")},
        },
        "Tenant": "DefaultTenant",
    });
    format!("{record}\n")
}

#[test]
fn a_replay_sees_events_when_their_export_says_that_they_came() {
    // What happened at 10:59 is there at 11:09, four minutes after the run of eleven.
    let events = [
        streamed(1, "2026-05-04T08:30:00Z", "2026-05-04T08:31:00Z"),
        streamed(2, "2026-05-04T10:59:00Z", "2026-05-04T11:09:00Z"),
    ];
    let rule = grouped()
        .replace("queryPeriod: 1h", "queryPeriod: 2h")
        .replace(
            "| where ResultType == '50126'",
            "| where ingestion_time() > ago(1h)",
        )
        .replace("SigninLogs", "CloudAppEvents")
        .replace("UserPrincipalName", "AccountDisplayName");
    let case = Case::of(&events.concat(), &rule);
    let times = |alerts: &Value| -> Vec<String> {
        let alerts = alerts.as_array().expect("a list").iter();
        alerts
            .map(|alert| alert["TimeGenerated"].to_string().replace('"', ""))
            .collect()
    };
    let at_once = ["2026-05-04T09:05:00Z", "2026-05-04T11:05:00Z"];
    assert_eq!(times(&case.replayed(&[])), at_once);
    let as_said = ["2026-05-04T09:05:00Z", "2026-05-04T12:05:00Z"];
    assert_eq!(times(&case.replayed(&["--delay", "export"])), as_said);
    let (_, said) = case.replay(&["--delay", "export"]);
    assert!(
        said.contains("exports say when events were ingested: `CloudAppEvents` (2 of 2)\n"),
        "{said}"
    );
    let late = "without the delay: 2 alerts; of these 1 come later and 0 are missed, 0 come only with it\n";
    assert!(said.ends_with(late), "{said}");
    // With a period as long as the frequency it is missed.
    fs::write(
        &case.rule,
        rule.replace("queryPeriod: 2h", "queryPeriod: 1h"),
    )
    .expect("a rule");
    let (_, said) = case.replay(&["--delay", "export"]);
    assert!(
        said.contains("of these 0 come later and 1 are missed"),
        "{said}"
    );
    // An export of sign-ins does not say it.
    let case = Case::new();
    let (_, said) = case.replay(&["--delay", "export"]);
    assert!(
        said.contains(
            "exports do not say it of events in `SigninLogs`: these count as ingested when they happened\n"
        ),
        "{said}"
    );
    assert!(
        said.contains("of these 0 come later and 0 are missed"),
        "{said}"
    );
}

/// The members of the text in an alert's `ExtendedProperties`.
fn properties(alert: &Value) -> serde_json::Map<String, Value> {
    let text = alert["ExtendedProperties"].as_str().expect("a text");
    serde_json::from_str(text).expect("an object")
}

#[test]
fn the_alert_that_was_recorded_in_2023_comes_of_its_events() {
    // Twelve events between 19:45:43.196 and 19:50:01.016. What happened a microsecond before the window, and at the moment of the run, is none of them.
    let mut times = vec![
        "2023-07-24T15:23:59.106999Z".to_string(),
        "2023-07-24T19:45:43.196Z".into(),
        "2023-07-24T19:50:01.016Z".into(),
        "2023-07-24T20:23:59.107Z".into(),
    ];
    times.extend((0..10).map(|n| format!("2023-07-24T19:46:{n:02}Z")));
    let failures: Vec<(&str, &str)> = times.iter().map(|time| (time.as_str(), "ada")).collect();
    let rule = grouped()
        .replace("queryFrequency: 1h", "queryFrequency: 5h")
        .replace("queryPeriod: 1h", "queryPeriod: 5h");
    let case = Case::of(&sign_ins(&failures), &rule);
    let (code, answer, said) = case.hunt(&[
        "--replay",
        "-f",
        "json",
        "--from",
        "2023-07-24T20:23:59.107Z",
        "--to",
        "2023-07-24T20:24:00Z",
    ]);
    assert_eq!(code, Some(0), "{said}");
    let alerts: Value = serde_json::from_str(&answer).expect("alerts are JSON");
    let [alert] = alerts.as_array().expect("a list").as_slice() else {
        panic!("{answer}");
    };
    // Sentinel needed 2.654 seconds more than the five minutes.
    for (name, value) in [
        ("TimeGenerated", "2023-07-24T20:28:59.107Z"),
        ("ProcessingEndTime", "2023-07-24T20:28:59.107Z"),
        ("StartTime", "2023-07-24T19:45:43.196Z"),
        ("EndTime", "2023-07-24T19:50:01.016Z"),
        (
            "AlertType",
            "00000000-0000-0000-0000-000000000000_15000000-0000-4000-8000-000000000001",
        ),
        ("ProductName", "Azure Sentinel"),
        ("ProductComponentName", "Scheduled Alerts"),
        ("ProviderName", "ASI Scheduled Alerts"),
        ("SourceSystem", "Detection"),
    ] {
        assert_eq!(alert[name], value, "{name}");
    }
    let said = properties(alert);
    let recorded: serde_json::Map<String, Value> = serde_json::from_str(include_str!(
        "../../src/hunt/replay/alert/recorded-2023.json"
    ))
    .expect("an object");
    assert!(said.keys().eq(recorded.keys()), "{said:?}");
    let own = [
        "Correlation Id",
        "Data Sources",
        "Query",
        "Analytic Rule Ids",
        "Analytic Rule Name",
    ];
    for (name, value) in &recorded {
        if !own.contains(&name.as_str()) {
            assert_eq!(said[name], *value, "{name}");
        }
    }
    let query = said["Query"].as_str().expect("a text");
    let now = "set query_now = datetime(2023-07-24T20:23:59.1070000Z);\nSigninLogs\n";
    assert!(query.contains(now), "{query}");
}

#[test]
fn the_alert_that_was_recorded_in_2020_comes_of_no_events() {
    let rule = grouped()
        .replace("triggerOperator: gt", "triggerOperator: eq")
        .replace("'50126'", "'never'");
    let failures = [("2020-03-28T10:00:00Z", "ada")];
    let case = Case::of(&sign_ins(&failures), &rule);
    let (code, answer, said) = case.hunt(&[
        "--replay",
        "-f",
        "json",
        "--from",
        "2020-03-28T12:00:00Z",
        "--to",
        "2020-03-28T12:00:01Z",
    ]);
    assert_eq!(code, Some(0), "{said}");
    let alerts: Value = serde_json::from_str(&answer).expect("alerts are JSON");
    assert_eq!(alerts.as_array().map(Vec::len), Some(1), "{answer}");
    // Its times are those of the window; Sentinel needed six seconds more than the five minutes.
    for (name, value) in [
        ("StartTime", "2020-03-28T11:00:00Z"),
        ("EndTime", "2020-03-28T12:00:00Z"),
        ("ProcessingEndTime", "2020-03-28T12:05:00Z"),
        ("TimeGenerated", "2020-03-28T12:05:00Z"),
    ] {
        assert_eq!(alerts[0][name], value, "{name}");
    }
    let said = properties(&alerts[0]);
    assert_eq!(said["Trigger Operator"], "Equal");
    assert_eq!(said["Search Query Results Overall Count"], "0");
}

fn storing(archive: &Path, rule: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["hunt", "--store", "--incidents", "-q", "-a"])
        .arg(archive)
        .arg("-r")
        .arg(rule)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs")
}

/// What hunts stored: the alerts, and the incidents.
fn stored(archive: &Path) -> (Vec<String>, Vec<String>) {
    let alerts =
        "SELECT \"SystemAlertId\", \"AlertName\", \"TimeGenerated\" FROM Alerts ORDER BY 1";
    let incidents =
        "SELECT \"IncidentName\", \"IncidentNumber\", \"AlertIds\" FROM Incidents ORDER BY 1";
    (ask(archive, alerts), ask(archive, incidents))
}

#[test]
fn a_hunt_killed_while_it_stores_has_stored_all_or_nothing() {
    let case = Case::new();
    let place = |name: &str| {
        let archive = case.folder.path().join(name);
        copy(&case.archive, &archive);
        archive
    };
    let calm = place("calm");
    let started = Instant::now();
    assert!(
        storing(&calm, &case.rule)
            .wait()
            .expect("it ends")
            .success()
    );
    let whole = started.elapsed();
    let wanted = stored(&calm);
    assert_eq!((wanted.0.len(), wanted.1.len()), (3, 2));
    let mut chance = Chance(15);
    for round in 0..12 {
        let archive = place(&format!("archive{round}"));
        // Up to three kills in a row: what one has left is completed by a run that dies too.
        for _ in 0..1 + round % 3 {
            let (moment, time) = match round % 4 {
                0 => (Moment::Any, whole.mul_f64(chance.share())),
                // From the plan to its last commit it is a matter of milliseconds.
                _ => {
                    let tenths = chance.below(200) as u64;
                    (Moment::Commit, Duration::from_micros(100 * tenths))
                }
            };
            let mut child = storing(&archive, &case.rule);
            wait_for(moment, &archive, &mut child, time);
            if child.try_wait().expect("its status").is_none() {
                child.kill().expect("it can be killed");
            }
            child.wait().expect("it ends");
            let left = stored(&archive);
            assert!(
                left == wanted || left == (Vec::new(), Vec::new()),
                "round {round}: {left:?}"
            );
        }
        let mut last = storing(&archive, &case.rule);
        assert!(last.wait().expect("it ends").success());
        assert_eq!(stored(&archive), wanted, "round {round}");
        done(&["verify", "-a", &text(&archive)]);
        fs::remove_dir_all(&archive).expect("it can be removed");
    }
}
