//! A timeline on its way into a file or a pipe, in the format that is asked for.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;

use super::json::{self, For};
use super::line::Line;
use super::workbook::{self, Book};
use super::{body, csv, html};
use crate::fault::{Error, Result};

/// A format for timelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// One object a line.
    Jsonl,
    /// One object a line, as Timesketch imports them.
    Timesketch,
    /// The body file of the Sleuth Kit.
    Bodyfile,
    /// A workbook for Excel.
    Xlsx,
    /// One HTML file.
    Html,
}

impl Format {
    /// All, with their names.
    pub const ALL: [(&'static str, Format); 6] = [
        ("csv", Format::Csv),
        ("jsonl", Format::Jsonl),
        ("timesketch", Format::Timesketch),
        ("bodyfile", Format::Bodyfile),
        ("xlsx", Format::Xlsx),
        ("html", Format::Html),
    ];

    /// Whether its times are in UTC whatever zone is asked for.
    pub fn is_utc(self) -> bool {
        matches!(self, Format::Timesketch | Format::Bodyfile)
    }
}

/// Writes a timeline.
pub struct Writer<W: Write + Send> {
    format: Format,
    zone: Option<Tz>,
    /// The reader is a person: nothing is sent that a terminal would obey.
    terminal: bool,
    out: W,
    /// Where it goes, for messages.
    place: PathBuf,
    /// The day of the last line.
    day: String,
    book: Option<Book>,
}

impl<W: Write + Send> Writer<W> {
    /// Begins one, with times in a zone. `place` is where it goes, for messages; a workbook puts its rows into `temp` first, or where the system has its
    /// temporary files.
    ///
    /// # Errors
    /// When the beginning cannot be written.
    pub fn new(
        format: Format,
        zone: Option<Tz>,
        terminal: bool,
        (out, place): (W, &Path),
        temp: Option<&Path>,
    ) -> Result<Writer<W>> {
        let mut writer = Writer {
            format,
            zone,
            terminal,
            out,
            place: place.to_path_buf(),
            day: String::new(),
            book: None,
        };
        let begun = writer.begin(temp);
        begun.map_err(Error::io("write", &writer.place))?;
        Ok(writer)
    }

    fn begin(&mut self, temp: Option<&Path>) -> io::Result<()> {
        match self.format {
            Format::Csv => csv::head(&mut self.out),
            Format::Html => html::head(&mut self.out, self.zone),
            Format::Xlsx => {
                self.book = Some(Book::new(workbook::ROWS, temp)?);
                Ok(())
            }
            Format::Jsonl | Format::Timesketch | Format::Bodyfile => Ok(()),
        }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(in crate::timeline) fn write(&mut self, line: &Line<'_>) -> Result<()> {
        let written = self.put(line);
        written.map_err(Error::io("write", &self.place))
    }

    fn put(&mut self, line: &Line<'_>) -> io::Result<()> {
        let out = &mut self.out;
        match (self.format, &mut self.book) {
            (Format::Csv, _) => csv::line(out, line, self.zone, self.terminal),
            (Format::Jsonl, _) => json::line(out, line, self.zone, For::Programs),
            (Format::Timesketch, _) => json::line(out, line, None, For::Timesketch),
            (Format::Bodyfile, _) => body::line(out, line),
            (Format::Html, _) => {
                self.day = html::line(out, line, self.zone, &self.day)?;
                Ok(())
            }
            (Format::Xlsx, Some(book)) => book.line(line, self.zone),
            (Format::Xlsx, None) => Ok(()),
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(self) -> Result<()> {
        let Writer {
            format,
            mut out,
            place,
            day,
            book,
            ..
        } = self;
        let ended = match (format, book) {
            (Format::Html, _) => html::end(&mut out, &day),
            (_, Some(book)) => book.finish(&mut out),
            _ => Ok(()),
        };
        ended
            .and_then(|()| out.flush())
            .map_err(Error::io("write", &place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::field::{Event, Field};

    const HOSTILE: &str = "=cmd|' /C calc'!A0<script>\u{202e}\n\"x\"";

    fn written(format: Format, times: &[i64]) -> String {
        String::from_utf8(bytes(format, times)).expect("text")
    }

    fn bytes(format: Format, times: &[i64]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer =
            Writer::new(format, None, false, (&mut out, Path::new("x")), None).expect("a writer");
        for time in times {
            let said = [
                (Field::User, HOSTILE),
                (Field::Table, "T"),
                (Field::Ingest, "1"),
                (Field::Record, "7"),
            ];
            let line = Line {
                time: *time,
                message: HOSTILE,
                kind: "Event Time",
                file: "a.csv",
                event: Event::of(*time, &said),
            };
            writer.write(&line).expect("a line");
        }
        writer.finish().expect("an end");
        out
    }

    #[test]
    fn a_line_of_timesketch_has_what_it_wants() {
        let text = written(Format::Timesketch, &[1_779_306_005_123_400]);
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["datetime"], "2026-05-20T19:40:05.123400+00:00");
        assert_eq!(value["timestamp"], 1_779_306_005_123_400_i64);
        assert_eq!(value["timestamp_desc"], "Event Time");
        assert_eq!(value["message"], HOSTILE);
        assert!(value.get("session").is_none());
        assert!(!text.contains('\u{202e}'));
    }

    #[test]
    fn a_body_file_has_eleven_fields_a_line() {
        let text = written(Format::Bodyfile, &[1_779_306_005_123_400, -1]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('|').collect()).collect();
        assert_eq!(lines.len(), 2);
        for line in &lines {
            assert_eq!(line.len(), 11, "{line:?}");
            // `mactime` wants digits there, and takes no line without a time.
            assert_eq!((line[3], line[4], line[5]), ("coldtrail", "0", "0"));
        }
        assert!(lines[1][1].starts_with("[1969-12-31T23:59:59.999999Z] "));
        assert!(lines[1][1].ends_with(" (T)"));
        assert!(
            lines[0][1].starts_with("[.123400] =cmd%7C'"),
            "{}",
            lines[0][1]
        );
        assert_eq!(
            (lines[0][2], lines[0][8], lines[1][8]),
            ("1-7", "1779306005", "1")
        );
    }

    #[test]
    fn html_is_text_and_fetches_nothing() {
        let text = written(Format::Html, &[0, 1, 86_400_000_000]);
        assert!(
            !text.contains("<script") && !text.contains('\u{202e}'),
            "{text}"
        );
        assert!(text.contains("&lt;script&gt;⟦U+202E⟧"), "{text}");
        assert_eq!(text.matches("<table>").count(), 2);
        assert_eq!(text.matches("</table>").count(), 2);
        assert!(!text.contains("http://") && !text.contains("https://"));
        assert!(written(Format::Html, &[]).contains("No event."));
    }

    #[test]
    fn csv_has_no_formula() {
        let text = written(Format::Csv, &[0]);
        assert!(text.contains(",\"'=cmd|' /C calc'!A0<script>"), "{text}");
    }

    #[test]
    fn a_workbook_is_the_same_each_time() {
        let one = bytes(Format::Xlsx, &[0, 1]);
        assert!(one.starts_with(b"PK"));
        assert_eq!(one, bytes(Format::Xlsx, &[0, 1]));
    }
}
