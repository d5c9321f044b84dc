//! Tokens that stand for what names somebody: the same key and the same thing give the same token, in every table and on every day.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::dictionary::Dictionary;
use super::{known, shape, spelling};
use crate::fault::{Error, Result};

/// Fewer bytes can be guessed.
const LEAST_KEY: usize = 16;
/// What the key is for: the same bytes give other tokens elsewhere.
const CONTEXT: &str = "coldtrail export pseudonyms v1";
/// Bytes of a token of a word: 40 bits, so that two of a million words hardly ever share one.
const WORD_BYTES: usize = 5;
/// Numbers inside of text that are no longer are years, days, versions and counts, and stay unless somebody is called so.
const SHORT_NUMBER: usize = 4;
/// Parts of names of hosts that are no longer are `sts` and `mx`, which other words have as parts, too.
const SHORT_PLACE: usize = 3;
/// Letters of tokens of words. Without vowels, no name comes about by chance.
const LETTERS: &[u8; 16] = b"bcdfghjkmnpqrstv";
/// Tokens that are remembered.
const CACHED: usize = 1 << 20;

/// What can be told apart in a text: an id, a network card, an address, or a run of letters and digits. Numbers are taken whole.
const PIECES: &str = r"(?i)(?P<guid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})|(?P<card>[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})|(?P<v6>(?:[0-9a-f]{0,4}:){2,9}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-f]{0,4}))|(?P<v4>[0-9]+(?:\.[0-9]+){3}|[0-9]+(?:-[0-9]+){3}|[0-9]+(?:_[0-9]+){3})|(?P<word>[\p{Alphabetic}\p{M}\p{N}]+)";

static PIECE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(PIECES).expect("the pattern is written here"));
static RUN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[\p{Alphabetic}\p{M}\p{N}]+").expect("the pattern is written here")
});

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A word by which a person or a mailbox is called.
    Person,
    /// A word of a tenant, a host or a device.
    Organisation,
    /// A word of a site or a file.
    Thing,
    /// Any other word of free text.
    Word,
    /// A long number, such as that of a telephone.
    Number,
    /// The id of a user, of an object or of a tenant.
    Id,
    /// An IP address, or the number of a network card.
    Address,
}

/// How many kinds there are.
pub(super) const KINDS: usize = 7;

impl Kind {
    /// All of them, in order.
    pub const ALL: [Kind; KINDS] = [
        Kind::Person,
        Kind::Organisation,
        Kind::Thing,
        Kind::Word,
        Kind::Number,
        Kind::Id,
        Kind::Address,
    ];

    /// The word for it in lists.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Person => "person or mailbox",
            Kind::Organisation => "organisation, host or device",
            Kind::Thing => "site or file",
            Kind::Word => "other word",
            Kind::Number => "number",
            Kind::Id => "id",
            Kind::Address => "address",
        }
    }
}

/// How much of a text is replaced. But for `Everything`, words that many mailboxes are called by stay: `Add member to group.` names nobody where there is a
/// mailbox `group@…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// All but the words of the services.
    Everything,
    /// What the archive has as a name of anything.
    Names,
    /// What it has as a name of a person, a tenant, a host or a device.
    People,
}

/// A key, what may not stay, and what was replaced.
pub struct Pseudonyms {
    key: [u8; 32],
    named: Dictionary,
    /// Tokens of words by the words in small letters.
    tokens: HashMap<String, String>,
    addresses: HashMap<IpAddr, String>,
    /// Replaced since somebody asked, by kind.
    counts: [u64; KINDS],
    /// Token, kind and original, where somebody asked for them.
    mapping: Option<BTreeMap<(String, Kind), String>>,
}

/// The bytes of a key without the blanks and line ends around them.
///
/// # Errors
/// When there are fewer than 16.
pub fn usable(key: &[u8]) -> Result<&[u8]> {
    let key = key.trim_ascii();
    match key.len() {
        ..LEAST_KEY => Err(Error::Usage(format!(
            "the key is too short: {} of at least {LEAST_KEY} bytes; `coldtrail export --new-key FILE` makes one",
            key.len()
        ))),
        _ => Ok(key),
    }
}

