//! What can go wrong, said so that a reader knows what, where and why.
//!
//! The library returns these and prints nothing; the command line turns them into messages, hints and exit codes.

use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// Rules are asked for under a name that nothing has.
    #[error("no file, folder, pack or built-in rule `{name}`{near}")]
    NoRules {
        /// The name.
        name: String,
        /// Behind a semicolon what may be meant, or nothing.
        near: String,
    },
    /// The folder is not an archive, or one that a newer version wrote.
    #[error("`{path}` is not an archive: {reason}")]
    NotAnArchive {
        /// The folder.
        path: PathBuf,
        /// Why it is none.
        reason: String,
        /// The archive that lies in it, as in a folder of results, or around it.
        meant: Option<PathBuf>,
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
    /// Logs, ledger and files of an archive do not agree: writing on would make that final.
    #[error("`{path}` lacks something that was there: {what}")]
    Behind {
        /// The archive.
        path: PathBuf,
        /// In what they do not agree.
        what: String,
    },
    /// Another program gave a table of an archive features of Delta Lake that coldtrail does not write.
    #[error("another program gave `{table}` what coldtrail does not write: {features}")]
    Beyond {
        /// The table.
        table: String,
        /// The version of the protocol, and its features by name.
        features: String,
    },
    /// An archive never stood still while it was looked at.
    #[error("`{0}` is being written all the time")]
    Busy(PathBuf),
    /// Somebody else has written to an archive in object storage while this run did.
    #[error(
        "`{0}` was written by somebody else in the meantime; nothing of this run is in it that is not reported above"
    )]
    Overtaken(PathBuf),
    /// A query needs more than memory and cannot use the disk.
    #[error("cannot write temporary files: {reason}{}", in_folder(.folder.as_deref()))]
    Temporary {
        /// What the system answered.
        reason: String,
        /// The folder of the temporary files, where that is known.
        folder: Option<PathBuf>,
    },
    /// A query needs more memory than it may take.
    #[error("out of memory: {0}")]
    Memory(String),
    /// A query took longer than it may.
    #[error("no answer within {}: --timeout ended it", seconds_text(.0))]
    TooLong(Duration),
    /// The user ended a query.
    #[error("the query was ended (Ctrl-C)")]
    Stopped,
    /// A worker is not there, does not take what it is asked, or failed.
    #[error("worker `{worker}`: {told}")]
    Worker {
        /// Its address, `HOST:PORT`.
        worker: String,
        /// What it told, or what is wrong with it.
        told: String,
    },
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

fn in_folder(folder: Option<&Path>) -> String {
    folder.map_or_else(String::new, |folder| {
        format!(" (in `{}`)", folder.display())
    })
}

