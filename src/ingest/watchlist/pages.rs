//! Lists that are JSON: objects in an array, one after the other, or under `value` as Graph and PowerShell write them.

use std::borrow::Cow;

use super::labels;
use super::list::{MAX_COLUMNS, Result};
use crate::ingest::json::{self, Cutter, Raw};

/// Longest list that is read as JSON: its cells are in memory twice.
const MAX_JSON: usize = 64 << 20;

/// Levels of labels below labels.
const MAX_LEVELS: usize = 8;

/// Cells by rows, which may be shorter than the header.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub header: Vec<String>,
    pub cells: Vec<Vec<String>>,
    /// The last page says that there is a further one.
    pub goes_on: bool,
}

/// Whether a list is JSON and no CSV.
pub(super) fn is_json(text: &str) -> bool {
    let text = text.trim_start();
    let inner = text.strip_prefix('[').map_or(text, str::trim_start);
    inner.starts_with('{') || (inner.starts_with(']') && text.starts_with('['))
}

/// Reads the rows of a list; one of labels says of each which one it is below.
///
/// # Errors
/// When the text is not whole, or is no list of objects.
pub(super) fn read(text: &str, labels: bool) -> Result<Rows> {
    if text.len() > MAX_JSON {
        return Err(format!("it is JSON longer than {} MiB", MAX_JSON >> 20));
    }
    let mut rows = Rows::default();
    for value in values(text)? {
        match page(value)? {
            Some(page) => {
                rows.goes_on = page.goes_on;
                for value in elements(page.list)? {
                    rows.add(value, labels, "", 0)?;
                }
            }
            None => rows.add(value, labels, "", 0)?,
        }
    }
    match rows.cells.is_empty() {
        true => Err("it is empty".into()),
        false => Ok(rows),
    }
}

/// The values of a text: of its one array, or one after the other.
fn values(text: &str) -> Result<Vec<&str>> {
    if text.trim_start().starts_with('[') {
        return elements(text);
    }
    let mut cutter = Cutter::default();
    let found = cutter.scan(text.as_bytes());
    let end = found.last().map_or(0, |(_, end)| *end);
    // What is still open when the text ends was cut off.
    match text.get(end..).is_some_and(|rest| rest.trim().is_empty()) {
        true => Ok(found
            .iter()
            .filter_map(|(start, end)| text.get(*start..*end))
            .collect()),
        false => Err("it is JSON that breaks off".into()),
    }
}

fn elements(list: &str) -> Result<Vec<&str>> {
    let mut out = Vec::new();
    let mut other = None;
    json::elements(list, |i, value| match value {
        Raw::Other(text) => out.push(text),
        Raw::Text { .. } | Raw::Null => other = other.or(Some(i + 1)),
    })
    .map_err(|fault| format!("it is no JSON: {fault}"))?;
    match other {
        Some(row) => Err(format!("row {row} is no object")),
        None => Ok(out),
    }
}

/// What an interface answers of a list that it does not give at once.
struct Page<'t> {
    list: &'t str,
    goes_on: bool,
}

/// A page: an object with nothing but `value` and what the transport says.
fn page(object: &str) -> Result<Option<Page<'_>>> {
    let mut list = None;
    let (mut others, mut goes_on) = (false, false);
    entries(object, |key, value| match (key.as_ref(), value) {
        ("value", Raw::Other(text)) if text.starts_with('[') => list = Some(text),
        ("Count" | "count", _) => {}
        ("@odata.nextLink", Raw::Text { .. }) => goes_on = true,
        (key, _) if key.contains("@odata.") => {}
        _ => others = true,
    })?;
    let list = list.filter(|_| !others);
    Ok(list.map(|list| Page { list, goes_on }))
}

fn entries<'t>(object: &'t str, each: impl FnMut(Cow<'t, str>, Raw<'t>)) -> Result<()> {
    json::entries(object, each).map_err(|fault| format!("it is no list of JSON objects: {fault}"))
}

