//! What is missing in an archive: holes in time, hours far below the usual, exports that end at a cap or break off, workloads that are
//! not there, events outside the range that a file states, times in doubt, events without a time.
//!
//! Each table's hours are counted with one query; no rows are loaded. What is usual is told from the archive alone: a
//! finding says where to look, not that somebody deleted something. Holidays and moves of offices are holes too.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use serde_json::{Value, json};

use super::baseline::Series;
use super::hours::{CLOCKS, EARLIEST, hours_of, of_series, times, typed};
use super::missing::AUDIT;
use super::{exports, iso, workloads};
use crate::archive::ledger::{Entry, Ledger};
use crate::catalog::{EXTRA, INGEST_ID, TIME, Table, catalog};
use crate::engine::Session;
use crate::fault::{Error, Result};

pub use super::missing::{Finding, Kind};

/// What to look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope {
    /// Only this table.
    pub table: Option<&'static Table>,
    /// Only findings that are about a time at or after this, in microseconds. What is usual is told from all events.
    pub from: Option<i64>,
    /// Only findings that are about a time before this, in microseconds.
    pub to: Option<i64>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Sorted by kind, table, time and place.
    pub findings: Vec<Finding>,
    /// Tables that were looked at.
    pub tables: u64,
    /// Files of the ledger that were looked at.
    pub files: u64,
    /// Events without a time. They are in no hour.
    pub untimed: u64,
}

impl Report {
    /// Findings of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.findings.iter().filter(|f| f.kind == kind).count()
    }

    /// The report as JSON, times as ISO 8601.
    pub fn json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|f| {
                json!({
                    "kind": f.kind.name(),
                    "table": f.table,
                    "from": f.from.map(iso),
                    "to": f.to.map(iso),
                    "expected": f.expected,
                    "found": f.found,
                    "where": f.place,
                    "explanation": f.why,
                })
            })
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "findings": findings,
            "tables": self.tables,
            "files": self.files,
            "events_without_time": self.untimed,
        })
    }
}

/// Looks for what is missing.
///
/// # Errors
/// When a table cannot be read.
pub fn find(session: &Session, ledger: &Ledger, scope: &Scope) -> Result<Report> {
    let mut report = Report::default();
    let latest = ledger.entries.iter().map(|e| e.at).max().unwrap_or(0);
    let mut findings = exports::findings(ledger);
    findings.extend(early(ledger));
    for table in catalog().tables() {
        let asked = scope.table.is_none_or(|only| std::ptr::eq(only, table));
        if !table.by_day || !asked || !session.has(table.name) {
            continue;
        }
        report.tables += 1;
        let (hours, untimed) = hours_of(session, table, latest)?;
        report.untimed += untimed;
        if untimed > 0 {
            findings.extend(no_time(session, ledger, table)?);
        }
        if let (Some(first), Some(last)) = (hours.keys().next(), hours.keys().next_back()) {
            let span = (*first, *last + 1);
            let told = of_series(table, "", &Series::new(&hours, span.0, span.1), &[]);
            if table.name == AUDIT {
                findings.extend(workloads::findings(session, table, span, latest, &told.1)?);
            }
            findings.extend(told.0);
        }
        findings.extend(late(session, ledger, table)?);
        if table.name == AUDIT {
            findings.extend(cut_searches(session, ledger)?);
        }
    }
    let in_table = |tables: &BTreeMap<String, u64>| {
        scope
            .table
            .is_none_or(|only| tables.contains_key(only.name))
    };
    report.files = ledger.exports().filter(|e| in_table(&e.tables)).count() as u64;
    findings.retain(|f| {
        let of_table = scope
            .table
            .is_none_or(|only| f.table.split(", ").any(|t| t == only.name));
        let after = scope
            .from
            .is_none_or(|from| f.to.is_none_or(|to| to >= from));
        let before = scope
            .to
            .is_none_or(|to| f.from.is_none_or(|from| from < to));
        of_table && after && before
    });
    findings.sort_by_cached_key(|f| (f.kind, f.table.clone(), f.from, f.place.clone(), f.to));
    report.findings = findings;
    Ok(report)
}

/// Files with events from before the services existed.
fn early(ledger: &Ledger) -> Vec<Finding> {
    ledger
        .entries
        .iter()
        .filter_map(|entry| {
            let first = entry.times.map(|t| t.0).filter(|t| *t < EARLIEST)?;
            let (expected, found) = (iso(EARLIEST), iso(first));
            Some(exports::about(
                entry,
                Kind::ZoneDoubt,
                (
                    format!("nothing before {expected}").as_str(),
                    format!("events from {found} on").as_str(),
                ),
                "a wrong clock, or a date that was not understood; such hours are left out of what is usual",
            ))
        })
        .collect()
}

