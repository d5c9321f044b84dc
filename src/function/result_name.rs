//! How a result column is named that a query gives no name.

/// The name of a column made by a function or an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultName {
    /// None: the column is numbered, `Column1`.
    Numbered,
    /// As its first argument is named.
    First,
    /// As its only argument is named; not at all if it has several.
    Only,
    /// A prefix, `_`, and the name of the first argument.
    Prefix(&'static str),
    /// A prefix and the names of the first two arguments.
    Both(&'static str),
    /// Always the same.
    Fixed(&'static str),
    /// After the first argument and each percentage: `percentile_x_99`.
    Percentages,
}
