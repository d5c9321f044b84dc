//! What is not there for rules: tables, watchlists, saved functions; and why a query did not run.

use std::collections::{BTreeSet, HashMap};

use arrow::datatypes::SchemaRef;

use super::asked::Asked;
use super::outcome::Status;
use super::runs::guarded;
use crate::catalog::is_lake_only;
use crate::engine::kql::{Needs, Options, Verdict};
use crate::engine::{Session, parallel};
use crate::fault::Error;
use crate::kql::span::{Fault, Missing, position};
use crate::rules::{Language, Lines, Rule};

/// Says which watchlist a rule lacks.
pub(super) fn missing_watchlist(rule: &Rule, session: &Session) -> Option<String> {
    let (name, need) = rule
        .watchlists
        .iter()
        .find(|(name, need)| need.required && !session.has_own_watchlist(name))?;
    let columns = match need.columns.is_empty() {
        true => String::new(),
        false => format!(" ({})", need.columns.join(", ")),
    };
    let file = file_of_list(name);
    Some(format!("it needs the watchlist `{file}`{columns}"))
}

/// The file that an ingest takes for a watchlist.
fn file_of_list(name: &str) -> String {
    format!("watchlists/{name}.csv")
}

/// Columns that entity mappings of a rule name and its result does not have, each once. Those that Log Analytics adds to every row of a query in
/// KQL are not shown.
pub(super) fn unmapped(rule: &Rule, schema: &SchemaRef) -> Vec<String> {
    let is_hidden = |name: &str| rule.query.language != Language::Sql && name.starts_with('_');
    let fields = rule.entities.iter().flat_map(|e| &e.field_mappings);
    let mut missing: Vec<String> = fields
        .map(|field| field.column_name.clone())
        .filter(|name| !is_hidden(name) && schema.index_of(name).is_err())
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

/// Of which tables the archive has no rows, each found out once.
#[derive(Default)]
pub(super) struct Presence {
    known: HashMap<String, bool>,
}

impl Presence {
    /// Those of some tables of which there are no rows. Of a view that is kept in memory it must be found out before that.
    pub(super) fn absent(&mut self, tables: &[String], session: &Session) -> Vec<String> {
        let is_open = |table: &&String| !self.known.contains_key(*table);
        let open: Vec<&String> = tables.iter().filter(is_open).collect();
        let lacking = parallel::each(&open, session.threads(), |table| session.lacks(table));
        let found = open.into_iter().cloned().zip(lacking);
        self.known
            .extend(found.map(|(table, lacks)| (table, !lacks)));
        let is_absent = |table: &&String| self.known.get(*table) == Some(&false);
        tables.iter().filter(is_absent).cloned().collect()
    }
}

/// What became of a rule whose query failed.
pub(super) fn of_failure(asked: &Asked, error: &Error, session: &Session, how: &Options) -> Status {
    let lacks = match error {
        Error::NoTable { .. } => {
            let told = format!("{error}{}", bracketed(error.hint()));
            Some(Status::Unknown(told))
        }
        // What is a fault of coldtrail is one here, too, and has been told.
        Error::Query(_) if asked.language == Language::Kql => {
            guarded(|| Ok(lacking(asked, session, how))).unwrap_or(None)
        }
        _ => None,
    };
    if let Some(status) = lacks {
        return status;
    }
    let told = match error {
        Error::TooLong(limit) => format!(
            "no answer within {} s: --timeout or --rule-timeout ended it",
            limit.as_secs_f64()
        ),
        other => other.to_string(),
    };
    let advice = match error {
        Error::NoColumn { .. } | Error::Memory(_) | Error::Temporary { .. } => error.hint(),
        _ => None,
    };
    Status::NotRun(format!("the query failed: {told}{}", bracketed(advice)))
}

fn bracketed(hint: Option<String>) -> String {
    hint.map_or_else(String::new, |hint| format!(" ({hint})"))
}

/// What a query in KQL asks for and is not there, or what is wrong with it; nothing where neither is to be seen without running it.
fn lacking(asked: &Asked, session: &Session, how: &Options) -> Option<Status> {
    let checked = session.kql_check(&asked.text, how);
    let Verdict::Refused(faults) = &checked.verdict else {
        let needs = checked.needs;
        let unknown = |table: &&String| !session.knows(table);
        let unknown: Vec<String> = needs.tables.iter().filter(unknown).cloned().collect();
        return match unknown.is_empty() {
            true => wanted(&needs).map(Status::Lacks),
            false => Some(Status::Unknown(format!("no table {}", listed(&unknown)))),
        };
    };
    let is_table = |fault: &&Fault| fault.missing == Some(Missing::Table);
    let mut tables: Vec<&Fault> = faults.iter().filter(is_table).collect();
    let name = |fault: &Fault| fault.span.of(&asked.text).to_string();
    let mut lake: Vec<String> = tables.iter().map(|fault| name(fault)).collect();
    lake.retain(|table| is_lake_only(table));
    lake.sort();
    lake.dedup();
    tables.retain(|fault| !is_lake_only(&name(fault)));
    if let Some(first) = tables.first() {
        let told = format!("{}{}", first.message, bracketed(first.hint.clone()));
        return Some(Status::Unknown(told));
    }
    if !lake.is_empty() {
        let told = format!("{} is in Sentinel's data lake alone", listed(&lake));
        return Some(Status::LakeOnly(told));
    }
    let first = faults.first()?;
    let more = match faults.len() {
        1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    let hint = bracketed(first.hint.clone());
    let place = place(asked, first);
    Some(Status::NotRun(format!(
        "the query failed: {place}{}{hint}{more}",
        first.message
    )))
}

/// Where in its file a fault stands. The query of a rule in Sigma stands in none.
fn place(asked: &Asked, fault: &Fault) -> String {
    if asked.rule.query.language == Language::Sigma {
        return String::new();
    }
    let (line, column) = position(&asked.text, fault.span.start);
    match asked.rule.query.lines {
        Lines::Each { .. } => {
            let (line, column) = asked.rule.query.lines.in_file(line, column);
            format!("{line}:{column}: ")
        }
        Lines::Somewhere { .. } => format!("query {line}:{column}: "),
    }
}

/// What a query asks for, beside tables.
fn wanted(needs: &Needs) -> Option<String> {
    let list = |what: &str, names: &BTreeSet<String>| {
        let names: Vec<String> = names.iter().cloned().collect();
        (!names.is_empty()).then(|| format!("the {what} {}", listed(&names)))
    };
    let files = needs.watchlists.iter().map(|name| file_of_list(name));
    let parts = [
        list("watchlist", &files.collect()),
        list("saved function", &needs.functions),
        list("external data", &needs.external),
        needs.geoip.then(|| "a database of addresses".to_string()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("it needs {}", parts.join(", ")))
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
