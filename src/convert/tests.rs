//! An ingest in which parts of coldtrail fail.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;

use super::blocks::Piece;
use super::steps::Steps;
use super::{Choice, Fault, Options, STEPS, Summary, ingest_with, store};
use crate::archive::Archive;
use crate::archive::ledger::Status;
use crate::archive::part::{self, Part};
use crate::catalog::{self, Table};
use crate::fault::{Error, Result};
use crate::ingest::block::{self, Block, Converted};
use crate::ingest::format::Format;
use crate::ingest::input::{self, Found, Input};
use crate::progress::{Progress, Silent};

/// The user of a record that faulty steps stumble over.
const MARK: &str = "stumble@contoso.com";

fn convert(format: &Arc<Format>, block: &Block) -> Converted {
    assert!(
        memchr::memmem::find(&block.bytes, MARK.as_bytes()).is_none(),
        "a column too few"
    );
    block::convert(format, block)
}

fn place(rows: &Piece, schema: &SchemaRef, ingest: i64, base: u64) -> Result<RecordBatch> {
    let batch = store::with_lineage(rows, schema, ingest, base)?;
    assert!(!is_marked(&batch), "a column too few");
    Ok(batch)
}

fn write(
    staging: &Path,
    table: &Table,
    date: Option<&str>,
    name: &str,
    rows: &[RecordBatch],
) -> Result<Part> {
    assert!(!rows.iter().any(is_marked), "a column too few");
    part::write(staging, table, date, name, rows)
}

fn is_marked(rows: &RecordBatch) -> bool {
    let users = rows.column_by_name("UserId");
    users.is_some_and(|users| {
        users
            .as_string::<i32>()
            .iter()
            .any(|user| user == Some(MARK))
    })
}

/// Steps of which one is faulty.
const FAULTY: [Steps; 3] = [
    Steps { convert, ..STEPS },
    Steps { place, ..STEPS },
    Steps { write, ..STEPS },
];

fn record(n: usize, user: &str) -> String {
    format!(
        r#"{{"Id":"e{n}","CreationTime":"2026-05-{:02}T00:00:00","Operation":"X","UserId":"{user}","ObjectId":"{}"}}"#,
        1 + n % 28,
        "x".repeat(100)
    )
}

/// Audit records of several blocks, one of them marked.
fn export(file: &Path, from: usize, marked: usize) {
    let mut text = String::new();
    for n in from..from + 30_000 {
        let user = match n == marked {
            true => MARK,
            false => "bob@contoso.com",
        };
        writeln!(text, "{}", record(n, user)).expect("a String takes it");
    }
    assert!(text.len() > 2 * block::BLOCK_BYTES);
    std::fs::write(file, text).expect("a file");
}

fn ingest(steps: Steps, folder: &Path, files: &[PathBuf], options: &Options) -> Result<Summary> {
    let names: Vec<String> = files
        .iter()
        .map(|f| f.to_string_lossy().into_owned())
        .collect();
    let found = input::find(&names).expect("the files are there");
    ingest_found(steps, folder, &found, options)
}

fn ingest_found(steps: Steps, folder: &Path, found: &Found, options: &Options) -> Result<Summary> {
    let archive = Archive::create(&folder.join("archive")).expect("an archive can be made");
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    ingest_with(steps, &archive, found, options, &progress)
}

/// Rows of a table, by its log; none where nothing was ever committed.
fn stored(folder: &Path, table: &str) -> u64 {
    let archive = match Archive::open(&folder.join("archive")) {
        Err(Error::NotAnArchive { .. }) => return 0,
        archive => archive.expect("an archive"),
    };
    let snapshot = archive.snapshot().expect("it can be read");
    assert_eq!(archive.disagreement(&snapshot), None);
    let files = snapshot.files(catalog::table(table));
    files.iter().map(|file| file.rows).sum()
}

