//! Exports in any order of time become the same archive, and small days do not pay for columns that are empty.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::basic::Compression;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::ask;
use crate::command_line::run;

const RECORDS: usize = 1200;
const DAYS: usize = 40;

/// A record of a day; each other day has objects, and text that is longer than what is read in one step. Those of a day are no small column.
fn record(n: usize) -> String {
    let (day, minute) = (n * DAYS / RECORDS, n % 60);
    let time = format!(
        "2026-{:02}-{:02}T10:{minute:02}:00",
        5 + day / 30,
        1 + day % 30
    );
    let object = match day % 2 {
        0 => format!(r#","ObjectId":"https://contoso/é/{}""#, "x".repeat(n % 700)),
        _ => String::new(),
    };
    format!(
        r#"{{"Id":"{n:08}-0000-4000-8000-000000000001","CreationTime":"{time}","Operation":"Op{}","UserId":"user{}@contoso.com","Own":{{"n":{n},"text":"{}"}}{object}}}"#,
        n % 3,
        n % 50,
        "long ".repeat(120)
    )
}

fn csv(order: &[usize]) -> String {
    let mut out = String::from("RecordId,CreationDate,RecordType,Operation,UserId,AuditData\r\n");
    for n in order {
        let data = record(*n).replace('"', "\"\"");
        out.push_str(&format!("{n},6/1/2026 1:00:00 AM,1,Op,u,\"{data}\"\r\n"));
    }
    out
}

fn lines(order: &[usize]) -> String {
    order.iter().map(|n| record(*n) + "\n").collect()
}

fn ingest(folder: &Path, name: &str, content: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, content).expect("a file");
    let archive = folder.join(format!("{name}.archive"));
    let (file, path) = (file.to_string_lossy(), archive.to_string_lossy());
    let out = run(&["ingest", &file, "-a", &path]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let out = run(&["verify", "-a", &path]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    archive
}

/// The files of a table.
fn parts(archive: &Path, table: &str) -> Vec<PathBuf> {
    walkdir::WalkDir::new(archive.join(table))
        .into_iter()
        .map(|entry| entry.expect("an entry").into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
        .collect()
}

#[test]
fn the_order_of_an_export_does_not_matter() {
    let folder = tempfile::tempdir().expect("a folder");
    let by_time: Vec<usize> = (0..RECORDS).collect();
    let latest_first: Vec<usize> = (0..RECORDS).rev().collect();
    // 7,919 is a prime: each record once.
    let mixed: Vec<usize> = (0..RECORDS).map(|n| n * 7919 % RECORDS).collect();
    // Each is in the file before, too.
    let twice: Vec<usize> = mixed.iter().chain(&by_time).copied().collect();
    assert_eq!(mixed.iter().collect::<BTreeSet<_>>().len(), RECORDS);
    let mut before: Option<Vec<String>> = None;
    for (name, content) in [
        ("by-time.jsonl", lines(&by_time)),
        ("latest-first.jsonl", lines(&latest_first)),
        ("mixed.jsonl", lines(&mixed)),
        ("twice.jsonl", lines(&twice)),
        ("by-time.csv", csv(&by_time)),
        ("mixed.csv", csv(&mixed)),
    ] {
        let archive = ingest(folder.path(), name, &content);
        assert_eq!(parts(&archive, "UnifiedAuditLog").len(), DAYS, "{name}");
        let rows = ask(
            &archive,
            "SELECT Id, TimeGenerated, Operation, UserId, ObjectId, Workload, AuditData FROM UnifiedAuditLog ORDER BY Id",
        );
        assert_eq!(rows.len(), RECORDS, "{name}");
        match &before {
            None => before = Some(rows),
            Some(before) => assert_eq!(*before, rows, "{name}"),
        }
    }
}

#[test]
fn columns_that_are_empty_or_small_are_not_compressed() {
    let folder = tempfile::tempdir().expect("a folder");
    let order: Vec<usize> = (0..RECORDS).collect();
    let archive = ingest(folder.path(), "by-time.jsonl", &lines(&order));
    for path in parts(&archive, "UnifiedAuditLog") {
        let reader =
            SerializedFileReader::new(File::open(&path).expect("a part")).expect("Parquet");
        let metadata = reader.metadata();
        assert_eq!(metadata.num_row_groups(), 1);
        for column in metadata.row_group(0).columns() {
            let name = column.column_path().string();
            let is_small = column.uncompressed_size() < 4096;
            let is_plain = column.compression() == Compression::UNCOMPRESSED;
            if name == "AuditData" {
                assert!(!is_plain, "{name} of {}", path.display());
            } else if is_small {
                assert!(is_plain, "{name} of {}", path.display());
            }
            if name == "Workload" {
                assert_eq!(column.dictionary_page_offset(), None);
            }
        }
    }
}
