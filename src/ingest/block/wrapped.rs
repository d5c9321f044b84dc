//! Records in objects or cells of another tool.
//!
//! Records that are texts in their objects have to be unescaped first, all of a block, so that rows can be made of slices of them.

use std::sync::Arc;

use super::super::format::{Format, Inner, inside, records};
use super::super::rows::Slot;
use super::super::time::{self, DateOrder};
use super::super::wrappers::{self, Wrapper};
use super::super::{answers, audit, behind, csv};
use super::objects::{Objects, is_object};
use super::piece::{Block, Converted};
use super::swallowed::{is_end, swallowed};

/// Where a value stands, its bytes, and what is inside of it.
type Opened<'b> = (usize, &'b [u8], Result<Vec<Inner<'b>>, String>);

/// Converts objects of another tool.
pub(super) fn objects(
    format: &Arc<Format>,
    wrapper: &'static Wrapper,
    block: &Block,
    out: &mut Converted,
) {
    let opened: Vec<Opened<'_>> = places(block)
        .into_iter()
        .map(|(start, end)| {
            let bytes = &block.bytes[start..end];
            let opened = match std::str::from_utf8(bytes) {
                Ok(text) => open(text, wrapper),
                Err(_) => Err("not valid UTF-8".into()),
            };
            (start, bytes, opened)
        })
        .collect();
    let mut objects = Objects::new(format);
    for (offset, bytes, opened) in &opened {
        let opened = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                out.reject(*offset, reason.as_str(), bytes);
                continue;
            }
        };
        for inner in opened {
            match add(&mut objects, inner, format.order, out) {
                Ok(()) => out.records += 1,
                Err(_) if behind::is_remark(bytes) => out.remark(behind::REMARKS),
                Err(reason) => out.reject(*offset, at(&inner.path, &reason), bytes),
            }
        }
    }
}

fn add<'b>(
    objects: &mut Objects<'_, 'b>,
    inner: &'b Inner<'b>,
    order: Option<DateOrder>,
    out: &mut Converted,
) -> Result<(), String> {
    let time = inner.time.as_deref().and_then(|text| moment(text, order));
    objects.held(&inner.kind, &inner.text, &inner.around, time, out)
}

/// A reason with the place of the record in its object.
fn at(path: &str, reason: &str) -> String {
    match path {
        "" => reason.into(),
        // What the summary counts begins alike.
        _ if answers::is_error(reason) => reason.into(),
        path => format!("`{path}`: {reason}"),
    }
}

/// Where the objects of a block stand.
fn places(block: &Block) -> Vec<(usize, usize)> {
    let bytes = &block.bytes;
    let mut out = Vec::new();
    let Some(records) = &block.records else {
        let mut start = 0;
        for line in bytes.split(|b| *b == b'\n') {
            let end = start + line.len();
            let begin = csv::next_start(&bytes[..end], start);
            let line = &bytes[begin..end];
            let blank = line.len() - line.trim_ascii_start().len();
            let text = line.trim_ascii();
            let behind = match text.first() {
                None | Some(b'{') => 0,
                Some(_) => behind::object(text).unwrap_or(0),
            };
            if !text.is_empty() {
                out.push((begin + blank + behind, begin + blank + text.len()));
            }
            start = end + 1;
        }
        return out;
    };
    for (start, end) in records {
        let text = bytes[*start..*end].trim_ascii();
        if is_object(text) {
            out.push((*start, *end));
            continue;
        }
        if is_end(text) {
            continue;
        }
        // A stray quote or a lost bracket swallows the records after it.
        let parts = swallowed(block, (*start, *end));
        match parts.len() {
            0 | 1 => out.push((*start, *end)),
            _ => out.extend(parts),
        }
    }
    out
}

