//! `rules check`: what a pipeline without a workspace is told of rules, each with file, line and column.

use std::path::Path;

use serde_json::Value;

use crate::command_line::run;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A scheduled rule with these lines of settings and this query.
fn rule(id: &str, settings: &str, query: &str) -> String {
    let query: String = query.lines().map(|line| format!("  {line}\n")).collect();
    let mut all = format!("id: {id}\nname: A rule\nkind: Scheduled\nseverity: Low\n");
    for (key, usual) in [
        ("queryFrequency", "1h"),
        ("queryPeriod", "1h"),
        ("triggerOperator", "gt"),
        ("triggerThreshold", "0"),
    ] {
        if !settings.contains(key) {
            all.push_str(&format!("{key}: {usual}\n"));
        }
    }
    all + &format!("{settings}query: |\n{query}")
}

/// The exit code, and the report of each file, by its name.
fn checked(folder: &Path, more: &[&str]) -> (Option<i32>, Vec<(String, Value)>) {
    let rules = folder.to_string_lossy();
    let out = run(&[&["rules", "check", "-f", "json", &rules][..], more].concat());
    let list: Vec<Value> = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}{}", text(&out.stdout), text(&out.stderr));
    });
    let list = list.into_iter().map(|one| {
        let file = one["file"].as_str().expect("a file");
        let name = file.rsplit(['/', '\\']).next().expect("a name");
        (name.to_string(), one)
    });
    (out.status.code(), list.collect())
}

/// `line:column: message` of each error or warning of the only rule.
fn said(text: &str, level: &str, more: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("r.yaml"), text).expect("a file");
    let (_, list) = checked(folder.path(), more);
    assert_eq!(list.len(), 1, "{list:?}");
    let said = list[0].1[level].as_array().expect("a list").iter();
    let said = said.map(|one| {
        let message = one["message"].as_str().expect("a message");
        format!("{}:{}: {message}", one["line"], one["column"])
    });
    said.collect()
}

const GOOD: &str = "SigninLogs\n| where ResultType == '50126'\n| summarize Failures = count() by UserPrincipalName";
const MAPPED: &str = "entityMappings:\n- entityType: Account\n  fieldMappings:\n  - identifier: FullName\n    columnName: UserPrincipalName\n";

#[test]
fn the_query_of_a_rule_of_our_own_is_looked_at_whatever_its_header_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let errors = |ending: &str, query: &str| {
        let folder = folder.path().join(ending);
        std::fs::create_dir_all(&folder).expect("a folder");
        let rule = format!("/*\nid: a\nsevrity: Low\n*/\n{query}\n");
        std::fs::write(folder.join(format!("r.{ending}")), rule).expect("a file");
        let (code, list) = checked(&folder, &[]);
        assert_eq!(code, Some(2), "{list:?}");
        let errors = list[0].1["errors"].as_array().expect("a list").iter();
        let errors = errors.map(|one| {
            let message = one["message"].as_str().expect("a message");
            format!("{}:{}: {message}", one["line"], one["column"])
        });
        errors.collect::<Vec<String>>()
    };
    let header = ["1:1: header: no `name`", "1:1: header: no `severity`"];
    assert_eq!(
        errors("sql", "SELECT UserIdd FROM LabelEvents"),
        [&header[..], &["5:8: no column `UserIdd`"][..]].concat()
    );
    assert_eq!(
        errors("kql", "SigninLogs\n| where Nope == 1"),
        [&header[..], &["6:9: no column or variable `Nope`"][..]].concat()
    );
    // Which lists it declares is not known.
    assert_eq!(errors("sql", "SELECT Upn FROM watchlists.Owners"), header);
}

#[test]
fn a_good_rule_is_ok_and_nothing_is_said() {
    let good = rule("good", MAPPED, GOOD);
    assert_eq!(said(&good, "errors", &[]), [""; 0]);
    assert_eq!(said(&good, "warnings", &[]), [""; 0]);
}

