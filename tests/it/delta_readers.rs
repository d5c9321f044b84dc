//! Other programs read every table of an archive and say the same of every value: after ingests, a hunt and a merge, and after one of them has
//! merged, sorted and deleted files itself.
//!
//! The scripts in `delta_readers/` drive programs from PyPI. Where one is not installed, that is said and it reads nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::command_line::run;
use crate::delta::python;
use crate::durable::{
    TABLE, bytes_of, commits, done, export, ingest, parquet_files, quick_folder, text, told,
};
use crate::{number, project};

/// Programs that read Delta tables, and the packages in which they come.
const READERS: [(&str, &str); 5] = [
    ("deltalake", "deltalake"),
    ("duckdb", "duckdb-extension-delta pytz"),
    ("clickhouse", "chdb"),
    ("clickhouse-own", "chdb"),
    ("sail", "pysail pyspark-client"),
];

/// An archive and those who read it.
struct Scene {
    python: &'static str,
    readers: Vec<&'static str>,
    folder: tempfile::TempDir,
    archive: PathBuf,
}

impl Scene {
    /// Without an archive yet; nothing where no Python has a reader.
    fn new() -> Option<Scene> {
        let python = python()?;
        let mut readers = Vec::new();
        for (reader, packages) in READERS {
            match script(python, "rows.py", &[reader]).status.success() {
                true => readers.push(reader),
                false => println!("skipped: no {reader} (pip install {packages})"),
            }
        }
        assert!(readers.contains(&"deltalake"), "{readers:?}");
        let folder = quick_folder();
        let archive = folder.path().join("archive");
        Some(Scene {
            python,
            readers,
            folder,
            archive,
        })
    }

    /// What coldtrail says of each table, a file each; and how many rows each has.
    fn answers(&self) -> (PathBuf, Vec<String>) {
        let answers = self.folder.path().join("answers");
        let _ = fs::remove_dir_all(&answers);
        fs::create_dir(&answers).expect("a folder");
        let mut rows = Vec::new();
        for table in tables(&self.archive) {
            let file = answers.join(format!("{table}.ndjson"));
            let question = format!("SELECT * FROM stored.\"{table}\"");
            let path = text(&self.archive);
            done(&["sql", "-a", &path, &question, "-o", &text(&file)]);
            let count = format!("SELECT count(*) FROM stored.\"{table}\"");
            rows.push(format!("{table} {}", number(&self.archive, &count)));
        }
        (answers, rows)
    }

    /// Lets a program read the archive.
    fn read(&self, reader: &str, answers: &Path) -> Output {
        let (archive, answers) = (text(&self.archive), text(answers));
        script(self.python, "rows.py", &[reader, &archive, &answers])
    }

    /// All of them have every row and value; so many tables there are.
    fn assert_read_alike(&self, tables: usize) {
        let (answers, ours) = self.answers();
        assert_eq!(ours.len(), tables, "{ours:?}");
        for reader in &self.readers {
            let out = self.read(reader, &answers);
            let theirs = String::from_utf8_lossy(&out.stdout);
            let theirs: Vec<&str> = theirs.lines().collect();
            let differs = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{reader}: {theirs:?} {differs}");
            assert_eq!(theirs, ours, "{reader}");
        }
    }