impl Pseudonyms {
    /// Tokens by this key for an archive that names these; with `mapping` what each stands for is kept in memory.
    ///
    /// # Errors
    /// When the key has fewer than 16 bytes.
    pub fn new(key: &[u8], named: Dictionary, mapping: bool) -> Result<Self> {
        Ok(Pseudonyms {
            key: blake3::derive_key(CONTEXT, usable(key)?),
            named,
            tokens: HashMap::new(),
            addresses: HashMap::new(),
            counts: [0; KINDS],
            mapping: mapping.then(BTreeMap::new),
        })
    }

    /// Token, kind and original of all that was replaced, by token; nothing where nobody asked for it.
    pub fn mapping(&self) -> impl Iterator<Item = (&str, Kind, &str)> {
        let all = self.mapping.iter().flatten();
        all.map(|((token, kind), original)| (token.as_str(), *kind, original.as_str()))
    }

    /// What an archive names.
    pub(super) fn named(&self) -> &Dictionary {
        &self.named
    }

    /// How much of each kind was replaced since this was last asked.
    pub(super) fn taken(&mut self) -> [u64; KINDS] {
        std::mem::take(&mut self.counts)
    }

    /// The text with what may name somebody replaced. What stands between stays, so an address of mail, a path and a name keep their shape.
    pub(super) fn text(&mut self, text: &str, reach: Reach) -> String {
        // What is escaped is the same name as elsewhere.
        let mut plain = spelling::plain(text);
        if let Some(other) = spelling::quoted_printable(&plain)
            && self.named_in(&other) > self.named_in(&plain)
        {
            plain = Cow::Owned(other);
        }
        let replaced = self.pieces_of(&plain, reach);
        match text.contains('%') {
            _ if replaced == plain => text.to_string(),
            true if plain != text => replaced.replace(' ', "%20"),
            _ => replaced,
        }
    }

    /// How many words of a text somebody is called by.
    pub(super) fn named_in(&self, text: &str) -> usize {
        /// Letters of a word that does not stand there by chance.
        const LEAST: usize = 3;
        let plain = spelling::plain(text);
        let words = RUN.find_iter(&plain).map(|run| run.as_str());
        let words = words.filter(|word| word.chars().count() >= LEAST);
        let is_name = |word: &&str| {
            let folded = spelling::folded(word);
            self.kind_of(word, &folded, Reach::People).is_some()
        };
        words.filter(is_name).count()
    }

