//! Hashes. `hash_many` and `hash_combine` are left out: how they combine is not documented.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use twox_hash::XxHash64;

use super::arguments::{Typed, Want, long, take};
use super::definition::{BARE, Function, lifted};
use crate::function::value::{Cell, Type, Value};

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
        Value::String(text) => XxHash64::oneshot(0, text.as_bytes()),
        Value::DateTime(ticks) => XxHash64::oneshot(0, &ticks.to_le_bytes()),
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

/// A hash of text, in hexadecimal.
macro_rules! digest {
    ($of:ident, $name:expr, $doc:expr, $example:expr, $answer:expr) => {
        lifted! {
            0b1,
            |a, room| {
                *room = hex::encode($of::digest(a[0].text().as_bytes()));
                Cell::String(room)
            },
            name: $name,
            arguments: (1, 1),
            doc: $doc,
            example: $example,
            answer: $answer,
            ty: |a| take(a, &[Want::Plain], Type::String),
        }
    };
}

const XXHASH: Function = Function {
    name: "hash_xxhash64",
    arguments: (1, 2),
    doc: "hash_xxhash64(text or date, modulus): xxHash of 64 bits, or its remainder",
    example: "print x = hash_xxhash64(\"World\")",
    answer: "1846988464401551951",
    ty: number_type,
    eval: |_, a| number(a),
    ..BARE
};

pub(super) const TABLE: &[Function] = &[
    XXHASH,
    XXHASH.named("hash"),
    digest!(
        Md5,
        "hash_md5",
        "hash_md5(value): MD5 of its text, in hexadecimal",
        "print x = hash_md5(\"World\")",
        "f5a7924e621e84c9280a9a27e1bcb7f6"
    ),
    digest!(
        Sha1,
        "hash_sha1",
        "hash_sha1(value): SHA-1 of its text, in hexadecimal",
        "print x = hash_sha1(\"World\")",
        "70c07ec18ef89c5309bbb0937f3a6342411e1fdd"
    ),
    digest!(
        Sha256,
        "hash_sha256",
        "hash_sha256(value): SHA-256 of its text, in hexadecimal",
        "print x = hash_sha256(\"World\")",
        "78ae647dc5544d227130a0682a51e30bc7777fbb6d8a8f17007463a3ecd1d524"
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
            hex::encode(Md5::digest(text.as_bytes())),
            "786c530672d1f8db31fee25ea8a9390b"
        );
        assert_eq!(
            hex::encode(Sha1::digest(text.as_bytes())),
            "e903e533f4d636b4fc0dcf3cf81e7b7f330de776"
        );
        let date = Value::DateTime(635_556_672_000_000_000);
        assert_eq!(number(&[date]), Value::Long(1_380_966_698_541_616_202));
        assert_eq!(number(&["World".into(), Value::Long(100)]), Value::Long(51));
        assert_eq!(XxHash64::oneshot(0, b"Hello"), 753_694_413_698_530_628);
    }
}
