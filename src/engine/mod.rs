//! Asking the archive: a DataFusion session over its tables, the views that answer each table from every source, SQL.
//!
//! - [`table`]: an archive's files as a table.
//! - [`views`]: `CloudAppEvents`, `OfficeActivity`, `UnifiedAuditLog`, `LabelEvents` and all others, from whatever was ingested.
//! - `product`: what `*` brings.
//! - [`functions`]: functions that the views need.
//! - [`kql`]: KQL, on the same tables and views.
//! - [`watchlist`]: CSV files of reference data.
//! - `shared`: what many queries over several times share.
//! - [`output`]: answers as CSV, JSON, Markdown, Parquet and the Log Analytics query API's shape.
//!
//! Queries read and nothing else: no files beyond the archive and those the user named, no statement that writes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{Expr, SessionConfig, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;

use crate::archive::Archive;
use crate::catalog::{TIME, Table, catalog};
use crate::error::{Error, Result};
use table::Particulars;
use watchlist::Watchlists;

pub use product::Columns;

mod absent;
pub mod functions;
pub mod kql;
mod listing;
pub mod output;
mod product;
mod pushdown;
mod shared;
pub mod table;
pub mod views;
pub mod watchlist;

/// How to ask.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only events at or after this time, in microseconds.
    pub from: Option<i64>,
    /// Only events before this time, in microseconds.
    pub to: Option<i64>,
    /// What `now()` of SQL says, in microseconds; the time at which a query runs when not given.
    pub now: Option<i64>,
    /// Only events before this time, in microseconds, can be known at all: names that views take from other tables, too.
    pub seen: Option<i64>,
    /// Threads; all cores when not given.
    pub threads: Option<usize>,
    /// Memory for queries, in bytes; they spill to disk beyond it.
    pub memory: Option<usize>,
    /// Further tables, each from a file.
    pub files: Vec<(String, PathBuf)>,
    /// Which columns stand for all of a table.
    pub columns: Columns,
}

/// The times of an answer.
#[derive(Debug, Clone, Copy)]
struct TimeRange {
    from: Option<i64>,
    to: Option<i64>,
}

impl TimeRange {
    fn of(options: &Options) -> TimeRange {
        TimeRange {
            from: options.from,
            to: options.to,
        }
    }

