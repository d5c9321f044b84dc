//! What `*` brings in SQL: the columns that the product has. Those that coldtrail keeps beside them come to queries that name them.
//!
//! Each query is planned over tables of its own, cut to what it can see: a session plans many, and what one of them names is no other's
//! business. Schemas other than that of the views stay whole.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    SchemaProvider,
};
use datafusion::common::TableReference;
use datafusion::datasource::{TableProvider, ViewTable, provider_as_source};
use datafusion::error::Result as PlanResult;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, Expr, Ident, Select, SelectItem, SelectItemQualifiedWildcardKind, VisitMut,
    VisitorMut, WildcardAdditionalOptions,
};

use super::depth;
use super::options::{CATALOG, Columns, PUBLIC};
use super::views::names;

/// Plans a query, given with its text, over these columns of the tables. Tables from these files have all of theirs.
pub(super) async fn plan(
    state: &SessionState,
    mut statement: Statement,
    sql: &str,
    columns: Columns,
    files: &[String],
) -> PlanResult<LogicalPlan> {
    depth::bounded(&mut statement)?;
    name_once(&mut statement);
    match columns {
        Columns::All => state.statement_to_plan(statement).await,
        Columns::Product => {
            let state = cut(state, sql, files)?;
            state.statement_to_plan(statement).await
        }
    }
}

/// The same state, with the columns that a query can see.
fn cut(state: &SessionState, sql: &str, files: &[String]) -> PlanResult<SessionState> {
    let schemas = MemoryCatalogProvider::new();
    if let Some(all) = state.catalog_list().catalog(CATALOG) {
        for name in all.schema_names() {
            let Some(schema) = all.schema(&name) else {
                continue;
            };
            let schema: Arc<dyn SchemaProvider> = match name == PUBLIC {
                true => Arc::new(Seen {
                    all: schema,
                    named: names::words(sql).map(str::to_string).collect(),
                    files: files.to_vec(),
                }),
                false => schema,
            };
            schemas.register_schema(&name, schema)?;
        }
    }
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.into(), Arc::new(schemas));
    // The catalog is there: it is not to be made anew.
    let config = state.config().clone();
    let config = config.with_create_default_catalog_and_schema(false);
    Ok(SessionStateBuilder::new_from_existing(state.clone())
        .with_config(config)
        .with_catalog_list(Arc::new(catalogs))
        .build())
}

/// The tables and views of a session, with the columns that one query can see.
#[derive(Debug)]
struct Seen {
    all: Arc<dyn SchemaProvider>,
    named: HashSet<String>,
    files: Vec<String>,
}

#[async_trait]
impl SchemaProvider for Seen {
    fn table_names(&self) -> Vec<String> {
        self.all.table_names()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        let table = self.all.table(name).await?;
        table.map(|table| self.cut(name, table)).transpose()
    }

    fn table_exist(&self, name: &str) -> bool {
        self.all.table_exist(name)
    }
}

impl Seen {
    fn cut(&self, name: &str, table: Arc<dyn TableProvider>) -> PlanResult<Arc<dyn TableProvider>> {
        // A file may have the name of a table that rules ask beside ours.
        if self.files.iter().any(|file| file == name) {
            return Ok(table);
        }
        let schema = table.schema();
        let fields = schema.fields().iter().enumerate();
        let seen: Vec<usize> = fields
            .filter(|(_, f)| {
                !names::is_beside(name, f.name()) || self.named.contains(f.name().as_str())
            })
            .map(|(at, _)| at)
            .collect();
        if seen.len() == schema.fields().len() {
            return Ok(table);
        }
        let source = provider_as_source(table);
        let plan = LogicalPlanBuilder::scan(TableReference::bare(name), source, Some(seen))?;
        Ok(Arc::new(ViewTable::new(plan.build()?, None)))
    }
}

/// `SELECT *, _Source` names a column that `*` brings because it is named: it stands where it is written, and there only.
fn name_once(statement: &mut Statement) {
    match statement {
        // It never breaks off.
        Statement::Statement(statement) => {
            let _: ControlFlow<()> = statement.visit(&mut NameOnce);
        }
        Statement::Explain(explain) => name_once(&mut explain.statement),
        _ => {}
    }
}

struct NameOnce;

impl VisitorMut for NameOnce {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        // Each with the table that it is written with.
        let named: Vec<(Option<String>, Ident)> =
            select.projection.iter().filter_map(column).collect();
        if named.is_empty() {
            return ControlFlow::Continue(());
        }
        let alone = matches!(select.from.as_slice(), [only] if only.joins.is_empty());
        let mut starred = false;
        for item in &mut select.projection {
            match item {
                SelectItem::Wildcard(options) if alone => {
                    except(options, named.iter().map(|(_, column)| column));
                }
                SelectItem::Wildcard(options) => {
                    starred |= options.opt_except.is_none() && options.opt_exclude.is_none();
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(of),
                    options,
                ) => {
                    let of = of.0.last().and_then(|part| part.as_ident());
                    let of = of.map(|ident| ident.value.clone());
                    let own = named.iter().filter(|(table, _)| match table {
                        Some(_) => *table == of,
                        None => alone,
                    });
                    except(options, own.map(|(_, column)| column));
                }
                _ => {}
            }
        }
        // Which of several tables has it is not known here: it stays where `*` brings it.
        if starred {
            select.projection.retain(|item| column(item).is_none());
        }
        ControlFlow::Continue(())
    }
}

/// A column without another name, and the table that it is written with.
fn column(item: &SelectItem) -> Option<(Option<String>, Ident)> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => Some((None, column.clone())),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => match parts.as_slice() {
            [.., table, column] => Some((Some(table.value.clone()), column.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// Leaves columns out of a `*`, where it does not say itself what it leaves out.
fn except<'i>(options: &mut WildcardAdditionalOptions, columns: impl Iterator<Item = &'i Ident>) {
    if options.opt_except.is_some() || options.opt_exclude.is_some() {
        return;
    }
    let mut columns = columns.cloned();
    if let Some(first_element) = columns.next() {
        options.opt_except = Some(ExceptSelectItem {
            first_element,
            additional_elements: columns.collect(),
        });
    }
}
