//! An open workbook: its parts, where they lead, how its numbers are shown and the texts of its cells. Knows nothing of rows.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, OnceLock};

use quick_xml::events::{BytesStart, Event};

use super::super::input::Input;
use super::super::member::MAX_MEMBERS;
use super::super::packing::Bytes;
use super::super::zip::Packed;
use super::number::Look;
use super::strings::Strings;
use super::xml::{Xml, attribute};
use crate::fault::Result;

/// Names the types of the parts of a file in this format.
const TYPES: &str = "[content_types].xml";
/// Bytes of small parts that are looked at.
const SMALL: u64 = 1 << 20;
/// Kinds of workbooks that are read.
const WORKBOOKS: [&str; 4] = [
    "spreadsheetml.sheet.main",
    "spreadsheetml.template.main",
    "ms-excel.sheet.macroEnabled.main",
    "ms-excel.template.macroEnabled.main",
];
/// Kinds of other documents in this format.
const DOCUMENTS: [&str; 6] = [
    "wordprocessingml.document.main",
    "wordprocessingml.template.main",
    "ms-word.document.macroEnabled.main",
    "presentationml.presentation.main",
    "presentationml.slideshow.main",
    "ms-powerpoint.presentation.macroEnabled.main",
];

/// An open workbook.
pub(in crate::ingest) struct Book {
    /// By name in small letters.
    parts: HashMap<String, Packed>,
    /// Names of sheets, and of their parts.
    pub(super) sheets: Vec<(String, String)>,
    /// Sheets without cells of their own: charts, dialogs.
    pub charts: usize,
    /// Sheets that Excel does not show.
    pub hidden: usize,
    /// How numbers are shown, by style.
    pub(super) looks: Vec<Look>,
    /// Days are counted from 1904 and not from 1900.
    pub(super) from_1904: bool,
    /// The part with the texts of cells.
    texts: Option<String>,
    strings: Mutex<Option<Arc<Strings>>>,
    /// The header of the first sheet with whole audit records: others may go on without one.
    pub(super) header: OnceLock<Vec<String>>,
    /// Bytes of its parts as they are packed.
    pub(super) packed: u64,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("sheets", &self.sheets)
            .finish_non_exhaustive()
    }
}

/// Leads from one part to another.
struct Relation {
    id: String,
    /// What the other one is: the end of an address.
    kind: String,
    target: String,
}

impl Book {
    /// The workbook that a zip archive with these parts is, if it is one.
    ///
    /// # Errors
    /// When it is one that cannot be read, or another document of an office program.
    pub(in crate::ingest) fn find(
        input: &Input,
        parts: &[(String, Packed)],
    ) -> Result<Option<Arc<Book>>> {
        let small = |name: &str| {
            let part = parts
                .iter()
                .find(|(own, _)| own.eq_ignore_ascii_case(name))?;
            Some(beginning(&part.1, name))
        };
        let has = |name: &str| parts.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let Some(types) = small(TYPES) else {
            let open = "application/vnd.oasis.opendocument";
            return match small("mimetype") {
                Some(kind) if kind.starts_with(open) => Err(input.unusable(
                    "an OpenDocument file (.ods): save it as .xlsx or its sheets as CSV",
                )),
                _ if has("Index/Document.iwa") => Err(input.unusable(
                    "a document of Apple's Numbers, Pages or Keynote: export it as .xlsx or CSV",
                )),
                _ => Ok(None),
            };
        };
        let is_any = |kinds: &[&str]| kinds.iter().any(|kind| types.contains(kind));
        if is_any(&["ms-excel.sheet.binary"]) {
            return Err(input.unusable(
                "an Excel workbook in the binary format (.xlsb): save it as .xlsx or its sheets as CSV",
            ));
        }
        if has("DataModel") || has("DataMashup") {
            return Err(
                input.unusable("a report of Power BI (.pbix): export its tables as CSV or .xlsx")
            );
        }
        if !is_any(&WORKBOOKS) {
            return match is_any(&DOCUMENTS) {
                true => Err(input.unusable("a document of Word or PowerPoint, not an export")),
                false => Ok(None),
            };
        }
        match Book::open(parts) {
            Ok(book) => Ok(Some(Arc::new(book))),
            Err(e) => Err(input.unusable(&format!("Excel workbook: {e}"))),
        }
    }

