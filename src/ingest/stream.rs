//! An open input: its packing undone, its text in UTF-8, its bytes hashed on the way as they came.
//!
//! Compression, encoding and Parquet are told by content. Knows nothing of records.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
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
/// Bytes that tell the encoding.
const ENCODING_BYTES: u64 = 64 << 10;

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
    /// How it is packed.
    pub packing: Packing,
    /// How its text is encoded.
    pub encoding: &'static str,
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
    let (path, inner): (_, Bytes) = match input {
        Input::File(path) => (
            Some(path.clone()),
            Box::new(File::open(path).map_err(Error::io("open", path))?),
        ),
        Input::Member(member) => (None, member.open()?),
        Input::Stdin => (None, Box::new(io::stdin())),
    };
    let shown = path.clone().unwrap_or_else(|| input.name().into());
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
    let reader: Bytes = match packing {
        Packing::Gzip => Box::new(Bounded::new(
            flate2::read::MultiGzDecoder::new(reader),
            packed,
        )),
        Packing::Zstd => Box::new(Bounded::new(
            zstd::stream::read::Decoder::new(reader).map_err(Error::io("read", &shown))?,
            packed,
        )),
        Packing::Parquet => match &path {
            Some(path) => {
                let file = File::open(path).map_err(Error::io("open", path))?;
                lines_of(parquet::Lines::of_file(file))
            }
            None => lines_of(in_memory(reader).and_then(parquet::Lines::of_bytes)),
        },
        Packing::Zip => Box::new(io::empty()),
        Packing::None => reader,
    };
    let (head, reader) = peek(reader, ENCODING_BYTES);
    let (encoding, from) = encoding_of(&head);
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
        path,
        packing,
        encoding,
        offset: if encoding == "UTF-8 with BOM" { 3 } else { 0 },
    })
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

/// How these first bytes of a text are encoded: the name for the ledger, and the decoder where one is needed and no byte order mark
/// tells it.
fn encoding_of(head: &[u8]) -> (&'static str, Option<&'static Encoding>) {
    match head {
        [0xef, 0xbb, 0xbf, ..] => return ("UTF-8 with BOM", None),
        [0xff, 0xfe, ..] => return ("UTF-16LE with BOM", None),
        [0xfe, 0xff, ..] => return ("UTF-16BE with BOM", None),
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
            return ("UTF-16LE", Some(encoding_rs::UTF_16LE));
        }
        if even > 8 * odd {
            return ("UTF-16BE", Some(encoding_rs::UTF_16BE));
        }
    }
    if is_windows_1252(head) {
        return ("Windows-1252", Some(encoding_rs::WINDOWS_1252));
    }
    ("UTF-8", None)
}

/// Whether text that is not UTF-8 is Windows-1252: no letter of it is UTF-8, and nothing in it is binary. Text with good UTF-8 letters
/// and a bad one is UTF-8 that was damaged: only the damaged record is lost.
fn is_windows_1252(head: &[u8]) -> bool {
    let control = |b: &u8| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c);
    if head.iter().any(|b| control(b) || *b == 0x7f) {
        return false;
    }
    let mut invalid = 0;
    let mut chunks = head.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        if !chunk.valid().is_ascii() {
            return false;
        }
        // A letter may be cut by the end of what was read.
        if chunks.peek().is_some() {
            // 81, 8D, 8F, 90 and 9D stand for nothing there.
            if chunk
                .invalid()
                .iter()
                .any(|b| matches!(b, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d))
            {
                return false;
            }
            invalid += chunk.invalid().len();
        }
    }
    invalid > 0
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
    let (mut reader, shown): (Bytes, PathBuf) = match input {
        Input::File(path) => (
            Box::new(File::open(path).map_err(Error::io("open", path))?),
            path.clone(),
        ),
        Input::Member(member) => (member.open()?, member.name.clone().into()),
        Input::Stdin => {
            return Err(Error::Usage("standard input can be read once only".into()));
        }
    };
    let mut hash = Sha256::new();
    copy_into(&mut reader, &mut hash).map_err(Error::io("read", Path::new(&shown)))?;
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
            assert_eq!(encoding_of(head).0, want, "{head:?}");
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
