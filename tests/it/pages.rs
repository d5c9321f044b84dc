//! Answers that break off, records that a broken one of their list swallows, marks between texts, rows in another encoding than their file.

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
    fn of(name: &str, content: impl AsRef<[u8]>) -> Read {
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

    /// Records, events and those in quarantine.
    fn counts(&self) -> String {
        let sql = "SELECT Records, Events, Quarantined FROM Ingests";
        ask(&self.archive(), sql).join("\n")
    }

    fn note(&self) -> String {
        ask(&self.archive(), "SELECT Note FROM Ingests").join("\n")
    }

    fn ids(&self) -> Vec<String> {
        let sql = "SELECT Id FROM UnifiedAuditLog ORDER BY Id";
        let ids = ask(&self.archive(), sql);
        ids.iter().map(|id| id.replace(COMMON, "")).collect()
    }

    fn reasons(&self) -> String {
        ask(&self.archive(), "SELECT Reason FROM Quarantine").join("\n")
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

const COMMON: &str = "a1b2c3d4-0000-4000-8000-0000000000";

/// An audit record as JSON, with these further members.
fn record_with(id: usize, members: &str) -> String {
    format!(
        r#"{{"CreationTime":"2026-06-14T08:00:00","Id":"{COMMON}{id:02}","Operation":"FileAccessed","RecordType":6,"UserId":"ada@contoso.com"{members}}}"#
    )
}

fn record(id: usize) -> String {
    record_with(id, "")
}

/// A record cut off in its last text.
fn half(id: usize) -> String {
    let whole = record(id);
    whole[..whole.len() - 5].into()
}

/// What may be left of a record, and what that is.
fn damages(id: usize) -> [(&'static str, String); 4] {
    let whole = record(id);
    [
        ("no brace", whole[..whole.len() - 1].into()),
        ("no quote", whole.replace("com\"}", "com}")),
        ("cut off in a text", half(id)),
        ("cut off behind a comma", whole[..82].into()),
    ]
}

#[test]
fn an_answer_that_breaks_off_is_never_empty() {
    let half = half(1);
    for (what, content, counts) in [
        (
            "Graph",
            format!(r#"{{"@odata.context":"x","value":[{half}"#),
            "1|0|1",
        ),
        (
            "Power BI",
            format!(r#"{{"activityEventEntities":[{half}"#),
            "1|0|1",
        ),
        ("diagnostics", r#"{"records":["#.into(), "0|0|0"),
        (
            "behind a record",
            format!(r#"{{"value":[{},"#, record(1)),
            "1|1|0",
        ),
        (
            "rows",
            r#"{"tables":[{"columns":[{"name":"TimeGenerated"},{"name":"Type"},{"name":"Operation"}],"rows":[["2026-05-01T00:00:00Z","OfficeActivity","Fi"#
                .into(),
            "1|0|1",
        ),
        (
            "no row",
            r#"{"tables":[{"columns":[{"name":"TimeGenerated"},{"name":"Type"}],"rows":["#.into(),
            "0|0|0",
        ),
    ] {
        let read = Read::of("page.json", content);
        assert_eq!(read.code(), Some(10), "{what}: {}", read.note());
        assert_eq!(read.counts(), counts, "{what}: {}", read.note());
    }
    for empty in [r#"{"value":[]}"#, r#"{"@odata.context":"x","value":[ ]}"#] {
        let read = Read::of("page.json", empty);
        assert_eq!(read.code(), Some(0), "{empty}");
        assert_eq!(read.note(), "the answer has no records", "{empty}");
    }
}

#[test]
fn a_first_record_longer_than_what_tells_the_format_is_read() {
    let long = record_with(1, &format!(r#","Pad":"{}""#, "ä".repeat(1_500_000)));
    for (what, content) in [
        ("a page", format!(r#"{{"value":[{long},{}]}}"#, record(2))),
        (
            "events",
            format!(r#"{{"count":2,"value":[{long},{}]}}"#, record(2)),
        ),
        ("an array", format!("[{long},{}]", record(2))),
    ] {
        let read = Read::of("page.json", content);
        assert_eq!(read.code(), Some(0), "{what}: {}", read.note());
        assert_eq!(read.counts(), "2|2|0", "{what}");
    }
}

#[test]
fn a_broken_record_costs_no_other_one() {
    /// Records of a list.
    const ALL: usize = 5;
    // One has objects in it that begin as records do.
    let whole = |id: usize| match id {
        4 => record_with(
            4,
            r#","Items":[{"CreationTime":"x","Id":"y"},{"CreationTime":"x","Id":"z"}]"#,
        ),
        id => record(id),
    };
    for broken in [1, 3, ALL] {
        for (damage, left) in damages(broken) {
            let records: Vec<String> = (1..=ALL)
                .map(|id| match id == broken {
                    true => left.clone(),
                    false => whole(id),
                })
                .collect();
            let (line, lines) = (records.join(","), records.join(",\n"));
            for (form, content) in [
                ("an array", format!("[{line}]")),
                ("an array of lines", format!("[{lines}]")),
                ("lines in brackets", format!("[\n{lines}\n]\n")),
                ("a page", format!(r#"{{"value":[{line}]}}"#)),
                (
                    "a page of lines",
                    format!(r#"{{"@odata.context":"x","value":[{lines}]}}"#),
                ),
                (
                    "two pages",
                    format!(r#"{{"value":[{line}]}}{}{{"value":[{}]}}"#, "\n", record(6)),
                ),
            ] {
                let what = format!("{form}, record {broken}, {damage}");
                let read = Read::of("export.json", &content);
                let more = usize::from(form == "two pages");
                let want: Vec<String> = (1..=ALL + more)
                    .filter(|id| *id != broken)
                    .map(|id| format!("{id:02}"))
                    .collect();
                assert_eq!(read.code(), Some(10), "{what}");
                assert_eq!(read.ids(), want, "{what}: {}", read.reasons());
                let counts = format!("{}|{}|1", ALL + more, ALL - 1 + more);
                assert_eq!(read.counts(), counts, "{what}: {}", read.reasons());
            }
        }
    }
}

#[test]
fn a_brace_too_many_costs_nothing() {
    for (what, content) in [
        ("an array", format!("[{}}},{}]", record(1), record(2))),
        (
            "a page",
            format!(r#"{{"value":[{}}},{}]}}"#, record(1), record(2)),
        ),
    ] {
        let read = Read::of("export.json", content);
        assert_eq!(read.ids(), ["01", "02"], "{what}: {}", read.reasons());
    }
}

#[test]
fn a_sequence_of_texts_has_a_mark_before_each() {
    let mark = '\u{1e}';
    for (what, content) in [
        (
            "records",
            format!("{mark}{}\n{mark}{}\n", record(1), record(2)),
        ),
        (
            "no line ends",
            format!("{mark}{}{mark}{}", record(1), record(2)),
        ),
        ("a list", format!("{mark}[{},{}]\n", record(1), record(2))),
        (
            "pages",
            format!(
                "{mark}{{\"value\":[{}]}}\n{mark}{{\"value\":[{}]}}\n",
                record(1),
                record(2)
            ),
        ),
    ] {
        let read = Read::of("export.json", content);
        assert_eq!(read.code(), Some(0), "{what}: {}", read.note());
        assert_eq!(read.counts(), "2|2|0", "{what}: {}", read.note());
        assert_eq!(read.ids(), ["01", "02"], "{what}");
    }
}

#[test]
fn a_line_with_an_object_is_no_header() {
    for quote in ["'", "`"] {
        let content = format!("{quote}{}{quote}\n{quote}{}{quote}\n", record(1), record(2));
        let read = Read::of("export.jsonl", content);
        assert_eq!(read.code(), Some(0), "{}", read.note());
        assert_eq!(read.ids(), ["01", "02"], "{}", read.note());
    }
    let strange = format!("~{}\n~{}\n", record(1), record(2));
    let read = Read::of("export.jsonl", strange);
    assert_eq!(read.code(), Some(10), "{}", read.note());
    assert_eq!(read.counts(), "0|0|0", "{}", read.note());
}

/// A row of an audit CSV.
fn row(id: usize, user: &str) -> String {
    let audit = record(id).replace("ada@", user).replace('"', "\"\"");
    format!("{id},2026-06-14T08:00:00Z,{user}contoso.com,\"{audit}\"\r\n")
}

const HEADER: &str = "RecordId,CreationDate,UserId,AuditData\r\n";

#[test]
fn a_row_in_windows_1252_is_read_in_a_file_in_utf_8() {
    let mut content = format!("{HEADER}{}", row(1, "jürgen@")).into_bytes();
    let odd = row(2, "jos~@").into_bytes();
    content.extend(odd.iter().map(|b| match b {
        b'~' => 0xe9,
        b => *b,
    }));
    let read = Read::of("audit.csv", &content);
    assert_eq!(read.code(), Some(0), "{}", read.reasons());
    let users = ask(
        &read.archive(),
        "SELECT UserId FROM UnifiedAuditLog ORDER BY Id",
    );
    assert_eq!(users, ["jürgen@contoso.com", "josé@contoso.com"]);
    let note = read.note();
    assert!(note.contains("read as Windows-1252"), "{note}");
    // A byte that Windows-1252 does not have is damage.
    let mut content = format!("{HEADER}{}", row(1, "jürgen@")).into_bytes();
    content.extend(row(2, "josé@").bytes().map(|b| match b {
        0xc3 => 0x81,
        b => b,
    }));
    let read = Read::of("audit.csv", content);
    assert_eq!(read.counts(), "2|1|1", "{}", read.note());
    assert_eq!(read.reasons(), "not valid UTF-8");
}

#[test]
fn a_row_of_bytes_in_a_file_in_utf_16_is_told() {
    let wide = |text: &str| -> Vec<u8> {
        let units = text.encode_utf16();
        units.flat_map(u16::to_le_bytes).collect()
    };
    let first = wide(&format!("\u{feff}{HEADER}{}", row(1, "jürgen@")));
    let content = [first, row(2, "ada@").into_bytes()].concat();
    let read = Read::of("audit.csv", content);
    assert_eq!(read.code(), Some(10), "{}", read.note());
    assert_eq!(read.counts(), "2|1|1", "{}", read.note());
    let reason = read.reasons();
    assert!(reason.starts_with("the encoding changes here"), "{reason}");
}