fn seconds_text(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// Names that a hint lists.
const LISTED: usize = 8;

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

    /// Returns a function for `map_err` of a walk through a folder, which names the place that cannot be read.
    pub fn walk(folder: &Path) -> impl FnOnce(walkdir::Error) -> Error {
        move |error| {
            let path = error.path().unwrap_or(folder).to_path_buf();
            // Only links that form a circle have no answer of the system.
            let circle = error.to_string();
            let source = error.into_io_error();
            Error::Io {
                action: "read",
                path,
                source: source.unwrap_or_else(|| std::io::Error::other(circle)),
            }
        }
    }

    /// One piece of advice, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Exists(_) => Some("use -C/--clobber to replace it".into()),
            Error::Strict { .. } => {
                Some("nothing was added; without --strict it goes to quarantine".into())
            }
            Error::Behind { path, .. } => Some(format!(
                "nothing was changed; `coldtrail archive repair -a {}` makes log and ledger agree with the files that are there",
                path.display()
            )),
            Error::Beyond { table, .. } => Some(format!(
                "nothing was changed, and the archive can be asked as before; once `{table}/_delta_log` is moved out of it, `coldtrail archive repair` makes a log without them"
            )),
            Error::Delta { .. } => {
                Some("`coldtrail archive repair` makes a log again that cannot be read".into())
            }
            // Other tables hold events, which nothing makes again.
            Error::Damaged(text) if text.contains("LabelEvents/") => {
                Some("`coldtrail archive rebuild` derives LabelEvents from the events again".into())
            }
            Error::Damaged(_) | Error::Parquet { .. } => Some(
                "`coldtrail verify -a ARCHIVE` says which files are damaged; a copy of the archive, or another ingest of the exports, has their events"
                    .into(),
            ),
            Error::Overtaken(_) => Some("run it again: what is in the archive already is passed over".into()),
            Error::Busy(_) => Some("try again".into()),
            Error::Temporary { .. } => Some(
                "a query beyond --memory-limit uses the folder of --temp-dir, or that which TMPDIR names: make room there, name another, or raise the limit"
                    .into(),
            ),
            Error::Memory(_) => Some(
                "--memory-limit SIZE sets the limit; a narrower time range or fewer columns need less"
                    .into(),
            ),
            Error::TooLong(_) => {
                Some("a longer --timeout, or a narrower time range".into())
            }
            Error::NotAnArchive { meant, .. } => Some(meant.as_ref().map_or_else(
                || "`coldtrail ingest EXPORTS -a ARCHIVE` makes one".into(),
                |meant| format!("its archive is `{}`", meant.display()),
            )),
            Error::NoColumn { name, known } => did_you_mean(name, known),
            Error::NoTable { name, known } if !known.is_empty() => Some(tables_near(name, known)),
            Error::NoTable { .. } => {
                Some("`coldtrail tables -a ARCHIVE` shows the tables that there are".into())
            }
            Error::NoInput(_) => Some(
                "name a file or folder that is there, or a pattern in quotes such as 'exports/**/*.csv'"
                    .into(),
            ),
            Error::NoRules { .. } => Some(
                "rules are files, folders, `builtin:PACK`, or ids of built-in rules; `coldtrail rules list` shows those that are built in"
                    .into(),
            ),
            Error::Io { path, .. } if path.to_string_lossy().contains("://") => {
                Some(access_to(&path.to_string_lossy()))
            }
            Error::Io { action, source, .. } => place_of(action, source.kind()),
            Error::Query(text) if text.contains("archive.watchlists.") => Some(
                "`coldtrail tables -a ARCHIVE` shows the watchlists; an ingest takes those of a folder `watchlists`"
                    .into(),
            ),
            Error::Query(text) if text.starts_with("SQL: ") => Some(
                "look at the query there; `coldtrail tables -a ARCHIVE --columns TABLE` shows the columns of a table"
                    .into(),
            ),
            Error::Query(text) if text.starts_with("a query can read") => {
                Some("ask with SELECT; `coldtrail ingest EXPORTS -a ARCHIVE` adds events".into())
            }
            Error::Usage(text) => next_step(&STEPS, text),
            Error::Unusable { reason, .. } => next_step(&MENDED, reason),
            Error::Arrow(_) => {
                Some("this is a fault of coldtrail: report it with the command that shows it".into())
            }
            Error::Worker { .. } => Some(
                "look at what `coldtrail worker` says on that machine; --cluster names the workers that are asked"
                    .into(),
            ),
            Error::Query(_) | Error::Stopped => None,
        }
    }
}

/// What opens an address of object storage, by who has it.
fn access_to(address: &str) -> String {
    let scheme = address.split("://").next().unwrap_or_default();
    let named = match scheme.to_ascii_lowercase().as_str() {
        "s3" | "s3a" => {
            "bucket and folder, and at credentials, region and endpoint in the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT"
        }
        "gs" => {
            "bucket and folder, and at the credentials in the environment: GOOGLE_SERVICE_ACCOUNT"
        }
        "abfss" | "abfs" | "az" | "azure" | "adl" => {
            "container and folder, and at account and credentials in the environment: AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY"
        }
        _ => "the address",
    };
    format!("look at {named}")
}

/// The tables that are nearly called so, or else those that there are.
fn tables_near(name: &str, known: &[String]) -> String {
    match nearest(name, known).as_slice() {
        [] => {
            let names = known.iter().take(LISTED).map(|n| format!("`{n}`"));
            let names: Vec<String> = names.collect();
            let more = match known.len() > LISTED {
                true => ", …; `coldtrail tables` shows all",
                false => "",
            };
            format!("this archive has {}{more}", names.join(", "))
        }
        near => format!("did you mean {}?", near.join(" or ")),
    }
}

/// What to do about a file that cannot be reached.
fn place_of(action: &str, kind: std::io::ErrorKind) -> Option<String> {
    use std::io::ErrorKind as Kind;
    let text = match (kind, action) {
        (Kind::NotFound, "create" | "write") => {
            "its folder has to be there: make it, or name another"
        }
        (Kind::NotFound, _) => "look at how it is written, and from which folder it is named",
        (Kind::PermissionDenied, "create" | "write") => {
            "name a folder that you may write to, or ask for the right to"
        }
        (Kind::PermissionDenied, _) => {
            "ask for the right to read it, or make a copy that you may read"
        }
        (Kind::StorageFull | Kind::QuotaExceeded, _) => {
            "make room on the disk, or name a folder on another"
        }
        (Kind::ReadOnlyFilesystem, _) => "name a folder on a disk that can be written to",
        (Kind::IsADirectory, _) => "name a file, not a folder",
        (Kind::NotADirectory, _) => "a part of the path is a file: name a folder in its place",
        (Kind::InvalidData, _) => "save it as text in UTF-8",
        (Kind::ConnectionRefused | Kind::TimedOut | Kind::HostUnreachable, _) => {
            "look whether the server answers there, and at its name and port"
        }
        _ => return None,
    };
    Some(text.into())
}

