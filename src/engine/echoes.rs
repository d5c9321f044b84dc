//! Which events a table has, told by what ingests know of identities: a view over two sources reads neither to leave out of the one what the other
//! has too. Where ingests do not know it, because not all rows can be seen or a table has no such identities, its ids are read, once a session.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::error::Result as Answer;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryReservation};
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};

use super::apps::{self, Apps};
use super::session::Session;
use super::stored::{Stored, told};
use crate::archive::keys::{Events, Identities};
use crate::catalog::{self, Table};
use crate::fault::Result;
use crate::ingest::rows::id_key;

/// Tables whose events are known by the id of the audit record, each with a function, whether the table has the event of an id, and the column with
/// that id.
const TABLES: [(&str, &str, &str); 2] = [
    ("UnifiedAuditLog", "is_in_audit_log", "Id"),
    ("OfficeActivity", "is_in_office_activity", "OfficeId"),
];
/// The function of CloudAppEvents.
const IN_APPS: &str = "is_in_cloud_app_events";
/// What is held of a table takes one part in so many of the memory of queries, at most.
const SHARE: usize = 8;
/// To read an identity among all takes so many times less than to look for it.
const LOOKS: u64 = 32;

/// The events of a table.
struct Copies {
    events: Mutex<Events>,
    count: u64,
    /// How many were looked for.
    looks: AtomicU64,
    /// All of them, once so many were looked for that it is worth it. What does not fit is looked for in the runs.
    read: OnceLock<Identities>,
    fits: bool,
    room: MemoryReservation,
}

impl Copies {
    fn has(&self, ids: &StringArray) -> Result<BooleanArray> {
        if let Some(read) = self.read.get() {
            return Ok(among(read, ids));
        }
        // Who panicked here left runs that are read anew with each look.
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = self.read.get() {
            return Ok(among(read, ids));
        }
        let before = self.looks.fetch_add(ids.len() as u64, Ordering::Relaxed);
        let is_worth_it = before + ids.len() as u64 > self.count / LOOKS;
        // Where others have taken the memory it goes on without.
        let bytes = Identities::bytes(self.count);
        if self.fits && is_worth_it && self.room.try_resize(bytes).is_ok() {
            let all = events.read()?;
            return Ok(among(self.read.get_or_init(|| all), ids));
        }
        let mut out = Vec::with_capacity(ids.len());
        for id in ids {
            // An id that says nothing is that of no other event.
            out.push(match id.and_then(id_key) {
                Some(id) => events.has(id)?,
                None => false,
            });
        }
        Ok(out.into())
    }
}

/// The events of a table of which some cannot be seen, by their rows.
struct SeenEvents {
    stored: Arc<Stored>,
    table: &'static Table,
    /// The column with their ids.
    column: &'static str,
    count: u64,
    read: Mutex<Option<Arc<Identities>>>,
    room: MemoryReservation,
}

impl SeenEvents {
    fn has(&self, ids: &StringArray) -> Result<BooleanArray> {
        // Who panicked here left nothing.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let all = match &*read {
            Some(all) => Arc::clone(all),
            None => {
                self.room.try_resize(Identities::bytes(self.count))?;
                Arc::clone(read.insert(Arc::new(self.identities()?)))
            }
        };
        drop(read);
        Ok(among(&all, ids))
    }

    fn identities(&self) -> Result<Identities> {
        let mut all = Vec::with_capacity(usize::try_from(self.count).unwrap_or(0));
        self.stored.each(self.table, &[self.column], |batch| {
            let ids = batch.column_by_name(self.column);
            let ids = ids.and_then(|c| c.as_string_opt::<i32>());
            all.extend(ids.into_iter().flatten().flatten().filter_map(id_key));
            Ok(())
        })?;
        Ok(Identities::of(all.into_iter()))
    }
}

fn among(all: &Identities, ids: &StringArray) -> BooleanArray {
    // An id that says nothing is that of no other event.
    let has = |id: &str| id_key(id).is_some_and(|id| all.has(id));
    ids.iter().map(|id| Some(id.is_some_and(has))).collect()
}

