//! What to do when logs, ledger and files do not agree: after a power cut without sync, a copy that lacks folders, a log that somebody emptied.
//!
//! The tables' files are what counts. A log that cannot be read is laid aside and made again from the files; files that a log lacks are added to it
//! when their rows are not there already; entries that the ledger lacks come back from the commits of the tables, or from the rows themselves. Rows that
//! are gone are said, and their export counts as not read. Where a merged file is gone and those from before are still there, they count again. What is
//! derived from events is derived again where it lacks rows. Nothing is deleted: what is taken out of use lies in `_aside`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::commits;
use super::delta::{FileEntry, INFO};
use super::found::{self, Place};
use super::ledger::{self, Entry, Ledger, Status};
use super::part::{self, Part};
use super::pending::{Deed, Plan, Step};
use super::store::{self, ASIDE, STAGING};
use super::{Archive, Lock, derived};
use crate::catalog::{LABEL_EVENTS, Table, catalog};
use crate::fault::{Error, Result};
use crate::progress::Progress;
use crate::text::counted;

/// What became of an archive.
#[derive(Debug)]
pub struct Repaired {
    /// What was done and what is lost, a line each.
    pub told: Vec<String>,
    /// Whether logs, ledger and files agree now.
    pub whole: bool,
}

/// Makes logs, ledger and files agree again.
///
/// # Errors
/// When a file cannot be read or written.
pub fn repair(archive: &Archive, now: i64, progress: &dyn Progress) -> Result<Repaired> {
    let lock = archive.lock(|| progress.step("waiting for an ingest into this archive"))?;
    let mut work = Repair {
        archive,
        lock: &lock,
        now,
        commits: 0,
        told: Vec::new(),
    };
    // A log that cannot be read may be in its way: it is tried again when those are made.
    let cut_off = work.complete().is_err();
    for table in catalog().stored() {
        if archive.root().join(table.name).is_dir() {
            progress.step(table.name);
            work.table(table)?;
            work.forget(table)?;
        }
    }
    if cut_off && let Err(e) = work.complete() {
        work.give_up(&e)?;
    }
    progress.step(ledger::TABLE);
    work.ledger()?;
    archive.clean_staging(&lock)?;
    let snapshot = archive.snapshot()?;
    let wrong = archive.disagreement(&snapshot);
    if let Some(what) = &wrong {
        work.told.push(format!(
            "still wrong: {what}; restore it from a copy, or ingest its export again into a new archive"
        ));
    }
    let mut whole = wrong.is_none();
    if whole {
        let made = derived::make_current(archive, &snapshot, now, &lock, progress);
        match made {
            Ok(None) => {}
            Ok(Some(rows)) => work.told.push(format!(
                "derived `{LABEL_EVENTS}` again from the events: {}",
                counted(rows, "row")
            )),
            Err(e) => {
                whole = false;
                let line = format!("still wrong: `{LABEL_EVENTS}` cannot be derived again: {e}");
                work.told.push(line);
            }
        }
    }
    Ok(Repaired {
        told: work.told,
        whole,
    })
}

struct Repair<'a> {
    archive: &'a Archive,
    lock: &'a Lock,
    now: i64,
    /// Commits so far: each has a number of its own.
    commits: i64,
    told: Vec<String>,
}

