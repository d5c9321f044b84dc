//! Entities of an alert, as Sentinel writes them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::result_row::ResultRow;
use crate::rules::{AssetKind, Rule};

/// Entities of an alert at most, divided equally among the rule's mappings.
const ENTITIES: usize = 500;
/// Mappings of a rule that count.
const MAPPINGS: usize = 10;
/// Identifiers of a mapping that count.
const IDENTIFIERS: usize = 3;
/// Bytes of an alert's entities at most.
const ENTITY_BYTES: usize = 64 * 1024;
/// The first `$id` of an alert's entities: the alert itself and its list of entities are what Sentinel counts before them.
const FIRST_ID: usize = 3;

/// Identifiers that are parts of one name, and what stands between them.
const WHOLE: [(&str, &str, &str); 3] = [
    ("Name", "@", "UPNSuffix"),
    ("NTDomain", "\\", "Name"),
    ("HostName", ".", "DnsDomain"),
];

/// Something that an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertEntity {
    /// Its type, as rules spell it: `Account`, `IP`, …
    pub kind: String,
    /// What it is known by: `Name`, `UPNSuffix`, `Address`, …, and the value.
    pub identifiers: Vec<(String, String)>,
}

impl AlertEntity {
    /// What is equal for two that are the same thing, whatever the case of its letters.
    pub fn key(&self) -> String {
        let mut parts: Vec<String> = self
            .identifiers
            .iter()
            .map(|(name, value)| format!("{name}={value}").to_lowercase())
            .collect();
        parts.sort_unstable();
        format!("{}\u{1f}{}", type_name(&self.kind), parts.join("\u{1f}"))
    }

    /// What people call it: the parts of a name in one, `ada@contoso.com`, and what else it is known by behind that.
    pub fn called(&self) -> String {
        let value = |wanted: &str| {
            let mut identifiers = self.identifiers.iter();
            let found = identifiers.find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let whole = WHOLE.into_iter().find_map(|(first, between, second)| {
            let name = [value(first)?, between, value(second)?].concat();
            Some((name, [first, second]))
        });
        let (mut called, parts) = match whole {
            Some((name, parts)) => (vec![name], parts.to_vec()),
            None => (Vec::new(), Vec::new()),
        };
        let others = self.identifiers.iter();
        let others = others.filter(|(name, _)| !parts.contains(&name.as_str()));
        called.extend(others.map(|(_, value)| value.clone()));
        called.join(" ")
    }

    fn object(&self, id: usize) -> Value {
        let mut object = Map::new();
        object.insert("$id".into(), Value::from(id.to_string()));
        for (name, value) in &self.identifiers {
            object.insert(name.clone(), Value::from(value.as_str()));
        }
        object.insert("Type".into(), Value::from(type_name(&self.kind)));
        Value::Object(object)
    }
}

/// The column `Entities` of an alert; empty text where there are none.
pub(super) fn column(entities: &[AlertEntity]) -> String {
    if entities.is_empty() {
        return String::new();
    }
    let objects = entities.iter().zip(FIRST_ID..).map(|(e, id)| e.object(id));
    Value::Array(objects.collect()).to_string()
}

/// How the type of an entity is spelled in alerts.
fn type_name(kind: &str) -> String {
    let known = match kind {
        "CloudApplication" => "cloud-application",
        "AzureResource" => "azure-resource",
        "RegistryKey" => "registry-key",
        "RegistryValue" => "registry-value",
        "SecurityGroup" => "security-group",
        "MailCluster" => "mail-cluster",
        "MailMessage" => "mail-message",
        "SubmissionMail" => "SubmissionMail",
        _ => return kind.to_ascii_lowercase(),
    };
    known.into()
}

/// Which columns name an entity: its type, and identifier and column each.
struct Naming<'r> {
    kind: &'r str,
    fields: Vec<(&'r str, &'r str)>,
}

