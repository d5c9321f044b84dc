//! Which events a table has: what an ingest asks for each record, whatever the size of the archive.
//!
//! Identities lie in sorted runs below `_keys`, one folder a table. A run stands for the rows of successive ingests, is written with their commit
//! and found right by the archive's digest after the last of them and by the rows that the ledger has of them. Nothing is loaded: an identity
//! is looked for in each run, and there are few, since an ingest merges short ones. So it does not matter under which day an event comes back. What is
//! new waits in memory and goes to runs of its own when that takes too much.
//!
//! Runs are worked out from the tables. Where one is missing, damaged, or not of this archive, as after a repair or in an archive of an older version, the
//! rows that it would stand for are read again, by the next ingest into their table.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

use super::delta::FileEntry;
use super::ledger::Ledger;
use super::pile::{self, Pile};
use super::sorted::{self, Low, Run, Span};
use super::store::KEYS;
use super::{Archive, Lock, Pinned, Snapshot, part};
use crate::catalog::{FINGERPRINT, INGEST_ID, Table};
use crate::fault::{Error, Result};

pub mod checked;

/// What the name of a run ends with.
const RUN: &str = "keys";
/// Identities of rows that are read again, in memory at once: 64 MiB.
const READ_AGAIN: usize = 4 << 20;

/// How events are told apart. Not every identity is random in all its bits: its hash is.
fn hashed(id: u128) -> u128 {
    sorted::identity(xxh3_128(&id.to_be_bytes()))
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

/// By what the rows of a table are told apart.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Column that names an event, where there is one.
    pub column: Option<&'static str>,
    /// The identity that this text names in a row of this content; rows without one are told apart by their content.
    pub key: fn(&str, u128) -> Option<u128>,
}

/// Events of one table.
pub struct Keys {
    low: Low,
    folder: PathBuf,
    /// Of what the archive has, the oldest first.
    runs: Vec<Run>,
    /// What this ingest adds: contents, or for rows without identities how often each content was seen.
    added: Pile,
    /// How often each content was seen in the file that is being read, and the number of its ingest.
    file: Pile,
    ingest: i64,
    /// Runs that others stand for, once the commit is done.
    replaced: Vec<Run>,
}

impl Keys {
    /// The keys of a table. What the runs lack is read from its files.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn open(
        archive: &Archive,
        _lock: &Lock,
        snapshot: &Snapshot,
        table: &'static Table,
        identity: Identity,
    ) -> Result<Keys> {
        let folder = archive.root().join(KEYS).join(table.name);
        let staging = archive.staging().join(KEYS).join(table.name);
        let ledger = &snapshot.ledger;
        let (runs, others) = runs_in(&folder, ledger, table)?;
        for path in &others {
            fs::remove_file(path).map_err(Error::io("remove", path))?;
        }
        let covered = runs.last().map_or(0, |run| run.span.to);
        let low = low_of(table, identity);
        let mut keys = Keys {
            low,
            added: Pile::new(low, staging.join("added")),
            file: Pile::new(Low::Count, staging.join("file")),
            folder,
            runs,
            ingest: 0,
            replaced: Vec::new(),
        };
        let lacking = ledger.entries.iter().filter(|e| e.id > covered);
        let mut own = lacking.clone().filter(|e| e.rows_of(table.name) > 0);
        if let Some(first) = own.next() {
            let batch = lacking.map(|e| e.batch).min().unwrap_or(0);
            let files = snapshot.files(table).iter();
            let files: Vec<_> = files.filter(|f| may_have(f, batch)).collect();
            let wanted = Wanted {
                table,
                identity,
                low,
                covered,
            };
            let mut list = Vec::new();
            for files in files.chunks(rayon::current_num_threads()) {
                let read = |file: &&FileEntry| wanted.numbers(archive, file);
                let numbers: Vec<Result<Vec<u128>>> = files.par_iter().map(read).collect();
                for numbers in numbers {
                    list.extend(numbers?);
                }
                if list.len() > READ_AGAIN {
                    keys.added.write(std::mem::take(&mut list))?;
                }
            }
            if !list.is_empty() {
                keys.added.write(list)?;
            }
            keys.seal(first.id, ledger.next_id() - 1, &ledger.digest())?;
            keys.tidy()?;
        }
        Ok(keys)
    }

    /// Identities in memory.
    pub fn len(&self) -> usize {
        self.added.len() + self.file.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes an event with an identity.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn note(&mut self, id: u128, print: u128) -> Result<Known> {
        let (id, print) = (hashed(id), sorted::low(print));
        let compared = |other: u64| match other == print {
            true => Known::Same,
            false => Known::Differs,
        };
        if let Some(other) = self.added.fresh(id) {
            return Ok(compared(other));
        }
        let mut known = Known::New;
        for run in self.added.runs().iter_mut().chain(&mut self.runs) {
            for other in run.find(id)? {
                known = compared(other);
                if known == Known::Same {
                    return Ok(known);
                }
            }
        }
        if known == Known::New {
            self.added.add(id, print);
        }
        Ok(known)
    }

    /// Notes that the file of this ingest has this content once more. Equal rows of one file are different events; the same rows in another file are
    /// repeats.
    ///
    /// # Errors
    /// When a run cannot be read or written.
    pub fn note_content(&mut self, print: u128, ingest: i64) -> Result<Known> {
        if self.ingest != ingest {
            self.file.clear()?;
            self.ingest = ingest;
        }
        let id = hashed(print);
        let before = self.file.counted(id)?;
        self.file.add(id, 1);
        let seen = self.added.counted(id)? + sorted::counted(&mut self.runs, id)?;
        if before < seen {
            return Ok(Known::Same);
        }
        self.added.add(id, 1);
        Ok(Known::New)
    }

    /// Moves identities from memory to the disk.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn spill(&mut self) -> Result<()> {
        match self.file.len() > self.added.len() {
            true => self.file.spill(),
            false => self.added.spill(),
        }
    }

    /// Writes a run of what was added by these ingests, of which all files are read. `digest` is the archive's after the last one. To be called before
    /// their commit, which clears the staging folder: a run of a commit that did not happen counts for nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn seal(&mut self, from: i64, to: i64, digest: &str) -> Result<()> {
        self.file.clear()?;
        let (mut sources, list) = self.added.take();
        let count = list.len() as u64 + sorted::count(&sources);
        if count == 0 {
            return Ok(());
        }
        let staged = sources.len();
        sources.extend(sorted::take_short(&mut self.runs, count));
        let short = sources[staged..].iter();
        let from = short.map(|r| r.span.from).fold(from, i64::min);
        let span = Span {
            from,
            to,
            digest: digest.to_string(),
        };
        let path = self.folder.join(format!("{from:010}-{to:010}.{RUN}"));
        let run = sorted::write_lasting(&path, self.low, &span, &sources, &list)?;
        self.runs.push(run);
        self.replaced.extend(sources.drain(staged..));
        pile::remove(sources)
    }

    /// Removes the runs that others stand for. To be called after the commit: until then they are the ones that count.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn tidy(&mut self) -> Result<()> {
        pile::remove(std::mem::take(&mut self.replaced))
    }
}