/// How a message begins, and what to do after it.
type Step = (&'static str, &'static str);

/// What to do after wrong usage, where the message does not say so.
const STEPS: [Step; 12] = [
    (
        "--set: no rule",
        "`coldtrail rules list` shows the ids of rules",
    ),
    (
        "no rule ",
        "`coldtrail rules list` shows the built-in rules; those of a folder need -r",
    ),
    (
        "no rules in ",
        "`coldtrail rules check` says what became of each file",
    ),
    ("no stored alert", "`coldtrail alerts list` shows their ids"),
    ("--temp-dir ", "name a folder that is there"),
    ("--sources ", "name a folder that is there"),
    (
        "--time-column: ",
        "`coldtrail ingest --dry-run` says what each file is taken for; its first line names its columns",
    ),
    (
        "nothing was read",
        "`coldtrail ingest --dry-run` says what each file is taken for, and why",
    ),
    (
        "nothing lies between",
        "an earlier --from, a later --to, or a longer --since",
    ),
    ("--from is not before", "an earlier --from, or a later --to"),
    (
        "pattern `",
        "such as 'exports/**/*.csv', in quotes; [[] stands for a [ of the name",
    ),
    (
        "a pipe can be read once",
        "write it to a file, and name that",
    ),
];

/// The same of files that cannot be understood.
const MENDED: [Step; 6] = [
    (
        "no configuration is there",
        "`coldtrail run --init FILE` writes one to begin with; -c names one that is there",
    ),
    (
        "a newer version of coldtrail",
        "use that version, or a later one; `coldtrail --version` says which one this is",
    ),
    (
        "it is no MaxMind database",
        "--geoip takes a file such as GeoLite2-City.mmdb",
    ),
    (
        "no certificate in PEM",
        "--smtp-ca takes a file with -----BEGIN CERTIFICATE----- in it",
    ),
    ("not UTF-8", "save it as text in UTF-8"),
    (
        "the ingest failed",
        "this is a fault of coldtrail: report it with the export that shows it; what was committed before stays",
    ),
];