#[test]
fn what_is_wrong_in_a_query_is_told_with_its_place_in_the_file() {
    let column = rule("a", MAPPED, &GOOD.replace("ResultType", "ResultTipe"));
    // Eight settings, five lines of a mapping, `query: |`, and the second line of the query.
    assert_eq!(
        said(&column, "errors", &[]),
        ["16:11: no column or variable `ResultTipe`"]
    );
    let table = rule("a", MAPPED, &GOOD.replace("SigninLogs", "SigninLog"));
    assert_eq!(said(&table, "errors", &[]), ["15:3: no table `SigninLog`"]);
    let mapped = rule("a", &MAPPED.replace("UserPrincipalName", "Upn"), GOOD);
    assert_eq!(
        said(&mapped, "errors", &[]),
        ["1:1: its result has no column `Upn`, which the entity mapping of Account names"]
    );
    let shown = "alertDetailsOverride:\n  alertDisplayNameFormat: '{{Nobody}}'\n";
    assert_eq!(
        said(&rule("a", shown, GOOD), "warnings", &[]),
        ["1:1: its result has no column `Nobody`, which a text of the alert names"]
    );
}

#[test]
fn what_sentinel_refuses_is_an_error_at_its_setting() {
    for (settings, want) in [
        (
            "queryFrequency: 1d\nqueryPeriod: 1h\n",
            "8:1: queryPeriod 1h is shorter than queryFrequency 1d: events between two runs are never seen",
        ),
        (
            "queryPeriod: P15D\n",
            "8:1: queryPeriod is 15d: it must be 5m to 14d",
        ),
        (
            "queryFrequency: 5m\nqueryPeriod: 3d\n",
            "8:1: queryPeriod 3d is above 2d, which a rule may not have that runs every 5m: it must be 1h or more",
        ),
        (
            "queryPeriod: soon\n",
            "8:14: queryPeriod `soon` is no duration such as 1h or PT1H",
        ),
        (
            "triggerOperator: more\n",
            "8:18: triggerOperator `more` is none of gt, lt, eq and ne",
        ),
        (
            "suppressionEnabled: true\n",
            "9:1: suppressionEnabled without suppressionDuration",
        ),
        (
            "suppressionEnabled: true\nsuppressionDuration: 2d\n",
            "10:1: suppressionDuration is 2d: it must be 5m to 24h",
        ),
        (
            "eventGroupingSettings: {aggregationKind: Many}\n",
            "9:42: aggregationKind `Many` is neither SingleAlert nor AlertPerResult",
        ),
        (
            "incidentConfiguration:\n  createIncident: true\n  groupingConfiguration: {enabled: true, lookbackDuration: 8d, matchingMethod: AnyAlert}\n",
            "9:1: lookbackDuration is 8d: it must be 5m to 7d",
        ),
        (
            "entityMappings:\n- entityType: Host\n  fieldMappings: []\n",
            "9:1: the mapping of Host has no identifier",
        ),
    ] {
        assert_eq!(said(&rule("a", settings, GOOD), "errors", &[]), [want]);
    }
    let everything = rule("a", "", "union withsource=Table *\n| count");
    assert_eq!(
        said(&everything, "errors", &[]),
        ["9:1: `union *` is not taken in an analytics rule"]
    );
    let four = "- identifier: A\n  columnName: UserPrincipalName\n";
    let four = format!(
        "entityMappings:\n- entityType: Host\n  fieldMappings:\n{}",
        indented(&four.repeat(4))
    );
    assert_eq!(
        said(&rule("a", &four, GOOD), "errors", &[]),
        ["9:1: 4 identifiers of one Host: at most 3 are taken"]
    );
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[test]
fn what_sentinel_takes_and_hardly_anybody_means_is_a_warning() {
    for (settings, want) in [
        (
            "querryPeriod: 1h\n",
            "9:1: the rule has an unknown key `querryPeriod`",
        ),
        (
            "tactics: [Mischief]\n",
            "9:1: `Mischief` is no tactic that Sentinel knows",
        ),
        (
            "entityMappings:\n- entityType: DNS\n  fieldMappings:\n  - {identifier: Ip, columnName: UserPrincipalName}\n",
            "12:5: `Ip` is no identifier of DNS that Sentinel knows",
        ),
        (
            "relevantTechniques: [T12]\n",
            "9:1: `T12` is no technique such as T1078 or T1078.004",
        ),
        (
            "incidentConfiguration:\n  createIncident: false\n  groupingConfiguration: {enabled: true, matchingMethod: AnyAlert}\n",
            "9:1: alerts are grouped and createIncident is false: no incident comes of it",
        ),
    ] {
        let rule = rule("a", settings, GOOD);
        assert_eq!(said(&rule, "errors", &[]), [""; 0], "{settings}");
        assert_eq!(said(&rule, "warnings", &[]), [want]);
    }
}

#[test]
fn tables_of_the_lake_tables_that_are_absent_and_unknown_ones_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let archive = archive.to_string_lossy().into_owned();
    let read = run(&["ingest", "sample-data/ual-portal", "-a", &archive]);
    assert_eq!(read.status.code(), Some(0));
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    for (name, table) in [
        ("absent", "DeviceProcessEvents"),
        ("lake", "EntraUsers"),
        ("own", "OfficeActivity"),
        ("unknown", "OficeActivity"),
        ("workspace", "Payroll_CL"),
    ] {
        let rule = rule(name, "", &format!("{table}\n| count"));
        std::fs::write(rules.join(format!("{name}.yaml")), rule).expect("a file");
    }
    let (code, list) = checked(
        &rules,
        &["-a", &archive, "--lake-only", "Payroll_CL,Other_CL"],
    );
    assert_eq!(code, Some(2));
    let told: Vec<(&str, bool, &Value, &Value, usize)> = list
        .iter()
        .map(|(_, one)| {
            (
                one["id"].as_str().expect("an id"),
                one["ok"].as_bool().expect("a verdict"),
                &one["needs"]["tables"],
                &one["lake_only"],
                one["errors"].as_array().expect("a list").len(),
            )
        })
        .collect();
    let none = serde_json::json!([]);
    let only = |name: &str| serde_json::json!([name]);
    assert_eq!(
        told,
        [
            ("absent", true, &only("DeviceProcessEvents"), &none, 0),
            ("lake", false, &none, &only("EntraUsers"), 1),
            ("own", true, &none, &none, 0),
            ("unknown", false, &none, &none, 1),
            (
                "workspace",
                false,
                &only("Payroll_CL"),
                &only("Payroll_CL"),
                1
            ),
        ]
    );
    assert_eq!(
        list[1].1["errors"][0]["message"],
        "`EntraUsers` is in the data lake alone: no rule runs over it"
    );
}

