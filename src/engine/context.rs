//! The contexts of a session: settings, memory, temporary files, the catalog.

use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider,
};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::memory::{self, Pool};
use super::options::{CATALOG, Options, PUBLIC};
use super::pushdown;
use crate::fault::{Error, Result};

/// Of the memory, a sort keeps one part in so many for its way to the disk. With less a sort of little memory would have none for its rows.
const SORT_SHARE: usize = 4;
/// More than this much a sort never keeps, in bytes: DataFusion's own measure.
const SORT_MOST: usize = 10 << 20;

/// Beside the memory for queries, as the pages that are read, the footers of files take one part in so many of it …
const FOOTERS_SHARE: usize = 16;
/// … and no more than this, in bytes: those of a year of nightly files of the widest tables are some 100 MiB.
const FOOTERS_MOST: usize = 256 << 20;

/// Rows that go through a query at a time, by the memory that there is, in bytes: of wide rows DataFusion's 8,192 are some 15 MiB, a merge
/// holds several such batches of each thread, and what is so large the system hands out anew, page by page, for each batch.
fn batch_rows(memory: usize) -> usize {
    match memory {
        ..0x0800_0000 => 1024,
        _ => 2048,
    }
}

/// Threads of a session that is not told how many.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(4, usize::from)
}

/// A context with the same functions, runtime and settings, and a catalog of its own, so that its tables are none of those that a
/// query can name.
pub(super) fn beside(context: &SessionContext) -> Result<SessionContext> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(PUBLIC, Arc::new(MemorySchemaProvider::new()))?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.into(), Arc::new(catalog));
    let state = SessionStateBuilder::new_from_existing(context.state())
        .with_catalog_list(Arc::new(catalogs))
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// The context that queries are planned in.
pub(super) fn context(options: &Options) -> Result<SessionContext> {
    let partitions = options.threads.unwrap_or_else(threads).max(1);
    let memory = options.memory.unwrap_or(memory::DEFAULT);
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, PUBLIC)
        .with_information_schema(true)
        .with_target_partitions(partitions)
        .with_batch_size(batch_rows(memory))
        .with_sort_spill_reservation_bytes(SORT_MOST.min(memory / partitions / SORT_SHARE));
    let settings = config.options_mut();
    // Microsoft's names have capitals; nobody wants to quote them.
    settings.sql_parser.enable_ident_normalization = false;
    // Gives `->>` the precedence it has in PostgreSQL: `a->>'x' = 'y'` compares the value.
    settings.sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
    // Rows that have an order would lose it. Files and groups are still gone through in parallel.
    settings.optimizer.enable_round_robin_repartition = false;
    settings.execution.parquet.pushdown_filters = true;
    settings.execution.parquet.reorder_filters = true;
    // Spark writes times in 96 bits by default: as nanoseconds, those after 2262 would be other times.
    settings.execution.parquet.coerce_int96 = Some("us".into());
    settings.execution.parquet.coerce_int96_tz = Some("UTC".into());
    settings.execution.time_zone = Some("+00:00".into());
    // Fails on queries that take several JSON paths of one column: "duplicate unqualified field name __common_expr_2"
    // (DataFusion 55.2).
    settings.optimizer.enable_leaf_expression_pushdown = false;
    let mut runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(Pool::new(memory)))
        .with_metadata_cache_limit(FOOTERS_MOST.min(memory / FOOTERS_SHARE));
    if let Some(folder) = &options.temp {
        runtime = runtime.with_temp_file_path(folder);
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
