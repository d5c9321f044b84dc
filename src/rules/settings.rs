//! The settings that all of Sentinel's formats share, and coldtrail's own header with them: schedule, trigger, entities, details, incidents.
//!
//! The published YAML and the API name a few things differently; both names are taken.

use super::document::Node;
use super::entity;
use super::fields::{Fields, Notes};
use super::model::{
    AlertDetail, DYNAMIC_PROPERTIES, DataConnector, DynamicProperty, EventGrouping, Grouping, Kind,
    Language, Lines, Matching, Operator, Query, Rule, Schedule, Severity,
};

/// Tactics, as Sentinel spells them.
const TACTICS: [&str; 17] = [
    "Reconnaissance",
    "ResourceDevelopment",
    "InitialAccess",
    "Execution",
    "Persistence",
    "PrivilegeEscalation",
    "DefenseEvasion",
    "CredentialAccess",
    "Discovery",
    "LateralMovement",
    "Collection",
    "Exfiltration",
    "CommandAndControl",
    "Impact",
    "PreAttack",
    "ImpairProcessControl",
    "InhibitResponseFunction",
];

/// Keys that say nothing to us and are no mistake.
pub(super) const SILENT: [&str; 17] = [
    "metadata",
    "tags",
    "subTechniques",
    "alertRuleTemplateName",
    "templateVersion",
    "startTimeUtc",
    "lastModifiedUtc",
    "lastUpdatedDateUTC",
    "createdDateUTC",
    "alertRulesCreatedByTemplateCount",
    "sentinelEntitiesMappings",
    "etag",
    "author",
    "references",
    "description-detailed",
    "requiredTables",
    "customVersion",
];

/// Reads everything but id, kind and query.
pub(super) fn fill(rule: &mut Rule, fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let name = fields.word("name", notes);
    rule.name = match fields.has("displayName") {
        true => fields.word("displayName", notes).or(name),
        false => name,
    }
    .unwrap_or_default();
    rule.description = fields.text("description", notes).unwrap_or_default();
    rule.description = rule.description.trim().into();
    rule.version = fields.word("version", notes);
    rule.status = fields.word("status", notes);
    rule.enabled = fields.flag("enabled", notes).unwrap_or(true);
    if let Some(severity) = severity(fields, "severity", notes) {
        rule.severity = severity;
    }
    rule.tactics = tactics(fields, "tactics", notes);
    rule.techniques = techniques(fields, &["relevantTechniques", "techniques"], notes);
    rule.schedule = schedule(rule.kind, fields, notes);
    trigger(rule, fields, notes);
    rule.suppression = suppression(fields, notes);
    rule.entities = entity::read(fields, notes);
    rule.custom_details = fields.pairs("customDetails", notes).into_iter().collect();
    alert_details(rule, fields, notes);
    incidents(rule, fields, notes);
    rule.data_connectors = data_connectors(fields, notes);
}

/// The text of a query, with its place.
pub(super) fn query(
    fields: &mut Fields<'_>,
    key: &str,
    source: &str,
    notes: &mut Notes<'_>,
) -> Option<Query> {
    let at = fields.place(key);
    let node = fields.get(key, notes);
    match node.map(|node| (node, node.text())) {
        Some((node, Some(text))) if !text.trim().is_empty() => {
            let mut query = Query::new(Language::Kql, text.trim_end());
            query.lines = node.lines(source);
            shift(&mut query, notes.skipped);
            Some(query)
        }
        Some((node, None)) => {
            let kind = node.kind();
            notes.error(node.at, format!("`{key}` must be a text and is {kind}"));
            None
        }
        _ => {
            notes.error(at, format!("no query in `{key}`"));
            None
        }
    }
}

fn shift(query: &mut Query, by: usize) {
    match &mut query.lines {
        Lines::Each { first: line, .. } | Lines::Somewhere { line, .. } => *line += by,
    }
}

/// A severity by its name, in any case.
pub fn severity_of(text: &str) -> Option<Severity> {
    Severity::ALL
        .into_iter()
        .find(|severity| severity.name().eq_ignore_ascii_case(text.trim()))
}

pub(super) fn severity(
    fields: &mut Fields<'_>,
    key: &str,
    notes: &mut Notes<'_>,
) -> Option<Severity> {
    let node = fields.get(key, notes)?;
    let text = node.text().unwrap_or_default();
    let found = severity_of(text);
    if found.is_none() {
        let message = format!("{key} `{text}` is none of High, Medium, Low and Informational");
        notes.error(node.at, message);
    }
    found
}

/// A tactic as Sentinel spells it: `Initial access` and `initial-access` are `InitialAccess`.
pub fn tactic(text: &str) -> Option<&'static str> {
    let wanted = letters(text);
    let known = TACTICS.into_iter().find(|tactic| letters(tactic) == wanted);
    match wanted.as_str() {
        // What ATT&CK made of it in 2026; Sentinel has the one tactic.
        "stealth" | "defenseimpairment" => Some("DefenseEvasion"),
        _ => known,
    }
}

