//! Rows with named columns: of a CSV with a header, of a W3C log, or of JSON objects. Works for every table of the catalog.
//!
//! Knows nothing of the container the names and values came in.

use std::borrow::Cow;

use chrono_tz::Tz;
use hashbrown::HashMap;

use super::audit;
use super::ip;
use super::json::{self, Fault, Value};
use super::rows::{Row, Slot, TableRows, id_key};
use super::time::{self, Clocks, DateOrder, Local};
use crate::catalog::{Origin, TIME, Table};

/// Where the values under one name go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Into a column.
    Column(usize),
    /// The event's time; the lowest rank that has a value wins.
    Time(u8),
    /// The date, or the clock, of a W3C log.
    HalfTime(Half),
    /// A time without a zone, which the user names.
    Local(Box<Target>),
    /// Kept under its own name.
    Extra(String),
    /// A name that says which table it is, nothing of the event.
    Skip,
}

/// Columns with the time at which the event itself was made, where `TimeGenerated` is missing.
pub const MADE: [&str; 4] = [
    "CreatedDateTime",
    "RequestTime",
    "RequestTime_t",
    "Happened",
];

/// One half of a time in a W3C log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// `2026-06-25`
    Date,
    /// `21:59:28`
    Clock,
}

/// Names of the event's time, by rank.
const TIMES: [&str; 3] = ["_OriginalTimeGenerated", "Timestamp", "TimeGenerated"];

/// Names of one file whose columns are remembered: hostile input may have endless different ones.
const MAX_NAMES: usize = 65_536;

/// Whether a column's name says that its times are local: `TimeGenerated [Local Time]`, `Timestamp Local time`.
pub fn is_local(name: &str) -> bool {
    let name = name.trim_end().to_ascii_lowercase();
    name.ends_with("[local time]") || name.ends_with(" local time")
}

/// Finds where values under this name go.
pub fn target(table: &Table, name: &str) -> Target {
    if is_local(name) {
        let end = name.to_ascii_lowercase().rfind("local time").unwrap_or(0);
        // Lower-casing ASCII moves no byte.
        let bare = name.get(..end).unwrap_or_default();
        let bare = bare.trim_end_matches(['[', ' ']);
        return match target(table, bare) {
            Target::Extra(_) => Target::Extra(name.to_string()),
            inner => Target::Local(Box::new(inner)),
        };
    }
    let bare = bare_name(name);
    match bare.to_ascii_lowercase().as_str() {
        // A search job's TimeGenerated is the time the job ran.
        "_originaltimegenerated" => return Target::Time(0),
        "timestamp" => return Target::Time(1),
        "timegenerated" => return Target::Time(2),
        "$table" => return Target::Skip,
        _ => {}
    }
    if table.name == "AipServiceUserLog" {
        match bare {
            "date" => return Target::HalfTime(Half::Date),
            "time" => return Target::HalfTime(Half::Clock),
            "c-info" => return Target::Column(table.at("ClientInfo")),
            "c-ip" => return Target::Column(table.at("ClientIP")),
            _ => {}
        }
        if let Some(i) = table.export_position(&bare.replace('-', "")) {
            return Target::Column(i);
        }
    }
    if let Some(i) = table.export_position(bare) {
        return Target::Column(i);
    }
    // A union of tables whose column has two types gives `DeviceDetail_dynamic` and `DeviceDetail_string`.
    for suffix in [
        "_dynamic",
        "_string",
        "_long",
        "_int",
        "_real",
        "_bool",
        "_datetime",
        "_guid",
    ] {
        if let Some(i) = bare
            .strip_suffix(suffix)
            .and_then(|b| table.export_position(b))
        {
            return Target::Column(i);
        }
    }
    Target::Extra(bare.to_string())
}

/// `TimeGenerated [UTC]` → `TimeGenerated`.
pub fn bare_name(name: &str) -> &str {
    let name = name.trim_start_matches('\u{feff}').trim();
    name.strip_suffix("[UTC]").unwrap_or(name).trim_end()
}

