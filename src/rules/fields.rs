//! Reading a rule's settings out of a tree: each key once, and everything that is odd said with its place.

use std::collections::HashMap;

use super::document::{At, Node, Value};
use super::span;
use crate::fault::{Diagnostic, Level};

/// What was noticed in a file, and which file it is.
#[derive(Debug)]
pub(super) struct Notes<'f> {
    file: &'f str,
    /// Lines of the file before the tree.
    pub skipped: usize,
    /// Whether the tests of rules are read.
    pub tests: bool,
    pub list: Vec<Diagnostic>,
}

impl<'f> Notes<'f> {
    pub(super) fn new(file: &'f str) -> Self {
        Notes {
            file,
            skipped: 0,
            tests: true,
            list: Vec::new(),
        }
    }

    pub(super) fn error(&mut self, at: At, message: impl Into<String>) {
        let said = Diagnostic::error(self.file, message);
        self.add(at, said);
    }

    pub(super) fn warning(&mut self, at: At, message: impl Into<String>) {
        let said = Diagnostic::warning(self.file, message);
        self.add(at, said);
    }

    pub(super) fn error_with_hint(
        &mut self,
        at: At,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let said = Diagnostic::error(self.file, message).with_hint(hint);
        self.add(at, said);
    }

    /// What a reader of YAML says.
    pub(super) fn broken(&mut self, at: Option<(usize, usize)>, message: impl Into<String>) {
        let said = Diagnostic::error(self.file, message);
        self.list.push(match at {
            Some((line, column)) => said.at(line + self.skipped, column),
            None => said,
        });
    }

    /// Says that a line was indented with a tab, where one was.
    pub(super) fn tabbed(&mut self, line: Option<usize>) {
        if let Some(line) = line {
            let message = "the line is indented with a tab, which YAML does not allow: it was read with spaces";
            let said = Diagnostic::warning(self.file, message);
            self.list.push(said.at(line + self.skipped, 1));
        }
    }

    /// How many of them make something unusable.
    pub(super) fn errors(&self) -> usize {
        let errors = self.list.iter().filter(|said| said.level == Level::Error);
        errors.count()
    }

    pub(super) fn warning_with_hint(
        &mut self,
        at: At,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let said = Diagnostic::warning(self.file, message).with_hint(hint);
        self.add(at, said);
    }

    /// What is wrong with the query, at its line and column in the file.
    pub(super) fn error_in_query(&mut self, at: (usize, usize), message: impl Into<String>) {
        let said = Diagnostic::error(self.file, message);
        self.list.push(said.at(at.0, at.1));
    }

    fn add(&mut self, at: At, said: Diagnostic) {
        self.list.push(match at.line {
            0 => said,
            line => said.at(line + self.skipped, at.column),
        });
    }
}

/// The keys of a map.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    pub at: At,
    entries: Vec<Key<'n>>,
}

#[derive(Debug)]
struct Key<'n> {
    key: &'n str,
    at: At,
    value: &'n Node,
    taken: bool,
}

