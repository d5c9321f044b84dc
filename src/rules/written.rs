//! A rule as a file of coldtrail's own: a header in `//` lines, and the query in KQL.

use serde_json::{Value, json};

use super::model::{EventGrouping, Incidents, Kind, Rule, Schedule, Test};
use super::span::short;
use crate::sigma::Conversion;

/// The file. Of a rule in Sigma, its conversion says which entities its rows have and how far it looks back.
pub fn as_kql(rule: &Rule, query: &str, conversion: Option<&Conversion>) -> String {
    let mut out = String::new();
    for (key, value) in header(rule, conversion) {
        // JSON is YAML: a value stays on its line, whatever is in it.
        out.push_str(&format!("// {key}: {value}\n"));
    }
    let query = match own_header(query) {
        Some(end) => &query[end..],
        None => query,
    };
    out + query.trim_end() + "\n"
}

/// Where the query behind a header in `//` lines begins, where it has one: the header is written anew.
fn own_header(query: &str) -> Option<usize> {
    let is_comment = |line: &&str| line.starts_with("//");
    let lines: Vec<&str> = query.split_inclusive('\n').take_while(is_comment).collect();
    let begins = |key: &str| {
        let mut texts = lines
            .iter()
            .map(|line| line.trim_start_matches('/').trim_start());
        texts.any(|text| text.starts_with(key))
    };
    (begins("id:") && begins("name:")).then(|| lines.iter().map(|line| line.len()).sum())
}

fn header(rule: &Rule, conversion: Option<&Conversion>) -> Vec<(&'static str, Value)> {
    let (frequency, period) = match rule.schedule {
        Schedule::Every { frequency, period } => (Some(frequency), Some(period)),
        Schedule::ByHand { period } => (None, period),
        Schedule::NearRealTime => (None, None),
    };
    let period = period.or(conversion.and_then(|c| c.seconds));
    let kind = match rule.kind {
        Kind::Nrt => json!("NRT"),
        Kind::Hunting => json!("Hunting"),
        Kind::Scheduled | Kind::CustomDetection | Kind::Sigma => Value::Null,
    };
    let trigger = |value: Value| match rule.trigger.is_any() {
        true => Value::Null,
        false => value,
    };
    let grouping = match rule.event_grouping {
        EventGrouping::SingleAlert => Value::Null,
        kind => json!({"aggregationKind": kind}),
    };
    let suppressed = match rule.suppression {
        Some(_) => Value::Bool(true),
        None => Value::Null,
    };
    let enabled = match rule.enabled {
        true => Value::Null,
        false => Value::Bool(false),
    };
    let settings = [
        ("id", json!(rule.id)),
        ("name", json!(rule.name)),
        ("kind", kind),
        ("enabled", enabled),
        ("version", json!(rule.version)),
        ("status", json!(rule.status)),
        ("severity", json!(rule.severity)),
        ("description", json!(rule.description)),
        ("tactics", json!(rule.tactics)),
        ("relevantTechniques", json!(rule.techniques)),
        ("queryFrequency", json!(frequency.map(short))),
        ("queryPeriod", json!(period.map(short))),
        (
            "triggerOperator",
            trigger(json!(rule.trigger.operator.name())),
        ),
        ("triggerThreshold", trigger(json!(rule.trigger.threshold))),
        ("entityMappings", entities(rule, conversion)),
        ("eventGroupingSettings", grouping),
        ("suppressionEnabled", suppressed),
        ("suppressionDuration", json!(rule.suppression.map(short))),
        ("alertDetailsOverride", details(rule)),
        ("customDetails", json!(rule.custom_details)),
        ("incidentConfiguration", incidents(rule)),
        ("watchlists", watchlists(rule)),
        ("unjudged", unjudged(rule)),
        ("falsePositives", json!(rule.false_positives)),
        ("references", json!(rule.references)),
        ("parameters", parameters(rule)),
        ("tests", rule.tests.iter().map(test).collect()),
    ];
    let settings = settings.into_iter();
    settings.filter(|(_, value)| says(value)).collect()
}

