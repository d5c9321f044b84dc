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

use std::borrow::Cow;
use std::fmt::Write;

use memchr::memchr;

use super::swar;

mod find;
mod keys;
mod strict;

pub use find::{Place, find};
pub use keys::Keys;
pub use strict::strict;

/// Deepest nesting of objects and arrays that is read.
pub const MAX_DEPTH: usize = 128;

/// A byte order mark.
const MARK: char = '\u{feff}';

/// Why a text is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text ends inside a value.
    #[error("JSON ends in the middle (after {0} bytes)")]
    Ends(usize),
    /// A byte that cannot stand there.
    #[error("not JSON at byte {0}")]
    Unexpected(usize),
    /// Nested deeper than is read.
    #[error("JSON is nested deeper than {MAX_DEPTH} levels")]
    Deep,
    /// Not an object.
    #[error("JSON value is not an object")]
    NotObject,
}

/// A value as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raw<'a> {
    /// A string without its quotes; `escaped` when it has backslashes.
    Text {
        /// What stands between the quotes.
        inner: &'a str,
        /// Whether it has escapes.
        escaped: bool,
    },
    /// `null`
    Null,
    /// A number, `true`, `false`, an object or an array.
    Other(&'a str),
}

impl<'a> Raw<'a> {
    /// A whole value, as [`find()`] gives it.
    pub fn of(value: &'a str) -> Self {
        match value.as_bytes().first() {
            Some(b'"') => {
                let inner = value
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'))
                    .unwrap_or_default();
                Raw::Text {
                    inner,
                    escaped: memchr(b'\\', inner.as_bytes()).is_some(),
                }
            }
            Some(b'n') => Raw::Null,
            _ => Raw::Other(value),
        }
    }

    /// The text that `->>` gives: strings unescaped, everything else as JSON; nothing for `null`.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Raw::Null => None,
            Raw::Text { inner, escaped } => Some(plain(inner, escaped)),
            Raw::Other(json) => Some(Cow::Borrowed(json)),
        }
    }
}

/// What a string says, from what stands between its quotes.
pub fn plain(inner: &str, escaped: bool) -> Cow<'_, str> {
    match escaped {
        true => Cow::Owned(unescape(inner)),
        false => Cow::Borrowed(inner),
    }
}

/// A place in a text, from which values are read or passed over.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the value that the text is.
    pub fn new(text: &'a str) -> Self {
        let mut reader = Reader { text, at: 0 };
        reader.blanks();
        if let Some(rest) = text
            .get(reader.at..)
            .and_then(|rest| rest.strip_prefix(MARK))
        {
            let mut behind = Reader { text: rest, at: 0 };
            behind.blanks();
            if matches!(behind.peek(), Some(b'{' | b'[')) {
                reader.at = text.len() - rest.len() + behind.at;
            }
        }
        reader
    }

    /// Where it stands, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What stands between a place passed before and here.
    pub fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// The next byte.
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn fault(&self) -> Fault {
        if self.at >= self.text.len() {
            Fault::Ends(self.text.len())
        } else {
            Fault::Unexpected(self.at)
        }
    }

    fn expect(&mut self, b: u8) -> Result<(), Fault> {
        self.blanks();
        if self.peek() == Some(b) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault())
        }
    }

    /// Says that an object is next.
    ///
    /// # Errors
    /// When it is not.
    pub fn object(&self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => Ok(()),
            Some(_) => Err(Fault::NotObject),
            None => Err(Fault::Ends(self.text.len())),
        }
    }

    /// Says that an array is next.
    ///
    /// # Errors
    /// When it is not.
    pub fn array(&self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'[') => Ok(()),
            _ => Err(self.fault()),
        }
    }

    /// Says that nothing follows but blanks.
    ///
    /// # Errors
    /// When something does.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.blanks();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Fault::Unexpected(self.at))
        }
    }

    /// Reads a string whose opening quote is next; returns what stands between the quotes and whether it has backslashes.
    ///
    /// # Errors
    /// When the text ends in it.
    pub fn string(&mut self) -> Result<(&'a str, bool), Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut look = start;
        let mut escaped = false;
        loop {
            let Some(found) = swar::quote_or_backslash(bytes, look) else {
                self.at = bytes.len();
                return Err(Fault::Ends(bytes.len()));
            };
            if bytes[found] == b'"' {
                self.at = found + 1;
                return Ok((&self.text[start..found], escaped));
            }
            escaped = true;
            look = found + 2;
        }
    }

    /// Reads a number, `true`, `false` or `null`.
    ///
    /// # Errors
    /// When something else is next.
    pub fn word(&mut self) -> Result<&'a str, Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while self.at < bytes.len()
            && !matches!(
                bytes[self.at],
                b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'
            )
        {
            self.at += 1;
        }
        let word = &bytes[start..self.at];
        if matches!(word, b"true" | b"false" | b"null") || is_number(word) {
            return Ok(&self.text[start..self.at]);
        }
        self.at = start;
        Err(if start + word.len() == bytes.len() && is_beginning(word) {
            Fault::Ends(bytes.len())
        } else {
            Fault::Unexpected(start)
        })
    }

    /// Goes over the members of an object that is next; `member` is called at each value with the key as it stands and whether it has
    /// backslashes, and reads the value or passes over it.
    ///
    /// # Errors
    /// When the object is broken or too deep, and what `member` says.
    pub fn members(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&mut Self, &'a str, bool) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if depth >= MAX_DEPTH {
            return Err(Fault::Deep);
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.fault());
            }
            let (key, escaped) = self.string()?;
            self.expect(b':')?;
            self.blanks();
            member(self, key, escaped)?;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.fault()),
            }
        }
    }

    /// Goes over the elements of an array that is next; `element` is called at each with its index, and reads it or passes over it.
    ///
    /// # Errors
    /// When the array is broken or too deep, and what `element` says.
    pub fn elements(
        &mut self,
        depth: usize,
        mut element: impl FnMut(&mut Self, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if depth >= MAX_DEPTH {
            return Err(Fault::Deep);
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        let mut n = 0;
        loop {
            self.blanks();
            element(self, n)?;
            n += 1;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.fault()),
            }
        }
    }

    /// Passes over a value.
    ///
    /// # Errors
    /// When it is broken or too deep.
    pub fn skip(&mut self, depth: usize) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.members(depth, |reader, _, _| reader.skip(depth + 1)),
            Some(b'[') => self.elements(depth, |reader, _| reader.skip(depth + 1)),
            Some(_) => self.word().map(|_| ()),
            None => Err(self.fault()),
        }
    }

    /// Reads a value as it stands.
    ///
    /// # Errors
    /// As [`Reader::skip`].
    pub fn raw(&mut self, depth: usize) -> Result<Raw<'a>, Fault> {
        let start = self.at;
        self.skip(depth)?;
        Ok(Raw::of(self.since(start)))
    }

    /// Whether the text is one string with a backslash that begins no escape; see the module's docs.
    pub fn is_odd_string(&self) -> bool {
        let mut ahead = Reader {
            text: self.text,
            at: self.at,
        };
        self.peek() == Some(b'"')
            && matches!(ahead.string(), Ok((inner, true)) if oddities(inner).unknown)
    }
}

