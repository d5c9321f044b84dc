//! Why a rule finds what it finds on an archive, or nothing: rows of its tables, fields that no row has, conditions that no row meets, and the row
//! that meets most of them.
//!
//! Conditions are those of the `where`s that a pipeline begins with. They are counted one by one, and each together with those before it, by
//! queries of their own: what stands in the body of a function, or behind a join or a group, is not taken apart.

use std::collections::HashSet;

use super::model::{Language, Rule, Trigger};
use crate::engine::kql::{Needs, Options};
use crate::engine::{self, Question, Session, TimeRange};
use crate::fault::{Error, Result};
use crate::function::value::Value;
use crate::kql::ast::operator::OperatorKind;
use crate::kql::ast::{Expr, ExprKind, Pipeline, Query, Source};
use crate::kql::walk::{Found, conjuncts, names_given, parts, pipelines, written_before};
use crate::text::counted;

/// Conditions of a pipeline that are counted: each costs two queries.
const MOST_CONDITIONS: usize = 40;
/// Characters of a condition that a reason shows.
const SHOWN: usize = 200;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Why {
    /// Why its query does not run, where it does not.
    pub refused: Option<String>,
    /// What it asks for and is not there.
    pub needs: Needs,
    /// The tables that it reads.
    pub tables: Vec<Scan>,
    /// Rows of its query, where it runs.
    pub rows: Option<u64>,
    /// What is known of tables that have nothing to say.
    pub absent: Vec<String>,
}

/// A table as a query reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// The table, or the name that the query gave one.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// Fields that its conditions name, and how many rows have them.
    pub fields: Vec<(String, u64)>,
    /// Its conditions, in their order.
    pub conditions: Vec<Condition>,
    /// Where no row meets all conditions: the row that meets most.
    pub nearest: Option<Miss>,
}

/// A condition, and how many rows meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// As it is written.
    pub text: String,
    /// Rows that meet it.
    pub alone: u64,
    /// Rows that meet it and all before it.
    pub together: u64,
}

/// A row that meets not all conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// How many conditions it meets.
    pub met: usize,
    /// Those that it does not.
    pub failed: Vec<String>,
    /// Its time, and what it has in the fields that the conditions name.
    pub cells: Vec<(String, String)>,
}

impl Why {
    /// What keeps the rule from an alert, in words, the first cause first.
    pub fn reasons(&self, trigger: Trigger) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(why) = &self.refused {
            reasons.push(format!("its query does not run: {why}"));
        }
        for name in &self.needs.watchlists {
            reasons.push(format!("there is no watchlist `{name}`"));
        }
        for name in &self.needs.functions {
            reasons.push(format!("there is no saved function `{name}`"));
        }
        for name in &self.needs.tables {
            reasons.push(format!("there are no rows of `{name}`"));
        }
        for scan in &self.tables {
            scan.reasons(&mut reasons);
        }
        match self.rows {
            Some(0) if !trigger.fires(0) => {
                reasons.extend(self.absent.iter().cloned());
                if reasons.is_empty() {
                    let why = "rows meet its conditions, and what stands behind them, such as a join or a threshold, leaves none";
                    reasons.push(why.into());
                }
            }
            Some(rows) if !trigger.fires(rows) => reasons.push(format!(
                "its query gives {}, and its trigger is {} {}",
                counted(rows, "row"),
                trigger.operator.name(),
                trigger.threshold
            )),
            _ => {}
        }
        reasons.dedup();
        reasons
    }
}

impl Scan {
    fn reasons(&self, reasons: &mut Vec<String>) {
        let table = &self.table;
        if self.rows == 0 {
            let why = format!("there are no rows of `{table}`");
            if !reasons.contains(&why) {
                reasons.push(why);
            }
            return;
        }
        for (field, rows) in &self.fields {
            if *rows == 0 {
                reasons.push(format!("no row of `{table}` has `{field}`"));
            }
        }
        let unmet = self.conditions.iter().filter(|c| c.alone == 0);
        let before = reasons.len();
        reasons.extend(unmet.map(|c| format!("no row of `{table}` meets `{}`", short(&c.text))));
        let end = self.conditions.iter().find(|c| c.together == 0);
        if let (Some(end), true) = (end, reasons.len() == before) {
            reasons.push(format!(
                "rows of `{table}` meet each condition and none meets all: `{}` leaves none of those that meet what stands before it",
                short(&end.text)
            ));
        }
    }
}

