//! Rows in which every string that is not known to be harmless is replaced, also inside of JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde_json::{Map, Value};

use super::pseudonym::Pseudonyms;
use crate::fault::{Error, Result};

/// Keys and columns whose values say what happened and not to whom; in lower case.
const HARMLESS: [&str; 61] = [
    "operation",
    "operations",
    "operationname",
    "actiontype",
    "action",
    "workload",
    "officeworkload",
    "application",
    "recordtype",
    "usertype",
    "accounttype",
    "resultstatus",
    "resulttype",
    "resultdescription",
    "result",
    "resultreason",
    "status",
    "category",
    "type",
    "sourcesystem",
    "eventsource",
    "itemtype",
    "sourcefileextension",
    "fileextension",
    "sensitivitylabelid",
    "oldsensitivitylabelid",
    "destinationsensitivitylabelid",
    "labelid",
    "oldlabelid",
    "newlabelid",
    "labelname",
    "sensitivitylabelname",
    "sensitivitylabel",
    "labeleventtype",
    "sensitivitylabeleventtype",
    "actionsource",
    "protectiontype",
    "appid",
    "applicationid",
    "clientappid",
    "clientappused",
    "id",
    "recordid",
    "reportid",
    "auditid",
    "correlationid",
    "uniquetokenidentifier",
    "useragent",
    "risklevelduringsignin",
    "risklevelaggregated",
    "riskstate",
    "riskdetail",
    "riskeventtypes",
    "platform",
    "osplatform",
    "countrycode",
    "authenticationrequirement",
    "logontype",
    "externalaccess",
    "activitytype",
    "version",
];

/// Replaces values in rows, and counts where.
pub struct Rows<'p> {
    names: &'p mut Pseudonyms,
    /// Replaced strings by column.
    columns: BTreeMap<String, u64>,
}

impl<'p> Rows<'p> {
    /// Rows by these pseudonyms.
    pub fn new(names: &'p mut Pseudonyms) -> Self {
        Rows {
            names,
            columns: BTreeMap::new(),
        }
    }

    /// How many values of each column were replaced.
    pub fn columns(&self) -> &BTreeMap<String, u64> {
        &self.columns
    }

    /// The rows with nobody named. Numbers, times and booleans stay.
    ///
    /// # Errors
    /// When a column is of a kind that is not looked into.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, array)| match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                self.strings(field.name(), array)
            }
            ty if ty.is_primitive() || matches!(ty, DataType::Boolean | DataType::Null) => {
                Ok(Arc::clone(array))
            }
            ty => Err(Error::Query(format!(
                "column `{}` is of type {ty}, which --pseudonymise does not look into",
                field.name()
            ))),
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    fn strings(&mut self, name: &str, array: &ArrayRef) -> Result<ArrayRef> {
        let plain = cast(array, &DataType::Utf8)?;
        let texts = plain
            .as_any()
            .downcast_ref::<StringArray>()
            .ok_or_else(|| Error::Query(format!("column `{name}` is no text")))?;
        let key = name.to_lowercase();
        let mut replaced = 0;
        let values = texts.iter().map(|text| {
            let text = text?;
            let value = self.value(&key, text);
            replaced += u64::from(value != text);
            Some(value)
        });
        let values: StringArray = values.collect();
        if replaced > 0 {
            *self.columns.entry(name.to_string()).or_default() += replaced;
        }
        Ok(cast(&values, array.data_type())?)
    }

    /// The value of a key: JSON is walked, what is harmless stays, all else is replaced.
    fn value(&mut self, key: &str, text: &str) -> String {
        if text.starts_with(['{', '['])
            && let Ok(json) = serde_json::from_str::<Value>(text)
        {
            return self.json(key, json).to_string();
        }
        let harmless = HARMLESS.contains(&key) && !text.contains(['@', '\\']);
        match harmless || is_time(text) {
            true => text.to_string(),
            false => self.names.text(text),
        }
    }

    fn json(&mut self, key: &str, json: Value) -> Value {
        match json {
            Value::String(text) => Value::String(self.value(key, &text)),
            Value::Array(items) => {
                let items = items.into_iter().map(|item| self.json(key, item));
                Value::Array(items.collect())
            }
            Value::Object(object) => Value::Object(self.object(object)),
            other => other,
        }
    }

    fn object(&mut self, object: Map<String, Value>) -> Map<String, Value> {
        // `{"Name": "ClientIP", "Value": "…"}`: the name is the key of the value.
        let has = |name: &str| object.keys().any(|key| key.eq_ignore_ascii_case(name));
        let is_pair = has("Value") || has("NewValue") || has("OldValue");
        let named = object.get("Name").and_then(Value::as_str);
        let named = named
            .filter(|name| is_pair && is_key(name))
            .map(str::to_lowercase);
        // The id of a record stays. That of an actor or a target is somebody, and is often a name.
        let is_record = has("CreationTime") || has("createdDateTime");
        let mut out = Map::new();
        for (key, value) in object {
            let mut lower = key.to_lowercase();
            if lower == "id" && !is_record {
                lower.clear();
            }
            let value = match (&named, lower.as_str()) {
                (Some(_), "name") => value,
                (Some(named), "value" | "newvalue" | "oldvalue") => self.json(named, value),
                (_, lower) => self.json(lower, value),
            };
            let key = match is_key(&key) {
                true => key,
                false => self.names.text(&key),
            };
            out.insert(key, value);
        }
        out
    }
}

/// Whether a text is written as names of fields are.
fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Whether a text is a time such as `2026-05-01T08:00:00Z`.
fn is_time(text: &str) -> bool {
    let begins = text.len() >= 10
        && text.bytes().take(10).enumerate().all(|(at, b)| match at {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        });
    begins
        && text
            .bytes()
            .skip(10)
            .all(|b| b.is_ascii_digit() || matches!(b, b'T' | b'Z' | b' ' | b':' | b'.' | b'+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_left_in_a_record_and_what_happened_stays() {
        let mut names = Pseudonyms::new(b"0123456789abcdef", false).expect("a key");
        let mut rows = Rows::new(&mut names);
        let record = r#"{"Operation":"FileAccessed","UserId":"anna@contoso.com","Odd":["Anna B."],"P":[{"Name":"ForwardTo","Value":"anna@contoso.com"}],"CreationTime":"2026-05-01T08:00:00"}"#;
        let value = rows.value("auditdata", record);
        let lower = value.to_lowercase();
        assert!(
            !lower.contains("anna") && !lower.contains("contoso"),
            "{value}"
        );
        for kept in ["FileAccessed", "ForwardTo", "2026-05-01T08:00:00", "UserId"] {
            assert!(value.contains(kept), "{value}");
        }
    }
}
