//! Files of an archive's folder: their names, and how they are written so that they are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Component, Path};

use crate::fault::{Error, Result};

/// Folder for files that are not committed yet.
pub(super) const STAGING: &str = "_staging";
/// Folder of files that were replaced by an older version, in a folder for each moment.
pub(super) const RETIRED: &str = "_retired";
/// Folder for what `repair` has taken out of use.
pub(super) const ASIDE: &str = "_aside";
/// Folder for what is known of identities: worked out from the tables, and made again where it is missing.
pub const KEYS: &str = "_keys";
/// What a staged file has behind its name: patterns such as `**/*.parquet` pass over it.
pub(super) const STAGED: &str = ".part";

/// File with the commit that is under way, in the folder of what is staged.
pub const PLAN: &str = "commit.json";
/// Folder of the watchlists.
pub const WATCHLISTS: &str = "watchlists";
/// Folder of the list of notices that were sent.
pub const NOTICES: &str = "_notices";
/// Folder of the states of a nightly run's steps.
pub const NIGHTLY: &str = "_nightly";

/// Whether a file is there.
///
/// # Errors
/// When it is something else, or one of its folders is a link.
pub(super) fn is_plain(root: &Path, path: &Path) -> io::Result<bool> {
    for folder in path.ancestors().skip(1).take_while(|f| *f != root) {
        match fs::symlink_metadata(folder) {
            Ok(data) if data.is_dir() => {}
            Ok(_) => return Err(io::Error::other("it lies behind a link")),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_file() => Ok(true),
        Ok(_) => Err(io::Error::other("it is a link, a folder or a device")),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Whether a path that a log names stays inside its table.
pub(super) fn is_inside(path: &str) -> bool {
    let plain = Path::new(path)
        .components()
        .all(|c| matches!(c, Component::Normal(_)));
    plain && !path.is_empty() && !path.contains(['\\', ':', '\0'])
}

/// Puts a file's name and its folders' names on the disk, up to and without `root`'s own.
///
/// # Errors
/// When a folder cannot be synced.
pub(super) fn sync_folders(root: &Path, file: &Path) -> Result<()> {
    for folder in file.ancestors().skip(1) {
        sync_folder(folder)?;
        if folder == root {
            break;
        }
    }
    Ok(())
}

/// Puts the names in a folder on the disk.
///
/// # Errors
/// When that fails.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    sync_names(folder).map_err(Error::io("write", folder))
}

#[cfg(unix)]
fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows has no way to sync a folder; its file systems keep a journal of names.
#[cfg(not(unix))]
fn sync_names(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// How a file that exists is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Replace,
    Refuse,
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
///
/// # Errors
/// When it cannot be written, or exists and may not be replaced.
pub(super) fn write_whole<'b>(
    path: &Path,
    bytes: impl IntoIterator<Item = &'b [u8]>,
    existing: Existing,
) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let staged = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        // A leftover of a process of the same number, or a link that somebody laid there.
        if fs::symlink_metadata(&staged).is_ok() {
            fs::remove_file(&staged)?;
        }
        let mut file = File::create_new(&staged)?;
        for chunk in bytes {
            file.write_all(chunk)?;
        }
        file.sync_all()?;
        match existing {
            Existing::Replace => fs::rename(&staged, path),
            Existing::Refuse => match fs::hard_link(&staged, path) {
                Ok(()) => fs::remove_file(&staged),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
                // A file system without links (exFAT): the lock keeps other writers of ours out.
                Err(_) if fs::symlink_metadata(path).is_err() => fs::rename(&staged, path),
                Err(_) => Err(ErrorKind::AlreadyExists.into()),
            },
        }
    })();
    if written.is_err() {
        // The error of writing is the one that counts.
        let _ = fs::remove_file(&staged);
        return written;
    }
    sync_names(folder)
}
