//! What a merge leaves behind: files of an earlier version of a table are read until they are old, and no command takes them for something else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::ask;
use crate::command_line::run;
use crate::delta::python;
use crate::durable::{
    TABLE, assert_each_row_once, commits, done, export, ingest, last_commit, parquet_files,
    quick_folder, replaced_files, text, told,
};
use crate::project;

const LEDGER: &str = "Ingests";
const DAY: u64 = 24 * 3600 * 1000;

/// An archive of three ingests of ten records of two days each.
fn thrice(folder: &Path) -> PathBuf {
    let archive = folder.join("archive");
    for n in 0..3 {
        let name = format!("export{n}.jsonl");
        ingest(&archive, &export(folder, &name, 10 * n..10 * n + 10));
    }
    archive
}

fn compact(archive: &Path, more: &[&str]) -> String {
    let path = text(archive);
    done(&[&["archive", "compact", "-a", &path][..], more].concat())
}

/// All rows, in one order.
fn rows(archive: &Path) -> Vec<String> {
    let events = "SELECT * FROM stored.\"UnifiedAuditLog\" ORDER BY \"Id\"";
    let ledger = "SELECT * FROM \"Ingests\" ORDER BY \"_IngestId\"";
    [ask(archive, events), ask(archive, ledger)].concat()
}

/// The digest of the content. Nothing is wrong with the archive.
fn digest(archive: &Path) -> String {
    let out = run(&["verify", "--json", "-a", &text(archive)]);
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_str(&said).expect("JSON");
    let digest = report["content_digest"].as_str().expect("a digest");
    assert!(!digest.is_empty());
    digest.to_string()
}

/// The Parquet files of the tables, with their bytes.
fn files(archive: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = [TABLE, LEDGER].map(|table| parquet_files(&archive.join(table)));
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a file");
        (path, bytes)
    };
    all.into_iter().flatten().map(read).collect()
}

/// The last commit of each table took its files out so many days ago.
fn age(archive: &Path, days: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("a time after 1970").as_millis() as u64;
    for table in [TABLE, LEDGER] {
        let commit = last_commit(&archive.join(table));
        let mut lines = String::new();
        for line in fs::read_to_string(&commit).expect("a commit").lines() {
            let mut action: Value = serde_json::from_str(line).expect("an action");
            if let Some(removed) = action.get_mut("remove") {
                let since = removed["deletionTimestamp"].as_u64();
                assert!(since.is_some_and(|t| t > 0), "{line}");
                removed["deletionTimestamp"] = (now - days * DAY).into();
            }
            lines += &format!("{action}\n");
        }
        fs::write(&commit, lines).expect("it can be written");
    }
}

#[test]
fn files_of_an_earlier_version_stay_until_they_are_old() {
    let folder = quick_folder();
    let archive = thrice(folder.path());
    let (all, sum, before) = (rows(&archive), digest(&archive), files(&archive));
    assert_eq!(before.len(), 3 * 2 + 3);
    compact(&archive, &[]);
    let is_there = |archive: &Path| {
        let now = files(archive);
        before
            .iter()
            .all(|(path, bytes)| now.get(path) == Some(bytes))
    };
    // Neither a check nor another merge nor an ingest of nothing new takes them for something else.
    assert!(is_there(&archive), "they are where they were");
    assert_eq!(files(&archive).len(), before.len() + 2 + 1);
    assert_eq!(
        (rows(&archive), digest(&archive)),
        (all.clone(), sum.clone())
    );
    age(&archive, 6);
    assert!(compact(&archive, &[]).contains("nothing to merge"));
    ingest(&archive, &folder.path().join("export0.jsonl"));
    let said = done(&["archive", "repair", "-a", &text(&archive)]);
    assert!(said.contains("nothing to repair"), "{said}");
    assert!(is_there(&archive));
    // Then they are old.
    age(&archive, 8);
    let said = compact(&archive, &[]);
    assert!(
        said.contains("deleted 9 files that had been replaced"),
        "{said}"
    );
    assert_eq!(files(&archive).len(), 2 + 1);
    assert_eq!((rows(&archive), digest(&archive)), (all, sum));
    assert_each_row_once(&archive.join(TABLE), 30);
    assert!(compact(&archive, &[]).contains("nothing to merge"));
}

#[test]
fn who_wants_no_old_files_says_so() {
    let folder = quick_folder();
    let archive = thrice(folder.path());
    let all = rows(&archive);
    let said = compact(&archive, &["--retention", "0"]);
    assert!(said.contains("deleted 9 files"), "{said}");
    assert_eq!(files(&archive).len(), 2 + 1);
    assert_eq!(rows(&archive), all);
    for days in ["-1", "x", "100000"] {
        let path = text(&archive);
        let (code, said) = told(&["archive", "compact", "-a", &path, "--retention", days]);
        assert_eq!(code, Some(2), "{said}");
    }
}

