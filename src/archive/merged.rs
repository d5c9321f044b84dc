//! Files of one table and day as one file, in bounded memory.
//!
//! Rows are read a few at a time, put into the order of time and written. What a file takes while it is read is known from its footer: a batch of rows, a
//! page of each column with its dictionary, and decompressors. Where all files of a group take more than there is room for, some of them are merged first, to a
//! file that is thrown away when the group is done. The writer has one row group in memory, encoded and compressed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;

use super::opened;
use super::ordered::{self, ROW_BYTES, Rows};
use super::part::{self, Content, Part, WRITE_ROWS, Writing};
use crate::catalog::{TIME, Table};
use crate::fault::{Error, Result};

/// Bytes of rows that are read from a file at once, or written.
const BATCH_BYTES: usize = 2 << 20;
/// Bytes that all files of a merge may take while they are read.
const READING_BYTES: u64 = 160 << 20;
/// Files that are read at once: a process may have 1,024 open, and some systems let it have 256.
const READING_FILES: usize = 128;
/// Bytes of a row group's values without dictionary and compression: what a reader that wants all of it has to hold.
const GROUP_BYTES: usize = 128 << 20;
/// From this size of its files on a merged one has Bloom filters: in smaller ones nobody looks for them.
const FILTERED_BYTES: u64 = 1 << 20;

/// Rows of a page, at most: the default of the Parquet library.
const PAGE_ROWS: u64 = 20_000;
/// Bytes of a page, at most, where one value does not take more.
const PAGE_BYTES: u64 = 1 << 20;
/// Bytes of a decompressor.
const DECOMPRESSOR: u64 = 192 << 10;
/// Bytes of a column chunk that are not its values: headers of pages, and where its nulls are.
const HEADERS: u64 = 64;
/// Bytes before each text.
const LENGTH: u64 = 4;

/// A file that is to be merged.
pub(super) struct Source {
    path: PathBuf,
    rows: u64,
    /// Bytes of each column of the table, as values stand in a file without dictionary.
    columns: Vec<u64>,
    /// Bytes of a row in memory, at the mean of the row group with the widest ones.
    width: u64,
    /// Bytes of all rows in memory.
    whole: u64,
    /// Bytes that reading takes beside the rows.
    reader: u64,
}

impl Source {
    /// A file of a table with so many rows; nothing where it has another number of them.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn of(table: &Table, path: PathBuf, rows: u64) -> Result<Option<Source>> {
        let builder = open(&path)?;
        let metadata = builder.metadata();
        if count(metadata.file_metadata().num_rows()) != rows {
            return Ok(None);
        }
        Ok(Some(Source::told(table, path, metadata)))
    }

    /// What a footer says.
    fn told(table: &Table, path: PathBuf, metadata: &ParquetMetaData) -> Source {
        let mut columns = vec![0_u64; table.columns.len()];
        let (mut width, mut reader) = (0, 0);
        for group in metadata.row_groups() {
            let rows = count(group.num_rows()).max(1);
            let (mut own, mut pages) = (0_u64, 0_u64);
            for chunk in group.columns() {
                let values = values_of(chunk);
                own = own.saturating_add(values);
                pages = pages.saturating_add(pages_of(chunk, rows));
                if let Some(at) = table.position(&chunk.column_path().string()) {
                    columns[at] = columns[at].saturating_add(values);
                }
            }
            width = own.div_ceil(rows).max(width);
            reader = pages.max(reader);
        }
        let rows = count(metadata.file_metadata().num_rows());
        let beside = (ROW_BYTES * table.columns.len()) as u64;
        let values = columns.iter().copied().fold(0, u64::saturating_add);
        Source {
            path,
            rows,
            width: width.saturating_add(beside),
            whole: values.saturating_add(rows.saturating_mul(beside)),
            columns,
            reader,
        }
    }

    /// Bytes that it takes while it is merged.
    fn memory(&self) -> u64 {
        self.whole.min(self.streamed())
    }

    /// The same where rows are read a few at a time: a batch that is merged, and one that is made.
    fn streamed(&self) -> u64 {
        self.reader.saturating_add(2 * BATCH_BYTES as u64)
    }

    /// Its rows.
    fn open(&self, schema: &SchemaRef) -> Result<Rows> {
        if self.rows == 0 {
            return Ok(Box::new(std::iter::empty()));
        }
        let few = (BATCH_BYTES as u64 / self.width.max(1)).max(1);
        let few = usize::try_from(few).unwrap_or(WRITE_ROWS).min(WRITE_ROWS);
        let reader = open(&self.path)?.with_batch_size(few).build();
        let rows = Batches {
            reader: reader.map_err(part::failure(&self.path))?,
            schema: SchemaRef::clone(schema),
        };
        if self.whole > self.streamed() {
            return Ok(Box::new(rows));
        }
        // Its pages and decompressors would take more than its rows.
        let all = rows.collect::<Result<Vec<RecordBatch>>>()?;
        Ok(Box::new(all.into_iter().map(Result::<RecordBatch>::Ok)))
    }
}

