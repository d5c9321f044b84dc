//! Places in object storage: `s3://bucket/folder`, `abfss://container@account.dfs.core.windows.net/folder`, `gs://bucket/folder`.
//!
//! One type, [`Place`], reads, writes and lists below such an address, for archives and for exports. Names are relative, with `/` between their parts. The
//! calls wait: object stores answer on threads of this module, so that they can be made from any thread, that of a query too. What a store
//! throttles (503) or a network cuts is tried again by the library, for up to three minutes.
//!
//! Credentials, region and endpoint are those of the environment, by the names that the providers gave them (`AWS_ACCESS_KEY_ID`,
//! `AZURE_STORAGE_ACCOUNT_NAME`, `GOOGLE_SERVICE_ACCOUNT`); the command line hands them over by [`configure`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock, mpsc};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Key;
use object_store::{
    GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, PutResult,
    WriteMultipart,
};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

use crate::fault::{Error, Result};

/// Schemes of addresses, and what the names of their settings begin with.
const SCHEMES: [(&str, &str); 8] = [
    ("s3", "AWS_"),
    ("s3a", "AWS_"),
    ("abfss", "AZURE_"),
    ("abfs", "AZURE_"),
    ("az", "AZURE_"),
    ("azure", "AZURE_"),
    ("adl", "AZURE_"),
    ("gs", "GOOGLE_"),
];

/// Files of more bytes go up in pieces.
const PIECE: usize = 8 << 20;
/// What stores say where there is no bucket, or container, of the name.
const NO_BUCKET: [&str; 3] = [
    "NoSuchBucket",
    "ContainerNotFound",
    "The specified bucket does not exist",
];
/// Requests at once.
const AT_ONCE: usize = 32;

/// What the command line knows of the machine.
#[derive(Debug, Default)]
pub struct Settings {
    /// Folder for what is kept of archives in object storage.
    pub cache: PathBuf,
    /// Bytes of files of archives that are kept there.
    pub cache_bytes: u64,
    /// Folder for files that are brought to be read once; that of the system where none is named.
    pub temporary: Option<PathBuf>,
    /// The environment: names and values.
    pub environment: Vec<(String, String)>,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Says once what the machine is like; whoever comes second is not heard.
pub fn configure(settings: Settings) {
    let _ = SETTINGS.set(settings);
}

/// What [`configure`] was told; otherwise a folder among the temporary ones, and no credentials.
pub fn settings() -> &'static Settings {
    SETTINGS.get_or_init(|| Settings {
        cache: std::env::temp_dir().join("coldtrail"),
        cache_bytes: 4 << 30,
        temporary: None,
        environment: Vec::new(),
    })
}

/// Folder for files that are brought to be read once.
pub fn temporary() -> PathBuf {
    settings()
        .temporary
        .clone()
        .unwrap_or_else(std::env::temp_dir)
}

/// Threads on which requests wait.
static THREADS: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("storage")
        .enable_all()
        .build()
});

/// The scheme of an address of object storage; nothing for a path of this machine.
fn scheme(path: &Path) -> Option<(&'static str, &'static str)> {
    let text = path.to_str()?;
    let (scheme, _) = text.split_once("://")?;
    SCHEMES
        .into_iter()
        .find(|(known, _)| scheme.eq_ignore_ascii_case(known))
}

/// Whether this is an address of object storage.
pub fn is_remote(path: &Path) -> bool {
    scheme(path).is_some()
}

/// The scheme of what was meant for an address of object storage and has not two slashes; nothing for all else.
pub fn misspelt(path: &Path) -> Option<&'static str> {
    let (begin, rest) = path.to_str()?.split_once(":/")?;
    let known = SCHEMES.into_iter().map(|(scheme, _)| scheme);
    let mut meant = known.filter(|scheme| begin.eq_ignore_ascii_case(scheme));
    meant.next().filter(|_| !rest.starts_with('/'))
}

/// What is below an address: the name behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Relative to the place.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Changes with the content.
    pub tag: String,
}

/// A folder in object storage.
#[derive(Debug, Clone)]
pub struct Place {
    address: PathBuf,
    prefix: Key,
    store: Arc<dyn ObjectStore>,
}

/// How a name that exists is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is replaced.
    Replace,
    /// It is left, and that is an answer.
    Create,
    /// It is replaced where it still has this tag.
    Update(String),
}

