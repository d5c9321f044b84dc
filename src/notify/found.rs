//! One mail to the security team: what a hunt found, with everything, the worst first.

use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;

use super::letter::Addressed;
use super::sent::{Key, Sent};
use crate::engine::output::in_zone;
use crate::hunt::Finding;
use crate::rules::Severity;
use crate::text::safe::seen;

/// What these notices are called.
pub const KIND: &str = "findings";

/// Records of a finding that a mail names; the others are counted.
const RECORDS: usize = 20;

/// Findings that a mail tells of; more make further mails, as servers take none of any size.
const FINDINGS: usize = 500;

/// What the team is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TeamNotice {
    /// How many findings of each severity there are, the worst first.
    pub counts: Vec<Count>,
    /// The findings, the worst first.
    pub findings: Vec<Found>,
}

/// How many findings of a severity there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// High, Medium, …
    pub severity: &'static str,
    /// How many.
    pub findings: usize,
}

/// A finding.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Found {
    /// How bad it is.
    pub severity: &'static str,
    /// Id of the rule.
    pub rule: String,
    /// What it is called.
    pub title: String,
    /// What its row says in the place of the rule's description.
    pub description: Option<String>,
    /// Time of the first event.
    pub first: String,
    /// Time of the last event, where there is a span.
    pub last: Option<String>,
    /// ATT&CK tactics.
    pub tactics: Vec<String>,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// What it is about.
    pub entities: Vec<Thing>,
    /// The columns of its row.
    pub details: Vec<Detail>,
    /// The records that it rests on, by file and number.
    pub records: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thing {
    /// Account, IP, File, …
    pub kind: String,
    /// Its value.
    pub value: String,
}

/// A column of a finding's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What is to be told of findings.
#[derive(Debug, Default)]
pub struct Plan {
    /// A notice to each recipient who has not been told of all of them.
    pub notices: Vec<Addressed<TeamNotice>>,
    /// How many findings all recipients have been told of.
    pub told: usize,
}

/// Findings by what a ledger knows of them.
type Told<'f> = Vec<(Key, &'f Finding)>;

