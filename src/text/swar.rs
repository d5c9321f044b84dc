//! Eight bytes at a time: searches that end after a few bytes, where a call of a vector search costs more than it saves.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// A mark in the high bit of each byte of the word that equals `byte`. The lowest mark is right; marks above it may be false.
#[inline(always)]
pub fn equals(word: u64, byte: u8) -> u64 {
    let x = word ^ (ONES * u64::from(byte));
    x.wrapping_sub(ONES) & !x & HIGHS
}

/// The first of eight bytes that is marked.
#[inline(always)]
pub fn first(chunk: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    let bytes: [u8; 8] = chunk.try_into().expect("callers give eight bytes");
    let found = marks(u64::from_le_bytes(bytes));
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}

/// Where the first quote or backslash stands at or after `at`.
#[inline(always)]
pub fn quote_or_backslash(bytes: &[u8], mut at: usize) -> Option<usize> {
    // Most strings end within these; for the others a vector search pays.
    for _ in 0..4 {
        let Some(chunk) = bytes.get(at..at + 8) else {
            break;
        };
        if let Some(i) = first(chunk, |w| equals(w, b'"') | equals(w, b'\\')) {
            return Some(at + i);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    memchr::memchr2(b'"', b'\\', rest).map(|i| at + i)
}

/// Whether two short texts are equal, without the call that a comparison of slices is.
#[inline(always)]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let word = |bytes: &[u8]| -> u64 {
        u64::from_le_bytes(bytes.try_into().expect("chunks have eight bytes"))
    };
    let (mut left, mut right) = (a.chunks_exact(8), b.chunks_exact(8));
    for (left, right) in left.by_ref().zip(right.by_ref()) {
        if word(left) != word(right) {
            return false;
        }
    }
    match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        // Some of their bytes were compared already.
        (Some(left), Some(right)) => left == right,
        _ => {
            let rest = left.remainder().iter().zip(right.remainder());
            rest.fold(0, |differ, (left, right)| differ | (left ^ right)) == 0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_equal_where_each_byte_is() {
        for length in 0..40 {
            let text: Vec<u8> = (0..length).collect();
            for place in 0..text.len() {
                let mut other = text.clone();
                assert!(same(&text, &other));
                other[place] ^= 0x80;
                assert!(!same(&text, &other), "byte {place} of {length}");
                assert!(!same(&text, &text[..place]));
            }
            assert!(same(&text[..0], &[]));
        }
    }

    #[test]
    fn the_first_match_is_found_wherever_it_stands() {
        for length in 0..80 {
            for place in 0..length {
                for byte in [b'"', b'\\'] {
                    let mut text = vec![b'!'; length];
                    text[place] = byte;
                    // A byte one above the one looked for takes a false mark.
                    if place + 1 < length {
                        text[place + 1] = byte ^ 1;
                    }
                    assert_eq!(quote_or_backslash(&text, 0), Some(place));
                    assert_eq!(quote_or_backslash(&text, place + 1), None);
                }
            }
        }
    }
}
