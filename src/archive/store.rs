//! The archive's folder as an object store: for the Delta library, which writes logs through it, and for DataFusion, which reads files.
//!
//! Two things differ from the store of the crate `object_store`. What is written is on the disk before it has its name, and its name is on the
//! disk before the call ends: a log survives a power cut whole or not at all. And a file that is being moved is found where it is: a
//! batch whose commit is under way lies in `_staging` until it is moved, a file that an older version has replaced lies in `_retired` for readers that
//! began before. Links are not followed, and nothing but files is opened: an archive may come from a stranger.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt, future};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, UploadPart,
};

pub use super::disk::KEYS;
pub(super) use super::disk::{
    ASIDE, Existing, RETIRED, STAGED, STAGING, is_inside, is_plain, sync_folder, sync_folders,
    write_whole,
};
use super::remote::Remote;
use crate::fault::{Error, Result};
use crate::storage::Put;

/// The folder of an archive.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    files: Arc<LocalFileSystem>,
    /// Where the folder is a copy: what it is a copy of.
    remote: Option<Arc<Remote>>,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "archive {}", self.root.display())
    }
}

impl Store {
    /// The store over a folder that exists, named without links.
    ///
    /// # Errors
    /// When the folder cannot be found.
    pub(super) fn new(root: &Path, remote: Option<Arc<Remote>>) -> Result<Store> {
        let files = LocalFileSystem::new_with_prefix(root)
            .map_err(|e| Error::io("open", root)(io::Error::other(e)))?;
        Ok(Store {
            root: root.to_path_buf(),
            files: Arc::new(files),
            remote,
        })
    }

    /// Where a file of a table waits to be committed: in one folder a table, whatever its day.
    pub(super) fn staged(&self, name: &str) -> PathBuf {
        let table = name.split('/').next().unwrap_or_default();
        let own = name.rsplit('/').next().unwrap_or_default();
        let folder = self.root.join(STAGING).join(table);
        folder.join(format!("{own}{STAGED}"))
    }

    /// Where a file of the archive is now; nothing where it is nowhere. From object storage it is brought here.
    ///
    /// # Errors
    /// When it is no file, or lies behind a link.
    pub fn find(&self, name: &str) -> io::Result<Option<PathBuf>> {
        match (self.find_here(name)?, &self.remote) {
            (None, Some(remote)) if !is_log(name) => remote.fetch(name).map_err(io::Error::other),
            (Some(path), Some(remote)) => {
                remote.is_used(&path);
                Ok(Some(path))
            }
            (found, _) => Ok(found),
        }
    }

    /// Whether the folder is a copy of what lies in object storage.
    pub(super) fn is_copy(&self) -> bool {
        self.remote.is_some()
    }

