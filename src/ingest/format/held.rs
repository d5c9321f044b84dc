//! What objects hold in which another tool has put records, and rows that have a record in a cell.

use std::borrow::Cow;

use super::super::columns::{self, bare_name};
use super::super::csv::{self, Fields, Next};
use super::super::recast;
use super::super::rows::Slot;
use super::super::wrappers::{self, Held, Wrapper};
use super::found::{Kind, OTHER, kind_name};
use super::header::is_flat_audit;
use super::object::{keys_of, object_kind};
use super::reason;
use crate::catalog::{catalog, table};

/// Objects of tools in objects of tools: so many of them are opened.
const DEPTH: usize = 4;

/// Records in an object of another tool.
#[derive(Debug)]
pub struct Inside<'a> {
    /// Which holds them.
    pub wrapper: &'static Wrapper,
    /// Whether anything may stand at that place, also in a record.
    pub is_loose: bool,
    /// The records.
    pub records: Vec<Inner<'a>>,
    is_deep: bool,
    why: String,
}

/// A record that was in something else.
#[derive(Debug)]
pub struct Inner<'a> {
    /// The record.
    pub text: Cow<'a, str>,
    /// What it is.
    pub kind: Kind,
    /// The keys that lead to it, as they are spelled.
    pub path: String,
    /// What stands beside them: names and values.
    pub around: Vec<(String, Slot<'a>)>,
    /// The record's own time, as what is around it has it.
    pub time: Option<String>,
    /// Why it is of that kind; nothing for one of no known kind.
    why: Option<String>,
}

impl<'a> Inner<'a> {
    fn new(text: &'a str, kind: Kind, why: Option<String>) -> Inner<'a> {
        Inner {
            text: Cow::Borrowed(text),
            kind,
            path: String::new(),
            around: Vec::new(),
            time: None,
            why,
        }
    }

    /// An object that stands for itself.
    pub fn itself(text: &'a str) -> Inner<'a> {
        Inner::new(text, by_itself(text), None)
    }

    /// Whether it is of a known kind.
    pub fn is_known(&self) -> bool {
        self.why.is_some()
    }

    fn into_owned(self) -> Inner<'static> {
        let owned = |slot: Slot<'_>| match slot {
            Slot::Empty => Slot::Empty,
            Slot::Text(text) => Slot::Text(Cow::Owned(text.into_owned())),
            Slot::Json(json) => Slot::Text(Cow::Owned(json.to_string())),
        };
        let around = self.around.into_iter();
        Inner {
            text: Cow::Owned(self.text.into_owned()),
            around: around.map(|(name, slot)| (name, owned(slot))).collect(),
            kind: self.kind,
            path: self.path,
            time: self.time,
            why: self.why,
        }
    }
}

/// The records that an object holds, where they are of a kind that is known; `first` is where to look first.
pub fn inside<'a>(text: &'a str, first: Option<&'static Wrapper>) -> Option<Inside<'a>> {
    match text.trim_start().starts_with('{') {
        true => opened(text, first, 0),
        false => of_text(text),
    }
}

/// The kind of an object by itself; objects of no known kind are kept as they are.
pub fn by_itself(text: &str) -> Kind {
    let (keys, broken) = keys_of(text);
    object_kind(&keys, broken).map_or(
        Kind::Objects {
            table: table(OTHER),
        },
        |(kind, _)| kind,
    )
}

/// The records in a text, however it is packed; what is none of a known kind is given as it is.
pub fn records(text: &str) -> Vec<Inner<'_>> {
    each(Cow::Borrowed(text), 0, true)
}

/// The records in a value that is a text.
fn of_text(text: &str) -> Option<Inside<'_>> {
    let mut records = records(text);
    let why = records.first()?.why.clone()?;
    let before = text
        .split_once("{\"")
        .map_or("", |(before, _)| before.trim_end());
    if !before.is_empty() && !before.starts_with(['"', '[']) {
        let before = Slot::Text(Cow::Borrowed(before));
        for record in &mut records {
            record.around.push((BEFORE.into(), before.clone()));
        }
    }
    Some(Inside {
        wrapper: &wrappers::TEXT,
        is_loose: false,
        records,
        is_deep: false,
        why,
    })
}

fn opened<'a>(text: &'a str, first: Option<&'static Wrapper>, depth: usize) -> Option<Inside<'a>> {
    if depth == DEPTH {
        return None;
    }
    wrappers::holds(text, first).find_map(|held| all_of(held, depth))
}

