//! Findings as a report lists them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::DateTime;
use serde_json::Value;

use crate::case::{LONG, Thing, shortened, things};
use crate::hunt::{self, Finding as Found, Hunt, LOOKED_UP};
use crate::report::data::{
    Detail, Entity, Evidence, Finding, Findings, Moment, Rule, Sheet, Thing as Named,
};
use crate::report::heading::Heading;
use crate::report::wording::{detail, seconds};
use crate::rules::Severity;

/// Findings of a list. A browser opens and scrolls so many.
const LISTED: usize = 50_000;
/// Bytes of what is known of findings in full, roughly: the worst findings have it until so much is used.
const FULL_BYTES: usize = 12 << 20;
/// Accounts, and things, that a finding of the list names.
const NAMED: usize = 3;
/// Entities that a sheet has.
const ENTITIES: usize = 200;
/// Characters of a column of a row.
const LONG_DETAIL: usize = 5000;
/// Bytes of a member in JSON beside its text, roughly.
const MEMBER: usize = 40;

/// What findings are about, found out once.
pub(super) struct About {
    /// The accounts of each finding, in lower case, in the order of the findings.
    pub(super) users: Vec<Vec<String>>,
    /// The time of each finding, in microseconds: that of its first event.
    pub(super) at: Vec<Option<i64>>,
    /// Findings of each user, by severity.
    pub(super) by_user: BTreeMap<String, [u64; 4]>,
}

impl About {
    pub(super) fn of(findings: &[Found]) -> About {
        let mut about = About {
            users: Vec::with_capacity(findings.len()),
            at: findings
                .iter()
                .map(|finding| micros(&finding.first))
                .collect(),
            by_user: BTreeMap::new(),
        };
        for finding in findings {
            let users = users_of(finding);
            for user in &users {
                let counts = match about.by_user.get_mut(user) {
                    Some(counts) => counts,
                    None => about.by_user.entry(user.clone()).or_default(),
                };
                counts[place_of(finding.severity)] += 1;
            }
            about.users.push(users);
        }
        about
    }

