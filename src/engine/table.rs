//! The files of an archive as a table of DataFusion, and files that the user names.
//!
//! A file keeps the types that Arrow reads or infers; KQL makes its own of them.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetFileReaderFactory, ParquetFileReaderFactory as _,
};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::{MemTable, TableProvider, TableType};
use datafusion::error::Result as PlanResult;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Operator, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};

use super::values::{Condition, Values, Whole};
use crate::archive::delta::FileEntry;
use crate::archive::store::Store;
use crate::catalog::{TIME, Table};
use crate::fault::{Error, Result};
use crate::ingest::input;

/// Columns that say what happened: they have few values, and each rule asks for some of them.
const WHAT_HAPPENED: [&str; 7] = [
    "Operation",
    "ActionType",
    "OperationName",
    "Workload",
    "OfficeWorkload",
    "RawEventData_Operation",
    "RawEventData_Workload",
];

/// Files of fewer bytes are small.
const SMALL_FILE: u64 = 1 << 20;

/// Files of one table. Files whose times cannot match a query are not opened.
#[derive(Debug)]
pub struct ArchiveTable {
    schema: SchemaRef,
    name: &'static str,
    /// Other tables have no bounds, whatever times are in them.
    by_day: bool,
    files: Arc<[FileEntry]>,
    store: Store,
    values: Values,
}

/// Under which the archive's folder is registered as an object store.
///
/// # Errors
/// Never: the name is one.
pub fn store_url() -> PlanResult<ObjectStoreUrl> {
    ObjectStoreUrl::parse("archive://folder")
}

impl ArchiveTable {
    /// These files of the table, in the folder of their archive.
    pub fn new(table: &Table, files: Arc<[FileEntry]>, store: Store) -> Self {
        ArchiveTable {
            schema: table.schema(),
            name: table.name,
            by_day: table.by_day,
            files,
            store,
            values: Values::default(),
        }
    }

    /// Brings small files from object storage, many at once, where the archive is there: one by one each would wait for the one before.
    fn bring<'f>(&self, files: impl Iterator<Item = &'f FileEntry>) -> PlanResult<()> {
        let names = files.map(|file| format!("{}/{}", self.name, file.path));
        let brought = self.store.bring(names);
        brought.map_err(|e| datafusion::error::DataFusionError::External(Box::new(e)))
    }

    fn meta(&self, file: &FileEntry) -> PlanResult<object_store::ObjectMeta> {
        let path = object_store::path::Path::parse(format!("{}/{}", self.name, file.path))
            .map_err(|e| datafusion::error::DataFusionError::External(Box::new(e)))?;
        Ok(object_store::ObjectMeta {
            location: path,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.size,
            e_tag: None,
            version: None,
        })
    }

    /// Whether no row meets all of these conditions, by the values that its files list of a column that says what happened.
    pub(super) async fn has_none(&self, conditions: &[Expr], state: &SessionState) -> bool {
        let says = |condition: &&Expr| {
            let columns = condition.column_refs();
            let mut names = columns.iter().map(|column| column.name.as_str());
            names.any(|name| WHAT_HAPPENED.contains(&name))
        };
        // The others are not made ready: that takes longer than to try these.
        let conditions = conditions.iter().flat_map(split_conjunction);
        let conditions: Vec<Expr> = conditions.filter(says).cloned().collect();
        for condition in Condition::among(&conditions, &self.schema, state) {
            let Ok(Some(values)) = self.listed(condition.column(), state).await else {
                continue;
            };
            if condition.holds_for_none(values) {
                return true;
            }
        }
        false
    }

    /// All values of a column; nothing where a file does not list them.
    async fn listed(&self, column: &str, state: &dyn Session) -> PlanResult<Option<ArrayRef>> {
        if let Some(known) = self.values.whole(column) {
            return Ok(known);
        }
        let readers = readers(state)?;
        self.bring(self.files.iter())?;
        let mut all = Whole::default();
        for file in self.files.iter() {
            let part = PartitionedFile::new_from_meta(self.meta(file)?);
            let unmeasured = ExecutionPlanMetricsSet::new();
            let mut reader = readers.create_reader(0, part, None, &unmeasured)?;
            if !self
                .values
                .gather(&file.path, &mut *reader, column, &mut all)
                .await
            {
                break;
            }
        }
        Ok(self.values.keep(column, &all))
    }

    /// How many rows it has, by the archive's log.
    pub(super) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// Readers of the archive's files. A query over several views reads a file several times: its footer, which may have two hundred columns, is read
