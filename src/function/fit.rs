//! Lines and polynomials through a series, by least squares; and the columns that functions of several columns have.
//!
//! Kusto's numbers are known for one example of `series_fit_line` only, and this gives them: points count from 1, variances
//! are those of a sample. Not documented, and so the plainest reading: each side of `series_fit_2lines` counts its own points
//! from 1, `split_idx` is the first point of the right side, and a constant series is fitted perfectly.

use std::sync::Arc;

use super::arguments::{Want, json_bag, take};
use super::definition::{BARE, Function};
use super::series::{numbers, reals, tuple};
use super::statistic::variance;
use crate::function::value::{Json, Type, Value};

/// The greatest degree of a polynomial; long before it coefficients say nothing any more.
const MOST_DEGREE: usize = 64;

const LINE: &[(&str, Type)] = &[
    ("rsquare", Type::Real),
    ("slope", Type::Real),
    ("variance", Type::Real),
    ("rvariance", Type::Real),
    ("interception", Type::Real),
    ("line_fit", Type::Dynamic),
];

const TWO_LINES: &[(&str, Type)] = &[
    ("rsquare", Type::Real),
    ("split_idx", Type::Long),
    ("variance", Type::Real),
    ("rvariance", Type::Real),
    ("line_fit", Type::Dynamic),
    ("right_rsquare", Type::Real),
    ("right_slope", Type::Real),
    ("right_interception", Type::Real),
    ("right_variance", Type::Real),
    ("right_rvariance", Type::Real),
    ("left_rsquare", Type::Real),
    ("left_slope", Type::Real),
    ("left_interception", Type::Real),
    ("left_variance", Type::Real),
    ("left_rvariance", Type::Real),
];

const POLYNOMIAL: &[(&str, Type)] = &[
    ("rsquare", Type::Real),
    ("coefficients", Type::Dynamic),
    ("variance", Type::Real),
    ("rvariance", Type::Real),
    ("poly_fit", Type::Dynamic),
];

const STATISTICS: &[(&str, Type)] = &[
    ("min", Type::Real),
    ("min_idx", Type::Long),
    ("max", Type::Real),
    ("max_idx", Type::Long),
    ("avg", Type::Real),
    ("stdev", Type::Real),
    ("variance", Type::Real),
];

/// The columns of a function that has several: the end of the name that Kusto gives each, and its type. Such a function
/// evaluates to an array of them, or to null where all are null.
pub fn outputs(name: &str) -> Option<&'static [(&'static str, Type)]> {
    Some(match name {
        "series_fit_line" => LINE,
        "series_fit_2lines" => TWO_LINES,
        "series_fit_poly" => POLYNOMIAL,
        "series_stats" => STATISTICS,
        "series_decompose" => &[
            ("baseline", Type::Dynamic),
            ("seasonal", Type::Dynamic),
            ("trend", Type::Dynamic),
            ("residual", Type::Dynamic),
        ],
        "series_decompose_anomalies" => &[
            ("ad_flag", Type::Dynamic),
            ("ad_score", Type::Dynamic),
            ("baseline", Type::Dynamic),
        ],
        "series_periods_detect" => &[
            ("periods", Type::Dynamic),
            ("periods_scores", Type::Dynamic),
        ],
        "series_periods_validate" => &[("periods", Type::Dynamic), ("scores", Type::Dynamic)],
        _ => return None,
    })
}

/// A polynomial through points.
struct Fit {
    /// From the constant up.
    coefficients: Vec<f64>,
    /// Its values at the points.
    values: Vec<f64>,
    quality: Quality,
}

/// How well points are fitted.
#[derive(Clone, Copy)]
struct Quality {
    rsquare: f64,
    variance: f64,
    rvariance: f64,
}

impl Quality {
    fn new(y: &[f64], fitted: &[f64]) -> Quality {
        let residuals: Vec<f64> = y.iter().zip(fitted).map(|(y, fit)| y - fit).collect();
        let (whole, rest) = (variance(y), variance(&residuals));
        Quality {
            rsquare: match whole == 0.0 {
                true => 1.0,
                false => (1.0 - rest / whole).clamp(0.0, 1.0),
            },
            variance: whole,
            rvariance: rest,
        }
    }
}