/// The events of a table at one moment, for questions.
pub struct Events {
    runs: Vec<Run>,
}

impl Events {
    /// What ingests know of the events of a table; nothing where that is not all of them, or some of them are there no more.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(archive: &Pinned, table: &'static Table) -> Result<Option<Events>> {
        let folder = archive.root().join(KEYS).join(table.name);
        let ledger = archive.known()?;
        let rows: u64 = archive.files(table)?.iter().map(|f| f.rows).sum();
        // Another program may have deleted rows, or added some.
        if rows != ledger.rows_of(table.name) {
            return Ok(None);
        }
        let (runs, _) = runs_in(&folder, &ledger, table)?;
        let covered = runs.last().map_or(0, |run| run.span.to);
        let mut own = ledger.entries.iter();
        let all = own.all(|e| e.id <= covered || e.rows_of(table.name) == 0);
        Ok(all.then_some(Events { runs }))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        sorted::count(&self.runs)
    }

    /// Whether one of them has this identity: a look into each run, which costs less than to read them all while little is looked for.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn has(&mut self, id: u128) -> Result<bool> {
        let id = hashed(id);
        for run in &mut self.runs {
            if run.find(id)?.next().is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads their identities.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn read(&self) -> Result<Identities> {
        let mut all = Vec::with_capacity(usize::try_from(self.count()).unwrap_or(0));
        for run in &self.runs {
            run.add_identities(&mut all)?;
        }
        // Each run is in order: a sort that is stable finds that and merges them.
        all.sort();
        Ok(Identities(all))
    }
}

/// Identities in memory.
pub struct Identities(Vec<u128>);

impl Identities {
    /// These.
    pub fn of(ids: impl Iterator<Item = u128>) -> Identities {
        let mut all: Vec<u128> = ids.map(hashed).collect();
        all.sort_unstable();
        Identities(all)
    }

    /// What so many take in memory.
    pub fn bytes(count: u64) -> usize {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        count.saturating_mul(size_of::<u128>())
    }

    /// Whether this one is among them.
    pub fn has(&self, id: u128) -> bool {
        self.0.binary_search(&hashed(id)).is_ok()
    }

    /// Whether this one is among them more than once.
    pub fn is_repeated(&self, id: u128) -> bool {
        let id = hashed(id);
        let from = self.0.partition_point(|other| *other < id);
        self.0[from..].starts_with(&[id, id])
    }

