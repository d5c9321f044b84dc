//! `reduce`: texts grouped by the words they share.

use std::collections::{BTreeMap, HashMap};

use super::argument::Rows;
use crate::function::value::{Type, Value};

/// The part of the rows that has to have a word, where no other is given.
const THRESHOLD: f64 = 0.1;
/// The pattern of texts that are in no group.
const OTHERS: &str = "others";

/// How texts are grouped.
///
/// Microsoft names a paper (R. Vaarandi, "A data clustering algorithm for mining patterns from event logs", 2003) and gives few
/// answers, some of which contradict the text. This is the plainest reading that gives the others: a word is kept if more than the
/// threshold of the rows has it at that place and it is not all digits, texts with the same kept words are a group if more than the
/// threshold of the rows are, and every other word is a wildcard. Wildcards side by side are one. A separator beside a wildcard
/// goes with it where the separators were given.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduce {
    /// `threshold`: from 0 to 1.
    pub threshold: f64,
    /// `characters`: those between words; without them, all that are no letters and digits.
    pub characters: Option<String>,
}

impl Default for Reduce {
    fn default() -> Self {
        Reduce {
            threshold: THRESHOLD,
            characters: None,
        }
    }
}

/// A text cut into words, each with what stands before it, and what stands at the end.
struct Words<'t> {
    words: Vec<(&'t str, &'t str)>,
    end: &'t str,
}

/// Kept words with their places.
type Kept<'t> = Vec<(usize, &'t str)>;

/// Texts with the same pattern.
#[derive(Default)]
struct Group {
    pattern: String,
    representative: String,
    members: Vec<usize>,
}

impl Reduce {
    /// A row for each group: its pattern, how many texts it has and the least of them. The largest group comes first; texts in no
    /// group are the last row, without a representative.
    pub fn rows(&self, texts: &[Value]) -> Rows {
        let row = |group: Group| {
            let count = i64::try_from(group.members.len()).unwrap_or(i64::MAX);
            vec![
                Value::from(group.pattern),
                Value::Long(count),
                Value::from(group.representative),
            ]
        };
        Rows {
            columns: vec![
                ("Pattern".to_owned(), Type::String),
                ("Count".to_owned(), Type::Long),
                ("Representative".to_owned(), Type::String),
            ],
            rows: self.groups(texts).into_iter().map(row).collect(),
        }
    }

    /// The pattern of each text: the column `Pattern` of `reduce kind=source`.
    pub fn patterns(&self, texts: &[Value]) -> Vec<Value> {
        let mut patterns = vec![Value::from(OTHERS); texts.len()];
        for group in self.groups(texts) {
            let pattern = Value::from(group.pattern);
            for at in group.members {
                if let Some(own) = patterns.get_mut(at) {
                    own.clone_from(&pattern);
                }
            }
        }
        patterns
    }