#[test]
fn what_a_query_gives_a_name_is_no_table_of_the_lake() {
    let query = "let Known_KQL = SigninLogs | where ResultType == '0';\nKnown_KQL\n| summarize n = count() by UserPrincipalName";
    assert_eq!(said(&rule("a", MAPPED, query), "errors", &[]), [""; 0]);
}

#[test]
fn ids_that_stand_there_twice_and_files_without_a_rule_are_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("a.yaml", rule("same", "", GOOD)),
        ("b.yaml", rule("same", "", GOOD)),
        ("c.yml", "on: push\n".into()),
        ("d.yaml", "id: [1\n".into()),
    ] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let (code, list) = checked(folder.path(), &[]);
    assert_eq!(code, Some(2));
    let verdicts: Vec<(&str, &Value)> = list
        .iter()
        .map(|(n, one)| (n.as_str(), &one["ok"]))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("a.yaml", &Value::Bool(true)),
            ("b.yaml", &Value::Bool(false)),
            ("c.yml", &Value::Null),
            ("d.yaml", &Value::Bool(false)),
        ]
    );
    let message = list[1].1["errors"][0]["message"]
        .as_str()
        .expect("a message");
    assert!(
        message.starts_with("another rule has the id `same`: `"),
        "{message}"
    );
    assert!(message.ends_with("a.yaml`"), "{message}");
    let shown = run(&["rules", "check", &folder.path().to_string_lossy()]);
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("c.yml: no rule: it has no `query`"),
        "{shown}"
    );
    assert!(
        shown.ends_with("3 rules: 1 would run, 2 would not; 0 warnings; 1 file without a rule\n"),
        "{shown}"
    );
}

