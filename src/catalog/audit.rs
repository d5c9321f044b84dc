//! Facts about the audit record: promoted paths, record types, user types, workloads.
//!
//! Record type names are those of Microsoft Graph's `auditLogRecordType`; the Management Activity API page numbers some of
//! them differently from 365 up, and real records agree with Graph.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A path of the audit record that is kept as a column.
#[derive(Debug)]
pub struct Path {
    /// The path, keys joined by `.`.
    pub path: &'static str,
    /// Name of the column in `UnifiedAuditLog`.
    pub column: &'static str,
    /// What it is.
    pub doc: &'static str,
}

static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
    include_str!("audit.txt")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|line| {
            let (path, doc) = line
                .split_once("  ")
                .unwrap_or_else(|| panic!("catalog: line `{line}` has no description"));
            Path {
                path,
                column: Box::leak(path.replace('.', "_").into_boxed_str()),
                doc,
            }
        })
        .collect()
});

/// Promoted paths that are lists in Microsoft's records. What is logged there may be anything else all the same.
pub const LISTS: [&str; 6] = [
    "Parameters",
    "ModifiedProperties",
    "ExtendedProperties",
    "OperationProperties",
    "Actor",
    "Target",
];

/// The promoted paths, in the order of their columns.
pub fn paths() -> &'static [Path] {
    &PATHS
}

/// Names by number, and numbers by lower-cased name.
type RecordTypes = (HashMap<i32, &'static str>, HashMap<String, i32>);

static RECORD_TYPES: LazyLock<RecordTypes> = LazyLock::new(|| {
    let mut names = HashMap::new();
    let mut numbers = HashMap::new();
    let lines = || {
        include_str!("record_types.txt").lines().filter_map(|line| {
            let (number, spellings) = line.split_once(' ')?;
            Some((number.parse::<i32>().ok()?, spellings.split('|')))
        })
    };
    // Graph's names first: a name that the other page gives to a different number does not displace them.
    for (number, mut spellings) in lines() {
        if let Some(name) = spellings.next() {
            names.insert(number, name);
            numbers.insert(name.to_ascii_lowercase(), number);
        }
    }
    for (number, spellings) in lines() {
        for name in spellings.skip(1) {
            numbers.entry(name.to_ascii_lowercase()).or_insert(number);
        }
    }
    (names, numbers)
});

/// Name of a record type.
pub fn record_type_name(number: i32) -> Option<&'static str> {
    RECORD_TYPES.0.get(&number).copied()
}

/// Number of a record type from a number, a numeric string or a name in any case.
pub fn record_type(text: &str) -> Option<i32> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i32>() {
        return Some(number);
    }
    RECORD_TYPES.1.get(&text.to_ascii_lowercase()).copied()
}

/// The identity of an event whatever the spelling of its id: blanks and braces around it and the case of its letters do not count.
/// Nothing for an id that says nothing.
pub fn event_key(id: &str) -> Option<String> {
    let id = id.trim();
    let bare = id.strip_prefix('{').and_then(|id| id.strip_suffix('}'));
    let id = bare.map_or(id, str::trim);
    (!id.is_empty()).then(|| id.to_ascii_lowercase())
}

/// Names of user types, by number.
pub const USER_TYPES: [&str; 11] = [
    "Regular",
    "Reserved",
    "Admin",
    "DcAdmin",
    "System",
    "Application",
    "ServicePrincipal",
    "CustomPolicy",
    "SystemPolicy",
    "PartnerTechnician",
    "Guest",
];

/// Number of a user type from a number, a numeric string or a name in any case.
pub fn user_type(text: &str) -> Option<i32> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i32>() {
        return Some(number);
    }
    USER_TYPES
        .iter()
        .position(|n| n.eq_ignore_ascii_case(text))
        .map(|i| i as i32)
}

/// What Defender for Cloud Apps calls a workload: (Workload, Application, ApplicationId).
pub const APPLICATIONS: [(&str, &str, i32); 4] = [
    ("Exchange", "Microsoft Exchange Online", 20893),
    ("SharePoint", "Microsoft SharePoint Online", 20892),
    ("OneDrive", "Microsoft OneDrive for Business", 15600),
    ("MicrosoftTeams", "Microsoft Teams", 28375),
];

/// Application of every other workload.
pub const APPLICATION_OTHERWISE: (&str, i32) = ("Microsoft 365", 11161);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_types_are_read_as_number_text_and_name() {
        assert_eq!(record_type("43"), Some(43));
        assert_eq!(record_type("MipLabel"), Some(43));
        assert_eq!(record_type("ExchangeAdmin"), Some(1));
        assert_eq!(record_type("SentinelAITool"), Some(403));
        assert_eq!(record_type("nonsense"), None);
        assert_eq!(record_type_name(83), Some("SensitivityLabelAction"));
        assert_eq!(user_type("DcAdmin"), Some(3));
        assert_eq!(user_type("10"), Some(10));
    }
}
