//! YAML and JSON as a tree in which every value knows where it stands.
//!
//! JSON is read as the YAML that it is, so that both tell places alike. What the world writes is taken as it is meant where that is plain: a
//! key that stands twice is kept twice, and lines that are indented with tabs are read with spaces. Knows nothing of rules.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{
    DefaultMessageFormatter, DuplicateKeyPolicy, Location, MessageFormatter, Spanned,
};

use super::model::Lines;

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub value: Value,
    pub at: At,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct At {
    /// From 1; 0 where it is not known.
    pub line: usize,
    /// From 1, in characters; 0 where it is not known.
    pub column: usize,
    /// First byte of where it is written.
    start: usize,
    /// The byte behind it.
    end: usize,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// A number or a truth value: as it is written, and what it stands for.
    Plain(String, serde_json::Value),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in their order; a key may stand there twice.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// A scalar as it is written.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(text, _) | Value::Text(text) => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The last value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        let found = entries.iter().rev().find(|(k, _)| k.text() == Some(key));
        found.map(|(_, value)| value)
    }

    /// Its items, where it is a list.
    pub(super) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The same without places.
    pub(super) fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Plain(_, value) => value.clone(),
            Value::Text(text) => text.clone().into(),
            Value::List(items) => items.iter().map(Node::json).collect(),
            Value::Map(entries) => {
                let entries = entries.iter().filter_map(|(key, value)| {
                    let key = key.text()?.to_string();
                    Some((key, value.json()))
                });
                serde_json::Value::Object(entries.collect())
            }
        }
    }

    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Plain(_, serde_json::Value::Bool(_)) => "a truth value",
            Value::Plain(..) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Where the lines of a text stand in its file.
    pub(super) fn lines(&self, source: &str) -> Lines {
        let somewhere = Lines::Somewhere {
            line: self.at.line,
            column: self.at.column,
        };
        let (Some(written), Some(text)) = (source.get(self.at.start..), self.text()) else {
            return somewhere;
        };
        if let Some(head) = block_head(&source[..self.at.start], written) {
            let mut below = source[head..].lines().skip(1);
            let first = below.find(|line| !line.trim().is_empty());
            let blank = |line: &str| line.len() - line.trim_start_matches(' ').len();
            return Lines::Each {
                first: source[..head].lines().count() + 1,
                indent: first.map_or(0, blank),
            };
        }
        match !text.contains('\n') && written.starts_with(text) {
            true => Lines::Each {
                first: self.at.line,
                indent: self.at.column.saturating_sub(1),
            },
            false => somewhere,
        }
    }

    /// Takes over how numbers and truth values are written.
    fn take_spelling(&mut self, source: &str) {
        match &mut self.value {
            Value::Plain(text, value) => {
                *text = match source.get(self.at.start..self.at.end).map(str::trim) {
                    Some(written) if !written.is_empty() => written.into(),
                    _ => value.to_string(),
                };
            }
            Value::List(items) => items.iter_mut().for_each(|item| item.take_spelling(source)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    key.take_spelling(source);
                    value.take_spelling(source);
                }
            }
            Value::Null | Value::Text(_) => {}
        }
    }
}

impl At {
    fn of(referenced: Location, defined: Location) -> At {
        let span = defined.span();
        let start = span.byte_offset().unwrap_or(u64::MAX) as usize;
        At {
            line: referenced.line() as usize,
            column: referenced.column() as usize,
            start,
            end: start.saturating_add(span.byte_len().unwrap_or_default() as usize),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let read = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Node {
            at: At::of(read.referenced, read.defined),
            value: read.value.0,
        })
    }
}

struct Content(Value);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Content, D::Error> {
        deserializer.deserialize_any(Reader).map(Content)
    }
}

struct Reader;

