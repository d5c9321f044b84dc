//! Rules of coldtrail's own: a query in SQL or KQL whose leading comment is the header, in YAML with Sentinel's keys.
//!
//! In SQL the header stands between `/*` and `*/`. In KQL it does too, or it is the block of `//` lines at the top, so that the file runs
//! anywhere. A file of KQL without a header is a query that people run by hand, named by its file.

use std::collections::BTreeMap;

use super::document::{self, At, Broken};
use super::examples;
use super::fields::{Fields, Notes};
use super::limits::{self, Strictness};
use super::model::{Kind, Language, Lines, Query, Rule, Unjudged, WatchlistNeed};
use super::settable;
use super::settings;

/// A header, and the query behind it.
struct Parts {
    /// The YAML, of which each line stands on a line of the file.
    header: String,
    /// Line of the file on which the header's first line stands, from 1.
    line: usize,
    query: Query,
}

/// A rule in SQL.
pub(super) fn sql(text: &str, notes: &mut Notes<'_>) -> Option<Rule> {
    let Some(parts) = commented(text, Language::Sql) else {
        let hint = "a rule begins with `/*`, its YAML header and `*/`";
        notes.error_with_hint(At::default(), "no header", hint);
        return None;
    };
    rule(parts, notes)
}

/// The query behind a header between `/*` and `*/`, whatever the header says.
pub(super) fn behind_header(text: &str, language: Language) -> Option<Query> {
    let parts = commented(text, language)?;
    says_something(&parts.query.text).then_some(parts.query)
}

/// A rule in KQL, or a query alone; `name` is that of its file.
pub(super) fn kql(text: &str, name: &str, notes: &mut Notes<'_>) -> Option<Rule> {
    if let Some(parts) = commented(text, Language::Kql).or_else(|| slashed(text)) {
        return rule(parts, notes);
    }
    let query = Query::new(Language::Kql, text.trim_end());
    if !says_something(&query.text) {
        notes.error(At::default(), "it holds no query");
        return None;
    }
    let mut rule = Rule::new(name, Kind::Hunting, query);
    rule.name = name.into();
    Some(rule)
}

/// Whether there is more than comments of KQL.
pub(super) fn says_something(query: &str) -> bool {
    let mut lines = query.lines().map(str::trim);
    lines.any(|line| !line.is_empty() && !line.starts_with("//"))
}

/// The header between `/*` and `*/`, and what follows.
fn commented(text: &str, language: Language) -> Option<Parts> {
    let begun = text.trim_start();
    let inside = begun.strip_prefix("/*")?;
    let (header, query) = inside.split_once("*/")?;
    let lines = |part: &str| part.matches('\n').count();
    let line = 1 + lines(&text[..text.len() - begun.len()]);
    let behind = line + lines(header);
    // The query begins on the line on which the header ends, or on a later one.
    let blank = query.len() - query.trim_start().len();
    let blank = query[..blank].rfind('\n').map_or(0, |at| at + 1);
    let mut parts = Parts {
        header: header.into(),
        line,
        query: Query::new(language, query[blank..].trim_end()),
    };
    parts.query.lines = match lines(&query[..blank]) {
        0 => Lines::Somewhere {
            line: behind,
            column: 1,
        },
        more => Lines::Each {
            first: behind + more,
            indent: 0,
        },
    };
    Some(parts)
}

/// The header in the `//` lines at the top: those that are a map with an id and a name. The query is the whole file.
fn slashed(text: &str) -> Option<Parts> {
    let lines = text.lines().map_while(|line| {
        let line = line.strip_prefix("//")?;
        Some(line.strip_prefix(' ').unwrap_or(line))
    });
    let header = lines.collect::<Vec<_>>().join("\n");
    let begins = |key: &str| header.lines().any(|line| line.starts_with(key));
    (begins("id:") && begins("name:")).then(|| Parts {
        header,
        line: 1,
        query: Query::new(Language::Kql, text.trim_end()),
    })
}

/// What is said of a rule without tests: who runs it needs not hear it.
pub const UNTESTED: &str = "the rule has no tests";

/// A header without its tests, where these are the last that it says.
fn before_tests(header: &str) -> &str {
    let Some((before, tests)) = header.split_once("\ntests:") else {
        return header;
    };
    let is_inside = |line: &str| line.is_empty() || line.starts_with([' ', '-']);
    match tests.lines().skip(1).all(is_inside) {
        true => before,
        false => header,
    }
}

