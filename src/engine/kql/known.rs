//! What is known of the phases of a query while it is lowered.

use std::cell::RefCell;
use std::sync::Arc;

use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::session_state::SessionState;

use super::Failure;
use super::later::{Later, Rows};
use super::relation::Relation;
use crate::function::value::Value;

/// Gives the rows of phases: who lowers does not run them.
pub(super) type Answers<'a> =
    dyn Fn(&Relation, &MemoryReservation, &SessionState) -> Result<Rows, Failure> + 'a;

/// What is known of the phases of a query.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The rows of those that were run, in their order.
    rows: Vec<Rows>,
    /// Those that are to be run next. None of them is behind one that is not known.
    wanted: Vec<Relation>,
    /// The nodes of the plans so far.
    nodes: RefCell<Vec<Arc<Later>>>,
    /// What is random was drawn once, and is not drawn anew.
    drawn: RefCell<Vec<Value>>,
}

impl Known {
    /// Adds the rows of the next phase.
    pub(super) fn add(&mut self, rows: Rows) {
        self.rows.push(rows);
    }

    /// The rows of the phase of this number, where it was run.
    pub(super) fn rows(&self, number: usize) -> Option<&Rows> {
        self.rows.get(number)
    }

    /// Asks for the rows of a phase.
    pub(super) fn want(&mut self, phase: &Relation) {
        self.wanted.push(phase.clone());
    }

    /// The phases that are to be run next.
    pub(super) fn take_wanted(&mut self) -> Vec<Relation> {
        std::mem::take(&mut self.wanted)
    }

    /// This node, or an equal one of an earlier plan. Two plans with the same nodes are compared without going down into these.
    pub(super) fn node(&self, node: Later) -> Arc<Later> {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(same) = nodes.iter().find(|known| ***known == node) {
            return Arc::clone(same);
        }
        let node = Arc::new(node);
        nodes.push(Arc::clone(&node));
        node
    }

    /// The random value of this number; all before it were drawn.
    pub(super) fn drawn(&self, number: usize, draw: impl FnOnce() -> Value) -> Value {
        let mut drawn = self.drawn.borrow_mut();
        if let Some(value) = drawn.get(number) {
            return value.clone();
        }
        let value = draw();
        drawn.push(value.clone());
        value
    }
}
