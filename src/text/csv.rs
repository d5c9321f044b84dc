//! Comma-separated values: where records end, and what is in their fields.
//!
//! Quotes follow RFC 4180 with the leniency of the `csv-core` crate (a property test compares the two). Written here because cores read
//! one file side by side: it has to be cut into blocks at record boundaries, and fields without quotes are not copied. Knows nothing of
//! what the fields mean, nor of what programs write between the records.

use memchr::{memchr2, memchr3};

use super::swar;

/// Contents of fields, one after the other, without quotes.
#[derive(Debug, Default)]
pub struct Fields {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Fields {
    /// No fields, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Fields {
            text: Vec::with_capacity(bytes),
            ends: Vec::new(),
        }
    }

    /// The same in a buffer that nobody needs any more.
    pub fn within(mut buffer: Vec<u8>, bytes: usize) -> Self {
        buffer.clear();
        buffer.reserve(bytes);
        Fields {
            text: buffer,
            ends: Vec::new(),
        }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.cut_back(0);
    }

    /// Forgets those from this one on.
    pub fn cut_back(&mut self, fields: usize) {
        self.ends.truncate(fields);
        self.text.truncate(self.start_of(fields));
    }

    fn start_of(&self, field: usize) -> usize {
        match field {
            0 => 0,
            i => self.ends[i - 1],
        }
    }

    /// The content of a field.
    pub fn get(&self, field: usize) -> Option<&[u8]> {
        let end = *self.ends.get(field)?;
        Some(&self.text[self.start_of(field)..end])
    }

    /// The contents.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|i| self.get(i))
    }

    /// All content from this field on.
    pub fn text_from(&self, field: usize) -> &[u8] {
        &self.text[self.start_of(field)..]
    }

    /// The contents as one text, and where each ends.
    pub fn into_parts(self) -> (Vec<u8>, Vec<usize>) {
        (self.text, self.ends)
    }

    /// Appends a field.
    pub fn push(&mut self, field: &[u8]) {
        self.text.extend_from_slice(field);
        self.end();
    }

    fn end(&mut self) {
        self.ends.push(self.text.len());
    }
}

/// Fields of a record that are kept.
const MAX_FIELDS: usize = 16 * 1024;

/// What [`next_record`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A record; its fields are in the vector, the next one begins here.
    Record {
        /// First byte of the record.
        start: usize,
        /// First byte after it and its line end.
        next: usize,
    },
    /// A quote is opened in the record that begins here and never closed.
    Unclosed {
        /// First byte of the record.
        start: usize,
    },
    /// No more records.
    End,
}

/// Finds the record that begins at `from` and appends its fields. Blank lines are passed over.
pub fn next_record(input: &[u8], from: usize, delimiter: u8, fields: &mut Fields) -> Next {
    let mut at = from;
    while at < input.len() && (input[at] == b'\n' || input[at] == b'\r') {
        at += 1;
    }
    let start = at;
    if at == input.len() {
        return Next::End;
    }
    let first = fields.len();
    loop {
        if fields.len() > first + MAX_FIELDS {
            // No export is so wide; the rest of the record would only take memory.
            fields.cut_back(first + MAX_FIELDS);
        }
        // Here a field begins.
        let text = if input.get(at) == Some(&b'"') {
            let Some(close) = unquote(input, at + 1, &mut fields.text) else {
                fields.text.truncate(fields.start_of(fields.len()));
                fields.cut_back(first);
                return Next::Unclosed { start };
            };
            close + 1
        } else {
            at
        };
        // A plain field, or text after a closing quote.
        at = match input.get(text) {
            None => text,
            Some(c) if *c == delimiter => text,
            Some(_) => end_of_plain(input, text, delimiter),
        };
        fields.text.extend_from_slice(&input[text..at]);
        fields.end();
        match input.get(at) {
            None => return Next::Record { start, next: at },
            Some(b'\n') => {
                return Next::Record {
                    start,
                    next: at + 1,
                };
            }
            Some(b'\r') => {
                let next = at + 1 + usize::from(input.get(at + 1) == Some(&b'\n'));
                return Next::Record { start, next };
            }
            Some(_) => at += 1, // the delimiter
        }
    }
}

