//! Tables for a pipe or a file: cells are whole and a row is a line.

use std::io::{self, Write};

use super::cell::{put_line, sides, wide};
use crate::engine::output::visible;

/// Rows and bytes of cells that decide how wide the columns in a pipe are. Later rows that need more push the rest of their line.
const SAMPLE_ROWS: usize = 1000;
const SAMPLE_BYTES: usize = 4 << 20;
/// No cell in a pipe is filled up with more blanks than to this width: one long value would make every line as long.
const FILLED: usize = 160;

/// Rows for a pipe or a file, written as they come: whole cells, a line a row.
pub(super) struct Lines<W: Write> {
    out: W,
    right: Vec<bool>,
    /// The header and the first rows, until the widths are known.
    waiting: Vec<Vec<String>>,
    bytes: usize,
    widths: Option<Vec<usize>>,
}

impl<W: Write> Lines<W> {
    /// Begins a table with this header; `right` are the columns that stand at the right.
    pub(super) fn new(out: W, header: &[&str], right: &[usize]) -> Self {
        Lines {
            out,
            right: sides(right, header.len()),
            waiting: vec![header.iter().map(|h| visible(h)).collect()],
            bytes: 0,
            widths: None,
        }
    }

    /// Adds a row.
    pub(super) fn add<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> io::Result<()> {
        let row: Vec<String> = cells.map(visible).collect();
        if self.widths.is_some() {
            return self.write(&row);
        }
        self.bytes += row.iter().map(String::len).sum::<usize>();
        self.waiting.push(row);
        match self.waiting.len() > SAMPLE_ROWS || self.bytes > SAMPLE_BYTES {
            true => self.settle(),
            false => Ok(()),
        }
    }

    /// Decides the widths and writes what waited for them.
    fn settle(&mut self) -> io::Result<()> {
        let mut widths = vec![0; self.right.len()];
        for row in &self.waiting {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = wide(cell).min(FILLED).max(*width);
            }
        }
        self.widths = Some(widths);
        for row in std::mem::take(&mut self.waiting) {
            self.write(&row)?;
        }
        Ok(())
    }

    fn write(&mut self, row: &[String]) -> io::Result<()> {
        let mut line = String::new();
        let widths = self.widths.as_deref().unwrap_or_default();
        let cells = row.iter().zip(widths).zip(&self.right);
        put_line(
            &mut line,
            0,
            cells.map(|((cell, width), right)| (cell.as_str(), *width, *right)),
        );
        self.out.write_all(line.as_bytes())
    }

    /// Ends the table.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.widths.is_none() {
            self.settle()?;
        }
        self.out.flush()
    }
}

/// A table for a pipe or a file: whole cells, a line a row.
pub(super) fn lines(header: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let mut out = Vec::new();
    let mut table = Lines::new(&mut out, header, right);
    let written = rows
        .iter()
        .try_for_each(|row| table.add(row.iter().map(String::as_str)))
        .and_then(|()| table.finish());
    written.expect("memory takes all that is written");
    String::from_utf8(out).expect("only text was written")
}
