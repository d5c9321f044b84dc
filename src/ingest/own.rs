//! What coldtrail wrote itself, and what tells it from an export: the ledger of an archive, the mark in findings and reports.
//!
//! Names are not enough: a `findings.json` may be evidence, and findings may have any name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// First line of findings as CSV. No product writes it.
pub const FINDINGS_HEADER: &str =
    "number,severity,rule,title,first,last,entities,details,records,evidence,tactics,techniques";

/// The maker of findings and reports: the value of the first key `generator` in JSON, of the `<meta>` of that name in HTML.
pub const GENERATOR: &str = concat!("coldtrail ", env!("CARGO_PKG_VERSION"));

/// Whether a folder is an archive: every version keeps its ledger there. (`archive` is above this layer.)
pub fn is_archive(folder: &Path) -> bool {
    folder.join("Ingests").join("_delta_log").is_dir()
}

/// Whether a path without links is an archive or lies in one of its tables.
pub fn in_archive(path: &Path) -> bool {
    is_archive(path)
        || path.ancestors().any(|folder| {
            folder.join("_delta_log").is_dir() && folder.parent().is_some_and(is_archive)
        })
}

/// Whether a file says of itself that it holds findings or a report. One that cannot be read says nothing.
pub fn is_result(file: &Path) -> bool {
    /// The mark of a report stands behind some other lines of its head.
    const MARK_BYTES: u64 = 4096;
    let mut head = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MARK_BYTES).read_to_end(&mut head));
    read.is_ok() && has_mark(&head)
}

fn has_mark(head: &[u8]) -> bool {
    const META: &[u8] = b"<meta name=\"generator\" content=\"coldtrail ";
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut rest = text.trim_ascii_start();
    if let Some(behind) = rest.strip_prefix(FINDINGS_HEADER.as_bytes()) {
        return matches!(behind.first(), None | Some(b'\n' | b'\r'));
    }
    if rest.starts_with(b"<") {
        return memchr::memmem::find(rest, META).is_some();
    }
    for part in [&b"{"[..], b"\"generator\"", b":"] {
        match rest.strip_prefix(part) {
            Some(behind) => rest = behind.trim_ascii_start(),
            None => return false,
        }
    }
    rest.starts_with(b"\"coldtrail ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_known_by_its_mark_and_not_by_a_word_in_it() {
        let with_header = |behind: &str| format!("{FINDINGS_HEADER}{behind}");
        for (text, want) in [
            (with_header("\n"), true),
            (with_header(""), true),
            (with_header(",more\n"), false),
            (format!("{{\n  \"generator\": \"{GENERATOR}\"}}"), true),
            (format!("\u{feff}{{\"generator\":\"{GENERATOR}\"}}"), true),
            (
                format!("{{\"Id\":\"1\",\"generator\":\"{GENERATOR}\"}}"),
                false,
            ),
            ("{\"generator\": \"another\"}".into(), false),
            (
                format!("<!doctype html>\n<meta name=\"generator\" content=\"{GENERATOR}\">"),
                true,
            ),
            ("<html></html>".into(), false),
            (String::new(), false),
        ] {
            assert_eq!(has_mark(text.as_bytes()), want, "{text}");
        }
    }
}
