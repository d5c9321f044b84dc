//! Excel workbooks (.xlsx, .xlsm): each sheet is an input of its own, read as CSV, so that everything above reads it like any other export.
//! Dates become ISO 8601 by the format of their cell, formulas their last value, numbers keep all their digits.
//!
//! Read here, over [`super::zip`], and not by the crate `calamine`: that turns every number into a float, which costs long ids their last
//! digits, holds all texts of the workbook in memory, of which an export of a million rows has gigabytes, takes as much memory as a crafted
//! file says that its texts need, and cannot read a workbook that is cut off. Knows nothing of what the sheets hold.
//!
//! Layouts: ECMA-376 part 1, sections 12.3 and 18, and part 2.

use std::io;
use std::sync::Arc;

use super::csv::{self, Fields, Next};
use super::packing::{Bounded, Bytes};
use crate::fault::{Error, Result};

mod book;
mod marks;
mod number;
mod sheet;
mod strings;
mod xml;

pub(super) use book::Book;
pub use marks::Marks;

/// Of workbooks with more sheets the first rows are not looked at before.
const SORTED_SHEETS: usize = 64;

/// A sheet of a workbook.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    book: Arc<Book>,
    /// Its place among the sheets.
    at: usize,
}

impl Book {
    /// The sheets with cells and their names, in their order, but those with whole audit records first: others often repeat a part of
    /// each, and the first of two events with one id counts.
    pub(super) fn sheets(self: &Arc<Self>) -> Vec<(String, Sheet)> {
        let sheet = |at| Sheet {
            book: Arc::clone(self),
            at,
        };
        let names = self.sheets.iter().map(|(name, _)| name.clone());
        let mut sheets: Vec<(String, Sheet)> = names.zip((0..).map(sheet)).collect();
        if (2..=SORTED_SHEETS).contains(&sheets.len()) {
            sheets.sort_by_cached_key(|(_, sheet)| match sheet.audit_header() {
                Some(header) => {
                    self.header.get_or_init(|| header);
                    false
                }
                None => true,
            });
        }
        sheets
    }
}

impl Sheet {
    /// The sheet of that name as CSV, what is to be said of it, and what is known of it while it is read.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub(super) fn open(&self, name: &str) -> Result<(Bytes, String, Arc<Marks>)> {
        let opened = self.text().map_err(|e| Error::Unusable {
            path: name.into(),
            reason: e.to_string(),
        });
        let (mut text, mut note, marks) = opened?;
        if let Some(header) = self.book.header.get()
            && text.goes_on(header)
        {
            text.take_header(header);
            note = "it has no header: that of another sheet was taken".into();
        }
        let packed = self.book.packed;
        // One text may stand in every cell.
        let reader: Bytes = Box::new(Bounded::new(text, move || packed));
        Ok((reader, note, marks))
    }

    /// Its header, where it has whole audit records.
    fn audit_header(&self) -> Option<Vec<String>> {
        match self.text() {
            Ok((text, ..)) => text.audit_header().map(<[String]>::to_vec),
            // What cannot be read is said when it is read.
            Err(_unread) => None,
        }
    }

    fn text(&self) -> io::Result<(sheet::Text, String, Arc<Marks>)> {
        let (_, part) = &self.book.sheets[self.at];
        let xml = self.book.xml(part)?;
        let strings = self.book.strings()?;
        Ok(sheet::Text::new(xml, strings, Arc::clone(&self.book)))
    }
}

/// Whether the beginning of a sheet's text is one column of words: a cover, notes, no table.
pub fn is_prose(text: &[u8]) -> bool {
    /// Rows that are looked at.
    const ROWS: usize = 50;
    let mut fields = Fields::default();
    let mut at = 0;
    for _ in 0..ROWS {
        fields.clear();
        match csv::next_record(text, at, b',', &mut fields) {
            Next::Record { next, .. } if fields.len() == 1 => at = next,
            Next::End => break,
            Next::Record { .. } | Next::Unclosed { .. } => return false,
        }
    }
    at > 0
}
