//! Answers of workers are those of one machine: findings, rows in every format, what is said, and exit codes.

use std::path::Path;

use super::{
    Case, Running, SLOW, Told, Worker, addresses, first_to_begin, rule, rules, same, takes,
    takes_long,
};
use crate::examples::copied;
use crate::object_storage::{self, BUCKET, Server};
use crate::sweep::ALL;

/// Three answers are the same: alone, by the first of these workers, by all of them.
fn is_same(case: &Case, workers: &[Worker], line: &[&str]) -> Told {
    let line = [line, &["--log-format", "json"]].concat();
    let alone = case.told(&[], &line);
    for crew in [&workers[..1], workers] {
        let told = case.told(crew, &line);
        let what = format!("{line:?} by {}", crew.len());
        assert_eq!(told.code, alone.code, "{what}: {}", told.said);
        same(&what, &told.answer, &alone.answer);
        assert_eq!(told.judged(), alone.judged(), "{what}");
    }
    alone
}

#[test]
fn every_built_in_rule_finds_by_workers_what_it_finds_alone() {
    let case = Case::shared();
    let workers = case.workers(3);
    let alone = is_same(&case, &workers, &["hunt", "-f", "json"]);
    assert_eq!(alone.code, Some(0), "{}", alone.said);
    let findings = alone.json()["findings"].as_array().map_or(0, Vec::len);
    assert!(findings > 50, "{findings} findings");
}

/// Rules of every format, and all that can be wrong with one.
fn mixed() -> (tempfile::TempDir, String) {
    let fails = "/*\nid: fails\nname: Fails\nseverity: Low\n*/\nSELECT CAST(\"UserPrincipalName\" AS BIGINT) AS n FROM SigninLogs";
    let mut files: Vec<(String, String)> = ALL
        .iter()
        .map(|(name, text)| (name.to_string(), text.to_string()))
        .collect();
    files.push(("fails.sql".into(), fails.into()));
    files.extend([
        rule("column", "SigninLogs\n| where Nope == 1"),
        rule("unknown", "SignLogs\n| take 1"),
        rule("lake", "EntraUsers\n| take 1"),
        rule("absent", "DeviceProcessEvents\n| project TimeGenerated, DeviceName"),
        rule("list", "_GetWatchlist('VIPUsers')\n| project SearchKey"),
        rule("external", "externaldata(a:string)['https://example.com/x.csv']"),
        rule("function", "RiskyOnes\n| where UserPrincipalName has 'contoso'"),
        rule("untimed", "LabelEvents\n| summarize n = count() by UserId"),
        rule(
            "back",
            "SigninLogs\n| where TimeGenerated > ago(20d)\n| summarize n = count(), At = max(TimeGenerated) by UserPrincipalName",
        ),
    ]);
    rules(&files)
}

#[test]
fn windows_moments_and_rules_that_fail_are_those_of_one_machine() {
    let case = Case::shared();
    let workers = case.workers(3);
    let (_folder, own) = mixed();
    let functions = tempfile::tempdir().expect("a folder");
    let text = "SigninLogs | where RiskLevelDuringSignIn in ('medium', 'high')";
    std::fs::write(functions.path().join("RiskyOnes.kql"), text).expect("a function");
    let functions = functions.path().to_string_lossy().into_owned();
    let days = ["--from", "2026-05-06", "--to", "2026-05-20"];
    // With the exit code of each.
    let all: [(&[&str], i32); 10] = [
        (&["-r", "builtin:mip"], 0),
        (&["-r", "builtin:mip", "--to", "2026-05-12"], 0),
        (&["-r", "builtin:mip", "--from", "2030-01-01"], 0),
        (&["-r", "builtin:mip", "--fail-on", "high"], 1),
        (
            &["-r", "builtin:mip", "-m", "medium", "--tz", "Europe/Berlin"],
            0,
        ),
        (&["-r", &own], 20),
        (&["-r", &own, "--ignore-missing"], 20),
        (&["-r", &own, "--at", "2026-05-15"], 20),
        (&["-r", &own, "--saved-functions", &functions], 20),
        (&["-r", &own, "-r", "builtin:mip", "--fail-on", "low"], 21),
    ];
    for (more, code) in all {
        let line = [&["hunt", "-f", "json"][..], more].concat();
        let alone = is_same(&case, &workers, &line);
        assert_eq!(alone.code, Some(code), "{more:?}: {}", alone.said);
    }
    for rules in ["builtin:mip", &own] {
        let line = [&["hunt", "-f", "csv", "-r", rules][..], &days].concat();
        is_same(&case, &workers, &line);
    }
}

