//! Converted rows as arrays, one piece for each table and day. Made on the core that converted the block.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;

use crate::catalog::Table;
use crate::ingest::Reject;
use crate::ingest::block::{Converted, Shift};
use crate::ingest::rows::TableRows;

/// Rows of one table. Identities are in the order of the records, so that the first of two equal ones is the first.
pub(super) struct TablePieces {
    pub table: &'static Table,
    pub ids: Vec<Option<u128>>,
    pub prints: Vec<u128>,
    /// Numbers of the records in their block, from 0.
    pub records: Vec<i64>,
    pub pieces: Vec<Piece>,
}

/// Rows of one day.
pub(super) struct Piece {
    /// Days since 1970; nothing for rows without a time.
    pub day: Option<i32>,
    /// The table's columns; those of lineage are empty still.
    pub columns: Vec<ArrayRef>,
    /// Where the rows stand in [`TablePieces`].
    pub rows: Vec<u32>,
    pub times: Option<(i64, i64)>,
}

/// All of a block.
pub(super) struct Pieces {
    pub tables: Vec<TablePieces>,
    pub rejects: Vec<Reject>,
    pub records: u64,
    pub leftover: Option<usize>,
    pub flattened: u64,
    pub unknown: BTreeMap<String, u64>,
    pub shift: Shift,
}

const DAY_MICROS: i64 = 86_400_000_000;

impl Pieces {
    pub fn new(mut converted: Converted) -> Self {
        converted.rejects.sort_by_key(|r| r.record);
        Pieces {
            tables: converted
                .tables
                .into_iter()
                .filter(|rows| !rows.is_empty())
                .map(split)
                .collect(),
            rejects: converted.rejects,
            records: converted.records,
            leftover: converted.leftover,
            flattened: converted.flattened,
            unknown: converted.unknown,
            shift: converted.shift,
        }
    }
}

fn split(mut rows: TableRows) -> TablePieces {
    let columns = rows.arrays();
    let day_of = |i: u32| rows.times[i as usize].map(|t| t.div_euclid(DAY_MICROS) as i32);
    let mut order: Vec<u32> = (0..rows.times.len() as u32).collect();
    // Stable: rows of one day stay in the order of the records.
    order.sort_by_key(|i| day_of(*i));
    let pieces = order
        .chunk_by(|a, b| day_of(*a) == day_of(*b))
        .map(|picked| {
            let times = picked.iter().filter_map(|i| rows.times[*i as usize]).fold(
                None,
                |bounds: Option<(i64, i64)>, t| {
                    Some(bounds.map_or((t, t), |(a, z)| (a.min(t), z.max(t))))
                },
            );
            let columns = if picked.len() == rows.times.len() {
                columns.clone()
            } else {
                let index = UInt32Array::from(picked.to_vec());
                columns
                    .iter()
                    .map(|c| take(c, &index, None).expect("the rows are there"))
                    .collect()
            };
            Piece {
                day: day_of(picked[0]),
                columns,
                rows: picked.to_vec(),
                times,
            }
        })
        .collect();
    TablePieces {
        table: rows.table,
        pieces,
        ids: rows.ids,
        prints: rows.prints,
        records: rows.records,
    }
}
