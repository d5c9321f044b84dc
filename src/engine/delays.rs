//! Of which events of an archive it is known when they were ingested.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use super::options::STORED;
use super::recorded;
use super::session::Session;
use crate::catalog::{EXTRA, TIME, catalog};
use crate::fault::Result;

/// What exports say of the ingestion of a table's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The table.
    pub table: String,
    /// How many events it has.
    pub events: u64,
    /// Of how many of them it is said when they were ingested.
    pub said: u64,
    /// When the last of them was ingested, in microseconds.
    pub last: Option<i64>,
}

impl Session {
    /// What exports say of when events were ingested, by the tables that have rows.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn received(&self) -> Result<Vec<Received>> {
        let mut all = Vec::new();
        for name in self.stored_names() {
            let table = catalog().stored_table(&name);
            if table.is_none_or(|table| table.position(EXTRA).is_none()) {
                continue;
            }
            let (said, ingested) = (recorded::said(), recorded::ingested(TIME));
            let sql =
                format!("SELECT count(*), count({said}), max({ingested}) FROM {STORED}.\"{name}\"");
            let (_, batches) = self.collect(&sql)?;
            let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
                continue;
            };
            let number = |at: usize| batch.column(at).as_primitive::<Int64Type>().value(0);
            let last = batch.column(2).as_primitive::<TimestampMicrosecondType>();
            all.push(Received {
                table: name,
                events: number(0).unsigned_abs(),
                said: number(1).unsigned_abs(),
                last: last.is_valid(0).then(|| last.value(0)),
            });
        }
        Ok(all)
    }
}
