//! One writer at a time, over object storage: a file that its holder touches again and again. Who sees it untouched for long takes it over.
//!
//! Nothing depends on it but that writers wait: a commit is made sure of by itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::fault::{Error, Result};
use crate::storage::{Place, Put};

/// The file.
const LEASE: &str = "_lease";
/// Time between two touches.
const TOUCH: Duration = Duration::from_secs(15);
/// How long it is untouched before its holder is thought dead.
const DEAD: Duration = Duration::from_secs(90);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    /// The copy of the archive that writes.
    owner: String,
    /// New with each touch.
    touch: String,
}

impl Holder {
    fn bytes(owner: &str) -> Bytes {
        let holder = Holder {
            owner: owner.to_string(),
            touch: uuid::Uuid::new_v4().to_string(),
        };
        serde_json::to_vec(&holder).unwrap_or_default().into()
    }
}

/// Keeps writers on other machines out while it lives.
pub(in crate::archive) struct Lease {
    place: Place,
    owner: String,
    is_lost: Arc<AtomicBool>,
    stop: Option<Sender<()>>,
    toucher: Option<JoinHandle<()>>,
}

impl Lease {
    /// Waits until nobody else writes. One process of this copy at a time may ask: what holds it in this copy's name is a run that was cut off.
    pub(super) fn take(place: &Place, owner: &str, waiting: impl FnOnce()) -> Result<Lease> {
        let mut waiting = Some(waiting);
        let mut seen = (String::new(), Instant::now());
        let tag = loop {
            if let Some(tag) = place.put(LEASE, &Holder::bytes(owner), &Put::Create)? {
                break tag;
            }
            let Some((bytes, tag)) = place.get(LEASE)? else {
                continue;
            };
            if seen.0 != tag {
                seen = (tag.clone(), Instant::now());
            }
            let holder = serde_json::from_slice::<Holder>(&bytes).ok();
            let is_own = holder.is_some_and(|holder| holder.owner == owner);
            if (is_own || seen.1.elapsed() > DEAD)
                && let Some(tag) = place.put(LEASE, &Holder::bytes(owner), &Put::Update(tag))?
            {
                break tag;
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            std::thread::sleep(LOOK);
        };
        Lease {
            place: place.clone(),
            owner: owner.to_string(),
            is_lost: Arc::default(),
            stop: None,
            toucher: None,
        }
        .touched(tag)
    }

    fn touched(mut self, mut tag: String) -> Result<Lease> {
        let (stop, stopped) = mpsc::channel();
        let (place, owner) = (self.place.clone(), self.owner.clone());
        let is_lost = Arc::clone(&self.is_lost);
        let touch = move || {
            while stopped.recv_timeout(TOUCH) == Err(RecvTimeoutError::Timeout) {
                match place.put(LEASE, &Holder::bytes(&owner), &Put::Update(tag.clone())) {
                    Ok(Some(next)) => tag = next,
                    Ok(None) => return is_lost.store(true, Ordering::Relaxed),
                    // The store may answer again before others think that this one is dead.
                    Err(_) => {}
                }
            }
        };
        let thread = std::thread::Builder::new().name("lease".into());
        let started = thread.spawn(touch);
        self.toucher =
            Some(started.map_err(Error::io("start a thread for", PathBuf::from(LEASE)))?);
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
        // One that stays is taken over by the next run.
        if let Ok(Some((bytes, _))) = self.place.get(LEASE)
            && serde_json::from_slice::<Holder>(&bytes).is_ok_and(|h| h.owner == self.owner)
        {
            let _ = self.place.delete(&[LEASE.to_string()]);
        }
    }
}
