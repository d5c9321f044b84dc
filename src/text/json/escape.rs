//! What strings of JSON say: escapes resolved as they were meant, and written.

use std::borrow::Cow;
use std::fmt::Write;

use memchr::memchr;

/// What a string says, from what stands between its quotes.
pub fn plain(inner: &str, escaped: bool) -> Cow<'_, str> {
    match escaped {
        true => Cow::Owned(unescape(inner)),
        false => Cow::Borrowed(inner),
    }
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
