//! Plans of one partition: what their operators ask of the rows below them.
//!
//! DataFusion's rule for that goes over a plan five times and asks each node for its statistics, most of it to bring together rows that lie in
//! several partitions (55.2, `ensure_requirements`). Over few rows that takes as long as all else that makes a plan of operators. Where nothing
//! lies apart, rows are only to be sorted, and the rule's own steps for that are the ones that are done here. The plan is the same;
//! `SanityCheckPlan` refuses one that is not as it should be.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::enforce_sorting::sort_pushdown::{
    SortPushDown, assign_initial_requirements, pushdown_sorts,
};
use datafusion::physical_optimizer::enforce_sorting::{PlanWithCorrespondingSort, ensure_sorting};
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_plan::execution_plan::Boundedness;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
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
        if config.execution.target_partitions > 1 || !is_plain(&plan) {
            return self.0.optimize(plan, config);
        }
        let sorted = PlanWithCorrespondingSort::new_default(plan);
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

/// Whether each node has one partition of rows that end, and none is of those that the other steps change: windows, which they may put in another
/// form, and what brings partitions together or takes them apart.
fn is_plain(plan: &Arc<dyn ExecutionPlan>) -> bool {
    const BETWEEN: [&str; 3] = [
        "CoalescePartitionsExec",
        "RepartitionExec",
        "SortPreservingMergeExec",
    ];
    let is_window = plan.is::<WindowAggExec>() || plan.is::<BoundedWindowAggExec>();
    plan.output_partitioning().partition_count() == 1
        && plan.boundedness() == Boundedness::Bounded
        && !is_window
        && !BETWEEN.contains(&plan.name())
        && plan.children().into_iter().all(is_plain)
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

    #[test]
    fn the_plan_is_that_of_datafusion() {
        let queries = [
            (
                "SELECT id, count(*) AS n FROM t WHERE name <> 'x' GROUP BY id",
                true,
            ),
            (
                "SELECT id, array_agg(name ORDER BY name) AS l FROM t GROUP BY id",
                true,
            ),
            (
                "SELECT id, array_agg(DISTINCT name ORDER BY name) AS l, first_value(name ORDER BY id, name) AS f FROM t GROUP BY id ORDER BY id",
                true,
            ),
            (
                "SELECT id FROM (SELECT id, name FROM t ORDER BY id, name) ORDER BY id LIMIT 2",
                true,
            ),
            (
                "SELECT DISTINCT ON (id) id, name FROM t ORDER BY id, name DESC",
                true,
            ),
            (
                "SELECT t.id, u.name FROM t JOIN u ON t.id = u.id AND t.name = u.name ORDER BY t.id",
                true,
            ),
            (
                "SELECT t.id FROM t LEFT JOIN u ON t.id < u.id WHERE t.id IN (SELECT id FROM u WHERE name = 'b')",
                true,
            ),
            ("SELECT id FROM t WHERE id = (SELECT max(id) FROM u)", true),
            (
                "SELECT id, row_number() OVER (PARTITION BY name ORDER BY id) AS r FROM t",
                false,
            ),
            (
                "SELECT id, count(*) AS n FROM (SELECT id FROM t UNION ALL SELECT id FROM u) GROUP BY id ORDER BY n",
                false,
            ),
        ];
        let whole = context().state();
        let mut rules = whole.physical_optimizers().to_vec();
        put_among(&mut rules);
        let own = SessionStateBuilder::new_from_existing(whole.clone());
        let own = own.with_physical_optimizer_rules(rules).build();
        let runtime = Runtime::new().expect("threads");
        for (sql, has_one) in queries {
            let (want, _) = runtime.block_on(made(whole.clone(), sql));
            let (got, is_plain) = runtime.block_on(made(own.clone(), sql));
            assert_eq!(got, want, "{sql}");
            assert_eq!(is_plain, has_one, "{sql}");
        }
    }
}
