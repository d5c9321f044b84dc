//! Row groups without a row for a query, by the values that a column has in them.
//!
//! Parquet lists the few operations of a row group before its rows. A condition on that column alone is tried on the list: bounds and Bloom
//! filters help `=` and `IN` only, and rules look for patterns or mind no case. A file without a row is not opened, which takes longer than to
//! look at its lists: DataFusion makes filters ready for each file.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::{Buf, Bytes};
use datafusion::catalog::Session;
use datafusion::common::DFSchema;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::Expr;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

/// A longer list is not read: it may be as long as its rows.
const LIST_MOST: u64 = 16 << 10;
/// Lists that a table keeps for its next query.
const KEPT: usize = 1024;

/// Values of a whole table that are kept: more are no words for what happens.
const WORDS: usize = 8192;

/// Lists of values that were read.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// By file, row group and column.
    groups: Mutex<HashMap<(String, usize, usize), ArrayRef>>,
    /// By column, of all files; nothing where one does not list them.
    whole: Mutex<HashMap<String, Option<ArrayRef>>>,
}

/// The values of a column, gathered file by file.
#[derive(Debug)]
pub(super) struct Whole {
    words: BTreeSet<Option<String>>,
    is_complete: bool,
}

impl Default for Whole {
    fn default() -> Whole {
        Whole {
            words: BTreeSet::new(),
            is_complete: true,
        }
    }
}

/// A condition on one column of texts.
pub(super) struct Condition {
    column: String,
    schema: SchemaRef,
    holds: Arc<dyn PhysicalExpr>,
}

impl Condition {
    /// The conditions among filters that can be tried on values.
    pub(super) fn among(filters: &[Expr], table: &Schema, state: &dyn Session) -> Vec<Condition> {
        let all = filters.iter().flat_map(split_conjunction);
        all.filter_map(|filter| Condition::of(filter, table, state))
            .collect()
    }

    fn of(filter: &Expr, table: &Schema, state: &dyn Session) -> Option<Condition> {
        if filter.is_volatile() {
            return None;
        }
        let columns = filter.column_refs();
        let mut columns = columns.iter();
        let (Some(column), None) = (columns.next(), columns.next()) else {
            return None;
        };
        let field = table.field_with_name(&column.name).ok()?;
        if field.data_type() != &DataType::Utf8 {
            return None;
        }
        let field = Field::new(&column.name, DataType::Utf8, true);
        let schema = Arc::new(Schema::new(vec![field]));
        let named = DFSchema::try_from(Arc::clone(&schema)).ok()?;
        Some(Condition {
            column: column.name.clone(),
            schema,
            // What cannot be tried by itself, such as a subquery, is tried on the rows.
            holds: state.create_physical_expr(filter.clone(), &named).ok()?,
        })
    }

    /// The column.
    pub(super) fn column(&self) -> &str {
        &self.column
    }

    /// Whether it holds for none of these values. Where it fails, that is not known.
    pub(super) fn holds_for_none(&self, values: ArrayRef) -> bool {
        !self.without(&[(0, values)]).is_empty()
    }

    /// Those of the row groups with these values for none of which it holds. Where it fails, the rows are to fail: they name the query.
    fn without(&self, lists: &[(usize, ArrayRef)]) -> Vec<usize> {
        let all: Vec<&dyn Array> = lists.iter().map(|(_, values)| values.as_ref()).collect();
        let tried = concat(&all)
            .and_then(|all| RecordBatch::try_new(Arc::clone(&self.schema), vec![all]))
            .map_err(Into::into)
            .and_then(|batch| self.holds.evaluate(&batch)?.into_array(batch.num_rows()));
        let Some(answer) = tried.ok() else {
            return Vec::new();
        };
        let Some(answer) = answer.as_boolean_opt() else {
            return Vec::new();
        };
        let mut from = 0;
        let none = lists.iter().filter(|(_, values)| {
            let own = answer.slice(from, values.len());
            from += values.len();
            own.true_count() == 0
        });
        none.map(|(group, _)| *group).collect()
    }
}

