//! Columns: their types, where their values come from, and the names that every table has.

use arrow::datatypes::{DataType, TimeUnit};

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
/// Number of the run that stored an alert or incident, from 1.
pub const STORE_ID: &str = "_StoreId";
/// Number of an alert or incident in the run that stored it, from 1.
pub const ROW: &str = "_Row";
/// Fingerprint of the content: 128 bits that do not depend on key order, spelling of times or the container.
pub const FINGERPRINT: &str = "_Fingerprint";
/// Partition column of the Delta tables; not inside the files.
pub const DATE: &str = "date";

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

    pub(super) fn parse(name: &str) -> Option<Kusto> {
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

pub(super) const fn column(
    name: &'static str,
    kusto: Kusto,
    origin: Origin,
    doc: &'static str,
) -> Column {
    Column {
        name,
        kusto,
        origin,
        doc,
    }
}
