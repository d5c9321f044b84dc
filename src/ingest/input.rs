//! Inputs: files, folders, patterns, pipes, members of archives, sheets and standard input. Finds them and names them;
//! [`super::stream`] opens them.
//!
//! A folder of evidence was filled by others. Links that lead out of it are not followed, pipes and devices in it are not opened, and
//! what coldtrail wrote itself ([`super::own`]) is no evidence; all of that is said ([`Found::passed_over`]).

use std::collections::{HashSet, VecDeque};
use std::path::{Component, Path, PathBuf};

use super::member::{Member, is_lock};
use super::own;
use crate::fault::{Error, Result};
use crate::storage::is_remote;

mod container;
mod name;
mod passed;
mod place;
mod stored;

pub(super) use name::escaped;
use name::name_of;
pub use passed::{PASS_OVER, PassedOver, Why};
use place::{PIPE, SOCKET, is_open_already, is_standard_input, real, special};
pub use place::{path_key, regular};
pub use stored::{Local, Stored};

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// A file in object storage.
    Stored(Stored),
    /// A member of an archive, or a sheet of a workbook.
    Member(Member),
    /// A pipe that the user named, such as the `/dev/fd/63` of a shell's `<(…)`.
    Pipe(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// Its name, with `/` between folders on every system, so that a ledger reads alike everywhere. Bytes that are no text are `\xNN`,
    /// so that two names stay two.
    pub fn name(&self) -> String {
        match self {
            Input::File(path) | Input::Pipe(path) => name_of(path),
            Input::Stored(stored) => name_of(stored.address()),
            Input::Member(member) => member.name.clone(),
            Input::Stdin => "-".into(),
        }
    }

    /// Its size, where that is known before reading.
    pub fn size(&self) -> Option<u64> {
        match self {
            Input::File(path) => std::fs::metadata(path).ok().map(|m| m.len()),
            Input::Stored(stored) => Some(stored.size()),
            Input::Member(member) => member.size,
            Input::Pipe(_) | Input::Stdin => None,
        }
    }

    /// The file of this machine that is read; nothing where it is none by itself. One in object storage is brought, and goes with the last value
    /// that holds it.
    ///
    /// # Errors
    /// When it cannot be brought.
    pub fn local(&self) -> Result<Option<Local>> {
        Ok(match self {
            Input::File(path) => Some(Local::of(path)),
            Input::Stored(stored) => Some(stored.bring()?),
            Input::Member(_) | Input::Pipe(_) | Input::Stdin => None,
        })
    }

    /// Whether it can be read once only: what looks at it takes from it.
    pub fn is_pipe(&self) -> bool {
        matches!(self, Input::Pipe(_) | Input::Stdin)
    }

    /// Whether it is a sheet of a workbook.
    pub fn is_sheet(&self) -> bool {
        matches!(self, Input::Member(member) if member.is_sheet())
    }

    /// That it cannot be read, and why.
    pub(super) fn unusable(&self, reason: &str) -> Error {
        Error::Unusable {
            path: self.name().into(),
            reason: reason.into(),
        }
    }
}

/// Inputs found, in a fixed order, and watchlists among them.
#[derive(Debug, Default)]
pub struct Found {
    /// Files to ingest.
    pub inputs: Vec<Input>,
    /// CSV files in folders called `watchlists`.
    pub watchlists: Vec<PathBuf>,
    /// What was found and is no input.
    pub passed_over: Vec<PassedOver>,
    /// Real paths of what the user named.
    named: HashSet<PathBuf>,
}

