//! Files in object storage, brought to this machine while they are read.
//!
//! A file is brought whole when it is opened first, and removed with the last value that holds it. Its name stays its address. Knows nothing of
//! what is in it.

use std::cmp::Ordering;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, Weak};

use sha2::{Digest, Sha256};

use super::super::own;
use crate::fault::{Error, Result};
use crate::storage::{self, Found, Place};

const UNBROKEN: &str = "nobody panics with it";

/// After so many files in a row that could not be had the others are not tried: of each the store is asked for minutes.
const GIVE_UP: usize = 3;

/// A bucket, or container.
#[derive(Debug)]
pub(super) struct Bucket {
    place: Place,
    /// Files in a row that could not be had, and not because they are gone or locked away.
    failed: AtomicUsize,
}

impl Bucket {
    /// The bucket of an address such as `s3://bucket`. Nothing is asked yet.
    ///
    /// # Errors
    /// When it is none, or a setting of the environment is wrong.
    pub(super) fn new(address: &str) -> Result<Arc<Bucket>> {
        Ok(Arc::new(Bucket {
            place: Place::new(Path::new(address))?,
            failed: AtomicUsize::new(0),
        }))
    }

    /// What lies in it.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Brings a file.
    fn bring(&self, name: &str, to: &Path) -> Result<()> {
        let failed = |kind: ErrorKind, why: &str| {
            Err(Error::io("read", self.place.of(name))(io::Error::new(
                kind, why,
            )))
        };
        if self.failed.load(Relaxed) >= GIVE_UP {
            return failed(
                ErrorKind::Other,
                "not tried, as the files before it could not be had",
            );
        }
        let brought = self.place.bring(&[(name.to_string(), to.to_path_buf())]);
        match &brought {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::Other => {
                self.failed.fetch_add(1, Relaxed);
            }
            _ => self.failed.store(0, Relaxed),
        }
        match brought?.first() {
            Some(Some(_)) => Ok(()),
            _ => failed(
                ErrorKind::NotFound,
                "it was there when the folder was listed, and is there no more",
            ),
        }
    }
}

/// A file in object storage.
#[derive(Debug, Clone)]
pub struct Stored {
    bucket: Arc<Bucket>,
    file: Found,
    address: PathBuf,
    /// What was brought of it, as long as somebody holds that.
    brought: Arc<Mutex<Weak<Brought>>>,
}

impl Stored {
    /// A file that was found in a bucket.
    pub(super) fn of(bucket: &Arc<Bucket>, file: Found) -> Stored {
        Stored {
            address: bucket.place.of(&file.name),
            bucket: Arc::clone(bucket),
            file,
            brought: Arc::default(),
        }
    }

    /// The file at an address; nothing where there is none.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn at(address: &Path) -> Result<Option<Stored>> {
        let text = address.to_string_lossy();
        let (bucket, name) = parts(&text);
        let bucket = Bucket::new(bucket)?;
        let file = bucket.place.head(name)?;
        Ok(file.map(|file| Stored::of(&bucket, file)))
    }

    /// Its address.
    pub fn address(&self) -> &Path {
        &self.address
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.file.size
    }

    /// What tells it from other files and from what stood there before: SHA-256 of its address and of the tag that changes with its content.
    /// Nothing where the store gives no tag.
    pub fn key(&self) -> Option<String> {
        let tag = Some(self.file.tag.as_str()).filter(|tag| !tag.is_empty())?;
        let text = format!("{}\n{tag}", self.address.display());
        Some(hex::encode(Sha256::digest(text.as_bytes())))
    }

    /// Brings it; who asks while another one holds it is given the same.
    ///
    /// # Errors
    /// When the store does not answer, the file is gone, or it cannot be written here.
    pub(in crate::ingest) fn bring(&self) -> Result<Local> {
        let mut known = self.brought.lock().expect(UNBROKEN);
        let brought = match known.upgrade() {
            Some(brought) => brought,
            None => {
                let brought = Arc::new(self.brought_now()?);
                *known = Arc::downgrade(&brought);
                brought
            }
        };
        Ok(Local {
            path: brought.file.clone(),
            shown: self.address.clone(),
            _brought: Some(brought),
        })
    }

    fn brought_now(&self) -> Result<Brought> {
        let folder = own_folder(&storage::temporary())?;
        // Whatever becomes of the request, the folder goes.
        let brought = Brought {
            file: folder.join("export"),
            folder,
        };
        match self.file.size {
            // It may be the mark of a folder, which cannot be had under this name.
            0 => std::fs::write(&brought.file, b"").map_err(Error::io("write", &brought.file))?,
            _ => self.bucket.bring(&self.file.name, &brought.file)?,
        }
        Ok(brought)
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Stored) -> bool {
        self.address == other.address
    }
}

