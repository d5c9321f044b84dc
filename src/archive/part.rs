//! Parquet files of the archive: zstd, sorted by time, a row group for each 1,048,576 rows at most; those that are merged have smaller ones.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimestampMicrosecondType};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::digest::{self, RowSets};
use super::gathered::gather;
use super::nested;
use super::opened;
use super::sample::{Repeats, repeats};
use super::store::{STAGED, Store};
use crate::catalog::{Column, FINGERPRINT, Kusto, RECORD, TIME, Table};
use crate::fault::{Error, Result};

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Path below the table's folder, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Earliest and latest event, in microseconds.
    pub times: Option<(i64, i64)>,
    /// Day of the folder.
    pub date: Option<String>,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Kept lists whose texts are all JSON, letter by letter as in the records.
    #[serde(default)]
    pub nested: Vec<String>,
    /// What its rows say, by ingest.
    #[serde(skip)]
    pub sets: RowSets,
}

/// Passes bytes on to a file and hashes them.
struct Hashed {
    file: File,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The day as the name of its folder has it, from days since 1970.
pub fn day_text(day: i32) -> Option<String> {
    let date = chrono::NaiveDate::from_epoch_days(day)?;
    Some(date.format("%Y-%m-%d").to_string())
}

/// Name of a part.
pub fn name(batch: i64, number: u64) -> String {
    format!("ct-{batch:06}-{number:05}.parquet")
}

/// Name of a file that replaces others.
pub fn merged_name(number: u64) -> String {
    format!("ct-merged-{number:06}.parquet")
}

/// Number in the name of a merged file.
pub fn merged_number(name: &str) -> Option<u64> {
    let number = name
        .strip_prefix("ct-merged-")
        .or_else(|| name.strip_prefix("merged-"))?;
    digits(number.strip_suffix(".parquet")?)
}

/// Batch in the name of a part.
pub fn batch_of(name: &str) -> Option<i64> {
    let numbers = name
        .strip_prefix("ct-")
        .or_else(|| name.strip_prefix("part-"))?;
    let (batch, number) = numbers.strip_suffix(".parquet")?.split_once('-')?;
    digits(number)?;
    i64::try_from(digits(batch)?).ok()
}

/// A number of digits and nothing else: other writers' names have letters there.
fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

/// Whether coldtrail gives such names to files, or version 0.1.0 did.
pub fn is_own(name: &str) -> bool {
    batch_of(name).is_some() || merged_number(name).is_some()
}

/// Column of CloudAppEvents with the identity of the audit record.
const RECORD_ID: &str = "RawEventData_Id";

/// Rows handed to the Parquet writer at once.
pub(super) const WRITE_ROWS: usize = 8192;

/// Rows of a row group, at most.
const GROUP_ROWS: usize = 1 << 20;

/// Columns whose values are mostly ids of single things. What is found of the values themselves goes before.
const DIFFERENT: [&str; 8] = [
    "ObjectId",
    "CorrelationId",
    "ListItemUniqueId",
    "InterSystemsId",
    "UniqueSharingId",
    RECORD_ID,
    "RawEventData_ObjectId",
    "RawEventData_CorrelationId",
];

/// Whether a column has hardly a value twice, whatever the export: no dictionary, no bounds.
fn is_raw(column: &Column) -> bool {
    column.kusto == Kusto::Dynamic || column.name == FINGERPRINT
}

/// Whether a column is one of ids by its name.
fn is_different(table: &Table, name: &str) -> bool {
    name == RECORD || DIFFERENT.contains(&name) || is_identity(table, name)
}

fn is_identity(table: &Table, name: &str) -> bool {
    table
        .identity
        .is_some_and(|i| table.columns[i].name == name)
}

/// Columns of fewer bytes are not compressed: a compressor for each, and a decompressor for whoever reads it, take longer than the bytes that
/// they save. A table has up to 200 columns, and small days have as many as large ones: decompressors, some 50 µs each, were a third of a hunt
/// over a year of nightly files. Such a file grows by a quarter.
const SMALL_COLUMN: usize = 16 << 10;

/// Bytes of a column's values as they would stand in a file without dictionary; nothing where all are null.
pub(super) fn plain_bytes(column: &ArrayRef) -> usize {
    /// What stands before each text.
    const LENGTH: usize = 4;
    let values = column.len() - column.null_count();
    let spanned = |offsets: &[i32]| match offsets {
        [first, .., last] => usize::try_from(last - first).unwrap_or(0),
        _ => 0,
    };
    match column.data_type() {
        DataType::Utf8 => LENGTH * values + spanned(column.as_string::<i32>().value_offsets()),
        DataType::Utf8View => LENGTH * values + column.as_string_view().total_buffer_bytes_used(),
        DataType::Binary => LENGTH * values + spanned(column.as_binary::<i32>().value_offsets()),
        other => values * other.primitive_width().unwrap_or(1),
    }
}

/// What is known of the rows of a file before they are written.
pub(super) struct Content {
    /// Bytes of each column of the table, as [`plain_bytes`] has them.
    pub bytes: Vec<usize>,
    /// How the values of each repeat; nothing where nobody looked.
    pub repeats: Vec<Repeats>,
    /// Rows, where the identities get a Bloom filter in each row group, too.
    pub filtered: Option<u64>,
}

impl Content {
    /// Of an ingest, which has no time for Bloom filters of identities: its files are small, and its own look-ups go to sorted runs.
    fn of(table: &Table, batches: &[RecordBatch]) -> Content {
        let column = |i: usize| -> (usize, Repeats) {
            let columns: Vec<&ArrayRef> = batches.iter().map(|b| b.column(i)).collect();
            let bytes: usize = columns.iter().copied().map(plain_bytes).sum();
            match bytes < SMALL_COLUMN || is_raw(&table.columns[i]) {
                true => (bytes, Repeats::Somehow),
                false => (bytes, repeats(&columns, bytes)),
            }
        };
        let (bytes, repeats) = (0..table.columns.len()).map(column).unzip();
        Content {
            bytes,
            repeats,
            filtered: None,
        }
    }
}

/// Row groups that are read in vain because of a Bloom filter: it takes ten bits an identity.
const FALSE_POSITIVES: f64 = 0.01;

/// Columns that say what an event is. A rule looks for a few of their values, which most files do not have.
const KINDS: [&str; 3] = ["Operation", "RawEventData_Operation", "ActionType"];
/// Values that such a column has at most, in one file: a filter of a kilobyte.
const MOST_KINDS: u64 = 1024;

/// Settings of a file with these rows. Level 1 of zstd: writing is about a quarter of the work of an ingest, and higher levels take more.
///
/// All columns have an index of their pages, and the time has the bounds of each: rows are in its order, so that a query over an hour reads the
/// pages of that hour. Bounds of the pages of other columns would mostly be those of the column.
fn properties(table: &Table, content: &Content) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(
            ZstdLevel::try_new(1).expect("1 is a level of zstd"),
        ))
        .set_created_by(concat!("coldtrail ", env!("CARGO_PKG_VERSION")).to_string())
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    let repeats = content.repeats.iter().copied();
    let repeats = repeats.chain(std::iter::repeat(Repeats::Somehow));
    for ((column, bytes), repeats) in table.columns.iter().zip(&content.bytes).zip(repeats) {
        let path = ColumnPath::from(column.name);
        if KINDS.contains(&column.name) && *bytes >= SMALL_COLUMN {
            builder = builder
                .set_column_bloom_filter_fpp(path.clone(), FALSE_POSITIVES)
                .set_column_bloom_filter_max_ndv(path.clone(), MOST_KINDS);
        }
        let (bytes, is_different) = match repeats {
            Repeats::Few(encoded) => (encoded.min(*bytes), false),
            Repeats::Hardly => (*bytes, true),
            Repeats::Somehow => (*bytes, is_different(table, column.name)),
        };
        if bytes < SMALL_COLUMN {
            builder = builder.set_column_compression(path.clone(), Compression::UNCOMPRESSED);
        }
        if let Some(rows) = content.filtered
            && (is_identity(table, column.name) || column.name == RECORD_ID)
        {
            builder = builder
                .set_column_bloom_filter_fpp(path.clone(), FALSE_POSITIVES)
                .set_column_bloom_filter_max_ndv(path.clone(), rows.clamp(1, GROUP_ROWS as u64));
        }
        if is_raw(column) {
            // A dictionary and bounds cost time and help nobody.
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path, EnabledStatistics::None);
            continue;
        }
        if bytes == 0 || is_different {
            // No value, or nearly every one is another: the dictionary would be given up half-way.
            builder = builder.set_column_dictionary_enabled(path.clone(), false);
        }
        if column.name == TIME {
            builder = builder.set_column_statistics_enabled(path, EnabledStatistics::Page);
        }
    }
    builder.build()
}

