//! Which events a table has: their identities and fingerprints, read back from its files.

use arrow::array::{Array, AsArray, RecordBatch};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use rayon::prelude::*;

use super::{Archive, Snapshot, part};
use crate::catalog::{FINGERPRINT, Table};
use crate::fault::Result;

/// Halves of a 128-bit hash: 24 bytes an entry instead of the 32 that a `u128` key would take.
type Halves = [u64; 2];

/// A map in shards: each grows for itself. One map would hold its old and its new table at once whenever it grows, and up to half
/// of the new one would be empty.
struct Shards<V>(Vec<HashMap<Halves, V>>);

/// Shards of a map.
const SHARDS: usize = 256;

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Shards((0..SHARDS).map(|_| HashMap::new()).collect())
    }
}

impl<V> Shards<V> {
    fn of(&self, key: Halves) -> &HashMap<Halves, V> {
        &self.0[shard(key)]
    }

    fn of_mut(&mut self, key: Halves) -> &mut HashMap<Halves, V> {
        &mut self.0[shard(key)]
    }
}

/// Not every identity is random in all its bits: those of the bits that are not are mixed in.
fn shard(key: Halves) -> usize {
    let mixed = (key[0] ^ key[1]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as usize
}

/// Events of one table.
#[derive(Default)]
pub struct Keys {
    events: Shards<u64>,
    /// Rows without an identity, counted by content, over all files so far.
    contents: Shards<u32>,
}

/// What is known of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing yet; it is now.
    New,
    /// The same content.
    Same,
    /// The same identity, another content.
    Differs,
}

fn halves(x: u128) -> Halves {
    [(x >> 64) as u64, x as u64]
}

impl Keys {
    /// Notes an event with an identity.
    pub fn note(&mut self, id: u128, print: u128) -> Known {
        let id = halves(id);
        match self.events.of_mut(id).entry(id) {
            Entry::Vacant(slot) => {
                slot.insert(print as u64);
                Known::New
            }
            Entry::Occupied(slot) if *slot.get() == print as u64 => Known::Same,
            Entry::Occupied(_) => Known::Differs,
        }
    }

    /// Notes that a file has this content for the `occurrence`th time (from 0). Equal rows of one file are different events; the
    /// same rows in another file are repeats.
    pub fn note_content(&mut self, print: u128, occurrence: u32) -> Known {
        let print = halves(print);
        let seen = self.contents.of_mut(print).entry(print).or_insert(0);
        if occurrence < *seen {
            Known::Same
        } else {
            *seen += 1;
            Known::New
        }
    }

    /// How many rows of this content are known.
    pub fn occurrences(&self, print: u128) -> u32 {
        let print = halves(print);
        self.contents.of(print).get(&print).copied().unwrap_or(0)
    }
}

/// Reads the keys of a table.
///
/// # Errors
/// When a file cannot be read.
pub fn load(
    archive: &Archive,
    snapshot: &Snapshot,
    table: &'static Table,
    id_key: fn(&str) -> Option<u128>,
) -> Result<Keys> {
    let files = snapshot.files(table);
    let names: Vec<&str> = table
        .identity
        .map(|i| table.columns[i].name)
        .into_iter()
        .chain([FINGERPRINT])
        .collect();
    let parts: Vec<Result<Vec<RecordBatch>>> = files
        .par_iter()
        .map(|f| part::read(archive.store(), table, &f.path, Some(&names)))
        .collect();
    let mut keys = Keys::default();
    for part in parts {
        for batch in part? {
            let prints = batch
                .column_by_name(FINGERPRINT)
                .and_then(|c| c.as_binary_opt::<i32>());
            let ids = table
                .identity
                .and_then(|i| batch.column_by_name(table.columns[i].name))
                .and_then(|c| c.as_string_opt::<i32>());
            for row in 0..batch.num_rows() {
                let print = prints
                    .filter(|p| p.is_valid(row))
                    .and_then(|p| <[u8; 16]>::try_from(p.value(row)).ok())
                    .map_or(0, u128::from_be_bytes);
                let id = ids
                    .filter(|i| !table.by_content && i.is_valid(row))
                    .and_then(|i| id_key(i.value(row)));
                match (id, table.identity) {
                    (Some(id), _) => {
                        keys.note(id, print);
                    }
                    (None, Some(_)) => {
                        keys.note(content_id(print), print);
                    }
                    (None, None) => {
                        let next = keys.occurrences(print);
                        keys.note_content(print, next);
                    }
                }
            }
        }
    }
    Ok(keys)
}

/// Identity of an event whose identity column is empty: its content.
pub fn content_id(print: u128) -> u128 {
    print.rotate_left(64) ^ 0x006e_6f20_6964
}
