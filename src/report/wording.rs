//! Values of a finding as people read them.

use serde_json::Value;

/// Items of a list that are shown.
const SHOWN: usize = 10;

/// A time without what is finer than a second.
pub(super) fn seconds(text: &str) -> String {
    match text.split_once('.') {
        Some((head, finer)) if head.len() == "2026-05-20T19:40:05".len() => {
            let zone = finer.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{head}{zone}")
        }
        _ => text.to_string(),
    }
}

/// A value of a row for reading: lists with commas, times without fractions.
pub(super) fn detail(value: &Value, is_time: bool) -> String {
    match value {
        Value::String(text) if is_time => seconds(text),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items_shown = items.iter().take(SHOWN).map(|item| detail(item, false));
            let mut shown: Vec<String> = items_shown.collect();
            if items.len() > SHOWN {
                shown.push(format!("and {} more", items.len() - SHOWN));
            }
            shown.join(", ")
        }
        other => other.to_string(),
    }
}
