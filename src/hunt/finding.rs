//! A row of a rule as a finding.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::{Map, Value};

use super::replay::{self, ResultRow};
use super::traced::MOST_RECORDS;
use crate::catalog::{SECOND_TIME, TIME};
use crate::engine::output;
use crate::fault::Result;
use crate::function::value::Type;
use crate::rules::{AlertDetails, AssetKind, Rule, Severity};

/// Column with the time of a row's last event; where it is not there, [`TIME`] has it.
pub(super) const END_TIME: &str = "EndTime";
/// Column with the time of a group's first event, where the row has no other.
const START_TIME: &str = "StartTime";

/// Why evidence is not known.
pub(super) const NOT_KNOWN: &str =
    "not known: the query does not keep which records its rows are made of";

/// Something that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Entity {
    /// Account, IP, File, Host, …
    #[serde(rename = "type")]
    pub kind: String,
    /// FullName, Address, Name, …
    pub identifier: String,
    /// Its value.
    pub value: String,
    /// Which of the rule's mappings it is from; identifiers of one mapping are of one thing.
    #[serde(skip)]
    pub mapping: usize,
}

/// A record that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Number of the ingest.
    pub ingest: i64,
    /// Number of the record in the file, from 1.
    pub record: i64,
    /// The file.
    pub file: String,
    /// Table of the event, where it was looked up.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub table: String,
    /// Time of the event, where it was looked up.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub time: String,
    /// Identity of the event, where it was looked up.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event_id: String,
}

/// What a rule found: one row of its result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Its number in this hunt, from 1; the worst first.
    pub number: usize,
    /// Id of the rule.
    pub rule: String,
    /// Name of the rule, or what its row says in the place of that.
    pub title: String,
    /// What the row says in the place of the rule's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Time of the first event.
    pub first: String,
    /// Time of the last event, where there is a span.
    pub last: Option<String>,
    /// ATT&CK tactics.
    pub tactics: Vec<String>,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// What it is about.
    pub entities: Vec<Entity>,
    /// The row: every column that is no lineage.
    pub details: Map<String, Value>,
    /// Names of those that are times.
    #[serde(skip)]
    pub times: Vec<String>,
    /// What its rule shows of the row: names and values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_details: BTreeMap<String, Vec<String>>,
    /// Further properties that the row says: `AlertLink`, `ProductName`, …
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// Parameters of its rule that were set for this hunt, with their values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
    /// The records it rests on.
    pub evidence: Vec<Evidence>,
    /// Why these are not known, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_evidence: Option<&'static str>,
}

impl Finding {
    /// How many things it is about, of those whose entities are meant. A file with its name and its folder is one.
    pub fn things(&self, meant: impl Fn(&Entity) -> bool) -> usize {
        let mut identifiers: BTreeMap<(usize, &str), usize> = BTreeMap::new();
        for entity in self.entities.iter().filter(|e| meant(e)) {
            let key = (entity.mapping, entity.identifier.as_str());
            *identifiers.entry(key).or_default() += 1;
        }
        let mut mappings: BTreeMap<usize, usize> = BTreeMap::new();
        for ((mapping, _), values) in identifiers {
            let most = mappings.entry(mapping).or_default();
            *most = values.max(*most);
        }
        mappings.values().sum()
    }

    /// Its times as the clocks of a zone show them, each with its offset.
    pub(super) fn show_in(&mut self, zone: Tz) {
        let moved = |time: &str| output::in_zone(time, zone).into_owned();
        self.first = moved(&self.first);
        self.last = self.last.as_deref().map(moved);
        for evidence in &mut self.evidence {
            evidence.time = moved(&evidence.time);
        }
        for name in &self.times {
            if let Some(Value::String(time)) = self.details.get_mut(name) {
                *time = moved(time);
            }
        }
    }

    /// A finding without rows.
    pub(super) fn bare(rule: &Rule) -> Finding {
        Finding {
            number: 0,
            rule: rule.id.clone(),
            title: rule.name.clone(),
            description: None,
            severity: rule.severity,
            first: String::new(),
            last: None,
            tactics: rule.tactics.clone(),
            techniques: rule.techniques.clone(),
            entities: Vec::new(),
            details: Map::new(),
            times: Vec::new(),
            custom_details: BTreeMap::new(),
            properties: BTreeMap::new(),
            set: rule.set(),
            evidence: Vec::new(),
            no_evidence: None,
        }
    }

