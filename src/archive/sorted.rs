//! Sorted runs: files of numbers in order, in which one is found by one read. Memory and time do not depend on how many there are.
//!
//! A number is 80 bits of an identity's hash and 48 bits of what is known of it. The hashes are spread evenly: their first bits name a bucket of
//! about a page, and where the buckets begin is kept in memory; so is a Bloom filter, once so much was looked for that it costs less than the reads that it
//! saves. A run is never changed. It ends with what it stands for, so that a file that breaks off is none. Knows nothing of tables and events.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::store;
use crate::fault::{Error, Result};

/// Bytes of a number.
const ENTRY: usize = 16;
/// The bits of a number that are what is known of it; those above are the identity's.
const LOW: u128 = (1 << 48) - 1;
/// Numbers in a bucket, up to twice as many: 2 to 4 KiB, which are read at once.
const BUCKET: u64 = 128;
/// Bits of the number of a bucket, at most: where they begin takes 2 MiB. Longer runs have larger buckets.
const MOST_BITS: u32 = 18;
/// Numbers of a bucket at most, which are 64 MiB. Hashes are spread: only a file that is made up has so many in one.
const MOST_IN_BUCKET: u64 = 1 << 22;
/// A run that is not so many times as long as what comes after it is merged with it: there are few runs, and a number is seldom written again.
const GROWTH: u64 = 4;
/// To read a number among all takes so many times less than to look for it: after as many looks a filter is worth it.
const LOOKS: u64 = 32;
/// Bits of a filter for each number, up to twice as many: about one look in fifty is for nothing.
const FILTER_BITS: u64 = 12;
/// Numbers of a run that has a filter at most, which takes 32 MiB then.
const FILTERED: u64 = 1 << 24;
/// What a run ends with: see [`Span`] and [`Writer::end`].
const TRAILER: usize = 120;
const MAGIC: &[u8; 8] = b"ctkeys01";
/// Characters of a digest.
const DIGEST: usize = 64;
/// Bytes that are read or written at once where all of a run is.
const BUFFER: usize = 256 << 10;

/// Folders whose names are new where that of a table's runs is: it, that of all runs, and the archive that names both.
const FOLDERS: usize = 3;

/// What a run stands for. One of an ingest that did not commit yet stands for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// The first and the last ingest.
    pub from: i64,
    pub to: i64,
    /// The archive's digest after the last one.
    pub digest: String,
}

/// What the low bits of a number are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Low {
    /// Bits of the content: each number is a row.
    Print,
    /// How often it was seen: numbers of one identity become one.
    Count,
}

/// The bits of a number that are an identity, of its hash.
pub(super) fn identity(hash: u128) -> u128 {
    hash & !LOW
}

/// The bits of a number that are what is known of it.
pub(super) fn low(number: u128) -> u64 {
    (number & LOW) as u64
}

/// What a number adds to a sum that is the same in whatever order numbers are, and whether those of one identity became one.
pub(super) fn weight(number: u128, of: Low) -> u128 {
    match of {
        Low::Print => number,
        Low::Count => identity(number).wrapping_mul(number & LOW),
    }
}

/// A file of sorted numbers.
pub(super) struct Run {
    pub span: Span,
    /// Rows that its numbers stand for.
    pub rows: u64,
    path: PathBuf,
    file: File,
    count: u64,
    bits: u32,
    /// The numbers before each bucket, and all of them.
    starts: Vec<u64>,
    /// The bucket that was read last.
    bucket: Vec<u8>,
    /// How often something was looked for here, and what is surely not here.
    looks: u64,
    filter: Option<Filter>,
}

/// A Bloom filter in which an identity has four bits of one word.
struct Filter(Vec<u64>);

impl Filter {
    fn new(count: u64) -> Filter {
        let words = (count * FILTER_BITS / 64 + 1).next_power_of_two();
        Filter(vec![0; words as usize])
    }

