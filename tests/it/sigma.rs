//! Rules of Sigma find the events that Microsoft 365 and Entra log, in the shapes in which they log them.
//!
//! Shapes of records: Microsoft's schema of the management activity API (alerts of record type 40, mail of type 28, cmdlets of types 1 and 18, sign-ins of
//! type 15) and its reference of the tables of Azure Monitor. Everything in the records is invented.

use std::path::PathBuf;

use coldtrail::convert;
use coldtrail::engine::{self, Session, Source, kql, watchlist};
use coldtrail::function::value::Value as Kusto;
use coldtrail::sigma::{Collection, Conversion};
use serde_json::{Value, json};

use crate::shared;

pub(crate) const AUDIT: &str = "UnifiedAuditLog";

/// The queries of the rules of a text that stand alone.
fn queries(rules: &str) -> Vec<Conversion> {
    let mut collection = Collection::default();
    collection.add("rules.yml", rules).expect("it is YAML");
    let converted = collection.convert().into_iter();
    converted
        .map(|c| c.query.unwrap_or_else(|e| panic!("{}: {e}", c.about.title)))
        .collect()
}

/// A session over events, with these watchlists of one column.
pub(crate) fn session(events: &[(&str, Value)], lists: &[(&str, &[&str])]) -> Session {
    let records: Vec<(String, Value)> = events
        .iter()
        .map(|(table, record)| (table.to_string(), record.clone()))
        .collect();
    let rows = convert::in_memory(&records).expect("events can be converted");
    let options = engine::Options {
        threads: Some(2),
        ..engine::Options::default()
    };
    let mut session = Session::open(Source::Memory(rows), &options).expect("a session");
    for (name, values) in lists {
        let rows: Vec<Vec<String>> = values.iter().map(|v| vec![v.to_string()]).collect();
        let batch = watchlist::from_rows(&["Value".to_string()], &rows).expect("a list");
        session
            .add_watchlist(name, batch)
            .expect("its name is free");
    }
    session
}

/// The rows that the rules of a text find.
fn rows(rules: &str, events: &[(&str, Value)], lists: &[(&str, &[&str])]) -> kql::Answer {
    let session = session(events, lists);
    let mut all = queries(rules).into_iter();
    let (one, none) = (all.next().expect("a rule"), all.next());
    assert_eq!(none, None);
    session
        .kql(&one.text, &kql::Options::default())
        .unwrap_or_else(|e| panic!("{}: {e}", one.text))
}

fn found(rules: &str, events: &[(&str, Value)]) -> usize {
    rows(rules, events, &[]).rows.len()
}

/// A rule over a source with this detection, whose lines stand under each other.
fn rule(product: &str, service: &str, detection: &str) -> String {
    let detection = detection.trim().replace('\n', "\n  ");
    format!(
        "title: Test\nid: test\nlogsource:\n  product: {product}\n  service: {service}\ndetection:\n  {detection}\n"
    )
}

/// An audit record with the number as its minute and its id.
pub(crate) fn record(number: u32, own: Value) -> Value {
    let mut record = json!({
        "CreationTime": format!("2026-05-04T08:{number:02}:00"),
        "Id": format!("5a000000-0000-4000-8000-{number:012}"),
        "OrganizationId": "5b000000-0000-4000-8000-000000000001",
        "UserType": 0,
        "UserKey": "ada@contoso.com",
        "UserId": "ada@contoso.com",
        "Version": 1,
    });
    merge(&mut record, own);
    record
}

fn merge(into: &mut Value, own: Value) {
    if let (Value::Object(into), Value::Object(own)) = (into, own) {
        into.extend(own);
    }
}

/// An alert as the audit log has it.
pub(crate) fn alert(number: u32, name: &str) -> Value {
    record(
        number,
        json!({
            "Operation": "AlertTriggered", "RecordType": 40, "ResultStatus": "Succeeded", "Workload": "SecurityComplianceCenter",
            "UserId": "SecurityComplianceAlerts", "UserKey": "SecurityComplianceAlerts", "UserType": 4, "Name": name,
            "AlertId": "5c000000-0000-4000-8000-000000000001", "AlertType": "System", "Category": "ThreatManagement", "Severity": "Medium",
            "PolicyId": "5d000000-0000-4000-8000-000000000001", "Source": "Cloud App Security", "Status": "Active", "Comments": "New alert",
            "Data": "{\"etype\":\"User\",\"eid\":\"ada@contoso.com\",\"sev\":\"Medium\"}",
        }),
    )
}

