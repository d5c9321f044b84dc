//! `+ - * / %` and the sign.

use crate::function::operators::ArithmeticOp;
use crate::function::value::{Decimal, Json, Type, Value};

fn symbol(op: ArithmeticOp) -> &'static str {
    match op {
        ArithmeticOp::Add => "+",
        ArithmeticOp::Subtract => "-",
        ArithmeticOp::Multiply => "*",
        ArithmeticOp::Divide => "/",
        ArithmeticOp::Modulo => "%",
    }
}

/// Rank among numbers; the result of an operation has the greater one.
fn number_rank(ty: Type) -> Option<u8> {
    match ty {
        Type::Int => Some(0),
        Type::Long => Some(1),
        Type::Real => Some(2),
        Type::Decimal => Some(3),
        _ => None,
    }
}

/// The type of `a op b`. Whole numbers always give a `long`.
///
/// # Errors
///
/// Where Kusto has no such operation.
pub fn arithmetic_type(op: ArithmeticOp, a: Type, b: Type) -> Result<Type, String> {
    use ArithmeticOp as O;
    use Type as T;
    if let (Some(left), Some(right)) = (number_rank(a), number_rank(b)) {
        let widest = if left > right { a } else { b };
        return Ok(if widest == T::Int { T::Long } else { widest });
    }
    let number = |ty| number_rank(ty).is_some();
    let ty = match (op, a, b) {
        (_, T::Dynamic, T::Dynamic) => T::Dynamic,
        (_, T::Dynamic, T::Int) | (_, T::Int, T::Dynamic) => T::Long,
        (O::Subtract, T::Dynamic, T::DateTime) | (O::Subtract, T::DateTime, T::Dynamic) => {
            T::Timespan
        }
        (O::Add | O::Subtract, T::Dynamic, T::DateTime | T::Timespan) => b,
        (O::Add | O::Subtract, T::DateTime | T::Timespan, T::Dynamic) => a,
        (_, T::Dynamic, _) if number(b) => b,
        (_, _, T::Dynamic) if number(a) => a,
        (O::Add | O::Subtract | O::Modulo, T::Timespan, T::Timespan) => T::Timespan,
        (O::Add | O::Subtract, T::DateTime, T::Timespan) | (O::Add, T::Timespan, T::DateTime) => {
            T::DateTime
        }
        (O::Subtract, T::DateTime, T::DateTime) => T::Timespan,
        (O::Multiply | O::Divide, T::Timespan, _) if number(b) => T::Timespan,
        (O::Multiply, _, T::Timespan) if number(a) => T::Timespan,
        (O::Divide, T::Timespan | T::DateTime, T::Timespan) => T::Real,
        (O::Modulo, T::DateTime, T::Timespan) => T::Timespan,
        _ => {
            let (left, right, op) = (a.name(), b.name(), symbol(op));
            let hint = match (a, b) {
                (T::String, _) | (_, T::String) if op == "+" => "; `strcat` joins strings",
                _ => "",
            };
            return Err(format!("`{op}` does not take a {left} and a {right}{hint}"));
        }
    };
    Ok(ty)
}

/// The value of `a op b`; null where one of them is null, where the result has no value (`1 / 0`) or is out of range of a
/// `datetime`. A `long` that overflows wraps.
pub fn arithmetic(op: ArithmeticOp, a: &Value, b: &Value) -> Value {
    use Value as V;
    match (a, b) {
        (V::Null, _) | (_, V::Null) => V::Null,
        (V::Dynamic(_), V::Dynamic(_)) => match (plain(a), plain(b)) {
            (Some(a), Some(b)) => V::dynamic(Json::from_value(&calculate(op, &a, &b))),
            _ => V::Null,
        },
        (V::Dynamic(_), other) => with_dynamic(op, a, other, true),
        (other, V::Dynamic(_)) => with_dynamic(op, b, other, false),
        _ => calculate(op, a, b),
    }
}

/// A number or time of a `dynamic`.
fn plain(value: &Value) -> Option<Value> {
    match value {
        Value::Dynamic(json) => json.scalar(),
        _ => None,
    }
}