impl Session {
    /// Tables of which all events are known, where other tables may have them too, each with a function that tells whether it has the event of an id.
    /// It is found out when a view asks, and once.
    pub(super) fn known_events(&self) -> &[(&'static str, &'static str)] {
        self.known.get_or_init(|| {
            let mut known = Vec::new();
            let there = |name: &str| self.has(name);
            let several = TABLES.iter().filter(|(name, ..)| there(name)).count()
                + usize::from(there(apps::TABLE))
                > 1;
            for (name, function, column) in TABLES {
                // What cannot be read is as good as not known: the view reads the tables.
                let asked = several && there(name);
                if asked && matches!(self.tell(name, function, column), Ok(true)) {
                    known.push((name, function));
                }
            }
            if there(apps::TABLE) && matches!(self.tell_apps(), Ok(true)) {
                known.push((apps::TABLE, IN_APPS));
            }
            known
        })
    }

    /// Registers the function of a table. Says whether its events are known.
    fn tell(&self, name: &str, function: &str, column: &'static str) -> Result<bool> {
        let table = catalog::table(name);
        if self.stored.is_cut(table)? {
            let Some(rows) = self.stored.rows_in_files(table)? else {
                return Ok(false);
            };
            if !self.may_hold(rows) {
                return Ok(false);
            }
            let seen = SeenEvents {
                stored: Arc::clone(&self.stored),
                table,
                column,
                count: rows,
                read: Mutex::new(None),
                room: self.room().reserve(name),
            };
            self.register::<1>(function, move |[ids]| seen.has(ids));
            return Ok(true);
        }
        let Some(events) = self.stored.events(table)? else {
            return Ok(false);
        };
        let count = events.count();
        let copies = Copies {
            events: Mutex::new(events),
            count,
            looks: AtomicU64::new(0),
            read: OnceLock::new(),
            fits: self.may_hold(count),
            room: self.room().reserve(name),
        };
        self.register::<1>(function, move |[ids]| copies.has(ids));
        Ok(true)
    }

    /// Registers the functions of CloudAppEvents. Says whether its rows are in files, and not too many.
    fn tell_apps(&self) -> Result<bool> {
        let rows = self.stored.rows_in_files(catalog::table(apps::TABLE))?;
        let Some(rows) = rows.filter(|rows| self.may_hold(*rows)) else {
            return Ok(false);
        };
        let room = self.room().reserve(apps::TABLE);
        let own = Arc::new(Apps::new(Arc::clone(&self.stored), room, rows));
        let (records, labels) = (Arc::clone(&own), Arc::clone(&own));
        self.register::<1>(IN_APPS, move |[ids]| own.has(ids));
        self.register::<2>(apps::FIRST_RECORD, move |[ids, ranks]| {
            records.first_record(ids, ranks)
        });
        self.register::<2>(apps::FIRST_LABEL, move |[ids, ranks]| {
            labels.first_label(ids, ranks)
        });
        Ok(true)
    }

    /// Whether the identities of so many events may be held in memory.
    fn may_hold(&self, count: u64) -> bool {
        match self.room().0.memory_limit() {
            MemoryLimit::Finite(limit) => Identities::bytes(count) <= limit / SHARE,
            _ => true,
        }
    }

    /// Registers a function of texts for views, which are made of the rows of all times.
    fn register<const N: usize>(
        &self,
        name: &str,
        answer: impl Fn([&StringArray; N]) -> Result<BooleanArray> + Send + Sync + 'static,
    ) {
        let answer = move |args: &[ColumnarValue]| -> Answer<ColumnarValue> {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let texts = std::array::from_fn(|at| arrays[at].as_string::<i32>());
            let out = answer(texts).map_err(told)?;
            Ok(ColumnarValue::Array(Arc::new(out) as ArrayRef))
        };
        self.whole.register_udf(create_udf(
            name,
            vec![DataType::Utf8; N],
            DataType::Boolean,
            Volatility::Immutable,
            Arc::new(answer),
        ));
    }
}
