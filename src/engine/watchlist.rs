//! Watchlists: CSV files of reference data, all columns text, as in Sentinel.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, Result};
use crate::ingest::csv::{self, Fields, Next};

/// The watchlist of sensitivity labels, which the label views read.
pub const LABELS: &str = "Labels";

/// A known name as the rules spell it, whatever the case of the file's name.
fn spelled(name: &str) -> String {
    [LABELS, "CriticalFiles", "SuperUsers"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .unwrap_or(name)
        .to_string()
}

fn has(list: &RecordBatch, column: &str) -> bool {
    list.schema()
        .fields()
        .iter()
        .any(|f| f.name().eq_ignore_ascii_case(column))
}

/// Reads every watchlist of a folder, by name; none where the folder is missing.
///
/// # Errors
/// When a file cannot be read or is not CSV with a header.
pub fn read_all(folder: &Path) -> Result<Vec<(String, RecordBatch)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut out: Vec<(String, RecordBatch)> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let is_csv = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        if let Some(name) = path.file_stem().filter(|_| is_csv) {
            let name = spelled(&name.to_string_lossy());
            if out.iter().any(|(n, _)| n.eq_ignore_ascii_case(&name)) {
                return Err(Error::Unusable {
                    path,
                    reason: format!("another watchlist is called `{name}`"),
                });
            }
            let list = read(&path)?;
            if name == LABELS && !["Id", "Name"].iter().all(|c| has(&list, c)) {
                return Err(Error::Unusable {
                    path,
                    reason: "it needs the columns Id and Name, and Rank and Parent where known"
                        .into(),
                });
            }
            out.push((name, list));
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
    let mut fields = Fields::default();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut at = 0;
    loop {
        match csv::next_record(text.as_bytes(), at, delimiter, &mut fields) {
            Next::Record { next, .. } => {
                rows.push(
                    fields
                        .iter()
                        .map(|f| String::from_utf8_lossy(f).into_owned())
                        .collect(),
                );
                fields.clear();
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
    for (i, field) in fields.iter().enumerate() {
        if fields[..i].iter().any(|f| f.name() == field.name()) {
            return Err(Error::Usage(format!(
                "two columns are called `{}`",
                field.name()
            )));
        }
    }
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
