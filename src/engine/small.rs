//! Queries over few rows: to plan one takes longer than to run it.
//!
//! A hunt asks dozens of them. Tables without rows are dropped from a plan before anything else is done to it, whatever its size. One over few
//! rows is then gone over once, where that is enough, and runs in one partition, without the rules that only pay where there is much to read. The
//! answer is the same; the order of rows that nobody ordered may be another.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, source_as_provider};
use datafusion::error::Result as PlanResult;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan, Projection, TableScan, Union};
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion::prelude::Expr;

use super::one_part;
use super::pacing;
use super::table::ArchiveTable;
use super::yielding;

/// Rows of all tables of a query over few: one batch.
const FEW: u64 = 8192;
/// Columns of a node beyond which those that no query names are dropped first: to do that for fewer costs more than to take them along.
const MANY_COLUMNS: usize = 100;
/// The rules of DataFusion that make a physical plan of one partition run as it should; all others make it faster. `SanityCheckPlan` is one of them
/// in that it refuses what the others would have left wrong.
const NEEDED: [&str; 8] = [
    "OutputRequirements",
    "EnsureRequirements",
    "CombinePartialFinalAggregate",
    "OptimizeAggregateOrder",
    "EnsureCooperative",
    yielding::NAME,
    "SanityCheckPlan",
    pacing::NAME,
];

/// A planned query, to be optimised by how many rows its tables have, and run: nothing can be added to it that names a scalar function.
///
/// # Errors
/// When the plan cannot be gone through.
pub(crate) fn fitted(frame: DataFrame) -> PlanResult<DataFrame> {
    let (state, plan) = frame.into_parts();
    if has_none(&state, &plan)? {
        // Neither analysed nor optimised.
        let none = EmptyRelation {
            produce_one_row: false,
            schema: Arc::clone(plan.schema()),
        };
        return Ok(DataFrame::new(state, LogicalPlan::EmptyRelation(none)));
    }
    let size = Size::of(&plan)?;
    let is_small = size.rows.is_some_and(|rows| rows <= FEW);
    let mut first: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![Arc::new(NoRows)];
    if !is_small || size.columns > MANY_COLUMNS {
        // A view has two hundred columns, of which a query names a few: all rules go over them.
        first.push(Arc::new(OptimizeProjections::new()));
    }
    let mut logical = state.optimizers().to_vec();
    logical.splice(0..0, first);
    let mut physical = state.physical_optimizers().to_vec();
    // The catalog is there: it is not to be made anew.
    let config = state.config().clone();
    let mut config = config.with_create_default_catalog_and_schema(false);
    if is_small {
        config = config.with_target_partitions(1);
        // A query within a query may not be taken apart at once.
        if !size.has_subqueries {
            config.options_mut().optimizer.max_passes = 1;
        }
        physical.retain(|rule| NEEDED.contains(&rule.name()));
        one_part::put_among(&mut physical);
    }
    let mut state = SessionStateBuilder::new_from_existing(state)
        .with_config(config)
        .with_optimizer_rules(logical)
        .with_physical_optimizer_rules(physical);
    // The plan has its functions. To register six hundred again, each under all its names, costs more than a rule of the optimizer.
    *state.scalar_functions() = None;
    Ok(DataFrame::new(state.build(), plan))
}

/// Whether a query finds nothing because none of its tables has rows.
///
/// # Errors
/// When the plan cannot be gone through.
pub(super) fn has_none(state: &SessionState, plan: &LogicalPlan) -> PlanResult<bool> {
    let plan = NoRows.rewrite(plan.clone(), state)?.data;
    Ok(matches!(plan, LogicalPlan::EmptyRelation(none) if !none.produce_one_row))
}

/// What a plan has to do.
struct Size {
    /// How many rows its tables have; nothing where that is not known, or where it makes more of them.
    rows: Option<u64>,
    /// Of the widest of its nodes.
    columns: usize,
    has_subqueries: bool,
}

