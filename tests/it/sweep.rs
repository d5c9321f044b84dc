//! A hunt over rules of every format: what they find, and what is said of those that cannot.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::run;

const OWN_SQL: &str = "/*\nid: own-sql\nname: Own in SQL\nseverity: Low\nentityMappings: [{entityType: Account, fieldMappings: [{identifier: FullName, columnName: UserPrincipalName}]}]\n*/\nSELECT \"TimeGenerated\", \"UserPrincipalName\", \"_Source\" FROM SigninLogs WHERE \"RiskLevelDuringSignIn\" = 'high'";

const OWN_KQL: &str = "// id: own-kql\n// name: Own in KQL\n// severity: Low\nSigninLogs\n| where RiskLevelDuringSignIn == 'medium'\n| project TimeGenerated, UserPrincipalName\n";

const SENTINEL: &str = r#"id: 11111111-0000-4000-8000-000000000001
name: Risky sign-ins
description: Counts them.
severity: Low
requiredDataConnectors: []
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [InitialAccess]
relevantTechniques: [T1078]
query: |
  SigninLogs
  | where RiskLevelDuringSignIn in ('medium', 'high')
  | summarize StartTime = min(TimeGenerated), EndTime = max(TimeGenerated), Levels = make_set(RiskLevelDuringSignIn) by UserPrincipalName, IPAddress
  | extend Level = iff(Levels has 'high', 'High', 'Low')
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: UserPrincipalName
  - entityType: IP
    fieldMappings:
      - identifier: Address
        columnName: IPAddress
customDetails:
  Levels: Levels
alertDetailsOverride:
  alertDisplayNameFormat: "{{UserPrincipalName}} signed in at risk"
  alertDescriptionFormat: "From {{IPAddress}}."
  alertSeverityColumnName: Level
version: 1.0.0
kind: Scheduled
"#;

const ARM: &str = r#"{"resources": [{
    "name": "[concat(parameters('workspace'),'/Microsoft.SecurityInsights/22222222-0000-4000-8000-000000000002')]",
    "type": "Microsoft.OperationalInsights/workspaces/providers/alertRules",
    "kind": "Scheduled",
    "properties": {
        "displayName": "Failed sign-ins", "severity": "Informational", "enabled": true,
        "query": "SigninLogs\r\n| where ResultType == \"50126\"\r\n| distinct UserPrincipalName",
        "queryFrequency": "P1D", "queryPeriod": "P1D", "triggerOperator": "GreaterThan", "triggerThreshold": 0
    }
}]}"#;

const HUNTING: &str = "id: 33333333-0000-4000-8000-000000000003\nname: Sign-ins by result\ndescription: Counts them.\nrequiredDataConnectors: []\ntactics:\n  - Discovery\nquery: SigninLogs | summarize count() by ResultType | where count_ > 50\n";

const DETECTION: &str = r##"{"value": [{
    "id": "7506", "displayName": "Label removed", "isEnabled": true,
    "queryCondition": {"queryText": "CloudAppEvents\n| where ActionType == 'SensitivityLabelRemoved' and AccountObjectId startswith '8da0'\n| project Timestamp, ReportId, AccountObjectId"},
    "schedule": {"frequency": "PT3H", "lookback": "P1D"},
    "detectionAction": {"alertTemplate": {
        "title": "Label removed by {{AccountObjectId}}", "description": "A label is gone.", "severity": "medium", "category": "Exfiltration",
        "mitreTechniques": [], "impactedAssets": [{"@odata.type": "#microsoft.graph.security.impactedUserAsset", "identifier": "accountObjectId"}]
    }}
}]}"##;

const SIGMA: &str = "title: Inbox rule\nid: sigma-inbox\nlogsource:\n  product: m365\n  service: exchange\ndetection:\n  pick:\n    eventName: new-inboxrule\n  condition: pick\nlevel: medium\n";

