//! Watchlists on their way into the archive: each is read before it is taken, so that a bad one is said now and stops no question
//! later. Writes nothing; what is taken goes into the commit with the events.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::archive::Archive;
use crate::ingest::input::{Found, Input};
use crate::ingest::watchlist::{self, Form, Watchlist};

/// The archive's folder of watchlists.
const FOLDER: &str = "watchlists";

/// Why a list is refused.
type Outcome<T> = std::result::Result<T, String>;

/// A list that the archive takes.
pub(super) struct Taken {
    /// Name of its file in the archive, such as `SuperUsers.csv`.
    pub name: String,
    /// Where it comes from.
    pub source: PathBuf,
    /// The file.
    pub content: Vec<u8>,
    /// How many rows it has.
    pub rows: u64,
    /// What is to be said of how it was read.
    pub remarks: Vec<String>,
    /// What the ledger is to say of where it is from, where it is more than a file of its name.
    pub origin: Option<String>,
    /// The archive's list that it replaces.
    pub replaces: Option<Stored>,
}

/// A list that was made, and not read as it is.
#[derive(Debug)]
pub struct Made {
    /// The list as CSV.
    pub content: Vec<u8>,
    /// How many rows it has.
    pub rows: u64,
    /// What it was made of, for the ledger.
    pub origin: String,
}

impl Taken {
    /// A list that was made, in the place of the archive's own.
    pub(super) fn made(name: &str, made: Made, replaces: Option<Stored>) -> Taken {
        let own = replaces.as_ref().map(|own| own.name.clone());
        Taken {
            name: own.unwrap_or_else(|| name.to_string()),
            source: PathBuf::new(),
            content: made.content,
            rows: made.rows,
            remarks: Vec::new(),
            origin: Some(made.origin),
            replaces,
        }
    }
}

/// What becomes of the lists among the inputs. Those that the archive has already are in neither.
#[derive(Default)]
pub(super) struct Checked {
    /// Lists to write, by name.
    pub taken: Vec<Taken>,
    /// Files that are left out, and why.
    pub refused: Vec<(String, String)>,
    /// What is to be said of files that are taken.
    pub remarks: Vec<(String, String)>,
    /// Files that are taken, have no rows, and replace a list that has some: so many.
    pub emptied: Vec<(String, u64)>,
}

/// A list that the archive has.
pub(super) struct Stored {
    pub name: String,
    pub content: Vec<u8>,
}

impl Stored {
    /// How many rows it has; none where that cannot be read.
    fn rows(&self) -> u64 {
        let name = watchlist::name_of(Path::new(&self.name)).unwrap_or_default();
        let list = Watchlist::parse(&name, &self.content);
        list.map_or(0, |list| list.rows() as u64)
    }
}

/// Reads lists and decides which of them the archive takes: a new one, and one that has changed. `existing` gives the archive's list of a
/// name, or why it cannot be compared or replaced.
pub(super) fn check(
    files: &[PathBuf],
    existing: &dyn Fn(&str) -> Outcome<Option<Stored>>,
) -> Checked {
    let mut out = Checked::default();
    let mut named: BTreeMap<String, Vec<Taken>> = BTreeMap::new();
    for file in files {
        match read(file) {
            Ok(list) => {
                let key = list.name.to_ascii_lowercase();
                named.entry(key).or_default().push(list);
            }
            Err(reason) => out.refused.push((shown(file), reason)),
        }
    }
    for mut lists in named.into_values() {
        let unlike = |list: &Taken| lists.iter().find(|other| other.content != list.content);
        if unlike(&lists[0]).is_some() {
            // Which of them is meant cannot be told, and the order of folders says nothing.
            out.refused.extend(lists.iter().filter_map(|list| {
                let other = shown(&unlike(list)?.source);
                let reason = format!("`{other}` has the same name and other content");
                Some((shown(&list.source), reason))
            }));
            continue;
        }
        let mut list = lists.swap_remove(0);
        match existing(&list.name) {
            Err(reason) => out.refused.push((shown(&list.source), reason)),
            Ok(None) => out.taken.push(list),
            Ok(Some(old)) if old.content == list.content => {}
            Ok(Some(old)) => {
                // A second file in another case would make both ambiguous.
                list.name.clone_from(&old.name);
                list.replaces = Some(old);
                out.taken.push(list);
            }
        }
    }
    out.refused.sort();
    for list in &out.taken {
        let before = list.replaces.as_ref().map_or(0, Stored::rows);
        if list.rows == 0 && before > 0 {
            out.emptied.push((shown(&list.source), before));
        }
        let remarks = list.remarks.iter().cloned();
        out.remarks
            .extend(remarks.map(|remark| (shown(&list.source), remark)));
    }
    out
}

/// What is said of a list of labels that lies among exports.
const BESIDE: &str = "taken as the watchlist Labels, by its columns";

/// What is said of a list of labels of another name.
const UNNAMED: &str =
    "it has the columns of a list of labels, which LabelEvents reads from Labels.csv only";

/// Longest file that is looked into for that; lists of labels are short.
const BESIDE_BYTES: u64 = 4 << 20;

