//! Records in guises that tools and people give them: in objects in objects, in texts in texts, in other interfaces' words; and failures.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::command_line::run;
use crate::{ask, number};

mod failures;

/// An archive of files of these names and contents, read in one go.
struct Read {
    folder: tempfile::TempDir,
    archive: PathBuf,
    code: Option<i32>,
    said: String,
}

fn read(files: &[(&str, &str)]) -> Read {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let exports = folder.path().join("exports");
    std::fs::create_dir_all(&exports).expect("a folder");
    for (name, content) in files {
        std::fs::write(exports.join(name), content).expect("a file");
    }
    let out = run(&[
        "ingest",
        &exports.to_string_lossy(),
        "-a",
        &archive.to_string_lossy(),
    ]);
    let said = [out.stdout, out.stderr].concat();
    Read {
        folder,
        archive,
        code: out.status.code(),
        said: String::from_utf8_lossy(&said).into_owned(),
    }
}

impl Read {
    fn ask(&self, query: &str) -> Vec<String> {
        ask(&self.archive, query)
    }

    /// The audit records: id and time.
    fn audit(&self) -> Vec<String> {
        self.ask("SELECT Id, TimeGenerated FROM UnifiedAuditLog ORDER BY Id")
    }

    fn rows(&self, table: &str) -> u64 {
        number(&self.archive, &format!("SELECT count(*) FROM \"{table}\""))
    }
}

/// An audit record with this number in its id.
fn record(n: u32) -> Value {
    json!({
        "CreationTime": format!("2026-05-06T11:10:{n:02}"), "Id": format!("a1b2c3d4-0000-4000-8000-{n:012}"),
        "Operation": "FileSensitivityLabelRemoved", "RecordType": 6, "UserType": 0, "Workload": "SharePoint",
        "UserId": "ada@contoso.com", "ObjectId": "plan.docx"
    })
}

fn line(n: u32) -> String {
    format!("a1b2c3d4-0000-4000-8000-{n:012}|2026-05-06T11:10:{n:02}Z")
}

/// A sign-in as Graph gives it.
fn sign_in(n: u32) -> Value {
    json!({
        "id": format!("5e5e5e5e-0000-4000-8000-{n:012}"), "createdDateTime": format!("2026-05-08T06:31:{n:02}Z"),
        "userDisplayName": "Ada", "userPrincipalName": "ada@contoso.com", "userId": "u1", "appId": "a1",
        "appDisplayName": "Exchange", "ipAddress": "192.0.2.44", "clientAppUsed": "Browser",
        "conditionalAccessStatus": "success", "isInteractive": true, "resourceDisplayName": "Graph",
        "status": {"errorCode": 50126, "failureReason": "Invalid."},
        "location": {"city": "Bern", "state": null, "countryOrRegion": "CH", "geoCoordinates": {"altitude": null}}
    })
}

/// A message of an event hub with sign-ins of Azure Monitor.
fn hub(numbers: &[u32]) -> Value {
    let record = |n: &u32| {
        json!({
            "time": "2026-05-08T06:45:00.1Z", "category": "SignInLogs", "operationName": "Sign-in activity",
            "resultType": "50126", "tenantId": "t", "properties": sign_in(*n)
        })
    };
    json!({"records": numbers.iter().map(record).collect::<Vec<_>>()})
}

/// A value as a text of JSON.
fn text(of: &Value) -> Value {
    Value::String(of.to_string())
}

/// A cell of a CSV.
fn cell(of: &str) -> String {
    format!("\"{}\"", of.replace('"', "\"\""))
}

