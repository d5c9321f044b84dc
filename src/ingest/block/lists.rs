//! Format-List text: `Name   : value` blocks with blank lines between them, as PowerShell prints objects.
//!
//! A long value goes on in the next lines, indented to the column of the first; whether a blank stood where the line was broken cannot be
//! known, so that a broken audit record is tried both ways.

use std::sync::Arc;

use super::super::audit;
use super::super::csv;
use super::super::format::{Format, pair, repeats_the_record};
use super::super::json;
use super::super::rows::{Row, Slot, TableRows};
use super::super::time;
use super::piece::{Block, Converted};
use crate::catalog::table;

/// Where the last whole record of a buffer ends: after an empty line.
pub(super) fn cut(buffer: &[u8]) -> Option<usize> {
    let mut end = buffer.len();
    while let Some(i) = memchr::memrchr(b'\n', &buffer[..end]) {
        let before = memchr::memrchr(b'\n', &buffer[..i]).map_or(0, |p| p + 1);
        if buffer[before..i].trim_ascii().is_empty() {
            return Some(i + 1);
        }
        end = i;
    }
    None
}

struct Value<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
}

impl Value<'_> {
    fn joined(&self, with: &str) -> String {
        self.lines.join(with)
    }
}

pub(super) fn lists(format: &Arc<Format>, block: &Block, out: &mut Converted) {
    let mut rows = TableRows::new(table("UnifiedAuditLog"), format.order);
    let mut start = 0;
    let bytes = &block.bytes;
    while start < bytes.len() {
        start = csv::next_start(bytes, start);
        // A record is the lines up to an empty one.
        let (mut end, mut next) = (start, start);
        loop {
            let stop = memchr::memchr(b'\n', &bytes[next..]).map_or(bytes.len(), |i| next + i + 1);
            let empty = bytes[next..stop].trim_ascii().is_empty();
            next = stop;
            if empty || next >= bytes.len() {
                end = if empty { end } else { stop };
                break;
            }
            end = stop;
        }
        let raw = &bytes[start..end];
        if !raw.trim_ascii().is_empty() {
            match std::str::from_utf8(raw) {
                Err(_) => out.reject(start, "not valid UTF-8", raw),
                Ok(text) => match record(format, text, &mut rows, out.records as i64) {
                    Ok(()) => out.records += 1,
                    Err(reason) => out.reject(start, reason, raw),
                },
            }
        }
        start = next;
    }
    out.tables.push(rows);
}

fn record(
    format: &Arc<Format>,
    text: &str,
    rows: &mut TableRows,
    number: i64,
) -> Result<(), String> {
    let mut values: Vec<Value<'_>> = Vec::new();
    let mut indent = 0;
    for line in text.lines() {
        match (pair(line), values.last_mut()) {
            (Some((name, value, column)), _) => {
                indent = column;
                values.push(Value {
                    name,
                    lines: vec![value],
                });
            }
            (None, Some(last)) => {
                let blank = line.len() - line.trim_start_matches(' ').len();
                last.lines.push(&line[blank.min(indent)..]);
            }
            (None, None) => {
                return Err("text that is no `Name : value` of Format-List".into());
            }
        }
    }
    let Some(record) = values
        .iter()
        .find(|v| v.name.eq_ignore_ascii_case("AuditData"))
    else {
        return Err("a Format-List block without AuditData".into());
    };
    let whole = [record.joined(""), record.joined(" ")]
        .into_iter()
        .find(|text| json::entries(text, |_, _| {}).is_ok());
    let wrapped = record.lines.len() > 1;
    let text = whole.unwrap_or_else(|| record.joined(""));
    let mut row = Row::new(rows.table);
    let mut fallback = None;
    for value in &values {
        let text = value.joined("\n");
        if value.name.eq_ignore_ascii_case("CreationDate") {
            fallback = time::parse(&text, format.order);
        } else if !repeats_the_record(value.name) && !text.trim().is_empty() {
            row.extra_quietly(value.name, &Slot::Text(text.into()));
        }
    }
    audit::push(&text, &mut row, rows, number, fallback).map_err(|refusal| match wrapped {
        true => format!("{refusal}: its lines were wrapped by Format-List"),
        false => refusal.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_at_empty_lines() {
        assert_eq!(cut(b"a : 1\r\n\r\nb : 2\r\n"), Some(9));
        assert_eq!(cut(b"a : 1\nb : 2\n"), None);
    }
}
