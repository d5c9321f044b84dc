//! The answer of the Log Analytics query API: times as .NET prints them, `dynamic` as JSON in a string, numbers that JSON does not have as
//! strings.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Int64Type, SchemaRef, TimeUnit};

use super::cells::Cells;
use crate::fault::Result;
use crate::function::value::{Type, Value};
use crate::text::safe::quote;

/// What comes before the rows.
pub(super) fn head(schema: &SchemaRef, types: &[Type]) -> String {
    let mut out = String::from("{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":[");
    for (n, (field, ty)) in schema.fields().iter().zip(types).enumerate() {
        out.push_str(if n > 0 { ",{\"name\":" } else { "{\"name\":" });
        quote(field.name(), &mut out);
        out.push_str(",\"type\":");
        quote(ty.name(), &mut out);
        out.push('}');
    }
    out.push_str("],\"rows\":[");
    out
}

/// The column as its values are written.
pub(super) fn prepared(array: ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Duration(unit) => spans(&array, *unit),
        DataType::Timestamp(unit, Some(_)) => {
            let utc = DataType::Timestamp(*unit, Some("UTC".into()));
            Ok(arrow::compute::cast(&array, &utc)?)
        }
        _ => Ok(array),
    }
}

/// Durations of Arrow as timespans: `-1.02:03:04.5000000`.
fn spans(array: &ArrayRef, unit: TimeUnit) -> Result<ArrayRef> {
    let numbers = arrow::compute::cast(array, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>().iter();
    let ticks = |n: i64| match unit {
        TimeUnit::Second => n.saturating_mul(10_000_000),
        TimeUnit::Millisecond => n.saturating_mul(10_000),
        TimeUnit::Microsecond => n.saturating_mul(10),
        TimeUnit::Nanosecond => n / 100,
    };
    let texts = numbers.map(|n| n.map(|n| Value::Timespan(ticks(n)).show()));
    Ok(Arc::new(texts.collect::<StringArray>()))
}

/// Writes a cell.
pub(super) fn push(cells: &Cells<'_>, ty: Type, row: usize, out: &mut String) {
    if cells.is_null(row) || !matches!(ty, Type::Dynamic | Type::DateTime) {
        return cells.json(row, out);
    }
    let mut text = String::new();
    match ty {
        Type::Dynamic if cells.is_nested() => cells.json(row, &mut text),
        _ => cells.text(row, &mut text),
    }
    if ty == Type::DateTime {
        settle(&mut text);
    }
    quote(&text, out);
}

/// A time as the API writes it: no zeros at the end of its fraction, no more than Kusto's seven digits, and a `Z`, also behind what is local.
fn settle(time: &mut String) {
    let Some(clock) = time.find('T') else {
        // A date without a clock.
        if !time.contains(' ') {
            time.push_str("T00:00:00Z");
        }
        return;
    };
    if time.ends_with(|c: char| c.is_ascii_digit()) {
        time.push('Z');
    }
    if time.ends_with('Z')
        && let Some(dot) = time[clock..].find('.').map(|at| clock + at)
    {
        time.pop();
        time.truncate(time.len().min(dot + 8));
        let kept = time.trim_end_matches('0').trim_end_matches('.').len();
        time.truncate(kept);
        time.push('Z');
    }
}

#[cfg(test)]
mod tests {
    use super::settle;

    #[test]
    fn times_are_those_of_the_api() {
        for (text, time) in [
            ("2026-05-01", "2026-05-01T00:00:00Z"),
            ("2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z"),
            ("2026-05-01T00:00:00.500Z", "2026-05-01T00:00:00.5Z"),
            ("2026-05-01T00:00:00.500", "2026-05-01T00:00:00.5Z"),
            ("2026-05-01T00:00:00.000010Z", "2026-05-01T00:00:00.00001Z"),
            (
                "2026-05-01T00:00:00.1234567Z",
                "2026-05-01T00:00:00.1234567Z",
            ),
            (
                "2026-05-01T00:00:00.123456789Z",
                "2026-05-01T00:00:00.1234567Z",
            ),
            ("2026-05-01T00:00:00.000000001Z", "2026-05-01T00:00:00Z"),
        ] {
            let mut made = text.to_string();
            settle(&mut made);
            assert_eq!(made, time);
        }
    }
}
