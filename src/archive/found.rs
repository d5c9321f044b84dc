//! What the files of a table say by themselves, whatever its log says.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;

use super::part::{self, Part};
use super::{Archive, merged};
use crate::catalog::{INGEST_ID, RECORD, ROW, STORE_ID, TIME, Table};
use crate::fault::{Error, Result};

/// The place of a row: its ingest and record; of what a hunt concluded, the run that stored it and its number there.
pub(super) type Place = (i64, i64);

/// The rows of a file by their places.
///
/// # Errors
/// When it cannot be read, or has rows without the number of an ingest.
pub(super) fn places(archive: &Archive, table: &'static Table, path: &str) -> Result<Vec<Place>> {
    let place = match table.concluded {
        true => [STORE_ID, ROW],
        false => [INGEST_ID, RECORD],
    };
    let names: Vec<&str> = place
        .into_iter()
        .filter(|n| table.position(n).is_some())
        .collect();
    let mut out = Vec::new();
    for batch in part::read(archive.store(), table, path, Some(&names))? {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        if ids.null_count() > 0 {
            return Err(Error::Damaged(format!(
                "`{}/{path}` has rows without the number of {}",
                table.name,
                match table.concluded {
                    true => "a run",
                    false => "an ingest",
                }
            )));
        }
        let records = batch.column_by_name(place[1]);
        let records = records.map(|c| c.as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            out.push((ids.value(row), records.map_or(0, |r| r.value(row))));
        }
    }
    Ok(out)
}

/// What a log says of a file, from the file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn part(archive: &Archive, table: &'static Table, path: &str) -> Result<Part> {
    let place = archive.root().join(table.name).join(path);
    let (size, sha256) = part::hash(&place).map_err(Error::io("read", &place))?;
    let mut times: Option<(i64, i64)> = None;
    if table.by_day {
        for batch in part::read(archive.store(), table, path, Some(&[TIME]))? {
            times = merged::wider(times, &batch, 0);
        }
    }
    let day = path.split('/').next().and_then(|f| f.strip_prefix("date="));
    let day = day.filter(|d| *d != "__HIVE_DEFAULT_PARTITION__");
    Ok(Part {
        path: path.to_string(),
        size,
        rows: part::count(archive.store(), &format!("{}/{path}", table.name))?,
        times,
        date: day.map(str::to_string),
        sha256,
        // The rows may be those of another program.
        nested: Vec::new(),
        sets: BTreeMap::new(),
    })
}

/// Parquet files of a table's folder, by path below it.
///
/// # Errors
/// When a folder cannot be read.
pub(super) fn data_files(root: &Path, table: &Table) -> Result<Vec<String>> {
    let folder = root.join(table.name);
    let mut out = Vec::new();
    let walk = walkdir::WalkDir::new(&folder)
        .into_iter()
        .filter_entry(|e| e.file_name() != "_delta_log");
    for entry in walk {
        let entry = entry.map_err(Error::walk(&folder))?;
        let name = entry.file_name().to_string_lossy();
        let data = name.ends_with(".parquet") && !name.starts_with(['.', '_']);
        if !entry.file_type().is_file() || !data {
            continue;
        }
        let below = entry.path().strip_prefix(&folder).unwrap_or(entry.path());
        let parts = below.components().map(|c| c.as_os_str().to_string_lossy());
        out.push(parts.collect::<Vec<_>>().join("/"));
    }
    out.sort();
    Ok(out)
}