/// Bytes that are looked at in one step.
const WORD: usize = 8;
/// Bytes of a field that are appended at once.
const HELD: usize = 256;

/// Appends what stands from `at` up to the closing quote, `""` as `"`; returns where that quote is.
///
/// JSON in a cell has a quote every eight bytes or so: a search that starts anew at each of them takes most of its time to start.
fn unquote(input: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    // What is not in `out` yet. A copy of known length into an array is one instruction, one into a vector a call.
    let mut held = [0u8; HELD];
    let mut kept = 0;
    loop {
        if kept > HELD - (WORD + 1) {
            out.extend_from_slice(&held[..kept]);
            kept = 0;
        }
        if let Some(chunk) = input.get(at..at + WORD) {
            // Copied whole; what is too much is written over.
            held[kept..kept + WORD].copy_from_slice(chunk);
            let Some(found) = swar::first(chunk, |word| swar::equals(word, b'"')) else {
                kept += WORD;
                at += WORD;
                continue;
            };
            kept += found;
            at += found;
        } else {
            out.extend_from_slice(&held[..kept]);
            kept = 0;
            let rest = &input[at.min(input.len())..];
            let found = rest.iter().position(|b| *b == b'"')?;
            out.extend_from_slice(&rest[..found]);
            at += found;
        }
        if input.get(at + 1) != Some(&b'"') {
            out.extend_from_slice(&held[..kept]);
            return Some(at);
        }
        held[kept] = b'"';
        kept += 1;
        at += 2;
    }
}

fn end_of_plain(input: &[u8], from: usize, delimiter: u8) -> usize {
    memchr3(delimiter, b'\n', b'\r', &input[from..]).map_or(input.len(), |i| from + i)
}

/// Finds where a block read from a larger file can be cut: after the last line end that is outside quotes.
///
/// Counts quotes: an even number before a line end means outside. A stray quote in an unquoted field can make this cut inside a
/// record; then [`next_record`] says `Unclosed` for the block's last record, and the reader joins it with the next block.
pub fn cut(block: &[u8]) -> Option<usize> {
    let mut odd = bytecount(block) % 2 == 1;
    let mut end = block.len();
    // Old Macs, and Excel where it saves for them, end lines with `\r` alone.
    let mark = match memchr::memchr(b'\n', block) {
        Some(_) => b'\n',
        None => b'\r',
    };
    loop {
        let line = memchr::memrchr(mark, &block[..end])?;
        odd ^= bytecount(&block[line..end]) % 2 == 1;
        if !odd {
            return Some(line + 1);
        }
        end = line;
    }
}

/// First byte after the line that `at` stands in.
pub fn line_end(bytes: &[u8], at: usize) -> usize {
    match memchr2(b'\n', b'\r', &bytes[at..]) {
        None => bytes.len(),
        Some(i) => {
            let end = at + i;
            let is_pair = bytes[end] == b'\r' && bytes.get(end + 1) == Some(&b'\n');
            end + 1 + usize::from(is_pair)
        }
    }
}

/// What files begin with that say how they are encoded; files that were joined have it inside.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// Number of quotes.
fn bytecount(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'"', bytes).count()
}

