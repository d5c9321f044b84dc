//! Kusto's scalars in Arrow's columns and back.
//!
//! | Kusto | Arrow |
//! |---|---|
//! | `datetime`, `timespan` | `Int64`, ticks of 100 ns |
//! | `decimal` | `Decimal256`, with 38 of its 76 digits behind the point: every [`Decimal`] fits |
//! | `guid` | `Utf8` |
//! | `dynamic` | `Utf8`, JSON text that keeps times and ids apart from strings ([`Json::stored_text`]); null where there is none |
//! | others | their own |
//!
//! Which Kusto type a column has is known to the lowering; Arrow does not say it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Decimal256Array, Decimal256Builder,
    Float64Array, Float64Builder, Int32Array, Int32Builder, Int64Array, Int64Builder, RecordBatch,
    StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};

use datafusion::scalar::ScalarValue;

use crate::function::value::{
    Cell, DECIMAL_PRECISION, DECIMAL_SCALE, Decimal, Json, Type, UNIX_EPOCH_TICKS, Value, read_guid,
};

/// The bytes that the rows of a batch take as values, roughly: the values, the texts, and what is read of JSON on the way.
pub(super) fn weight(batch: &RecordBatch) -> usize {
    let row = size_of::<Vec<Value>>() + batch.num_columns() * size_of::<Value>();
    // Of a slice only its own rows count.
    let bytes = |column: &ArrayRef| {
        let own = column.to_data().get_slice_memory_size();
        own.unwrap_or_else(|_| column.get_array_memory_size())
    };
    batch.num_rows() * row + 2 * batch.columns().iter().map(bytes).sum::<usize>()
}

/// The Arrow type of a Kusto type.
pub(super) fn arrow_type(ty: Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int32,
        Type::Long | Type::DateTime | Type::Timespan => DataType::Int64,
        Type::Real => DataType::Float64,
        Type::Decimal => DataType::Decimal256(DECIMAL_PRECISION, DECIMAL_SCALE.cast_signed()),
        Type::String | Type::Guid | Type::Dynamic => DataType::Utf8,
    }
}

/// The Kusto type of a column that is no result of KQL.
pub(super) fn kusto_type(ty: &DataType) -> Option<Type> {
    Some(match ty {
        DataType::Boolean => Type::Bool,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            Type::Int
        }
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Type::Long,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Type::Real,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Type::DateTime,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => Type::String,
        _ => return None,
    })
}

/// The value of one row.
pub(super) fn value(array: &ArrayRef, row: usize, ty: Type) -> Value {
    Reader::new(array, ty).value(row)
}

/// A column of a known type whose cells are read one after the other.
pub(super) struct Reader<'c> {
    cells: Cells<'c>,
    /// One cell that stands for all rows.
    one: bool,
}

