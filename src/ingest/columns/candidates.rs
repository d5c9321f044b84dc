//! Values of a row that may be its time: under a name that the user gave, or under names of tables that nobody described.
//!
//! Knows nothing of a table's own columns of times.

use chrono_tz::Tz;

use super::super::audit;
use super::super::rows::Slot;
use super::super::time::names::{self, Beside};
use super::super::time::{self, DateOrder, Local};
use super::target::Timed;

/// Values of one row that may be its time. Hostile input may have any number of names.
const MOST: usize = 64;

/// Rank of halves of times that a table has in columns of its own: by itself no such value is a time.
const HALF: u8 = u8::MAX;

/// The clock that a time is by, where it does not name another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// That of UTC.
    Utc,
    /// One so many minutes east of it.
    East(i64),
    /// That of the user's zone.
    Zone(Tz),
}

/// A value that may be the time.
struct Candidate<'a> {
    /// 0 is what the user named.
    rank: u8,
    name: String,
    /// The value counts in the fingerprint under its own name.
    is_extra: bool,
    by: By,
    value: Slot<'a>,
}

impl Candidate<'_> {
    fn at(&self, order: Option<DateOrder>) -> Option<i64> {
        instant(self.value.text(), self.by, order)
    }

    /// The date to which a clock elsewhere may belong: one that stands alone, or with the midnight that programs add.
    fn day(&self) -> Option<&str> {
        let text = self.value.text().trim();
        if time::is_date_alone(text) {
            return Some(text);
        }
        let (day, clock) = text.split_once(['T', ' '])?;
        let clock = clock.trim_end_matches('Z');
        let zeros = clock.contains(':') && clock.bytes().all(|b| matches!(b, b'0' | b':' | b'.'));
        (zeros || clock.eq_ignore_ascii_case("12:00:00 AM")).then_some(day)
    }

    fn is_clock(&self) -> bool {
        time::is_clock(self.value.text())
    }
}

/// The moment that a text says; nothing also for what systems write for never.
fn instant(text: &str, by: By, order: Option<DateOrder>) -> Option<i64> {
    let at = match by {
        By::Utc => time::parse(text, order),
        By::East(minutes) => time::east(text, order, minutes),
        By::Zone(zone) => match time::in_zone(text, order, zone)? {
            Local::At(at) | Local::Twice(at) => Some(at),
            Local::Never => None,
        },
    };
    at.filter(|at| time::is_moment(*at))
}

/// Whether a value is a date or a clock, which make a time together only.
pub(super) fn is_half(value: &Slot<'_>) -> bool {
    time::is_date_alone(value.text()) || time::is_clock(value.text())
}

/// The time of a row.
pub(super) struct Chosen<'a> {
    pub time: Slot<'a>,
    /// It counts in the fingerprint under its own name.
    pub is_extra: bool,
    /// The name that it stood under.
    pub name: String,
    /// The name of the clock beside a date, empty where there was none.
    pub clock: String,
    /// It is a date without a clock, and a clock of another name stands in the row.
    pub lacks_clock: bool,
}

/// All such values of a row.
#[derive(Default)]
pub(super) struct Candidates<'a> {
    all: Vec<Candidate<'a>>,
    /// A clock stands under a name that says nothing of times.
    stray: bool,
}

impl<'a> Candidates<'a> {
    /// Notes a value under such a name, by this clock.
    pub(super) fn add(&mut self, timed: &Timed, value: &Slot<'a>, by: By) {
        self.push(
            timed.rank,
            timed.name.as_str(),
            timed.inner.is_extra(),
            value,
            by,
        );
    }

    /// Notes a value that the user named and that is kept elsewhere.
    pub(super) fn add_asked(&mut self, name: &str, value: &Slot<'a>) {
        let by = names::offset(name).map_or(By::Utc, |(_, minutes)| By::East(minutes));
        self.push(0, name, true, value, by);
    }

    /// Notes half of a time that the table has in a column of its own.
    pub(super) fn add_half(&mut self, name: &str, value: &Slot<'a>) {
        self.push(HALF, name, false, value, By::Utc);
    }