    /// What rules find.
    fn found(&self) -> String {
        let out = run(&[
            "hunt",
            "-a",
            &text(&self.archive),
            "-r",
            "builtin:mip",
            "--ignore-missing",
            "-f",
            "json",
        ]);
        assert_eq!(out.status.code(), Some(0));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

/// Runs a script of `delta_readers/`.
fn script(python: &str, name: &str, arguments: &[&str]) -> Output {
    Command::new(python)
        .arg(project("tests/it/delta_readers").join(name))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python runs")
}

/// The Delta tables of an archive, in order.
fn tables(archive: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for entry in fs::read_dir(archive).expect("an archive") {
        let entry = entry.expect("an entry");
        if entry.path().join("_delta_log").is_dir() {
            out.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    out.sort();
    out
}

#[test]
fn every_reader_has_every_value_of_every_table() {
    let Some(scene) = Scene::new() else { return };
    let path = text(&scene.archive);
    let sample = |name: &str| text(&project("sample-data").join(name));
    // Rows without a time, and records that could not be read, are among them.
    let (portal, cloud) = (sample("ual-portal"), sample("cloudappevents"));
    let (untimed, rejected) = (
        sample("broken/unknown-columns.csv"),
        sample("broken/no-id-no-time.jsonl"),
    );
    let inputs: [&str; 7] = ["ingest", &portal, &cloud, &untimed, &rejected, "-a", &path];
    assert_eq!(told(&inputs).0, Some(10));
    done(&[
        "hunt",
        "-a",
        &path,
        "-r",
        "builtin:mip",
        "--ignore-missing",
        "--store",
        "--incidents",
    ]);
    let stored = [
        "Alerts",
        "Incidents",
        "LabelEvents",
        "OtherRecords",
        "Quarantine",
    ];
    let first = tables(&scene.archive);
    for table in stored {
        assert!(first.iter().any(|t| t == table), "{table}: {first:?}");
    }
    scene.assert_read_alike(first.len());

    done(&["ingest", &sample(""), "-a", &path]);
    let all = tables(&scene.archive).len();
    assert!(all > first.len(), "{first:?}");
    done(&["archive", "compact", "-a", &path]);
    scene.assert_read_alike(all);

    // Another program tidies up: nothing that is found is another, and it is said who wrote the files.
    let found = scene.found();
    let out = script(scene.python, "tidy.py", &[&path]);
    let taken = String::from_utf8_lossy(&out.stdout);
    let failed = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{failed}");
    assert!(taken.trim().parse().is_ok_and(|n: u32| n > 0), "`{taken}`");
    assert_eq!(scene.found(), found);
    let (code, said) = told(&["verify", "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("another program or an older version wrote them"),
        "{said}"
    );

    // Then it goes on as before.
    let more = export(scene.folder.path(), "more.jsonl", 0..12);
    ingest(&scene.archive, &more);
    done(&["archive", "compact", "-a", &path]);
    let said = ingest(&scene.archive, &more);
    assert!(said.contains("and 1 file read before"), "{said}");
    scene.assert_read_alike(all);
}

#[test]
fn a_value_that_another_program_reads_otherwise_is_named() {
    let Some(scene) = Scene::new() else { return };
    let input = export(scene.folder.path(), "one.jsonl", 0..3);
    ingest(&scene.archive, &input);
    scene.assert_read_alike(2);
    let (answers, _) = scene.answers();
    let file = answers.join(format!("{TABLE}.ndjson"));
    let right = fs::read_to_string(&file).expect("an answer");
    let wrong = right.replacen(r#""_Record":2"#, r#""_Record":9"#, 1);
    assert_ne!(wrong, right);
    fs::write(&file, wrong).expect("it can be written");
    for reader in &scene.readers {
        let out = scene.read(reader, &answers);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{reader}: {said}");
        let named = format!("{TABLE}: _Record: '2' is not '9'");
        assert!(said.contains(&named), "{reader}: {said}");
    }
}

/// `far-times.parquet` is what Spark 4.1.1 wrote of the two events below, with its defaults: times in 96 bits.
#[test]
fn times_that_spark_wrote_are_what_they_were() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let mut lines = String::new();
    for (n, time) in ["9999-12-31T00:00:00.5", "9999-12-31T23:59:59"]
        .iter()
        .enumerate()
    {
        lines += &format!(
            r#"{{"Id":"00000000-0000-4000-8000-{n:012}","CreationTime":"{time}","Operation":"FileAccessed","RecordType":6,"Workload":"SharePoint","UserId":"user{n}@contoso.com"}}"#
        );
        lines += "\n";
    }
    let input = folder.path().join("far.jsonl");
    fs::write(&input, lines).expect("a file");
    ingest(&archive, &input);

    let table = archive.join(TABLE);
    let files = parquet_files(&table);
    let [old] = &files[..] else {
        panic!("not one file: {files:?}");
    };
    let below =
        |path: &Path| text(path.strip_prefix(&table).expect("it is below")).replace('\\', "/");
    let name = "part-00000-417fb631-8605-4a40-a5b1-06d0d2de7224-c000.snappy.parquet";
    let new = old.with_file_name(name);
    let size = fs::copy(project("tests/it/data/spark/far-times.parquet"), &new).expect("a copy");
    let day = json!({"date": "9999-12-31"});
    let actions = [
        json!({"commitInfo": {"operation": "OPTIMIZE", "engineInfo": "Apache-Spark/4.1.1"}}),
        json!({"remove": {"path": below(old), "deletionTimestamp": 0, "dataChange": false, "partitionValues": day}}),
        json!({"add": {"path": below(&new), "partitionValues": day, "size": size, "modificationTime": 0,
            "dataChange": false, "stats": r#"{"numRecords":2}"#}}),
    ];
    let commit = actions.map(|action| format!("{action}\n")).concat();
    assert_eq!(commits(&table).len(), 1);
    let log = table.join("_delta_log");
    fs::write(log.join("00000000000000000001.json"), commit).expect("it can be written");
    fs::remove_file(old).expect("it can be removed");

    let path = text(&archive);
    for question in [
        "UnifiedAuditLog | project TimeGenerated",
        "UnifiedAuditLog | where TimeGenerated > datetime(2300-01-01) | project TimeGenerated",
    ] {
        let said = done(&["kql", "-a", &path, "-f", "csv", question]);
        for time in ["9999-12-31T00:00:00.500Z", "9999-12-31T23:59:59Z"] {
            assert!(said.contains(time), "{question}: {said}");
        }
    }
    let (code, said) = told(&["verify", "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn features_that_cannot_be_written_are_refused_before_anything_is_written() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let path = text(&archive);
    ingest(&archive, &export(folder.path(), "one.jsonl", 0..3));
    // As `ALTER TABLE … SET TBLPROPERTIES ('delta.enableDeletionVectors' = true)` leaves a table.
    let protocol = json!({"protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"],
        "writerFeatures": ["deletionVectors", "appendOnly", "invariants"]}});
    let commit = archive
        .join(TABLE)
        .join("_delta_log/00000000000000000001.json");
    fs::write(&commit, format!("{protocol}\n")).expect("it can be written");
    let before = bytes_of(&archive);

    let more = text(&export(folder.path(), "two.jsonl", 3..6));
    for command in [
        &["ingest", more.as_str(), "-a", path.as_str()][..],
        &["archive", "compact", "-a", path.as_str()],
    ] {
        let (code, said) = told(command);
        assert_eq!(code, Some(3), "{said}");
        let named = format!(
            "another program gave `{TABLE}` what coldtrail does not write: \
             version 7 of Delta's protocol for writers with deletionVectors"
        );
        assert!(said.contains(&named), "{said}");
        let hint = format!("`{TABLE}/_delta_log` is moved out of it, `coldtrail archive repair`");
        assert!(said.contains(&hint), "{said}");
    }
    assert_eq!(bytes_of(&archive), before);
    let count = format!("SELECT count(*) FROM stored.\"{TABLE}\"");
    assert_eq!(number(&archive, &count), 3);

    // The hint is as good as its word.
    let log = archive.join(TABLE).join("_delta_log");
    fs::rename(&log, folder.path().join("laid-aside")).expect("it can be moved");
    done(&["archive", "repair", "-a", &path]);
    done(&["ingest", &more, "-a", &path]);
    assert_eq!(number(&archive, &count), 6);
    let (code, said) = told(&["verify", "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
}
