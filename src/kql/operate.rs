//! Operators on scalars: which types they take, and what they give.
//!
//! Knows values only, no names and no rows. Null follows Kusto, not SQL: `==` with one null is false, `!=` is true, with two
//! nulls both are null; `<` with a null is null; `and` and `or` have three values.

mod arithmetic;
mod compare;
mod list;
mod pattern;
mod text;

pub use arithmetic::{Joined, arithmetic, arithmetic_type, joined, negate, negate_type};
pub use compare::{
    between, between_type, compare, compare_type, equality_type, equals, order_type,
};
pub use list::{List, list_type};
pub use pattern::{compiled_regex, regex_error};
pub use text::{Matcher, fold, is_searched, match_type};

use super::value::{Json, Type, Value};

/// Three-valued `and`.
pub fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// Three-valued `or`.
pub fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// The type of a condition: `bool`, or a `dynamic` that may hold one.
pub fn condition_type(ty: Type) -> Result<(), String> {
    match ty {
        Type::Bool | Type::Dynamic => Ok(()),
        other => Err(format!(
            "a condition must be a bool, not a {}",
            other.name()
        )),
    }
}

/// What `base[index]` leads to: a property for a string, an element for a number.
pub fn step<'j>(base: &'j Json, index: &Value) -> Option<&'j Json> {
    match index {
        Value::String(name) => base.member(name),
        Value::Int(_) | Value::Long(_) => base.element(index.to_long()?),
        Value::Dynamic(json) => match &**json {
            Json::String(name) => base.member(name),
            Json::Long(at) => base.element(*at),
            _ => None,
        },
        _ => None,
    }
}

fn truth(value: Option<bool>) -> Value {
    value.map_or(Value::Null, Value::Bool)
}