/// Arrow's own schema is left out: the types are those of the catalog, and a damaged one makes readers panic.
fn options(table: &Table, content: &Content) -> ArrowWriterOptions {
    ArrowWriterOptions::new()
        .with_properties(properties(table, content))
        .with_skip_arrow_metadata(true)
}

/// A staged file on its way: rows stand in it in the order in which they come.
pub(super) struct Writing {
    staged: PathBuf,
    path: String,
    date: Option<String>,
    writer: ArrowWriter<Hashed>,
    rows: u64,
}

impl Writing {
    /// Begins a file of a table and day.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn new(
        staging: &Path,
        table: &Table,
        date: Option<&str>,
        name: &str,
        content: &Content,
    ) -> Result<Writing> {
        let folder = match (table.by_day, date) {
            (false, _) => String::new(),
            (true, Some(date)) => format!("date={date}/"),
            (true, None) => "date=__HIVE_DEFAULT_PARTITION__/".to_string(),
        };
        let waiting = staging.join(table.name);
        fs::create_dir_all(&waiting).map_err(Error::io("create", &waiting))?;
        let staged = waiting.join(format!("{name}{STAGED}"));
        let file = File::create(&staged).map_err(Error::io("create", &staged))?;
        let out = Hashed {
            file,
            hash: Sha256::new(),
        };
        let options = options(table, content);
        let writer = ArrowWriter::try_new_with_options(out, table.schema(), options)
            .map_err(failure(&staged))?;
        Ok(Writing {
            path: format!("{folder}{name}"),
            date: date.map(str::to_string),
            staged,
            writer,
            rows: 0,
        })
    }

    /// Where it is until it is committed.
    pub(super) fn staged(&self) -> &Path {
        &self.staged
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.rows += rows.num_rows() as u64;
        self.writer.write(rows).map_err(failure(&self.staged))
    }

    /// Ends the row group: what comes next stands in another one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn end_group(&mut self) -> Result<()> {
        self.writer.flush().map_err(failure(&self.staged))
    }

    /// Ends the file and puts it on the disk. What only its rows say is not in the answer: `times`, `nested` and `sets`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn end(self) -> Result<Part> {
        let staged = self.staged;
        let out = self.writer.into_inner().map_err(failure(&staged))?;
        let file = out.file;
        file.sync_all().map_err(Error::io("write", &staged))?;
        let size = file.metadata().map_err(Error::io("read", &staged))?.len();
        Ok(Part {
            path: self.path,
            size,
            rows: self.rows,
            times: None,
            date: self.date,
            sha256: hex::encode(out.hash.finalize()),
            nested: Vec::new(),
            sets: RowSets::new(),
        })
    }
}

