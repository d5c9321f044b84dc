//! A rule as data, for programs and for `rules show`.

use serde_json::{Map, Value, json};

use crate::rules::{Rule, Schedule, short};

/// Everything that a rule says, in Sentinel's words where it has them. What it does not say is left out.
pub(in crate::cli) fn rule(rule: &Rule) -> Value {
    let trigger = format!(
        "{} {}",
        rule.trigger.operator.name(),
        rule.trigger.threshold
    );
    let watchlists: Vec<&String> = rule.watchlists.keys().collect();
    said([
        ("id", json!(rule.id)),
        ("name", json!(rule.name)),
        ("kind", json!(rule.kind)),
        ("language", json!(rule.query.language)),
        ("file", json!(rule.place.file)),
        ("rule", json!(rule.place.number)),
        ("line", json!(rule.place.line)),
        ("enabled", json!(rule.enabled)),
        ("version", json!(rule.version)),
        ("status", json!(rule.status)),
        ("severity", json!(rule.severity)),
        ("tactics", json!(rule.tactics)),
        ("techniques", json!(rule.techniques)),
        ("description", json!(rule.description)),
        ("queryFrequency", json!(frequency(rule.schedule))),
        ("queryPeriod", json!(rule.schedule.period().map(short))),
        ("trigger", json!(trigger)),
        ("eventGrouping", json!(rule.event_grouping)),
        ("suppressionDuration", json!(rule.suppression.map(short))),
        ("entityMappings", entities(rule)),
        ("impactedAssets", impacted(rule)),
        ("customDetails", json!(rule.custom_details)),
        ("alertDetailsOverride", alert_details(rule)),
        ("incidents", incidents(rule)),
        ("requiredDataConnectors", connectors(rule)),
        ("watchlists", json!(watchlists)),
        ("parameters", parameters(rule)),
        ("falsePositives", json!(rule.false_positives)),
        ("references", json!(rule.references)),
        ("tests", json!(rule.tests.len())),
        ("query", json!(rule.query.text.as_str())),
    ])
}

/// A map of what says something.
fn said<const N: usize>(settings: [(&str, Value); N]) -> Value {
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    let settings = settings.into_iter().filter(|(_, value)| says(value));
    Value::Object(settings.map(|(key, value)| (key.into(), value)).collect())
}

fn frequency(schedule: Schedule) -> Option<String> {
    match schedule {
        Schedule::ByHand { .. } => None,
        Schedule::Every { frequency, .. } => Some(short(frequency)),
        Schedule::NearRealTime => Some("near real time".into()),
    }
}

/// Names and columns.
fn columns<'c>(pairs: impl Iterator<Item = (&'c String, &'c String)>) -> Value {
    let pairs = pairs.map(|(name, column)| (name.clone(), Value::from(column.as_str())));
    Value::Object(pairs.collect::<Map<String, Value>>())
}

fn entities(rule: &Rule) -> Value {
    let mappings = rule.entities.iter().map(|mapping| {
        let fields = mapping.field_mappings.iter();
        let fields = columns(fields.map(|f| (&f.identifier, &f.column_name)));
        json!({"type": mapping.entity_type, "fields": fields})
    });
    mappings.collect()
}

fn impacted(rule: &Rule) -> Value {
    let assets = rule
        .impacted
        .iter()
        .map(|asset| json!({"kind": asset.kind, "column": asset.column}));
    assets.collect()
}

fn alert_details(rule: &Rule) -> Value {
    let details = &rule.alert_details;
    let dynamic = details.dynamic_properties.iter();
    said([
        ("name", json!(details.name_format)),
        ("description", json!(details.description_format)),
        ("tacticsColumn", json!(details.tactics_column)),
        ("severityColumn", json!(details.severity_column)),
        (
            "dynamicProperties",
            columns(dynamic.map(|p| (&p.property, &p.column))),
        ),
    ])
}

fn incidents(rule: &Rule) -> Value {
    let grouping = rule.incidents.grouping.as_ref().map(|grouping| {
        said([
            ("matchingMethod", json!(grouping.method)),
            ("lookbackDuration", json!(short(grouping.lookback))),
            ("reopenClosedIncident", json!(grouping.reopen_closed)),
            ("groupByEntities", json!(grouping.by_entities)),
            ("groupByAlertDetails", json!(grouping.by_alert_details)),
            ("groupByCustomDetails", json!(grouping.by_custom_details)),
        ])
    });
    said([
        ("createIncident", json!(rule.incidents.create)),
        ("grouping", json!(grouping)),
    ])
}

/// Each with what it runs with.
fn parameters(rule: &Rule) -> Value {
    let parameters = rule.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "description": parameter.description,
            "type": parameter.default.kind(),
            "default": parameter.default.json(),
            "value": parameter.value().json(),
        })
    });
    parameters.collect()
}

fn connectors(rule: &Rule) -> Value {
    let connectors = rule
        .data_connectors
        .iter()
        .map(|c| json!({"connectorId": c.id, "dataTypes": c.data_types}));
    connectors.collect()
}