/// Adds rows of one table.
pub struct Filler<'a> {
    table: &'static Table,
    row: Row<'a>,
    times: [Slot<'a>; TIMES.len()],
    date: Cow<'a, str>,
    clock: Cow<'a, str>,
    targets: HashMap<String, Named>,
    /// Number of the row that is being set, from 1.
    number: u64,
    /// Local times of the row that are not one instant.
    clocks: Clocks,
    time: usize,
    promoted: Option<usize>,
    /// The promoted column was read together with the row.
    walked: bool,
    created: Option<usize>,
    /// Texts of this table stand in quotes or braces.
    quoted: bool,
    order: Option<DateOrder>,
    zone: Option<Tz>,
}

/// What is known of a name.
struct Named {
    target: Target,
    /// The row in which it stood last.
    row: u64,
}

/// `'joe@contoso.com'` and `{id}` without their marks; `-` is nothing.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let value = value
        .strip_prefix('\'')
        .and_then(|v| v.strip_suffix('\''))
        .unwrap_or(value);
    let value = value
        .strip_prefix('{')
        .and_then(|v| v.strip_suffix('}'))
        .unwrap_or(value);
    if value == "-" { "" } else { value }
}

impl<'a> Filler<'a> {
    /// For this table; `order` is how dates without a fixed form are read, `zone` that of times that say they are local.
    pub fn new(table: &'static Table, order: Option<DateOrder>, zone: Option<Tz>) -> Self {
        Filler {
            order,
            zone,
            table,
            row: Row::new(table),
            times: Default::default(),
            date: Cow::Borrowed(""),
            clock: Cow::Borrowed(""),
            targets: HashMap::new(),
            number: 1,
            clocks: Clocks::default(),
            time: table.at(TIME),
            promoted: (table.name == "CloudAppEvents")
                .then_some(table.record)
                .flatten(),
            walked: false,
            created: MADE.into_iter().find_map(|name| table.position(name)),
            quoted: table.name == "AipServiceUserLog",
        }
    }

    /// Sets one value of the row.
    pub fn set(&mut self, target: &Target, value: Slot<'a>) {
        let value = match value {
            Slot::Text(text) if self.quoted => Slot::Text(match text {
                Cow::Borrowed(text) => Cow::Borrowed(unquoted(text)),
                Cow::Owned(text) => Cow::Owned(unquoted(&text).to_string()),
            }),
            value => value,
        };
        match target {
            Target::Skip => {}
            Target::Local(inner) => self.set_local(inner, value),
            // Log Analytics' own: `_OriginalItemId` of a search job, `_ItemId`.
            Target::Extra(name) if name.starts_with('_') => self.transport(name, &value),
            Target::Extra(name) => self.row.extra(name, &value),
            Target::Column(i) => {
                let copy = value.clone();
                if !self.row.set(*i, value) {
                    self.row.extra(self.table.columns[*i].name, &copy);
                }
            }
            Target::Time(rank) => {
                if !value.text().trim().is_empty() {
                    self.times[usize::from(*rank)] = value;
                }
            }
            Target::HalfTime(half) => {
                let text = match value {
                    Slot::Text(t) => t,
                    Slot::Json(t) => Cow::Borrowed(t),
                    Slot::Empty => Cow::Borrowed(""),
                };
                match half {
                    Half::Date => self.date = text,
                    Half::Clock => self.clock = text,
                }
            }
        }
    }

    /// Sets a time that is in the user's zone. One that the clock there never showed is kept as it came, and is no time.
    fn set_local(&mut self, target: &Target, value: Slot<'a>) {
        let local = self
            .zone
            .and_then(|zone| time::in_zone(value.text(), self.order, zone));
        let utc = match local {
            None => return self.set(target, value),
            Some(Local::At(t)) => t,
            Some(Local::Twice(t)) => {
                self.clocks.repeated += 1;
                t
            }
            Some(Local::Never) => {
                self.clocks.skipped += 1;
                let name = match target {
                    Target::Column(i) => self.table.columns[*i].name,
                    Target::Time(rank) => TIMES[usize::from(*rank)],
                    // Only columns and times are local.
                    _ => TIME,
                };
                return self.row.extra(&format!("{name} [Local Time]"), &value);
            }
        };
        self.set(target, audit::micros(utc));
    }

