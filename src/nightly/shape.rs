//! Which sections and keys a configuration has, and what their values are. What is wrong in shape hides no value of another key.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::Mistakes;
use crate::fault::did_you_mean;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Text,
    Path,
    Texts,
    Paths,
    Switch,
    Number,
}

impl Takes {
    fn called(self) -> &'static str {
        match self {
            Takes::Text => "a text in quotes",
            Takes::Path => "a path in quotes",
            Takes::Texts => "a list of texts",
            Takes::Paths => "a list of paths",
            Takes::Switch => "true or false",
            Takes::Number => "a whole number",
        }
    }
}

/// A key: its name, what its value is, one that it may have, and whether its section needs it.
struct Setting {
    name: &'static str,
    takes: Takes,
    like: &'static str,
    is_needed: bool,
}

const fn key(name: &'static str, takes: Takes, like: &'static str) -> Setting {
    Setting {
        name,
        takes,
        like,
        is_needed: false,
    }
}

const fn needed(name: &'static str, takes: Takes, like: &'static str) -> Setting {
    Setting {
        is_needed: true,
        ..key(name, takes, like)
    }
}

/// Keys that stand above all sections.
const ABOVE: &[Setting] = &[needed("archive", Takes::Path, "\"archive\"")];

/// Sections with their keys.
const SECTIONS: [(&str, &[Setting]); 7] = [
    (
        "ingest",
        &[
            needed("inputs", Takes::Paths, "[\"exports\"]"),
            key("date_order", Takes::Text, "\"dmy\""),
            key("tz", Takes::Text, "\"Europe/Berlin\""),
            key("as", Takes::Text, "\"OfficeActivity\""),
            key("time_column", Takes::Text, "\"When\""),
            key("strict", Takes::Switch, "true"),
        ],
    ),
    (
        "hunt",
        &[
            needed("rules", Takes::Paths, "[\"builtin:mip\"]"),
            key("set", Takes::Texts, "[\"my-rule.MinFiles=30\"]"),
            key("min_level", Takes::Text, "\"low\""),
            key("fail_on", Takes::Text, "\"high\""),
            key("ignore_missing", Takes::Switch, "true"),
            key("rule_timeout", Takes::Text, "\"10m\""),
            key("saved_functions", Takes::Path, "\"functions\""),
            key("external_data", Takes::Path, "\"external\""),
            key("geoip", Takes::Path, "\"GeoLite2-City.mmdb\""),
        ],
    ),
    (
        "notify",
        &[
            needed("domains", Takes::Texts, "[\"contoso.com\"]"),
            key(
                "allow_recipients",
                Takes::Texts,
                "[\"soc@partner.example\"]",
            ),
            key("access_denied", Takes::Switch, "true"),
            key("label_changes", Takes::Switch, "true"),
            key("findings", Takes::Texts, "[\"security@contoso.com\"]"),
            key("since", Takes::Text, "\"7d\""),
            key("sender", Takes::Text, "\"Security <security@contoso.com>\""),
            key("outbox", Takes::Path, "\"outbox\""),
            key("smtp", Takes::Text, "\"smtp://smtp.contoso.com:587\""),
            key("smtp_login", Takes::Path, "\"/etc/coldtrail/smtp-login\""),
            key("smtp_ca", Takes::Path, "\"/etc/coldtrail/ca.pem\""),
            key("rate", Takes::Number, "30"),
            key("connect_timeout", Takes::Text, "\"15s\""),
        ],
    ),
    (
        "indicators",
        &[
            needed("output", Takes::Path, "\"indicators.json\""),
            key("format", Takes::Text, "\"stix-list\""),
            key("from_denials", Takes::Switch, "true"),
            key("since", Takes::Text, "\"30d\""),
            key("valid_for", Takes::Text, "\"7d\""),
            key("tlp", Takes::Text, "\"green\""),
            key("allow", Takes::Texts, "[\"198.51.100.0/24\"]"),
            key("documentation", Takes::Switch, "true"),
        ],
    ),
    (
        "report",
        &[
            needed("output", Takes::Path, "\"report-{date}.html\""),
            key("since", Takes::Text, "\"30d\""),
            key("tz", Takes::Text, "\"Europe/Berlin\""),
            key("inside", Takes::Texts, "[\"contoso.com\"]"),
            key("template", Takes::Path, "\"clothes\""),
        ],
    ),
    (
        "cost",
        &[
            needed("output", Takes::Path, "\"cost.txt\""),
            key("prices", Takes::Path, "\"prices.yaml\""),
        ],
    ),
    ("compact", &[key("retention", Takes::Number, "7")]),
];

