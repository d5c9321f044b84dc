//! Every broken file becomes events, quarantine or an unreadable input; nothing panics, nothing vanishes.

use crate::{ask, ingest, project};

#[test]
fn every_broken_file_is_accounted_for() {
    let mut files: Vec<_> = std::fs::read_dir(project("sample-data/broken"))
        .expect("the folder")
        .map(|e| e.expect("an entry").path())
        .filter(|p| {
            let name = p
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            name != "README.md" && !name.starts_with('.')
        })
        .collect();
    files.sort();
    let mut lines = Vec::new();
    for file in &files {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("archive");
        let summary = ingest(&path, std::slice::from_ref(file));
        // Members of a zip archive have entries of their own.
        for e in &summary.entries {
            assert_eq!(
                e.records,
                e.events() + e.duplicates + e.revisions + e.quarantined,
                "{}: a record vanished",
                e.file
            );
            let (_, name) = e.file.split_once("broken/").expect("below the folder");
            lines.push(format!(
                "{name}: {}, {} records, {} events, {} quarantined{}{}",
                e.status.name(),
                e.records,
                e.events(),
                e.quarantined,
                if e.note.is_empty() { "" } else { "; " },
                e.note
            ));
        }
        for row in ask(
            &path,
            "SELECT _Record, \"Offset\", \"Length\", Reason, octet_length(Content) FROM Quarantine ORDER BY _Record",
        ) {
            lines.push(format!("    {row}"));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn one_run_over_all_of_them_gives_the_same_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    let summary = ingest(&path, &[project("sample-data/broken")]);
    assert!(summary.is_incomplete());
    assert_eq!(summary.sum(|e| e.events()), 73);
    assert_eq!(summary.sum(|e| e.quarantined), 15);
    assert_eq!(
        ask(
            &path,
            "SELECT count(*) FROM Quarantine WHERE Content = '' OR Reason = ''"
        ),
        ["0"]
    );
}

#[test]
fn a_stray_quote_costs_one_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stray.csv");
    let row = |n: u32| {
        format!(
            "x{n},\"{{\"\"Id\"\":\"\"id{n}\"\",\"\"CreationTime\"\":\"\"2026-05-01T00:00:0{n}\"\",\"\"Operation\"\":\"\"X\"\"}}\"\n"
        )
    };
    let text = format!(
        "Name,AuditData\n{}{}\"open,{}{}{}",
        row(1),
        row(2),
        "never closed\n",
        row(3),
        row(4)
    );
    std::fs::write(&file, text).expect("a file");
    let summary = ingest(&folder.path().join("archive"), &[file]);
    let e = &summary.entries[0];
    assert_eq!(e.records, e.events() + e.quarantined);
    assert!(e.events() >= 2, "{} events", e.events());
    assert!(e.quarantined >= 1);
}

#[test]
fn nothing_in_a_terminal_or_a_spreadsheet_is_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data/broken/hostile-text.csv")]);
    for format in ["table", "csv", "markdown"] {
        let out = crate::command_line::run(&[
            "sql",
            "-a",
            &path.to_string_lossy(),
            "-f",
            format,
            "SELECT UserId, Operation, SourceFileName, ObjectId FROM UnifiedAuditLog",
        ]);
        assert_eq!(out.status.code(), Some(0));
        let text = String::from_utf8(out.stdout).expect("UTF-8");
        if format != "csv" {
            assert!(!text.contains('\u{1b}'), "{format}: an escape got through");
            assert!(
                !text.contains('\u{202e}'),
                "{format}: a bidi control got through"
            );
        } else {
            for line in text.lines() {
                for cell in line.split(',') {
                    assert!(!cell.trim_start_matches('"').starts_with('='), "{line}");
                }
            }
        }
    }
}
