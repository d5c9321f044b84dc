//! What a file holds: one rule, several, a list, a template with rules among its resources, or none.

use std::cell::OnceCell;

use super::detection;
use super::document::{self, Broken, Node, Value};
use super::fields::Notes;
use super::model::{Language, Query, Rule};
use super::sentinel::{self, File};
use super::{own, sigma, span};
use crate::fault::Diagnostic;

/// A rule of a file, or what should have been one.
#[derive(Debug)]
pub(super) struct Found {
    /// Line on which it begins.
    pub line: usize,
    pub rule: Option<Rule>,
    /// What it asks, where it cannot run.
    pub asked: Option<Asked>,
    pub said: Vec<Diagnostic>,
}

/// What a rule asks, also where the rest of it is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The query.
    pub query: Query,
    /// Seconds that it looks back, where it says that.
    pub period: Option<u64>,
}

/// What a file holds.
#[derive(Debug)]
pub(super) enum Held {
    Rules(Vec<Found>),
    /// None, and why.
    Nothing(String),
}

/// Whether a file with this ending, in small letters, may hold rules.
pub fn may_hold_rules(ending: &str) -> bool {
    matches!(ending, "sql" | "kql" | "csl" | "yaml" | "yml" | "json")
}

/// Reads a file of which this is the text; a rule's own tests where they are wanted.
pub(super) fn read(name: &str, text: &str, tests: bool) -> Held {
    let base = name.rsplit('/').next().unwrap_or(name);
    let (stem, ending) = base.rsplit_once('.').unwrap_or((base, ""));
    if text.trim().is_empty() {
        return Held::Nothing("it is empty".into());
    }
    let mut notes = Notes::new(name);
    notes.tests = tests;
    let rule = match ending.to_ascii_lowercase().as_str() {
        "sql" => own::sql(text, &mut notes),
        "kql" | "csl" => own::kql(text, stem, &mut notes),
        _ => return tree(stem, text, notes),
    };
    let line = rule.as_ref().map_or(1, |rule| rule.place.line.max(1));
    let query = match (&rule, ending.eq_ignore_ascii_case("sql")) {
        (Some(_), _) => None,
        (None, true) => own::behind_header(text, Language::Sql),
        (None, false) if text.trim_start().starts_with("/*") => {
            own::behind_header(text, Language::Kql)
        }
        // A header in lines of comments leaves the file a query.
        (None, false) => {
            own::says_something(text).then(|| Query::new(Language::Kql, text.trim_end()))
        }
    };
    let asked = query.map(|query| Asked {
        query,
        period: None,
    });
    Held::Rules(vec![Found {
        line,
        rule,
        asked,
        said: notes.list,
    }])
}

/// Reads YAML or JSON.
fn tree(stem: &str, text: &str, mut notes: Notes<'_>) -> Held {
    let documents = match document::read(text) {
        Ok(documents) => documents,
        Err(Broken { at, message }) => {
            notes.broken(at, message);
            return Held::Rules(vec![Found {
                line: 1,
                rule: None,
                asked: None,
                said: notes.list,
            }]);
        }
    };
    let shared = OnceCell::new();
    let mut walk = Walk {
        file: File {
            source: &documents.text,
            shared: &shared,
            stem,
        },
        notes,
        found: Vec::new(),
        other: None,
    };
    walk.notes.tabbed(documents.tab);
    for root in &documents.roots {
        walk.visit(root);
    }
    match walk.found.is_empty() {
        false => Held::Rules(walk.found),
        true => Held::Nothing(
            walk.other
                .unwrap_or_else(|| why_none(&documents.roots).into()),
        ),
    }
}

struct Walk<'f> {
    file: File<'f>,
    notes: Notes<'f>,
    found: Vec<Found>,
    /// What stands there that is no rule.
    other: Option<String>,
}

