//! From bytes to typed rows: what a file is, how it is cut into records, and what a record means.
//!
//! - [`input`]: files, folders, patterns, pipes and standard input; [`own`]: what coldtrail wrote itself; [`member`]: members of archives
//!   and sheets of workbooks, as inputs of their own, from [`zip`], [`tar`] and [`workbook`].
//! - [`packing`]: how a file is packed; [`stream`]: an open input: encoding, SHA-256; [`parquet`]: rows of Parquet as JSON lines.
//! - [`mod@format`]: what a file is, from its content and never from its extension.
//! - [`csv`], [`json`]: containers. They know records and offsets, nothing of Microsoft.
//! - [`audit`], [`columns`]: record kinds. They know fields, nothing of CSV. [`entra`]: sign-ins in other spellings.
//! - [`wrappers`]: records inside objects of other tools; [`recast`]: events as other interfaces spell them; [`answers`]: what is no event.
//! - [`mended`], [`python`]: JSON that was damaged or is none; [`behind`]: records behind something else on their lines.
//! - [`rows`]: typed columns of one table, filled row by row. `expected`: keys are found by the order of the records before.
//! - [`block`]: a piece of a file converted on one core; files are cut at record boundaries so that all cores work on one file.
//! - [`watchlist`]: lists of reference data, which are no events.
//!
//! Knows nothing of our archive or of duplicates.

pub mod answers;
pub mod audit;
pub mod behind;
pub mod block;
pub mod columns;
pub mod csv;
pub mod entra;
mod expected;
pub mod format;
pub mod input;
pub mod json;
pub mod member;
pub mod mended;
pub mod own;
pub mod packing;
pub mod parquet;
pub mod python;
pub mod recast;
pub mod rows;
pub mod stream;
pub mod suffixed;
pub mod tar;
pub mod time;
pub mod watchlist;
pub mod workbook;
pub mod wrappers;
pub mod zip;

/// Longest record that is read. Longer ones go to quarantine.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// A record that could not be converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Number of the record, from 0, counted from the start of the block it stands in.
    pub record: u64,
    /// Byte offset, counted from the start of the block.
    pub offset: usize,
    /// Why.
    pub reason: String,
    /// The bytes, or the first of them.
    pub content: Vec<u8>,
    /// How many bytes the record has.
    pub length: usize,
}
