//! The tables that coldtrail knows: columns, Kusto types, identity, and the paths of the audit record kept as columns.
//!
//! One description drives ingest, the archive's schema, the views, `tables --columns` and the tests. The facts are in
//! `tables.txt` (Sentinel's and Defender XDR's tables), `foreign.txt` (tables that rules ask beside them), `published.txt` (further
//! ones of Microsoft's references) and `audit.txt` (paths of the audit record).
//! Knows nothing of files, Parquet or queries.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub mod audit;
mod matching;
mod published;
pub mod spellings;

pub use matching::closest_foreign;

/// A type of the Kusto query language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kusto {
    /// `bool`
    Bool,
    /// `int`, 32 bits
    Int,
    /// `long`, 64 bits
    Long,
    /// `real`
    Real,
    /// `datetime`, kept in microseconds UTC
    DateTime,
    /// `guid`, kept as text
    Guid,
    /// `string`
    String,
    /// `dynamic`, kept as JSON text
    Dynamic,
}

impl Kusto {
    /// Name as Kusto spells it.
    pub fn name(self) -> &'static str {
        match self {
            Kusto::Bool => "bool",
            Kusto::Int => "int",
            Kusto::Long => "long",
            Kusto::Real => "real",
            Kusto::DateTime => "datetime",
            Kusto::Guid => "guid",
            Kusto::String => "string",
            Kusto::Dynamic => "dynamic",
        }
    }

    fn parse(name: &str) -> Option<Kusto> {
        Some(match name {
            "bool" => Kusto::Bool,
            "int" => Kusto::Int,
            "long" => Kusto::Long,
            "real" => Kusto::Real,
            "datetime" => Kusto::DateTime,
            "guid" => Kusto::Guid,
            "string" => Kusto::String,
            "dynamic" => Kusto::Dynamic,
            _ => return None,
        })
    }

    /// The Arrow type that holds it.
    pub fn arrow(self) -> DataType {
        match self {
            Kusto::Bool => DataType::Boolean,
            Kusto::Int => DataType::Int32,
            Kusto::Long => DataType::Int64,
            Kusto::Real => DataType::Float64,
            Kusto::DateTime => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kusto::Guid | Kusto::String | Kusto::Dynamic => DataType::Utf8,
        }
    }
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A column of that name in the export.
    Export,
    /// A path into the audit record.
    Path(&'static str),
    /// Worked out from other values.
    Derived,
    /// Where the event came from: written by coldtrail.
    Lineage,
    /// Not stored: what the export had under that name is in [`EXTRA`].
    Legacy,
}

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name as the product spells it.
    pub name: &'static str,
    /// Kusto type.
    pub kusto: Kusto,
    /// Where its values come from.
    pub origin: Origin,
    /// What it is, where we say so.
    pub doc: &'static str,
}

/// A table of the archive.
#[derive(Debug)]
pub struct Table {
    /// Name as Sentinel or Defender XDR spells it, or ours.
    pub name: &'static str,
    /// What it holds.
    pub doc: &'static str,
    /// Column whose value names an event; without one, equal rows of one file are different events.
    pub identity: Option<usize>,
    /// Several rows share an identity: only rows of equal content are the same event.
    pub by_content: bool,
    /// Column that holds the audit record as JSON.
    pub record: Option<usize>,
    /// Stored columns, in order.
    pub columns: Vec<Column>,
    /// Columns that the service has or had, that rules name, and that are not stored.
    pub legacy: Vec<Column>,
    /// Names of the columns that the product shows, in its order. What is kept beside them comes to queries that name it.
    pub product: Vec<&'static str>,
    /// One folder a day, sorted by time.
    pub by_day: bool,
    /// Columns in the order in which workspaces were seen to export them without a header.
    pub layouts: Vec<Vec<String>>,
    index: HashMap<String, usize>,
}

/// Column of the event's time in every event table.
pub const TIME: &str = "TimeGenerated";
/// Column with the name of the table, which every table of Log Analytics has.
pub const TYPE: &str = "Type";
/// The name that Defender XDR has for [`TIME`].
pub const SECOND_TIME: &str = "Timestamp";
/// JSON object of what the export had beyond the known columns, and of values that do not fit their type.
pub const EXTRA: &str = "ExtraColumns";
/// Number of the ingest in `Ingests`.
pub const INGEST_ID: &str = "_IngestId";
/// Number of the record in its file, from 1.
pub const RECORD: &str = "_Record";
/// Fingerprint of the content: 128 bits that do not depend on key order, spelling of times or the container.
pub const FINGERPRINT: &str = "_Fingerprint";
/// Partition column of the Delta tables; not inside the files.
pub const DATE: &str = "date";

