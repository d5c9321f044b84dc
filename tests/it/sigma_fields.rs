//! Fields of rules in Sigma are found where the exports have them, however rules spell them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::run;
use crate::ingest;
use crate::sigma::record;

/// The text of a rule over these logs.
fn rule(id: &str, (product, service): (&str, &str), detection: &str) -> String {
    format!(
        "title: {id}\nid: {id}\nlevel: low\nlogsource:\n  product: {product}\n  service: {service}\ndetection:\n  {detection}\n"
    )
}

const AUDIT: (&str, &str) = ("m365", "audit");
const SIGN_INS: (&str, &str) = ("azure", "signinlogs");
const CHANGES: (&str, &str) = ("azure", "auditlogs");
const ACTIVITIES: (&str, &str) = ("azure", "activitylogs");

/// The minutes of the events that each rule finds, in an archive of these exports.
fn found(
    exports: &[(&str, Vec<Value>)],
    rules: &[(&str, (&str, &str), &str)],
) -> BTreeMap<String, Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("exports");
    std::fs::create_dir(&input).expect("a folder");
    for (name, records) in exports {
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        std::fs::write(input.join(name), lines.join("\n") + "\n").expect("a file");
    }
    let archive = folder.path().join("archive");
    ingest(&archive, &[input]);
    let pack = folder.path().join("rules");
    std::fs::create_dir(&pack).expect("a folder");
    for (id, source, detection) in rules {
        let text = rule(id, *source, &format!("s:\n    {detection}\n  condition: s"));
        std::fs::write(pack.join(format!("{id}.yml")), text).expect("a file");
    }
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let out = run(&[
        "hunt",
        "-a",
        &shown(&archive),
        "-r",
        &shown(&pack),
        "-f",
        "json",
    ]);
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{told}");
    let answer: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, _, _) in rules {
        found.insert((*id).to_string(), Vec::new());
    }
    for finding in answer["findings"].as_array().expect("findings") {
        let minute = finding["first"].as_str().expect("a time")[14..16].to_string();
        let rule = finding["rule"].as_str().expect("a rule");
        found.entry(rule.to_string()).or_default().push(minute);
    }
    found.values_mut().for_each(|minutes| minutes.sort());
    found
}

/// Each rule finds the event of minute 1 and not the one of minute 2.
fn only_the_first(exports: &[(&str, Vec<Value>)], rules: &[(&str, (&str, &str), &str)]) {
    for (rule, minutes) in found(exports, rules) {
        assert_eq!(minutes, ["01"], "{rule}");
    }
}

/// Two audit records that differ in what the rules are about.
fn records() -> Vec<Value> {
    let send = |minute: u32, recipients: &[&str], subject: &str, address: &str, items: u32| {
        record(
            minute,
            json!({
                "Operation": "Send", "RecordType": 2, "Workload": "Exchange", "ResultStatus": "Succeeded",
                "Recipients": recipients, "Counts": [items, 7],
                "AffectedItems": [{"Id": "1", "Subject": "Lunch"}, {"Id": "2", "Subject": subject}],
                "Item": {"Path": format!("\\\\files\\{subject}")},
                "ExtendedProperties": [{"Name": "Client", "Value": address}, {"Name": "Tries", "Value": items}],
                "ModifiedProperties": [{"Name": "Role.DisplayName", "NewValue": subject, "OldValue": "Reader"}],
                "Actor": [{"ID": subject, "Type": 5}],
            }),
        )
    };
    vec![
        send(
            1,
            &["ada@contoso.com", "bob@contoso.com"],
            "Plan \"B\"",
            "192.0.2.7",
            12,
        ),
        send(2, &["bobby@contoso.com"], "Recipient", "198.51.100.7", 3),
    ]
}

#[test]
fn values_in_lists_of_the_audit_record_are_found() {
    only_the_first(
        &[("audit.jsonl", records())],
        &[
            ("item", AUDIT, "Recipients: BOB@contoso.com"),
            ("item-start", AUDIT, "Recipients|startswith: bob@"),
            ("number", AUDIT, "Counts: 12"),
            ("property", AUDIT, "AffectedItems.Subject|contains: plan"),
            ("quotes", AUDIT, "AffectedItems.Subject: 'plan \"b\"'"),
            (
                "changed",
                AUDIT,
                "ModifiedProperties.NewValue|startswith: Plan",
            ),
            (
                "changed-name",
                AUDIT,
                "ModifiedProperties.Role.DisplayName.NewValue|endswith: '\"B\"'",
            ),
            ("actor", AUDIT, "Actor.ID|startswith: Plan"),
        ],
    );
}

