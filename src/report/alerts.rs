//! Alerts and incidents for programs and spreadsheets, in the columns of `SecurityAlert` and `SecurityIncident`.
//!
//! They bear no mark of their maker: another archive takes them in as these tables, as it does what Sentinel exports.

use serde_json::Value;

use crate::archive::conclusions::Row;
use crate::catalog::{self, ALERTS, INCIDENTS, Origin};
use crate::engine::output::{self, Format};

/// Alerts as CSV, NDJSON, Markdown, or else as an array of JSON; dynamic columns are their JSON as text but in JSON.
pub fn alerts<'r>(format: Format, rows: impl IntoIterator<Item = &'r Row>) -> String {
    written(format, &columns(ALERTS), rows)
}

/// Incidents, the same way.
pub fn incidents<'r>(format: Format, rows: impl IntoIterator<Item = &'r Row>) -> String {
    written(format, &columns(INCIDENTS), rows)
}

/// Rows of a comparison of alerts, in these columns, the same way.
pub fn compared<'r>(
    format: Format,
    columns: &[&str],
    rows: impl IntoIterator<Item = &'r Row>,
) -> String {
    written(format, columns, rows)
}

/// The columns that the product has: what is kept beside them is the archive's own.
fn columns(table: &str) -> Vec<&'static str> {
    let columns = catalog::table(table).columns.iter();
    let said = columns.filter(|c| c.origin == Origin::Derived);
    said.map(|c| c.name).collect()
}

fn written<'r>(
    format: Format,
    columns: &[&str],
    rows: impl IntoIterator<Item = &'r Row>,
) -> String {
    let rows = rows.into_iter();
    let mut out = String::new();
    match format {
        Format::Csv => {
            out.push_str(&columns.join(","));
            out.push('\n');
            for row in rows {
                let cells = columns.iter().map(|c| cell(row.get(*c)));
                out.push_str(&cells.collect::<Vec<_>>().join(","));
                out.push('\n');
            }
        }
        Format::Markdown => {
            out.push_str(&format!("| {} |\n", columns.join(" | ")));
            out.push_str(&format!("|{}\n", " --- |".repeat(columns.len())));
            for row in rows {
                let cells = columns.iter().map(|c| output::markdown(&text(row.get(*c))));
                out.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
            }
        }
        Format::Ndjson => {
            for row in rows {
                out.push_str(&object(columns, row));
                out.push('\n');
            }
        }
        Format::Json | Format::Parquet | Format::Kusto => {
            let objects: Vec<String> = rows.map(|row| object(columns, row)).collect();
            match objects.is_empty() {
                true => out.push_str("[]\n"),
                false => out.push_str(&format!("[\n{}\n]\n", objects.join(",\n"))),
            }
        }
    }
    out
}

/// An object of these columns, in their order.
fn object(columns: &[&str], row: &Row) -> String {
    let pairs = columns.iter().map(|column| {
        let value = row.get(*column).cloned().unwrap_or(Value::Null);
        ((*column).to_string(), value)
    });
    output::json_text(&Value::Object(pairs.collect()))
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A cell of CSV. Numbers need no guard, and would be none with it.
fn cell(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(number)) => number.to_string(),
        other => output::csv(&text(other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(name: &str) -> Row {
        match json!({"AlertName": name, "SystemAlertId": "1", "ConfidenceScore": -0.5, "Entities": "[{\"Name\":\"a\"}]", "RuleId": "r"})
        {
            Value::Object(row) => row,
            other => panic!("{other} is no row"),
        }
    }

    #[test]
    fn all_formats_have_the_columns_of_the_product_in_its_order() {
        let rows = [row("=cmd()"), row("plain")];
        let csv = alerts(Format::Csv, &rows);
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].starts_with("TenantId,TimeGenerated,DisplayName,AlertName,"));
        assert!(lines[0].ends_with(",SubTechniques,Type"), "{}", lines[0]);
        assert!(lines[1].contains("'=cmd()"), "{}", lines[1]);
        assert!(lines[1].contains(",-0.5,"), "{}", lines[1]);
        assert!(lines[1].contains(r#""[{""Name"":""a""}]""#), "{}", lines[1]);
        let array: Value = serde_json::from_str(&alerts(Format::Json, &rows)).expect("JSON");
        assert_eq!(array[1]["AlertName"], "plain");
        assert_eq!(array[1].get("RuleId"), None);
        assert_eq!(array[1]["TimeGenerated"], Value::Null);
        let ndjson = alerts(Format::Ndjson, &rows);
        assert_eq!(ndjson.lines().count(), 2);
        let none: [Row; 0] = [];
        assert_eq!(alerts(Format::Json, &none), "[]\n");
        assert_eq!(alerts(Format::Csv, &none).lines().count(), 1);
        assert_eq!(incidents(Format::Markdown, &none).lines().count(), 2);
    }
}