/// Writes batches of one table and day to a staged file, sorted by time.
///
/// # Errors
/// When the file cannot be written.
pub fn write(
    staging: &Path,
    table: &Table,
    date: Option<&str>,
    name: &str,
    batches: &[RecordBatch],
) -> Result<Part> {
    let content = Content::of(table, batches);
    let mut out = Writing::new(staging, table, date, name, &content)?;
    let (order, times) = order(table, batches);
    let mut sets = RowSets::new();
    for batch in batches {
        digest::add_rows(&mut sets, table, batch);
    }
    match order {
        None => {
            for batch in batches {
                out.write(batch)?;
            }
        }
        Some(order) => {
            let sources: Vec<&RecordBatch> = batches.iter().collect();
            for rows in order.chunks(WRITE_ROWS) {
                out.write(&gather(&sources, rows)?)?;
            }
        }
    }
    Ok(Part {
        times,
        nested: nested::lists(table, batches),
        sets,
        ..out.end()?
    })
}

/// The order by time, or nothing where the rows are in it already; and the earliest and latest time.
#[expect(clippy::type_complexity, reason = "a pair of two options, read once")]
fn order(
    table: &Table,
    batches: &[RecordBatch],
) -> (Option<Vec<(usize, usize)>>, Option<(i64, i64)>) {
    let Some(column) = table.position(TIME).filter(|_| table.by_day) else {
        return (None, None);
    };
    let mut keys: Vec<(i64, usize, usize)> = Vec::new();
    let (mut sorted, mut last) = (true, i64::MIN);
    let mut times: Option<(i64, i64)> = None;
    for (b, batch) in batches.iter().enumerate() {
        let array = batch
            .column(column)
            .as_primitive::<TimestampMicrosecondType>();
        for row in 0..array.len() {
            let t = if array.is_valid(row) {
                let t = array.value(row);
                times = Some(times.map_or((t, t), |(a, z)| (a.min(t), z.max(t))));
                t
            } else {
                i64::MIN
            };
            sorted &= t >= last;
            last = t;
            keys.push((t, b, row));
        }
    }
    if sorted {
        return (None, times);
    }
    keys.sort_unstable();
    (
        Some(keys.into_iter().map(|(_, b, row)| (b, row)).collect()),
        times,
    )
}

