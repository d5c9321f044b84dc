//! Functions of mathematics and statistics: gamma, error and beta functions, Welch's test.

use super::arguments::{Want, or_null, real, take};
use super::definition::{BARE, Function};
use super::result_name::ResultName;
use crate::function::value::{Type, Value};

/// Kusto takes no larger parameters of the beta distribution.
const MAX_PARAMETER: f64 = 10_000.0;
/// Most terms of the continued fraction; it needs about as many as the root of the largest parameter.
const MAX_TERMS: u32 = 20_000;

/// Logarithm of the beta function.
fn log_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

/// The regularized incomplete beta function for x from 0 to 1 and parameters above 0.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // On this side the fraction converges fast.
    match x <= (a + 1.0) / (a + b + 2.0) {
        true => beta_fraction(x, a, b),
        false => 1.0 - beta_fraction(1.0 - x, b, a),
    }
}

/// The continued fraction of the incomplete beta function, by Lentz's method; see DLMF 8.17.22.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    let not_zero = |value: f64| {
        if value.abs() < f64::MIN_POSITIVE {
            f64::MIN_POSITIVE
        } else {
            value
        }
    };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..MAX_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / not_zero(1.0 + coefficient * d);
            c = not_zero(1.0 + coefficient / c);
            step = c * d;
            fraction *= step;
        }
        if (step - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    let front = a * x.ln() + b * (-x).ln_1p() - log_beta(a, b);
    front.exp() * fraction / a
}

fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    let parameter = |value: f64| value > 0.0 && value <= MAX_PARAMETER;
    match (0.0..=1.0).contains(&x) && parameter(a) && parameter(b) {
        true => incomplete_beta(x, a, b),
        false => f64::NAN,
    }
}

fn beta_pdf(x: f64, a: f64, b: f64) -> f64 {
    match x > 0.0 && x < 1.0 && a > 0.0 && b > 0.0 {
        true => ((a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p() - log_beta(a, b)).exp(),
        false => f64::NAN,
    }
}

/// Nothing for what is no probability; Kusto's documentation says so of the parameters, its engine of this.
fn beta_inv(p: f64, a: f64, b: f64) -> Option<f64> {
    if p <= 0.0 || p > 1.0 {
        return None;
    }
    // Of 1 it is 1; parameters out of range give NaN.
    if p >= 1.0 || beta_cdf(p, a, b).is_nan() {
        return Some(beta_cdf(p, a, b));
    }
    let (mut low, mut high) = (0.0, 1.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return Some(high);
        }
        match incomplete_beta(middle, a, b) < p {
            true => low = middle,
            false => high = middle,
        }
    }
}

/// The p-value of Welch's test of two means, each with its variance and count.
fn welch([mean, variance, count]: [f64; 3], [other, its_variance, its_count]: [f64; 3]) -> f64 {
    let (x, y) = (variance / count, its_variance / its_count);
    let t = (mean - other) / (x + y).sqrt();
    let freedom = (x + y).powi(2) / (x * x / (count - 1.0) + y * y / (its_count - 1.0));
    match t.is_nan() || freedom.is_nan() || freedom <= 0.0 {
        true => f64::NAN,
        // Of the t distribution, what lies farther out on both sides.
        false => incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5),
    }
}

/// Numbers of the arguments; nothing where one is none.
fn reals<const N: usize>(a: &[Value]) -> Option<[f64; N]> {
    let mut numbers = [0.0; N];
    for (at, number) in numbers.iter_mut().enumerate() {
        *number = real(a, at)?;
    }
    Some(numbers)
}

const GAMMA: Function = Function {
    name: "gamma",
    arguments: (1, 1),
    names: ResultName::First,
    doc: "gamma(number): the gamma function",
    example: "print x = gamma(5)",
    answer: "24.0",
    ty: |a| take(a, &[Want::Number], Type::Real),
    eval: |_, a| or_null(real(a, 0).map(libm::tgamma)),
    ..BARE
};

const BETA: Function = Function {
    name: "beta_cdf",
    arguments: (3, 3),
    names: ResultName::Numbered,
    doc: "beta_cdf(x, alpha, beta): the share of the beta distribution up to x; NaN of what is out of range",
    example: "print x = round(beta_cdf(0.3, 10, 20), 6)",
    answer: "0.364004",
    eval: |_, a| or_null(reals(a).map(|[x, alpha, beta]| beta_cdf(x, alpha, beta))),
    ..GAMMA
};

