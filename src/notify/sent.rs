//! Which notices were sent: a file of lines in the archive, each of them on the disk before anything else happens.
//!
//! A notice has a line before it is handed over and one after that. Where a run is cut off in between, nobody can know whether it arrived; the
//! next run hands it over once more, with the same content under the same message id, by which mail servers and readers know it. All others
//! are told once.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::archive::remote::Remote;
use crate::archive::{Archive, NOTICES};
use crate::fault::{Error, Result};

/// The file with the lines.
const FILE: &str = "sent.jsonl";
/// The file that keeps other runs out.
const LOCK: &str = ".lock";
/// Version of the lines.
const FORM: u32 = 1;

/// What an event is known by in notices: half a SHA-256, as hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The key of something that has these parts.
    pub fn of<'p>(parts: impl IntoIterator<Item = &'p str>) -> Key {
        let mut hash = Sha256::new();
        for part in parts {
            // With its length, so that no two lists of parts are one.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Key(hex::encode(&hash.finalize()[..16]))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What became of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is about to be handed over.
    Begun,
    /// It was handed over.
    Sent,
    /// It was not taken: the next run tries again, unless the mailbox is refused for good.
    Refused,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    form: u32,
    /// What became of it.
    pub state: State,
    /// The notice.
    pub id: String,
    /// access-denied, findings or label-changes.
    pub kind: String,
    /// To whom.
    pub to: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// By which way: the file, or the server.
    pub way: String,
    /// What the server answered.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer: String,
    /// Whether the server refuses its mailbox for good: nothing is sent there until somebody wants it tried again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_good: bool,
    /// The events that it tells of; in the first of its lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
}

impl Line {
    /// The first line of a notice.
    pub fn begun(id: &str, kind: &str, to: &str, way: &str, keys: &[Key], at: i64) -> Line {
        Line {
            form: FORM,
            state: State::Begun,
            id: id.into(),
            kind: kind.into(),
            to: to.into(),
            at,
            way: way.into(),
            answer: String::new(),
            for_good: false,
            keys: keys.to_vec(),
        }
    }

    /// The line that ends it.
    pub fn ended(&self, state: State, answer: String) -> Line {
        Line {
            state,
            answer,
            keys: Vec::new(),
            ..self.clone()
        }
    }

    /// The line that ends it where its mailbox is refused for good.
    pub fn refused_for_good(&self, answer: String) -> Line {
        Line {
            for_good: true,
            ..self.ended(State::Refused, answer)
        }
    }
}

/// What was sent, as the file says it.
#[derive(Debug, Default)]
pub struct Sent {
    told: HashSet<Key>,
    begun: HashMap<Key, String>,
    /// The last line of each notice, in the order of their first lines.
    lines: Vec<Line>,
    /// The last refusal of each mailbox that a server refuses for good, by the way and the mailbox.
    gone: HashMap<(String, String), Line>,
}

impl Sent {
    /// Reads the file of an archive, to look at it and nothing else.
    ///
    /// # Errors
    /// When it cannot be read, or a line of it is damaged.
    pub fn read(archive: &Archive) -> Result<Sent> {
        let path = archive.root().join(NOTICES).join(FILE);
        Ok(Sent::of(&path)?.0)
    }

    /// The ledger and how many bytes of the file are whole lines.
    fn of(path: &Path) -> Result<(Sent, u64)> {
        let mut sent = Sent::default();
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok((sent, 0)),
            Err(e) => return Err(Error::io("read", path)(e)),
        };
        // A line without an end was cut off while it was written: what it says had not begun.
        let whole = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
        let mut keys: HashMap<String, Vec<Key>> = HashMap::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (number, line) in text[..whole].split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let damaged = |why: String| {
                Error::Damaged(format!("`{NOTICES}/{FILE}`, line {}: {why}", number + 1))
            };
            let mut line: Line =
                serde_json::from_slice(line).map_err(|e| damaged(e.to_string()))?;
            if line.form > FORM {
                return Err(damaged("a newer version of coldtrail wrote it".into()));
            }
            if line.state == State::Begun {
                keys.insert(line.id.clone(), std::mem::take(&mut line.keys));
            }
            sent.take(&line, keys.get(&line.id).map_or(&[][..], Vec::as_slice));
            let next = sent.lines.len();
            let place = *places.entry(line.id.clone()).or_insert(next);
            match sent.lines.get_mut(place) {
                Some(last) => *last = line,
                None => sent.lines.push(line),
            }
        }
        Ok((sent, whole as u64))
    }

    fn take(&mut self, line: &Line, keys: &[Key]) {
        let mailbox = || (line.way.clone(), line.to.clone());
        match line.state {
            State::Refused if line.for_good => {
                self.gone.insert(mailbox(), line.clone());
            }
            State::Sent => {
                self.gone.remove(&mailbox());
            }
            State::Begun | State::Refused => {}
        }
        match line.state {
            State::Begun => {
                // What is told once more has been told.
                let new = keys.iter().filter(|key| !self.told.contains(*key));
                let begun = new.map(|key| (key.clone(), line.id.clone()));
                self.begun.extend(begun);
            }
            State::Sent => self.tell(keys),
            State::Refused => {
                for key in keys {
                    self.begun.remove(key);
                }
            }
        }
    }

    /// Notes that these events were told.
    pub fn tell(&mut self, keys: &[Key]) {
        for key in keys {
            self.begun.remove(key);
            self.told.insert(key.clone());
        }
    }

    /// Whether somebody was told of the event.
    pub fn is_told(&self, key: &Key) -> bool {
        self.told.contains(key)
    }

    /// The notice of the event that was begun and is not known to have been sent.
    pub fn begun(&self, key: &Key) -> Option<&str> {
        self.begun.get(key).map(String::as_str)
    }

    /// Whether a notice was begun that tells of something of which nobody is known to have been told.
    pub fn is_open(&self, id: &str) -> bool {
        self.begun.values().any(|open| open == id)
    }

    /// The last refusal of a mailbox that is refused for good by this way.
    pub fn gone(&self, way: &str, to: &str) -> Option<&Line> {
        self.gone.get(&(way.to_string(), to.to_string()))
    }

    /// How many mailboxes are refused for good by this way.
    pub fn all_gone(&self, way: &str) -> usize {
        self.gone.keys().filter(|(by, _)| by == way).count()
    }

    /// The last line of each notice, the first begun first.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

