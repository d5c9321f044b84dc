//! Times in a file: which columns and keys have them, and whether the day or the month stands first in them.

use std::collections::{BTreeMap, HashMap};

use super::super::columns::{self, Target, is_named, target_timed};
use super::super::csv::{self, Fields, Next};
use super::super::json;
use super::super::suffixed;
use super::super::time::names::{self, Beside};
use super::super::time::{self, DateOrder, Evidence};
use super::found::{Container, Detected, Format, Hints, Kind};
use crate::catalog::{Kusto, TIME, Table};

/// Bytes of a JSON file's beginning that are searched for dates.
const JSON_BYTES: usize = 256 << 10;

/// Notes what the user said of times, and what the beginning of a file says of the order of day and month.
pub(super) fn settled(detected: Detected, head: &[u8], hints: &Hints) -> Detected {
    let mut format = match detected {
        Detected::Known(format) => format,
        other => return other,
    };
    format.order = hints.order;
    format.zone = hints.zone;
    format.time_column = hints
        .time_column
        .clone()
        .filter(|column| has_column(&format, head, column));
    if let Format {
        kind: Kind::Cells { targets, .. },
        header,
        time_column: Some(column),
        ..
    } = &mut *format
    {
        for (target, name) in targets.iter_mut().zip(header.iter()) {
            if is_named(name, column) {
                *target = target.clone().asked(name);
            }
        }
    }
    if format.order.is_some() {
        return Detected::Known(format);
    }
    let rows = first_rows(&format, head);
    let beginning = match format.container {
        Container::Csv { body, .. } => &head[body.min(head.len())..],
        _ if rows.is_some() => head,
        _ => &head[..head.len().min(JSON_BYTES)],
    };
    match order_evidence(&format, beginning, rows.as_deref()) {
        Evidence::Decided(order) => format.order = Some(order),
        Evidence::Ambiguous => format.order_open = !has_own_time(&format.kind),
        Evidence::Contradictory if !has_own_time(&format.kind) => {
            return Detected::Unknown(
                "dates with the day first and dates with the month first in one file: say --date-order mdy or --date-order dmy"
                    .into(),
            );
        }
        Evidence::NotNeeded | Evidence::Contradictory => {}
    }
    Detected::Known(format)
}

/// Where rows that are arrays stand in the beginning of a file; nothing where it has no such rows.
fn first_rows(format: &Format, head: &[u8]) -> Option<Vec<(usize, usize)>> {
    let Container::JsonEnvelope { key, once, body } = format.container else {
        return None;
    };
    if !matches!(format.kind, Kind::Cells { .. }) {
        return None;
    }
    let mut cutter = json::Cutter::within(key, once);
    let rows = cutter.scan(head.get(body..)?).iter();
    Some(
        rows.map(|(start, end)| (body + start, body + end))
            .collect(),
    )
}

/// Whether the dates of the export are beside records that have times of their own.
fn has_own_time(kind: &Kind) -> bool {
    matches!(kind, Kind::AuditCell { .. } | Kind::AuditWrapped)
}

/// Whether a file has a column or a key of this name.
fn has_column(format: &Format, head: &[u8], column: &str) -> bool {
    if !format.header.is_empty() {
        return format.header.iter().any(|name| is_named(name, column));
    }
    // Of rows without a header the user named all columns.
    if let Kind::Cells { targets, .. } = &format.kind {
        return targets
            .iter()
            .any(|t| matches!(t, Target::Timed(timed) if timed.rank == 0));
    }
    if let Kind::Objects { .. } | Kind::Recast { .. } = &format.kind
        && let Some(found) = has_own_key(format, head, column)
    {
        return found;
    }
    let mut found = false;
    each_key(head, |key, _| {
        found |= is_named(&String::from_utf8_lossy(key), column);
    });
    found
}