/// The alerts that public rules for Microsoft 365 are about.
pub(crate) const ALERTS: [&str; 13] = [
    "Activity from anonymous IP addresses",
    "Activity from infrequent country",
    "Activity from suspicious IP addresses",
    "Activity performed by terminated user",
    "Data exfiltration to unsanctioned apps",
    "Impossible travel activity",
    "Log on from a risky IP address",
    "Potential ransomware activity",
    "Suspicious OAuth app file download activities",
    "Suspicious inbox forwarding",
    "Unusual volume of file deletion",
    "User restricted from sending email",
    "eDiscovery search started or exported",
];

#[test]
fn an_alert_is_found_by_its_name() {
    let mut events: Vec<(&str, Value)> = ALERTS
        .iter()
        .zip(1..)
        .map(|(name, number)| (AUDIT, alert(number, name)))
        .collect();
    events.push((AUDIT, alert(20, "A rule of our own")));
    // Another record may be called like an alert.
    let own = json!({"Operation": "TabAdded", "RecordType": 25, "Workload": "MicrosoftTeams", "Name": ALERTS[0], "ResultStatus": "Succeeded"});
    events.push((AUDIT, record(21, own)));
    let session = session(&events, &[]);
    for name in ALERTS {
        let detection = format!(
            "pick:\n  eventSource: SecurityComplianceCenter\n  eventName: '{name}'\n  status: success\ncondition: pick"
        );
        let query = &queries(&rule("m365", "threat_management", &detection))[0];
        let answer = session.kql(&query.text, &kql::Options::default());
        let answer = answer.unwrap_or_else(|e| panic!("{}: {e}", query.text));
        assert_eq!(answer.rows.len(), 1, "{name}");
    }
}

#[test]
fn a_domain_is_federated_by_cmdlet() {
    let federate = |number, status: &str, operation: &str| {
        let own = json!({
            "Operation": operation, "RecordType": 1, "ResultStatus": status, "Workload": "Exchange",
            "Parameters": [{"Name": "DomainName", "Value": "mail.contoso.com"}],
        });
        (AUDIT, record(number, own))
    };
    let events = [
        federate(1, "True", "Add-FederatedDomain"),
        federate(2, "False", "Add-FederatedDomain"),
        federate(3, "True", "Set-MailboxPlan"),
    ];
    let by_source = "pick:\n  eventSource: Exchange\n  eventName: Add-FederatedDomain\n  status: success\ncondition: pick";
    assert_eq!(found(&rule("m365", "exchange", by_source), &events), 1);
    let by_words = "of_domain:\n  Operation|contains: domain\nof_change:\n  Operation|contains:\n    - add\n    - new\ncondition: all of of_*";
    assert_eq!(found(&rule("m365", "audit", by_words), &events), 2);
}

#[test]
fn an_export_of_a_search_is_found_in_the_whole_record() {
    let action = |number, parameters: &str| {
        let own = json!({
            "Operation": "New-ComplianceSearchAction", "RecordType": 18, "Workload": "SecurityComplianceCenter", "ObjectId": "Case 7",
            "Parameters": parameters, "CmdletVersion": "5.1", "ResultStatus": "Succeeded",
        });
        (AUDIT, record(number, own))
    };
    let events = [
        action(
            1,
            "-SearchName \"Case 7\" -Export \"True\" -ExchangeArchiveFormat \"PerUserPst\"",
        ),
        action(
            2,
            "-SearchName \"Case 7\" -Purge \"True\" -PurgeType \"SoftDelete\"",
        ),
    ];
    let detection = "pick:\n  eventSource: SecurityComplianceCenter\n  Payload|contains|all:\n    - New-ComplianceSearchAction\n    - Export\n    - pst\ncondition: pick";
    assert_eq!(
        found(&rule("m365", "threat_management", detection), &events),
        1
    );
}

