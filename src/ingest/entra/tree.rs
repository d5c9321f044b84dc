//! Small JSON that is put together from parts, and what PowerShell writes in its place.

use std::collections::BTreeMap;

use super::super::json::{self, Raw};
use crate::text::json::{number, quote};

/// A step below a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A key of an object.
    Key(&'static str),
    /// An element of a list; the numbers only order them.
    Element(usize),
}

/// A value in the making.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// JSON, where it is a value.
    leaf: Option<String>,
    keys: Vec<(&'static str, Node)>,
    elements: BTreeMap<usize, Node>,
}

impl Node {
    /// Puts JSON at the end of a path; says whether the place was free.
    pub(super) fn insert(&mut self, path: &[Step], leaf: String) -> bool {
        let Some((step, rest)) = path.split_first() else {
            let free = self.is_empty();
            if free {
                self.leaf = Some(leaf);
            }
            return free;
        };
        if self.leaf.is_some() {
            return false;
        }
        let next = match step {
            Step::Key(key) => match self.keys.iter().position(|(k, _)| k == key) {
                Some(i) => &mut self.keys[i].1,
                None => {
                    self.keys.push((*key, Node::default()));
                    let last = self.keys.len() - 1;
                    &mut self.keys[last].1
                }
            },
            Step::Element(i) => self.elements.entry(*i).or_default(),
        };
        next.insert(rest, leaf)
    }

    /// Whether nothing was put into it.
    pub(super) fn is_empty(&self) -> bool {
        self.leaf.is_none() && self.keys.is_empty() && self.elements.is_empty()
    }

    /// The value as JSON.
    pub(super) fn json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        if let Some(leaf) = &self.leaf {
            return out.push_str(leaf);
        }
        let list = !self.elements.is_empty();
        out.push(if list { '[' } else { '{' });
        let elements = self.elements.values().map(|node| ("", node));
        let keys = self.keys.iter().map(|(key, node)| (*key, node));
        for (i, (key, node)) in elements.chain(keys.filter(|_| !list)).enumerate() {
            if i > 0 {
                out.push(',');
            }
            if !list {
                quote(key, out);
                out.push(':');
            }
            node.write(out);
        }
        out.push(if list { ']' } else { '}' });
    }
}

/// A text as JSON.
pub(super) fn text(text: &str) -> String {
    let mut out = String::new();
    quote(text, &mut out);
    out
}

/// The JSON of a part, which is a number or a bool where Graph has one; nothing for a code that is none.
pub(super) fn leaf(path: &[Step], value: &str) -> Option<String> {
    let value = value.trim();
    let key = match path.last() {
        Some(Step::Key(key)) => *key,
        _ => "",
    };
    typed(key, value).or_else(|| (key != "errorCode").then(|| text(value)))
}

/// A value as a number or a bool, by the name of its key.
fn typed(key: &str, value: &str) -> Option<String> {
    let lower = value.to_ascii_lowercase();
    match key {
        "errorCode" | "latitude" | "longitude" | "altitude" => {
            number(value).map(|_| value.to_string())
        }
        _ if key.starts_with("is") && matches!(lower.as_str(), "true" | "false") => Some(lower),
        "succeeded" if matches!(lower.as_str(), "true" | "false") => Some(lower),
        _ => None,
    }
}

/// A value as Graph writes it, where PowerShell or an SDK wrote it in another way; nothing where it is as it should be, or cannot be read.
///
/// - `{"ErrorCode":0}`: properties of .NET objects
/// - `{"error_code":0}`: attributes of Python's
/// - `class SignInStatus { … }`: what objects of the AzureAD module print
/// - `@{errorCode=0; failureReason=Other.}`: an object as text
pub(super) fn settled(value: &str) -> Option<String> {
    let value = value.trim();
    if value.starts_with("class ") {
        return printed(value);
    }
    if let Some(inner) = value.strip_prefix("@{").and_then(|v| v.strip_suffix('}')) {
        return Some(as_text(inner));
    }
    if value.starts_with('[') && (value.contains("\"class ") || value.contains("\"@{")) {
        return each(value);
    }
    if !value.starts_with(['[', '{']) || !(begins_pascal(value) || has_snake_key(value)) {
        return None;
    }
    let mut out = String::with_capacity(value.len());
    camel(Raw::of(value), false, &mut out)?;
    Some(out)
}