    fn open(parts: &[(String, Packed)]) -> io::Result<Book> {
        let named = parts.iter().map(|(name, part)| (key(name), part.clone()));
        let mut book = Book {
            parts: named.collect(),
            sheets: Vec::new(),
            charts: 0,
            hidden: 0,
            looks: Vec::new(),
            from_1904: false,
            texts: None,
            strings: Mutex::new(None),
            header: OnceLock::new(),
            packed: parts
                .iter()
                .fold(0, |sum, (_, part)| part.packed.saturating_add(sum)),
        };
        let main = book
            .relations("")?
            .into_iter()
            .find(|r| r.kind == "officeDocument")
            .map_or("xl/workbook.xml".into(), |r| resolved("", &r.target));
        let relations = book.relations(&main)?;
        if relations.is_empty() {
            // Without it nobody knows which numbers are dates.
            return Err(io::Error::other("the list of its parts is missing"));
        }
        for relation in &relations {
            let part = resolved(&main, &relation.target);
            match relation.kind.as_str() {
                "sharedStrings" => book.texts = Some(part),
                "styles" => book.looks = looks(&mut book.xml(&part)?)?,
                _ => {}
            }
        }
        let by_id: HashMap<&str, &Relation> =
            relations.iter().map(|r| (r.id.as_str(), r)).collect();
        let mut taken = HashSet::new();
        let mut xml = book.xml(&main)?;
        loop {
            let tag = match xml.event()? {
                Event::Start(tag) => tag,
                Event::Eof => return Ok(book),
                _ => continue,
            };
            match tag.local_name().as_ref() {
                b"workbookPr" => {
                    if let Some(value) = attribute(&tag, b"date1904") {
                        book.from_1904 = value == "1" || value == "true";
                    }
                }
                b"sheet" => {
                    let name = attribute(&tag, b"name").unwrap_or_default();
                    let id = attribute(&tag, b"id").unwrap_or_default();
                    let part = match by_id.get(id.as_str()) {
                        Some(r) if r.kind == "worksheet" => resolved(&main, &r.target),
                        Some(_) => {
                            book.charts += 1;
                            continue;
                        }
                        // What leads there is lost.
                        None => {
                            let number = book.sheets.len() + 1;
                            resolved(&main, &format!("worksheets/sheet{number}.xml"))
                        }
                    };
                    // Named again and again, a sheet would take any time.
                    if taken.insert(key(&part)) {
                        book.sheets.push((name, part));
                        let state = attribute(&tag, b"state");
                        book.hidden += usize::from(state.is_some_and(|state| state != "visible"));
                    }
                    if book.sheets.len() > MAX_MEMBERS {
                        return Err(io::Error::other("more than 100,000 sheets"));
                    }
                }
                _ => {}
            }
        }
    }

    /// A part; the name is said where it is missing.
    fn part(&self, name: &str) -> io::Result<Bytes> {
        let part = self.parts.get(&key(name)).ok_or_else(|| {
            io::Error::other(format!("its part `{name}` is missing from the workbook"))
        })?;
        part.open(name).map_err(|e| io::Error::other(e.to_string()))
    }

    pub(super) fn xml(&self, part: &str) -> io::Result<Xml> {
        self.part(part).map(Xml::new)
    }

