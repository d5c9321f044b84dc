//! JSON text ↔ [`Json`].
//!
//! Kusto keeps a `datetime`, `timespan` or `guid` inside of a `dynamic`, and JSON has none. Between the steps of a query they are
//! kept in *stored text*: that is JSON text in which they are strings that begin with [`MARK`], as it is, without an escape. No
//! text that is printed has this, and text from elsewhere loses it in [`Json::as_stored`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::calendar::MAX_DATETIME_TICKS;
use super::compact::is_compact;
use super::scalar::{Json, Value};
use super::show::{show_datetime, show_guid, show_real, show_timespan};
use crate::text::json::{Fault, Number, Reader, find, number, plain, quote};

pub use crate::text::json::Place;

/// Begins the string of a value that JSON does not have, in stored text only.
const MARK: char = '\u{1}';
/// So many keys of a bag are searched one by one.
const FEW_KEYS: usize = 16;

impl Json {
    /// Reads JSON; nothing where the text is none. Numbers that fit neither into a `long` nor into a `real` keep their text.
    pub fn parse(text: &str) -> Option<Json> {
        tree(text, Source::Foreign)
    }

    /// Reads stored text; nothing where the text is none.
    pub fn from_stored(text: &str) -> Option<Json> {
        tree(text, Source::Stored)
    }

    /// Reads what [`Json::find`] found in stored text. Inside of an object a string may be odd that is none by itself.
    pub fn part(text: &str) -> Option<Json> {
        tree(text, Source::Part)
    }

    /// Its stored text, which [`Json::from_stored`] reads; that of [`Json::text`] where it holds nothing that JSON does not have.
    pub fn stored_text(&self) -> String {
        let mut text = String::new();
        write(self, Form::Stored, &mut text);
        text
    }

    /// JSON text from elsewhere as stored text. It is nearly always the same.
    pub fn as_stored(text: &str) -> Cow<'_, str> {
        if memchr::memchr(MARK as u8, text.as_bytes()).is_none() {
            return Cow::Borrowed(text);
        }
        let json = Json::parse(text).unwrap_or_else(|| Json::String(text.into()));
        Cow::Owned(json.stored_text())
    }

    /// What a path leads to in JSON text, or in stored text: as [`Json::parse`] and then step by step, but nothing else is made. Nothing where the
    /// text is no JSON or has no such place. [`Json::part`] reads it.
    pub fn find<'t>(text: &'t str, path: &[Place]) -> Option<&'t str> {
        find(text, path)
    }

    /// JSON text or stored text as [`Json::text`] prints it; text that is no JSON as a JSON string.
    pub fn compact(text: &str) -> Cow<'_, str> {
        compact(text, Json::from_stored, Json::text)
    }

    /// The same as stored text, as [`Json::stored_text`] gives it.
    pub fn compact_stored(text: &str) -> Cow<'_, str> {
        compact(text, Json::from_stored, Json::stored_text)
    }

    /// The same of what [`Json::find`] found.
    pub fn compact_part(text: &str) -> Cow<'_, str> {
        compact(text, Json::part, Json::stored_text)
    }

    /// Its JSON text as Kusto prints it: compact, keys in their order.
    pub fn text(&self) -> String {
        let mut text = String::new();
        write(self, Form::Plain, &mut text);
        text
    }

    /// Its JSON text with the keys of every bag in order, as `dynamic_to_json` gives it: equal for equal values.
    pub fn canonical_text(&self) -> String {
        let mut text = String::new();
        write(self, Form::Sorted, &mut text);
        text
    }

    /// What `tostring` gives: the text itself of a string, JSON of all else; nothing of null.
    pub fn show(&self) -> String {
        match self {
            Json::Null => String::new(),
            Json::String(text) => text.to_string(),
            Json::DateTime(ticks) => show_datetime(*ticks),
            Json::Timespan(ticks) => show_timespan(*ticks),
            Json::Guid(guid) => show_guid(*guid),
            other => other.text(),
        }
    }

    /// The scalar as a value of `dynamic`.
    pub fn from_value(value: &Value) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::Long(i64::from(*value)),
            Value::Long(value) => Json::Long(*value),
            Value::Real(value) => Json::Real(*value),
            // Kusto keeps a decimal in a dynamic as its text.
            Value::Decimal(_) => Json::String(value.show().into()),
            Value::String(text) => Json::String(Arc::clone(text)),
            Value::DateTime(ticks) => Json::DateTime(*ticks),
            Value::Timespan(ticks) => Json::Timespan(*ticks),
            Value::Guid(guid) => Json::Guid(*guid),
            Value::Dynamic(json) => (**json).clone(),
        }
    }

    /// Kusto's name for what it is: `array`, `dictionary`, `long`, …
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "bool",
            Json::Long(_) => "long",
            Json::Real(_) | Json::Big(_) => "double",
            Json::String(_) => "string",
            Json::DateTime(_) => "datetime",
            Json::Timespan(_) => "timespan",
            Json::Guid(_) => "guid",
            Json::Array(_) => "array",
            Json::Bag(_) => "dictionary",
        }
    }
}