    /// The first and the last time of a finding.
    pub(super) fn times(&self) -> Option<(i64, i64)> {
        let times = self.at.iter().flatten().map(|at| (*at, *at));
        times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}

/// The place of a severity in what counts by severity.
pub(super) fn place_of(severity: Severity) -> usize {
    let mut all = Severity::ALL.into_iter();
    all.position(|one| one == severity).unwrap_or(0)
}

/// The accounts that a finding is about, in lower case, each once.
pub(super) fn users_of(finding: &Found) -> Vec<String> {
    let found = things(finding).into_iter();
    let users: BTreeSet<String> = found
        .filter_map(|thing| match thing {
            Thing::User(user) => Some(user.to_lowercase()),
            _ => None,
        })
        .collect();
    let mut users: Vec<String> = users.into_iter().collect();
    users.shrink_to_fit();
    users
}

/// Whether a finding is about one of these users, or nobody is asked for.
pub fn is_about(finding: &Found, users: &[String]) -> bool {
    let mut asked = users.iter().map(|user| user.trim().to_lowercase());
    users.is_empty() || {
        let about = users_of(finding);
        asked.any(|user| about.contains(&user))
    }
}

fn micros(time: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(time).ok()?;
    Some(time.timestamp_micros())
}

/// The findings. Those with everything that is known of them come first; `events` says what is behind their records.
pub(super) fn findings(
    hunt: &Hunt,
    about: &About,
    rules: &[Rule],
    places: &HashMap<String, usize>,
    events: &[Moment],
    heading: &Heading,
) -> Findings {
    let said: HashMap<(i64, i64), &str> = events
        .iter()
        .map(|event| ((event.ingest, event.record), event.said.as_str()))
        .collect();
    let mut left = FULL_BYTES;
    let mut in_full = 0;
    let mut list = Vec::with_capacity(hunt.findings.len().min(LISTED));
    for (at, found) in hunt.findings.iter().take(LISTED).enumerate() {
        let place = places.get(found.rule.as_str()).copied().unwrap_or(0);
        let mut finding = brief(found, place, rules.get(place));
        let users = about.users.get(at).map_or(&[][..], Vec::as_slice);
        finding.users = users
            .iter()
            .take(NAMED)
            .map(|user| shortened(user, LONG))
            .collect();
        finding.more_users = users.len().saturating_sub(NAMED) as u64;
        finding.at = about.at.get(at).copied().flatten();
        if left > 0 {
            let (sheet, bytes) = sheet(found, &said);
            left = left.saturating_sub(bytes);
            finding.sheet = Some(sheet);
            in_full += 1;
        }
        list.push(finding);
    }
    let mut left_out = [0; 4];
    for found in hunt.findings.iter().skip(LISTED) {
        left_out[place_of(found.severity)] += 1;
    }
    let is_all = in_full == list.len() as u64 && left_out == [0; 4];
    Findings {
        total: hunt.findings.len() as u64,
        list,
        in_full,
        left_out,
        rest: (!is_all).then(|| format!("coldtrail hunt -a {} -f json", heading.archive)),
    }
}

/// A finding in a line.
fn brief(found: &Found, place: usize, rule: Option<&Rule>) -> Finding {
    let mut others: Vec<Named> = things(found).into_iter().filter_map(named).collect();
    let more_things = others.len().saturating_sub(NAMED) as u64;
    others.truncate(NAMED);
    others.shrink_to_fit();
    let differs = |own: &[String], of_rule: Option<&Vec<String>>| {
        let same = of_rule.is_some_and(|of_rule| of_rule == own);
        (!same).then(|| own.to_vec())
    };
    Finding {
        number: found.number,
        rule: place,
        title: rule
            .is_none_or(|rule| rule.name != found.title)
            .then(|| shortened(&found.title, LONG)),
        severity: found.severity.name(),
        tactics: differs(&found.tactics, rule.map(|rule| &rule.tactics)),
        techniques: differs(&found.techniques, rule.map(|rule| &rule.techniques)),
        first: seconds(&found.first),
        at: None,
        last: found.last.as_deref().map(seconds),
        users: Vec::new(),
        more_users: 0,
        more_things,
        things: others,
        records: found.evidence.len() as u64,
        sheet: None,
    }
}

/// A thing beside accounts as a report names it.
fn named(thing: Thing) -> Option<Named> {
    let (kind, name) = match thing {
        Thing::User(_) => return None,
        Thing::Address(address) => ("IP".into(), address),
        Thing::Url(url) => ("URL".into(), url),
        Thing::File(file) => {
            let hash = file.hash.map(|(_, value)| value);
            let name = file.name.or(file.folder).or(hash);
            ("File".into(), name.unwrap_or_default())
        }
        Thing::Application(name) => ("CloudApplication".into(), name),
        Thing::Device(name) => ("Host".into(), name),
        Thing::Mailbox(name) => ("Mailbox".into(), name),
        Thing::Other(kind, _, value) => (kind, value),
    };
    let name = shortened(&name, LONG);
    Some(Named { kind, name })
}

/// All that is known of a finding, and how many bytes of JSON that is, roughly.
fn sheet(found: &Found, said: &HashMap<(i64, i64), &str>) -> (Sheet, usize) {
    let entity = |entity: &hunt::Entity| Entity {
        kind: entity.kind.clone(),
        identifier: entity.identifier.clone(),
        value: shortened(&entity.value, LONG),
    };
    // What an entity says is not said twice.
    let is_said = |name: &String| {
        let value = found.details.get(name).and_then(Value::as_str);
        value.is_some_and(|value| found.entities.iter().any(|e| e.value == value))
    };
    let row = found.details.iter().filter(|entry| !is_said(entry.0));
    let row = row.map(|(name, value)| (name, detail(value, found.times.contains(name))));
    let custom = found.custom_details.iter();
    let custom = custom.map(|(name, values)| (name, values.join(", ")));
    let properties = found.properties.iter();
    let properties = properties.map(|(name, value)| (name, value.clone()));
    let details = row
        .chain(custom)
        .chain(properties)
        .map(|(name, value)| Detail {
            name: name.clone(),
            value: shortened(&value, LONG_DETAIL),
        });
    let evidence = found.evidence.iter().take(LOOKED_UP).map(|of| Evidence {
        ingest: of.ingest,
        record: of.record,
        table: of.table.clone(),
        time: seconds(&of.time),
        event_id: of.event_id.clone(),
        said: said
            .get(&(of.ingest, of.record))
            .map(|said| (*said).to_string()),
    });
    let description = found.description.as_deref();
    let sheet = Sheet {
        description: description.map(|text| shortened(text, LONG_DETAIL)),
        entities: found.entities.iter().take(ENTITIES).map(entity).collect(),
        more_entities: found.entities.len().saturating_sub(ENTITIES) as u64,
        details: details.collect(),
        evidence: evidence.collect(),
        no_evidence: found.no_evidence,
    };
    let entities = sheet.entities.iter();
    let entities = entities.map(|e| e.kind.len() + e.identifier.len() + e.value.len() + MEMBER);
    let details = sheet.details.iter();
    let details = details.map(|d| d.name.len() + d.value.len() + MEMBER);
    let evidence = sheet.evidence.iter().map(|e| {
        let said = e.said.as_deref().map_or(0, str::len);
        e.table.len() + e.time.len() + e.event_id.len() + said + 2 * MEMBER
    });
    let description = sheet.description.as_deref().map_or(0, str::len);
    let bytes = entities.sum::<usize>() + details.sum::<usize>() + evidence.sum::<usize>();
    (sheet, bytes + description + MEMBER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_findings_are_read_in_every_zone() {
        let utc = micros("2026-05-20T19:40:05Z");
        assert_eq!(utc, Some(1_779_306_005_000_000));
        assert_eq!(micros("2026-05-20T21:40:05.000+02:00"), utc);
        assert_eq!(micros(""), None);
    }

    #[test]
    fn severities_stand_in_the_order_of_all() {
        assert_eq!(Severity::ALL.map(place_of), [0, 1, 2, 3]);
    }
}
