//! Names, strings and conditions as KQL spells them.

use std::fmt::Write;

/// A string as a literal: verbatim where that saves escapes.
pub(crate) fn quoted(text: &str) -> String {
    let has_controls = text.chars().any(char::is_control);
    if text.contains('\\') && !has_controls {
        return format!("@\"{}\"", text.replace('"', "\"\""));
    }
    let mut literal = String::from("\"");
    for c in text.chars() {
        // Writing to a String cannot fail.
        let _ = match c {
            '"' | '\\' => write!(literal, "\\{c}"),
            '\n' => write!(literal, "\\n"),
            '\r' => write!(literal, "\\r"),
            '\t' => write!(literal, "\\t"),
            c if c.is_control() => write!(literal, "\\u{:04x}", u32::from(c)),
            c => write!(literal, "{c}"),
        };
    }
    literal.push('"');
    literal
}

/// A step of a path: `.name`, or `["a name"]`.
pub(super) fn member(name: &str) -> String {
    match is_name(name) {
        true => format!(".{name}"),
        false => format!("[{}]", quoted(name)),
    }
}

/// A name of a column.
pub(super) fn column(name: &str) -> String {
    match is_name(name) {
        true => name.to_string(),
        false => format!("[{}]", quoted(name)),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !WORDS.contains(&name)
}

/// Words of the language that may be names only in brackets.
const WORDS: [&str; 16] = [
    "and", "asc", "between", "by", "contains", "desc", "false", "has", "in", "let", "not", "or",
    "set", "true", "where", "with",
];

/// A condition on rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Predicate {
    /// An expression that is true or false, and never null.
    Is(String),
    Not(Box<Predicate>),
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    /// At least so many of them.
    AtLeast(usize, Vec<Predicate>),
}

impl Predicate {
    pub(super) fn all(parts: Vec<Predicate>) -> Predicate {
        let parts = parts.into_iter().flat_map(|part| match part {
            Predicate::All(inner) => inner,
            other => vec![other],
        });
        one_or(parts.collect(), Predicate::All)
    }

    pub(super) fn any(parts: Vec<Predicate>) -> Predicate {
        let parts = parts.into_iter().flat_map(|part| match part {
            Predicate::Any(inner) if !inner.is_empty() => inner,
            other => vec![other],
        });
        one_or(parts.collect(), Predicate::Any)
    }

    pub(super) fn negated(self, negated: bool) -> Predicate {
        match (negated, self) {
            (false, same) => same,
            (true, Predicate::Not(inner)) => *inner,
            (true, other) => Predicate::Not(Box::new(other)),
        }
    }

    /// The operators `where` that keep the rows for which it holds, each on a line of its own.
    pub(super) fn filters(&self) -> String {
        let parts = match self {
            Predicate::All(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        let filters = parts
            .iter()
            .map(|part| format!("\n| where {}", part.shown(true)));
        filters.collect()
    }

    /// The condition; in brackets where something may stand around it.
    fn shown(&self, alone: bool) -> String {
        let joined = |parts: &[Predicate], with: &str| {
            let parts: Vec<String> = parts.iter().map(|p| p.shown(false)).collect();
            let joined = parts.join(with);
            match alone {
                true => joined,
                false => format!("({joined})"),
            }
        };
        match self {
            Predicate::Is(text) => text.clone(),
            Predicate::Not(inner) => format!("not({})", inner.shown(true)),
            // A search that nothing can be part of holds for all rows, and one that could be anything of nothing for none.
            Predicate::All(parts) if parts.is_empty() => "true".into(),
            Predicate::Any(parts) if parts.is_empty() => "false".into(),
            Predicate::All(parts) => joined(parts, " and "),
            Predicate::Any(parts) => joined(parts, "\n    or "),
            Predicate::AtLeast(count, parts) => {
                let counted = parts
                    .iter()
                    .map(|p| format!("iff({}, 1, 0)", p.shown(true)));
                let counted: Vec<String> = counted.collect();
                format!("({}) >= {count}", counted.join(" + "))
            }
        }
    }
}

fn one_or(mut parts: Vec<Predicate>, of: fn(Vec<Predicate>) -> Predicate) -> Predicate {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => of(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str) -> Predicate {
        Predicate::Is(text.to_string())
    }

    #[test]
    fn strings_come_back_from_the_parser_as_they_were() {
        for text in ["a", "a\"b", r"C:\x", "\\\"", "a\nb", "\u{0}\u{7f}é", "'"] {
            let (query, faults) = crate::kql::parse(&quoted(text));
            assert!(faults.is_empty(), "{text:?}: {faults:?}");
            let shown = format!("{query:?}");
            assert!(shown.contains(&format!("String({text:?})")), "{shown}");
        }
    }

    #[test]
    fn names_that_are_none_stand_in_brackets() {
        assert_eq!(member("Name"), ".Name");
        assert_eq!(member("a b"), "[\"a b\"]");
        assert_eq!(column("user.name"), "[\"user.name\"]");
    }

    #[test]
    fn conditions_have_their_brackets() {
        let any = Predicate::any(vec![is("a"), is("b")]);
        let all = Predicate::all(vec![is("c"), any.clone().negated(true)]);
        assert_eq!(all.filters(), "\n| where c\n| where not(a\n    or b)");
        let nested = Predicate::any(vec![all, is("d")]);
        assert_eq!(
            nested.filters(),
            "\n| where (c and not(a\n    or b))\n    or d"
        );
        let some = Predicate::AtLeast(2, vec![is("a"), is("b"), any]);
        assert!(some.filters().ends_with("iff(a\n    or b, 1, 0)) >= 2"));
    }
}
