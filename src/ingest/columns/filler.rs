//! Rows of one table, filled value by value.

use std::borrow::Cow;

use chrono_tz::Tz;

use super::super::audit;
use super::super::entra::Parts;
use super::super::expected::Expected;
use super::super::json::{self, Fault, KeyOrder, Value};
use super::super::python;
use super::super::rows::{Row, Slot, TableRows, id_key};
use super::super::time::{self, Clocks, DateOrder, Local};
use super::addresses;
use super::candidates::{By, Candidates, Chosen, is_half};
use super::quotes::unquoted;
use super::target::{Half, MADE, OTHER, Target, is_named, target, target_timed};
use crate::catalog::{Origin, TIME, Table};

/// Names of the event's time, by rank.
const TIMES: [&str; 3] = ["_OriginalTimeGenerated", "Timestamp", "TimeGenerated"];

/// Adds rows of one table.
pub struct Filler<'a> {
    table: &'static Table,
    row: Row<'a>,
    times: [Slot<'a>; TIMES.len()],
    /// Values that may be the time, where `times` has none.
    timed: Candidates<'a>,
    date: Cow<'a, str>,
    clock: Cow<'a, str>,
    names: Expected<Named>,
    /// Keys of the promoted column's records.
    keys: KeyOrder,
    /// Number of the row that is being set, from 1.
    number: u64,
    /// Local times of the row that are not one instant.
    clocks: Clocks,
    time: usize,
    promoted: Option<usize>,
    /// The promoted column was read together with the row.
    walked: bool,
    created: Option<usize>,
    /// Of tables whose columns have other spellings.
    parts: Option<Parts<'a>>,
    /// Texts of this table stand in quotes or braces.
    quoted: bool,
    order: Option<DateOrder>,
    zone: Option<Tz>,
    /// The column that has the time, where the user said so.
    column: Option<String>,
    /// All rows have it, also those in which it is empty; else those in which it was seen.
    everywhere: bool,
    /// The row has it.
    asked: bool,
    /// Column with the table's name.
    named: Option<usize>,
    /// What rows of no known table are called that do not say it themselves.
    called: Option<String>,
    /// The row says what its table is called.
    says: bool,
    /// The rows are of no known table.
    is_other: bool,
}

