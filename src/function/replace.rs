//! Texts in the place of others: `replace_string`, `replace_strings`, `translate`.

use super::arguments::{Want, items, take, text};
use super::definition::{BARE, Function, lifted};
use crate::function::value::{Cell, Json, Type, Value};

/// Longest text a replacement makes; what would be longer is empty.
const MAX_TEXT: usize = 64 << 20;

/// Writes a text with all occurrences of another replaced; nothing where the result is too long.
fn replace_string(source: &str, wanted: &str, with: &str, out: &mut String) {
    if wanted.is_empty() {
        out.push_str(source);
        return;
    }
    let (mut last, mut made) = (0, 0);
    for (at, _) in source.match_indices(wanted) {
        out.push_str(&source[last..at]);
        out.push_str(with);
        last = at + wanted.len();
        made += with.len();
        if made > MAX_TEXT {
            out.clear();
            return;
        }
    }
    out.push_str(&source[last..]);
}

/// Replaces all at once; of texts that stand at one place, the earliest of the list counts. What is no string is not
/// replaced.
fn replace_strings(source: &str, wanted: &[Json], with: &[Json]) -> String {
    let mut result = String::with_capacity(source.len());
    let mut rest = source;
    let pairs: Vec<(&str, Option<&str>)> = wanted
        .iter()
        .enumerate()
        .filter_map(|(i, wanted)| match wanted {
            Json::String(text) if !text.is_empty() => Some((
                &**text,
                match with.get(i) {
                    Some(Json::String(with)) => Some(&**with),
                    _ => None,
                },
            )),
            _ => None,
        })
        .collect();
    while let Some(c) = rest.chars().next() {
        match pairs.iter().find(|(text, _)| rest.starts_with(text)) {
            Some((text, with)) => {
                result.push_str(with.unwrap_or(text));
                rest = &rest[text.len()..];
            }
            None => {
                result.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        if result.len() > MAX_TEXT {
            return String::new();
        }
    }
    result
}

pub(super) const TABLE: &[Function] = &[
    lifted! {
        0b111,
        |a, room| {
            replace_string(&a[0].text(), &a[1].text(), &a[2].text(), room);
            Cell::String(room)
        },
        name: "replace_string",
        arguments: (3, 3),
        doc: "replace_string(text, wanted, with): the text with all occurrences replaced",
        example: "print x = replace_string(\"a cat\", \"cat\", \"dog\")",
        answer: "a dog",
        ty: |a| take(a, &[Want::Text], Type::String),
    },
    Function {
        name: "replace_strings",
        arguments: (3, 3),
        doc: "replace_strings(text, wanted, with): the text with each text of an array replaced by that of the other",
        example: "print x = replace_strings(\"This is it\", dynamic([\"This\", \"is\"]), dynamic([\"That\", \"was\"]))",
        answer: "That was it",
        ty: |a| take(a, &[Want::Text, Want::Dynamic], Type::String),
        eval: |_, a| {
            // What is no array has no texts, and what no text is there for is not replaced: nothing of the text is lost.
            let [wanted, with] = [1, 2].map(|at| items(a, at).unwrap_or_default());
            Value::from(replace_strings(&text(a, 0), wanted, with))
        },
        ..BARE
    },
    Function {
        name: "translate",
        arguments: (3, 3),
        doc: "translate(characters, with, text): each of the characters replaced by the one at its place in `with`, or its last",
        example: "print x = translate(\"krasp\", \"otsku\", \"spark\")",
        answer: "kusto",
        ty: |a| take(a, &[Want::Text], Type::String),
        eval: |_, a| {
            let from: Vec<char> = text(a, 0).chars().collect();
            let to: Vec<char> = text(a, 1).chars().collect();
            let map = |c: char| match from.iter().position(|known| *known == c) {
                Some(at) => to.get(at).or(to.last()).copied(),
                None => Some(c),
            };
            // As documented: `translate("abc", "", "ab")` is empty.
            match to.is_empty() {
                true => Value::from(""),
                false => Value::from(text(a, 2).chars().filter_map(map).collect::<String>()),
            }
        },
        ..BARE
    },
];
