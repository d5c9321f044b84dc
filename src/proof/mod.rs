//! What an archive says of itself: what is missing in it, and whether it is still what was written.
//!
//! - [`gaps`]: holes in time, exports that end at a cap, workloads that are missing, times in doubt.
//! - [`verify`]: files, hashes, counts and raw records against what the logs and the ledger say.
//!
//! Reads and nothing else: an archive is the same before and after. Knows nothing of rules and findings.

use chrono::DateTime;

mod baseline;
mod content;
mod exports;
mod files;
pub mod gaps;
mod hours;
mod missing;
mod records;
mod sheet;
mod sources;
pub mod verify;
mod workloads;

/// Microseconds as ISO 8601.
fn iso(t: i64) -> String {
    DateTime::from_timestamp_micros(t).map_or_else(
        || t.to_string(),
        |t| t.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}
