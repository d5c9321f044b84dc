//! Records behind something else on their lines, as in the logs of collectors and of syslog, and lines between records that are none.
//!
//! Knows nothing of what the records are.

use super::json;

/// What is said of a file whose records stand behind something else.
const WHY: &str = "JSON behind something else on each line";

/// What is said of the records of such a file.
pub const BEHIND: &str = "records stand behind something else on their lines, which is not kept";

/// What is said of lines of such a file that have no record.
pub const LINES: &str = "lines have no record: passed over";

/// What is said of remarks between records.
pub const REMARKS: &str = "pieces of text between the records are none: passed over";

/// Lines of a beginning that are looked at.
const FIRSTS: usize = 16;

/// Bytes before a record, and of a remark.
const LONGEST: usize = 512;

/// Where the object begins that ends a line, behind something that is no JSON: `<134>1 2026-06-14T08:00:01Z host o365 - - - {"Id":…}`.
pub fn object(line: &[u8]) -> Option<usize> {
    /// Braces that may begin it.
    const TRIES: usize = 4;
    let line = line.trim_ascii_end();
    if !line.ends_with(b"}") {
        return None;
    }
    let begin = &line[..line.len().min(LONGEST)];
    let at = memchr::memchr_iter(b'{', begin)
        .take(TRIES)
        .find(|at| line[at + 1..].trim_ascii_start().first() == Some(&b'"'))?;
    let before = &line[..at];
    let is_said = before.iter().any(u8::is_ascii_alphanumeric) && !before.contains(&b'"');
    let text = std::str::from_utf8(&line[at..]).ok()?;
    (is_said && json::entries(text, |_, _| {}).is_ok()).then_some(at)
}

/// The objects of the first lines, a line each, of a text whose lines have records behind something else.
pub fn first_objects(head: &[u8]) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = head
        .split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .take(FIRSTS)
        .collect();
    let first = *lines.first()?;
    let mut objects = Vec::new();
    let mut found = 0;
    for line in &lines {
        if let Some(at) = object(line) {
            objects.extend_from_slice(&line[at..]);
            objects.push(b'\n');
            found += 1;
        }
    }
    // A first line with marks between its words is the header of a CSV.
    let is_header = || {
        first
            .iter()
            .any(|b| matches!(b, b',' | b';' | b'\t' | b'|'))
    };
    let leads = object(first).is_some() || (found * 2 >= lines.len() && !is_header());
    (found > 0 && leads).then_some(objects)
}

/// What a text begins with below its first remarks, where that is JSON: below `// exported`, behind `var data = `.
pub fn below_remarks(head: &[u8]) -> Option<&[u8]> {
    /// Bytes of the name of a variable.
    const NAME: usize = 80;
    let mut rest = head;
    for _ in 0..FIRSTS {
        rest = rest.trim_ascii_start();
        if rest.starts_with(b"{") || rest.starts_with(b"[") {
            return (rest.len() < head.len()).then_some(rest);
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, below) = rest.split_at(end);
        let value = line
            .iter()
            .take(NAME)
            .position(|b| matches!(b, b'{' | b'['));
        if let Some(at) = value
            && is_remark(&line[..at])
            && std::str::from_utf8(&line[..at]).is_ok_and(|name| is_before_a_value(name.trim()))
        {
            return Some(&rest[at..]);
        }
        if line.is_empty() || !is_remark(line) {
            return None;
        }
        rest = below;
    }
    None
}

/// What a text begins with below lines of words, where that looks like JSON: what a tool said before it wrote records.
pub fn below_words(head: &[u8]) -> Option<&[u8]> {
    let mut rest = head;
    for _ in 0..FIRSTS {
        let end = memchr::memchr(b'\n', rest)?;
        let (line, below) = rest.split_at(end);
        // Marks between words are those of a CSV.
        let is_words = !line
            .iter()
            .any(|b| matches!(b, b',' | b';' | b'\t' | b'|' | b'"'));
        if line.len() > LONGEST || !is_words {
            return None;
        }
        rest = below.trim_ascii_start();
        if rest.starts_with(b"{\"") || rest.starts_with(b"[{") {
            return Some(rest);
        }
    }
    None
}