/// A text that is not too long, on one line.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Looks into a rule whose query is this, at this moment in microseconds. What the session cuts off does not count.
///
/// # Errors
/// When a table cannot be read. A query that does not run is an answer.
pub fn why(session: &Session, rule: &Rule, query: &str, how: &Options, now: i64) -> Result<Why> {
    let mut why = Why::default();
    let language = match rule.query.language {
        Language::Sql => engine::Language::Sql,
        Language::Kql | Language::Sigma => engine::Language::Kql(how),
    };
    if rule.query.language != Language::Sql {
        why.needs = session.kql_check(query, how).needs;
    }
    session.begin();
    let planned = session.ask(&Question {
        language,
        text: query,
        window: TimeRange::default(),
        now,
    });
    let planned = match planned {
        Ok(planned) => planned,
        Err(e) => {
            why.refused = Some(first_line(&e));
            session.end();
            return Ok(why);
        }
    };
    let mut rows = 0;
    let ran = session.stream(planned.frame, |batch| {
        rows += batch.num_rows() as u64;
        Ok(())
    });
    match ran {
        Ok(()) => why.rows = Some(rows),
        Err(e) => why.refused = Some(first_line(&e)),
    }
    session.end();
    let counts = Counts { session, how };
    if rule.query.language != Language::Sql {
        why.tables = counts.scans(query)?;
    }
    for name in &planned.reads {
        if !why.tables.iter().any(|scan| scan.table == *name) {
            why.tables.push(Scan {
                table: name.clone(),
                rows: counts.count(&format!("['{name}']"))?,
                ..Scan::default()
            });
        }
    }
    if why.rows == Some(0) {
        why.absent = session.absence(&planned.reads, query, now)?;
    }
    Ok(why)
}

fn first_line(error: &Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_string()
}

/// What a pipeline begins with.
enum Step<'q> {
    Where(&'q Expr),
    /// An `extend`, as it is written.
    Extend(&'q str),
}

/// The beginning of a pipeline.
struct Begun<'q> {
    table: &'q str,
    steps: Vec<Step<'q>>,
}

impl<'q> Begun<'q> {
    /// Of a pipeline that reads a name.
    fn of(pipeline: &'q Pipeline, text: &'q str) -> Option<Begun<'q>> {
        let table = match &pipeline.source {
            Source::Expr(expr) if matches!(expr.kind, ExprKind::Name(_)) => expr.span.of(text),
            _ => return None,
        };
        let mut steps = Vec::new();
        for operator in &pipeline.operators {
            match &operator.kind {
                OperatorKind::Where(predicate) => {
                    steps.extend(conjuncts(predicate).into_iter().map(Step::Where));
                }
                OperatorKind::Extend(_) => steps.push(Step::Extend(operator.span.of(text))),
                _ => break,
            }
        }
        steps.truncate(MOST_CONDITIONS);
        Some(Begun { table, steps })
    }
}

struct Counts<'s> {
    session: &'s Session,
    how: &'s Options,
}

