//! What a finding names.

use serde_json::Value;
use uuid::Uuid;

use super::observable::Observable;
use super::sighting::Sighting;
use crate::case::{Thing, things};
use crate::hunt::Finding;
use crate::ingest::time;
use crate::rules::Severity;
use crate::text::address;

/// What findings name. Their times must not have been moved to a zone.
pub fn of_findings(findings: &[Finding]) -> impl Iterator<Item = Sighting> {
    findings.iter().map(sighting)
}

/// A finding, and what it names.
fn sighting(finding: &Finding) -> Sighting {
    let time = |text: &str| time::iso(text.as_bytes());
    let first = time(&finding.first);
    Sighting {
        what: match finding.title.is_empty() {
            true => finding.rule.clone(),
            false => finding.title.clone(),
        },
        times: 1,
        severity: finding.severity,
        confidence: Some(confidence(finding)),
        first,
        last: finding.last.as_deref().and_then(time).or(first),
        tactics: finding.tactics.clone(),
        techniques: finding.techniques.clone(),
        properties: properties(finding),
        observables: observables(things(finding)),
    }
}

/// How sure a finding is, up to 100: what its row says, else what its severity stands for. A rule that is worth a high severity is seldom wrong.
fn confidence(finding: &Finding) -> u8 {
    let said = |name: &str| finding.properties.get(name).map(String::as_str);
    let score = said("ConfidenceScore").and_then(|text| text.trim().parse::<f64>().ok());
    if let Some(score) = score.filter(|score| (0.0..=100.0).contains(score)) {
        // Sentinel's score is a share; others write a percentage.
        let percent = if score <= 1.0 { score * 100.0 } else { score };
        return percent.round() as u8;
    }
    let level = said("ConfidenceLevel").unwrap_or_default();
    match (level.to_ascii_lowercase().as_str(), finding.severity) {
        ("high", _) => 90,
        ("medium", _) => 60,
        ("low", _) => 30,
        (_, Severity::High) => 80,
        (_, Severity::Medium) => 60,
        (_, Severity::Low) => 40,
        (_, Severity::Informational) => 20,
    }
}

/// All that a finding says.
fn properties(finding: &Finding) -> Vec<(String, String)> {
    let mut all = vec![
        ("Rule".to_string(), finding.rule.clone()),
        ("Title".to_string(), finding.title.clone()),
        ("Severity".to_string(), finding.severity.name().to_string()),
        ("First".to_string(), finding.first.clone()),
    ];
    let mut more = |name: &str, value: String| all.push((name.to_string(), value));
    if let Some(last) = &finding.last {
        more("Last", last.clone());
    }
    for tactic in &finding.tactics {
        more("Tactic", tactic.clone());
    }
    for technique in &finding.techniques {
        more("Technique", technique.clone());
    }
    for (name, value) in &finding.details {
        more(
            name,
            match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        );
    }
    for (name, value) in &finding.properties {
        more(name, value.clone());
    }
    all.retain(|(_, value)| !value.is_empty());
    all
}

/// What the things are that a finding is about. Devices are none of it: a name of a device says nothing outside of its organisation.
fn observables(things: Vec<Thing>) -> Vec<Observable> {
    // Anybody may call an application as they like: where its id is known, that counts.
    let has_id = things.iter().any(is_application_id);
    let mut found = Vec::new();
    for thing in things {
        match thing {
            Thing::User(name) | Thing::Mailbox(name) => found.extend(Observable::account(&name)),
            Thing::Address(text) => found.extend(address::parse(&text).map(Observable::Address)),
            Thing::Url(text) => found.push(Observable::Url(text)),
            Thing::File(file) => {
                found.extend(file.name.as_deref().and_then(Observable::file));
                found.extend(file.hash.and_then(|(_, value)| Observable::hash(&value)));
            }
            Thing::Application(name) => {
                if !has_id || Uuid::try_parse(&name).is_ok() {
                    found.push(Observable::Application(name));
                }
            }
            Thing::Other(kind, identifier, value)
                if kind == "DNS" && identifier == "DomainName" =>
            {
                found.extend(Observable::domain(&value));
            }
            Thing::Device(_) | Thing::Other(..) => {}
        }
    }
    found
}

fn is_application_id(thing: &Thing) -> bool {
    matches!(thing, Thing::Application(name) if Uuid::try_parse(name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::observable::Algorithm;
    use super::*;
    use crate::case::things::File;

    #[test]
    fn things_become_what_may_be_watched_for() {
        const APP: &str = "0a0a0a0a-0000-4000-8000-00000000000a";
        let file = |name: &str, hash: Option<&str>| {
            Thing::File(File {
                name: Some(name.into()),
                folder: Some("https://contoso.sharepoint.com/a".into()),
                hash: hash.map(|value| ("SHA256".into(), value.into())),
            })
        };
        let hash = "a".repeat(64);
        let found = observables(vec![
            Thing::User("eve@fabrikam.com".into()),
            Thing::Address("203.0.113.9:443".into()),
            Thing::Address("unknown".into()),
            file("Plan.docx", Some(&hash)),
            Thing::Application("Microsoft Teams".into()),
            Thing::Application(APP.into()),
            Thing::Url("https://example.org/x".into()),
            Thing::Device("WS-1".into()),
            Thing::Other(
                "DNS".into(),
                "DomainName".into(),
                "Evil.Example.org.".into(),
            ),
        ]);
        assert_eq!(
            found,
            [
                Observable::Account("eve@fabrikam.com".into()),
                Observable::Address("203.0.113.9".parse().expect("an address")),
                Observable::File("Plan.docx".into()),
                Observable::Hash(Algorithm::Sha256, hash),
                Observable::Application(APP.into()),
                Observable::Url("https://example.org/x".into()),
                Observable::Domain("evil.example.org".into()),
            ]
        );
        let named = observables(vec![Thing::Application("Sync".into())]);
        assert_eq!(named, [Observable::Application("Sync".into())]);
    }
}
