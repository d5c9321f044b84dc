//! Answers compared with recorded ones.

use std::collections::HashMap;
use std::fmt::Debug;

use coldtrail::function::value::{Json, Type, UNIX_EPOCH_TICKS, Value};
use coldtrail::kql::ast::{ExprKind, OperatorKind, StatementKind};
use coldtrail::kql::parse;
use serde_json::Value as Recorded;

use super::Case;

/// Relative error that two equal numbers of type `real` may have.
const PRECISION: f64 = 1e-9;

/// How a value is compared with the recorded one, by the type of its column.
type Same<T> = fn(&Recorded, &T, Type, Arrays) -> bool;

/// The first thing in which an answer differs from the recorded one.
pub(super) fn difference<T: Debug>(
    case: &Case,
    found: &[(String, Type)],
    rows: &[Vec<T>],
    same: Same<T>,
) -> Option<String> {
    let types: Vec<Type> = found.iter().map(|(_, ty)| *ty).collect();
    let columns = |columns: &[(String, Type)]| {
        let columns = columns.iter();
        let columns = columns.map(|(name, ty)| format!("{name}:{}", family(*ty).name()));
        columns.collect::<Vec<_>>().join(", ")
    };
    let (wanted, found) = (columns(&case.columns), columns(found));
    if wanted != found {
        return Some(format!("columns `{found}`, not `{wanted}`"));
    }
    if case.rows.len() != rows.len() {
        let (found, wanted) = (rows.len(), case.rows.len());
        return Some(format!("{found} rows, not {wanted}"));
    }
    let arrays = arrays(&case.kql);
    let same_row = |wanted: &[Recorded], found: &[T]| {
        wanted.len() == found.len()
            && wanted
                .iter()
                .zip(found)
                .zip(&types)
                .all(|((wanted, found), ty)| same(wanted, found, *ty, arrays))
    };
    if ends_in_an_order(&case.kql) {
        let rows = case.rows.iter().zip(rows).enumerate();
        for (index, (wanted, found)) in rows {
            if !same_row(wanted, found) {
                let row = index + 1;
                return Some(format!(
                    "row {row} is {}, not {}",
                    row_text(found),
                    json(wanted)
                ));
            }
        }
        return None;
    }
    let mut left: Vec<&Vec<T>> = rows.iter().collect();
    for wanted in &case.rows {
        match left.iter().position(|found| same_row(wanted, found)) {
            Some(index) => drop(left.swap_remove(index)),
            None => {
                let others: Vec<String> = left.iter().take(3).map(|row| row_text(row)).collect();
                let others = others.join(" ");
                return Some(format!("no row {}, but {others}", json(wanted)));
            }
        }
    }
    None
}

fn json(row: &[Recorded]) -> String {
    Recorded::Array(row.to_vec()).to_string()
}

fn row_text<T: Debug>(row: &[T]) -> String {
    let cells: Vec<String> = row.iter().map(|value| format!("{value:?}")).collect();
    format!("[{}]", cells.join(", "))
}

/// The type by which columns are compared: recorded answers do not tell all of them apart.
fn family(ty: Type) -> Type {
    match ty {
        Type::Int => Type::Long,
        Type::Decimal => Type::Real,
        other => other,
    }
}

/// How arrays are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrays {
    Ordered,
    /// In any order: they come from `make_set`, `make_list` or `bag_keys` without one.
    Unordered,
}

fn arrays(query: &str) -> Arrays {
    let sets = ["make_set", "makeset", "bag_keys", "set_"];
    if sets.iter().any(|set| query.contains(set)) {
        return Arrays::Unordered;
    }
    let Some(list) = query.find("make_list").or_else(|| query.find("makelist")) else {
        return Arrays::Ordered;
    };
    let before = &query[..list];
    let orders = ["sort by", "order by", "top ", "serialize"];
    if orders.iter().any(|order| before.contains(order)) {
        Arrays::Ordered
    } else {
        Arrays::Unordered
    }
}

/// Whether the last operator of a query gives its rows an order.
fn ends_in_an_order(query: &str) -> bool {
    let (tree, _) = parse(query);
    let last = tree.statements.last().map(|statement| &statement.kind);
    let Some(StatementKind::Query(expr)) = last else {
        return false;
    };
    let ExprKind::Pipeline(pipeline) = &expr.kind else {
        return false;
    };
    matches!(
        pipeline.operators.last().map(|operator| &operator.kind),
        Some(OperatorKind::Sort(_) | OperatorKind::Top { .. } | OperatorKind::Serialize(_))
    )
}

