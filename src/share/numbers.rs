//! Tokens of numbers that are somebody's: telephones, ids of digits, and addresses that are written as one number.

use std::net::{IpAddr, Ipv4Addr};

use super::dictionary::{LEAST_ADDRESS, tail};
use super::pseudonym::{Kind, Pseudonyms, Reach};
use super::{shape, spelling};

/// Digits of an address as one number in digits of sixteen.
const HEX_DIGITS: usize = 8;
/// The most digits of one in digits of ten, or of sixteen with `0x` before them.
const MOST_DIGITS: usize = 10;

impl Pseudonyms {
    /// The digits that stand for a number that is somebody's; nothing for all others.
    pub(super) fn number(&mut self, digits: &str) -> Option<String> {
        if self.named().is_telephone(digits) {
            return Some(self.telephone(digits));
        }
        if self.named().is_number(digits) {
            return Some(self.digits(digits, Kind::Number));
        }
        self.one_number(digits)
    }

    /// An address of the archive that is written as one number, `3221225991` or `0xc0000207`.
    pub(super) fn one_number(&mut self, word: &str) -> Option<String> {
        let is_so_long = (HEX_DIGITS..=MOST_DIGITS).contains(&word.len());
        if !is_so_long || !word.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let (mark, hex) = match word.get(..2) {
            Some(mark @ ("0x" | "0X")) => (mark, &word[2..]),
            _ => ("", word),
        };
        let in_sixteens = || {
            let bits = u32::from_str_radix(hex, 16).ok();
            bits.filter(|_| hex.len() == HEX_DIGITS)
        };
        let in_tens = word.parse::<u32>().ok();
        let is_named = |bits: u32| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(bits));
            bits >= LEAST_ADDRESS && self.named().is_address(&address)
        };
        let (bits, is_hex) = match (in_tens, in_sixteens()) {
            (Some(bits), _) if is_named(bits) => (bits, false),
            (_, Some(bits)) if is_named(bits) => (bits, true),
            _ => return None,
        };
        let address = Ipv4Addr::from_bits(bits);
        let token = self.v4(address)?.to_bits();
        let token = match is_hex {
            true => format!("{mark}{token:08x}"),
            false => token.to_string(),
        };
        Some(self.noted(Kind::Address, &address.to_string(), token))
    }

    /// As many digits; the first is none that makes the number shorter or longer.
    pub(super) fn digits(&mut self, digits: &str, kind: Kind) -> String {
        let token = self.mixed(digits);
        self.noted(kind, digits, token)
    }

    /// The same for a telephone, whose last digits are the same within its country and from outside.
    pub(super) fn telephone(&mut self, digits: &str) -> String {
        let tail = tail(digits);
        let before = &digits[..digits.len() - tail.len()];
        let token = format!("{}{}", self.mixed(before), self.mixed(tail));
        self.noted(Kind::Number, digits, token)
    }

    fn mixed(&self, digits: &str) -> String {
        let bytes = self.hash("number", digits.as_bytes());
        let first = char::from(b'1' + bytes[0] % 8);
        let others = bytes.iter().skip(1).cycle();
        let others = others.map(|b| char::from(b'0' + b % 10));
        std::iter::once(first)
            .chain(others)
            .take(digits.len())
            .collect()
    }

    /// A number of a telephone in its shape, where it has the `+` of one, is written as one, or where its digits are somebody's. `before` is what
    /// stands before it.
    pub(super) fn phone(&mut self, text: &str, before: &str, reach: Reach) -> Option<String> {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        // Digits without anything between them are a word.
        let is_written = digits.len() < text.len();
        let is_part = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-'));
        let is_one = text.starts_with('+') || (!is_part && shape::is_national(text));
        let is_phone = (is_one && reach == Reach::Everything)
            || (is_written
                && (self.named().is_number(&digits) || self.named().is_telephone(&digits)));
        is_phone.then(|| self.shaped(text, &digits))
    }

    /// A text under a key of telephones: all its digits are those of one, however few.
    pub(super) fn telephones(&mut self, text: &str) -> String {
        let plain = spelling::plain(text);
        let mut out = String::with_capacity(plain.len());
        let mut at = 0;
        for found in shape::DIGITS.find_iter(&plain) {
            out.push_str(&self.others_of(&plain[at..found.start()], Reach::Everything));
            let digits: String = found
                .as_str()
                .chars()
                .filter(char::is_ascii_digit)
                .collect();
            out.push_str(&self.shaped(found.as_str(), &digits));
            at = found.end();
        }
        out.push_str(&self.others_of(&plain[at..], Reach::Everything));
        out
    }

    /// The text with other digits.
    fn shaped(&mut self, text: &str, digits: &str) -> String {
        let token = self.telephone(digits);
        let mut others = token.chars();
        let shown = text.chars().map(|c| match c.is_ascii_digit() {
            true => others.next().unwrap_or(c),
            false => c,
        });
        shown.collect()
    }
}
