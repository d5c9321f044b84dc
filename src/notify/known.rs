//! Addresses that events name, wherever the numbers that they consist of stand in a row.
//!
//! Knows what an address is worth, so that much more can count as a spelling of it than in a text of which nothing is known: numbers with blanks
//! between them, backwards, as one number, in tens, eights or sixteens, and inside of longer words.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

static NUMBERS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("0[xX][0-9A-Fa-f]+|[0-9]+").expect("it is written here"));
static WORDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("[0-9A-Za-z]+").expect("it is written here"));

/// How many characters may stand between two numbers of an address.
const APART: usize = 4;

/// A set of addresses.
#[derive(Debug, Default)]
pub(super) struct Known {
    four: HashSet<Ipv4Addr>,
    sixteen: HashSet<Ipv6Addr>,
    /// Those of sixteen bytes as they are written, in small letters.
    written: BTreeSet<String>,
}

impl Known {
    /// Takes an address; `false` where it is none.
    pub(super) fn add(&mut self, text: &str) -> bool {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let bare = bare.split('%').next().unwrap_or_default();
        let address: Option<IpAddr> = bare.parse().ok();
        let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|s| s.ip()));
        match address {
            None => return false,
            Some(IpAddr::V4(four)) => {
                self.four.insert(four);
            }
            Some(IpAddr::V6(sixteen)) => {
                self.four.extend(sixteen.to_ipv4_mapped());
                self.sixteen.insert(sixteen);
                let groups = sixteen.segments();
                let short = groups.map(|group| format!("{group:x}"));
                let long = groups.map(|group| format!("{group:04x}"));
                let all = [sixteen.to_string(), short.join(":"), long.join(":")];
                self.written.extend(all);
            }
        }
        true
    }

    /// Where they stand in a plain text, in no order.
    pub(super) fn found_in(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if !self.four.is_empty() {
            let numbers: Vec<Range<usize>> = NUMBERS.find_iter(text).map(|m| m.range()).collect();
            for first in 0..numbers.len() {
                found.extend(self.four_in(text, &numbers[first..]));
            }
        }
        if !self.four.is_empty() || !self.sixteen.is_empty() {
            let words: Vec<Range<usize>> = WORDS.find_iter(text).map(|m| m.range()).collect();
            for first in 0..words.len() {
                found.extend(self.hex_in(text, &words[first..]));
            }
        }
        if !self.written.is_empty() && text.contains(':') {
            let small = text.to_ascii_lowercase();
            for written in &self.written {
                let here = small.match_indices(written.as_str());
                found.extend(here.map(|(at, it)| at..at + it.len()));
            }
        }
        found
    }

    fn knows(&self, four: impl Into<Ipv4Addr>) -> bool {
        self.four.contains(&four.into())
    }

    /// An address of four bytes at the first of these numbers.
    fn four_in(&self, text: &str, numbers: &[Range<usize>]) -> Option<Range<usize>> {
        let long = in_a_row(text, numbers, 4);
        let said = |at: usize| &text[numbers[at].clone()];
        let holds = |bytes: [u8; 4]| {
            let [a, b, c, d] = bytes;
            self.knows(bytes) || self.knows([d, c, b, a])
        };
        if long == 4 {
            // The first may end a longer number, and the last begin one.
            let first = (1..=3).filter_map(|n| said(0).get(said(0).len().checked_sub(n)?..));
            let first: Vec<u32> = values(said(0)).chain(first.flat_map(values)).collect();
            let last = (1..=3).filter_map(|n| said(3).get(..n));
            let last: Vec<u32> = values(said(3)).chain(last.flat_map(values)).collect();
            let bytes = |list: &[u32]| -> BTreeSet<u8> {
                list.iter().filter_map(|n| u8::try_from(*n).ok()).collect()
            };
            let all = |at: usize| bytes(&values(said(at)).collect::<Vec<u32>>());
            let (first, second, third, last) = (bytes(&first), all(1), all(2), bytes(&last));
            let is_one = first.iter().any(|a| {
                let rest = second
                    .iter()
                    .flat_map(|b| third.iter().map(move |c| (*b, *c)));
                let mut rest = rest.flat_map(|(b, c)| last.iter().map(move |d| [*a, b, c, *d]));
                rest.any(holds)
            });
            if is_one {
                return Some(numbers[0].start..numbers[3].end);
            }
        }
        // With the last two, three or four bytes as one number; less than two bytes would be a number like any other.
        for count in (1..=long.min(3)).rev() {
            let bits = 8 * u32::try_from(5 - count).ok()?;
            let high = (0..count - 1).try_fold(0u32, |high, at| {
                let byte = values(said(at)).next().filter(|n| *n <= 255)?;
                Some((high << 8) | byte)
            });
            let Some(high) = high else { continue };
            let is_one = values(said(count - 1))
                .filter(|low| *low > 255 && u64::from(*low) < 1_u64 << bits)
                .any(|low| {
                    let whole = (u64::from(high) << bits) | u64::from(low);
                    let whole = u32::try_from(whole).ok().filter(|n| *n >= 1 << 24);
                    whole.is_some_and(|whole| self.knows(whole))
                });
            if is_one {
                return Some(numbers[0].start..numbers[count - 1].end);
            }
        }
        None
    }

    /// An address without marks, or one of sixteen bytes, at the first of these words.
    fn hex_in(&self, text: &str, words: &[Range<usize>]) -> Option<Range<usize>> {
        let first = words.first()?.clone();
        let word = &text[first.clone()];
        let is_one = match word.len() {
            8 => u32::from_str_radix(word, 16).is_ok_and(|n| self.knows(n)),
            // `192000002007`
            12 => {
                let byte = |at: usize| word[at..at + 3].parse::<u8>().ok();
                let bytes = [byte(0), byte(3), byte(6), byte(9)];
                let [Some(a), Some(b), Some(c), Some(d)] = bytes else {
                    return None;
                };
                self.knows([a, b, c, d])
            }
            32 => u128::from_str_radix(word, 16)
                .is_ok_and(|n| self.sixteen.contains(&Ipv6Addr::from(n))),
            _ => false,
        };
        if is_one {
            return Some(first);
        }
        if self.sixteen.is_empty() || in_a_row(text, words, 8) < 8 {
            return None;
        }
        let groups = words[..8].iter().map(|word| &text[word.clone()]);
        let groups: Option<Vec<u16>> = groups
            .map(|group| u16::from_str_radix(group, 16).ok())
            .collect();
        let groups: [u16; 8] = groups?.try_into().ok()?;
        let is_one = self.sixteen.contains(&Ipv6Addr::from(groups));
        is_one.then(|| first.start..words[7].end)
    }
}