    /// The word of an identity and its bits. The first bits of the hash choose the one, the last the others.
    fn place(&self, identity: u128) -> (usize, u64) {
        let last = (identity >> LOW.count_ones()) as u64;
        let bits = (0..4).fold(0, |bits, n| bits | 1u64 << (last >> (6 * n) & 63));
        (bucket_of(identity, self.0.len().trailing_zeros()), bits)
    }

    fn add(&mut self, identity: u128) {
        let (word, bits) = self.place(identity);
        self.0[word] |= bits;
    }

    fn may_have(&self, identity: u128) -> bool {
        let (word, bits) = self.place(identity);
        self.0[word] & bits == bits
    }
}

fn bucket_of(number: u128, bits: u32) -> usize {
    // A shift by all bits is none that the language has.
    number.checked_shr(128 - bits).map_or(0, |b| b as usize)
}

/// Bits for so many numbers.
fn bits_for(count: u64) -> u32 {
    (count / BUCKET).checked_ilog2().unwrap_or(0).min(MOST_BITS)
}

fn numbers_of(bytes: &[u8]) -> Vec<u64> {
    let (whole, _) = bytes.as_chunks::<8>();
    whole.iter().map(|n| u64::from_be_bytes(*n)).collect()
}

impl Run {
    /// Opens a run; nothing where the file is none, or not a whole one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn open(path: &Path) -> Result<Option<Run>> {
        match Run::read(path) {
            // Who does not lock the archive may look for one that an ingest has replaced.
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            read => read.map_err(Error::io("read", path)),
        }
    }

    fn read(path: &Path) -> io::Result<Option<Run>> {
        let mut file = File::open(path)?;
        let Some(end) = file.metadata()?.len().checked_sub(TRAILER as u64) else {
            return Ok(None);
        };
        let mut trailer = [0; TRAILER];
        file.seek(SeekFrom::Start(end))?;
        file.read_exact(&mut trailer)?;
        let (digest, rest) = trailer.split_at(DIGEST);
        let [from, to, rows, count, bits, check, magic] = numbers_of(rest)[..] else {
            return Ok(None);
        };
        if magic != u64::from_be_bytes(*MAGIC) || bits > u64::from(MOST_BITS) {
            return Ok(None);
        }
        let table = ((1u64 << bits) + 1) * size_of::<u64>() as u64;
        let size = count.checked_mul(ENTRY as u64);
        let Some(size) = size.filter(|size| size.checked_add(table) == Some(end)) else {
            return Ok(None);
        };
        let mut bytes = vec![0; table as usize];
        file.seek(SeekFrom::Start(size))?;
        file.read_exact(&mut bytes)?;
        let starts = numbers_of(&bytes);
        let ordered = are_readable(&starts) && starts.last() == Some(&count);
        let right = ordered && check == checksum(&bytes, &trailer);
        let Some(digest) = str::from_utf8(digest).ok().filter(|_| right) else {
            return Ok(None);
        };
        Ok(Some(Run {
            span: Span {
                from: from as i64,
                to: to as i64,
                digest: digest.into(),
            },
            rows,
            path: path.to_path_buf(),
            file,
            count,
            bits: bits as u32,
            starts,
            bucket: Vec::new(),
            looks: 0,
            filter: None,
        }))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The low bits of the numbers of an identity.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn find(&mut self, identity: u128) -> Result<impl Iterator<Item = u64>> {
        self.look(identity).map_err(Error::io("read", &self.path))?;
        let (all, _) = self.bucket.as_chunks::<ENTRY>();
        let of = |number: &[u8; ENTRY]| self::identity(u128::from_be_bytes(*number));
        let first = all.partition_point(|n| of(n) < identity);
        let same = all[first..].iter().take_while(move |n| of(n) == identity);
        Ok(same.map(|n| low(u128::from_be_bytes(*n))))
    }

    /// Reads the bucket of an identity, or none where it is surely not in this run.
    fn look(&mut self, identity: u128) -> io::Result<()> {
        self.bucket.clear();
        self.looks += 1;
        if self.filter.is_none() && self.count <= FILTERED && self.looks > self.count / LOOKS {
            let mut filter = Filter::new(self.count);
            for number in self.numbers()? {
                filter.add(self::identity(number?));
            }
            self.filter = Some(filter);
        }
        if self.filter.as_ref().is_some_and(|f| !f.may_have(identity)) {
            return Ok(());
        }
        let at = bucket_of(identity, self.bits);
        let (from, to) = (self.starts[at], self.starts[at + 1]);
        self.bucket.resize((to - from) as usize * ENTRY, 0);
        self.file.seek(SeekFrom::Start(from * ENTRY as u64))?;
        self.file.read_exact(&mut self.bucket)
    }

    /// Adds the identities of all numbers, in order.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn add_identities(&self, out: &mut Vec<u128>) -> Result<()> {
        let failed = || Error::io("read", &self.path);
        for number in self.numbers().map_err(failed())? {
            out.push(identity(number.map_err(failed())?));
        }
        Ok(())
    }

    /// The weights of all numbers together, read one by one; nothing where one is not where it should be.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn weight(&self, of: Low) -> Result<Option<u128>> {
        let failed = || Error::io("read", &self.path);
        let (mut sum, mut before) = (0u128, 0);
        for (n, number) in (0u64..).zip(self.numbers().map_err(failed())?) {
            let number = number.map_err(failed())?;
            let at = bucket_of(number, self.bits);
            let bucket = self.starts[at]..self.starts[at + 1];
            if number < before || !bucket.contains(&n) {
                return Ok(None);
            }
            before = number;
            sum = sum.wrapping_add(weight(number, of));
        }
        Ok(Some(sum))
    }

    /// All numbers, in order. Nothing else is read from this run until the last one is.
    fn numbers(&self) -> io::Result<impl Iterator<Item = io::Result<u128>> + use<>> {
        // The file that is open, and not its name: another process may have removed that.
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let mut input = BufReader::with_capacity(BUFFER, file);
        Ok((0..self.count).map(move |_| -> io::Result<u128> {
            let mut number = [0; ENTRY];
            input.read_exact(&mut number)?;
            Ok(u128::from_be_bytes(number))
        }))
    }
}

