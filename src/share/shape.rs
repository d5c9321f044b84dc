//! What names somebody by its shape alone: telephones, network cards, addresses with a `:` too many, and letters that are written as numbers.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::ops::Range;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::{Captures, Regex};

/// How often a text may be escaped.
const ESCAPED: usize = 8;

/// Seven digits or more, with blanks and the like between them.
pub(super) static PHONE: LazyLock<Regex> =
    LazyLock::new(|| own(r"\+?\(?[0-9](?:[ ()./-]{0,3}[0-9]){6,18}"));
static ENTITY: LazyLock<Regex> =
    LazyLock::new(|| own(r"(?i)&#(?:x([0-9a-f]{1,6})|([0-9]{1,7}));?"));
static CARD: LazyLock<Regex> = LazyLock::new(|| own(r"(?i)^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$"));

/// A pattern of ours.
pub(super) fn own(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is written here")
}

/// Whether a text is the number of a network card, with `:` between its parts.
pub(super) fn is_card(text: &str) -> bool {
    CARD.is_match(text)
}

/// The first and longest IPv6 address between the `:` of a text: `:2001:db8::7:` has one.
pub(super) fn six(text: &str) -> Option<(Range<usize>, Ipv6Addr)> {
    let bytes = text.as_bytes();
    let is_border =
        |at: &usize| *at == 0 || *at == bytes.len() || bytes[*at] == b':' || bytes[*at - 1] == b':';
    let borders: Vec<usize> = (0..=bytes.len()).filter(is_border).collect();
    borders.iter().find_map(|from| {
        let ends = borders.iter().rev().take_while(|to| *to > from);
        ends.copied().find_map(|to| {
            let address = text.get(*from..to)?.parse::<Ipv6Addr>().ok()?;
            Some((*from..to, address))
        })
    })
}

/// The text with letters for their numbers in HTML and in URLs, however often it was escaped.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    let mut plain = match text.contains("&#") {
        true => ENTITY.replace_all(text, letter),
        false => Cow::Borrowed(text),
    };
    for _ in 0..ESCAPED {
        if !plain.contains('%') {
            break;
        }
        let next = percent_decode_str(&plain).decode_utf8_lossy().into_owned();
        if plain == next {
            break;
        }
        plain = Cow::Owned(next);
    }
    plain
}

fn letter(found: &Captures<'_>) -> String {
    let code = match found.get(1) {
        Some(hex) => u32::from_str_radix(hex.as_str(), 16).ok(),
        None => found.get(2).and_then(|digits| digits.as_str().parse().ok()),
    };
    let letter = code.and_then(char::from_u32);
    letter.map_or_else(|| found[0].to_string(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_between_marks() {
        for (text, want) in [
            (":2001:4860:4860::8888", Some(1..21)),
            ("2001:4860:4860::8888:", Some(0..20)),
            (":2001:1:2:3:4:5:6:7:", Some(1..19)),
            ("2001:1:2:3:4:5:6:7:443", Some(0..18)),
            ("08:00:00", None),
        ] {
            assert_eq!(six(text).map(|found| found.0), want, "{text}");
        }
        assert!(is_card("02:22:33:44:55:66") && !is_card("08:00:00"));
    }

    #[test]
    fn letters_are_read_however_they_are_escaped() {
        for text in ["&#80;au&#x6C;", "%50aul", "%25252550aul", "Paul"] {
            assert_eq!(unescaped(text), "Paul", "{text}");
        }
    }
}
