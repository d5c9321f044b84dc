//! What the rows of an alert say about it: name, description, severity, tactics, further properties, custom details.
//!
//! Where several rows are one alert, the first speaks for all. What a row does not say, or says in a form that Sentinel does not take, is what the
//! rule says.

use std::collections::{BTreeMap, HashSet};

use super::result_row::ResultRow;
use crate::rules::{Rule, Severity, is_technique, severity_of, tactic};

/// Bytes of an alert's name at most.
const NAME_BYTES: usize = 256;
/// Bytes of an alert's description at most.
const DESCRIPTION_BYTES: usize = 5 * 1024;
/// Columns in a name, and columns in a description, at most.
const PARAMETERS: usize = 3;
/// Custom details of a rule that count.
const CUSTOM_DETAILS: usize = 20;
/// Values of a custom detail at most.
const CUSTOM_VALUES: usize = 50;
/// Bytes of an alert's custom details at most.
const CUSTOM_BYTES: usize = 2 * 1024;

/// What an alert is called, how it is rated, and what it says.
pub(in crate::hunt) struct Said {
    pub(in crate::hunt) name: String,
    /// Where a row says it.
    pub(in crate::hunt) description: Option<String>,
    pub(in crate::hunt) severity: Severity,
    pub(in crate::hunt) tactics: Vec<String>,
    pub(in crate::hunt) techniques: Vec<String>,
    /// Further properties by name: `AlertLink`, `ProductName`, …
    pub(in crate::hunt) properties: BTreeMap<String, String>,
}

/// What the first row of an alert says, and where it says nothing, its rule.
pub(in crate::hunt) fn said(rule: &Rule, first: Option<&ResultRow>) -> Said {
    let formats = &rule.alert_details;
    let filled = |format: &Option<String>| {
        let format = format.as_deref()?;
        fill(format, first?)
    };
    let column = |column: &Option<String>| first?.texts(column.as_deref()?).into_iter().next();
    let listed = |column: &Option<String>| Some(words(first?, column.as_deref()?));
    let mut said = Said {
        name: filled(&formats.name_format).unwrap_or_else(|| rule.name.clone()),
        description: filled(&formats.description_format),
        severity: column(&formats.severity_column)
            .and_then(|text| severity_of(&text))
            .unwrap_or(rule.severity),
        tactics: listed(&formats.tactics_column)
            .and_then(|words| tactics(&words))
            .unwrap_or_else(|| rule.tactics.clone()),
        techniques: rule.techniques.clone(),
        properties: BTreeMap::new(),
    };
    for dynamic in &formats.dynamic_properties {
        let Some(row) = first else { break };
        let Some(text) = row.text(&dynamic.column) else {
            continue;
        };
        match dynamic.property.as_str() {
            "AlertName" => said.name = text.into_owned(),
            "Description" => said.description = Some(text.into_owned()),
            "AlertSeverity" => said.severity = severity_of(&text).unwrap_or(said.severity),
            "Tactics" => {
                if let Some(tactics) = tactics(&words(row, &dynamic.column)) {
                    said.tactics = tactics;
                }
            }
            "Techniques" => {
                let words = words(row, &dynamic.column);
                if !words.is_empty() && words.iter().all(|word| is_technique(word)) {
                    said.techniques = words;
                }
            }
            "ConfidenceScore" => {
                let score = text.parse::<f64>().ok();
                if score.is_some_and(|score| (0.0..=1.0).contains(&score)) {
                    let text = text.into_owned();
                    said.properties.insert(dynamic.property.clone(), text);
                }
            }
            other => {
                said.properties.insert(other.to_string(), text.into_owned());
            }
        }
    }
    cut(&mut said.name, NAME_BYTES);
    if let Some(description) = &mut said.description {
        cut(description, DESCRIPTION_BYTES);
    }
    said
}

/// Keeps whole characters within so many bytes.
fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}

/// A text with the columns of a row in place of `{{Column}}`; nothing where one says nothing, or where there are too many.
fn fill(format: &str, row: &ResultRow) -> Option<String> {
    let (mut text, mut rest) = (String::new(), format);
    let mut columns = HashSet::new();
    while let Some((before, behind)) = rest.split_once("{{") {
        let Some((column, behind)) = behind.split_once("}}") else {
            break;
        };
        let column = column.trim();
        columns.insert(column);
        text.push_str(before);
        text.push_str(&row.text(column)?);
        rest = behind;
    }
    text.push_str(rest);
    (columns.len() <= PARAMETERS && !text.trim().is_empty()).then_some(text)
}

