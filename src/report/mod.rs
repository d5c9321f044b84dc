//! Documents: findings as JSON and CSV, and the HTML report. They see findings, never files of an export.
//!
//! The report is one file that opens offline. Everything from a log is escaped by the template engine, and made visible there.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use minijinja::{AutoEscape, Environment};
use serde_json::{Value, json};

use crate::archive::Archive;
use crate::archive::ledger::{Entry, Ledger, Status as ReadStatus};
use crate::engine::{Session, output};
use crate::fault::{Error, Result};
use crate::hunt::{Finding, Hunt, LOOKED_UP, Status};
use crate::rules::Severity;

pub use alerts::{alerts, compared, incidents};
pub use findings::{findings_csv, findings_json, findings_markdown, findings_ndjson};
pub use heading::Heading;

mod alerts;
mod findings;
mod heading;

/// Findings that the report shows with all that is known of them …
const IN_FULL: usize = 1000;
/// … and as many more in a line each. What is beyond is counted; all of them are in findings.json. A browser opens that many: 50,000 in full would be 115 MB.
const IN_SHORT: usize = 20_000;
/// Lines of a list of peaks or users.
const LISTED: usize = 12;
/// A day is a peak when it has at least so many actions …
const PEAK_ACTIONS: f64 = 10.0;
/// … and so many times as many as that user's, or label's, other active days on average.
const PEAK_TIMES: f64 = 3.0;

/// The HTML report.
///
/// # Errors
/// When the archive cannot be asked.
pub fn html(
    session: &Session,
    archive: &Archive,
    ledger: &Ledger,
    hunt: &Hunt,
    heading: &Heading,
) -> Result<String> {
    let data = Data {
        session,
        ledger,
        hunt,
        heading,
    };
    let context = data.context(archive)?;
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("seen", output::seen);
    let template = |e: minijinja::Error| Error::Unusable {
        path: "report.html".into(),
        reason: e.to_string(),
    };
    environment
        .add_template("report.html", include_str!("report.html"))
        .map_err(template)?;
    environment
        .get_template("report.html")
        .and_then(|t| t.render(&context))
        .map_err(template)
}

/// A time without what is finer than a second.
fn seconds(text: &str) -> String {
    match text.split_once('.') {
        Some((head, finer)) if head.len() == "2026-05-20T19:40:05".len() => {
            let zone = finer.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{head}{zone}")
        }
        _ => text.to_string(),
    }
}

struct Data<'a> {
    session: &'a Session,
    ledger: &'a Ledger,
    hunt: &'a Hunt,
    heading: &'a Heading,
}

/// Label actions of one user, or under one label, on one day.
struct Daily {
    name: String,
    day: String,
    actions: f64,
}

