//! Rules as the world writes them: every format is one rule, and what the world writes oddly is taken as it is meant.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::run;

const ANALYTICS: &str = r#"id: 11111111-0000-4000-8000-000000000001
name: Many failed sign-ins
version: 1.2.10
kind: Scheduled
description: |
  Counts failures by account.
severity: medium
status: Available
requiredDataConnectors:
  - connectorId: AzureActiveDirectory
    dataTypes: [SigninLogs]
queryFrequency: 1h
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 2
tactics: [Credential access]
relevantTechniques: [T1110.003]
query: |
  SigninLogs
  | where ResultType == "50126"
  | summarize Failures = count() by UserPrincipalName, Level = "High"
entityMappings:
  - entityType: account
    fieldMappings:
      - identifier: FullName
        columnName: UserPrincipalName
eventGroupingSettings:
  aggregationKind: AlertPerResult
suppressionEnabled: true
suppressionDuration: PT5H
customDetails:
  Failures: Failures
alertDetailsOverride:
  alertDisplayNameFormat: "{{UserPrincipalName}} failed {{Failures}} times"
  alertSeverityColumnName: Level
  alertDynamicProperties:
    - alertProperty: confidencescore
      value: Failures
incidentConfiguration:
  createIncident: true
  groupingConfiguration:
    enabled: true
    reopenClosedIncident: true
    lookbackDuration: P1D
    matchingMethod: Selected
    groupByEntities: [Account]
    groupByAlertDetails: [DisplayName]
    groupByCustomDetails: [Failures]
"#;

const EXPORT: &str = r#"{
	"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
	"contentVersion": "1.0.0.0",
	"parameters": {"workspace": {"type": "String"}},
	"resources": [
		{
			"id": "[concat(resourceId('Microsoft.OperationalInsights/workspaces/providers', parameters('workspace'), 'Microsoft.SecurityInsights'),'/alertRules/22222222-0000-4000-8000-000000000002')]",
			"name": "[concat(parameters('workspace'),'/Microsoft.SecurityInsights/22222222-0000-4000-8000-000000000002')]",
			"type": "Microsoft.OperationalInsights/workspaces/providers/alertRules",
			"kind": "Scheduled",
			"apiVersion": "2023-12-01-preview",
			"properties": {
				"displayName": "Rule of a workspace",
				"description": "",
				"severity": "High",
				"enabled": false,
				"query": "OfficeActivity\r\n| where Operation == \"New-InboxRule\"\r\n| project TimeGenerated, UserId",
				"queryFrequency": "PT5H",
				"queryPeriod": "PT5H",
				"triggerOperator": "GreaterThan",
				"triggerThreshold": 0,
				"suppressionDuration": "PT5H",
				"suppressionEnabled": false,
				"startTimeUtc": null,
				"tactics": ["Persistence", "Collection"],
				"techniques": ["T1098"],
				"subTechniques": [],
				"alertRuleTemplateName": null,
				"incidentConfiguration": {"createIncident": true, "groupingConfiguration": {"enabled": false, "reopenClosedIncident": false, "lookbackDuration": "PT5H", "matchingMethod": "AllEntities", "groupByEntities": [], "groupByAlertDetails": [], "groupByCustomDetails": []}},
				"eventGroupingSettings": {"aggregationKind": "SingleAlert"},
				"alertDetailsOverride": null,
				"customDetails": null,
				"entityMappings": null,
				"sentinelEntitiesMappings": null,
				"templateVersion": null
			}
		},
		{
			"name": "[concat(parameters('workspace'),'/Microsoft.SecurityInsights/BuiltInFusion')]",
			"type": "Microsoft.OperationalInsights/workspaces/providers/alertRules",
			"kind": "Fusion",
			"properties": {"enabled": true}
		}
	]
}
"#;

const DETECTIONS: &str = r##"{
  "@odata.context": "https://graph.microsoft.com/beta/$metadata#security/rules/detectionRules",
  "value": [
    {
      "id": "7506",
      "displayName": "Forwarding rule",
      "isEnabled": true,
      "queryCondition": {"queryText": "CloudAppEvents\n| where ActionType == 'New-InboxRule'\n| project Timestamp, ReportId, AccountObjectId", "lastModifiedDateTime": "2026-05-01T00:00:00Z"},
      "schedule": {"frequency": "PT3H", "lookback": "P1D"},
      "detectionAction": {
        "alertTemplate": {
          "title": "Forwarding by {{AccountObjectId}}",
          "description": "Mail leaves.",
          "severity": "high",
          "category": "Collection",
          "mitreTechniques": ["T1114.003"],
          "impactedAssets": [{"@odata.type": "#microsoft.graph.security.impactedUserAsset", "identifier": "accountObjectId"}],
          "entityMappings": {"accounts": [{"aadUserIdColumn": "AccountObjectId"}]},
          "customDetails": {}
        },
        "responseActions": []
      }
    }
  ]
}
"##;