    /// Brings files that are small and not here from object storage, many at once.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn bring(&self, names: impl Iterator<Item = String>) -> Result<()> {
        let Some(remote) = &self.remote else {
            return Ok(());
        };
        let is_wanted = |name: &String| {
            !remote.is_read_by_range(name) && matches!(self.find_here(name), Ok(None))
        };
        remote.fetch_all(&names.filter(is_wanted).collect::<Vec<_>>())
    }

    /// The size of a file of the archive; nothing where it is nowhere.
    ///
    /// # Errors
    /// When it is no file, or lies behind a link.
    pub(super) fn size(&self, name: &str) -> io::Result<Option<u64>> {
        match (self.find_here(name)?, &self.remote) {
            (Some(path), _) => fs::metadata(path).map(|data| Some(data.len())),
            (None, Some(remote)) => remote.size_there(name).map_err(io::Error::other),
            (None, None) => Ok(None),
        }
    }

    fn find_here(&self, name: &str) -> io::Result<Option<PathBuf>> {
        if is_log(name) {
            let own = self.root.join(name);
            return Ok(is_plain(&self.root, &own)?.then_some(own));
        }
        // A file may be moved between two looks: what was not staged any more is in its place by now.
        for _ in 0..2 {
            // In a copy, what is staged is what a run of this machine did not commit.
            let staged = self.remote.is_none().then(|| self.staged(name));
            for path in [Some(self.root.join(name)), staged].into_iter().flatten() {
                if is_plain(&self.root, &path)? {
                    return Ok(Some(path));
                }
            }
        }
        let retired = self.root.join(RETIRED);
        if !retired.is_dir() {
            return Ok(None);
        }
        let mut moments: Vec<PathBuf> = fs::read_dir(&retired)?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<io::Result<_>>()?;
        moments.sort();
        for moment in moments.iter().rev() {
            let path = moment.join(name);
            if is_plain(&self.root, &path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Opens a file of the archive wherever it is now.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn open(&self, name: &str) -> io::Result<File> {
        for _ in 0..2 {
            match self.find(name)?.map(File::open) {
                Some(Err(e)) if e.kind() == ErrorKind::NotFound => {}
                Some(file) => return file,
                None => break,
            }
        }
        Err(io::Error::new(
            ErrorKind::NotFound,
            format!("`{name}` is not there"),
        ))
    }

    /// A part of a file, read on the thread that asks for it.
    fn read_here(&self, key: &Key, range: &Range<u64>) -> io::Result<GetResult> {
        let mut file = self.open(key.as_ref())?;
        let size = file.metadata()?.len();
        let range = range.start..range.end.min(size);
        if range.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
        file.seek(SeekFrom::Start(range.start))?;
        file.read_exact(&mut bytes)?;
        let bytes = Ok(Bytes::from(bytes));
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::once(future::ready(bytes)).boxed()),
            meta: ObjectMeta {
                location: key.clone(),
                last_modified: chrono::DateTime::UNIX_EPOCH,
                size,
                e_tag: None,
                version: None,
            },
            range,
            attributes: Attributes::default(),
        })
    }

    /// Reads a large file of object storage where it lies, unless it was brought here. Small ones are brought by the way that opens files.
    async fn get_there(
        &self,
        key: &Key,
        options: &GetOptions,
    ) -> Option<object_store::Result<GetResult>> {
        let remote = self.remote.as_ref()?;
        let name = key.as_ref();
        let is_far = !is_log(name)
            && matches!(self.find_here(name), Ok(None))
            && (options.head || remote.is_read_by_range(name));
        if !is_far {
            return None;
        }
        let mut read = remote.read(name, options.clone()).await;
        if let Ok(read) = &mut read {
            read.meta.location = key.clone();
        }
        Some(read)
    }

    fn place(&self, key: &Key) -> object_store::Result<PathBuf> {
        self.files.path_to_filesystem(key)
    }

    /// The key under which a file is now.
    fn key_of(&self, key: &Key) -> object_store::Result<Key> {
        let failed = |source: io::Error| object_store::Error::Generic {
            store: "archive",
            source: format!("`{key}`: {source}").into(),
        };
        match self.find(key.as_ref()).map_err(failed)? {
            Some(path) => {
                let below = path.strip_prefix(&self.root).unwrap_or(&path);
                let parts = below.components().map(|c| c.as_os_str().to_string_lossy());
                Key::parse(parts.collect::<Vec<_>>().join("/")).map_err(Into::into)
            }
            None => Ok(key.clone()),
        }
    }
}

/// Parts of files of up to so many bytes are read on the thread that asks for them: to hand them to another and wait for it takes longer, and a
/// small file would be handed over four times.
const FEW_BYTES: u64 = 256 << 10;

/// The part of a file that is asked for without conditions, where it is small.
fn few_bytes(options: &GetOptions) -> Option<&Range<u64>> {
    let plain = options.if_match.is_none()
        && options.if_none_match.is_none()
        && options.if_modified_since.is_none()
        && options.if_unmodified_since.is_none()
        && options.version.is_none()
        && !options.head;
    match &options.range {
        Some(GetRange::Bounded(range)) if plain => {
            (range.end.saturating_sub(range.start) <= FEW_BYTES).then_some(range)
        }
        _ => None,
    }
}