/// An operation with a `dynamic` on one side: it becomes what the other side is.
fn with_dynamic(op: ArithmeticOp, dynamic: &Value, other: &Value, left: bool) -> Value {
    let ty = match other {
        Value::Int(_) => Type::Long,
        other => other.ty().unwrap_or(Type::Dynamic),
    };
    let converted = match (op, other) {
        // A date and a `dynamic`: a time span is added, a date or time span subtracted.
        (ArithmeticOp::Add, Value::DateTime(_)) => dynamic.convert(Type::Timespan),
        (ArithmeticOp::Add | ArithmeticOp::Subtract, Value::Timespan(_)) => {
            match plain(dynamic).and_then(|value| value.to_datetime().filter(|_| is_date(&value))) {
                Some(date) => Value::DateTime(date),
                None => dynamic.convert(Type::Timespan),
            }
        }
        _ => dynamic.convert(ty),
    };
    match left {
        true => arithmetic(op, &converted, other),
        false => arithmetic(op, other, &converted),
    }
}

fn is_date(value: &Value) -> bool {
    matches!(value, Value::DateTime(_) | Value::String(_))
}

fn calculate(op: ArithmeticOp, a: &Value, b: &Value) -> Value {
    use Value as V;
    let (Some(left), Some(right)) = (a.ty(), b.ty()) else {
        return V::Null;
    };
    if matches!(left, Type::Decimal) || matches!(right, Type::Decimal) {
        return with_decimal(op, a, b);
    }
    let Some(joined) = joined(op, left, right) else {
        return V::Null;
    };
    let whole = |ticks: Option<i64>| {
        ticks.map_or(V::Null, |n| match arithmetic_type(op, left, right) {
            Ok(Type::DateTime) => V::DateTime(n),
            Ok(Type::Timespan) => V::Timespan(n),
            _ => V::Long(n),
        })
    };
    match (joined, ticks(a), ticks(b)) {
        (Joined::Whole(f), Some(a), Some(b)) => whole(f(a, b)),
        (Joined::Ratio(f), Some(a), Some(b)) => V::Real(f(a, b)),
        (Joined::Scaled(f), Some(a), _) => whole(number(b).and_then(|b| f(a, b))),
        (Joined::ScaledBy(f), _, Some(b)) => whole(number(a).and_then(|a| f(b, a))),
        (Joined::Real(f), ..) => match (number(a), number(b)) {
            (Some(a), Some(b)) => V::Real(f(a, b)),
            _ => V::Null,
        },
        _ => V::Null,
    }
}

/// An operation one side of which is a decimal, which is neither infinite nor NaN.
fn with_decimal(op: ArithmeticOp, a: &Value, b: &Value) -> Value {
    use ArithmeticOp as O;
    use Value as V;
    let span = |ticks: Option<i64>| ticks.map_or(V::Null, V::Timespan);
    match (op, a, b) {
        (O::Multiply, V::Timespan(ticks), V::Decimal(by))
        | (O::Multiply, V::Decimal(by), V::Timespan(ticks)) => {
            span(Decimal::from(*ticks).times(*by).and_then(Decimal::to_long))
        }
        (O::Divide, V::Timespan(ticks), V::Decimal(by)) => {
            span(Decimal::from(*ticks).over(*by).and_then(Decimal::to_long))
        }
        _ if number(a).is_none() || number(b).is_none() => V::Null,
        _ => {
            let both = a.to_decimal().zip(b.to_decimal());
            let value = both.and_then(|(a, b)| decimals(op, a, b));
            value.map_or(V::Null, V::Decimal)
        }
    }
}

/// How two values that are whole or real numbers, or ticks, become one.
#[derive(Clone, Copy)]
pub enum Joined {
    /// Whole numbers or ticks.
    Whole(fn(i64, i64) -> Option<i64>),
    /// Reals, or whole numbers beside reals.
    Real(fn(f64, f64) -> f64),
    /// Ticks, to a real.
    Ratio(fn(i64, i64) -> f64),
    /// Ticks and a real, to ticks.
    Scaled(fn(i64, f64) -> Option<i64>),
    /// The same of a real and ticks; the function takes the ticks first.
    ScaledBy(fn(i64, f64) -> Option<i64>),
}

