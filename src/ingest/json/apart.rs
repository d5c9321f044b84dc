//! Records taken apart that a broken one swallowed: without its last bracket, or with a quote too few, it seems to have no end.
//!
//! Knows where records may begin, not what they are.

use std::borrow::Cow;

use memchr::{memchr2, memmem, memrchr};

use super::cut::MAX_INDENT;
use crate::text::json::Reader;

/// Bytes of a key or a value at the beginning of a record.
const BEGINNING: usize = 4096;
/// Records that may seem to begin inside of a whole one.
const INSIDE: usize = 8;
/// Bytes of what stands in an answer below its records.
const BELOW: usize = 8192;

/// Where records seem to begin in `bytes` that have the first two keys of `like`: at 0 and behind it.
pub fn begin_like(bytes: &[u8], like: &[u8]) -> Vec<usize> {
    let mut begins = vec![0];
    let key = blanks_end(like, 1);
    let Some(end) = string_end(like, key).filter(|_| like.starts_with(b"{")) else {
        return begins;
    };
    let first = &like[key..end];
    let second = second_key(like, end);
    for at in memmem::find_iter(bytes, first) {
        let Some(open) = before(bytes, at).filter(|i| *i > 0 && bytes[*i] == b'{') else {
            continue;
        };
        // An object that is the value of a key is none of a list.
        let is_value = before(bytes, open).is_some_and(|i| bytes[i] == b':');
        let is_alike = second.is_none() || second == second_key(bytes, at + first.len());
        if !is_value && is_alike {
            begins.push(open);
        }
    }
    begins
}

/// Takes `bytes` apart where records may begin: whole ones as they are, and what stands between them. A whole one is followed by the next
/// wherever it begins.
pub fn apart(bytes: &[u8], begins: &[usize]) -> Vec<(usize, usize)> {
    let text = letters(bytes);
    let mut parts = Vec::new();
    let (mut at, mut next) = (0, 0);
    while at < bytes.len() {
        let is_begin = begins.get(next) == Some(&at);
        while begins.get(next).is_some_and(|begin| *begin <= at) {
            next += 1;
        }
        // So that each byte is looked at a few times only.
        let far = begins.get(next + INSIDE).copied().unwrap_or(bytes.len());
        let inside = begins.get(next).copied().unwrap_or(bytes.len());
        let end = text.get(at..far).and_then(whole).map(|length| at + length);
        // Another object with records in it is the next answer of several.
        if let Some(end) = end.filter(|end| is_begin || *end <= inside) {
            parts.push((at, end));
            at = end;
            while begins.get(next).is_some_and(|begin| *begin < end) {
                next += 1;
            }
            let between = bytes[end..].iter().take_while(|b| is_between(**b)).count();
            if bytes.get(end + between) == Some(&b'{')
                && is_record(&text, end + between, begins, next)
            {
                at = end + between;
                continue;
            }
        }
        let stop = begins.get(next).copied().unwrap_or(bytes.len());
        let part = &bytes[at..stop];
        let is_rest = parts.last().is_some_and(|(_, end)| *end == at);
        if !(is_only_between(part) || is_rest && is_below_records(part)) {
            let blank = part.iter().take_while(|b| is_blank(**b) || **b == b',');
            let start = at + blank.count();
            parts.push((start, start + trimmed(&bytes[start..stop]).len()));
        }
        at = stop;
    }
    parts
}

/// Whether a record begins at a brace behind another one, and no answer with records in it; `next` is the number of the next beginning.
fn is_record(text: &str, at: usize, begins: &[usize], next: usize) -> bool {
    let inside = match begins.get(next) {
        Some(begin) if *begin == at => return true,
        Some(begin) => *begin,
        None => text.len(),
    };
    // It ends before the next one does begin.
    text.get(at..inside)
        .is_some_and(|text| whole(text).is_some())
}

/// Whether a piece has nothing but what stands between records.
fn is_only_between(piece: &[u8]) -> bool {
    piece.iter().all(|b| is_between(*b))
}

fn is_between(b: u8) -> bool {
    is_blank(b) || matches!(b, b',' | b'[' | b']' | b'}')
}

/// White space, what fills a file up, and the mark before each record of a sequence (RFC 7464).
fn is_blank(b: u8) -> bool {
    b.is_ascii_whitespace() || matches!(b, 0 | 0x1a | 0x1e)
}

/// Without what follows a record in its list.
fn trimmed(part: &[u8]) -> &[u8] {
    let blanks = part.iter().rev().take_while(|b| is_blank(**b)).count();
    let part = &part[..part.len() - blanks];
    let part = part.strip_suffix(b"]").unwrap_or(part).trim_ascii_end();
    part.strip_suffix(b",").unwrap_or(part)
}