    fn is_all(self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// The times that are in both.
    fn and(self, other: TimeRange) -> TimeRange {
        TimeRange {
            from: self.from.max(other.from),
            to: match (self.to, other.to) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        }
    }

    /// What the time in this column must meet.
    fn condition(self, time: &str) -> Option<Expr> {
        let column = || col(format!("\"{time}\""));
        let at = |t| {
            lit(ScalarValue::TimestampMicrosecond(
                Some(t),
                Some("UTC".into()),
            ))
        };
        let from = self.from.map(|t| column().gt_eq(at(t)));
        let to = self.to.map(|t| column().lt(at(t)));
        match (from, to) {
            (Some(from), Some(to)) => Some(from.and(to)),
            (from, to) => from.or(to),
        }
    }

    /// The rows whose time, which is in this column, is in the range.
    fn of_rows(self, rows: DataFrame, time: &str) -> Result<DataFrame> {
        Ok(match self.condition(time) {
            Some(condition) => rows.filter(condition)?,
            None => rows,
        })
    }
}

/// The one catalog of a session, and the schema of its views.
const CATALOG: &str = "archive";
const PUBLIC: &str = "public";
/// Schema of the stored tables.
const STORED: &str = "stored";
/// Schema of the watchlists.
const WATCHLISTS: &str = "watchlists";

/// Stack of a thread, in bytes. They plan queries too, which go as deep as the views that they name.
const STACK: usize = 8 << 20;

/// Where the tables of a session come from.
pub enum Source<'a> {
    /// Files of an archive.
    Archive(&'a Archive),
    /// Rows in memory, for tests of rules.
    Memory(Vec<(&'static Table, Vec<RecordBatch>)>),
}

/// An open session.
pub struct Session {
    context: SessionContext,
    /// Tables and views with the rows of all times. Views are made of these and cut last: which copy of an event counts must not
    /// depend on the range, or an event whose copies have times on both sides of its edge would count on both.
    whole: SessionContext,
    /// Tables of the session that this one is a part of: what they have, they have for all times of this one.
    around: Option<SessionContext>,
    range: TimeRange,
    runtime: Arc<tokio::runtime::Runtime>,
    /// Stored tables that have rows.
    present: Vec<&'static Table>,
    watchlists: Vec<String>,
    /// Which of them are empty and only stand in for those that are not there.
    stand_ins: Vec<String>,
    /// Views whose rows are in memory, or were too many for it.
    kept: Vec<(String, Option<MemoryReservation>)>,
    files: Vec<String>,
    /// Tables whose rows are among those of no known table.
    customs: Arc<views::custom::Customs>,
    /// Of the files, by their names.
    particulars: HashMap<String, Particulars>,
    columns: Columns,
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
        if let Some(now) = options.now {
            functions::moment(&context, now);
        }
        let lists = match &source {
            Source::Archive(archive) => Watchlists::of(&archive.root().join(WATCHLISTS)),
            Source::Memory(_) => Watchlists::default(),
        };
        let mut session = Session {
            whole: beside(&context)?,
            context,
            around: None,
            range: TimeRange::of(options),
            runtime: Arc::new(runtime),
            present: Vec::new(),
            watchlists: lists.names(),
            stand_ins: Vec::new(),
            kept: Vec::new(),
            files: Vec::new(),
            customs: Arc::default(),
            particulars: HashMap::new(),
            columns: options.columns,
        };
        let lists: Arc<dyn SchemaProvider> = Arc::new(lists);
        for context in [&session.context, &session.whole] {
            let schemas = context
                .catalog(CATALOG)
                .ok_or_else(|| Error::Query("the session has no catalog".into()))?;
            schemas.register_schema(STORED, Arc::new(MemorySchemaProvider::new()))?;
            schemas.register_schema(WATCHLISTS, Arc::clone(&lists))?;
        }
        match source {
            Source::Archive(archive) => {
                let store = Arc::new(archive.store().clone());
                let url = table::store_url()?;
                session.context.register_object_store(url.as_ref(), store);
                let snapshot = archive.snapshot()?;
                for table in catalog().tables() {
                    let files = snapshot.files(table).to_vec();
                    let has_rows = !files.is_empty();
                    let provider = Arc::new(table::ArchiveTable::new(table, files));
                    session.store(table, provider, has_rows, options)?;
                }
            }
            Source::Memory(mut rows) => {
                for table in catalog().tables() {
                    let batches = rows
                        .iter()
                        .position(|(t, _)| std::ptr::eq(*t, table))
                        .map(|i| rows.swap_remove(i).1)
                        .unwrap_or_default();
                    let has_rows = !batches.is_empty();
                    let provider = Arc::new(MemTable::try_new(table.schema(), vec![batches])?);
                    session.store(table, provider, has_rows, options)?;
                }
            }
        }
        for (name, path) in &options.files {
            session.add_file(name, path)?;
        }
        Ok(session)
    }

    fn store(
        &mut self,
        table: &'static Table,
        provider: Arc<dyn TableProvider>,
        has_rows: bool,
        options: &Options,
    ) -> Result<()> {
        let reference = || TableReference::partial(STORED, table.name);
        let seen = TimeRange {
            from: None,
            to: options.seen,
        };
        let provider = match table.by_day && !seen.is_all() {
            true => seen
                .of_rows(self.context.read_table(provider)?, TIME)?
                .into_view(),
            false => provider,
        };
        self.whole
            .register_table(reference(), Arc::clone(&provider))?;
        let range = TimeRange::of(options);
        let provider = match table.by_day && !range.is_all() {
            true => range
                .of_rows(self.context.read_table(provider)?, TIME)?
                .into_view(),
            false => provider,
        };
        self.context.register_table(reference(), provider)?;
        if has_rows {
            self.present.push(table);
        }
        Ok(())
    }

    /// Adds a watchlist that is not in the archive; all columns are text.
    ///
    /// # Errors
    /// When there is one of that name.
    pub fn add_watchlist(&mut self, name: &str, batch: RecordBatch) -> Result<()> {
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
        let (provider, particulars) = table::from_file(path)?;
        let own = [views::LABEL_EVENTS, views::INFORMATION_PROTECTION_EVENTS];
        if catalog().get(name).is_some() || own.contains(&name) {
            return Err(Error::Usage(format!(
                "--table {name}=…: `{name}` is a table of the product; choose another name"
            )));
        }
        // Rows of a file that say when they were are cut like those of the archive.
        let timed = |field: &Field| matches!(field.data_type(), DataType::Timestamp(..));
        let is_timed = provider.schema().field_with_name(TIME).is_ok_and(timed);
        let provider = match is_timed && !self.range.is_all() {
            true => self
                .range
                .of_rows(self.context.read_table(provider)?, TIME)?
                .into_view(),
            false => provider,
        };
        self.context
            .register_table(TableReference::bare(name), provider)?;
        self.files.push(name.to_string());
        self.particulars.insert(name.to_string(), particulars);
        Ok(())
    }

    /// Names of everything that can be asked, those with rows first.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![views::LABEL_EVENTS.to_string()];
        names.extend(
            self.present
                .iter()
                .map(|t| t.name.to_string())
                .chain(["CloudAppEvents", "OfficeActivity", "UnifiedAuditLog"].map(String::from)),
        );
        if views::has_protection_logs(self) {
            names.push(views::INFORMATION_PROTECTION_LOGS.to_string());
            names.push(views::INFORMATION_PROTECTION_EVENTS.to_string());
        }
        names.sort();
        names.dedup();
        names.extend(self.files.iter().cloned());
        names.extend(self.customs.names().cloned());
        names.extend(self.watchlists.iter().map(|w| format!("{WATCHLISTS}.{w}")));
        let rest: Vec<String> = catalog()
            .tables()
            .map(|t| t.name.to_string())
            .filter(|n| !names.contains(n))
            .collect();
        names.extend(rest);
        names
    }

    /// Names of the tables that have rows of events of their own, and of files.
    pub(super) fn stored_names(&self) -> Vec<String> {
        let events = self.present.iter().filter(|t| t.by_day);
        let stored = events.map(|t| t.name.to_string());
        stored.chain(self.files.iter().cloned()).collect()
    }

    /// Whether a table of that name can be asked, with rows or without.
    pub fn knows(&self, name: &str) -> bool {
        views::exists(name) || self.files.iter().any(|f| f == name) || self.is_custom(name)
    }

    /// Whether rows of a table of that name are among those of no known table. A session that cannot read these knows none.
    fn is_custom(&self, name: &str) -> bool {
        let found = self.block_on(views::custom::exists(self, name));
        found.is_ok_and(|found| found)
    }

    /// Whether a stored table has rows.
    pub fn has(&self, name: &str) -> bool {
        self.present.iter().any(|t| t.name == name)
    }

    /// Plans a query. It may read and nothing else.
    ///
    /// # Errors
    /// When the text is not one query, or names what does not exist.
    pub fn plan(&self, sql: &str) -> Result<DataFrame> {
        self.runtime.block_on(self.plan_async(sql))
    }

    async fn plan_async(&self, sql: &str) -> Result<DataFrame> {
        self.need_views(sql).await?;
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let plan = product::plan(&self.context.state(), sql, self.columns, &self.files).await?;
        options.verify_plan(&plan)?;
        let frame = self.context.execute_logical_plan(plan).await?;
        for field in frame.schema().fields() {
            if holds_union(field.data_type(), false) {
                return Err(Error::Query(format!(
                    "column `{}` has JSON values of several types in a list or structure: take them with ->> instead of ->",
                    field.name()
                )));
            }
        }
        let unions: Vec<bool> = frame
            .schema()
            .fields()
            .iter()
            .map(|f| matches!(f.data_type(), DataType::Union(..)))
            .collect();
        if !unions.contains(&true) {
            return Ok(frame);
        }
        // `->` gives a union of JSON types, which no output knows: show it as JSON text.
        let columns = frame
            .schema()
            .columns()
            .into_iter()
            .zip(unions)
            .map(|(c, union)| {
                let name = c.name.clone();
                let column = datafusion::prelude::Expr::Column(c);
                match union {
                    true => {
                        datafusion_functions_json::functions::json_union_to_text(column).alias(name)
                    }
                    false => column,
                }
            })
            .collect::<Vec<_>>();
        Ok(frame.select(columns)?)
    }

    /// Makes the views that a query names.
    async fn need_views(&self, sql: &str) -> Result<()> {
        let state = self.context.state();
        let statement = state.sql_to_statement(sql, &state.config_options().sql_parser.dialect)?;
        for reference in state.resolve_table_references(&statement)? {
            let name = match &reference {
                TableReference::Bare { table } => table.as_ref(),
                // Other schemas are registered when the session opens.
                _ => continue,
            };
            let exists = self.context.table_exist(reference.clone())?;
            if exists {
                continue;
            }
            if !views::exists(name) && !views::custom::exists(self, name).await? {
                return Err(self.unknown(name));
            }
            views::make(self, name).await?;
        }
        Ok(())
    }

    fn unknown(&self, name: &str) -> Error {
        Error::NoTable {
            name: name.to_string(),
            known: self.names(),
        }
    }

    /// Runs a query and returns all rows.
    ///
    /// # Errors
    /// When the query is wrong or fails.
    pub fn collect(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        self.runtime.block_on(self.collect_async(sql))
    }

    /// The same, for callers that run several queries side by side.
    ///
    /// # Errors
    /// When the query is wrong or fails.
    pub async fn collect_async(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let frame = self.plan_async(sql).await?;
        let schema = output::schema(&frame);
        let batches = frame.collect().await?;
        Ok((schema, batches))
    }

    /// Runs something on the session's threads.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Runs a planned query batch by batch.
    ///
    /// # Errors
    /// When the query fails, or what `each` returns.
    pub fn stream(
        &self,
        frame: DataFrame,
        mut each: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        use futures::StreamExt;
        self.runtime.block_on(async {
            let mut stream = frame.execute_stream().await?;
            while let Some(batch) = stream.next().await {
                each(&batch?)?;
            }
            Ok(())
        })
    }

    pub(super) fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Registers what all can ask under a name: its rows in the session's range, by the column with their times.
    async fn publish(&self, name: &str, time: Option<&str>) -> Result<()> {
        let reference = || TableReference::bare(name);
        let rows = match &self.around {
            Some(around) if around.table_exist(reference())? => around,
            _ => &self.whole,
        };
        let view = match time.filter(|_| !self.range.is_all()) {
            Some(time) => self
                .range
                .of_rows(rows.table(reference()).await?, time)?
                .into_view(),
            None => rows.table_provider(reference()).await?,
        };
        self.context.register_table(reference(), view)?;
        Ok(())
    }
}

/// Whether a type has a union of JSON types inside a list or structure.
fn holds_union(ty: &DataType, inside: bool) -> bool {
    match ty {
        DataType::Union(..) => inside,
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => holds_union(f.data_type(), true),
        DataType::Struct(fields) => fields.iter().any(|f| holds_union(f.data_type(), true)),
        _ => false,
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(4, usize::from)
}

/// A context with the same functions, runtime and settings, and a catalog of its own, so that its tables are none of those that a
/// query can name.
fn beside(context: &SessionContext) -> Result<SessionContext> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(PUBLIC, Arc::new(MemorySchemaProvider::new()))?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.into(), Arc::new(catalog));
    let state = SessionStateBuilder::new_from_existing(context.state())
        .with_catalog_list(Arc::new(catalogs))
        .build();
    Ok(SessionContext::new_with_state(state))
}

