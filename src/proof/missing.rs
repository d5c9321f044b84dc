//! What is missing, as it is told.

use serde_json::Value;

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Hours without an event that usually have some, or eight weeks and more without any in all of a table.
    Hole,
    /// Hours with far fewer events than usual.
    LowHours,
    /// An export that ends at a number of records at which exports end.
    Cap,
    /// A file that was not read to its end.
    Incomplete,
    /// A workload that is not there, or only for a part of the time.
    MissingWorkload,
    /// Events outside the range that the name of their file states.
    OutsideRange,
    /// Times that cannot be right, or may be in another zone.
    ZoneDoubt,
    /// Events without a time: no window finds them.
    NoTime,
}

impl Kind {
    /// All kinds, in the order in which findings are listed.
    pub const ALL: [Kind; 8] = [
        Kind::Hole,
        Kind::LowHours,
        Kind::Cap,
        Kind::Incomplete,
        Kind::MissingWorkload,
        Kind::OutsideRange,
        Kind::ZoneDoubt,
        Kind::NoTime,
    ];

    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Hole => "hole",
            Kind::LowHours => "low-hours",
            Kind::Cap => "cap",
            Kind::Incomplete => "incomplete",
            Kind::MissingWorkload => "missing-workload",
            Kind::OutsideRange => "outside-range",
            Kind::ZoneDoubt => "zone-doubt",
            Kind::NoTime => "no-time",
        }
    }
}

/// One thing that is missing or in doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The table, or the tables of a file.
    pub table: String,
    /// Beginning of the time it is about, in microseconds.
    pub from: Option<i64>,
    /// End of the time it is about, in microseconds.
    pub to: Option<i64>,
    /// What was expected: a number of events or records, or words.
    pub expected: Value,
    /// What there is.
    pub found: Value,
    /// The file or the workload; empty for all of a table.
    pub place: String,
    /// How it was told.
    pub why: String,
}

/// Our table of audit records.
pub(super) const AUDIT: &str = "UnifiedAuditLog";
