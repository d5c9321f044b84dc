//! Times as counts: since 1970 in seconds or finer, as .NET and Windows count, as Excel shows days; and in objects that hold one.

use crate::text::json::{Raw, Reader};

/// The time in an object: of a date of Windows PowerShell, `{"value":"\/Date(1779095613000)\/","DisplayHint":2,…}`, or of MongoDB,
/// `{"$date":"2026-05-18T09:13:33Z"}`, `{"$date":{"$numberLong":"1779095613000"}}`.
pub(super) fn inside(text: &str) -> Option<String> {
    /// Such an object is short.
    const LONGEST: usize = 512;
    if text.len() > LONGEST {
        return None;
    }
    let mut found = None;
    let mut reader = Reader::new(text);
    reader.object().ok()?;
    reader
        .members(0, |reader, key, _| {
            let value = reader.raw(1)?;
            if matches!(key, "value" | "$date" | "$numberLong") {
                found = Some(value);
            }
            Ok(())
        })
        .ok()?;
    match found? {
        // One in it is all that there is.
        Raw::Other(inner) if inner.starts_with('{') && text.len() > inner.len() => inside(inner),
        value => value
            .text()
            .map(|t| t.into_owned())
            .filter(|t| !t.starts_with('{')),
    }
}

/// A count by its digits: since 1970 of seconds, also with a fraction as Splunk writes it, or of what is finer; of Windows since 1601 and of
/// .NET since the year 1, both in steps of 100 ns; days of Excel with a fraction.
pub(super) fn counted(text: &str) -> Option<i64> {
    /// Seconds from 1601 and from the year 1 to 1970, in microseconds.
    const WINDOWS: i64 = 11_644_473_600_000_000;
    const DOTNET: i64 = 62_135_596_800_000_000;
    if let Some((whole, part)) = text.split_once(['.', ',']) {
        if whole.len() == 5 && !part.is_empty() {
            return excel(&text.replace(',', "."));
        }
        let seconds = counted(whole).filter(|_| whole.len() == 10)?;
        return Some(seconds + fraction(part.as_bytes())?);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match text.len() {
        10 => text.parse::<i64>().ok()?.checked_mul(1_000_000),
        13 => text.parse::<i64>().ok()?.checked_mul(1000),
        16 => text.parse().ok(),
        // Of these years both have 18 digits: 1980 to 2070.
        18 => match text.parse::<i64>().ok()? / 10 {
            since @ 11_960_000_000_000_000..14_800_000_000_000_000 => Some(since - WINDOWS),
            since @ 62_450_000_000_000_000..65_300_000_000_000_000 => Some(since - DOTNET),
            _ => None,
        },
        19 => Some(text.parse::<i64>().ok()? / 1000),
        _ => None,
    }
}

/// The time of a number that Excel shows where nobody told it that a column has dates: days since the end of 1899, to the second.
fn excel(text: &str) -> Option<i64> {
    /// 1970 by this count; 2000; 2100.
    const EPOCH: f64 = 25_569.0;
    const FROM: f64 = 36_526.0;
    const TO: f64 = 73_051.0;
    if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let days: f64 = text.parse().ok()?;
    (FROM..TO)
        .contains(&days)
        .then(|| ((days - EPOCH) * 86_400.0).round() as i64 * 1_000_000)
}

/// The instant of `/Date(1620000000000)/`, as .NET writes times into JSON; `/Date(1620000000000+0200)/` is the same instant, shown elsewhere.
/// Nothing where anything else stands before or behind it.
pub fn dotnet(text: &str) -> Option<i64> {
    let inner = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    milliseconds(inner)
}

/// The same with the backslashes that it has in JSON.
pub(super) fn dotnet_escaped(text: &str) -> Option<i64> {
    let inner = text.strip_prefix(r"\/Date(")?.strip_suffix(r")\/")?;
    milliseconds(inner)
}

/// `-62135596800000+0100` in microseconds.
fn milliseconds(inner: &str) -> Option<i64> {
    let offset = inner
        .char_indices()
        .skip(1)
        .find(|(_, c)| !c.is_ascii_digit())
        .map_or(inner.len(), |(at, _)| at);
    let (number, offset) = inner.split_at(offset);
    let known = match offset.as_bytes() {
        [] => true,
        [b'+' | b'-', digits @ ..] => digits.len() == 4 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    // Rust reads `+5`, too, which nobody writes.
    match known && !number.starts_with('+') {
        true => number.parse::<i64>().ok()?.checked_mul(1000),
        false => None,
    }
}

/// Digits after the point as microseconds; what is finer is cut off.
pub(super) fn fraction(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 12 {
        return None;
    }
    let mut micros = 0i64;
    for i in 0..6 {
        let d = match digits.get(i) {
            Some(d) => i64::from(d.checked_sub(b'0').filter(|d| *d < 10)?),
            None => 0,
        };
        micros = micros * 10 + d;
    }
    digits.iter().all(u8::is_ascii_digit).then_some(micros)
}
