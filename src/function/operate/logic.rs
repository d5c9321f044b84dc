//! Conditions: true, false or null.

use crate::function::value::{Type, Value};

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

/// A condition as a value.
pub(super) fn truth(value: Option<bool>) -> Value {
    value.map_or(Value::Null, Value::Bool)
}
