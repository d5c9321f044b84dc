//! Work that may panic: a fault of coldtrail costs a block or an ingest, never the process, and is said as what it is.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Characters of a panic's words that are kept: they may quote the export.
const WORDS: usize = 200;

/// Does work; where it panics, gives the reason for a person.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // The work owns what it changes, or its caller lets go of that.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let words: &str = match payload.downcast_ref::<&str>() {
            Some(words) => words,
            None => payload
                .downcast_ref::<String>()
                .map_or("no words", String::as_str),
        };
        let words: String = words.chars().take(WORDS).collect();
        format!("this is a fault of coldtrail ({words})")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_as_a_fault_of_coldtrail() {
        assert_eq!(caught(|| 1), Ok(1));
        for (n, words) in [(0, "short"), (1, "row 1")] {
            let said = caught(|| match n {
                0 => panic!("short"),
                n => panic!("row {n}"),
            });
            assert_eq!(
                said,
                Err::<(), _>(format!("this is a fault of coldtrail ({words})"))
            );
        }
    }
}
