//! Numbers that describe a series: extremes, mean, variance, length of the vector, likeness of two series.

use super::arguments::{Want, items, json_bag, or_null, real, take};
use super::definition::{BARE, Function};
use super::series::{number, numbers, tuple};
use crate::function::value::{Json, Type, Value};

/// The variance of a sample; 0 of fewer than two numbers. By the update of Welford, which gives Kusto's digits.
pub(super) fn variance(values: &[f64]) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        let distance = value - mean;
        mean += distance / count;
        squares += distance * (value - mean);
    }
    squares / f64::max(count - 1.0, 1.0)
}

/// What `series_stats` gives.
struct Statistics {
    least: (usize, f64),
    greatest: (usize, f64),
    sum: f64,
    average: f64,
    variance: f64,
}

impl Statistics {
    /// Of the numbers of a series; nothing where there are none or, unless these are to be left out, where an element is none
    /// or is not finite.
    fn new(items: &[Json], leave_out: bool) -> Option<Statistics> {
        let finite = |item: &Json| number(item).filter(|value| value.is_finite());
        if !leave_out && items.iter().any(|item| finite(item).is_none()) {
            return None;
        }
        let found = items.iter().enumerate();
        let found: Vec<_> = found
            .filter_map(|(i, item)| Some((i, finite(item)?)))
            .collect();
        let values: Vec<f64> = found.iter().map(|(_, value)| *value).collect();
        let sum = values.iter().sum::<f64>();
        Some(Statistics {
            least: *found.iter().min_by(|a, b| a.1.total_cmp(&b.1))?,
            // Of equal ones `max_by` takes the last, and the first is wanted.
            greatest: *found.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1))?,
            sum,
            average: sum / values.len() as f64,
            variance: variance(&values),
        })
    }

    fn outputs(&self) -> [Json; 7] {
        let index = |at: usize| Json::Long(i64::try_from(at).unwrap_or(i64::MAX));
        [
            Json::Real(self.least.1),
            index(self.least.0),
            Json::Real(self.greatest.1),
            index(self.greatest.0),
            Json::Real(self.average),
            Json::Real(self.variance.sqrt()),
            Json::Real(self.variance),
        ]
    }
}

fn statistics(a: &[Value]) -> Option<Statistics> {
    let leave_out = a.get(1).and_then(Value::to_bool).unwrap_or(false);
    Statistics::new(items(a, 0)?, leave_out)
}

fn statistics_bag(a: &[Value]) -> Option<Value> {
    let found = statistics(a)?;
    let [min, min_idx, max, max_idx, avg, stdev, variance] = found.outputs();
    let length = i64::try_from(items(a, 0)?.len()).ok()?;
    Some(Value::dynamic(json_bag([
        ("min", min),
        ("min_idx", min_idx),
        ("max", max),
        ("max_idx", max_idx),
        ("avg", avg),
        ("stdev", stdev),
        ("variance", variance),
        ("sum", Json::Real(found.sum)),
        ("len", Json::Long(length)),
    ])))
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).fold(0.0, |sum, (x, y)| sum + x * y)
}

fn magnitude(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// The cosine of the angle between two series, as far as the shorter goes; places without two numbers are left out.
fn cosine(a: &[Value]) -> Option<f64> {
    let pairs = items(a, 0)?.iter().zip(items(a, 1)?);
    let pairs = pairs.filter_map(|(x, y)| Some((number(x)?, number(y)?)));
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.unzip();
    if x.is_empty() {
        return None;
    }
    let x_magnitude = real(a, 2).unwrap_or_else(|| magnitude(&x));
    let y_magnitude = real(a, 3).unwrap_or_else(|| magnitude(&y));
    Some(dot(&x, &y) / (x_magnitude * y_magnitude))
}

fn correlation(a: &[Value]) -> Option<f64> {
    let (x, y) = (numbers(a, 0)?, numbers(a, 1)?);
    if x.is_empty() || x.len() != y.len() {
        return None;
    }
    let centred = |values: Vec<f64>| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.into_iter().map(|value| value - mean).collect()
    };
    let (x, y) = (centred(x), centred(y));
    Some(dot(&x, &y) / (dot(&x, &x) * dot(&y, &y)).sqrt())
}

const STATS: Function = Function {
    name: "series_stats",
    arguments: (1, 2),
    doc: "series_stats(series, ignore_nonfinite = false): min, min_idx, max, max_idx, avg, stdev, variance",
    example: "print x = series_stats(dynamic([3, 1, 2]))",
    answer: "[1.0,1,3.0,0,2.0,1.0,1.0]",
    ty: |a| take(a, &[Want::Dynamic, Want::Bool], Type::Dynamic),
    eval: |_, a| tuple(statistics(a).map(|found| found.outputs())),
    ..BARE
};

const MAGNITUDE: Function = Function {
    name: "series_magnitude",
    arguments: (1, 1),
    doc: "series_magnitude(series): the root of the sum of the squares; null where an element is no number",
    example: "print x = series_magnitude(dynamic([3, 4]))",
    answer: "5.0",
    ty: |a| take(a, &[Want::Dynamic], Type::Real),
    eval: |_, a| or_null(numbers(a, 0).map(|x| magnitude(&x))),
    ..BARE
};

pub(super) const TABLE: &[Function] = &[
    STATS,
    Function {
        name: "series_stats_dynamic",
        doc: "series_stats_dynamic(series, ignore_nonfinite = false): what series_stats gives, and sum and len, as a bag",
        example: "print x = series_stats_dynamic(dynamic([3, 1, 2])).sum",
        answer: "6.0",
        body: None,
        eval: |_, a| or_null(statistics_bag(a)),
        ..STATS
    },
    MAGNITUDE,
    Function {
        name: "series_product",
        doc: "series_product(series): the product of the elements; null where one is no number",
        example: "print x = series_product(dynamic([2, 3, 4]))",
        answer: "24.0",
        body: None,
        eval: |_, a| or_null(numbers(a, 0).map(|x| x.iter().product::<f64>())),
        ..MAGNITUDE
    },
    Function {
        name: "series_pearson_correlation",
        arguments: (2, 2),
        doc: "series_pearson_correlation(a, b): from -1 to 1, how far one is a straight line of the other",
        example: "print x = series_pearson_correlation(dynamic([1, 2, 3]), dynamic([2, 4, 6]))",
        answer: "1.0",
        ty: |a| take(a, &[Want::Dynamic], Type::Real),
        eval: |_, a| or_null(correlation(a)),
        ..BARE
    },
    Function {
        name: "series_cosine_similarity",
        arguments: (2, 4),
        doc: "series_cosine_similarity(a, b, magnitude_a, magnitude_b): the cosine of the angle between the two",
        example: "print x = series_cosine_similarity(dynamic([3, 4]), dynamic([4, 3]))",
        answer: "0.96",
        ty: |a| take(a, &[Want::Dynamic, Want::Dynamic, Want::Number], Type::Real),
        eval: |_, a| or_null(cosine(a)),
        ..BARE
    },
];
