//! Texts that are JSON once they are unpacked: in quotes once more, in base64, or behind what a logger wrote before them; and the lists and
//! pages that such a text may be.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};

use super::super::json::{self, Raw};

/// How often a text may be packed.
const TIMES: usize = 4;

/// What may stand before JSON on a line of a log: no longer.
const LONGEST_BEFORE: usize = 1024;

/// With its padding, as every tool writes it.
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD);

/// Base64 of texts that begin as objects and lists do: `{"`, `{` and a blank or a line's end, `[{`, `[` and a blank or a line's end.
const BASE64_BEGINS: [&str; 8] = ["eyJ", "eyA", "ewo", "ew0", "W3s", "WyA", "Wwo", "Ww0"];

/// Keys under which pages of APIs and messages of queues have their records.
const LISTS: [&str; 8] = [
    "records",
    "value",
    "results",
    "events",
    "hits",
    "activityevententities",
    "messages",
    "items",
];

/// The object or list that a text is, however it is packed; nothing where it is none.
pub fn unpacked(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let mut text = text;
    for _ in 0..=TIMES {
        let begin = text.trim_start_matches('\u{feff}').trim_start();
        let next = match *begin.as_bytes().first()? {
            b'{' => return Some(text),
            b'[' if begin[1..].trim_start().starts_with(['{', '"', '[', ']']) => {
                return Some(text);
            }
            b'"' => Raw::of(begin.trim_end()).text()?.into_owned(),
            _ => decoded(begin).or_else(|| behind(begin))?,
        };
        text = Cow::Owned(next);
    }
    None
}

fn decoded(text: &str) -> Option<String> {
    if !BASE64_BEGINS.iter().any(|begin| text.starts_with(begin)) {
        return None;
    }
    // What only looks like base64 is no text.
    let bytes = BASE64.decode(text.trim_end()).ok()?;
    String::from_utf8(bytes).ok()
}

/// The object at the end of a line of a log.
fn behind(text: &str) -> Option<String> {
    let at = memchr::memmem::find(text.as_bytes(), b"{\"")?;
    (at <= LONGEST_BEFORE && text.trim_end().ends_with('}')).then(|| text[at..].to_string())
}

/// The audit record of a text that is packed, or has an `AuditData` of its own; nothing where it is neither.
pub fn audit_record(text: &str) -> Option<String> {
    let mut found: Option<String> = None;
    for _ in 0..TIMES {
        let text = found.as_deref().unwrap_or(text);
        let mut inner = None;
        match unpacked(Cow::Borrowed(text))? {
            Cow::Owned(text) => inner = Some(text),
            Cow::Borrowed(text) => {
                // What is no object holds nothing.
                let _ = json::entries(text, |key, raw| {
                    if matches!(key.as_ref(), "AuditData" | "auditData") {
                        inner = raw.text().map(Cow::into_owned);
                    }
                });
            }
        }
        match inner.filter(|inner| !inner.trim().is_empty()) {
            Some(inner) => found = Some(inner),
            None => break,
        }
    }
    found
}

/// The records of a text that is a list, or the page of an API; nothing where it is neither.
pub fn list(text: &str) -> Option<Vec<Cow<'_, str>>> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('[') {
        let mut out = Vec::new();
        json::elements(text, |_, raw| {
            out.push(raw.text().unwrap_or(Cow::Borrowed("null")));
        })
        .ok()?;
        return Some(out);
    }
    let mut found = None;
    // Where the text breaks off, the members before may be a list.
    let _ = json::entries(text, |key, raw| {
        let Raw::Other(value) = raw else {
            return;
        };
        let key = fold(&key);
        let is_list = value.starts_with('[') || (key == "hits" && value.starts_with('{'));
        if is_list && LISTS.contains(&key.as_str()) {
            found = Some(value);
        }
    });
    list(found?)
}

/// A name by its letters and digits, in lower case: `_source`, `audit_data`, `AuditData`.
pub fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_unpacked_until_they_are_json() {
        let one = r#"{"Id":"1"}"#;
        let quoted = serde_json::to_string(one).expect("a string is JSON");
        let twice = serde_json::to_string(&quoted).expect("a string is JSON");
        for text in [
            one,
            quoted.as_str(),
            twice.as_str(),
            "eyJJZCI6IjEifQ==",
            "<14>1 2026-05-08T00:00:00Z host o365 - - - {\"Id\":\"1\"}",
        ] {
            let found = unpacked(Cow::Borrowed(text));
            assert_eq!(found.as_deref(), Some(one), "{text}");
        }
        for text in [
            "",
            "hello",
            "12",
            "\"",
            "\"hello\"",
            "[05/18/2026 09:13:33] - started",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
            "a {\"b\":1} c",
        ] {
            assert_eq!(unpacked(Cow::Borrowed(text)), None, "{text}");
        }
    }

    #[test]
    fn audit_records_are_found_in_audit_data_of_audit_data() {
        let one = r#"{"Id":"1"}"#;
        let text = |of: &str| serde_json::to_string(of).expect("a string is JSON");
        let inner = format!(r#"{{"RecordType":6,"AuditData":{}}}"#, text(one));
        for packed in [inner.clone(), text(&inner), text(one), text(&text(one))] {
            assert_eq!(audit_record(&packed).as_deref(), Some(one), "{packed}");
        }
        for none in [one, "", "x", r#"{"AuditData":""}"#, r#"{"AuditData":null}"#] {
            assert_eq!(audit_record(none), None, "{none}");
        }
    }

    #[test]
    fn pages_and_lists_are_their_records() {
        for (text, want) in [
            (r#"[{"a":1},"{\"b\":1}",null]"#, 3),
            (r#"{"@odata.context":"x","value":[{"a":1}]}"#, 1),
            (
                r#"{"took":1,"hits":{"total":2,"hits":[{"a":1},{"b":1}]}}"#,
                2,
            ),
            (r#"{"records":[]}"#, 0),
        ] {
            assert_eq!(list(text).map(|l| l.len()), Some(want), "{text}");
        }
        for none in ["{}", r#"{"value":1}"#, r#"{"hits":3}"#, "x", ""] {
            assert_eq!(list(none), None, "{none}");
        }
    }
}
