//! What many queries over several times share: rows of views in memory, and sessions that are a part of another.
//!
//! A hunt asks `LabelEvents` once a rule. Working the view out each time costs more than all that the rules do with its rows.

use std::any::Any;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider};
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider, ViewTable, provider_as_source};
use datafusion::error::Result as PlanResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::{CATALOG, STORED, Session, TimeRange, WATCHLISTS, beside, views, watchlist};
use crate::catalog::{TIME, catalog};
use crate::error::{Error, Result};

/// Bytes of one view that are kept in memory: some hundred thousand label actions …
const KEPT: usize = 128 << 20;
/// … and of the memory for queries at most one part in so many.
const KEPT_SHARE: usize = 4;
/// Rows of a batch in memory, as many as DataFusion works on at a time.
const BATCH_ROWS: usize = 8192;

impl Session {
    /// A session over the times of this one between these bounds, in microseconds; `to` is not among them. Views that are in memory here are asked
    /// there.
    ///
    /// # Errors
    /// When DataFusion refuses a table, which is a fault of coldtrail.
    pub fn within(&self, from: Option<i64>, to: Option<i64>) -> Result<Session> {
        let range = self.range.and(TimeRange { from, to });
        let context = beside(&self.context)?;
        let schemas = catalog_of(&context)?;
        let stored = Portion {
            all: schema_of(&self.whole, STORED)?,
            range,
        };
        schemas.register_schema(STORED, Arc::new(stored))?;
        schemas.register_schema(WATCHLISTS, schema_of(&self.context, WATCHLISTS)?)?;
        for name in &self.files {
            let reference = || TableReference::bare(name.as_str());
            let file = self.block_on(self.context.table_provider(reference()))?;
            context.register_table(reference(), file)?;
        }
        Ok(Session {
            context,
            whole: self.whole.clone(),
            around: Some(self.context.clone()),
            range,
            runtime: Arc::clone(&self.runtime),
            present: self.present.clone(),
            watchlists: self.watchlists.clone(),
            stand_ins: self.stand_ins.clone(),
            kept: Vec::new(),
            files: self.files.clone(),
            // Its tables are made of rows of all times, and once.
            customs: Arc::clone(&self.customs),
            particulars: self.particulars.clone(),
            columns: self.columns,
        })
    }

    /// Works a view out and keeps its rows in memory for the queries to come. One that has too many of them stays as it is.
    ///
    /// # Errors
    /// When the view cannot be worked out.
    pub fn keep(&mut self, name: &str) -> Result<()> {
        if self.kept.iter().any(|(kept, _)| kept == name) {
            return Ok(());
        }
        let rows = self.block_on(self.view_rows(name))?;
        let reservation = match rows {
            Some((table, reservation)) => {
                let reference = || TableReference::bare(name);
                self.context.deregister_table(reference())?;
                self.context.register_table(reference(), Arc::new(table))?;
                Some(reservation)
            }
            None => None,
        };
        self.kept.push((name.to_string(), reservation));
        Ok(())
    }

    /// The rows of a view, where they are not too many.
    async fn view_rows(&self, name: &str) -> Result<Option<(MemTable, MemoryReservation)>> {
        let reference = || TableReference::bare(name);
        if !self.context.table_exist(reference())? {
            views::make(self, name).await?;
        }
        let pool = Arc::clone(&self.context.runtime_env().memory_pool);
        let partitions = self.context.copied_config().target_partitions().max(1);
        let frame = self.context.table(reference()).await?;
        let mut stream = frame.execute_stream().await?;
        let mut rows = Rows {
            schema: stream.schema(),
            partitions: vec![Vec::new(); partitions],
            next: 0,
            waiting: Vec::new(),
            bytes: 0,
            most: match pool.memory_limit() {
                MemoryLimit::Finite(bytes) => KEPT.min(bytes / KEPT_SHARE),
                _ => KEPT,
            },
            reservation: MemoryConsumer::new(name).register(&pool),
        };
        while let Some(batch) = stream.next().await {
            if !rows.add(batch?)? {
                return Ok(None);
            }
        }
        if !rows.flush()? {
            return Ok(None);
        }
        let table = MemTable::try_new(rows.schema, rows.partitions)?;
        Ok(Some((table, rows.reservation)))
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

    /// Runs planned queries, so many at a time, and returns their rows in the order of the queries. One that fails harms no other.
    pub fn collect_all(
        &self,
        frames: Vec<DataFrame>,
        at_a_time: usize,
    ) -> Vec<Result<Vec<RecordBatch>>> {
        let runs = futures::stream::iter(frames)
            .map(|frame| async move {
                // Each is a task, so that all threads optimise and not only the one that waits here.
                match tokio::spawn(frame.collect()).await {
                    Ok(rows) => rows.map_err(Error::from),
                    Err(e) => Err(broken_off(e)),
                }
            })
            .buffered(at_a_time)
            .collect::<Vec<_>>();
        self.block_on(runs)
    }
}

/// What a query says that broke off.
fn broken_off(error: tokio::task::JoinError) -> Error {
    let why = match error.try_into_panic() {
        Ok(panic) => said(panic.as_ref()),
        Err(e) => e.to_string(),
    };
    Error::Query(format!("the engine broke off: {why}"))
}

fn said(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_string(),
        (None, None) => "it does not say why".into(),
    }
}

fn catalog_of(context: &SessionContext) -> Result<Arc<dyn CatalogProvider>> {
    context
        .catalog(CATALOG)
        .ok_or_else(|| Error::Query("the session has no catalog".into()))
}

fn schema_of(context: &SessionContext, name: &str) -> Result<Arc<dyn SchemaProvider>> {
    catalog_of(context)?
        .schema(name)
        .ok_or_else(|| Error::Query(format!("the session has no schema `{name}`")))
}

/// Rows on their way into memory.
struct Rows {
    schema: SchemaRef,
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
    /// Takes a batch; not when there is no room for it.
    fn add(&mut self, batch: RecordBatch) -> Result<bool> {
        self.waiting.push(batch);
        let rows: usize = self.waiting.iter().map(RecordBatch::num_rows).sum();
        match rows < BATCH_ROWS {
            true => Ok(true),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<bool> {
        let batch = concat_batches(&self.schema, &self.waiting)?;
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

/// Stored tables, each cut to a range of times when it is named.
#[derive(Debug)]
struct Portion {
    all: Arc<dyn SchemaProvider>,
    range: TimeRange,
}

#[async_trait]
impl SchemaProvider for Portion {
    fn table_names(&self) -> Vec<String> {
        self.all.table_names()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        let Some(table) = self.all.table(name).await? else {
            return Ok(None);
        };
        let by_day = catalog().get(name).is_some_and(|table| table.by_day);
        let Some(condition) = self.range.condition(TIME).filter(|_| by_day) else {
            return Ok(Some(table));
        };
        let source = provider_as_source(table);
        let plan = LogicalPlanBuilder::scan(TableReference::bare(name), source, None)?
            .filter(condition)?
            .build()?;
        Ok(Some(Arc::new(ViewTable::new(plan, None))))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.all.table_exist(name)
    }
}
