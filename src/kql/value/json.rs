//! JSON text ↔ [`Json`].
//!
//! Kusto keeps a `datetime`, `timespan` or `guid` inside of a `dynamic`, and JSON has none. Between the steps of a query they are
//! kept in *stored text*: that is JSON text in which they are strings that begin with [`MARK`], as it is, without an escape. No
//! text that is printed has this, and text from elsewhere loses it in [`Json::as_stored`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::compact::is_compact;
use super::show::{show_datetime, show_guid, show_real, show_timespan};
use super::{Json, MAX_DATETIME_TICKS, Value};

/// How deep JSON may nest; deeper text is none.
const MAX_DEPTH: usize = 128;
/// Begins the string of a value that JSON does not have, in stored text only.
const MARK: char = '\u{1}';
/// So many keys of a bag are searched one by one.
const FEW_KEYS: usize = 16;

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A property.
    Member(Arc<str>),
    /// An element, from the end where it is negative.
    Element(i64),
}

impl Json {
    /// Reads JSON; nothing where the text is none. Numbers that do not fit into a `long` are `real`.
    pub fn parse(text: &str) -> Option<Json> {
        let mut reader = Reader::new(text);
        let json = reader.value(MAX_DEPTH)?;
        reader.blanks();
        (reader.at == text.len()).then_some(json)
    }

    /// Reads stored text; nothing where the text is none.
    pub fn from_stored(text: &str) -> Option<Json> {
        let mut reader = Reader {
            stored: true,
            ..Reader::new(text)
        };
        let json = reader.value(MAX_DEPTH)?;
        reader.blanks();
        (reader.at == text.len()).then_some(json)
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
    /// text is no JSON or has no such place.
    pub fn find<'t>(text: &'t str, path: &[Place]) -> Option<&'t str> {
        let mut reader = Reader::new(text);
        let (mut start, mut end) = reader.pass()?;
        reader.blanks();
        if reader.at != text.len() {
            return None;
        }
        for place in path {
            let inner = text.get(start..end)?;
            let (from, to) = Reader::new(inner).place(place)?;
            (start, end) = (start + from, start + to);
        }
        text.get(start..end)
    }

    /// JSON text or stored text as [`Json::text`] prints it; text that is no JSON as a JSON string.
    pub fn compact(text: &str) -> Cow<'_, str> {
        compact(text, Json::text)
    }

    /// The same as stored text, as [`Json::stored_text`] gives it.
    pub fn compact_stored(text: &str) -> Cow<'_, str> {
        compact(text, Json::stored_text)
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
            Json::Real(_) => "double",
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

fn compact(text: &str, write: fn(&Json) -> String) -> Cow<'_, str> {
    // Text with a mark is not compact.
    match is_compact(text) {
        true => Cow::Borrowed(text),
        false => match Json::from_stored(text) {
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
        Json::Real(value) => write_string(&show_real(*value), text),
        Json::String(value) => write_string(value, text),
        Json::DateTime(ticks) => write_string(&show_datetime(*ticks), text),
        Json::Timespan(ticks) => write_string(&show_timespan(*ticks), text),
        Json::Guid(guid) => write_string(&show_guid(*guid), text),
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
                write_string(key, text);
                text.push(':');
                write(value, form, text);
            }
            text.push('}');
        }
    }
}

fn write_string(value: &str, text: &mut String) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            c if c < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Whether strings that begin with [`MARK`] are other values.
    stored: bool,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Reader {
            text,
            bytes: text.as_bytes(),
            at: 0,
            stored: false,
        }
    }

    /// Passes over the value of the whole text, and gives its place.
    fn pass(&mut self) -> Option<(usize, usize)> {
        self.blanks();
        let start = self.at;
        self.skip(MAX_DEPTH)?;
        Some((start, self.at))
    }

    /// Where a step leads to in a bag or array that is known to be whole.
    fn place(&mut self, place: &Place) -> Option<(usize, usize)> {
        let mut found = None;
        let mut ends = Vec::new();
        let open = *self.bytes.first()?;
        self.at = 1;
        match (open, place) {
            (b'{', Place::Member(name)) => loop {
                self.blanks();
                if self.bytes.get(self.at) != Some(&b'"') {
                    return found;
                }
                let start = self.at;
                self.skip_string()?;
                let key = self.text.get(start + 1..self.at - 1)?;
                let same = match key.contains('\\') {
                    false => *key == **name,
                    true => {
                        self.at = start;
                        self.string()? == **name
                    }
                };
                self.eat(b':')?;
                let value = self.pass()?;
                // A key that stands there twice has its last value.
                if same {
                    found = Some(value);
                }
                self.blanks();
                self.at += 1;
            },
            (b'[', Place::Element(at)) => loop {
                self.blanks();
                if self.bytes.get(self.at) == Some(&b']') {
                    let back = usize::try_from(at.checked_neg()?).ok()?;
                    return ends
                        .len()
                        .checked_sub(back)
                        .and_then(|at| ends.get(at).copied());
                }
                let value = self.pass()?;
                if *at >= 0 && i64::try_from(ends.len()) == Ok(*at) {
                    return Some(value);
                }
                ends.push(value);
                self.blanks();
                if self.bytes.get(self.at) == Some(&b',') {
                    self.at += 1;
                }
            },
            _ => None,
        }
    }

    /// Passes over a value; nothing where [`Reader::value`] gives nothing.
    fn skip(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.blanks();
        match self.bytes.get(self.at)? {
            b'{' => {
                self.at += 1;
                if self.eat(b'}').is_some() {
                    return Some(());
                }
                loop {
                    self.blanks();
                    self.skip_string()?;
                    self.eat(b':')?;
                    self.skip(depth)?;
                    if self.eat(b'}').is_some() {
                        return Some(());
                    }
                    self.eat(b',')?;
                }
            }
            b'[' => {
                self.at += 1;
                if self.eat(b']').is_some() {
                    return Some(());
                }
                loop {
                    self.skip(depth)?;
                    if self.eat(b']').is_some() {
                        return Some(());
                    }
                    self.eat(b',')?;
                }
            }
            b'"' => self.skip_string(),
            _ => self.value(1).map(|_| ()),
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        let start = self.at;
        if self.bytes.get(start) != Some(&b'"') {
            return None;
        }
        let plain = memchr::memchr2(b'"', b'\\', self.bytes.get(start + 1..)?)?;
        match self.bytes[start + 1 + plain] {
            b'"' => {
                self.at = start + plain + 2;
                Some(())
            }
            // Escapes may be wrong.
            _ => self.string().map(|_| ()),
        }
    }
}