const CORRELATION: &str = "title: Downloads\nid: sigma-downloads\ncorrelation:\n  type: event_count\n  rules: [download]\n  group-by: [UserId]\n  timespan: 2d\n  condition:\n    gte: 2\nlevel: low\n---\ntitle: Download\nid: sigma-download\nname: download\nlogsource:\n  product: m365\n  service: sharepoint\ndetection:\n  pick:\n    Operation: FileDownloaded\n  condition: pick\nlevel: low\n";

/// A rule of Sentinel that asks this.
pub(crate) fn asks(id: &str, query: &str) -> String {
    let query = query.replace('\n', "\n  ");
    format!(
        "id: {id}\nname: {id}\ndescription: d\nseverity: Low\nrequiredDataConnectors: []\nqueryFrequency: 1d\nqueryPeriod: 1d\ntriggerOperator: gt\ntriggerThreshold: 0\ntactics: []\nrelevantTechniques: []\nquery: |\n  {query}\nentityMappings: []\nversion: 1.0.0\nkind: Scheduled\n"
    )
}

/// An archive of some of the sample data, and rules.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn of(input: &str, rules: &[(&str, &str)]) -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let case = Case { folder };
        let out = run(&["ingest", input, "-a", &case.path("archive"), "-q"]);
        assert_eq!(out.status.code(), Some(0));
        std::fs::create_dir(case.path("rules")).expect("a folder");
        for (name, text) in rules {
            let file = Path::new(&case.path("rules")).join(name);
            std::fs::write(file, text).expect("a rule");
        }
        case
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// The exit code, the answer, and what was said.
    fn told(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let (archive, rules) = (self.path("archive"), self.path("rules"));
        let hunt = ["hunt", "-a", &archive, "-r", &rules];
        let out = run(&[&hunt[..], more].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    }

    /// The same with the answer in JSON.
    fn hunt(&self, more: &[&str]) -> (Option<i32>, Value, String) {
        let (code, answer, said) = self.told(&[&["-f", "json"][..], more].concat());
        let answer = serde_json::from_str(&answer);
        (code, answer.unwrap_or_else(|e| panic!("{e}: {said}")), said)
    }
}

/// The findings of each rule.
fn by_rule(hunt: &Value) -> BTreeMap<&str, Vec<&Value>> {
    let mut by_rule: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for finding in hunt["findings"].as_array().expect("findings") {
        let rule = finding["rule"].as_str().expect("a rule");
        by_rule.entry(rule).or_default().push(finding);
    }
    by_rule
}

/// What became of each rule, by its id or the name of its file: the status and the reason.
pub(crate) fn statuses(hunt: &Value) -> BTreeMap<String, (String, String)> {
    let rules = hunt["rules"].as_array().expect("rules").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let name = |id: String| id.rsplit('/').next().unwrap_or_default().to_string();
    rules
        .map(|rule| {
            let status = (text(&rule["status"]), text(&rule["reason"]));
            (name(text(&rule["id"])), status)
        })
        .collect()
}

/// The times of the events that a finding rests on.
fn times(finding: &Value) -> Vec<&str> {
    let evidence = finding["evidence"].as_array().expect("evidence").iter();
    let mut times: Vec<&str> = evidence
        .map(|record| &record["time"].as_str().expect("a time")[..19])
        .collect();
    times.sort_unstable();
    times
}

/// A rule of every format, each a file with its text.
pub(crate) const ALL: [(&str, &str); 8] = [
    ("own.sql", OWN_SQL),
    ("own.kql", OWN_KQL),
    ("sentinel.yaml", SENTINEL),
    ("export.json", ARM),
    ("hunting.yaml", HUNTING),
    ("detection.json", DETECTION),
    ("sigma.yml", SIGMA),
    ("correlation.yml", CORRELATION),
];