/// Whether the first key of JSON begins with a capital letter.
fn begins_pascal(value: &str) -> bool {
    value
        .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '[' | '{'))
        .strip_prefix('"')
        .filter(|first| first.starts_with(|c: char| c.is_ascii_uppercase()))
        .and_then(|first| first.split('"').nth(1))
        .is_some_and(|rest| rest.trim_start().starts_with(':'))
}

/// Whether a key of JSON is words joined by `_`. The first key alone does not tell: `city` stands before `country_or_region`.
fn has_snake_key(value: &str) -> bool {
    let bytes = value.as_bytes();
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let mut from = 0;
    while let Some(i) = memchr::memchr(b'_', &bytes[from..]) {
        let at = from + i;
        let before = bytes[from..at].iter().rev().take_while(|b| is_word(**b));
        let start = at - before.count();
        let end = at + bytes[at..].iter().take_while(|b| is_word(**b)).count();
        from = end;
        let (before, behind) = (&bytes[..start], &bytes[end..]);
        // In a text that is JSON itself the marks are escaped.
        if before.ends_with(b"\"")
            && !before.ends_with(b"\\\"")
            && let Some(rest) = behind.strip_prefix(b"\"")
            && rest.trim_ascii_start().starts_with(b":")
            && is_snake(&value[start..end])
        {
            return true;
        }
    }
    false
}

