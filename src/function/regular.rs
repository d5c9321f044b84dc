//! Regular expressions: `extract`, `replace_regex`, `trim`, …

use std::cell::RefCell;
use std::sync::Arc;

use regex::{Captures, Regex};

use super::arguments::{Want, constant_text, items, json_text, take, text};
use super::definition::{BARE, Function, lifted};
use crate::function::operate::{compiled_regex, regex_error};
use crate::function::value::{Cell, Json, Type, Value};

/// Longest text that a replacement makes; what would be longer is empty.
const MAX_TEXT: usize = 64 << 20;

/// Refuses a pattern that is none.
pub(super) fn is_pattern(pattern: Option<&str>) -> Result<(), String> {
    pattern.and_then(regex_error).map_or(Ok(()), Err)
}

/// Refuses a pattern that is none, and one without a group.
fn has_groups(pattern: Option<&str>) -> Result<(), String> {
    is_pattern(pattern)?;
    let regex = pattern.and_then(compiled_regex);
    match regex.is_some_and(|regex| regex.captures_len() == 1) {
        true => Err("the regular expression has no group in brackets to extract".to_owned()),
        false => Ok(()),
    }
}

/// How often a pattern matches; nothing where it is wrong.
pub(super) fn count(text: &str, pattern: &str) -> Option<i64> {
    let regex = compiled_regex(pattern)?;
    i64::try_from(regex.find_iter(text).count()).ok()
}

/// Text of a group in the first match; empty where there is none.
fn extracted<'t>(regex: Option<&Regex>, group: Option<i64>, text: &'t str) -> &'t str {
    let Some(regex) = regex else {
        return "";
    };
    let group = group.and_then(|group| usize::try_from(group).ok());
    // The whole match is found without its groups.
    if group == Some(0) {
        return regex.find(text).map_or("", |found| found.as_str());
    }
    let found = regex.captures(text);
    found.map_or("", |captures| group_text(&captures, group))
}

fn group_text<'t>(captures: &Captures<'t>, group: Option<usize>) -> &'t str {
    group
        .and_then(|group| captures.get(group))
        .map_or("", |found| found.as_str())
}

/// The number of a group, given by number or name.
fn group_number(regex: &Regex, group: &Json) -> Option<usize> {
    match group {
        Json::Long(number) => usize::try_from(*number).ok(),
        Json::String(name) => regex
            .capture_names()
            .position(|known| known == Some(&**name)),
        _ => None,
    }
}

/// Writes a text with all matches replaced; nothing where the pattern is wrong or the result too long. `\1` in a replacement stands for a
/// group, `\\` for a backslash.
fn replace(source: &str, pattern: &str, with: &str, out: &mut String) {
    let Some(regex) = compiled_regex(pattern) else {
        return;
    };
    let mut last = 0;
    if !with.contains('\\') {
        // Matches are found without their groups.
        for found in regex.find_iter(source) {
            out.push_str(&source[last..found.start()]);
            out.push_str(with);
            last = found.end();
            if out.len() > MAX_TEXT {
                out.clear();
                return;
            }
        }
        out.push_str(&source[last..]);
        return;
    }
    for captures in regex.captures_iter(source) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        out.push_str(&source[last..whole.start()]);
        last = whole.end();
        let mut characters = with.chars();
        while let Some(c) = characters.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match characters.next() {
                Some(digit @ '0'..='9') => {
                    let group = digit.to_digit(10).and_then(|d| usize::try_from(d).ok());
                    out.push_str(group_text(&captures, group));
                }
                Some(other) => out.push(other),
                None => out.push('\\'),
            }
        }
        if out.len() > MAX_TEXT {
            out.clear();
            return;
        }
    }
    out.push_str(&source[last..]);
}

/// An end of a text.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

/// A pattern and what it was compiled to.
type Known = (String, Option<Arc<Regex>>);

/// The pattern where it matches at an end of a text, compiled once for all rows that ask for the same.
fn anchored(pattern: &str, end: End) -> Option<Arc<Regex>> {
    thread_local! {
        static LAST: RefCell<[Option<Known>; 2]> = const { RefCell::new([None, None]) };
    }
    LAST.with_borrow_mut(|last| {
        let last = &mut last[end as usize];
        if let Some((known, compiled)) = last.as_ref()
            && known == pattern
        {
            return compiled.clone();
        }
        let compiled = compiled_regex(&match end {
            End::First => format!("^(?:{pattern})"),
            End::Last => format!(r"(?:{pattern})\z"),
        });
        *last = Some((pattern.to_owned(), compiled.clone()));
        compiled
    })
}

/// The text without one match at its start.
fn trim_start<'t>(pattern: &str, text: &'t str) -> &'t str {
    let regex = anchored(pattern, End::First);
    match regex.and_then(|regex| regex.find(text).map(|found| found.end())) {
        Some(end) => &text[end..],
        None => text,
    }
}

