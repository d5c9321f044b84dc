//! Records that are rows of query answers: JSON arrays below the names of their columns.

use std::sync::Arc;

use super::super::format::{self, Container, Detected, Format, Hints, Kind};
use super::super::rows::TableRows;
use super::super::{Reject, answers, behind, json};
use super::piece::{Block, Converted};
use super::several::Several;

/// Rows that are JSON arrays, as in query answers.
pub(super) fn rows_of_arrays(format: &Arc<Format>, block: &Block, out: &mut Converted) {
    let further = arrays(format, block, out, further_answer);
    out.tables.extend(further);
}

/// The rows of one answer; what stands there instead of a row is given to `instead`, and rows that it finds are returned.
fn arrays(
    format: &Arc<Format>,
    block: &Block,
    out: &mut Converted,
    instead: impl Fn(&Format, &str) -> Result<Converted, String>,
) -> Vec<TableRows> {
    let mut further = Vec::new();
    let Kind::Cells {
        table,
        targets,
        named,
    } = &format.kind
    else {
        return further;
    };
    let mut several = Several::new(format, table, targets, *named);
    for (start, end) in block.records.iter().flatten() {
        let bytes = &block.bytes[*start..*end];
        let Ok(text) = std::str::from_utf8(bytes) else {
            out.reject(*start, "not valid UTF-8", bytes);
            continue;
        };
        let mut says = None;
        if named.is_some() {
            // What is no row is said by the next look at it.
            let _ = json::elements(text, |i, raw| {
                if Some(i) == *named {
                    says = raw.text();
                }
            });
        }
        let own = match several.of(says.as_deref().unwrap_or_default(), out) {
            Ok(own) => own,
            Err(reason) => {
                out.reject(*start, reason, bytes);
                continue;
            }
        };
        let mut width = 0;
        let walked = json::elements(text, |i, raw| {
            width = i + 1;
            own.set(i, raw.into());
        });
        let reason = match walked {
            Err(fault) => match (answers::error_answer(text), instead(format, text)) {
                (Some(reason), _) => reason,
                (None, Ok(answer)) => {
                    own.clear();
                    further.extend(added(answer, *start, out));
                    continue;
                }
                (None, Err(_)) if behind::is_remark(bytes) => {
                    own.clear();
                    out.remark(behind::REMARKS);
                    continue;
                }
                (None, Err(_)) => fault.to_string(),
            },
            Ok(()) if width != targets.len() => {
                format!("row has {width} columns, the header {}", targets.len())
            }
            Ok(()) => {
                own.push(out.records as i64);
                out.records += 1;
                continue;
            }
        };
        own.clear();
        out.reject(*start, reason, bytes);
    }
    several.finish(out);
    further
}

/// Counts the records of a further answer, which begins at `start` of the block, and gives its rows.
fn added(answer: Converted, start: usize, out: &mut Converted) -> Vec<TableRows> {
    let before = out.records;
    out.records += answer.records;
    out.rejects
        .extend(answer.rejects.into_iter().map(|reject| Reject {
            record: reject.record + before,
            offset: reject.offset + start,
            ..reject
        }));
    for (name, rows) in answer.unknown {
        *out.unknown.entry(name).or_default() += rows;
    }
    let mut tables = answer.tables;
    for record in tables.iter_mut().flat_map(|rows| rows.records.iter_mut()) {
        *record += before as i64;
    }
    tables
}

/// The rows of an answer that stands whole where a row of the one before it could: files of several answers were joined.
fn further_answer(format: &Format, text: &str) -> Result<Converted, String> {
    if !text.starts_with('{') {
        return Err("no answer of a query".into());
    }
    let hints = Hints {
        order: format.order,
        zone: format.zone,
        time_column: format.time_column.clone(),
        ..Hints::default()
    };
    let found = match format::detect(text.as_bytes(), &hints) {
        Detected::Known(found) => found,
        Detected::Empty(format::EMPTY_ANSWER) => return Ok(Converted::default()),
        Detected::Empty(why) => return Err(why.into()),
        Detected::Unknown(why) => return Err(why),
    };
    let Container::JsonEnvelope { key, once, body } = found.container else {
        return Err("no answer of a query".into());
    };
    if !matches!(found.kind, Kind::Cells { .. }) {
        return Err("no answer of a query".into());
    }
    let bytes = text.as_bytes().get(body..).unwrap_or_default().to_vec();
    let mut cutter = json::Cutter::within(key, once);
    cutter.scan(&bytes);
    let (records, _) = cutter.take(&bytes);
    let block = Block {
        bytes,
        records: Some(records),
        last: true,
        ..Block::default()
    };
    let mut out = Converted::default();
    let deeper = |_: &Format, _: &str| Err("an answer in an answer".to_string());
    let further = arrays(&Arc::new(*found), &block, &mut out, deeper);
    out.tables.extend(further);
    for reject in &mut out.rejects {
        reject.offset += body;
    }
    Ok(out)
}
