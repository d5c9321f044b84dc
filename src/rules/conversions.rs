//! The queries of rules in Sigma, as KQL. They are made together, since a correlation counts the events of others.

use std::collections::{HashMap, HashSet};

use super::model::{Language, Place, Query, Rule};
use crate::sigma::{At, Collection, Conversion, Refusal};

/// The rules in Sigma among those that were loaded together.
#[derive(Debug, Clone, Default)]
pub struct Conversions {
    collection: Collection,
    /// Files that are no YAML, and why.
    broken: HashMap<String, Refusal>,
}

impl Conversions {
    /// Of rules.
    pub fn of_rules(rules: &[Rule]) -> Conversions {
        Conversions::of(rules.iter().map(|rule| (&rule.place, &rule.query)))
    }

    /// Of queries and where they stand.
    pub fn of<'q>(queries: impl IntoIterator<Item = (&'q Place, &'q Query)>) -> Conversions {
        let mut made = Conversions::default();
        let mut known: HashSet<&str> = HashSet::new();
        for (place, query) in queries {
            // The text is the whole file, whichever of its rules is meant.
            if query.language == Language::Sigma
                && known.insert(&place.file)
                && let Err(refusal) = made.collection.add(&place.file, &query.text)
            {
                made.broken.insert(place.file.clone(), refusal);
            }
        }
        made
    }

    /// The query of the rule that stands there.
    ///
    /// # Errors
    /// When the rule cannot be used, and why.
    pub fn query(&self, place: &Place) -> Result<Conversion, Refusal> {
        if let Some(refusal) = self.broken.get(&place.file) {
            return Err(refusal.clone());
        }
        let of = |number| self.collection.query(&place.file, number);
        // The only rule of a file may stand beside documents that are none.
        let found = of(place.number).or_else(|| match place.number {
            None => of(Some(1)),
            Some(_) => None,
        });
        found.unwrap_or_else(|| {
            Err(Refusal {
                at: At {
                    line: place.line,
                    column: 1,
                },
                message: "no rule in Sigma stands there".into(),
                hint: None,
            })
        })
    }

    /// Files and numbers of the rules that mean something by themselves, and not only to a correlation that counts them.
    pub fn alone(&self) -> HashSet<(String, Option<usize>)> {
        let converted = self.collection.convert().into_iter();
        converted
            .map(|one| (one.about.source, one.about.number))
            .collect()
    }
}
