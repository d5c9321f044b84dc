//! Records inside objects of other tools, events in other spellings, and what is no event at all.

use std::path::PathBuf;

use crate::command_line::run;
use crate::{ask, number};

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
    for (name, content) in files {
        let file = exports.join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(&file, content).expect("a file");
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
    /// The audit records: id, time, operation.
    fn audit(&self) -> Vec<String> {
        ask(
            &self.archive,
            "SELECT Id, TimeGenerated, Operation FROM UnifiedAuditLog ORDER BY Id",
        )
    }

    fn rows(&self, table: &str) -> u64 {
        number(&self.archive, &format!("SELECT count(*) FROM \"{table}\""))
    }

    fn gaps(&self) -> String {
        let out = run(&["gaps", "-a", &self.archive.to_string_lossy(), "-f", "json"]);
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

/// An audit record with this number in its id.
fn record(n: u32) -> String {
    format!(
        r#"{{"CreationTime":"2026-05-06T11:10:{n:02}","Id":"a1b2c3d4-0000-4000-8000-{n:012}","Operation":"FileSensitivityLabelRemoved","RecordType":6,"UserType":0,"Workload":"SharePoint","UserId":"ada@contoso.com","ObjectId":"plan.docx"}}"#
    )
}

fn line(n: u32) -> String {
    format!("a1b2c3d4-0000-4000-8000-{n:012}|2026-05-06T11:10:{n:02}Z|FileSensitivityLabelRemoved")
}

/// A text as a string of JSON.
fn text(of: &str) -> String {
    serde_json::to_string(of).expect("a string is JSON")
}

#[test]
fn an_audit_record_is_the_event_whatever_it_is_wrapped_in() {
    let (one, two) = (record(1), record(2));
    let (raw_one, raw_two) = (text(&one), text(&two));
    let strings = one
        .replace("\"RecordType\":6", "\"RecordType\":\"6\"")
        .replace("\"UserType\":0", "\"UserType\":\"0\"");
    let flat = |n: u32| {
        record(n)
            .replace("{\"", "{\"o365.audit.")
            .replace(",\"", ",\"o365.audit.")
    };
    let cases = [
        (
            "Wazuh, values as strings",
            format!(
                r#"{{"timestamp":"2026-05-08T05:00:31.102+0000","rule":{{"level":3}},"id":"1","data":{{"integration":"office365","office365":{strings}}},"location":"office365"}}
{{"timestamp":"2026-05-08T05:00:32.102+0000","rule":{{"level":3}},"id":"2","data":{{"integration":"office365","office365":{two}}},"location":"office365"}}"#
            ),
        ),
        (
            "Power BI",
            format!(
                r#"{{"activityEventEntities":[{one},{two}],"continuationUri":"https://api.powerbi.com/x","lastResultSet":false}}"#
            ),
        ),
        (
            "a search of Elasticsearch",
            format!(
                r#"{{"took":1,"timed_out":false,"_shards":{{"total":1}},"hits":{{"total":{{"value":2}},"hits":[{{"_index":"i","_id":"1","_source":{{"@timestamp":"2026-05-08T00:00:00Z","event":{{"original":{raw_one}}}}}}},{{"_index":"i","_id":"2","_source":{{"@timestamp":"2026-05-08T00:00:00Z","event":{{"original":{raw_two}}}}}}}]}}}}"#
            ),
        ),
        (
            "hits of Elasticsearch without the original",
            format!(
                "{{\"_source\":{{\"@timestamp\":\"2026-05-08T00:00:00Z\",\"o365\":{{\"audit\":{one}}}}}}}\n{{\"_source\":{{\"o365\":{{\"audit\":{two}}}}}}}"
            ),
        ),
        (
            "Kibana's fields",
            format!("{{\"fields\":{}}}\n{{\"fields\":{}}}", flat(1), flat(2)),
        ),
        (
            "Splunk's export",
            format!(
                r#"{{"preview":false,"offset":0,"result":{{"_raw":{raw_one},"_time":"2026-05-08T11:10:58.000+00:00","host":"idx1"}}}}
{{"preview":false,"offset":1,"lastrow":true,"result":{{"_raw":{raw_two},"_time":"2026-05-08T11:10:58.000+00:00"}}}}"#
            ),
        ),
        (
            "Splunk's interface",
            format!(
                r#"{{"preview":false,"init_offset":0,"messages":[],"fields":[{{"name":"_raw"}}],"results":[{{"_raw":{raw_one}}},{{"_raw":{raw_two}}}],"highlighted":{{}}}}"#
            ),
        ),
        (
            "Splunk's collector",
            format!(
                "{{\"time\":1778000000,\"sourcetype\":\"o365\",\"event\":{one}}}\n{{\"time\":1778000000,\"event\":{raw_two}}}"
            ),
        ),
        (
            "Splunk's CSV",
            format!(
                "\"_raw\",\"_time\",host\n\"{}\",\"2026-05-08T11:10:58.000+0000\",idx1\n\"{}\",x,idx1\n",
                one.replace('"', "\"\""),
                two.replace('"', "\"\"")
            ),
        ),
        (
            "Defender for Cloud Apps",
            format!(
                r#"{{"total":2,"hasNext":false,"max":500,"data":[{{"_id":"1","timestamp":1779609661000,"eventTypeValue":"EVENT_X","rawDataJson":{one}}},{{"_id":"2","timestamp":1779609661000,"eventTypeValue":"EVENT_X","rawDataJson":{raw_two}}}],"moreThanTotal":false}}"#
            ),
        ),
        (
            "Graph's PowerShell",
            format!(
                r#"[{{"AdministrativeUnits":[""],"AuditData":{{"AdditionalProperties":{one}}},"AuditLogRecordType":"sharePointFileOperation","Id":"x"}},{{"AuditData":{{"AdditionalProperties":{two}}},"Id":"y"}}]"#
            ),
        ),
        (
            "Graph's Python",
            format!(
                r#"[{{"additional_data":{{}},"audit_data":{{"additional_data":{one},"odata_type":"x"}},"audit_log_record_type":"x","id":"x"}},{{"audit_data":{{"additional_data":{two}}}}}]"#
            ),
        ),
        (
            "lines of a log shipper",
            format!(
                "{{\"@timestamp\":\"2026-05-08T00:00:00Z\",\"host\":\"a\",\"message\":{raw_one}}}\n{{\"@timestamp\":\"2026-05-08T00:00:00Z\",\"message\":{raw_two}}}"
            ),
        ),
    ];
    for (name, content) in cases {
        let read = read(&[("export", &content)]);
        assert_eq!(read.audit(), [line(1), line(2)], "{name}: {}", read.said);
        assert_eq!(read.code, Some(0), "{name}: {}", read.said);
        assert_eq!(read.rows("OtherRecords"), 0, "{name}");
        assert_eq!(
            ask(
                &read.archive,
                "SELECT DISTINCT RecordType FROM UnifiedAuditLog"
            ),
            ["6"],
            "{name}"
        );
    }
}

#[test]
fn what_is_around_a_record_is_kept_and_does_not_make_it_another() {
    let plain = record(1);
    let wrapped = format!(
        r#"{{"timestamp":"2026-05-08T05:00:31.102+0000","rule":{{"level":3}},"data":{{"integration":"office365","office365":{plain}}}}}"#
    );
    let read = read(&[("a.json", &wrapped), ("b.json", &format!("{plain}\n"))]);
    assert_eq!(read.audit(), [line(1)], "{}", read.said);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT ExtraColumns->>'timestamp', ExtraColumns->'rule'->>'level', ExtraColumns LIKE '%\"data.integration\":\"office365\"%' FROM UnifiedAuditLog"
        ),
        ["2026-05-08T05:00:31.102+0000|3|true"]
    );
    assert_eq!(
        number(&read.archive, "SELECT sum(Duplicates) FROM Ingests"),
        1
    );
}

