//! What an aggregate keeps of many groups.

use arrow::array::{ArrayRef, BooleanArray};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;

/// What an aggregate keeps of all groups.
pub(super) trait State: Send + Sync + 'static {
    /// Makes room for so many groups.
    fn resize(&mut self, groups: usize);

    /// Takes the arguments of some rows.
    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()>;

    /// Takes what others kept.
    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()>;

    /// What is kept of the first groups, which are forgotten.
    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>>;

    /// The answers of the first groups, which are forgotten: one column for each result.
    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>>;

    /// Bytes that it holds, about.
    fn size(&self) -> usize;
}

/// Rows of a batch, each with its group.
pub(super) struct Rows<'r> {
    pub(super) groups: &'r [usize],
    /// Which of them count; all where there is nothing.
    pub(super) counted: Option<&'r BooleanArray>,
}

impl Rows<'_> {
    /// Number of the row and of its group, of those that count.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, usize)> {
        let rows = self.groups.iter().copied().enumerate();
        rows.filter(|(row, _)| self.counted.is_none_or(|c| c.value(*row)))
    }
}

/// The first so many of what is kept, which leave it.
pub(super) fn taken<T>(kept: &mut Vec<T>, emit: EmitTo) -> Vec<T> {
    emit.take_needed(kept)
}
