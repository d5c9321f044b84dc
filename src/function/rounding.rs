//! Numbers and times made coarser: multiples of a size, and digits behind the point.

use super::arguments::or_null;
use crate::function::value::{Decimal, Value};

/// The multiple of `size`, counted from `origin`, at or below a value; nothing for sizes that are not above zero.
pub fn floor(value: i64, size: i64, origin: i64) -> Option<i64> {
    if size <= 0 {
        return None;
    }
    if origin == 0 {
        return value.checked_sub(value.rem_euclid(size));
    }
    let (value, size, origin) = (i128::from(value), i128::from(size), i128::from(origin));
    i64::try_from((value - origin).div_euclid(size) * size + origin).ok()
}

/// The multiple of `size`, counted from `origin`, at or below a value; null for sizes that are not above zero.
pub(super) fn bin(value: &Value, size: &Value, origin: Option<&Value>) -> Value {
    let whole = |value: &Value| match value {
        Value::Int(value) => Some(i64::from(*value)),
        Value::Long(value) => Some(*value),
        _ => None,
    };
    match (value, size) {
        (Value::DateTime(ticks), Value::Timespan(size)) => {
            let origin = origin.map_or(Some(0), Value::to_datetime);
            let ticks = origin.and_then(|origin| floor(*ticks, *size, origin));
            ticks.map_or(Value::Null, Value::datetime)
        }
        (Value::Timespan(ticks), Value::Timespan(size)) => {
            let origin = origin.map_or(Some(0), Value::to_timespan);
            let ticks = origin.and_then(|origin| floor(*ticks, *size, origin));
            ticks.map_or(Value::Null, Value::Timespan)
        }
        (Value::Dynamic(_), Value::Timespan(_)) => match value.to_datetime() {
            Some(ticks) => bin(&Value::DateTime(ticks), size, origin),
            None => Value::Null,
        },
        (value, size) => {
            let start = origin.map_or(Some(0), whole);
            if let (Some(value), Some(size), Some(start)) = (whole(value), whole(size), start) {
                return or_null(floor(value, size, start));
            }
            let exact = |value: &Value| matches!(value, Value::Decimal(_));
            if exact(value) || exact(size) || origin.is_some_and(exact) {
                return or_null(bin_decimal(value, size, origin));
            }
            let start = origin.map_or(Some(0.0), Value::to_real);
            match (value.to_real(), size.to_real(), start) {
                (Some(value), Some(size), Some(start)) if size > 0.0 => {
                    Value::Real(((value - start) / size).floor() * size + start)
                }
                _ => Value::Null,
            }
        }
    }
}

fn bin_decimal(value: &Value, size: &Value, origin: Option<&Value>) -> Option<Decimal> {
    let start = origin.map_or(Some(Decimal::default()), Value::to_decimal)?;
    let (value, size) = (value.to_decimal()?, size.to_decimal()?);
    if !size.is_positive() {
        return None;
    }
    value.minus(value.minus(start)?.modulo(size)?)
}

/// Rounds half away from zero, to so many digits.
pub(super) fn round(value: f64, digits: i64) -> f64 {
    let digits = i32::try_from(digits.clamp(-400, 400)).unwrap_or(0);
    if !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(digits.abs());
    let rounded = match digits < 0 {
        true => (value / scale).round() * scale,
        false => {
            let shifted = value * scale;
            // Beyond 2^52 there are no digits to round.
            match shifted.abs() < 4.5e15 {
                true => shifted.round() / scale,
                false => value,
            }
        }
    };
    match rounded.is_finite() {
        true => rounded,
        false if digits < 0 => 0.0,
        false => value,
    }
}
