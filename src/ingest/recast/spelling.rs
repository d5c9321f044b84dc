//! What a spelling is.

/// A spelling of the rows of a table.
#[derive(Debug)]
pub struct Recast {
    /// What such a record is.
    pub name: &'static str,
    /// The table.
    pub table: &'static str,
    /// Keys that are all there, by their letters and digits in lower case.
    pub(super) keys: &'static [&'static str],
    /// Keys of which none is there.
    pub(super) without: &'static [&'static str],
    /// What the key `type` says, in lower case; empty: anything.
    pub(super) says: &'static str,
    /// Columns, each with where its value stands: a path of keys, after a mark where the value is not taken as it is. Of several for one
    /// column the first that leads to a value counts.
    ///
    /// `=x`: always `x` · `^path`: with a capital letter · `#path`: milliseconds since 1970 · `list[].path`: of each element ·
    /// `{key:path`: in an object under this key
    pub(super) columns: &'static [(&'static str, &'static str)],
}

/// The table of audit records.
pub const AUDIT: &str = "UnifiedAuditLog";
