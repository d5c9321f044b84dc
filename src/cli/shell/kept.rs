//! The file that keeps what was typed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustyline::Editor;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;

use super::complete::Completion;
use crate::cli::ui::Ui;

/// The variable that names another file; empty, nothing is kept.
const VARIABLE: &str = "COLDTRAIL_HISTORY";

/// Where what was typed is kept; nothing where it is not.
pub(super) fn path() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return (!named.is_empty()).then(|| named.into());
    }
    let folder = |variable: &str| {
        let named = std::env::var_os(variable).filter(|named| !named.is_empty());
        named.map(PathBuf::from)
    };
    let state = match cfg!(windows) {
        true => folder("LOCALAPPDATA"),
        false => folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state"))),
    };
    state.map(|state| state.join("coldtrail").join("history"))
}

/// Reads what was typed before.
pub(super) fn read(editor: &mut Editor<Completion, DefaultHistory>, path: &Path, ui: &Ui) {
    match editor.load_history(path) {
        Err(ReadlineError::Io(e)) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => ui.warn(&format!("history `{}` cannot be read: {e}", path.display())),
        Ok(()) => {}
    }
}

/// Adds what was typed since. Others may not read it.
///
/// # Errors
/// When the folder cannot be made or the file not be written.
pub(super) fn write(
    editor: &mut Editor<Completion, DefaultHistory>,
    path: &Path,
) -> rustyline::Result<()> {
    if let Some(folder) = path.parent()
        && !folder.as_os_str().is_empty()
    {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    editor.append_history(path)
}
