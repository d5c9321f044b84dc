//! The turn of a writer: it takes the file of the plan, offers a commit, gives staged files their places, and ends.

use std::fs;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};

use bytes::Bytes;

use super::names::{self, Kind, kind};
use super::{IDLE, LOOKS, Remote, Turn, is_idle};
use crate::archive::disk::STAGING;
use crate::fault::{Error, Result};
use crate::storage::Put;

impl Remote {
    pub(super) fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this run the one that writes: whoever began before can change the plan's file no more. A commit that was cut off is this run's to complete.
    ///
    /// # Errors
    /// When the store does not answer, or others are always faster.
    pub(in crate::archive) fn take_turn(&self) -> Result<()> {
        for _ in 0..LOOKS {
            let listed = self.place.list(STAGING)?;
            let found = self.place.get(&self.plan)?;
            let run = uuid::Uuid::new_v4().simple().to_string();
            let idle = Bytes::from(format!("{IDLE}\"{run}\"}}"));
            let (put, is_plan) = match &found {
                None => (Put::Create, false),
                Some((bytes, tag)) => (Put::Update(tag.clone()), !is_idle(bytes)),
            };
            let taken = match (found, is_plan) {
                (Some((bytes, tag)), true) => Some((bytes, tag)),
                _ => self
                    .place
                    .put(&self.plan, &idle, &put)?
                    .map(|tag| (idle, tag)),
            };
            let Some((_, tag)) = taken else { continue };
            let mut leftovers: Vec<String> = listed.into_iter().map(|found| found.name).collect();
            // What a plan needs goes with it; what is listed beside it is the next run's to remove.
            leftovers.retain(|name| *name != self.plan && !is_plan);
            *self.turn() = Turn {
                tag,
                run,
                leftovers,
            };
            return self.pull();
        }
        Err(self.overtaken())
    }

    /// The name below which this run stages.
    pub(in crate::archive) fn run(&self) -> String {
        self.turn().run.clone()
    }

    /// Below which name the files of the plan are staged that another process may have copied.
    pub(in crate::archive) fn plan_is_of(&self, run: &str) {
        *self.staged.write().unwrap_or_else(PoisonError::into_inner) = run.to_string();
    }

    /// Offers a commit: its staged files go up, then its plan. From then on it belongs to the archive.
    ///
    /// # Errors
    /// When the store does not take it, or another writer was faster.
    pub(in crate::archive) fn offer(
        &self,
        files: &[(PathBuf, String)],
        plan: Vec<u8>,
    ) -> Result<()> {
        self.place.send(files)?;
        let plan = Bytes::from(plan);
        let tag = self.turn().tag.clone();
        let Some(tag) = self.place.put(&self.plan, &plan, &Put::Update(tag))? else {
            let own: Vec<String> = files.iter().map(|(_, name)| name.clone()).collect();
            self.place.delete(&own)?;
            return Err(self.overtaken());
        };
        self.turn().tag = tag;
        *self.staged.write().unwrap_or_else(PoisonError::into_inner) = self.run();
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        for (path, name) in files.iter().filter(|(_, name)| kind(name) == Kind::Part) {
            let size = fs::metadata(path).map_err(Error::io("read", path))?.len();
            parts.insert(name.clone(), size);
        }
        Ok(())
    }

    /// Gives files that are staged below a name of a run their own names; those that have them stay. Each goes with its size.
    ///
    /// # Errors
    /// When the store does not answer, or a file is neither staged nor in its place, or is another.
    pub(in crate::archive) fn place(&self, run: &str, files: &[(String, u64)]) -> Result<()> {
        let is_there = |name: &str, size: u64| {
            let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
            parts.get(name) == Some(&size)
        };
        let wanted = files.iter().filter(|(name, size)| !is_there(name, *size));
        let wanted: Vec<&(String, u64)> = wanted.collect();
        let copies = wanted
            .iter()
            .map(|(name, _)| (names::staged(run, name), name.clone()));
        let copies: Vec<(String, String)> = copies.collect();
        for ((name, size), is_copied) in wanted.into_iter().zip(self.place.copy(&copies)?) {
            // Another run that completes the same commit may have put it there and removed what was staged.
            if !is_copied
                && self
                    .place
                    .head(name)?
                    .is_none_or(|found| found.size != *size)
            {
                return Err(Error::Damaged(format!(
                    "`{}` is neither in its place nor among the staged files",
                    self.place.of(name).display()
                )));
            }
            let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
            parts.insert(name.clone(), *size);
        }
        Ok(())
    }

    /// Gives a staged watchlist its place.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(in crate::archive) fn place_watchlist(&self, staged: String, name: &str) -> Result<()> {
        self.place.copy(&[(staged, name.to_string())])?;
        self.renew(name).map(|_| ())
    }

    /// Ends a commit: the plan goes, and what was staged for it. Says whether this run has ended it: another one may have completed it.
    ///
    /// # Errors
    /// When the store does not answer, or the copy cannot be written.
    pub(in crate::archive) fn end(&self, staged: &str) -> Result<bool> {
        let _changing = self.changing()?;
        let (tag, run) = {
            let turn = self.turn();
            (turn.tag.clone(), turn.run.clone())
        };
        let idle = Bytes::from(format!("{IDLE}\"{run} {}\"}}", uuid::Uuid::new_v4()));
        let Some(tag) = self.place.put(&self.plan, &idle, &Put::Update(tag))? else {
            return Ok(false);
        };
        self.turn().tag.clone_from(&tag);
        self.keep(&self.plan, &idle, tag)?;
        if !staged.is_empty() {
            let own = self.place.list(&format!("{STAGING}/{staged}"))?;
            let own: Vec<String> = own.into_iter().map(|found| found.name).collect();
            self.remove_staged(&own)?;
        }
        Ok(true)
    }

    /// Removes staged files of runs that can commit no more.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(in crate::archive) fn clean_staging(&self) -> Result<()> {
        let leftovers = std::mem::take(&mut self.turn().leftovers);
        self.remove_staged(&leftovers)
    }

    fn remove_staged(&self, names: &[String]) -> Result<()> {
        self.place.delete(names)?;
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|name, _| !names.contains(name));
        Ok(())
    }
}