impl Walk<'_> {
    fn visit(&mut self, node: &Node) {
        if let Value::List(items) = &node.value {
            items.iter().for_each(|item| self.visit(item));
            return;
        }
        let properties = node.get("properties");
        let within = |key: &str| properties.is_some_and(|p| p.get(key).is_some());
        let ty = node.get("type").and_then(Node::text);
        let ty = ty.unwrap_or_default().to_ascii_lowercase();
        let (file, notes) = (self.file, &mut self.notes);
        let rule = if sigma::is_sigma(node) {
            sigma::read(node, file, notes)
        } else if node.get("queryCondition").is_some() {
            detection::read(node, None, file, notes)
        } else if let Some(inner) = properties.filter(|_| within("queryCondition")) {
            detection::read(inner, Some(node), file, notes)
        } else if node.get("functionAlias").is_some() {
            self.other = Some("it is a saved function, and no rule".into());
            return;
        } else if ty.ends_with("savedsearches") {
            let category = properties.and_then(|p| p.get("category"));
            if category.and_then(Node::text) != Some("Hunting Queries") {
                self.other = Some("it is a saved search or function, and no rule".into());
                return;
            }
            sentinel::from_saved_search(node, file, notes)
        } else if ty.ends_with("alertrules")
            || ty.ends_with("alertruletemplates")
            || (properties.is_some() && (within("query") || is_listed(node)) && ty.is_empty())
        {
            sentinel::from_arm(node, file, notes)
        } else if node.get("destinationTable").is_some() {
            self.other = Some("it is a summary rule, which raises no alert".into());
            return;
        } else if node.get("query").is_some() || is_scheduled(node) {
            sentinel::from_yaml(node, file, notes)
        } else {
            self.below(node, &ty);
            return;
        };
        let asked = match &rule {
            Some(_) => None,
            None => asked(node, file),
        };
        self.found.push(Found {
            line: node.at.line,
            rule,
            asked,
            said: std::mem::take(&mut self.notes.list),
        });
    }

    /// What stands among the resources of a template, in a list of an answer, or in the template within a package.
    fn below(&mut self, node: &Node, ty: &str) {
        if !ty.is_empty() && self.other.is_none() {
            self.other = Some(format!("it holds `{ty}`, and no rule"));
        }
        let template = node.get("properties").and_then(|p| p.get("mainTemplate"));
        let lists = [node.get("resources"), node.get("value"), template];
        for list in lists.into_iter().flatten() {
            match &list.value {
                Value::List(_) | Value::Map(_) => self.visit(list),
                Value::Null | Value::Plain(..) | Value::Text(_) => {}
            }
        }
    }
}

/// The query of what is no rule as it stands.
fn asked(node: &Node, file: File<'_>) -> Option<Asked> {
    let places = [Some(node), node.get("properties")];
    places.into_iter().flatten().find_map(|node| {
        let condition = node.get("queryCondition");
        let texts = [
            node.get("query"),
            condition.and_then(|condition| condition.get("queryText")),
        ];
        let mut texts = texts.into_iter().flatten();
        let text = texts.find(|text| text.text().is_some_and(|t| !t.trim().is_empty()))?;
        let mut query = Query::new(Language::Kql, text.text()?.trim_end());
        query.lines = text.lines(file.source);
        let period = node.get("queryPeriod").and_then(Node::text);
        Some(Asked {
            query,
            period: period.and_then(span::seconds),
        })
    })
}

/// Whether something is an analytics rule of the API's list that names its kind alone.
fn is_listed(node: &Node) -> bool {
    let id = node.get("id").and_then(Node::text).unwrap_or_default();
    node.get("kind").is_some() && id.to_ascii_lowercase().contains("/alertrules/")
}

/// Whether only a rule of Sentinel says these things. One that lost its query is a broken rule, and not another file.
fn is_scheduled(node: &Node) -> bool {
    [
        "queryFrequency",
        "queryPeriod",
        "triggerOperator",
        "entityMappings",
    ]
    .into_iter()
    .any(|key| node.get(key).is_some())
}

/// Why there is no rule.
fn why_none(roots: &[Node]) -> &'static str {
    let has = |key: &str| roots.iter().any(|root| root.get(key).is_some());
    if has("ParserQuery") || has("FunctionQuery") {
        "it is a saved function, and no rule"
    } else if roots.is_empty() {
        "it holds nothing"
    } else {
        "it has no `query`, `queryCondition` or `detection`"
    }
}
