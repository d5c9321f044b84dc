//! One spelling for what can be spelt in many: escapes of URLs, HTML, JSON and mail, Punycode, forms of letters, and letters that nobody sees.
//!
//! | where | function |
//! |---|---|
//! | escapes that can be nothing else | [`plain()`] |
//! | `=46rank`, which may be an address with `=46` in it | [`quoted_printable()`] |
//! | a whole value in base64 or in digits of sixteen | [`Packed`] |
//! | words that are compared | [`folded()`], [`others()`] |
//!
//! Knows nothing of who is named.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::sync::LazyLock;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, PAD};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use idna::punycode;
use percent_encoding::percent_decode_str;
use regex::{Captures, Regex};

use super::shape::own;
use crate::text::safe::is_unsafe;

/// How often a text may be escaped.
const ESCAPED: usize = 8;
/// Fewer letters in base64 hold no name.
const SHORTEST_PACKED: usize = 4;
/// Fewer digits of sixteen hold no name.
const SHORTEST_HEX: usize = 6;

/// The first letter of Latin-1 that has an entity by its name; all behind it have one, too.
const FIRST_NAMED: u32 = 192;
/// Names of the letters of Latin-1 in HTML, in their order.
const LETTERS: &str = "Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve \
    Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave \
    eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";
/// Other entities.
const MARKS: [(&str, char); 12] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("shy", '\u{ad}'),
    ("commat", '@'),
    ("period", '.'),
    ("lowbar", '_'),
    ("hyphen", '-'),
    ("sol", '/'),
];
/// A dot or an `@` that was written so that nobody clicks on it.
const HARMLESS: [(&str, &str); 8] = [
    ("[.]", "."),
    ("(.)", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("[:]", ":"),
    ("[@]", "@"),
    ("[at]", "@"),
    ("(at)", "@"),
];

static ENTITY: LazyLock<Regex> =
    LazyLock::new(|| own(r"&#[xX]([0-9a-fA-F]{1,6});?|&#([0-9]{1,7});?|&([A-Za-z]{2,8});"));
static ESCAPE: LazyLock<Regex> =
    LazyLock::new(|| own(r"[\\%]u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\u\{([0-9a-fA-F]{1,6})\}"));
/// Blanks between two encoded words of a header are none of it.
static BETWEEN: LazyLock<Regex> = LazyLock::new(|| own(r"\?=\s+=\?"));
/// An encoded word of RFC 2047, also with a language.
static ENCODED: LazyLock<Regex> =
    LazyLock::new(|| own(r"=\?([A-Za-z0-9_.:+-]+)(?:\*[A-Za-z0-9-]+)?\?([BbQq])\?([^?]*)\?="));
static PUNYCODE: LazyLock<Regex> = LazyLock::new(|| own(r"(?i)xn--([a-z0-9-]+)"));
/// An address of IPv6 as the name of a host, digit by digit and from its end: `7.0.….8.b.d.0.1.0.0.2.ip6.arpa`.
static TURNED: LazyLock<Regex> = LazyLock::new(|| own(r"(?i)((?:[0-9a-f]\.){32})ip6\.arpa"));
/// The same as Windows writes it: `2001-db8--7.ipv6-literal.net`.
static LITERAL: LazyLock<Regex> = LazyLock::new(|| {
    own(r"(?i)([0-9a-f]{0,4}(?:-[0-9a-f]{0,4}){2,7})(?:s[0-9a-z]+)?\.ipv6-literal")
});
static ACCENT: LazyLock<Regex> = LazyLock::new(|| own(r"\p{M}+"));

/// Base64 with `+` and `/`, and base64 with `-` and `_`. Padding may miss.
const PLAIN: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
const OF_URLS: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
const PLAIN_BARE: GeneralPurpose = GeneralPurpose::new(&STANDARD, NO_PAD);
const OF_URLS_BARE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, NO_PAD);

/// What may be undone at each turn; each says nothing where there is nothing to undo.
const STEPS: [fn(&str) -> Option<String>; 8] = [
    encoded_words,
    entities,
    percent,
    escapes,
    clickable,
    unicode_domains,
    address_domains,
    letters,
];

/// The text without escapes and with each letter in one form, however often it was escaped.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let mut plain = Cow::Borrowed(text);
    for _ in 0..ESCAPED {
        let Some(next) = undone(&plain) else { break };
        plain = Cow::Owned(next);
    }
    plain
}

fn undone(text: &str) -> Option<String> {
    let mut next: Option<String> = None;
    for step in STEPS {
        let other = step(next.as_deref().unwrap_or(text));
        next = other.or(next);
    }
    next.filter(|next| next != text)
}