#[test]
fn a_sign_in_around_conditional_access_is_found_by_a_further_fact_of_the_record() {
    let sign_in = |number, request: &str, object: &str| {
        let own = json!({
            "Operation": "UserLoggedIn", "RecordType": 15, "ResultStatus": "Success", "Workload": "AzureActiveDirectory", "ObjectId": object,
            "ApplicationId": "9ba1a5c7-f17a-4de9-a1f1-6178c8d51223", "ClientIP": "192.0.2.4",
            "ExtendedProperties": [{"Name": "UserAgent", "Value": "okhttp"}, {"Name": "RequestType", "Value": request}],
        });
        (AUDIT, record(number, own))
    };
    let (tokens, enrolment) = (
        "00000002-0000-0000-c000-000000000000",
        "0000000a-0000-0000-c000-000000000000",
    );
    let events = [
        sign_in(1, "Cmsi:Cmsi", tokens),
        sign_in(2, "OAuth2:Token", tokens),
        sign_in(3, "Cmsi:Cmsi", enrolment),
    ];
    let detection = "pick:\n  Operation: UserLoggedIn\n  ApplicationId: 9ba1a5c7-f17a-4de9-a1f1-6178c8d51223\n  ResultStatus: Success\n  RequestType: 'Cmsi:Cmsi'\nfilter_main_enrolment:\n  ObjectId: 0000000a-0000-0000-c000-000000000000\ncondition: pick and not 1 of filter_main_*";
    assert_eq!(found(&rule("m365", "audit", detection), &events), 1);
}

#[test]
fn mail_and_authentication_are_found_as_logged() {
    let mail = |number, way: &str, action: &str| {
        let own = json!({
            "Operation": "TIMailData", "RecordType": 28, "Workload": "ThreatIntelligence", "UserId": "ThreatIntel", "UserType": 4,
            "Directionality": way, "DeliveryAction": action, "Verdict": "Phish", "P2Sender": "news@example.com", "Recipients": ["ada@contoso.com"],
        });
        (AUDIT, record(number, own))
    };
    let events = [
        mail(1, "Inbound", "Delivered"),
        mail(2, "Inbound", "Blocked"),
        mail(3, "Outbound", "Delivered"),
        (
            AUDIT,
            record(
                4,
                json!({"Operation": "Disable Strong Authentication.", "RecordType": 8, "Workload": "AzureActiveDirectory", "ResultStatus": "Success", "ObjectId": "bob@contoso.com"}),
            ),
        ),
        (
            AUDIT,
            record(
                5,
                json!({"Operation": "Update user.", "RecordType": 8, "Workload": "AzureActiveDirectory", "ResultStatus": "Success", "ObjectId": "bob@contoso.com"}),
            ),
        ),
    ];
    let delivered = "pick:\n  Workload: ThreatIntelligence\n  Operation: TIMailData\n  Directionality: Inbound\nfilter_main_blocked:\n  DeliveryAction: Blocked\ncondition: pick and not 1 of filter_main_*";
    assert_eq!(found(&rule("m365", "audit", delivered), &events), 1);
    let disabled = "pick:\n  Operation|contains: 'Disable Strong Authentication.'\ncondition: pick";
    assert_eq!(found(&rule("m365", "audit", disabled), &events), 1);
}

#[test]
fn inbox_rules_are_found_by_their_parameters() {
    let inbox = |number, name: &str| {
        let own = json!({
            "Operation": "New-InboxRule", "RecordType": 1, "ResultStatus": "True", "Workload": "Exchange",
            "Parameters": [{"Name": "Name", "Value": "."}, {"Name": name, "Value": "out@example.com"}],
        });
        (AUDIT, record(number, own))
    };
    let events = [inbox(1, "ForwardTo"), inbox(2, "From")];
    let detection = "by_cmdlet:\n  Operation:\n    - New-InboxRule\n    - Set-InboxRule\n  Parameters|contains:\n    - ForwardTo\n    - RedirectTo\nby_outlook:\n  Operation|contains: UpdateInboxRules\n  OperationProperties|contains: Forward\ncondition: 1 of by_*";
    assert_eq!(found(&rule("m365", "audit", detection), &events), 1);
}

