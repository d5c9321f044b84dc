//! What was read, and what not: the chain of custody of a report.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::sources::{Sources, window};
use crate::archive::ledger::{Entry, Status};
use crate::case::{LONG, shortened};
use crate::engine::output;
use crate::fault::Result;
use crate::proof::gaps::{self, Scope};
use crate::report::data::{Count, Gap, Health, Input, Reason, Rule, Sum, Table};
use crate::report::heading::Heading;

/// Gaps that are named one by one.
const MOST_GAPS: usize = 2000;
/// Reasons of records that could not be converted.
const MOST_REASONS: usize = 500;

/// What an archive says of itself, and what became of the rules.
pub(super) fn health(of: &Sources<'_>, heading: &Heading, rules: &[Rule]) -> Result<Health> {
    let window = window(heading);
    let scope = Scope {
        table: None,
        from: window.from,
        to: window.to,
    };
    let found = gaps::find(of.session, of.ledger, &scope)?;
    let gaps = found.findings.iter().take(MOST_GAPS).map(|gap| Gap {
        kind: gap.kind.name(),
        table: gap.table.clone(),
        place: gap.place.clone(),
        from: gap.from.map(|t| heading.iso(t)),
        to: gap.to.map(|t| heading.iso(t)),
        expected: words(&gap.expected),
        found: words(&gap.found),
        said: gap.why.clone(),
    });
    let inputs = of.ledger.exports().map(|entry| input(entry, heading));
    let tally = of.hunt.alerts.as_ref();
    let excluded = tally.into_iter().flat_map(|tally| &tally.excluded);
    let not_run = of.hunt.not_run() as u64;
    Ok(Health {
        tool: env!("CARGO_PKG_VERSION"),
        rules_sha256: rules_sha256(rules),
        rules_run: rules.len() as u64 - not_run,
        rules_not_run: not_run,
        inputs: inputs.collect(),
        sum: sum(of),
        tables: tables(of, heading)?,
        gaps: gaps.collect(),
        quarantine: quarantine(of)?,
        excluded: excluded
            .map(|one| Count {
                name: format!("{}: {}", one.rule, shortened(&one.reason, LONG)),
                count: one.alerts as u64,
            })
            .collect(),
    })
}

/// A number or words, as text.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The hash of texts, with a zero byte between them.
pub(super) fn sha256(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            hash.update([0]);
        }
        hash.update(text.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// One hash for all rules that could be loaded.
fn rules_sha256(rules: &[Rule]) -> String {
    let loaded = rules.iter().filter(|rule| !rule.sha256.is_empty());
    let texts: Vec<&str> = loaded
        .flat_map(|rule| [rule.id.as_str(), rule.sha256.as_str()])
        .collect();
    sha256(&texts)
}

fn sum(of: &Sources<'_>) -> Sum {
    let mut sum = Sum::default();
    for entry in of.ledger.exports() {
        sum.files += 1;
        sum.broken += u64::from(entry.status != Status::Complete);
        sum.unreadable += u64::from(entry.status == Status::Unreadable);
        sum.bytes += entry.bytes;
        sum.records += entry.records;
        sum.events += entry.events();
        sum.duplicates += entry.duplicates;
        sum.revisions += entry.revisions;
        sum.quarantined += entry.quarantined;
    }
    sum
}

fn input(entry: &Entry, heading: &Heading) -> Input {
    Input {
        ingest: entry.id,
        file: entry.file.clone(),
        sha256: entry.sha256.clone(),
        bytes: entry.bytes,
        kind: entry.kind.clone(),
        container: match entry.compression.as_str() {
            "none" => entry.container.clone(),
            packed => format!("{}, {packed}", entry.container),
        },
        tables: entry.tables.keys().cloned().collect(),
        records: entry.records,
        events: entry.events(),
        duplicates: entry.duplicates,
        revisions: entry.revisions,
        quarantined: entry.quarantined,
        first: entry.times.map(|times| heading.iso(times.0)),
        last: entry.times.map(|times| heading.iso(times.1)),
        status: entry.status.name(),
        note: shortened(&entry.note, LONG),
    }
}

fn tables(of: &Sources<'_>, heading: &Heading) -> Result<Vec<Table>> {
    let snapshot = of.archive.snapshot()?;
    let tables = snapshot.tables().filter(|(table, _)| table.by_day);
    let tables = tables.map(|(table, files)| {
        let times = files.iter().filter_map(|file| file.times);
        let times = times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        Table {
            name: table.name.to_string(),
            rows: files.iter().map(|file| file.rows).sum(),
            first: times.map(|times| heading.iso(times.0)),
            last: times.map(|times| heading.iso(times.1)),
        }
    });
    Ok(tables.collect())
}

/// Records that could not be converted, by reason.
fn quarantine(of: &Sources<'_>) -> Result<Vec<Reason>> {
    let (_, batches) = of.session.collect(&format!(
        "SELECT split_part(\"Reason\", ' (row ', 1) AS \"Why\", count(*) AS \"Records\", \
           min(\"File\" || ', record ' || CAST(\"_Record\" AS VARCHAR) || ', byte ' || CAST(\"Offset\" AS VARCHAR)) AS \"One\" \
         FROM \"Quarantine\" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_REASONS}"
    ))?;
    let mut reasons = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            reasons.push(Reason {
                reason: shortened(&output::cell(batch.column(0), row)?, LONG),
                count: output::json(batch.column(1), row)?.as_u64().unwrap_or(0),
                example: shortened(&output::cell(batch.column(2), row)?, LONG),
            });
        }
    }
    Ok(reasons)
}
