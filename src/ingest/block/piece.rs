//! A piece of a file, and what became of it.

use std::collections::BTreeMap;

use super::super::Reject;
use super::super::format::Format;
use super::super::rows::TableRows;
use crate::catalog::Table;

/// Bytes of a rejected record that are kept.
const REJECT_BYTES: usize = 1 << 20;

/// A piece of a file.
#[derive(Debug, Default)]
pub struct Block {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where records are, when the reader had to find them in order to cut.
    pub records: Option<Vec<(usize, usize)>>,
    /// Where the block begins in the decompressed file.
    pub offset: u64,
    /// Whether it begins in the middle of a line.
    pub mid_line: bool,
    /// The `#Fields:` line of a W3C log that holds at its start.
    pub fields: Option<Vec<u8>>,
    /// Whether nothing follows.
    pub last: bool,
    /// Whether a record was too long and the block had to be cut inside it.
    pub too_long: bool,
}

/// A block as rows.
#[derive(Default)]
pub struct Converted {
    /// Rows, per table.
    pub tables: Vec<TableRows>,
    /// Records that could not be converted.
    pub rejects: Vec<Reject>,
    /// Records seen, good and bad.
    pub records: u64,
    /// A quote is open at the end of the block: from here on the bytes belong to the next block.
    pub leftover: Option<usize>,
    /// Values that PowerShell wrote as the name of their type: what was in them is not in the export.
    pub flattened: u64,
    /// Tables that are not known, whose rows are kept in `OtherRecords`.
    pub unknown: BTreeMap<String, u64>,
    /// What is to be said of so many records.
    pub remarks: BTreeMap<&'static str, u64>,
    /// How far the export's own times are from those of the records.
    pub shift: Shift,
    /// Bytes of the block.
    pub(super) room: usize,
}

/// How far one clock is from another, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shift {
    /// Nothing to compare.
    #[default]
    Unknown,
    /// Always so far.
    Minutes(i64),
    /// Now so, now otherwise.
    Mixed,
}

impl Shift {
    /// What holds of two parts holds of the whole.
    pub fn and(self, other: Shift) -> Shift {
        match (self, other) {
            (Shift::Unknown, x) | (x, Shift::Unknown) => x,
            (x, y) if x == y => x,
            _ => Shift::Mixed,
        }
    }
}

impl Converted {
    pub(super) fn reject(&mut self, offset: usize, reason: impl Into<String>, bytes: &[u8]) {
        self.rejects.push(Reject {
            record: self.records,
            offset,
            reason: reason.into(),
            content: bytes[..bytes.len().min(REJECT_BYTES)].to_vec(),
            length: bytes.len(),
        });
        self.records += 1;
    }

    /// Counts a row of a table that is not known; of hostile input only the first names are kept.
    pub(super) fn unknown(&mut self, name: &str) {
        const NAMES: usize = 16;
        if self.unknown.len() < NAMES || self.unknown.contains_key(name) {
            *self.unknown.entry(name.to_string()).or_default() += 1;
        }
    }

    /// Counts a record of which something is to be said.
    pub(super) fn remark(&mut self, what: &'static str) {
        *self.remarks.entry(what).or_default() += 1;
    }

    pub(super) fn rows(&mut self, table: &'static Table, format: &Format) -> &mut TableRows {
        let first = self.tables.is_empty();
        let i = match self
            .tables
            .iter()
            .position(|t| std::ptr::eq(t.table, table))
        {
            Some(i) => i,
            None => {
                let room = if first { self.room } else { 0 };
                self.tables
                    .push(TableRows::with_capacity(table, format.order, room));
                self.tables.len() - 1
            }
        };
        &mut self.tables[i]
    }
}
