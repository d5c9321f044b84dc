//! Fingerprints of texts and instants, and how two become one.

use memchr::memchr;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::super::time;

/// Fingerprint of a string: times by their instant, everything else by its bytes.
pub fn text_fingerprint(text: &str) -> u128 {
    let b = text.as_bytes();
    if b.len() >= 19 && b[4] == b'-' && b[10] == b'T' {
        // A second 60 would be the next minute's first.
        if b[17] != b'6'
            && let Some(micros) = time::iso(b)
        {
            // What is finer than a microsecond counts, trailing zeros do not.
            let finer: &[u8] = match memchr(b'.', b) {
                Some(point) => {
                    let digits = &b[point + 1..];
                    let end = digits
                        .iter()
                        .position(|c| !c.is_ascii_digit())
                        .unwrap_or(digits.len());
                    digits.get(6..end).unwrap_or_default()
                }
                None => &[],
            };
            let end = finer.iter().rposition(|c| *c != b'0').map_or(0, |i| i + 1);
            return time_fingerprint(micros).wrapping_add(match end {
                0 => 0,
                _ => u128::from(xxh3_64(&finer[..end])),
            });
        }
    } else if let Some(micros) = time::dotnet(text) {
        return time_fingerprint(micros);
    }
    xxh3_128(b)
}

/// Fingerprint of an instant.
pub fn time_fingerprint(micros: i64) -> u128 {
    mix(0x7469_6d65, micros as u64 as u128)
}

/// Joins two fingerprints; the order counts.
#[inline] // it runs for every value of every record
pub fn mix(a: u128, b: u128) -> u128 {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let x = (a.rotate_left(41) ^ b).wrapping_mul(ODD);
    x ^ (x >> 71)
}
