//! Small damage that costs no row: quotes and escapes, remarks, headers and counts between rows, records behind what a log writes.

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
    fn of(name: &str, content: &str) -> Read {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        std::fs::write(&file, content).expect("a file");
        let (file, archive) = (text(&file), text(&folder.path().join("archive")));
        let out = run(&["ingest", &file, "-a", &archive]);
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

    /// Identities in the audit log, in order, without what they have in common.
    fn ids(&self) -> Vec<String> {
        let ids = ask(
            &self.archive(),
            "SELECT Id FROM UnifiedAuditLog ORDER BY Id",
        );
        ids.iter().map(|id| id.replace(COMMON, "")).collect()
    }

    fn quarantined(&self) -> Vec<String> {
        ask(
            &self.archive(),
            "SELECT Reason FROM Quarantine ORDER BY _Record",
        )
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

const COMMON: &str = "a1b2c3d4-0000-4000-8000-0000000000";

/// An audit record as JSON, with these further members.
fn record(id: u8, members: &str) -> String {
    format!(
        r#"{{"CreationTime":"2026-06-14T08:00:00","Id":"{COMMON}{id:02}","Operation":"FileAccessed","RecordType":6,"UserId":"ada@contoso.com"{members}}}"#
    )
}

/// As a cell of a CSV.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

const HEADER: &str = "RecordId,CreationDate,UserId,AuditData";

/// A row of an audit CSV with this in its last cell.
fn row(id: u8, audit: &str) -> String {
    format!("{id},2026-06-14T08:00:00.0000000Z,ada@contoso.com,{audit}")
}

fn plain(id: u8) -> String {
    row(id, &quoted(&record(id, "")))
}

#[test]
fn damaged_records_in_cells_are_read_as_what_they_mean() {
    let one = record(1, "");
    let string = serde_json::to_string(&one).expect("a string is JSON");
    for (what, cell) in [
        ("a string", quoted(&string)),
        ("escaped", quoted(&one.replace('"', "\\\""))),
        (
            "escaped in place of doubled",
            format!("\"{}\"", one.replace('"', "\\\"")),
        ),
        ("doubled twice", quoted(&one.replace('"', "\"\""))),
        ("HTML", quoted(&one.replace('"', "&quot;"))),
        ("HTML by numbers", quoted(&one.replace('"', "&#34;"))),
        ("a list of one", quoted(&format!("[{one}]"))),
        ("single quotes around", quoted(&format!("'{one}'"))),
        ("quotes of typographers", quoted(&one.replace('"', "“"))),
        ("single quotes", quoted(&one.replace('"', "'"))),
        ("a comma too many", quoted(&one.replace("}", ",}"))),
        (
            "not a number",
            quoted(&record(1, r#","X":NaN,"Y":-Infinity"#)),
        ),
        ("a remark", quoted(&one.replace("{", "{/* x */"))),
        ("no quotes", one.clone()),
    ] {
        let content = format!("{HEADER}\n{}\n{}\n", row(1, &cell), plain(2));
        let read = Read::of("audit.csv", &content);
        assert_eq!(read.code(), Some(0), "{what}: {}", read.said());
        assert_eq!(read.ids(), ["01", "02"], "{what}");
    }
}

#[test]
fn records_that_are_cut_off_stay_in_quarantine() {
    let one = record(1, "");
    let content = format!("{HEADER}\n{}\n{}\n", row(1, &quoted(&one[..60])), plain(2));
    let read = Read::of("audit.csv", &content);
    assert_eq!(read.code(), Some(10));
    assert_eq!(read.ids(), ["02"]);
    assert_eq!(read.quarantined().len(), 1);
}

#[test]
fn lines_in_quotes_as_a_whole_are_rows() {
    let all = [HEADER.to_string(), plain(1), plain(2)];
    let whole: Vec<String> = all.iter().map(|line| quoted(line)).collect();
    for (what, lines) in [
        ("all", whole.join("\n")),
        ("with carriage returns", whole.join("\r\n")),
        (
            "rows alone",
            format!("{HEADER}\n{}\n{}", whole[1], whole[2]),
        ),
        ("some rows", format!("{HEADER}\n{}\n{}", all[1], whole[2])),
    ] {
        let read = Read::of("audit.csv", &format!("{lines}\n"));
        assert_eq!(read.code(), Some(0), "{what}: {}", read.said());
        assert_eq!(read.ids(), ["01", "02"], "{what}");
    }
    let read = Read::of(
        "colours.csv",
        "\"Colour;EventTime\"\n\"red;2026-05-18T09:13:33Z\"\n\"blue;2026-05-18T09:13:34Z\"\n",
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(
        ask(
            &read.archive(),
            "SELECT ExtraColumns->>'Colour', TimeGenerated FROM OtherRecords ORDER BY _Record"
        ),
        ["red|2026-05-18T09:13:33Z", "blue|2026-05-18T09:13:34Z"]
    );
}

#[test]
fn what_tools_write_between_and_around_rows_is_no_row() {
    let (one, two) = (plain(1), plain(2));
    for (what, content) in [
        (
            "header in lower case",
            format!("{HEADER}\n{one}\n{}\n{two}\n", HEADER.to_lowercase()),
        ),
        (
            "header with blanks",
            format!(
                "{HEADER}\n{one}\n\u{feff}{}\n{two}\n",
                HEADER.replace(',', ", ")
            ),
        ),
        (
            "count of rows",
            format!("{HEADER}\n{one}\n{two}\n\n(2 rows affected)\n"),
        ),
        ("total", format!("{HEADER}\n{one}\n{two}\nTotal: 2\n")),
        (
            "total in cells",
            format!("{HEADER}\n{one}\n{two}\nTotal,2,,\n"),
        ),
        (
            "dashes",
            format!("{HEADER}\n--------,------------,------,---------\n{one}\n{two}\n"),
        ),
        (
            "title",
            format!("Audit log search results\nExported 14 June 2026\n\n{HEADER}\n{one}\n{two}\n"),
        ),
        (
            "title in cells",
            format!("Report: Audit,,,\nRange: 1,,,\n,,,\n{HEADER}\n{one}\n{two}\n"),
        ),
        (
            "remark",
            format!("# exported by a tool\n{HEADER}\n{one}\n{two}\n"),
        ),
    ] {
        let read = Read::of("audit.csv", &content);
        assert_eq!(read.code(), Some(0), "{what}: {}", read.said());
        assert_eq!(read.ids(), ["01", "02"], "{what}");
        assert_eq!(
            ask(&read.archive(), "SELECT Records, Quarantined FROM Ingests"),
            ["2|0"],
            "{what}"
        );
    }
    let read = Read::of(
        "colours.csv",
        "Colour,EventTime,Note\n------,---------,----\nred,2026-05-18T09:13:33Z,x\n(1 row(s) affected)\n\nCompletion time: 2026-05-18T09:13:40.1234567+02:00\n",
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert!(read.said().contains("3 lines"), "{}", read.said());
    assert_eq!(
        ask(&read.archive(), "SELECT count(*) FROM OtherRecords"),
        ["1"]
    );
}

#[test]
fn a_header_of_other_columns_inside_a_file_is_told() {
    let content = "Colour,EventTime,Note\nred,2026-05-18T09:13:33Z,x\n\
        EventTime,Colour,Case\n2026-05-18T09:13:34Z,blue,y\n";
    let read = Read::of("colours.csv", content);
    assert_eq!(read.code(), Some(10), "{}", read.said());
    let reasons = read.quarantined();
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].contains("the header of another file"),
        "{reasons:?}"
    );
}

#[test]
fn a_row_that_looks_like_a_count_but_fills_its_columns_is_a_row() {
    let content = "Colour,EventTime\ntotal,2026-05-18T09:13:33Z\n12,2026-05-18T09:13:34Z\n";
    let read = Read::of("colours.csv", content);
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(
        ask(&read.archive(), "SELECT count(*) FROM OtherRecords"),
        ["2"]
    );
}

#[test]
fn damaged_json_is_read_as_what_it_means() {
    let (one, two) = (record(1, ""), record(2, ""));
    let single = |text: &str| text.replace('"', "'");
    let string = |text: &str| serde_json::to_string(text).expect("a string is JSON");
    for (what, content) in [
        (
            "commas too many",
            format!("[{},\n{}]", one.replace('}', ",}"), two.replace('}', ",}")),
        ),
        (
            "single quotes",
            format!("[{},{}]", single(&one), single(&two)),
        ),
        (
            "lines of Python",
            format!("{}\n{}\n", single(&one), single(&record(2, r#","X":None"#))),
        ),
        ("one line of Python", format!("{one}\n{}\n", single(&two))),
        (
            "not a number",
            format!("{}\n{two}\n", record(1, r#","X":NaN,"Y":-Infinity"#)),
        ),
        ("strings", format!("{}\n{}\n", string(&one), string(&two))),
        (
            "escaped",
            format!(
                "{}\n{}\n",
                one.replace('"', "\\\""),
                two.replace('"', "\\\"")
            ),
        ),
        (
            "HTML",
            format!(
                "{}\n{}\n",
                one.replace('"', "&quot;"),
                two.replace('"', "&quot;")
            ),
        ),
        (
            "words as keys",
            format!("[{},{two}]", one.replace("\"Operation\"", "Operation")),
        ),
        ("remark before", format!("// exported\n[{one},{two}]")),
        ("remark between", format!("[{one},\n// the next\n{two}]")),
        ("remark of C", format!("/* exported */\n[{one},{two}]")),
        ("remark of a shell", format!("# exported\n{one}\n{two}\n")),
        ("a variable", format!("var data = [{one},{two}];\n")),
        ("a call", format!("callback([{one},{two}]);")),
        ("a guard", format!(")]}}',\n[{one},{two}]")),
        (
            "a warning",
            format!("WARNING: Your connection was redirected\n[{one},{two}]\n"),
        ),
        ("Markdown", format!("```json\n[{one},{two}]\n```\n")),
        (
            "a count below",
            format!("{one}\n{two}\n(2 rows affected)\n"),
        ),
    ] {
        let read = Read::of("audit.json", &content);
        assert_eq!(read.code(), Some(0), "{what}: {}", read.said());
        assert_eq!(read.ids(), ["01", "02"], "{what}");
    }
}

#[test]
fn records_behind_what_a_log_writes_are_read() {
    let (one, two) = (record(1, ""), record(2, ""));
    for before in [
        "<134>1 2026-06-14T08:00:01Z host o365 - - - ",
        "Jun 14 08:00:01 host o365[12]: ",
        "2026-06-14T08:00:01.123456+02:00 host o365: ",
        "@cee: ",
        "- o365 - ",
        "2026-06-14 08:00:01,123 - collector - INFO - ",
        "[2026-06-14 08:00:01] [INFO] ",
        "2026-06-14T08:00:01.123456789Z stdout F ",
        "audit.json:12:",
    ] {
        let read = Read::of("audit.log", &format!("{before}{one}\n{before}{two}\n"));
        assert_eq!(read.code(), Some(0), "{before}: {}", read.said());
        assert_eq!(read.ids(), ["01", "02"], "{before}");
        assert!(
            read.said().contains("2 records stand behind"),
            "{}",
            read.said()
        );
    }
    let info = "2026-06-14 08:00:01 [INFO] ";
    let read = Read::of(
        "audit.log",
        &format!("{info}started\n{info}{one}\n{info}{two}\n{info}done\n"),
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.ids(), ["01", "02"]);
    assert!(
        read.said().contains("2 lines have no record"),
        "{}",
        read.said()
    );
    // What a tool said before it wrote records is none, and goes to quarantine with its place.
    let read = Read::of(
        "audit.log",
        &format!("Connecting to the service\n{one}\n{two}\n"),
    );
    assert_eq!(read.code(), Some(10), "{}", read.said());
    assert_eq!(read.ids(), ["01", "02"]);
    assert_eq!(read.quarantined().len(), 1);
    // A record that another tool wrapped may stand there as well.
    let wrapped = format!(r#"{{"data":{{"office365":{one}}}}}"#);
    let read = Read::of("wazuh.log", &format!("wazuh: {wrapped}\n"));
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.ids(), ["01"]);
}

#[test]
fn logs_and_tables_that_only_hold_json_are_what_they_were() {
    let one = record(1, "");
    // A CSV with tabs keeps its other cells.
    let read = Read::of(
        "audit.tsv",
        &format!("RecordId\tCreationDate\tCase\tAuditData\n1\t2026-06-14T08:00:00Z\tblue\t{one}\n"),
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(
        ask(
            &read.archive(),
            "SELECT ExtraColumns->>'Case' FROM UnifiedAuditLog"
        ),
        ["blue"]
    );
    // The text of Format-List is read as such.
    let read = Read::of(
        "audit.txt",
        &format!("RecordType : 6\nAuditData  : {one}\n\n"),
    );
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert_eq!(read.ids(), ["01"]);
    // Without a header nothing says which column is which, and no row is taken for one.
    let (first, second) = (plain(1), plain(2));
    for content in [
        format!("{first}\n{second}\n"),
        format!("{}\n{}\n", quoted(&one), quoted(&record(2, ""))),
    ] {
        let read = Read::of("rows.csv", &content);
        assert_eq!(read.code(), Some(10), "{}", read.said());
        assert!(read.said().contains("unreadable"), "{}", read.said());
    }
}

#[test]
fn what_powershell_cut_off_is_kept_as_text_and_told() {
    let members = r#","Actor":["@{ID=ada; Type=5}"],"A":"System.Object[]","B":"System.Collections.Hashtable","C":"System.Collections.Generic.List`1[System.Object]""#;
    let read = Read::of("audit.json", &format!("[{}]", record(1, members)));
    assert_eq!(read.code(), Some(0), "{}", read.said());
    assert!(read.said().contains("4 nested values"), "{}", read.said());
    assert_eq!(
        ask(
            &read.archive(),
            "SELECT AuditData->>'B' FROM UnifiedAuditLog"
        ),
        ["System.Collections.Hashtable"]
    );
}
