//! `== != < <= > >=` and `between`.

use std::cmp::Ordering;

use super::arithmetic::arithmetic;
use super::logic::{and, truth};
use crate::function::operators::{ArithmeticOp, CompareOp};
use crate::function::value::{
    Json, Type, Value, read_bool, read_datetime, read_guid, read_timespan,
};

fn is_number(ty: Type) -> bool {
    matches!(ty, Type::Int | Type::Long | Type::Real | Type::Decimal)
}

fn refused(a: Type, b: Type) -> String {
    let (a, b) = (a.name(), b.name());
    format!("a {a} cannot be compared with a {b}; convert one of them")
}

/// Whether `a op b` exists.
///
/// # Errors
///
/// Where Kusto refuses it: strings have no order, and two `dynamic` values no equality.
pub fn compare_type(op: CompareOp, a: Type, b: Type) -> Result<(), String> {
    match op {
        CompareOp::Equal | CompareOp::NotEqual => equality_type(a, b),
        _ => order_type(a, b),
    }
}

/// Whether `a == b` exists.
///
/// # Errors
///
/// Where Kusto refuses it.
pub fn equality_type(a: Type, b: Type) -> Result<(), String> {
    use Type as T;
    let simple = |ty| is_number(ty) || ty == T::Bool;
    match (a, b) {
        (T::Dynamic, T::Dynamic) => Err(refused(a, b)),
        (T::Dynamic | T::String, _) | (_, T::Dynamic | T::String) => Ok(()),
        _ if a == b || simple(a) && simple(b) => Ok(()),
        _ => Err(refused(a, b)),
    }
}

/// Whether `a < b` exists.
///
/// # Errors
///
/// Where Kusto refuses it.
pub fn order_type(a: Type, b: Type) -> Result<(), String> {
    use Type as T;
    let simple = |ty| is_number(ty) || ty == T::Bool;
    let timed = |ty| matches!(ty, T::DateTime | T::Timespan);
    match (a, b) {
        (T::Dynamic, other) | (other, T::Dynamic)
            if simple(other) || timed(other) || other == T::Dynamic =>
        {
            Ok(())
        }
        _ if simple(a) && simple(b) || timed(a) && a == b => Ok(()),
        (T::String, T::String) => Err(
            "strings have no order in Kusto; `strcmp(a, b) < 0` compares them, `tolong` converts"
                .to_owned(),
        ),
        _ => Err(refused(a, b)),
    }
}

/// `a op b`: true, false or null.
pub fn compare(op: CompareOp, a: &Value, b: &Value) -> Value {
    let nan = |value: &Value| matches!(value, Value::Real(value) if value.is_nan());
    let holds = match op {
        CompareOp::Equal => equality(a, b),
        CompareOp::NotEqual => equality(a, b).map(|same| !same),
        _ => order(a, b).map(|order| match op {
            // NaN is neither less nor greater.
            _ if nan(a) || nan(b) => false,
            CompareOp::Less => order.is_lt(),
            CompareOp::LessEqual => order.is_le(),
            CompareOp::Greater => order.is_gt(),
            _ => order.is_ge(),
        }),
    };
    truth(holds)
}

/// One null makes `==` false and `!=` true, two make both null. NaN equals nothing.
fn equality(a: &Value, b: &Value) -> Option<bool> {
    let nan = |value: &Value| matches!(value, Value::Real(value) if value.is_nan());
    match (a.is_null(), b.is_null()) {
        (true, true) => None,
        (true, false) | (false, true) => Some(false),
        (false, false) => Some(!nan(a) && equals(a, b)),
    }
}

