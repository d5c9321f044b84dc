//! Texts in plain letters, digits and marks, whatever they are written with: what is looked for needs one spelling only.
//!
//! Forms of a character become the character (`１`, `¹` and `①` are `1`), digits of all scripts those of ASCII, and what nobody sees goes. Names that
//! a Mac wrote have their accents as characters of their own: [`folded`] leaves all accents out.

use std::iter;
use std::ops::Range;
use std::sync::LazyLock;

use icu_normalizer::DecomposingNormalizerBorrowed;
use regex::Regex;

use crate::text::safe::is_unsafe;

/// Spellings of a dot or a colon, in lower case.
const DOTS: [&str; 10] = [
    "[.]", "(.)", "{.}", "[dot]", "(dot)", "{dot}", " dot ", "<.>", "\\.", "[.",
];
const COLONS: [&str; 3] = ["[:]", "(:)", "{:}"];
const DOUBLE_COLONS: [&str; 2] = ["[::]", "(::)"];

static DIGIT: LazyLock<Regex> = LazyLock::new(|| property(r"^\p{Nd}"));
static ACCENT: LazyLock<Regex> = LazyLock::new(|| property(r"^\p{M}"));

fn property(pattern: &str) -> Regex {
    Regex::new(pattern).expect("Unicode has this property")
}

fn has(property: &Regex, c: char) -> bool {
    !c.is_ascii() && property.is_match(c.encode_utf8(&mut [0; 4]))
}

/// A text in plain digits, dots and colons.
pub(super) struct Spelled {
    pub(super) text: String,
    /// Where each byte of it, and its end, stands in the text that it was.
    at: Vec<usize>,
}

impl Spelled {
    /// The text as it is written.
    pub(super) fn of(text: &str) -> Spelled {
        Spelled::with(text, spelled_out)
    }

    /// The text with its percent-encoding and its entities undone, where it has any.
    pub(super) fn decoded(text: &str) -> Option<Spelled> {
        let either = |rest: &[u8]| decoded(rest).or_else(|| spelled_out(rest));
        text.contains(['%', '&'])
            .then(|| Spelled::with(text, either))
    }

    /// `written` says what a text begins with in several characters, and in how many.
    fn with(text: &str, written: impl Fn(&[u8]) -> Option<(Mark, usize)>) -> Spelled {
        let mut plain = Spelled {
            text: String::with_capacity(text.len()),
            at: Vec::with_capacity(text.len() + 1),
        };
        let mut from = 0;
        while let Some(c) = text[from..].chars().next() {
            if let Some((mark, long)) = written(&text.as_bytes()[from..]) {
                match mark {
                    Mark::One(c) => plain.show(c, from),
                    Mark::Colons => "::".chars().for_each(|c| plain.push(c, from)),
                }
                from += long;
                continue;
            }
            plain.show(c, from);
            from += c.len_utf8();
        }
        plain.at.push(text.len());
        plain
    }

    /// Takes a character in its plain form.
    fn show(&mut self, c: char, at: usize) {
        // What nobody sees parts no number, and what stands above or below a digit is none of it.
        if !is_unsafe(c) || c.is_ascii_whitespace() {
            each_simple(c, |c| {
                if !has(&ACCENT, c) {
                    self.push(c, at);
                }
            });
        }
    }

    fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        self.at.resize(self.text.len(), at);
    }

    /// Where a part of the plain text stands in the text that it was. A character of which a part is meant counts whole.
    pub(super) fn written(&self, part: &Range<usize>) -> Range<usize> {
        let start = self.at[part.start];
        let last = self.at[part.end.saturating_sub(1)];
        let behind = self.at[part.end..].iter().find(|at| **at > last);
        start..behind.copied().unwrap_or(start).max(start)
    }
}

/// What several characters stand for.
enum Mark {
    One(char),
    Colons,
}

/// What a text begins with where it spells out a dot or a colon.
fn spelled_out(text: &[u8]) -> Option<(Mark, usize)> {
    let begins = |with: &&&str| {
        let head = text.get(..with.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(with.as_bytes()))
    };
    if let Some(dot) = DOTS.iter().find(begins) {
        return Some((Mark::One('.'), dot.len()));
    }
    if let Some(colon) = COLONS.iter().find(begins) {
        return Some((Mark::One(':'), colon.len()));
    }
    let double = DOUBLE_COLONS.iter().find(begins)?;
    Some((Mark::Colons, double.len()))
}

