//! Values of `dynamic` as bytes: JSON text has neither NaN nor infinity, and does not tell a datetime from a string.

use std::sync::Arc;

use crate::function::value::Json;

/// Nesting that is read back.
const MAX_DEPTH: usize = 128;

/// Writes a value.
pub(super) fn write(json: &Json, out: &mut Vec<u8>) {
    match json {
        Json::Null => out.push(0),
        Json::Bool(b) => out.extend([1, u8::from(*b)]),
        Json::Long(n) => number(2, *n, out),
        Json::Real(x) => number(3, x.to_bits() as i64, out),
        Json::String(text) => {
            out.push(4);
            bytes(text.as_bytes(), out);
        }
        Json::DateTime(t) => number(5, *t, out),
        Json::Timespan(t) => number(6, *t, out),
        Json::Guid(g) => {
            out.push(7);
            out.extend(g.to_le_bytes());
        }
        Json::Big(text) => {
            out.push(10);
            bytes(text.as_bytes(), out);
        }
        Json::Array(all) => {
            number(8, all.len() as i64, out);
            all.iter().for_each(|j| write(j, out));
        }
        Json::Bag(all) => {
            number(9, all.len() as i64, out);
            for (key, value) in all {
                bytes(key.as_bytes(), out);
                write(value, out);
            }
        }
    }
}

fn number(tag: u8, n: i64, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend(n.to_le_bytes());
}

fn bytes(text: &[u8], out: &mut Vec<u8>) {
    out.extend((text.len() as i64).to_le_bytes());
    out.extend(text);
}

/// Reads a value back; what is none is nothing.
pub(super) fn read(mut input: &[u8]) -> Option<Json> {
    value(&mut input, 0)
}

fn take<'i>(input: &mut &'i [u8], count: usize) -> Option<&'i [u8]> {
    let (head, rest) = input.split_at_checked(count)?;
    *input = rest;
    Some(head)
}

fn long(input: &mut &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(take(input, 8)?.try_into().ok()?))
}

fn text(input: &mut &[u8]) -> Option<Arc<str>> {
    let count = usize::try_from(long(input)?).ok()?;
    Some(std::str::from_utf8(take(input, count)?).ok()?.into())
}

fn value(input: &mut &[u8], depth: usize) -> Option<Json> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match take(input, 1)?[0] {
        0 => Json::Null,
        1 => Json::Bool(take(input, 1)?[0] != 0),
        2 => Json::Long(long(input)?),
        3 => Json::Real(f64::from_bits(long(input)? as u64)),
        4 => Json::String(text(input)?),
        5 => Json::DateTime(long(input)?),
        6 => Json::Timespan(long(input)?),
        7 => Json::Guid(u128::from_le_bytes(take(input, 16)?.try_into().ok()?)),
        8 => {
            let count = long(input)?;
            let mut all = Vec::new();
            for _ in 0..count {
                all.push(value(input, depth + 1)?);
            }
            Json::Array(all)
        }
        9 => {
            let count = long(input)?;
            let mut all = Vec::new();
            for _ in 0..count {
                all.push((text(input)?, value(input, depth + 1)?));
            }
            Json::Bag(all)
        }
        10 => Json::Big(text(input)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let json = Json::Array(vec![
            Json::Null,
            Json::Real(f64::INFINITY),
            Json::Big("18446744073709551616".into()),
            Json::DateTime(7),
            Json::Bag(vec![("a".into(), Json::String("b".into()))]),
            Json::Guid(9),
        ]);
        let mut out = Vec::new();
        write(&json, &mut out);
        assert_eq!(read(&out), Some(json));
        assert_eq!(read(&out[..out.len() - 1]), None);
        assert_eq!(read(&[8, 255, 255, 255, 255, 255, 255, 255, 127]), None);
    }
}
