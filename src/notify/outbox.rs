//! Mails as files, for whoever sends them on: a pickup folder, a mail program, a person.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::deliver::{Carrier, Taken};
use super::letter::Letter;
use crate::fault::{Error, Result};

/// A folder into which mails are written.
pub struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    /// The folder, made where there is none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn at(folder: &Path) -> Result<Outbox> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        Ok(Outbox {
            folder: folder.to_path_buf(),
        })
    }

    /// Writes a file that is there whole or not at all. The next run writes the same bytes under the same name.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let staged = self
            .folder
            .join(format!(".{name}.{}.part", std::process::id()));
        let written = (|| {
            let mut file = File::create(&staged)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&staged, self.folder.join(name))
        })();
        if written.is_err() {
            // The error of writing is the one that counts.
            let _ = fs::remove_file(&staged);
            return written;
        }
        self.sync()
    }

    #[cfg(unix)]
    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// Windows has no way to sync a folder.
    #[cfg(not(unix))]
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Carrier for Outbox {
    fn way(&self, letter: &Letter) -> String {
        self.folder.join(letter.file_name()).display().to_string()
    }

    fn ready(&mut self) -> Result<()> {
        Ok(())
    }

    fn carry(&mut self, letter: &Letter) -> Result<Taken> {
        let name = letter.file_name();
        let written = self.write(&name, &letter.message.formatted());
        written.map_err(Error::io("write", self.folder.join(&name)))?;
        Ok(Taken::Yes(String::new()))
    }
}
