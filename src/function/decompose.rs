//! Outliers of a series, and its parts: season, trend and the rest.
//!
//! All is as documented, and outliers as Kusto's developers have told (<https://stackoverflow.com/questions/75264555>). What is
//! not: a period is sought in the series without its trend, which would hide or feign one; what is left of an exact model is
//! 0, not its rounding error; outside of a range of no width an outlier is infinite.

use super::arguments::{Want, items, long, real, take};
use super::definition::{BARE, Function};
use super::fit::Line;
use super::periods::{detect, quantile, seasonal};
use super::result_name::ResultName;
use super::series::{number, numbers, reals, tuple};
use crate::function::value::{Json, Type, Value};

/// Scores beyond this are anomalies unless the query tells another.
const THRESHOLD: f64 = 1.5;
/// The least score of a period that is taken, unless the query tells another.
const SEASON_SCORE: f64 = 0.6;
/// What is smaller than the greatest value by this factor is a rounding error.
const ROUNDING: f64 = 1e-12;
/// Shape of the distribution by which scores of other ranges are made comparable with those of the quartiles. It gives the
/// factor 2.772605605507915 for the range from 10 % to 90 %, that of the scores at the address above; for other ranges no
/// score is known.
const SHAPE: f64 = 0.114_938_408_249_145_04;

/// The parts of a sorted series between which nothing is an outlier.
#[derive(Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    const QUARTILES: Range = Range {
        low: 0.25,
        high: 0.75,
    };
    const DECILES: Range = Range {
        low: 0.1,
        high: 0.9,
    };

    /// The range of a method, with the percentiles given, if it takes any.
    fn new(method: &str, low: Option<f64>, high: Option<f64>) -> Option<Range> {
        let part = |percentile: Option<f64>, default: f64| match percentile {
            None => Some(default),
            Some(percentile) => (2.0..=98.0)
                .contains(&percentile)
                .then_some(percentile / 100.0),
        };
        match method {
            "tukey" => Some(Range::QUARTILES),
            "ctukey" => Some(Range {
                low: part(low, Range::DECILES.low)?,
                high: part(high, Range::DECILES.high)?,
            })
            .filter(|range| range.low < range.high),
            _ => None,
        }
    }

    /// How far each value lies outside, in widths of the range; 0 inside and where there is no value.
    fn scores(self, values: &[Option<f64>]) -> Vec<f64> {
        let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (quantile(&sorted, self.low), quantile(&sorted, self.high));
        let normal = |part: f64| part.powf(SHAPE) - (1.0 - part).powf(SHAPE);
        // In the distribution, the score of what lies at the classic fence is that of the classic fence.
        let (left, right) = (normal(self.low), normal(self.high));
        let quartile = normal(Range::QUARTILES.high);
        let fence = quartile * (1.0 + 2.0 * THRESHOLD);
        let width = (right - left) / (high - low) * THRESHOLD;
        let score = |value: f64| match value {
            value if value > high => (value - high) * (width / (fence - right)),
            value if value < low => (value - low) * (width / (fence + left)),
            _ => 0.0,
        };
        let values = values.iter();
        values.map(|value| value.map_or(0.0, score)).collect()
    }
}

fn outliers(a: &[Value]) -> Option<Value> {
    let items = items(a, 0)?;
    let method = a.get(1).map_or("ctukey".into(), Value::text);
    let range = Range::new(&method, real(a, 3), real(a, 4))?;
    let ignored = real(a, 2);
    let values = items.iter().map(|item| {
        let value = number(item).filter(|value| value.is_finite());
        value.filter(|value| Some(*value) != ignored)
    });
    let values: Vec<Option<f64>> = values.collect();
    Some(Value::dynamic(reals(range.scores(&values))))
}

/// What the trend is made of.
#[derive(Clone, Copy)]
enum Trend {
    Average,
    Line,
    None,
}

impl Trend {
    /// The trend of that name; the default where there is none.
    fn named(name: Option<&Value>, default: Trend) -> Option<Trend> {
        match name.map(Value::text).as_deref() {
            None => Some(default),
            Some("avg") => Some(Trend::Average),
            Some("linefit") => Some(Trend::Line),
            Some("none") => Some(Trend::None),
            Some(_) => None,
        }
    }

    /// The trend of values, continued up to a length.
    fn of(self, values: &[f64], length: usize) -> Option<Vec<f64>> {
        Some(match self {
            Trend::None => vec![0.0; length],
            Trend::Average => vec![values.iter().sum::<f64>() / values.len() as f64; length],
            Trend::Line => {
                let line = Line::new(values)?;
                (0..length).map(|i| line.at(i)).collect()
            }
        })
    }
}