impl<'n> Fields<'n> {
    /// The keys of a map; `what` is its name in messages. Of keys that stand there twice the last one counts.
    pub(super) fn of(node: &'n Node, what: &str, notes: &mut Notes<'_>) -> Option<Fields<'n>> {
        let Value::Map(map) = &node.value else {
            let kind = node.kind();
            notes.error(node.at, format!("{what} must be a map and is {kind}"));
            return None;
        };
        let mut entries: Vec<Key<'n>> = Vec::with_capacity(map.len());
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (key, value) in map {
            let name = key.text().unwrap_or("null");
            let entry = Key {
                key: name,
                at: key.at,
                value,
                taken: false,
            };
            match places.get(name) {
                Some(&place) => {
                    let known = &mut entries[place];
                    let first = known.at.line + notes.skipped;
                    let message =
                        format!("`{name}` stands on line {first} already: this one counts");
                    notes.warning(key.at, message);
                    *known = entry;
                }
                None => {
                    places.insert(name, entries.len());
                    entries.push(entry);
                }
            }
        }
        Some(Fields {
            at: node.at,
            entries,
        })
    }

    /// Whether there is such a key, in whatever case and whatever it holds.
    pub(super) fn has(&self, name: &str) -> bool {
        let mut keys = self.entries.iter().map(|entry| entry.key);
        keys.any(|key| key.eq_ignore_ascii_case(name))
    }

    /// The value of a key, where it is not null. A key that differs in its case is taken and said.
    pub(super) fn get(&mut self, name: &str, notes: &mut Notes<'_>) -> Option<&'n Node> {
        let exact = self.entries.iter().position(|entry| entry.key == name);
        let found = exact.or_else(|| {
            let like = |entry: &Key<'_>| entry.key.eq_ignore_ascii_case(name);
            let found = self.entries.iter().position(like)?;
            let entry = &self.entries[found];
            notes.warning(entry.at, format!("`{}` is read as `{name}`", entry.key));
            Some(found)
        })?;
        let entry = &mut self.entries[found];
        entry.taken = true;
        (entry.value.value != Value::Null).then_some(entry.value)
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str, notes: &mut Notes<'_>) -> Option<String> {
        let node = self.get(name, notes)?;
        text_of(name, node, notes)
    }

    /// A text that is not empty.
    pub(super) fn word(&mut self, name: &str, notes: &mut Notes<'_>) -> Option<String> {
        let text = self.text(name, notes)?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_string())
    }

    /// `true` or `false`, also as a text.
    pub(super) fn flag(&mut self, name: &str, notes: &mut Notes<'_>) -> Option<bool> {
        let node = self.get(name, notes)?;
        let text = node.text().unwrap_or_default().to_ascii_lowercase();
        match text.as_str() {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            _ => {
                notes.error(node.at, format!("`{name}` must be true or false"));
                None
            }
        }
    }

    /// A number that is not negative.
    pub(super) fn number(&mut self, name: &str, notes: &mut Notes<'_>) -> Option<u64> {
        let node = self.get(name, notes)?;
        let number = node.text().and_then(|text| text.trim().parse().ok());
        if number.is_none() {
            let message = format!("`{name}` must be a whole number that is not negative");
            notes.error(node.at, message);
        }
        number
    }

    /// Seconds of a span of time.
    pub(super) fn seconds(&mut self, name: &str, notes: &mut Notes<'_>) -> Option<u64> {
        let node = self.get(name, notes)?;
        let text = node.text().unwrap_or_default();
        let seconds = span::seconds(text);
        if seconds.is_none() {
            let message = format!("{name} `{text}` is no duration such as 1h or PT1H");
            notes.error(node.at, message);
        }
        seconds
    }

    /// A list of texts; one text alone is a list of one.
    pub(super) fn texts(&mut self, name: &str, notes: &mut Notes<'_>) -> Vec<String> {
        let Some(node) = self.get(name, notes) else {
            return Vec::new();
        };
        if let Some(text) = node.text() {
            return vec![text.to_string()];
        }
        let mut texts = Vec::new();
        for item in list_of(node, name, notes) {
            match item.text() {
                Some(text) => texts.push(text.to_string()),
                None => notes.error(item.at, format!("`{name}` must be a list of texts")),
            }
        }
        texts
    }

    /// A list.
    pub(super) fn list(&mut self, name: &str, notes: &mut Notes<'_>) -> &'n [Node] {
        match self.get(name, notes) {
            Some(node) => list_of(node, name, notes),
            None => &[],
        }
    }

    /// A map within.
    pub(super) fn map(&mut self, name: &str, notes: &mut Notes<'_>) -> Option<Fields<'n>> {
        let node = self.get(name, notes)?;
        Fields::of(node, &format!("`{name}`"), notes)
    }

    /// Names and texts; a name whose value is null is left out.
    pub(super) fn pairs(&mut self, name: &str, notes: &mut Notes<'_>) -> Vec<(String, String)> {
        let Some(map) = self.map(name, notes) else {
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (key, node) in map.values() {
            if let Some(text) = text_of(key, node, notes) {
                pairs.push((key.to_string(), text));
            }
        }
        pairs
    }

    /// All keys and what they hold, but for null.
    pub(super) fn values(self) -> impl Iterator<Item = (&'n str, &'n Node)> {
        let held = self.entries.into_iter();
        held.filter(|entry| entry.value.value != Value::Null)
            .map(|entry| (entry.key, entry.value))
    }

    /// Where a key stands; where the map stands when it has none.
    pub(super) fn place(&self, name: &str) -> At {
        let like = |entry: &&Key<'_>| entry.key.eq_ignore_ascii_case(name);
        self.entries.iter().find(like).map_or(self.at, |e| e.at)
    }

    /// Refuses keys that nobody asked for.
    pub(super) fn refuse(self, what: &str, notes: &mut Notes<'_>) {
        for entry in self.entries.iter().filter(|entry| !entry.taken) {
            notes.error(
                entry.at,
                format!("{what} has an unknown key `{}`", entry.key),
            );
        }
    }

    /// Says which keys nobody asked for, but those that are known to say nothing to us.
    pub(super) fn finish(self, what: &str, known: &[&str], notes: &mut Notes<'_>) {
        for entry in self.entries.iter().filter(|entry| !entry.taken) {
            if !known.iter().any(|k| k.eq_ignore_ascii_case(entry.key)) {
                notes.warning(
                    entry.at,
                    format!("{what} has an unknown key `{}`", entry.key),
                );
            }
        }
    }
}

fn text_of(name: &str, node: &Node, notes: &mut Notes<'_>) -> Option<String> {
    let text = node.text().map(str::to_string);
    if text.is_none() {
        let kind = node.kind();
        notes.error(node.at, format!("`{name}` must be a text and is {kind}"));
    }
    text
}

fn list_of<'n>(node: &'n Node, name: &str, notes: &mut Notes<'_>) -> &'n [Node] {
    if let Value::List(items) = &node.value {
        return items;
    }
    let kind = node.kind();
    notes.error(node.at, format!("`{name}` must be a list and is {kind}"));
    &[]
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;

    fn said(text: &str, read: impl Fn(&mut Fields<'_>, &mut Notes<'_>)) -> Vec<String> {
        let documents = document::read(text).expect("it can be read");
        let mut notes = Notes::new("r.yaml");
        let mut fields = Fields::of(&documents.roots[0], "the rule", &mut notes).expect("a map");
        read(&mut fields, &mut notes);
        fields.finish("the rule", &["tags"], &mut notes);
        notes.list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everything_odd_is_said_with_its_place() {
        let text =
            "Name: x\nseverity: Low\nseverity: High\nflag: 1\nspan: soon\nperod: 1\ntags: a\n";
        let list = said(text, |fields, notes| {
            assert_eq!(fields.text("name", notes).as_deref(), Some("x"));
            assert_eq!(fields.text("severity", notes).as_deref(), Some("High"));
            assert_eq!(fields.flag("flag", notes), None);
            assert_eq!(fields.seconds("span", notes), None);
        });
        assert_eq!(
            list,
            [
                "warning: `r.yaml:3:1`: `severity` stands on line 2 already: this one counts",
                "warning: `r.yaml:1:1`: `Name` is read as `name`",
                "error: `r.yaml:4:7`: `flag` must be true or false",
                "error: `r.yaml:5:7`: span `soon` is no duration such as 1h or PT1H",
                "warning: `r.yaml:6:1`: the rule has an unknown key `perod`",
            ]
        );
    }

    #[test]
    fn null_is_as_good_as_not_there() {
        let list = said("a:\nb: null\nc: {x: ~, y: 1}\n", |fields, notes| {
            assert_eq!(fields.text("a", notes), None);
            assert!(fields.list("b", notes).is_empty());
            let pairs = fields.pairs("c", notes);
            assert_eq!(pairs, [("y".to_string(), "1".to_string())]);
        });
        assert!(list.is_empty(), "{list:?}");
    }
}
