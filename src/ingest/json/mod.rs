//! JSON: cutting a stream of values into records, and one pass over a record that checks it, limits its depth, picks
//! the values at known paths as slices of the input, and computes a fingerprint of its content.
//!
//! The pass is written here because no JSON crate does these together, and the fast ones skip nested values by recursion
//! without a limit. It is lenient where real exports are broken (a lone backslash in a path, a raw line end in a
//! string) and strict otherwise. Knows nothing of what the keys mean.

use std::borrow::Cow;

use hashbrown::HashMap;
use memchr::memchr;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::{MAX_JSON_DEPTH, swar, time};

mod cut;

pub use cut::{Cutter, MAX_INDENT};

/// Why a text is not a JSON record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text ends inside a value.
    #[error("JSON ends in the middle (after {0} bytes)")]
    Ends(usize),
    /// A byte that cannot stand there.
    #[error("not JSON at byte {0}")]
    Unexpected(usize),
    /// Nested deeper than is read.
    #[error("JSON is nested deeper than {MAX_JSON_DEPTH} levels")]
    Deep,
    /// Not an object.
    #[error("JSON value is not an object")]
    NotObject,
}

/// A value as it stands in the input.
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
    /// The text that `->>` gives: strings unescaped, everything else as JSON; nothing for `null`.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Raw::Null => None,
            Raw::Text {
                inner,
                escaped: false,
            } => Some(Cow::Borrowed(inner)),
            Raw::Text { inner, .. } => Some(Cow::Owned(unescape(inner))),
            Raw::Other(json) => Some(Cow::Borrowed(json)),
        }
    }
}

/// Paths to pick from a record, as a tree.
#[derive(Debug, Default)]
pub struct Paths {
    children: HashMap<&'static str, Wanted>,
}

#[derive(Debug, Default)]
struct Wanted {
    /// Fingerprint of the key.
    print: u128,
    slot: Option<usize>,
    below: Option<Paths>,
}

impl Paths {
    /// Adds a path (keys joined by `.`) whose value goes to this slot.
    pub fn add(&mut self, path: &'static str, slot: usize) {
        let (head, rest) = match path.split_once('.') {
            None => (path, None),
            Some((head, rest)) => (head, Some(rest)),
        };
        let child = self.children.entry(head).or_default();
        child.print = xxh3_128(head.as_bytes());
        match rest {
            None => child.slot = Some(slot),
            Some(rest) => child
                .below
                .get_or_insert_with(Paths::default)
                .add(rest, slot),
        }
    }
}

/// Walks over one object; `pick` receives the slot and value of each wanted path, in the order of the text.
///
/// Returns the fingerprint: 128 bits that do not depend on key order, white space, escapes, `@odata.*` annotations or
/// the spelling of a time.
///
/// # Errors
/// When the text is not one JSON object, or nested too deeply.
pub fn walk<'a>(
    text: &'a str,
    paths: &Paths,
    mut pick: impl FnMut(usize, Raw<'a>),
) -> Result<u128, Fault> {
    let mut walker = Walker::new(text, true);
    if walker.peek() != Some(b'{') {
        return Err(match walker.peek() {
            None => Fault::Ends(text.len()),
            Some(_) => Fault::NotObject,
        });
    }
    let print = walker.object(Some(paths), 0, &mut pick)?;
    walker.end()?;
    Ok(print)
}

/// The same without the fingerprint.
///
/// # Errors
/// As [`walk`].
pub fn pick<'a>(
    text: &'a str,
    paths: &Paths,
    mut pick: impl FnMut(usize, Raw<'a>),
) -> Result<(), Fault> {
    let mut walker = Walker::new(text, false);
    if walker.peek() != Some(b'{') {
        return Err(Fault::NotObject);
    }
    walker.object(Some(paths), 0, &mut pick)?;
    walker.end()
}

/// A value that is still to be read. Reading it one way or another moves on; a value that is not read at all is passed over.
pub struct Value<'w, 'a> {
    walker: &'w mut Walker<'a>,
    depth: usize,
    read: &'w mut bool,
}

