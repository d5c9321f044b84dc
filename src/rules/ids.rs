//! Ids of rules that are loaded together. Collections of rules have the same id twice, of a copy or of another rule: alerts must tell these apart.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::model::{Place, Rule};
use crate::fault::Diagnostic;

/// The ids that rules have.
pub(super) struct Ids {
    /// All that stand in rules, also in those whose turn has not come.
    written: HashSet<String>,
    /// Where each was first, and what that rule asks.
    first: HashMap<String, (String, Arc<String>)>,
}

/// What is to be said of a rule whose id another one has.
pub(super) struct Again {
    /// Whether it asks something else, and goes by another id now.
    pub(super) is_other: bool,
    pub(super) said: Vec<Diagnostic>,
}

impl Ids {
    pub(super) fn of(rules: &[Rule]) -> Ids {
        Ids {
            written: rules.iter().map(|rule| rule.id.clone()).collect(),
            first: HashMap::new(),
        }
    }

    /// Takes up the id of a rule. Where another rule has it already, one that asks something else gets the name of its file.
    pub(super) fn take(&mut self, rule: &mut Rule) -> Option<Again> {
        let asks = Arc::clone(&rule.query.text);
        let Some((known, text)) = self.first.get(&rule.id) else {
            let own = (name_of(&rule.place), asks);
            self.first.insert(rule.id.clone(), own);
            return None;
        };
        let about = |said: Diagnostic| said.at(rule.place.line.max(1), 1);
        let file = rule.place.file.as_str();
        let message = format!("another rule has the id `{}`: `{known}`", rule.id);
        let mut said = vec![about(Diagnostic::error(file, message))];
        let own = short_name_of(&rule.place);
        let is_free = !self.written.contains(&own) && !self.first.contains_key(&own);
        let is_other = is_free && *text != asks;
        if is_other {
            let message = format!(
                "it goes by `{own}`: the id `{}` is that of another rule",
                rule.id
            );
            said.push(about(Diagnostic::warning(file, message)));
            self.first.insert(own.clone(), (name_of(&rule.place), asks));
            rule.id = own;
        }
        Some(Again { is_other, said })
    }
}

/// The file, and which of its rules it is.
fn name_of(place: &Place) -> String {
    match place.number {
        Some(number) => format!("{}, rule {number}", place.file),
        None => place.file.clone(),
    }
}

/// The name of the file without its folder and ending, and which of its rules it is.
fn short_name_of(place: &Place) -> String {
    let file = place.file.rsplit('/').next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    match place.number {
        Some(number) => format!("{stem}-{number}"),
        None => stem.to_string(),
    }
}
