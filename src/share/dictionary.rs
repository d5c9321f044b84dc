//! Who and where an archive names, word by word: what must not stay even where words may stay.
//!
//! It grows with the different names of an archive and not with its events: some hundred bytes for each user, site and file.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use percent_encoding::percent_decode_str;
use regex::Regex;
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::known::{self, Named, Says};
use crate::catalog::audit::is_service;
use crate::fault::{Error, Result};

/// Digits of a number that may be somebody's: shorter ones are counts, years and versions.
const LONG_NUMBER: usize = 7;
/// Values that were looked at, remembered so that they are not looked at again.
const SEEN: usize = 1 << 20;
/// A word of a longer text is no name of a person.
const LONGEST_NAME: usize = 256;

static MAIL: LazyLock<Regex> =
    LazyLock::new(|| own(r#"([^\s"'<>()\[\],;:/\\|=@]+)@([\p{L}\p{N}.-]+)"#));
static URL: LazyLock<Regex> = LazyLock::new(|| own(r#"(?i)[a-z]+://([^/\s:"?#]+)([^\s"?#]*)"#));
static GUID: LazyLock<Regex> =
    LazyLock::new(|| own(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"));
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    own(r"(?i)[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}")
});
static RUN: LazyLock<Regex> = LazyLock::new(|| own(r"[\p{L}\p{M}\p{N}]+"));

fn own(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is written here")
}

/// Domains of Microsoft whose first part names the tenant.
const OF_TENANTS: [&str; 4] = [
    ".sharepoint.com",
    ".mail.onmicrosoft.com",
    ".onmicrosoft.com",
    ".b2clogin.com",
];
/// Other domains of everybody.
const OF_ALL: [&str; 14] = [
    "microsoft.com",
    "microsoftonline.com",
    "office.com",
    "office365.com",
    "office.net",
    "outlook.com",
    "live.com",
    "hotmail.com",
    "gmail.com",
    "windows.net",
    "windows.com",
    "azure.com",
    "sharepoint.com",
    "onmicrosoft.com",
];

/// What is named, in small letters.
#[derive(Debug, Default)]
pub struct Dictionary {
    people: HashSet<String>,
    places: HashSet<String>,
    things: HashSet<String>,
    /// Ids of users, objects and tenants.
    ids: HashSet<String>,
    /// Ids of labels and applications, which stay.
    kept: HashSet<String>,
    numbers: HashSet<String>,
    addresses: HashSet<IpAddr>,
    seen: HashSet<u64>,
}

/// Where a name of a person stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// Before the `@` of an address.
    Address,
    /// By itself.
    Name,
}

/// How many names there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Words by which people and mailboxes are called.
    pub people: usize,
    /// Words of tenants, hosts and devices.
    pub places: usize,
    /// Words of sites and files.
    pub things: usize,
    /// Ids of users, objects and tenants.
    pub ids: usize,
    /// IP addresses.
    pub addresses: usize,
}

impl Dictionary {
    /// Nothing is named yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many names there are.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            people: self.people.len(),
            places: self.places.len(),
            things: self.things.len(),
            ids: self.ids.len(),
            addresses: self.addresses.len(),
        }
    }

    /// Collects who and where these rows name.
    ///
    /// # Errors
    /// When a column of text cannot be read.
    pub fn learn(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            if !matches!(
                field.data_type(),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            ) {
                continue;
            }
            let plain = cast(array, &DataType::Utf8)?;
            let texts = plain
                .as_any()
                .downcast_ref::<StringArray>()
                .ok_or_else(|| Error::Query(format!("column `{}` is no text", field.name())))?;
            let key = known::plain(field.name());
            for text in texts.iter().flatten() {
                self.text(&key, text);
            }
        }
        Ok(())
    }

    fn text(&mut self, key: &str, text: &str) {
        if text.starts_with(['{', '['])
            && let Ok(json) = serde_json::from_str::<Value>(text)
        {
            return self.json(key, &json);
        }
        let print = xxh3_64_with_seed(text.as_bytes(), xxh3_64_with_seed(key.as_bytes(), 0));
        if self.seen.len() >= SEEN {
            self.seen.clear();
        }
        if !self.seen.insert(print) {
            return;
        }
        match text.contains('%') {
            true => {
                let plain = percent_decode_str(text).decode_utf8_lossy();
                self.names(key, &plain);
            }
            false => self.names(key, text),
        }
    }

    fn json(&mut self, key: &str, json: &Value) {
        match json {
            Value::String(text) => self.text(key, text),
            Value::Number(number) => {
                let text = number.to_string();
                if known::named(key).is_some() {
                    self.number(&text);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.json(key, item)),
            Value::Object(object) => self.object(object),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn object(&mut self, object: &Map<String, Value>) {
        let pair = Pair::of(object);
        // An object with the address of somebody is somebody, and so are its name and id.
        let is_somebody = object.iter().any(|(key, value)| {
            let key = key.to_lowercase();
            let says_who =
                ["userprincipalname", "mail", "upn", "emailaddress"].contains(&key.as_str());
            says_who && value.as_str().is_some_and(|text| text.contains('@'))
        });
        for (key, value) in object {
            let plain = known::plain(key);
            match (&pair, plain.as_str()) {
                (Some(pair), key) if pair.values.contains(&key) => self.json(&pair.name, value),
                (_, "displayname" | "name") if is_somebody => self.json("userdisplayname", value),
                (_, "id") if is_somebody => self.json("userid", value),
                (_, key) => self.json(key, value),
            }
        }
    }

    /// What a text names by its shape, and by its key.
    fn names(&mut self, key: &str, text: &str) {
        match known::says(key) {
            Some(Says::Label | Says::How) => {
                let ids = GUID.find_iter(text).map(|id| id.as_str().to_lowercase());
                self.kept.extend(ids);
                // Versions look like addresses: what stands here is looked for and not learned, but for whole addresses of mail.
                if !text.contains('@') {
                    return;
                }
            }
            Some(Says::What | Says::Record) if !text.contains(['@', '\\']) => return,
            _ => {
                for address in ADDRESS.find_iter(text) {
                    self.addresses.extend(address.as_str().parse::<IpAddr>());
                }
            }
        }
        if is_service(None, text) {
            return;
        }
        let mails = MAIL.captures_iter(text);
        for mail in mails.filter(|mail| !is_service(None, &mail[0])) {
            self.local(&mail[1]);
            self.domain(&mail[2]);
        }
        for url in URL.captures_iter(text) {
            self.domain(&url[1]);
            self.path(&url[2]);
        }
        if let Some(named) = known::named(key) {
            self.by_key(key, named, text);
        } else if text.contains('\\') {
            self.path(text);
        }
    }

    fn by_key(&mut self, key: &str, named: Named, text: &str) {
        let ids = GUID.find_iter(text).map(|id| id.as_str().to_lowercase());
        self.ids.extend(ids);
        match named {
            Named::Thing => self.path(text),
            Named::Place if text.contains('.') => self.domain(text),
            _ if text.len() > LONGEST_NAME => {}
            Named::Place => {
                let text = GUID.replace_all(text, " ");
                self.runs(&text, |all| &mut all.places);
            }
            // A distinguished name: `/o=…/cn=Recipients/cn=…`.
            Named::Person if text.contains("cn=") => self.runs(text, |all| &mut all.people),
            Named::Person if text.contains("://") => {}
            Named::Person => {
                if key.contains("phone") || key.contains("mobile") {
                    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                    self.number(&digits);
                }
                let text = GUID.replace_all(text, " ");
                let text = ADDRESS.replace_all(&text, " ");
                // Addresses of mail were taken apart by their shape.
                if !text.contains('@') {
                    self.person(&text, Stands::Name);
                }
            }
        }
    }

    /// The part of an address before `@`; that of a guest has his own address inside.
    fn local(&mut self, local: &str) {
        let lower = local.to_lowercase();
        match lower.split_once("#ext#") {
            Some((guest, _)) => match guest.rsplit_once('_') {
                Some((local, domain)) => {
                    self.person(local, Stands::Address);
                    self.domain(domain);
                }
                None => self.person(guest, Stands::Address),
            },
            None => self.person(&lower, Stands::Address),
        }
    }

    /// Words by which a person is called. A word of the services counts where it is a whole local part (`zip@…`), or where another word beside it
    /// is somebody's own: the services act like people, too.
    fn person(&mut self, name: &str, from: Stands) {
        let whole = name.trim();
        let words: Vec<String> = RUN
            .find_iter(whole)
            .map(|run| run.as_str().to_lowercase())
            .collect();
        let is_service = words.len() > 1 && known::is_service(&words[0]);
        if is_service && from == Stands::Name {
            return;
        }
        let is_own = |word: &String| {
            let is_number = word.bytes().all(|b| b.is_ascii_digit());
            !is_number && !known::is_word(word) && !known::is_generic(word)
        };
        let is_whole = words.len() == 1 && from == Stands::Address;
        let counts = is_whole || words.iter().any(is_own);
        for word in &words {
            if word.bytes().all(|b| b.is_ascii_digit()) {
                self.number(word);
                if word == whole && word.len() > 1 {
                    self.people.insert(word.clone());
                }
            } else if word.chars().count() > 1 && (counts || !known::is_word(word)) {
                self.people.insert(word.clone());
            }
        }
        let squashed = words.concat();
        let is_number = squashed.bytes().all(|b| b.is_ascii_digit());
        if words.len() > 1 && squashed.chars().count() > 3 && !is_number {
            self.people.insert(squashed);
        }
    }

    fn number(&mut self, digits: &str) {
        if digits.len() >= LONG_NUMBER && digits.bytes().all(|b| b.is_ascii_digit()) {
            self.numbers.insert(digits.to_string());
        }
    }

    /// Words of a host that are not those of everybody.
    fn domain(&mut self, host: &str) {
        let host = host.trim_matches(['.', ' ']).to_lowercase();
        if host.parse::<IpAddr>().is_ok() {
            return;
        }
        let tenant = OF_TENANTS.iter().find_map(|end| host.strip_suffix(end));
        if tenant.is_none() && OF_ALL.iter().any(|all| is_below(&host, all)) {
            return;
        }
        let own = match tenant {
            Some(tenant) => tenant,
            None => host.rsplit_once('.').map_or(host.as_str(), |(own, _)| own),
        };
        for label in own.split('.') {
            let parts: Vec<&str> = label.split(['-', '_']).collect();
            for part in &parts {
                let is_own = !known::is_word(part) && !known::is_generic(part);
                // A label that is one word is the name itself, whatever it says.
                let is_whole = host.contains('.')
                    && parts.len() == 1
                    && !["www", "com", "co", "org", "net", "mail", "login", "my"].contains(part);
                if part.chars().count() > 1 && (is_own || is_whole) {
                    self.places.insert((*part).to_string());
                }
            }
        }
    }

    /// Words of sites, folders and files; the owner of a personal site or folder is a person.
    fn path(&mut self, path: &str) {
        let mut before = "";
        for segment in path.split(['/', '\\']) {
            match before.to_lowercase().as_str() {
                "personal" | "users" => self.owner(segment),
                _ => self.runs(segment, |all| &mut all.things),
            }
            before = segment;
        }
    }

    /// `anna_berg_contoso_com`: who, and where.
    fn owner(&mut self, segment: &str) {
        for word in RUN.find_iter(segment) {
            let word = word.as_str().to_lowercase();
            if word.chars().count() > 1 && !known::is_word(&word) {
                self.people.insert(word);
            }
        }
    }

    /// Words that are no words of everybody.
    fn runs(&mut self, text: &str, set: impl Fn(&mut Self) -> &mut HashSet<String>) {
        for run in RUN.find_iter(text) {
            let run = run.as_str();
            if run.bytes().all(|b| b.is_ascii_digit()) {
                self.number(run);
                continue;
            }
            let lower = run.to_lowercase();
            let is_own = !known::is_word(&lower) && !known::is_generic(&lower);
            if is_own && lower.chars().count() > 1 {
                set(&mut *self).insert(lower);
            }
        }
    }

    /// Whether a person is called so; the word in small letters.
    pub(super) fn is_person(&self, word: &str) -> bool {
        self.people.contains(word)
    }

    /// Whether a tenant, a host or a device is called so.
    pub(super) fn is_place(&self, word: &str) -> bool {
        self.places.contains(word)
    }

    /// Whether a site or a file is called so.
    pub(super) fn is_thing(&self, word: &str) -> bool {
        self.things.contains(word)
    }

    /// Whether an id is one of a user, an object or a tenant.
    pub(super) fn is_id(&self, guid: &str) -> bool {
        self.ids.contains(guid)
    }

    /// Whether an id is one of a label or an application, and nobody's.
    pub(super) fn is_kept_id(&self, guid: &str) -> bool {
        self.kept.contains(guid) && !self.ids.contains(guid)
    }

    /// Whether a number is somebody's.
    pub(super) fn is_number(&self, digits: &str) -> bool {
        self.numbers.contains(digits)
    }

    /// Whether numbers are somebody's at all.
    pub(super) fn has_numbers(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// Whether an address is one of the archive.
    pub(super) fn is_address(&self, address: &IpAddr) -> bool {
        self.addresses.contains(address)
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host == domain
        || host
            .strip_suffix(domain)
            .is_some_and(|own| own.ends_with('.'))
}

/// `{"Name": "ClientIP", "Value": "…"}`: the name is the key of the values.
pub(super) struct Pair {
    /// The name as a plain key.
    pub(super) name: String,
    /// The key that has the name.
    pub(super) named: &'static str,
    /// The keys that have values.
    pub(super) values: &'static [&'static str],
}

impl Pair {
    /// The pair that an object is.
    pub(super) fn of(object: &Map<String, Value>) -> Option<Pair> {
        const VALUES: &[&str] = &["value", "newvalue", "oldvalue"];
        let keys = || object.keys().map(|key| key.to_lowercase());
        if !keys().any(|key| VALUES.contains(&key.as_str())) {
            return None;
        }
        let changes = keys().any(|key| key == "newvalue" || key == "oldvalue");
        let named = ["name", "key", "displayname"].into_iter().find(|named| {
            // A display name is a name of a person, but for those of changed properties.
            (*named != "displayname" || changes) && keys().any(|key| key == *named)
        })?;
        let (_, name) = object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(named))?;
        let name = name.as_str().filter(|name| is_key(name))?;
        Some(Pair {
            name: known::plain(name),
            named,
            values: VALUES,
        })
    }
}

/// Whether a text is written as names of fields are.
pub(super) fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_and_where_is_learned_by_key_and_by_shape() {
        let mut all = Dictionary::new();
        all.text(
            "auditdata",
            r#"{"UserId":"Anna.Berg@contoso.com","ObjectId":"https://fabrikam.sharepoint.com/sites/Finance/Merger%20Plan.docx","UserAgent":"Chrome/120.0.0.0","ClientIP":"192.0.2.7","Odd":"zip@zip.com","Operation":"FileAccessed","P":[{"Name":"AppId","Value":"00000003-0000-0000-c000-000000000001"}]}"#,
        );
        for word in ["anna", "berg", "zip", "annaberg"] {
            assert!(all.is_person(word), "{word}");
        }
        for word in ["contoso", "fabrikam", "zip"] {
            assert!(all.is_place(word), "{word}");
        }
        for word in ["finance", "merger", "plan"] {
            assert!(all.is_thing(word), "{word}");
        }
        assert!(!all.is_person("fileaccessed") && !all.is_place("sharepoint"));
        assert_eq!(all.sizes().addresses, 1);
        assert!(all.is_kept_id("00000003-0000-0000-c000-000000000001"));
    }
}
