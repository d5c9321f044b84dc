//! What the threads of an ingest tell each other.

use std::io;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::blocks::Pieces;
use super::permits::Permit;
use super::summary::ReadBefore;
use super::writer::Wrote;
use crate::archive::ledger::Status;
use crate::fault::{Error, Result};
use crate::ingest::block::Block;
use crate::ingest::format::Format;
use crate::ingest::input::{self, Input};
use crate::ingest::workbook::Marks;

/// What the merging thread hears, as it comes.
pub(super) enum Event {
    /// The reading thread panicked.
    Lost,
    /// A block to convert, with its place in the order.
    Convert(u64, Arc<Format>, Box<Block>, Permit),
    /// What waits for its turn.
    InOrder(u64, Message),
    /// What became of rows of a table that were to be written; they took so many bytes in memory.
    Written(u64, Box<(&'static str, Result<Wrote>)>),
}

/// What the merging thread hears in the order of the inputs.
pub(super) enum Message {
    /// Where a file stands that is read next, by its name. Members of it may come before it.
    Place(String, Place),
    Begin {
        input: String,
        format: Option<Arc<Format>>,
        packing: (&'static str, &'static str),
        /// Of a sheet.
        marks: Option<Arc<Marks>>,
    },
    Converted {
        block: Box<Block>,
        pieces: Box<Pieces>,
        permit: Permit,
    },
    Finish(Box<Finish>),
    /// The file was ingested before.
    Known(Box<ReadBefore>),
    /// Reading this input panicked, wherever it stood.
    Panicked {
        input: String,
        finish: Box<Finish>,
    },
    /// Reading cannot go on at all.
    Failed(Error),
    Done,
}

/// How reading a file ended.
pub(super) struct Finish {
    pub digest: Result<(u64, String)>,
    pub failure: Option<io::Error>,
    pub status: Status,
    pub note: String,
}

/// What tells a file from others of its name.
#[derive(Default)]
pub(super) struct Place {
    /// That of its path, or in object storage of its address and version; empty where it has none.
    pub key: String,
    pub bytes: u64,
    /// When it was changed last, in microseconds; 0 where nobody knows.
    pub modified: i64,
}

impl Place {
    pub(super) fn of(input: &Input) -> Self {
        let path = match input {
            Input::File(path) => path,
            Input::Stored(stored) => {
                return Place {
                    key: stored.key().unwrap_or_default(),
                    bytes: stored.size(),
                    modified: 0,
                };
            }
            Input::Member(_) | Input::Pipe(_) | Input::Stdin => return Place::default(),
        };
        let key = input::path_key(path).unwrap_or_default();
        // Of a link to nothing, the place is all there is.
        let Ok(data) = std::fs::metadata(path) else {
            return Place {
                key,
                ..Place::default()
            };
        };
        let since = data.modified().ok();
        let since = since.and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        Place {
            key,
            bytes: data.len(),
            modified: since
                .and_then(|t| i64::try_from(t.as_micros()).ok())
                .unwrap_or(0),
        }
    }
}