fn context(options: &Options) -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, PUBLIC)
        .with_information_schema(true)
        .with_target_partitions(options.threads.unwrap_or_else(threads).max(1));
    let settings = config.options_mut();
    // Microsoft's names have capitals; nobody wants to quote them.
    settings.sql_parser.enable_ident_normalization = false;
    // Gives `->>` the precedence it has in PostgreSQL: `a->>'x' = 'y'` compares the value.
    settings.sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
    // Rows that have an order would lose it. Files and groups are still gone through in parallel.
    settings.optimizer.enable_round_robin_repartition = false;
    settings.execution.parquet.pushdown_filters = true;
    settings.execution.parquet.reorder_filters = true;
    settings.execution.time_zone = Some("+00:00".into());
    // Fails on queries that take several JSON paths of one column: "duplicate unqualified field name __common_expr_2"
    // (DataFusion 55.2).
    settings.optimizer.enable_leaf_expression_pushdown = false;
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(bytes) = options.memory {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
    }
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::new(runtime.build()?))
        .with_default_features()
        .with_physical_optimizer_rules(pushdown::rules())
        .build();
    let context = SessionContext::new_with_state(state);
    // Drops an equality in ON whose one side takes columns of two tables when the chain of joins has a CROSS JOIN: too many rows
    // (DataFusion 55.2; tests/it/sql.rs holds the query). Other rules make joins of comma lists.
    if !context.remove_optimizer_rule("eliminate_cross_join") {
        return Err(Error::Query(
            "the optimizer has no rule `eliminate_cross_join`".into(),
        ));
    }
    Ok(context)
}