/// The rows of a file in the columns of a table.
struct Batches {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let batch = self.reader.next()?;
        Some(
            batch
                .map_err(Error::from)
                .and_then(|batch| part::conform(&self.schema, &batch)),
        )
    }
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    opened::open(file).map_err(part::failure(path))
}

/// A number of a footer, none of which is negative.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Bytes of the values of a column chunk, as [`part::plain_bytes`] has them.
fn values_of(chunk: &ColumnChunkMetaData) -> u64 {
    let all = count(chunk.num_values());
    let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
    let values = all.saturating_sub(nulls.unwrap_or(0));
    match chunk.unencoded_byte_array_data_bytes() {
        _ if values == 0 => 0,
        Some(bytes) => count(bytes).saturating_add(values.saturating_mul(LENGTH)),
        // Such a column has no dictionary, or numbers.
        None => count(chunk.uncompressed_size()).saturating_sub(HEADERS),
    }
}

/// Bytes that a reader of a column chunk holds: a page as it lies there and as it is, the dictionary, and what decompresses them.
fn pages_of(chunk: &ColumnChunkMetaData, rows: u64) -> u64 {
    let (packed, whole) = (
        count(chunk.compressed_size()).max(1),
        count(chunk.uncompressed_size()),
    );
    let dictionary = chunk.dictionary_page_offset().map_or(0, |at| {
        let bytes = count(chunk.data_page_offset().saturating_sub(at)).min(packed);
        bytes.saturating_mul(whole) / packed
    });
    let page = (whole.saturating_mul(PAGE_ROWS) / rows).min(whole);
    let codec = match chunk.compression() {
        Compression::UNCOMPRESSED => 0,
        _ => DECOMPRESSOR,
    };
    let page = page.min(PAGE_BYTES.max(whole / rows));
    dictionary
        .saturating_add(page.saturating_mul(2))
        .saturating_add(codec)
}

/// A file that is made of others.
pub(super) struct Target<'t> {
    pub staging: &'t Path,
    pub table: &'static Table,
    pub date: Option<&'t str>,
    pub name: &'t str,
}

