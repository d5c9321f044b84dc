//! Records that are lines of W3C logs: values between tabs, below a directive with the names of the fields.

use std::sync::Arc;

use super::super::columns::{Filler, Target, target_timed};
use super::super::csv;
use super::super::format::{Format, Kind};
use super::super::rows::{Slot, TableRows};
use super::piece::{Block, Converted};

/// What follows the last `#Fields:` that begins a line.
pub(super) fn last_fields(bytes: &[u8]) -> Option<Vec<u8>> {
    const MARK: &[u8] = b"#Fields:";
    let mut end = bytes.len();
    while let Some(at) = memchr::memmem::rfind(&bytes[..end], MARK) {
        if at == 0 || bytes[at - 1] == b'\n' {
            let line = &bytes[at + MARK.len()..];
            let stop = memchr::memchr(b'\n', line).unwrap_or(line.len());
            return Some(line[..stop].to_vec());
        }
        end = at;
    }
    None
}

pub(super) fn lines_of_tabs(format: &Arc<Format>, block: &Block, out: &mut Converted) {
    let Kind::Cells { table, targets, .. } = &format.kind else {
        return;
    };
    let mut filler =
        Filler::new(table, format.order, format.zone).timed_by(format.time_column.as_deref());
    let mut rows = TableRows::new(table, format.order);
    let mut at = 0;
    let columns = |line: &[u8]| -> Vec<Target> {
        let names = String::from_utf8_lossy(line);
        let names = names.trim().split('\t');
        let asked = format.time_column.as_deref();
        names
            .map(|n| target_timed(table, n.trim(), asked))
            .collect()
    };
    // Logs that were joined may change their fields on the way.
    let mut targets = match &block.fields {
        Some(line) => columns(line),
        None => targets.clone(),
    };
    while at < block.bytes.len() {
        let end = memchr::memchr(b'\n', &block.bytes[at..]).map_or(block.bytes.len(), |i| at + i);
        let offset = csv::next_start(&block.bytes[..end], at);
        let raw = &block.bytes[offset..end];
        at = end + 1;
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        if let Some(fields) = raw.strip_prefix(b"#Fields:") {
            targets = columns(fields);
        }
        if raw.trim_ascii().is_empty() || raw.starts_with(b"#") {
            continue;
        }
        let Ok(line) = std::str::from_utf8(raw) else {
            out.reject(offset, "not valid UTF-8", raw);
            continue;
        };
        let width = line.split('\t').count();
        // Empty columns at the end of a line may be missing.
        if width > targets.len() || width < 6 {
            out.reject(
                offset,
                format!("line has {width} columns, `#Fields:` {}", targets.len()),
                raw,
            );
            continue;
        }
        for (target, value) in targets.iter().zip(line.split('\t')) {
            filler.set(target, Slot::Text(value.into()));
        }
        filler.push(&mut rows, out.records as i64);
        out.records += 1;
    }
    out.tables.push(rows);
}
