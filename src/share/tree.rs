//! JSON as it stands in a text: each value with its place, also those whose key stands twice. What is replaced is replaced in its place, and all
//! else stays as it was written.

use std::borrow::Cow;
use std::ops::Range;

use crate::text::json::{Fault, Reader, plain, quote};

/// A value, and where it stands.
pub(super) struct Node<'t> {
    /// From its first byte to behind its last one.
    pub(super) at: Range<usize>,
    pub(super) what: What<'t>,
}

/// What a value is.
pub(super) enum What<'t> {
    /// A string, without its escapes.
    Text(Cow<'t, str>),
    /// A number as it is written.
    Number(&'t str),
    /// `null`, `true` or `false`.
    Word,
    List(Vec<Node<'t>>),
    Object(Vec<Member<'t>>),
}

/// A key with its value.
pub(super) struct Member<'t> {
    /// Without its escapes.
    pub(super) key: Cow<'t, str>,
    /// Where it stands, with its quotes.
    pub(super) key_at: Range<usize>,
    pub(super) value: Node<'t>,
}

/// The object or list that a text is; nothing where it is none.
pub(super) fn read(text: &str) -> Option<Node<'_>> {
    let begin = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if !begin.starts_with(['{', '[']) {
        return None;
    }
    let mut reader = Reader::new(text);
    let all = node(text, &mut reader, 0).ok()?;
    reader.end().ok()?;
    Some(all)
}

fn node<'t>(text: &'t str, reader: &mut Reader<'t>, depth: usize) -> Result<Node<'t>, Fault> {
    let start = reader.at();
    let what = match reader.peek() {
        Some(b'"') => {
            let (inner, escaped) = reader.string()?;
            What::Text(plain(inner, escaped))
        }
        Some(b'{') => {
            let mut members = Vec::new();
            let mut before = start;
            reader.members(depth, |reader, key, escaped| {
                // Before a key stand only marks and blanks.
                let open = text[before..].find('"').map_or(before, |at| before + at);
                let value = node(text, reader, depth + 1)?;
                before = value.at.end;
                members.push(Member {
                    key: plain(key, escaped),
                    key_at: open..open + key.len() + 2,
                    value,
                });
                Ok(())
            })?;
            What::Object(members)
        }
        Some(b'[') => {
            let mut items = Vec::new();
            reader.elements(depth, |reader, _| {
                items.push(node(text, reader, depth + 1)?);
                Ok(())
            })?;
            What::List(items)
        }
        _ => match reader.word()? {
            "null" | "true" | "false" => What::Word,
            number => What::Number(number),
        },
    };
    Ok(Node {
        at: start..reader.at(),
        what,
    })
}

/// A text that is written again with other values in the places of some.
pub(super) struct Written<'t> {
    text: &'t str,
    /// What was before this place is written.
    done: usize,
    out: String,
}

impl<'t> Written<'t> {
    /// Nothing is written yet.
    pub(super) fn of(text: &'t str) -> Self {
        Written {
            text,
            done: 0,
            out: String::with_capacity(text.len()),
        }
    }

    /// Puts a string in place of what stands there. Places come in their order.
    pub(super) fn quote(&mut self, at: &Range<usize>, text: &str) {
        self.begin(at);
        quote(text, &mut self.out);
    }

    /// Puts a number in place of what stands there.
    pub(super) fn number(&mut self, at: &Range<usize>, number: &str) {
        self.begin(at);
        self.out.push_str(number);
    }

    fn begin(&mut self, at: &Range<usize>) {
        self.out.push_str(&self.text[self.done..at.start]);
        self.done = at.end;
    }

    /// The text, with all that was not replaced.
    pub(super) fn end(mut self) -> String {
        self.out.push_str(&self.text[self.done..]);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_stands_in_its_place() {
        let text = "{ \"a\" : \"x\\u0041\",\n \"b\":[1.50, null, {\"a\":2,\"a\":3}] }";
        let all = read(text).expect("an object");
        let What::Object(members) = &all.what else {
            panic!("no object");
        };
        let mut written = Written::of(text);
        for member in members {
            written.quote(&member.key_at, &member.key.to_uppercase());
            match &member.value.what {
                What::Text(text) => written.quote(&member.value.at, text),
                What::List(items) => written.number(&items[0].at, "2.50"),
                _ => panic!("another value"),
            }
        }
        assert_eq!(
            written.end(),
            "{ \"A\" : \"xA\",\n \"B\":[2.50, null, {\"a\":2,\"a\":3}] }"
        );
        assert_eq!(Written::of(text).end(), text);
        assert!(read("{\"a\":1} x").is_none() && read("a {}").is_none());
    }
}
