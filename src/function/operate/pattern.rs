//! Regular expressions: compiled once, read as Kusto reads them.
//!
//! Kusto's documentation describes the syntax of the `regex` crate, with nested classes and `&&`; published queries are
//! written for RE2, which Kusto had before. So a pattern is read as the documentation says, and what is wrong there as RE2.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use regex::{Error, Regex};

/// So many compiled patterns are kept for each thread.
const KEPT_PATTERNS: usize = 256;

/// A pattern and what it was compiled to.
type Known = (String, Option<Arc<Regex>>);

thread_local! {
    /// The one that was asked for last: all rows of a column mostly ask for the same.
    static LAST: RefCell<Option<Known>> = const { RefCell::new(None) };
    static PATTERNS: RefCell<HashMap<String, Option<Arc<Regex>>>> = RefCell::new(HashMap::new());
}

/// The compiled pattern, nothing where it is wrong. Compiled once for each thread, and shared: a clone would have to make room anew for
/// what it searches with.
pub fn compiled_regex(pattern: &str) -> Option<Arc<Regex>> {
    LAST.with_borrow_mut(|last| {
        if let Some((known, compiled)) = last.as_ref()
            && known == pattern
        {
            return compiled.clone();
        }
        let compiled = looked_up(pattern);
        *last = Some((pattern.to_owned(), compiled.clone()));
        compiled
    })
}

fn looked_up(pattern: &str) -> Option<Arc<Regex>> {
    PATTERNS.with_borrow_mut(|patterns| {
        if let Some(known) = patterns.get(pattern) {
            return known.clone();
        }
        if patterns.len() >= KEPT_PATTERNS {
            patterns.clear();
        }
        let compiled = compile(pattern).ok().map(Arc::new);
        patterns.insert(pattern.to_owned(), compiled.clone());
        compiled
    })
}

/// What is wrong with a pattern; nothing where it is right.
pub fn regex_error(pattern: &str) -> Option<String> {
    // What is right is asked for next.
    if compiled_regex(pattern).is_some() {
        return None;
    }
    let error = compile(pattern).err()?.to_string();
    let reason = error.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason).to_owned();
    Some(format!("the regular expression is wrong: {reason}"))
}

fn compile(pattern: &str) -> Result<Regex, Error> {
    Regex::new(pattern).or_else(|error| Regex::new(&from_re2(pattern)).map_err(|_| error))
}

