//! String operators: `has`, `contains`, `startswith`, `matches regex`, …

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use regex::Regex;

use super::logic::truth;
use super::pattern::compiled_regex;
use crate::function::operators::{MatchKind, MatchOp};
use crate::function::value::{Cell, Type, Value};

/// The text with all letters in lower case, each by itself, so that texts that differ in case only become equal.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|b| b.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    let lower = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    };
    Cow::Owned(text.chars().map(lower).collect())
}

/// Whether a string operator takes those types.
///
/// # Errors
///
/// Where Kusto refuses it.
pub fn match_type(op: MatchOp, left: Type, right: Type) -> Result<(), String> {
    let name = name(op);
    let text = |ty| matches!(ty, Type::String | Type::Dynamic);
    if !text(left) {
        let left = left.name();
        return Err(format!(
            "`{name}` searches strings, not a {left}; `tostring` converts it"
        ));
    }
    if !text(right) {
        let right = right.name();
        return Err(format!(
            "`{name}` looks for a string, not for a {right}; put it in quotes or use `tostring`"
        ));
    }
    match op.kind {
        MatchKind::Like => Err(format!(
            "`{name}` is not supported; use `contains`, `startswith` or `matches regex`"
        )),
        _ => Ok(()),
    }
}

/// Whether `search` and `where * has` look into columns of a type, as text. Recorded searches find whole numbers, and no real
/// ones.
pub fn is_searched(ty: Type) -> bool {
    matches!(
        ty,
        Type::String | Type::Dynamic | Type::Int | Type::Long | Type::Guid
    )
}

/// The operator as it is written, without its negation.
fn name(op: MatchOp) -> &'static str {
    match (op.kind, op.case_sensitive) {
        (MatchKind::Equal, _) => "=~",
        (MatchKind::Has, false) => "has",
        (MatchKind::Has, true) => "has_cs",
        (MatchKind::HasPrefix, false) => "hasprefix",
        (MatchKind::HasPrefix, true) => "hasprefix_cs",
        (MatchKind::HasSuffix, false) => "hassuffix",
        (MatchKind::HasSuffix, true) => "hassuffix_cs",
        (MatchKind::Contains, false) => "contains",
        (MatchKind::Contains, true) => "contains_cs",
        (MatchKind::StartsWith, false) => "startswith",
        (MatchKind::StartsWith, true) => "startswith_cs",
        (MatchKind::EndsWith, false) => "endswith",
        (MatchKind::EndsWith, true) => "endswith_cs",
        (MatchKind::Like, _) => "like",
        (MatchKind::Regex, _) => "matches regex",
        (MatchKind::Term, _) => ":",
    }
}

/// A string operator with its right side.
#[derive(Debug, Clone)]
pub struct Matcher {
    op: MatchOp,
    /// In lower case where case does not matter.
    needle: String,
    regex: Option<Arc<Regex>>,
    /// Finds the needle in bytes, whatever its case.
    finder: Option<Arc<regex::bytes::Regex>>,
}

/// The rest is made of these.
impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (self.op, &self.needle) == (other.op, &other.needle)
    }
}

impl Eq for Matcher {}

impl Hash for Matcher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.op, &self.needle).hash(state);
    }
}

impl Matcher {
    /// Prepares the operator for many texts.
    pub fn new(op: MatchOp, pattern: &str) -> Matcher {
        let regex = match op.kind {
            MatchKind::Regex => compiled_regex(pattern),
            _ => None,
        };
        let needle = match op.case_sensitive || op.kind == MatchKind::Regex {
            true => pattern.to_owned(),
            false => fold(pattern).into_owned(),
        };
        Matcher {
            op,
            needle,
            regex,
            finder: None,
        }
    }

    /// The same for a great many texts: what does not hold the needle at all is found out quickly.
    pub fn prepared(op: MatchOp, pattern: &str) -> Matcher {
        let matcher = Matcher::new(op, pattern);
        let needle = &matcher.needle;
        let searched = !matches!(op.kind, MatchKind::Regex | MatchKind::Like);
        if !searched || needle.is_empty() || !needle.is_ascii() {
            return matcher;
        }
        let finder = regex::bytes::RegexBuilder::new(&regex::escape(needle))
            .case_insensitive(true)
            .unicode(false)
            .build();
        Matcher {
            finder: finder.ok().map(Arc::new),
            ..matcher
        }
    }

    /// Whether JSON text may match when it is printed, which takes longer than to look at it as it stands; `false` where it cannot.
    pub fn may_match_json(&self, json: &str) -> bool {
        // Printing changes blanks, escapes and the spelling of numbers.
        let letter = |b: u8| b.is_ascii_alphabetic() && !b.eq_ignore_ascii_case(&b'e');
        let needle = self.needle.as_bytes();
        let stays = needle.iter().all(u8::is_ascii_alphanumeric)
            && needle.iter().copied().any(letter)
            && json.is_ascii()
            && memchr::memchr2(b'\\', 1, json.as_bytes()).is_none();
        match &self.finder {
            Some(finder) if stays => finder.is_match(json.as_bytes()),
            _ => true,
        }
    }

