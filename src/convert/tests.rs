//! An ingest in which parts of coldtrail fail.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Fault, Options, Summary, ingest_with};
use crate::archive::Archive;
use crate::archive::ledger::Status;
use crate::fault::{Error, Result};
use crate::ingest::block::{self, Block, Converted};
use crate::ingest::format::Format;
use crate::ingest::input;
use crate::progress::{Progress, Silent};

/// A record that the faulty converter stumbles over.
const MARK: &[u8] = b"stumble@contoso.com";

fn faulty(format: &Arc<Format>, block: &Block) -> Converted {
    assert!(
        memchr::memmem::find(&block.bytes, MARK).is_none(),
        "a column too few"
    );
    block::convert(format, block)
}

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
            true => "stumble@contoso.com",
            false => "bob@contoso.com",
        };
        writeln!(text, "{}", record(n, user)).expect("a String takes it");
    }
    assert!(text.len() > 2 * block::BLOCK_BYTES);
    std::fs::write(file, text).expect("a file");
}

fn ingest(folder: &Path, files: &[PathBuf], options: &Options) -> Result<Summary> {
    let names: Vec<String> = files
        .iter()
        .map(|f| f.to_string_lossy().into_owned())
        .collect();
    let found = input::find(&names).expect("the files are there");
    let archive = Archive::create(&folder.join("archive")).expect("an archive can be made");
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    ingest_with(faulty, &archive, &found, options, &progress)
}

#[test]
fn a_converter_that_panics_costs_its_block_and_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
    export(&files[0], 0, 15_000);
    export(&files[1], 100_000, usize::MAX);
    let options = Options::default();
    let summary = ingest(folder.path(), &files, &options).expect("it goes on");
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
    // The same version would stumble again.
    let again = ingest(folder.path(), &files, &options).expect("it goes on");
    assert!(again.entries.is_empty() && again.is_incomplete());
    assert_eq!(again.known.len(), 2);
}

#[test]
fn a_strict_ingest_ends_where_a_converter_panics() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
    std::fs::write(&files[0], record(1, "bob@contoso.com")).expect("a file");
    export(&files[1], 100_000, 115_000);
    let options = Options {
        fault: Fault::Stop,
        ..Options::default()
    };
    let failed = ingest(folder.path(), &files, &options).expect_err("it ends");
    assert!(matches!(failed, Error::Strict { .. }), "{failed}");
    assert!(
        failed.to_string().contains("this is a fault of coldtrail"),
        "{failed}"
    );
    let archive = folder.path().join("archive");
    assert!(!archive.join("UnifiedAuditLog").exists());
    assert!(!archive.join("_staging").exists());
}