#[test]
fn an_object_that_holds_nothing_known_is_what_it_is_by_itself() {
    let content = format!(
        "{{\"result\":{{\"_raw\":{}}}}}\n{{\"result\":{{\"_raw\":\"<13>a line of syslog\"}}}}\n{}\n{{\"result\":{{\"_raw\":{}}}}}\n",
        text(&record(1)),
        record(2),
        // Splunk cuts long events.
        text(&record(3)[..150]),
    );
    let read = read(&[("export.json", &content)]);
    assert_eq!(read.audit(), [line(1), line(2)], "{}", read.said);
    assert_eq!(read.rows("OtherRecords"), 1);
    assert_eq!(read.code, Some(10));
    let reasons = ask(&read.archive, "SELECT Reason FROM Quarantine");
    assert!(
        reasons[0].starts_with("`result._raw`: JSON ends"),
        "{reasons:?}"
    );
}

#[test]
fn a_page_of_activity_explorer_is_its_rows() {
    let row = |n: u32| {
        format!(
            r#"{{"Activity":"LabelApplied","Happened":"2026-05-13T14:33:1{n}Z","RecordIdentity":"4becc03d-0000-4000-8000-{n:012}","User":"bob@contoso.com","Workload":"Endpoint","FilePath":"a.docx","FileExtension":"docx","Platform":"Windows"}}"#
        )
    };
    let page = format!(
        r#"{{"ResultData":{},"LastPage":true,"RecordCount":2,"TotalResultCount":2,"WaterMark":"x"}}"#,
        text(&format!("[{},{}]", row(1), row(2)))
    );
    let read = read(&[("page.json", &page)]);
    assert_eq!(read.rows("ActivityExplorer"), 2, "{}", read.said);
    assert_eq!(number(&read.archive, "SELECT sum(Records) FROM Ingests"), 2);
    assert_eq!(read.code, Some(0));
}