#[test]
fn rules_of_every_format_find_what_they_look_for() {
    let case = Case::of("sample-data", &ALL);
    let (code, hunt, said) = case.hunt(&[]);
    assert_eq!(code, Some(0), "{said}");
    let found = by_rule(&hunt);
    let counts: BTreeMap<&str, usize> = found.iter().map(|(rule, f)| (*rule, f.len())).collect();
    let arm = "22222222-0000-4000-8000-000000000002";
    let want = [
        ("11111111-0000-4000-8000-000000000001", 3),
        (arm, 2),
        ("33333333-0000-4000-8000-000000000003", 1),
        ("7506", 4),
        ("own-kql", 2),
        ("own-sql", 1),
        ("sigma-downloads", 1),
        ("sigma-inbox", 1),
    ];
    assert_eq!(counts, BTreeMap::from(want));

    let worst = found["11111111-0000-4000-8000-000000000001"][0];
    assert_eq!(
        worst["title"],
        "ivan.ironside@contoso.com signed in at risk"
    );
    assert_eq!(worst["description"], "From 203.0.113.66.");
    assert_eq!(worst["severity"], "High");
    assert_eq!(worst["first"], "2026-05-14T22:10:21Z");
    assert_eq!(worst["custom_details"], json!({"Levels": ["[\"high\"]"]}));
    assert_eq!(
        worst["entities"],
        json!([
            {"type": "Account", "identifier": "FullName", "value": "ivan.ironside@contoso.com"},
            {"type": "IP", "identifier": "Address", "value": "203.0.113.66"},
        ])
    );
    // A group, a projection, distinct values, events of a correlation: each leads to its records.
    assert_eq!(times(worst), ["2026-05-14T22:10:21"]);
    assert_eq!(times(found["own-kql"][0]), ["2026-05-12T06:58:01"]);
    assert_eq!(times(found["own-sql"][0]), ["2026-05-14T22:10:21"]);
    assert_eq!(
        times(found["sigma-downloads"][0]),
        ["2026-05-21T07:20:02", "2026-05-22T08:04:09"]
    );
    let all: usize = found[arm].iter().map(|f| times(f).len()).sum();
    assert_eq!(all, 2);
    let detection = found["7506"][0];
    assert_eq!(detection["first"], "2026-05-14T22:24:03Z");
    assert_eq!(detection["entities"][0]["type"], "Account");
    assert_eq!(detection["evidence"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        found["sigma-inbox"][0]["entities"][0]["value"],
        "bob.baker@contoso.com"
    );

    let statuses = statuses(&hunt);
    assert_eq!(statuses["sigma-download"].0, "counted");
    let summary = &hunt["summary"];
    assert_eq!(
        (&summary["loaded"], &summary["ran"]),
        (&json!(9), &json!(8))
    );
    assert_eq!(summary["by_rule"]["7506"], 4);
    assert_eq!(summary["by_severity"]["High"], 1);
    assert_eq!(summary["events"], 57 + 327 + 83);

    // People see the title of a rule whose id tells them nothing.
    let (_, answer, said) = case.told(&["-v"]);
    assert!(
        answer.contains("ivan.ironside@contoso.com signed in at risk"),
        "{answer}"
    );
    assert!(
        said.contains("9 rules: 8 ran, 1 part of a correlation"),
        "{said}"
    );
    assert!(said.contains("slowest: `"), "{said}");
}

#[test]
fn a_window_has_the_findings_whose_last_event_lies_in_it() {
    let case = Case::of("sample-data", &ALL);
    let (_, hunt, said) = case.hunt(&["--from", "2026-05-14", "--to", "2026-05-15"]);
    let found = by_rule(&hunt);
    let counts: BTreeMap<&str, usize> = found.iter().map(|(rule, f)| (*rule, f.len())).collect();
    let want = [
        ("11111111-0000-4000-8000-000000000001", 1),
        ("7506", 4),
        ("own-sql", 1),
        ("sigma-inbox", 1),
    ];
    // On one day no result came more than fifty times.
    assert_eq!(counts, BTreeMap::from(want), "{said}");
    // A correlation begins before the window and ends in it.
    let (_, hunt, said) = case.hunt(&["--from", "2026-05-22", "--to", "2026-05-23"]);
    let found = by_rule(&hunt);
    let downloads = found.get("sigma-downloads");
    assert_eq!(downloads.map(Vec::len), Some(1), "{said}");
}

#[test]
fn what_could_not_run_is_told_apart_and_harms_no_other() {
    let case = Case::of(
        "sample-data/signin",
        &[
            (
                "good.yaml",
                &asks(
                    "good",
                    "SigninLogs\n| where RiskLevelDuringSignIn == 'high'",
                ),
            ),
            (
                "column.yaml",
                &asks("column", "SigninLogs\n| where Nope == 1"),
            ),
            ("unknown.yaml", &asks("unknown", "SignLogs\n| take 1")),
            ("lake.yaml", &asks("lake", "EntraUsers\n| take 1")),
            (
                "absent.yaml",
                &asks(
                    "absent",
                    "DeviceProcessEvents\n| project TimeGenerated, DeviceName",
                ),
            ),
            (
                "half.yaml",
                &asks(
                    "half",
                    "SigninLogs\n| join kind=inner (DeviceProcessEvents) on $left.UserPrincipalName == $right.AccountUpn",
                ),
            ),
            (
                "list.yaml",
                &asks("list", "_GetWatchlist('VIPUsers')\n| project SearchKey"),
            ),
            ("again.yaml", &asks("good", "SigninLogs")),
            (
                "sigma.yml",
                "title: S\nid: sigma\nlogsource:\n  product: m365\ndetection:\n  pick:\n    eventName: a\n  condition: pick | count() > 5\nlevel: low\n",
            ),
        ],
    );
    let (code, hunt, said) = case.hunt(&[]);
    assert_eq!(code, Some(20), "{said}");
    let statuses = statuses(&hunt);
    let of = |rule: &str| {
        let (status, reason) = &statuses[rule];
        (status.as_str(), reason.as_str())
    };
    // Of two rules with one id the first file's counts.
    assert_eq!(of("good").0, "found");
    assert_eq!(of("good.yaml").0, "refused");
    let (status, reason) = of("column");
    assert_eq!(status, "not run");
    assert!(
        reason.ends_with(":11: no column or variable `Nope`"),
        "{reason}"
    );
    let (status, reason) = of("unknown");
    assert_eq!(status, "unknown table");
    assert!(
        reason.starts_with("no table `SignLogs` (did you mean `SigninLogs`"),
        "{reason}"
    );
    assert_eq!(
        of("lake"),
        ("lake only", "`EntraUsers` is in Sentinel's data lake alone")
    );
    assert_eq!(
        of("absent"),
        ("absent", "the archive has no rows of `DeviceProcessEvents`")
    );
    assert_eq!(of("half"), ("nothing", ""));
    assert_eq!(
        of("list"),
        ("lacks", "it needs the watchlist `watchlists/VIPUsers.csv`")
    );
    assert_eq!(of("sigma").0, "refused");
    // Of `half` another table has rows.
    let absent = "the archive has no rows of tables that rules ask: `DeviceProcessEvents` (1 rule)";
    assert!(said.contains(&format!("{absent}\n")), "{said}");
    for (key, want) in [
        ("loaded", 9),
        ("ran", 3),
        ("absent", 1),
        ("refused", 2),
        ("lacking", 1),
        ("unknown_table", 1),
        ("lake_only", 1),
        ("failed", 1),
    ] {
        assert_eq!(hunt["summary"][key], want, "{key}");
    }
}

#[test]
fn tables_without_rows_are_a_short_line_that_names_those_that_most_rules_ask() {
    const TABLES: [&str; 7] = [
        "DeviceEvents",
        "DeviceFileEvents",
        "DeviceLogonEvents",
        "DeviceNetworkEvents",
        "DeviceProcessEvents",
        "EmailEvents",
        "AzureActivity",
    ];
    let mut rules: Vec<(String, String)> = TABLES
        .iter()
        .map(|table| (format!("{table}.yaml"), asks(table, table)))
        .collect();
    rules.push(("again.yaml".into(), asks("again", "EmailEvents | take 1")));
    let both = "union SigninLogs, UrlClickEvents | where isempty(Type)";
    rules.push(("both.yaml".into(), asks("both", both)));
    let rules: Vec<(&str, &str)> = rules
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    let case = Case::of("sample-data/signin", &rules);
    let line = |said: &str| {
        let lines = said.lines().filter(|line| line.contains("has no rows of"));
        lines.collect::<Vec<&str>>().join("|")
    };
    let told = "the archive has no rows of tables that rules ask: ";
    for manner in [&[][..], &["--replay"][..]] {
        let (code, _, said) = case.told(manner);
        assert_eq!(code, Some(0), "{said}");
        let few = "`EmailEvents` (2 rules), `AzureActivity` (1 rule), `DeviceEvents` (1 rule), `DeviceFileEvents` (1 rule), \
                   `DeviceLogonEvents` (1 rule) and 2 others (-v names them)";
        assert_eq!(line(&said), format!("{told}{few}"));
        let (_, _, said) = case.told(&[manner, &["-v"][..]].concat());
        let all = "`AzureActivity` (1 rule), `DeviceEvents` (1 rule), `DeviceFileEvents` (1 rule), `DeviceLogonEvents` (1 rule), \
                   `DeviceNetworkEvents` (1 rule), `DeviceProcessEvents` (1 rule), `EmailEvents` (2 rules), `UrlClickEvents` (1 rule)";
        assert_eq!(line(&said), format!("{told}{all}"));
    }
    let (_, hunt, _) = case.hunt(&[]);
    let of_both = hunt["rules"].as_array().expect("rules").iter();
    let mut of_both = of_both.filter(|rule| rule["id"] == "both");
    assert_eq!(
        of_both.next().expect("it ran")["absent_tables"],
        json!(["UrlClickEvents"])
    );
}

#[test]
fn a_rule_beyond_its_time_is_given_up_and_the_others_go_on() {
    let slow = "range x from 1 to 3000 step 1 | extend k = 1\n| join kind=inner (range y from 1 to 300000 step 1 | extend k = 1) on k\n| where hash_md5(strcat(x, y)) startswith 'abcdef'\n| summarize count()";
    let case = Case::of(
        "sample-data/signin",
        &[
            ("quick.yaml", &asks("quick", "print a = 1")),
            ("slow.yaml", &asks("slow", slow)),
        ],
    );
    let (code, hunt, said) = case.hunt(&["--rule-timeout", "3s"]);
    assert_eq!(code, Some(20), "{said}");
    let statuses = statuses(&hunt);
    assert_eq!(statuses["quick"].0, "found");
    let (status, reason) = &statuses["slow"];
    assert_eq!(status, "not run");
    assert!(reason.contains("no answer within 3 s"), "{reason}");
    // What rests on no record says so.
    let quick = by_rule(&hunt)["quick"][0];
    assert_eq!(quick["evidence"], json!([]));
    assert!(quick["no_evidence"].is_string(), "{quick}");
}

#[test]
fn rules_that_count_back_see_what_lies_before_now() {
    let rule = asks(
        "day",
        "SigninLogs\n| where TimeGenerated > ago(1d) and RiskLevelDuringSignIn == 'high'",
    );
    let case = Case::of("sample-data/signin", &[("day.yaml", &rule)]);
    // The last event is of 25 May.
    let (_, hunt, said) = case.hunt(&[]);
    assert_eq!(statuses(&hunt)["day"].0, "nothing");
    assert!(
        said.contains("1 rule counts back from now(), which is 2026-05-25T05:49:06Z in this hunt"),
        "{said}"
    );
    for more in [["--at", "2026-05-15T00:00"], ["--to", "2026-05-15"]] {
        let (_, hunt, said) = case.hunt(&more);
        assert_eq!(statuses(&hunt)["day"].0, "found", "{said}");
    }
}
