//! Merging files changes no row, and a crash in the middle of it neither.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use coldtrail::archive::{Archive, compact};
use coldtrail::engine::{Options, Session, Source};
use coldtrail::progress::Silent;

use crate::crash::{Moment, wait_for};
use crate::durable::{Chance, TABLE, assert_each_row_once, copy, logged_rows, quick_folder};
use crate::{NOW, ingest, number, rows};

/// Enough for the log to be written as a checkpoint.
const INGESTS: usize = 110;
/// Kills of a real process.
const KILLS: usize = 50;

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
    let archive = Archive::open(archive).expect("an archive");
    let session = Session::open(Source::Archive(&archive), &Options::default()).expect("a session");
    [
        "SELECT Id, TimeGenerated, AuditData, _IngestId, _Record FROM UnifiedAuditLog ORDER BY Id",
        "SELECT _IngestId, _Record, Reason, Content FROM Quarantine ORDER BY _IngestId",
        "SELECT _IngestId, File, Sha256, Records, Events FROM Ingests ORDER BY _IngestId",
    ]
    .into_iter()
    .flat_map(|sql| rows(&session, sql))
    .collect()
}

/// Parquet files in the folders of the tables.
fn files(archive: &Path) -> usize {
    walkdir::WalkDir::new(archive)
        .into_iter()
        .filter_entry(|e| !e.file_name().to_string_lossy().starts_with('_'))
        .map(|e| e.expect("an entry"))
        .filter(|e| e.path().extension().is_some_and(|x| x == "parquet"))
        .count()
}

fn problems(archive: &Path) -> (Option<i32>, String) {
    let out = crate::command_line::run(&["verify", "-a", &archive.to_string_lossy()]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    (out.status.code(), text)
}

/// What is said of an archive beside the answer to a question.
fn hint(archive: &Path) -> String {
    let out = crate::command_line::run(&["tables", "-a", &archive.to_string_lossy()]);
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn merged_files_hold_the_same_rows_and_old_ones_are_out_of_the_way() {
    let folder = quick_folder();
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
    let counted = files(&archive);
    let (lie, left) = compact::files(&open).expect("the files are counted");
    assert_eq!(lie, counted);
    let told = hint(&archive);
    let want = format!("the archive has {lie} files where {left} would do");
    assert!(told.contains(&want), "{told}");

    let done = compact::compact(&open, NOW, 0, &Silent).expect("it is merged");
    let now = compact::files(&open).expect("the files are counted");
    assert_eq!(now, (left, left));
    assert_eq!(hint(&archive), "");
    let names: Vec<&str> = done.merged.iter().map(|c| c.table).collect();
    assert_eq!(names, ["UnifiedAuditLog", "Ingests", "Quarantine"]);
    assert_eq!(done.merged[0].files, (INGESTS, 2), "one file a day");
    assert_eq!(done.deleted, 3 * INGESTS as u64);
    // A plain look at the folder sees every row once, too.
    assert_eq!(files(&archive), 2 + 1 + 1);
    assert_each_row_once(&archive.join(TABLE), 4 * INGESTS);
    assert_eq!(content(&archive), before);
    assert_eq!(problems(&archive).0, Some(0));
    let again = compact::compact(&open, NOW, 0, &Silent).expect("again");
    assert_eq!(again, compact::Outcome::default());

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
    let folder = quick_folder();
    let before = folder.path().join("before");
    nightly(&before, folder.path(), 6);
    let wanted = content(&before);
    let start = |archive: &Path| {
        Command::new(env!("CARGO_BIN_EXE_coldtrail"))
            .args(["archive", "compact", "-q", "--retention", "0", "-a"])
            .arg(archive)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs")
    };
    let calm = folder.path().join("calm");
    copy(&before, &calm);
    let started = Instant::now();
    assert!(start(&calm).wait().expect("it ends").success());
    let whole = started.elapsed();

    let mut chance = Chance(11);
    let (mut killed, mut rounds) = (0, 0);
    while killed < KILLS {
        rounds += 1;
        assert!(
            rounds < 10 * KILLS,
            "only {killed} of {rounds} runs could be killed"
        );
        let archive = folder.path().join(format!("archive{rounds}"));
        copy(&before, &archive);
        let moments = [Moment::Any, Moment::Staging, Moment::Commit];
        let mut moment = moments[rounds % 3];
        for _ in 0..1 + rounds % 3 {
            let mut child = start(&archive);
            wait_for(moment, &archive, &mut child, whole.mul_f64(chance.share()));
            // The signs are there from the start after the first.
            moment = Moment::Any;
            child.kill().expect("it can be killed");
            let done = child.wait().expect("it ends").success();
            assert_eq!(content(&archive), wanted, "round {rounds}");
            // Nor does it change anything for other readers.
            assert_eq!(logged_rows(&archive.join(TABLE)), 24, "round {rounds}");
            assert_eq!(logged_rows(&archive.join("Quarantine")), 6);
            if done {
                break;
            }
            killed += 1;
        }
        assert!(start(&archive).wait().expect("it ends").success());
        assert_eq!(content(&archive), wanted, "round {rounds}");
        assert_eq!(files(&archive), 2 + 1 + 1, "round {rounds}");
        assert_each_row_once(&archive.join(TABLE), 24);
        assert_each_row_once(&archive.join("Quarantine"), 6);
        if rounds % 4 == 0 {
            let (code, text) = problems(&archive);
            assert_eq!(code, Some(0), "round {rounds}: {text}");
        }
        std::fs::remove_dir_all(&archive).expect("the archive can be removed");
    }
}
