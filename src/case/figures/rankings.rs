//! The most frequent of something, counted as events come by.

use std::collections::HashMap;

use super::picture::{MOST_ROWS, Ranked, Ranking};
use crate::case::shortened::{LONG, shortened};

/// Bytes of a name in a map beside its text: the name, its list, and room that a map keeps free.
const OVERHEAD: usize = 96;

/// Counts by name, each split by what happened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    names: HashMap<String, Vec<u64>>,
    unnamed: u64,
    bytes: usize,
}

impl Counts {
    /// One more of a name; `slot` says which of its counts.
    pub(super) fn add(&mut self, name: Option<&str>, slot: usize) {
        let Some(name) = name else {
            self.unnamed += 1;
            return;
        };
        let counts = match self.names.get_mut(name) {
            Some(counts) => counts,
            None => {
                self.bytes += name.len() + OVERHEAD;
                self.names.entry(name.to_string()).or_default()
            }
        };
        if counts.len() <= slot {
            self.bytes += (slot + 1 - counts.len()) * size_of::<u64>();
            counts.resize(slot + 1, 0);
        }
        counts[slot] += 1;
    }

    /// How much memory it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The names with most, with their counts in this order of slots; without counts where no slot is named.
    pub(super) fn ranking(&self, order: &[usize]) -> Ranking {
        let mut all: Vec<(&str, u64, &[u64])> = self
            .names
            .iter()
            .map(|(name, counts)| (name.as_str(), counts.iter().sum(), counts.as_slice()))
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let ordered = |counts: &[u64]| -> Vec<u64> {
            let slots = order.iter();
            slots
                .map(|slot| counts.get(*slot).copied().unwrap_or(0))
                .collect()
        };
        let shown = all.len().min(MOST_ROWS);
        let (shown, rest) = all.split_at(shown);
        let mut others = Vec::new();
        if !rest.is_empty() {
            others = vec![0; order.len()];
            for (_, _, counts) in rest {
                for (sum, n) in others.iter_mut().zip(ordered(counts)) {
                    *sum += n;
                }
            }
            if order.is_empty() {
                others.push(rest.iter().map(|row| row.1).sum());
            }
        }
        Ranking {
            rows: shown
                .iter()
                .map(|(name, total, counts)| Ranked {
                    name: shortened(name, LONG),
                    total: *total,
                    counts: ordered(counts),
                })
                .collect(),
            other_names: rest.len() as u64,
            others,
            unnamed: self.unnamed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_most_is_summed_up() {
        let mut counts = Counts::default();
        for n in 0..MOST_ROWS + 2 {
            let name = format!("user{n:03}");
            counts.add(Some(&name), 1);
            counts.add(Some(&name), 0);
        }
        counts.add(Some("zoe"), 2);
        counts.add(Some("zoe"), 2);
        counts.add(Some("zoe"), 2);
        counts.add(None, 0);
        let ranking = counts.ranking(&[2, 1]);
        assert_eq!(ranking.rows.len(), MOST_ROWS);
        assert_eq!(ranking.rows[0].name, "zoe");
        assert_eq!(
            (ranking.rows[0].total, ranking.rows[0].counts.as_slice()),
            (3, &[3, 0][..])
        );
        assert_eq!(ranking.rows[1].name, "user000");
        assert_eq!((ranking.other_names, ranking.unnamed), (3, 1));
        assert_eq!(ranking.others, [0, 3]);
        assert_eq!(counts.ranking(&[]).others, [6]);
    }
}