    pub(super) fn of_row(
        rule: &Rule,
        schema: &SchemaRef,
        batch: &RecordBatch,
        row: usize,
    ) -> Result<Finding> {
        let column = |name: &str| schema.index_of(name).ok().map(|i| batch.column(i));
        let text = |name: &str| -> Result<String> {
            column(name).map_or(Ok(String::new()), |c| output::cell(c, row))
        };
        // What grows ends larger than it needs to be, and there are many findings.
        let is_beside = |name: &str| name.starts_with('_') || name == TIME || name == END_TIME;
        let names = schema.fields().iter().map(|field| field.name());
        let mut details = Map::with_capacity(names.filter(|name| !is_beside(name)).count());
        let mut times = Vec::new();
        for (i, field) in schema.fields().iter().enumerate() {
            let name = field.name();
            if is_beside(name) {
                continue;
            }
            let value = output::json_of(field, batch.column(i), row)?;
            if !value.is_null() {
                details.insert(name.clone(), value);
                if output::is_time(field) {
                    times.push(name.clone());
                }
            }
        }
        let mut sources = Vec::new();
        for name in ["_Sources", "_Source"] {
            if let Some(array) = column(name) {
                sources.extend(values(array, row)?);
            }
        }
        let mut first = String::new();
        for name in [TIME, SECOND_TIME, START_TIME] {
            if first.is_empty() {
                first = text(name)?;
            }
        }
        let last = text(END_TIME)?;
        let mut entities = entities(rule, schema, batch, row)?;
        entities.shrink_to_fit();
        let mut evidence = evidence(sources);
        evidence.shrink_to_fit();
        let mut finding = Finding {
            last: (!last.is_empty() && last != first).then_some(last),
            first,
            entities,
            details,
            times,
            evidence,
            ..Finding::bare(rule)
        };
        if rule.alert_details != AlertDetails::default() || !rule.custom_details.is_empty() {
            finding.say(rule, cells(schema, batch, row)?);
        }
        Ok(finding)
    }

    /// Takes what its row says in the place of the rule.
    fn say(&mut self, rule: &Rule, cells: Map<String, Value>) {
        let rows = [ResultRow::of(cells)];
        let said = replay::said(rule, rows.first());
        self.title = said.name;
        self.description = said.description;
        self.severity = said.severity;
        self.tactics = said.tactics;
        self.techniques = said.techniques;
        self.properties = said.properties;
        self.custom_details = replay::custom(rule, &rows).into_iter().collect();
    }

    /// What is the same of two findings of one row. The order in a list says nothing, and neither do the last digits of a sum.
    fn sameness(&self) -> String {
        let mut details = Value::Object(self.details.clone());
        replay::round(&mut details);
        settle(&mut details);
        format!("{}\u{1f}{:?}\u{1f}{details}", self.first, self.last)
    }
}

/// Gives findings the evidence of the same findings of another query. Whether they are the same; where they are not, none of it is taken.
pub(super) fn adopt(findings: &mut [Finding], others: Vec<Finding>) -> bool {
    if findings.len() != others.len() {
        return false;
    }
    let mut evidence: HashMap<String, Vec<Vec<Evidence>>> = HashMap::new();
    for mut other in others {
        // Which of so many are kept is chance.
        if other.evidence.len() >= MOST_RECORDS {
            return false;
        }
        other.evidence.sort_by_key(|e| (e.ingest, e.record));
        let key = other.sameness();
        evidence.entry(key).or_default().push(other.evidence);
    }
    // Of equal rows it is chance which comes first.
    for same in evidence.values_mut() {
        same.sort_by_cached_key(|list| {
            let records = list.iter().map(|e| (e.ingest, e.record));
            std::cmp::Reverse(records.collect::<Vec<_>>())
        });
    }
    let mut found = Vec::with_capacity(findings.len());
    for finding in findings.iter() {
        let same = evidence.get_mut(&finding.sameness());
        match same.and_then(Vec::pop) {
            Some(list) => found.push(list),
            None => return false,
        }
    }
    for (finding, list) in findings.iter_mut().zip(found) {
        // A row that is made of no record of the archive rests on none.
        finding.no_evidence = list.is_empty().then_some(NOT_KNOWN);
        finding.evidence = list;
    }
    true
}

/// Puts lists in order, however deep.
pub(super) fn settle(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.iter_mut().for_each(settle);
            list.sort_by_cached_key(Value::to_string);
        }
        Value::Object(members) => members.values_mut().for_each(settle),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// All columns of a row that have a value.
fn cells(schema: &SchemaRef, batch: &RecordBatch, row: usize) -> Result<Map<String, Value>> {
    let mut cells = Map::new();
    for (i, field) in schema.fields().iter().enumerate() {
        let value = output::json_of(field, batch.column(i), row)?;
        cells.insert(field.name().clone(), value);
    }
    Ok(cells)
}

fn entities(
    rule: &Rule,
    schema: &SchemaRef,
    batch: &RecordBatch,
    row: usize,
) -> Result<Vec<Entity>> {
    let mut entities = Vec::new();
    for (number, mapping) in rule.entities.iter().enumerate() {
        for field in &mapping.field_mappings {
            for value in named(schema, batch, row, &field.column_name)? {
                entities.push(Entity {
                    kind: mapping.entity_type.clone(),
                    identifier: field.identifier.clone(),
                    value,
                    mapping: number,
                });
            }
        }
    }
    // What a custom detection says that was harmed.
    for (number, asset) in rule.impacted.iter().enumerate() {
        let kind = match asset.kind {
            AssetKind::Device => "Host",
            AssetKind::User => "Account",
            AssetKind::Mailbox => "Mailbox",
        };
        for value in named(schema, batch, row, &asset.column)? {
            entities.push(Entity {
                kind: kind.into(),
                identifier: asset.column.clone(),
                value,
                mapping: rule.entities.len() + number,
            });
        }
    }
    let mut seen = HashSet::new();
    entities.retain(|e| seen.insert((e.kind.clone(), e.value.to_lowercase())));
    Ok(entities)
}

