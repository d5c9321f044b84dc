//! `in`, `has_any`, `has_all`.

use std::collections::HashSet;

use super::text::{Matcher, fold};
use super::{equality_type, equals, truth};
use crate::kql::ast::{InKind, InOp, MatchKind, MatchOp};
use crate::kql::value::{Key, Type, Value};

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

/// A list operator with its right side.
#[derive(Debug, Clone)]
pub struct List {
    op: InOp,
    /// Strings, in lower case where case does not matter.
    texts: HashSet<String>,
    /// All else, with keys of the same.
    others: Vec<Value>,
    keys: HashSet<Key>,
    /// For `has_any` and `has_all`.
    matchers: Vec<Matcher>,
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

    /// What it searches for.
    pub fn terms(&self) -> impl Iterator<Item = &str> {
        self.matchers.iter().map(Matcher::needle)
    }

    /// What [`List::apply`] gives of a string.
    pub fn holds_text(&self, text: &str) -> bool {
        let found = match self.op.kind {
            InKind::HasAny => self.matchers.iter().any(|matcher| matcher.matches(text)),
            InKind::HasAll => self.matchers.iter().all(|matcher| matcher.matches(text)),
            InKind::In if self.others.is_empty() => self.has_text(text),
            InKind::In => self.contains(&Value::from(text)),
        };
        found != self.op.negated
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
    use crate::kql::value::Json;

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
}
