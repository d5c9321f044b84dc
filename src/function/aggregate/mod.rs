//! The aggregate functions: what each takes, gives and keeps while rows go by.
//!
//! One table ([`all`]) drives type checks, evaluation, names of results, help and tests. An [`Accumulator`] takes the values of the arguments, row
//! after row; its partial state can be saved and joined with others, so a group may be worked on by several threads.
//!
//! Nothing here evaluates expressions, knows groups, or puts names of result columns together (see `kql::naming`).
//!
//! Where a result depends on rows that are not in the table of Microsoft's documentation (`summarize-operator`, defaults of
//! aggregations), it is that of Microsoft's engine in recorded answers: `avg` of nothing is NaN, sums of `long` wrap around.

mod accumulator;
mod collect;
mod definition;
mod extreme;
mod numbers;
mod percentile;
mod schema;
mod sketch;
mod state;
mod table;

pub use super::sketches::rank;
pub use accumulator::Accumulator;
pub use definition::{Aggregate, Check, Columnar, Results, Start};
pub use extreme::{Choice, End};
pub use percentile::{nearest, percentages};
pub use state::{element, json_key};

/// The aggregate of that name. Kusto's names are case-sensitive.
pub fn get(name: &str) -> Option<&'static Aggregate> {
    all().find(|aggregate| aggregate.name == name)
}

/// All aggregates.
pub fn all() -> impl Iterator<Item = &'static Aggregate> {
    table::TABLES.into_iter().flatten()
}

#[cfg(test)]
mod tests;
