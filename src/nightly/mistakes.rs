//! Mistakes in a text, with their places: all of them are said at once, the first first.

use std::ops::Range;
use std::path::Path;

use crate::fault::{Error, Result};

/// Mistakes found so far.
#[derive(Debug)]
pub struct Mistakes<'t> {
    text: &'t str,
    file: &'t Path,
    found: Vec<(Range<usize>, String)>,
}

impl<'t> Mistakes<'t> {
    /// None yet, in the text of this file.
    pub fn of(text: &'t str, file: &'t Path) -> Mistakes<'t> {
        Mistakes {
            text,
            file,
            found: Vec::new(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether there is one inside of a place.
    pub fn are_in(&self, place: &Range<usize>) -> bool {
        let mut found = self.found.iter();
        found.any(|(known, _)| place.contains(&known.start))
    }

    /// Adds one, unless there is one of that place.
    pub fn add(&mut self, span: &Range<usize>, why: String) {
        if !self.found.iter().any(|(known, _)| known == span) {
            self.found.push((span.clone(), why));
        }
    }

    /// The same, unless there is one of that line: what follows it is of its making.
    pub fn add_one_a_line(&mut self, span: &Range<usize>, why: String) {
        let line = self.line(span.start);
        if !self
            .found
            .iter()
            .any(|(known, _)| self.line(known.start) == line)
        {
            self.found.push((span.clone(), why));
        }
    }

    /// Adds several.
    pub fn extend(&mut self, more: impl IntoIterator<Item = (Range<usize>, String)>) {
        for (span, why) in more {
            self.add(&span, why);
        }
    }

    /// Nothing, where there is none.
    ///
    /// # Errors
    /// [`Error::Unusable`], with the line and column of each, and the lines.
    pub fn done(mut self) -> Result<()> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|(span, _)| span.start);
        let told = self
            .found
            .iter()
            .map(|(span, why)| self.placed(span.start, why));
        Err(Error::Unusable {
            path: self.file.to_path_buf(),
            reason: told.collect::<Vec<String>>().join("\n"),
        })
    }

    /// The text before a place.
    fn before(&self, at: usize) -> &'t str {
        self.text.get(..at).unwrap_or(self.text)
    }

    fn line(&self, at: usize) -> usize {
        self.before(at).matches('\n').count() + 1
    }

    /// `line 3, column 5: why`, the line, and a caret below the place.
    fn placed(&self, at: usize, why: &str) -> String {
        let before = self.before(at);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let column = before[start..].chars().count();
        let shown = self.text[start..].lines().next().unwrap_or("");
        format!(
            "line {}, column {}: {why}\n  {shown}\n  {}^",
            self.line(at),
            column + 1,
            " ".repeat(column)
        )
    }
}
