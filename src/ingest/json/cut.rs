//! Cutting a stream of JSON values into records.

use memchr::memchr2;

/// Stands between the files that were joined.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Blanks before a record that stay with it.
pub const MAX_INDENT: usize = 256;

/// Cuts a stream of JSON values into records, block by block.
///
/// Reads arrays, lines, values one after the other, and arrays whose commas are missing: elements of an array are records, and so
/// is every other value.
#[derive(Debug, Default)]
pub struct Cutter {
    /// Open brackets inside the record.
    depth: u32,
    in_string: bool,
    /// Where the record begins in the block, when one is open.
    start: Option<usize>,
    /// How far the block has been looked at.
    seen: usize,
    /// Where records were found.
    found: Vec<(usize, usize)>,
    /// The open record is passed over when it ends.
    abandoned: bool,
    /// The next byte is escaped by a backslash that was dropped.
    escaped: bool,
    /// Length of the block at the last look.
    seen_to_end: Option<usize>,
    envelope: Option<Envelope>,
}

/// Records that are the elements of an array under a key of an outer object, as in `{"value":[…]}`.
#[derive(Debug, Clone)]
struct Envelope {
    key: &'static str,
    /// Only the first such array counts.
    once: bool,
    /// Whether the array is open.
    inside: bool,
    /// Whether the string before was the key.
    matched: bool,
    /// Whether such an array was seen at all.
    seen: bool,
    done: bool,
}

impl Cutter {
    /// Cuts the arrays under this key; with `once`, only the first of them.
    pub fn within(key: &'static str, once: bool) -> Self {
        Cutter {
            envelope: Some(Envelope {
                key,
                once,
                inside: false,
                matched: false,
                seen: false,
                done: false,
            }),
            ..Cutter::default()
        }
    }

    /// Passes over what stands around the records, from `at`; returns where a record array's content or the end begins.
    fn outside(envelope: &mut Envelope, block: &[u8], mut at: usize) -> usize {
        while at < block.len() {
            if envelope.done {
                return block.len();
            }
            match block[at] {
                b'"' => {
                    let mut look = at + 1;
                    let close = loop {
                        let Some(i) = memchr2(b'"', b'\\', &block[look.min(block.len())..]) else {
                            // The string goes on in the next block; look at it again then.
                            return at;
                        };
                        if block[look + i] == b'"' {
                            break look + i;
                        }
                        look += i + 2;
                    };
                    envelope.matched = &block[at + 1..close] == envelope.key.as_bytes();
                    at = close;
                }
                b'[' if envelope.matched => {
                    envelope.matched = false;
                    envelope.inside = true;
                    envelope.seen = true;
                    return at + 1;
                }
                b':' | b' ' | b'\n' | b'\r' | b'\t' => {}
                _ => envelope.matched = false,
            }
            at += 1;
        }
        at
    }

    /// Whether an array of records was found.
    pub fn found_array(&self) -> bool {
        self.envelope.as_ref().is_none_or(|e| e.seen)
    }

    /// Looks at `block` from where it stopped last; returns the records found so far, as start and end.
    pub fn scan(&mut self, block: &[u8]) -> &[(usize, usize)] {
        let mut at = self.seen;
        self.seen_to_end = Some(block.len());
        if at < block.len() && std::mem::take(&mut self.escaped) {
            at += 1;
        }
        while at < block.len() {
            if self.start.is_none()
                && let Some(envelope) = self.envelope.as_mut().filter(|e| !e.inside)
            {
                let next = Cutter::outside(envelope, block, at);
                if !envelope.inside {
                    at = next;
                    break;
                }
                at = next;
                continue;
            }
            if self.in_string {
                let Some(i) = memchr2(b'"', b'\\', &block[at..]) else {
                    at = block.len();
                    break;
                };
                at += i;
                if block[at] == b'"' {
                    self.in_string = false;
                    at += 1;
                    if self.depth == 0 {
                        self.close(at);
                    }
                } else if at + 1 < block.len() {
                    at += 2;
                } else {
                    break; // the escaped byte is in the next block
                }
                continue;
            }
            let b = block[at];
            match self.start {
                None => match b {
                    b']' if self.envelope.is_some() => {
                        if let Some(envelope) = &mut self.envelope {
                            envelope.inside = false;
                            envelope.done = envelope.once;
                        }
                    }
                    b'[' if self.envelope.is_some() => {
                        self.start = Some(at);
                        self.depth = 1;
                    }
                    b' ' | b'\n' | b'\r' | b'\t' | b',' | b'[' | b']' => {}
                    b'{' => {
                        self.start = Some(at);
                        self.depth = 1;
                    }
                    b'"' => {
                        self.start = Some(at);
                        self.in_string = true;
                    }
                    b'\xef' if block[at..].starts_with(BYTE_ORDER_MARK) => {
                        at += BYTE_ORDER_MARK.len() - 1;
                    }
                    // The rest of it is in the next block.
                    b'\xef' if BYTE_ORDER_MARK.starts_with(&block[at..]) => break,
                    _ => self.start = Some(at),
                },
                Some(_) if self.depth == 0 => {
                    if matches!(b, b'\n' | b'\r' | b',' | b']' | b'[' | b'{') {
                        self.close(at);
                        continue;
                    }
                }
                Some(_) => match b {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            self.close(at + 1);
                        }
                    }
                    _ => {}
                },
            }
            at += 1;
        }
        self.seen = at;
        &self.found
    }

    fn close(&mut self, end: usize) {
        if let Some(start) = self.start.take()
            && !std::mem::take(&mut self.abandoned)
        {
            self.found.push((start, end));
        }
    }

    /// Whether a record is open, or may be.
    pub fn is_open(&self) -> bool {
        self.start.is_some() || self.envelope.is_none()
    }

    /// Gives up the open record: the whole block is dropped, and what follows up to the record's end is passed over.
    ///
    /// Returns whether it had been given up before.
    pub fn abandon(&mut self) -> bool {
        // What was not looked at yet is a backslash whose partner is in the next block, or nothing.
        self.escaped = self.seen_to_end.is_some_and(|end| self.seen < end);
        self.start = Some(0);
        self.seen = 0;
        std::mem::replace(&mut self.abandoned, true)
    }

    /// The records found, and where the open or next one begins, with the blanks before it: a damaged record is cut at lines that begin
    /// alike.
    pub fn take(&mut self, block: &[u8]) -> (Vec<(usize, usize)>, usize) {
        let mut cut = self.start.unwrap_or(self.seen);
        // The record before may end in blanks, when it is no object.
        let floor = self.found.last().map_or(0, |f| f.1);
        let floor = floor.max(cut.saturating_sub(MAX_INDENT));
        while cut > floor && matches!(block[cut - 1], b' ' | b'\t') {
            cut -= 1;
        }
        self.start = self.start.map(|start| start - cut);
        self.seen -= cut.min(self.seen);
        debug_assert!(cut <= block.len());
        (std::mem::take(&mut self.found), cut)
    }
}
