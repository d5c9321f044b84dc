//! An alert is known again: whatever was ingested since, wherever a replay begins, and under which number its incident was shown.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::command_line::run;
use crate::durable::{ingest, quick_folder, text};
use crate::raised::grouped;

struct Case {
    folder: tempfile::TempDir,
    archive: PathBuf,
}

impl Case {
    fn new(failures: &[(&str, &str)]) -> Case {
        let folder = quick_folder();
        let archive = folder.path().join("archive");
        let case = Case { folder, archive };
        case.take(failures);
        case
    }

    /// Takes failed sign-ins into the archive: when, and whose.
    fn take(&self, failures: &[(&str, &str)]) {
        let mut lines = String::new();
        for (time, user) in failures {
            let id: String = time.chars().filter(char::is_ascii_digit).collect();
            let record = json!({
                "TenantId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "SourceSystem": "Azure AD", "TimeGenerated": time,
                "OperationName": "Sign-in activity", "Category": "SignInLogs", "ResultType": "50126",
                "AppDisplayName": "Office 365 SharePoint Online", "CreatedDateTime": time,
                "Id": format!("15000000-0000-4000-8000-{:0>12}", &id[2..]), "IPAddress": "192.0.2.7",
                "UserPrincipalName": format!("{user}@contoso.com"), "Type": "SigninLogs",
            });
            lines.push_str(&format!("{record}\n"));
        }
        let (time, user) = failures[0];
        let file = format!("{user}-{}.json", time.replace(':', ""));
        ingest(&self.archive, &self.write(&file, &lines));
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let folder = path.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("a folder");
        fs::write(&path, content).expect("a file");
        path
    }

