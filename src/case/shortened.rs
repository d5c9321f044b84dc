//! Texts as long as a document takes them.

use crate::text::counted;

/// Characters of a text that a document has at most: a justification of a hundred thousand would hide all others.
pub const LONG: usize = 1000;

/// The beginning of a text that is longer, and how much is missing; the text where it is not.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_string(),
        Some((at, _)) => {
            let missing = text[at..].chars().count() as u64;
            format!("{}… ({} more)", &text[..at], counted(missing, "character"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöü", 2), "äö… (1 character more)");
        let long = "x".repeat(100_000);
        assert!(shortened(&long, LONG).ends_with("x… (99,000 characters more)"));
    }
}
