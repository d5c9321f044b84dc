//! What becomes of a rule.

/// A query of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The query in KQL. A rule gives the rows of its table; a correlation `TimeGenerated` and `EndTime` of the first and the last event, what it
    /// groups by in small letters, and `Count`.
    pub text: String,
    /// The same with the events that a row rests on, in `_Source` or `_Sources`: columns that archives have, and Sentinel has not. A correlation of
    /// correlations has none.
    pub traced: String,
    /// The tables that it reads.
    pub tables: Vec<&'static str>,
    /// Watchlists that stand for the placeholders of `expand`: the values are their first columns. Without one the query cannot run.
    pub watchlists: Vec<String>,
    /// Fields that no column has. They are read from the record, as they are spelled.
    pub record_paths: Vec<String>,
    /// Searches that the rule describes and its condition does not ask for.
    pub unused_searches: Vec<String>,
    /// Entities that its rows name.
    pub entities: Vec<Entity>,
    /// Seconds that a correlation looks at together.
    pub seconds: Option<u64>,
}

/// An entity that a row names, as Sentinel maps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entity {
    /// `Account`, `IP`
    pub kind: &'static str,
    /// `FullName`, `Address`
    pub identifier: &'static str,
    /// The column that holds it.
    pub column: &'static str,
}