#[test]
fn an_audit_record_is_found_in_whatever_holds_it() {
    let (one, two) = (record(1), record(2));
    let both = json!([one, two]);
    let hit = |n: u32, source: Value| json!({"_index": "i", "_id": n, "_source": source});
    let lines = |of: [Value; 2]| format!("{}\n{}\n", of[0], of[1]);
    let kibana = |n: u32| {
        let record = record(n);
        let cells: Vec<String> = ["CreationTime", "Id", "Operation", "RecordType", "UserId"]
            .iter()
            .map(|key| cell(record[key].as_str().unwrap_or("6")))
            .collect();
        format!("\"May 8, 2026 @ 00:00:00.000\",x,{}\n", cells.join(","))
    };
    let cases = [
        (
            "an original that is a list",
            json!({"@timestamp": "2026-05-08T00:00:00Z", "event": {"original": text(&both)}})
                .to_string(),
        ),
        (
            "a search of Splunk over hits of Elasticsearch",
            lines([&one, &two].map(|of| {
                let hit = hit(1, json!({"event": {"original": text(of)}}));
                json!({"result": {"_raw": text(&hit), "_time": "2026-05-08"}})
            })),
        ),
        ("a shipper's list", json!({"message": text(&both)}).to_string()),
        (
            "syslog in Splunk",
            lines([&one, &two].map(|of| {
                json!({"result": {"_raw": format!("May  8 11:00:00 host o365: {of}")}})
            })),
        ),
        (
            "QRadar",
            json!({"events": [
                {"starttime": 1_778_000_000_000_u64, "payload": text(&one)},
                {"starttime": 1_778_000_000_000_u64, "utf8_payload": text(&two)}
            ]})
            .to_string(),
        ),
        (
            "Graylog",
            json!({"messages": [
                {"message": {"_id": "1", "timestamp": "2026-05-08T00:00:00Z", "message": text(&one)}, "index": "g"},
                {"message": {"_id": "2", "timestamp": "2026-05-08T00:00:00Z", "message": text(&two)}, "index": "g"}
            ], "total_results": 2})
            .to_string(),
        ),
        (
            "Sumo Logic",
            json!({"messages": [{"map": {"_raw": text(&one)}}, {"map": {"_raw": text(&two)}}]})
                .to_string(),
        ),
        (
            "Datadog",
            json!({"data": [
                {"id": "A", "type": "log", "attributes": {"service": "o365", "attributes": one}},
                {"id": "B", "type": "log", "attributes": {"service": "o365", "attributes": two}}
            ]})
            .to_string(),
        ),
        (
            "Chronicle, in base64",
            json!({"matches": [
                {"rawLog": STANDARD.encode(one.to_string())}, {"rawLog": STANDARD.encode(two.to_string())}
            ]})
            .to_string(),
        ),
        (
            "Wazuh's full log",
            lines([&one, &two].map(|of| {
                let full = json!({"integration": "office365", "office365": of});
                json!({"timestamp": "2026-05-08T05:00:31.102+0000", "full_log": text(&full)})
            })),
        ),
        ("texts, one a line", lines([&one, &two].map(text))),
        ("a list of texts", json!([text(&one), text(&two)]).to_string()),
        ("one text of a list", text(&both).to_string()),
        ("a text of a text", text(&text(&both)).to_string()),
        (
            "AuditData of AuditData",
            json!([
                {"RecordType": 6, "AuditData": text(&json!({"AuditData": text(&one)}))},
                {"RecordType": 6, "AuditData": text(&text(&two))}
            ])
            .to_string(),
        ),
        (
            "a cell of AuditData in quotes once more",
            format!(
                "CreationDate,AuditData\n2026-05-08,{}\n2026-05-08,{}\n",
                cell(&text(&one).to_string()),
                cell(&json!({"AuditData": text(&two)}).to_string())
            ),
        ),
        (
            "a payload in a CSV",
            format!(
                "starttime,sourceip,payload\n1,192.0.2.1,{}\n2,192.0.2.1,{}\n",
                cell(&one.to_string()),
                cell(&two.to_string())
            ),
        ),
        (
            "any column of a CSV",
            format!(
                "When,Who,Details\nx,ada,{}\ny,ada,{}\n",
                cell(&one.to_string()),
                cell(&two.to_string())
            ),
        ),
        (
            "columns of Kibana",
            format!(
                "@timestamp,_id,o365.audit.CreationTime,o365.audit.Id,o365.audit.Operation,o365.audit.RecordType,o365.audit.UserId\n{}{}",
                kibana(1),
                kibana(2)
            ),
        ),
    ];
    for (what, content) in &cases {
        let read = read(&[("export.json", content)]);
        assert_eq!(read.audit(), [line(1), line(2)], "{what}: {}", read.said);
        assert_eq!(read.code, Some(0), "{what}: {}", read.said);
        assert_eq!(read.rows("OtherRecords"), 0, "{what}");
    }
}

