//! What a finding is about, as things: a user, an address, a file with its folder and its hashes.
//!
//! A rule maps columns to identifiers of entities, in the words of Sentinel; several identifiers of one mapping are of one thing. Columns that
//! are lists say several things, of which nobody knows which of another list belongs to which: such identifiers are things of their own.

use std::collections::{BTreeMap, BTreeSet};

use crate::hunt::{Entity, Finding};

/// Something that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// An account: its address in lower case, else its id or its name.
    User(String),
    /// An address of a network, as it is written.
    Address(String),
    /// An address of the web.
    Url(String),
    /// A file, by its name, its folder or a hash.
    File(File),
    /// An application, by its name or its id.
    Application(String),
    /// A device.
    Device(String),
    /// A mailbox: its address in lower case.
    Mailbox(String),
    /// Something else: the type of the entity, its identifier and its value.
    Other(String, String, String),
}

/// A file that a finding is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Its name.
    pub name: Option<String>,
    /// Its folder.
    pub folder: Option<String>,
    /// Algorithm and value of a hash.
    pub hash: Option<(String, String)>,
}

/// Identifiers that name an account in full: those of Sentinel, and the columns of Defender's impacted assets.
const ACCOUNT: [&str; 5] = [
    "FullName",
    "AccountUpn",
    "InitiatingProcessAccountUpn",
    "Upn",
    "UserPrincipalName",
];
/// Identifiers that name a mailbox.
const MAILBOX: [&str; 5] = [
    "MailboxPrimaryAddress",
    "Upn",
    "RecipientEmailAddress",
    "SenderFromAddress",
    "SenderMailFromAddress",
];

/// The things that a finding is about, each once, in order.
pub fn things(finding: &Finding) -> Vec<Thing> {
    let mut mappings: BTreeMap<(usize, &str), Vec<&Entity>> = BTreeMap::new();
    for entity in &finding.entities {
        let key = (entity.mapping, entity.kind.as_str());
        mappings.entry(key).or_default().push(entity);
    }
    let mut all = BTreeSet::new();
    for ((_, kind), entities) in mappings {
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entity in entities {
            let identifier = entity.identifier.as_str();
            values
                .entry(identifier)
                .or_default()
                .push(entity.value.trim());
        }
        of_mapping(kind, &values, &mut all);
    }
    let mut things: Vec<Thing> = all.into_iter().collect();
    // Who collects what these become keeps their room.
    things.shrink_to_fit();
    things
}

/// The things of one mapping, by the values of its identifiers.
fn of_mapping(kind: &str, values: &BTreeMap<&str, Vec<&str>>, all: &mut BTreeSet<Thing>) {
    let of = |identifier: &str| values.get(identifier).map_or(&[][..], Vec::as_slice);
    match kind {
        "Account" => accounts(values, all),
        "File" | "FileHash" => files(kind, values, all),
        "Mailbox" => {
            let addresses = MAILBOX.iter().flat_map(|identifier| of(identifier));
            let addresses = addresses.filter(|a| !a.is_empty());
            all.extend(addresses.map(|a| Thing::Mailbox(a.to_lowercase())));
            others(kind, values, &MAILBOX, all);
        }
        _ => {
            for (identifier, found) in values {
                for value in found.iter().filter(|value| !value.is_empty()) {
                    all.insert(single(kind, identifier, value));
                }
            }
        }
    }
}

/// A thing that has one identifier.
fn single(kind: &str, identifier: &str, value: &str) -> Thing {
    let value = value.to_string();
    match kind {
        "IP" => Thing::Address(value),
        "URL" => Thing::Url(value),
        "CloudApplication" => Thing::Application(value),
        "Host" => Thing::Device(value),
        _ => Thing::Other(kind.into(), identifier.into(), value),
    }
}

/// Accounts: those that are named in full; those of a name and a suffix; those of which only an id is known.
fn accounts(values: &BTreeMap<&str, Vec<&str>>, all: &mut BTreeSet<Thing>) {
    let mut named = BTreeSet::new();
    for identifier in ACCOUNT {
        named.extend(
            values
                .get(identifier)
                .into_iter()
                .flatten()
                .map(|v| v.to_lowercase()),
        );
    }
    let names = values.get("Name").map_or(&[][..], Vec::as_slice);
    let suffixes = values.get("UPNSuffix").map_or(&[][..], Vec::as_slice);
    match suffixes {
        [suffix] => {
            let names = names.iter().filter(|name| !name.contains('@'));
            named.extend(names.map(|name| format!("{name}@{suffix}").to_lowercase()));
        }
        _ if named.is_empty() => named.extend(names.iter().map(|name| name.to_lowercase())),
        _ => {}
    }
    let whole = names.iter().filter(|name| name.contains('@'));
    named.extend(whole.map(|name| name.to_lowercase()));
    if named.is_empty() {
        let ids = [
            "AadUserId",
            "ObjectGuid",
            "AccountObjectId",
            "Sid",
            "AccountSid",
        ];
        let mut ids = ids.iter().filter_map(|identifier| values.get(identifier));
        named.extend(ids.next().into_iter().flatten().map(|v| v.to_lowercase()));
    }
    if named.is_empty() {
        others("Account", values, &[], all);
    }
    named.remove("");
    all.extend(named.into_iter().map(Thing::User));
}

