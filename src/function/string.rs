//! Strings: parts, searches, replacements, characters.

use super::arguments::{Want, constant_text, items, json_text, long, take, text};
use super::definition::{ALL, BARE, Function, lifted};
use super::regular::{count, is_pattern};
use super::result_name::ResultName;
use crate::function::operate::Matcher;
use crate::function::operators::{MatchKind, MatchOp};
use crate::function::value::{Cell, Json, Type, Value};

/// Longest text a function makes; what would be longer is empty.
const MAX_TEXT: usize = 64 << 20;
/// Most times that `strrep` repeats.
const MAX_REPEATS: i64 = 1024;

/// The arguments of a command line as `CommandLineToArgvW` of Windows cuts them.
fn arguments(line: &str) -> Vec<Json> {
    let blank = |c: char| c == ' ' || c == '\t';
    // The name of the program knows no escapes.
    let (program, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => line.split_at(line.find(blank).unwrap_or(line.len())),
    };
    let mut found = vec![json_text(program)];
    let mut rest = rest.trim_start_matches(blank).chars().peekable();
    while rest.peek().is_some() {
        let mut argument = String::new();
        // Two quotes close what one opened; the third in a row stands for itself.
        let (mut quotes, mut backslashes) = (0, 0);
        while let Some(c) = rest.next_if(|c| quotes == 1 || !blank(*c)) {
            match c {
                '\\' => backslashes += 1,
                '"' => {
                    // Two backslashes before a quote are one, and the last of an odd number escapes it.
                    argument.extend(std::iter::repeat_n('\\', backslashes / 2));
                    if backslashes % 2 == 1 {
                        argument.push('"');
                    } else {
                        quotes += 1;
                        while rest.next_if_eq(&'"').is_some() {
                            quotes += 1;
                            if quotes == 3 {
                                argument.push('"');
                                quotes = 0;
                            }
                        }
                        quotes %= 2;
                    }
                    backslashes = 0;
                }
                c => {
                    argument.extend(std::iter::repeat_n('\\', backslashes));
                    backslashes = 0;
                    argument.push(c);
                }
            }
        }
        argument.extend(std::iter::repeat_n('\\', backslashes));
        found.push(json_text(argument));
        while rest.next_if(|c| blank(*c)).is_some() {}
    }
    found
}

/// Writes a text in upper or lower case, letter by letter; a letter whose other case is several letters stays.
fn recase<I: Iterator<Item = char>>(
    text: &str,
    ascii: fn(&mut str),
    case: impl Fn(char) -> I,
    out: &mut String,
) {
    if text.is_ascii() {
        out.push_str(text);
        ascii(out);
        return;
    }
    let one = |c: char| {
        let mut other = case(c);
        match (other.next(), other.next()) {
            (Some(other), None) => other,
            _ => c,
        }
    };
    out.extend(text.chars().map(one));
}

/// Byte where the character of that number begins; the end where there is none.
fn offset(text: &str, character: usize) -> usize {
    let mut indices = text.char_indices();
    indices.nth(character).map_or(text.len(), |(at, _)| at)
}

fn substring(text: &str, start: i64, length: Option<i64>) -> &str {
    let start = match start < 0 {
        true => characters(text).saturating_add(start).max(0),
        false => start,
    };
    let rest = &text[offset(text, usize::try_from(start).unwrap_or(usize::MAX))..];
    match length {
        None => rest,
        Some(length) => &rest[..offset(rest, usize::try_from(length).unwrap_or(0))],
    }
}

/// Characters before the match in a text; see Kusto's `indexof`.
fn index_of(a: &[Cell]) -> Option<i64> {
    let (source, wanted) = (a[0].text(), a[1].text());
    let argument = |at: usize, default: i64| match a.get(at) {
        None => Some(default),
        Some(value) => value.to_long(),
    };
    let (start, length, occurrence) = (argument(2, 0)?, argument(3, -1)?, argument(4, 1)?);
    if length < -1 || occurrence < 1 {
        return None;
    }
    let mut rest = substring(&source, start, None);
    let mut left = occurrence;
    while let Some(at) = rest.find(&*wanted) {
        // The length counts from where the search went on, not from the start.
        if length >= 0 && characters(&rest[..at + wanted.len()]) > length {
            break;
        }
        rest = &rest[at..];
        left -= 1;
        if left == 0 {
            return Some(characters(&source[..source.len() - rest.len()]));
        }
        let mut after = rest.chars();
        if after.next().is_none() {
            break;
        }
        rest = after.as_str();
    }
    Some(-1)
}

