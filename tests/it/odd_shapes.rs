//! Times and dates of further exports: columns that say their clock, cultures of PowerShell, counts, objects, and what means never.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::ask;
use crate::command_line::run;

/// One file with this content, read into an archive of its own.
struct Read {
    folder: tempfile::TempDir,
    out: Output,
}

impl Read {
    fn of(name: &str, content: &str, more: &[&str]) -> Read {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        std::fs::write(&file, content).expect("a file");
        let (file, archive) = (text(&file), text(&folder.path().join("archive")));
        let mut all = vec!["ingest", &file, "-a", &archive];
        all.extend(more);
        let out = run(&all);
        Read { folder, out }
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    fn code(&self) -> Option<i32> {
        self.out.status.code()
    }

    fn said(&self) -> String {
        let both = [&self.out.stdout, &self.out.stderr];
        both.map(|b| String::from_utf8_lossy(b).into_owned())
            .concat()
    }

    /// Times of a table, in the order of its records.
    fn times(&self, table: &str) -> Vec<String> {
        let sql = format!("SELECT TimeGenerated FROM {table} ORDER BY _Record");
        ask(&self.archive(), &sql)
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A CSV with one of these times in each row.
fn rows(times: &[&str]) -> String {
    let cells = times.iter().map(|time| time.replace('"', "\"\""));
    let rows = cells
        .enumerate()
        .map(|(i, time)| format!("{i},\"{time}\"\n"));
    let header = "Colour,EventTime\n".to_string();
    std::iter::once(header).chain(rows).collect()
}

const WANT: &str = "2026-05-18T09:13:33Z";

#[test]
fn exports_of_portals_and_cmdlets_have_a_time_in_every_row() {
    for (header, row) in [
        (
            "origin_timestamp_utc,sender_address,recipient_status,message_subject",
            "2026-05-18T09:13:33.0000000Z,ada@contoso.com,bob@contoso.com##Receive,Plan",
        ),
        (
            "date_time_utc,client_ip,event_id,sender_address",
            "2026-05-18T09:13:33.000Z,192.0.2.1,RECEIVE,ada@contoso.com",
        ),
        (
            "Identity,ReceivedTime,SenderAddress,Expires",
            "a,5/18/2026 9:13:33 AM,ada@contoso.com,6/17/2026 9:13:33 AM",
        ),
        (
            "Activity,User,Case name,Time Performed",
            "SearchStarted,ada@contoso.com,c,18 May 2026 09:13:33",
        ),
        (
            "User,Risk state,Risk last updated (UTC),Status",
            "Ada,At risk,\"5/18/2026, 9:13:33 AM\",Active",
        ),
        ("Device name,Last check-in", "x,2026-05-18 09:13:33.0000000"),
        ("Nachricht,Datum", "x,18.05.2026 09:13:33"),
        ("件名,日付", "x,2026/05/18 9:13:33"),
    ] {
        let read = Read::of("export.csv", &format!("{header}\n{row}\n"), &[]);
        assert_eq!(read.code(), Some(0), "{header}: {}", read.said());
        assert_eq!(read.times("OtherRecords"), [WANT], "{header}");
    }
}

#[test]
fn a_column_that_says_its_clock_is_read_by_that_clock() {
    for (header, row) in [
        (
            "Date (UTC-08:00),Sender",
            "5/18/2026 1:13:33 AM,ada@contoso.com",
        ),
        (
            "Time received (UTC+02:00),Subject",
            "\"May 18, 2026 11:13:33 AM\",Plan",
        ),
        ("Date (UTC+5:30),Subject", "2026-05-18 14:43:33,Plan"),
        ("Date (UTC+00:00),Subject", "2026-05-18 09:13:33,Plan"),
        // A time that names its zone is that instant.
        ("Date (UTC+02:00),Subject", "2026-05-18T09:13:33Z,Plan"),
    ] {
        let read = Read::of("trace.csv", &format!("{header}\n{row}\n"), &[]);
        assert_eq!(read.code(), Some(0), "{header}: {}", read.said());
        assert_eq!(read.times("OtherRecords"), [WANT], "{header}");
        // What the portal wrote is kept under its name.
        let name = header.split(',').next().unwrap_or_default();
        let kept = format!("SELECT ExtraColumns->>'{name}' FROM OtherRecords");
        let wrote = ask(&read.archive(), &kept);
        assert!(row.contains(&wrote[0]) && !wrote[0].is_empty(), "{wrote:?}");
    }
    let read = Read::of(
        "trace.csv",
        "Expires (UTC+02:00),Moment (UTC+02:00)\n2026-06-18 11:13:33,2026-05-18 11:13:33\n",
        &["--time-column", "Moment"],
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.times("OtherRecords"), [WANT]);
}

#[test]
fn dates_are_read_in_the_words_of_every_culture() {
    let times = [
        "18/05/2026 9:13:33 a. m.",
        "18.5.2026 г. 9:13:33",
        "18/5/2026 9:13:33 πμ",
        "18.05.2026 ÖÖ 09:13:33",
        "2026-05-18 9:13:33 fm",
        "18 мая 2026 г. в 09:13:33",
        "понедельник, 18 мая 2026 г. 9:13:33",
        "18 maja 2026 09:13:33",
        "18. května 2026 9:13:33",
        "18 Mayıs 2026 Pazartesi 09:13:33",
        "18. toukokuuta 2026 klo 9.13.33",
        "2026. május 18. 9:13:33",
        "18. máj 2026 9:13:33",
        "18 Μαΐου 2026 9:13:33 πμ",
        "2026年5月18日(月) 9:13:33",
        "2026年5月18日 星期一 上午 9:13:33",
        "2026年5月18日 9時13分33秒",
        "2026년 5월 18일 월요일 오전 9:13:33",
        "18/5/2569 9:13:33",
        "\u{200e}18\u{200e}/\u{200e}05\u{200e}/\u{200e}2026\u{200e} \u{200e}9\u{200e}:\u{200e}13\u{200e}:\u{200e}33",
        "'18/05/2026 9:13:33 am",
        "=\"18/05/2026 9:13:33\"",
        "18-MAY-26 09.13.33.000000 AM",
        "18/05/26 09:13:33",
        "20260518091333.0Z",
        "2026-05-18 09:13:33 Etc/UTC",
    ];
    let read = Read::of("dates.csv", &rows(&times), &["--date-order", "dmy"]);
    let got = read.times("OtherRecords");
    for (time, got) in times.iter().zip(&got) {
        assert_eq!(got, WANT, "{time}");
    }
    assert_eq!(got.len(), times.len());
    assert_eq!(read.code(), Some(0), "{}", read.said());
}

#[test]
fn counts_and_objects_are_times() {
    let times = [
        "1779095613",
        "1779095613000",
        "134235692130000000",
        "639146924130000000",
        "46160.384410",
        r#"{"value":"\/Date(1779095613000)\/","DisplayHint":2,"DateTime":"Monday, May 18, 2026 9:13:33 AM"}"#,
        r#"{"$date":"2026-05-18T09:13:33Z"}"#,
        r#"{"$date":{"$numberLong":"1779095613000"}}"#,
    ];
    let read = Read::of("counts.csv", &rows(&times), &[]);
    let got = read.times("OtherRecords");
    for (time, got) in times.iter().zip(&got) {
        assert_eq!(got, WANT, "{time}");
    }
    let record = r#"{"CreationTime":{"value":"\/Date(1779095613000)\/","DisplayHint":2},"Id":"x1","Operation":"A","RecordType":6}"#;
    let read = Read::of("ps5.json", &format!("[{record}]"), &[]);
    assert_eq!(read.times("UnifiedAuditLog"), [WANT]);
}

#[test]
fn what_may_be_another_time_is_none_and_is_told() {
    let times = [
        "29/11/1447 9:13:33",
        "1.7791E+12",
        "May 18 09:13:33",
        "18 listopad 2026",
        "13.05.12",
        "46160",
        "26/05/2026 9:13:33 CST",
    ];
    let read = Read::of("dates.csv", &rows(&times), &["--date-order", "dmy"]);
    assert_eq!(read.code(), Some(10));
    assert_eq!(read.times("OtherRecords"), [""; 7]);
    assert!(
        read.said().contains("no time      7 events"),
        "{}",
        read.said()
    );
}

#[test]
fn never_is_no_time_where_a_row_has_another() {
    let content = "Colour,EventTime,LastModified\n\
        red,0001-01-01T00:00:00Z,2026-05-18T09:13:33Z\n\
        blue,9999-12-31T23:59:59Z,2026-05-18T09:13:33Z\n\
        pink,1601-01-01T00:00:00Z,2026-05-18T09:13:33Z\n";
    let read = Read::of("colours.csv", content, &[]);
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.times("OtherRecords"), [WANT; 3]);
}

#[test]
fn a_year_of_two_digits_may_stand_first_and_is_asked_for() {
    let open = rows(&["26/05/18 09:13:33", "25/05/18 09:13:33"]);
    let read = Read::of("short.csv", &open, &[]);
    assert_eq!(read.code(), Some(10));
    assert!(read.said().contains("--date-order"), "{}", read.said());
    // No year is in the middle, and no month is 18.
    let read = Read::of(
        "short.csv",
        &rows(&["5/18/26 9:13:33 AM", "5/3/26 9:13:33 AM"]),
        &[],
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.times("OtherRecords"), [WANT, "2026-05-03T09:13:33Z"]);
}

#[test]
fn the_time_column_holds_for_rows_that_are_arrays_and_for_logs() {
    let answer = r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"Colour","type":"string"},{"name":"Moment","type":"string"}],"rows":[["red","18/05/2026 09:13:33"],["blue","03/05/2026 09:13:33"]]}]}"#;
    let frames = r#"[{"FrameType":"DataSetHeader","Version":"v2.0"},{"FrameType":"DataTable","TableKind":"PrimaryResult","Columns":[{"ColumnName":"Colour","ColumnType":"string"},{"ColumnName":"Moment","ColumnType":"datetime"}],"Rows":[["red","2026-05-18T09:13:33Z"],["blue","2026-05-03T09:13:33Z"]]}]"#;
    for (name, content) in [("answer.json", answer), ("frames.json", frames)] {
        let read = Read::of(name, content, &["--time-column", "Moment"]);
        assert_eq!(read.code(), Some(0), "{name}: {}", read.said());
        assert_eq!(
            read.times("OtherRecords"),
            [WANT, "2026-05-03T09:13:33Z"],
            "{name}"
        );
    }
    let log = "#Software: RMS\n#Version: 1.1\n\
        #Fields: date\ttime\trow-id\trequest-type\tuser-id\tresult\tmoment\n\
        2026-06-25\t21:59:28\ta\tAcquireLicense\t'ada@contoso.com'\t'Success'\t2026-05-18T09:13:33Z\n";
    let read = Read::of("rms.log", log, &["--time-column", "moment"]);
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.times("AipServiceUserLog"), [WANT]);
}

