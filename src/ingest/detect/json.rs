//! What a JSON file is: lines, values one after the other, or an answer of an API; and what its objects are.

use super::super::columns::{self, bare_name};
use super::super::json;
use super::{Container, Detected, Hints, Kind, known};
use crate::catalog::catalog;

pub(super) fn with_order(detected: Detected, hints: &Hints) -> Detected {
    match detected {
        Detected::Known(mut format) => {
            format.order = hints.order;
            format.zone = hints.zone;
            Detected::Known(format)
        }
        other => other,
    }
}

pub(super) fn from_json(head: &[u8]) -> Detected {
    let line = head
        .split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|l| !l.is_empty())
        .unwrap_or_default();
    let whole_line = std::str::from_utf8(line)
        .is_ok_and(|l| l.starts_with('{') && json::entries(l, |_, _| {}).is_ok());
    let several = {
        let mut cutter = json::Cutter::default();
        cutter.scan(line).len() > 1
    };
    // A broken first line between good ones is still a file of lines.
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let by_lines = whole_line
        || (line.starts_with(b"{")
            && !several
            && line.ends_with(b"}")
            && lines.clone().filter(|l| !l.is_empty()).count() > 1
            && lines.all(|l| l.is_empty() || l.starts_with(b"{")));
    let (container, mut firsts): (Container, Vec<&[u8]>) = if by_lines {
        let lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
        (
            Container::JsonLines,
            lines.filter(|l| !l.is_empty()).take(16).collect(),
        )
    } else {
        let mut cutter = json::Cutter::default();
        let found = cutter.scan(head).to_vec();
        (
            Container::JsonValues,
            found.iter().take(16).map(|(a, b)| &head[*a..*b]).collect(),
        )
    };
    if firsts.is_empty() {
        // One record that is longer than what was read, or cut off: its first keys are enough.
        let begin = memchr::memchr(b'{', head).unwrap_or(0);
        firsts.push(&head[begin..]);
    }
    if let Some(detected) = from_envelope(head, &firsts) {
        return detected;
    }
    let mut seen = None;
    for record in &firsts {
        let Ok(text) = std::str::from_utf8(record) else {
            continue;
        };
        let (keys, broken) = keys_of(text);
        let has = |name: &str| keys.iter().any(|k| k.0 == name);
        if has("contentUri") && has("contentType") {
            return Detected::Empty(
                "a listing of content of the Management API: no events, fetch what it names",
            );
        }
        if let Some((kind, why)) = object_kind(&keys, broken) {
            return known(container, kind, why);
        }
        if !broken && seen.is_none() {
            seen = Some(keys.iter().map(|k| k.0.clone()).collect::<Vec<_>>());
        }
    }
    match seen {
        Some(keys) if keys.is_empty() => Detected::Empty("the file has no records"),
        Some(keys) => {
            let table = crate::catalog::table(super::OTHER);
            let why = format!("objects of no known kind (keys {})", super::few(&keys));
            known(container, Kind::Objects { table }, why)
        }
        None if head.trim_ascii() == b"[]" => Detected::Empty("the file is an empty array"),
        None => {
            Detected::Unknown("looks like JSON, but no record in its beginning can be read".into())
        }
    }
}

/// Keys under which answers of APIs hold records: Event Hub messages, Graph pages, hunting answers, the
/// activity list of Defender for Cloud Apps.
const ENVELOPES: [&str; 5] = ["records", "value", "Results", "results", "data"];
/// Keys under which query answers hold rows as arrays, with the key of their columns and of a column's name.
const ROW_ENVELOPES: [(&str, &str, &str); 2] = [
    ("rows", "columns", "name"),
    ("Rows", "Columns", "ColumnName"),
];

/// An answer of an API: an object whose records stand in an array of it.
fn from_envelope(head: &[u8], firsts: &[&[u8]]) -> Option<Detected> {
    let first =
        String::from_utf8_lossy(&firsts.first()?[..firsts[0].len().min(1 << 20)]).into_owned();
    if first.contains("\"FrameType\"") {
        return Some(frames(head));
    }
    let mut keys: Vec<String> = Vec::new();
    // Cut off or too long: the keys so far are enough.
    let _ = json::entries(&first, |key, _| keys.push(key.to_string()));
    for (key, columns, name) in ROW_ENVELOPES {
        let outer = if key == "rows" { "tables" } else { "Tables" };
        // A long answer ends inside its outer array, so that its key was not given.
        if !keys.iter().any(|k| k == outer)
            && !first.trim_start().starts_with(&format!("{{\"{outer}\""))
        {
            continue;
        }
        return Some(row_envelope(head, 0, key, columns, name));
    }
    let key = ENVELOPES.into_iter().find(|k| {
        let mut cutter = json::Cutter::within(k, false);
        cutter.scan(head);
        cutter.found_array() && (keys.iter().any(|found| found == k) || keys.len() < 8)
    })?;
    let mut cutter = json::Cutter::within(key, false);
    let records = cutter.scan(head).to_vec();
    // A bare audit record may have a field `value` that is an array; its own keys say what it is.
    let own: Vec<(String, String)> = keys.iter().map(|k| (k.clone(), String::new())).collect();
    if object_kind(&own, false).is_some() {
        return None;
    }
    let container = Container::JsonEnvelope {
        key,
        once: false,
        body: 0,
    };
    for (start, end) in records.iter().take(16) {
        let text = String::from_utf8_lossy(&head[*start..*end]);
        let (keys, broken) = keys_of(&text);
        if let Some((kind, why)) = object_kind(&keys, broken) {
            return Some(known(container, kind, format!("`{key}` with {why}")));
        }
    }
    match records.first() {
        None => Some(Detected::Empty("the answer has no records")),
        Some((start, end)) => {
            let (keys, _) = keys_of(&String::from_utf8_lossy(&head[*start..*end]));
            let names: Vec<String> = keys.into_iter().map(|k| k.0).collect();
            let table = crate::catalog::table(super::OTHER);
            let why = format!(
                "`{key}` with objects of no known kind (keys {})",
                super::few(&names)
            );
            Some(known(container, Kind::Objects { table }, why))
        }
    }
}