/// Size and SHA-256 of a file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn hash(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok((size, hex::encode(hash.finalize()))),
            n => {
                size += n as u64;
                hash.update(&buffer[..n]);
            }
        }
    }
}

/// Rows of a Parquet file of the archive, from its footer.
///
/// # Errors
/// When it cannot be read.
pub(super) fn count(store: &Store, name: &str) -> Result<u64> {
    let file = store.open(name).map_err(Error::io("open", name))?;
    let builder = opened::open(file).map_err(failure(name))?;
    Ok(u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0))
}

/// Reads a Parquet file of a table, all columns or some. Columns have the table's types, whoever wrote the file; those that it lacks are
/// empty.
///
/// # Errors
/// When it cannot be read.
pub fn read(
    store: &Store,
    table: &'static Table,
    path: &str,
    names: Option<&[&str]>,
) -> Result<Vec<RecordBatch>> {
    let mut all = Vec::new();
    each(store, table, path, names, |batch| {
        all.push(batch);
        Ok(())
    })?;
    Ok(all)
}

/// Reads a Parquet file of a table as [`read`] does, a batch at a time.
///
/// # Errors
/// When it cannot be read, or `see` fails.
pub(super) fn each(
    store: &Store,
    table: &'static Table,
    path: &str,
    names: Option<&[&str]>,
    mut see: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let name = format!("{}/{path}", table.name);
    let file = store.open(&name).map_err(Error::io("open", &name))?;
    let mut builder = opened::open(file).map_err(failure(&name))?;
    if let Some(names) = names {
        let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
        builder = builder.with_projection(mask);
    }
    let reader = builder.with_batch_size(WRITE_ROWS).build();
    let reader = reader.map_err(failure(&name))?;
    let all = table.schema();
    let schema: SchemaRef = match names {
        None => all,
        Some(names) => {
            let fields = names.iter().map(|n| all.field_with_name(n).cloned());
            Arc::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?))
        }
    };
    for batch in reader {
        see(conform(&schema, &batch?)?)?;
    }
    Ok(())
}

/// The same rows in the columns of a schema.
///
/// # Errors
/// When a column cannot be had in the type that it should have.
pub fn conform(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => arrow::compute::cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &rows,
    )?)
}

pub(super) fn failure(path: impl Into<PathBuf>) -> impl FnOnce(ParquetError) -> Error {
    let path = path.into();
    move |source| Error::Parquet {
        path,
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests;
