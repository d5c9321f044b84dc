//! An open input: its packing undone, its text in UTF-8, its bytes hashed on the way as they came.
//!
//! Compression, encoding and Parquet are told by content. Knows nothing of records.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;
use sha2::{Digest, Sha256};

use super::input::{Input, Local};
use super::member::Opened;
use super::packing::{Broken, Bytes, Counted, Peeled, in_memory, peek};
use super::parquet;
use super::workbook::Marks;
use crate::fault::{Error, Result};
use crate::progress::Progress;

pub use super::packing::Packing;

/// Bytes that tell the encoding, in most files: as many as are read at first anyway.
const ENCODING_BYTES: u64 = 2 << 20;
/// Bytes that tell the encoding of a pipe where its beginning leaves it open: nobody can look at all of it and come back.
const PIPE_ENCODING_BYTES: u64 = 8 << 20;

/// Bytes read so far and their hash.
#[derive(Default)]
struct Meter {
    bytes: u64,
    hash: Sha256,
}

/// An open input.
pub struct Stream {
    reader: Bytes,
    meter: Arc<Mutex<Meter>>,
    /// The file that is read, where it is one.
    local: Option<Local>,
    member: Option<Input>,
    /// How it is packed, without the compressions around it.
    pub packing: Packing,
    /// How it is packed, for the ledger.
    pub packed: &'static str,
    /// How its text is encoded.
    pub encoding: &'static str,
    /// What is to be said of it before it is read.
    pub note: String,
    /// What is known of a sheet while it is read.
    pub marks: Option<Arc<Marks>>,
    /// Bytes of the byte order mark that is passed over. Offsets in UTF-16 are those of the text in UTF-8.
    pub offset: u64,
}

struct Tee {
    inner: Bytes,
    meter: Arc<Mutex<Meter>>,
    progress: Arc<dyn Progress>,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if n > 0 {
            let mut meter = self.meter.lock().expect("no reader panics while it counts");
            meter.bytes += n as u64;
            meter.hash.update(&buffer[..n]);
            self.progress.read_bytes(n as u64);
        }
        Ok(n)
    }
}

/// Opens an input. Compressions are undone, other encodings become UTF-8, byte order marks are dropped. Of an archive nothing is read: its
/// members are inputs of their own ([`super::member::members`]).
///
/// # Errors
/// When the file cannot be opened.
pub fn open(input: &Input, progress: Arc<dyn Progress>) -> Result<Stream> {
    // It is opened more than once.
    let local = input.local()?;
    let Opened {
        bytes: inner,
        note: said,
        marks,
    } = raw(input)?;
    let meter = Arc::new(Mutex::new(Meter::default()));
    let tee = Box::new(Tee {
        inner,
        meter: Arc::clone(&meter),
        progress,
    });
    let count = Arc::clone(&meter);
    let packed = move || {
        count
            .lock()
            .expect("no reader panics while it counts")
            .bytes
    };
    let peeled = Peeled::of(tee, packed).map_err(Error::io("read", shown(input)))?;
    let (packing, packed) = (peeled.packing, peeled.name());
    let (head, reader) = peek(inside(input, peeled)?, ENCODING_BYTES);
    let (letters, seen, reader) = letters(input, &head, reader);
    let (encoding, from) = encoding_of(&head, &letters);
    let encoding_note = match (encoding, seen) {
        ("Windows-1252", Seen::All) => "neither UTF-8 nor UTF-16: read as Windows-1252",
        ("Windows-1252", Seen::Beginning) => {
            "its first 8 MiB are neither UTF-8 nor UTF-16, and a pipe is read once: read as Windows-1252"
        }
        _ => "",
    };
    let mut notes = vec![said.as_str(), encoding_note];
    notes.retain(|note| !note.is_empty());
    let reader: Bytes = match from {
        None if !encoding.ends_with("BOM") => reader,
        from => Box::new(
            DecodeReaderBytesBuilder::new()
                .encoding(from)
                .bom_override(true)
                .strip_bom(true)
                .utf8_passthru(true)
                .build(reader),
        ),
    };
    Ok(Stream {
        reader,
        meter,
        local,
        member: matches!(input, Input::Member(_)).then(|| input.clone()),
        packing,
        packed,
        encoding,
        note: notes.join("; "),
        marks,
        offset: if encoding == "UTF-8 with BOM" { 3 } else { 0 },
    })
}