/// What is held, where it is of a known kind.
fn all_of(held: Held<'_>, depth: usize) -> Option<Inside<'_>> {
    let (is_deep, is_loose) = (held.is_deep(), held.is_loose());
    let around = held.around.into_iter();
    let around: Vec<(String, Slot<'_>)> =
        around.map(|(name, raw)| (name, Slot::from(raw))).collect();
    let time = held.time.and_then(|raw| raw.text().map(Cow::into_owned));
    let mut records = Vec::new();
    for record in held.records {
        // Texts of objects have quotes in them, and therefore escapes.
        let is_text = matches!(record, Cow::Owned(_));
        records.extend(each(record, depth + 1, is_text));
    }
    let why = match records.first() {
        Some(first) => first.why.clone()?,
        None => "an empty list".into(),
    };
    for record in &mut records {
        for (name, _) in &mut record.around {
            *name = format!("{}.{name}", held.path);
        }
        record.around.extend(around.iter().cloned());
        record.path = match record.path.as_str() {
            "" => held.path.clone(),
            inner => format!("{}.{inner}", held.path),
        };
        if record.time.is_none() {
            record.time.clone_from(&time);
        }
    }
    Some(Inside {
        wrapper: held.wrapper,
        is_loose,
        records,
        is_deep,
        why,
    })
}

fn each(record: Cow<'_, str>, depth: usize, is_text: bool) -> Vec<Inner<'_>> {
    if let Some(Cow::Owned(text)) = wrappers::unpacked(Cow::Borrowed(&record)) {
        let records = one(&text, depth, true);
        if records.first().is_some_and(Inner::is_known) {
            return records.into_iter().map(Inner::into_owned).collect();
        }
    }
    match record {
        Cow::Borrowed(text) => one(text, depth, is_text),
        Cow::Owned(text) => {
            let records = one(&text, depth, is_text).into_iter();
            records.map(Inner::into_owned).collect()
        }
    }
}

/// One record, or what it holds in turn. Lists and pages are opened where they are texts: as values, files are cut at their elements.
fn one(text: &str, depth: usize, is_text: bool) -> Vec<Inner<'_>> {
    let own = own_kind(text);
    if let Some(inside) = within(text, own.as_ref().map(|(kind, _)| kind), depth) {
        return inside.records;
    }
    if let Some((kind, why)) = own {
        return vec![Inner::new(text, kind, Some(why))];
    }
    if is_text
        && depth < DEPTH
        && let Some(list) = wrappers::list(text)
    {
        let mut records = Vec::new();
        for record in list {
            records.extend(each(record, depth + 1, true));
        }
        if records.first().is_some_and(Inner::is_known) {
            return records;
        }
    }
    let other = Kind::Objects {
        table: table(OTHER),
    };
    vec![Inner::new(text, other, None)]
}

fn own_kind(text: &str) -> Option<(Kind, String)> {
    if !text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with('{')
    {
        return None;
    }
    let (keys, broken) = keys_of(text);
    object_kind(&keys, broken)
}

/// What an object of this kind holds.
fn within<'a>(text: &'a str, own: Option<&Kind>, depth: usize) -> Option<Inside<'a>> {
    match own {
        // An audit record may have a text of JSON in it, and so may a row.
        Some(Kind::Audit | Kind::Streamed) => None,
        // Its own reader takes the record as it is.
        Some(Kind::AuditWrapped) => opened(text, None, depth).filter(|i| i.is_deep),
        Some(Kind::Objects { table }) if table.name != OTHER => {
            opened(text, None, depth).filter(|i| !i.is_loose)
        }
        _ => opened(text, None, depth),
    }
}

/// Name under which is kept what a logger wrote before a record on its line.
const BEFORE: &str = "before the record";

/// The kind of a file whose first objects hold records, and why.
pub(super) fn kind_of(firsts: &[&[u8]]) -> Option<(Kind, String)> {
    firsts.iter().find_map(|record| {
        let text = String::from_utf8_lossy(record);
        let own = own_kind(&text);
        let inside = match text.starts_with('"') {
            true => of_text(&text)?,
            false => within(&text, own.as_ref().map(|(kind, _)| kind), 0)?,
        };
        let holds = match inside.records.first() {
            Some(first) => kind_name(&first.kind),
            None => kind_name(&by_itself("{}")),
        };
        let path = inside
            .records
            .first()
            .map_or("", |first| first.path.as_str());
        let why = match path {
            "" => format!("{}: {}", inside.wrapper.name, inside.why),
            path => format!("{}: `{path}` with {}", inside.wrapper.name, inside.why),
        };
        let wrapper = inside.wrapper;
        Some((Kind::Wrapped { wrapper, holds }, why))
    })
}

/// What the first record in these cells is, and why.
fn cells_hold(cells: &[String]) -> Option<(Kind, String)> {
    cells.iter().find_map(|text| {
        let first = records(text).into_iter().next()?;
        Some((first.kind, first.why?))
    })
}

