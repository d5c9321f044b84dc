//! Typed columns of one table, filled row by row.
//!
//! A value that does not fit its column's type is not dropped: it goes to `ExtraColumns` as it came.
//!
//! A row that has no record of its own has the fingerprint of its columns, by their type, so that the container makes no difference: numbers
//! by value (`1`, `1.0` and `"1"`), reals by the nearest `f64`, times by the microsecond that is stored, bools by what they mean, JSON as
//! [`super::json`] says, texts as they are. Nothing, null and an empty text are the same there: CSV does not tell them apart.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use xxhash_rust::xxh3::xxh3_128;

use super::json::{self, Raw};
use super::python;
use super::time::{self, Clocks, DateOrder, TakenFrom};
use crate::catalog::{EXTRA, Kusto, Origin, TIME, Table};

/// A value on its way into a column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Slot<'a> {
    /// Nothing.
    #[default]
    Empty,
    /// Text: a JSON string without escapes, or a CSV cell.
    Text(Cow<'a, str>),
    /// A JSON number, boolean, object or array.
    Json(&'a str),
}

impl<'a> From<Raw<'a>> for Slot<'a> {
    fn from(raw: Raw<'a>) -> Self {
        match raw {
            Raw::Null => Slot::Empty,
            Raw::Other(json) => Slot::Json(json),
            text => text.text().map_or(Slot::Empty, Slot::Text),
        }
    }
}

impl Slot<'_> {
    /// The value as text, empty where there is none.
    pub fn text(&self) -> &str {
        match self {
            Slot::Empty => "",
            Slot::Text(text) => text,
            Slot::Json(json) => json,
        }
    }
}

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
        if self.slots[column] != Slot::Empty {
            return false;
        }
        self.slots[column] = value;
        self.touched.push(column);
        true
    }

    /// Sets a column that promises what `->>` gives: empty text is a value there, the last value stays, and null takes it away.
    pub fn set_path(&mut self, column: usize, value: Slot<'a>) {
        if value != Slot::Empty || self.slots[column] != Slot::Empty {
            self.replace(column, value);
        }
    }

    /// The value of a column so far.
    pub fn get(&self, column: usize) -> &Slot<'a> {
        &self.slots[column]
    }

    /// Replaces a column.
    pub fn replace(&mut self, column: usize, value: Slot<'a>) {
        if self.slots[column] == Slot::Empty {
            self.touched.push(column);
        }
        self.slots[column] = value;
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

fn push_json_string(out: &mut String, text: &str) {
    // Serializing a `str` to a `String` has no way to fail.
    out.push_str(&serde_json::to_string(text).expect("a string is JSON"));
}

enum Sink {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Real(Float64Builder),
    Time(TimestampMicrosecondBuilder),
}

macro_rules! each_sink {
    ($sink:expr, $b:ident => $body:expr) => {
        match $sink {
            Sink::Text($b) => $body,
            Sink::Bool($b) => $body,
            Sink::Int($b) => $body,
            Sink::Long($b) => $body,
            Sink::Real($b) => $body,
            Sink::Time($b) => $body,
        }
    };
}

impl Sink {
    fn new(kusto: Kusto) -> Sink {
        match kusto {
            Kusto::Bool => Sink::Bool(BooleanBuilder::new()),
            Kusto::Int => Sink::Int(Int32Builder::new()),
            Kusto::Long => Sink::Long(Int64Builder::new()),
            Kusto::Real => Sink::Real(Float64Builder::new()),
            Kusto::DateTime => Sink::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Kusto::Guid | Kusto::String | Kusto::Dynamic => Sink::Text(StringBuilder::new()),
        }
    }

    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        each_sink!(self, b => b.len())
    }

    fn pad(&mut self, rows: usize) {
        let missing = rows - self.len();
        if missing > 0 {
            each_sink!(self, b => b.append_nulls(missing));
        }
    }

    fn finish(&mut self) -> ArrayRef {
        each_sink!(self, b => Arc::new(b.finish()))
    }
}

