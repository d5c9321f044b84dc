//! Further tables of Microsoft's published references, which rules may name and of which exports seldom are.
//!
//! There are many, and most runs ask for none: the list of their names is made when the first unknown name is looked up, and a table when it
//! is asked for.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use super::described::described;
use super::table::Table;

/// A table that may not have been read yet.
struct Entry {
    text: &'static str,
    table: OnceLock<Option<Table>>,
}

static ENTRIES: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| {
    entries(include_str!("published.txt"))
        .into_iter()
        .map(|(name, text)| {
            let table = OnceLock::new();
            (name, Entry { text, table })
        })
        .collect()
});

/// The table of that name.
pub(super) fn get(name: &str) -> Option<&'static Table> {
    let entry = ENTRIES.get(name)?;
    let read = || described(entry.text).pop();
    entry.table.get_or_init(read).as_ref()
}

/// All of them, by name.
pub(super) fn all() -> impl Iterator<Item = &'static Table> {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let mut names: Vec<&'static str> = ENTRIES.keys().copied().collect();
        names.sort_unstable();
        names
    });
    NAMES.iter().filter_map(|name| get(name))
}

/// The tables of a text by name, each with its own lines.
fn entries(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let starts: Vec<usize> = text
        .match_indices("\ntable ")
        .map(|(at, _)| at + 1)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let parts = starts.iter().copied().zip(ends);
    parts
        .filter_map(|(start, end)| {
            let part = text.get(start..end)?;
            let name = part.strip_prefix("table ")?.lines().next()?;
            Some((name, part))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Kusto, TIME, catalog};

    #[test]
    fn every_published_table_can_be_read_and_is_listed_once() {
        let text = include_str!("published.txt");
        let names: Vec<&str> = text
            .lines()
            .filter_map(|l| l.strip_prefix("table "))
            .collect();
        assert!(names.len() > 250, "{}", names.len());
        assert!(names.is_sorted());
        assert_eq!(entries(text).len(), names.len());
        for name in names {
            assert!(catalog().get(name).is_none(), "{name} is stored");
            let table = get(name).expect("it is listed");
            assert_eq!(table.name, name);
            assert!(table.position(TIME).is_some(), "{name} has no time");
            let found = catalog().foreign(name).expect("it is known");
            assert!(std::ptr::eq(found, table), "{name} stands there twice");
        }
        assert!(get("NoSuchTable").is_none());
    }

    #[test]
    fn published_tables_have_the_types_of_the_reference() {
        for (table, column, kusto) in [
            ("PowerBIActivity", "TimeGenerated", Kusto::DateTime),
            ("IntuneAuditLogs", "OperationName", Kusto::String),
            ("NetworkAccessTraffic", "DestinationPort", Kusto::Int),
            ("MessageUrlInfo", "Url", Kusto::String),
            ("ExposureGraphNodes", "NodeProperties", Kusto::Dynamic),
            ("HuntingBookmark", "BookmarkName", Kusto::String),
        ] {
            let known = get(table).unwrap_or_else(|| panic!("{table} is not listed"));
            assert_eq!(known.kusto(column), Some(kusto), "{table}.{column}");
        }
    }
}
