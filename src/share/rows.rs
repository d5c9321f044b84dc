//! Rows in which every string that is not known to be harmless is replaced, also inside of JSON.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type};

use super::dictionary::{Pair, has_id, is_key, parts_of_number};
use super::known::{self, Says};
use super::pseudonym::{KINDS, Kind, Pseudonyms, Reach};
use super::spelling::{Packed, folded};
use super::tree::{self, Member, Node, What, Written};
use crate::catalog::{audit, catalog};
use crate::fault::{Error, Result};
use crate::ingest::time;

/// Places that are told apart: records of somebody who makes up keys have more.
const MOST_PLACES: usize = 4096;
/// The place of all that have no room.
const ELSEWHERE: &str = "(elsewhere)";
/// Length of a time up to its seconds.
const WHOLE_SECONDS: usize = 19;
/// A text under a key of telephones that is longer has more than these.
const LONGEST_PHONE: usize = 64;
/// Digits of parts of a second.
const TICKS: usize = 7;

/// Keys that the services write, as plain keys.
static KEYS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let columns = catalog().tables().flat_map(|table| &table.columns);
    let columns = columns.map(|column| column.name);
    let paths = audit::paths().iter();
    let paths = paths.flat_map(|path| path.path.split('.'));
    columns.chain(paths).map(known::plain).collect()
});

/// Replaces values in rows, and counts what and where.
pub struct Rows<'p> {
    names: &'p mut Pseudonyms,
    /// Replaced by place, in the order of [`Kind::ALL`].
    places: BTreeMap<String, [u64; KINDS]>,
    /// The place at hand: a column, and the keys in it.
    place: String,
}

impl<'p> Rows<'p> {
    /// Rows by these pseudonyms.
    pub fn new(names: &'p mut Pseudonyms) -> Self {
        Rows {
            names,
            places: BTreeMap::new(),
            place: String::new(),
        }
    }

    /// How much of each kind was replaced, by column and path of keys in it: `AuditData.Parameters[].Value`.
    pub fn replaced(&self) -> impl Iterator<Item = (&str, Vec<(Kind, u64)>)> {
        self.places.iter().map(|(place, counts)| {
            let kinds = Kind::ALL.into_iter().zip(*counts);
            let some = kinds.filter(|(_, count)| *count > 0);
            (place.as_str(), some.collect::<Vec<_>>())
        })
    }

