//! What a file is: container and record kind, from its first bytes and never from its extension. Can say why.

use std::fmt;

use chrono_tz::Tz;

use super::block;
use super::columns::{self, Target, bare_name};
use super::csv::{self, Fields, Next};
use super::time::{self, DateOrder, Evidence};
use crate::catalog::{Kusto, Origin, TIME, Table, catalog};

mod json;

use json::{from_json, with_order};

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
}

impl Format {
    /// The kind in words.
    pub fn kind_name(&self) -> &str {
        match &self.kind {
            Kind::AuditCell { .. } | Kind::AuditFlat { .. } | Kind::Audit | Kind::AuditWrapped => {
                "Unified Audit Log"
            }
            Kind::Cells { table, .. } | Kind::Objects { table } => table.name,
            Kind::Streamed => "streaming API",
        }
    }
}

/// What the user said about the files.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// Order of day and month.
    pub order: Option<DateOrder>,
    /// Zone of times that say they are local.
    pub zone: Option<Tz>,
    /// What files without a header hold.
    pub rows: Option<Rows>,
}

/// Rows that no header names.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Their table.
    pub table: &'static Table,
    /// Their columns; those of the table where there are none.
    pub columns: Vec<String>,
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
    let text_start = head
        .iter()
        .position(|b| !b.is_ascii_whitespace())
        .unwrap_or(head.len());
    let head_text = &head[text_start..];
    if head_text.is_empty() {
        return Detected::Empty("the file is empty");
    }
    if head_text[..head_text.len().min(512)].contains(&0) {
        return Detected::Unknown("binary content (NUL bytes)".into());
    }
    if head_text.starts_with(b"#Software: RMS") {
        return w3c(head_text);
    }
    match head_text[0] {
        b'{' | b'[' => with_order(from_json(head), hints),
        b'<' => Detected::Unknown("XML or HTML, not an export".into()),
        _ if block::is_format_list(head_text) => known(
            Container::FormatList,
            Kind::AuditWrapped,
            "`Name : value` lines with AuditData".into(),
        ),
        _ => from_csv(head, text_start, hints),
    }
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
    let targets = String::from_utf8_lossy(fields)
        .trim()
        .split('\t')
        .map(|n| columns::target(table, n.trim()))
        .collect();
    known(
        Container::W3c,
        Kind::Cells {
            table,
            targets,
            named: None,
        },
        "first line is `#Software: RMS`".into(),
    )
}

