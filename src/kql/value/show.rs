//! Text of values, as `tostring` gives it.

use std::fmt::Write;

use super::{Civil, TICKS_PER_DAY, TICKS_PER_SECOND, Value};

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
            Value::Decimal(value) => show_decimal(*value),
            Value::String(text) => text.to_string(),
            Value::DateTime(ticks) => show_datetime(*ticks),
            Value::Timespan(ticks) => show_timespan(*ticks),
            Value::Guid(guid) => show_guid(*guid),
            Value::Dynamic(json) => json.show(),
        }
    }
}

/// The shortest text that reads as the same number; a whole one keeps `.0`.
pub(super) fn show_real(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        let text = if value > 0.0 { "Infinity" } else { "-Infinity" };
        return text.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-5..1e15).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    match value.fract() == 0.0 {
        true => format!("{value:.1}"),
        false => value.to_string(),
    }
}

/// A decimal has no exponent, no `.0` where it is whole, and one zero.
fn show_decimal(value: f64) -> String {
    (value + 0.0).to_string()
}

/// `2020-01-01T00:00:00.0000000Z`
pub(super) fn show_datetime(ticks: i64) -> String {
    let civil = Civil::from_ticks(ticks);
    let Civil {
        year, month, day, ..
    } = civil;
    let (hour, minute, second) = (civil.hour(), civil.minute(), civil.second());
    let fraction = civil.fraction();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z")
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
        assert_eq!(show_decimal(-0.0), "0");
        assert_eq!(show_timespan(0), "00:00:00");
        assert_eq!(show_timespan(i64::MIN), "-10675199.02:48:05.4775808");
        assert_eq!(show_timespan(936_000_000_001), "1.02:00:00.0000001");
        assert_eq!(show_datetime(0), "0001-01-01T00:00:00.0000000Z");
        assert_eq!(
            show_guid(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
            "01234567-89ab-cdef-0123-456789abcdef"
        );
    }
}