#[test]
fn named_items_of_the_audit_record_are_compared_like_columns() {
    only_the_first(
        &[("audit.jsonl", records())],
        &[
            ("network", AUDIT, "Client|cidr: 192.0.2.0/24"),
            ("pattern", AUDIT, "Client|re: '^192\\.'"),
            ("order", AUDIT, "Tries|gt: 10"),
            ("whole", AUDIT, "Payload|re: '\"Tries\",\"Value\":1[0-9]'"),
        ],
    );
    let exports = [("audit.jsonl", records())];
    let rules = [
        ("there", AUDIT, "Client|exists: true"),
        // That word is a value in the second record.
        ("nowhere", AUDIT, "Recipient|exists: true"),
    ];
    let found = found(&exports, &rules);
    assert_eq!(found["there"], ["01", "02"]);
    assert_eq!(found["nowhere"], [""; 0]);
}

#[test]
fn words_are_those_of_the_record_as_they_are_meant() {
    let rules = [
        ("path", AUDIT, "- '\\files\\Plan'"),
        ("beyond", AUDIT, "- '*Lunch*192.0.2.*'"),
        ("quotes", AUDIT, "- 'plan \"b\"'"),
    ];
    only_the_first(&[("audit.jsonl", records())], &rules);
    // The record has the number of its type, not the name.
    let rules = [("type", AUDIT, "- ExchangeItem")];
    let found = found(&[("audit.jsonl", records())], &rules);
    assert_eq!(found["type"], [""; 0]);
}

#[test]
fn words_are_found_in_events_that_came_without_their_record() {
    let office = |minute: u32, domain: &str| {
        json!({
            "TenantId": "5b000000-0000-4000-8000-000000000001", "Type": "OfficeActivity", "SourceSystem": "OfficeActivityManager",
            "TimeGenerated": format!("2026-05-04T08:{minute:02}:00.0000000Z"), "RecordType": "ExchangeAdmin", "Operation": "New-AcceptedDomain",
            "OrganizationId": "5b000000-0000-4000-8000-000000000001", "UserType": "Admin", "UserKey": "ada@contoso.com",
            "UserId": "ada@contoso.com", "OfficeWorkload": "Exchange", "ResultStatus": "True", "OfficeObjectId": "Domains",
            "OfficeId": format!("5a000000-0000-4000-8000-{minute:012}"),
            "Parameters": json!([{"Name": "DomainName", "Value": domain}]).to_string(),
        })
    };
    let events = vec![office(1, "mail.contoso.com"), office(2, "example.com")];
    only_the_first(
        &[("OfficeActivity.json", events)],
        &[
            ("word", AUDIT, "- MAIL.contoso.com"),
            ("words", AUDIT, "'|all': [acceptedDomain, 'mail*com']"),
            ("payload", AUDIT, "Payload|contains: mail.contoso"),
        ],
    );
}

