//! Filters pushed into scans, where that cannot change the answer.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::ensure_coop::EnsureCooperative;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use super::pacing::Pacing;
use super::yielding::Yielding;

/// DataFusion's rules, the one that pushes filters into scans with a guard, behind the one that makes leaves give way one for joins, and behind all
/// one for what joins do between two rows.
pub(super) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let (inner, leaves) = (FilterPushdown::new(), EnsureCooperative::new());
    let rules = PhysicalOptimizer::new().rules.into_iter();
    let mut own: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> = Vec::new();
    for rule in rules {
        let is_leaves = rule.name() == leaves.name();
        own.push(match rule.name() == inner.name() {
            true => Arc::new(Guarded(FilterPushdown::new())),
            false => rule,
        });
        if is_leaves {
            own.push(Arc::new(Yielding));
        }
    }
    own.push(Arc::new(Pacing));
    own
}

/// DataFusion 55.2 pushes a filter over columns of both sides of an outer join into one side by the names of the columns alone, so that rows come that
/// the filter should drop (tests/it/sql.rs holds the query). Where both sides have a name in common, filters above the join stay where they are; those
/// below it, on either side, are pushed by themselves.
#[derive(Debug)]
struct Guarded(FilterPushdown);

impl PhysicalOptimizerRule for Guarded {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if !is_doubtful(&plan) {
            return self.0.optimize(plan, config);
        }
        let children = plan.children().into_iter().map(Arc::clone);
        let children: Vec<Arc<dyn ExecutionPlan>> = children
            .map(|child| self.optimize(child, config))
            .collect::<Result<_>>()?;
        replace_children_if_necessary(plan, children)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Whether the plan has an outer join whose sides have a name in common.
fn is_doubtful(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let outer = plan
        .downcast_ref::<HashJoinExec>()
        .map(|join| *join.join_type())
        .or_else(|| Some(plan.downcast_ref::<SortMergeJoinExec>()?.join_type()))
        .or_else(|| Some(*plan.downcast_ref::<NestedLoopJoinExec>()?.join_type()))
        .is_some_and(|ty| matches!(ty, JoinType::Left | JoinType::Right | JoinType::Full));
    let children = plan.children();
    if outer && let [left, right] = children.as_slice() {
        let left = left.schema();
        let names: HashSet<&String> = left.fields().iter().map(|f| f.name()).collect();
        let right = right.schema();
        if right.fields().iter().any(|f| names.contains(f.name())) {
            return true;
        }
    }
    children.into_iter().any(is_doubtful)
}