/// Why a file is one whose records stand behind something else.
pub fn why(of_records: &str) -> String {
    format!("{WHY}: {of_records}")
}

/// Whether a file was taken for one whose records stand behind something else.
pub fn is_of(why: &str) -> bool {
    why.starts_with(WHY)
}

/// Whether a piece of text between JSON values is a remark of a person or a tool: of JavaScript, of a shell, of Markdown, a count of rows.
pub fn is_remark(piece: &[u8]) -> bool {
    const BEGINS: [&str; 12] = [
        "//", "/*", "*/", "#", "```", "WARNING:", "VERBOSE:", "PS ", "PS>", ")]}'", ");", "var ",
    ];
    let Some(text) = std::str::from_utf8(piece)
        .ok()
        .map(str::trim)
        .filter(|t| t.len() <= LONGEST)
    else {
        return false;
    };
    BEGINS.iter().any(|begin| text.starts_with(begin))
        || [";", ")", "}'"].contains(&text)
        || is_before_a_value(text)
        || is_count(text)
}

/// `let data =`, `window.data =`, `callback(`
fn is_before_a_value(text: &str) -> bool {
    let Some(name) = text.strip_suffix(['=', '(']) else {
        return false;
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.' | ' ');
    !name.trim().is_empty() && name.len() < 80 && name.chars().all(is_part)
}

/// Whether a line says how many rows there were, or that the report ends, as queries and reports write below them.
pub fn is_count(text: &str) -> bool {
    let text = text.trim().trim_matches(['(', ')', '*', '-', ' ', '.']);
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    const OF_COUNTS: [&str; 18] = [
        "total", "totals", "count", "rows", "row", "s", "records", "record", "events", "event",
        "items", "results", "affected", "selected", "returned", "found", "of", "number",
    ];
    let is_number = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    let has_count = words.iter().any(|w| is_number(w));
    let said: Vec<&str> = words.into_iter().filter(|w| !is_number(w)).collect();
    let all = !said.is_empty() && said.iter().all(|w| OF_COUNTS.contains(w));
    let is_end = ["end of report", "end of file", "completion time:"];
    (has_count && all) || is_end.iter().any(|end| lower.starts_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_behind_what_logs_write_before_them() {
        for (line, want) in [
            (
                r#"<134>1 2026-06-14T08:00:01Z host o365 - - - {"a":1}"#,
                Some(44),
            ),
            (
                r#"Jun 14 08:00:01 host o365[12]: {"a":{"b":"}"}} "#,
                Some(31),
            ),
            (r#"@cee: { "a":1}"#, Some(6)),
            (r#"[2026-06-14 08:00:01] {"a":1}"#, Some(22)),
            (r#"{"a":1}"#, None),
            (r#"[{"a":1}"#, None),
            (r#"x {"a":1"#, None),
            (r#"1,2,"{""a"":1}""#, None),
            (r#""x", {"a":1}"#, None),
            ("plain", None),
        ] {
            assert_eq!(object(line.as_bytes()), want, "{line}");
        }
    }

    #[test]
    fn remarks_are_told_from_values() {
        for remark in [
            "// exported",
            "/* x */",
            "# x",
            "WARNING: redirected",
            "var data = ",
            "callback(",
            ");",
            "(2 rows affected)",
            "(1 row(s) affected)",
            "Total: 5",
            "Completion time: 2026-05-18T09:13:40",
        ] {
            assert!(is_remark(remark.as_bytes()), "{remark}");
        }
        for other in ["1", "true", "null", "\"x\"", "Id", "Total", "a b", "{", "5"] {
            assert!(!is_remark(other.as_bytes()), "{other}");
        }
    }
}
