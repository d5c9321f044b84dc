//! Rows of one table that wait to be written. Blocks stay whole, and the rows of a day are picked out of them when its file is
//! written: split at once, a block of many days would become as many pieces, each with buffers of its own for every column.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};

use crate::archive::gathered::{gather, viewing};
use crate::catalog::{TIME, Table};
use crate::fault::Result;

/// Days since 1970; nothing for rows without a time.
pub(super) type Day = Option<i32>;

/// Rows of a day are worth a file when they take this many bytes.
pub(super) const PART_BYTES: usize = 24 << 20;
/// Smaller batches are joined: arrays of a few rows take more memory than what is in them.
const SMALL_BYTES: usize = 256 << 10;
/// So many small batches become one.
const COALESCE: usize = 32;
/// What an array takes beside its buffers: itself, what counts its buffers, and what the allocator adds.
const ARRAY_BYTES: usize = 384;
/// Rows that are picked at once.
const PICK_ROWS: usize = 8192;

/// A converted block, or small ones joined to one.
struct Held {
    batch: RecordBatch,
    /// Rows still to be written.
    rows: Vec<(Day, u32)>,
    /// Bytes in memory.
    bytes: usize,
}

impl Held {
    fn new(batch: RecordBatch, rows: Vec<(Day, u32)>) -> Self {
        let bytes = buffers(&batch)
            + batch.num_columns() * ARRAY_BYTES
            + rows.capacity() * size_of::<(Day, u32)>();
        Held { batch, rows, bytes }
    }
}

/// Bytes of a batch's buffers. Columns without a value may be one array.
fn buffers(batch: &RecordBatch) -> usize {
    let mut seen: HashSet<*const ()> = HashSet::new();
    let mut bytes = 0;
    for column in batch.columns() {
        if seen.insert(Arc::as_ptr(column).cast()) {
            bytes += column.get_buffer_memory_size();
        }
    }
    bytes
}

/// A batch whose records are not copied when rows are picked out of it.
fn viewed(table: &Table, batch: &RecordBatch) -> RecordBatch {
    match table.record {
        Some(record) => viewing(batch, record),
        None => batch.clone(),
    }
}

/// Rows of one table.
pub(super) struct Waiting {
    table: &'static Table,
    schema: SchemaRef,
    held: Vec<Held>,
    /// Bytes of the rows of each day.
    days: BTreeMap<Day, usize>,
    /// Days whose rows are worth a file.
    full: Vec<Day>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn new(table: &'static Table) -> Self {
        Waiting {
            table,
            schema: table.schema(),
            held: Vec::new(),
            days: BTreeMap::new(),
            full: Vec::new(),
            bytes: 0,
        }
    }

    /// The table's schema, shared by all batches: it is larger than a row.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps rows of a batch; those that are not named are let go with it.
    pub(super) fn add(&mut self, batch: RecordBatch, rows: Vec<(Day, u32)>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let row_bytes = buffers(&batch) / batch.num_rows();
        for run in rows.chunk_by(|a, b| a.0 == b.0) {
            let day = run[0].0;
            let bytes = self.days.entry(day).or_insert(0);
            *bytes += run.len() * row_bytes;
            if *bytes >= PART_BYTES && !self.full.contains(&day) {
                self.full.push(day);
            }
        }
        let held = if rows.len() * 2 < batch.num_rows() {
            // Where most rows are repeats, what waits must not hold them.
            let index = UInt32Array::from_iter_values(rows.iter().map(|(_, row)| *row));
            let days = rows.iter().map(|(day, _)| *day);
            Held::new(take_record_batch(&batch, &index)?, days.zip(0..).collect())
        } else {
            Held::new(batch, rows)
        };
        self.bytes += held.bytes;
        self.held.push(held);
        self.join()
    }

