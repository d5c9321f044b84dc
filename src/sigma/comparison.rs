//! One place of a field held against one value, as a condition of KQL that is never null.

use crate::catalog::audit::LISTS;

use super::field::Place;
use super::modifier::Test;
use super::quote::{Predicate, quoted};
use super::wildcard::{ANY_IN_JSON, Part, Pattern, Within};

/// A value without the wildcards at its ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ends {
    /// Any text may stand before it.
    open_start: bool,
    inner: Pattern,
    /// Any text may stand behind it.
    open_end: bool,
}

impl Ends {
    fn of(pattern: &Pattern, test: Test) -> Ends {
        let mut parts = pattern.0.as_slice();
        let mut open_start = matches!(test, Test::Contains | Test::EndsWith);
        let mut open_end = matches!(test, Test::Contains | Test::StartsWith);
        while let [Part::Any, rest @ ..] = parts {
            (open_start, parts) = (true, rest);
            // What is nothing but wildcards is open at both ends.
            open_end |= parts.is_empty();
        }
        while let [rest @ .., Part::Any] = parts {
            (open_end, parts) = (true, rest);
        }
        Ends {
            open_start,
            inner: Pattern(parts.to_vec()),
            open_end,
        }
    }
}

/// The condition that the value at a place is the pattern; nothing where such a value is never there.
pub(super) fn matches(
    place: &Place,
    pattern: &Pattern,
    test: Test,
    case_sensitive: bool,
) -> Option<Predicate> {
    let ends = Ends::of(pattern, test);
    Some(match place {
        Place::Text(text) => in_text(text, &ends, case_sensitive),
        Place::Typed(column) => in_text(&format!("tostring({column})"), &ends, case_sensitive),
        Place::Anywhere(json) => anywhere(json, &ends.inner, case_sensitive),
        Place::Event(record) if ends.inner.0.is_empty() => {
            anywhere(record, &ends.inner, case_sensitive)
        }
        Place::Event(record) => in_event(Some(record.as_str()), |text| {
            anywhere(text, &ends.inner, case_sensitive)
        }),
        Place::Fragment(json) => {
            let piece = ends.inner.text().filter(|text| text.contains('"'))?;
            contains(json, piece, case_sensitive)
        }
        Place::Property { json, name } => {
            let name = Pattern::plain(name.as_str()).regex(Within::Json);
            regex(
                json,
                // Names have one spelling in each service, and several among them.
                &format!("(?i:\"{name}\")\\s*:\\s*{}", json_value(&ends)),
                case_sensitive,
            )
        }
        Place::Item { json, name } => regex(
            json,
            &format!("{}{}", item(name), json_value(&ends)),
            case_sensitive,
        ),
        Place::Listed {
            json,
            name: Some(name),
        } => {
            let name = Pattern::plain(name.as_str()).regex(Within::Json);
            let value = json_value(&ends);
            regex(
                json,
                &format!("^\\s*\\[.*\"{name}\"\\s*:\\s*{value}"),
                case_sensitive,
            )
        }
        Place::Listed { json, name: None } => {
            let value = list_item(&ends);
            regex(
                json,
                &format!("^\\s*\\[(?:.*,)?\\s*{value}\\s*[,\\]]"),
                case_sensitive,
            )
        }
    })
}

/// What stands in JSON before the value of the item of that name. Names and keys have one spelling in each service, and several among them.
fn item(name: &str) -> String {
    let name = Pattern::plain(name).regex(Within::Json);
    let old = format!("(?:\"OldValue\"\\s*:\\s*(?:null|\"{ANY_IN_JSON}\")\\s*,\\s*)?");
    format!(
        "(?i:\"(?:Name|displayName|key)\"\\s*:\\s*\"{name}\"\\s*,\\s*{old}\"(?:NewValue|Value)\"\\s*:\\s*)"
    )
}

/// The condition that a place has nothing.
pub(super) fn is_empty(place: &Place) -> Predicate {
    match place {
        Place::Text(text) => Predicate::Is(format!("isempty({text})")),
        Place::Typed(column) => Predicate::Is(format!("isnull({column})")),
        Place::Anywhere(json) | Place::Event(json) | Place::Fragment(json) => {
            Predicate::Is(format!("isempty({json})"))
        }
        // The list as a whole is empty or not.
        Place::Listed { name: None, .. } => Predicate::All(Vec::new()),
        Place::Property { .. } | Place::Item { .. } | Place::Listed { .. } => {
            let something = Pattern(vec![Part::One, Part::Any]);
            let found = matches(place, &something, Test::Equal, true);
            Predicate::all(found.into_iter().collect()).negated(true)
        }
    }
}

/// The place as an expression that gives text as it is.
pub(super) fn text_of(place: &Place) -> Option<String> {
    match place {
        Place::Text(text) => Some(text.clone()),
        Place::Typed(column) => Some(format!("tostring({column})")),
        Place::Anywhere(_)
        | Place::Event(_)
        | Place::Fragment(_)
        | Place::Property { .. }
        | Place::Item { .. }
        | Place::Listed { .. } => None,
    }
}

