//! How queries read tables and views, and the operations that these have.

use std::collections::HashSet;

/// Column with the number of a row of operations.
pub(super) const NUMBER: &str = "_Number";

/// How a query reads a table or view. One that it reads several times is there several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub view: String,
    /// The name that the conditions have for it.
    pub alias: String,
    /// What must stand before them.
    pub before: String,
    /// All must hold.
    pub conditions: Vec<Condition>,
}

/// A condition on rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// As it is written.
    pub text: String,
    /// The columns that it names.
    pub columns: HashSet<String>,
}

impl Read {
    /// A read of everything.
    pub(super) fn whole(view: &str) -> Read {
        Read {
            view: view.into(),
            alias: view.into(),
            before: String::new(),
            conditions: Vec::new(),
        }
    }

    /// The conditions that are about operations alone.
    pub(super) fn on(&self, operations: &Operations) -> Vec<&str> {
        let is_known = |name: &String| operations.columns.iter().any(|(known, _)| known == name);
        let conditions = self.conditions.iter();
        let about = conditions.filter(|c| !c.columns.is_empty() && c.columns.iter().all(is_known));
        about.map(|condition| condition.text.as_str()).collect()
    }
}

/// The operations of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operations {
    /// Names, and whether the column is text.
    pub columns: Vec<(String, bool)>,
    /// The first column is the operation. Nothing stands for null.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A name as SQL quotes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
