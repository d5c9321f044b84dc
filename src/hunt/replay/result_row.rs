//! A row of a rule's answer, as far as alerts read it.

use std::borrow::Cow;

use chrono::DateTime;
use serde_json::{Map, Number, Value};
use xxhash_rust::xxh3::xxh3_128;

use crate::catalog::{INGEST_ID, RECORD, SECOND_TIME, TIME};

/// Columns that say where a row came from, and nothing of what happened: other archives of the same events have other values.
const LINEAGE: [&str; 4] = [INGEST_ID, RECORD, "_Source", "_Sources"];

/// A row of a rule's answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResultRow {
    /// Its `TimeGenerated` or `Timestamp` in microseconds, where the query returns one.
    pub time: Option<i64>,
    /// Its columns, without those that say where it came from.
    pub cells: Map<String, Value>,
}

impl ResultRow {
    /// The row of these columns, in which times are ISO 8601.
    pub fn of(mut cells: Map<String, Value>) -> ResultRow {
        cells.retain(|column, _| !LINEAGE.contains(&column.as_str()));
        let moment = |column: &str| {
            let text = cells.get(column)?.as_str()?;
            let time = DateTime::parse_from_rfc3339(text).ok()?;
            Some(time.timestamp_micros())
        };
        let time = moment(TIME).or_else(|| moment(SECOND_TIME));
        ResultRow { time, cells }
    }

    /// A column as text; nothing where there is no such column, or nothing in it.
    pub(super) fn text(&self, column: &str) -> Option<Cow<'_, str>> {
        self.cells.get(column).and_then(text)
    }

    /// A column as texts: those of a list of plain values, else the one text that it is.
    pub(super) fn texts(&self, column: &str) -> Vec<Cow<'_, str>> {
        match self.cells.get(column) {
            Some(Value::Array(list)) if list.iter().all(is_plain) => {
                list.iter().filter_map(text).collect()
            }
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// The row as a JSON object.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(&self.cells).expect("keys are text, and no number is endless")
    }

    /// The same for two rows that differ only in what depends on which rows came first to their aggregates: that is another one each time, and a row
    /// must be known again. It stands for the row, and is not to be shown.
    pub(super) fn key(&self) -> String {
        let mut cells = self.cells.clone();
        cells.values_mut().for_each(put_in_order);
        serde_json::to_string(&cells).expect("keys are text, and no number is endless")
    }

    /// Bytes that it takes, about.
    pub(super) fn size(&self) -> usize {
        size_of::<ResultRow>() + size_of_bag(&self.cells)
    }

    /// A fingerprint of what it says.
    pub(in crate::hunt) fn digest(&self) -> u128 {
        let mut cells = self.cells.clone();
        for value in cells.values_mut() {
            round(value);
            put_in_order(value);
        }
        let text = serde_json::to_string(&cells).expect("keys are text, and no number is endless");
        xxh3_128(text.as_bytes())
    }
}

/// Bytes that the members of a bag take: with the room for more that lists grow by.
fn size_of_bag(bag: &Map<String, Value>) -> usize {
    let member = |(name, value): (&String, &Value)| {
        2 * size_of::<(u64, String, Value)>() + name.len() + size_of_value(value)
    };
    bag.iter().map(member).sum()
}

/// Bytes that a value takes beside itself.
fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(list) => {
            let each = |value| size_of::<Value>() + size_of_value(value);
            list.iter().map(each).sum()
        }
        Value::Object(bag) => size_of_bag(bag),
    }
}