    fn groups(&self, texts: &[Value]) -> Vec<Group> {
        let texts: Vec<_> = texts.iter().map(Value::text).collect();
        let cut: Vec<Words> = texts.iter().map(|text| self.words(text)).collect();
        let least = self.threshold * texts.len() as f64;
        let mut counts: HashMap<(usize, &str), usize> = HashMap::new();
        for (at, (_, word)) in cut.iter().flat_map(|text| text.words.iter().enumerate()) {
            *counts.entry((at, word)).or_default() += 1;
        }
        let keeps = |place: &(usize, &str)| {
            let count = counts.get(place).copied().unwrap_or(0);
            count as f64 > least && !place.1.bytes().all(|b| b.is_ascii_digit())
        };
        let mut by_words: BTreeMap<Kept, Vec<usize>> = BTreeMap::new();
        for (at, text) in cut.iter().enumerate() {
            let words = text.words.iter().map(|(_, word)| *word).enumerate();
            by_words
                .entry(words.filter(keeps).collect())
                .or_default()
                .push(at);
        }
        let mut by_pattern: BTreeMap<String, Group> = BTreeMap::new();
        let mut others = Vec::new();
        for (kept, members) in by_words {
            let representative = members.iter().copied().min_by_key(|at| texts.get(*at));
            let pattern = match representative.and_then(|at| cut.get(at)) {
                Some(text) if !kept.is_empty() && members.len() as f64 > least => {
                    self.pattern(text, &kept)
                }
                _ => {
                    others.extend(members);
                    continue;
                }
            };
            let text = representative.and_then(|at| texts.get(at)).cloned();
            let text = text.unwrap_or_default().into_owned();
            let group = by_pattern.entry(pattern.clone()).or_default();
            if group.members.is_empty() || text < group.representative {
                group.representative = text;
            }
            group.pattern = pattern;
            group.members.extend(members);
        }
        let mut groups: Vec<Group> = by_pattern.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.members.len()));
        if !others.is_empty() {
            groups.push(Group {
                pattern: OTHERS.to_owned(),
                representative: String::new(),
                members: others,
            });
        }
        groups
    }

    fn words<'t>(&self, text: &'t str) -> Words<'t> {
        let separates = |c: char| match &self.characters {
            Some(characters) => characters.contains(c),
            None => !c.is_alphanumeric(),
        };
        let mut words = Vec::new();
        let mut rest = text;
        loop {
            let start = rest.find(|c| !separates(c)).unwrap_or(rest.len());
            let (before, word) = rest.split_at(start);
            let end = word.find(separates).unwrap_or(word.len());
            let (word, after) = word.split_at(end);
            if word.is_empty() {
                return Words { words, end: before };
            }
            words.push((before, word));
            rest = after;
        }
    }

    fn pattern(&self, text: &Words, kept: &Kept) -> String {
        let keeps_separators = self.characters.is_none();
        let mut pattern = String::new();
        let mut after_wildcard = false;
        for (at, (before, word)) in text.words.iter().enumerate() {
            let wildcard = kept.binary_search(&(at, word)).is_err();
            if wildcard && after_wildcard {
                continue;
            }
            if keeps_separators || !(wildcard || after_wildcard) {
                pattern.push_str(before);
            }
            pattern.push_str(if wildcard { "*" } else { word });
            after_wildcard = wildcard;
        }
        if keeps_separators || !after_wildcard {
            pattern.push_str(text.end);
        }
        pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(reduce: &Reduce, texts: &[String]) -> Vec<String> {
        let texts: Vec<Value> = texts
            .iter()
            .map(|text| Value::from(text.as_str()))
            .collect();
        let show = |row: &Vec<Value>| row.iter().map(Value::show).collect::<Vec<_>>().join(", ");
        reduce.rows(&texts).rows.iter().map(show).collect()
    }

    #[test]
    fn documented_answers() {
        let texts: Vec<String> = (1..=10).map(|i| format!("fooZ{i}")).collect();
        assert_eq!(rows(&Reduce::default(), &texts), ["others, 10, "]);
        let given = Reduce {
            characters: Some("Z".to_owned()),
            ..Reduce::default()
        };
        assert_eq!(rows(&given, &texts), ["foo*, 10, fooZ1"]);
        let texts: Vec<String> = (0..1000).map(|i| format!("LearningX{}", i % 10)).collect();
        let given = Reduce {
            threshold: 0.001,
            characters: Some("X".to_owned()),
        };
        assert_eq!(rows(&given, &texts), ["Learning*, 1000, LearningX0"]);
    }

    #[test]
    fn words_by_their_place_and_all_others_as_wildcards() {
        let texts = [
            "login of ann from 192.0.2.1",
            "login of bob from 192.0.2.77",
            "login of eve from 198.51.100.3",
            "reboot",
            "",
        ];
        let texts = texts.map(str::to_owned);
        let reduce = Reduce {
            threshold: 0.4,
            ..Reduce::default()
        };
        let found = rows(&reduce, &texts);
        let login = "login of * from *, 3, login of ann from 192.0.2.1";
        assert_eq!(found, [login, "others, 2, "]);
        let texts = texts.map(Value::from);
        let patterns = reduce.patterns(&texts);
        assert_eq!(patterns.first(), Some(&Value::from("login of * from *")));
        assert_eq!(patterns.last(), Some(&Value::from("others")));
    }
}
