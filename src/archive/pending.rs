//! Commits over several tables that happen once and as a whole, whatever cuts them off.
//!
//! Files are written to [`STAGING`] first. Then one small file, the plan, says what becomes of them: once it is on the disk, the batch belongs to
//! the archive. Readers of coldtrail count it from then on; its files go to their places and into the logs of the tables, one table after
//! the other, the ledger last; other Delta readers see a part of the batch until that is done. A run that is cut off in between is
//! completed by the next one. Nothing is ever taken back. Files that are replaced stay where they are: see [`retained`](super::retained).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::delta::{COMPACT, CONCLUDE, Change, DERIVE, FileEntry, INGEST, REPAIR};
use super::entry;
use super::folder::{Archive, Lock, PLAN, WATCHLISTS};
use super::ledger::{self, Entry};
use super::part::{self, Part};
use super::remote;
use super::snapshot::Snapshot;
use super::store::{self, Existing, RETIRED, STAGED, STAGING};

use crate::catalog::{Table, catalog};
use crate::fault::{Error, Result};

/// Version of the plan's form.
const FORM: u32 = 1;
/// How long what older versions laid into [`RETIRED`] stays for readers that began before, in microseconds.
const RETENTION: i64 = 24 * 3600 * 1_000_000;

/// What a batch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Deed {
    /// Adds rows.
    Ingest,
    /// Merges files of one table.
    Compact,
    /// Makes a log or the ledger agree with the files.
    Repair,
    /// Makes the rows of a derived table again.
    Derive,
    /// Adds what a hunt concluded.
    Conclude,
}

impl Deed {
    fn application(self) -> &'static str {
        match self {
            Deed::Ingest => INGEST,
            Deed::Compact => COMPACT,
            Deed::Repair => REPAIR,
            Deed::Derive => DERIVE,
            Deed::Conclude => CONCLUDE,
        }
    }

    /// Whether it adds rows and nothing else: whoever reads may count them from the plan on.
    pub(super) fn adds(self) -> bool {
        matches!(self, Deed::Ingest | Deed::Conclude)
    }
}

/// What becomes of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    pub table: String,
    pub add: Vec<Part>,
    /// Paths of files that are replaced.
    pub remove: Vec<String>,
    /// What the commit says of itself.
    pub info: Value,
}

/// A commit that is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    form: u32,
    pub deed: Deed,
    /// The batch, or the moment of a merge.
    pub number: i64,
    /// In microseconds.
    pub now: i64,
    /// The ledger last.
    pub steps: Vec<Step>,
    /// File names of watchlists that are taken.
    pub watchlists: Vec<String>,
    /// In object storage: below which name its files are staged.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub staged: String,
}

impl Plan {
    pub(super) fn new(deed: Deed, number: i64, now: i64) -> Plan {
        Plan {
            form: FORM,
            deed,
            number,
            now,
            steps: Vec::new(),
            watchlists: Vec::new(),
            staged: String::new(),
        }
    }
}

fn table_of(name: &str) -> Result<&'static Table> {
    catalog().stored_table(name).ok_or_else(|| {
        Error::Damaged(format!(
            "`{STAGING}/{PLAN}` names the table `{name}`, which this version does not know"
        ))
    })
}

impl Archive {
    /// Adds staged files and watchlists with their entries: all of it or nothing.
    ///
    /// # Errors
    /// When something cannot be written. What was decided by then is completed by the next run.
    pub fn add_batch(
        &self,
        lock: &Lock,
        now: i64,
        entries: &[Entry],
        parts: BTreeMap<&'static str, Vec<Part>>,
    ) -> Result<()> {
        let Some(first) = entries.first() else {
            return Ok(());
        };
        let mut plan = Plan::new(Deed::Ingest, first.batch, now);
        for (table, mut add) in parts {
            add.sort_by(|a, b| a.path.cmp(&b.path));
            // A lost ledger is made again from these. As text: as a tree, those of 20,000 files would take a hundred megabytes.
            let own: Vec<&Entry> = entries.iter().filter(|e| e.rows_of(table) > 0).collect();
            let own = serde_json::to_string(&own).map_err(|e| Error::Damaged(e.to_string()))?;
            plan.steps.push(Step {
                table: table.to_string(),
                add,
                remove: Vec::new(),
                info: serde_json::json!({"entries": own}),
            });
        }
        let name = part::name(first.batch, 0);
        let last = entries.last().map_or("", |e| &e.chain);
        plan.steps.push(Step {
            table: ledger::TABLE.into(),
            add: vec![ledger::write(&self.staging(), entries, &name)?],
            remove: Vec::new(),
            info: serde_json::json!({"digest": last}),
        });
        let lists = entries.iter().filter(|e| e.is_watchlist());
        plan.watchlists = lists.map(|e| e.file.clone()).collect();
        self.carry_out(&plan, lock)
    }

