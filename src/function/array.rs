//! Arrays: length, slices, order, sums.

use super::arguments::{Typed, Want, items, long, or_null, take};
use super::definition::{BARE, Function, lifted};
use crate::function::value::{Cell, Json, Type, Value};

/// Index into an array that may count from the end; below the start it is the start.
fn place(index: i64, length: usize) -> usize {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let at = if index < 0 {
        length.saturating_add(index)
    } else {
        index
    };
    usize::try_from(at.clamp(0, length)).unwrap_or(0)
}

fn array(items: impl IntoIterator<Item = Json>) -> Value {
    Value::dynamic(Json::Array(items.into_iter().collect()))
}

fn slice(a: &[Value]) -> Option<Value> {
    let (items, start, end) = (items(a, 0)?, long(a, 1)?, long(a, 2)?);
    let start = place(start, items.len());
    // The end is included, so one before the start is none.
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let end = if end < 0 {
        length.saturating_add(end)
    } else {
        end
    };
    let end = usize::try_from(end.saturating_add(1).clamp(0, length)).unwrap_or(0);
    Some(array(
        items.get(start..end).unwrap_or_default().iter().cloned(),
    ))
}

fn split(a: &[Value]) -> Option<Value> {
    let items = items(a, 0)?;
    let cuts: Vec<i64> = match a.get(1)?.array() {
        Some(cuts) => cuts
            .iter()
            .filter_map(|cut| cut.scalar()?.to_long())
            .collect(),
        None => vec![long(a, 1)?],
    };
    let mut parts = Vec::with_capacity(cuts.len() + 1);
    let mut start = 0;
    for cut in cuts {
        let end = place(cut, items.len()).max(start);
        parts.push(Json::Array(items[start..end].to_vec()));
        start = end;
    }
    parts.push(Json::Array(items[start..].to_vec()));
    Some(array(parts))
}

/// The array moved to the left by `count`, those at the other end filled.
fn shift(a: &[Value], left: bool) -> Option<Value> {
    let (items, count) = (items(a, 0)?, long(a, 1)?);
    let fill = a.get(2).map(Json::from_value).unwrap_or_default();
    let count = if left { count } else { count.checked_neg()? };
    let at = |i: usize| {
        let from = i64::try_from(i).ok()?.checked_add(count)?;
        items.get(usize::try_from(from).ok()?).cloned()
    };
    Some(array(
        (0..items.len()).map(|i| at(i).unwrap_or_else(|| fill.clone())),
    ))
}

fn rotate(a: &[Value], left: bool) -> Option<Value> {
    let (items, count) = (items(a, 0)?, long(a, 1)?);
    let mut turned = items.to_vec();
    let length = i64::try_from(turned.len()).ok()?;
    if length > 0 {
        let count = usize::try_from(count.rem_euclid(length)).ok()?;
        match left {
            true => turned.rotate_left(count),
            false => turned.rotate_right(count),
        }
    }
    Some(array(turned))
}

/// One array sorted, or several, the others in the order of the first; nulls at the end unless the last argument is false.
fn sort(a: &[Value], descending: bool) -> Value {
    let (arrays, nulls_last) = match a.split_last() {
        Some((Value::Bool(last), arrays)) => (arrays, *last),
        _ => (a, true),
    };
    let Some(first) = items(arrays, 0) else {
        return Value::Null;
    };
    let mut order: Vec<usize> = (0..first.len()).collect();
    order.sort_by(|i, j| {
        let (x, y) = (&first[*i], &first[*j]);
        match (x == &Json::Null, y == &Json::Null) {
            (true, true) => std::cmp::Ordering::Equal,
            (false, false) if descending => y.order(x),
            (false, false) => x.order(y),
            (null, _) => match null == nulls_last {
                true => std::cmp::Ordering::Greater,
                false => std::cmp::Ordering::Less,
            },
        }
    });
    let sorted = |items: &[Json]| Json::Array(order.iter().map(|i| items[*i].clone()).collect());
    match arrays {
        [_] => Value::dynamic(sorted(first)),
        arrays => array(arrays.iter().map(|other| match other.array() {
            Some(items) if items.len() == first.len() => sorted(items),
            _ => Json::Null,
        })),
    }
}

fn sort_type(arguments: &[Type]) -> Typed {
    let arrays = match arguments {
        [_, .., Type::Bool] => &arguments[..arguments.len() - 1],
        all => all,
    };
    take(arrays, &[Want::Dynamic], Type::Dynamic)
}

