//! Tables of what was read, and what not.

use super::table::{Table, Value};
use crate::report::data::Health;

/// The tables.
pub(super) fn tables(health: &Health) -> Vec<Table<'_>> {
    vec![
        inputs(health),
        stored(health),
        gaps(health),
        quarantine(health),
        excluded(health),
    ]
}

fn inputs(health: &Health) -> Table<'_> {
    let columns = [
        "ingest",
        "file",
        "sha256",
        "bytes",
        "kind",
        "container",
        "tables",
        "records",
        "events",
        "duplicates",
        "revisions",
        "quarantined",
        "first",
        "last",
        "status",
        "note",
    ];
    Table::new("Files read", &columns).with(&health.inputs, |input| {
        vec![
            input.ingest.into(),
            (&input.file).into(),
            (&input.sha256).into(),
            input.bytes.into(),
            (&input.kind).into(),
            (&input.container).into(),
            Value::joined(&input.tables),
            input.records.into(),
            input.events.into(),
            input.duplicates.into(),
            input.revisions.into(),
            input.quarantined.into(),
            Value::time(input.first.as_ref()),
            Value::time(input.last.as_ref()),
            input.status.into(),
            (&input.note).into(),
        ]
    })
}

fn stored(health: &Health) -> Table<'_> {
    let columns = ["table", "rows", "first", "last"];
    Table::new("Tables", &columns).with(&health.tables, |table| {
        vec![
            (&table.name).into(),
            table.rows.into(),
            Value::time(table.first.as_ref()),
            Value::time(table.last.as_ref()),
        ]
    })
}

fn gaps(health: &Health) -> Table<'_> {
    let columns = [
        "kind",
        "table",
        "where",
        "from",
        "to",
        "expected",
        "found",
        "explanation",
    ];
    Table::new("Gaps", &columns).with(&health.gaps, |gap| {
        vec![
            gap.kind.into(),
            (&gap.table).into(),
            (&gap.place).into(),
            Value::time(gap.from.as_ref()),
            Value::time(gap.to.as_ref()),
            (&gap.expected).into(),
            (&gap.found).into(),
            (&gap.said).into(),
        ]
    })
}

fn quarantine(health: &Health) -> Table<'_> {
    Table::new("Not converted", &["reason", "records", "example"]).with(&health.quarantine, |one| {
        vec![
            (&one.reason).into(),
            one.count.into(),
            (&one.example).into(),
        ]
    })
}

fn excluded(health: &Health) -> Table<'_> {
    Table::new("Excluded", &["exclusion", "alerts"]).with(&health.excluded, |one| {
        vec![(&one.name).into(), one.count.into()]
    })
}
