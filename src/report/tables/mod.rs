//! A report as tables: all its figures, one table each.
//!
//! - `table`: what a table is; `labels`, `access`, `log`: those of label events, of denials and sign-ins, of what was read.

use super::data::{Report, Rule};

mod access;
mod labels;
mod log;
mod table;

pub(super) use table::{Table, Value};

/// The tables of a report, in their order. Findings are not among them: a report has the worst of these only.
pub(super) fn tables(report: &Report) -> Vec<Table<'_>> {
    let mut tables = vec![key_figures(report), findings_over_time(report)];
    tables.extend(labels::tables(&report.figures));
    tables.extend(access::tables(&report.figures));
    tables.push(timeline(report));
    tables.push(people(report));
    tables.push(rules(&report.rules));
    tables.extend(log::tables(&report.health));
    tables
}

fn key_figures(report: &Report) -> Table<'_> {
    let columns = ["figure", "value", "now", "before", "change_percent"];
    Table::new("Key figures", &columns).with(&report.summary.figures, |figure| {
        vec![
            figure.name.into(),
            figure.value.into(),
            figure.now.map_or(Value::Nothing, Value::from),
            figure.before.map_or(Value::Nothing, Value::from),
            Value::maybe(figure.change),
        ]
    })
}

fn findings_over_time(report: &Report) -> Table<'_> {
    let columns = ["from", "high", "medium", "low", "informational"];
    let buckets = report.figures.buckets.iter();
    let rows = buckets.zip(&report.summary.findings_over_time);
    Table::new("Findings over time", &columns).with(rows, |(bucket, counts)| {
        let counts = counts.iter().map(|count| Value::from(*count));
        std::iter::once(Value::from(bucket)).chain(counts).collect()
    })
}

fn timeline(report: &Report) -> Table<'_> {
    let columns = [
        "time",
        "what",
        "why",
        "findings",
        "severity",
        "user",
        "address",
        "action",
        "object",
        "application",
        "table",
        "ingest",
        "record",
    ];
    Table::new("Timeline", &columns).with(&report.timeline.events, |event| {
        let findings: Vec<String> = event.findings.iter().map(ToString::to_string).collect();
        vec![
            Value::Time(&event.time),
            (&event.said).into(),
            Value::joined(&event.why),
            Value::joined(&findings),
            event.severity.unwrap_or_default().into(),
            (&event.user).into(),
            (&event.address).into(),
            (&event.action).into(),
            (&event.object).into(),
            (&event.application).into(),
            (&event.table).into(),
            event.ingest.into(),
            event.record.into(),
        ]
    })
}

fn people(report: &Report) -> Table<'_> {
    let fixed = [
        "user",
        "name",
        "manager",
        "high",
        "medium",
        "low",
        "informational",
        "denied",
        "denied_to_others",
        "sign_ins",
        "failed_sign_ins",
        "risky_sign_ins",
        "first",
        "last",
    ];
    let actions = report.figures.actions.iter().map(String::as_str);
    let columns: Vec<&str> = fixed.into_iter().chain(actions).collect();
    Table::new("People", &columns).with(&report.people.list, |person| {
        let mut row = vec![
            Value::from(&person.user),
            Value::said(person.name.as_ref()),
            Value::said(person.manager.as_ref()),
        ];
        row.extend(person.by_severity.map(Value::from));
        let counts = [
            person.denied,
            person.denied_to_others,
            person.sign_ins,
            person.failed_sign_ins,
            person.risky_sign_ins,
        ];
        row.extend(counts.map(Value::from));
        row.push(Value::time(person.first.as_ref()));
        row.push(Value::time(person.last.as_ref()));
        row.extend(person.actions.iter().map(|count| Value::from(*count)));
        row
    })
}

fn rules(rules: &[Rule]) -> Table<'_> {
    let columns = [
        "rule",
        "name",
        "severity",
        "status",
        "reason",
        "findings",
        "tactics",
        "techniques",
        "not_judged",
        "version",
        "sha256",
    ];
    Table::new("Rules", &columns).with(rules, |rule| {
        vec![
            (&rule.id).into(),
            (&rule.name).into(),
            rule.severity.into(),
            rule.status.into(),
            (&rule.reason).into(),
            rule.findings.into(),
            Value::joined(&rule.tactics),
            Value::joined(&rule.techniques),
            Value::said(rule.unjudged.as_ref()),
            Value::said(rule.version.as_ref()),
            (&rule.sha256).into(),
        ]
    })
}