/// What was found, as inputs that hold records and as lists: those in folders for them, also where they are no CSV, and a list of labels that
/// lies among the exports.
pub(super) fn sorted(found: &Found) -> (Vec<Input>, Vec<PathBuf>) {
    let mut lists = found.watchlists.clone();
    let mut inputs = Vec::with_capacity(found.inputs.len());
    for input in &found.inputs {
        let file = match input {
            Input::File(file) => Some(file.as_path()),
            Input::Stored(stored) => Some(stored.address()),
            Input::Member(_) | Input::Pipe(_) | Input::Stdin => None,
        };
        match file {
            Some(file) if is_other_list(file) || lies_beside(file, input) => {
                lists.push(file.to_path_buf());
            }
            _ => inputs.push(input.clone()),
        }
    }
    lists.sort();
    (inputs, lists)
}

fn is_in_folder(file: &Path) -> bool {
    let folder = file.parent().and_then(Path::file_name);
    folder.is_some_and(|name| name == FOLDER)
}

fn is_other_list(file: &Path) -> bool {
    is_in_folder(file) && watchlist::name_of_other(file).is_some()
}

/// Whether an input, in this file, that lies in no folder for lists is one of labels: by its name, and by what is in it.
fn lies_beside(file: &Path, input: &Input) -> bool {
    let name = watchlist::name_of(file).or_else(|| watchlist::name_of_other(file));
    if is_in_folder(file) || name.as_deref() != Some(watchlist::LABELS) {
        return false;
    }
    let is_short = input.size().is_some_and(|size| size <= BESIDE_BYTES);
    // What cannot be read is said when it is read as an export.
    let list = || Watchlist::parse(watchlist::LABELS, &watchlist::read(file)?);
    is_short && list().is_ok_and(|list| list.has_labels())
}

/// What is to be said of the lists among the inputs.
pub fn notes(found: &Found) -> Vec<(String, String)> {
    let lists = sorted(found).1;
    // One that cannot be read is said to be refused.
    let read = lists.iter().filter_map(|file| read(file).ok());
    read.flat_map(|list| {
        let file = shown(&list.source);
        let remarks = list.remarks.into_iter();
        remarks.map(move |remark| (file.clone(), remark))
    })
    .collect()
}

/// The archive's list in a file of this name, in whatever case.
pub(super) fn stored(archive: &Path, name: &str) -> Outcome<Option<Stored>> {
    let folder = archive.join(FOLDER);
    let cannot = |e: io::Error| format!("cannot read `{FOLDER}` of the archive: {e}");
    match std::fs::symlink_metadata(&folder) {
        Ok(found) if found.is_symlink() => {
            return Err(format!("`{FOLDER}` of the archive is a link"));
        }
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(cannot(e)),
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(cannot)? {
        let own = entry.map_err(cannot)?.file_name();
        let own = own.to_string_lossy();
        if own.eq_ignore_ascii_case(name) {
            names.push(own.into_owned());
        }
    }
    names.sort_by_key(|own| (own != name, own.clone()));
    let Some(own) = names.into_iter().next() else {
        return Ok(None);
    };
    let file = folder.join(&own);
    if !std::fs::symlink_metadata(&file).map_err(cannot)?.is_file() {
        return Err(format!("`{own}` in the archive is no file"));
    }
    let content = watchlist::read(&file).map_err(|why| format!("`{own}` in the archive: {why}"))?;
    Ok(Some(Stored { name: own, content }))
}

/// What would become of a list among the inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// It would be taken; so many rows.
    Taken(u64),
    /// It would replace the archive's list; so many rows.
    Replaces(u64),
    /// The archive has it.
    Known,
    /// It would be left out, and why.
    Refused(String),
}

/// What would become of each list among the inputs.
pub fn plan(archive: Option<&Archive>, found: &Found) -> Vec<(String, Planned)> {
    let existing = |name: &str| archive.map_or(Ok(None), |a| stored(a.root(), name));
    let lists = sorted(found).1;
    let checked = check(&lists, &existing);
    let of = |file: &PathBuf| {
        let name = shown(file);
        let refused = checked.refused.iter().find(|(f, _)| *f == name);
        let taken = checked.taken.iter().find(|t| t.source == *file);
        let planned = match (refused, taken) {
            (Some((_, reason)), _) => Planned::Refused(reason.clone()),
            (None, None) => Planned::Known,
            (None, Some(list)) if list.replaces.is_some() => Planned::Replaces(list.rows),
            (None, Some(list)) => Planned::Taken(list.rows),
        };
        (name, planned)
    };
    lists.iter().map(of).collect()
}

/// Reads a list and its name. The archive has lists as they came, and those that are JSON as CSV.
fn read(file: &Path) -> Outcome<Taken> {
    let name = watchlist::name_of(file).or_else(|| watchlist::name_of_other(file));
    let name = name.ok_or("it is no .csv file")?;
    let content = watchlist::read(file)?;
    let list = Watchlist::parse(&name, &content)?;
    let mut remarks = list.remarks().to_vec();
    if !is_in_folder(file) {
        remarks.push(BESIDE.into());
    }
    if name != watchlist::LABELS && list.has_labels() {
        remarks.push(UNNAMED.into());
    }
    Ok(Taken {
        name: format!("{name}.csv"),
        source: file.to_path_buf(),
        rows: list.rows() as u64,
        content: match list.form() {
            Form::Csv => content,
            _ => list.to_csv(),
        },
        remarks,
        origin: None,
        replaces: None,
    })
}

/// A file as the ledger names those that were read.
fn shown(file: &Path) -> String {
    Input::File(file.to_path_buf()).name()
}
