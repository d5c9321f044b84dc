//! What stands at a path, and where that is.

use std::fs::FileType;
use std::path::{Path, PathBuf};

use crate::fault::{Error, Result};

/// The path without links. Some drives of Windows do not tell it, and what is not there has none.
pub(super) fn real(path: &Path) -> PathBuf {
    dunce::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_path_buf())
}

/// Whether a path names a file that is open already. Opened again, it goes on where the first reader stopped on some systems.
pub(super) fn is_open_already(path: &Path) -> bool {
    cfg!(unix)
        && (path == Path::new("/dev/stdin")
            || path.starts_with("/dev/fd")
            || path.starts_with("/proc/self/fd"))
}

pub(super) fn is_standard_input(path: &Path) -> bool {
    let names = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
    cfg!(unix) && names.iter().any(|name| path == Path::new(name))
}

/// A pipe that has a name.
pub(super) const PIPE: &str = "a named pipe";
/// The end of a connection.
pub(super) const SOCKET: &str = "a socket";

/// What stands at a path that is neither file nor folder.
#[cfg(unix)]
pub(super) fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        PIPE
    } else if kind.is_socket() {
        SOCKET
    } else if kind.is_char_device() {
        "a character device, such as a terminal"
    } else {
        "a block device"
    }
}

#[cfg(not(unix))]
pub(super) fn special(_: FileType) -> &'static str {
    "no regular file"
}

/// Refuses what is no file: a folder, and a pipe or device, which may have no end. A link counts as what it leads to.
///
/// # Errors
/// When there is nothing of that name, or no file.
pub fn regular(path: &Path) -> Result<()> {
    let kind = std::fs::metadata(path)
        .map_err(Error::io("open", path))?
        .file_type();
    if kind.is_file() {
        return Ok(());
    }
    #[cfg(unix)]
    let is_pipe = std::os::unix::fs::FileTypeExt::is_fifo(&kind);
    #[cfg(not(unix))]
    let is_pipe = false;
    let what = match (kind.is_dir(), is_pipe) {
        (true, _) => "a folder",
        (_, true) => "a pipe",
        _ => "a device",
    };
    Err(Error::Unusable {
        path: path.to_path_buf(),
        reason: format!("it is {what}, not a file"),
    })
}

/// What tells a file from others of its name and size: SHA-256 of its absolute path without links, in hexadecimal. Nothing where its folder
/// cannot be found.
pub fn path_key(path: &Path) -> Option<String> {
    use sha2::{Digest, Sha256};

    // A link to nothing has no real path, but stands somewhere.
    let path = dunce::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .ok()?;
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    #[cfg(not(unix))]
    let text = path.to_string_lossy();
    #[cfg(not(unix))]
    let bytes = text.as_bytes();
    Some(hex::encode(Sha256::digest(bytes)))
}
