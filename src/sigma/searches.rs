//! Searches of a rule: `selection`, `filter_main_x` and what they look for.

use super::modifier::{self, How};
use super::refusal::{At, Refusal};
use super::yaml::{Node, Yaml};

/// What a search looks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Search {
    All(Vec<Search>),
    Any(Vec<Search>),
    /// A field and its values.
    Field(Field),
    /// Words anywhere in the record; all of them, or one.
    Words {
        how: How,
        values: Vec<Value>,
        at: At,
    },
}

/// A field, and what it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) how: How,
    pub(super) values: Vec<Value>,
    pub(super) at: At,
}

/// A value of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
}

impl Value {
    /// The value as text; nothing is the empty one.
    pub(super) fn text(&self) -> String {
        match self {
            Value::Null => String::new(),
            Value::Bool(b) => b.to_string(),
            Value::Number(text) | Value::Text(text) => text.clone(),
        }
    }
}

/// Reads a search: a map is all of its fields, a list is any of its items.
pub(super) fn read(node: &Node) -> Result<Search, Refusal> {
    match &node.value {
        Yaml::Map(entries) if entries.is_empty() => Err(empty(node.at)),
        Yaml::Map(entries) => {
            let fields = entries.iter().map(|(key, value)| field(key, value));
            Ok(Search::All(fields.collect::<Result<_, _>>()?))
        }
        Yaml::List(items) if items.is_empty() => Err(empty(node.at)),
        Yaml::List(items) => {
            let (maps, words): (Vec<&Node>, Vec<&Node>) =
                items.iter().partition(|item| item.entries().is_some());
            let mut searches: Vec<Search> = maps.into_iter().map(read).collect::<Result<_, _>>()?;
            if !words.is_empty() {
                searches.push(Search::Words {
                    how: modifier::read(std::iter::empty(), node.at)?,
                    values: words.into_iter().map(scalar).collect::<Result<_, _>>()?,
                    at: node.at,
                });
            }
            Ok(Search::Any(searches))
        }
        Yaml::Null => Err(empty(node.at)),
        _ => Ok(Search::Words {
            how: modifier::read(std::iter::empty(), node.at)?,
            values: vec![scalar(node)?],
            at: node.at,
        }),
    }
}

fn empty(at: At) -> Refusal {
    Refusal::new(at, "a search that looks for nothing")
}

fn field(key: &str, value: &Node) -> Result<Search, Refusal> {
    let mut parts = key.split('|');
    let name = parts.next().unwrap_or_default().to_string();
    let how = modifier::read(parts, value.at)?;
    let values: Vec<Value> = match &value.value {
        Yaml::List(items) if items.is_empty() => {
            return Err(Refusal::new(value.at, format!("`{key}` has no values")));
        }
        Yaml::List(items) => items.iter().map(scalar).collect::<Result<_, _>>()?,
        Yaml::Map(_) => {
            let message = format!("`{key}` holds a map where a value or a list of values stands");
            return Err(Refusal::new(value.at, message));
        }
        _ => vec![scalar(value)?],
    };
    let at = value.at;
    Ok(match name.is_empty() {
        true => Search::Words { how, values, at },
        false => Search::Field(Field {
            name,
            how,
            values,
            at,
        }),
    })
}

fn scalar(node: &Node) -> Result<Value, Refusal> {
    Ok(match &node.value {
        Yaml::Null => Value::Null,
        Yaml::Bool(b) => Value::Bool(*b),
        Yaml::Integer(n) => Value::Number(n.to_string()),
        Yaml::Real(n) => Value::Number(format!("{n:?}")),
        Yaml::Text(text) => Value::Text(text.clone()),
        Yaml::List(_) | Yaml::Map(_) => {
            let message = "a list or a map where a value stands";
            return Err(Refusal::new(node.at, message));
        }
    })
}
