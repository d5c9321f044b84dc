//! Watchlists: CSV files of reference data with a header, all columns text. Read here for the ingest, which takes them, and for
//! queries, which ask them.
//!
//! A list that is not whole is refused with its row: a row that is left out in silence is an account that nobody watches. Knows
//! nothing of the archive and of queries.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use encoding_rs::{Encoding, UTF_8};

use super::csv::{self, Fields, Next};
use super::input;
use crate::error::Error;

/// The watchlist of sensitivity labels, which the label views read.
pub const LABELS: &str = "Labels";

/// Lists that the built-in rules name.
const KNOWN: [&str; 3] = [LABELS, "CriticalFiles", "SuperUsers"];

/// Longest list that is read; Sentinel takes 500 MB.
const MAX_BYTES: u64 = 512 << 20;

/// Most columns of a list; more are no list but another file, or one made to take memory.
const MAX_COLUMNS: usize = 1000;

/// Characters of a name that a message shows.
const SHOWN: usize = 80;

/// Why a list is refused; the caller knows its file.
type Result<T> = std::result::Result<T, String>;

/// The rows of a list.
#[derive(Debug)]
pub struct Watchlist {
    header: Vec<String>,
    rows: usize,
    /// All cells, row by row.
    text: String,
    /// Where each cell ends in the text.
    ends: Vec<usize>,
}

impl Watchlist {
    /// Reads the rows of the list of that name.
    ///
    /// # Errors
    /// When the content is no table of text with a header, or lacks columns that the list of that name needs.
    pub fn parse(name: &str, content: &[u8]) -> Result<Watchlist> {
        let text = text_of(content)?;
        let bytes = text.as_bytes();
        let first = text.split(['\r', '\n']).find(|line| !line.is_empty());
        let delimiter = csv::delimiter_of(first.ok_or("it is empty")?.as_bytes());
        let mut fields = Fields::with_capacity(bytes.len());
        let mut at = match csv::next_record(bytes, 0, delimiter, &mut fields) {
            Next::Record { next, .. } => next,
            Next::Unclosed { .. } => {
                return Err("its header opens a quote and never closes it".into());
            }
            Next::End => return Err("it is empty".into()),
        };
        let header: Vec<String> = fields
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_string())
            .collect();
        check_header(&header)?;
        let has = |column: &&str| header.iter().any(|name| name.eq_ignore_ascii_case(column));
        if name == LABELS && !["Id", "Name"].iter().all(has) {
            return Err("it needs the columns Id and Name, and Rank and Parent where known".into());
        }
        fields.clear();
        let mut rows: usize = 0;
        loop {
            let before = fields.len();
            let place = |start| format!("row {} (line {})", rows + 1, line_of(bytes, start));
            match csv::next_record(bytes, at, delimiter, &mut fields) {
                Next::Record { start, next } => {
                    let width = fields.len() - before;
                    if width != header.len() {
                        let columns = if width == 1 { "column" } else { "columns" };
                        return Err(format!(
                            "{} has {width} {columns}, the header {}",
                            place(start),
                            header.len()
                        ));
                    }
                    at = next;
                }
                Next::Unclosed { start } => {
                    return Err(format!(
                        "{} opens a quote and never closes it",
                        place(start)
                    ));
                }
                Next::End => break,
            }
            rows += 1;
        }
        let (cells, ends) = fields.into_parts();
        // It was cut at line ends, delimiters and quotes, which are no part of any other character.
        let text = String::from_utf8(cells).map_err(|e| format!("it is not UTF-8: {e}"))?;
        Ok(Watchlist {
            header,
            rows,
            text,
            ends,
        })
    }

    /// Names of the columns, without blanks around them.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The cells of a column, from 0; nothing where a cell is empty.
    pub fn column(&self, column: usize) -> impl Iterator<Item = Option<&str>> {
        (0..self.rows).map(move |row| {
            let cell = row * self.header.len() + column;
            let start = match cell {
                0 => 0,
                i => self.ends[i - 1],
            };
            Some(&self.text[start..self.ends[cell]]).filter(|text| !text.is_empty())
        })
    }
}

/// The name of the list that a file holds, as the rules spell it; none where the file is no `.csv`.
pub fn name_of(file: &Path) -> Option<String> {
    let is_csv = file
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let stem = file.file_stem().filter(|_| is_csv)?.to_string_lossy();
    let known = KNOWN.into_iter().find(|k| k.eq_ignore_ascii_case(&stem));
    Some(known.unwrap_or(&stem).to_string())
}

