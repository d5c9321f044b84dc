//! Hashes. `hash_many` and `hash_combine` are left out: how they combine is not documented.

use sha2::{Digest, Sha256};

use super::{Function, Typed, Want, long, take};
use crate::kql::value::{Type, Value};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The message with a one, zeros and its length, in blocks of 64 bytes.
fn padded(message: &[u8], length: [u8; 8]) -> Vec<u8> {
    let mut bytes = message.to_vec();
    bytes.push(0x80);
    while bytes.len() % 64 != 56 {
        bytes.push(0);
    }
    bytes.extend(length);
    bytes
}

fn md5(message: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [
        [7, 12, 17, 22],
        [5, 9, 14, 20],
        [4, 11, 16, 23],
        [6, 10, 15, 21],
    ];
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let bits = (message.len() as u64).wrapping_mul(8);
    for block in padded(message, bits.to_le_bytes()).chunks_exact(64) {
        let word = |i: usize| {
            let b = &block[4 * i..4 * i + 4];
            u32::from_le_bytes([b[0], b[1], b[2], b[3]])
        };
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64usize {
            let (mix, at) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
                2 => (b ^ c ^ d, (3 * i + 5) % 16),
                _ => (c ^ (b | !d), (7 * i) % 16),
            };
            let constant = (((i + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
            let sum = a
                .wrapping_add(mix)
                .wrapping_add(constant)
                .wrapping_add(word(at));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
        }
        for (part, add) in state.iter_mut().zip([a, b, c, d]) {
            *part = part.wrapping_add(add);
        }
    }
    let mut digest = [0; 16];
    for (part, bytes) in state.iter().zip(digest.chunks_exact_mut(4)) {
        bytes.copy_from_slice(&part.to_le_bytes());
    }
    digest
}

fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state = [
        0x6745_2301u32,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    let bits = (message.len() as u64).wrapping_mul(8);
    for block in padded(message, bits.to_be_bytes()).chunks_exact(64) {
        let mut words = [0u32; 80];
        for (word, b) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = u32::from_be_bytes([b[0], b[1], b[2], b[3]]);
        }
        for i in 16..80 {
            words[i] = (words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in words.iter().enumerate() {
            let (mix, constant) = match i / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999u32),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6),
            };
            let sum = a.rotate_left(5).wrapping_add(mix).wrapping_add(e);
            let sum = sum.wrapping_add(constant).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, sum);
        }
        for (part, add) in state.iter_mut().zip([a, b, c, d, e]) {
            *part = part.wrapping_add(add);
        }
    }
    let mut digest = [0; 20];
    for (part, bytes) in state.iter().zip(digest.chunks_exact_mut(4)) {
        bytes.copy_from_slice(&part.to_be_bytes());
    }
    digest
}

const P1: u64 = 0x9e37_79b1_85eb_ca87;
const P2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const P3: u64 = 0x1656_67b1_9e37_79f9;
const P4: u64 = 0x85eb_ca77_c2b2_ae63;
const P5: u64 = 0x27d4_eb2f_1656_67c5;

fn round(state: u64, lane: u64) -> u64 {
    state
        .wrapping_add(lane.wrapping_mul(P2))
        .rotate_left(31)
        .wrapping_mul(P1)
}

