//! What an ingest does to rows, as functions: a test puts faulty ones in their place.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::blocks::{Convert, Piece};
use super::writer::Write;
use crate::fault::Result;

/// The functions.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// Makes rows of a block.
    pub convert: Convert,
    /// Gives rows their lineage: the number of the ingest, and how many records stand before them in their file.
    pub place: fn(&Piece, &SchemaRef, i64, u64) -> Result<RecordBatch>,
    /// Writes a file of the archive.
    pub write: Write,
}