impl Reader<'_> {
    fn blanks(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        (self.bytes.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    fn word(&mut self, word: &str, json: Json) -> Option<Json> {
        self.bytes[self.at..]
            .starts_with(word.as_bytes())
            .then(|| self.at += word.len())?;
        Some(json)
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        let depth = depth.checked_sub(1)?;
        self.blanks();
        match self.bytes.get(self.at)? {
            b'{' => self.bag(depth),
            b'[' => self.array(depth),
            b'"' if self.stored && self.bytes.get(self.at + 1) == Some(&(MARK as u8)) => {
                self.marked()
            }
            b'"' => Some(Json::String(self.string()?.into())),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    /// A string that begins with [`MARK`]. Where nothing known stands behind it, it is a string like others, so that no text from
    /// elsewhere keeps what stands around it from being read.
    fn marked(&mut self) -> Option<Json> {
        let text = self.string()?;
        Some(unmarked(&text).unwrap_or_else(|| Json::String(text.into())))
    }

    fn array(&mut self, depth: usize) -> Option<Json> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat(b']').is_some() {
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.eat(b']').is_some() {
                return Some(Json::Array(items));
            }
            self.eat(b',')?;
        }
    }

    fn bag(&mut self, depth: usize) -> Option<Json> {
        self.at += 1;
        let mut properties: Vec<(Arc<str>, Json)> = Vec::new();
        if self.eat(b'}').is_some() {
            return Some(Json::Bag(properties));
        }
        // A key that stands there twice has its last value. Beyond a few keys, finding it needs an index.
        let mut index: HashMap<Arc<str>, usize> = HashMap::new();
        loop {
            self.blanks();
            let key: Arc<str> = self.string()?.into();
            self.eat(b':')?;
            let value = self.value(depth)?;
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
            if self.eat(b'}').is_some() {
                return Some(Json::Bag(properties));
            }
            self.eat(b',')?;
        }
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let digits = |from: usize| {
            let rest = rest.get(from..).unwrap_or_default();
            rest.iter().take_while(|b| b.is_ascii_digit()).count()
        };
        let mut length = usize::from(rest.first() == Some(&b'-'));
        let whole = digits(length);
        if whole == 0 || (whole > 1 && rest[length] == b'0') {
            return None;
        }
        length += whole;
        let mut real = false;
        if rest.get(length) == Some(&b'.') {
            let fraction = digits(length + 1);
            if fraction == 0 {
                return None;
            }
            real = true;
            length += 1 + fraction;
        }
        if matches!(rest.get(length), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(length + 1), Some(b'+' | b'-')));
            let exponent = digits(length + 1 + sign);
            if exponent == 0 {
                return None;
            }
            real = true;
            length += 1 + sign + exponent;
        }
        let text = self.text.get(start..start + length)?;
        self.at += length;
        if !real && let Ok(value) = text.parse() {
            return Some(Json::Long(value));
        }
        text.parse().ok().map(Json::Real)
    }

    fn string(&mut self) -> Option<String> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.bytes[self.at..];
            let plain = rest
                .iter()
                .position(|b| *b == b'"' || *b == b'\\' || *b < b' ')?;
            text.push_str(self.text.get(self.at..self.at + plain)?);
            self.at += plain + 1;
            match rest[plain] {
                b'"' => return Some(text),
                b'\\' => self.escape(&mut text)?,
                // Raw line breaks and tabs: logs hold such strings.
                byte => text.push(char::from(byte)),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Option<()> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        text.push(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                let low =
                    (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u");
                let mut code = first;
                if low {
                    let before = self.at;
                    self.at += 2;
                    let second = self.hex()?;
                    if (0xdc00..0xe000).contains(&second) {
                        code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    } else {
                        self.at = before;
                    }
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        });
        Some(())
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        match digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => u32::from_str_radix(digits, 16).ok(),
            false => None,
        }
    }
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
        assert_eq!(
            Json::parse("9223372036854775808"),
            Some(Json::Real(9_223_372_036_854_775_808.0))
        );
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
