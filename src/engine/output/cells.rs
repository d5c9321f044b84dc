//! Values of a column as text and as JSON. What is needed to write them is made once a column, not once a cell.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, LargeStringArray, StringArray, StringViewArray,
};
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::de::IgnoredAny;

use crate::fault::Result;
use crate::function::value::{Json, Type};
use crate::text::safe;

/// How times are written: ISO 8601, UTC.
pub const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.fZ";
/// The same of times that a query moved to another zone.
const ZONED_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.f%:z";

/// How values of this type are written.
pub(super) fn options(ty: &DataType) -> FormatOptions<'static> {
    let zoned = match is_elsewhere(ty) {
        true => ZONED_FORMAT,
        false => TIME_FORMAT,
    };
    FormatOptions::new()
        .with_timestamp_format(Some(TIME_FORMAT))
        .with_timestamp_tz_format(Some(zoned))
}

/// Whether there are times of another zone than UTC in it.
fn is_elsewhere(ty: &DataType) -> bool {
    match ty {
        DataType::Timestamp(_, Some(zone)) => !matches!(
            &**zone,
            "UTC" | "Etc/UTC" | "Z" | "+00:00" | "+0000" | "+00"
        ),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => is_elsewhere(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|f| is_elsewhere(f.data_type())),
        _ => false,
    }
}

