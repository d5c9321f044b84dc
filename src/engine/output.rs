//! Answers in the formats that other tools read.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

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
    /// Parquet, zstd.
    Parquet,
    /// The answer of the Log Analytics query API.
    Kusto,
}

/// How times are written: ISO 8601, UTC.
pub const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

fn options() -> FormatOptions<'static> {
    FormatOptions::new()
        .with_timestamp_format(Some(TIME_FORMAT))
        .with_timestamp_tz_format(Some(TIME_FORMAT))
}

/// Writes an answer.
pub struct Writer<W: Write + Send> {
    format: Format,
    schema: SchemaRef,
    out: Option<W>,
    parquet: Option<ArrowWriter<W>>,
    rows: u64,
    terminal: bool,
}

impl<W: Write + Send> Writer<W> {
    /// Begins an answer with these columns.
    ///
    /// # Errors
    /// When the beginning cannot be written.
    pub fn new(format: Format, schema: SchemaRef, mut out: W) -> Result<Self> {
        let io = |e| Error::io("write", "output")(e);
        let mut parquet = None;
        match format {
            Format::Csv => {
                let names: Vec<String> = schema.fields().iter().map(|f| csv(f.name())).collect();
                writeln!(out, "{}", names.join(",")).map_err(io)?;
            }
            Format::Json => write!(out, "[").map_err(io)?,
            Format::Ndjson => {}
            Format::Markdown => {
                let names: Vec<String> =
                    schema.fields().iter().map(|f| markdown(f.name())).collect();
                writeln!(out, "| {} |", names.join(" | ")).map_err(io)?;
                writeln!(out, "|{}", " --- |".repeat(names.len())).map_err(io)?;
            }
            Format::Kusto => {
                let columns: Vec<Value> = schema
                    .fields()
                    .iter()
                    .map(|f| serde_json::json!({"name": f.name(), "type": kusto_type(f)}))
                    .collect();
                write!(
                    out,
                    "{{\"tables\":[{{\"name\":\"PrimaryResult\",\"columns\":{},\"rows\":[",
                    Value::Array(columns)
                )
                .map_err(io)?;
            }
            Format::Parquet => {
                let properties = parquet::file::properties::WriterProperties::builder()
                    .set_compression(parquet::basic::Compression::ZSTD(
                        parquet::basic::ZstdLevel::default(),
                    ))
                    .build();
                parquet = Some(
                    ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))
                        .map_err(parquet_error)?,
                );
                return Ok(Writer {
                    format,
                    schema,
                    out: None,
                    parquet,
                    rows: 0,
                    terminal: false,
                });
            }
        }
        Ok(Writer {
            format,
            schema,
            out: Some(out),
            parquet,
            rows: 0,
            terminal: false,
        })
    }

    /// The answer goes to a terminal: CSV cells show control characters instead of sending them.
    pub fn for_terminal(mut self, yes: bool) -> Self {
        self.terminal = yes;
        self
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if let Some(writer) = &mut self.parquet {
            return writer.write(batch).map_err(parquet_error);
        }
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        let options = options();
        let texts = batch
            .columns()
            .iter()
            .map(|c| ArrayFormatter::try_new(c.as_ref(), &options))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let show = self.terminal && self.format == Format::Csv;
            let text = |c: usize| match batch.column(c).is_valid(row) {
                true if show => visible(&texts[c].value(row).to_string()),
                true => texts[c].value(row).to_string(),
                false => String::new(),
            };
            let io = |e| Error::io("write", "output")(e);
            let first = self.rows == 0;
            match self.format {
                Format::Csv => {
                    let cells: Vec<String> = (0..batch.num_columns())
                        .map(|c| match batch.column(c).data_type() {
                            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                                csv(&text(c))
                            }
                            // Lists and structures as JSON, as the portals write dynamic columns.
                            DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_)
                                if batch.column(c).is_valid(row) =>
                            {
                                json(batch.column(c), row)
                                    .map_or_else(|_| csv(&text(c)), |v| csv_plain(&v.to_string()))
                            }
                            _ => csv_plain(&text(c)),
                        })
                        .collect();
                    writeln!(out, "{}", cells.join(",")).map_err(io)?;
                }
                Format::Markdown => {
                    let cells: Vec<String> = (0..batch.num_columns())
                        .map(|c| markdown(&text(c)))
                        .collect();
                    writeln!(out, "| {} |", cells.join(" | ")).map_err(io)?;
                }
                Format::Json | Format::Ndjson => {
                    let mut object = Map::new();
                    for (c, field) in self.schema.fields().iter().enumerate() {
                        object.insert(field.name().clone(), json(batch.column(c), row)?);
                    }
                    let before = match (self.format, first) {
                        (Format::Ndjson, _) => "",
                        (_, true) => "\n",
                        (_, false) => ",\n",
                    };
                    let after = if self.format == Format::Ndjson {
                        "\n"
                    } else {
                        ""
                    };
                    write!(out, "{before}{}{after}", json_text(&Value::Object(object)))
                        .map_err(io)?;
                }
                Format::Kusto => {
                    let cells: Vec<Value> = (0..batch.num_columns())
                        .map(|c| kusto_value(batch.column(c), row))
                        .collect::<Result<_>>()?;
                    let before = if first { "" } else { "," };
                    write!(out, "{before}{}", json_text(&Value::Array(cells))).map_err(io)?;
                }
                Format::Parquet => {}
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// Ends the answer.
    ///
    /// # Errors
    /// When the end cannot be written.
    pub fn finish(mut self) -> Result<u64> {
        if let Some(writer) = self.parquet {
            writer.close().map_err(parquet_error)?;
            return Ok(self.rows);
        }
        if let Some(out) = &mut self.out {
            let io = |e| Error::io("write", "output")(e);
            match self.format {
                Format::Json if self.rows == 0 => writeln!(out, "]").map_err(io)?,
                Format::Json => writeln!(out, "\n]").map_err(io)?,
                Format::Kusto => writeln!(out, "]}}]}}").map_err(io)?,
                _ => {}
            }
            out.flush().map_err(io)?;
        }
        Ok(self.rows)
    }
}

