//! Hunting: rules run over an archive; their rows become findings with entities and evidence.
//!
//! A sweep runs each rule once over the chosen time. Rules run side by side, within `--memory-limit` where it is given; what they find does not
//! depend on the order.
//!
//! The chosen time chooses findings, by their last event; each rule sees as much around it as it looks back. However a time is split into
//! windows, their sweeps give together what one sweep of all of it gives, each finding once; but for rules whose trigger is not `gt 0`, which count
//! the rows of each window by itself.

use std::cmp::Reverse;

use arrow::array::RecordBatch;
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;

use crate::archive::ledger::Ledger;
use crate::engine::Session;
use crate::fault::Level;
use crate::fault::{Error, Result};
use crate::progress::Progress;
use crate::rules::{Pack, Rule, Severity};
use runs::{Answer, Runs};

pub use finding::{Entity, Evidence, Finding};
pub use lineage::LOOKED_UP;
pub use runs::Unjudged;
pub use window::Window;

mod finding;
mod lineage;
mod runs;
mod window;

/// Which rules run, and for which findings.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// Only rules of at least this severity.
    pub level: Severity,
    /// Only findings of this time.
    pub window: Window,
}

impl Choice {
    /// All findings of the rules of at least a severity.
    pub fn of(level: Severity) -> Choice {
        Choice {
            level,
            window: Window::default(),
        }
    }

    fn rules(self, pack: &Pack) -> impl Iterator<Item = &Rule> {
        pack.rules.iter().filter(move |r| r.severity >= self.level)
    }
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", content = "reason", rename_all = "lowercase")]
pub enum Status {
    /// It found something.
    Found,
    /// It found nothing.
    Nothing,
    /// It did not run for want of a watchlist, and of which.
    Lacks(String),
    /// It did not run, and why.
    #[serde(rename = "not run")]
    NotRun(String),
}

impl Status {
    /// Why the rule did not run, where it did not.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Status::Found | Status::Nothing => None,
            Status::Lacks(reason) | Status::NotRun(reason) => Some(reason),
        }
    }
}

/// A rule and what became of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The rule's id, or the file that is no rule.
    pub id: String,
    /// The rule, where it could be loaded.
    pub rule: Option<Rule>,
    /// How it ended.
    pub status: Status,
    /// How many findings.
    pub findings: usize,
    /// What it could not judge, where there is something.
    pub unjudged: Option<Unjudged>,
}

/// What a hunt gave.
#[derive(Debug, Default)]
pub struct Hunt {
    /// Every rule, by id; those that could not be loaded too.
    pub outcomes: Vec<Outcome>,
    /// Findings, the worst first.
    pub findings: Vec<Finding>,
}

impl Hunt {
    /// How many rules did not run, for whatever reason.
    pub fn not_run(&self) -> usize {
        let reasons = self.outcomes.iter().filter_map(|o| o.status.reason());
        reasons.count()
    }

    /// Shows the times of its findings as the clocks of a zone do, each with its offset.
    pub fn show_in(&mut self, zone: Tz) {
        for finding in &mut self.findings {
            finding.show_in(zone);
        }
    }

    /// How many findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|f| f.severity == severity)
            .count()
    }
}

/// The times that a session must have for a hunt: those of the findings, and what the rules see around them.
pub fn reach(pack: &Pack, choice: &Choice) -> Window {
    choice
        .rules(pack)
        .map(|rule| choice.window.around(rule.period))
        .fold(choice.window, Window::with)
}

