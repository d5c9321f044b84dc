//! Kept lists of records that are JSON in all rows of a file.
//!
//! A column of a path has a string of the record as it is, and all else as JSON: the text `[1]` may have been an array or a string. Where each
//! text is certain to be the array or object of its record, queries need not read the record. Microsoft's records have lists in few paths,
//! and only those are looked at.

use std::sync::LazyLock;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use memchr::memmem::Finder;

use crate::catalog::{Origin, Table, audit};
use crate::text::json::{Reader, plain};

/// How strings of JSON begin whose text begins as an array or an object does.
static STRINGS: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| [r#""["#, r#""{"#, r#""\u00"#].map(Finder::new));

/// A path of the record, and the column that keeps it.
struct List {
    path: &'static str,
    column: &'static str,
}

/// The paths of which each text in these rows is what stands there in the record, an array or an object. A path without any text is among them.
pub fn lists(table: &Table, batches: &[RecordBatch]) -> Vec<String> {
    let Some(record) = table.record else {
        return Vec::new();
    };
    let record = table.columns[record].name;
    let mut lists: Vec<List> = table
        .columns
        .iter()
        .filter_map(|column| match column.origin {
            Origin::Path(path) if audit::LISTS.contains(&path) => Some(List {
                path,
                column: column.name,
            }),
            _ => None,
        })
        .collect();
    for batch in batches {
        lists = nested(lists, record, batch);
    }
    lists.iter().map(|list| list.path.to_string()).collect()
}

/// Those of the lists that are nested in all rows of a batch.
fn nested(lists: Vec<List>, record: &str, batch: &RecordBatch) -> Vec<List> {
    let texts = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
    let Some(records) = batch.column_by_name(record) else {
        return Vec::new();
    };
    // Of rows that an ingest writes, records may be views.
    let (stored, viewed) = (records.as_string_opt::<i32>(), records.as_string_view_opt());
    if stored.is_none() && viewed.is_none() {
        return Vec::new();
    }
    // This leaves few records to look into.
    let begins = |texts: &&StringArray| {
        let mut texts = texts.iter().flatten();
        texts.all(|text| text.starts_with(['[', '{']))
    };
    let (lists, columns): (Vec<List>, Vec<&StringArray>) = lists
        .into_iter()
        .filter_map(|list| {
            let column = texts(list.column).filter(begins)?;
            Some((list, column))
        })
        .unzip();
    let mut certain = vec![true; lists.len()];
    for row in 0..batch.num_rows() {
        if columns.iter().all(|column| column.is_null(row)) {
            continue;
        }
        let record = match records.is_valid(row) {
            true => stored
                .map(|texts| texts.value(row))
                .or_else(|| viewed.map(|texts| texts.value(row)))
                .unwrap_or_default(),
            false => "",
        };
        if has_no_such_string(record) {
            continue;
        }
        for ((found, column), certain) in members(record, &lists)
            .iter()
            .zip(&columns)
            .zip(&mut certain)
        {
            *certain &= column.is_null(row) || *found == Some(column.value(row));
        }
    }
    let kept = lists.into_iter().zip(certain);
    kept.filter_map(|(list, certain)| certain.then_some(list))
        .collect()
}

/// Whether no string of an object begins as an array or an object does. Text that is no object by itself may be a string that holds one.
fn has_no_such_string(record: &str) -> bool {
    let mut strings = STRINGS.iter();
    record.starts_with('{') && strings.all(|begin| begin.find(record.as_bytes()).is_none())
}

/// What stands in a record under the paths of the lists; nothing where it is no object.
fn members<'r>(record: &'r str, lists: &[List]) -> Vec<Option<&'r str>> {
    let mut found = vec![None; lists.len()];
    let mut reader = Reader::new(record);
    let read = reader.object().and_then(|()| {
        reader.members(0, |reader, key, escaped| {
            let start = reader.at();
            reader.skip(1)?;
            let key = plain(key, escaped);
            // The last of equal keys counts.
            if let Some(at) = lists.iter().position(|list| *list.path == *key) {
                found[at] = Some(reader.since(start));
            }
            Ok(())
        })?;
        reader.end()
    });
    if read.is_err() {
        found.fill(None);
    }
    found
}