impl Repair<'_> {
    fn aside(&self) -> PathBuf {
        self.archive.root().join(ASIDE).join(self.now.to_string())
    }

    /// Moves something of the archive out of use.
    fn lay_aside(&self, below: &str) -> Result<()> {
        let (from, to) = (self.archive.root().join(below), self.aside().join(below));
        let folder = to.parent().unwrap_or(&to);
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        fs::rename(&from, &to).map_err(Error::io("move", &from))?;
        store::sync_folders(self.archive.root(), &from)?;
        store::sync_folders(self.archive.root(), &to)
    }

    /// Completes a commit that was cut off. Says whether none is left.
    fn complete(&mut self) -> Result<()> {
        if self.archive.recover(self.lock)? {
            self.told.push("completed a commit that was cut off".into());
        }
        Ok(())
    }

    /// Gives up a commit that cannot be completed.
    fn give_up(&mut self, why: &Error) -> Result<()> {
        self.lay_aside(STAGING)?;
        self.told.push(format!(
            "laid aside `{STAGING}`: the commit that was cut off cannot be completed ({why}); its exports count as not read"
        ));
        Ok(())
    }

    /// Makes the log of a table name the files that are there.
    fn table(&mut self, table: &'static Table) -> Result<()> {
        let logged = match self.archive.logs().files(table.name) {
            Ok(files) => files,
            Err(e) => self.log_again(table, e)?,
        };
        self.bring_back(table, &logged)?;
        let logged = match self.undo_merge(table, &logged)? {
            true => self.archive.logs().files(table.name)?,
            false => logged,
        };
        let lone = self.lone(table, &logged)?;
        let log = self.archive.root().join(table.name).join("_delta_log");
        if lone.is_empty() {
            return Ok(());
        }
        if logged.is_empty() && log.is_dir() && !has_commit(&log)? {
            self.lay_aside(&format!("{}/_delta_log", table.name))?;
        }
        let mut have: HashSet<Place> = HashSet::new();
        let (there, gone): (Vec<_>, Vec<_>) = logged
            .iter()
            .partition(|f| matches!(self.find(table, &f.path), Ok(Some(_))));
        let mut kept = 0;
        for file in there {
            match found::places(self.archive, table, &file.path) {
                Ok(places) => have.extend(places),
                Err(e) => self.told.push(format!(
                    "`{}/{}` cannot be read: {e}",
                    table.name, file.path
                )),
            }
            kept += file.rows;
        }
        let mut step = Step {
            table: table.name.into(),
            add: Vec::new(),
            remove: Vec::new(),
            info: serde_json::json!({"repair": true}),
        };
        for path in lone {
            let places = match found::places(self.archive, table, &path) {
                Ok(places) => places,
                Err(e) => {
                    self.lay_aside(&format!("{}/{path}", table.name))?;
                    self.told
                        .push(format!("laid aside `{}/{path}`: {e}", table.name));
                    continue;
                }
            };
            if places.iter().any(|p| have.contains(p)) {
                self.lay_aside(&format!("{}/{path}", table.name))?;
                self.told.push(format!(
                    "laid aside `{}/{path}`: rows of it are in other files already",
                    table.name
                ));
                continue;
            }
            step.add.push(found::part(self.archive, table, &path)?);
            self.told.push(format!(
                "the log of `{}` names `{path}` again, rows: {}",
                table.name,
                places.len()
            ));
            have.extend(places);
        }
        // Files that the log names and that are gone: where their rows are in those that it names now, it lost a merge.
        let rows = |sum: u64, more: u64| sum + more;
        let lost = gone.iter().map(|f| f.rows).fold(0, rows);
        let added = step.add.iter().map(|p| p.rows).fold(0, rows);
        let complete = match self.wanted(table) {
            Some(wanted) => kept + added == wanted,
            None => added >= lost,
        };
        if complete {
            step.remove.extend(gone.iter().map(|f| f.path.clone()));
        }
        self.commit(step)
    }

    /// Takes files of alerts and incidents out of the log that are gone: no export has them, and a hunt gives them again.
    fn forget(&mut self, table: &'static Table) -> Result<()> {
        if !table.concluded {
            return Ok(());
        }
        let mut gone = self.archive.logs().files(table.name)?;
        gone.retain(|file| matches!(self.find(table, &file.path), Ok(None)));
        if gone.is_empty() {
            return Ok(());
        }
        let rows: u64 = gone.iter().map(|f| f.rows).sum();
        self.told.push(format!(
            "{rows} rows of `{}` are lost: a hunt that stores its alerts gives them again",
            table.name
        ));
        let plan = self.plan(Step {
            table: table.name.into(),
            add: Vec::new(),
            remove: gone.into_iter().map(|f| f.path).collect(),
            info: serde_json::json!({"repair": true}),
        });
        self.archive.step(&plan, &plan.steps[0])
    }

    /// Files of a table that its log does not name, the largest first: a file of merged rows stands for those that it was made from.
    fn lone(&self, table: &Table, logged: &[FileEntry]) -> Result<Vec<String>> {
        let removed = self.archive.logs().removed(table.name).unwrap_or_default();
        let mut lone = self.unnamed(table, logged)?;
        // What the log has taken out stays where it was for a while.
        lone.retain(|path| !removed.contains(path));
        Ok(lone)
    }

    /// The same, with those that its log named once.
    fn unnamed(&self, table: &Table, logged: &[FileEntry]) -> Result<Vec<String>> {
        let named: HashSet<&str> = logged.iter().map(|f| f.path.as_str()).collect();
        let mut lone = found::data_files(self.archive.root(), table)?;
        let planned = self.archive.files(table).unwrap_or_default();
        lone.retain(|path| !planned.iter().any(|f| f.path == *path));
        lone.retain(|path| !named.contains(path.as_str()));
        let store = self.archive.store();
        lone.sort_by_cached_key(|path| {
            let rows = part::count(store, &format!("{}/{path}", table.name));
            // Of files that were written again, with as many rows, the last one counts.
            let number = part::merged_number(own_name(path));
            std::cmp::Reverse((rows.unwrap_or(0), number))
        });
        Ok(lone)
    }

    /// Names the files from before a merge again where the merged one is gone and they still have all of its rows. Says whether it did. Some of them
    /// would be worse than none: the merged file may come back from a copy.
    fn undo_merge(&mut self, table: &'static Table, logged: &[FileEntry]) -> Result<bool> {
        let is_there = |file: &&FileEntry| matches!(self.find(table, &file.path), Ok(Some(_)));
        let (there, gone): (Vec<_>, Vec<_>) = logged.iter().partition(is_there);
        if gone.is_empty() || table.derived {
            return Ok(false);
        }
        let mut lost: BTreeMap<Option<String>, u64> = BTreeMap::new();
        for file in &gone {
            *lost.entry(file.date.clone()).or_insert(0) += file.rows;
        }
        let mut have: HashSet<Place> = HashSet::new();
        for file in there {
            // Whose rows these are nobody knows; that they cannot be read is told later.
            let Ok(places) = found::places(self.archive, table, &file.path) else {
                return Ok(false);
            };
            have.extend(places);
        }
        let removed = self.archive.logs().removed(table.name).unwrap_or_default();
        let mut before = self.unnamed(table, logged)?;
        before.retain(|path| removed.contains(path) && part::is_own(own_name(path)));
        let mut add: Vec<Part> = Vec::new();
        for path in before {
            // One that cannot be read brings nothing back.
            let Ok(places) = found::places(self.archive, table, &path) else {
                continue;
            };
            if places.is_empty() || places.iter().any(|place| have.contains(place)) {
                continue;
            }
            let part = found::part(self.archive, table, &path)?;
            let rows = lost.get_mut(&part.date);
            if let Some(rows) = rows.filter(|rows| **rows >= part.rows) {
                *rows -= part.rows;
                have.extend(places);
                add.push(part);
            }
        }
        if add.is_empty() || lost.values().any(|rows| *rows > 0) {
            return Ok(false);
        }
        let remove: Vec<String> = gone.iter().map(|file| file.path.clone()).collect();
        for path in &remove {
            self.told.push(format!(
                "`{}/{path}` is gone; the files that it was merged from are there, and the log names them again",
                table.name
            ));
        }
        self.commit(Step {
            table: table.name.into(),
            add,
            remove,
            info: serde_json::json!({"repair": true}),
        })?;
        Ok(true)
    }

    fn find(&self, table: &Table, path: &str) -> io::Result<Option<PathBuf>> {
        self.archive.store().find(&format!("{}/{path}", table.name))
    }

    /// What a log names that could not be read. Where its commits can be read, its checkpoints are laid aside, else all of it. A disk that fails, and
    /// what other programs or a newer version wrote, is no reason to lay a log aside.
    fn log_again(&mut self, table: &'static Table, why: Error) -> Result<Vec<FileEntry>> {
        let folder = format!("{}/_delta_log", table.name);
        let log = self.archive.root().join(&folder);
        let mut checkpoints = Vec::new();
        for entry in fs::read_dir(&log).map_err(Error::io("read", &log))? {
            let path = entry.map_err(Error::io("read", &log))?.path();
            if path.is_file() {
                // A disk that fails says so here.
                fs::read(&path).map_err(Error::io("read", &path))?;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.contains(".checkpoint") || name == "_last_checkpoint" {
                checkpoints.push(format!("{folder}/{name}"));
            }
        }
        match self.archive.logs().replayed(table.name) {
            Ok(Some(files)) if !files.is_empty() && !checkpoints.is_empty() => {
                for name in checkpoints {
                    self.lay_aside(&name)?;
                }
                self.told.push(format!(
                    "checkpoints of `{}` cannot be read and are laid aside ({why})",
                    table.name
                ));
                self.archive.logs().files(table.name)
            }
            Ok(Some(files)) if !files.is_empty() => Err(why),
            Err(e @ (Error::Damaged(_) | Error::Io { .. })) => Err(e),
            Ok(_) | Err(_) => {
                self.lay_aside(&folder)?;
                self.told.push(format!(
                    "the log of `{}` cannot be read and is made again ({why})",
                    table.name
                ));
                Ok(Vec::new())
            }
        }
    }

    /// Rows that a table should have by the ledger, where that can be read.
    fn wanted(&self, table: &Table) -> Option<u64> {
        let own = crate::catalog::table(ledger::TABLE);
        let files = self.archive.files(own).ok().filter(|f| !f.is_empty())?;
        let ledger = ledger::read(self.archive.store(), &files).ok()?;
        let known = table.name != ledger::TABLE && !table.concluded;
        known.then(|| ledger.rows_of(table.name))
    }

    /// Puts files that the log names and that were retired back in their place.
    fn bring_back(&mut self, table: &Table, logged: &[FileEntry]) -> Result<()> {
        for file in logged {
            let name = format!("{}/{}", table.name, file.path);
            let place = self.archive.root().join(&name);
            let found = self.archive.store().find(&name);
            if let Some(from) = found
                .map_err(Error::io("read", &place))?
                .filter(|p| *p != place)
            {
                let folder = place.parent().unwrap_or(&place);
                fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
                fs::rename(&from, &place).map_err(Error::io("move", &place))?;
                store::sync_folders(self.archive.root(), &place)?;
                self.told.push(format!("`{name}` is in its place again"));
            }
        }
        Ok(())
    }

    /// A plan of one step. The files of a table lie in their places already: its log alone changes, in one commit, and the plan of a batch
    /// that was cut off stays as it is.
    fn plan(&mut self, step: Step) -> Plan {
        self.commits += 1;
        let mut plan = Plan::new(Deed::Repair, self.now + self.commits, self.now);
        plan.steps.push(step);
        plan
    }

    fn commit(&mut self, step: Step) -> Result<()> {
        if step.add.is_empty() {
            return Ok(());
        }
        let plan = self.plan(step);
        self.archive.step(&plan, &plan.steps[0])
    }

    /// Makes the ledger say what the tables hold.
    fn ledger(&mut self) -> Result<()> {
        let snapshot = self.archive.snapshot()?;
        let mut found: BTreeMap<i64, BTreeMap<&str, u64>> = BTreeMap::new();
        let tables = snapshot.tables();
        let tables = tables.filter(|(t, _)| t.name != ledger::TABLE && !t.concluded);
        for (table, files) in tables {
            for file in files {
                // What is wrong is said in the end or was said before; nobody knows whose rows these were.
                let Ok(places) = found::places(self.archive, table, &file.path) else {
                    return Ok(());
                };
                for (ingest, _) in places {
                    *found
                        .entry(ingest)
                        .or_default()
                        .entry(table.name)
                        .or_insert(0) += 1;
                }
            }
        }
        let (mut entries, changed) = self.entries(&snapshot.ledger, &found)?;
        if !changed {
            return Ok(());
        }
        entries.sort_by_key(|e| e.id);
        let table = crate::catalog::table(ledger::TABLE);
        let name = part::merged_name(u64::try_from(self.now).unwrap_or(0));
        let old = snapshot.files(table);
        let plan = self.plan(Step {
            table: ledger::TABLE.into(),
            add: vec![ledger::write(&self.archive.staging(), &entries, &name)?],
            remove: old.iter().map(|f| f.path.clone()).collect(),
            info: serde_json::json!({"repair": true, "digest": snapshot.ledger.digest()}),
        });
        self.archive.carry_out(&plan, self.lock)
    }

    /// The ledger's entries as they should be, and whether they are others than those that are there.
    fn entries(
        &mut self,
        ledger: &Ledger,
        found: &BTreeMap<i64, BTreeMap<&str, u64>>,
    ) -> Result<(Vec<Entry>, bool)> {
        let mut entries = ledger.entries.clone();
        let known: BTreeSet<i64> = entries.iter().map(|e| e.id).collect();
        let missing: Vec<i64> = found
            .keys()
            .copied()
            .filter(|i| !known.contains(i))
            .collect();
        let mut logged = match missing.is_empty() {
            true => BTreeMap::new(),
            false => logged_entries(self.archive.root())?,
        };
        for id in missing {
            let entry = logged.remove(&id).unwrap_or_else(|| unknown(id, self.now));
            self.told.push(format!(
                "the ledger has ingest {id} again: `{}`",
                entry.file
            ));
            entries.push(entry);
        }
        let mut changed = entries.len() != ledger.entries.len();
        let nothing = BTreeMap::new();
        for entry in &mut entries {
            let rows = found.get(&entry.id).unwrap_or(&nothing);
            for line in agree(entry, rows) {
                changed = true;
                self.told.push(line);
            }
        }
        Ok((entries, changed))
    }
}

