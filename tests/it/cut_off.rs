//! What a check and a repair make of commits that were cut off, and of derived rows that are gone.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::durable::{
    TABLE, actions, commits, copy, done, export, ingest, parquet_files, quick_folder, text, told,
};
use crate::{ask, format, project};

/// Checks an archive in which nothing is wrong.
#[track_caller]
fn assert_no_problems(archive: &Path, what: &str) {
    let (code, said) = told(&["verify", "-a", &text(archive)]);
    assert_eq!(code, Some(0), "{what}: {said}");
}

#[test]
fn first_rows_of_a_table_whose_commit_is_cut_off_are_seen_by_a_check() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    ingest(&archive, &export(folder.path(), "audit.jsonl", 0..10));
    let sign_ins = folder.path().join("sign-ins.jsonl");
    let line = |n: i32| {
        format!(
            r#"{{"TimeGenerated":"2026-05-01T00:00:00Z","Type":"SigninLogs","Id":"s{n}","UserPrincipalName":"a@contoso.com"}}"#
        ) + "\n"
    };
    fs::write(&sign_ins, (0..4).map(line).collect::<String>()).expect("a file");
    // Where its day should be lies a file: the commit is decided and cannot be carried out.
    let table = archive.join("SigninLogs");
    fs::create_dir(&table).expect("a folder");
    fs::write(table.join("date=2026-05-01"), "in the way").expect("a file");
    let (code, said) = told(&["ingest", &text(&sign_ins), "-a", &text(&archive)]);
    assert_eq!(code, Some(3), "{said}");
    assert!(archive.join("_staging/commit.json").is_file(), "{said}");
    fs::remove_dir_all(&table).expect("it can be removed");

    assert_eq!(ask(&archive, "SELECT count(*) FROM SigninLogs"), ["4"]);
    assert_no_problems(&archive, "cut off");
    let said = ingest(&archive, &sign_ins);
    assert!(said.contains("and 1 file read before"), "{said}");
    assert_eq!(ask(&archive, "SELECT count(*) FROM SigninLogs"), ["4"]);
    assert_no_problems(&archive, "completed");
}

/// Takes the last commit of a table back, a merge: its files lie in their places, and the plan of the commit in its own.
fn cut_off(archive: &Path, table: &str) {
    let commit = commits(&archive.join(table)).pop().expect("a commit");
    let all = actions(&commit);
    let texts = |value: &Value| value.as_str().expect("a text").to_string();
    let part = |add: &Value| -> Value {
        let stats: Value = serde_json::from_str(&texts(&add["stats"])).expect("JSON");
        json!({
            "path": texts(&add["path"]),
            "size": add["size"],
            "rows": stats["numRecords"],
            "times": null,
            "date": add["partitionValues"]["date"],
            "sha256": add["tags"]["sha256"],
        })
    };
    let added = all.iter().filter(|a| a.get("add").is_some());
    let removed = all.iter().filter(|a| a.get("remove").is_some());
    let add: Vec<Value> = added.map(|a| part(&a["add"])).collect();
    let remove: Vec<String> = removed.map(|a| texts(&a["remove"]["path"])).collect();
    assert_eq!((add.len(), remove.len()), (2, 4));
    let plan = json!({
        "form": 1,
        "deed": "Compact",
        "number": 1,
        "now": 1,
        "steps": [{"table": table, "add": add, "remove": remove, "info": null}],
        "watchlists": [],
    });
    let staging = archive.join("_staging");
    fs::create_dir_all(&staging).expect("a folder");
    fs::write(staging.join("commit.json"), plan.to_string()).expect("a file");
    fs::remove_file(commit).expect("it can be removed");
}

#[test]
fn files_of_a_merge_that_is_cut_off_are_no_strangers() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    for n in 0..2 {
        let name = format!("export{n}.jsonl");
        ingest(&archive, &export(folder.path(), &name, 10 * n..10 * n + 10));
    }
    done(&["archive", "compact", "-a", &text(&archive)]);
    cut_off(&archive, TABLE);
    assert_eq!(
        ask(&archive, "SELECT count(*) FROM UnifiedAuditLog"),
        ["20"]
    );
    assert_no_problems(&archive, "cut off");
    // Without its plan they are.
    fs::remove_file(archive.join("_staging/commit.json")).expect("it can be removed");
    let (code, said) = told(&["verify", "-a", &text(&archive)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("one that it does not name"), "{said}");
}

#[test]
fn derived_rows_that_are_gone_come_back_with_a_repair() {
    type Loss = fn(&Path);
    const LOSSES: [(&str, Loss); 3] = [
        ("the table", |table| {
            fs::remove_dir_all(table).expect("it can be removed");
        }),
        ("a file", |table| {
            let file = parquet_files(table).remove(0);
            fs::remove_file(file).expect("it can be removed");
        }),
        ("the end of a file", |table| {
            let file = parquet_files(table).remove(0);
            let bytes = fs::read(&file).expect("a file");
            fs::write(file, &bytes[..bytes.len() / 2]).expect("a file");
        }),
    ];
    const ALL: &str = "SELECT * FROM \"LabelEvents\" ORDER BY \"EventId\"";
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let path = text(&archive);
    let sample = project("sample-data/ual-portal");
    done(&["ingest", &text(&sample), "-a", &path]);
    let before = ask(&archive, ALL);
    for (what, lose) in LOSSES {
        lose(&archive.join("LabelEvents"));
        assert_eq!(told(&["verify", "-a", &path]).0, Some(1), "{what}");
        let said = done(&["archive", "repair", "-a", &path]);
        assert!(
            said.contains("derived `LabelEvents` again from the events: 115 rows"),
            "{what}: {said}"
        );
        assert_no_problems(&archive, what);
        assert_eq!(ask(&archive, ALL), before, "{what}");
        let said = done(&["archive", "repair", "-a", &path]);
        assert!(said.contains("nothing to repair"), "{what}: {said}");
    }
}

#[test]
fn a_derivation_that_is_cut_off_before_the_ledger_says_so_is_no_damage() {
    let folder = quick_folder();
    let archive = format::old(folder.path());
    let path = text(&archive);
    let (ledger, before) = (archive.join("Ingests"), folder.path().join("before"));
    copy(&ledger, &before);
    done(&["archive", "rebuild", "-a", &path]);
    // The commit of the ledger is the last one.
    fs::remove_dir_all(&ledger).expect("it can be removed");
    copy(&before, &ledger);
    let count = "SELECT count(*) FROM \"LabelEvents\"";
    assert_eq!(ask(&archive, count), ["1"]);
    assert_no_problems(&archive, "cut off");
    let said = done(&["archive", "repair", "-a", &path]);
    let line = "derived `LabelEvents` again from the events: 1 row";
    assert!(said.contains(line), "{said}");
    assert_eq!(ask(&archive, count), ["1"]);
    assert_no_problems(&archive, "repaired");
}
