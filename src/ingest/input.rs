//! Inputs: files, folders, patterns and standard input, opened as a stream of UTF-8 text; compression and encoding are told
//! by content. The bytes as they lie on disk are hashed on the way.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use encoding_rs_io::DecodeReaderBytesBuilder;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::progress::Progress;

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// Its name, with `/` between folders on every system, so that a ledger reads alike everywhere.
    pub fn name(&self) -> String {
        match self {
            Input::File(path) => path.to_string_lossy().replace('\\', "/"),
            Input::Stdin => "-".into(),
        }
    }

    /// Its size, where that is known before reading.
    pub fn size(&self) -> Option<u64> {
        match self {
            Input::File(path) => std::fs::metadata(path).ok().map(|m| m.len()),
            Input::Stdin => None,
        }
    }
}

/// Inputs found, in a fixed order, and watchlists among them.
#[derive(Debug, Default)]
pub struct Found {
    /// Files to ingest.
    pub inputs: Vec<Input>,
    /// CSV files in folders called `watchlists`.
    pub watchlists: Vec<PathBuf>,
    /// Folders that hold a file [`PASS_OVER`].
    pub passed_over: Vec<PathBuf>,
}

impl Found {
    /// Leaves out what lies below a folder: an archive does not read itself.
    pub fn leave_out(&mut self, folder: &Path) {
        self.inputs.retain(|input| match input {
            Input::File(path) => dunce::canonicalize(path).map_or(true, |p| !p.starts_with(folder)),
            Input::Stdin => true,
        });
    }
}

/// A folder that holds a file of this name is passed over when it is found below a folder that was named; named itself, it is read.
pub const PASS_OVER: &str = ".coldtrailignore";

/// Finds the files that these arguments name: files, folders (with everything below), patterns, `-`.
///
/// CSV files in a folder called `watchlists` are watchlists. Below folders, hidden files, files called `README.md` and folders with
/// a file [`PASS_OVER`] are passed over.
///
/// # Errors
/// When an argument matches nothing or cannot be read.
pub fn find(arguments: &[String]) -> Result<Found> {
    let mut found = Found::default();
    for argument in arguments {
        if argument == "-" {
            found.inputs.push(Input::Stdin);
            continue;
        }
        let path = Path::new(argument);
        if path.exists() {
            add(path, &mut found)?;
            continue;
        }
        let matches =
            glob::glob(argument).map_err(|e| Error::Usage(format!("pattern `{argument}`: {e}")))?;
        let mut any = false;
        for entry in matches {
            let path = entry.map_err(|e| {
                let path = e.path().to_path_buf();
                Error::io("read", path)(e.into())
            })?;
            any = true;
            add(&path, &mut found)?;
        }
        if !any {
            return Err(Error::NoInput(argument.clone()));
        }
    }
    found.inputs.sort();
    found.inputs.dedup();
    found.watchlists.sort();
    found.watchlists.dedup();
    Ok(found)
}

fn add(path: &Path, found: &mut Found) -> Result<()> {
    let walk = walkdir::WalkDir::new(path)
        .sort_by_file_name()
        .follow_links(true);
    let passed_over = &mut found.passed_over;
    for entry in walk.into_iter().filter_entry(|e| {
        let hidden = e.file_name().to_string_lossy().starts_with('.');
        if e.depth() > 0 && !hidden && e.path().join(PASS_OVER).is_file() {
            passed_over.push(e.path().to_path_buf());
            return false;
        }
        e.depth() == 0 || !hidden
    }) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                // A link to nothing, or a folder that may not be read: an input that fails when it is opened.
                let path = e.path().unwrap_or(path).to_path_buf();
                found.inputs.push(Input::File(path));
                continue;
            }
        };
        if !entry.file_type().is_file() {
            continue;
        }
        let file = entry.path();
        if entry.depth() > 0 && entry.file_name() == "README.md" {
            continue;
        }
        let in_watchlists = file
            .parent()
            .and_then(Path::file_name)
            .is_some_and(|n| n == "watchlists");
        let is_csv = file
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        if in_watchlists && is_csv {
            found.watchlists.push(file.to_path_buf());
        } else {
            found.inputs.push(Input::File(file.to_path_buf()));
        }
    }
    Ok(())
}

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
}

