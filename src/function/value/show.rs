//! Text of values, as `tostring` gives it.

use std::fmt::Write;

use super::calendar::{Civil, TICKS_PER_DAY, TICKS_PER_SECOND};
use super::scalar::Value;

impl Value {
    /// What `tostring` gives; nothing of null.
    pub fn show(&self) -> String {
        match self {
            Value::Null => String::new(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(value) => value.to_string(),
            Value::Long(value) => value.to_string(),
            Value::Real(value) => show_real(*value),
            Value::Decimal(value) => value.to_string(),
            Value::String(text) => text.to_string(),
            Value::DateTime(ticks) => show_datetime(*ticks),
            Value::Timespan(ticks) => show_timespan(*ticks),
            Value::Guid(guid) => show_guid(*guid),
            Value::Dynamic(json) => json.show(),
        }
    }
}

/// 15 digits where these read as the same number, else 17; a whole number keeps `.0`.
///
/// So .NET prints them (its format `R`), and so Kusto's documentation has them: `series_exp` of 1 is 2.7182818284590451, not …045.
pub(super) fn show_real(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        let text = if value > 0.0 { "Infinity" } else { "-Infinity" };
        return text.to_owned();
    }
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.1}");
    }
    let text = format!("{value:.14e}");
    let (text, most) = match text.parse::<f64>() == Ok(value) {
        true => (text, 15),
        false => (format!("{value:.16e}"), 17),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match usize::try_from(most - 1 - exponent) {
        // As many digits behind the point as are left.
        Ok(behind) if exponent > -5 => {
            let text = format!("{value:.behind$}");
            let text = match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.'),
                false => text.as_str(),
            };
            match text.contains('.') {
                true => text.to_owned(),
                false => format!("{text}.0"),
            }
        }
        _ => {
            let digits = digits.trim_end_matches('0').trim_end_matches('.');
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

/// `2020-01-01T00:00:00.0000000Z`
pub(super) fn show_datetime(ticks: i64) -> String {
    let civil = Civil::from_ticks(ticks);
    let Civil {
        year, month, day, ..
    } = civil;
    let (hour, minute, second) = (civil.hour(), civil.minute(), civil.second());
    let fraction = civil.fraction();
    if !(0..=9999).contains(&year) {
        return format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z"
        );
    }
    // Digit by digit: a formatter takes several times as long.
    let mut text = *b"0000-00-00T00:00:00.0000000Z";
    let numbers = [year, month, day, hour, minute, second, fraction];
    let places = [0..4, 5..7, 8..10, 11..13, 14..16, 17..19, 20..27];
    for (mut number, places) in numbers.into_iter().zip(places) {
        for digit in text[places].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// `[-][d.]hh:mm:ss[.fffffff]`
pub(super) fn show_timespan(ticks: i64) -> String {
    let size = ticks.unsigned_abs();
    let second = TICKS_PER_SECOND.unsigned_abs();
    let (days, rest) = (
        size / TICKS_PER_DAY.unsigned_abs(),
        size % TICKS_PER_DAY.unsigned_abs(),
    );
    let (hours, minutes) = (rest / (3600 * second), rest / (60 * second) % 60);
    let (seconds, fraction) = (rest / second % 60, rest % second);
    let mut text = String::new();
    if ticks < 0 {
        text.push('-');
    }
    if days > 0 {
        let _ = write!(text, "{days}.");
    }
    let _ = write!(text, "{hours:02}:{minutes:02}:{seconds:02}");
    if fraction > 0 {
        let _ = write!(text, ".{fraction:07}");
    }
    text
}

/// `01234567-89ab-cdef-0123-456789abcdef`
pub(super) fn show_guid(guid: u128) -> String {
    let hex = format!("{guid:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_kusto_shows_them() {
        assert_eq!(show_real(1.0), "1.0");
        assert_eq!(show_real(1500.0), "1500.0");
        assert_eq!(show_real(0.1), "0.1");
        assert_eq!(show_real(1e300), "1e+300");
        for (value, text) in [
            (-0.0, "-0.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1.0 / 3.0, "0.33333333333333331"),
            (2.0 / 3.0, "0.66666666666666663"),
            (std::f64::consts::PI, "3.1415926535897931"),
            (std::f64::consts::E, "2.7182818284590451"),
            (std::f64::consts::FRAC_PI_4, "0.78539816339744828"),
            (2f64.exp(), "7.38905609893065"),
            (50.125, "50.125"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-1e-7, "-1e-07"),
            (1.5e-300, "1.5e-300"),
            (999_999_999_999_999.0, "999999999999999.0"),
            (1e15, "1e+15"),
            (1e17, "1e+17"),
            (1e21, "1e+21"),
            (9_007_199_254_740_992.0, "9007199254740992.0"),
            (1_234_567_890_123_456.0, "1234567890123456.0"),
            (123_456_789.123_456_7, "123456789.1234567"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "4.94065645841247e-324"),
        ] {
            assert_eq!(show_real(value), text);
        }
        assert_eq!(show_timespan(0), "00:00:00");
        assert_eq!(show_timespan(i64::MIN), "-10675199.02:48:05.4775808");
        assert_eq!(show_timespan(936_000_000_001), "1.02:00:00.0000001");
        assert_eq!(show_datetime(0), "0001-01-01T00:00:00.0000000Z");
        assert_eq!(
            show_datetime(crate::function::value::MAX_DATETIME_TICKS),
            "9999-12-31T23:59:59.9999999Z"
        );
        assert_eq!(
            show_guid(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
            "01234567-89ab-cdef-0123-456789abcdef"
        );
    }
}