fn next_step(steps: &[Step], text: &str) -> Option<String> {
    let step = steps.iter().find(|(begins, _)| text.starts_with(begins));
    step.map(|(_, step)| (*step).to_string())
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

/// What failed below a query that is not wrong itself.
enum Origin {
    /// A file that one of our tables reads.
    File { path: PathBuf, reason: String },
    /// A file of the archive: nothing else is read through an object store or as Parquet while a query runs.
    Archive,
    /// A log of the archive, and what is wrong with it.
    Log(String),
    /// The disk that takes what does not fit into memory: nothing else does input and output of its own.
    Disk(String),
}

fn origin(error: &datafusion::error::DataFusionError) -> Option<Origin> {
    use arrow::error::ArrowError;
    use datafusion::error::DataFusionError;
    use parquet::errors::ParquetError;
    let mut disk = None;
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(at) = next {
        if let Some(Error::Unusable { path, reason }) = at.downcast_ref::<Error>() {
            return Some(Origin::File {
                path: path.clone(),
                reason: reason.clone(),
            });
        }
        if let Some(Error::Damaged(text)) = at.downcast_ref::<Error>() {
            return Some(Origin::Log(text.clone()));
        }
        let in_parquet = matches!(
            at.downcast_ref::<ArrowError>(),
            Some(ArrowError::ParquetError(_))
        );
        if in_parquet || at.is::<object_store::Error>() || at.is::<ParquetError>() {
            return Some(Origin::Archive);
        }
        next = match at.downcast_ref::<std::io::Error>() {
            // Its source would pass over the error that it holds.
            Some(io) => {
                let inner = io
                    .get_ref()
                    .map(|e| e as &(dyn std::error::Error + 'static));
                if !inner.is_some_and(|e| e.is::<DataFusionError>()) {
                    disk.get_or_insert_with(|| io.to_string());
                }
                inner
            }
            None => at.source(),
        };
    }
    disk.map(Origin::Disk)
}

/// What DataFusion lacked. Its own texts name settings that nobody can set here.
fn exhausted(text: &str) -> Error {
    match text {
        text if text.contains("disk") => Error::Temporary {
            reason: "the query needs more of the disk than it may take".into(),
            folder: None,
        },
        text if text.contains("datafusion.") || text.contains("memory pool") => {
            Error::Memory("the memory limit leaves too little to go on from the disk".into())
        }
        text => {
            // One may be told inside another.
            let last = text.rsplit("Resources exhausted: ").next();
            let line = last.and_then(|text| text.lines().next());
            Error::Memory(line.unwrap_or_default().into())
        }
    }
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
        match origin(&error) {
            Some(Origin::File { path, reason }) => return Error::Unusable { path, reason },
            Some(Origin::Archive) => return Error::Damaged(root.strip_backtrace()),
            Some(Origin::Log(text)) => return Error::Damaged(text),
            Some(Origin::Disk(reason)) => {
                return Error::Temporary {
                    reason,
                    folder: None,
                };
            }
            None => {}
        }
        if let E::ResourcesExhausted(text) = root {
            return exhausted(text);
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
            t if t.starts_with("RecursionLimitExceeded") => {
                "SQL: brackets and queries nest more than 50 deep".into()
            }
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

#[cfg(test)]
mod tests {
    use std::io;

    use arrow::error::ArrowError;
    use datafusion::error::DataFusionError as E;
    use parquet::errors::ParquetError;

    use super::*;

    fn not_found() -> object_store::Error {
        object_store::Error::NotFound {
            path: "archive/T/ct-1.parquet".into(),
            source: Box::new(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    #[test]
    fn a_full_disk_is_no_damage_of_the_archive() {
        let full = || E::IoError(io::Error::from(io::ErrorKind::StorageFull));
        // As the writer of Arrow's own files wraps it.
        let wrapped = || E::ArrowError(Box::new(ArrowError::from(io::Error::from(full()))), None);
        for error in [
            full(),
            wrapped(),
            wrapped().context("External Sorter"),
            E::Shared(std::sync::Arc::new(wrapped())),
        ] {
            let told = Error::from(error);
            assert_eq!(
                told.to_string(),
                "cannot write temporary files: no storage space"
            );
            assert!(told.hint().expect("a hint").contains("TMPDIR"));
        }
    }

    #[test]
    fn what_runs_out_is_told_in_one_sentence() {
        let lacked = "a sort needs 8 MiB more than the memory limit of 16 MiB leaves";
        for error in [
            E::ResourcesExhausted(lacked.into()),
            E::ResourcesExhausted(lacked.into()).context("External Sorter"),
            E::Shared(std::sync::Arc::new(E::ResourcesExhausted(lacked.into()))),
            E::ArrowError(
                Box::new(ArrowError::ExternalError(Box::new(E::ResourcesExhausted(
                    lacked.into(),
                )))),
                None,
            ),
        ] {
            let told = Error::from(error);
            assert_eq!(told.to_string(), format!("out of memory: {lacked}"));
            assert!(told.hint().expect("a hint").contains("--memory-limit"));
        }
        let foreign = E::ResourcesExhausted("set 'datafusion.runtime.memory_limit' higher".into());
        assert!(!Error::from(foreign).to_string().contains("datafusion"));
        let long = Error::TooLong(Duration::from_millis(1500));
        assert_eq!(
            long.to_string(),
            "no answer within 1.5 s: --timeout ended it"
        );
    }

    #[test]
    fn files_of_the_archive_that_cannot_be_read_are_its_damage() {
        for error in [
            E::ObjectStore(Box::new(not_found())),
            E::ParquetError(Box::new(ParquetError::External(Box::new(not_found())))),
            E::ParquetError(Box::new(ParquetError::EOF("cut off".into()))),
            E::ArrowError(Box::new(ArrowError::ParquetError("no page".into())), None),
            E::IoError(io::Error::other(not_found())),
        ] {
            let told = Error::from(error);
            assert!(matches!(told, Error::Damaged(_)), "{told}");
        }
    }

    #[test]
    fn what_a_table_says_of_its_file_is_said() {
        let own = Error::Unusable {
            path: "VIPs.csv".into(),
            reason: "row 2 has 1 column".into(),
        };
        let told = Error::from(E::External(Box::new(own)).context("planning"));
        assert_eq!(told.to_string(), "`VIPs.csv`: row 2 has 1 column");
    }
}
