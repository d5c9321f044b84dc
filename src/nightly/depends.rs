//! What a step's outcome depends on besides the ingests: its part of the configuration, rules, lists and files. A hash tells whether that has changed.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::fault::{Error, Result};

/// What was named so far.
#[derive(Debug, Clone, Default)]
pub struct Depends {
    said: String,
}

impl Depends {
    /// On what is said here, too.
    pub fn on(mut self, what: &str) -> Depends {
        // With its length, so that no two lists of texts are one.
        self.said.push_str(&format!("{}\n{what}\n", what.len()));
        self
    }

    /// On the content of a file, or of all files below a folder; what is not there says nothing.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn on_files(mut self, place: &Path) -> Result<Depends> {
        if !place.exists() {
            return Ok(self);
        }
        for entry in WalkDir::new(place).sort_by_file_name() {
            let entry = entry.map_err(Error::walk(place))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let bytes = fs::read(entry.path()).map_err(Error::io("read", entry.path()))?;
            let name = entry.path().strip_prefix(place).unwrap_or(entry.path());
            let hash = hex::encode(Sha256::digest(&bytes));
            self = self.on(&format!("{} {hash}", name.display()));
        }
        Ok(self)
    }

    /// The hash of all of it.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.said.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_is_another_hash_and_one_that_is_touched_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("list.csv");
        let hash = || {
            let depends = Depends::default().on("rules").on_files(folder.path());
            depends.expect("files can be read").hash()
        };
        let nothing = hash();
        fs::write(&file, "a").expect("a file");
        let one = hash();
        fs::write(&file, "a").expect("a file");
        assert_eq!(hash(), one);
        fs::write(&file, "b").expect("a file");
        assert!(hash() != one && hash() != nothing);
        let apart = |one: &str, two: &str| Depends::default().on(one).on(two).hash();
        assert_ne!(apart("ab", "c"), apart("a", "bc"));
    }
}
