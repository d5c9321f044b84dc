//! JSON records: cutting a stream of values into records, and one pass over a record that checks it, limits its depth, picks the values at
//! known paths as slices of the input, and computes a fingerprint of its content.
//!
//! How JSON is read, and what is forgiven, is the policy of [`crate::text::json`]. Knows nothing of what the keys mean.
//!
//! # What a fingerprint tells apart
//!
//! Of two records with one identity and one fingerprint the second is counted and dropped. So what says the same may differ, but what differs in
//! what it says must not be the same.
//!
//! | the same | not the same |
//! |---|---|
//! | keys in another order, blanks, a byte order mark | elements in another order; equal keys in another order, or once instead of twice |
//! | `\/` and `/`, `\u0061` and `a`, `C:\\x` and `C:\x` | other letters, also other case, of GUIDs too; other halves of surrogate pairs |
//! | one instant, in ISO 8601 with any offset (with none it is UTC) and any zeros behind it, or as `/Date(…)/` | instants 100 ns apart; a text that only begins or ends as a time |
//! | `"x@odata.type":"#Int64"` there or not there | any other key with an `@` |
//! | | `1`, `1.0`, `1e0` and `"1"`; `true` and `"true"`; `null`, `""`, `{}` and no key at all |
//!
//! [`super::rows`] says the same of rows that have no record of their own.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_128;

use crate::text::json::{Keys, Reader, plain, unescaped};

mod apart;
mod cut;
mod paths;
mod print;

pub use crate::text::json::{Fault, Raw, unescape};
pub use apart::{apart, begin_like};
pub use cut::{Cutter, MAX_INDENT};
pub use paths::{KeyOrder, Paths};
use paths::{Seen, Wanted};
pub use print::{mix, text_fingerprint, time_fingerprint};

/// Walks over one object; `pick` receives the slot and value of each wanted path, in the order of the text. The last value of a slot
/// counts: where a key stands there again, its slots are set to null first.
///
/// Returns the fingerprint; see the module's docs. `keys` are those of the records before that were walked with these paths.
///
/// # Errors
/// When the text is not one JSON object, or nested too deeply.
pub fn walk<'a>(
    text: &'a str,
    paths: &Paths,
    keys: &mut KeyOrder,
    mut pick: impl FnMut(usize, Raw<'a>),
) -> Result<u128, Fault> {
    let mut reader = Reader::new(text);
    reader.object()?;
    let wanted = Want {
        paths,
        keys: Some(keys),
    };
    let print = object(&mut reader, Prints::Wanted, Some(wanted), 0, &mut pick)?;
    reader.end()?;
    Ok(print)
}

/// The same without the fingerprint.
///
/// # Errors
/// As [`walk`].
pub fn pick<'a>(
    text: &'a str,
    paths: &Paths,
    mut pick: impl FnMut(usize, Raw<'a>),
) -> Result<(), Fault> {
    let mut reader = Reader::new(text);
    reader.object()?;
    let wanted = Want { paths, keys: None };
    object(&mut reader, Prints::None, Some(wanted), 0, &mut pick)?;
    reader.end()
}

/// A value that is still to be read. Reading it one way or another moves on; a value that is not read at all is passed over.
pub struct Value<'w, 'a> {
    reader: &'w mut Reader<'a>,
    depth: usize,
    read: &'w mut bool,
}

