//! What a path leads to in JSON text, found in one pass, without anything made of the rest.

use std::sync::Arc;

use super::escape::plain;
use super::reader::{Fault, Reader};

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A property.
    Member(Arc<str>),
    /// An element, from the end where it is negative.
    Element(i64),
}

/// What a path leads to, as it stands there; nothing where the text as a whole is no JSON or has no such place.
pub fn find<'t>(text: &'t str, path: &[Place]) -> Option<&'t str> {
    let mut reader = Reader::new(text);
    if reader.is_odd_string() {
        return None;
    }
    let found = look(&mut reader, path, 0).ok()?;
    reader.end().ok()?;
    let (start, end) = found?;
    text.get(start..end)
}

type Found = Option<(usize, usize)>;

/// Passes over the value that is next and says where in it the path leads.
fn look(reader: &mut Reader<'_>, path: &[Place], depth: usize) -> Result<Found, Fault> {
    let Some((place, rest)) = path.split_first() else {
        let start = reader.at();
        reader.skip(depth)?;
        return Ok(Some((start, reader.at())));
    };
    match (reader.peek(), place) {
        (Some(b'{'), Place::Member(name)) => {
            let mut found = None;
            reader.members(depth, |reader, key, escaped| {
                // The last of equal keys counts.
                if *plain(key, escaped) == **name {
                    found = look(reader, rest, depth + 1)?;
                    return Ok(());
                }
                reader.skip(depth + 1)
            })?;
            Ok(found)
        }
        (Some(b'['), Place::Element(index)) if *index >= 0 => {
            let mut found = None;
            reader.elements(depth, |reader, n| {
                if i64::try_from(n) == Ok(*index) {
                    found = look(reader, rest, depth + 1)?;
                    return Ok(());
                }
                reader.skip(depth + 1)
            })?;
            Ok(found)
        }
        (Some(b'['), Place::Element(index)) => {
            // Which element it is shows at the end, so that of each it is noted where the path would lead.
            let mut found = Vec::new();
            reader.elements(depth, |reader, _| {
                found.push(look(reader, rest, depth + 1)?);
                Ok(())
            })?;
            let back = index.checked_neg().and_then(|n| usize::try_from(n).ok());
            let at = back.and_then(|back| found.len().checked_sub(back));
            Ok(at.and_then(|at| found.get(at).copied().flatten()))
        }
        _ => {
            reader.skip(depth)?;
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_last_of_equal_keys_and_into_nothing_else() {
        let member = |name: &str| Place::Member(name.into());
        let at = |text: &'static str, path: &[Place]| find(text, path).map(str::to_string);
        let text = r#"{"a":{"b":1},"\u0061":{"c":[ 7 , {"d":"C:\x"} ]},"e":1,"e":null}"#;
        assert_eq!(at(text, &[member("a"), member("b")]), None);
        assert_eq!(at(text, &[member("e")]).as_deref(), Some("null"));
        let c = [member("a"), member("c")];
        assert_eq!(at(text, &c).as_deref(), Some(r#"[ 7 , {"d":"C:\x"} ]"#));
        for last in [1, -1] {
            let path = [&c[..], &[Place::Element(last), member("d")]].concat();
            assert_eq!(at(text, &path).as_deref(), Some(r#""C:\x""#));
        }
        for none in [2, -3, i64::MIN, i64::MAX] {
            let path = [&c[..], &[Place::Element(none)]].concat();
            assert_eq!(at(text, &path), None);
        }
        assert_eq!(at(r#"{"a":1,"b":}"#, &[member("a")]), None);
        assert_eq!(at(r#"{"a":1} x"#, &[member("a")]), None);
        assert_eq!(at(r#""C:\x""#, &[]), None);
        assert_eq!(
            at("\u{feff}{\"a\":1}", &[member("a")]).as_deref(),
            Some("1")
        );
    }
}
