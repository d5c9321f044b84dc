//! The texts of a workbook, which its cells name by number. An export of a million rows has gigabytes of them: short texts are kept as they
//! are, long ones packed in chunks, and a chunk is unpacked when one of its texts is asked for. They come in the order in which cells ask.

use std::collections::VecDeque;
use std::io;

use quick_xml::events::Event;

use super::xml::{Xml, add_text};

/// Longest text that is kept as it is: names, addresses, GUIDs, which many cells share.
const SHORT_BYTES: usize = 256;
/// Bytes of short texts; more of them are packed like long ones.
const SHORT_TOTAL: usize = 128 << 20;
/// Bytes of long texts that are packed together.
const CHUNK_BYTES: usize = 256 << 10;
/// What all texts may take.
const MAX_BYTES: usize = 512 << 20;
/// Bytes of chunks that a reader keeps unpacked.
const KEPT_BYTES: usize = 16 << 20;
/// Marks texts in chunks.
const IN_CHUNK: u64 = 1 << 63;

/// All texts.
#[derive(Default)]
pub(super) struct Strings {
    /// Where each is: in `short`, or with [`IN_CHUNK`] the number of the chunk and the place in it.
    places: Vec<u64>,
    /// How long each is.
    lengths: Vec<u32>,
    short: String,
    /// Packed, and the size unpacked.
    chunks: Vec<(Box<[u8]>, usize)>,
    /// The last chunk while it is filled.
    open: String,
    /// Bytes of all chunks.
    packed: usize,
    /// Why there are no more.
    broken: Option<String>,
}

/// Chunks that were unpacked.
#[derive(Default)]
pub(super) struct Cache(VecDeque<(usize, String)>);

impl Strings {
    /// Reads them. Where that fails, those before are there, and asking for others says why they are not.
    pub(super) fn read(xml: &mut Xml) -> Strings {
        let mut strings = Strings::default();
        let read = strings.fill(xml);
        let closed = strings.close();
        strings.broken = read.and(closed).err().map(|e| e.to_string());
        strings
    }

    fn fill(&mut self, xml: &mut Xml) -> io::Result<()> {
        let mut text = String::new();
        // What is written above letters to say how they are spoken is none of the text.
        let (mut in_text, mut spoken) = (false, false);
        loop {
            match xml.event()? {
                Event::Start(tag) => match tag.local_name().as_ref() {
                    b"si" => text.clear(),
                    b"t" => in_text = !spoken,
                    b"rPh" => spoken = true,
                    _ => {}
                },
                Event::End(tag) => match tag.local_name().as_ref() {
                    b"si" => self.add(&unescaped(&text))?,
                    b"t" => in_text = false,
                    b"rPh" => spoken = false,
                    _ => {}
                },
                Event::Eof => return Ok(()),
                event if in_text => add_text(&event, &mut text)?,
                _ => {}
            }
        }
    }

    fn add(&mut self, text: &str) -> io::Result<()> {
        let fits = text.len() <= SHORT_BYTES && self.short.len() < SHORT_TOTAL;
        let place = if fits {
            let place = self.short.len() as u64;
            self.short.push_str(text);
            place
        } else {
            if self.open.len() >= CHUNK_BYTES {
                self.close()?;
            }
            let place = ((self.chunks.len() as u64) << 32) | self.open.len() as u64;
            self.open.push_str(text);
            place | IN_CHUNK
        };
        self.places.push(place);
        // No event in XML is so long.
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        self.lengths.push(length);
        let places = self.places.len() * (size_of::<u64>() + size_of::<u32>());
        if self.short.len() + self.packed + places > MAX_BYTES {
            return Err(io::Error::other(format!(
                "its texts take more than {} MiB: save its sheets as CSV",
                MAX_BYTES >> 20
            )));
        }
        Ok(())
    }

    /// Packs the chunk that is open.
    fn close(&mut self) -> io::Result<()> {
        let chunk = zstd::bulk::compress(self.open.as_bytes(), 1)?;
        self.packed += chunk.len();
        self.chunks.push((chunk.into(), self.open.len()));
        self.open.clear();
        Ok(())
    }

