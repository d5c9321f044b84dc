//! What a hunt was in numbers, as people read it: a sweep and a replay alike.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::ui::{Ui, count, counted};
use crate::engine::output::visible;
use crate::hunt::Summary;

/// Rules with most findings that are named.
const MOST_NAMED: usize = 10;
/// Tables without rows that are named.
const MOST_TABLES: usize = 5;
/// A hunt of more rules is told in numbers, too.
const FEW_RULES: usize = 25;

/// Says of which tables the archive has no rows, by the rules that ran: the tables of each of which it has none, and whether these are all that it
/// asks. One that asks others, too, may well find something: only who wants to know more is told of it.
pub(super) fn absent<'t>(rules: impl Iterator<Item = (&'t [String], bool)>, ui: &Ui) {
    let mut absent: BTreeMap<&str, u64> = BTreeMap::new();
    for (tables, are_all) in rules {
        if !are_all && !ui.verbose {
            continue;
        }
        for table in tables {
            *absent.entry(table).or_default() += 1;
        }
    }
    if absent.is_empty() {
        return;
    }
    let mut tables: Vec<(&str, u64)> = absent.into_iter().collect();
    let mut more = String::new();
    if !ui.verbose && tables.len() > MOST_TABLES {
        // Those that most rules ask; equals by name.
        tables.sort_by_key(|(_, rules)| Reverse(*rules));
        let left = counted((tables.len() - MOST_TABLES) as u64, "other");
        more = format!(" and {left} (-v names them)");
        tables.truncate(MOST_TABLES);
    }
    let tables: Vec<String> = tables
        .iter()
        .map(|(table, rules)| format!("`{table}` ({})", counted(*rules, "rule")))
        .collect();
    let tables = visible(&tables.join(", "));
    ui.remark(&format!(
        "the archive has no rows of tables that rules ask: {tables}{more}"
    ));
}

/// Says what a hunt was in numbers, where its rules are many or more is to be said. What it found is called findings, or alerts.
pub(super) fn tell(summary: &Summary, found: &str, ui: &Ui) {
    if !ui.verbose && summary.loaded <= FEW_RULES {
        return;
    }
    let parts = [
        (summary.refused, "refused"),
        (summary.lacking, "without a watchlist or function"),
        (summary.unknown_table, "over unknown tables"),
        (summary.lake_only, "over the data lake"),
        (summary.failed, "failed"),
        (summary.counted, "part of a correlation"),
        (summary.without_runs, "without runs"),
    ];
    let mut rules = format!("{} ran", count(summary.ran as u64));
    if summary.absent > 0 {
        let absent = count(summary.absent as u64);
        rules.push_str(&format!(" ({absent} over tables without rows)"));
    }
    for (n, what) in parts.into_iter().filter(|(n, _)| *n > 0) {
        rules.push_str(&format!(", {} {what}", count(n as u64)));
    }
    let loaded = counted(summary.loaded as u64, "rule");
    ui.remark(&format!("{loaded}: {rules}"));
    let events = counted(summary.events, "event");
    ui.remark(&format!("{events} in the tables that they asked"));
    let mut most: Vec<(&String, &usize)> = summary.by_rule.iter().collect();
    most.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let most: Vec<String> = most
        .iter()
        .take(MOST_NAMED)
        .map(|(rule, n)| format!("`{rule}` {}", count(**n as u64)))
        .collect();
    if !most.is_empty() {
        ui.remark(&format!("most {found}: {}", visible(&most.join(", "))));
    }
    let slowest: Vec<String> = summary
        .slowest
        .iter()
        .map(|(rule, took)| format!("`{rule}` {:.1} s", took.as_secs_f64()))
        .collect();
    if !slowest.is_empty() {
        ui.remark(&format!("slowest: {}", visible(&slowest.join(", "))));
    }
}
