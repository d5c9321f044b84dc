//! How files are packed: compressions, which are undone on the way, archives, whose members are inputs of their own, and what nobody reads
//! here, which is named with what to do. All of it is told by content, and what unpacks to far more than it was is stopped.
//!
//! Knows nothing of what is inside.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;

/// A file may unpack to this many times its size. Logs come to 60 at most, and deflate, the least dense of the packings, reaches 1,032
/// where somebody means harm.
pub const MAX_RATIO: u64 = 200;
/// What a file may unpack to whatever the ratio: a single event repeated is dense and harmless.
pub const RATIO_FROM: u64 = 16 << 20;
/// What a file may unpack to at most.
pub const MAX_UNPACKED: u64 = 1 << 40;
/// What nothing can seek in is read into memory up to this size where it has to be: zip archives and Parquet in something else.
pub const MAX_IN_MEMORY: u64 = 64 << 20;
/// Compressions around one another that are undone.
const MAX_LAYERS: usize = 3;
/// Bytes that tell how a file is packed: the header of a tar archive has so many.
const HEAD_BYTES: u64 = 512;
/// Bytes in which the streams of an old Office file are looked for.
const OLE_BYTES: u64 = 2 << 20;
/// What undoing xz may take; its densest setting takes 64 MiB.
const XZ_KIB: u32 = 256 << 10;

/// A reader that may be given to another thread.
pub(super) type Bytes = Box<dyn Read + Send>;

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
    /// xz
    Xz,
    /// Parquet: its rows are read as JSON lines.
    Parquet,
    /// A zip archive, or a workbook, which is one: what is inside are inputs of their own.
    Zip,
    /// A tar archive: its members are inputs of their own.
    Tar,
    /// Something that is not read, and what to do.
    Foreign(&'static str),
}

/// What is not read, told by its first bytes.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive: unpack it first"),
    (b"\x04\x22\x4d\x18", "packed with lz4: unpack it first"),
    (b"\x02\x21\x4c\x18", "packed with lz4: unpack it first"),
    (b"\x5d\0\0", "packed with LZMA (.lzma): unpack it first"),
    (b"\x89LZO\0", "packed with lzop: unpack it first"),
    (
        b"PK\x07\x08",
        "the first part of a zip archive in several parts: join them first (`zip -s 0`)",
    ),
    (b"!<arch>\n", "an `ar` archive: unpack it first"),
    (b"xar!\0", "a xar archive: unpack it first"),
    (b"MSWIM\0\0\0", "a Windows image (.wim): unpack it first"),
    (
        b"vhdxfile",
        "a virtual disk (.vhdx): export the files in it first",
    ),
    (
        b"conectix",
        "a virtual disk (.vhd): export the files in it first",
    ),
    (
        b"KDMV",
        "a virtual disk (.vmdk): export the files in it first",
    ),
    (b"\x7fELF", PROGRAM),
    (b"MZ\x90\0", PROGRAM),
    (b"\x89PNG\r\n", IMAGE),
    (b"\xff\xd8\xff", IMAGE),
    (b"GIF89a", IMAGE),
    (b"LZIP\x01", "packed with lzip: unpack it first"),
    (
        b"\x1f\x9d",
        "packed with the old `compress` (.Z): unpack it first",
    ),
    (b"MSCF\0\0\0\0", "a cabinet file (.cab): unpack it first"),
    (
        b"EVF\x09\x0d\x0a\xff\0",
        "a disk image (EnCase): export the files in it first",
    ),
    (
        b"!BDN",
        "an Outlook data file (.pst): export what it holds first",
    ),
    (
        b"ElfFile\0",
        "a Windows event log (.evtx): not an export of Microsoft 365",
    ),
    (
        b"Obj\x01",
        "Avro, as Event Hubs Capture writes it: convert it to JSON or Parquet first",
    ),
    (
        b"SQLite format 3\0",
        "an SQLite database: export its tables as CSV or JSON first",
    ),
    (
        b"%PDF-",
        "a PDF document: export the records as CSV or JSON",
    ),
    (OLE, ""),
];

/// Digits that begin a cpio archive.
const CPIO_HEADER: usize = 110;
const PROGRAM: &str = "a program: if it unpacks itself, do that first";
const IMAGE: &str = "an image, not an export";

/// Begins Office files of the old kind.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