/// Whether each bucket ends where the next one begins, and can be read at once.
fn are_readable(starts: &[u64]) -> bool {
    let length = |pair: &[u64]| pair[1].checked_sub(pair[0]);
    let mut lengths = starts.windows(2).map(length);
    lengths.all(|length| length.is_some_and(|length| length <= MOST_IN_BUCKET))
}

fn checksum(table: &[u8], trailer: &[u8; TRAILER]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(table);
    // All before the checksum itself.
    hash.update(&trailer[..TRAILER - 2 * size_of::<u64>()]);
    hash.digest()
}

/// Takes the last runs away that are to be merged with so many numbers.
pub(super) fn take_short(runs: &mut Vec<Run>, mut count: u64) -> Vec<Run> {
    let mut out = Vec::new();
    while let Some(last) = runs.pop_if(|r| r.count < GROWTH * count) {
        count += last.count;
        out.push(last);
    }
    out
}

/// The sum of the low bits of an identity in these runs.
///
/// # Errors
/// When one cannot be read.
pub(super) fn counted(runs: &mut [Run], identity: u128) -> Result<u64> {
    let mut sum = 0;
    for run in runs {
        sum += run.find(identity)?.sum::<u64>();
    }
    Ok(sum)
}

/// Numbers of these runs.
pub(super) fn count(runs: &[Run]) -> u64 {
    runs.iter().map(|r| r.count).sum()
}

/// Merges runs and sorted numbers to a run for the time of an ingest.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn write(
    path: &Path,
    low: Low,
    span: &Span,
    runs: &[Run],
    list: &[u128],
) -> Result<Run> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    merge(path, low, span, runs, list).map_err(Error::io("write", path))?;
    whole(path)
}

