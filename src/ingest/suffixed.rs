//! Audit records as the HTTP collector of Log Analytics stores them, so in the tables of MPARR: a column for each field, its name with a letter
//! for its type (`Operation_s`, `Id_g`, `RecordType_d`), fields of an object under both names (`SensitivityLabelEventData_SensitivityLabelId_g`).
//!
//! Makes the record again. Knows nothing of files and tables. The letters are those of
//! <https://learn.microsoft.com/azure/azure-monitor/logs/data-collector-api>, the columns those of
//! <https://github.com/microsoft/Microsoft-Purview-Advanced-Rich-Reports-MPARR-Collector>.

use serde_json::{Map, Number, Value};

use super::json::{self, Raw};
use crate::text::json as plain;

/// Why a file is taken for such records.
pub const WHY: &str =
    "audit records taken apart, with their types in their names (Operation_s, Id_g)";

/// Whether names of columns or keys are those of such a record.
pub fn is_of<'n>(names: impl Iterator<Item = &'n str>) -> bool {
    let (mut operation, mut time, mut other) = (false, false, false);
    for name in names {
        match name {
            "Operation_s" => operation = true,
            "CreationTime_t" | "CreationTime_s" => time = true,
            "RecordType_d" | "RecordType_s" | "Workload_s" | "Id_g" | "Id_s" => other = true,
            _ => {}
        }
    }
    operation && time && other
}

/// Whether a name is that of the record's time.
pub fn is_time(name: &str) -> bool {
    ["CreationTime", "CreationTime_t", "CreationTime_s"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
}

/// The record that an object was; nothing where it is none.
pub fn record(text: &str) -> Option<String> {
    let mut members: Vec<(String, Value)> = Vec::new();
    let read = json::entries(text, |key, raw| {
        if let Some((name, letter)) = split(&key)
            && let Some(value) = value(raw, letter)
        {
            members.push((name.to_string(), value));
        }
    });
    if read.is_err() {
        return None;
    }
    let mut record = Map::new();
    for (name, value) in members {
        let place = parent(&name).map(|(parent, child)| (parent.to_string(), child.to_string()));
        let Some((parent, child)) = place else {
            record.insert(name, value);
            continue;
        };
        let around = record
            .entry(parent)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(around) = around {
            around.insert(child, value);
        } else {
            // What the object was called has a value of its own.
            record.insert(name, value);
        }
    }
    let has = |name: &str| record.contains_key(name);
    (has("Operation") && has("CreationTime")).then(|| Value::Object(record).to_string())
}

/// A name and the letter of its type. What has none is of the workspace.
fn split(key: &str) -> Option<(&str, u8)> {
    let (name, letter) = key.rsplit_once('_')?;
    match letter.as_bytes() {
        [letter @ (b's' | b'g' | b't' | b'd' | b'b')] if !name.is_empty() => Some((name, *letter)),
        _ => None,
    }
}

/// The object that a field was in, and its name there.
fn parent(name: &str) -> Option<(&str, &str)> {
    const OBJECTS: [&str; 5] = [
        "EventData",
        "MetaData",
        "MatchInfo",
        "Context",
        "ViewParams",
    ];
    let (parent, child) = name.split_once('_')?;
    let is_object = OBJECTS.iter().any(|end| parent.ends_with(end));
    (is_object && !child.is_empty()).then_some((parent, child))
}

/// A value by the letter of its type; nothing where it is empty.
fn value(raw: Raw<'_>, letter: u8) -> Option<Value> {
    if let Raw::Other(json) = raw {
        let value: Value = serde_json::from_str(json).ok()?;
        return Some(match value {
            Value::Number(number) => whole(&number).map_or(Value::Number(number), Value::from),
            value => value,
        });
    }
    let text = raw.text()?.into_owned();
    if text.is_empty() {
        return None;
    }
    let made = match letter {
        b'd' => text
            .parse::<f64>()
            .ok()
            .and_then(Number::from_f64)
            .map(|number| whole(&number).map_or(Value::Number(number), Value::from)),
        b'b' => text
            .to_ascii_lowercase()
            .parse::<bool>()
            .ok()
            .map(Value::Bool),
        b's' if text.starts_with(['{', '[']) => {
            plain::strict(&text).and_then(|json| serde_json::from_str(&json).ok())
        }
        _ => None,
    };
    Some(made.unwrap_or(Value::String(text)))
}

/// A number without a fraction: all are `real` there.
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = number.as_f64()?;
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_made_of_its_parts() {
        let row = r#"{"TenantId":"w","TimeGenerated":"2026-06-01T08:00:00Z","Type":"AuditGeneral_CL","CreationTime_t":"2026-06-01T07:58:00Z","Id_g":"a","Operation_s":"SensitivityLabelUpdated","RecordType_d":83.0,"UserType_d":"0","SensitivityLabelEventData_SensitivityLabelId_g":"p","SensitivityLabelEventData_LabelEventType_d":2,"PolicyDetails_s":"[{\"PolicyId\":\"x\"}]","Is_b":"True","Empty_s":""}"#;
        let mut keys: Vec<String> = Vec::new();
        json::entries(row, |key, _| keys.push(key.into_owned())).expect("an object");
        assert!(is_of(keys.iter().map(String::as_str)));
        let record = record(row).expect("a record");
        let record: Value = serde_json::from_str(&record).expect("JSON");
        assert_eq!(record["RecordType"], 83);
        assert_eq!(record["UserType"], 0);
        assert_eq!(record["Is"], true);
        assert_eq!(
            record["SensitivityLabelEventData"]["SensitivityLabelId"],
            "p"
        );
        assert_eq!(record["SensitivityLabelEventData"]["LabelEventType"], 2);
        assert_eq!(record["PolicyDetails"][0]["PolicyId"], "x");
        assert!(record.get("TenantId").is_none() && record.get("Empty").is_none());
    }

    #[test]
    fn other_rows_are_no_records() {
        assert!(!is_of(["Operation", "CreationTime", "Id"].into_iter()));
        assert!(!is_of(["Operation_s", "Id_g"].into_iter()));
        assert_eq!(record(r#"{"Operation_s":"x"}"#), None);
        assert_eq!(record("[]"), None);
    }
}