impl Packing {
    /// The name for the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Packing::None | Packing::Foreign(_) => "none",
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
            Packing::Xz => "xz",
            Packing::Parquet => "Parquet",
            Packing::Zip => "zip",
            Packing::Tar => "tar",
        }
    }

    /// Whether what is inside are inputs of their own ([`super::member::members`]).
    pub fn holds_members(self) -> bool {
        matches!(self, Packing::Zip | Packing::Tar)
    }

    pub(super) fn of(head: &[u8]) -> Packing {
        match head {
            [0x1f, 0x8b, ..] => return Packing::Gzip,
            // What pzstd and others write before the data begins with one of sixteen marks.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                return Packing::Zstd;
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => return Packing::Xz,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => return Packing::Zip,
            // Meant to have several parts, and one was enough.
            [b'P', b'K', b'0', b'0', b'P', b'K', 3, 4, ..] => return Packing::Zip,
            [b'P', b'A', b'R', b'1', ..] => return Packing::Parquet,
            // The fourth letter is the size of its blocks.
            [b'B', b'Z', b'h', _, b'1', b'A', b'Y', b'&', b'S', b'Y', ..] => {
                return Packing::Foreign("packed with bzip2: unpack it first");
            }
            _ if super::tar::is_header(head) => return Packing::Tar,
            [b'0', b'7', b'0', b'7', b'0', b'1' | b'2', ..] => {
                let header = head.get(..CPIO_HEADER);
                if header.is_some_and(|header| header.iter().all(u8::is_ascii_hexdigit)) {
                    return Packing::Foreign("a cpio archive: unpack it first");
                }
            }
            _ => {}
        }
        FOREIGN
            .iter()
            .find(|(magic, _)| head.starts_with(magic))
            .map_or(Packing::None, |(_, what)| Packing::Foreign(what))
    }

    fn is_compression(self) -> bool {
        matches!(self, Packing::Gzip | Packing::Zstd | Packing::Xz)
    }

    /// Undoes a compression; `packed` says how many bytes were taken from the file so far.
    fn undone(self, reader: Bytes, packed: impl Fn() -> u64 + Send + 'static) -> io::Result<Bytes> {
        Ok(match self {
            Packing::Gzip => Box::new(Bounded::new(Gunzip::new(reader), packed)),
            Packing::Zstd => Box::new(Bounded::new(
                Frugal(zstd::stream::read::Decoder::new(reader)?),
                packed,
            )),
            Packing::Xz => {
                // It asks for single bytes.
                let reader = BufReader::new(reader);
                let reader = lzma_rust2::XzReader::new_mem_limit(reader, true, XZ_KIB);
                Box::new(Bounded::new(Frugal(Guarded(reader)), packed))
            }
            _ => reader,
        })
    }
}

/// How a workbook is packed, for the ledger.
pub const WORKBOOK: &str = "xlsx";

/// Whether entries with this name of a packing in the ledger are of files whose members have entries of their own.
pub fn held_members(name: &str) -> bool {
    name == "zip" || name == WORKBOOK || name.starts_with("tar")
}

/// A file without the compressions around it.
pub(super) struct Peeled {
    /// The compressions, the outermost first.
    pub layers: Vec<Packing>,
    /// What was inside: no compression.
    pub packing: Packing,
    /// Its bytes.
    pub reader: Bytes,
}

impl Peeled {
    /// Undoes the compressions of a file; `packed` says how many bytes were taken from it so far.
    pub(super) fn of(
        mut reader: Bytes,
        packed: impl Fn() -> u64 + Send + Clone + 'static,
    ) -> io::Result<Peeled> {
        let mut layers = Vec::new();
        loop {
            let (head, rest) = peek(reader, HEAD_BYTES);
            reader = rest;
            let packing = Packing::of(&head);
            if packing.is_compression() && layers.len() < MAX_LAYERS {
                reader = packing.undone(reader, packed.clone())?;
                layers.push(packing);
                continue;
            }
            let packing = match packing {
                p if p.is_compression() => {
                    Packing::Foreign("compressed more than three times: unpack it first")
                }
                Packing::Foreign(_) if head.starts_with(OLE) => {
                    let (head, rest) = peek(reader, OLE_BYTES);
                    reader = rest;
                    Packing::Foreign(old_office(&head))
                }
                p => p,
            };
            return Ok(Peeled {
                layers,
                packing,
                reader,
            });
        }
    }

    /// The name for the ledger.
    pub(super) fn name(&self) -> &'static str {
        match (self.layers.first(), self.packing) {
            (Some(layer), Packing::None | Packing::Foreign(_)) => layer.name(),
            (Some(Packing::Gzip), Packing::Tar) => "tar.gz",
            (Some(Packing::Zstd), Packing::Tar) => "tar.zst",
            (Some(Packing::Xz), Packing::Tar) => "tar.xz",
            (_, packing) => packing.name(),
        }
    }
}

