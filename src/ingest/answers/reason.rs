//! What is said of an error answer.

use std::borrow::Cow;

use super::super::json::{self, Raw};

/// Bytes of an object that may be an error answer. Services write short ones; looking at longer objects would cost for nothing.
pub(super) const LONGEST: usize = 64 << 10;

/// What the reason of an error answer begins with.
pub(super) const INCOMPLETE: &str = "an error answer: this pull is incomplete";

/// Characters of a service's own words that are kept.
const WORDS: usize = 200;

/// The old directory API has `"message":{"lang":"en","value":"…"}`.
pub(super) fn words(raw: Raw<'_>) -> Option<Cow<'_, str>> {
    if let Raw::Other(object) = raw
        && object.starts_with('{')
    {
        let mut value = None;
        // Without a value in it, its text is all there is.
        let _ = json::entries(object, |key, raw| {
            if key == "value" {
                value = raw.text();
            }
        });
        return value.or(Some(Cow::Borrowed(object)));
    }
    raw.text()
}

/// The reason that stands for an error answer: its code and its words.
pub(super) fn reason(code: Option<Cow<'_, str>>, message: Option<Cow<'_, str>>) -> String {
    let short = |text: Cow<'_, str>| -> String { text.trim().chars().take(WORDS).collect() };
    let message = message.map(short).filter(|m| !m.is_empty());
    match (code.map(short).filter(|c| !c.is_empty()), message) {
        (Some(code), Some(message)) => {
            format!("{INCOMPLETE} ({code}): {}", message.trim_end_matches('.'))
        }
        (Some(code), None) => format!("{INCOMPLETE} ({code})"),
        (None, Some(message)) => format!("{INCOMPLETE}: {}", message.trim_end_matches('.')),
        (None, None) => INCOMPLETE.into(),
    }
}
