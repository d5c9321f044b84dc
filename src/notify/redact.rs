//! Addresses of the internet and of network cards taken out of free text, however they are spelled.
//!
//! Logs put addresses in brackets, give them ports, zones and prefixes, and make them harmless (`192[.]0[.]2[.]7`); names of files have dashes in the
//! place of what the file system forbids; a hostile name hides zeros of no width or digits of other scripts. What is left must not tell where somebody was, so in doubt
//! a text loses too much: `1.2.3.4` goes, whether it was an address or a version.

use std::cmp::Reverse;
use std::net::Ipv6Addr;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::known::Known;
use super::spelled::Spelled;

/// What stands in the place of an address.
pub const REMOVED: &str = "[address removed]";

/// Four or more numbers, as an address of four bytes has them; more are an address with something before or behind it.
static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:0[xX][0-9A-Fa-f]+|[0-9]+)(?:[.\-_,]{1,3}(?:0[xX][0-9A-Fa-f]+|[0-9]+)){3,}(?::[0-9]+|/[0-9]+)?",
    )
});
/// What an address of sixteen bytes is made of, and what may stand behind it.
static GROUPS: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:%[0-9A-Za-z]+)?(?:/[0-9]+)?")
});
/// A network card, an address as one number, and an address written backwards for the domain name system.
static OTHERS: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)[0-9A-F]{2}(?:[:\-][0-9A-F]{2}){5,7}",
        r"|[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}",
        r"|0x(?:[0-9A-F]{32}|[0-9A-F]{8})",
        r"|://[0-9]{8,10}\b",
        r"|\b(?:[0-9A-F]\.){8,}ip6\.arpa\b",
    ))
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is written here")
}

/// The text with [`REMOVED`] in the place of each address.
///
/// ```
/// use coldtrail::notify::redact::without_addresses;
/// assert_eq!(without_addresses("from 192[.]0[.]2[.]7:443.docx"), "from [address removed].docx");
/// assert_eq!(without_addresses("[2001:db8::7]:443"), "[address removed]");
/// assert_eq!(without_addresses("Minutes 12:30:45, 2026-05-19.docx"), "Minutes 12:30:45, 2026-05-19.docx");
/// ```
pub fn without_addresses(text: &str) -> String {
    without(text, &Known::default())
}

/// The same, where some addresses are known.
pub(super) fn without(text: &str, known: &Known) -> String {
    let mut found: Vec<Range<usize>> = Vec::new();
    for plain in [Some(Spelled::of(text)), Spelled::decoded(text)]
        .into_iter()
        .flatten()
    {
        let mut ranges = addresses(&plain.text);
        ranges.extend(known.found_in(&plain.text));
        found.extend(ranges.iter().map(|range| plain.written(range)));
    }
    replaced(text, found, REMOVED)
}

/// The text with a mark in the place of each of these parts, or of several that overlap.
pub(super) fn replaced(text: &str, mut found: Vec<Range<usize>>, mark: &str) -> String {
    found.sort_by_key(|range| (range.start, Reverse(range.end)));
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for range in found {
        if range.start >= from {
            out.push_str(&text[from..range.start]);
            out.push_str(mark);
        }
        from = from.max(range.end);
    }
    out.push_str(&text[from..]);
    out
}

/// Where addresses stand in a plain text, in no order.
fn addresses(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for run in GROUPS.find_iter(text) {
        found.extend(groups(text, run.range(), SPELLED));
    }
    let others = OTHERS.find_iter(text).filter(|m| is_other(m.as_str()));
    found.extend(others.map(|m| m.range()));
    let numbers = NUMBERS.find_iter(text).filter(|m| has_octets(m.as_str()));
    found.extend(numbers.map(|m| m.range()));
    // Names of files hold no colon.
    for mark in ['-', '_'] {
        if text.contains(mark) {
            let text = text.replace(':', " ").replace(mark, ":");
            for run in GROUPS.find_iter(&text) {
                found.extend(groups(&text, run.range(), DASHED));
            }
        }
    }
    for range in &mut found {
        widen(text, range);
    }
    found
}