    /// Writes a watchlist where it waits for its commit.
    ///
    /// # Errors
    /// When its name is none of a file, or it cannot be written.
    pub fn stage_watchlist(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.staged_watchlist(name);
        if !is_file_name(name) {
            return Err(Error::Unusable {
                path: name.into(),
                reason: "a watchlist cannot be called that".into(),
            });
        }
        store::write_whole(&path, [content], Existing::Replace).map_err(Error::io("write", &path))
    }

    fn plan_path(&self) -> PathBuf {
        self.root().join(STAGING).join(PLAN)
    }

    /// Where a watchlist waits to be taken.
    pub fn staged_watchlist(&self, name: &str) -> PathBuf {
        let folder = self.root().join(STAGING).join(WATCHLISTS);
        folder.join(format!("{name}{STAGED}"))
    }

    /// The bytes of the plan of a commit that is under way.
    pub(super) fn plan_bytes(&self) -> Result<Option<Vec<u8>>> {
        let path = self.plan_path();
        match fs::read(&path) {
            // As in object storage, or in what was copied from there.
            Ok(bytes) if remote::is_idle(&bytes) => Ok(None),
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", &path)(e)),
        }
    }

    /// The commit that these bytes describe.
    pub(super) fn plan_of(&self, bytes: &[u8]) -> Result<Plan> {
        let damaged = |why: String| Error::Damaged(format!("`{STAGING}/{PLAN}`: {why}"));
        let plan: Plan = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
        if plan.form > FORM {
            return Err(damaged("a newer version of coldtrail wrote it".into()));
        }
        for step in &plan.steps {
            let mut paths = step.add.iter().map(|p| &p.path).chain(&step.remove);
            if let Some(path) = paths.find(|p| !store::is_inside(p)) {
                return Err(damaged(format!("`{path}` is no path inside the table")));
            }
            let is_possible = |part: &Part| entry::is_possible(part.rows, part.size);
            if let Some(part) = step.add.iter().find(|part| !is_possible(part)) {
                let (path, rows, size) = (&part.path, part.rows, part.size);
                let why = format!("`{path}` has {rows} rows and {size} bytes: no file has so many");
                return Err(damaged(why));
            }
        }
        if !plan.staged.is_empty() && !is_file_name(&plan.staged) {
            return Err(damaged(format!("`{}` is no name of a run", plan.staged)));
        }
        if let Some(name) = plan.watchlists.iter().find(|n| !is_file_name(n)) {
            return Err(damaged(format!("`{name}` is no name of a watchlist")));
        }
        Ok(plan)
    }

    /// Decides a commit and carries it out.
    pub(super) fn carry_out(&self, plan: &Plan, lock: &Lock) -> Result<()> {
        if self.plan_bytes()?.is_some() {
            let unfinished =
                || Error::Damaged(format!("`{STAGING}/{PLAN}` is not carried out yet"));
            return Err(self.remote().map_or_else(unfinished, |r| r.overtaken()));
        }
        for step in &plan.steps {
            let folder = self.root().join(STAGING).join(&step.table);
            if folder.is_dir() {
                store::sync_folder(&folder)?;
            }
        }
        if !plan.watchlists.is_empty() {
            store::sync_folder(&self.root().join(STAGING).join(WATCHLISTS))?;
        }
        let path = self.plan_path();
        let staging = self.root().join(STAGING);
        fs::create_dir_all(&staging).map_err(Error::io("create", &staging))?;
        store::sync_folders(self.root(), &path)?;
        let plan = &Plan {
            staged: self.remote().map_or_else(String::new, |r| r.run()),
            ..plan.clone()
        };
        let bytes = serde_json::to_vec(plan).map_err(|e| Error::Damaged(e.to_string()))?;
        self.is_locked(lock)?;
        if let Some(remote) = self.remote() {
            remote.offer(&self.waiting(plan), bytes.clone())?;
        }
        store::write_whole(&path, [bytes.as_slice()], Existing::Replace)
            .map_err(Error::io("write", &path))?;
        let is_ended = self.complete(plan, Whose::Own, lock)?;
        match self.remote() {
            // Another run has completed it too, and may have gone on.
            Some(remote) if !is_ended => remote.pull(),
            _ => Ok(()),
        }
    }