/// Whether one of the first records has a key of this name itself, and not only something inside it; nothing where no record was found.
fn has_own_key(format: &Format, head: &[u8], column: &str) -> Option<bool> {
    let (mut cutter, body) = match format.container {
        Container::JsonEnvelope { key, once, body } => (json::Cutter::within(key, once), body),
        _ => (json::Cutter::default(), 0),
    };
    let head = head.get(body..)?;
    let (mut read, mut found) = (false, false);
    for (start, end) in cutter.scan(head) {
        let text = String::from_utf8_lossy(&head[*start..*end]);
        // What is no object is said when it is read.
        read |= json::entries(&text, |key, _| found |= is_named(&key, column)).is_ok();
    }
    read.then_some(found)
}

/// Whether this name stands anywhere in the beginning of a file.
pub fn mentions(head: &[u8], name: &str) -> bool {
    /// A header is shorter.
    const BYTES: usize = 64 << 10;
    let head = String::from_utf8_lossy(&head[..head.len().min(BYTES)]).to_lowercase();
    let name = name.trim().to_lowercase();
    !name.is_empty() && head.contains(&name)
}

/// What the times in a piece of a file say about the order of day and month; `records` is where records stand in it, where that is known.
pub fn order_evidence(
    format: &Format,
    body: &[u8],
    records: Option<&[(usize, usize)]>,
) -> Evidence {
    let mut said = Said::default();
    match format.container {
        Container::Csv { delimiter, .. } => in_cells(format, body, delimiter, &mut said),
        Container::JsonLines | Container::JsonValues | Container::JsonEnvelope { .. } => {
            match &format.kind {
                Kind::Cells { table, targets, .. } => {
                    for (start, end) in records.unwrap_or_default() {
                        in_row(table, targets, &body[*start..*end], &mut said);
                    }
                }
                _ => in_json(format, body, &mut said),
            }
        }
        Container::FormatList => {
            for line in body.split(|b| *b == b'\n') {
                let line = String::from_utf8_lossy(line);
                if let Some((name, value)) = line.split_once(':')
                    && name.trim().eq_ignore_ascii_case("CreationDate")
                {
                    said.hear(0, value);
                }
            }
        }
        // Its dates are ISO 8601.
        Container::W3c => {}
    }
    said.evidence()
}

/// What times say, by how closely they are the time of the record, 0 closest.
#[derive(Default)]
struct Said(BTreeMap<u8, Evidence>);

impl Said {
    fn hear(&mut self, class: u8, text: &str) {
        let evidence = time::order_in(text);
        // An ISO time among the closest makes the order of the others unimportant.
        if evidence != Evidence::NotNeeded || time::parse(text, Some(DateOrder::DayFirst)).is_some()
        {
            let said = self.0.entry(class).or_insert(Evidence::NotNeeded);
            *said = said.and(evidence);
        }
    }

    /// The closest times must be told apart; the others may help.
    fn evidence(&self) -> Evidence {
        let beside = Beside::of(self.0.keys().copied());
        let closest = self.0.iter().min_by_key(|(class, _)| beside.place(**class));
        let Some((_, closest)) = closest else {
            return Evidence::NotNeeded;
        };
        let all = self.0.values().fold(Evidence::NotNeeded, |a, b| a.and(*b));
        match (*closest, all) {
            (Evidence::NotNeeded | Evidence::Ambiguous, Evidence::Decided(order)) => {
                Evidence::Decided(order)
            }
            (closest, _) => closest,
        }
    }
}

