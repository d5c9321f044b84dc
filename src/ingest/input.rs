//! Inputs: files, folders, patterns, members of zip archives and standard input. Finds them and names them; [`super::stream`] opens them.

use std::path::{Path, PathBuf};

use super::zip::Member;
use crate::error::{Error, Result};

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// A member of a zip archive.
    Member(Member),
    /// Standard input.
    Stdin,
}

impl Input {
    /// Its name, with `/` between folders on every system, so that a ledger reads alike everywhere.
    pub fn name(&self) -> String {
        match self {
            Input::File(path) => path.to_string_lossy().replace('\\', "/"),
            Input::Member(member) => member.name.clone(),
            Input::Stdin => "-".into(),
        }
    }

    /// Its size, where that is known before reading.
    pub fn size(&self) -> Option<u64> {
        match self {
            Input::File(path) => std::fs::metadata(path).ok().map(|m| m.len()),
            Input::Member(member) => Some(member.size),
            Input::Stdin => None,
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
    /// Folders that hold a file [`PASS_OVER`].
    pub passed_over: Vec<PathBuf>,
}

impl Found {
    /// Leaves out what lies below a folder: an archive does not read itself.
    pub fn leave_out(&mut self, folder: &Path) {
        self.inputs.retain(|input| match input {
            Input::File(path) => dunce::canonicalize(path).map_or(true, |p| !p.starts_with(folder)),
            Input::Member(_) | Input::Stdin => true,
        });
    }
}

/// A folder that holds a file of this name is passed over when it is found below a folder that was named; named itself, it is read.
pub const PASS_OVER: &str = ".coldtrailignore";

/// Finds the files that these arguments name: files, folders (with everything below), patterns, `-`.
///
/// CSV files in a folder called `watchlists` are watchlists. Below folders, hidden files, files called `README.md` and folders with
/// a file [`PASS_OVER`] are passed over.
///
/// # Errors
/// When an argument matches nothing or cannot be read.
pub fn find(arguments: &[String]) -> Result<Found> {
    let mut found = Found::default();
    for argument in arguments {
        if argument == "-" {
            found.inputs.push(Input::Stdin);
            continue;
        }
        let path = Path::new(argument);
        if path.exists() {
            add(path, &mut found)?;
            continue;
        }
        let matches =
            glob::glob(argument).map_err(|e| Error::Usage(format!("pattern `{argument}`: {e}")))?;
        let mut any = false;
        for entry in matches {
            let path = entry.map_err(|e| {
                let path = e.path().to_path_buf();
                Error::io("read", path)(e.into())
            })?;
            any = true;
            add(&path, &mut found)?;
        }
        if !any {
            return Err(Error::NoInput(argument.clone()));
        }
    }
    found.inputs.sort();
    found.inputs.dedup();
    found.watchlists.sort();
    found.watchlists.dedup();
    Ok(found)
}

fn add(path: &Path, found: &mut Found) -> Result<()> {
    let walk = walkdir::WalkDir::new(path)
        .sort_by_file_name()
        .follow_links(true);
    let passed_over = &mut found.passed_over;
    for entry in walk.into_iter().filter_entry(|e| {
        let hidden = e.file_name().to_string_lossy().starts_with('.');
        if e.depth() > 0 && !hidden && e.path().join(PASS_OVER).is_file() {
            passed_over.push(e.path().to_path_buf());
            return false;
        }
        e.depth() == 0 || !hidden
    }) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                // A link to nothing, or a folder that may not be read: an input that fails when it is opened.
                let path = e.path().unwrap_or(path).to_path_buf();
                found.inputs.push(Input::File(path));
                continue;
            }
        };
        if !entry.file_type().is_file() {
            continue;
        }
        let file = entry.path();
        if entry.depth() > 0 && entry.file_name() == "README.md" {
            continue;
        }
        let in_watchlists = file
            .parent()
            .and_then(Path::file_name)
            .is_some_and(|n| n == "watchlists");
        let is_csv = file
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        if in_watchlists && is_csv {
            found.watchlists.push(file.to_path_buf());
        } else {
            found.inputs.push(Input::File(file.to_path_buf()));
        }
    }
    Ok(())
}
