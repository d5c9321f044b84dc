//! `parse_xml`: XML as a property bag. Documents that declare entities of their own are not read.

use std::collections::HashMap;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use super::arguments::{Want, json_text, take, text};
use super::definition::{BARE, Function};
use super::result_name::ResultName;
use crate::function::value::{Json, Type, Value};

/// Longest text that Kusto reads.
const MAX_TEXT: usize = 1 << 20;
/// How deep elements may nest; a bag that is deeper could not be printed.
const MAX_DEPTH: usize = 128;

/// An element that is not closed yet.
struct Element {
    name: Arc<str>,
    attributes: usize,
    /// Attributes and elements inside, each name once.
    properties: Vec<(Arc<str>, Json)>,
    places: HashMap<Arc<str>, usize>,
    text: String,
}

impl Element {
    /// Nothing where an attribute is wrong or stands there twice.
    fn open(tag: &BytesStart) -> Option<Element> {
        let mut element = Element {
            name: std::str::from_utf8(tag.name().0).ok()?.into(),
            attributes: 0,
            properties: Vec::new(),
            places: HashMap::new(),
            text: String::new(),
        };
        // Their own check of names looks through all those before.
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            let name = std::str::from_utf8(attribute.key.0).ok()?;
            let value = json_text(attribute.unescape_value().ok()?);
            element.add(&format!("@{name}").into(), value);
            element.attributes += 1;
        }
        (element.attributes == element.properties.len()).then_some(element)
    }

    /// Elements of one name become an array.
    fn add(&mut self, name: &Arc<str>, value: Json) {
        let known = self.places.get(name).copied();
        match known.and_then(|at| self.properties.get_mut(at)) {
            None => {
                let place = self.properties.len();
                self.places.insert(Arc::clone(name), place);
                self.properties.push((Arc::clone(name), value));
            }
            Some((_, Json::Array(values))) => values.push(value),
            Some((_, first)) => *first = Json::Array(vec![std::mem::take(first), value]),
        }
    }

    fn close(self) -> (Arc<str>, Json) {
        let mut properties = self.properties;
        let text = match self.text.trim() {
            "" => Json::Null,
            text => scalar(text),
        };
        if properties.is_empty() {
            return (self.name, text);
        }
        if text != Json::Null {
            properties.insert(self.attributes, ("#text".into(), text));
        }
        (self.name, Json::Bag(properties))
    }
}

/// A number where it is written as Kusto prints it, so that no digit is lost; else a string.
fn scalar(text: &str) -> Json {
    let number = Json::parse(text).filter(|json| matches!(json, Json::Long(_) | Json::Real(_)));
    match number.filter(|number| number.text() == text) {
        Some(number) => number,
        None => json_text(text),
    }
}

/// The elements that are open, and the document when it is closed.
#[derive(Default)]
struct Document {
    open: Vec<Element>,
    root: Option<(Arc<str>, Json)>,
}

impl Document {
    fn open(&mut self, tag: &BytesStart) -> Option<()> {
        let allowed = self.open.len() < MAX_DEPTH && self.root.is_none();
        let element = Element::open(tag).filter(|_| allowed)?;
        self.open.push(element);
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        let (name, value) = self.open.pop()?.close();
        match self.open.last_mut() {
            Some(parent) => parent.add(&name, value),
            None => self.root = Some((name, value)),
        }
        Some(())
    }

    /// Only blanks may stand outside the document.
    fn text(&mut self, text: &str) -> Option<()> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return None,
        }
        Some(())
    }
}