/// Columns that Log Analytics adds to its tables and shows only to queries that name them.
static HIDDEN: [Column; 4] = [
    column("_ItemId", Kusto::String, Origin::Legacy, ""),
    column("_TimeReceived", Kusto::DateTime, Origin::Legacy, ""),
    column("_ResourceId", Kusto::String, Origin::Legacy, ""),
    column("_SubscriptionId", Kusto::String, Origin::Legacy, ""),
];

impl Table {
    /// Position of a column; the case of the name does not matter.
    pub fn position(&self, name: &str) -> Option<usize> {
        if let Some(i) = self.index.get(name) {
            return Some(*i);
        }
        self.index.get(&name.to_ascii_lowercase()).copied()
    }

    /// Position of the column that an export fills under this name. Custom tables (`…_CL`) have suffixes for types that some exports
    /// leave out.
    pub fn export_position(&self, name: &str) -> Option<usize> {
        let own = |name: &str| {
            self.position(name)
                .filter(|i| self.columns[*i].origin == Origin::Export)
        };
        own(name).or_else(|| {
            let custom = self.name.ends_with("_CL");
            ["_s", "_g", "_t", "_b", "_d"]
                .into_iter()
                .filter(|_| custom)
                .find_map(|suffix| own(&format!("{name}{suffix}")))
        })
    }

    /// Columns that a view shows: the stored ones, and the legacy ones after those of the export.
    pub fn shown(&self) -> impl Iterator<Item = &Column> {
        let end = self.position(EXTRA).unwrap_or(self.columns.len());
        let (export, rest) = self.columns.split_at(end);
        export.iter().chain(&self.legacy).chain(rest)
    }

    /// Columns of a table of Log Analytics that are not stored and that a view does not show.
    pub fn hidden(&self) -> impl Iterator<Item = &'static Column> {
        let log_analytics = self.export_position("Type").is_some();
        HIDDEN
            .iter()
            .filter(move |c| log_analytics && self.position(c.name).is_none())
    }

    /// Kusto type of a column, stored or legacy.
    pub fn kusto(&self, name: &str) -> Option<Kusto> {
        let stored = self.position(name).map(|i| &self.columns[i]);
        let legacy = || self.legacy.iter().find(|c| c.name == name);
        stored.or_else(legacy).map(|c| c.kusto)
    }

    /// Position of a column that the catalog itself promises.
    pub fn at(&self, name: &str) -> usize {
        self.position(name)
            .unwrap_or_else(|| panic!("catalog: {} has no column {name}", self.name))
    }

    /// Arrow schema of the stored files.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns
                .iter()
                .map(|c| {
                    let ty = if c.name == FINGERPRINT {
                        DataType::Binary
                    } else {
                        c.kusto.arrow()
                    };
                    Field::new(c.name, ty, true)
                })
                .collect::<Vec<_>>(),
        ))
    }
}

/// All tables.
pub struct Catalog {
    tables: Vec<Table>,
    index: HashMap<String, usize>,
    foreign: Vec<Table>,
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::read);

/// The catalog.
pub fn catalog() -> &'static Catalog {
    &CATALOG
}

/// The table of that name, which the catalog itself promises.
pub fn table(name: &str) -> &'static Table {
    CATALOG
        .get(name)
        .unwrap_or_else(|| panic!("catalog: no table {name}"))
}

/// The table into which Log Analytics puts a category of Entra's diagnostic settings.
pub fn diagnostic(category: &str) -> Option<&'static Table> {
    let category = category.to_ascii_lowercase();
    let name = match category.as_str() {
        "signinlogs" => "SigninLogs",
        "noninteractiveusersigninlogs" => "AADNonInteractiveUserSignInLogs",
        "serviceprincipalsigninlogs" => "AADServicePrincipalSignInLogs",
        "managedidentitysigninlogs" => "AADManagedIdentitySignInLogs",
        "provisioninglogs" => "AADProvisioningLogs",
        "riskyusers" => "AADRiskyUsers",
        "userriskevents" => "AADUserRiskEvents",
        "riskyserviceprincipals" => "AADRiskyServicePrincipals",
        "serviceprincipalriskevents" => "AADServicePrincipalRiskEvents",
        // AuditLogs, ADFSSignInLogs, MicrosoftGraphActivityLogs.
        same => same,
    };
    CATALOG.get(name).filter(|t| t.by_day)
}

