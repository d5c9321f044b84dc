//! Which audit records CloudAppEvents has, and which of its rows counts for one. Its rows are told apart by `ReportId`, and one record may be in two
//! of them, so that ingests do not say it: a few columns are read when a query asks first, and once a session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::execution::memory_pool::MemoryReservation;

use super::stored::Stored;
use crate::archive::app_id;
use crate::archive::keys::Identities;
use crate::catalog::{self, FINGERPRINT, INGEST_ID, RECORD, TIME, labels};
use crate::fault::Result;
use crate::ingest::rows::id_key;

/// The table.
pub(super) const TABLE: &str = "CloudAppEvents";
/// Whether a row, by the id and the rank of its record, is the first of those that have the record.
pub(super) const FIRST_RECORD: &str = "is_first_app_record";
/// The same of the rows that are about labels.
pub(super) const FIRST_LABEL: &str = "is_first_app_label";

const ID: &str = "RawEventData_Id";
const REPORT: &str = "ReportId";
const OPERATION: &str = "RawEventData_Operation";
const RECORD_TYPE: &str = "RawEventData_RecordType";
const ACTION: &str = "ActionType";
/// What a rank takes in memory beside its text.
const RANK: usize = 64;

/// What a session knows of the records in the table.
pub(super) struct Apps {
    stored: Arc<Stored>,
    room: MemoryReservation,
    rows: u64,
    read: Mutex<Option<Arc<Records>>>,
}

/// What the rows say.
struct Records {
    /// The identity of each row's record.
    ids: Identities,
    /// The least rank of the rows of a record, where it is in several.
    records: HashMap<u128, String>,
    labels: HashMap<u128, String>,
}

impl Apps {
    /// Nothing is read yet. The memory of `rows` is taken of the room when it is.
    pub(super) fn new(stored: Arc<Stored>, room: MemoryReservation, rows: u64) -> Apps {
        Apps {
            stored,
            room,
            rows,
            read: Mutex::new(None),
        }
    }

    /// Whether the table has these records. An id that says nothing is that of no record.
    ///
    /// # Errors
    /// When the table cannot be read, or there is no memory for its identities.
    pub(super) fn has(&self, ids: &StringArray) -> Result<BooleanArray> {
        let read = self.read()?;
        let has = |id: &str| id_key(id).is_some_and(|id| read.ids.has(id));
        let all = ids.iter().map(|id| Some(id.is_some_and(has)));
        Ok(all.collect())
    }

    /// Whether rows with these ids and ranks are each the first of their record, of those that have it: [`FIRST_RECORD`].
    ///
    /// # Errors
    /// As of [`Apps::has`].
    pub(super) fn first_record(
        &self,
        ids: &StringArray,
        ranks: &StringArray,
    ) -> Result<BooleanArray> {
        Ok(first(&self.read()?.records, ids, ranks))
    }

    /// The same of the rows that are about labels: [`FIRST_LABEL`].
    ///
    /// # Errors
    /// As of [`Apps::has`].
    pub(super) fn first_label(
        &self,
        ids: &StringArray,
        ranks: &StringArray,
    ) -> Result<BooleanArray> {
        Ok(first(&self.read()?.labels, ids, ranks))
    }

