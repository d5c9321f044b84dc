//! Many small files of one day become one; what they replace is deleted.
//!
//! One commit takes the old files out of the log and the new one in: a reader sees either, never both. Rows are not touched.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{RecordBatch, new_null_array};

use super::delta::FileEntry;
use super::{Archive, keys, ledger, part};
use crate::catalog::{Table, catalog};
use crate::error::Result;
use crate::progress::Progress;

/// Files that become one file, in bytes on disk: in memory they take about eight times as much.
const MERGED_BYTES: u64 = 16 << 20;
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

/// Merges the small files of every table and day, and deletes those that were merged.
///
/// # Errors
/// When a file cannot be read or written.
pub fn compact(archive: &Archive, now: i64, progress: &dyn Progress) -> Result<Vec<Compacted>> {
    let lock = archive.lock(|| progress.step("waiting for an ingest into this archive"))?;
    let ledger = ledger::read(archive)?;
    archive.clean(&ledger, &lock)?;
    let mut out = Vec::new();
    for table in catalog().tables() {
        let files = archive.files_of(table, &ledger)?;
        let before = (files.len(), files.iter().map(|f| f.size).sum());
        let mut after = before;
        let mut number = next_number(&files);
        let mut days: BTreeMap<Option<String>, Vec<FileEntry>> = BTreeMap::new();
        for file in files {
            days.entry(file.date.clone()).or_default().push(file);
        }
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for group in days.into_values().flat_map(groups) {
            progress.step(&format!("merging files of {}", table.name));
            let merged = merge(archive, table, &group, number)?;
            number += 1;
            after.0 -= group.len() - 1;
            after.1 = after.1 + merged.size - group.iter().map(|f| f.size).sum::<u64>();
            new.push(merged);
            old.extend(group);
        }
        if new.is_empty() {
            continue;
        }
        for part in &new {
            part::publish(archive.root(), table, part)?;
        }
        archive.logs().replace(table, &old, &new, now / 1000)?;
        out.push(Compacted {
            table: table.name,
            files: (before.0, after.0),
            bytes: (before.1, after.1),
        });
    }
    archive.clean(&ledger, &lock)?;
    Ok(out)
}

/// Files of one day in groups that are worth a file of their own, in the order in which they were written.
fn groups(files: Vec<FileEntry>) -> Vec<Vec<FileEntry>> {
    let mut out: Vec<Vec<FileEntry>> = Vec::new();
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
    out.retain(|group| group.len() > 1);
    out
}

/// The number after the last that a merged file has.
fn next_number(files: &[FileEntry]) -> u64 {
    files
        .iter()
        .filter_map(|f| part::merged_number(f.path.rsplit('/').next()?))
        .max()
        .map_or(1, |n| n + 1)
}

fn merge(
    archive: &Archive,
    table: &'static Table,
    group: &[FileEntry],
    number: u64,
) -> Result<part::Part> {
    let mut batches = Vec::new();
    for file in group {
        let path = archive.root().join(table.name).join(&file.path);
        batches.extend(read(&path, table)?);
    }
    let date = group.first().and_then(|f| f.date.as_deref());
    part::write(
        &archive.staging(),
        table,
        date,
        &part::merged_name(number),
        &batches,
    )
}

/// Reads a file; columns that it is too old to have are empty.
fn read(path: &Path, table: &Table) -> Result<Vec<RecordBatch>> {
    let schema = table.schema();
    let mut out = Vec::new();
    for batch in keys::read_columns(path, None)? {
        let columns = schema
            .fields()
            .iter()
            .map(|field| match batch.column_by_name(field.name()) {
                Some(column) => arrow::compute::cast(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            })
            .collect::<Result<Vec<_>, _>>()?;
        out.push(RecordBatch::try_new(schema.clone(), columns)?);
    }
    Ok(out)
}
