//! Hunting: rules run over an archive; their rows become findings with entities and evidence.
//!
//! A sweep runs each rule once over the chosen time. Rules run side by side within one memory budget; what they find does not
//! depend on the order.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use futures::StreamExt;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::archive::ledger::Ledger;
use crate::catalog::{INGEST_ID, RECORD, TIME, catalog};
use crate::engine::{Session, output, watchlist};
use crate::error::Result;
use crate::progress::Progress;
use crate::rules::{Pack, Rule, Severity};

/// Something that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Entity {
    /// Account, IP, File, Host, …
    #[serde(rename = "type")]
    pub kind: String,
    /// FullName, Address, Name, …
    pub identifier: String,
    /// Its value.
    pub value: String,
}

/// A record that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Number of the ingest.
    pub ingest: i64,
    /// Number of the record in the file, from 1.
    pub record: i64,
    /// The file.
    pub file: String,
    /// Table of the event, where it was looked up.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub table: String,
    /// Time of the event, where it was looked up.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub time: String,
    /// Identity of the event, where it was looked up.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event_id: String,
}

/// What a rule found: one row of its result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Its number in this hunt, from 1; the worst first.
    pub number: usize,
    /// Id of the rule.
    pub rule: String,
    /// Name of the rule.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Time of the first event.
    pub first: String,
    /// Time of the last event, where there is a span.
    pub last: Option<String>,
    /// ATT&CK tactics.
    pub tactics: Vec<String>,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// What it is about.
    pub entities: Vec<Entity>,
    /// The row: every column that is no lineage.
    pub details: Map<String, Value>,
    /// The records it rests on.
    pub evidence: Vec<Evidence>,
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", content = "reason", rename_all = "lowercase")]
pub enum Status {
    /// It found something.
    Found,
    /// It found nothing.
    Nothing,
    /// It did not run, and why.
    #[serde(rename = "not run")]
    NotRun(String),
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
    /// How many rules did not run.
    pub fn not_run(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|o| matches!(o.status, Status::NotRun(_)))
            .count()
    }

    /// How many findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|f| f.severity == severity)
            .count()
    }
}

/// Columns and rows of a rule's query.
type Answer = (SchemaRef, Vec<RecordBatch>);

/// Rules that run at the same time.
const SIDE_BY_SIDE: usize = 4;
/// Evidence of a finding that is looked up for its time and identity.
pub const LOOKED_UP: usize = 20;