/// A change in Entra, with one changed property.
fn change(
    number: u32,
    operation: &str,
    property: &str,
    old: &Value,
    new: &str,
) -> (&'static str, Value) {
    let record = json!({
        "TimeGenerated": format!("2026-05-04T09:{number:02}:00Z"), "Id": format!("Directory_{number}"), "OperationName": operation,
        "ActivityDisplayName": operation, "Category": "UserManagement", "LoggedByService": "Core Directory", "Result": "success",
        "InitiatedBy": {"user": {"userPrincipalName": "judy@contoso.com", "ipAddress": "192.0.2.9"}},
        "TargetResources": [{"type": "User", "userPrincipalName": "bob@contoso.com",
            "modifiedProperties": [{"displayName": property, "oldValue": old, "newValue": new}]}],
    });
    ("AuditLogs", record)
}

#[test]
fn what_changed_in_entra_is_found_inside_its_json() {
    let events = [
        change(
            1,
            "Update user",
            "UserType",
            &json!("[\"Guest\"]"),
            "[\"Member\"]",
        ),
        change(
            2,
            "Update user",
            "UserType",
            &json!("[\"Member\"]"),
            "[\"Guest\"]",
        ),
        change(
            3,
            "Update user",
            "StrongAuthenticationRequirement",
            &json!("[]"),
            "[{\"RelyingParty\":\"*\",\"State\":0}]",
        ),
        change(
            4,
            "Consent to application",
            "ConsentContext.IsAdminConsent",
            &Value::Null,
            "\"False\"",
        ),
        change(
            5,
            "Consent to application",
            "ConsentContext.IsAdminConsent",
            &Value::Null,
            "\"True\"",
        ),
        change(
            6,
            "Update application – Certificates and secrets management ",
            "KeyDescription",
            &json!("[]"),
            "[]",
        ),
    ];
    let find = |detection: &str| found(&rule("azure", "auditlogs", detection), &events);
    let guest = r#"pick:
  OperationName: Update user
  properties.message: '"displayName":"UserType","oldValue":"[\"Guest\"]","newValue":"[\"Member\"]"'
condition: pick"#;
    assert_eq!(find(guest), 1);
    let factors = r#"pick:
  TargetResources.ModifiedProperties.DisplayName: StrongAuthenticationRequirement
  TargetResources.ModifiedProperties.NewValue|contains: 'State":0'
condition: pick"#;
    assert_eq!(find(factors), 1);
    assert_eq!(
        find("pick:\n  ConsentContext.IsAdminConsent: 'false'\ncondition: pick"),
        1
    );
    assert_eq!(
        find(
            "pick:\n  properties.message: Update application – Certificates and secrets management\ncondition: pick"
        ),
        1
    );
    assert_eq!(
        find("pick:\n  Status: Sucess\n  targetResources.type: user\ncondition: pick"),
        6
    );
}

#[test]
fn placeholders_take_what_the_watchlist_has() {
    let events = [
        change(1, "Delete user", "IsDeleted", &json!("[false]"), "[true]"),
        change(2, "Add user", "IsDeleted", &json!("[true]"), "[false]"),
    ];
    let detection = "pick:\n  properties.message:\n    - Add user\n    - Delete user\napproved:\n  Initiatied.By|expand: '%Approved%'\npart:\n  properties.initiatedBy|contains|expand: '%Parts%'\ncondition: pick and not approved and not part";
    let rule = rule("azure", "auditlogs", detection);
    let find = |approved: &[&str], parts: &[&str]| {
        let lists = [("Approved", approved), ("Parts", parts)];
        rows(&rule, &events, &lists).rows.len()
    };
    assert_eq!(find(&["someone@contoso.com"], &["nobody"]), 2);
    assert_eq!(find(&["JUDY@contoso.com"], &["nobody"]), 0);
    assert_eq!(find(&["someone@contoso.com"], &["dy@con"]), 0);
    assert_eq!(find(&["someone@contoso.com"], &[]), 2);
}

/// A sign-in.
fn sign_in(number: u32, user: &str, result: &str, protocol: &str) -> (&'static str, Value) {
    let record = json!({
        "TimeGenerated": format!("2026-05-04T10:{number:02}:00Z"), "Id": format!("5e000000-0000-4000-8000-{number:012}"),
        "UserPrincipalName": user, "ResultType": result, "IPAddress": "192.0.2.20", "Category": "SignInLogs", "ClientAppUsed": "Other clients",
        "AuthenticationProtocol": protocol, "NetworkLocationDetails": "[]", "DeviceDetail": {"deviceId": "", "isCompliant": false},
    });
    ("SigninLogs", record)
}