/// Whether a text is words in lower case joined by `_`.
pub(super) fn is_snake(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.contains('_')
        && text.split('_').all(|word| {
            let mut letters = word.bytes();
            !word.is_empty() && letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

/// `at_risk` → `atRisk`
fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, word) in text.split('_').enumerate() {
        let mut letters = word.chars();
        let first = letters.next().filter(|_| i > 0);
        match first {
            Some(first) => {
                out.push(first.to_ascii_uppercase());
                out.push_str(letters.as_str());
            }
            None => out.push_str(word),
        }
    }
    out
}

/// A word of Graph's, or a list of them, where an SDK joined its parts by `_`; nothing where it did not.
pub(super) fn word(value: &str) -> Option<String> {
    let value = value.trim();
    if is_snake(value) {
        return Some(joined(value));
    }
    if !value.starts_with('[') || !value.contains('_') {
        return None;
    }
    let mut out = String::with_capacity(value.len());
    camel(Raw::of(value), true, &mut out)?;
    Some(out)
}

/// A list with objects in it that are texts; nothing where it has none.
fn each(list: &str) -> Option<String> {
    let mut out = String::from("[");
    let (mut any, mut good) = (false, true);
    json::elements(list, |i, raw| {
        if i > 0 {
            out.push(',');
        }
        let text = match raw {
            Raw::Text { .. } => raw.text(),
            _ => None,
        };
        match text.and_then(|text| settled(&text)) {
            Some(json) => {
                any = true;
                out.push_str(&json);
            }
            None => good &= camel(raw, false, &mut out).is_some(),
        }
    })
    .ok()?;
    out.push(']');
    (any && good).then_some(out)
}

/// Keys whose values are words of Graph's and no names that people give.
const CODED: [&str; 12] = [
    "conditionsNotSatisfied",
    "conditionsSatisfied",
    "errorCategory",
    "groupType",
    "identityType",
    "initiatorType",
    "msiType",
    "networkType",
    "provisioningStepType",
    "result",
    "signInSessionStatus",
    "status",
];

/// Writes a value with keys as Graph has them; `coded` if its texts are words of Graph's. Nothing where it is no JSON. The reader limits
/// the depth.
fn camel(raw: Raw<'_>, coded: bool, out: &mut String) -> Option<()> {
    let Raw::Other(json) = raw else {
        match raw {
            Raw::Text { inner, .. } => {
                out.push('"');
                match coded && is_snake(inner) {
                    true => out.push_str(&joined(inner)),
                    false => out.push_str(inner),
                }
                out.push('"');
            }
            _ => out.push_str("null"),
        }
        return Some(());
    };
    let mut good = true;
    let mut first = true;
    let read = if json.starts_with('{') {
        out.push('{');
        let read = json::entries(json, |key, raw| {
            if is_of_the_sdk(&key, raw) {
                return;
            }
            if !first {
                out.push(',');
            }
            first = false;
            let key = graph_key(&key);
            quote(&key, out);
            out.push(':');
            good &= camel(raw, CODED.contains(&key.as_str()), out).is_some();
        });
        out.push('}');
        read
    } else if json.starts_with('[') {
        out.push('[');
        let read = json::elements(json, |i, raw| {
            if i > 0 {
                out.push(',');
            }
            good &= camel(raw, coded, out).is_some();
        });
        out.push(']');
        read
    } else {
        out.push_str(json);
        return Some(());
    };
    (good && read.is_ok()).then_some(())
}

/// A key as Graph has it.
fn graph_key(key: &str) -> String {
    if is_snake(key) {
        return joined(key);
    }
    let mut letters = key.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// Whether an SDK adds this to every object.
fn is_of_the_sdk(key: &str, raw: Raw<'_>) -> bool {
    match key {
        "AdditionalProperties" | "additional_data" => is_empty_object(raw),
        "odata_type" => matches!(raw, Raw::Null),
        _ => false,
    }
}

fn is_empty_object(raw: Raw<'_>) -> bool {
    let inner = match raw {
        Raw::Other(json) => json.strip_prefix('{').and_then(|j| j.strip_suffix('}')),
        _ => None,
    };
    inner.is_some_and(|inner| inner.trim().is_empty())
}

/// `errorCode=0; failureReason=Other.` as an object.
fn as_text(inner: &str) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for piece in inner.split("; ") {
        let pair = piece
            .split_once('=')
            .filter(|(key, _)| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric()));
        match (pair, pairs.last_mut()) {
            (Some((key, value)), _) => pairs.push((key, value.to_string())),
            // A value may have the mark in it.
            (None, Some((_, value))) => {
                value.push_str("; ");
                value.push_str(piece);
            }
            (None, None) => pairs.push(("text", piece.to_string())),
        }
    }
    let pairs = pairs.iter().map(|(key, value)| (*key, value.as_str()));
    let mut out = String::from("{");
    for (key, value) in pairs {
        pair(key, value, &mut out);
    }
    out.push('}');
    out
}

/// `class SignInStatus { … }`, a member a line, as an object; nothing where its braces do not add up.
fn printed(value: &str) -> Option<String> {
    let mut out = String::new();
    let mut depth = 0usize;
    for line in value.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if line == "}" {
            depth = depth.checked_sub(1)?;
            out.push('}');
        } else if depth == 0 {
            if !line.ends_with('{') || !out.is_empty() {
                return None;
            }
            depth = 1;
            out.push('{');
        } else {
            let (key, inner) = line.split_once(':')?;
            let inner = inner.trim();
            if inner.starts_with("class ") && inner.ends_with('{') {
                begin(key.trim(), &mut out);
                out.push('{');
                depth += 1;
            } else {
                pair(key.trim(), inner, &mut out);
            }
        }
    }
    // Deeper than that is no object of the module.
    (depth == 0 && json::entries(&out, |_, _| {}).is_ok()).then_some(out)
}

/// Writes a key that begins in lower case, and what stands before it.
fn begin(key: &str, out: &mut String) -> String {
    if !out.ends_with('{') {
        out.push(',');
    }
    let key = graph_key(key);
    quote(&key, out);
    out.push(':');
    key
}

