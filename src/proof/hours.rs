//! The events of a table by hour, and what is missing among them.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};

use super::baseline::{Series, Short};
use super::missing::{Finding, Kind};
use crate::catalog::{TIME, Table};
use crate::engine::Session;
use crate::fault::Result;

/// Hours of a day.
const DAY: i64 = 24;
/// Microseconds of an hour.
pub(super) const HOUR_MICROS: i64 = 3_600_000_000;
/// 2000-01-01. Microsoft's cloud services are younger.
pub(super) const EARLIEST: i64 = 946_684_800_000_000;
/// Clocks of two machines may differ by so much.
pub(super) const CLOCKS: i64 = 600_000_000;

/// Holes and low hours of a series as findings, and as hours that have been told.
pub(super) fn of_series(
    table: &Table,
    workload: &str,
    series: &Series,
    known: &[Short],
) -> (Vec<Finding>, Vec<Short>) {
    let holes = series.holes(known);
    let mut told = [known, holes.as_slice()].concat();
    let mut findings: Vec<Finding> = Vec::new();
    // A workload may not have been in use for months; all of a log is seldom that quiet.
    if workload.is_empty() {
        let silences = series.silences(&told);
        findings.extend(silences.iter().map(|short| silence(table, short)));
        told.extend(silences);
    }
    let low = series.low(&told);
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

/// So long a time without an event that nothing tells how many there should be.
fn silence(table: &Table, short: &Short) -> Finding {
    Finding {
        kind: Kind::Hole,
        table: table.name.into(),
        from: Some(short.from * HOUR_MICROS),
        to: Some(short.to * HOUR_MICROS),
        expected: "some events".into(),
        found: 0_u64.into(),
        place: String::new(),
        why: format!(
            "{} days without an event, too long to be compared with other weeks: an export of that time may be missing",
            (short.to - short.from) / DAY
        ),
    }
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

/// Events by hour, and how many have no time. Hours that cannot be right are left out, and told of elsewhere.
pub(super) fn hours_of(
    session: &Session,
    table: &Table,
    latest: i64,
) -> Result<(BTreeMap<i64, u64>, u64)> {
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