#[test]
fn messages_of_an_event_hub_are_their_rows_wherever_they_are_kept() {
    let hub = hub(&[1, 2]);
    let body = |body: Value| {
        json!({"SequenceNumber": 1, "EnqueuedTimeUtc": "5/8/2026 7:00:00 AM", "Properties": {}, "Body": body})
            .to_string()
    };
    let hit = |key: &str, value: Value| {
        json!({"_index": "i", "_source": {"@timestamp": "2026-05-08T09:00:00Z", key: value}})
            .to_string()
    };
    for content in [
        body(text(&hub)),
        body(hub.clone()),
        body(Value::String(STANDARD.encode(hub.to_string()))),
        hit("message", text(&hub)),
        hit("event", json!({"original": text(&hub)})),
        json!({"result": {"_raw": text(&json!({"value": [sign_in(1), sign_in(2)]}))}}).to_string(),
    ] {
        let read = read(&[("capture.json", &content)]);
        assert_eq!(
            read.ask("SELECT TimeGenerated, ResultType, Location, UserPrincipalName FROM SigninLogs ORDER BY 1"),
            [
                "2026-05-08T06:31:01Z|50126|CH|ada@contoso.com",
                "2026-05-08T06:31:02Z|50126|CH|ada@contoso.com"
            ],
            "{content}: {}",
            read.said
        );
        assert_eq!(read.rows("OtherRecords"), 0, "{content}");
    }
}

#[test]
fn what_is_around_a_record_is_kept_however_deep_it_is() {
    let inner = json!({"host": "shipper", "message": text(&record(1))});
    let content =
        json!({"_index": "i", "_source": {"event": {"original": text(&inner)}, "tags": ["a"]}});
    let read = read(&[("a.json", &content.to_string())]);
    assert_eq!(read.audit(), [line(1)], "{}", read.said);
    let extra = read
        .ask("SELECT ExtraColumns FROM UnifiedAuditLog")
        .concat();
    for part in [
        "\"_index\":\"i\"",
        "\"_source.tags\":[\"a\"]",
        "\"_source.event.original.host\":\"shipper\"",
    ] {
        assert!(extra.contains(part), "{part}: {extra}");
    }
}

#[test]
fn objects_that_hold_no_record_stay_whole() {
    let lines = [
        json!({"@timestamp": "2026-05-08T00:00:00Z", "message": "user did {\"x\":1}"}),
        json!({"@timestamp": "2026-05-08T00:00:01Z", "message": text(&record(1))}),
        json!({"@timestamp": "2026-05-08T00:00:02Z", "events": [{"a": 1}, {"b": 2}]}),
    ];
    let content = lines.map(|line| line.to_string()).join("\n");
    let read = read(&[("mixed.jsonl", &content)]);
    assert_eq!(read.audit(), [line(1)], "{}", read.said);
    let others = read.ask("SELECT ExtraColumns FROM OtherRecords ORDER BY TimeGenerated");
    assert_eq!(others.len(), 2, "{others:?}");
    assert!(others[0].contains("user did"), "{others:?}");
    assert!(others[1].contains("[{\"a\":1},{\"b\":2}]"), "{others:?}");
    let read = self::read(&[(
        "google.json",
        r#"{"time":"2026-05-08T00:00:00Z","actor":"a","events":[{"kind":"x"}]}"#,
    )]);
    assert_eq!(read.rows("OtherRecords"), 1);
}

