use std::sync::Arc;

use super::*;
use crate::function::value::{Json, Type, Value};

fn s(text: &str) -> Value {
    Value::String(text.into())
}

fn dynamic(json: Json) -> Value {
    Value::Dynamic(Arc::new(json))
}

fn longs(numbers: &[i64]) -> Value {
    dynamic(Json::Array(
        numbers.iter().copied().map(Json::Long).collect(),
    ))
}

/// Results over the rows in one go; and, to be the same, over two parts that are joined.
fn run(name: &str, types: &[Type], constants: &[Option<Value>], rows: &[Vec<Value>]) -> Vec<Value> {
    let aggregate = get(name).expect("an aggregate");
    aggregate.types(types, constants).expect("types");
    let mut whole = aggregate.accumulator(types, constants);
    rows.iter().for_each(|row| whole.add(row));
    let whole = whole.finish_all();
    for cut in 0..=rows.len() {
        let mut left = aggregate.accumulator(types, constants);
        let mut right = aggregate.accumulator(types, constants);
        let mut joined = aggregate.accumulator(types, constants);
        rows[..cut].iter().for_each(|row| left.add(row));
        rows[cut..].iter().for_each(|row| right.add(row));
        joined.merge(&left.save());
        joined.merge(&right.save());
        assert!(joined.size() > 0);
        let (joined, whole) = (joined.finish_all(), &whole);
        assert_eq!(
            format!("{joined:?}"),
            format!("{whole:?}"),
            "{name}, joined at {cut}"
        );
    }
    whole
}

fn column(name: &str, ty: Type, values: &[Value]) -> Value {
    let rows: Vec<Vec<Value>> = values.iter().map(|value| vec![value.clone()]).collect();
    run(name, &[ty], &[None], &rows).swap_remove(0)
}

fn decimal(text: &str) -> Value {
    s(text).convert(Type::Decimal)
}

fn real(value: &Value) -> f64 {
    match value {
        Value::Real(n) => *n,
        other => panic!("not a real: {other:?}"),
    }
}

