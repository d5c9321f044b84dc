//! Tar archives: where the bytes of their members are, also inside gzip, Zstandard or xz. Knows nothing of what members hold.
//!
//! The crate `tar` reads headers, long names and extended headers. What it would read into memory is bounded here, and after damage the
//! next header is looked for. A compressed archive is read forwards: its members come one behind the other, so that reading all of them
//! unpacks it once.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use ::tar::{Archive, Entry, EntryType};

use super::input::{Input, Local, escaped};
use super::member::MAX_MEMBERS;
use super::packing::{Broken, Bytes, Packing};
use super::stream;
use crate::fault::{Error, Result};

mod checksum;

use checksum::BLOCK;
pub(super) use checksum::is_header;

/// What headers of one member may have, with long names and extended headers.
const MAX_HEADERS: u64 = 1 << 20;
/// Members of compressed archives up to this size are kept until the next one: they may be read twice.
const KEPT_BYTES: u64 = 16 << 20;

/// The bytes of a member.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    /// Their number.
    pub size: u64,
    start: u64,
    tape: Arc<Tape>,
    /// Why they cannot be read as they are.
    refused: Option<&'static str>,
}

/// What is in an archive.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Its files with their names, in their order.
    pub parts: Vec<(String, Stretch)>,
    /// Links, devices and pipes.
    pub passed_over: usize,
    /// Bytes that belong to no member.
    pub stray: u64,
    /// Why not all of the archive's members may be here.
    pub damage: Option<String>,
    /// Where the last member ends.
    end: u64,
}

/// Lists what is in a tar archive.
///
/// # Errors
/// When it cannot be opened, or means harm.
pub(super) fn list(input: &Input) -> Result<Listing> {
    let tape = Arc::new(Tape::of(input)?);
    let mut way = Way::of(&tape)?;
    let state = Rc::clone(&way.state);
    let mut found = Listing::default();
    loop {
        let mut archive = Archive::new(way);
        let fault = found.walk(&mut archive, &tape, &state);
        way = archive.into_inner();
        if found.parts.len() > MAX_MEMBERS {
            return Err(input.unusable("tar archive: more than 100,000 members"));
        }
        if let Some(failure) = state.failure.take() {
            found.damaged(failure);
            break;
        }
        let broke_off = state.short.get();
        let unmarked = state.at.get() <= found.end;
        match fault {
            Some(fault) => found.damaged(fault),
            None if broke_off => found.damaged("it breaks off in its last member".into()),
            // Blocks of zeros end it.
            None if unmarked => found.damaged("its end is missing: so may be members".into()),
            None => {}
        }
        // Another archive may stand behind this one, and good members behind a bad header.
        match way.next_header(&mut found.stray) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                found.damaged(e.to_string());
                break;
            }
        }
    }
    Ok(found)
}

impl Listing {
    fn damaged(&mut self, why: String) {
        self.damage.get_or_insert(why);
    }

    /// Takes the members from here on; says why there are no more, if that is not the archive's end.
    fn walk(
        &mut self,
        archive: &mut Archive<Way>,
        tape: &Arc<Tape>,
        state: &State,
    ) -> Option<String> {
        let base = state.at.get();
        state.base.set(base);
        state.left.set(MAX_HEADERS);
        let entries = match archive.entries_with_seek() {
            Ok(entries) => entries,
            Err(e) => return Some(e.to_string()),
        };
        for entry in entries {
            let taken = entry.and_then(|mut entry| self.take(&mut entry, base, tape));
            if let Err(e) = taken {
                return Some(e.to_string());
            }
            if self.parts.len() > MAX_MEMBERS {
                break;
            }
            state.left.set(MAX_HEADERS);
        }
        None
    }

    fn take(&mut self, entry: &mut Entry<'_, Way>, base: u64, tape: &Arc<Tape>) -> io::Result<()> {
        let kind = entry.header().entry_type();
        let start = base.saturating_add(entry.raw_file_position());
        let stored = match kind {
            EntryType::GNUSparse => entry.header().entry_size()?,
            _ => entry.size(),
        };
        let whole = stored.checked_next_multiple_of(BLOCK as u64);
        self.end = start.saturating_add(whole.unwrap_or(stored));
        let mut name = name_of(&entry.path_bytes());
        match kind.as_byte() {
            // Folders, headers for all members, the archive's own name, lists of names.
            b'5' | b'g' | b'V' | b'D' => return Ok(()),
            b'1' | b'2' | b'3' | b'4' | b'6' => {
                self.passed_over += 1;
                return Ok(());
            }
            // Older archives have no mark for folders.
            _ if stored == 0 && name.ends_with('/') => return Ok(()),
            _ => {}
        }
        let sparse = sparse(entry);
        let refused = match kind.as_byte() {
            b'S' => Some(SPARSE),
            b'M' => Some("it began in another volume of the archive: unpack that first"),
            _ => sparse.as_ref().map(|_| SPARSE),
        };
        if let Some(Some(own)) = sparse {
            name = own;
        }
        let stretch = Stretch {
            size: stored,
            start,
            tape: Arc::clone(tape),
            refused,
        };
        self.parts.push((name, stretch));
        Ok(())
    }
}

