//! A table of a report, for formats that have nothing but tables.

use std::borrow::Cow;

use crate::text::workbook::Cell;

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) enum Value<'a> {
    /// Nothing.
    Nothing,
    /// Text, as a log has it.
    Text(Cow<'a, str>),
    /// A number.
    Number(f64),
    /// A time as ISO 8601.
    Time(&'a str),
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Table<'a> {
    /// Its name, of words.
    pub(in crate::report) name: &'static str,
    /// Names of its columns.
    pub(in crate::report) columns: Vec<&'a str>,
    /// Its rows, each with a value for each column.
    pub(in crate::report) rows: Vec<Vec<Value<'a>>>,
}

impl<'a> Table<'a> {
    pub(in crate::report) fn new(name: &'static str, columns: &[&'a str]) -> Table<'a> {
        Table {
            name,
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// The same with a row of each of these.
    pub(in crate::report) fn with<T>(
        mut self,
        items: impl IntoIterator<Item = T>,
        row: impl Fn(T) -> Vec<Value<'a>>,
    ) -> Table<'a> {
        self.rows.extend(items.into_iter().map(row));
        self
    }

    /// Its name as that of a file, without an extension.
    pub(in crate::report) fn file_name(&self) -> String {
        self.name.to_lowercase().replace(' ', "-")
    }
}

impl<'a> Value<'a> {
    /// As a cell of a workbook.
    pub(in crate::report) fn cell(&self) -> Cell<'_> {
        match self {
            Value::Nothing => Cell::Nothing,
            Value::Text(text) => Cell::Text(text),
            Value::Number(number) => Cell::Number(*number),
            Value::Time(time) => Cell::Time(time),
        }
    }

    /// As text.
    pub(in crate::report) fn text(&self) -> Cow<'_, str> {
        match self {
            Value::Nothing => Cow::Borrowed(""),
            Value::Text(text) => Cow::Borrowed(text),
            Value::Number(number) => Cow::Owned(number.to_string()),
            Value::Time(time) => Cow::Borrowed(time),
        }
    }

    /// A text that may not be there.
    pub(in crate::report) fn said(text: Option<&'a String>) -> Value<'a> {
        text.map_or(Value::Nothing, |text| Value::from(text.as_str()))
    }

    /// A time that may not be there.
    pub(super) fn time(text: Option<&'a String>) -> Value<'a> {
        text.map_or(Value::Nothing, |text| Value::Time(text))
    }

    /// A number that may not be there.
    pub(super) fn maybe(number: Option<f64>) -> Value<'a> {
        number.map_or(Value::Nothing, Value::Number)
    }

    /// Texts as one.
    pub(super) fn joined<S: AsRef<str>>(texts: &[S]) -> Value<'a> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        Value::from(texts.join("; "))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        match text {
            "" => Value::Nothing,
            text => Value::Text(Cow::Borrowed(text)),
        }
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Value<'a> {
        Value::from(text.as_str())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        match text.is_empty() {
            true => Value::Nothing,
            false => Value::Text(Cow::Owned(text)),
        }
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        // A count is far below what a number of 64 bits with a point can hold to the unit.
        Value::Number(number as f64)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Number(number as f64)
    }
}