/// What was replaced in, if anything was.
fn changed(text: Cow<'_, str>) -> Option<String> {
    match text {
        Cow::Owned(text) => Some(text),
        Cow::Borrowed(_) => None,
    }
}

/// `=?utf-8?B?…?=` and `=?utf-8?Q?…?=` of headers of mail.
fn encoded_words(text: &str) -> Option<String> {
    if !text.contains("=?") {
        return None;
    }
    let joined = BETWEEN.replace_all(text, "?==?");
    changed(ENCODED.replace_all(&joined, |found: &Captures<'_>| {
        encoded_word(&found[1], &found[2], &found[3]).unwrap_or_else(|| found[0].to_string())
    }))
}

fn encoded_word(charset: &str, how: &str, word: &str) -> Option<String> {
    let charset = Encoding::for_label(charset.as_bytes()).unwrap_or(UTF_8);
    let bytes = match how.eq_ignore_ascii_case("b") {
        true => PLAIN.decode(word.trim()).ok()?,
        false => quoted(&word.replace('_', " ")),
    };
    let (text, _) = charset.decode_without_bom_handling(&bytes);
    Some(text.into_owned())
}

/// `&#102;`, `&#x66;` and `&auml;` of HTML.
fn entities(text: &str) -> Option<String> {
    if !text.contains('&') {
        return None;
    }
    changed(ENTITY.replace_all(text, |found: &Captures<'_>| {
        let letter = match (found.get(1), found.get(2), found.get(3)) {
            (Some(hex), _, _) => u32::from_str_radix(hex.as_str(), 16)
                .ok()
                .and_then(char::from_u32),
            (_, Some(digits), _) => digits.as_str().parse::<u32>().ok().and_then(char::from_u32),
            (_, _, Some(name)) => named(name.as_str()),
            _ => None,
        };
        letter.map_or_else(|| found[0].to_string(), String::from)
    }))
}

/// The letter that an entity names.
fn named(name: &str) -> Option<char> {
    let mark = MARKS.iter().find(|(other, _)| *other == name);
    if let Some((_, letter)) = mark {
        return Some(*letter);
    }
    let mut all = LETTERS.split(' ').zip(FIRST_NAMED..);
    let (_, code) = all.find(|(other, _)| *other == name)?;
    char::from_u32(code)
}

/// `%40` of URLs.
fn percent(text: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let bytes: Cow<'_, [u8]> = percent_decode_str(text).into();
    match bytes {
        Cow::Borrowed(_) => None,
        Cow::Owned(bytes) => Some(read(bytes, text)),
    }
}

/// Bytes in UTF-8; what is none is of an old Windows, unless the text that they come from has other letters already.
fn read(bytes: Vec<u8>, from: &str) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| match from.is_ascii() {
        true => {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(e.as_bytes());
            text.into_owned()
        }
        false => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    })
}

/// `\u0066` and `\x66` of programs, and `%u0066` of old ones.
fn escapes(text: &str) -> Option<String> {
    if !text.contains(['\\', '%']) {
        return None;
    }
    changed(ESCAPE.replace_all(text, |found: &Captures<'_>| {
        let digits = found.iter().skip(1).flatten().next();
        let code = digits.and_then(|digits| u32::from_str_radix(digits.as_str(), 16).ok());
        let letter = code.and_then(char::from_u32);
        letter.map_or_else(|| found[0].to_string(), String::from)
    }))
}

/// `192[.]0[.]2[.]7`, `anna(at)contoso.com`.
fn clickable(text: &str) -> Option<String> {
    if !text.contains(['[', '(']) {
        return None;
    }
    let mut next: Option<String> = None;
    for (mark, plain) in HARMLESS {
        let now = next.as_deref().unwrap_or(text);
        if now.contains(mark) {
            next = Some(now.replace(mark, plain));
        }
    }
    next
}

/// `xn--mnchen-3ya` as it is meant.
fn unicode_domains(text: &str) -> Option<String> {
    const LONGEST: usize = 63;
    if !text.contains("--") {
        return None;
    }
    changed(PUNYCODE.replace_all(text, |found: &Captures<'_>| {
        let label = found[1].to_ascii_lowercase();
        let plain = match label.len() {
            ..=LONGEST => punycode::decode_to_string(&label),
            _ => None,
        };
        plain.unwrap_or_else(|| found[0].to_string())
    }))
}