impl<'a> Value<'_, 'a> {
    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.walker.peek() == Some(b'{')
    }

    /// The value as it stands.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn raw(self) -> Result<Raw<'a>, Fault> {
        *self.read = true;
        let start = self.walker.at;
        self.walker.value(self.depth, &mut |_, _| {})?;
        Ok(self.walker.raw(start))
    }

    /// Goes over the members of an object.
    ///
    /// # Errors
    /// When it is no object, or what `each` says.
    pub fn members(
        self,
        mut each: impl FnMut(&str, Value<'_, 'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        *self.read = true;
        self.walker.read_members(self.depth, &mut each)
    }

    /// Picks paths from an object, and gives its text and its fingerprint.
    ///
    /// # Errors
    /// When it is no object.
    pub fn walk(
        self,
        paths: &Paths,
        mut pick: impl FnMut(usize, Raw<'a>),
    ) -> Result<(&'a str, u128), Fault> {
        *self.read = true;
        let start = self.walker.at;
        self.walker.prints = true;
        let print = self.walker.object(Some(paths), self.depth, &mut pick);
        self.walker.prints = false;
        Ok((&self.walker.text[start..self.walker.at], print?))
    }
}

/// Goes over the members of one object, in order; `each` reads the values as it likes, each once.
///
/// # Errors
/// As [`walk`], and what `each` says.
pub fn members<'a>(
    text: &'a str,
    mut each: impl FnMut(&str, Value<'_, 'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut walker = Walker::new(text, false);
    walker.read_members(0, &mut each)?;
    walker.end()
}

/// Calls `each` with every key and value of one object, in order.
///
/// # Errors
/// As [`walk`].
pub fn entries<'a>(
    text: &'a str,
    mut each: impl FnMut(Cow<'a, str>, Raw<'a>),
) -> Result<(), Fault> {
    let mut walker = Walker::new(text, false);
    if walker.peek() != Some(b'{') {
        return Err(Fault::NotObject);
    }
    walker.members(0, |walker, key, escaped| {
        let start = walker.at;
        walker.value(1, &mut |_, _| {})?;
        let key = if escaped {
            Cow::Owned(unescape(key))
        } else {
            Cow::Borrowed(key)
        };
        each(key, walker.raw(start));
        Ok(())
    })?;
    walker.end()
}

/// Calls `each` with every element of one array, in order.
///
/// # Errors
/// When the text is not one JSON array.
pub fn elements<'a>(text: &'a str, mut each: impl FnMut(usize, Raw<'a>)) -> Result<(), Fault> {
    let mut walker = Walker::new(text, false);
    walker.expect(b'[')?;
    walker.blanks();
    if walker.peek() == Some(b']') {
        walker.at += 1;
        return walker.end();
    }
    for n in 0.. {
        walker.blanks();
        let start = walker.at;
        walker.value(1, &mut |_, _| {})?;
        each(n, walker.raw(start));
        walker.blanks();
        match walker.peek() {
            Some(b',') => walker.at += 1,
            Some(b']') => {
                walker.at += 1;
                break;
            }
            _ => return Err(walker.fault()),
        }
    }
    walker.end()
}

/// Fingerprint of any JSON value.
///
/// # Errors
/// When the text is not one JSON value.
pub fn fingerprint(text: &str) -> Result<u128, Fault> {
    let mut walker = Walker::new(text, true);
    let print = walker.value(0, &mut |_, _| {})?;
    walker.end()?;
    Ok(print)
}

/// Fingerprint of a string: times by their instant, everything else by its bytes.
pub fn text_fingerprint(text: &str) -> u128 {
    let b = text.as_bytes();
    if b.len() >= 19 && b[4] == b'-' && b[10] == b'T' {
        if let Some(micros) = time::iso(b) {
            // What is finer than a microsecond counts, trailing zeros do not.
            let finer: &[u8] = match memchr(b'.', b) {
                Some(point) => {
                    let digits = &b[point + 1..];
                    let end = digits
                        .iter()
                        .position(|c| !c.is_ascii_digit())
                        .unwrap_or(digits.len());
                    digits.get(6..end).unwrap_or_default()
                }
                None => &[],
            };
            let end = finer.iter().rposition(|c| *c != b'0').map_or(0, |i| i + 1);
            return time_fingerprint(micros).wrapping_add(match end {
                0 => 0,
                _ => u128::from(xxh3_64(&finer[..end])),
            });
        }
    } else if b.len() > 8
        && b.starts_with(b"/Date(")
        && let Some(micros) = time::parse(text, None)
    {
        return time_fingerprint(micros);
    }
    xxh3_128(b)
}

/// Fingerprint of an instant.
pub fn time_fingerprint(micros: i64) -> u128 {
    mix(0x7469_6d65, micros as u64 as u128)
}

/// Joins two fingerprints; the order counts.
pub fn mix(a: u128, b: u128) -> u128 {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let x = (a.rotate_left(41) ^ b).wrapping_mul(ODD);
    x ^ (x >> 71)
}

