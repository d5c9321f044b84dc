//! What a file was taken for, and what the user said of it.

use std::fmt;

use chrono_tz::Tz;

use super::super::columns::Target;
use super::super::recast::{self, Recast};
use super::super::time::DateOrder;
use super::super::wrappers::Wrapper;
use super::reason;
use crate::catalog::Table;

/// How records stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Container {
    /// Comma-separated values with a header.
    Csv {
        /// Byte between fields.
        delimiter: u8,
        /// Where the first record begins.
        body: usize,
    },
    /// One JSON object a line.
    JsonLines,
    /// An array of objects, or objects one after the other.
    JsonValues,
    /// The answer of an API: records under this key of an outer object.
    JsonEnvelope {
        /// The key.
        key: &'static str,
        /// Only the first such array has them.
        once: bool,
        /// Where in the file to look for it first.
        body: usize,
    },
    /// Blocks of `Name : value` lines, as PowerShell's Format-List prints objects.
    FormatList,
    /// W3C extended log: directives with `#`, fields separated by tabs.
    W3c,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Container::Csv {
                delimiter: b',', ..
            } => f.write_str("CSV"),
            Container::Csv {
                delimiter: b'\t', ..
            } => f.write_str("CSV (tabs)"),
            Container::Csv { delimiter, .. } => write!(f, "CSV ({})", *delimiter as char),
            Container::JsonLines => f.write_str("JSON lines"),
            Container::JsonValues => f.write_str("JSON"),
            Container::JsonEnvelope { key, .. } => write!(f, "JSON `{key}`"),
            Container::FormatList => f.write_str("Format-List text"),
            Container::W3c => f.write_str("W3C log"),
        }
    }
}

/// What the records are.
#[derive(Debug, Clone)]
pub enum Kind {
    /// CSV rows with the audit record in a cell.
    AuditCell {
        /// Column of the audit record.
        audit: usize,
        /// Column of the export's own time.
        time: Option<usize>,
        /// Columns kept beyond the record, with their names.
        extra: Vec<(usize, String)>,
        /// Columns of the header.
        width: usize,
    },
    /// Rows of a table, by header.
    Cells {
        /// The table.
        table: &'static Table,
        /// Where each column goes.
        targets: Vec<Target>,
        /// Column that names the row's table.
        named: Option<usize>,
    },
    /// CSV rows with a column for each field of the audit record.
    AuditFlat {
        /// The fields.
        names: Vec<String>,
    },
    /// Bare audit records.
    Audit,
    /// Objects with the audit record under `AuditData` or `auditData`.
    AuditWrapped,
    /// Rows of a table as objects.
    Objects {
        /// The table; each row's own `Type` goes before it.
        table: &'static Table,
    },
    /// Objects of the streaming API or of Azure Monitor's diagnostic settings: table in `category`, row in `properties`.
    Streamed,
    /// Events in the spelling of another interface.
    Recast {
        /// The spelling.
        recast: &'static Recast,
    },
    /// Objects of another tool that hold records. One that holds none is what it is by itself.
    Wrapped {
        /// Where records are looked for first.
        wrapper: &'static Wrapper,
        /// What the first record is, in words.
        holds: &'static str,
    },
    /// CSV rows of another tool with a record in a cell.
    WrappedCell {
        /// Column of the record.
        cell: usize,
        /// The columns.
        names: Vec<String>,
        /// What the first record is, in words.
        holds: &'static str,
    },
}

/// What a file was taken for.
#[derive(Debug, Clone)]
pub struct Format {
    /// How records stand in the file.
    pub container: Container,
    /// What they are.
    pub kind: Kind,
    /// Why it was taken for that.
    pub why: String,
    /// How dates without a fixed form are read.
    pub order: Option<DateOrder>,
    /// Whether dates need an order that the first bytes do not tell.
    pub order_open: bool,
    /// Zone of columns that say `[Local Time]`.
    pub zone: Option<Tz>,
    /// The column or key that has the time, where the user named one that the file has.
    pub time_column: Option<String>,
    /// The names of the columns of a CSV or of a query answer.
    pub header: Vec<String>,
    /// Name of the table of rows that are kept in [`OTHER`], where the user gave them one.
    pub called: Option<String>,
}

impl Format {
    /// The kind in words.
    pub fn kind_name(&self) -> &str {
        kind_name(&self.kind)
    }
}

pub(super) fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::AuditCell { .. } | Kind::AuditFlat { .. } | Kind::Audit | Kind::AuditWrapped => {
            "Unified Audit Log"
        }
        Kind::Cells { table, .. } | Kind::Objects { table } => table.name,
        Kind::Streamed => "streaming API",
        Kind::Recast { recast } if recast.table == recast::AUDIT => "Unified Audit Log",
        Kind::Recast { recast } => recast.table,
        Kind::Wrapped { holds, .. } | Kind::WrappedCell { holds, .. } => holds,
    }
}

/// What the user said about the files.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// Order of day and month.
    pub order: Option<DateOrder>,
    /// Zone of times that say they are local.
    pub zone: Option<Tz>,
    /// What rows are that do not say it themselves.
    pub rows: Option<Rows>,
    /// The column or key that has the time of the records.
    pub time_column: Option<String>,
}

/// Rows that do not say what they are.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Their table.
    pub table: &'static Table,
    /// Their columns; those of the header or the table where there are none.
    pub columns: Vec<String>,
    /// What their table is called, where it is none that is stored.
    pub called: Option<String>,
}

/// What the first bytes say.
#[derive(Debug)]
pub enum Detected {
    /// A known format.
    Known(Box<Format>),
    /// No records at all.
    Empty(&'static str),
    /// Something else; the text says what was seen and what would help.
    Unknown(String),
}

/// Table of records that are of no known table.
pub const OTHER: &str = "OtherRecords";

pub(super) fn known(container: Container, kind: Kind, why: String) -> Detected {
    let called = reason::called(&why);
    Detected::Known(Box::new(Format {
        container,
        kind,
        why,
        order: None,
        order_open: false,
        zone: None,
        time_column: None,
        header: Vec::new(),
        called,
    }))
}

/// Columns of audit CSVs that repeat what the record says, or that PowerShell adds.
pub(super) const AUDIT_WRAPPER: [&str; 14] = [
    "recordid",
    "identity",
    "creationdate",
    "recordtype",
    "operation",
    "operations",
    "userid",
    "userids",
    "auditdata",
    "pscomputername",
    "runspaceid",
    "psshowcomputername",
    "isvalid",
    "objectstate",
];

/// Whether a column or key of an audit export repeats what the record says, or is PowerShell's.
pub fn repeats_the_record(name: &str) -> bool {
    AUDIT_WRAPPER.contains(&name.to_ascii_lowercase().as_str())
        || name.contains("@odata.")
        || GRAPH_WRAPPER.contains(&name)
}

/// Keys of Graph's audit records that repeat what the record says.
const GRAPH_WRAPPER: [&str; 7] = [
    "id",
    "createdDateTime",
    "auditLogRecordType",
    "organizationId",
    "userType",
    "service",
    "objectId",
];

/// Characters of a name that are said. What is no header may be a line of a letter.
const NAME: usize = 30;

/// The first names of many, as much of each as tells which it is.
pub(super) fn few(names: &[String]) -> String {
    let short = |name: &String| match name.char_indices().nth(NAME) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.clone(),
    };
    let mut list: Vec<String> = names.iter().take(8).map(short).collect();
    if names.len() > 8 {
        list.push("…".into());
    }
    list.join(", ")
}
