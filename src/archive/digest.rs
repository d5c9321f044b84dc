//! What rows say, as a number that does not depend on the files they lie in: merging files leaves it as it is.
//!
//! Each row is hashed with SHA-256: its columns by name, as stored, without those that `verify` works out again from the rest (paths of the audit
//! record, the fingerprint) and without the ingest's number. The hash is stretched to 2,048 bits, and those are added up, lane by lane
//! (AdHash, Bellare and Micciancio 1997, with the width that Wagner's attack on sums of many rows asks for). Sums of parts add up to the sum of the
//! whole, in any order.

use std::collections::BTreeMap;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, RecordBatch, StringArray, StringViewArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use crate::catalog::{FINGERPRINT, INGEST_ID, Origin, Table};

/// Numbers that are added up for each set of rows.
const LANES: usize = 32;
/// Numbers that one SHA-256 gives.
const LANES_A_HASH: usize = 4;

/// The state in which SHA-256 begins (FIPS 180-4, 5.3.3).
const BEGIN: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A set of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSet([u64; LANES]);

impl Default for RowSet {
    fn default() -> Self {
        RowSet([0; LANES])
    }
}

impl RowSet {
    /// Adds SHA-256 of the row's hash and a number, for eight numbers.
    fn add_row(&mut self, row: [u8; 32]) {
        // These 33 bytes and what pads them are one block, of which only one byte changes.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&row);
        block[33] = 0x80;
        block[62..].copy_from_slice(&(33u16 * 8).to_be_bytes());
        for (i, lanes) in self.0.chunks_exact_mut(LANES_A_HASH).enumerate() {
            block[32] = i as u8;
            let mut state = BEGIN;
            compress256(&mut state, &[block]);
            for (lane, words) in lanes.iter_mut().zip(state.chunks_exact(2)) {
                // Words have their highest byte first, lanes their lowest.
                let [low, high] = [words[0], words[1]].map(|word| u64::from(word.swap_bytes()));
                *lane = lane.wrapping_add(high << 32 | low);
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
    let counted: Vec<Counted<'_>> = table
        .columns
        .iter()
        .filter(|c| !matches!(c.origin, Origin::Path(_)))
        .filter(|c| c.name != INGEST_ID && c.name != FINGERPRINT)
        // Quarantine repeats where a file lay; its content and number are what counts.
        .filter(|c| table.by_day || c.name != "File")
        .filter_map(|c| Some((c.name, batch.column_by_name(c.name)?)))
        .filter(|(_, column)| column.null_count() < column.len())
        .map(|(name, column)| Counted::new(name, column))
        .collect();
    let mut pending: Vec<u8> = Vec::new();
    for row in 0..batch.num_rows() {
        let mut hash = Sha256::new();
        for column in &counted {
            if column.nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                column.add(row, &mut hash, &mut pending);
            }
        }
        hash.update(&pending);
        pending.clear();
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

/// Bytes of the length of a value.
const LENGTH: usize = size_of::<u64>();
/// Values of fewer bytes are hashed together with what stands around them: a call of the hash for each costs more than the copy.
const SHORT: usize = 512;

/// A column that counts.
struct Counted<'b> {
    /// What stands before each value: how long the column's name is, the name, and how long the value is; of texts that is filled in.
    head: Vec<u8>,
    nulls: Option<&'b NullBuffer>,
    values: Values<'b>,
}

/// The values of a column by its type, told once and not for each of them.
enum Values<'b> {
    Text(&'b StringArray),
    View(&'b StringViewArray),
    Bytes(&'b BinaryArray),
    Bool(&'b BooleanArray),
    Int(&'b [i32]),
    Long(&'b [i64]),
    Real(&'b [f64]),
    /// Another writer's type of the column: its value is not what was written.
    Foreign(String),
}

impl<'b> Counted<'b> {
    fn new(name: &str, column: &'b ArrayRef) -> Self {
        let values = match column.data_type() {
            DataType::Utf8 => Values::Text(column.as_string::<i32>()),
            DataType::Utf8View => Values::View(column.as_string_view()),
            DataType::Binary => Values::Bytes(column.as_binary::<i32>()),
            DataType::Boolean => Values::Bool(column.as_boolean()),
            DataType::Int32 => Values::Int(column.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Values::Long(column.as_primitive::<Int64Type>().values()),
            DataType::Float64 => Values::Real(column.as_primitive::<Float64Type>().values()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Values::Long(column.as_primitive::<TimestampMicrosecondType>().values())
            }
            other => Values::Foreign(format!("a value of the type {other}")),
        };
        let length = match &values {
            Values::Text(_) | Values::View(_) | Values::Bytes(_) | Values::Foreign(_) => 0,
            Values::Bool(_) => size_of::<u8>(),
            Values::Int(_) => size_of::<i32>(),
            Values::Long(_) => size_of::<i64>(),
            Values::Real(_) => size_of::<f64>(),
        };
        let mut head = (name.len() as u32).to_le_bytes().to_vec();
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(&(length as u64).to_le_bytes());
        Counted {
            head,
            nulls: column.nulls(),
            values,
        }
    }

    /// Adds the value of a row behind what is still to be hashed.
    fn add(&self, row: usize, hash: &mut Sha256, pending: &mut Vec<u8>) {
        pending.extend_from_slice(&self.head);
        match &self.values {
            Values::Text(texts) => add_bytes(hash, pending, texts.value(row).as_bytes()),
            Values::View(texts) => add_bytes(hash, pending, texts.value(row).as_bytes()),
            Values::Bytes(bytes) => add_bytes(hash, pending, bytes.value(row)),
            Values::Bool(bools) => pending.push(u8::from(bools.value(row))),
            Values::Int(numbers) => pending.extend_from_slice(&numbers[row].to_le_bytes()),
            Values::Long(numbers) => pending.extend_from_slice(&numbers[row].to_le_bytes()),
            Values::Real(numbers) => {
                pending.extend_from_slice(&numbers[row].to_bits().to_le_bytes());
            }
            Values::Foreign(said) => add_bytes(hash, pending, said.as_bytes()),
        }
    }
}

/// Adds bytes, and their length where it is to be filled in.
fn add_bytes(hash: &mut Sha256, pending: &mut Vec<u8>, bytes: &[u8]) {
    let length = pending.len() - LENGTH;
    pending[length..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    if bytes.len() < SHORT {
        pending.extend_from_slice(bytes);
        return;
    }
    hash.update(&*pending);
    hash.update(bytes);
    pending.clear();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, TimestampMicrosecondArray, new_null_array};

    use super::*;
    use crate::catalog::{self, EXTRA, TIME};

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
    fn a_row_is_stretched_by_sha_256() {
        let row: [u8; 32] = Sha256::digest("a row").into();
        let mut set = RowSet::default();
        set.add_row(row);
        let bytes: Vec<u8> = (0..8)
            .flat_map(|i: u8| Sha256::digest([&row[..], &[i]].concat()))
            .collect();
        let lanes: Vec<u64> = bytes
            .chunks_exact(8)
            .map(|b| u64::from_le_bytes(b.try_into().expect("eight bytes")))
            .collect();
        assert_eq!(set.0.to_vec(), lanes);
    }

    #[test]
    fn a_row_is_hashed_by_name_length_and_value_whatever_the_type() {
        let table = catalog::table("UnifiedAuditLog");
        let long = "x".repeat(SHORT);
        let schema = table.schema();
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                INGEST_ID => Arc::new(Int64Array::from(vec![1])),
                catalog::RECORD => Arc::new(Int64Array::from(vec![7])),
                TIME => Arc::new(TimestampMicrosecondArray::from(vec![9]).with_timezone("UTC")),
                "AuditData" => Arc::new(StringArray::from(vec![long.as_str()])),
                EXTRA => Arc::new(StringArray::from(vec!["{}"])),
                _ => new_null_array(field.data_type(), 1),
            }
        });
        let columns = columns.collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("of the table");
        let mut got = RowSets::new();
        add_rows(&mut got, table, &batch);
        let mut hash = Sha256::new();
        for field in schema.fields() {
            let value = match field.name().as_str() {
                catalog::RECORD => 7i64.to_le_bytes().to_vec(),
                TIME => 9i64.to_le_bytes().to_vec(),
                "AuditData" => long.clone().into_bytes(),
                EXTRA => b"{}".to_vec(),
                _ => continue,
            };
            hash.update((field.name().len() as u32).to_le_bytes());
            hash.update(field.name());
            hash.update((value.len() as u64).to_le_bytes());
            hash.update(value);
        }
        let mut set = RowSet::default();
        set.add_row(hash.finalize().into());
        assert_eq!(got, RowSets::from([(1, set)]));
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