enum Cells<'c> {
    Bool(&'c BooleanArray),
    Int(&'c Int32Array),
    Long(&'c Int64Array),
    DateTime(&'c Int64Array),
    Timespan(&'c Int64Array),
    Real(&'c Float64Array),
    Decimal(&'c Decimal256Array),
    String(&'c StringArray),
    Guid(&'c StringArray),
    Dynamic(&'c StringArray),
    /// Null in all rows. Where the optimizer tries what a condition gives for null, a column has no type of its own.
    Null(Type),
}

impl<'c> Reader<'c> {
    /// Reads a column of this type.
    pub(super) fn new(array: &'c ArrayRef, ty: Type) -> Reader<'c> {
        let cells = match ty {
            _ if *array.data_type() == DataType::Null => Cells::Null(ty),
            Type::Bool => Cells::Bool(array.as_boolean()),
            Type::Int => Cells::Int(array.as_primitive()),
            Type::Long => Cells::Long(array.as_primitive()),
            Type::DateTime => Cells::DateTime(array.as_primitive()),
            Type::Timespan => Cells::Timespan(array.as_primitive()),
            Type::Real => Cells::Real(array.as_primitive()),
            Type::Decimal => Cells::Decimal(array.as_primitive()),
            Type::String => Cells::String(array.as_string()),
            Type::Guid => Cells::Guid(array.as_string()),
            Type::Dynamic => Cells::Dynamic(array.as_string()),
        };
        Reader { cells, one: false }
    }

    /// Reads a column with one cell, which stands for all rows.
    pub(super) fn constant(array: &'c ArrayRef, ty: Type) -> Reader<'c> {
        Reader {
            one: true,
            ..Reader::new(array, ty)
        }
    }

    fn at(&self, row: usize) -> usize {
        match self.one {
            true => 0,
            false => row,
        }
    }

    /// The cell of a row. What a dynamic holds is put into `json`, where that of the row before is, or null.
    pub(super) fn cell<'r>(&self, row: usize, json: &'r mut Json) -> Cell<'r>
    where
        'c: 'r,
    {
        let at = self.at(row);
        match self.cells {
            Cells::Bool(a) => kept(a, at, || Cell::Bool(a.value(at))),
            Cells::Int(a) => kept(a, at, || Cell::Int(a.value(at))),
            Cells::Long(a) => kept(a, at, || Cell::Long(a.value(at))),
            Cells::DateTime(a) => kept(a, at, || Cell::DateTime(a.value(at))),
            Cells::Timespan(a) => kept(a, at, || Cell::Timespan(a.value(at))),
            Cells::Real(a) => kept(a, at, || Cell::Real(a.value(at))),
            Cells::Decimal(a) => kept(a, at, || {
                Decimal::from_column(a.value(at)).map_or(Cell::Null, Cell::Decimal)
            }),
            // A string is never null.
            Cells::Null(Type::String) => Cell::String(""),
            Cells::Null(_) => Cell::Null,
            Cells::String(a) if a.is_null(at) => Cell::String(""),
            Cells::String(a) => Cell::String(a.value(at)),
            Cells::Guid(a) => kept(a, at, || {
                read_guid(a.value(at)).map_or(Cell::Null, Cell::Guid)
            }),
            Cells::Dynamic(a) if a.is_null(at) => Cell::Null,
            Cells::Dynamic(a) => {
                // The same text is not read again.
                if matches!(json, Json::Null) || !self.repeats(a, row) {
                    *json = tree(a.value(at));
                }
                match json {
                    Json::Null => Cell::Null,
                    json => Cell::Dynamic(json),
                }
            }
        }
    }

    /// Whether a row has the text of the row before.
    fn repeats(&self, texts: &StringArray, row: usize) -> bool {
        let both = |row: usize| texts.is_valid(row) && texts.is_valid(row - 1);
        row > 0 && (self.one || both(row) && texts.value(row) == texts.value(row - 1))
    }

    /// The value of a row.
    pub(super) fn value(&self, row: usize) -> Value {
        match self.cells {
            Cells::Dynamic(a) if a.is_valid(self.at(row)) => dynamic(a.value(self.at(row))),
            _ => self.cell(row, &mut Json::Null).value(),
        }
    }

    /// Puts the value of a row in the place of that of the row before; the same text is not read again.
    pub(super) fn refill(&self, row: usize, value: &mut Value) {
        let kept = match self.cells {
            Cells::String(a) | Cells::Guid(a) | Cells::Dynamic(a) => self.repeats(a, row),
            _ => false,
        };
        if !kept {
            *value = self.value(row);
        }
    }
}

/// The cell at a place; null where the column is.
fn kept<'a>(array: &impl Array, at: usize, cell: impl Fn() -> Cell<'a>) -> Cell<'a> {
    match array.is_null(at) {
        true => Cell::Null,
        false => cell(),
    }
}

fn tree(text: &str) -> Json {
    Json::from_stored(text).unwrap_or_else(|| Json::String(text.into()))
}

/// JSON text as a value; text that is no JSON is a string.
pub(super) fn dynamic(text: &str) -> Value {
    Value::dynamic(tree(text))
}

/// Values as a column. A value of another type than the column's is null there.
pub(super) fn array<'v>(values: impl Iterator<Item = &'v Value>, ty: Type) -> ArrayRef {
    let mut column = ColumnBuilder::new(ty, values.size_hint().0);
    for value in values {
        column.push(value.cell());
    }
    column.finish()
}

/// A column that is made cell by cell.
pub(super) struct ColumnBuilder {
    ty: Type,
    cells: Builder,
}

enum Builder {
    Bool(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Decimal(Decimal256Builder),
    Real(Float64Builder),
    Text(StringBuilder),
}

impl ColumnBuilder {
    /// A column with room for so many rows.
    pub(super) fn new(ty: Type, rows: usize) -> ColumnBuilder {
        let cells = match ty {
            Type::Bool => Builder::Bool(BooleanBuilder::with_capacity(rows)),
            Type::Int => Builder::Int(Int32Builder::with_capacity(rows)),
            Type::Long | Type::DateTime | Type::Timespan => {
                Builder::Long(Int64Builder::with_capacity(rows))
            }
            Type::Decimal => Builder::Decimal(
                Decimal256Builder::with_capacity(rows).with_data_type(arrow_type(ty)),
            ),
            Type::Real => Builder::Real(Float64Builder::with_capacity(rows)),
            Type::String | Type::Guid | Type::Dynamic => {
                Builder::Text(StringBuilder::with_capacity(rows, rows * 16))
            }
        };
        ColumnBuilder { ty, cells }
    }

    /// Adds a row. A cell of another type than the column's is null there.
    pub(super) fn push(&mut self, cell: Cell) {
        match &mut self.cells {
            Builder::Bool(b) => b.append_option(match cell {
                Cell::Bool(x) => Some(x),
                _ => None,
            }),
            Builder::Int(b) => b.append_option(match cell {
                Cell::Int(x) => Some(x),
                _ => None,
            }),
            Builder::Long(b) => b.append_option(match cell {
                Cell::Long(x) | Cell::DateTime(x) | Cell::Timespan(x) => Some(x),
                Cell::Int(x) => Some(i64::from(x)),
                _ => None,
            }),
            Builder::Decimal(b) => b.append_option(match cell {
                Cell::Decimal(_) | Cell::Real(_) | Cell::Long(_) | Cell::Int(_) => {
                    cell.to_decimal().map(Decimal::to_column)
                }
                _ => None,
            }),
            Builder::Real(b) => b.append_option(match cell {
                Cell::Real(x) => Some(x),
                Cell::Decimal(x) => Some(x.to_real()),
                Cell::Long(x) => Some(x as f64),
                Cell::Int(x) => Some(f64::from(x)),
                _ => None,
            }),
            Builder::Text(b) => match (cell, self.ty) {
                // A string is never null.
                (Cell::Null, Type::String) => b.append_value(""),
                (Cell::Null, _) => b.append_null(),
                (Cell::String(text), Type::String | Type::Guid) => b.append_value(text),
                (Cell::Guid(_), Type::Guid) => b.append_value(cell.text()),
                (Cell::Dynamic(json), _) => b.append_value(json.stored_text()),
                (other, _) => b.append_value(Json::from_value(&other.value()).stored_text()),
            },
        }
    }

    /// The rows.
    pub(super) fn finish(self) -> ArrayRef {
        match self.cells {
            Builder::Bool(mut b) => Arc::new(b.finish()),
            Builder::Int(mut b) => Arc::new(b.finish()),
            Builder::Long(mut b) => Arc::new(b.finish()),
            Builder::Decimal(mut b) => Arc::new(b.finish()),
            Builder::Real(mut b) => Arc::new(b.finish()),
            Builder::Text(mut b) => Arc::new(b.finish()),
        }
    }
}

/// Microseconds of the archive as ticks.
pub(super) fn ticks(array: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    let micros = arrow::compute::cast(
        array,
        &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    )?;
    let micros = micros.as_primitive::<TimestampMicrosecondType>();
    Ok(Arc::new(micros.unary::<_, Int64Type>(|t| {
        t.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS)
    })))
}

/// A moment as the archive has it: the microsecond before it, or after it.
pub(super) fn timestamp_scalar(ticks: i64, up: bool) -> ScalarValue {
    let since = ticks.saturating_sub(UNIX_EPOCH_TICKS);
    let micros = since.div_euclid(10) + i64::from(up && since.rem_euclid(10) != 0);
    ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()))
}
