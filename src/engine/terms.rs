//! On what the answers of a session depend, beside its archive.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::options::{Columns, Late, Options};
use super::session::Session;
use crate::fault::Result;

/// Of the options of a session those on which its answers depend: one that is opened with them over the same archive, on whatever machine, gives
/// the same. Times are in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    from: Option<i64>,
    to: Option<i64>,
    now: Option<i64>,
    seen: Option<i64>,
    timeout: Option<Duration>,
    columns: Columns,
    late: Late,
    recorded: bool,
}

impl Terms {
    /// The options of a session that answers so. Threads, memory, the folder of temporary files and what stops it are its own machine's. No file is
    /// a table of it.
    pub fn options(&self, own: &Options) -> Options {
        Options {
            from: self.from,
            to: self.to,
            now: self.now,
            seen: self.seen,
            threads: own.threads,
            memory: own.memory,
            temp: own.temp.clone(),
            timeout: self.timeout,
            stop: own.stop.clone(),
            files: Vec::new(),
            columns: self.columns,
            late: self.late.clone(),
            recorded: self.recorded,
        }
    }
}

impl Session {
    /// On what its answers depend, beside its archive.
    pub fn terms(&self) -> Terms {
        Terms {
            from: self.range.from,
            to: self.range.to,
            now: self.now,
            seen: self.stored.seen(),
            timeout: self.deadline.limit(),
            columns: self.columns,
            late: self.late.as_ref().clone(),
            recorded: self.recorded,
        }
    }

    /// What the archive is that it asks, as it was when it was opened: see [`Pinned::identity`](crate::archive::Pinned::identity).
    ///
    /// # Errors
    /// When a log or a watchlist cannot be read. When its rows are in memory: nobody else has those.
    pub fn identity(&self) -> Result<String> {
        self.stored.identity()
    }

    /// Whether a table of it is a file that was named when it was opened.
    pub(crate) fn has_files(&self) -> bool {
        !self.files.is_empty()
    }
}