/// An input as it came.
fn raw(input: &Input) -> Result<Opened> {
    let reader: Bytes = match input {
        Input::File(path) | Input::Pipe(path) => {
            Box::new(File::open(path).map_err(Error::io("open", path))?)
        }
        Input::Stored(stored) => Box::new(stored.bring()?.read()?),
        Input::Member(member) => return member.open(),
        Input::Stdin => Box::new(io::stdin()),
    };
    Ok(Opened::from(reader))
}

/// An input from its start on, without the compressions around it.
pub(super) fn peeled(input: &Input) -> Result<Peeled> {
    let inner = raw(input)?.bytes;
    let count = Arc::new(AtomicU64::new(0));
    let counted = Box::new(Counted {
        inner,
        count: Arc::clone(&count),
    });
    Peeled::of(counted, move || count.load(Ordering::Relaxed))
        .map_err(Error::io("read", shown(input)))
}

/// The text of an input that was peeled; nothing where it has no text of its own.
fn inside(input: &Input, peeled: Peeled) -> Result<Bytes> {
    Ok(match peeled.packing {
        Packing::Parquet => match input.local()? {
            Some(local) if peeled.layers.is_empty() => {
                lines_of(parquet::Lines::of_file(local.open()?))
            }
            _ => lines_of(in_memory(peeled.reader).and_then(parquet::Lines::of_bytes)),
        },
        Packing::Zip | Packing::Tar | Packing::Foreign(_) => Box::new(io::empty()),
        Packing::None | Packing::Gzip | Packing::Zstd | Packing::Xz => peeled.reader,
    })
}

/// The path of an input for messages.
fn shown(input: &Input) -> PathBuf {
    match input {
        Input::File(path) | Input::Pipe(path) => path.clone(),
        Input::Stored(stored) => stored.address().to_path_buf(),
        Input::Member(_) | Input::Stdin => input.name().into(),
    }
}

fn lines_of(lines: io::Result<parquet::Lines>) -> Bytes {
    match lines {
        Ok(lines) => Box::new(lines),
        Err(e) => Box::new(Broken::new(e)),
    }
}

/// How much of a text was looked at.
#[derive(Clone, Copy)]
enum Seen {
    /// All of it, or enough.
    All,
    /// What could be looked at before reading.
    Beginning,
}

/// Counts the letters of a text: those of its beginning, and where they leave the encoding open, all of them. One bad byte may stand long
/// before the first good letter.
fn letters(input: &Input, head: &[u8], reader: Bytes) -> (Letters, Seen, Bytes) {
    let mut letters = Letters::default();
    letters.add(head);
    let is_all = (head.len() as u64) < ENCODING_BYTES;
    if is_all || !letters.is_open() || marked(head).is_some() {
        return (letters, Seen::All, reader);
    }
    if input.is_pipe() {
        let (more, reader) = peek(reader, PIPE_ENCODING_BYTES);
        let seen = match (more.len() as u64) < PIPE_ENCODING_BYTES {
            true => Seen::All,
            false => Seen::Beginning,
        };
        letters = Letters::default();
        letters.add(&more);
        return (letters, seen, reader);
    }
    // Where it cannot be opened or breaks off, the reading that follows does too and says so.
    let mut all = Letters::default();
    if all_letters(input, &mut all).is_ok() || all.count() > letters.count() {
        letters = all;
    }
    (letters, Seen::All, reader)
}

