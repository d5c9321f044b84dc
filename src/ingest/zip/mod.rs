//! Zip archives: where the bytes of their members are, which are read without unpacking anything to disk. Knows nothing of what members
//! hold, nor of what becomes of them.
//!
//! The crate `zip` finds the directory, also behind other bytes and beyond 4 GiB. Its entries are read here, since the crate keeps one of
//! each name, and as many as the end of the directory claims. Members are inflated here, from a reader that owns its place in the file.

use std::collections::HashSet;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Crc;

use super::input::{Input, Local};
use super::member::MAX_MEMBERS;
use super::packing::{Bounded, Bytes, Counted, Packing, in_memory};
use super::stream;
use crate::fault::{Error, Result};

mod directory;

use directory::Entry;

/// Where the bytes of an archive are.
#[derive(Debug, Clone)]
enum Place {
    File(Local),
    Memory(Arc<[u8]>),
}

trait Seekable: Read + Seek + Send {}
impl<T: Read + Seek + Send> Seekable for T {}

impl Place {
    fn of(input: &Input) -> Result<Place> {
        if let Some(local) = input.local()? {
            let failed = |e| Error::io("read", local.shown())(e);
            let mut head = Vec::new();
            let file = local.open()?;
            file.take(8).read_to_end(&mut head).map_err(failed)?;
            if Packing::of(&head) == Packing::Zip {
                return Ok(Place::File(local));
            }
        }
        let whole = in_memory(stream::peeled(input)?.reader);
        let bytes = whole.map_err(|e| input.unusable(&e.to_string()))?;
        Ok(Place::Memory(bytes.into()))
    }

    fn open(&self) -> Result<Box<dyn Seekable>> {
        Ok(match self {
            Place::File(local) => Box::new(local.open()?),
            Place::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        })
    }
}

#[derive(Debug, Clone)]
enum Method {
    Stored,
    Deflate,
    Deflate64,
    Zstd,
    /// Cannot be read, and why.
    Refused(String),
}

impl Method {
    /// `sized`: whether the header before the bytes says how many they are.
    fn of(flags: u16, method: u16, sized: bool) -> Method {
        match (flags & 1, method) {
            (1, _) => Method::Refused("it is encrypted: unpack it with its password first".into()),
            (_, 0) if sized => Method::Stored,
            (_, 8) => Method::Deflate,
            (_, 9) => Method::Deflate64,
            (_, 93) => Method::Zstd,
            (_, other) => Method::Refused(refusal(other)),
        }
    }
}

/// Why a member that is packed in this way is not read, and what to do.
fn refusal(method: u16) -> String {
    let name = match method {
        0 => return "nothing says where it ends: unpack the archive first".into(),
        1 => "shrink",
        2..=5 => "reduce",
        6 => "implode",
        12 => "bzip2",
        14 => "LZMA",
        95 => "xz",
        96 => "the method for JPEG images",
        98 => "PPMd",
        other => {
            return format!("its compression ({other}) is not known: unpack the archive first");
        }
    };
    format!("packed with {name}, which is not read in zip archives: unpack the archive first")
}

/// The bytes of a member.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// Their number, unpacked, as the directory says.
    pub size: u64,
    /// Their number as they stand in the archive.
    pub packed: u64,
    place: Place,
    start: u64,
    /// Nothing where the archive does not say.
    crc: Option<u32>,
    method: Method,
}

/// What is in an archive.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Its files with their names, in the order of the directory.
    pub parts: Vec<(String, Packed)>,
    /// Links, which lead elsewhere and have no bytes of their own.
    pub links: usize,
    /// Bytes that belong to no member that the directory names.
    pub stray: u64,
    /// Why not all of the archive's members may be here.
    pub damage: Option<String>,
}

/// Lists what is in a zip archive. Nothing is unpacked.
///
/// # Errors
/// When the archive cannot be read, or means harm.
pub(super) fn list(input: &Input) -> Result<Listing> {
    let place = Place::of(input)?;
    let failed = |e| Error::io("read", input.name())(e);
    let archive = match zip::ZipArchive::new(BufReader::new(place.open()?)) {
        Ok(archive) => archive,
        Err(e) => {
            let mut found = salvage(&place).map_err(failed)?;
            if found.parts.is_empty() {
                return Err(input.unusable(&format!("zip archive: {e}")));
            }
            found.damage = Some(format!("its directory is missing or damaged ({e})"));
            return Ok(found);
        }
    };
    let (offset, from) = (archive.offset(), archive.central_directory_start());
    let comment = archive.comment().len() as u64;
    let mut file = archive.into_inner();
    let (entries, end) = directory::entries(&mut file, from, MAX_MEMBERS + 1).map_err(failed)?;
    if entries.len() > MAX_MEMBERS {
        return Err(input.unusable("zip archive: more than 100,000 members"));
    }
    if entries.is_empty() {
        // The count of members wraps at 65,536 where a tool knows nothing larger.
        let mut found = salvage(&place).map_err(failed)?;
        if !found.parts.is_empty() {
            found.damage = Some("its directory is empty".into());
            return Ok(found);
        }
    }
    let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
    let behind = directory::end(&mut file, end, comment, length).map_err(failed)?;
    let mut listed = Listed {
        input,
        place,
        length,
        file,
        found: Listing::default(),
        taken: vec![(from, behind)],
        ranges: Vec::new(),
    };
    let mut once = HashSet::new();
    for mut entry in entries {
        entry.header = entry.header.saturating_add(offset);
        // Named twice: its bytes are read once.
        if once.insert((entry.header, entry.name.clone())) {
            listed.add(entry).map_err(failed)?;
        }
    }
    listed.finish()
}

