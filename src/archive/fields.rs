//! The columns of a batch by name, read row by row; and texts as SQL changes them.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use hashbrown::HashMap;

use crate::catalog::Table;
use crate::text::json::{Place, Raw, find};

/// A text, or nothing.
pub(super) type Text<'b> = Option<Cow<'b, str>>;

/// Columns by name; those that a batch lacks are empty.
pub(super) struct Fields<'b> {
    own: HashMap<&'b str, &'b ArrayRef>,
    /// Columns with fields of the audit record, by the names that `UnifiedAuditLog` has for them.
    recorded: HashMap<&'b str, &'b ArrayRef>,
}

impl<'b> Fields<'b> {
    /// The columns of a batch of a table.
    pub(super) fn of(table: &Table, batch: &'b RecordBatch) -> Self {
        let names = batch
            .schema_ref()
            .fields()
            .iter()
            .map(|f| f.name().as_str());
        let own: HashMap<&'b str, &'b ArrayRef> = names.zip(batch.columns()).collect();
        let record = |name: &'b str| match (table.name, name) {
            ("CloudAppEvents", _) => name.strip_prefix("RawEventData_"),
            ("OfficeActivity", "OfficeId") => Some("Id"),
            ("OfficeActivity", "OfficeWorkload") => Some("Workload"),
            ("OfficeActivity", "OfficeObjectId") => Some("ObjectId"),
            _ => Some(name),
        };
        let recorded = own
            .iter()
            .filter_map(|(name, column)| Some((record(name)?, *column)));
        Fields {
            recorded: recorded.collect(),
            own,
        }
    }

    /// A column.
    pub(super) fn column(&self, name: &str) -> Option<&'b ArrayRef> {
        self.own.get(name).copied()
    }

    /// A text of a row.
    pub(super) fn text(&self, name: &str, row: usize) -> Option<&'b str> {
        text_of(self.column(name)?, row)
    }

    /// A text of the audit record of a row.
    pub(super) fn recorded(&self, name: &str, row: usize) -> Option<&'b str> {
        text_of(self.recorded.get(name).copied()?, row)
    }

    /// A value below a key of the JSON in a column, as text.
    pub(super) fn below(&self, name: &str, key: &str, row: usize) -> Text<'b> {
        let value = find(self.text(name, row)?, &[Place::Member(key.into())])?;
        Raw::of(value).text()
    }

    pub(super) fn int(&self, name: &str, row: usize) -> Option<i32> {
        let column = self.column(name)?.as_primitive_opt::<Int32Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    pub(super) fn long(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.column(name)?.as_primitive_opt::<Int64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    pub(super) fn bool(&self, name: &str, row: usize) -> Option<bool> {
        let column = self.column(name)?.as_boolean_opt()?;
        column.is_valid(row).then(|| column.value(row))
    }

    /// A time in microseconds.
    pub(super) fn time(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.column(name)?;
        let column = column.as_primitive_opt::<TimestampMicrosecondType>()?;
        column.is_valid(row).then(|| column.value(row))
    }
}

fn text_of(column: &ArrayRef, row: usize) -> Option<&str> {
    let texts = column.as_string_opt::<i32>()?;
    texts.is_valid(row).then(|| texts.value(row))
}

/// The first of these texts that says something.
pub(super) fn first<'b>(texts: impl IntoIterator<Item = Option<&'b str>>) -> Option<&'b str> {
    let mut said = texts.into_iter().flatten();
    said.find(|text| !text.is_empty())
}

/// In lower case.
pub(super) fn lower(text: &str) -> Cow<'_, str> {
    match text
        .bytes()
        .all(|b| b.is_ascii() && !b.is_ascii_uppercase())
    {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.to_lowercase()),
    }
}

/// What is behind the last slash or backslash of the first line of a path.
pub(super) fn file_name(path: &str) -> &str {
    let line = path.split('\n').next().unwrap_or(path);
    match line.rfind(['/', '\\']) {
        Some(at) => &path[at + 1..],
        None => path,
    }
}

/// Whether a text says yes or no; nothing where it says neither.
pub(super) fn truth(text: Option<&str>) -> Option<bool> {
    match &*lower(text?) {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_changed_as_sql_changes_them() {
        for (path, name) in [
            ("https://contoso.sharepoint.com/a/Plan.docx", "Plan.docx"),
            (r"C:\Users\ada\Plan.docx", "Plan.docx"),
            (r"a/b\c", "c"),
            ("Plan.docx", "Plan.docx"),
            ("a/", ""),
            ("a/b\nc/d", "b\nc/d"),
        ] {
            assert_eq!(file_name(path), name, "{path}");
        }
        assert_eq!(first([None, Some(""), Some("b"), Some("c")]), Some("b"));
        assert_eq!(lower("ÄB"), "äb");
        assert_eq!(truth(Some("TRUE")), Some(true));
        assert_eq!(truth(Some("False")), Some(false));
        assert_eq!(truth(Some("")), None);
        assert_eq!(truth(Some("unknown")), None);
        assert_eq!(truth(None), None);
    }
}
