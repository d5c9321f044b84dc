//! Plans that give no row, whatever the moment, because what they read has none.
//!
//! A hunt asks hundreds of rules, and most of them look for operations that never happened. A condition on such a column is tried on the values that
//! the table's files list: a rule that no value meets is not planned any further.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::expr_rewriter::{unalias, unnormalize_col};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{EmptyRelation, Expr, Join, LogicalPlan, TableScan};

use super::kql;
use super::session::Session;
use super::small::rows_of;
use super::table::ArchiveTable;

/// Whether a table has no row that meets all of these conditions.
type Tried<'t> = dyn Fn(&TableScan, &[Expr]) -> bool + 't;

/// Whether a plan is certain to give no row. DataFusion's own optimizer says it of fewer: not behind `unnest`, nor of rows that are made first.
pub(super) fn gives_none(plan: &LogicalPlan) -> bool {
    finds_none(plan, &[], &|_, _| false)
}

impl Session {
    /// A planned query, without what it would do where none of its tables has a row for it.
    pub(crate) fn unless_none(&self, frame: DataFrame) -> DataFrame {
        let (state, plan) = frame.into_parts();
        let tried = |scan: &TableScan, conditions: &[Expr]| {
            if rows_of(scan) == Some(0) {
                return true;
            }
            let Ok(table) = source_as_provider(&scan.source) else {
                return false;
            };
            let Some(table) = table.downcast_ref::<ArchiveTable>() else {
                return false;
            };
            let own = scan.filters.iter().chain(conditions);
            let own: Vec<Expr> = own.cloned().map(unnormalize_col).collect();
            self.block_on(table.has_none(&own, &state))
        };
        let plan = match finds_none(&plan, &[], &tried) {
            true => LogicalPlan::EmptyRelation(EmptyRelation {
                produce_one_row: false,
                schema: plan.schema().clone(),
            }),
            false => plan,
        };
        DataFrame::new(state, plan)
    }
}

