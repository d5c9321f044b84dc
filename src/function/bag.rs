//! Property bags.

use std::sync::Arc;

use super::arguments::{Typed, Want, items, json_text, take, text};
use super::definition::{BARE, Function};
use super::dynamic::path_steps;
use crate::function::value::{Json, Type, Value};

type Properties = Vec<(Arc<str>, Json)>;

fn set(bag: &mut Properties, key: &str, value: Json) {
    match bag.iter_mut().find(|(known, _)| **known == *key) {
        Some(property) => property.1 = value,
        None => bag.push((key.into(), value)),
    }
}

/// A key: a name, or a path that begins with `$`.
fn steps(key: &str) -> Vec<Json> {
    match key.starts_with("$.") || key.starts_with("$[") {
        true => path_steps(key).unwrap_or_else(|| vec![json_text(key)]),
        false => vec![json_text(key)],
    }
}

fn pack(pairs: &[Value], keep: impl Fn(&Value) -> bool) -> Value {
    let mut bag = Properties::new();
    for pair in pairs.chunks(2) {
        if let [key, value] = pair
            && keep(value)
        {
            set(&mut bag, &key.text(), Json::from_value(value));
        }
    }
    Value::dynamic(Json::Bag(bag))
}

fn find<'j>(json: &'j Json, steps: &[Json]) -> Option<&'j Json> {
    steps.iter().try_fold(json, |at, step| match step {
        Json::Long(index) => at.element(*index),
        step => at.member(&step.show()),
    })
}

fn remove(json: &mut Json, steps: &[Json]) {
    match (json, steps) {
        (Json::Bag(bag), [last]) => bag.retain(|(key, _)| **key != *last.show()),
        (Json::Bag(bag), [first, rest @ ..]) => {
            let first = first.show();
            if let Some((_, inner)) = bag.iter_mut().find(|(key, _)| **key == *first) {
                remove(inner, rest);
            }
        }
        (Json::Array(items), [Json::Long(index), rest @ ..]) if !rest.is_empty() => {
            if let Some(inner) = usize::try_from(*index)
                .ok()
                .and_then(|at| items.get_mut(at))
            {
                remove(inner, rest);
            }
        }
        _ => {}
    }
}

/// Sets what a path leads to; bags on the way are made. Nothing where the way leads through something else.
fn put(json: &mut Json, steps: &[Json], value: Json) -> Option<()> {
    let Json::Bag(bag) = json else {
        return None;
    };
    let (first, rest) = steps.split_first()?;
    let first = first.show();
    if rest.is_empty() {
        set(bag, &first, value);
        return Some(());
    }
    if !bag.iter().any(|(key, _)| **key == *first) {
        set(bag, &first, Json::Bag(Vec::new()));
    }
    let (_, inner) = bag.iter_mut().find(|(key, _)| **key == *first)?;
    put(inner, rest, value)
}

fn pack_type(arguments: &[Type]) -> Typed {
    if arguments.len() % 2 == 1 {
        return Err("takes pairs of a key and a value".to_owned());
    }
    for (i, pair) in arguments.chunks(2).enumerate() {
        if !matches!(pair[0], Type::String | Type::Dynamic) {
            let (at, have) = (2 * i + 1, pair[0].name());
            return Err(format!(
                "argument {at} is a key and must be a string, not a {have}"
            ));
        }
    }
    Ok(Type::Dynamic)
}

const PACK: Function = Function {
    name: "bag_pack",
    arguments: (0, usize::MAX),
    doc: "bag_pack(key, value, …): a bag of the keys with their values",
    example: "print x = bag_pack(\"a\", 1, \"b\", \"c\")",
    answer: "{\"a\":1,\"b\":\"c\"}",
    ty: pack_type,
    eval: |_, a| pack(a, |_| true),
    ..BARE
};

/// `bag_pack` without nulls and empty strings, for `pack_all(true)`.
pub(super) static PACK_FULL: Function = Function {
    name: "bag_pack_full",
    body: None,
    eval: |_, a| {
        pack(a, |value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            _ => true,
        })
    },
    ..PACK
};