impl Size {
    fn of(plan: &LogicalPlan) -> PlanResult<Size> {
        let mut size = Size {
            rows: Some(0),
            columns: 0,
            has_subqueries: false,
        };
        plan.apply_with_subqueries(|node| {
            let of_node = match node {
                LogicalPlan::TableScan(scan) => rows_of(scan),
                LogicalPlan::Extension(_)
                | LogicalPlan::Unnest(_)
                | LogicalPlan::RecursiveQuery(_) => None,
                _ => Some(0),
            };
            let rows = size.rows.zip(of_node);
            size.rows = rows.map(|(all, own)| all.saturating_add(own));
            size.columns = size.columns.max(node.schema().fields().len());
            size.has_subqueries |= matches!(node, LogicalPlan::Subquery(_));
            Ok(match size.rows {
                Some(_) => TreeNodeRecursion::Continue,
                None => TreeNodeRecursion::Stop,
            })
        })?;
        Ok(size)
    }
}

/// How many rows a table has, by the archive's log or in memory; nothing of any other.
pub(super) fn rows_of(scan: &TableScan) -> Option<u64> {
    let table = source_as_provider(&scan.source).ok()?;
    if let Some(table) = table.downcast_ref::<ArchiveTable>() {
        return Some(table.rows());
    }
    let mut rows = 0;
    for partition in &table.downcast_ref::<MemTable>()?.batches {
        let batches = partition.try_read().ok()?;
        rows += batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
    }
    Some(rows)
}

/// Drops tables without rows from a plan, and what has none for that. DataFusion finds out only when it runs.
#[derive(Debug)]
struct NoRows;

