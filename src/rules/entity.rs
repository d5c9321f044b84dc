//! Entities: their types, and by what each is identified (`entities-reference` of Microsoft's documentation, autumn 2026).

use super::document::At;
use super::fields::{Fields, Notes};
use super::model::{ENTITY_TYPES, EntityMapping, FieldMapping};

/// Identifiers by type. Of the types of mail, whose identifiers are many, only some are used.
const IDENTIFIERS: [(&str, &[&str]); 15] = [
    (
        "Account",
        &[
            "FullName",
            "Name",
            "NTDomain",
            "DnsDomain",
            "UPNSuffix",
            "Sid",
            "AadTenantId",
            "AadUserId",
            "PUID",
            "IsDomainJoined",
            "DisplayName",
            "ObjectGuid",
            "CloudAppAccountId",
            "IsAnonymized",
        ],
    ),
    (
        "Host",
        &[
            "FullName",
            "HostName",
            "DnsDomain",
            "NTDomain",
            "NetBiosName",
            "AzureID",
            "OMSAgentID",
            "OSFamily",
            "OSVersion",
            "IsDomainJoined",
        ],
    ),
    ("IP", &["Address", "AddressScope"]),
    ("Malware", &["Name", "Category"]),
    ("File", &["Name", "Directory"]),
    (
        "Process",
        &[
            "ProcessId",
            "CommandLine",
            "ElevationToken",
            "CreationTimeUtc",
        ],
    ),
    ("CloudApplication", &["AppId", "Name", "InstanceName"]),
    ("DNS", &["DomainName"]),
    ("AzureResource", &["ResourceId"]),
    ("FileHash", &["Algorithm", "Value"]),
    ("RegistryKey", &["Hive", "Key"]),
    ("RegistryValue", &["Name", "Value", "ValueType"]),
    ("SecurityGroup", &["DistinguishedName", "SID", "ObjectGuid"]),
    ("URL", &["Url"]),
    (
        "Mailbox",
        &[
            "MailboxPrimaryAddress",
            "DisplayName",
            "Upn",
            "ExternalDirectoryObjectId",
            "RiskLevel",
        ],
    ),
];

/// An identifier as Sentinel spells it, or as it is written where Sentinel has none.
fn identifier(kind: &str, name: String, at: At, notes: &mut Notes<'_>) -> String {
    let Some((_, known)) = IDENTIFIERS.iter().find(|(of, _)| *of == kind) else {
        return name;
    };
    match spelled(&name, known) {
        Some(name) => name.into(),
        None => {
            let message = format!("`{name}` is no identifier of {kind} that Sentinel knows");
            notes.warning_with_hint(at, message, format!("one of {}", known.join(", ")));
            name
        }
    }
}

/// A name of a list as it is spelled there.
pub(super) fn spelled<'l>(text: &str, list: &[&'l str]) -> Option<&'l str> {
    let like = |name: &&&str| name.eq_ignore_ascii_case(text.trim());
    list.iter().find(like).copied()
}

/// The type of an entity as Sentinel spells it, or as it is written where Sentinel has none.
pub(super) fn kind(text: String, at: At, notes: &mut Notes<'_>) -> String {
    match spelled(&text, &ENTITY_TYPES) {
        Some(name) => name.into(),
        None => {
            let known = ENTITY_TYPES.join(", ");
            let message = format!("`{text}` is no type of entity that Sentinel knows");
            notes.warning_with_hint(at, message, format!("one of {known}"));
            text
        }
    }
}

/// Reads `entityMappings`.
pub(super) fn read(fields: &mut Fields<'_>, notes: &mut Notes<'_>) -> Vec<EntityMapping> {
    let mut mappings = Vec::new();
    for node in fields.list("entityMappings", notes) {
        let Some(mut mapping) = Fields::of(node, "an entity mapping", notes) else {
            continue;
        };
        let Some(kind) = mapping.word("entityType", notes) else {
            notes.error(node.at, "an entity mapping has no entityType");
            continue;
        };
        let kind = self::kind(kind, mapping.place("entityType"), notes);
        let mut field_mappings = Vec::new();
        for node in mapping.list("fieldMappings", notes) {
            let Some(mut field) = Fields::of(node, "a field mapping", notes) else {
                continue;
            };
            match (
                field.word("identifier", notes),
                field.word("columnName", notes),
            ) {
                (Some(name), Some(column_name)) => field_mappings.push(FieldMapping {
                    identifier: identifier(&kind, name, node.at, notes),
                    column_name,
                }),
                _ => notes.error(
                    node.at,
                    "a field mapping needs an identifier and a columnName",
                ),
            }
            field.finish("a field mapping", &[], notes);
        }
        mapping.finish("an entity mapping", &[], notes);
        mappings.push(EntityMapping {
            entity_type: kind,
            field_mappings,
        });
    }
    mappings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_with_identifiers_is_one_that_sentinel_has() {
        for (kind, identifiers) in IDENTIFIERS {
            assert!(ENTITY_TYPES.contains(&kind), "{kind}");
            assert!(!identifiers.is_empty(), "{kind}");
        }
    }

    #[test]
    fn identifiers_are_spelled_as_sentinel_does() {
        let mut notes = Notes::new("r.yaml");
        let at = At::default();
        assert_eq!(
            identifier("Account", "fullname".into(), at, &mut notes),
            "FullName"
        );
        assert_eq!(
            identifier("MailMessage", "Odd".into(), at, &mut notes),
            "Odd"
        );
        assert!(notes.list.is_empty());
        assert_eq!(
            identifier("DNS", "IpAddress".into(), at, &mut notes),
            "IpAddress"
        );
        assert_eq!(notes.list.len(), 1);
    }
}