/// A value whose spelling is taken over later.
fn plain(value: impl Into<serde_json::Value>) -> Value {
    Value::Plain(String::new(), value.into())
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(plain(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(plain(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(plain(value))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(plain(value as f64))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(plain(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(plain(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Node>()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<Node, Node>()? {
            if matches!(key.value, Value::List(_) | Value::Map(_)) {
                return Err(A::Error::custom("a key must be a text"));
            }
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }
}

/// Where the `|` of a literal block stands, whether the place of the block is that of its sign or of its first text.
fn block_head(before: &str, written: &str) -> Option<usize> {
    if written.starts_with('|') {
        return Some(before.len());
    }
    let sign = without_comment(before.trim_end());
    let sign = sign.trim_end_matches(|c: char| matches!(c, '+' | '-' | '1'..='9'));
    let broken = before[sign.len()..].contains('\n');
    (broken && sign.ends_with('|')).then(|| sign.len() - 1)
}

/// A text without the comment that ends its last line.
fn without_comment(text: &str) -> &str {
    let line = text.rfind('\n').map_or(0, |at| at + 1);
    let mut signs = text[line..].match_indices('#').map(|(at, _)| line + at);
    let comment = signs.find(|&at| at == line || text[..at].ends_with([' ', '\t']));
    comment.map_or(text, |at| text[..at].trim_end())
}

/// The documents of a text.
#[derive(Debug)]
pub(super) struct Documents<'t> {
    /// Those that hold something.
    pub roots: Vec<Node>,
    /// The text that the places are of.
    pub text: Cow<'t, str>,
    /// The first line that was indented with a tab, where one was read with spaces.
    pub tab: Option<usize>,
}

/// Why a text is no YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// Line and column, from 1.
    pub at: Option<(usize, usize)>,
    pub message: String,
}

/// Reads all documents of a text.
pub(super) fn read(text: &str) -> Result<Documents<'_>, Broken> {
    let broken = match roots(text) {
        Ok(roots) => {
            return Ok(Documents {
                roots,
                text: Cow::Borrowed(text),
                tab: None,
            });
        }
        Err(broken) => broken,
    };
    let Some(line) = tabbed(text) else {
        return Err(broken);
    };
    for mended in [with_two_spaces(text), as_the_line_before(text)] {
        if let Ok(roots) = roots(&mended) {
            return Ok(Documents {
                roots,
                text: Cow::Owned(mended),
                tab: Some(line),
            });
        }
    }
    Err(broken)
}

fn roots(text: &str) -> Result<Vec<Node>, Broken> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
    };
    let mut roots: Vec<Node> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|e| broken(&e))?;
    for root in &mut roots {
        root.take_spelling(text);
    }
    Ok(roots)
}

fn broken(error: &serde_saphyr::Error) -> Broken {
    let at = error.location().filter(|at| at.line() > 0);
    Broken {
        at: at.map(|at| (at.line() as usize, at.column() as usize)),
        message: match error {
            serde_saphyr::Error::Budget { .. } => {
                "it is larger, or nests deeper, than any rule; aliases may make it so".into()
            }
            error => DefaultMessageFormatter.format_message(error).into_owned(),
        },
    }
}

/// The indentation of a line, and the rest of it.
fn parted(line: &str) -> (&str, &str) {
    let body = line.trim_start_matches([' ', '\t']);
    line.split_at(line.len() - body.len())
}

/// The first line that is indented with a tab, from 1.
fn tabbed(text: &str) -> Option<usize> {
    let at = text.lines().position(|line| {
        let (before, body) = parted(line);
        before.contains('\t') && !body.trim().is_empty()
    });
    at.map(|at| at + 1)
}

/// The text with two spaces for each tab of an indentation.
fn with_two_spaces(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let (before, body) = parted(line);
        before.replace('\t', "  ") + body
    });
    lines.collect()
}

