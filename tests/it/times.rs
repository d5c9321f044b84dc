//! A time for every row, dates in many spellings, and damage that costs no row.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::ask;
use crate::command_line::run;

/// Reads one file with this content, in a folder of its own.
struct Read {
    folder: tempfile::TempDir,
    out: Output,
}

impl Read {
    fn of(name: &str, content: impl AsRef<[u8]>, more: &[&str]) -> Read {
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

    /// What was said, on both streams.
    fn said(&self) -> String {
        let both = [&self.out.stdout, &self.out.stderr];
        both.map(|b| String::from_utf8_lossy(b).into_owned())
            .concat()
    }

    /// Times of a table, in order.
    fn times(&self, table: &str) -> Vec<String> {
        let sql = format!("SELECT TimeGenerated FROM {table} ORDER BY TimeGenerated");
        ask(&self.archive(), &sql)
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// An audit record with this id and time, as JSON.
fn record(id: u8, time: &str) -> String {
    format!(
        r#"{{"CreationTime":"{time}","Id":"a1b2c3d4-0000-4000-8000-0000000000{id:02}","Operation":"FileAccessed","RecordType":6,"UserType":0,"Workload":"SharePoint","ClientIP":"192.0.2.10","UserId":"ada@contoso.com"}}"#
    )
}

fn lines(times: &[&str]) -> String {
    let lines = times.iter().zip(1..);
    lines.map(|(time, id)| record(id, time) + "\n").collect()
}

#[test]
fn audit_records_have_their_time_in_every_spelling() {
    let read = Read::of(
        "xsiam.jsonl",
        lines(&[
            "2026-05-18 09:13:33 UTC",
            "2026-05-18 09:13:34.567 UTC",
            "2026-05-18 11:13:35 +02:00",
            "Mon, 18 May 2026 09:13:36 GMT",
            "18. Mai 2026 09.13.37",
            "lundi 18 mai 2026 à 09:13:38",
            "May 18, 2026, 9:13:39\u{202f}AM",
        ]),
        &[],
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(
        read.times("UnifiedAuditLog"),
        [
            "2026-05-18T09:13:33Z",
            "2026-05-18T09:13:34.567Z",
            "2026-05-18T09:13:35Z",
            "2026-05-18T09:13:36Z",
            "2026-05-18T09:13:37Z",
            "2026-05-18T09:13:38Z",
            "2026-05-18T09:13:39Z",
        ]
    );
}

#[test]
fn a_zone_that_means_several_things_is_not_taken_as_utc() {
    let read = Read::of("zone.jsonl", lines(&["2026-05-18 09:13:33 CST"]), &[]);
    assert_eq!(read.code(), Some(10));
    assert_eq!(read.times("UnifiedAuditLog"), [""]);
}

/// A flat audit CSV as `Get-PowerBIActivityEvent` with Export-Csv writes it.
fn flat(times: &[&str]) -> String {
    let rows = times.iter().zip(1..).map(|(time, id)| {
        format!(
            "\"a1b2c3d4-0000-4000-8000-0000000003{id:02}\",\"20\",\"{time}\",\"ViewReport\",\"ada@contoso.com\"\n"
        )
    });
    let header = "\"Id\",\"RecordType\",\"CreationTime\",\"Operation\",\"UserId\"\n";
    std::iter::once(header.to_string()).chain(rows).collect()
}

#[test]
fn one_day_beyond_twelve_tells_the_order_in_every_reader() {
    let times = ["05/03/2026 10:00:00", "17/03/2026 08:00:00"];
    let want = ["2026-03-05T10:00:00Z", "2026-03-17T08:00:00Z"];
    let trace = "Letter,Received,Friend,Matter,Quarrel\n\
                 a,5/03/2026 10:00:00 am,ada@contoso.com,Plan,x\n\
                 b,17/03/2026 8:00:00 am,ada@contoso.com,Plan,x\n";
    let objects = r#"[{"Colour":"red","eventTimestamp":"05\/03\/2026 10:00:00"},{"Colour":"blue","eventTimestamp":"17/03/2026 08:00:00"}]"#;
    for (name, content, table) in [
        ("flat.csv", flat(&times), "UnifiedAuditLog"),
        ("lines.jsonl", lines(&times), "UnifiedAuditLog"),
        ("trace.csv", trace.to_string(), "OtherRecords"),
        ("objects.json", objects.to_string(), "OtherRecords"),
    ] {
        let read = Read::of(name, content, &[]);
        assert_eq!(read.code(), Some(0), "{name}: {}", read.said());
        assert_eq!(read.times(table), want, "{name}");
    }
}

#[test]
fn dates_that_fit_both_orders_are_refused_in_every_reader_until_one_is_said() {
    let times = ["05/03/2026 10:00:00", "06/03/2026 08:00:00"];
    let objects = r#"{"value":[{"Colour":"red","When Created":"05/03/2026 10:00:00"},{"Colour":"blue","When Created":"06/03/2026 08:00:00"}]}"#;
    for (name, content, table) in [
        ("flat.csv", flat(&times), "UnifiedAuditLog"),
        ("lines.jsonl", lines(&times), "UnifiedAuditLog"),
        ("objects.json", objects.to_string(), "OtherRecords"),
    ] {
        let read = Read::of(name, &content, &[]);
        assert_eq!(read.code(), Some(10), "{name}: {}", read.said());
        assert!(
            read.said().contains("--date-order"),
            "{name}: {}",
            read.said()
        );
        let read = Read::of(name, &content, &["--date-order", "dmy"]);
        assert_eq!(read.code(), Some(0), "{name}: {}", read.said());
        assert_eq!(
            read.times(table),
            ["2026-03-05T10:00:00Z", "2026-03-06T08:00:00Z"],
            "{name}"
        );
    }
}

#[test]
fn dates_beside_the_time_of_a_record_refuse_nothing() {
    let content = "Colour,EventTime,LastModified\nred,2026-05-18T09:13:33Z,05/03/2026 10:00\n";
    let read = Read::of("colours.csv", content, &[]);
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.times("OtherRecords"), ["2026-05-18T09:13:33Z"]);
}

#[test]
fn unknown_tables_have_their_time_from_a_name_that_tells_it() {
    let want = ["2026-05-18T09:13:33Z"];
    for (header, row) in [
        ("Colour,Date (UTC)", "red,2026-05-18 09:13:33"),
        ("Colour,Received", "red,2026-05-18 09:13:33"),
        ("Colour,LastAccessed", "red,\"May 18, 2026 9:13:33 AM\""),
        (
            "Colour,StartTime,EndTime",
            "red,2026-05-18T09:13:33Z,2026-05-19T00:00:00Z",
        ),
        (
            "Colour,ModifiedTime,createdDateTime",
            "red,2026-05-19T00:00:00Z,2026-05-18T09:13:33Z",
        ),
        ("Colour,@timestamp", "red,2026-05-18T09:13:33Z"),
        ("Colour,event_time_utc", "red,2026-05-18T09:13:33Z"),
        ("Colour,AuditData.CreationTime", "red,2026-05-18T09:13:33"),
        ("Colour,Date,Time", "red,18 May 2026,9:13:33 AM"),
        ("Colour,LogDate,LogTime", "red,2026-05-18,09:13:33"),
        ("Colour,epoch", "red,1779095613"),
        ("Colour,_time", "red,1779095613.000"),
        ("Colour,CreationTime_t", "red,2026-05-18T09:13:33Z"),
    ] {
        let read = Read::of("table.csv", format!("{header}\n{row}\n"), &[]);
        assert_eq!(read.code(), Some(0), "{header}: {}", read.said());
        assert_eq!(read.times("OtherRecords"), want, "{header}");
    }
}

#[test]
fn rows_without_a_time_are_in_the_summary_in_gaps_and_in_the_exit_code() {
    let content = "Colour,Moment\nred,2026-05-18T09:13:33Z\nblue,2026-05-19T09:13:33Z\n";
    let read = Read::of("colours.csv", content, &[]);
    assert_eq!(read.code(), Some(10));
    let said = read.said();
    assert!(said.contains("no time      2 events"), "{said}");
    assert!(said.contains("--time-column NAME"), "{said}");
    let gaps = run(&["gaps", "-a", &text(&read.archive())]);
    let gaps = String::from_utf8_lossy(&gaps.stdout).into_owned();
    assert!(
        gaps.contains("no-time") && gaps.contains("colours.csv"),
        "{gaps}"
    );
    let read = Read::of("colours.csv", content, &["--time-column", "moment"]);
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(
        read.times("OtherRecords"),
        ["2026-05-18T09:13:33Z", "2026-05-19T09:13:33Z"]
    );
}

#[test]
fn the_column_that_the_user_names_goes_before_all_others() {
    for (name, content) in [
        (
            "a.csv",
            "Colour,EventTime,Moment\nred,2026-05-01T00:00:00Z,2026-05-18T09:13:33Z\n",
        ),
        (
            "a.jsonl",
            "{\"Colour\":\"red\",\"EventTime\":\"2026-05-01T00:00:00Z\",\"Moment\":\"2026-05-18T09:13:33Z\"}\n",
        ),
    ] {
        let read = Read::of(name, content, &["--time-column", "Moment"]);
        assert_eq!(read.code(), Some(0), "{name}: {}", read.said());
        assert_eq!(
            ask(
                &read.archive(),
                "SELECT TimeGenerated, ExtraColumns->>'EventTime', ExtraColumns->>'Moment' FROM OtherRecords"
            ),
            ["2026-05-18T09:13:33Z|2026-05-01T00:00:00Z|2026-05-18T09:13:33Z"],
            "{name}"
        );
    }
}

#[test]
fn a_time_column_that_no_file_has_is_refused_before_anything_is_read() {
    let content = "Colour,EventTime\nred,2026-05-18T09:13:33Z\n";
    let read = Read::of("colours.csv", content, &["--time-column", "Moment"]);
    assert_eq!(read.code(), Some(2), "{}", read.said());
    assert!(read.said().contains("`Moment`"), "{}", read.said());
    assert!(!read.archive().join("Ingests").exists());
}

/// A row of an audit CSV.
fn row(id: u8, delimiter: char) -> String {
    let json = record(id, "2026-06-14T08:00:00").replace('"', "\"\"");
    format!("{id}{delimiter}2026-06-14T08:00:00.0000000Z{delimiter}\"{json}\"")
}

#[test]
fn small_damage_of_a_csv_costs_no_row_and_no_exit_code() {
    let header = "RecordId,CreationDate,AuditData";
    let (one, two) = (row(1, ','), row(2, ','));
    let semicolons = format!(
        "RecordId;CreationDate;AuditData\r\n{}\r\n{}\r\n",
        row(1, ';'),
        row(2, ';')
    );
    let nul = "\0".repeat(4096);
    for (what, content) in [
        ("sep line", format!("sep=;\r\n{semicolons}")),
        (
            "sep line in quotes",
            format!("\u{feff}\"sep=;\"\r\n{semicolons}"),
        ),
        (
            "sep line of another delimiter",
            format!("SEP=,,\n{semicolons}"),
        ),
        (
            "type and sep lines",
            format!("sep=;\n#TYPE System.Object\n{semicolons}"),
        ),
        (
            "joined files",
            format!("{header}\n{one}\n{header}\n{two}\n"),
        ),
        (
            "joined files with marks",
            format!(
                "{header}\n{one}\n\u{feff}\"RecordId\",\"CreationDate\",\"AuditData\"\n{two}\n"
            ),
        ),
        (
            "joined files of PowerShell",
            format!("#TYPE A\n{header}\n{one}\n#TYPE A\n{header}\n{two}\n"),
        ),
        ("surplus cells", format!("{header}\n{one},,,\n{two}, ,\n")),
        (
            "rows of delimiters",
            format!("{header}\n{one}\n,,\n{two}\n,,,,\n  \n"),
        ),
        ("NUL at the end", format!("{header}\n{one}\n{two}\n{nul}")),
        ("DOS end of file", format!("{header}\n{one}\n{two}\n\u{1a}")),
        ("carriage returns", format!("{header}\r{one}\r{two}\r")),
        (
            "a quote at the end",
            format!("{header}\n{one}\n{two}\n\"\n"),
        ),
        ("one quote too many", format!("{header}\n{one}\n{two}\"\n")),
    ] {
        let read = Read::of("audit.csv", content, &[]);
        assert_eq!(read.code(), Some(0), "{what}: {}", read.said());
        assert_eq!(read.times("UnifiedAuditLog").len(), 2, "{what}");
        assert_eq!(
            ask(&read.archive(), "SELECT Records, Quarantined FROM Ingests"),
            ["2|0"],
            "{what}"
        );
    }
}

#[test]
fn unknown_tables_keep_rows_with_surplus_or_missing_cells_at_the_end() {
    let content = "Colour;EventTime;Note;Remark\n\
                   red;2026-05-18T09:13:33Z;a;b;;\n\
                   green;2026-05-18T09:13:34Z;a;b\n\
                   Colour;EventTime;Note;Remark\n\
                   blue;2026-05-18T09:13:35Z;a;b\n\
                   pink;2026-05-18T09:13:36Z;a;b\n\
                   grey;2026-05-18T09:13:37Z;a;b\n\
                   teal;2026-05-18T09:13:38Z\n";
    let read = Read::of("colours.csv", content, &[]);
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.times("OtherRecords").len(), 6);
    assert!(
        read.said().contains("fewer cells than the header"),
        "{}",
        read.said()
    );
    // What no column names is not thrown away.
    let read = Read::of(
        "colours.csv",
        format!("{content}lime;2026-05-18T09:13:39Z;a;b;c\n"),
        &[],
    );
    assert_eq!(read.code(), Some(10));
    assert_eq!(
        ask(&read.archive(), "SELECT count(*) FROM Quarantine"),
        ["1"]
    );
}

#[test]
fn files_of_lines_may_have_marks_and_padding_inside() {
    let (one, two) = (
        record(1, "2026-06-14T08:00:00"),
        record(2, "2026-06-14T08:00:01"),
    );
    let nul = "\0".repeat(600);
    let read = Read::of(
        "joined.jsonl",
        format!("{one}\n\u{feff}\0\0{two}\n{nul}"),
        &[],
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.times("UnifiedAuditLog").len(), 2);
}

#[test]
fn lists_in_the_spelling_of_python_are_read_as_json() {
    let content = "CreationTime;Id;Operation;RecordType;UserId;ExtendedProperties\n\
        2026-05-25T08:00:00;a1b2c3d4-0000-4000-8000-000000000801;UserLoggedIn;15;ada@contoso.com;[{'Name': 'UserAgent', 'Value': 'Ada\\'s'}, {'Name': 'Keep', 'Value': True}]\n\
        2026-05-25T08:01:00;a1b2c3d4-0000-4000-8000-000000000802;UserLoggedIn;15;ada@contoso.com;[not a list];;;\n";
    let read = Read::of("collector.csv", content, &[]);
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(
        ask(
            &read.archive(),
            "SELECT AuditData->>'ExtendedProperties' FROM UnifiedAuditLog ORDER BY TimeGenerated"
        ),
        [
            r#"[{"Name":"UserAgent","Value":"Ada's"},{"Name":"Keep","Value":true}]"#,
            "[not a list]"
        ]
    );
    let python = "{'CreationTime': '2026-05-25T08:00:00', 'Id': 'x1', 'Operation': 'A', 'RecordType': 15, 'Actor': None}";
    let read = Read::of(
        "audit.csv",
        format!("RecordId,CreationDate,AuditData\n1,2026-05-25T08:00:00Z,\"{python}\"\n"),
        &[],
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(
        ask(
            &read.archive(),
            "SELECT Id, Operation, ExtraColumns->>'AuditData' FROM UnifiedAuditLog"
        ),
        [format!("x1|A|{python}")]
    );
}
