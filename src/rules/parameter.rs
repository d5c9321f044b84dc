//! A value in a rule's query that a user may set: its type, and how people and queries write it. Knows nothing of rules.

use std::fmt;
use std::ops::Range;

use serde_json::Value;

use crate::function::value::{read_timespan, unit_nanoseconds};
use crate::sigma::quoted;

/// A parameter of a rule: a threshold, a duration, or names that a workplace would want to change.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleParameter {
    /// Its name, as the query writes it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What the rule says by itself.
    pub default: ParameterValue,
    /// What a user set instead.
    pub set: Option<ParameterValue>,
    /// Bytes of the query at which it stands.
    pub(super) places: Vec<Range<usize>>,
}

impl RuleParameter {
    /// What the rule runs with.
    pub fn value(&self) -> &ParameterValue {
        self.set.as_ref().unwrap_or(&self.default)
    }
}

/// What a parameter holds. Its type is that of the default.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// A whole number.
    Long(i64),
    /// A number.
    Real(f64),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(String),
    /// A duration: as it is written, such as `30m` or `1.02:00:00`, and in ticks of 100 ns.
    Span(String, i64),
    /// A list of texts.
    Texts(Vec<String>),
}

/// Units that SQL names, with their nanoseconds.
const UNITS: [(i128, &str); 5] = [
    (86_400_000_000_000, "day"),
    (3_600_000_000_000, "hour"),
    (60_000_000_000, "minute"),
    (1_000_000_000, "second"),
    (1_000_000, "millisecond"),
];

impl ParameterValue {
    /// A duration that is not negative: `30m`, `1.5h`, `1.02:00:00`. A bare number is none.
    pub(super) fn span(text: &str) -> Option<ParameterValue> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        let begins = text.starts_with(|c: char| c.is_ascii_digit());
        if !begins || text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let ticks = read_timespan(&text)?;
        Some(ParameterValue::Span(text, ticks))
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            ParameterValue::Long(_) => "a whole number",
            ParameterValue::Real(_) => "a number",
            ParameterValue::Bool(_) => "true or false",
            ParameterValue::Text(_) => "a text",
            ParameterValue::Span(..) => "a duration such as 30m",
            ParameterValue::Texts(_) => "a list of texts such as a,b",
        }
    }

    /// A value of the same type, as people type it; none where the text is no such value.
    pub fn read(&self, text: &str) -> Option<ParameterValue> {
        let word = text.trim();
        match self {
            ParameterValue::Long(_) => word.parse().ok().map(ParameterValue::Long),
            ParameterValue::Real(_) => {
                let number = word.parse::<f64>().ok().filter(|number| number.is_finite());
                number.map(ParameterValue::Real)
            }
            ParameterValue::Bool(_) => match word.to_ascii_lowercase().as_str() {
                "true" => Some(ParameterValue::Bool(true)),
                "false" => Some(ParameterValue::Bool(false)),
                _ => None,
            },
            ParameterValue::Text(_) => Some(ParameterValue::Text(text.into())),
            ParameterValue::Span(..) => ParameterValue::span(word),
            ParameterValue::Texts(_) => texts(word).map(ParameterValue::Texts),
        }
    }

    /// The value for programs.
    pub fn json(&self) -> Value {
        match self {
            ParameterValue::Long(number) => (*number).into(),
            ParameterValue::Real(number) => (*number).into(),
            ParameterValue::Bool(is) => (*is).into(),
            ParameterValue::Text(text) | ParameterValue::Span(text, _) => text.as_str().into(),
            ParameterValue::Texts(texts) => texts.as_slice().into(),
        }
    }

    /// The value as a literal of KQL.
    pub(super) fn kql(&self) -> String {
        match self {
            ParameterValue::Text(text) => quoted(text),
            ParameterValue::Span(text, _) => {
                let is_literal = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
                match is_literal {
                    true => text.clone(),
                    false => format!("timespan({text})"),
                }
            }
            ParameterValue::Texts(texts) => {
                let texts = texts
                    .iter()
                    .map(|text| Value::from(text.as_str()).to_string());
                format!("dynamic([{}])", texts.collect::<Vec<_>>().join(", "))
            }
            _ => self.plain(),
        }
    }

    /// The value as a literal of SQL.
    pub(super) fn sql(&self) -> String {
        let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
        match self {
            ParameterValue::Text(one) => text(one),
            ParameterValue::Span(written, ticks) => interval(written, *ticks),
            // Of an empty list nobody would know the type.
            ParameterValue::Texts(list) if list.is_empty() => {
                "arrow_cast(make_array(), 'List(Utf8)')".into()
            }
            ParameterValue::Texts(list) => {
                let list: Vec<String> = list.iter().map(|one| text(one)).collect();
                format!("make_array({})", list.join(", "))
            }
            _ => self.plain(),
        }
    }

    /// A number or a truth value, which both languages write alike. Behind a minus, another one would begin a comment.
    fn plain(&self) -> String {
        match self {
            ParameterValue::Long(number) if *number < 0 => format!("({number})"),
            ParameterValue::Real(number) if *number < 0.0 => format!("({number:?})"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParameterValue::Long(number) => write!(f, "{number}"),
            ParameterValue::Real(number) => write!(f, "{number:?}"),
            ParameterValue::Bool(is) => write!(f, "{is}"),
            ParameterValue::Text(text) | ParameterValue::Span(text, _) => f.write_str(text),
            ParameterValue::Texts(texts) => f.write_str(&texts.join(", ")),
        }
    }
}

