//! Base64, punycode and compressed text. `base64_decode_toguid` is left out: its documented answer is not the inverse of
//! `base64_encode_fromguid`.

use std::io::{Read, Write};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use idna::punycode;

use super::arguments::{Want, items, take, text};
use super::definition::{BARE, Function};
use super::environment::Env;
use crate::function::value::{Json, Type, Value};

/// Longest text that is unpacked; what would be longer is empty.
const MAX_UNPACKED: u64 = 64 << 20;

/// Padding is needed; bits behind the last byte are not looked at.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));

fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The bytes of base64 with its padding; nothing where it is wrong.
fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// The bytes of a guid as .NET lays them out: its first three parts turned round.
fn guid_bytes(guid: u128) -> [u8; 16] {
    let mut bytes = guid.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

fn unpack(reader: impl Read) -> Value {
    let mut text = String::new();
    match reader.take(MAX_UNPACKED).read_to_string(&mut text) {
        Ok(length) if length as u64 == MAX_UNPACKED => Value::from(""),
        Ok(_) => Value::from(text),
        Err(_) => Value::from(""),
    }
}

/// What a packer writes, in base64; empty where nothing was written.
fn packed(bytes: std::io::Result<Vec<u8>>) -> Value {
    Value::from(bytes.map(|bytes| encode(&bytes)).unwrap_or_default())
}

/// Kusto stores what would not become smaller, as its documented answers show.
fn level(text: &[u8]) -> Compression {
    let mut small = ZlibEncoder::new(Vec::new(), Compression::fast());
    let size = small.write_all(text).and_then(|()| small.finish());
    match size.is_ok_and(|packed| packed.len() < text.len()) {
        true => Compression::fast(),
        false => Compression::none(),
    }
}

fn zlib(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), level(text));
    encoder.write_all(text)?;
    encoder.finish()
}

fn gzip(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), level(text));
    encoder.write_all(text)?;
    let mut bytes = encoder.finish()?;
    // Kusto's header names no effort.
    if let Some(effort) = bytes.get_mut(8) {
        *effort = 0;
    }
    Ok(bytes)
}

// Punycode, RFC 3492.
/// A domain name with each part that is not ASCII in punycode; what parts it becomes a point.
fn domain_to_punycode(domain: &str) -> Option<String> {
    let part = |part: &str| match part.is_ascii() {
        true => Some(part.to_owned()),
        false => punycode::encode_str(part).map(|part| format!("xn--{part}")),
    };
    // IDNA takes these points of Asian scripts too.
    let parts = domain.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']);
    let parts: Option<Vec<String>> = parts.map(part).collect();
    Some(parts?.join("."))
}

/// A domain name with each part that begins with `xn--` decoded.
fn domain_from_punycode(domain: &str) -> Option<String> {
    let part = |part: &str| match part.split_at_checked(4) {
        Some((prefix, code)) if prefix.eq_ignore_ascii_case("xn--") => {
            punycode::decode_to_string(code)
        }
        _ => Some(part.to_owned()),
    };
    let parts: Option<Vec<String>> = domain.split('.').map(part).collect();
    Some(parts?.join("."))
}

/// A function from text to text.
const fn texts(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    eval: fn(&Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (1, 1),
        doc,
        example,
        answer,
        ty: |a| take(a, &[Want::Text], Type::String),
        eval,
        ..BARE
    }
}

const ENCODE: Function = texts(
    "base64_encode_tostring",
    "base64_encode_tostring(text): its UTF-8 in base64",
    "print x = base64_encode_tostring(\"Kusto\")",
    "S3VzdG8=",
    |_, a| Value::from(encode(text(a, 0).as_bytes())),
);
const DECODE: Function = texts(
    "base64_decode_tostring",
    "base64_decode_tostring(text): the UTF-8 in base64; empty where it is none",
    "print x = base64_decode_tostring(\"S3VzdG8=\")",
    "Kusto",
    |_, a| {
        let bytes = decode(&text(a, 0));
        Value::from(
            bytes
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .unwrap_or_default(),
        )
    },
);

