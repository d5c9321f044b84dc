//! Tokens that stand for what names somebody: the same key and the same thing give the same token, in every table and on every day.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use regex::{Captures, Regex};
use sha2::Sha256;

use crate::fault::{Error, Result};

/// Fewer bytes can be guessed.
const LEAST_KEY: usize = 16;
/// Bytes of a token of a word: 40 bits, so that two of a million words hardly ever share one.
const WORD_BYTES: usize = 5;
/// Numbers inside of text that are no longer are years, days, versions and counts, and stay.
const SHORT_NUMBER: usize = 4;

/// What can be told apart in a text: an id, an address, or a run of letters and digits.
const PIECES: &str = r"(?i)(?P<guid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})|(?P<v4>[0-9]{1,3}(?:\.[0-9]{1,3}){3})|(?P<v6>(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4})|(?P<word>[\p{L}\p{M}\p{N}]+)";
const WORDS: &str = r"[\p{L}\p{M}\p{N}]+";

/// Words of the services, of paths and of file names that name nobody.
const KEPT: [&str; 62] = [
    "http",
    "https",
    "www",
    "com",
    "net",
    "org",
    "edu",
    "gov",
    "onmicrosoft",
    "microsoft",
    "microsoftonline",
    "sharepoint",
    "outlook",
    "office",
    "office365",
    "live",
    "my",
    "sites",
    "personal",
    "shared",
    "documents",
    "forms",
    "true",
    "false",
    "null",
    "none",
    "am",
    "pm",
    "utc",
    "o",
    "ou",
    "cn",
    "exchangelabs",
    "exchange",
    "administrative",
    "group",
    "recipients",
    "users",
    "nt",
    "authority",
    "system",
    "docx",
    "docm",
    "doc",
    "xlsx",
    "xlsm",
    "xls",
    "pptx",
    "ppt",
    "pdf",
    "txt",
    "csv",
    "json",
    "zip",
    "msg",
    "eml",
    "exe",
    "ps1",
    "png",
    "jpg",
    "mailto",
    "file",
];

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A part of a name, of a mailbox, of a site or of a file.
    Word,
    /// A long number, such as that of a telephone.
    Number,
    /// The id of a user, of an object or of a tenant.
    Id,
    /// An IP address.
    Address,
}

impl Kind {
    /// The word for it in lists.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Word => "word",
            Kind::Number => "number",
            Kind::Id => "id",
            Kind::Address => "address",
        }
    }
}

/// A key, and what it replaced.
pub struct Pseudonyms {
    key: Hmac<Sha256>,
    pieces: Regex,
    words: Regex,
    counts: BTreeMap<Kind, u64>,
    /// Token, kind and original, where somebody asked for them.
    mapping: Option<BTreeMap<(String, Kind), String>>,
}

impl Pseudonyms {
    /// Tokens by this key; with `mapping` what each stands for is kept in memory.
    ///
    /// # Errors
    /// When the key has fewer than 16 bytes.
    pub fn new(key: &[u8], mapping: bool) -> Result<Self> {
        let key = key.trim_ascii();
        if key.len() < LEAST_KEY {
            return Err(Error::Usage(format!(
                "the key has {} bytes, and at least {LEAST_KEY} are needed; `coldtrail export --new-key FILE` makes one",
                key.len()
            )));
        }
        let regex = |text: &str| Regex::new(text).map_err(|e| Error::Query(e.to_string()));
        Ok(Pseudonyms {
            key: Hmac::<Sha256>::new_from_slice(key)
                .map_err(|e| Error::Usage(format!("the key cannot be used: {e}")))?,
            pieces: regex(PIECES)?,
            words: regex(WORDS)?,
            counts: BTreeMap::new(),
            mapping: mapping.then(BTreeMap::new),
        })
    }

