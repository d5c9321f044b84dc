//! The archive: a folder of Delta tables of Parquet files, one table a folder, one folder a day.
//!
//! - [`store`]: the folder as an object store that writes durably.
//! - [`delta`]: the tables' logs; `commits`: the files of which they are made up.
//! - [`part`]: Parquet files.
//! - [`nested`]: kept lists of records that are JSON in all rows of a file.
//! - [`ledger`]: the table `Ingests`, which says what was read.
//! - `folder`: opened, begun and locked.
//! - `snapshot`, `moment`: the archive as it is now.
//! - `pending`: commits over several tables that happen as a whole.
//! - [`digest`]: what rows say, whatever files they lie in.
//! - [`keys`]: which events the archive has.
//! - [`compact`]: many small files become one.
//! - [`repair`]: what to do when log, ledger and files do not agree.
//!
//! What a log names is read, whoever wrote it; only staged leftovers and files that coldtrail itself replaced are ever deleted. Where logs and ledger
//! do not agree nothing is written any more until they are repaired. Knows nothing of exports and of queries.

mod commits;
pub mod compact;
pub mod delta;
pub mod digest;
mod folder;
pub mod keys;
pub mod ledger;
mod moment;
pub mod nested;
pub mod part;
mod pending;
pub mod repair;
mod snapshot;
pub mod store;

pub use folder::{Archive, Lock, WATCHLISTS, is_known};
pub use snapshot::Snapshot;
