//! Typed columns of one table, filled row by row.
//!
//! A value that does not fit its column's type is not dropped: it goes to `ExtraColumns` as it came.
//!
//! A row that has no record of its own has the fingerprint of its columns, by their type, so that the container makes no difference: numbers
//! by value (`1`, `1.0` and `"1"`), reals by the nearest `f64`, times by the microsecond that is stored, bools by what they mean, JSON as
//! [`super::json`] says, texts as they are. Nothing, null and an empty text are the same there: CSV does not tell them apart.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder, new_null_array};
use xxhash_rust::xxh3::xxh3_128;

use super::json::{self, KeyOrder, Raw};
use super::time::{Clocks, DateOrder, TakenFrom};
use crate::catalog::{EXTRA, Kusto, Origin, TIME, Table};

mod identity;
mod room;
mod sink;
mod slot;

pub use identity::{guid, id_key};
use room::Room;
use sink::{Appended, Sink, append};
pub use slot::Slot;
use slot::push_json_string;

/// A row before it is typed. Reused for all rows of a block.
pub struct Row<'a> {
    slots: Vec<Slot<'a>>,
    touched: Vec<usize>,
    extra: String,
    extra_print: u128,
    /// A column whose fingerprint is known already.
    known: Option<(usize, u128)>,
    /// A column that repeats what is kept elsewhere in the row.
    derived: Option<usize>,
}

impl<'a> Row<'a> {
    /// An empty row for this table.
    pub fn new(table: &Table) -> Self {
        Row {
            slots: vec![Slot::Empty; table.columns.len()],
            touched: Vec::with_capacity(64),
            extra: String::new(),
            extra_print: 0,
            known: None,
            derived: None,
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        for i in self.touched.drain(..) {
            self.slots[i] = Slot::Empty;
        }
        self.extra.clear();
        self.extra_print = 0;
        self.known = None;
        self.derived = None;
    }

    /// Sets a column to JSON whose fingerprint is known. The first value stays, as with [`Row::set`].
    pub fn set_known(&mut self, column: usize, json: &'a str, print: u128) {
        if self.set(column, Slot::Json(json)) {
            self.known = Some((column, print));
        }
    }

    /// Sets a column. The first value that is not empty stays; returns whether it was taken.
    pub fn set(&mut self, column: usize, value: Slot<'a>) -> bool {
        if matches!(value, Slot::Empty) || matches!(&value, Slot::Text(t) if t.is_empty()) {
            return true;
        }
        let slot = &mut self.slots[column];
        if !matches!(slot, Slot::Empty) {
            return false;
        }
        *slot = value;
        self.touched.push(column);
        true
    }

    /// Sets a column that promises what `->>` gives: empty text is a value there, the last value stays, and null takes it away.
    pub fn set_path(&mut self, column: usize, value: Slot<'a>) {
        if !matches!((&value, &self.slots[column]), (Slot::Empty, Slot::Empty)) {
            self.replace(column, value);
        }
    }

    /// The value of a column so far.
    pub fn get(&self, column: usize) -> &Slot<'a> {
        &self.slots[column]
    }

    /// Replaces a column.
    pub fn replace(&mut self, column: usize, value: Slot<'a>) {
        let slot = &mut self.slots[column];
        if matches!(slot, Slot::Empty) {
            self.touched.push(column);
        }
        *slot = value;
    }

    /// Sets a column to what is kept under another name, where it counts in the fingerprint.
    pub fn derive(&mut self, column: usize, value: Slot<'a>) {
        self.replace(column, value);
        self.derived = Some(column);
    }