/// What the recipients have not been told yet. The findings, in the order of a hunt, must have their times in UTC.
pub fn plan(findings: &[Finding], recipients: &[String], sent: &Sent, zone: Option<Tz>) -> Plan {
    let mut plan = Plan::default();
    for to in recipients {
        let mut groups: Vec<(Option<&str>, Told<'_>)> = Vec::new();
        let mut told = 0;
        for finding in findings {
            let key = key_of(to, finding);
            if sent.is_told(&key) {
                told += 1;
                continue;
            }
            let begun = sent.begun(&key);
            match groups.iter_mut().find(|(of, _)| *of == begun) {
                Some((_, group)) => group.push((key, finding)),
                None => groups.push((begun, vec![(key, finding)])),
            }
        }
        plan.told = plan.told.max(told);
        let parts = groups.iter().flat_map(|(_, group)| group.chunks(FINDINGS));
        for part in parts {
            let last = part
                .iter()
                .filter_map(|(_, f)| micros(f.last.as_deref().unwrap_or(&f.first)));
            let found: Vec<&Finding> = part.iter().map(|(_, finding)| *finding).collect();
            let mut keys: Vec<Key> = part.iter().map(|(key, _)| key.clone()).collect();
            keys.sort();
            keys.dedup();
            plan.notices.push(Addressed {
                to: to.clone(),
                keys,
                last: last.max().unwrap_or_default(),
                notice: notice(&found, zone),
            });
        }
    }
    plan
}

fn micros(time: &str) -> Option<i64> {
    let time = chrono::DateTime::parse_from_rfc3339(time).ok()?;
    Some(time.timestamp_micros())
}

/// What a finding is known by: its rule, its times and what it is about.
fn key_of(to: &str, finding: &Finding) -> Key {
    // A row that names nothing is known by all that it says; else a column of the moment would make another finding of it each night.
    let details = match finding.entities.is_empty() {
        true => Value::Object(finding.details.clone()).to_string(),
        false => String::new(),
    };
    let mut parts = vec![
        KIND,
        to,
        finding.rule.as_str(),
        finding.title.as_str(),
        finding.first.as_str(),
        finding.last.as_deref().unwrap_or_default(),
        details.as_str(),
    ];
    for entity in &finding.entities {
        parts.extend([
            entity.kind.as_str(),
            entity.identifier.as_str(),
            entity.value.as_str(),
        ]);
    }
    Key::of(parts)
}

fn notice(findings: &[&Finding], zone: Option<Tz>) -> TeamNotice {
    let count = |severity: Severity| Count {
        severity: severity.name(),
        findings: findings.iter().filter(|f| f.severity == severity).count(),
    };
    let counts = Severity::ALL.into_iter().map(count);
    TeamNotice {
        counts: counts.filter(|count| count.findings > 0).collect(),
        findings: findings.iter().map(|f| found(f, zone)).collect(),
    }
}

fn found(finding: &Finding, zone: Option<Tz>) -> Found {
    let moved = |time: &str| match zone {
        Some(zone) => seen(&in_zone(time, zone)),
        None => seen(time),
    };
    let all = |texts: &[String]| texts.iter().map(|text| seen(text)).collect();
    let entities = finding.entities.iter();
    let details = finding.details.iter();
    let records = finding.evidence.iter().take(RECORDS);
    Found {
        severity: finding.severity.name(),
        rule: seen(&finding.rule),
        title: seen(&finding.title),
        description: finding.description.as_deref().map(seen),
        first: moved(&finding.first),
        last: finding.last.as_deref().map(moved),
        tactics: all(&finding.tactics),
        techniques: all(&finding.techniques),
        entities: entities
            .map(|entity| Thing {
                kind: seen(&entity.kind),
                value: seen(&entity.value),
            })
            .collect(),
        details: details
            .map(|(name, value)| Detail {
                name: seen(name),
                value: match value {
                    Value::String(time) if finding.times.contains(name) => moved(time),
                    Value::String(text) => seen(text),
                    other => seen(&other.to_string()),
                },
            })
            .collect(),
        records: records
            .map(|record| seen(&format!("{}, record {}", record.file, record.record)))
            .collect(),
        more: finding.evidence.len().saturating_sub(RECORDS),
    }
}

/// Notices on which templates are tried: with everything in it that there can be, and with as little.
pub fn examples() -> [TeamNotice; 2] {
    let text = || "example".to_string();
    let full = TeamNotice {
        counts: vec![Count {
            severity: Severity::High.name(),
            findings: 1,
        }],
        findings: vec![Found {
            severity: Severity::High.name(),
            rule: text(),
            title: text(),
            description: Some(text()),
            first: text(),
            last: Some(text()),
            tactics: vec![text()],
            techniques: vec![text()],
            entities: vec![Thing {
                kind: text(),
                value: text(),
            }],
            details: vec![Detail {
                name: text(),
                value: text(),
            }],
            records: vec![text()],
            more: 1,
        }],
    };
    let mut bare = full.clone();
    for found in &mut bare.findings {
        *found = Found {
            severity: found.severity,
            rule: text(),
            title: text(),
            first: text(),
            ..Found::default()
        };
    }
    [full, bare]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::Entity;

    fn finding(rule: &str, severity: Severity, account: &str) -> Finding {
        Finding {
            number: 1,
            rule: rule.into(),
            title: "Labels removed".into(),
            description: None,
            severity,
            first: "2026-05-20T19:40:05Z".into(),
            last: None,
            tactics: Vec::new(),
            techniques: Vec::new(),
            entities: vec![Entity {
                kind: "Account".into(),
                identifier: "FullName".into(),
                value: account.into(),
                mapping: 0,
            }],
            details: serde_json::Map::new(),
            times: Vec::new(),
            custom_details: std::collections::BTreeMap::new(),
            properties: std::collections::BTreeMap::new(),
            set: std::collections::BTreeMap::new(),
            evidence: Vec::new(),
            no_evidence: None,
        }
    }

    #[test]
    fn more_than_a_mail_holds_are_further_mails() {
        let findings: Vec<Finding> = (0..=FINDINGS)
            .map(|n| finding(&format!("rule {n}"), Severity::Low, "dave@contoso.com"))
            .collect();
        let to = ["soc@contoso.com".to_string()];
        let plan = plan(&findings, &to, &Sent::default(), None);
        let long = plan.notices.iter().map(|n| n.notice.findings.len());
        assert_eq!(long.collect::<Vec<_>>(), [FINDINGS, 1]);
        let keys = plan.notices.iter().flat_map(|n| &n.keys);
        assert_eq!(keys.count(), findings.len());
    }

    #[test]
    fn each_recipient_is_told_of_each_finding_once() {
        let findings = [
            finding("a", Severity::High, "frank@contoso.com"),
            finding("b", Severity::Low, "dave@contoso.com\u{202e}"),
        ];
        let to = ["soc@contoso.com".to_string()];
        let berlin = Some(Tz::Europe__Berlin);
        let first = plan(&findings[..1], &to, &Sent::default(), berlin);
        let told = &first.notices[0].notice.findings[0];
        assert_eq!(told.first, "2026-05-20T21:40:05+02:00");
        let mut sent = Sent::default();
        sent.tell(&first.notices[0].keys);
        let second = plan(&findings, &to, &sent, None);
        assert_eq!(second.told, 1);
        let told = &second.notices[0].notice;
        assert_eq!(
            told.counts,
            [Count {
                severity: "Low",
                findings: 1
            }]
        );
        assert_eq!(
            told.findings[0].entities[0].value,
            "dave@contoso.com⟦U+202E⟧"
        );
        sent.tell(&second.notices[0].keys);
        assert!(plan(&findings, &to, &sent, None).notices.is_empty());
    }
}