impl Data<'_> {
    fn context(&self, archive: &Archive) -> Result<Value> {
        let iso = |t: i64| self.heading.iso(t);
        let entries: Vec<&Entry> = self.ledger.exports().collect();
        let sum = |f: fn(&Entry) -> u64| entries.iter().map(|e| f(e)).sum::<u64>();
        let bytes = sum(|e| e.bytes);
        let times = entries
            .iter()
            .filter_map(|e| e.times)
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let by_severity: Vec<Value> = Severity::ALL
            .into_iter()
            .map(|s| json!({"severity": s.name(), "count": self.hunt.count(s)}))
            .collect();
        let users = self.daily("lower(UserId)", "UserId IS NOT NULL")?;
        let labels = self.daily(
            "coalesce(NewLabelName, OldLabelName, NewLabelId, OldLabelId)",
            "coalesce(NewLabelId, OldLabelId) IS NOT NULL",
        )?;
        Ok(json!({
            "title": "coldtrail report",
            "version": env!("CARGO_PKG_VERSION"),
            "generated": iso(self.heading.now),
            "zone": self.heading.zone.map_or("UTC", Tz::name),
            "archive": self.heading.archive,
            "window": {"from": self.heading.from.map(iso), "to": self.heading.to.map(iso)},
            "summary": {
                "files": entries.len(),
                "bytes": bytes,
                "bytes_text": (self.heading.bytes_text)(bytes),
                "records": sum(|e| e.records),
                "events": sum(Entry::events),
                "duplicates": sum(|e| e.duplicates),
                "revisions": sum(|e| e.revisions),
                "quarantined": sum(|e| e.quarantined),
                "first": times.map(|t| iso(t.0)),
                "last": times.map(|t| iso(t.1)),
                "rules_run": self.hunt.outcomes.len() - self.hunt.not_run(),
                "rules_not_run": self.hunt.not_run(),
                "findings": self.hunt.findings.len(),
                "by_severity": by_severity,
            },
            "inputs": entries.iter().map(|e| self.input(e)).collect::<Vec<_>>(),
            "quarantine": self.quarantine()?,
            "tables": tables(archive, self.heading)?,
            "rules": self.rules(),
            "excluded": self.hunt.alerts.as_ref().map(|tally| &tally.excluded),
            "findings": self.findings(),
            "briefs": self.briefs(),
            "activity": self.activity()?,
            "peaks_by_user": peaks(&users, "user"),
            "peaks_by_label": peaks(&labels, "label"),
            "top_users": self.top_users()?,
            "labels": self.labels()?,
        }))
    }

    /// Rows of a query, each cell as JSON.
    fn ask(&self, sql: &str) -> Result<Vec<Vec<Value>>> {
        let (_, batches) = self.session.collect(sql)?;
        let mut rows = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|c| output::json(c, row));
                rows.push(cells.collect::<Result<Vec<_>>>()?);
            }
        }
        Ok(rows)
    }

    fn input(&self, e: &Entry) -> Value {
        let iso = |t: i64| self.heading.iso(t);
        let tables: Vec<&str> = e.tables.keys().map(String::as_str).collect();
        json!({
            "ingest": e.id,
            "file": e.file,
            "sha256": e.sha256,
            "bytes_text": (self.heading.bytes_text)(e.bytes),
            "kind": e.kind.split(": ").next().unwrap_or(""),
            "container": match e.compression.as_str() {
                "none" => e.container.clone(),
                packed => format!("{}, {packed}", e.container),
            },
            "tables": tables.join(", "),
            "records": e.records,
            "events": e.events(),
            "duplicates": e.duplicates,
            "revisions": e.revisions,
            "quarantined": e.quarantined,
            "first": e.times.map(|t| iso(t.0)),
            "last": e.times.map(|t| iso(t.1)),
            "status": match e.status {
                ReadStatus::Complete => "complete",
                ReadStatus::Incomplete => "incomplete",
                ReadStatus::Unreadable => "unreadable",
            },
            "note": e.note,
        })
    }

    fn quarantine(&self) -> Result<Value> {
        let rows = self.ask(
            "SELECT split_part(Reason, ' (row ', 1) AS Reason, count(*), \
               min(File || ', record ' || CAST(_Record AS VARCHAR) || ', byte ' || CAST(\"Offset\" AS VARCHAR)) \
             FROM Quarantine GROUP BY 1 ORDER BY count(*) DESC, 1",
        )?;
        let total: i64 = rows.iter().filter_map(|r| r[1].as_i64()).sum();
        let reasons: Vec<Value> = rows
            .into_iter()
            .map(|r| json!({"reason": r[0], "count": r[1], "example": r[2]}))
            .collect();
        Ok(json!({"total": total, "reasons": reasons}))
    }

    fn rules(&self) -> Vec<Value> {
        self.hunt
            .outcomes
            .iter()
            .map(|o| {
                let status = match &o.status {
                    Status::Found => "found",
                    Status::Lacks(_) => "lacks",
                    status if status.reason().is_some() => "not run",
                    _ => "nothing",
                };
                let reason = match &o.status {
                    Status::Absent(why) | Status::Counted(why) => why.as_str(),
                    status => status.reason().unwrap_or(""),
                };
                let r = o.rule.as_ref();
                json!({
                    "id": o.id,
                    "name": r.map_or(o.id.as_str(), |r| &r.name),
                    "severity": r.map_or("", |r| r.severity.name()),
                    "status": status,
                    "findings": o.findings,
                    "reason": reason,
                    "unjudged": o.unjudged,
                    "description": r.map_or("", |r| &r.description),
                    "tactics": r.map_or(&[][..], |r| &r.tactics),
                    "techniques": r.map_or(&[][..], |r| &r.techniques),
                    "false_positives": r.map_or(&[][..], |r| &r.false_positives),
                })
            })
            .collect()
    }

    fn findings(&self) -> Vec<Value> {
        let descriptions: BTreeMap<&str, &str> = self
            .hunt
            .outcomes
            .iter()
            .filter_map(|o| Some((o.id.as_str(), o.rule.as_ref()?.description.as_str())))
            .collect();
        self.hunt
            .findings
            .iter()
            .take(IN_FULL)
            .map(|f| {
                let shown = |name: &str| {
                    !f.entities.iter().any(|e| {
                        f.details.get(name).and_then(Value::as_str) == Some(e.value.as_str())
                    })
                };
                let details: Vec<Value> = f
                    .details
                    .iter()
                    .filter(|(name, _)| shown(name))
                    .map(|(name, value)| json!({"name": name, "value": detail(value, f.times.contains(name))}))
                    .collect();
                json!({
                    "number": f.number,
                    "rule": f.rule,
                    "title": f.title,
                    "severity": f.severity.name(),
                    "first": seconds(&f.first),
                    "last": f.last.as_deref().map(seconds),
                    "tactics": f.tactics,
                    "techniques": f.techniques,
                    "description": descriptions.get(f.rule.as_str()),
                    "entities": f.entities,
                    "named": named(f),
                    "things": f.things(|e| !["Account", "IP"].contains(&e.kind.as_str())),
                    "details": details,
                    "evidence_total": f.evidence.len(),
                    "evidence": f.evidence.iter().take(LOOKED_UP).map(|e| json!({
                        "file": e.file,
                        "ingest": e.ingest,
                        "record": e.record,
                        "time": seconds(&e.time),
                        "event_id": e.event_id,
                    })).collect::<Vec<_>>(),
                })
            })
            .collect()
    }

    /// Findings that are shown in a line each.
    fn briefs(&self) -> Vec<Value> {
        let rest = self.hunt.findings.iter().skip(IN_FULL).take(IN_SHORT);
        rest.map(|f| {
            let accounts = f.entities.iter().filter(|e| e.kind == "Account");
            let accounts: Vec<_> = accounts.collect();
            let shown = match accounts.is_empty() {
                true => f.entities.iter().take(1).collect(),
                false => accounts,
            };
            json!({
                "number": f.number,
                "title": f.title,
                "severity": f.severity.name(),
                "first": seconds(&f.first),
                "entities": shown,
                "named": named(f),
            })
        })
        .collect()
    }

    /// Label actions over time: a bar a day, a week where there are many days, a month where there are many weeks.
    fn activity(&self) -> Result<Value> {
        let span = self.ask(
            "SELECT date_part('epoch', max(TimeGenerated)) - date_part('epoch', min(TimeGenerated)) \
             FROM LabelEvents WHERE TimeGenerated IS NOT NULL",
        )?;
        let days = span
            .first()
            .and_then(|r| r[0].as_f64())
            .map_or(0.0, |s| s / 86_400.0);
        let unit = if days <= 93.0 {
            "day"
        } else if days <= 730.0 {
            "week"
        } else {
            "month"
        };
        let rows = self.ask(&format!(
            "SELECT {} AS b, Action, count(*) \
             FROM LabelEvents WHERE TimeGenerated IS NOT NULL GROUP BY b, Action ORDER BY b, Action",
            self.heading.cut(unit)
        ))?;
        let text = |v: &Value| v.as_str().unwrap_or("").to_string();
        let buckets = match (rows.first(), rows.last()) {
            (Some(a), Some(z)) => every(&text(&a[0]), &text(&z[0]), unit),
            _ => Vec::new(),
        };
        let mut series: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for row in &rows {
            if let Some(at) = buckets.iter().position(|b| *b == text(&row[0])) {
                series
                    .entry(text(&row[1]))
                    .or_insert_with(|| vec![0; buckets.len()])[at] = row[2].as_i64().unwrap_or(0);
            }
        }
        let max = (0..buckets.len())
            .map(|i| series.values().map(|c| c[i]).sum::<i64>())
            .max()
            .unwrap_or(0);
        let series: Vec<Value> = series
            .into_iter()
            .map(|(action, counts)| json!({"action": action, "counts": counts}))
            .collect();
        Ok(json!({"unit": unit, "buckets": buckets, "series": series, "max": max}))
    }

    fn daily(&self, name: &str, condition: &str) -> Result<Vec<Daily>> {
        let rows = self.ask(&format!(
            "SELECT {name} AS n, {} AS d, count(*) \
             FROM LabelEvents WHERE TimeGenerated IS NOT NULL AND {condition} GROUP BY n, d ORDER BY n, d",
            self.heading.cut("day")
        ))?;
        Ok(rows
            .iter()
            .map(|r| Daily {
                name: r[0].as_str().unwrap_or("").to_string(),
                day: r[1].as_str().unwrap_or("").to_string(),
                actions: r[2].as_f64().unwrap_or(0.0),
            })
            .collect())
    }

    fn top_users(&self) -> Result<Vec<Value>> {
        let count = |action: &str| format!("count(*) FILTER (WHERE Action = '{action}')");
        let rows = self.ask(&format!(
            "SELECT lower(UserId) AS u, {}, {}, {}, {}, {}, count(*) AS t FROM LabelEvents \
             WHERE UserId IS NOT NULL GROUP BY u ORDER BY t DESC, u LIMIT {LISTED}",
            count("LabelApplied"),
            count("LabelUpgraded"),
            count("LabelDowngraded"),
            count("LabelRemoved"),
            count("AccessDenied"),
        ))?;
        Ok(rows
            .into_iter()
            .map(|r| {
                json!({
                    "user": r[0], "applied": r[1], "upgraded": r[2], "downgraded": r[3],
                    "removed": r[4], "denied": r[5], "total": r[6],
                })
            })
            .collect())
    }

    /// Labels that occur, the most sensitive first.
    fn labels(&self) -> Result<Vec<Value>> {
        let rows = self.ask(
            "WITH uses AS ( \
               SELECT NewLabelId AS id, NewLabelName AS name, NewLabelRank AS rank, \
                 CASE WHEN Action = 'FileOpened' THEN 'opened' ELSE 'applied' END AS what \
               FROM LabelEvents WHERE NewLabelId IS NOT NULL \
                 AND Action IN ('LabelApplied', 'LabelUpgraded', 'LabelDowngraded', 'LabelChanged', 'FileOpened') \
               UNION ALL \
               SELECT OldLabelId, OldLabelName, OldLabelRank, \
                 CASE WHEN Action = 'LabelRemoved' THEN 'removed' ELSE 'downgraded' END \
               FROM LabelEvents WHERE OldLabelId IS NOT NULL AND Action IN ('LabelRemoved', 'LabelDowngraded')) \
             SELECT coalesce(min(name), id), id, min(rank), \
               count(*) FILTER (WHERE what = 'applied'), count(*) FILTER (WHERE what = 'removed'), \
               count(*) FILTER (WHERE what = 'downgraded'), count(*) FILTER (WHERE what = 'opened') \
             FROM uses GROUP BY id ORDER BY min(rank) DESC NULLS LAST, id",
        )?;
        Ok(rows
            .into_iter()
            .map(|r| {
                json!({
                    "label": r[0], "id": r[1], "rank": r[2], "applied": r[3], "removed": r[4],
                    "downgraded": r[5], "opened": r[6],
                })
            })
            .collect())
    }
}

