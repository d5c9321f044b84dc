//! Whether JSON text is as short as Kusto prints it.
//!

/// An object with more keys is not looked through for one that stands there twice.
const MOST_KEYS: usize = 200;

/// Whether JSON text has no blanks outside its strings, no escapes that have a shorter form, no key twice in an object, and whole
/// numbers only: printing what it says would give the same text. `false` where that is not certain.
pub fn is_compact(json: &str) -> bool {
    let bytes = json.as_bytes();
    let mut at = 0;
    // The keys of all objects around, and where those of each begin.
    let mut keys: Vec<&[u8]> = Vec::new();
    let mut objects = Vec::new();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                let start = at;
                loop {
                    match bytes.get(at) {
                        Some(b'"') => break,
                        Some(b'\\') => match bytes.get(at + 1) {
                            Some(b'"' | b'\\' | b'n' | b'r' | b't' | b'b' | b'f') => at += 2,
                            _ => return false,
                        },
                        Some(byte) if *byte < b' ' => return false,
                        Some(_) => at += 1,
                        None => return false,
                    }
                }
                if bytes.get(at + 1) == Some(&b':') {
                    let own = objects.last().copied().unwrap_or(0);
                    let key = &bytes[start..at];
                    if keys.len() - own >= MOST_KEYS || keys[own..].contains(&key) {
                        return false;
                    }
                    keys.push(key);
                }
            }
            b'{' => objects.push(keys.len()),
            b'}' => keys.truncate(objects.pop().unwrap_or(0)),
            b'[' | b']' | b',' | b':' => {}
            b'a'..=b'z' => {
                let word = [&b"true"[..], b"false", b"null"]
                    .into_iter()
                    .find(|word| bytes[at..].starts_with(word));
                match word {
                    Some(word) => at += word.len() - 1,
                    None => return false,
                }
            }
            b'1'..=b'9' => {
                let digits = bytes[at..]
                    .iter()
                    .take_while(|b| b.is_ascii_digit())
                    .count();
                // Beyond 18 digits a number may not fit into a `long`.
                if digits > 18 || matches!(bytes.get(at + digits), Some(b'.' | b'e' | b'E')) {
                    return false;
                }
                at += digits - 1;
            }
            b'0' if !matches!(bytes.get(at + 1), Some(b'.' | b'e' | b'E' | b'0'..=b'9')) => {}
            b'-' if matches!(bytes.get(at + 1), Some(b'1'..=b'9')) => {}
            _ => return false,
        }
        at += 1;
    }
    !bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::is_compact;

    #[test]
    fn what_printing_would_change_is_not_compact() {
        for text in [
            r#"{"a":{"a":1,"b":2},"b":[{"a":1},{"a":2}]}"#,
            "{}",
            "[1,-2,0]",
            r#"{"a":"x y\n"}"#,
            "true",
            r#""a""#,
        ] {
            assert!(is_compact(text), "{text}");
        }
        for text in [
            "",
            " {}",
            "[1, 2]",
            "[1.0]",
            "1e3",
            "-0",
            "01",
            r#""\u0061""#,
            r#""\/""#,
            "\"a\tb\"",
            "\"a",
            "tru",
            "1234567890123456789",
            r#"{"a":{"b":1},"a":2}"#,
        ] {
            assert!(!is_compact(text), "{text}");
        }
    }
}