impl Catalog {
    /// The table of that name; the case does not matter.
    pub fn get(&self, name: &str) -> Option<&Table> {
        self.index
            .get(&name.to_ascii_lowercase())
            .map(|i| &self.tables[*i])
    }

    /// A table that rules ask beside ours. Its rows, where there are any, are in `OtherRecords`.
    pub fn foreign(&self, name: &str) -> Option<&Table> {
        let own = self.foreign.iter().find(|t| t.name == name);
        own.or_else(|| published::get(name))
    }

    /// Event tables, by name.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter()
    }

    fn read() -> Catalog {
        let mut tables = described(include_str!("tables.txt"));
        tables.extend(ledger_tables());
        let index = tables
            .iter()
            .enumerate()
            .map(|(i, t)| (t.name.to_ascii_lowercase(), i))
            .collect();
        Catalog {
            tables,
            index,
            foreign: described(include_str!("foreign.txt")),
        }
    }
}

/// The tables that a text describes.
fn described(text: &'static str) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut lines = text.lines().filter(|l| !l.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("table ") else {
            continue;
        };
        let mut doc = "";
        let mut identity = None;
        let mut columns: Vec<Column> = Vec::new();
        let mut legacy = Vec::new();
        let mut product = Vec::new();
        let mut shown: Vec<&'static str> = Vec::new();
        let mut layout: Vec<String> = Vec::new();
        while let Some(line) = lines.peek() {
            if let Some(text) = line.strip_prefix("doc ") {
                doc = text;
            } else if let Some(text) = line.strip_prefix("identity ") {
                identity = Some(text);
            } else if let Some(list) = line.strip_prefix("layout ") {
                layout.extend(list.split(' ').map(str::to_string));
            } else if let Some(list) = line.strip_prefix("columns ") {
                for column in listed(list, Origin::Export) {
                    product.push(column.name);
                    // Both names of the time are one column in the files; the views offer both.
                    if column.name != SECOND_TIME {
                        columns.push(column);
                    }
                }
            } else if let Some(list) = line.strip_prefix("shown ") {
                shown.extend(list.split(' '));
            } else if let Some(list) = line.strip_prefix("legacy ") {
                legacy.extend(listed(list, Origin::Legacy));
            } else {
                break;
            }
            lines.next();
        }
        let (identity, by_content) = match identity {
            Some(text) => match text.strip_suffix(" and content") {
                Some(column) => (Some(column), true),
                None => (Some(text), false),
            },
            None => (None, false),
        };
        if columns.iter().all(|c| c.name != TIME) {
            columns.push(column(TIME, Kusto::DateTime, Origin::Export, ""));
        }
        let mut table = finish(name, doc, identity, columns);
        table.product = match shown.is_empty() {
            true => product,
            false => shown,
        };
        table.by_content = by_content;
        table.legacy = legacy;
        table.layouts.extend((!layout.is_empty()).then_some(layout));
        tables.push(table);
    }
    tables
}

/// The columns of a list `name:type name …`.
fn listed(list: &'static str, origin: Origin) -> impl Iterator<Item = Column> {
    list.split(' ').map(move |word| {
        let (name, ty) = word.split_once(':').unwrap_or((word, "string"));
        let kusto = Kusto::parse(ty).unwrap_or_else(|| panic!("catalog: type {ty} of {name}"));
        column(name, kusto, origin.clone(), "")
    })
}

const fn column(name: &'static str, kusto: Kusto, origin: Origin, doc: &'static str) -> Column {
    Column {
        name,
        kusto,
        origin,
        doc,
    }
}

/// Adds what every event table has: promoted paths, extra columns, lineage.
fn finish(
    name: &'static str,
    doc: &'static str,
    identity: Option<&'static str>,
    mut columns: Vec<Column>,
) -> Table {
    let (record, prefix) = match name {
        "UnifiedAuditLog" => (Some("AuditData"), ""),
        "CloudAppEvents" => (Some("RawEventData"), "RawEventData_"),
        _ => (None, ""),
    };
    if record.is_some() {
        for path in audit::paths() {
            let name: &'static str = match prefix {
                "" => path.column,
                _ => Box::leak(format!("{prefix}{}", path.column).into_boxed_str()),
            };
            columns.push(column(
                name,
                Kusto::String,
                Origin::Path(path.path),
                path.doc,
            ));
        }
        if name == "CloudAppEvents" {
            columns.push(column(
                "RawEventData_Id",
                Kusto::String,
                Origin::Path("Id"),
                "Id of the audit record",
            ));
            columns.push(column(
                "RawEventData_RecordType",
                Kusto::Int,
                Origin::Path("RecordType"),
                "Record type, as a number",
            ));
            columns.push(column(
                "RawEventData_UserType",
                Kusto::Int,
                Origin::Path("UserType"),
                "User type, as a number",
            ));
        }
    }
    columns.push(column(
        EXTRA,
        Kusto::Dynamic,
        Origin::Derived,
        "What the export had beyond these columns, and values that do not fit their type",
    ));
    columns.push(column(
        INGEST_ID,
        Kusto::Long,
        Origin::Lineage,
        "Number of the ingest in `Ingests`",
    ));
    columns.push(column(
        RECORD,
        Kusto::Long,
        Origin::Lineage,
        "Number of the record in its file, from 1",
    ));
    columns.push(column(
        FINGERPRINT,
        Kusto::String,
        Origin::Lineage,
        "Fingerprint of the content, 128 bits",
    ));
    index(name, doc, identity, record, columns, true)
}