    /// What waits for a commit: where it is here, and where it waits in object storage.
    fn waiting(&self, plan: &Plan) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        for step in &plan.steps {
            let names = step
                .add
                .iter()
                .map(|p| format!("{}/{}", step.table, p.path));
            let staged = |name: String| {
                let there = remote::staged(&plan.staged, &name);
                (self.store().staged(&name), there)
            };
            files.extend(names.map(staged));
        }
        let lists = plan.watchlists.iter();
        files.extend(lists.map(|name| (self.staged_watchlist(name), staged_list(plan, name))));
        files
    }

    /// Completes what a run that was cut off had decided. Says whether there was anything.
    pub(super) fn recover(&self, lock: &Lock) -> Result<bool> {
        // In object storage, whoever decided it may be alive, and its files may be on another machine.
        let whose = match self.remote() {
            Some(_) => Whose::Another,
            None => Whose::Own,
        };
        let mut any = false;
        while let Some(bytes) = self.plan_bytes()? {
            let plan = self.plan_of(&bytes)?;
            let is_ended = self.complete(&plan, whose, lock)?;
            any = true;
            match self.remote() {
                // Somebody else was faster, and may have decided the next one.
                Some(remote) if !is_ended => remote.take_turn()?,
                Some(remote) => remote.pull()?,
                None => {}
            }
        }
        Ok(any)
    }

    /// Does what is left to do of a plan that is on the disk. Says whether nobody else has ended it.
    fn complete(&self, plan: &Plan, whose: Whose, lock: &Lock) -> Result<bool> {
        for step in &plan.steps {
            self.step_of(plan, step, whose)?;
        }
        let folder = self.root().join(WATCHLISTS);
        for name in &plan.watchlists {
            let staged = self.staged_watchlist(name);
            if let Some(remote) = self.remote() {
                let place = format!("{WATCHLISTS}/{name}");
                remote.place_watchlist(staged_list(plan, name), &place)?;
                continue;
            }
            if fs::symlink_metadata(&staged).is_ok() {
                fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
                let target = folder.join(name);
                fs::rename(&staged, &target).map_err(Error::io("move", &target))?;
            }
        }
        // A run that was cut off may have moved one and not synced it.
        if !plan.watchlists.is_empty() && folder.is_dir() {
            store::sync_folder(&folder)?;
            store::sync_folder(self.root())?;
        }
        let path = self.plan_path();
        let is_ended = match self.remote() {
            Some(remote) => remote.end(&plan.staged)?,
            None => {
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
                true
            }
        };
        store::sync_folder(&self.root().join(STAGING))?;
        if is_ended {
            self.clean_staging(lock)?;
        }
        Ok(is_ended)
    }

    /// Does what a plan wants of one table, unless it is done.
    pub(super) fn step(&self, plan: &Plan, step: &Step) -> Result<()> {
        self.step_of(plan, step, Whose::Own)
    }

    fn step_of(&self, plan: &Plan, step: &Step, whose: Whose) -> Result<()> {
        let table = table_of(&step.table)?;
        let mark = self.logs().mark(table.name, plan.deed.application())?;
        if self.is_done(plan, mark) {
            // Another program may have replaced the files since: only those that the log still names are put back.
            let named = self.logs().files(table.name)?;
            let named: HashSet<&str> = named.iter().map(|f| f.path.as_str()).collect();
            let staged = |p: &Part| {
                let staged = self.store().staged(&format!("{}/{}", table.name, p.path));
                fs::symlink_metadata(staged).is_ok()
            };
            let wanted = step.add.iter().filter(|p| named.contains(p.path.as_str()));
            let wanted: Vec<&Part> = wanted
                .filter(|p| self.remote().is_some() || staged(p))
                .collect();
            return self.place(plan, table, &wanted, whose);
        }
        let mut remove = Vec::new();
        if !step.remove.is_empty() {
            let files = self.logs().files(table.name)?;
            let wanted: HashSet<&str> = step.remove.iter().map(String::as_str).collect();
            let old = files
                .into_iter()
                .filter(|f| wanted.contains(f.path.as_str()));
            remove.extend(old);
            if remove.len() != step.remove.len() {
                // Another program has replaced them in the meantime: there is nothing left to merge.
                return Ok(());
            }
        }
        let parts: Vec<&Part> = step.add.iter().collect();
        self.place(plan, table, &parts, whose)?;
        let mark = (plan.deed.application(), plan.number);
        let committed = self.logs().commit(&Change {
            table,
            remove: &remove,
            add: &step.add,
            mark,
            info: step.info.clone(),
            now: plan.now,
        });
        if let Some(remote) = self.remote() {
            // Two may complete the same commit: the one that comes second finds it done.
            return committed.or_else(|e| {
                remote.pull()?;
                let now = self.plan_bytes()?;
                let now = now.map(|bytes| self.plan_of(&bytes)).transpose()?;
                match self.is_done(plan, self.logs().mark(table.name, mark.0)?) {
                    true => Ok(()),
                    false if now.as_ref() == Some(plan) => Err(e),
                    false => Err(remote.overtaken()),
                }
            });
        }
        committed?;
        // A program that tidies up may have taken a file that stood in its place and not in the log yet.
        let folder = self.root().join(table.name);
        let gone = |part: &&Part| fs::symlink_metadata(folder.join(&part.path)).is_err();
        let gone: Vec<&Part> = parts.into_iter().filter(gone).collect();
        self.place(plan, table, &gone, whose)
    }

    /// Whether a table whose log has this mark has what a plan wants of it.
    fn is_done(&self, plan: &Plan, mark: Option<i64>) -> bool {
        // In object storage others may have completed it and gone on. The moments of merges need not grow.
        match self.remote().is_some() && plan.deed != Deed::Compact {
            true => mark >= Some(plan.number),
            false => mark == Some(plan.number),
        }
    }

    /// Puts staged files in their places; those that are there stay. All names are on the disk then, also those of a run that was cut off before it
    /// had synced them.
    fn place(&self, plan: &Plan, table: &Table, parts: &[&Part], whose: Whose) -> Result<()> {
        let folder = self.root().join(table.name);
        if let Some(remote) = self.remote() {
            let name = |p: &&Part| (format!("{}/{}", table.name, p.path), p.size);
            remote.place(&plan.staged, &parts.iter().map(name).collect::<Vec<_>>())?;
            if whose == Whose::Another {
                // They are brought when somebody asks for them.
                return Ok(());
            }
        }
        let mut folders = BTreeSet::new();
        for part in parts {
            let target = folder.join(&part.path);
            let name = format!("{}/{}", table.name, part.path);
            let mut staged = self.store().staged(&name);
            if self.remote().is_none() && fs::symlink_metadata(&staged).is_err() {
                // The archive was copied from object storage while this was under way.
                let there = self.root().join(remote::staged(&plan.staged, &name));
                if fs::symlink_metadata(&there).is_ok() {
                    staged = there;
                }
            }
            publish(&staged, &target)?;
            folders.insert(target.parent().unwrap_or(&folder).to_path_buf());
        }
        // All names first: the first sync takes most of the others along.
        for below in &folders {
            store::sync_folder(below)?;
        }
        if !folders.is_empty() {
            store::sync_folder(&folder)?;
            store::sync_folder(self.root())?;
        }
        Ok(())
    }

    /// Removes staged files of our own that no plan needs.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn clean_staging(&self, _lock: &Lock) -> Result<()> {
        if self.plan_bytes()?.is_some() {
            return Ok(());
        }
        let staging = self.root().join(STAGING);
        let is_own = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let whole = name.strip_suffix(STAGED).unwrap_or(&name);
            let tried = name.starts_with('.') && name.ends_with(".tmp");
            part::is_own(whole) || whole != name || tried
        };
        if let Some(remote) = self.remote() {
            remote.clean_staging()?;
        }
        remove_own(&staging, &is_own)
    }

    /// Removes replaced files of older versions that no reader can need any more. One that a log names again, because it lost the commit that
    /// replaced it, stays.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub(super) fn clean_retired(&self, now: i64, snapshot: &Snapshot, _lock: &Lock) -> Result<()> {
        let retired = self.root().join(RETIRED);
        if !retired.is_dir() {
            return Ok(());
        }
        let named: HashSet<PathBuf> = snapshot
            .all()
            .flat_map(|(t, files)| files.iter().map(|f| Path::new(t.name).join(&f.path)))
            .collect();
        for entry in fs::read_dir(&retired).map_err(Error::io("read", &retired))? {
            let moment = entry.map_err(Error::io("read", &retired))?.path();
            let name = moment.file_name().unwrap_or_default().to_string_lossy();
            if name.parse().is_ok_and(|t: i64| now - t > RETENTION) {
                remove_own(&moment, &|path| {
                    let own = path.file_name().unwrap_or_default().to_string_lossy();
                    let below = path.strip_prefix(&moment).unwrap_or(path);
                    part::is_own(&own) && !named.contains(below)
                })?;
            }
        }
        remove_empty(&retired);
        Ok(())
    }

    /// Files that a commit under way adds, by table. They may be in their places before a log names them, and their table may have no folder yet.
    ///
    /// # Errors
    /// When its plan cannot be read.
    pub fn arriving(&self) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let plan = self.plan_bytes()?;
        let plan = plan.map(|bytes| self.plan_of(&bytes)).transpose()?;
        let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for step in plan.into_iter().flat_map(|plan| plan.steps) {
            let paths = step.add.into_iter().map(|part| part.path);
            out.entry(step.table).or_default().extend(paths);
        }
        Ok(out)
    }

    /// Files of a plan that the logs do not name yet.
    pub(super) fn planned(&self, plan: &Plan, table: &Table) -> Result<Vec<FileEntry>> {
        if !plan.deed.adds() {
            return Ok(Vec::new());
        }
        let Some(step) = plan.steps.iter().find(|s| s.table == table.name) else {
            return Ok(Vec::new());
        };
        if self.logs().mark(table.name, plan.deed.application())? == Some(plan.number) {
            return Ok(Vec::new());
        }
        Ok(step.add.iter().map(FileEntry::of_part).collect())
    }
}