/// Whether what follows the last record of a list is the rest of the answer: `],"@odata.nextLink":"…"}`; the beginning of the next answer may
/// stand behind it.
fn is_below_records(rest: &[u8]) -> bool {
    if is_only_between(rest) {
        return true;
    }
    let Some(rest) = rest.trim_ascii().strip_prefix(b"]") else {
        return false;
    };
    let rest = rest.trim_ascii();
    let own = match rest.strip_suffix(b"[").map(<[u8]>::trim_ascii_end) {
        Some(head) if head.ends_with(b":") => &head[..memrchr(b'{', head).unwrap_or(head.len())],
        _ => rest,
    };
    let own = own.trim_ascii();
    own.len() <= BELOW && !own.contains(&b'{') && (own.is_empty() || own.ends_with(b"}"))
}

/// Length of the object that a text begins with.
fn whole(text: &str) -> Option<usize> {
    let mut reader = Reader::new(text);
    reader.object().ok()?;
    reader.skip(0).ok()?;
    Some(reader.at())
}

/// The same bytes as text; those that are none are replaced, so that each stands where it did.
fn letters(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    Cow::Owned(text)
}

/// Where the last byte before `at` stands that is no blank.
fn before(bytes: &[u8], at: usize) -> Option<usize> {
    let near = &bytes[at.saturating_sub(MAX_INDENT)..at];
    let blanks = near.iter().rev().take_while(|b| is_blank(**b)).count();
    at.checked_sub(blanks + 1)
}

fn blanks_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let near = rest.iter().take(MAX_INDENT);
    at + near.take_while(|b| is_blank(**b)).count()
}

/// Where the string ends that begins at `at`, behind its last quote.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let near = &bytes[..bytes.len().min(at + BEGINNING)];
    let mut at = at + 1;
    loop {
        let i = memchr2(b'"', b'\\', near.get(at..)?)?;
        if near[at + i] == b'"' {
            return Some(at + i + 1);
        }
        at += i + 2;
    }
}

/// The key after the first one, which ends at `at`; nothing where the value between them is a list or an object.
fn second_key(bytes: &[u8], at: usize) -> Option<&[u8]> {
    /// Bytes of a number or a word.
    const WORD: usize = 64;
    let colon = blanks_end(bytes, at);
    let value = blanks_end(bytes, colon + 1);
    let end = match (bytes.get(colon)?, bytes.get(value)?) {
        (b':', b'"') => string_end(bytes, value)?,
        (b':', b'{' | b'[') => return None,
        (b':', _) => {
            let mut word = bytes[value..].iter().take(WORD);
            value + word.position(|b| matches!(b, b',' | b'}' | b']'))?
        }
        _ => return None,
    };
    let comma = blanks_end(bytes, end);
    if bytes.get(comma) != Some(&b',') {
        return None;
    }
    let key = blanks_end(bytes, comma + 1);
    Some(&bytes[key..string_end(bytes, key)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'t>(text: &'t str, like: &str) -> Vec<&'t str> {
        let begins = begin_like(text.as_bytes(), like.as_bytes());
        let parts = apart(text.as_bytes(), &begins).into_iter();
        parts.map(|(start, end)| &text[start..end]).collect()
    }

    #[test]
    fn records_behind_a_broken_one_are_found() {
        let (a, b) = (r#"{"Id":1,"T":[{"Id":2}]}"#, r#"{"Id":3,"T":4}"#);
        let other = r#"{"X":1}"#;
        for (between, end) in [
            (",", "]"),
            (",\n", "]}"),
            ("\n\u{1e}", "\n"),
            ("", r#"],"next":"x"}"#),
        ] {
            for broken in [
                r#"{"Id":1,"T":2"#,
                r#"{"Id":1,"T":"2"#,
                r#"{"Id":1,"T":[{"Id":2,"#,
            ] {
                let text = format!("{broken},{a}{between}{other}{between}{b}{end}");
                assert_eq!(parts(&text, &text), [broken, a, other, b], "{text}");
            }
        }
        let pages = format!(r#"{{"Id":1,"T":,{a}],"next":"x"}}{{"value":[{b}]}}"#);
        assert_eq!(parts(&pages, b_like()), [r#"{"Id":1,"T":"#, a, b]);
    }

    fn b_like() -> &'static str {
        r#"{ "Id" : "x", "T":1}"#
    }

    #[test]
    fn an_answer_behind_a_broken_one_is_opened() {
        let (a, b) = (r#"{"Id":1,"T":2}"#, r#"{"Id":3,"T":4}"#);
        let text = format!(r#"{{"Id":1,"T":,{a}]}} {{"value":[{b},{a}]}}{{"value":[{b}]}}"#);
        assert_eq!(parts(&text, b_like()), [r#"{"Id":1,"T":"#, a, b, a, b]);
    }

    #[test]
    fn an_error_below_the_records_is_a_part() {
        let text = r#"{"Id":1,"T":,{"Id":2,"T":1}],"e":{"error":1}}"#;
        assert_eq!(parts(text, b_like()).len(), 3);
    }

    #[test]
    fn hostile_text_takes_no_time() {
        let text = r#"{"a":"b","c":["#.repeat(200_000);
        assert!(parts(&text, &text).len() > 100_000);
        let text = r#"[{"a","#.repeat(300_000);
        parts(&text, r#"{"a":1}"#);
    }
}