/// A pattern of RE2 in the syntax of the `regex` crate: in a class, `[`, `&&`, `--` and `~~` stand for themselves, as does a
/// `{` that begins no repetition; `\Q…\E` and octal numbers are written out. What is wrong stays wrong.
fn from_re2(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix(r"\Q") {
            let (text, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(text));
            rest = after;
        } else if c == '\\' {
            let (piece, after) = escape(rest);
            out.push_str(&piece);
            rest = after;
        } else if c == '[' {
            rest = class(rest, &mut out);
        } else {
            if c == '{' && !is_repetition(rest) {
                out.push('\\');
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// Whether a text begins with `{2}`, `{2,}` or `{2,3}`.
fn is_repetition(text: &str) -> bool {
    let inside = text.strip_prefix('{').and_then(|t| t.split_once('}'));
    let Some((inside, _)) = inside else {
        return false;
    };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

/// Cuts off a class that the text begins with.
fn class<'t>(text: &'t str, out: &mut String) -> &'t str {
    let mut rest = text.strip_prefix('[').unwrap_or(text);
    out.push('[');
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let start = rest.len();
    while !rest.is_empty() {
        // A `]` at the start stands for itself.
        if rest.len() < start
            && let Some(after) = rest.strip_prefix(']')
        {
            out.push(']');
            return after;
        }
        if let Some(end) = rest.strip_prefix("[:").and_then(|name| name.find(":]")) {
            let (name, after) = rest.split_at(end + 4);
            out.push_str(name);
            rest = after;
            continue;
        }
        let (first, after) = member(rest);
        out.push_str(&first);
        rest = after;
        // A `-` before the end of the class is no range.
        if let Some(end) = rest.strip_prefix('-')
            && !end.starts_with(']')
            && !end.is_empty()
            && !is_class(&first)
        {
            let (last, after) = member(end);
            out.push('-');
            out.push_str(&last);
            rest = after;
        }
    }
    rest
}

/// Cuts one character or escape off the inside of a class.
fn member(text: &str) -> (String, &str) {
    match text.chars().next() {
        Some('\\') => escape(text),
        Some(c) => {
            let (piece, after) = text.split_at(c.len_utf8());
            let special = matches!(c, '[' | ']' | '&' | '~' | '-' | '^');
            (format!("{}{piece}", if special { "\\" } else { "" }), after)
        }
        None => (String::new(), text),
    }
}

/// Whether a piece of a class stands for several characters: `\d`, `\pL`.
fn is_class(piece: &str) -> bool {
    let name = piece.strip_prefix('\\').and_then(|p| p.chars().next());
    name.is_some_and(|name| "dDsSwWpP".contains(name))
}

/// Cuts an escape off the text that begins with it.
fn escape(text: &str) -> (String, &str) {
    let body = text.strip_prefix('\\').unwrap_or(text);
    let length = match body.chars().next() {
        Some('x' | 'p' | 'P') if body[1..].starts_with('{') => body.find('}').map(|end| end + 1),
        Some('x') => Some(3),
        Some('p' | 'P') => body.char_indices().nth(2).map(|(end, _)| end),
        Some(c @ '0'..='7') => {
            let digits = body.bytes().take(3);
            let digits = digits.take_while(|b| (b'0'..=b'7').contains(b)).count();
            // One digit that is not 0 would refer back to a group, which there is not.
            if c == '0' || digits > 1 {
                let (octal, after) = body.split_at(digits);
                let code = u32::from_str_radix(octal, 8).unwrap_or(0);
                return (format!("\\x{{{code:x}}}"), after);
            }
            Some(1)
        }
        Some(c) => Some(c.len_utf8()),
        None => None,
    };
    let length = length.filter(|length| body.is_char_boundary(*length));
    let (escaped, after) = body.split_at(length.unwrap_or(body.len()));
    (format!("\\{escaped}"), after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        compiled_regex(pattern).is_some_and(|regex| regex.is_match(text))
    }

    #[test]
    fn a_wrong_pattern_is_explained() {
        assert!(regex_error("(").is_some_and(|text| text.contains("unclosed")));
        for wrong in [r"\C", "a)", r"\1", "{2}", r"(?<=a)b", r"[a", r"\"] {
            assert!(regex_error(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn the_documented_syntax_counts_first() {
        for (pattern, text, expected) in [
            ("^[a-y&&xyz]$", "x", true),
            ("^[a-y&&xyz]$", "a", false),
            ("^[0-9--4]$", "4", false),
            ("^[x[^xyz]]$", "y", false),
            (r"\bword\b", "a word", true),
            (r"^[\w\s--_]+$", "a b", true),
            (r"(?i)^\pL\p{Lu}\z", "éß", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_wrong_there_is_read_as_re2() {
        for (pattern, text, expected) in [
            ("^[[]$", "[", true),
            (r#"^[[",\]]$"#, "]", true),
            (r"^[^[]+$", "a]b", true),
            (r"^[^[]+$", "a[b", false),
            (r"^[[\d]+$", "[1", true),
            ("^[[:digit:][]+$", "[1", true),
            (r"^[[&&a]b$", "&b", true),
            (r"^[[~~-]$", "-", true),
            (r"^[[*--]$", "+", true),
            (r"^[]a[]$", "]", true),
            (r"^[[\]-a]$", "_", true),
            (r"^[[\x{41}-\x43]$", "B", true),
            (r"^a{$", "a{", true),
            ("^{x}{2}$", "{x}}", true),
            ("^{(.*)}$", "{a}", true),
            ("^a{,b$", "a{,b", true),
            (r"^[[]\Qa.b[\E+$", "[a.b[[", true),
            (r"^\Qa.b$", "a.b$", true),
            (r"^\Qa.b$", "axb$", false),
            (r"^\101\0[[]$", "A\0[", true),
        ] {
            assert!(regex_error(pattern).is_none(), "{pattern}");
            assert_eq!(matches(pattern, text), expected, "{pattern}");
        }
    }

    #[test]
    fn no_pattern_makes_it_panic() {
        let parts = [
            "[", "]", "^", "-", "\\", "x", "{", "}", "1", ",", "p", "é", ":", "\\Q", "\\E", "[:",
        ];
        for a in parts {
            for b in parts {
                for c in parts {
                    for d in parts {
                        from_re2(&[a, b, c, d].concat());
                    }
                }
            }
        }
    }
}
