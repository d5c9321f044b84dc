//! Patterns of SQL's LIKE, from what people write: only `*` stands for something else. The escape is `\`.

/// A value in which only `*` stands for something else.
pub fn pattern(value: &str) -> String {
    escaped(value).replace('*', "%")
}

/// A text that stands for itself.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
