//! Queries in files: as plain text, and in the rules that Sentinel and Defender XDR keep as YAML or JSON.

use std::path::Path;

use serde_json::Value;

use crate::fault::{Error, Result};

/// Larger files are exports, and no rules.
const MOST_BYTES: u64 = 16 << 20;

/// A query in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its text.
    pub query: String,
    /// How far the rule around it looks back, as it says that.
    pub period: Option<String>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    /// Queries, at least one.
    Queries(Vec<Found>),
    /// None, and why.
    None(String),
}

/// Whether a file of this name may be a rule around a query, and not the query itself.
pub(super) fn is_rule(path: &Path) -> bool {
    matches!(extension(path).as_str(), "yaml" | "yml" | "json")
}

fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}

/// The queries of a file: `.kql`, `.csl` and `.txt` are queries; `.yaml`, `.yml` and `.json` are rules and hunting queries of Sentinel,
/// its templates, and custom detections of Defender XDR.
///
/// # Errors
/// When the file cannot be read, or is not of the format that its name says.
pub(super) fn read(path: &Path) -> Result<Held> {
    let extension = extension(path);
    if !is_rule(path) && !matches!(extension.as_str(), "kql" | "csl" | "txt") {
        let known = "it is none of .kql, .csl, .txt, .yaml, .yml and .json";
        return Ok(Held::None(known.into()));
    }
    let size = std::fs::metadata(path).map_err(Error::io("read", path))?;
    if size.len() > MOST_BYTES {
        return Ok(Held::None("it is larger than 16 MiB".into()));
    }
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Ok(Held::None("it is empty".into()));
    }
    let says_something = |line: &str| !line.trim().is_empty() && !line.trim().starts_with("//");
    if !text.lines().any(says_something) {
        return Ok(Held::None("it holds comments only".into()));
    }
    let unusable = |reason: String| Error::Unusable {
        path: path.to_path_buf(),
        reason,
    };
    let documents: Vec<Value> = match extension.as_str() {
        "yaml" | "yml" => serde_saphyr::from_multiple(text).map_err(|e| unusable(e.to_string()))?,
        "json" => vec![serde_json::from_str(text).map_err(|e| unusable(e.to_string()))?],
        _ => {
            return Ok(Held::Queries(vec![Found {
                query: text.into(),
                period: None,
            }]));
        }
    };
    let mut found = Vec::new();
    for document in &documents {
        collect(document, &mut found);
    }
    Ok(match found.is_empty() {
        false => Held::Queries(found),
        true => Held::None(why_none(&documents).into()),
    })
}

/// The queries of a rule, of a template with rules among its resources, and of a list of rules.
fn collect(rule: &Value, found: &mut Vec<Found>) {
    for rule in [rule, &rule["properties"]] {
        let query = [&rule["query"], &rule["queryCondition"]["queryText"]];
        let query = query.into_iter().filter_map(Value::as_str);
        let period = rule["queryPeriod"].as_str();
        for query in query.filter(|query| !query.trim().is_empty()) {
            found.push(Found {
                query: query.into(),
                period: period.map(Into::into),
            });
        }
    }
    let lists = [rule, &rule["resources"], &rule["value"]];
    for one in lists.into_iter().filter_map(Value::as_array).flatten() {
        collect(one, found);
    }
}

/// Why rules have no query.
fn why_none(documents: &[Value]) -> &'static str {
    let has = |key: &str| documents.iter().any(|document| !document[key].is_null());
    if has("detection") && has("logsource") {
        "it is a rule in Sigma"
    } else if has("ParserQuery") || has("FunctionQuery") {
        "it is a saved function, which --saved-functions reads"
    } else if has("query") || has("queryCondition") {
        "its query is empty or no text"
    } else {
        "it has no `query` and no `queryCondition.queryText`"
    }
}

/// The query of a rule that is to be run.
///
/// # Errors
/// When the file cannot be read, or has none or several.
pub(super) fn only(path: &Path) -> Result<Found> {
    let name = path.display();
    match read(path)? {
        Held::None(why) => Err(Error::Usage(format!("`{name}` has no query: {why}"))),
        Held::Queries(mut queries) => match (queries.len(), queries.pop()) {
            (1, Some(only)) => Ok(only),
            (all, _) => Err(Error::Usage(format!(
                "`{name}` has {all} queries: put the one that is meant into a file of its own"
            ))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(name: &str, text: &str) -> Held {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        read(&path).expect("it can be read")
    }

    #[test]
    fn queries_are_found_where_rules_have_them() {
        let one = |query: &str, period: Option<&str>| Found {
            query: query.into(),
            period: period.map(String::from),
        };
        for (name, text, want) in [
            ("a.kql", "\u{feff}T", vec![one("T", None)]),
            (
                "a.YAML",
                "query: T\nqueryPeriod: 1d",
                vec![one("T", Some("1d"))],
            ),
            (
                "a.yml",
                "queryCondition:\n  queryText: T",
                vec![one("T", None)],
            ),
            (
                "a.yaml",
                "properties:\n  queryCondition:\n    queryText: T",
                vec![one("T", None)],
            ),
            (
                "a.yaml",
                "query: T\n---\nquery: U",
                vec![one("T", None), one("U", None)],
            ),
            (
                "a.json",
                r#"{"resources":[{"properties":{"query":"T","queryPeriod":"PT1H"}},{"type":"x"}]}"#,
                vec![one("T", Some("PT1H"))],
            ),
            (
                "a.json",
                r#"{"value":[{"queryCondition":{"queryText":"T"}}]}"#,
                vec![one("T", None)],
            ),
        ] {
            assert_eq!(held(name, text), Held::Queries(want), "{name}: {text}");
        }
    }

    #[test]
    fn a_file_without_a_query_says_why() {
        for (name, text, want) in [
            ("a.md", "T", "it is none of"),
            ("a.kql", " \n", "it is empty"),
            ("a.yaml", "name: x", "it has no `query`"),
            ("a.yaml", "query: []", "no text"),
            ("a.yml", "detection: {}\nlogsource: {}", "Sigma"),
            ("a.yaml", "ParserQuery: T", "a saved function"),
            ("a.json", "[1, \"a\", null]", "it has no `query`"),
        ] {
            match held(name, text) {
                Held::None(why) => assert!(why.contains(want), "{name}: {why}"),
                Held::Queries(found) => panic!("{name}: {found:?}"),
            }
        }
    }
}
