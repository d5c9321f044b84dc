//! `split`.

use super::arguments::{Want, json_text, take, text};
use super::definition::{BARE, Function, lifted};
use super::result_name::ResultName;
use crate::function::value::{Cell, Json, Type, Value};

/// The part of a text between delimiters at an index, from the end where it is negative.
fn part<'t>(source: &'t str, delimiter: &str, index: i64) -> Option<&'t str> {
    if delimiter.is_empty() {
        return matches!(index, 0 | -1).then_some(source);
    }
    let index = match index < 0 {
        true => i64::try_from(source.split(delimiter).count())
            .ok()?
            .checked_add(index)?,
        false => index,
    };
    source.split(delimiter).nth(usize::try_from(index).ok()?)
}

/// `split(text, delimiter)[index]`
pub(super) static SPLIT_PART: Function = lifted! {
    0b11,
    |a, room| {
        let Some(index) = a[2].to_long() else {
            return Cell::Null;
        };
        part(a[0].text_in(room), &a[1].text(), index).map_or(Cell::Null, Cell::String)
    },
    name: "split_part",
    arguments: (3, 3),
    doc: "split(text, delimiter)[index]: the part at that index, from the end where it is negative",
    example: "print x = split(\"a_b_c\", \"_\")[1]",
    answer: "b",
    ty: |_| Ok(Type::Dynamic),
};

pub(super) const TABLE: &[Function] = &[Function {
    name: "split",
    arguments: (2, 3),
    names: ResultName::First,
    doc: "split(text, delimiter, index): an array of the parts, or of the one part at that index",
    example: "print x = split(\"a_b_c\", \"_\")",
    answer: "[\"a\",\"b\",\"c\"]",
    ty: |a| take(a, &[Want::Any, Want::Text, Want::Integer], Type::Dynamic),
    eval: |_, a| {
        let (source, delimiter) = (text(a, 0), text(a, 1));
        let chosen: Vec<&str> = match a.get(2) {
            None if delimiter.is_empty() => vec![&*source],
            None => source.split(&*delimiter).collect(),
            Some(index) => {
                let index = index.to_long().filter(|index| *index >= 0);
                match index.and_then(|index| part(&source, &delimiter, index)) {
                    Some(part) => vec![part],
                    None => return Value::Null,
                }
            }
        };
        Value::dynamic(Json::Array(chosen.into_iter().map(json_text).collect()))
    },
    ..BARE
}];