/// Whether a value is the recorded one.
pub(super) fn same(wanted: &Recorded, found: &Value, ty: Type, arrays: Arrays) -> bool {
    if ty == Type::Dynamic {
        return same_json(wanted, &Json::from_value(found), arrays);
    }
    match (family(ty), found) {
        (_, Value::Null) => wanted.is_null(),
        (Type::Bool, Value::Bool(found)) => wanted.as_bool() == Some(*found),
        (Type::Long, Value::Int(found)) => wanted.as_i64() == Some(i64::from(*found)),
        (Type::Long, Value::Long(found)) => wanted.as_i64() == Some(*found),
        (Type::Real, Value::Real(found)) => real(wanted).is_some_and(|wanted| near(wanted, *found)),
        (Type::Real, Value::Decimal(_)) => exact(wanted, &found.show()),
        (Type::String, Value::String(found)) => wanted.as_str() == Some(found),
        (Type::DateTime, Value::DateTime(found)) => {
            wanted.as_str().and_then(datetime) == Some(*found)
        }
        (Type::Timespan, Value::Timespan(found)) => {
            wanted.as_str().and_then(timespan) == Some(*found)
        }
        (Type::Guid, Value::Guid(found)) => wanted.as_str().and_then(guid) == Some(*found),
        _ => false,
    }
}

/// Whether a decimal is the recorded one: a decimal was recorded as the number that is nearest to it, and nothing else is that.
fn exact(wanted: &Recorded, found: &str) -> bool {
    let found = found.parse::<f64>();
    found.is_ok_and(|found| real(wanted) == Some(found))
}

/// Whether a value in the text of the query API is the recorded one.
pub(super) fn same_text(wanted: &Recorded, found: &Recorded, ty: Type, arrays: Arrays) -> bool {
    if found.is_null() {
        return wanted.is_null();
    }
    let text = found.as_str();
    let equal = |read: fn(&str) -> Option<i128>| {
        let (wanted, found) = (wanted.as_str().and_then(read), text.and_then(read));
        wanted.is_some() && wanted == found
    };
    match ty {
        Type::Bool => found.is_boolean() && found == wanted,
        Type::Int | Type::Long => found.is_i64() && found.as_i64() == wanted.as_i64(),
        Type::Real => match (real(wanted), real_of_the_api(found)) {
            (Some(wanted), Some(found)) => near(wanted, found),
            _ => false,
        },
        Type::Decimal => text.is_some_and(|found| exact(wanted, found)),
        Type::String => text.is_some() && text == wanted.as_str(),
        Type::DateTime => equal(|text| datetime(text).map(i128::from)),
        Type::Timespan => equal(|text| timespan(text).map(i128::from)),
        Type::Guid => text.is_some_and(|text| text.len() == 36) && wanted.as_str() == text,
        // JSON in a string.
        Type::Dynamic => {
            let json = text.and_then(Json::parse);
            json.is_some_and(|json| same_json(wanted, &with_times(json), arrays))
        }
    }
}

/// A number, or one of three words.
fn real_of_the_api(found: &Recorded) -> Option<f64> {
    match found.as_str() {
        Some("NaN" | "Infinity" | "-Infinity") => real(found),
        Some(_) => None,
        None => found.as_f64(),
    }
}

/// JSON has no times: those that Kusto prints are taken for what they were.
fn with_times(json: Json) -> Json {
    match json {
        Json::String(text) if text.len() == "2026-01-01T00:00:00.0000000Z".len() => {
            datetime(&text).map_or(Json::String(text), Json::DateTime)
        }
        Json::Array(items) => Json::Array(items.into_iter().map(with_times).collect()),
        Json::Bag(items) => {
            let items = items.into_iter();
            Json::Bag(items.map(|(key, item)| (key, with_times(item))).collect())
        }
        other => other,
    }
}

fn same_json(wanted: &Recorded, found: &Json, arrays: Arrays) -> bool {
    match (wanted, found) {
        (_, Json::Null) => wanted.is_null(),
        (_, Json::Bool(found)) => wanted.as_bool() == Some(*found),
        (_, Json::Long(found)) => match wanted.as_i64() {
            Some(wanted) => wanted == *found,
            None => wanted
                .as_f64()
                .is_some_and(|wanted| near(wanted, *found as f64)),
        },
        (_, Json::Real(found)) => real(wanted).is_some_and(|wanted| near(wanted, *found)),
        (_, Json::String(found)) => wanted.as_str() == Some(found),
        (_, Json::DateTime(found)) => wanted.as_str().and_then(datetime) == Some(*found),
        (_, Json::Timespan(found)) => wanted.as_str().and_then(timespan) == Some(*found),
        (_, Json::Guid(found)) => wanted.as_str().and_then(guid) == Some(*found),
        (Recorded::Array(wanted), Json::Array(found)) => {
            let same = |(wanted, found): (&Recorded, &Json)| same_json(wanted, found, arrays);
            wanted.len() == found.len()
                && (wanted.iter().zip(found).all(same)
                    || arrays == Arrays::Unordered && same_elements(wanted, found))
        }
        (Recorded::Object(wanted), Json::Bag(found)) => {
            let found: HashMap<&str, &Json> =
                found.iter().map(|(name, item)| (&**name, item)).collect();
            wanted.len() == found.len()
                && wanted.iter().all(|(name, wanted)| {
                    let found = found.get(name.as_str());
                    found.is_some_and(|found| same_json(wanted, found, arrays))
                })
        }
        _ => false,
    }
}