/// What is known of a name.
struct Named {
    target: Target,
    /// The row in which it stood last.
    row: u64,
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
            timed: Candidates::default(),
            date: Cow::Borrowed(""),
            clock: Cow::Borrowed(""),
            column: None,
            everywhere: true,
            asked: false,
            names: Expected::default(),
            keys: KeyOrder::default(),
            number: 1,
            clocks: Clocks::default(),
            time: table.at(TIME),
            promoted: (table.name == "CloudAppEvents")
                .then_some(table.record)
                .flatten(),
            walked: false,
            created: MADE.into_iter().find_map(|name| table.position(name)),
            parts: Parts::of(table),
            quoted: table.name == "AipServiceUserLog",
            named: table.export_position("Type"),
            called: None,
            says: false,
            is_other: table.name == OTHER,
        }
    }

    /// The same for rows that the user gave a name, where they are of no known table.
    pub fn called(mut self, name: Option<&str>) -> Self {
        self.called = name
            .filter(|_| self.table.name == OTHER)
            .map(str::to_string);
        self
    }

    /// The same for a file of which the user said which column has the time.
    pub fn timed_by(mut self, column: Option<&str>) -> Self {
        self.column = column.map(str::to_string);
        self
    }

    /// The same for a file whose records are of several kinds, so that only those have the column in which it is seen.
    pub fn timed_where_seen(mut self) -> Self {
        self.everywhere = false;
        self
    }

    /// Takes note of a value beside the row, or of one in another spelling, that may be under the name that the user gave; it is kept elsewhere.
    pub fn note_time(&mut self, name: &str, value: &Slot<'a>) {
        let Some(column) = self.column.as_deref() else {
            return;
        };
        let own = name.rsplit('.').next().unwrap_or(name);
        if is_named(name, column) || is_named(own, column) {
            self.asked = true;
            self.timed.add_asked(name, value);
        }
    }

    /// Sets one value of the row.
    pub fn set(&mut self, target: &Target, value: Slot<'a>) {
        let value = match value {
            Slot::Text(text) if self.quoted => Slot::Text(unquoted(text)),
            value => value,
        };
        match target {
            Target::Skip => {}
            Target::Local(inner) => self.set_local(inner, value),
            Target::East(minutes, inner) => {
                let utc = time::east(value.text(), self.order, *minutes);
                let inner = match &**inner {
                    Target::Timed(timed) => {
                        self.row.extra(&timed.name, &value);
                        self.asked |= timed.rank == 0;
                        // As it came: a clock may stand beside a date.
                        self.timed.add(timed, &value, By::East(*minutes));
                        &timed.inner
                    }
                    inner => inner,
                };
                self.set(inner, utc.map_or(value, audit::micros));
            }
            // Log Analytics' own: `_OriginalItemId` of a search job, `_ItemId`.
            Target::Extra(name) if name.starts_with('_') => self.transport(name, &value),
            Target::Extra(name) if self.called.is_some() && name == "Type" => {
                self.says = !value.text().is_empty();
                self.row.extra(name, &value);
            }
            Target::Timed(timed) => {
                self.asked |= timed.rank == 0;
                self.timed.add(timed, &value, By::Utc);
                self.set(&timed.inner, value);
            }
            Target::Extra(name) => {
                if self.is_other {
                    self.timed.see(&value);
                }
                self.row.extra(name, &value);
            }
            Target::Column(i) if matches!(self.row.get(*i), Slot::Empty) => {
                self.row.set(*i, value);
            }
            Target::Column(i) => {
                // A header that stands there twice may say the same twice.
                if !value.text().is_empty() && *self.row.get(*i) != value {
                    self.row.extra(self.table.columns[*i].name, &value);
                }
            }
            Target::Spelled(place) => match &mut self.parts {
                Some(parts) => parts.set(place, value, &mut self.row),
                None => self.row.extra(place.name(), &value),
            },
            Target::Time(rank) => {
                if !value.text().trim().is_empty() {
                    let rank = usize::from(*rank);
                    let earlier = std::mem::replace(&mut self.times[rank], value);
                    // A header that stands there twice.
                    if earlier != Slot::Empty && earlier != self.times[rank] {
                        self.row.extra_quietly(TIMES[rank], &earlier);
                    }
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
        if let (Target::Timed(timed), Some(zone)) = (target, self.zone)
            && is_half(&value)
        {
            // Each as it came, so that they can be put together.
            self.asked |= timed.rank == 0;
            self.timed.add(timed, &value, By::Zone(zone));
            self.keep_local(target, &value);
            if !timed.inner.is_extra() {
                self.set(&timed.inner, value);
            }
            return;
        }
        let utc = match local {
            None => return self.set(target, value),
            Some(Local::At(t)) => t,
            Some(Local::Twice(t)) => {
                self.clocks.repeated += 1;
                t
            }
            Some(Local::Never) => {
                self.clocks.skipped += 1;
                return self.keep_local(target, &value);
            }
        };
        if let Target::Timed(_) = target {
            // No column has it as it came.
            self.keep_local(target, &value);
        }
        self.set(target, audit::micros(utc));
    }

    /// Keeps a local time as it came.
    fn keep_local(&mut self, target: &Target, value: &Slot<'a>) {
        let name = match target {
            Target::Column(i) => self.table.columns[*i].name,
            Target::Time(rank) => TIMES[usize::from(*rank)],
            Target::Timed(timed) => timed.name.as_str(),
            // Only columns and times are local.
            _ => TIME,
        };
        self.row.extra(&format!("{name} [Local Time]"), value);
    }

    /// Makes room for the last of equal keys: what the earlier one set is kept beside the columns.
    fn take_back(&mut self, key: &str, target: &Target) {
        let earlier = match target {
            Target::Column(i) => {
                if self.promoted == Some(*i) {
                    self.walked = false;
                    self.forget_paths();
                }
                self.row.take(*i)
            }
            Target::Time(rank) => std::mem::take(&mut self.times[usize::from(*rank)]),
            Target::Local(inner) | Target::East(_, inner) => return self.take_back(key, inner),
            Target::Timed(timed) => {
                self.timed.forget(&timed.name);
                return self.take_back(key, &timed.inner);
            }
            Target::Spelled(place) => match &mut self.parts {
                Some(parts) => parts.take_back(place, &mut self.row),
                None => return,
            },
            // Both are kept under their name, where the last counts again.
            Target::Extra(_) => return self.row.repeats(),
            Target::HalfTime(_) | Target::Skip => return,
        };
        self.row.extra(key, &earlier);
    }

    fn forget_paths(&mut self) {
        for (path, column) in self.table.columns.iter().enumerate() {
            if matches!(column.origin, Origin::Path(_)) {
                self.row.take(path);
            }
        }
    }

    /// Sets the column that a name stands for in whatever spelling, else keeps the value under that name.
    pub fn spell(&mut self, name: &str, value: Slot<'a>) {
        let target = match target(self.table, name) {
            column @ (Target::Column(_) | Target::Spelled(_)) => column,
            _ => Target::Extra(name.to_string()),
        };
        self.set(&target, value);
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
        let (table, column) = (self.table, self.column.as_deref());
        let named = self.names.of(key, || Named {
            target: target_timed(table, key, column),
            row: 0,
        });
        let again = std::mem::replace(&mut named.row, self.number) == self.number;
        // Nearly all keys are those of columns, and stand there once.
        if let (&Target::Column(i), false) = (&named.target, again) {
            return self.read_column(i, value);
        }
        let names = std::mem::take(&mut self.names);
        let target = &names.asked().expect("it was asked for above").target;
        if again {
            self.take_back(key, target);
        }
        let read = match target {
            Target::Column(i) => self.read_column(*i, value),
            target => value.raw().map(|raw| self.set(target, raw.into())),
        };
        self.names = names;
        read
    }

    /// Reads a value whose key is that of a column.
    fn read_column(&mut self, column: usize, value: Value<'_, 'a>) -> Result<(), Fault> {
        let is_empty = *self.row.get(column) == Slot::Empty;
        // Under a second spelling of the name stands another record, which is kept beside the columns.
        if self.promoted == Some(column) && is_empty && value.is_object() {
            self.walked = true;
            return audit::promote_value(value, column, &mut self.row, &mut self.keys);
        }
        let value = Slot::from(value.raw()?);
        if is_empty && !self.quoted {
            self.row.set(column, value);
        } else {
            self.set(&Target::Column(column), value);
        }
        Ok(())
    }

    /// Forgets the values set so far.
    pub fn clear(&mut self) {
        self.row.clear();
        self.number += 1;
        self.clocks = Clocks::default();
        self.walked = false;
        self.says = false;
        self.asked = false;
        if let Some(parts) = &mut self.parts {
            parts.clear();
        }
        self.times = Default::default();
        self.timed.clear();
        self.date = Cow::Borrowed("");
        self.clock = Cow::Borrowed("");
    }

    /// Finishes the row and adds it to `rows`.
    pub fn push(&mut self, rows: &mut TableRows, record: i64) {
        self.name_table();
        if let Some(parts) = &mut self.parts {
            parts.finish(self.table, &mut self.row);
        }
        let asked = self.take_asked();
        let mut taken = asked;
        let times = std::mem::take(&mut self.times);
        // The first that is a time; where none is, the first is kept as a misfit.
        let best = times
            .iter()
            .position(|t| time::parse(t.text(), self.order).is_some())
            .or_else(|| times.iter().position(|t| *t != Slot::Empty))
            .filter(|_| !taken);
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
        if asked {
            // No column has them.
            for (name, half) in [("date", &self.date), ("time", &self.clock)] {
                if !half.is_empty() {
                    self.row.extra_quietly(name, &Slot::Text(half.clone()));
                }
            }
        }
        if !taken && let Some(created) = self.created {
            let copy = self.row.get(created).clone();
            self.row.replace(self.time, copy);
        }
        let found = match asked {
            true => None,
            false => self.take_named(),
        };
        if let Some(column) = self.promoted.filter(|_| !self.walked) {
            self.promote(column);
        }
        addresses::clean(self.table, &mut self.row);
        let id = self
            .table
            .identity
            .filter(|_| !self.table.by_content)
            .and_then(|i| id_key(self.row.get(i).text()));
        rows.push(&mut self.row, record, None);
        rows.identify(id);
        rows.clocks.add(self.clocks);
        if let Some(found) = found.filter(|_| self.is_other) {
            rows.taken.count(&found.name, &found.clock);
            if found.lacks_clock {
                rows.taken.count_alone();
            }
        }
        self.clear();
    }

    /// Says in the row which table it is of, where the export does not.
    fn name_table(&mut self) {
        if let Some(column) = self.named
            && self.row.get(column).text().is_empty()
        {
            let name = Slot::Text(Cow::Borrowed(self.table.name));
            self.row.replace(column, name);
        }
        if let Some(name) = self.called.as_deref().filter(|_| !self.says) {
            let name = Slot::Text(Cow::Borrowed(name));
            self.row.extra_quietly("Type", &name);
        }
    }

    /// Takes the time that stands in the column that the user named. Says whether the row has that: no other one is its time then, also where
    /// this is none.
    fn take_asked(&mut self) -> bool {
        if self.column.is_none() || !(self.everywhere || self.asked) {
            return false;
        }
        for (name, half) in [("date", &self.date), ("time", &self.clock)] {
            self.timed.add_half(name, &Slot::Text(half.clone()));
        }
        match self.timed.asked(self.order) {
            Some(found) => match found.is_extra {
                true => self.row.derive(self.time, found.time),
                false => self.row.replace(self.time, found.time),
            },
            None => {
                let other = self.row.take(self.time);
                self.transport(TIME, &other);
            }
        }
        true
    }

    /// Takes the best of the times under other names, where the row has none of its own.
    fn take_named(&mut self) -> Option<Chosen<'a>> {
        if self.timed.is_empty() {
            return None;
        }
        let own = time::parse(self.row.get(self.time).text(), self.order);
        if own.is_some_and(time::is_moment) {
            return None;
        }
        let found = self.timed.closest(self.order)?;
        let misfit = self.row.take(self.time);
        self.row.extra(TIME, &misfit);
        self.row.derive(self.time, found.time.clone());
        Some(found)
    }

    fn promote(&mut self, column: usize) {
        match self.row.take(column) {
            Slot::Empty => {}
            Slot::Json(text) => {
                audit::promote(text, &mut self.row);
                self.row.replace(column, Slot::Json(text));
            }
            Slot::Text(text) => {
                let whole = match &text {
                    Cow::Borrowed(text) => audit::promote(text, &mut self.row),
                    Cow::Owned(text) => self.promote_made(text),
                };
                // The column will have the JSON that is made of what Python printed.
                if !whole && let Some(json) = python::json(&text) {
                    self.forget_paths();
                    self.promote_made(&json);
                }
                self.row.replace(column, Slot::Text(text));
            }
        }
    }

    /// Promotes the fields of a record that is no part of the input. Says whether it is an object.
    fn promote_made(&mut self, text: &str) -> bool {
        let mut own = Row::new(self.table);
        let whole = audit::promote(text, &mut own);
        for i in 0..self.table.columns.len() {
            if *own.get(i) != Slot::Empty {
                let value = Slot::Text(Cow::Owned(own.get(i).text().to_string()));
                self.row.set_path(i, value);
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMicrosecondType;

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
            time::parse("2026-05-04T09:12:00Z", None)
        );
    }
}