/// Rows of one table, from one block.
pub struct TableRows {
    /// The table.
    pub table: &'static Table,
    sinks: Vec<Sink>,
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
            sinks: table.columns.iter().map(|c| Sink::new(c.kusto)).collect(),
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
        }
    }

    /// The same with room for records of so many bytes in all.
    pub fn with_capacity(table: &'static Table, order: Option<DateOrder>, bytes: usize) -> Self {
        let mut rows = TableRows::new(table, order);
        if let Some(record) = table.record {
            // Grown step by step, the longest column would be copied over and over.
            rows.sinks[record] = Sink::Text(StringBuilder::with_capacity(1024, bytes));
        }
        rows
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
        let at = self.records.len();
        let mut sum: u128 = 0;
        let mut time = None;
        for t in 0..row.touched.len() {
            let i = row.touched[t];
            let slot = std::mem::take(&mut row.slots[i]);
            if slot == Slot::Empty {
                continue;
            }
            let column = &self.table.columns[i];
            let sink = &mut self.sinks[i];
            sink.pad(at);
            let stable = print.is_none() && self.is_stable[i] && row.derived != Some(i);
            if let (Some((known, value)), Sink::Text(b)) = (row.known, &mut *sink)
                && known == i
                && stable
            {
                b.append_value(slot.text());
                sum = sum.wrapping_add(json::mix(self.name_prints[i], value));
                continue;
            }
            match append(sink, column.kusto, &slot, self.order, stable) {
                Appended::Value(value) => {
                    if stable {
                        sum = sum.wrapping_add(json::mix(self.name_prints[i], value));
                    }
                    if column.name == TIME {
                        time = slot_time(&slot, self.order);
                    }
                }
                Appended::Nothing => {}
                Appended::Misfit => row.extra(column.name, &slot),
            }
        }
        let print = print.unwrap_or_else(|| sum.wrapping_add(row.extra_print));
        if !row.extra.is_empty() {
            row.extra.push('}');
            let i = self.table.at(EXTRA);
            self.sinks[i].pad(at);
            if let Sink::Text(b) = &mut self.sinks[i] {
                b.append_value(&row.extra);
            }
        }
        self.prints.push(print);
        self.records.push(record);
        self.times.push(time);
        row.clear();
    }

    /// Notes the identity of the row that was pushed last.
    pub fn identify(&mut self, id: Option<u128>) {
        self.ids.push(id);
        debug_assert_eq!(self.ids.len(), self.records.len());
    }

    /// The columns as arrays, in the table's order; lineage columns are all null.
    pub fn arrays(&mut self) -> Vec<ArrayRef> {
        let rows = self.len();
        self.sinks
            .iter_mut()
            .map(|sink| {
                sink.pad(rows);
                sink.finish()
            })
            .collect()
    }
}

/// Hash of an identity: the 128 bits of a GUID, else a hash of the lower-cased text.
pub fn id_key(text: &str) -> Option<u128> {
    let text = text.trim();
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    let text = inner.map_or(text, str::trim);
    if text.is_empty() {
        return None;
    }
    if let Some(guid) = guid(text.as_bytes()) {
        return Some(guid);
    }
    Some(if text.bytes().any(|b| b.is_ascii_uppercase()) {
        xxh3_128(text.to_ascii_lowercase().as_bytes())
    } else {
        xxh3_128(text.as_bytes())
    })
}

/// The 128 bits of a GUID.
pub fn guid(b: &[u8]) -> Option<u128> {
    if b.len() != 36 {
        return None;
    }
    let mut out: u128 = 0;
    for (i, c) in b.iter().enumerate() {
        if matches!(i, 8 | 13 | 18 | 23) {
            if *c != b'-' {
                return None;
            }
            continue;
        }
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' => c - b'a' + 10,
            b'A'..=b'F' => c - b'A' + 10,
            _ => return None,
        };
        out = out << 4 | u128::from(digit);
    }
    Some(out)
}

enum Appended {
    /// With the value's fingerprint, where it was asked for.
    Value(u128),
    /// The value means nothing (`{}` for a time).
    Nothing,
    /// The value does not fit the type.
    Misfit,
}

