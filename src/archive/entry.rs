//! A file of a table, as the table's log says it.

use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;

use super::part::{self, Part};
use super::store::{self, Store};
use crate::catalog::TIME;
use crate::fault::{Error, Result};

/// Rows and bytes of a file at most: no file has so many, and those of all files of a table can be summed up.
const MOST_ROWS: u64 = 1 << 40;
const MOST_BYTES: u64 = 1 << 48;

/// A file of a table, as its log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Path below the table's folder, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Earliest and latest event, in microseconds.
    pub times: Option<(i64, i64)>,
    /// Whether no row can have a time outside of [`FileEntry::times`]. Other programs do not always say.
    pub bounded: bool,
    /// Day of the folder.
    pub date: Option<String>,
    /// SHA-256 of its bytes; other programs, and older versions, do not say.
    pub sha256: Option<String>,
    /// Kept paths of the record of which each text is the array or object that stands there in the record, letter by letter; where there is none,
    /// the record has nothing there. Elsewhere a text such as `[1]` may have been a string.
    pub nested: Vec<String>,
}

impl FileEntry {
    /// Its own name.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }

    /// A file that is about to be added.
    pub(super) fn of_part(part: &Part) -> FileEntry {
        FileEntry {
            path: part.path.clone(),
            size: part.size,
            rows: part.rows,
            times: part.times,
            bounded: true,
            date: part.date.clone(),
            sha256: Some(part.sha256.clone()),
            nested: part.nested.clone(),
        }
    }
}

/// A file as an `add` action says it.
pub(super) struct Described {
    pub path: String,
    pub size: i64,
    pub stats: Option<String>,
    pub sha256: Option<String>,
    pub nested: Option<String>,
    pub date: Option<String>,
    /// Whether some of its rows do not count.
    pub deletes: bool,
}

impl Described {
    /// The file of a table's log.
    ///
    /// # Errors
    /// When it lies outside of the table, has rows that do not count or more than a file has, or its statistics cannot be read.
    pub(super) fn entry(self, store: &Store, table: &str) -> Result<FileEntry> {
        let path = self.path;
        if !store::is_inside(&path) {
            return Err(Error::Damaged(format!(
                "the log of `{table}` names `{path}`, which is no path inside the table"
            )));
        }
        if self.deletes {
            return Err(Error::Damaged(format!(
                "another program deleted rows of `{table}/{path}` by a deletion vector, which coldtrail does not read"
            )));
        }
        let stats: Value = match self.stats {
            None => Value::Null,
            Some(text) => serde_json::from_str(&text).map_err(|e| {
                Error::Damaged(format!(
                    "the log of `{table}`: statistics of `{path}` are not JSON: {e}"
                ))
            })?,
        };
        let own = part::is_own(path.rsplit('/').next().unwrap_or(""));
        let nested = self.nested.filter(|_| own).unwrap_or_default();
        let (least, greatest) = (&stats["minValues"][TIME], &stats["maxValues"][TIME]);
        let times = bound(least, Bound::Least).zip(bound(greatest, Bound::Greatest));
        // Our own files without bounds have no row with a time.
        let silent = least.is_null() && greatest.is_null();
        let rows = match stats["numRecords"].as_u64() {
            Some(rows) => rows,
            // Other programs need not say.
            None => part::count(store, &format!("{table}/{path}"))?,
        };
        let size = u64::try_from(self.size).unwrap_or(0);
        if !is_possible(rows, size) {
            return Err(Error::Damaged(format!(
                "by the log of `{table}` `{path}` has {rows} rows and {size} bytes: no file has so many"
            )));
        }
        Ok(FileEntry {
            sha256: self.sha256,
            nested: nested.split_terminator(',').map(str::to_string).collect(),
            size,
            rows,
            times,
            bounded: own && (times.is_some() || silent),
            date: self.date,
            path,
        })
    }
}

/// Whether a file may have so many rows and bytes. An archive may come from a stranger.
pub(super) fn is_possible(rows: u64, size: u64) -> bool {
    rows <= MOST_ROWS && size <= MOST_BYTES
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Least,
    Greatest,
}

/// A bound in microseconds. Statistics are in milliseconds, and other writers cut the rest off, also of the greatest.
fn bound(value: &Value, which: Bound) -> Option<i64> {
    let text = value.as_str()?;
    let time = match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.timestamp_micros(),
        Err(_) => ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?
            .and_utc()
            .timestamp_micros(),
    };
    let cut = which == Bound::Greatest && time.rem_euclid(1000) == 0;
    time.checked_add(if cut { 999 } else { 0 })
}