    /// The rows with nobody named. Times, booleans and numbers that are nobody's stay.
    ///
    /// # Errors
    /// When a column is of a kind that is not looked into.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = batch.schema();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            self.place.clear();
            self.place.push_str(field.name());
            columns.push(match field.data_type() {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                    self.strings(field.name(), array)?
                }
                DataType::Int64 if self.names.named().has_numbers() => {
                    let numbers = array.as_primitive::<Int64Type>().iter();
                    let numbers = numbers.map(|n| n.map(|n| self.whole(n)));
                    Arc::new(numbers.collect::<Int64Array>())
                }
                DataType::Int32 if self.names.named().has_numbers() => {
                    let numbers = array.as_primitive::<Int32Type>().iter();
                    let numbers = numbers.map(|n| n.map(|n| self.whole(n)));
                    Arc::new(numbers.collect::<Int32Array>())
                }
                ty if ty.is_primitive() || matches!(ty, DataType::Boolean | DataType::Null) => {
                    Arc::clone(array)
                }
                ty => {
                    return Err(Error::Query(format!(
                        "column `{}` is of type {ty}, which --pseudonymise does not look into",
                        field.name()
                    )));
                }
            });
            self.count();
        }
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    fn strings(&mut self, name: &str, array: &ArrayRef) -> Result<ArrayRef> {
        let plain = cast(array, &DataType::Utf8)?;
        let texts = plain
            .as_any()
            .downcast_ref::<StringArray>()
            .ok_or_else(|| Error::Query(format!("column `{name}` is no text")))?;
        let key = known::plain(name);
        let values = texts.iter().map(|text| {
            let value = self.value(&key, text?);
            self.count();
            Some(value)
        });
        let values: StringArray = values.collect();
        Ok(cast(&values, array.data_type())?)
    }

    /// A number with other digits where these are somebody's.
    fn whole<N: ToString + std::str::FromStr>(&mut self, number: N) -> N {
        let Some(token) = self.number(&number.to_string()) else {
            return number;
        };
        // The largest numbers have one digit less, or they would not fit.
        let fits = token.parse::<N>().or_else(|_| token[1..].parse::<N>());
        fits.unwrap_or(number)
    }

    /// Adds what was replaced to the place at hand.
    fn count(&mut self) {
        let counts = self.names.taken();
        if counts.iter().all(|count| *count == 0) {
            return;
        }
        let is_new = !self.places.contains_key(&self.place);
        let place = match is_new && self.places.len() >= MOST_PLACES {
            true => ELSEWHERE,
            false => self.place.as_str(),
        };
        let all = match self.places.get_mut(place) {
            Some(all) => all,
            None => self.places.entry(place.to_string()).or_default(),
        };
        for (all, count) in all.iter_mut().zip(counts) {
            *all += count;
        }
    }

    /// Something at a place below the one at hand.
    fn below<T>(&mut self, part: &str, make: impl FnOnce(&mut Self) -> T) -> T {
        // What was replaced so far is of the place above.
        self.count();
        let above = self.place.len();
        self.place.push_str(part);
        let made = make(self);
        self.count();
        self.place.truncate(above);
        made
    }

    /// The value of a plain key: JSON is walked, what is harmless stays, all else is replaced.
    fn value(&mut self, key: &str, text: &str) -> String {
        if let Some(json) = tree::read(text) {
            let mut to = Written::of(text);
            self.json(key, &json, &mut to);
            return to.end();
        }
        if is_time(text) {
            return text.to_string();
        }
        if let Some(packed) = Packed::of(text)
            && self.names.named_in(&packed.inner) > 0
        {
            let inner = self.value(key, &packed.inner);
            return packed.with(&inner);
        }
        let says = known::says(key);
        if is_country(key, text) {
            return text.to_string();
        }
        if known::is_value(text) {
            let lower = folded(text);
            if says.is_some() || !self.names.named().is_person(&lower) {
                return text.to_string();
            }
        }
        // Names of labels have a `\` between parent and child.
        let is_address = text.contains("://")
            || text.contains('@')
            || text.starts_with('/')
            || (text.contains('\\') && says != Some(Says::Label));
        let is_short = text.len() <= LONGEST_PHONE && !is_address && !has_id(text);
        if says.is_none() && is_short && known::is_telephone(key) {
            return self.names.telephones(text);
        }
        let reach = match says {
            _ if is_address => Reach::Everything,
            None => Reach::Everything,
            // An id has digits; `anna.berg` is a name.
            Some(Says::Record) if !text.bytes().any(|b| b.is_ascii_digit()) => Reach::Everything,
            Some(Says::Label | Says::What) => Reach::People,
            Some(Says::How | Says::Record) => Reach::Names,
        };
        self.names.text(text, reach)
    }

    fn json(&mut self, key: &str, json: &Node<'_>, to: &mut Written<'_>) {
        match &json.what {
            What::Text(text) => {
                let value = self.value(key, text);
                if value != **text {
                    to.quote(&json.at, &value);
                }
            }
            What::Number(number) => {
                if let Some(token) = self.number(number) {
                    to.number(&json.at, &token);
                }
            }
            What::List(items) => self.below("[]", |rows| {
                for item in items {
                    rows.json(key, item, to);
                }
            }),
            What::Object(members) => self.object(members, to),
            What::Word => {}
        }
    }

    /// What stands for a number that is somebody's.
    fn number(&mut self, number: &str) -> Option<String> {
        let (sign, digits, end) = parts_of_number(number);
        let token = self.names.number(digits)?;
        Some(format!("{sign}{token}{end}"))
    }

    fn object(&mut self, members: &[Member<'_>], to: &mut Written<'_>) {
        let pair = Pair::of(members);
        // The id of a record stays. That of an actor or a target is somebody, and is often a name.
        let is_record = members
            .iter()
            .any(|member| ["CreationTime", "createdDateTime"].contains(&&*member.key));
        for member in members {
            let value = &member.value;
            let shown = self.key(&member.key);
            if shown != *member.key {
                to.quote(&member.key_at, &shown);
            }
            let place = format!(".{shown}");
            let mut plain = known::plain(&member.key);
            if plain == "id" && !is_record {
                plain.clear();
            }
            if let Some(pair) = &pair {
                if plain == pair.named {
                    // A name of a field, as a key is one.
                    match &value.what {
                        What::Text(name) => {
                            let shown = self.key(name);
                            if shown != **name {
                                to.quote(&value.at, &shown);
                            }
                        }
                        _ => self.below(&place, |rows| rows.json("", value, to)),
                    }
                    continue;
                }
                if pair.values.contains(&plain.as_str()) {
                    plain.clone_from(&pair.name);
                }
            }
            self.below(&place, |rows| rows.json(&plain, value, to));
        }
    }

    /// A key: it stays where the services write it, or where it is written as keys are and holds nobody's name.
    fn key(&mut self, key: &str) -> String {
        if KEYS.contains(&known::plain(key)) {
            return key.to_string();
        }
        let reach = match is_key(key) {
            true => Reach::People,
            false => Reach::Everything,
        };
        self.names.text(key, reach)
    }
}

