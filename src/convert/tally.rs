//! Counts by text where the texts come from exports: there may be endless different ones, and long ones.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Texts that are counted each for itself.
const COUNTED: usize = 1000;
/// Texts that are told.
const TOLD: usize = 20;
/// Characters of a text that are kept.
const LENGTH: usize = 300;

/// How often texts occurred, and where first.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    texts: BTreeMap<String, (u64, String)>,
    /// What came under further texts when there were [`COUNTED`] already.
    beyond: u64,
}

impl Tally {
    /// Counts `times` more of a text; `place` is asked when it is the first.
    pub(super) fn add(&mut self, text: &str, times: u64, place: impl FnOnce() -> String) {
        let mut key: String = text.chars().take(LENGTH).collect();
        if key.len() < text.len() {
            key.push('…');
        }
        if let Some(seen) = self.texts.get_mut(&key) {
            seen.0 += times;
        } else if self.texts.len() < COUNTED {
            self.texts.insert(key, (times, place()));
        } else {
            self.beyond += times;
        }
    }

    /// The most frequent texts, how often they occurred, and where first.
    pub fn top(&self) -> Vec<(&str, u64, &str)> {
        let mut all: Vec<(&str, u64, &str)> = self
            .texts
            .iter()
            .map(|(text, (times, place))| (text.as_str(), *times, place.as_str()))
            .collect();
        all.sort_by_key(|(text, times, _)| (Reverse(*times), *text));
        all.truncate(TOLD);
        all
    }

    /// How often other texts than those of [`Tally::top`] occurred, and how many there are (`12`, or `980 or more`).
    pub fn rest(&self) -> Option<(u64, String)> {
        let told: u64 = self.top().iter().map(|(_, times, _)| times).sum();
        let counted: u64 = self.texts.values().map(|(times, _)| times).sum();
        let times = counted + self.beyond - told;
        let texts = self.texts.len().saturating_sub(TOLD);
        match (texts, self.beyond) {
            (0, 0) => None,
            (texts, 0) => Some((times, texts.to_string())),
            (texts, _) => Some((times, format!("{texts} or more"))),
        }
    }
}

/// A reason without the places in it, so that equal faults are counted together.
pub(super) fn kind_of(reason: &str) -> String {
    let mut out = String::with_capacity(reason.len());
    let mut words = reason.split(' ').peekable();
    while let Some(word) = words.next() {
        let place = matches!(word, "byte" | "(after");
        out.push_str(word);
        if words.peek().is_some() {
            out.push(' ');
        }
        if place && let Some(next) = words.next_if(|w| w.starts_with(|c: char| c.is_ascii_digit()))
        {
            out.push('…');
            out.push_str(next.trim_start_matches(|c: char| c.is_ascii_digit()));
            if words.peek().is_some() {
                out.push(' ');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_texts_take_bounded_room_and_all_are_counted() {
        let mut tally = Tally::default();
        assert!(tally.top().is_empty());
        assert_eq!(tally.rest(), None);
        for n in 0..TOLD {
            tally.add(&format!("text {n}"), 1, || format!("line {n}"));
        }
        assert_eq!(tally.rest(), None);
        for n in 0..5000 {
            tally.add(&format!("text {n}"), 1, || format!("line {n}"));
        }
        tally.add("text 7", 10, String::new);
        let top = tally.top();
        assert_eq!(top.len(), TOLD);
        assert_eq!(top[0], ("text 7", 12, "line 7"));
        assert_eq!(top[1], ("text 0", 2, "line 0"));
        let told: u64 = top.iter().map(|(_, n, _)| n).sum();
        assert_eq!(told, 50);
        assert_eq!(tally.rest(), Some((4980, "980 or more".into())));
        let mut long = Tally::default();
        long.add(&"x".repeat(1 << 20), 1, String::new);
        assert_eq!(long.top()[0].0.chars().count(), LENGTH + 1);
    }
}