fn in_cells(format: &Format, body: &[u8], delimiter: u8, said: &mut Said) {
    let is_asked = |i: usize| {
        let column = format.time_column.as_deref();
        let name = format.header.get(i);
        column.is_some_and(|c| name.is_some_and(|n| is_named(n, c)))
    };
    let mut cell = None;
    let columns: Vec<(usize, u8)> = match &format.kind {
        Kind::AuditCell { time, .. } => time.iter().map(|i| (*i, 0)).collect(),
        Kind::AuditFlat { names } => (0..names.len())
            .filter_map(|i| match suffixed::is_time(&names[i]) {
                true => Some((i, 0)),
                false => is_asked(i).then_some((i, 1)),
            })
            .collect(),
        Kind::Cells { table, targets, .. } => (0..targets.len())
            .filter_map(|i| Some((i, class(table, &targets[i])?)))
            .collect(),
        Kind::WrappedCell { cell: at, .. } => {
            cell = Some(*at);
            Vec::new()
        }
        _ => return,
    };
    let mut fields = Fields::default();
    let mut at = 0;
    let width = format.header.len();
    while let Next::Record { next, .. } = csv::next_row(body, at, delimiter, width, &mut fields) {
        for (column, class) in &columns {
            if let Some(field) = fields.get(*column) {
                said.hear(*class, &String::from_utf8_lossy(field));
            }
        }
        if let Some(record) = cell.and_then(|cell| fields.get(cell)) {
            in_json(format, record, said);
        }
        fields.clear();
        at = next;
    }
}

/// A row that is an array.
fn in_row(table: &Table, targets: &[Target], row: &[u8], said: &mut Said) {
    let row = String::from_utf8_lossy(row);
    // What is broken goes to quarantine when it is read.
    let _ = json::elements(&row, |i, value| {
        if let Some(class) = targets.get(i).and_then(|target| class(table, target))
            && let json::Raw::Text { .. } = value
            && let Some(text) = value.text()
        {
            said.hear(class, &text);
        }
    });
}

fn in_json(format: &Format, body: &[u8], said: &mut Said) {
    /// Times are shorter, and begin with a digit where the order of their numbers is open.
    const LONGEST: usize = 64;
    let mut classes: HashMap<&[u8], Option<u8>> = HashMap::new();
    each_key(body, |key, value| {
        let Some(value) = value.filter(|v| v.len() <= LONGEST) else {
            return;
        };
        // A browser puts a mark of direction before it.
        let is_begin = |b: &u8| b.is_ascii_digit() || matches!(b, b'\\' | 0xe2 | b'\'');
        if !value.first().is_some_and(is_begin) {
            return;
        }
        let of_key = || key_class(format, &String::from_utf8_lossy(key));
        let Some(class) = *classes.entry(key).or_insert_with(of_key) else {
            return;
        };
        let text = String::from_utf8_lossy(value);
        match text.contains('\\') {
            true => said.hear(class, &json::unescape(&text)),
            false => said.hear(class, &text),
        }
    });
}

/// How closely the values under a key are the time of the record.
fn key_class(format: &Format, key: &str) -> Option<u8> {
    let asked = format.time_column.as_deref();
    let is_asked = asked.is_some_and(|column| is_named(key, column));
    match &format.kind {
        Kind::Objects { table } => class(table, &target_timed(table, key, asked)),
        Kind::Audit | Kind::AuditWrapped => match key {
            "CreationTime" => Some(0),
            "CreationDate" | "createdDateTime" => Some(1),
            _ => None,
        },
        Kind::Wrapped { .. } | Kind::WrappedCell { .. } | Kind::Recast { .. } => match key {
            "CreationTime" => Some(0),
            _ if is_asked => Some(0),
            other => names::rank(other),
        },
        // Services write ISO 8601, and rows that are arrays have no keys.
        _ => None,
    }
}

/// How closely the values of a column are the time of the record, 0 closest; nothing where they are no times.
fn class(table: &Table, target: &Target) -> Option<u8> {
    match target {
        Target::Time(_) => Some(0),
        Target::Column(c) => (table.columns[*c].kusto == Kusto::DateTime).then_some(0),
        Target::Local(inner) => class(table, inner).or(Some(0)),
        Target::East(_, inner) => class(table, inner),
        Target::Timed(timed) => Some(timed.rank),
        _ => None,
    }
}