/// The document as a bag; nothing where it is wrong.
fn parse(text: &str) -> Option<Json> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let mut reader = Reader::from_str(text);
    let mut document = Document::default();
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => document.open(&tag)?,
            Event::Empty(tag) => {
                document.open(&tag)?;
                document.close()?;
            }
            Event::End(_) => document.close()?,
            Event::Text(text) => document.text(&text.xml_content().ok()?)?,
            Event::CData(text) => document.text(&text.decode().ok()?)?,
            Event::GeneralRef(name) => match name.resolve_char_ref().ok()? {
                Some(c) => document.text(c.encode_utf8(&mut [0; 4]))?,
                None => document.text(resolve_predefined_entity(&name.decode().ok()?)?)?,
            },
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    let root = document.root.filter(|_| document.open.is_empty())?;
    Some(Json::Bag(vec![root]))
}

pub(super) const TABLE: &[Function] = &[Function {
    name: "parse_xml",
    arguments: (1, 1),
    names: ResultName::First,
    doc: "parse_xml(text): a bag of the XML: `@name` for attributes, `#text` for text beside them, arrays for repeated elements; null of what is none",
    example: "print x = parse_xml('<e a=\"1\">t<b/><b>2</b></e>')",
    answer: "{\"e\":{\"@a\":\"1\",\"#text\":\"t\",\"b\":[null,2]}}",
    ty: |a| take(a, &[Want::Text], Type::Dynamic),
    eval: |_, a| parse(&text(a, 0)).map_or(Value::Null, Value::dynamic),
    ..BARE
}];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        parse(text).map(|json| json.text())
    }

    #[test]
    fn documents_become_bags_as_documented() {
        for (text, expected) in [
            ("<e/>", r#"{"e":null}"#),
            ("<e></e>", r#"{"e":null}"#),
            ("<e>text</e>", r#"{"e":"text"}"#),
            (r#"<e name="value" />"#, r#"{"e":{"@name":"value"}}"#),
            (
                r#"<e name="value">text</e>"#,
                r##"{"e":{"@name":"value","#text":"text"}}"##,
            ),
            (
                "<e> <a>text</a> <b>text</b> </e>",
                r#"{"e":{"a":"text","b":"text"}}"#,
            ),
            (
                "<e> <a>text</a> <a>text</a> </e>",
                r#"{"e":{"a":["text","text"]}}"#,
            ),
            (
                "<e> text <a>text</a> </e>",
                r##"{"e":{"#text":"text","a":"text"}}"##,
            ),
            (
                "<?xml version=\"1.0\"?><!-- c --><d>\n <v>118.0</v>\n <n>5</n>\n <t>007</t></d>\n",
                r#"{"d":{"v":118.0,"n":5,"t":"007"}}"#,
            ),
            (
                "<e a='&lt;&#65;'>&amp;<![CDATA[<x>]]></e>",
                r##"{"e":{"@a":"<A","#text":"&<x>"}}"##,
            ),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_xml_is_null() {
        for text in [
            "",
            "text",
            "<e>",
            "<e></f>",
            "</e>",
            "<e/><f/>",
            "<e/>text",
            "<e a></e>",
            "<e a='1' a='2'/>",
            "<e>&unknown;</e>",
            "<!DOCTYPE e [<!ENTITY x 'y'>]><e>&x;</e>",
            "{\"a\":1}",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn hostile_documents_are_read_in_no_time() {
        assert_eq!(parse(&"<e>".repeat(300_000)), None);
        assert_eq!(
            parse(&format!("{}{}", "<e>".repeat(129), "</e>".repeat(129))),
            None
        );
        let many: String = (0..80_000).map(|i| format!("<e{i}/>")).collect();
        let bag = parse(&format!("<e>{many}</e>"));
        let inside = bag
            .as_ref()
            .and_then(|bag| bag.member("e"))
            .and_then(Json::bag);
        assert_eq!(inside.map(<[_]>::len), Some(80_000));
        let many: String = (0..60_000).map(|i| format!("a{i}='' ")).collect();
        assert!(parse(&format!("<e {many}/>")).is_some());
        let same = "<a/>".repeat(200_000);
        assert!(parse(&format!("<e>{same}</e>")).is_some());
    }
}