/// Notes what is wrong with the shape of a configuration, and gives the rest: keys that are wrong are left out, and those that are needed are as in their
/// example. Nothing where the text is no TOML.
pub(super) fn check<'t>(
    text: &'t str,
    mistakes: &mut Mistakes<'_>,
) -> Option<Spanned<DeTable<'t>>> {
    let (all, wrong) = DeTable::parse_recoverable(text);
    for error in &wrong {
        let span = error.span().unwrap_or(0..0);
        mistakes.add_one_a_line(&span, syntax(error.message()));
    }
    // What stands behind a mistake of writing may not be what it looks like.
    if !wrong.is_empty() {
        return None;
    }
    for (name, value) in all.get_ref() {
        let word: &str = name.get_ref();
        if let Some(&(section, keys)) = SECTIONS.iter().find(|(known, _)| *known == word) {
            match value.get_ref() {
                DeValue::Table(table) => inside(section, &name.span(), (table, keys), mistakes),
                DeValue::Array(_) => mistakes.add(
                    &name.span(),
                    format!("`[{section}]` stands once, in single brackets"),
                ),
                _ => mistakes.add(
                    &name.span(),
                    format!("`{section}` is a section: `[{section}]` on a line of its own, and its keys below"),
                ),
            }
            continue;
        }
        match ABOVE.iter().find(|key| key.name == word) {
            Some(key) => fits(key, value, mistakes),
            None => {
                let is_section = matches!(value.get_ref(), DeValue::Table(_));
                mistakes.add(&name.span(), unknown_above(word, is_section));
            }
        }
    }
    lacking(ABOVE, all.get_ref(), &(0..0), mistakes);
    if mistakes.is_empty() {
        return Some(all);
    }
    let span = all.span();
    Some(Spanned::new(span, sound(all.into_inner(), mistakes)))
}

/// A configuration as far as its shape is right.
fn sound<'t>(all: DeTable<'t>, mistakes: &Mistakes<'_>) -> DeTable<'t> {
    let mut right = DeTable::new();
    for (name, value) in all {
        let word: &str = name.get_ref();
        let section = SECTIONS.iter().find(|(known, _)| *known == word).copied();
        let span = value.span();
        let value = match (section, value.into_inner()) {
            (Some((_, keys)), DeValue::Table(table)) => {
                DeValue::Table(sound_inside(table, keys, mistakes))
            }
            (None, value) if !mistakes.are_in(&name.span()) && !mistakes.are_in(&span) => value,
            _ => continue,
        };
        right.insert(name, Spanned::new(span, value));
    }
    fill(&mut right, ABOVE);
    right
}

fn sound_inside<'t>(
    section: DeTable<'t>,
    keys: &[Setting],
    mistakes: &Mistakes<'_>,
) -> DeTable<'t> {
    let mut right = DeTable::new();
    for (name, value) in section {
        if !mistakes.are_in(&name.span()) && !mistakes.are_in(&value.span()) {
            right.insert(name, value);
        }
    }
    fill(&mut right, keys);
    right
}

/// Adds keys that are needed and not there, as in their example.
fn fill(table: &mut DeTable<'_>, keys: &[Setting]) {
    for key in keys.iter().filter(|key| key.is_needed) {
        let is_there = table.keys().any(|name| name.get_ref() == key.name);
        if let Ok(value) = DeValue::parse(key.like)
            && !is_there
        {
            table.insert(Spanned::new(0..0, Cow::Borrowed(key.name)), value);
        }
    }
}

