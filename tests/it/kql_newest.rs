//! Whole rows by `arg_max` and `arg_min`: the rows that win are found first, and are those that are chosen among all.

use std::fmt::Write;
use std::path::Path;

use crate::command_line::run;
use crate::ingest;

/// Rows of three accounts and of none on three days; the last row of each account is not its newest.
fn archive(folder: &Path) -> String {
    let mut lines = String::new();
    for n in 0..60 {
        let account = ["ada", "bob", "cyd", ""][n % 4];
        let action = ["FileAccessed", "FileDownloaded", "UserLoggedIn"][n % 3];
        // Each time stands there once.
        let at = n * 37 % 60;
        let time = format!("2026-05-{:02}T10:{at:02}:00Z", 10 + at / 20);
        // Writing to a String cannot fail.
        let _ = writeln!(
            lines,
            r#"{{"time":"{time}","tenantId":"t","operationName":"Publish","category":"AdvancedHunting-CloudAppEvents","properties":{{"Timestamp":"{time}","ActionType":"{action}","ReportId":"r{n}","AccountObjectId":"{account}","RawEventData":{{"Operation":"{action}","Id":"a{n}","N":{n}}}}}}}"#
        );
    }
    let file = folder.join("cloudapp.jsonl");
    std::fs::write(&file, lines).expect("a file");
    let path = folder.join("archive");
    ingest(&path, &[file]);
    path.to_string_lossy().into_owned()
}

/// What a run says, which must be right.
fn said(arguments: &[&str]) -> String {
    let out = run(arguments);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

const SHOWN: &str = "| project AccountObjectId, TimeGenerated, Timestamp, ActionType, ReportId, n = toint(RawEventData.N), RawEventData \
                     | sort by AccountObjectId asc";

#[test]
fn rows_that_are_found_first_are_those_that_are_chosen_among_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    for from in [
        "CloudAppEvents",
        "CloudAppEvents | where ActionType in ('FileAccessed', 'UserLoggedIn')",
        "CloudAppEvents | where ActionType startswith 'file' and TimeGenerated > datetime(2026-05-11)",
        "CloudAppEvents | where ActionType == 'none'",
    ] {
        for choice in ["arg_max(TimeGenerated, *)", "arg_min(Timestamp, *)"] {
            let ask = |keys: &str| {
                let query = format!("{from} | summarize {choice} {keys} {SHOWN}");
                said(&["kql", "-a", &archive, "-f", "csv", &query])
            };
            let found = ask("by AccountObjectId");
            // A key that is computed is not looked up first.
            let all = ask("by Key = strcat(AccountObjectId, '')");
            assert_eq!(found, all, "{from}: {choice}");
            // A header, three accounts, and rows of none.
            let is_none = from.ends_with("'none'");
            assert!(is_none || found.lines().count() == 5, "{from}: {found}");
        }
    }
    let newest =
        "CloudAppEvents | summarize arg_max(TimeGenerated, *) | project ReportId, RawEventData.N";
    let newest = said(&["kql", "-a", &archive, "-f", "csv", newest]);
    // 37 · 47 is 59 more than a multiple of 60.
    assert_eq!(newest.lines().nth(1), Some("r47,47"), "{newest}");
}

#[test]
fn rows_are_found_first_where_that_spares_reading_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let is_joined = |query: &str| {
        // Whether the rows are cut to a time or not.
        let joined = [
            &[][..],
            &["--at", "2026-05-12"],
            &["--since", "1d", "--at", "2026-05-12"],
        ];
        let joined = joined.map(|times| {
            let all = said(&[&["kql", "-a", &archive, "--explain", query], times].concat());
            let (_, execution) = all.split_once("-- Execution").expect("an execution");
            execution.contains("Semi")
        });
        assert!(
            joined.iter().all(|one| *one == joined[0]),
            "{query}: {joined:?}"
        );
        joined[0]
    };
    for query in [
        "CloudAppEvents | summarize arg_max(TimeGenerated, *) by AccountObjectId",
        "CloudAppEvents | where ActionType has 'File' | summarize arg_min(Timestamp, *) by AccountObjectId, ActionType",
    ] {
        assert!(is_joined(query), "{query}");
    }
    for query in [
        // Nearly every row wins.
        "CloudAppEvents | summarize arg_max(TimeGenerated, *) by ReportId",
        // The records are read in any case.
        "CloudAppEvents | where RawEventData has 'File' | summarize arg_max(TimeGenerated, *) by AccountObjectId",
        "CloudAppEvents | summarize arg_max(TimeGenerated, ActionType) by AccountObjectId",
        "CloudAppEvents | summarize arg_max(TimeGenerated, *), count() by AccountObjectId",
        "CloudAppEvents | take 5 | summarize arg_max(TimeGenerated, *) by AccountObjectId",
    ] {
        assert!(!is_joined(query), "{query}");
    }
}
