//! Columns that are no result of KQL, as Kusto has them. Every type of Arrow has one there, and no value is lost on the way:
//!
//! | Arrow | Kusto |
//! |---|---|
//! | lists, structures, maps, unions | `dynamic`, their JSON: what is null in a structure is left out, and keys of maps are text |
//! | decimals | `decimal` |
//! | unsigned numbers of 64 bits | `long`; `decimal` where one is beyond it |
//! | dates, timestamps of all units | `datetime`, in ticks; null outside the years 1 to 9999, which it does not have |
//! | times of a day, durations | `timespan` |
//! | intervals | `string`: months have no length |
//! | bytes | `string`: base64, which `base64_decode_tostring` reads |
//! | dictionaries, runs | what their values are |

use std::fmt::{Display, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, Volatility};

use super::{arrays, transcode};
use crate::function::value::{MAX_DATETIME_TICKS, TICKS_PER_DAY, Type, UNIX_EPOCH_TICKS, Value};

/// The Kusto type of a column of this type. `beyond_long`: it has a number that `long` does not hold.
pub(super) fn kusto_type(ty: &DataType, beyond_long: bool) -> Type {
    match ty {
        DataType::UInt64 if beyond_long => Type::Decimal,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Type::Decimal,
        DataType::Time32(_) | DataType::Time64(_) | DataType::Duration(_) => Type::Timespan,
        DataType::Interval(_)
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Type::String,
        DataType::Dictionary(_, values) => kusto_type(values, beyond_long),
        DataType::RunEndEncoded(_, values) => kusto_type(values.data_type(), beyond_long),
        // Lists, structures, maps and unions have no other.
        ty => arrays::kusto_type(ty).unwrap_or(Type::Dynamic),
    }
}

/// Whether a column is text as it is.
pub(super) fn is_text(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null
    )
}

/// A column of this type as one of a Kusto type: text as `string` or JSON, all others as [`kusto_type`] says.
pub(super) fn typed(column: Expr, from: &DataType, ty: Type) -> Expr {
    let call = |name: &'static str, map: fn(&ArrayRef) -> Result<ArrayRef>| {
        let made = Some(arrays::arrow_type(ty));
        transcode::call(name, made, Volatility::Immutable, map, column.clone())
    };
    match ty {
        Type::DateTime if matches!(from, DataType::Timestamp(TimeUnit::Microsecond, _)) => {
            transcode::ticks(column)
        }
        Type::DateTime | Type::Timespan => call("ticks_of", ticks),
        Type::Decimal => call("decimal_of", decimals),
        Type::String if is_text(values_of(from)) => transcode::text(column),
        Type::String => call("text_of", texts),
        Type::Dynamic if is_text(values_of(from)) => {
            transcode::from_outside(datafusion::prelude::cast(column, DataType::Utf8))
        }
        Type::Dynamic => transcode::from_outside(call("json_of", jsons)),
        ty => datafusion::prelude::cast(column, arrays::arrow_type(ty)),
    }
}

/// The type of the values of dictionaries and runs; any other as it is.
fn values_of(ty: &DataType) -> &DataType {
    match ty {
        DataType::Dictionary(_, values) => values_of(values),
        DataType::RunEndEncoded(_, values) => values_of(values.data_type()),
        ty => ty,
    }
}

/// A column whose values stand in their rows.
fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match values_of(array.data_type()) {
        values if values == array.data_type() => Ok(Arc::clone(array)),
        values => cast(array, values),
    }
}

/// Times and lengths of time in ticks.
fn ticks(array: &ArrayRef) -> Result<ArrayRef> {
    let array = plain(array)?;
    let of = |unit: &TimeUnit| match unit {
        TimeUnit::Second => (10_000_000, 1),
        TimeUnit::Millisecond => (10_000, 1),
        TimeUnit::Microsecond => (10, 1),
        TimeUnit::Nanosecond => (1, 100),
    };
    let ((times, by), is_time) = match array.data_type() {
        DataType::Date32 => ((TICKS_PER_DAY, 1), true),
        DataType::Date64 => ((10_000, 1), true),
        DataType::Timestamp(unit, _) => (of(unit), true),
        DataType::Time32(unit) | DataType::Time64(unit) | DataType::Duration(unit) => {
            (of(unit), false)
        }
        other => {
            let said = format!("{other} is no time");
            return Err(ArrowError::CastError(said).into());
        }
    };
    let tick = |n: i64| {
        let ticks = (i128::from(n) * i128::from(times)).div_euclid(by);
        match is_time {
            true => {
                let ticks = i64::try_from(ticks + i128::from(UNIX_EPOCH_TICKS)).ok()?;
                (0..=MAX_DATETIME_TICKS).contains(&ticks).then_some(ticks)
            }
            false => i64::try_from(ticks).ok(),
        }
    };
    let numbers = cast(&array, &DataType::Int64)?;
    let ticks = numbers.as_primitive::<Int64Type>();
    Ok(Arc::new(ticks.unary_opt::<_, Int64Type>(tick)))
}

