//! What rows say, as a number that does not depend on the files they lie in: merging files leaves it as it is.
//!
//! Each row is hashed with SHA-256: its columns by name, as stored, without those that `verify` works out again from the rest (paths of the audit
//! record, the fingerprint) and without the ingest's number. The hash is stretched to 2,048 bits, and those are added up, lane by lane
//! (AdHash, Bellare and Micciancio 1997, with the width that Wagner's attack on sums of many rows asks for). Sums of parts add up to the sum of the
//! whole, in any order.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use sha2::{Digest, Sha256};

use crate::catalog::{FINGERPRINT, INGEST_ID, Origin, Table};

/// Numbers that are added up for each set of rows.
const LANES: usize = 32;
/// Numbers that one SHA-256 gives.
const LANES_A_HASH: usize = 4;

/// A set of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSet([u64; LANES]);

impl Default for RowSet {
    fn default() -> Self {
        RowSet([0; LANES])
    }
}

impl RowSet {
    fn add_row(&mut self, row: [u8; 32]) {
        for (i, lanes) in self.0.chunks_exact_mut(LANES_A_HASH).enumerate() {
            let stretched = Sha256::new()
                .chain_update(row)
                .chain_update([i as u8])
                .finalize();
            for (lane, bytes) in lanes.iter_mut().zip(stretched.chunks_exact(8)) {
                let bytes: [u8; 8] = bytes.try_into().expect("chunks of eight bytes");
                *lane = lane.wrapping_add(u64::from_le_bytes(bytes));
            }
        }
    }

    /// Adds the rows of another set.
    pub fn add(&mut self, other: &RowSet) {
        for (lane, more) in self.0.iter_mut().zip(other.0) {
            *lane = lane.wrapping_add(more);
        }
    }

    /// SHA-256 of the sums, in hexadecimal.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for lane in self.0 {
            hash.update(lane.to_le_bytes());
        }
        hex::encode(hash.finalize())
    }
}

/// Rows by the number of their ingest.
pub type RowSets = BTreeMap<i64, RowSet>;

/// Adds the rows of a batch to the sets of their ingests. Columns are told by name: a batch may lack some, and those count as empty.
pub fn add_rows(sets: &mut RowSets, table: &Table, batch: &RecordBatch) {
    let Some(ingests) = batch
        .column_by_name(INGEST_ID)
        .and_then(|c| c.as_primitive_opt::<Int64Type>())
    else {
        return;
    };
    let counted: Vec<(&str, &ArrayRef)> = table
        .columns
        .iter()
        .filter(|c| !matches!(c.origin, Origin::Path(_)))
        .filter(|c| c.name != INGEST_ID && c.name != FINGERPRINT)
        // Quarantine repeats where a file lay; its content and number are what counts.
        .filter(|c| table.by_day || c.name != "File")
        .filter_map(|c| Some((c.name, batch.column_by_name(c.name)?)))
        .collect();
    for row in 0..batch.num_rows() {
        let mut hash = Sha256::new();
        for (name, column) in &counted {
            if column.is_valid(row) {
                value(&mut hash, name, column, row);
            }
        }
        let ingest = if ingests.is_valid(row) {
            ingests.value(row)
        } else {
            0
        };
        sets.entry(ingest)
            .or_default()
            .add_row(hash.finalize().into());
    }
}

/// Name, length and bytes of a value.
fn value(hash: &mut Sha256, name: &str, column: &ArrayRef, row: usize) {
    let mut put = |bytes: &[u8]| {
        hash.update((name.len() as u32).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    match column.data_type() {
        DataType::Utf8 => put(column.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => put(column.as_binary::<i32>().value(row)),
        DataType::Boolean => put(&[u8::from(column.as_boolean().value(row))]),
        DataType::Int32 => put(&column.as_primitive::<Int32Type>().value(row).to_le_bytes()),
        DataType::Int64 => put(&column.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        DataType::Float64 => {
            let bits = column.as_primitive::<Float64Type>().value(row).to_bits();
            put(&bits.to_le_bytes());
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let time = column.as_primitive::<TimestampMicrosecondType>().value(row);
            put(&time.to_le_bytes());
        }
        // Another writer's type of the column: its value is not what was written.
        other => put(format!("a value of the type {other}").as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray, new_null_array};

    use super::*;
    use crate::catalog;

    fn rows(reasons: &[&str], ingests: &[i64]) -> RecordBatch {
        let table = catalog::table("Quarantine");
        let columns = table
            .columns
            .iter()
            .map(|c| -> ArrayRef {
                match c.name {
                    INGEST_ID => Arc::new(Int64Array::from(ingests.to_vec())),
                    "Reason" => Arc::new(StringArray::from(reasons.to_vec())),
                    _ => new_null_array(&c.kusto.arrow(), reasons.len()),
                }
            })
            .collect();
        RecordBatch::try_new(table.schema(), columns).expect("columns of the table")
    }

    fn sets(batches: &[RecordBatch]) -> RowSets {
        let mut out = RowSets::new();
        for batch in batches {
            add_rows(&mut out, catalog::table("Quarantine"), batch);
        }
        out
    }

    #[test]
    fn files_and_order_do_not_count_and_content_does() {
        let whole = sets(&[rows(&["a", "b", "b"], &[1, 1, 2])]);
        assert_eq!(
            whole,
            sets(&[rows(&["b"], &[2]), rows(&["b", "a"], &[1, 1])])
        );
        for other in [
            rows(&["a", "b", "c"], &[1, 1, 2]),
            rows(&["a", "b", "b"], &[1, 2, 2]),
            rows(&["a", "b"], &[1, 2]),
        ] {
            assert_ne!(whole, sets(&[other]));
        }
        let mut sum = whole[&1].clone();
        sum.add(&whole[&2]);
        assert_eq!(sum, sets(&[rows(&["b", "a", "b"], &[1, 1, 1])])[&1]);
        assert_eq!(sum.digest().len(), 64);
    }
}
