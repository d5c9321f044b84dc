//! Rows of an answer, wherever they are worked out: what is written of them does not know.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;

use crate::cluster::Asked;
use crate::engine::Session;
use crate::engine::output;
use crate::fault::Result;

/// Rows of one answer.
pub(super) enum Rows<'a> {
    /// Of a query that this session has planned.
    Here(&'a Session, Box<DataFrame>),
    /// Of one that a worker answers.
    There(Box<Asked<'a>>),
}

impl<'a> Rows<'a> {
    /// Those of a query that this session has planned.
    pub(super) fn here(session: &'a Session, frame: DataFrame) -> Self {
        Rows::Here(session, Box::new(frame))
    }

    /// Those of a query that a worker answers.
    pub(super) fn there(asked: Asked<'a>) -> Self {
        Rows::There(Box::new(asked))
    }

    /// Their columns, with the marks that say what Kusto calls the types. Batches need not have them.
    pub(super) fn schema(&self) -> SchemaRef {
        match self {
            Rows::Here(_, frame) => output::schema(frame),
            Rows::There(asked) => Arc::clone(&asked.schema),
        }
    }

    /// Hands on the rows as they come.
    ///
    /// # Errors
    /// When the query fails, its worker is lost, or what `each` returns.
    pub(super) fn stream(self, each: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        match self {
            Rows::Here(session, frame) => session.stream(*frame, each),
            Rows::There(asked) => asked.stream(each),
        }
    }
}
