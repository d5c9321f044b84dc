//! The files that may hold rules: those of folders, those that are named, and those inside the binary.
//!
//! Knows nothing of what a rule is. What cannot be read is listed with its reason, and keeps no other file from being read.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use include_dir::{Dir, File, include_dir};

use super::formats;
use crate::fault::{Error, Result, did_you_mean};

/// Name that stands for the packs inside the binary.
pub const BUILT_IN_NAME: &str = "builtin";

/// The packs inside the binary.
static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/queries");

/// The folder of the questions, beside the packs.
const QUESTIONS: &str = "ask";

/// Larger files are exports, and no rules.
const MOST_BYTES: u64 = 16 << 20;

/// A file that may hold rules.
pub(super) struct Candidate {
    pub name: String,
    pub holds: Holds,
    /// Whether it was named itself.
    pub is_meant: bool,
}

/// What a file holds.
pub(super) enum Holds {
    /// This text.
    Text(String),
    /// The same, of a rule to be run whose tests were run when it was built: they are not read.
    Proven(String),
    /// What will be read when its turn comes: a folder of exports is larger than any memory.
    File(PathBuf),
    /// Nothing that could be a rule, and why.
    Nothing(String),
    /// Files that are not read: it is a link to a folder.
    Folder,
}

/// Why a file has no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    pub why: String,
    /// Line and column, from 1.
    pub at: Option<(usize, usize)>,
}

impl From<String> for Unread {
    fn from(why: String) -> Unread {
        Unread { why, at: None }
    }
}

impl Candidate {
    pub(super) fn text(&self) -> Result<Cow<'_, str>, Unread> {
        match &self.holds {
            Holds::Text(text) | Holds::Proven(text) => Ok(Cow::Borrowed(text)),
            Holds::File(path) => text_of(path).map(Cow::Owned),
            Holds::Nothing(why) => Err(why.clone().into()),
            Holds::Folder => Err(String::from("it is a folder").into()),
        }
    }
}

/// Leaves each file once, under the first of its names: a folder may be named twice, and a link lead to a file beside it.
pub(super) fn once(files: &mut Vec<Candidate>) {
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files.dedup_by(|again, first| again.name == first.name);
    let mut seen = HashSet::new();
    files.retain(|file| match &file.holds {
        // What cannot be found is told when it is read.
        Holds::File(path) => match std::fs::canonicalize(path) {
            Ok(path) => seen.insert(path),
            _ => true,
        },
        _ => true,
    });
}

/// The name of a file as messages and packs have it.
pub(super) fn name_of(path: &Path) -> String {
    path.display().to_string().replace('\\', "/")
}

/// The files of the packs inside the binary.
pub(super) fn built_in(tests: bool, files: &mut Vec<Candidate>) {
    packs().for_each(|dir| below(dir, tests, files));
}

/// The files of one pack inside the binary.
///
/// # Errors
/// When there is none of that name. It says which one may be meant, and which there are.
pub(super) fn built_in_pack(name: &str, tests: bool, files: &mut Vec<Candidate>) -> Result<()> {
    if let Some(dir) = packs().find(|dir| dir.path() == Path::new(name)) {
        below(dir, tests, files);
        return Ok(());
    }
    let names = packs().map(|dir| name_of(dir.path()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    let near = did_you_mean(name, &names).map_or_else(String::new, |near| format!("; {near}"));
    Err(Error::Usage(format!(
        "no built-in pack `{name}`{near} (there are {})",
        names.join(", ")
    )))
}

/// The file of one rule inside the binary, by the rule's id, which is its name without the ending. Says whether there is one.
pub(super) fn built_in_rule(id: &Path, tests: bool, files: &mut Vec<Candidate>) -> bool {
    let found = packs()
        .flat_map(Dir::files)
        .find(|file| file.path().file_stem() == Some(id.as_os_str()));
    files.extend(found.map(|file| candidate(file, tests)));
    found.is_some()
}

/// That nothing has a name under which rules are asked for, and what may be meant.
fn nothing_of(path: &Path) -> Error {
    let name = path.display().to_string();
    let ids = packs().flat_map(Dir::files);
    let ids = ids.filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_string()));
    let near = match packs().find(|dir| dir.path() == path) {
        Some(dir) => Some(format!("did you mean `{}`?", of_pack(dir))),
        // What is meant as a path is no such name.
        None if name.contains(['/', '\\', '.']) => None,
        None => {
            let known: Vec<String> = packs().map(of_pack).chain(ids).collect();
            did_you_mean(&name, &known)
        }
    };
    let near = near.map_or_else(String::new, |near| format!("; {near}"));
    Error::NoRules { name, near }
}

/// What a pack inside the binary is asked for by.
fn of_pack(dir: &Dir<'_>) -> String {
    format!("{BUILT_IN_NAME}:{}", name_of(dir.path()))
}

