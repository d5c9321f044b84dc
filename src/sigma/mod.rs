//! Sigma: rules in the open format for detections, as queries in KQL.
//!
//! | stage | takes | gives |
//! |---|---|---|
//! | `yaml` | text | documents whose values know their places |
//! | `rule`, `searches`, `modifier`, `condition`, `correlation` | documents | rules and correlations, or what is wrong with them |
//! | `logsource`, `field`, `vocabulary` | sources and names of rules | tables, columns, paths of the record, and the words that logs have |
//! | `lowering`, `comparison`, `wildcard`, `encoding`, `quote` | searches | a condition that is never null |
//! | `query` | rules and correlations | a query |
//!
//! The format is version 2.1 of the specification. What is of Sigma 1 (`timeframe`, `| count()`, `near`, `action`), filters, and correlations
//! over sums, averages and percentiles are refused by name.
//!
//! Texts are compared without regard to case unless a rule says `cased`. An absent field and an empty one are the same, as Kusto has it. A field
//! may be in several places; one of them is enough, and of a list one of its items.
//!
//! The crate `rsigma-parser` reads the same format. Its trees have no places, keep searches without order, and turn what is no value into text; and it
//! comes with a second reader of YAML and a generator of parsers. So the format is read here.

mod comparison;
mod condition;
mod conversion;
mod correlation;
mod encoding;
mod field;
mod logsource;
mod lowering;
mod modifier;
mod query;
mod quote;
mod refusal;
mod rule;
mod searches;
#[cfg(test)]
mod tests;
mod vocabulary;
mod wildcard;
mod yaml;

use std::collections::HashSet;

pub use conversion::{Conversion, Entity};
pub(crate) use quote::quoted;
pub use refusal::{At, Refusal};
pub use rule::About;

use rule::{Body, Document};

/// Rules of Sigma that are loaded together, so that correlations find the rules that they count.
#[derive(Debug, Clone, Default)]
pub struct Collection {
    documents: Vec<Document>,
}

/// A rule, and its query or why it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// Which rule it is.
    pub about: About,
    /// Its query.
    pub query: Result<Conversion, Refusal>,
}

impl Collection {
    /// Adds the rules of a file. The error says why the text is no YAML; of what is wrong with a rule, [`Collection::convert`] tells.
    ///
    /// # Errors
    /// When the text is not YAML.
    pub fn add(&mut self, source: &str, text: &str) -> Result<(), Refusal> {
        let nodes = yaml::documents(text)?;
        let several = nodes.len() > 1;
        let documents = nodes.iter().enumerate().map(|(i, node)| {
            let number = several.then_some(i + 1);
            rule::read(node, source, number)
        });
        self.documents.extend(documents);
        Ok(())
    }

    /// The query of each rule, in the order in which they were added. Rules that a correlation counts have none of their own, unless it says
    /// `generate: true`.
    pub fn convert(&self) -> Vec<Converted> {
        let parts = |document: &Document| match &document.body {
            Ok(Body::Correlation(correlation)) => {
                let rules = correlation.rules.iter();
                let rules = rules.filter_map(|name| query::refers(&self.documents, name));
                (rules.collect::<Vec<usize>>(), correlation.generate)
            }
            _ => (Vec::new(), false),
        };
        let mut counted: HashSet<usize> = HashSet::new();
        let mut wanted: HashSet<usize> = HashSet::new();
        for document in &self.documents {
            match parts(document) {
                (rules, true) => wanted.extend(rules),
                (rules, false) => counted.extend(rules),
            }
        }
        // Correlations that count each other are part of none that stands alone, and are told of all the same.
        let mut reached: HashSet<usize> = HashSet::new();
        let all = 0..self.documents.len();
        let mut next: Vec<usize> = all.clone().filter(|i| !counted.contains(i)).collect();
        while let Some(i) = next.pop() {
            if reached.insert(i) {
                next.extend(parts(&self.documents[i]).0);
            }
        }
        let alone = |i: &usize| {
            let counts = !counted.contains(i) || wanted.contains(i) || !reached.contains(i);
            counts || self.documents[*i].body.is_err()
        };
        let converted = all.filter(alone).map(|i| Converted {
            about: self.documents[i].about.clone(),
            query: query::convert(&self.documents, &self.documents[i]),
        });
        converted.collect()
    }

    /// The query of one rule of a file, also where a correlation counts it: the one of that number among several, from 1.
    pub fn query(
        &self,
        source: &str,
        number: Option<usize>,
    ) -> Option<Result<Conversion, Refusal>> {
        let is_meant = |d: &&Document| d.about.source == source && d.about.number == number;
        let document = self.documents.iter().find(is_meant)?;
        Some(query::convert(&self.documents, document))
    }
}

/// Whether a text is meant as rules of Sigma: a document has the keys that they have.
pub fn is_sigma(text: &str) -> bool {
    let Ok(nodes) = yaml::documents(text) else {
        return false;
    };
    nodes.iter().any(|node| {
        node.get("correlation").is_some()
            || (node.get("detection").is_some() && node.get("logsource").is_some())
    })
}
