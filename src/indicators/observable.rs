//! What may be watched for, and the pattern of STIX that says it.

use std::net::IpAddr;

use sha1::{Digest, Sha1};
use url::{Host, Url};
use uuid::{Builder, Uuid};

/// Something that may be watched for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observable {
    /// An address of the internet.
    Address(IpAddr),
    /// A user, in lower case: `ada@contoso.com`, or an id.
    Account(String),
    /// An application, by its id or its name.
    Application(String),
    /// A web address.
    Url(String),
    /// A name of a host or a domain, in lower case.
    Domain(String),
    /// A file, by its name without folders.
    File(String),
    /// A file, by the hash of its content: hexadecimal, in lower case.
    Hash(Algorithm, String),
}

/// How a hash was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// All ids of coldtrail are made below this one. It is no id of anything else, and must not change: what was uploaded under an id of it would
/// stay beside what replaces it.
const NAMESPACE: Uuid = Uuid::from_u128(0x4f72_407a_f7f3_41d9_b753_88a4_bdb5_7090);

impl Observable {
    /// An account; nothing where the text names none. `i:0#.f|membership|ada@contoso.com` of SharePoint and `live.com#ada@contoso.com` of Entra are
    /// spellings of the account behind their last mark.
    pub(super) fn account(text: &str) -> Option<Observable> {
        let name = text.trim().to_lowercase();
        let bare = match name.starts_with("i:0") {
            true => name.rsplit('|').next(),
            false => name.strip_prefix("live.com#"),
        };
        let name = bare.unwrap_or(&name).to_string();
        (!name.is_empty()).then_some(Observable::Account(name))
    }

    /// A domain, without the point at its end; an address where one stands in its place. Nothing where it is neither.
    pub(super) fn domain(text: &str) -> Option<Observable> {
        let name = text.trim().trim_end_matches('.');
        Some(match Host::parse(name).ok()? {
            Host::Domain(name) => Observable::Domain(name.to_lowercase()),
            Host::Ipv4(address) => Observable::Address(address.into()),
            Host::Ipv6(address) => Observable::Address(address.to_canonical()),
        })
    }

    /// A file by its name, without the folders that may stand in front of it.
    pub(super) fn file(text: &str) -> Option<Observable> {
        let name = text.rsplit(['/', '\\']).next().unwrap_or(text).trim();
        (!name.is_empty()).then(|| Observable::File(name.to_string()))
    }

    /// A hash. Its length says how it was made; one of another length is nothing that the forms have a field for.
    pub(super) fn hash(text: &str) -> Option<Observable> {
        let text = text.trim();
        let algorithm = match text.len() {
            32 => Algorithm::Md5,
            40 => Algorithm::Sha1,
            64 => Algorithm::Sha256,
            _ => return None,
        };
        let is_hash = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Observable::Hash(algorithm, text.to_ascii_lowercase()))
    }

    /// Its value.
    pub fn value(&self) -> String {
        match self {
            Observable::Address(address) => address.to_string(),
            Observable::Account(text)
            | Observable::Application(text)
            | Observable::Url(text)
            | Observable::Domain(text)
            | Observable::File(text)
            | Observable::Hash(_, text) => text.clone(),
        }
    }

    /// What STIX calls its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Observable::Address(IpAddr::V4(_)) => "ipv4-addr",
            Observable::Address(IpAddr::V6(_)) => "ipv6-addr",
            Observable::Account(_) => "user-account",
            Observable::Application(_) => "software",
            Observable::Url(_) => "url",
            Observable::Domain(_) => "domain-name",
            Observable::File(_) | Observable::Hash(..) => "file",
        }
    }

    /// One of it, and several, for people.
    pub(super) fn nouns(&self) -> (&'static str, &'static str) {
        match self {
            Observable::Address(_) => ("address", "addresses"),
            Observable::Account(_) => ("account", "accounts"),
            Observable::Application(_) => ("application", "applications"),
            Observable::Url(_) => ("URL", "URLs"),
            Observable::Domain(_) => ("domain", "domains"),
            Observable::File(_) => ("file", "files"),
            Observable::Hash(..) => ("hash", "hashes"),
        }
    }

    /// The pattern of STIX 2.1. A single comparison: of others Sentinel does not know the value.
    pub fn pattern(&self) -> String {
        let property = match self {
            Observable::Address(_) | Observable::Url(_) | Observable::Domain(_) => "value",
            Observable::Account(_) => "user_id",
            Observable::Application(_) | Observable::File(_) => "name",
            Observable::Hash(Algorithm::Md5, _) => "hashes.MD5",
            Observable::Hash(Algorithm::Sha1, _) => "hashes.'SHA-1'",
            Observable::Hash(Algorithm::Sha256, _) => "hashes.'SHA-256'",
        };
        format!("[{}:{property} = {}]", self.kind(), literal(&self.value()))
    }

    /// Its id in whatever form, the same whenever it is made: another run updates an indicator and adds none.
    pub fn id(&self) -> Uuid {
        id_of(&self.pattern())
    }
}

