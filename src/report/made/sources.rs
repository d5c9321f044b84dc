//! What a report is made of.

use crate::archive::Archive;
use crate::archive::ledger::Ledger;
use crate::case::figures::Span;
use crate::engine::Session;
use crate::hunt::{Hunt, Window};
use crate::report::heading::Heading;

/// What a report is made of.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The archive, open for all times.
    pub session: &'a Session,
    /// The archive.
    pub archive: &'a Archive,
    /// What was ingested.
    pub ledger: &'a Ledger,
    /// The findings of the time that is asked for, with their times in the zone of the heading.
    pub hunt: &'a Hunt,
    /// How many findings there were in the period before, where that was hunted in.
    pub before: Option<u64>,
    /// Only these users; all where none is named.
    pub users: &'a [String],
    /// Domains that count as inside; found out where none is named.
    pub inside: &'a [String],
}

/// The two periods that a report compares; nothing where there is no time to compare.
pub fn periods(ledger: &Ledger, heading: &Heading) -> Option<Span> {
    Span::of(window(heading), times(ledger), heading.now)
}

/// The time that is asked for.
pub(super) fn window(heading: &Heading) -> Window {
    Window {
        from: heading.from,
        to: heading.to,
    }
}

/// First and last event of an archive.
pub(super) fn times(ledger: &Ledger) -> Option<(i64, i64)> {
    let times = ledger.exports().filter_map(|entry| entry.times);
    times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}
