//! `decimal`: exact numbers of base 10.
//!
//! A number has at most 34 significant digits, at most 38 of them behind the point, and is smaller than 10^38: each fits into a column of
//! Arrow's `Decimal256(76, 38)` as it is. What has more digits is rounded to these, half to even. What is larger, or would become 0
//! though it is not, is no decimal; operations give nothing then, and Kusto's expressions null.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Neg;

use arrow::datatypes::i256;

/// Digits of a column of decimals.
pub const DECIMAL_PRECISION: u8 = 76;
/// Digits behind the point, of a column of decimals and at most of a number.
pub const DECIMAL_SCALE: u8 = 38;
/// Significant digits of a number.
const DIGITS: i32 = 34;
/// Significant digits of a text that are looked at one by one; so many fit into 256 bits.
const MOST_READ: u32 = 70;

/// A `decimal`. Equal numbers are equal whatever they were written like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    // All digits as one whole number, in halves: one piece of 128 bits would make every `Value` larger.
    high: i64,
    low: u64,
    // So many digits stand behind the point. The last of these is not 0.
    scale: u8,
}

/// 10 to the power of at most 76.
fn power(exponent: u32) -> i256 {
    i256::from_i128(10).wrapping_pow(exponent)
}

/// Digits of a number, none of 0.
fn length(number: i256) -> i32 {
    let log = number.wrapping_abs().checked_ilog10();
    log.map_or(0, |log| log.cast_signed() + 1)
}

impl Decimal {
    const ZERO: Decimal = Decimal {
        high: 0,
        low: 0,
        scale: 0,
    };

    fn new(digits: i128, scale: u8) -> Decimal {
        Decimal {
            high: (digits >> 64) as i64,
            low: digits as u64,
            scale,
        }
    }

    fn digits(self) -> i128 {
        (i128::from(self.high) << 64) | i128::from(self.low)
    }

    /// The decimal next to `number` / 10^`scale`. With `more`, there are further digits behind those of the number, of which there must be
    /// more than a decimal has.
    fn rounded(number: i256, scale: i32, more: bool) -> Option<Decimal> {
        let count = length(number);
        let excess = (count - DIGITS).max(scale - i32::from(DECIMAL_SCALE));
        let (mut kept, mut scale) = (number, scale);
        if excess > 0 {
            kept = match u32::try_from(excess) {
                Ok(drop) if excess <= count.min(76) => without(number, drop, more)?,
                // Less than a tenth of the last digit.
                _ => i256::ZERO,
            };
            scale -= excess;
        }
        if kept == i256::ZERO {
            return (number == i256::ZERO && !more).then_some(Decimal::ZERO);
        }
        if scale < 0 {
            let zeros = i256::from_i128(10).checked_pow(scale.unsigned_abs())?;
            kept = kept.checked_mul(zeros)?;
            scale = 0;
        }
        if length(kept) - scale > i32::from(DECIMAL_SCALE) {
            return None;
        }
        let mut digits = kept.to_i128()?;
        while scale > 0 && digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        Some(Decimal::new(digits, u8::try_from(scale).ok()?))
    }

    /// Both as whole numbers, and how many of their digits stand behind the point.
    fn aligned(self, other: Decimal) -> (i256, i256, i32) {
        let scale = self.scale.max(other.scale);
        // 38 digits and 38 zeros, at most.
        let at = |number: Decimal| {
            i256::from_i128(number.digits())
                .wrapping_mul(power(u32::from(scale.saturating_sub(number.scale))))
        };
        (at(self), at(other), i32::from(scale))
    }

    /// The sum.
    pub fn plus(self, other: Decimal) -> Option<Decimal> {
        let (a, b, scale) = self.aligned(other);
        Decimal::rounded(a.wrapping_add(b), scale, false)
    }

    /// The difference.
    pub fn minus(self, other: Decimal) -> Option<Decimal> {
        self.plus(-other)
    }