impl Fit {
    /// The best polynomial of a degree; nothing where the points are too few for it.
    ///
    /// It is a sum of polynomials that are orthogonal over the points (Forsythe's recurrence), so that no equations have to be
    /// solved.
    fn new(x: &[f64], y: &[f64], degree: usize) -> Option<Fit> {
        let mut distinct = x.to_vec();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let origin = *y.first()?;
        if x.len() != y.len() || degree >= distinct.len() || degree > MOST_DEGREE {
            return None;
        }
        // Counted from the first value, so that a constant series is fitted without a rounding error.
        let mut values = vec![origin; y.len()];
        let mut coefficients = vec![0.0; degree + 1];
        coefficients[0] = origin;
        let (mut basis, mut before) = (vec![1.0; x.len()], vec![0.0; x.len()]);
        let (mut powers, mut powers_before) = (vec![0.0; degree + 1], vec![0.0; degree + 1]);
        powers[0] = 1.0;
        let mut size_before = f64::INFINITY;
        for _ in 0..=degree {
            let size: f64 = basis.iter().map(|b| b * b).sum();
            let rest = y.iter().zip(&values).map(|(y, value)| y - value);
            let weight = rest.zip(&basis).map(|(rest, b)| rest * b).sum::<f64>() / size;
            for (value, b) in values.iter_mut().zip(&basis) {
                *value += weight * b;
            }
            for (coefficient, power) in coefficients.iter_mut().zip(&powers) {
                *coefficient += weight * power;
            }
            let centre = x.iter().zip(&basis).map(|(x, b)| x * b * b).sum::<f64>() / size;
            let back = size / size_before;
            let next = x.iter().zip(basis.iter().zip(&before));
            let next = next.map(|(x, (b, before))| (x - centre) * b - back * before);
            (basis, before) = (next.collect(), basis);
            let shifted = std::iter::once(&0.0).chain(&powers);
            let next = shifted.zip(powers.iter().zip(&powers_before));
            let next = next.map(|(up, (power, before))| up - centre * power - back * before);
            (powers, powers_before) = (next.collect(), powers);
            size_before = size;
        }
        Some(Fit {
            quality: Quality::new(y, &values),
            coefficients,
            values,
        })
    }
}

/// A straight line through a series whose points count from 1.
pub(super) struct Line {
    /// By how much it rises from point to point.
    pub(super) slope: f64,
    /// Its value before the first point.
    pub(super) interception: f64,
    fit: Fit,
}

impl Line {
    /// The best line; a level one through a single point, none through no point.
    pub(super) fn new(y: &[f64]) -> Option<Line> {
        let fit = Fit::new(&places(y.len()), y, usize::from(y.len() > 1))?;
        Some(Line {
            slope: fit.coefficients.get(1).copied().unwrap_or(0.0),
            interception: *fit.coefficients.first()?,
            fit,
        })
    }

    /// Its value at the point of that index, which counts from 0 and may lie behind the series.
    pub(super) fn at(&self, index: usize) -> f64 {
        self.interception + self.slope * (index as f64 + 1.0)
    }

    fn outputs(self) -> [Json; 6] {
        let quality = self.fit.quality;
        [
            Json::Real(quality.rsquare),
            Json::Real(self.slope),
            Json::Real(quality.variance),
            Json::Real(quality.rvariance),
            Json::Real(self.interception),
            reals(self.fit.values),
        ]
    }

    /// What `series_fit_2lines` tells of one side.
    fn side(&self) -> [Json; 5] {
        let quality = self.fit.quality;
        [
            Json::Real(quality.rsquare),
            Json::Real(self.slope),
            Json::Real(self.interception),
            Json::Real(quality.variance),
            Json::Real(quality.rvariance),
        ]
    }
}

/// The numbers 1, 2, ….
fn places(length: usize) -> Vec<f64> {
    (1..=length).map(|place| place as f64).collect()
}

/// Squares that the best line through the first 1, 2, … points leaves.
fn squares_left<'y>(y: impl Iterator<Item = &'y f64>) -> Vec<f64> {
    let (mut count, mut mean_x, mut mean_y) = (0.0, 0.0, 0.0);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    y.map(|y| {
        count += 1.0;
        let (x_off, y_off) = (count - mean_x, y - mean_y);
        mean_x += x_off / count;
        mean_y += y_off / count;
        xx += x_off * (count - mean_x);
        xy += x_off * (y - mean_y);
        yy += y_off * (y - mean_y);
        match xx > 0.0 {
            true => (yy - xy * xy / xx).max(0.0),
            false => 0.0,
        }
    })
    .collect()
}

