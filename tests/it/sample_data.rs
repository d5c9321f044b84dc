//! The sample data gives exactly what its README says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coldtrail::archive::{Archive, ledger};
use coldtrail::convert::Summary;
use coldtrail::engine::{self, Session, Source};
use coldtrail::hunt::{self, Status};
use coldtrail::progress::Silent;
use coldtrail::report;
use coldtrail::rules::{self, Severity};

use crate::{NOW, ask, ingest, number, project};

/// Cells of the tables in a README whose first cell is no heading.
fn table_of(readme: &str, heading: &str) -> Vec<Vec<String>> {
    let from = readme
        .find(heading)
        .unwrap_or_else(|| panic!("no `{heading}`"));
    readme[from..]
        .lines()
        .skip_while(|l| !l.starts_with("|--"))
        .skip(1)
        .take_while(|l| l.starts_with('|'))
        .map(|l| {
            l.trim_matches('|')
                .split('|')
                .map(|c| c.trim().to_string())
                .collect()
        })
        .collect()
}

/// Each file of a table of the README gave so many records and events, and all together what its last line says.
fn files_are(summary: &Summary, readme: &str, heading: &str, least: usize) {
    let files = table_of(readme, heading);
    assert!(files.len() > least, "{} files", files.len());
    for row in files.iter().filter(|r| !r[0].starts_with("**")) {
        let prefix = format!("sample-data/{}", row[0]);
        let entries: Vec<_> = summary
            .entries
            .iter()
            .filter(|e| e.file.contains(&prefix))
            .collect();
        assert!(!entries.is_empty(), "{} was not read", row[0]);
        let sum = |of: fn(&ledger::Entry) -> u64| entries.iter().map(|e| of(e)).sum::<u64>();
        let got = [
            sum(|e| e.records),
            sum(ledger::Entry::events),
            sum(|e| e.duplicates),
            sum(|e| e.revisions),
            sum(|e| e.quarantined),
        ];
        let want: Vec<u64> = row[3..8]
            .iter()
            .map(|c| c.parse().expect("a count"))
            .collect();
        assert_eq!(got.to_vec(), want, "{}", row[0]);
        if row[2] != "several" {
            let tables: Vec<_> = entries.iter().flat_map(|e| e.tables.keys()).collect();
            assert_eq!(tables, [&row[2]], "{}", row[0]);
        }
    }
    let total = files.last().expect("a line for all");
    let bold = |n: u64| format!("**{n}**");
    assert_eq!(total[3], bold(summary.sum(|e| e.records)));
    assert_eq!(total[4], bold(summary.sum(|e| e.events())));
}

/// Runs the built-in pack.
fn sweep(
    archive: &Archive,
) -> (
    Session,
    std::sync::Arc<ledger::Ledger>,
    rules::Pack,
    hunt::Hunt,
) {
    let mut session =
        Session::open(Source::Archive(archive), &engine::Options::default()).expect("a session");
    let pack = rules::load(&[]).expect("the pack");
    let ledger = archive.snapshot().expect("a snapshot").ledger;
    let choice = hunt::Choice::of(Severity::Informational);
    let hunt = hunt::sweep(&mut session, &pack, &choice, &ledger, &Silent).expect("a hunt");
    (session, ledger, pack, hunt)
}