fn slot_time(slot: &Slot<'_>, order: Option<DateOrder>) -> Option<i64> {
    time::parse(slot.text(), order)
}

fn append(
    sink: &mut Sink,
    kusto: Kusto,
    slot: &Slot<'_>,
    order: Option<DateOrder>,
    want_print: bool,
) -> Appended {
    let text = slot.text();
    match sink {
        Sink::Text(b) if kusto == Kusto::Dynamic => dynamic(b, slot, want_print),
        Sink::Text(b) => {
            b.append_value(text);
            Appended::Value(if want_print {
                json::text_fingerprint(text)
            } else {
                0
            })
        }
        Sink::Bool(b) => match text.trim() {
            t if t.eq_ignore_ascii_case("true") || t == "1" => {
                b.append_value(true);
                Appended::Value(2)
            }
            t if t.eq_ignore_ascii_case("false") || t == "0" => {
                b.append_value(false);
                Appended::Value(3)
            }
            "" => Appended::Nothing,
            _ => Appended::Misfit,
        },
        Sink::Int(b) => match whole(text).and_then(|n| i32::try_from(n).ok()) {
            Some(n) => {
                b.append_value(n);
                Appended::Value(n as u32 as u128)
            }
            None => Appended::Misfit,
        },
        Sink::Long(b) => match whole(text) {
            Some(n) => {
                b.append_value(n);
                Appended::Value(n as u64 as u128)
            }
            None => Appended::Misfit,
        },
        Sink::Real(b) => match real(text) {
            Some(x) => {
                b.append_value(x);
                Appended::Value(u128::from(x.to_bits()))
            }
            None => Appended::Misfit,
        },
        Sink::Time(b) => match time::parse(text, order) {
            Some(t) => {
                b.append_value(t);
                Appended::Value(json::time_fingerprint(t))
            }
            None if text == "{}" => Appended::Nothing,
            None => Appended::Misfit,
        },
    }
}

/// A dynamic value is JSON text in the column, whether it came as JSON or as a string that holds JSON.
fn dynamic(b: &mut StringBuilder, slot: &Slot<'_>, want_print: bool) -> Appended {
    match slot {
        Slot::Json(text) => {
            b.append_value(text);
            Appended::Value(match want_print {
                true => json::fingerprint(text).unwrap_or_else(|_| xxh3_128(text.as_bytes())),
                false => 0,
            })
        }
        other => {
            let text = other.text();
            match json::fingerprint(text) {
                Ok(print) => {
                    b.append_value(text);
                    Appended::Value(print)
                }
                Err(_) => {
                    if let Some(list) = python::json(text)
                        && let Ok(print) = json::fingerprint(&list)
                    {
                        b.append_value(&list);
                        return Appended::Value(print);
                    }
                    let mut quoted = String::with_capacity(text.len() + 2);
                    push_json_string(&mut quoted, text);
                    b.append_value(&quoted);
                    Appended::Value(json::text_fingerprint(text))
                }
            }
        }
    }
}

/// `1.5`, `NaN`; nothing for a number that a real does not hold, such as `1e400`.
fn real(text: &str) -> Option<f64> {
    let text = text.trim();
    let x = text.parse::<f64>().ok()?;
    (x.is_finite() || !text.bytes().any(|b| b.is_ascii_digit())).then_some(x)
}

/// `20`, `"1.0"`, `"1e9"` as a whole number.
pub fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(n) = text.parse::<i64>() {
        return Some(n);
    }
    let x = text.parse::<f64>().ok()?;
    // Beyond 2^53 a float no longer holds every whole number.
    (x.fract() == 0.0 && x.abs() < 9.0e15).then_some(x as i64)
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
    fn a_number_beyond_a_real_is_no_infinity() {
        assert_eq!(real(" 1.50 "), Some(1.5));
        assert_eq!(real("1e400"), None);
        assert_eq!(real("-Infinity"), Some(f64::NEG_INFINITY));
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
