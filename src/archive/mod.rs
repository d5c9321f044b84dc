//! The archive: a folder of Delta tables of Parquet files, one table a folder, one folder a day.
//!
//! - [`store`]: the folder as an object store that writes durably; `disk`: its files.
//! - [`delta`]: the tables' logs; `commits`: the files of which they are made up; `entry`: the files that they name; `replay`: logs that
//!   coldtrail alone wrote.
//! - [`part`]: Parquet files; [`opened`]: how they are opened, whoever wrote them.
//! - [`gathered`]: rows of several batches as one.
//! - [`nested`]: kept lists of records that are JSON in all rows of a file.
//! - [`ledger`]: the table `Ingests`, which says what was read.
//! - `folder`: opened, begun and locked.
//! - `snapshot`, `moment`, `pinned`: the archive as it is now, all of it or the tables that are asked for; `identity`: what it is, wherever it
//!   lies.
//! - [`remote`]: archives in object storage, and the copy of their small files.
//! - `pending`: commits over several tables that happen as a whole.
//! - [`digest`]: what rows say, whatever files they lie in.
//! - [`keys`]: which events the archive has.
//! - `pile`: those that an ingest adds, until its commit.
//! - `sorted`: files of sorted numbers, in which one is found by one read.
//! - [`derived`]: tables that are made of events, each in the commit of its events; `label_events`: the rows of the one that there is, of
//!   `fields`.
//! - [`conclusions`]: alerts and incidents that hunts store.
//! - [`compact`]: many small files become one; `merged`: of files, `ordered`: of their rows; `retained`: what becomes of the small ones.
//! - [`repair`]: what to do when log, ledger and files do not agree; `found`: what the files say by themselves.
//!
//! What a log names is read, whoever wrote it; only staged leftovers and files that coldtrail itself replaced are ever deleted. Where logs and ledger
//! do not agree nothing is written any more until they are repaired. Knows nothing of exports and of queries.

mod commits;
pub mod compact;
pub mod conclusions;
pub mod delta;
pub mod derived;
pub mod digest;
mod disk;
mod entry;
mod fields;
mod folder;
mod found;
pub mod gathered;
mod identity;
pub mod keys;
mod label_events;
pub mod ledger;
mod merged;
mod moment;
pub mod nested;
pub mod opened;
mod ordered;
pub mod part;
mod pending;
mod pile;
mod pinned;
pub mod remote;
pub mod repair;
mod replay;
mod retained;
mod sample;
mod snapshot;
mod sorted;
pub mod store;

pub use disk::{NIGHTLY, NOTICES, PLAN, WATCHLISTS};
pub use folder::{Archive, Lock, RESULT, is_known};
pub use label_events::app_id;
pub use pinned::Pinned;
pub use snapshot::Snapshot;