impl Counts<'_> {
    /// How many rows a query without a last `count` gives.
    fn count(&self, query: &str) -> Result<u64> {
        self.session.begin();
        let answer = self.session.kql(&format!("{query}\n| count"), self.how);
        self.session.end();
        let cell = answer?.rows.into_iter().flatten().next();
        let count = cell.and_then(|cell| cell.to_long()).unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// The tables of a query, each as it is read first.
    fn scans(&self, text: &str) -> Result<Vec<Scan>> {
        let (query, _) = crate::kql::parse(text);
        let mut scans: Vec<Scan> = Vec::new();
        for found in pipelines(&query) {
            if found.is_inner {
                continue;
            }
            let Some(begun) = Begun::of(found.pipeline, text) else {
                continue;
            };
            // What cannot stand alone, as a table that a fuzzy union passes over, is left out.
            let scan = standing(self.scan(&query, found, &begun, text))?;
            let new = scan.filter(|scan| !scans.contains(scan));
            scans.extend(new);
        }
        Ok(scans)
    }

    fn scan(&self, query: &Query, found: Found<'_>, begun: &Begun<'_>, text: &str) -> Result<Scan> {
        let before = &query.statements[..found.statement];
        let lets = names_given(before);
        let base = format!("{}{}", written_before(before, text), begun.table);
        let mut scan = Scan {
            table: begun.table.to_string(),
            rows: self.count(&base)?,
            ..Scan::default()
        };
        if scan.rows == 0 {
            return Ok(scan);
        }
        // The table with what was added to it, and the same with the conditions so far.
        let (mut all, mut kept) = (base.clone(), base.clone());
        for step in &begun.steps {
            let condition = match step {
                Step::Where(condition) => condition,
                Step::Extend(extend) => {
                    all.push_str(&format!("\n| {extend}"));
                    kept.push_str(&format!("\n| {extend}"));
                    continue;
                }
            };
            let own = condition.span.of(text);
            kept.push_str(&format!("\n| where {own}"));
            scan.conditions.push(Condition {
                text: own.to_string(),
                alone: self.count(&format!("{all}\n| where {own}"))?,
                together: self.count(&kept)?,
            });
            let mut fields = Vec::new();
            named(condition, text, &lets, &mut fields);
            for field in fields {
                if scan.fields.iter().any(|(known, _)| known == field) {
                    continue;
                }
                // What is no field of the table, as the name of another table, cannot be counted.
                let has = format!("{all}\n| where isnotempty(tostring({field}))");
                if let Some(rows) = standing(self.count(&has))? {
                    scan.fields.push((field.to_string(), rows));
                }
            }
        }
        let is_missed = scan.conditions.last().is_some_and(|c| c.together == 0);
        if is_missed && scan.conditions.len() > 1 {
            // Some conditions, such as `* has "x"`, stand in a `where` alone.
            let nearest = self.nearest(&base, begun, &scan, text);
            scan.nearest = standing(nearest)?.flatten();
        }
        Ok(scan)
    }

    /// The row that meets most conditions.
    fn nearest(
        &self,
        base: &str,
        begun: &Begun<'_>,
        scan: &Scan,
        text: &str,
    ) -> Result<Option<Miss>> {
        let mut query = base.to_string();
        let mut met: Vec<String> = Vec::new();
        for step in &begun.steps {
            match step {
                Step::Where(condition) => {
                    let name = format!("_Met_{}", met.len());
                    let own = condition.span.of(text);
                    query.push_str(&format!("\n| extend {name} = iff({own}, 1, 0)"));
                    met.push(name);
                }
                Step::Extend(extend) => query.push_str(&format!("\n| {extend}")),
            }
        }
        let fields = scan.fields.iter().map(|(field, _)| field.as_str());
        let time = "TimeGenerated";
        let fields: Vec<&str> = std::iter::once(time)
            .chain(fields.filter(|field| *field != time))
            .collect();
        // Ties go to the later row, and then by what is shown: the answer is the same each time.
        let mut cells = String::new();
        let mut order = String::new();
        for (number, field) in fields.iter().enumerate() {
            cells.push_str(&format!(", _Cell_{number} = tostring({field})"));
            order.push_str(&format!(", _Cell_{number} desc"));
        }
        query.push_str(&format!(
            "\n| project _Met = {}, {}{cells}\n| sort by _Met desc{order}\n| take 1",
            met.join(" + "),
            met.join(", ")
        ));
        self.session.begin();
        let answer = self.session.kql(&query, self.how);
        self.session.end();
        let Some(row) = answer?.rows.into_iter().next() else {
            return Ok(None);
        };
        let flags = row.iter().skip(1).take(met.len());
        let failed = flags
            .zip(&scan.conditions)
            .filter(|(flag, _)| !is_met(flag));
        let failed: Vec<String> = failed.map(|(_, c)| c.text.clone()).collect();
        let cells = row.iter().skip(1 + met.len()).zip(&fields);
        Ok(Some(Miss {
            met: met.len() - failed.len(),
            failed,
            cells: cells
                .map(|(value, field)| ((*field).to_string(), value.text().into_owned()))
                .collect(),
        }))
    }
}

/// What a piece of a query gives; nothing where it cannot stand as it was taken out. That the archive cannot be read, or that there is no memory or
/// time for it, is told.
fn standing<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Query(_) | Error::NoTable { .. } | Error::NoColumn { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether the flag of a condition is set.
fn is_met(flag: &Value) -> bool {
    flag.to_long() == Some(1)
}

/// Columns and paths that an expression names, as they are written.
fn named<'q>(expr: &'q Expr, text: &'q str, lets: &HashSet<&str>, found: &mut Vec<&'q str>) {
    let own = match &expr.kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Path { base, .. } => match &base.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        },
        _ => None,
    };
    match own {
        Some(name) if !lets.contains(name.as_str()) => found.push(expr.span.of(text)),
        Some(_) => {}
        None => {
            for part in parts(expr) {
                named(part, text, lets, found);
            }
        }
    }
}