/// xxHash of 64 bits, seed 0.
fn xxhash64(message: &[u8]) -> u64 {
    let lane = |bytes: &[u8]| {
        let mut lane = [0; 8];
        lane.copy_from_slice(&bytes[..8]);
        u64::from_le_bytes(lane)
    };
    let mut rest = message;
    let mut hash = if message.len() >= 32 {
        let mut state = [P1.wrapping_add(P2), P2, 0, 0u64.wrapping_sub(P1)];
        while rest.len() >= 32 {
            for (i, part) in state.iter_mut().enumerate() {
                *part = round(*part, lane(&rest[8 * i..]));
            }
            rest = &rest[32..];
        }
        let turned = state
            .iter()
            .zip([1, 7, 12, 18])
            .map(|(part, by)| part.rotate_left(by));
        let mut hash = turned.fold(0u64, u64::wrapping_add);
        for part in state {
            hash = (hash ^ round(0, part)).wrapping_mul(P1).wrapping_add(P4);
        }
        hash
    } else {
        P5
    };
    hash = hash.wrapping_add(message.len() as u64);
    while rest.len() >= 8 {
        hash ^= round(0, lane(rest));
        hash = hash.rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
        rest = &rest[8..];
    }
    if rest.len() >= 4 {
        let word = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
        hash ^= u64::from(word).wrapping_mul(P1);
        hash = hash.rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
        rest = &rest[4..];
    }
    for byte in rest {
        hash ^= u64::from(*byte).wrapping_mul(P5);
        hash = hash.rotate_left(11).wrapping_mul(P1);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(P2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(P3);
    hash ^ (hash >> 32)
}

/// Only strings and dates: of other types it is not known which bytes Kusto takes.
fn number_type(arguments: &[Type]) -> Typed {
    take(&arguments[1..], &[Want::Integer], Type::Long)?;
    match arguments[0] {
        Type::String | Type::DateTime => Ok(Type::Long),
        other => Err(format!(
            "only a string or datetime is hashed here, not a {}; `tostring` converts it",
            other.name()
        )),
    }
}

fn number(a: &[Value]) -> Value {
    let hash = match &a[0] {
        Value::String(text) => xxhash64(text.as_bytes()),
        Value::DateTime(ticks) => xxhash64(&ticks.to_le_bytes()),
        _ => return Value::Null,
    };
    match a.get(1) {
        None => Value::Long(hash.cast_signed()),
        Some(_) => match long(a, 1).and_then(|by| u64::try_from(by).ok()) {
            Some(by) if by > 0 => Value::Long((hash % by).cast_signed()),
            _ => Value::Null,
        },
    }
}

const fn digest(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    eval: fn(&super::Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (1, 1),
        doc,
        example,
        answer,
        ty: |a| take(a, &[Want::Plain], Type::String),
        eval,
    }
}

const XXHASH: Function = Function {
    name: "hash_xxhash64",
    arguments: (1, 2),
    doc: "hash_xxhash64(text or date, modulus): xxHash of 64 bits, or its remainder",
    example: "print x = hash_xxhash64(\"World\")",
    answer: "1846988464401551951",
    ty: number_type,
    eval: |_, a| number(a),
};

pub(super) const TABLE: &[Function] = &[
    XXHASH,
    XXHASH.named("hash"),
    digest(
        "hash_md5",
        "hash_md5(value): MD5 of its text, in hexadecimal",
        "print x = hash_md5(\"World\")",
        "f5a7924e621e84c9280a9a27e1bcb7f6",
        |_, a| Value::from(hex(&md5(a[0].text().as_bytes()))),
    ),
    digest(
        "hash_sha1",
        "hash_sha1(value): SHA-1 of its text, in hexadecimal",
        "print x = hash_sha1(\"World\")",
        "70c07ec18ef89c5309bbb0937f3a6342411e1fdd",
        |_, a| Value::from(hex(&sha1(a[0].text().as_bytes()))),
    ),
    digest(
        "hash_sha256",
        "hash_sha256(value): SHA-256 of its text, in hexadecimal",
        "print x = hash_sha256(\"World\")",
        "78ae647dc5544d227130a0682a51e30bc7777fbb6d8a8f17007463a3ecd1d524",
        |_, a| Value::from(hex(&Sha256::digest(a[0].text().as_bytes()))),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_kustos_documentation() {
        let date = Value::DateTime(637_134_336_000_000_000);
        let text = date.show();
        assert_eq!(
            hex(&md5(text.as_bytes())),
            "786c530672d1f8db31fee25ea8a9390b"
        );
        assert_eq!(
            hex(&sha1(text.as_bytes())),
            "e903e533f4d636b4fc0dcf3cf81e7b7f330de776"
        );
        let date = Value::DateTime(635_556_672_000_000_000);
        assert_eq!(number(&[date]), Value::Long(1_380_966_698_541_616_202));
        assert_eq!(number(&["World".into(), Value::Long(100)]), Value::Long(51));
        assert_eq!(xxhash64(b"Hello"), 753_694_413_698_530_628);
        let long = "0123456789".repeat(10);
        assert_eq!(hex(&md5(long.as_bytes())).len(), 32);
    }
}
