//! Sensitivity labels.

/// A sensitivity label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its id, in lower case; empty where a record has only a name.
    pub id: String,
    /// Its name, from the watchlist `Labels`, else from the record, else that of a default label, with `(assumed)`.
    pub name: Option<String>,
    /// Its rank in the watchlist `Labels`: the higher, the more sensitive.
    pub rank: Option<i32>,
}

impl Label {
    /// What it is called: its name, else its id.
    pub fn called(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}
