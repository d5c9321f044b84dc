//! A member as those see it who open it: a name, a size, and bytes that come out of an archive of some kind.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::sync::Arc;

use super::super::packing::Bytes;
use super::super::workbook::Marks;
use crate::fault::Result;

/// Members that an archive may have. Exports have dozens.
pub(in crate::ingest) const MAX_MEMBERS: usize = 100_000;

/// A member of an archive, or a sheet of a workbook.
#[derive(Debug, Clone)]
pub struct Member {
    /// The archive's name, `/`, and its own. No two inputs of a run have one name.
    pub name: String,
    /// Its size, as the archive says; that of a sheet is not known before it is read.
    pub size: Option<u64>,
    /// Archives around its own.
    pub(super) depth: usize,
    pub(super) content: Arc<dyn Content>,
}

/// Where the bytes of a member come from. Archives open inputs to list what is in them, so that inputs cannot name kinds of archives.
pub(super) trait Content: Debug + Send + Sync {
    /// The bytes of the member of that name.
    fn open(&self, name: &str) -> Result<Opened>;

    /// Whether it is a sheet of a workbook.
    fn is_sheet(&self) -> bool {
        false
    }
}

impl Member {
    /// Whether it is a sheet of a workbook.
    pub fn is_sheet(&self) -> bool {
        self.content.is_sheet()
    }

    /// Its bytes, unpacked and checked as far as the archive says what they were. A sheet is read as CSV.
    ///
    /// # Errors
    /// When the archive cannot be opened or the member cannot be read at all.
    pub fn open(&self) -> Result<Opened> {
        self.content.open(&self.name)
    }
}

/// An input as it came.
pub struct Opened {
    /// Its bytes.
    pub bytes: Bytes,
    /// What is to be said of it before it is read.
    pub note: String,
    /// What is known of a sheet while it is read.
    pub marks: Option<Arc<Marks>>,
}

impl From<Bytes> for Opened {
    fn from(bytes: Bytes) -> Opened {
        Opened {
            bytes,
            note: String::new(),
            marks: None,
        }
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Member) -> bool {
        self.name == other.name
    }
}

impl Eq for Member {}

impl PartialOrd for Member {
    fn partial_cmp(&self, other: &Member) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Member {
    fn cmp(&self, other: &Member) -> Ordering {
        self.name.cmp(&other.name)
    }
}

/// Whether a file is what Office leaves beside a document that is open: who has it open, in 165 bytes or fewer.
pub(in crate::ingest) fn is_lock(path: &str, size: u64) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("~$") && size <= 165
}