/// Whether four numbers in a row are bytes, in tens, in eights or in sixteens.
fn has_octets(text: &str) -> bool {
    let end = text.find([':', '/']).unwrap_or(text.len());
    let is_byte = |digits: &str, radix| {
        let bare = digits.trim_start_matches('0');
        bare.is_empty() || u32::from_str_radix(bare, radix).is_ok_and(|n| n <= 255)
    };
    let is_octet = |number: &str| match number.get(..2) {
        Some("0x" | "0X") => is_byte(&number[2..], 16),
        // Ids have longer ones.
        _ => number.len() <= 6 && (is_byte(number, 10) || is_byte(number, 8)),
    };
    let numbers = text[..end].split(['.', '-', '_', ',']);
    let numbers: Vec<bool> = numbers.filter(|n| !n.is_empty()).map(is_octet).collect();
    numbers
        .windows(4)
        .any(|four| four.iter().all(|octet| *octet))
}

/// How many groups of digits an address of sixteen bytes has at least, as it is spelled …
const SPELLED: usize = 2;
/// … and with dashes in the place of colons, where fewer are words.
const DASHED: usize = 3;
/// How long an address of sixteen bytes is at most, with its last four bytes in tens.
const LONGEST: usize = 45;

/// The parts of a run with colons that are addresses and name so many groups, in order.
fn groups(text: &str, range: Range<usize>, least: usize) -> Vec<Range<usize>> {
    let whole = &text[range.clone()];
    let spelled = &whole[..whole.find(['%', '/']).unwrap_or(whole.len())];
    let joined = |at: usize| text[..at].ends_with(|c: char| c.is_alphanumeric());
    let marks = || spelled.match_indices([':', '.']).map(|(at, _)| at);
    let mut starts: Vec<usize> = vec![0];
    starts.extend(marks().map(|at| at + 1));
    starts.extend(spelled.match_indices("::").map(|(at, _)| at));
    starts.sort_unstable();
    // The end of a word with a colon behind it: `note:2001:db8::7`.
    if joined(range.start) && !spelled.starts_with(|c: char| c.is_ascii_digit()) {
        starts.rotate_left(1);
    }
    let mut ends: Vec<usize> = marks().collect();
    ends.extend(spelled.match_indices("::").map(|(at, _)| at + 2));
    ends.push(spelled.len());
    ends.sort_unstable_by(|a, b| b.cmp(a));
    let goes_on = text[range.start + spelled.len()..].starts_with(|c: char| c.is_alphanumeric());
    let is_address = |start: usize, end: usize| {
        let part = &spelled[start..end];
        let named = part.split(':').filter(|group| !group.is_empty()).count();
        // `::` alone stands in programs, and `d::` ends a name there; `cafe::ba` may begin a longer word.
        let is_cut = goes_on && end == spelled.len();
        let alone = part.starts_with("::") && named == 1 && !joined(range.start + start);
        let enough = match is_cut {
            true => named >= DASHED,
            false => named >= least || (alone && least == SPELLED),
        };
        enough && part.parse::<Ipv6Addr>().is_ok()
    };
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    for start in starts {
        if start < from {
            continue;
        }
        let near = ends.partition_point(|end| *end > start + LONGEST);
        let mut near = ends[near..].iter().take_while(|end| **end > start);
        let Some(&end) = near.find(|end| is_address(start, **end)) else {
            continue;
        };
        let more = spelled[end..].find(|c: char| !c.is_ascii_hexdigit() && c != ':');
        let run = more.map_or(spelled, |more| &spelled[..end + more]);
        from = run.trim_end_matches(':').len().max(end);
        // A zone and a prefix go with the last.
        let end = match from == spelled.len() {
            true => range.end,
            false => range.start + from,
        };
        found.push(range.start + start..end);
    }
    found
}

