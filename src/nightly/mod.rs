//! What a nightly run is asked to do and what it has done: its configuration, the state of its steps, the lock that keeps a second one out.
//!
//! - [`depends`]: whether what a step depends on besides ingests has changed.
//! - [`settings`]: the configuration file; `shape` is the table of its keys, [`mistakes`] says all that is wrong, with the place of each.
//! - [`state`]: which ingests a step has treated, with its intent before and its outcome after, kept in the archive.
//! - [`untold`]: alerts that a run has stored and no exit code has told of.
//! - [`lock`]: one run at a time.
//!
//! Knows nothing of what the steps do, and reads no clock.

pub mod depends;
pub mod lock;
pub mod mistakes;
pub mod settings;
mod shape;
pub mod state;
pub mod untold;
