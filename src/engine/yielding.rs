//! Operators that make many rows of few give way to others.
//!
//! A query gives way where it reads: DataFusion counts what comes out of leaves (55.2, `EnsureCooperative`). A join can make millions of rows of two
//! batches, and who groups or filters them asks for the next in a loop: such a query holds its thread for as long as it likes, ends neither with its
//! time nor when it is given up, and nothing else runs there.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

/// The name of the rule.
pub(super) const NAME: &str = "yielding";

/// Operators that make more rows than they read.
const MAKE_MORE: [&str; 6] = [
    "CrossJoinExec",
    "HashJoinExec",
    "NestedLoopJoinExec",
    "PiecewiseMergeJoinExec",
    "SortMergeJoinExec",
    "UnnestExec",
];

/// Counts what comes out of such operators, too.
#[derive(Debug)]
pub(super) struct Yielding;

impl PhysicalOptimizerRule for Yielding {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let counted = plan.transform_up(|node| {
            Ok(match MAKE_MORE.contains(&node.name()) {
                true => Transformed::yes(Arc::new(CooperativeExec::new(node)) as _),
                false => Transformed::no(node),
            })
        });
        Ok(counted?.data)
    }

    fn name(&self) -> &str {
        NAME
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::engine::{Options, Session, Source, output};
    use crate::fault::{Error, Result};

    #[test]
    fn a_join_of_all_with_all_ends_with_its_time_and_others_run() {
        let options = Options {
            threads: Some(1),
            timeout: Some(Duration::from_secs(1)),
            ..Options::default()
        };
        let session = Session::open(Source::Memory(Vec::new()), &options).expect("a session");
        let rows = "SELECT unnest(range(0, 300000)) AS x, 1 AS k";
        // The most is sought above the join: a condition would be the join's own.
        let most = "SELECT max(md5(concat(a.x, '-', b.x))) FROM";
        let endless = [
            format!("{most} ({rows}) a JOIN ({rows}) b ON a.k = b.k"),
            format!("{most} ({rows}) a CROSS JOIN ({rows}) b"),
        ];
        let queries = [endless[0].as_str(), endless[1].as_str(), "SELECT 7"];
        let plan = |number: usize| -> Result<_> { Ok((session.plan(queries[number])?, ())) };
        let begun = Instant::now();
        let mut outcomes = session.collect_all(queries.len(), 1, plan, |_| {}, |_| {});
        let (quick, _) = outcomes.pop().expect("the last");
        let quick = quick.expect("an answer");
        assert_eq!(
            output::cell(quick.batches[0].column(0), 0).expect("a value"),
            "7"
        );
        for (late, _) in outcomes {
            assert!(matches!(late, Err(Error::TooLong(_))));
        }
        // They would take hours.
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
