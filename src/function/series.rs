//! Series: arrays of numbers, element by element.

use super::arguments::{Typed, Want, items, or_null, take};
use super::definition::{BARE, Function};
use super::environment::Env;
use super::result_name::ResultName;
use crate::function::operate::arithmetic;
use crate::function::operators::ArithmeticOp;
use crate::function::value::{Json, Type, Value};

fn array(items: impl Iterator<Item = Json>) -> Value {
    Value::dynamic(Json::Array(items.collect()))
}

/// The number that an element is.
pub(super) fn number(json: &Json) -> Option<f64> {
    match json {
        Json::Long(value) => Some(*value as f64),
        Json::Real(value) => Some(*value),
        Json::Big(text) => text.parse().ok(),
        _ => None,
    }
}

/// The numbers of a series; nothing where an element is none or is not finite.
pub(super) fn numbers(arguments: &[Value], at: usize) -> Option<Vec<f64>> {
    let numbers = items(arguments, at)?.iter().map(number);
    numbers
        .map(|value| value.filter(|value| value.is_finite()))
        .collect()
}

/// A series of those numbers.
pub(super) fn reals(values: impl IntoIterator<Item = f64>) -> Json {
    Json::Array(values.into_iter().map(Json::Real).collect())
}

/// The outputs of a function of several columns; null where there are none.
pub(super) fn tuple(outputs: Option<impl IntoIterator<Item = Json>>) -> Value {
    outputs.map_or(Value::Null, |outputs| array(outputs.into_iter()))
}

/// Elements of two series, or of one beside a number; missing ones are null.
fn pairs(a: &[Value], f: impl Fn(&Json, &Json) -> Json) -> Value {
    let length = match (items(a, 0), items(a, 1)) {
        (Some(x), Some(y)) => x.len().max(y.len()),
        (Some(one), None) | (None, Some(one)) => one.len(),
        (None, None) => return Value::Null,
    };
    let part = |value: &Value, i: usize| match value.array() {
        Some(items) => items.get(i).cloned().unwrap_or_default(),
        None => Json::from_value(value),
    };
    array((0..length).map(|i| {
        let (x, y) = (part(&a[0], i), part(&a[1], i));
        match number(&x).is_some() && number(&y).is_some() {
            true => f(&x, &y),
            false => Json::Null,
        }
    }))
}

fn calculated(a: &[Value], op: ArithmeticOp) -> Value {
    pairs(a, |x, y| match (x.scalar(), y.scalar()) {
        (Some(x), Some(y)) => Json::from_value(&arithmetic(op, &x, &y)),
        _ => Json::Null,
    })
}

fn compared(a: &[Value], f: impl Fn(f64, f64) -> bool) -> Value {
    pairs(a, |x, y| match (number(x), number(y)) {
        (Some(x), Some(y)) => Json::Bool(f(x, y)),
        _ => Json::Null,
    })
}

fn mapped(a: &[Value], f: impl Fn(f64) -> f64) -> Value {
    match items(a, 0) {
        Some(items) => array(
            items
                .iter()
                .map(|item| number(item).map_or(Json::Null, |x| Json::Real(f(x)))),
        ),
        None => Value::Null,
    }
}

/// Like [`mapped`], but a series without reals keeps its whole numbers.
fn mapped_whole(a: &[Value], whole: impl Fn(i64) -> i64, real: impl Fn(f64) -> f64) -> Value {
    match items(a, 0) {
        Some(items)
            if !items
                .iter()
                .any(|item| matches!(item, Json::Real(_) | Json::Big(_))) =>
        {
            array(items.iter().map(|item| match item {
                Json::Long(value) => Json::Long(whole(*value)),
                _ => Json::Null,
            }))
        }
        _ => mapped(a, real),
    }
}

/// Whether an element is to be filled: null, or equal to the placeholder.
fn missing(item: &Json, placeholder: Option<&Value>) -> bool {
    match placeholder {
        None | Some(Value::Null) => *item == Json::Null,
        Some(value) => item.same(&Json::from_value(value)),
    }
}

