//! Periods of a series, and its seasonal part.
//!
//! What Kusto documents: a period has 4 points at least and half of the series at most, its score lies between 0 and 1, the
//! seasonal part is the median of the points of the same phase. How it detects and scores is not documented. Here, a period
//! is a frequency that stands out in the spectrum, made precise by the nearest peak of the correlation of the series with
//! itself; its score is that correlation, or that at twice the period where it is less and the series is long enough
//! to tell. This gives the periods, and the scores as far as they are printed, of all examples in the documentation.

use super::arguments::{Want, long, real, take};
use super::definition::{BARE, Function};
use super::series::{numbers, reals, tuple};
use crate::function::value::{Json, Type, Value};

/// The shortest period, in points.
const SHORTEST: usize = 4;
/// The least score of a period that `series_seasonal` goes by.
const SEASONAL_SCORE: f64 = 0.7;
/// The greatest number of periods that `series_periods_validate` takes.
const MOST_PERIODS: usize = 16;

/// A complex number: real and imaginary part.
type Complex = (f64, f64);

fn product(a: Complex, b: Complex) -> Complex {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

/// The point of the unit circle at an angle.
fn turned(angle: f64) -> Complex {
    (angle.cos(), angle.sin())
}

/// The Fourier transform of as many values as a power of two.
fn transform(values: &[Complex]) -> Vec<Complex> {
    if values.len() < 2 {
        return values.to_vec();
    }
    let half = |from: usize| {
        values
            .iter()
            .skip(from)
            .step_by(2)
            .copied()
            .collect::<Vec<_>>()
    };
    let (even, odd) = (transform(&half(0)), transform(&half(1)));
    let step = -std::f64::consts::TAU / values.len() as f64;
    let odd = odd.iter().enumerate();
    let odd: Vec<Complex> = odd
        .map(|(k, value)| product(*value, turned(step * k as f64)))
        .collect();
    let parts = || even.iter().zip(&odd);
    let sums = parts().map(|(e, o)| (e.0 + o.0, e.1 + o.1));
    sums.chain(parts().map(|(e, o)| (e.0 - o.0, e.1 - o.1)))
        .collect()
}

fn padded(values: impl Iterator<Item = Complex>, length: usize) -> Vec<Complex> {
    let mut values: Vec<Complex> = values.collect();
    values.resize(length, (0.0, 0.0));
    values
}

/// The power of each frequency of `1 / n`, `2 / n`, … up to half, by the algorithm of Bluestein.
fn spectrum(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let length = (2 * n).next_power_of_two();
    // The square is reduced before it becomes a float, which could not hold it to the last digit.
    let chirp = |k: usize| {
        let square = (k as u128 * k as u128) % (2 * n as u128).max(1);
        turned(-std::f64::consts::PI * square as f64 / n as f64)
    };
    let signal = values.iter().enumerate();
    let signal = signal.map(|(k, value)| product((*value, 0.0), chirp(k)));
    let mut answer = vec![(0.0, 0.0); length];
    for k in 0..n {
        let (re, im) = chirp(k);
        answer[k] = (re, -im);
        answer[(length - k) % length] = (re, -im);
    }
    let (signal, answer) = (transform(&padded(signal, length)), transform(&answer));
    let both = signal.iter().zip(&answer).map(|(a, b)| product(*a, *b));
    // The inverse is the transform of the conjugate. Only the sizes of its values matter, and their relation to each other.
    let both: Vec<Complex> = both.map(|(re, im)| (re, -im)).collect();
    let sizes = transform(&both)
        .into_iter()
        .map(|(re, im)| re * re + im * im);
    sizes.take(n / 2 + 1).skip(1).collect()
}

/// The correlation of a series with itself for each shift; nothing for a constant one.
fn correlations(centred: &[f64]) -> Vec<f64> {
    let n = centred.len();
    let signal = centred.iter().map(|value| (*value, 0.0));
    let powers = transform(&padded(signal, (2 * n).next_power_of_two()));
    let powers: Vec<Complex> = powers
        .into_iter()
        .map(|(re, im)| (re * re + im * im, 0.0))
        .collect();
    let sums = transform(&powers);
    let whole = sums.first().map_or(0.0, |sum| sum.0) / n as f64;
    if !whole.is_normal() {
        return Vec::new();
    }
    let sums = sums.iter().take(n).enumerate();
    sums.map(|(shift, sum)| sum.0 / (n - shift) as f64 / whole)
        .collect()
}

/// Differences from the mean; all 0 where they are not more than rounding errors.
fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let greatest = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let differences = values.iter().map(|value| value - mean);
    differences
        .map(|value| match value.abs() > greatest * 1e-12 {
            true => value,
            false => 0.0,
        })
        .collect()
}