    /// Notes a value under a name that says nothing of times.
    pub(super) fn see(&mut self, value: &Slot<'_>) {
        let text = value.text();
        // Few values are so short, and only these are looked at more closely.
        let may_be = matches!(text.len(), 4..=24)
            && text.as_bytes()[0].is_ascii_digit()
            && text.contains(':');
        self.stray |= may_be && time::is_clock(text);
    }

    fn push(&mut self, rank: u8, name: &str, is_extra: bool, value: &Slot<'a>, by: By) {
        let most = match rank {
            // Others cannot push it out.
            0 => 2 * MOST,
            _ => MOST,
        };
        if self.all.len() < most && !value.text().trim().is_empty() {
            self.all.push(Candidate {
                rank,
                name: name.to_string(),
                is_extra,
                by,
                value: value.clone(),
            });
        }
    }

    /// Forgets the values under a name.
    pub(super) fn forget(&mut self, name: &str) {
        self.all.retain(|candidate| candidate.name != name);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.stray = false;
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The time under the name that the user gave.
    pub(super) fn asked(&self, order: Option<DateOrder>) -> Option<Chosen<'a>> {
        let mut asked = self.all.iter().filter(|candidate| candidate.rank == 0);
        match asked.clone().find(|c| c.at(order).is_some()) {
            Some(found) => Some(self.with_clock(found, order)),
            // It may be the clock that was named.
            None => asked.find_map(|clock| self.with_date(clock, order)),
        }
    }

    /// The time under the closest of the names, where one is a time.
    pub(super) fn closest(&self, order: Option<DateOrder>) -> Option<Chosen<'a>> {
        let is_time = |candidate: &&Candidate<'a>| candidate.at(order).is_some();
        let times: Vec<&Candidate<'a>> = self.all.iter().filter(is_time).collect();
        let beside = Beside::of(times.iter().map(|candidate| candidate.rank));
        let best = times
            .into_iter()
            .min_by_key(|candidate| beside.place(candidate.rank))?;
        Some(self.with_clock(best, order))
    }

    /// A time, with its clock where it is a date and that stands beside it.
    fn with_clock(&self, found: &Candidate<'a>, order: Option<DateOrder>) -> Chosen<'a> {
        let has_day = found.day().is_some();
        let mut clocks = self.all.iter().filter(|other| {
            has_day
                && other.name != found.name
                && other.is_clock()
                && (names::is_clock_of(&found.name, &other.name)
                    || (found.rank == 0 && names::is_plain_clock(&other.name)))
        });
        if let Some(paired) = clocks.find_map(|clock| both(found, clock, found, order)) {
            return paired;
        }
        let time = match (found.by, found.at(order)) {
            (By::Utc, _) | (_, None) => found.value.clone(),
            (_, Some(at)) => audit::micros(at),
        };
        Chosen {
            time,
            is_extra: found.is_extra,
            name: found.name.clone(),
            clock: String::new(),
            lacks_clock: time::is_date_alone(found.value.text())
                && (self.stray || self.all.iter().any(Candidate::is_clock)),
        }
    }

    /// The time of a clock, where its date stands beside it.
    fn with_date(&self, clock: &Candidate<'a>, order: Option<DateOrder>) -> Option<Chosen<'a>> {
        let mut dates = self.all.iter().filter(|other| {
            clock.is_clock()
                && other.name != clock.name
                && other.day().is_some()
                && names::is_clock_of(&other.name, &clock.name)
        });
        dates.find_map(|date| both(date, clock, clock, order))
    }
}

/// A date and a clock as one time, where they are one: as `whole` counts in the fingerprint.
fn both<'a>(
    date: &Candidate<'a>,
    clock: &Candidate<'a>,
    whole: &Candidate<'a>,
    order: Option<DateOrder>,
) -> Option<Chosen<'a>> {
    let text = format!("{} {}", date.day()?, clock.value.text().trim());
    let at = instant(&text, date.by, order).filter(|_| date.by == clock.by)?;
    Some(Chosen {
        time: match date.by {
            By::Utc => Slot::Text(text.into()),
            _ => audit::micros(at),
        },
        is_extra: whole.is_extra,
        name: date.name.clone(),
        clock: clock.name.clone(),
        lacks_clock: false,
    })
}
