//! What a step has treated: a small file a step in the archive, with the intent before and the outcome after.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use crate::archive::ledger::{Entry, Ledger};
use crate::archive::{Archive, NIGHTLY};
use crate::fault::{Error, Result};

/// Version of the files.
const FORM: u32 = 1;

/// What a step has treated, and what it was about to treat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    form: u32,
    /// Numbers of the ingests that it has treated.
    treated: BTreeSet<i64>,
    /// Hash of what its outcome depends on besides the ingests: its part of the configuration, its rules.
    depends: String,
    /// What it was about to treat when it was last begun, until its outcome is known.
    intent: Option<BTreeSet<i64>>,
}

/// What is new to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Numbers of ingests.
    pub ids: BTreeSet<i64>,
    /// Whether what the step depends on has changed, or it never ran: then these are all.
    pub all: bool,
}

impl Default for StepState {
    fn default() -> Self {
        StepState {
            form: FORM,
            treated: BTreeSet::new(),
            depends: String::new(),
            intent: None,
        }
    }
}

impl StepState {
    /// The state of a step; that of one that never ran where there is none.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or a newer version wrote it.
    pub fn of(archive: &Archive, step: &str) -> Result<StepState> {
        let path = archive.root().join(NIGHTLY).join(file(step));
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(StepState::default()),
            Err(e) => return Err(Error::io("read", &path)(e)),
        };
        let damaged = |why: &str| Error::Damaged(format!("`{NIGHTLY}/{step}.json`: {why}"));
        let state: StepState =
            serde_json::from_slice(&bytes).map_err(|e| damaged(&e.to_string()))?;
        if state.form > FORM {
            return Err(damaged("a newer version of coldtrail wrote it"));
        }
        Ok(state)
    }

    /// The ingests that are new to the step, of those that matter to it. All of these where what it depends on has changed: a new rule is hunted over
    /// everything.
    pub fn open(&self, ledger: &Ledger, depends: &str, matters: impl Fn(&Entry) -> bool) -> Open {
        let all = self.depends != depends;
        let entries = ledger.entries.iter().filter(|entry| matters(entry));
        let ids = entries.map(|entry| entry.id);
        Open {
            ids: ids.filter(|id| all || !self.treated.contains(id)).collect(),
            all,
        }
    }

    /// Whether a run was cut off between the intent and the outcome.
    pub fn is_cut_off(&self) -> bool {
        self.intent.is_some()
    }

    /// Notes what the step is about to treat. It is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(&mut self, archive: &Archive, step: &str, ids: BTreeSet<i64>) -> Result<()> {
        self.intent = Some(ids);
        self.write(archive, step)
    }

    /// Notes that what was begun is done. It is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self, archive: &Archive, step: &str, depends: &str) -> Result<()> {
        self.treated.extend(self.intent.take().unwrap_or_default());
        self.depends = depends.into();
        self.write(archive, step)
    }

    fn write(&self, archive: &Archive, step: &str) -> Result<()> {
        let bytes = serde_json::to_vec(self).map_err(|e| Error::Damaged(e.to_string()))?;
        archive.write_nightly(&file(step), &bytes)
    }
}

fn file(step: &str) -> String {
    format!("{step}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_without_outcome_stays_open_and_an_outcome_closes_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::create(&folder.path().join("archive")).expect("an archive");
        let mut state = StepState::of(&archive, "hunt").expect("a state");
        state
            .begin(&archive, "hunt", BTreeSet::from([1, 2]))
            .expect("written");
        let mut again = StepState::of(&archive, "hunt").expect("a state");
        assert!(again.is_cut_off());
        assert!(again.treated.is_empty());
        again.finish(&archive, "hunt", "rules").expect("written");
        let done = StepState::of(&archive, "hunt").expect("a state");
        assert!(!done.is_cut_off());
        assert_eq!(done.treated, BTreeSet::from([1, 2]));
        Archive::open(archive.root()).expect("the archive takes the folder");
    }
}
