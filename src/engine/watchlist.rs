//! Watchlists: CSV files of reference data, all columns text, as in Sentinel.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, Result};
use crate::ingest::csv::{self, Next};

/// Reads every watchlist of a folder, by name; none where the folder is missing.
///
/// # Errors
/// When a file cannot be read or is not CSV with a header.
pub fn read_all(folder: &Path) -> Result<Vec<(String, RecordBatch)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let is_csv = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        if let Some(name) = path.file_stem().filter(|_| is_csv) {
            out.push((name.to_string_lossy().into_owned(), read(&path)?));
        }
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(out)
}

/// Reads one watchlist.
///
/// # Errors
/// When the file cannot be read or is not CSV with a header.
pub fn read(path: &Path) -> Result<RecordBatch> {
    let unusable = |reason: String| Error::Unusable {
        path: path.to_path_buf(),
        reason,
    };
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| unusable(format!("not UTF-8: {e}")))?;
    let line = text.lines().next().unwrap_or("");
    let delimiter = csv::delimiter_of(line.as_bytes());
    let mut fields = Vec::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut at = 0;
    loop {
        match csv::next_record(text.as_bytes(), at, delimiter, &mut fields) {
            Next::Record { next, .. } => {
                rows.push(
                    fields
                        .iter()
                        .map(|f| String::from_utf8_lossy(&f.content(text.as_bytes())).into_owned())
                        .collect(),
                );
                at = next;
            }
            Next::Unclosed { start } => {
                return Err(unusable(format!(
                    "a quote is opened at byte {start} and never closed"
                )));
            }
            Next::End => break,
        }
    }
    if rows.is_empty() {
        return Err(unusable("a watchlist needs a header".into()));
    }
    let header = rows.remove(0);
    for (i, row) in rows.iter().enumerate() {
        if row.len() != header.len() {
            return Err(unusable(format!(
                "row {} has {} columns, the header {}",
                i + 1,
                row.len(),
                header.len()
            )));
        }
    }
    from_rows(&header, &rows).map_err(|e| unusable(e.to_string()))
}

/// A watchlist from names and rows of text. Empty cells are null.
///
/// # Errors
/// When two columns have one name.
pub fn from_rows(header: &[String], rows: &[Vec<String>]) -> Result<RecordBatch> {
    let fields: Vec<Field> = header
        .iter()
        .map(|n| Field::new(n.trim(), DataType::Utf8, true))
        .collect();
    let columns: Vec<ArrayRef> = (0..header.len())
        .map(|c| -> ArrayRef {
            Arc::new(StringArray::from_iter(
                rows.iter()
                    .map(|r| r.get(c).map(String::as_str).filter(|t| !t.is_empty())),
            ))
        })
        .collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        columns,
        &options,
    )?)
}