#[test]
fn files_rows_and_findings_are_those_of_the_readme() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    let summary = ingest(&path, &[project("sample-data")]);
    let readme = std::fs::read_to_string(project("sample-data/README.md")).expect("the README");

    files_are(&summary, &readme, "## The files", 10);

    // Each event once, whichever view is asked.
    assert_eq!(number(&path, "SELECT count(*) FROM UnifiedAuditLog"), 344);
    assert_eq!(
        number(&path, "SELECT count(DISTINCT Id) FROM UnifiedAuditLog"),
        344
    );
    assert_eq!(number(&path, "SELECT count(*) FROM CloudAppEvents"), 344);
    let labels = ask(
        &path,
        "SELECT Action, count(*) FROM LabelEvents WHERE Action IN \
         ('LabelRemoved', 'LabelDowngraded', 'AccessDenied', 'FileRenamed') GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(
        labels,
        [
            "AccessDenied|17",
            "FileRenamed|2",
            "LabelDowngraded|41",
            "LabelRemoved|7"
        ]
    );

    assert_eq!(
        ask(
            &path,
            "SELECT DISTINCT NewLabelName FROM LabelEvents WHERE NewLabelName LIKE 'Confidential%' ORDER BY 1"
        ),
        ["Confidential", "Confidential\\Finance"]
    );

    let archive = Archive::open(&path).expect("the archive");
    let (session, ledger, _, hunt) = sweep(&archive);
    let want: BTreeMap<String, usize> = table_of(&readme, "## What the rules find")
        .into_iter()
        .filter(|r| !r[0].starts_with("**"))
        .map(|r| (r[0].clone(), r[1].parse().expect("a count")))
        .collect();
    let got: BTreeMap<String, usize> = hunt
        .outcomes
        .iter()
        .filter(|o| o.status == Status::Found)
        .map(|o| (o.id.clone(), o.findings))
        .collect();
    assert_eq!(got, want);
    assert!(hunt.outcomes.iter().all(|o| o.status.reason().is_none()));

    // Every finding leads back to records of files that were read.
    for finding in &hunt.findings {
        assert!(
            !finding.evidence.is_empty(),
            "{} has no evidence",
            finding.rule
        );
        assert!(
            !finding.entities.is_empty(),
            "{} names nobody",
            finding.rule
        );
        for evidence in &finding.evidence {
            assert!(evidence.file.contains("sample-data/"), "{evidence:?}");
            assert!(evidence.record > 0, "{evidence:?}");
        }
    }

    let heading = report::Heading {
        zone: None,
        archive: "archive".into(),
        now: NOW,
        from: None,
        to: None,
    };
    let sources = report::Sources {
        session: &session,
        archive: &archive,
        ledger: &ledger,
        hunt: &hunt,
        before: None,
        users: &[],
        inside: &[],
    };
    let data = report::report(&sources, &heading, |_| Ok(Vec::new())).expect("data");
    let mut html = Vec::new();
    report::html::html(&data, None, &mut html, Path::new("report.html")).expect("a report");
    let html = String::from_utf8(html).expect("text");
    assert!(html.contains("Content-Security-Policy"));
    assert_eq!(
        html.matches("<script").count(),
        2,
        "its data and its own script"
    );
    assert!(html.contains("frank.fletcher@contoso.com"));
    let json: serde_json::Value =
        serde_json::from_str(&report::findings_json(&hunt)).expect("findings.json is JSON");
    assert_eq!(
        json["findings"].as_array().map(Vec::len),
        Some(hunt.findings.len())
    );
}

#[test]
fn files_and_rows_of_the_attack_are_those_of_the_readme() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    let summary = ingest(&path, &[project("sample-data/attack")]);
    let readme = std::fs::read_to_string(project("sample-data/README.md")).expect("the README");
    files_are(&summary, &readme, "### Files of the attack", 6);
    // The stories share a tenant and no event.
    let both = ingest(&path, &[project("sample-data")]);
    assert_eq!(both.sum(|e| e.events()), 504);
}

#[test]
fn every_format_alone_gives_what_its_readme_says() {
    let readme = std::fs::read_to_string(project("sample-data/formats/README.md"))
        .expect("the README of the formats");
    let files = table_of(&readme, "# Formats");
    assert!(files.len() > 20, "{} files", files.len());
    for row in &files {
        let folder = tempfile::tempdir().expect("a folder");
        let summary = ingest(
            &folder.path().join("archive"),
            &[project("sample-data/formats").join(&row[0])],
        );
        let tables: Vec<&str> = summary.tables().into_keys().collect();
        assert_eq!(tables, [row[2].as_str()], "{}", row[0]);
        assert_eq!(
            [summary.sum(|e| e.records), summary.sum(|e| e.events())].map(|n| n.to_string()),
            [row[3].clone(), row[4].clone()],
            "{}",
            row[0]
        );
        assert!(!summary.is_incomplete(), "{}", row[0]);
    }
}

#[test]
fn the_same_input_gives_the_same_answers_file_by_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, single) = (folder.path().join("whole"), folder.path().join("single"));
    let summary = ingest(&whole, &[project("sample-data")]);
    let files: Vec<PathBuf> = summary
        .entries
        .iter()
        .map(|e| PathBuf::from(&e.file))
        // Members of zip archives are no files.
        .filter(|p| p.is_file())
        .collect();
    for file in &files {
        ingest(&single, std::slice::from_ref(file));
    }
    let sql = "SELECT Id, TimeGenerated, Operation, AuditData, _IngestId, _Record FROM UnifiedAuditLog ORDER BY Id";
    assert_eq!(ask(&whole, sql), ask(&single, sql));
    let again = ingest(&whole, &[project("sample-data")]);
    assert!(again.entries.is_empty(), "everything was read before");
    assert_eq!(again.known.len(), files.len());
    assert_eq!(ask(&whole, sql), ask(&single, sql));
}

#[test]
fn rules_that_need_a_watchlist_say_so_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data/ual-portal")]);
    let archive = Archive::open(&path).expect("the archive");
    let (_, _, pack, hunt) = sweep(&archive);
    let lacking: Vec<(&str, &str)> = hunt
        .outcomes
        .iter()
        .filter_map(|o| match &o.status {
            Status::Lacks(reason) => Some((o.id.as_str(), reason.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(
        lacking,
        [(
            "critical-file-touched",
            "it needs the watchlist `watchlists/CriticalFiles.csv` (Pattern, Comment)"
        )]
    );
    assert_eq!(hunt.not_run(), 1);
    assert_eq!(hunt.outcomes.len(), pack.rules.len());
}