#[test]
fn the_record_is_found_by_the_name_of_its_column_and_in_the_words_of_elastic() {
    only_the_first(
        &[("audit.jsonl", records())],
        &[
            ("column", AUDIT, "AuditData.Item.Path|contains: plan"),
            (
                "graph",
                AUDIT,
                "service: exchange\n    auditLogRecordType: exchangeItem\n    Recipients: ada@contoso.com",
            ),
            ("raw", AUDIT, "RawEventData.Recipients: ada@contoso.com"),
            (
                "elastic",
                AUDIT,
                "event.dataset: o365.audit\n    event.module: o365\n    event.action: send\n    o365.audit.Item.Path|contains: plan",
            ),
            (
                "type",
                AUDIT,
                "ActionType: Send\n    Recipients: ada@contoso.com",
            ),
        ],
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("host.yml");
    let text = rule("host", AUDIT, "s: {host.name: x}\n  condition: s");
    std::fs::write(&path, text).expect("a file");
    let out = run(&["rules", "check", &path.to_string_lossy()]);
    let told =
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{told}");
    assert!(
        told.contains("`UnifiedAuditLog` has no field `host.name`"),
        "{told}"
    );
}

#[test]
fn entra_is_found_in_the_spellings_of_graph_and_elastic() {
    let sign_in = |minute: u32, city: &str, code: u32, risk: &str, policy: &str| {
        json!({
            "TenantId": "5b000000-0000-4000-8000-000000000001", "Type": "SigninLogs", "SourceSystem": "Azure AD",
            "TimeGenerated": format!("2026-05-04T10:{minute:02}:00.0000000Z"), "OperationName": "Sign-in activity", "Category": "SignInLogs",
            "Id": format!("5e000000-0000-4000-8000-{minute:012}"), "UserPrincipalName": "ada@contoso.com", "IPAddress": "192.0.2.20",
            "AppDisplayName": format!("App {city}"), "ResultType": code.to_string(), "Status": {"errorCode": code}, "Location": "DE",
            "LocationDetails": {"city": city, "countryOrRegion": "DE"}, "RiskEventTypes_V2": format!("[\"{risk}\"]"),
            "ConditionalAccessPolicies": [{"displayName": policy, "result": "success"}],
        })
    };
    let change = |minute: u32, kind: &str, who: &str, agent: &str| {
        json!({
            "TenantId": "5b000000-0000-4000-8000-000000000001", "Type": "AuditLogs", "SourceSystem": "Azure AD",
            "TimeGenerated": format!("2026-05-04T11:{minute:02}:00.0000000Z"), "OperationName": "Update user", "Category": "UserManagement",
            "Id": format!("Directory_{minute}"), "AADOperationType": kind, "ActivityDisplayName": "Update user",
            "ActivityDateTime": format!("2026-05-04T11:{minute:02}:00.0000000Z"), "LoggedByService": "Core Directory", "Result": "success",
            "InitiatedBy": {"user": {"userPrincipalName": who}}, "AdditionalDetails": [{"key": "User-Agent", "value": agent}],
            "TargetResources": [{"type": "User", "modifiedProperties": [{"displayName": "Account", "oldValue": null,
                "newValue": json!(format!("CONTOSO\\{}", &who[..3])).to_string()}]}],
        })
    };
    let exports = [
        (
            "SigninLogs.json",
            vec![
                sign_in(1, "Berlin", 50126, "anonymizedIPAddress", "Block all"),
                sign_in(2, "Bonn", 0, "unlikelyTravel", "Allow"),
            ],
        ),
        (
            "AuditLogs.json",
            vec![
                change(1, "Update", "eve@contoso.com", "python-requests"),
                change(2, "Add", "bob@contoso.com", "Mozilla/5.0"),
            ],
        ),
    ];
    only_the_first(
        &exports,
        &[
            ("city", SIGN_INS, "properties.location.city: berlin"),
            (
                "snake",
                SIGN_INS,
                "azure.signinlogs.properties.app_display_name: App Berlin",
            ),
            (
                "snake-path",
                SIGN_INS,
                "azure.signinlogs.properties.status.error_code: 50126",
            ),
            ("code", SIGN_INS, "ErrorCode: 50126"),
            ("risk", SIGN_INS, "riskEventTypes_v2: anonymizedipaddress"),
            (
                "policy",
                SIGN_INS,
                "appliedConditionalAccessPolicies.displayName: block all",
            ),
            ("kind", CHANGES, "operationType: update"),
            // The value is JSON in a text.
            (
                "account",
                CHANGES,
                "TargetResources.modifiedProperties.newValue: 'contoso\\eve'",
            ),
            ("agent", CHANGES, "userAgent|startswith: python"),
            (
                "who",
                CHANGES,
                "azure.auditlogs.properties.initiated_by.user.userPrincipalName|re: '^eve@'",
            ),
        ],
    );
}

#[test]
fn activities_of_azure_are_found_by_what_their_properties_say() {
    let activity = |minute: u32, status: &str, name: &str| {
        json!({
            "TenantId": "5b000000-0000-4000-8000-000000000001", "Type": "AzureActivity", "SourceSystem": "Azure",
            "TimeGenerated": format!("2026-05-04T12:{minute:02}:00.0000000Z"), "OperationNameValue": "MICROSOFT.KEYVAULT/VAULTS/WRITE",
            "OperationName": "Update Key Vault", "ActivityStatusValue": "Success", "CategoryValue": "Administrative", "Level": "4",
            "Caller": "ada@contoso.com", "CallerIpAddress": "192.0.2.20", "ResourceGroup": "RG", "SubscriptionId": "5f000000-0000-4000-8000-000000000001",
            "EventDataId": format!("5e000000-0000-4000-8000-{minute:012}"), "CorrelationId": format!("5d000000-0000-4000-8000-{minute:012}"),
            "Properties": json!({"statusCode": status}).to_string(), "Claims": json!({"name": name}).to_string(),
        })
    };
    let exports = [(
        "AzureActivity.json",
        vec![activity(1, "Created", "Ada"), activity(2, "OK", "Bob")],
    )];
    only_the_first(
        &exports,
        &[
            ("property", ACTIVITIES, "properties.statusCode: created"),
            ("claim", ACTIVITIES, "identity.claims.name: ada"),
            (
                "snake",
                ACTIVITIES,
                "azure.activitylogs.operation_name|startswith: microsoft.keyvault\n    properties.statusCode|contains: eat",
            ),
        ],
    );
}