/// The answer of Data Explorer in frames (version 2): the rows stand in the table of kind PrimaryResult.
fn frames(head: &[u8]) -> Detected {
    let find = |mark: &str| memchr::memmem::find(head, mark.as_bytes());
    if find("\"TableFragment\"").is_some() {
        return Detected::Unknown(
            "query answer in fragments: ask for it without `results_progressive_enabled`".into(),
        );
    }
    let Some(at) = find("\"PrimaryResult\"") else {
        return Detected::Unknown("query answer in frames, none of them a primary result".into());
    };
    // Its columns may stand before its kind.
    let body = memchr::memmem::rfind(&head[..at], b"\"FrameType\"").unwrap_or(at);
    row_envelope(head, body, "Rows", "Columns", "ColumnName")
}

/// A query answer: names of columns, and rows as arrays.
fn row_envelope(
    head: &[u8],
    body: usize,
    key: &'static str,
    columns: &str,
    name: &str,
) -> Detected {
    let unknown = |why: &str| Detected::Unknown(format!("query answer {why}"));
    let head = &head[body..];
    let mut cutter = json::Cutter::within(key, true);
    let rows = cutter.scan(head).to_vec();
    let text = String::from_utf8_lossy(head);
    let Some(list) = text
        .split_once(&format!("\"{columns}\""))
        .and_then(|(_, rest)| {
            let rest = rest.trim_start().strip_prefix(':')?;
            serde_json::Deserializer::from_str(rest)
                .into_iter::<Vec<serde_json::Value>>()
                .next()?
                .ok()
        })
    else {
        return unknown("without its columns before its rows");
    };
    let header: Vec<String> = list
        .iter()
        .map(|c| c[name].as_str().unwrap_or_default().to_string())
        .collect();
    let Some((start, end)) = rows.first() else {
        return Detected::Empty("the answer has no rows");
    };
    let named = header.iter().position(|n| n == "Type" || n == "$table");
    let mut says = None;
    let first = String::from_utf8_lossy(&head[*start..*end]).into_owned();
    // A first row that is broken says nothing of its table.
    let _ = json::elements(&first, |i, raw| {
        if Some(i) == named {
            says = raw.text().map(|t| t.into_owned());
        }
    });
    let by_type = says
        .as_deref()
        .and_then(|t| catalog().get(t))
        .filter(|t| t.by_day);
    let (table, why) = match by_type.or_else(|| catalog().best_match(&header, 0.6)) {
        Some(table) => (
            table,
            format!("query answer with columns of {}", table.name),
        ),
        None => (
            crate::catalog::table(super::OTHER),
            format!(
                "query answer with columns of no known table ({})",
                super::few(&header)
            ),
        ),
    };
    let targets = header.iter().map(|n| columns::target(table, n)).collect();
    known(
        Container::JsonEnvelope {
            key,
            once: true,
            body,
        },
        Kind::Cells {
            table,
            targets,
            named: named.filter(|_| by_type.is_some()),
        },
        why,
    )
}

/// Keys of an object with their short texts, and whether it breaks off.
fn keys_of(text: &str) -> (Vec<(String, String)>, bool) {
    let mut keys: Vec<(String, String)> = Vec::new();
    let broken = json::entries(text, |key, raw| {
        if keys.len() < 512 {
            let value = match raw {
                json::Raw::Text { inner, .. } if inner.len() < 200 => inner.to_string(),
                _ => String::new(),
            };
            keys.push((key.to_string(), value));
        }
    })
    .is_err();
    (keys, broken)
}

/// What an object is, from its keys (with the values that are short strings); of a `partial` one the last keys are missing.
fn object_kind(keys: &[(String, String)], partial: bool) -> Option<(Kind, String)> {
    let has = |name: &str| keys.iter().any(|k| k.0 == name);
    let value = |name: &str| {
        keys.iter()
            .find(|k| k.0 == name)
            .map_or("", |k| k.1.as_str())
    };
    if has("properties")
        && (value("category").starts_with("AdvancedHunting-") || (has("category") && has("time")))
    {
        return Some((
            Kind::Streamed,
            format!("objects with category `{}`", value("category")),
        ));
    }
    if has("AuditData") || (has("auditData") && has("auditLogRecordType")) {
        return Some((Kind::AuditWrapped, "objects with AuditData".into()));
    }
    if (has("Operation") || (partial && has("Id") && has("CreationTime")))
        && (has("CreationTime") || has("RecordType"))
        && (has("Id") || has("CreationTime"))
        && !has("TimeGenerated")
    {
        return Some((
            Kind::Audit,
            "objects with Operation, CreationTime and RecordType".into(),
        ));
    }
    if let Some(table) = catalog().get(value("Type")).filter(|t| t.by_day) {
        return Some((
            Kind::Objects { table },
            format!("objects with Type `{}`", table.name),
        ));
    }
    let names: Vec<String> = keys.iter().map(|k| bare_name(&k.0).to_string()).collect();
    let table = catalog().best_match(&names, 0.6)?;
    Some((
        Kind::Objects { table },
        format!("most keys are columns of {}", table.name),
    ))
}
