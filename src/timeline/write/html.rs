//! One HTML file that opens offline: a table a day, nothing but text in it.

use std::io::{self, Write};

use chrono_tz::Tz;

use super::line::Line;
use crate::ingest::own::GENERATOR;
use crate::text::safe::seen;
use crate::timeline::field::Field;

/// No script, no picture and no address of another host: whatever a log says, a browser fetches nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const STYLE: &str = "body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem;color:#1b1f24;background:#fff}\
table{border-collapse:collapse;width:100%;table-layout:fixed}th,td{text-align:left;vertical-align:top;padding:.2rem .5rem;border-bottom:1px solid #d8dee4;\
overflow-wrap:anywhere}th:first-child{width:9rem}th:nth-child(3){width:16rem}th:nth-child(4){width:14rem}td:first-child{font-variant-numeric:tabular-nums}\
h2{font-size:1rem;margin:1.5rem 0 .3rem}small{color:#57606a}@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}\
th,td{border-color:#30363d}small{color:#8b949e}}";

/// Writes the beginning.
pub(super) fn head(out: &mut impl Write, zone: Option<Tz>) -> io::Result<()> {
    let zone = zone.map_or("UTC", |zone| zone.name());
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"generator\" content=\"{GENERATOR}\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>coldtrail timeline</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Timeline</h1>\n<p>Times in {zone}.</p>\n"
    )
}

/// Writes a line, and before the first of a day its heading. Returns the day.
pub(super) fn line(
    out: &mut impl Write,
    line: &Line<'_>,
    zone: Option<Tz>,
    before: &str,
) -> io::Result<String> {
    let time = line.iso(zone);
    let (day, clock) = time.split_once('T').unwrap_or((time.as_str(), ""));
    if day != before {
        if !before.is_empty() {
            out.write_all(b"</tbody>\n</table>\n")?;
        }
        write!(
            out,
            "<h2>{day}</h2>\n<table>\n<thead><tr><th>time</th><th>what happened</th><th>who and where</th><th>record</th></tr></thead>\n<tbody>\n"
        )?;
    }
    let event = &line.event;
    let mut whose = escaped(event.get(Field::User));
    for field in [Field::Address, Field::Device, Field::Session] {
        let text = event.get(field);
        if !text.is_empty() {
            whose.push_str(&format!("<br><small>{}</small>", escaped(text)));
        }
    }
    let mut place = escaped(event.get(Field::Table));
    for text in [event.get(Field::EventId), line.file] {
        if !text.is_empty() {
            place.push_str(&format!("<br><small>{}</small>", escaped(text)));
        }
    }
    let record = event.get(Field::Record);
    if !line.file.is_empty() && !record.is_empty() {
        place.push_str(&format!("<small>, record {}</small>", escaped(record)));
    }
    writeln!(
        out,
        "<tr><td>{clock}</td><td>{}</td><td>{whose}</td><td>{place}</td></tr>",
        escaped(line.message)
    )?;
    Ok(day.to_string())
}

/// Writes the end.
pub(super) fn end(out: &mut impl Write, before: &str) -> io::Result<()> {
    let open = match before {
        "" => "<p>No event.</p>\n",
        _ => "</tbody>\n</table>\n",
    };
    write!(out, "{open}</body>\n</html>\n")
}

/// A text of the log, as nothing but text.
fn escaped(text: &str) -> String {
    let seen = seen(text);
    let mut out = String::with_capacity(seen.len());
    for c in seen.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
