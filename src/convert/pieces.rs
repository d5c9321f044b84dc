//! Converted rows as arrays, one piece for each table and day. Made on the core that converted the block.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;

use crate::catalog::Table;
use crate::ingest::Reject;
use crate::ingest::block::Converted;
use crate::ingest::rows::TableRows;

/// Rows of one table and one day.
pub(super) struct Piece {
    pub table: &'static Table,
    /// Days since 1970; nothing for rows without a time.
    pub day: Option<i32>,
    /// The table's columns; those of lineage are empty still.
    pub columns: Vec<ArrayRef>,
    pub ids: Vec<Option<u128>>,
    pub prints: Vec<u128>,
    /// Numbers of the records in their block, from 0.
    pub records: Vec<i64>,
    pub times: Option<(i64, i64)>,
}

/// All of a block.
pub(super) struct Pieces {
    pub pieces: Vec<Piece>,
    pub rejects: Vec<Reject>,
    pub records: u64,
    pub leftover: Option<usize>,
}

const DAY_MICROS: i64 = 86_400_000_000;

impl Pieces {
    pub fn new(mut converted: Converted) -> Self {
        converted.rejects.sort_by_key(|r| r.record);
        Pieces {
            pieces: converted.tables.into_iter().flat_map(split).collect(),
            rejects: converted.rejects,
            records: converted.records,
            leftover: converted.leftover,
        }
    }
}

fn split(mut rows: TableRows) -> Vec<Piece> {
    if rows.is_empty() {
        return Vec::new();
    }
    let columns = rows.arrays();
    let day_of = |t: &Option<i64>| t.map(|t| t.div_euclid(DAY_MICROS) as i32);
    let mut days: Vec<Option<i32>> = rows.times.iter().map(day_of).collect();
    days.sort_unstable();
    days.dedup();
    let times_of = |day: Option<i32>| {
        rows.times
            .iter()
            .filter(|t| day_of(t) == day)
            .flatten()
            .fold(None, |bounds: Option<(i64, i64)>, t| {
                Some(bounds.map_or((*t, *t), |(a, z)| (a.min(*t), z.max(*t))))
            })
    };
    if let [day] = days[..] {
        return vec![Piece {
            table: rows.table,
            day,
            columns,
            times: times_of(day),
            ids: rows.ids,
            prints: rows.prints,
            records: rows.records,
        }];
    }
    days.into_iter()
        .map(|day| {
            let picked: Vec<usize> = (0..rows.times.len())
                .filter(|i| day_of(&rows.times[*i]) == day)
                .collect();
            let index = UInt32Array::from_iter_values(picked.iter().map(|i| *i as u32));
            Piece {
                table: rows.table,
                day,
                columns: columns
                    .iter()
                    .map(|c| take(c, &index, None).expect("the rows are there"))
                    .collect(),
                times: times_of(day),
                ids: picked.iter().map(|i| rows.ids[*i]).collect(),
                prints: picked.iter().map(|i| rows.prints[*i]).collect(),
                records: picked.iter().map(|i| rows.records[*i]).collect(),
            }
        })
        .collect()
}
