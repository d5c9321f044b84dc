//! Which rules of two sets belong together. Knows no alerts.
//!
//! Those with the same id or the same name do. What has no such partner may be of any rule that has none: so an analytics rule is held against the
//! custom detection made of it, whatever that is called.

use std::collections::{BTreeMap, HashSet};

/// Which rules of two sets belong together: by id, what they have in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partners(BTreeMap<String, String>);

impl Partners {
    /// Those of two sets, each rule with its id and its name.
    pub fn of(first: &[(&str, &str)], second: &[(&str, &str)]) -> Partners {
        let (same_ids, same_names) = (&ids(first) & &ids(second), &names(first) & &names(second));
        let mut partners = BTreeMap::new();
        for (id, name) in first.iter().chain(second) {
            let name = name.to_lowercase();
            if same_ids.contains(id) {
                partners.insert((*id).to_string(), format!("id {id}"));
            } else if same_names.contains(&name) {
                partners.insert((*id).to_string(), format!("name {name}"));
            }
        }
        Partners(partners)
    }

    /// What the rules that belong to one have in common; nothing for those without a partner.
    pub(super) fn common(&self, rule: &str) -> &str {
        self.0.get(rule).map_or("", String::as_str)
    }
}

fn ids<'r>(rules: &[(&'r str, &'r str)]) -> HashSet<&'r str> {
    rules.iter().map(|(id, _)| *id).collect()
}

fn names(rules: &[(&str, &str)]) -> HashSet<String> {
    rules.iter().map(|(_, name)| name.to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_the_same_id_or_name_belong_together_and_others_to_any() {
        let partners = Partners::of(
            &[("a", "Sign-ins"), ("b", "Mails"), ("c", "Files")],
            &[("x", "SIGN-INS"), ("b", "Mail"), ("y", "Folders")],
        );
        let together = |first, second| partners.common(first) == partners.common(second);
        for (first, second) in [("a", "x"), ("b", "b"), ("c", "y")] {
            assert!(together(first, second), "{first} {second}");
        }
        for (first, second) in [("a", "b"), ("a", "y"), ("b", "x"), ("c", "x")] {
            assert!(!together(first, second), "{first} {second}");
        }
    }
}