/// The text without one match at its end.
fn trim_end<'t>(pattern: &str, text: &'t str) -> &'t str {
    let regex = anchored(pattern, End::Last);
    match regex.and_then(|regex| regex.find(text).map(|found| found.start())) {
        Some(start) => &text[..start],
        None => text,
    }
}

/// Characters before a match of a pattern in a text; see Kusto's `indexof_regex`.
fn index_of(a: &[Value]) -> Value {
    let (source, regex) = (text(a, 0), compiled_regex(&text(a, 1)));
    let argument = |at: usize, default: i64| match a.get(at) {
        None => Some(default),
        Some(value) => value.to_long(),
    };
    let (Some(start), Some(length), Some(occurrence), Some(regex)) =
        (argument(2, 0), argument(3, -1), argument(4, 1), regex)
    else {
        return Value::Null;
    };
    let (Ok(start), Ok(skipped)) = (
        usize::try_from(start),
        usize::try_from(occurrence.saturating_sub(1)),
    ) else {
        return Value::Null;
    };
    if length < -1 {
        return Value::Null;
    }
    // Where the part to search begins, and a character behind it.
    let places = source.char_indices().map(|(at, _)| at);
    let mut places = places.chain([source.len()]);
    let Some(from) = places.nth(start) else {
        return Value::Long(-1);
    };
    let to = match usize::try_from(length) {
        Ok(0) => from,
        Ok(length) => places.nth(length - 1).unwrap_or(source.len()),
        Err(_) => source.len(),
    };
    let part = source.get(from..to).unwrap_or_default();
    match regex.find_iter(part).nth(skipped) {
        Some(found) => {
            let before = part[..found.start()].chars().count();
            Value::Long(i64::try_from(start + before).unwrap_or(i64::MAX))
        }
        None => Value::Long(-1),
    }
}

fn extract_all(a: &[Value]) -> Value {
    let source = text(a, a.len().saturating_sub(1));
    let Some(regex) = compiled_regex(&text(a, 0)) else {
        return Value::Null;
    };
    let groups: Vec<Option<usize>> = match a.len() {
        3 => match items(a, 1) {
            Some(groups) => groups
                .iter()
                .map(|group| group_number(&regex, group))
                .collect(),
            None => return Value::Null,
        },
        _ => (1..regex.captures_len()).map(Some).collect(),
    };
    let mut matches = Vec::new();
    for captures in regex.captures_iter(&source) {
        let texts = groups
            .iter()
            .map(|group| json_text(group_text(&captures, *group)));
        matches.push(match &*groups {
            [group] => json_text(group_text(&captures, *group)),
            _ => Json::Array(texts.collect()),
        });
    }
    match matches.is_empty() {
        true => Value::Null,
        false => Value::dynamic(Json::Array(matches)),
    }
}

const EXTRACT_ALL: Function = Function {
    name: "extract_all",
    arguments: (2, 3),
    constants: |c| has_groups(constant_text(c, 0)),
    doc: "extract_all(pattern, groups, text): an array of the group's text in each match, or of arrays of several groups",
    example: "print x = extract_all(@\"(\\d+)\", \"a1b22\")",
    answer: "[\"1\",\"22\"]",
    ty: |a| match a.len() {
        3 => take(a, &[Want::Text, Want::Dynamic, Want::Text], Type::Dynamic),
        _ => take(a, &[Want::Text], Type::Dynamic),
    },
    eval: |_, a| extract_all(a),
    ..BARE
};