impl Place {
    /// The place of an address. Nothing is asked yet.
    ///
    /// # Errors
    /// When it is none, or a setting of the environment is wrong.
    pub fn new(address: &Path) -> Result<Place> {
        let refuse = |reason: String| Error::Unusable {
            path: address.to_path_buf(),
            reason,
        };
        let Some((scheme, begin)) = scheme(address) else {
            return Err(refuse("it is no address of object storage".into()));
        };
        let text = address.to_string_lossy();
        let url = url::Url::parse(&text).map_err(|e| refuse(e.to_string()))?;
        if url.host_str().is_none_or(str::is_empty) {
            let example = format!("{scheme}://BUCKET/FOLDER");
            return Err(refuse(format!("it names no bucket, as `{example}` does")));
        }
        let own = settings().environment.iter();
        // Addresses with a user name are those of Azure: `container@account`.
        let own = own.filter(|(name, _)| name.to_ascii_uppercase().starts_with(begin));
        let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
        // The library gives a request 30 s, its body included: too little for a large file on a slow line.
        let own = [("timeout", "10 minutes")].into_iter().chain(own);
        let (store, prefix) =
            object_store::parse_url_opts(&url, own).map_err(|e| refuse(told(&e)))?;
        Ok(Place {
            address: address.to_path_buf(),
            prefix,
            store: Arc::from(store),
        })
    }

    /// What tells it from places of the same address elsewhere: the address, endpoint and account.
    pub fn identity(&self) -> Vec<u8> {
        const NAMES: [&str; 6] = [
            "AWS_ENDPOINT",
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_S3",
            "AZURE_STORAGE_ACCOUNT_NAME",
            "AZURE_STORAGE_ENDPOINT",
            "GOOGLE_BASE_URL",
        ];
        let own = settings().environment.iter();
        let own = own.filter(|(name, _)| NAMES.contains(&&*name.to_ascii_uppercase()));
        let mut own: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        own.sort();
        let address = self.address.to_string_lossy();
        let mut all = address.trim_end_matches('/').to_string();
        for part in own {
            all.push('\n');
            all.push_str(&part);
        }
        all.into_bytes()
    }

    /// Its address.
    pub fn address(&self) -> &Path {
        &self.address
    }

    /// The address of a name below it.
    pub fn of(&self, name: &str) -> PathBuf {
        let folder = self.address.to_string_lossy();
        PathBuf::from(format!("{}/{name}", folder.trim_end_matches('/')))
    }

    fn key(&self, name: &str) -> Result<Key> {
        let whole = format!("{}/{name}", self.prefix.as_ref());
        Key::parse(whole.trim_matches('/')).map_err(|e| Error::Unusable {
            path: self.of(name),
            reason: e.to_string(),
        })
    }