    /// Takes the value of a column away.
    pub fn take(&mut self, column: usize) -> Slot<'a> {
        if self.known.is_some_and(|(known, _)| known == column) {
            self.known = None;
        }
        std::mem::take(&mut self.slots[column])
    }

    /// Keeps a value under its own name, beyond the known columns.
    pub fn extra(&mut self, name: &str, value: &Slot<'_>) {
        if name == EXTRA
            && let Some(members) = members(value)
        {
            for (name, value) in members.iter().filter(|(name, _)| name != EXTRA) {
                self.extra(name, value);
            }
            return;
        }
        let print = match value {
            Slot::Empty => return,
            Slot::Text(text) if text.is_empty() => return,
            Slot::Text(text) => json::text_fingerprint(text),
            Slot::Json(text) => {
                json::fingerprint(text).unwrap_or_else(|_| xxh3_128(text.as_bytes()))
            }
        };
        self.extra_print = self
            .extra_print
            .wrapping_add(json::mix(xxh3_128(name.as_bytes()), print));
        self.extra_quietly(name, value);
    }

    /// A key beyond the known columns comes again: which value comes last is content.
    pub fn repeats(&mut self) {
        self.extra_print = json::mix(self.extra_print, 1);
    }

    /// The same for values that tell of the export and not of the event: they do not count in the fingerprint.
    pub fn extra_quietly(&mut self, name: &str, value: &Slot<'_>) {
        if name == EXTRA
            && let Some(members) = members(value)
        {
            for (name, value) in members.iter().filter(|(name, _)| name != EXTRA) {
                self.extra_quietly(name, value);
            }
            return;
        }
        if self.extra.is_empty() {
            self.extra.push('{');
        } else {
            self.extra.push(',');
        }
        push_json_string(&mut self.extra, name);
        self.extra.push(':');
        match value {
            Slot::Json(text) => self.extra.push_str(text),
            other => push_json_string(&mut self.extra, other.text()),
        }
    }
}

/// What an export of ours has in its `ExtraColumns`: it was beside the columns and is so again. Nothing where that is no object.
fn members<'v>(value: &'v Slot<'_>) -> Option<Vec<(Cow<'v, str>, Slot<'v>)>> {
    let mut all = Vec::new();
    let read = json::entries(value.text(), |name, raw| {
        if !matches!(raw, Raw::Null) {
            all.push((name, Slot::from(raw)));
        }
    });
    read.is_ok().then_some(all)
}

/// Rows of one table, from one block.
pub struct TableRows {
    /// The table.
    pub table: &'static Table,
    /// Columns that have a value; a table has many that an export says nothing of.
    sinks: Vec<Option<Sink>>,
    /// Rows that each of them has so far.
    filled: Vec<usize>,
    /// Hash of the event's identity, where the record has one.
    pub ids: Vec<Option<u128>>,
    /// Fingerprints.
    pub prints: Vec<u128>,
    /// Number of the record, from 0 at the start of the block.
    pub records: Vec<i64>,
    /// Event times in microseconds.
    pub times: Vec<Option<i64>>,
    /// Local times that the clock skipped or repeated.
    pub clocks: Clocks,
    /// Names under which the times stood, of tables that nobody described.
    pub taken: TakenFrom,
    order: Option<DateOrder>,
    is_stable: Vec<bool>,
    name_prints: Vec<u128>,
    /// Column of the event's time.
    time: Option<usize>,
    /// Bytes of the block, where they are known.
    block: usize,
    /// What columns have room for from the beginning.
    room: Room,
    /// Keys of the audit records that became rows.
    pub(super) keys: KeyOrder,
}

/// Columns that tell of the workspace or the export, not of the event.
const UNSTABLE: [&str; 10] = [
    "TenantId",
    "SourceSystem",
    "Type",
    "MG",
    "_IsBillable",
    "_BilledSize",
    "_ResourceId",
    "_SubscriptionId",
    "_ItemId",
    "_TimeReceived",
];

impl TableRows {
    /// No rows yet. `order` is how dates without a fixed form are read.
    pub fn new(table: &'static Table, order: Option<DateOrder>) -> Self {
        TableRows {
            table,
            sinks: table.columns.iter().map(|_| None).collect(),
            filled: vec![0; table.columns.len()],
            ids: Vec::new(),
            prints: Vec::new(),
            records: Vec::new(),
            times: Vec::new(),
            clocks: Clocks::default(),
            taken: TakenFrom::default(),
            order,
            is_stable: table
                .columns
                .iter()
                .map(|c| c.origin == Origin::Export && !UNSTABLE.contains(&c.name))
                .collect(),
            name_prints: table
                .columns
                .iter()
                .map(|c| xxh3_128(c.name.as_bytes()))
                .collect(),
            time: table.position(TIME),
            block: 0,
            room: Room {
                rows: 1024,
                texts: Vec::new(),
            },
            keys: KeyOrder::default(),
        }
    }

