//! Sentinel's rules: analytics rules and hunting queries in YAML as Microsoft publishes them, and in ARM templates and answers of the API as
//! they are exported from a workspace.

use std::cell::OnceCell;
use std::sync::Arc;

use super::document::{At, Node};
use super::fields::{Fields, Notes};
use super::limits::{self, Strictness};
use super::model::{Kind, Language, Query, Rule, Schedule};
use super::own::LIMITED;
use super::settings;

/// Kinds of analytics rules that have no query of their own, and what works them.
const WITHOUT_QUERY: [(&str, &str); 5] = [
    ("Fusion", "its correlation is Microsoft's own"),
    ("MLBehaviorAnalytics", "its model is Microsoft's own"),
    (
        "MicrosoftSecurityIncidentCreation",
        "it makes incidents of another product's alerts",
    ),
    ("ThreatIntelligence", "its matching is Microsoft's own"),
    ("Anomaly", "its model is Microsoft's own"),
];

/// The file around a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'f> {
    /// Its text.
    pub source: &'f str,
    /// The same for rules whose query is all of it, once one has asked.
    pub shared: &'f OnceCell<Arc<String>>,
    /// Its name without folder and extension.
    pub stem: &'f str,
}

/// A rule or hunting query in YAML.
pub(super) fn from_yaml(node: &Node, file: File<'_>, notes: &mut Notes<'_>) -> Option<Rule> {
    let mut fields = Fields::of(node, "the rule", notes)?;
    let at = fields.place("kind");
    let scheduled = ["queryFrequency", "queryPeriod", "triggerOperator"];
    let is_scheduled = scheduled.iter().any(|key| fields.has(key));
    let kind = match fields.word("kind", notes) {
        Some(kind) => kind_of(&kind, at, notes)?,
        None if is_scheduled => Kind::Scheduled,
        None => Kind::Hunting,
    };
    let kind = match kind {
        // Published hunting queries say so now and then.
        Kind::Scheduled if !is_scheduled => {
            notes.warning(
                at,
                "nothing schedules the rule: it is read as a hunting query",
            );
            Kind::Hunting
        }
        kind => kind,
    };
    let id = fields.word("id", notes);
    complete(kind, id, fields, file, notes)
}

/// A resource of an ARM template, or an item of the API's list.
pub(super) fn from_arm(node: &Node, file: File<'_>, notes: &mut Notes<'_>) -> Option<Rule> {
    let mut resource = Fields::of(node, "the resource", notes)?;
    let at = resource.place("kind");
    let kind = match resource.word("kind", notes) {
        Some(kind) => kind_of(&kind, at, notes)?,
        None => {
            notes.error(
                node.at,
                "the resource has no kind, such as Scheduled or NRT",
            );
            return None;
        }
    };
    let names = [resource.word("name", notes), resource.word("id", notes)];
    let id = names.iter().flatten().find_map(|name| resource_id(name));
    let properties = resource.map("properties", notes)?;
    complete(kind, id, properties, file, notes)
}

/// A saved search of the category of hunting queries.
pub(super) fn from_saved_search(
    node: &Node,
    file: File<'_>,
    notes: &mut Notes<'_>,
) -> Option<Rule> {
    let mut resource = Fields::of(node, "the resource", notes)?;
    let names = [resource.word("name", notes), resource.word("id", notes)];
    let id = names.iter().flatten().find_map(|name| resource_id(name));
    let mut fields = resource.map("properties", notes)?;
    let before = notes.errors();
    let query = settings::query(&mut fields, "query", file.source, notes);
    let name = fields.word("displayName", notes);
    let id = identity(id, name.as_deref(), file, fields.at, notes);
    let mut rule = Rule::new(id, Kind::Hunting, query?);
    rule.name = name.unwrap_or_else(|| rule.id.clone());
    for tag in fields.list("tags", notes) {
        let (Some(key), Some(value)) = (
            tag.get("name").and_then(Node::text),
            tag.get("value").and_then(Node::text),
        ) else {
            continue;
        };
        let several = value
            .split(',')
            .map(str::trim)
            .filter(|one| !one.is_empty());
        match key {
            "description" => rule.description = value.trim().into(),
            "tactics" => {
                let names = several.map(|one| settings::tactic(one).unwrap_or(one));
                rule.tactics = names.map(String::from).collect();
            }
            "techniques" => rule.techniques = several.map(String::from).collect(),
            _ => {}
        }
    }
    (notes.errors() == before).then_some(rule)
}