fn pair(key: &str, value: &str, out: &mut String) {
    let key = begin(key, out);
    match typed(&key, value) {
        Some(json) => out.push_str(&json),
        None if value.is_empty() => out.push_str("null"),
        None => quote(value, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_powershell_writes_is_what_graph_writes() {
        for (written, want) in [
            (
                r#"{"ErrorCode":50126,"FailureReason":"A\"b","AdditionalProperties":{}}"#,
                r#"{"errorCode":50126,"failureReason":"A\"b"}"#,
            ),
            (
                r#"[{"DisplayName":null,"ModifiedProperties":[{"NewValue":"x","Is":true}]}]"#,
                r#"[{"displayName":null,"modifiedProperties":[{"newValue":"x","is":true}]}]"#,
            ),
            (
                "class SignInStatus {\n  ErrorCode: 0\n  FailureReason: \n  AdditionalDetails: MFA: done\n}\n",
                r#"{"errorCode":0,"failureReason":null,"additionalDetails":"MFA: done"}"#,
            ),
            (
                "class SignInLocation {\r\n  City: Bern\r\n  GeoCoordinates: class GeoCoordinates {\r\n  Latitude: 46.9\r\n}\r\n\r\n}",
                r#"{"city":"Bern","geoCoordinates":{"latitude":46.9}}"#,
            ),
            (
                r#"["class NetworkLocation {\n  NetworkType: trusted\n  Names: \n}\n","x"]"#,
                r#"[{"networkType":"trusted","names":null},"x"]"#,
            ),
            (
                r#"["@{id=t1; type=User}"]"#,
                r#"[{"id":"t1","type":"User"}]"#,
            ),
            (
                "@{city=Bern; countryOrRegion=CH; note=a; b; geoCoordinates=}",
                r#"{"city":"Bern","countryOrRegion":"CH","note":"a; b","geoCoordinates":null}"#,
            ),
            (
                r#"{"city":"a_b","country_or_region":"CH","additional_data":{},"odata_type":null}"#,
                r#"{"city":"a_b","countryOrRegion":"CH"}"#,
            ),
            (
                r#"[{"id":"p","display_name":"block_all","result":"not_applied"}]"#,
                r#"[{"id":"p","displayName":"block_all","result":"notApplied"}]"#,
            ),
        ] {
            assert_eq!(settled(written).as_deref(), Some(want), "{written}");
        }
        for fine in [
            "",
            "CH",
            r#"{"errorCode":0}"#,
            r#"[{"key":"A","value":"B"}]"#,
            r#"["Mfa"]"#,
            r#"{"value":"a_b","other":"{\"c_d\":1}"}"#,
            r#"{"a":1,"A_b":1,"_c":2,"d_":3,"e__f":4}"#,
            "class X {\n  A: 1",
            "class X {\n}\n}",
            r#"{"Error"#,
            r#"{"Error":}"#,
        ] {
            assert_eq!(settled(fine), None, "{fine}");
        }
    }

    #[test]
    fn words_joined_by_a_line_are_graph_s() {
        for (written, want) in [
            ("at_risk", Some("atRisk")),
            (
                r#"["non_interactive_user", "other"]"#,
                Some(r#"["nonInteractiveUser","other"]"#),
            ),
            ("atRisk", None),
            ("At_risk", None),
            ("at_", None),
            (r#"["atRisk"]"#, None),
            ("[a_b", None),
        ] {
            assert_eq!(word(written).as_deref(), want, "{written}");
        }
    }

    #[test]
    fn parts_become_one_value() {
        let mut node = Node::default();
        let path = |target, property, key| {
            [
                Step::Element(target),
                Step::Key("modifiedProperties"),
                Step::Element(property),
                Step::Key(key),
            ]
        };
        assert!(node.insert(&[Step::Element(3), Step::Key("id")], text("b")));
        assert!(node.insert(&path(1, 2, "newValue"), text("\"y\"")));
        assert!(node.insert(&path(1, 1, "displayName"), text("x")));
        assert!(!node.insert(&path(1, 1, "displayName"), text("z")));
        assert!(!node.insert(&[Step::Element(1)], text("z")));
        assert_eq!(
            node.json(),
            r#"[{"modifiedProperties":[{"displayName":"x"},{"newValue":"\"y\""}]},{"id":"b"}]"#
        );
    }
}