/// Makes an entry say how many rows there are; returns what had to be changed.
fn agree(entry: &mut Entry, rows: &BTreeMap<&str, u64>) -> Vec<String> {
    let mut told = Vec::new();
    let mut names: BTreeSet<String> = entry.tables.keys().cloned().collect();
    names.extend(rows.keys().map(|n| n.to_string()));
    names.extend(["Quarantine", "Revisions"].map(String::from));
    for name in names {
        let (want, have) = (
            entry.rows_of(&name),
            rows.get(name.as_str()).copied().unwrap_or(0),
        );
        if want == have {
            continue;
        }
        match name.as_str() {
            "Quarantine" => entry.quarantined = have,
            "Revisions" => entry.revisions = have,
            _ => {
                entry.tables.insert(name.clone(), have);
            }
        }
        let line = match have < want {
            true => {
                // It must be read again.
                entry.status = Status::Incomplete;
                entry.sha256.clear();
                format!("{} rows of `{name}` are lost: ingest it again", want - have)
            }
            false => format!("`{name}` has {have} rows, not {want}"),
        };
        told.push(format!("ingest {} (`{}`): {line}", entry.id, entry.file));
        let note = format!("repaired: {line}");
        entry.note = match entry.note.as_str() {
            "" => note,
            before => format!("{before}; {note}"),
        };
    }
    entry.tables.retain(|_, rows| *rows > 0);
    if !told.is_empty() {
        // What was derived may be of rows that are gone: it is derived again.
        entry.derived.clear();
        let sides = entry.duplicates + entry.revisions + entry.quarantined;
        entry.records = entry.events() + sides;
    }
    told
}

