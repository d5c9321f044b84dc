//! The case: everything that notices, indicators, timelines and reports are made of, as plain data.
//!
//! The only queries behind these documents are here; a document is a pure function of what they give. Times are microseconds since 1970, UTC.
//! Says nothing of how a document looks, and sends nothing.
//!
//! - `denials`, [`denial`]: who was denied a protected document; `documents`: what the records of the same content say of it.
//! - [`allowed`]: what the organisation says to be its own.
//! - [`changes`], [`label`]: labels that were lowered or removed, and to whom those report who did it.
//! - [`owner`]: persons, services, and what is neither.
//! - [`mod@things`]: what a finding is about.
//! - [`figures`]: what a report counts and draws; [`iso`](mod@iso), [`shortened`](mod@shortened): times and long
//!   texts as documents say them.
//! - `reference`: watchlists and names of accounts; `rows`: rows of answers.

use crate::archive::ledger::Ledger;
use crate::engine::Session;
use crate::fault::Result;
use crate::hunt::Window;

pub use allowed::{ALLOWLIST, Allowed};
pub use changes::{Change, LOWERED, LabelChange, by_manager};
pub use denial::{Denial, Lineage, Owner, Refusal, Trace};
pub use iso::iso;
pub use label::Label;
pub use owner::{SERVICE_ACCOUNTS, is_address};
pub use reference::MANAGERS;
pub use shortened::{LONG, shortened};
pub use things::{Thing, things};

pub mod allowed;
pub mod changes;
pub mod denial;
mod denials;
mod documents;
pub mod figures;
pub mod iso;
pub mod label;
pub mod owner;
mod reference;
mod rows;
pub mod shortened;
pub mod things;

/// A snapshot of an archive, to make documents of.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    session: &'a Session,
    ledger: &'a Ledger,
}

impl<'a> Case<'a> {
    /// The case of an archive. Its session is to be open for all times: a window chooses denials and changes, and what is known of a document or
    /// an account may have been written long before.
    pub fn of(session: &'a Session, ledger: &'a Ledger) -> Case<'a> {
        Case { session, ledger }
    }

    /// The denials in a window, of all sources, by time; each once.
    ///
    /// # Errors
    /// When the archive or a watchlist cannot be read, or there is no memory for so many.
    pub fn denials(&self, window: Window) -> Result<Vec<Denial>> {
        denials::of(self.session, self.ledger, window)
    }

    /// The label events of these actions of `LabelEvents` in a window, by time: [`LOWERED`] for those after which a document is less protected.
    ///
    /// # Errors
    /// When the archive or a watchlist cannot be read, or there is no memory for so many.
    pub fn label_changes(&self, window: Window, actions: &[&str]) -> Result<Vec<LabelChange>> {
        changes::of(self.session, self.ledger, window, actions)
    }

    /// How many labels were lowered or removed at no known time, by these users in lower case, by all where none is named: neither
    /// [`label_changes`](Case::label_changes) nor [`figures`](Case::figures) has them.
    ///
    /// # Errors
    /// When the archive cannot be read.
    pub fn untimed_changes(&self, users: &[String]) -> Result<u64> {
        changes::untimed(self.session, users)
    }

    /// What a report counts and draws.
    ///
    /// # Errors
    /// When the archive or a watchlist cannot be read, or there is no memory for what is counted.
    pub fn figures(&self, asked: &figures::Asked<'_>) -> Result<figures::Counted> {
        figures::of(self.session, self.ledger, asked)
    }

    /// What the organisation says to be its own, or to be left alone.
    ///
    /// # Errors
    /// When the archive or the watchlist cannot be read.
    pub fn allowed(&self) -> Result<Allowed> {
        allowed::of(self.session)
    }
}