/// How many characters a text has.
fn characters(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// How often a text stands in another; matches may overlap.
fn count_of(text: &str, wanted: &str) -> i64 {
    let Some(first) = wanted.chars().next() else {
        return 0;
    };
    let (mut count, mut from) = (0, 0);
    while let Some(at) = text[from..].find(wanted) {
        count += 1;
        from += at + first.len_utf8();
    }
    count
}

/// The first record of CSV.
fn parse_csv(text: &str) -> Vec<Json> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(json_text(std::mem::take(&mut field))),
            '\r' if !quoted && characters.peek() == Some(&'\n') => break,
            '\n' if !quoted => break,
            c => field.push(c),
        }
    }
    fields.push(json_text(field));
    fields
}

const CODEPOINTS: Function = Function {
    name: "unicode_codepoints_from_string",
    arguments: (1, 1),
    doc: "unicode_codepoints_from_string(text): an array of the code points of its characters",
    example: "print x = unicode_codepoints_from_string(\"Aé\")",
    answer: "[65,233]",
    ty: |_| Ok(Type::Dynamic),
    eval: |_, a| {
        let text = text(a, 0);
        Value::dynamic(Json::Array(
            text.chars()
                .map(|c| Json::Long(i64::from(u32::from(c))))
                .collect(),
        ))
    },
    ..BARE
};

const FROM_CODEPOINTS: Function = Function {
    name: "unicode_codepoints_to_string",
    arguments: (1, usize::MAX),
    doc: "unicode_codepoints_to_string(number or array, …): the text of those code points",
    example: "print x = unicode_codepoints_to_string(75, 117, 115, 116, 111)",
    answer: "Kusto",
    ty: |a| take(a, &[Want::Integer], Type::String),
    eval: |_, a| {
        let mut text = String::new();
        for value in a {
            let numbers: Vec<Option<i64>> = match value.array() {
                Some(items) => items.iter().map(|item| item.scalar()?.to_long()).collect(),
                None => vec![value.to_long()],
            };
            for number in numbers {
                let code = number.and_then(|number| u32::try_from(number).ok());
                match code.and_then(char::from_u32) {
                    Some(c) => text.push(c),
                    None => return Value::from(""),
                }
            }
        }
        Value::from(text)
    },
    ..BARE
};

const STRCAT_ARRAY: Function = lifted! {
    0b10,
    |a, room| {
        let Cell::Dynamic(Json::Array(items)) = a[0] else {
            return Cell::String("");
        };
        let delimiter = a[1].text();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                room.push_str(&delimiter);
            }
            room.push_str(&Cell::Dynamic(item).text());
        }
        Cell::String(room)
    },
    name: "strcat_array",
    arguments: (2, 2),
    doc: "strcat_array(array, delimiter): the elements as one text",
    example: "print x = strcat_array(dynamic([1, 2, 3]), \"->\")",
    answer: "1->2->3",
    ty: |a| take(a, &[Want::Dynamic, Want::Any], Type::String),
};