/// Whether a text is the code of a country, such as `DE`: logs have it under many keys, and rules compare them.
fn is_country(key: &str, text: &str) -> bool {
    let is_code = text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
    is_code && (key.contains("country") || key.contains("location"))
}

/// Whether a text is a time such as `2026-05-01T08:00:00Z`, and nothing else: no number of somebody stands for a part of a second.
fn is_time(text: &str) -> bool {
    let parts = text.bytes().skip(WHOLE_SECONDS + 1);
    let parts = parts.take_while(u8::is_ascii_digit).count();
    parts <= TICKS && time::iso(text.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    use icu_normalizer::DecomposingNormalizerBorrowed;
    use proptest::prelude::*;

    use super::super::dictionary::Dictionary;
    use super::super::spelling::{plain, quoted_printable};
    use super::*;

    /// A record, as the only one of an archive.
    fn hidden(record: &str) -> String {
        let column: ArrayRef = Arc::new(StringArray::from(vec![record]));
        let batch = RecordBatch::try_from_iter([("AuditData", column)]).expect("a batch");
        let mut named = Dictionary::new();
        named.learn(&batch).expect("text");
        let mut names = Pseudonyms::new(b"0123456789abcdef", named, false).expect("a key");
        let mut rows = Rows::new(&mut names);
        let out = rows.batch(&batch).expect("text");
        assert!(rows.replaced().count() > 0);
        out.column(0).as_string::<i32>().value(0).to_string()
    }

    #[test]
    fn nobody_is_left_in_a_record_and_what_happened_stays() {
        let value = hidden(
            r#"{"Operation":"FileAccessed","UserId":"anna@contoso.com","Odd":["Anna B."],"P":[{"Name":"ForwardTo","Value":"anna@contoso.com"}],"CreationTime":"2026-05-01T08:00:00"}"#,
        );
        let lower = value.to_lowercase();
        assert!(
            !lower.contains("anna") && !lower.contains("contoso"),
            "{value}"
        );
        for kept in ["FileAccessed", "ForwardTo", "2026-05-01T08:00:00", "UserId"] {
            assert!(value.contains(kept), "{value}");
        }
    }

    #[test]
    fn a_name_is_found_under_every_key_and_in_every_number() {
        let value = hidden(
            r#"{"UserId":"anna.berg@zip.com","UserKey":"1003200012345678","Operation":"Anna did it","ResultStatus":"by AnnaBerg","UserAgent":"Berg/1.0","ClientIP":"192.0.2.7","AnnaBerg":1,"Anna Berg":2,"Key":1003200012345678,"Version":"1.0 at host-192-0-2-7","ObjectId":"https://zip.sharepoint.com/sites/Group/%41nna%2520Berg.zip"}"#,
        );
        let lower = value.to_lowercase();
        for gone in [
            "anna",
            "berg",
            "1003200012345678",
            "192.0.2.7",
            "192-0-2-7",
            "zip.com",
        ] {
            assert!(!lower.contains(gone), "{gone}: {value}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_keeps_both_values_and_the_record_its_shape() {
        let value = hidden(
            "{ \"Dup\" : \"anna\",\n  \"Dup\":\"Berg\", \"UserId\":\"anna@contoso.com\",\"UserId\":\"second@contoso.com\", \"Size\": 1.50, \"Big\":123456789012345678901234 }",
        );
        let lower = value.to_lowercase();
        for gone in ["anna", "berg", "second", "contoso"] {
            assert!(!lower.contains(gone), "{gone}: {value}");
        }
        assert_eq!(value.matches("\"Dup\"").count(), 2, "{value}");
        assert_eq!(value.matches("\"UserId\"").count(), 2, "{value}");
        for kept in [
            "{ \"Dup\" : \"",
            ",\n  \"Dup\"",
            "1.50",
            "123456789012345678901234",
        ] {
            assert!(value.contains(kept), "{kept}: {value}");
        }
    }

    #[test]
    fn one_person_in_two_forms_of_letters_has_one_token() {
        let value = hidden(
            "{\"UserDisplayName\":\"J\u{fc}rgen Wei\u{df}\",\"Operation\":\"Ju\u{308}rgen did it\",\"ResultStatus\":\"J\u{fc}rgen WEISS juergen jweiss\"}",
        );
        let all: serde_json::Value = serde_json::from_str(&value).expect("JSON");
        let words = |key: &str| -> Vec<String> {
            let text = all[key].as_str().expect("a text");
            text.split(' ').map(str::to_string).collect()
        };
        let (name, done, result) = (
            words("UserDisplayName"),
            words("Operation"),
            words("ResultStatus"),
        );
        assert_eq!(done, [name[0].as_str(), "did", "it"]);
        assert_eq!(result[..2], name[..]);
        assert!(
            result[2].starts_with('x') && result[3].starts_with('x'),
            "{value}"
        );
    }

    /// Names that the record below has under keys of people.
    const NAMES: [&str; 6] = [
        "frank.fletcher@contoso.com",
        "Frank Fletcher",
        "fletcher",
        "contoso",
        "J\u{fc}rgen",
        "Wei\u{df}",
    ];
    /// Keys of all kinds.
    const PLACES: [&str; 8] = [
        "Operation",
        "ResultStatus",
        "Notes",
        "UserAgent",
        "SensitivityLabelName",
        "ApplicationDisplayName",
        "Version",
        "Subject",
    ];
    /// In how many ways `spelt` spells.
    const WAYS: usize = 16;

    /// A name in one of the spellings that people and programs have, as a value.
    fn spelt(name: &str, way: usize) -> String {
        let bytes = |mark: &str| -> String {
            let all = name.bytes().map(|b| format!("{mark}{b:02X}"));
            all.collect()
        };
        let letters = |write: &dyn Fn(u32) -> String| -> String {
            name.chars().map(|c| write(u32::from(c))).collect()
        };
        let within = match way {
            0 => name.to_uppercase(),
            1 => bytes("%"),
            2 => bytes("%25"),
            3 => letters(&|code| format!("&#{code};")),
            4 => letters(&|code| format!("&amp;#x{code:x};")),
            5 => letters(&|code| format!("\\u{code:04x}")),
            6 => letters(&|code| match code {
                0x21..=0x7e => char::from_u32(code + 0xfee0).into_iter().collect(),
                _ => char::from_u32(code).into_iter().collect(),
            }),
            7 => letters(&|code| {
                char::from_u32(code)
                    .into_iter()
                    .chain(['\u{ad}', '\u{200b}'])
                    .collect()
            }),
            8 => format!("=?utf-8?B?{}?=", STANDARD.encode(name)),
            9 => format!("=?UTF-8?q?{}?=", bytes("=")),
            10 => bytes("="),
            11 => DecomposingNormalizerBorrowed::new_nfd()
                .normalize(name)
                .into_owned(),
            12 => return STANDARD.encode(name),
            13 => return STANDARD_NO_PAD.encode(name),
            14 => return hex::encode(name),
            _ => {
                let wide = name.encode_utf16().flat_map(u16::to_le_bytes);
                return STANDARD.encode(wide.collect::<Vec<u8>>());
            }
        };
        format!("by {within} now")
    }

    /// How a value can be read.
    fn readings(value: &str) -> Vec<String> {
        let plain = plain(value).into_owned();
        let mut all = vec![value.to_string()];
        all.extend(quoted_printable(&plain));
        all.extend(Packed::of(value).map(|packed| packed.inner));
        all.push(plain);
        all.iter().map(|text| folded(text)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn a_name_comes_through_in_no_spelling(name in 0..NAMES.len(), place in 0..PLACES.len(), way in 0..WAYS) {
            let (name, place) = (NAMES[name], PLACES[place]);
            let value = spelt(name, way);
            let record = serde_json::json!({
                "UserId": "frank.fletcher@contoso.com",
                "UserDisplayName": "Frank Fletcher",
                "ManagerName": "J\u{fc}rgen Wei\u{df}",
                "CreationTime": "2026-05-01T08:00:00",
                place: value.as_str(),
            });
            let before = readings(&value);
            let is_named = |text: &String| {
                ["frank", "fletcher", "contoso", "j\u{fc}rgen", "weiss"].iter().any(|name| text.contains(name))
            };
            prop_assert!(before.iter().any(is_named), "the spelling can be read: {value}");
            let out = hidden(&record.to_string());
            let all: serde_json::Value = serde_json::from_str(&out).expect("JSON");
            let after = readings(all[place].as_str().expect("a text"));
            prop_assert!(!after.iter().any(is_named), "{value}: {out}");
            prop_assert_eq!(&all["CreationTime"], "2026-05-01T08:00:00");
        }
    }
}