/// Whether two values that are not null are equal, converted where their types differ.
pub fn equals(a: &Value, b: &Value) -> bool {
    use Value as V;
    match (a, b) {
        (V::Null, _) | (_, V::Null) => false,
        (V::String(a), V::String(b)) => a == b,
        (V::Dynamic(a), V::Dynamic(b)) => a.same(b),
        (V::Dynamic(json), other) | (other, V::Dynamic(json)) => dynamic_equals(json, other),
        // A string and something else: equal where the string is its text.
        (V::String(text), other) | (other, V::String(text)) => match other {
            V::Bool(value) => read_bool(text) == Some(*value),
            V::DateTime(ticks) => read_datetime(text) == Some(*ticks),
            V::Timespan(ticks) => read_timespan(text) == Some(*ticks),
            V::Guid(guid) => read_guid(text) == Some(*guid),
            number => number.show() == **text,
        },
        (V::Bool(value), number) | (number, V::Bool(value)) => match number {
            V::Bool(other) => value == other,
            number => V::Long(i64::from(*value)).order(number) == Ordering::Equal,
        },
        _ => a.order(b) == Ordering::Equal,
    }
}

/// Whether what a `dynamic` holds equals a value of another type.
fn dynamic_equals(json: &Json, other: &Value) -> bool {
    if let Value::String(text) = other {
        return match json {
            Json::String(own) => own == text,
            json => json.show() == **text,
        };
    }
    if let Value::Decimal(own) = other {
        return json.to_decimal() == Some(*own);
    }
    let Some(scalar) = json.scalar() else {
        return false;
    };
    match (&scalar, other) {
        (Value::Long(_) | Value::Real(_), other) if other.ty().is_some_and(is_number) => {
            equals(&scalar, other)
        }
        (_, other) => {
            let converted = match other.ty() {
                Some(ty) if is_number(ty) && ty != Type::Long => scalar.convert(Type::Real),
                Some(ty) => scalar.convert(ty),
                None => return false,
            };
            equals(&converted, other)
        }
    }
}

/// Order of two values of types that [`order_type`] takes; nothing with a null.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    use Value as V;
    match (a, b) {
        (V::Null, _) | (_, V::Null) => None,
        (V::Dynamic(x), V::Dynamic(y)) => {
            let (x, y) = (x.scalar()?, y.scalar()?);
            let number = |value: &V| value.ty().is_some_and(is_number);
            (x.ty() == y.ty() || number(&x) && number(&y)).then(|| x.order(&y))
        }
        (V::Dynamic(json), other) => Some(beside(json, other)?.order(other)),
        (other, V::Dynamic(json)) => Some(other.order(&beside(json, other)?)),
        (V::Bool(value), other) if !matches!(other, V::Bool(_)) => {
            Some(V::Long(i64::from(*value)).order(other))
        }
        (other, V::Bool(value)) if !matches!(other, V::Bool(_)) => {
            Some(other.order(&V::Long(i64::from(*value))))
        }
        _ => Some(a.order(b)),
    }
}

/// What a `dynamic` holds, as the type of the value beside it.
fn beside(json: &Json, other: &Value) -> Option<Value> {
    if let Value::Decimal(_) = other {
        return json.to_decimal().map(Value::Decimal);
    }
    let scalar = json.scalar()?;
    let value = match (&scalar, other.ty()?) {
        (Value::Long(_) | Value::Real(_), ty) if is_number(ty) => scalar,
        (_, ty) if is_number(ty) => scalar.convert(Type::Real),
        (_, ty) => scalar.convert(ty),
    };
    (!value.is_null()).then_some(value)
}

/// Whether `value between (low .. high)` exists.
///
/// # Errors
///
/// Where Kusto refuses it.
pub fn between_type(value: Type, low: Type, high: Type) -> Result<(), String> {
    order_type(value, low)?;
    match (value, high) {
        // `t between (start .. 1d)`: the end is a distance from the start.
        (Type::DateTime, Type::Timespan) => Ok(()),
        _ => order_type(value, high),
    }
}

