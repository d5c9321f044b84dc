//! A worker reads its archive and nothing else, whatever it is asked; and it writes nothing.

use std::path::Path;

use super::{Case, Worker, rule, rules};
use crate::sweep::statuses;

/// What lies beside the archive, and in the folder in which the worker runs.
const CANARY: &str = "canary-7f3a";

/// All that lies in a folder, with the sizes of files.
fn content(folder: &Path) -> Vec<(String, u64)> {
    let mut all: Vec<(String, u64)> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| {
            let entry = entry.expect("the folder can be read");
            let size = entry.metadata().expect("an entry").len();
            let is_file = entry.file_type().is_file();
            let name = entry.path().to_string_lossy().into_owned();
            (name, if is_file { size } else { 0 })
        })
        .collect();
    all.sort();
    all
}

/// A case with a canary, and a worker that runs beside it.
fn with_canary() -> (Case, [Worker; 1]) {
    let case = Case::of("sample-data/signin");
    for name in ["canary.csv", "canary", "canary.parquet"] {
        let text = format!("a,b\n{CANARY},1\n");
        std::fs::write(case.path(name), text).expect("a canary");
    }
    let mut command = case.command();
    command.current_dir(case.folder.path());
    let workers = [Worker::begin(&mut command)];
    (case, workers)
}

/// Statements that want to write, or to read what is not the archive's. `HERE` is the folder of the canary.
const SQL: [&str; 18] = [
    "COPY (SELECT 1) TO 'HERE/stolen.csv'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'HERE/stolen.csv'",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'HERE/canary.csv'",
    "CREATE TABLE t AS SELECT 1",
    "SELECT * FROM 'HERE/canary.csv'",
    "SELECT * FROM \"HERE/canary.csv\"",
    "SELECT * FROM 'HERE/canary.parquet'",
    "SELECT * FROM 'file://HERE/canary.csv'",
    "SELECT * FROM \"canary.csv\"",
    "SELECT * FROM \"../canary.csv\"",
    "SELECT * FROM read_csv('HERE/canary.csv')",
    "SELECT * FROM watchlists.\"../../canary\"",
    "SET datafusion.execution.batch_size = 1",
    "PREPARE p AS SELECT 1",
    "INSERT INTO Ingests SELECT * FROM Ingests",
    "DELETE FROM stored.SigninLogs",
    "DROP TABLE SigninLogs",
    "SELECT 1; SELECT 2",
];

/// The same in KQL.
const KQL: [&str; 16] = [
    "externaldata(a:string)['HERE/canary.csv']",
    "externaldata(a:string)['file://HERE/canary.csv'] with (format='csv')",
    "externaldata(a:string)['canary.csv'] with (format='csv')",
    "externaldata(a:string)['../canary.csv'] with (format='csv')",
    "externaldata(a:string)['..%2fcanary.csv'] with (format='csv')",
    "externaldata(a:string)['https://example.com/canary.csv'] with (format='csv')",
    "externaldata(a:string)[@'\\\\127.0.0.1\\c\\canary.csv']",
    "let f = externaldata(a:string)['HERE/canary.csv']; SigninLogs | where UserPrincipalName in (f)",
    "_GetWatchlist('../../canary')",
    "_GetWatchlist('HERE/canary')",
    "table('HERE/canary.csv')",
    "cluster('x').database('y').SigninLogs",
    "workspace('x').SigninLogs",
    "SigninLogs | evaluate python(typeof(*), 'open(\"HERE/canary.csv\")')",
    "evaluate http_request('http://127.0.0.1:9/')",
    "print geo_info_from_ip_address('192.0.2.1')",
];

#[test]
fn statements_read_and_write_nothing_but_the_archive() {
    let (case, workers) = with_canary();
    let here = case.folder.path().to_string_lossy().into_owned();
    let before = content(case.folder.path());
    let sql = SQL.map(|text| ("sql", text));
    let kql = KQL.map(|text| ("kql", text));
    for (command, text) in sql.into_iter().chain(kql) {
        let text = text.replace("HERE", &here);
        let line = [command, &text, "-f", "csv"];
        let alone = case.told(&[], &line);
        let told = case.told(&workers, &line);
        assert_eq!(told.code, Some(2), "{text}: {}", told.said);
        assert_eq!(told, alone, "{text}");
        for part in [&told.answer, &told.said] {
            assert!(!part.contains(CANARY), "{text}: {part}");
        }
    }
    assert_eq!(content(case.folder.path()), before);
    let log = workers[0].log();
    assert!(log.iter().all(|line| !line.contains(CANARY)), "{log:?}");
    // It is still there, and what it read is its archive.
    let count = [
        "kql",
        "SigninLogs | where UserPrincipalName != '' | count",
        "-f",
        "csv",
    ];
    let told = case.told(&workers, &count);
    assert_eq!(told, case.told(&[], &count));
    assert_eq!(told.code, Some(0), "{}", told.said);
}

#[test]
fn rules_that_want_other_files_lack_them_on_a_worker_too() {
    let (case, workers) = with_canary();
    let here = case.folder.path().to_string_lossy().into_owned();
    let sql = format!(
        "/*\nid: copies\nname: Copies\nseverity: Low\n*/\nCOPY (SELECT 1) TO '{here}/stolen.csv'"
    );
    let (_folder, own) = rules(&[
        rule(
            "list",
            "externaldata(a:string)['https://example.com/canary.csv'] with (format='csv')",
        ),
        rule(
            "place",
            &format!("externaldata(a:string)['{here}/canary.csv']"),
        ),
        rule(
            "watch",
            "_GetWatchlist('../../canary')\n| project SearchKey",
        ),
        ("copies.sql".to_string(), sql),
        rule(
            "well",
            "SigninLogs\n| where RiskLevelDuringSignIn == 'high'",
        ),
    ]);
    let before = content(case.folder.path());
    let hunt = ["hunt", "-f", "json", "-r", &own];
    let alone = case.told(&[], &hunt);
    let told = case.told(&workers, &hunt);
    assert_eq!(told.code, Some(20), "{}", told.said);
    assert_eq!(told.answer, alone.answer);
    assert!(!told.answer.contains(CANARY) && !told.said.contains(CANARY));
    for (rule, (status, reason)) in statuses(&told.json()) {
        let is_well = status == "found";
        assert_eq!(is_well, rule == "well", "{rule}: {status}: {reason}");
    }
    assert_eq!(content(case.folder.path()), before);
}

/// What a question shows of the archive is harmless on a terminal, and in the worker's log, which repeats its first letters.
#[test]
fn what_a_worker_logs_of_a_question_is_harmless() {
    let (case, workers) = with_canary();
    let query = "print a = '\u{1b}]0;title\u{7}\u{202e}x', Marked = 1";
    let line = ["kql", query, "-f", "csv"];
    let alone = case.told(&[], &line);
    let told = case.told(&workers, &line);
    assert_eq!(told, alone);
    let log = workers[0].log();
    assert!(log.iter().any(|line| line.contains("print a")), "{log:?}");
    for line in log {
        let is_harmful = line.contains(['\u{1b}', '\u{7}', '\u{202e}']);
        assert!(!is_harmful, "{line:?}");
        let object: serde_json::Value = serde_json::from_str(&line).expect("an object a line");
        for key in ["time", "level", "command", "message"] {
            assert!(object[key].is_string(), "no {key}: {line}");
        }
    }
}