const OLD_DETECTION: &str = "displayName: Old form\nisEnabled: true\nqueryCondition:\n  queryText: |\n    CloudAppEvents\n    | project Timestamp, ReportId, AccountObjectId\nschedule:\n  period: \"24H\"\ndetectionAction:\n  alertTemplate:\n    title: Old form\n    severity: low\n    category: Execution\n    mitreTechniques: [T1059]\n";

const HUNTING: &str = "id: 33333333-0000-4000-8000-000000000003\nname: Rare operations\ndescription: 'Looks for them.'\nrequiredDataConnectors: []\ntactics:\n  - Discovery\nquery: OfficeActivity | summarize count() by Operation\n";

const SIGMA: &str = "title: Mailbox permission\nid: 44444444-0000-4000-8000-000000000004\nstatus: test\nlogsource:\n  product: m365\n  service: exchange\ndetection:\n  selection:\n    eventName: Add-MailboxPermission\n  condition: selection\nlevel: critical\ntags:\n  - attack.privilege-escalation\n  - attack.t1098.002\nfalsepositives:\n  - Administrators\n";

const OWN_KQL: &str = "// id: own-kql\n// name: Own in KQL\n// severity: Low\n// queryPeriod: 7d\n// tests:\n//   - name: a rule is found\n//     events:\n//       - record: {CreationTime: \"2026-06-01T08:00:00\", Id: a1, Operation: New-InboxRule, RecordType: 1, Workload: Exchange, UserId: eve@contoso.com}\n//         repeat: {count: 2, every: 1h}\n//     finds: 2\nUnifiedAuditLog\n| where TimeGenerated > ago(1d) and Operation == 'New-InboxRule'\n| project TimeGenerated, UserId\n";

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        std::fs::write(folder.join(name), content).expect("a file");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The rules below a folder by their ids, the exit code, and what was said.
fn listed(folder: &Path) -> (Option<i32>, BTreeMap<String, Value>, String) {
    let folder = folder.to_string_lossy();
    let out = run(&["rules", "list", "-f", "json", &folder]);
    let said = text(&out.stderr);
    let list: Vec<Value> = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}{said}", text(&out.stdout));
    });
    let rules = list.into_iter().map(|rule| {
        let id = rule["id"].as_str().expect("an id").to_string();
        (id, rule)
    });
    (out.status.code(), rules.collect(), said)
}

/// Those settings of a rule that are named.
fn settings(rule: &Value, names: &[&str]) -> Value {
    let named = names
        .iter()
        .map(|name| (name.to_string(), rule[*name].clone()));
    Value::Object(named.collect())
}

#[test]
fn a_rule_of_sentinel_says_everything_that_its_scheduler_needs() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("analytics.yaml", ANALYTICS)]);
    let (code, rules, said) = listed(folder.path());
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let rule = &rules["11111111-0000-4000-8000-000000000001"];
    let mut rest = rule.as_object().expect("a map").clone();
    for name in ["file", "line", "query"] {
        rest.remove(name);
    }
    assert_eq!(
        Value::Object(rest),
        json!({
            "id": "11111111-0000-4000-8000-000000000001",
            "name": "Many failed sign-ins",
            "kind": "Scheduled",
            "language": "KQL",
            "enabled": true,
            "version": "1.2.10",
            "status": "Available",
            "severity": "Medium",
            "tactics": ["CredentialAccess"],
            "techniques": ["T1110.003"],
            "description": "Counts failures by account.",
            "queryFrequency": "1h",
            "queryPeriod": "1d",
            "trigger": "GreaterThan 2",
            "eventGrouping": "AlertPerResult",
            "suppressionDuration": "5h",
            "entityMappings": [{"type": "Account", "fields": {"FullName": "UserPrincipalName"}}],
            "customDetails": {"Failures": "Failures"},
            "alertDetailsOverride": {
                "name": "{{UserPrincipalName}} failed {{Failures}} times",
                "severityColumn": "Level",
                "dynamicProperties": {"ConfidenceScore": "Failures"},
            },
            "incidents": {
                "createIncident": true,
                "grouping": {
                    "matchingMethod": "Selected",
                    "lookbackDuration": "1d",
                    "reopenClosedIncident": true,
                    "groupByEntities": ["Account"],
                    "groupByAlertDetails": ["DisplayName"],
                    "groupByCustomDetails": ["Failures"],
                },
            },
            "requiredDataConnectors": [{"connectorId": "AzureActiveDirectory", "dataTypes": ["SigninLogs"]}],
            "tests": 0,
        })
    );
}

