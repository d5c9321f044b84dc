use super::*;
use std::collections::HashSet;

#[test]
fn names_are_unique_within_a_kind_and_documented() {
    let mut names = HashSet::new();
    for entry in all() {
        assert!(
            names.insert((entry.kind, entry.name)),
            "{} twice",
            entry.name
        );
        assert!(!entry.doc.is_empty(), "{} has no doc", entry.name);
        assert!(
            entry.answer.is_empty() || !entry.example.is_empty(),
            "{}",
            entry.name
        );
    }
}

#[test]
fn examples_parse() {
    for entry in all().filter(|entry| !entry.example.is_empty()) {
        let (_, faults) = super::super::parse(entry.example);
        assert!(faults.is_empty(), "{}: {faults:?}", entry.example);
    }
}
