//! JSON text as readers that forgive nothing take it, with the same content.

use std::borrow::Cow;

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::escape::{oddities, plain, quote, unescape};
use super::keys::Keys;
use super::reader::{Fault, MARK, Reader};

/// The text as every reader of JSON takes it and understands alike: itself, or a copy in which nothing is odd. Nothing where it is no
/// JSON. What [`super::find()`] found is taken too, also when it is one odd string.
pub fn strict(text: &str) -> Option<Cow<'_, str>> {
    let mut reader = Reader::new(text);
    let mut odd = text
        .get(..reader.at())
        .is_some_and(|head| head.contains(MARK));
    look(&mut reader, 0, &mut odd).ok()?;
    reader.end().ok()?;
    if !odd {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len() + 16);
    write(&mut Reader::new(text), 0, &mut out).ok()?;
    Some(Cow::Owned(out))
}

fn is_odd(inner: &str, escaped: bool) -> bool {
    let control = inner.bytes().fold(false, |odd, b| odd | (b < b' '));
    control
        || (escaped && {
            let found = oddities(inner);
            found.unknown || found.lone
        })
}

/// Passes over a value and notes whether anything in it is odd.
fn look(reader: &mut Reader<'_>, depth: usize, odd: &mut bool) -> Result<(), Fault> {
    match reader.peek() {
        Some(b'"') => {
            let (inner, escaped) = reader.string()?;
            *odd |= is_odd(inner, escaped);
            Ok(())
        }
        Some(b'{') => {
            let mut keys = Keys::default();
            reader.members(depth, |reader, key, escaped| {
                *odd |= is_odd(key, escaped)
                    || keys.before(xxh3_64(plain(key, escaped).as_bytes())) > 0;
                look(reader, depth + 1, odd)
            })
        }
        Some(b'[') => reader.elements(depth, |reader, _| look(reader, depth + 1, odd)),
        _ => reader.skip(depth),
    }
}

fn write(reader: &mut Reader<'_>, depth: usize, out: &mut String) -> Result<(), Fault> {
    match reader.peek() {
        Some(b'"') => {
            let (inner, escaped) = reader.string()?;
            quote(&plain(inner, escaped), out);
            Ok(())
        }
        Some(b'{') => {
            // The last of equal keys counts, at the place of the first.
            let mut members: Vec<(String, String)> = Vec::new();
            let mut index: HashMap<String, usize> = HashMap::new();
            reader.members(depth, |reader, key, escaped| {
                let key = match escaped {
                    true => unescape(key),
                    false => key.to_string(),
                };
                let mut value = String::new();
                write(reader, depth + 1, &mut value)?;
                match index.get(&key).and_then(|at| members.get_mut(*at)) {
                    Some(member) => member.1 = value,
                    None => {
                        index.insert(key.clone(), members.len());
                        members.push((key, value));
                    }
                }
                Ok(())
            })?;
            out.push('{');
            for (i, (key, value)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                quote(key, out);
                out.push(':');
                out.push_str(value);
            }
            out.push('}');
            Ok(())
        }
        Some(b'[') => {
            out.push('[');
            reader.elements(depth, |reader, n| {
                if n > 0 {
                    out.push(',');
                }
                write(reader, depth + 1, out)
            })?;
            out.push(']');
            Ok(())
        }
        _ => {
            out.push_str(reader.word()?);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_is_written_as_every_reader_takes_it() {
        for (text, plain) in [
            (r#"{"a":"C:\Users\bob"}"#, r#"{"a":"C:\\Users\\bob"}"#),
            (r#"{"a":1,"b":2,"\u0061":[3]}"#, r#"{"a":[3],"b":2}"#),
            ("[\"a\tb\", 1e400]", r#"["a\tb",1e400]"#),
            (r#"["\ud83d"]"#, "[\"\u{fffd}\"]"),
            ("\u{feff}{ }", "{}"),
            (r#""C:\x""#, r#""C:\\x""#),
        ] {
            let strict = strict(text);
            assert_eq!(strict.as_deref(), Some(plain), "{text}");
            assert!(
                serde_json::from_str::<serde_json::Value>(plain).is_ok() || plain.contains("e400")
            );
        }
        let same = r#"{ "a" : [1.50, "x\n\u00e9"], "b":{"a":1} }"#;
        assert!(matches!(strict(same), Some(Cow::Borrowed(text)) if text == same));
        assert_eq!(strict("{\"a\":NaN}"), None);
    }
}