impl<'a> Value<'_, 'a> {
    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.reader.peek() == Some(b'{')
    }

    /// The value as it stands.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn raw(self) -> Result<Raw<'a>, Fault> {
        *self.read = true;
        self.reader.raw(self.depth)
    }

    /// Goes over the members of an object.
    ///
    /// # Errors
    /// When it is no object, or what `each` says.
    pub fn members(
        self,
        mut each: impl FnMut(&str, Value<'_, 'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        *self.read = true;
        read_members(self.reader, self.depth, &mut each)
    }

    /// Picks paths from an object, and gives its text and its fingerprint.
    ///
    /// # Errors
    /// When it is no object.
    pub fn walk(
        self,
        paths: &Paths,
        keys: &mut KeyOrder,
        mut pick: impl FnMut(usize, Raw<'a>),
    ) -> Result<(&'a str, u128), Fault> {
        *self.read = true;
        self.reader.object()?;
        let start = self.reader.at();
        let wanted = Want {
            paths,
            keys: Some(keys),
        };
        let print = object(
            self.reader,
            Prints::Wanted,
            Some(wanted),
            self.depth,
            &mut pick,
        )?;
        Ok((self.reader.since(start), print))
    }
}

/// Goes over the members of one object, in order; `each` reads the values as it likes, each once.
///
/// # Errors
/// As [`walk`], and what `each` says.
pub fn members<'a>(
    text: &'a str,
    mut each: impl FnMut(&str, Value<'_, 'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut reader = Reader::new(text);
    read_members(&mut reader, 0, &mut each)?;
    reader.end()
}

fn read_members<'a>(
    reader: &mut Reader<'a>,
    depth: usize,
    each: &mut dyn FnMut(&str, Value<'_, 'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    reader.object()?;
    reader.members(depth, |reader, key, escaped| {
        let mut read = false;
        let value = Value {
            reader: &mut *reader,
            depth: depth + 1,
            read: &mut read,
        };
        each(&plain(key, escaped), value)?;
        match read {
            true => Ok(()),
            false => reader.skip(depth + 1),
        }
    })
}

/// Calls `each` with every key and value of one object, in order.
///
/// # Errors
/// As [`walk`].
pub fn entries<'a>(
    text: &'a str,
    mut each: impl FnMut(Cow<'a, str>, Raw<'a>),
) -> Result<(), Fault> {
    let mut reader = Reader::new(text);
    reader.object()?;
    reader.members(0, |reader, key, escaped| {
        let value = reader.raw(1)?;
        each(plain(key, escaped), value);
        Ok(())
    })?;
    reader.end()
}

/// Calls `each` with every element of one array, in order.
///
/// # Errors
/// When the text is not one JSON array.
pub fn elements<'a>(text: &'a str, mut each: impl FnMut(usize, Raw<'a>)) -> Result<(), Fault> {
    let mut reader = Reader::new(text);
    reader.array()?;
    reader.elements(0, |reader, n| {
        each(n, reader.raw(1)?);
        Ok(())
    })?;
    reader.end()
}

/// Fingerprint of any JSON value.
///
/// # Errors
/// When the text is not one JSON value.
pub fn fingerprint(text: &str) -> Result<u128, Fault> {
    let mut reader = Reader::new(text);
    if reader.is_odd_string() {
        return Err(Fault::Unexpected(reader.at()));
    }
    let print = value(&mut reader, Prints::Wanted, 0)?;
    reader.end()?;
    Ok(print)
}

/// Whether fingerprints are wanted; without, every one is 0.
#[derive(Clone, Copy, PartialEq)]
enum Prints {
    Wanted,
    None,
}

fn string_print(inner: &str, escaped: bool) -> u128 {
    if !escaped {
        return text_fingerprint(inner);
    }
    let (text, odd) = unescaped(inner);
    match odd.lone {
        // What is lost of them in the text still tells strings apart.
        true => mix(2, xxh3_128(inner.as_bytes())),
        false => text_fingerprint(&text),
    }
}

/// Whether a member says nothing but which type OData gave another one.
fn is_annotation(key: &str, value: Option<Raw<'_>>) -> bool {
    key.as_bytes().contains(&b'@')
        && key.ends_with("@odata.type")
        && matches!(value, Some(Raw::Text { inner, .. }) if inner.starts_with('#'))
}

/// What is wanted of an object's members.
struct Want<'w> {
    paths: &'w Paths,
    /// Keys of the objects before; nothing where objects are too small or too rare.
    keys: Option<&'w mut KeyOrder>,
}

impl<'w> Want<'w> {
    /// What is wanted of a key, and the key's fingerprint where it is known.
    fn of(&mut self, key: &str) -> (Option<&'w Wanted>, Option<u128>) {
        let paths = self.paths;
        match &mut self.keys {
            Some(keys) => {
                let (wanted, print) = keys.find(key, paths);
                (wanted, Some(print))
            }
            None => {
                let wanted = paths.get(key);
                (wanted, wanted.map(|w| w.print))
            }
        }
    }
}