/// How many a finding names: accounts, and where there are none, things of whatever kind.
fn named(finding: &Finding) -> usize {
    match finding.things(|e| e.kind == "Account") {
        0 => finding.things(|_| true),
        accounts => accounts,
    }
}

/// A value of a row for reading: lists with commas, times without fractions.
fn detail(value: &Value, is_time: bool) -> String {
    match value {
        Value::String(text) if is_time => seconds(text),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            const SHOWN: usize = 10;
            let items_shown = items.iter().take(SHOWN).map(|item| detail(item, false));
            let mut shown: Vec<String> = items_shown.collect();
            if items.len() > SHOWN {
                shown.push(format!("and {} more", items.len() - SHOWN));
            }
            shown.join(", ")
        }
        other => other.to_string(),
    }
}

/// Days on which a user, or a label, had far more actions than on its other active days.
fn peaks(days: &[Daily], name: &str) -> Vec<Value> {
    let mut totals: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for d in days {
        let total = totals.entry(&d.name).or_default();
        total.0 += d.actions;
        total.1 += 1.0;
    }
    let mut found: Vec<(f64, &Daily, Option<f64>)> = days
        .iter()
        .filter(|d| d.actions >= PEAK_ACTIONS)
        .filter_map(|d| {
            let (sum, n) = totals[d.name.as_str()];
            if n < 2.0 {
                return Some((f64::INFINITY, d, None));
            }
            let usual = (sum - d.actions) / (n - 1.0);
            let times = d.actions / usual;
            (times >= PEAK_TIMES).then_some((times, d, Some(usual)))
        })
        .collect();
    found.sort_by(|a, b| {
        b.1.actions
            .total_cmp(&a.1.actions)
            .then_with(|| b.0.total_cmp(&a.0))
            .then_with(|| (&a.1.name, &a.1.day).cmp(&(&b.1.name, &b.1.day)))
    });
    let round = |x: f64| (x * 10.0).round() / 10.0;
    found
        .into_iter()
        .take(LISTED)
        .map(|(times, d, usual)| {
            json!({
                name: d.name, "day": d.day, "actions": d.actions as i64,
                "usual": round(usual.unwrap_or(0.0)),
                "times": usual.map(|_| round(times)),
            })
        })
        .collect()
}

