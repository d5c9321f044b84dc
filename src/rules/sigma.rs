//! What a rule in Sigma says of itself. What it looks for is the text of its file, which another module makes a query of.

use std::sync::Arc;

use super::document::Node;
use super::fields::{Fields, Notes};
use super::model::{Kind, Language, Lines, Query, Rule, Severity};
use super::sentinel::File;
use super::settings;

/// Whether a document is a rule or a correlation in Sigma.
pub(super) fn is_sigma(node: &Node) -> bool {
    node.get("detection").is_some()
        || (node.get("correlation").is_some() && node.get("title").is_some())
}

/// One document of a file.
pub(super) fn read(node: &Node, file: File<'_>, notes: &mut Notes<'_>) -> Option<Rule> {
    let before = notes.errors();
    let mut fields = Fields::of(node, "the rule", notes)?;
    let title = fields.word("title", notes);
    let id = ["id", "name"]
        .into_iter()
        .find_map(|key| fields.word(key, notes));
    let id = id.or_else(|| title.clone());
    if id.is_none() {
        let stem = file.stem;
        notes.warning(
            node.at,
            format!("the rule has no id: `{stem}` stands in for it"),
        );
    }
    // A file may hold a thousand rules: each with a text of its own would be a thousand files.
    let text = file.shared.get_or_init(|| Arc::new(file.source.into()));
    let query = Query {
        language: Language::Sigma,
        text: Arc::clone(text),
        lines: Lines::default(),
    };
    let mut rule = Rule::new(id.unwrap_or_else(|| file.stem.into()), Kind::Sigma, query);
    rule.name = title.unwrap_or_else(|| rule.id.clone());
    rule.description = fields.text("description", notes).unwrap_or_default();
    rule.description = rule.description.trim().into();
    rule.status = fields.word("status", notes);
    if let Some(level) = fields.get("level", notes) {
        let text = level.text().unwrap_or_default();
        // Sentinel has nothing above.
        let is_critical = text.trim().eq_ignore_ascii_case("critical");
        let severity = is_critical.then_some(Severity::High);
        match severity.or_else(|| settings::severity_of(text)) {
            Some(severity) => rule.severity = severity,
            None => notes.warning(level.at, format!("`{text}` is no level of Sigma")),
        }
    }
    rule.false_positives = fields.texts("falsepositives", notes);
    for tag in fields.texts("tags", notes) {
        let tag = tag.trim().to_ascii_lowercase();
        let Some(name) = tag.strip_prefix("attack.") else {
            continue;
        };
        let number = name.to_ascii_uppercase();
        if settings::is_technique(&number) {
            rule.techniques.push(number);
        } else if let Some(tactic) = settings::tactic(name)
            && !rule.tactics.iter().any(|known| known == tactic)
        {
            rule.tactics.push(tactic.into());
        }
    }
    (notes.errors() == before).then_some(rule)
}
