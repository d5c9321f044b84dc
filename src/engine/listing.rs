//! What can be asked and has rows: `SHOW TABLES` of SQL, with the names that queries use.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::dataframe::DataFrame;

use super::options::WATCHLISTS;
use super::session::Session;
use super::views;
use crate::fault::Result;

/// Views that have rows of several tables.
const VIEWS: [&str; 6] = [
    views::LABEL_EVENTS,
    views::INFORMATION_PROTECTION_EVENTS,
    "InformationProtectionLogs_CL",
    "CloudAppEvents",
    "OfficeActivity",
    "UnifiedAuditLog",
];

impl Session {
    /// The tables whose rows are kept among those of no known table, by name.
    ///
    /// # Errors
    /// When these rows cannot be read, or the question's time is over.
    pub fn customs(&self) -> Result<Vec<String>> {
        let kept = self.block_until(views::custom::all(self))?;
        let made = self.block_until(views::custom::made_again(self))?;
        Ok(kept.union(made).cloned().collect())
    }

    /// Whether a column of such a table holds JSON.
    pub fn is_dynamic(&self, table: &str, column: &str) -> bool {
        self.customs.is_dynamic(table, column)
    }

    /// The tables, views, watchlists and files that can be asked: name and kind. Tables and watchlists without rows can be asked too and are not
    /// listed.
    ///
    /// # Errors
    /// When DataFusion refuses the list, which is a fault of coldtrail.
    pub fn listing(&self) -> Result<DataFrame> {
        let denials = views::has_protection_logs(self);
        let customs = self.customs()?;
        let of_watchlist = format!("{WATCHLISTS}.");
        let kind = |name: &str| match name {
            _ if self.files.iter().any(|file| file == name) => Some("file"),
            _ if name.starts_with(&of_watchlist) => Some("watchlist"),
            "InformationProtectionLogs_CL" if !denials => None,
            _ if VIEWS.contains(&name) => Some("view"),
            _ if views::alerts::are_shown(self, name) => Some("view"),
            _ if self.has(name) || customs.iter().any(|c| c == name) => Some("table"),
            _ => None,
        };
        let (mut names, mut kinds) = (Vec::new(), Vec::new());
        for name in self.names() {
            if let Some(kind) = kind(&name) {
                names.push(name);
                kinds.push(kind);
            }
        }
        let columns: [(&str, ArrayRef); 2] = [
            ("table_name", Arc::new(StringArray::from(names))),
            ("table_type", Arc::new(StringArray::from(kinds))),
        ];
        let batch = RecordBatch::try_from_iter(columns)?;
        Ok(self.context.read_batch(batch)?)
    }
}
