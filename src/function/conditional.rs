//! `iff`, `case`, `coalesce`, `isnull`, …

use super::arguments::{Typed, Want, common, take};
use super::definition::{BARE, Function, lifted};
use crate::function::operate::{arithmetic, arithmetic_type, between, between_type};
use crate::function::operators::ArithmeticOp;
use crate::function::value::{Cell, Type, Value};

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
    ..BARE
};

const ISNULL: Function = lifted! {
    0, |a, _| Cell::Bool(a[0].is_null()),
    name: "isnull",
    arguments: (1, 1),
    doc: "isnull(value): whether the value is null; a string never is",
    example: "print x = isnull(int(null))",
    answer: "True",
    ty: |_| Ok(Type::Bool),
};

const ISNOTNULL: Function = lifted! {
    0, |a, _| Cell::Bool(!a[0].is_null()),
    name: "isnotnull",
    arguments: (1, 1),
    doc: "isnotnull(value): whether the value is not null; a string never is",
    example: "print x = isnotnull(\"\")",
    answer: "True",
    ty: |_| Ok(Type::Bool),
};

const ISEMPTY: Function = lifted! {
    0, |a, _| Cell::Bool(a[0].is_empty()),
    name: "isempty",
    arguments: (1, 1),
    doc: "isempty(value): whether the value is null or an empty string",
    example: "print x = isempty(\"\")",
    answer: "True",
    ty: |_| Ok(Type::Bool),
};

const ISNOTEMPTY: Function = lifted! {
    0, |a, _| Cell::Bool(!a[0].is_empty()),
    name: "isnotempty",
    arguments: (1, 1),
    doc: "isnotempty(value): whether the value is neither null nor an empty string",
    example: "print x = isnotempty(\"a\")",
    answer: "True",
    ty: |_| Ok(Type::Bool),
};

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
        ..BARE
    },
    lifted! {
        0,
        |a, _| {
            let found = a.iter().find(|cell| !cell.is_empty());
            found.or(a.last()).copied().unwrap_or(Cell::Null)
        },
        name: "coalesce",
        arguments: (2, 64),
        doc: "coalesce(value, …): the first value that is not null (of strings, not empty)",
        example: "print x = coalesce(tolong(\"no number\"), 42)",
        answer: "42",
        ty: common,
    },
    lifted! {
        0,
        |a, _| a[0].to_bool().map_or(Cell::Null, |value| Cell::Bool(!value)),
        name: "not",
        arguments: (1, 1),
        doc: "not(condition): the opposite; null of null",
        example: "print x = not(1 > 2)",
        answer: "True",
        ty: |a| take(a, &[Want::Bool], Type::Bool),
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
        ..BARE
    },
    Function {
        name: "max_of",
        arguments: (2, 64),
        doc: "max_of(value, …): the greatest value that is not null",
        example: "print x = max_of(10, 1, -3, 17)",
        answer: "17",
        ty: ordered,
        eval: |_, a| extreme(a, std::cmp::Ordering::Greater),
        ..BARE
    },
    Function {
        name: "min_of",
        arguments: (2, 64),
        doc: "min_of(value, …): the least value that is not null",
        example: "print x = min_of(10, 1, -3, 17)",
        answer: "-3",
        ty: ordered,
        eval: |_, a| extreme(a, std::cmp::Ordering::Less),
        ..BARE
    },
];

fn ordered(arguments: &[Type]) -> Typed {
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