impl OptimizerRule for NoRows {
    fn name(&self) -> &str {
        "no_rows"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> PlanResult<Transformed<LogicalPlan>> {
        let above = PropagateEmptyRelation::new();
        // Not within subqueries: what they take from the query around them is still to be found in them.
        plan.transform_up(|node| match node {
            LogicalPlan::TableScan(scan) if rows_of(&scan) == Some(0) => {
                let none = EmptyRelation {
                    produce_one_row: false,
                    schema: scan.projected_schema,
                };
                Ok(Transformed::yes(LogicalPlan::EmptyRelation(none)))
            }
            LogicalPlan::Union(union) => with_rows(union),
            node => above.rewrite(node, config),
        })
    }
}

/// What a union has of inputs with rows. DataFusion looks for its columns by their names, which only the first input has to have.
fn with_rows(union: Union) -> PlanResult<Transformed<LogicalPlan>> {
    let is_empty = |input: &Arc<LogicalPlan>| match input.as_ref() {
        LogicalPlan::EmptyRelation(none) => !none.produce_one_row,
        _ => false,
    };
    if !union.inputs.iter().any(is_empty) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let Union { mut inputs, schema } = union;
    inputs.retain(|input| !is_empty(input));
    let Some(first) = inputs.first_mut() else {
        let none = EmptyRelation {
            produce_one_row: false,
            schema,
        };
        return Ok(Transformed::yes(LogicalPlan::EmptyRelation(none)));
    };
    let columns = schema.iter().zip(first.schema().iter());
    let columns = columns.map(|((of, field), own)| {
        let column = Expr::from(own);
        column.alias_qualified(of.cloned(), field.name())
    });
    let (columns, rows) = (columns.collect(), Arc::clone(first));
    let named = Projection::try_new_with_schema(columns, rows, Arc::clone(&schema))?;
    *first = Arc::new(LogicalPlan::Projection(named));
    Ok(Transformed::yes(match inputs.as_slice() {
        [only] => only.as_ref().clone(),
        _ => LogicalPlan::Union(Union { inputs, schema }),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::prelude::SessionContext;
    use tokio::runtime::Runtime;

    /// A table with rows and one of the same columns without.
    fn context() -> SessionContext {
        let context = SessionContext::new();
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 2]));
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
        let rows = RecordBatch::try_from_iter([("id", ids), ("name", names)]).expect("two columns");
        for (name, batches) in [("t", vec![rows.clone()]), ("bare", Vec::new())] {
            let table = MemTable::try_new(rows.schema(), vec![batches]).expect("a table");
            let before = context.register_table(name, Arc::new(table));
            assert!(before.expect("it is registered").is_none());
        }
        context
    }

    /// The rows of an answer as lines, in one order.
    async fn lines(frame: DataFrame, sql: &str) -> Vec<String> {
        let mut batches = frame.collect().await.expect(sql);
        batches.retain(|batch| batch.num_rows() > 0);
        let text = pretty_format_batches(&batches).expect(sql).to_string();
        let mut lines: Vec<String> = text.lines().map(String::from).collect();
        lines.sort();
        lines
    }

    #[test]
    fn the_answer_does_not_depend_on_how_a_query_is_planned() {
        let queries = [
            "SELECT id, count(*) AS n, array_agg(name ORDER BY name) AS l FROM t GROUP BY id",
            "SELECT id, coalesce(name, 'x') AS n, row_number() OVER (PARTITION BY id ORDER BY name) AS r FROM t",
            "SELECT a.name FROM t AS a, t AS b WHERE a.id = b.id AND coalesce(b.name, '') <> ''",
            "SELECT a.id FROM t AS a LEFT JOIN t AS b ON a.id = b.id AND b.name = 'b' ORDER BY a.id LIMIT 2",
            "SELECT id FROM t WHERE id = (SELECT max(id) FROM t)",
            "SELECT id FROM t UNION SELECT id + 1 FROM t",
            "SELECT t.id, bare.name FROM t LEFT JOIN bare ON t.id = bare.id",
            "SELECT t.id, bare.name FROM bare FULL JOIN t ON t.id = bare.id",
            "SELECT id, name FROM bare UNION ALL SELECT id, NULL FROM t",
            "SELECT NULL AS name FROM t UNION ALL SELECT name FROM bare",
            "SELECT id AS a, name AS b FROM bare UNION ALL SELECT id + 1, upper(name) FROM t",
            "SELECT a, count(*) AS n FROM (SELECT id AS a FROM bare UNION ALL SELECT id + 1 FROM t UNION ALL SELECT id FROM t) GROUP BY a",
            "SELECT id, name FROM (SELECT id, name FROM t UNION ALL SELECT id + 1, name FROM t) ORDER BY id, name LIMIT 3",
            "SELECT id FROM ((SELECT id, name FROM t ORDER BY name LIMIT 2) UNION ALL (SELECT id + 5, name FROM t ORDER BY id DESC LIMIT 1))",
            "SELECT id, row_number() OVER (PARTITION BY id ORDER BY name) AS r, count(*) OVER () AS n FROM (SELECT id, name FROM t UNION ALL SELECT id, upper(name) FROM t)",
            "SELECT a.id, b.name FROM (SELECT * FROM t UNION ALL SELECT * FROM t) AS a LEFT JOIN (SELECT * FROM t UNION SELECT id + 1, name FROM t) AS b ON a.id = b.id",
            "SELECT id FROM t WHERE id IN (SELECT id FROM t UNION ALL SELECT id + 1 FROM t)",
            "SELECT id, sum(n) OVER (ORDER BY id) AS s FROM (SELECT id, count(*) AS n FROM (SELECT id FROM t UNION ALL SELECT id FROM t) GROUP BY id UNION ALL SELECT 9, 9)",
            "SELECT u.a FROM (SELECT id AS a FROM t UNION ALL SELECT id FROM bare) AS u JOIN t ON t.id = u.a",
            "SELECT count(*) AS n, max(name) AS m FROM bare",
            "SELECT id, count(*) AS n FROM bare GROUP BY id",
            "SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM bare WHERE bare.id = t.id)",
            "SELECT id FROM t WHERE id NOT IN (SELECT id FROM bare)",
            "SELECT id, (SELECT count(*) FROM bare WHERE bare.id = t.id) AS n FROM t",
        ];
        let context = context();
        Runtime::new().expect("threads").block_on(async {
            for sql in queries {
                let frame = context.sql(sql).await.expect(sql);
                let fitted = fitted(frame.clone()).expect(sql);
                assert_eq!(lines(fitted, sql).await, lines(frame, sql).await, "{sql}");
            }
        });
    }

    #[test]
    fn what_has_no_rows_leaves_nothing_to_run() {
        let sql = "SELECT t.id, count(*) FROM t JOIN bare ON t.id = bare.id GROUP BY t.id";
        let context = context();
        Runtime::new().expect("threads").block_on(async {
            let frame = context.sql(sql).await.expect(sql);
            let frame = fitted(frame).expect(sql);
            let plan = frame.create_physical_plan().await.expect(sql);
            assert_eq!(plan.name(), "EmptyExec");
        });
    }
}