/// Runs each rule of at least `level` once.
///
/// # Errors
/// When the evidence cannot be looked up. A rule that fails is an outcome.
pub fn sweep(
    session: &mut Session,
    pack: &Pack,
    level: Severity,
    ledger: &Ledger,
    progress: &dyn Progress,
) -> Result<Hunt> {
    let mut hunt = Hunt::default();
    for said in &pack.diagnostics {
        if said.level == crate::diagnostic::Level::Error {
            hunt.outcomes.push(Outcome {
                id: said.subject.clone(),
                rule: None,
                status: Status::NotRun(said.message.clone()),
                findings: 0,
            });
        }
    }
    // What the user has, before empty lists stand in for optional ones.
    let present = session.watchlists().to_vec();
    let mut ready = Vec::new();
    for rule in pack.rules.iter().filter(|r| r.severity >= level) {
        match missing_watchlist(rule, &present) {
            Some(reason) => hunt.outcomes.push(outcome(rule, Status::NotRun(reason), 0)),
            None => ready.push(rule),
        }
    }
    for (name, need) in ready.iter().flat_map(|r| &r.watchlists) {
        if !session.has_watchlist(name) {
            session.add_watchlist(name, watchlist::from_rows(&need.columns, &[])?)?;
        }
    }
    progress.step("hunting");
    let results: Vec<(usize, Result<Answer>)> = {
        let session: &Session = session;
        // Views are made one after the other; planning two queries at once must not make one twice.
        for rule in &ready {
            // What is wrong with the query is said when it runs.
            let _ = session.plan(&rule.sql);
        }
        session.block_on(
            futures::stream::iter(ready.iter().enumerate())
                .map(|(i, rule)| async move { (i, session.collect_async(&rule.sql).await) })
                .buffer_unordered(SIDE_BY_SIDE)
                .collect(),
        )
    };
    let mut results: BTreeMap<usize, _> = results.into_iter().collect();
    for (i, rule) in ready.iter().enumerate() {
        let (schema, batches) = match results.remove(&i) {
            Some(Ok(result)) => result,
            Some(Err(e)) => {
                let reason = format!("the query failed: {e}");
                hunt.outcomes.push(outcome(rule, Status::NotRun(reason), 0));
                continue;
            }
            None => continue,
        };
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
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
            hunt.outcomes.push(outcome(rule, Status::NotRun(reason), 0));
            continue;
        }
        if !rule.trigger.fires(rows as u64) {
            hunt.outcomes.push(outcome(rule, Status::Nothing, 0));
            continue;
        }
        if rows == 0 {
            // That nothing came is what the rule looks for.
            hunt.findings.push(bare_finding(rule));
            hunt.outcomes.push(outcome(rule, Status::Found, 1));
            continue;
        }
        for batch in &batches {
            for row in 0..batch.num_rows() {
                hunt.findings.push(finding(rule, &schema, batch, row)?);
            }
        }
        hunt.outcomes.push(outcome(rule, Status::Found, rows));
    }
    hunt.outcomes.sort_by(|a, b| a.id.cmp(&b.id));
    hunt.findings.sort_by_cached_key(|f| {
        (
            std::cmp::Reverse(f.severity),
            f.first.clone(),
            f.rule.clone(),
            f.entities.clone(),
            Value::Object(f.details.clone()).to_string(),
        )
    });
    for (i, f) in hunt.findings.iter_mut().enumerate() {
        f.number = i + 1;
    }
    look_up(session, &mut hunt.findings, ledger)?;
    Ok(hunt)
}

fn outcome(rule: &Rule, status: Status, findings: usize) -> Outcome {
    Outcome {
        id: rule.id.clone(),
        rule: Some(rule.clone()),
        status,
        findings,
    }
}

/// Says which watchlist a rule lacks.
fn missing_watchlist(rule: &Rule, present: &[String]) -> Option<String> {
    let (name, need) = rule.watchlists.iter().find(|(name, need)| {
        need.required && !present.iter().any(|p| p.eq_ignore_ascii_case(name))
    })?;
    Some(format!(
        "it needs the watchlist `watchlists/{name}.csv` ({})",
        need.columns.join(", ")
    ))
}

/// A finding without rows.
fn bare_finding(rule: &Rule) -> Finding {
    Finding {
        number: 0,
        rule: rule.id.clone(),
        title: rule.name.clone(),
        severity: rule.severity,
        first: String::new(),
        last: None,
        tactics: rule.tactics.clone(),
        techniques: rule.techniques.clone(),
        entities: Vec::new(),
        details: Map::new(),
        evidence: Vec::new(),
    }
}