    fn failed(
        &self,
        action: &'static str,
        name: &str,
    ) -> impl Fn(object_store::Error) -> Error + use<'_> {
        let path = self.of(name);
        move |source| {
            let kind = match source {
                object_store::Error::NotFound { .. } => io::ErrorKind::NotFound,
                object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
                _ => io::ErrorKind::Other,
            };
            let text = told(&source);
            if NO_BUCKET.iter().any(|code| text.contains(code)) {
                let source = io::Error::new(io::ErrorKind::NotFound, "there is no such bucket");
                return Error::io(action, &path)(source);
            }
            Error::io(action, &path)(io::Error::new(kind, text))
        }
    }

    /// What lies below a name, or below the place.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn list(&self, below: &str) -> Result<Vec<Found>> {
        let key = self.key(below)?;
        let store = Arc::clone(&self.store);
        let listed = wait(async move {
            let prefix = (!key.as_ref().is_empty()).then_some(&key);
            store.list(prefix).try_collect::<Vec<ObjectMeta>>().await
        })?;
        let listed = listed.map_err(self.failed("list", below))?;
        let prefix = self.prefix.as_ref();
        let mut out = Vec::with_capacity(listed.len());
        for meta in listed {
            let whole = meta.location.as_ref();
            let name = match prefix {
                "" => whole,
                _ => match whole.strip_prefix(prefix).and_then(|n| n.strip_prefix('/')) {
                    Some(name) => name,
                    // The place itself is a file.
                    None => continue,
                },
            };
            out.push(Found {
                name: name.to_string(),
                size: meta.size,
                tag: tag(meta.e_tag, meta.version),
            });
        }
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    /// Size and tag of a file; nothing where there is none.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn head(&self, name: &str) -> Result<Option<Found>> {
        let key = self.key(name)?;
        let store = Arc::clone(&self.store);
        match wait(async move { store.head(&key).await })? {
            Ok(meta) => Ok(Some(Found {
                name: name.to_string(),
                size: meta.size,
                tag: tag(meta.e_tag, meta.version),
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("read", name)(e)),
        }
    }

    /// The bytes of a file and its tag; nothing where there is none.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn get(&self, name: &str) -> Result<Option<(Bytes, String)>> {
        let key = self.key(name)?;
        let store = Arc::clone(&self.store);
        let read = wait(async move { get(&*store, &key).await })?;
        match read {
            Ok(read) => Ok(Some(read)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("read", name)(e)),
        }
    }

    /// Brings files to this machine, each whole or not at all. The answers are the tags of what was brought; nothing for those that are there no more.
    ///
    /// # Errors
    /// When the store does not answer, or a file cannot be written.
    pub fn bring(&self, names: &[(String, PathBuf)]) -> Result<Vec<Option<String>>> {
        let mut jobs = Vec::with_capacity(names.len());
        for (name, to) in names {
            jobs.push((self.key(name)?, to.clone()));
        }
        let store = Arc::clone(&self.store);
        let done = wait(async move {
            let jobs = jobs.into_iter().map(|(key, to)| {
                let store = Arc::clone(&store);
                async move { download(&*store, &key, &to).await }
            });
            let jobs = stream::iter(jobs).buffered(AT_ONCE);
            jobs.collect::<Vec<object_store::Result<String>>>().await
        })?;
        let mut there = Vec::with_capacity(done.len());
        for ((name, _), done) in names.iter().zip(done) {
            match done {
                Ok(tag) => there.push(Some(tag)),
                Err(object_store::Error::NotFound { .. }) => there.push(None),
                Err(e) => return Err(self.failed("read", name)(e)),
            }
        }
        Ok(there)
    }

    /// Writes a file; its tag, or nothing where it exists and may not be replaced.
    ///
    /// # Errors
    /// When the store does not take it.
    pub fn put(&self, name: &str, bytes: &Bytes, put: &Put) -> Result<Option<String>> {
        let key = self.key(name)?;
        let store = Arc::clone(&self.store);
        let mode = match put {
            Put::Replace => PutMode::Overwrite,
            Put::Create => PutMode::Create,
            Put::Update(tag) => {
                // Google asks for the generation, the others for the tag.
                let (version, e_tag) = match tag.split_once(' ') {
                    Some((version, e_tag)) if is_generation(version) => (version, e_tag),
                    _ => (tag.as_str(), tag.as_str()),
                };
                PutMode::Update(object_store::UpdateVersion {
                    e_tag: Some(e_tag.to_string()),
                    version: Some(version.to_string()),
                })
            }
        };
        let payload = PutPayload::from(bytes.clone());
        let wanted = bytes.clone();
        let written = wait(async move {
            match store.put_opts(&key, payload, mode.into()).await {
                Ok(done) => Ok(Some(tag_of(done))),
                Err(e) => settle(&*store, &key, &wanted, e).await,
            }
        })?;
        written.map_err(self.failed("write", name))
    }

    /// Sends files of this machine. What is there is replaced.
    ///
    /// # Errors
    /// When one cannot be read, or the store does not take it.
    pub fn send(&self, files: &[(PathBuf, String)]) -> Result<()> {
        let mut jobs = Vec::with_capacity(files.len());
        for (from, name) in files {
            jobs.push((from.clone(), self.key(name)?));
        }
        let store = Arc::clone(&self.store);
        let done = wait(async move {
            let jobs = jobs.into_iter().map(|(from, key)| {
                let store = Arc::clone(&store);
                async move { upload(&*store, &from, &key).await }
            });
            // Each holds a piece or two in memory.
            let jobs = stream::iter(jobs).buffered(AT_ONCE / 4);
            jobs.collect::<Vec<object_store::Result<()>>>().await
        })?;
        for ((_, name), done) in files.iter().zip(done) {
            done.map_err(self.failed("write", name))?;
        }
        Ok(())
    }

    /// Copies files within the store. Says of each whether there was one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn copy(&self, names: &[(String, String)]) -> Result<Vec<bool>> {
        let mut jobs = Vec::with_capacity(names.len());
        for (from, to) in names {
            jobs.push((self.key(from)?, self.key(to)?));
        }
        let store = Arc::clone(&self.store);
        let done = wait(async move {
            let jobs = jobs.into_iter().map(|(from, to)| {
                let store = Arc::clone(&store);
                async move { store.copy(&from, &to).await }
            });
            let jobs = stream::iter(jobs).buffered(AT_ONCE);
            jobs.collect::<Vec<object_store::Result<()>>>().await
        })?;
        let mut there = Vec::with_capacity(done.len());
        for ((from, _), done) in names.iter().zip(done) {
            match done {
                Ok(()) => there.push(true),
                Err(object_store::Error::NotFound { .. }) => there.push(false),
                Err(e) => return Err(self.failed("copy", from)(e)),
            }
        }
        Ok(there)
    }

    /// Removes files; one that is there no more is removed.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn delete(&self, names: &[String]) -> Result<()> {
        let keys = names.iter().map(|name| self.key(name));
        let keys: Vec<Key> = keys.collect::<Result<_>>()?;
        let Some(first) = names.first() else {
            return Ok(());
        };
        let store = Arc::clone(&self.store);
        let done = wait(async move {
            let keys = stream::iter(keys.into_iter().map(Ok)).boxed();
            let deleted = store.delete_stream(keys);
            deleted.collect::<Vec<object_store::Result<Key>>>().await
        })?;
        for done in done {
            match done {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(self.failed("remove", first)(e)),
            }
        }
        Ok(())
    }

    /// Reads a file, or a part of it, for a query.
    ///
    /// # Errors
    /// As the store answers.
    pub async fn read(&self, name: &str, options: GetOptions) -> object_store::Result<GetResult> {
        let whole = format!("{}/{name}", self.prefix.as_ref());
        let key = Key::parse(whole.trim_matches('/'))?;
        let store = Arc::clone(&self.store);
        let failed = |e: String| object_store::Error::Generic {
            store: "storage",
            source: e.into(),
        };
        // Connections are those of this module's threads: one that a query's own thread has to serve may wait for that query.
        let threads = THREADS.as_ref().map_err(|e| failed(e.to_string()))?;
        let asked = threads.spawn(async move { store.get_opts(&key, options).await });
        asked.await.map_err(|e| failed(e.to_string()))?
    }
}

