//! What a person sees of an answer: times in a zone, local times, and why there are no rows.

use std::path::Path;
use std::process::Output;

use crate::command_line::run;

/// Audit records: a sign-in, a change in the directory, and a file that was read.
const RECORDS: &str = r#"{"CreationTime":"2026-05-18T09:13:33","Id":"a1b2c3d4-0000-4000-8000-000000000001","Operation":"UserLoggedIn","RecordType":15,"UserType":0,"Workload":"AzureActiveDirectory","ClientIP":"192.0.2.10","UserId":"ada@contoso.com"}
{"CreationTime":"2026-01-18T23:14:33","Id":"a1b2c3d4-0000-4000-8000-000000000002","Operation":"Add user.","RecordType":8,"UserType":0,"Workload":"AzureActiveDirectory","UserId":"ada@contoso.com"}
{"CreationTime":"2026-05-18T09:15:33","Id":"a1b2c3d4-0000-4000-8000-000000000003","Operation":"FileAccessed","RecordType":6,"UserType":0,"Workload":"SharePoint","ClientIP":"192.0.2.10","UserId":"ada@contoso.com"}
"#;

/// An archive of one file.
struct Archive {
    folder: tempfile::TempDir,
}

impl Archive {
    fn of(name: &str, content: &str) -> Archive {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        std::fs::write(&file, content).expect("a file");
        let archive = Archive { folder };
        let out = run(&["ingest", &text(&file), "-a", &archive.path()]);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        archive
    }

    fn path(&self) -> String {
        text(&self.folder.path().join("archive"))
    }

    fn asked(&self, language: &str, query: &str, more: &[&str]) -> Output {
        let path = self.path();
        let mut all = vec![language, "-a", &path, query];
        all.extend(more);
        run(&all)
    }

