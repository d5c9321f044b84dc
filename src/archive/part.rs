//! Parquet files of the archive: zstd, one row group, sorted by time.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use crate::catalog::{FINGERPRINT, Kusto, RECORD, TIME, Table};
use crate::error::{Error, Result};

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Path below the table's folder, with `/`.
    pub path: String,
    /// Where it lies until it is committed.
    pub staged: PathBuf,
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

/// Batch in the name of a part, `part-<batch>-<number>.parquet`.
pub fn batch_of(name: &str) -> Option<i64> {
    name.strip_prefix("part-")?
        .strip_suffix(".parquet")?
        .split_once('-')?
        .0
        .parse()
        .ok()
}

/// Name of a part.
pub fn name(batch: i64, number: u64) -> String {
    format!("part-{batch:06}-{number:05}.parquet")
}

/// Name of a file that replaces others.
pub fn merged_name(number: u64) -> String {
    format!("merged-{number:06}.parquet")
}

/// Number in the name of a merged file.
pub fn merged_number(name: &str) -> Option<u64> {
    name.strip_prefix("merged-")?
        .strip_suffix(".parquet")?
        .parse()
        .ok()
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
    let staged = staging.join(table.name).join(&path);
    let parent = staged.parent().unwrap_or(staging);
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    let file = File::create(&staged).map_err(Error::io("create", &staged))?;
    let failed = |source| Error::Parquet {
        path: staged.clone(),
        source: Box::new(source),
    };
    let mut out = Hashed {
        file: &file,
        hash: Sha256::new(),
    };
    let mut writer =
        ArrowWriter::try_new(&mut out, table.schema(), Some(properties(table))).map_err(failed)?;
    let (order, times) = order(table, batches);
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
        staged,
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

/// Moves a staged file to its place.
///
/// # Errors
/// When it cannot be moved.
pub fn publish(root: &Path, table: &Table, part: &Part) -> Result<()> {
    let target = root.join(table.name).join(&part.path);
    let parent = target.parent().unwrap_or(root);
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    fs::rename(&part.staged, &target).map_err(Error::io("move", &target))
}
