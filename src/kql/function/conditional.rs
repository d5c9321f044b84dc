//! `iff`, `case`, `coalesce`, `isnull`, …

use super::{Function, Want, common, take};
use crate::kql::ast::ArithmeticOp;
use crate::kql::operate::{arithmetic, arithmetic_type, between, between_type};
use crate::kql::value::{Json, Type, Value};

const IFF: Function = Function {
    name: "iff",
    arguments: (3, 3),
    doc: "iff(condition, then, else): `then` where the condition holds, else (also where it is null) `else`",
    example: "print x = iff(1 < 2, \"yes\", \"no\")",
    answer: "yes",
    ty: |a| {
        take(&a[..1], &[Want::Bool], Type::Bool)?;
        common(&a[1..])
    },
    eval: |_, a| match a[0].to_bool() {
        Some(true) => a[1].clone(),
        _ => a[2].clone(),
    },
};

const ISNULL: Function = Function {
    name: "isnull",
    arguments: (1, 1),
    doc: "isnull(value): whether the value is null; a string never is",
    example: "print x = isnull(int(null))",
    answer: "True",
    ty: |_| Ok(Type::Bool),
    eval: |_, a| Value::Bool(a[0].is_null()),
};

const ISNOTNULL: Function = Function {
    name: "isnotnull",
    doc: "isnotnull(value): whether the value is not null; a string never is",
    example: "print x = isnotnull(\"\")",
    eval: |_, a| Value::Bool(!a[0].is_null()),
    ..ISNULL
};

const ISEMPTY: Function = Function {
    name: "isempty",
    doc: "isempty(value): whether the value is null or an empty string",
    example: "print x = isempty(\"\")",
    eval: |_, a| Value::Bool(is_empty(&a[0])),
    ..ISNULL
};

const ISNOTEMPTY: Function = Function {
    name: "isnotempty",
    doc: "isnotempty(value): whether the value is neither null nor an empty string",
    example: "print x = isnotempty(\"a\")",
    eval: |_, a| Value::Bool(!is_empty(&a[0])),
    ..ISNULL
};

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Dynamic(json) => matches!(&**json, Json::String(text) if text.is_empty()),
        _ => false,
    }
}

pub(super) const TABLE: &[Function] = &[
    IFF,
    IFF.named("iif"),
    ISNULL,
    ISNOTNULL,
    ISNOTNULL.named("notnull"),
    ISEMPTY,
    ISNOTEMPTY,
    ISNOTEMPTY.named("notempty"),
    Function {
        name: "case",
        arguments: (3, usize::MAX),
        doc: "case(condition, then, …, else): the value behind the first condition that holds, else the last",
        example: "print x = case(1 > 2, \"a\", 2 > 1, \"b\", \"c\")",
        answer: "b",
        ty: |a| {
            if a.len() % 2 == 0 {
                return Err(
                    "takes pairs of a condition and a value, and one last value for all else"
                        .to_owned(),
                );
            }
            let mut branches = Vec::new();
            for (i, pair) in a.chunks(2).enumerate() {
                match pair {
                    [condition, then] => {
                        if !Want::Bool.takes(*condition) {
                            let have = condition.name();
                            return Err(format!(
                                "argument {} must be a bool, not a {have}",
                                2 * i + 1
                            ));
                        }
                        branches.push(*then);
                    }
                    other => branches.extend(other),
                }
            }
            common(&branches)
        },
        eval: |_, a| {
            for pair in a.chunks(2) {
                match pair {
                    [condition, then] if condition.to_bool() == Some(true) => return then.clone(),
                    [last] => return last.clone(),
                    _ => {}
                }
            }
            Value::Null
        },
    },
    Function {
        name: "coalesce",
        arguments: (2, 64),
        doc: "coalesce(value, …): the first value that is not null (of strings, not empty)",
        example: "print x = coalesce(tolong(\"no number\"), 42)",
        answer: "42",
        ty: common,
        eval: |_, a| {
            let mut values = a.iter();
            let found = values.find(|value| !is_empty(value));
            found.or(a.last()).cloned().unwrap_or_default()
        },
    },
    Function {
        name: "not",
        arguments: (1, 1),
        doc: "not(condition): the opposite; null of null",
        example: "print x = not(1 > 2)",
        answer: "True",
        ty: |a| take(a, &[Want::Bool], Type::Bool),
        eval: |_, a| {
            a[0].to_bool()
                .map_or(Value::Null, |value| Value::Bool(!value))
        },
    },
    Function {
        name: "around",
        arguments: (3, 3),
        doc: "around(value, centre, distance): whether the value is not farther from the centre; null with a null",
        example: "print x = around(datetime(2021-01-01 01:29), datetime(2021-01-01 01:30), 1min)",
        answer: "True",
        ty: |a| {
            let low = arithmetic_type(ArithmeticOp::Subtract, a[1], a[2])?;
            let high = arithmetic_type(ArithmeticOp::Add, a[1], a[2])?;
            between_type(a[0], low, high).map(|()| Type::Bool)
        },
        eval: |_, a| match a.iter().any(Value::is_null) {
            true => Value::Null,
            false => {
                let low = arithmetic(ArithmeticOp::Subtract, &a[1], &a[2]);
                let high = arithmetic(ArithmeticOp::Add, &a[1], &a[2]);
                between(false, &a[0], &low, &high)
            }
        },
    },
    Function {
        name: "max_of",
        arguments: (2, 64),
        doc: "max_of(value, …): the greatest value that is not null",
        example: "print x = max_of(10, 1, -3, 17)",
        answer: "17",
        ty: ordered,
        eval: |_, a| extreme(a, std::cmp::Ordering::Greater),
    },
    Function {
        name: "min_of",
        arguments: (2, 64),
        doc: "min_of(value, …): the least value that is not null",
        example: "print x = min_of(10, 1, -3, 17)",
        answer: "-3",
        ty: ordered,
        eval: |_, a| extreme(a, std::cmp::Ordering::Less),
    },
];

fn ordered(arguments: &[Type]) -> super::Typed {
    match common(arguments)? {
        Type::Dynamic => Err("takes no dynamic values; convert them".to_owned()),
        Type::Guid => Err("a guid has no order".to_owned()),
        ty => Ok(ty),
    }
}

fn extreme(values: &[Value], wanted: std::cmp::Ordering) -> Value {
    // A dynamic among them counts as what the others are.
    let plain = values
        .iter()
        .filter_map(Value::ty)
        .find(|ty| *ty != Type::Dynamic);
    let mut best = Value::Null;
    for value in values {
        let value = match (value, plain) {
            (Value::Dynamic(_), Some(ty)) => value.convert(ty),
            _ => value.clone(),
        };
        if !value.is_null() && (best.is_null() || value.order(&best) == wanted) {
            best = value;
        }
    }
    best
}