fn rule(parts: Parts, notes: &mut Notes<'_>) -> Option<Rule> {
    let Parts {
        header,
        line,
        query,
    } = parts;
    notes.skipped = line - 1;
    let header = match notes.tests {
        true => header.as_str(),
        false => before_tests(&header),
    };
    let documents = match document::read(header) {
        Ok(documents) => documents,
        Err(Broken { at, message }) => {
            notes.broken(at, format!("header: {message}"));
            return None;
        }
    };
    let Some(root) = documents.roots.first() else {
        notes.error(At::default(), "header: it is empty");
        return None;
    };
    notes.tabbed(documents.tab);
    let mut fields = Fields::of(root, "the header", notes)?;
    let before = notes.errors();
    for key in ["id", "name", "severity"] {
        if !fields.has(key) {
            notes.error(At::default(), format!("header: no `{key}`"));
        }
    }
    let id = fields.word("id", notes).unwrap_or_default();
    let kind = match fields.word("kind", notes).as_deref() {
        Some(kind) if kind.eq_ignore_ascii_case("NRT") => Kind::Nrt,
        Some(kind) if kind.eq_ignore_ascii_case("Hunting") => Kind::Hunting,
        _ => Kind::Scheduled,
    };
    if !says_something(&query.text) {
        notes.error(At::default(), "no query after the header");
    }
    let mut rule = Rule::new(id, kind, query);
    settings::fill(&mut rule, &mut fields, notes);
    rule.watchlists = watchlists(&mut fields, notes);
    rule.unjudged = unjudged(&mut fields, notes);
    rule.false_positives = fields.texts("falsePositives", notes);
    rule.references = references(&mut fields, notes);
    settable::of_header(&mut rule, &mut fields, notes);
    rule.tests = examples::read(fields.list("tests", notes), notes);
    if notes.tests && rule.tests.is_empty() && notes.errors() == before {
        notes.warning(At::default(), UNTESTED);
    }
    let places: Vec<(&str, At)> = LIMITED.map(|key| (key, fields.place(key))).into();
    let place = |key: &str| {
        let found = places.iter().find(|(name, _)| *name == key);
        found.map_or(root.at, |(_, at)| *at)
    };
    limits::check(&rule, Strictness::Nobody, &place, notes);
    fields.finish("header", &settings::SILENT, notes);
    rule.place.line = line;
    (notes.errors() == before).then_some(rule)
}

/// Settings that have limits.
pub(super) const LIMITED: [&str; 7] = [
    "queryFrequency",
    "queryPeriod",
    "suppressionDuration",
    "entityMappings",
    "customDetails",
    "alertDetailsOverride",
    "incidentConfiguration",
];

/// Addresses of pages. What is no address is said and left out.
fn references(fields: &mut Fields<'_>, notes: &mut Notes<'_>) -> Vec<String> {
    let at = fields.place("references");
    let mut addresses = fields.texts("references", notes);
    addresses.retain(|address| {
        let begins = address.starts_with("https://");
        let is_address = begins && !address.contains(|c: char| c.is_whitespace() || c.is_control());
        if !is_address {
            let message =
                format!("`references`: `{address}` is no address that begins with https://");
            notes.warning(at, message);
        }
        is_address
    });
    addresses
}

fn watchlists(fields: &mut Fields<'_>, notes: &mut Notes<'_>) -> BTreeMap<String, WatchlistNeed> {
    let mut needs = BTreeMap::new();
    let Some(node) = fields.get("watchlists", notes) else {
        return needs;
    };
    let Some(map) = Fields::of(node, "`watchlists`", notes) else {
        return needs;
    };
    for (name, node) in map.values() {
        let what = format!("watchlist `{name}`");
        let Some(mut fields) = Fields::of(node, &what, notes) else {
            continue;
        };
        let columns = fields.texts("columns", notes);
        match fields.flag("required", notes) {
            Some(required) if fields.has("columns") => {
                let need = WatchlistNeed { required, columns };
                needs.insert(name.to_string(), need);
            }
            _ => notes.error(node.at, format!("{what} needs `required` and `columns`")),
        }
        fields.refuse(&what, notes);
    }
    needs
}

