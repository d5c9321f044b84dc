//! Plans of queries that list hundreds of columns, as those of views do.
//!
//! To find what `unnest` would take apart, DataFusion's planner of SQL compares each column of a list with all before it, by names that are
//! spelled out for each pair (55.2, `push_projection_dedupl`). Of a view of two hundred columns that is more than all else that planning it takes.
//! Here DataFusion plans the rows, and each expression of the list, and the list is put over the rows. The plan is the one that DataFusion makes;
//! what has more than rows and a list is left to it.

use std::mem;

use datafusion::common::DFSchemaRef;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result as PlanResult;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::WildcardOptions;
use datafusion::logical_expr::select_expr::SelectExpr;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    ExprWithAlias, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, SetQuantifier, Statement as SqlStatement, WildcardAdditionalOptions,
};

/// The least query with a list: what a part of another is compared with, and what its rows are planned in.
const LEAST: &str = "SELECT 1";

/// Plans a query as [`SessionState::statement_to_plan`] does.
///
/// # Errors
/// When the query is wrong.
pub(super) async fn plan(state: &SessionState, sql: &str) -> PlanResult<LogicalPlan> {
    let dialect = &state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, dialect)?;
    let least = state.sql_to_statement(LEAST, dialect)?;
    // What is wrong DataFusion says by itself.
    if let Some(parts) = parts(&statement, &least)
        && let Ok(Some(plan)) = together(state, parts).await
    {
        return Ok(plan);
    }
    state.statement_to_plan(statement).await
}

/// A part of a query: one list, over some rows.
struct Part {
    /// The query of the rows, with a list of its own.
    rows: Statement,
    list: Vec<SelectItem>,
}

/// The parts of a query, which are one below the other; nothing where it has more than that.
fn parts(statement: &Statement, least: &Statement) -> Option<Vec<Part>> {
    let mut query = query(statement)?.clone();
    let alone = self::query(least)?;
    let body = mem::replace(&mut query.body, alone.body.clone());
    if query != *alone {
        return None;
    }
    let (mut first, mut parts) = (*body, Vec::new());
    loop {
        match first {
            SetExpr::SetOperation {
                op: SetOperator::Union,
                set_quantifier: SetQuantifier::All,
                left,
                right,
            } => {
                let SetExpr::Select(select) = *right else {
                    return None;
                };
                parts.push(part(*select, least)?);
                first = *left;
            }
            SetExpr::Select(select) => {
                parts.push(part(*select, least)?);
                break;
            }
            _ => return None,
        }
    }
    parts.reverse();
    Some(parts)
}

fn query(statement: &Statement) -> Option<&Query> {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::Query(query) => Some(query),
            _ => None,
        },
        _ => None,
    }
}

