//! `in`, `has_any`, `has_all`.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use super::compare::{equality_type, equals};
use super::logic::truth;
use super::text::{Matcher, fold};
use crate::function::operators::{InKind, InOp, MatchKind, MatchOp};
use crate::function::value::{Key, Type, Value};

/// Whether a list operator takes a left side and an element of those types.
///
/// # Errors
///
/// Where Kusto refuses it.
pub fn list_type(op: InOp, left: Type, element: Type) -> Result<(), String> {
    let text = matches!(left, Type::String | Type::Dynamic);
    let name = match (op.kind, op.case_sensitive) {
        (InKind::In, true) => {
            return match (left, element) {
                (_, Type::Dynamic) => Ok(()),
                _ => equality_type(left, element),
            };
        }
        (InKind::In, false) => "in~",
        (InKind::HasAny, _) => "has_any",
        (InKind::HasAll, _) => "has_all",
    };
    match text {
        true => Ok(()),
        false => Err(format!(
            "`{name}` searches strings, not a {}; `tostring` converts it",
            left.name()
        )),
    }
}

/// With so many terms or fewer each of them is looked for: a text has about as many words.
const FEW_TERMS: usize = 16;

/// Which of many terms a text may have, by a word of each: a list of indicators has ten thousand terms, and a text a few words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Words {
    /// A word, and the places of the terms that stand nowhere without it.
    of: HashMap<String, Vec<usize>>,
    /// The terms without a letter or digit.
    without: Vec<usize>,
}

impl Words {
    fn of(matchers: &[Matcher]) -> Words {
        let mut times: HashMap<&str, usize> = HashMap::new();
        for word in matchers.iter().flat_map(|matcher| words(matcher.needle())) {
            *times.entry(word).or_default() += 1;
        }
        let mut found = Words::default();
        for (at, matcher) in matchers.iter().enumerate() {
            // Addresses of one domain share all words but one.
            let rarest = words(matcher.needle()).min_by_key(|word| {
                let times = times.get(word).copied().unwrap_or_default();
                (times, Reverse(word.len()))
            });
            match rarest {
                Some(word) => found.of.entry(word.to_owned()).or_default().push(at),
                None => found.without.push(at),
            }
        }
        found
    }

    /// The places of the terms that may be in a text, which is folded as they are.
    fn may_have<'w>(&'w self, text: &'w str) -> impl Iterator<Item = usize> + 'w {
        let of = &self.of;
        let terms = words(text).filter_map(move |word| of.get(word)).flatten();
        self.without.iter().chain(terms).copied()
    }
}

/// The words of a text, as `has` bounds them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// A list operator with its right side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    op: InOp,
    /// Strings, in lower case where case does not matter.
    texts: HashSet<String>,
    /// All else, with keys of the same.
    others: Vec<Value>,
    keys: HashSet<Key>,
    /// For `has_any` and `has_all`.
    matchers: Vec<Matcher>,
    /// For `has_any` with many terms.
    words: Option<Words>,
}

impl Hash for List {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // All of it: DataFusion takes two functions of one name and one hash for the same.
        let mut texts: Vec<&String> = self.texts.iter().collect();
        texts.sort_unstable();
        (self.op, texts, &self.others, &self.matchers).hash(state);
    }
}

impl List {
    /// Prepares the operator for many values. Elements of arrays count one by one.
    pub fn new(op: InOp, values: &[Value]) -> List {
        let mut list = List {
            op,
            texts: HashSet::new(),
            others: Vec::new(),
            keys: HashSet::new(),
            matchers: Vec::new(),
            words: None,
        };
        for value in values {
            match value.array() {
                Some(items) => {
                    for item in items {
                        let item = item
                            .scalar()
                            .unwrap_or_else(|| Value::dynamic(item.clone()));
                        list.add(item);
                    }
                }
                None => list.add(value.clone()),
            }
        }
        if op.kind == InKind::HasAny && list.matchers.len() > FEW_TERMS {
            list.words = Some(Words::of(&list.matchers));
        }
        list
    }

    fn add(&mut self, value: Value) {
        if value.is_null() {
            return;
        }
        if self.op.kind != InKind::In {
            let op = MatchOp {
                kind: MatchKind::Has,
                case_sensitive: self.op.case_sensitive,
                negated: false,
            };
            self.matchers.push(Matcher::new(op, &value.text()));
            return;
        }
        // In a list, a `dynamic` string is a string.
        let text = match &value {
            Value::String(text) => Some(text.to_string()),
            Value::Dynamic(json) => match json.scalar() {
                Some(Value::String(text)) => Some(text.to_string()),
                _ => None,
            },
            _ => None,
        };
        match text {
            Some(text) if self.op.case_sensitive => self.texts.insert(text),
            Some(text) => self.texts.insert(fold(&text).into_owned()),
            None => {
                let key = value.key();
                if !self.keys.contains(&key) {
                    self.others.push(value);
                }
                self.keys.insert(key)
            }
        };
    }

    /// What the operator gives with this left side; false, and true for the negated form, where it is null.
    pub fn apply(&self, left: &Value) -> Value {
        let found = !left.is_null() && self.holds(left);
        truth(Some(found != self.op.negated))
    }

    /// The operator.
    pub fn op(&self) -> InOp {
        self.op
    }

