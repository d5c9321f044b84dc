//! Workloads of the audit log: those that are not there at all, and those that are there for a part of the time only.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};

use super::baseline::{Series, Short};
use super::hours::{HOUR_MICROS, hour_of, of_series, times, typed};
use super::missing::{AUDIT, Finding, Kind};
use crate::catalog::{TIME, Table};
use crate::engine::Session;
use crate::fault::Result;

/// A workload ends early or begins late when so many hours are between its events and the table's. Services deliver hours apart.
const EDGE_HOURS: i64 = 24;
/// Workloads of which hours are looked at, the largest first. Microsoft has about sixty; in the small ones nothing is usual.
const WORKLOADS: usize = 64;
/// Workloads that every tenant with these services has, by the names in the record.
const USUAL_WORKLOADS: [&str; 5] = [
    "Exchange",
    "SharePoint",
    "OneDrive",
    "AzureActiveDirectory",
    "MicrosoftTeams",
];

/// Workloads that are not there, and holes in those that are.
pub(super) fn findings(
    session: &Session,
    table: &Table,
    span: (i64, i64),
    latest: i64,
    known: &[Short],
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for missing in absent(session)? {
        findings.push(Finding {
            kind: Kind::MissingWorkload,
            table: table.name.into(),
            from: Some(span.0 * HOUR_MICROS),
            to: Some(span.1 * HOUR_MICROS),
            expected: "some events".into(),
            found: 0.into(),
            place: missing.into(),
            why: "no event of this workload in any audit export: not asked for, not licensed, or not logged"
                .into(),
        });
    }
    let sql = format!(
        "SELECT s.\"Workload\", date_trunc('hour', s.\"{TIME}\"), count(*) FROM stored.\"{AUDIT}\" AS s \
         JOIN (SELECT \"Workload\" AS w, count(*) AS n FROM stored.\"{AUDIT}\" WHERE \"Workload\" IS NOT NULL \
               GROUP BY 1 ORDER BY n DESC, w LIMIT {WORKLOADS}) AS t ON s.\"Workload\" = t.w \
         WHERE s.\"{TIME}\" IS NOT NULL GROUP BY 1, 2"
    );
    let mut counts: BTreeMap<String, BTreeMap<i64, u64>> = BTreeMap::new();
    session.stream(session.plan(&sql)?, |batch| {
        let names = typed(batch, 0, &DataType::Utf8)?;
        let (starts, events) = (times(batch, 1)?, typed(batch, 2, &DataType::Int64)?);
        let names = names.as_string::<i32>();
        let starts = starts.as_primitive::<TimestampMicrosecondType>();
        let events = events.as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            if let Some(hour) = hour_of(starts.value(row), latest) {
                let hours = counts.entry(names.value(row).to_string()).or_default();
                *hours.entry(hour).or_insert(0) += events.value(row) as u64;
            }
        }
        Ok(())
    })?;
    for (name, hours) in &counts {
        let series = Series::new(hours, span.0, span.1);
        for mut finding in of_series(table, name, &series, known).0 {
            let at = |t: Option<i64>| t.map(|t| t.div_euclid(HOUR_MICROS));
            let begins_late = at(finding.from) == Some(span.0);
            let ends_early = at(finding.to) == Some(span.1);
            if finding.kind == Kind::Hole && (begins_late || ends_early) {
                let hours = at(finding.to)
                    .zip(at(finding.from))
                    .map(|(to, from)| to - from);
                if hours.is_none_or(|h| h < EDGE_HOURS) {
                    continue;
                }
                finding.kind = Kind::MissingWorkload;
                finding.why = format!(
                    "its events {} while the table's go on; beside {}",
                    if begins_late {
                        "begin late"
                    } else {
                        "end early"
                    },
                    series.compared()
                );
            }
            findings.push(finding);
        }
    }
    Ok(findings)
}

/// Usual workloads without any event.
fn absent(session: &Session) -> Result<Vec<&'static str>> {
    let list: Vec<String> = USUAL_WORKLOADS
        .iter()
        .map(|w| format!("'{}'", w.to_lowercase()))
        .collect();
    let sql = format!(
        "SELECT DISTINCT lower(\"Workload\") FROM stored.\"{AUDIT}\" WHERE lower(\"Workload\") IN ({})",
        list.join(", ")
    );
    let mut there: Vec<String> = Vec::new();
    session.stream(session.plan(&sql)?, |batch| {
        let names = typed(batch, 0, &DataType::Utf8)?;
        there.extend(names.as_string::<i32>().iter().flatten().map(String::from));
        Ok(())
    })?;
    Ok(USUAL_WORKLOADS
        .into_iter()
        .filter(|w| !there.contains(&w.to_lowercase()))
        .collect())
}