impl Found {
    /// Leaves out the files and folders that this run writes, with all that lies below them: an archive does not read itself. What the
    /// user named in such a folder stays.
    pub fn leave_out(&mut self, targets: &[&Path]) {
        let targets: Vec<(PathBuf, &Path)> = targets.iter().map(|t| (real(t), *t)).collect();
        let named = std::mem::take(&mut self.named);
        let mut hit: Vec<&Path> = Vec::new();
        let mut is_target = |path: &Path| {
            let path = real(path);
            let target = targets.iter().find(|(target, _)| {
                let above = path.ancestors().take_while(|a| a.starts_with(target));
                path.starts_with(target) && !above.into_iter().any(|a| named.contains(a))
            });
            hit.extend(target.map(|(_, shown)| *shown));
            target.is_some()
        };
        self.inputs.retain(|input| match input {
            Input::File(path) => !is_target(path),
            // Nothing that this run writes was there when they were listed.
            Input::Stored(_) | Input::Member(_) | Input::Pipe(_) | Input::Stdin => true,
        });
        self.watchlists.retain(|path| !is_target(path));
        self.passed_over.retain(|passed| !is_target(&passed.path));
        self.passed_over.extend(hit.iter().map(|path| PassedOver {
            why: Why::Target,
            path: path.to_path_buf(),
        }));
        self.named = named;
        self.settle();
    }

    fn settle(&mut self) {
        self.inputs.sort();
        self.inputs.dedup();
        self.watchlists.sort();
        self.watchlists.dedup();
        self.passed_over.sort();
        self.passed_over.dedup();
    }
}

/// Finds what these arguments name: files, folders (with everything below), patterns, pipes, `-`; files and folders in object storage.
///
/// CSV files in a folder called `watchlists` are watchlists. Below folders, hidden files, files called `README.md`, folders with a file
/// [`PASS_OVER`] and what is no evidence are passed over. A file that is reached twice is an input once.
///
/// # Errors
/// When an argument matches nothing, cannot be read, or names what cannot be an export.
pub fn find(arguments: &[String]) -> Result<Found> {
    let mut search = Search::default();
    for argument in arguments {
        let path = Path::new(argument);
        if argument == "-" {
            search.found.inputs.push(Input::Stdin);
        } else if is_remote(path) {
            search.stored(argument)?;
        } else if path.exists() {
            search.named(path)?;
        } else {
            search.pattern(argument)?;
        }
    }
    let mut found = search.found;
    found.settle();
    Ok(found)
}

/// What was found so far.
#[derive(Default)]
struct Search {
    found: Found,
    /// Real paths of the files found: one that is reached twice is read once.
    seen: HashSet<PathBuf>,
}

impl Search {
    /// Takes what an address of object storage names.
    fn stored(&mut self, address: &str) -> Result<()> {
        let listed = container::find(address)?;
        self.found.passed_over.extend(listed.passed_over);
        for stored in listed.files {
            let path = stored.address().to_path_buf();
            if self.seen.insert(path.clone()) {
                self.take(&path, Input::Stored(stored));
            }
        }
        Ok(())
    }

    fn named(&mut self, path: &Path) -> Result<()> {
        let kind = std::fs::metadata(path)
            .map_err(Error::io("read", path))?
            .file_type();
        if kind.is_dir() || (kind.is_file() && !is_open_already(path)) {
            let real = real(path);
            if own::in_archive(&real) {
                return Err(Why::Archive.refused(path));
            }
            if kind.is_file() && own::is_result(path) {
                return Err(Why::Result.refused(path));
            }
            self.found.named.insert(real.clone());
            if kind.is_dir() {
                self.below(path, &real, &real);
            } else {
                self.file(path, real);
            }
            return Ok(());
        }
        let what = special(kind);
        let is_stream = kind.is_file() || what == PIPE;
        let input = match is_standard_input(path) {
            true if is_stream || what == SOCKET => Input::Stdin,
            false if is_stream => Input::Pipe(path.to_path_buf()),
            _ => return Err(Why::Special(what).refused(path)),
        };
        self.found.inputs.push(input);
        Ok(())
    }