/// The words of a list, of a list as text, or of a text with commas.
fn words(row: &ResultRow, column: &str) -> Vec<String> {
    let mut words = Vec::new();
    for text in row.texts(column) {
        if let Ok(list) = serde_json::from_str::<Vec<String>>(&text) {
            words.extend(list);
        } else {
            words.extend(text.split(',').map(str::to_string));
        }
    }
    for word in &mut words {
        *word = word.trim().to_string();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Tactics as Sentinel spells them; nothing where one is none, or there are none.
fn tactics(words: &[String]) -> Option<Vec<String>> {
    let known = |word: &String| tactic(word).map(str::to_string);
    let tactics: Vec<String> = words.iter().map(known).collect::<Option<_>>()?;
    (!tactics.is_empty()).then_some(tactics)
}

/// The custom details of some rows: each value once, in the order of the rows, within the limits.
pub(in crate::hunt) fn custom(rule: &Rule, rows: &[ResultRow]) -> Vec<(String, Vec<String>)> {
    let mut details = Vec::new();
    // The braces.
    let mut left = CUSTOM_BYTES - 2;
    for (name, column) in rule.custom_details.iter().take(CUSTOM_DETAILS) {
        let (mut values, mut seen) = (Vec::new(), HashSet::new());
        // Name and brackets with a colon and a comma.
        let Some(mut rest) = left.checked_sub(json_bytes(name) + 4) else {
            continue;
        };
        for value in rows.iter().filter_map(|row| row.text(column)) {
            if values.len() == CUSTOM_VALUES {
                break;
            }
            if !seen.insert(value.to_string()) {
                continue;
            }
            let Some(less) = rest.checked_sub(json_bytes(&value) + 1) else {
                break;
            };
            rest = less;
            values.push(value.into_owned());
        }
        if !values.is_empty() {
            left = rest;
            details.push((name.clone(), values));
        }
    }
    details
}

/// How many bytes a text has as JSON.
fn json_bytes(text: &str) -> usize {
    serde_json::Value::from(text).to_string().len()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::rules::{DynamicProperty, Kind, Language, Query};

    fn row(cells: Value) -> ResultRow {
        match cells {
            Value::Object(cells) => ResultRow { time: None, cells },
            other => panic!("{other} is no row"),
        }
    }

    fn rule() -> Rule {
        let mut rule = Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, "T"));
        rule.name = "Own name".into();
        rule.description = "Own words".into();
        rule.tactics = vec!["Impact".into()];
        rule.techniques = vec!["T1485".into()];
        rule
    }

    fn named(format: &str, cells: Value) -> String {
        let mut rule = rule();
        rule.alert_details.name_format = Some(format.into());
        said(&rule, Some(&row(cells))).name
    }

    #[test]
    fn columns_stand_in_names() {
        let cells =
            || json!({"User": "adele", "Count": 3, "Empty": "", "IP": "192.0.2.1", "App": "x"});
        let said = |format| named(format, cells());
        assert_eq!(
            said("{{User}} failed {{ Count }} times"),
            "adele failed 3 times"
        );
        assert_eq!(said("{{User}} and {{User}}"), "adele and adele");
        assert_eq!(said("no column"), "no column");
        assert_eq!(said("an open {{User"), "an open {{User");
        // Empty, missing, and one too many.
        assert_eq!(said("{{User}} {{Empty}}"), "Own name");
        assert_eq!(said("{{Nobody}}"), "Own name");
        assert_eq!(said("{{user}}"), "Own name");
        assert_eq!(said("{{User}}{{Count}}{{IP}}"), "adele3192.0.2.1");
        assert_eq!(said("{{User}}{{Count}}{{IP}}{{App}}"), "Own name");
        assert_eq!(said(" "), "Own name");
    }

    #[test]
    fn names_end_at_256_bytes_and_at_a_whole_character() {
        let name = named("{{N}}", json!({"N": "ä".repeat(200)}));
        assert_eq!(name, "ä".repeat(128));
        let name = named("x{{N}}", json!({"N": "ä".repeat(200)}));
        assert_eq!(name, format!("x{}", "ä".repeat(127)));
        let mut rule = rule();
        rule.alert_details.description_format = Some("{{N}}".into());
        let said = said(&rule, Some(&row(json!({"N": "y".repeat(9000)}))));
        assert_eq!(said.description.map(|d| d.len()), Some(5120));
    }

    #[test]
    fn without_a_row_the_rule_speaks() {
        let mut rule = rule();
        rule.alert_details.name_format = Some("{{N}}".into());
        rule.alert_details.severity_column = Some("S".into());
        let said = said(&rule, None);
        assert_eq!(said.name, "Own name");
        assert_eq!(said.description, None);
        assert_eq!(said.severity, Severity::Medium);
    }

    #[test]
    fn severity_and_tactics_of_a_row_count_where_sentinel_knows_them() {
        let mut rule = rule();
        rule.alert_details.severity_column = Some("S".into());
        rule.alert_details.tactics_column = Some("T".into());
        let rated = |cells: Value| {
            let said = said(&rule, Some(&row(cells)));
            format!("{} {}", said.severity, said.tactics.join("+"))
        };
        assert_eq!(
            rated(json!({"S": "high", "T": "Initial Access, persistence"})),
            "High InitialAccess+Persistence"
        );
        assert_eq!(rated(json!({"S": "Dire", "T": "Magic"})), "Medium Impact");
        assert_eq!(
            rated(json!({"S": "Low", "T": ["Discovery", "Execution"]})),
            "Low Discovery+Execution"
        );
        assert_eq!(rated(json!({"T": "[\"Discovery\"]"})), "Medium Discovery");
        assert_eq!(rated(json!({"T": "Discovery, Magic"})), "Medium Impact");
        assert_eq!(rated(json!({"S": 3, "T": []})), "Medium Impact");
    }

    #[test]
    fn further_properties_are_those_that_a_row_says() {
        let mut rule = rule();
        let dynamic = |property: &str, column: &str| DynamicProperty {
            property: property.into(),
            column: column.into(),
        };
        rule.alert_details.dynamic_properties = vec![
            dynamic("AlertLink", "Link"),
            dynamic("ConfidenceScore", "Score"),
            dynamic("ProductName", "Empty"),
            dynamic("Techniques", "Techniques"),
            dynamic("AlertSeverity", "Severity"),
            dynamic("Tactics", "Tactics"),
            dynamic("AlertName", "Name"),
        ];
        let one = said(
            &rule,
            Some(&row(json!({
                "Link": "https://contoso.com", "Score": 0.5, "Empty": "", "Techniques": "T1078, T1110.003",
                "Severity": "Low", "Tactics": "Discovery", "Name": "Other",
            }))),
        );
        let properties: Vec<String> = one
            .properties
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            properties,
            ["AlertLink=https://contoso.com", "ConfidenceScore=0.5"]
        );
        assert_eq!(one.techniques, ["T1078", "T1110.003"]);
        assert_eq!((one.severity, one.name.as_str()), (Severity::Low, "Other"));
        assert_eq!(one.tactics, ["Discovery"]);
        let other = said(
            &rule,
            Some(&row(
                json!({"Score": 5, "Techniques": "T1078, brute force", "Severity": "?"}),
            )),
        );
        assert!(other.properties.is_empty());
        assert_eq!(other.techniques, ["T1485"]);
        assert_eq!(other.severity, Severity::Medium);
    }

    #[test]
    fn custom_details_have_each_value_once_and_fifty_at_most() {
        let mut rule = rule();
        rule.custom_details = [("Users", "U"), ("None", "N")]
            .map(|(name, column)| (name.to_string(), column.to_string()))
            .into();
        let rows: Vec<ResultRow> = (0..120)
            .map(|n| row(json!({"U": format!("u{}", n % 60), "N": null})))
            .collect();
        let details = custom(&rule, &rows);
        assert_eq!(details.len(), 1);
        assert_eq!(details[0].0, "Users");
        assert_eq!(details[0].1.len(), 50);
        assert_eq!(details[0].1[..2], ["u0", "u1"]);
        assert!(custom(&rule, &[]).is_empty());
    }

    #[test]
    fn custom_details_stay_within_2_kb_and_twenty() {
        let mut rule = rule();
        rule.custom_details = (0..25)
            .map(|n| (format!("d{n:02}"), "U".to_string()))
            .collect();
        let short = [row(json!({"U": "u"}))];
        assert_eq!(custom(&rule, &short).len(), 20);
        let long: Vec<ResultRow> = (0..9)
            .map(|n| row(json!({"U": format!("{n}{}", "x".repeat(299))})))
            .collect();
        let details = custom(&rule, &long);
        // Six values of 303 bytes with quotes and comma, 9 bytes for the name; nothing else fits.
        assert_eq!(details.len(), 1);
        assert_eq!(details[0].1.len(), 6);
    }
}
