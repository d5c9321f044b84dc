//! Tables from the texts that describe them, with what every event table has beside.

use super::audit;
use super::column::{
    Column, EXTRA, FINGERPRINT, INGEST_ID, Kusto, Origin, RECORD, SECOND_TIME, TIME, column,
};
use super::table::{Table, index};

/// The tables that a text describes.
pub(super) fn described(text: &'static str) -> Vec<Table> {
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
pub(super) fn listed(list: &'static str, origin: Origin) -> impl Iterator<Item = Column> {
    list.split(' ').map(move |word| {
        let (name, ty) = word.split_once(':').unwrap_or((word, "string"));
        let kusto = Kusto::parse(ty).unwrap_or_else(|| panic!("catalog: type {ty} of {name}"));
        column(name, kusto, origin.clone(), "")
    })
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