/// Whether a setting says something.
fn says(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// A map of what says something.
fn said<const N: usize>(settings: [(&str, Value); N]) -> Value {
    let settings = settings.into_iter().filter(|(_, value)| says(value));
    Value::Object(settings.map(|(key, value)| (key.into(), value)).collect())
}

fn details(rule: &Rule) -> Value {
    let details = &rule.alert_details;
    let dynamic = details.dynamic_properties.iter();
    let dynamic = dynamic.map(|p| json!({"alertProperty": p.property, "value": p.column}));
    said([
        ("alertDisplayNameFormat", json!(details.name_format)),
        ("alertDescriptionFormat", json!(details.description_format)),
        ("alertTacticsColumnName", json!(details.tactics_column)),
        ("alertSeverityColumnName", json!(details.severity_column)),
        ("alertDynamicProperties", dynamic.collect()),
    ])
}

fn incidents(rule: &Rule) -> Value {
    if rule.incidents == Incidents::default() {
        return Value::Null;
    }
    let grouping = rule.incidents.grouping.as_ref().map(|grouping| {
        said([
            ("enabled", json!(true)),
            ("reopenClosedIncident", json!(grouping.reopen_closed)),
            ("lookbackDuration", json!(short(grouping.lookback))),
            ("matchingMethod", json!(grouping.method)),
            ("groupByEntities", json!(grouping.by_entities)),
            ("groupByAlertDetails", json!(grouping.by_alert_details)),
            ("groupByCustomDetails", json!(grouping.by_custom_details)),
        ])
    });
    said([
        ("createIncident", json!(rule.incidents.create)),
        ("groupingConfiguration", json!(grouping)),
    ])
}

fn watchlists(rule: &Rule) -> Value {
    let needs = rule.watchlists.iter().map(|(name, need)| {
        let need = json!({"required": need.required, "columns": need.columns});
        (name.clone(), need)
    });
    Value::Object(needs.collect())
}

/// Their values stand in the query.
fn parameters(rule: &Rule) -> Value {
    let parameters = rule.parameters.iter().map(|parameter| {
        let said = json!({"description": parameter.description});
        (parameter.name.clone(), said)
    });
    Value::Object(parameters.collect())
}

fn unjudged(rule: &Rule) -> Value {
    let Some(unjudged) = &rule.unjudged else {
        return Value::Null;
    };
    said([
        ("what", json!(unjudged.what)),
        ("watchlist", json!(unjudged.watchlist)),
        ("query", json!(unjudged.query)),
    ])
}

fn test(test: &Test) -> Value {
    let events = test.events.iter().map(|event| {
        let repeat = event.repeat.as_ref();
        said([
            ("table", json!(event.table)),
            ("record", event.record.clone()),
            (
                "repeat",
                repeat.map_or(Value::Null, |r| json!({"count": r.count, "every": r.every})),
            ),
        ])
    });
    let mut settings = json!({
        "name": test.name,
        "events": events.collect::<Value>(),
        "finds": test.finds,
    });
    if !test.watchlists.is_empty() {
        settings["watchlists"] = json!(test.watchlists);
    }
    settings
}

fn entities(rule: &Rule, conversion: Option<&Conversion>) -> Value {
    let own = rule.entities.iter().map(|mapping| {
        let fields = mapping.field_mappings.iter();
        let fields =
            fields.map(|f| json!({"identifier": f.identifier, "columnName": f.column_name}));
        json!({"entityType": mapping.entity_type, "fieldMappings": fields.collect::<Value>()})
    });
    let found = conversion
        .into_iter()
        .flat_map(|c| &c.entities)
        .map(|entity| {
            json!({
                "entityType": entity.kind,
                "fieldMappings": [{"identifier": entity.identifier, "columnName": entity.column}],
            })
        });
    own.chain(found).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fields::Notes;
    use super::super::own;
    use super::*;

    const OWN: &str = r#"/*
id: all
name: "Everything: said"
severity: High
description: "Two\nlines"
enabled: false
version: 1.2.3
tactics: [Persistence]
relevantTechniques: [T1098]
queryFrequency: 1h
queryPeriod: 1d
triggerOperator: lt
triggerThreshold: 7
eventGroupingSettings: {aggregationKind: AlertPerResult}
suppressionEnabled: true
suppressionDuration: 5h
entityMappings:
  - entityType: Account
    fieldMappings: [{identifier: FullName, columnName: UserId}]
customDetails: {Who: UserId}
alertDetailsOverride:
  alertDisplayNameFormat: "By {{UserId}}"
  alertDynamicProperties: [{alertProperty: ProductName, value: Workload}]
incidentConfiguration:
  createIncident: true
  groupingConfiguration: {enabled: true, matchingMethod: Selected, groupByEntities: [Account], groupByAlertDetails: [Severity]}
watchlists:
  Labels: {required: false, columns: [Id, Name]}
unjudged: {what: "change{s}", watchlist: Labels, query: SELECT 1}
falsePositives: [Administrators]
references: ["https://learn.microsoft.com/purview"]
tests:
  - name: one
    watchlists: {Labels: [{Id: a, Name: b}]}
    events:
      - record: {CreationTime: "2026-06-01T08:00:00", RecordType: 1, Text: "a\\b: #c"}
        repeat: {count: 2, every: 1h}
    finds: 2
*/
UnifiedAuditLog
| take 1
"#;

    fn read(text: &str) -> Rule {
        let mut notes = Notes::new("r.kql");
        let rule = own::kql(text, "r", &mut notes);
        rule.unwrap_or_else(|| panic!("{:?}: {text}", notes.list))
    }

    #[test]
    fn a_rule_that_was_written_is_read_as_it_was() {
        let rule = read(OWN);
        let text = as_kql(&rule, &rule.query.text, None);
        let again = read(&text);
        assert!(again.query.text.ends_with("\nUnifiedAuditLog\n| take 1"));
        let like = |again: Rule| Rule {
            query: rule.query.clone(),
            place: rule.place.clone(),
            ..again
        };
        assert_eq!(like(again.clone()), rule);
        // Its header in lines of comments is written anew, and not twice.
        assert_eq!(as_kql(&again, &again.query.text, None), text);
    }
}
