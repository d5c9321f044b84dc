//! JSON that was damaged on its way through a tool, made whole where it can mean one thing only: escaped once too often, with its quotes
//! doubled, as HTML or as typographers write them, or as a value of Python or JavaScript.
//!
//! What was cut off is not made up: a record that ends in the middle stays broken.

use super::python;
use crate::text::json::{self as plain, Raw, Reader};

/// What is said of records that were mended.
pub const MENDED: &str =
    "records are not JSON as they stand (quotes, commas or escapes): read as what they mean";

/// Damages of one text that are undone, one after the other.
const STEPS: usize = 4;

/// The object that a damaged text means; nothing where it is whole, or where it may mean several things.
pub fn object(text: &str) -> Option<String> {
    match plain::strict(text) {
        Some(whole) if whole.trim_start().starts_with('{') => None,
        _ => step(text, 0),
    }
}

fn step(text: &str, steps: usize) -> Option<String> {
    if steps > STEPS {
        return None;
    }
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if text.starts_with('{')
        && let Some(json) = plain::strict(text)
    {
        return Some(json.into_owned());
    }
    if let Some(one) = only_one(text) {
        return step(one, steps + 1);
    }
    if let Some(next) = undone(text) {
        return step(&next, steps + 1);
    }
    let json = python::json(text)?;
    match json.starts_with('{') {
        true => Some(json),
        false => only_one(&json).map(str::to_string),
    }
}

/// The only object of a list.
fn only_one(text: &str) -> Option<&str> {
    if !text.starts_with('[') {
        return None;
    }
    let mut reader = Reader::new(text);
    let (mut one, mut count) = (None, 0);
    reader
        .elements(0, |reader, _| {
            count += 1;
            one = Some(reader.raw(1)?);
            Ok(())
        })
        .ok()?;
    reader.end().ok()?;
    match one? {
        Raw::Other(object) if count == 1 && object.starts_with('{') => Some(object),
        _ => None,
    }
}

/// The text before the damage that its beginning shows.
fn undone(text: &str) -> Option<String> {
    const QUOTES: [char; 4] = ['“', '”', '„', '‟'];
    let around: &[char] = &['\'', '`', '“', '”'];
    let inner = text
        .strip_prefix(around)
        .and_then(|inner| inner.strip_suffix(around))
        .filter(|inner| inner.starts_with('{'));
    if let Some(inner) = inner {
        return Some(inner.to_string());
    }
    // What stands behind the first bracket.
    let first = text.trim_start_matches(['[', '{', ' ']);
    if text.starts_with('"') {
        return Raw::of(text)
            .text()
            .map(|inner| inner.into_owned())
            .filter(|inner| inner.trim_start().starts_with(['{', '[', '"']));
    }
    if ["&quot;", "&#34;", "&#x22;"]
        .iter()
        .any(|q| first.starts_with(q))
        || text.starts_with("&#123;")
    {
        return Some(from_html(text));
    }
    if !text.starts_with(['{', '[']) {
        return None;
    }
    if first.starts_with("\"\"") {
        return Some(text.replace("\"\"", "\""));
    }
    if first.starts_with("\\\"") {
        return Some(plain::unescape(text));
    }
    first
        .starts_with(QUOTES)
        .then(|| text.replace(QUOTES, "\""))
}

/// Without the names of characters that JSON needs; `&` last, so that nothing is undone twice.
fn from_html(text: &str) -> String {
    const NAMES: [(&[&str], &str); 8] = [
        (&["&quot;", "&#34;", "&#x22;"], "\""),
        (&["&#39;", "&#039;", "&#x27;", "&apos;"], "'"),
        (&["&#123;"], "{"),
        (&["&#125;"], "}"),
        (&["&lt;", "&#60;", "&#x3c;"], "<"),
        (&["&gt;", "&#62;", "&#x3e;"], ">"),
        (&["&nbsp;", "&#160;"], "\u{a0}"),
        (&["&amp;", "&#38;", "&#x26;"], "&"),
    ];
    let mut out = text.to_string();
    for (names, mark) in NAMES {
        for name in names {
            out = out.replace(*name, mark);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damages_of_one_meaning_are_undone() {
        let whole = r#"{"Id":"a","B":[1,{"C":"x \"y\""}]}"#;
        let string = |text: &str| serde_json::to_string(text).expect("a string is JSON");
        for damaged in [
            string(whole),
            string(&string(whole)),
            whole.replace('\\', r"\\").replace('"', r#"\""#),
            whole.replace('"', r#""""#),
            whole.replace('"', "&quot;"),
            whole.replace('"', "&#34;"),
            format!("[{whole}]"),
            format!("'{whole}'"),
            format!("\u{a0}{whole}\u{feff}"),
        ] {
            assert_eq!(object(&damaged).as_deref(), Some(whole), "{damaged}");
        }
        for (damaged, want) in [
            ("{“Id”:“a”}", r#"{"Id":"a"}"#),
            ("“{“Id”:“a”}”", r#"{"Id":"a"}"#),
            ("{'Id': 'a', 'B': True,}", r#"{"Id":"a","B":true}"#),
            (r#"{"Id":"a","B":NaN,}"#, r#"{"Id":"a","B":"NaN"}"#),
            (r#"{/* x */Id: "a"}"#, r#"{"Id":"a"}"#),
        ] {
            assert_eq!(object(damaged).as_deref(), Some(want), "{damaged}");
        }
    }

    #[test]
    fn what_is_whole_cut_off_or_several_is_left_alone() {
        for text in [
            "",
            "{}",
            r#"{"Id":"a"}"#,
            r#"{"Id":"a","B":"#,
            r#"{"Id":"a"}{"Id":"b"}"#,
            r#"[{"Id":"a"},{"Id":"b"}]"#,
            "plain",
            "\"plain\"",
            "[1]",
        ] {
            assert_eq!(object(text), None, "{text}");
        }
    }
}
