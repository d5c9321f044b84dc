//! A query that was lowered.

use std::sync::Arc;

use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;

use super::failure::Empty;
use super::native::Awaited;
use super::relation::Relation;

/// What is made when a query runs, and of which rows.
pub(super) type Parts = Vec<Made>;

/// A named part of a query.
pub(super) struct Made {
    /// The name of what is made; of a value, the value that stands for it.
    pub(super) name: String,
    /// The rows that it is made of.
    pub(super) plan: Arc<LogicalPlan>,
    pub(super) making: Making,
}

/// A query that was lowered.
pub(super) struct Lowered {
    pub(super) relation: Relation,
    /// What is made when it runs, or was made to plan it.
    pub(super) parts: Parts,
    /// Subqueries that were not run while it was planned.
    pub(super) awaited: Vec<Awaited>,
    /// Plugins that had no rows.
    pub(super) empty: Vec<Empty>,
    /// The memory of what was worked out to plan it.
    pub(super) room: MemoryReservation,
    /// Where its plan is run: what its phases have made is not made again.
    pub(super) state: SessionState,
    /// What else is to be said beside the answer.
    pub(super) notes: Vec<String>,
    /// It was lowered for no moment, and depends on the times of the question in a way that only lowering knows.
    pub(super) needs_times: bool,
}

/// How something is made of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Making {
    /// By going through them in their order.
    InOrder,
    /// They are worked out once, however often they are read.
    Once,
    /// It is their first value, and the plan has another one in its place.
    StandIn,
}