pub(super) const TABLE: &[Function] = &[
    PACK,
    PACK.named("pack"),
    PACK.named("pack_dictionary"),
    Function {
        name: "bag_keys",
        arguments: (1, 1),
        doc: "bag_keys(bag): an array of its keys; null of what is no bag",
        example: "print x = bag_keys(dynamic({\"a\":1,\"b\":2}))",
        answer: "[\"a\",\"b\"]",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| match a[0].bag() {
            Some(bag) => Value::dynamic(Json::Array(
                bag.iter().map(|(key, _)| json_text(key)).collect(),
            )),
            None => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "bag_merge",
        arguments: (2, 64),
        doc: "bag_merge(bag, bag, …): one bag of all properties; of a key that stands in several, the first value",
        example: "print x = bag_merge(dynamic({\"a\":1}), dynamic({\"a\":2,\"b\":3}))",
        answer: "{\"a\":1,\"b\":3}",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| {
            let mut merged: Option<Properties> = None;
            for bag in a.iter().filter_map(Value::bag) {
                let merged = merged.get_or_insert_default();
                for (key, value) in bag {
                    if !merged.iter().any(|(known, _)| known == key) {
                        merged.push((Arc::clone(key), value.clone()));
                    }
                }
            }
            merged.map_or(Value::Null, |bag| Value::dynamic(Json::Bag(bag)))
        },
        ..BARE
    },
    Function {
        name: "bag_has_key",
        arguments: (2, 2),
        doc: "bag_has_key(bag, key or path): whether the bag has it",
        example: "print x = bag_has_key(dynamic({\"a\":{\"b\":1}}), \"$.a.b\")",
        answer: "True",
        ty: |a| take(a, &[Want::Dynamic, Want::Text], Type::Bool),
        eval: |_, a| match &a[0] {
            Value::Dynamic(json) if json.bag().is_some() => {
                Value::Bool(find(json, &steps(&text(a, 1))).is_some())
            }
            _ => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "bag_remove_keys",
        arguments: (2, 2),
        doc: "bag_remove_keys(bag, array of keys or paths): the bag without them",
        example: "print x = bag_remove_keys(dynamic({\"a\":1,\"b\":2}), dynamic([\"a\"]))",
        answer: "{\"b\":2}",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| match (&a[0], items(a, 1)) {
            (Value::Dynamic(json), Some(keys)) if json.bag().is_some() => {
                let mut json = (**json).clone();
                for key in keys {
                    remove(&mut json, &steps(&key.show()));
                }
                Value::dynamic(json)
            }
            _ => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "bag_set_key",
        arguments: (3, 3),
        doc: "bag_set_key(bag, key or path, value): the bag with the value there",
        example: "print x = bag_set_key(dynamic({\"a\":1}), \"b\", 2)",
        answer: "{\"a\":1,\"b\":2}",
        ty: |a| take(a, &[Want::Dynamic, Want::Text, Want::Any], Type::Dynamic),
        eval: |_, a| match &a[0] {
            Value::Dynamic(json) if json.bag().is_some() => {
                let mut json = (**json).clone();
                let done = put(&mut json, &steps(&text(a, 1)), Json::from_value(&a[2]));
                done.map_or(Value::Null, |()| Value::dynamic(json))
            }
            _ => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "bag_zip",
        arguments: (2, 2),
        doc: "bag_zip(keys, values): a bag of the texts of one array as keys with the values of the other; missing values are null",
        example: "print x = bag_zip(dynamic([\"a\", \"b\"]), dynamic([1, \"2\", 3]))",
        answer: "{\"a\":1,\"b\":\"2\"}",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| {
            let Some(keys) = items(a, 0) else {
                return Value::Null;
            };
            // What is no array has no values, as documented.
            let values = items(a, 1).unwrap_or_default();
            let mut bag = Properties::new();
            for (i, key) in keys.iter().enumerate() {
                if let Json::String(key) = key {
                    set(&mut bag, key, values.get(i).cloned().unwrap_or_default());
                }
            }
            Value::dynamic(Json::Bag(bag))
        },
        ..BARE
    },
];
