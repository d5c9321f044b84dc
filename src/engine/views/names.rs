//! The views by name, and which of their columns are kept beside those of the product.

pub use crate::catalog::LABEL_EVENTS;
use crate::catalog::{EXTRA, INGEST_ID, RECORD, SECOND_TIME, catalog};

/// Table of Azure Information Protection's analytics; its view has the denials of all sources.
pub const INFORMATION_PROTECTION_LOGS: &str = "InformationProtectionLogs_CL";
/// Microsoft's function over `InformationProtectionLogs_CL`.
pub const INFORMATION_PROTECTION_EVENTS: &str = "InformationProtectionEvents";
/// Column of views that points at file and record: `ingest:record`.
pub const SOURCE: &str = "_Source";

/// Whether there is a view of this name.
pub fn exists(name: &str) -> bool {
    name == LABEL_EVENTS
        || name == INFORMATION_PROTECTION_EVENTS
        || catalog().get(name).is_some_and(|t| t.name == name)
        || catalog().foreign(name).is_some()
}

/// The words of a query: names of columns among them, however they are quoted.
pub(in crate::engine) fn words(query: &str) -> impl Iterator<Item = &str> {
    query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// Whether a column of a table or view is kept beside those that the product has. Such columns come to queries that name them.
pub(in crate::engine) fn is_beside(of: &str, column: &str) -> bool {
    match of {
        LABEL_EVENTS => [SECOND_TIME, INGEST_ID, RECORD, SOURCE].contains(&column),
        INFORMATION_PROTECTION_EVENTS => [INGEST_ID, RECORD, SOURCE].contains(&column),
        _ => match catalog().foreign(of).or_else(|| catalog().get(of)) {
            Some(table) => table.product.iter().all(|shown| *shown != column),
            // A table of a workspace's own.
            None => [EXTRA, INGEST_ID, RECORD, SOURCE].contains(&column),
        },
    }
}