/// What is compared: the tag, and with Google the generation before it, which is a number and what its conditions ask for.
fn tag(e_tag: Option<String>, version: Option<String>) -> String {
    let e_tag = e_tag.unwrap_or_default();
    match version.filter(|version| is_generation(version)) {
        Some(generation) => format!("{generation} {e_tag}"),
        None => e_tag,
    }
}

fn is_generation(version: &str) -> bool {
    !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit())
}

/// Whether two tags are of one content: lists know no generation, and with Azure they have no quotes. One that is empty says nothing.
pub fn is_same_tag(one: &str, other: &str) -> bool {
    let own = |tag: &str| {
        let tag = tag.rsplit(' ').next().unwrap_or(tag);
        tag.trim_matches('"').to_string()
    };
    let one = own(one);
    !one.is_empty() && one == own(other)
}

fn tag_of(done: PutResult) -> String {
    tag(done.e_tag, done.version)
}

/// Whether a condition was not met. A request that was cut may have been carried out, and the library's second try then finds its own work: the
/// content says so.
async fn settle(
    store: &dyn ObjectStore,
    key: &Key,
    wanted: &Bytes,
    error: object_store::Error,
) -> object_store::Result<Option<String>> {
    let refused = matches!(
        error,
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }
    );
    match get(store, key).await {
        Ok((there, tag)) if there == *wanted => Ok(Some(tag)),
        Ok(_) | Err(object_store::Error::NotFound { .. }) if refused => Ok(None),
        _ => Err(error),
    }
}

async fn get(store: &dyn ObjectStore, key: &Key) -> object_store::Result<(Bytes, String)> {
    let read = store.get(key).await?;
    let tag = tag(read.meta.e_tag.clone(), read.meta.version.clone());
    Ok((read.bytes().await?, tag))
}

fn local(action: &str, path: &Path, source: &io::Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "file",
        source: format!("cannot {action} `{}`: {source}", path.display()).into(),
    }
}