/// Names under which rules inside the binary are asked for beside their ids: `builtin`, then each pack, such as `builtin:mip`.
pub fn pack_names() -> Vec<String> {
    let mut names: Vec<String> = packs().map(of_pack).collect();
    names.sort();
    names.insert(0, BUILT_IN_NAME.to_string());
    names
}

fn packs() -> impl Iterator<Item = &'static Dir<'static>> {
    let all = BUILT_IN.dirs();
    all.filter(|dir| dir.path() != Path::new(QUESTIONS))
}

/// The files of the questions inside the binary.
pub(super) fn questions(files: &mut Vec<Candidate>) {
    if let Some(dir) = BUILT_IN.get_dir(QUESTIONS) {
        below(dir, true, files);
    }
}

fn below(dir: &Dir<'_>, tests: bool, files: &mut Vec<Candidate>) {
    files.extend(dir.files().map(|file| candidate(file, tests)));
    for dir in dir.dirs() {
        below(dir, tests, files);
    }
}

fn candidate(file: &File<'_>, tests: bool) -> Candidate {
    let holds = match file.contents_utf8() {
        Some(text) if tests => Holds::Text(text.into()),
        Some(text) => Holds::Proven(text.into()),
        None => Holds::Nothing("it is not UTF-8".into()),
    };
    Candidate {
        name: format!("queries/{}", file.path().display()).replace('\\', "/"),
        holds,
        is_meant: true,
    }
}

/// A file, or those of a folder.
///
/// # Errors
/// When the path does not exist, or is a folder that cannot be read.
pub(super) fn from_path(path: &Path, files: &mut Vec<Candidate>) -> Result<()> {
    if !path.exists() {
        return Err(nothing_of(path));
    }
    let is_shown = |entry: &walkdir::DirEntry| {
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        entry.depth() == 0 || !(is_hidden && (entry.file_type().is_dir() || entry.path().is_dir()))
    };
    let below = walkdir::WalkDir::new(path).sort_by_file_name();
    for entry in below.into_iter().filter_entry(is_shown) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) if e.depth() > 0 => {
                let why = e
                    .io_error()
                    .map_or_else(|| e.to_string(), ToString::to_string);
                files.push(Candidate {
                    name: name_of(e.path().unwrap_or(path)),
                    holds: Holds::Nothing(format!("it cannot be read: {why}")),
                    is_meant: true,
                });
                continue;
            }
            Err(e) => return Err(Error::walk(path)(e)),
        };
        let name = name_of(entry.path());
        let is_meant = entry.depth() == 0;
        if let Some(holds) = held(&entry, is_meant) {
            files.push(Candidate {
                name,
                holds,
                is_meant,
            });
        }
    }
    Ok(())
}

/// What an entry of a folder holds, where it is one that may hold rules.
fn held(entry: &walkdir::DirEntry, is_meant: bool) -> Option<Holds> {
    let (path, kind) = (entry.path(), entry.file_type());
    let ending = path.extension().unwrap_or_default();
    let may_hold = formats::may_hold_rules(&ending.to_string_lossy().to_ascii_lowercase());
    // Rules that are mounted are links to files.
    if may_hold && (kind.is_file() || (kind.is_symlink() && path.is_file())) {
        return Some(Holds::File(path.to_path_buf()));
    }
    if is_meant {
        let why = "a rule is a .sql, .kql, .yaml or .json file";
        return (!path.is_dir()).then(|| Holds::Nothing(why.into()));
    }
    if !kind.is_symlink() {
        return None;
    }
    match std::fs::metadata(path) {
        Ok(target) if target.is_dir() => Some(Holds::Folder),
        Err(e) if may_hold => Some(Holds::Nothing(format!("it is a link: {e}"))),
        _ => None,
    }
}

/// The text of a file, in UTF-8 or, as PowerShell may write it, UTF-16 with its mark.
fn text_of(path: &Path) -> Result<String, Unread> {
    let unreadable = |e: std::io::Error| format!("it cannot be read: {e}");
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MOST_BYTES {
        return Err(String::from("it is larger than 16 MiB").into());
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    match encoding_rs::UTF_8.decode(&bytes) {
        (text, _, false) => Ok(text.into_owned()),
        (_, encoding, true) if encoding == encoding_rs::UTF_8 => Err(not_utf8(&bytes)),
        (_, encoding, true) => Err(format!("it is not {}", encoding.name()).into()),
    }
}

/// Which byte is not UTF-8, and where it stands.
fn not_utf8(bytes: &[u8]) -> Unread {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text.len(),
        Err(e) => e.valid_up_to(),
    };
    let (before, rest) = bytes.split_at(valid);
    let line = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let number = before.split(|b| *b == b'\n').count();
    // Bytes that continue a character count with it.
    let letters = line.iter().filter(|b| **b & 0xC0 != 0x80).count();
    let byte = rest.first().copied().unwrap_or_default();
    Unread {
        why: format!(
            "byte 0x{byte:02x} is not UTF-8: save the file as UTF-8 (it may be Windows-1252)"
        ),
        at: Some((number, letters + 1)),
    }
}