/// A column of text, whatever its layout.
#[derive(Clone, Copy)]
pub(super) enum Texts<'a> {
    Small(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl<'a> Texts<'a> {
    pub(super) fn of(array: &'a ArrayRef) -> Option<Texts<'a>> {
        Some(match array.data_type() {
            DataType::Utf8 => Texts::Small(array.as_string::<i32>()),
            DataType::LargeUtf8 => Texts::Large(array.as_string::<i64>()),
            DataType::Utf8View => Texts::View(array.as_string_view()),
            _ => return None,
        })
    }

    pub(super) fn value(self, row: usize) -> &'a str {
        match self {
            Texts::Small(texts) => texts.value(row),
            Texts::Large(texts) => texts.value(row),
            Texts::View(texts) => texts.value(row),
        }
    }
}

/// Where the values of a list begin and end.
enum Offsets<'a> {
    Small(&'a [i32]),
    Large(&'a [i64]),
}

impl Offsets<'_> {
    fn of(&self, row: usize) -> Range<usize> {
        // Arrow's offsets are never negative.
        match self {
            Offsets::Small(at) => at[row] as usize..at[row + 1] as usize,
            Offsets::Large(at) => at[row] as usize..at[row + 1] as usize,
        }
    }
}

/// What is in a column, as JSON has it.
enum Kind<'a> {
    Null,
    /// Its text is JSON too: whole numbers, truth values.
    Plain,
    Real(Float64Array),
    Text(Texts<'a>),
    /// Text that is JSON where it can be.
    Json(Texts<'a>),
    List(Offsets<'a>, Box<Cells<'a>>),
    /// Each with its key as JSON.
    Struct(Vec<(String, Cells<'a>)>),
    /// Keys and values.
    Map(&'a [i32], Box<Cells<'a>>, Box<Cells<'a>>),
    /// Its text is a string: times, decimals, …
    Shown,
}

/// A column of a batch.
pub(super) struct Cells<'a> {
    array: &'a ArrayRef,
    text: ArrayFormatter<'a>,
    kind: Kind<'a>,
}

impl<'a> Cells<'a> {
    /// A column of this Kusto type, of which [`plain`] took the dictionaries.
    pub(super) fn new(array: &'a ArrayRef, ty: Type) -> Result<Cells<'a>> {
        // What is inside of a list or structure is what Arrow says.
        let inner = |array: &'a ArrayRef| Cells::new(array, Type::String).map(Box::new);
        let kind = match array.data_type() {
            DataType::Null => Kind::Null,
            DataType::Boolean => Kind::Plain,
            whole if whole.is_integer() => Kind::Plain,
            real if real.is_floating() => {
                let values = arrow::compute::cast(array, &DataType::Float64)?;
                Kind::Real(values.as_primitive::<Float64Type>().clone())
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Kind::List(Offsets::Small(list.value_offsets()), inner(list.values())?)
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                Kind::List(Offsets::Large(list.value_offsets()), inner(list.values())?)
            }
            DataType::Struct(fields) => {
                let names = fields.iter().map(|field| key(field.name()));
                let columns = array.as_struct().columns().iter();
                let columns = names.zip(columns).map(|(name, column)| {
                    Cells::new(column, Type::String).map(|cells| (name, cells))
                });
                Kind::Struct(columns.collect::<Result<Vec<_>>>()?)
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let (keys, values) = (inner(map.keys())?, inner(map.values())?);
                Kind::Map(map.value_offsets(), keys, values)
            }
            _ => match Texts::of(array) {
                Some(texts) if ty == Type::Dynamic => Kind::Json(texts),
                Some(texts) => Kind::Text(texts),
                None => Kind::Shown,
            },
        };
        let text = ArrayFormatter::try_new(array.as_ref(), &options(array.data_type()))?;
        Ok(Cells { array, text, kind })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.array.is_null(row)
    }

    /// Whether its values are lists, structures or maps.
    pub(super) fn is_nested(&self) -> bool {
        matches!(self.kind, Kind::List(..) | Kind::Struct(_) | Kind::Map(..))
    }

    /// A value of a column of text.
    pub(super) fn str(&self, row: usize) -> Option<&'a str> {
        match &self.kind {
            Kind::Text(texts) | Kind::Json(texts) if !self.is_null(row) => Some(texts.value(row)),
            _ => None,
        }
    }

    /// Writes a value as text, as it is; nothing for null.
    pub(super) fn text(&self, row: usize, out: &mut String) {
        match &self.kind {
            _ if self.is_null(row) => {}
            Kind::Text(texts) | Kind::Json(texts) => out.push_str(texts.value(row)),
            Kind::Real(values) if !values.value(row).is_finite() => {
                out.push_str(endless(values.value(row)));
            }
            // What cannot be shown says so in its place; writing into a `String` cannot fail.
            _ => {
                let _ = write!(out, "{}", self.text.value(row));
            }
        }
    }

    /// Writes a value as JSON without a line end, safe to show.
    pub(super) fn json(&self, row: usize, out: &mut String) {
        match &self.kind {
            _ if self.is_null(row) => out.push_str("null"),
            Kind::Null => out.push_str("null"),
            Kind::Plain => self.text(row, out),
            Kind::Real(values) => number(values.value(row), out),
            Kind::Text(texts) => safe::quote(texts.value(row), out),
            Kind::Json(texts) => dynamic(texts.value(row), out),
            Kind::List(offsets, values) => {
                out.push('[');
                for (n, at) in offsets.of(row).enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    values.json(at, out);
                }
                out.push(']');
            }
            Kind::Struct(columns) => {
                out.push('{');
                for (n, (key, values)) in columns.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    out.push_str(key);
                    values.json(row, out);
                }
                out.push('}');
            }
            Kind::Map(offsets, keys, values) => {
                out.push('{');
                for (n, at) in Offsets::Small(offsets).of(row).enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    let mut name = String::new();
                    keys.text(at, &mut name);
                    out.push_str(&key(&name));
                    values.json(at, out);
                }
                out.push('}');
            }
            Kind::Shown => {
                let mut text = String::new();
                self.text(row, &mut text);
                safe::quote(&text, out);
            }
        }
    }
}

/// A name as the key of an object.
pub(super) fn key(name: &str) -> String {
    let mut key = String::with_capacity(name.len() + 3);
    safe::quote(name, &mut key);
    key.push(':');
    key
}

/// What Kusto calls a number that JSON does not have.
pub(super) fn endless(number: f64) -> &'static str {
    match number {
        n if n.is_nan() => "NaN",
        n if n > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

fn number(value: f64, out: &mut String) {
    match serde_json::Number::from_f64(value) {
        Some(number) => {
            // Writing into a `String` cannot fail.
            let _ = write!(out, "{number}");
        }
        None => safe::quote(endless(value), out),
    }
}

/// Writes the text of a `dynamic`: the JSON that it is, digit by digit. Text that is none is a string.
fn dynamic(text: &str, out: &mut String) {
    if serde_json::from_str::<IgnoredAny>(text).is_ok() {
        // Strings of JSON hold no control characters as they are, so these stand between values.
        match text.contains(['\n', '\r', '\t']) {
            true => out.push_str(&safe::escaped_json(
                &text.trim().replace(['\n', '\r', '\t'], " "),
            )),
            false => out.push_str(&safe::escaped_json(text)),
        }
        return;
    }
    // JSON with the faults that the one reader of JSON puts up with.
    match Json::parse(text) {
        Some(json) => out.push_str(&safe::escaped_json(&json.text())),
        None => safe::quote(text, out),
    }
}

/// The same as a value.
pub(super) fn dynamic_value(text: &str) -> serde_json::Value {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    read(text)
        .or_else(|| read(&Json::parse(text)?.text()))
        .unwrap_or_else(|| serde_json::Value::String(text.to_string()))
}

/// The column without dictionaries, runs and views, in which a value is not where its row is.
pub(super) fn plain(array: &ArrayRef) -> ArrayRef {
    match plain_type(array.data_type()) {
        // What Arrow cannot turn is shown as Arrow shows it.
        Some(ty) => arrow::compute::cast(array, &ty).unwrap_or_else(|_| Arc::clone(array)),
        None => Arc::clone(array),
    }
}

/// The type of such a column, where it is another one.
pub(super) fn plain_type(ty: &DataType) -> Option<DataType> {
    let of_field = |field: &FieldRef| -> Option<FieldRef> {
        let ty = plain_type(field.data_type())?;
        Some(Arc::new(field.as_ref().clone().with_data_type(ty)))
    };
    let or_same = |field: &FieldRef| of_field(field).unwrap_or_else(|| Arc::clone(field));
    match ty {
        DataType::Dictionary(_, values) => {
            Some(plain_type(values).unwrap_or_else(|| values.as_ref().clone()))
        }
        DataType::RunEndEncoded(_, values) => Some(or_same(values).data_type().clone()),
        DataType::List(field) => of_field(field).map(DataType::List),
        DataType::LargeList(field) => of_field(field).map(DataType::LargeList),
        DataType::FixedSizeList(field, _) | DataType::ListView(field) => {
            Some(DataType::List(or_same(field)))
        }
        DataType::LargeListView(field) => Some(DataType::LargeList(or_same(field))),
        DataType::Struct(fields) => {
            let changed = fields.iter().any(|field| of_field(field).is_some());
            changed.then(|| DataType::Struct(fields.iter().map(or_same).collect()))
        }
        _ => None,
    }
}