const SPARSE: &str = "a file with holes (sparse): unpack the archive first";

/// Whether holes were left out of the bytes of a member, as its extended header says, and the name that it has then: that of its own header
/// is made up. The tar of macOS looks for holes unasked.
fn sparse(entry: &mut Entry<'_, Way>) -> Option<Option<String>> {
    let extensions = entry.pax_extensions().ok().flatten()?;
    let (mut found, mut name) = (false, None);
    for extension in extensions.flatten() {
        found |= extension.key_bytes().starts_with(b"GNU.sparse.");
        if extension.key_bytes() == b"GNU.sparse.name" {
            name = Some(name_of(extension.value_bytes()));
        }
    }
    found.then_some(name)
}

/// A name as text, without the `./` that many archives have before it.
fn name_of(raw: &[u8]) -> String {
    let mut name = raw;
    while let Some(rest) = name.strip_prefix(b"./") {
        name = rest;
    }
    escaped(name)
}

/// Where the reader of an archive is.
#[derive(Debug)]
struct State {
    /// Bytes from the start of the file.
    at: Cell<u64>,
    /// Where the archive began that is gone through.
    base: Cell<u64>,
    /// Bytes of headers that may be read before the next member.
    left: Cell<u64>,
    /// Whether a member goes on behind the end.
    short: Cell<bool>,
    /// Why the bytes could not be read on.
    failure: RefCell<Option<String>>,
}

/// The bytes of an archive, forwards.
struct Way {
    source: Source,
    /// A header that was read already.
    back: Cursor<Vec<u8>>,
    state: Rc<State>,
}

enum Source {
    File(File, u64),
    Stream(Bytes),
}

impl Way {
    fn of(tape: &Tape) -> Result<Way> {
        let source = match &tape.plain {
            Some(local) => {
                let file = local.open()?;
                let data = file.metadata().map_err(Error::io("read", local.shown()))?;
                Source::File(file, data.len())
            }
            None => Source::Stream(stream::peeled(&tape.input)?.reader),
        };
        Ok(Way {
            source,
            back: Cursor::default(),
            state: Rc::new(State {
                at: Cell::new(0),
                base: Cell::new(0),
                left: Cell::new(MAX_HEADERS),
                short: Cell::new(false),
                failure: RefCell::new(None),
            }),
        })
    }

    /// Reads what comes next and counts it; says later why that failed.
    fn advance(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n = self.back.read(buffer)?;
        if n == 0 {
            let read = match &mut self.source {
                Source::File(file, _) => file.read(buffer),
                Source::Stream(reader) => reader.read(buffer),
            };
            n = read.inspect_err(|e| {
                if e.kind() != io::ErrorKind::Interrupted {
                    *self.state.failure.borrow_mut() = Some(e.to_string());
                }
            })?;
        }
        self.state.at.set(self.state.at.get() + n as u64);
        Ok(n)
    }

