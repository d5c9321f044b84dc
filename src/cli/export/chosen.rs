//! What of an archive can be exported: tables of events, and watchlists.

use std::path::{Path, PathBuf};

use crate::catalog::{Table, catalog};
use crate::engine::Session;
use crate::fault::{Error, Result};

/// What can be exported.
#[derive(Clone)]
pub(super) enum Kept {
    /// A table of events.
    Table(&'static Table),
    /// A watchlist, by its name.
    List(String),
}

impl Kept {
    /// As queries name it.
    pub(super) fn name(&self) -> String {
        match self {
            Kept::Table(table) => table.name.to_string(),
            Kept::List(list) => format!("{LISTS}.{list}"),
        }
    }

    /// Where it lies in a folder of exports: lists are taken for lists in a folder of their own.
    pub(super) fn path(&self, folder: &Path, extension: &str) -> PathBuf {
        match self {
            Kept::Table(table) => folder.join(format!("{}.{extension}", table.name)),
            Kept::List(list) => folder.join(LISTS).join(format!("{list}.{extension}")),
        }
    }
}

/// Their folder, and what their names begin with.
pub(super) const LISTS: &str = "watchlists";

/// Tables and watchlists of these names, or all tables of events that have rows.
pub(super) fn chosen(names: &[String], session: &Session) -> Result<Vec<Kept>> {
    let tables = all(session).into_iter().map(Kept::Table);
    if names.is_empty() {
        return Ok(tables.collect());
    }
    let lists = session.watchlists().iter().cloned().map(Kept::List);
    let present: Vec<Kept> = tables.chain(lists).collect();
    let mut chosen: Vec<Kept> = Vec::new();
    for name in names {
        let is_meant = |kept: &&Kept| kept.name().eq_ignore_ascii_case(name);
        let Some(found) = present.iter().find(is_meant) else {
            return Err(Error::NoTable {
                name: name.clone(),
                known: present.iter().map(Kept::name).collect(),
            });
        };
        if !chosen.iter().any(|other| other.name() == found.name()) {
            chosen.push(found.clone());
        }
    }
    Ok(chosen)
}

/// All tables of events that have rows. What hunts concluded is no evidence.
pub(super) fn all(session: &Session) -> Vec<&'static Table> {
    let tables = catalog().tables();
    tables
        .filter(|table| table.by_day && !table.derived && !table.concluded)
        .filter(|table| session.has(table.name))
        .collect()
}
