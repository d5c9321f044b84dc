//! Many small files of one day become one.
//!
//! One commit takes the old files out of the log and the new one in: whoever reads the log sees either, never both. Replaced files stay where they
//! are for a while, for readers that began before. Rows are not touched, and the archive's digest stays; the log says which it is.

use std::collections::BTreeMap;

use super::delta::FileEntry;
use super::pending::{Deed, Plan, Step};
use super::{Archive, merged, part, retained};
use crate::catalog::Table;
use crate::fault::{Error, Result};
use crate::progress::Progress;

/// Files that become one file, in bytes on disk: object storage is asked for each part of a file, and answers large ones as quickly as small ones.
const MERGED_BYTES: u64 = 256 << 20;
/// Files from this size on stay as they are.
const LARGE_BYTES: u64 = MERGED_BYTES / 4;
/// A file from this size on is left alone too, until what would be merged with it is a share of it that is worth writing it again.
const WORTH_BYTES: u64 = 8 << 20;
const WORTH_SHARE: u64 = 8;

/// How long replaced files stay where nobody says otherwise, in days: as long as Delta Lake's own tools leave them.
pub const RETENTION_DAYS: u32 = 7;

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

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Tables of which files were merged.
    pub merged: Vec<Compacted>,
    /// Files that were deleted: they had been replaced long enough ago.
    pub deleted: u64,
}

/// Merges the small files of every table and day, and deletes those that were replaced so many microseconds ago, or earlier.
///
/// # Errors
/// When a file cannot be read or written, or logs and ledger do not agree.
pub fn compact(
    archive: &Archive,
    now: i64,
    retention: i64,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let lock = archive.lock(|| progress.step("waiting for an ingest into this archive"))?;
    let snapshot = archive.begin(now, &lock)?;
    let info = serde_json::json!({"digest": snapshot.ledger.digest()});
    let mut out = Vec::new();
    for (table, files) in snapshot.all() {
        let before = (files.len(), files.iter().map(|f| f.size).sum());
        let mut after = before;
        // Another program may have merged the last one: the moment makes the name new all the same.
        let number = next_number(files).max(u64::try_from(now).unwrap_or(0));
        // Each commit has a moment of its own.
        let mut plan = Plan::new(Deed::Compact, now + out.len() as i64, now);
        let mut step = Step {
            table: table.name.into(),
            add: Vec::new(),
            remove: Vec::new(),
            info: info.clone(),
        };
        for (number, group) in (number..).zip(mergeable(files)) {
            progress.step(&format!("merging files of {}", table.name));
            let merged = merge(archive, table, &group, number)?;
            after.0 -= group.len() - 1;
            after.1 = after.1 + merged.size - bytes_of(&group);
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
    progress.step("deleting files that were replaced");
    Ok(Outcome {
        merged: out,
        deleted: retained::clean(archive, retention, now, &lock)?,
    })
}

/// How many files the tables have, and how many they would have once they are compacted.
///
/// # Errors
/// When the archive cannot be read.
pub fn files(archive: &Archive) -> Result<(usize, usize)> {
    let snapshot = archive.snapshot()?;
    Ok(files_of(snapshot.all().map(|(_, files)| files)))
}

/// The same of tables with these files.
pub(crate) fn files_of<'f>(tables: impl Iterator<Item = &'f [FileEntry]>) -> (usize, usize) {
    let (mut before, mut spared) = (0, 0);
    for files in tables {
        before += files.len();
        spared += mergeable(files).map(|group| group.len() - 1).sum::<usize>();
    }
    (before, before - spared)
}

/// Files of a table in groups that become one file each.
fn mergeable(files: &[FileEntry]) -> impl Iterator<Item = Vec<&FileEntry>> {
    let mut days: BTreeMap<Option<&str>, Vec<&FileEntry>> = BTreeMap::new();
    // Files of other programs are not ours to replace.
    for file in files.iter().filter(|f| part::is_own(f.name())) {
        days.entry(file.date.as_deref()).or_default().push(file);
    }
    days.into_values().flat_map(groups)
}

/// Files of one day in groups that are worth a file of their own, in the order in which they were written.
fn groups(files: Vec<&FileEntry>) -> Vec<Vec<&FileEntry>> {
    let mut out: Vec<Vec<&FileEntry>> = Vec::new();
    let mut bytes = 0;
    for file in files.into_iter().filter(|f| f.size < LARGE_BYTES) {
        match out.last_mut() {
            Some(group) if bytes + file.size <= MERGED_BYTES => {
                bytes += file.size;
                group.push(file);
            }
            _ => {
                bytes = file.size;
                out.push(vec![file]);
            }
        }
    }
    for group in &mut out {
        while let Some(at) = (0..group.len()).max_by_key(|at| group[*at].size)
            && group[at].size >= WORTH_BYTES
            && (bytes_of(group) - group[at].size) * WORTH_SHARE < group[at].size
        {
            group.remove(at);
        }
    }
    out.retain(|group| group.len() > 1);
    out
}

/// The number after the last that a merged file has.
pub(super) fn next_number(files: &[FileEntry]) -> u64 {
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
    let mut sources = Vec::new();
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
        let source = merged::Source::of(table, path, file.rows)?;
        sources.push(source.ok_or_else(|| damaged("has not the rows that its log says"))?);
    }
    let target = merged::Target {
        staging: &archive.staging(),
        table,
        date: group.first().and_then(|f| f.date.as_deref()),
        name: &part::merged_name(number),
    };
    let mut merged = target.merge(sources, bytes_of(group))?;
    let rows: u64 = group.iter().map(|f| f.rows).sum();
    if merged.rows != rows {
        return Err(Error::Damaged(format!(
            "files of `{}` have {} rows, and {rows} by its log: nothing was merged",
            table.name, merged.rows
        )));
    }
    // What is certain of the rows of each file is certain of all of them.
    if let Some((first, others)) = group.split_first() {
        let certain = |list: &&String| others.iter().all(|file| file.nested.contains(list));
        merged.nested = first.nested.iter().filter(certain).cloned().collect();
    }
    Ok(merged)
}

fn bytes_of(files: &[&FileEntry]) -> u64 {
    files.iter().map(|f| f.size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: u64) -> FileEntry {
        FileEntry {
            path: String::new(),
            size,
            rows: 1,
            times: None,
            bounded: true,
            date: None,
            sha256: None,
            nested: Vec::new(),
        }
    }

    fn sizes(all: &[u64]) -> Vec<Vec<u64>> {
        let files: Vec<FileEntry> = all.iter().map(|mib| file(mib << 20)).collect();
        let groups = groups(files.iter().collect());
        let mut out = Vec::new();
        for group in groups {
            out.push(group.iter().map(|f| f.size >> 20).collect());
        }
        out
    }

    #[test]
    fn files_become_as_large_as_object_storage_wants_them() {
        assert_eq!(sizes(&[1, 2, 3]), [[1, 2, 3]]);
        assert_eq!(sizes(&[63; 6]), [vec![63; 4], vec![63; 2]]);
        assert_eq!(sizes(&[64, 1, 200, 2]), [[1, 2]]);
        assert!(sizes(&[64, 200, 5]).is_empty());
    }

    #[test]
    fn a_large_file_is_not_written_again_for_a_small_one() {
        assert!(sizes(&[40, 1]).is_empty());
        assert_eq!(sizes(&[40, 1, 2]), [[1, 2]]);
        assert_eq!(sizes(&[40, 5]), [[40, 5]]);
        assert_eq!(sizes(&[7, 0]), [[7, 0]]);
    }
}