fn is_beginning(word: &[u8]) -> bool {
    word.is_empty()
        || [&b"true"[..], b"false", b"null"]
            .iter()
            .any(|w| w.starts_with(word))
        || word == b"-"
}

fn is_number(word: &[u8]) -> bool {
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

/// What is odd in the escapes of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddities {
    /// A backslash begins none.
    pub unknown: bool,
    /// Half of a surrogate pair, which is lost.
    pub lone: bool,
}

/// Resolves escapes. A backslash that begins none stays as it is, and shows that this string was written without escapes: then none but
/// those of a quote, a slash and a `\u` are resolved, so that `C:\Users\bob` is that folder.
pub fn unescape(inner: &str) -> String {
    unescaped(inner).0
}

/// The same, with what is odd in it.
pub fn unescaped(inner: &str) -> (String, Oddities) {
    let mut out = String::with_capacity(inner.len());
    let mut odd = resolve(inner, Writer::Json, |piece, c| {
        out.push_str(piece);
        out.extend(c);
    });
    if odd.unknown {
        out.clear();
        odd = resolve(inner, Writer::Careless, |piece, c| {
            out.push_str(piece);
            out.extend(c);
        });
    }
    (out, odd)
}

/// What is odd in the escapes of a string.
pub fn oddities(inner: &str) -> Oddities {
    resolve(inner, Writer::Json, |_, _| {})
}

/// Who wrote a string.
#[derive(Clone, Copy, PartialEq)]
enum Writer {
    /// Somebody who escapes backslashes.
    Json,
    /// Somebody who does not.
    Careless,
}

/// Hands out the pieces between escapes, each with the character that the escape behind it is.
fn resolve(inner: &str, writer: Writer, mut piece: impl FnMut(&str, Option<char>)) -> Oddities {
    let mut odd = Oddities::default();
    let mut rest = inner;
    while let Some(i) = memchr(b'\\', rest.as_bytes()) {
        let after = &rest[i + 1..];
        let first = after.as_bytes().first();
        if writer == Writer::Careless && first == Some(&b'\\') {
            piece(&rest[..=i], Some('\\'));
            rest = &after[1..];
            continue;
        }
        let (c, used) = match first {
            Some(b'"') => ('"', 1),
            Some(b'/') => ('/', 1),
            Some(b'u') => match unicode(after) {
                Some((c, used)) => {
                    odd.lone |= c.is_none();
                    (c.unwrap_or(char::REPLACEMENT_CHARACTER), used)
                }
                None => {
                    odd.unknown = true;
                    ('\\', 0)
                }
            },
            Some(b'b' | b'f' | b'n' | b'r' | b't') if writer == Writer::Careless => ('\\', 0),
            Some(b'\\') => ('\\', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            _ => {
                odd.unknown = true;
                ('\\', 0)
            }
        };
        piece(&rest[..i], Some(c));
        rest = &after[used..];
    }
    piece(rest, None);
    odd
}

/// `u00e9…` → the character and how many bytes it took; no character where it is half of a surrogate pair.
fn unicode(after: &str) -> Option<(Option<char>, usize)> {
    let unit = |s: &str| -> Option<u32> {
        let digits = s.get(1..5)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let first = unit(after)?;
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = after
            .get(5..)
            .and_then(|r| r.strip_prefix('\\'))
            .filter(|r| r.starts_with('u'))
            .and_then(unit)
            .filter(|s| (0xdc00..0xe000).contains(s))
    {
        let c = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Some((char::from_u32(c), 11));
    }
    Some((char::from_u32(first), 5))
}

/// Writes a string of JSON, as Kusto prints it.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => {
                // Writing into a `String` cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

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