    /// Whether any is among them more than once.
    pub fn has_repeats(&self) -> bool {
        self.0.windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// What is known of the events of a table.
fn low_of(table: &Table, identity: Identity) -> Low {
    match table.identity.is_some() || identity.column.is_some() {
        true => Low::Print,
        false => Low::Count,
    }
}

/// The runs that stand for a table's rows from its first ingest on, without a gap; and the other files in their folder.
fn runs_in(folder: &Path, ledger: &Ledger, table: &Table) -> Result<(Vec<Run>, Vec<PathBuf>)> {
    let (mut there, mut others) = (Vec::new(), Vec::new());
    // An archive may come from a stranger: no links.
    if fs::symlink_metadata(folder).is_ok_and(|data| data.is_dir()) {
        for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
            let entry = entry.map_err(Error::io("read", folder))?;
            let path = entry.path();
            let own = path.extension().is_some_and(|x| x == RUN || x == "tmp");
            let kind = entry.file_type().map_err(Error::io("read", &path))?;
            if !own || !kind.is_file() {
                continue;
            }
            // What breaks off has the other name.
            let whole = Run::open(&path)?.filter(|_| path.extension().is_some_and(|x| x == RUN));
            match whole {
                Some(run) if is_right(&run, ledger, table) => there.push(run),
                Some(_) | None => others.push(path),
            }
        }
    }
    let mut chosen: Vec<Run> = Vec::new();
    for entry in ledger.entries.iter().filter(|e| e.rows_of(table.name) > 0) {
        let covered = chosen.last().map_or(0, |run| run.span.to);
        if entry.id <= covered {
            continue;
        }
        let fits = |span: &Span| span.from > covered && (span.from..=span.to).contains(&entry.id);
        let fitting = (0..there.len()).filter(|n| fits(&there[*n].span));
        match fitting.max_by_key(|n| there[*n].span.to) {
            Some(n) => chosen.push(there.swap_remove(n)),
            None => break,
        }
    }
    others.extend(there.iter().map(|run| run.path().to_path_buf()));
    Ok((chosen, others))
}

/// Whether a run stands for what the ledger has of these ingests.
fn is_right(run: &Run, ledger: &Ledger, table: &Table) -> bool {
    let span = &run.span;
    let own = ledger.entries.iter();
    let own = own.filter(|e| (span.from..=span.to).contains(&e.id));
    let rows: u64 = own.map(|e| e.rows_of(table.name)).sum();
    rows == run.rows && ledger.digest_after(span.to) == span.digest
}

/// Whether a file may have rows of this batch or a later one.
fn may_have(file: &FileEntry, batch: i64) -> bool {
    part::batch_of(file.name()).is_none_or(|own| own >= batch)
}

/// Rows that no run stands for.
struct Wanted {
    table: &'static Table,
    identity: Identity,
    low: Low,
    /// The last ingest of the runs that there are.
    covered: i64,
}

impl Wanted {
    /// The numbers of the rows of a file.
    fn numbers(&self, archive: &Archive, file: &FileEntry) -> Result<Vec<u128>> {
        let mut out = Vec::new();
        self.each(archive, file, |_, number| out.push(number))?;
        Ok(out)
    }

    /// Reads the rows of a file: the ingest and the number of each.
    fn each(
        &self,
        archive: &Archive,
        file: &FileEntry,
        mut row: impl FnMut(i64, u128),
    ) -> Result<()> {
        let column = self.identity.column.into_iter();
        let names: Vec<&str> = column.chain([FINGERPRINT, INGEST_ID]).collect();
        let (store, table) = (archive.store(), self.table);
        part::each(store, table, &file.path, Some(&names), |batch| {
            self.add(&batch, &mut row);
            Ok(())
        })
    }

