//! A query that is run again and again over other rows: to plan it takes longer than to go through a few rows.
//!
//! Nodes that keep something between the runs of a plan, such as the side of a join that is held, are put back before each of them.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result as PlanResult;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};

use super::memory::{self, Held};
use super::session::Session;
use crate::fault::Result;

/// A query that is planned to the end, over rows that can be exchanged.
pub(super) struct Again {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    /// The rows of each slot, which stand in the plan.
    given: Vec<Arc<Exchanged>>,
}

/// Rows that can be exchanged, as a table.
#[derive(Debug)]
pub(super) struct Exchanged {
    schema: SchemaRef,
    rows: Mutex<Option<RecordBatch>>,
}

impl Exchanged {
    /// No rows of this schema.
    pub(super) fn new(schema: SchemaRef) -> Arc<Exchanged> {
        Arc::new(Exchanged {
            schema,
            rows: Mutex::new(None),
        })
    }

    /// The table that has whatever rows there are when it is read.
    pub(super) fn table(self: &Arc<Self>) -> PlanResult<StreamingTable> {
        let rows: Arc<dyn PartitionStream> = Arc::<Self>::clone(self);
        StreamingTable::try_new(Arc::clone(&self.schema), vec![rows])
    }

    /// Puts others in the place of the rows.
    pub(super) fn put(&self, rows: Option<RecordBatch>) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }
}

impl PartitionStream for Exchanged {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let most = context.session_config().batch_size().max(1);
        let parts = rows.clone().into_iter().flat_map(move |rows| {
            let all = rows.num_rows();
            let starts = (0..all).step_by(most);
            starts.map(move |from| Ok(rows.slice(from, most.min(all - from))))
        });
        let parts = futures::stream::iter(parts);
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            parts,
        ))
    }
}

impl Again {
    /// Plans an optimised query to the end, in which these rows stand; nothing where it reads more than rows that are held in memory.
    pub(super) fn of(
        session: &Session,
        mut state: SessionState,
        plan: &LogicalPlan,
        given: Vec<Arc<Exchanged>>,
    ) -> PlanResult<Option<Again>> {
        // A filter that a node hands down while it runs is not put back.
        let options = &mut state.config_mut().options_mut().optimizer;
        options.enable_dynamic_filter_pushdown = false;
        options.enable_join_dynamic_filter_pushdown = false;
        options.enable_topk_dynamic_filter_pushdown = false;
        options.enable_aggregate_dynamic_filter_pushdown = false;
        let plan = session.block_on(state.create_physical_plan(plan))?;
        let mut is_held = true;
        plan.apply(|node| {
            is_held &= !node.children().is_empty() || is_in_memory(node);
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(is_held.then(|| Again {
            plan,
            context: state.task_ctx(),
            given,
        }))
    }

    /// Runs it over rows, of each slot.
    pub(super) fn run(&mut self, session: &Session, rows: &[Option<RecordBatch>]) -> Result<Held> {
        self.plan = reset_plan_states(Arc::clone(&self.plan))?;
        for (slot, given) in self.given.iter().enumerate() {
            given.put(rows.get(slot).cloned().flatten());
        }
        let (plan, context) = (Arc::clone(&self.plan), Arc::clone(&self.context));
        let room = session.room().reserve("the rows of a rule");
        // Nodes start tasks when the stream is made.
        let held =
            session.run_here(async { memory::held(execute_stream(plan, context)?, room).await });
        self.given.iter().for_each(|given| given.put(None));
        held
    }
}

/// Whether a node that reads has what it reads in memory.
fn is_in_memory(node: &Arc<dyn ExecutionPlan>) -> bool {
    match node.downcast_ref::<DataSourceExec>() {
        Some(source) => !source.data_source().is::<FileScanConfig>(),
        None => {
            node.is::<StreamingTableExec>()
                || node.is::<EmptyExec>()
                || node.is::<PlaceholderRowExec>()
        }
    }
}