    /// Makes room for the last of equal keys: what the earlier one set is kept beside the columns.
    fn take_back(&mut self, key: &str, target: &Target) {
        let earlier = match target {
            Target::Column(i) => {
                if self.promoted == Some(*i) {
                    self.walked = false;
                    for (path, column) in self.table.columns.iter().enumerate() {
                        if matches!(column.origin, Origin::Path(_)) {
                            self.row.take(path);
                        }
                    }
                }
                self.row.take(*i)
            }
            Target::Time(rank) => std::mem::take(&mut self.times[usize::from(*rank)]),
            Target::Local(inner) => return self.take_back(key, inner),
            // Both are kept under their name, where the last counts again.
            Target::Extra(_) => return self.row.repeats(),
            Target::HalfTime(_) | Target::Skip => return,
        };
        self.row.extra(key, &earlier);
    }

    /// Sets a column of this name where the table has one and the row no value for it; says whether it did.
    pub fn offer(&mut self, name: &str, value: &Slot<'a>) -> bool {
        let column = self.table.export_position(name);
        column.is_some_and(|i| *value == Slot::Empty || self.row.set(i, value.clone()))
    }

    /// Keeps a value that tells of the transport, not of the event.
    pub fn transport(&mut self, name: &str, value: &Slot<'_>) {
        if *value != Slot::Empty {
            self.row.extra_quietly(name, value);
        }
    }

    /// Sets the values of one JSON object.
    ///
    /// # Errors
    /// When the text is no JSON object; the row is cleared then.
    pub fn set_object(&mut self, text: &'a str) -> Result<(), Fault> {
        let walked = json::members(text, |key, value| self.member(key, value));
        if walked.is_err() {
            self.clear();
        }
        walked
    }

    /// Sets the values of an object inside another one.
    ///
    /// # Errors
    /// As [`Filler::set_object`].
    pub fn set_value(&mut self, value: Value<'_, 'a>) -> Result<(), Fault> {
        let walked = value.members(|key, value| self.member(key, value));
        if walked.is_err() {
            self.clear();
        }
        walked
    }

    fn member(&mut self, key: &str, value: Value<'_, 'a>) -> Result<(), Fault> {
        // Defender's own request fields, not of the event.
        if key.starts_with("__UDI_RequiredFields") {
            return Ok(());
        }
        let mut targets = std::mem::take(&mut self.targets);
        if targets.len() > MAX_NAMES {
            targets.clear();
        }
        let named = targets.entry_ref(key).or_insert_with(|| Named {
            target: target(self.table, key),
            row: 0,
        });
        if named.row == self.number {
            self.take_back(key, &named.target);
        }
        named.row = self.number;
        let read = match (&named.target, self.promoted) {
            (Target::Column(i), Some(column)) if *i == column && value.is_object() => {
                self.walked = true;
                audit::promote_value(value, column, &mut self.row)
            }
            (target, _) => value.raw().map(|raw| self.set(target, raw.into())),
        };
        self.targets = targets;
        read
    }

    /// Forgets the values set so far.
    pub fn clear(&mut self) {
        self.row.clear();
        self.number += 1;
        self.clocks = Clocks::default();
        self.walked = false;
        self.times = Default::default();
        self.date = Cow::Borrowed("");
        self.clock = Cow::Borrowed("");
    }

