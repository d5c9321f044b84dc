//! Order for `sort`, equality for groups and joins.

use std::cmp::Ordering;
use std::sync::Arc;

use super::decimal::Decimal;
use super::scalar::{Json, Value};

/// A value as a key of groups, joins and `distinct`: null equals null, NaN equals NaN, `int` equals `long`, bags are equal
/// whatever the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// null
    Null,
    /// `bool`
    Bool(bool),
    /// `int` and `long`
    Long(i64),
    /// Bits of a `real`.
    Real(u64),
    /// `decimal`
    Decimal(Decimal),
    /// `string`
    String(Arc<str>),
    /// `datetime`
    DateTime(i64),
    /// `timespan`
    Timespan(i64),
    /// `guid`
    Guid(u128),
    /// Canonical JSON text of a `dynamic`.
    Dynamic(String),
}

fn bits(value: f64) -> u64 {
    if value.is_nan() {
        return f64::NAN.to_bits();
    }
    // Both zeros are one.
    (value + 0.0).to_bits()
}

/// Numbers by size, NaN first, as in Kusto's `sort`.
pub(in crate::function) fn order_reals(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

/// A `long` and a `real` by size, without losing digits of the `long`.
pub(in crate::function) fn order_long_real(a: i64, b: f64) -> Ordering {
    if b.is_nan() {
        return Ordering::Greater;
    }
    if b >= 9_223_372_036_854_775_808.0 {
        return Ordering::Less;
    }
    if b < -9_223_372_036_854_775_808.0 {
        return Ordering::Greater;
    }
    // In range, so that cutting off is exact.
    let whole = b.trunc();
    a.cmp(&(whole as i64))
        .then(0.0f64.partial_cmp(&(b - whole)).unwrap_or(Ordering::Equal))
}

/// A `decimal` and a `real` by size; the `real` is what its shortest text says.
fn order_decimal_real(a: Decimal, b: f64) -> Ordering {
    match Decimal::from_real(b) {
        Some(b) => a.cmp(&b),
        // What is no number comes first.
        None if b.is_nan() => Ordering::Greater,
        // Larger than any decimal, or nearer to 0 than any but 0 itself.
        None if b.abs() >= 1.0 => 0.0f64.partial_cmp(&b).unwrap_or(Ordering::Equal),
        None => order_reals(a.to_real(), b),
    }
}

impl Value {
    /// The key under which groups and joins find it.
    pub fn key(&self) -> Key {
        match self {
            Value::Null => Key::Null,
            Value::Bool(value) => Key::Bool(*value),
            Value::Int(value) => Key::Long(i64::from(*value)),
            Value::Long(value) => Key::Long(*value),
            Value::Real(value) => Key::Real(bits(*value)),
            Value::Decimal(value) => Key::Decimal(*value),
            Value::String(text) => Key::String(Arc::clone(text)),
            Value::DateTime(ticks) => Key::DateTime(*ticks),
            Value::Timespan(ticks) => Key::Timespan(*ticks),
            Value::Guid(guid) => Key::Guid(*guid),
            Value::Dynamic(json) => match &**json {
                Json::Null => Key::Null,
                json => Key::Dynamic(json.canonical_text()),
            },
        }
    }

    /// Order of `sort … asc` with nulls first: null, then NaN, then by value; strings by their bytes. Total, also between
    /// types.
    pub fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::DateTime(a), Value::DateTime(b)) | (Value::Timespan(a), Value::Timespan(b)) => {
                a.cmp(b)
            }
            (Value::Guid(a), Value::Guid(b)) => a.cmp(b),
            (Value::Dynamic(a), Value::Dynamic(b)) => a.order(b),
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => a.order(b),
                _ => self.rank().cmp(&other.rank()),
            },
        }
    }

    fn number(&self) -> Option<Number> {
        match self {
            Value::Int(value) => Some(Number::Long(i64::from(*value))),
            Value::Long(value) => Some(Number::Long(*value)),
            Value::Real(value) => Some(Number::Real(*value)),
            Value::Decimal(value) => Some(Number::Decimal(*value)),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Int(_) | Value::Long(_) | Value::Real(_) | Value::Decimal(_) => 2,
            Value::DateTime(_) => 3,
            Value::Timespan(_) => 4,
            Value::String(_) => 5,
            Value::Guid(_) => 6,
            Value::Dynamic(_) => 7,
        }
    }
}

/// A number of any kind.
#[derive(Clone, Copy)]
enum Number {
    Long(i64),
    Real(f64),
    Decimal(Decimal),
}

