//! Equality and hashes of values by what they hold, bit by bit: equal values print and work alike. What Kusto takes for equal is
//! [`crate::function::operate::equals`].

use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use super::scalar::{Json, Value};

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Long(a), Value::Long(b))
            | (Value::DateTime(a), Value::DateTime(b))
            | (Value::Timespan(a), Value::Timespan(b)) => a == b,
            (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
            (Value::Decimal(a), Value::Decimal(b)) => a == b,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Guid(a), Value::Guid(b)) => a == b,
            (Value::Dynamic(a), Value::Dynamic(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        discriminant(self).hash(state);
        match self {
            Value::Null => {}
            Value::Bool(value) => value.hash(state),
            Value::Int(value) => value.hash(state),
            Value::Long(value) | Value::DateTime(value) | Value::Timespan(value) => {
                value.hash(state);
            }
            Value::Real(value) => value.to_bits().hash(state),
            Value::Decimal(value) => value.hash(state),
            Value::String(text) => text.hash(state),
            Value::Guid(guid) => guid.hash(state),
            Value::Dynamic(json) => json.hash(state),
        }
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Json::Null, Json::Null) => true,
            (Json::Bool(a), Json::Bool(b)) => a == b,
            (Json::Long(a), Json::Long(b))
            | (Json::DateTime(a), Json::DateTime(b))
            | (Json::Timespan(a), Json::Timespan(b)) => a == b,
            (Json::Real(a), Json::Real(b)) => a.to_bits() == b.to_bits(),
            (Json::Big(a), Json::Big(b)) | (Json::String(a), Json::String(b)) => a == b,
            (Json::Guid(a), Json::Guid(b)) => a == b,
            (Json::Array(a), Json::Array(b)) => a == b,
            (Json::Bag(a), Json::Bag(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Json {}

impl Hash for Json {
    fn hash<H: Hasher>(&self, state: &mut H) {
        discriminant(self).hash(state);
        match self {
            Json::Null => {}
            Json::Bool(value) => value.hash(state),
            Json::Long(value) | Json::DateTime(value) | Json::Timespan(value) => value.hash(state),
            Json::Real(value) => value.to_bits().hash(state),
            Json::Big(text) | Json::String(text) => text.hash(state),
            Json::Guid(guid) => guid.hash(state),
            Json::Array(items) => items.hash(state),
            Json::Bag(properties) => properties.hash(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn values_are_equal_by_their_bits() {
        let nan = Value::Real(f64::NAN);
        assert_eq!(nan, nan.clone());
        assert_ne!(Value::Real(0.0), Value::Real(-0.0));
        assert_ne!(Value::Long(1), Value::Int(1));
        assert_ne!(Value::Long(1), Value::DateTime(1));
        let bag = |text| Value::dynamic(Json::parse(text).unwrap_or_default());
        assert_eq!(bag(r#"{"a":[1.5]}"#), bag(r#"{ "a": [1.5] }"#));
        assert_ne!(bag(r#"{"a":1,"b":2}"#), bag(r#"{"b":2,"a":1}"#));
        let all = [nan.clone(), nan, Value::Null, bag("[1]"), bag("[1]")];
        assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 3);
    }
}