pub(super) const TABLE: &[Function] = &[
    GAMMA,
    Function {
        name: "loggamma",
        doc: "loggamma(number): the logarithm of the gamma function, without its sign",
        example: "print x = round(loggamma(5), 6)",
        answer: "3.178054",
        eval: |_, a| or_null(real(a, 0).map(libm::lgamma)),
        ..GAMMA
    },
    Function {
        name: "erf",
        doc: "erf(number): the error function",
        example: "print x = round(erf(1), 6)",
        answer: "0.842701",
        eval: |_, a| or_null(real(a, 0).map(libm::erf)),
        ..GAMMA
    },
    Function {
        name: "erfc",
        doc: "erfc(number): 1 minus the error function",
        example: "print x = round(erfc(1), 6)",
        answer: "0.157299",
        eval: |_, a| or_null(real(a, 0).map(libm::erfc)),
        ..GAMMA
    },
    BETA,
    Function {
        name: "beta_pdf",
        doc: "beta_pdf(x, alpha, beta): the density of the beta distribution; NaN of what is out of range",
        example: "print x = round(beta_pdf(0.5, 10, 20), 6)",
        answer: "0.746176",
        eval: |_, a| or_null(reals(a).map(|[x, alpha, beta]| beta_pdf(x, alpha, beta))),
        ..BETA
    },
    Function {
        name: "beta_inv",
        doc: "beta_inv(probability, alpha, beta): the x of which `beta_cdf` is the probability; null of what is none",
        example: "print x = round(beta_inv(0.1, 10, 20), 6)",
        answer: "0.226415",
        eval: |_, a| or_null(reals(a).and_then(|[p, alpha, beta]| beta_inv(p, alpha, beta))),
        ..BETA
    },
    Function {
        name: "welch_test",
        arguments: (6, 6),
        names: ResultName::Numbered,
        doc: "welch_test(mean, variance, count, mean, variance, count): how likely means so different are of equal populations",
        example: "print x = round(welch_test(20.82, 7.867, 15, 22.987, 3.813, 15), 3)",
        answer: "0.021",
        eval: |_, a| {
            let test = |[a, b, c, d, e, f]: [f64; 6]| welch([a, b, c], [d, e, f]);
            or_null(reals(a).map(test))
        },
        ..GAMMA
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() <= 1e-14 * expected.abs().max(1.0)
    }

    #[test]
    fn numbers_are_those_of_kustos_documentation() {
        assert!(near(beta_cdf(0.9, 10.0, 20.0), 0.999_999_999_999_959));
        assert!(near(beta_pdf(0.5, 10.0, 20.0), 0.746_176_019_310_951));
        let x = beta_inv(0.1, 10.0, 20.0);
        assert!(x.is_some_and(|x| near(x, 0.226_415_022_388_748_97)));
        assert!(near(libm::erfc(3.0), 2.209_049_699_858_54e-5));
        assert!(near(libm::lgamma(5.0), 3.178_053_830_347_945_8));
        // Both samples of the example, by their means and variances.
        let p = welch([20.82, 7.867_429, 15.0], [22.986_667, 3.812_667, 15.0]);
        assert!((p - 0.021).abs() < 5e-4, "{p}");
    }

    #[test]
    fn what_is_out_of_range_is_no_number() {
        assert!(beta_cdf(1.5, 10.0, 20.0).is_nan() && beta_cdf(0.5, 10_001.0, 1.0).is_nan());
        assert!(beta_pdf(0.0, 10.0, 20.0).is_nan() && beta_pdf(0.1, -1.0, 20.0).is_nan());
        assert_eq!(beta_inv(1.5, 10.0, 20.0), None);
        assert_eq!(beta_inv(0.0, 10.0, 20.0), None);
        assert!(beta_inv(0.1, -1.0, 20.0).is_some_and(f64::is_nan));
        assert_eq!(beta_inv(1.0, 10.0, 20.0), Some(1.0));
        assert!(welch([1.0, 0.0, 1.0], [1.0, 0.0, 1.0]).is_nan());
        for a in [1e-300, 1e-3, 0.5, 1.0, 9_999.0] {
            for b in [1e-300, 1.0, 10_000.0] {
                for p in [1e-300, 0.5, 1.0 - f64::EPSILON] {
                    assert!(beta_inv(p, a, b).is_some_and(|x| (0.0..=1.0).contains(&x)));
                }
            }
        }
    }
}