fn unjudged(fields: &mut Fields<'_>, notes: &mut Notes<'_>) -> Option<Unjudged> {
    let mut map = fields.map("unjudged", notes)?;
    let what = map.text("what", notes);
    let watchlist = map.word("watchlist", notes);
    let query = map.text("query", notes);
    let at = map.at;
    map.refuse("`unjudged`", notes);
    match (what, query) {
        (Some(what), Some(query)) => Some(Unjudged {
            what,
            watchlist,
            query,
        }),
        _ => {
            notes.error(at, "`unjudged` needs `what` and `query`");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Schedule;
    use super::*;

    fn read(
        text: &str,
        with: impl Fn(&str, &mut Notes<'_>) -> Option<Rule>,
    ) -> (Option<Rule>, Vec<String>) {
        let mut notes = Notes::new("r");
        let rule = with(text, &mut notes);
        let said = notes.list.iter().map(ToString::to_string);
        (rule, said.collect())
    }

    fn in_kql(text: &str) -> (Option<Rule>, Vec<String>) {
        read(text, |text, notes| kql(text, "stem", notes))
    }

    #[test]
    fn every_fault_of_a_rule_is_said_with_its_place() {
        let said = |text: &str| read(text, sql).1.join("\n");
        let header = "/*\nid: a\nname: b\nseverity: Low\n";
        assert_eq!(said("SELECT 1"), "error: `r`: no header");
        assert_eq!(
            said(&format!("{header}*/")),
            "error: `r`: no query after the header"
        );
        let dire = said("/*\nid: a\nname: b\nseverity: Dire\n*/ SELECT 1");
        assert!(
            dire.starts_with("error: `r:4:11`: severity `Dire`"),
            "{dire}"
        );
        assert!(said("/*\nname: b\nseverity: Low\n*/ SELECT 1").contains("header: no `id`"));
        assert!(said("/*\nid: a: b\n*/ SELECT 1").starts_with("error: `r:2:"));
        let unknown = said(&format!("{header}queryPerod: 1d\n*/ SELECT 1"));
        assert!(
            unknown.contains("`r:5:1`: header has an unknown key `queryPerod`"),
            "{unknown}"
        );
        for key in ["queryFrequency", "queryPeriod"] {
            let long = said(&format!("{header}{key}: long\n*/ SELECT 1"));
            let want = format!(
                "error: `r:5:{}`: {key} `long` is no duration",
                key.len() + 3
            );
            assert!(long.contains(&want), "{long}");
        }
        let twice = said(&format!("{header}id: c\n*/ SELECT 1"));
        assert!(twice.contains("`id` stands on line 2 already"), "{twice}");
    }

    #[test]
    fn what_sentinel_would_refuse_is_a_warning_here() {
        let text = "/*\nid: a\nname: b\nseverity: Low\nqueryFrequency: 1d\nqueryPeriod: 30d\n*/\n\n  SELECT 1";
        let (rule, said) = read(text, sql);
        let rule = rule.expect("it loads");
        assert!(
            said.iter()
                .any(|s| s.starts_with("warning: `r:6:1`: queryPeriod is 30d")),
            "{said:?}"
        );
        assert_eq!(
            rule.schedule,
            Schedule::Every {
                frequency: 86_400,
                period: 30 * 86_400
            }
        );
        assert_eq!(rule.query.text.as_str(), "  SELECT 1");
        assert_eq!(rule.query.lines.in_file(1, 3), (9, 3));
    }

    #[test]
    fn kql_has_its_header_in_either_kind_of_comment_or_none() {
        let (rule, _) = in_kql("/*\nid: a\nname: b\nseverity: Low\n*/\nT | count\n");
        let text = rule.map(|r| r.query.text.to_string());
        assert_eq!(text.as_deref(), Some("T | count"));
        let (rule, said) = in_kql("// id: a\n// name: b\n// severity: High\nT\n| count\n");
        let rule = rule.unwrap_or_else(|| panic!("{said:?}"));
        assert_eq!((rule.id.as_str(), rule.kind), ("a", Kind::Scheduled));
        assert_eq!(rule.query.lines.in_file(5, 3), (5, 3));
        let (rule, said) = in_kql("// What it is: a query\nT | count");
        let rule = rule.unwrap_or_else(|| panic!("{said:?}"));
        assert_eq!((rule.id.as_str(), rule.kind), ("stem", Kind::Hunting));
        assert_eq!(in_kql("// nothing\n").1, ["error: `r`: it holds no query"]);
    }
}
