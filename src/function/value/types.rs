//! Kusto's scalar types.

/// Kusto's scalar types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// `bool`
    Bool,
    /// `datetime`
    DateTime,
    /// `decimal`
    Decimal,
    /// `dynamic`
    Dynamic,
    /// `guid`
    Guid,
    /// `int`, 32 bits
    Int,
    /// `long`, 64 bits
    Long,
    /// `real`
    Real,
    /// `string`
    String,
    /// `timespan`
    Timespan,
}

impl Type {
    /// Name as Kusto spells it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::DateTime => "datetime",
            Type::Decimal => "decimal",
            Type::Dynamic => "dynamic",
            Type::Guid => "guid",
            Type::Int => "int",
            Type::Long => "long",
            Type::Real => "real",
            Type::String => "string",
            Type::Timespan => "timespan",
        }
    }

    /// The type of that name; Kusto's other names for them count.
    pub fn named(name: &str) -> Option<Type> {
        Some(match name {
            "bool" | "boolean" => Type::Bool,
            "datetime" | "date" => Type::DateTime,
            "decimal" => Type::Decimal,
            "dynamic" => Type::Dynamic,
            "guid" | "uuid" | "uniqueid" => Type::Guid,
            "int" | "int8" | "int16" | "int32" | "uint" | "uint8" | "uint16" | "uint32" => {
                Type::Int
            }
            "long" | "int64" | "ulong" | "uint64" => Type::Long,
            "real" | "double" | "float" => Type::Real,
            "string" => Type::String,
            "timespan" | "time" => Type::Timespan,
            _ => return None,
        })
    }
}