pub(super) const TABLE: &[Function] = &[
    lifted! {
        0b1,
        |a, _| Cell::Long(characters(&a[0].text())),
        name: "strlen",
        arguments: (1, 1),
        names: ResultName::Prefix("strlen"),
        doc: "strlen(text): how many characters it has",
        example: "print x = strlen(\"hello\")",
        answer: "5",
        ty: |a| take(a, &[Want::Text], Type::Long),
    },
    lifted! {
        0b1,
        |a, _| Cell::Long(i64::try_from(a[0].text().len()).unwrap_or(i64::MAX)),
        name: "string_size",
        arguments: (1, 1),
        names: ResultName::Prefix("string_size"),
        doc: "string_size(text): how many bytes it has in UTF-8",
        example: "print x = string_size(\"é\")",
        answer: "2",
        ty: |a| take(a, &[Want::Text], Type::Long),
    },
    lifted! {
        0b1,
        |a, room| {
            recase(&a[0].text(), str::make_ascii_lowercase, char::to_lowercase, room);
            Cell::String(room)
        },
        name: "tolower",
        arguments: (1, 1),
        doc: "tolower(text): the text in lower case",
        example: "print x = tolower(\"HÉLLO\")",
        answer: "héllo",
        ty: |_| Ok(Type::String),
    },
    lifted! {
        0b1,
        |a, room| {
            recase(&a[0].text(), str::make_ascii_uppercase, char::to_uppercase, room);
            Cell::String(room)
        },
        name: "toupper",
        arguments: (1, 1),
        doc: "toupper(text): the text in upper case",
        example: "print x = toupper(\"héllo\")",
        answer: "HÉLLO",
        ty: |_| Ok(Type::String),
    },
    lifted! {
        ALL,
        |a, room| {
            for cell in a {
                room.push_str(&cell.text());
            }
            Cell::String(room)
        },
        name: "strcat",
        arguments: (1, 64),
        doc: "strcat(value, …): the values as one text; null is empty",
        example: "print x = strcat(\"a\", 1, true)",
        answer: "a1True",
        ty: |_| Ok(Type::String),
    },
    lifted! {
        ALL,
        |a, room| {
            let delimiter = a[0].text();
            for (at, cell) in a.iter().skip(1).enumerate() {
                if at > 0 {
                    room.push_str(&delimiter);
                }
                room.push_str(&cell.text());
            }
            Cell::String(room)
        },
        name: "strcat_delim",
        arguments: (3, 65),
        doc: "strcat_delim(delimiter, value, …): the values as one text, the delimiter between them",
        example: "print x = strcat_delim(\"-\", 1, \"A\")",
        answer: "1-A",
        ty: |_| Ok(Type::String),
    },
    STRCAT_ARRAY,
    STRCAT_ARRAY.named("array_strcat"),
    lifted! {
        0b11,
        |a, _| Cell::Long(a[0].text().cmp(&a[1].text()) as i64),
        name: "strcmp",
        arguments: (2, 2),
        doc: "strcmp(a, b): -1, 0 or 1 where the first text is before, equal to or behind the second",
        example: "print x = strcmp(\"abc\", \"abd\")",
        answer: "-1",
        ty: |_| Ok(Type::Long),
    },
    Function {
        name: "strrep",
        arguments: (2, 3),
        doc: "strrep(text, times, delimiter = \"\"): the text so many times, at most 1024",
        example: "print x = strrep(\"ABC\", 2)",
        answer: "ABCABC",
        ty: |a| take(a, &[Want::Any, Want::Integer, Want::Any], Type::String),
        eval: |_, a| {
            let times = long(a, 1).unwrap_or(0).clamp(0, MAX_REPEATS);
            let times = usize::try_from(times).unwrap_or(0);
            let (part, delimiter) = (text(a, 0), text(a, 2));
            if (part.len() + delimiter.len()).saturating_mul(times) > MAX_TEXT {
                return Value::from("");
            }
            Value::from(vec![part; times].join(&delimiter))
        },
        ..BARE
    },
    lifted! {
        0b1,
        |a, room| {
            let length = a.get(2).map(|length| length.to_long().unwrap_or(0));
            match a[1].to_long() {
                Some(start) => Cell::String(substring(a[0].text_in(room), start, length)),
                None => Cell::String(""),
            }
        },
        name: "substring",
        arguments: (2, 3),
        doc: "substring(text, start, length): characters from `start`, which counts from 0, or from the end where negative",
        example: "print x = substring(\"hello\", -2, 2)",
        answer: "lo",
        ty: |a| take(a, &[Want::Any, Want::Integer], Type::String),
    },
    lifted! {
        0b1,
        |a, room| {
            room.extend(a[0].text().chars().rev());
            Cell::String(room)
        },
        name: "reverse",
        arguments: (1, 1),
        doc: "reverse(text): its characters from the last to the first",
        example: "print x = reverse(\"abc\")",
        answer: "cba",
        ty: |_| Ok(Type::String),
    },
    lifted! {
        0b11,
        |a, _| index_of(a).map_or(Cell::Null, Cell::Long),
        name: "indexof",
        arguments: (2, 5),
        doc: "indexof(text, wanted, start = 0, length = -1, occurrence = 1): where it stands, from 0; -1 where it does not",
        example: "print x = indexof(\"abcabc\", \"a\", 2)",
        answer: "3",
        ty: |a| take(a, &[Want::Any, Want::Any, Want::Integer], Type::Long),
    },
    lifted! {
        0b111,
        |a, _| {
            let (source, wanted) = (a[0].text(), a[1].text());
            let count = match a.get(2).map(|kind| kind.text()).as_deref() {
                None | Some("" | "normal") => Some(count_of(&source, &wanted)),
                Some("regex") => count(&source, &wanted),
                _ => None,
            };
            count.map_or(Cell::Null, Cell::Long)
        },
        name: "countof",
        arguments: (2, 3),
        constants: |c| match constant_text(c, 2) {
            None | Some("normal") => Ok(()),
            Some("regex") => is_pattern(constant_text(c, 1)),
            Some(_) => Err("argument 3 must be \"normal\" or \"regex\"".to_owned()),
        },
        doc: "countof(text, wanted, kind = \"normal\"): how often it stands there; with \"regex\", how often the pattern matches",
        example: "print x = countof(\"aaaa\", \"aa\")",
        answer: "3",
        ty: |a| take(a, &[Want::Text], Type::Long),
    },
    Function {
        name: "has_any_index",
        arguments: (2, 2),
        doc: "has_any_index(text, array): index of the first element that `has` finds in the text; -1 where there is none",
        example: "print x = has_any_index(\"this is an example\", dynamic([\"not\", \"example\"]))",
        answer: "1",
        ty: |a| take(a, &[Want::Text, Want::Dynamic], Type::Long),
        eval: |_, a| {
            let Some(wanted) = items(a, 1) else {
                return Value::Null;
            };
            let op = MatchOp {
                kind: MatchKind::Has,
                case_sensitive: false,
                negated: false,
            };
            let source = text(a, 0);
            let found = wanted
                .iter()
                .position(|item| Matcher::new(op, &item.show()).matches(&source));
            Value::Long(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1))
        },
        ..BARE
    },
    Function {
        name: "parse_command_line",
        arguments: (2, 2),
        doc: "parse_command_line(text, \"windows\"): an array of the arguments of a command line; null of an empty one",
        example: "print x = parse_command_line('echo \"hello world!\"', \"windows\")",
        answer: "[\"echo\",\"hello world!\"]",
        ty: |a| take(a, &[Want::Text], Type::Dynamic),
        eval: |_, a| match (&*text(a, 0), &*text(a, 1)) {
            ("", _) => Value::Null,
            (line, "windows") => Value::dynamic(Json::Array(arguments(line))),
            _ => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "parse_csv",
        arguments: (1, 1),
        names: ResultName::First,
        doc: "parse_csv(text): an array of the fields of the first record",
        example: "print x = parse_csv('aa,\"b,b\"')",
        answer: "[\"aa\",\"b,b\"]",
        ty: |a| take(a, &[Want::Text], Type::Dynamic),
        eval: |_, a| Value::dynamic(Json::Array(parse_csv(&text(a, 0)))),
        ..BARE
    },
    CODEPOINTS,
    CODEPOINTS.named("to_utf8"),
    FROM_CODEPOINTS,
    FROM_CODEPOINTS.named("make_string"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occurrences_are_counted_within_a_length_that_moves() {
        let at = |source: &str, wanted: &str, more: &[i64]| {
            let mut a = vec![Cell::String(source), Cell::String(wanted)];
            a.extend(more.iter().copied().map(Cell::Long));
            index_of(&a).map_or(Value::Null, Value::Long)
        };
        // As in Kusto's documentation.
        assert_eq!(at("abcdefg", "cde", &[]), Value::Long(2));
        assert_eq!(at("abcdefg", "cde", &[1, 4]), Value::Long(2));
        assert_eq!(at("abcdefg", "cde", &[1, 2]), Value::Long(-1));
        assert_eq!(at("abcdefg", "cde", &[3, 4]), Value::Long(-1));
        assert_eq!(at("abcdefg", "cde", &[-5]), Value::Long(2));
        let twice = "abcdefgabcdefg";
        assert_eq!(at(twice, "cde", &[1, 10, 2]), Value::Long(9));
        assert_eq!(at(twice, "cde", &[1, -1, 3]), Value::Long(-1));
        assert_eq!(at("é", "", &[0, -1, 2]), Value::Long(1));
        assert_eq!(at("é", "", &[0, -1, 9]), Value::Long(-1));
        assert_eq!(at("é", "é", &[i64::MAX]), Value::Long(-1));
    }

    #[test]
    fn command_lines_are_cut_as_windows_does() {
        for (line, expected) in [
            (r#"x "abc" d  e "#, vec!["x", "abc", "d", "e"]),
            (r#"x a\\b d"e f"g h"#, vec!["x", r"a\\b", "de fg", "h"]),
            (r#"x a\\\"b c"#, vec!["x", r#"a\"b"#, "c"]),
            (r#"x a\\\\"b c" d"#, vec!["x", r"a\\b c", "d"]),
            (r#"x a"b"" c"#, vec!["x", r#"ab""#, "c"]),
            (r#""C:\a b\x.exe" C:\"#, vec![r"C:\a b\x.exe", r"C:\"]),
            (r#""open"#, vec!["open"]),
            ("x \"\" \"a\tb", vec!["x", "", "a\tb"]),
            (" x", vec!["", "x"]),
        ] {
            let found: Vec<String> = arguments(line).iter().map(Json::show).collect();
            assert_eq!(found, expected, "{line}");
        }
    }
}
