//! Summaries.

use super::super::definition::{Aggregate, Results};
use super::super::percentile::result_type;
use super::super::sketch::{From, Hll, Tdigest};
use super::accepted::{bag, first};
use crate::function::result_name::ResultName;
use crate::function::value::Type;

pub(super) const TABLE: &[Aggregate] = &[
    Aggregate {
        name: "hll",
        arguments: (1, 2),
        names: ResultName::Prefix("hll"),
        minds_order: true,
        predicate: None,
        results: Results::One,
        columnar: None,
        doc: "Summary of which different values there are, for `dcount_hll` and `hll_merge`; the accuracy is from 0 to 4.",
        example: "datatable(v:long)[1, 2, 2] | summarize h = hll(v) | project dcount_hll(h)",
        answer: "2",
        ty: |_, _| Ok(Type::Dynamic),
        start: |_, constants| Box::new(Hll::of_values(constants, 1)),
    },
    Aggregate {
        name: "hll_if",
        arguments: (2, 3),
        names: ResultName::Prefix("hll_if"),
        minds_order: true,
        predicate: Some(1),
        results: Results::One,
        columnar: None,
        doc: "Summary of which different values there are in rows for which the predicate is true.",
        example: "datatable(v:long)[1, 2, 3] | summarize h = hll_if(v, v > 1) | project dcount_hll(h)",
        answer: "2",
        ty: |_, _| Ok(Type::Dynamic),
        start: |_, constants| Box::new(Hll::of_values(constants, 2)),
    },
    Aggregate {
        name: "hll_merge",
        arguments: (1, 1),
        names: ResultName::Fixed("hll_merged_result"),
        minds_order: true,
        predicate: None,
        results: Results::One,
        columnar: None,
        doc: "Summaries of `hll` as one.",
        example: "datatable(v:long)[1, 2, 3] | summarize h = hll(v) by v | summarize m = hll_merge(h) | project dcount_hll(m)",
        answer: "3",
        ty: |types, _| bag(first(types)),
        start: |_, _| Box::new(Hll::of_summaries()),
    },
    Aggregate {
        name: "tdigest",
        arguments: (1, 2),
        names: ResultName::Prefix("tdigest"),
        minds_order: true,
        predicate: None,
        results: Results::One,
        columnar: None,
        doc: "Summary of how values are distributed, for `percentile_tdigest` and `tdigest_merge`; each may have a weight.",
        example: "datatable(v:real, w:long)[1.0, 1, 2.0, 2] | summarize t = tdigest(v, w) | project percentile_tdigest(t, 50)",
        answer: "2.0",
        ty: |types, _| {
            if !matches!(types.get(1), None | Some(Type::Int | Type::Long)) {
                return Err("the weight must be a whole number".into());
            }
            result_type(first(types)).map(|_| Type::Dynamic)
        },
        start: |types, _| Box::new(Tdigest::new(From::Values, first(types))),
    },
    Aggregate {
        name: "tdigest_merge",
        arguments: (1, 1),
        names: ResultName::Fixed("tdigests_merge_result"),
        minds_order: true,
        predicate: None,
        results: Results::One,
        columnar: None,
        doc: "Summaries of `tdigest` as one.",
        example: "datatable(v:long)[1, 2, 3] | summarize t = tdigest(v) by v | summarize m = tdigest_merge(t) | project percentile_tdigest(m, 100)",
        answer: "3",
        ty: |types, _| bag(first(types)),
        start: |_, _| Box::new(Tdigest::new(From::Summaries, Type::Long)),
    },
];
