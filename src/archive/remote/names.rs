//! Names of what lies in an archive, and what becomes of them in its copy.

use std::path::Path;

use crate::archive::disk::{NIGHTLY, NOTICES, PLAN, STAGED, STAGING, WATCHLISTS};
use crate::catalog::catalog;

/// What becomes of a name in the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is copied.
    Small,
    /// It is brought when it is asked for.
    Part,
    /// It is of the copy alone, or nobody's of ours.
    Own,
}

/// What becomes of a name.
pub(super) fn kind(name: &str) -> Kind {
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() < 2 || parts.iter().any(|part| part.starts_with('.')) {
        return Kind::Own;
    }
    let is_table = |name: &str| catalog().stored_table(name).is_some_and(|t| t.name == name);
    match parts.as_slice() {
        [table, "_delta_log", ..] if is_table(table) => Kind::Small,
        [table, ..] if is_table(table) => Kind::Part,
        // The plan. What is staged here waits for its commit.
        [STAGING, PLAN] => Kind::Small,
        [STAGING, _, table, own] if own.ends_with(STAGED) && is_table(table) => Kind::Part,
        // Who has the turn, on this machine.
        [NIGHTLY, "holder.txt"] => Kind::Own,
        [WATCHLISTS | NOTICES | NIGHTLY, own] if !own.ends_with("lock") => Kind::Small,
        _ => Kind::Own,
    }
}

/// Where a file of a table waits in the store, below the name of a run.
pub(in crate::archive) fn staged(run: &str, name: &str) -> String {
    let table = name.split('/').next().unwrap_or_default();
    let own = name.rsplit('/').next().unwrap_or_default();
    match run {
        // An archive that was copied from a disk.
        "" => format!("{STAGING}/{table}/{own}{STAGED}"),
        run => format!("{STAGING}/{run}/{table}/{own}{STAGED}"),
    }
}

/// The name of a file in the copy.
pub(super) fn name_below(root: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(root).ok()?;
    let parts = below.components().map(|c| c.as_os_str().to_string_lossy());
    Some(parts.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_copied_and_rows_are_brought() {
        for (name, wanted) in [
            ("Ingests/_delta_log/00000000000000000000.json", Kind::Small),
            (
                "UnifiedAuditLog/date=2026-05-01/ct-000001-0.parquet",
                Kind::Part,
            ),
            ("_staging/commit.json", Kind::Small),
            (
                "_staging/0a1b/UnifiedAuditLog/ct-000001-0.parquet.part",
                Kind::Part,
            ),
            ("_staging/0a1b/watchlists/SuperUsers.csv.part", Kind::Own),
            (
                "_staging/UnifiedAuditLog/ct-000001-0.parquet.part",
                Kind::Own,
            ),
            ("watchlists/SuperUsers.csv", Kind::Small),
            ("_notices/sent.jsonl", Kind::Small),
            ("_notices/.lock", Kind::Own),
            ("_nightly/hunt.json", Kind::Small),
            ("_nightly/.lease", Kind::Own),
            ("_nightly/holder.txt", Kind::Own),
            ("_keys/UnifiedAuditLog/1-2.keys", Kind::Own),
            (".lease", Kind::Own),
            ("notes/x.txt", Kind::Own),
        ] {
            assert_eq!(kind(name), wanted, "{name}");
        }
        let waits = staged("0a1b", "UnifiedAuditLog/date=2026-05-01/ct-1.parquet");
        assert_eq!(waits, "_staging/0a1b/UnifiedAuditLog/ct-1.parquet.part");
    }
}
