//! Plans that give no row, whatever the moment, because what they read has none.

use datafusion::common::JoinType;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::kql;

/// Whether a plan is certain to give no row. DataFusion's own optimizer says it of fewer: not behind `unnest`, nor of rows that are made first.
pub(super) fn gives_none(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::EmptyRelation(empty) => !empty.produce_one_row,
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::Union(_) => plan.inputs().into_iter().all(gives_none),
        LogicalPlan::Aggregate(aggregate) => {
            // Without groups there is a row over nothing, and so there may be in a set of several groupings.
            let groups = &aggregate.group_expr;
            let is_plain = !groups.iter().any(|e| matches!(e, Expr::GroupingSet(_)));
            !groups.is_empty() && is_plain && gives_none(&aggregate.input)
        }
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => {
                gives_none(&join.left) || gives_none(&join.right)
            }
            JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => gives_none(&join.left),
            JoinType::Right | JoinType::RightAnti | JoinType::RightMark => gives_none(&join.right),
            JoinType::Full => gives_none(&join.left) && gives_none(&join.right),
        },
        LogicalPlan::Extension(node) => kql::row_by_row(node).is_some_and(gives_none),
        _ => false,
    }
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
}