    fn add(&self, batch: &RecordBatch, told: &mut impl FnMut(i64, u128)) {
        let prints = batch
            .column_by_name(FINGERPRINT)
            .and_then(|c| c.as_binary_opt::<i32>());
        let texts = self
            .identity
            .column
            .and_then(|name| batch.column_by_name(name))
            .and_then(|c| c.as_string_opt::<i32>());
        let ingests = batch
            .column_by_name(INGEST_ID)
            .and_then(|c| c.as_primitive_opt::<Int64Type>());
        for row in 0..batch.num_rows() {
            let ingest = ingests
                .filter(|i| i.is_valid(row))
                .map_or(0, |i| i.value(row));
            if self.covered > 0 && ingest <= self.covered {
                continue;
            }
            let print = prints
                .filter(|p| p.is_valid(row))
                .and_then(|p| <[u8; 16]>::try_from(p.value(row)).ok())
                .map_or(0, u128::from_be_bytes);
            let id = texts
                .filter(|t| t.is_valid(row))
                .and_then(|t| (self.identity.key)(t.value(row), print));
            let low = u128::from(sorted::low(print));
            let number = match (id, self.low) {
                (Some(id), _) => hashed(id) | low,
                (None, Low::Print) => hashed(content_id(print)) | low,
                (None, Low::Count) => hashed(print) | 1,
            };
            told(ingest, number);
        }
    }
}

/// Identity of an event whose identity column is empty: its content.
pub fn content_id(print: u128) -> u128 {
    print.rotate_left(64) ^ 0x006e_6f20_6964
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    fn opened(archive: &Archive, lock: &Lock, table: &'static Table) -> Keys {
        let snapshot = archive.snapshot().expect("an archive");
        let identity = Identity {
            column: table.identity.map(|i| table.columns[i].name),
            key: |_, _| None,
        };
        Keys::open(archive, lock, &snapshot, table, identity).expect("keys")
    }

    fn archive(folder: &Path) -> (Archive, Lock) {
        let archive = Archive::create(&folder.join("archive")).expect("an archive");
        let lock = archive.lock(|| {}).expect("nobody else writes");
        (archive, lock)
    }

    #[test]
    fn what_was_spilled_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, lock) = archive(folder.path());
        let mut keys = opened(&archive, &lock, catalog::table("UnifiedAuditLog"));
        for round in 0..20 {
            for n in 0..50 {
                let id = round * 50 + n;
                assert_eq!(keys.note(id, id + 1).expect("read"), Known::New, "{id}");
            }
            assert_eq!(keys.len(), 50);
            keys.spill().expect("written");
            assert!(keys.is_empty());
        }
        let staged = keys.added.runs().len();
        assert!(staged < 8, "{staged} runs");
        for id in 0..1000 {
            assert_eq!(keys.note(id, id + 1).expect("read"), Known::Same, "{id}");
            assert_eq!(keys.note(id, id).expect("read"), Known::Differs, "{id}");
        }
        assert!(keys.is_empty());
        keys.seal(1, 1, "digest").expect("written");
        assert_eq!((keys.added.runs().len(), keys.runs.len()), (0, 1));
        assert_eq!(keys.note(999, 1000).expect("read"), Known::Same);
        // No commit followed: it counts for nothing.
        let mut again = opened(&archive, &lock, catalog::table("UnifiedAuditLog"));
        assert_eq!(again.note(999, 1000).expect("read"), Known::New);
        assert!(
            fs::read_dir(&again.folder)
                .expect("a folder")
                .next()
                .is_none()
        );
    }

    #[test]
    fn equal_rows_of_one_file_are_counted_across_runs() {
        let table = catalog::catalog().tables().find(|t| t.identity.is_none());
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, lock) = archive(folder.path());
        let mut keys = opened(&archive, &lock, table.expect("a table without identities"));
        for (file, rows, new) in [(1, 3, 3), (2, 2, 0), (3, 5, 2), (4, 5, 0)] {
            let mut fresh = 0;
            for n in 0..rows {
                let known = keys.note_content(7, file).expect("read");
                fresh += usize::from(known == Known::New);
                // Also in the midst of a file.
                if file < 3 && n == 1 {
                    keys.added.spill().expect("written");
                    keys.file.spill().expect("written");
                }
            }
            assert_eq!(fresh, new, "file {file}");
        }
    }

    #[test]
    fn identities_are_found_and_those_that_are_there_twice() {
        let all = Identities::of([7, 3, 7, u128::MAX].into_iter());
        let found = [3, 7, 8, u128::MAX].map(|id| (all.has(id), all.is_repeated(id)));
        let (none, once, twice) = ((false, false), (true, false), (true, true));
        assert_eq!(found, [once, twice, none, once]);
        assert!(all.has_repeats());
        assert!(!Identities::of([1, 2].into_iter()).has_repeats());
    }

    #[test]
    fn few_looks_and_all_identities_say_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, lock) = archive(folder.path());
        let mut keys = opened(&archive, &lock, catalog::table("UnifiedAuditLog"));
        // The second is too short to be merged with the first.
        let ingests = [0..2500, 10_000..10_500];
        for (n, ids) in (1..).zip(ingests.clone()) {
            for id in ids {
                keys.note(id, 1).expect("read");
            }
            keys.seal(n, n, "digest").expect("written");
        }
        assert_eq!(keys.runs.len(), 2);
        let mut events = Events { runs: keys.runs };
        let all = events.read().expect("read");
        assert_eq!(events.count(), 3000);
        for id in (0..11_000).step_by(7) {
            let wanted = ingests.iter().any(|ids| ids.contains(&id));
            assert_eq!(events.has(id).expect("read"), wanted, "{id}");
            assert_eq!(all.has(id), wanted, "{id}");
        }
    }
}
