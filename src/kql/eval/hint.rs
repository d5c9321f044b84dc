//! "Did you mean …?"

use crate::kql::span::Fault;

/// The known name that is most like a name, where one is like it: the same in another case, or few letters away.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let letters: Vec<char> = name.to_lowercase().chars().take(64).collect();
    let most = match letters.len() {
        0..=2 => 0,
        3..=5 => 1,
        6..=11 => 2,
        _ => 3,
    };
    known
        .filter(|other| other.len().abs_diff(name.len()) <= 4)
        .map(|other| (distance(&letters, other), other))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, other)| other)
}

/// Letters to add, drop or change to get from one name to the other, whatever their case.
fn distance(letters: &[char], other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in letters.iter().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let change = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

/// The fault with the hint, where there is one.
pub(super) fn with(fault: Fault, name: Option<&str>) -> Fault {
    match name {
        Some(name) => fault.with_hint(format!("did you mean `{name}`?")),
        None => fault,
    }
}