/// Guesses the delimiter from a header line: the most frequent of comma, semicolon, tab and bar outside quotes.
pub fn delimiter_of(line: &[u8]) -> u8 {
    let mut counts = [(b',', 0usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for b in line {
        if *b == b'"' {
            quoted = !quoted;
        } else if !quoted {
            for (d, n) in &mut counts {
                *n += usize::from(b == d);
            }
        }
    }
    let mut best = counts[0];
    for c in &counts[1..] {
        if c.1 > best.1 {
            best = *c;
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ours(input: &[u8]) -> (Vec<Vec<Vec<u8>>>, bool) {
        let mut fields = Fields::default();
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            fields.clear();
            match next_record(input, at, b',', &mut fields) {
                Next::Record { next, .. } => {
                    out.push(fields.iter().map(<[u8]>::to_vec).collect());
                    at = next;
                }
                Next::Unclosed { .. } => return (out, true),
                Next::End => return (out, false),
            }
        }
    }

    fn theirs(input: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut reader = csv_core::Reader::new();
        let (mut out, mut bytes, mut ends) = (
            Vec::new(),
            vec![0; input.len() + 1],
            vec![0; input.len() + 2],
        );
        let (mut at, mut written, mut fields) = (0, 0, 0);
        loop {
            let (result, used, wrote, ended) =
                reader.read_record(&input[at..], &mut bytes[written..], &mut ends[fields..]);
            at += used;
            written += wrote;
            fields += ended;
            match result {
                csv_core::ReadRecordResult::Record => {
                    let mut from = 0;
                    out.push(
                        ends[..fields]
                            .iter()
                            .map(|e| {
                                let field = bytes[from..*e].to_vec();
                                from = *e;
                                field
                            })
                            .collect(),
                    );
                    written = 0;
                    fields = 0;
                }
                csv_core::ReadRecordResult::End => return out,
                _ => {}
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn records_are_those_of_csv_core(text in "[a,\"\n\r;]{0,40}") {
            let input = text.as_bytes();
            let (records, unclosed) = ours(input);
            let reference = theirs(input);
            if unclosed {
                prop_assert_eq!(&records[..], &reference[..records.len()]);
            } else {
                prop_assert_eq!(records, reference);
            }
        }

        #[test]
        fn a_cut_never_changes_well_formed_records(
            rows in proptest::collection::vec(proptest::collection::vec("[ab,\"\n]{0,6}", 1..4), 1..8),
            at in 0usize..200,
        ) {
            let mut text = String::new();
            for row in &rows {
                let cells: Vec<String> = row.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect();
                text.push_str(&cells.join(","));
                text.push('\n');
            }
            let input = text.as_bytes();
            let at = at.min(input.len());
            let whole = ours(input).0;
            let mut parts = Vec::new();
            let split = cut(&input[..at]).unwrap_or(0);
            parts.extend(ours(&input[..split]).0);
            parts.extend(ours(&input[split..]).0);
            prop_assert_eq!(whole, parts);
        }
    }

    #[test]
    fn fields_longer_than_what_is_appended_at_once_are_whole() {
        for length in 0..2 * HELD + 20 {
            for step in [1, 7, 8, 9, 250] {
                let letter = |i: usize| if i.is_multiple_of(step) { '"' } else { 'x' };
                let field: String = (0..length).map(letter).collect();
                let input = format!("\"{}\",b\n", field.replace('"', "\"\""));
                let (records, unclosed) = ours(input.as_bytes());
                assert!(!unclosed);
                let want = [[field.into_bytes(), b"b".to_vec()]];
                assert_eq!(records, want, "{length} bytes, a quote every {step}");
            }
        }
    }

    #[test]
    fn lines_may_end_with_a_carriage_return_alone() {
        assert_eq!(cut(b"a,b\rc,\"d\re\"\rf"), Some(12));
        assert_eq!(cut(b"a,b\r\nc\rd"), Some(5));
        assert_eq!(line_end(b"a\rb", 0), 2);
        assert_eq!(line_end(b"a\r\nb", 0), 3);
    }

    #[test]
    fn delimiters_are_counted_outside_quotes() {
        assert_eq!(delimiter_of(b"\"a,b\";\"c,d\";e"), b';');
        assert_eq!(delimiter_of(b"a,b"), b',');
        assert_eq!(delimiter_of(b"a\tb"), b'\t');
    }
}
