//! Marks round the texts of usage logs.

use std::borrow::Cow;

/// `'joe@contoso.com'` and `{id}` without their marks; `-` is nothing.
pub(super) fn unquoted(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(inner(text)),
        Cow::Owned(text) => Cow::Owned(inner(&text).to_string()),
    }
}

fn inner(text: &str) -> &str {
    let text = text.trim();
    let text = text
        .strip_prefix('\'')
        .and_then(|t| t.strip_suffix('\''))
        .unwrap_or(text);
    let text = text
        .strip_prefix('{')
        .and_then(|t| t.strip_suffix('}'))
        .unwrap_or(text);
    if text == "-" { "" } else { text }
}
