//! Merging files changes no row, and a crash in the middle of it neither.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coldtrail::archive::{Archive, compact};
use coldtrail::progress::Silent;

use crate::{NOW, ask, ingest, number};

/// Enough for the log to be written as a checkpoint.
const INGESTS: usize = 110;

fn nightly(archive: &Path, folder: &Path, ingests: usize) {
    for n in 0..ingests {
        let file = folder.join(format!("night{n}.jsonl"));
        let record = |i: usize| {
            format!(
                r#"{{"Id":"id-{n}-{i}","CreationTime":"2026-05-0{}T0{i}:00:00","Operation":"X","UserId":"a@contoso.com"}}"#,
                1 + n % 2
            )
        };
        let text = (0..4).map(record).collect::<Vec<_>>().join("\n");
        std::fs::write(&file, text + "\nbroken\n").expect("a file");
        ingest(archive, &[file]);
    }
}

fn content(archive: &Path) -> Vec<String> {
    let mut rows = ask(
        archive,
        "SELECT Id, TimeGenerated, AuditData, _IngestId, _Record FROM UnifiedAuditLog ORDER BY Id",
    );
    rows.extend(ask(
        archive,
        "SELECT _IngestId, _Record, Reason, Content FROM Quarantine ORDER BY _IngestId",
    ));
    rows.extend(ask(
        archive,
        "SELECT _IngestId, File, Sha256, Records, Events FROM Ingests ORDER BY _IngestId",
    ));
    rows
}

fn files(archive: &Path) -> usize {
    walkdir::WalkDir::new(archive)
        .into_iter()
        .map(|e| e.expect("an entry"))
        .filter(|e| e.path().extension().is_some_and(|x| x == "parquet"))
        .filter(|e| !e.path().to_string_lossy().contains("_delta_log"))
        .count()
}

fn problems(archive: &Path) -> (Option<i32>, String) {
    let out = crate::command_line::run(&["verify", "-a", &archive.to_string_lossy()]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    (out.status.code(), text)
}

#[test]
fn merged_files_hold_the_same_rows_and_old_ones_are_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    nightly(&archive, folder.path(), INGESTS);
    let before = content(&archive);
    // Hashes of files are still known when the log was condensed.
    let (code, text) = problems(&archive);
    assert_eq!(code, Some(0), "{text}");
    let hashes = text.lines().find(|l| l.trim_start().starts_with("hashes"));
    let cells: Vec<&str> = hashes.expect("a line").split_whitespace().collect();
    assert_eq!(cells[2], "0", "{text}");

    let open = Archive::open(&archive).expect("the archive");
    let done = compact::compact(&open, NOW, &Silent).expect("it is merged");
    let names: Vec<&str> = done.iter().map(|c| c.table).collect();
    assert_eq!(names, ["UnifiedAuditLog", "Ingests", "Quarantine"]);
    assert_eq!(done[0].files, (INGESTS, 2), "one file a day");
    // A plain look at the folder sees every row once, too.
    assert_eq!(files(&archive), 2 + 1 + 1);
    assert_eq!(content(&archive), before);
    assert_eq!(problems(&archive).0, Some(0));
    assert_eq!(compact::compact(&open, NOW, &Silent).expect("again"), []);

    // What is there is still known, and what is new is added.
    nightly(&archive, folder.path(), 2);
    assert_eq!(content(&archive), before);
    let more = folder.path().join("more.jsonl");
    std::fs::write(
        &more,
        r#"{"Id":"new","CreationTime":"2026-05-01T00:00:00","Operation":"X"}"#,
    )
    .expect("a file");
    ingest(&archive, &[more]);
    assert_eq!(
        number(&archive, "SELECT count(*) FROM UnifiedAuditLog"),
        4 * INGESTS as u64 + 1
    );
}

#[test]
fn a_merge_killed_at_any_moment_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    nightly(&archive, folder.path(), 12);
    let wanted = content(&archive);
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_coldtrail"))
            .args(["archive", "compact", "-q", "-a"])
            .arg(&archive)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs")
    };
    let mut share = 0;
    loop {
        let started = Instant::now();
        let mut child = start();
        std::thread::sleep(Duration::from_millis(share));
        child.kill().expect("it can be killed");
        let whole = child.wait().expect("it ends").success();
        assert_eq!(content(&archive), wanted, "after {:?}", started.elapsed());
        share += 3;
        if whole || share > 3000 {
            break;
        }
    }
    assert!(start().wait().expect("it ends").success());
    assert_eq!(content(&archive), wanted);
    assert_eq!(problems(&archive).0, Some(0));
}
