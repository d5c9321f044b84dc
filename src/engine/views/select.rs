//! What a view takes of a table: its columns under all their names, with an expression for each.

use std::fmt::Write;

use super::names::SOURCE;
use crate::catalog::{
    Column, EXTRA, FINGERPRINT, INGEST_ID, Kusto, Origin, RECORD, SECOND_TIME, TIME, TYPE, Table,
    catalog,
};

/// The name that SQL has for a type.
pub(super) fn sql_type(kusto: Kusto) -> &'static str {
    match kusto {
        Kusto::Bool => "BOOLEAN",
        Kusto::Int => "INT",
        Kusto::Long => "BIGINT",
        Kusto::Real => "DOUBLE",
        Kusto::DateTime => "TIMESTAMP WITH TIME ZONE",
        Kusto::Guid | Kusto::String | Kusto::Dynamic => "VARCHAR",
    }
}

/// The value of a column that is not stored: what `ExtraColumns` has under its name.
pub(super) fn from_extra(extra: &str, column: &Column) -> String {
    let ty = sql_type(column.kusto);
    format!("TRY_CAST({extra}->>'{}' AS {ty})", column.name)
}

/// The columns of a view under all their names: those of the product in its order, then what is kept beside them.
fn offered(of: &Table) -> Vec<(&'static str, &Column)> {
    let mut all: Vec<(&'static str, &Column)> = Vec::new();
    for column in of.shown().filter(|c| c.name != FINGERPRINT) {
        all.push((column.name, column));
        all.extend(second_name(of, column.name).map(|second| (second, column)));
    }
    all.sort_by_cached_key(|(name, _)| {
        let at = of.product.iter().position(|shown| shown == name);
        at.unwrap_or(usize::MAX)
    });
    all
}

/// Columns of a view with the expression for each; columns that the map does not name are null.
pub(super) fn columns(of: &Table, map: &dyn Fn(&str) -> Option<String>) -> String {
    let mut list = String::new();
    for (name, column) in offered(of) {
        let value = match column.origin {
            Origin::Legacy => map(EXTRA).map(|extra| from_extra(&extra, column)),
            _ => map(column.name),
        };
        let expression = match value {
            Some(e) => e,
            None if column.kusto == Kusto::DateTime => {
                "arrow_cast(NULL, 'Timestamp(Microsecond, Some(\"UTC\"))')".to_string()
            }
            None => format!("CAST(NULL AS {})", sql_type(column.kusto)),
        };
        // Writing to a String cannot fail.
        let _ = write!(list, "{expression} AS \"{name}\", ");
    }
    if of.by_day {
        let ingest = map(INGEST_ID).unwrap_or_default();
        let record = map(RECORD).unwrap_or_default();
        let _ = write!(
            list,
            "CAST({ingest} AS VARCHAR) || ':' || CAST({record} AS VARCHAR) AS \"{SOURCE}\", "
        );
    }
    list.truncate(list.len() - 2);
    list
}

/// The name that Defender XDR has for a column, where it is another one.
fn second_name(of: &Table, name: &str) -> Option<&'static str> {
    match (of.name, name) {
        (_, TIME) if of.by_day => Some(SECOND_TIME),
        ("CloudAppEvents" | "IdentityLogonEvents", "ISP") => Some("Isp"),
        ("IdentityInfo", "AccountUPN") => Some("AccountUpn"),
        ("AgentsInfo", "EntraAgentID") => Some("EntraAgentId"),
        ("AgentsInfo", "EntraBlueprintID") => Some("EntraBlueprintId"),
        ("AgentsInfo", "ObservabilityID") => Some("ObservabilityId"),
        ("CampaignInfo", "CampaignSubType") => Some("CampaignSubtype"),
        ("FileMaliciousContentInfo", "DocumentID") => Some("DocumentId"),
        _ => None,
    }
}

/// A stored table as it is, with all names of its columns.
pub(super) fn stored(table: &Table) -> String {
    rows(table, table)
}

/// The rows of a source in the columns of a table. Those of a foreign source are among the rows of `OtherRecords`.
pub(super) fn rows(of: &Table, source: &Table) -> String {
    let foreign = catalog().foreign(source.name).is_some();
    let map = |name: &str| {
        let name = match name {
            // Its old name, which EntraIdSignInEvents does not have.
            "AadDeviceId" if source.name == "EntraIdSignInEvents" => "EntraIdDeviceId",
            name => name,
        };
        let column = &source.columns[source.position(name)?];
        let own = [TIME, EXTRA, INGEST_ID, RECORD].contains(&name);
        Some(match foreign && !own {
            // Rows may not say it: those of older archives, and those that came with it in a category.
            _ if name == "Type" && column.origin == Origin::Export => {
                let stored = match foreign {
                    true => from_extra(&format!("s.\"{EXTRA}\""), column),
                    false => format!("s.\"{name}\""),
                };
                format!("coalesce(nullif({stored}, ''), '{}')", source.name)
            }
            true => {
                let extra = format!("s.\"{EXTRA}\"");
                let first = from_extra(&extra, column);
                match second_name(source, name) {
                    Some(second) => {
                        let ty = sql_type(column.kusto);
                        format!("coalesce({first}, TRY_CAST({extra}->>'{second}' AS {ty}))")
                    }
                    None => first,
                }
            }
            // Text in Sentinel, and so in the files; Defender XDR has numbers, and its rules join on them.
            false if is_port(of, name) => format!("TRY_CAST(s.\"{name}\" AS INT)"),
            false => format!("s.\"{name}\""),
        })
    };
    let list = columns(of, &map);
    match foreign {
        true => format!(
            "SELECT {list} FROM stored.\"OtherRecords\" AS s \
             WHERE s.\"{EXTRA}\"->>'{TYPE}' = '{0}' OR (coalesce(s.\"{EXTRA}\"->>'{TYPE}', '') = '' \
               AND s.\"{EXTRA}\"->>'category' = 'AdvancedHunting-{0}')",
            source.name
        ),
        false => format!("SELECT {list} FROM stored.\"{}\" AS s", source.name),
    }
}

fn is_port(of: &Table, name: &str) -> bool {
    matches!(name, "Port" | "DestinationPort")
        && matches!(
            of.name,
            "IdentityDirectoryEvents" | "IdentityLogonEvents" | "IdentityQueryEvents"
        )
}

pub(super) fn lineage(alias: &str, name: &str) -> Option<String> {
    [INGEST_ID, RECORD, TIME]
        .contains(&name)
        .then(|| format!("{alias}.\"{name}\""))
}
