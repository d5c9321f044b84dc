//! What an archive says of itself: what is missing is found, and so is whatever changed after it was written.

use std::path::{Path, PathBuf};

use coldtrail::archive::Archive;
use coldtrail::engine::{Options, Session, Source};
use coldtrail::fault::Error;
use coldtrail::ingest::time;
use coldtrail::progress::Silent;
use coldtrail::proof::gaps::{self, Finding, Kind, Scope};
use coldtrail::proof::verify::{self, Check};

use crate::command_line::run;
use crate::{STORY, ingest, project};

fn story(archive: &Path) {
    let inputs = STORY.map(|name| project(&format!("sample-data/{name}")));
    ingest(archive, &inputs);
}

fn record(number: usize, time: &str, workload: &str) -> String {
    format!(
        r#"{{"Id":"00000000-0000-4000-8000-{number:012}","CreationTime":"{time}","Operation":"X","RecordType":6,"Workload":"{workload}","UserId":"alice@contoso.com"}}"#
    )
}

/// So many records each hour of ten days from Monday, 4 May 2026 on, on those days that `days` takes.
fn hourly(each: usize, workload: &str, first: usize, days: impl Fn(usize) -> bool) -> String {
    let mut text = String::new();
    for n in 0..10 * 24 * each {
        let (day, hour) = (4 + n / (24 * each), n / each % 24);
        if days(day) {
            let time = format!("2026-05-{day:02}T{hour:02}:{:02}:00", n % each);
            text.push_str(&record(first + n, &time, workload));
            text.push('\n');
        }
    }
    text
}

/// An archive of one file.
fn archive_of(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    std::fs::write(&file, content).expect("a file");
    let archive = folder.path().join("archive");
    ingest(&archive, &[file]);
    (folder, archive)
}

fn session(archive: &Path) -> (Archive, Session) {
    let archive = Archive::open(archive).expect("an archive");
    let session = Session::open(Source::Archive(&archive), &Options::default()).expect("a session");
    (archive, session)
}

fn report(archive: &Path, scope: &Scope) -> gaps::Report {
    let (archive, session) = session(archive);
    let ledger = archive.snapshot().expect("a snapshot").ledger;
    gaps::find(&session, &ledger, scope).expect("a report")
}

fn gaps_of(archive: &Path, kind: Kind) -> Vec<Finding> {
    let report = report(archive, &Scope::default());
    let findings = report.findings.into_iter();
    findings.filter(|f| f.kind == kind).collect()
}

fn micros(time: &str) -> Option<i64> {
    let t = time::iso(time.as_bytes());
    assert!(t.is_some(), "{time}");
    t
}

#[test]
fn quiet_nights_and_weekends_of_the_sample_data_are_no_holes() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    story(&archive);
    let report = report(&archive, &Scope::default());
    let told: Vec<(Kind, &str)> = report
        .findings
        .iter()
        .map(|f| (f.kind, f.place.as_str()))
        .collect();
    // All of Contoso's files lie in sites; nobody uses OneDrive.
    assert_eq!(told, [(Kind::MissingWorkload, "OneDrive")]);
    assert_eq!((report.tables, report.files), (5, 11));
}

#[test]
fn a_day_that_is_missing_is_a_hole() {
    let (_folder, archive) = archive_of("week.jsonl", &hourly(3, "SharePoint", 0, |day| day != 7));
    let holes = gaps_of(&archive, Kind::Hole);
    assert_eq!(holes.len(), 1, "{holes:?}");
    let hole = &holes[0];
    assert_eq!(hole.table, "UnifiedAuditLog");
    assert_eq!(hole.place, "", "told once, not for the workload again");
    assert_eq!(
        (hole.from, hole.to),
        (micros("2026-05-07T00:00:00"), micros("2026-05-08T00:00:00"))
    );
    assert_eq!(
        (hole.expected.as_u64(), hole.found.as_u64()),
        (Some(72), Some(0))
    );
    let after = Scope {
        from: micros("2026-05-09T00:00:00"),
        ..Scope::default()
    };
    assert_eq!(report(&archive, &after).count(Kind::Hole), 0);
    let (_archive, session) = session(&archive);
    let table = gaps::table_of(&session, "unifiedauditlog").expect("it is there");
    let only = Scope {
        table: Some(table),
        ..Scope::default()
    };
    assert_eq!(report(&archive, &only).count(Kind::Hole), 1);
    assert!(matches!(
        gaps::table_of(&session, "SigninLogs"),
        Err(Error::NoTable { .. })
    ));
}

