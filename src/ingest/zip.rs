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
    crc: u32,
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
    let mut archive = zip::ZipArchive::new(BufReader::new(place.open()?))
        .map_err(|e| refused(input, &format!("zip archive: {e}")))?;
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
        let parts: Vec<&str> = own.split('/').collect();
        let last = parts.last().copied().unwrap_or_default();
        if last.starts_with('.') || last == "README.md" || own.starts_with("__MACOSX/") {
            found.passed_over += 1;
            continue;
        }
        if parts.len() > 1
            && parts[parts.len() - 2] == "watchlists"
            && last.to_ascii_lowercase().ends_with(".csv")
        {
            found.watchlists.push(own);
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
            crc: file.crc32(),
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

fn refused(input: &Input, reason: &str) -> Error {
    Error::Unusable {
        path: input.name().into(),
        reason: reason.into(),
    }
}

impl Member {
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
            want: self.crc,
            size: self.size,
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
    want: u32,
    size: u64,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.crc.update(&buffer[..n]);
        let read = u64::from(self.crc.amount());
        if n == 0 && !buffer.is_empty() {
            // The count of the checksum wraps at 4 GiB.
            if read != self.size & u64::from(u32::MAX) {
                return Err(io::Error::other(
                    "its size is not the one in the archive's directory",
                ));
            }
            if self.crc.sum() != self.want {
                return Err(io::Error::other(
                    "its checksum is not the one in the archive's directory",
                ));
            }
        }
        Ok(n)
    }
}
