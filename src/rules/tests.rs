//! Runs the tests that rules carry, through the same conversion and views as real exports.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Rule, Test, TestEvent, seconds};
use crate::convert;
use crate::engine::{self, Session, Source, watchlist};
use crate::fault::{Error, Result};

/// What a test gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The test's name.
    pub name: String,
    /// How many findings it must give.
    pub wanted: usize,
    /// How many it gave.
    pub found: usize,
}

impl Outcome {
    /// Whether the rule did what it must.
    pub fn passed(&self) -> bool {
        self.wanted == self.found
    }
}

/// Runs all tests of a rule.
///
/// # Errors
/// When an event or a watchlist cannot be read, or the query fails.
pub fn run(rule: &Rule) -> Result<Vec<Outcome>> {
    rule.tests
        .iter()
        .map(|test| {
            Ok(Outcome {
                name: test.name.clone(),
                wanted: test.finds,
                found: findings(rule, test)?,
            })
        })
        .collect()
}

fn findings(rule: &Rule, test: &Test) -> Result<usize> {
    let mut records = Vec::new();
    for event in &test.events {
        expand(event, &mut records)?;
    }
    let options = engine::Options {
        threads: Some(2),
        ..Default::default()
    };
    let mut session = Session::open(Source::Memory(convert::in_memory(&records)?), &options)?;
    for (name, rows) in &test.watchlists {
        session.add_watchlist(name, rows_of(rule, name, rows)?)?;
    }
    for (name, need) in &rule.watchlists {
        if !need.required {
            session.stand_in(name, &need.columns)?;
        }
    }
    let (_, batches) = session.collect(&rule.sql)?;
    let rows: usize = batches.iter().map(|b| b.num_rows()).sum();
    Ok(match rule.trigger.fires(rows as u64) {
        true => rows,
        false => 0,
    })
}

fn rows_of(
    rule: &Rule,
    name: &str,
    rows: &[BTreeMap<String, String>],
) -> Result<arrow::array::RecordBatch> {
    let header: Vec<String> = match rule.watchlists.get(name) {
        Some(need) => need.columns.clone(),
        None => rows
            .first()
            .map(|r| r.keys().cloned().collect())
            .unwrap_or_default(),
    };
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            header
                .iter()
                .map(|c| row.get(c).cloned().unwrap_or_default())
                .collect()
        })
        .collect();
    watchlist::from_rows(&header, &rows)
}

fn expand(event: &TestEvent, out: &mut Vec<(String, Value)>) -> Result<()> {
    let Some(repeat) = &event.repeat else {
        out.push((event.table.clone(), event.record.clone()));
        return Ok(());
    };
    let every = seconds(&repeat.every)
        .ok_or_else(|| Error::Usage(format!("`every: {}` is no duration", repeat.every)))?;
    for n in 0..repeat.count {
        let mut record = event.record.clone();
        number(&mut record, n + 1);
        later(&mut record, i64::from(n) * every as i64);
        identify(&mut record, n);
        out.push((event.table.clone(), record));
    }
    Ok(())
}

/// `{n}` in every text becomes the copy's number.
fn number(value: &mut Value, n: u32) {
    match value {
        Value::String(text) => *text = text.replace("{n}", &n.to_string()),
        Value::Array(items) => items.iter_mut().for_each(|v| number(v, n)),
        Value::Object(members) => members.values_mut().for_each(|v| number(v, n)),
        _ => {}
    }
}

/// Moves the record's times.
fn later(record: &mut Value, by: i64) {
    let moved = |text: &str| -> Option<String> {
        let t = crate::ingest::time::parse(text, None)?;
        let t = chrono::DateTime::from_timestamp_micros(t + by * 1_000_000)?;
        Some(t.format("%Y-%m-%dT%H:%M:%SZ").to_string())
    };
    let Value::Object(members) = record else {
        return;
    };
    if let (Some(Value::String(date)), Some(Value::String(clock))) =
        (members.get("date"), members.get("time"))
        && let Some(t) = moved(&format!("{date}T{clock}"))
    {
        let (date, clock) = t.trim_end_matches('Z').split_at(10);
        let clock = clock.trim_start_matches('T').to_string();
        let date = date.to_string();
        members.insert("date".into(), Value::String(date));
        members.insert("time".into(), Value::String(clock));
    }
    for name in [
        "CreationTime",
        "TimeGenerated",
        "Timestamp",
        "CreatedDateTime",
    ] {
        if let Some(Value::String(text)) = members.get_mut(name)
            && let Some(t) = moved(text)
        {
            *text = t;
        }
    }
    if let Some(inner) = members.get_mut("RawEventData") {
        later(inner, by);
    }
}

/// Gives a copy its own identity.
fn identify(record: &mut Value, n: u32) {
    let Value::Object(members) = record else {
        return;
    };
    for name in ["Id", "ReportId", "row-id"] {
        if let Some(Value::String(id)) = members.get_mut(name) {
            // Still a GUID where it was one.
            let tail = format!("{n:08x}");
            if id.len() == 36 {
                id.replace_range(28.., &tail);
            } else {
                id.push_str(&tail);
            }
        }
    }
    if let Some(inner) = members.get_mut("RawEventData") {
        identify(inner, n);
    }
}