#[test]
fn sign_ins_are_found_by_the_words_that_rules_have_for_them() {
    let events = [
        sign_in(1, "ada@contoso.com", "0", "deviceCode"),
        sign_in(2, "bob@contoso.com", "50053", "none"),
    ];
    let find = |detection: &str| found(&rule("azure", "signinlogs", detection), &events);
    assert_eq!(
        find("pick:\n  properties.message: Device Code\ncondition: pick"),
        1
    );
    assert_eq!(
        find("pick:\n  ResultType: 50053\n  Status: Failure\ncondition: pick"),
        1
    );
    assert_eq!(
        find(
            "pick:\n  ActivityDetails: Sign-ins\n  ClientApp:\n    - IMAP\n    - Other client\ncondition: pick"
        ),
        2
    );
    assert_eq!(
        find(
            "pick:\n  DeviceDetail.deviceId: ''\n  DeviceDetail.isCompliant: 'false'\n  NetworkLocationDetails: '[]'\ncondition: pick"
        ),
        2
    );
    assert_eq!(
        find(
            "pick:\n  callerIpAddress|cidr: 192.0.2.16/28\nfilter:\n  Username|startswith: bob\ncondition: pick and not filter"
        ),
        1
    );
    assert_eq!(find("words:\n  - DEVICECODE\ncondition: words"), 1);
}

/// Failed and good sign-ins, and a correlation of them.
fn correlation(of: &str) -> String {
    format!(
        "title: C\nid: c\ncorrelation:\n  {}\n---\n{}\n---\n{}",
        of.replace('\n', "\n  "),
        rule(
            "azure",
            "signinlogs",
            "pick:\n  ResultType: 50126\ncondition: pick"
        )
        .replace("id: test", "id: 1\nname: failed"),
        rule(
            "azure",
            "signinlogs",
            "pick:\n  ResultType: 0\ncondition: pick"
        )
        .replace("id: test", "id: 2\nname: good"),
    )
}

/// The rows of a correlation: each the minutes of its first and last event, the group, and the count.
fn spans(of: &str, events: &[(&str, Value)]) -> Vec<String> {
    let text = correlation(of);
    let session = session(events, &[]);
    let one = queries(&text).remove(0);
    let query = format!(
        "{}\n| project Shown = strcat(format_datetime(TimeGenerated, 'mm'), '-', format_datetime(EndTime, 'mm'), ' ', who, ' ', Count)\n| sort by Shown asc",
        one.text
    );
    let answer = session.kql(&query, &kql::Options::default());
    let answer = answer.unwrap_or_else(|e| panic!("{query}: {e}"));
    let text = |row: &Vec<Kusto>| match &row[0] {
        Kusto::String(text) => text.to_string(),
        other => panic!("{other:?} is no text"),
    };
    answer.rows.iter().map(text).collect()
}

const WHO: &str =
    "group-by: [who]\ntimespan: 5m\naliases:\n  who: {failed: UserPrincipalName, good: Username}";

#[test]
fn events_are_counted_in_windows_that_slide() {
    let fail = |minute, user: &str| sign_in(minute, user, "50126", "none");
    // Three of Ada's lie within five minutes, across a bound of the clock; of Bob's and in minutes 20 to 30 only two do.
    let events = [
        fail(3, "ada@contoso.com"),
        fail(6, "Ada@contoso.com"),
        fail(8, "ada@contoso.com"),
        fail(10, "ada@contoso.com"),
        fail(20, "ada@contoso.com"),
        fail(25, "ada@contoso.com"),
        fail(30, "ada@contoso.com"),
        fail(4, "bob@contoso.com"),
        fail(5, "bob@contoso.com"),
    ];
    let of = |condition: &str| {
        let of = format!("type: event_count\nrules: [failed]\n{WHO}\ncondition: {{{condition}}}");
        spans(&of, &events)
    };
    assert_eq!(of("gte: 3"), ["03-10 ada@contoso.com 4"]);
    assert_eq!(of("gt: 1").len(), 3);
    // These windows lie side by side: from minute 5 to minute 10 it is two of Ada's.
    assert_eq!(of("eq: 2"), ["06-08 ada@contoso.com 2"]);
}