/// The place as an expression that gives its one value.
pub(super) fn value_of(place: &Place) -> Option<String> {
    let Place::Item { json, name } = place else {
        return text_of(place);
    };
    let pattern = format!("(?s){}(\"{ANY_IN_JSON}\"|[^,}}\\]]+)", item(name));
    let found = format!("extract({}, 1, {json})", quoted(&pattern));
    Some(format!(
        "tostring(parse_json(strcat(\"[\", {found}, \"]\"))[0])"
    ))
}

/// The expression that says whether a place has a value at all; nothing where another place says it.
pub(super) fn exists(place: &Place) -> Option<String> {
    Some(match place {
        // Of a path, an empty value is one.
        Place::Text(text) => match text
            .strip_prefix("tostring(")
            .and_then(|t| t.strip_suffix(')'))
        {
            Some(path) => format!("isnotnull({path})"),
            None => format!("isnotempty({text})"),
        },
        Place::Typed(column) => format!("isnotnull({column})"),
        Place::Anywhere(json) | Place::Event(json) | Place::Fragment(json) => {
            format!("isnotempty({json})")
        }
        Place::Property { json, name }
        | Place::Listed {
            json,
            name: Some(name),
        } => {
            let name = regex::escape(name);
            let pattern = quoted(&format!("(?i)\"{name}\"\\s*:"));
            format!("{json} matches regex {pattern}")
        }
        Place::Item { json, name } => {
            let pattern = quoted(&item(name));
            format!("{json} matches regex {pattern}")
        }
        Place::Listed { name: None, .. } => return None,
    })
}

fn in_text(text: &str, ends: &Ends, case_sensitive: bool) -> Predicate {
    let Some(inner) = ends.inner.text() else {
        let start = if ends.open_start { "" } else { "^" };
        let end = if ends.open_end { "" } else { "$" };
        let inner = ends.inner.regex(Within::Value);
        return regex(text, &format!("{start}{inner}{end}"), case_sensitive);
    };
    if inner.is_empty() {
        let is = match ends.open_start || ends.open_end {
            true => "isnotempty",
            false => "isempty",
        };
        return Predicate::Is(format!("{is}({text})"));
    }
    let operator = match (ends.open_start, ends.open_end) {
        (true, true) => "contains",
        (false, true) => "startswith",
        (true, false) => "endswith",
        (false, false) => {
            let operator = if case_sensitive { "==" } else { "=~" };
            return Predicate::Is(format!("{text} {operator} {}", quoted(inner)));
        }
    };
    let case = if case_sensitive { "_cs" } else { "" };
    Predicate::Is(format!("{text} {operator}{case} {}", quoted(inner)))
}

/// The condition that a text is one of several.
pub(super) fn is_one_of(text: &str, values: &[String], case_sensitive: bool) -> Predicate {
    let operator = if case_sensitive { "in" } else { "in~" };
    let values: Vec<String> = values.iter().map(|v| quoted(v)).collect();
    Predicate::Is(format!("{text} {operator} ({})", values.join(", ")))
}

/// A test of the whole event: its record, else the columns that it came in, as those of OfficeActivity do.
pub(super) fn in_event(record: Option<&str>, test: impl Fn(&str) -> Predicate) -> Predicate {
    let Some(record) = record else {
        return test("*");
    };
    let columns = std::iter::once("*").chain(LISTS).map(&test).collect();
    let no_record = Predicate::Is(format!("isempty({record})"));
    let in_columns = Predicate::all(vec![no_record, Predicate::any(columns)]);
    Predicate::any(vec![test(record), in_columns])
}

/// The condition that JSON has a text anywhere, as it is written there or as it is meant. A wildcard in it may stand for several of its values.
pub(super) fn anywhere(json: &str, inner: &Pattern, case_sensitive: bool) -> Predicate {
    let written = match inner.text() {
        Some("") => return Predicate::Is(format!("isnotempty({json})")),
        Some(text) => contains(json, text, case_sensitive),
        None => regex(json, &inner.regex(Within::Value), case_sensitive),
    };
    let has_escape = |part: &Part| match part {
        Part::Text(text) => text.contains(|c: char| c == '"' || c == '\\' || c.is_control()),
        _ => false,
    };
    if !inner.0.iter().any(has_escape) {
        return written;
    }
    let meant = regex(json, &inner.regex(Within::Record), case_sensitive);
    Predicate::any(vec![written, meant])
}

fn contains(text: &str, piece: &str, case_sensitive: bool) -> Predicate {
    let case = if case_sensitive { "_cs" } else { "" };
    Predicate::Is(format!("{text} contains{case} {}", quoted(piece)))
}

fn regex(text: &str, pattern: &str, case_sensitive: bool) -> Predicate {
    let flags = if case_sensitive { "(?s)" } else { "(?is)" };
    let pattern = quoted(&format!("{flags}{pattern}"));
    Predicate::Is(format!("{text} matches regex {pattern}"))
}

