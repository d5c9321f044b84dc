//! Joins of many rows with many give way between parts of their work.
//!
//! A join holds one side and goes through the other batch by batch. It compares all pairs of a batch whose keys are equal before it asks for the next
//! one (DataFusion 55.2, `HashJoinExec` and `NestedLoopJoinExec`): of a condition of its own, and of rows that are only looked for, nothing may come
//! out meanwhile, and the thread is held for the pairs of thousands of rows with millions. Here such a join gets so much of a batch at a time as it is
//! done with in a moment, and between two parts others run.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::JoinType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PhysicalExpr,
    PlanProperties, replace_children_if_necessary,
};
use futures::{Stream, StreamExt};

/// The name of the rule.
pub(super) const NAME: &str = "pacing";
/// After a part that took so long others run.
const A_WHILE: Duration = Duration::from_millis(10);
/// Pairs of rows that the first part may have. The next one is twice as large after a whole part that took less than [`SHORT`] …
const PAIRS: usize = 1 << 16;
const SHORT: Duration = Duration::from_millis(100);
/// … and half as large after one that took longer than this.
const LONG: Duration = Duration::from_millis(250);
/// So many it never exceeds, however quick the last one was: it may have had no pair, and the next one has all. To try a condition takes longer than
/// to find a pair.
const MOST_TRIED: usize = 1 << 25;
const MOST_FOUND: usize = 1 << 30;

/// Counts the rows that a join holds, and cuts those that it goes through. It comes last: no other rule knows these nodes.
#[derive(Debug)]
pub(super) struct Pacing;

impl PhysicalOptimizerRule for Pacing {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let paced = plan.transform_up(|node| {
            let Some(most) = most(&node) else {
                return Ok(Transformed::no(node));
            };
            let [held, passing] = node.children()[..] else {
                return Ok(Transformed::no(node));
            };
            let parts = held.output_partitioning().partition_count().max(1);
            let rows: Arc<[AtomicUsize]> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
            let sides = [(held, Side::Held), (passing, Side::Passing(most))];
            let sides = sides.map(|(input, side)| -> Arc<dyn ExecutionPlan> {
                Arc::new(PacedExec {
                    input: Arc::clone(input),
                    side,
                    held: Arc::clone(&rows),
                })
            });
            replace_children_if_necessary(node, sides.into()).map(Transformed::yes)
        });
        Ok(paced?.data)
    }

    fn name(&self) -> &str {
        NAME
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// How many pairs a part of a join may have; nothing of one of which something comes out for each pair, and of what is no join.
fn most(node: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let (ty, has_condition, most) = if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let most = match join.filter() {
            Some(_) => MOST_TRIED,
            None => MOST_FOUND,
        };
        (*join.join_type(), join.filter().is_some(), most)
    } else {
        let join = node.downcast_ref::<NestedLoopJoinExec>()?;
        // It tries all pairs: each part takes as long as the one before.
        (*join.join_type(), join.filter().is_some(), usize::MAX)
    };
    let gives_pairs = matches!(
        ty,
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
    );
    (has_condition || !gives_pairs).then_some(most)
}

/// A side of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// All of its rows are held.
    Held,
    /// It is gone through, in parts of so many pairs at most.
    Passing(usize),
}

/// A side of a join that gives way: the same rows in the same order.
#[derive(Debug)]
struct PacedExec {
    input: Arc<dyn ExecutionPlan>,
    side: Side,
    /// Rows that the join holds, by the partition that they are in.
    held: Arc<[AtomicUsize]>,
}

impl DisplayAs for PacedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.side {
            Side::Held => "PacedExec: held",
            Side::Passing(_) => "PacedExec: passing",
        })
    }
}

impl ExecutionPlan for PacedExec {
    fn name(&self) -> &str {
        "PacedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(match children.pop() {
            Some(input) => Arc::new(PacedExec {
                input,
                side: self.side,
                held: Arc::clone(&self.held),
            }),
            None => self,
        })
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        // One partition of rows that are held is there for all of the others.
        let partition_held = partition.min(self.held.len() - 1);
        if self.side == Side::Held {
            // The plan may have run before.
            self.held[partition_held].store(0, Ordering::Relaxed);
        }
        Ok(Box::pin(Paced {
            input: self.input.execute(partition, context)?,
            side: self.side,
            held: Arc::clone(&self.held),
            partition: partition_held,
            rest: None,
            rows: 0,
            given: None,
        }))
    }
}

