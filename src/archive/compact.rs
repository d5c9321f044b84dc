//! Many small files of one day become one.
//!
//! One commit takes the old files out of the log and the new one in: whoever reads the log sees either, never both. Replaced files move to
//! `_retired`, where coldtrail's own queries that began before still find them; a query of another program that began before fails and
//! has to be run again. Rows are not touched, and the archive's digest stays; the log says which it is.

use std::collections::BTreeMap;

use super::delta::FileEntry;
use super::pending::{Deed, Plan, Step};
use super::{Archive, part};
use crate::catalog::Table;
use crate::fault::{Error, Result};
use crate::progress::Progress;

/// Files that become one file, in bytes on disk: in memory they mostly take about eight times as much.
const MERGED_BYTES: u64 = 16 << 20;
/// Rows of a merged file: where they compress well, few bytes are many rows.
const MERGED_ROWS: u64 = 1 << 17;
/// Files from this size on stay as they are.
const LARGE_BYTES: u64 = MERGED_BYTES / 2;

/// What became of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// The table.
    pub table: &'static str,
    /// Its files before and after.
    pub files: (usize, usize),
    /// Their bytes before and after.
    pub bytes: (u64, u64),
}

/// Merges the small files of every table and day. Those that were merged stay aside for a day, for readers that began before.
///
/// # Errors
/// When a file cannot be read or written, or logs and ledger do not agree.
pub fn compact(archive: &Archive, now: i64, progress: &dyn Progress) -> Result<Vec<Compacted>> {
    let lock = archive.lock(|| progress.step("waiting for an ingest into this archive"))?;
    let snapshot = archive.begin(now, &lock)?;
    let info = serde_json::json!({"digest": snapshot.ledger.digest()});
    let mut out = Vec::new();
    for (table, files) in snapshot.tables() {
        let before = (files.len(), files.iter().map(|f| f.size).sum());
        let mut after = before;
        // Another program may have merged the last one: the moment makes the name new all the same.
        let mut number = next_number(files).max(u64::try_from(now).unwrap_or(0));
        let mut days: BTreeMap<Option<&str>, Vec<&FileEntry>> = BTreeMap::new();
        // Files of other programs are not ours to replace.
        for file in files.iter().filter(|f| part::is_own(f.name())) {
            days.entry(file.date.as_deref()).or_default().push(file);
        }
        // Each commit has a moment of its own.
        let mut plan = Plan::new(Deed::Compact, now + out.len() as i64, now);
        let mut step = Step {
            table: table.name.into(),
            add: Vec::new(),
            remove: Vec::new(),
            info: info.clone(),
        };
        for group in days.into_values().flat_map(groups) {
            progress.step(&format!("merging files of {}", table.name));
            let merged = merge(archive, table, &group, number)?;
            number += 1;
            after.0 -= group.len() - 1;
            after.1 = after.1 + merged.size - group.iter().map(|f| f.size).sum::<u64>();
            step.add.push(merged);
            step.remove.extend(group.iter().map(|f| f.path.clone()));
        }
        if step.add.is_empty() {
            continue;
        }
        plan.steps.push(step);
        archive.carry_out(&plan, &lock)?;
        out.push(Compacted {
            table: table.name,
            files: (before.0, after.0),
            bytes: (before.1, after.1),
        });
    }
    Ok(out)
}

/// Files of one day in groups that are worth a file of their own, in the order in which they were written.
fn groups(files: Vec<&FileEntry>) -> Vec<Vec<&FileEntry>> {
    let mut out: Vec<Vec<&FileEntry>> = Vec::new();
    let (mut bytes, mut rows) = (0, 0);
    for file in files.into_iter().filter(|f| f.size < LARGE_BYTES) {
        match out.last_mut() {
            Some(group) if bytes + file.size <= MERGED_BYTES && rows + file.rows <= MERGED_ROWS => {
                bytes += file.size;
                rows += file.rows;
                group.push(file);
            }
            _ => {
                (bytes, rows) = (file.size, file.rows);
                out.push(vec![file]);
            }
        }
    }
    out.retain(|group| group.len() > 1);
    out
}

/// The number after the last that a merged file has.
fn next_number(files: &[FileEntry]) -> u64 {
    files
        .iter()
        .filter_map(|f| part::merged_number(f.name()))
        .max()
        .map_or(1, |n| n + 1)
}

fn merge(
    archive: &Archive,
    table: &'static Table,
    group: &[&FileEntry],
    number: u64,
) -> Result<part::Part> {
    let mut batches = Vec::new();
    for file in group {
        let name = format!("{}/{}", table.name, file.path);
        let damaged = |why: &str| Error::Damaged(format!("`{name}` {why}: nothing was merged"));
        let path = archive
            .store()
            .find(&name)
            .map_err(Error::io("read", &name))?;
        let path = path.ok_or_else(|| damaged("is not there"))?;
        let (_, hash) = part::hash(&path).map_err(Error::io("read", &path))?;
        if file.sha256.as_ref().is_some_and(|wanted| *wanted != hash) {
            return Err(damaged("is not what was written"));
        }
        let read = part::read(archive.store(), table, &file.path, None)?;
        let rows: u64 = read.iter().map(|b| b.num_rows() as u64).sum();
        if rows != file.rows {
            return Err(damaged("has not the rows that its log says"));
        }
        batches.extend(read);
    }
    let date = group.first().and_then(|f| f.date.as_deref());
    let name = part::merged_name(number);
    let mut merged = part::write(&archive.staging(), table, date, &name, &batches)?;
    // Older versions did not keep the lists of every record that has some.
    let known = |list: &String| group.iter().all(|file| file.nested.contains(list));
    merged.nested.retain(known);
    Ok(merged)
}
