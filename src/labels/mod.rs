//! The sensitivity labels of an archive: what they are called, which of them its events name, and what happened to those of a document or by a
//! person.
//!
//! - [`list`]: the list of labels, which the watchlist `Labels` is, and how a newer list changes it.
//! - [`seen`]: the labels that events name, with how often and when, and where their names are from.
//! - [`history`]: the label events of a document or a person in the order of time; [`event`]: one of them; `sentence`: as a line for people.
//!
//! Knows nothing of how exports write lists of labels; that is [`crate::ingest::watchlist`]. Prints nothing.

pub mod event;
pub mod history;
pub mod list;
pub mod seen;
mod sentence;