#[test]
fn every_worker_has_its_share() {
    let case = Case::shared();
    let workers = case.workers(3);
    let names: Vec<String> = (0..12).map(|n| format!("share{n}")).collect();
    let files: Vec<(String, String)> = names
        .iter()
        .map(|name| rule(name, &takes(name, 500_000)))
        .collect();
    let (_folder, own) = rules(&files);
    let alone = is_same(&case, &workers, &["hunt", "-f", "json", "-r", &own]);
    assert_eq!(alone.json()["findings"].as_array().map(Vec::len), Some(12));
    for worker in &workers {
        assert!(worker.has_said("range share"), "{:?}", worker.log());
    }
}

/// The shapes of benches/kql_against_duckdb.py, over what the sample data holds.
const SHAPES: [&str; 12] = [
    "CloudAppEvents | summarize n = count() by ActionType, Day = bin(TimeGenerated, 1d)",
    "CloudAppEvents | summarize Events = count(), Objects = dcount(tostring(RawEventData.ObjectId))
        by User = tostring(RawEventData.UserId), Workload = tostring(RawEventData.Workload) | top 20 by Events",
    "CloudAppEvents | where TimeGenerated between (datetime(2026-05-04) .. datetime(2026-05-20))
        | where ActionType in ('FileDownloaded', 'New-InboxRule', 'SensitivityLabelRemoved')
        | summarize n = count(), First = min(TimeGenerated), Last = max(TimeGenerated) by AccountObjectId",
    "CloudAppEvents | where RawEventData has 'docx' | summarize n = count() by ActionType, AccountObjectId",
    "CloudAppEvents | summarize arg_max(TimeGenerated, ActionType, IPAddress, UserAgent) by AccountObjectId",
    "CloudAppEvents | where ActionType has 'Label' | summarize arg_max(TimeGenerated, *) by AccountObjectId",
    "CloudAppEvents | summarize Actions = make_set(ActionType), Addresses = make_set(IPAddress) by AccountObjectId",
    "let removed = CloudAppEvents | where ActionType == 'SensitivityLabelRemoved' | project AccountObjectId, Removed = TimeGenerated, From = IPAddress;
        let around = CloudAppEvents | project AccountObjectId, Then = TimeGenerated, To = IPAddress;
        removed | join kind=inner around on AccountObjectId | where Then between (Removed .. Removed + 1d)
        | summarize n = count(), Moved = countif(From != To), First = min(Removed) by AccountObjectId",
    "UnifiedAuditLog | mv-expand Parameter = todynamic(AuditData).Parameters
        | extend Name = tostring(Parameter.Name), Value = tostring(Parameter.Value)
        | where isnotempty(Name) | summarize n = count(), Longest = max(strlen(Value)) by Operation, Name",
    "CloudAppEvents | extend Site = extract(@'/sites/([^/]+)/', 1, tostring(RawEventData.ObjectId))
        | where isnotempty(Site) | summarize n = count() by Site",
    "CloudAppEvents | summarize n = count() by AccountObjectId, Hour = bin(TimeGenerated, 1h)
        | summarize percentiles(n, 50, 95, 99) by AccountObjectId",
    "CloudAppEvents | sort by AccountObjectId asc, TimeGenerated asc
        | extend Same = prev(AccountObjectId) == AccountObjectId, Gap = TimeGenerated - prev(TimeGenerated), Before = prev(IPAddress)
        | where Same and Gap < 1d | summarize n = count(), Last = max(TimeGenerated) by AccountObjectId",
];

/// Questions in SQL: nested values, windows, all columns, a watchlist, no rows, no columns of a table.
const SQL: [&str; 6] = [
    "SELECT TimeGenerated, UserId, OldLabelRank, Protected, array_agg(Action) OVER (PARTITION BY EventId) AS Actions
        FROM LabelEvents WHERE Action = 'LabelRemoved' ORDER BY TimeGenerated",
    "SELECT * FROM LabelEvents ORDER BY TimeGenerated, Action, SourceTable, EventId, FileName, FilePath, \"_IngestId\"",
    "SELECT RawEventData->>'Operation' AS Operation, count(*) AS n FROM CloudAppEvents GROUP BY 1 ORDER BY 2 DESC, 1",
    "SELECT * FROM watchlists.\"SuperUsers\" ORDER BY 1",
    "SELECT * FROM SigninLogs WHERE false",
    "SELECT now() AS Now, CAST(1.5 AS DOUBLE) AS Half, NULL AS Nothing",
];