/// once a session.
fn readers(state: &dyn Session) -> PlanResult<CachedParquetFileReaderFactory> {
    let runtime = state.runtime_env();
    let footers = runtime.cache_manager.get_file_metadata_cache();
    let store = runtime.object_store(&store_url()?)?;
    Ok(CachedParquetFileReaderFactory::new(store, footers))
}

#[async_trait]
impl TableProvider for ArchiveTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        // Files and row groups are skipped by bounds; rows are filtered above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let window = filters.iter().fold(Window::default(), Window::narrow);
        let url = store_url()?;
        let readers = readers(state)?;
        let conditions = Condition::among(filters, &self.schema, state);
        let mut rows = 0;
        let mut group = Vec::new();
        let touched = |f: &&FileEntry| !self.by_day || !f.bounded || window.touches(f.times);
        self.bring(self.files.iter().filter(touched))?;
        for file in self.files.iter().filter(touched) {
            let mut part = PartitionedFile::new_from_meta(self.meta(file)?);
            if !conditions.is_empty() && file.size >= SMALL_FILE {
                let unmeasured = ExecutionPlanMetricsSet::new();
                let mut reader = readers.create_reader(0, part.clone(), None, &unmeasured)?;
                let chosen = self
                    .values
                    .chosen(&file.path, &mut *reader, &conditions)
                    .await;
                match chosen {
                    Some(chosen) if chosen.row_group_index_iter().next().is_none() => continue,
                    Some(chosen) => part = part.with_extension(chosen),
                    None => {}
                }
            }
            group.push(part);
            rows += file.rows as usize;
        }
        if group.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let mut options = state.config_options().execution.parquet.clone();
        // To look for Bloom filters costs a fifth of what it takes to read such a file.
        options.bloom_filter_on_read &= self.files.iter().any(|f| f.size >= SMALL_FILE);
        let source =
            ParquetSource::new(self.schema()).with_table_parquet_options(options.into_table());
        let source = source.with_parquet_file_reader_factory(Arc::new(readers));
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Inexact(rows);
        let partitions = state.config_options().execution.target_partitions;
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(FileGroup::new(group).split_files(partitions))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

trait IntoTable {
    fn into_table(self) -> datafusion::common::config::TableParquetOptions;
}

impl IntoTable for datafusion::common::config::ParquetOptions {
    fn into_table(self) -> datafusion::common::config::TableParquetOptions {
        datafusion::common::config::TableParquetOptions {
            global: self,
            ..Default::default()
        }
    }
}

/// Times that a query can be about, in microseconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from: i64,
    to: i64,
    /// Rows without a time cannot match either.
    bounded: bool,
}

impl Default for Window {
    fn default() -> Self {
        Window {
            from: i64::MIN,
            to: i64::MAX,
            bounded: false,
        }
    }
}

impl Window {
    fn touches(self, times: Option<(i64, i64)>) -> bool {
        match times {
            Some((first, last)) => first <= self.to && last >= self.from,
            None => !self.bounded,
        }
    }

    /// Takes a condition into account that rows must meet.
    fn narrow(mut self, filter: &Expr) -> Window {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And => return self.narrow(left).narrow(right),
                _ => match (is_time(left), literal(right), is_time(right), literal(left)) {
                    (true, Some(t), _, _) => self.limit(*op, t),
                    (_, _, true, Some(t)) => {
                        if let Some(op) = op.swap() {
                            self.limit(op, t);
                        }
                    }
                    _ => {}
                },
            },
            Expr::Between(between) if !between.negated && is_time(&between.expr) => {
                if let Some(t) = literal(&between.low) {
                    self.limit(Operator::GtEq, t);
                }
                if let Some(t) = literal(&between.high) {
                    self.limit(Operator::LtEq, t);
                }
            }
            _ => {}
        }
        self
    }

    fn limit(&mut self, op: Operator, t: i64) {
        match op {
            Operator::Gt | Operator::GtEq => self.from = self.from.max(t),
            Operator::Lt | Operator::LtEq => self.to = self.to.min(t),
            Operator::Eq => {
                self.from = self.from.max(t);
                self.to = self.to.min(t);
            }
            _ => return,
        }
        self.bounded = true;
    }
}

fn is_time(e: &Expr) -> bool {
    matches!(e, Expr::Column(c) if c.name == TIME)
}

fn literal(e: &Expr) -> Option<i64> {
    match e {
        Expr::Literal(ScalarValue::TimestampMicrosecond(Some(t), _), _) => Some(*t),
        Expr::Literal(ScalarValue::TimestampNanosecond(Some(t), _), _) => Some(t.div_euclid(1000)),
        Expr::Literal(ScalarValue::TimestampMillisecond(Some(t), _), _) => t.checked_mul(1000),
        Expr::Literal(ScalarValue::TimestampSecond(Some(t), _), _) => t.checked_mul(1_000_000),
        _ => None,
    }
}