/// Takes from a value what depends on the order in which rows came: that of lists, also where they are written as text, that of bags, and the last
/// digits of a mean or a deviation.
fn put_in_order(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.iter_mut().for_each(put_in_order);
            list.sort_by_cached_key(Value::to_string);
        }
        Value::Object(bag) => {
            bag.values_mut().for_each(put_in_order);
            bag.sort_keys();
        }
        Value::String(text) => {
            if let Cow::Owned(key) = key_of(text) {
                *text = key;
            }
        }
        Value::Number(number) => {
            if let Some(real) = number.as_f64().filter(|_| number.is_f64())
                && let Ok(real) = format!("{real:.11e}").parse::<f64>()
                && let Some(real) = Number::from_f64(real)
            {
                *number = real;
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// The same for two texts that are lists and differ in their order alone.
pub(super) fn key_of(text: &str) -> Cow<'_, str> {
    if !text.starts_with('[') {
        return Cow::Borrowed(text);
    }
    match serde_json::from_str(text) {
        Ok(Value::Array(list)) => {
            let mut list = Value::Array(list);
            put_in_order(&mut list);
            Cow::Owned(list.to_string())
        }
        // Other texts begin so, too.
        _ => Cow::Borrowed(text),
    }
}

/// Cuts fractions, however deep, to the digits that are equal in every run: the last ones of a sum depend on the order in which threads added it up.
/// What comes of it stands for the value, and is not to be shown.
pub(in crate::hunt) fn round(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            // Makes zero of what is less than zero by nothing.
            let fraction = number.as_f64().unwrap_or_default() + 0.0;
            *value = Value::from(format!("{fraction:.9e}"));
        }
        Value::Array(list) => list.iter_mut().for_each(round),
        Value::Object(members) => members.values_mut().for_each(round),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Array(list) if list.is_empty() => None,
        Value::Object(bag) if bag.is_empty() => None,
        other => Some(Cow::Owned(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(cells: Value) -> ResultRow {
        match cells {
            Value::Object(cells) => ResultRow::of(cells),
            other => panic!("{other} is no row"),
        }
    }

    #[test]
    fn a_row_has_the_time_of_its_event_and_not_where_it_came_from() {
        let one = row(json!({
            "TimeGenerated": "1970-01-01T00:00:01.5Z", "Timestamp": "1970-01-01T00:00:09Z",
            "_IngestId": 3, "_Record": 7, "_Sources": ["3:7"], "_ResourceId": "r",
        }));
        assert_eq!(one.time, Some(1_500_000));
        let columns: Vec<&str> = one.cells.keys().map(String::as_str).collect();
        assert_eq!(columns, ["TimeGenerated", "Timestamp", "_ResourceId"]);
        let zoned = row(json!({"Timestamp": "1970-01-01T02:00:01+02:00"}));
        assert_eq!(zoned.time, Some(1_000_000));
        assert_eq!(row(json!({"TimeGenerated": null})).time, None);
        assert_eq!(row(json!({"TimeGenerated": "soon"})).time, None);
    }

    #[test]
    fn a_cell_is_text_where_there_is_something_in_it() {
        let row = row(json!({
            "Text": "one", "Empty": " ", "Null": null, "Number": 5, "Flag": true,
            "List": ["a", "", 3], "Nothing": [], "Bag": {"k": 1}, "Bags": [{"k": 1}],
        }));
        let said = |column| row.text(column).map(Cow::into_owned);
        assert_eq!(said("Text").as_deref(), Some("one"));
        assert_eq!(said("Number").as_deref(), Some("5"));
        assert_eq!(said("Flag").as_deref(), Some("true"));
        assert_eq!(said("Bag").as_deref(), Some("{\"k\":1}"));
        for column in ["Empty", "Null", "Nothing", "Missing"] {
            assert_eq!(said(column), None, "{column}");
        }
        assert_eq!(row.texts("List"), ["a", "3"]);
        assert_eq!(row.texts("Bags"), ["[{\"k\":1}]"]);
        assert_eq!(row.texts("Text"), ["one"]);
        assert!(row.texts("Missing").is_empty());
        assert_ne!(row.digest(), ResultRow::default().digest());
    }

    #[test]
    fn a_row_takes_more_the_more_it_says() {
        let size = |cells| row(cells).size();
        let little = size(json!({"A": 1}));
        let text = "x".repeat(1000);
        assert!(size(json!({"A": text})) >= little + 1000);
        assert!(size(json!({"A": [text, text]})) >= little + 2000);
        assert!(size(json!({"A": {"B": text, "C": null}})) >= little + 1000);
    }

    #[test]
    fn the_last_digits_of_a_mean_do_not_make_another_row() {
        let digest = |real: f64| row(json!({"Mean": real, "All": [real]})).digest();
        assert_eq!(digest(0.1 + 0.2), digest(0.3));
        assert_eq!(
            digest(3.228_479_041_758_971),
            digest(3.228_479_041_758_970_6)
        );
        assert_ne!(digest(3.228_479_041), digest(3.228_479_042));
        // Whole numbers are counts, and ids.
        let whole = |number: i64| row(json!({"Id": number})).digest();
        assert_ne!(whole(i64::MAX), whole(i64::MAX - 1));
    }

    #[test]
    fn the_order_of_a_list_does_not_make_another_row() {
        let digest = |cells| row(cells).digest();
        let one = json!({"Ips": ["192.0.2.1", "192.0.2.7"], "Bag": {"k": [[2, 1], [3]]}, "Text": "[\"b\",\"a\"]"});
        let two = json!({"Ips": ["192.0.2.7", "192.0.2.1"], "Bag": {"k": [[3], [1, 2]]}, "Text": "[\"a\",\"b\"]"});
        let three =
            json!({"Ips": ["192.0.2.7"], "Bag": {"k": [[3], [1, 2]]}, "Text": "[\"a\",\"b\"]"});
        assert_eq!(digest(one), digest(two.clone()));
        assert_ne!(digest(two), digest(three));
        // Twice is not once, and not every bracket is a list.
        assert_ne!(digest(json!({"Ips": [1, 1]})), digest(json!({"Ips": [1]})));
        assert_ne!(digest(json!({"T": "[b, a"})), digest(json!({"T": "[a, b"})));
    }

    #[test]
    fn the_last_digits_of_a_fraction_do_not_make_another_row() {
        let digest = |cells| row(cells).digest();
        let one =
            json!({"Mean": 6.585463659147872, "All": [{"Sum": 1251.2380952380956}], "None": -0.0});
        let two =
            json!({"Mean": 6.585463659147869, "All": [{"Sum": 1251.238095238095}], "None": 0.0});
        assert_eq!(digest(one), digest(two));
        assert_ne!(
            digest(json!({"Mean": 0.5})),
            digest(json!({"Mean": 0.5001}))
        );
        // Whole numbers are counted, and the last digit of a long one may be an id's.
        let long = |number: i64| digest(json!({ "Id": number }));
        assert_ne!(long(9_007_199_254_740_992), long(9_007_199_254_740_993));
    }
}
