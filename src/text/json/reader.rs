//! A place in a text, from which values are read or passed over.

use std::borrow::Cow;

use memchr::memchr;

use super::escape::{oddities, plain};
use super::number::is_number;
use crate::text::swar;

/// Deepest nesting of objects and arrays that is read.
pub const MAX_DEPTH: usize = 128;

/// A byte order mark.
pub(super) const MARK: char = '\u{feff}';

/// Why a text is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text ends inside a value.
    #[error("JSON ends in the middle (after {0} bytes)")]
    Ends(usize),
    /// A byte that cannot stand there.
    #[error("not JSON at byte {0}")]
    Unexpected(usize),
    /// Nested deeper than is read.
    #[error("JSON is nested deeper than {MAX_DEPTH} levels")]
    Deep,
    /// Not an object.
    #[error("JSON value is not an object")]
    NotObject,
}

/// A value as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raw<'a> {
    /// A string without its quotes; `escaped` when it has backslashes.
    Text {
        /// What stands between the quotes.
        inner: &'a str,
        /// Whether it has escapes.
        escaped: bool,
    },
    /// `null`
    Null,
    /// A number, `true`, `false`, an object or an array.
    Other(&'a str),
}

impl<'a> Raw<'a> {
    /// A whole value, as [`find()`](super::find()) gives it.
    pub fn of(value: &'a str) -> Self {
        match value.as_bytes().first() {
            Some(b'"') => {
                let inner = value
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'))
                    .unwrap_or_default();
                Raw::Text {
                    inner,
                    escaped: memchr(b'\\', inner.as_bytes()).is_some(),
                }
            }
            Some(b'n') => Raw::Null,
            _ => Raw::Other(value),
        }
    }

    /// The text that `->>` gives: strings unescaped, everything else as JSON; nothing for `null`.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Raw::Null => None,
            Raw::Text { inner, escaped } => Some(plain(inner, escaped)),
            Raw::Other(json) => Some(Cow::Borrowed(json)),
        }
    }
}

/// A place in a text, from which values are read or passed over.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the value that the text is.
    pub fn new(text: &'a str) -> Self {
        let mut reader = Reader { text, at: 0 };
        reader.blanks();
        if let Some(rest) = text
            .get(reader.at..)
            .and_then(|rest| rest.strip_prefix(MARK))
        {
            let mut behind = Reader { text: rest, at: 0 };
            behind.blanks();
            if matches!(behind.peek(), Some(b'{' | b'[')) {
                reader.at = text.len() - rest.len() + behind.at;
            }
        }
        reader
    }

    /// Where it stands, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What stands between a place passed before and here.
    pub fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// The next byte.
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn fault(&self) -> Fault {
        if self.at >= self.text.len() {
            Fault::Ends(self.text.len())
        } else {
            Fault::Unexpected(self.at)
        }
    }

    fn expect(&mut self, b: u8) -> Result<(), Fault> {
        self.blanks();
        if self.peek() == Some(b) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault())
        }
    }

    /// Says that an object is next.
    ///
    /// # Errors
    /// When it is not.
    pub fn object(&self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => Ok(()),
            Some(_) => Err(Fault::NotObject),
            None => Err(Fault::Ends(self.text.len())),
        }
    }

    /// Says that an array is next.
    ///
    /// # Errors
    /// When it is not.
    pub fn array(&self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'[') => Ok(()),
            _ => Err(self.fault()),
        }
    }

    /// Says that nothing follows but blanks.
    ///
    /// # Errors
    /// When something does.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.blanks();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Fault::Unexpected(self.at))
        }
    }

    /// Reads a string whose opening quote is next; returns what stands between the quotes and whether it has backslashes.
    ///
    /// # Errors
    /// When the text ends in it.
    pub fn string(&mut self) -> Result<(&'a str, bool), Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut look = start;
        let mut escaped = false;
        loop {
            let Some(found) = swar::quote_or_backslash(bytes, look) else {
                self.at = bytes.len();
                return Err(Fault::Ends(bytes.len()));
            };
            if bytes[found] == b'"' {
                self.at = found + 1;
                return Ok((&self.text[start..found], escaped));
            }
            escaped = true;
            look = found + 2;
        }
    }

    /// Reads a number, `true`, `false` or `null`.
    ///
    /// # Errors
    /// When something else is next.
    pub fn word(&mut self) -> Result<&'a str, Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while self.at < bytes.len()
            && !matches!(
                bytes[self.at],
                b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'
            )
        {
            self.at += 1;
        }
        let word = &bytes[start..self.at];
        if matches!(word, b"true" | b"false" | b"null") || is_number(word) {
            return Ok(&self.text[start..self.at]);
        }
        self.at = start;
        Err(if start + word.len() == bytes.len() && is_beginning(word) {
            Fault::Ends(bytes.len())
        } else {
            Fault::Unexpected(start)
        })
    }

    /// Goes over the members of an object that is next; `member` is called at each value with the key as it stands and whether it has
    /// backslashes, and reads the value or passes over it.
    ///
    /// # Errors
    /// When the object is broken or too deep, and what `member` says.
    pub fn members(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&mut Self, &'a str, bool) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if depth >= MAX_DEPTH {
            return Err(Fault::Deep);
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.fault());
            }
            let (key, escaped) = self.string()?;
            self.expect(b':')?;
            self.blanks();
            member(self, key, escaped)?;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.fault()),
            }
        }
    }

    /// Goes over the elements of an array that is next; `element` is called at each with its index, and reads it or passes over it.
    ///
    /// # Errors
    /// When the array is broken or too deep, and what `element` says.
    pub fn elements(
        &mut self,
        depth: usize,
        mut element: impl FnMut(&mut Self, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if depth >= MAX_DEPTH {
            return Err(Fault::Deep);
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        let mut n = 0;
        loop {
            self.blanks();
            element(self, n)?;
            n += 1;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.fault()),
            }
        }
    }

    /// Passes over a value.
    ///
    /// # Errors
    /// When it is broken or too deep.
    pub fn skip(&mut self, depth: usize) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.members(depth, |reader, _, _| reader.skip(depth + 1)),
            Some(b'[') => self.elements(depth, |reader, _| reader.skip(depth + 1)),
            Some(_) => self.word().map(|_| ()),
            None => Err(self.fault()),
        }
    }

    /// Reads a value as it stands.
    ///
    /// # Errors
    /// As [`Reader::skip`].
    pub fn raw(&mut self, depth: usize) -> Result<Raw<'a>, Fault> {
        if self.peek() == Some(b'"') {
            let (inner, escaped) = self.string()?;
            return Ok(Raw::Text { inner, escaped });
        }
        let start = self.at;
        self.skip(depth)?;
        Ok(Raw::of(self.since(start)))
    }

    /// Whether the text is one string with a backslash that begins no escape; see the docs of [`json`](super).
    pub fn is_odd_string(&self) -> bool {
        let mut ahead = Reader {
            text: self.text,
            at: self.at,
        };
        self.peek() == Some(b'"')
            && matches!(ahead.string(), Ok((inner, true)) if oddities(inner).unknown)
    }
}

fn is_beginning(word: &[u8]) -> bool {
    word.is_empty()
        || [&b"true"[..], b"false", b"null"]
            .iter()
            .any(|w| w.starts_with(word))
        || word == b"-"
}