    fn read(&self) -> Result<Arc<Records>> {
        // Who panicked here left nothing.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = &*read {
            return Ok(Arc::clone(read));
        }
        self.room.try_resize(Identities::bytes(self.rows))?;
        let fresh = Arc::new(self.records()?);
        Ok(Arc::clone(read.insert(fresh)))
    }

    fn records(&self) -> Result<Records> {
        let table = catalog::table(TABLE);
        let mut ids = Vec::with_capacity(usize::try_from(self.rows).unwrap_or(0));
        self.stored.each(table, &[ID, REPORT], |batch| {
            ids.extend(ids_of(batch).flatten());
            Ok(())
        })?;
        let mut read = Records {
            ids: Identities::of(ids.into_iter()),
            records: HashMap::new(),
            labels: HashMap::new(),
        };
        if read.ids.has_repeats() {
            let names = [
                ID,
                REPORT,
                OPERATION,
                RECORD_TYPE,
                ACTION,
                TIME,
                FINGERPRINT,
                INGEST_ID,
                RECORD,
            ];
            self.stored
                .each(table, &names, |batch| self.rank(batch, &mut read))?;
        }
        Ok(read)
    }

    /// Notes the ranks of rows whose record is in several. They are those that the views say.
    fn rank(&self, batch: &RecordBatch, read: &mut Records) -> Result<()> {
        let times = batch.column_by_name(TIME);
        let times = times.map(|c| cast(c, &DataType::Utf8)).transpose()?;
        let times = times.as_ref().and_then(|c| c.as_string_opt::<i32>());
        let number = |name: &str, row: usize| {
            let column = batch.column_by_name(name);
            let column = column.and_then(|c| c.as_primitive_opt::<Int64Type>());
            column.map_or(0, |c| c.value(row))
        };
        let prints = batch.column_by_name(FINGERPRINT);
        let prints = prints.and_then(|c| c.as_binary_opt::<i32>());
        let print = |row: usize| {
            let print = prints.filter(|c| c.is_valid(row)).map(|c| c.value(row));
            print.map_or(String::new(), hex::encode)
        };
        let types = batch.column_by_name(RECORD_TYPE);
        let types = types.and_then(|c| c.as_primitive_opt::<Int32Type>());
        let [report, own, operation, action] =
            [REPORT, ID, OPERATION, ACTION].map(|name| texts(batch, name));
        for (row, id) in ids_of(batch).enumerate() {
            let Some(id) = id.filter(|id| read.ids.is_repeated(*id)) else {
                continue;
            };
            let report = text(report, row).map(|report| report.trim_matches(' '));
            let rank = match report.filter(|report| !report.is_empty()) {
                Some(report) => report.to_string(),
                None => format!(
                    "{} {} {}:{}",
                    text(times, row).unwrap_or_default(),
                    print(row),
                    number(INGEST_ID, row),
                    number(RECORD, row)
                ),
            };
            let operation = text(operation, row);
            let has_record = text(own, row).is_some() && operation.is_some();
            let record_type = types.filter(|c| c.is_valid(row)).map(|c| c.value(row));
            if labels::is_label(record_type, operation.or_else(|| text(action, row))) {
                let first = if has_record { '0' } else { '1' };
                self.note(&mut read.labels, id, format!("{first}{rank}"))?;
            }
            if has_record {
                self.note(&mut read.records, id, rank)?;
            }
        }
        Ok(())
    }

    fn note(&self, least: &mut HashMap<u128, String>, id: u128, rank: String) -> Result<()> {
        match least.get_mut(&id) {
            Some(least) if *least <= rank => {}
            Some(least) => *least = rank,
            None => {
                self.room.try_grow(rank.len() + RANK)?;
                least.insert(id, rank);
            }
        }
        Ok(())
    }
}

/// Whether no row of a record has a lesser rank. A row without an id or a rank is alone.
fn first(least: &HashMap<u128, String>, ids: &StringArray, ranks: &StringArray) -> BooleanArray {
    let is_first = |id: Option<&str>, rank: Option<&str>| -> bool {
        // Most records are in one row.
        let id = id.filter(|_| !least.is_empty()).and_then(id_key);
        let least = id.and_then(|id| least.get(&id));
        least
            .zip(rank)
            .is_none_or(|(least, rank)| rank <= least.as_str())
    };
    let rows = ids.iter().zip(ranks.iter());
    rows.map(|(id, rank)| Some(is_first(id, rank))).collect()
}

/// The identity of each row's record.
fn ids_of(batch: &RecordBatch) -> impl Iterator<Item = Option<u128>> {
    let (ids, reports) = (texts(batch, ID), texts(batch, REPORT));
    (0..batch.num_rows())
        .map(move |row| app_id(text(ids, row), text(reports, row)).and_then(id_key))
}

fn texts<'b>(batch: &'b RecordBatch, name: &str) -> Option<&'b StringArray> {
    batch.column_by_name(name)?.as_string_opt::<i32>()
}

fn text(column: Option<&StringArray>, row: usize) -> Option<&str> {
    column.filter(|c| c.is_valid(row)).map(|c| c.value(row))
}
