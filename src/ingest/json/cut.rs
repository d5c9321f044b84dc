//! Cutting a stream of JSON values into records.

use std::ops::ControlFlow;

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
    /// Where the string of it begins that was opened last.
    string: usize,
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
    place: Place,
    /// Whether the string before was the key.
    matched: bool,
    /// Whether the string before was `error`.
    error: bool,
    /// Whether such an array was seen at all.
    seen: bool,
    /// Brackets around the first array: one that stands deeper in a later object is part of a record.
    depth: Option<u32>,
    done: bool,
    last: Last,
}

/// Where the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where nothing but blanks was seen.
    Begin,
    /// Between outer objects.
    Between,
    /// In an outer object whose array did not come yet. One without it is a record itself, as of another file that was joined to this one.
    Before,
    /// In the array; the brackets around it, where it is known where the outer object began.
    Inside(Option<u32>),
    /// In the rest of the outer object; the brackets that are open.
    After(Option<u32>),
}

/// What stood last in the rest of an outer object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// The end of the array.
    Array,
    /// A comma after it.
    Comma,
    /// Another closing bracket.
    Close,
    Other,
}

impl Envelope {
    /// Hears of a string.
    fn name(&mut self, name: &[u8]) {
        self.matched = name == self.key.as_bytes() && !self.done;
        self.error = name == b"error";
    }

    fn forget(&mut self) {
        self.matched = false;
        self.error = false;
    }

    /// The array begins in so many brackets.
    fn enter(&mut self, level: Option<u32>) {
        self.forget();
        self.seen = true;
        self.depth = self.depth.or(level);
        self.place = Place::Inside(level);
    }

    /// The array ends.
    fn leave(&mut self, level: Option<u32>) {
        self.done = self.once;
        self.last = Last::Array;
        self.place = Place::After(level);
    }

    /// Passes over the rest of an outer object, from `at`; returns where it stopped, and whether an error begins there. Where it came to
    /// the next array or to the object's end, the place is another one.
    fn rest(&mut self, block: &[u8], mut at: usize) -> (usize, bool) {
        while let Place::After(level) = self.place
            && at < block.len()
        {
            let b = block[at];
            match b {
                b'"' => {
                    let Some(close) = end_of_string(block, at + 1) else {
                        // The string goes on in the next block; look at it again then.
                        return (at, false);
                    };
                    self.name(&block[at + 1..close]);
                    at = close;
                }
                b'[' if self.matched => self.enter(level),
                b'{' if self.error => {
                    self.error = false;
                    self.last = Last::Other;
                    return (at, true);
                }
                // No object goes on like that: a bracket too many ended the array.
                b'{' | b'[' if self.last == Last::Comma => {
                    self.done = false;
                    self.place = Place::Inside(level);
                    return (at, false);
                }
                // Nor like that: another file was joined to this one.
                b'{' | b'[' if matches!(self.last, Last::Array | Last::Close) => {
                    self.forget();
                    self.place = Place::Between;
                    return (at, false);
                }
                b':' | b' ' | b'\n' | b'\r' | b'\t' => {}
                _ => {
                    self.forget();
                    self.place = match (b, level) {
                        (b'{' | b'[', Some(n)) => Place::After(Some(n + 1)),
                        (b'}' | b']', Some(0 | 1)) => Place::Between,
                        (b'}' | b']', Some(n)) => Place::After(Some(n - 1)),
                        _ => self.place,
                    };
                }
            }
            self.last = match (b, self.last) {
                (b' ' | b'\n' | b'\r' | b'\t', last) => last,
                (b',', Last::Array) => Last::Comma,
                (b'}' | b']', _) => Last::Close,
                _ => Last::Other,
            };
            at += 1;
        }
        (at, false)
    }
}

/// Where a string ends that began before `at`, if it does in this block.
fn end_of_string(block: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let i = memchr2(b'"', b'\\', block.get(at..)?)?;
        if block[at + i] == b'"' {
            return Some(at + i);
        }
        at += i + 2;
    }
}

