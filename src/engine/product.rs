//! What a query in SQL sees of a table: the columns that it names, and with `*` those that the product has. Those that coldtrail keeps beside
//! them come to queries that name them.
//!
//! Each query is planned over tables of its own, cut to what it can see: a session plans many, and what one of them names is no other's
//! business. A view has two hundred columns, and to plan them takes longer than to run most queries. Schemas other than that of the views stay
//! whole.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    SchemaProvider,
};
use datafusion::common::{DFSchema, TableReference};
use datafusion::datasource::{TableProvider, ViewTable, provider_as_source};
use datafusion::error::Result as PlanResult;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    Expr as Planned, LogicalPlan, LogicalPlanBuilder, Projection, SubqueryAlias, Union,
};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, Expr, Ident, JoinConstraint, JoinOperator, Query, Select, SelectFlavor,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement as SqlStatement, TableFactor,
    VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use super::depth;
use super::options::{CATALOG, Columns, PUBLIC};
use super::views::names;

/// Rows of views with some of their columns.
pub(super) type Narrow = HashMap<String, Arc<dyn TableProvider>>;

/// Plans a query, given with its text, over these columns of the tables. Tables from these files have all of theirs; a query that names its columns
/// is answered from these rows of views where they have them.
pub(super) async fn plan(
    state: &SessionState,
    mut statement: Statement,
    sql: &str,
    columns: Columns,
    files: &[String],
    narrow: &Narrow,
) -> PlanResult<LogicalPlan> {
    depth::bounded(&mut statement)?;
    if names_columns(&mut statement) {
        let named = cut(state, sql, files, narrow, Cut::Named)?;
        // What is not there is told with all that is there.
        if let Ok(plan) = named.statement_to_plan(statement.clone()).await {
            return Ok(plan);
        }
    }
    name_once(&mut statement);
    match columns {
        Columns::All => state.statement_to_plan(statement).await,
        Columns::Product => {
            let state = cut(state, sql, files, &Narrow::new(), Cut::Product)?;
            state.statement_to_plan(statement).await
        }
    }
}

/// Whether a query names all columns that it takes; not of what is no query.
pub(super) fn is_named(state: &SessionState, sql: &str) -> bool {
    let dialect = &state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, dialect);
    statement.is_ok_and(|mut statement| {
        depth::bounded(&mut statement).is_ok() && names_columns(&mut statement)
    })
}

/// A plan with those of its columns of which this says so.
///
/// # Errors
/// When DataFusion refuses the plan, which is a fault of coldtrail.
pub(super) fn only(
    plan: &LogicalPlan,
    is_wanted: impl Fn(&str) -> bool,
) -> PlanResult<LogicalPlan> {
    let fields = plan.schema().fields().iter().enumerate();
    let wanted = fields.filter(|(_, field)| is_wanted(field.name()));
    let wanted: Vec<usize> = wanted.map(|(at, _)| at).collect();
    narrowed(plan, &wanted)
}

/// Which columns of a table a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Those that stand in its text.
    Named,
    /// Those of the product, and those that stand in its text.
    Product,
}

/// The same state, with the columns that a query can see.
fn cut(
    state: &SessionState,
    sql: &str,
    files: &[String],
    narrow: &Narrow,
    cut: Cut,
) -> PlanResult<SessionState> {
    let schemas = MemoryCatalogProvider::new();
    if let Some(all) = state.catalog_list().catalog(CATALOG) {
        for name in all.schema_names() {
            let Some(schema) = all.schema(&name) else {
                continue;
            };
            let schema: Arc<dyn SchemaProvider> = match name == PUBLIC {
                true => Arc::new(Seen {
                    all: schema,
                    sql: sql.to_string(),
                    files: files.to_vec(),
                    narrow: narrow.clone(),
                    cut,
                }),
                false => schema,
            };
            schemas.register_schema(&name, schema)?;
        }
    }
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.into(), Arc::new(schemas));
    // To build a state anew is to register its six hundred functions again.
    let mut state = state.clone();
    state.register_catalog_list(Arc::new(catalogs));
    Ok(state)
}

