//! What the user said the rows are (`--as`), where they do not say it themselves: of no known table, or by the names of their columns only.

use super::super::columns;
use super::super::json::Cutter;
use super::super::recast::AUDIT;
use super::found::{Container, Detected, Format, Hints, Kind, OTHER, Rows};
use super::header::cells_of;
use super::object::keys_of;
use super::reason::{self, SAID};
use super::{spelled, ties};
use crate::catalog::Table;

/// In a reason: the user's word was not taken, and why not.
const NOT_TAKEN: &str = " is not taken: ";
const TOO_FEW: &str = "too few of its columns are there";
const OTHER_LENGTH: &str = "the file has more or fewer columns than it names";
const OWN: &str = "its rows say what they are";

/// The table that the rows are of, as the user named it.
fn name(rows: &Rows) -> &str {
    rows.called.as_deref().unwrap_or(rows.table.name)
}

/// Whether the user's word goes before what was found. A name of the user's own does for all rows that do not say what they are; a table that is
/// stored for those that have enough of its columns: most where another table was found by them, else a third.
fn applies<'n>(own: &Table, why: &str, rows: &Rows, names: impl Iterator<Item = &'n str>) -> bool {
    let is_guess = reason::is_by_columns(why) || why.starts_with(spelled::SIGN_INS);
    if rows.called.is_some() {
        return is_guess || own.name == OTHER;
    }
    let (mut known, mut all) = (0, 0);
    for name in names {
        all += 1;
        known += usize::from(!columns::target(rows.table, name).is_extra());
    }
    match own.name {
        OTHER => known >= 2 && known * 3 >= all,
        _ => is_guess && known * 10 >= all * 6 && all > 0,
    }
}

fn said(rows: &Rows, why: &str) -> String {
    format!("{SAID}{}; by itself {why}", name(rows))
}

fn not_said(rows: &Rows, why: &str, reason: &str) -> String {
    format!("{why}; {SAID}{}{NOT_TAKEN}{reason}", name(rows))
}

/// The name under which rows of no known table are kept, where the user gave one.
pub(super) fn called(why: &str, hints: &Hints) -> Option<String> {
    let taken = why.starts_with(SAID) || why.starts_with("no header; ");
    hints.rows.as_ref()?.called.clone().filter(|_| taken)
}

/// What rows with this header are by what the user said; else as they were found.
pub(super) fn rows(kind: Kind, why: String, header: &[String], hints: &Hints) -> (Kind, String) {
    let Some(rows) = &hints.rows else {
        return (kind, why);
    };
    let own = match &kind {
        Kind::Cells {
            table, named: None, ..
        } => *table,
        // These say what they are.
        _ => return (kind, why),
    };
    // The user may have given the columns names of their own; then those of the file tell nothing of the table.
    let names: &[String] = match rows.columns.as_slice() {
        [] if own.name == name(rows) => return (kind, why),
        [] => header,
        listed if listed.len() != header.len() => {
            return (kind, not_said(rows, &why, OTHER_LENGTH));
        }
        listed => listed,
    };
    if !applies(own, &why, rows, names.iter().map(String::as_str)) {
        return (kind, not_said(rows, &why, TOO_FEW));
    }
    (cells_of(rows.table, names, None, hints), said(rows, &why))
}

/// The same of JSON objects and of rows of query answers.
pub(super) fn objects(detected: Detected, head: &[u8], hints: &Hints) -> Detected {
    let Some(rows) = &hints.rows else {
        return detected;
    };
    let mut format = match detected {
        Detected::Known(format) => format,
        other => return other,
    };
    let own = match &format.kind {
        Kind::Objects { table }
        | Kind::Cells {
            table, named: None, ..
        } => *table,
        _ => return Detected::Known(format),
    };
    let by_type = ties::is_said(&format.why);
    if own.name == name(rows) || by_type {
        return Detected::Known(format);
    }
    let names = match format.header.is_empty() {
        true => keys(&format, head),
        // Rows of a query answer are arrays.
        false => format.header.clone(),
    };
    if applies(own, &format.why, rows, names.iter().map(String::as_str)) {
        spelled::move_to(&mut format, rows.table);
        format.why = said(rows, &format.why);
        format.called.clone_from(&rows.called);
    } else {
        format.why = not_said(rows, &format.why, TOO_FEW);
    }
    Detected::Known(format)
}

/// The keys of the first object.
fn keys(format: &Format, head: &[u8]) -> Vec<String> {
    let (mut cutter, body) = match format.container {
        Container::JsonEnvelope { key, once, body } => (Cutter::within(key, once), body),
        _ => (Cutter::default(), 0),
    };
    let Some((head, (start, end))) = head
        .get(body..)
        .and_then(|head| Some((head, *cutter.scan(head).first()?)))
    else {
        return Vec::new();
    };
    let (keys, _) = keys_of(&String::from_utf8_lossy(&head[start..end]));
    keys.into_iter().map(|(key, _)| key).collect()
}

/// What is to be said where the user's word was not taken.
pub fn refused(format: &Format, hints: &Hints) -> Option<String> {
    let name = name(hints.rows.as_ref()?);
    let why = &format.why;
    let told = |reason: &&str| why.contains(&format!("{NOT_TAKEN}{reason}"));
    if [TOO_FEW, OTHER_LENGTH].iter().any(told) {
        return Some(why.clone());
    }
    let own = match &format.kind {
        Kind::Cells { table, .. } | Kind::Objects { table } => table.name,
        Kind::AuditCell { .. } | Kind::AuditFlat { .. } | Kind::Audit | Kind::AuditWrapped => AUDIT,
        Kind::Recast { recast } => recast.table,
        // Each of their records says its table.
        Kind::Streamed | Kind::Wrapped { .. } | Kind::WrappedCell { .. } => "",
    };
    let taken = why.contains(SAID) || own == name || reason::says(why, name);
    (!taken).then(|| format!("{SAID}{name}{NOT_TAKEN}{OWN}"))
}