fn index(
    name: &'static str,
    doc: &'static str,
    identity: Option<&'static str>,
    record: Option<&'static str>,
    columns: Vec<Column>,
    by_day: bool,
) -> Table {
    let mut positions = HashMap::new();
    for (i, c) in columns.iter().enumerate() {
        positions.insert(c.name.to_string(), i);
        positions.entry(c.name.to_ascii_lowercase()).or_insert(i);
    }
    let mut table = Table {
        name,
        doc,
        identity: None,
        by_content: false,
        record: None,
        product: columns.iter().map(|c| c.name).collect(),
        columns,
        legacy: Vec::new(),
        by_day,
        layouts: Vec::new(),
        index: positions,
    };
    table.identity = identity.map(|n| table.at(n));
    table.record = record.map(|n| table.at(n));
    table
}

/// The ledger and the side tables.
fn ledger_tables() -> Vec<Table> {
    use Kusto::{DateTime, Dynamic, Long, String};
    let make = |name, doc, list: &[(&'static str, Kusto, &'static str)]| {
        let columns = list
            .iter()
            .map(|(n, k, d)| column(n, *k, Origin::Lineage, d))
            .collect();
        index(name, doc, None, None, columns, false)
    };
    vec![
        make(
            "Ingests",
            "The ledger: every file that was read, with its hash and what became of its records",
            &[
                (INGEST_ID, Long, "Number of the ingest, from 1"),
                (
                    "Batch",
                    Long,
                    "Number of the first ingest that was committed together with this one",
                ),
                ("File", String, "File as it was named on the command line"),
                (
                    "Sha256",
                    String,
                    "SHA-256 of the file as it was read, compressed or not",
                ),
                ("Bytes", Long, "Size of the file"),
                ("Compression", String, "none, gzip, zstd"),
                ("Encoding", String, "UTF-8, UTF-16LE, …"),
                ("Container", String, "CSV, JSON lines, …"),
                ("Kind", String, "What the records were taken for, and why"),
                (
                    "DateOrder",
                    String,
                    "How dates without a fixed form were read, and why",
                ),
                ("Records", Long, "Records in the file"),
                ("Events", Long, "Events added to tables"),
                ("Duplicates", Long, "Repeats with equal content, dropped"),
                (
                    "Revisions",
                    Long,
                    "Repeats with different content, kept in `Revisions`",
                ),
                (
                    "Quarantined",
                    Long,
                    "Records that could not be converted, kept in `Quarantine`",
                ),
                ("Tables", Dynamic, "Events added, per table"),
                ("FirstTime", DateTime, "Earliest event of the file"),
                ("LastTime", DateTime, "Latest event of the file"),
                (
                    "Status",
                    String,
                    "complete; incomplete (the file ends early); unreadable (nothing in it is known)",
                ),
                ("Note", String, "Why it is not complete, and warnings"),
                ("IngestedAt", DateTime, "When it was read"),
                ("Version", String, "Version of coldtrail that read it"),
                (
                    "PathKey",
                    String,
                    "SHA-256 of the file's absolute path: tells files of one name apart and names none",
                ),
                (
                    "Modified",
                    Long,
                    "When the file was changed last, in microseconds since 1970",
                ),
                (
                    "RowDigests",
                    Dynamic,
                    "Digest of the rows that it added, per table",
                ),
                (
                    "Chain",
                    String,
                    "Digest of the archive's content after this ingest: SHA-256 of the one before and of what this one added",
                ),
            ],
        ),
        make(
            "Quarantine",
            "Records that could not be converted, with file, place, reason and their bytes",
            &[
                (INGEST_ID, Long, "Number of the ingest in `Ingests`"),
                ("File", String, "File"),
                (RECORD, Long, "Number of the record in its file, from 1"),
                ("Offset", Long, "Byte offset in the decompressed file"),
                ("Reason", String, "Why it could not be converted"),
                ("Length", Long, "Length of the record in bytes"),
                (
                    "Content",
                    String,
                    "The record as it came, its first MiB; bytes that are not UTF-8 as \\xFF",
                ),
            ],
        ),
        make(
            "Revisions",
            "Repeats of an event whose content differs from the one that is kept in the table",
            &[
                ("Table", String, "Table of the event"),
                ("EventId", String, "Identity of the event"),
                (
                    "TimeGenerated",
                    DateTime,
                    "Time of the event in this revision",
                ),
                ("Content", Dynamic, "The record, or its columns, as JSON"),
                (FINGERPRINT, String, "Fingerprint of the content"),
                (INGEST_ID, Long, "Number of the ingest in `Ingests`"),
                (RECORD, Long, "Number of the record in its file, from 1"),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalog_reads_and_has_the_tables_of_the_label_story() {
        for name in [
            "UnifiedAuditLog",
            "CloudAppEvents",
            "OfficeActivity",
            "SigninLogs",
            "InformationProtectionLogs_CL",
            "AipServiceUserLog",
            "Ingests",
            "Quarantine",
            "Revisions",
        ] {
            assert_eq!(table(name).name, name);
        }
        assert!(catalog().tables().count() >= 48);
        for t in catalog().tables().filter(|t| t.by_day) {
            assert!(t.position(TIME).is_some(), "{} has no time", t.name);
            assert!(!t.doc.is_empty(), "{} has no doc", t.name);
        }
    }

    #[test]
    fn legacy_columns_are_shown_and_not_stored() {
        let t = table("EmailEvents");
        assert_eq!(t.position("PhishFilterVerdict"), None);
        assert_eq!(t.export_position("PhishFilterVerdict"), None);
        assert_eq!(t.kusto("PhishFilterVerdict"), Some(Kusto::String));
        let t = table("EntraIdSignInEvents");
        assert_eq!(t.kusto("RiskLevelDuringSignIn"), Some(Kusto::Int));
        let names: Vec<&str> = t.shown().map(|c| c.name).collect();
        let at = |name: &str| names.iter().position(|n| *n == name);
        assert_eq!(names.len(), t.columns.len() + t.legacy.len());
        assert!(at("EndpointCall") < at("RiskLevelDuringSignIn"));
        assert!(at("IsSignInThroughGlobalSecureAccess") < at(EXTRA));
        for t in catalog().tables().chain(&catalog().foreign) {
            for c in &t.legacy {
                assert_eq!(t.position(c.name), None, "{} stores {}", t.name, c.name);
            }
        }
    }

    #[test]
    fn the_product_has_one_name_of_the_time_or_both() {
        let names = |name: &str| {
            let product = &table(name).product;
            (product.contains(&TIME), product.contains(&SECOND_TIME))
        };
        assert_eq!(names("AuditLogs"), (true, false));
        assert_eq!(names("EntraIdSignInEvents"), (false, true));
        assert_eq!(names("CloudAppEvents"), (true, true));
        for t in catalog().tables().chain(&catalog().foreign) {
            for name in &t.product {
                let known = *name == SECOND_TIME || t.position(name).is_some();
                assert!(known, "{} has no column {name}", t.name);
            }
        }
    }

    #[test]
    fn hidden_columns_are_those_of_log_analytics_that_are_not_stored() {
        let hidden = |t: &Table| t.hidden().map(|c| c.name).collect::<Vec<_>>();
        assert_eq!(
            hidden(table("SigninLogs")),
            ["_ItemId", "_TimeReceived", "_ResourceId", "_SubscriptionId"]
        );
        assert_eq!(
            hidden(table("BehaviorAnalytics")),
            ["_ItemId", "_TimeReceived"]
        );
        let syslog = catalog().foreign("Syslog").map(hidden);
        assert_eq!(syslog, Some(vec!["_ItemId", "_TimeReceived"]));
        assert!(hidden(table("UnifiedAuditLog")).is_empty());
        assert!(hidden(table("EntraIdSignInEvents")).is_empty());
    }

    #[test]
    fn column_names_are_found_whatever_their_case() {
        let t = table("CloudAppEvents");
        assert_eq!(t.position("isp"), t.position("ISP"));
        assert_eq!(t.position("nothing"), None);
        assert!(
            t.position("RawEventData_SensitivityLabelEventData_OldSensitivityLabelId")
                .is_some()
        );
    }
}