/// The values of a column, each of a list of them; nothing where there is no such column.
fn named(schema: &SchemaRef, batch: &RecordBatch, row: usize, column: &str) -> Result<Vec<String>> {
    let Ok(at) = schema.index_of(column) else {
        return Ok(Vec::new());
    };
    let values = values(batch.column(at), row)?;
    let kusto = schema.field(at).metadata().get(output::KUSTO);
    if kusto.is_none_or(|ty| ty != Type::Dynamic.name()) {
        return Ok(values);
    }
    let mut each = Vec::new();
    for value in values {
        match serde_json::from_str(&value) {
            Ok(Value::Array(list)) => each.extend(list.iter().filter_map(plain)),
            Ok(other) => each.extend(plain(&other)),
            // A dynamic value that is text without quotes.
            Err(_) => each.push(value),
        }
    }
    Ok(each)
}

/// A value as text; nothing for what says nothing.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        other => Some(other.to_string()),
    }
}

fn evidence(sources: Vec<String>) -> Vec<Evidence> {
    let mut all = Vec::new();
    for source in sources {
        flatten(source, &mut all);
    }
    let mut seen = HashSet::new();
    all.into_iter()
        .filter(|s| seen.insert(s.clone()))
        .filter_map(|s| {
            let (ingest, record) = s.split_once(':')?;
            Some(Evidence {
                ingest: ingest.parse().ok()?,
                record: record.parse().ok()?,
                file: String::new(),
                table: String::new(),
                time: String::new(),
                event_id: String::new(),
            })
        })
        .collect()
}

/// A record, or the records of a list in JSON, however deep.
fn flatten(source: String, all: &mut Vec<String>) {
    if !source.starts_with('[') {
        all.push(source);
        return;
    }
    // What is no list of texts is no record either.
    if let Ok(list) = serde_json::from_str::<Vec<String>>(&source) {
        list.into_iter().for_each(|one| flatten(one, all));
    }
}

/// A value, or the values of a list, as text; nothing for null and empty text.
fn values(array: &ArrayRef, row: usize) -> Result<Vec<String>> {
    if array.is_null(row) {
        return Ok(Vec::new());
    }
    let list = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(row),
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        _ => {
            let text = output::cell(array, row)?;
            return Ok(if text.is_empty() { vec![] } else { vec![text] });
        }
    };
    let mut out = Vec::new();
    for i in 0..list.len() {
        let text = output::cell(&list, i)?;
        if !text.is_empty() {
            out.push(text);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Kind, Language, Query};
    use serde_json::json;

    fn finding(user: &str, list: Value, records: &[i64]) -> Finding {
        let rule = Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, "T"));
        let mut finding = Finding::bare(&rule);
        finding.details.insert("User".into(), user.into());
        finding.details.insert("List".into(), list);
        let sources = records.iter().map(|record| format!("1:{record}"));
        finding.evidence = evidence(sources.collect());
        finding
    }

    fn records(finding: &Finding) -> Vec<i64> {
        finding.evidence.iter().map(|e| e.record).collect()
    }

    #[test]
    fn evidence_is_taken_from_the_same_rows_and_from_no_others() {
        let mut own = [
            finding("a", json!(["x", "y"]), &[]),
            finding("b", json!([]), &[]),
            finding("b", json!([]), &[]),
        ];
        let other = || {
            vec![
                finding("b", json!([]), &[9]),
                finding("a", json!(["y", "x"]), &[3, 1]),
                finding("b", json!([]), &[2]),
            ]
        };
        assert!(adopt(&mut own, other()));
        let taken: Vec<Vec<i64>> = own.iter().map(records).collect();
        assert_eq!(taken, [vec![1, 3], vec![2], vec![9]]);

        let mut own = [finding("a", json!(1), &[]), finding("b", json!(1), &[])];
        let other = vec![finding("a", json!(1), &[1]), finding("c", json!(1), &[2])];
        assert!(!adopt(&mut own, other));
        assert!(own.iter().all(|f| f.evidence.is_empty()));
        assert!(!adopt(&mut own, vec![finding("a", json!(1), &[1])]));
    }

    #[test]
    fn records_in_lists_of_lists_are_found() {
        let list = r#"["1:5","[\"1:2\",\"\"]",""]"#;
        let found = evidence(vec![list.into(), "1:5".into(), "[1]".into()]);
        let records: Vec<i64> = found.iter().map(|e| e.record).collect();
        assert_eq!(records, [5, 2]);
    }
}