    /// The operator, without its negation.
    pub fn name(&self) -> &'static str {
        name(self.op)
    }

    /// Whether it is the negated form.
    pub fn negated(&self) -> bool {
        self.op.negated
    }

    /// Its right side, in lower case where case does not matter.
    pub fn needle(&self) -> &str {
        &self.needle
    }

    /// Whether the text matches; the negation is not looked at.
    pub fn matches(&self, text: &str) -> bool {
        if self.op.kind == MatchKind::Regex {
            return self
                .regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(text));
        }
        if let Some(finder) = &self.finder
            && text.is_ascii()
            && !finder.is_match(text.as_bytes())
        {
            return false;
        }
        let text = match self.op.case_sensitive {
            true => Cow::Borrowed(text),
            false => fold(text),
        };
        let needle = &*self.needle;
        match self.op.kind {
            MatchKind::Equal => text == needle,
            MatchKind::Contains => text.contains(needle),
            MatchKind::StartsWith => text.starts_with(needle),
            MatchKind::EndsWith => text.ends_with(needle),
            MatchKind::Has | MatchKind::Term => has(&text, needle, true, true),
            MatchKind::HasPrefix => has(&text, needle, true, false),
            MatchKind::HasSuffix => has(&text, needle, false, true),
            MatchKind::Like | MatchKind::Regex => false,
        }
    }

    /// The operator with a right side of the row; false, and true for the negated form, where one side is null.
    pub fn apply_each(op: MatchOp, left: Cell, right: Cell) -> bool {
        if left.is_null() || right.is_null() {
            return op.negated;
        }
        Matcher::new(op, &right.text()).matches(&left.text()) != op.negated
    }

    /// What the operator gives with this left side; false, and true for the negated form, where it is null.
    pub fn apply(&self, left: &Value) -> Value {
        if left.is_null() {
            return truth(Some(self.op.negated));
        }
        truth(Some(self.matches(&left.text()) != self.op.negated))
    }
}

/// Whether the needle stands in the text as whole terms: at a side that is looked at, a letter or digit of the needle has
/// none beside it. Only letters and digits make terms; `_` and `-` part them.
fn has(text: &str, needle: &str, at_start: bool, at_end: bool) -> bool {
    let Some(first) = needle.chars().next() else {
        return true;
    };
    let bounded = |inside: Option<char>, outside: Option<char>| {
        !(inside.is_some_and(char::is_alphanumeric) && outside.is_some_and(char::is_alphanumeric))
    };
    let mut from = 0;
    while let Some(at) = text[from..].find(needle) {
        let start = from + at;
        let end = start + needle.len();
        let left = !at_start || bounded(Some(first), text[..start].chars().next_back());
        let right = !at_end || bounded(needle.chars().next_back(), text[end..].chars().next());
        if left && right {
            return true;
        }
        from = start + first.len_utf8();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(kind: MatchKind, text: &str, pattern: &str) -> bool {
        let op = MatchOp {
            kind,
            case_sensitive: kind == MatchKind::Regex,
            negated: false,
        };
        Matcher::new(op, pattern).matches(text)
    }

    #[test]
    fn has_looks_for_whole_terms() {
        use MatchKind::{Has, HasPrefix, HasSuffix};
        for text in ["alpha-beta", "alpha_beta", "ALPHA", "x.alpha.y"] {
            assert!(holds(Has, text, "alpha"), "{text}");
        }
        assert!(!holds(Has, "alphabeta", "alpha"));
        assert!(holds(Has, "alphabeta alpha", "alpha"));
        assert!(holds(Has, "NAÏVE", "naïve"));
        assert!(holds(Has, "a Deleted Items b", "deleted items"));
        assert!(holds(Has, "foo.exe", ".exe"));
        assert!(holds(HasPrefix, "x alphabet", "alpha"));
        assert!(!holds(HasSuffix, "ending", "end"));
        assert!(holds(HasSuffix, "end.", "end"));
        assert!(holds(Has, "anything", ""));
    }

    #[test]
    fn case_is_folded_letter_by_letter() {
        assert!(holds(MatchKind::Equal, "CAFÉ", "café"));
        assert!(!holds(MatchKind::Equal, "ＦＵＬＬ", "full"));
        assert!(holds(MatchKind::Contains, "Straße", "STRAßE"));
        assert!(holds(MatchKind::EndsWith, "x.İ", "İ"));
    }

    #[test]
    fn a_wrong_pattern_matches_nothing() {
        assert!(!holds(MatchKind::Regex, "a", "("));
        assert!(holds(MatchKind::Regex, "2020-01-15", r"^\d{4}-"));
    }
}