    /// The same with room for records of so many bytes in all.
    pub fn with_capacity(table: &'static Table, order: Option<DateOrder>, bytes: usize) -> Self {
        /// Bytes of a short record, and the rows of a block of such.
        const SHORT: usize = 1024;
        const MOST: usize = 2048;
        let mut rows = TableRows::new(table, order);
        // Grown step by step, columns would be copied over and over; a file of one record needs next to nothing.
        if bytes > 0 {
            rows.block = bytes;
            rows.room = room::like_the_last(table.name, bytes).unwrap_or_else(|| Room {
                rows: (bytes / SHORT).clamp(16, MOST),
                texts: Vec::new(),
            });
        }
        if let Some(record) = table.record {
            let texts = StringBuilder::with_capacity(rows.room.rows, bytes);
            rows.sinks[record] = Some(Sink::Text(texts));
        }
        rows
    }

    /// The column, with a value or null for each row before the one that is being added.
    #[inline] // it runs for every value of every row
    fn sink(&mut self, column: usize) -> &mut Sink {
        let at = self.records.len();
        let kusto = self.table.columns[column].kusto;
        let sink = self.sinks[column].get_or_insert_with(|| {
            let text = self.room.texts.get(column).copied();
            Sink::new(kusto, self.room.rows, text)
        });
        let missing = at - self.filled[column];
        if missing > 0 {
            sink.append_nulls(missing);
            self.filled[column] = at;
        }
        sink
    }