/// Counts the letters of an input that can be opened again.
fn all_letters(input: &Input, letters: &mut Letters) -> Result<()> {
    let mut reader = inside(input, peeled(input)?)?;
    let mut buffer = vec![0; ENCODING_BYTES as usize];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => letters.add(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io("read", shown(input))(e)),
        }
    }
}

/// What a text holds beyond ASCII.
#[derive(Debug, Default)]
struct Letters {
    /// Letters in UTF-8.
    good: u64,
    /// Where it is not UTF-8.
    bad: u64,
    /// Bytes that text in Windows-1252 does not have.
    strange: u64,
    /// A letter that may go on: its first bytes were the last.
    cut: Vec<u8>,
}

/// In text that is Windows-1252 so many letters are no UTF-8 for each that is by chance, and for each byte that does not belong there.
const TELLING: u64 = 20;

impl Letters {
    fn add(&mut self, bytes: &[u8]) {
        let is_control =
            |b: u8| b == 0x7f || (b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c));
        self.strange += bytes.iter().filter(|b| is_control(**b)).count() as u64;
        if self.cut.is_empty() && bytes.is_ascii() {
            return;
        }
        let joined;
        let text = match self.cut.is_empty() {
            true => bytes,
            false => {
                joined = [self.cut.as_slice(), bytes].concat();
                self.cut.clear();
                joined.as_slice()
            }
        };
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            let letters = chunk.valid().chars().filter(|c| !c.is_ascii());
            self.good += letters.count() as u64;
            let invalid = chunk.invalid();
            let may_go_on = chunks.peek().is_none()
                && std::str::from_utf8(invalid).is_err_and(|e| e.error_len().is_none());
            if may_go_on {
                self.cut.extend_from_slice(invalid);
            } else if !invalid.is_empty() {
                self.bad += 1;
                // They stand for nothing there.
                let undefined = |b: &&u8| matches!(**b, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
                self.strange += invalid.iter().filter(undefined).count() as u64;
            }
        }
    }

    fn count(&self) -> u64 {
        self.good + self.bad
    }

    /// Whether more of the text may tell another encoding.
    fn is_open(&self) -> bool {
        self.bad > 0
    }

    /// Whether the text is Windows-1252. One with good letters and some bad ones is UTF-8 that was damaged: only the damaged records are
    /// lost.
    fn is_windows(&self) -> bool {
        self.bad > TELLING * (self.good + self.strange)
    }
}

/// How a text with this beginning and these letters is encoded: the name for the ledger, and the decoder where one is needed and no byte
/// order mark tells it.
fn encoding_of(head: &[u8], letters: &Letters) -> (&'static str, Option<&'static Encoding>) {
    match marked(head) {
        Some(marked) => marked,
        None if letters.is_windows() => ("Windows-1252", Some(encoding_rs::WINDOWS_1252)),
        None => ("UTF-8", None),
    }
}

