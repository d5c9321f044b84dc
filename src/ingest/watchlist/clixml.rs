//! Lists that are objects of PowerShell, as `Export-Clixml` writes them: a row for each object, a column for each property.
//!
//! Properties that are objects themselves are what PowerShell says of them as text; lists of them are nothing. Entities that a document declares
//! itself are not read.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use super::list::Result;
use super::pages::Rows;

/// Longest text that is read; its cells are in memory twice.
const MAX_TEXT: usize = 64 << 20;
/// How deep elements may nest.
const MAX_DEPTH: usize = 128;

/// Why a text is refused that no reader of XML takes.
const BROKEN: &str = "it is PowerShell's Export-Clixml and breaks off, or is no XML";

/// Whether a list is such a document.
pub(super) fn is_clixml(text: &str) -> bool {
    let head = text.trim_start();
    let end = head.len().min(1024);
    let end = (0..=end).rev().find(|at| head.is_char_boundary(*at));
    let head = &head[..end.unwrap_or(0)];
    head.starts_with('<') && head.contains("<Objs")
}

/// Reads the objects of a document, a row each.
///
/// # Errors
/// When it is no XML, has no objects, or too many properties.
pub(super) fn read(text: &str) -> Result<Rows> {
    if text.len() > MAX_TEXT {
        return Err(format!("it is XML longer than {} MiB", MAX_TEXT >> 20));
    }
    let mut reader = Reader::from_str(text);
    let mut document = Document::default();
    loop {
        match reader.read_event().map_err(|_| BROKEN)? {
            Event::Start(tag) => document.open(&tag)?,
            Event::Empty(tag) => {
                document.open(&tag)?;
                document.close()?;
            }
            Event::End(_) => document.close()?,
            Event::Text(text) => document.text(&text.xml_content().map_err(|_| BROKEN)?),
            Event::CData(text) => document.text(&text.decode().map_err(|_| BROKEN)?),
            Event::GeneralRef(name) => match name.resolve_char_ref().map_err(|_| BROKEN)? {
                Some(c) => document.text(c.encode_utf8(&mut [0; 4])),
                None => {
                    let name = name.decode().map_err(|_| BROKEN)?;
                    document.text(resolve_predefined_entity(&name).ok_or(BROKEN)?);
                }
            },
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    match (document.open.is_empty(), document.rows.cells.is_empty()) {
        (false, _) => Err(BROKEN.into()),
        (true, true) => Err("it is PowerShell's Export-Clixml and has no objects".into()),
        (true, false) => Ok(document.rows),
    }
}

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    /// Holds the properties of the object around it.
    Properties,
    /// What PowerShell says of the object around it.
    Said,
    Other,
}

/// An element that is not closed yet.
#[derive(Debug)]
struct Element {
    kind: Kind,
    /// The property that it is.
    name: Option<String>,
    text: String,
    /// The properties of an object.
    properties: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Document {
    open: Vec<Element>,
    rows: Rows,
}

impl Document {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<()> {
        if self.open.len() == MAX_DEPTH {
            return Err(format!("it nests deeper than {MAX_DEPTH} levels"));
        }
        let mut name = None;
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| BROKEN)?;
            if attribute.key.0 == b"N" {
                let value = attribute.unescape_value().map_err(|_| BROKEN)?;
                name = Some(unescaped(&value));
            }
        }
        self.open.push(Element {
            kind: match tag.name().0 {
                b"Obj" => Kind::Object,
                b"Props" | b"MS" => Kind::Properties,
                b"ToString" => Kind::Said,
                _ => Kind::Other,
            },
            name,
            text: String::new(),
            properties: Vec::new(),
        });
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
        }
    }

    fn close(&mut self) -> Result<()> {
        let element = self.open.pop().ok_or(BROKEN)?;
        let text = match element.kind {
            Kind::Object => element.text.trim().to_string(),
            _ => unescaped(&element.text),
        };
        if element.kind == Kind::Said {
            // An object has nothing but blanks beside its elements.
            if let Some(object) = self.open.last_mut() {
                object.text = text;
            }
            return Ok(());
        }
        if let Some(name) = element.name {
            if let [.., object, properties] = self.open.as_mut_slice()
                && properties.kind == Kind::Properties
                && object.kind == Kind::Object
            {
                object.properties.push((name, text));
            }
            return Ok(());
        }
        let inside = self.open.iter().any(|around| around.name.is_some());
        if element.kind == Kind::Object && !inside && !element.properties.is_empty() {
            return self.rows.add_object(element.properties);
        }
        Ok(())
    }
}