    /// Joins the small batches at the end to one, where there are enough.
    fn join(&mut self) -> Result<()> {
        let is_small = |h: &&Held| h.bytes < SMALL_BYTES;
        let small = self.held.iter().rev().take_while(is_small).count();
        if small < COALESCE {
            return Ok(());
        }
        let parts = self.held.split_off(self.held.len() - small);
        let sources: Vec<&RecordBatch> = parts.iter().map(|h| &h.batch).collect();
        let mut places: Vec<(usize, usize)> = Vec::new();
        let mut rows: Vec<(Day, u32)> = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            for (day, row) in &part.rows {
                rows.push((*day, places.len() as u32));
                places.push((at, *row as usize));
            }
            self.bytes -= part.bytes;
        }
        let joined = Held::new(gather(&sources, &places)?, rows);
        self.bytes += joined.bytes;
        self.held.push(joined);
        Ok(())
    }

    /// Rows of the days that are worth a file.
    pub(super) fn take_full(&mut self) -> Vec<Picked> {
        let full = std::mem::take(&mut self.full);
        full.into_iter().map(|day| self.take_day(day)).collect()
    }

    fn take_day(&mut self, day: Day) -> Picked {
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut picked: Vec<(u32, u32)> = Vec::new();
        for held in &mut self.held {
            let (at, before) = (batches.len() as u32, picked.len());
            held.rows.retain(|(own, row)| {
                if *own == day {
                    picked.push((at, *row));
                }
                *own != day
            });
            if picked.len() > before {
                batches.push(viewed(self.table, &held.batch));
            }
        }
        self.held.retain(|h| !h.rows.is_empty());
        self.bytes = self.held.iter().map(|h| h.bytes).sum();
        Picked {
            table: self.table,
            day,
            bytes: self.days.remove(&day).unwrap_or(0),
            batches: batches.into(),
            rows: picked,
        }
    }

    /// All rows, by day.
    pub(super) fn take_all(&mut self) -> Vec<Picked> {
        let mut days = std::mem::take(&mut self.days);
        self.full.clear();
        self.bytes = 0;
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut picked: BTreeMap<Day, Vec<(u32, u32)>> = BTreeMap::new();
        for held in std::mem::take(&mut self.held) {
            let at = batches.len() as u32;
            for run in held.rows.chunk_by(|a, b| a.0 == b.0) {
                let rows = run.iter().map(|(_, row)| (at, *row));
                picked.entry(run[0].0).or_default().extend(rows);
            }
            batches.push(viewed(self.table, &held.batch));
        }
        let batches: Arc<[RecordBatch]> = batches.into();
        picked
            .into_iter()
            .map(|(day, rows)| Picked {
                table: self.table,
                day,
                bytes: days.remove(&day).unwrap_or(0),
                batches: Arc::clone(&batches),
                rows,
            })
            .collect()
    }
}

/// Rows of one day, for one file.
pub(super) struct Picked {
    pub table: &'static Table,
    pub day: Day,
    /// What they take in memory.
    pub bytes: usize,
    /// Batches that hold them, and rows of other days.
    batches: Arc<[RecordBatch]>,
    /// Batch and row, in the order of the records.
    rows: Vec<(u32, u32)>,
}

impl Picked {
    /// The batches that have one of the rows.
    pub(super) fn sources(&self) -> Vec<&RecordBatch> {
        let own: BTreeSet<u32> = self.rows.iter().map(|(batch, _)| *batch).collect();
        own.iter()
            .map(|batch| &self.batches[*batch as usize])
            .collect()
    }

    /// The rows as batches. Where they stand between others they are copied out, in the order of time: done on the core that writes
    /// the file, it holds up nobody. Records stay where they are: they are most of a batch.
    pub(super) fn rows(&self) -> Result<Vec<RecordBatch>> {
        let mut sources: Vec<&RecordBatch> = Vec::new();
        let mut rows: Vec<(usize, usize)> = Vec::with_capacity(self.rows.len());
        let mut last = None;
        for (batch, row) in &self.rows {
            if last != Some(*batch) {
                last = Some(*batch);
                sources.push(&self.batches[*batch as usize]);
            }
            rows.push((sources.len() - 1, *row as usize));
        }
        if sources.iter().map(|s| s.num_rows()).sum::<usize>() == rows.len() {
            return Ok(sources.into_iter().cloned().collect());
        }
        if let Some(time) = self.table.position(TIME).filter(|_| self.table.by_day) {
            let times: Vec<&TimestampMicrosecondArray> = sources
                .iter()
                .map(|s| s.column(time).as_primitive::<TimestampMicrosecondType>())
                .collect();
            // Stable: rows of one moment stay in the order of the records.
            rows.sort_by_key(|(batch, row)| {
                let times = times[*batch];
                times.is_valid(*row).then(|| times.value(*row))
            });
        }
        rows.chunks(PICK_ROWS)
            .map(|rows| gather(&sources, rows))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, StringArray, new_null_array};

    use super::*;
    use crate::catalog;

    fn batch(waiting: &Waiting, times: &[i64]) -> RecordBatch {
        let schema = waiting.schema();
        let columns = schema
            .fields()
            .iter()
            .map(|field| -> ArrayRef {
                match field.name() == TIME {
                    true => Arc::new(
                        TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC"),
                    ),
                    false => new_null_array(field.data_type(), times.len()),
                }
            })
            .collect();
        RecordBatch::try_new(Arc::clone(schema), columns).expect("columns of the table")
    }

