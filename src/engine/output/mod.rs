//! Answers in the formats that other tools read.
//!
//! | | times of KQL | `dynamic` | NaN, ±Infinity | lists, structures |
//! |---|---|---|---|---|
//! | CSV, Markdown | [`TIME_FORMAT`], seven digits where there are ticks | its text | by these names | JSON; Markdown as Arrow shows them |
//! | JSON, NDJSON | the same, strings | JSON | strings | JSON |
//! | Kusto | as .NET prints them | JSON in a string | strings | JSON in a string |
//! | Parquet | microseconds: ticks are cut | text | numbers | their own |
//!
//! Timespans, ids and decimals of KQL are text in all of them, as `tostring` prints them. Times are UTC; one that a query moved to a zone has
//! its offset, and what is local for good (`datetime_utc_to_local`, `to_local_time`) no `Z`, but for Kusto's, which knows no such times.
//!
//! - `columns`: Kusto types of columns.
//! - `clock`: times in a zone that somebody chose to see them in.
//! - `cells`: values as text and JSON; `csv`, `kusto`: what is particular to these formats.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Schema, SchemaRef, TimeUnit};
use arrow::util::display::ArrayFormatter;
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value};

use crate::fault::{Error, Result};
use crate::function::value::{Type, UNIX_EPOCH_TICKS, read_datetime};
use cells::{Cells, Texts};

mod cells;
mod clock;
mod columns;
mod csv;
mod kusto;

pub use crate::text::safe::{harmless, json_text, markdown, seen, visible};
pub use cells::TIME_FORMAT;
pub use clock::{Clock, in_zone};
pub(super) use columns::{
    DATETIME_TEXT, DECIMAL_TEXT, DYNAMIC_TEXT, GUID_TEXT, LOCAL_TEXT, TIMESPAN_TEXT,
};
pub use columns::{KUSTO, is_time, schema};
pub use csv::csv;

/// A format for answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header; a cell that a spreadsheet would run as a formula gets a `'` in front.
    Csv,
    /// An array of objects.
    Json,
    /// One object a line.
    Ndjson,
    /// A table in Markdown.
    Markdown,
    /// Parquet, zstd. Times are cut to microseconds.
    Parquet,
    /// The answer of the Log Analytics query API.
    Kusto,
}

/// Writes an answer.
pub struct Writer<W: Write + Send> {
    format: Format,
    schema: SchemaRef,
    /// Kusto types of the columns.
    types: Vec<Type>,
    /// Names of the columns as keys of an object.
    keys: Vec<String>,
    out: Sink<W>,
    rows: u64,
    terminal: bool,
    /// The beginning, until it is written: a query that fails before its first row leaves nothing behind.
    head: String,
    line: String,
}

enum Sink<W: Write + Send> {
    Text(W),
    Parquet(Box<ArrowWriter<W>>),
}