/// The sum; null where an element is no number, or there is none.
fn sum(items: &[Json]) -> Option<f64> {
    let mut total = None;
    for item in items {
        match item {
            Json::Null => {}
            Json::Long(value) => total = Some(total.unwrap_or(0.0) + *value as f64),
            Json::Real(value) => total = Some(total.unwrap_or(0.0) + value),
            Json::Big(text) => total = Some(total.unwrap_or(0.0) + text.parse::<f64>().ok()?),
            _ => return None,
        }
    }
    total
}

fn index_of(a: &[Value]) -> Option<i64> {
    let items = items(a, 0)?;
    let argument = |at: usize, default: i64| a.get(at).map_or(Some(default), Value::to_long);
    let (start, length, occurrence) = (argument(2, 0)?, argument(3, -1)?, argument(4, 1)?);
    let wanted = Json::from_value(a.get(1)?);
    let start = place(start, items.len());
    let end = match usize::try_from(length) {
        Ok(length) => start.saturating_add(length).min(items.len()),
        Err(_) => items.len(),
    };
    let occurrence = usize::try_from(occurrence.checked_sub(1)?).ok()?;
    let mut found = (start..end).filter(|at| items[*at].same(&wanted));
    found
        .nth(occurrence)
        .and_then(|at| i64::try_from(at).ok())
        .or(Some(-1))
}

/// Element by element, from one array or value or the other.
fn choose(a: &[Value]) -> Option<Value> {
    let conditions = items(a, 0)?;
    let part = |value: &Value, at: usize| match value.array() {
        Some(items) => items.get(at).cloned().unwrap_or_default(),
        None => Json::from_value(value),
    };
    Some(array(conditions.iter().enumerate().map(
        |(at, condition)| {
            let holds = match condition {
                Json::Bool(value) => Some(*value),
                Json::Long(value) => Some(*value != 0),
                Json::Real(value) => Some(*value != 0.0),
                Json::Big(_) => Some(true),
                _ => None,
            };
            match holds {
                Some(true) => part(&a[1], at),
                Some(false) => part(&a[2], at),
                None => Json::Null,
            }
        },
    )))
}

const LENGTH: Function = lifted! {
    0,
    |a, _| match a[0] {
        Cell::Dynamic(Json::Array(items)) => {
            i64::try_from(items.len()).map_or(Cell::Null, Cell::Long)
        }
        _ => Cell::Null,
    },
    name: "array_length",
    arguments: (1, 1),
    doc: "array_length(array): how many elements it has; null of what is no array",
    example: "print x = array_length(dynamic([1, 2, 3]))",
    answer: "3",
    ty: |a| take(a, &[Want::Dynamic], Type::Long),
};

const IFF: Function = Function {
    name: "array_iff",
    arguments: (3, 3),
    doc: "array_iff(conditions, then, else): for each condition, the element at its place, or the value, of `then` or `else`",
    example: "print x = array_iff(dynamic([true, false]), dynamic([1, 2]), 0)",
    answer: "[1,0]",
    ty: |a| take(a, &[Want::Dynamic, Want::Any], Type::Dynamic),
    eval: |_, a| choose(a).unwrap_or_default(),
    ..BARE
};

const SORT_ASC: Function = Function {
    name: "array_sort_asc",
    arguments: (1, 65),
    doc: "array_sort_asc(array, …, nulls_last = true): the array sorted; of several, each in the order of the first, as columns of their own",
    example: "print x = array_sort_asc(dynamic([3, 1, 2]))",
    answer: "[1,2,3]",
    ty: sort_type,
    eval: |_, a| sort(a, false),
    ..BARE
};

const SUM: Function = Function {
    name: "array_sum",
    arguments: (1, 1),
    doc: "array_sum(array): the sum of its numbers, a real; null where one is no number",
    example: "print x = array_sum(dynamic([1, 2, 3]))",
    answer: "6.0",
    ty: |a| take(a, &[Want::Dynamic], Type::Real),
    eval: |_, a| or_null(items(a, 0).and_then(sum)),
    ..BARE
};

const ROTATE_LEFT: Function = Function {
    name: "array_rotate_left",
    arguments: (2, 2),
    doc: "array_rotate_left(array, count): the elements moved to the left, those that fall off put at the end",
    example: "print x = array_rotate_left(dynamic([1, 2, 3]), 1)",
    answer: "[2,3,1]",
    ty: |a| take(a, &[Want::Dynamic, Want::Integer], Type::Dynamic),
    eval: |_, a| rotate(a, true).unwrap_or_default(),
    ..BARE
};

