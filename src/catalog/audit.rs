//! Facts about the audit record: promoted paths, record types, user types, workloads.
//!
//! Record type names are those of Microsoft Graph's `auditLogRecordType`; the Management Activity API page numbers some of
//! them differently from 365 up, and real records agree with Graph.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::text::json;

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

/// Beginnings of the names, in small letters, under which Microsoft's services and applications act; the first two are whole names.
/// (Seen in audit records and usage logs of rights management.)
const SERVICE_NAMES: [&str; 2] = ["app@sharepoint", "sharepoint\\system"];
const SERVICE_PREFIXES: [&str; 4] = [
    "nt authority",
    "serviceprincipal_",
    "microsoftrmsonline@",
    "aadrm_",
];

/// Whether no person acted: the user type is System, Application, ServicePrincipal, CustomPolicy or SystemPolicy, or the name is a service's.
pub fn is_service(user_type: Option<i32>, user: &str) -> bool {
    let starts_with = |prefix: &&str| {
        let start = user.as_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    matches!(user_type, Some(4..=8))
        || SERVICE_NAMES
            .iter()
            .any(|name| name.eq_ignore_ascii_case(user))
        || SERVICE_PREFIXES.iter().any(starts_with)
}

/// The value of a name in a list of `{"Name": …, "Value": …}`, as audit records have their `ExtendedProperties`: the first that is a text.
pub fn named_value(list: &str, name: &str) -> Option<String> {
    let mut from = 0;
    while let Some(at) = list[from..].find(name) {
        let (begun, end) = (from + at, from + at + name.len());
        from = end;
        let is_name = list[..begun]
            .strip_suffix('"')
            .is_some_and(|before| before.trim_end().ends_with("\"Name\":"));
        if !is_name {
            continue;
        }
        let value = list[end..].strip_prefix("\",").map(str::trim_start);
        let value = value.and_then(|rest| rest.strip_prefix("\"Value\":"));
        let value = value.and_then(|rest| rest.trim_start().strip_prefix('"'));
        if let Some(inner) = value.and_then(quoted) {
            return Some(json::unescape(inner));
        }
    }
    None
}

/// What stands before the quote that ends a text of JSON.
fn quoted(rest: &str) -> Option<&str> {
    let mut is_escaped = false;
    let end = rest.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map(|end| &rest[..end])
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
    fn values_are_found_by_their_names() {
        let agent = |list: &str| named_value(list, "UserAgent");
        let one = r#"[{"Name":"ResultStatusDetail","Value":"Success"},{"Name":"UserAgent","Value":"curl/8.1"}]"#;
        assert_eq!(agent(one).as_deref(), Some("curl/8.1"));
        let spaced = "[{ \"Name\": \"UserAgent\",\r\n  \"Value\": \"a \\\"b\\\" \\/ \\u00e4\" }]";
        assert_eq!(agent(spaced).as_deref(), Some("a \"b\" / \u{e4}"));
        let second = r#"[{"Name":"UserAgent","Value":null},{"Name":"x","Value":"UserAgent"},{"Name":"UserAgent","Value":""}]"#;
        assert_eq!(agent(second).as_deref(), Some(""));
        for none in [
            "",
            "UserAgent",
            r#"[{"Name":"UserAgents","Value":"x"}]"#,
            r#"[{"Name":"UserAgent","Value":"cut"#,
            r#"[{"Name":"UserAgent","Value":"cut\"#,
            r#"[{"Value":"x","Name":"UserAgent"}]"#,
        ] {
            assert_eq!(agent(none), None, "{none}");
        }
    }

    #[test]
    fn services_are_told_from_people() {
        for user_type in 4..=8 {
            assert!(is_service(Some(user_type), "bob@contoso.com"));
        }
        for name in [
            "App@SharePoint",
            "SHAREPOINT\\system",
            "NT AUTHORITY\\SYSTEM (Microsoft.Exchange.Servicehost)",
            "ServicePrincipal_21b0e9c5-6e8f-4e6f-9b0a-5c1f6c5d8f11",
            "microsoftrmsonline@e9cbacdb-0fc0-494b-812c-72633621e419.rms.eu.aadrm.com",
            "Aadrm_S-1-7-0",
        ] {
            assert!(is_service(None, name), "{name}");
        }
        for name in ["", "app@sharepoint.contoso.com", "aadrm", "äadrm_", "n"] {
            assert!(!is_service(Some(0), name), "{name}");
        }
        assert!(!is_service(
            Some(10),
            "guest_fabrikam.com#EXT#@contoso.onmicrosoft.com"
        ));
    }

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