#[test]
fn rows_that_are_arrays_tell_or_are_asked_for_the_order_of_their_dates() {
    let answer = |times: [&str; 2]| {
        format!(
            r#"{{"tables":[{{"name":"PrimaryResult","columns":[{{"name":"Colour","type":"string"}},{{"name":"EventTime","type":"string"}}],"rows":[["red","{}"],["blue","{}"]]}}]}}"#,
            times[0], times[1]
        )
    };
    let read = Read::of(
        "answer.json",
        &answer(["18/05/2026 09:13:33", "03/05/2026 09:13:33"]),
        &[],
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.times("OtherRecords"), [WANT, "2026-05-03T09:13:33Z"]);
    let read = Read::of(
        "answer.json",
        &answer(["08/05/2026 09:13:33", "03/05/2026 09:13:33"]),
        &[],
    );
    assert_eq!(read.code(), Some(10));
    assert!(read.said().contains("--date-order"), "{}", read.said());
}

#[test]
fn the_time_column_fills_audit_records_that_have_no_time() {
    let bare = r#"{"Id":"x1","Operation":"A","RecordType":6,"Moment":"2026-05-18T09:13:33Z"}"#;
    let own = r#"{"Id":"x2","Operation":"A","RecordType":6,"CreationTime":"2026-05-01T00:00:00","Moment":"2026-05-18T09:13:33Z"}"#;
    let splunk = r#"{"result":{"_raw":"{\"Id\":\"x1\",\"Operation\":\"A\",\"RecordType\":6}","Moment":"2026-05-18T09:13:33Z"}}"#;
    let cell = "Moment,_raw\n2026-05-18T09:13:33Z,\"{\"\"Id\"\":\"\"x1\"\",\"\"Operation\"\":\"\"A\"\",\"\"RecordType\"\":6}\"\n";
    for (name, content, want) in [
        ("bare.jsonl", bare, WANT),
        ("own.jsonl", own, "2026-05-01T00:00:00Z"),
        ("splunk.json", splunk, WANT),
        ("cell.csv", cell, WANT),
    ] {
        let read = Read::of(name, content, &["--time-column", "Moment"]);
        assert_eq!(read.code(), Some(0), "{name}: {}", read.said());
        assert_eq!(read.times("UnifiedAuditLog"), [want], "{name}");
    }
}
