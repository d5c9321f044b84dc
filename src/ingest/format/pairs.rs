//! `Name   : value` lines of Format-List text, as PowerShell prints objects.

/// `Name   : value` → the name, the value, and where the value begins.
pub(in crate::ingest) fn pair(line: &str) -> Option<(&str, &str, usize)> {
    let (name, value) = line.split_once(':')?;
    let bare = name.trim_end();
    let is_name = !bare.is_empty()
        && !name.starts_with(' ')
        && name.ends_with(' ')
        && bare
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'));
    let column = name.len() + 1 + usize::from(value.starts_with(' '));
    is_name.then(|| (bare, value.strip_prefix(' ').unwrap_or(value), column))
}

/// Whether a text begins as Format-List prints audit records.
pub(super) fn is_format_list(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&head[..head.len().min(64 << 10)]);
    let mut lines = text.lines();
    lines.next().is_some_and(|l| pair(l).is_some())
        && text
            .lines()
            .take_while(|l| !l.trim().is_empty())
            .filter_map(pair)
            .any(|(name, _, _)| name.eq_ignore_ascii_case("AuditData"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_told_from_wrapped_lines() {
        assert_eq!(pair("UserIds      : a@b"), Some(("UserIds", "a@b", 15)));
        assert_eq!(pair("Identity     :"), Some(("Identity", "", 14)));
        assert_eq!(pair("               \"x\" : 1"), None);
        assert_eq!(pair("{\"a\" : 1}"), None);
    }
}
