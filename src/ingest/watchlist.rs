//! Watchlists: CSV files of reference data with a header, all columns text. Read here for the ingest, which takes them, and for
//! queries, which ask them. A list may come as JSON, CLIXML or Format-List text; the archive has it as CSV.
//!
//! The list of sensitivity labels may be in the spelling of `Get-Label` or Graph; here its columns have one name.
//!
//! A list that is not whole is refused with its row: a row that is left out in silence is an account that nobody watches. Knows
//! nothing of the archive and of queries.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::csv::{self, Fields, Next};
use super::input::{self, Local, Stored};
use crate::fault::Error;
use crate::storage::is_remote;
use crate::text::noun;

mod clixml;
mod labels;
mod list;
mod pages;
mod paragraphs;

pub use list::{Form, Watchlist};
use list::{MAX_COLUMNS, Result};

/// The watchlist of sensitivity labels, which the label views read.
pub const LABELS: &str = "Labels";

/// Lists that the built-in rules name.
const KNOWN: [&str; 3] = [LABELS, "CriticalFiles", "SuperUsers"];

/// What is said of what PowerShell shows where nobody says how.
const CONSOLE: &str = "it is a table of PowerShell's console, which leaves out what does not fit: \
    `Format-List`, `Export-Csv` or `ConvertTo-Json` write all of it";

/// What is said of pages after which more would come.
const GOES_ON: &str = "it is not the whole list: the rest is behind its @odata.nextLink";

/// Longest list that is read; Sentinel takes 500 MB.
const MAX_BYTES: u64 = 512 << 20;

/// Characters of a name that a message shows.
const SHOWN: usize = 80;

impl Watchlist {
    /// Reads the rows of the list of that name.
    ///
    /// # Errors
    /// When the content is no table of text with a header, or lacks columns that the list of that name needs.
    pub fn parse(name: &str, content: &[u8]) -> Result<Watchlist> {
        if let Some(what) = foreign(content) {
            return Err(what.into());
        }
        let (text, remark) = text_of(content)?;
        let mut list = if pages::is_json(&text) {
            Watchlist::of_rows(pages::read(&text, name == LABELS)?, Form::Json)
        } else if clixml::is_clixml(&text) {
            Watchlist::of_rows(clixml::read(&text)?, Form::Clixml)
        } else if paragraphs::is_paragraphs(&text) {
            Watchlist::of_rows(paragraphs::read(&text)?, Form::FormatList)
        } else {
            Watchlist::of_csv(&text).map_err(|why| explained(why, &text))?
        };
        list.remarks.extend(remark);
        check_header(&list.header)?;
        if name == LABELS {
            let first = |column| list.column(column).flatten().next();
            let header = labels::rename(&list.header, &first);
            let header = header.map_err(|why| explained(why, &text))?;
            let renamed: Vec<String> = list
                .header
                .iter()
                .zip(&header)
                .filter(|(before, after)| before != after)
                .map(|(before, after)| format!("{before} is {after}"))
                .collect();
            if !renamed.is_empty() {
                list.remarks
                    .push(format!("columns of its export: {}", renamed.join(", ")));
            }
            list.header = header;
            check_header(&list.header)?;
            labels::settle(&mut list);
        }
        Ok(list)
    }

    fn of_rows(rows: pages::Rows, form: Form) -> Watchlist {
        let width = rows.header.len();
        let (mut text, mut ends) = (String::new(), Vec::new());
        for row in &rows.cells {
            for column in 0..width {
                text.push_str(row.get(column).map_or("", String::as_str));
                ends.push(text.len());
            }
        }
        Watchlist {
            header: rows.header,
            rows: rows.cells.len(),
            text,
            ends,
            form,
            remarks: rows
                .goes_on
                .then(|| GOES_ON.to_string())
                .into_iter()
                .collect(),
        }
    }