    /// The next block, shorter at the end.
    fn block(&mut self) -> io::Result<Vec<u8>> {
        let mut block = vec![0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.advance(&mut block[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        block.truncate(filled);
        Ok(block)
    }

    /// Goes to the next header; counts the bytes before it that are not zero.
    fn next_header(&mut self, stray: &mut u64) -> io::Result<bool> {
        let odd = self.state.at.get() % BLOCK as u64;
        if odd > 0 {
            self.pass(BLOCK as u64 - odd)?;
        }
        loop {
            let block = self.block()?;
            if block.is_empty() {
                return Ok(false);
            }
            if is_header(&block) {
                self.state.at.set(self.state.at.get() - block.len() as u64);
                self.back = Cursor::new(block);
                return Ok(true);
            }
            if block.iter().any(|b| *b != 0) {
                *stray += block.len() as u64;
            }
        }
    }

    /// Passes over so many bytes, as far as there are.
    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        let at = self.state.at.get();
        if let Source::File(file, length) = &mut self.source {
            let to = at.saturating_add(bytes);
            if to > *length {
                self.state.short.set(true);
            }
            let to = to.min(*length).max(at);
            file.seek(SeekFrom::Start(to))?;
            self.state.at.set(to);
            return Ok(());
        }
        let mut left = bytes;
        let mut buffer = vec![0; left.min(64 << 10) as usize];
        while left > 0 {
            let most = left.min(buffer.len() as u64) as usize;
            match self.advance(&mut buffer[..most]) {
                Ok(0) => {
                    self.state.short.set(true);
                    return Ok(());
                }
                Ok(n) => left -= n as u64,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl Read for Way {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.advance(buffer)?;
        let left = self.state.left.get().checked_sub(n as u64);
        let left = left.ok_or_else(|| io::Error::other("headers of more than 1 MiB"))?;
        self.state.left.set(left);
        Ok(n)
    }
}

impl Seek for Way {
    /// Forwards only: over the bytes of members.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(by) = to else {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        };
        self.pass(u64::try_from(by).map_err(io::Error::other)?)?;
        Ok(self.state.at.get() - self.state.base.get())
    }
}

/// An archive whose members are read, at best in their order.
struct Tape {
    input: Input,
    /// Where it is a file that is not compressed.
    plain: Option<Local>,
    /// What is read stays as long as its members may be.
    _local: Option<Local>,
    /// The reader of a compressed archive, and where it is.
    at_hand: Mutex<Option<(u64, Bytes)>>,
    /// The last small member, and where it begins.
    kept: Mutex<Option<(u64, Arc<[u8]>)>>,
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape")
            .field("input", &self.input)
            .finish_non_exhaustive()
    }
}

impl Tape {
    fn of(input: &Input) -> Result<Tape> {
        let mut plain = None;
        let local = input.local()?;
        if let Some(local) = &local {
            let mut head = Vec::new();
            let file = local.open()?;
            file.take(BLOCK as u64)
                .read_to_end(&mut head)
                .map_err(Error::io("read", local.shown()))?;
            if Packing::of(&head) == Packing::Tar {
                plain = Some(local.clone());
            }
        }
        Ok(Tape {
            input: input.clone(),
            plain,
            _local: local,
            at_hand: Mutex::new(None),
            kept: Mutex::new(None),
        })
    }

    /// The bytes of a stretch of a compressed archive.
    fn stretch(self: &Arc<Self>, start: u64, size: u64) -> Result<Bytes> {
        const UNBROKEN: &str = "nobody panics with it";
        let kept = self.kept.lock().expect(UNBROKEN).clone();
        if let Some((at, bytes)) = kept
            && (at, bytes.len() as u64) == (start, size)
        {
            return Ok(Box::new(Cursor::new(bytes)));
        }
        let at_hand = self.at_hand.lock().expect(UNBROKEN).take();
        let (at, mut reader) = match at_hand.filter(|(at, _)| *at <= start) {
            Some(at_hand) => at_hand,
            None => (0, stream::peeled(&self.input)?.reader),
        };
        let failed = |e| Error::io("read", self.input.name())(e);
        io::copy(&mut reader.by_ref().take(start - at), &mut io::sink()).map_err(failed)?;
        if size > KEPT_BYTES {
            return Ok(Box::new(Lent {
                reader: Some(reader),
                at: start,
                left: size,
                tape: Arc::clone(self),
            }));
        }
        let mut bytes = Vec::new();
        let failure = reader.by_ref().take(size).read_to_end(&mut bytes).err();
        if let Some(e) = failure {
            return Ok(Box::new(Cursor::new(bytes).chain(Broken::new(e))));
        }
        let bytes: Arc<[u8]> = bytes.into();
        if bytes.len() as u64 == size {
            *self.kept.lock().expect(UNBROKEN) = Some((start, Arc::clone(&bytes)));
            *self.at_hand.lock().expect(UNBROKEN) = Some((start + size, reader));
        }
        Ok(Box::new(Cursor::new(bytes)))
    }
}

impl Stretch {
    /// The bytes of the member of that name.
    ///
    /// # Errors
    /// When the archive cannot be opened, or only a tool that unpacks it can make the member out of it.
    pub(super) fn open(&self, name: &str) -> Result<Bytes> {
        if let Some(reason) = self.refused {
            return Err(Error::Unusable {
                path: name.into(),
                reason: reason.into(),
            });
        }
        let inner: Bytes = match &self.tape.plain {
            Some(local) => {
                let mut file = local.open()?;
                file.seek(SeekFrom::Start(self.start))
                    .map_err(Error::io("read", Path::new(name)))?;
                Box::new(file.take(self.size))
            }
            None => self.tape.stretch(self.start, self.size)?,
        };
        Ok(Box::new(Whole {
            inner,
            left: self.size,
        }))
    }
}

/// Says at the end whether all bytes came.
struct Whole {
    inner: Bytes,
    left: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(n as u64);
        if n == 0 && !buffer.is_empty() && self.left > 0 {
            return Err(io::Error::other(format!(
                "the archive ends before it, {} of its bytes are missing",
                self.left
            )));
        }
        Ok(n)
    }
}

/// The reader of a compressed archive while a large member is read from it; it goes back to the tape then.
struct Lent {
    reader: Option<Bytes>,
    at: u64,
    left: u64,
    tape: Arc<Tape>,
}

impl Read for Lent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(reader) = self.reader.as_mut().filter(|_| most > 0) else {
            return Ok(0);
        };
        match reader.read(&mut buffer[..most]) {
            Ok(n) => {
                self.at += n as u64;
                self.left -= n as u64;
                Ok(n)
            }
            Err(e) => {
                if e.kind() != io::ErrorKind::Interrupted {
                    self.reader = None;
                }
                Err(e)
            }
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take()
            && let Ok(mut at_hand) = self.tape.at_hand.lock()
        {
            *at_hand = Some((self.at, reader));
        }
    }
}