    /// How dates without a fixed form are read.
    pub fn order(&self) -> Option<DateOrder> {
        self.order
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Types the row and adds it. `print` is the fingerprint where the caller knows it, else that of the columns.
    pub fn push(&mut self, row: &mut Row<'_>, record: i64, print: Option<u128>) {
        let (table, at, order) = (self.table, self.records.len(), self.order);
        let mut sum: u128 = 0;
        let mut time = None;
        for t in 0..row.touched.len() {
            let i = row.touched[t];
            let slot = std::mem::take(&mut row.slots[i]);
            if matches!(slot, Slot::Empty) {
                continue;
            }
            let column = &table.columns[i];
            let stable = print.is_none() && self.is_stable[i] && row.derived != Some(i);
            let sink = self.sink(i);
            if let (Some((known, value)), Sink::Text(b)) = (row.known, &mut *sink)
                && known == i
                && stable
            {
                b.append_value(slot.text());
                self.filled[i] = at + 1;
                sum = sum.wrapping_add(json::mix(self.name_prints[i], value));
                continue;
            }
            match append(sink, column.kusto, &slot, order, stable) {
                Appended::Value(value) => {
                    let last = sink.last_time();
                    self.filled[i] = at + 1;
                    if stable {
                        sum = sum.wrapping_add(json::mix(self.name_prints[i], value));
                    }
                    if self.time == Some(i) {
                        time = last;
                    }
                }
                Appended::Nothing => {}
                Appended::Misfit => row.extra(column.name, &slot),
            }
        }
        let print = print.unwrap_or_else(|| sum.wrapping_add(row.extra_print));
        if !row.extra.is_empty() {
            row.extra.push('}');
            let i = table.at(EXTRA);
            if let Sink::Text(b) = self.sink(i) {
                b.append_value(&row.extra);
                self.filled[i] = at + 1;
            }
        }
        self.prints.push(print);
        self.records.push(record);
        self.times.push(time);
        // All values were taken.
        row.touched.clear();
        row.clear();
    }

    /// Notes the identity of the row that was pushed last.
    pub fn identify(&mut self, id: Option<u128>) {
        self.ids.push(id);
        debug_assert_eq!(self.ids.len(), self.records.len());
    }

    /// The columns as arrays, in the table's order; lineage columns are all null. Columns of one type that are all null are one array.
    pub fn arrays(&mut self) -> Vec<ArrayRef> {
        let rows = self.len();
        let texts = self.sinks.iter();
        let texts = texts.map(|sink| sink.as_ref().map_or(0, Sink::text_bytes));
        room::note(self.table.name, self.block, rows, texts.collect());
        let mut empty: Vec<(Kusto, ArrayRef)> = Vec::new();
        let filled = std::mem::replace(&mut self.filled, vec![0; self.sinks.len()]);
        self.sinks
            .iter_mut()
            .zip(filled)
            .zip(&self.table.columns)
            .map(|((sink, filled), column)| match sink {
                Some(sink) => {
                    if filled < rows {
                        sink.append_nulls(rows - filled);
                    }
                    sink.finish()
                }
                None => nulls(&mut empty, column.kusto, rows),
            })
            .collect()
    }
}

/// An array of nulls, made once for each type.
fn nulls(empty: &mut Vec<(Kusto, ArrayRef)>, kusto: Kusto, rows: usize) -> ArrayRef {
    if let Some((_, array)) = empty.iter().find(|(own, _)| *own == kusto) {
        return Arc::clone(array);
    }
    let array = new_null_array(&kusto.arrow(), rows);
    empty.push((kusto, Arc::clone(&array)));
    array
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Int32Type;

    #[test]
    fn values_that_do_not_fit_are_kept_as_extra() {
        let table = catalog::table("CloudAppEvents");
        let mut rows = TableRows::new(table, None);
        let mut row = Row::new(table);
        row.set(table.at("ApplicationId"), Slot::Text("many".into()));
        row.set(table.at("AppInstanceId"), Slot::Text("1.0".into()));
        row.set(table.at("IsAdminOperation"), Slot::Json("0"));
        row.extra("New\"Column", &Slot::Text("x".into()));
        rows.push(&mut row, 0, None);
        rows.identify(None);
        rows.push(&mut row, 1, None);
        rows.identify(None);
        let arrays = rows.arrays();
        assert!(arrays[table.at("ApplicationId")].is_null(0));
        assert_eq!(
            arrays[table.at("AppInstanceId")]
                .as_primitive::<Int32Type>()
                .value(0),
            1
        );
        assert!(!arrays[table.at("IsAdminOperation")].as_boolean().value(0));
        assert_eq!(
            arrays[table.at(EXTRA)].as_string::<i32>().value(0),
            r#"{"New\"Column":"x","ApplicationId":"many"}"#
        );
        assert!(arrays[table.at(EXTRA)].is_null(1));
    }

    #[test]
    fn the_last_value_of_a_path_stays() {
        let table = catalog::table("UnifiedAuditLog");
        let (user, scope) = (table.at("UserId"), table.at("Scope"));
        let mut rows = TableRows::new(table, None);
        let mut row = Row::new(table);
        for value in ["a", "", "b"] {
            row.set_path(user, Slot::Text(value.into()));
        }
        row.set_path(scope, Slot::Json("1"));
        row.set_path(scope, Slot::Empty);
        rows.push(&mut row, 0, None);
        let arrays = rows.arrays();
        assert_eq!(arrays[user].as_string::<i32>().value(0), "b");
        assert!(arrays[scope].is_null(0));
    }

    #[test]
    fn the_container_does_not_change_a_fingerprint() {
        let table = catalog::table("CloudAppEvents");
        let mut rows = TableRows::new(table, None);
        let mut row = Row::new(table);
        for (admin, time, raw) in [
            (
                Slot::Json("false"),
                "2024-10-01T08:18:26.0000000Z",
                Slot::Json(r#"{"a":1, "b":2}"#),
            ),
            (
                Slot::Text("0".into()),
                "2024-10-01T08:18:26Z",
                Slot::Text(r#"{"b":2,"a":1}"#.into()),
            ),
        ] {
            row.set(table.at("IsAdminOperation"), admin);
            row.set(table.at("TimeGenerated"), Slot::Text(time.into()));
            row.set(table.at("RawEventData"), raw);
            rows.push(&mut row, 0, None);
        }
        assert_eq!(rows.prints[0], rows.prints[1]);
    }

    #[test]
    fn identities_are_guids_or_hashes_whatever_their_case() {
        assert_eq!(
            id_key("3D76D93F-AEB7-45AF-8800-3AFDAB17B6F4"),
            id_key("3d76d93f-aeb7-45af-8800-3afdab17b6f4")
        );
        assert_ne!(id_key("7"), id_key("8"));
        assert_eq!(id_key(" "), None);
    }
}