/// Two lines, the left one and the right one, and how well they fit together.
fn two_lines(y: &[f64]) -> Option<(Line, Line, Quality)> {
    let (left, right) = (squares_left(y.iter()), squares_left(y.iter().rev()));
    // `right` counts from the end: the point before last is what stays where all but one are on the left.
    let left_over = |split: &usize| left[split - 1] + right[y.len() - split - 1];
    let split = (1..y.len()).min_by(|a, b| left_over(a).total_cmp(&left_over(b)))?;
    let (left, right) = y.split_at(split);
    let (left, right) = (Line::new(left)?, Line::new(right)?);
    let fitted = [left.fit.values.as_slice(), &right.fit.values].concat();
    let quality = Quality::new(y, &fitted);
    Some((left, right, quality))
}

fn two_lines_outputs((left, right, quality): (Line, Line, Quality)) -> Vec<Json> {
    let split = i64::try_from(left.fit.values.len()).unwrap_or(i64::MAX);
    let fitted = left.fit.values.iter().chain(&right.fit.values).copied();
    let whole = [
        Json::Real(quality.rsquare),
        Json::Long(split),
        Json::Real(quality.variance),
        Json::Real(quality.rvariance),
        reals(fitted),
    ];
    whole
        .into_iter()
        .chain(right.side())
        .chain(left.side())
        .collect()
}

/// The outputs as properties; those of a side are a bag of their own.
fn two_lines_bag(outputs: Vec<Json>) -> Json {
    let mut bag: Vec<(Arc<str>, Json)> = Vec::new();
    for ((name, _), value) in TWO_LINES.iter().zip(outputs) {
        match name
            .split_once('_')
            .filter(|(side, _)| ["right", "left"].contains(side))
        {
            None => bag.push(((*name).into(), value)),
            Some((side, name)) => match bag.last_mut() {
                Some((last, Json::Bag(properties))) if **last == *side => {
                    properties.push((name.into(), value));
                }
                _ => bag.push((side.into(), Json::Bag(vec![(name.into(), value)]))),
            },
        }
    }
    Json::Bag(bag)
}

fn polynomial(a: &[Value]) -> Option<Vec<Json>> {
    let y = numbers(a, 0)?;
    let x = match a.get(1) {
        None | Some(Value::Null) => places(y.len()),
        Some(_) => numbers(a, 1)?,
    };
    let degree = match a.get(2) {
        None => 1,
        Some(degree) => usize::try_from(degree.to_long()?).ok()?,
    };
    let fit = Fit::new(&x, &y, degree)?;
    Some(vec![
        Json::Real(fit.quality.rsquare),
        reals(fit.coefficients.into_iter().rev()),
        Json::Real(fit.quality.variance),
        Json::Real(fit.quality.rvariance),
        reals(fit.values),
    ])
}

const FIT_LINE: Function = Function {
    name: "series_fit_line",
    arguments: (1, 1),
    doc: "series_fit_line(series): the line that fits best: rsquare, slope, variance, rvariance, interception, line_fit",
    example: "print x = series_fit_line(dynamic([1, 3, 5]))",
    answer: "[1.0,2.0,4.0,0.0,-1.0,[1.0,3.0,5.0]]",
    ty: |a| take(a, &[Want::Dynamic], Type::Dynamic),
    eval: |_, a| tuple(numbers(a, 0).and_then(|y| Some(Line::new(&y)?.outputs()))),
    ..BARE
};

