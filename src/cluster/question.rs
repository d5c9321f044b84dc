//! What is asked of a cluster by one query.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::TimeRange;
use crate::kql::library::Saved;
use crate::rules::Language;

/// A query in SQL or KQL, and all that its answer depends on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Query {
    /// Its language.
    pub language: Language,
    /// Its text.
    pub text: String,
    /// The times of its answer.
    pub window: TimeRange,
    /// Only events before this time, in microseconds, can be known at all.
    pub seen: Option<i64>,
    /// What `now()` says, in microseconds.
    pub now: i64,
    /// Whether all columns of a table stand for `*`, and not those of the product.
    pub all_columns: bool,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Saved functions of KQL.
    pub functions: Vec<Saved>,
    /// The archive's identity, as [`Session::identity`](crate::engine::Session::identity) says it.
    pub archive: String,
}
