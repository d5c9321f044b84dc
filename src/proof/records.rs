//! Typed columns against what they were made from.
//!
//! The record as it came stands beside the typed columns of audit records: it is converted once more and must give the same. Rows of
//! other tables are held to their fingerprint, which is worked out again from the columns. Where an export had more than the known
//! columns, some of it counts in the fingerprint and some does not, and the row does not say which: such rows are not checked. Columns that
//! a file does not have yet are passed over.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{cast, take};
use arrow::datatypes::{
    DataType, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use super::sheet::{Check, Problem, Sheet};
use crate::catalog::{EXTRA, FINGERPRINT, INGEST_ID, Kusto, Origin, RECORD, TIME, Table};
use crate::engine::output;
use crate::fault::{Error, Result};
use crate::ingest::rows::{Row, Slot, TableRows};
use crate::ingest::{audit, json, time};

/// Compares rows of an event table.
///
/// # Errors
/// When columns have other types than the table.
pub(super) fn compare(
    table: &'static Table,
    file: &str,
    batch: &RecordBatch,
    sheet: &mut Sheet,
) -> Result<()> {
    let rows = Rows { table, file, batch };
    match table.name {
        "UnifiedAuditLog" => rows.audit_records(sheet),
        "CloudAppEvents" => {
            rows.promoted(sheet)?;
            rows.fingerprints(sheet)
        }
        _ => rows.fingerprints(sheet),
    }
}

/// A number of a row.
pub(super) fn long(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    batch
        .column_by_name(name)
        .and_then(|c| c.as_primitive_opt::<Int64Type>())
        .filter(|c| c.is_valid(row))
        .map(|c| c.value(row))
}

struct Rows<'b> {
    table: &'static Table,
    file: &'b str,
    batch: &'b RecordBatch,
}

impl<'b> Rows<'b> {
    fn problem(&self, check: Check, row: usize, expected: String, found: String) -> Problem {
        Problem::new(check, self.table.name, self.file, expected, found).at(
            long(self.batch, INGEST_ID, row),
            long(self.batch, RECORD, row),
        )
    }

