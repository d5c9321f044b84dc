//! Summaries of the aggregates `hll` and `tdigest`: joined, and asked.

use super::arguments::{Typed, Want, or_null, real, take};
use super::definition::{BARE, Function};
use super::result_name::ResultName;
use crate::function::sketches::{Digest, Distinct};
use crate::function::value::{Json, Type, Value};

fn json(value: &Value) -> Option<&Json> {
    match value {
        Value::Dynamic(json) => Some(json),
        _ => None,
    }
}

fn digest(a: &[Value]) -> Option<Digest> {
    Digest::from_json(json(a.first()?)?)
}

/// Where it has the argument, a `typeof` is the type of the result.
fn percentile_type(a: &[Type]) -> Typed {
    take(a, &[Want::Dynamic, Want::Number, Want::Any], Type::Dynamic)?;
    Ok(a.get(2).copied().unwrap_or(Type::Dynamic))
}

/// Percentages as arguments or in an array. A `typeof` behind them, which is null here, is passed over.
fn percentiles(a: &[Value]) -> Option<Value> {
    let digest = digest(a)?;
    let percentages: Option<Vec<f64>> = match a.get(1)?.array() {
        Some(all) => all.iter().map(|json| json.scalar()?.to_real()).collect(),
        None => {
            let given = a.iter().skip(1).filter(|value| !value.is_null());
            given.map(Value::to_real).collect()
        }
    };
    let found = percentages?.into_iter().map(|p| digest.percentile(p));
    let found = found.map(|value| Json::from_value(&value));
    Some(Value::dynamic(Json::Array(found.collect())))
}

fn merge_hll(a: &[Value]) -> Option<Value> {
    let mut all = a
        .iter()
        .filter_map(|value| Distinct::from_json(json(value)?));
    let mut merged = all.next()?;
    all.for_each(|other| merged.merge(&other));
    Some(Value::dynamic(merged.json()))
}

fn merge_tdigest(a: &[Value]) -> Option<Value> {
    let mut all = a.iter().filter_map(|value| Digest::from_json(json(value)?));
    let mut merged = all.next()?;
    all.for_each(|other| merged.merge(&other));
    Some(Value::dynamic(merged.json()))
}

const MERGE_TDIGEST: Function = Function {
    name: "merge_tdigest",
    arguments: (1, usize::MAX),
    names: ResultName::Fixed("tdigests_merge_result"),
    doc: "merge_tdigest(summary, …): summaries of `tdigest` as one",
    example: "print x = percentile_tdigest(merge_tdigest(dynamic([[\"long\"],[1],[1]]), dynamic([[\"long\"],[2],[3]])), 50)",
    answer: "2",
    ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
    eval: |_, a| or_null(merge_tdigest(a)),
    ..BARE
};

pub(super) const TABLE: &[Function] = &[
    Function {
        name: "dcount_hll",
        arguments: (1, 1),
        names: ResultName::Prefix("dcount_hll"),
        doc: "dcount_hll(summary): how many different values a summary of `hll` says there are; exact while they are few",
        example: "print x = dcount_hll(dynamic([[16384],[1,2,3]]))",
        answer: "3",
        ty: |a| take(a, &[Want::Dynamic], Type::Long),
        eval: |_, a| {
            let distinct = a.first().and_then(json).and_then(Distinct::from_json);
            or_null(distinct.map(|distinct| distinct.count()))
        },
        ..BARE
    },
    Function {
        name: "hll_merge",
        arguments: (2, 64),
        names: ResultName::Fixed("hll_merged_result"),
        doc: "hll_merge(summary, summary, …): summaries of `hll` as one",
        example: "print x = dcount_hll(hll_merge(dynamic([[16384],[1,2]]), dynamic([[16384],[2,3]])))",
        answer: "3",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| or_null(merge_hll(a)),
        ..BARE
    },
    MERGE_TDIGEST,
    MERGE_TDIGEST.named("tdigest_merge"),
    Function {
        name: "percentile_tdigest",
        arguments: (2, 3),
        names: ResultName::Prefix("percentile_tdigest"),
        doc: "percentile_tdigest(summary, percentage, typeof(type)): the least value that so many percent are not above",
        example: "print x = percentile_tdigest(dynamic([[\"long\"],[10,20,30],[1,1,2]]), 50, typeof(long))",
        answer: "20",
        ty: percentile_type,
        eval: |_, a| {
            let found = digest(a).zip(real(a, 1));
            found.map_or(Value::Null, |(digest, percentage)| {
                digest.percentile(percentage)
            })
        },
        ..BARE
    },
    Function {
        name: "percentiles_array_tdigest",
        arguments: (2, usize::MAX),
        names: ResultName::Prefix("percentile_tdigest"),
        doc: "percentiles_array_tdigest(summary, percentage, …): several percentiles in an array; the percentages may be one",
        example: "print x = percentiles_array_tdigest(dynamic([[\"long\"],[10,20,30],[1,1,2]]), dynamic([0, 50, 100]))",
        answer: "[10,20,30]",
        ty: |a| match a {
            [Type::Dynamic, Type::Dynamic, ..] => Ok(Type::Dynamic),
            _ => take(a, &[Want::Dynamic, Want::Number], Type::Dynamic),
        },
        eval: |_, a| or_null(percentiles(a)),
        ..BARE
    },
    Function {
        name: "percentrank_tdigest",
        arguments: (2, 2),
        doc: "percentrank_tdigest(summary, value): how many percent of the values are not above this one",
        example: "print x = percentrank_tdigest(dynamic([[\"long\"],[10,20,30],[1,1,2]]), 20)",
        answer: "50.0",
        ty: |a| take(a, &[Want::Dynamic, Want::Any], Type::Real),
        eval: |_, a| or_null(digest(a).and_then(|digest| digest.percentage(a.get(1)?))),
        ..BARE
    },
];
