//! What a hunt holds of a view for several rules is what each of them sees by itself.

use std::path::Path;

use serde_json::Value;

use crate::command_line::run;
use crate::{ingest, project};

/// Rules in SQL over audit records, each of which finds something in the samples.
const RULES: [&str; 5] = [
    "critical-file-touched",
    "document-sensitivity-mismatch",
    "label-policy-changed",
    "label-removed-then-shared-or-downloaded",
    "labelled-file-renamed",
];

/// A rule that takes all columns.
const ALL: &str = "id: all-columns
name: All of it
description: Labels of mails.
severity: Low
kind: Scheduled
queryFrequency: 1d
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [Collection]
relevantTechniques: [T1114]
version: 1.0.0
query: |
  UnifiedAuditLog | where Operation == 'MipLabel'
";

/// What rules find, as text; not the number, which counts those of all rules.
fn found(archive: &Path, rules: &[&str], window: &[&str]) -> Vec<String> {
    let path = archive.to_string_lossy();
    let mut arguments = vec!["hunt", "-a", &path, "-f", "ndjson"];
    arguments.extend(rules.iter().flat_map(|rule| ["-r", *rule]));
    arguments.extend(window);
    let out = run(&arguments);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{rules:?}: {errors}");
    let text = String::from_utf8(out.stdout).expect("text");
    let findings = text.lines().map(|line| {
        let mut finding: Value = serde_json::from_str(line).expect("a finding");
        let number = finding.as_object_mut().and_then(|all| all.remove("number"));
        assert!(number.is_some(), "{line}");
        finding.to_string()
    });
    let mut findings: Vec<String> = findings.collect();
    findings.sort();
    findings
}

#[test]
fn rules_find_together_what_each_finds_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data")]);
    // With a query that takes columns that it does not name, all of them are held.
    let file = folder.path().join("all.yaml");
    std::fs::write(&file, ALL).expect("a rule");
    let all = file.to_string_lossy();
    let part = ["--from", "2026-05-07T12:00:00Z", "--to", "2026-05-15"];
    for window in [&[] as &[&str], &part] {
        let alone: Vec<Vec<String>> = RULES
            .iter()
            .map(|rule| found(&archive, &[rule], window))
            .collect();
        if window.is_empty() {
            assert!(alone.iter().all(|found| !found.is_empty()), "{alone:?}");
        }
        let mut alone = alone.concat();
        alone.sort();
        assert!(!alone.is_empty());
        assert_eq!(found(&archive, &RULES, window), alone, "{window:?}");
        let mut rules = RULES.to_vec();
        rules.push(&all);
        let mut more = found(&archive, &rules, window);
        let before = more.len();
        more.retain(|finding| !finding.contains("All of it"));
        assert!(more.len() < before, "{window:?}");
        assert_eq!(more, alone, "{window:?}");
    }
}
