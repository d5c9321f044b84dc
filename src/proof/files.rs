//! Files of the archive against the logs that name them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;

use super::records;
use super::verify::{Check, Problem, Sheet};
use crate::archive::delta::FileEntry;
use crate::archive::ledger::{self, Ledger};
use crate::archive::{Archive, keys, part};
use crate::catalog::{INGEST_ID, RECORD, Table, catalog};
use crate::error::{Error, Result};
use crate::ingest::input::Input;
use crate::ingest::rows::id_key;
use crate::ingest::stream;
use crate::progress::Progress;

/// Rows that are read and compared at once: raw records take some kilobytes each, on every core.
const BATCH_ROWS: usize = 1024;

/// A table and the files that belong to it.
pub(super) struct Listed {
    pub table: &'static Table,
    pub files: Vec<FileEntry>,
    /// Whether the log could be read.
    pub complete: bool,
}

/// Lists the tables' files; looks for files that no log names on the way. Files of an ingest that was cut off belong to nobody: readers do
/// not see them, and the next ingest removes them.
pub(super) fn listed(archive: &Archive, ledger: Option<&Ledger>, sheet: &mut Sheet) -> Vec<Listed> {
    let mut out = Vec::new();
    for table in catalog().tables() {
        let folder = archive.root().join(table.name);
        if !folder.is_dir() {
            continue;
        }
        sheet.checked(Check::Log, 1);
        let files = match archive.logs().files(table.name) {
            Ok(files) => files,
            Err(e) => {
                let expected = "a log that can be read";
                sheet.problem(Problem::new(
                    Check::Log,
                    table.name,
                    "",
                    expected,
                    e.to_string(),
                ));
                out.push(Listed {
                    table,
                    files: Vec::new(),
                    complete: false,
                });
                continue;
            }
        };
        let names: HashSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
        orphans(&folder, table, &names, ledger, sheet);
        let all = files.len();
        let mut files: Vec<FileEntry> = files
            .into_iter()
            .filter(|f| table.name == ledger::TABLE || belongs(f.batch, ledger))
            .collect();
        sheet.not_checked(Check::Files, (all - files.len()) as u64);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        out.push(Listed {
            table,
            files,
            complete: true,
        });
    }
    out
}

/// Whether a batch was committed; without a ledger nobody knows, and all count.
fn belongs(batch: Option<i64>, ledger: Option<&Ledger>) -> bool {
    batch.is_none_or(|b| ledger.is_none_or(|l| l.has_batch(b)))
}

fn orphans(
    folder: &Path,
    table: &Table,
    names: &HashSet<&str>,
    ledger: Option<&Ledger>,
    sheet: &mut Sheet,
) {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name();
    for entry in walk
        .into_iter()
        .filter_entry(|e| e.file_name() != "_delta_log")
    {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                let expected = "a folder that can be read";
                sheet.problem(Problem::new(
                    Check::Orphans,
                    table.name,
                    "",
                    expected,
                    e.to_string(),
                ));
                continue;
            }
        };
        let path = entry.path();
        // Only these are seen by a reader that takes all files of the folder.
        let is_data = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("parquet"));
        if !is_data || !entry.file_type().is_file() {
            continue;
        }
        let below = path.strip_prefix(folder).unwrap_or(path);
        let parts: Vec<_> = below
            .components()
            .map(|c| c.as_os_str().to_string_lossy())
            .collect();
        let name = parts.join("/");
        if names.contains(name.as_str()) {
            sheet.checked(Check::Orphans, 1);
            continue;
        }
        let batch = part::batch_of(&entry.file_name().to_string_lossy());
        if table.name != ledger::TABLE && !belongs(batch, ledger) {
            sheet.not_checked(Check::Orphans, 1);
            continue;
        }
        sheet.checked(Check::Orphans, 1);
        sheet.problem(Problem::new(
            Check::Orphans,
            table.name,
            &name,
            "a file that the log names",
            "one that it does not name",
        ));
    }
}

/// What was read of a file.
#[derive(Default)]
pub(super) struct Read {
    pub sheet: Sheet,
    pub hash: Option<String>,
    /// Rows by ingest.
    pub rows: BTreeMap<i64, u64>,
    /// Half of the hash of each identity: equal halves are looked at again.
    pub ids: Vec<u64>,
    /// Whether the rows were read.
    pub whole: bool,
    /// Whether there are rows that could not be read.
    pub unread: bool,
}

