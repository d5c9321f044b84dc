//! Times of an answer as somebody wants to see them: in a zone, with the offset. Local times have none, and no `Z`.
//!
//! Times inside of lists, JSON and text stay what they are, and so do days.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{Datelike, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::cells::{self, Cells};
use super::columns::{LOCAL, is_time};
use crate::fault::Result;
use crate::function::value::Type;

/// What is done with the times of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shown {
    InZone(Tz),
    /// Without the `Z` that is written behind times without a zone.
    AsTheyAre,
}

/// The columns of an answer that are shown in another way than they are written.
#[derive(Debug)]
pub struct Clock {
    columns: Vec<(usize, Shown)>,
}

impl Clock {
    /// For an answer with the columns of [`schema()`](super::schema()).
    pub fn new(schema: &SchemaRef, zone: Option<Tz>) -> Clock {
        let shown = |field: &Field| {
            let local = field.metadata().contains_key(LOCAL);
            match field.data_type() {
                DataType::Timestamp(..) if local => Some(Shown::AsTheyAre),
                DataType::Date32 | DataType::Date64 => None,
                // Their text says already what they are.
                _ if local => None,
                _ if is_time(field) => zone.map(Shown::InZone),
                _ => None,
            }
        };
        let fields = schema.fields().iter().enumerate();
        let columns = fields.filter_map(|(at, field)| Some((at, shown(field)?)));
        Clock {
            columns: columns.collect(),
        }
    }

    /// The rows to show.
    ///
    /// # Errors
    /// When a type cannot be shown.
    pub fn shown<'b>(&self, batch: &'b RecordBatch) -> Result<Cow<'b, RecordBatch>> {
        if self.columns.is_empty() {
            return Ok(Cow::Borrowed(batch));
        }
        let mut fields: Vec<Arc<Field>> = batch.schema_ref().fields().iter().cloned().collect();
        let mut arrays = batch.columns().to_vec();
        for (at, how) in &self.columns {
            if let (Some(field), Some(array)) = (fields.get_mut(*at), arrays.get_mut(*at)) {
                *field = Arc::new(Field::new(field.name(), DataType::Utf8, true));
                *array = texts(array, *how)?;
            }
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        Ok(Cow::Owned(batch))
    }
}

/// The times of a column as text.
fn texts(array: &ArrayRef, how: Shown) -> Result<ArrayRef> {
    let array = cells::plain(array);
    let array = match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            cast(&array, &DataType::Timestamp(*unit, Some("UTC".into())))?
        }
        _ => array,
    };
    let cells = Cells::new(&array, Type::DateTime)?;
    let texts = (0..array.len()).map(|row| {
        if cells.is_null(row) {
            return None;
        }
        let mut text = String::new();
        cells.text(row, &mut text);
        match how {
            Shown::InZone(zone) => Some(in_zone(&text, zone).into_owned()),
            Shown::AsTheyAre => {
                let plain = text.strip_suffix('Z').map(str::to_string);
                Some(plain.unwrap_or(text))
            }
        }
    });
    Ok(Arc::new(texts.collect::<StringArray>()))
}

/// A time in UTC as the clocks of a zone show it, with their offset: of `2026-05-20T19:40:05Z` in Berlin `2026-05-20T21:40:05+02:00`.
///
/// It stays as it is where it is no such time, and where ISO 8601 has no spelling for it: clocks of old were no whole minutes apart, and
/// there is no year beyond 9999.
pub fn in_zone(time: &str, zone: Tz) -> Cow<'_, str> {
    match moved(time, zone) {
        Some(text) => Cow::Owned(text),
        None => Cow::Borrowed(time),
    }
}

fn moved(time: &str, zone: Tz) -> Option<String> {
    const SECONDS: &str = "%Y-%m-%dT%H:%M:%S";
    if matches!(zone, Tz::UTC | Tz::Etc__UTC) {
        return None;
    }
    let (clock, fraction) = time
        .strip_suffix('Z')?
        .split_at_checked("2026-05-20T19:40:05".len())?;
    let is_fraction = match fraction.strip_prefix('.') {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()),
        None => fraction.is_empty(),
    };
    if !is_fraction {
        return None;
    }
    // Other text is no time, and stays.
    let utc = NaiveDateTime::parse_from_str(clock, SECONDS).ok()?;
    let offset = zone.offset_from_utc_datetime(&utc).fix().local_minus_utc();
    let local = utc.checked_add_signed(TimeDelta::try_seconds(offset.into())?)?;
    if offset % 60 != 0 || !(1..=9999).contains(&local.year()) {
        return None;
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.unsigned_abs() / 60;
    Some(format!(
        "{}{fraction}{sign}{:02}:{:02}",
        local.format(SECONDS),
        minutes / 60,
        minutes % 60
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_offset_of_its_day() {
        for (time, zone, shown) in [
            (
                "2026-05-20T19:40:05Z",
                Tz::Europe__Berlin,
                "2026-05-20T21:40:05+02:00",
            ),
            (
                "2026-01-20T23:40:05.1234567Z",
                Tz::Europe__Berlin,
                "2026-01-21T00:40:05.1234567+01:00",
            ),
            (
                "2026-05-20T01:00:00Z",
                Tz::America__St_Johns,
                "2026-05-19T22:30:00-02:30",
            ),
            ("2026-05-20T01:00:00Z", Tz::UTC, "2026-05-20T01:00:00Z"),
            (
                "2026-01-20T01:00:00Z",
                Tz::Europe__London,
                "2026-01-20T01:00:00+00:00",
            ),
        ] {
            assert_eq!(in_zone(time, zone), shown);
        }
    }

    #[test]
    fn what_has_no_such_spelling_stays() {
        for text in [
            "",
            "Z",
            "2026-05-20",
            "2026-05-20T19:40:05",
            "2026-05-20T19:40:05+02:00",
            "2026-05-20T19:40:05.Z",
            "2026-05-20T19:40:05xZ",
            "2026-05-20T25:40:05Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.9999999Z",
            "ééééééééééZ",
        ] {
            assert_eq!(in_zone(text, Tz::Europe__Berlin), text);
        }
    }
}
