//! What many queries over several times share: rows of views in memory, and sessions that are a part of another.
//!
//! A hunt asks `LabelEvents` once a rule. Working the view out each time costs more than all that the rules do with its rows.

use std::sync::{Arc, mpsc};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::error::Result as PlanResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use tokio::task::JoinHandle;

use super::context::beside;
use super::deadline::Deadline;
use super::options::{Columns, PUBLIC, STORED, TimeRange, WATCHLISTS};
use super::portion::{catalog_of, schema_of};
use super::session::Session;
use super::small::fitted;
use super::{parallel, product, views, watchlist};
use crate::catalog::{EXTRA, TIME, table};
use crate::fault::Result;

/// Bytes of one view that are kept in memory: some hundred thousand label actions …
const KEPT: usize = 128 << 20;
/// … and of the memory for queries at most one part in so many.
const KEPT_SHARE: usize = 4;
/// Rows of one audit log that do not fit into that, whatever they are.
const KEPT_ROWS: u64 = 1 << 18;
/// Logs that the view of audit records is made of.
const AUDIT_LOGS: [&str; 3] = ["UnifiedAuditLog", "OfficeActivity", "CloudAppEvents"];
/// Rows of a batch in memory, as many as DataFusion works on at a time.
const BATCH_ROWS: usize = 8192;

impl Session {
    /// A session over the times of this one between these bounds, in microseconds; `to` is not among them. Views that are in memory here are asked
    /// there.
    ///
    /// # Errors
    /// When DataFusion refuses a table, which is a fault of coldtrail.
    pub fn within(&self, from: Option<i64>, to: Option<i64>) -> Result<Session> {
        let context = beside(&self.context)?;
        let schemas = catalog_of(&context)?;
        for name in [STORED, WATCHLISTS] {
            schemas.register_schema(name, schema_of(&self.context, name)?)?;
        }
        // Tables of its own: what it keeps in memory is in its range only.
        let (all, own) = (
            schema_of(&self.context, PUBLIC)?,
            schema_of(&context, PUBLIC)?,
        );
        for name in all.table_names() {
            if let Some(table) = self.block_on(all.table(&name))? {
                own.register_table(name, table)?;
            }
        }
        let range = self.range.and(TimeRange { from, to });
        let deadline = Arc::clone(&self.deadline);
        Ok(self.part(context, range, self.now, deadline))
    }

    /// The same tables and views, asked for these times of the session, and for what was ingested in these, at this moment.
    pub(super) fn at(&self, range: TimeRange, ingested: TimeRange, now: i64) -> Session {
        // Another question may begin before this one has ended.
        let deadline = Arc::new(self.deadline.of_one());
        let range = self.range.and(range);
        let mut part = self.part(self.context.clone(), range, Some(now), deadline);
        part.ingested = self.ingested.and(ingested);
        part
    }

    /// The same session for one question, which ends at this time, whatever others are asked meanwhile.
    pub(crate) fn until(&self, at: Option<Instant>) -> Session {
        let deadline = Arc::new(self.deadline.until(at));
        self.part(self.context.clone(), self.range, self.now, deadline)
    }

    /// The same session, in which these columns stand for all of a table.
    pub(crate) fn showing(&self, columns: Columns) -> Session {
        let (context, deadline) = (self.context.clone(), Arc::clone(&self.deadline));
        let mut part = self.part(context, self.range, self.now, deadline);
        part.columns = columns;
        part
    }

    fn part(
        &self,
        context: SessionContext,
        range: TimeRange,
        now: Option<i64>,
        deadline: Arc<Deadline>,
    ) -> Session {
        Session {
            context,
            whole: self.whole.clone(),
            range,
            ingested: self.ingested,
            late: Arc::clone(&self.late),
            recorded: self.recorded,
            now,
            runtime: Arc::clone(&self.runtime),
            deadline,
            stored: Arc::clone(&self.stored),
            watchlists: self.watchlists.clone(),
            stand_ins: self.stand_ins.clone(),
            kept: Vec::new(),
            narrow: self.narrow.clone(),
            files: self.files.clone(),
            // Its tables are made of rows of all times, and once.
            customs: Arc::clone(&self.customs),
            makers: Arc::clone(&self.makers),
            known: Arc::clone(&self.known),
            held: self.held.clone(),
            particulars: self.particulars.clone(),
            columns: self.columns,
        }
    }