/// What a file is that ends as a zip archive does and does not begin so; nothing where it ends otherwise.
///
/// # Errors
/// When its end cannot be read.
pub fn told_by_end(input: &Input) -> Result<Option<&'static str>> {
    /// Length of the last record without a comment.
    const END_BYTES: u64 = 22;
    let Some(local) = input.local()? else {
        return Ok(None);
    };
    let failed = |e| Error::io("read", local.shown())(e);
    let mut file = local.open()?;
    let length = file.metadata().map_err(failed)?.len();
    let from = SeekFrom::Start(length.saturating_sub(END_BYTES));
    file.seek(from).map_err(failed)?;
    let mut end = Vec::new();
    file.take(END_BYTES).read_to_end(&mut end).map_err(failed)?;
    Ok(match end[..] {
        [b'P', b'K', 5, 6, 0, 0, ..] => Some(
            "a zip archive with something before it, such as a program that unpacks itself: unpack it first",
        ),
        [b'P', b'K', 5, 6, ..] => {
            Some("the last part of a zip archive in several parts: join them first (`zip -s 0`)")
        }
        _ => None,
    })
}

/// An archive whose directory is gone through.
struct Listed<'a, R> {
    input: &'a Input,
    place: Place,
    file: R,
    length: u64,
    found: Listing,
    /// Stretches of the file that are known to be something.
    taken: Vec<(u64, u64)>,
    /// Stretches with the bytes of members.
    ranges: Vec<(u64, u64)>,
}

impl<R: Read + Seek> Listed<'_, R> {
    fn add(&mut self, entry: Entry) -> io::Result<()> {
        /// Longest record of sizes behind a member that was written without knowing them.
        const DESCRIPTOR: u64 = 24;
        let start = directory::data_start(&mut self.file, entry.header, self.length)?;
        let end = start.map(|start| start.saturating_add(entry.packed));
        if let Some(end) = end {
            let descriptor = if entry.flags & 8 == 0 { 0 } else { DESCRIPTOR };
            self.taken
                .push((entry.header, end.saturating_add(descriptor)));
        }
        // A folder; a name that only looks like one may have bytes.
        if entry.name.ends_with('/') && entry.size == 0 {
            return Ok(());
        }
        if entry.is_link {
            self.found.links += 1;
            return Ok(());
        }
        self.ranges.extend(start.zip(end));
        let method = match start {
            Some(_) => Method::of(entry.flags, entry.method, true),
            None => Method::Refused("it is not where the archive's directory says".into()),
        };
        let behind = self.length.saturating_sub(start.unwrap_or(0));
        let packed = Packed {
            size: entry.size,
            // Nobody believes that a member goes on behind the end.
            packed: entry.packed.min(behind),
            place: self.place.clone(),
            start: start.unwrap_or(0),
            crc: Some(entry.crc),
            method,
        };
        self.found.parts.push((entry.name, packed));
        Ok(())
    }

    fn finish(mut self) -> Result<Listing> {
        // Members that share their bytes unpack to many times the archive (42.zip's successors).
        self.ranges.sort_unstable();
        if self.ranges.windows(2).any(|w| w[0].1 > w[1].0) {
            return Err(self.input.unusable("zip archive: its members overlap"));
        }
        for (from, to) in gaps(self.taken, self.length) {
            self.found.stray += to - from;
            let member = next_header(&mut self.file, from, to)
                .map_err(Error::io("read", self.input.name()))?;
            if member.is_some() {
                let why = "members that its directory does not name are not read";
                self.found.damage = Some(why.into());
            }
        }
        Ok(self.found)
    }
}

/// Stretches of a file of this length that none of these covers.
fn gaps(mut taken: Vec<(u64, u64)>, length: u64) -> Vec<(u64, u64)> {
    taken.sort_unstable();
    taken.push((length, length));
    let mut gaps = Vec::new();
    let mut at = 0;
    for (from, to) in taken {
        let from = from.min(length);
        if from > at {
            gaps.push((at, from));
        }
        at = at.max(to);
    }
    gaps
}

