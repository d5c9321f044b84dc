//! What an archive is, whatever folder it lies in: by this two machines find out that they ask the same one.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use blake3::Hasher;

use super::disk::WATCHLISTS;
use super::entry::FileEntry;
use super::pinned::Pinned;
use crate::catalog::catalog;
use crate::fault::{Error, Result};

impl Pinned {
    /// What the archive is, as BLAKE3 in hexadecimal: of each table its name and the path, size and (where the log says it) SHA-256 of each of its files; of each
    /// watchlist its name and content. Where the folder lies does not count, nor how often a log was written.
    ///
    /// # Errors
    /// When a log or a watchlist cannot be read.
    pub fn identity(&self) -> Result<String> {
        let mut hash = Hasher::new();
        for table in catalog().stored().filter(|table| self.may_have(table)) {
            let files = self.files(table)?;
            if files.is_empty() {
                continue;
            }
            add_text(&mut hash, table.name);
            add_number(&mut hash, files.len() as u64);
            for file in files.iter() {
                add_file(&mut hash, file);
            }
        }
        add_text(&mut hash, WATCHLISTS);
        for path in self.watchlists()? {
            let failed = || Error::io("read", &path);
            let name = path.file_name().unwrap_or_default();
            add_text(&mut hash, &name.to_string_lossy());
            // A link is not followed out of an archive: no query reads what is behind it.
            let kind = fs::symlink_metadata(&path).map_err(failed())?.file_type();
            if !kind.is_file() {
                add_text(&mut hash, "no file");
                continue;
            }
            let file = File::open(&path).map_err(failed())?;
            let mut content = Hasher::new();
            content.update_reader(file).map_err(failed())?;
            hash.update(content.finalize().as_bytes());
        }
        Ok(hash.finalize().to_hex().to_string())
    }

    /// The files of the watchlists, by their names.
    fn watchlists(&self) -> Result<Vec<PathBuf>> {
        let folder = self.root().join(WATCHLISTS);
        // Not followed out of an archive: queries refuse what is behind it.
        if fs::symlink_metadata(&folder).is_ok_and(|folder| folder.is_symlink()) {
            return Ok(Vec::new());
        }
        let entries = match fs::read_dir(&folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io("read", &folder))?,
        };
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let paths = paths.collect::<io::Result<Vec<PathBuf>>>();
        let mut paths = paths.map_err(Error::io("read", &folder))?;
        // What else lies there is no list.
        paths.retain(|path| {
            let extension = path.extension();
            extension.is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
        });
        paths.sort();
        Ok(paths)
    }
}

fn add_file(hash: &mut Hasher, file: &FileEntry) {
    add_text(hash, &file.path);
    add_number(hash, file.size);
    add_text(hash, file.sha256.as_deref().unwrap_or_default());
}

/// A text with its length: what is added next is not taken for a part of it.
fn add_text(hash: &mut Hasher, text: &str) {
    add_number(hash, text.len() as u64);
    hash.update(text.as_bytes());
}

fn add_number(hash: &mut Hasher, number: u64) {
    hash.update(&number.to_le_bytes());
}