/// Whether a plan is certain to give no row that meets these conditions.
fn finds_none(plan: &LogicalPlan, conditions: &[Expr], tried: &Tried<'_>) -> bool {
    let among = |input: &LogicalPlan, of: &dyn Fn(usize) -> Option<Expr>| {
        finds_none(input, &moved(conditions, plan.schema(), of), tried)
    };
    // The same columns, in the same order.
    let alike = |input: &LogicalPlan| among(input, &|at| column(input.schema(), at));
    match plan {
        LogicalPlan::EmptyRelation(empty) => !empty.produce_one_row,
        LogicalPlan::TableScan(scan) => tried(scan, conditions),
        LogicalPlan::Filter(filter) => {
            let mut all = conditions.to_vec();
            let own = split_conjunction_owned(filter.predicate.clone());
            all.extend(own.into_iter().filter(can_be_tried));
            finds_none(&filter.input, &all, tried)
        }
        LogicalPlan::Projection(projection) => {
            let of = |at: usize| projection.expr.get(at).cloned().map(unalias);
            among(&projection.input, &of)
        }
        LogicalPlan::Sort(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Union(_) => plan.inputs().into_iter().all(alike),
        // What it adds stands behind the columns of its input.
        LogicalPlan::Window(window) => {
            let own = window.input.schema().fields().len();
            among(&window.input, &|at| match at < own {
                true => column(window.input.schema(), at),
                false => None,
            })
        }
        LogicalPlan::Unnest(unnest) => among(&unnest.input, &|at| {
            let from = *unnest.dependency_indices.get(at)?;
            let is_taken_apart = unnest.struct_type_columns.contains(&from)
                || unnest
                    .list_type_columns
                    .iter()
                    .any(|(list, _)| *list == from);
            match is_taken_apart {
                true => None,
                false => column(unnest.input.schema(), from),
            }
        }),
        LogicalPlan::Distinct(_) => plan
            .inputs()
            .into_iter()
            .all(|input| finds_none(input, &[], tried)),
        LogicalPlan::Aggregate(aggregate) => {
            // Without groups there is a row over nothing, and so there may be in a set of several groupings.
            let groups = &aggregate.group_expr;
            let is_plain = !groups.iter().any(|e| matches!(e, Expr::GroupingSet(_)));
            let of = |at: usize| groups.get(at).cloned().map(unalias);
            !groups.is_empty() && is_plain && among(&aggregate.input, &of)
        }
        LogicalPlan::Join(join) => joins_none(join, conditions, tried),
        LogicalPlan::Extension(node) => {
            kql::row_by_row(node).is_some_and(|input| finds_none(input, &[], tried))
        }
        _ => false,
    }
}

/// Whether a join is certain to give no row that meets these conditions: a row of one side that meets none of its own has no pair that does.
fn joins_none(join: &Join, conditions: &[Expr], tried: &Tried<'_>) -> bool {
    let side = |input: &LogicalPlan| {
        let schema = input.schema();
        let of = |condition: &Expr| {
            let columns = condition.column_refs();
            columns
                .iter()
                .all(|column| schema.is_column_from_schema(column))
        };
        let own: Vec<Expr> = conditions.iter().filter(|c| of(c)).cloned().collect();
        finds_none(input, &own, tried)
    };
    let bare = |input: &LogicalPlan| finds_none(input, &[], tried);
    let (left, right) = (join.left.as_ref(), join.right.as_ref());
    match join.join_type {
        JoinType::Inner => side(left) || side(right),
        JoinType::LeftSemi => side(left) || bare(right),
        JoinType::RightSemi => bare(left) || side(right),
        JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => side(left),
        JoinType::Right | JoinType::RightAnti | JoinType::RightMark => side(right),
        JoinType::Full => bare(left) && bare(right),
    }
}

/// Conditions on more than one column are not tried: nobody lists pairs of values.
fn can_be_tried(condition: &Expr) -> bool {
    let waits = |e: &Expr| {
        matches!(
            e,
            Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Placeholder(_)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
        )
    };
    let is_plain = condition.exists(|e| Ok(waits(e))).is_ok_and(|waits| !waits);
    is_plain && condition.column_refs().len() <= 1 && !condition.is_volatile()
}

fn column(schema: &DFSchema, at: usize) -> Option<Expr> {
    (at < schema.fields().len()).then(|| Expr::from(schema.qualified_field(at)))
}

/// The conditions over the input of a node, where what its columns are made of is given by their numbers.
fn moved(conditions: &[Expr], schema: &DFSchema, of: &dyn Fn(usize) -> Option<Expr>) -> Vec<Expr> {
    let one = |condition: &Expr| -> Option<Expr> {
        let mut is_lost = false;
        let made: PlanResult<Transformed<Expr>> = condition.clone().transform(|e| {
            let Expr::Column(column) = &e else {
                return Ok(Transformed::no(e));
            };
            match schema.maybe_index_of_column(column).and_then(of) {
                // What was put in is of the input's columns: it is not gone into.
                Some(made) => Ok(Transformed::new(made, true, TreeNodeRecursion::Jump)),
                None => {
                    is_lost = true;
                    Ok(Transformed::no(e))
                }
            }
        });
        let made = made.ok()?.data;
        (!is_lost && can_be_tried(&made)).then_some(made)
    };
    conditions.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::functions_aggregate::count::count_all;
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};

    fn none() -> LogicalPlanBuilder {
        let of = LogicalPlanBuilder::empty(false).project([lit(1).alias("a")]);
        of.expect("a plan")
    }

    fn one() -> LogicalPlanBuilder {
        let of = LogicalPlanBuilder::empty(true).project([lit(1).alias("b")]);
        of.expect("a plan")
    }

    #[test]
    fn what_reads_nothing_gives_nothing_but_for_sums_over_all() {
        let plan = |builder: datafusion::common::Result<LogicalPlanBuilder>| {
            let plan = builder.and_then(LogicalPlanBuilder::build);
            gives_none(&plan.expect("a plan"))
        };
        let sorted = |of: LogicalPlanBuilder| of.sort([col("a").sort(true, true)]);
        assert!(plan(sorted(none())));
        assert!(plan(none().aggregate([col("a")], [count_all()])));
        assert!(!plan(none().aggregate(Vec::<Expr>::new(), [count_all()])));
        assert!(!plan(Ok(one())));
        for (kind, is_none) in [
            (JoinType::Inner, true),
            (JoinType::Left, true),
            (JoinType::LeftAnti, true),
            (JoinType::Right, false),
            (JoinType::Full, false),
        ] {
            let right = one().build().expect("a plan");
            let joined = none().join(right, kind, (vec!["a"], vec!["b"]), None);
            assert_eq!(plan(joined), is_none, "{kind}");
        }
    }

    /// The conditions that reach the table of a plan.
    fn reached(sql: &str) -> Vec<String> {
        use arrow::datatypes::{DataType, Field, Schema};
        use datafusion::datasource::empty::EmptyTable;
        use std::cell::RefCell;
        use std::sync::Arc;

        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let schema = Arc::new(Schema::new(vec![text("a"), text("b")]));
        let context = datafusion::prelude::SessionContext::new();
        for name in ["t", "u", "none"] {
            let table = Arc::new(EmptyTable::new(Arc::clone(&schema)));
            let before = context.register_table(name, table).expect("a name");
            assert!(before.is_none());
        }
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let frame = runtime.block_on(context.sql(sql)).expect(sql);
        let plan = frame.into_parts().1;
        let seen = RefCell::new(Vec::new());
        let tried = |scan: &TableScan, conditions: &[Expr]| {
            let own = conditions
                .iter()
                .map(|c| format!("{}: {c}", scan.table_name));
            seen.borrow_mut().extend(own);
            scan.table_name.table() == "none"
        };
        assert!(!finds_none(&plan, &[], &tried), "{sql}");
        seen.into_inner()
    }

    #[test]
    fn conditions_are_told_of_the_columns_that_they_are_made_of() {
        for (sql, wanted) in [
            (
                "SELECT * FROM (SELECT upper(a) AS x, b FROM t) WHERE x = 'A' AND b = 'B'",
                vec!["t: upper(t.a) = Utf8(\"A\")", "t: t.b = Utf8(\"B\")"],
            ),
            // Of two columns nobody lists the pairs.
            (
                "SELECT * FROM (SELECT a || b AS x FROM t) WHERE x = 'A'",
                vec![],
            ),
            ("SELECT * FROM t WHERE a = b", vec![]),
            (
                "SELECT * FROM (SELECT a AS x FROM none UNION ALL SELECT b FROM u) WHERE x = 'A'",
                vec!["none: none.a = Utf8(\"A\")", "u: u.b = Utf8(\"A\")"],
            ),
            (
                "SELECT * FROM (SELECT a, count(*) AS n FROM t GROUP BY a) WHERE a = 'A' AND n = 2",
                vec!["t: t.a = Utf8(\"A\")"],
            ),
            // What a window adds is no column of the table.
            (
                "SELECT * FROM (SELECT a, max(b) OVER () AS m FROM t) WHERE m = 'A' AND a = 'B'",
                vec!["t: t.a = Utf8(\"B\")"],
            ),
            // A row without a partner has a null where the partner's value would be.
            (
                "SELECT * FROM t LEFT JOIN u ON t.a = u.a WHERE u.b IS NULL AND t.b = 'A'",
                vec!["t: t.b = Utf8(\"A\")"],
            ),
            (
                "SELECT * FROM t WHERE a IN (SELECT a FROM u WHERE b = 'A')",
                vec![],
            ),
            (
                "SELECT * FROM t WHERE random() > 2 AND a = 'A'",
                vec!["t: t.a = Utf8(\"A\")"],
            ),
        ] {
            assert_eq!(reached(sql), wanted, "{sql}");
        }
    }
}
