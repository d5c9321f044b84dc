//! What rules cover of MITRE ATT&CK, as a layer of the ATT&CK Navigator: version 4.5 of its format (`LAYERFORMATv4_5.md`, autumn 2026).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::model::Rule;
use super::settings;

/// The version of the format, and the oldest Navigator that reads it.
const VERSIONS: (&str, &str) = ("4.5", "4.9.0");

/// What rules say of ATT&CK. Those that are switched off do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Techniques, by number.
    pub techniques: BTreeMap<String, Covered>,
    /// Tactics, as Sentinel spells them, and how many rules name each.
    pub tactics: BTreeMap<String, usize>,
    /// Ids of rules that name no technique.
    pub without: BTreeSet<String>,
    /// How many rules were looked at.
    pub rules: usize,
    /// How many of them are switched off.
    pub disabled: usize,
}

/// The rules of a technique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Covered {
    /// Their names, by id.
    pub rules: BTreeMap<String, String>,
    /// The tactics that they name.
    pub tactics: BTreeSet<String>,
}

impl Coverage {
    /// Of these rules.
    pub fn of(rules: &[Rule]) -> Coverage {
        let mut coverage = Coverage {
            rules: rules.len(),
            ..Coverage::default()
        };
        for rule in rules {
            if !rule.enabled {
                coverage.disabled += 1;
                continue;
            }
            let tactics: BTreeSet<&String> = rule.tactics.iter().collect();
            for tactic in &tactics {
                *coverage.tactics.entry((*tactic).clone()).or_default() += 1;
            }
            if !rule.techniques.iter().any(|t| settings::is_technique(t)) {
                coverage.without.insert(rule.id.clone());
            }
            let known = |technique: &&String| settings::is_technique(technique);
            for technique in rule.techniques.iter().filter(known) {
                let covered = coverage.techniques.entry(technique.clone()).or_default();
                covered.rules.insert(rule.id.clone(), rule.name.clone());
                covered.tactics.extend(tactics.iter().copied().cloned());
            }
        }
        coverage
    }

    /// The layer. The score of a technique is the number of its rules.
    pub fn layer(&self, name: &str) -> Value {
        let most = self.techniques.values().map(|c| c.rules.len()).max();
        let techniques: Vec<Value> = self
            .techniques
            .iter()
            .map(|(number, covered)| technique(number, covered))
            .collect();
        let counts = [
            ("rules", self.rules),
            ("rules that are switched off", self.disabled),
            ("rules without a technique", self.without.len()),
        ];
        let counts = counts.map(|(name, count)| (name.to_string(), count));
        let tactics = self.tactics.iter();
        let tactics = tactics.map(|(tactic, count)| (format!("rules of {tactic}"), *count));
        let metadata: Vec<Value> = counts
            .into_iter()
            .chain(tactics)
            .map(|(name, count)| json!({"name": name, "value": count.to_string()}))
            .collect();
        json!({
            "name": name,
            "versions": {"layer": VERSIONS.0, "navigator": VERSIONS.1},
            "domain": "enterprise-attack",
            "description": "Rules by technique: the score is the number of rules",
            "sorting": 3,
            "layout": {"layout": "side", "showID": true, "showName": true, "expandedSubtechniques": "annotated"},
            "hideDisabled": false,
            "techniques": techniques,
            // The upper end must lie above the lower one.
            "gradient": {"colors": ["#ffffff", "#66b1ff"], "minValue": 0, "maxValue": most.unwrap_or(1)},
            "metadata": metadata,
        })
    }
}

/// A technique of the layer. It names no tactic, and so stands under each that ATT&CK gives it: a rule does not say which of its techniques
/// belongs to which of its tactics, and one that ATT&CK does not have there would not be shown at all.
fn technique(number: &str, covered: &Covered) -> Value {
    let rules = covered.rules.iter();
    let rules = rules.map(|(id, name)| json!({"name": id, "value": name}));
    let mut metadata: Vec<Value> = rules.collect();
    if !covered.tactics.is_empty() {
        let tactics: Vec<&str> = covered.tactics.iter().map(String::as_str).collect();
        metadata.push(json!({"divider": true}));
        metadata.push(json!({"name": "tactics", "value": tactics.join(", ")}));
    }
    json!({
        "techniqueID": number,
        "score": covered.rules.len(),
        "metadata": metadata,
    })
}

#[cfg(test)]
mod tests {
    use super::super::model::{Kind, Language, Query};
    use super::*;

    fn rule(id: &str, tactics: &[&str], techniques: &[&str]) -> Rule {
        let mut rule = Rule::new(id, Kind::Scheduled, Query::new(Language::Kql, "T"));
        rule.name = format!("Rule {id}");
        rule.tactics = tactics.iter().map(ToString::to_string).collect();
        rule.techniques = techniques.iter().map(ToString::to_string).collect();
        rule
    }

    #[test]
    fn the_score_of_a_technique_is_the_number_of_its_rules() {
        let mut off = rule("off", &["Impact"], &["T1485"]);
        off.enabled = false;
        let rules = [
            rule("a", &["Persistence"], &["T1098", "T1078.004"]),
            rule("b", &["Persistence", "InitialAccess"], &["T1098"]),
            rule("c", &["Impact"], &[]),
            off,
        ];
        let coverage = Coverage::of(&rules);
        assert_eq!(coverage.tactics["Persistence"], 2);
        assert_eq!((coverage.rules, coverage.disabled), (4, 1));
        assert!(coverage.without.contains("c"));
        let layer = coverage.layer("Ours");
        let found: Vec<(&Value, &Value)> = layer["techniques"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| (&one["techniqueID"], &one["score"]))
            .collect();
        assert_eq!(
            found,
            [
                (&json!("T1078.004"), &json!(1)),
                (&json!("T1098"), &json!(2))
            ]
        );
        assert_eq!(layer["gradient"]["maxValue"], 2);
        assert_eq!(layer["versions"]["layer"], "4.5");
        let names = &layer["techniques"][1]["metadata"];
        assert_eq!(names[0], json!({"name": "a", "value": "Rule a"}));
        assert_eq!(names[3]["value"], "InitialAccess, Persistence");
    }
}