fn known(container: Container, kind: Kind, why: String) -> Detected {
    Detected::Known(Box::new(Format {
        container,
        kind,
        why,
        order: None,
        order_open: false,
        zone: None,
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

fn from_csv(head: &[u8], text_start: usize, hints: &Hints) -> Detected {
    let mut start = text_start;
    // Windows PowerShell's Export-Csv writes the type of the objects first.
    while head[start..].starts_with(b"#TYPE ") {
        start += memchr::memchr(b'\n', &head[start..]).map_or(head.len() - start, |i| i + 1);
    }
    let line_end = memchr::memchr(b'\n', &head[start..]).map_or(head.len(), |i| start + i);
    let delimiter = csv::delimiter_of(&head[start..line_end]);
    let mut fields = Fields::default();
    let Next::Record { next: body, .. } = csv::next_record(head, start, delimiter, &mut fields)
    else {
        return Detected::Unknown("text without a header that could be read as CSV".into());
    };
    let header: Vec<String> = fields
        .iter()
        .map(|f| String::from_utf8_lossy(f).into_owned())
        .collect();
    const HEADER_CELL: usize = 1024;
    const HEADER: usize = 64 * 1024;
    if header.iter().any(|n| n.len() > HEADER_CELL)
        || header.iter().map(String::len).sum::<usize>() > HEADER
    {
        return Detected::Unknown("text whose first line is too long for a header".into());
    }
    let bare: Vec<String> = header.iter().map(|n| bare_name(n).to_string()).collect();
    let lower: Vec<String> = bare.iter().map(|n| n.to_ascii_lowercase()).collect();
    if let Some(name) = header.iter().find(|n| columns::is_local(n))
        && hints.zone.is_none()
    {
        return Detected::Unknown(format!(
            "column `{name}` is in local time without saying which: say --tz, such as --tz Europe/Berlin"
        ));
    }
    let (kind, why) = if let Some(audit) = lower.iter().position(|n| n == "auditdata") {
        let time = lower
            .iter()
            .position(|n| n == "creationdate" || n == "createddatetime");
        let extra = bare
            .iter()
            .enumerate()
            .filter(|(i, _)| !AUDIT_WRAPPER.contains(&lower[*i].as_str()))
            .map(|(i, n)| (i, n.clone()))
            .collect();
        (
            Kind::AuditCell {
                audit,
                time,
                extra,
                width: header.len(),
            },
            format!("column `{}`", header[audit]),
        )
    } else if is_flat_audit(&lower) {
        (
            Kind::AuditFlat { names: bare },
            "columns Id, CreationTime and Operation of the audit record".into(),
        )
    } else {
        let found = csv_table(head, body, delimiter, &bare, &lower);
        let found = match found {
            None if is_data(&header) && looks_tabular(head, start, delimiter, header.len()) => {
                return without_header(head, start, delimiter, header.len(), hints);
            }
            None if looks_tabular(head, body, delimiter, header.len()) => (
                crate::catalog::table(OTHER),
                format!("columns of no known table ({})", few(&bare)),
            ),
            None => {
                return Detected::Unknown(format!(
                    "text whose first line is no header of a known table ({})",
                    few(&bare)
                ));
            }
            Some((table, _)) if is_projection(table, &header) => (
                crate::catalog::table(OTHER),
                format!(
                    "a part of the columns of {}, and no time of the event: the answer of a query",
                    table.name
                ),
            ),
            Some(found) => found,
        };
        let (table, why) = found;
        let named = why
            .starts_with("column `")
            .then(|| lower.iter().position(|n| n == "type" || n == "$table"))
            .flatten();
        (cells_of(table, &header, named), why)
    };
    csv_format(head, delimiter, body, kind, why, hints)
}

fn cells_of(table: &'static Table, header: &[String], named: Option<usize>) -> Kind {
    Kind::Cells {
        table,
        targets: header.iter().map(|n| columns::target(table, n)).collect(),
        named,
    }
}

/// Finishes a CSV: how its dates are read, and whether it has records.
fn csv_format(
    head: &[u8],
    delimiter: u8,
    body: usize,
    kind: Kind,
    why: String,
    hints: &Hints,
) -> Detected {
    let mut format = Format {
        container: Container::Csv { delimiter, body },
        kind,
        why,
        order: hints.order,
        order_open: false,
        zone: hints.zone,
    };
    if format.order.is_none() {
        match order_evidence(&format, &head[body..]) {
            Evidence::Decided(order) => format.order = Some(order),
            Evidence::Ambiguous => format.order_open = true,
            Evidence::Contradictory if !matches!(format.kind, Kind::AuditCell { .. }) => {
                return Detected::Unknown(
                    "dates with the day first and dates with the month first in one file".into(),
                );
            }
            Evidence::NotNeeded | Evidence::Contradictory => {}
        }
    }
    if body >= head.len() || head[body..].iter().all(u8::is_ascii_whitespace) {
        return Detected::Empty("the file has a header and no records");
    }
    Detected::Known(Box::new(format))
}

/// Audit records flattened by Export-Csv: a column for each field.
fn is_flat_audit(lower: &[String]) -> bool {
    ["id", "creationtime", "operation", "recordtype"]
        .iter()
        .all(|name| lower.iter().any(|n| n == name))
}

/// Whether these columns are what a query made of a table: some are not the table's, and the event's time is not among them.
fn is_projection(table: &'static Table, header: &[String]) -> bool {
    /// Of ten columns of a real export at least nine are known.
    const KNOWN: (usize, usize) = (9, 10);
    let targets: Vec<Target> = header.iter().map(|n| columns::target(table, n)).collect();
    let unknown = targets
        .iter()
        .filter(|t| matches!(t, Target::Extra(_)))
        .count();
    (header.len() - unknown) * KNOWN.1 < header.len() * KNOWN.0
        && !targets.iter().any(|t| is_time(table, t))
}

/// Whether a first line is data: a cell of it is empty, a time, a GUID, a number or JSON.
fn is_data(cells: &[String]) -> bool {
    let value = |c: &String| {
        let c = c.trim();
        c.is_empty()
            || c.starts_with(['{', '['])
            || c.parse::<f64>().is_ok()
            || super::rows::guid(c.as_bytes()).is_some()
            || time::parse(c, Some(DateOrder::MonthFirst)).is_some()
            || time::parse(c, Some(DateOrder::DayFirst)).is_some()
    };
    cells.len() > 1 && cells.iter().any(value)
}

/// Rows without a header: only the user can say what they are.
fn without_header(
    head: &[u8],
    start: usize,
    delimiter: u8,
    width: usize,
    hints: &Hints,
) -> Detected {
    let Some(rows) = &hints.rows else {
        return Detected::Unknown(format!(
            "{width} columns and no header: say what the rows are, such as --as OfficeActivity or --as 'OfficeActivity(TimeGenerated,Operation,…)'"
        ));
    };
    let table = rows.table;
    let own: Vec<String> = table
        .columns
        .iter()
        .filter(|c| c.origin == Origin::Export)
        .map(|c| c.name.to_string())
        .collect();
    let mut layouts = vec![&rows.columns];
    if rows.columns.is_empty() {
        layouts = std::iter::once(&own).chain(&table.layouts).collect();
    }
    let Some(header) = layouts.iter().find(|l| l.len() == width) else {
        let widths: Vec<String> = layouts.iter().map(|l| l.len().to_string()).collect();
        return Detected::Unknown(format!(
            "{width} columns and no header, {} has {}: name them, such as --as '{}(TimeGenerated,…)'",
            table.name,
            widths.join(" or "),
            table.name
        ));
    };
    let kind = cells_of(table, header, None);
    csv_format(
        head,
        delimiter,
        start,
        kind,
        format!("no header; --as {}", table.name),
        hints,
    )
}

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

/// Whether text is a table at all: at least two columns, and the first rows as wide as the header.
fn looks_tabular(head: &[u8], body: usize, delimiter: u8, width: usize) -> bool {
    let mut fields = Fields::default();
    let (mut at, mut rows) = (body, 0);
    while rows < 5
        && let Next::Record { next, .. } = csv::next_record(head, at, delimiter, &mut fields)
    {
        if fields.len() != width * (rows + 1) {
            return false;
        }
        rows += 1;
        at = next;
    }
    width >= 2 && rows > 0
}

fn csv_table(
    head: &[u8],
    body: usize,
    delimiter: u8,
    bare: &[String],
    lower: &[String],
) -> Option<(&'static Table, String)> {
    if let Some(i) = lower.iter().position(|n| n == "type" || n == "$table") {
        let mut fields = Fields::default();
        if let Next::Record { .. } = csv::next_record(head, body, delimiter, &mut fields)
            && let Some(field) = fields.get(i)
            && let Some(table) = catalog()
                .get(String::from_utf8_lossy(field).trim())
                .filter(|t| t.by_day)
        {
            return Some((table, format!("column `{}` says {}", bare[i], table.name)));
        }
    }
    let stripped: Vec<String> = bare
        .iter()
        .map(|n| {
            n.strip_suffix("_dynamic")
                .or(n.strip_suffix("_string"))
                .unwrap_or(n)
                .to_string()
        })
        .collect();
    let table = catalog().best_match(&stripped, 0.6)?;
    Some((table, format!("most columns are those of {}", table.name)))
}

/// What the times in a piece of a CSV say about the order of day and month.
pub fn order_evidence(format: &Format, body: &[u8]) -> Evidence {
    let Container::Csv { delimiter, .. } = format.container else {
        return Evidence::NotNeeded;
    };
    let columns: Vec<usize> = match &format.kind {
        Kind::AuditCell { time, .. } => time.iter().copied().collect(),
        Kind::Cells { table, targets, .. } => (0..targets.len())
            .filter(|i| match &targets[*i] {
                Target::Time(_) | Target::Local(_) => true,
                Target::Column(c) => table.columns[*c].kusto == Kusto::DateTime,
                _ => false,
            })
            .collect(),
        _ => return Evidence::NotNeeded,
    };
    let mut fields = Fields::default();
    let mut values = Vec::new();
    let mut at = 0;
    while let Next::Record { next, .. } = csv::next_record(body, at, delimiter, &mut fields) {
        for c in &columns {
            if let Some(field) = fields.get(*c) {
                values.push(String::from_utf8_lossy(field).into_owned());
            }
        }
        fields.clear();
        at = next;
    }
    time::order_of(values.iter().map(String::as_str))
}

/// Whether the times of this table's rows come from the file at all.
pub fn has_time(format: &Format) -> bool {
    match &format.kind {
        Kind::Cells { table, targets, .. } => targets.iter().any(|t| is_time(table, t)),
        _ => true,
    }
}

fn is_time(table: &Table, target: &Target) -> bool {
    match target {
        Target::Time(_) | Target::HalfTime(_) => true,
        Target::Local(inner) => is_time(table, inner),
        Target::Column(c) => {
            table.columns[*c].name == TIME || columns::MADE.contains(&table.columns[*c].name)
        }
        _ => false,
    }
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