/// Texts between commas, or those of an array in JSON, for texts with commas.
fn texts(text: &str) -> Option<Vec<String>> {
    if text.starts_with('[') {
        return serde_json::from_str(text).ok();
    }
    match text {
        "" => Some(Vec::new()),
        text => Some(text.split(',').map(|one| one.trim().into()).collect()),
    }
}

/// A duration in SQL, in the unit in which it is written where SQL names that.
fn interval(written: &str, ticks: i64) -> String {
    let end = written.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = written.split_at(end.unwrap_or(written.len()));
    let nanoseconds = unit_nanoseconds(unit.trim());
    let named = UNITS.iter().find(|(long, _)| Some(*long) == nanoseconds);
    match (number, named) {
        ("1", Some((_, unit))) => format!("INTERVAL '1 {unit}'"),
        (_, Some((_, unit))) => format!("INTERVAL '{number} {unit}s'"),
        _ => format!("INTERVAL '{} microseconds'", ticks / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_by_the_type_of_the_default() {
        let read = |default: ParameterValue, text: &str| default.read(text);
        let long = || ParameterValue::Long(1);
        assert_eq!(read(long(), " -5 "), Some(ParameterValue::Long(-5)));
        for wrong in ["2.5", "many", "", "1h"] {
            assert_eq!(read(long(), wrong), None, "{wrong}");
        }
        let real = ParameterValue::Real(0.5);
        assert_eq!(real.read("1"), Some(ParameterValue::Real(1.0)));
        assert_eq!(real.read("inf"), None);
        let is = ParameterValue::Bool(false);
        assert_eq!(is.read("TRUE"), Some(ParameterValue::Bool(true)));
        assert_eq!(is.read("1"), None);
        let span = ParameterValue::span("30m").expect("a duration");
        assert_eq!(
            span.read("90s").map(|s| s.sql()).as_deref(),
            Some("INTERVAL '90 seconds'")
        );
        for wrong in ["5", "-1h", "soon", "1h; T"] {
            assert_eq!(span.read(wrong), None, "{wrong}");
        }
        let list = ParameterValue::Texts(Vec::new());
        let of = |texts: &[&str]| {
            let texts = texts.iter().map(ToString::to_string);
            Some(ParameterValue::Texts(texts.collect()))
        };
        assert_eq!(list.read("a, b"), of(&["a", "b"]));
        assert_eq!(list.read(r#"["a,b"]"#), of(&["a,b"]));
        assert_eq!(list.read(""), of(&[]));
        assert_eq!(list.read("[1]"), None);
    }

    #[test]
    fn no_value_ends_its_literal() {
        let text = ParameterValue::Text("O'Neil \"x\"\n".into());
        assert_eq!(text.sql(), "'O''Neil \"x\"\n'");
        assert_eq!(text.kql(), r#""O'Neil \"x\"\n""#);
        let list = ParameterValue::Texts(vec!["it's".into(), "a\"b".into()]);
        assert_eq!(list.sql(), "make_array('it''s', 'a\"b')");
        assert_eq!(list.kql(), r#"dynamic(["it's", "a\"b"])"#);
        assert_eq!(ParameterValue::Long(-1).sql(), "(-1)");
        assert_eq!(ParameterValue::Real(2.0).kql(), "2.0");
        let span = |text: &str| ParameterValue::span(text).expect("a duration");
        assert_eq!(span("24h").sql(), "INTERVAL '24 hours'");
        assert_eq!(span("1d").sql(), "INTERVAL '1 day'");
        assert_eq!(span("1.5h").sql(), "INTERVAL '5400000000 microseconds'");
        assert_eq!(span("1.5h").kql(), "1.5h");
        assert_eq!(span("1.02:00:00").kql(), "timespan(1.02:00:00)");
    }
}