fn open<'b>(text: &'b str, wrapper: &'static Wrapper) -> Result<Vec<Inner<'b>>, String> {
    if let Some(reason) = answers::no_event(text) {
        return Err(reason);
    }
    // In an event of another kind a loose wrapper is only a key of it.
    let found =
        inside(text, Some(wrapper)).filter(|inside| inside.wrapper == wrapper || !inside.is_loose);
    if let Some(inside) = found {
        return Ok(inside.records);
    }
    // An error answer in the place of a record.
    let instead = wrappers::holds(text, Some(wrapper))
        .take(1)
        .flat_map(|held| held.records)
        .find_map(|record| answers::no_event(&record));
    match instead {
        Some(reason) => Err(reason),
        None => Ok(vec![Inner::itself(text)]),
    }
}

/// A time as tools write it beside a record: as text, or in seconds or milliseconds since 1970.
fn moment(text: &str, order: Option<DateOrder>) -> Option<i64> {
    /// Digits of milliseconds; seconds have ten.
    const MILLISECONDS: usize = 13;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return time::parse(text, order);
    }
    let number: i64 = whole.parse().ok()?;
    match whole.len() {
        MILLISECONDS => number.checked_mul(1000),
        10 => {
            let micros: String = part.chars().chain("000000".chars()).take(6).collect();
            number
                .checked_mul(1_000_000)?
                .checked_add(micros.parse().ok()?)
        }
        _ => None,
    }
}

/// A row of cells of another tool.
pub(super) struct CellRow<'b> {
    /// Its cells.
    pub values: Vec<&'b str>,
    /// Its number in the block.
    pub number: u64,
    /// Where it stands.
    pub offset: usize,
    /// Its bytes.
    pub raw: &'b [u8],
}

/// Converts rows with a record in a cell; the other cells are kept beside it. A row without a record there goes to quarantine. Gives how
/// many records more there were than rows.
pub(super) fn cells(
    format: &Arc<Format>,
    (cell, names): (usize, &[String]),
    rows: &[CellRow<'_>],
    out: &mut Converted,
) -> u64 {
    let opened: Vec<Vec<Inner<'_>>> = rows
        .iter()
        .map(|row| {
            let text = row.values.get(cell).copied().unwrap_or_default();
            let mut inner = match text.trim().is_empty() {
                true => Vec::new(),
                false => records(text),
            };
            for one in &mut inner {
                one.around.extend(beside(row, cell, names));
            }
            inner
        })
        .collect();
    let name = names.get(cell).map_or("", String::as_str);
    let mut objects = Objects::new(format);
    let mut more = 0;
    for (row, opened) in rows.iter().zip(&opened) {
        out.records = row.number + more;
        if opened.is_empty() {
            let reason = audit::Refusal::Empty.to_string();
            out.reject(row.offset, at(name, &reason), row.raw);
        }
        for (i, inner) in opened.iter().enumerate() {
            if i > 0 {
                more += 1;
            }
            match add(&mut objects, inner, format.order, out) {
                Ok(()) => out.records += 1,
                Err(reason) => out.reject(row.offset, at(name, &reason), row.raw),
            }
        }
    }
    more
}

/// The cells beside the one with the record.
fn beside<'b>(
    row: &CellRow<'b>,
    cell: usize,
    names: &[String],
) -> impl Iterator<Item = (String, Slot<'b>)> {
    let values = row.values.iter().enumerate();
    let values = values.filter(move |(i, v)| *i != cell && !v.is_empty());
    values.map(move |(i, value)| {
        let name = match names.get(i) {
            Some(name) => name.clone(),
            None => format!("column {}", i + 1),
        };
        (name, Slot::Text((*value).into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_beside_a_record_are_read_as_tools_write_them() {
        let at = time::parse("2026-05-24T08:01:01Z", None);
        for text in [
            "2026-05-24T08:01:01.000+00:00",
            "1779609661",
            "1779609661.000",
            "1779609661000",
        ] {
            assert_eq!(moment(text, None), at, "{text}");
        }
        for none in ["", "12", "99999999999999999999", "soon"] {
            assert_eq!(moment(none, None), None, "{none}");
        }
    }
}