/// The value that stored text has as this string.
fn unmarked(text: &str) -> Option<Json> {
    let (kind, value) = text.strip_prefix(MARK)?.split_at_checked(1)?;
    match kind {
        "d" => {
            let ticks = value.parse().ok()?;
            (0..=MAX_DATETIME_TICKS)
                .contains(&ticks)
                .then_some(Json::DateTime(ticks))
        }
        "t" => value.parse().ok().map(Json::Timespan),
        "g" => u128::from_str_radix(value, 16).ok().map(Json::Guid),
        _ => None,
    }
}

fn compact(text: &str, read: fn(&str) -> Option<Json>, write: fn(&Json) -> String) -> Cow<'_, str> {
    // Text with a mark is not compact.
    match is_compact(text) {
        true => Cow::Borrowed(text),
        false => match read(text) {
            Some(json) => Cow::Owned(write(&json)),
            None => Cow::Owned(write(&Json::String(text.into()))),
        },
    }
}

/// How JSON is written.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// As Kusto prints it.
    Plain,
    /// The same, keys in order.
    Sorted,
    /// As stored text.
    Stored,
}

fn write(json: &Json, form: Form, text: &mut String) {
    // Writing into a `String` cannot fail.
    match json {
        Json::DateTime(ticks) if form == Form::Stored => {
            let _ = write!(text, "\"{MARK}d{ticks}\"");
        }
        Json::Timespan(ticks) if form == Form::Stored => {
            let _ = write!(text, "\"{MARK}t{ticks}\"");
        }
        Json::Guid(guid) if form == Form::Stored => {
            let _ = write!(text, "\"{MARK}g{guid:x}\"");
        }
        Json::Null => text.push_str("null"),
        Json::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Json::Long(value) => {
            let _ = write!(text, "{value}");
        }
        Json::Real(value) if value.is_finite() => text.push_str(&show_real(*value)),
        Json::Real(value) => quote(&show_real(*value), text),
        Json::Big(number) => text.push_str(number),
        Json::String(value) => quote(value, text),
        Json::DateTime(ticks) => quote(&show_datetime(*ticks), text),
        Json::Timespan(ticks) => quote(&show_timespan(*ticks), text),
        Json::Guid(guid) => quote(&show_guid(*guid), text),
        Json::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                write(item, form, text);
            }
            text.push(']');
        }
        Json::Bag(properties) => {
            let mut order: Vec<_> = properties.iter().collect();
            if form == Form::Sorted {
                order.sort_by(|a, b| a.0.cmp(&b.0));
            }
            text.push('{');
            for (i, (key, value)) in order.into_iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                quote(key, text);
                text.push(':');
                write(value, form, text);
            }
            text.push('}');
        }
    }
}

/// Where text comes from.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    /// From elsewhere.
    Foreign,
    /// It was stored: strings that begin with [`MARK`] are other values.
    Stored,
    /// A part of what was stored.
    Part,
}

fn tree(text: &str, source: Source) -> Option<Json> {
    let mut reader = Reader::new(text);
    if source != Source::Part && reader.is_odd_string() {
        return None;
    }
    let json = value(&mut reader, 0, source).ok()?;
    reader.end().ok()?;
    Some(json)
}

