//! Indicators as objects of STIX 2.1.
//!
//! One bundle for whatever reads STIX, a list as Sentinel imports it from a file, or bodies of requests as its upload takes them. Ids are made of
//! what is watched for, so that another run updates an object and adds none. STIX has no property for a severity (its schema forbids one of that
//! name): it is a label.

use serde_json::{Map, Value, json};

use super::indicator::Indicator;
use super::moments::millis;
use super::observable::id_of;
use super::terms::Terms;
use crate::rules::{Severity, is_technique};
use crate::text::safe::{harmless, json_text};

/// Objects of a request at most, by the documentation of the upload.
pub const PIECE: usize = 100;

/// All indicators as one bundle.
pub fn bundle(indicators: &[Indicator], terms: &Terms) -> String {
    let objects = objects(indicators, terms);
    let mut bundle = Map::new();
    bundle.insert("type".into(), "bundle".into());
    // Equal bundles have equal ids.
    let id = id_of(&Value::from(objects.clone()).to_string());
    bundle.insert("id".into(), format!("bundle--{id}").into());
    // A list of objects is not empty where it is there.
    if !objects.is_empty() {
        bundle.insert("objects".into(), objects.into());
    }
    written(&bundle.into())
}

/// The same as a list of objects, without a bundle around them.
pub fn list(indicators: &[Indicator], terms: &Terms) -> String {
    written(&objects(indicators, terms).into())
}

fn written(document: &Value) -> String {
    let mut text = harmless(&format!("{document:#}"));
    text.push('\n');
    text
}

/// The same as bodies of requests, each with as many objects as one may have; they are said to be of this source.
pub fn pieces(indicators: &[Indicator], terms: &Terms, source: &str) -> Vec<String> {
    let body = |some: &[Indicator]| {
        let body = json!({"sourcesystem": source, "stixobjects": objects(some, terms)});
        format!("{}\n", json_text(&body))
    };
    indicators.chunks(PIECE).map(body).collect()
}

fn objects(indicators: &[Indicator], terms: &Terms) -> Vec<Value> {
    let indicators = indicators.iter();
    indicators.map(|one| object(one, terms)).collect()
}

fn object(indicator: &Indicator, terms: &Terms) -> Value {
    let (from, until) = terms.span(indicator.first);
    // What is known at the moment of the archive is one version: with more events the end is another, and whoever has the older one must see that.
    let modified = terms.moment.max(from).max(indicator.last.unwrap_or(from));
    let kind = match indicator.severity {
        Severity::High => "malicious-activity",
        Severity::Medium | Severity::Low | Severity::Informational => "anomalous-activity",
    };
    let object = json!({
        "type": "indicator",
        "spec_version": "2.1",
        "id": format!("indicator--{}", indicator.observable.id()),
        "created": millis(from),
        "modified": millis(modified),
        "name": indicator.name(),
        "description": indicator.description(),
        "indicator_types": [kind],
        "pattern": indicator.observable.pattern(),
        "pattern_type": "stix",
        "valid_from": millis(from),
        "valid_until": millis(until),
        "confidence": indicator.confidence,
        "kill_chain_phases": phases(&indicator.tactics),
        "labels": labels(indicator),
        "external_references": references(&indicator.techniques),
        "object_marking_refs": [terms.tlp.marking()],
    });
    said(object)
}

/// An object without what says nothing: STIX has no empty lists and no nulls.
fn said(object: Value) -> Value {
    match object {
        Value::Object(mut members) => {
            members.retain(|_, value| match value {
                Value::Null => false,
                Value::Array(list) => !list.is_empty(),
                _ => true,
            });
            Value::Object(members)
        }
        other => other,
    }
}

fn labels(indicator: &Indicator) -> Vec<String> {
    let mut texts = indicator.label_texts();
    // Findings of several severities make one indicator; what holds for it comes first.
    let worst = format!("Severity: {}", indicator.severity.name());
    texts.retain(|text| *text != worst);
    texts.insert(0, worst);
    texts
}

/// Tactics as phases of ATT&CK's kill chain: `InitialAccess` is `initial-access`.
fn phases(tactics: &[String]) -> Vec<Value> {
    let phase = |tactic: &String| {
        let name = hyphened(tactic);
        let is_said = !name.is_empty();
        is_said.then(|| json!({"kill_chain_name": "mitre-attack", "phase_name": name}))
    };
    tactics.iter().filter_map(phase).collect()
}