impl Eq for Stored {}

impl PartialOrd for Stored {
    fn partial_cmp(&self, other: &Stored) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Stored {
    fn cmp(&self, other: &Stored) -> Ordering {
        self.address.cmp(&other.address)
    }
}

/// The bucket of an address, such as `s3://bucket`, and the name in it.
pub(super) fn parts(address: &str) -> (&str, &str) {
    let begin = address.find("://").map_or(0, |at| at + "://".len());
    match address[begin..].find('/') {
        Some(at) => (&address[..begin + at], &address[begin + at + 1..]),
        None => (address, ""),
    }
}

/// A file that was brought, in a folder of its own.
#[derive(Debug)]
struct Brought {
    folder: PathBuf,
    file: PathBuf,
}

impl Drop for Brought {
    fn drop(&mut self) {
        // What is left is in the folder of temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Makes a folder that only this user may look into: evidence lies in it.
fn own_folder(above: &Path) -> Result<PathBuf> {
    let own = uuid::Uuid::new_v4().simple();
    let folder = above.join(format!("coldtrail-{own}"));
    #[cfg(not(unix))]
    let builder = DirBuilder::new();
    #[cfg(unix)]
    let builder = {
        let mut builder = DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
    };
    let made = builder.create(&folder);
    made.map_err(Error::io("create", &folder))?;
    Ok(folder)
}

/// The file of this machine that is read for an input, and stays as long as this value.
#[derive(Debug, Clone)]
pub struct Local {
    path: PathBuf,
    /// What messages call it.
    shown: PathBuf,
    _brought: Option<Arc<Brought>>,
}

impl Local {
    /// A file that lies here anyway.
    pub(super) fn of(path: &Path) -> Local {
        Local {
            path: path.to_path_buf(),
            shown: path.to_path_buf(),
            _brought: None,
        }
    }

    /// What messages call it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Opens it.
    ///
    /// # Errors
    /// When the system does not.
    pub fn open(&self) -> Result<File> {
        File::open(&self.path).map_err(Error::io("open", &self.shown))
    }

    /// Its bytes; it is there until they are read.
    ///
    /// # Errors
    /// When the system does not open it.
    pub fn read(self) -> Result<impl Read + Send + 'static> {
        let file = self.open()?;
        Ok(Held { file, _local: self })
    }

    /// Whether it says of itself that it holds findings or a report of coldtrail.
    pub fn is_result(&self) -> bool {
        own::is_result(&self.path)
    }
}

/// An open file. Its fields are dropped in their order: it is closed before it is removed, as Windows wants it.
struct Held {
    file: File,
    _local: Local,
}

impl Read for Held {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_bucket_and_a_name() {
        for (address, bucket, name) in [
            ("s3://b", "s3://b", ""),
            ("s3://b/", "s3://b", ""),
            ("gs://b/x/y #1.json", "gs://b", "x/y #1.json"),
            ("abfss://c@a.net/x/", "abfss://c@a.net", "x/"),
        ] {
            assert_eq!(parts(address), (bucket, name), "{address}");
        }
    }

    #[test]
    fn what_was_brought_goes_with_the_last_who_holds_it() {
        let folder = own_folder(&std::env::temp_dir()).expect("a folder");
        let file = folder.join("export");
        std::fs::write(&file, "x").expect("a file");
        let brought = Arc::new(Brought {
            folder: folder.clone(),
            file: file.clone(),
        });
        let local = Local {
            path: file,
            shown: "s3://b/x".into(),
            _brought: Some(brought),
        };
        let mut reader = local.clone().read().expect("it is open");
        drop(local);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("text");
        assert_eq!(text, "x");
        assert!(folder.is_dir());
        drop(reader);
        assert!(!folder.exists());
    }
}