    /// The answer of a query that succeeds.
    fn answer(&self, language: &str, query: &str, more: &[&str]) -> String {
        let out = self.asked(language, query, more);
        assert_eq!(out.status.code(), Some(0), "{query}: {}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// What is said beside an answer in both languages, which is the same.
    fn said_of(&self, table: &str) -> String {
        let kql = said(&self.asked("kql", &format!("{table} | take 5"), &["-f", "csv"]));
        let sql = format!("SELECT * FROM {table} LIMIT 5");
        assert_eq!(said(&self.asked("sql", &sql, &["-f", "csv"])), kql);
        kql
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// The rows of a query that needs no archive, as CSV without the header.
fn printed(query: &str, more: &[&str]) -> String {
    let out = run(&[&["kql", query, "-f", "csv"][..], more].concat());
    assert_eq!(out.status.code(), Some(0), "{query}: {}", said(&out));
    let out = String::from_utf8_lossy(&out.stdout).into_owned();
    let rows: Vec<&str> = out.lines().skip(1).collect();
    rows.join("\n")
}

const BERLIN: &[&str] = &["--tz", "Europe/Berlin"];

#[test]
fn times_of_an_answer_are_shown_in_a_zone_with_the_offset() {
    let archive = Archive::of("audit.jsonl", RECORDS);
    let kql = "UnifiedAuditLog | project TimeGenerated, AuditData, Since = 1h | order by TimeGenerated asc";
    let sql = "SELECT TimeGenerated, AuditData, Id FROM UnifiedAuditLog ORDER BY TimeGenerated";
    for format in ["table", "csv", "json", "ndjson", "markdown"] {
        for (language, query) in [("kql", kql), ("sql", sql)] {
            let more = [&["-f", format][..], BERLIN].concat();
            let answer = archive.answer(language, query, &more);
            for shown in [
                "2026-01-19T00:14:33+01:00",
                "2026-05-18T11:13:33+02:00",
                // What a record says is what it says.
                "2026-05-18T09:13:33",
            ] {
                assert!(answer.contains(shown), "{language} {format}: {answer}");
            }
            assert!(!answer.contains("33Z"), "{language} {format}: {answer}");
            assert!(language == "sql" || answer.contains("01:00:00"), "{answer}");
        }
    }
    // Nothing is moved that nobody asked to be.
    assert!(
        archive
            .answer("kql", kql, &[])
            .contains("2026-05-18T09:13:33Z")
    );
    let utc = archive.answer("kql", kql, &["--tz", "UTC"]);
    assert!(utc.contains("2026-05-18T09:13:33Z"), "{utc}");
}

#[test]
fn all_digits_of_a_time_stay_and_what_has_no_offset_in_minutes_stays_utc() {
    let query = "print a = datetime(2026-05-20T19:40:05.1234567), b = datetime(2026-05-20T01:00:00.5), \
                 c = datetime(0001-01-01), d = datetime(null), e = '2026-05-20T19:40:05Z', f = pack_array(datetime(2026-05-20))";
    assert_eq!(
        printed(query, &["--tz", "america/st_johns"]),
        "2026-05-20T17:10:05.1234567-02:30,2026-05-19T22:30:00.500-02:30,0001-01-01T00:00:00Z,,\
         2026-05-20T19:40:05Z,\"[\"\"2026-05-20T00:00:00.0000000Z\"\"]\""
    );
}

#[test]
fn parquet_keeps_instants_and_the_answer_of_the_api_its_utc() {
    let archive = Archive::of("audit.jsonl", RECORDS);
    let query = "UnifiedAuditLog | project TimeGenerated | order by TimeGenerated asc | take 1";
    let file = text(&archive.folder.path().join("times.parquet"));
    archive.answer("kql", query, &[&["-o", &file][..], BERLIN].concat());
    let table = format!("Kept={file}");
    let kept = archive.answer(
        "sql",
        "SELECT * FROM Kept",
        &["--table", &table, "-f", "csv"],
    );
    assert_eq!(kept, "TimeGenerated\n2026-01-18T23:14:33Z\n");
    let out = archive.asked("kql", query, &[&["-f", "kusto"][..], BERLIN].concat());
    assert_eq!(out.status.code(), Some(2));
    assert!(said(&out).contains("--tz"), "{}", said(&out));
}

#[test]
fn a_zone_that_is_none_is_told_with_those_that_are_called_nearly_so() {
    for (wrong, near) in [
        ("Europe/Berln", "`Europe/Berlin`"),
        ("Berlin", "`Europe/Berlin`"),
        ("New York", "`America/New_York`"),
        ("+02:00", "Europe/Berlin"),
    ] {
        for command in [
            &["kql", "print 1"][..],
            &["sql", "SELECT 1", "-a", "none"],
            &["hunt", "-a", "none"],
            &["analyze", "none", "-o", "none"],
            &["ingest", "none", "-a", "none"],
        ] {
            let given = format!("--tz={wrong}");
            let out = run(&[command, &[given.as_str()][..]].concat());
            let said = said(&out);
            assert_eq!(out.status.code(), Some(2), "{command:?}: {said}");
            assert!(said.contains("--tz") && said.contains(near), "{said}");
        }
    }
    let out = run(&["kql", "print now()", "--tz", "local"]);
    // A machine may have no zone that is known; then it is said.
    assert!(out.status.success() || said(&out).contains("this machine"));
}

#[test]
fn findings_and_the_report_show_times_in_a_zone() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| text(&folder.path().join(name));
    std::fs::write(at("audit.jsonl"), RECORDS).expect("an export");
    let rule = "/*\nid: read\nname: A file was read\nseverity: Low\nentityMappings:\n  - entityType: Account\n    \
                fieldMappings:\n      - {identifier: FullName, columnName: UserId}\n*/\n\
                SELECT TimeGenerated, UserId, TimeGenerated - INTERVAL '1 hour' AS Before, 'The.Names.Of.Files.In.XYZ' AS Note, _Source \
                FROM UnifiedAuditLog WHERE Operation = 'FileAccessed'";
    std::fs::create_dir(at("rules")).expect("a folder");
    std::fs::write(at("rules/read.sql"), rule).expect("a rule");
    let read = |name: &str| std::fs::read_to_string(at(name)).expect("a result");
    let out = run(&[
        "analyze",
        &at("audit.jsonl"),
        "-o",
        &at("out"),
        "-r",
        &at("rules"),
        "--show-tz",
        "America/New_York",
    ]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    let (json, csv, html) = (
        read("out/findings.json"),
        read("out/findings.csv"),
        read("out/report.html"),
    );
    for shown in [&told, &json, &csv] {
        assert!(shown.contains("2026-05-18T05:15:33-04:00"), "{shown}");
    }
    assert!(json.contains("2026-05-18T04:15:33-04:00"), "{json}");
    assert!(!json.contains("33Z"), "{json}");
    for shown in [
        r#""zone":"America/New_York""#,
        "2026-05-18T05:15:33-04:00",
        "2026-05-18T04:15:33-04:00",
        // No time, though it ends with a Z.
        "The.Names.Of.Files.In.XYZ",
    ] {
        assert!(html.contains(shown), "{shown}");
    }
    let block = html.split_once("id=\"data\">").expect("data").1;
    let block = block.split_once("</script>").expect("their end").0;
    let data: serde_json::Value = serde_json::from_str(block).expect("JSON");
    for part in ["findings", "timeline"] {
        assert!(!data[part].to_string().contains("33Z"), "{part}");
    }
    let hunt = |more: &[&str]| {
        let (archive, rules) = (at("out/archive"), at("rules"));
        let out = run(&[&["hunt", "-a", &archive, "-r", &rules][..], more].concat());
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    for format in ["table", "csv", "json", "ndjson", "markdown"] {
        let found = hunt(&[&["-f", format][..], BERLIN].concat());
        assert!(found.contains("2026-05-18T11:15:33+02:00"), "{found}");
    }
    assert!(hunt(&[]).contains("2026-05-18T09:15:33Z"));
}

#[test]
fn a_local_time_has_no_z_wherever_it_goes() {
    let local = "datetime_utc_to_local(datetime(2026-05-20T19:40:05.5Z), 'Europe/Berlin')";
    let rows = format!(
        "datatable(t:datetime, k:string)[datetime(2026-05-20T19:40:05.5Z), 'a'] | extend x = {local}"
    );
    for (query, shown) in [
        (format!("print x = {local}"), "2026-05-20T21:40:05.500"),
        (format!("let x = {local}; print x"), "2026-05-20T21:40:05.500"),
        (
            format!("print x = {local} | extend y = x | project-rename z = y | where z > ago(1d) or true | project z"),
            "2026-05-20T21:40:05.500",
        ),
        (
            format!("print x = bin({local}, 1h), y = startofday({local}), z = {local} + 1d"),
            "2026-05-20T21:00:00,2026-05-20T00:00:00,2026-05-21T21:40:05.500",
        ),
        (
            format!("{rows} | summarize count() by bin(x, 1d)"),
            "2026-05-20T00:00:00,1",
        ),
        (
            format!("{rows} | summarize max(x), min(t) by k"),
            "a,2026-05-20T21:40:05.500,2026-05-20T19:40:05.500Z",
        ),
        (
            format!("{rows} | summarize arg_max(t, *) by k | project t, x"),
            "2026-05-20T19:40:05.500Z,2026-05-20T21:40:05.500",
        ),
        (
            format!("{rows} | order by x asc | project x, t"),
            "2026-05-20T21:40:05.500,2026-05-20T19:40:05.500Z",
        ),
        (
            format!("{rows} | evaluate narrow() | where Column == 'k' | project Value"),
            "a",
        ),
        // Back to an instant.
        (
            format!("print x = datetime_local_to_utc({local}, 'Europe/Berlin')"),
            "2026-05-20T19:40:05.500Z",
        ),
        (
            "let f = (t:datetime) { datetime_utc_to_local(t, 'Europe/Berlin') }; print f(datetime(2026-05-20T19:40:05Z))".into(),
            "2026-05-20T21:40:05",
        ),
    ] {
        assert_eq!(printed(&query, &[]), shown, "{query}");
    }
    // It is no instant, and no zone has another time for it.
    let query = format!("print x = {local}, y = datetime(2026-05-20T19:40:05Z)");
    let tokyo = printed(&query, &["--tz", "Asia/Tokyo"]);
    assert_eq!(tokyo, "2026-05-20T21:40:05.500,2026-05-21T04:40:05+09:00");
    // The API knows no such times.
    let out = run(&["kql", &query, "-f", "kusto"]);
    let out = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.contains("\"2026-05-20T21:40:05.5Z\""), "{out}");
}

#[test]
fn times_that_sql_moves_have_the_offset_of_where_they_are() {
    let archive = Archive::of("audit.jsonl", RECORDS);
    let query = "SELECT TimeGenerated AT TIME ZONE 'Europe/Berlin' AS there, \
                 to_local_time(TimeGenerated AT TIME ZONE 'Europe/Berlin') AS clock, TimeGenerated AS utc \
                 FROM UnifiedAuditLog WHERE Operation = 'UserLoggedIn'";
    let row = |more: &[&str]| {
        let answer = archive.answer("sql", query, &[&["-f", "csv"][..], more].concat());
        answer.lines().nth(1).unwrap_or_default().to_string()
    };
    assert_eq!(
        row(&[]),
        "2026-05-18T11:13:33+02:00,2026-05-18T11:13:33,2026-05-18T09:13:33Z"
    );
    assert_eq!(
        row(&["--tz", "Asia/Tokyo"]),
        "2026-05-18T18:13:33+09:00,2026-05-18T11:13:33,2026-05-18T18:13:33+09:00"
    );
    let kusto = archive.answer("sql", query, &["-f", "kusto"]);
    let rows = "[[\"2026-05-18T09:13:33Z\",\"2026-05-18T11:13:33Z\",\"2026-05-18T09:13:33Z\"]]";
    assert!(kusto.contains(rows), "{kusto}");
}

#[test]
fn an_empty_table_names_the_one_that_has_such_records() {
    let archive = Archive::of("audit.jsonl", RECORDS);
    for (table, wanted) in [
        (
            "SigninLogs",
            "0 rows; this archive holds no `SigninLogs`; `UserLoggedIn` records are in `UnifiedAuditLog`\n",
        ),
        (
            "EntraIdSignInEvents",
            "`UserLoggedIn` records are in `UnifiedAuditLog`",
        ),
        (
            "AuditLogs",
            "0 rows; this archive holds no `AuditLogs`; `AzureActiveDirectory` records are in `UnifiedAuditLog`\n",
        ),
        (
            "SecurityAlert",
            "0 rows; this archive holds no `SecurityAlert`\n",
        ),
    ] {
        let said = archive.said_of(table);
        assert!(said.contains(wanted), "{table}: {said}");
    }
    // Also of a sum, and once for tables that are asked together.
    let both = "union SigninLogs, AADNonInteractiveUserSignInLogs | count";
    let said = said(&archive.asked("kql", both, &["-f", "csv"]));
    assert_eq!(
        said,
        "this archive holds no `SigninLogs` or `AADNonInteractiveUserSignInLogs`; `UserLoggedIn` records are in `UnifiedAuditLog`\n"
    );
}

#[test]
fn a_table_is_named_also_where_only_a_part_of_the_query_read_it() {
    let archive = Archive::of("audit.jsonl", RECORDS);
    for query in [
        "UnifiedAuditLog | where UserId in (SigninLogs | project UserPrincipalName)",
        "SigninLogs | evaluate pivot(ResultType) | where true",
        "let known = toscalar(SigninLogs | summarize make_set(UserPrincipalName)); UnifiedAuditLog | where set_has_element(known, UserId)",
    ] {
        let said = said(&archive.asked("kql", query, &["-f", "csv"]));
        assert!(said.contains("holds no `SigninLogs`"), "{query}: {said}");
    }
}

#[test]
fn message_traces_are_found_by_who_asks_for_mails() {
    let traces = "\"Organization\",\"MessageId\",\"Received\",\"SenderAddress\",\"RecipientAddress\",\"Subject\",\"Status\",\"ToIP\",\"FromIP\",\"Size\",\"MessageTraceId\"\n\
                  \"contoso.onmicrosoft.com\",\"<1@contoso.com>\",\"2026-05-17T06:14:13Z\",\"ada@contoso.com\",\"eve@example.net\",\"Plan\",\"Delivered\",\"\",\"192.0.2.10\",\"5120\",\"bbbbbbbb-0000-4000-8000-000000000005\"\n";
    let archive = Archive::of("MessageTrace.csv", traces);
    let said = archive.said_of("EmailEvents");
    assert!(
        said.contains("message traces are in `OtherRecords`"),
        "{said}"
    );
}

#[test]
fn a_plugin_that_had_no_rows_to_take_columns_from_says_so() {
    let none = "datatable(k:string, d:dynamic)[] | evaluate";
    for (call, plugin, header) in [
        ("pivot(k)", "pivot", "d"),
        ("pivot(k, count(), d)", "pivot", "d"),
        ("bag_unpack(d)", "bag_unpack", "k"),
    ] {
        let query = format!("{none} {call}");
        let out = run(&["kql", &query, "-f", "csv"]);
        assert_eq!(out.status.code(), Some(0), "{query}");
        let told = format!("0 rows; `{plugin}` had no rows to take columns from\n");
        assert_eq!(said(&out), told, "{query}");
        assert_eq!(String::from_utf8_lossy(&out.stdout), format!("{header}\n"));
        // What would be there is missing for want of rows.
        let query = format!("{query} | project Read");
        let out = run(&["kql", &query]);
        assert_eq!(out.status.code(), Some(2), "{query}");
        let hint = format!("hint: `{plugin}` had no rows to take columns from");
        assert!(said(&out).contains(&hint), "{}", said(&out));
        // Columns that are named are there.
        let query = format!("{none} {call} : (Read:long) | project Read");
        let out = run(&["kql", &query, "-f", "csv"]);
        assert_eq!(String::from_utf8_lossy(&out.stdout), "Read\n", "{query}");
        assert_eq!(said(&out), "0 rows\n", "{query}");
    }
    // One plugin after the other, as in a rule that takes a record's details apart.
    let query = "datatable(Id:string, d:dynamic)[] | mv-expand bagexpansion=array d | evaluate bag_unpack(d) | evaluate pivot(key, make_set(value))";
    let out = run(&["kql", query]);
    let hint = "hint: `bag_unpack` had no rows to take columns from";
    assert!(said(&out).contains(hint), "{}", said(&out));
    // Nothing is left: no column of ours stands in for it.
    let out = run(&[
        "kql",
        "print x = 1 | where x == 2 | evaluate pivot(x)",
        "-f",
        "csv",
    ]);
    assert_eq!(String::from_utf8_lossy(&out.stdout), "\n");
    let out = run(&["kql", "print x = 1 | evaluate pivot(x)", "-f", "json"]);
    assert_eq!(said(&out), "");
    // Others have the same columns whatever there is.
    let out = run(&["kql", &format!("{none} narrow()"), "-f", "csv"]);
    assert_eq!(String::from_utf8_lossy(&out.stdout), "Row,Column,Value\n");
    assert_eq!(said(&out), "0 rows\n");
}