/// How `a op b` is worked out for values of these types that are not null; nothing for decimals, dynamics, and where there is no such
/// operation.
pub fn joined(op: ArithmeticOp, a: Type, b: Type) -> Option<Joined> {
    use ArithmeticOp as O;
    use Type as T;
    let whole = |ty| matches!(ty, T::Int | T::Long);
    let number = |ty| matches!(ty, T::Int | T::Long | T::Real);
    Some(match (op, a, b) {
        _ if whole(a) && whole(b) => Joined::Whole(longs(op)),
        _ if number(a) && number(b) => Joined::Real(reals(op)),
        (O::Add, T::Timespan, T::Timespan) => Joined::Whole(i64::checked_add),
        (O::Subtract, T::Timespan, T::Timespan) | (O::Subtract, T::DateTime, T::DateTime) => {
            Joined::Whole(i64::checked_sub)
        }
        (O::Modulo, T::Timespan | T::DateTime, T::Timespan) => Joined::Whole(longs(O::Modulo)),
        (O::Add, T::DateTime, T::Timespan) | (O::Add, T::Timespan, T::DateTime) => {
            Joined::Whole(|a, b| a.checked_add(b).filter(|t| is_datetime(*t)))
        }
        (O::Subtract, T::DateTime, T::Timespan) => {
            Joined::Whole(|a, b| a.checked_sub(b).filter(|t| is_datetime(*t)))
        }
        (O::Divide, T::Timespan | T::DateTime, T::Timespan) => {
            Joined::Ratio(|a, b| a as f64 / b as f64)
        }
        (O::Multiply, T::Timespan, by) | (O::Multiply, by, T::Timespan) if whole(by) => {
            Joined::Whole(i64::checked_mul)
        }
        (O::Divide, T::Timespan, by) if whole(by) => Joined::Whole(i64::checked_div),
        (O::Multiply, T::Timespan, T::Real) => Joined::Scaled(|a, by| cut(a as f64 * by)),
        (O::Multiply, T::Real, T::Timespan) => Joined::ScaledBy(|a, by| cut(a as f64 * by)),
        (O::Divide, T::Timespan, T::Real) => Joined::Scaled(|a, by| cut(a as f64 / by)),
        _ => return None,
    })
}

/// Whole numbers, and ticks.
fn ticks(value: &Value) -> Option<i64> {
    match value {
        Value::DateTime(ticks) | Value::Timespan(ticks) => Some(*ticks),
        other => whole(other),
    }
}

/// Whether a date has so many ticks.
fn is_datetime(ticks: i64) -> bool {
    Value::datetime(ticks) != Value::Null
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(i64::from(*value)),
        Value::Long(value) => Some(*value),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(f64::from(*value)),
        Value::Long(value) => Some(*value as f64),
        Value::Real(value) => Some(*value),
        Value::Decimal(value) => Some(value.to_real()),
        _ => None,
    }
}

/// The whole part where it fits.
fn cut(value: f64) -> Option<i64> {
    (value.abs() < 9.223_372_036_854_775e18).then_some(value as i64)
}

fn longs(op: ArithmeticOp) -> fn(i64, i64) -> Option<i64> {
    match op {
        ArithmeticOp::Add => |a, b| Some(a.wrapping_add(b)),
        ArithmeticOp::Subtract => |a, b| Some(a.wrapping_sub(b)),
        ArithmeticOp::Multiply => |a, b| Some(a.wrapping_mul(b)),
        ArithmeticOp::Divide => |a, b| (b != 0).then(|| a.wrapping_div(b)),
        // Never negative.
        ArithmeticOp::Modulo => |a, b| (b != 0).then(|| a.wrapping_rem_euclid(b)),
    }
}

fn reals(op: ArithmeticOp) -> fn(f64, f64) -> f64 {
    match op {
        ArithmeticOp::Add => |a, b| a + b,
        ArithmeticOp::Subtract => |a, b| a - b,
        ArithmeticOp::Multiply => |a, b| a * b,
        ArithmeticOp::Divide => |a, b| a / b,
        ArithmeticOp::Modulo => f64::rem_euclid,
    }
}

fn decimals(op: ArithmeticOp, a: Decimal, b: Decimal) -> Option<Decimal> {
    match op {
        ArithmeticOp::Add => a.plus(b),
        ArithmeticOp::Subtract => a.minus(b),
        ArithmeticOp::Multiply => a.times(b),
        ArithmeticOp::Divide => a.over(b),
        ArithmeticOp::Modulo => a.modulo(b),
    }
}