/// Every day, week or month from the first to the last, so that empty ones show.
fn every(first: &str, last: &str, unit: &str) -> Vec<String> {
    let parse = |t: &str| chrono::NaiveDate::parse_from_str(t, "%Y-%m-%d").ok();
    let (Some(mut at), Some(end)) = (parse(first), parse(last)) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    // Two years of days are the most that is drawn.
    while at <= end && out.len() < 800 {
        out.push(at.format("%Y-%m-%d").to_string());
        let next = match unit {
            "day" => at.succ_opt(),
            "week" => at.checked_add_days(chrono::Days::new(7)),
            _ => at.checked_add_months(chrono::Months::new(1)),
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    out
}

fn tables(archive: &Archive, heading: &Heading) -> Result<Vec<Value>> {
    Ok(archive
        .snapshot()?
        .tables()
        .filter(|(t, _)| t.by_day)
        .map(|(t, files)| {
            let times = files
                .iter()
                .filter_map(|f| f.times)
                .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            json!({
                "name": t.name,
                "rows": files.iter().map(|f| f.rows).sum::<u64>(),
                "first": times.map(|t| heading.iso(t.0)),
                "last": times.map(|t| heading.iso(t.1)),
            })
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_measured_against_the_other_days() {
        let day = |name: &str, day: &str, actions: f64| Daily {
            name: name.into(),
            day: day.into(),
            actions,
        };
        let days = [
            day("a", "2026-05-01", 4.0),
            day("a", "2026-05-02", 40.0),
            day("a", "2026-05-03", 6.0),
            day("b", "2026-05-01", 12.0),
            day("c", "2026-05-01", 11.0),
            day("c", "2026-05-02", 11.0),
        ];
        let found = peaks(&days, "user");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0]["user"], "a");
        assert_eq!(found[0]["usual"], 5.0);
        assert_eq!(found[0]["times"], 8.0);
        // A single day has nothing to be measured against.
        assert_eq!(found[1]["user"], "b");
        assert_eq!(found[1]["times"], Value::Null);
    }

    #[test]
    fn empty_days_are_drawn() {
        assert_eq!(every("2026-05-01", "2026-05-03", "day").len(), 3);
        assert_eq!(every("2026-04-27", "2026-05-11", "week").len(), 3);
        assert_eq!(every("2026-01-01", "2026-03-01", "month").len(), 3);
    }
}