#[test]
fn an_independent_reader_goes_on_with_the_version_that_it_opened() {
    const SCRIPT: &str = "
import sys
from deltalake import DeltaTable, QueryBuilder
table = DeltaTable(sys.argv[1], version=int(sys.argv[2]))
answer = QueryBuilder().register('t', table).execute('SELECT count(*) AS n FROM t').read_all()
print(answer.column(0)[0].as_py())
";
    let Some(python) = python() else { return };
    let folder = quick_folder();
    let archive = thrice(folder.path());
    let table = archive.join(TABLE);
    compact(&archive, &[]);
    assert_eq!(commits(&table).len(), 4);
    for (version, rows) in [("0", "10"), ("2", "30"), ("3", "30")] {
        let out = Command::new(python)
            .args(["-c", SCRIPT, &text(&table), version])
            .output()
            .expect("Python runs");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{said}");
        assert_eq!(
            String::from_utf8_lossy(&out.stdout).trim(),
            rows,
            "{version}"
        );
    }
}

#[test]
fn a_merged_file_that_is_gone_comes_back_from_those_before() {
    let folder = quick_folder();
    let archive = thrice(folder.path());
    let path = text(&archive);
    let (all, sum) = (rows(&archive), digest(&archive));
    compact(&archive, &[]);
    let table = archive.join(TABLE);
    let merged: Vec<PathBuf> = parquet_files(&table)
        .into_iter()
        .filter(|file| text(file).contains("ct-merged-"))
        .collect();
    assert_eq!(merged.len(), 2);
    fs::remove_file(&merged[0]).expect("it can be removed");
    assert_eq!(told(&["verify", "-a", &path]).0, Some(1));
    let said = done(&["archive", "repair", "-a", &path]);
    assert!(said.contains("the log names them again"), "{said}");
    assert_eq!(
        (rows(&archive), digest(&archive)),
        (all.clone(), sum.clone())
    );
    assert_each_row_once(&table, 30);
    // They are merged once more, and what is named is not deleted.
    compact(&archive, &["--retention", "0"]);
    assert_eq!((rows(&archive), digest(&archive)), (all, sum));
    assert_each_row_once(&table, 30);

    // Where a part of them is gone too, that is said, and nothing is made worse.
    for file in parquet_files(&table) {
        fs::remove_file(file).expect("it can be removed");
    }
    let (code, said) = told(&["archive", "repair", "-a", &path]);
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("still wrong"), "{said}");
}

#[test]
fn label_events_that_were_derived_again_are_no_strangers() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let path = text(&archive);
    let sample = project("sample-data/ual-portal");
    done(&["ingest", &text(&sample), "-a", &path]);
    let count = "SELECT count(*) FROM \"LabelEvents\"";
    let before = ask(&archive, count);
    done(&["archive", "rebuild", "-a", &path]);
    let table = archive.join("LabelEvents");
    assert!(!replaced_files(&table).is_empty());
    assert_eq!(told(&["verify", "-a", &path]).0, Some(0));
    let said = done(&["archive", "repair", "-a", &path]);
    assert!(said.contains("nothing to repair"), "{said}");
    compact(&archive, &["--retention", "0"]);
    for path in replaced_files(&table) {
        assert!(!table.join(&path).exists(), "{path}");
    }
    assert_eq!(ask(&archive, count), before);
    assert_eq!(told(&["verify", "-a", &path]).0, Some(0));
}

#[test]
fn merged_files_are_in_the_order_of_time_and_have_indexes_of_their_pages() {
    let folder = quick_folder();
    let archive = thrice(folder.path());
    compact(&archive, &["--retention", "0"]);
    let files = parquet_files(&archive.join(TABLE));
    assert_eq!(files.len(), 2);
    for path in files {
        let file = fs::File::open(&path).expect("a file");
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
        let metadata = Arc::clone(builder.metadata());
        let groups = metadata.row_groups();
        assert_eq!(groups.len(), 1);
        for chunk in groups[0].columns() {
            let column = chunk.column_path().string();
            assert!(chunk.offset_index_offset().is_some(), "{column}");
            let has_bounds = chunk.column_index_offset().is_some();
            assert!(has_bounds || column != "TimeGenerated", "{column}");
        }
        let mut times: Vec<i64> = Vec::new();
        for batch in builder.build().expect("a reader") {
            let batch = batch.expect("rows");
            let column = batch.column_by_name("TimeGenerated").expect("a column");
            let column = column.as_primitive::<TimestampMicrosecondType>();
            times.extend(column.values().iter());
        }
        assert_eq!(times.len(), 15);
        assert!(times.is_sorted(), "{times:?}");
    }
}