impl Compression {
    /// The name for the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }
}

/// Bytes read so far and their hash.
#[derive(Default)]
struct Meter {
    bytes: u64,
    hash: Sha256,
}

/// An open input.
pub struct Stream {
    reader: Box<dyn Read + Send>,
    meter: Arc<Mutex<Meter>>,
    path: Option<PathBuf>,
    /// How it is packed.
    pub compression: Compression,
    /// How its text is encoded.
    pub encoding: &'static str,
    /// Bytes of the byte order mark that is passed over. Offsets in UTF-16 are those of the text in UTF-8.
    pub offset: u64,
}

struct Tee {
    inner: Box<dyn Read + Send>,
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

/// Reads up to `n` bytes and gives them back together with a reader that still has them.
fn peek(mut reader: Box<dyn Read + Send>, n: u64) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut head = Vec::new();
    reader.by_ref().take(n).read_to_end(&mut head)?;
    let whole = Cursor::new(head.clone()).chain(reader);
    Ok((head, Box::new(whole)))
}

/// Opens an input. Known compressions are undone, UTF-16 with a byte order mark becomes UTF-8, byte order marks are dropped.
///
/// # Errors
/// When the file cannot be opened or its first bytes cannot be read.
pub fn open(input: &Input, progress: Arc<dyn Progress>) -> Result<Stream> {
    let (path, inner): (_, Box<dyn Read + Send>) = match input {
        Input::File(path) => (
            Some(path.clone()),
            Box::new(File::open(path).map_err(Error::io("open", path))?),
        ),
        Input::Stdin => (None, Box::new(io::stdin())),
    };
    let shown = path.clone().unwrap_or_else(|| "-".into());
    let meter = Arc::new(Mutex::new(Meter::default()));
    let tee = Box::new(Tee {
        inner,
        meter: Arc::clone(&meter),
        progress,
    });
    let failed = |e| Error::io("read", &shown)(e);
    let (head, reader) = peek(tee, 4).map_err(failed)?;
    let (compression, reader): (_, Box<dyn Read + Send>) = match head.as_slice() {
        [0x1f, 0x8b, ..] => (
            Compression::Gzip,
            Box::new(flate2::read::MultiGzDecoder::new(reader)),
        ),
        [0x28, 0xb5, 0x2f, 0xfd] => (
            Compression::Zstd,
            Box::new(zstd::stream::read::Decoder::new(reader).map_err(failed)?),
        ),
        _ => (Compression::None, reader),
    };
    let (mark, reader) = match peek(reader, 3) {
        Ok(found) => found,
        // The header of the compressed stream is broken: say so when it is read, as for any other break.
        Err(e) => (
            Vec::new(),
            Box::new(Broken(Some(e))) as Box<dyn Read + Send>,
        ),
    };
    let encoding = match mark.as_slice() {
        [0xef, 0xbb, 0xbf] => "UTF-8 with BOM",
        [0xff, 0xfe, ..] => "UTF-16LE",
        [0xfe, 0xff, ..] => "UTF-16BE",
        _ => "UTF-8",
    };
    let reader: Box<dyn Read + Send> = if encoding == "UTF-8" {
        reader
    } else {
        Box::new(
            DecodeReaderBytesBuilder::new()
                .bom_override(true)
                .strip_bom(true)
                .utf8_passthru(true)
                .build(reader),
        )
    };
    Ok(Stream {
        reader,
        meter,
        path,
        compression,
        encoding,
        offset: if encoding == "UTF-8 with BOM" { 3 } else { 0 },
    })
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
        if let Some(path) = self.path.as_ref().filter(|_| rest) {
            let mut file = File::open(path).map_err(Error::io("open", path))?;
            io::Seek::seek(&mut file, io::SeekFrom::Start(meter.bytes))
                .map_err(Error::io("read", path))?;
            let rest = copy_into(&mut file, &mut meter.hash).map_err(Error::io("read", path))?;
            meter.bytes += rest;
        }
        Ok((meter.bytes, hex(&meter.hash.clone().finalize())))
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

/// SHA-256 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hash = Sha256::new();
    copy_into(&mut file, &mut hash).map_err(Error::io("read", path))?;
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, b| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{b:02x}");
        out
    })
}
