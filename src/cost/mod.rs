//! What records weigh as Log Analytics bills them, and what they would cost at the prices that somebody names.
//!
//! - [`weigh()`](weigh()): records and bytes per table, operation and day; `size`: the bytes of a record, as a column of a query.
//! - [`prices`]: a price list, read from a file. None is built in.
//! - [`bill`]: the weights at these prices, for each plan.
//! - [`readers`]: which operations the rules of a pack look at.
//!
//! The size of a record is a string form of its columns (Azure Monitor, "Cost calculations and options", `logs/cost-logs.md`); how values of
//! other types than text are written is not published, and `_BilledSize` in an export says how far an estimate is off. `telemetry`: rows of
//! Application Insights, which is billed by what was sent. Prints nothing, and knows no price.

pub mod bill;
pub mod prices;
pub mod readers;
mod size;
mod telemetry;
mod weigh;

pub use weigh::{Told, Weight, day_text, disk, weigh};

/// Bytes of a GB, as Azure bills it.
pub const GB: f64 = 1e9;

/// A plan of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// Analytics Logs, over which rules run.
    Analytics,
    /// Basic Logs.
    Basic,
    /// Auxiliary Logs.
    Auxiliary,
    /// The data lake alone.
    Lake,
}

impl Plan {
    /// All plans.
    pub const ALL: [Plan; 4] = [Plan::Analytics, Plan::Basic, Plan::Auxiliary, Plan::Lake];

    /// Its name in price files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Plan::Analytics => "analytics",
            Plan::Basic => "basic",
            Plan::Auxiliary => "auxiliary",
            Plan::Lake => "lake",
        }
    }

    /// Whether the columns count that are free on the other two.
    pub fn counts_standard_columns(self) -> bool {
        matches!(self, Plan::Auxiliary | Plan::Lake)
    }
}