#[test]
fn incidents_and_alerts_of_graph_are_those_of_sentinel() {
    let alert = r##"{"id":"da1_1","providerAlertId":"a1_1","incidentId":"28282","status":"new","severity":"high","serviceSource":"microsoftDefenderForCloudApps","detectorId":"x","title":"Impossible travel","category":"InitialAccess","alertWebUrl":"https://security.microsoft.com/alerts/da1_1","incidentWebUrl":"https://security.microsoft.com/incidents/28282","mitreTechniques":["T1078"],"createdDateTime":"2026-05-18T10:00:00Z","lastUpdateDateTime":"2026-05-18T10:05:00Z","firstActivityDateTime":"2026-05-18T09:40:00Z","lastActivityDateTime":"2026-05-18T09:58:00Z","evidence":[{"@odata.type":"#microsoft.graph.security.userEvidence"}]}"##;
    let incident = format!(
        r#"{{"value":[{{"id":"28282","status":"active","incidentWebUrl":"https://security.microsoft.com/incidents/28282","displayName":"Impossible travel on one user","createdDateTime":"2026-05-18T10:00:10Z","lastUpdateDateTime":"2026-05-18T10:06:00Z","assignedTo":"soc@contoso.com","severity":"high","customTags":[],"alerts":[{alert}]}}]}}"#
    );
    let wazuh = format!(
        r#"{{"timestamp":"2026-05-20T00:00:00Z","data":{{"integration":"ms-graph","ms-graph":{}}}}}"#,
        alert.replace("da1_1", "da1_2")
    );
    let xdr = r#"{"value":[{"incidentId":924565,"incidentName":"Multi-stage incident","createdTime":"2026-05-19T10:00:00Z","lastUpdateTime":"2026-05-19T11:00:00Z","status":"Active","severity":"Medium","alerts":[{"alertId":"x1"}]}]}"#;
    let read = read(&[
        ("alerts_v2.json", &format!("{{\"value\":[{alert}]}}")),
        ("incidents.json", &incident),
        ("wazuh.json", &wazuh),
        ("xdr.json", xdr),
    ]);
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT SystemAlertId, TimeGenerated, AlertName, AlertSeverity, Status, Techniques, StartTime FROM SecurityAlert ORDER BY 1"
        ),
        [
            r#"da1_1|2026-05-18T10:00:00Z|Impossible travel|High|New|["T1078"]|2026-05-18T09:40:00Z"#,
            r#"da1_2|2026-05-18T10:00:00Z|Impossible travel|High|New|["T1078"]|2026-05-18T09:40:00Z"#,
        ]
    );
    assert_eq!(
        ask(
            &read.archive,
            "SELECT IncidentNumber, TimeGenerated, Title, Severity, CreatedTime, AlertIds, Owner->>'assignedTo' FROM SecurityIncident ORDER BY 1"
        ),
        [
            r#"28282|2026-05-18T10:06:00Z|Impossible travel on one user|High|2026-05-18T10:00:10Z|["da1_1"]|soc@contoso.com"#,
            r#"924565|2026-05-19T11:00:00Z|Multi-stage incident|Medium|2026-05-19T10:00:00Z|["x1"]|"#,
        ]
    );
}