/// The members of an archive without its directory, from the headers before their bytes. A member that is cut off is given as it is.
fn salvage(place: &Place) -> io::Result<Listing> {
    let mut found = Listing::default();
    let mut file = match place.open() {
        Ok(file) => BufReader::new(file),
        Err(_) => return Ok(found),
    };
    let end = file.seek(SeekFrom::End(0))?;
    let mut at = 0;
    while found.parts.len() < MAX_MEMBERS {
        let Some(header) = directory::Local::read(&mut file, at, end)? else {
            break;
        };
        let start = header.start;
        // Bit 3: sizes and checksum stand behind the member. Deflate knows its own end; the next header has to be looked for.
        let sized = header.flags & 8 == 0;
        let packed = if sized { header.packed } else { end - start };
        let next = match sized {
            true => start + packed,
            false => next_header(&mut file, start, end)?.unwrap_or(end),
        };
        let folder = header.name.ends_with('/') && packed == 0;
        if !folder {
            let member = Packed {
                size: header.size,
                packed,
                place: place.clone(),
                start,
                crc: sized.then_some(header.crc),
                method: Method::of(header.flags, header.method, sized),
            };
            found.parts.push((header.name, member));
        }
        at = next;
    }
    Ok(found)
}

/// Where the next header of a member begins, before `to`.
fn next_header(file: &mut (impl Read + Seek), from: u64, to: u64) -> io::Result<Option<u64>> {
    file.seek(SeekFrom::Start(from))?;
    let mut rest = file.take(to.saturating_sub(from));
    let mut window: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut at = from;
    loop {
        let n = rest.read(&mut buffer)?;
        if n == 0 {
            return Ok(None);
        }
        window.extend_from_slice(&buffer[..n]);
        if let Some(i) = memchr::memmem::find(&window, directory::LOCAL) {
            return Ok(Some(at + i as u64));
        }
        // The mark may lie across two reads.
        let keep = window.len().min(3);
        at += (window.len() - keep) as u64;
        window.drain(..window.len() - keep);
    }
}

impl Packed {
    /// A file in memory.
    pub(super) fn of_bytes(bytes: &[u8]) -> Packed {
        let mut crc = Crc::new();
        crc.update(bytes);
        Packed {
            size: bytes.len() as u64,
            packed: bytes.len() as u64,
            place: Place::Memory(bytes.into()),
            start: 0,
            crc: Some(crc.sum()),
            method: Method::Stored,
        }
    }

    /// The bytes of the member of that name, unpacked and checked against size and checksum.
    ///
    /// # Errors
    /// When the archive cannot be opened or the member's packing is not known.
    pub(super) fn open(&self, name: &str) -> Result<Bytes> {
        if let Method::Refused(reason) = &self.method {
            return Err(Error::Unusable {
                path: name.into(),
                reason: reason.clone(),
            });
        }
        let failed = |e| Error::io("read", Path::new(name))(e);
        let mut place = self.place.open()?;
        place.seek(SeekFrom::Start(self.start)).map_err(failed)?;
        let count = Arc::new(AtomicU64::new(0));
        let packed = BufReader::new(Counted {
            inner: place.take(self.packed),
            count: Arc::clone(&count),
        });
        let read: Bytes = match self.method {
            Method::Deflate => Box::new(flate2::bufread::DeflateDecoder::new(packed)),
            Method::Deflate64 => Box::new(deflate64::Deflate64Decoder::with_buffer(packed)),
            Method::Zstd => {
                Box::new(zstd::stream::read::Decoder::with_buffer(packed).map_err(failed)?)
            }
            Method::Stored | Method::Refused(_) => Box::new(packed),
        };
        Ok(Box::new(Checked {
            inner: Bounded::new(read, move || count.load(Ordering::Relaxed)),
            crc: Crc::new(),
            want: self.crc.map(|crc| (crc, self.size)),
        }))
    }
}

/// Says at the end whether the bytes are those that were packed.
struct Checked<R> {
    inner: R,
    crc: Crc,
    /// Checksum and size.
    want: Option<(u32, u64)>,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.crc.update(&buffer[..n]);
        let read = u64::from(self.crc.amount());
        if n == 0
            && !buffer.is_empty()
            && let Some((crc, size)) = self.want
        {
            // The count of the checksum wraps at 4 GiB.
            if read != size & u64::from(u32::MAX) {
                return Err(io::Error::other(
                    "its size is not the one in the archive's directory",
                ));
            }
            if self.crc.sum() != crc {
                return Err(io::Error::other(
                    "its checksum is not the one in the archive's directory",
                ));
            }
        }
        Ok(n)
    }
}