    /// The raw records; nothing where there is none.
    fn raw(&self) -> Result<Vec<&'b str>> {
        let column = self.table.record.map_or("", |i| self.table.columns[i].name);
        let texts = self
            .batch
            .column_by_name(column)
            .and_then(|c| c.as_string_opt::<i32>())
            .ok_or_else(|| Error::Damaged(format!("no text in column `{column}`")))?;
        Ok(texts.iter().map(Option::unwrap_or_default).collect())
    }

    /// Converts audit records once more.
    fn audit_records(&self, sheet: &mut Sheet) -> Result<()> {
        let table = self.table;
        let raw = self.raw()?;
        let mut fresh = TableRows::new(table, None);
        let mut row = Row::new(table);
        for (i, text) in raw.iter().enumerate() {
            // A record without a time of its own has that of the export, which is not kept.
            if let Err(refusal) = audit::push(text, &mut row, &mut fresh, i as i64, None) {
                let expected = "an audit record".to_string();
                sheet.problem(self.problem(Check::Records, i, expected, refusal.to_string()));
            }
        }
        sheet.checked(Check::Records, raw.len() as u64);
        let wanted = |c: usize| {
            matches!(table.columns[c].origin, Origin::Export | Origin::Path(_))
                && Some(c) != table.record
        };
        let places = places_of(&fresh);
        self.prints(&fresh.prints, &places, sheet)?;
        self.columns(&fresh.arrays(), &places, wanted, sheet)
    }

    /// Reads the promoted columns of CloudAppEvents once more.
    fn promoted(&self, sheet: &mut Sheet) -> Result<()> {
        let table = self.table;
        let raw = self.raw()?;
        let texts: Vec<Cow<'_, str>> = raw.iter().map(|text| as_it_came(text)).collect();
        let mut fresh = TableRows::new(table, None);
        let mut row = Row::new(table);
        for (i, text) in texts.iter().enumerate() {
            audit::promote(text, &mut row);
            fresh.push(&mut row, i as i64, Some(0));
        }
        sheet.checked(Check::Records, raw.len() as u64);
        let wanted = |c: usize| matches!(table.columns[c].origin, Origin::Path(_));
        let places = places_of(&fresh);
        self.columns(&fresh.arrays(), &places, wanted, sheet)
    }

    /// Compares columns; `places` are the rows that the fresh ones belong to.
    fn columns(
        &self,
        fresh: &[ArrayRef],
        places: &UInt32Array,
        wanted: impl Fn(usize) -> bool,
        sheet: &mut Sheet,
    ) -> Result<()> {
        for (c, fresh) in fresh.iter().enumerate().filter(|(c, _)| wanted(*c)) {
            let name = self.table.columns[c].name;
            let Some(stored) = self.batch.column_by_name(name) else {
                continue;
            };
            let stored = cast(&take(stored, places, None)?, fresh.data_type())?;
            let differs = distinct(&stored, fresh)?;
            if !differs.has_true() {
                continue;
            }
            for i in (0..differs.len()).filter(|i| differs.value(*i)) {
                let (expected, found) = (output::cell(fresh, i)?, output::cell(&stored, i)?);
                let excused = match name {
                    TIME => fresh.is_null(i),
                    // Names of record types are added from release to release.
                    "RecordTypeName" => stored.is_null(i),
                    // Empty texts of a record that came as a JSON string are not stored.
                    _ => expected == found,
                };
                if !excused {
                    sheet.problem(self.problem(
                        Check::Records,
                        places.value(i) as usize,
                        format!("{name}: {expected}"),
                        format!("{name}: {found}"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Compares fingerprints.
    fn prints(&self, fresh: &[u128], places: &UInt32Array, sheet: &mut Sheet) -> Result<()> {
        let stored = self
            .batch
            .column_by_name(FINGERPRINT)
            .and_then(|c| c.as_binary_opt::<i32>())
            .ok_or_else(|| Error::Damaged(format!("no column `{FINGERPRINT}`")))?;
        sheet.checked(Check::Fingerprints, fresh.len() as u64);
        for (print, place) in fresh.iter().zip(places.values().iter()) {
            let row = *place as usize;
            let have: &[u8] = if stored.is_valid(row) {
                stored.value(row)
            } else {
                &[]
            };
            if *have != print.to_be_bytes() {
                let found = hex::encode(have);
                let expected = format!("{print:032x}");
                sheet.problem(self.problem(Check::Fingerprints, row, expected, found));
            }
        }
        Ok(())
    }

    /// Works fingerprints out from the columns.
    fn fingerprints(&self, sheet: &mut Sheet) -> Result<()> {
        let table = self.table;
        let columns: Vec<(usize, &ArrayRef)> = table
            .columns
            .iter()
            .enumerate()
            .filter(|(_, c)| c.origin == Origin::Export)
            .filter_map(|(i, c)| Some((i, self.batch.column_by_name(c.name)?)))
            .collect();
        let extra = self.batch.column_by_name(EXTRA);
        let mut fresh = TableRows::new(table, None);
        let mut row = Row::new(table);
        for i in 0..self.batch.num_rows() {
            let mut known = extra.is_none_or(|e| e.is_null(i));
            for (c, array) in &columns {
                if !known || array.is_null(i) {
                    continue;
                }
                match slot(table.columns[*c].kusto, array, i) {
                    Some(slot) => row.replace(*c, slot),
                    None => known = false,
                }
            }
            if known {
                fresh.push(&mut row, i as i64, None);
            } else {
                row.clear();
                sheet.not_checked(Check::Fingerprints, 1);
            }
        }
        let places = places_of(&fresh);
        self.prints(&fresh.prints, &places, sheet)
    }
}

/// Rows that converted rows were made from.
fn places_of(rows: &TableRows) -> UInt32Array {
    UInt32Array::from_iter_values(rows.records.iter().map(|i| *i as u32))
}

/// The text that a record was read from: a text that is no JSON is stored as a JSON string.
fn as_it_came(stored: &str) -> Cow<'_, str> {
    if !stored.starts_with('"') {
        return Cow::Borrowed(stored);
    }
    match serde_json::from_str::<String>(stored) {
        Ok(text) if json::fingerprint(&text).is_err() => Cow::Owned(text),
        // It came as a string inside a string.
        Ok(_) | Err(_) => Cow::Borrowed(stored),
    }
}

/// A stored value as it would come again; nothing where it could not.
fn slot(kusto: Kusto, array: &ArrayRef, row: usize) -> Option<Slot<'_>> {
    let owned = |text: String| Some(Slot::Text(Cow::Owned(text)));
    match array.data_type() {
        DataType::Utf8 => {
            let text = array.as_string::<i32>().value(row);
            Some(match kusto {
                Kusto::Dynamic => Slot::Json(text),
                _ => Slot::Text(Cow::Borrowed(text)),
            })
        }
        DataType::Boolean => owned(array.as_boolean().value(row).to_string()),
        DataType::Int32 => owned(array.as_primitive::<Int32Type>().value(row).to_string()),
        DataType::Int64 => owned(array.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::Float64 => owned(array.as_primitive::<Float64Type>().value(row).to_string()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let t = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let slot = audit::micros(t);
            (time::parse(slot.text(), None) == Some(t)).then_some(slot)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryArray, Int64Array, StringArray};

    use super::*;
    use crate::catalog;
    use crate::ingest::columns::Filler;

    /// Converted rows as they are stored.
    fn stored(rows: &mut TableRows) -> RecordBatch {
        let table = rows.table;
        let mut columns = rows.arrays();
        let prints: Vec<[u8; 16]> = rows.prints.iter().map(|p| p.to_be_bytes()).collect();
        columns[table.at(FINGERPRINT)] = Arc::new(BinaryArray::from_iter_values(prints.iter()));
        columns[table.at(INGEST_ID)] = Arc::new(Int64Array::from_value(7, prints.len()));
        let numbers = rows.records.iter().map(|i| i + 1);
        columns[table.at(RECORD)] = Arc::new(Int64Array::from_iter_values(numbers));
        RecordBatch::try_new(table.schema(), columns).expect("columns of the table")
    }

    fn with(batch: &RecordBatch, table: &Table, name: &str, column: ArrayRef) -> RecordBatch {
        let mut columns = batch.columns().to_vec();
        columns[table.at(name)] = column;
        RecordBatch::try_new(table.schema(), columns).expect("columns of the table")
    }

    fn check(table: &'static Table, batch: &RecordBatch) -> Sheet {
        let mut sheet = Sheet::default();
        compare(table, "f", batch, &mut sheet).expect("a comparison");
        sheet
    }

    #[test]
    fn audit_records_must_give_the_columns_beside_them() {
        let table = catalog::table("UnifiedAuditLog");
        let records = [
            r#"{"Id":"a","CreationTime":"2026-05-04T09:12:00","RecordType":"ExchangeAdmin","Operation":"X","UserId":"bob@contoso.com","ClientIP":"[2001:db8::1]:443"}"#,
            r#"{"Id":"b","Operation":"Y","UserId":""}"#,
        ];
        let mut rows = TableRows::new(table, None);
        let mut row = Row::new(table);
        for (i, text) in records.iter().enumerate() {
            row.extra_quietly("ResultIndex", &Slot::Text("1".into()));
            // The second has no time of its own.
            audit::push(text, &mut row, &mut rows, i as i64, Some(1_000_000)).expect("a record");
        }
        let good = stored(&mut rows);
        let sheet = check(table, &good);
        for (what, tally) in [Check::Records, Check::Fingerprints].map(|c| (c, sheet.tally(c))) {
            assert_eq!((tally.checked, tally.problems), (2, 0), "{what:?}");
        }
        let users: ArrayRef = Arc::new(StringArray::from(vec!["eve@contoso.com", ""]));
        let sheet = check(table, &with(&good, table, "UserId", users));
        assert_eq!(sheet.tally(Check::Records).problems, 1);
        let raw: ArrayRef = Arc::new(StringArray::from(vec![records[0], r#"{"Id":"b"}"#]));
        let sheet = check(table, &with(&good, table, "AuditData", raw));
        assert!(sheet.tally(Check::Records).problems > 0);
        assert_eq!(sheet.tally(Check::Fingerprints).problems, 1);
        let raw: ArrayRef = Arc::new(StringArray::from(vec![records[0], "{"]));
        let sheet = check(table, &with(&good, table, "AuditData", raw));
        assert_eq!(sheet.tally(Check::Records).problems, 1);
    }

    #[test]
    fn rows_of_other_tables_must_give_their_fingerprint() {
        let table = catalog::table("CloudAppEvents");
        let mut rows = TableRows::new(table, None);
        let mut filler = Filler::new(table, None, None);
        let records = [
            // The record as an object, as a string with escapes, as a string that was cut off; and a column that nobody knows.
            r#"{"Timestamp":"2026-05-04T09:12:00.5Z","ActionType":"A","ReportId":"1","AppInstanceId":0,"IsImpersonated":"False","ActivityObjects":"[{\"Type\":\"User\"}]","RawEventData":{"Id":"x","UserId":"","RecordType":"ExchangeAdmin"}}"#,
            r#"{"Timestamp":"2026-05-04T09:12:00Z","ActionType":"B","ReportId":"2","IPTags":"plain text","RawEventData":"{\"Id\":\"y\",\"UserId\":\"\",\"RecordType\":1}"}"#,
            r#"{"Timestamp":"2026-05-04T09:12:00Z","ActionType":"C","ReportId":"3","RawEventData":"{\"Id\":\"z\",\"UserId\":\"bob\",\"Oper"}"#,
            r#"{"Timestamp":"2026-05-04T09:12:00Z","ActionType":"D","ReportId":"4","Colour":"red"}"#,
        ];
        for (i, text) in records.iter().enumerate() {
            filler.set_object(text).expect("an object");
            filler.push(&mut rows, i as i64);
        }
        let good = stored(&mut rows);
        let sheet = check(table, &good);
        let records = sheet.tally(Check::Records);
        assert_eq!((records.checked, records.problems), (4, 0));
        let prints = sheet.tally(Check::Fingerprints);
        assert_eq!(
            (prints.checked, prints.not_checked, prints.problems),
            (3, 1, 0)
        );
        let actions: ArrayRef = Arc::new(StringArray::from(vec!["A", "B", "c", "D"]));
        let sheet = check(table, &with(&good, table, "ActionType", actions));
        assert_eq!(sheet.tally(Check::Fingerprints).problems, 1);
        let users: ArrayRef = Arc::new(StringArray::from(vec!["", "", "eve", ""]));
        let sheet = check(table, &with(&good, table, "RawEventData_UserId", users));
        assert_eq!(sheet.tally(Check::Records).problems, 1);
    }
}