/// The rows of a side.
struct Paced {
    input: SendableRecordBatchStream,
    side: Side,
    held: Arc<[AtomicUsize]>,
    /// In which the rows are that are held for these.
    partition: usize,
    /// Of a batch that was cut, what is still to come.
    rest: Option<RecordBatch>,
    /// How many a part has; none was given out before it is known.
    rows: usize,
    /// When the last part was, and whether it was a whole one.
    given: Option<(Instant, bool)>,
}

impl Paced {
    fn held(&self) -> &AtomicUsize {
        &self.held[self.partition]
    }

    /// How many rows have so many pairs.
    fn of_pairs(&self, pairs: usize) -> usize {
        (pairs / self.held().load(Ordering::Relaxed).max(1)).max(1)
    }

    /// Whether others are to run before the next part. How long the last one took says how large that is.
    fn gives_way(&mut self) -> bool {
        let given = self.given.take();
        given.is_some_and(|(given, is_whole)| self.took(given.elapsed(), is_whole))
    }

    fn took(&mut self, took: Duration, is_whole: bool) -> bool {
        if took < SHORT && is_whole {
            self.rows = self.rows.saturating_mul(2);
        } else if took > LONG {
            self.rows = (self.rows / 2).max(1);
        }
        took >= A_WHILE
    }

    /// The first part of a batch, of so many pairs at most; the rest is kept.
    fn part(&mut self, batch: RecordBatch, most: usize) -> RecordBatch {
        if self.rows == 0 {
            // All that is held is there before anything passes.
            self.rows = self.of_pairs(PAIRS);
        }
        self.rows = self.rows.min(self.of_pairs(most));
        let rows = batch.num_rows();
        self.given = Some((Instant::now(), rows >= self.rows));
        if rows <= self.rows {
            return batch;
        }
        self.rest = Some(batch.slice(self.rows, rows - self.rows));
        batch.slice(0, self.rows)
    }
}

impl Stream for Paced {
    type Item = Result<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let own = self.get_mut();
        if own.gives_way() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = match own.rest.take() {
            Some(rest) => Some(Ok(rest)),
            None => std::task::ready!(own.input.poll_next_unpin(context)),
        };
        Poll::Ready(match (next, own.side) {
            (Some(Ok(batch)), Side::Held) => {
                own.held().fetch_add(batch.num_rows(), Ordering::Relaxed);
                Some(Ok(batch))
            }
            (Some(Ok(batch)), Side::Passing(most)) => Some(Ok(own.part(batch, most))),
            (other, _) => other,
        })
    }
}

impl RecordBatchStream for Paced {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::datatypes::Schema;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use crate::engine::{Options, Session, Source, output};
    use crate::fault;

    fn session(timeout: Option<Duration>) -> Session {
        let options = Options {
            threads: Some(1),
            timeout,
            ..Options::default()
        };
        Session::open(Source::Memory(Vec::new()), &options).expect("a session")
    }