#[test]
fn an_export_of_a_workspace_gives_its_rules_and_refuses_what_has_no_query() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("export.json", EXPORT)]);
    let (code, rules, said) = listed(folder.path());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("export.json:41:"), "{said}");
    assert!(
        said.contains("a rule of kind Fusion has no query that could run"),
        "{said}"
    );
    assert_eq!(rules.len(), 1);
    let names = [
        "name",
        "rule",
        "enabled",
        "queryFrequency",
        "trigger",
        "tactics",
        "incidents",
    ];
    assert_eq!(
        settings(&rules["22222222-0000-4000-8000-000000000002"], &names),
        json!({
            "name": "Rule of a workspace",
            "rule": 1,
            "enabled": false,
            "queryFrequency": "5h",
            "trigger": "GreaterThan 0",
            "tactics": ["Persistence", "Collection"],
            "incidents": {"createIncident": true},
        })
    );
}

#[test]
fn answers_of_the_api_packages_and_saved_searches_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let properties = json!({"displayName": "Near real time", "severity": "Low", "enabled": true, "query": "SigninLogs"});
    let answer = json!({"value": [{
        "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.SecurityInsights/alertRules/55555555-0000-4000-8000-000000000005",
        "name": "55555555-0000-4000-8000-000000000005",
        "type": "Microsoft.SecurityInsights/alertRules",
        "kind": "NRT",
        "etag": "x",
        "properties": properties,
    }]});
    let scheduled = json!({
        "displayName": "Of a package", "severity": "Low", "query": "SigninLogs", "queryFrequency": "P1D", "queryPeriod": "P1D",
        "triggerOperator": "GreaterThan", "triggerThreshold": 0,
    });
    let package = json!({"resources": [
        {"type": "Microsoft.OperationalInsights/workspaces/providers/contentTemplates", "properties": {"mainTemplate": {"resources": [
            {
                "type": "Microsoft.SecurityInsights/AlertRuleTemplates",
                "name": "[variables('rule')._id]",
                "kind": "Scheduled",
                "properties": scheduled,
            },
            {"type": "Microsoft.OperationalInsights/workspaces/providers/metadata", "properties": {}},
        ]}}},
        {"type": "Microsoft.OperationalInsights/savedSearches", "name": "hunt-1", "properties": {
            "category": "Hunting Queries",
            "displayName": "Hunt one",
            "query": "OfficeActivity | count",
            "tags": [{"name": "tactics", "value": "Discovery, Initial Access"}, {"name": "techniques", "value": "T1087"}],
        }},
        {"type": "Microsoft.OperationalInsights/savedSearches", "name": "function", "properties": {
            "category": "Functions", "functionAlias": "F", "query": "print 1",
        }},
    ]});
    let workbook = json!({"resources": [{"type": "Microsoft.Insights/workbooks", "properties": {"serializedData": "{}"}}]});
    write(
        folder.path(),
        &[
            ("answer.json", &answer.to_string()),
            ("package.json", &format!("{package:#}")),
            ("workbook.json", &workbook.to_string()),
        ],
    );
    let (code, rules, said) = listed(folder.path());
    assert_eq!(code, Some(0), "{said}");
    let ids: Vec<&str> = rules.keys().map(String::as_str).collect();
    assert_eq!(
        ids,
        [
            "55555555-0000-4000-8000-000000000005",
            "Of a package",
            "hunt-1"
        ]
    );
    let near = &rules["55555555-0000-4000-8000-000000000005"];
    assert_eq!(
        (&near["kind"], &near["queryFrequency"]),
        (&json!("NRT"), &json!("near real time"))
    );
    let hunt = settings(&rules["hunt-1"], &["name", "kind", "tactics", "techniques"]);
    assert_eq!(
        hunt,
        json!({"name": "Hunt one", "kind": "Hunting", "tactics": ["Discovery", "InitialAccess"], "techniques": ["T1087"]})
    );
    assert!(
        said.contains("the rule has no id: `Of a package` stands in for it"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn custom_detections_are_read_in_both_forms() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        &[("new.json", DETECTIONS), ("old.yaml", OLD_DETECTION)],
    );
    let (code, rules, said) = listed(folder.path());
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let names = [
        "kind",
        "severity",
        "queryFrequency",
        "queryPeriod",
        "tactics",
        "entityMappings",
    ];
    assert_eq!(
        settings(&rules["7506"], &names),
        json!({
            "kind": "CustomDetection",
            "severity": "High",
            "queryFrequency": "3h",
            "queryPeriod": "1d",
            "tactics": ["Collection"],
            "entityMappings": [{"type": "Account", "fields": {"AadUserId": "AccountObjectId"}}],
        })
    );
    let old = settings(
        &rules["Old form"],
        &["queryFrequency", "queryPeriod", "tactics"],
    );
    assert_eq!(
        old,
        json!({"queryFrequency": "1d", "queryPeriod": "30d", "tactics": ["Execution"]})
    );
}