impl Values {
    /// The row groups of a file that may have a row for all conditions; nothing where all may, or where that cannot be found out.
    pub(super) async fn chosen(
        &self,
        file: &str,
        reader: &mut dyn AsyncFileReader,
        conditions: &[Condition],
    ) -> Option<ParquetAccessPlan> {
        let footer = reader.get_metadata(None).await.ok()?;
        let mut chosen = vec![true; footer.num_row_groups()];
        for condition in conditions {
            let Some(column) = position(&footer, &condition.column) else {
                continue;
            };
            // Tried on all lists at once: to make a regular expression ready takes longer than to look for it in them.
            let mut lists = Vec::new();
            for group in (0..chosen.len()).filter(|group| chosen[*group]) {
                let values = self.of(file, reader, &footer, (group, column)).await;
                lists.extend(values.map(|values| (group, values)));
            }
            for group in condition.without(&lists) {
                chosen[group] = false;
            }
        }
        if chosen.iter().all(|is_chosen| *is_chosen) {
            return None;
        }
        let mut plan = ParquetAccessPlan::new_none(chosen.len());
        let groups = (0..chosen.len()).filter(|group| chosen[*group]);
        groups.for_each(|group| plan.scan(group));
        Some(plan)
    }

    /// All values of a column, where it was found out before whether they are listed.
    pub(super) fn whole(&self, column: &str) -> Option<Option<ArrayRef>> {
        let known = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(column).cloned()
    }

    /// Adds the values of a column in one file; false where that cannot be done, and all of them are not to be had.
    pub(super) async fn gather(
        &self,
        file: &str,
        reader: &mut dyn AsyncFileReader,
        column: &str,
        all: &mut Whole,
    ) -> bool {
        let gathered = self.gathered(file, reader, column, all).await;
        all.is_complete &= gathered.is_some() && all.words.len() <= WORDS;
        all.is_complete
    }

    async fn gathered(
        &self,
        file: &str,
        reader: &mut dyn AsyncFileReader,
        column: &str,
        all: &mut Whole,
    ) -> Option<()> {
        let footer = reader.get_metadata(None).await.ok()?;
        let Some(column) = position(&footer, column) else {
            all.words.insert(None);
            return Some(());
        };
        for group in 0..footer.num_row_groups() {
            let values = self.of(file, reader, &footer, (group, column)).await?;
            let values = values.as_string::<i32>();
            all.words
                .extend(values.iter().map(|value| value.map(str::to_string)));
        }
        Some(())
    }

    /// Keeps what was gathered of a column.
    pub(super) fn keep(&self, column: &str, all: &Whole) -> Option<ArrayRef> {
        let values = all.is_complete.then(|| {
            let words = all.words.iter().map(Option::as_deref);
            Arc::new(words.collect::<StringArray>()) as ArrayRef
        });
        let mut known = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(column.to_string(), values.clone());
        values
    }

    /// The values of a column in a row group, with a null where a row may have none; nothing where they are not listed.
    async fn of(
        &self,
        file: &str,
        reader: &mut dyn AsyncFileReader,
        footer: &ParquetMetaData,
        (group, column): (usize, usize),
    ) -> Option<ArrayRef> {
        let place = (file.to_string(), group, column);
        let known = || self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(values) = known().get(&place) {
            return Some(Arc::clone(values));
        }
        let chunk = footer.row_group(group).column(column);
        let (from, to) = listed(chunk)?;
        let bytes = reader.get_bytes(from..to).await.ok()?;
        let values = read(chunk, from, bytes)?;
        let mut known = known();
        if known.len() < KEPT {
            known.insert(place, Arc::clone(&values));
        }
        Some(values)
    }
}

fn position(footer: &ParquetMetaData, name: &str) -> Option<usize> {
    let columns = footer.file_metadata().schema_descr();
    columns
        .columns()
        .iter()
        .position(|column| column.path().parts() == [name])
}

/// Where a column lists its values, if it has no others.
fn listed(chunk: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let is_list = |mask: &parquet::basic::EncodingMask| {
        mask.is_only(Encoding::RLE_DICTIONARY) || mask.is_only(Encoding::PLAIN_DICTIONARY)
    };
    let whole = chunk.page_encoding_stats_mask().is_some_and(is_list);
    let from = u64::try_from(chunk.dictionary_page_offset()?).ok()?;
    let to = u64::try_from(chunk.data_page_offset()).ok()?;
    let bytes = to.checked_sub(from)?;
    (whole && bytes > 0 && bytes <= LIST_MOST).then_some((from, to))
}

fn read(chunk: &ColumnChunkMetaData, from: u64, bytes: Bytes) -> Option<ArrayRef> {
    let part = Arc::new(Part { from, bytes });
    let rows = usize::try_from(chunk.num_values()).ok()?;
    let mut pages = SerializedPageReader::new(part, chunk, rows, None).ok()?;
    let Ok(Some(Page::DictionaryPage {
        mut buf,
        num_values,
        encoding: Encoding::PLAIN | Encoding::PLAIN_DICTIONARY,
        ..
    })) = pages.get_next_page()
    else {
        return None;
    };
    let mut values = StringBuilder::new();
    for _ in 0..num_values {
        let length = usize::try_from(buf.try_get_u32_le().ok()?).ok()?;
        let value = (length <= buf.len()).then(|| buf.split_to(length))?;
        values.append_value(std::str::from_utf8(&value).ok()?);
    }
    if chunk.statistics().and_then(|s| s.null_count_opt()) != Some(0) {
        values.append_null();
    }
    Some(Arc::new(values.finish()))
}