/// How well a period holds, from 0 to 1.
fn score(correlations: &[f64], period: usize) -> f64 {
    let n = correlations.len();
    let at = |shift: usize| correlations.get(shift).copied().unwrap_or(0.0);
    if !(SHORTEST..=n / 2).contains(&period) {
        return 0.0;
    }
    let once = at(period);
    let score = match period <= n / 3 {
        true => once.min(at(2 * period)),
        false => once,
    };
    score.clamp(0.0, 1.0)
}

/// The periods of a series and their scores, the best first.
pub(super) fn detect(values: &[f64]) -> Vec<(usize, f64)> {
    let n = values.len();
    let centred = centred(values);
    let correlations = correlations(&centred);
    if correlations.is_empty() {
        return Vec::new();
    }
    let at = |shift: usize| correlations.get(shift).copied().unwrap_or(-1.0);
    let powers = spectrum(&centred);
    let mean = powers.iter().sum::<f64>() / powers.len() as f64;
    let power = |k: usize| {
        k.checked_sub(1)
            .and_then(|k| powers.get(k))
            .copied()
            .unwrap_or(0.0)
    };
    let mut found: Vec<(usize, f64)> = Vec::new();
    for k in 2..=n / SHORTEST {
        if power(k) <= mean || power(k) < power(k - 1).max(power(k + 1)) {
            continue;
        }
        // The frequency may lie half a step beside `k / n`.
        let shortest = (2 * n / (2 * k + 1)).max(SHORTEST);
        let longest = (2 * n).div_ceil(2 * k - 1).min(n / 2);
        let best = (shortest..=longest).max_by(|a, b| at(*a).total_cmp(&at(*b)));
        let peak = best.filter(|p| at(*p) >= at(p - 1).max(at(p + 1)));
        if let Some(period) = peak
            && found.iter().all(|(known, _)| *known != period)
        {
            found.push((period, score(&correlations, period)));
        }
    }
    found.retain(|(_, score)| *score > 0.0);
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    found
}

/// The value at a fraction of the way through sorted numbers, on the line between the two beside it; 0 of no numbers.
pub(super) fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let place = fraction * sorted.len().saturating_sub(1) as f64;
    // A place within an array fits into `usize`.
    let below = place.floor() as usize;
    match (sorted.get(below), sorted.get(below + 1)) {
        (Some(low), Some(high)) => low + (high - low) * (place - place.floor()),
        (Some(only), None) => *only,
        _ => 0.0,
    }
}

/// The median of each phase of a period, repeated up to a length.
pub(super) fn seasonal(values: &[f64], period: usize, length: usize) -> Vec<f64> {
    let period = period.max(1);
    let medians = (0..period.min(values.len())).map(|phase| {
        let mut phase: Vec<f64> = values.iter().skip(phase).step_by(period).copied().collect();
        phase.sort_by(f64::total_cmp);
        quantile(&phase, 0.5)
    });
    let medians: Vec<f64> = medians.collect();
    let phases = (0..length).map(|i| i % period);
    phases
        .map(|phase| medians.get(phase).copied().unwrap_or(0.0))
        .collect()
}

fn series_seasonal(a: &[Value]) -> Option<Value> {
    let values = numbers(a, 0)?;
    let period = match long(a, 1).unwrap_or(-1) {
        -1 => {
            let best = detect(&values).into_iter().next();
            best.filter(|(_, score)| *score >= SEASONAL_SCORE)
                .map(|(period, _)| period)
        }
        period => usize::try_from(period)
            .ok()
            .filter(|period| (1..=values.len()).contains(period)),
    };
    let seasonal = match period {
        Some(period) => seasonal(&values, period, values.len()),
        None => vec![0.0; values.len()],
    };
    Some(Value::dynamic(reals(seasonal)))
}

