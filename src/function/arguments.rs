//! How functions check the types of their arguments, and read the values.

use std::borrow::Cow;

use super::value::{Json, Type, Value};

/// The type that a function gives for types of arguments, or why it refuses them.
pub type Typed = Result<Type, String>;

/// What a parameter takes. All but [`Want::Plain`] take a `dynamic` too, which is converted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Want {
    /// Any scalar.
    Any,
    /// Any scalar but a `dynamic`.
    Plain,
    /// `string`
    Text,
    /// `int`, `long`
    Integer,
    /// `int`, `long`, `real`, `decimal`
    Number,
    /// `bool`
    Bool,
    /// `datetime`
    DateTime,
    /// `timespan`
    Timespan,
    /// `guid`
    Guid,
    /// `dynamic`
    Dynamic,
}

impl Want {
    pub(super) fn takes(self, ty: Type) -> bool {
        match (self, ty) {
            (Want::Plain, ty) => ty != Type::Dynamic,
            (Want::Any, _) | (_, Type::Dynamic) => true,
            (Want::Text, Type::String)
            | (Want::Integer, Type::Int | Type::Long)
            | (Want::Number, Type::Int | Type::Long | Type::Real | Type::Decimal)
            | (Want::Bool, Type::Bool)
            | (Want::DateTime, Type::DateTime)
            | (Want::Timespan, Type::Timespan)
            | (Want::Guid, Type::Guid) => true,
            _ => false,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Want::Any => "a scalar",
            Want::Plain => "a scalar that is not dynamic",
            Want::Text => "a string",
            Want::Integer => "a whole number",
            Want::Number => "a number",
            Want::Bool => "a bool",
            Want::DateTime => "a datetime",
            Want::Timespan => "a timespan",
            Want::Guid => "a guid",
            Want::Dynamic => "dynamic: an array or a property bag",
        }
    }
}

/// Checks arguments against parameters; the last parameter stands for all further arguments.
pub(super) fn take(arguments: &[Type], wants: &[Want], ty: Type) -> Typed {
    for (i, argument) in arguments.iter().enumerate() {
        let Some(want) = wants.get(i).or(wants.last()) else {
            continue;
        };
        if !want.takes(*argument) {
            let (want, have) = (want.name(), argument.name());
            return Err(format!("argument {} must be {want}, not a {have}", i + 1));
        }
    }
    Ok(ty)
}

/// The common type of branches and alternatives; those that are `dynamic` take the type of the others.
pub(super) fn common(types: &[Type]) -> Typed {
    let rank = |ty| match ty {
        Type::Int => Some(0),
        Type::Long => Some(1),
        Type::Real => Some(2),
        Type::Decimal => Some(3),
        _ => None,
    };
    let mut common: Option<Type> = None;
    for &ty in types.iter().filter(|ty| **ty != Type::Dynamic) {
        common = Some(match common {
            None => ty,
            Some(known) if known == ty => ty,
            Some(known) => match (rank(known), rank(ty)) {
                (Some(a), Some(b)) => {
                    if a > b {
                        known
                    } else {
                        ty
                    }
                }
                _ => {
                    let (a, b) = (known.name(), ty.name());
                    return Err(format!("a {a} and a {b} have no common type; convert one"));
                }
            },
        });
    }
    Ok(common.unwrap_or(Type::Dynamic))
}

/// Text of an argument; empty where there is none.
pub(super) fn text(arguments: &[Value], at: usize) -> Cow<'_, str> {
    arguments.get(at).map(Value::text).unwrap_or_default()
}

/// Text of a constant argument; nothing where it is not constant or no text.
pub(super) fn constant_text<'a>(arguments: &[Option<&'a Value>], at: usize) -> Option<&'a str> {
    match arguments.get(at) {
        Some(Some(Value::String(text))) => Some(text),
        _ => None,
    }
}

/// Whole number of an argument.
pub(super) fn long(arguments: &[Value], at: usize) -> Option<i64> {
    arguments.get(at)?.to_long()
}

/// Number of an argument.
pub(super) fn real(arguments: &[Value], at: usize) -> Option<f64> {
    arguments.get(at)?.to_real()
}

/// Elements of an argument that is an array.
pub(super) fn items(arguments: &[Value], at: usize) -> Option<&[Json]> {
    arguments.get(at)?.array()
}

/// A value or null.
pub(super) fn or_null<T: Into<Value>>(value: Option<T>) -> Value {
    value.map_or(Value::Null, Into::into)
}

/// A dynamic string.
pub(super) fn json_text(text: impl AsRef<str>) -> Json {
    Json::String(text.as_ref().into())
}

/// A bag from names and values.
pub(super) fn json_bag<const N: usize>(properties: [(&str, Json); N]) -> Json {
    let properties = properties.into_iter();
    Json::Bag(properties.map(|(key, value)| (key.into(), value)).collect())
}