impl Target<'_> {
    /// Writes the rows of sources, which are in the order in which they were written and of so many bytes on disk, to its staged file.
    ///
    /// # Errors
    /// When one cannot be read, or the file cannot be written.
    pub(super) fn merge(&self, sources: Vec<Source>, bytes: u64) -> Result<Part> {
        self.within(sources, bytes, READING_BYTES, READING_FILES)
    }

    /// The same with so much room for so many files.
    fn within(
        &self,
        mut sources: Vec<Source>,
        bytes: u64,
        room: u64,
        files: usize,
    ) -> Result<Part> {
        let rows: u64 = sources.iter().map(|s| s.rows).sum();
        let columns = (0..self.table.columns.len()).map(|i| {
            let own = sources.iter().map(|s| s.columns[i]);
            usize::try_from(own.fold(0, u64::saturating_add)).unwrap_or(usize::MAX)
        });
        let content = Content {
            bytes: columns.collect(),
            repeats: Vec::new(),
            filtered: (bytes >= FILTERED_BYTES).then_some(rows),
        };
        // Nobody looks for anything in what is thrown away.
        let passing = Content {
            bytes: content.bytes.clone(),
            repeats: Vec::new(),
            filtered: None,
        };
        // Where rows stay in the order in which they were written, one file is read after the other.
        let (room, files) = match self.time() {
            Some(_) => (room, files),
            None => (u64::MAX, usize::MAX),
        };
        let mut made: Vec<PathBuf> = Vec::new();
        loop {
            let mut packs = packs(sources, room, files);
            if packs.len() <= 1 {
                sources = packs.pop().unwrap_or_default();
                break;
            }
            sources = Vec::new();
            for mut pack in packs {
                if pack.len() == 1 {
                    sources.append(&mut pack);
                    continue;
                }
                let between = format!("between-{}-{}", made.len(), self.name);
                let (_, path) = self.write(&between, &passing, &pack)?;
                let source = Source::told(self.table, path.clone(), open(&path)?.metadata());
                sources.push(source);
                made.push(path);
            }
        }
        let (part, _) = self.write(self.name, &content, &sources)?;
        for path in made {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
        Ok(part)
    }

    /// Position of the time by which rows are in order.
    fn time(&self) -> Option<usize> {
        let table = self.table;
        table.position(TIME).filter(|_| table.by_day)
    }

    /// Writes the rows of sources to a staged file of this name; says where that is.
    fn write(&self, name: &str, content: &Content, sources: &[Source]) -> Result<(Part, PathBuf)> {
        let (table, schema) = (self.table, self.table.schema());
        let mut out = Writing::new(self.staging, table, self.date, name, content)?;
        let path = out.staged().to_path_buf();
        let time = self.time();
        let mut times: Option<(i64, i64)> = None;
        let mut group = 0;
        let mut put = |rows: &RecordBatch| -> Result<()> {
            if let Some(time) = time {
                times = wider(times, rows, time);
            }
            out.write(rows)?;
            group += rows.columns().iter().map(part::plain_bytes).sum::<usize>();
            if group >= GROUP_BYTES {
                group = 0;
                out.end_group()?;
            }
            Ok(())
        };
        match time {
            Some(time) => {
                let rows = sources.iter().map(|source| source.open(&schema));
                let rows = rows.collect::<Result<Vec<Rows>>>()?;
                ordered::merge(rows, time, BATCH_BYTES, &mut put)?;
            }
            None => {
                for source in sources {
                    for rows in source.open(&schema)? {
                        put(&rows?)?;
                    }
                }
            }
        }
        let part = Part {
            times,
            ..out.end()?
        };
        Ok((part, path))
    }
}

/// Successive sources that are merged at once: within these limits, and at least two.
fn packs(sources: Vec<Source>, bytes: u64, files: usize) -> Vec<Vec<Source>> {
    let mut packs: Vec<Vec<Source>> = Vec::new();
    let mut room = 0;
    for source in sources {
        let memory = source.memory();
        match packs.last_mut() {
            Some(pack) if pack.len() < 2 || (pack.len() < files && memory <= room) => {
                room = room.saturating_sub(memory);
                pack.push(source);
            }
            _ => {
                room = bytes.saturating_sub(memory);
                packs.push(vec![source]);
            }
        }
    }
    packs
}