/// Names of hosts that are addresses of IPv6.
fn address_domains(text: &str) -> Option<String> {
    let marks = ["ip6.", "IP6.", "ipv6-literal"];
    if !marks.iter().any(|mark| text.contains(mark)) {
        return None;
    }
    let turned = TURNED.replace_all(text, |found: &Captures<'_>| {
        let digits = found[1].chars().rev().filter(char::is_ascii_hexdigit);
        let digits: String = digits.collect();
        match u128::from_str_radix(&digits, 16) {
            Ok(bits) => format!("{}.ip6.arpa", Ipv6Addr::from_bits(bits)),
            Err(_) => found[0].to_string(),
        }
    });
    changed(turned).or_else(|| {
        changed(LITERAL.replace_all(text, |found: &Captures<'_>| {
            format!("{}.ipv6-literal", found[1].replace('-', ":"))
        }))
    })
}

/// Letters in their composed and common form, without those that nobody sees.
fn letters(text: &str) -> Option<String> {
    let is_simple = |b: u8| matches!(b, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    if text.bytes().all(is_simple) {
        return None;
    }
    let is_seen = |c: &char| c.is_whitespace() || !is_unsafe(*c);
    let seen: String = text.chars().filter(is_seen).collect();
    let composed = ComposingNormalizerBorrowed::new_nfkc()
        .normalize(&seen)
        .into_owned();
    (composed != text).then_some(composed)
}

/// What a text is in quoted-printable, where it is something else.
pub(super) fn quoted_printable(text: &str) -> Option<String> {
    if !text.contains('=') {
        return None;
    }
    let bytes = quoted(text);
    (bytes != text.as_bytes()).then(|| read(bytes, text))
}

/// The bytes that quoted-printable stands for.
fn quoted(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let (put, long) = match byte {
            b'=' => equals(&bytes[at + 1..]),
            other => (Some(*other), 1),
        };
        out.extend(put);
        at += long;
    }
    out
}

/// What an `=` stands for, by what is behind it, and how many bytes that takes. At the end of a line it is nothing.
fn equals(behind: &[u8]) -> (Option<u8>, usize) {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match behind {
        [b'\r', b'\n', ..] => (None, 3),
        [b'\n', ..] => (None, 2),
        [a, b, ..] => {
            let code = digit(*a).zip(digit(*b)).map(|(a, b)| 16 * a + b);
            let byte = code.and_then(|code| u8::try_from(code).ok());
            match byte.filter(|byte| *byte >= b' ') {
                Some(byte) => (Some(byte), 3),
                None => (Some(b'='), 1),
            }
        }
        _ => (Some(b'='), 1),
    }
}

/// A text that a whole value holds.
pub(super) struct Packed {
    /// The text.
    pub(super) inner: String,
    how: How,
    /// Two bytes for each letter, as PowerShell has it.
    is_wide: bool,
}

/// How a text is packed.
#[derive(Clone, Copy)]
enum How {
    Hex,
    Base64(&'static GeneralPurpose),
}

impl Packed {
    /// What a value holds; nothing where it holds no text.
    pub(super) fn of(value: &str) -> Option<Packed> {
        let value = value.trim();
        let is_letter = |b: u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(&b);
        if value.len() < SHORTEST_PACKED || !value.bytes().all(is_letter) {
            return None;
        }
        let is_hex = value.len() >= SHORTEST_HEX && value.bytes().all(|b| b.is_ascii_hexdigit());
        if is_hex
            && let Ok(bytes) = hex::decode(value)
            && let Some((inner, is_wide)) = legible(&bytes)
        {
            return Some(Packed {
                inner,
                how: How::Hex,
                is_wide,
            });
        }
        let is_padded = value.ends_with('=') || value.len().is_multiple_of(4);
        let engine = match (value.contains(['-', '_']), is_padded) {
            (false, true) => &PLAIN,
            (false, false) => &PLAIN_BARE,
            (true, true) => &OF_URLS,
            (true, false) => &OF_URLS_BARE,
        };
        let reader = match value.contains(['-', '_']) {
            true => &OF_URLS,
            false => &PLAIN,
        };
        let (inner, is_wide) = legible(&reader.decode(value).ok()?)?;
        Some(Packed {
            inner,
            how: How::Base64(engine),
            is_wide,
        })
    }