    /// The text of this number.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn get<'a>(&'a self, number: usize, cache: &'a mut Cache) -> io::Result<&'a str> {
        let missing = || {
            let why = self.broken.as_deref().unwrap_or("there are not so many");
            io::Error::other(format!("text {number} of the workbook is missing: {why}"))
        };
        let (Some(place), Some(length)) = (self.places.get(number), self.lengths.get(number))
        else {
            return Err(missing());
        };
        let length = *length as usize;
        if place & IN_CHUNK == 0 {
            let from = *place as usize;
            return self.short.get(from..from + length).ok_or_else(missing);
        }
        let place = place & !IN_CHUNK;
        let chunk = cache.chunk(self, (place >> 32) as usize)?;
        let from = (place & u64::from(u32::MAX)) as usize;
        chunk.get(from..from + length).ok_or_else(missing)
    }
}

impl Cache {
    fn bytes(&self) -> usize {
        self.0.iter().map(|(_, text)| text.len()).sum()
    }

    /// A chunk unpacked.
    fn chunk(&mut self, strings: &Strings, number: usize) -> io::Result<&str> {
        let known = self.0.iter().rposition(|(own, _)| *own == number);
        let at = match known {
            Some(at) => at,
            None => {
                let (chunk, size) = strings
                    .chunks
                    .get(number)
                    .ok_or_else(|| io::Error::other("a text of the workbook is missing"))?;
                let text = zstd::bulk::decompress(chunk, *size)?;
                let text = String::from_utf8(text).map_err(io::Error::other)?;
                while !self.0.is_empty() && self.bytes() + text.len() > KEPT_BYTES {
                    self.0.pop_front();
                }
                self.0.push_back((number, text));
                self.0.len() - 1
            }
        };
        Ok(&self.0[at].1)
    }
}

/// A text in which `_x000D_` stands for a letter that XML cannot hold.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let letter = escape
            .get(2..6)
            .filter(|_| escape.as_bytes().get(6) == Some(&b'_'))
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        let used = match letter {
            Some(letter) => {
                out.push(letter);
                7
            }
            None => {
                out.push_str("_x");
                2
            }
        };
        rest = &escape[used..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Strings {
        let part = std::io::Cursor::new(content.as_bytes().to_vec());
        Strings::read(&mut Xml::new(Box::new(part)))
    }

    #[test]
    fn letters_that_xml_cannot_hold_are_unescaped() {
        for (text, want) in [
            ("a_x000D_\nb", "a\r\nb"),
            ("_x005F_x000D_", "_x000D_"),
            ("_x00_ _x000G_ _xD800_ _x", "_x00_ _x000G_ _xD800_ _x"),
            ("_xäöü_", "_xäöü_"),
            ("", ""),
        ] {
            assert_eq!(unescaped(text), want);
        }
    }

    #[test]
    fn long_texts_come_back_as_they_were_in_any_order() {
        let long = |n: usize| format!("{n} {}", "é & \"x\" ".repeat(2000 + n));
        let xml: String = (0..400)
            .map(|n| match n % 2 {
                0 => format!("<si><t>short {n}</t></si>"),
                _ => format!("<si><r><t>{}</t></r></si>", long(n).replace('&', "&amp;")),
            })
            .collect();
        let strings = read(&format!("<sst uniqueCount=\"99999999999\">{xml}</sst>"));
        assert!(strings.chunks.len() > 10);
        let mut cache = Cache::default();
        for n in (0..400).rev().chain([7, 301, 8]) {
            let text = strings.get(n, &mut cache).expect("it is there");
            match n % 2 {
                0 => assert_eq!(text, format!("short {n}")),
                _ => assert_eq!(text, long(n)),
            }
        }
        assert!(cache.bytes() <= KEPT_BYTES);
        let e = strings.get(400, &mut cache).expect_err("there are 400");
        assert!(e.to_string().contains("text 400"), "{e}");
    }

    #[test]
    fn texts_before_a_break_are_there_and_others_say_why_they_are_not() {
        let strings = read("<sst><si><t>a</t></si><si><t>b");
        let mut cache = Cache::default();
        assert_eq!(strings.get(0, &mut cache).expect("it is there"), "a");
        let e = strings.get(1, &mut cache).expect_err("it breaks off");
        assert!(e.to_string().contains("missing"), "{e}");
        let strings = read("<sst><si><t>a<rPh><t>spoken</t></rPh></t></si></sst>");
        assert_eq!(strings.get(0, &mut cache).expect("it is there"), "a");
    }
}
