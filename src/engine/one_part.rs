//! Plans of one partition: what their operators ask of the rows below them.
//!
//! DataFusion's rule for that goes over a plan five times and asks each node for its statistics, most of it to bring together rows that lie in
//! several partitions (55.2, `ensure_requirements`). Over few rows that takes as long as all else that makes a plan of operators. Where nothing
//! but the inputs of unions lies apart, these are brought together where they meet. Then rows are only to be sorted, and the rule's own steps for
//! that are the ones that are done here: without unions the plan is the same. `SanityCheckPlan` refuses one that is not as it should be.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::enforce_sorting::sort_pushdown::{
    SortPushDown, assign_initial_requirements, pushdown_sorts,
};
use datafusion::physical_optimizer::enforce_sorting::{PlanWithCorrespondingSort, ensure_sorting};
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::Boundedness;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::windows::{
    BoundedWindowAggExec, WindowAggExec, get_best_fitting_window,
};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// Puts it in the place of DataFusion's among these rules.
pub(super) fn put_among(rules: &mut [Arc<dyn PhysicalOptimizerRule + Send + Sync>]) {
    let whole = EnsureRequirements::new();
    for rule in rules.iter_mut().filter(|rule| rule.name() == whole.name()) {
        *rule = Arc::new(OnePart(EnsureRequirements::new()));
    }
}

/// DataFusion's rule, without the steps for which nothing is to be done.
#[derive(Debug)]
struct OnePart(EnsureRequirements);

impl PhysicalOptimizerRule for OnePart {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if config.execution.target_partitions > 1 {
            return self.0.optimize(plan, config);
        }
        let met = Arc::clone(&plan).transform_up(met)?.data;
        // Who asks for the partitions of a union one after the other gets its inputs in their order.
        if !is_plain(&met) || ends_in_union(&met) {
            return self.0.optimize(plan, config);
        }
        let windows = met.transform_up(window)?.data;
        let sorted = PlanWithCorrespondingSort::new_default(windows);
        let sorted = sorted.transform_up(ensure_sorting)?.data;
        let mut pushed = SortPushDown::new_default(sorted.plan);
        assign_initial_requirements(&mut pushed);
        Ok(pushdown_sorts(pushed)?.plan)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Brings the inputs of a union together.
fn met(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    match node.is::<UnionExec>() {
        true => {
            let one: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(node));
            Ok(Transformed::yes(one))
        }
        false => Ok(Transformed::no(node)),
    }
}

/// The union whose inputs this brings together.
fn union_of(node: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    let one = node.downcast_ref::<CoalescePartitionsExec>();
    one.map(CoalescePartitionsExec::input)
        .filter(|input| input.is::<UnionExec>())
}

/// Whether what comes out of a plan are the rows of a union, with nothing between that would bring its inputs together.
fn ends_in_union(plan: &Arc<dyn ExecutionPlan>) -> bool {
    const ROW_BY_ROW: [&str; 3] = ["FilterExec", "OutputRequirementExec", "ProjectionExec"];
    match plan.children()[..] {
        _ if union_of(plan).is_some() => true,
        [input] => ROW_BY_ROW.contains(&plan.name()) && ends_in_union(input),
        _ => false,
    }
}

/// Puts a window in the form that fits the order in which its rows come.
fn window(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let fitting = if let Some(window) = node.downcast_ref::<WindowAggExec>() {
        let (of, keys) = (window.window_expr(), window.partition_keys());
        get_best_fitting_window(of, window.input(), &keys, None)?
    } else if let Some(window) = node.downcast_ref::<BoundedWindowAggExec>() {
        let (of, keys) = (window.window_expr(), window.partition_keys());
        let observer = window.state_observer().cloned();
        get_best_fitting_window(of, window.input(), &keys, observer)?
    } else {
        None
    };
    Ok(match fitting {
        Some(fitting) => Transformed::yes(fitting),
        None => Transformed::no(node),
    })
}

