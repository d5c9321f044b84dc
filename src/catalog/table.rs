//! A table and its columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::column::{Column, EXTRA, FINGERPRINT, Kusto, Origin, column};

/// A table of the archive.
#[derive(Debug)]
pub struct Table {
    /// Name as Sentinel or Defender XDR spells it, or ours.
    pub name: &'static str,
    /// What it holds.
    pub doc: &'static str,
    /// Column whose value names an event; without one, equal rows of one file are different events.
    pub identity: Option<usize>,
    /// Several rows share an identity: only rows of equal content are the same event.
    pub by_content: bool,
    /// Column that holds the audit record as JSON.
    pub record: Option<usize>,
    /// Stored columns, in order.
    pub columns: Vec<Column>,
    /// Columns that the service has or had, that rules name, and that are not stored.
    pub legacy: Vec<Column>,
    /// Names of the columns that the product shows, in its order. What is kept beside them comes to queries that name it.
    pub product: Vec<&'static str>,
    /// One folder a day, sorted by time.
    pub by_day: bool,
    /// Its rows were made of those of other tables: no export has them, and they can be made again.
    pub derived: bool,
    /// Its rows are what hunts concluded: no export has them, and neither the ledger nor the digest of the content speaks of them.
    pub concluded: bool,
    /// Columns in the order in which workspaces were seen to export them without a header.
    pub layouts: Vec<Vec<String>>,
    index: HashMap<String, usize>,
}

/// Columns that Log Analytics adds to its tables and shows only to queries that name them.
static HIDDEN: [Column; 4] = [
    column("_ItemId", Kusto::String, Origin::Legacy, ""),
    column("_TimeReceived", Kusto::DateTime, Origin::Legacy, ""),
    column("_ResourceId", Kusto::String, Origin::Legacy, ""),
    column("_SubscriptionId", Kusto::String, Origin::Legacy, ""),
];

impl Table {
    /// Position of a column; the case of the name does not matter.
    pub fn position(&self, name: &str) -> Option<usize> {
        if let Some(i) = self.index.get(name) {
            return Some(*i);
        }
        self.index.get(&name.to_ascii_lowercase()).copied()
    }

    /// Position of the column that an export fills under this name. Custom tables (`…_CL`) have suffixes for types that some exports
    /// leave out.
    pub fn export_position(&self, name: &str) -> Option<usize> {
        let own = |name: &str| {
            self.position(name)
                .filter(|i| self.columns[*i].origin == Origin::Export)
        };
        own(name).or_else(|| {
            let custom = self.name.ends_with("_CL");
            ["_s", "_g", "_t", "_b", "_d"]
                .into_iter()
                .filter(|_| custom)
                .find_map(|suffix| own(&format!("{name}{suffix}")))
        })
    }

    /// Columns that a view shows: the stored ones, and the legacy ones after those of the export.
    pub fn shown(&self) -> impl Iterator<Item = &Column> {
        let end = self.position(EXTRA).unwrap_or(self.columns.len());
        let (export, rest) = self.columns.split_at(end);
        export.iter().chain(&self.legacy).chain(rest)
    }

    /// Columns of a table of Log Analytics that are not stored and that a view does not show.
    pub fn hidden(&self) -> impl Iterator<Item = &'static Column> {
        let log_analytics = self.export_position("Type").is_some();
        HIDDEN
            .iter()
            .filter(move |c| log_analytics && self.position(c.name).is_none())
    }

    /// Kusto type of a column, stored or legacy.
    pub fn kusto(&self, name: &str) -> Option<Kusto> {
        let stored = self.position(name).map(|i| &self.columns[i]);
        let legacy = || self.legacy.iter().find(|c| c.name == name);
        stored.or_else(legacy).map(|c| c.kusto)
    }

    /// Position of a column that the catalog itself promises.
    pub fn at(&self, name: &str) -> usize {
        self.position(name)
            .unwrap_or_else(|| panic!("catalog: {} has no column {name}", self.name))
    }

    /// Arrow schema of the stored files.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns
                .iter()
                .map(|c| {
                    let ty = if c.name == FINGERPRINT {
                        DataType::Binary
                    } else {
                        c.kusto.arrow()
                    };
                    Field::new(c.name, ty, true)
                })
                .collect::<Vec<_>>(),
        ))
    }
}

/// A table of these columns, which finds them by name.
pub(super) fn index(
    name: &'static str,
    doc: &'static str,
    identity: Option<&'static str>,
    record: Option<&'static str>,
    columns: Vec<Column>,
    by_day: bool,
) -> Table {
    let mut positions = HashMap::new();
    for (i, c) in columns.iter().enumerate() {
        positions.insert(c.name.to_string(), i);
        positions.entry(c.name.to_ascii_lowercase()).or_insert(i);
    }
    let mut table = Table {
        name,
        doc,
        identity: None,
        by_content: false,
        record: None,
        product: columns.iter().map(|c| c.name).collect(),
        columns,
        legacy: Vec::new(),
        by_day,
        derived: false,
        concluded: false,
        layouts: Vec::new(),
        index: positions,
    };
    table.identity = identity.map(|n| table.at(n));
    table.record = record.map(|n| table.at(n));
    table
}
