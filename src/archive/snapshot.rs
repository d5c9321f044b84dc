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
    /// A table that another program gave features that cannot be written here, and which these are.
    pub(super) beyond: Option<(&'static str, String)>,
}

impl Snapshot {
    /// Files of a table; none where it has no rows.
    pub fn files(&self, table: &Table) -> &[FileEntry] {
        self.tables.get(table.name).map_or(&[], Vec::as_slice)
    }

    /// Tables that have files, with those files; none that is derived from others.
    pub fn tables(&self) -> impl Iterator<Item = (&'static Table, &[FileEntry])> {
        self.all().filter(|(table, _)| !table.derived)
    }

    /// All tables that have files, with those files.
    pub fn all(&self) -> impl Iterator<Item = (&'static Table, &[FileEntry])> {
        catalog()
            .stored()
            .map(|t| (t, self.files(t)))
            .filter(|(_, files)| !files.is_empty())
    }

    /// Rows of a table, by its log.
    pub(super) fn rows(&self, table: &Table) -> u64 {
        self.files(table).iter().map(|f| f.rows).sum()
    }
}