    fn times(picked: &Picked) -> Vec<i64> {
        let time = picked.table.at(TIME);
        let rows = picked.rows().expect("rows");
        rows.iter()
            .flat_map(|b| {
                let times = b.column(time).as_primitive::<TimestampMicrosecondType>();
                times.values().to_vec()
            })
            .collect()
    }

    #[test]
    fn rows_of_a_day_are_picked_out_of_whole_blocks() {
        let mut waiting = Waiting::new(catalog::table("UnifiedAuditLog"));
        let first = batch(&waiting, &[5, 20, 4]);
        let rows = vec![(Some(0), 0), (Some(1), 1), (Some(0), 2)];
        waiting.add(first, rows).expect("it is kept");
        // The second row is a repeat.
        let second = batch(&waiting, &[3, 30, 21]);
        let rows = vec![(Some(0), 0), (Some(1), 2)];
        waiting.add(second, rows).expect("it is kept");
        // All but one are repeats.
        let third = batch(&waiting, &[1, 2, 40]);
        waiting.add(third, vec![(Some(2), 2)]).expect("it is kept");
        let before = waiting.bytes();
        let day = waiting.take_day(Some(0));
        assert_eq!(times(&day), [3, 4, 5]);
        // Its batches wait for their other days.
        assert!(waiting.bytes() > 0 && waiting.bytes() <= before);
        let rest = waiting.take_all();
        let days: Vec<Day> = rest.iter().map(|p| p.day).collect();
        assert_eq!(days, [Some(1), Some(2)]);
        let rest: Vec<Vec<i64>> = rest.iter().map(times).collect();
        assert_eq!(rest, [vec![20, 21], vec![40]]);
        assert_eq!(waiting.bytes(), 0);
        assert!(waiting.take_all().is_empty());
    }

    #[test]
    fn records_are_the_same_when_rows_are_picked_out() {
        let table = catalog::table("UnifiedAuditLog");
        let record = table.at("AuditData");
        let mut waiting = Waiting::new(table);
        let texts: Vec<String> = (0..40).map(|n| format!("{{\"Id\":\"{n:040}\"}}")).collect();
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(&texts));
        let mut columns = batch(&waiting, &[0; 40]).columns().to_vec();
        columns[record] = Arc::clone(&texts);
        let own = RecordBatch::try_new(Arc::clone(waiting.schema()), columns);
        // Single rows, and those that follow one another.
        let day = |row: u32| (Some(i32::from(row < 20 && row % 2 == 1)), row);
        let rows = (0..40).map(day).collect();
        waiting
            .add(own.expect("columns of the table"), rows)
            .expect("it is kept");
        for (day, wanted) in waiting.take_all().iter().zip([0, 1]) {
            let rows = day.rows().expect("rows");
            let got: Vec<&str> = rows
                .iter()
                .flat_map(|b| b.column(record).as_string_view().iter().flatten())
                .collect();
            let want: Vec<&str> = (0..40)
                .filter(|row| i32::from(*row < 20 && row % 2 == 1) == wanted)
                .map(|row| texts.as_string::<i32>().value(row))
                .collect();
            assert_eq!(got, want);
        }
    }

    #[test]
    fn many_small_batches_take_the_memory_of_few() {
        let mut waiting = Waiting::new(catalog::table("UnifiedAuditLog"));
        let one = batch(&waiting, &[0]);
        let alone = Held::new(one, Vec::new()).bytes;
        for n in 0..2000 {
            let one = batch(&waiting, &[n]);
            waiting
                .add(one, vec![(Some((n % 400) as i32), 0)])
                .expect("it is kept");
        }
        assert!(waiting.held.len() < 2 * COALESCE, "{}", waiting.held.len());
        assert!(
            waiting.bytes() < 200 * alone,
            "{} bytes, one row {alone}",
            waiting.bytes()
        );
        let all = waiting.take_all();
        assert_eq!(all.len(), 400);
        let first = all.first().expect("a day");
        assert_eq!(times(first), [0, 400, 800, 1200, 1600]);
    }

    #[test]
    fn a_day_with_rows_enough_is_full() {
        let mut waiting = Waiting::new(catalog::table("UnifiedAuditLog"));
        assert!(waiting.take_full().is_empty());
        let many: Vec<i64> = (0..10_000).collect();
        let bytes = buffers(&batch(&waiting, &many));
        for n in 0..PART_BYTES / bytes + 1 {
            assert!(waiting.take_full().is_empty(), "after {n} batches");
            let rows = (0..10_000).map(|row| (Some(7), row)).collect();
            let many = batch(&waiting, &many);
            waiting.add(many, rows).expect("it is kept");
        }
        let full = waiting.take_full();
        assert_eq!(full.len(), 1);
        assert_eq!(waiting.bytes(), 0);
        assert!(waiting.take_full().is_empty());
    }
}