impl Number {
    fn order(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Long(a), Number::Long(b)) => a.cmp(&b),
            (Number::Real(a), Number::Real(b)) => order_reals(a, b),
            (Number::Long(a), Number::Real(b)) => order_long_real(a, b),
            (Number::Real(a), Number::Long(b)) => order_long_real(b, a).reverse(),
            (Number::Decimal(a), Number::Decimal(b)) => a.cmp(&b),
            (Number::Long(a), Number::Decimal(b)) => Decimal::from(a).cmp(&b),
            (Number::Decimal(a), Number::Long(b)) => a.cmp(&Decimal::from(b)),
            (Number::Decimal(a), Number::Real(b)) => order_decimal_real(a, b),
            (Number::Real(a), Number::Decimal(b)) => order_decimal_real(b, a).reverse(),
        }
    }
}

impl Json {
    /// Order of `array_sort_asc`: null, numbers, datetimes, timespans, strings, guids, then all else by its text. Total.
    pub fn order(&self, other: &Json) -> Ordering {
        match (self, other) {
            (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
            (Json::String(a), Json::String(b)) => a.cmp(b),
            (Json::DateTime(a), Json::DateTime(b)) | (Json::Timespan(a), Json::Timespan(b)) => {
                a.cmp(b)
            }
            (Json::Guid(a), Json::Guid(b)) => a.cmp(b),
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => a.order(b).then_with(|| match (self, other) {
                    // Their text tells more than the nearest reals.
                    (Json::Big(a), Json::Big(b)) => a.cmp(b),
                    _ => Ordering::Equal,
                }),
                _ => self.rank().cmp(&other.rank()).then_with(|| {
                    match matches!(self, Json::Array(_) | Json::Bag(_)) {
                        true => self.canonical_text().cmp(&other.canonical_text()),
                        false => Ordering::Equal,
                    }
                }),
            },
        }
    }

    /// Whether both are the same value: numbers by size, bags whatever the order of their keys.
    pub fn same(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Array(a), Json::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Json::Bag(_), Json::Bag(_)) => self.canonical_text() == other.canonical_text(),
            _ => self.rank() == other.rank() && self.order(other) == Ordering::Equal,
        }
    }

    fn number(&self) -> Option<Number> {
        match self {
            Json::Long(value) => Some(Number::Long(*value)),
            Json::Real(value) => Some(Number::Real(*value)),
            Json::Big(text) => text.parse().ok().map(Number::Real),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Json::Null => 0,
            Json::Long(_) | Json::Real(_) | Json::Big(_) => 1,
            Json::DateTime(_) => 2,
            Json::Timespan(_) => 3,
            Json::String(_) => 4,
            Json::Guid(_) => 5,
            Json::Bool(_) => 6,
            Json::Array(_) => 7,
            Json::Bag(_) => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ignore_what_kusto_ignores() {
        assert_eq!(Value::Int(1).key(), Value::Long(1).key());
        assert_eq!(Value::Real(-0.0).key(), Value::Real(0.0).key());
        assert_eq!(Value::Real(f64::NAN).key(), Value::Real(-f64::NAN).key());
        let bag = |text| Value::dynamic(Json::parse(text).unwrap_or_default()).key();
        assert_eq!(bag(r#"{"a":1,"b":2}"#), bag(r#"{"b":2,"a":1}"#));
        assert_ne!(bag("[1,2]"), bag("[2,1]"));
    }

    #[test]
    fn sort_puts_null_and_nan_first() {
        let mut values = [
            Value::Real(1.0),
            Value::Null,
            Value::Real(f64::NAN),
            Value::Real(f64::NEG_INFINITY),
        ];
        values.sort_by(Value::order);
        assert!(values[0].is_null());
        assert_eq!(values[2], Value::Real(f64::NEG_INFINITY));
        assert_eq!(
            order_long_real(i64::MAX, 9_223_372_036_854_775_807.0),
            Ordering::Less
        );
        assert_eq!(order_long_real(-3, -3.5), Ordering::Greater);
    }

    #[test]
    fn decimals_are_ordered_by_size_among_all_numbers() {
        let decimal = |text: &str| Value::from(text).convert(super::super::Type::Decimal);
        let rising = [
            Value::Null,
            Value::Real(f64::NAN),
            Value::Real(f64::NEG_INFINITY),
            Value::Real(-1e300),
            decimal("-1e37"),
            Value::Long(i64::MIN),
            Value::Real(-1e-300),
            decimal("0"),
            Value::Real(1e-300),
            decimal("0.1"),
            decimal("0.10000000000000000001"),
            Value::Real(0.2),
            decimal("9223372036854775806.5"),
            Value::Long(i64::MAX),
            decimal("9223372036854775807.5"),
            Value::Real(f64::INFINITY),
        ];
        for pair in rising.windows(2) {
            assert_eq!(pair[0].order(&pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(pair[1].order(&pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(decimal("0.1").order(&Value::Real(0.1)), Ordering::Equal);
        assert_eq!(decimal("1.0").key(), decimal("1").key());
    }
}