    /// Another text, packed the same way.
    pub(super) fn with(&self, text: &str) -> String {
        let bytes: Vec<u8> = match self.is_wide {
            true => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            false => text.as_bytes().to_vec(),
        };
        match self.how {
            How::Hex => hex::encode(bytes),
            How::Base64(engine) => engine.encode(bytes),
        }
    }
}

/// The text that bytes are, and whether each letter has two; nothing where they are none.
fn legible(bytes: &[u8]) -> Option<(String, bool)> {
    let is_text = |text: &String| {
        let is_shown = |c: char| !c.is_control() || c.is_whitespace();
        !text.is_empty() && text.chars().all(is_shown)
    };
    let is_wide = bytes.len() > 2
        && bytes.len().is_multiple_of(2)
        && bytes.iter().skip(1).step_by(2).all(|high| *high == 0);
    let text: String = match is_wide {
        true => bytes.iter().step_by(2).map(|b| char::from(*b)).collect(),
        false => String::from_utf8(bytes.to_vec()).ok()?,
    };
    is_text(&text).then_some((text, is_wide))
}

/// A word as it is compared: in small letters, and those that only some write so as others write them.
pub(super) fn folded(word: &str) -> String {
    let lower = word.to_lowercase();
    match lower.is_ascii() {
        true => lower,
        false => lower
            .replace('ß', "ss")
            .replace('ς', "σ")
            .replace("i\u{307}", "i"),
    }
}

/// How else a folded word is written where only letters of ASCII are: `jürgen` is `juergen` and `jurgen`.
pub(super) fn others(word: &str) -> Vec<String> {
    if word.is_ascii() {
        return Vec::new();
    }
    let long = word
        .replace('ä', "ae")
        .replace('ö', "oe")
        .replace('ü', "ue")
        .replace('å', "aa")
        .replace('ø', "oe")
        .replace('æ', "ae");
    let bare = |text: &str| {
        let parts = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
        let bare = ACCENT.replace_all(&parts, "");
        bare.replace('ø', "o").replace('ł', "l").replace('đ', "d")
    };
    let mut all = vec![bare(&long), bare(word)];
    all.retain(|other| other != word);
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_however_they_are_escaped() {
        for text in [
            "&#80;au&#x6C;",
            "&amp;#80;aul",
            "%50aul",
            "%25252550aul",
            "Paul",
            r"\u0050aul",
            r"\x50\u{61}ul",
            "%u0050aul",
            "Pa\u{200b}u\u{ad}l",
            "Ｐａｕｌ",
            "=?utf-8?B?UGF1bA==?=",
            "=?utf-8?Q?P=61?= =?iso-8859-1*en?q?ul?=",
        ] {
            assert_eq!(plain(text), "Paul", "{text}");
        }
        assert_eq!(plain("J\u{fc}rgen"), plain("Ju\u{308}rgen"));
        assert_eq!(plain("J&uuml;rgen"), "J\u{fc}rgen");
        assert_eq!(plain("J%FCrgen"), "J\u{fc}rgen");
        assert_eq!(plain("=?iso-8859-1?Q?Gr=FC=DFe_an_P?="), "Grüße an P");
        assert_eq!(plain("xn--mnchen-3ya.example"), "münchen.example");
        assert_eq!(plain("192[.]0[.]2[.]7"), "192.0.2.7");
        assert_eq!(
            plain("2001-db8--7.ipv6-literal.net"),
            "2001:db8::7.ipv6-literal.net"
        );
        let turned = format!("7.{}8.b.d.0.1.0.0.2.ip6.arpa", "0.".repeat(23));
        assert_eq!(plain(&turned), "2001:db8::7.ip6.arpa");
        for same in ["a=20&b", r"C:\Users\paul", "100% of it", "a--b"] {
            assert!(matches!(plain(same), Cow::Borrowed(_)), "{same}");
        }
    }

    #[test]
    fn mail_is_read_as_it_was_written() {
        assert_eq!(
            quoted_printable("=50aul =\r\nB=C3=BCrger").as_deref(),
            Some("Paul Bürger")
        );
        assert_eq!(quoted_printable("a=b"), None);
    }

    #[test]
    fn what_a_value_holds_is_packed_again() {
        for value in ["UGF1bCBQYXVsc2Vu", "UGF1bA==", "UGF1bA", "5061756c"] {
            let packed = Packed::of(value).expect("a text");
            assert!(packed.inner.starts_with("Paul"), "{value}");
            assert_eq!(packed.with(&packed.inner), value);
        }
        let wide = Packed::of("UABhAHUAbAA=").expect("a text");
        assert_eq!(wide.inner, "Paul");
        assert_eq!(wide.with("Paul"), "UABhAHUAbAA=");
        assert!(Packed::of("FileAccessed").is_none() && Packed::of("a b c d").is_none());
    }

    #[test]
    fn words_are_compared_as_anybody_writes_them() {
        assert_eq!(folded("WEISS"), folded("Weiß"));
        assert_eq!(others("müller"), ["mueller", "muller"]);
        assert!(others("paul").is_empty());
    }
}