    /// Finishes the row and adds it to `rows`.
    pub fn push(&mut self, rows: &mut TableRows, record: i64) {
        let mut taken = false;
        let times = std::mem::take(&mut self.times);
        // The first that is a time; where none is, the first is kept as a misfit.
        let best = times
            .iter()
            .position(|t| time::parse(t.text(), self.order).is_some())
            .or_else(|| times.iter().position(|t| *t != Slot::Empty));
        for (rank, slot) in times.into_iter().enumerate() {
            if slot == Slot::Empty {
                continue;
            }
            if Some(rank) == best {
                self.row.replace(self.time, slot);
                taken = true;
            } else if best.is_some_and(|b| b > rank)
                || slot.text() != self.row.get(self.time).text()
            {
                // Two times that differ, such as a search job's: the other one is kept as it came.
                self.row.extra_quietly(TIMES[rank], &slot);
            }
        }
        if !taken && !self.date.is_empty() {
            let time = format!("{}T{}", self.date, self.clock);
            self.row.replace(self.time, Slot::Text(time.into()));
            taken = true;
        }
        if !taken && let Some(created) = self.created {
            let copy = self.row.get(created).clone();
            self.row.replace(self.time, copy);
        }
        if let Some(column) = self.promoted.filter(|_| !self.walked) {
            self.promote(column);
        }
        if self.table.name == "AipServiceUserLog" {
            let address = ip::clean(self.row.get(self.table.at("ClientIP")).text());
            if let Some(address) = address {
                self.row
                    .replace(self.table.at("IPAddress"), Slot::Text(address.into()));
            }
        }
        if self.table.name == "AipServiceTrackingLog" {
            let place = self.row.get(self.table.at("RequesterLocation")).text();
            let mut address = None;
            // A place that is no object names no address.
            let _ = json::entries(place, |key, raw| {
                if key == "IP" {
                    address = raw.text().and_then(|t| ip::clean(&t));
                }
            });
            if let Some(address) = address {
                let column = self.table.at("IPAddress");
                self.row.replace(column, Slot::Text(address.into()));
            }
        }
        let id = self
            .table
            .identity
            .filter(|_| !self.table.by_content)
            .and_then(|i| id_key(self.row.get(i).text()));
        rows.push(&mut self.row, record, None);
        rows.identify(id);
        rows.clocks.add(self.clocks);
        self.clear();
    }

    fn promote(&mut self, column: usize) {
        match self.row.take(column) {
            Slot::Empty => {}
            Slot::Json(text) => {
                audit::promote(text, &mut self.row);
                self.row.replace(column, Slot::Json(text));
            }
            Slot::Text(Cow::Borrowed(text)) => {
                audit::promote(text, &mut self.row);
                self.row.replace(column, Slot::Text(Cow::Borrowed(text)));
            }
            Slot::Text(Cow::Owned(text)) => {
                let mut own = Row::new(self.table);
                audit::promote(&text, &mut own);
                for i in 0..self.table.columns.len() {
                    if *own.get(i) != Slot::Empty {
                        let value = Slot::Text(Cow::Owned(own.get(i).text().to_string()));
                        self.row.set_path(i, value);
                    }
                }
                self.row.replace(column, Slot::Text(Cow::Owned(text)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMicrosecondType;

    #[test]
    fn names_find_their_column_whatever_the_portal_added() {
        let t = catalog::table("SigninLogs");
        assert_eq!(
            target(t, "CreatedDateTime [UTC]"),
            Target::Column(t.at("CreatedDateTime"))
        );
        assert_eq!(
            target(t, "DeviceDetail_dynamic"),
            Target::Column(t.at("DeviceDetail"))
        );
        assert_eq!(target(t, "TimeGenerated [UTC]"), Target::Time(2));
        assert_eq!(target(t, "_IngestId"), Target::Extra("_IngestId".into()));
        assert_eq!(
            target(t, "TimeGenerated [Local Time]"),
            Target::Local(Box::new(Target::Time(2)))
        );
        let t = catalog::table("CloudAppEvents");
        assert_eq!(
            target(t, "Timestamp Local time"),
            Target::Local(Box::new(Target::Time(1)))
        );
        assert_eq!(target(t, "Isp"), Target::Column(t.at("ISP")));
        assert_eq!(
            target(t, "RawEventData_UserId"),
            Target::Extra("RawEventData_UserId".into())
        );
    }

    #[test]
    fn a_hunting_row_is_typed_and_promoted() {
        let table = catalog::table("CloudAppEvents");
        let text = r#"{"Timestamp":"2026-05-04T09:12:00Z","ActionType":"Send","ReportId":"1_2_3","RawEventData":"{\"Id\":\"x\",\"UserId\":\"bob@contoso.com\"}"}"#;
        let mut rows = TableRows::new(table, None);
        let mut filler = Filler::new(table, None, None);
        filler.set_object(text).expect("an object");
        filler.push(&mut rows, 0);
        assert!(rows.ids[0].is_some());
        let arrays = rows.arrays();
        assert_eq!(
            arrays[table.at("RawEventData_UserId")]
                .as_string::<i32>()
                .value(0),
            "bob@contoso.com"
        );
        assert_eq!(
            Some(
                arrays[table.at(TIME)]
                    .as_primitive::<TimestampMicrosecondType>()
                    .value(0)
            ),
            super::super::time::parse("2026-05-04T09:12:00Z", None)
        );
    }
}
