//! What the built-in pack says of a month in which nobody attacks.

use std::collections::BTreeMap;

use coldtrail::archive::Archive;
use coldtrail::engine::{self, Session, Source};
use coldtrail::hunt;
use coldtrail::progress::Silent;
use coldtrail::rules::{self, Severity};

use crate::{ingest, project};

#[path = "../../benches/generate/month.rs"]
mod month;

/// Findings of all rules over the month of a company of 40, each Low or Informational: four a working day can be read.
const MOST: usize = 84;
/// Findings of one rule.
const MOST_OF_ONE: usize = 20;

#[test]
fn an_ordinary_month_raises_nothing_above_low() {
    let folder = tempfile::tempdir().expect("a folder");
    let exports = folder.path().join("exports");
    std::fs::create_dir(&exports).expect("a folder");
    let written = month::write(&exports, 1);
    assert!(written > 30_000, "{written} events");
    let path = folder.path().join("archive");
    // Rules that ask for a list of labels, files or people have one.
    let summary = ingest(&path, &[exports, project("sample-data/watchlists")]);
    assert_eq!(summary.sum(|e| e.events()), written, "each is an event");

    let archive = Archive::open(&path).expect("the archive");
    let mut session =
        Session::open(Source::Archive(&archive), &engine::Options::default()).expect("a session");
    let pack = rules::load(&[]).expect("the pack");
    let ledger = archive.snapshot().expect("a snapshot").ledger;
    let choice = hunt::Choice::of(Severity::Informational);
    let hunt = hunt::sweep(&mut session, &pack, &choice, &ledger, &Silent).expect("a hunt");

    let idle: Vec<String> = hunt
        .outcomes
        .iter()
        .filter_map(|o| Some(format!("{}: {}", o.id, o.status.reason()?)))
        .collect();
    assert!(idle.is_empty(), "did not run:\n{}", idle.join("\n"));
    assert_eq!(hunt.outcomes.len(), pack.rules.len());

    let mut noisy: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut quiet: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &hunt.findings {
        if finding.severity > Severity::Low {
            let details = serde_json::Value::Object(finding.details.clone());
            let said = format!("  {:?} {} {details}", finding.severity, finding.first);
            noisy.entry(&finding.rule).or_default().push(said);
        } else {
            *quiet.entry(&finding.rule).or_default() += 1;
        }
    }
    let told: Vec<String> = noisy
        .iter()
        .map(|(rule, said)| {
            let first: Vec<&str> = said.iter().take(5).map(String::as_str).collect();
            format!("{rule} ({} findings)\n{}", said.len(), first.join("\n"))
        })
        .collect();
    assert!(
        told.is_empty(),
        "above low in an ordinary month:\n{}",
        told.join("\n")
    );
    let many: Vec<_> = quiet.iter().filter(|(_, n)| **n > MOST_OF_ONE).collect();
    assert!(many.is_empty(), "nobody reads so many: {many:?}");
    assert!(
        hunt.findings.len() <= MOST,
        "{} findings: {quiet:?}",
        hunt.findings.len()
    );
}