    /// Where a part leads to; nowhere where it has no list of that.
    fn relations(&self, of: &str) -> io::Result<Vec<Relation>> {
        let (folder, file) = of.rsplit_once('/').unwrap_or(("", of));
        let list = match folder {
            "" => format!("_rels/{file}.rels"),
            folder => format!("{folder}/_rels/{file}.rels"),
        };
        let mut relations = Vec::new();
        if !self.parts.contains_key(&key(&list)) {
            return Ok(relations);
        }
        let mut xml = self.xml(&list)?;
        loop {
            match xml.event()? {
                Event::Start(tag) if tag.local_name().as_ref() == b"Relationship" => {
                    let kind = attribute(&tag, b"Type").unwrap_or_default();
                    relations.push(Relation {
                        id: attribute(&tag, b"Id").unwrap_or_default(),
                        kind: kind.rsplit('/').next().unwrap_or_default().to_string(),
                        target: attribute(&tag, b"Target").unwrap_or_default(),
                    });
                }
                Event::Eof => return Ok(relations),
                _ => {}
            }
        }
    }

    /// The texts of cells, read once for all sheets.
    pub(super) fn strings(&self) -> io::Result<Arc<Strings>> {
        const UNBROKEN: &str = "nobody panics with it";
        let known = self.strings.lock().expect(UNBROKEN).clone();
        if let Some(strings) = known {
            return Ok(strings);
        }
        let strings = Arc::new(match &self.texts {
            Some(part) if self.parts.contains_key(&key(part)) => {
                Strings::read(&mut self.xml(part)?)
            }
            _ => Strings::default(),
        });
        *self.strings.lock().expect(UNBROKEN) = Some(Arc::clone(&strings));
        Ok(strings)
    }
}

/// The first bytes of a part as text, as far as they can be read.
fn beginning(part: &Packed, name: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(reader) = part.open(name) {
        // What is missing is not found in it.
        let _ = reader.take(SMALL).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a part is found by: programs do not agree on small and capital letters.
fn key(name: &str) -> String {
    name.trim_start_matches('/').to_ascii_lowercase()
}

/// The part that a relation of another part leads to.
fn resolved(from: &str, target: &str) -> String {
    let mut path: Vec<&str> = match (target.starts_with(['/', '\\']), from.rsplit_once('/')) {
        (false, Some((folder, _))) => folder.split('/').collect(),
        _ => Vec::new(),
    };
    // Some programs write their own system's mark.
    for step in target.split(['/', '\\']) {
        match step {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            step => path.push(step),
        }
    }
    path.join("/")
}

/// How numbers are shown, by the number of the style.
fn looks(xml: &mut Xml) -> io::Result<Vec<Look>> {
    let mut own: HashMap<u32, Look> = HashMap::new();
    let mut looks = Vec::new();
    let mut in_cells = false;
    loop {
        match xml.event()? {
            Event::Start(tag) => match tag.local_name().as_ref() {
                b"numFmt" => {
                    let code = attribute(&tag, b"formatCode").unwrap_or_default();
                    if let Some(id) = format_of(&tag) {
                        own.insert(id, Look::of_code(&code));
                    }
                }
                b"cellXfs" => in_cells = true,
                b"xf" if in_cells => {
                    let id = format_of(&tag).unwrap_or_default();
                    let look = own.get(&id).copied();
                    looks.push(look.unwrap_or_else(|| Look::built_in(id)));
                }
                _ => {}
            },
            Event::End(tag) if tag.local_name().as_ref() == b"cellXfs" => in_cells = false,
            Event::Eof => return Ok(looks),
            _ => {}
        }
    }
}

fn format_of(tag: &BytesStart<'_>) -> Option<u32> {
    attribute(tag, b"numFmtId")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_from_where_they_are_named() {
        for (from, target, want) in [
            ("", "xl/workbook.xml", "xl/workbook.xml"),
            ("", "/xl/workbook.xml", "xl/workbook.xml"),
            ("xl/workbook.xml", "worksheets/a.xml", "xl/worksheets/a.xml"),
            ("xl/workbook.xml", "/xl/styles.xml", "xl/styles.xml"),
            ("xl/workbook.xml", "../a/./b.xml", "a/b.xml"),
            (
                "xl/workbook.xml",
                "worksheets\\a.xml",
                "xl/worksheets/a.xml",
            ),
            ("xl/workbook.xml", "../../../b.xml", "b.xml"),
            ("workbook.xml", "sheet.xml", "sheet.xml"),
        ] {
            assert_eq!(resolved(from, target), want, "{from} {target}");
        }
    }
}