impl Rows {
    /// The column of a property, which is a new one where no object before had it.
    pub(super) fn column(&mut self, name: &str) -> Result<usize> {
        if let Some(column) = self.header.iter().position(|own| own == name) {
            return Ok(column);
        }
        if self.header.len() == MAX_COLUMNS {
            return Err(format!("it has more than {MAX_COLUMNS} columns"));
        }
        self.header.push(name.to_string());
        Ok(self.header.len() - 1)
    }

    /// Adds an object, and the labels below it.
    fn add(&mut self, object: &str, labels: bool, parent: &str, level: usize) -> Result<()> {
        if level > MAX_LEVELS {
            return Err(format!("it has more than {MAX_LEVELS} levels of labels"));
        }
        let mut found: Vec<(Cow<'_, str>, String)> = Vec::new();
        let mut below = None;
        entries(object, |key, value| {
            if key.contains("@odata.") {
                return;
            }
            match value {
                // Graph's and Outlook's.
                Raw::Other(list)
                    if labels
                        && (key == "sublabels" || key == "children")
                        && list.starts_with('[') =>
                {
                    below = Some(list);
                }
                Raw::Other(text) if labels && key.eq_ignore_ascii_case("parent") => {
                    found.push((key, labels::parent_of(text)));
                }
                value => {
                    let text = value.text().map(Cow::into_owned).unwrap_or_default();
                    found.push((key, text));
                }
            }
        })?;
        if !parent.is_empty() && !found.iter().any(|(k, _)| k.eq_ignore_ascii_case("parent")) {
            found.push((Cow::Borrowed("parent"), parent.into()));
        }
        let id = found
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("id"))
            .map(|(_, id)| id.clone());
        let mut row = Vec::new();
        for (key, text) in found {
            let column = self.column(&key)?;
            if row.len() <= column {
                row.resize(column + 1, String::new());
            }
            row[column] = text;
        }
        self.cells.push(row);
        for value in below.map(elements).transpose()?.unwrap_or_default() {
            self.add(value, labels, id.as_deref().unwrap_or(""), level + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<(String, Vec<String>)> {
        let rows = read(text, true)?;
        let cells = rows.cells.iter().map(|row| row.join("|")).collect();
        Ok((rows.header.join("|"), cells))
    }

    #[test]
    fn pages_arrays_and_lines_are_one_list() {
        let want = Ok((
            "Id|Name".into(),
            vec!["1|a".to_string(), "2|b\n".to_string()],
        ));
        let (a, b) = (r#"{"Id":1,"Name":"a"}"#, r#"{"Id":2,"Name":"b\n"}"#);
        for text in [
            format!("[{a},{b}]"),
            format!("{a}\n{b}\n"),
            format!(r#"{{"@odata.context":"x","value":[{a},{b}],"@odata.nextLink":"y"}}"#),
            format!(r#"{{"value":[{a}],"Count":1}} {{"value":[{b}],"Count":1}}"#),
        ] {
            assert!(is_json(&text), "{text}");
            assert_eq!(table(&text), want, "{text}");
        }
        assert!(!is_json("a,b\n{,}\n"));
    }

    #[test]
    fn labels_below_labels_name_their_parent() {
        let text = r#"[{"id":"1","name":"a","parent":null,"sublabels":[{"id":"2","name":"b"}]},{"id":"3","name":"c","parent":{"id":"1","name":"a"}}]"#;
        let want = vec!["1|a|".to_string(), "2|b|1".to_string(), "3|c|1".to_string()];
        assert_eq!(table(text), Ok(("id|name|parent".into(), want)));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (text, why) in [
            ("[]", "it is empty"),
            (r#"["a"]"#, "row 1 is no object"),
            (r#"{"Id":1} {"Id""#, "it is JSON that breaks off"),
        ] {
            assert_eq!(table(text), Err(why.to_string()), "{text}");
        }
        assert!(table(r#"[{"Id":1}"#).is_err());
        assert!(table("[1]").is_err());
    }
}
