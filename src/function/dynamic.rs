//! Arrays made of values, sets, and paths into JSON.

use std::collections::HashSet;

use super::arguments::{Want, items, json_text, long, or_null, real, take, text};
use super::definition::{BARE, Function};
use super::result_name::ResultName;
use crate::function::value::{Json, Type, Value};

/// Most elements of an array that a function makes.
const MAX_ITEMS: usize = 1 << 20;
/// An hour, the step of ranges of times.
const HOUR: i64 = 36_000_000_000;

fn array(items: Vec<Json>) -> Value {
    Value::dynamic(Json::Array(items))
}

/// A text that is equal for equal elements.
fn key(item: &Json) -> String {
    format!("{}{}", item.type_name(), item.canonical_text())
}

/// The elements, each once, that a condition takes.
fn distinct<'j>(items: impl IntoIterator<Item = &'j Json>, keep: impl Fn(&str) -> bool) -> Value {
    let mut seen = HashSet::new();
    let mut set = Vec::new();
    for item in items {
        let key = key(item);
        if keep(&key) && seen.insert(key) {
            set.push(item.clone());
        }
    }
    array(set)
}

/// Adds the paths of all that a bag or array holds, each once; `[0]` stands for every element.
fn paths(json: &Json, path: &str, seen: &mut HashSet<String>, found: &mut Vec<Json>) {
    let mut add = |path: String, inside: &Json| {
        if seen.insert(path.clone()) {
            found.push(json_text(&path));
        }
        paths(inside, &path, seen, found);
    };
    match json {
        Json::Bag(properties) => {
            for (key, inside) in properties {
                add(format!("{path}['{key}']"), inside);
            }
        }
        Json::Array(items) => {
            for inside in items {
                add(format!("{path}[0]"), inside);
            }
        }
        _ => {}
    }
}

fn keys(value: &Value) -> HashSet<String> {
    value.array().unwrap_or_default().iter().map(key).collect()
}

fn range(a: &[Value]) -> Option<Value> {
    let timed = matches!(a[0], Value::DateTime(_) | Value::Timespan(_));
    let whole = |value: &Value| matches!(value, Value::Int(_) | Value::Long(_));
    let real_range = !timed && !a.iter().all(whole);
    let mut items = Vec::new();
    if real_range {
        let (start, stop) = (real(a, 0)?, real(a, 1)?);
        let step = a.get(2).map_or(Some(1.0), Value::to_real)?;
        if step == 0.0 || !step.is_finite() || !start.is_finite() || stop.is_nan() {
            return None;
        }
        for i in 0..MAX_ITEMS {
            let value = start + i as f64 * step;
            if (step > 0.0 && value > stop) || (step < 0.0 && value < stop) {
                break;
            }
            items.push(Json::Real(value));
        }
        return Some(array(items));
    }
    let (start, stop) = (long(a, 0)?, long(a, 1)?);
    let step = match a.get(2) {
        Some(step) => step.to_long()?,
        None if timed => HOUR,
        None => 1,
    };
    if step == 0 {
        return None;
    }
    let mut value = start;
    while items.len() < MAX_ITEMS && (step > 0 && value <= stop || step < 0 && value >= stop) {
        items.push(match a[0] {
            Value::DateTime(_) => Json::DateTime(value),
            Value::Timespan(_) => Json::Timespan(value),
            _ => Json::Long(value),
        });
        match value.checked_add(step) {
            Some(next) => value = next,
            None => break,
        }
    }
    Some(array(items))
}

/// The steps of a JSON path such as `$.a['b'][0]`; nothing where it is none.
pub(super) fn path_steps(path: &str) -> Option<Vec<Json>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            if end == 0 {
                return None;
            }
            steps.push(json_text(&name[..end]));
            rest = &name[end..];
        } else {
            let inside = rest.strip_prefix('[')?;
            let quote = inside.chars().next().filter(|c| matches!(c, '\'' | '"'));
            match quote {
                Some(quote) => {
                    let inside = &inside[1..];
                    let end = inside.find(quote)?;
                    steps.push(json_text(&inside[..end]));
                    rest = inside[end + 1..].strip_prefix(']')?;
                }
                None => {
                    let end = inside.find(']')?;
                    steps.push(Json::Long(inside[..end].trim().parse().ok()?));
                    rest = &inside[end + 1..];
                }
            }
        }
    }
    Some(steps)
}

