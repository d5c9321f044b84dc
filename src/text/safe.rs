//! Text from logs made harmless: one list of characters, one function for each medium.
//!
//! | medium | function | what a person sees |
//! |---|---|---|
//! | a line on a terminal | [`visible`] | `\u{202e}`, `\n` |
//! | JSON | [`json_text`], [`harmless`] | `\u202e`: the same value for a program |
//! | Markdown | [`markdown`] | as on a terminal, and nothing is markup |
//! | HTML | [`seen`] | `⟦U+202E⟧`, `↵`; entities are the template's to escape |
//! | CSV | `engine::output::csv` | formulas are text; on a terminal as above |

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// Characters that nobody sees or that change what is seen around them, by their properties in Unicode: controls (`Cc`), formats (`Cf`:
/// direction, joiners, tags, interlinear marks), ends of lines and paragraphs, private use, all that is to be ignored where it is unknown
/// (fillers, variation selectors), what is no character, and the blank of Braille.
///
/// Joiners of Persian and of emoji are among them: which of them belong there, only a reader of that script can tell.
static UNSAFE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\x{2800}]+",
    )
    .expect("Unicode has these properties")
});

/// Whether a character is one of these.
pub fn is_unsafe(c: char) -> bool {
    match c {
        ' '..='~' => false,
        c => UNSAFE.is_match(c.encode_utf8(&mut [0; 4])),
    }
}

/// The text with something else in place of each unsafe character.
fn replaced(text: &str, mut put: impl FnMut(char, &mut String)) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut from = 0;
    for found in UNSAFE.find_iter(text) {
        out.push_str(&text[from..found.start()]);
        found.as_str().chars().for_each(|c| put(c, &mut out));
        from = found.end();
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

fn escape(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => out.extend(c.escape_unicode()),
    }
}

/// Text from a log made safe to show on one line of a terminal: control characters, invisible ones, and those that turn the direction of
/// text, become escapes. Joiners inside of words and emoji are escapes too.
///
/// ```
/// use coldtrail::text::safe::visible;
/// assert_eq!(visible("a\u{1b}[31m\u{202e}b\nc"), "a\\u{1b}[31m\\u{202e}b\\nc");
/// ```
pub fn visible(text: &str) -> String {
    replaced(text, escape).into_owned()
}

/// JSON whose unsafe characters are escapes: the same value for a program, harmless on a terminal.
pub fn json_text(value: &Value) -> String {
    harmless(&value.to_string())
}

/// The same for JSON that is text already.
pub fn harmless(json: &str) -> String {
    escaped_json(json).into_owned()
}

/// In JSON unsafe characters can only stand in strings, but for the line ends between values.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    replaced(json, |c, out| match c {
        '\n' => out.push(c),
        c => {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing into a `String` cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    })
}

/// Writes a text as a string of JSON.
pub fn quote(text: &str, out: &mut String) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    super::json::quote(text, &mut quoted);
    out.push_str(&escaped_json(&quoted));
}

/// A cell of a Markdown table.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = replaced(text, escape);
    for (at, c) in text.char_indices() {
        // Addresses would become links.
        let links = match c {
            ':' => text[at..].starts_with("://"),
            '.' => at >= 3 && text.as_bytes()[at - 3..at].eq_ignore_ascii_case(b"www"),
            _ => false,
        };
        let marks = matches!(
            c,
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '~' | '&'
        );
        if links || marks {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text for HTML: line ends and tabs on one line, other unsafe characters by their numbers. Entities are not escaped here.
///
/// ```
/// use coldtrail::text::safe::seen;
/// assert_eq!(seen("a\u{1}\u{200d}b\r\nc"), "a⟦U+0001⟧⟦U+200D⟧b ↵ c");
/// ```
pub fn seen(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let put = |c: char, out: &mut String| match c {
        '\t' => out.push(' '),
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => out.push_str(" ↵ "),
        c => {
            // Writing into a `String` cannot fail.
            let _ = write!(out, "⟦U+{:04X}⟧", u32::from(c));
        }
    };
    replaced(&text, put).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind.
    const UNSEEN: &str = "\u{1}\u{7f}\u{85}\u{9b}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{180e}\u{200b}\u{200d}\
        \u{202e}\u{2028}\u{2029}\u{2061}\u{2064}\u{2066}\u{206f}\u{2800}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{fffb}\u{fdd0}\u{e000}\
        \u{1d173}\u{e0041}\u{e0100}\u{f0000}";

    #[test]
    fn nothing_unseen_reaches_a_medium() {
        for c in UNSEEN.chars() {
            assert!(is_unsafe(c), "{c:?}");
            let text = format!("a{c}b");
            for made in [
                visible(&text),
                harmless(&format!("\"{text}\"")),
                markdown(&text),
                seen(&text),
            ] {
                assert!(!made.contains(c), "{c:?} in {made:?}");
                assert!(!made.chars().any(is_unsafe), "{made:?}");
            }
            let mut quoted = String::new();
            quote(&text, &mut quoted);
            assert!(!quoted.chars().any(is_unsafe), "{quoted:?}");
            let back: String = serde_json::from_str(&quoted).expect("a string");
            assert_eq!(back, text);
        }
        for c in "a ~äß漢e\u{301}😀ن\u{a0}\u{fffd}".chars() {
            assert!(!is_unsafe(c), "{c:?}");
        }
    }

    #[test]
    fn json_is_the_same_value_and_keeps_its_lines() {
        assert_eq!(
            harmless("[\n\"a\u{e0041}\"\n]"),
            "[\n\"a\\udb40\\udc41\"\n]"
        );
    }

    #[test]
    fn markdown_makes_no_links() {
        assert_eq!(
            markdown("http://www.contoso.com|a_b&lt;"),
            "http\\://www\\.contoso.com\\|a\\_b\\&lt;"
        );
    }
}
