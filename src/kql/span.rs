//! Places in a query's text, and what is wrong at one.

use std::fmt;

use crate::fault::Diagnostic;

/// A range of bytes of the query's text; both ends lie on character boundaries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

impl Span {
    /// The range from `start` up to `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// The range from the start of this one to the end of the other.
    pub fn to(self, other: Span) -> Self {
        Span::new(self.start, other.end.max(self.start))
    }

    /// The part of `text` that it names; empty where the span belongs to another text.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// What is wrong at one place of a query. Every stage of the front end reports these and goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub span: Span,
    /// What, without a final full stop.
    pub message: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
    /// What is not there, where that is the fault.
    pub missing: Option<Missing>,
}

/// What a name was looked for as, and not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A column or variable.
    Column,
    /// A column that the data may have: nobody knows before the query runs.
    Open,
    /// A table, or a function that gives one.
    Table,
}

impl Fault {
    /// A fault without a hint.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Fault {
            span,
            message: message.into(),
            hint: None,
            missing: None,
        }
    }

    /// The same, for a name that stands for no column.
    pub fn missing_column(mut self) -> Self {
        self.missing = Some(Missing::Column);
        self
    }

    /// The same, for a name that the data may have as a column.
    pub fn open_column(mut self) -> Self {
        self.missing = Some(Missing::Open);
        self
    }

    /// The same, for a name that stands for no table.
    pub fn missing_table(mut self) -> Self {
        self.missing = Some(Missing::Table);
        self
    }

    /// The same with a hint.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The line of a text that it stands in, and carets below its place. Of a line that is very long only what is around the place is shown.
    pub fn marked(&self, text: &str) -> [String; 2] {
        let (line, column) = position(text, self.span.start);
        let whole = text.lines().nth(line - 1).unwrap_or("");
        let (left_out, most) = match whole.chars().count() > LONG_LINE {
            true => ((column - 1).saturating_sub(AROUND), 2 * AROUND),
            false => (0, LONG_LINE),
        };
        let source: String = whole.chars().skip(left_out).take(most).collect();
        let part = self.span.of(text).lines().next();
        let width = part.map_or(1, |part| part.chars().count().clamp(1, most));
        // A tab is as wide as the terminal likes; carets follow it by repeating it.
        let mut carets: String = source
            .chars()
            .take(column - 1 - left_out)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        carets.push_str(&"^".repeat(width));
        [source, carets]
    }

    /// The same as a message about `subject`, which holds `text`: `3:14: expected …`.
    pub fn diagnostic(&self, subject: impl Into<String>, text: &str) -> Diagnostic {
        let (line, column) = position(text, self.span.start);
        let diagnostic = Diagnostic::error(subject, format!("{line}:{column}: {}", self.message));
        match &self.hint {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        }
    }
}

/// Characters of a line that are shown whole. A query that a program wrote may be one line of a megabyte …
const LONG_LINE: usize = 2000;
/// … of which so many are shown on either side of the place.
const AROUND: usize = 80;

/// Faults with the lines they stand in, the place under carets, and their hints.
pub fn render(faults: &[Fault], text: &str) -> String {
    render_in(faults, text, |line, column| (line, column))
}

/// The same of a text that stands in a file: `place` gives line and column there of those in the text.
pub fn render_in(
    faults: &[Fault],
    text: &str,
    place: impl Fn(usize, usize) -> (usize, usize),
) -> String {
    use fmt::Write;
    let mut out = String::new();
    for fault in faults {
        let (line, column) = position(text, fault.span.start);
        let (line, column) = place(line, column);
        let [source, carets] = fault.marked(text);
        let margin = " ".repeat(line.to_string().len());
        if !out.is_empty() {
            out.push_str("\n\n");
        }
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "{}\n{margin}--> {line}:{column}\n{margin} |\n{line} | {source}\n{margin} | {carets}",
            fault.message
        );
        if let Some(hint) = &fault.hint {
            let _ = write!(out, "\n{margin} = hint: {hint}");
        }
    }
    out
}

/// Line and column, both from 1, of a byte offset; a column is a character.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let line = 1 + before.bytes().filter(|b| *b == b'\n').count();
    (line, 1 + before[line_start..].chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_lines_and_characters() {
        let text = "T\n| where é == 1";
        let offset = text.find("==").expect("it is there");
        assert_eq!(position(text, offset), (2, 11));
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, 999), (2, 15));
    }

    #[test]
    fn of_a_very_long_line_the_part_around_the_place_is_shown() {
        let text = format!("{}?{}", "a".repeat(50_000), "b".repeat(50_000));
        let fault = Fault::new(Span::new(50_000, 50_001), "what is this");
        let shown = render(&[fault], &text);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1], " --> 1:50001");
        assert_eq!(lines[3].find('?'), lines[4].find('^'));
        assert!(shown.len() < 500, "{shown}");
        let all = render(&[Fault::new(Span::new(0, 100_001), "all of it")], &text);
        assert!(all.len() < 500, "{all}");
    }

    #[test]
    fn a_fault_becomes_a_diagnostic_with_its_place() {
        let fault = Fault::new(Span::new(2, 3), "expected a table").with_hint("name one");
        let diagnostic = fault.diagnostic("rule.kql", "\n\n?");
        assert_eq!(diagnostic.message, "3:1: expected a table");
        assert_eq!(diagnostic.hint.as_deref(), Some("name one"));
    }
}
