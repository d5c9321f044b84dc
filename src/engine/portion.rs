//! Stored tables as a session sees them: each cut to a range of times.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider};
use datafusion::common::TableReference;
use datafusion::datasource::{TableProvider, ViewTable, provider_as_source};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::SessionContext;

use super::options::CATALOG;
use super::times;
use crate::catalog::{TIME, catalog};
use crate::fault::{Error, Result};

pub(super) fn catalog_of(context: &SessionContext) -> Result<Arc<dyn CatalogProvider>> {
    context
        .catalog(CATALOG)
        .ok_or_else(|| Error::Query("the session has no catalog".into()))
}

pub(super) fn schema_of(context: &SessionContext, name: &str) -> Result<Arc<dyn SchemaProvider>> {
    catalog_of(context)?
        .schema(name)
        .ok_or_else(|| Error::Query(format!("the session has no schema `{name}`")))
}

/// Stored tables, each cut to the range of a question when it is named.
#[derive(Debug)]
pub(super) struct Portion {
    all: Arc<dyn SchemaProvider>,
}

impl Portion {
    /// The portion of these tables.
    pub(super) fn of(all: Arc<dyn SchemaProvider>) -> Portion {
        Portion { all }
    }
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
        if !catalog()
            .stored_table(name)
            .is_some_and(|table| table.by_day || table.concluded)
        {
            return Ok(Some(table));
        }
        let source = provider_as_source(table);
        let plan = LogicalPlanBuilder::scan(TableReference::bare(name), source, None)?
            .filter(times::cut(name, TIME))?
            .build()?;
        Ok(Some(Arc::new(ViewTable::new(plan, None))))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.all.table_exist(name)
    }
}
