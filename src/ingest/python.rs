//! Values as Python and JavaScript print them, where a collector wrote a list or a dictionary without making JSON of it:
//! `[{'Name': 'x', 'Value': None}]`, `{Name: "x", /* of it */ Value: NaN,}`.
//!
//! Takes what can mean one thing only. Calls, sets, bytes and keys that are neither texts nor words are no JSON.

use std::borrow::Cow;

use crate::text::json as plain;

/// Lists inside each other; as deep as JSON may be.
const MAX_DEPTH: usize = 128;

/// A list or dictionary of Python as JSON; nothing where the text is anything else.
pub fn json(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let mut reader = Reader {
        rest: text,
        out: String::with_capacity(text.len() + 16),
    };
    reader.value(0)?;
    reader.blanks();
    if !reader.rest.is_empty() {
        return None;
    }
    // Numbers were taken as they stood.
    plain::strict(&reader.out).map(Cow::into_owned)
}

struct Reader<'t> {
    rest: &'t str,
    out: String,
}

impl Reader<'_> {
    /// Passes over blanks and over remarks, which JSON has none of.
    fn blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            let behind = match self.rest.as_bytes() {
                [b'/', b'*', ..] => self.rest.split_once("*/").map(|(_, behind)| behind),
                [b'/', b'/', ..] => self.rest.split_once('\n').map(|(_, behind)| behind),
                _ => None,
            };
            match behind {
                Some(behind) => self.rest = behind,
                None => return,
            }
        }
    }

    /// Takes a mark, with the blanks before it.
    fn takes(&mut self, mark: char) -> bool {
        self.blanks();
        let rest = self.rest.strip_prefix(mark);
        if let Some(rest) = rest {
            self.rest = rest;
        }
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.takes('{') {
            return self.dictionary(depth);
        }
        if self.takes('[') {
            return self.list(']', depth);
        }
        if self.takes('(') {
            return self.list(')', depth);
        }
        self.blanks();
        // Python 2 marks texts: `u'Name'`.
        let marked = self
            .rest
            .strip_prefix('u')
            .filter(|rest| rest.starts_with(['\'', '"']));
        let rest = marked.unwrap_or(self.rest);
        if rest.starts_with(['\'', '"']) {
            self.rest = rest;
            return self.string();
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "None" | "null" | "undefined" => self.out.push_str("null"),
            // JSON has no such numbers; as texts they stay what they are.
            "NaN" | "Infinity" | "-Infinity" => plain::quote(word, &mut self.out),
            "True" | "true" => self.out.push_str("true"),
            "False" | "false" => self.out.push_str("false"),
            _ if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                self.out.push_str(word);
            }
            _ => return None,
        }
        Some(())
    }

    fn list(&mut self, close: char, depth: usize) -> Option<()> {
        self.out.push('[');
        let mut values = 0;
        loop {
            if self.takes(close) {
                self.out.push(']');
                return Some(());
            }
            if values > 0 {
                self.out.push(',');
            }
            self.value(depth + 1)?;
            let comma = self.comma_or(close)?;
            // One value in parentheses is no list without a comma.
            if close == ')' && values == 0 && !comma {
                return None;
            }
            values += 1;
        }
    }

    fn dictionary(&mut self, depth: usize) -> Option<()> {
        self.out.push('{');
        let mut first = true;
        loop {
            if self.takes('}') {
                self.out.push('}');
                return Some(());
            }
            if !first {
                self.out.push(',');
            }
            first = false;
            self.key(depth)?;
            if !self.takes(':') {
                return None;
            }
            self.out.push(':');
            self.value(depth + 1)?;
            self.comma_or('}')?;
        }
    }

    /// A key is a text, or in JavaScript a word.
    fn key(&mut self, depth: usize) -> Option<()> {
        self.blanks();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '@');
        let end = self.rest.find(|c: char| !is_part(c)).unwrap_or(0);
        let (word, rest) = self.rest.split_at(end);
        if !word.starts_with(|c: char| c.is_ascii_digit())
            && rest.trim_start().starts_with(':')
            && end > 0
        {
            plain::quote(word, &mut self.out);
            self.rest = rest;
            return Some(());
        }
        let key = self.out.len();
        self.value(depth + 1)?;
        (self.out.as_bytes().get(key) == Some(&b'"')).then_some(())
    }

    /// After a value stands a comma, or what closes the list; a comma may stand before that, too. Says whether there was one.
    fn comma_or(&mut self, close: char) -> Option<bool> {
        let comma = self.takes(',');
        self.blanks();
        (comma || self.rest.starts_with(close)).then_some(comma)
    }

    /// A text in either kind of quotes.
    fn string(&mut self) -> Option<()> {
        let mut chars = self.rest.chars();
        let quote = chars.next()?;
        let mut text = String::new();
        loop {
            match chars.next()? {
                c if c == quote => break,
                '\\' => {
                    let c = match chars.next()? {
                        c @ ('\\' | '\'' | '"' | '/') => c,
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'x' => code(&mut chars, 2)?,
                        'u' => unit(&mut chars)?,
                        'U' => code(&mut chars, 8)?,
                        _ => return None,
                    };
                    text.push(c);
                }
                c => text.push(c),
            }
        }
        self.rest = chars.as_str();
        plain::quote(&text, &mut self.out);
        Some(())
    }
}

/// A character by four digits, or by two times four, as in JSON.
fn unit(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let first = number(chars, 4)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    if (chars.next()?, chars.next()?) != ('\\', 'u') {
        return None;
    }
    let second = number(chars, 4)?;
    char::decode_utf16([first as u16, second as u16])
        .next()?
        .ok()
}

/// A character by so many digits.
fn code(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    char::from_u32(number(chars, digits)?)
}

fn number(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<u32> {
    let mut number: u32 = 0;
    for _ in 0..digits {
        number = number
            .checked_mul(16)?
            .checked_add(chars.next()?.to_digit(16)?)?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_python_become_json() {
        for (python, want) in [
            (
                "[{'Name': 'UserAgent', 'Value': None}, {'Name': 'Keep', 'Value': True}]",
                r#"[{"Name":"UserAgent","Value":null},{"Name":"Keep","Value":true}]"#,
            ),
            (
                r#"['it\'s', "O'Brien", 'C:\\a', 'a\tb', '\xe9', u'x']"#,
                r#"["it's","O'Brien","C:\\a","a\tb","é","x"]"#,
            ),
            ("[('a',), ('b', 1)]", r#"[["a"],["b",1]]"#),
            (
                r#"{"a": "\/\ud83d\ude00", /* x */ b: NaN, // y
                    "c": undefined,}"#,
                r#"{"a":"/😀","b":"NaN","c":null}"#,
            ),
            (
                "{'n': -1.5e+3, 'e': [], 'd': {}}",
                r#"{"n":-1.5e+3,"e":[],"d":{}}"#,
            ),
        ] {
            assert_eq!(json(python).as_deref(), Some(want), "{python}");
        }
    }

    #[test]
    fn what_may_mean_something_else_stays_text() {
        for text in [
            "",
            "plain",
            "[a, b]",
            "['a' 'b']",
            "['a'",
            "[b'a']",
            "{1: 'a'}",
            "{'a'}",
            "{'at': datetime.datetime(2026, 5, 1)}",
            "[nan]",
            "(1)",
            "[(1)]",
            "[0x10]",
            "['a'] and more",
            r"['\d']",
            r"['\ud800']",
        ] {
            assert_eq!(json(text), None, "{text}");
        }
        assert_eq!(json(&"[".repeat(100_000)), None);
    }
}