fn extract_json(path: &str, source: &str) -> Option<Value> {
    let steps = path_steps(path)?;
    let json = Json::parse(source)?;
    let mut at = &json;
    for step in &steps {
        at = match step {
            Json::Long(index) => at.element(*index)?,
            step => at.member(&step.show())?,
        };
    }
    Some(match at {
        Json::Array(_) | Json::Bag(_) => Value::from(at.text()),
        scalar => Value::from(scalar.show()),
    })
}

const EXTRACT_JSON: Function = Function {
    name: "extract_json",
    arguments: (2, 3),
    doc: "extract_json(path, text, typeof(…)): what the path leads to in the JSON; empty or null where it leads nowhere",
    example: "print x = extract_json(\"$.a[1]\", '{\"a\":[1,2]}', typeof(long))",
    answer: "2",
    ty: |a| {
        take(&a[..2], &[Want::Text], Type::String)?;
        Ok(a.get(2).copied().unwrap_or(Type::String))
    },
    eval: |_, a| extract_json(&text(a, 0), &text(a, 1)).unwrap_or_default(),
    ..BARE
};

const PACK_ARRAY: Function = Function {
    name: "pack_array",
    arguments: (1, usize::MAX),
    doc: "pack_array(value, …): an array of the values",
    example: "print x = pack_array(1, \"a\", 2s)",
    answer: "[1,\"a\",\"00:00:02\"]",
    ty: |_| Ok(Type::Dynamic),
    eval: |_, a| array(a.iter().map(Json::from_value).collect()),
    ..BARE
};