const SHIFT_LEFT: Function = Function {
    name: "array_shift_left",
    arguments: (2, 3),
    doc: "array_shift_left(array, count, fill = null): the elements moved to the left, the gap filled",
    example: "print x = array_shift_left(dynamic([1, 2, 3]), 1, 0)",
    answer: "[2,3,0]",
    ty: |a| take(a, &[Want::Dynamic, Want::Integer, Want::Any], Type::Dynamic),
    eval: |_, a| shift(a, true).unwrap_or_default(),
    ..BARE
};

pub(super) const TABLE: &[Function] = &[
    LENGTH,
    LENGTH.named("arraylength"),
    Function {
        name: "array_concat",
        arguments: (1, 64),
        doc: "array_concat(array, …): the elements of all arrays, one behind the other",
        example: "print x = array_concat(dynamic([1]), dynamic([2, 3]))",
        answer: "[1,2,3]",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| match a.iter().any(|value| value.array().is_some()) {
            true => array(a.iter().filter_map(Value::array).flatten().cloned()),
            false => Value::Null,
        },
        ..BARE
    },
    IFF,
    IFF.named("array_iif"),
    Function {
        name: "array_index_of",
        arguments: (2, 5),
        doc: "array_index_of(array, value, start = 0, length = -1, occurrence = 1): where it stands, from 0; -1 where it does not",
        example: "print x = array_index_of(dynamic([\"a\", \"b\"]), \"b\")",
        answer: "1",
        ty: |a| take(a, &[Want::Dynamic, Want::Any, Want::Integer], Type::Long),
        eval: |_, a| or_null(index_of(a)),
        ..BARE
    },
    Function {
        name: "array_reverse",
        arguments: (1, 1),
        doc: "array_reverse(array): the elements from the last to the first",
        example: "print x = array_reverse(dynamic([1, 2, 3]))",
        answer: "[3,2,1]",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| items(a, 0).map_or(Value::Null, |items| array(items.iter().rev().cloned())),
        ..BARE
    },
    ROTATE_LEFT,
    Function {
        name: "array_rotate_right",
        doc: "array_rotate_right(array, count): the elements moved to the right, those that fall off put at the start",
        example: "print x = array_rotate_right(dynamic([1, 2, 3]), 1)",
        answer: "[3,1,2]",
        body: None,
        eval: |_, a| rotate(a, false).unwrap_or_default(),
        ..ROTATE_LEFT
    },
    SHIFT_LEFT,
    Function {
        name: "array_shift_right",
        doc: "array_shift_right(array, count, fill = null): the elements moved to the right, the gap filled",
        example: "print x = array_shift_right(dynamic([1, 2, 3]), 1, 0)",
        answer: "[0,1,2]",
        body: None,
        eval: |_, a| shift(a, false).unwrap_or_default(),
        ..SHIFT_LEFT
    },
    Function {
        name: "array_slice",
        arguments: (3, 3),
        doc: "array_slice(array, start, end): the elements from `start` to `end`, both included; negative ones count from the end",
        example: "print x = array_slice(dynamic([1, 2, 3, 4, 5]), -2, -1)",
        answer: "[4,5]",
        ty: |a| take(a, &[Want::Dynamic, Want::Integer], Type::Dynamic),
        eval: |_, a| slice(a).unwrap_or_default(),
        ..BARE
    },
    Function {
        name: "array_split",
        arguments: (2, 2),
        doc: "array_split(array, index or array of them): the array cut before each index",
        example: "print x = array_split(dynamic([1, 2, 3, 4, 5]), 2)",
        answer: "[[1,2],[3,4,5]]",
        ty: |a| take(a, &[Want::Dynamic, Want::Integer], Type::Dynamic),
        eval: |_, a| split(a).unwrap_or_default(),
        ..BARE
    },
    SORT_ASC,
    Function {
        name: "array_sort_desc",
        doc: "array_sort_desc(array, …, nulls_last = true): the array sorted from the greatest down",
        example: "print x = array_sort_desc(dynamic([3, 1, 2]))",
        answer: "[3,2,1]",
        body: None,
        eval: |_, a| sort(a, true),
        ..SORT_ASC
    },
    SUM,
    SUM.named("series_sum"),
];