    /// The product.
    pub fn times(self, other: Decimal) -> Option<Decimal> {
        let digits = |number: Decimal| i256::from_i128(number.digits());
        // 38 digits each, at most.
        let product = digits(self).wrapping_mul(digits(other));
        let scale = i32::from(self.scale) + i32::from(other.scale);
        Decimal::rounded(product, scale, false)
    }

    /// The quotient; nothing of a division by 0.
    pub fn over(self, other: Decimal) -> Option<Decimal> {
        let (a, b) = (
            i256::from_i128(self.digits()),
            i256::from_i128(other.digits()),
        );
        // As many zeros as fit, which leaves more digits than a decimal has.
        let zeros = 76 - length(a);
        let shifted = a.wrapping_mul(power(u32::try_from(zeros).ok()?));
        let (quotient, rest) = (shifted.checked_div(b)?, shifted.checked_rem(b)?);
        let scale = i32::from(self.scale) - i32::from(other.scale) + zeros;
        Decimal::rounded(quotient, scale, rest != i256::ZERO)
    }

    /// What a division leaves over: never negative. Nothing of a division by 0.
    pub fn modulo(self, other: Decimal) -> Option<Decimal> {
        let (a, b, scale) = self.aligned(other);
        let rest = a.checked_rem(b)?;
        let rest = match rest.is_negative() {
            true => rest.wrapping_add(b.wrapping_abs()),
            false => rest,
        };
        Decimal::rounded(rest, scale, false)
    }

    /// The number without its sign.
    pub fn abs(self) -> Decimal {
        match self.high < 0 {
            true => -self,
            false => self,
        }
    }

    /// Whether it is above 0.
    pub fn is_positive(self) -> bool {
        self > Decimal::ZERO
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self == Decimal::ZERO
    }

    /// The greatest whole number that is not above it.
    pub fn floor(self) -> Decimal {
        Decimal::new(self.digits().div_euclid(self.unit()), 0)
    }

    /// The least whole number that is not below it.
    pub fn ceiling(self) -> Decimal {
        -(-self).floor()
    }

    /// 1, counted in its last digit.
    fn unit(self) -> i128 {
        10i128.pow(u32::from(self.scale.min(DECIMAL_SCALE)))
    }

    /// Rounded half away from zero, to so many digits behind the point; to tens, hundreds, … where that is negative.
    pub fn round(self, places: i64) -> Option<Decimal> {
        let excess = i64::from(self.scale).saturating_sub(places);
        if excess <= 0 {
            return Some(self);
        }
        let Some(excess) = u32::try_from(excess).ok().filter(|excess| *excess <= 76) else {
            return Some(Decimal::ZERO);
        };
        let (number, unit) = (i256::from_i128(self.digits()), power(excess));
        let (whole, rest) = (number.checked_div(unit)?, number.checked_rem(unit)?);
        let half = doubled(rest) >= unit;
        let rounded = match half {
            true => away(whole, number),
            false => whole,
        };
        Decimal::rounded(rounded, i32::try_from(places).ok()?, false)
    }

    /// The nearest `real`.
    pub fn to_real(self) -> f64 {
        let text = self.to_string();
        text.parse().expect("digits and a point are a number")
    }

    /// The decimal of the shortest text that reads as this number: that of 0.1 is 0.1.
    pub fn from_real(value: f64) -> Option<Decimal> {
        read_decimal(&format!("{value:e}"))
    }

    /// What stands before the point, where it fits.
    pub fn to_long(self) -> Option<i64> {
        i64::try_from(self.digits() / self.unit()).ok()
    }

    /// As a column of decimals has it: counted in the last digit of the column.
    pub fn to_column(self) -> i256 {
        let zeros = DECIMAL_SCALE.saturating_sub(self.scale);
        i256::from_i128(self.digits()).wrapping_mul(power(u32::from(zeros)))
    }

    /// What stands in a column of decimals.
    pub fn from_column(number: i256) -> Option<Decimal> {
        Decimal::rounded(number, i32::from(DECIMAL_SCALE), false)
    }
}

