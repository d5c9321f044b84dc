//! What is missing in an archive: holes in time, hours far below the usual, exports that end at a cap or break off, workloads that are
//! not there, events outside the range that a file states, times in doubt, events without a time.
//!
//! Each table's hours are counted with one query; no rows are loaded. What is usual is told from the archive alone: a
//! finding says where to look, not that somebody deleted something. Holidays and moves of offices are holes too.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use serde_json::{Value, json};

use super::usual::{Series, Short};
use super::{exports, iso, workloads};
use crate::archive::ledger::{Entry, Ledger};
use crate::catalog::{EXTRA, INGEST_ID, TIME, Table, catalog};
use crate::engine::Session;
use crate::error::{Error, Result};

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Hours without an event that usually have some.
    Hole,
    /// Hours with far fewer events than usual.
    LowHours,
    /// An export that ends at a number of records at which exports end.
    Cap,
    /// A file that was not read to its end.
    Incomplete,
    /// A workload that is not there, or only for a part of the time.
    MissingWorkload,
    /// Events outside the range that the name of their file states.
    OutsideRange,
    /// Times that cannot be right, or may be in another zone.
    ZoneDoubt,
    /// Events without a time: no window finds them.
    NoTime,
}

impl Kind {
    /// All kinds, in the order in which findings are listed.
    pub const ALL: [Kind; 8] = [
        Kind::Hole,
        Kind::LowHours,
        Kind::Cap,
        Kind::Incomplete,
        Kind::MissingWorkload,
        Kind::OutsideRange,
        Kind::ZoneDoubt,
        Kind::NoTime,
    ];

    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Hole => "hole",
            Kind::LowHours => "low-hours",
            Kind::Cap => "cap",
            Kind::Incomplete => "incomplete",
            Kind::MissingWorkload => "missing-workload",
            Kind::OutsideRange => "outside-range",
            Kind::ZoneDoubt => "zone-doubt",
            Kind::NoTime => "no-time",
        }
    }
}

/// One thing that is missing or in doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The table, or the tables of a file.
    pub table: String,
    /// Beginning of the time it is about, in microseconds.
    pub from: Option<i64>,
    /// End of the time it is about, in microseconds.
    pub to: Option<i64>,
    /// What was expected: a number of events or records, or words.
    pub expected: Value,
    /// What there is.
    pub found: Value,
    /// The file or the workload; empty for all of a table.
    pub place: String,
    /// How it was told.
    pub why: String,
}

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

/// Microseconds of an hour.
pub(super) const HOUR_MICROS: i64 = 3_600_000_000;
/// 2000-01-01. Microsoft's cloud services are younger.
const EARLIEST: i64 = 946_684_800_000_000;
/// Clocks of two machines may differ by so much.
const CLOCKS: i64 = 600_000_000;
/// Our table of audit records.
pub(super) const AUDIT: &str = "UnifiedAuditLog";

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
    report.files = ledger
        .entries
        .iter()
        .filter(|e| in_table(&e.tables))
        .count() as u64;
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

/// Holes and low hours of a series as findings, and as hours that have been told.
pub(super) fn of_series(
    table: &Table,
    workload: &str,
    series: &Series,
    known: &[Short],
) -> (Vec<Finding>, Vec<Short>) {
    let holes = series.holes(known);
    let mut told = [known, holes.as_slice()].concat();
    let low = series.low(&told);
    let mut findings: Vec<Finding> = Vec::new();
    for (kind, shorts) in [(Kind::Hole, &holes), (Kind::LowHours, &low)] {
        for short in shorts {
            let hours = short.to - short.from;
            let what = match (kind, hours) {
                (Kind::Hole, 1) => "an hour without an event".to_string(),
                (Kind::Hole, n) => format!("{n} hours without an event"),
                (_, 1) => "an hour with less than a tenth of the usual".to_string(),
                (_, n) => format!("{n} hours with less than a tenth of the usual"),
            };
            findings.push(Finding {
                kind,
                table: table.name.into(),
                from: Some(short.from * HOUR_MICROS),
                to: Some(short.to * HOUR_MICROS),
                expected: short.expected.into(),
                found: short.found.into(),
                place: workload.into(),
                why: format!("{what}, beside {}", series.compared()),
            });
        }
    }
    told.extend(low);
    (findings, told)
}

/// A column of an answer as this type.
pub(super) fn typed(batch: &RecordBatch, column: usize, ty: &DataType) -> Result<ArrayRef> {
    Ok(cast(batch.column(column), ty)?)
}

/// A column of an answer as times in microseconds.
pub(super) fn times(batch: &RecordBatch, column: usize) -> Result<ArrayRef> {
    let ty = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    typed(batch, column, &ty)
}

/// Events by hour, and how many have no time. Hours that cannot be right are left out: [`early`] and [`late`] tell of them.
fn hours_of(session: &Session, table: &Table, latest: i64) -> Result<(BTreeMap<i64, u64>, u64)> {
    let sql = format!(
        "SELECT date_trunc('hour', \"{TIME}\"), count(*) FROM stored.\"{}\" GROUP BY 1",
        table.name
    );
    let mut hours: BTreeMap<i64, u64> = BTreeMap::new();
    let mut untimed = 0;
    session.stream(session.plan(&sql)?, |batch| {
        let (starts, counts) = (times(batch, 0)?, typed(batch, 1, &DataType::Int64)?);
        let starts = starts.as_primitive::<TimestampMicrosecondType>();
        let counts = counts.as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let n = counts.value(row) as u64;
            if starts.is_null(row) {
                untimed += n;
            } else if let Some(hour) = hour_of(starts.value(row), latest) {
                *hours.entry(hour).or_insert(0) += n;
            }
        }
        Ok(())
    })?;
    Ok((hours, untimed))
}

/// The number of the hour, where it can be right.
pub(super) fn hour_of(start: i64, latest: i64) -> Option<i64> {
    (start >= EARLIEST && start <= latest + CLOCKS).then(|| start.div_euclid(HOUR_MICROS))
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
