//! Logs that are behind: emptied, removed, or left out of a copy. Nothing is written any more until `archive repair` has made logs, ledger and
//! files agree, and then nothing is lost and nothing is there twice.

use std::fs;
use std::path::{Path, PathBuf};

use super::{
    TABLE, assert_each_row_once, bytes_of, commits, copy, done, export, ingest, last_commit,
    logged_rows, parquet_files, quick_folder, replaced_files, text, told,
};
use crate::ask;

const LEDGER: &str = "Ingests";
const SIGNINS: &str = "SigninLogs";

/// What happens to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// As a power cut leaves a commit that nobody synced.
    LastCommitEmptied,
    LastCommitRemoved,
    AllCommitsEmptied,
    LogRemoved,
    FolderRemoved,
}

use Loss::*;

/// The losses after which all rows are still there.
const LOSSES: [(&str, Loss); 9] = [
    (LEDGER, LastCommitEmptied),
    (LEDGER, LastCommitRemoved),
    (LEDGER, AllCommitsEmptied),
    (LEDGER, LogRemoved),
    (LEDGER, FolderRemoved),
    (TABLE, LastCommitEmptied),
    (TABLE, LastCommitRemoved),
    (TABLE, AllCommitsEmptied),
    (TABLE, LogRemoved),
];

fn lose(table: &Path, loss: Loss) {
    let empty = |commit: &PathBuf| fs::write(commit, "").expect("it can be emptied");
    match loss {
        LastCommitEmptied => empty(&last_commit(table)),
        LastCommitRemoved => fs::remove_file(last_commit(table)).expect("it can be removed"),
        AllCommitsEmptied => commits(table).iter().for_each(empty),
        LogRemoved => fs::remove_dir_all(table.join("_delta_log")).expect("it can be removed"),
        FolderRemoved => fs::remove_dir_all(table).expect("it can be removed"),
    }
}

/// An archive of two ingests, each of an audit export of ten records and of four sign-ins.
fn twice(folder: &Path) -> PathBuf {
    let archive = folder.join("archive");
    for n in 0..2 {
        let audit = export(folder, &format!("audit{n}.jsonl"), 10 * n..10 * n + 10);
        let signins = folder.join(format!("signins{n}.jsonl"));
        let line = |i: usize| {
            format!(
                r#"{{"TimeGenerated":"2026-05-0{}T00:00:00Z","Type":"SigninLogs","Id":"s{n}-{i}","UserPrincipalName":"a@contoso.com"}}"#,
                1 + i % 2
            ) + "\n"
        };
        fs::write(&signins, (0..4).map(line).collect::<String>()).expect("a file");
        done(&[
            "ingest",
            &text(&audit),
            &text(&signins),
            "-a",
            &text(&archive),
        ]);
    }
    archive
}

/// Rows and different events of both tables, and events by the ledger.
fn events(archive: &Path) -> Vec<String> {
    ask(
        archive,
        "SELECT (SELECT count(*) FROM UnifiedAuditLog) AS a, (SELECT count(DISTINCT Id) FROM UnifiedAuditLog) AS b, \
         (SELECT count(*) FROM stored.\"SigninLogs\") AS c, (SELECT count(DISTINCT Id) FROM stored.\"SigninLogs\") AS d, \
         (SELECT sum(Events) FROM Ingests) AS e",
    )
}

/// What a command says that refuses to write; it changes nothing.
fn refused(archive: &Path, arguments: &[&str], why: &str) -> String {
    let before = bytes_of(archive);
    let (code, said) = told(arguments);
    assert_eq!(code, Some(3), "{why}: {said}");
    assert!(said.contains("archive repair"), "{why}: {said}");
    assert!(
        bytes_of(archive) == before,
        "{why}: it changed something: {said}"
    );
    said
}

/// Repairs the archive of two ingests; then it goes on as if nothing had been.
fn comes_back(archive: &Path, why: &str) {
    let path = text(archive);
    let repaired = done(&["archive", "repair", "-a", &path]);
    assert!(!repaired.contains("nothing to repair"), "{why}: {repaired}");
    let again = done(&["archive", "repair", "-a", &path]);
    assert!(again.contains("nothing to repair"), "{why}: {again}");
    let (code, said) = told(&["verify", "-a", &path]);
    assert_eq!(code, Some(0), "{why}: {repaired}{said}");
    let folder = archive.parent().expect("a folder");
    // What was read is known, and what is new is added.
    let said = ingest(archive, &folder.join("audit0.jsonl"));
    assert!(said.contains("and 1 file read before"), "{why}: {said}");
    ingest(archive, &folder.join("third.jsonl"));
    assert_eq!(events(archive), ["25|25|8|8|33"], "{why}");
    for (table, rows) in [(TABLE, 25), (SIGNINS, 8)] {
        let table = archive.join(table);
        assert_each_row_once(&table, rows);
        assert_eq!(logged_rows(&table), rows as u64, "{why}");
    }
    let (code, said) = told(&["verify", "-a", &path]);
    assert_eq!(code, Some(0), "{why}: {repaired}{said}");
}

#[test]
fn a_log_that_is_behind_stops_all_writing_until_it_is_repaired() {
    let folder = quick_folder();
    let whole = twice(folder.path());
    let third = text(&export(folder.path(), "third.jsonl", 100..105));
    for (table, loss) in LOSSES {
        let why = format!("{table}: {loss:?}");
        let archive = folder.path().join("damaged");
        copy(&whole, &archive);
        lose(&archive.join(table), loss);
        let path = text(&archive);
        for arguments in [
            &["ingest", &third, "-a", &path][..],
            &["archive", "compact", "-a", &path],
        ] {
            let said = refused(&archive, arguments, &why);
            match loss {
                AllCommitsEmptied => assert!(said.contains(&format!("`{table}`")), "{why}: {said}"),
                _ => assert!(
                    said.contains("lacks something that was there"),
                    "{why}: {said}"
                ),
            }
        }
        comes_back(&archive, &why);
        fs::remove_dir_all(&archive).expect("it can be removed");
    }
}

