//! Values with wildcards, as section "String Wildcard" and "Escape Character" of the specification have them.
//!
//! | written | means |
//! |---|---|
//! | `*`, `?` | any text, one character |
//! | `\*`, `\?` | the character itself |
//! | `\\` | a backslash; so `\\*` is a backslash and any text |
//! | `\` before anything else | a backslash |

use std::fmt::Write;

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Text as it stands.
    Text(String),
    /// `*`
    Any,
    /// `?`
    One,
    /// What Windows takes for the dash before an option.
    Dash,
    /// `%name%`: any of the values of a list.
    Listed(String),
}

/// A value that is searched for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Pattern(pub(super) Vec<Part>);

/// The text that a regular expression is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// A value itself.
    Value,
    /// A string inside JSON, with its escapes.
    Json,
    /// JSON as a whole: the same, and wildcards go beyond a string.
    Record,
}

impl Pattern {
    /// A value without wildcards.
    pub(super) fn plain(text: impl Into<String>) -> Pattern {
        let text = text.into();
        match text.is_empty() {
            true => Pattern::default(),
            false => Pattern(vec![Part::Text(text)]),
        }
    }

    /// Reads a value.
    pub(super) fn read(text: &str) -> Pattern {
        let mut pattern = Pattern::default();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match (c, rest.peek().copied()) {
                ('\\', Some(next @ ('*' | '?' | '\\'))) => {
                    rest.next();
                    pattern.push(next);
                }
                ('*', _) => pattern.0.push(Part::Any),
                ('?', _) => pattern.0.push(Part::One),
                (c, _) => pattern.push(c),
            }
        }
        pattern
    }

    fn push(&mut self, c: char) {
        match self.0.last_mut() {
            Some(Part::Text(text)) => text.push(c),
            _ => self.0.push(Part::Text(c.to_string())),
        }
    }

    /// The text of a value that has no wildcards.
    pub(super) fn text(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The same with placeholders apart, as `expand` wants them: `%name%`.
    pub(super) fn with_placeholders(self) -> Pattern {
        let mut parts = Vec::new();
        for part in self.0 {
            let Part::Text(text) = part else {
                parts.push(part);
                continue;
            };
            let mut rest = text.as_str();
            while let Some((before, name, after)) = placeholder(rest) {
                if !before.is_empty() {
                    parts.push(Part::Text(before.to_string()));
                }
                parts.push(Part::Listed(name.to_string()));
                rest = after;
            }
            if !rest.is_empty() {
                parts.push(Part::Text(rest.to_string()));
            }
        }
        Pattern(parts)
    }

    /// The names of the lists in it.
    pub(super) fn lists(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Listed(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The same with each dash before an option standing for all that Windows takes for one.
    pub(super) fn with_dashes(self) -> Pattern {
        let mut parts = Vec::new();
        for part in self.0 {
            let Part::Text(text) = part else {
                parts.push(part);
                continue;
            };
            let (mut kept, mut before) = (String::new(), None);
            let mut rest = text.chars().peekable();
            while let Some(c) = rest.next() {
                let begins_word = |c: Option<char>| c.is_some_and(is_word);
                if DASHES.contains(&c) && !begins_word(before) && begins_word(rest.peek().copied())
                {
                    if !kept.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut kept)));
                    }
                    parts.push(Part::Dash);
                } else {
                    kept.push(c);
                }
                before = Some(c);
            }
            if !kept.is_empty() {
                parts.push(Part::Text(kept));
            }
        }
        Pattern(parts)
    }

    /// The pattern as a regular expression, without anchors. What a list stands for is put in later.
    pub(super) fn regex(&self, within: Within) -> String {
        let mut regex = String::new();
        for part in &self.0 {
            match (part, within) {
                (Part::Text(text), Within::Value) => regex.push_str(&regex::escape(text)),
                (Part::Text(text), Within::Json | Within::Record) => {
                    text.chars().for_each(|c| in_json(c, &mut regex));
                }
                (Part::Any, Within::Value | Within::Record) => regex.push_str(".*"),
                (Part::Any, Within::Json) => regex.push_str(ANY_IN_JSON),
                (Part::One, Within::Value | Within::Record) => regex.push('.'),
                (Part::One, Within::Json) => regex.push_str(ONE_IN_JSON),
                (Part::Dash, _) => regex.push_str("[-/–—―]"),
                (Part::Listed(_), _) => {}
            }
        }
        regex
    }
}