fn filled<'j>(items: impl Iterator<Item = &'j Json>, placeholder: Option<&Value>) -> Vec<Json> {
    let mut last: Option<&Json> = None;
    items
        .map(|item| match missing(item, placeholder) {
            true => last.cloned().unwrap_or_else(|| item.clone()),
            false => {
                last = Some(item);
                item.clone()
            }
        })
        .collect()
}

/// Missing elements become the line between the numbers beside them, cut off where all these are whole; at the edges, if at
/// all, the nearest number.
fn filled_linearly(items: &[Json], placeholder: Option<&Value>, edges: bool) -> Option<Vec<Json>> {
    let found = items.iter().enumerate();
    let known: Vec<(usize, &Json, f64)> = found
        .filter(|(_, item)| !missing(item, placeholder))
        .filter_map(|(i, item)| Some((i, item, number(item)?)))
        .collect();
    known.first()?;
    let whole = known
        .iter()
        .all(|(_, item, _)| matches!(item, Json::Long(_)));
    let between = |i: usize, item: &Json| {
        let behind = known.partition_point(|(at, ..)| *at < i);
        let left = behind.checked_sub(1).and_then(|before| known.get(before));
        match (left, known.get(behind)) {
            (Some((from, _, x)), Some((to, _, y))) => {
                let part = (i - from) as f64 / (to - from) as f64;
                let value = x + (y - x) * part;
                match whole {
                    true => Json::Long(value as i64),
                    false => Json::Real(value),
                }
            }
            (Some((_, nearest, _)), None) | (None, Some((_, nearest, _))) if edges => {
                (*nearest).clone()
            }
            _ => item.clone(),
        }
    };
    let found = items.iter().enumerate();
    let filled = found.map(|(i, item)| match missing(item, placeholder) {
        true => between(i, item),
        false => item.clone(),
    });
    Some(filled.collect())
}

/// Two series, or one and a number.
fn two(arguments: &[Type]) -> Typed {
    take(arguments, &[Want::Number], Type::Dynamic)?;
    match arguments.contains(&Type::Dynamic) {
        true => Ok(Type::Dynamic),
        false => Err("one of the arguments must be dynamic: an array".to_owned()),
    }
}

const fn binary(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    eval: fn(&Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (2, 2),
        doc,
        example,
        answer,
        ty: two,
        eval,
        ..BARE
    }
}

const fn unary(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    eval: fn(&Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (1, 1),
        doc,
        example,
        answer,
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval,
        ..BARE
    }
}

const fn fill(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    eval: fn(&Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (1, 2),
        names: ResultName::First,
        doc,
        example,
        answer,
        ty: |a| take(a, &[Want::Dynamic, Want::Number], Type::Dynamic),
        eval,
        ..BARE
    }
}