fn same_elements(wanted: &[Recorded], found: &[Json]) -> bool {
    let mut left: Vec<&Json> = found.iter().collect();
    wanted.iter().all(|wanted| {
        let mut left_ones = left.iter();
        let place = left_ones.position(|found| same_json(wanted, found, Arrays::Unordered));
        place.map(|index| left.swap_remove(index)).is_some()
    })
}

fn real(recorded: &Recorded) -> Option<f64> {
    match recorded.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some(text) => text.parse().ok(),
        None => recorded.as_f64(),
    }
}

fn near(left: f64, right: f64) -> bool {
    left == right
        || left.is_nan() && right.is_nan()
        || (left - right).abs() <= PRECISION * left.abs().max(right.abs())
            && left.is_finite()
            && right.is_finite()
}

/// Ticks of `2026-01-01T00:00:00.0000000Z`.
fn datetime(text: &str) -> Option<i64> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    let ticks = i64::from(time.timestamp_subsec_nanos()) / 100;
    Some(UNIX_EPOCH_TICKS + time.timestamp() * 10_000_000 + ticks)
}

/// Ticks of `-1.02:03:04.5000000`.
fn timespan(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let mut parts = text.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let number = |text: &str| text.parse::<i64>().ok();
    let whole = ((number(days)? * 24 + number(hours)?) * 60 + number(minutes)?) * 60;
    let ticks = number(&format!("{fraction:0<7}"))?;
    Some(sign * ((whole + number(seconds)?) * 10_000_000 + ticks))
}

fn guid(text: &str) -> Option<u128> {
    u128::from_str_radix(&text.replace('-', ""), 16).ok()
}

#[test]
fn comparison_tells_equal_from_similar() {
    let wanted = |text: &str| serde_json::from_str::<Recorded>(text).expect("JSON");
    let ordered = |text: &str, found: &Value, ty| same(&wanted(text), found, ty, Arrays::Ordered);
    assert!(ordered("5", &Value::Int(5), Type::Long));
    assert!(!ordered("5", &Value::Real(5.0), Type::Long));
    assert!(ordered(
        "16.4",
        &Value::Real(16.400_000_000_000_002),
        Type::Real
    ));
    assert!(!ordered("16.4", &Value::Real(16.400_001), Type::Real));
    let decimal = |text: &str| Value::string(text).convert(Type::Decimal);
    assert!(ordered("0.3", &decimal("0.3"), Type::Decimal));
    let third = "0.3333333333333333333333333333333333";
    assert!(ordered(
        "0.3333333333333333",
        &decimal(third),
        Type::Decimal
    ));
    assert!(!ordered(
        "0.30000000000000004",
        &decimal("0.3"),
        Type::Decimal
    ));
    assert!(ordered("\"NaN\"", &Value::Real(f64::NAN), Type::Real));
    assert!(!ordered("\"Infinity\"", &Value::Real(f64::MAX), Type::Real));
    assert!(!ordered("\"\"", &Value::Null, Type::String));
    assert!(!ordered("null", &Value::String("".into()), Type::String));
    let moment = datetime("2017-10-01T12:11:00.1234567Z").map(Value::DateTime);
    let moment = moment.expect("a datetime");
    assert!(ordered(
        "\"2017-10-01T12:11:00.1234567Z\"",
        &moment,
        Type::DateTime
    ));
    assert!(!ordered(
        "\"2017-10-01T12:11:00.1234568Z\"",
        &moment,
        Type::DateTime
    ));
    assert_eq!(timespan("-1.02:03:04.5000000"), Some(-937_845_000_000));
    let array = Json::Array(vec![Json::Long(1), Json::Long(2)]);
    let array = Value::Dynamic(array.into());
    assert!(ordered("[1, 2]", &array, Type::Dynamic));
    assert!(!ordered("[2, 1]", &array, Type::Dynamic));
    assert!(same(
        &wanted("[2, 1]"),
        &array,
        Type::Dynamic,
        Arrays::Unordered
    ));
    assert!(!same(
        &wanted("[2, 2]"),
        &array,
        Type::Dynamic,
        Arrays::Unordered
    ));
    assert!(ends_in_an_order("let a = T; a | sort by x"));
    assert!(!ends_in_an_order("T | sort by x | project y"));
    assert_eq!(arrays("T | summarize make_list(x)"), Arrays::Unordered);
    assert_eq!(
        arrays("T | sort by x | summarize make_list(x)"),
        Arrays::Ordered
    );
}
