//! Rows in another encoding than their file, as editors and appending scripts leave them.

use crate::text::csv::Fields;

/// What is said of rows that are read in another encoding than their file.
pub const WINDOWS: &str = "rows are not UTF-8 as their file is: read as Windows-1252";

/// Why rows are refused whose letters are pairs of others.
pub const PAIRS: &str =
    "the encoding changes here: text of one byte a letter in a file in UTF-16, split the file";

impl Fields {
    /// Reads the fields from this one on as Windows-1252, where they can be nothing else; says whether they were.
    pub fn read_as_windows(&mut self, first: usize) -> bool {
        if !self.iter().skip(first).all(is_windows) {
            return false;
        }
        let decoded: Vec<String> = self
            .iter()
            .skip(first)
            .map(|field| {
                let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(field);
                text.into_owned()
            })
            .collect();
        self.cut_back(first);
        for field in decoded {
            self.push(field.as_bytes());
        }
        true
    }
}

/// Whether a text that is not UTF-8 may be Windows-1252. With letters in UTF-8 beside those that are none, or with half of one, it is UTF-8
/// that was damaged.
fn is_windows(text: &[u8]) -> bool {
    let undefined = |b: &u8| matches!(b, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
    let control = |b: u8| b == 0x7f || (b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c));
    text.utf8_chunks().all(|chunk| {
        let (valid, invalid) = (chunk.valid(), chunk.invalid());
        valid.is_ascii()
            && !valid.bytes().any(control)
            && invalid.len() <= 1
            && !invalid.iter().any(undefined)
    })
}

/// Whether a text is one in ASCII that was read as UTF-16, two letters as one.
pub fn are_pairs(text: &[u8]) -> bool {
    /// Letters that are looked at: in a Chinese text, of so many some are none.
    const LETTERS: std::ops::Range<usize> = 16..64;
    let is_ascii = |b: u8| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let is_pair = |letter: char| {
        let unit = u16::try_from(u32::from(letter)).unwrap_or_default();
        unit.to_be_bytes().into_iter().all(is_ascii)
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let mut letters = text.chars().take(LETTERS.end);
    text.chars().nth(LETTERS.start).is_some() && letters.all(is_pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_that_is_nothing_else_is_windows() {
        assert!(is_windows(b"jos\xe9") && is_windows(b"10 \x80") && is_windows(b"a"));
        assert!(!is_windows(b"\xff\x01") && !is_windows(b"\x81"));
        assert!(!is_windows("é".as_bytes()) && !is_windows(b"\xc3\xa9\xe9"));
        assert!(!is_windows(b"\xf0\x9f\x98"));
    }

    #[test]
    fn letters_that_are_pairs_are_told() {
        let ascii = b"7b0f0c6e-0000-4000-8000-000000000001,2026-05-04T09:12:00Z,\r\n";
        let units = ascii
            .chunks(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let text: String = char::decode_utf16(units)
            .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        assert!(are_pairs(text.as_bytes()));
        assert!(!are_pairs(ascii) && !are_pairs("監査ログの記録です。".repeat(3).as_bytes()));
    }
}