async fn download(store: &dyn ObjectStore, key: &Key, to: &Path) -> object_store::Result<String> {
    let read = store.get(key).await?;
    let tag = tag(read.meta.e_tag.clone(), read.meta.version.clone());
    let mut pieces = read.into_stream();
    let folder = to.parent().unwrap_or(Path::new("."));
    let made = tokio::fs::create_dir_all(folder).await;
    made.map_err(|e| local("create", folder, &e))?;
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let own = uuid::Uuid::new_v4().simple();
    let staged = folder.join(format!(".{name}.{own}.tmp"));
    let written = async {
        let mut file = tokio::fs::File::create_new(&staged)
            .await
            .map_err(|e| local("create", &staged, &e))?;
        while let Some(piece) = pieces.try_next().await? {
            file.write_all(&piece)
                .await
                .map_err(|e| local("write", &staged, &e))?;
        }
        file.flush()
            .await
            .map_err(|e| local("write", &staged, &e))?;
        // After a power cut it would have its size, and not its bytes.
        file.sync_all()
            .await
            .map_err(|e| local("write", &staged, &e))?;
        drop(file);
        tokio::fs::rename(&staged, to)
            .await
            .map_err(|e| local("write", to, &e))
    }
    .await;
    if written.is_err() {
        // The error of writing is the one that counts.
        let _ = tokio::fs::remove_file(&staged).await;
    }
    written.map(|()| tag)
}

async fn upload(store: &dyn ObjectStore, from: &Path, key: &Key) -> object_store::Result<()> {
    use tokio::io::AsyncReadExt;
    let failed = |e: io::Error| local("read", from, &e);
    let mut file = tokio::fs::File::open(from).await.map_err(failed)?;
    let size = file.metadata().await.map_err(failed)?.len();
    if size <= PIECE as u64 {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).await.map_err(failed)?;
        store.put(key, bytes.into()).await?;
        return Ok(());
    }
    let mut out = WriteMultipart::new_with_chunk_size(store.put_multipart(key).await?, PIECE);
    let sent = async {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await;
            if read.map_err(failed)? == 0 {
                return Ok(());
            }
            out.wait_for_capacity(1).await?;
            out.put(piece.into());
        }
    }
    .await;
    match sent {
        Ok(()) => out.finish().await.map(|_| ()),
        Err(e) => {
            // Pieces that nobody puts together cost money. The error of sending is the one that counts.
            let _ = out.abort().await;
            Err(e)
        }
    }
}

/// Waits for an answer, on whatever thread this is.
fn wait<T: Send + 'static>(asked: impl Future<Output = T> + Send + 'static) -> Result<T> {
    let failed = |e: &io::Error| {
        let source = io::Error::new(e.kind(), e.to_string());
        Error::io("start threads for", Path::new("object storage"))(source)
    };
    let threads = THREADS.as_ref().map_err(failed)?;
    let (send, answer) = mpsc::sync_channel(1);
    threads.spawn(async move {
        // Nobody waits any more.
        let _ = send.send(asked.await);
    });
    answer.recv().map_err(|_| {
        let source = io::Error::other("a request ended without an answer");
        Error::io("ask", Path::new("object storage"))(source)
    })
}

/// What a store said, on one line: without what stands there twice, and without what differs each time, so that the same failure reads alike.
fn told(error: &object_store::Error) -> String {
    let text = without_markup(&error.to_string());
    let is_time = |word: &str| {
        let word = word.trim_end_matches(',');
        word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with('s')
    };
    let mut parts: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        if is_time(word) && parts.last() == Some(&"in") {
            parts.pop();
        } else if parts.last() != Some(&word) {
            parts.push(word);
        }
    }
    let text = answered(&parts.join(" "));
    match text.char_indices().nth(600) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// What a store answered, such as `403 Forbidden: AccessDenied: Access Denied`, without what the library says of its request: the message names
/// the address already. Where no store answered, the server that was asked; of a request for credentials, that it was one.
fn answered(text: &str) -> String {
    let text = match text.split_once(" error: ") {
        Some((begin, rest)) if begin.starts_with("Generic ") => rest,
        _ => text,
    };
    let request = text.split_once("Error performing ");
    let Some((request, answer)) = request.and_then(|(_, rest)| rest.split_once(" - ")) else {
        return text.to_string();
    };
    let answer = answer
        .trim_start_matches("Server returned non-2xx status code: ")
        .trim_start_matches("Server returned error response: ")
        .trim_end_matches(':');
    let asked = request
        .split(' ')
        .find_map(|word| url::Url::parse(word).ok().filter(url::Url::has_host));
    match asked {
        Some(url) if request.starts_with("token request") => {
            format!("no credentials from {}: {answer}", host(&url))
        }
        Some(url) if answer.starts_with("HTTP error") => {
            format!("no answer from {}: {answer}", host(&url))
        }
        _ => answer.to_string(),
    }
}

