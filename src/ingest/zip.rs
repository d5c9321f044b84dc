//! Zip archives: their members as inputs, read without unpacking anything to disk. A member's name is a name and nothing else: it never
//! becomes a path.
//!
//! The directory is read by the crate `zip`; members are inflated here, from a reader that owns its place in the file.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Crc;
use zip::CompressionMethod;

use super::input::Input;
use super::stream::{Bounded, in_memory};
use crate::error::{Error, Result};

/// Members that an archive may have. Exports have dozens.
const MAX_MEMBERS: usize = 100_000;
/// Archives inside archives that are read.
const MAX_DEPTH: usize = 3;

/// Where the bytes of an archive are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

trait Bytes: Read + Seek + Send {}
impl<T: Read + Seek + Send> Bytes for T {}

impl Place {
    fn open(&self) -> Result<Box<dyn Bytes>> {
        Ok(match self {
            Place::File(path) => Box::new(File::open(path).map_err(Error::io("open", path))?),
            Place::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Method {
    Stored,
    Deflate,
    Deflate64,
    Zstd,
    /// Cannot be read, and why.
    Refused(String),
}

/// A member of a zip archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The archive's name, `/`, and its own.
    pub name: String,
    /// Its size, as the directory says.
    pub size: u64,
    place: Place,
    start: u64,
    packed: u64,
    /// Nothing where the archive does not say.
    crc: Option<u32>,
    method: Method,
    depth: usize,
}

/// The members of an archive, and what was passed over.
#[derive(Debug, Default)]
pub struct Members {
    /// Those to read, in the order of the directory.
    pub inputs: Vec<Input>,
    /// How many were passed over: hidden ones, `README.md`, what a Mac adds.
    pub passed_over: usize,
    /// Names of watchlists, which are taken from folders only.
    pub watchlists: Vec<String>,
    /// Why not all of the archive's members may be here.
    pub damage: Option<String>,
}

impl Members {
    /// Whether a member is passed over; it is counted then.
    fn passes_over(&mut self, own: &str) -> bool {
        let parts: Vec<&str> = own.split('/').collect();
        let last = parts.last().copied().unwrap_or_default();
        if last.starts_with('.') || last == "README.md" || own.starts_with("__MACOSX/") {
            self.passed_over += 1;
            return true;
        }
        let below = parts.len().checked_sub(2).map(|i| parts[i]);
        if below == Some("watchlists") && last.to_ascii_lowercase().ends_with(".csv") {
            self.watchlists.push(own.to_string());
            return true;
        }
        false
    }
}

/// Lists the members of a zip archive. Nothing is unpacked.
///
/// # Errors
/// When the archive cannot be read, or means harm.
pub fn members(input: &Input) -> Result<Members> {
    let (place, depth) = match input {
        Input::File(path) => (Place::File(path.clone()), 0),
        Input::Member(member) => {
            if member.depth + 1 >= MAX_DEPTH {
                return Err(refused(input, "archives inside archives, too deep"));
            }
            let bytes = in_memory(member.open()?).map_err(|e| refused(input, &e.to_string()))?;
            (Place::Memory(bytes.into()), member.depth + 1)
        }
        Input::Stdin => {
            return Err(refused(
                input,
                "a zip archive cannot be read from standard input: name the file",
            ));
        }
    };
    let mut archive = match zip::ZipArchive::new(BufReader::new(place.open()?)) {
        Ok(archive) => archive,
        Err(e) => {
            let mut found = salvage(input, &place, depth)
                .map_err(Error::io("read", Path::new(&input.name())))?;
            if found.inputs.is_empty() {
                return Err(refused(input, &format!("zip archive: {e}")));
            }
            found.damage = Some(format!("its directory is missing or damaged ({e})"));
            return Ok(found);
        }
    };
    if archive.len() > MAX_MEMBERS {
        return Err(refused(input, "zip archive: more than 100,000 members"));
    }
    let mut found = Members::default();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for i in 0..archive.len() {
        let file = archive
            .by_index_raw(i)
            .map_err(|e| refused(input, &format!("zip archive, member {}: {e}", i + 1)))?;
        if file.is_dir() || file.is_symlink() {
            continue;
        }
        let own = file.name().map_or_else(
            |_| String::from_utf8_lossy(file.name_raw()).into_owned(),
            |name| name.into_owned(),
        );
        let own = own.replace('\\', "/");
        if found.passes_over(&own) {
            continue;
        }
        let start = file.data_start().unwrap_or(0);
        ranges.push((start, start.saturating_add(file.compressed_size())));
        let method = if file.encrypted() {
            Method::Refused("it is encrypted: unpack it with its password first".into())
        } else {
            match file.compression() {
                CompressionMethod::STORE => Method::Stored,
                CompressionMethod::DEFLATE => Method::Deflate,
                CompressionMethod::DEFLATE64 => Method::Deflate64,
                CompressionMethod::ZSTD => Method::Zstd,
                other => Method::Refused(format!("its compression ({other}) is not known")),
            }
        };
        found.inputs.push(Input::Member(Member {
            name: format!("{}/{own}", input.name()),
            size: file.size(),
            place: place.clone(),
            start,
            packed: file.compressed_size(),
            crc: Some(file.crc32()),
            method,
            depth,
        }));
    }
    // Members that share their bytes unpack to many times the archive (42.zip's successors).
    ranges.sort_unstable();
    if ranges.windows(2).any(|w| w[0].1 > w[1].0) {
        return Err(refused(input, "zip archive: its members overlap"));
    }
    Ok(found)
}

/// The members of an archive without its directory, from the headers before their bytes. A member that is cut off is given as it is.
fn salvage(input: &Input, place: &Place, depth: usize) -> io::Result<Members> {
    const HEADER: usize = 30;
    let mut found = Members::default();
    let mut file = match place.open() {
        Ok(file) => BufReader::new(file),
        Err(_) => return Ok(found),
    };
    let end = file.seek(SeekFrom::End(0))?;
    let mut at = 0;
    while at + HEADER as u64 <= end && found.inputs.len() < MAX_MEMBERS {
        let mut header = [0; HEADER];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut header)?;
        let short = |i: usize| u64::from(u16::from_le_bytes([header[i], header[i + 1]]));
        let long = |i: usize| short(i) | short(i + 2) << 16;
        if header[..4] != *b"PK\x03\x04" {
            break;
        }
        let (flags, method, crc) = (short(6), short(8), long(14) as u32);
        let (packed, size) = (long(18), long(22));
        let (name, extra) = (short(26), short(28));
        let mut own = vec![0; name as usize];
        if at + HEADER as u64 + name + extra > end {
            break;
        }
        file.read_exact(&mut own)?;
        let own = String::from_utf8_lossy(&own).replace('\\', "/");
        let start = at + HEADER as u64 + name + extra;
        // Bit 3: sizes and checksum stand behind the member. Deflate knows its own end; the next header has to be looked for.
        let sized = flags & 8 == 0;
        let packed = if sized { packed } else { end - start };
        let next = match sized {
            true => start + packed,
            false => next_header(&mut file, start)?.unwrap_or(end),
        };
        let method = match (flags & 1, method) {
            (1, _) => Method::Refused("it is encrypted: unpack it with its password first".into()),
            (_, 0) if sized => Method::Stored,
            (_, 8) => Method::Deflate,
            (_, 9) => Method::Deflate64,
            (_, 93) => Method::Zstd,
            (_, other) => Method::Refused(format!("its compression ({other}) is not known")),
        };
        if !own.ends_with('/') && !found.passes_over(&own) {
            found.inputs.push(Input::Member(Member {
                name: format!("{}/{own}", input.name()),
                size,
                place: place.clone(),
                start,
                packed,
                crc: sized.then_some(crc),
                method,
                depth,
            }));
        }
        at = next;
    }
    Ok(found)
}

/// Where the next header of a member begins.
fn next_header(file: &mut (impl Read + Seek), from: u64) -> io::Result<Option<u64>> {
    file.seek(SeekFrom::Start(from))?;
    let mut window: Vec<u8> = Vec::new();
    let mut at = from;
    loop {
        let mut buffer = vec![0; 64 << 10];
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(None);
        }
        window.extend_from_slice(&buffer[..n]);
        if let Some(i) = memchr::memmem::find(&window, b"PK\x03\x04") {
            return Ok(Some(at + i as u64));
        }
        // The mark may lie across two reads.
        let keep = window.len().min(3);
        at += (window.len() - keep) as u64;
        window.drain(..window.len() - keep);
    }
}

fn refused(input: &Input, reason: &str) -> Error {
    Error::Unusable {
        path: input.name().into(),
        reason: reason.into(),
    }
}

impl Member {
    /// A file in memory.
    pub fn of_bytes(name: &str, bytes: &[u8]) -> Member {
        let mut crc = Crc::new();
        crc.update(bytes);
        Member {
            name: name.into(),
            size: bytes.len() as u64,
            place: Place::Memory(bytes.into()),
            start: 0,
            packed: bytes.len() as u64,
            crc: Some(crc.sum()),
            method: Method::Stored,
            depth: 0,
        }
    }

    /// Its bytes, unpacked and checked against size and checksum.
    ///
    /// # Errors
    /// When the archive cannot be opened or the member's packing is not known.
    pub fn open(&self) -> Result<Box<dyn Read + Send>> {
        if let Method::Refused(reason) = &self.method {
            return Err(Error::Unusable {
                path: self.name.clone().into(),
                reason: reason.clone(),
            });
        }
        let failed = |e| Error::io("read", Path::new(&self.name))(e);
        let mut place = self.place.open()?;
        place.seek(SeekFrom::Start(self.start)).map_err(failed)?;
        let count = Arc::new(AtomicU64::new(0));
        let packed = BufReader::new(Counted {
            inner: place.take(self.packed),
            count: Arc::clone(&count),
        });
        let read: Box<dyn Read + Send> = match self.method {
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

struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
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