/// What Arrow's types do not say of the columns of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Particulars {
    /// Columns of unsigned numbers that has one beyond what `long` of Kusto holds.
    pub beyond_long: Vec<String>,
    /// Columns of text that is JSON: their values are of several shapes.
    pub json: Vec<String>,
}

/// Schema, rows, and the columns of text that is JSON.
type FileRows = (SchemaRef, Vec<RecordBatch>, Vec<String>);

/// Reads a CSV, JSON or Parquet file that the user named, told by content.
///
/// # Errors
/// When it is no file, cannot be read as any of these, or holds more than there is room for.
pub fn from_file(
    path: &Path,
    room: &MemoryReservation,
) -> Result<(Arc<dyn TableProvider>, Particulars)> {
    input::regular(path)?;
    let mut head = [0; 512];
    let n = open(path)?
        .read(&mut head)
        .map_err(Error::io("read", path))?;
    let head = &head[..n];
    let first = head.iter().find(|b| !b.is_ascii_whitespace());
    let (schema, batches, json) = if head.starts_with(b"PAR1") {
        parquet_rows(path, room)?
    } else if matches!(first, Some(b'{' | b'[')) {
        json_rows(path, room)?
    } else {
        csv_rows(path, room)?
    };
    let mut names = BTreeSet::new();
    if let Some(twice) = schema.fields().iter().find(|f| !names.insert(f.name())) {
        return Err(unusable(
            path,
            &format!("two columns are called `{}`", twice.name()),
        ));
    }
    let beyond = |at: usize| batches.iter().any(|b| is_beyond_long(b.column(at)));
    let fields = schema.fields().iter().enumerate();
    let particulars = Particulars {
        beyond_long: fields
            .filter(|(at, _)| beyond(*at))
            .map(|(_, f)| f.name().clone())
            .collect(),
        json,
    };
    let table = MemTable::try_new(schema, vec![batches])?;
    Ok((Arc::new(table), particulars))
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(Error::io("open", path))
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Unusable {
        path: path.to_path_buf(),
        reason: why.to_string(),
    }
}

/// Rows of a file, no more of them than there is room for: a small Parquet file may hold many gigabytes.
fn rows(
    path: &Path,
    reader: impl Iterator<Item = std::result::Result<RecordBatch, ArrowError>>,
    room: &MemoryReservation,
) -> Result<Vec<RecordBatch>> {
    // Those of an earlier try are gone.
    room.free();
    let mut batches = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| unusable(path, &e))?;
        for column in batch.columns() {
            let bytes = column.to_data().get_slice_memory_size();
            room.try_grow(bytes.map_err(|e| unusable(path, &e))?)?;
        }
        batches.push(batch);
    }
    Ok(batches)
}

fn parquet_rows(path: &Path, room: &MemoryReservation) -> Result<FileRows> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(open(path)?)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|e| unusable(path, &e))?;
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    Ok((schema, rows(path, reader, room)?, Vec::new()))
}

fn json_rows(path: &Path, room: &MemoryReservation) -> Result<FileRows> {
    let bytes = path.metadata().map_err(Error::io("read", path))?.len();
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    // The text of the file, and the lines that are made of it.
    let texts = room.new_empty();
    texts.try_grow(bytes.saturating_mul(2))?;
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let lines = json_lines(&text).map_err(|e| unusable(path, &e))?;
    drop(text);
    let fault = match read_json(path, &lines, room) {
        Ok((schema, batches)) => return Ok((schema, batches, Vec::new())),
        Err(memory @ Error::Memory(_)) => return Err(memory),
        Err(Error::Unusable { reason, .. }) => reason,
        Err(other) => return Err(other),
    };
    // Values of one column may have several shapes.
    let (lines, json) = nested_as_text(&lines).map_err(|e| unusable(path, &e))?;
    if json.is_empty() {
        return Err(unusable(path, &fault));
    }
    let (schema, batches) = read_json(path, &lines, room)?;
    Ok((schema, batches, json))
}