#[test]
fn a_year_without_an_event_is_a_hole_where_nothing_is_usual() {
    let (mut text, mut number) = (String::new(), 0);
    let mut add = |time: &str| {
        number += 1;
        text.push_str(&record(number, time, "SharePoint"));
        text.push('\n');
    };
    // Five days with one burst each, and then, fifteen months later, few events a day.
    for day in 20..25 {
        for minute in 10..50 {
            add(&format!("2023-09-{day}T09:{minute}:00"));
        }
    }
    for day in 1..21 {
        for minute in 10..13 {
            add(&format!("2025-01-{day:02}T{:02}:{minute}:00", day * 5 % 24));
        }
    }
    let (_folder, archive) = archive_of("two.jsonl", &text);
    let out = run(&["gaps", "-a", &archive.to_string_lossy()]);
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    let hole = told.lines().find(|line| line.starts_with(" hole"));
    let hole = hole.unwrap_or_else(|| panic!("no hole: {told}"));
    for part in [
        "2023-09-24T10:00:00Z",
        "2025-01-01T05:00:00Z",
        "days without an event",
    ] {
        assert!(hole.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_workload_that_ends_early_or_is_not_there_is_missing() {
    let text = hourly(1, "SharePoint", 0, |_| true) + &hourly(3, "Exchange", 1000, |day| day < 9);
    let (_folder, archive) = archive_of("two.jsonl", &text);
    let missing = gaps_of(&archive, Kind::MissingWorkload);
    let from = |place: &str| {
        let of_place = missing.iter().filter(|f| f.place == place);
        of_place.map(|f| f.from).collect::<Vec<_>>()
    };
    assert_eq!(from("Exchange"), [micros("2026-05-09T00:00:00")]);
    assert_eq!(from("OneDrive"), [micros("2026-05-04T00:00:00")]);
    assert!(from("SharePoint").is_empty());
    assert_eq!(missing.len(), 4, "{missing:?}");
}

#[test]
fn a_file_that_ends_at_a_cap_is_told() {
    let lines = |n: usize| -> String {
        (0..n)
            .map(|i| {
                let time = format!(
                    "2026-05-{:02}T{:02}:{:02}:00",
                    4 + i / 1440,
                    i / 60 % 24,
                    i % 60
                );
                record(i, &time, "SharePoint") + "\n"
            })
            .collect()
    };
    let (_folder, archive) = archive_of("export.jsonl", &lines(5000));
    let caps = gaps_of(&archive, Kind::Cap);
    assert_eq!(caps.len(), 1, "{caps:?}");
    assert_eq!(caps[0].found.as_u64(), Some(5000));
    assert!(caps[0].place.ends_with("export.jsonl"));
    assert!(
        caps[0].why.contains("Search-UnifiedAuditLog"),
        "{}",
        caps[0].why
    );
    let (_folder, archive) = archive_of("export.jsonl", &lines(4999));
    assert!(gaps_of(&archive, Kind::Cap).is_empty());
}

#[test]
fn what_an_export_says_of_itself_is_held_against_it() {
    // The search found nine records, and the export wrote its own times two hours later.
    let mut csv =
        String::from("CreationDate,UserIds,Operations,AuditData,ResultIndex,ResultCount\n");
    for n in 1..3 {
        let json = record(n, "2026-05-04T09:00:00", "SharePoint").replace('"', "\"\"");
        csv.push_str(&format!(
            "2026-05-04T11:00:00,alice@contoso.com,X,\"{json}\",{n},9\n"
        ));
    }
    let (_folder, archive) = archive_of("search.csv", &csv);
    let caps = gaps_of(&archive, Kind::Cap);
    assert_eq!(caps.len(), 1, "{caps:?}");
    assert_eq!(
        (caps[0].expected.as_u64(), caps[0].found.as_u64()),
        (Some(9), Some(2))
    );
    let zones = gaps_of(&archive, Kind::ZoneDoubt);
    assert_eq!(zones.len(), 1, "{zones:?}");
    let found = zones[0].found.as_str().unwrap_or_default();
    assert!(found.contains("+120 minutes"), "{found}");

    let two = |second: &str| {
        record(1, "2026-05-04T12:00:00", "SharePoint")
            + "\n"
            + &record(2, second, "SharePoint")
            + "\n"
    };
    let name = "UAL-20260504000000-20260505000000.jsonl";
    let (_folder, archive) = archive_of(name, &two("2026-05-05T00:00:00"));
    assert!(gaps_of(&archive, Kind::OutsideRange).is_empty());
    let (_folder, archive) = archive_of(name, &two("2026-05-06T12:00:00"));
    let outside = gaps_of(&archive, Kind::OutsideRange);
    assert_eq!(outside.len(), 1, "{outside:?}");
    assert_eq!(outside[0].to, micros("2026-05-06T12:00:00"));

    // Read on 1 June.
    let (_folder, archive) = archive_of("future.jsonl", &two("2026-07-01T00:00:00"));
    let zones = gaps_of(&archive, Kind::ZoneDoubt);
    assert_eq!(zones.len(), 1, "{zones:?}");
    assert_eq!(zones[0].found.as_u64(), Some(1));
    assert_eq!(zones[0].from, micros("2026-07-01T00:00:00"));
    assert!(gaps_of(&archive, Kind::Hole).is_empty());
}

#[test]
fn gaps_are_told_as_a_table_and_as_json() {
    let (_folder, archive) = archive_of("week.jsonl", &hourly(3, "SharePoint", 0, |day| day != 7));
    let archive = archive.to_string_lossy();
    let told = run(&["gaps", "-a", &archive]);
    assert_eq!(told.status.code(), Some(0));
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(text.contains("2026-05-07T00:00:00Z"), "{text}");
    assert!(text.trim_end().ends_with("in 1 table and 1 file"), "{text}");
    let told = run(&["gaps", "-a", &archive, "-f", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let findings = json["findings"].as_array().expect("a list");
    let hole = findings
        .iter()
        .find(|f| f["kind"] == "hole")
        .expect("a hole");
    assert_eq!(hole["from"], "2026-05-07T00:00:00Z");
    assert_eq!(hole["expected"], 72);
    for key in ["table", "to", "found", "where", "explanation"] {
        assert!(hole.get(key).is_some(), "{key}");
    }
    let code = |arguments: &[&str]| run(arguments).status.code();
    assert_eq!(
        code(&["gaps", "-a", &archive, "--table", "Nothing"]),
        Some(2)
    );
    assert_eq!(code(&["gaps", "-a", "nowhere"]), Some(3));
}

fn checked(archive: &Path, folders: &[PathBuf]) -> verify::Report {
    let archive = Archive::open(archive).expect("an archive");
    verify::run(&archive, folders, &Silent)
}

/// The first Parquet file of a table.
fn part_of(archive: &Path, table: &str) -> PathBuf {
    walkdir::WalkDir::new(archive.join(table))
        .sort_by_file_name()
        .into_iter()
        .map(|e| e.expect("an entry").into_path())
        .find(|p| {
            let in_log = p.components().any(|c| c.as_os_str() == "_delta_log");
            !in_log && p.extension().is_some_and(|e| e == "parquet")
        })
        .expect("a file")
}

#[test]
fn an_archive_that_nobody_touched_has_no_problems() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    story(&archive);
    ingest(&archive, &[project("sample-data/watchlists")]);
    let report = checked(&archive, &[]);
    assert_eq!(report.count(), 0, "{:#?}", report.problems);
    for check in Check::ALL {
        assert!(report.tally(check).checked > 0, "{}", check.name());
    }
    for check in [Check::Files, Check::Hashes, Check::Orphans, Check::Rows] {
        assert_eq!(report.tally(check).not_checked, 0, "{}", check.name());
    }
    assert_eq!(report.tally(Check::Sources).checked, 11);
    // Every row of UnifiedAuditLog and of CloudAppEvents.
    assert_eq!(report.tally(Check::Records).checked, 327 + 83);
    assert_eq!(report.digest.len(), 64);
    assert_eq!(checked(&archive, &[]).digest, report.digest);
    let told = run(&["verify", "-a", &archive.to_string_lossy()]);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert_eq!(told.status.code(), Some(0), "{text}");
    assert!(text.contains("no problems"), "{text}");
    assert!(text.contains(&report.digest), "{text}");
}

#[test]
fn the_damaged_archives_of_broken_exports_are_whole_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data/broken")]);
    let report = checked(&archive, &[]);
    assert_eq!(report.count(), 0, "{:#?}", report.problems);
}

#[test]
fn a_changed_byte_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    story(&archive);
    let before = checked(&archive, &[]).digest;
    let part = part_of(&archive, "UnifiedAuditLog");
    let mut bytes = std::fs::read(&part).expect("the file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).expect("the file");
    let report = checked(&archive, &[]);
    assert_eq!(report.count(), 1, "{:#?}", report.problems);
    let problem = &report.problems[0];
    assert_eq!(problem.check, Check::Hashes);
    assert_eq!(problem.table, "UnifiedAuditLog");
    assert!(part.ends_with(&problem.file), "{}", problem.file);
    assert_ne!(problem.expected, problem.found);
    assert_ne!(report.digest, before);
    let told = run(&["verify", "-a", &archive.to_string_lossy(), "--json"]);
    assert_eq!(told.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(json["problems"][0]["check"], "hashes");
    assert_eq!(
        json["checks"].as_array().map(Vec::len),
        Some(Check::ALL.len())
    );
}

#[test]
fn a_removed_file_and_one_too_many_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    story(&archive);
    let part = part_of(&archive, "UnifiedAuditLog");
    // Nothing that is cut off leaves a file that no log names.
    let copied = part.with_file_name("ct-000999-00000.parquet");
    std::fs::copy(&part, &copied).expect("a copy");
    let report = checked(&archive, &[]);
    assert_eq!(report.count(), 1, "{:#?}", report.problems);
    assert_eq!(report.problems[0].check, Check::Orphans);
    assert!(copied.ends_with(&report.problems[0].file));
    std::fs::rename(&part, part.with_file_name("stray.parquet")).expect("another name");
    let report = checked(&archive, &[]);
    let problems = |check: Check| report.tally(check).problems;
    assert_eq!([problems(Check::Files), problems(Check::Orphans)], [1, 2]);
    assert_eq!(report.problems[0].found, "no such file");
    // The rows of some exports are gone with it.
    assert!(problems(Check::Ingests) > 0);
    assert!(report.problems.iter().any(|p| p.ingest.is_some()));
}

#[test]
fn an_archive_without_its_ledger_says_so() {
    let (_folder, archive) = archive_of("a.jsonl", &hourly(1, "Exchange", 0, |_| true));
    std::fs::remove_file(part_of(&archive, "Ingests")).expect("it can be removed");
    let report = checked(&archive, &[]);
    assert_eq!(report.tally(Check::Log).problems, 1);
    assert_eq!(report.tally(Check::Files).problems, 1);
    // The other tables are looked at all the same.
    assert_eq!(report.tally(Check::Records).checked, 240);
}

#[test]
fn exports_are_compared_where_they_are_still_there() {
    let (folder, archive) = archive_of("a.jsonl", &hourly(1, "Exchange", 0, |_| true));
    let sources = |folders: &[PathBuf]| {
        let tally = checked(&archive, folders).tally(Check::Sources);
        (tally.checked, tally.not_checked, tally.problems)
    };
    assert_eq!(sources(&[]), (1, 0, 0));
    let file = folder.path().join("a.jsonl");
    let kept = folder.path().join("evidence/case");
    std::fs::create_dir_all(&kept).expect("a folder");
    std::fs::rename(&file, kept.join("a.jsonl")).expect("another place");
    assert_eq!(sources(&[]), (0, 1, 0));
    assert_eq!(sources(std::slice::from_ref(&kept)), (1, 0, 0));
    let mut text = std::fs::read_to_string(kept.join("a.jsonl")).expect("the file");
    text = text.replacen("alice", "carol", 1);
    std::fs::write(kept.join("a.jsonl"), text).expect("the file");
    assert_eq!(sources(std::slice::from_ref(&kept)), (1, 0, 1));
    let code = |arguments: &[&str]| run(arguments).status.code();
    let (archive, kept) = (archive.to_string_lossy(), kept.to_string_lossy());
    assert_eq!(code(&["verify", "-a", &archive]), Some(0));
    assert_eq!(
        code(&["verify", "-a", &archive, "--sources", &kept]),
        Some(1)
    );
    assert_eq!(
        code(&["verify", "-a", &archive, "--sources", "nowhere"]),
        Some(2)
    );
}