/// Whether a text is no number with two dots in it.
fn is_other(text: &str) -> bool {
    text.len() != "001a.2b3c.4d5e".len() || !text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Takes brackets, and a port behind them, into the range.
fn widen(text: &str, range: &mut Range<usize>) {
    if text[..range.start].ends_with('[') && text[range.end..].starts_with(']') {
        range.start -= 1;
        range.end += 1;
        let behind = &text[range.end..];
        let port = behind.strip_prefix(':').map_or(0, |port| {
            port.len() - port.trim_start_matches(|c: char| c.is_ascii_digit()).len()
        });
        if (1..=5).contains(&port) {
            range.end += 1 + port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_goes_in_every_spelling() {
        for address in [
            "192.0.2.7",
            "192.0.2.7:443",
            "192.0.2.0/24",
            "[192.0.2.7]:443",
            "192[.]0[.]2[.]7",
            "192(.)0(.)2(.)7",
            "192[dot]0[DOT]2[dot]7",
            "192 dot 0 dot 2 dot 7",
            "192%2E0%2e2%2E7",
            "192-0-2-7",
            "192_0_2_7",
            "192.000.002.007",
            "0300.0000.0002.0007",
            "１９２．０．２．７",
            "١٩٢.٠.٢.٧",
            "192.0.\u{200b}2.7",
            "1\u{ad}92.0.2.7",
            "192·0·2·7",
            "0xC0000207",
            "0x20010db8000000000000000000000007",
            "1\u{332}92.0.2.7",
            "192%EF%BC%8E0%EF%BC%8E2%EF%BC%8E7",
            "2001:db8::7",
            "2001:DB8:0:0:0:0:0:7",
            "2001:0db8:0000:0000:0000:0000:0000:0007",
            "[2001:db8::7]:443",
            "2001:db8::7%eth0",
            "2001:db8::/32",
            "fe80::1",
            "::1",
            "::ffff:192.0.2.7",
            "2001[:]db8[:]0[:]0[:]0[:]0[:]0[:]7",
            "2001：db8：：7",
            "2001-db8-0-0-0-0-0-7",
            "2001-db8--7",
            "00:1A:2B:3C:4D:5E",
            "00-1A-2B-3C-4D-5E",
            "001a.2b3c.4d5e",
            "2001[:]db8[::]7",
            "2001_db8__7",
            "2001-0db8-0000-0000-0000-003d-5a33-c642",
            "7.2.0.192.in-addr.arpa",
            "000192.0.2.7",
            "0xC0.0x00.0x02.0x07",
            "192..0..2..7",
            "192%252E0%252E2%252E7",
            "%31%39%32.0.2.7",
            "192&#x2e;0&#46;2&#x2E;7",
            "¹⁹²·⁰·²·⁷",
            "①⑨②.0.2.7",
            "๑๙๒.๐.๒.๗",
            "192٫0٫2٫7",
            "2001:db8::1.2001:db8::2",
            "2001:db8::1/2001:db8::2",
        ] {
            for (before, behind) in [
                ("", ""),
                ("from ", " to"),
                ("(", ").docx"),
                ("a/", "/b"),
                ("Note:", ".docx"),
                ("x_", "_y"),
                ("Kopie ", ".xlsx"),
            ] {
                let text = format!("{before}{address}{behind}");
                let left = without_addresses(&text);
                assert!(left.contains(REMOVED), "{text:?} is left as {left:?}");
                assert!(
                    left.starts_with(before) && left.ends_with(behind),
                    "{left:?}"
                );
                for part in [
                    "192", "2001", "db8", "DB8", "1A", "fe80", "2b3c", "0300", "C0000207",
                ] {
                    assert!(!left.contains(part), "{text:?} is left as {left:?}");
                }
            }
        }
        let several = without_addresses("192.0.2.7, 2001:db8::7 and 198.51.100.9");
        assert_eq!(several.matches(REMOVED).count(), 3, "{several}");
    }

    #[test]
    fn what_is_none_stays() {
        for text in [
            "",
            "Tender 01 Prices.xlsx",
            "Minutes 2026-05-19 12:30:45.docx",
            "Budget 2026-05-19_v1.2.3.xlsx",
            "std::io::Error",
            "cafe::bar",
            "C:\\temp\\a.docx",
            "2616eafe-24b2-4fa9-90d7-49b37b1bd347",
            "00000000-0000-0000-0000-000000000001",
            "a--b.docx",
            "peggy.passer@fabrikam.com",
            "4711",
            "Größe · Maß: 5.docx",
            "300.400.500.600",
            "Plan 2026.0519.1405.docx",
            "Foo::bad",
        ] {
            assert_eq!(without_addresses(text), text);
        }
    }

    #[test]
    fn no_text_is_too_odd() {
        for text in [
            "[",
            "::",
            ":::::::::",
            "[.][.]",
            "%2",
            "1.1.1.",
            "[::]:",
            "𝟙𝟡𝟚.𝟘.𝟚.𝟟",
            "\u{200b}",
            "😀1.2.3.4😀",
        ] {
            let left = without_addresses(text);
            assert_eq!(without_addresses(&left), left);
        }
    }

    #[test]
    fn a_text_of_any_length_is_read_once() {
        for part in ["a:", ":", "1.", "-a", "1-", "::1.", "%25", "&#"] {
            let text = part.repeat(5000);
            let left = without_addresses(&text);
            let has_none = matches!(part, ":" | "%25" | "&#");
            assert_eq!(left.contains(REMOVED), !has_none, "{part}");
        }
    }
}