    fn pattern(&mut self, argument: &str) -> Result<()> {
        let wrong = |e: glob::PatternError| Error::Usage(format!("pattern `{argument}`: {e}"));
        let whole: PathBuf = Path::new(argument).components().collect();
        let whole = whole.strip_prefix(".").unwrap_or(&whole);
        let fixed: PathBuf = whole.components().take_while(is_fixed).collect();
        let fixed = match fixed.as_os_str().is_empty() {
            true => Path::new("."),
            false => fixed.as_path(),
        };
        let root = real(fixed);
        if own::in_archive(&root) {
            return Err(Why::Archive.refused(fixed));
        }
        let mut any = false;
        if argument.contains("**") {
            let pattern = glob::Pattern::new(&whole.to_string_lossy()).map_err(wrong)?;
            any = fixed.exists() && self.deep(fixed, &root, &pattern);
        } else {
            for entry in glob::glob(argument).map_err(wrong)? {
                let path = entry.map_err(|e| {
                    let path = e.path().to_path_buf();
                    Error::io("read", path)(e.into())
                })?;
                any = true;
                self.matched(&path, &root);
            }
        }
        if !any {
            return Err(Error::NoInput(argument.into()));
        }
        self.found.named.insert(root);
        Ok(())
    }

    /// Takes what a pattern with `**` matches; says whether there was anything. It goes through folders and, as in a shell, not through
    /// links: of two that lead back, the paths would have no end.
    fn deep(&mut self, fixed: &Path, root: &Path, pattern: &glob::Pattern) -> bool {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..glob::MatchOptions::new()
        };
        let mut any = false;
        let mut walk = walkdir::WalkDir::new(fixed).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    any = true;
                    self.unreadable(e.path().unwrap_or(fixed));
                    continue;
                }
            };
            let path = match entry.path().strip_prefix(".") {
                Ok(below) if entry.depth() > 0 => below,
                _ => entry.path(),
            };
            let kind = entry.file_type();
            if kind.is_dir() && own::is_archive(path) {
                self.pass_over(path, Why::Archive);
                walk.skip_current_dir();
            } else if pattern.matches_with(&path.to_string_lossy(), options) {
                any = true;
                self.matched(path, root);
                if kind.is_dir() {
                    walk.skip_current_dir();
                }
            } else if kind.is_symlink() && path.is_dir() {
                let target = real(path);
                if !target.starts_with(root) {
                    self.pass_over(path, Why::Link(target));
                }
            }
        }
        any
    }

    /// Takes what a pattern matches; `root` is the real path of the folder in which the pattern begins.
    fn matched(&mut self, path: &Path, root: &Path) {
        let Ok(data) = std::fs::metadata(path) else {
            return self.unreadable(path);
        };
        let kind = data.file_type();
        let target = real(path);
        if !target.starts_with(root) {
            self.pass_over(path, Why::Link(target));
        } else if !kind.is_dir() && !kind.is_file() {
            self.pass_over(path, Why::Special(special(kind)));
        } else if own::in_archive(&target) {
            self.pass_over(path, Why::Archive);
        } else if kind.is_dir() {
            self.below(path, &target, root);
        } else if own::is_result(path) {
            self.pass_over(path, Why::Result);
        } else {
            self.file(path, target);
        }
    }

    /// Finds what is below a folder; no link is followed beyond `root`. Both have their real paths.
    fn below(&mut self, folder: &Path, real: &Path, root: &Path) {
        let mut walked = HashSet::from([real.to_path_buf()]);
        // What links lead to comes last: most of it was found under its own name by then.
        let mut links = VecDeque::from(self.walk(folder, real, &mut walked));
        while let Some(link) = links.pop_front() {
            if let Some(target) = self.link(&link, root, &mut walked) {
                links.extend(self.walk(&link, &target, &mut walked));
            }
        }
    }

    /// Finds what is below a folder without following links; returns those.
    fn walk(&mut self, folder: &Path, real: &Path, walked: &mut HashSet<PathBuf>) -> Vec<PathBuf> {
        let mut links = Vec::new();
        let mut walk = walkdir::WalkDir::new(folder)
            .min_depth(1)
            .sort_by_file_name()
            .into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    self.unreadable(e.path().unwrap_or(folder));
                    continue;
                }
            };
            let kind = entry.file_type();
            let path = entry.path();
            let place = real.join(path.strip_prefix(folder).unwrap_or(path));
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            if kind.is_dir() {
                if is_hidden || self.passes_over(path) || !walked.insert(place) {
                    walk.skip_current_dir();
                }
                continue;
            }
            if is_hidden {
                continue;
            }
            if kind.is_symlink() {
                links.push(path.to_path_buf());
            } else if kind.is_file() {
                self.file_below(path, place);
            } else {
                self.pass_over(path, Why::Special(special(kind)));
            }
        }
        links
    }

    /// Follows a link below `root`; returns the folder that it leads to, where nobody was there yet.
    fn link(&mut self, link: &Path, root: &Path, walked: &mut HashSet<PathBuf>) -> Option<PathBuf> {
        let Ok(data) = std::fs::metadata(link) else {
            // It leads to nothing, or to itself.
            self.unreadable(link);
            return None;
        };
        let target = match dunce::canonicalize(link) {
            Ok(target) if target.starts_with(root) => target,
            // Drives that do not tell where a link leads are not trusted.
            elsewhere => {
                let target = elsewhere
                    .or_else(|_| std::fs::read_link(link))
                    .unwrap_or_else(|e| e.to_string().into());
                self.pass_over(link, Why::Link(target));
                return None;
            }
        };
        let mut folders = target.ancestors().take_while(|f| f.starts_with(root));
        let kind = data.file_type();
        if folders.any(own::is_archive) {
            self.pass_over(link, Why::Archive);
        } else if kind.is_dir() {
            let is_new = !walked.contains(&target) && !self.passes_over(link);
            return (is_new && walked.insert(target.clone())).then_some(target);
        } else if kind.is_file() {
            self.file_below(link, target);
        } else {
            self.pass_over(link, Why::Special(special(kind)));
        }
        None
    }

    fn passes_over(&mut self, folder: &Path) -> bool {
        let why = if own::is_archive(folder) {
            Why::Archive
        } else if folder.join(PASS_OVER).is_file() {
            Why::Ignored
        } else {
            return false;
        };
        self.pass_over(folder, why);
        true
    }

    /// Takes a file that was found below a folder.
    fn file_below(&mut self, path: &Path, real: PathBuf) {
        if path.file_name().is_some_and(|n| n == "README.md") || self.seen.contains(&real) {
            return;
        }
        let size = std::fs::metadata(path).map_or(u64::MAX, |data| data.len());
        if own::is_result(path) {
            self.pass_over(path, Why::Result);
        } else if is_lock(&name_of(path), size) {
            self.pass_over(path, Why::Lock);
        } else {
            self.file(path, real);
        }
    }

    fn file(&mut self, path: &Path, real: PathBuf) {
        if self.seen.insert(real) {
            self.take(path, Input::File(path.to_path_buf()));
        }
    }

    /// Takes what stands at a path, as a watchlist or as what it is.
    fn take(&mut self, path: &Path, input: Input) {
        let in_watchlists = path
            .parent()
            .and_then(Path::file_name)
            .is_some_and(|n| n == "watchlists");
        let is_csv = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        if in_watchlists && is_csv {
            self.found.watchlists.push(path.to_path_buf());
        } else {
            self.found.inputs.push(input);
        }
    }

    /// A folder that may not be read, or a link to nothing: an input that fails when it is opened.
    fn unreadable(&mut self, path: &Path) {
        self.found.inputs.push(Input::File(path.to_path_buf()));
    }

    fn pass_over(&mut self, path: &Path, why: Why) {
        self.found.passed_over.push(PassedOver {
            why,
            path: path.to_path_buf(),
        });
    }
}

/// Whether a part of a pattern stands for itself.
fn is_fixed(part: &Component<'_>) -> bool {
    // The `?` of `\\?\C:` is none of a pattern.
    matches!(part, Component::Prefix(_))
        || !part.as_os_str().to_string_lossy().contains(['*', '?', '['])
}