fn csv_rows(path: &Path, room: &MemoryReservation) -> Result<FileRows> {
    let format = arrow::csv::reader::Format::default().with_header(true);
    let (schema, _) = format
        .infer_schema(BufReader::new(open(path)?), None)
        .map_err(|e| unusable(path, &e))?;
    let read = |schema: Schema| -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let schema = Arc::new(schema);
        let reader = arrow::csv::ReaderBuilder::new(Arc::clone(&schema))
            .with_header(true)
            .build(open(path)?)
            .map_err(|e| unusable(path, &e))?;
        Ok((schema, rows(path, reader, room)?))
    };
    let mut fields: Vec<Field> = schema.fields().iter().map(|f| (**f).clone()).collect();
    let is_number = |field: &Field| field.data_type().is_numeric();
    if fields.iter().any(is_number) {
        let text = fields
            .iter()
            .cloned()
            .map(|f| f.with_data_type(DataType::Utf8));
        let (_, batches) = read(Schema::new(text.collect::<Vec<_>>()))?;
        for (at, field) in fields.iter_mut().enumerate() {
            // `007` is a name for something, no number.
            if is_number(field) && batches.iter().any(|b| has_leading_zero(b.column(at))) {
                *field = field.clone().with_data_type(DataType::Utf8);
            }
        }
    }
    let (schema, batches) = read(Schema::new(fields))?;
    Ok((schema, batches, Vec::new()))
}

/// Whether one of the texts is a number with zeros in front.
fn has_leading_zero(array: &ArrayRef) -> bool {
    array.as_string::<i32>().iter().flatten().any(|text| {
        let digits = text.trim_start_matches(['+', '-']).as_bytes();
        digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit()
    })
}

/// Whether one of the values is an unsigned number beyond what 64 bits with a sign hold.
fn is_beyond_long(array: &ArrayRef) -> bool {
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        return is_beyond_long(dictionary.values());
    }
    let numbers = array.as_primitive_opt::<UInt64Type>();
    let largest = numbers.and_then(arrow::compute::max);
    largest.is_some_and(|n| i64::try_from(n).is_err())
}

/// An array of objects as lines; lines stay as they are.
fn json_lines(text: &str) -> serde_json::Result<String> {
    if !text.trim_start().starts_with('[') {
        return Ok(text.to_string());
    }
    let mut lines = String::with_capacity(text.len());
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_seq(Lines(&mut lines))?;
    reader.end()?;
    Ok(lines)
}

/// Writes the elements of an array, one a line. Only one of them is taken apart at a time.
struct Lines<'l>(&'l mut String);

impl<'de> Visitor<'de> for Lines<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> std::result::Result<(), A::Error> {
        while let Some(value) = all.next_element::<serde_json::Value>()? {
            // Writing to a String cannot fail.
            let _ = writeln!(self.0, "{value}");
        }
        Ok(())
    }
}

fn read_json(
    path: &Path,
    lines: &str,
    room: &MemoryReservation,
) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let wrong = |e: ArrowError| unusable(path, &e);
    let text = BufReader::new(lines.as_bytes());
    let (schema, _) = arrow::json::reader::infer_json_schema(text, None).map_err(wrong)?;
    let schema = Arc::new(schema);
    let reader = arrow::json::ReaderBuilder::new(Arc::clone(&schema))
        // A column of numbers and strings is one of strings.
        .with_coerce_primitive(true)
        .build(lines.as_bytes())
        .map_err(wrong)?;
    Ok((schema, rows(path, reader, room)?))
}

/// The same records, in which columns that hold lists or objects are text with the JSON of their values; and which columns these are.
fn nested_as_text(lines: &str) -> serde_json::Result<(String, Vec<String>)> {
    let records = || {
        let records = serde_json::Deserializer::from_str(lines);
        records.into_iter::<serde_json::Map<String, serde_json::Value>>()
    };
    let mut nested: BTreeSet<String> = BTreeSet::new();
    for record in records() {
        for (name, value) in record? {
            if value.is_array() || value.is_object() {
                nested.insert(name);
            }
        }
    }
    let mut out = String::with_capacity(lines.len());
    for record in records() {
        let mut record = record?;
        for (name, value) in record.iter_mut() {
            if nested.contains(name) && !value.is_null() {
                *value = serde_json::Value::String(value.to_string());
            }
        }
        out.push_str(&serde_json::to_string(&record)?);
        out.push('\n');
    }
    Ok((out, nested.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::{col, lit};

    #[test]
    fn conditions_on_the_time_narrow_the_window() {
        let at = |t: i64| {
            lit(ScalarValue::TimestampMicrosecond(
                Some(t),
                Some("UTC".into()),
            ))
        };
        let time = || col("\"TimeGenerated\"");
        let window = Window::default().narrow(&time().gt_eq(at(10)).and(at(20).gt(time())));
        assert_eq!((window.from, window.to, window.bounded), (10, 20, true));
        assert!(window.touches(Some((0, 10))));
        assert!(!window.touches(Some((0, 9))));
        assert!(!window.touches(Some((21, 30))));
        assert!(!window.touches(None));
        let open = Window::default().narrow(&time().gt(at(10)).or(time().lt(at(5))));
        assert_eq!(open, Window::default());
    }
}