    /// What it holds, where that is strings only.
    pub fn texts(&self) -> Option<&HashSet<String>> {
        (self.op.kind == InKind::In && self.others.is_empty()).then_some(&self.texts)
    }

    /// What it holds, where that is whole numbers only.
    pub fn numbers(&self) -> Option<Vec<i64>> {
        if self.op.kind != InKind::In || !self.texts.is_empty() {
            return None;
        }
        let number = |value: &Value| match value {
            Value::Int(n) => Some(i64::from(*n)),
            Value::Long(n) => Some(*n),
            _ => None,
        };
        self.others.iter().map(number).collect()
    }

    /// What it searches for.
    pub fn terms(&self) -> impl Iterator<Item = &str> {
        self.matchers.iter().map(Matcher::needle)
    }

    /// What [`List::apply`] gives of a string.
    pub fn holds_text(&self, text: &str) -> bool {
        let found = match self.op.kind {
            InKind::HasAny => self.has_any(text),
            InKind::HasAll => self.matchers.iter().all(|matcher| matcher.matches(text)),
            InKind::In if self.others.is_empty() => self.has_text(text),
            InKind::In => self.contains(&Value::from(text)),
        };
        found != self.op.negated
    }

    fn has_any(&self, text: &str) -> bool {
        let Some(words) = &self.words else {
            return self.matchers.iter().any(|matcher| matcher.matches(text));
        };
        let folded = match self.op.case_sensitive {
            true => Cow::Borrowed(text),
            false => fold(text),
        };
        words
            .may_have(&folded)
            .any(|at| self.matchers[at].matches(text))
    }

    fn has_text(&self, text: &str) -> bool {
        match self.op.case_sensitive {
            true => self.texts.contains(text),
            false => self.texts.contains(&*fold(text)),
        }
    }

    fn holds(&self, left: &Value) -> bool {
        match self.op.kind {
            InKind::In => self.contains(left),
            _ => self.holds_text(&left.text()) != self.op.negated,
        }
    }

    fn contains(&self, left: &Value) -> bool {
        let scalar;
        let left = match left {
            Value::Dynamic(json) => {
                scalar = json.scalar();
                scalar.as_ref().unwrap_or(left)
            }
            other => other,
        };
        match left {
            Value::String(own) => {
                self.has_text(own) || self.others.iter().any(|value| equals(left, value))
            }
            left => {
                let same_type = |value: &Value| value.ty() == left.ty();
                self.keys.contains(&left.key())
                    || self
                        .others
                        .iter()
                        .filter(|value| !same_type(value))
                        .any(|value| equals(left, value))
                    || self
                        .texts
                        .iter()
                        .any(|text| equals(left, &Value::from(text.as_str())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::value::Json;

    fn op(kind: InKind, case_sensitive: bool, negated: bool) -> InOp {
        InOp {
            kind,
            case_sensitive,
            negated,
        }
    }

    #[test]
    fn lists_take_values_and_arrays() {
        let array = Value::dynamic(Json::parse(r#"["a", "B", 5]"#).unwrap_or_default());
        let list = List::new(op(InKind::In, true, false), &[array, Value::from("c")]);
        let holds = |value: Value| list.apply(&value);
        assert_eq!(holds("a".into()), Value::Bool(true));
        assert_eq!(holds("b".into()), Value::Bool(false));
        assert_eq!(holds(Value::Long(5)), Value::Bool(true));
        assert_eq!(holds("5".into()), Value::Bool(true));
        assert_eq!(holds(Value::Null), Value::Bool(false));
        assert_eq!(
            holds(Value::dynamic(Json::String("c".into()))),
            Value::Bool(true)
        );
        let not = List::new(op(InKind::In, false, true), &["É".into()]);
        assert_eq!(not.apply(&"é".into()), Value::Bool(false));
        assert_eq!(not.apply(&Value::Null), Value::Bool(true));
    }

    #[test]
    fn has_any_and_has_all() {
        let words = ["one".into(), "two".into()];
        let any = List::new(op(InKind::HasAny, false, false), &words);
        let all = List::new(op(InKind::HasAll, false, false), &words);
        let text = Value::from("ONE of them");
        assert_eq!(any.apply(&text), Value::Bool(true));
        assert_eq!(all.apply(&text), Value::Bool(false));
    }

    #[test]
    fn many_terms_are_found_as_few_are() {
        let mut terms: Vec<Value> = (0..FEW_TERMS)
            .map(|n| Value::from(format!("user{n}@contoso.com").as_str()))
            .collect();
        for term in [".exe", "--", "Zeta", "ein Über-Fall", "10.0.0.1"] {
            terms.push(term.into());
        }
        let many = List::new(op(InKind::HasAny, false, false), &terms);
        assert!(many.words.is_some());
        for text in [
            "",
            "mail from USER7@contoso.com.",
            "xuser7@contoso.com",
            "user77@contoso.com",
            "contoso.com",
            "foo.exe",
            "fooexe",
            "a--b",
            "zeta_1",
            "zetas",
            "EIN ÜBER-FALL",
            "ein Über-Falle",
            "at 10.0.0.1:443",
            "at 110.0.0.1",
            "10.0.0.10",
        ] {
            let each = many.matchers.iter().any(|matcher| matcher.matches(text));
            assert_eq!(many.holds_text(text), each, "{text}");
        }
    }
}
