//! Files that have something else around their records: the words of a log before each, remarks or a title before the first.

use super::super::{behind, csv};
use super::csv::{from_csv, looks_tabular};
use super::found::{Container, Detected, Format, Hints, Kind, OTHER};
use super::json::from_json;
use super::order::has_time;

/// What such a file is; nothing where it is none.
pub(super) fn json(head: &[u8], text_start: usize) -> Option<Detected> {
    let text = &head[text_start..];
    lines(text).or_else(|| {
        let below = |rest: &[u8]| from_below(rest, text_start + text.len() - rest.len());
        match behind::below_remarks(text) {
            Some(rest) => below(rest),
            None if text.starts_with(b"[") => None,
            None => behind::below_words(text).and_then(below).filter(is_known),
        }
    })
}

/// Whether records are of a kind that is known, so that what stands above them is none of theirs.
fn is_known(detected: &Detected) -> bool {
    let Detected::Known(format) = detected else {
        return false;
    };
    !matches!(&format.kind, Kind::Objects { table } if table.name == OTHER)
}

/// A CSV, also one whose header stands below a title, below remarks or below what a report says of itself.
pub(super) fn csv(head: &[u8], text_start: usize, hints: &Hints) -> Detected {
    /// Lines of a title.
    const LINES: usize = 24;
    let first = from_csv(head, text_start, hints);
    if !matches!(first, Detected::Unknown(_)) {
        return first;
    }
    let mut at = text_start;
    for lines in 1..=LINES {
        at = csv::line_end(head, at);
        if at >= head.len() {
            break;
        }
        if head[at..csv::line_end(head, at)].trim_ascii().is_empty() {
            continue;
        }
        if let Detected::Known(mut format) = from_csv(head, at, hints)
            && says_what_it_is(&format)
            && has_rows(&format, head)
        {
            format.why = format!("below {lines} lines of text: {}", format.why);
            return Detected::Known(format);
        }
    }
    first
}

/// Whether a header is one that only a table of records has.
fn says_what_it_is(format: &Format) -> bool {
    match &format.kind {
        Kind::Cells { table, .. } if table.name == OTHER => has_time(format),
        // Its names may be anything, and so may be those of a row.
        Kind::WrappedCell { .. } => false,
        _ => true,
    }
}

/// Whether the rows below a header are as wide as it is, or there are none: a line of a text may name columns, too.
fn has_rows(format: &Format, head: &[u8]) -> bool {
    let Container::Csv { delimiter, body } = format.container else {
        return true;
    };
    let is_header_only = csv::next_start(head, body) >= head.len();
    is_header_only || looks_tabular(head, body, delimiter, format.header.len())
}

/// Records that stand behind something else on their lines.
fn lines(text: &[u8]) -> Option<Detected> {
    match from_json(&behind::first_objects(text)?) {
        Detected::Known(mut format) if format.container == Container::JsonLines => {
            format.why = behind::why(&format.why);
            Some(Detected::Known(format))
        }
        _ => None,
    }
}

/// JSON that begins at this place, below remarks or behind the name of a variable.
fn from_below(rest: &[u8], start: usize) -> Option<Detected> {
    let Detected::Known(mut format) = from_json(rest) else {
        return None;
    };
    if let Container::JsonEnvelope { body, .. } = &mut format.container {
        *body += start;
    }
    Some(Detected::Known(format))
}