#[test]
fn rows_of_a_csv_go_to_the_table_of_their_kind() {
    let header = "id,createdDateTime,userPrincipalName,userId,appDisplayName,appId,ipAddress,clientAppUsed,servicePrincipalId,isInteractive,signInEventTypes,status";
    let status = cell(r#"{"errorCode":0}"#);
    let row = |n: u32, user: &str, principal: &str, interactive: &str, kind: &str| {
        format!(
            "x{n},2026-05-08T06:31:{n:02}Z,{user},{user},Exchange,a1,192.0.2.44,Browser,{principal},{interactive},{},{status}\n",
            cell(kind)
        )
    };
    let csv = [
        format!("{header}\n"),
        row(1, "ada@contoso.com", "", "True", "[\"interactiveUser\"]"),
        row(
            2,
            "ada@contoso.com",
            "",
            "False",
            "[\"nonInteractiveUser\"]",
        ),
        row(3, "", "s1", "", "[\"servicePrincipal\"]"),
        row(4, "", "s2", "", "[\"managedIdentity\"]"),
        // What Export-Csv makes of a list.
        row(5, "ada@contoso.com", "", "False", "System.String[]"),
    ]
    .concat();
    let read = read(&[("SignInLogs.csv", &csv)]);
    for (table, want) in [
        ("SigninLogs", 1),
        ("AADNonInteractiveUserSignInLogs", 2),
        ("AADServicePrincipalSignInLogs", 1),
        ("AADManagedIdentitySignInLogs", 1),
    ] {
        assert_eq!(read.rows(table), want, "{table}: {}", read.said);
    }
    assert_eq!(
        read.ask("SELECT TimeGenerated, ResultType, Type FROM AADManagedIdentitySignInLogs"),
        ["2026-05-08T06:31:04Z|0|AADManagedIdentitySignInLogs"]
    );
}

#[test]
fn logs_of_the_exchange_cmdlets_are_audit_records() {
    let admin = json!([{
        "ObjectModified": "ada@contoso.com", "CmdletName": "Set-Mailbox", "CmdletParameters": [{"Name": "AuditEnabled", "Value": "False"}],
        "ModifiedProperties": [], "Caller": "adm@contoso.com", "Succeeded": true, "Error": "", "RunDate": "2026-05-08T05:05:05",
        "OriginatingServer": "X", "Identity": "AAMk", "IsValid": true
    }]);
    let mailbox = "Operation,OperationResult,LogonType,MailboxGuid,MailboxOwnerUPN,LogonUserDisplayName,LastAccessed,Identity\n\
SoftDelete,Succeeded,Delegate,6b,ada@contoso.com,Bob,5/18/2026 5:05:05 AM,RgAA\n";
    let read = read(&[
        ("AdminAuditLog.json", &admin.to_string()),
        ("MailboxAudit.csv", mailbox),
    ]);
    assert_eq!(
        read.ask(
            "SELECT TimeGenerated, Operation, UserId, ObjectId FROM UnifiedAuditLog ORDER BY 1"
        ),
        [
            "2026-05-08T05:05:05Z|Set-Mailbox|adm@contoso.com|ada@contoso.com",
            "2026-05-18T05:05:05Z|SoftDelete|Bob|"
        ],
        "{}",
        read.said
    );
}

#[test]
fn incidents_and_alerts_of_other_interfaces_are_those_of_sentinel() {
    let incidents = json!({"value": [{
        "id": "/subscriptions/x/providers/Microsoft.SecurityInsights/Incidents/73e01a99", "name": "73e01a99",
        "etag": "e", "type": "Microsoft.SecurityInsights/incidents",
        "properties": {"lastModifiedTimeUtc": "2026-05-08T13:15:30Z", "createdTimeUtc": "2026-05-08T13:00:30Z", "title": "Odd",
            "severity": "High", "status": "Closed", "incidentNumber": 3177, "owner": {"email": "a@contoso.com"}, "labels": []}
    }]});
    let alerts = json!({"@odata.context": "x", "value": [{
        "id": "da1", "incidentId": 1, "severity": "Low", "status": "New", "category": "Impact", "title": "T", "description": "D",
        "detectionSource": "WindowsDefenderAtp", "alertCreationTime": "2026-05-08T10:03:20Z",
        "firstEventTime": "2026-05-08T10:00:00Z", "lastEventTime": "2026-05-08T10:01:00Z", "evidence": []
    }]});
    let read = read(&[
        ("incidents.json", &incidents.to_string()),
        ("alerts.json", &alerts.to_string()),
    ]);
    assert_eq!(
        read.ask("SELECT TimeGenerated, IncidentName, IncidentNumber, Title, Status, Owner->>'email' FROM SecurityIncident"),
        ["2026-05-08T13:15:30Z|73e01a99|3177|Odd|Closed|a@contoso.com"],
        "{}",
        read.said
    );
    assert_eq!(
        read.ask("SELECT TimeGenerated, SystemAlertId, DisplayName, AlertSeverity, EndTime FROM SecurityAlert"),
        ["2026-05-08T10:03:20Z|da1|T|Low|2026-05-08T10:01:00Z"],
        "{}",
        read.said
    );
}

#[test]
fn what_old_modules_and_provisioning_write_is_read() {
    let class =
        "class TargetResource {\n  Id: t1\n  Type: User\n  UserPrincipalName: bob@contoso.com\n}\n";
    let audits = json!([{
        "Id": "Directory_1", "Category": "UserManagement", "CorrelationId": "c", "Result": "success",
        "ActivityDisplayName": "Add user", "ActivityDateTime": "2026-05-08T07:00:01Z", "LoggedByService": "Core Directory",
        "InitiatedBy": "class InitiatedBy {\n  User: class AuditUserIdentity {\n  Id: u1\n  UserPrincipalName: adm@contoso.com\n}\n\n  App: \n}\n",
        "TargetResources": [class], "AdditionalDetails": []
    }]);
    let provisioning = json!({"value": [{
        "id": "p1", "activityDateTime": "2026-05-08T03:00:01Z", "jobId": "j", "cycleId": "cy", "changeId": "ch",
        "provisioningAction": "create", "durationInMilliseconds": 12, "servicePrincipal": {"id": "s"},
        "sourceSystem": {"id": "a"}, "targetSystem": {"id": "b"}, "initiatedBy": {"initiatorType": "system"},
        "sourceIdentity": {"id": "i"}, "targetIdentity": {"id": "k"}, "provisioningStatusInfo": {"status": "failure"},
        "provisioningSteps": [], "modifiedProperties": []
    }]});
    let read = read(&[
        ("Auditlogs.json", &audits.to_string()),
        ("provisioning.json", &provisioning.to_string()),
    ]);
    assert_eq!(
        read.ask("SELECT TimeGenerated, OperationName, InitiatedBy->'user'->>'userPrincipalName', TargetResources->0->>'userPrincipalName' FROM AuditLogs"),
        ["2026-05-08T07:00:01Z|Add user|adm@contoso.com|bob@contoso.com"],
        "{}",
        read.said
    );
    assert_eq!(
        read.ask("SELECT TimeGenerated, ResultType, OperationName, DurationMs, JobId FROM AADProvisioningLogs"),
        ["2026-05-08T03:00:01Z|Failure|Provisioning activity|12|j"],
        "{}",
        read.said
    );
}

#[test]
fn the_activity_log_of_azure_is_asked_by_its_name_as_a_csv_too() {
    let csv = "Caller,Category,CorrelationId,EventDataId,EventTimestamp,Level,OperationName,ResourceGroupName,Status,SubscriptionId\n\
adm@contoso.com,Administrative,c,e1,5/18/2026 5:05:05 AM,Informational,Delete VM,rg1,Succeeded,s\n";
    let read = read(&[("activity.csv", csv)]);
    assert_eq!(
        read.ask("SELECT TimeGenerated, ExtraColumns->>'Type', ExtraColumns->>'Caller', ExtraColumns->>'ResourceGroup' FROM OtherRecords"),
        ["2026-05-18T05:05:05Z|AzureActivity|adm@contoso.com|rg1"],
        "{}",
        read.said
    );
}

#[test]
fn the_portal_s_lists_of_risks_are_in_graph_s_words() {
    let users = "User,Username,Risk state,Risk level,Risk detail,Risk last updated,Status,Type\n\
Ada,ada@contoso.com,At risk,High,-,2026-05-08T06:40:00Z,Active,Member\n";
    let read = read(&[("RiskyUsers.csv", users)]);
    assert_eq!(
        read.ask("SELECT TimeGenerated, UserPrincipalName, RiskState, RiskLevel, Type, ExtraColumns->>'Type' FROM AADRiskyUsers"),
        ["2026-05-08T06:40:00Z|ada@contoso.com|atRisk|high|AADRiskyUsers|Member"],
        "{}",
        read.said
    );
}

#[test]
fn an_audit_record_under_any_key_is_the_event_at_its_own_time() {
    let record = record(1);
    for (name, object) in [
        (
            "gcp",
            format!(
                r#"{{"insertId":"a","timestamp":"2026-05-31T00:00:00Z","jsonPayload":{record}}}"#
            ),
        ),
        (
            "own",
            format!(
                r#"{{"timestamp":"2026-05-31T00:00:00Z","source":"x","auditRecord":{record}}}"#
            ),
        ),
    ] {
        let read = read(&[(&format!("{name}.jsonl"), &format!("{object}\n"))]);
        assert_eq!(read.audit(), [line(1)], "{name}: {}", read.said);
        assert_eq!(read.code, Some(0), "{name}: {}", read.said);
    }
}

#[test]
fn settings_and_scripts_of_a_collector_are_passed_over() {
    let read = read(&[
        ("a.jsonl", &format!("{}\n", record(1))),
        (
            "config.json",
            r#"{"tenantId":"t","clientId":"c","outputPath":"x"}"#,
        ),
        (
            "state.json",
            r#"{"lastRun":"2026-05-31T00:00:00Z","cursor":"c"}"#,
        ),
        ("config.yaml", "tenant: t\nclient: c\n"),
        ("run.ps1", "param(\n  $a\n)\nGet-Thing\n"),
    ]);
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(read.rows("UnifiedAuditLog"), 1, "{}", read.said);
}