#[test]
fn activities_without_the_raw_record_are_rows_of_cloud_app_events() {
    let page = r#"{"data":[{"_id":"97134000_15600_abc","timestamp":1779609661000,"eventTypeValue":"EVENT_AAD_LOGIN","eventTypeName":"EVENT_CATEGORY_LOGIN","appName":"Office 365","appId":11161,"user":{"userName":"ada@contoso.com"},"device":{"clientIP":"192.0.2.44","countryCode":"CH"},"location":{"city":"Bern"},"description":"Log on"}],"hasNext":false}"#;
    let read = read(&[("activities.json", page)]);
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT TimeGenerated, ReportId, ActionType, Application, ApplicationId, AccountDisplayName, IPAddress, CountryCode, City, \
             ExtraColumns->>'description' FROM stored.\"CloudAppEvents\""
        ),
        [
            "2026-05-24T08:01:01Z|97134000_15600_abc|EVENT_AAD_LOGIN|Office 365|11161|ada@contoso.com|192.0.2.44|CH|Bern|Log on"
        ]
    );
}

#[test]
fn lists_of_audit_records_without_audit_data_say_what_they_lack() {
    let graph = r#"{"value":[{"id":"a1b2c3d4-0000-4000-8000-000000000001","createdDateTime":"2026-05-06T11:10:01Z","auditLogRecordType":"sharePointFileOperation","operation":"FileSensitivityLabelRemoved","userPrincipalName":"ada@contoso.com","clientIp":"192.0.2.10","service":"SharePoint"}]}"#;
    let portal = "RecordId,CreationDate,RecordType,Operation,UserId\na1b2c3d4-0000-4000-8000-000000000002,2026-05-06T11:10:02.0000000Z,6,FileSensitivityLabelRemoved,ada@contoso.com\n";
    let read = read(&[("graph.json", graph), ("portal.csv", portal)]);
    assert_eq!(read.audit(), [line(1), line(2)], "{}", read.said);
    assert_eq!(
        ask(
            &read.archive,
            "SELECT DISTINCT RecordType, UserId FROM UnifiedAuditLog"
        ),
        ["6|ada@contoso.com"]
    );
    assert_eq!(
        read.said
            .matches("1 records came without AuditData")
            .count(),
        2,
        "{}",
        read.said
    );
}

#[test]
fn records_taken_apart_have_their_own_time() {
    let csv = "RecordId,CreationTime,RecordType,Operation,UserId,Workload,Message_Id,_ProcessedAtUtc\n\
        a1b2c3d4-0000-4000-8000-000000000001,2026-05-06T11:10:01,261,CopilotInteraction,ada@contoso.com,Copilot,m1,2026-06-24T01:00:00Z\n\
        a1b2c3d4-0000-4000-8000-000000000001,2026-05-06T11:10:01,261,CopilotInteraction,ada@contoso.com,Copilot,m2,2026-06-24T01:00:00Z\n";
    let mailbox = r#"[{"Operation":"SendAs","OperationResult":"Succeeded","LogonType":"Delegate","MailboxGuid":"77777777-0000-4000-8000-000000000001","MailboxOwnerUPN":"bob@contoso.com","LogonUserDisplayName":"Ada Example","LastAccessed":"2026-05-06T11:10:02","Identity":"AAMkAG1","ClientIPAddress":"192.0.2.10"}]"#;
    let read = read(&[("Purview_Exploded.csv", csv), ("mailbox.json", mailbox)]);
    assert_eq!(
        read.audit(),
        [
            "AAMkAG1|2026-05-06T11:10:02Z|SendAs",
            "a1b2c3d4-0000-4000-8000-000000000001|2026-05-06T11:10:01Z|CopilotInteraction"
        ],
        "{}",
        read.said
    );
    // The second message of one record.
    assert_eq!(
        number(&read.archive, "SELECT sum(Revisions) FROM Ingests"),
        1
    );
}

