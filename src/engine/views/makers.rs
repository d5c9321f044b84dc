//! Who makes a view: of two threads that plan a query over it, one would find its name taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// A lock for each view, by its name: who plans a query over one does not wait for who makes another.
#[derive(Debug, Default)]
pub(in crate::engine) struct Makers(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Makers {
    /// Held by who makes a view. Who holds it waits for no other but those of the views that this one reads, which do not read it.
    pub(super) async fn alone(&self, name: &str) -> OwnedMutexGuard<()> {
        let lock = {
            // Who panicked has at most left a lock.
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(name.to_string()).or_default())
        };
        lock.lock_owned().await
    }
}
