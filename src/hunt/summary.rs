//! A hunt in numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::finding::Finding;
use super::outcome::{Outcome, Status};
use crate::archive::ledger::Ledger;
use crate::catalog::catalog;
use crate::engine::views;
use crate::rules::Severity;

/// Rules that are named as the slowest.
pub(super) const SLOWEST: usize = 5;
/// The two sources of audit records.
const AUDIT: [&str; 2] = ["UnifiedAuditLog", "CloudAppEvents"];
/// Where else label actions come from.
const PROTECTION: [&str; 2] = [views::INFORMATION_PROTECTION_LOGS, "AipServiceUserLog"];

/// A hunt in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rules, and files that are meant as rules.
    pub loaded: usize,
    /// Rules that ran.
    pub ran: usize,
    /// Those of them that asked tables of which the archive has no rows.
    pub absent: usize,
    /// Rules whose events a correlation counts.
    pub counted: usize,
    /// Rules that have no schedule, or are switched off: what a replay passes over.
    #[serde(skip)]
    pub without_runs: usize,
    /// What cannot run as it is written.
    pub refused: usize,
    /// Rules that lack a watchlist or a saved function.
    pub lacking: usize,
    /// Rules that ask a table that nobody knows.
    pub unknown_table: usize,
    /// Rules that ask a table of the data lake.
    pub lake_only: usize,
    /// Rules that were to run and failed.
    pub failed: usize,
    /// Events of the tables that the rules asked.
    pub events: u64,
    /// Findings by severity; those of which there are some.
    pub by_severity: BTreeMap<Severity, usize>,
    /// Findings by rule; those of which there are some.
    pub by_rule: BTreeMap<String, usize>,
    /// Parameters that were set for this hunt, by rule and name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, BTreeMap<String, Value>>,
    /// The rules that took longest, with their times. No two runs agree on that.
    #[serde(skip)]
    pub slowest: Vec<(String, Duration)>,
}

impl Summary {
    pub(super) fn of(outcomes: &[Outcome], findings: &[Finding], events: u64) -> Summary {
        let count = |is: fn(&Status) -> bool| outcomes.iter().filter(|o| is(&o.status)).count();
        let (mut by_severity, mut by_rule) = (BTreeMap::new(), BTreeMap::new());
        for finding in findings {
            *by_severity.entry(finding.severity).or_default() += 1;
            *by_rule.entry(finding.rule.clone()).or_default() += 1;
        }
        let timed = outcomes.iter().filter(|o| !o.took.is_zero());
        let mut slowest: Vec<(String, Duration)> = timed.map(|o| (o.id.clone(), o.took)).collect();
        slowest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        slowest.truncate(SLOWEST);
        let absent = count(|s| matches!(s, Status::Absent(_)));
        let rules = outcomes.iter().filter_map(|o| o.rule.as_ref());
        let set = rules.map(|rule| (rule.id.clone(), rule.set()));
        Summary {
            loaded: outcomes.len(),
            ran: absent + count(|s| matches!(s, Status::Found | Status::Nothing)),
            absent,
            counted: count(|s| matches!(s, Status::Counted(_))),
            without_runs: 0,
            refused: count(|s| matches!(s, Status::Refused(_))),
            lacking: count(|s| matches!(s, Status::Lacks(_))),
            unknown_table: count(|s| matches!(s, Status::Unknown(_))),
            lake_only: count(|s| matches!(s, Status::LakeOnly(_))),
            failed: count(|s| matches!(s, Status::NotRun(_))),
            events,
            by_severity,
            by_rule,
            set: set.filter(|(_, set)| !set.is_empty()).collect(),
            slowest,
        }
    }
}

/// Events of some tables, and of those that they are views over.
pub(super) fn events(ledger: &Ledger, reads: &BTreeSet<String>) -> u64 {
    let mut tables: BTreeSet<&str> = BTreeSet::new();
    for name in reads {
        tables.insert(name);
        match name.as_str() {
            views::LABEL_EVENTS => tables.extend(AUDIT.iter().chain(&PROTECTION)),
            "UnifiedAuditLog" | "CloudAppEvents" | "OfficeActivity" => tables.extend(AUDIT),
            views::INFORMATION_PROTECTION_EVENTS => tables.extend(PROTECTION),
            _ => {}
        }
    }
    // Derived rows are no events.
    let stored = |name: &&str| catalog().get(name).is_none_or(|table| !table.derived);
    let rows = tables.into_iter().filter(stored);
    rows.map(|name| ledger.rows_of(name)).sum()
}
