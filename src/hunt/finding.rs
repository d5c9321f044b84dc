//! A row of a rule as a finding.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::catalog::TIME;
use crate::engine::output;
use crate::fault::Result;
use crate::rules::{Rule, Severity};

/// Column with the time of a row's last event; where it is not there, [`TIME`] has it.
pub(super) const END_TIME: &str = "EndTime";

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
    /// Name of the rule.
    pub title: String,
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
    /// The records it rests on.
    pub evidence: Vec<Evidence>,
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
            severity: rule.severity,
            first: String::new(),
            last: None,
            tactics: rule.tactics.clone(),
            techniques: rule.techniques.clone(),
            entities: Vec::new(),
            details: Map::new(),
            times: Vec::new(),
            evidence: Vec::new(),
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
        let (mut details, mut times) = (Map::new(), Vec::new());
        for (i, field) in schema.fields().iter().enumerate() {
            let name = field.name();
            if name.starts_with('_') || name == TIME || name == END_TIME {
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
        let first = text(TIME)?;
        let last = text(END_TIME)?;
        Ok(Finding {
            last: (!last.is_empty() && last != first).then_some(last),
            first,
            entities: entities(rule, schema, batch, row)?,
            details,
            times,
            evidence: evidence(sources),
            ..Finding::bare(rule)
        })
    }
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
            let Ok(column) = schema.index_of(&field.column_name) else {
                continue;
            };
            for value in values(batch.column(column), row)? {
                entities.push(Entity {
                    kind: mapping.entity_type.clone(),
                    identifier: field.identifier.clone(),
                    value,
                    mapping: number,
                });
            }
        }
    }
    let mut seen = HashSet::new();
    entities.retain(|e| seen.insert((e.kind.clone(), e.value.to_lowercase())));
    Ok(entities)
}

fn evidence(sources: Vec<String>) -> Vec<Evidence> {
    let mut seen = HashSet::new();
    sources
        .into_iter()
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