    /// How often each kind was replaced.
    pub fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.counts
    }

    /// Token, kind and original of all that was replaced, by token; nothing where nobody asked for it.
    pub fn mapping(&self) -> impl Iterator<Item = (&str, Kind, &str)> {
        let all = self.mapping.iter().flatten();
        all.map(|((token, kind), original)| (token.as_str(), *kind, original.as_str()))
    }

    /// The text with all that may name somebody replaced. What stands between stays, so an address of mail, a path and a name keep their shape.
    pub fn text(&mut self, text: &str) -> String {
        if text.contains('%')
            && let Ok(plain) = percent_decode_str(text).decode_utf8()
            && plain != text
        {
            // What is escaped inside of an address is the same name as elsewhere.
            return self.pieces_of(&plain).replace(' ', "%20");
        }
        self.pieces_of(text)
    }

    fn pieces_of(&mut self, text: &str) -> String {
        let pieces = self.pieces.clone();
        let replaced = pieces.replace_all(text, |found: &Captures<'_>| {
            let piece = &found[0];
            if found.name("guid").is_some() {
                return self.guid(piece);
            }
            match piece.parse::<IpAddr>() {
                Ok(address) => self.address(piece, address),
                Err(_) => self.words_of(piece),
            }
        });
        replaced.into_owned()
    }

    fn words_of(&mut self, text: &str) -> String {
        let words = self.words.clone();
        let replaced = words.replace_all(text, |found: &Captures<'_>| self.word(&found[0]));
        replaced.into_owned()
    }

    fn word(&mut self, word: &str) -> String {
        if word.bytes().all(|b| b.is_ascii_digit()) {
            if word.len() <= SHORT_NUMBER {
                return word.to_string();
            }
            let bytes = self.hash("number", word.as_bytes());
            let digits = bytes.iter().cycle().take(word.len());
            let token: String = digits.map(|b| char::from(b'0' + b % 10)).collect();
            return self.noted(Kind::Number, word, token);
        }
        let lower = word.to_lowercase();
        if KEPT.contains(&lower.as_str()) {
            return word.to_string();
        }
        let bytes = self.hash("word", lower.as_bytes());
        let token = format!("w{}", hex::encode(&bytes[..WORD_BYTES]));
        self.noted(Kind::Word, &lower, token)
    }

    fn guid(&mut self, guid: &str) -> String {
        let lower = guid.to_ascii_lowercase();
        if lower.starts_with("00000000-0000-0000") {
            // Nobody, and the applications of Microsoft itself.
            return guid.to_string();
        }
        let hex = hex::encode(self.hash("guid", lower.as_bytes()));
        let token = format!(
            "{}-{}-4{}-8{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..15],
            &hex[15..18],
            &hex[18..30]
        );
        self.noted(Kind::Id, &lower, token)
    }

    fn address(&mut self, text: &str, address: IpAddr) -> String {
        let token = match address {
            IpAddr::V4(v4) => match self.v4(v4) {
                Some(token) => token.to_string(),
                None => return text.to_string(),
            },
            IpAddr::V6(v6) if v6.is_loopback() || v6.is_unspecified() => return text.to_string(),
            IpAddr::V6(v6) => self.v6(v6).to_string(),
        };
        self.noted(Kind::Address, text, token)
    }

    /// Addresses of one network stay of one network, private ones private and public ones public; nothing for those that are nobody's.
    fn v4(&self, address: Ipv4Addr) -> Option<Ipv4Addr> {
        let special = |a: Ipv4Addr| {
            a.is_loopback() || a.is_unspecified() || a.is_broadcast() || a.is_link_local()
        };
        if special(address) {
            return None;
        }
        let kept = match address.octets() {
            [10, ..] => 8,
            [172, b, ..] if (16..32).contains(&b) => 12,
            [192, 168, ..] => 16,
            _ => 0,
        };
        let bits = |a: Ipv4Addr| (u128::from(a.to_bits()) << 96, 32);
        let step = |a: Ipv4Addr| {
            let (all, long) = bits(a);
            let mixed = self.prefixes(all, kept, long) >> 96;
            u32::try_from(mixed).map_or(a, Ipv4Addr::from_bits)
        };
        let mut token = step(address);
        // A step is one to one: walking on until it is public again is so, too.
        while special(token) || (kept == 0 && token.is_private()) {
            token = step(token);
        }
        Some(token)
    }

    fn v6(&self, address: Ipv6Addr) -> Ipv6Addr {
        if let Some(v4) = address.to_ipv4_mapped() {
            return self.v4(v4).unwrap_or(v4).to_ipv6_mapped();
        }
        let kept = match address.segments()[0] {
            0xfc00..=0xfdff => 8,
            0xfe80..=0xfebf => 64,
            _ => 3,
        };
        Ipv6Addr::from_bits(self.prefixes(address.to_bits(), kept, 128))
    }

    /// Flips each bit behind the kept ones as the bits before it say: equal beginnings have equal beginnings.
    fn prefixes(&self, bits: u128, kept: u32, long: u32) -> u128 {
        let mut mixed = bits;
        for at in kept..long {
            let before = match at {
                0 => 0,
                at => bits >> (128 - at),
            };
            let mut seed = before.to_be_bytes().to_vec();
            seed.extend([u8::try_from(at).unwrap_or(u8::MAX), u8::from(long == 32)]);
            mixed ^= u128::from(self.hash("address", &seed)[0] & 1) << (127 - at);
        }
        mixed
    }

    fn hash(&self, kind: &str, text: &[u8]) -> [u8; 32] {
        let mut mac = self.key.clone();
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    fn noted(&mut self, kind: Kind, original: &str, token: String) -> String {
        *self.counts.entry(kind).or_default() += 1;
        if let Some(mapping) = &mut self.mapping {
            mapping
                .entry((token.clone(), kind))
                .or_insert_with(|| original.to_string());
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_has_one_token_wherever_it_stands() {
        let mut names = Pseudonyms::new(b"0123456789abcdef", false).expect("a key");
        let mail = names.text("Anna.Berg@contoso.com");
        let personal =
            names.text("https://contoso-my.sharepoint.com/personal/anna_berg_contoso_com");
        let (local, domain) = mail.split_once('@').expect("an address");
        assert!(domain.ends_with(".com"), "{mail}");
        assert!(personal.contains(&local.replace('.', "_")), "{personal}");
        assert_eq!(
            names.text("anna%20berg"),
            names.text("Anna Berg").replace(' ', "%20")
        );
        let mut other = Pseudonyms::new(b"fedcba9876543210", false).expect("a key");
        assert_ne!(other.text("Anna.Berg@contoso.com"), mail);
        assert!(Pseudonyms::new(b"short", false).is_err());
    }

    #[test]
    fn addresses_keep_their_networks() {
        let mut names = Pseudonyms::new(b"0123456789abcdef", false).expect("a key");
        let (a, b) = (names.text("192.168.7.1"), names.text("192.168.7.2"));
        assert!(a.starts_with("192.168.") && a != "192.168.7.1" || b != "192.168.7.2");
        assert_eq!(
            a.rsplit_once('.').map(|p| p.0),
            b.rsplit_once('.').map(|p| p.0)
        );
        assert_ne!(a, b);
        let public: Ipv4Addr = names.text("192.0.2.7").parse().expect("an address");
        assert!(!public.is_private());
        assert!(names.text("2001:db8::7").parse::<Ipv6Addr>().is_ok());
        assert_eq!(names.text("127.0.0.1"), "127.0.0.1");
    }
}