/// What is wrong inside of a section.
fn inside(
    section: &str,
    place: &Range<usize>,
    (table, keys): (&DeTable<'_>, &[Setting]),
    mistakes: &mut Mistakes<'_>,
) {
    for (name, value) in table {
        let word: &str = name.get_ref();
        match keys.iter().find(|key| key.name == word) {
            Some(key) => fits(key, value, mistakes),
            None => {
                let known: Vec<String> = keys.iter().map(|key| key.name.to_string()).collect();
                let why = match did_you_mean(word, &known) {
                    Some(near) => near,
                    None => format!("known in [{section}]: {}", known.join(", ")),
                };
                mistakes.add(&name.span(), format!("unknown key `{word}`: {why}"));
            }
        }
    }
    lacking(keys, table, place, mistakes);
}

/// What is said of a key or a section above all sections that nobody knows.
fn unknown_above(word: &str, is_section: bool) -> String {
    let kind = match is_section {
        true => "section",
        false => "key",
    };
    let of: Vec<String> = SECTIONS
        .iter()
        .filter(|(_, keys)| keys.iter().any(|key| key.name == word))
        .map(|(section, _)| format!("[{section}]"))
        .collect();
    if !is_section && !of.is_empty() {
        return format!(
            "`{word}` is a key of {}: it stands below that line",
            of.join(" and ")
        );
    }
    let above = ABOVE.iter().map(|key| key.name);
    let known: Vec<String> = match is_section {
        true => SECTIONS
            .iter()
            .map(|(name, _)| (*name).to_string())
            .collect(),
        false => {
            let sections = SECTIONS.iter().map(|(name, _)| *name);
            above.chain(sections).map(String::from).collect()
        }
    };
    match did_you_mean(word, &known) {
        Some(near) => format!("unknown {kind} `{word}`: {near}"),
        None => format!("unknown {kind} `{word}`; known here: {}", known.join(", ")),
    }
}

/// Says which keys are needed and not there.
fn lacking(
    keys: &[Setting],
    table: &DeTable<'_>,
    place: &Range<usize>,
    mistakes: &mut Mistakes<'_>,
) {
    for key in keys.iter().filter(|key| key.is_needed) {
        if !table.keys().any(|name| name.get_ref() == key.name) {
            let Setting { name, like, .. } = key;
            mistakes.add(
                place,
                format!("`{name}` is missing, as in `{name} = {like}`"),
            );
        }
    }
}

/// Says where a value is not what its key takes.
fn fits(key: &Setting, value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes<'_>) {
    let Setting {
        name, takes, like, ..
    } = key;
    let wrong = |said: &str| {
        let takes = takes.called();
        format!("`{name}` must be {takes}{said}, as in `{name} = {like}`")
    };
    match (takes, value.get_ref()) {
        (Takes::Text, DeValue::String(_)) | (Takes::Switch, DeValue::Boolean(_)) => {}
        (Takes::Path, DeValue::String(path)) => mistakes.extend(odd(name, path, value.span())),
        (Takes::Texts | Takes::Paths, DeValue::Array(parts)) => {
            for part in parts.iter() {
                match part.get_ref() {
                    DeValue::String(path) if *takes == Takes::Paths => {
                        mistakes.extend(odd(name, path, part.span()));
                    }
                    DeValue::String(_) => {}
                    _ => mistakes.add(&part.span(), wrong(", each in quotes")),
                }
            }
        }
        (Takes::Number, DeValue::Integer(number)) => {
            if u32::from_str_radix(number.as_str(), number.radix()).is_err() {
                mistakes.add(
                    &value.span(),
                    wrong(" that is not negative and not too large"),
                );
            }
        }
        _ => mistakes.add(&value.span(), wrong("")),
    }
}

/// What is wrong with a path in which a `\` has begun another letter.
fn odd(key: &str, path: &str, span: Range<usize>) -> Option<(Range<usize>, String)> {
    let is_odd = path.chars().any(char::is_control);
    is_odd.then(|| {
        let why = format!(
            "`{key}`: a \\ begins another letter here; a path with \\ stands in single quotes, as in 'C:\\exports'"
        );
        (span, why)
    })
}

/// How the TOML library begins to say what is wrong, and what is said for it.
const SYNTAX: [(&str, &str); 10] = [
    (
        "string values must be quoted",
        "a text stands in quotes, as in \"low\"",
    ),
    (
        "invalid boolean",
        "a text stands in quotes, as in \"low\"; a switch is true or false",
    ),
    ("unclosed table", "the name of a section ends with `]`"),
    ("unclosed array", "the list does not end: `]` is missing"),
    (
        "missing comma between array elements",
        "here a comma is missing, or the `]` with which the list ends",
    ),
    (
        "invalid basic string",
        "the text does not end: `\"` is missing",
    ),
    (
        "invalid literal string",
        "the text does not end: `'` is missing",
    ),
    (
        "missing escaped value",
        "a path with \\ stands in single quotes, as in 'C:\\exports'",
    ),
    ("duplicate key", "this is said twice"),
    (
        "key with no value",
        "a key has `=` behind it, and a value: key = \"value\"",
    ),
];

fn syntax(message: &str) -> String {
    let known = SYNTAX
        .iter()
        .find(|(begins, _)| message.starts_with(begins));
    known.map_or_else(
        || format!("this is no TOML: {message}"),
        |(_, said)| (*said).to_string(),
    )
}
