//! Parquet files of the archive: zstd, sorted by time, a row group for each 1,048,576 rows at most.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Schema, SchemaRef, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::digest::{self, RowSets};
use super::nested;
use super::store::{STAGED, Store};
use crate::catalog::{FINGERPRINT, Kusto, RECORD, TIME, Table};
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
struct Hashed<'f> {
    file: &'f File,
    hash: Sha256,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.file;
        let n = file.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut file = self.file;
        file.flush()
    }
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

/// Rows handed to the Parquet writer at once.
const WRITE_ROWS: usize = 8192;

/// Columns whose values are mostly ids of single things.
const DIFFERENT: [&str; 8] = [
    "ObjectId",
    "CorrelationId",
    "ListItemUniqueId",
    "InterSystemsId",
    "UniqueSharingId",
    "RawEventData_Id",
    "RawEventData_ObjectId",
    "RawEventData_CorrelationId",
];

fn is_identity(table: &Table, name: &str) -> bool {
    table
        .identity
        .is_some_and(|i| table.columns[i].name == name)
}

/// Settings of the files. Level 1 of zstd: writing is about a quarter of the work of an ingest, and higher levels take more.
fn properties(table: &Table) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(
            ZstdLevel::try_new(1).expect("1 is a level of zstd"),
        ))
        .set_created_by(concat!("coldtrail ", env!("CARGO_PKG_VERSION")).to_string())
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(1 << 20));
    for column in &table.columns {
        let path = ColumnPath::from(column.name);
        let raw = column.kusto == Kusto::Dynamic || column.name == FINGERPRINT;
        if raw {
            // Hardly a value twice: a dictionary and bounds cost time and help nobody.
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path, EnabledStatistics::None);
        } else if column.name == RECORD
            || DIFFERENT.contains(&column.name)
            || is_identity(table, column.name)
        {
            // Nearly every value is another one: the dictionary would be given up half-way.
            builder = builder.set_column_dictionary_enabled(path, false);
        } else if column.name == TIME {
            builder = builder.set_column_statistics_enabled(path, EnabledStatistics::Page);
        }
    }
    builder.build()
}

/// Arrow's own schema is left out: the types are those of the catalog, and a damaged one makes readers panic.
fn options(table: &Table) -> ArrowWriterOptions {
    ArrowWriterOptions::new()
        .with_properties(properties(table))
        .with_skip_arrow_metadata(true)
}

/// How files of an archive are read: without Arrow's own schema, which others may have written.
pub fn reading() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
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
    let folder = match (table.by_day, date) {
        (false, _) => String::new(),
        (true, Some(date)) => format!("date={date}/"),
        (true, None) => "date=__HIVE_DEFAULT_PARTITION__/".to_string(),
    };
    let path = format!("{folder}{name}");
    let waiting = staging.join(table.name);
    fs::create_dir_all(&waiting).map_err(Error::io("create", &waiting))?;
    let staged = waiting.join(format!("{name}{STAGED}"));
    let file = File::create(&staged).map_err(Error::io("create", &staged))?;
    let failed = |source| Error::Parquet {
        path: staged.clone(),
        source: Box::new(source),
    };
    let mut out = Hashed {
        file: &file,
        hash: Sha256::new(),
    };
    let mut writer = ArrowWriter::try_new_with_options(&mut out, table.schema(), options(table))
        .map_err(failed)?;
    let (order, times) = order(table, batches);
    let mut sets = RowSets::new();
    for batch in batches {
        digest::add_rows(&mut sets, table, batch);
    }
    match order {
        None => {
            for batch in batches {
                writer.write(batch).map_err(failed)?;
            }
        }
        Some(order) => {
            let sources: Vec<&RecordBatch> = batches.iter().collect();
            for rows in order.chunks(WRITE_ROWS) {
                let sorted = interleave_record_batch(&sources, rows)?;
                writer.write(&sorted).map_err(failed)?;
            }
        }
    }
    writer.close().map_err(failed)?;
    file.sync_all().map_err(Error::io("write", &staged))?;
    let sha256 = hex::encode(out.hash.finalize());
    let size = file.metadata().map_err(Error::io("read", &staged))?.len();
    Ok(Part {
        path,
        size,
        rows: batches.iter().map(|b| b.num_rows() as u64).sum(),
        times,
        date: date.map(str::to_string),
        sha256,
        nested: nested::lists(table, batches),
        sets,
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
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, reading())
        .map_err(failure(name))?;
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
    let name = format!("{}/{path}", table.name);
    let file = store.open(&name).map_err(Error::io("open", &name))?;
    let mut builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, reading())
        .map_err(failure(&name))?;
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
    reader.map(|batch| conform(&schema, &batch?)).collect()
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

fn failure(name: &str) -> impl Fn(ParquetError) -> Error {
    let path = PathBuf::from(name);
    move |source| Error::Parquet {
        path: path.clone(),
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_of_our_own_are_ours() {
        for own in [
            name(7, 3),
            merged_name(2),
            "part-000009-00003.parquet".into(),
            "merged-000001.parquet".into(),
        ] {
            assert!(is_own(&own), "{own}");
        }
        assert_eq!(batch_of(&name(7, 3)), Some(7));
        for other in [
            // Spark, Fabric and delta-rs.
            "part-00000-3b1b7d2c-5a0e-4d4b-9c5e-0d7c1f6f0a11-c000.zstd.parquet",
            "part-00000-3b1b7d2c.parquet",
            "part-00001.parquet",
            "ct-1-2.parquet.part",
            "ct--1-2.parquet",
            "ct-+1-2.parquet",
            "ct-merged-.parquet",
            "data_0.parquet",
        ] {
            assert!(!is_own(other), "{other}");
        }
    }
}