/// A string of the pattern language: quotes and backslashes are escaped, all else stands for itself.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('\'');
    out
}

/// The host of a URL, in lower case; nothing where it has none.
pub(super) fn host_of_url(url: &str) -> Option<String> {
    let host = Url::parse(url).ok()?.host_str()?.to_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let bare = bare.trim_end_matches('.');
    (!bare.is_empty()).then(|| bare.to_string())
}

/// The UUID of a text (version 5, RFC 9562).
pub(super) fn id_of(text: &str) -> Uuid {
    let hash = Sha1::new()
        .chain_update(NAMESPACE.as_bytes())
        .chain_update(text.as_bytes())
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_slice()[..16]);
    Builder::from_sha1_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_single_comparisons_of_escaped_text() {
        let address = |text: &str| Observable::Address(text.parse().expect("an address"));
        for (observable, pattern) in [
            (address("192.0.2.7"), "[ipv4-addr:value = '192.0.2.7']"),
            (address("2001:db8::7"), "[ipv6-addr:value = '2001:db8::7']"),
            (
                Observable::Account("o'hara@contoso.com".into()),
                r"[user-account:user_id = 'o\'hara@contoso.com']",
            ),
            (
                Observable::File(r"a\b'] OR [x.docx".into()),
                r"[file:name = 'a\\b\'] OR [x.docx']",
            ),
            (
                Observable::Hash(Algorithm::Sha1, "ab".into()),
                "[file:hashes.'SHA-1' = 'ab']",
            ),
            (
                Observable::Application("Sync".into()),
                "[software:name = 'Sync']",
            ),
        ] {
            assert_eq!(observable.pattern(), pattern);
        }
    }

    #[test]
    fn ids_are_of_version_5_and_stay() {
        let id = Observable::Address("192.0.2.7".parse().expect("an address")).id();
        assert_eq!(id.get_version_num(), 5);
        assert_eq!(id.to_string(), "2fcbd1f8-d0b5-5789-84a8-c2ccf32204df");
        assert_eq!(
            id_of("").to_string(),
            "d52d3941-8b7a-5945-901f-f9acc5aeca7e"
        );
    }

    #[test]
    fn hashes_are_known_by_their_length() {
        let of = |text: &str| Observable::hash(text);
        assert!(matches!(
            of(&"A".repeat(64)),
            Some(Observable::Hash(Algorithm::Sha256, text)) if text == "a".repeat(64)
        ));
        assert_eq!(of("abc"), None);
        assert_eq!(of(&"x".repeat(40)), None);
    }

    #[test]
    fn files_are_known_by_their_names() {
        for text in [
            "Plan.docx",
            r"C:\Work\Plan.docx",
            "https://contoso.sharepoint.com/a/Plan.docx",
        ] {
            assert_eq!(
                Observable::file(text),
                Some(Observable::File("Plan.docx".into()))
            );
        }
        assert_eq!(Observable::file("folder/"), None);
        assert_eq!(Observable::account(" "), None);
    }

    #[test]
    fn accounts_and_domains_have_one_spelling() {
        let ada = Some(Observable::Account("ada@contoso.com".into()));
        for text in [
            " Ada@contoso.com",
            "i:0#.f|membership|ada@contoso.com",
            "live.com#ada@contoso.com",
        ] {
            assert_eq!(Observable::account(text), ada, "{text}");
        }
        let evil = Some(Observable::Domain("evil.contoso.com".into()));
        assert_eq!(Observable::domain("Evil.Contoso.com."), evil);
        let address = "192.0.2.7".parse().expect("an address");
        assert_eq!(
            Observable::domain("192.0.2.7"),
            Some(Observable::Address(address))
        );
        assert_eq!(Observable::domain("a b"), None);
        assert_eq!(Observable::domain(""), None);
    }
}