/// Files with events of this table that are later than the moment they were read.
fn late(session: &Session, ledger: &Ledger, table: &Table) -> Result<Vec<Finding>> {
    let suspects: HashMap<i64, &Entry> = ledger
        .entries
        .iter()
        .filter(|e| e.tables.contains_key(table.name))
        .filter(|e| e.times.is_some_and(|(_, last)| last > e.at + CLOCKS))
        .map(|e| (e.id, e))
        .collect();
    if suspects.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids: Vec<String> = suspects.keys().map(i64::to_string).collect();
    ids.sort();
    let sql = format!(
        "SELECT e.\"{INGEST_ID}\", count(*), min(e.\"{TIME}\"), max(e.\"{TIME}\") FROM stored.\"{}\" AS e \
         JOIN stored.\"Ingests\" AS i ON e.\"{INGEST_ID}\" = i.\"{INGEST_ID}\" \
         WHERE e.\"{TIME}\" > i.\"IngestedAt\" AND e.\"{INGEST_ID}\" IN ({}) GROUP BY 1",
        table.name,
        ids.join(", ")
    );
    let mut findings = Vec::new();
    session.stream(session.plan(&sql)?, |batch| {
        let (ingests, counts) = (
            typed(batch, 0, &DataType::Int64)?,
            typed(batch, 1, &DataType::Int64)?,
        );
        let (first, last) = (times(batch, 2)?, times(batch, 3)?);
        let ingests = ingests.as_primitive::<Int64Type>();
        let counts = counts.as_primitive::<Int64Type>();
        let first = first.as_primitive::<TimestampMicrosecondType>();
        let last = last.as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let Some(entry) = suspects.get(&ingests.value(row)) else {
                continue;
            };
            findings.push(Finding {
                kind: Kind::ZoneDoubt,
                table: table.name.into(),
                from: Some(first.value(row)),
                to: Some(last.value(row)),
                expected: format!("no event after {}", iso(entry.at)).into(),
                found: counts.value(row).into(),
                place: entry.file.clone(),
                why: "later than the moment they were read: times in a zone east of UTC, or a wrong clock"
                    .into(),
            });
        }
        Ok(())
    })?;
    Ok(findings)
}

/// Files with events of this table that have no time.
fn no_time(session: &Session, ledger: &Ledger, table: &Table) -> Result<Vec<Finding>> {
    let sql = format!(
        "SELECT \"{INGEST_ID}\", count(*) FROM stored.\"{}\" WHERE \"{TIME}\" IS NULL GROUP BY 1",
        table.name
    );
    let mut findings = Vec::new();
    session.stream(session.plan(&sql)?, |batch| {
        let (ingests, counts) = (
            typed(batch, 0, &DataType::Int64)?,
            typed(batch, 1, &DataType::Int64)?,
        );
        let ingests = ingests.as_primitive::<Int64Type>();
        let counts = counts.as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let entry = ledger.entry(ingests.value(row));
            findings.push(Finding {
                kind: Kind::NoTime,
                table: table.name.into(),
                from: None,
                to: None,
                expected: "a time for every event".into(),
                found: counts.value(row).into(),
                place: entry.map_or(String::new(), |e| e.file.clone()),
                why: "no column that is known as a time, or times that could not be read: no window of time finds these events"
                    .into(),
            });
        }
        Ok(())
    })?;
    Ok(findings)
}

/// Audit searches that found more than their files hold. Pages of one search may lie in several files of one folder.
fn cut_searches(session: &Session, ledger: &Ledger) -> Result<Vec<Finding>> {
    let sql = format!(
        "SELECT \"{INGEST_ID}\", max(TRY_CAST(\"{EXTRA}\"->>'ResultCount' AS BIGINT)) FROM stored.\"{AUDIT}\" \
         WHERE \"{EXTRA}\" LIKE '%\"ResultCount\"%' GROUP BY 1"
    );
    let mut results: HashMap<i64, u64> = HashMap::new();
    session.stream(session.plan(&sql)?, |batch| {
        let (ingests, counts) = (
            typed(batch, 0, &DataType::Int64)?,
            typed(batch, 1, &DataType::Int64)?,
        );
        let ingests = ingests.as_primitive::<Int64Type>();
        let counts = counts.as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            if counts.is_valid(row) && counts.value(row) > 0 {
                results.insert(ingests.value(row), counts.value(row) as u64);
            }
        }
        Ok(())
    })?;
    let folder = |e: &Entry| e.file.rsplit_once('/').map_or("", |f| f.0).to_string();
    let mut pages: HashMap<(String, u64), u64> = HashMap::new();
    for entry in &ledger.entries {
        if let Some(count) = results.get(&entry.id) {
            *pages.entry((folder(entry), *count)).or_insert(0) += entry.records;
        }
    }
    let mut findings = Vec::new();
    for entry in &ledger.entries {
        let Some(count) = results.get(&entry.id) else {
            continue;
        };
        if pages
            .get(&(folder(entry), *count))
            .is_some_and(|all| all < count)
        {
            let why = "ResultCount of the search is larger than the number of its records";
            let mut finding = exports::about(entry, Kind::Cap, ("", ""), why);
            finding.table = AUDIT.into();
            finding.expected = (*count).into();
            finding.found = entry.records.into();
            findings.push(finding);
        }
    }
    Ok(findings)
}

/// The table of this name among those that have events.
///
/// # Errors
/// When there is none.
pub fn table_of(session: &Session, name: &str) -> Result<&'static Table> {
    let known: Vec<&'static Table> = catalog()
        .tables()
        .filter(|t| t.by_day && session.has(t.name))
        .collect();
    let found = known.iter().find(|t| t.name.eq_ignore_ascii_case(name));
    found.copied().ok_or_else(|| Error::NoTable {
        name: name.to_string(),
        known: known.iter().map(|t| t.name.to_string()).collect(),
    })
}
