//! The tables of the aggregate functions.

mod accepted;
mod numbers;
mod sketches;
mod values;

use super::definition::Aggregate;

/// The tables.
pub(super) const TABLES: [&[Aggregate]; 3] = [numbers::TABLE, values::TABLE, sketches::TABLE];
