//! A session reads the logs of those tables that are asked for, whoever wrote them.

use std::path::{Path, PathBuf};
use std::process::Output;

use coldtrail::archive::Archive;
use serde_json::Value;

use crate::command_line::run;
use crate::{ingest, number, project};

const FIRST: &str = "_delta_log/00000000000000000000.json";

/// An archive of the samples.
fn archive(folder: &Path) -> PathBuf {
    let path = folder.join("archive");
    ingest(&path, &[project("sample-data")]);
    path
}

fn asked(archive: &Path, sql: &str) -> Output {
    run(&["sql", "-a", &archive.to_string_lossy(), "-f", "csv", sql])
}

/// What a run says, which must be right.
fn said(arguments: &[&str]) -> String {
    let out = run(arguments);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn the_log_of_a_table_that_is_not_asked_for_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let count = "SELECT count(*) FROM stored.\"UnifiedAuditLog\"";
    let before = number(&archive, count);
    assert!(before > 0);
    std::fs::write(archive.join("SigninLogs").join(FIRST), "{\"add\":").expect("a file");
    assert_eq!(number(&archive, count), before);
    let out = asked(&archive, "SELECT count(*) FROM \"SigninLogs\"");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(3), "{errors}");
    assert!(errors.contains("SigninLogs"), "{errors}");
}

#[test]
fn a_log_into_which_others_wrote_says_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let asked = [
        "SELECT count(*) FROM \"SigninLogs\"",
        "SELECT count(*) FROM \"UnifiedAuditLog\"",
        "SELECT count(*) FROM \"LabelEvents\"",
    ];
    let before = asked.map(|sql| number(&archive, sql));
    assert!(before.iter().all(|n| *n > 0), "{before:?}");
    for table in [
        "SigninLogs",
        "UnifiedAuditLog",
        "CloudAppEvents",
        "LabelEvents",
    ] {
        let commit = archive.join(table).join(FIRST);
        let text = std::fs::read_to_string(&commit).expect("a commit");
        let lines = text.lines().filter(|line| !line.contains("\"txn\""));
        let lines: Vec<&str> = lines.collect();
        assert!(lines.len() < text.lines().count(), "{text}");
        std::fs::write(&commit, lines.join("\n") + "\n").expect("it can be written");
    }
    assert_eq!(asked.map(|sql| number(&archive, sql)), before);
}

#[test]
fn a_snapshot_says_what_the_library_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = archive(folder.path());
    let compared = || {
        let archive = Archive::open(&path).expect("an archive");
        let snapshot = archive.snapshot().expect("a snapshot");
        let tables: Vec<_> = snapshot.all().collect();
        assert!(tables.len() > 5, "{}", tables.len());
        for (table, files) in tables {
            // Those are read by the Delta library.
            let read = archive.files(table).expect("a log");
            assert_eq!(files, read, "{}", table.name);
        }
    };
    compared();
    let more = r#"{"Id":"more","CreationTime":"2026-05-04T09:00:00","Operation":"X","RecordType":6,"UserId":"ada"}"#;
    let file = folder.path().join("more.jsonl");
    std::fs::write(&file, more).expect("a file");
    ingest(&path, &[file]);
    compared();
    said(&["archive", "compact", "-q", "-a", &path.to_string_lossy()]);
    compared();
}

#[test]
fn derived_rows_whose_log_cannot_be_read_are_worked_out_of_the_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let count = "SELECT count(*) FROM \"LabelEvents\"";
    let before = number(&archive, count);
    assert!(before > 0);
    std::fs::write(archive.join("LabelEvents").join(FIRST), "{\"add\":").expect("a file");
    assert_eq!(number(&archive, count), before);
}

#[test]
fn files_that_were_merged_are_read_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    for n in 0..3 {
        let file = folder.path().join(format!("{n}.jsonl"));
        let record = format!(
            r#"{{"Id":"id{n}","CreationTime":"2026-05-01T0{n}:00:00","Operation":"X","RecordType":6,"UserId":"ada"}}"#
        );
        std::fs::write(&file, record + "\n").expect("a file");
        ingest(&archive, &[file]);
    }
    let count = "SELECT count(DISTINCT \"Id\") * 10 + count(*) FROM \"UnifiedAuditLog\"";
    assert_eq!(number(&archive, count), 33);
    let path = archive.to_string_lossy();
    said(&["archive", "compact", "-q", "-a", &path]);
    assert_eq!(number(&archive, count), 33);
}

#[test]
fn columns_that_are_read_out_of_records_are_read_of_rows_that_win() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let path = archive.to_string_lossy();
    let newest = |keys: &str| {
        format!(
            "OfficeActivity | summarize arg_max(TimeGenerated, *) {keys} \
             | project UserId, TimeGenerated | sort by UserId asc"
        )
    };
    let first = newest("by UserId");
    let ask = |query: &str| said(&["kql", "-a", &path, "-f", "csv", query]);
    let found = ask(&first);
    assert!(found.lines().count() > 3, "{found}");
    // A key that is computed is not looked up first.
    assert_eq!(found, ask(&newest("by Key = strcat(UserId, '')")));
    let all = said(&["kql", "-a", &path, "--explain", &first]);
    let (_, execution) = all.split_once("-- Execution").expect("an execution");
    assert!(execution.contains("Semi"), "{execution}");
}

#[test]
fn a_log_that_says_more_rows_than_a_file_has_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let commit = archive.join("UnifiedAuditLog").join(FIRST);
    let mut lines = String::new();
    for line in std::fs::read_to_string(&commit).expect("a commit").lines() {
        let mut action: Value = serde_json::from_str(line).expect("an action");
        if let Some(added) = action.get_mut("add") {
            let stats = added["stats"].as_str().expect("statistics");
            let mut stats: Value = serde_json::from_str(stats).expect("statistics are JSON");
            stats["numRecords"] = i64::MAX.into();
            added["stats"] = stats.to_string().into();
        }
        lines += &format!("{action}\n");
    }
    std::fs::write(&commit, lines).expect("it can be written");
    let path = archive.to_string_lossy();
    let count = "SELECT count(*) FROM \"UnifiedAuditLog\"";
    for arguments in [
        &["sql", "-a", &path, count][..],
        &["verify", "-a", &path],
        &["archive", "compact", "-a", &path],
        &["archive", "rebuild", "-a", &path],
    ] {
        let out = run(arguments);
        let said = [out.stdout, out.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(
            matches!(out.status.code(), Some(1 | 3)),
            "{arguments:?}: {said}"
        );
        for part in ["UnifiedAuditLog", "9223372036854775807 rows"] {
            assert!(said.contains(part), "{arguments:?}: {said}");
        }
    }
}
