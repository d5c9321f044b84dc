//! Paths of values that are wanted of a record.

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_128;

use super::super::expected::Expected;
use crate::text::json::Raw;

/// Paths to pick from a record, as a tree.
#[derive(Debug, Default)]
pub struct Paths {
    all: Vec<Wanted>,
    places: HashMap<&'static str, usize>,
}

/// A key that leads to a value, or to more keys.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Its number among its siblings.
    pub(super) number: usize,
    /// Fingerprint of the key.
    pub(super) print: u128,
    pub(super) slot: Option<usize>,
    pub(super) below: Option<Paths>,
}

impl Paths {
    /// Adds a path (keys joined by `.`) whose value goes to this slot.
    ///
    /// # Panics
    /// Beyond 256 keys of one object.
    pub fn add(&mut self, path: &'static str, slot: usize) {
        let (head, rest) = match path.split_once('.') {
            None => (path, None),
            Some((head, rest)) => (head, Some(rest)),
        };
        let number = *self.places.entry(head).or_insert(self.all.len());
        assert!(number < MOST_WANTED, "the catalog has too many paths");
        if number == self.all.len() {
            self.all.push(Wanted {
                number,
                print: xxh3_128(head.as_bytes()),
                ..Wanted::default()
            });
        }
        let child = &mut self.all[number];
        match rest {
            None => child.slot = Some(slot),
            Some(rest) => child
                .below
                .get_or_insert_with(Paths::default)
                .add(rest, slot),
        }
    }

    /// What is wanted of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Wanted> {
        self.places.get(key).map(|at| &self.all[*at])
    }
}

/// What is known of a key.
#[derive(Clone, Copy)]
struct Key {
    /// Number of what is wanted of it.
    wanted: Option<usize>,
    print: u128,
}

/// Keys of records that are walked with one and the same [`Paths`], in the order in which they stand there: most are found with one
/// comparison.
#[derive(Default)]
pub struct KeyOrder(Expected<Key>);

impl KeyOrder {
    /// What is wanted of a key, and the key's fingerprint.
    pub(super) fn find<'p>(&mut self, key: &str, paths: &'p Paths) -> (Option<&'p Wanted>, u128) {
        let known = *self.0.of(key, || {
            let wanted = paths.get(key);
            Key {
                wanted: wanted.map(|w| w.number),
                print: wanted.map_or_else(|| xxh3_128(key.as_bytes()), |w| w.print),
            }
        });
        (known.wanted.map(|at| &paths.all[at]), known.print)
    }
}

impl Wanted {
    /// Takes back what was picked here and below: an equal key follows.
    pub(super) fn forget<'a>(&self, pick: &mut dyn FnMut(usize, Raw<'a>)) {
        if let Some(slot) = self.slot {
            pick(slot, Raw::Null);
        }
        for child in self.below.iter().flat_map(|below| &below.all) {
            child.forget(pick);
        }
    }
}

/// Most wanted keys of one object.
const MOST_WANTED: usize = 256;

/// Which wanted keys of one object were there.
#[derive(Default)]
pub(super) struct Seen([u64; MOST_WANTED / 64]);

impl Seen {
    /// Notes a key; returns whether it was there before.
    #[inline] // it runs for every wanted key of every record
    pub(super) fn again(&mut self, number: usize) -> bool {
        let (word, bit) = (&mut self.0[number / 64], 1u64 << (number % 64));
        let again = *word & bit != 0;
        *word |= bit;
        again
    }
}