#[test]
fn hunting_queries_sigma_and_rules_of_our_own_stand_beside_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let sql =
        "/*\nid: own-sql\nname: Own in SQL\nseverity: High\nqueryPeriod: 1d\n*/\nSELECT 1 AS x\n";
    write(
        folder.path(),
        &[
            ("hunting.yaml", HUNTING),
            ("sigma.yml", SIGMA),
            ("own.kql", OWN_KQL),
            ("own.sql", sql),
            ("bare.kql", "SigninLogs | count\n"),
            ("workflow.yml", "on: push\njobs: {}\n"),
            ("README.md", "# Rules\n"),
        ],
    );
    let (code, rules, said) = listed(folder.path());
    assert_eq!(code, Some(0), "{said}");
    let names = ["kind", "language", "severity", "queryPeriod", "tactics"];
    let found: Vec<(&str, Value)> = rules
        .iter()
        .map(|(id, rule)| (id.as_str(), settings(rule, &names)))
        .collect();
    let rule = |kind: &str, language: &str, severity: &str, period: Value, tactics: Value| json!({"kind": kind, "language": language, "severity": severity, "queryPeriod": period, "tactics": tactics});
    let none = Value::Null;
    assert_eq!(
        found,
        [
            (
                "33333333-0000-4000-8000-000000000003",
                rule(
                    "Hunting",
                    "KQL",
                    "Medium",
                    none.clone(),
                    json!(["Discovery"])
                )
            ),
            (
                "44444444-0000-4000-8000-000000000004",
                rule(
                    "Sigma",
                    "Sigma",
                    "High",
                    none.clone(),
                    json!(["PrivilegeEscalation"])
                )
            ),
            (
                "bare",
                rule("Hunting", "KQL", "Medium", none.clone(), none.clone())
            ),
            (
                "own-kql",
                rule("Scheduled", "KQL", "Low", json!("7d"), none.clone())
            ),
            (
                "own-sql",
                rule("Scheduled", "SQL", "High", json!("1d"), none)
            ),
        ]
    );
}

