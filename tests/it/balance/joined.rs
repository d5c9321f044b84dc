//! Files that were joined to others of their kind or of another, marks and padding between: no record is lost, and none is made up.

use std::path::{Path, PathBuf};

use super::balanced;
use crate::command_line::run;
use crate::{ask, project};

/// What became of a file: exit code, and records, events, duplicates and quarantined.
struct Read {
    _folder: tempfile::TempDir,
    archive: PathBuf,
    code: Option<i32>,
    counts: [u64; 4],
}

fn read(content: &[u8]) -> Read {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let file = folder.path().join("export");
    std::fs::write(&file, content).expect("a file");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let code = run(&["ingest", &text(&file), "-a", &text(&archive)])
        .status
        .code();
    let entries = balanced(&archive);
    let [entry] = &entries[..] else {
        panic!("one file: {entries:?}");
    };
    let counts = [
        entry.records,
        entry.events(),
        entry.duplicates,
        entry.quarantined,
    ];
    Read {
        _folder: folder,
        archive,
        code,
        counts,
    }
}

fn record(n: u32) -> String {
    format!(
        r#"{{"CreationTime":"2026-05-06T11:10:{n:02}","Id":"e{n}","Operation":"FileAccessed","RecordType":6,"UserId":"ada@contoso.com"}}"#
    )
}

fn page(records: &[u32]) -> String {
    let records: Vec<String> = records.iter().map(|n| record(*n)).collect();
    format!(
        r#"{{"@odata.context":"https://example.org/$metadata","value":[{}],"@odata.nextLink":"https://example.org/2"}}"#,
        records.join(",")
    )
}

#[test]
fn what_follows_a_page_is_no_part_of_it() {
    let nested = record(3).replace(
        "\"RecordType\"",
        r#""Extended":[{"Name":"x","value":["a","b"]}],"RecordType""#,
    );
    let half = &page(&[3])[..40];
    for (what, content, code, counts) in [
        (
            "lines",
            format!("{}\n{}\n{}\n", page(&[1, 2]), record(3), record(4)),
            0,
            [4, 4, 0, 0],
        ),
        (
            "an array",
            format!("{}[{},\n{}]", page(&[1, 2]), record(3), record(4)),
            0,
            [4, 4, 0, 0],
        ),
        (
            "pages",
            format!("{}\n\u{feff}{}{}", page(&[1, 2]), page(&[]), page(&[2, 3])),
            0,
            [4, 3, 1, 0],
        ),
        (
            "an array of that name in it",
            format!("{}{nested}{}", page(&[1, 2]), page(&[4])),
            0,
            [4, 4, 0, 0],
        ),
        (
            "half a page",
            format!("{}{half}", page(&[1, 2])),
            10,
            [3, 2, 0, 1],
        ),
        (
            "text",
            format!("{}\nand so on\n{}", page(&[1]), page(&[2])),
            10,
            [3, 2, 0, 1],
        ),
        (
            "a bracket too many in it",
            page(&[1, 2]).replacen("},{", "}],{", 1) + &page(&[3]),
            0,
            [3, 3, 0, 0],
        ),
        (
            "an error",
            page(&[1]) + r#"{"error":{"code":"UnknownError","message":""}}"# + &page(&[2]),
            10,
            [3, 2, 0, 1],
        ),
    ] {
        let read = read(content.as_bytes());
        assert_eq!((read.code, read.counts), (Some(code), counts), "{what}");
    }
}

#[test]
fn each_of_several_query_answers_has_its_own_columns() {
    let answer = |columns: &[&str], rows: &str| {
        let columns: Vec<String> = columns
            .iter()
            .map(|name| format!(r#"{{"name":"{name}","type":"string"}}"#))
            .collect();
        format!(
            r#"{{"tables":[{{"name":"PrimaryResult","columns":[{}],"rows":[{rows}]}}]}}"#,
            columns.join(",")
        )
    };
    let one = answer(
        &[
            "TimeGenerated",
            "Type",
            "OfficeWorkload",
            "Operation",
            "UserId",
        ],
        r#"["2026-05-01T00:00:00Z","OfficeActivity","Exchange","A","ada@contoso.com"]"#,
    );
    let other = answer(
        &[
            "UserId",
            "Operation",
            "OfficeWorkload",
            "Type",
            "TimeGenerated",
        ],
        r#"["bob@contoso.com","B","Exchange","OfficeActivity","2026-05-02T00:00:00Z"],
           ["eve@contoso.com","C","Exchange","OfficeActivity","2026-05-03T00:00:00Z"]"#,
    );
    for between in ["", "\n", "\u{feff}"] {
        let read = read(format!("{one}{between}{other}").as_bytes());
        assert_eq!((read.code, read.counts), (Some(0), [3, 3, 0, 0]));
        let rows = ask(
            &read.archive,
            "SELECT \"Operation\", \"UserId\" FROM stored.\"OfficeActivity\" ORDER BY 1",
        );
        assert_eq!(
            rows,
            [
                "A|ada@contoso.com",
                "B|bob@contoso.com",
                "C|eve@contoso.com"
            ]
        );
    }
}

#[test]
fn marks_between_files_and_padding_after_them_are_no_records() {
    let log = project("sample-data/rms/rms-usage.log");
    let log = std::fs::read_to_string(log).expect("a sample");
    let list = |n: u32| {
        let data = record(n);
        format!(
            "RecordType   : 6\r\nUserIds      : ada@contoso.com\r\nAuditData    : {data}\r\n\r\n"
        )
    };
    let splunk = |n: u32| {
        let raw = serde_json::to_string(&record(n)).expect("a string is JSON");
        format!("{{\"preview\":false,\"result\":{{\"_raw\":{raw}}}}}\n")
    };
    let array = format!("[\n{},\n{}\n]\n", record(1), record(2));
    for (what, one, records) in [
        ("a W3C log", log, 25),
        ("Format-List", list(1) + &list(2), 2),
        ("Splunk", splunk(1) + &splunk(2), 2),
        ("an array", array, 2),
        ("lines", record(1) + "\n", 1),
        ("pages", page(&[1, 2]) + "\n", 2),
    ] {
        for filling in ["\0".repeat(700), "\u{1a}".into()] {
            let content = format!("{one}\n\u{feff}{one}{filling}");
            let read = read(content.as_bytes());
            let counts = [2 * records, records, records, 0];
            assert_eq!((read.code, read.counts), (Some(0), counts), "{what}");
        }
    }
}

#[test]
fn text_in_utf_8_before_text_in_utf_16_is_not_lost_in_it() {
    let rows = |count: u32| {
        let mut text = String::from("RecordId,CreationDate,AuditData\r\n");
        for n in 0..count {
            let cell = record(n).replace('"', "\"\"");
            text += &format!("e{n},2026-05-06T11:10:{n:02},\"{cell}\"\r\n");
        }
        text
    };
    let wide: Vec<u8> = rows(9).encode_utf16().flat_map(u16::to_le_bytes).collect();
    for before in [1, 3, 20] {
        let read = read(&[rows(before).as_bytes(), &wide[..]].concat());
        let records = read.counts[0];
        // Either it is not read at all, which is said, or no row is missing.
        let all = records == 0 || records >= u64::from(before) + 9;
        assert!(all, "{before} rows before: {records}");
        assert_eq!(read.code, Some(10), "{before} rows before");
    }
    assert_eq!(read(&wide).counts, [9, 9, 0, 0]);
}
