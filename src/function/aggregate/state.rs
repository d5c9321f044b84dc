//! Values in states: packed into JSON and back, compared, and made into keys of sets.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::Arc;

use super::super::value::{Json, Type, Value, read_decimal};

/// Whether a predicate is true; null is not.
pub(super) fn holds(value: &Value) -> bool {
    match value {
        Value::Bool(holds) => *holds,
        Value::Dynamic(json) => matches!(**json, Json::Bool(true)),
        _ => false,
    }
}

/// The number in a value: whole numbers, ticks, reals.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(n) => Some(f64::from(*n)),
        Value::Long(n) | Value::DateTime(n) | Value::Timespan(n) => Some(*n as f64),
        Value::Real(n) => Some(*n),
        Value::Decimal(n) => Some(n.to_real()),
        _ => None,
    }
}

/// The whole number in a value, or its ticks.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) => Some(i64::from(*n)),
        Value::Long(n) | Value::DateTime(n) | Value::Timespan(n) => Some(*n),
        _ => None,
    }
}

/// A constant number of elements: what is no such number is no limit.
pub(super) fn limit(constants: &[Option<Value>], index: usize) -> Option<usize> {
    let value = constants.get(index)?.as_ref()?;
    usize::try_from(whole(value)?).ok()
}

/// Whether there is nothing in a value: null or an empty string.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Dynamic(json) => **json == Json::Null,
        _ => false,
    }
}

/// A value as element of an array. A `decimal` becomes a string, as in Kusto.
pub fn element(value: &Value) -> Json {
    pack(value)
}

/// A value as part of a state; [`unpack`] gives it back.
pub(super) fn pack(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(n) => Json::Long(i64::from(*n)),
        Value::Long(n) => Json::Long(*n),
        Value::Real(n) => Json::Real(*n),
        Value::Decimal(n) => Json::String(n.to_string().into()),
        Value::String(text) => Json::String(Arc::clone(text)),
        Value::DateTime(n) => Json::DateTime(*n),
        Value::Timespan(n) => Json::Timespan(*n),
        Value::Guid(n) => Json::Guid(*n),
        Value::Dynamic(json) => (**json).clone(),
    }
}

/// A value of that type from a state.
pub(super) fn unpack(json: &Json, ty: Type) -> Value {
    match (ty, json) {
        (Type::String, Json::String(text)) => Value::String(Arc::clone(text)),
        (_, Json::Null) => Value::Null,
        (Type::Dynamic, other) => Value::Dynamic(Arc::new(other.clone())),
        (Type::Bool, Json::Bool(b)) => Value::Bool(*b),
        (Type::Int, Json::Long(n)) => i32::try_from(*n).map_or(Value::Null, Value::Int),
        (Type::Long, Json::Long(n)) => Value::Long(*n),
        (Type::Real, Json::Real(n)) => Value::Real(*n),
        (Type::Decimal, Json::String(text)) => {
            read_decimal(text).map_or(Value::Null, Value::Decimal)
        }
        (Type::DateTime, Json::DateTime(n)) => Value::DateTime(*n),
        (Type::Timespan, Json::Timespan(n)) => Value::Timespan(*n),
        (Type::Guid, Json::Guid(n)) => Value::Guid(*n),
        _ => Value::Null,
    }
}

/// The elements of a state that is an array.
pub(super) fn parts(state: &Json) -> &[Json] {
    match state {
        Json::Array(parts) => parts,
        _ => &[],
    }
}

/// The whole number at a place of a state.
pub(super) fn long_at(parts: &[Json], index: usize) -> Option<i64> {
    match parts.get(index) {
        Some(Json::Long(n)) => Some(*n),
        _ => None,
    }
}

/// The real number at a place of a state.
pub(super) fn real_at(parts: &[Json], index: usize) -> Option<f64> {
    match parts.get(index) {
        Some(Json::Real(n)) => Some(*n),
        _ => None,
    }
}

/// The order of two values of one type. Null comes before everything, NaN before all other numbers.
pub(super) fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Guid(a), Value::Guid(b)) => a.cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a
            .partial_cmp(b)
            .unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())),
        _ => whole(left).cmp(&whole(right)),
    }
}

/// A text that is equal for equal values and only for them.
pub(super) fn key(value: &Value) -> String {
    match value {
        Value::String(text) => format!("s{text}"),
        other => {
            let mut out = String::new();
            write_key(&pack(other), &mut out);
            out
        }
    }
}

/// A text that is equal for equal JSON and only for it; the order of keys in bags makes no difference.
pub fn json_key(json: &Json) -> String {
    match json {
        Json::String(text) => format!("s{text}"),
        other => {
            let mut out = String::new();
            write_key(other, &mut out);
            out
        }
    }
}

fn write_key(json: &Json, out: &mut String) {
    // Writing into a `String` cannot fail.
    let _ = match json {
        Json::Null => write!(out, "n"),
        Json::Bool(b) => write!(out, "{}", if *b { 't' } else { 'f' }),
        Json::Long(n) => write!(out, "l{n};"),
        Json::Real(n) if n.is_nan() => write!(out, "rnan;"),
        // -0.0 equals 0.0
        Json::Real(n) => write!(out, "r{:x};", (n + 0.0).to_bits()),
        Json::Big(text) => write!(out, "b{text};"),
        Json::DateTime(n) => write!(out, "d{n};"),
        Json::Timespan(n) => write!(out, "p{n};"),
        Json::Guid(n) => write!(out, "g{n:x};"),
        Json::String(text) => write!(out, "s{}:{text}", text.len()),
        Json::Array(items) => {
            out.push('[');
            for item in items {
                write_key(item, out);
            }
            write!(out, "]")
        }
        Json::Bag(items) => {
            let mut sorted: Vec<&(Arc<str>, Json)> = items.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            out.push('{');
            for (name, item) in sorted {
                // As above.
                let _ = write!(out, "{}:{name}", name.len());
                write_key(item, out);
            }
            write!(out, "}}")
        }
    };
}

/// Bytes of a value, about.
pub(super) fn bytes(json: &Json) -> usize {
    size_of::<Json>()
        + match json {
            Json::String(text) | Json::Big(text) => text.len(),
            Json::Array(items) => items.iter().map(bytes).sum(),
            Json::Bag(items) => items
                .iter()
                .map(|(name, item)| size_of::<Arc<str>>() + name.len() + bytes(item))
                .sum(),
            _ => 0,
        }
}