/// A text with the characters that PowerShell writes as `_x000A_`.
fn unescaped(text: &str) -> String {
    const LENGTH: usize = "_x000A_".len();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut high = None;
    while let Some(at) = rest.find("_x") {
        let unit = rest.get(at..at + LENGTH).filter(|code| code.ends_with('_'));
        let unit = unit.and_then(|code| u16::from_str_radix(code.get(2..6)?, 16).ok());
        let Some(unit) = unit else {
            if high.take().is_some() {
                out.push(char::REPLACEMENT_CHARACTER);
            }
            out.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
            continue;
        };
        out.push_str(&rest[..at]);
        rest = &rest[at + LENGTH..];
        let units = [high.take(), Some(unit)].into_iter().flatten();
        match char::decode_utf16(units).next() {
            Some(Ok(c)) => out.push(c),
            // Half of a character, whose other half follows.
            _ if rest.starts_with("_x") => high = Some(unit),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    out.push_str(rest);
    out
}

impl Rows {
    /// Adds an object by its properties.
    fn add_object(&mut self, properties: Vec<(String, String)>) -> Result<()> {
        let mut row = Vec::new();
        for (name, text) in properties {
            let column = self.column(&name)?;
            if row.len() <= column {
                row.resize(column + 1, String::new());
            }
            row[column] = text;
        }
        self.cells.push(row);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_is_a_row_whatever_is_inside_of_it() {
        let text = r#"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
  <Obj RefId="0"><TN RefId="0"><T>Deserialized.Label</T><T>System.Object</T></TN><ToString>contoso\Public</ToString>
    <Props><S N="DisplayName">Public &amp; open_x000D__x000A_to all</S><G N="Guid">aa</G><I32 N="Priority">0</I32><Nil N="ParentId" />
      <Obj N="Settings" RefId="1"><TN RefId="1"><T>ArrayList</T></TN><LST><Obj RefId="2"><Props><S N="DisplayName">inner</S></Props></Obj></LST></Obj>
      <Obj N="Owner" RefId="3"><ToString>Ada</ToString><Props><S N="Name">x</S></Props></Obj></Props>
    <MS><S N="PSComputerName">_x005F_x_xD83D__xDE00_</S></MS></Obj>
  <Obj RefId="4"><TNRef RefId="0" /><MS><S N="DisplayName">Secret</S></MS></Obj>
</Objs>"#;
        assert!(is_clixml(text));
        let rows = read(text).expect("a list");
        assert_eq!(
            rows.header,
            [
                "DisplayName",
                "Guid",
                "Priority",
                "ParentId",
                "Settings",
                "Owner",
                "PSComputerName"
            ]
        );
        assert_eq!(
            rows.cells,
            [
                vec![
                    "Public & open\r\nto all",
                    "aa",
                    "0",
                    "",
                    "",
                    "Ada",
                    "_x\u{1f600}"
                ],
                vec!["Secret"],
            ]
        );
        let list = r#"<Objs><Obj RefId="0"><TN><T>System.Object[]</T></TN><LST><Obj><MS><S N="a">1</S></MS></Obj><Obj><MS><S N="a">2</S></MS></Obj></LST></Obj></Objs>"#;
        let rows = read(list).expect("a list");
        assert_eq!(rows.cells, [vec!["1"], vec!["2"]]);
    }

    #[test]
    fn what_is_broken_is_refused() {
        for text in [
            "<Objs><Obj><MS><S N=\"a\">1</S></MS></Obj>",
            "<Objs><Obj></Objs>",
            "<Objs>&own;</Objs>",
            "<Objs><S>text</S></Objs>",
        ] {
            let why = read(text).expect_err("no list");
            assert!(why.contains("Export-Clixml"), "{text}: {why}");
        }
        assert!(!is_clixml("Id,Name\n<Objs,1\n"));
    }
}
