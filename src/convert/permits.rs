//! How much may be in flight between the thread that reads and the one that merges.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Bytes that may be in flight; can be opened for good.
pub(super) struct Permits {
    limit: usize,
    /// Nothing once they are open.
    taken: Mutex<Option<usize>>,
    changed: Condvar,
}

/// Bytes in flight. Whatever becomes of them, they are given back when it is dropped.
pub(super) struct Permit {
    permits: Arc<Permits>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(taken) = self.permits.taken().as_mut() {
            *taken -= self.bytes;
        }
        self.permits.changed.notify_one();
    }
}

impl Permits {
    pub(super) fn new(limit: usize) -> Self {
        Permits {
            limit,
            taken: Mutex::new(Some(0)),
            changed: Condvar::new(),
        }
    }

    fn taken(&self) -> MutexGuard<'_, Option<usize>> {
        self.taken.lock().expect("nobody panics with a permit")
    }

    /// Waits until so many bytes more may be in flight. What is more than the limit goes alone.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Permit {
        let mut taken = self.taken();
        while taken.is_some_and(|t| t > 0 && t + bytes > self.limit) {
            taken = self
                .changed
                .wait(taken)
                .expect("nobody panics with a permit");
        }
        let bytes = match taken.as_mut() {
            Some(t) => {
                *t += bytes;
                bytes
            }
            None => 0,
        };
        drop(taken);
        Permit {
            permits: Arc::clone(self),
            bytes,
        }
    }

    /// Lets everything through from now on.
    pub(super) fn open(&self) {
        *self.taken() = None;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_that_is_lost_is_given_back() {
        let permits = Arc::new(Permits::new(10));
        let lost = permits.take(8);
        let job = std::thread::spawn(move || {
            let lost = lost;
            assert_eq!(lost.bytes, 0, "a job that fails");
        });
        assert!(job.join().is_err());
        // Would wait for ever.
        drop(permits.take(8));
        // What is more than the limit goes alone.
        drop(permits.take(80));
        let open = permits.take(8);
        permits.open();
        drop((open, permits.take(80), permits.take(80)));
    }
}
