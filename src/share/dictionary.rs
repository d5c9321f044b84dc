//! Who and where an archive names, word by word: what must not stay even where words may stay.
//!
//! It grows with the different names of an archive and not with its events: some hundred bytes for each user, site and file.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use regex::Regex;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::known::{self, Named, Says};
use super::shape::{PHONE, own};
use super::spelling::{self, Packed, folded};
use super::tree::{self, Member, Node, What};
use crate::catalog::audit::is_service;
use crate::fault::{Error, Result};

/// Digits of a number that may be somebody's: shorter ones are counts, years and versions.
const LONG_NUMBER: usize = 7;
/// The last digits of a telephone, which are the same with the number of its country and without.
const TAIL: usize = 8;
/// Digits of a telephone that is looked for elsewhere. Shorter ones are those of rooms.
const SHORTEST_PHONE: usize = 6;
/// Bytes in base64 that name somebody: what only looks like it gives some by chance.
const LEAST_PACKED: usize = 5;
/// Smaller numbers are no addresses.
pub(super) const LEAST_ADDRESS: u32 = 1 << 24;
/// Folders beside those of users.
const OF_NOBODY: [&str; 5] = ["public", "default", "all", "defaultuser0", "shared"];
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
    own(
        r"(?i)[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?:[0-9a-f]{0,4}:){2,7}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-f]{0,4})",
    )
});
static HOME: LazyLock<Regex> = LazyLock::new(|| {
    own(
        r#"(?i)(?:^|\s|\b[a-z]:)[/\\]+(?:users|home|profiles|documents and settings)[/\\]+([^/\\\s"<>|:*?]+)"#,
    )
});
static RUN: LazyLock<Regex> = LazyLock::new(|| own(r"[\p{Alphabetic}\p{M}\p{N}]+"));

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
    /// The last digits of telephones.
    telephones: HashSet<String>,
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
        if let Some(json) = tree::read(text) {
            return self.json(key, &json);
        }
        let print = xxh3_64_with_seed(text.as_bytes(), xxh3_64_with_seed(key.as_bytes(), 0));
        if self.seen.len() >= SEEN {
            self.seen.clear();
        }
        if !self.seen.insert(print) {
            return;
        }
        let is_letter = |c: char| c.is_alphanumeric() || " .@_-'\\/:{}[]\",".contains(c);
        if let Some(packed) = Packed::of(text)
            && packed.inner.len() >= LEAST_PACKED
            && packed.inner.chars().all(is_letter)
        {
            self.text(key, &packed.inner);
        }
        let plain = spelling::plain(text);
        self.names(key, &plain);
        if let Some(other) = spelling::quoted_printable(&plain) {
            self.names(key, &other);
        }
    }

    fn json(&mut self, key: &str, json: &Node<'_>) {
        match &json.what {
            What::Text(text) => self.text(key, text),
            What::Number(number) => {
                let (_, digits, _) = parts_of_number(number);
                self.address_in(key, digits);
                if known::is_telephone(key) {
                    self.telephone(digits);
                }
                if known::named(key).is_some() {
                    self.number(digits);
                }
            }
            What::List(items) => items.iter().for_each(|item| self.json(key, item)),
            What::Object(members) => self.object(members),
            What::Word => {}
        }
    }

    fn object(&mut self, members: &[Member<'_>]) {
        let pair = Pair::of(members);
        // An object with the address of somebody is somebody, and so are its name and id.
        let is_somebody = members.iter().any(|member| {
            let key = member.key.to_lowercase();
            let says_who =
                ["userprincipalname", "mail", "upn", "emailaddress"].contains(&key.as_str());
            says_who && matches!(&member.value.what, What::Text(text) if text.contains('@'))
        });
        for member in members {
            let plain = known::plain(&member.key);
            let value = &member.value;
            match (&pair, plain.as_str()) {
                (Some(pair), key) if pair.values.contains(&key) => self.json(&pair.name, value),
                (_, "displayname" | "name") if is_somebody => self.json("userdisplayname", value),
                (_, "id") if is_somebody => self.json("userid", value),
                (_, key) => self.json(key, value),
            }
        }
    }

    /// An address that is written as one number.
    fn address_in(&mut self, key: &str, digits: &str) {
        if known::holds_addresses(key)
            && let Ok(bits) = digits.parse::<u32>()
            && bits >= LEAST_ADDRESS
        {
            self.addresses.insert(Ipv4Addr::from_bits(bits).into());
        }
    }

    /// What a text names by its shape, and by its key.
    fn names(&mut self, key: &str, text: &str) {
        self.address_in(key, text.trim());
        if known::is_telephone(key) && !has_id(text) {
            let all = PHONE.find_iter(text).map(|found| digits_of(found.as_str()));
            all.for_each(|digits| self.telephone(&digits));
            self.telephone(&digits_of(text));
        }
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
                    let address = address.as_str().parse::<IpAddr>();
                    // `::ffff:192.0.2.7` stands by itself elsewhere.
                    let both = address.map(|address| [address, address.to_canonical()]);
                    self.addresses.extend(both.into_iter().flatten());
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
        if !text.contains("://") {
            for home in HOME.captures_iter(text) {
                self.owner(&home[1]);
            }
        }
        if let Some(named) = known::named(key) {
            self.by_key(named, text);
        } else if text.contains('\\') {
            self.path(text);
        }
    }

    fn by_key(&mut self, named: Named, text: &str) {
        // A sign-in has the application that was signed in to as its object.
        if named != Named::Thing {
            let ids = GUID.find_iter(text).map(|id| id.as_str().to_lowercase());
            self.ids.extend(ids);
        }
        match named {
            Named::Thing => self.path(text),
            Named::Place if text.contains('.') => self.domain(text),
            _ if text.len() > LONGEST_NAME => {}
            Named::Place => {
                let text = GUID.replace_all(text, " ");
                self.runs(&text, |all| &mut all.places);
            }
            // A distinguished name: `/o=…/cn=Recipients/cn=…`.
            Named::Person if text.to_ascii_lowercase().contains("cn=") => {
                self.runs(text, |all| &mut all.people);
            }
            Named::Person if text.to_ascii_lowercase().contains("#ext#") && !text.contains('@') => {
                self.local(text);
            }
            Named::Person if text.contains("://") => {}
            Named::Person => {
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
        let words = RUN.find_iter(whole).map(|run| folded(run.as_str()));
        let words: Vec<String> = words.collect();
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
                self.called(word);
            }
        }
        let squashed = words.concat();
        let is_number = squashed.bytes().all(|b| b.is_ascii_digit());
        if words.len() > 1 && squashed.chars().count() > 3 && !is_number {
            self.called(&squashed);
            self.shortened(&words, is_own);
        }
    }

    /// A person is called so, also by those who have letters of ASCII only.
    fn called(&mut self, word: &str) {
        self.people.extend(spelling::others(word));
        self.people.insert(word.to_string());
    }

    /// `fberg`, `frankb`, `bergfrank`: what two names become in an alias.
    fn shortened(&mut self, words: &[String], is_own: impl Fn(&String) -> bool) {
        /// Letters of a name; shorter ones give words of everybody.
        const LEAST: usize = 4;
        let [first, last] = words else { return };
        let is_name = |word: &String| word.chars().count() >= LEAST && is_own(word);
        if !is_name(first) || !is_name(last) {
            return;
        }
        self.called(&format!("{last}{first}"));
        for (one, other) in [(first, last), (last, first)] {
            let initial: String = one.chars().take(1).collect();
            self.called(&format!("{initial}{other}"));
            self.called(&format!("{other}{initial}"));
        }
    }

    fn telephone(&mut self, digits: &str) {
        self.number(digits);
        if digits.len() >= SHORTEST_PHONE {
            self.telephones.insert(tail(digits).to_string());
        }
    }

    fn number(&mut self, digits: &str) {
        if digits.len() >= LONG_NUMBER && digits.bytes().all(|b| b.is_ascii_digit()) {
            self.numbers.insert(digits.to_string());
        }
    }

    /// Words of a host that are not those of everybody.
    fn domain(&mut self, host: &str) {
        let host = folded(host.trim_matches(['.', ' ']));
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
            let word = folded(word.as_str());
            let is_nobody = known::is_word(&word) || OF_NOBODY.contains(&word.as_str());
            if word.chars().count() > 1 && !is_nobody {
                self.called(&word);
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
            let lower = folded(run);
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

    /// Whether a number ends as a telephone does.
    pub(super) fn is_telephone(&self, digits: &str) -> bool {
        digits.len() >= SHORTEST_PHONE
            && digits.bytes().all(|b| b.is_ascii_digit())
            && self.telephones.contains(tail(digits))
    }

    /// Whether numbers are somebody's at all.
    pub(super) fn has_numbers(&self) -> bool {
        let all = [
            self.numbers.len(),
            self.telephones.len(),
            self.addresses.len(),
        ];
        all.iter().any(|len| *len > 0)
    }

    /// Whether an address is one of the archive, or has one of it inside.
    pub(super) fn is_address(&self, address: &IpAddr) -> bool {
        let inner = match address {
            IpAddr::V6(v6) => inside(v6).map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        self.addresses.contains(address)
            || inner.is_some_and(|inner| self.addresses.contains(&inner))
    }
}

/// The IPv4 address in one of IPv6: `::ffff:192.0.2.7`, `::192.0.2.7`, `64:ff9b::192.0.2.7` and `2002:c000:207::`.
fn inside(address: &Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let bits = match (a, b, c, d, e, f) {
        (0x2002, ..) => [b, c],
        (0x64, 0xff9b, 0, 0, 0, 0) | (0, 0, 0, 0, 0, 0 | 0xffff) => [g, h],
        _ => return None,
    };
    let bits = (u32::from(bits[0]) << 16) | u32::from(bits[1]);
    (bits >= LEAST_ADDRESS).then(|| Ipv4Addr::from_bits(bits))
}

/// The last digits of a telephone, or all.
pub(super) fn tail(digits: &str) -> &str {
    &digits[digits.len().saturating_sub(TAIL)..]
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The sign of a number of JSON, its digits, and a fraction that is none: `491701234567.0` is the same number.
pub(super) fn parts_of_number(number: &str) -> (&str, &str, &str) {
    let (sign, bare) = match number.strip_prefix('-') {
        Some(bare) => ("-", bare),
        None => ("", number),
    };
    match bare.strip_suffix(".0") {
        Some(digits) => (sign, digits, ".0"),
        None => (sign, bare, ""),
    }
}

/// Whether an id of an object is in a text.
pub(super) fn has_id(text: &str) -> bool {
    GUID.is_match(text)
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
    pub(super) fn of(members: &[Member<'_>]) -> Option<Pair> {
        const VALUES: &[&str] = &["value", "newvalue", "oldvalue"];
        let keys = || members.iter().map(|member| member.key.to_lowercase());
        if !keys().any(|key| VALUES.contains(&key.as_str())) {
            return None;
        }
        let changes = keys().any(|key| key == "newvalue" || key == "oldvalue");
        let named = ["name", "key", "displayname"].into_iter().find(|named| {
            // A display name is a name of a person, but for those of changed properties.
            (*named != "displayname" || changes) && keys().any(|key| key == *named)
        })?;
        let mut names = members
            .iter()
            .filter(|member| member.key.eq_ignore_ascii_case(named));
        let name = match (names.next(), names.next()) {
            (Some(Member { value, .. }), None) => match &value.what {
                What::Text(name) if is_key(name) => name,
                _ => return None,
            },
            // Two names are none.
            _ => return None,
        };
        Some(Pair {
            name: known::plain(name),
            named,
            values: VALUES,
        })
    }
}

/// Whether a text is written as names of fields are. Ids and addresses are none.
pub(super) fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && !GUID.is_match(text)
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