    fn of_csv(text: &str) -> Result<Watchlist> {
        let bytes = text.as_bytes();
        let (start, named) = csv::header_start(bytes, 0);
        let first = text.get(start..).unwrap_or_default();
        let first = first.split(['\r', '\n']).next().unwrap_or_default();
        if first.is_empty() {
            return Err("it is empty".into());
        }
        let delimiter = named.unwrap_or_else(|| csv::delimiter_of(first.as_bytes()));
        let mut fields = Fields::with_capacity(bytes.len());
        let mut at = match csv::next_record(bytes, start, delimiter, &mut fields) {
            Next::Record { next, .. } => next,
            Next::Unclosed { .. } => {
                return Err("its header opens a quote and never closes it".into());
            }
            Next::End => return Err("it is empty".into()),
        };
        let mut header: Vec<String> = fields
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_string())
            .collect();
        // A spreadsheet has columns without a name where something stood once.
        while header.len() > 1 && header.last().is_some_and(String::is_empty) {
            header.pop();
        }
        check_header(&header)?;
        fields.clear();
        let mut rows: usize = 0;
        loop {
            let before = fields.len();
            let place = |start| format!("row {} (line {})", rows + 1, line_of(bytes, start));
            match csv::next_record(bytes, at, delimiter, &mut fields) {
                Next::Record { start, next } => {
                    // Cells without anything in them that stand after the last column are no cells.
                    while fields.len() > before + header.len()
                        && fields.get(fields.len() - 1).is_some_and(<[u8]>::is_empty)
                    {
                        fields.cut_back(fields.len() - 1);
                    }
                    let width = fields.len() - before;
                    if width != header.len() {
                        let columns = noun(width as u64, "column");
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
            form: Form::Csv,
            remarks: Vec::new(),
        })
    }

    /// Whether it has what only a list of labels has: ids, names, and a rank or a parent of each.
    pub fn has_labels(&self) -> bool {
        labels::is_header(&self.header)
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

/// The same of a file that becomes a list when it is taken, or of which is said why it cannot be one.
pub fn name_of_other(file: &Path) -> Option<String> {
    const OTHERS: [&str; 7] = ["json", "tsv", "xlsx", "xlsm", "xls", "xml", "clixml"];
    let extension = file.extension()?;
    let is_other = OTHERS.iter().any(|e| extension.eq_ignore_ascii_case(e));
    name_of(&file.with_extension("csv")).filter(|_| is_other)
}

/// Why a text is no list; a table of the console is said to be one.
fn explained(why: String, text: &str) -> String {
    /// Lines among which the one below its header stands.
    const LINES: usize = 5;
    let is_rule = |line: &str| line.contains("--") && line.chars().all(|c| matches!(c, '-' | ' '));
    match text.lines().take(LINES).any(|line| is_rule(line.trim())) {
        true => CONSOLE.into(),
        false => why,
    }
}

/// What a file is that is no list of text, and what to do.
fn foreign(content: &[u8]) -> Option<&'static str> {
    const WORKBOOK: &str = "it is an Excel workbook: save its sheet as CSV";
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let is_utf16 = [b"\xff\xfe<\0", b"\xfe\xff\0<"]
        .iter()
        .any(|m| content.starts_with(*m));
    let head = &text[..text.len().min(1024)];
    let head: Vec<u8> = match is_utf16 {
        true => head.iter().copied().filter(|b| *b != 0).collect(),
        false => head.to_vec(),
    };
    let bare: Vec<u8> = head
        .iter()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    let has = |mark: &[u8]| memchr::memmem::find(&head, mark).is_some();
    Some(match content {
        [b'P', b'K', 3, 4, ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => WORKBOOK,
        [0x1f, 0x8b, ..] => "it is packed with gzip: unpack it",
        // Objects of PowerShell are lists.
        _ if has(b"<Objs") => return None,
        _ if bare.starts_with(b"<") || is_utf16 => "it is XML or HTML, no list",
        _ if bare.starts_with(b"{\"error\"") => "it is an error answer of an interface, no list",
        _ => return None,
    })
}

/// The content of a list's file, which may lie in object storage.
///
/// # Errors
/// When it is no file, cannot be read, or is too long for a list.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    if is_remote(file) {
        return brought(file);
    }
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

/// The same of one in object storage.
fn brought(file: &Path) -> Result<Vec<u8>> {
    let failed = |error: Error| error.to_string();
    let stored = Stored::at(file).map_err(failed)?;
    let stored = stored.ok_or("cannot read it: it is there no more")?;
    if stored.size() > MAX_BYTES {
        return Err(format!("it is longer than {} MiB", MAX_BYTES >> 20));
    }
    let mut content = Vec::new();
    let mut reader = stored.bring().and_then(Local::read).map_err(failed)?;
    let read = reader.read_to_end(&mut content);
    read.map_err(|e| format!("cannot read it: {e}"))?;
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

/// The content as text, and what is to be said of its encoding: UTF-8, or what a byte order mark says, else the code page of Windows.
fn text_of(content: &[u8]) -> Result<(Cow<'_, str>, Option<String>)> {
    let (encoding, mark) = Encoding::for_bom(content)
        .or_else(|| without_mark(content).map(|encoding| (encoding, 0)))
        .unwrap_or((UTF_8, 0));
    let body = &content[mark..];
    let mut remark = None;
    let text = if encoding == UTF_8 {
        match std::str::from_utf8(body) {
            Ok(text) => Cow::Borrowed(text),
            Err(e) if mark > 0 => {
                let line = line_of(body, e.valid_up_to());
                return Err(format!(
                    "line {line} is not UTF-8, which its first bytes say"
                ));
            }
            Err(e) => {
                let line = line_of(body, e.valid_up_to());
                remark = Some(format!("line {line} is not UTF-8: read as Windows-1252"));
                windows(body)
                    .ok_or_else(|| format!("line {line} is neither UTF-8 nor Windows-1252"))?
            }
        }
    } else {
        encoding
            .decode_without_bom_handling_and_without_replacement(body)
            .ok_or_else(|| format!("it is not {}, which its first bytes say", encoding.name()))?
    };
    match memchr::memchr(0, text.as_bytes()) {
        Some(at) => Err(format!(
            "line {} holds a NUL byte; UTF-16 is known by its byte order mark",
            line_of(text.as_bytes(), at)
        )),
        None => Ok((text, remark)),
    }
}

/// UTF-16 without a byte order mark: every other byte of its first letters is NUL.
fn without_mark(content: &[u8]) -> Option<&'static Encoding> {
    const LETTERS: usize = 8;
    let pairs = content.get(..2 * LETTERS)?.chunks_exact(2);
    let all = |low: usize| {
        pairs
            .clone()
            .all(|pair| pair[low] != 0 && pair[1 - low] == 0)
    };
    match (all(0), all(1)) {
        (true, _) => Some(UTF_16LE),
        (_, true) => Some(UTF_16BE),
        _ => None,
    }
}

/// The text of bytes in the code page of Western Windows; nothing where there are bytes that it has no letter for.
fn windows(body: &[u8]) -> Option<Cow<'_, str>> {
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(body);
    // Bytes without a letter become these control characters.
    let is_letter = |c: char| !('\u{80}'..='\u{9f}').contains(&c);
    text.chars().all(is_letter).then_some(text)
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
            sixteen(u16::to_le_bytes)[2..].to_vec(),
            sixteen(u16::to_be_bytes)[2..].to_vec(),
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
            (
                b"a\nM\x81ller\n",
                "line 2 is neither UTF-8 nor Windows-1252",
            ),
            (
                b"\xef\xbb\xbfa\nM\xfcller\n",
                "line 2 is not UTF-8, which its first bytes say",
            ),
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
        let why = cells(LABELS, b"Id,Rank\n1,2\n").expect_err("it has no names");
        assert!(why.starts_with("it needs the columns Id and Name"), "{why}");
        assert!(cells(LABELS, b"ID,name\n1,2\n").is_ok());
    }

