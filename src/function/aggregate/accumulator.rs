//! The state of an aggregate.

use std::fmt::Debug;

use crate::function::value::{Json, Value};

/// The state of an aggregate over the rows of one group.
pub trait Accumulator: Send + Sync + Debug {
    /// Takes the values of the arguments in one row.
    fn add(&mut self, row: &[Value]);

    /// The result: that of the first column if there are several. The state is used up.
    fn finish(&mut self) -> Value;

    /// The results, one for each column. The state is used up.
    fn finish_all(&mut self) -> Vec<Value> {
        vec![self.finish()]
    }

    /// The state, for [`Accumulator::merge`] of another accumulator of the same aggregate, types and constants.
    fn save(&self) -> Json;

    /// Joins a saved state to this one, as if its rows had come after those seen here. What is no such state adds nothing.
    fn merge(&mut self, state: &Json);

    /// Bytes it holds, about.
    fn size(&self) -> usize;
}
