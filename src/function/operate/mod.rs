//! Operators on scalars: which types they take, and what they give.
//!
//! Knows values only, no names and no rows. Null follows Kusto, not SQL: `==` with one null is false, `!=` is true, with two
//! nulls both are null; `<` with a null is null; `and` and `or` have three values.

mod arithmetic;
mod compare;
mod list;
mod logic;
mod pattern;
mod text;

pub use arithmetic::{Joined, arithmetic, arithmetic_type, joined, negate, negate_type};
pub use compare::{
    between, between_type, compare, compare_type, equality_type, equals, order_type,
};
pub use list::{List, list_type};
pub use logic::{and, condition_type, or};
pub use pattern::{compiled_regex, regex_error};
pub use text::{Matcher, fold, is_searched, match_type};

use super::value::{Json, Value};

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