/// Files: one where each identifier has one value, else one for each value.
fn files(kind: &str, values: &BTreeMap<&str, Vec<&str>>, all: &mut BTreeSet<Thing>) {
    let one = |identifier: &str| match values.get(identifier).map(Vec::as_slice) {
        Some([value]) if !value.is_empty() => Some((*value).to_string()),
        _ => None,
    };
    let hash = |value: &str| {
        let algorithm = one("Algorithm").or_else(|| one("HashAlgorithm"));
        (algorithm.unwrap_or_default(), value.to_lowercase())
    };
    let of = |identifier: &str| values.get(identifier).map_or(&[][..], Vec::as_slice);
    if values.values().all(|found| found.len() == 1) {
        let file = File {
            name: one("Name"),
            folder: one("Directory"),
            hash: one("Value")
                .or_else(|| one("FileHashValue"))
                .map(|v| hash(&v)),
        };
        if file != File::default() {
            all.insert(Thing::File(file));
        }
    } else {
        for name in of("Name").iter().filter(|name| !name.is_empty()) {
            all.insert(Thing::File(File {
                name: Some((*name).to_string()),
                folder: one("Directory"),
                hash: None,
            }));
        }
        let hashes = of("Value").iter().chain(of("FileHashValue"));
        for value in hashes.filter(|value| !value.is_empty()) {
            all.insert(Thing::File(File {
                hash: Some(hash(value)),
                ..File::default()
            }));
        }
    }
    let known = [
        "Name",
        "Directory",
        "Value",
        "FileHashValue",
        "Algorithm",
        "HashAlgorithm",
    ];
    others(kind, values, &known, all);
}

/// What else a mapping says, as it says it.
fn others(
    kind: &str,
    values: &BTreeMap<&str, Vec<&str>>,
    known: &[&str],
    all: &mut BTreeSet<Thing>,
) {
    for (identifier, found) in values.iter().filter(|(name, _)| !known.contains(name)) {
        for value in found.iter().filter(|value| !value.is_empty()) {
            all.insert(Thing::Other(
                kind.into(),
                (*identifier).into(),
                (*value).into(),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, values: &[(&str, &[&str])]) -> Vec<Thing> {
        let values = values.iter().map(|(name, found)| (*name, found.to_vec()));
        let mut all = BTreeSet::new();
        of_mapping(kind, &values.collect(), &mut all);
        all.into_iter().collect()
    }

    fn user(address: &str) -> Thing {
        Thing::User(address.into())
    }

    #[test]
    fn an_account_is_its_address_however_a_rule_says_it() {
        let spellings: [&[(&str, &[&str])]; 5] = [
            &[("FullName", &["Eve@contoso.com"])],
            &[("Name", &["eve"]), ("UPNSuffix", &["contoso.com"])],
            &[("FullName", &["eve@contoso.com"]), ("AadUserId", &["0c"])],
            &[("Name", &["eve@contoso.com"])],
            &[("FullName", &["eve@contoso.com"]), ("Name", &["eve"])],
        ];
        for values in spellings {
            let found = of("Account", values);
            assert_eq!(found, [user("eve@contoso.com")], "{values:?}");
        }
        assert_eq!(of("Account", &[("AadUserId", &["0C"])]), [user("0c")]);
        // Of two suffixes nobody knows whose they are.
        assert_eq!(
            of(
                "Account",
                &[("Name", &["a", "b"]), ("UPNSuffix", &["x", "y"])]
            ),
            [user("a"), user("b")]
        );
    }

    #[test]
    fn a_file_has_its_folder_and_its_hash_where_there_is_one_of_each() {
        let file = |name: &str, folder: Option<&str>| {
            Thing::File(File {
                name: Some(name.into()),
                folder: folder.map(str::to_string),
                hash: None,
            })
        };
        assert_eq!(
            of("File", &[("Name", &["a.docx"]), ("Directory", &["/x"])]),
            [file("a.docx", Some("/x"))]
        );
        assert_eq!(
            of(
                "File",
                &[("Name", &["a", "b"]), ("Directory", &["/x", "/y"])]
            ),
            [file("a", None), file("b", None)]
        );
        assert_eq!(
            of(
                "FileHash",
                &[("Algorithm", &["SHA256"]), ("Value", &["AB"])]
            ),
            [Thing::File(File {
                hash: Some(("SHA256".into(), "ab".into())),
                ..File::default()
            })]
        );
    }

    #[test]
    fn what_has_no_kind_of_its_own_is_kept_as_it_is_said() {
        assert_eq!(
            of("RegistryKey", &[("Key", &["HKLM"])]),
            [Thing::Other(
                "RegistryKey".into(),
                "Key".into(),
                "HKLM".into()
            )]
        );
        assert_eq!(
            of("IP", &[("Address", &["192.0.2.1", ""])]),
            [Thing::Address("192.0.2.1".into())]
        );
    }
}