pub(super) const TABLE: &[Function] = &[
    FIT_LINE,
    Function {
        name: "series_fit_line_dynamic",
        doc: "series_fit_line_dynamic(series): what series_fit_line gives, as a bag",
        example: "print x = series_fit_line_dynamic(dynamic([1, 3, 5])).slope",
        answer: "2.0",
        body: None,
        eval: |_, a| match numbers(a, 0).and_then(|y| Line::new(&y)) {
            Some(line) => {
                let [rsquare, slope, variance, rvariance, interception, line_fit] = line.outputs();
                Value::dynamic(json_bag([
                    ("rsquare", rsquare),
                    ("slope", slope),
                    ("variance", variance),
                    ("rvariance", rvariance),
                    ("interception", interception),
                    ("line_fit", line_fit),
                ]))
            }
            None => Value::Null,
        },
        ..FIT_LINE
    },
    Function {
        name: "series_fit_2lines",
        doc: "series_fit_2lines(series): the two lines, one behind the other, that fit best: rsquare, split_idx, variance, …",
        example: "print x = series_fit_2lines(dynamic([1, 2, 3, 9, 8, 7]))",
        answer: "[1.0,3,11.6,0.0,[1.0,2.0,3.0,9.0,8.0,7.0],1.0,-1.0,10.0,1.0,0.0,1.0,1.0,0.0,1.0,0.0]",
        body: None,
        eval: |_, a| tuple(numbers(a, 0).and_then(|y| Some(two_lines_outputs(two_lines(&y)?)))),
        ..FIT_LINE
    },
    Function {
        name: "series_fit_2lines_dynamic",
        doc: "series_fit_2lines_dynamic(series): what series_fit_2lines gives, as a bag with a bag for each side",
        example: "print x = series_fit_2lines_dynamic(dynamic([1, 2, 3, 9, 8, 7])).right.slope",
        answer: "-1.0",
        body: None,
        eval: |_, a| match numbers(a, 0).and_then(|y| two_lines(&y)) {
            Some(lines) => Value::dynamic(two_lines_bag(two_lines_outputs(lines))),
            None => Value::Null,
        },
        ..FIT_LINE
    },
    Function {
        name: "series_fit_poly",
        arguments: (1, 3),
        doc: "series_fit_poly(y, x = [1, 2, …], degree = 1): the polynomial that fits best: rsquare, coefficients, variance, …",
        example: "print x = series_fit_poly(dynamic([1, 4, 9, 16]), dynamic([1, 2, 3, 4]), 2)",
        answer: "[1.0,[1.0,0.0,0.0],43.0,0.0,[1.0,4.0,9.0,16.0]]",
        ty: |a| {
            take(
                a,
                &[Want::Dynamic, Want::Dynamic, Want::Integer],
                Type::Dynamic,
            )
        },
        eval: |_, a| tuple(polynomial(a)),
        ..BARE
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f64], expected: &[f64], within: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < within, "{found} {expected}");
        }
    }

    /// The documentation of `series_fit_line` prints these digits.
    #[test]
    fn a_line_is_that_of_the_documentation() -> Result<(), &'static str> {
        let y = [
            2.0, 5.0, 6.0, 8.0, 11.0, 15.0, 17.0, 18.0, 25.0, 26.0, 30.0, 30.0,
        ];
        let line = Line::new(&y).ok_or("no line")?;
        let Quality {
            rsquare,
            variance,
            rvariance,
        } = line.fit.quality;
        near(
            &[rsquare, line.slope, variance, rvariance, line.interception],
            &[0.982, 2.730, 98.628, 1.686, -1.666],
            0.001,
        );
        let fitted = [
            1.064, 3.7945, 6.526, 9.256, 11.987, 14.718, 17.449, 20.180, 22.910, 25.641, 28.371,
            31.102,
        ];
        near(&line.fit.values, &fitted, 0.001);
        near(&[line.at(11)], &fitted[11..], 0.001);
        Ok(())
    }

    #[test]
    fn a_split_is_where_the_trend_changes() -> Result<(), &'static str> {
        let y = [1.0, 2.2, 2.5, 4.7, 5.0, 12.0, 10.3, 10.3, 9.0, 8.3, 6.2];
        let (left, right, quality) = two_lines(&y).ok_or("no lines")?;
        assert_eq!(left.fit.values.len(), 5);
        assert!(left.slope > 0.0 && right.slope < 0.0 && quality.rsquare > 0.9);
        assert!(two_lines(&[1.0]).is_none());
        Ok(())
    }

    #[test]
    fn a_polynomial_needs_more_points_than_its_degree() -> Result<(), &'static str> {
        let x: Vec<f64> = (0..200).map(|i| f64::from(i) * 0.025 - 2.3).collect();
        let y: Vec<f64> = x
            .iter()
            .map(|x| x.powi(5) - 8.0 * x.powi(3) + 10.0 * x + 6.0)
            .collect();
        let fit = Fit::new(&x, &y, 5).ok_or("no fit")?;
        near(&fit.coefficients, &[6.0, 10.0, 0.0, -8.0, 0.0, 1.0], 1e-9);
        assert!(Fit::new(&[1.0, 1.0], &[2.0, 3.0], 1).is_none());
        assert!(Fit::new(&[], &[], 0).is_none());
        Ok(())
    }

    #[test]
    fn a_constant_series_is_fitted_perfectly() -> Result<(), &'static str> {
        let line = Line::new(&[0.1; 7]).ok_or("no line")?;
        assert_eq!((line.slope, line.interception), (0.0, 0.1));
        assert_eq!(
            (line.fit.quality.rsquare, line.fit.quality.variance),
            (1.0, 0.0)
        );
        Ok(())
    }
}