/// The type of `-a` and `+a`.
///
/// # Errors
///
/// Where it is neither a number nor a time span.
pub fn negate_type(ty: Type) -> Result<Type, String> {
    match ty {
        Type::Int => Ok(Type::Long),
        Type::Long | Type::Real | Type::Decimal | Type::Timespan | Type::Dynamic => Ok(ty),
        other => Err(format!(
            "a sign stands before a number or timespan, not before a {}",
            other.name()
        )),
    }
}

/// The value of `-a`.
pub fn negate(value: &Value) -> Value {
    match value {
        Value::Int(value) => Value::Long(-i64::from(*value)),
        Value::Long(value) => Value::Long(value.wrapping_neg()),
        Value::Real(value) => Value::Real(-value),
        Value::Decimal(value) => Value::Decimal(-*value),
        Value::Timespan(ticks) => Value::Timespan(ticks.wrapping_neg()),
        Value::Dynamic(json) => match json.scalar() {
            Some(value) => Value::dynamic(Json::from_value(&negate(&value))),
            None => Value::Null,
        },
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ArithmeticOp::{Add, Divide, Modulo, Multiply, Subtract};

    fn long(op: ArithmeticOp, a: i64, b: i64) -> Value {
        arithmetic(op, &Value::Long(a), &Value::Long(b))
    }

    #[test]
    fn whole_numbers_wrap_and_are_cut_off() {
        assert_eq!(long(Add, i64::MAX, 1), Value::Long(i64::MIN));
        assert_eq!(long(Divide, -7, 2), Value::Long(-3));
        assert_eq!(long(Divide, i64::MIN, -1), Value::Long(i64::MIN));
        assert_eq!(long(Modulo, i64::MIN, -1), Value::Long(0));
        assert_eq!(long(Modulo, -14, -12), Value::Long(10));
        assert_eq!(long(Divide, 1, 0), Value::Null);
        assert_eq!(
            arithmetic_type(Multiply, Type::Int, Type::Int),
            Ok(Type::Long)
        );
        assert_eq!(negate(&Value::Int(i32::MIN)), Value::Long(2_147_483_648));
    }

    #[test]
    fn decimals_stay_exact_beside_all_numbers() {
        let decimal = |text: &str| Value::from(text).convert(Type::Decimal);
        let (tenth, nan) = (decimal("0.1"), Value::Real(f64::NAN));
        assert_eq!(arithmetic(Add, &tenth, &decimal("0.2")), decimal("0.3"));
        assert_eq!(arithmetic(Add, &tenth, &Value::Real(0.2)), decimal("0.3"));
        assert_eq!(arithmetic(Multiply, &Value::Int(3), &tenth), decimal("0.3"));
        assert_eq!(arithmetic(Divide, &tenth, &Value::Long(0)), Value::Null);
        assert_eq!(arithmetic(Add, &tenth, &nan), Value::Null);
        assert_eq!(
            arithmetic(Multiply, &Value::Timespan(90), &tenth),
            Value::Timespan(9)
        );
        assert_eq!(
            arithmetic(Divide, &Value::Timespan(9), &tenth),
            Value::Timespan(90)
        );
        assert_eq!(negate(&tenth), decimal("-0.1"));
    }

    #[test]
    fn dates_out_of_range_are_null() {
        let (date, span) = (Value::DateTime(0), Value::Timespan(1));
        assert_eq!(arithmetic(Subtract, &date, &span), Value::Null);
        assert_eq!(arithmetic(Add, &date, &span), Value::DateTime(1));
        assert_eq!(
            arithmetic(Multiply, &Value::Timespan(i64::MAX), &Value::Real(2.0)),
            Value::Null
        );
    }

    #[test]
    fn a_dynamic_becomes_what_the_other_side_is() {
        let five = Value::dynamic(Json::String("5".into()));
        assert_eq!(arithmetic(Add, &five, &Value::Long(1)), Value::Long(6));
        assert_eq!(
            arithmetic_type(Add, Type::Dynamic, Type::Int),
            Ok(Type::Long)
        );
        let hint = arithmetic_type(Add, Type::String, Type::String);
        assert!(hint.is_err_and(|message| message.contains("strcat")));
    }
}
