//! What became of a rule.

use std::time::Duration;

use serde::Serialize;

use super::runs::Unjudged;
use crate::rules::Rule;

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", content = "reason", rename_all = "lowercase")]
pub enum Status {
    /// It found something.
    Found,
    /// It found nothing.
    Nothing,
    /// It found nothing, since the archive has no rows of the tables that it asks, and of which.
    Absent(String),
    /// It has no findings of its own: a correlation counts its events.
    Counted(String),
    /// It did not run for want of a watchlist or a saved function, and of which.
    Lacks(String),
    /// It did not run: it asks a table that nobody knows.
    #[serde(rename = "unknown table")]
    Unknown(String),
    /// It did not run: it asks a table that Sentinel has in its data lake alone.
    #[serde(rename = "lake only")]
    LakeOnly(String),
    /// It cannot run, and why: the file is no rule, or says what a rule cannot say.
    Refused(String),
    /// It was to run and failed, and why.
    #[serde(rename = "not run")]
    NotRun(String),
}

impl Status {
    /// Why the rule did not run, where it did not.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Status::Found | Status::Nothing | Status::Absent(_) | Status::Counted(_) => None,
            Status::Lacks(reason)
            | Status::Unknown(reason)
            | Status::LakeOnly(reason)
            | Status::Refused(reason)
            | Status::NotRun(reason) => Some(reason),
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
    /// Tables that it asks and of which the archive has no rows. Of rules in SQL it is not found out.
    pub absent: Vec<String>,
    /// Columns that its entity mappings name and its result does not have: what it found is about less. Of rules in KQL that found something.
    pub unmapped: Vec<String>,
    /// Whether it counts back from `now()`, and so sees what lies before that alone.
    pub counts_back: bool,
    /// How long it took, with its planning.
    pub took: Duration,
}

impl Outcome {
    pub(super) fn of(rule: &Rule, status: Status) -> Outcome {
        Outcome {
            rule: Some(rule.clone()),
            ..Outcome::of_file(rule.id.clone(), status)
        }
    }

    /// Of a file that holds no rule that can run.
    pub(super) fn of_file(id: String, status: Status) -> Outcome {
        Outcome {
            id,
            rule: None,
            status,
            findings: 0,
            unjudged: None,
            absent: Vec::new(),
            unmapped: Vec::new(),
            counts_back: false,
            took: Duration::ZERO,
        }
    }
}
