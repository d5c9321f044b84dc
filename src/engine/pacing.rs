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
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
    replace_children_if_necessary,
};
use futures::{Stream, StreamExt};

/// The name of the rule.
const NAME: &str = "pacing";
/// Pairs of rows that the first part may have. The next one is twice as large after a part that took less than [`SHORT`] …
const PAIRS: usize = 1 << 22;
const SHORT: Duration = Duration::from_millis(50);
/// … and half as large after one that took longer than this.
const LONG: Duration = Duration::from_millis(500);

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
            if !may_be_silent(&node) {
                return Ok(Transformed::no(node));
            }
            let [held, passing] = node.children()[..] else {
                return Ok(Transformed::no(node));
            };
            let rows = Arc::new(AtomicUsize::new(0));
            let sides = [(held, Side::Held), (passing, Side::Passing)];
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

/// Whether a join may go through many pairs of which nothing comes out.
fn may_be_silent(node: &Arc<dyn ExecutionPlan>) -> bool {
    let gives_pairs = |ty: JoinType| {
        matches!(
            ty,
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
        )
    };
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        return join.filter().is_some() || !gives_pairs(*join.join_type());
    }
    let loops = node.downcast_ref::<NestedLoopJoinExec>();
    loops.is_some_and(|join| join.filter().is_some() || !gives_pairs(*join.join_type()))
}

/// A side of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// All of its rows are held.
    Held,
    /// It is gone through.
    Passing,
}

/// A side of a join that gives way: the same rows in the same order.
#[derive(Debug)]
struct PacedExec {
    input: Arc<dyn ExecutionPlan>,
    side: Side,
    /// Rows that the join holds.
    held: Arc<AtomicUsize>,
}

impl DisplayAs for PacedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.side {
            Side::Held => "PacedExec: held",
            Side::Passing => "PacedExec: passing",
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
        if self.side == Side::Held && partition == 0 {
            // The plan may have run before.
            self.held.store(0, Ordering::Relaxed);
        }
        Ok(Box::pin(Paced {
            input: self.input.execute(partition, context)?,
            side: self.side,
            held: Arc::clone(&self.held),
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
    held: Arc<AtomicUsize>,
    /// Of a batch that was cut, what is still to come.
    rest: Option<RecordBatch>,
    /// How many a part has; none was given out before it is known.
    rows: usize,
    /// When the last part was.
    given: Option<Instant>,
}

impl Paced {
    /// Whether others are to run before the next part. How long the last one took says how large that is.
    fn gives_way(&mut self) -> bool {
        let Some(took) = self.given.take().map(|given| given.elapsed()) else {
            return false;
        };
        match took {
            short if short < SHORT => self.rows = self.rows.saturating_mul(2),
            long if long > LONG => self.rows = (self.rows / 2).max(1),
            _ => {}
        }
        took >= SHORT
    }

    /// The first part of a batch; the rest is kept.
    fn part(&mut self, batch: RecordBatch) -> RecordBatch {
        if self.rows == 0 {
            // All that is held is there before anything passes.
            self.rows = (PAIRS / self.held.load(Ordering::Relaxed).max(1)).max(1);
        }
        self.given = Some(Instant::now());
        let rows = batch.num_rows();
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
                own.held.fetch_add(batch.num_rows(), Ordering::Relaxed);
                Some(Ok(batch))
            }
            (Some(Ok(batch)), Side::Passing) => Some(Ok(own.part(batch))),
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
    use std::time::Duration;

    use crate::engine::{Options, Session, Source, output};
    use crate::fault::Error;

    fn session(timeout: Option<Duration>) -> Session {
        let options = Options {
            threads: Some(1),
            timeout,
            ..Options::default()
        };
        Session::open(Source::Memory(Vec::new()), &options).expect("a session")
    }

    #[test]
    fn a_join_that_finds_nothing_ends_with_its_time_and_others_run() {
        let session = session(Some(Duration::from_secs(1)));
        let rows = "SELECT unnest(range(0, 300000)) AS x, 1 AS k";
        let looks = "md5(concat(a.x, '-', b.x)) LIKE 'none%'";
        let endless = [
            format!("SELECT count(*) FROM ({rows}) a JOIN ({rows}) b ON a.k = b.k AND {looks}"),
            format!("SELECT count(*) FROM ({rows}) a JOIN ({rows}) b ON {looks}"),
            format!(
                "SELECT count(*) FROM ({rows}) a WHERE NOT EXISTS (SELECT 1 FROM ({rows}) b WHERE a.k = b.k AND {looks})"
            ),
        ];
        for sql in &endless {
            let queries = [sql.as_str(), "SELECT 7"];
            let plan = |number: usize| -> crate::fault::Result<_> {
                Ok((session.plan(queries[number])?, ()))
            };
            let begun = Instant::now();
            let mut outcomes = session.collect_all(queries.len(), 1, plan, |_| {}, |_| {});
            let (quick, _) = outcomes.pop().expect("the last");
            let quick = quick.expect("an answer");
            let cell = output::cell(quick.batches[0].column(0), 0).expect("a value");
            assert_eq!(cell, "7", "{sql}");
            for (late, _) in outcomes {
                assert!(matches!(late, Err(Error::TooLong(_))), "{sql}");
            }
            // It would take hours.
            assert!(begun.elapsed() < Duration::from_secs(60), "{sql}");
        }
    }

    #[test]
    fn a_join_in_parts_gives_the_same() {
        let session = session(None);
        // More pairs than the first part may have, of which few are wanted.
        let rows = "SELECT unnest(range(0, 9000)) AS x, 1 AS k";
        let condition = "a.k = b.k AND a.x + b.x = 8998 AND a.x % 3 = 0";
        for (sql, want) in [
            (
                format!("SELECT count(*) FROM ({rows}) a JOIN ({rows}) b ON {condition}"),
                "3000",
            ),
            (
                format!("SELECT count(*) FROM ({rows}) a LEFT JOIN ({rows}) b ON {condition}"),
                "9000",
            ),
            (
                format!("SELECT count(*) FROM ({rows}) a RIGHT JOIN ({rows}) b ON {condition}"),
                "9000",
            ),
            (
                format!("SELECT count(*) FROM ({rows}) a FULL JOIN ({rows}) b ON {condition}"),
                "15000",
            ),
            (
                format!(
                    "SELECT count(*) FROM ({rows}) a WHERE NOT EXISTS (SELECT 1 FROM ({rows}) b WHERE {condition})"
                ),
                "6000",
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
        let schema = SchemaRef::new(arrow::datatypes::Schema::empty());
        let none = futures::stream::empty();
        let none = datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(schema, none);
        let mut paced = Paced {
            input: Box::pin(none),
            side: Side::Passing,
            held: Arc::new(AtomicUsize::new(PAIRS / 4)),
            rest: None,
            rows: 0,
            given: None,
        };
        let numbers: arrow::array::ArrayRef =
            Arc::new(arrow::array::Int64Array::from((0..100).collect::<Vec<_>>()));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).expect("a column");
        assert!(!paced.gives_way());
        assert_eq!(paced.part(batch).num_rows(), 4);
        let rest = paced.rest.take().expect("what was cut off");
        assert_eq!(rest.num_rows(), 96);
        assert!(!paced.gives_way());
        assert_eq!(paced.part(rest).num_rows(), 8);
        paced.given = Instant::now().checked_sub(LONG * 2);
        assert!(paced.gives_way());
        assert!(!paced.gives_way());
        assert_eq!(paced.rows, 4);
    }
}