pub(super) const TABLE: &[Function] = &[
    PACK_ARRAY,
    Function {
        name: "range",
        arguments: (2, 3),
        doc: "range(start, stop, step = 1, or 1h): an array of the values from start to stop, which is included",
        example: "print x = range(1, 8, 3)",
        answer: "[1,4,7]",
        ty: |a| match (a[0], a[1]) {
            (Type::DateTime, Type::DateTime) | (Type::Timespan, Type::Timespan) => match a.get(2) {
                None | Some(Type::Timespan | Type::Dynamic) => Ok(Type::Dynamic),
                Some(other) => Err(format!(
                    "argument 3 must be a timespan, not a {}",
                    other.name()
                )),
            },
            _ => take(a, &[Want::Number], Type::Dynamic),
        },
        eval: |_, a| range(a).unwrap_or_default(),
        ..BARE
    },
    Function {
        name: "repeat",
        arguments: (2, 2),
        names: ResultName::Prefix("repeat"),
        doc: "repeat(value, count): an array of so many times the value",
        example: "print x = repeat(1, 3)",
        answer: "[1,1,1]",
        ty: |a| take(a, &[Want::Any, Want::Integer], Type::Dynamic),
        eval: |_, a| match long(a, 1).map(usize::try_from) {
            Some(Ok(count)) => {
                let item = Json::from_value(&a[0]);
                let large = matches!(item, Json::Array(_) | Json::Bag(_) | Json::String(_));
                let most = if large { MAX_ITEMS / 64 } else { MAX_ITEMS };
                array(vec![item; count.min(most)])
            }
            _ => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "zip",
        arguments: (2, 64),
        doc: "zip(array, array, …): an array of arrays of the elements at one place; missing ones are null",
        example: "print x = zip(dynamic([1, 2]), dynamic([3, 4]))",
        answer: "[[1,3],[2,4]]",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| {
            let length = a
                .iter()
                .filter_map(|value| value.array().map(<[Json]>::len))
                .max();
            let Some(length) = length else {
                return Value::Null;
            };
            let at = |value: &Value, i: usize| {
                value
                    .array()
                    .and_then(|items| items.get(i))
                    .cloned()
                    .unwrap_or_default()
            };
            array(
                (0..length)
                    .map(|i| Json::Array(a.iter().map(|value| at(value, i)).collect()))
                    .collect(),
            )
        },
        ..BARE
    },
    Function {
        name: "treepath",
        arguments: (1, 1),
        names: ResultName::Prefix("tree"),
        doc: "treepath(bag): an array of the paths of all that it holds; `[0]` stands for all elements of an array",
        example: "print x = treepath(dynamic({\"a\":[1,{\"b\":2}],\"c\":3}))",
        answer: "[\"['a']\",\"['a'][0]\",\"['a'][0]['b']\",\"['c']\"]",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| match &a[0] {
            Value::Dynamic(json) => {
                let mut found = Vec::new();
                paths(json, "", &mut HashSet::new(), &mut found);
                array(found)
            }
            _ => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "set_union",
        arguments: (2, 64),
        doc: "set_union(array, array, …): the elements of all arrays, each once",
        example: "print x = set_union(dynamic([1, 2, 1]), dynamic([3]))",
        answer: "[1,2,3]",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| match a.iter().any(|value| value.array().is_some()) {
            true => distinct(a.iter().filter_map(Value::array).flatten(), |_| true),
            false => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "set_intersect",
        arguments: (2, 64),
        doc: "set_intersect(array, array, …): the elements that stand in all arrays, each once",
        example: "print x = set_intersect(dynamic([1, 2, 3]), dynamic([3, 2]))",
        answer: "[2,3]",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| {
            if a.iter().any(|value| value.array().is_none()) {
                return Value::Null;
            }
            let others: Vec<HashSet<String>> = a.iter().skip(1).map(keys).collect();
            let everywhere = |key: &str| others.iter().all(|other| other.contains(key));
            distinct(items(a, 0).unwrap_or_default(), everywhere)
        },
        ..BARE
    },
    Function {
        name: "set_difference",
        arguments: (2, 64),
        doc: "set_difference(array, array, …): the elements of the first array that stand in no other, each once",
        example: "print x = set_difference(dynamic([1, 2, 3]), dynamic([2]))",
        answer: "[1,3]",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| {
            let others: HashSet<String> = a.iter().skip(1).flat_map(keys).collect();
            match items(a, 0) {
                Some(items) => distinct(items, |key| !others.contains(key)),
                None => Value::Null,
            }
        },
        ..BARE
    },
    Function {
        name: "set_has_element",
        arguments: (2, 2),
        doc: "set_has_element(array, value): whether the value stands in the array",
        example: "print x = set_has_element(dynamic([\"a\", \"b\"]), \"b\")",
        answer: "True",
        ty: |a| take(a, &[Want::Dynamic, Want::Any], Type::Bool),
        eval: |_, a| match items(a, 0) {
            Some(items) => {
                let wanted = Json::from_value(&a[1]);
                Value::Bool(items.iter().any(|item| item.same(&wanted)))
            }
            None => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "set_equals",
        arguments: (2, 2),
        doc: "set_equals(array, array): whether the same values stand in both",
        example: "print x = set_equals(dynamic([1, 2]), dynamic([2, 1, 1]))",
        answer: "True",
        ty: |a| take(a, &[Want::Dynamic], Type::Bool),
        eval: |_, a| match (items(a, 0), items(a, 1)) {
            (Some(_), Some(_)) => Value::Bool(keys(&a[0]) == keys(&a[1])),
            _ => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "jaccard_index",
        arguments: (2, 2),
        doc: "jaccard_index(array, array): how many values stand in both, divided by how many there are",
        example: "print x = jaccard_index(dynamic([1, 2, 3]), dynamic([1, 2, 3, 4]))",
        answer: "0.75",
        ty: |a| take(a, &[Want::Dynamic], Type::Real),
        eval: |_, a| {
            if a.iter().any(|value| value.array().is_none()) {
                return Value::Null;
            }
            let (x, y) = (keys(&a[0]), keys(&a[1]));
            let (both, all) = (x.intersection(&y).count(), x.union(&y).count());
            or_null(Some(both as f64 / all as f64))
        },
        ..BARE
    },
    EXTRACT_JSON,
    EXTRACT_JSON.named("extractjson"),
];
