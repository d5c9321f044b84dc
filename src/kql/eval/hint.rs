//! "Did you mean …?"

use strsim::levenshtein;

use crate::kql::span::Fault;

/// The known name that is most like a name, where one is like it: the same in another case, or few letters away.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wanted = letters(name);
    let most = match wanted.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=11 => 2,
        _ => 3,
    };
    known
        .filter(|other| other.len().abs_diff(name.len()) <= 4)
        .map(|other| (levenshtein(&wanted, &letters(other)), other))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, other)| other)
}

/// The letters that are compared: so many at most, whatever their case.
fn letters(name: &str) -> String {
    name.to_lowercase().chars().take(64).collect()
}

/// The fault with the hint, where there is one.
pub(super) fn with(fault: Fault, name: Option<&str>) -> Fault {
    match name {
        Some(name) => fault.with_hint(format!("did you mean `{name}`?")),
        None => fault,
    }
}