/// A number without its last digits, at most 76, rounded half to even. With `more`, it is a little further from 0 than it says.
fn without(number: i256, digits: u32, more: bool) -> Option<i256> {
    let unit = power(digits);
    let (whole, rest) = (number.checked_div(unit)?, number.checked_rem(unit)?);
    let up = match doubled(rest).cmp(&unit) {
        Ordering::Greater => true,
        Ordering::Equal => more || whole.to_parts().0 & 1 == 1,
        Ordering::Less => false,
    };
    Some(match up {
        true => away(whole, number),
        false => whole,
    })
}

/// Twice the size of what a division by at most 10^76 leaves over.
fn doubled(rest: i256) -> i256 {
    let size = rest.wrapping_abs();
    size.wrapping_add(size)
}

/// The next whole number, further from 0 on the side where `number` is.
fn away(whole: i256, number: i256) -> i256 {
    match number.is_negative() {
        true => whole.wrapping_sub(i256::ONE),
        false => whole.wrapping_add(i256::ONE),
    }
}

impl Neg for Decimal {
    type Output = Decimal;

    fn neg(self) -> Decimal {
        // 38 digits at most: there is no smallest number without a counterpart.
        Decimal::new(-self.digits(), self.scale)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let (a, b, _) = self.aligned(*other);
        a.cmp(&b)
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Decimal {
        Decimal::new(i128::from(value), 0)
    }
}

impl fmt::Display for Decimal {
    /// All its digits, without an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        let sign = if digits < 0 { "-" } else { "" };
        let scale = usize::from(self.scale);
        // A digit before the point at least.
        let text = format!("{:0>width$}", digits.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = text.split_at(text.len() - scale);
        match fraction {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

/// Digits with a point, a sign and an exponent where there is one, with blanks around them.
pub fn read_decimal(text: &str) -> Option<Decimal> {
    /// No exponent beyond this makes a difference.
    const FARTHEST: i64 = 1 << 40;
    let text = text.trim();
    let (negative, bare) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (number, exponent) = match bare.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i64>().ok()?),
        None => (bare, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut all = whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !all.all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut exponent = exponent.clamp(-FARTHEST, FARTHEST);
    let (mut digits, mut read, mut more) = (i256::ZERO, 0, false);
    for (place, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let (digit, behind) = (byte - b'0', place >= whole.len());
        if read < MOST_READ {
            if read > 0 || digit > 0 {
                read += 1;
            }
            digits = digits
                .wrapping_mul(i256::from_i128(10))
                .wrapping_add(i256::from_i128(i128::from(digit)));
            exponent -= i64::from(behind);
        } else {
            more |= digit > 0;
            exponent += i64::from(!behind);
        }
    }
    // Far from what a decimal can be, and not so far that numbers of 32 bits would overflow.
    let scale = i32::try_from((-exponent).clamp(-1_000_000, 1_000_000)).ok()?;
    let number = match negative {
        true => digits.wrapping_neg(),
        false => digits,
    };
    Decimal::rounded(number, scale, more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::value::Value;

    fn of(text: &str) -> Decimal {
        read_decimal(text).expect(text)
    }

    fn shown(value: Option<Decimal>) -> String {
        value.map_or("none".to_owned(), |value| value.to_string())
    }

    #[test]
    fn decimals_are_read_and_shown_with_all_their_digits() {
        for (text, wanted) in [
            ("0.1", "0.1"),
            ("-0.0", "0"),
            ("1.500", "1.5"),
            (" 100 ", "100"),
            ("1e5", "100000"),
            ("1.25E-3", "0.00125"),
            ("12345678901234567890.12", "12345678901234567890.12"),
            (
                "1234567890123456789012345678901234",
                "1234567890123456789012345678901234",
            ),
            // 34 digits, half to even.
            (
                "12345678901234567890123456789012345",
                "12345678901234567890123456789012340",
            ),
            ("0.99999999999999999999999999999999999", "1"),
            ("1e37", "10000000000000000000000000000000000000"),
            ("1e38", "none"),
            ("-1e38", "none"),
            ("1e-38", "0.00000000000000000000000000000000000001"),
            ("1e-39", "none"),
            ("0e-9999", "0"),
            ("1e999999999999", "none"),
            ("", "none"),
            (".", "none"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e", "none"),
            ("--1", "none"),
            ("0x10", "none"),
            ("NaN", "none"),
            ("inf", "none"),
            ("1,5", "none"),
        ] {
            assert_eq!(shown(read_decimal(text)), wanted, "{text}");
        }
        let long = format!("0.{}7", "0".repeat(100_000));
        assert_eq!(read_decimal(&long), None);
        let long = format!("{}e-99999", "3".repeat(100_000));
        assert_eq!(
            shown(read_decimal(&long)),
            "3.333333333333333333333333333333333"
        );
    }

    #[test]
    fn operations_are_exact() {
        assert_eq!(of("0.1").plus(of("0.2")), Some(of("0.3")));
        assert_eq!(of("0.3").minus(of("0.1")), Some(of("0.2")));
        assert_eq!(of("1.1").times(of("1.1")), Some(of("1.21")));
        assert_eq!(
            shown(of("1").over(of("3"))),
            "0.3333333333333333333333333333333333"
        );
        assert_eq!(
            shown(of("2").over(of("-3"))),
            "-0.6666666666666666666666666666666667"
        );
        assert_eq!(of("1").over(of("0")), None);
        assert_eq!(of("0").over(of("7")), Some(of("0")));
        assert_eq!(of("1e37").over(of("1e-37")), None);
        assert_eq!(of("9e37").plus(of("9e37")), None);
        assert_eq!(of("1e20").times(of("1e20")), None);
        assert_eq!(of("1e-20").times(of("1e-20")), None);
        assert_eq!(of("-14").modulo(of("12")), Some(of("10")));
        assert_eq!(of("14.5").modulo(of("-12")), Some(of("2.5")));
        assert_eq!(of("1").modulo(of("0")), None);
    }

    #[test]
    fn rounding_to_places() {
        let round = |text, places| shown(of(text).round(places));
        assert_eq!(round("2.5", 0), "3");
        assert_eq!(round("-2.5", 0), "-3");
        assert_eq!(round("2.15", 1), "2.2");
        assert_eq!(round("2.14", 1), "2.1");
        assert_eq!(round("2.14", i64::MAX), "2.14");
        assert_eq!(round("1250", -2), "1300");
        assert_eq!(round("1250", -5), "0");
        assert_eq!(round("1250", i64::MIN), "0");
        assert_eq!(round("99999999999999999999999999999999990000", -38), "none");
        assert_eq!(of("-1.5").floor(), of("-2"));
        assert_eq!(of("-1.5").ceiling(), of("-1"));
        assert_eq!(of("-1.5").abs(), of("1.5"));
        assert_eq!(of("-1.5").to_long(), Some(-1));
        assert_eq!(of("1e19").to_long(), None);
    }

    #[test]
    fn order_and_columns_keep_the_number() {
        let mut all = ["1e37", "-1e37", "0.1", "0.10000000000000001", "-5", "0"].map(of);
        all.sort();
        let texts = all.map(|value| value.to_string());
        assert_eq!(
            texts.join(" "),
            "-10000000000000000000000000000000000000 -5 0 0.1 0.10000000000000001 \
             10000000000000000000000000000000000000"
        );
        for value in all {
            assert_eq!(Decimal::from_column(value.to_column()), Some(value));
        }
        assert_eq!(Decimal::from_real(0.1), Some(of("0.1")));
        assert_eq!(Decimal::from_real(f64::NAN), None);
        assert_eq!(Decimal::from_real(1e300), None);
        assert_eq!(of("0.1").to_real(), 0.1);
        assert!(size_of::<Value>() <= 32);
    }
}
