//! One writer at a time, over object storage: a file that its holder touches again and again. Who sees it untouched for long takes it over.
//!
//! Nothing depends on it but that writers wait: a commit is made sure of by itself.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::fault::{Error, Result};
use crate::storage::{Place, Put};

/// Time between two touches.
const TOUCH: Duration = Duration::from_secs(15);
/// How long it is untouched before its holder is thought dead. What a store throttles is tried again for three minutes.
const DEAD: Duration = Duration::from_secs(240);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(700);

/// What is done where somebody else holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It waits until that one has let go.
    Waits,
    /// It waits until it is sure that that one lives, and goes.
    UntilAlive,
}

#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    /// The copy of the archive that writes; empty where nobody does.
    owner: String,
    /// The run.
    run: String,
    /// New with each touch.
    touch: String,
}

impl Holder {
    fn bytes(owner: &str, run: &str) -> Bytes {
        let holder = Holder {
            owner: owner.to_string(),
            run: run.to_string(),
            touch: uuid::Uuid::new_v4().to_string(),
        };
        serde_json::to_vec(&holder).unwrap_or_default().into()
    }

    fn of(bytes: &[u8]) -> Option<Holder> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Keeps writers on other machines out while it lives.
#[derive(Debug)]
pub(in crate::archive) struct Lease {
    place: Place,
    name: &'static str,
    /// The tag of the last touch; nothing where another has taken it over.
    held: Arc<Mutex<String>>,
    is_lost: Arc<AtomicBool>,
    stop: Option<Sender<()>>,
    toucher: Option<JoinHandle<()>>,
}

impl Lease {
    /// Waits until nobody else writes; nothing where the patience ends. One process of this copy at a time may ask: what holds it in this copy's name is a
    /// run that was cut off.
    pub(super) fn take(
        place: &Place,
        name: &'static str,
        owner: &str,
        patience: Patience,
        waiting: impl FnOnce(),
    ) -> Result<Option<Lease>> {
        let run = uuid::Uuid::new_v4().to_string();
        let mut waiting = Some(waiting);
        let mut seen = (String::new(), Instant::now());
        let tag = loop {
            let put = match place.get(name)? {
                None => Some(Put::Create),
                Some((bytes, tag)) => {
                    let holder = Holder::of(&bytes);
                    let is_free = holder.is_none_or(|h| h.owner.is_empty() || h.owner == owner);
                    if seen.0 != tag {
                        let is_alive = !is_free && !seen.0.is_empty();
                        if is_alive && patience == Patience::UntilAlive {
                            return Ok(None);
                        }
                        seen = (tag.clone(), Instant::now());
                    }
                    (is_free || seen.1.elapsed() > DEAD).then_some(Put::Update(tag))
                }
            };
            if let Some(put) = put
                && let Some(tag) = place.put(name, &Holder::bytes(owner, &run), &put)?
            {
                break tag;
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            std::thread::sleep(LOOK);
        };
        let touch = |put: Put| place.put(name, &Holder::bytes(owner, &run), &put);
        let next = touch(Put::Update(tag.clone()))?;
        let next = next.ok_or_else(|| Error::Overtaken(place.address().to_path_buf()))?;
        // Neither of these may be taken: the file is there, and its tag is another by now.
        if touch(Put::Create)?.is_some() || touch(Put::Update(tag))?.is_some() {
            return Err(Error::Unusable {
                path: place.address().to_path_buf(),
                reason: "this store does not keep the conditions of writes (`If-None-Match`, `If-Match`): two writers would overwrite each other".into(),
            });
        }
        let tag = next;
        let lease = Lease {
            place: place.clone(),
            name,
            held: Arc::new(Mutex::new(tag)),
            is_lost: Arc::default(),
            stop: None,
            toucher: None,
        };
        lease.touched(owner.to_string(), run).map(Some)
    }

    fn touched(mut self, owner: String, run: String) -> Result<Lease> {
        let (stop, stopped) = mpsc::channel();
        let (place, name) = (self.place.clone(), self.name);
        let (held, is_lost) = (Arc::clone(&self.held), Arc::clone(&self.is_lost));
        let touch = move || {
            while stopped.recv_timeout(TOUCH) == Err(RecvTimeoutError::Timeout) {
                let tag = held.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let next = match place.put(name, &Holder::bytes(&owner, &run), &Put::Update(tag)) {
                    Ok(Some(next)) => next,
                    // A touch whose answer was lost was carried out all the same.
                    Ok(None) => match place.get(name) {
                        Ok(Some((bytes, tag)))
                            if Holder::of(&bytes).is_some_and(|h| h.run == run) =>
                        {
                            tag
                        }
                        Ok(_) => return is_lost.store(true, Ordering::Relaxed),
                        Err(_) => continue,
                    },
                    // The store may answer again before others think that this one is dead.
                    Err(_) => continue,
                };
                *held.lock().unwrap_or_else(PoisonError::into_inner) = next;
            }
        };
        let thread = std::thread::Builder::new().name("lease".into());
        let started = thread.spawn(touch);
        let started = started.map_err(Error::io("start a thread for", PathBuf::from(name)));
        self.toucher = Some(started?);
        self.stop = Some(stop);
        Ok(self)
    }

    /// Whether another writer has taken it over.
    pub(in crate::archive) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(toucher) = self.toucher.take() {
            // A panic there has been told.
            let _ = toucher.join();
        }
        if !self.is_lost() {
            let tag = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            // One that is not let go is taken over by the next run.
            let _ = self
                .place
                .put(self.name, &Holder::bytes("", ""), &Put::Update(tag.clone()));
        }
    }
}