/// Merges runs and sorted numbers to a run that stays: where its name is, it is whole, also after a power cut.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn write_lasting(
    path: &Path,
    low: Low,
    span: &Span,
    runs: &[Run],
    list: &[u128],
) -> Result<Run> {
    let staged = path.with_extension("tmp");
    let folder = path.parent().unwrap_or(path);
    let is_new = !folder.is_dir();
    // Its file is closed by then: not every system renames one that is open.
    drop(write(&staged, low, span, runs, list)?);
    let file = File::options().write(true).open(&staged);
    let synced = file.and_then(|f| f.sync_all());
    synced.map_err(Error::io("write", &staged))?;
    fs::rename(&staged, path).map_err(Error::io("write", path))?;
    // Whoever does not find its name after a power cut writes it again, but has to read all rows of the table for that.
    for folder in folder.ancestors().take(if is_new { FOLDERS } else { 1 }) {
        store::sync_folder(folder)?;
    }
    whole(path)
}

fn whole(path: &Path) -> Result<Run> {
    Run::open(path)?.ok_or_else(|| Error::Unusable {
        path: path.to_path_buf(),
        reason: "it is not what was written".into(),
    })
}

fn merge(path: &Path, low: Low, span: &Span, runs: &[Run], list: &[u128]) -> io::Result<()> {
    let mut sources: Vec<Numbers<'_>> = vec![Box::new(list.iter().map(|n| io::Result::Ok(*n)))];
    for run in runs {
        sources.push(Box::new(run.numbers()?));
    }
    let mut heads = Vec::with_capacity(sources.len());
    for source in &mut sources {
        heads.push(source.next().transpose()?);
    }
    let mut writer = Writer::new(path, bits_for(list.len() as u64 + count(runs)))?;
    let mut last: Option<u128> = None;
    // There are few sources: to look at each head is as fast as a heap.
    while let Some((at, number)) = least(&heads) {
        heads[at] = sources[at].next().transpose()?;
        last = match (low, last) {
            (_, None) => Some(number),
            (Low::Count, Some(before)) if identity(before) == identity(number) => {
                // So many equal rows do not exist; what stands above must not be touched.
                let both = (before & LOW) + (number & LOW);
                Some(identity(number) | both.min(LOW))
            }
            (_, Some(before)) => {
                writer.push(before, low)?;
                Some(number)
            }
        };
    }
    if let Some(number) = last {
        writer.push(number, low)?;
    }
    writer.end(span)
}

fn least(heads: &[Option<u128>]) -> Option<(usize, u128)> {
    let there = heads.iter().enumerate();
    there
        .filter_map(|(at, head)| head.map(|number| (at, number)))
        .min_by_key(|(_, number)| *number)
}

/// Numbers in order, from a file or from memory.
type Numbers<'n> = Box<dyn Iterator<Item = io::Result<u128>> + 'n>;

struct Writer {
    out: BufWriter<File>,
    bits: u32,
    starts: Vec<u64>,
    count: u64,
    rows: u64,
}

impl Writer {
    fn new(path: &Path, bits: u32) -> io::Result<Writer> {
        Ok(Writer {
            out: BufWriter::with_capacity(BUFFER, File::create(path)?),
            bits,
            starts: Vec::with_capacity((1 << bits) + 1),
            count: 0,
            rows: 0,
        })
    }

    fn push(&mut self, number: u128, of: Low) -> io::Result<()> {
        let bucket = bucket_of(number, self.bits);
        while self.starts.len() <= bucket {
            self.starts.push(self.count);
        }
        self.count += 1;
        self.rows += match of {
            Low::Print => 1,
            Low::Count => low(number),
        };
        self.out.write_all(&number.to_be_bytes())
    }