fn parquet_error(source: parquet::errors::ParquetError) -> Error {
    Error::Parquet {
        path: "output".into(),
        source: Box::new(source),
    }
}

/// A text cell of a CSV. What a spreadsheet would take for a formula is made text.
pub fn csv(text: &str) -> String {
    match text.as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') => csv_plain(&format!("'{text}")),
        _ => csv_plain(text),
    }
}

fn csv_plain(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

/// A cell of a Markdown table.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// JSON whose control characters and those that turn the direction of text are escapes: the same value for a program, harmless on a
/// terminal.
pub fn json_text(value: &Value) -> String {
    harmless(&value.to_string())
}

/// The same for JSON that is text already.
pub fn harmless(json: &str) -> String {
    if json.is_ascii() && !json.contains('\u{7f}') {
        return json.to_string();
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // Below U+0020 only the line ends between values are left; JSON escapes the others itself.
        if is_unsafe(c) && c != '\n' {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, and those that are invisible or turn the direction of text.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Text from a log made safe to show on one line: control characters, and those that turn the direction of text, become visible.
///
/// ```
/// use coldtrail::engine::output::visible;
/// assert_eq!(visible("a\u{1b}[31m\u{202e}b\nc"), "a\\u{1b}[31m\\u{202e}b\\nc");
/// ```
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) => {
                out.push_str(&c.escape_unicode().to_string());
            }
            c => out.push(c),
        }
    }
    out
}

/// A value as JSON; times as ISO 8601, lists as arrays.
///
/// # Errors
/// When a type cannot be shown.
pub fn json(array: &ArrayRef, row: usize) -> Result<Value> {
    use arrow::array::AsArray;
    use arrow::datatypes as t;
    if array.is_null(row) {
        return Ok(Value::Null);
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
        DataType::Float32 => Value::from(array.as_primitive::<t::Float32Type>().value(row)),
        DataType::Float64 => Value::from(array.as_primitive::<t::Float64Type>().value(row)),
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
        _ => Value::String(cell(array, row)?),
    })
}

fn list(values: &ArrayRef) -> Result<Value> {
    (0..values.len())
        .map(|i| json(values, i))
        .collect::<Result<Vec<_>>>()
        .map(Value::Array)
}

/// A value as text; nothing for null.
///
/// # Errors
/// When a type cannot be shown.
pub fn cell(array: &ArrayRef, row: usize) -> Result<String> {
    if array.is_null(row) {
        return Ok(String::new());
    }
    let options = options();
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
    Ok(formatter.value(row).to_string())
}

/// Kusto type of a column of an answer.
fn kusto_type(field: &Field) -> &'static str {
    match field.data_type() {
        DataType::Boolean => "bool",
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            "int"
        }
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "long",
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "real",
        DataType::Decimal128(..) | DataType::Decimal256(..) => "decimal",
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => "datetime",
        DataType::Duration(_) | DataType::Interval(_) => "timespan",
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) | DataType::Map(..) => {
            "dynamic"
        }
        _ => match crate::catalog::catalog()
            .tables()
            .filter(|t| t.by_day)
            .find_map(|t| t.position(field.name()).map(|i| t.columns[i].kusto))
        {
            Some(crate::catalog::Kusto::Dynamic) if is_dynamic_name(field.name()) => "dynamic",
            _ => "string",
        },
    }
}

/// Columns that are dynamic wherever they occur.
fn is_dynamic_name(name: &str) -> bool {
    matches!(
        name,
        "RawEventData" | "AuditData" | "ActivityObjects" | "AdditionalFields"
    )
}

/// In the query API dynamic values are JSON in a string.
fn kusto_value(array: &ArrayRef, row: usize) -> Result<Value> {
    let value = json(array, row)?;
    Ok(match value {
        Value::Array(_) | Value::Object(_) => Value::String(value.to_string()),
        other => other,
    })
}