    fn numbers(of: std::ops::Range<i64>) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(of));
        RecordBatch::try_from_iter([("x", numbers)]).expect("a column")
    }

    #[test]
    fn a_join_that_finds_nothing_ends_with_its_time_and_others_run() {
        let mut session = session(Some(Duration::from_secs(3)));
        // Few enough rows for the short way to a plan.
        session
            .add_watchlist("few", numbers(0..2700))
            .expect("a list");
        let few = "watchlists.few";
        let rows = "SELECT unnest(range(0, 300000)) AS x, 1 AS k";
        // The first batches have no pair at all.
        let later = "SELECT x, CASE WHEN x < 60000 THEN -x ELSE 1 END AS k FROM (SELECT unnest(range(0, 300000)) AS x)";
        let looks = "md5(concat(a.x, '-', b.x)) LIKE 'none%'";
        let endless = [
            format!("SELECT count(*) FROM ({rows}) a JOIN ({rows}) b ON a.k = b.k AND {looks}"),
            format!(
                "SELECT count(*) FROM ({rows}) a JOIN ({later}) b ON a.k = b.k AND (a.x + b.x) % 7 = 9"
            ),
            format!("SELECT count(*) FROM ({rows}) a JOIN ({rows}) b ON {looks}"),
            format!(
                "SELECT count(*) FROM ({rows}) a WHERE NOT EXISTS (SELECT 1 FROM ({rows}) b WHERE a.k = b.k AND {looks})"
            ),
            format!(
                "SELECT count(*) FROM {few} a, {few} b, {few} c WHERE md5(concat(a.x, '-', b.x, '-', c.x)) LIKE 'none%'"
            ),
        ];
        for sql in &endless {
            let queries = [sql.as_str(), "SELECT 7"];
            let plan = |number: usize| -> fault::Result<_> {
                let frame = session.plan(queries[number])?;
                Ok((crate::engine::fitted(frame)?, ()))
            };
            let begun = Instant::now();
            let mut outcomes = session.collect_all(queries.len(), 1, plan, |_| {}, |_| {});
            let (quick, _) = outcomes.pop().expect("the last");
            let quick = quick.expect("an answer");
            let cell = output::cell(quick.batches[0].column(0), 0).expect("a value");
            assert_eq!(cell, "7", "{sql}");
            for (late, _) in outcomes {
                assert!(matches!(late, Err(fault::Error::TooLong(_))), "{sql}");
            }
            // It would take hours.
            assert!(begun.elapsed() < Duration::from_secs(60), "{sql}");
        }
    }

    #[test]
    fn a_join_in_parts_gives_the_same() {
        let session = session(None);
        // More pairs than the first parts may have, of which few are wanted.
        let rows = "SELECT unnest(range(0, 9000)) AS x, 1 AS k";
        let condition = "a.k = b.k AND a.x + b.x = 8998 AND a.x % 3 = 0";
        let looked = format!("SELECT 1 FROM ({rows}) b WHERE {condition}");
        let with_null =
            format!("SELECT CASE WHEN x = 8999 THEN NULL ELSE x END AS x FROM ({rows})");
        for (sql, want) in [
            (
                format!("SELECT count(b.x) FROM ({rows}) a JOIN ({rows}) b ON {condition}"),
                "3000",
            ),
            (
                format!("SELECT count(b.x) FROM ({rows}) a LEFT JOIN ({rows}) b ON {condition}"),
                "3000",
            ),
            (
                format!("SELECT count(*) FROM ({rows}) a LEFT JOIN ({rows}) b ON {condition}"),
                "9000",
            ),
            (
                format!("SELECT count(a.x) FROM ({rows}) a RIGHT JOIN ({rows}) b ON {condition}"),
                "3000",
            ),
            (
                format!("SELECT count(*) FROM ({rows}) a FULL JOIN ({rows}) b ON {condition}"),
                "15000",
            ),
            (
                format!("SELECT count(*) FROM ({rows}) a WHERE EXISTS ({looked})"),
                "3000",
            ),
            (
                format!("SELECT count(*) FROM ({rows}) a WHERE NOT EXISTS ({looked})"),
                "6000",
            ),
            (
                format!("SELECT count(*) FROM ({rows}) a WHERE EXISTS ({looked}) OR a.x < 3"),
                "3002",
            ),
            (
                format!(
                    "SELECT count(*) FROM ({rows}) a WHERE x NOT IN (SELECT x * 2 FROM ({rows}))"
                ),
                "4500",
            ),
            (
                format!("SELECT count(*) FROM ({rows}) a WHERE x NOT IN ({with_null})"),
                "0",
            ),
            (
                format!("SELECT count(*) FROM ({rows}) a JOIN ({rows}) b ON a.x + b.x < 3"),
                "6",
            ),
        ] {
            let (_, batches) = session.collect(&sql).expect(&sql);
            let cell = output::cell(batches[0].column(0), 0).expect("a value");
            assert_eq!(cell, want, "{sql}");
        }
    }

    #[test]
    fn parts_grow_while_they_are_short_and_shrink_when_they_are_long() {
        let none = futures::stream::empty();
        let none = RecordBatchStreamAdapter::new(Arc::new(Schema::empty()), none);
        let mut paced = Paced {
            input: Box::pin(none),
            side: Side::Passing(PAIRS * 4),
            held: Arc::new([AtomicUsize::new(PAIRS / 4)]),
            partition: 0,
            rest: None,
            rows: 0,
            given: None,
        };
        let most = PAIRS * 4;
        let none = Duration::ZERO;
        assert!(!paced.gives_way());
        assert_eq!(paced.part(numbers(0..100), most).num_rows(), 4);
        let rest = paced.rest.take().expect("what was cut off");
        assert_eq!(rest.num_rows(), 96);
        for (took, is_whole, gives_way, rows) in [
            (none, true, false, 8),
            (none, true, false, 16),
            // More would have too many pairs.
            (none, true, false, 16),
            (A_WHILE, true, true, 16),
            (SHORT, true, true, 16),
            (LONG * 2, true, true, 8),
            // A part that was no whole one says nothing, but for how long it took.
            (none, false, false, 8),
            (LONG * 2, false, true, 4),
        ] {
            assert_eq!(paced.took(took, is_whole), gives_way, "{took:?}");
            assert_eq!(paced.part(numbers(0..100), most).num_rows(), rows);
        }
        assert_eq!(paced.part(numbers(0..3), most).num_rows(), 3);
        assert!(matches!(paced.given, Some((_, false))));
    }
}