/// An entry for rows of which only their number is known.
fn unknown(id: i64, now: i64) -> Entry {
    Entry {
        id,
        batch: id,
        file: "(unknown)".into(),
        status: Status::Incomplete,
        note: "repaired: the ledger had lost this ingest; its rows are there".into(),
        at: now,
        version: ledger::VERSION.into(),
        ..Entry::default()
    }
}

/// A file's own name.
fn own_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or("")
}

/// Whether a log has a commit at all.
fn has_commit(log: &Path) -> Result<bool> {
    for entry in fs::read_dir(log).map_err(Error::io("read", log))? {
        let entry = entry.map_err(Error::io("read", log))?;
        let data = entry.metadata().map_err(Error::io("read", log))?;
        if data.len() > 0 && entry.file_name().to_string_lossy().ends_with(".json") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The ledger's entries that the commits of the tables carry, by number.
///
/// # Errors
/// When a log cannot be opened; a commit that is not JSON is passed over.
fn logged_entries(root: &Path) -> Result<BTreeMap<i64, Entry>> {
    let mut out = BTreeMap::new();
    for table in catalog().tables() {
        for path in commits::of(&root.join(table.name))? {
            // Entries of a commit that is damaged are worked out from the rows.
            let Ok(actions) = commits::actions(&path) else {
                continue;
            };
            for action in actions {
                let entries = action["commitInfo"][INFO]["entries"]
                    .as_str()
                    .unwrap_or("[]");
                // Another version's entries may have another form: those are worked out from the rows.
                if let Ok(entries) = serde_json::from_str::<Vec<Entry>>(entries) {
                    out.extend(entries.into_iter().map(|e| (e.id, e)));
                }
            }
        }
    }
    Ok(out)
}