    fn end(mut self, span: &Span) -> io::Result<()> {
        self.starts.resize((1 << self.bits) + 1, self.count);
        let table: Vec<u8> = self.starts.iter().flat_map(|n| n.to_be_bytes()).collect();
        let mut trailer = [0; TRAILER];
        let digest = span.digest.as_bytes();
        let length = digest.len().min(DIGEST);
        trailer[..length].copy_from_slice(&digest[..length]);
        let numbers = [
            span.from as u64,
            span.to as u64,
            self.rows,
            self.count,
            u64::from(self.bits),
        ];
        let places = trailer[DIGEST..].chunks_exact_mut(size_of::<u64>());
        for (place, number) in places.zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        let check = checksum(&table, &trailer);
        let (check_at, magic_at) = (TRAILER - 16, TRAILER - 8);
        trailer[check_at..magic_at].copy_from_slice(&check.to_be_bytes());
        trailer[magic_at..].copy_from_slice(MAGIC);
        self.out.write_all(&table)?;
        self.out.write_all(&trailer)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;

    fn span() -> Span {
        Span {
            from: 1,
            to: 2,
            digest: "d".repeat(DIGEST),
        }
    }

    fn number(n: u32) -> u128 {
        identity(xxh3_128(&n.to_be_bytes())) | u128::from(n)
    }

    fn sorted(numbers: impl Iterator<Item = u32>) -> Vec<u128> {
        let mut out: Vec<u128> = numbers.map(number).collect();
        out.sort_unstable();
        out
    }

    fn lows(run: &mut Run, n: u32) -> Vec<u64> {
        let found = run.find(identity(number(n))).expect("it can be read");
        found.collect()
    }

    #[test]
    fn every_number_is_found_in_a_merged_run_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join("runs").join(name);
        let write = |name: &str, runs: &[Run], list: &[u128]| {
            write(&at(name), Low::Print, &span(), runs, list).expect("it is written")
        };
        // One without buckets, one with, and none at all.
        let one = write("one", &[], &sorted(0..100));
        let two = write("two", &[], &sorted(100..20_000));
        let none = write("none", &[], &[]);
        let mut all = write("all", &[one, two, none], &sorted(20_000..20_010));
        assert_eq!((all.rows, all.count), (20_010, 20_010));
        assert!(all.bits > 0 && all.filter.is_none());
        for n in 0..20_010 {
            assert_eq!(lows(&mut all, n), [u64::from(n)]);
        }
        for n in 20_010..21_000 {
            assert!(lows(&mut all, n).is_empty());
        }
        assert!(all.filter.is_some());
        let mut again = Run::open(&at("all")).expect("it is read").expect("a run");
        assert_eq!(lows(&mut again, 7), [7]);
        assert_eq!(again.span, span());
    }

    #[test]
    fn counts_of_one_identity_become_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let id = identity(number(1));
        let one = write(&at("one"), Low::Count, &span(), &[], &[id | 1, id | 1]);
        let one = one.expect("it is written");
        let mut all = write(&at("two"), Low::Count, &span(), &[one], &[id | 5]).expect("and read");
        assert_eq!((all.count, all.rows, lows(&mut all, 1)), (1, 7, vec![7]));
    }

    #[test]
    fn buckets_that_are_not_in_order_or_too_large_are_none() {
        assert!(are_readable(&[0, 0, 7, MOST_IN_BUCKET + 7]));
        assert!(!are_readable(&[0, 7, 6, 8]));
        assert!(!are_readable(&[0, 7, MOST_IN_BUCKET + 8]));
    }

    #[test]
    fn a_file_that_breaks_off_is_no_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.keys");
        drop(write_lasting(&path, Low::Print, &span(), &[], &sorted(0..1000)).expect("a run"));
        let whole = fs::read(&path).expect("its bytes");
        for length in [0, 1, TRAILER - 1, TRAILER, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).expect("a file");
            assert!(Run::open(&path).expect("it is read").is_none(), "{length}");
        }
        let mut turned = whole;
        turned[1000 * ENTRY] ^= 1;
        fs::write(&path, turned).expect("a file");
        assert!(Run::open(&path).expect("it is read").is_none());
    }

    #[test]
    fn short_runs_are_merged_with_what_comes_after_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut runs: Vec<Run> = (0..3usize)
            .map(|n| {
                let path = folder.path().join(n.to_string());
                let list = sorted(0..[1000, 100, 10][n]);
                write(&path, Low::Print, &span(), &[], &list).expect("a run")
            })
            .collect();
        let short = take_short(&mut runs, 5);
        assert_eq!((count(&short), count(&runs)), (10, 1100));
        let short = take_short(&mut runs, 30);
        assert_eq!((count(&short), count(&runs)), (100, 1000));
    }
}