fn value(reader: &mut Reader<'_>, depth: usize, source: Source) -> Result<Json, Fault> {
    Ok(match reader.peek() {
        Some(b'{') => bag(reader, depth, source)?,
        Some(b'[') => {
            let mut items = Vec::new();
            reader.elements(depth, |reader, _| {
                items.push(value(reader, depth + 1, source)?);
                Ok(())
            })?;
            Json::Array(items)
        }
        Some(b'"') => {
            let (inner, escaped) = reader.string()?;
            let text = plain(inner, escaped);
            // Where nothing known stands behind a mark, it is a string like others, so that no text from elsewhere keeps what stands
            // around it from being read.
            let marked = source != Source::Foreign && inner.starts_with(MARK);
            match marked.then(|| unmarked(&text)).flatten() {
                Some(other) => other,
                None => Json::String(text.into()),
            }
        }
        _ => match reader.word()? {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            word => match number(word) {
                Some(Number::Long(value)) => Json::Long(value),
                Some(Number::Real(value)) => Json::Real(value),
                Some(Number::Big) | None => Json::Big(word.into()),
            },
        },
    })
}

fn bag(reader: &mut Reader<'_>, depth: usize, source: Source) -> Result<Json, Fault> {
    let mut properties: Vec<(Arc<str>, Json)> = Vec::new();
    // A key that stands there twice has its last value. Beyond a few keys, finding it needs an index.
    let mut index: HashMap<Arc<str>, usize> = HashMap::new();
    reader.members(depth, |reader, key, escaped| {
        let key: Arc<str> = plain(key, escaped).into();
        let value = value(reader, depth + 1, source)?;
        if properties.len() == FEW_KEYS {
            let keys = properties.iter().enumerate();
            index.extend(keys.map(|(at, (key, _))| (Arc::clone(key), at)));
        }
        let known = match properties.len() < FEW_KEYS {
            true => properties.iter().position(|(other, _)| *other == key),
            false => index.get(&key).copied(),
        };
        match known.and_then(|at| properties.get_mut(at)) {
            Some(property) => property.1 = value,
            None => {
                if properties.len() >= FEW_KEYS {
                    index.insert(Arc::clone(&key), properties.len());
                }
                properties.push((key, value));
            }
        }
        Ok(())
    })?;
    Ok(Json::Bag(properties))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> Option<String> {
        Json::parse(text).map(|json| json.text())
    }

    #[test]
    fn json_is_printed_compactly_in_its_order() {
        let text = r#" { "b" : [1, 1.0, -2.5e3, true, null, "a\"\u00e9\n"], "a":{} } "#;
        let expected = r#"{"b":[1,1.0,-2500.0,true,null,"a\"é\n"],"a":{}}"#;
        assert_eq!(again(text).as_deref(), Some(expected));
        assert_eq!(
            again(r#"{"a":1,"b":2,"a":3}"#).as_deref(),
            Some(r#"{"a":3,"b":2}"#)
        );
        for big in ["9223372036854775808", "-1e400", "1e-400"] {
            assert_eq!(Json::parse(big), Some(Json::Big(big.into())));
            assert_eq!(again(&format!("[ {big}]")), Some(format!("[{big}]")));
        }
        assert_eq!(
            again(r#""\ud83d\ude00\ud83dx""#).as_deref(),
            Some("\"😀\u{fffd}x\"")
        );
    }

    #[test]
    fn stored_text_keeps_what_json_does_not_have() {
        let values = [
            Json::DateTime(0),
            Json::DateTime(super::super::MAX_DATETIME_TICKS),
            Json::Timespan(i64::MIN),
            Json::Guid(u128::MAX),
            Json::Guid(0),
            Json::String("\u{1}t5".into()),
            Json::String("\u{1}".into()),
            Json::String("1.00:00:00".into()),
            Json::Null,
        ];
        let bag = Json::Bag(vec![("\u{1}d1".into(), Json::Array(values.to_vec()))]);
        for json in values.iter().chain([&bag]) {
            let text = json.stored_text();
            assert_eq!(Json::from_stored(&text).as_ref(), Some(json), "{text}");
            assert_eq!(Json::compact(&text), json.text());
            assert_eq!(Json::compact_stored(&text), text);
            // Printed text has no marks.
            let printed = json.text();
            assert_eq!(printed.find(MARK), None);
            assert_eq!(Json::from_stored(&printed), Json::parse(&printed));
        }
        let path = [Place::Member("\u{1}d1".into()), Place::Element(2)];
        let text = bag.stored_text();
        let found = Json::find(&text, &path).and_then(Json::from_stored);
        assert_eq!(found, Some(Json::Timespan(i64::MIN)));
    }

    #[test]
    fn text_from_elsewhere_has_no_marks() {
        for text in [
            "[\"\u{1}t5\"]",
            "[\"\\u0001t5\"]",
            "{\"\u{1}t5\":\"a\u{1}\"}",
            "\"\u{1}x\"",
            "no json \u{1}t5",
            "[1]",
            "",
        ] {
            let stored = Json::as_stored(text);
            let plain = Json::parse(text).or((!text.is_empty()).then(|| Json::String(text.into())));
            assert_eq!(Json::from_stored(&stored), plain, "{text}");
        }
        for odd in ["\u{1}t", "\u{1}é", "\u{1}d1.5", "\u{1}d-1", "\u{1}"] {
            let text = Json::from_stored(&format!("[\"{odd}\"]"));
            assert_eq!(text, Some(Json::Array(vec![Json::String(odd.into())])));
        }
        assert_eq!(Json::from_stored("\"\u{1}"), None);
    }

    #[test]
    fn a_path_is_found_as_in_the_tree() {
        let texts = [
            r#"{"a":{"b":[1, {"c":"x\"y"}, 3], "b2":null}, "\u0061d":1, "a":{"b":[4,5]}}"#,
            r#" { "b" : [ 1.50 , "t" ] } "#,
            r#"{"a":1,}"#,
            r#"[{"a":[]},{"a":{}}]"#,
            "[1] 2",
            r#""a""#,
            "{\"a\":\"x\ty\"}",
        ];
        let steps = [
            Place::Member("a".into()),
            Place::Member("b".into()),
            Place::Member("ad".into()),
            Place::Element(0),
            Place::Element(1),
            Place::Element(-1),
            Place::Element(i64::MIN),
        ];
        let mut found = 0;
        for text in texts {
            for first in &steps {
                for second in &steps {
                    for path in [vec![], vec![first], vec![first, second]] {
                        let whole = Json::parse(text);
                        let mut want = whole.as_ref();
                        for place in &path {
                            want = want.and_then(|json| match place {
                                Place::Member(name) => json.member(name),
                                Place::Element(at) => json.element(*at),
                            });
                        }
                        let path: Vec<Place> = path.into_iter().cloned().collect();
                        let got = Json::find(text, &path);
                        found += usize::from(got.is_some());
                        assert_eq!(got.and_then(Json::parse).as_ref(), want, "{text} {path:?}");
                    }
                }
            }
        }
        assert!(found > 100, "{found}");
    }

    #[test]
    fn a_record_with_an_odd_string_is_read_and_an_odd_string_is_none() {
        let path = r#"{"a":["C:\Users\bob"]}"#;
        let whole = r#"{"a":["C:\\Users\\bob"]}"#;
        assert_eq!(again(path).as_deref(), Some(whole));
        assert_eq!(Json::compact(path), whole);
        let place = [Place::Member("a".into()), Place::Element(-1)];
        let found = Json::find(path, &place).unwrap_or_default();
        assert_eq!(found, r#""C:\Users\bob""#);
        assert_eq!(Json::from_stored(found), None);
        assert_eq!(
            Json::part(found),
            Some(Json::String(r"C:\Users\bob".into()))
        );
        assert_eq!(Json::compact_part(found), r#""C:\\Users\\bob""#);
        assert_eq!(again("\u{feff}{}").as_deref(), Some("{}"));
        assert_eq!(Json::parse("\u{feff}1"), None);
    }

    #[test]
    fn compact_text_is_that_of_the_tree() {
        for text in [
            r#"{"a":[1,2.5,true,null,"x y"],"b":{}}"#,
            r#"{ "a" : 1 }"#,
            r#"{"a":1.50}"#,
            r#"["\u0061","\/","é\n"]"#,
            "[1e3]",
            "-0",
            r#"{"a":1,"a":2}"#,
            "7",
        ] {
            let tree = Json::parse(text).map(|json| json.text());
            assert_eq!(Some(&*Json::compact(text)), tree.as_deref(), "{text}");
        }
        assert_eq!(Json::compact("no json"), "\"no json\"");
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in [
            "", "{", "[1,]", "01", "1.", "nul", "\"a", "{\"a\"}", "[1] 2", "\"\\x\"", "'a'",
        ] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
        assert_eq!(Json::parse(&"[".repeat(100_000)), None);
    }
}
