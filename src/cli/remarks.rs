//! What is said of rules, of the time that was asked for, and of an archive that answers slowly, of a sweep as of a replay.

use super::ui::{Ui, count, counted, time_text};
use super::when::Window;
use crate::archive::ledger::Ledger;
use crate::archive::{Archive, Pinned, compact};
use crate::catalog::catalog;
use crate::engine::output::visible;
use crate::engine::views::LABEL_EVENTS;
use crate::fault::Result;
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

/// What is said of columns that entity mappings of a rule name and its result has not; nothing where there are none.
pub(super) fn unmapped(rule: &Rule, columns: &[String]) -> Option<String> {
    let columns: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
    (!columns.is_empty()).then(|| {
        format!(
            "{}: its result has no column {}, which an entity mapping names",
            named(rule),
            columns.join(", ")
        )
    })
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

/// An archive of fewer files is not worth a word.
const MANY_FILES: usize = 200;
/// So many times fewer files are worth one.
const FEWER: usize = 4;

/// What is said of an archive whose days lie in many small files: each of them is opened for every question.
fn scattered(tables: &Pinned, archive: &Archive) -> Option<String> {
    let files = catalog().stored().map(|table| tables.files(table));
    // What cannot be read is told by who asks it.
    let files: Vec<_> = files.collect::<Result<_>>().ok()?;
    let (before, after) = compact::files_of(files.iter().map(|files| &files[..]));
    (before >= MANY_FILES && before >= FEWER * after).then(|| {
        format!(
            "the archive has {} where {} would do, and each is opened for every question; `coldtrail archive compact -a {}` merges them",
            counted(before as u64, "file"),
            count(after as u64),
            archive.address().display()
        )
    })
}

/// What is said of an archive whose label events are not stored, or were derived by another version: every question after them takes longer.
fn underived(tables: &Pinned, archive: &Archive) -> Option<String> {
    // What cannot be read is told by who asks it.
    matches!(tables.is_derived(), Ok(false)).then(|| {
        format!(
            "{LABEL_EVENTS} is worked out of its events each time that it is asked; `coldtrail archive rebuild -a {}` stores it",
            archive.address().display()
        )
    })
}

/// Why questions of this archive take longer than they must.
pub(super) fn slow(archive: &Archive) -> Vec<String> {
    let Ok(tables) = archive.pinned() else {
        return Vec::new();
    };
    let told = [underived(&tables, archive), scattered(&tables, archive)];
    told.into_iter().flatten().collect()
}

/// Says it, before the work begins.
pub(super) fn tell_slow(archive: &Archive, ui: &Ui) {
    remark_all(&slow(archive), ui);
}

/// Says why questions take longer than they must.
pub(super) fn remark_all(slow: &[String], ui: &Ui) {
    for told in slow {
        ui.remark(&visible(told));
    }
}