/// Whether a name is of a file of a log.
fn is_log(name: &str) -> bool {
    name.contains("/_delta_log/")
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(
        &self,
        location: &Key,
        payload: PutPayload,
        opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        if let Some(remote) = &self.remote {
            return put_there(remote, location, payload, &opts.mode).await;
        }
        let path = self.place(location)?;
        let existing = match opts.mode {
            PutMode::Create => Existing::Refuse,
            PutMode::Overwrite | PutMode::Update(_) => Existing::Replace,
        };
        let written = write_whole(&path, payload.iter().map(AsRef::as_ref), existing)
            .and_then(|()| sync_folders(&self.root, &path).map_err(io::Error::other));
        match written {
            Ok(()) => Ok(PutResult {
                e_tag: None,
                version: None,
            }),
            Err(source) if source.kind() == ErrorKind::AlreadyExists => {
                Err(object_store::Error::AlreadyExists {
                    path: location.to_string(),
                    source: source.into(),
                })
            }
            Err(source) => Err(object_store::Error::Generic {
                store: "archive",
                source: format!("cannot write `{}`: {source}", path.display()).into(),
            }),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Key,
        _opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload {
            store: self.clone(),
            key: location.clone(),
            pieces: Vec::new(),
        }))
    }

    async fn get_opts(
        &self,
        location: &Key,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        if let Some(answer) = self.get_there(location, &options).await {
            return answer;
        }
        if let Some(Ok(read)) = few_bytes(&options).map(|range| self.read_here(location, range)) {
            return Ok(read);
        }
        // This way says what is wrong, too.
        let mut found = self.key_of(location)?;
        for _ in 0..2 {
            match self.files.get_opts(&found, options.clone()).await {
                Err(object_store::Error::NotFound { .. }) => found = self.key_of(location)?,
                answer => return answer,
            }
        }
        self.files.get_opts(&found, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Key>>,
    ) -> BoxStream<'static, object_store::Result<Key>> {
        // Nothing of an archive is deleted through this door.
        locations
            .map(|key| {
                Err(object_store::Error::NotSupported {
                    source: format!("deleting `{}`", key?).into(),
                })
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        in_order(self.files.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Key>,
        offset: &Key,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        in_order(self.files.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> object_store::Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Key,
        to: &Key,
        _options: CopyOptions,
    ) -> object_store::Result<()> {
        Err(object_store::Error::NotSupported {
            source: format!("copying `{from}` to `{to}`").into(),
        })
    }
}

/// The first commit of a table.
const FIRST: &str = "/_delta_log/00000000000000000000.json";

/// Writes to object storage, and what is written to the copy.
async fn put_there(
    remote: &Arc<Remote>,
    location: &Key,
    payload: PutPayload,
    mode: &PutMode,
) -> object_store::Result<PutResult> {
    let put = match mode {
        PutMode::Create => Put::Create,
        PutMode::Overwrite | PutMode::Update(_) => Put::Replace,
    };
    let (own, name) = (Arc::clone(remote), location.to_string());
    let failed = |source: String| object_store::Error::Generic {
        store: "archive",
        source: source.into(),
    };
    let write = move || {
        let taken = own.write(&name, &payload.into(), &put)?;
        if !taken {
            // The Delta library reads what stands there.
            own.pull()?;
        }
        Ok::<_, Error>(taken)
    };
    let written = tokio::task::spawn_blocking(write).await;
    match written.map_err(|e| failed(e.to_string()))? {
        Ok(true) => Ok(PutResult {
            e_tag: None,
            version: None,
        }),
        // The library would put the commit on top of what is there by now, and compare nothing: whoever decided it looks whether it is done.
        Ok(false) if location.as_ref().ends_with(FIRST) => {
            Err(failed(format!("`{location}` is there already")))
        }
        Ok(false) => Err(object_store::Error::AlreadyExists {
            path: location.to_string(),
            source: "it is there already".into(),
        }),
        Err(e) => Err(failed(e.to_string())),
    }
}

/// A file that comes in pieces, such as a large checkpoint. They are kept until all are there: then it is written like any other.
#[derive(Debug)]
struct Upload {
    store: Store,
    key: Key,
    pieces: Vec<PutPayload>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.pieces.push(data);
        Box::pin(future::ready(Ok(())))
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let pieces = std::mem::take(&mut self.pieces);
        let whole: PutPayload = pieces.iter().flatten().cloned().collect();
        let opts = PutOptions::from(PutMode::Overwrite);
        self.store.put_opts(&self.key, whole, opts).await
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.pieces.clear();
        Ok(())
    }
}

/// The same entries by name: a folder has them in any order, and the Delta library wants that of an object store.
fn in_order(
    entries: BoxStream<'static, object_store::Result<ObjectMeta>>,
) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
    stream::once(async move {
        let mut all: Vec<ObjectMeta> = entries.try_collect().await?;
        all.sort_by(|a, b| a.location.cmp(&b.location));
        Ok::<_, object_store::Error>(stream::iter(all.into_iter().map(Ok)))
    })
    .try_flatten()
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_files_that_are_read_where_they_are_asked_for_are_small_and_plain() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a"), b"0123456789").expect("a file");
        let store = Store::new(folder.path(), None).expect("a store");
        let read = |range: Range<u64>| store.read_here(&Key::from("a"), &range);
        let found = read(8..20).expect("its end");
        assert_eq!((found.range, found.meta.size), (8..10, 10));
        for beyond in [10..11, 20..30] {
            assert!(read(beyond).is_err());
        }
        let few = |range: GetRange, head: bool| {
            let options = GetOptions {
                range: Some(range),
                head,
                ..GetOptions::default()
            };
            few_bytes(&options).is_some()
        };
        assert!(few(GetRange::Bounded(5..9), false));
        assert!(!few(GetRange::Bounded(5..9), true));
        assert!(!few(GetRange::Bounded(0..FEW_BYTES + 1), false));
        assert!(!few(GetRange::Offset(5), false));
    }
}
