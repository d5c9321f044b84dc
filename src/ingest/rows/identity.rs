//! Identities of events, as numbers.

use xxhash_rust::xxh3::xxh3_128;

/// Hash of an identity: the 128 bits of a GUID, else a hash of the lower-cased text.
pub fn id_key(text: &str) -> Option<u128> {
    // Nearly all are.
    if let Some(guid) = guid(text.as_bytes()) {
        return Some(guid);
    }
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
    let b: &[u8; 36] = b.try_into().ok()?;
    if [8, 13, 18, 23].iter().any(|dash| b[*dash] != b'-') {
        return None;
    }
    // Whether one of them is no digit shows at the end.
    let mut all = 0;
    let mut number = |digits: &[u8]| {
        digits.iter().fold(0u64, |number, letter| {
            let digit = DIGITS[usize::from(*letter)];
            all |= digit;
            number << 4 | u64::from(digit & 0xf)
        })
    };
    let high = number(&b[..8]) << 32 | number(&b[9..13]) << 16 | number(&b[14..18]);
    let low = number(&b[19..23]) << 48 | number(&b[24..]);
    (all <= 0xf).then_some(u128::from(high) << 64 | u128::from(low))
}

/// What letters are as digits of a hexadecimal number; 255 those that are none.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut n = 0;
    while n < 16 {
        digits[b"0123456789abcdef"[n] as usize] = n as u8;
        digits[b"0123456789ABCDEF"[n] as usize] = n as u8;
        n += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_its_number_and_one_wrong_letter_makes_it_none() {
        let text = "3D76d93f-aeb7-45af-8800-3afDAB17B6F4";
        assert_eq!(
            guid(text.as_bytes()),
            Some(0x3d76_d93f_aeb7_45af_8800_3afd_ab17_b6f4)
        );
        for place in 0..text.len() {
            let mut other = text.as_bytes().to_vec();
            other[place] = b'g';
            assert_eq!(guid(&other), None, "{place}");
            assert_eq!(guid(&other[..place]), None);
        }
    }
}