pub(super) const TABLE: &[Function] = &[
    lifted! {
        0b101,
        |a, room| {
            let regex = compiled_regex(&a[0].text());
            Cell::String(extracted(regex.as_deref(), a[1].to_long(), a[2].text_in(room)))
        },
        name: "extract",
        arguments: (3, 4),
        constants: |c| is_pattern(constant_text(c, 0)),
        doc: "extract(pattern, group, text, typeof(…)): text of the group in the first match; empty where there is none",
        example: "print x = extract(@\"(\\d+)%\", 1, \"50% off\")",
        answer: "50",
        ty: |a| {
            take(
                &a[..3],
                &[Want::Text, Want::Integer, Want::Text],
                Type::String,
            )?;
            Ok(a.get(3).copied().unwrap_or(Type::String))
        },
    },
    EXTRACT_ALL,
    EXTRACT_ALL.named("extractall"),
    lifted! {
        0b111,
        |a, room| {
            replace(&a[0].text(), &a[1].text(), &a[2].text(), room);
            Cell::String(room)
        },
        name: "replace_regex",
        arguments: (3, 3),
        constants: |c| is_pattern(constant_text(c, 1)),
        doc: "replace_regex(text, pattern, with): all matches replaced; `\\1` stands for the text of a group",
        example: "print x = replace_regex(\"ab\", @\"(a)(b)\", @\"\\2\\1\")",
        answer: "ba",
        ty: |a| take(a, &[Want::Text], Type::String),
    },
    lifted! {
        0b111,
        |a, room| {
            replace(&a[2].text(), &a[0].text(), &a[1].text(), room);
            Cell::String(room)
        },
        name: "replace",
        arguments: (3, 3),
        constants: |c| is_pattern(constant_text(c, 0)),
        doc: "replace(pattern, with, text): old name of `replace_regex`, its arguments in another order",
        example: "print x = replace(@\"l+\", \"L\", \"hello\")",
        answer: "heLo",
        ty: |a| take(a, &[Want::Text], Type::String),
    },
    Function {
        name: "indexof_regex",
        arguments: (2, 5),
        constants: |c| is_pattern(constant_text(c, 1)),
        doc: "indexof_regex(text, pattern, start = 0, length = -1, occurrence = 1): characters before the match; -1 where there is none",
        example: "print x = indexof_regex(\"abcabcdefg\", @\"a.c\", 0, 9, 2)",
        answer: "3",
        ty: |a| take(a, &[Want::Text, Want::Text, Want::Integer], Type::Long),
        eval: |_, a| index_of(a),
        ..BARE
    },
    Function {
        name: "regex_quote",
        arguments: (1, 1),
        doc: "regex_quote(text): a pattern that matches just this text",
        example: "print x = regex_quote(\"a.b\")",
        answer: "a\\.b",
        ty: |_| Ok(Type::String),
        eval: |_, a| {
            let mut quoted = String::new();
            for c in text(a, 0).chars() {
                if "\\.+*?()|[]{}^$".contains(c) {
                    quoted.push('\\');
                }
                quoted.push(c);
            }
            Value::from(quoted)
        },
        ..BARE
    },
    lifted! {
        0b11,
        |a, room| {
            let pattern = a[0].text();
            Cell::String(trim_end(&pattern, trim_start(&pattern, a[1].text_in(room))))
        },
        name: "trim",
        arguments: (2, 2),
        constants: |c| is_pattern(constant_text(c, 0)),
        doc: "trim(pattern, text): the text without one match of the pattern at each end",
        example: "print x = trim(\"x\", \"xxabcxx\")",
        answer: "xabcx",
        ty: |a| take(a, &[Want::Text], Type::String),
    },
    lifted! {
        0b11,
        |a, room| Cell::String(trim_start(&a[0].text(), a[1].text_in(room))),
        name: "trim_start",
        arguments: (2, 2),
        constants: |c| is_pattern(constant_text(c, 0)),
        doc: "trim_start(pattern, text): the text without one match of the pattern at its start",
        example: "print x = trim_start(\"a+\", \"aab\")",
        answer: "b",
        ty: |a| take(a, &[Want::Text], Type::String),
    },
    lifted! {
        0b11,
        |a, room| Cell::String(trim_end(&a[0].text(), a[1].text_in(room))),
        name: "trim_end",
        arguments: (2, 2),
        constants: |c| is_pattern(constant_text(c, 0)),
        doc: "trim_end(pattern, text): the text without one match of the pattern at its end",
        example: "print x = trim_end(\"b+\", \"abb\")",
        answer: "a",
        ty: |a| take(a, &[Want::Text], Type::String),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexof_regex_counts_characters_as_documented() {
        let index = |text: &str, pattern: &str, rest: &[i64]| {
            let rest = rest.iter().map(|number| Value::Long(*number));
            let a: Vec<Value> = [Value::from(text), Value::from(pattern)]
                .into_iter()
                .chain(rest)
                .collect();
            index_of(&a).to_long()
        };
        assert_eq!(index("abcabc", "a.c", &[]), Some(0));
        assert_eq!(index("abcabc", "a.c", &[1, -1, 2]), Some(-1));
        assert_eq!(index("ababaa", "a.a", &[0, -1, 2]), Some(-1));
        assert_eq!(index("abcabc", "a|ab", &[-1]), None);
        assert_eq!(index("ééa1", r"\d", &[1]), Some(3));
        assert_eq!(index("ab", "b", &[0, 1]), Some(-1));
        assert_eq!(index("ab", "$", &[2, 0]), Some(2));
        assert_eq!(index("ab", "b", &[3]), Some(-1));
        assert_eq!(index("ab", "b", &[0, i64::MAX, i64::MIN]), None);
    }

    #[test]
    fn patterns_of_published_queries_trim() {
        assert_eq!(trim_start("[[]", "[2001:db8::1"), "2001:db8::1");
        assert_eq!(trim_end(r#"[["\]]"#, "a]"), "a");
    }
}