#[test]
fn the_activity_log_of_azure_has_its_time() {
    let row = r#"[{"Caller":"ada@contoso.com","CorrelationId":"c1","EventDataId":"e1","EventTimestamp":"2026-05-06T11:10:01Z","OperationName":{"Value":"Microsoft.Compute/virtualMachines/start/action","LocalizedValue":"Start Virtual Machine"},"Status":{"Value":"Succeeded"},"SubscriptionId":"s1","Claims":{"Content":{"name":"Ada"}}}]"#;
    let read = read(&[("activity.json", row)]);
    assert_eq!(read.code, Some(0), "{}", read.said);
    let table = match read.said.contains("AzureActivity` is not stored") {
        true => "OtherRecords",
        false => "AzureActivity",
    };
    assert_eq!(
        ask(
            &read.archive,
            &format!("SELECT TimeGenerated FROM stored.\"{table}\"")
        ),
        ["2026-05-06T11:10:01Z"]
    );
}

#[test]
fn an_error_answer_is_a_hole_and_no_event() {
    let cases = [
        (
            r#"{"error": {"code": "UnknownError", "message": "", "innerError": {"date": "2026-06-17T10:00:00"}}}"#,
            "this pull is incomplete (UnknownError)",
        ),
        (
            r#"{"error": {"code": "AF20023", "message": "The subscription was disabled."}}"#,
            "this pull is incomplete (AF20023)",
        ),
        (
            r#"{"Message":"Authorization has been denied for this request."}"#,
            "this pull is incomplete: Authorization has been denied",
        ),
        (
            r#"{"value": [{"id": "q1", "displayName": "case 17", "filterStartDateTime": "2026-05-01T00:00:00Z", "filterEndDateTime": "2026-06-01T00:00:00Z", "status": "succeeded"}]}"#,
            "this pull is incomplete, ask for the records",
        ),
        (
            r#"{"error":"invalid_grant","error_description":"AADSTS70008: expired","error_codes":[70008],"trace_id":"t"}"#,
            "this pull is incomplete (invalid_grant)",
        ),
        (
            r#"{"error":{"root_cause":[],"type":"index_not_found_exception","reason":"no such index"},"status":404}"#,
            "this pull is incomplete (index_not_found_exception)",
        ),
    ];
    for (content, want) in cases {
        let read = read(&[("page3.json", content), ("good.json", &record(1))]);
        assert_eq!(read.code, Some(10), "{content}: {}", read.said);
        assert!(read.said.contains(want), "{content}: {}", read.said);
        assert_eq!(read.audit(), [line(1)], "{content}");
        assert_eq!(read.rows("OtherRecords"), 0, "{content}");
        let gaps = read.gaps();
        let told = gaps.contains("page3.json") && gaps.contains("\"incomplete\"");
        assert!(told, "{content}: {gaps}");
    }
}

#[test]
fn an_error_answer_between_records_is_quarantined_and_makes_a_hole() {
    let error = r#"{"error":{"code":"UnknownError","message":""}}"#;
    let (one, two) = (record(1), record(2));
    for content in [
        format!("{one}\n{error}\n{two}\n"),
        format!("[{one},{error},{two}]"),
        format!("{{\"value\":[{one}]}}\n{error}\n{{\"value\":[{two}]}}\n"),
        format!(
            r#"{{"responses":[{{"id":"1","status":200,"body":{{"value":[{one},{two}]}}}},{{"id":"2","status":429,"body":{error}}}]}}"#
        ),
        format!(
            "{{\"result\":{{\"_raw\":{}}}}}\n{{\"result\":{{\"_raw\":{}}}}}\n{{\"result\":{{\"_raw\":{}}}}}\n",
            text(&one),
            text(error),
            text(&two)
        ),
    ] {
        let read = read(&[("pages.json", &content)]);
        assert_eq!(read.audit(), [line(1), line(2)], "{content}: {}", read.said);
        assert_eq!(read.code, Some(10), "{content}");
        assert_eq!(
            ask(&read.archive, "SELECT Reason FROM Quarantine"),
            ["an error answer: this pull is incomplete (UnknownError)"],
            "{content}"
        );
        assert_eq!(
            ask(
                &read.archive,
                "SELECT Status, Records, Quarantined FROM Ingests"
            ),
            ["incomplete|3|1"],
            "{content}"
        );
        let gaps = read.gaps();
        assert!(
            gaps.contains("the service gave an error"),
            "{content}: {gaps}"
        );
    }
}

