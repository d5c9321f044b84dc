//! The tests that a rule carries: events, and how many findings they must give.

use std::collections::BTreeMap;

use super::document::{self, Broken, Node, Value};
use super::fields::{Fields, Notes};
use super::model::{Repeat, Test, TestEvent};
use super::span;

/// The table of an event that names none.
const AUDIT: &str = "UnifiedAuditLog";

/// Reads tests. One that cannot be read is said and left out.
pub(super) fn read(nodes: &[Node], notes: &mut Notes<'_>) -> Vec<Test> {
    nodes.iter().filter_map(|node| test(node, notes)).collect()
}

/// The tests of a file of its own: a list, or a map with `tests` and, where several rules are meant, the `id` of one.
pub(super) fn of_file(text: &str, notes: &mut Notes<'_>) -> Option<(Option<String>, Vec<Test>)> {
    let documents = match document::read(text) {
        Ok(documents) => documents,
        Err(Broken { at, message }) => {
            notes.broken(at, message);
            return None;
        }
    };
    notes.tabbed(documents.tab);
    let root = documents.roots.first()?;
    if let Value::List(items) = &root.value {
        return Some((None, read(items, notes)));
    }
    let mut fields = Fields::of(root, "the file", notes)?;
    let id = fields.word("id", notes);
    let tests = read(fields.list("tests", notes), notes);
    fields.refuse("the file", notes);
    Some((id, tests))
}

fn test(node: &Node, notes: &mut Notes<'_>) -> Option<Test> {
    let mut fields = Fields::of(node, "a test", notes)?;
    let name = fields.text("name", notes);
    let watchlists = watchlists(&mut fields, notes);
    let has_events = fields.has("events");
    let events = fields.list("events", notes);
    let events = events.iter().filter_map(|node| event(node, notes));
    let events: Vec<TestEvent> = events.collect();
    let finds = fields.number("finds", notes);
    fields.refuse("a test", notes);
    let (Some(name), Some(finds), true) = (name, finds, has_events) else {
        notes.error(node.at, "a test needs `name`, `events` and `finds`");
        return None;
    };
    Some(Test {
        name,
        watchlists,
        events,
        finds: usize::try_from(finds).unwrap_or(usize::MAX),
    })
}

fn watchlists(
    fields: &mut Fields<'_>,
    notes: &mut Notes<'_>,
) -> BTreeMap<String, Vec<BTreeMap<String, String>>> {
    let mut lists = BTreeMap::new();
    let Some(map) = fields.map("watchlists", notes) else {
        return lists;
    };
    let entries: Vec<(&str, &Node)> = map.values().collect();
    for (name, list) in entries {
        let mut rows = Vec::new();
        for row in list.items() {
            let Some(map) = Fields::of(row, "a row of a watchlist", notes) else {
                continue;
            };
            let mut cells = BTreeMap::new();
            for (column, cell) in map.values() {
                match cell.text() {
                    Some(text) => {
                        cells.insert(column.to_string(), text.to_string());
                    }
                    None => notes.error(cell.at, format!("`{column}` must be a text")),
                }
            }
            rows.push(cells);
        }
        lists.insert(name.to_string(), rows);
    }
    lists
}

fn event(node: &Node, notes: &mut Notes<'_>) -> Option<TestEvent> {
    let mut fields = Fields::of(node, "an event", notes)?;
    let table = fields.word("table", notes);
    let record = fields.get("record", notes).map(Node::json);
    let repeat = fields
        .map("repeat", notes)
        .and_then(|map| repeat(map, notes));
    fields.refuse("an event", notes);
    let Some(record) = record else {
        notes.error(node.at, "an event needs a `record`");
        return None;
    };
    Some(TestEvent {
        table: table.unwrap_or_else(|| AUDIT.into()),
        record,
        repeat,
    })
}

fn repeat(mut fields: Fields<'_>, notes: &mut Notes<'_>) -> Option<Repeat> {
    let at = fields.at;
    let count = fields.number("count", notes);
    let every = fields.word("every", notes);
    fields.refuse("`repeat`", notes);
    let (Some(count), Some(every)) = (count, every) else {
        notes.error(at, "`repeat` needs `count` and `every`");
        return None;
    };
    if span::seconds(&every).is_none() {
        notes.error(at, format!("`every: {every}` is no duration"));
        return None;
    }
    Some(Repeat {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        every,
    })
}