#[cfg(test)]
mod tests {
    use arrow::array::new_null_array;
    use arrow::compute::cast;
    use arrow::datatypes::DataType;

    use super::*;
    use crate::catalog;

    /// A record, and what is kept of its `Parameters` and `Actor`.
    type Row<'r> = (Option<&'r str>, Option<&'r str>, Option<&'r str>);

    fn lists_of(rows: &[Row<'_>]) -> Vec<String> {
        lists_as(rows, &DataType::Utf8)
    }

    /// The same with records of a type of texts.
    fn lists_as(rows: &[Row<'_>], records: &DataType) -> Vec<String> {
        let table = catalog::table("UnifiedAuditLog");
        let schema = table.schema();
        let columns = schema.fields().iter().map(|field| {
            let name = field.name().as_str();
            let texts: StringArray = match name {
                "AuditData" => rows.iter().map(|row| row.0).collect(),
                "Parameters" => rows.iter().map(|row| row.1).collect(),
                "Actor" => rows.iter().map(|row| row.2).collect(),
                _ => return (name, new_null_array(field.data_type(), rows.len())),
            };
            let own = match name {
                "AuditData" => records,
                _ => &DataType::Utf8,
            };
            (name, cast(&texts, own).expect("a type of texts"))
        });
        let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
        lists(table, &[batch])
    }

    fn has(rows: &[Row<'_>], path: &str) -> bool {
        lists_of(rows).iter().any(|list| list == path)
    }

    #[test]
    fn a_list_is_nested_where_each_text_is_an_array_or_object_of_its_record() {
        let array = (Some(r#"{"Parameters":[1, 2]}"#), Some("[1, 2]"), None);
        let bag = (
            Some(r#"{"Parameters":{"a":"[1]"},"x":"\u005b"}"#),
            Some(r#"{"a":"[1]"}"#),
            None,
        );
        let none = (Some(r#"{"Actor":"me"}"#), None, Some("me"));
        assert!(has(&[array, bag, none], "Parameters"));
        assert!(!has(&[array, bag, none], "Actor"));
        assert!(has(&[array, bag], "Actor"));
        assert!(has(&[none], "Target"));
        // And whether the records are views makes no difference.
        assert_eq!(
            lists_as(&[array, bag], &DataType::Utf8View),
            lists_of(&[array, bag])
        );
    }

    #[test]
    fn one_text_that_is_not_the_record_s_makes_a_list_uncertain() {
        let array = (Some(r#"{"Parameters":[1]}"#), Some("[1]"), None);
        for (record, text) in [
            (Some(r#"{"Parameters":"[1]"}"#), "[1]"),
            (Some(r#"{"Parameters":"\u005b1]"}"#), "[1]"),
            (Some(r#"{"Parameters":"\u007B}"}"#), "{}"),
            (Some(r#"{"Parameters":[1],"\u0050arameters":"[1]"}"#), "[1]"),
            (Some(r#"{"Parameters":[1],"Parameters":2,"x":"{"}"#), "[1]"),
            (Some(r#"{"Parameters":7}"#), "7"),
            (Some(r#"{"Parameters":""}"#), ""),
            // What was cut off is a string.
            (Some(r#""\n{\"Parameters\":[1],\"Z\":""#), "[1]"),
            (None, "[1]"),
        ] {
            assert!(!has(&[array, (record, Some(text), None)], "Parameters"));
        }
    }

    #[test]
    fn only_tables_with_records_have_lists() {
        assert_eq!(lists(catalog::table("Ingests"), &[]), [""; 0]);
        assert_eq!(
            lists(catalog::table("CloudAppEvents"), &[]),
            audit::LISTS.map(String::from)
        );
    }
}