/// What an Office file of the old kind is, by the names of its streams, which stand in it in UTF-16.
fn old_office(head: &[u8]) -> &'static str {
    let names = |name: &str| {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        memchr::memmem::find(head, &name).is_some()
    };
    if names("EncryptedPackage") {
        "an Office file with a password or with the protection of a sensitivity label: save it without and give that"
    } else if names("Workbook") || names("Book") {
        "an Excel workbook of the old kind (.xls): save it as .xlsx"
    } else if names("__substg1.0_") {
        "an Outlook message (.msg): not an export"
    } else {
        "an Office file of the old kind (.xls), or with a password: save it as .xlsx without one"
    }
}

/// Undoes gzip, also of files that were joined, and of one that zeros fill up, as tapes, copies by blocks and page blobs leave it.
struct Gunzip {
    /// Nothing behind the last one.
    member: Option<GzDecoder<BufReader<Bytes>>>,
}

impl Gunzip {
    fn new(reader: Bytes) -> Gunzip {
        let reader = BufReader::with_capacity(32 << 10, reader);
        Gunzip {
            member: Some(GzDecoder::new(reader)),
        }
    }
}

impl Read for Gunzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let n = member.read(buffer)?;
            if n > 0 || buffer.is_empty() {
                return Ok(n);
            }
            let goes_on = to_gzip(member.get_mut())?;
            let ended = self.member.take().filter(|_| goes_on);
            self.member = ended.map(|ended| GzDecoder::new(ended.into_inner()));
        }
        Ok(0)
    }
}

/// Goes over zeros to the next member of a gzip file; says whether there is one.
fn to_gzip(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = reader.fill_buf()?;
        match bytes.iter().position(|b| *b != 0) {
            None if bytes.is_empty() => return Ok(false),
            None => {
                let zeros = bytes.len();
                reader.consume(zeros);
            }
            Some(at) if bytes[at] == 0x1f => {
                reader.consume(at);
                return Ok(true);
            }
            Some(_) => {
                return Err(io::Error::other(
                    "bytes that are no gzip stand behind what was packed",
                ));
            }
        }
    }
}

/// Says what to do where a file asks for more memory than unpacking may take.
struct Frugal<R>(R);

impl<R: Read> Read for Frugal<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|e| {
            let said = e.to_string();
            // The words of the two libraries, which have no kind of error for it.
            match said.contains("too much memory") || said.contains("needed memory too big") {
                true => io::Error::other(
                    "unpacking it takes too much memory (`--long`, a large dictionary): unpack it first",
                ),
                false => e,
            }
        })
    }
}

/// Of a crafted file that makes the library for xz panic, that is an error.
struct Guarded<R>(R);

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = catch_unwind(AssertUnwindSafe(|| self.0.read(buffer)));
        read.unwrap_or_else(|_| Err(io::Error::other("it is damaged where nobody expected it")))
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
pub(super) fn peek(mut reader: Bytes, n: u64) -> (Vec<u8>, Bytes) {
    let mut head = Vec::new();
    let failed = reader.by_ref().take(n).read_to_end(&mut head).err();
    let read = Cursor::new(head.clone());
    match failed {
        None => (head, Box::new(read.chain(reader))),
        // Said when it is read, as for any other break.
        Some(e) => (head, Box::new(read.chain(Broken::new(e)))),
    }
}

/// A reader that only fails.
pub(super) struct Broken(Option<io::Error>);

impl Broken {
    pub(super) fn new(error: io::Error) -> Self {
        Broken(Some(error))
    }
}

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0.take() {
            Some(e) => Err(e),
            None => Ok(0),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn packings_are_told_by_content() {
        let told = |head: &[u8]| match Packing::of(head) {
            Packing::Foreign(what) => what.to_string(),
            packing => packing.name().to_string(),
        };
        for (head, want) in [
            (&b"\x1f\x8b\x08"[..], "gzip"),
            (b"\xfd7zXZ\0", "xz"),
            (b"PK\x03\x04", "zip"),
            (
                b"7z\xbc\xaf\x27\x1c\0\x04",
                "a 7-Zip archive: unpack it first",
            ),
            (b"Rar!\x1a\x07\x01\0", "a RAR archive: unpack it first"),
            (b"BZh11AY&SY", "packed with bzip2: unpack it first"),
            (
                b"\x5d\0\0\x80\0",
                "packed with LZMA (.lzma): unpack it first",
            ),
            (b"\x50\x2a\x4d\x18\x04\0\0\0", "zstd"),
            (b"PK00PK\x03\x04", "zip"),
            (b"PK00 is text", "none"),
            (b"BZh is text", "none"),
            (b"Rar! is text", "none"),
            (b"Id,Operation\n", "none"),
            (b"", "none"),
        ] {
            assert_eq!(told(head), want, "{head:?}");
        }
    }
}