/// The name of the file in an archive.
fn name_of_file() -> String {
    format!("{NOTICES}/{FILE}")
}

/// The ledger, open for one run: it keeps others out while it lives.
pub struct Book {
    /// What was sent before this run.
    pub sent: Sent,
    path: PathBuf,
    lines: Lines,
    /// Those on other machines are kept out, too, where the archive lies in object storage.
    _there: Box<dyn std::any::Any + Send>,
    _lock: File,
}

/// Where lines are added.
enum Lines {
    Disk(File),
    /// In object storage, where a file is only written whole: its bytes, and the tag that it has there.
    Storage {
        remote: Arc<Remote>,
        bytes: Vec<u8>,
        tag: Option<String>,
    },
}

impl Book {
    /// Opens the ledger of an archive. Waits while another run sends.
    ///
    /// # Errors
    /// When it cannot be read or written, or a line of it is damaged.
    pub fn open(archive: &Archive, waiting: impl FnOnce()) -> Result<Book> {
        let mut waiting = Some(waiting);
        let mut wait = || waiting.take().map_or((), |waiting| waiting());
        let folder = archive.root().join(NOTICES);
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let open = |path: &Path| {
            let mut options = File::options();
            let options = options.create(true).truncate(false).write(true).read(true);
            options.open(path).map_err(Error::io("open", path))
        };
        let lock_path = folder.join(LOCK);
        let lock = open(&lock_path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                wait();
                lock.lock().map_err(Error::io("lock", &lock_path))?;
            }
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", &lock_path)(e)),
        }
        let path = folder.join(FILE);
        let there = archive.mails(&mut wait)?;
        if let Some(remote) = archive.remote() {
            let tag = remote.renew(&name_of_file())?;
            let ((sent, whole), mut bytes) = match tag {
                Some(_) => {
                    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
                    (Sent::of(&path)?, bytes)
                }
                None => ((Sent::default(), 0), Vec::new()),
            };
            bytes.truncate(usize::try_from(whole).unwrap_or(usize::MAX));
            return Ok(Book {
                sent,
                lines: Lines::Storage {
                    remote: Arc::clone(remote),
                    bytes,
                    tag,
                },
                path,
                _there: Box::new(there),
                _lock: lock,
            });
        }
        let (sent, whole) = Sent::of(&path)?;
        let file = open(&path)?;
        file.set_len(whole).map_err(Error::io("write", &path))?;
        file.sync_all().map_err(Error::io("write", &path))?;
        archive.sync_notices()?;
        drop(file);
        let file = File::options().append(true).open(&path);
        Ok(Book {
            sent,
            lines: Lines::Disk(file.map_err(Error::io("open", &path))?),
            path,
            _there: Box::new(there),
            _lock: lock,
        })
    }

    /// Adds a line. It is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(|e| Error::Damaged(e.to_string()))?;
        text.push(b'\n');
        match &mut self.lines {
            Lines::Disk(file) => {
                let written = file.write_all(&text).and_then(|()| file.sync_data());
                written.map_err(Error::io("write", &self.path))
            }
            Lines::Storage { remote, bytes, tag } => {
                let before = bytes.len();
                bytes.extend(text);
                match remote.replace(&name_of_file(), bytes, tag.as_deref()) {
                    Ok(next) => *tag = Some(next),
                    Err(e) => {
                        bytes.truncate(before);
                        return Err(e);
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, lines: &[Line], rest: &str) {
        let lines = lines
            .iter()
            .map(|line| serde_json::to_string(line).expect("it is JSON"));
        let text: String = lines.map(|line| line + "\n").collect();
        fs::write(path, text + rest).expect("a file");
    }

    fn begun(id: &str, key: &Key) -> Line {
        let keys = std::slice::from_ref(key);
        Line::begun(id, "access-denied", "dave@contoso.com", "outbox", keys, 7)
    }

    #[test]
    fn what_was_begun_and_not_ended_is_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sent.jsonl");
        let (a, b, c) = (Key::of(["a"]), Key::of(["b"]), Key::of(["c"]));
        let (one, two, three) = (begun("1", &a), begun("2", &b), begun("3", &c));
        let lines = [
            one.clone(),
            one.ended(State::Sent, "250 OK".into()),
            two.clone(),
            two.ended(State::Refused, "550 no".into()),
            three,
        ];
        write(&path, &lines, "{\"form\":1,\"state\":\"se");
        let (sent, whole) = Sent::of(&path).expect("whole lines");
        assert!(sent.is_told(&a) && !sent.is_told(&b) && !sent.is_told(&c));
        assert_eq!(sent.begun(&b), None);
        assert_eq!(sent.begun(&c), Some("3"));
        assert!(sent.is_open("3") && !sent.is_open("1") && !sent.is_open("2"));
        let states: Vec<State> = sent.lines().iter().map(|line| line.state).collect();
        assert_eq!(states, [State::Sent, State::Refused, State::Begun]);
        let long = fs::metadata(&path).expect("a file").len();
        assert!(whole < long);
    }

    #[test]
    fn a_mailbox_is_refused_for_good_until_it_takes_a_mail() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sent.jsonl");
        let (one, two) = (begun("1", &Key::of(["a"])), begun("2", &Key::of(["b"])));
        let refused = one.refused_for_good("550 no".into());
        let mut lines = vec![one, refused.clone()];
        write(&path, &lines, "");
        let (sent, _) = Sent::of(&path).expect("whole lines");
        assert_eq!(sent.gone("outbox", "dave@contoso.com"), Some(&refused));
        assert_eq!(sent.gone("elsewhere", "dave@contoso.com"), None);
        assert_eq!(
            (sent.all_gone("outbox"), sent.all_gone("elsewhere")),
            (1, 0)
        );
        lines.extend([two.clone(), two.ended(State::Sent, "250 OK".into())]);
        write(&path, &lines, "");
        let (sent, _) = Sent::of(&path).expect("whole lines");
        assert_eq!(sent.all_gone("outbox"), 0);
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sent.jsonl");
        write(&path, &[begun("1", &Key::of(["a"]))], "what\n");
        let why = Sent::of(&path).expect_err("a line is damaged").to_string();
        assert!(why.contains("line 2"), "{why}");
        assert_eq!(Sent::of(&folder.path().join("none")).expect("no file").1, 0);
    }

    #[test]
    fn lists_of_parts_are_told_apart() {
        assert_ne!(Key::of(["ab", "c"]), Key::of(["a", "bc"]));
        assert_eq!(Key::of(["a"]).as_str().len(), 32);
    }
}