impl<W: Write + Send> Writer<W> {
    /// Begins an answer with these columns, best those of [`schema()`](schema()). On a terminal cells and names in CSV show unsafe
    /// characters instead of sending them; the other formats do so always.
    ///
    /// # Errors
    /// When Parquet cannot hold the columns.
    pub fn new(format: Format, schema: SchemaRef, out: W, terminal: bool) -> Result<Self> {
        let types: Vec<Type> = schema
            .fields()
            .iter()
            .map(|f| columns::type_of(f))
            .collect();
        let names = || schema.fields().iter().map(|f| f.name().as_str());
        let mut head = String::new();
        match format {
            Format::Csv => {
                for (n, name) in names().enumerate() {
                    if n > 0 {
                        head.push(',');
                    }
                    csv::push_text(name, true, terminal, &mut head);
                }
                head.push('\n');
            }
            Format::Json => head.push('['),
            Format::Ndjson | Format::Parquet => {}
            Format::Markdown => {
                let names: Vec<String> = names().map(markdown).collect();
                head.push_str(&format!("| {} |\n", names.join(" | ")));
                head.push_str(&format!("|{}\n", " --- |".repeat(names.len())));
            }
            Format::Kusto => head.push_str(&kusto::head(&schema, &types)),
        }
        let keys = keys(&schema);
        let (schema, out) = match format {
            Format::Parquet => {
                let schema = stored(&schema, &types);
                let properties = parquet::file::properties::WriterProperties::builder()
                    .set_compression(parquet::basic::Compression::ZSTD(
                        parquet::basic::ZstdLevel::default(),
                    ))
                    .build();
                let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))
                    .map_err(parquet_error)?;
                (schema, Sink::Parquet(Box::new(writer)))
            }
            _ => (schema, Sink::Text(out)),
        };
        Ok(Writer {
            format,
            schema,
            types,
            keys,
            out,
            rows: 0,
            terminal,
            head,
            line: String::new(),
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let out = match &mut self.out {
            Sink::Text(out) => out,
            Sink::Parquet(writer) => {
                let writer: &mut ArrowWriter<W> = writer;
                self.rows += batch.num_rows() as u64;
                return match timed(batch, &self.schema)? {
                    Some(batch) => writer.write(&batch).map_err(parquet_error),
                    None => writer.write(batch).map_err(parquet_error),
                };
            }
        };
        let arrays = batch.columns().iter().map(|array| {
            let array = cells::plain(array);
            match self.format {
                Format::Kusto => kusto::prepared(array),
                _ => Ok(array),
            }
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let cells = arrays.iter().zip(&self.types);
        let cells = cells.map(|(array, ty)| Cells::new(array, *ty));
        let cells = cells.collect::<Result<Vec<Cells<'_>>>>()?;
        let guards: Vec<bool> = arrays
            .iter()
            .zip(&self.types)
            .map(|(array, ty)| is_free_text(array.data_type(), *ty))
            .collect();
        let line = &mut self.line;
        for row in 0..batch.num_rows() {
            out.write_all(std::mem::take(&mut self.head).as_bytes())
                .map_err(io)?;
            line.clear();
            match self.format {
                Format::Csv => {
                    let terminal = self.terminal;
                    let cells = cells.iter().zip(&guards);
                    separated(cells, line, |(cells, guard), line| {
                        csv::push(cells, *guard, terminal, row, line);
                    });
                    line.push('\n');
                }
                Format::Markdown => {
                    let texts = cells.iter().map(|cells| {
                        let mut text = String::new();
                        cells.text(row, &mut text);
                        markdown(&text)
                    });
                    let texts: Vec<String> = texts.collect();
                    line.push_str(&format!("| {} |\n", texts.join(" | ")));
                }
                Format::Json | Format::Ndjson => {
                    let (before, after) = match (self.format, self.rows) {
                        (Format::Ndjson, _) => ("{", "}\n"),
                        (_, 0) => ("\n{", "}"),
                        _ => (",\n{", "}"),
                    };
                    line.push_str(before);
                    separated(cells.iter().zip(&self.keys), line, |(cells, key), line| {
                        line.push_str(key);
                        cells.json(row, line);
                    });
                    line.push_str(after);
                }
                Format::Kusto => {
                    line.push_str(if self.rows == 0 { "[" } else { ",[" });
                    separated(cells.iter().zip(&self.types), line, |(cells, ty), line| {
                        kusto::push(cells, *ty, row, line);
                    });
                    line.push(']');
                }
                Format::Parquet => {}
            }
            out.write_all(line.as_bytes()).map_err(io)?;
            self.rows += 1;
        }
        Ok(())
    }

    /// Ends the answer.
    ///
    /// # Errors
    /// When the end cannot be written.
    pub fn finish(self) -> Result<u64> {
        match self.out {
            Sink::Parquet(writer) => {
                writer.close().map_err(parquet_error)?;
            }
            Sink::Text(mut out) => {
                let end = match self.format {
                    Format::Json if self.rows == 0 => "]\n",
                    Format::Json => "\n]\n",
                    Format::Kusto => "]}]}\n",
                    _ => "",
                };
                out.write_all(self.head.as_bytes()).map_err(io)?;
                out.write_all(end.as_bytes()).map_err(io)?;
                out.flush().map_err(io)?;
            }
        }
        Ok(self.rows)
    }
}

/// Writes items with a comma between them.
fn separated<T>(items: impl Iterator<Item = T>, line: &mut String, push: impl Fn(T, &mut String)) {
    for (n, item) in items.enumerate() {
        if n > 0 {
            line.push(',');
        }
        push(item, line);
    }
}

fn io(e: std::io::Error) -> Error {
    Error::io("write", "output")(e)
}

fn parquet_error(source: parquet::errors::ParquetError) -> Error {
    Error::Parquet {
        path: "output".into(),
        source: Box::new(source),
    }
}

/// The names as keys of an object. A name that an earlier column has gets a number, or a reader would see one of the two.
fn keys(schema: &SchemaRef) -> Vec<String> {
    let mut taken: std::collections::HashSet<String> =
        schema.fields().iter().map(|f| f.name().clone()).collect();
    let mut seen = std::collections::HashSet::new();
    let fields = schema.fields().iter();
    let names = fields.map(|field| {
        let name = field.name();
        if seen.insert(name.clone()) {
            return cells::key(name);
        }
        let mut n = 1;
        loop {
            let numbered = format!("{name}_{n}");
            if taken.insert(numbered.clone()) {
                return cells::key(&numbered);
            }
            n += 1;
        }
    });
    names.collect()
}

/// Whether a cell holds text that somebody else wrote.
fn is_free_text(ty: &DataType, kusto: Type) -> bool {
    let ours = ty.is_numeric() || ty.is_temporal() || ty.is_nested() || *ty == DataType::Boolean;
    // Text of these types is our own.
    let formed = matches!(kusto, Type::DateTime | Type::Timespan | Type::Decimal);
    !ours && !formed
}

/// Times in Parquet: instants, or local ones.
fn timestamp(local: bool) -> DataType {
    let zone = (!local).then(|| "UTC".into());
    DataType::Timestamp(TimeUnit::Microsecond, zone)
}

/// The columns as Parquet has them: times as timestamps, no metadata of ours.
fn stored(schema: &SchemaRef, types: &[Type]) -> SchemaRef {
    let fields = schema.fields().iter().zip(types).map(|(field, ty)| {
        let mut metadata = field.metadata().clone();
        metadata.remove(KUSTO);
        let local = metadata.remove(columns::LOCAL).is_some();
        let is_time = *ty == Type::DateTime && *field.data_type() == DataType::Utf8;
        let field = field.as_ref().clone().with_metadata(metadata);
        match is_time {
            true => field.with_data_type(timestamp(local)),
            false => field,
        }
    });
    let fields: Fields = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The rows with times as timestamps; nothing where they are so already.
fn timed(batch: &RecordBatch, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
    let fields = schema.fields().iter();
    let is_text = |(array, field): (&ArrayRef, &Arc<Field>)| {
        *array.data_type() == DataType::Utf8 && field.data_type().is_temporal()
    };
    let texts: Vec<bool> = batch.columns().iter().zip(fields).map(is_text).collect();
    if !texts.contains(&true) {
        return Ok(None);
    }
    let columns = batch.columns().iter().zip(schema.fields()).zip(texts);
    let columns = columns.map(|((array, field), text)| {
        if !text {
            return Arc::clone(array);
        }
        // The text is that of our own function: it is read back as it was written.
        let micros = array.as_string::<i32>().iter().map(|time| {
            let ticks = read_datetime(time?)?;
            Some(ticks.saturating_sub(UNIX_EPOCH_TICKS).div_euclid(10))
        });
        let micros: TimestampMicrosecondArray = micros.collect();
        match *field.data_type() == timestamp(true) {
            true => Arc::new(micros) as ArrayRef,
            false => Arc::new(micros.with_timezone("UTC")) as ArrayRef,
        }
    });
    let columns: Vec<ArrayRef> = columns.collect();
    Ok(Some(RecordBatch::try_new(Arc::clone(schema), columns)?))
}

/// A value as JSON; times as ISO 8601, lists as arrays.
///
/// # Errors
/// When a type cannot be shown.
pub fn json(array: &ArrayRef, row: usize) -> Result<Value> {
    use arrow::datatypes as t;
    if array.is_null(row) || *array.data_type() == DataType::Null {
        return Ok(Value::Null);
    }
    if cells::plain_type(array.data_type()).is_some() {
        let one = cells::plain(&array.slice(row, 1));
        // What Arrow cannot turn stays as it is.
        if one.data_type() != array.data_type() {
            return json(&one, 0);
        }
    }
    Ok(match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Value::from(array.as_primitive::<t::Int8Type>().value(row)),
        DataType::Int16 => Value::from(array.as_primitive::<t::Int16Type>().value(row)),
        DataType::Int32 => Value::from(array.as_primitive::<t::Int32Type>().value(row)),
        DataType::Int64 => Value::from(array.as_primitive::<t::Int64Type>().value(row)),
        DataType::UInt8 => Value::from(array.as_primitive::<t::UInt8Type>().value(row)),
        DataType::UInt16 => Value::from(array.as_primitive::<t::UInt16Type>().value(row)),
        DataType::UInt32 => Value::from(array.as_primitive::<t::UInt32Type>().value(row)),
        DataType::UInt64 => Value::from(array.as_primitive::<t::UInt64Type>().value(row)),
        real if real.is_floating() => {
            let number = real_at(array, row)?;
            match number.is_finite() {
                true => Value::from(number),
                false => Value::from(cells::endless(number)),
            }
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row))?,
        DataType::Struct(fields) => {
            let columns = array.as_struct();
            let mut object = Map::new();
            for (i, field) in fields.iter().enumerate() {
                object.insert(field.name().clone(), json(columns.column(i), row)?);
            }
            Value::Object(object)
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let mut object = Map::new();
            for i in 0..entries.len() {
                object.insert(cell(keys, i)?, json(values, i)?);
            }
            Value::Object(object)
        }
        _ => Value::String(cell(array, row)?),
    })
}

/// The same of a column of an answer: text that is a `dynamic` by its field is the JSON that it holds.
///
/// # Errors
/// When a type cannot be shown.
pub fn json_of(field: &Field, array: &ArrayRef, row: usize) -> Result<Value> {
    match Texts::of(array) {
        Some(texts) if !array.is_null(row) && columns::type_of(field) == Type::Dynamic => {
            Ok(cells::dynamic_value(texts.value(row)))
        }
        _ => json(array, row),
    }
}

fn list(values: &ArrayRef) -> Result<Value> {
    (0..values.len())
        .map(|i| json(values, i))
        .collect::<Result<Vec<_>>>()
        .map(Value::Array)
}

fn real_at(array: &ArrayRef, row: usize) -> Result<f64> {
    if let Some(values) = array.as_primitive_opt::<Float64Type>() {
        return Ok(values.value(row));
    }
    let one = arrow::compute::cast(&array.slice(row, 1), &DataType::Float64)?;
    Ok(one.as_primitive::<Float64Type>().value(0))
}

/// A value as text; nothing for null.
///
/// # Errors
/// When a type cannot be shown.
pub fn cell(array: &ArrayRef, row: usize) -> Result<String> {
    if array.is_null(row) {
        return Ok(String::new());
    }
    if let Some(texts) = Texts::of(array) {
        return Ok(texts.value(row).to_string());
    }
    if array.data_type().is_floating() {
        let number = real_at(array, row)?;
        if !number.is_finite() {
            return Ok(cells::endless(number).to_string());
        }
    }
    let formatter = ArrayFormatter::try_new(array.as_ref(), &cells::options(array.data_type()))?;
    Ok(formatter.value(row).to_string())
}