#[test]
fn all_faults_of_a_query_are_marked_in_one_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.kql");
    let query = "SigninLogs\n| extend a = Foo, b = barr(1)\n| summarize dcount(Nix) by Nux\n";
    std::fs::write(&file, query).expect("a file");
    let out = run(&["rules", "check", &file.to_string_lossy()]);
    let shown = text(&out.stdout);
    for part in [
        "        | extend a = Foo, b = barr(1)\n                     ^^^\n",
        "        | extend a = Foo, b = barr(1)\n                              ^^^^\n",
        "        | summarize dcount(Nix) by Nux\n                           ^^^\n",
        "        | summarize dcount(Nix) by Nux\n                                   ^^^\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_custom_detection_must_give_what_defender_needs() {
    let with = |columns: &str| {
        format!(
            "id: '1'\ndisplayName: D\nqueryCondition:\n  queryText: |\n    CloudAppEvents\n    | project {columns}\nschedule:\n  frequency: PT1H\ndetectionAction:\n  alertTemplate:\n    title: D\n    severity: low\n    category: Impact\n    impactedAssets:\n    - '@odata.type': '#microsoft.graph.security.impactedUserAsset'\n      identifier: accountObjectId\n"
        )
    };
    let good = with("Timestamp, ReportId, AccountObjectId");
    assert_eq!(said(&good, "errors", &[]), [""; 0]);
    let bad = said(&with("ReportId"), "errors", &[]);
    assert_eq!(bad.len(), 2, "{bad:?}");
    assert!(bad[0].contains("no column `AccountObjectId`"), "{bad:?}");
    assert!(
        bad[1].contains("no column `Timestamp` or `TimeGenerated`"),
        "{bad:?}"
    );
    let rule = rule(
        "a",
        "tactics: [Impact, Collection]\nsuppressionEnabled: true\nsuppressionDuration: 1h\n",
        GOOD,
    );
    assert_eq!(
        said(&rule, "warnings", &["--as-detection"]),
        [
            "1:1: as a custom detection: 2 tactics: a custom detection has one category",
            "1:1: as a custom detection: suppression for 1h: a custom detection has none",
        ]
    );
}

#[test]
fn the_built_in_rules_are_checked_when_none_are_named() {
    let out = run(&["rules", "check"]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}{}", text(&out.stderr));
    assert!(
        said.contains(" would run, 0 would not; 0 warnings\n"),
        "{said}"
    );
}

#[test]
fn conditions_that_no_row_can_meet_are_warnings_at_their_place() {
    let query = "SecurityAlert\n| where AlertSeverity == 'high' and ProductName == 'a'\n| where ProductName == 'b'";
    let rule = rule("a", "", query);
    assert_eq!(said(&rule, "errors", &[]), [""; 0]);
    assert_eq!(
        said(&rule, "warnings", &[]),
        [
            "11:11: `AlertSeverity` of `SecurityAlert` is never `high`",
            "12:11: no row can meet this and `ProductName == 'a'`",
        ]
    );
}

#[test]
fn one_fault_does_not_hide_that_of_the_schedule() {
    let dire = rule("a", "queryPeriod: P15D\n", GOOD).replace("severity: Low", "severity: Dire");
    assert_eq!(
        said(&dire, "errors", &[]),
        [
            "4:11: severity `Dire` is none of High, Medium, Low and Informational",
            "8:1: queryPeriod is 15d: it must be 5m to 14d",
        ]
    );
    let often = rule("a", "queryFrequency: often\nqueryPeriod: P15D\n", GOOD);
    assert_eq!(
        said(&often, "errors", &[]),
        [
            "7:17: queryFrequency `often` is no duration such as 1h or PT1H",
            "8:1: queryPeriod is 15d: it must be 5m to 14d",
        ]
    );
}