fn periods_detect(a: &[Value]) -> Option<[Json; 2]> {
    let (values, least, most) = (numbers(a, 0)?, real(a, 1)?, real(a, 2)?);
    // No series has more periods than points.
    let count = usize::try_from(long(a, 3)?).ok()?.min(values.len());
    let found = detect(&values).into_iter();
    let found = found
        .map(|(period, score)| (period as f64, score))
        .filter(|(period, _)| (least..=most).contains(period));
    // What is not found is a period of 0 with a score of 0.
    let found = padded(found.take(count), count);
    let (periods, scores): (Vec<f64>, Vec<f64>) = found.into_iter().unzip();
    Some([reals(periods), reals(scores)])
}

fn periods_validate(a: &[Value]) -> Option<[Json; 2]> {
    let correlations = correlations(&centred(&numbers(a, 0)?));
    let periods = || a.iter().skip(1);
    let scores = periods().map(|period| match period.to_real() {
        Some(period) if period >= 0.0 => score(&correlations, period.round() as usize),
        _ => 0.0,
    });
    let periods = periods().map(|period| period.to_real().map_or(Json::Null, Json::Real));
    Some([Json::Array(periods.collect()), reals(scores)])
}

pub(super) const TABLE: &[Function] = &[
    Function {
        name: "series_periods_detect",
        arguments: (4, 4),
        doc: "series_periods_detect(series, least, most, count): the best periods, in points, and their scores from 0 to 1",
        example: "print x = series_periods_detect(dynamic([1, 2, 4, 2, 1, 2, 4, 2, 1, 2, 4, 2]), 4, 6, 1)",
        answer: "[[4.0],[1.0]]",
        ty: |a| {
            let wants = [Want::Dynamic, Want::Number, Want::Number, Want::Integer];
            take(a, &wants, Type::Dynamic)
        },
        eval: |_, a| tuple(periods_detect(a)),
        ..BARE
    },
    Function {
        name: "series_periods_validate",
        arguments: (2, 1 + MOST_PERIODS),
        doc: "series_periods_validate(series, period, …): the periods and how well each holds, from 0 to 1",
        example: "print x = series_periods_validate(dynamic([1, 2, 4, 2, 1, 2, 4, 2]), 4, 3)",
        answer: "[[4.0,3.0],[1.0,0.0]]",
        ty: |a| take(a, &[Want::Dynamic, Want::Number], Type::Dynamic),
        eval: |_, a| tuple(periods_validate(a)),
        ..BARE
    },
    Function {
        name: "series_seasonal",
        arguments: (1, 2),
        doc: "series_seasonal(series, period = -1): the median of each phase; zeros where no period is given or found",
        example: "print x = series_seasonal(dynamic([1, 3, 5, 2, 4, 6]), 3)",
        answer: "[1.5,3.5,5.5,1.5,3.5,5.5]",
        ty: |a| take(a, &[Want::Dynamic, Want::Integer], Type::Dynamic),
        eval: |_, a| series_seasonal(a).unwrap_or_default(),
        ..BARE
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Two points a day for a month, from the documentation of `series_periods_detect`.
    const TRAFFIC: &str = "[80,139,87,110,68,54,50,51,53,133,86,141,97,156,94,149,95,140,77,61,50,54,47,133,72,152,94,\
        148,105,162,101,160,87,63,53,55,54,151,103,189,108,183,113,175,113,178,90,71,62,62,65,165,109,181,115,182,121,178,\
        114,170]";

    fn called(name: &str, series: &str, further: &[Value]) -> String {
        let series = Value::dynamic(Json::parse(series).unwrap_or_default());
        let arguments = [&[series], further].concat();
        let function = TABLE.iter().find(|function| function.name == name);
        function.map_or(String::new(), |f| {
            (f.eval)(&super::super::Env::default(), &arguments).show()
        })
    }

    /// The documentation prints 14 and 0.84, and 0 for a period of 10.
    #[test]
    fn the_week_of_the_documentation_is_found() {
        let bounds = [Value::Real(0.0), Value::Real(50.0), Value::Long(2)];
        let found = called("series_periods_detect", TRAFFIC, &bounds);
        assert!(
            found.starts_with("[[14.0,0.0],[0.84") && found.ends_with(",0.0]]"),
            "{found}"
        );
        let periods = [Value::Real(14.0), Value::Real(10.0)];
        let found = called("series_periods_validate", TRAFFIC, &periods);
        assert!(
            found.starts_with("[[14.0,10.0],[0.84") && found.ends_with(",0.0]]"),
            "{found}"
        );
    }

    /// From the documentation of `series_seasonal`, with its results.
    #[test]
    fn seasons_are_those_of_the_documentation() {
        for (series, expected) in [
            (
                "[2,5,3,4,3,2,1,2,3,4,3,2,1,2,3,4,3,2,1,2,3,4,3,2,1]",
                "[1.0,2.0,3.0,4.0,3.0,2.0,1.0,2.0,3.0,4.0,3.0,2.0,1.0,2.0,3.0,4.0,3.0,2.0,1.0,2.0,3.0,4.0,3.0,2.0,1.0]",
            ),
            (
                "[8,12,14,12,10,10,12,14,12,10,10,12,14,12,10,10,12,14,12,10]",
                "[10.0,12.0,14.0,12.0,10.0,10.0,12.0,14.0,12.0,10.0,10.0,12.0,14.0,12.0,10.0,10.0,12.0,14.0,12.0,10.0]",
            ),
            (
                "[1,3,5,2,4,6,1,3,5,2,4,6]",
                "[0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0]",
            ),
        ] {
            assert_eq!(called("series_seasonal", series, &[]), expected);
        }
        let three = [Value::Long(3)];
        assert_eq!(
            called("series_seasonal", "[1,3,5,1,3,5,2,4,6]", &three),
            "[1.0,3.0,5.0,1.0,3.0,5.0,1.0,3.0,5.0]"
        );
    }

    #[test]
    fn noise_constants_and_slopes_have_no_period() {
        let noise = |i: u64| ((i * 2_654_435_761 + 12345) % 1009) as f64;
        for length in 0..100 {
            assert!(detect(&vec![0.1; length]).is_empty());
            let slope: Vec<f64> = (0..length).map(|i| i as f64 * 0.1).collect();
            assert!(detect(&slope).is_empty(), "{length}");
        }
        let noise: Vec<f64> = (0..200).map(|i| noise(i * i * i)).collect();
        assert!(detect(&noise).iter().all(|(_, score)| *score < 0.6));
    }

    /// The transforms against sums that are made one by one.
    #[test]
    fn spectrum_and_correlation_are_exact() {
        let values: Vec<f64> = (0..23).map(|i| f64::from(i * i % 7) - 3.0).collect();
        let centred = centred(&values);
        let sizes = spectrum(&centred);
        let size = |k: usize| {
            let angle = |i: usize| std::f64::consts::TAU * (k * i) as f64 / 23.0;
            let part = |f: fn(f64) -> f64| {
                let parts = centred.iter().enumerate();
                parts.map(|(i, value)| value * f(angle(i))).sum::<f64>()
            };
            part(f64::cos).powi(2) + part(f64::sin).powi(2)
        };
        assert_eq!(sizes.len(), 11);
        for k in 2..=11 {
            let (found, expected) = (sizes[k - 1] / sizes[0], size(k) / size(1));
            assert!((found / expected - 1.0).abs() < 1e-9, "{k}");
        }
        let mean_product = |shift: usize| {
            let pairs = centred.iter().zip(&centred[shift..]);
            pairs.map(|(a, b)| a * b).sum::<f64>() / (23 - shift) as f64
        };
        for (shift, found) in correlations(&centred).into_iter().enumerate() {
            assert!((found - mean_product(shift) / mean_product(0)).abs() < 1e-12);
        }
    }
}