/// The encoding that the first bytes say, by a mark or by their zeros.
fn marked(head: &[u8]) -> Option<(&'static str, Option<&'static Encoding>)> {
    /// Bytes of which some are zero in any text in UTF-16 that has a header or JSON.
    const BEGINNING: usize = 32;
    match head {
        [0xef, 0xbb, 0xbf, ..] => return Some(("UTF-8 with BOM", None)),
        [0xff, 0xfe, ..] => return Some(("UTF-16LE with BOM", None)),
        [0xfe, 0xff, ..] => return Some(("UTF-16BE with BOM", None)),
        _ => {}
    }
    // Latin letters in UTF-16 have a zero in every other byte; of other binary content the zeros stand anywhere.
    let start = &head[..head.len().min(2048)];
    let zeros = |odd: usize| {
        start
            .iter()
            .skip(odd)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    // Text in UTF-16 was joined to one in UTF-8, which would be lost in letters that it does not have.
    let joined = start.len() > BEGINNING
        && start[..BEGINNING]
            .iter()
            .all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
    if (even + odd) * 4 > start.len() && !joined {
        if odd > 8 * even {
            return Some(("UTF-16LE", Some(encoding_rs::UTF_16LE)));
        }
        if even > 8 * odd {
            return Some(("UTF-16BE", Some(encoding_rs::UTF_16BE)));
        }
    }
    None
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl Stream {
    /// Size and SHA-256 of what was read; call it after reading. With `rest`, what was not read (of a broken archive, say) is read and
    /// hashed now.
    ///
    /// # Errors
    /// When the rest cannot be read.
    pub fn digest(self, rest: bool) -> Result<(u64, String)> {
        drop(self.reader);
        let mut meter = self.meter.lock().expect("the reader is gone");
        let rest = rest || !matches!(self.packing, Packing::None);
        // A member that is damaged has the hash of what could be read.
        if let Some(member) = self.member.as_ref().filter(|_| rest)
            && let Ok(whole) = measured(member)
        {
            return Ok(whole);
        }
        if let Some(local) = self.local.as_ref().filter(|_| rest) {
            let path = local.shown();
            let mut file = local.open()?;
            io::Seek::seek(&mut file, io::SeekFrom::Start(meter.bytes))
                .map_err(Error::io("read", path))?;
            let rest = copy_into(&mut file, &mut meter.hash).map_err(Error::io("read", path))?;
            meter.bytes += rest;
        }
        Ok((meter.bytes, hex::encode(meter.hash.clone().finalize())))
    }
}

fn copy_into(reader: &mut impl Read, hash: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(total),
            n => {
                hash.update(&buffer[..n]);
                total += n as u64;
            }
        }
    }
}

/// SHA-256 of an input's bytes, of a member of an archive as it would be unpacked, of a sheet as it is read.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(input: &Input) -> Result<String> {
    measured(input).map(|(_, hash)| hash)
}

/// Size and SHA-256 of an input.
fn measured(input: &Input) -> Result<(u64, String)> {
    if input.is_pipe() {
        return Err(Error::Usage("a pipe can be read once only".into()));
    }
    let mut reader = raw(input)?.bytes;
    let mut hash = Sha256::new();
    let size = copy_into(&mut reader, &mut hash).map_err(Error::io("read", shown(input)))?;
    Ok((size, hex::encode(hash.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_by_content() {
        let le: Vec<u8> = "CreationDate,UserIds"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let be: Vec<u8> = "CreationDate,UserIds"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        for (head, want) in [
            (&b"plain"[..], "UTF-8"),
            ("M\u{fc}ller".as_bytes(), "UTF-8"),
            (b"M\xfcller", "Windows-1252"),
            // One bad byte beside a good letter is damage.
            (b"M\xc3\xbcller M\xfcller", "UTF-8"),
            (b"a\x01b\xfcller", "UTF-8"),
            (b"\xff\xfea\0", "UTF-16LE with BOM"),
            (&le, "UTF-16LE"),
            (&be, "UTF-16BE"),
            (b"\0\0\0\0\0\0\0\0", "UTF-8"),
        ] {
            let mut letters = Letters::default();
            letters.add(head);
            assert_eq!(encoding_of(head, &letters).0, want, "{head:?}");
        }
    }

    #[test]
    fn letters_are_counted_alike_however_the_text_is_cut() {
        let text = b"J\xc3\xbcrgen M\xfcller \xe2\x82\xac \xf0\x9f\x98\x80 \xe2\x82x\x81\x7f";
        let counts = |l: &Letters| [l.good, l.bad, l.strange];
        let mut whole = Letters::default();
        whole.add(text);
        assert_eq!(counts(&whole), [3, 3, 2]);
        for size in 1..text.len() {
            let mut letters = Letters::default();
            for piece in text.chunks(size) {
                letters.add(piece);
            }
            assert_eq!(counts(&letters), counts(&whole), "pieces of {size}");
        }
    }
}