    /// Works views out, side by side, and keeps their rows in memory for the queries to come: these in SQL, and these others. One that has too many
    /// of them stays as it is, and so does one that cannot be worked out in the time of the question: what asks for it is told why.
    pub fn keep(&mut self, names: &[String], sql: &[&str], others: &[&str]) {
        for names in names.chunks(self.side_by_side(names.len())) {
            self.keep_at_once(names, sql, others);
        }
    }

    fn keep_at_once(&mut self, names: &[String], sql: &[&str], others: &[&str]) {
        let mut open: Vec<&String> = Vec::new();
        for name in names {
            if self.kept.iter().any(|(kept, _)| kept == name) {
                continue;
            }
            match self.is_large(name) {
                true => self.kept.push((name.clone(), None)),
                false => open.push(name),
            }
        }
        let views = parallel::each(&open, self.threads(), |name| {
            let named = self.naming(name, sql, others);
            let frame = self.block_until(self.view(name, named.as_deref()));
            frame.map(|frame| (frame, named.is_some()))
        });
        let (say, hear) = mpsc::channel();
        let mut tasks = Vec::new();
        for (name, view) in open.into_iter().zip(views) {
            let Ok((frame, is_narrow)) = view else {
                continue;
            };
            let (name, rows, say) = (name.clone(), self.rows(name), say.clone());
            // Each is a task, so that all threads plan and not only one.
            tasks.push(self.runtime.spawn(async move {
                // Nobody listens any more when the time is over.
                let _ = say.send((name, is_narrow, rows.of(frame).await));
            }));
        }
        drop(say);
        while let Ok(Some((name, is_narrow, rows))) = self.next(&hear) {
            if let Ok(rows) = rows
                && let Ok(reservation) = self.replace(&name, is_narrow, rows)
            {
                self.kept.push((name, reservation));
            }
        }
        tasks.iter().for_each(JoinHandle::abort);
    }

    /// Whether a view has too many rows to be kept, by the logs alone: to find out by its rows may take longer than all that asks it.
    fn is_large(&self, name: &str) -> bool {
        let rows = |log: &str| self.stored.rows_within(table(log), self.range);
        name == AUDIT_LOGS[0] && AUDIT_LOGS.into_iter().any(|log| rows(log) > KEPT_ROWS)
    }

