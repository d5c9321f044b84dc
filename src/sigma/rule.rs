//! Documents of Sigma: a rule or a correlation, with what it says about itself.

use super::condition::{self, Condition};
use super::correlation::{self, Correlation};
use super::logsource::{self, Route};
use super::refusal::{At, Refusal};
use super::searches::{self, Search};
use super::yaml::Node;

/// Which rule it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// Its id; its name or title where it has none.
    pub id: String,
    /// The name by which correlations refer to it.
    pub name: Option<String>,
    /// Its title.
    pub title: String,
    /// The file it is from.
    pub source: String,
    /// Which of several documents of the file, from 1.
    pub number: Option<usize>,
    /// Where it begins.
    pub at: At,
}

/// What a document is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Rule {
        route: Route,
        searches: Vec<(String, Search)>,
        condition: Condition,
        at: At,
    },
    Correlation(Correlation),
}

/// A document. What cannot be used is listed all the same, with what is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    pub(super) about: About,
    pub(super) body: Result<Body, Refusal>,
}

/// Reads a document.
pub(super) fn read(node: &Node, source: &str, number: Option<usize>) -> Document {
    Document {
        about: about(node, source, number),
        body: body(node),
    }
}

fn body(node: &Node) -> Result<Body, Refusal> {
    if node.entries().is_none() {
        return Err(Refusal::new(node.at, "a rule is a map of keys"));
    }
    if let Some(action) = node.get("action") {
        let message =
            "collections with `action` are of Sigma 1: write each rule as a document of its own";
        return Err(Refusal::new(action.at, message));
    }
    if let Some(filter) = node.get("filter") {
        return Err(Refusal::new(
            filter.at,
            "filters of Sigma are not supported",
        ));
    }
    if let Some(taxonomy) = node.get("taxonomy")
        && let Some(name) = taxonomy.text()
        && name != "sigma"
    {
        let message = format!("the taxonomy `{name}` is not known: `sigma` is");
        return Err(Refusal::new(taxonomy.at, message));
    }
    if let Some(correlation) = node.get("correlation") {
        return correlation::read(correlation).map(Body::Correlation);
    }
    let needed = |key: &str| {
        let missing = || Refusal::new(node.at, format!("the rule has no `{key}`"));
        node.get(key).ok_or_else(missing)
    };
    let detection = needed("detection")?;
    let route = logsource::route(needed("logsource")?)?;
    let Some(entries) = detection.entries() else {
        return Err(Refusal::new(
            detection.at,
            "`detection` is a map of searches",
        ));
    };
    if let Some(timeframe) = detection.get("timeframe") {
        let message = "`timeframe` is of Sigma 1: a correlation says its `timespan`";
        return Err(Refusal::new(timeframe.at, message));
    }
    let Some(written) = detection.get("condition") else {
        return Err(Refusal::new(detection.at, "`detection` has no `condition`"));
    };
    let searches = entries
        .iter()
        .filter(|(name, _)| name != "condition")
        .map(|(name, search)| Ok((name.clone(), searches::read(search)?)));
    let searches = searches.collect::<Result<Vec<_>, Refusal>>()?;
    Ok(Body::Rule {
        route,
        searches,
        condition: conditions(written)?,
        at: written.at,
    })
}

/// A condition, or a list of which one is enough.
fn conditions(node: &Node) -> Result<Condition, Refusal> {
    let Some(texts) = node.texts().filter(|texts| !texts.is_empty()) else {
        return Err(Refusal::new(node.at, "`condition` is a text"));
    };
    let mut read = texts
        .into_iter()
        .map(|(text, at)| condition::read(&text).map_err(|why| Refusal::new(at, why)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(match read.len() {
        1 => read.swap_remove(0),
        _ => Condition::Any(read),
    })
}

fn about(node: &Node, source: &str, number: Option<usize>) -> About {
    let text = |key: &str| {
        let text = node.get(key).and_then(Node::text);
        text.map(|t| t.trim().to_string()).filter(|t| !t.is_empty())
    };
    let title = text("title").unwrap_or_default();
    let name = text("name");
    About {
        id: text("id")
            .or_else(|| name.clone())
            .unwrap_or_else(|| title.clone()),
        name,
        title,
        source: source.to_string(),
        number,
        at: node.at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigma::yaml;

    fn one(text: &str) -> Document {
        let nodes = yaml::documents(text).expect("it is YAML");
        read(&nodes[0], "rule.yml", None)
    }

    #[test]
    fn a_rule_says_what_it_is() {
        let document = one(
            "title: Odd\nid: 1f\nlevel: High\nlogsource: {product: m365, service: audit}\ndetection:\n  selection: {Operation: x}\n  condition: selection\n",
        );
        assert_eq!(document.about.id, "1f");
        assert_eq!(document.about.title, "Odd");
        assert!(document.body.is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let said = |text: &str| match one(text).body {
            Ok(_) => "nothing".to_string(),
            Err(refusal) => refusal.to_string(),
        };
        let source = "logsource: {product: m365}\n";
        assert!(said("title: x\n").contains("no `detection`"));
        assert!(said("action: global\ntitle: x\n").starts_with("1:9: "));
        assert!(said(&format!("{source}detection: {{a: {{b: c}}}}\n")).contains("no `condition`"));
        let text = "detection:\n  a:\n    Operation|contian: x\n  condition: a\n";
        assert!(said(&format!("{source}{text}")).starts_with("4:24: unknown modifier `contian`"));
        let text = "detection:\n  a: {Operation: x}\n  condition: a | count() > 5\n";
        assert!(said(&format!("{source}{text}")).starts_with("4:14: the condition aggregates"));
        let text = "detection:\n  a: {Operation: x}\n  timeframe: 5m\n  condition: a\n";
        assert!(said(&format!("{source}{text}")).contains("`timeframe` is of Sigma 1"));
    }
}
