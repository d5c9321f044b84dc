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
    Array, ArrayRef, AsArray, BooleanBuilder, Decimal256Builder, Float64Builder, Int32Builder,
    Int64Builder, StringBuilder,
};
use arrow::datatypes::{
    DataType, Decimal256Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use datafusion::scalar::ScalarValue;

use crate::kql::value::{
    DECIMAL_PRECISION, DECIMAL_SCALE, Decimal, Json, Type, UNIX_EPOCH_TICKS, Value, read_guid,
};

/// The Arrow type of a Kusto type.
pub fn arrow_type(ty: Type) -> DataType {
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
pub fn kusto_type(ty: &DataType) -> Option<Type> {
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
pub fn value(array: &ArrayRef, row: usize, ty: Type) -> Value {
    if array.is_null(row) {
        return match ty {
            // A string is never null.
            Type::String => Value::String("".into()),
            _ => Value::Null,
        };
    }
    match ty {
        Type::Bool => Value::Bool(array.as_boolean().value(row)),
        Type::Int => Value::Int(array.as_primitive::<Int32Type>().value(row)),
        Type::Long => Value::Long(array.as_primitive::<Int64Type>().value(row)),
        Type::DateTime => Value::DateTime(array.as_primitive::<Int64Type>().value(row)),
        Type::Timespan => Value::Timespan(array.as_primitive::<Int64Type>().value(row)),
        Type::Real => Value::Real(array.as_primitive::<Float64Type>().value(row)),
        Type::Decimal => {
            let number = array.as_primitive::<Decimal256Type>().value(row);
            Decimal::from_column(number).map_or(Value::Null, Value::Decimal)
        }
        Type::String => Value::String(array.as_string::<i32>().value(row).into()),
        Type::Guid => {
            read_guid(array.as_string::<i32>().value(row)).map_or(Value::Null, Value::Guid)
        }
        Type::Dynamic => dynamic(array.as_string::<i32>().value(row)),
    }
}

/// JSON text as a value; text that is no JSON is a string.
pub fn dynamic(text: &str) -> Value {
    match Json::from_stored(text) {
        Some(json) => Value::dynamic(json),
        None => Value::dynamic(Json::String(text.into())),
    }
}

/// Values as a column. A value of another type than the column's is null there.
pub fn array<'v>(values: impl Iterator<Item = &'v Value>, ty: Type) -> ArrayRef {
    match ty {
        Type::Bool => {
            let mut b = BooleanBuilder::new();
            for v in values {
                b.append_option(match v {
                    Value::Bool(x) => Some(*x),
                    _ => None,
                });
            }
            Arc::new(b.finish())
        }
        Type::Int => {
            let mut b = Int32Builder::new();
            for v in values {
                b.append_option(match v {
                    Value::Int(x) => Some(*x),
                    _ => None,
                });
            }
            Arc::new(b.finish())
        }
        Type::Long | Type::DateTime | Type::Timespan => {
            let mut b = Int64Builder::new();
            for v in values {
                b.append_option(match v {
                    Value::Long(x) | Value::DateTime(x) | Value::Timespan(x) => Some(*x),
                    Value::Int(x) => Some(i64::from(*x)),
                    _ => None,
                });
            }
            Arc::new(b.finish())
        }
        Type::Decimal => {
            let mut b = Decimal256Builder::new().with_data_type(arrow_type(ty));
            for v in values {
                b.append_option(match v {
                    Value::Decimal(_) | Value::Real(_) | Value::Long(_) | Value::Int(_) => {
                        v.to_decimal().map(Decimal::to_column)
                    }
                    _ => None,
                });
            }
            Arc::new(b.finish())
        }
        Type::Real => {
            let mut b = Float64Builder::new();
            for v in values {
                b.append_option(match v {
                    Value::Real(x) => Some(*x),
                    Value::Decimal(x) => Some(x.to_real()),
                    Value::Long(x) => Some(*x as f64),
                    Value::Int(x) => Some(f64::from(*x)),
                    _ => None,
                });
            }
            Arc::new(b.finish())
        }
        Type::String | Type::Guid | Type::Dynamic => {
            let mut b = StringBuilder::new();
            for v in values {
                match v {
                    // A string is never null.
                    Value::Null if ty == Type::String => b.append_value(""),
                    Value::Null => b.append_null(),
                    Value::String(s) if ty != Type::Dynamic => b.append_value(s),
                    Value::Dynamic(json) => b.append_value(json.stored_text()),
                    Value::Guid(_) if ty == Type::Guid => b.append_value(v.text()),
                    other => b.append_value(Json::from_value(other).stored_text()),
                }
            }
            Arc::new(b.finish())
        }
    }
}

/// Microseconds of the archive as ticks.
pub fn ticks(array: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
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
pub fn timestamp_scalar(ticks: i64, up: bool) -> ScalarValue {
    let since = ticks.saturating_sub(UNIX_EPOCH_TICKS);
    let micros = since.div_euclid(10) + i64::from(up && since.rem_euclid(10) != 0);
    ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()))
}