#[test]
fn rows_of_a_query_answer_that_failed_on_the_way_are_told() {
    let content = r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"},{"name":"Id","type":"string"},{"name":"Type","type":"string"}],"rows":[["2026-05-06T11:10:01Z","5e5e5e5e-0000-4000-8000-000000000001","SigninLogs"]]}],"error":{"code":"PartialError","message":"There were some errors when processing your query."}}"#;
    let read = read(&[("answer.json", content)]);
    assert_eq!(read.rows("SigninLogs"), 1, "{}", read.said);
    assert_eq!(read.code, Some(10), "{}", read.said);
    assert!(read.said.contains("(PartialError)"), "{}", read.said);
}

#[test]
fn objects_without_any_value_are_quarantined() {
    let blank =
        r#"{"Id": [], "RecordType": [], "CreationTime": [], "Operation": [], "UserId": []}"#;
    for content in [
        format!("[{blank}, {blank}]"),
        format!("[{blank}, {{}}]"),
        "[{}, {}]".to_string(),
        "{\"a\":null,\"b\":\"\"}\n{}\n".to_string(),
    ] {
        let read = read(&[("blank.json", &content)]);
        assert_eq!(read.code, Some(10), "{content}: {}", read.said);
        assert_eq!(
            ask(
                &read.archive,
                "SELECT Records, Quarantined, Duplicates FROM Ingests"
            ),
            ["2|2|0"],
            "{content}"
        );
    }
    let read = read(&[("mixed.json", &format!("[{blank},{}]", record(1)))]);
    assert_eq!(read.audit(), [line(1)]);
    assert_eq!(read.rows("Quarantine"), 1);
}

#[test]
fn what_a_collector_writes_beside_its_exports_is_passed_over() {
    let csv = format!(
        "\"RecordType\",\"CreationDate\",\"UserIds\",\"Operations\",\"AuditData\"\n\"6\",\"5/6/2026 11:10:01 AM\",\"ada@contoso.com\",\"x\",\"{}\"\n",
        record(1).replace('"', "\"\"")
    );
    let read = read(&[
        (
            "Output/desktop.ini",
            "[.ShellClassInfo]\r\nIconResource=C:\\Windows\\System32\\SHELL32.dll,3\r\n",
        ),
        (
            "Output/LogFile.txt",
            "2026-06-16 08:00:00 - [INFO] Running Get-UAL\n2026-06-16 08:00:05 - [INFO] Found 1 audit logs\n",
        ),
        (
            "Output/Transcript.txt",
            "**********************\nWindows PowerShell transcript start\nStart time: 20260616080000\n",
        ),
        (
            "Output/UAL/Amount_Of_Audit_Logs.csv",
            "RecordType,Amount of log entries,Percentage\nExchangeAdmin,12,40\nSharePointFileOperation,18,60\n",
        ),
        ("Output/UAL/UAL-1.csv", ""),
        ("Output/UAL/UAL-2.csv", &csv),
    ]);
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(read.audit(), [line(1)], "{}", read.said);
    assert_eq!(read.rows("OtherRecords"), 0);
    assert!(
        read.said.contains("passed over  4 files without records"),
        "{}",
        read.said
    );
    for name in [
        "desktop.ini",
        "LogFile.txt",
        "Transcript.txt",
        "Amount_Of_Audit_Logs.csv",
    ] {
        assert!(read.said.contains(name), "{name}: {}", read.said);
    }
    assert!(read.folder.path().exists());
}

#[test]
fn a_log_that_holds_records_is_not_passed_over() {
    let log = format!("2026-06-16 08:00:00 [INFO] {}\n", record(1));
    let read = read(&[("audit.log", &log)]);
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(read.audit().len(), 1, "{}", read.said);
}