#[test]
fn what_the_world_writes_oddly_is_taken_as_it_is_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let rule = |id: &str| {
        format!(
            "id: {id}\nname: Odd\nkind: NRT\nseverity: Low\nquery: |\n  SigninLogs\n  | take 1\n"
        )
    };
    let marked = format!("\u{feff}{}", rule("marked")).replace('\n', "\r\n");
    let tabbed = rule("tabbed").replace("  | take", "\t| take");
    let twice = format!("{}severity: High\n", rule("twice"));
    let cased = rule("cased").replace("severity", "Severity");
    let several = format!("- {}", rule("first").replace('\n', "\n  ").trim_end())
        + &format!("\n- {}", rule("second").replace('\n', "\n  ").trim_end())
        + "\n";
    write(
        folder.path(),
        &[
            ("marked.yaml", &marked),
            ("tabbed.yaml", &tabbed),
            ("twice.yaml", &twice),
            ("cased.yaml", &cased),
            ("several.yaml", &several),
        ],
    );
    let wide: Vec<u8> = format!("\u{feff}{}", rule("wide"))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(folder.path().join("wide.yaml"), wide).expect("a file");
    let (code, rules, said) = listed(folder.path());
    assert_eq!(code, Some(0), "{said}");
    let ids: Vec<&str> = rules.keys().map(String::as_str).collect();
    assert_eq!(
        ids,
        [
            "cased", "first", "marked", "second", "tabbed", "twice", "wide"
        ]
    );
    for (id, rule) in &rules {
        assert_eq!(rule["query"], "SigninLogs\n| take 1", "{id}");
    }
    assert_eq!(rules["twice"]["severity"], "High");
    assert_eq!(rules["second"]["rule"], 2);
    for want in [
        "cased.yaml:4:1`: `Severity` is read as `severity`",
        "tabbed.yaml:7:1`: the line is indented with a tab",
        "twice.yaml:8:1`: `severity` stands on line 4 already: this one counts",
    ] {
        assert!(said.contains(want), "{want}: {said}");
    }
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn a_rule_in_kql_passes_its_own_tests_at_the_time_of_its_events() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("own.kql", OWN_KQL)]);
    let out = run(&["rules", "test", &folder.path().to_string_lossy()]);
    let said = text(&out.stdout) + &text(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(
        said.contains("1 test in 1 rule: 1 passed, 0 failed"),
        "{said}"
    );
}

#[test]
fn tests_of_a_foreign_rule_stand_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let tests = "tests:\n- name: three failures are one row\n  events:\n  - table: SigninLogs\n    record: {TimeGenerated: \"2026-06-01T08:00:00Z\", Id: s1, UserPrincipalName: eve@contoso.com, ResultType: \"50126\"}\n    repeat: {count: 3, every: 1m}\n  finds: 0\n";
    write(
        folder.path(),
        &[("failed.yaml", ANALYTICS), ("failed.tests.yaml", tests)],
    );
    let out = run(&["rules", "test", &folder.path().to_string_lossy()]);
    let said = text(&out.stdout) + &text(&out.stderr);
    // One row is not more than two, which is its trigger.
    assert!(
        said.contains("1 test in 1 rule: 1 passed, 0 failed"),
        "{said}"
    );
}

#[test]
fn a_rule_is_shown_as_it_is_understood() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("analytics.yaml", ANALYTICS)]);
    let rules = folder.path().to_string_lossy();
    let out = run(&["rules", "show", "many failed sign-ins", "-r", &rules]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}{}", text(&out.stderr));
    for want in [
        "kind                    Scheduled\n",
        "queryPeriod             1d\n",
        "tactics                 CredentialAccess\n",
        "entityMappings          [{\"type\":\"Account\",\"fields\":{\"FullName\":\"UserPrincipalName\"}}]\n",
        "\n    Counts failures by account.\n",
        "\n    SigninLogs\n    | where ResultType == \"50126\"\n",
    ] {
        assert!(said.contains(want), "{want}: {said}");
    }
    let out = run(&["rules", "show", "many failed sign-in", "-r", &rules]);
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn rules_that_share_an_id_are_told_apart_and_functions_are_no_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = ANALYTICS.replace("50126", "50053");
    let function = "id: Failed\nname: Failed\ncategory: Security\nfunctionAlias: Failed\nquery: SigninLogs | where ResultType != '0'\n";
    let files = [
        ("a.yaml", ANALYTICS),
        ("b/locked.yaml", other.as_str()),
        ("c.yaml", ANALYTICS),
        ("failed.yaml", function),
    ];
    std::fs::create_dir(folder.path().join("b")).expect("a folder");
    write(folder.path(), &files);
    let out = run(&["rules", "list", &folder.path().to_string_lossy()]);
    let (said, errors) = (text(&out.stdout), text(&out.stderr));
    let ids: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|id| id.starts_with("11111111") || *id == "locked" || *id == "Failed")
        .collect();
    assert_eq!(
        ids,
        ["11111111-0000-4000-8000-000000000001", "locked"],
        "{said}"
    );
    let id = "the id `11111111-0000-4000-8000-000000000001` is that of another rule";
    assert!(
        errors.contains(&format!("it goes by `locked`: {id}")),
        "{errors}"
    );
    assert!(!errors.contains("it goes by `c`"), "{errors}");
    // A pipeline is told of both.
    let out = run(&["rules", "check", &folder.path().to_string_lossy()]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert_eq!(said.matches("another rule has the id").count(), 2, "{said}");
    assert!(
        said.contains("failed.yaml: no rule: it is a saved function"),
        "{said}"
    );
}