/// A value of JSON that is the pattern. What is logged as text may itself be JSON: `"\"True\""`, `"[\"Guest\"]"`, `"[\r\n  true\r\n]"`.
fn json_value(ends: &Ends) -> String {
    let inner = ends.inner.regex(Within::Json);
    let start = match ends.open_start {
        true => ANY_IN_JSON,
        false => r#"(?:\[(?:\\[rnt]| )*)?(?:\\")?"#,
    };
    let end = match ends.open_end {
        true => ANY_IN_JSON,
        false => r#"(?:\\")?(?:(?:\\[rnt]| )*\])?"#,
    };
    let text = format!("\"{start}{inner}{end}\"");
    match may_be_bare(ends) {
        true => format!("(?:{text}|{inner}\\s*[,}}\\]])"),
        false => text,
    }
}

/// An item of a list that is the pattern.
fn list_item(ends: &Ends) -> String {
    let inner = ends.inner.regex(Within::Json);
    let open = |is_open: bool| if is_open { ANY_IN_JSON } else { "" };
    let text = format!(
        "\"{}{inner}{}\"",
        open(ends.open_start),
        open(ends.open_end)
    );
    match may_be_bare(ends) {
        true => format!("(?:{text}|{inner})"),
        false => text,
    }
}

/// Whether JSON may have the value without quotes: a number or a truth value.
fn may_be_bare(ends: &Ends) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || ['.', '-', '+'].contains(&c);
    let word = ends.inner.text().filter(|word| !word.is_empty());
    !ends.open_start && !ends.open_end && word.is_some_and(|word| word.chars().all(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(place: &Place, value: &str, test: Test) -> String {
        let predicate = matches(place, &Pattern::read(value), test, false);
        predicate.map_or("nothing".into(), |p| p.filters().trim().to_string())
    }

    #[test]
    fn wildcards_at_the_ends_become_operators() {
        let text = Place::Text("UserId".into());
        let shown = |value: &str, test: Test| shown(&text, value, test);
        assert_eq!(shown("ada", Test::Equal), "| where UserId =~ \"ada\"");
        assert_eq!(
            shown("*ada", Test::Equal),
            "| where UserId endswith \"ada\""
        );
        assert_eq!(
            shown("ada*", Test::Equal),
            "| where UserId startswith \"ada\""
        );
        assert_eq!(
            shown("*ada*", Test::Equal),
            "| where UserId contains \"ada\""
        );
        assert_eq!(shown("*", Test::Equal), "| where isnotempty(UserId)");
        assert_eq!(shown("", Test::Equal), "| where isempty(UserId)");
        assert_eq!(
            shown("a?b*", Test::Equal),
            "| where UserId matches regex \"(?is)^a.b\""
        );
        assert_eq!(
            shown("a*b", Test::EndsWith),
            "| where UserId matches regex \"(?is)a.*b$\""
        );
    }

    /// The regular expression of a condition, as the engine would read it.
    fn pattern(place: &Place, value: &str, test: Test) -> regex::Regex {
        let shown = shown(place, value, test);
        let (_, literal) = shown.split_once("matches regex @\"").expect("a pattern");
        let literal = literal.strip_suffix('"').expect("its end");
        let literal = literal.replace("\"\"", "\"");
        regex::Regex::new(&literal).expect("it is a regular expression")
    }

    #[test]
    fn a_property_is_found_as_text_as_json_in_text_and_without_quotes() {
        let place = Place::Property {
            json: "tostring(TargetResources)".into(),
            name: "newValue".into(),
        };
        let state = pattern(&place, "State\":0", Test::Contains);
        assert!(state.is_match(r#"[{"modifiedProperties":[{"newValue":"[{\"State\":0}]"}]}]"#));
        assert!(!state.is_match(r#"[{"oldValue":"[{\"State\":0}]"}]"#));
        let admin = pattern(&place, "true", Test::Equal);
        for json in [
            r#"{"newValue":"True"}"#,
            r#"{"newValue": "\"True\""}"#,
            r#"{"newValue":"[\r\n  true\r\n]"}"#,
            r#"{"newValue":true,"x":1}"#,
            r#"{"newValue":"[\"True\"]"}"#,
        ] {
            assert!(admin.is_match(json), "{json}");
        }
        assert!(!admin.is_match(r#"{"newValue":"untrue"}"#));
        assert!(!admin.is_match(r#"{"newValue":trueish}"#));
    }

    #[test]
    fn an_item_is_found_by_its_name() {
        let place = Place::Item {
            json: "tostring(AuditData)".into(),
            name: "RequestType".into(),
        };
        let request = pattern(&place, "Cmsi:Cmsi", Test::Equal);
        assert!(request.is_match(r#"[{"Name":"RequestType","Value":"cmsi:cmsi"}]"#));
        assert!(request.is_match(
            r#"[{"displayName":"RequestType","oldValue":null,"newValue":"\"Cmsi:Cmsi\""}]"#
        ));
        assert!(!request.is_match(r#"[{"Name":"Other","Value":"Cmsi:Cmsi"}]"#));
    }
}
