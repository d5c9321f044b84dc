//! Whether the runs of a table say what its rows say. Reads each once, from the first number to the last, and changes nothing.

use std::path::Path;

use rayon::prelude::*;

use super::{Identity, KEYS, RUN, Wanted, is_right, low_of, runs_in};
use crate::archive::Archive;
use crate::archive::delta::FileEntry;
use crate::archive::ledger::Ledger;
use crate::archive::sorted::{self, Run};
use crate::catalog::Table;
use crate::fault::Result;

/// Runs of a table that are not right, by their names below the archive.
#[derive(Debug, Default)]
pub struct Wrong {
    /// Damaged, or of another time. No ingest believes them: the next one into the table makes again what it lacks.
    pub passed_over: Vec<String>,
    /// What an ingest believes all the same, and what is wrong with it.
    pub believed: Vec<(String, &'static str)>,
}

/// Whether a run that no ingest believes is more than what one that is under way leaves: it may write a run before its commit, and removes those that
/// it merged after it.
fn is_wrong(path: &Path, ledger: &Ledger, table: &Table) -> Result<bool> {
    if path.extension().is_none_or(|x| x != RUN) {
        return Ok(false);
    }
    Ok(match Run::open(path)? {
        Some(run) => run.span.to < ledger.next_id() && !is_right(&run, ledger, table),
        None => path.exists(),
    })
}

/// Looks at the runs of a table; compares them with its rows where these files have all of them.
///
/// # Errors
/// When a file cannot be read.
pub fn check(
    archive: &Archive,
    ledger: &Ledger,
    table: &'static Table,
    identity: Identity,
    files: Option<&[&FileEntry]>,
) -> Result<Wrong> {
    let folder = archive.root().join(KEYS).join(table.name);
    let (runs, others) = runs_in(&folder, ledger, table)?;
    let name = |path: &Path| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        format!("{KEYS}/{}/{file}", table.name)
    };
    let mut wrong = Wrong::default();
    for path in &others {
        if is_wrong(path, ledger, table)? {
            wrong.passed_over.push(name(path));
        }
    }
    wrong.passed_over.sort();
    let low = low_of(table, identity);
    let mut whole = Vec::new();
    for run in &runs {
        match run.weight(low)? {
            Some(weight) => whole.push((run, weight)),
            None => wrong
                .believed
                .push((name(run.path()), "numbers out of order")),
        }
    }
    let Some(files) = files.filter(|_| !whole.is_empty()) else {
        return Ok(wrong);
    };
    let wanted = Wanted {
        table,
        identity,
        low,
        covered: 0,
    };
    let weights = |file: &&FileEntry| -> Result<Vec<u128>> {
        let mut weights = vec![0u128; whole.len()];
        wanted.each(archive, file, |ingest, number| {
            let stands_for = |span: &sorted::Span| (span.from..=span.to).contains(&ingest);
            if let Some(at) = whole.iter().position(|(run, _)| stands_for(&run.span)) {
                weights[at] = weights[at].wrapping_add(sorted::weight(number, low));
            }
        })?;
        Ok(weights)
    };
    let weights: Vec<Vec<u128>> = files.par_iter().map(weights).collect::<Result<_>>()?;
    for (at, (run, weight)) in whole.iter().enumerate() {
        let rows = weights.iter().map(|file| file[at]);
        if rows.fold(0, u128::wrapping_add) != *weight {
            wrong.believed.push((name(run.path()), "other events"));
        }
    }
    Ok(wrong)
}
