//! What a file is: container and record kind, from its first bytes and never from its extension. Can say why.

use std::fmt;

use chrono_tz::Tz;

use super::answers;
use super::block;
use super::columns::{self, Target};
use super::recast::{self, Recast};
use super::time::DateOrder;
use super::wrappers::Wrapper;
use crate::catalog::Table;

mod around;
mod csv;
mod evidence;
mod held;
mod json;
mod order;
mod spelled;
mod ties;
mod told;
mod unread;

pub use csv::targets;
pub use held::{Inner, Inside, by_itself, inside, records};
pub use json::EMPTY_ANSWER;
use json::{from_json, quoted_lines, with_order};
use order::settled;
pub use order::{has_time, mentions, order_evidence, tells_time};
pub use spelled::by_row;
pub use ties::{SOME, by_name, is_table_name, is_unknown_table, is_vague, names_table, tie};
pub use told::refused;

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

fn kind_name(kind: &Kind) -> &'static str {
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

/// Columns of audit CSVs that repeat what the record says, or that PowerShell adds.
const AUDIT_WRAPPER: [&str; 14] = [
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

/// Looks at the first bytes of a file (already decompressed, in UTF-8).
pub fn detect(head: &[u8], hints: &Hints) -> Detected {
    // What a crash left unwritten, or a copy by blocks, fills a file up.
    let filled = head.iter().rposition(|b| !matches!(b, 0 | 0x1a));
    let head = match filled {
        Some(last) => &head[..=last],
        None => head,
    };
    let text_start = head
        .iter()
        // A sequence of JSON texts has a mark before each (RFC 7464).
        .position(|b| !b.is_ascii_whitespace() && !matches!(*b, 0 | 0x1e))
        .unwrap_or(head.len());
    let head_text = &head[text_start..];
    if head_text.is_empty() {
        return match head.trim_ascii_start() {
            [] => Detected::Empty("the file is empty"),
            _ => Detected::Unknown(unread::ZEROS.into()),
        };
    }
    if is_binary(head_text) {
        return Detected::Unknown("binary content (NUL bytes)".into());
    }
    if let Some(what) = unread::no_text(head_text) {
        return Detected::Unknown(what.into());
    }
    if head_text.starts_with(b"#Software: RMS") {
        return settled(w3c(head_text), head, hints);
    }
    if let Some(what) = answers::beside_exports(head_text).or_else(|| answers::no_value(head_text))
    {
        return Detected::Empty(what);
    }
    if !matches!(head_text[0], b'{' | b'"')
        && !block::is_format_list(head_text)
        && let Some(found) = around::json(head, text_start)
    {
        return settled(with_order(found, hints), head, hints);
    }
    if let Some(why) = answers::error_text(head_text) {
        return Detected::Unknown(why);
    }
    match head_text[0] {
        b'{' | b'[' => {
            let found = told::objects(from_json(head), head, hints);
            settled(with_order(found, hints), head, hints)
        }
        b'<' => Detected::Unknown(
            answers::error_page(head_text).unwrap_or_else(|| unread::markup(head_text).into()),
        ),
        b'"' if is_quoted_json(head_text) => {
            settled(with_order(from_json(head), hints), head, hints)
        }
        _ if block::is_format_list(head_text) => {
            let why = "`Name : value` lines with AuditData";
            let found = known(Container::FormatList, Kind::AuditWrapped, why.into());
            settled(found, head, hints)
        }
        _ => match quoted_lines(head_text) {
            Some(found) => settled(with_order(found, hints), head, hints),
            None => around::csv(head, text_start, hints),
        },
    }
}

/// Whether NUL bytes stand where a text cannot have them: padding may stand between two lines.
fn is_binary(head: &[u8]) -> bool {
    let Some(first) = head.iter().take(512).position(|b| *b == 0) else {
        return false;
    };
    let before = &head[..first];
    let before = before.strip_suffix(b"\xef\xbb\xbf").unwrap_or(before);
    !before.ends_with(b"\n")
}

/// Whether a text begins as a string of JSON does that is JSON itself; no cell of a CSV begins so.
fn is_quoted_json(head: &[u8]) -> bool {
    let inner = head[1..].trim_ascii_start();
    let begins: [&[u8]; 5] = [b"{\\", b"[{\\", b"[\\", b"\\\"{", b"\\\"["];
    begins.iter().any(|begin| inner.starts_with(begin))
}

fn w3c(head: &[u8]) -> Detected {
    let fields = head
        .split(|b| *b == b'\n')
        .take(64)
        .find_map(|line| line.strip_prefix(b"#Fields:"));
    let Some(fields) = fields else {
        return Detected::Unknown("RMS usage log without a `#Fields:` line".into());
    };
    let table = crate::catalog::table("AipServiceUserLog");
    let header: Vec<String> = String::from_utf8_lossy(fields)
        .trim()
        .split('\t')
        .map(|n| n.trim().to_string())
        .collect();
    let kind = Kind::Cells {
        table,
        targets: header.iter().map(|n| columns::target(table, n)).collect(),
        named: None,
    };
    let why = "first line is `#Software: RMS`";
    let mut detected = known(Container::W3c, kind, why.into());
    if let Detected::Known(format) = &mut detected {
        format.header = header;
    }
    detected
}

fn known(container: Container, kind: Kind, why: String) -> Detected {
    let called = ties::called(&why);
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

/// Table of records that are of no known table.
pub const OTHER: &str = "OtherRecords";

/// The first names of many.
fn few(names: &[String]) -> String {
    let mut list: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
    if names.len() > 8 {
        list.push("…");
    }
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(head: &str) -> String {
        match detect(head.as_bytes(), &Hints::default()) {
            Detected::Known(f) => format!("{}: {}", f.container, f.kind_name()),
            Detected::Empty(why) => why.into(),
            Detected::Unknown(why) => format!("unknown: {why}"),
        }
    }

    #[test]
    fn formats_are_told_by_content() {
        for (head, want) in [
            (
                "RecordId,CreationDate,auditData\n1,2,{}\n",
                "CSV: Unified Audit Log",
            ),
            (
                "#TYPE X\r\n\"UserIds\";\"AuditData\"\r\n1;2\r\n",
                "CSV (;): Unified Audit Log",
            ),
            (
                "{\"CreationTime\":\"x\",\"Id\":\"y\",\"Operation\":\"z\"}\n",
                "JSON lines: Unified Audit Log",
            ),
            (
                "[{\"CreationTime\":\"x\",\n\"Id\":\"y\",\"Operation\":\"z\"}]",
                "JSON: Unified Audit Log",
            ),
            (
                "{\"time\":\"\",\"category\":\"AdvancedHunting-CloudAppEvents\",\"properties\":{}}",
                "JSON lines: streaming API",
            ),
            (
                "{\"TimeGenerated\":\"x\",\"Type\":\"SigninLogs\"}\n",
                "JSON lines: SigninLogs",
            ),
            (
                "Timestamp,ActionType,Application,AccountObjectId,RawEventData\na,b,c,d,e\n",
                "CSV: CloudAppEvents",
            ),
            (
                "#Software: RMS\n#Version: 1.1\n#Fields: date\ttime\trow-id\n",
                "W3C log: AipServiceUserLog",
            ),
            (
                r#"{"@odata.context":"x","value":[{"id":"a","auditLogRecordType":"b","auditData":{}}]}"#,
                "JSON `value`: Unified Audit Log",
            ),
            (
                r#"{"records":[{"category":"AdvancedHunting-CloudAppEvents","properties":{}}]}"#,
                "JSON `records`: streaming API",
            ),
            (
                r#"{"Stats":{},"Schema":[],"Results":[{"Timestamp":"a","ActionType":"b","AccountObjectId":"c","RawEventData":"d"}]}"#,
                "JSON `Results`: CloudAppEvents",
            ),
            (
                r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"Id","type":"string"},{"name":"Type","type":"string"}],"rows":[["a","SigninLogs"]]}]}"#,
                "JSON `rows`: SigninLogs",
            ),
            (r#"{"value":[]}"#, "the answer has no records"),
            ("", "the file is empty"),
            ("AuditData\n", "the file has a header and no records"),
            ("a,b\n1,2\n", "CSV: OtherRecords"),
            (
                "RecordType   : X\r\nAuditData    : {}\r\n\r\n",
                "Format-List text: Unified Audit Log",
            ),
            (
                "Id,CreationTime,Operation,RecordType,Folders\n1,2026-05-01T00:00:00,X,1,System.Object[]\n",
                "CSV: Unified Audit Log",
            ),
            (
                "2026-05-01T00:00:00Z,a,,b\n2026-05-01T00:00:01Z,a,,b\n",
                "unknown: 4 columns and no header: say what the rows are, such as --as OfficeActivity or --as 'OfficeActivity(TimeGenerated,Operation,…)'",
            ),
            (
                r#"[{"FrameType":"DataSetHeader","Version":"v2.0"},{"FrameType":"DataTable","TableKind":"QueryProperties","Columns":[{"ColumnName":"Key","ColumnType":"string"}],"Rows":[["a"]]},{"FrameType":"DataTable","TableKind":"PrimaryResult","Columns":[{"ColumnName":"Id","ColumnType":"string"},{"ColumnName":"Type","ColumnType":"string"}],"Rows":[["a","SigninLogs"]]}]"#,
                "JSON `Rows`: SigninLogs",
            ),
            (
                r#"{"time":"x","category":"SignInLogs","properties":{"id":"a"}}"#,
                "JSON lines: streaming API",
            ),
            (
                r#"[{"contentUri":"https://x","contentType":"Audit.General","contentId":"1"}]"#,
                "a listing of content of the Management API: no events, fetch what it names",
            ),
            (
                "Dear Sir\nthis is a letter.\n",
                "unknown: text whose first line is no header of a known table (Dear Sir)",
            ),
            ("{\"a\":1}\n{\"a\":2}\n", "JSON lines: OtherRecords"),
        ] {
            assert_eq!(name(head), want, "{head:?}");
        }
    }
}