    fn pieces_of(&mut self, text: &str, reach: Reach) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for found in shape::PHONE.find_iter(text) {
            let before = &text[..found.start()];
            if let Some(token) = self.phone(found.as_str(), before, reach) {
                out.push_str(&self.others_of(&text[at..found.start()], reach));
                out.push_str(&token);
                at = found.end();
            }
        }
        out.push_str(&self.others_of(&text[at..], reach));
        out
    }

    /// All but telephones.
    pub(super) fn others_of(&mut self, text: &str, reach: Reach) -> String {
        let replaced = PIECE.replace_all(text, |found: &Captures<'_>| {
            let piece = &found[0];
            if found.name("guid").is_some() {
                return self.guid(piece, reach);
            }
            if found.name("word").is_some() {
                return self.word(piece, reach);
            }
            if found.name("v4").is_some() {
                return self.four(piece, reach);
            }
            if found.name("card").is_some() {
                return self.card(piece, reach);
            }
            match piece.parse::<IpAddr>() {
                Ok(address) => self.address(piece, address, reach),
                Err(_) => self.no_six(piece, reach),
            }
        });
        replaced.into_owned()
    }

    /// Four numbers, which may be an address, also in the name of a host: `host-192-0-2-7`.
    fn four(&mut self, piece: &str, reach: Reach) -> String {
        let mark = piece.chars().find(|c| !c.is_ascii_digit()).unwrap_or('.');
        let octets: Vec<u8> = piece
            .split(mark)
            .filter_map(|part| part.parse().ok())
            .collect();
        let Ok(octets) = <[u8; 4]>::try_from(octets) else {
            return self.words_of(piece, reach);
        };
        let address = IpAddr::from(octets);
        // `7.2.0.192.in-addr.arpa`
        let [a, b, c, d] = octets;
        let turned = Ipv4Addr::from([d, c, b, a]);
        if !self.named.is_address(&address)
            && self.named.is_address(&IpAddr::V4(turned))
            && let Some(token) = self.v4(turned)
        {
            let [a, b, c, d] = token.octets();
            let shown = [d, c, b, a].map(|octet| octet.to_string());
            let shown = shown.join(&mark.to_string());
            return self.noted(Kind::Address, &turned.to_string(), shown);
        }
        if mark == '.' {
            return self.address(piece, address, reach);
        }
        match reach == Reach::Everything || self.named.is_address(&address) {
            true => {
                let token = self.address(piece, address, reach);
                token.replace('.', &mark.to_string())
            }
            false => self.words_of(piece, reach),
        }
    }

    /// The number of a network card.
    fn card(&mut self, piece: &str, reach: Reach) -> String {
        if reach != Reach::Everything {
            return self.words_of(piece, reach);
        }
        let bare = piece.chars().filter(char::is_ascii_hexdigit);
        let bare: String = bare.map(|c| c.to_ascii_lowercase()).collect();
        // `0222.3344.5566` has four digits in each part.
        let (mark, long) = match piece {
            _ if piece.contains('.') => (".", 4),
            _ if piece.contains('-') => ("-", 2),
            _ => (":", 2),
        };
        let lower = in_parts(&bare, 2, ":");
        let bytes = self.hash("card", lower.as_bytes());
        let token = in_parts(&hex::encode(&bytes[..6]), long, mark);
        self.noted(Kind::Address, &lower, token)
    }

    /// Runs with `:` between them that are no address as a whole: times, network cards, or something before or behind an address.
    fn no_six(&mut self, piece: &str, reach: Reach) -> String {
        if let Some((at, address)) = shape::six(piece) {
            let before = self.words_of(&piece[..at.start], reach);
            let token = self.address(&piece[at.clone()], IpAddr::V6(address), reach);
            let behind = self.words_of(&piece[at.end..], reach);
            return format!("{before}{token}{behind}");
        }
        let bare = piece.trim_matches(':');
        if shape::is_card(bare) {
            let token = self.card(bare, reach);
            return piece.replacen(bare, &token, 1);
        }
        match piece.rsplit_once(':') {
            Some((before, last)) if last.contains('.') => {
                let before = self.words_of(before, reach);
                format!("{before}:{}", self.pieces_of(last, reach))
            }
            _ => self.words_of(piece, reach),
        }
    }

    fn words_of(&mut self, text: &str, reach: Reach) -> String {
        let replaced = RUN.replace_all(text, |found: &Captures<'_>| self.word(&found[0], reach));
        replaced.into_owned()
    }

    /// What a word is the name of, if of anything within reach.
    fn kind_of(&self, word: &str, lower: &str, reach: Reach) -> Option<Kind> {
        let whole = |lower: &str| {
            // `Microsoft Office` is the product, also where there is a mailbox `office@…`.
            if reach != Reach::Everything && known::is_generic(lower) {
                return None;
            }
            if self.named.is_person(lower) {
                return Some(Kind::Person);
            }
            if self.named.is_place(lower) {
                return Some(Kind::Organisation);
            }
            let reaches_things = matches!(reach, Reach::Everything | Reach::Names);
            let is_thing = reaches_things && self.named.is_thing(lower);
            is_thing.then_some(Kind::Thing)
        };
        if let Some(kind) = whole(lower) {
            return Some(kind);
        }
        if self.named.is_number(lower) || self.named.is_telephone(lower) {
            return Some(Kind::Number);
        }
        // `Franks file`
        let stem = lower
            .strip_suffix('s')
            .filter(|stem| stem.len() > SHORT_PLACE);
        if stem.is_some_and(|stem| !known::is_generic(stem) && self.named.is_person(stem)) {
            return Some(Kind::Person);
        }
        // `AnnaBerg`, `FileOfAnna`: people and organisations only, or `FileAccessed` would be one with a file in it.
        let parts = parts(word).filter(|part| part.chars().count() > 2);
        let mut parts = parts.map(spelling::folded);
        parts.find_map(
            |part| match known::is_generic(&part) || known::is_word(&part) {
                true => None,
                false if self.named.is_person(&part) => Some(Kind::Person),
                false if part.len() > SHORT_PLACE && self.named.is_place(&part) => {
                    Some(Kind::Organisation)
                }
                false => None,
            },
        )
    }

    fn word(&mut self, word: &str, reach: Reach) -> String {
        if let Some(token) = self.bare_guid(word, reach) {
            return token;
        }
        if let Some(token) = self.one_number(word) {
            return token;
        }
        let lower = spelling::folded(word);
        let kind = self.kind_of(word, &lower, reach);
        let is_number = word.bytes().all(|b| b.is_ascii_digit());
        let free = || match is_number {
            true => (word.len() > SHORT_NUMBER).then_some(Kind::Number),
            false => (!known::is_word(&lower)).then_some(Kind::Word),
        };
        let kind = match reach {
            Reach::Everything => kind.or_else(free),
            Reach::Names | Reach::People => kind,
        };
        match kind {
            None => word.to_string(),
            Some(_) if is_number && self.named.is_telephone(word) => self.telephone(word),
            Some(kind) if is_number => self.digits(word, kind),
            Some(kind) => {
                let token = self.token(&lower);
                self.noted(kind, &lower, token)
            }
        }
    }

    fn token(&mut self, lower: &str) -> String {
        if let Some(token) = self.tokens.get(lower) {
            return token.clone();
        }
        let bytes = self.hash("word", lower.as_bytes());
        let mut token = String::with_capacity(2 * WORD_BYTES + 1);
        token.push('x');
        for byte in &bytes[..WORD_BYTES] {
            for part in [byte >> 4, byte & 15] {
                token.push(char::from(LETTERS[usize::from(part)]));
            }
        }
        if self.tokens.len() >= CACHED {
            self.tokens.clear();
        }
        self.tokens.insert(lower.to_string(), token.clone());
        token
    }

    /// An id without its marks, if it is one of the archive.
    fn bare_guid(&mut self, word: &str, reach: Reach) -> Option<String> {
        const DIGITS: usize = 32;
        if word.len() != DIGITS || !word.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let lower = word.to_ascii_lowercase();
        let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, DIGITS)];
        let guid = parts.map(|(from, to)| &lower[from..to]).join("-");
        if !self.named.is_id(&guid) {
            return None;
        }
        Some(self.guid(&guid, reach).replace('-', ""))
    }

    fn guid(&mut self, guid: &str, reach: Reach) -> String {
        let lower = guid.to_ascii_lowercase();
        // Nobody, the applications of Microsoft itself, and what the archive has as a label or an application.
        let is_nobody = lower.bytes().all(|b| matches!(b, b'0' | b'-'));
        let stays = is_nobody
            || lower.ends_with("-0000-0000-c000-000000000000")
            || match reach {
                Reach::Everything => self.named.is_kept_id(&lower),
                Reach::Names | Reach::People => !self.named.is_id(&lower),
            };
        if stays {
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

    fn address(&mut self, text: &str, address: IpAddr, reach: Reach) -> String {
        if reach != Reach::Everything && !self.named.is_address(&address) {
            return text.to_string();
        }
        let known = self.addresses.get(&address).cloned();
        let token = known.or_else(|| match address {
            IpAddr::V4(v4) => self.v4(v4).map(|token| token.to_string()),
            IpAddr::V6(v6) if v6.is_loopback() || v6.is_unspecified() => None,
            IpAddr::V6(v6) => Some(self.v6(v6).to_string()),
        });
        let Some(token) = token else {
            return text.to_string();
        };
        if self.addresses.len() >= CACHED {
            self.addresses.clear();
        }
        self.addresses.insert(address, token.clone());
        self.noted(Kind::Address, &address.to_string(), token)
    }

    /// Addresses of one network stay of one network, private ones private and public ones public; nothing for those that are nobody's.
    pub(super) fn v4(&self, address: Ipv4Addr) -> Option<Ipv4Addr> {
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
        let step = |a: Ipv4Addr| {
            let mixed = self.prefixes(u128::from(a.to_bits()) << 96, kept, 32) >> 96;
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

    pub(super) fn hash(&self, kind: &str, text: &[u8]) -> [u8; 32] {
        let mut hash = blake3::Hasher::new_keyed(&self.key);
        hash.update(kind.as_bytes());
        hash.update(&[0]);
        hash.update(text);
        *hash.finalize().as_bytes()
    }

    pub(super) fn noted(&mut self, kind: Kind, original: &str, token: String) -> String {
        self.counts[kind as usize] += 1;
        if let Some(mapping) = &mut self.mapping {
            mapping
                .entry((token.clone(), kind))
                .or_insert_with(|| original.to_string());
        }
        token
    }
}

/// Digits of ASCII with a mark between parts that are so long.
fn in_parts(digits: &str, long: usize, mark: &str) -> String {
    let starts = (0..digits.len()).step_by(long);
    let parts = starts.filter_map(|from| digits.get(from..from + long));
    parts.collect::<Vec<_>>().join(mark)
}

/// The parts of a word that is made of several: `AnnaBerg2` is `Anna`, `Berg` and `2`.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let mut starts = vec![0];
    let mut before: Option<char> = None;
    for (at, c) in word.char_indices() {
        if let Some(before) = before {
            let rises = before.is_lowercase() && c.is_uppercase();
            let turns = before.is_numeric() != c.is_numeric();
            if rises || turns {
                starts.push(at);
            }
        }
        before = Some(c);
    }
    starts.push(word.len());
    let pairs: Vec<(usize, usize)> = starts.windows(2).map(|w| (w[0], w[1])).collect();
    pairs
        .into_iter()
        .filter_map(|(from, to)| word.get(from..to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &[u8]) -> Pseudonyms {
        Pseudonyms::new(key, Dictionary::new(), false).expect("a key")
    }

    fn all(names: &mut Pseudonyms, text: &str) -> String {
        names.text(text, Reach::Everything)
    }

    #[test]
    fn one_thing_has_one_token_wherever_it_stands() {
        let mut names = of(b"0123456789abcdef");
        let mail = all(&mut names, "Anna.Berg@contoso.com");
        let personal = all(
            &mut names,
            "https://contoso-my.sharepoint.com/personal/anna_berg_contoso_com",
        );
        let (local, domain) = mail.split_once('@').expect("an address");
        assert!(domain.ends_with(".com"), "{mail}");
        assert!(personal.contains(&local.replace('.', "_")), "{personal}");
        assert_eq!(
            all(&mut names, "anna%20berg"),
            all(&mut names, "Anna Berg").replace(' ', "%20")
        );
        let mut other = of(b"fedcba9876543210");
        assert_ne!(all(&mut other, "Anna.Berg@contoso.com"), mail);
        assert!(Pseudonyms::new(b"short", Dictionary::new(), false).is_err());
    }

    #[test]
    fn addresses_keep_their_networks() {
        let mut names = of(b"0123456789abcdef");
        let (a, b) = (
            all(&mut names, "192.168.7.1"),
            all(&mut names, "192.168.7.2"),
        );
        assert!(a.starts_with("192.168.") && b.starts_with("192.168."));
        assert_eq!(
            a.rsplit_once('.').map(|p| p.0),
            b.rsplit_once('.').map(|p| p.0)
        );
        assert_ne!(a, b);
        let public: Ipv4Addr = all(&mut names, "192.0.2.7").parse().expect("an address");
        assert!(!public.is_private());
        assert!(all(&mut names, "2001:db8::7").parse::<Ipv6Addr>().is_ok());
        let mapped = all(&mut names, "::ffff:192.0.2.7");
        assert_eq!(mapped, format!("::ffff:{public}"));
        assert_eq!(all(&mut names, "127.0.0.1"), "127.0.0.1");
        assert!(all(&mut names, "08:00:00 2026-05-01").starts_with("08:00:00"));
    }

    #[test]
    fn words_are_cut_where_a_name_may_begin() {
        let cut: Vec<&str> = parts("AnnaBerg2ndÄpfelBaum").collect();
        assert_eq!(cut, ["Anna", "Berg", "2", "nd", "Äpfel", "Baum"]);
    }
}
