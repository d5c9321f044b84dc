//! Events of a part in XML, none of which may take more memory than a record.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use super::super::MAX_RECORD_BYTES;
use super::super::packing::{Bytes, peek};

/// Elements inside one another; a workbook has ten or so. The reader keeps the names of all that are open.
const MAX_DEPTH: usize = 256;

/// A part as events. An empty element begins and ends.
pub(super) struct Xml {
    reader: Reader<Lean>,
    buffer: Vec<u8>,
    /// Elements that are open.
    depth: usize,
}

/// Gives no event more than so many bytes.
struct Lean {
    inner: BufReader<Bytes>,
    left: usize,
}

impl Read for Lean {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl BufRead for Lean {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(too_long());
        }
        let bytes = self.inner.fill_buf()?;
        Ok(&bytes[..bytes.len().min(self.left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.inner.consume(bytes);
        self.left = self.left.saturating_sub(bytes);
    }
}

impl Xml {
    /// A part in UTF-8, or in UTF-16, which its first letter or a mark before it tells.
    pub(super) fn new(part: Bytes) -> Xml {
        let (head, part) = peek(part, 2);
        let other = match head[..] {
            [0xff, 0xfe] | [b'<', 0] => Some(UTF_16LE),
            [0xfe, 0xff] | [0, b'<'] => Some(UTF_16BE),
            _ => None,
        };
        let part: Bytes = match other {
            None => part,
            other => Box::new(
                DecodeReaderBytesBuilder::new()
                    .encoding(other)
                    .strip_bom(true)
                    .build(part),
            ),
        };
        let mut reader = Reader::from_reader(Lean {
            inner: BufReader::with_capacity(64 << 10, part),
            left: MAX_RECORD_BYTES,
        });
        reader.config_mut().expand_empty_elements = true;
        Xml {
            reader,
            buffer: Vec::new(),
            depth: 0,
        }
    }

    /// The next event.
    pub(super) fn event(&mut self) -> io::Result<Event<'_>> {
        self.buffer.clear();
        self.reader.get_mut().left = MAX_RECORD_BYTES;
        let event = self
            .reader
            .read_event_into(&mut self.buffer)
            .map_err(|e| match e {
                quick_xml::Error::Io(e) => io::Error::new(e.kind(), e.to_string()),
                e => damaged(&e),
            })?;
        match event {
            Event::Start(_) => self.depth += 1,
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        match self.depth > MAX_DEPTH {
            true => Err(damaged(&"its elements are nested too deep")),
            false => Ok(event),
        }
    }
}

/// An attribute of an element, whatever stands before a colon in its name.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &[u8]) -> Option<String> {
    for attribute in tag.attributes().with_checks(false).flatten() {
        if attribute.key.local_name().as_ref() == name {
            return attribute.unescape_value().ok().map(Cow::into_owned);
        }
    }
    None
}

/// Adds what an event says as text.
pub(super) fn add_text(event: &Event<'_>, out: &mut String) -> io::Result<()> {
    match event {
        Event::Text(text) => out.push_str(&text.xml10_content().map_err(|e| damaged(&e))?),
        Event::CData(text) => out.push_str(&text.decode().map_err(|e| damaged(&e))?),
        Event::GeneralRef(name) => match name.resolve_char_ref().map_err(|e| damaged(&e))? {
            Some(c) => out.push(c),
            None => {
                let name = name.decode().map_err(|e| damaged(&e))?;
                match resolve_predefined_entity(&name) {
                    Some(text) => out.push_str(text),
                    None => return Err(damaged(&format!("`&{name};` is not known"))),
                }
            }
        },
        _ => {}
    }
    match out.len() > MAX_RECORD_BYTES {
        true => Err(too_long()),
        false => Ok(()),
    }
}

fn damaged(why: &dyn Display) -> io::Error {
    io::Error::other(format!("its XML is damaged: {why}"))
}

fn too_long() -> io::Error {
    let most = MAX_RECORD_BYTES >> 20;
    io::Error::other(format!("a cell of more than {most} MiB"))
}
