//! Comma-separated values: where records end, and their fields, without copying.
//!
//! Quotes follow RFC 4180 with the leniency of the `csv-core` crate (a property test compares the two). Written here
//! because no crate gives fields as slices together with their byte offsets and a cut of a large file into blocks that
//! cores read side by side. Knows nothing of what the fields mean.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

/// A field of a record: where its content stands in the input.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    start: usize,
    end: usize,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The content is the slice.
    Plain,
    /// The content has `""` for `"`.
    Doubled,
    /// Text follows the closing quote; the slice begins after the opening one.
    Irregular,
}

impl Field {
    /// The content of the field.
    pub fn content<'a>(&self, input: &'a [u8]) -> Cow<'a, [u8]> {
        let slice = &input[self.start..self.end];
        match self.form {
            Form::Plain => Cow::Borrowed(slice),
            Form::Doubled => Cow::Owned(undouble(slice)),
            Form::Irregular => Cow::Owned(irregular(slice)),
        }
    }
}

fn undouble(slice: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(slice.len());
    undouble_into(slice, &mut out);
    out
}

fn undouble_into(slice: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    while let Some(i) = memchr(b'"', &slice[from..]) {
        out.extend_from_slice(&slice[from..=from + i]);
        from += i + 2;
    }
    out.extend_from_slice(slice.get(from..).unwrap_or_default());
}

fn irregular(slice: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(slice.len());
    let mut from = 0;
    while let Some(i) = memchr(b'"', &slice[from..]) {
        out.extend_from_slice(&slice[from..from + i]);
        if slice.get(from + i + 1) == Some(&b'"') {
            out.push(b'"');
            from += i + 2;
        } else {
            from += i + 1;
            break;
        }
    }
    out.extend_from_slice(slice.get(from..).unwrap_or_default());
    out
}

/// Fields of a record that are kept.
const MAX_FIELDS: usize = 16 * 1024;

impl Field {
    /// Appends the content of the field.
    pub fn append_to(&self, input: &[u8], out: &mut Vec<u8>) {
        let slice = &input[self.start..self.end];
        match self.form {
            Form::Plain => out.extend_from_slice(slice),
            Form::Doubled => undouble_into(slice, out),
            Form::Irregular => out.extend_from_slice(&irregular(slice)),
        }
    }
}

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

/// Finds the record that begins at `from` and its fields. Blank lines are passed over.
pub fn next_record(input: &[u8], from: usize, delimiter: u8, fields: &mut Vec<Field>) -> Next {
    fields.clear();
    let mut at = from;
    while at < input.len() && (input[at] == b'\n' || input[at] == b'\r') {
        at += 1;
    }
    let start = at;
    if at == input.len() {
        return Next::End;
    }
    loop {
        if fields.len() > MAX_FIELDS {
            // No export is so wide; the rest of the record would only take memory.
            fields.truncate(MAX_FIELDS);
        }
        // Here a field begins.
        let mut form = Form::Plain;
        let begin;
        if input.get(at) == Some(&b'"') {
            begin = at + 1;
            let mut look = begin;
            let close = loop {
                let Some(i) = memchr(b'"', &input[look..]) else {
                    return Next::Unclosed { start };
                };
                let quote = look + i;
                if input.get(quote + 1) == Some(&b'"') {
                    form = Form::Doubled;
                    look = quote + 2;
                } else {
                    break quote;
                }
            };
            at = close + 1;
            match input.get(at) {
                None | Some(b'\n' | b'\r') => fields.push(Field {
                    start: begin,
                    end: close,
                    form,
                }),
                Some(c) if *c == delimiter => fields.push(Field {
                    start: begin,
                    end: close,
                    form,
                }),
                Some(_) => {
                    at = end_of_plain(input, at, delimiter);
                    fields.push(Field {
                        start: begin,
                        end: at,
                        form: Form::Irregular,
                    });
                }
            }
        } else {
            begin = at;
            at = end_of_plain(input, at, delimiter);
            fields.push(Field {
                start: begin,
                end: at,
                form,
            });
        }
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
    loop {
        let line = memchr::memrchr(b'\n', &block[..end])?;
        odd ^= bytecount(&block[line..end]) % 2 == 1;
        if !odd {
            return Some(line + 1);
        }
        end = line;
    }
}

/// Number of quotes.
fn bytecount(bytes: &[u8]) -> usize {
    // Sums of 255 in a byte: this form is turned into SIMD.
    bytes
        .chunks(255)
        .map(|c| c.iter().map(|b| u8::from(*b == b'"')).sum::<u8>() as usize)
        .sum()
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
        let mut fields = Vec::new();
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            match next_record(input, at, b',', &mut fields) {
                Next::Record { next, .. } => {
                    out.push(
                        fields
                            .iter()
                            .map(|f| f.content(input).into_owned())
                            .collect(),
                    );
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
    fn delimiters_are_counted_outside_quotes() {
        assert_eq!(delimiter_of(b"\"a,b\";\"c,d\";e"), b';');
        assert_eq!(delimiter_of(b"a,b"), b',');
        assert_eq!(delimiter_of(b"a\tb"), b'\t');
    }
}