/// The character that a text begins with in percent-encoding, be it encoded several times, or as an entity by its number.
fn decoded(text: &[u8]) -> Option<(Mark, usize)> {
    let number = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok()?;
        let digits = digits.trim_start_matches('0');
        u32::from_str_radix(digits, radix).ok()
    };
    let (c, long) = match text.first()? {
        b'%' => {
            let mut from = 1;
            // `%252e`
            while text[from..].starts_with(b"25")
                && text.get(from + 2).is_some_and(u8::is_ascii_hexdigit)
            {
                from += 2;
            }
            let byte = |at: usize| u8::try_from(number(text.get(at..at + 2)?, 16)?).ok();
            let mut bytes = vec![byte(from)?];
            let mut end = from + 2;
            // The other bytes of a character in UTF-8: `%C3%B6`
            let more = match bytes[0] {
                0xc2..=0xdf => 1,
                0xe0..=0xef => 2,
                0xf0..=0xf4 => 3,
                _ => 0,
            };
            for _ in 0..more {
                let next = text.get(end).filter(|mark| **mark == b'%');
                bytes.push(next.and_then(|_| byte(end + 1))?);
                end += 3;
            }
            (std::str::from_utf8(&bytes).ok()?.chars().next()?, end)
        }
        b'&' if text.get(1) == Some(&b'#') => {
            /// The longest entity that is looked for.
            const LONGEST: usize = 12;
            let end = text.iter().take(LONGEST).position(|byte| *byte == b';')?;
            let code = match text[2..end].split_first()? {
                (b'x' | b'X', digits) => number(digits, 16)?,
                _ => number(&text[2..end], 10)?,
            };
            (char::from_u32(code)?, end + 1)
        }
        _ => return None,
    };
    (!c.is_control()).then_some((Mark::One(c), long))
}

/// Shows a character in its plain form.
fn each_simple(c: char, mut show: impl FnMut(char)) {
    if c.is_ascii() {
        return show(c);
    }
    let forms = DecomposingNormalizerBorrowed::new_nfkd();
    for c in forms.normalize_iter(iter::once(c)) {
        show(match c {
            '。' | '·' | '∙' | '⋅' | '‧' | '•' | '٫' | '۔' => '.',
            '∶' | '꞉' | 'ː' | '˸' => ':',
            '‐' | '‒' | '–' | '—' | '−' => '-',
            '‚' | '،' | '、' => ',',
            c => digit(c).unwrap_or(c),
        });
    }
}

/// A digit of another script as one of ASCII. Those of a script stand in a row, from zero to nine.
fn digit(c: char) -> Option<char> {
    if !has(&DIGIT, c) {
        return None;
    }
    let code = u32::from(c);
    let is_one = |code: &u32| char::from_u32(*code).is_some_and(|c| has(&DIGIT, c));
    let row = (0..code).rev().take_while(is_one).count();
    char::from_digit(u32::try_from(row % 10).ok()?, 10)
}

/// Small letters without accents, with one mark for whatever parts the words of a name, and where each stands in the plain text.
pub(super) fn folded(plain: &Spelled) -> (Vec<char>, Vec<usize>) {
    let mut chars: Vec<char> = Vec::with_capacity(plain.text.len());
    let mut places: Vec<usize> = Vec::new();
    for (at, c) in plain.text.char_indices() {
        let c = match c {
            c if c.is_alphanumeric() => c.to_lowercase().next().unwrap_or(c),
            _ if chars.last() == Some(&'-') => continue,
            _ => '-',
        };
        chars.push(c);
        places.push(at);
    }
    (chars, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_digit_are_one() {
        for text in [
            "198",
            "１９８",
            "¹⁹⁸",
            "₁₉₈",
            "①⑨⑧",
            "𝟙𝟡𝟠",
            "١٩٨",
            "۱۹۸",
            "१९८",
            "๑๙๘",
            "១៩៨",
            "1\u{200b}98",
            "1\u{332}9\u{332}8\u{332}",
            "1\u{fe0f}\u{20e3}98",
        ] {
            assert_eq!(Spelled::of(text).text, "198", "{text}");
        }
    }

    #[test]
    fn what_is_encoded_is_read_once_it_is_decoded() {
        for text in [
            "%31.2",
            "1%2e2",
            "1%252E2",
            "1%25252e2",
            "1&#46;2",
            "1&#x2e;2",
            "&#0049;.2",
            "1%EF%BC%8E2",
            "1&#xFF0E;2",
            "1%E2%80%8B.2",
        ] {
            let plain = Spelled::decoded(text).expect("it is encoded");
            assert_eq!(plain.text, "1.2", "{text}");
            assert_eq!(plain.written(&(0..3)), 0..text.len(), "{text}");
        }
        for text in [
            "100 %", "%", "%2", "%zz", "&", "&#", "&#;", "&#x;", "%ff", "&#46", "%C3%", "%C3%4",
        ] {
            let plain = Spelled::decoded(text).expect("it may be encoded");
            assert_eq!(plain.text, text);
        }
    }

    #[test]
    fn a_part_of_a_character_is_the_whole_of_it() {
        let text = "a⑴b";
        let plain = Spelled::of(text);
        assert_eq!(plain.text, "a(1)b");
        assert_eq!(plain.written(&(0..2)), 0..4);
        assert_eq!(plain.written(&(2..3)), 1..4);
        assert_eq!(plain.written(&(4..5)), 4..5);
    }

    #[test]
    fn accents_and_what_parts_words_do_not_count() {
        let letters = |text| folded(&Spelled::of(text)).0.into_iter().collect::<String>();
        assert_eq!(letters("KÖLN_Ｗ 1"), "koln-w-1");
        assert_eq!(letters("Ko\u{308}ln"), "koln");
        assert_eq!(letters("köln -- (1)"), "koln-1-");
    }
}