/// The bytes of an answer in a file, with its exit code and what was said.
fn written(case: &Case, workers: &[Worker], line: &[&str], format: &str) -> (Told, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("answer");
    let place = file.to_string_lossy();
    let more = [
        "--at",
        "2026-06-01",
        "--threads",
        "1",
        "-f",
        format,
        "-o",
        &place,
    ];
    let mut told = case.told(workers, &[line, &more].concat());
    told.said = told.said.replace(&*place, "FILE");
    (told, std::fs::read(&file).expect("an answer"))
}

#[test]
fn questions_are_answered_in_every_format_as_alone() {
    let case = Case::shared();
    let workers = case.workers(1);
    let kql = SHAPES.map(|query| ["kql", query]);
    let sql = SQL.map(|query| ["sql", query]);
    for (number, line) in kql.iter().chain(&sql).enumerate() {
        for format in ["csv", ["json", "kusto", "parquet"][number % 3]] {
            let (alone, bytes) = written(&case, &[], line, format);
            assert_eq!(alone.code, Some(0), "{line:?}: {}", alone.said);
            if format == "csv" && line[0] == "kql" {
                let lines = bytes.split(|byte| *byte == b'\n').count();
                assert!(lines > 2, "{line:?}: no rows");
            }
            let (told, others) = written(&case, &workers, line, format);
            assert_eq!(told, alone, "{line:?} as {format}");
            assert!(others == bytes, "{line:?} as {format}: other bytes");
        }
    }
}

#[test]
fn options_of_a_question_go_with_it() {
    let case = Case::shared();
    let workers = case.workers(2);
    let functions = tempfile::tempdir().expect("a folder");
    let text = "SigninLogs | where RiskLevelDuringSignIn in ('medium', 'high')";
    std::fs::write(functions.path().join("RiskyOnes.kql"), text).expect("a function");
    let functions = functions.path().to_string_lossy().into_owned();
    let count = "CloudAppEvents | summarize n = count(), Last = max(TimeGenerated)";
    let lines: [&[&str]; 9] = [
        &["kql", count, "--to", "2026-05-12"],
        &["kql", count, "--from", "2026-05-12"],
        &[
            "kql",
            "CloudAppEvents | where TimeGenerated > ago(9d) | count",
            "--at",
            "2026-05-20",
        ],
        &["kql", "RiskyOnes | count", "--saved-functions", &functions],
        &["kql", "RiskyOnes | count"],
        &[
            "kql",
            "SigninLogs | sort by TimeGenerated asc | take 2",
            "--all-columns",
        ],
        &[
            "sql",
            "SELECT * FROM SigninLogs ORDER BY TimeGenerated LIMIT 2",
            "--all-columns",
        ],
        &[
            "sql",
            "SELECT count(*) FROM LabelEvents",
            "--from",
            "2026-05-12",
            "--to",
            "2026-05-20",
        ],
        &[
            "sql",
            "SELECT date_trunc('day', now()) AS Day",
            "--at",
            "2026-05-20",
        ],
    ];
    let mut answers = Vec::new();
    for line in lines {
        let line = [line, &["-f", "json", "--threads", "1"]].concat();
        let alone = case.told(&[], &line);
        assert_eq!(case.told(&workers, &line), alone, "{line:?}");
        answers.push(alone.answer);
    }
    // Windows and functions matter.
    assert_ne!(answers[0], answers[1]);
    assert_ne!(answers[3], answers[4]);
}