/// A part of a file, by its places in the file.
struct Part {
    from: u64,
    bytes: Bytes,
}

impl Length for Part {
    fn len(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }
}

impl ChunkReader for Part {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(self.get_bytes(start, usize::MAX)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let start = start
            .checked_sub(self.from)
            .and_then(|start| usize::try_from(start).ok());
        let start = start.filter(|start| *start <= self.bytes.len());
        let start = start.ok_or_else(|| ParquetError::EOF("outside of what was read".into()))?;
        let end = start.saturating_add(length).min(self.bytes.len());
        Ok(self.bytes.slice(start..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Range;

    use datafusion::prelude::{SessionContext, col, lit};
    use futures::FutureExt;
    use futures::executor::block_on;
    use futures::future::BoxFuture;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ArrowReaderOptions;
    use parquet::file::metadata::ParquetMetaDataReader;
    use parquet::file::properties::WriterProperties;

    struct Memory(Bytes);

    impl AsyncFileReader for Memory {
        fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
            let place = |at: u64| usize::try_from(at).expect("a small file");
            let bytes = self.0.slice(place(range.start)..place(range.end));
            async move { Ok(bytes) }.boxed()
        }

        fn get_metadata<'a>(
            &'a mut self,
            _: Option<&'a ArrowReaderOptions>,
        ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
            let footer = ParquetMetaDataReader::new().parse_and_finish(&self.0);
            async move { footer.map(Arc::new) }.boxed()
        }
    }

    /// A file with these values, four a row group.
    fn file(values: &[Option<&str>], listed: bool) -> Memory {
        let schema = Arc::new(Schema::new(vec![Field::new(
            "Operation",
            DataType::Utf8,
            true,
        )]));
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(4))
            .set_dictionary_enabled(listed)
            .build();
        let column: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
        let rows = RecordBatch::try_new(Arc::clone(&schema), vec![column]).expect("rows");
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties)).expect("file");
        writer.write(&rows).expect("rows");
        writer.close().expect("file");
        Memory(bytes.into())
    }

    #[test]
    fn row_groups_without_a_value_that_is_asked_for_are_passed_over() {
        let values = [
            Some("FileAccessed"),
            Some("FileAccessed"),
            Some("MailItemsAccessed"),
            Some(""),
            // The second.
            Some("Set-LabelPolicy"),
            Some("FileAccessed"),
            Some("Set-Mailbox"),
            Some("Set-Mailbox"),
            // The third.
            None,
            None,
            Some("FileAccessed"),
            None,
        ];
        let state = SessionContext::new().state();
        let schema = Schema::new(vec![
            Field::new("Operation", DataType::Utf8, true),
            Field::new("UserId", DataType::Utf8, true),
        ]);
        let operation = || col("\"Operation\"");
        let chosen = |filter: &Expr, listed: bool| {
            let conditions = Condition::among(std::slice::from_ref(filter), &schema, &state);
            let mut reader = file(&values, listed);
            let known = Values::default();
            let plan = block_on(known.chosen("f", &mut reader, &conditions));
            plan.map(|plan| plan.row_group_indexes())
        };
        for (filter, groups) in [
            (operation().like(lit("%-%")), vec![1]),
            (operation().eq(lit("MailItemsAccessed")), vec![0]),
            (
                operation().in_list(vec![lit("Set-Mailbox"), lit("x")], false),
                vec![1],
            ),
            (operation().eq(lit("Nobody")), vec![]),
            (operation().is_null(), vec![2]),
            (operation().eq(lit("")), vec![0]),
            (
                operation()
                    .like(lit("%-%"))
                    .and(operation().like(lit("Mail%"))),
                vec![],
            ),
        ] {
            assert_eq!(chosen(&filter, true), Some(groups), "{filter}");
            assert_eq!(chosen(&filter, false), None, "{filter}");
        }
        for all in [
            operation().eq(lit("FileAccessed")),
            operation().not_eq(lit("x")).is_not_false(),
            operation().eq(col("\"UserId\"")),
            col("\"UserId\"").like(lit("x")),
            col("\"Other\"").like(lit("x")),
        ] {
            assert_eq!(chosen(&all, true), None, "{all}");
        }
    }
}