/// The tables and views of a session, with the columns that one query can see.
#[derive(Debug)]
struct Seen {
    all: Arc<dyn SchemaProvider>,
    sql: String,
    files: Vec<String>,
    narrow: Narrow,
    cut: Cut,
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
        let words: HashSet<&str> = match self.cut {
            Cut::Named => HashSet::new(),
            Cut::Product => names::words(&self.sql).collect(),
        };
        let is_seen = |column: &str| match self.cut {
            Cut::Named => self.sql.contains(column),
            Cut::Product => !names::is_beside(name, column) || words.contains(column),
        };
        let table = match self.narrow.get(name) {
            Some(narrow) if has_all(narrow, &table, is_seen) => Arc::clone(narrow),
            _ => table,
        };
        let schema = table.schema();
        let fields = schema.fields().iter().enumerate();
        let seen = fields.filter(|(_, f)| is_seen(f.name()));
        let mut seen: Vec<usize> = seen.map(|(at, _)| at).collect();
        if seen.is_empty() {
            // Its rows are counted.
            seen.push(0);
        }
        if seen.len() == schema.fields().len() {
            return Ok(table);
        }
        let plan = match table.get_logical_plan() {
            Some(view) => narrowed(&view, &seen)?,
            None => {
                let source = provider_as_source(table);
                LogicalPlanBuilder::scan(TableReference::bare(name), source, Some(seen))?.build()?
            }
        };
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

/// Whether there are columns that are seen of a view, and narrow rows of it have all of them.
fn has_all(
    narrow: &Arc<dyn TableProvider>,
    view: &Arc<dyn TableProvider>,
    is_seen: impl Fn(&str) -> bool,
) -> bool {
    let (held, all) = (narrow.schema(), view.schema());
    let names = all.fields().iter().map(|field| field.name());
    let mut seen = names.filter(|name| is_seen(name)).peekable();
    seen.peek().is_some() && seen.all(|name| held.index_of(name).is_ok())
}

/// A plan with these of its columns. What makes the others is left out where they are made.
fn narrowed(plan: &LogicalPlan, seen: &[usize]) -> PlanResult<LogicalPlan> {
    match plan {
        LogicalPlan::Projection(made) => {
            let made_of = seen.iter().map(|at| made.expr[*at].clone()).collect();
            let cut = Projection::try_new(made_of, Arc::clone(&made.input))?;
            Ok(LogicalPlan::Projection(cut))
        }
        LogicalPlan::Union(union) => {
            let parts = union.inputs.iter().map(|part| narrowed(part, seen));
            let parts: Vec<Arc<LogicalPlan>> = parts
                .map(|part| part.map(Arc::new))
                .collect::<PlanResult<_>>()?;
            let schema = Arc::new(cut_schema(&union.schema, seen)?);
            Ok(LogicalPlan::Union(Union {
                inputs: parts,
                schema,
            }))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let input = Arc::new(narrowed(&alias.input, seen)?);
            let alias = SubqueryAlias::try_new(input, alias.alias.clone())?;
            Ok(LogicalPlan::SubqueryAlias(alias))
        }
        other => {
            let columns = seen
                .iter()
                .map(|at| Planned::from(other.schema().qualified_field(*at)));
            let columns: Vec<Planned> = columns.collect();
            LogicalPlanBuilder::from(other.clone())
                .project(columns)?
                .build()
        }
    }
}

fn cut_schema(schema: &DFSchema, seen: &[usize]) -> PlanResult<DFSchema> {
    let fields = seen.iter().map(|at| {
        let (of, field) = schema.qualified_field(*at);
        (of.cloned(), Arc::clone(field))
    });
    DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())
}

/// Whether a query names all columns that it takes. A join by names that it does not say takes others, and so does a star.
fn names_columns(statement: &mut Statement) -> bool {
    let Statement::Statement(statement) = statement else {
        return false;
    };
    let query = matches!(statement.as_ref(), SqlStatement::Query(_));
    query && statement.visit(&mut Unnamed).is_continue()
}

/// Stops at what takes columns without naming them.
struct Unnamed;

impl VisitorMut for Unnamed {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        fn is_named(body: &SetExpr) -> bool {
            match body {
                SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => true,
                SetExpr::SetOperation { left, right, .. } => is_named(left) && is_named(right),
                _ => false,
            }
        }
        match is_named(&query.body) && query.pipe_operators.is_empty() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let is_star = |item: &SelectItem| {
            matches!(
                item,
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
            )
        };
        let joins = || select.from.iter().flat_map(|table| &table.joins);
        let unnamed = select.flavor != SelectFlavor::Standard
            || select.projection.iter().any(is_star)
            || joins().any(|join| joins_by_all(&join.join_operator));
        match unnamed {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        // Parentheses around joins, and whatever else has columns of its own making.
        match table {
            // `AS t(a, b)` names all columns of a table, in their order.
            TableFactor::Table {
                alias: Some(alias), ..
            } if !alias.columns.is_empty() => ControlFlow::Break(()),
            TableFactor::Table { .. } | TableFactor::Derived { .. } => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}

fn joins_by_all(join: &JoinOperator) -> bool {
    use JoinOperator as J;
    let by = match join {
        J::Join(by)
        | J::Inner(by)
        | J::Left(by)
        | J::LeftOuter(by)
        | J::Right(by)
        | J::RightOuter(by)
        | J::FullOuter(by)
        | J::Semi(by)
        | J::LeftSemi(by)
        | J::RightSemi(by)
        | J::Anti(by)
        | J::LeftAnti(by)
        | J::RightAnti(by) => by,
        J::CrossJoin(by) => by,
        _ => return true,
    };
    matches!(by, JoinConstraint::Natural)
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