/// Whether the values of a column may be the time of a record.
pub fn tells_time(table: &Table, target: &Target) -> bool {
    class(table, target).is_some()
}

/// Calls back for each key of JSON, with the text behind it where that is one. Takes any piece of a file that begins outside a text.
fn each_key<'a>(bytes: &'a [u8], mut found: impl FnMut(&'a [u8], Option<&'a [u8]>)) {
    let blanks = |at: usize| {
        let rest = &bytes[at.min(bytes.len())..];
        at + rest.iter().take_while(|b| b.is_ascii_whitespace()).count()
    };
    let mut at = 0;
    while let Some(i) = memchr::memchr(b'"', &bytes[at..]) {
        let start = at + i + 1;
        let Some(end) = end_of_text(bytes, start) else {
            return;
        };
        at = end + 1;
        let colon = blanks(at);
        if bytes.get(colon) != Some(&b':') {
            continue;
        }
        at = blanks(colon + 1);
        let value = match bytes.get(at) {
            Some(b'"') => end_of_text(bytes, at + 1).map(|end| (at + 1, end)),
            _ => None,
        };
        found(&bytes[start..end], value.map(|(from, to)| &bytes[from..to]));
        at = value.map_or(at, |(_, to)| to + 1);
    }
}

/// Where a text of JSON ends that begins at `at`.
fn end_of_text(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let i = memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes[at + i] {
            b'"' => return Some(at + i),
            _ => at += i + 2,
        }
    }
}

/// Whether the times of this table's rows come from the file at all.
pub fn has_time(format: &Format) -> bool {
    let is_any = |table: &Table, target: &Target| match target {
        Target::Timed(_) => true,
        Target::East(_, inner) if matches!(**inner, Target::Timed(_)) => true,
        other => is_time(table, other),
    };
    match &format.kind {
        Kind::Cells { table, targets, .. } => targets.iter().any(|t| is_any(table, t)),
        _ => true,
    }
}

/// Whether a column is the time of its table's events.
pub(super) fn is_time(table: &Table, target: &Target) -> bool {
    match target {
        Target::Time(_) | Target::HalfTime(_) => true,
        Target::Local(inner) | Target::East(_, inner) => is_time(table, inner),
        Target::Timed(timed) => timed.rank == 0 || is_time(table, &timed.inner),
        Target::Column(c) => {
            table.columns[*c].name == TIME || columns::MADE.contains(&table.columns[*c].name)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_their_texts_are_found_in_any_piece() {
        let mut seen = Vec::new();
        let piece = br#", {"a" : "1\"x", "b":{"c":"2"}, "d":[ "3" ]}, {"e": "cut"#;
        each_key(piece, |key, value| {
            let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
            seen.push((text(key), value.map(text)));
        });
        let pair = |key: &str, value: Option<&str>| (key.to_string(), value.map(str::to_string));
        assert_eq!(
            seen,
            [
                pair("a", Some("1\\\"x")),
                pair("b", None),
                pair("c", Some("2")),
                pair("d", None),
                pair("e", None)
            ]
        );
    }

    #[test]
    fn the_closest_times_decide_whether_an_order_is_needed() {
        let said = |times: &[(u8, &str)]| {
            let mut said = Said::default();
            for (class, text) in times {
                said.hear(*class, text);
            }
            said.evidence()
        };
        let (iso, open, day) = (
            "2026-05-03T10:00:00",
            "05/03/2026 10:00",
            "17/03/2026 10:00",
        );
        assert_eq!(said(&[(0, iso), (3, open)]), Evidence::NotNeeded);
        assert_eq!(said(&[(2, open), (3, iso)]), Evidence::Ambiguous);
        assert_eq!(
            said(&[(2, open), (3, day)]),
            Evidence::Decided(DateOrder::DayFirst)
        );
        assert_eq!(said(&[(0, "10:00:00"), (3, open)]), Evidence::Ambiguous);
    }
}