pub(super) const TABLE: &[Function] = &[
    ENCODE,
    ENCODE.named("base64_encodestring"),
    DECODE,
    DECODE.named("base64_decodestring"),
    Function {
        name: "base64_decode_toarray",
        arguments: (1, 1),
        doc: "base64_decode_toarray(text): an array of the bytes in base64; null where it is none",
        example: "print x = base64_decode_toarray(\"S3VzdG8=\")",
        answer: "[75,117,115,116,111]",
        ty: |a| take(a, &[Want::Text], Type::Dynamic),
        eval: |_, a| match decode(&text(a, 0)) {
            Some(bytes) => Value::dynamic(Json::Array(
                bytes
                    .into_iter()
                    .map(|b| Json::Long(i64::from(b)))
                    .collect(),
            )),
            None => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "base64_encode_fromarray",
        arguments: (1, 1),
        doc: "base64_encode_fromarray(array): bytes in base64; empty where an element is none",
        example: "print x = base64_encode_fromarray(dynamic([75, 117, 115, 116, 111]))",
        answer: "S3VzdG8=",
        ty: |a| take(a, &[Want::Dynamic], Type::String),
        eval: |_, a| {
            let byte = |item: &Json| match item {
                Json::Long(value) => u8::try_from(*value).ok(),
                _ => None,
            };
            let bytes: Option<Vec<u8>> =
                items(a, 0).and_then(|items| items.iter().map(byte).collect());
            Value::from(bytes.map(|bytes| encode(&bytes)).unwrap_or_default())
        },
        ..BARE
    },
    Function {
        name: "base64_encode_fromguid",
        arguments: (1, 1),
        doc: "base64_encode_fromguid(guid): its bytes in base64, laid out as .NET does",
        example: "print x = base64_encode_fromguid(toguid(\"ae3133f2-6e22-49ae-b06a-16e6a9b212eb\"))",
        answer: "8jMxriJurkmwahbmqbIS6w==",
        // A string that is no guid is taken too, and gives nothing.
        ty: |a| match a {
            [Type::String] => Ok(Type::String),
            _ => take(a, &[Want::Guid], Type::String),
        },
        eval: |_, a| {
            Value::from(
                a[0].to_guid()
                    .map(|guid| encode(&guid_bytes(guid)))
                    .unwrap_or_default(),
            )
        },
        ..BARE
    },
    texts(
        "punycode_from_string",
        "punycode_from_string(text): the text in punycode",
        "print x = punycode_from_string(\"艺术\")",
        "cqv902d",
        |_, a| Value::from(punycode::encode_str(&text(a, 0)).unwrap_or_default()),
    ),
    texts(
        "punycode_to_string",
        "punycode_to_string(text): the text that is in punycode; empty where it is none",
        "print x = punycode_to_string(\"cqv902d\")",
        "艺术",
        |_, a| Value::from(punycode::decode_to_string(&text(a, 0)).unwrap_or_default()),
    ),
    texts(
        "punycode_domain_to_string",
        "punycode_domain_to_string(domain): the domain name with the parts that need it in punycode",
        "print x = punycode_domain_to_string(\"www.艺术.com\")",
        "www.xn--cqv902d.com",
        |_, a| Value::from(domain_to_punycode(&text(a, 0)).unwrap_or_default()),
    ),
    texts(
        "punycode_domain_from_string",
        "punycode_domain_from_string(domain): the domain name with its parts in punycode decoded; empty where one is wrong",
        "print x = punycode_domain_from_string(\"www.xn--cqv902d.com\")",
        "www.艺术.com",
        |_, a| Value::from(domain_from_punycode(&text(a, 0)).unwrap_or_default()),
    ),
    texts(
        "zlib_compress_to_base64_string",
        "zlib_compress_to_base64_string(text): the text packed by zlib, in base64",
        "print x = zlib_compress_to_base64_string(\"1234567890qwertyuiop\")",
        "eAEBFADr/zEyMzQ1Njc4OTBxd2VydHl1aW9wOAkGdw==",
        |_, a| packed(zlib(text(a, 0).as_bytes())),
    ),
    texts(
        "gzip_compress_to_base64_string",
        "gzip_compress_to_base64_string(text): the text packed by gzip, in base64",
        "print x = gzip_compress_to_base64_string(\"1234567890qwertyuiop\")",
        "H4sIAAAAAAAA/wEUAOv/MTIzNDU2Nzg5MHF3ZXJ0eXVpb3A6m7f2FAAAAA==",
        |_, a| packed(gzip(text(a, 0).as_bytes())),
    ),
    texts(
        "zlib_decompress_from_base64_string",
        "zlib_decompress_from_base64_string(text): the text that zlib packed; empty where it is none",
        "print x = zlib_decompress_from_base64_string(\"eJwLSS0uUSguKcrMS1cwNDIGACxqBQ4=\")",
        "Test string 123",
        |_, a| {
            decode(&text(a, 0)).map_or(Value::from(""), |bytes| unpack(ZlibDecoder::new(&*bytes)))
        },
    ),
    texts(
        "gzip_decompress_from_base64_string",
        "gzip_decompress_from_base64_string(text): the text that gzip packed; empty where it is none",
        "print x = gzip_decompress_from_base64_string(\"H4sIAAAAAAAA/wEUAOv/MTIzNDU2Nzg5MHF3ZXJ0eXVpb3A6m7f2FAAAAA==\")",
        "1234567890qwertyuiop",
        |_, a| decode(&text(a, 0)).map_or(Value::from(""), |bytes| unpack(GzDecoder::new(&*bytes))),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_needs_its_padding() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("QQ==", Some(b"A")),
            // Bits behind the last byte.
            ("QR==", Some(b"A")),
            ("QQ", None),
            ("QQ=", None),
            ("Q===", None),
            ("QQ==QQ==", None),
            ("Q Q=", None),
            ("Q-_=", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn domains_are_those_of_kustos_documentation() {
        for (domain, code) in [
            (
                "Riðill｡Skáldskaparmál｡org",
                "xn--Riill-jta.xn--Skldskaparml-dbbj.org",
            ),
            (
                "Lê Lợi。Thuận Thiên。com",
                "xn--L Li-gpa4517b.xn--Thun Thin-s4a7194f.com",
            ),
        ] {
            assert_eq!(domain_to_punycode(domain).as_deref(), Some(code));
            let back = domain.replace(['｡', '。'], ".");
            assert_eq!(domain_from_punycode(code), Some(back));
        }
        assert_eq!(
            domain_from_punycode("XN--Ge-mia.Bulg.edu").as_deref(),
            Some("Gáe.Bulg.edu")
        );
        assert_eq!(domain_from_punycode("xn--é.com"), None);
    }

    #[test]
    fn what_is_packed_comes_back() {
        for text in ["", "a", &"contoso.com ".repeat(10_000), "é\u{0}"] {
            let bytes = [zlib(text.as_bytes()), gzip(text.as_bytes())].map(Result::ok);
            let [Some(z), Some(g)] = bytes else {
                panic!("{text}");
            };
            assert!(z.len() < text.len() || text.len() < 10);
            assert_eq!(unpack(ZlibDecoder::new(&*z)), Value::from(text));
            assert_eq!(unpack(GzDecoder::new(&*g)), Value::from(text));
        }
    }
}
