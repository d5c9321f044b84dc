//! Words of the reasons why a file was taken for something, and what is read out of such a reason later.

use crate::catalog::catalog;

/// How reasons begin that the user's word gives.
pub(super) const SAID: &str = "--as ";
/// In a reason: tables that have as many of the columns follow.
pub(super) const ALIKE: &str = ", and as many of ";
/// In a reason: the table before it is not stored.
pub(super) const NOT_STORED: &str = ", which is not stored";
/// How reasons begin of rows that name a table which is not stored.
pub(super) const ROWS_OF: &str = "rows of the table ";
/// How reasons begin that names of columns give.
const HOW: [&str; 3] = [COLUMNS, KEYS, ANSWER];
/// Of the columns of a file.
pub(super) const COLUMNS: &str = "most columns are those of";
/// Of the keys of objects.
pub(super) const KEYS: &str = "most keys are columns of";
/// Of the columns of a query answer.
pub(super) const ANSWER: &str = "query answer with columns of";

/// Whether a reason is that names of columns are those of a table.
pub(super) fn is_by_columns(why: &str) -> bool {
    HOW.iter().any(|how| inner(why).starts_with(how))
}

/// A reason without the key of the answer in which the records stand.
pub(super) fn inner(why: &str) -> &str {
    let rest = why
        .strip_prefix('`')
        .and_then(|rest| rest.split_once("` with "));
    rest.map_or(why, |(_, rest)| rest)
}

/// The name of the table that is not stored, of which rows are by a reason that was given for it.
pub(super) fn called(why: &str) -> Option<String> {
    let why = inner(why);
    let rest = HOW.iter().find_map(|how| why.strip_prefix(how))?;
    let (name, _) = rest.trim_start().split_once(NOT_STORED)?;
    catalog().foreign(name).map(|t| t.name.to_string())
}

/// Whether a reason is that rows name this table, which is not stored.
pub(super) fn says(why: &str, table: &str) -> bool {
    let rest = inner(why).strip_prefix(ROWS_OF);
    rest.and_then(|rest| rest.strip_suffix(NOT_STORED)) == Some(table)
}