/// The list of the least query, and all that it might have beside.
fn select(statement: &mut Statement) -> Option<&mut Select> {
    let Statement::Statement(statement) = statement else {
        return None;
    };
    let SqlStatement::Query(query) = statement.as_mut() else {
        return None;
    };
    match query.body.as_mut() {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

fn part(mut given: Select, least: &Statement) -> Option<Part> {
    let mut rows = least.clone();
    let alone = select(&mut rows)?;
    let list = mem::replace(&mut given.projection, alone.projection.clone());
    let (from, selection) = (mem::take(&mut given.from), given.selection.take());
    if from.is_empty() || given != *alone {
        return None;
    }
    (alone.from, alone.selection) = (from, selection);
    Some(Part { rows, list })
}

/// The plan of parts, one below the other; nothing where one is more than rows and a list.
async fn together(state: &SessionState, parts: Vec<Part>) -> PlanResult<Option<LogicalPlan>> {
    let mut all: Option<LogicalPlan> = None;
    for part in parts {
        // DataFusion gives expressions without a name those of the first part.
        let names = all.as_ref().map(|above| above.schema());
        let names = names.filter(|names| names.fields().len() > 1);
        let Some(below) = listed(state, part, names).await? else {
            return Ok(None);
        };
        all = Some(match all {
            None => below,
            Some(above) if above.schema().fields().len() != below.schema().fields().len() => {
                return Ok(None);
            }
            Some(above) => LogicalPlanBuilder::from(above).union(below)?.build()?,
        });
    }
    Ok(all)
}

/// The plan of one part, with its list over its rows.
async fn listed(
    state: &SessionState,
    part: Part,
    names: Option<&DFSchemaRef>,
) -> PlanResult<Option<LogicalPlan>> {
    let LogicalPlan::Projection(least) = state.statement_to_plan(part.rows).await? else {
        return Ok(None);
    };
    let mut list = Vec::with_capacity(part.list.len());
    for item in part.list {
        let Some(item) = planned(state, item, least.input.schema())? else {
            return Ok(None);
        };
        list.push(item);
    }
    let rows = LogicalPlanBuilder::new_from_arc(least.input);
    let plan = match names {
        Some(names) => rows.project_with_validation_and_schema(list, names)?,
        None => rows.project(list)?,
    };
    plan.build().map(Some)
}

/// One item of a list over rows with these columns; nothing where it is more than a value of each row.
fn planned(
    state: &SessionState,
    item: SelectItem,
    rows: &DFSchemaRef,
) -> PlanResult<Option<SelectExpr>> {
    let (expr, name) = match item {
        SelectItem::UnnamedExpr(expr) => (expr, None),
        SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.value)),
        SelectItem::Wildcard(options) if options == WildcardAdditionalOptions::default() => {
            let all = SelectExpr::Wildcard(WildcardOptions::default());
            return Ok(Some(all));
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(of), options)
            if options == WildcardAdditionalOptions::default() =>
        {
            let of = object_name_to_table_reference(of, false)?;
            let all = SelectExpr::QualifiedWildcard(of, WildcardOptions::default());
            return Ok(Some(all));
        }
        _ => return Ok(None),
    };
    let expr = ExprWithAlias { expr, alias: None };
    let expr = state.create_logical_expr_from_sql_expr(expr, rows)?;
    let of_several = |part: &Expr| {
        matches!(
            part,
            Expr::AggregateFunction(_) | Expr::WindowFunction(_) | Expr::Unnest(_)
        )
    };
    if expr.exists(|part| Ok(of_several(part)))? {
        return Ok(None);
    }
    Ok(Some(SelectExpr::Expression(match (expr, name) {
        // A column under its own name is the column.
        (Expr::Column(column), Some(name)) if column.name == name => Expr::Column(column),
        (expr, Some(name)) => expr.alias(name),
        (expr, None) => expr,
    })))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::empty::EmptyTable;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use tokio::runtime::Runtime;

    use super::*;

    /// A context in which names are as they are written, as in that of a session.
    fn context() -> SessionContext {
        let mut config = SessionConfig::new();
        config.options_mut().sql_parser.enable_ident_normalization = false;
        let context = SessionContext::new_with_config(config);
        let fields = [
            ("id", DataType::Int64),
            ("Name", DataType::Utf8),
            ("n", DataType::Int32),
            (
                "l",
                DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
            ),
        ];
        let fields = fields.map(|(name, ty)| Field::new(name, ty, true));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        for name in ["t", "U"] {
            let table = Arc::new(EmptyTable::new(Arc::clone(&schema)));
            let before = context.register_table(format!("\"{name}\""), table);
            assert!(before.expect("it is registered").is_none());
        }
        context
    }

    #[test]
    fn the_plan_is_that_of_datafusion() {
        let queries = [
            // What is only rows and lists.
            (
                "SELECT id, \"Name\" AS \"Name\", n + 1, n AS m FROM t",
                true,
            ),
            (
                "SELECT s.\"Name\" AS N, CAST(NULL AS INT) FROM t AS s WHERE s.id > 1 AND true",
                true,
            ),
            ("SELECT * FROM t UNION ALL SELECT u.* FROM \"U\" AS u", true),
            (
                "SELECT id, n + 1 FROM t UNION ALL SELECT n, id * 2 FROM \"U\" UNION ALL SELECT 1, 2 FROM t",
                true,
            ),
            (
                "SELECT id + 1 FROM t UNION ALL SELECT n * 2 FROM \"U\"",
                true,
            ),
            (
                "SELECT id, NULL FROM t UNION ALL SELECT n, \"Name\" FROM \"U\"",
                true,
            ),
            (
                "SELECT u.id AS id, k.x FROM (SELECT n AS x, count(*) FROM t GROUP BY 1) AS k RIGHT ANTI JOIN \"U\" AS u ON k.x = u.n WHERE u.id IN (1, 2)",
                false,
            ),
            (
                "SELECT u.id AS id, upper(u.\"Name\") AS \"Name\" FROM (SELECT n AS x FROM t GROUP BY 1) AS k RIGHT ANTI JOIN \"U\" AS u ON k.x = u.n WHERE u.id IN (1, 2)",
                true,
            ),
            (
                "SELECT id, CASE WHEN n = 1 THEN 'a' ELSE \"Name\" END AS c FROM t JOIN \"U\" USING (id, n, \"Name\")",
                true,
            ),
            (
                "SELECT id AS i, (SELECT max(n) FROM \"U\") AS m FROM t",
                false,
            ),
            // What is more than that.
            ("SELECT count(*) AS n FROM t", false),
            (
                "SELECT id, row_number() OVER (ORDER BY n) AS r FROM t",
                false,
            ),
            ("SELECT id, unnest(l) AS l FROM t", false),
            ("SELECT DISTINCT id FROM t", false),
            ("SELECT id FROM t ORDER BY n LIMIT 1", false),
            ("SELECT id FROM t UNION SELECT n FROM t", false),
            (
                "SELECT id, n FROM t UNION ALL (SELECT n, id FROM t LIMIT 1)",
                false,
            ),
            ("WITH a AS (SELECT id FROM t) SELECT id FROM a", false),
            ("SELECT 1 AS a WHERE false", false),
        ];
        let state = context().state();
        let runtime = Runtime::new().expect("threads");
        for (sql, is_listed) in queries {
            let dialect = &state.config_options().sql_parser.dialect;
            let statement = |sql: &str| state.sql_to_statement(sql, dialect).expect(sql);
            let whole = runtime.block_on(state.statement_to_plan(statement(sql)));
            let own = runtime.block_on(async {
                match parts(&statement(sql), &statement(LEAST)) {
                    Some(parts) => together(&state, parts).await,
                    None => Ok(None),
                }
            });
            match own {
                Ok(Some(plan)) => assert_eq!(plan, whole.expect(sql), "{sql}"),
                // What is wrong, or is left to DataFusion.
                _ => assert!(!is_listed, "{sql}"),
            }
        }
    }
}