#[test]
fn logs_that_are_all_behind_stop_all_writing_too() {
    let folder = quick_folder();
    let whole = twice(folder.path());
    let third = text(&export(folder.path(), "third.jsonl", 100..105));
    // A copy of yesterday's logs, and one without any: they agree with each other, and not with the files.
    for loss in [LastCommitRemoved, LogRemoved] {
        let archive = folder.path().join("damaged");
        copy(&whole, &archive);
        for table in [LEDGER, TABLE, SIGNINS] {
            lose(&archive.join(table), loss);
        }
        let why = format!("{loss:?}");
        let said = refused(&archive, &["ingest", &third, "-a", &text(&archive)], &why);
        assert!(said.contains("lacks something that was there"), "{said}");
        comes_back(&archive, &why);
        fs::remove_dir_all(&archive).expect("it can be removed");
    }
}

#[test]
fn a_merged_archive_whose_log_is_behind_is_repaired() {
    let folder = quick_folder();
    let whole = twice(folder.path());
    done(&["archive", "compact", "-a", &text(&whole)]);
    let third = text(&export(folder.path(), "third.jsonl", 100..105));
    for (table, loss) in LOSSES {
        let why = format!("{table}: {loss:?}");
        let archive = folder.path().join("damaged");
        copy(&whole, &archive);
        lose(&archive.join(table), loss);
        let path = text(&archive);
        let ingest = ["ingest", &third, "-a", &path];
        match loss {
            // The commit of the merge: the files from before are there, and no row is missed.
            LastCommitEmptied | LastCommitRemoved => {
                let (code, said) = told(&ingest);
                assert!(matches!(code, Some(0 | 3)), "{why}: {said}");
            }
            _ => {
                refused(&archive, &ingest, &why);
            }
        }
        comes_back(&archive, &why);
        fs::remove_dir_all(&archive).expect("it can be removed");
    }
}

/// Lays the files from before a merge aside as older versions did, and as if that had been in 1970.
fn retire(archive: &Path) {
    for table in [TABLE, SIGNINS, LEDGER] {
        let replaced = replaced_files(&archive.join(table));
        assert!(!replaced.is_empty(), "{table}");
        for (n, path) in replaced.iter().enumerate() {
            let moment = archive.join("_retired").join((n % 2).to_string());
            let to = moment.join(table).join(path);
            fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            fs::rename(archive.join(table).join(path), to).expect("it can be moved");
        }
    }
}

#[test]
fn a_merge_whose_commit_is_lost_is_repaired_days_later_too() {
    let folder = quick_folder();
    let whole = twice(folder.path());
    done(&["archive", "compact", "-a", &text(&whole)]);
    let third = text(&export(folder.path(), "third.jsonl", 100..105));
    for (table, by_older) in [
        (TABLE, true),
        (LEDGER, true),
        (TABLE, false),
        (LEDGER, false),
    ] {
        let archive = folder.path().join("damaged");
        copy(&whole, &archive);
        if by_older {
            retire(&archive);
        }
        lose(&archive.join(table), LastCommitRemoved);
        let (code, said) = told(&["ingest", &third, "-a", &text(&archive)]);
        assert!(matches!(code, Some(0 | 3)), "{table}: {said}");
        comes_back(&archive, table);
        fs::remove_dir_all(&archive).expect("it can be removed");
    }
}

#[test]
fn what_cannot_be_brought_back_is_said() {
    let folder = quick_folder();
    let archive = twice(folder.path());
    let third = text(&export(folder.path(), "third.jsonl", 100..105));
    let path = text(&archive);
    let gone = parquet_files(&archive.join(TABLE)).pop().expect("a file");
    fs::remove_file(&gone).expect("it can be removed");
    let name = text(Path::new(gone.file_name().expect("a name")));
    let ingest = ["ingest", &third, "-a", &path];
    let said = refused(&archive, &ingest, "a file is gone");
    assert!(said.contains(&name), "{said}");
    for _ in 0..2 {
        let (code, said) = told(&["archive", "repair", "-a", &path]);
        assert_eq!(code, Some(10), "{said}");
        assert!(said.contains("still wrong"), "{said}");
        assert!(said.contains(&name), "{said}");
    }
    assert_eq!(told(&["verify", "-a", &path]).0, Some(1));
    refused(&archive, &ingest, "a file is gone");
}

#[test]
fn exports_whose_rows_are_gone_are_read_again_after_a_repair() {
    let folder = quick_folder();
    let archive = twice(folder.path());
    let path = text(&archive);
    fs::remove_dir_all(archive.join(TABLE)).expect("it can be removed");
    let (code, said) = told(&["archive", "repair", "-a", &path]);
    assert!(matches!(code, Some(0 | 10)), "{said}");
    for n in 0..2 {
        let line = format!("audit{n}.jsonl`): 10 rows of `{TABLE}` are lost: ingest it again");
        assert!(said.contains(&line), "{said}");
        ingest(&archive, &folder.path().join(format!("audit{n}.jsonl")));
    }
    assert_eq!(events(&archive), ["20|20|8|8|28"]);
    assert_each_row_once(&archive.join(TABLE), 20);
    // Of the sign-ins nothing was lost.
    let said = ingest(&archive, &folder.path().join("signins0.jsonl"));
    assert!(said.contains("and 1 file read before"), "{said}");
}
