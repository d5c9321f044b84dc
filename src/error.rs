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
    /// A file of the archive is missing or damaged.
    #[error("the archive is damaged: {0}")]
    Damaged(String),
    /// A query is wrong, or failed.
    #[error("{0}")]
    Query(String),
    /// A column that the query's tables do not have.
    #[error("no column `{name}`")]
    NoColumn {
        /// The name asked for.
        name: String,
        /// Columns that there are.
        known: Vec<String>,
    },
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
    /// A record or file could not be read, and the user wants none left out.
    #[error("`{path}`: {place}{reason}")]
    Strict {
        /// The file.
        path: PathBuf,
        /// Where in it, with `: ` at the end, or nothing.
        place: String,
        /// Why.
        reason: String,
    },
    /// Conversion between columns failed; a fault of coldtrail itself.
    #[error("columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl Error {
    /// Returns a function for `map_err` that names the action and the file.
    pub fn io(
        action: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(std::io::Error) -> Error {
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
            Error::Strict { .. } => {
                Some("nothing was added; without --strict it goes to quarantine".into())
            }
            Error::NotAnArchive { .. } => {
                Some("`coldtrail ingest EXPORTS -a ARCHIVE` makes one".into())
            }
            Error::NoColumn { name, known } => did_you_mean(name, known),
            Error::NoTable { name, known } if !known.is_empty() => {
                let near = nearest(name, known);
                Some(match near.as_slice() {
                    [] => {
                        let names: Vec<String> =
                            known.iter().take(8).map(|n| format!("`{n}`")).collect();
                        format!("this archive has {}", names.join(", "))
                    }
                    near => format!("did you mean {}?", near.join(" or ")),
                })
            }
            _ => None,
        }
    }
}

/// What could have been meant by a word, as a question.
pub fn did_you_mean(word: &str, known: &[String]) -> Option<String> {
    let near = nearest(word, known);
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(" or ")))
}

/// Words that could have been meant, the nearest first, in backticks.
fn nearest(word: &str, known: &[String]) -> Vec<String> {
    let mut near: Vec<(usize, &String)> = known
        .iter()
        .map(|k| (edits(&word.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(d, _)| *d <= 1 + word.len() / 3)
        .collect();
    near.sort();
    near.dedup();
    near.into_iter()
        .take(3)
        .map(|(_, k)| format!("`{k}`"))
        .collect()
}

/// Edits between two words.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

impl From<datafusion::error::DataFusionError> for Error {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        use datafusion::common::SchemaError;
        use datafusion::error::DataFusionError as E;
        let root = error.find_root();
        if let E::SchemaError(schema, _) = root
            && let SchemaError::FieldNotFound {
                field,
                valid_fields,
            } = schema.as_ref()
        {
            return Error::NoColumn {
                name: field.name.clone(),
                known: valid_fields.iter().map(|c| c.name.clone()).collect(),
            };
        }
        if matches!(root, E::ObjectStore(_) | E::ParquetError(_) | E::IoError(_)) {
            return Error::Damaged(root.strip_backtrace());
        }
        // The backtrace and the layers around the cause are for DataFusion's own developers.
        let text = root.strip_backtrace();
        let layers = [
            "Error during planning: ",
            "Execution error: ",
            "SQL error: ",
            "Schema error: ",
        ];
        let text = layers.iter().fold(text.as_str(), |t, prefix| {
            t.strip_prefix(prefix).unwrap_or(t)
        });
        Error::Query(match text {
            t if t.starts_with("DDL not supported")
                || t.starts_with("DML not supported")
                || t.starts_with("Statement not supported") =>
            {
                "a query can read and nothing else".into()
            }
            t if t.contains("single SQL statement") => "one query at a time".into(),
            t => match t
                .strip_prefix("ParserError(\"")
                .and_then(|t| t.strip_suffix("\")"))
            {
                Some(inner) => format!("SQL: {}", inner.replace("\\\"", "\"")),
                None => t.to_string(),
            },
        })
    }
}