/// Dashes before an option of a command of Windows.
const DASHES: [char; 5] = ['-', '/', '–', '—', '―'];
/// A character of a string in JSON.
const ONE_IN_JSON: &str = r#"(?:[^"\\]|\\u[0-9a-f]{4}|\\.)"#;
/// Any text of a string in JSON.
pub(super) const ANY_IN_JSON: &str = r#"(?:[^"\\]|\\.)*"#;

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What stands before the first `%name%`, the name, and what stands behind it.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find('%')?;
        let length = text[start + 1..].find('%')?;
        let name = &text[start + 1..start + 1 + length];
        if !name.is_empty() && name.chars().all(|c| is_word(c) || c == '-' || c == '.') {
            return Some((&text[..start], name, &text[start + length + 2..]));
        }
        from = start + 1;
    }
}

/// A character as a regular expression for its spellings inside a string of JSON, and of JSON inside such a string.
fn in_json(c: char, regex: &mut String) {
    // Writing to a String cannot fail.
    let _ = match c {
        '"' => write!(regex, r#"(?:(?:\\\\)?\\"|\\{{1,2}}u0022)"#),
        '\\' => write!(regex, r"(?:\\\\){{1,2}}"),
        '/' => write!(regex, r"\\{{0,2}}/"),
        '\n' => write!(regex, r"\\{{1,2}}n"),
        '\r' => write!(regex, r"\\{{1,2}}r"),
        '\t' => write!(regex, r"\\{{1,2}}t"),
        // .NET escapes these, and some services all that is not ASCII.
        '<' | '>' | '&' | '\'' | '+' | '`' => {
            let plain = regex::escape(&c.to_string());
            write!(regex, r"(?:{plain}|\\{{1,2}}u{:04x})", u32::from(c))
        }
        c if !c.is_ascii() && u32::from(c) <= 0xffff => {
            write!(regex, r"(?:{c}|\\{{1,2}}u{:04x})", u32::from(c))
        }
        c => write!(regex, "{}", regex::escape(&c.to_string())),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(t: &str) -> Part {
        Part::Text(t.to_string())
    }

    #[test]
    fn wildcards_and_escapes_are_those_of_the_specification() {
        let read = |t: &str| Pattern::read(t).0;
        assert_eq!(read("prog?.exe"), [text("prog"), Part::One, text(".exe")]);
        assert_eq!(read(r"\cmd.exe"), [text(r"\cmd.exe")]);
        assert_eq!(read(r"\\cmd.exe"), [text(r"\cmd.exe")]);
        assert_eq!(read(r"a\*b\?c"), [text("a*b?c")]);
        assert_eq!(read(r"C:\\*"), [text(r"C:\"), Part::Any]);
        assert_eq!(read(r"C:\\\*"), [text(r"C:\*")]);
        assert_eq!(read(r"\\\\srv"), [text(r"\\srv")]);
        assert_eq!(read(r"\\\srv"), [text(r"\\srv")]);
        assert_eq!(read(r"end\"), [text(r"end\")]);
        assert!(read("").is_empty());
        assert_eq!(Pattern::read("").text(), Some(""));
        assert_eq!(Pattern::read("*").text(), None);
    }

    #[test]
    fn placeholders_stand_apart() {
        let read = |t: &str| Pattern::read(t).with_placeholders().0;
        let listed = |t: &str| Part::Listed(t.to_string());
        assert_eq!(read("%Admins%"), [listed("Admins")]);
        assert_eq!(
            read("a%x%b%y%"),
            [text("a"), listed("x"), text("b"), listed("y")]
        );
        assert_eq!(read("100% of 5%"), [text("100% of 5%")]);
    }

    #[test]
    fn a_dash_before_an_option_is_any_dash() {
        let dashed = |t: &str| Pattern::plain(t).with_dashes().0;
        assert_eq!(dashed(" -enc"), [text(" "), Part::Dash, text("enc")]);
        assert_eq!(dashed("/s"), [Part::Dash, text("s")]);
        assert_eq!(dashed("a-b"), [text("a-b")]);
        assert_eq!(
            Pattern::plain("/s").with_dashes().regex(Within::Value),
            "[-/–—―]s"
        );
    }

    #[test]
    fn a_value_inside_json_is_found_in_all_spellings() {
        let found = |value: &str, json: &str| {
            let pattern = Pattern::read(value).regex(Within::Json);
            regex::Regex::new(&format!("(?is)^\"{pattern}\"$"))
                .expect("it is a regular expression")
                .is_match(json)
        };
        assert!(found(r#"State":0"#, r#""State\":0""#));
        assert!(found("a<b", r#""a\u003Cb""#));
        assert!(found(r"C:\x\*", r#""C:\\x*""#));
        assert!(found("x*z", r#""x \" y\\z""#));
        assert!(found("a/b", r#""a\/b""#));
        // JSON in a string of JSON.
        assert!(found(r#"*C:\x "y"*"#, r#""[\"C:\\\\x \\\"y\\\"\"]""#));
        assert!(found("é", r#""\\u00e9""#));
        assert!(!found("x?z", r#""xyyz""#));
    }
}
