//! JSON text ↔ [`Json`].

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::show::{show_datetime, show_guid, show_real, show_timespan};
use super::{Json, Value};

/// How deep JSON may nest; deeper text is none.
const MAX_DEPTH: usize = 128;
/// So many keys of a bag are searched one by one.
const FEW_KEYS: usize = 16;

impl Json {
    /// Reads JSON; nothing where the text is none. Numbers that do not fit into a `long` are `real`.
    pub fn parse(text: &str) -> Option<Json> {
        let mut reader = Reader {
            text,
            bytes: text.as_bytes(),
            at: 0,
        };
        let json = reader.value(MAX_DEPTH)?;
        reader.blanks();
        (reader.at == text.len()).then_some(json)
    }

    /// Its JSON text as Kusto prints it: compact, keys in their order.
    pub fn text(&self) -> String {
        let mut text = String::new();
        write(self, Keys::AsTheyAre, &mut text);
        text
    }

    /// Its JSON text with the keys of every bag in order, as `dynamic_to_json` gives it: equal for equal values.
    pub fn canonical_text(&self) -> String {
        let mut text = String::new();
        write(self, Keys::Sorted, &mut text);
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

#[derive(Clone, Copy)]
enum Keys {
    AsTheyAre,
    Sorted,
}

fn write(json: &Json, keys: Keys, text: &mut String) {
    match json {
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
                write(item, keys, text);
            }
            text.push(']');
        }
        Json::Bag(properties) => {
            let mut order: Vec<_> = properties.iter().collect();
            if matches!(keys, Keys::Sorted) {
                order.sort_by(|a, b| a.0.cmp(&b.0));
            }
            text.push('{');
            for (i, (key, value)) in order.into_iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                write_string(key, text);
                text.push(':');
                write(value, keys, text);
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
            b'"' => Some(Json::String(self.string()?.into())),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
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
    fn what_is_no_json_is_none() {
        for text in [
            "", "{", "[1,]", "01", "1.", "nul", "\"a", "{\"a\"}", "[1] 2", "\"\\x\"", "'a'",
        ] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
        assert_eq!(Json::parse(&"[".repeat(100_000)), None);
    }
}
