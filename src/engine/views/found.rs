//! What a session knows of tables that the catalog does not have.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;

/// What a session knows of such tables.
#[derive(Debug, Default)]
pub(in crate::engine) struct Customs {
    pub(super) names: OnceCell<BTreeSet<String>>,
    /// Those of whose rows audit records were made.
    pub(super) made_again: OnceCell<BTreeSet<String>>,
    /// Columns that hold JSON, by table.
    pub(super) dynamic: Mutex<HashMap<String, HashSet<String>>>,
}

impl Customs {
    /// The names, as far as they were asked for.
    pub(in crate::engine) fn names(&self) -> impl Iterator<Item = &String> {
        let all = [self.names.get(), self.made_again.get()];
        all.into_iter().flatten().flatten()
    }

    /// Whether a name is known only because somebody asked for the tables of whose rows audit records were made.
    pub(in crate::engine) fn is_only_made_again(&self, name: &str) -> bool {
        let has = |names: &OnceCell<BTreeSet<String>>| {
            names.get().is_some_and(|names| names.contains(name))
        };
        has(&self.made_again) && !has(&self.names)
    }

    /// Whether a column of such a table holds JSON.
    pub(in crate::engine) fn is_dynamic(&self, table: &str, column: &str) -> bool {
        // A reader that panicked has changed nothing.
        let dynamic = self.dynamic.lock().unwrap_or_else(PoisonError::into_inner);
        dynamic.get(table).is_some_and(|own| own.contains(column))
    }
}
