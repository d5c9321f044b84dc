//! The sample data gives exactly what its README says.

use std::collections::BTreeMap;

use coldtrail::archive::{Archive, ledger};
use coldtrail::detect::{self, Status};
use coldtrail::engine::{self, Session, Source};
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

/// Runs the built-in pack.
fn sweep(archive: &Archive) -> (Session, ledger::Ledger, rules::Pack, detect::Hunt) {
    let mut session =
        Session::open(Source::Archive(archive), &engine::Options::default()).expect("a session");
    let pack = rules::load(&[]).expect("the pack");
    let ledger = ledger::read(archive).expect("the ledger");
    let level = Severity::Informational;
    let hunt = detect::sweep(&mut session, &pack, level, &ledger, &Silent).expect("a hunt");
    (session, ledger, pack, hunt)
}

#[test]
fn files_rows_and_findings_are_those_of_the_readme() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    let summary = ingest(&path, &[project("sample-data")]);
    let readme = std::fs::read_to_string(project("sample-data/README.md")).expect("the README");

    let files = table_of(&readme, "## The files");
    assert!(files.len() > 10, "{} files", files.len());
    for row in files.iter().filter(|r| !r[0].starts_with("**")) {
        let entry = summary
            .entries
            .iter()
            .find(|e| e.file.ends_with(&row[0]))
            .unwrap_or_else(|| panic!("{} was not read", row[0]));
        let got = [
            entry.records,
            entry.events(),
            entry.duplicates,
            entry.revisions,
            entry.quarantined,
        ];
        let want: Vec<u64> = row[3..8]
            .iter()
            .map(|c| c.parse().expect("a count"))
            .collect();
        assert_eq!(got.to_vec(), want, "{}", row[0]);
        assert_eq!(
            entry.tables.keys().collect::<Vec<_>>(),
            [&row[2]],
            "{}",
            row[0]
        );
    }
    assert_eq!(summary.entries.len(), files.len() - 1);

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
        .map(|o| (o.id.clone(), o.findings))
        .collect();
    assert_eq!(got, want);
    assert!(hunt.outcomes.iter().all(|o| o.status == Status::Found));

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

    let html = report::html(
        &session,
        &archive,
        &ledger,
        &hunt,
        &report::Heading {
            archive: "archive".into(),
            now: NOW,
            from: None,
            to: None,
            bytes_text: |b| b.to_string(),
        },
    )
    .expect("a report");
    assert!(html.contains("Content-Security-Policy"));
    assert!(!html.contains("<script"), "the report has no scripts");
    assert!(html.contains("Frank.Fletcher"));
    let json: serde_json::Value =
        serde_json::from_str(&report::findings_json(&hunt)).expect("findings.json is JSON");
    assert_eq!(
        json["findings"].as_array().map(Vec::len),
        Some(hunt.findings.len())
    );
}

#[test]
fn the_same_input_gives_the_same_answers_file_by_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, single) = (folder.path().join("whole"), folder.path().join("single"));
    let summary = ingest(&whole, &[project("sample-data")]);
    for entry in &summary.entries {
        ingest(&single, &[entry.file.clone().into()]);
    }
    let sql = "SELECT Id, TimeGenerated, Operation, AuditData, _IngestId, _Record FROM UnifiedAuditLog ORDER BY Id";
    assert_eq!(ask(&whole, sql), ask(&single, sql));
    let again = ingest(&whole, &[project("sample-data")]);
    assert!(again.entries.is_empty(), "everything was read before");
    assert_eq!(again.known.len(), summary.entries.len());
    assert_eq!(ask(&whole, sql), ask(&single, sql));
}

#[test]
fn rules_that_need_a_watchlist_say_so_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data/ual-portal")]);
    let archive = Archive::open(&path).expect("the archive");
    let (_, _, pack, hunt) = sweep(&archive);
    let not_run: Vec<(&str, &str)> = hunt
        .outcomes
        .iter()
        .filter_map(|o| match &o.status {
            Status::NotRun(reason) => Some((o.id.as_str(), reason.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(
        not_run,
        [
            (
                "critical-file-touched",
                "it needs the watchlist `watchlists/CriticalFiles.csv` (Pattern, Comment)"
            ),
            (
                "label-downgraded",
                "it needs the watchlist `watchlists/Labels.csv` (Id, Name, Rank, Parent)"
            ),
        ]
    );
    assert_eq!(hunt.outcomes.len(), pack.rules.len());
}