/// How many of these, and no more than `most`, stand close to each other with nothing but marks between them.
fn in_a_row(text: &str, ranges: &[Range<usize>], most: usize) -> usize {
    let close = ranges.windows(2).take(most - 1).take_while(|pair| {
        let between = &text[pair[0].end..pair[1].start];
        let marks = between.chars().take(APART + 1).count();
        (1..=APART).contains(&marks) && !between.contains(char::is_alphanumeric)
    });
    ranges.len().min(1 + close.count())
}

/// What a number may be worth: in tens, in eights where it begins with a zero, in sixteens where it says so.
fn values(number: &str) -> impl Iterator<Item = u32> + use<> {
    let hex = number
        .strip_prefix("0x")
        .or_else(|| number.strip_prefix("0X"));
    let parsed = |digits: &str, radix| {
        // A text of zeros is no number without them.
        let bare = digits.trim_start_matches('0');
        match bare.is_empty() {
            true => Some(0),
            false => u32::from_str_radix(bare, radix).ok(),
        }
    };
    let all = match hex {
        Some(hex) => [parsed(hex, 16), None],
        None if number.starts_with('0') => [parsed(number, 10), parsed(number, 8)],
        None => [parsed(number, 10), None],
    };
    all.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(addresses: &[&str]) -> Known {
        let mut known = Known::default();
        for address in addresses {
            assert!(known.add(address), "{address}");
        }
        known
    }

    #[test]
    fn an_address_is_known_by_what_it_is_worth() {
        let known = known(&["198.51.100.77", "2001:db8::7"]);
        for text in [
            "198 51 100 77",
            "198. 51. 100. 77",
            "198/51/100/77",
            "77.100.51.198",
            "5198.51.100.778",
            "ip198-51-100-77x",
            "0198.051.0100.077",
            "0306.063.0144.0115",
            "0xc6 0x33 0x64 0x4d",
            "198.51.25677",
            "198.3368013",
            "3325256781",
            "c633644d",
            "C633644D",
            "0xc633644d",
            "198051100077",
            "x2001:db8::7y",
            "2001 db8 0 0 0 0 0 7",
            "2001:0db8:0000:0000:0000:0000:0000:0007",
            "20010db8000000000000000000000007",
        ] {
            let found = known.found_in(text);
            assert!(!found.is_empty(), "{text}");
            assert!(known.found_in(&format!("a {text}")).len() >= found.len());
        }
        for text in [
            "",
            "198.51.100.7",
            "198 51 100",
            "198.51.100.  and 77",
            "77",
            "3325256782",
            "2001 db8 7",
            "99999999999999999999",
            "4711",
        ] {
            assert!(known.found_in(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn addresses_are_taken_as_logs_write_them() {
        let known = known(&[
            "198.51.100.9:443",
            "[2001:db8::9]:443",
            "fe80::1%eth0",
            "::ffff:192.0.2.9",
        ]);
        for text in ["198 51 100 9", "2001:db8::9", "fe80::1", "192 0 2 9"] {
            assert_eq!(known.found_in(text).len(), 1, "{text}");
        }
        let mut none = Known::default();
        assert!(!none.add("") && !none.add("192.0.2.xxx") && !none.add("WS-PASSER"));
        // Nobody is at an address that begins with zero: a small number is only that.
        assert!(none.add("0.0.1.44"));
        assert!(none.found_in("300 of 300").is_empty());
    }
}
