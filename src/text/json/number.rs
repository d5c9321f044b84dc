//! Which words of JSON are numbers, and which of these fit.

/// Whether a word is a number of JSON.
pub(super) fn is_number(word: &[u8]) -> bool {
    let digits = |w: &[u8]| !w.is_empty() && w.iter().all(u8::is_ascii_digit);
    let word = word.strip_prefix(b"-").unwrap_or(word);
    let (mantissa, exponent) = match word.iter().position(|c| matches!(c, b'e' | b'E')) {
        Some(i) => (&word[..i], Some(&word[i + 1..])),
        None => (word, None),
    };
    let (whole, part) = match mantissa.iter().position(|c| *c == b'.') {
        Some(i) => (&mantissa[..i], Some(&mantissa[i + 1..])),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole.len() == 1 || whole[0] != b'0')
        && part.is_none_or(digits)
        && exponent
            .is_none_or(|e| digits(e.strip_prefix(b"+").or(e.strip_prefix(b"-")).unwrap_or(e)))
}

/// What a number of JSON is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole number that fits.
    Long(i64),
    /// Another one that fits.
    Real(f64),
    /// One that neither holds: only its text says it.
    Big,
}

/// What a number of JSON is; nothing where the text is none.
pub fn number(word: &str) -> Option<Number> {
    if !is_number(word.as_bytes()) {
        return None;
    }
    if let Ok(value) = word.parse() {
        return Some(Number::Long(value));
    }
    if !word.contains(['.', 'e', 'E']) {
        return Some(Number::Big);
    }
    let value: f64 = word.parse().ok()?;
    let mantissa = word.split(['e', 'E']).next().unwrap_or_default();
    // So small that it would be zero, which it is not.
    let vanished = value == 0.0 && mantissa.contains(|c: char| matches!(c, '1'..='9'));
    Some(match value.is_finite() && !vanished {
        true => Number::Real(value),
        false => Number::Big,
    })
}