/// Runs each chosen rule once. The session has the times of [`reach`], or more; what a hunt of several windows makes in it serves the next.
///
/// # Errors
/// When the evidence cannot be looked up. A rule that fails is an outcome.
pub fn sweep(
    session: &mut Session,
    pack: &Pack,
    choice: &Choice,
    ledger: &Ledger,
    progress: &dyn Progress,
) -> Result<Hunt> {
    let mut hunt = Hunt::default();
    for said in pack.diagnostics.iter().filter(|d| d.level == Level::Error) {
        hunt.outcomes.push(Outcome {
            id: said.subject.clone(),
            rule: None,
            status: Status::NotRun(said.message.clone()),
            findings: 0,
            unjudged: None,
        });
    }
    let mut ready = Vec::new();
    for rule in choice.rules(pack) {
        match missing_watchlist(rule, session) {
            Some(reason) => hunt.outcomes.push(outcome(rule, Status::Lacks(reason), 0)),
            None => ready.push(rule),
        }
    }
    for (name, need) in ready.iter().flat_map(|r| &r.watchlists) {
        session.stand_in(name, &need.columns)?;
    }
    progress.step("hunting");
    session.begin();
    runs::keep_views(session, &ready);
    session.end();
    let mut runs = Runs::new(session, choice.window);
    let mut ran = Vec::new();
    for (rule, answer) in ready.iter().zip(runs.answers(&ready)) {
        if judge(rule, answer, &mut hunt)? {
            ran.push(*rule);
        }
    }
    let mut unjudged = runs.unjudged(&ran);
    for outcome in &mut hunt.outcomes {
        outcome.unjudged = unjudged.remove(&outcome.id);
    }
    put_in_order(&mut hunt);
    // Evidence lies in the times that the rules saw; files of other times need not be opened.
    let seen = reach(pack, choice);
    let seen = session.within(seen.from, seen.to)?;
    lineage::look_up(&seen, &mut hunt.findings, ledger)?;
    Ok(hunt)
}

/// Makes findings of the rows of a rule. Whether it ran.
fn judge(rule: &Rule, answer: Result<Answer>, hunt: &mut Hunt) -> Result<bool> {
    let mut end = |status, findings| hunt.outcomes.push(outcome(rule, status, findings));
    let Answer { schema, batches } = match answer {
        Ok(answer) => answer,
        Err(e) => {
            let advice = match &e {
                Error::Memory(_) | Error::Temporary { .. } | Error::TooLong(_) => e.hint(),
                _ => None,
            };
            let advice = advice.map_or_else(String::new, |hint| format!(" ({hint})"));
            end(Status::NotRun(format!("the query failed: {e}{advice}")), 0);
            return Ok(false);
        }
    };
    let missing = rule
        .entities
        .iter()
        .flat_map(|e| &e.field_mappings)
        .find(|f| schema.index_of(&f.column_name).is_err());
    if let Some(field) = missing {
        let reason = format!(
            "its result has no column `{}`, which an entity mapping names",
            field.column_name
        );
        end(Status::NotRun(reason), 0);
        return Ok(false);
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if !rule.trigger.fires(rows as u64) {
        end(Status::Nothing, 0);
        return Ok(true);
    }
    // That nothing came may be what the rule looks for.
    end(Status::Found, rows.max(1));
    if rows == 0 {
        hunt.findings.push(Finding::bare(rule));
    }
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let finding = Finding::of_row(rule, &schema, batch, row)?;
            hunt.findings.push(finding);
        }
    }
    Ok(true)
}

/// The worst first, the earlier first; a number for each.
fn put_in_order(hunt: &mut Hunt) {
    hunt.outcomes.sort_by(|a, b| a.id.cmp(&b.id));
    hunt.findings.sort_by_cached_key(|f| {
        (
            Reverse(f.severity),
            f.first.clone(),
            f.rule.clone(),
            f.entities.clone(),
            Value::Object(f.details.clone()).to_string(),
        )
    });
    for (i, f) in hunt.findings.iter_mut().enumerate() {
        f.number = i + 1;
    }
}

fn outcome(rule: &Rule, status: Status, findings: usize) -> Outcome {
    Outcome {
        id: rule.id.clone(),
        rule: Some(rule.clone()),
        status,
        findings,
        unjudged: None,
    }
}

/// Says which watchlist a rule lacks.
fn missing_watchlist(rule: &Rule, session: &Session) -> Option<String> {
    let (name, need) = rule
        .watchlists
        .iter()
        .find(|(name, need)| need.required && !session.has_own_watchlist(name))?;
    Some(format!(
        "it needs the watchlist `watchlists/{name}.csv` ({})",
        need.columns.join(", ")
    ))
}
