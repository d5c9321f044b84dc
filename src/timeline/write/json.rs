//! JSON lines: ours, and those that Timesketch imports.

use std::io::{self, Write};

use chrono_tz::Tz;

use super::line::{BESIDE, Line};
use crate::ingest::own::GENERATOR;
use crate::text::safe::quote;

/// For whom the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Any program.
    Programs,
    /// Timesketch: `timestamp` in microseconds beside `datetime`, which has an offset and no `Z`.
    Timesketch,
}

/// Writes a line. Keys without a value are left out.
pub(super) fn line(
    out: &mut impl Write,
    line: &Line<'_>,
    zone: Option<Tz>,
    reader: For,
) -> io::Result<()> {
    let mut row = String::from("{");
    let mut put = |key: &str, text: &str| {
        if text.is_empty() {
            return;
        }
        if row.len() > 1 {
            row.push(',');
        }
        quote(key, &mut row);
        row.push(':');
        quote(text, &mut row);
    };
    // First, so that an ingest knows whose file this is.
    put("generator", GENERATOR);
    put("message", line.message);
    let time = line.iso(zone);
    match (reader, time.strip_suffix('Z')) {
        (For::Timesketch, Some(clock)) => put("datetime", &format!("{clock}+00:00")),
        _ => put("datetime", &time),
    }
    put("timestamp_desc", line.kind);
    for (key, field) in BESIDE {
        put(key, line.event.get(field));
    }
    put("file", line.file);
    if reader == For::Timesketch {
        row.push_str(&format!(",\"timestamp\":{}", line.time));
    }
    row.push_str("}\n");
    out.write_all(row.as_bytes())
}
