//! Names of inputs as text.

use std::path::Path;

/// A path with `/` between folders on every system. Bytes that are no text are `\xNN`.
pub(super) fn name_of(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    if !cfg!(windows) {
        // A backslash is a letter here.
        return escaped(bytes);
    }
    let slashes: Vec<u8> = bytes
        .iter()
        .map(|b| if *b == b'\\' { b'/' } else { *b })
        .collect();
    escaped(&slashes)
}

/// Bytes as text; those that are no text are `\xNN`.
pub(in crate::ingest) fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}
