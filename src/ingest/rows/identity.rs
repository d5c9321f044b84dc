//! Identities of events, as numbers.

use xxhash_rust::xxh3::xxh3_128;

/// Hash of an identity: the 128 bits of a GUID, else a hash of the lower-cased text.
pub fn id_key(text: &str) -> Option<u128> {
    let text = text.trim();
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    let text = inner.map_or(text, str::trim);
    if text.is_empty() {
        return None;
    }
    if let Some(guid) = guid(text.as_bytes()) {
        return Some(guid);
    }
    Some(if text.bytes().any(|b| b.is_ascii_uppercase()) {
        xxh3_128(text.to_ascii_lowercase().as_bytes())
    } else {
        xxh3_128(text.as_bytes())
    })
}

/// The 128 bits of a GUID.
pub fn guid(b: &[u8]) -> Option<u128> {
    if b.len() != 36 {
        return None;
    }
    let mut out: u128 = 0;
    for (i, c) in b.iter().enumerate() {
        if matches!(i, 8 | 13 | 18 | 23) {
            if *c != b'-' {
                return None;
            }
            continue;
        }
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' => c - b'a' + 10,
            b'A'..=b'F' => c - b'A' + 10,
            _ => return None,
        };
        out = out << 4 | u128::from(digit);
    }
    Some(out)
}