/// The text with the indentation of the line before in place of one that has a tab: for lines within a block of text.
fn as_the_line_before(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut indent = 0;
    for line in text.split_inclusive('\n') {
        let (before, body) = parted(line);
        if body.trim().is_empty() {
            out.push_str(body);
        } else if before.contains('\t') {
            out.push_str(&" ".repeat(indent));
            out.push_str(body);
        } else {
            let opens = body.trim_end().ends_with(['|', '>', ':', '-']);
            indent = before.len() + if opens { 2 } else { 0 };
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Node {
        let mut read = read(text).expect("it can be read");
        assert_eq!(read.roots.len(), 1, "{text}");
        read.roots.remove(0)
    }

    fn place(node: &Node) -> (usize, usize) {
        (node.at.line, node.at.column)
    }

    #[test]
    fn values_know_where_they_stand_and_how_they_are_written() {
        let root = only("name: é\nversion: 1.10\non: [true, null]\nid: 007\n");
        let version = root.get("version").expect("it is there");
        assert_eq!((version.text(), place(version)), (Some("1.10"), (2, 10)));
        let list = root.get("on").expect("it is there").items();
        assert_eq!(list[0].text(), Some("true"));
        assert_eq!(list[0].json(), serde_json::json!(true));
        assert_eq!((&list[1].value, place(&list[1])), (&Value::Null, (3, 12)));
        assert_eq!(root.get("id").and_then(Node::text), Some("007"));
    }

    #[test]
    fn json_with_tabs_is_read_with_its_places() {
        let root = only("{\n\t\"a\": {\"b\": \"x\\ny\"},\n\t\"c\": 1\n}\n");
        let b = root.get("a").and_then(|a| a.get("b")).expect("it is there");
        assert_eq!(b.text(), Some("x\ny"));
        assert_eq!(b.at.line, 2);
        assert!(matches!(b.lines(""), Lines::Somewhere { line: 2, .. }));
    }

    #[test]
    fn a_key_that_stands_twice_is_kept_twice() {
        let root = only("a: 1\na: 2\n");
        let Value::Map(entries) = &root.value else {
            panic!("{root:?}");
        };
        assert_eq!(entries.len(), 2);
        assert_eq!(root.get("a").and_then(Node::text), Some("2"));
    }

    #[test]
    fn the_lines_of_a_query_are_those_of_its_file() {
        let text = "id: x\nquery: |\n\n    T\n    | where x\nother: T | take 1\nquoted: 'T'\n";
        let root = only(text);
        let lines = |key: &str| root.get(key).expect("it is there").lines(text);
        let query = lines("query");
        assert_eq!(
            query,
            Lines::Each {
                first: 3,
                indent: 4
            }
        );
        assert_eq!(
            root.get("query").and_then(Node::text),
            Some("\nT\n| where x\n")
        );
        assert_eq!(query.in_file(3, 3), (5, 7));
        assert_eq!(lines("other").in_file(1, 5), (6, 12));
        assert_eq!(lines("quoted").in_file(1, 1), (7, 9));
        let text = "id: x\nquery: |-  # seen | once\n  T\n  | where x\nother:  # a |\n  T\n";
        let root = only(text);
        let lines = |key: &str| root.get(key).expect("it is there").lines(text);
        assert_eq!(lines("query").in_file(2, 3), (4, 5));
        assert_eq!(lines("other").in_file(1, 1), (6, 3));
    }

    #[test]
    fn tabs_that_indent_are_read_with_spaces() {
        for text in [
            "query: |\n\tT\n\t| take 1\nname: x\n",
            "query: |\n    T\n\t| take 1\nname: x\n",
        ] {
            let read = read(text).expect("it can be read");
            assert!(read.tab.is_some(), "{text}");
            let query = read.roots[0].get("query").and_then(Node::text);
            assert_eq!(query, Some("T\n| take 1\n"), "{text}");
        }
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let broken = read("name: a: b\n").expect_err("it is wrong");
        assert_eq!(broken.at.map(|at| at.0), Some(1));
        assert!(!broken.message.is_empty());
    }
}