/// Where a watchlist waits in object storage.
fn staged_list(plan: &Plan, name: &str) -> String {
    match plan.staged.as_str() {
        "" => format!("{STAGING}/{WATCHLISTS}/{name}{STAGED}"),
        run => format!("{STAGING}/{run}/{WATCHLISTS}/{name}{STAGED}"),
    }
}

/// Who has decided a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// This run, or on a disk one that was cut off: what is staged here is what the plan names.
    Own,
    /// Another run, perhaps of another machine.
    Another,
}

/// A name that stays in its folder.
pub(super) fn is_file_name(name: &str) -> bool {
    store::is_inside(name) && !name.contains('/')
}

/// Gives a staged file its place.
fn publish(staged: &Path, target: &Path) -> Result<()> {
    let (there, waiting) = (fs::symlink_metadata(target), fs::symlink_metadata(staged));
    match (there, waiting) {
        (Ok(_), Ok(_)) if !is_same(staged, target).map_err(Error::io("read", target))? => {
            return Err(Error::Damaged(format!(
                "another file of the name `{}` is in the way",
                target.display()
            )));
        }
        (Ok(_), _) => return Ok(()),
        (Err(_), Ok(_)) => {}
        (Err(_), Err(_)) => {
            return Err(Error::Damaged(format!(
                "`{}` is neither in its place nor among the staged files",
                target.display()
            )));
        }
    }
    let folder = target.parent().unwrap_or(target);
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    // The staged name stays until the log has the file; file systems without links (exFAT) move it.
    if fs::hard_link(staged, target).is_err() {
        fs::rename(staged, target).map_err(Error::io("move", target))?;
    }
    Ok(())
}

/// Whether two names are of one file, or of two of the same bytes.
fn is_same(one: &Path, other: &Path) -> std::io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (a, b) = (fs::metadata(one)?, fs::metadata(other)?);
        if (a.dev(), a.ino()) == (b.dev(), b.ino()) {
            return Ok(true);
        }
    }
    Ok(part::hash(one)? == part::hash(other)?)
}

/// Removes files whose name is ours, and folders that are empty then. All else stays.
fn remove_own(folder: &Path, own: &dyn Fn(&Path) -> bool) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.map_err(Error::walk(folder))?;
        if entry.file_type().is_file() && own(entry.path()) {
            fs::remove_file(entry.path()).map_err(Error::io("remove", entry.path()))?;
        }
    }
    remove_empty(folder);
    Ok(())
}

/// Removes the folders below this one, and itself, that hold nothing.
fn remove_empty(folder: &Path) {
    for entry in walkdir::WalkDir::new(folder)
        .contents_first(true)
        .into_iter()
        .flatten()
    {
        if entry.file_type().is_dir() {
            // One that still holds something stays.
            let _ = fs::remove_dir(entry.path());
        }
    }
}
