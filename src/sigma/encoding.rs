//! Values as they look inside Base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::modifier::Encoding;

/// The texts that a value may be, encoded in these ways one after the other. The error says what is wrong.
pub(super) fn encoded(value: &str, encodings: &[Encoding]) -> Result<Vec<String>, String> {
    let mut bytes = value.as_bytes().to_vec();
    for (i, encoding) in encodings.iter().enumerate() {
        let is_last = i + 1 == encodings.len();
        bytes = match (encoding, is_last) {
            (Encoding::Base64, true) => return Ok(vec![STANDARD.encode(&bytes)]),
            (Encoding::Base64Offset, true) => {
                return Ok((0..3).map(|offset| at_offset(&bytes, offset)).collect());
            }
            (Encoding::Base64, false) => STANDARD.encode(&bytes).into_bytes(),
            (Encoding::Base64Offset, false) => {
                return Err("`base64offset` is the last of the encodings".into());
            }
            (_, true) => {
                return Err(
                    "a text in UTF-16 is searched for inside Base64: `wide|base64offset|contains`"
                        .into(),
                );
            }
            (wide, false) => utf16(&bytes, *wide)?,
        };
    }
    Ok(vec![value.to_string()])
}

fn utf16(bytes: &[u8], encoding: Encoding) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "UTF-16 is asked for twice".to_string())?;
    let mark = [0xfeff].into_iter().filter(|_| encoding == Encoding::Utf16);
    let units = mark.chain(text.encode_utf16());
    Ok(units
        .flat_map(|unit| match encoding {
            Encoding::Utf16Be => unit.to_be_bytes(),
            _ => unit.to_le_bytes(),
        })
        .collect())
}

/// What is the same in Base64 whatever stands before and behind the bytes, of which so many stand in the group of three that they begin in.
fn at_offset(bytes: &[u8], offset: usize) -> String {
    let mut padded = vec![b' '; offset];
    padded.extend_from_slice(bytes);
    let text = STANDARD.encode(&padded);
    // Characters that hold bits of what stands before: 8 bits are in two of six, 16 in three.
    let start = [0, 2, 3][offset];
    // Characters that hold bits of what stands behind, and the padding.
    let end = text.len() - [0, 3, 2][padded.len() % 3];
    text.get(start..end).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_base64_at_any_offset() {
        let variants = encoded("cmd.exe", &[Encoding::Base64Offset]).expect("it can be encoded");
        for (before, variant) in ["", "x", "xy"].iter().zip(&variants) {
            for behind in ["", "z", "zz", "zzz"] {
                let whole = STANDARD.encode(format!("{before}cmd.exe{behind}"));
                assert!(whole.contains(variant.as_str()), "{variant} in {whole}");
            }
        }
    }

    #[test]
    fn encodings_follow_each_other() {
        let encode = |e: &[Encoding]| encoded("ab", e);
        assert_eq!(encode(&[]), Ok(vec!["ab".to_string()]));
        assert_eq!(encode(&[Encoding::Base64]), Ok(vec!["YWI=".to_string()]));
        let wide = encode(&[Encoding::Utf16Le, Encoding::Base64]);
        assert_eq!(wide, Ok(vec![STANDARD.encode(b"a\0b\0")]));
        let marked = encode(&[Encoding::Utf16, Encoding::Base64]);
        assert_eq!(marked, Ok(vec![STANDARD.encode(b"\xff\xfea\0b\0")]));
        let big = encode(&[Encoding::Utf16Be, Encoding::Base64]);
        assert_eq!(big, Ok(vec![STANDARD.encode(b"\0a\0b")]));
        assert!(encode(&[Encoding::Utf16Le]).is_err());
    }
}