struct Walker<'a> {
    text: &'a str,
    at: usize,
    /// Whether fingerprints are wanted; without, every one is 0.
    prints: bool,
}

impl<'a> Walker<'a> {
    /// At the first byte that is no blank.
    fn new(text: &'a str, prints: bool) -> Self {
        let mut walker = Walker {
            text,
            at: 0,
            prints,
        };
        walker.blanks();
        walker
    }

    fn peek(&self) -> Option<u8> {
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

    fn end(&mut self) -> Result<(), Fault> {
        self.blanks();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Fault::Unexpected(self.at))
        }
    }

    /// Reads a string whose opening quote is next; returns what stands between the quotes and whether it has escapes.
    fn string(&mut self) -> Result<(&'a str, bool), Fault> {
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

    fn string_print(&self, inner: &str, escaped: bool) -> u128 {
        match (self.prints, escaped) {
            (false, _) => 0,
            (true, true) => text_fingerprint(&unescape(inner)),
            (true, false) => text_fingerprint(inner),
        }
    }

    fn raw(&self, start: usize) -> Raw<'a> {
        let text = &self.text[start..self.at];
        match text.as_bytes().first() {
            Some(b'"') => {
                let inner = &text[1..text.len() - 1];
                Raw::Text {
                    inner,
                    escaped: memchr(b'\\', inner.as_bytes()).is_some(),
                }
            }
            Some(b'n') => Raw::Null,
            _ => Raw::Other(text),
        }
    }

    /// Goes over the members of an object; `member` is called with the walker at the value.
    fn members(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&mut Self, &'a str, bool) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if depth >= MAX_JSON_DEPTH {
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

    fn read_members(
        &mut self,
        depth: usize,
        each: &mut dyn FnMut(&str, Value<'_, 'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.peek() != Some(b'{') {
            return Err(match self.peek() {
                None => Fault::Ends(self.text.len()),
                Some(_) => Fault::NotObject,
            });
        }
        self.members(depth, |walker, key, escaped| {
            let plain = match escaped {
                true => Cow::Owned(unescape(key)),
                false => Cow::Borrowed(key),
            };
            let mut read = false;
            let value = Value {
                walker,
                depth: depth + 1,
                read: &mut read,
            };
            each(&plain, value)?;
            if !read {
                walker.value(depth + 1, &mut |_, _| {})?;
            }
            Ok(())
        })
    }

    fn object(
        &mut self,
        paths: Option<&Paths>,
        depth: usize,
        pick: &mut dyn FnMut(usize, Raw<'a>),
    ) -> Result<u128, Fault> {
        let mut sum: u128 = 0x6f62_6a65_6374;
        self.members(depth, |walker, key, escaped| {
            let plain = match escaped {
                true => Cow::Owned(unescape(key)),
                false => Cow::Borrowed(key),
            };
            let wanted = paths.and_then(|p| p.children.get(plain.as_ref()));
            let start = walker.at;
            let below = wanted.and_then(|w| w.below.as_ref());
            let (print, text) = match (below, walker.peek()) {
                (Some(below), Some(b'{')) => (walker.object(Some(below), depth + 1, pick)?, None),
                (_, Some(b'"')) => {
                    let (inner, escaped) = walker.string()?;
                    let print = walker.string_print(inner, escaped);
                    (print, Some(Raw::Text { inner, escaped }))
                }
                _ => (walker.value(depth + 1, pick)?, None),
            };
            if let Some(slot) = wanted.and_then(|w| w.slot) {
                pick(slot, text.unwrap_or_else(|| walker.raw(start)));
            }
            let counts = || !plain.as_bytes().contains(&b'@') || !plain.contains("@odata.");
            if walker.prints
                && let Some(wanted) = wanted
            {
                sum = sum.wrapping_add(mix(wanted.print, print));
            } else if walker.prints && counts() {
                sum = sum.wrapping_add(mix(xxh3_128(plain.as_bytes()), print));
            }
            Ok(())
        })?;
        Ok(sum)
    }

    fn value(&mut self, depth: usize, pick: &mut dyn FnMut(usize, Raw<'a>)) -> Result<u128, Fault> {
        match self.peek() {
            Some(b'"') => {
                let (inner, escaped) = self.string()?;
                Ok(self.string_print(inner, escaped))
            }
            Some(b'{') => self.object(None, depth, pick),
            Some(b'[') => {
                if depth >= MAX_JSON_DEPTH {
                    return Err(Fault::Deep);
                }
                self.at += 1;
                self.blanks();
                let mut print: u128 = 0x0061_7272_6179;
                if self.peek() == Some(b']') {
                    self.at += 1;
                    return Ok(print);
                }
                loop {
                    self.blanks();
                    print = mix(print, self.value(depth + 1, pick)?);
                    self.blanks();
                    match self.peek() {
                        Some(b',') => self.at += 1,
                        Some(b']') => {
                            self.at += 1;
                            return Ok(print);
                        }
                        _ => return Err(self.fault()),
                    }
                }
            }
            Some(_) => {
                let start = self.at;
                let bytes = self.text.as_bytes();
                while self.at < bytes.len()
                    && !matches!(
                        bytes[self.at],
                        b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'
                    )
                {
                    self.at += 1;
                }
                let word = &bytes[start..self.at];
                let known = matches!(word, b"true" | b"false" | b"null") || is_number(word);
                if known {
                    Ok(if self.prints {
                        mix(1, xxh3_128(word))
                    } else {
                        0
                    })
                } else {
                    self.at = start;
                    Err(if start + word.len() == bytes.len() && is_beginning(word) {
                        Fault::Ends(bytes.len())
                    } else {
                        Fault::Unexpected(start)
                    })
                }
            }
            None => Err(self.fault()),
        }
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
        && part.is_none_or(digits)
        && exponent
            .is_none_or(|e| digits(e.strip_prefix(b"+").or(e.strip_prefix(b"-")).unwrap_or(e)))
}

/// Resolves escapes. One that JSON does not know (`C:\Users`) stays as it is.
pub fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(i) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..i]);
        let after = &rest[i + 1..];
        let (c, used) = match after.as_bytes().first() {
            Some(b'"') => ('"', 1),
            Some(b'\\') => ('\\', 1),
            Some(b'/') => ('/', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => unicode(after).unwrap_or(('\\', 0)),
            _ => ('\\', 0),
        };
        out.push(c);
        rest = &after[used..];
    }
    out.push_str(rest);
    out
}

/// `u00e9…` → the character and how many bytes it took; a lone surrogate becomes U+FFFD.
fn unicode(after: &str) -> Option<(char, usize)> {
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
        return Some((char::from_u32(c)?, 11));
    }
    Some((char::from_u32(first).unwrap_or('\u{fffd}'), 5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn print(text: &str) -> u128 {
        fingerprint(text).expect("valid JSON")
    }

    #[test]
    fn spelling_does_not_change_a_fingerprint_and_content_does() {
        let a = r#"{"a":1,"b":{"t":"2026-05-04T09:12:00","s":"x\/y"},"c":[1,2]}"#;
        for same in [
            r#"{ "c" : [1, 2], "b": {"s":"x/y", "t":"2026-05-04T09:12:00.0000000Z"}, "a":1 }"#,
            r##"{"a":1,"b":{"t":"2026-05-04T11:12:00+02:00","s":"x/y","s@odata.type":"#String"},"c":[1,2]}"##,
        ] {
            assert_eq!(print(a), print(same), "{same}");
        }
        for other in [
            r#"{"a":2,"b":{"t":"2026-05-04T09:12:00","s":"x/y"},"c":[1,2]}"#,
            r#"{"a":1,"b":{"t":"2026-05-04T09:12:00","s":"x/y"},"c":[2,1]}"#,
            r#"{"a":1,"b":{"t":"2026-05-04T09:12:01","s":"x/y"},"c":[1,2]}"#,
            r#"{"a":1,"b":{"t":"2026-05-04T09:12:00.0000001","s":"x/y"},"c":[1,2]}"#,
            r#"{"a":1,"b":{"t":"2026-05-04T09:12:00","s":"x/y","n":null},"c":[1,2]}"#,
        ] {
            assert_ne!(print(a), print(other), "{other}");
        }
    }

    #[test]
    fn paths_are_picked_as_slices() {
        let mut paths = Paths::default();
        paths.add("a", 0);
        paths.add("b.c", 1);
        paths.add("b", 2);
        let mut got = vec![None; 3];
        let text = r#"{"b":{"c":"x\ny","d":[{"a":9}]},"a":[1, 2],"a":3}"#;
        walk(text, &paths, |slot, raw| {
            if got[slot].is_none() {
                got[slot] = raw.text();
            }
        })
        .expect("valid");
        assert_eq!(got[0].as_deref(), Some("[1, 2]"));
        assert_eq!(got[1].as_deref(), Some("x\ny"));
        assert_eq!(got[2].as_deref(), Some(r#"{"c":"x\ny","d":[{"a":9}]}"#));
    }

    #[test]
    fn broken_text_is_named_with_its_place() {
        let paths = Paths::default();
        let fault = |t: &str| walk(t, &paths, |_, _| {}).expect_err(t);
        assert_eq!(fault(""), Fault::Ends(0));
        assert_eq!(fault("{\"a\":"), Fault::Ends(5));
        assert_eq!(fault("{\"a\":tr"), Fault::Ends(7));
        assert_eq!(fault("{\"a\":\"b"), Fault::Ends(7));
        assert_eq!(fault("{\"a\":x}"), Fault::Unexpected(5));
        assert_eq!(fault("{\"a\":1}}"), Fault::Unexpected(7));
        assert_eq!(fault("[1]"), Fault::NotObject);
        assert_eq!(
            fault(&format!("{{\"a\":{}", "[".repeat(100_000))),
            Fault::Deep
        );
    }

    #[test]
    fn escapes_are_resolved_and_unknown_ones_stay() {
        assert_eq!(
            unescape(r"x\/y \u00e9 \ud83d\ude00 \ud83d C:\Users \u00"),
            "x/y é 😀 \u{fffd} C:\\Users \\u00"
        );
    }

    fn cut_all(text: &[u8], block: usize) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::default();
        let (mut buffer, mut out) = (Vec::new(), Vec::new());
        for piece in text.chunks(block.max(1)) {
            buffer.extend_from_slice(piece);
            cutter.scan(&buffer);
            let (found, cut) = cutter.take(&buffer);
            out.extend(found.iter().map(|(a, b)| buffer[*a..*b].to_vec()));
            buffer.drain(..cut);
        }
        if !buffer.is_empty() {
            out.push(buffer);
        }
        out
    }

    #[test]
    fn arrays_lines_and_broken_arrays_are_cut_alike() {
        let (a, b) = (r#"{"x":"]}\"{"}"#, r#"{"y":[{"z":1},[2]]}"#);
        for text in [
            format!("[{a},{b}]"),
            format!("{a}\r\n{b}"),
            format!("[\n{a}\n{b}\n]"),
            format!("[{a}][{b}]"),
            format!("{a}{b}"),
        ] {
            for block in 1..text.len() {
                let got = cut_all(text.as_bytes(), block);
                assert_eq!(
                    got,
                    [a.as_bytes(), b.as_bytes()],
                    "{text} in blocks of {block}"
                );
            }
        }
    }

    #[test]
    fn records_in_envelopes_are_cut_wherever_blocks_end() {
        let (a, b) = (r#"{"value":["x",{"y":"]"}]}"#, r#"{"z":1}"#);
        let text = format!(
            r#"{{"@odata.context":"a\"[value","n":{{"m":[1]}}, "value" : [{a}, {b}],"next":"value"}} {{"value":[{b}]}}"#
        );
        for block in 1..text.len() {
            let mut cutter = Cutter::within("value", false);
            let (mut buffer, mut out) = (Vec::new(), Vec::new());
            for piece in text.as_bytes().chunks(block) {
                buffer.extend_from_slice(piece);
                cutter.scan(&buffer);
                let (found, cut) = cutter.take(&buffer);
                out.extend(found.iter().map(|(a, b)| buffer[*a..*b].to_vec()));
                buffer.drain(..cut);
            }
            assert_eq!(
                out,
                [a.as_bytes(), b.as_bytes(), b.as_bytes()],
                "blocks of {block}"
            );
        }
        let rows = r#"{"tables":[{"columns":[],"rows":[[1,"a"],["x]",2]]},{"rows":[[3]]}]}"#;
        let mut cutter = Cutter::within("rows", true);
        let found = cutter.scan(rows.as_bytes()).to_vec();
        let got: Vec<&str> = found.iter().map(|(a, b)| &rows[*a..*b]).collect();
        assert_eq!(got, [r#"[1,"a"]"#, r#"["x]",2]"#]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn what_serde_reads_we_read_and_the_reverse_with_few_exceptions(text in r#"[\{\}\[\]",:a1\-\.e tn\\]{0,24}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let ours = fingerprint(&text).is_ok();
            if theirs {
                prop_assert!(ours, "{text}");
            }
        }

        #[test]
        fn the_walk_never_panics(text in "\\PC{0,60}") {
            let _ = fingerprint(&text);
            let _ = unescape(&text);
            for block in [1, 3, 1000] {
                let _ = cut_all(text.as_bytes(), block);
            }
        }
    }
}
