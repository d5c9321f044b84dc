//! Words of lines: names between backticks, lists of names and values, templates.

use serde_json::Value;

use crate::timeline::field::{Event, Field};

/// Stands in a deed before its details, which come behind the place in a line: a rule that `deletes the message from 192.0.2.1` would be another one.
pub(super) const DETAILS: char = '\u{1f}';

/// In the place of what a record does not say.
pub(super) const UNNAMED: &str = "(not named)";

/// Characters of a value that a line shows.
const SHOWN: usize = 300;

/// The beginning of a value, which cannot say where details begin.
pub(super) fn short(text: &str) -> String {
    let begin = match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    };
    begin.replace(DETAILS, " ")
}

/// A value of the log. A name with a backtick would go on as words of ours.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", short(text).replace('`', "'"))
}

/// A value, or a word where there is none.
pub(super) fn or(text: &str, otherwise: &str) -> String {
    match text {
        "" => otherwise.into(),
        text => quoted(text),
    }
}

/// Who did it: an address if there is one, else a name.
pub(super) fn who(event: &Event<'_>) -> String {
    let (user, name) = (event.get(Field::User), event.get(Field::UserName));
    match (user, name) {
        (user, "") if !user.is_empty() => short(user),
        (user, _) if user.contains('@') => short(user),
        ("", "") => "Somebody".into(),
        (_, name) => short(name),
    }
}

/// The file or thing: its name, else the end of its path.
pub(super) fn thing<'a>(event: &Event<'a>) -> &'a str {
    match event.get(Field::Name) {
        "" => last(event.get(Field::Object)),
        name => name,
    }
}

/// The last part of a path.
fn last(path: &str) -> &str {
    let trimmed = path.trim_end_matches(['/', '\\']);
    trimmed.rsplit(['/', '\\']).next().unwrap_or(trimmed)
}

/// The operation in small letters, without what stands at its end in the audit log.
pub(super) fn operation(event: &Event<'_>) -> String {
    let action = event.get(Field::Action);
    action.trim_end_matches(['.', ' ']).to_lowercase()
}

/// Names and values of a list in JSON.
#[derive(Debug, Default)]
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Those of a list of objects, by the keys of name and value. What is no such list has none.
    pub(super) fn of(json: &str, name: &str, value: &str) -> Pairs {
        match serde_json::from_str(json) {
            Ok(Value::Array(list)) => Pairs::of_values(&list, name, value),
            _ => Pairs::default(),
        }
    }

    /// The same of a list.
    pub(super) fn of_values(list: &[Value], name: &str, value: &str) -> Pairs {
        let pair = |entry: &Value| {
            Some((
                entry.get(name)?.as_str()?.to_string(),
                plain(entry.get(value)?),
            ))
        };
        Pairs(list.iter().filter_map(pair).collect())
    }

    /// The value of a name in whatever case; nothing where it says nothing.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self
            .0
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    /// Whether a value is there and is not `False`.
    pub(super) fn is_set(&self, name: &str) -> bool {
        let value = self.get(name);
        !value.is_empty() && !value.eq_ignore_ascii_case("false")
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

/// A value as text. Texts of the directory are JSON in JSON: `"\"Global Reader\""`, `"[\"Sales\"]"`.
fn plain(value: &Value) -> String {
    let Value::String(text) = value else {
        return match value {
            Value::Null => String::new(),
            value => value.to_string(),
        };
    };
    let text = text.trim();
    if !text.starts_with(['"', '[']) {
        return text.to_string();
    }
    match serde_json::from_str(text) {
        Ok(Value::String(inner)) => inner,
        Ok(Value::Array(list)) => {
            let texts = list.iter().map(|one| match one {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            texts.collect::<Vec<_>>().join(", ")
        }
        _ => text.to_string(),
    }
}

/// Fills the places of a template, such as `{thing}`, in one go: what is filled in may look like a place itself.
pub(super) fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{')
        && let Some((place, behind)) = behind.split_once('}')
    {
        out.push_str(before);
        out.push_str(&value(place));
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// A person or a group. SharePoint keeps those who have a link in groups with names of its own.
fn person(name: &str) -> String {
    let mut parts = name.split('.');
    match (parts.next(), parts.nth(1)) {
        (Some("SharingLinks"), Some(kind)) if kind.starts_with("Anonymous") => {
            "anyone with a link".into()
        }
        (Some("SharingLinks"), Some(kind)) if kind.starts_with("Organization") => {
            "anyone of the organisation with a link".into()
        }
        (Some("SharingLinks" | "SLinkClaim"), _) => "those with a link".into(),
        _ if name.starts_with("Limited Access System Group") => "those with limited access".into(),
        _ => or(name, "somebody"),
    }
}

/// What fills `{to}`, `{target}` and `{thing}`.
pub(super) fn filling(place: &str, event: &Event<'_>) -> String {
    match place {
        "to" => or(event.get(Field::Destination), "another place"),
        "target" => person(event.get(Field::Target)),
        _ => or(thing(event), "something"),
    }
}

/// Fills a template with these.
pub(super) fn filled(template: &str, event: &Event<'_>) -> String {
    fill(template, |place| filling(place, event))
}

/// The template of an operation in a list of these; operations stand there in small letters.
pub(super) fn listed(list: &[(&str, &'static str)], operation: &str) -> Option<&'static str> {
    let found = list.iter().find(|(own, _)| *own == operation);
    found.map(|(_, template)| *template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_directory_are_texts() {
        let pairs = Pairs::of(
            r#"[{"Name":"A","NewValue":"[\r\n  \"Sales\"\r\n]"},{"Name":"B","NewValue":"\"x\""},{"Name":"C","NewValue":null},{"Name":"D","NewValue":"[] => [x]"}]"#,
            "Name",
            "NewValue",
        );
        assert_eq!(
            (
                pairs.get("a"),
                pairs.get("B"),
                pairs.get("C"),
                pairs.get("D")
            ),
            ("Sales", "x", "", "[] => [x]")
        );
        assert_eq!(Pairs::of("-Identity x", "Name", "Value").names().count(), 0);
    }

    #[test]
    fn what_a_file_is_called_fills_no_place() {
        let event = Event::of(0, &[(Field::Name, "{target}.txt"), (Field::Target, "b@x")]);
        assert_eq!(
            filled("shared {thing} with {target}", &event),
            "shared `{target}.txt` with `b@x`"
        );
        let event = Event::of(0, &[(Field::Name, "a` and `b"), (Field::Target, "{thing}")]);
        assert_eq!(
            filled("shared {thing} with {target}", &event),
            "shared `a' and 'b` with `{thing}`"
        );
        assert_eq!(fill("{a", |_| String::new()), "{a");
    }
}