/// Checks one file.
pub(super) fn check(
    root: &Path,
    table: &'static Table,
    entry: &FileEntry,
    progress: &dyn Progress,
) -> Read {
    let mut read = Read::default();
    let path = root.join(table.name).join(&entry.path);
    let problem = |check: Check, expected: String, found: String| {
        Problem::new(check, table.name, &entry.path, expected, found)
    };
    read.sheet.checked(Check::Files, 1);
    let size = match std::fs::metadata(&path) {
        Ok(meta) => meta.len(),
        Err(e) => {
            let found = match e.kind() {
                ErrorKind::NotFound => "no such file".to_string(),
                _ => e.to_string(),
            };
            let expected = format!("a file of {} bytes", entry.size);
            read.sheet.problem(problem(Check::Files, expected, found));
            progress.read_bytes(2 * entry.size);
            return read;
        }
    };
    let mut good = size == entry.size;
    if !good {
        let (expected, found) = (format!("{} bytes", entry.size), format!("{size} bytes"));
        read.sheet.problem(problem(Check::Files, expected, found));
    }
    match stream::sha256(&Input::File(path.clone())) {
        Err(e) => {
            good = false;
            let expected = "a file that can be read".to_string();
            read.sheet
                .problem(problem(Check::Hashes, expected, e.to_string()));
        }
        Ok(hash) => {
            match &entry.sha256 {
                None => read.sheet.not_checked(Check::Hashes, 1),
                Some(want) => {
                    read.sheet.checked(Check::Hashes, 1);
                    if *want != hash {
                        good = false;
                        let found = hash.clone();
                        read.sheet
                            .problem(problem(Check::Hashes, want.clone(), found));
                    }
                }
            }
            read.hash = Some(hash);
        }
    }
    progress.read_bytes(entry.size);
    // What is known to be damaged would only give problems that follow from it.
    if !good {
        read.sheet.not_checked(Check::Rows, 1);
    } else if let Err(e) = rows(&path, table, entry, &mut read) {
        let expected = format!("{} rows that can be read", entry.rows);
        read.sheet
            .problem(problem(Check::Rows, expected, e.to_string()));
    } else {
        read.whole = true;
    }
    read.unread = !read.whole;
    progress.read_bytes(entry.size);
    read
}

fn rows(path: &Path, table: &'static Table, entry: &FileEntry, read: &mut Read) -> Result<()> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let failed = |source| Error::Parquet {
        path: path.to_path_buf(),
        source: Box::new(source),
    };
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
    let rows = builder.metadata().file_metadata().num_rows();
    read.sheet.checked(Check::Rows, 1);
    if rows != entry.rows as i64 {
        read.sheet.problem(Problem::new(
            Check::Rows,
            table.name,
            &entry.path,
            format!("{} rows", entry.rows),
            format!("{rows} rows"),
        ));
    }
    if !table.by_day {
        let mask = ProjectionMask::columns(builder.parquet_schema(), [INGEST_ID]);
        builder = builder.with_projection(mask);
    }
    let identity = identity_of(table);
    let reader = builder
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(failed)?;
    for batch in reader {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            if let Some(ingest) = long(&batch, INGEST_ID, row) {
                *read.rows.entry(ingest).or_insert(0) += 1;
            }
        }
        if let Some(ids) = identity
            .and_then(|name| batch.column_by_name(name))
            .and_then(|c| c.as_string_opt::<i32>())
        {
            let known = ids.iter().flatten().filter_map(id_key);
            read.ids.extend(known.map(|id| id as u64));
        }
        if table.by_day {
            records::compare(table, &entry.path, &batch, &mut read.sheet)?;
        }
    }
    Ok(())
}

/// The column whose values are there once only.
fn identity_of(table: &Table) -> Option<&'static str> {
    let identity = table.identity.filter(|_| !table.by_content)?;
    Some(table.columns[identity].name)
}

/// A number of a row.
pub(super) fn long(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    batch
        .column_by_name(name)
        .and_then(|c| c.as_primitive_opt::<Int64Type>())
        .filter(|c| c.is_valid(row))
        .map(|c| c.value(row))
}

/// Looks for events that are in the table twice.
pub(super) fn identities(
    root: &Path,
    table: &'static Table,
    files: &[&FileEntry],
    mut ids: Vec<u64>,
    sheet: &mut Sheet,
) {
    let Some(name) = identity_of(table) else {
        return;
    };
    sheet.checked(Check::Identities, ids.len() as u64);
    ids.par_sort_unstable();
    let again: HashSet<u64> = ids
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .collect();
    drop(ids);
    if again.is_empty() {
        return;
    }
    let mut first: HashMap<u128, (Option<i64>, Option<i64>)> = HashMap::new();
    for file in files {
        let path = root.join(table.name).join(&file.path);
        let batches = match keys::read_columns(&path, Some(&[name, INGEST_ID, RECORD])) {
            Ok(batches) => batches,
            Err(e) => {
                let expected = "a file that can be read again";
                sheet.problem(Problem::new(
                    Check::Identities,
                    table.name,
                    &file.path,
                    expected,
                    e.to_string(),
                ));
                continue;
            }
        };
        for batch in &batches {
            let Some(ids) = batch
                .column_by_name(name)
                .and_then(|c| c.as_string_opt::<i32>())
            else {
                continue;
            };
            for (row, text) in ids.iter().enumerate() {
                let Some(id) = text
                    .and_then(id_key)
                    .filter(|id| again.contains(&(*id as u64)))
                else {
                    continue;
                };
                let place = (long(batch, INGEST_ID, row), long(batch, RECORD, row));
                match first.get(&id) {
                    None => {
                        first.insert(id, place);
                    }
                    Some((ingest, record)) => {
                        let number = |n: &Option<i64>| n.map_or("?".to_string(), |n| n.to_string());
                        let problem = Problem::new(
                            Check::Identities,
                            table.name,
                            &file.path,
                            format!("{name} {} once", text.unwrap_or_default()),
                            format!(
                                "again; first in ingest {}, record {}",
                                number(ingest),
                                number(record)
                            ),
                        );
                        sheet.problem(problem.at(place.0, place.1));
                    }
                }
            }
        }
    }
}
