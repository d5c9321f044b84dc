//! Filters of a series: each value is made of those around it. Before and behind the series lie zeros.

use super::arguments::{Want, take};
use super::definition::{BARE, Function};
use super::result_name::ResultName;
use super::series::{numbers, reals};
use crate::function::value::{Type, Value};

/// The weighted sum of the element at an index, which may lie behind the end, and those before it.
fn weighted(values: &[f64], weights: &[f64], at: usize) -> f64 {
    let end = values.len().min(at + 1);
    let weights = weights.iter().skip(at + 1 - end);
    let pairs = values[..end].iter().rev().zip(weights);
    pairs.fold(0.0, |sum, (value, weight)| sum + value * weight)
}

fn finite_response(a: &[Value]) -> Option<Vec<f64>> {
    let (values, mut weights) = (numbers(a, 0)?, numbers(a, 1)?);
    let negative = weights.iter().any(|weight| *weight < 0.0);
    let normalize = a.get(2).and_then(Value::to_bool).unwrap_or(!negative);
    let centre = a.get(3).and_then(Value::to_bool).unwrap_or(false);
    if normalize {
        if negative {
            return None;
        }
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    let ahead = match centre {
        true => weights.len() / 2,
        false => 0,
    };
    Some(
        (0..values.len())
            .map(|i| weighted(&values, &weights, i + ahead))
            .collect(),
    )
}

fn infinite_response(a: &[Value]) -> Option<Vec<f64>> {
    let (values, above, below) = (numbers(a, 0)?, numbers(a, 1)?, numbers(a, 2)?);
    let (first, further) = below.split_first()?;
    if *first == 0.0 {
        return None;
    }
    let mut made: Vec<f64> = Vec::with_capacity(values.len());
    for at in 0..values.len() {
        let back = at
            .checked_sub(1)
            .map_or(0.0, |last| weighted(&made, further, last));
        made.push((weighted(&values, &above, at) - back) / first);
    }
    Some(made)
}

fn series(values: Option<Vec<f64>>) -> Value {
    values.map_or(Value::Null, |values| Value::dynamic(reals(values)))
}

pub(super) const TABLE: &[Function] = &[
    Function {
        name: "series_fir",
        arguments: (2, 4),
        names: ResultName::First,
        doc: "series_fir(series, weights, normalize, center = false): the weighted sum of each element and those before it",
        example: "print x = series_fir(dynamic([2, 4, 6, 8]), dynamic([1, 1]))",
        answer: "[1.0,3.0,5.0,7.0]",
        ty: |a| {
            take(
                a,
                &[Want::Dynamic, Want::Dynamic, Want::Bool],
                Type::Dynamic,
            )
        },
        eval: |_, a| series(finite_response(a)),
        ..BARE
    },
    Function {
        name: "series_iir",
        arguments: (3, 3),
        names: ResultName::First,
        doc: "series_iir(series, numerators, denominators): a recursive filter; [1] and [1, -1] give running sums",
        example: "print x = series_iir(dynamic([1, 2, 3]), dynamic([1]), dynamic([1, -1]))",
        answer: "[1.0,3.0,6.0]",
        ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
        eval: |_, a| series(infinite_response(a)),
        ..BARE
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::value::Json;

    fn filtered(series: &str, weights: &str, further: &[Value]) -> Option<Vec<f64>> {
        let json = |text| Value::dynamic(Json::parse(text).unwrap_or_default());
        let mut arguments = vec![json(series), json(weights)];
        arguments.extend_from_slice(further);
        finite_response(&arguments)
    }

    #[test]
    fn a_centred_average_keeps_the_peak_in_its_place() {
        let (spike, weights) = ("[0,0,0,5,0,0,0]", "[1,1,1]");
        let third = 5.0 / 3.0;
        let late = [0.0, 0.0, 0.0, third, third, third, 0.0];
        let centred = [0.0, 0.0, third, third, third, 0.0, 0.0];
        let near = |found: Option<Vec<f64>>, expected: [f64; 7]| {
            found.is_some_and(|found| {
                let mut pairs = found.iter().zip(expected);
                found.len() == 7 && pairs.all(|(a, b)| (a - b).abs() < 1e-12)
            })
        };
        assert!(near(filtered(spike, weights, &[]), late));
        let yes = Value::Bool(true);
        assert!(near(filtered(spike, weights, &[yes.clone(), yes]), centred));
    }

    #[test]
    fn negative_weights_are_not_normalized() {
        let difference = filtered("[0,0,2,2,3]", "[1,-1]", &[]);
        assert_eq!(difference, Some(vec![0.0, 0.0, 2.0, 0.0, 1.0]));
        assert_eq!(filtered("[1]", "[1,-1]", &[Value::Bool(true)]), None);
    }
}
