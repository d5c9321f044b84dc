//! Numbers of an ingest: in memory, and in runs of its own where they take too much of that.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use hashbrown::HashMap;
use rayon::slice::ParallelSliceMut;

use super::sorted::{self, Low, Run, Span};
use super::store::STAGED;
use crate::fault::{Error, Result};

/// The bits of a number in halves: 24 bytes an entry instead of the 32 that a `u128` key would take.
type Halves = [u64; 2];

/// A map in shards: each grows for itself. One map would hold its old and its new table at once whenever it grows, and up to half
/// of the new one would be empty.
struct Shards(Vec<HashMap<Halves, u64>>);

/// Shards of a map.
const SHARDS: usize = 256;

impl Default for Shards {
    fn default() -> Self {
        Shards((0..SHARDS).map(|_| HashMap::new()).collect())
    }
}

/// By the first bits, which are those of a hash.
fn shard(key: Halves) -> usize {
    (key[0] >> 56) as usize
}

fn halves(x: u128) -> Halves {
    [(x >> 64) as u64, x as u64]
}

/// Numbers of an ingest.
pub(super) struct Pile {
    low: Low,
    /// Where its runs lie until the next commit, which clears that folder.
    folder: PathBuf,
    /// The oldest first.
    runs: Vec<Run>,
    /// The number of the next one.
    next: u64,
    /// What is in no run: the low bits by the identity.
    fresh: Shards,
    len: usize,
}

impl Pile {
    pub(super) fn new(low: Low, folder: PathBuf) -> Pile {
        Pile {
            low,
            folder,
            runs: Vec::new(),
            next: 0,
            fresh: Shards::default(),
            len: 0,
        }
    }

    /// Identities in memory.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The low bits of an identity, where it is in memory.
    pub(super) fn fresh(&self, identity: u128) -> Option<u64> {
        let key = halves(identity);
        self.fresh.0[shard(key)].get(&key).copied()
    }

    /// The runs, in which others are.
    pub(super) fn runs(&mut self) -> &mut [Run] {
        &mut self.runs
    }

    /// How often an identity was counted.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub(super) fn counted(&mut self, identity: u128) -> Result<u64> {
        let fresh = self.fresh(identity).unwrap_or(0);
        Ok(fresh + sorted::counted(&mut self.runs, identity)?)
    }

    /// Adds to the low bits of an identity; one that is not in memory has none.
    pub(super) fn add(&mut self, identity: u128, low: u64) {
        let key = halves(identity);
        let shard = &mut self.fresh.0[shard(key)];
        let before = shard.len();
        *shard.entry(key).or_insert(0) += low;
        self.len += shard.len() - before;
    }

    /// Moves what is in memory to a run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn spill(&mut self) -> Result<()> {
        let fresh = self.take_fresh();
        self.write(fresh)
    }

    fn take_fresh(&mut self) -> Vec<u128> {
        let mut list = Vec::with_capacity(std::mem::take(&mut self.len));
        for shard in std::mem::take(&mut self.fresh).0 {
            let number = |(key, low): (Halves, u64)| {
                u128::from(key[0]) << 64 | u128::from(key[1]) | u128::from(low)
            };
            list.extend(shard.into_iter().map(number));
        }
        list
    }

    /// Writes a run of these numbers.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&mut self, mut list: Vec<u128>) -> Result<()> {
        list.par_sort_unstable();
        let short = sorted::take_short(&mut self.runs, list.len() as u64);
        // What a crash leaves has a name by which it is cleared away.
        let path = self.folder.join(format!("{}{STAGED}", self.next));
        self.next += 1;
        let run = sorted::write(&path, self.low, &Span::default(), &short, &list)?;
        self.runs.push(run);
        remove(short)
    }

    /// Takes all away: the runs, and what was in memory, sorted.
    pub(super) fn take(&mut self) -> (Vec<Run>, Vec<u128>) {
        let mut list = self.take_fresh();
        list.par_sort_unstable();
        (std::mem::take(&mut self.runs), list)
    }

    /// Forgets all.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub(super) fn clear(&mut self) -> Result<()> {
        if self.len > 0 {
            self.len = 0;
            self.fresh = Shards::default();
        }
        remove(std::mem::take(&mut self.runs))
    }
}

/// Removes runs with their files.
///
/// # Errors
/// When a file is there and cannot be removed.
pub(super) fn remove(runs: Vec<Run>) -> Result<()> {
    let paths: Vec<PathBuf> = runs.iter().map(|r| r.path().to_path_buf()).collect();
    // Not every system removes a file that is open.
    drop(runs);
    for path in paths {
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io("remove", &path)(e)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