#[test]
fn a_copy_of_the_archive_serves_and_what_was_written_since_is_seen() {
    let case = Case::of("sample-data/ual-portal");
    let archive = case.path("archive");
    let there = case.path("copy");
    copied(Path::new(&archive), Path::new(&there));
    let workers = [
        Worker::begin(&mut case.command()),
        Worker::begin(&mut Worker::command(&there, &case.path("secret"))),
    ];
    let hunt = [
        "hunt",
        "-f",
        "json",
        "-r",
        "builtin:mip",
        "--ignore-missing",
    ];
    let before = is_same(&case, &workers, &hunt);
    assert_eq!(before.code, Some(0), "{}", before.said);
    // The first worker opens the archive anew for each hunt; the copy is another archive now.
    case.ingest("sample-data/cloudappevents");
    let after = is_same(&case, &workers[..1], &hunt);
    assert_ne!(after.answer, before.answer);
    let told = case.told(&workers, &hunt);
    assert_eq!(told.code, Some(3), "{}", told.said);
    assert!(told.said.contains(&workers[1].address), "{}", told.said);
    assert_eq!(told.answer, "");
}

#[test]
fn an_archive_in_object_storage_is_asked_by_workers() {
    let Some(server) = Server::start() else {
        return;
    };
    let there = format!("s3://{BUCKET}/cluster");
    let caches = tempfile::tempdir().expect("a folder");
    let machine = |name: &str| {
        let mut environment = server.environment();
        let cache = caches.path().join(name).to_string_lossy().into_owned();
        environment.push(("COLDTRAIL_CACHE".into(), cache));
        environment
    };
    let case = Case::of("sample-data");
    let out = object_storage::run(
        machine("writer"),
        &["-q", "ingest", "sample-data", "-a", &there],
    );
    assert_eq!(out.status.code(), Some(0));
    let secret = case.path("secret");
    let worker = |name: &str| {
        let mut command = Worker::command(&there, &secret);
        Worker::begin(command.envs(machine(name)))
    };
    let workers = [worker("one"), worker("two"), worker("three")];
    let at = addresses(&workers);
    let crew = ["--cluster", &at, "--secret-file", &secret];
    let asked = |line: &[&str], who: &str, by: &[&str]| {
        let line = [line, &["-a", &there], by].concat();
        Running::start(&line, &machine(who)).told()
    };
    // All built-in rules, and the twelve shapes.
    let mut lines = vec![vec!["hunt", "-f", "json"]];
    lines.extend(SHAPES.map(|shape| vec!["kql", shape, "-f", "csv", "--threads", "1"]));
    for line in &lines {
        let alone = asked(line, "alone", &[]);
        assert_eq!(alone.code, Some(0), "{line:?}: {}", alone.said);
        let told = asked(line, "coordinator", &crew);
        assert_eq!(told.code, Some(0), "{line:?}: {}", told.said);
        same(&format!("{line:?}"), &told.answer, &alone.answer);
    }
    // One is killed in the middle.
    let (_folder, own) = rules(&[takes_long(SLOW)]);
    let line = ["hunt", "-f", "json", "-r", &own, "-r", "builtin:mip"];
    let alone = asked(&line, "alone", &[]);
    let line = [&line[..], &["-a", &there], &crew].concat();
    let running = Running::start(&line, &machine("coordinator"));
    let lost = first_to_begin(&workers, SLOW, &[]);
    workers[lost].kill();
    let told = running.told();
    assert_eq!(told.code, Some(0), "{}", told.said);
    assert!(told.said.contains(&workers[lost].address), "{}", told.said);
    same("in object storage", &told.answer, &alone.answer);
}

#[test]
fn a_secret_that_is_made_lets_a_coordinator_in() {
    let case = Case::shared();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("new").to_string_lossy().into_owned();
    let made = Running::start(&["worker", "--new-secret", &file], &[]).told();
    assert_eq!(made.code, Some(0), "{}", made.said);
    let secret = std::fs::read_to_string(&file).expect("a secret");
    let is_kept = ![&made.said, &made.answer]
        .iter()
        .any(|said| said.contains(secret.trim()));
    assert!(is_kept, "{}{}", made.said, made.answer);
    let archive = case.path("archive");
    let worker = Worker::begin(&mut Worker::command(&archive, &file));
    let question = ["kql", "SigninLogs | count", "-f", "csv", "-a", &archive];
    let more = ["--cluster", &worker.address, "--secret-file", &file];
    let told = Running::start(&[&question[..], &more].concat(), &[]).told();
    assert_eq!(told.code, Some(0), "{}", told.said);
    let alone = Running::start(&question, &[]).told();
    assert_eq!(told.answer, alone.answer);
}