/// `CommandAndControl` as `command-and-control`.
fn hyphened(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars().filter(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn references(techniques: &[String]) -> Vec<Value> {
    let known = techniques.iter().filter(|text| is_technique(text));
    let reference = |id: &String| json!({"source_name": "mitre-attack", "external_id": id});
    known.map(reference).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Allow, Documentation, Observable, Sighting, Tlp, gather};
    use super::*;

    const TERMS: Terms = Terms {
        moment: 10_000_000,
        valid_for: 5_000_000,
        tlp: Tlp::Amber,
    };

    fn made(many: usize) -> Vec<Indicator> {
        let sighting = Sighting {
            what: "Many denials".into(),
            times: 3,
            severity: Severity::Medium,
            confidence: Some(60),
            first: Some(1_500_000),
            last: Some(2_500_000),
            tactics: vec!["CommandAndControl".into()],
            techniques: vec!["T1078.004".into(), "none".into()],
            properties: vec![
                ("Rule".into(), "r".into()),
                ("Severity".into(), "Medium".into()),
            ],
            observables: (0..many)
                .map(|n| Observable::File(format!("it's {n:03}")))
                .collect(),
        };
        gather([sighting], &Allow::new(Documentation::Refused)).indicators
    }

    fn read(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn an_indicator_says_all_that_the_finding_says() {
        let text = bundle(&made(1), &TERMS);
        assert_eq!(text, bundle(&made(1), &TERMS));
        let bundle = read(&text);
        assert_eq!(bundle["objects"], read(&list(&made(1), &TERMS)));
        let id = Observable::File("it's 000".into()).id();
        assert_eq!(
            bundle["objects"],
            json!([{
                "type": "indicator",
                "spec_version": "2.1",
                "id": format!("indicator--{id}"),
                "created": "1970-01-01T00:00:01.500Z",
                "modified": "1970-01-01T00:00:10.000Z",
                "name": "Many denials: it's 000",
                "description": "Many denials (3 times, last 1970-01-01T00:00:02Z)",
                "indicator_types": ["anomalous-activity"],
                "pattern": "[file:name = 'it\\'s 000']",
                "pattern_type": "stix",
                "valid_from": "1970-01-01T00:00:01.500Z",
                "valid_until": "1970-01-01T00:00:15.000Z",
                "confidence": 60,
                "kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": "command-and-control"}],
                "labels": ["Severity: Medium", "Rule: r"],
                "external_references": [{"source_name": "mitre-attack", "external_id": "T1078.004"}],
                "object_marking_refs": ["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"],
            }])
        );
    }

    #[test]
    fn pieces_have_a_hundred_objects_at_most() {
        let pieces = pieces(&made(201), &TERMS, "our-case");
        let counts: Vec<usize> = pieces
            .iter()
            .map(|text| {
                let body = read(text);
                assert_eq!(body["sourcesystem"], "our-case");
                body["stixobjects"].as_array().map_or(0, Vec::len)
            })
            .collect();
        assert_eq!(counts, [100, 100, 1]);
    }

    #[test]
    fn nothing_found_is_a_bundle_without_objects() {
        assert_eq!(list(&[], &TERMS), "[]\n");
        let bundle = read(&bundle(&[], &TERMS));
        assert_eq!(bundle.get("objects"), None);
        assert_eq!(bundle["type"], "bundle");
        assert!(pieces(&[], &TERMS, "x").is_empty());
    }

    #[test]
    fn the_end_lies_behind_the_beginning() {
        let late = Terms {
            moment: 0,
            valid_for: 0,
            ..TERMS
        };
        let ended = read(&bundle(&made(1), &late));
        assert_eq!(
            ended["objects"][0]["valid_until"],
            "1970-01-01T00:00:01.501Z"
        );
        let mut never = made(1);
        never[0].first = Some(i64::MAX);
        let text = bundle(&never, &TERMS);
        assert!(
            text.contains("\"valid_from\": \"9999-12-31T23:59:59.998Z\""),
            "{text}"
        );
        assert!(
            text.contains("\"valid_until\": \"9999-12-31T23:59:59.999Z\""),
            "{text}"
        );
    }
}