fn namings(rule: &Rule) -> Vec<Naming<'_>> {
    let mapped = rule.entities.iter().map(|mapping| {
        let fields = mapping.field_mappings.iter().take(IDENTIFIERS);
        Naming {
            kind: &mapping.entity_type,
            fields: fields
                .map(|f| (f.identifier.as_str(), f.column_name.as_str()))
                .collect(),
        }
    });
    // Where a detection maps no entities, its assets stand among them already.
    let is_mapped = |column: &str| {
        let mut fields = rule.entities.iter().flat_map(|e| &e.field_mappings);
        fields.any(|field| field.column_name == column)
    };
    let impacted = rule.impacted.iter().filter(|a| !is_mapped(&a.column));
    let impacted = impacted.map(|asset| {
        let column = asset.column.as_str();
        let (kind, identifier) = match asset.kind {
            AssetKind::Device if column.ends_with("Name") => ("Host", "FullName"),
            AssetKind::Device => ("Host", "MdatpDeviceId"),
            AssetKind::User if column.ends_with("Sid") => ("Account", "Sid"),
            AssetKind::User if column.ends_with("ObjectId") => ("Account", "AadUserId"),
            AssetKind::User => ("Account", "FullName"),
            AssetKind::Mailbox if column.ends_with("ObjectId") => ("Account", "AadUserId"),
            AssetKind::Mailbox => ("Mailbox", "MailboxPrimaryAddress"),
        };
        Naming {
            kind,
            fields: vec![(identifier, column)],
        }
    });
    mapped.chain(impacted).take(MAPPINGS).collect()
}

/// The entities of some rows: each once, mapping by mapping, within the limits; and whether there are more.
pub(super) fn of_rows(rule: &Rule, rows: &[ResultRow]) -> (Vec<AlertEntity>, bool) {
    let namings = namings(rule);
    let share = ENTITIES / namings.len().max(1);
    let (mut entities, mut seen) = (Vec::new(), HashSet::new());
    let (mut left, mut more) = (ENTITY_BYTES, false);
    for naming in &namings {
        let mut of_this = 0;
        for entity in rows.iter().flat_map(|row| named(naming, row)) {
            let key = entity.key();
            if seen.contains(&key) {
                continue;
            }
            if of_this == share {
                more = true;
                break;
            }
            let bytes = entity.object(FIRST_ID + entities.len()).to_string().len() + 1;
            let Some(rest) = left.checked_sub(bytes) else {
                return (entities, true);
            };
            left = rest;
            of_this += 1;
            seen.insert(key);
            entities.push(entity);
        }
    }
    (entities, more)
}

/// The entities that one row names. A list in the column of the only identifier names several: Sentinel would make one odd entity of its text, which
/// nobody could look for.
fn named(naming: &Naming<'_>, row: &ResultRow) -> Vec<AlertEntity> {
    let entity = |identifiers: Vec<(String, String)>| AlertEntity {
        kind: naming.kind.to_string(),
        identifiers,
    };
    if let [(identifier, column)] = naming.fields.as_slice() {
        let texts = row.texts(column);
        return texts
            .iter()
            .map(|text| entity(parts(naming.kind, identifier, text)))
            .collect();
    }
    let mut identifiers = Vec::new();
    for (identifier, column) in &naming.fields {
        if let Some(text) = row.text(column) {
            identifiers.extend(parts(naming.kind, identifier, &text));
        }
    }
    match identifiers.is_empty() {
        true => Vec::new(),
        false => vec![entity(identifiers)],
    }
}

