//! An open session: the tables of an archive or of memory, files and watchlists, for one range of times.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};
use datafusion::catalog::SchemaProvider;
use datafusion::common::TableReference;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::context::{beside, context, threads};
use super::deadline::{Deadline, Threads};
use super::memory::{LIST, Room};
use super::options::{Columns, Late, Options, STACK, STORED, TimeRange, WATCHLISTS};
use super::portion::{Portion, catalog_of};
use super::stored::Stored;
use super::table::Particulars;
use super::times::Sight;
use super::views::found::Customs;
use super::views::makers::Makers;
use super::views::names;
use super::watchlist::Watchlists;
use super::{functions, recorded, table, times};
use crate::archive::Archive;
use crate::catalog::{TIME, Table, catalog};
use crate::fault::{Error, Result};

/// Where the tables of a session come from.
pub enum Source<'a> {
    /// Files of an archive.
    Archive(&'a Archive),
    /// Rows in memory, for tests of rules.
    Memory(Vec<(&'static Table, Vec<RecordBatch>)>),
}

/// An open session: a snapshot of an archive that threads can share. What it asks by itself is asked for its own range of times and moment;
/// a [`Question`](super::Question) brings others.
pub struct Session {
    /// Tables and views, each cut to times that a question says.
    pub(super) context: SessionContext,
    /// Tables and views with the rows of all times. Views are made of these and cut last: which copy of an event counts must not
    /// depend on the range, or an event whose copies have times on both sides of its edge would count on both.
    pub(super) whole: SessionContext,
    pub(super) range: TimeRange,
    /// Of its events, those that were ingested in this time.
    pub(super) ingested: TimeRange,
    pub(super) late: Arc<Late>,
    /// Whether each event was ingested when its export says.
    pub(super) recorded: bool,
    /// What `now()` of SQL says, in microseconds.
    pub(super) now: Option<i64>,
    pub(super) runtime: Arc<Threads>,
    /// Shared by the sessions that are a part of this one.
    pub(super) deadline: Arc<Deadline>,
    /// Stored tables, with the rows of all times.
    pub(super) stored: Arc<Stored>,
    pub(super) watchlists: Vec<String>,
    /// Which of them are empty and only stand in for those that are not there.
    pub(super) stand_ins: Vec<String>,
    /// Views whose rows are in memory, or were too many for it.
    pub(super) kept: Vec<(String, Option<MemoryReservation>)>,
    /// Of these, rows with some of the columns: queries in SQL that name no others are answered from them, all else from the view.
    pub(super) narrow: HashMap<String, Arc<dyn TableProvider>>,
    pub(super) files: Vec<String>,
    /// Tables whose rows are among those of no known table.
    pub(super) customs: Arc<Customs>,
    pub(super) makers: Arc<Makers>,
    /// Tables of which a function tells whether they have an event, and those functions, where a view has asked.
    pub(super) known: Arc<OnceLock<Vec<(&'static str, &'static str)>>>,
    /// The memory of what files hold, and lists that were given as rows.
    pub(super) held: Vec<Arc<MemoryReservation>>,
    /// Of the files, by their names.
    pub(super) particulars: HashMap<String, Particulars>,
    pub(super) columns: Columns,
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// When the archive or a file cannot be read. A watchlist is read when a query names it.
    pub fn open(source: Source<'_>, options: &Options) -> Result<Session> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(options.threads.unwrap_or_else(threads).max(1))
            .thread_stack_size(STACK)
            .build()
            .map_err(Error::io("start threads for", "queries"))?;
        let context = context(options)?;
        functions::register(&context)?;
        times::register(&context)?;
        let room = Room(Arc::clone(&context.runtime_env().memory_pool));
        let lists = match &source {
            Source::Archive(archive) => Watchlists::of(&archive.root().join(WATCHLISTS), room),
            Source::Memory(_) => Watchlists::none(room),
        };
        let pinned = match &source {
            Source::Archive(archive) => {
                let store = Arc::new(archive.store().clone());
                context.register_object_store(table::store_url()?.as_ref(), store);
                Some(archive.pinned()?)
            }
            Source::Memory(_) => None,
        };
        let seen = TimeRange {
            from: None,
            to: options.seen,
        };
        let stored = Arc::new(Stored::of(pinned, seen));
        let mut session = Session {
            whole: beside(&context)?,
            context,
            range: TimeRange::of(options),
            ingested: TimeRange::default(),
            late: Arc::new(options.late.clone()),
            recorded: options.recorded,
            now: options.now,
            runtime: Arc::new(Threads::new(runtime)),
            deadline: Arc::new(Deadline::new(options.timeout, options.stop.clone())),
            stored: Arc::clone(&stored),
            watchlists: lists.names(),
            stand_ins: Vec::new(),
            kept: Vec::new(),
            narrow: HashMap::new(),
            files: Vec::new(),
            customs: Arc::default(),
            makers: Arc::default(),
            known: Arc::default(),
            held: Vec::new(),
            particulars: HashMap::new(),
            columns: options.columns,
        };
        let lists: Arc<dyn SchemaProvider> = Arc::new(lists);
        if let Source::Memory(rows) = source {
            for (table, batches) in rows {
                let has_rows = !batches.is_empty();
                let rows = Arc::new(MemTable::try_new(table.schema(), vec![batches])?);
                stored.put(table, rows, has_rows)?;
            }
        }
        let stored: Arc<dyn SchemaProvider> = stored;
        let portion: Arc<dyn SchemaProvider> = Arc::new(Portion::of(Arc::clone(&stored)));
        for (context, stored) in [(&session.whole, stored), (&session.context, portion)] {
            let schemas = catalog_of(context)?;
            schemas.register_schema(STORED, stored)?;
            schemas.register_schema(WATCHLISTS, Arc::clone(&lists))?;
        }
        for (name, path) in &options.files {
            session.add_file(name, path)?;
        }
        Ok(session)
    }

    /// Adds a watchlist that is not in the archive; all columns are text.
    ///
    /// # Errors
    /// When there is one of that name.
    pub fn add_watchlist(&mut self, name: &str, batch: RecordBatch) -> Result<()> {
        let room = self.room().reserve(&format!("{LIST}{name}"));
        room.try_grow(batch.get_array_memory_size())?;
        self.held.push(Arc::new(room));
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
        self.context
            .register_table(TableReference::partial(WATCHLISTS, name), Arc::new(table))?;
        self.watchlists.push(name.to_string());
        Ok(())
    }

    /// Names of the watchlists, whether they can be read or not.
    pub fn watchlists(&self) -> &[String] {
        &self.watchlists
    }

    /// Whether there is a watchlist of that name, in whatever case.
    pub fn has_watchlist(&self, name: &str) -> bool {
        self.watchlists.iter().any(|w| w.eq_ignore_ascii_case(name))
    }

    fn add_file(&mut self, name: &str, path: &Path) -> Result<()> {
        let room = self.room().reserve(name);
        let (provider, particulars) = table::from_file(path, &room)?;
        self.held.push(Arc::new(room));
        let own = [names::LABEL_EVENTS, names::INFORMATION_PROTECTION_EVENTS];
        if catalog().get(name).is_some() || own.contains(&name) {
            return Err(Error::Usage(format!(
                "--table {name}=…: `{name}` is a table of the product; choose another name"
            )));
        }
        // Rows of a file that say when they were are cut like those of the archive.
        let timed = |field: &Field| matches!(field.data_type(), DataType::Timestamp(..));
        let is_timed = provider.schema().field_with_name(TIME).is_ok_and(timed);
        let provider = match is_timed {
            true => self.cut(name, provider, TIME)?,
            false => provider,
        };
        self.context
            .register_table(TableReference::bare(name), provider)?;
        self.files.push(name.to_string());
        self.particulars.insert(name.to_string(), particulars);
        Ok(())
    }

    /// Names of the tables that have rows of events of their own, and of files.
    pub(crate) fn stored_names(&self) -> Vec<String> {
        let events = self.stored.present().filter(|t| t.by_day);
        let stored = events.map(|t| t.name.to_string());
        stored.chain(self.files.iter().cloned()).collect()
    }

    /// Whether a stored table has rows.
    pub fn has(&self, name: &str) -> bool {
        self.stored.has(name)
    }

    pub(crate) fn context(&self) -> &SessionContext {
        &self.context
    }

    /// A plan with the session's times in the place of what it leaves open.
    pub(super) fn bound(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        Ok(times::bind(plan, self.sight(), self.now)?)
    }

    /// What it sees of its tables.
    pub(super) fn sight(&self) -> Sight<'_> {
        Sight {
            range: self.range,
            ingested: self.ingested,
            late: &self.late,
        }
    }

    /// The rows of a table that are in the range of a question, by the column with their times.
    pub(super) fn cut(
        &self,
        name: &str,
        rows: Arc<dyn TableProvider>,
        time: &str,
    ) -> Result<Arc<dyn TableProvider>> {
        let rows = self.context.read_table(rows)?;
        let cut = recorded::cut(&rows, name, time, self.recorded)?;
        Ok(rows.filter(cut)?.into_view())
    }

    /// Registers what all can ask under a name, where nobody did: its rows in the range of a question, by the column with their times.
    pub(super) async fn publish(&self, name: &str, time: Option<&str>) -> Result<()> {
        let reference = || TableReference::bare(name);
        if self.context.table_exist(reference())? {
            return Ok(());
        }
        let view = match time {
            Some(time) => {
                let rows = self.whole.table(reference()).await?;
                let cut = recorded::cut(&rows, name, time, self.recorded)?;
                rows.filter(cut)?.into_view()
            }
            None => self.whole.table_provider(reference()).await?,
        };
        self.context.register_table(reference(), view)?;
        Ok(())
    }
}
