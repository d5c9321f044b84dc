//! Records that a broken one of their block swallowed.

use super::super::json;
use super::piece::Block;

/// Where the records stand that a broken one, from `start` to `end`, swallowed, and what is left of it. They begin on lines as it does, or
/// with its keys: what stands before it may be in another block, and must not count. Nothing where there are none.
pub(super) fn swallowed(block: &Block, (start, end): (usize, usize)) -> Vec<(usize, usize)> {
    let bytes = &block.bytes;
    let blanks = bytes[start..end].iter();
    let start = start + blanks.take_while(|b| b.is_ascii_whitespace()).count();
    let own = &bytes[start..end];
    let mut begins = lines_that_begin_alike(block, start, end);
    if begins.len() < 2 {
        begins = json::begin_like(own, own);
    }
    if begins.len() < 2 {
        return Vec::new();
    }
    let parts = json::apart(own, &begins).into_iter();
    parts.map(|(a, b)| (start + a, start + b)).collect()
}

/// Whether a piece of text is what a broken record left of the list's end.
pub(super) fn is_end(piece: &[u8]) -> bool {
    piece.iter().all(|b| matches!(b, b'}' | b']' | b','))
}

/// Where lines of a broken record begin as its first one does, with the same blanks and `{`; counted from its start.
fn lines_that_begin_alike(block: &Block, start: usize, end: usize) -> Vec<usize> {
    let bytes = &block.bytes;
    // Hostile input may have a megabyte before each of a thousand broken records.
    let near = start.saturating_sub(json::MAX_INDENT + 1);
    let line = match memchr::memrchr(b'\n', &bytes[near..start]) {
        Some(i) => near + i + 1,
        // What stands before the record on its line is far away, or in the block before.
        None if near > 0 || block.mid_line => return Vec::new(),
        None => 0,
    };
    let indent = &bytes[line..start];
    if !indent.iter().all(u8::is_ascii_whitespace) {
        return Vec::new();
    }
    lines_at_margin(&bytes[start..end], indent)
}

/// Where lines begin with these blanks and `{`, and the first.
fn lines_at_margin(bytes: &[u8], indent: &[u8]) -> Vec<usize> {
    let mut begins = vec![0];
    for i in memchr::memchr_iter(b'\n', bytes) {
        let rest = &bytes[i + 1..];
        if rest.starts_with(indent) && rest.get(indent.len()) == Some(&b'{') {
            begins.push(i + 1 + indent.len());
        }
    }
    begins
}