/// The content of a list's file.
///
/// # Errors
/// When it is no file, cannot be read, or is too long for a list.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    input::regular(file).map_err(|error| match error {
        Error::Unusable { reason, .. } => reason,
        Error::Io { action, source, .. } => format!("cannot {action} it: {source}"),
        other => other.to_string(),
    })?;
    let mut content = Vec::new();
    // Not what the system says of its size: it may grow, and some files have none.
    File::open(file)
        .and_then(|open| open.take(MAX_BYTES + 1).read_to_end(&mut content))
        .map_err(|e| format!("cannot read it: {e}"))?;
    if content.len() as u64 > MAX_BYTES {
        return Err(format!("it is longer than {} MiB", MAX_BYTES >> 20));
    }
    Ok(content)
}

/// Refuses a header that is no row of names.
///
/// # Errors
/// When two columns have one name, or there are too many.
pub fn check_header(header: &[String]) -> Result<()> {
    if header.len() > MAX_COLUMNS {
        return Err(format!("it has more than {MAX_COLUMNS} columns"));
    }
    for (i, name) in header.iter().enumerate() {
        if let Some(first) = header[..i].iter().position(|other| other == name) {
            let shown: String = name.chars().take(SHOWN).collect();
            return Err(format!(
                "columns {} and {} are both called `{shown}`",
                first + 1,
                i + 1
            ));
        }
    }
    Ok(())
}

/// The content as text: UTF-8, or what a byte order mark says.
fn text_of(content: &[u8]) -> Result<Cow<'_, str>> {
    let (encoding, mark) = Encoding::for_bom(content).unwrap_or((UTF_8, 0));
    let body = &content[mark..];
    let text = match encoding == UTF_8 {
        true => Cow::Borrowed(
            std::str::from_utf8(body)
                .map_err(|e| format!("line {} is not UTF-8", line_of(body, e.valid_up_to())))?,
        ),
        false => encoding
            .decode_without_bom_handling_and_without_replacement(body)
            .ok_or_else(|| format!("it is not {}, which its first bytes say", encoding.name()))?,
    };
    match memchr::memchr(0, text.as_bytes()) {
        Some(at) => Err(format!(
            "line {} holds a NUL byte; UTF-16 is known by its byte order mark",
            line_of(text.as_bytes(), at)
        )),
        None => Ok(text),
    }
}

/// The line, from 1, in which a byte stands.
fn line_of(text: &[u8], at: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &text[..at]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(name: &str, content: &[u8]) -> Result<Vec<Vec<String>>> {
        let list = Watchlist::parse(name, content)?;
        Ok((0..list.header().len())
            .map(|c| list.column(c).map(|t| t.unwrap_or("-").into()).collect())
            .collect())
    }

    #[test]
    fn lists_are_read_in_every_encoding_that_says_what_it_is() {
        let text = "Name;Why\r\n\"Müller; Jürgen\";\r\n\r\nb;\"two\nlines\"\r\n";
        let sixteen = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            std::iter::once(0xfeff)
                .chain(text.encode_utf16())
                .flat_map(bytes)
                .collect()
        };
        let wanted = vec![vec!["Müller; Jürgen", "b"], vec!["-", "two\nlines"]];
        for content in [
            text.as_bytes().to_vec(),
            [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat(),
            sixteen(u16::to_le_bytes),
            sixteen(u16::to_be_bytes),
        ] {
            let read = cells("VIPs", &content).expect("a list");
            assert_eq!(read, wanted);
        }
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_row() {
        for (content, why) in [
            (&b""[..], "it is empty"),
            (b"\r\n\n", "it is empty"),
            (b"a,b,a\n", "columns 1 and 3 are both called `a`"),
            (
                b"a,b\n1,2\n\n3\n",
                "row 2 (line 4) has 1 column, the header 2",
            ),
            (b"a\n1,2\n", "row 1 (line 2) has 2 columns, the header 1"),
            (
                b"a\n1\n\"2\n3\n",
                "row 2 (line 3) opens a quote and never closes it",
            ),
            (
                b"a,\"b\n1,2\n",
                "its header opens a quote and never closes it",
            ),
            (b"a\nM\xfcller\n", "line 2 is not UTF-8"),
            (
                b"\xff\xfea\x00\n",
                "it is not UTF-16LE, which its first bytes say",
            ),
            (
                b"a\x00\n\x00",
                "line 1 holds a NUL byte; UTF-16 is known by its byte order mark",
            ),
        ] {
            assert_eq!(cells("VIPs", content), Err(why.to_string()));
        }
        let why = "it needs the columns Id and Name, and Rank and Parent where known";
        assert_eq!(cells(LABELS, b"Id,Rank\n1,2\n"), Err(why.to_string()));
        assert!(cells(LABELS, b"ID,name\n1,2\n").is_ok());
    }

    #[test]
    fn names_are_those_of_the_rules() {
        for (file, name) in [
            ("a/superusers.CSV", Some("SuperUsers")),
            ("VIPs.csv", Some("VIPs")),
            ("VIPs.csv.part", None),
            ("README.md", None),
        ] {
            assert_eq!(name_of(Path::new(file)).as_deref(), name);
        }
    }
}
