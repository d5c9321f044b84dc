//! What names somebody by its shape alone: telephones, network cards, and addresses with a `:` too many.

use std::net::Ipv6Addr;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Seven digits or more, with blanks and the like between them.
pub(super) static PHONE: LazyLock<Regex> =
    LazyLock::new(|| own(r"\+?\(?[0-9](?:[ ()./-]{0,3}[0-9]){6,18}"));
/// Digits with blanks and the like between them, however few.
pub(super) static DIGITS: LazyLock<Regex> = LazyLock::new(|| own(r"[0-9](?:[ ()./-]{0,3}[0-9])*"));
static NATIONAL: LazyLock<Regex> = LazyLock::new(|| {
    own(
        r"^(?:(?:1[ .-])?\(?[2-9][0-9]{2}\)?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}|\(?0[1-9][0-9]{1,4}\)?[ /-]{1,3}[0-9]{2,}(?:[ /-][0-9]+)*)$",
    )
});
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

/// A number of a telephone as it is written inside of a country: `(425) 555-0177`, `0171 5552345`. Dates have two digits in front.
pub(super) fn is_national(text: &str) -> bool {
    /// The longest of these, in digits.
    const LONGEST: usize = 13;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    NATIONAL.is_match(text) && digits <= LONGEST && digits < text.len()
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
    fn telephones_are_told_from_dates() {
        for text in [
            "425-555-0177",
            "(425) 555-0177",
            "0171 5552345",
            "0171/555-23-45",
        ] {
            assert!(is_national(text), "{text}");
        }
        for text in [
            "2026-05-01 10",
            "01.02.2026 10",
            "01-02-2026 10",
            "4255550177",
            "10-20-30-40",
        ] {
            assert!(!is_national(text), "{text}");
        }
    }
}