fn decimals(array: &ArrayRef) -> Result<ArrayRef> {
    let array = plain(array)?;
    let options = FormatOptions::default();
    let shown = ArrayFormatter::try_new(array.as_ref(), &options)?;
    let values: Vec<Value> = (0..array.len())
        .map(|row| match array.is_null(row) {
            true => Value::Null,
            false => Value::String(shown.value(row).to_string().into()).convert(Type::Decimal),
        })
        .collect();
    Ok(arrays::array(values.iter(), Type::Decimal))
}

/// Bytes and intervals as text; a string is never null.
fn texts(array: &ArrayRef) -> Result<ArrayRef> {
    let array = plain(array)?;
    let options = FormatOptions::default();
    let shown = ArrayFormatter::try_new(array.as_ref(), &options)?;
    let mut out = StringBuilder::new();
    for row in 0..array.len() {
        match (array.is_null(row), bytes(array.as_ref(), row)) {
            (true, _) => out.append_value(""),
            (false, Some(bytes)) => out.append_value(STANDARD.encode(bytes)),
            (false, None) => out.append_value(shown.value(row).to_string()),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn jsons(array: &ArrayRef) -> Result<ArrayRef> {
    let array = plain(array)?;
    let mut out = StringBuilder::new();
    let mut json = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
            continue;
        }
        json.clear();
        write(array.as_ref(), row, &mut json)?;
        out.append_value(&json);
    }
    Ok(Arc::new(out.finish()))
}

/// The bytes of a row; nothing where the column has none.
fn bytes(array: &dyn Array, row: usize) -> Option<&[u8]> {
    Some(match array.data_type() {
        DataType::Binary => array.as_binary::<i32>().value(row),
        DataType::LargeBinary => array.as_binary::<i64>().value(row),
        DataType::BinaryView => array.as_binary_view().value(row),
        DataType::FixedSizeBinary(_) => array.as_fixed_size_binary().value(row),
        _ => return None,
    })
}

/// Digits that a number of JSON has when all that read it as a double read it exactly.
const SURE_DIGITS: usize = 15;

/// Writes the value of a row as JSON.
fn write(array: &dyn Array, row: usize, out: &mut String) -> Result<(), ArrowError> {
    if array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        DataType::Null => out.push_str("null"),
        DataType::List(_) => list(&array.as_list::<i32>().value(row), out)?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row), out)?,
        DataType::ListView(_) => list(&array.as_list_view::<i32>().value(row), out)?,
        DataType::LargeListView(_) => list(&array.as_list_view::<i64>().value(row), out)?,
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row), out)?,
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            // A record without the field is not told from one in which it is null.
            let present = fields
                .iter()
                .zip(columns)
                .filter(|(f, c)| !c.is_null(row) && !f.data_type().is_null());
            object(present.map(|(f, c)| (f.name(), c.as_ref(), row)), out)?;
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let options = FormatOptions::default();
            let keys = ArrayFormatter::try_new(entries.column(0).as_ref(), &options)?;
            let values = entries.column(1).as_ref();
            object(
                (0..entries.len()).map(|entry| (keys.value(entry), values, entry)),
                out,
            )?;
        }
        DataType::Union(..) => write(array.as_union().value(row).as_ref(), 0, out)?,
        ty @ (DataType::Dictionary(..) | DataType::RunEndEncoded(..)) => {
            let one = cast(&array.slice(row, 1), values_of(ty))?;
            write(one.as_ref(), 0, out)?;
        }
        ty => {
            let options = FormatOptions::default();
            let text = match bytes(array, row) {
                Some(bytes) => STANDARD.encode(bytes),
                None => {
                    let shown = ArrayFormatter::try_new(array, &options)?;
                    shown.value(row).to_string()
                }
            };
            let digits = || text.bytes().filter(u8::is_ascii_digit).count();
            let is_bare = match ty {
                DataType::Boolean => true,
                ty if ty.is_integer() => true,
                // JSON has no infinity.
                ty if ty.is_floating() => text.parse::<f64>().is_ok_and(f64::is_finite),
                ty if ty.is_decimal() => digits() <= SURE_DIGITS,
                _ => false,
            };
            match is_bare {
                true => out.push_str(&text),
                false => quoted(&text, out),
            }
        }
    }
    Ok(())
}

fn list(values: &ArrayRef, out: &mut String) -> Result<(), ArrowError> {
    out.push('[');
    for row in 0..values.len() {
        if row > 0 {
            out.push(',');
        }
        write(values.as_ref(), row, out)?;
    }
    out.push(']');
    Ok(())
}

/// An object of names, each with the column and the row of its value.
fn object<'a>(
    entries: impl Iterator<Item = (impl Display, &'a dyn Array, usize)>,
    out: &mut String,
) -> Result<(), ArrowError> {
    out.push('{');
    for (at, (name, values, row)) in entries.enumerate() {
        if at > 0 {
            out.push(',');
        }
        quoted(&name.to_string(), out);
        out.push(':');
        write(values, row, out)?;
    }
    out.push('}');
    Ok(())
}

fn quoted(text: &str, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{}", serde_json::Value::from(text));
}
