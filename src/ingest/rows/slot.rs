//! A value on its way into a column.

use std::borrow::Cow;

use super::super::json::Raw;

/// A value on its way into a column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Slot<'a> {
    /// Nothing.
    #[default]
    Empty,
    /// Text: a JSON string without escapes, or a CSV cell.
    Text(Cow<'a, str>),
    /// A JSON number, boolean, object or array.
    Json(&'a str),
}

impl<'a> From<Raw<'a>> for Slot<'a> {
    fn from(raw: Raw<'a>) -> Self {
        match raw {
            Raw::Null => Slot::Empty,
            Raw::Other(json) => Slot::Json(json),
            text => text.text().map_or(Slot::Empty, Slot::Text),
        }
    }
}

impl Slot<'_> {
    /// The value as text, empty where there is none.
    pub fn text(&self) -> &str {
        match self {
            Slot::Empty => "",
            Slot::Text(text) => text,
            Slot::Json(json) => json,
        }
    }
}

pub(super) fn push_json_string(out: &mut String, text: &str) {
    // Serializing a `str` to a `String` has no way to fail.
    out.push_str(&serde_json::to_string(text).expect("a string is JSON"));
}