/// What a faulty step costs: the records of its block.
fn costs_its_block(steps: Steps) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    let files = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
    export(&files[0], 0, 15_000);
    export(&files[1], 100_000, usize::MAX);
    let options = Options::default();
    let summary = ingest(steps, folder.path(), &files, &options).expect("it goes on");
    assert!(summary.known.is_empty(), "{:?}", summary.known);
    let [a, b] = &summary.entries[..] else {
        panic!("{:?}", summary.entries);
    };
    assert_eq!(a.status, Status::Incomplete);
    assert!(a.note.contains("by a fault of coldtrail: 1"), "{}", a.note);
    assert_eq!([a.records, a.events() + a.quarantined], [30_000; 2]);
    assert!(a.quarantined > 1 && a.events() > 1, "{a:?}");
    assert_eq!((b.status, b.events()), (Status::Complete, 30_000));
    let reasons = summary.reasons.top();
    let (reason, rows, place) = reasons[0];
    assert!(
        reason.ends_with("this is a fault of coldtrail (a column too few)"),
        "{reason}"
    );
    assert_eq!(rows, a.quarantined);
    assert!(
        place.contains("a.jsonl, record ") && place.contains(", byte "),
        "{place}"
    );
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert_eq!(stored(folder.path(), "Quarantine"), rows);
    assert_eq!(stored(folder.path(), "UnifiedAuditLog"), 60_000 - rows);
    // The same version would stumble again.
    let again = ingest(steps, folder.path(), &files, &options).expect("it goes on");
    assert!(again.entries.is_empty() && again.is_incomplete());
    assert_eq!(again.known.len(), 2);
    // One without the fault finds no trace of the block's events.
    let all = Options {
        choice: Choice::Again,
        ..Options::default()
    };
    let mended = ingest(STEPS, folder.path(), &files[..1], &all).expect("it reads them");
    let [a] = &mended.entries[..] else {
        panic!("{:?}", mended.entries);
    };
    assert_eq!([a.events(), a.duplicates], [rows, 30_000 - rows]);
    assert_eq!(stored(folder.path(), "UnifiedAuditLog"), 60_000);
    rows
}

#[test]
fn a_converter_or_a_writer_that_panics_costs_one_block_and_is_said() {
    let costs = FAULTY.map(costs_its_block);
    assert_eq!(costs, [costs[0]; 3], "the same block");
}

#[test]
fn what_can_be_read_once_only_is_not_stored_in_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.jsonl");
    export(&file, 0, 15_000);
    for steps in &FAULTY[1..] {
        let name = file.to_string_lossy().into_owned();
        let mut found = input::find(&[name]).expect("the file is there");
        found.inputs = vec![Input::Pipe(file.clone())];
        let failed = ingest_found(*steps, folder.path(), &found, &Options::default());
        let said = failed.expect_err("it cannot be read again").to_string();
        for part in [
            "a.jsonl`: the block at byte ",
            "a column too few",
            "not added",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert_eq!(stored(folder.path(), "UnifiedAuditLog"), 0);
        assert_eq!(stored(folder.path(), "Ingests"), 0);
    }
}

#[test]
fn a_writer_that_fails_on_the_quarantine_too_ends_the_ingest() {
    fn never(_: &Path, _: &Table, _: Option<&str>, _: &str, _: &[RecordBatch]) -> Result<Part> {
        panic!("no disk is a disk")
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.jsonl");
    std::fs::write(&file, record(1, "bob@contoso.com")).expect("a file");
    let steps = Steps {
        write: never,
        ..STEPS
    };
    let failed = ingest(steps, folder.path(), &[file], &Options::default());
    let said = failed.expect_err("it ends").to_string();
    assert!(
        said.contains("a.jsonl`: the block at byte 0 could not be written"),
        "{said}"
    );
    assert_eq!(stored(folder.path(), "Ingests"), 0);
}

#[test]
fn a_strict_ingest_ends_where_a_converter_or_a_writer_panics() {
    for steps in FAULTY {
        ends_a_strict_ingest(steps);
    }
}

fn ends_a_strict_ingest(steps: Steps) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
    std::fs::write(&files[0], record(1, "bob@contoso.com")).expect("a file");
    export(&files[1], 100_000, 115_000);
    let options = Options {
        fault: Fault::Stop,
        ..Options::default()
    };
    let failed = ingest(steps, folder.path(), &files, &options).expect_err("it ends");
    assert!(matches!(failed, Error::Strict { .. }), "{failed}");
    assert!(
        failed.to_string().contains("this is a fault of coldtrail"),
        "{failed}"
    );
    let archive = folder.path().join("archive");
    assert!(!archive.join("UnifiedAuditLog").exists());
    assert!(!archive.join("_staging").exists());
}
