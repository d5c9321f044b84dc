//! Texts that are no exports but come where exports should be, and what to do with them.

/// Bytes that are looked at.
const HEAD: usize = 512;
/// Bytes in which a document says what wrote it.
const PROLOGUE: usize = 4096;

/// What is said of a file without any content.
pub(super) const ZEROS: &str =
    "nothing but zeros: its content was never written, or it is an empty tar archive";

/// What a file is whose beginning is no text.
pub(super) fn no_text(head: &[u8]) -> Option<&'static str> {
    if head.iter().all(|b| matches!(b, 0 | 0x1a)) {
        return Some(ZEROS);
    }
    let start = &head[..head.len().min(HEAD)];
    // Colours of a terminal, and marks between records, stand in texts.
    let is_odd = |b: &&u8| **b < 0x20 && !matches!(**b, b'\t'..=b'\r' | 0 | 0x1a | 0x1b | 0x1e);
    let odd = start.iter().filter(is_odd).count();
    (odd * 32 > start.len()).then_some("binary content (control characters)")
}

/// What a document in XML or HTML is.
pub(super) fn markup(head: &[u8]) -> &'static str {
    let prologue = &head[..head.len().min(PROLOGUE)];
    let has = |text: &str| memchr::memmem::find(prologue, text.as_bytes()).is_some();
    if has("urn:schemas-microsoft-com:office:spreadsheet") {
        "an Excel workbook in XML (2003): save it as .xlsx or its sheets as CSV"
    } else if has("urn:oasis:names:tc:opendocument") {
        "an OpenDocument file: save it as .xlsx or its sheets as CSV"
    } else if has("urn:schemas-microsoft-com:office:excel") {
        "a table in HTML that is called a workbook: save it as .xlsx or CSV"
    } else if has("http://schemas.microsoft.com/powershell/2004/04") {
        "objects of PowerShell (Export-Clixml): `Import-Clixml FILE | Export-Csv` gives rows"
    } else {
        "XML or HTML, not an export"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_from_what_is_packed() {
        for text in [
            &b"Id,Operation\n"[..],
            b"\x1e{\"Id\":1}\n\x1e{\"Id\":2}\n",
            b"\x1b[31mred\x1b[0m",
            b"a\r\n\tb\x0c",
            "Müller;\u{200b}x".as_bytes(),
            b"line\n\0\0\0\0line",
        ] {
            assert_eq!(no_text(text), None, "{text:?}");
        }
        for (bytes, want) in [
            (&b"\0\0\0\0"[..], "zeros"),
            (b"5\xfa\x18\x83\x1f~\x01", "control"),
        ] {
            assert!(no_text(bytes).is_some_and(|what| what.contains(want)));
        }
    }
}
