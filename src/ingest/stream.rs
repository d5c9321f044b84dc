//! An open input: its packing undone, its text in UTF-8, its bytes hashed on the way as they came.
//!
//! Compression, encoding and Parquet are told by content. Knows nothing of records.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;
use sha2::{Digest, Sha256};

use super::input::Input;
use super::parquet;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// A file may unpack to this many times its size. Logs come to 60 at most, and deflate, the least dense of the packings, reaches 1,032
/// where somebody means harm.
pub const MAX_RATIO: u64 = 200;
/// What a file may unpack to whatever the ratio: a single event repeated is dense and harmless.
pub const RATIO_FROM: u64 = 16 << 20;
/// What a file may unpack to at most.
pub const MAX_UNPACKED: u64 = 1 << 40;
/// Packed files inside a packed file, or Parquet where nothing can seek, are read into memory up to this size.
pub const MAX_IN_MEMORY: u64 = 64 << 20;
/// Bytes that tell the encoding, in most files: as many as are read at first anyway.
const ENCODING_BYTES: u64 = 2 << 20;
/// Bytes that tell the encoding of a pipe where its beginning leaves it open: nobody can look at all of it and come back.
const PIPE_ENCODING_BYTES: u64 = 8 << 20;

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
    /// Parquet: its rows are read as JSON lines.
    Parquet,
    /// A zip archive: its members are inputs of their own.
    Zip,
}

impl Packing {
    /// The name for the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Packing::None => "none",
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
            Packing::Parquet => "Parquet",
            Packing::Zip => "zip",
        }
    }

    fn of(head: &[u8]) -> Packing {
        match head {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Packing::Zip,
            [b'P', b'A', b'R', b'1', ..] => Packing::Parquet,
            _ => Packing::None,
        }
    }
}

/// Bytes read so far and their hash.
#[derive(Default)]
struct Meter {
    bytes: u64,
    hash: Sha256,
}

type Bytes = Box<dyn Read + Send>;

/// An open input.
pub struct Stream {
    reader: Bytes,
    meter: Arc<Mutex<Meter>>,
    path: Option<PathBuf>,
    member: Option<Input>,
    /// How it is packed.
    pub packing: Packing,
    /// How its text is encoded.
    pub encoding: &'static str,
    /// What is to be said of that.
    pub encoding_note: &'static str,
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

/// Counts the bytes that go by.
pub(super) struct Counted<R> {
    pub(super) inner: R,
    pub(super) count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Stops what unpacks to far more than it was.
pub(super) struct Bounded<R> {
    inner: R,
    /// Packed bytes so far.
    packed: Box<dyn Fn() -> u64 + Send>,
    unpacked: u64,
}

impl<R: Read> Bounded<R> {
    pub(super) fn new(inner: R, packed: impl Fn() -> u64 + Send + 'static) -> Self {
        Bounded {
            inner,
            packed: Box::new(packed),
            unpacked: 0,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.unpacked += n as u64;
        if self.unpacked > RATIO_FROM && self.unpacked / MAX_RATIO > (self.packed)() {
            return Err(io::Error::other(format!(
                "it unpacks to more than {MAX_RATIO} times its size (a decompression bomb?)"
            )));
        }
        if self.unpacked > MAX_UNPACKED {
            return Err(io::Error::other(format!(
                "it unpacks to more than {} GiB",
                MAX_UNPACKED >> 30
            )));
        }
        Ok(n)
    }
}

/// Reads up to `n` bytes and gives them back together with a reader that still has them, and with the error that came first.
fn peek(mut reader: Bytes, n: u64) -> (Vec<u8>, Bytes) {
    let mut head = Vec::new();
    let failed = reader.by_ref().take(n).read_to_end(&mut head).err();
    let read = Cursor::new(head.clone());
    match failed {
        None => (head, Box::new(read.chain(reader))),
        // Said when it is read, as for any other break.
        Some(e) => (head, Box::new(read.chain(Broken(Some(e))))),
    }
}

/// A reader that only fails.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0.take() {
            Some(e) => Err(e),
            None => Ok(0),
        }
    }
}

/// Opens an input. Known packings are undone, other encodings become UTF-8, byte order marks are dropped. Of a zip archive nothing is
/// read: its members are inputs of their own ([`super::zip::members`]).
///
/// # Errors
/// When the file cannot be opened.
pub fn open(input: &Input, progress: Arc<dyn Progress>) -> Result<Stream> {
    let inner = raw(input)?;
    let meter = Arc::new(Mutex::new(Meter::default()));
    let tee = Box::new(Tee {
        inner,
        meter: Arc::clone(&meter),
        progress,
    });
    let (head, reader) = peek(tee, 4);
    let packing = Packing::of(&head);
    let count = Arc::clone(&meter);
    let packed = move || {
        count
            .lock()
            .expect("no reader panics while it counts")
            .bytes
    };
    let reader = unpacked(input, packing, reader, packed)?;
    let (head, reader) = peek(reader, ENCODING_BYTES);
    let (letters, seen, reader) = letters(input, packing, &head, reader);
    let (encoding, from) = encoding_of(&head, &letters);
    let encoding_note = match (encoding, seen) {
        ("Windows-1252", Seen::All) => "neither UTF-8 nor UTF-16: read as Windows-1252",
        ("Windows-1252", Seen::Beginning) => {
            "its first 8 MiB are neither UTF-8 nor UTF-16, and a pipe is read once: read as Windows-1252"
        }
        _ => "",
    };
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
        path: match input {
            Input::File(path) => Some(path.clone()),
            _ => None,
        },
        member: matches!(input, Input::Member(_)).then(|| input.clone()),
        packing,
        encoding,
        encoding_note,
        offset: if encoding == "UTF-8 with BOM" { 3 } else { 0 },
    })
}