    /// A hunt that goes well: what it answers and what it says.
    fn hunt(&self, more: &[&str]) -> (String, String) {
        let archive = text(&self.archive);
        let out = run(&[&["hunt", "-a", &archive][..], more].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{said}");
        (text(&out.stdout), said)
    }

    /// A column of what a hunt answers.
    fn column(&self, name: &str, rule: &str, more: &[&str]) -> Vec<String> {
        let rule = text(&self.write("rule.yaml", rule));
        let (answer, said) = self.hunt(&[&["-r", &rule, "-f", "json"][..], more].concat());
        let rows: Value = serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {said}"));
        let rows = rows.as_array().expect("a list").iter();
        rows.map(|row| row[name].as_str().unwrap_or_default().to_string())
            .collect()
    }
}

#[test]
fn an_earlier_event_or_another_evening_does_not_move_the_runs() {
    let case = Case::new(&[
        ("2026-05-04T08:10:07Z", "ada"),
        ("2026-05-04T10:59:31Z", "bob"),
    ]);
    let times = |more: &[&str]| case.column("TimeGenerated", &grouped(), more);
    let new = ["--replay", "--store", "--new-only"];
    assert_eq!(
        times(&new),
        ["2026-05-04T09:05:00Z", "2026-05-04T11:05:00Z"]
    );
    case.take(&[("2026-05-04T07:13:05Z", "cy")]);
    assert_eq!(times(&new), ["2026-05-04T08:05:00Z"]);
    let since = ["--since", "4h", "--at", "2026-05-04T12:00:13"];
    assert!(times(&[&new[..], &since].concat()).is_empty());
    // Where a time is said, it is that.
    let from = ["--replay", "--from", "2026-05-04T08:00:13"];
    assert_eq!(
        times(&from),
        [
            "2026-05-04T08:05:13Z",
            "2026-05-04T09:05:13Z",
            "2026-05-04T11:05:13Z"
        ]
    );
}

#[test]
fn a_finding_without_a_time_is_new_once() {
    let case = Case::new(&[
        ("2026-05-04T08:10:07Z", "ada"),
        ("2026-05-04T10:59:31Z", "bob"),
    ]);
    let query = "| project TimeGenerated, UserPrincipalName";
    let rule = grouped().replace(query, "| distinct UserPrincipalName");
    let rule = text(&case.write("distinct.yaml", &rule));
    let hunt = || {
        let (_, said) = case.hunt(&["-r", &rule, "--store", "--new-only", "--incidents"]);
        let line = said.lines().find(|line| line.contains("raised"));
        line.unwrap_or_default().to_string()
    };
    let added = |alerts: &str| format!("{alerts} added to the archive");
    assert_eq!(
        hunt(),
        added("2 alerts raised: 2 new, 0 stored before; 2 alerts and 2 incidents")
    );
    case.take(&[("2026-05-09T03:17:11Z", "cy")]);
    let one = added("3 alerts raised: 1 new, 2 stored before; 1 alert and 1 incident");
    assert_eq!(hunt(), one);
    // Ada fails once more: there is more to see than before.
    case.take(&[("2026-05-10T03:17:11Z", "ada")]);
    assert_eq!(hunt(), one);
    let none = "3 alerts raised: 0 new, 3 stored before; 0 alerts and 0 incidents";
    assert_eq!(hunt(), added(none));
}

#[test]
fn incidents_are_numbered_by_their_creation() {
    // Ada's incident is there before Bob's and takes an alert after it.
    let case = Case::new(&[
        ("2026-05-04T08:10:00Z", "ada"),
        ("2026-05-04T09:10:00Z", "bob"),
        ("2026-05-04T10:10:00Z", "ada"),
    ]);
    let shown = case.column(
        "CreatedTime",
        &grouped(),
        &["--replay", "--store", "--incidents"],
    );
    assert_eq!(shown, ["2026-05-04T09:05:00Z", "2026-05-04T10:05:00Z"]);
    let archive = text(&case.archive);
    let list = [
        "alerts",
        "list",
        "--incidents",
        "-a",
        &archive,
        "-f",
        "json",
    ];
    let listed: Value = serde_json::from_slice(&run(&list).stdout).expect("incidents are JSON");
    for (number, created) in (1_usize..).zip(&shown) {
        assert_eq!(listed[number - 1]["IncidentNumber"], number);
        assert_eq!(listed[number - 1]["CreatedTime"], created.as_str());
    }
    assert_eq!(listed[0]["AlertIds"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_rule_over_alerts_sees_the_last_of_them() {
    let case = Case::new(&[
        ("2026-05-04T08:10:07Z", "ada"),
        ("2026-05-04T10:59:31Z", "bob"),
    ]);
    case.column("TimeGenerated", &grouped(), &["--replay", "--store"]);
    let over = grouped()
        .replace("000001", "000002")
        .replace("SigninLogs", "SecurityAlert")
        .replace(
            "ResultType == '50126'",
            "ProviderName == 'ASI Scheduled Alerts'",
        )
        .replace("UserPrincipalName", "AlertName");
    // Alerts of 09:05 and 11:05 are seen at ten and at noon; the last event is of 10:59.
    assert_eq!(
        case.column("TimeGenerated", &over, &["--replay"]),
        ["2026-05-04T10:05:00Z", "2026-05-04T12:05:00Z"]
    );
}

#[test]
fn of_two_folders_of_rules_each_is_held_against_its_partner() {
    let case = Case::new(&[
        ("2026-05-04T08:10:07Z", "ada"),
        ("2026-05-04T10:59:31Z", "bob"),
    ]);
    case.write("first/failed.yaml", &grouped());
    let other = grouped()
        .replace("000001", "000002")
        .replace("Failed sign-in", "Sign-in");
    case.write("first/other.yaml", &other);
    let detection = json!({
        "displayName": "Failed sign-in", "isEnabled": true, "schedule": {"period": "1H"},
        "queryCondition": {
            "queryText": "SigninLogs | where ResultType == '50126' | project TimeGenerated, ReportId = Id, AccountUpn = UserPrincipalName",
        },
        "detectionAction": {"alertTemplate": {
            "title": "Failed", "description": "Somebody failed.", "severity": "medium", "category": "CredentialAccess",
            "impactedAssets": [{"@odata.type": "#microsoft.graph.security.impactedUserAsset", "identifier": "accountUpn"}],
        }},
    });
    case.write("second/failed.json", &detection.to_string());
    let folder = |name: &str| text(&case.folder.path().join(name));
    let (first, second) = (folder("first"), folder("second"));
    let from = ["--replay", "--from", "2026-05-04T08:00"];
    let (shown, said) = case.hunt(&[&from[..], &["--compare", &first, &second]].concat());
    let only: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains("only in the first"))
        .collect();
    assert_eq!(only.len(), 2, "{shown}");
    assert!(only.iter().all(|line| line.contains("000002")), "{shown}");
    let verdict = "4 alerts and 2 alerts: 0 the same, 2 only in the first, 0 only in the second, 2 at another time or with other rows\n";
    assert!(said.ends_with(verdict), "{said}");
}