/// Reads everything but kind and id.
fn complete(
    kind: Kind,
    id: Option<String>,
    mut fields: Fields<'_>,
    file: File<'_>,
    notes: &mut Notes<'_>,
) -> Option<Rule> {
    let before = notes.errors();
    let query = settings::query(&mut fields, "query", file.source, notes);
    let stands_in = Query::new(Language::Kql, "");
    let mut rule = Rule::new("", kind, query.unwrap_or(stands_in));
    settings::fill(&mut rule, &mut fields, notes);
    let name = (!rule.name.is_empty()).then_some(rule.name.as_str());
    rule.id = identity(id, name, file, fields.at, notes);
    if rule.name.is_empty() {
        notes.warning(fields.at, "the rule has no name");
        rule.name.clone_from(&rule.id);
    }
    required(&rule, &fields, notes);
    let places: Vec<(&str, At)> = LIMITED
        .iter()
        .chain(&["query"])
        .map(|key| (*key, fields.place(key)))
        .collect();
    let at = fields.at;
    let place = |key: &str| {
        let found = places.iter().find(|(name, _)| *name == key);
        found.map_or(at, |(_, at)| *at)
    };
    match notes.errors() == before {
        true => limits::check(&rule, Strictness::Product, &place, notes),
        false => limits::check_broken(&rule, &place, notes),
    }
    fields.finish("the rule", &settings::SILENT, notes);
    (notes.errors() == before).then_some(rule)
}

/// What Sentinel does not take an analytics rule without.
fn required(rule: &Rule, fields: &Fields<'_>, notes: &mut Notes<'_>) {
    if !matches!(rule.kind, Kind::Scheduled | Kind::Nrt) {
        return;
    }
    let mut needed = vec!["severity"];
    if rule.kind == Kind::Scheduled {
        needed.extend(["queryFrequency", "queryPeriod"]);
    }
    let missing = needed.into_iter().filter(|key| !fields.has(key));
    for key in missing.collect::<Vec<_>>() {
        notes.error(fields.at, format!("an analytics rule needs `{key}`"));
    }
    let is_scheduled = matches!(rule.schedule, Schedule::Every { .. });
    if is_scheduled && !(fields.has("triggerOperator") && fields.has("triggerThreshold")) {
        let message = "triggerOperator and triggerThreshold are not both there: any row is an alert unless they say otherwise";
        notes.warning(fields.at, message);
    }
}

/// The id, or what stands in for one.
fn identity(
    id: Option<String>,
    name: Option<&str>,
    file: File<'_>,
    at: At,
    notes: &mut Notes<'_>,
) -> String {
    id.unwrap_or_else(|| {
        let other = name.unwrap_or(file.stem);
        notes.warning(
            at,
            format!("the rule has no id: `{other}` stands in for it"),
        );
        other.into()
    })
}

fn kind_of(text: &str, at: At, notes: &mut Notes<'_>) -> Option<Kind> {
    let known = [
        ("Scheduled", Kind::Scheduled),
        ("NRT", Kind::Nrt),
        ("Hunting", Kind::Hunting),
        ("HuntingQuery", Kind::Hunting),
    ];
    let found = known
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    if let Some((_, kind)) = found {
        return Some(kind);
    }
    let without = WITHOUT_QUERY
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    let message = match without {
        Some((name, why)) => format!("a rule of kind {name} has no query that could run: {why}"),
        None => {
            format!("`{text}` is no kind of rule that runs here: Scheduled, NRT and Hunting do")
        }
    };
    notes.error(at, message);
    None
}

/// The last part of the name of a resource, which may be an expression around texts:
/// `[concat(parameters('workspace'), '/Microsoft.SecurityInsights/0e5a…')]`.
fn resource_id(name: &str) -> Option<String> {
    let is_expression = name.starts_with('[') && name.ends_with(']') && !name.starts_with("[[");
    let text = match is_expression {
        // Texts stand between single quotes: every second part.
        true => name.split('\'').skip(1).step_by(2).last()?,
        false => name,
    };
    let last = text.rsplit('/').next().unwrap_or(text).trim();
    let is_name = !last.is_empty() && (!is_expression || text.contains('/') || is_guid(last));
    is_name.then(|| last.to_string())
}

fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    hex && lengths.eq([8, 4, 4, 4, 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_resource_is_the_last_part_of_its_name() {
        let guid = "0e5a1c3e-6b1e-4f0c-9a55-0d2a6b7c8d9e";
        let concat =
            format!("[concat(parameters('workspace'),'/Microsoft.SecurityInsights/{guid}')]");
        let long =
            format!("/subscriptions/x/providers/Microsoft.SecurityInsights/alertRules/{guid}");
        for (name, want) in [
            (guid, Some(guid)),
            (concat.as_str(), Some(guid)),
            (long.as_str(), Some(guid)),
            (
                "workspace/Microsoft.SecurityInsights/BuiltInFusion",
                Some("BuiltInFusion"),
            ),
            ("[variables('ruleName')]", None),
            ("[guid(resourceGroup().id)]", None),
            ("", None),
        ] {
            assert_eq!(resource_id(name).as_deref(), want, "{name}");
        }
    }
}