/// `value between (low .. high)`, both included; null with a null.
pub fn between(negated: bool, value: &Value, low: &Value, high: &Value) -> Value {
    let sum = match (value, high) {
        (Value::DateTime(_), Value::Timespan(_)) => Some(arithmetic(ArithmeticOp::Add, low, high)),
        _ => None,
    };
    let high = sum.as_ref().unwrap_or(high);
    let holds = |op, a: &Value, b: &Value| match compare(op, a, b) {
        Value::Bool(value) => Some(value),
        _ => None,
    };
    let inside = and(
        holds(CompareOp::GreaterEqual, value, low),
        holds(CompareOp::LessEqual, value, high),
    );
    truth(inside.map(|inside| inside != negated))
}

#[cfg(test)]
mod tests {
    use super::*;
    use CompareOp::{Equal, Greater, Less, NotEqual};

    #[test]
    fn nulls_compare_as_in_kusto() {
        let (one, null) = (Value::Long(1), Value::Null);
        assert_eq!(compare(Equal, &one, &null), Value::Bool(false));
        assert_eq!(compare(NotEqual, &one, &null), Value::Bool(true));
        assert_eq!(compare(Equal, &null, &null), Value::Null);
        assert_eq!(compare(NotEqual, &null, &null), Value::Null);
        assert_eq!(compare(Less, &one, &null), Value::Null);
    }

    #[test]
    fn values_of_different_types_are_converted() {
        assert!(equals(&Value::from("50126"), &Value::Long(50126)));
        assert!(!equals(&Value::from(""), &Value::Long(0)));
        let json = |text: &str| Value::dynamic(Json::parse(text).unwrap_or_default());
        assert!(equals(&json("true"), &Value::Bool(true)));
        assert!(equals(&json("\"True\""), &Value::Bool(true)));
        assert!(equals(&json("1"), &Value::from("1")));
        assert!(!equals(&json("1.5"), &Value::Long(1)));
        assert_eq!(
            compare(Greater, &json("2"), &Value::Real(1.5)),
            Value::Bool(true)
        );
        assert_eq!(
            compare(Greater, &json("[2]"), &Value::Real(1.5)),
            Value::Null
        );
    }

    #[test]
    fn decimals_are_compared_with_all_their_digits() {
        let decimal = |text: &str| Value::from(text).convert(Type::Decimal);
        let json = |text: &str| Value::dynamic(Json::parse(text).unwrap_or_default());
        let long = "12345678901234567890.12";
        assert!(equals(&decimal(long), &json(&format!("\"{long}\""))));
        assert!(!equals(
            &decimal(long),
            &json("\"12345678901234567890.13\"")
        ));
        assert!(equals(&decimal(long), &Value::from(long)));
        assert!(equals(&decimal("0.3"), &Value::Real(0.3)));
        assert!(!equals(&decimal("0.3"), &Value::Real(0.1 + 0.2)));
        assert!(equals(&decimal("1.0"), &Value::Int(1)));
        assert_eq!(
            compare(Less, &decimal(long), &json("\"12345678901234567890.13\"")),
            Value::Bool(true)
        );
        assert_eq!(
            compare(Greater, &decimal(long), &Value::Real(f64::NAN)),
            Value::Bool(false)
        );
    }

    #[test]
    fn nan_equals_nothing() {
        let nan = Value::Real(f64::NAN);
        assert_eq!(compare(Equal, &nan, &nan), Value::Bool(false));
        assert_eq!(
            compare(NotEqual, &nan, &Value::Real(1.0)),
            Value::Bool(true)
        );
        assert_eq!(compare(Less, &nan, &Value::Real(1.0)), Value::Bool(false));
    }

    #[test]
    fn what_kusto_refuses_is_refused() {
        assert!(order_type(Type::String, Type::Long).is_err());
        assert!(order_type(Type::String, Type::String).is_err());
        assert!(equality_type(Type::Dynamic, Type::Dynamic).is_err());
        assert!(equality_type(Type::DateTime, Type::Long).is_err());
        assert!(equality_type(Type::String, Type::Long).is_ok());
        assert!(between_type(Type::DateTime, Type::DateTime, Type::Timespan).is_ok());
    }
}