/// Whether a byte stands before a text without being of it: of a byte order mark, what fills a file up, the mark before a record.
fn is_mark(b: u8) -> bool {
    matches!(b, b'\xef' | 0 | 0x1a | 0x1e)
}

/// Whether an object begins as the error answers of services do.
fn begins_with_error(object: &[u8]) -> bool {
    /// Bytes before the error: the address of its kind.
    const BEFORE: usize = 1024;
    let keys = object.strip_prefix(b"{").unwrap_or(object);
    let keys = keys.trim_ascii_start();
    object.len() < BEFORE && (keys.starts_with(b"\"error\"") || keys.starts_with(b"\"@odata."))
}

impl Cutter {
    /// Cuts the arrays under this key; with `once`, only the first of them.
    pub fn within(key: &'static str, once: bool) -> Self {
        Cutter {
            envelope: Some(Envelope {
                key,
                once,
                place: Place::Begin,
                matched: false,
                error: false,
                seen: false,
                depth: None,
                done: false,
                last: Last::Other,
            }),
            ..Cutter::default()
        }
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
            if self.in_string {
                let Some(i) = memchr2(b'"', b'\\', &block[at..]) else {
                    at = block.len();
                    break;
                };
                at += i;
                if block[at] == b'"' {
                    self.end_string(block, at);
                    at += 1;
                } else if at + 1 < block.len() {
                    at += 2;
                } else {
                    break; // the escaped byte is in the next block
                }
                continue;
            }
            let next = match (self.start, self.depth) {
                (None, _) => self.between(block, at),
                (Some(_), 0) => self.scalar(block[at], at),
                (Some(start), _) => self.nested(block, start, at),
            };
            match next {
                ControlFlow::Continue(next) => at = next,
                ControlFlow::Break(stop) => {
                    at = stop; // the rest of it is in the next block
                    break;
                }
            }
        }
        self.seen = at;
        &self.found
    }

    /// A string of the open record ends.
    fn end_string(&mut self, block: &[u8], at: usize) {
        self.in_string = false;
        if self.depth == 0 {
            self.close(at + 1);
        } else if let Some(envelope) = &mut self.envelope
            && envelope.place == Place::Before
        {
            envelope.name(&block[self.string..at]);
        }
    }

    fn open(&mut self, at: usize, depth: u32) {
        self.start = Some(at);
        self.depth = depth;
    }

    /// Looks at a byte where no record is open; says where to look next.
    fn between(&mut self, block: &[u8], at: usize) -> ControlFlow<usize, usize> {
        let b = block[at];
        if let Some(envelope) = &mut self.envelope {
            if envelope.place == Place::Begin && !b.is_ascii_whitespace() && !is_mark(b) {
                envelope.place = match b {
                    b'{' | b'[' => Place::Between,
                    // It was begun in the middle of an object.
                    _ => Place::After(None),
                };
            }
            match (envelope.place, b) {
                (Place::After(_), _) => {
                    let (next, is_error) = envelope.rest(block, at);
                    let stays = matches!(envelope.place, Place::After(_));
                    if is_error {
                        self.open(next, 1);
                        return ControlFlow::Continue(next + 1);
                    }
                    return match stays {
                        true => ControlFlow::Break(next),
                        false => ControlFlow::Continue(next),
                    };
                }
                (Place::Inside(level), b']') => {
                    envelope.leave(level);
                    return ControlFlow::Continue(at + 1);
                }
                // A record without its end took the array's.
                (Place::Inside(Some(1)), b'}') if !envelope.once => {
                    envelope.leave(Some(1));
                    return ControlFlow::Continue(at);
                }
                (Place::Inside(_), b'[') => {
                    self.open(at, 1);
                    return ControlFlow::Continue(at + 1);
                }
                (Place::Between, b'{') => {
                    envelope.forget();
                    envelope.place = Place::Before;
                }
                _ => {}
            }
        }
        match b {
            b' ' | b'\n' | b'\r' | b'\t' | b',' | b'[' | b']' => {}
            // What fills a file up, and the mark before each record of a sequence (RFC 7464).
            0 | 0x1a | 0x1e => {}
            b'{' => self.open(at, 1),
            b'"' => {
                self.open(at, 0);
                self.in_string = true;
            }
            b'\xef' if block[at..].starts_with(BYTE_ORDER_MARK) => {
                return ControlFlow::Continue(at + BYTE_ORDER_MARK.len());
            }
            b'\xef' if BYTE_ORDER_MARK.starts_with(&block[at..]) => {
                return ControlFlow::Break(at);
            }
            _ => self.open(at, 0),
        }
        ControlFlow::Continue(at + 1)
    }

    /// Looks at a byte of a record that is neither object nor array.
    fn scalar(&mut self, b: u8, at: usize) -> ControlFlow<usize, usize> {
        if matches!(b, b'\n' | b'\r' | b',' | b']' | b'[' | b'{') {
            self.close(at);
            return ControlFlow::Continue(at);
        }
        ControlFlow::Continue(at + 1)
    }

    /// Looks at a byte of an object or array, outside of strings.
    fn nested(&mut self, block: &[u8], start: usize, at: usize) -> ControlFlow<usize, usize> {
        let b = block[at];
        if let Some(envelope) = &mut self.envelope
            && envelope.place == Place::Before
        {
            let is_its = envelope.depth.is_none_or(|d| self.depth <= d);
            match b {
                b'[' if envelope.matched && is_its => {
                    envelope.enter(Some(self.depth));
                    self.start = None;
                    self.depth = 0;
                    return ControlFlow::Continue(at + 1);
                }
                // It is a record alone, so that a page that failed is not passed over.
                b'{' if envelope.error && begins_with_error(&block[start..at]) => {
                    envelope.forget();
                    envelope.last = Last::Other;
                    envelope.place = Place::After(Some(self.depth));
                    self.open(at, 1);
                    return ControlFlow::Continue(at + 1);
                }
                b':' | b' ' | b'\n' | b'\r' | b'\t' => {}
                _ => envelope.forget(),
            }
        }
        match b {
            b'"' => {
                self.in_string = true;
                self.string = at + 1;
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.close(at + 1);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(at + 1)
    }

    fn close(&mut self, end: usize) {
        self.is_no_envelope();
        if let Some(start) = self.start.take()
            && !std::mem::take(&mut self.abandoned)
        {
            self.found.push((start, end));
        }
    }

    /// The outer object that is open had no array of records, or none that is looked for any more.
    fn is_no_envelope(&mut self) {
        if let Some(envelope) = &mut self.envelope
            && envelope.place == Place::Before
        {
            envelope.place = Place::Between;
        }
    }

    /// Whether a record is open, or may be.
    pub fn is_open(&self) -> bool {
        self.start.is_some() || self.envelope.is_none()
    }

    /// Whether more records may follow in the array that is open.
    pub fn is_in_array(&self) -> bool {
        let place = self.envelope.as_ref().map(|envelope| envelope.place);
        matches!(place, Some(Place::Inside(_)))
    }

    /// Where the record begins that is open in an array of records.
    pub fn open_record(&self) -> Option<usize> {
        self.start.filter(|_| self.is_in_array())
    }

    /// Gives up the open record: the whole block is dropped, and what follows up to the record's end is passed over.
    ///
    /// Returns whether it had been given up before.
    pub fn abandon(&mut self) -> bool {
        // What was not looked at yet is a backslash whose partner is in the next block, or nothing.
        self.escaped = self.seen_to_end.is_some_and(|end| self.seen < end);
        self.is_no_envelope();
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
        self.string = self.string.saturating_sub(cut);
        self.seen -= cut.min(self.seen);
        debug_assert!(cut <= block.len());
        (std::mem::take(&mut self.found), cut)
    }
}