/// Whether each node has one partition of rows that end, but for unions whose inputs were brought together, and none else brings partitions together
/// or takes them apart.
fn is_plain(plan: &Arc<dyn ExecutionPlan>) -> bool {
    const BETWEEN: [&str; 3] = [
        "CoalescePartitionsExec",
        "RepartitionExec",
        "SortPreservingMergeExec",
    ];
    let has_one = |plan: &Arc<dyn ExecutionPlan>| {
        plan.output_partitioning().partition_count() == 1
            && plan.boundedness() == Boundedness::Bounded
    };
    let below = match union_of(plan) {
        Some(union) => union.children(),
        None if BETWEEN.contains(&plan.name()) => return false,
        None => plan.children(),
    };
    has_one(plan) && below.into_iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use datafusion::dataframe::DataFrame;
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::execution::session_state::SessionState;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use tokio::runtime::Runtime;

    fn context() -> SessionContext {
        let context =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 2]));
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
        let rows = RecordBatch::try_from_iter([("id", ids), ("name", names)]).expect("two columns");
        for name in ["t", "u"] {
            let table = MemTable::try_new(rows.schema(), vec![vec![rows.clone()]]);
            let before = context.register_table(name, Arc::new(table.expect("a table")));
            assert!(before.expect("it is registered").is_none());
        }
        context
    }

    /// The plan that a state makes of a query, as text, and whether it is one that fewer steps are done for.
    async fn made(state: SessionState, sql: &str) -> (String, bool) {
        let plan = state.create_logical_plan(sql).await.expect(sql);
        let plan = DataFrame::new(state, plan).create_physical_plan().await;
        let plan = plan.expect(sql);
        (
            displayable(plan.as_ref()).indent(true).to_string(),
            is_plain(&plan),
        )
    }

    /// DataFusion's rules, and those with fewer steps.
    fn states() -> (SessionState, SessionState) {
        let whole = context().state();
        let mut rules = whole.physical_optimizers().to_vec();
        put_among(&mut rules);
        let own = SessionStateBuilder::new_from_existing(whole.clone());
        (whole, own.with_physical_optimizer_rules(rules).build())
    }

    #[test]
    fn the_plan_is_that_of_datafusion() {
        let queries = [
            "SELECT id, count(*) AS n FROM t WHERE name <> 'x' GROUP BY id",
            "SELECT id, array_agg(name ORDER BY name) AS l FROM t GROUP BY id",
            "SELECT id, array_agg(DISTINCT name ORDER BY name) AS l, first_value(name ORDER BY id, name) AS f FROM t GROUP BY id ORDER BY id",
            "SELECT id FROM (SELECT id, name FROM t ORDER BY id, name) ORDER BY id LIMIT 2",
            "SELECT DISTINCT ON (id) id, name FROM t ORDER BY id, name DESC",
            "SELECT t.id, u.name FROM t JOIN u ON t.id = u.id AND t.name = u.name ORDER BY t.id",
            "SELECT t.id FROM t LEFT JOIN u ON t.id < u.id WHERE t.id IN (SELECT id FROM u WHERE name = 'b')",
            "SELECT id FROM t WHERE id = (SELECT max(id) FROM u)",
            "SELECT id, row_number() OVER (PARTITION BY name ORDER BY id) AS r FROM t",
            "SELECT id, max(name) OVER (PARTITION BY id) AS m, lag(name) OVER (ORDER BY id DESC) AS l FROM t ORDER BY id",
            "SELECT id, sum(id) OVER (ORDER BY name) AS s, sum(id) OVER (ORDER BY name DESC) AS d FROM (SELECT * FROM t ORDER BY name LIMIT 3)",
            "SELECT id, sum(n) OVER (PARTITION BY id ORDER BY n DESC ROWS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING) AS s FROM (SELECT id, count(*) AS n FROM t GROUP BY id)",
            "SELECT id, first_value(name) OVER (PARTITION BY id ORDER BY name) AS f FROM (SELECT t.id, u.name FROM t JOIN u ON t.id = u.id) ORDER BY id, f",
        ];
        let (whole, own) = states();
        let runtime = Runtime::new().expect("threads");
        for sql in queries {
            let (want, _) = runtime.block_on(made(whole.clone(), sql));
            let (got, is_plain) = runtime.block_on(made(own.clone(), sql));
            assert_eq!(got, want, "{sql}");
            assert!(is_plain, "{sql}");
        }
    }

    #[test]
    fn inputs_of_unions_are_brought_together_where_they_meet() {
        let queries = [
            (
                "SELECT id, count(*) AS n FROM (SELECT id FROM t UNION ALL SELECT id FROM u) GROUP BY id ORDER BY n",
                1,
            ),
            (
                "SELECT id, name FROM (SELECT id, name FROM t UNION ALL SELECT id + 1, name FROM u) WHERE id > 1 ORDER BY id, name LIMIT 2",
                1,
            ),
            (
                "SELECT a.id, row_number() OVER (PARTITION BY a.name ORDER BY a.id) AS r FROM (SELECT * FROM t UNION ALL SELECT * FROM u) AS a JOIN (SELECT id FROM u UNION ALL SELECT id FROM t) AS b ON a.id = b.id",
                2,
            ),
        ];
        let (whole, own) = states();
        let runtime = Runtime::new().expect("threads");
        // Its rows are nobody's input.
        let sql =
            "SELECT id + 1 AS n FROM (SELECT id FROM t UNION ALL SELECT id FROM u) WHERE id > 1";
        let (want, _) = runtime.block_on(made(whole, sql));
        assert_eq!(runtime.block_on(made(own.clone(), sql)).0, want);
        for (sql, unions) in queries {
            let (text, is_plain) = runtime.block_on(made(own.clone(), sql));
            assert!(is_plain, "{text}");
            let met = text.matches("CoalescePartitionsExec\n").count();
            assert_eq!(met, unions, "{text}");
        }
    }
}