/// Name and port of a server.
fn host(url: &url::Url) -> String {
    let name = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_string(),
    }
}

/// A text that ends with the answer of a store in XML, of which code and message are kept. The numbers of requests stand in other elements, and
/// on further lines of the message.
fn without_markup(text: &str) -> String {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (content, _) = rest.split_once(&format!("</{name}>"))?;
        content.lines().next()
    };
    match (text.find('<'), element("Code"), element("Message")) {
        (Some(at), Some(code), Some(message)) => format!("{}{code}: {message}", &text[..at]),
        _ => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_failure_reads_alike() {
        let said = |time: &str, request: &str| {
            let text = format!(
                "Error performing GET http://s/b/x in {time} - Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?>\n\
                 <Error><Code>AccessDenied</Code><Message>Access Denied\nRequestId:{request}</Message><RequestId>{request}</RequestId></Error>"
            );
            told(&object_store::Error::Generic {
                store: "S3",
                source: text.into(),
            })
        };
        assert_eq!(said("1.5ms", "1"), said("2.25s,", "2"));
        assert_eq!(
            said("1ms", "1"),
            "403 Forbidden: AccessDenied: Access Denied"
        );
    }

    #[test]
    fn an_answer_is_told_without_the_request() {
        for (text, wanted) in [
            (
                "Error performing HEAD http://s/b/x in 1ms - Server returned non-2xx status code: 403 Forbidden: ",
                "403 Forbidden",
            ),
            (
                "Error performing HEAD http://127.0.0.1:1/b in 3.5s, after 10 retries, max_retries: 10, retry_timeout: 180s  - HTTP error: error sending request",
                "no answer from 127.0.0.1:1: HTTP error: error sending request",
            ),
            (
                "Error performing token request: Error performing GET http://192.0.2.1/token in 1ms - Server returned non-2xx status code: 404 Not Found: ",
                "no credentials from 192.0.2.1: 404 Not Found",
            ),
            ("Account must be specified", "Account must be specified"),
        ] {
            let error = object_store::Error::Generic {
                store: "S3",
                source: text.into(),
            };
            assert_eq!(told(&error), wanted);
        }
    }

    #[test]
    fn addresses_are_told_from_paths() {
        for address in [
            "s3://b/x",
            "S3A://b",
            "abfss://c@a.dfs.core.windows.net/x",
            "gs://b/x y",
        ] {
            assert!(is_remote(Path::new(address)), "{address}");
        }
        for path in [
            "s3:/b",
            "archive",
            "C:\\x",
            "/s3://b",
            "http://b/x",
            "C://x",
        ] {
            assert!(!is_remote(Path::new(path)), "{path}");
            let wanted = (path == "s3:/b").then_some("s3");
            assert_eq!(misspelt(Path::new(path)), wanted, "{path}");
        }
    }

    #[test]
    fn tags_of_lists_are_those_of_answers() {
        let answered = tag(Some("\"abc\"".into()), Some("1764".into()));
        assert_eq!(answered, "1764 \"abc\"");
        assert!(is_same_tag(&answered, "\"abc\""));
        assert!(is_same_tag("0x8D", "\"0x8D\""));
        assert!(!is_same_tag("\"abc\"", "\"abd\""));
        assert!(!is_same_tag("", ""));
        let version = tag(Some("\"x\"".into()), Some("3sL4kqtJlcpXro".into()));
        assert_eq!(version, "\"x\"");
    }

    #[test]
    fn an_address_without_a_bucket_is_refused() {
        let error = Place::new(Path::new("s3:///x")).expect_err("no bucket");
        assert!(error.to_string().contains("s3://BUCKET/FOLDER"), "{error}");
    }

    #[test]
    fn names_are_below_the_address() {
        let place = Place::new(Path::new("gs://bucket/a/b/")).expect("a place");
        assert_eq!(place.of("x/y"), Path::new("gs://bucket/a/b/x/y"));
        assert_eq!(place.key("x/y").expect("a key").as_ref(), "a/b/x/y");
    }
}