#[test]
fn rules_are_found_together_and_in_order() {
    let events = [
        sign_in(1, "ada@contoso.com", "50126", "none"),
        sign_in(4, "ada@contoso.com", "0", "none"),
        sign_in(10, "bob@contoso.com", "0", "none"),
        sign_in(12, "bob@contoso.com", "50126", "none"),
        sign_in(20, "eve@contoso.com", "50126", "none"),
        sign_in(30, "eve@contoso.com", "0", "none"),
    ];
    let of = |kind: &str| {
        spans(
            &format!("type: {kind}\nrules: [failed, good]\n{WHO}"),
            &events,
        )
    };
    assert_eq!(
        of("temporal"),
        ["01-04 ada@contoso.com 2", "10-12 bob@contoso.com 2"]
    );
    assert_eq!(of("temporal_ordered"), ["01-04 ada@contoso.com 1"]);
}

#[test]
fn values_are_counted_once() {
    let fail = |minute, user: &str| sign_in(minute, user, "50126", "none");
    let events = [
        fail(1, "ada@contoso.com"),
        fail(2, "ada@contoso.com"),
        fail(4, "bob@contoso.com"),
        fail(6, "eve@contoso.com"),
        fail(20, "ada@contoso.com"),
        fail(21, "bob@contoso.com"),
    ];
    let of = "type: value_count\nrules: [failed]\ngroup-by: [who]\ntimespan: 5m\naliases:\n  who: {failed: IPAddress}\ncondition:\n  field: UserPrincipalName\n  gte: 3";
    assert_eq!(spans(of, &events), ["01-06 192.0.2.20 3"]);
}

#[test]
fn what_was_found_leads_back_to_its_records() {
    let events = [
        sign_in(1, "ada@contoso.com", "50126", "none"),
        sign_in(2, "bob@contoso.com", "0", "none"),
        sign_in(4, "ada@contoso.com", "0", "none"),
    ];
    let session = session(&events, &[]);
    let sources = |text: &str, column: &str| {
        let query = format!("{text}\n| project Shown = tostring({column})");
        let answer = session.kql(&query, &kql::Options::default());
        let answer = answer.unwrap_or_else(|e| panic!("{query}: {e}"));
        let shown = |row: &Vec<Kusto>| match &row[0] {
            Kusto::String(text) => text.to_string(),
            other => panic!("{other:?} is no text"),
        };
        answer.rows.iter().map(shown).collect::<Vec<String>>()
    };
    let single = rule(
        "azure",
        "signinlogs",
        "pick:\n  ResultType: 50126\ncondition: pick",
    );
    let single = queries(&single).remove(0);
    assert_eq!(sources(&single.traced, "_Source").len(), 1);
    let both = correlation(&format!("type: temporal\nrules: [failed, good]\n{WHO}"));
    let both = queries(&both).remove(0);
    let listed = sources(&both.traced, "array_length(_Sources)");
    assert_eq!(listed, ["2"]);
}

/// The folder of SigmaHQ's rules, where there is one.
pub(crate) fn published() -> Option<PathBuf> {
    match std::env::var_os("COLDTRAIL_SIGMA_RULES") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => shared("sigma"),
    }
}

#[test]
fn public_rules_load_and_plan() {
    let Some(folder) = published() else {
        return;
    };
    let mut collection = Collection::default();
    for entry in walkdir::WalkDir::new(&folder).sort_by_file_name() {
        let entry = entry.expect("it can be read");
        let cloud = ["/cloud/m365/", "/cloud/azure/"];
        let path = entry.path().to_string_lossy().replace('\\', "/");
        if path.ends_with(".yml") && cloud.iter().any(|part| path.contains(part)) {
            let text = std::fs::read_to_string(entry.path()).expect("text");
            let name = entry.path().display().to_string();
            collection
                .add(&name, &text)
                .unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
    let session = session(&[], &[]);
    let (mut all, mut failed) = (0, Vec::new());
    for converted in collection.convert() {
        all += 1;
        let why = match converted.query {
            Err(refusal) => refusal.to_string(),
            Ok(query) => match session
                .kql_check(&query.text, &kql::Options::default())
                .verdict
            {
                kql::Verdict::Refused(faults) => format!("{faults:?}\n{}", query.text),
                _ => continue,
            },
        };
        failed.push(format!("{}: {why}", converted.about.source));
    }
    assert!(
        all > 100 && failed.len() * 20 <= all,
        "{} of {all}:\n{}",
        failed.len(),
        failed.join("\n")
    );
}