#[test]
fn names_are_unique_and_examples_name_their_function() {
    let mut names: Vec<&str> = all().map(|aggregate| aggregate.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for aggregate in all() {
        let call = format!("{}(", aggregate.name);
        assert!(aggregate.example.contains(&call), "{call}");
        assert!(aggregate.arguments.0 <= aggregate.arguments.1);
    }
}

#[test]
fn aggregates_of_nothing_are_kustos() {
    let none: &[Value] = &[];
    assert_eq!(column("sum", Type::Int, none), Value::Long(0));
    assert_eq!(column("sum", Type::Timespan, none), Value::Timespan(0));
    assert!(real(&column("avg", Type::Long, none)).is_nan());
    assert!(real(&column("avg", Type::Real, none)).is_nan());
    assert_eq!(column("avg", Type::DateTime, none), Value::Null);
    assert_eq!(column("min", Type::Long, none), Value::Null);
    assert_eq!(column("max", Type::String, none), s(""));
    assert_eq!(column("make_set", Type::Long, none), longs(&[]));
    assert_eq!(
        column("make_bag", Type::Dynamic, none),
        dynamic(Json::Bag(vec![]))
    );
    assert_eq!(column("dcount", Type::Long, none), Value::Long(0));
    assert_eq!(column("stdev", Type::Long, none), Value::Real(0.0));
    assert_eq!(column("take_any", Type::Long, none), Value::Null);
    assert_eq!(column("binary_all_or", Type::Long, none), Value::Null);
    let half = Some(Value::Long(50));
    let median = run("percentile", &[Type::Long, Type::Long], &[None, half], &[]);
    assert_eq!(median, [Value::Null]);
}

#[test]
fn nulls_do_not_count_except_as_rows() {
    let values = [Value::Null, Value::Int(5), Value::Null];
    assert_eq!(column("sum", Type::Int, &values), Value::Long(5));
    assert_eq!(column("avg", Type::Int, &values), Value::Real(5.0));
    assert_eq!(column("count", Type::Int, &values), Value::Long(3));
    assert_eq!(column("dcount", Type::Int, &values), Value::Long(1));
    assert_eq!(column("make_list", Type::Int, &values), longs(&[5]));
    let kept = Json::Array(vec![Json::Null, Json::Long(5), Json::Null]);
    assert_eq!(
        column("make_list_with_nulls", Type::Int, &values),
        dynamic(kept)
    );
}

#[test]
fn sums_of_long_wrap_around_and_averages_with_them() {
    let values = [i64::MAX, 1, 2].map(Value::Long);
    assert_eq!(
        column("sum", Type::Long, &values),
        Value::Long(-9_223_372_036_854_775_806)
    );
    let mean = real(&column("avg", Type::Long, &values));
    assert_eq!(mean, -3.074_457_345_618_258_4e18);
    let values = [i64::MAX - 1, 1, i64::MAX].map(Value::Long);
    assert_eq!(column("avg", Type::Long, &values), Value::Real(-2.0 / 3.0));
}

#[test]
fn averages_of_datetimes_do_not_wrap() {
    let late = 3_155_378_975_999_999_999;
    let values = [late, late, late, late - 4].map(Value::DateTime);
    assert_eq!(
        column("avg", Type::DateTime, &values),
        Value::DateTime(late - 1)
    );
}

#[test]
fn a_nan_makes_both_ends_nan() {
    let values = [3.3, f64::NAN, 1.0].map(Value::Real);
    assert!(real(&column("min", Type::Real, &values)).is_nan());
    assert!(real(&column("max", Type::Real, &values)).is_nan());
    assert!(real(&column("sum", Type::Real, &values)).is_nan());
    let values = [f64::INFINITY, f64::NEG_INFINITY, 1.5].map(Value::Real);
    assert_eq!(
        column("min", Type::Real, &values),
        Value::Real(f64::NEG_INFINITY)
    );
    assert!(real(&column("stdev", Type::Real, &values)).is_nan());
}

#[test]
fn lists_flatten_arrays_and_keep_dynamic_nulls() {
    let values = [longs(&[1, 2]), Value::Null, longs(&[3])];
    let items = vec![Json::Long(1), Json::Long(2), Json::Null, Json::Long(3)];
    assert_eq!(
        column("make_list", Type::Dynamic, &values),
        dynamic(Json::Array(items))
    );
    assert_eq!(
        column("make_set", Type::Dynamic, &values),
        longs(&[1, 2, 3])
    );
    let decimals = ["1.5", "2.5"].map(decimal);
    let texts = ["1.5", "2.5"].map(|text| Json::String(text.into()));
    let texts = dynamic(Json::Array(texts.to_vec()));
    assert_eq!(column("make_list", Type::Decimal, &decimals), texts);
}

#[test]
fn decimals_are_added_up_exactly() {
    let tenths = ["0.1", "0.2", "12345678901234567890.12"].map(decimal);
    let of = |name, values: &[Value]| column(name, Type::Decimal, values);
    assert_eq!(of("sum", &tenths), decimal("12345678901234567890.42"));
    assert_eq!(of("max", &tenths), decimal("12345678901234567890.12"));
    assert_eq!(of("min", &tenths), decimal("0.1"));
    assert_eq!(of("take_any", &tenths), decimal("0.1"));
    assert_eq!(of("avg", &tenths[..2]), decimal("0.15"));
    assert_eq!(of("dcount", &tenths), Value::Long(3));
    assert_eq!(of("sum", &[]), decimal("0"));
    // A decimal is never NaN.
    assert_eq!(of("avg", &[]), Value::Null);
    let large = ["9e37", "9e37"].map(decimal);
    assert_eq!(of("sum", &large), Value::Null);
    assert_eq!(of("stdev", &tenths[..1]), Value::Real(0.0));
    let rows = [vec![decimal("1.5"), Value::Long(50)]];
    let types = [Type::Decimal, Type::Long];
    let half = [None, Some(Value::Long(50))];
    assert_eq!(run("percentile", &types, &half, &rows), [Value::Real(1.5)]);
}

#[test]
fn a_limit_cuts_lists_and_sets() {
    let rows: Vec<Vec<Value>> = (1..7)
        .map(|n| vec![Value::Long(n), Value::Long(2)])
        .collect();
    let (types, constants) = ([Type::Long; 2], [None, Some(Value::Long(2))]);
    assert_eq!(
        run("make_list", &types, &constants, &rows),
        [longs(&[1, 2])]
    );
    assert_eq!(run("make_set", &types, &constants, &rows), [longs(&[1, 2])]);
    let many: Vec<Value> = (0..200).map(Value::Long).collect();
    match column("makeset", Type::Long, &many) {
        Value::Dynamic(json) => assert!(matches!(&*json, Json::Array(items) if items.len() == 128)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_of_equal_keys_stays_in_a_bag() {
    let bag = |name: &str, n: i64| dynamic(Json::Bag(vec![(name.into(), Json::Long(n))]));
    let merged = Json::Bag(vec![
        ("a".into(), Json::Long(1)),
        ("b".into(), Json::Long(2)),
    ]);
    let values = [bag("a", 1), bag("b", 2), bag("a", 3), longs(&[1])];
    assert_eq!(column("make_bag", Type::Dynamic, &values), dynamic(merged));
}

#[test]
fn arg_max_keeps_the_first_of_equal_rows_and_nulls_lose() {
    let types = [Type::Long, Type::String];
    let row = |n: Value, text: &str| vec![n, s(text)];
    let rows = [
        row(Value::Null, "null"),
        row(Value::Long(2), "x"),
        row(Value::Long(2), "y"),
        row(Value::Long(1), "z"),
    ];
    assert_eq!(
        run("arg_max", &types, &[None, None], &rows),
        row(Value::Long(2), "x")
    );
    assert_eq!(
        run("arg_min", &types, &[None, None], &rows),
        row(Value::Long(1), "z")
    );
    assert_eq!(run("arg_max", &types, &[None, None], &rows[..1]), rows[0]);
}

#[test]
fn take_any_of_one_column_prefers_what_is_not_empty() {
    assert_eq!(
        column("take_any", Type::String, &[s(""), s("a"), s("b")]),
        s("a")
    );
    let rows = [vec![s(""), Value::Long(1)], vec![s("a"), Value::Long(2)]];
    let any = run(
        "take_any",
        &[Type::String, Type::Long],
        &[None, None],
        &rows,
    );
    assert_eq!(any, rows[0]);
    let types = [Type::Long, Type::Bool];
    let rows = [
        vec![Value::Long(1), Value::Bool(false)],
        vec![Value::Long(2), Value::Bool(true)],
    ];
    assert_eq!(
        run("take_anyif", &types, &[None, None], &rows),
        [Value::Long(2)]
    );
}

#[test]
fn percentiles_are_those_of_the_nearest_rank() {
    let of = |p: Value| {
        let rows: Vec<Vec<Value>> = (1..=100).map(|n| vec![Value::Int(n), p.clone()]).collect();
        let constants = [None, Some(p)];
        run(
            "percentiles",
            &[Type::Int, Type::Long],
            &constants,
            &rows[..],
        )
        .swap_remove(0)
    };
    assert_eq!(of(Value::Long(5)), Value::Long(5));
    assert_eq!(of(Value::Long(99)), Value::Long(99));
    assert_eq!(of(Value::Real(99.5)), Value::Long(100));
    assert_eq!(of(Value::Long(0)), Value::Long(1));

    let wanted = Json::Array(vec![Json::Long(50), Json::Long(75), Json::Real(99.9)]);
    let wanted = dynamic(wanted);
    let rows = [(10, 8), (20, 6), (30, 3), (40, 1)]
        .map(|(v, n)| vec![Value::Long(v), Value::Long(n), wanted.clone()]);
    let types = [Type::Long, Type::Long, Type::Dynamic];
    let constants = [None, None, Some(wanted)];
    let answer = run("percentilesw_array", &types, &constants, &rows);
    assert_eq!(answer, [longs(&[20, 20, 40])]);

    let rows = [-2.5, -0.5, f64::NEG_INFINITY, 7.0].map(|n| vec![Value::Real(n), Value::Long(50)]);
    let constants = [None, Some(Value::Long(50))];
    let answer = run("percentile", &[Type::Real, Type::Long], &constants, &rows);
    assert_eq!(answer, [Value::Real(-2.5)]);
}

#[test]
fn variances_are_those_that_kusto_recorded() {
    let near = |name: &str, numbers: &[i64], wanted: f64| {
        let mut whole = get(name)
            .expect("an aggregate")
            .accumulator(&[Type::Long], &[None]);
        numbers.iter().for_each(|n| whole.add(&[Value::Long(*n)]));
        let found = real(&whole.finish());
        assert!(
            (found - wanted).abs() <= wanted.abs() * 1e-9,
            "{name}: {found}"
        );
    };
    near("variance", &[1, 2, 3, 4], 5.0 / 3.0);
    near("stdev", &[1, 2, 3, 4], 1.290_994_448_735_805_6);
    near("stdevp", &[1, 2, 3, 4], 1.118_033_988_749_895);
    near("variance", &[10], 0.0);
    let evens: Vec<i64> = (1..=50).map(|n| 2 * n).collect();
    near("variance", &evens, 850.0);
    near("variancep", &evens, 833.0);

    let pairs = [
        (1.0, 14.0),
        (2.0, 10.0),
        (3.0, 17.0),
        (4.0, 20.0),
        (5.0, 50.0),
    ];
    let covariance = get("covariancep").expect("an aggregate");
    let (types, none) = ([Type::Real; 2], [None, None]);
    let mut parts = [
        covariance.accumulator(&types, &none),
        covariance.accumulator(&types, &none),
    ];
    for (index, (x, y)) in pairs.into_iter().enumerate() {
        parts[index / 2 % 2].add(&[Value::Real(x), Value::Real(y)]);
    }
    let saved = parts[1].save();
    parts[0].merge(&saved);
    assert!((real(&parts[0].finish()) - 16.4).abs() < 1e-12);
}

#[test]
fn buildschema_gives_the_example_of_the_documentation() {
    let text = |text: &str| Json::String(text.into());
    let bag = |items: Vec<(&str, Json)>| {
        Json::Bag(
            items
                .into_iter()
                .map(|(name, item)| (name.into(), item))
                .collect(),
        )
    };
    let values = [
        bag(vec![("x", Json::Long(1)), ("y", Json::Real(3.5))]),
        bag(vec![
            ("x", text("somevalue")),
            ("z", Json::Array(vec![Json::Long(1), Json::Long(2)])),
        ]),
        bag(vec![
            ("y", bag(vec![("w", text("zzz"))])),
            ("z", Json::Array(vec![text("foo")])),
        ]),
    ];
    let kinds = |names: &[&str]| Json::Array(names.iter().map(|name| text(name)).collect());
    let schema = bag(vec![
        ("x", kinds(&["long", "string"])),
        (
            "y",
            Json::Array(vec![text("double"), bag(vec![("w", text("string"))])]),
        ),
        ("z", bag(vec![("`indexer`", kinds(&["long", "string"]))])),
    ]);
    assert_eq!(
        column("buildschema", Type::Dynamic, &values.map(dynamic)),
        dynamic(schema)
    );
}

#[test]
fn wrong_arguments_are_refused_with_a_reason() {
    let refused = |name: &str, types: &[Type]| {
        let constants = vec![None; types.len()];
        get(name)
            .expect("an aggregate")
            .types(types, &constants)
            .expect_err("refused")
    };
    assert_eq!(refused("sum", &[]), "`sum` takes 1 arguments, not 0");
    assert_eq!(
        refused("sum", &[Type::String]),
        "`sum`: there is no sum of `string`"
    );
    assert_eq!(
        refused("countif", &[Type::Long]),
        "argument 1 of `countif` must be `bool`, not `long`"
    );
    assert!(refused("max", &[Type::Dynamic]).contains("tolong()"));
    assert_eq!(
        refused("percentile", &[Type::Long, Type::Long]),
        "`percentile`: a percentage must be a constant"
    );
}

#[test]
fn a_state_that_is_none_adds_nothing() {
    let broken = [
        Json::Null,
        Json::Array(vec![Json::Null; 4]),
        Json::String("x".into()),
        Json::Bag(vec![("a".into(), Json::Null)]),
    ];
    for aggregate in all() {
        let types = vec![Type::Long; aggregate.arguments.0.max(1)];
        let mut accumulator = aggregate.accumulator(&types, &vec![None; types.len()]);
        accumulator.add(&[]);
        accumulator.add(&[Value::Long(1)]);
        broken.iter().for_each(|state| accumulator.merge(state));
        accumulator.finish_all();
        accumulator.finish();
    }
}

#[test]
fn summaries_are_joined_and_asked_later() {
    let ask = |name: &str, arguments: &[Value]| {
        let function = crate::function::get(name).expect("a function");
        (function.eval)(&Default::default(), arguments)
    };
    let values = [1, 2, 2, 3].map(Value::Long);
    let hll = column("hll", Type::Long, &values);
    let other = column("hll", Type::Long, &[3, 4].map(Value::Long));
    let nulls = [hll.clone(), Value::Null, other];
    let merged = column("hll_merge", Type::Dynamic, &nulls);
    assert_eq!(ask("dcount_hll", &[hll]), Value::Long(3));
    assert_eq!(ask("dcount_hll", &[merged]), Value::Long(4));

    let days = [5, 1, 9].map(|day| Value::DateTime(day * 864_000_000_000));
    let digest = column("tdigest", Type::DateTime, &days);
    let merged = column("tdigest_merge", Type::Dynamic, &[digest.clone(), digest]);
    assert_eq!(
        ask("percentile_tdigest", &[merged.clone(), Value::Long(50)]),
        days[0]
    );
    // As text, datetimes are strings.
    let text = Json::parse(&merged.show()).unwrap_or_default();
    let read = [Value::dynamic(text), Value::Long(100)];
    assert_eq!(ask("percentile_tdigest", &read), days[2]);
    let rank = ask("percentrank_tdigest", &[merged, days[1].clone()]);
    assert!((real(&rank) - 100.0 / 3.0).abs() < 1e-9);
    assert_eq!(
        ask("percentile_tdigest", &["x".into(), Value::Long(1)]),
        Value::Null
    );
}