/// How a series is to be taken apart.
struct Model {
    /// The period; -1 where it is to be found, 0 where there is none.
    seasonality: i64,
    /// The least score of a period that is found.
    score: f64,
    trend: Trend,
    /// So many points at the end are not learned from.
    test_points: usize,
}

/// The parts of a series.
struct Parts {
    seasonal: Vec<f64>,
    trend: Vec<f64>,
    baseline: Vec<f64>,
    residual: Vec<f64>,
}

impl Model {
    fn new(
        seasonality: Option<i64>,
        score: Option<f64>,
        trend: Option<Trend>,
        test_points: Option<i64>,
    ) -> Option<Model> {
        Some(Model {
            seasonality: seasonality.unwrap_or(-1),
            score: score.unwrap_or(SEASON_SCORE),
            trend: trend?,
            test_points: usize::try_from(test_points.unwrap_or(0)).ok()?,
        })
    }

    fn period(&self, known: &[f64]) -> Option<usize> {
        match self.seasonality {
            -1 => {
                let line = Line::new(known)?;
                let level = known.iter().enumerate();
                let level: Vec<f64> = level.map(|(i, value)| value - line.at(i)).collect();
                let best = detect(&level).into_iter().next();
                best.filter(|(_, score)| *score >= self.score)
                    .map(|(period, _)| period)
            }
            period => usize::try_from(period)
                .ok()
                .filter(|period| (1..=known.len()).contains(period)),
        }
    }

    /// Takes a series apart; nothing where there is nothing to learn from.
    fn apply(&self, values: &[f64]) -> Option<Parts> {
        let known = values.get(..values.len().checked_sub(self.test_points)?)?;
        if known.is_empty() {
            return None;
        }
        let seasonal = match self.period(known) {
            Some(period) => seasonal(known, period, values.len()),
            None => vec![0.0; values.len()],
        };
        let rest = known.iter().zip(&seasonal);
        let rest: Vec<f64> = rest.map(|(value, season)| value - season).collect();
        let trend = self.trend.of(&rest, values.len())?;
        let baseline = seasonal.iter().zip(&trend);
        let baseline: Vec<f64> = baseline.map(|(season, trend)| season + trend).collect();
        let greatest = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let residual = values
            .iter()
            .zip(&baseline)
            .map(|(value, base)| value - base);
        let residual = residual.map(|rest| match rest.abs() > greatest * ROUNDING {
            true => rest,
            false => 0.0,
        });
        Some(Parts {
            residual: residual.collect(),
            seasonal,
            trend,
            baseline,
        })
    }
}

fn decompose(a: &[Value]) -> Option<[Json; 4]> {
    let trend = Trend::named(a.get(2), Trend::Average);
    let parts = Model::new(long(a, 1), real(a, 4), trend, long(a, 3))?.apply(&numbers(a, 0)?)?;
    Some([parts.baseline, parts.seasonal, parts.trend, parts.residual].map(reals))
}

fn anomalies(a: &[Value]) -> Option<[Json; 3]> {
    let trend = Trend::named(a.get(3), Trend::Average);
    let parts = Model::new(long(a, 2), real(a, 6), trend, long(a, 4))?.apply(&numbers(a, 0)?)?;
    let method = a.get(5).map_or("ctukey".into(), Value::text);
    let residual: Vec<Option<f64>> = parts.residual.into_iter().map(Some).collect();
    let scores = Range::new(&method, None, None)?.scores(&residual);
    let threshold = real(a, 1).unwrap_or(THRESHOLD);
    let flags = scores
        .iter()
        .map(|score| Json::Long(i64::from(*score > threshold) - i64::from(*score < -threshold)));
    Some([
        Json::Array(flags.collect()),
        reals(scores),
        reals(parts.baseline),
    ])
}

fn forecast(a: &[Value]) -> Option<Value> {
    // The documentation names the average as default, but its example has a trend, and older documentation the line.
    let trend = Trend::named(a.get(3), Trend::Line);
    let parts = Model::new(long(a, 2), real(a, 4), trend, long(a, 1))?.apply(&numbers(a, 0)?)?;
    Some(Value::dynamic(reals(parts.baseline)))
}

