//! What stands at a place of JSON text, found without reading the rest into memory.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::lit;

use super::row;
use super::transcode::{first, texts};
use crate::function::value::{Json, Place, is_compact};

/// JSON text in a column, and where in it.
pub(super) struct Document {
    /// The text.
    pub text: Expr,
    /// Where it is a stored column: which.
    pub column: Option<usize>,
    /// What the text is.
    pub kind: Kind,
    /// Where in it.
    pub places: Vec<Place>,
}

/// What the text of a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The text of a `dynamic`.
    Dynamic,
    /// The same, read as its own text: a JSON string stands for the JSON in it.
    Unwrapped,
    /// Text that is read as JSON. Blank text is null.
    Text,
}

/// What is wanted of a place in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Want {
    /// The JSON; null where there is none.
    Json,
    /// Its text; empty where there is none.
    Text,
}

/// What stands at a place of JSON text, which is not read into memory for it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Find {
    places: Vec<Place>,
    kind: Kind,
    want: Want,
    signature: Signature,
}

/// What stands at a place of a document.
pub(super) fn find(document: Document, want: Want) -> Expr {
    let mut path = String::from("$");
    for place in &document.places {
        match place {
            Place::Member(name) => path.extend([".", name]),
            Place::Element(at) => path.push_str(&format!("[{at}]")),
        }
    }
    let function = Find {
        places: document.places,
        kind: document.kind,
        want,
        signature: row::signature(2),
    };
    ScalarUDF::from(function).call(vec![document.text, lit(path)])
}

impl ScalarUDFImpl for Find {
    fn name(&self) -> &str {
        match self.want {
            Want::Json => "json_path",
            Want::Text => "json_path_text",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = texts(first(args)?);
        let texts = texts.as_string::<i32>();
        let mut out = StringBuilder::with_capacity(texts.len(), texts.len() * 16);
        for text in texts {
            match text.and_then(|text| self.found(text)) {
                Some(found) => out.append_value(found),
                None if self.want == Want::Json => out.append_null(),
                None => out.append_value(""),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}

/// The text of a `dynamic` as `tostring` gives it; empty of null.
pub(super) fn printed(text: &str) -> Cow<'_, str> {
    wanted(text, false, Want::Text).unwrap_or_default()
}

/// An element of a column of arrays.
pub(super) fn element(array: Expr, at: usize) -> Expr {
    let document = Document {
        text: array,
        column: None,
        kind: Kind::Dynamic,
        places: vec![Place::Element(at as i64)],
    };
    find(document, Want::Json)
}

impl Find {
    /// What stands there; nothing for null.
    fn found<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        match self.kind {
            Kind::Dynamic => self.wanted(at(text, &self.places)?),
            Kind::Text => {
                let text = match text.trim().is_empty() {
                    true => return None,
                    false => Json::as_stored(text),
                };
                match text {
                    Cow::Borrowed(text) => self.wanted(at(text, &self.places)?),
                    Cow::Owned(text) => self.owned(&text),
                }
            }
            Kind::Unwrapped if text.trim_start().starts_with('"') => {
                match Json::from_stored(text) {
                    Some(Json::String(inner)) => {
                        if inner.trim().is_empty() {
                            return None;
                        }
                        self.owned(&Json::as_stored(&inner))
                    }
                    // A time or the like is read as its text.
                    Some(other) => self.owned(&Json::String(other.show().into()).text()),
                    None => self.wanted(at(text, &self.places)?),
                }
            }
            Kind::Unwrapped if text.trim().is_empty() => None,
            // Times and ids are printed, and read again as strings.
            Kind::Unwrapped if text.contains('\u{1}') => self.owned(&Json::compact(text)),
            Kind::Unwrapped => self.wanted(at(text, &self.places)?),
        }
    }

    fn owned(&self, text: &str) -> Option<Cow<'static, str>> {
        let found = at(text, &self.places)?;
        self.wanted(found)
            .map(|found| Cow::Owned(found.into_owned()))
    }

    fn wanted<'t>(&self, found: &'t str) -> Option<Cow<'t, str>> {
        // What stands inside of a record may be odder than a text by itself.
        wanted(found, !self.places.is_empty(), self.want)
    }
}

/// What is wanted of JSON text, a part of a record or all of it; nothing of null.
fn wanted(found: &str, is_part: bool, want: Want) -> Option<Cow<'_, str>> {
    if want == Want::Json {
        let json = match is_part {
            true => Json::compact_part(found),
            false => Json::compact_stored(found),
        };
        return (json != "null").then_some(json);
    }
    if let Some(inner) = plain_string(found) {
        return Some(Cow::Borrowed(inner));
    }
    let read: fn(&str) -> Option<Json> = match is_part {
        true => Json::part,
        false => Json::from_stored,
    };
    match found {
        "null" => None,
        // Printing it would give the same.
        bag if bag.starts_with(['{', '[']) && is_compact(bag) => Some(Cow::Borrowed(bag)),
        _ => match read(found) {
            Some(Json::Null) => None,
            Some(value) => Some(Cow::Owned(value.show())),
            // Text that is no JSON is a string.
            None => Some(Cow::Borrowed(found)),
        },
    }
}

/// What a path leads to; all of the text where there is no step.
fn at<'t>(text: &'t str, places: &[Place]) -> Option<&'t str> {
    match places {
        [] => Some(text),
        places => Json::find(text, places),
    }
}

/// What a JSON string without escapes says.
fn plain_string(json: &str) -> Option<&str> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['\\', '"', '\u{1}'])).then_some(inner)
}