fn letters(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphabetic);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

fn tactics(fields: &mut Fields<'_>, key: &str, notes: &mut Notes<'_>) -> Vec<String> {
    let at = fields.place(key);
    let mut found: Vec<String> = Vec::new();
    for text in fields.texts(key, notes) {
        for one in text.split(',').map(str::trim).filter(|t| !t.is_empty()) {
            let name = tactic(one).map_or_else(
                || {
                    notes.warning(at, format!("`{one}` is no tactic that Sentinel knows"));
                    one.to_string()
                },
                String::from,
            );
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

/// Whether a text is the number of a technique: `T1078`, `T1078.004`.
pub fn is_technique(text: &str) -> bool {
    let digits =
        |text: &str, many: usize| text.len() == many && text.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix('T')
        .is_some_and(|number| match number.split_once('.') {
            Some((number, sub)) => digits(number, 4) && digits(sub, 3),
            None => digits(number, 4),
        })
}

/// Techniques below any of the keys.
pub(super) fn techniques(
    fields: &mut Fields<'_>,
    keys: &[&str],
    notes: &mut Notes<'_>,
) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for key in keys
        .iter()
        .filter(|key| fields.has(key))
        .collect::<Vec<_>>()
    {
        let at = fields.place(key);
        for text in fields.texts(key, notes) {
            let name = text.trim().to_ascii_uppercase();
            if !is_technique(&name) {
                notes.warning(
                    at,
                    format!("`{name}` is no technique such as T1078 or T1078.004"),
                );
            }
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

fn schedule(kind: Kind, fields: &mut Fields<'_>, notes: &mut Notes<'_>) -> Schedule {
    let frequency = fields.seconds("queryFrequency", notes);
    let period = fields.seconds("queryPeriod", notes);
    match (kind, frequency, period) {
        (Kind::Nrt, ..) => Schedule::NearRealTime,
        (_, Some(frequency), Some(period)) => Schedule::Every { frequency, period },
        (_, _, period) => Schedule::ByHand { period },
    }
}

fn trigger(rule: &mut Rule, fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if let Some(node) = fields.get("triggerOperator", notes) {
        let text = node.text().unwrap_or_default();
        match operator(text) {
            Some(operator) => rule.trigger.operator = operator,
            None => {
                let message = format!("triggerOperator `{text}` is none of gt, lt, eq and ne");
                notes.error(node.at, message);
            }
        }
    }
    if let Some(threshold) = fields.number("triggerThreshold", notes) {
        rule.trigger.threshold = threshold;
    }
    let Some(mut grouping) = fields.map("eventGroupingSettings", notes) else {
        return;
    };
    if let Some(node) = grouping.get("aggregationKind", notes) {
        let text = node.text().unwrap_or_default();
        let kinds = [EventGrouping::SingleAlert, EventGrouping::AlertPerResult];
        let found = kinds
            .into_iter()
            .find(|kind| format!("{kind:?}").eq_ignore_ascii_case(text));
        match found {
            Some(kind) => rule.event_grouping = kind,
            None => {
                let message =
                    format!("aggregationKind `{text}` is neither SingleAlert nor AlertPerResult");
                notes.error(node.at, message);
            }
        }
    }
    grouping.finish("eventGroupingSettings", &[], notes);
}

fn operator(text: &str) -> Option<Operator> {
    Some(match text.trim().to_ascii_lowercase().as_str() {
        "gt" | "greaterthan" => Operator::GreaterThan,
        "lt" | "lessthan" => Operator::LessThan,
        "eq" | "equal" => Operator::Equal,
        "ne" | "notequal" => Operator::NotEqual,
        _ => return None,
    })
}

fn suppression(fields: &mut Fields<'_>, notes: &mut Notes<'_>) -> Option<u64> {
    let enabled = fields.flag("suppressionEnabled", notes).unwrap_or(false);
    let at = fields.place("suppressionEnabled");
    let duration = fields.seconds("suppressionDuration", notes);
    if enabled && duration.is_none() {
        notes.error(at, "suppressionEnabled without suppressionDuration");
    }
    duration.filter(|_| enabled)
}

fn alert_details(rule: &mut Rule, fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let Some(mut map) = fields.map("alertDetailsOverride", notes) else {
        return;
    };
    let details = &mut rule.alert_details;
    details.name_format = map.word("alertDisplayNameFormat", notes);
    details.description_format = map.word("alertDescriptionFormat", notes);
    details.tactics_column = map.word("alertTacticsColumnName", notes);
    details.severity_column = map.word("alertSeverityColumnName", notes);
    for node in map.list("alertDynamicProperties", notes) {
        let Some(mut property) = Fields::of(node, "a dynamic property", notes) else {
            continue;
        };
        match (
            property.word("alertProperty", notes),
            property.word("value", notes),
        ) {
            (Some(name), Some(column)) => {
                let known = entity::spelled(&name, &DYNAMIC_PROPERTIES);
                if known.is_none() {
                    let message = format!("`{name}` is no property of an alert");
                    notes.warning(node.at, message);
                }
                details.dynamic_properties.push(DynamicProperty {
                    property: known.map_or(name, String::from),
                    column,
                });
            }
            _ => notes.error(
                node.at,
                "a dynamic property needs an alertProperty and a value",
            ),
        }
        property.finish("a dynamic property", &[], notes);
    }
    map.finish("alertDetailsOverride", &[], notes);
}

fn incidents(rule: &mut Rule, fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let Some(mut map) = fields.map("incidentConfiguration", notes) else {
        return;
    };
    rule.incidents.create = map.flag("createIncident", notes).unwrap_or(true);
    if let Some(grouping) = map.map("groupingConfiguration", notes) {
        rule.incidents.grouping = self::grouping(grouping, notes);
    }
    map.finish("incidentConfiguration", &[], notes);
}

/// The grouping of alerts, where it is switched on.
fn grouping(mut map: Fields<'_>, notes: &mut Notes<'_>) -> Option<Grouping> {
    let enabled = map.flag("enabled", notes).unwrap_or(false);
    let mut grouping = Grouping {
        reopen_closed: map.flag("reopenClosedIncident", notes).unwrap_or(false),
        lookback: map
            .seconds("lookbackDuration", notes)
            .unwrap_or(Grouping::DEFAULT_LOOKBACK),
        method: Matching::AllEntities,
        by_entities: Vec::new(),
        by_alert_details: Vec::new(),
        by_custom_details: Vec::new(),
    };
    if let Some(node) = map.get("matchingMethod", notes) {
        let text = node.text().unwrap_or_default();
        let methods = [
            Matching::AllEntities,
            Matching::AnyAlert,
            Matching::Selected,
        ];
        let found = methods
            .into_iter()
            .find(|method| format!("{method:?}").eq_ignore_ascii_case(text));
        match found {
            Some(method) => grouping.method = method,
            None => {
                let message = format!(
                    "matchingMethod `{text}` is none of AllEntities, AnyAlert and Selected"
                );
                notes.error(node.at, message);
            }
        }
    }
    let at = map.place("groupByEntities");
    for name in map.texts("groupByEntities", notes) {
        let name = entity::kind(name, at, notes);
        grouping.by_entities.push(name);
    }
    let at = map.place("groupByAlertDetails");
    for name in map.texts("groupByAlertDetails", notes) {
        match name.to_ascii_lowercase().as_str() {
            "displayname" => grouping.by_alert_details.push(AlertDetail::DisplayName),
            "severity" => grouping.by_alert_details.push(AlertDetail::Severity),
            _ => {
                let message =
                    format!("groupByAlertDetails: `{name}` is neither DisplayName nor Severity");
                notes.error(at, message);
            }
        }
    }
    grouping.by_custom_details = map.texts("groupByCustomDetails", notes);
    map.finish("groupingConfiguration", &["groupingEnabled"], notes);
    enabled.then_some(grouping)
}

/// What it needs is said for people, and in several shapes: nothing of it is a mistake.
fn data_connectors(fields: &mut Fields<'_>, notes: &mut Notes<'_>) -> Vec<DataConnector> {
    let Some(node) = fields.get("requiredDataConnectors", notes) else {
        return Vec::new();
    };
    let one = std::slice::from_ref(node);
    let nodes: &[Node] = match node.items() {
        [] => one,
        items => items,
    };
    let connectors = nodes.iter().filter_map(|node| {
        Some(DataConnector {
            id: node.get("connectorId")?.text()?.to_string(),
            data_types: node.get("dataTypes").map_or_else(Vec::new, |types| {
                let texts = types.items().iter().filter_map(Node::text);
                texts.map(String::from).collect()
            }),
        })
    });
    connectors.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tactics_are_found_in_every_spelling() {
        for (text, want) in [
            ("InitialAccess", Some("InitialAccess")),
            ("Initial access", Some("InitialAccess")),
            ("command-and-control", Some("CommandAndControl")),
            ("CommandandControl", Some("CommandAndControl")),
            ("defense_evasion", Some("DefenseEvasion")),
            ("Ransomware", None),
        ] {
            assert_eq!(tactic(text), want, "{text}");
        }
    }

    #[test]
    fn techniques_have_four_digits_and_three_more() {
        for text in ["T1078", "T1078.004"] {
            assert!(is_technique(text), "{text}");
        }
        for text in ["", "T107", "1078", "T1078.4", "T1078.", "TA0001", "Té78"] {
            assert!(!is_technique(text), "{text}");
        }
    }
}