fn finding(rule: &Rule, schema: &SchemaRef, batch: &RecordBatch, row: usize) -> Result<Finding> {
    let column =
        |name: &str| -> Option<&ArrayRef> { schema.index_of(name).ok().map(|i| batch.column(i)) };
    let text = |name: &str| -> Result<String> {
        column(name).map_or(Ok(String::new()), |c| output::cell(c, row))
    };
    let mut entities = Vec::new();
    for mapping in &rule.entities {
        for field in &mapping.field_mappings {
            let Some(array) = column(&field.column_name) else {
                continue;
            };
            for value in values(array, row)? {
                entities.push(Entity {
                    kind: mapping.entity_type.clone(),
                    identifier: field.identifier.clone(),
                    value,
                });
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    entities.retain(|e| seen.insert((e.kind.clone(), e.value.to_lowercase())));
    let mut details = Map::new();
    for (i, field) in schema.fields().iter().enumerate() {
        let name = field.name();
        if name.starts_with('_') || name == TIME || name == "EndTime" {
            continue;
        }
        let value = output::json(batch.column(i), row)?;
        if !value.is_null() {
            details.insert(name.clone(), value);
        }
    }
    let mut sources = Vec::new();
    for name in ["_Sources", "_Source"] {
        if let Some(array) = column(name) {
            sources.extend(values(array, row)?);
        }
    }
    let mut seen = std::collections::HashSet::new();
    let evidence = sources
        .iter()
        .filter(|s| seen.insert((*s).clone()))
        .filter_map(|s| {
            let (ingest, record) = s.split_once(':')?;
            Some(Evidence {
                ingest: ingest.parse().ok()?,
                record: record.parse().ok()?,
                file: String::new(),
                table: String::new(),
                time: String::new(),
                event_id: String::new(),
            })
        })
        .collect();
    let first = text(TIME)?;
    let last = text("EndTime")?;
    Ok(Finding {
        last: (!last.is_empty() && last != first).then_some(last),
        first,
        entities,
        details,
        evidence,
        ..bare_finding(rule)
    })
}

/// A value, or the values of a list, as text; nothing for null and empty text.
fn values(array: &ArrayRef, row: usize) -> Result<Vec<String>> {
    if array.is_null(row) {
        return Ok(Vec::new());
    }
    let list = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(row),
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        _ => {
            let text = output::cell(array, row)?;
            return Ok(if text.is_empty() { vec![] } else { vec![text] });
        }
    };
    let mut out = Vec::new();
    for i in 0..list.len() {
        let text = output::cell(&list, i)?;
        if !text.is_empty() {
            out.push(text);
        }
    }
    Ok(out)
}

/// Fills in the file of each piece of evidence, and time and identity of the first ones of each finding.
fn look_up(session: &Session, findings: &mut [Finding], ledger: &Ledger) -> Result<()> {
    let entries: HashMap<i64, _> = ledger.entries.iter().map(|e| (e.id, e)).collect();
    let mut wanted: BTreeMap<&str, BTreeMap<i64, Vec<i64>>> = BTreeMap::new();
    for evidence in findings
        .iter()
        .flat_map(|f| f.evidence.iter().take(LOOKED_UP))
    {
        if let Some(entry) = entries.get(&evidence.ingest) {
            for table in entry.tables.keys() {
                wanted
                    .entry(table)
                    .or_default()
                    .entry(evidence.ingest)
                    .or_default()
                    .push(evidence.record);
            }
        }
    }
    let mut found: HashMap<(i64, i64), (String, String, String)> = HashMap::new();
    for (name, records) in wanted {
        let Some(table) = catalog().get(name) else {
            continue;
        };
        let id = table.identity.map_or("NULL".to_string(), |i| {
            format!("\"{}\"", table.columns[i].name)
        });
        let conditions: Vec<String> = records
            .iter()
            .map(|(ingest, list)| {
                let mut list = list.clone();
                list.sort_unstable();
                list.dedup();
                let list: Vec<String> = list.iter().map(i64::to_string).collect();
                format!(
                    "(\"{INGEST_ID}\" = {ingest} AND \"{RECORD}\" IN ({}))",
                    list.join(", ")
                )
            })
            .collect();
        let sql = format!(
            "SELECT \"{INGEST_ID}\", \"{RECORD}\", \"{TIME}\", {id} AS \"Id\" FROM stored.\"{name}\" WHERE {}",
            conditions.join(" OR ")
        );
        let (_, batches) = session.collect(&sql)?;
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let cell = |c: usize| output::cell(batch.column(c), row);
                // Both are numbers and never null in a stored table.
                if let (Ok(ingest), Ok(record)) = (cell(0)?.parse(), cell(1)?.parse()) {
                    found.insert((ingest, record), (name.to_string(), cell(2)?, cell(3)?));
                }
            }
        }
    }
    for evidence in findings.iter_mut().flat_map(|f| f.evidence.iter_mut()) {
        if let Some(entry) = entries.get(&evidence.ingest) {
            evidence.file.clone_from(&entry.file);
        }
        if let Some((table, time, id)) = found.get(&(evidence.ingest, evidence.record)) {
            evidence.table.clone_from(table);
            evidence.time.clone_from(time);
            evidence.event_id.clone_from(id);
        }
    }
    Ok(())
}
