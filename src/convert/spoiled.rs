//! Blocks that coldtrail fails on after they were converted: while repeats are told from new events, while rows are derived from these, or
//! while a file is written. Their rows may be in many places by then: among the keys, the derived rows, in files with rows of others. So
//! nothing is committed of what was read since the last commit. It is read once more, and such a block goes to quarantine, as one does
//! that cannot be converted.

use std::collections::{BTreeMap, BTreeSet};

use super::summary::Fault;
use super::writer::Failed;
use crate::archive::ledger::Entry;
use crate::fault::{Error, Result};

/// Blocks by the name of their file and the byte at which they begin; and what coldtrail fails at.
pub(super) type Failing = BTreeMap<(String, u64), String>;

/// Such blocks among those that are read.
pub(super) struct Spoiled<'a> {
    fault: Fault,
    /// Found when the same was read before.
    before: &'a Failing,
    /// Found since.
    found: Failing,
    /// The byte at which blocks begin, by ingest and by how many records of the file stand before them. Only what is not committed yet.
    begins: BTreeMap<(i64, u64), u64>,
}

impl<'a> Spoiled<'a> {
    pub(super) fn new(before: &'a Failing, fault: Fault) -> Self {
        Spoiled {
            fault,
            before,
            found: Failing::new(),
            begins: BTreeMap::new(),
        }
    }

    /// Notes the block that follows on the records of a file; returns what coldtrail fails at, where it is known to fail.
    pub(super) fn enter(&mut self, entry: &Entry, offset: u64) -> Option<&'a str> {
        self.begins.insert((entry.id, entry.records), offset);
        if self.before.is_empty() {
            return None;
        }
        let known = self.before.get(&(entry.file.clone(), offset));
        known.map(String::as_str)
    }

    /// Notes that coldtrail fails on a block.
    ///
    /// # Errors
    /// When the user wants nothing left out.
    pub(super) fn note(&mut self, entry: &Entry, offset: u64, why: String) -> Result<()> {
        if self.fault == Fault::Stop {
            return Err(Error::Strict {
                path: entry.file.clone().into(),
                place: format!("the block at byte {offset} "),
                reason: why,
            });
        }
        let place = (entry.file.clone(), offset);
        self.found.entry(place).or_insert(why);
        Ok(())
    }

    /// Notes the blocks of rows that could not be written.
    ///
    /// # Errors
    /// When the user wants nothing left out, or the rows are of none of these files.
    pub(super) fn unwritten<'e>(
        &mut self,
        failed: Failed,
        files: impl Iterator<Item = &'e Entry>,
    ) -> Result<()> {
        let mut blocks: BTreeSet<(i64, u64)> = BTreeSet::new();
        for (ingest, record) in failed.rows {
            let mut before = self.begins.range((ingest, 0)..(ingest, record));
            blocks.extend(before.next_back().map(|(_, offset)| (ingest, *offset)));
        }
        let mut is_named = false;
        for entry in files {
            for (_, offset) in blocks.range((entry.id, 0)..=(entry.id, u64::MAX)) {
                self.note(entry, *offset, failed.why.clone())?;
                is_named = true;
            }
        }
        match is_named {
            true => Ok(()),
            false => Err(failed.error),
        }
    }

    pub(super) fn is_any(&self) -> bool {
        !self.found.is_empty()
    }

    /// Those that were found.
    pub(super) fn take(&mut self) -> Failing {
        std::mem::take(&mut self.found)
    }

    /// All that was read is committed.
    pub(super) fn settle(&mut self) {
        self.begins.clear();
    }
}