/// An input as it came.
fn raw(input: &Input) -> Result<Bytes> {
    Ok(match input {
        Input::File(path) | Input::Pipe(path) => {
            Box::new(File::open(path).map_err(Error::io("open", path))?)
        }
        Input::Member(member) => member.open()?,
        Input::Stdin => Box::new(io::stdin()),
    })
}

/// Undoes the packing of an input; `packed` says how many bytes were taken from the reader so far.
fn unpacked(
    input: &Input,
    packing: Packing,
    reader: Bytes,
    packed: impl Fn() -> u64 + Send + 'static,
) -> Result<Bytes> {
    Ok(match packing {
        Packing::Gzip => Box::new(Bounded::new(
            flate2::read::MultiGzDecoder::new(reader),
            packed,
        )),
        Packing::Zstd => Box::new(Bounded::new(
            zstd::stream::read::Decoder::new(reader).map_err(Error::io("read", shown(input)))?,
            packed,
        )),
        Packing::Parquet => match input {
            Input::File(path) => {
                let file = File::open(path).map_err(Error::io("open", path))?;
                lines_of(parquet::Lines::of_file(file))
            }
            _ => lines_of(in_memory(reader).and_then(parquet::Lines::of_bytes)),
        },
        Packing::Zip => Box::new(io::empty()),
        Packing::None => reader,
    })
}

/// The path of an input for messages.
fn shown(input: &Input) -> PathBuf {
    match input {
        Input::File(path) | Input::Pipe(path) => path.clone(),
        Input::Member(_) | Input::Stdin => input.name().into(),
    }
}

fn lines_of(lines: io::Result<parquet::Lines>) -> Bytes {
    match lines {
        Ok(lines) => Box::new(lines),
        Err(e) => Box::new(Broken(Some(e))),
    }
}

/// All of a stream that must be in memory to be read at all.
pub(super) fn in_memory(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_IN_MEMORY + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_IN_MEMORY {
        return Err(io::Error::other(format!(
            "larger than {} MiB and packed in something else: unpack it first",
            MAX_IN_MEMORY >> 20
        )));
    }
    Ok(bytes)
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
fn letters(input: &Input, packing: Packing, head: &[u8], reader: Bytes) -> (Letters, Seen, Bytes) {
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
    if all_letters(input, packing, &mut all).is_ok() || all.count() > letters.count() {
        letters = all;
    }
    (letters, Seen::All, reader)
}

/// Counts the letters of an input that can be opened again.
fn all_letters(input: &Input, packing: Packing, letters: &mut Letters) -> Result<()> {
    let inner = raw(input)?;
    let count = Arc::new(AtomicU64::new(0));
    let counted = Box::new(Counted {
        inner,
        count: Arc::clone(&count),
    });
    let packed = move || count.load(Ordering::Relaxed);
    let mut reader = unpacked(input, packing, counted, packed)?;
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
    if (even + odd) * 4 > start.len() {
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
        let rest = rest || matches!(self.packing, Packing::Parquet | Packing::Zip);
        // A member that is damaged has the hash of what could be read.
        if let Some(member) = self.member.as_ref().filter(|_| rest)
            && let (Some(size), Ok(hash)) = (member.size(), sha256(member))
        {
            return Ok((size, hash));
        }
        if let Some(path) = self.path.as_ref().filter(|_| rest) {
            let mut file = File::open(path).map_err(Error::io("open", path))?;
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

/// SHA-256 of an input's bytes, of a member of a zip archive as it would be unpacked.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(input: &Input) -> Result<String> {
    if input.is_pipe() {
        return Err(Error::Usage("a pipe can be read once only".into()));
    }
    let mut reader = raw(input)?;
    let mut hash = Sha256::new();
    copy_into(&mut reader, &mut hash).map_err(Error::io("read", shown(input)))?;
    Ok(hex::encode(hash.finalize()))
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

    #[test]
    fn what_unpacks_to_far_more_than_it_was_is_stopped() {
        let mut bomb = Bounded::new(io::repeat(b' '), || 1000);
        let read = io::copy(&mut bomb, &mut io::sink());
        assert!(
            read.expect_err("it is stopped")
                .to_string()
                .contains("200 times")
        );
        let mut log = Bounded::new(io::repeat(b' ').take(64 << 20), || 1 << 20);
        assert_eq!(
            io::copy(&mut log, &mut io::sink()).expect("it is read"),
            64 << 20
        );
    }
}
