//! Runs the tests that rules carry, through the same conversion and views as real exports.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Conversions, Language, Rule, Test, TestEvent, seconds};
use crate::convert;
use crate::engine::{self, Session, Source, kql, watchlist};
use crate::fault::{Error, Result};
use crate::function::value::UNIX_EPOCH_TICKS;

/// Names under which records have their time.
const TIMES: [&str; 4] = [
    "CreationTime",
    "TimeGenerated",
    "Timestamp",
    "CreatedDateTime",
];

/// Events of a test at most: they are held in memory.
const MOST_EVENTS: usize = 100_000;

/// What a test gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The test's name.
    pub name: String,
    /// How many findings it must give.
    pub wanted: usize,
    /// How many it gave: the rows of its query, where the trigger takes them.
    pub found: usize,
    /// How many rows its query gave.
    pub rows: usize,
    /// Why it could not be run, where it could not.
    pub error: Option<String>,
}

impl Outcome {
    /// Whether the rule did what it must.
    pub fn passed(&self) -> bool {
        self.error.is_none() && self.wanted == self.found
    }
}

/// Runs all tests of a rule.
///
/// # Errors
/// When the rule is in Sigma and has no query. What is wrong with a test, or fails in it, is its outcome.
pub fn run(rule: &Rule, sigma: &Conversions) -> Result<Vec<Outcome>> {
    if rule.tests.is_empty() {
        return Ok(Vec::new());
    }
    let query = match rule.query.language {
        Language::Sql | Language::Kql => rule.query.text.to_string(),
        Language::Sigma => {
            let converted = sigma.query(&rule.place);
            converted.map_err(|why| Error::Query(why.to_string()))?.text
        }
    };
    let outcomes = rule.tests.iter().map(|test| {
        let (rows, error) = match rows(rule, &query, test) {
            Ok(rows) => (rows, None),
            Err(e) => (0, Some(e.to_string())),
        };
        // As in a hunt: that nothing came may be what the rule looks for.
        let found = match rule.trigger.fires(rows as u64) {
            true => rows.max(1),
            false => 0,
        };
        Outcome {
            name: test.name.clone(),
            wanted: test.finds,
            found,
            rows,
            error,
        }
    });
    Ok(outcomes.collect())
}

/// How many rows a query gives over the events of a test.
fn rows(rule: &Rule, query: &str, test: &Test) -> Result<usize> {
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
    if rule.query.language == Language::Sql {
        let (_, batches) = session.collect(query)?;
        return Ok(batches.iter().map(|b| b.num_rows()).sum());
    }
    let how = kql::Options {
        now: now(&records),
        ..kql::Options::default()
    };
    Ok(session.kql(query, &how)?.rows.len())
}

/// `now()` of a test, in ticks: the time of its last event.
fn now(records: &[(String, Value)]) -> i64 {
    let times = records.iter().filter_map(|(_, record)| {
        let times = TIMES.iter().filter_map(|name| record.get(*name)?.as_str());
        times
            .filter_map(|text| crate::ingest::time::parse(text, None))
            .max()
    });
    let last = times.max().unwrap_or_default();
    last.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS)
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
        .and_then(|every| i64::try_from(every).ok())
        .ok_or_else(|| Error::Usage(format!("`every: {}` is no duration", repeat.every)))?;
    if repeat.count as usize > MOST_EVENTS.saturating_sub(out.len()) {
        let most = crate::text::count(MOST_EVENTS as u64);
        return Err(Error::Usage(format!(
            "a test has at most {most} events, and this one repeats one {} times",
            repeat.count
        )));
    }
    for n in 0..repeat.count {
        let mut record = event.record.clone();
        number(&mut record, n + 1);
        later(&mut record, i64::from(n).saturating_mul(every));
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
        let t = by.checked_mul(1_000_000)?.checked_add(t)?;
        let t = chrono::DateTime::from_timestamp_micros(t)?;
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
    for name in TIMES {
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
            if id.len() == 36 && id.is_char_boundary(28) {
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