/// The earliest and latest time, with those of more rows.
pub(super) fn wider(
    times: Option<(i64, i64)>,
    rows: &RecordBatch,
    time: usize,
) -> Option<(i64, i64)> {
    let column = rows.column(time).as_primitive::<TimestampMicrosecondType>();
    let own = arrow::compute::min(column).zip(arrow::compute::max(column));
    match (times, own) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray, new_null_array};
    use arrow::compute::{cast, concat_batches};

    use super::super::store::STAGED;
    use super::*;
    use crate::catalog;

    /// Rows of the audit log at these times, in microseconds; the text of each is as wide as it says.
    fn rows(times: &[i64], ids: &str, width: usize) -> RecordBatch {
        let schema = catalog::table("UnifiedAuditLog").schema();
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                TIME => {
                    let times = Int64Array::from(times.to_vec());
                    cast(&times, field.data_type()).expect("numbers are times")
                }
                "Id" => {
                    let id = |n| Some(format!("{ids}{n}"));
                    Arc::new((0..times.len()).map(id).collect::<StringArray>())
                }
                "AuditData" => {
                    let text = |_| Some("x".repeat(width));
                    Arc::new(times.iter().map(text).collect::<StringArray>())
                }
                _ => new_null_array(field.data_type(), times.len()),
            }
        });
        let columns = columns.collect();
        RecordBatch::try_new(schema, columns).expect("columns of the table")
    }

    fn source(staging: &Path, name: &str, batch: RecordBatch) -> Source {
        let table = catalog::table("UnifiedAuditLog");
        let count = batch.num_rows() as u64;
        let part = part::write(staging, table, Some("1970-01-01"), name, &[batch]);
        let part = part.expect("a file");
        assert_eq!(part.rows, count);
        let path = staging.join(format!("{}/{name}{STAGED}", table.name));
        let source = Source::of(table, path, count).expect("it can be read");
        source.expect("it has the rows that were written")
    }

    fn content(path: &Path) -> RecordBatch {
        let schema = catalog::table("UnifiedAuditLog").schema();
        let reader = open(path).expect("a file").build().expect("a reader");
        let batches: Vec<RecordBatch> = reader
            .map(|b| part::conform(&schema, &b.expect("rows")).expect("columns of the table"))
            .collect();
        concat_batches(&schema, &batches).expect("rows of one table")
    }

    #[test]
    fn files_merged_in_several_rounds_are_those_of_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let staging = folder.path();
        let sources = || -> Vec<Source> {
            let source = |n: i64| {
                let times: Vec<i64> = (0..50).map(|t| 1000 * (t / 2) + n % 3).collect();
                let name = part::name(1, n as u64);
                source(staging, &name, rows(&times, &format!("{n}-"), 10))
            };
            (0..7).map(source).collect()
        };
        let name = part::merged_name(1);
        let target = Target {
            staging,
            table: catalog::table("UnifiedAuditLog"),
            date: Some("1970-01-01"),
            name: &name,
        };
        let path = staging.join(format!("UnifiedAuditLog/{name}{STAGED}"));
        let one = target.merge(sources(), 0).expect("a file");
        let wanted = content(&path);
        assert_eq!((one.rows, one.times), (350, Some((0, 24_002))));
        let times = wanted.column_by_name(TIME).expect("times");
        let times = times.as_primitive::<TimestampMicrosecondType>().values();
        assert!(times.is_sorted());
        for files in [2, 3] {
            let many = target
                .within(sources(), 0, u64::MAX, files)
                .expect("a file");
            assert_eq!((many.rows, many.times), (one.rows, one.times));
            assert_eq!(content(&path), wanted, "{files}");
        }
        // There is no room, and two at once are merged all the same.
        target
            .within(sources(), 0, 0, READING_FILES)
            .expect("a file");
        assert_eq!(content(&path), wanted);
        let left = fs::read_dir(staging.join("UnifiedAuditLog")).expect("a folder");
        assert_eq!(left.count(), 7 + 1, "what was made in between is gone");
    }

    #[test]
    fn merged_files_have_indexes_and_bloom_filters() {
        let folder = tempfile::tempdir().expect("a folder");
        let staging = folder.path();
        let table = catalog::table("UnifiedAuditLog");
        let name = part::merged_name(1);
        let target = Target {
            staging,
            table,
            date: Some("1970-01-01"),
            name: &name,
        };
        let times: Vec<i64> = (0..1000).collect();
        let sources = ["a", "b"].map(|ids| source(staging, ids, rows(&times, ids, 1)));
        let sources = sources.into_iter().collect();
        target.merge(sources, FILTERED_BYTES).expect("a file");
        let path = staging.join(format!("UnifiedAuditLog/{name}{STAGED}"));
        let file = open(&path).expect("a file");
        for chunk in file.metadata().row_groups()[0].columns() {
            let column = chunk.column_path().string();
            assert!(chunk.offset_index_offset().is_some(), "{column}");
            let bounds = chunk.column_index_offset().is_some();
            assert!(bounds || column != TIME, "{column}");
            assert_eq!(
                chunk.bloom_filter_offset().is_some(),
                column == "Id",
                "{column}"
            );
        }
    }

    #[test]
    fn what_a_file_takes_is_known_from_its_footer() {
        let folder = tempfile::tempdir().expect("a folder");
        let times: Vec<i64> = (0..100).collect();
        let narrow = source(folder.path(), "a", rows(&times, "a", 10));
        let wide = source(folder.path(), "b", rows(&times, "b", 10_000));
        let bytes = |width: usize| ordered::bytes_of(&rows(&times, "a", width)) as u64;
        for (source, wanted) in [(&narrow, bytes(10)), (&wide, bytes(10_000))] {
            let whole = source.whole;
            assert!(
                (wanted / 2..2 * wanted).contains(&whole),
                "{whole}, and not {wanted}"
            );
        }
        assert!((10_000..20_000).contains(&wide.width), "{}", wide.width);
        let memory = narrow.memory();
        let packs = packs(vec![narrow, wide], memory, 2);
        assert_eq!(packs.len(), 1, "two at least");
    }
}