pub(super) const TABLE: &[Function] = &[
    binary(
        "series_add",
        "series_add(a, b): the sums, element by element",
        "print x = series_add(dynamic([1, 2, 4]), dynamic([4, 2, 1]))",
        "[5,4,5]",
        |_, a| calculated(a, ArithmeticOp::Add),
    ),
    binary(
        "series_subtract",
        "series_subtract(a, b): the differences, element by element",
        "print x = series_subtract(dynamic([1, 2, 4]), dynamic([4, 2, 1]))",
        "[-3,0,3]",
        |_, a| calculated(a, ArithmeticOp::Subtract),
    ),
    binary(
        "series_multiply",
        "series_multiply(a, b): the products, element by element",
        "print x = series_multiply(dynamic([1, 2, 4]), dynamic([4, 2, 1]))",
        "[4,4,4]",
        |_, a| calculated(a, ArithmeticOp::Multiply),
    ),
    binary(
        "series_divide",
        "series_divide(a, b): the quotients, element by element, as reals",
        "print x = series_divide(dynamic([1, 2, 4]), dynamic([4, 2, 1]))",
        "[0.25,1.0,4.0]",
        |_, a| {
            pairs(a, |x, y| match (number(x), number(y)) {
                (Some(x), Some(y)) => Json::Real(x / y),
                _ => Json::Null,
            })
        },
    ),
    binary(
        "series_greater",
        "series_greater(a, b): whether a > b, element by element",
        "print x = series_greater(dynamic([1, 2, 4]), dynamic([4, 2, 1]))",
        "[false,false,true]",
        |_, a| compared(a, |x, y| x > y),
    ),
    binary(
        "series_greater_equals",
        "series_greater_equals(a, b): whether a >= b, element by element",
        "print x = series_greater_equals(dynamic([1, 2, 4]), dynamic([4, 2, 1]))",
        "[false,true,true]",
        |_, a| compared(a, |x, y| x >= y),
    ),
    binary(
        "series_less",
        "series_less(a, b): whether a < b, element by element",
        "print x = series_less(dynamic([1, 2, 4]), dynamic([4, 2, 1]))",
        "[true,false,false]",
        |_, a| compared(a, |x, y| x < y),
    ),
    binary(
        "series_less_equals",
        "series_less_equals(a, b): whether a <= b, element by element",
        "print x = series_less_equals(dynamic([1, 2, 4]), dynamic([4, 2, 1]))",
        "[true,true,false]",
        |_, a| compared(a, |x, y| x <= y),
    ),
    binary(
        "series_equals",
        "series_equals(a, b): whether a == b, element by element",
        "print x = series_equals(dynamic([1, 2, 4]), dynamic([4, 2, 1]))",
        "[false,true,false]",
        |_, a| compared(a, |x, y| x == y),
    ),
    binary(
        "series_not_equals",
        "series_not_equals(a, b): whether a != b, element by element",
        "print x = series_not_equals(dynamic([1, 2, 4]), dynamic([4, 2, 1]))",
        "[true,false,true]",
        |_, a| compared(a, |x, y| x != y),
    ),
    binary(
        "series_pow",
        "series_pow(a, b): a to the power of b, element by element, as reals",
        "print x = series_pow(dynamic([1, 2, 4]), dynamic([4, 2, 0.5]))",
        "[1.0,4.0,2.0]",
        |_, a| {
            pairs(a, |x, y| match (number(x), number(y)) {
                (Some(x), Some(y)) => Json::Real(x.powf(y)),
                _ => Json::Null,
            })
        },
    ),
    unary(
        "series_abs",
        "series_abs(series): each element without its sign",
        "print x = series_abs(dynamic([-6.5, 0]))",
        "[6.5,0.0]",
        |_, a| mapped_whole(a, i64::saturating_abs, f64::abs),
    ),
    unary(
        "series_sign",
        "series_sign(series): -1, 0 or 1 for each element",
        "print x = series_sign(dynamic([-6, 0, 8]))",
        "[-1,0,1]",
        |_, a| {
            mapped_whole(a, i64::signum, |x| match x == 0.0 {
                true => 0.0,
                false => x.signum(),
            })
        },
    ),
    unary(
        "series_ceiling",
        "series_ceiling(series): the least whole number that is not below each element",
        "print x = series_ceiling(dynamic([-1.5, 1, 2.5]))",
        "[-1.0,1.0,3.0]",
        |_, a| mapped(a, f64::ceil),
    ),
    unary(
        "series_floor",
        "series_floor(series): the greatest whole number that is not above each element",
        "print x = series_floor(dynamic([-1.5, 1, 2.5]))",
        "[-2.0,1.0,2.0]",
        |_, a| mapped(a, f64::floor),
    ),
    unary(
        "series_exp",
        "series_exp(series): e to the power of each element",
        "print x = series_exp(dynamic([0]))",
        "[1.0]",
        |_, a| mapped(a, f64::exp),
    ),
    unary(
        "series_log",
        "series_log(series): the natural logarithm of each element",
        "print x = series_log(dynamic([1]))",
        "[0.0]",
        |_, a| mapped(a, f64::ln),
    ),
    unary(
        "series_sin",
        "series_sin(series): the sine of each element",
        "print x = series_sin(dynamic([0]))",
        "[0.0]",
        |_, a| mapped(a, f64::sin),
    ),
    unary(
        "series_cos",
        "series_cos(series): the cosine of each element",
        "print x = series_cos(dynamic([0]))",
        "[1.0]",
        |_, a| mapped(a, f64::cos),
    ),
    unary(
        "series_tan",
        "series_tan(series): the tangent of each element",
        "print x = series_tan(dynamic([0]))",
        "[0.0]",
        |_, a| mapped(a, f64::tan),
    ),
    unary(
        "series_asin",
        "series_asin(series): the angle of which each element is the sine",
        "print x = series_asin(dynamic([0]))",
        "[0.0]",
        |_, a| mapped(a, f64::asin),
    ),
    unary(
        "series_acos",
        "series_acos(series): the angle of which each element is the cosine",
        "print x = series_acos(dynamic([1]))",
        "[0.0]",
        |_, a| mapped(a, f64::acos),
    ),
    unary(
        "series_atan",
        "series_atan(series): the angle of which each element is the tangent",
        "print x = series_atan(dynamic([0]))",
        "[0.0]",
        |_, a| mapped(a, f64::atan),
    ),
    Function {
        name: "series_dot_product",
        arguments: (2, 2),
        doc: "series_dot_product(a, b): the sum of the products of elements",
        example: "print x = series_dot_product(dynamic([1, 2]), dynamic([3, 4]))",
        answer: "11.0",
        ty: |a| two(a).map(|_| Type::Real),
        eval: |_, a| {
            let products = calculated(a, ArithmeticOp::Multiply);
            or_null(
                products
                    .array()
                    .and_then(|items| items.iter().map(number).sum::<Option<f64>>()),
            )
        },
        ..BARE
    },
    fill(
        "series_fill_forward",
        "series_fill_forward(series, placeholder = null): missing elements become the one before",
        "print x = series_fill_forward(dynamic([null, 1, null]))",
        "[null,1,1]",
        |_, a| match items(a, 0) {
            Some(items) => array(filled(items.iter(), a.get(1)).into_iter()),
            None => Value::Null,
        },
    ),
    fill(
        "series_fill_backward",
        "series_fill_backward(series, placeholder = null): missing elements become the one behind",
        "print x = series_fill_backward(dynamic([null, 1, null]))",
        "[1,1,null]",
        |_, a| match items(a, 0) {
            Some(items) => array(filled(items.iter().rev(), a.get(1)).into_iter().rev()),
            None => Value::Null,
        },
    ),
    Function {
        name: "series_fill_const",
        arguments: (2, 3),
        names: ResultName::First,
        doc: "series_fill_const(series, value, placeholder = null): missing elements become the value",
        example: "print x = series_fill_const(dynamic([null, 1]), 0)",
        answer: "[0,1]",
        ty: |a| take(a, &[Want::Dynamic, Want::Number], Type::Dynamic),
        eval: |_, a| match items(a, 0) {
            Some(items) => {
                let value = Json::from_value(&a[1]);
                let fill = |item: &Json| match missing(item, a.get(2)) {
                    true => value.clone(),
                    false => item.clone(),
                };
                array(items.iter().map(fill))
            }
            None => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "series_fill_linear",
        arguments: (1, 4),
        names: ResultName::First,
        doc: "series_fill_linear(series, placeholder = null, edges = true, constant = 0): missing elements lie on a line",
        example: "print x = series_fill_linear(dynamic([null, 1.0, null, 2.0]))",
        answer: "[1.0,1.0,1.5,2.0]",
        ty: |a| {
            let wants = [Want::Dynamic, Want::Number, Want::Bool, Want::Number];
            take(a, &wants, Type::Dynamic)
        },
        eval: |_, a| match items(a, 0) {
            Some(items) => {
                let edges = a.get(2).and_then(Value::to_bool).unwrap_or(true);
                let constant = a.get(3).map_or(Json::Real(0.0), Json::from_value);
                let filled = filled_linearly(items, a.get(1), edges);
                // A series without any number is filled with the constant.
                let filled = filled.unwrap_or_else(|| vec![constant; items.len()]);
                array(filled.into_iter())
            }
            None => Value::Null,
        },
        ..BARE
    },
];
