//! JSON as logs have it: the one reader, with one policy. Ingest and its fingerprints, paths in SQL and KQL, and `parse_json` stand on it,
//! so that a record that is taken reads the same everywhere.
//!
//! | what is odd | how it is read |
//! |---|---|
//! | two equal keys in an object | the last value counts, as in Kusto; what the earlier one held is no place that a path leads to |
//! | a backslash that begins no escape: `C:\Users`, `\u00` | the backslash itself, and so are the others of that string |
//! | half of a surrogate pair | U+FFFD |
//! | raw line ends, tabs and other control characters in a string | themselves |
//! | a byte order mark before an object or array | nothing |
//! | a number beyond `i64` or `f64` | a number, whose text is kept |
//! | `NaN`, `Infinity`, `01`, `.5`, a comma too many, a comment, single quotes | no JSON |
//! | more than [`MAX_DEPTH`] levels | not read |
//!
//! Backslashes are forgiven inside of objects and arrays only. A text that is one odd string, `"C:\x"`, is no JSON: so Kusto's
//! `parse_json` has it, and no record is such a text.
//!
//! Written here because no JSON crate does this in one pass without recursion that has no limit. Knows nothing of what keys mean.

mod escape;
mod find;
mod keys;
mod number;
mod reader;
mod strict;

pub use escape::{Oddities, oddities, plain, quote, unescape, unescaped};
pub use find::{Place, find};
pub use keys::Keys;
pub use number::{Number, number};
pub use reader::{Fault, MAX_DEPTH, Raw, Reader};
pub use strict::strict;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<(), Fault> {
        let mut reader = Reader::new(text);
        reader.skip(0)?;
        reader.end()
    }

    #[test]
    fn broken_text_is_named_with_its_place() {
        assert_eq!(read(""), Err(Fault::Ends(0)));
        assert_eq!(read("{\"a\":"), Err(Fault::Ends(5)));
        assert_eq!(read("{\"a\":tr"), Err(Fault::Ends(7)));
        assert_eq!(read("{\"a\":\"b"), Err(Fault::Ends(7)));
        assert_eq!(read("{\"a\":\"b\\"), Err(Fault::Ends(8)));
        assert_eq!(read("{\"a\":x}"), Err(Fault::Unexpected(5)));
        assert_eq!(read("{\"a\":1}}"), Err(Fault::Unexpected(7)));
        for text in [
            "01",
            "-01",
            "1.",
            ".5",
            "+1",
            "NaN",
            "Infinity",
            "[1,]",
            "{\"a\":1,}",
            "'a'",
            "[1]//",
            "{a:1}",
            "nul",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        for text in [
            "0",
            "-0",
            "0.5",
            "1e9",
            "\u{feff} {}",
            " \u{feff}[1]",
            "{\"a\":\"\t\\x\"}",
        ] {
            assert_eq!(read(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn nesting_ends_where_it_says() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = |n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
            assert_eq!(read(&deep(MAX_DEPTH)), Ok(()));
            assert_eq!(read(&deep(MAX_DEPTH + 1)), Err(Fault::Deep));
            assert_eq!(read(&open.repeat(100_000)), Err(Fault::Deep));
        }
    }

    #[test]
    fn escapes_are_resolved_and_unknown_ones_stay() {
        assert_eq!(
            unescape(r"x\/y \u00e9 \ud83d\ude00 \ud83d C:\Users \u00"),
            "x/y é 😀 \u{fffd} C:\\Users \\u00"
        );
        // Who forgets one backslash forgets all of them.
        for path in [r"C:\Users\bob\new", r"\\server\Users\\x"] {
            assert_eq!(unescape(path), path);
        }
        assert_eq!(unescape(r#"C:\Users\"x\" \u00e9\n"#), r#"C:\Users"x" é\n"#);
        assert_eq!(unescape(r"C:\\users\\bob\n"), "C:\\users\\bob\n");
        assert_eq!(oddities(r#"\"\\\/\b\f\n\r\té\u00e9"#), Oddities::default());
        for unknown in [r"\x", r"\u00", r"\ué"] {
            assert!(oddities(unknown).unknown, "{unknown}");
        }
        assert!(oddities(r"\ud83d\u0041").lone && oddities(r"\ude00").lone);
        assert!(!oddities(r"\ud83d\ude00").lone);
    }

    #[test]
    fn only_a_text_that_is_one_odd_string_is_refused() {
        assert!(Reader::new(r#""C:\x""#).is_odd_string());
        for fine in [r#""C:\\x""#, r#"["C:\x"]"#, r#""\ud83d""#, "1", "\"a"] {
            assert!(!Reader::new(fine).is_odd_string(), "{fine}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_told_from_those_that_do() {
        assert_eq!(number("9223372036854775807"), Some(Number::Long(i64::MAX)));
        assert_eq!(number("9223372036854775808"), Some(Number::Big));
        assert_eq!(number("1.50"), Some(Number::Real(1.5)));
        assert_eq!(number("1e400"), Some(Number::Big));
        assert_eq!(number("-1e-400"), Some(Number::Big));
        assert_eq!(number("0e5"), Some(Number::Real(0.0)));
        assert_eq!(number("true"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn what_serde_reads_is_read(text in r#"[\{\}\[\]",:a10\-\.e tn\\]{0,24}"#) {
            if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                prop_assert_eq!(read(&text), Ok(()), "{}", text);
            }
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,60}") {
            let _ = read(&text);
            let _ = unescape(&text);
            let _ = strict(&text);
            let _ = find(&text, &[Place::Member("a".into()), Place::Element(-1)]);
        }
    }
}
