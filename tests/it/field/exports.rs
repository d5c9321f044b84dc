//! Exports whose spelling, tail or wrapping differs from the documented one.

use std::io::{Cursor, Write};

use super::{Case, cell, record};

/// An audit record that does not say its time itself.
fn timeless(n: u32) -> String {
    record(n, "-", "FileAccessed", "").replace(r#""CreationTime":"-","#, "")
}

#[test]
fn rows_of_log_analytics_in_an_event_hub_message_are_in_their_tables() {
    let case = Case::of(&[(
        "hub-message.json",
        r#"{"records": [{"Type":"AADServicePrincipalSignInLogs","TimeGenerated":"2026-05-12T10:47:02.1Z","CreatedDateTime":"2026-05-12T10:45:17.5824212Z","Id":"s1","ServicePrincipalName":"Backup job","ResultType":"0","Category":"ServicePrincipalSignInLogs","IPAddress":"198.51.100.5","TenantId":"t1","_Internal_WorkspaceResourceId":"/subscriptions/x"},{"Type":"AuditLogs","TimeGenerated":"2026-05-12T10:48:00Z","Id":"d1","OperationName":"Add user"}]}"#,
    )]);
    case.says(0, "records      2");
    case.answers(
        "union withsource=T AADServicePrincipalSignInLogs, AuditLogs \
         | project T, TimeGenerated, Id, ResultType, OperationName, Same = T == Type | order by Id asc",
        &[],
        &[
            "T,TimeGenerated,Id,ResultType,OperationName,Same",
            "AuditLogs,2026-05-12T10:48:00Z,d1,,Add user,true",
            "AADServicePrincipalSignInLogs,2026-05-12T10:47:02.100Z,s1,0,,true",
        ],
    );
}

#[test]
fn dates_and_clocks_with_dots_are_those_of_a_finnish_machine() {
    let mut csv = String::from(
        "\"RecordType\";\"CreationDate\";\"UserIds\";\"Operations\";\"AuditData\"\r\n",
    );
    for (date, audit) in [
        (
            "4.2.2025 1.31.13",
            record(1, "2025-02-04T01:31:13", "FileAccessed", ""),
        ),
        ("5.2.2025 23.59.59", timeless(2)),
        // The one that says which number is the day.
        ("23.2.2025 0.05.00", timeless(3)),
    ] {
        csv += &format!(
            "\"x\";\"{date}\";\"ada@contoso.com\";\"FileAccessed\";{}\r\n",
            cell(&audit)
        );
    }
    let case = Case::of(&[("UAL-fi.csv", &csv)]);
    case.says(0, "quarantined  0");
    assert_eq!(
        case.audit(),
        [
            "b1|2025-02-04T01:31:13Z|FileAccessed",
            "b2|2025-02-05T23:59:59Z|FileAccessed",
            "b3|2025-02-23T00:05:00Z|FileAccessed",
        ]
    );
}

#[test]
fn a_narrow_blank_before_am_and_pm_is_a_blank() {
    let mut csv =
        String::from("\"RecordType\",\"CreationDate\",\"UserIds\",\"Operations\",\"AuditData\"\n");
    for (date, audit) in [
        (
            "2/4/2025 1:31:13\u{202f}AM",
            record(1, "2025-02-04T01:31:13", "FileAccessed", ""),
        ),
        ("2/23/2025 12:05:00\u{202f}PM", timeless(2)),
    ] {
        csv += &format!(
            "\"x\",\"{date}\",\"ada@contoso.com\",\"FileAccessed\",{}\n",
            cell(&audit)
        );
    }
    let hunting = "Timestamp,ActionType,Application,ApplicationId,AccountObjectId,IPAddress,ReportId,RawEventData\n\
                   \"Feb 4, 2025 1:31:13\u{202f}PM\",FileDownloaded,SharePoint,20892,u1,192.0.2.10,r1,\"{}\"\n";
    let case = Case::of(&[("UAL-mac.csv", &csv), ("hunting-mac.csv", hunting)]);
    case.says(0, "quarantined  0");
    assert_eq!(
        case.audit(),
        [
            "b1|2025-02-04T01:31:13Z|FileAccessed",
            "b2|2025-02-23T12:05:00Z|FileAccessed",
        ]
    );
    assert_eq!(
        case.ask("SELECT TimeGenerated, ActionType FROM stored.\"CloudAppEvents\""),
        ["2025-02-04T13:31:13Z|FileDownloaded"]
    );
}

#[test]
fn records_without_an_id_are_told_apart_by_their_content() {
    let bare = |page: &str, more: &str| {
        format!(
            r#"{{"CreationTime":"2026-05-31T22:52:10","Operation":"FileAccessed","UserId":"app@sharepoint","ObjectId":"https://contoso.sharepoint.com/sites/{page}"{more}}}"#
        )
    };
    let (one, two) = (bare("a.aspx", ""), bare("b.aspx", ""));
    let other = bare("a.aspx", r#","UserAgent":"Backup/5.0""#);
    let case = Case::of(&[(
        "ual-min.json",
        &format!("[\n{one},\n{one},\n{two},\n{other}\n]"),
    )]);
    case.says(0, "duplicates   1");
    assert_eq!(
        case.ask(
            "SELECT \"ObjectId\", TimeGenerated, AuditData->>'UserAgent' FROM UnifiedAuditLog ORDER BY 1, 3 NULLS FIRST"
        ),
        [
            "https://contoso.sharepoint.com/sites/a.aspx|2026-05-31T22:52:10Z|",
            "https://contoso.sharepoint.com/sites/a.aspx|2026-05-31T22:52:10Z|Backup/5.0",
            "https://contoso.sharepoint.com/sites/b.aspx|2026-05-31T22:52:10Z|",
        ]
    );
}

#[test]
fn rows_with_fewer_or_more_empty_cells_at_the_end_are_kept() {
    let mut csv = String::from(
        "RecordId,CreationDate,RecordType,Operation,UserId,AuditData,AssociatedAdminUnits,AssociatedAdminUnitsNames\n",
    );
    for (n, tail) in (1..).zip(["", ",", ",,", ",,,", ",,,,"]) {
        let time = format!("2026-05-21T08:0{n}:00");
        let audit = cell(&record(n, &time, "FileAccessed", ""));
        csv += &format!("b{n},{time}.0000000Z,6,FileAccessed,ada@contoso.com,{audit}{tail}\n");
    }
    let case = Case::of(&[("purview.csv", &csv)]);
    case.says(0, "quarantined  0");
    assert_eq!(
        case.audit(),
        (1..=5)
            .map(|n| format!("b{n}|2026-05-21T08:0{n}:00Z|FileAccessed"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn an_export_that_excel_saved_again_has_the_times_of_its_records() {
    let mut csv = String::from(
        "RecordId;CreationDate;RecordType;Operation;UserId;AuditData;AssociatedAdminUnits;AssociatedAdminUnitsNames\r\n",
    );
    // Excel shows no seconds, and saves what it shows.
    for (n, hour) in [(1, 8), (2, 14)] {
        let audit = record(
            n,
            &format!("2026-05-23T{hour:02}:0{n}:4{n}"),
            "FileAccessed",
            "",
        );
        csv += &format!(
            "b{n};5/23/2026 {hour}:0{n};6;FileAccessed;ada@contoso.com;{};;\r\n",
            cell(&audit)
        );
    }
    let case = Case::of(&[("AuditLog.csv", &csv)]);
    case.says(0, "quarantined  0");
    assert_eq!(
        case.audit(),
        [
            "b1|2026-05-23T08:01:41Z|FileAccessed",
            "b2|2026-05-23T14:02:42Z|FileAccessed",
        ]
    );
}

#[test]
fn what_a_mac_puts_into_a_zip_archive_is_passed_over() {
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let audit = record(1, "2026-06-13T08:00:00", "FileAccessed", "") + "\n";
    for (name, content) in [
        ("case/audit.jsonl", audit.as_bytes()),
        (
            "__MACOSX/case/._audit.jsonl",
            b"\0\x05\x16\x07\0\x02\0\0Mac OS X",
        ),
        ("case/.DS_Store", b"\0\0\0\x01Bud1"),
    ] {
        zip.start_file(name, stored).expect("a member");
        zip.write_all(content).expect("the archive takes it");
    }
    let mut case = Case::none();
    let bytes = zip.finish().expect("an archive").into_inner();
    case.put("evidence.zip", &bytes);
    case.read(&[]);
    case.says(0, "members: 1; passed over: 2");
    assert_eq!(case.audit(), ["b1|2026-06-13T08:00:00Z|FileAccessed"]);
}

/// A message trace whose columns and rows are these.
fn trace(rows: &[(&str, &str)]) -> String {
    let mut csv = String::from(
        "\"MessageTraceId\",\"Received\",\"SenderAddress\",\"RecipientAddress\",\"Subject\",\"Status\",\"FromIP\",\"Size\"\n",
    );
    for (id, received) in rows {
        csv += &format!(
            "\"{id}\",\"{received}\",\"ada@contoso.com\",\"eve@example.net\",\"Plan\",\"Delivered\",\"192.0.2.10\",\"5120\"\n"
        );
    }
    csv
}

#[test]
fn a_message_trace_has_the_times_at_which_mail_was_received() {
    let american = trace(&[("m1", "05/17/2026 06:14:13"), ("m2", "05/18/2026 18:14:13")]);
    let australian = trace(&[
        ("m3", "4/02/2025 1:31:13 am"),
        ("m4", "23/02/2025 12:05:00 pm"),
    ]);
    let case = Case::of(&[("us.csv", &american), ("au.csv", &australian)]);
    case.says(0, "4  OtherRecords");
    assert_eq!(
        case.ask(
            "SELECT ExtraColumns->>'MessageTraceId', TimeGenerated FROM OtherRecords ORDER BY 1"
        ),
        [
            "m1|2026-05-17T06:14:13Z",
            "m2|2026-05-18T18:14:13Z",
            "m3|2025-02-04T01:31:13Z",
            "m4|2025-02-23T12:05:00Z",
        ]
    );
    // Under a name of the user's it can be asked like any table.
    let case = Case::with(&[("au.csv", &australian)], &["--as", "MessageTrace_CL"]);
    case.answers(
        "MessageTrace_CL | where SenderAddress =~ 'ADA@contoso.com' | summarize n = count(), Last = max(TimeGenerated)",
        &[],
        &["n,Last", "2,2025-02-23T12:05:00Z"],
    );
}
