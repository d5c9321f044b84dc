//! What was found and is no input, and why.

use std::fmt;
use std::path::{Path, PathBuf};

use super::name::name_of;
use crate::fault::Error;

/// A folder that holds a file of this name is passed over when it is found below a folder that was named; named itself, it is read.
pub const PASS_OVER: &str = ".coldtrailignore";

/// Something that is no input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PassedOver {
    /// Why.
    pub why: Why,
    /// What.
    pub path: PathBuf,
}

impl PassedOver {
    /// Its name, as [`super::Input::name`] gives it.
    pub fn name(&self) -> String {
        name_of(&self.path)
    }
}

/// Why something is no input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A folder with a file [`PASS_OVER`].
    Ignored,
    /// An archive of coldtrail.
    Archive,
    /// Findings or a report of coldtrail.
    Result,
    /// This run writes there.
    Target,
    /// A link to what lies outside of the folder that was named.
    Link(PathBuf),
    /// Neither file nor folder: a pipe, a socket, a device.
    Special(&'static str),
    /// What Office leaves beside a document that is open.
    Lock,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Ignored => write!(f, "it holds {PASS_OVER}"),
            Why::Archive => f.write_str("it is an archive of coldtrail, not an export"),
            Why::Result => f.write_str("it is a result of coldtrail, not an export"),
            Why::Target => f.write_str("results are written there"),
            Why::Link(target) => write!(
                f,
                "it is a link that leads out of the folder, to `{}`",
                name_of(target)
            ),
            Why::Special(kind) => write!(f, "it is {kind}"),
            Why::Lock => f.write_str("it says that somebody has a document open, and is no export"),
        }
    }
}

impl Why {
    /// That somebody named such a thing.
    pub(super) fn refused(&self, path: &Path) -> Error {
        Error::Usage(format!("`{}` cannot be an input: {self}", name_of(path)))
    }
}
