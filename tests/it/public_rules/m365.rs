//! Each rule that SigmaHQ has for Microsoft 365 finds an event in the shape in which it is logged, and no ordinary one. Everything in the records is
//! invented.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::run;
use crate::ingest;
use crate::sigma::{ALERTS, AUDIT, alert, published, record};

/// One event for each rule; two rules are about the same one.
fn events() -> Vec<(&'static str, Value)> {
    let mut events: Vec<Value> = (1..)
        .zip(ALERTS)
        .map(|(number, name)| alert(number, name))
        .collect();
    events.push(record(
        20,
        json!({
            "Operation": "Add-FederatedDomain", "RecordType": 1, "ResultStatus": "True", "Workload": "Exchange",
            "Parameters": [{"Name": "DomainName", "Value": "mail.contoso.com"}],
        }),
    ));
    events.push(record(
        21,
        json!({
            "Operation": "New-ComplianceSearchAction", "RecordType": 18, "Workload": "SecurityComplianceCenter", "ObjectId": "Case 7",
            "Parameters": "-SearchName \"Case 7\" -Export \"True\" -ExchangeArchiveFormat \"PerUserPst\"", "ResultStatus": "Succeeded",
        }),
    ));
    events.push(record(
        22,
        json!({
            "Operation": "UserLoggedIn", "RecordType": 15, "ResultStatus": "Success", "Workload": "AzureActiveDirectory",
            "ApplicationId": "9ba1a5c7-f17a-4de9-a1f1-6178c8d51223", "ObjectId": "00000002-0000-0000-c000-000000000000",
            "ExtendedProperties": [{"Name": "UserAgent", "Value": "okhttp"}, {"Name": "RequestType", "Value": "Cmsi:Cmsi"}],
        }),
    ));
    events.push(record(
        23,
        json!({
            "Operation": "TIMailData", "RecordType": 28, "Workload": "ThreatIntelligence", "UserId": "ThreatIntel", "UserType": 4,
            "Directionality": "Inbound", "DeliveryAction": "Delivered", "Verdict": "Phish", "Recipients": ["ada@contoso.com"],
        }),
    ));
    events.push(record(
        24,
        json!({
            "Operation": "Disable Strong Authentication.", "RecordType": 8, "Workload": "AzureActiveDirectory", "ResultStatus": "Success",
            "ObjectId": "bob@contoso.com",
        }),
    ));
    events.into_iter().map(|event| (AUDIT, event)).collect()
}

/// Events like those, of which no rule is to find any.
fn ordinary() -> Vec<(&'static str, Value)> {
    let records = [
        json!({"Operation": "Set-MailboxPlan", "RecordType": 1, "ResultStatus": "True", "Workload": "Exchange", "Parameters": []}),
        json!({
            "Operation": "New-ComplianceSearchAction", "RecordType": 18, "Workload": "SecurityComplianceCenter", "ObjectId": "Case 7",
            "Parameters": "-SearchName \"Case 7\" -Purge \"True\" -PurgeType \"SoftDelete\"", "ResultStatus": "Succeeded",
        }),
        json!({
            "Operation": "UserLoggedIn", "RecordType": 15, "ResultStatus": "Success", "Workload": "AzureActiveDirectory",
            "ApplicationId": "9ba1a5c7-f17a-4de9-a1f1-6178c8d51223", "ObjectId": "0000000a-0000-0000-c000-000000000000",
            "ExtendedProperties": [{"Name": "RequestType", "Value": "Cmsi:Cmsi"}],
        }),
        json!({
            "Operation": "TIMailData", "RecordType": 28, "Workload": "ThreatIntelligence", "UserId": "ThreatIntel", "UserType": 4,
            "Directionality": "Inbound", "DeliveryAction": "Blocked", "Verdict": "Phish",
        }),
        json!({"Operation": "Update user.", "RecordType": 8, "Workload": "AzureActiveDirectory", "ResultStatus": "Success"}),
        json!({"Operation": "FileAccessed", "RecordType": 6, "Workload": "SharePoint", "ObjectId": "https://contoso.sharepoint.com/a.docx"}),
    ];
    let mut events: Vec<Value> = (40..)
        .zip(records)
        .map(|(number, own)| record(number, own))
        .collect();
    events.push(alert(50, "A rule of our own"));
    events.into_iter().map(|event| (AUDIT, event)).collect()
}

/// How many rules of a folder ran over an archive of these events, and how many events each found.
fn found(folder: &Path, events: &[(&str, Value)]) -> (u64, BTreeMap<String, usize>) {
    let place = tempfile::tempdir().expect("a folder");
    let export = place.path().join("audit.jsonl");
    let lines: Vec<String> = events.iter().map(|(_, event)| event.to_string()).collect();
    std::fs::write(&export, lines.join("\n") + "\n").expect("a file");
    let archive = place.path().join("archive");
    ingest(&archive, &[export]);
    let [archive, folder] =
        [archive.as_path(), folder].map(|path| path.to_string_lossy().into_owned());
    let out = run(&["hunt", "-a", &archive, "-r", &folder, "-f", "json"]);
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{told}");
    let answer: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for finding in answer["findings"].as_array().expect("findings") {
        let rule = finding["rule"].as_str().expect("a rule");
        *found.entry(rule.to_string()).or_default() += 1;
    }
    (answer["summary"]["ran"].as_u64().expect("a number"), found)
}

#[test]
fn each_published_rule_finds_its_event_and_no_ordinary_one() {
    let Some(folder) = published() else {
        return;
    };
    let folder = folder.join("rules/cloud/m365");
    let (rules, suspicious) = found(&folder, &events());
    assert!(rules >= 19, "{rules} rules");
    assert_eq!(suspicious.len() as u64, rules, "{suspicious:?}");
    assert!(suspicious.values().all(|n| *n == 1), "{suspicious:?}");
    let (_, ordinary) = found(&folder, &ordinary());
    assert_eq!(ordinary, BTreeMap::new());
}
