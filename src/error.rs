//! What can go wrong, said so that a reader knows what, where and why.
//!
//! The library returns these and prints nothing; the command line turns them into messages, hints and exit codes.

use std::path::{Path, PathBuf};

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure that stops a command. A bad record or rule is not one of these: it is counted and reported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was tried: `open`, `read`, `create`, …
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// An input does not exist or a pattern matches nothing.
    #[error("no file matches `{0}`")]
    NoInput(String),
    /// The folder is not an archive, or one that a newer version wrote.
    #[error("`{path}` is not an archive: {reason}")]
    NotAnArchive {
        /// The folder.
        path: PathBuf,
        /// Why it is none.
        reason: String,
    },
    /// Something exists and may only be replaced when the user says so.
    #[error("`{0}` exists already")]
    Exists(PathBuf),
    /// The archive's log could not be read or written.
    #[error("table log of `{table}`: {source}")]
    Delta {
        /// The table.
        table: String,
        /// What the Delta library answered.
        source: Box<deltalake_core::DeltaTableError>,
    },
    /// A Parquet file of the archive could not be written or read.
    #[error("Parquet file `{path}`: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the Parquet library answered.
        source: Box<parquet::errors::ParquetError>,
    },
    /// A query is wrong, or failed.
    #[error("{0}")]
    Query(String),
    /// A table that nobody knows.
    #[error("no table `{name}`")]
    NoTable {
        /// The name asked for.
        name: String,
        /// Names that exist, the nearest first.
        known: Vec<String>,
    },
    /// Arguments that contradict each other or cannot be understood.
    #[error("{0}")]
    Usage(String),
    /// A watchlist, rule folder or template could not be understood.
    #[error("`{path}`: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Conversion between columns failed; a fault of coldtrail itself.
    #[error("columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl Error {
    /// Returns a function for `map_err` that names the action and the file.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io {
            action,
            path: path.as_ref().to_path_buf(),
            source,
        }
    }

    /// One piece of advice, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Exists(_) => Some("use -C/--clobber to replace it".into()),
            Error::NotAnArchive { .. } => {
                Some("`coldtrail ingest EXPORTS -a ARCHIVE` makes one".into())
            }
            Error::NoTable { known, .. } if !known.is_empty() => Some(format!(
                "this archive has {}",
                known
                    .iter()
                    .take(12)
                    .map(|n| format!("`{n}`"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
            _ => None,
        }
    }
}

impl From<datafusion::error::DataFusionError> for Error {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        // The backtrace and the `Context` layers are for DataFusion's own developers.
        Error::Query(error.strip_backtrace())
    }
}
