//! A scalar, and what a `dynamic` holds.

use std::sync::Arc;

use super::calendar::MAX_DATETIME_TICKS;
use super::decimal::Decimal;
use super::types::Type;

/// A scalar value. `Null` has no type of its own: the type is that of the column or expression. A `string` is never null.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i32),
    /// `long`
    Long(i64),
    /// `real`
    Real(f64),
    /// `decimal`
    Decimal(Decimal),
    /// `string`
    String(Arc<str>),
    /// `datetime`: ticks of 100 ns since 0001-01-01T00:00:00Z
    DateTime(i64),
    /// `timespan`: ticks of 100 ns
    Timespan(i64),
    /// `guid`
    Guid(u128),
    /// `dynamic`; a dynamic null is `Null`
    Dynamic(Arc<Json>),
}

/// What a `dynamic` holds: JSON, and Kusto's scalars that JSON does not have.
#[derive(Debug, Clone, Default)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// Another number.
    Real(f64),
    /// A number that fits into neither: its text. In arithmetic it is the nearest `real`.
    Big(Arc<str>),
    /// A string.
    String(Arc<str>),
    /// A `datetime` put into a bag or array.
    DateTime(i64),
    /// A `timespan`.
    Timespan(i64),
    /// A `guid`.
    Guid(u128),
    /// An array.
    Array(Vec<Json>),
    /// A property bag, in its order.
    Bag(Vec<(Arc<str>, Json)>),
}

impl Value {
    /// The type; nothing for null.
    pub fn ty(&self) -> Option<Type> {
        Some(match self {
            Value::Null => return None,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Long(_) => Type::Long,
            Value::Real(_) => Type::Real,
            Value::Decimal(_) => Type::Decimal,
            Value::String(_) => Type::String,
            Value::DateTime(_) => Type::DateTime,
            Value::Timespan(_) => Type::Timespan,
            Value::Guid(_) => Type::Guid,
            Value::Dynamic(_) => Type::Dynamic,
        })
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// A `string`.
    pub fn string(text: impl AsRef<str>) -> Value {
        Value::String(Arc::from(text.as_ref()))
    }

    /// A `dynamic`; null where the JSON is.
    pub fn dynamic(json: Json) -> Value {
        match json {
            Json::Null => Value::Null,
            json => Value::Dynamic(Arc::new(json)),
        }
    }

    /// A `datetime`; null where the ticks lie outside of years 1 to 9999.
    pub fn datetime(ticks: i64) -> Value {
        match (0..=MAX_DATETIME_TICKS).contains(&ticks) {
            true => Value::DateTime(ticks),
            false => Value::Null,
        }
    }

    /// The array of a `dynamic` array.
    pub fn array(&self) -> Option<&[Json]> {
        match self {
            Value::Dynamic(json) => json.array(),
            _ => None,
        }
    }

    /// The properties of a `dynamic` bag.
    pub fn bag(&self) -> Option<&[(Arc<str>, Json)]> {
        match self {
            Value::Dynamic(json) => json.bag(),
            _ => None,
        }
    }
}

impl Json {
    /// The elements of an array.
    pub fn array(&self) -> Option<&[Json]> {
        match self {
            Json::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The properties of a bag.
    pub fn bag(&self) -> Option<&[(Arc<str>, Json)]> {
        match self {
            Json::Bag(properties) => Some(properties),
            _ => None,
        }
    }

    /// The property of that name; nothing where this is no bag.
    pub fn member(&self, name: &str) -> Option<&Json> {
        let mut properties = self.bag()?.iter();
        properties.find(|(key, _)| **key == *name).map(|(_, v)| v)
    }

    /// The element at an index, from the end where it is negative.
    pub fn element(&self, index: i64) -> Option<&Json> {
        let items = self.array()?;
        let at = match index < 0 {
            true => i64::try_from(items.len()).ok()?.checked_add(index)?,
            false => index,
        };
        items.get(usize::try_from(at).ok()?)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Long(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Real(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::string(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::String(value.into())
    }
}

impl From<Decimal> for Value {
    fn from(value: Decimal) -> Self {
        Value::Decimal(value)
    }
}
