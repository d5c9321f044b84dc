//! Bytes and text, whatever they are about.
//!
//! - [`json`]: the one reader of JSON, and the one policy for what is odd in it.
//! - [`csv`]: the one cutter of comma-separated values; [`address`]: addresses of the internet, made clean.
//! - [`safe`]: text from logs made harmless for each medium.
//! - [`swar`]: searches and comparisons that end early.
//! - [`count`], [`counted`]: numbers as people read them.
//!
//! Knows nothing of Microsoft and nothing of Arrow.

pub mod address;
pub mod csv;
pub mod json;
pub mod safe;
pub mod swar;

/// `1234567` → `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 file`, `2 files`.
pub fn counted(n: u64, one: &str) -> String {
    let n_of = count(n);
    match (n, one.strip_suffix('y')) {
        (1, _) => format!("{n_of} {one}"),
        (_, Some(stem)) => format!("{n_of} {stem}ies"),
        (_, None) => format!("{n_of} {one}s"),
    }
}
