//! What is said of rules and of the time that was asked for, of a sweep as of a replay.

use super::ui::time_text;
use super::when::Window;
use crate::archive::ledger::Ledger;
use crate::rules::Rule;

/// Whether an id is a GUID, which tells people nothing.
pub(super) fn is_guid(id: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let is_hex = |group: &str| group.bytes().all(|b| b.is_ascii_hexdigit());
    let lengths: Vec<usize> = id
        .split('-')
        .filter(|group| is_hex(group))
        .map(str::len)
        .collect();
    lengths == GROUPS
}

/// A rule in messages.
pub(super) fn named(rule: &Rule) -> String {
    format!("rule {}", pointed(rule))
}

/// The id of a rule in messages, and its file where that alone says which one it is.
pub(super) fn pointed(rule: &Rule) -> String {
    match is_guid(&rule.id) {
        true => format!("`{}` of `{}`", rule.id, rule.place.file),
        false => format!("`{}`", rule.id),
    }
}

/// Why nothing can be found in this window, where no event of the archive lies in it.
pub(super) fn outside(ledger: &Ledger, window: &Window) -> Option<String> {
    let times = || ledger.exports().filter_map(|entry| entry.times);
    let first = times().map(|(first, _)| first).min()?;
    let last = times().map(|(_, last)| last).max()?;
    let outside =
        window.from().is_some_and(|from| last < from) || window.to().is_some_and(|to| first >= to);
    outside.then(|| {
        let (first, last) = (time_text(first), time_text(last));
        format!(
            "the events of this archive lie between {first} and {last}, outside the time asked for"
        )
    })
}