    #[test]
    fn lists_from_excel_and_powershell_are_read() {
        let read = |content: &[u8]| cells("VIPs", content);
        let wanted = Ok(vec![vec!["M\u{fc}ller".to_string()], vec!["1".into()]]);
        for content in [
            &b"Name;Rank\r\nM\xfcller;1\r\n"[..],
            b"sep=;\r\nName;Rank\r\nM\xfcller;1;;\r\n",
            b"#TYPE System.Object\r\n\"Name\",\"Rank\"\r\n\"M\xfcller\",\"1\"\r\n",
            "[{\"Name\":\"M\u{fc}ller\",\"Rank\":1}]".as_bytes(),
        ] {
            assert_eq!(read(content), wanted, "{}", content.escape_ascii());
        }
        let named = cells("VIPs", b"Name,Rank,,\nM,1,,\n");
        assert_eq!(named, Ok(vec![vec!["M".to_string()], vec!["1".into()]]));
        for (content, why) in [
            (&b"PK\x03\x04..."[..], "Excel workbook"),
            (b"<Objs Version=\"1.1.0.1\"/>", "Export-Clixml"),
            (b"\xef\xbb\xbf<html>", "XML or HTML"),
            (b"{\"error\":{\"code\":\"x\"}}", "error answer"),
        ] {
            let said = cells("VIPs", content).expect_err("it is no list");
            assert!(said.contains(why), "{said}");
        }
        let latin = Watchlist::parse("VIPs", b"Name\nM\xfcller\n").expect("a list");
        assert_eq!(
            latin.remarks(),
            ["line 2 is not UTF-8: read as Windows-1252"]
        );
    }

    #[test]
    fn a_list_out_of_json_is_the_same_as_csv() {
        let json = br#"[{"Guid":"22222222-0000-4000-8000-000000000001","DisplayName":"a, \"b\"\nc"},{"DisplayName":null,"Priority":2}]"#;
        let list = Watchlist::parse(LABELS, json).expect("a list");
        assert_eq!(list.form(), Form::Json);
        assert_eq!(list.header(), ["Id", "Name", "Rank"]);
        assert!(list.has_labels());
        let csv = list.to_csv();
        let again = Watchlist::parse(LABELS, &csv).expect("a list");
        assert_eq!(again.form(), Form::Csv);
        assert_eq!(again.header(), list.header());
        for column in 0..3 {
            let cells: Vec<_> = again.column(column).collect();
            assert_eq!(cells, list.column(column).collect::<Vec<_>>());
        }
        let name = |file: &str| name_of_other(Path::new(file));
        assert_eq!(name("w/labels.JSON").as_deref(), Some(LABELS));
        assert_eq!(name("w/labels.csv"), None);
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