    /// The queries that ask a view and name all columns that they take of it. To read and hold two hundred columns costs more than what a dozen rules
    /// do with the thirty that they name; of a view with few columns, and where a query takes more than it names, it is nothing.
    fn naming<'q>(&self, view: &str, sql: &[&'q str], others: &[&str]) -> Option<Vec<&'q str>> {
        let asks = |query: &&str| views::names::words(query).any(|word| word == view);
        if view != AUDIT_LOGS[0] || others.iter().any(asks) {
            return None;
        }
        let state = self.context.state();
        let asking: Vec<&str> = sql.iter().copied().filter(asks).collect();
        let is_named = parallel::each(&asking, self.threads(), |query| {
            product::is_named(&state, query)
        });
        is_named.iter().all(|named| *named).then_some(asking)
    }

    /// A view, ready to be worked out; where queries are given, with the columns that they name.
    async fn view(&self, name: &str, queries: Option<&[&str]>) -> Result<DataFrame> {
        let reference = || TableReference::bare(name);
        if !self.context.table_exist(reference())? {
            views::make(self, name).await?;
        }
        let (state, plan) = self.context.table(reference()).await?.into_parts();
        let plan = match queries {
            Some(queries) => product::only(&plan, |column| {
                // By these it is cut to a range of times.
                column == TIME
                    || (self.recorded && column == EXTRA)
                    || queries.iter().any(|query| query.contains(column))
            })?,
            None => plan,
        };
        Ok(fitted(DataFrame::new(state, self.bound(plan)?))?)
    }

    /// Room for the rows of a view.
    fn rows(&self, name: &str) -> Rows {
        let pool = Arc::clone(&self.context.runtime_env().memory_pool);
        let partitions = self.threads();
        Rows {
            partitions: vec![Vec::new(); partitions],
            next: 0,
            waiting: Vec::new(),
            bytes: 0,
            most: match pool.memory_limit() {
                MemoryLimit::Finite(bytes) => KEPT.min(bytes / KEPT_SHARE),
                _ => KEPT,
            },
            reservation: MemoryConsumer::new(name).register(&pool),
        }
    }

    /// Puts rows in the place of a view, where they are not too many; those with only some of its columns beside it.
    fn replace(
        &mut self,
        name: &str,
        is_narrow: bool,
        rows: Option<Kept>,
    ) -> Result<Option<MemoryReservation>> {
        let Some((table, reservation)) = rows else {
            return Ok(None);
        };
        let reference = || TableReference::bare(name);
        let table: Arc<dyn TableProvider> = Arc::new(table);
        let table = match views::time_of(name) {
            Some(time) => self.cut(name, table, time)?,
            None => table,
        };
        if is_narrow {
            self.narrow.insert(name.to_string(), table);
            return Ok(Some(reservation));
        }
        self.context.deregister_table(reference())?;
        self.context.register_table(reference(), table)?;
        Ok(Some(reservation))
    }

    /// Lets an empty list stand in for a watchlist that is not there.
    ///
    /// # Errors
    /// When the columns are no header.
    pub fn stand_in(&mut self, name: &str, columns: &[String]) -> Result<()> {
        if self.has_watchlist(name) {
            return Ok(());
        }
        self.add_watchlist(name, watchlist::from_rows(columns, &[])?)?;
        self.stand_ins.push(name.to_string());
        Ok(())
    }

    /// Whether there is a watchlist of that name, in whatever case, that does not only stand in for one.
    pub fn has_own_watchlist(&self, name: &str) -> bool {
        self.has_watchlist(name) && !self.stand_ins.iter().any(|s| s.eq_ignore_ascii_case(name))
    }
}

/// The rows of a view, and their part of the memory.
type Kept = (MemTable, MemoryReservation);

/// Rows on their way into memory.
struct Rows {
    partitions: Vec<Vec<RecordBatch>>,
    /// The partition that the next batch goes to.
    next: usize,
    /// Small batches that become one: a file of a day has few rows.
    waiting: Vec<RecordBatch>,
    bytes: usize,
    most: usize,
    reservation: MemoryReservation,
}

impl Rows {
    /// Those of a query, where they are not too many.
    async fn of(mut self, frame: DataFrame) -> PlanResult<Option<Kept>> {
        let mut stream = frame.execute_stream().await?;
        let schema = stream.schema();
        while let Some(batch) = stream.next().await {
            if !self.add(&schema, batch?)? {
                return Ok(None);
            }
        }
        if !self.flush(&schema)? {
            return Ok(None);
        }
        // A partition without rows would cost each query as much as one with few.
        self.partitions.retain(|batches| !batches.is_empty());
        if self.partitions.is_empty() {
            self.partitions.push(Vec::new());
        }
        let table = MemTable::try_new(schema, self.partitions)?;
        Ok(Some((table, self.reservation)))
    }

    /// Takes a batch; not when there is no room for it.
    fn add(&mut self, schema: &SchemaRef, batch: RecordBatch) -> PlanResult<bool> {
        self.waiting.push(batch);
        let rows: usize = self.waiting.iter().map(RecordBatch::num_rows).sum();
        match rows < BATCH_ROWS {
            true => Ok(true),
            false => self.flush(schema),
        }
    }

    fn flush(&mut self, schema: &SchemaRef) -> PlanResult<bool> {
        let batch = concat_batches(schema, &self.waiting)?;
        self.waiting.clear();
        if batch.num_rows() == 0 {
            return Ok(true);
        }
        let size = batch.get_array_memory_size();
        self.bytes += size;
        if self.bytes > self.most || self.reservation.try_grow(size).is_err() {
            return Ok(false);
        }
        self.partitions[self.next].push(batch);
        self.next = (self.next + 1) % self.partitions.len();
        Ok(true)
    }
}