pub(super) const TABLE: &[Function] = &[
    Function {
        name: "series_outliers",
        arguments: (1, 5),
        names: ResultName::First,
        doc: "series_outliers(series, kind = \"ctukey\", ignore, low = 10, high = 90): scores, beyond 1.5 and -1.5 for outliers",
        example: "print x = series_outliers(dynamic([1, 2, 3, 4, 14]), \"tukey\")",
        answer: "[-0.5,0.0,0.0,0.0,5.0]",
        ty: |a| take(a, &[Want::Dynamic, Want::Text, Want::Number], Type::Dynamic),
        eval: |_, a| outliers(a).unwrap_or_default(),
        ..BARE
    },
    Function {
        name: "series_decompose",
        arguments: (1, 5),
        doc: "series_decompose(series, seasonality = -1, trend = \"avg\", test_points = 0, score = 0.6): baseline, seasonal, …",
        example: "print x = series_decompose(dynamic([1, 3, 5, 7]), 0, \"linefit\")",
        answer: "[[1.0,3.0,5.0,7.0],[0.0,0.0,0.0,0.0],[1.0,3.0,5.0,7.0],[0.0,0.0,0.0,0.0]]",
        ty: |a| {
            let wants = [
                Want::Dynamic,
                Want::Integer,
                Want::Text,
                Want::Integer,
                Want::Number,
            ];
            take(a, &wants, Type::Dynamic)
        },
        eval: |_, a| tuple(decompose(a)),
        ..BARE
    },
    Function {
        name: "series_decompose_anomalies",
        arguments: (1, 7),
        doc: "series_decompose_anomalies(series, threshold = 1.5, seasonality = -1, trend = \"avg\", …): ad_flag, ad_score, baseline",
        example: "print x = series_decompose_anomalies(dynamic([1, 2, 3, 4, 20]), 1.5, 0, \"avg\", 0, \"tukey\")",
        answer: "[[0,0,0,0,1],[-0.5,0.0,0.0,0.0,8.0],[6.0,6.0,6.0,6.0,6.0]]",
        ty: |a| {
            let wants = [
                Want::Dynamic,
                Want::Number,
                Want::Integer,
                Want::Text,
                Want::Integer,
                Want::Text,
                Want::Number,
            ];
            take(a, &wants, Type::Dynamic)
        },
        eval: |_, a| tuple(anomalies(a)),
        ..BARE
    },
    Function {
        name: "series_decompose_forecast",
        arguments: (2, 5),
        doc: "series_decompose_forecast(series, points, seasonality = -1, trend = \"linefit\", score = 0.6): the baseline",
        example: "print x = series_decompose_forecast(dynamic([1, 2, 3, 0, 0]), 2)",
        answer: "[1.0,2.0,3.0,4.0,5.0]",
        ty: |a| {
            let wants = [
                Want::Dynamic,
                Want::Integer,
                Want::Integer,
                Want::Text,
                Want::Number,
            ];
            take(a, &wants, Type::Dynamic)
        },
        eval: |_, a| forecast(a).unwrap_or_default(),
        ..BARE
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice;

    const DECILES: Range = Range::DECILES;

    fn near(found: &[f64], expected: &[f64], within: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < within, "{found} {expected}");
        }
    }

    fn arguments(values: &[f64], further: &[Value]) -> Vec<Value> {
        let mut all = vec![Value::dynamic(reals(values.iter().copied()))];
        all.extend_from_slice(further);
        all
    }

    /// A week of hours, five times over, with noise and six spikes, as in the examples of the documentation.
    fn weeks(trend: f64) -> Vec<f64> {
        let mut state: u64 = 42;
        let hour = |t: i32| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 40) as f64 / (1_u64 << 24) as f64;
            let day = match (t / 24) % 7 >= 5 {
                true => 5.0,
                false => 15.0,
            };
            let spike = match t {
                150 | 200 | 780 => -8.0,
                300 | 400 | 600 => 8.0,
                _ => 0.0,
            };
            let bend = f64::from((t % 24) / 10).powi(2);
            2.0 * noise + day - bend + f64::from(t) * trend + spike
        };
        (1..=24 * 7 * 5).map(hour).collect()
    }

    /// The scores that Kusto gave; see the address at the top.
    #[test]
    fn outliers_score_as_in_kusto() {
        let values = [
            -3.0, 2.4, 15.0, 3.9, 5.0, 6.0, 4.5, 5.2, 3.0, 4.0, 5.0, 16.0, 7.0, 5.0, 5.0, 4.0,
        ];
        let mut expected = [0.0; 16];
        expected[0] = -1.904_078_548_360_857;
        expected[1] = -0.100_214_660_440_045_19;
        expected[2] = 1.336_195_472_533_934_7;
        expected[11] = 1.670_244_340_667_418_6;
        near(&DECILES.scores(&values.map(Some)), &expected, 1e-14);
    }

    #[test]
    fn quartiles_score_in_plain_widths() {
        let values = [1.0, 2.0, 3.0, 4.0, 14.0, -6.0].map(Some);
        let found = Range::QUARTILES.scores(&values);
        // 25 % is 1.25, 75 % is 3.75.
        let expected = [-0.1, 0.0, 0.0, 0.1, 4.1, -2.9];
        near(&found, &expected, 1e-12);
    }

    #[test]
    fn nulls_and_what_is_ignored_score_0() {
        let series = Json::parse("[1, null, 2, -99, 1, 2, 1, 40]").map(Value::dynamic);
        let ignored = [Value::from("tukey"), Value::Long(-99)];
        let arguments = [&[series.unwrap_or_default()], ignored.as_slice()].concat();
        let found = outliers(&arguments).unwrap_or_default();
        assert_eq!(found.show(), "[0.0,0.0,0.0,0.0,0.0,0.0,0.0,38.0]");
    }

    #[test]
    fn spikes_in_weeks_are_found_and_nothing_else() -> Result<(), &'static str> {
        let spikes = |values: &[f64], further: &[Value]| {
            let [flags, ..] = anomalies(&arguments(values, further)).ok_or("nothing")?;
            let flags = flags.array().ok_or("no flags")?.iter().enumerate();
            let found: Vec<(usize, i64)> = flags
                .filter_map(|(i, flag)| match flag {
                    Json::Long(flag) if *flag != 0 => Some((i + 1, *flag)),
                    _ => None,
                })
                .collect();
            Ok::<_, &'static str>(found)
        };
        let expected = [
            (150, -1),
            (200, -1),
            (300, 1),
            (400, 1),
            (600, 1),
            (780, -1),
        ];
        let strong = Value::Real(2.5);
        assert_eq!(spikes(&weeks(0.0), slice::from_ref(&strong))?, expected);
        // With a trend, the average is too coarse and the line is not.
        let line = [strong, Value::Long(-1), Value::from("linefit")];
        assert_eq!(spikes(&weeks(1.0 / 72.0), &line)?, expected);
        assert!(spikes(&weeks(1.0 / 72.0), &[])?.len() < expected.len());
        Ok(())
    }

    #[test]
    fn a_forecast_goes_on_with_season_and_trend() -> Result<(), &'static str> {
        let whole = weeks(1.0 / 72.0);
        let mut known = whole.clone();
        known[24 * 7 * 4..].fill(0.0);
        let found = forecast(&arguments(&known, &[Value::Long(24 * 7)])).ok_or("nothing")?;
        let found = numbers(&[found], 0).ok_or("no numbers")?;
        let off = |i: &usize| (found[*i] - whole[*i]).abs();
        assert_eq!(found.len(), whole.len());
        let wrong: Vec<usize> = (24 * 7 * 4..whole.len()).filter(|i| off(i) > 4.0).collect();
        // Hour 780 is one of the spikes.
        assert_eq!(wrong, [779]);
        Ok(())
    }

    #[test]
    fn an_exact_model_leaves_nothing() -> Result<(), &'static str> {
        let values: Vec<f64> = (0..40)
            .map(|i| 0.1 * f64::from(i) + f64::from(i % 4))
            .collect();
        let further = [Value::Long(4), Value::from("linefit")];
        let [_, seasonal, _, residual] =
            decompose(&arguments(&values, &further)).ok_or("nothing")?;
        assert_eq!(seasonal.array().map(<[Json]>::len), Some(40));
        let residual = residual.array().ok_or("no residual")?;
        assert!(
            residual
                .iter()
                .all(|rest| number(rest).is_some_and(|x| x.abs() < 0.2))
        );
        let [flags, ..] = anomalies(&arguments(&[0.1; 9], &[])).ok_or("nothing")?;
        assert_eq!(flags.text(), "[0,0,0,0,0,0,0,0,0]");
        Ok(())
    }

    #[test]
    fn without_points_to_learn_from_there_is_nothing() {
        assert!(decompose(&arguments(&[], &[])).is_none());
        let all = [Value::Long(-1), Value::from("avg"), Value::Long(2)];
        assert!(decompose(&arguments(&[1.0, 2.0], &all)).is_none());
        let unknown = [Value::Long(-1), Value::from("average")];
        assert!(decompose(&arguments(&[1.0, 2.0], &unknown)).is_none());
    }
}
