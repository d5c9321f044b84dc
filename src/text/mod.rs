//! Bytes and text, whatever they are about.
//!
//! - [`json`]: the one reader of JSON, and the one policy for what is odd in it.
//! - [`csv`]: the one cutter of comma-separated values; [`address`]: addresses of the internet, made clean.
//! - [`like`]: patterns of SQL.
//! - [`safe`]: text from logs made harmless for each medium.
//! - [`swar`]: searches and comparisons that end early.
//! - [`workbook`]: sheets for Excel.
//! - [`count`], [`counted`], [`noun`]: numbers as people read them.
//!
//! Knows nothing of Microsoft 365 and nothing of Arrow.

pub mod address;
pub mod csv;
pub mod json;
pub mod like;
pub mod safe;
pub mod swar;
pub mod workbook;

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
    format!("{} {}", count(n), noun(n, one))
}

/// The word for so many: `file`, and for 2 `files`.
pub fn noun(n: u64, one: &str) -> String {
    if n == 1 {
        return one.to_string();
    }
    let hisses = ["s", "x", "z", "ch", "sh"];
    match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        None if hisses.iter().any(|end| one.ends_with(*end)) => format!("{one}es"),
        _ => format!("{one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_plural_that_they_are_spelled_with() {
        for (one, many) in [
            ("file", "files"),
            ("query", "queries"),
            ("day", "days"),
            ("oddity", "oddities"),
            ("match", "matches"),
            ("box", "boxes"),
            ("address", "addresses"),
        ] {
            assert_eq!(noun(1, one), one);
            assert_eq!(noun(0, one), many);
            assert_eq!(counted(26, one), format!("26 {many}"));
        }
    }
}