fn object<'a>(
    reader: &mut Reader<'a>,
    prints: Prints,
    mut want: Option<Want<'_>>,
    depth: usize,
    pick: &mut dyn FnMut(usize, Raw<'a>),
) -> Result<u128, Fault> {
    let mut sum: u128 = 0x6f62_6a65_6374;
    let mut seen = Seen::default();
    let mut keys = Keys::default();
    reader.members(depth, |reader, key, escaped| {
        let key = plain(key, escaped);
        let (wanted, known) = match &mut want {
            Some(want) => want.of(&key),
            None => (None, None),
        };
        if let Some(wanted) = wanted
            && seen.again(wanted.number)
        {
            wanted.forget(pick);
        }
        let start = reader.at();
        let below = wanted.and_then(|w| w.below.as_ref());
        let (print, text) = match (below, reader.peek()) {
            (Some(paths), Some(b'{')) => {
                let below = Want { paths, keys: None };
                (object(reader, prints, Some(below), depth + 1, pick)?, None)
            }
            (_, Some(b'"')) => {
                let (inner, escaped) = reader.string()?;
                let print = match prints {
                    Prints::Wanted => string_print(inner, escaped),
                    Prints::None => 0,
                };
                (print, Some(Raw::Text { inner, escaped }))
            }
            _ => (value(reader, prints, depth + 1)?, None),
        };
        if let Some(slot) = wanted.and_then(|w| w.slot) {
            pick(slot, text.unwrap_or_else(|| Raw::of(reader.since(start))));
        }
        if prints == Prints::Wanted && !is_annotation(&key, text) {
            let own = known.unwrap_or_else(|| xxh3_128(key.as_bytes()));
            // Members are summed up, so that their order does not count; that of equal keys does.
            let own = match keys.before(own as u64) {
                0 => own,
                before => mix(own, u128::from(before)),
            };
            sum = sum.wrapping_add(mix(own, print));
        }
        Ok(())
    })?;
    Ok(sum)
}

