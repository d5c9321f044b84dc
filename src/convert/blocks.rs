//! Converted blocks: rows as arrays, one piece for each table. Made on the core that converted the block.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};

use super::caught::caught;
use crate::catalog::Table;
use crate::ingest::Reject;
use crate::ingest::block::{Block, Converted, Shift};
use crate::ingest::format::{Container, Format};
use crate::ingest::rows::TableRows;
use crate::ingest::time::{Clocks, TakenFrom};

/// Turns a block into rows.
pub(super) type Convert = fn(&Arc<Format>, &Block) -> Converted;

/// Bytes of a block that are kept when it cannot be converted. Blocks have 2 MiB; only those of long records have more.
const KEPT_BYTES: usize = 4 << 20;

/// Rows of one table, in the order of the records, so that the first of two equal ones is the first.
pub(super) struct Piece {
    pub table: &'static Table,
    pub ids: Vec<Option<u128>>,
    pub prints: Vec<u128>,
    /// Numbers of the records in their block, from 0.
    pub records: Vec<i64>,
    /// Event times in microseconds.
    pub times: Vec<Option<i64>>,
    /// Local times that a clock skips or repeats.
    pub clocks: Clocks,
    /// Names under which the times stood, of tables that nobody described.
    pub taken: TakenFrom,
    /// The table's columns; those of lineage are empty still.
    pub columns: Vec<ArrayRef>,
}

impl Piece {
    fn new(mut rows: TableRows) -> Self {
        let mut columns = rows.arrays();
        for column in &mut columns {
            // Builders have room for a thousand rows; a file may have one, and there may be many such files.
            column.shrink_to_fit();
        }
        Piece {
            table: rows.table,
            columns,
            ids: rows.ids,
            prints: rows.prints,
            records: rows.records,
            times: rows.times,
            clocks: rows.clocks,
            taken: rows.taken,
        }
    }

    /// The day of a row, in days since 1970.
    pub(super) fn day(&self, row: usize) -> Option<i32> {
        const DAY_MICROS: i64 = 86_400_000_000;
        self.times[row].map(|t| t.div_euclid(DAY_MICROS) as i32)
    }
}

/// All of a block.
pub(super) struct Pieces {
    pub tables: Vec<Piece>,
    pub rejects: Vec<Reject>,
    pub records: u64,
    pub leftover: Option<usize>,
    pub flattened: u64,
    pub unknown: BTreeMap<String, u64>,
    /// What is to be said of so many records.
    pub remarks: BTreeMap<&'static str, u64>,
    pub shift: Shift,
    /// Whether coldtrail failed on the block: all records are rejected then.
    pub failed: bool,
}

impl Pieces {
    /// Converts a block.
    pub(super) fn of(convert: Convert, format: &Arc<Format>, block: &Block) -> Self {
        caught(|| Pieces::new(convert(format, block))).unwrap_or_else(|fault| {
            let why = format!("could not be converted: {fault}");
            Pieces::rejected(format, block, None, &why)
        })
    }

    fn new(mut converted: Converted) -> Self {
        converted.rejects.sort_by_key(|r| r.record);
        Pieces {
            tables: converted
                .tables
                .into_iter()
                .filter(|rows| !rows.is_empty())
                .map(Piece::new)
                .collect(),
            rejects: converted.rejects,
            records: converted.records,
            leftover: converted.leftover,
            flattened: converted.flattened,
            unknown: converted.unknown,
            remarks: converted.remarks,
            shift: converted.shift,
            failed: false,
        }
    }

    /// A block that coldtrail fails on, up to where its leftover begins: its records, where it is known where they stand, else all of it as
    /// one.
    pub(super) fn rejected(
        format: &Format,
        block: &Block,
        leftover: Option<usize>,
        why: &str,
    ) -> Self {
        let bytes = &block.bytes[..leftover.unwrap_or(block.bytes.len())];
        let records = match (&block.records, &format.container) {
            (Some(records), _) => records.clone(),
            (None, Container::JsonLines) => lines(bytes),
            (None, _) => vec![(0, bytes.len())],
        };
        let rejects: Vec<Reject> = (0..)
            .zip(&records)
            .map(|(record, (start, end))| {
                let bytes = &block.bytes[*start..*end];
                Reject {
                    record,
                    offset: *start,
                    reason: format!("the block that it stands in {why}"),
                    content: bytes[..bytes.len().min(KEPT_BYTES)].to_vec(),
                    length: bytes.len(),
                }
            })
            .collect();
        Pieces {
            tables: Vec::new(),
            records: rejects.len() as u64,
            rejects,
            leftover,
            flattened: 0,
            unknown: BTreeMap::new(),
            remarks: BTreeMap::new(),
            shift: Shift::Unknown,
            failed: true,
        }
    }
}

/// Where lines stand that are not empty.
fn lines(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut start = 0;
    for line in bytes.split(|b| *b == b'\n') {
        let end = start + line.len();
        if !line.trim_ascii().is_empty() {
            out.push((start, end));
        }
        start = end + 1;
    }
    out
}
