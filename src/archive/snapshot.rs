//! An archive at one moment: what was read, and the files of its tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::delta::FileEntry;
use super::ledger::Ledger;
use crate::catalog::{Table, catalog};

/// An archive at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// What was read.
    pub ledger: Arc<Ledger>,
    pub(super) tables: BTreeMap<&'static str, Vec<FileEntry>>,
}

impl Snapshot {
    /// Files of a table; none where it has no rows.
    pub fn files(&self, table: &Table) -> &[FileEntry] {
        self.tables.get(table.name).map_or(&[], Vec::as_slice)
    }

    /// Tables that have files, with those files.
    pub fn tables(&self) -> impl Iterator<Item = (&'static Table, &[FileEntry])> {
        catalog()
            .tables()
            .map(|t| (t, self.files(t)))
            .filter(|(_, files)| !files.is_empty())
    }

    /// Whether a kept list is JSON in all rows of a table, by what its log says; see [`FileEntry::nested`].
    pub fn is_nested(&self, table: &Table, path: &str) -> bool {
        let says = |file: &FileEntry| file.nested.iter().any(|list| list == path);
        self.files(table).iter().all(says)
    }

    /// Rows of a table, by its log.
    pub(super) fn rows(&self, table: &Table) -> u64 {
        self.files(table).iter().map(|f| f.rows).sum()
    }
}