fn value(reader: &mut Reader<'_>, prints: Prints, depth: usize) -> Result<u128, Fault> {
    if prints == Prints::None {
        return reader.skip(depth).map(|()| 0);
    }
    match reader.peek() {
        Some(b'"') => {
            let (inner, escaped) = reader.string()?;
            Ok(string_print(inner, escaped))
        }
        Some(b'{') => object(reader, prints, None, depth, &mut |_, _| {}),
        Some(b'[') => {
            let mut print: u128 = 0x0061_7272_6179;
            reader.elements(depth, |reader, _| {
                print = mix(print, value(reader, prints, depth + 1)?);
                Ok(())
            })?;
            Ok(print)
        }
        Some(_) => Ok(mix(1, xxh3_128(reader.word()?.as_bytes()))),
        // Says that the text ends.
        None => reader.skip(depth).map(|()| 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn print(text: &str) -> u128 {
        fingerprint(text).expect("valid JSON")
    }

    #[test]
    fn spelling_does_not_change_a_fingerprint_and_content_does() {
        let a = r#"{"a":1,"b":{"t":"2026-05-04T09:12:00","s":"x\/y"},"c":[1,2]}"#;
        for same in [
            r#"{ "c" : [1, 2], "b": {"s":"x/y", "t":"2026-05-04T09:12:00.0000000Z"}, "a":1 }"#,
            r##"{"a":1,"b":{"t":"2026-05-04T11:12:00+02:00","s":"x/y","s@odata.type":"#String"},"c":[1,2]}"##,
        ] {
            assert_eq!(print(a), print(same), "{same}");
        }
        for other in [
            r#"{"a":2,"b":{"t":"2026-05-04T09:12:00","s":"x/y"},"c":[1,2]}"#,
            r#"{"a":1,"b":{"t":"2026-05-04T09:12:00","s":"x/y"},"c":[2,1]}"#,
            r#"{"a":1,"b":{"t":"2026-05-04T09:12:01","s":"x/y"},"c":[1,2]}"#,
            r#"{"a":1,"b":{"t":"2026-05-04T09:12:00.0000001","s":"x/y"},"c":[1,2]}"#,
            r#"{"a":1,"b":{"t":"2026-05-04T09:12:00","s":"x/y","n":null},"c":[1,2]}"#,
        ] {
            assert_ne!(print(a), print(other), "{other}");
        }
    }

    #[test]
    fn paths_are_picked_as_slices() {
        let mut paths = Paths::default();
        paths.add("a", 0);
        paths.add("b.c", 1);
        paths.add("b", 2);
        let mut got = vec![None; 3];
        let text = r#"{"b":{"c":"x\ny","d":[{"a":9}]},"a":[1, 2],"a":3}"#;
        let mut keys = KeyOrder::default();
        walk(text, &paths, &mut keys, |slot, raw| got[slot] = raw.text()).expect("valid");
        assert_eq!(got[0].as_deref(), Some("3"));
        assert_eq!(got[1].as_deref(), Some("x\ny"));
        assert_eq!(got[2].as_deref(), Some(r#"{"c":"x\ny","d":[{"a":9}]}"#));
    }

    #[test]
    fn of_equal_keys_the_last_counts_and_nothing_of_the_first_stays() {
        let mut paths = Paths::default();
        paths.add("a.b", 0);
        paths.add("a.c", 1);
        paths.add("d", 2);
        let text = r#"{"a":{"b":1,"c":2},"d":"x","\u0061":{"c":3},"d":null}"#;
        let mut got = vec![None; 3];
        let mut keys = KeyOrder::default();
        walk(text, &paths, &mut keys, |slot, raw| got[slot] = raw.text()).expect("valid");
        assert_eq!(got, [None, Some(Cow::Borrowed("3")), None]);
        let mut again = vec![None; 3];
        pick(text, &paths, |slot, raw| again[slot] = raw.text()).expect("valid");
        assert_eq!(got, again);
    }

    #[test]
    fn what_differs_in_content_differs_in_its_fingerprint() {
        let mut all = std::collections::HashMap::new();
        let mut many: String = (0..100).map(|n| format!("\"k{n}\":0,")).collect();
        many = format!("{{{many}\"k7\":1}}");
        let swapped = many
            .replace("\"k7\":1", "\"k7\":0")
            .replacen("\"k7\":0", "\"k7\":1", 1);
        for text in [
            "1",
            "1.0",
            "1e0",
            "\"1\"",
            "true",
            "\"true\"",
            "null",
            "\"\"",
            "{}",
            "[]",
            r#"{"a":null}"#,
            r#"{"a":""}"#,
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":2,"a":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"a":1,"a":1}"#,
            r#"{"A":1}"#,
            r#"["\ud83d"]"#,
            r#"["\ud83e"]"#,
            "[\"\u{fffd}\"]",
            r#"{"x@odata.type":"y"}"#,
            r##"{"x@odata.id":"#y"}"##,
            r#""0123ABCD-0000-4000-8000-000000000001""#,
            r#""0123abcd-0000-4000-8000-000000000001""#,
            r#""2026-05-04T09:12:60""#,
            r#""2026-05-04T09:13:00""#,
            r#""2026-05-04T09:13:00 one""#,
            r#""2026-05-04T09:13:00+00:75""#,
            r#""2026-05-04T07:58:00""#,
            r#""/Date(1620000000000)/""#,
            r#""/Date(1620000000000)/ one""#,
            r#""/Date(1620000000000)/ two""#,
            r#""/Date(1620000000000)""#,
            "18446744073709551616",
            "18446744073709551617",
            &many,
            &swapped,
        ] {
            if let Some(other) = all.insert(print(text), text.to_string()) {
                panic!("{text} and {other}");
            }
        }
        for (a, b) in [
            (
                r#""\/Date(1620000000000+0200)\/""#,
                r#""2021-05-03T00:00:00Z""#,
            ),
            (r#"{"a":"C:\Users\bob"}"#, r#"{"a":"C:\\Users\\bob"}"#),
            ("\u{feff}{\"a\":1}", r#"{ "a" : 1 }"#),
        ] {
            assert_eq!(print(a), print(b), "{a} {b}");
        }
    }

    #[test]
    fn broken_text_is_named_with_its_place() {
        let paths = Paths::default();
        let fault = |t: &str| walk(t, &paths, &mut KeyOrder::default(), |_, _| {}).expect_err(t);
        assert_eq!(fault(""), Fault::Ends(0));
        assert_eq!(fault("{\"a\":"), Fault::Ends(5));
        assert_eq!(fault("{\"a\":tr"), Fault::Ends(7));
        assert_eq!(fault("{\"a\":\"b"), Fault::Ends(7));
        assert_eq!(fault("{\"a\":x}"), Fault::Unexpected(5));
        assert_eq!(fault("{\"a\":1}}"), Fault::Unexpected(7));
        assert_eq!(fault("[1]"), Fault::NotObject);
        assert_eq!(
            fault(&format!("{{\"a\":{}", "[".repeat(100_000))),
            Fault::Deep
        );
    }

    fn cut_all(text: &[u8], block: usize) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::default();
        let (mut buffer, mut out) = (Vec::new(), Vec::new());
        for piece in text.chunks(block.max(1)) {
            buffer.extend_from_slice(piece);
            cutter.scan(&buffer);
            let (found, cut) = cutter.take(&buffer);
            out.extend(found.iter().map(|(a, b)| buffer[*a..*b].to_vec()));
            buffer.drain(..cut);
        }
        if !buffer.is_empty() {
            out.push(buffer);
        }
        out
    }

    #[test]
    fn arrays_lines_and_broken_arrays_are_cut_alike() {
        let (a, b) = (r#"{"x":"]}\"{"}"#, r#"{"y":[{"z":1},[2]]}"#);
        for text in [
            format!("[{a},{b}]"),
            format!("{a}\r\n{b}"),
            format!("[\n{a}\n{b}\n]"),
            format!("[{a}][{b}]"),
            format!("{a}{b}"),
            format!("{a}\n\u{feff}{b}"),
        ] {
            for block in 1..text.len() {
                let got = cut_all(text.as_bytes(), block);
                assert_eq!(
                    got,
                    [a.as_bytes(), b.as_bytes()],
                    "{text} in blocks of {block}"
                );
            }
        }
    }

    #[test]
    fn records_in_envelopes_are_cut_wherever_blocks_end() {
        let (a, b) = (r#"{"value":["x",{"y":"]"}]}"#, r#"{"z":1}"#);
        let text = format!(
            r#"{{"@odata.context":"a\"[value","n":{{"m":[1]}}, "value" : [{a}, {b}],"next":"value"}} {{"value":[{b}]}}"#
        );
        for block in 1..text.len() {
            let mut cutter = Cutter::within("value", false);
            let (mut buffer, mut out) = (Vec::new(), Vec::new());
            for piece in text.as_bytes().chunks(block) {
                buffer.extend_from_slice(piece);
                cutter.scan(&buffer);
                let (found, cut) = cutter.take(&buffer);
                out.extend(found.iter().map(|(a, b)| buffer[*a..*b].to_vec()));
                buffer.drain(..cut);
            }
            assert_eq!(
                out,
                [a.as_bytes(), b.as_bytes(), b.as_bytes()],
                "blocks of {block}"
            );
        }
        let rows = r#"{"tables":[{"columns":[],"rows":[[1,"a"],["x]",2]]},{"rows":[[3]]}]}"#;
        let mut cutter = Cutter::within("rows", true);
        let found = cutter.scan(rows.as_bytes()).to_vec();
        let got: Vec<&str> = found.iter().map(|(a, b)| &rows[*a..*b]).collect();
        assert_eq!(got, [r#"[1,"a"]"#, r#"["x]",2]"#]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn what_serde_reads_we_read_and_the_reverse_with_few_exceptions(text in r#"[\{\}\[\]",:a1\-\.e tn\\]{0,24}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let ours = fingerprint(&text).is_ok();
            if theirs {
                prop_assert!(ours, "{text}");
            }
        }

        #[test]
        fn the_walk_never_panics(text in "\\PC{0,60}") {
            let _ = fingerprint(&text);
            let _ = unescape(&text);
            for block in [1, 3, 1000] {
                let _ = cut_all(text.as_bytes(), block);
            }
        }
    }
}
