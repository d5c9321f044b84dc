//! Zip archives: their members as inputs, read without unpacking anything to disk. A member's name is a name and nothing else: it never
//! becomes a path, and two members may have one name.
//!
//! The crate `zip` finds the directory, also behind other bytes and beyond 4 GiB. Its entries are read here, since the crate keeps one of
//! each name, and as many as the end of the directory claims. Members are inflated here, from a reader that owns its place in the file.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Crc;

use super::input::Input;
use super::stream::{Bounded, Counted, in_memory};
use crate::error::{Error, Result};

mod directory;

use directory::Entry;

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

impl Method {
    /// `sized`: whether the header before the bytes says how many they are.
    fn of(flags: u16, method: u16, sized: bool) -> Method {
        match (flags & 1, method) {
            (1, _) => Method::Refused("it is encrypted: unpack it with its password first".into()),
            (_, 0) if sized => Method::Stored,
            (_, 8) => Method::Deflate,
            (_, 9) => Method::Deflate64,
            (_, 93) => Method::Zstd,
            (_, other) => Method::Refused(format!("its compression ({other}) is not known")),
        }
    }
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
    /// Members whose name another one has: a number was added.
    pub renamed: usize,
    /// Bytes that belong to no member that the directory names.
    pub stray: u64,
    /// Why not all of the archive's members may be here.
    pub damage: Option<String>,
    /// Names given, with the number that the next member of that name gets.
    names: HashMap<String, usize>,
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

    /// Adds a member under a name that no other has.
    fn add(&mut self, archive: &str, own: String, member: Member) {
        let own = match self.names.get(&own) {
            None => own,
            Some(first) => {
                let mut next = *first;
                let mut name = format!("{own} ({next})");
                while self.names.contains_key(&name) {
                    next += 1;
                    name = format!("{own} ({next})");
                }
                self.names.insert(own, next + 1);
                self.renamed += 1;
                name
            }
        };
        self.inputs.push(Input::Member(Member {
            name: format!("{archive}/{own}"),
            ..member
        }));
        self.names.insert(own, 2);
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
        Input::Pipe(_) | Input::Stdin => {
            let from = match input {
                Input::Stdin => "standard input",
                _ => "a pipe",
            };
            let reason = format!("a zip archive cannot be read from {from}: name the file");
            return Err(refused(input, &reason));
        }
    };
    let failed = |e| Error::io("read", input.name())(e);
    let archive = match zip::ZipArchive::new(BufReader::new(place.open()?)) {
        Ok(archive) => archive,
        Err(e) => {
            let mut found = salvage(input, &place, depth).map_err(failed)?;
            if found.inputs.is_empty() {
                return Err(refused(input, &format!("zip archive: {e}")));
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
        return Err(refused(input, "zip archive: more than 100,000 members"));
    }
    if entries.is_empty() {
        // The count of members wraps at 65,536 where a tool knows nothing larger.
        let mut found = salvage(input, &place, depth).map_err(failed)?;
        if !found.inputs.is_empty() {
            found.damage = Some("its directory is empty".into());
            return Ok(found);
        }
    }
    let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
    let behind = directory::end(&mut file, end, comment, length).map_err(failed)?;
    let mut listed = Listed {
        input,
        place,
        depth,
        length,
        file,
        found: Members::default(),
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

/// An archive whose directory is gone through.
struct Listed<'a, R> {
    input: &'a Input,
    place: Place,
    depth: usize,
    file: R,
    length: u64,
    found: Members,
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
            self.found.passed_over += 1;
            return Ok(());
        }
        if self.found.passes_over(&entry.name) {
            return Ok(());
        }
        self.ranges.extend(start.zip(end));
        let method = match start {
            Some(_) => Method::of(entry.flags, entry.method, true),
            None => Method::Refused("it is not where the archive's directory says".into()),
        };
        let member = Member {
            name: String::new(),
            size: entry.size,
            place: self.place.clone(),
            start: start.unwrap_or(0),
            packed: entry.packed,
            crc: Some(entry.crc),
            method,
            depth: self.depth,
        };
        self.found.add(&self.input.name(), entry.name, member);
        Ok(())
    }

    fn finish(mut self) -> Result<Members> {
        // Members that share their bytes unpack to many times the archive (42.zip's successors).
        self.ranges.sort_unstable();
        if self.ranges.windows(2).any(|w| w[0].1 > w[1].0) {
            return Err(refused(self.input, "zip archive: its members overlap"));
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
fn salvage(input: &Input, place: &Place, depth: usize) -> io::Result<Members> {
    let mut found = Members::default();
    let mut file = match place.open() {
        Ok(file) => BufReader::new(file),
        Err(_) => return Ok(found),
    };
    let end = file.seek(SeekFrom::End(0))?;
    let mut at = 0;
    while found.inputs.len() < MAX_MEMBERS {
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
        if !folder && !found.passes_over(&header.name) {
            let member = Member {
                name: String::new(),
                size: header.size,
                place: place.clone(),
                start,
                packed,
                crc: sized.then_some(header.crc),
                method: Method::of(header.flags, header.method, sized),
                depth,
            };
            found.add(&input.name(), header.name, member);
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
