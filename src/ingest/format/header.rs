//! Where the columns of a header go.

use super::super::columns::{self, Target, bare_name};
use super::found::{Hints, Kind, OTHER};
use crate::catalog::Table;

/// Rows of a table, by this header.
pub(super) fn cells_of(
    table: &'static Table,
    header: &[String],
    named: Option<usize>,
    hints: &Hints,
) -> Kind {
    Kind::Cells {
        table,
        targets: targets(table, header, named, hints.time_column.as_deref()),
        named,
    }
}

/// Where the columns of a header go in a table; one of them may name the table, and one may be said to have the time.
pub fn targets(
    table: &Table,
    header: &[String],
    named: Option<usize>,
    time: Option<&str>,
) -> Vec<Target> {
    let of = |(i, name): (usize, &String)| {
        let names_it = named == Some(i) && !bare_name(name).eq_ignore_ascii_case("Type");
        match names_it {
            true if table.name == OTHER => Target::Extra("Type".into()),
            true => Target::Skip,
            false => columns::target_timed(table, name, time),
        }
    };
    let mut targets: Vec<Target> = header.iter().enumerate().map(of).collect();
    if table.name == OTHER {
        columns::number(&mut targets, header);
    }
    targets
}

/// Audit records flattened by Export-Csv: a column for each field, or for some of them.
pub(super) fn is_flat_audit(lower: &[String]) -> bool {
    let has = |name: &str| lower.iter().any(|n| n == name);
    let all = |names: &[&str]| names.iter().all(|name| has(name));
    if all(&["id", "creationtime", "operation", "recordtype"]) {
        return true;
    }
    // Without the record's id; what other tools call so has its own reader.
    let others = ["id", "recordid", "timegenerated", "timestamp", "type"];
    all(&["creationtime", "operation", "userid"])
        && (has("recordtype") || has("workload"))
        && !others.into_iter().any(has)
}