/// What an identifier stands for: a full name is split into the names that entities have.
fn parts(kind: &str, identifier: &str, value: &str) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
    let two = |(one, first), (two, second)| vec![pair(one, first), pair(two, second)];
    match (kind, identifier) {
        ("Account", "FullName") => {
            if let Some((name, suffix)) = value.rsplit_once('@') {
                two(("Name", name), ("UPNSuffix", suffix))
            } else if let Some((domain, name)) = value.split_once('\\') {
                two(("Name", name), ("NTDomain", domain))
            } else {
                vec![pair("Name", value)]
            }
        }
        ("Host", "FullName") => match value.split_once('.') {
            Some((host, domain)) => two(("HostName", host), ("DnsDomain", domain)),
            None => vec![pair("HostName", value)],
        },
        _ => vec![pair(identifier, value)],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{of_rows as limited, *};
    use crate::rules::{EntityMapping, FieldMapping, ImpactedAsset, Kind, Language, Query};

    fn mapping(kind: &str, fields: &[(&str, &str)]) -> EntityMapping {
        EntityMapping {
            entity_type: kind.into(),
            field_mappings: fields
                .iter()
                .map(|(identifier, column)| FieldMapping {
                    identifier: (*identifier).into(),
                    column_name: (*column).into(),
                })
                .collect(),
        }
    }

    fn of_rows(rule: &Rule, rows: &[ResultRow]) -> Vec<AlertEntity> {
        limited(rule, rows).0
    }

    fn rule(mappings: Vec<EntityMapping>) -> Rule {
        let mut rule = Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, "T"));
        rule.entities = mappings;
        rule
    }

    fn row(cells: Value) -> ResultRow {
        match cells {
            Value::Object(cells) => ResultRow { time: None, cells },
            other => panic!("{other} is no row"),
        }
    }

    #[test]
    fn entities_are_written_with_number_and_type() {
        let rule = rule(vec![
            mapping("Account", &[("FullName", "User")]),
            mapping("IP", &[("Address", "Address")]),
            mapping("FileHash", &[("Algorithm", "Kind"), ("Value", "Hash")]),
            mapping("CloudApplication", &[("Name", "App")]),
        ]);
        let rows = [
            row(
                json!({"User": "adele@contoso.com", "Address": "192.0.2.1", "Kind": "SHA256", "Hash": "ab", "App": ""}),
            ),
            row(json!({"User": "ADELE@contoso.com", "Address": "192.0.2.2", "App": "Teams"})),
        ];
        assert_eq!(
            column(&of_rows(&rule, &rows)),
            concat!(
                r#"[{"$id":"3","Name":"adele","UPNSuffix":"contoso.com","Type":"account"},"#,
                r#"{"$id":"4","Address":"192.0.2.1","Type":"ip"},{"$id":"5","Address":"192.0.2.2","Type":"ip"},"#,
                r#"{"$id":"6","Algorithm":"SHA256","Value":"ab","Type":"filehash"},"#,
                r#"{"$id":"7","Name":"Teams","Type":"cloud-application"}]"#
            )
        );
        assert_eq!(column(&of_rows(&rule, &[])), "");
        assert_eq!(column(&[]), "");
    }

    #[test]
    fn full_names_are_split() {
        let said = |kind, value| {
            let parts = parts(kind, "FullName", value);
            let words: Vec<String> = parts.iter().map(|(n, v)| format!("{n}={v}")).collect();
            words.join(" ")
        };
        assert_eq!(
            said("Account", "CONTOSO\\adele"),
            "Name=adele NTDomain=CONTOSO"
        );
        assert_eq!(
            said("Account", "guest_fabrikam.com#EXT#@contoso.com"),
            "Name=guest_fabrikam.com#EXT# UPNSuffix=contoso.com"
        );
        assert_eq!(said("Account", "adele"), "Name=adele");
        assert_eq!(
            said("Host", "pc1.contoso.com"),
            "HostName=pc1 DnsDomain=contoso.com"
        );
        assert_eq!(said("Host", "pc1"), "HostName=pc1");
        assert_eq!(said("File", "a.b@c"), "FullName=a.b@c");
    }

    #[test]
    fn an_entity_is_called_by_its_whole_name() {
        let called = |identifiers: &[(&str, &str)]| {
            let identifiers = identifiers.iter();
            let entity = AlertEntity {
                kind: "Account".into(),
                identifiers: identifiers
                    .map(|(name, value)| ((*name).into(), (*value).into()))
                    .collect(),
            };
            entity.called()
        };
        let name = [
            ("Name", "ada"),
            ("AadUserId", "7"),
            ("UPNSuffix", "contoso.com"),
        ];
        assert_eq!(called(&name), "ada@contoso.com 7");
        let domain = [("Name", "ada"), ("NTDomain", "CONTOSO")];
        assert_eq!(called(&domain), "CONTOSO\\ada");
        let host = [("HostName", "pc1"), ("DnsDomain", "contoso.com")];
        assert_eq!(called(&host), "pc1.contoso.com");
        assert_eq!(called(&[("Name", "ada"), ("Sid", "S-1")]), "ada S-1");
    }

    #[test]
    fn a_list_in_the_only_column_names_several() {
        let rule = rule(vec![mapping("IP", &[("Address", "Addresses")])]);
        let rows = [row(
            json!({"Addresses": ["192.0.2.1", "192.0.2.2", "192.0.2.1"]}),
        )];
        assert_eq!(of_rows(&rule, &rows).len(), 2);
    }

    #[test]
    fn five_hundred_entities_are_divided_equally_among_the_mappings() {
        let many: Vec<ResultRow> = (0..600)
            .map(|n| row(json!({"A": format!("a{n}"), "B": format!("b{n}"), "C": "c"})))
            .collect();
        let one = rule(vec![mapping("Host", &[("HostName", "A")])]);
        let (entities, more) = limited(&one, &many);
        assert_eq!((entities.len(), more), (500, true));
        let (entities, more) = limited(&one, &many[..500]);
        assert_eq!((entities.len(), more), (500, false));
        let three = rule(vec![
            mapping("Host", &[("HostName", "A")]),
            mapping("Account", &[("Name", "B")]),
            mapping("Account", &[("Name", "C")]),
        ]);
        let entities = of_rows(&three, &many);
        let count = |start: &str| {
            let of = |e: &&AlertEntity| e.identifiers[0].1.starts_with(start);
            entities.iter().filter(of).count()
        };
        // What one mapping does not use, no other gets.
        assert_eq!((count("a"), count("b"), count("c")), (166, 166, 1));
    }

    #[test]
    fn a_rule_has_ten_mappings_and_a_mapping_three_identifiers() {
        let eleven = (0..11).map(|n| {
            let column = if n == 10 { "B" } else { "A" };
            mapping("Host", &[("HostName", column)])
        });
        let rule_of_eleven = rule(eleven.collect());
        let rows = [row(json!({"A": "a", "B": "b"}))];
        assert_eq!(of_rows(&rule_of_eleven, &rows).len(), 1);
        let four = rule(vec![mapping(
            "Account",
            &[
                ("Name", "A"),
                ("Sid", "B"),
                ("PUID", "A"),
                ("ObjectGuid", "B"),
            ],
        )]);
        assert_eq!(of_rows(&four, &rows)[0].identifiers.len(), 3);
    }

    #[test]
    fn entities_stay_within_64_kb() {
        let rule = rule(vec![mapping("URL", &[("Url", "Url")])]);
        let long = "x".repeat(1000);
        let rows: Vec<ResultRow> = (0..100)
            .map(|n| row(json!({"Url": format!("https://contoso.com/{n:03}/{long}")})))
            .collect();
        let (entities, more) = limited(&rule, &rows);
        assert!(more);
        // An entity of 1,024 characters of address takes 1,058 or 1,059 bytes with its number and type, and a comma.
        assert_eq!(entities.len(), 61);
        assert!(column(&entities).len() <= ENTITY_BYTES);
    }

    #[test]
    fn what_a_custom_detection_says_was_harmed_is_an_entity() {
        let mut rule = rule(vec![]);
        let asset = |kind, column: &str| ImpactedAsset {
            kind,
            column: column.into(),
        };
        rule.impacted = vec![
            asset(AssetKind::User, "AccountUpn"),
            asset(AssetKind::User, "AccountObjectId"),
            asset(AssetKind::Device, "DeviceId"),
            asset(AssetKind::Device, "DeviceName"),
            asset(AssetKind::Mailbox, "RecipientEmailAddress"),
        ];
        let rows = [row(json!({
            "AccountUpn": "adele@contoso.com", "AccountObjectId": "1", "DeviceId": "2",
            "DeviceName": "pc1.contoso.com", "RecipientEmailAddress": "alex@contoso.com",
        }))];
        let said: Vec<String> = of_rows(&rule, &rows)
            .into_iter()
            .map(|e| format!("{} {}", e.kind, e.identifiers[0].0))
            .collect();
        assert_eq!(
            said,
            [
                "Account Name",
                "Account AadUserId",
                "Host MdatpDeviceId",
                "Host HostName",
                "Mailbox MailboxPrimaryAddress"
            ]
        );
        // What is an entity by its mapping is none once more.
        rule.entities = vec![mapping("Host", &[("HostName", "DeviceName")])];
        assert_eq!(of_rows(&rule, &rows).len(), 5);
    }
}