/// The cells of one column of the first rows.
fn column(head: &[u8], body: usize, delimiter: u8, cell: usize) -> Vec<String> {
    /// Rows of which the first with a record tells.
    const ROWS: usize = 16;
    let rows = first_cells(head, body, delimiter, ROWS).into_iter();
    rows.filter_map(|row| row.into_iter().nth(cell)).collect()
}

/// A CSV of no known table any of whose columns holds records.
pub(super) fn any_cell(
    head: &[u8],
    body: usize,
    delimiter: u8,
    names: &[String],
) -> Option<(Kind, String)> {
    let rows = first_cells(head, body, delimiter, 1);
    let first = rows.first()?;
    (0..names.len().min(first.len()))
        .filter(|cell| first[*cell].contains('{'))
        .find_map(|cell| {
            let (kind, why) = cells_hold(&column(head, body, delimiter, cell))?;
            // Objects that only look like rows of a table may be anything.
            let is_record = matches!(kind, Kind::Audit | Kind::AuditWrapped | Kind::Streamed);
            let holds = is_record.then(|| kind_name(&kind))?;
            let why = format!("column `{}` with {why}", names[cell]);
            let names = names.to_vec();
            Some((Kind::WrappedCell { cell, names, holds }, why))
        })
}

/// Names of columns that tools make of the keys of an audit record, as those keys.
fn taken_apart(names: &[String]) -> Option<Vec<String>> {
    const PREFIXES: [&str; 6] = [
        "o365.audit.",
        "_source.o365.audit.",
        "data.office365.",
        "_source.data.office365.",
        "office365.",
        "AuditData.",
    ];
    let prefix = PREFIXES
        .into_iter()
        .find(|p| names.iter().filter(|n| n.starts_with(*p)).count() > 2)?;
    let bare = |name: &String| name.strip_prefix(prefix).unwrap_or(name).to_string();
    let all: Vec<String> = names.iter().map(bare).collect();
    let own = names.iter().filter_map(|name| name.strip_prefix(prefix));
    let own: Vec<String> = own.map(str::to_ascii_lowercase).collect();
    is_flat_audit(&own).then_some(all)
}

/// A CSV whose rows are events in the spelling of another interface, or have a record in a cell.
pub(super) fn rows(
    head: &[u8],
    body: usize,
    delimiter: u8,
    header: &[String],
) -> Option<(Kind, String)> {
    let bare: Vec<String> = header.iter().map(|n| bare_name(n).to_string()).collect();
    if let Some((cell, tool)) = wrappers::cell(&bare)
        && let Some((kind, why)) = cells_hold(&column(head, body, delimiter, cell))
    {
        let holds = kind_name(&kind);
        let why = format!("{tool}: column `{}` with {why}", bare[cell]);
        let names = bare;
        return Some((Kind::WrappedCell { cell, names, holds }, why));
    }
    if let Some(names) = taken_apart(&bare) {
        let why = "columns of the audit record, taken apart".into();
        return Some((Kind::AuditFlat { names }, why));
    }
    let recast = recast::of(bare.iter().map(|n| (n.as_str(), "")))?;
    if recast.table == recast::AUDIT {
        let names = recast.audit_names(&bare);
        return Some((Kind::AuditFlat { names }, recast.name.into()));
    }
    let stored = catalog().get(recast.table).filter(|t| t.by_day);
    let table = stored.unwrap_or(table(OTHER));
    let why = match stored {
        Some(_) => recast.name.to_string(),
        None => {
            let (how, not) = (reason::COLUMNS, reason::NOT_STORED);
            format!("{how} {}{not} ({})", recast.table, recast.name)
        }
    };
    let target = |name: &String| match recast.column(bare_name(name)) {
        Some(column) => columns::target(table, column),
        None => columns::target(table, name),
    };
    let kind = Kind::Cells {
        table,
        targets: header.iter().map(target).collect(),
        named: None,
    };
    Some((kind, why))
}

/// The cells of the first rows.
pub(super) fn first_cells(
    head: &[u8],
    body: usize,
    delimiter: u8,
    rows: usize,
) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    let mut fields = Fields::default();
    let mut at = body;
    while out.len() < rows
        && let Next::Record { next, .. } = csv::next_record(head, at, delimiter, &mut fields)
    {
        if fields.len() == 1 {
            csv::take_apart(delimiter, None, &mut fields, 0);
        }
        if !csv::is_no_row(fields.len(), &fields, 0) {
            let cells = fields
                .iter()
                .map(|f| String::from_utf8_lossy(f).into_owned());
            out.push(cells.collect());
        }
        fields.clear();
        at = next;
    }
    out
}
