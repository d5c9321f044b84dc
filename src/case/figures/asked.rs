//! What figures are asked for.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::hunt::Window;

/// What figures are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The time.
    pub window: Window,
    /// The two periods that are compared.
    pub periods: Option<Span>,
    /// Only these users, in lower case; all where none is named.
    pub users: &'a [String],
    /// Domains that count as inside, in lower case; found out where none is named.
    pub inside: &'a [String],
    /// The zone whose days count.
    pub zone: Option<Tz>,
    /// This moment, in microseconds: what is later has a wrong time, and nothing is drawn up to it.
    pub now: i64,
    /// Times that the buckets have to cover beside those of label events.
    pub times: Option<(i64, i64)>,
    /// Users of findings, in lower case, with how many they have: High, Medium, Low, Informational.
    pub found: &'a BTreeMap<String, [u64; 4]>,
}

/// Two periods of one length, the one ends where the other begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Beginning of the period before.
    pub before: i64,
    /// Its end, and the beginning of the later one.
    pub from: i64,
    /// End of the later one.
    pub to: i64,
}

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;
/// Microseconds of a day.
const DAY: i64 = 24 * HOUR;

impl Span {
    /// The periods to compare: the one that is asked for and as long a time before it; without a beginning the last 30, 7 or 1 days of the events, so that
    /// two of them lie in these. Nothing where there is no such time.
    pub fn of(window: Window, events: Option<(i64, i64)>, now: i64) -> Option<Span> {
        let (first, last) = events?;
        let last = match last > now && first <= now {
            true => now,
            false => last,
        };
        let end = last.saturating_add(1);
        let to = window.to.unwrap_or(match window.from {
            Some(_) => now.max(end),
            None => end,
        });
        let from = match window.from {
            Some(from) => from,
            None => {
                let to = to.min(end);
                let long = to.saturating_sub(first);
                let length = [30, 7, 1]
                    .map(|days| days * DAY)
                    .into_iter()
                    .find(|length| 2 * length <= long)?;
                return Some(Span {
                    before: to - 2 * length,
                    from: to - length,
                    to,
                });
            }
        };
        let length = to.checked_sub(from).filter(|length| *length > 0)?;
        Some(Span {
            before: from.checked_sub(length)?,
            from,
            to,
        })
    }

    /// Which of the two a time lies in: the later one (`true`) or the one before.
    pub fn is_now(&self, at: i64) -> Option<bool> {
        match at {
            at if at >= self.to || at < self.before => None,
            at => Some(at >= self.from),
        }
    }

    /// How long each is, in words.
    pub fn length(&self) -> String {
        let long = self.to.saturating_sub(self.from);
        let (n, unit) = match long {
            long if long % DAY == 0 => (long / DAY, "day"),
            long if long % HOUR == 0 => (long / HOUR, "hour"),
            long if long > 2 * DAY => (long / DAY, "day"),
            long if long > 2 * HOUR => (long / HOUR, "hour"),
            long => (long / 60_000_000, "minute"),
        };
        match n {
            1 => format!("1 {unit}"),
            n => format!("{n} {unit}s"),
        }
    }
}

impl Asked<'_> {
    /// The times that are to be looked at: those asked for, and the period before them.
    pub(super) fn reach(&self) -> Window {
        let before = self.periods.map(|span| span.before);
        Window {
            from: self
                .window
                .from
                .map(|from| before.map_or(from, |b| b.min(from))),
            to: self.window.to,
        }
    }

    /// Whether a time is asked for.
    pub(super) fn is_asked(&self, at: i64) -> bool {
        let Window { from, to } = self.window;
        from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to)
    }

    /// Whether a user is asked for.
    pub(super) fn is_of(&self, user: &str) -> bool {
        self.users.is_empty() || self.users.iter().any(|asked| asked == user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: Option<i64>, to: Option<i64>) -> Window {
        Window { from, to }
    }

    #[test]
    fn the_period_before_is_as_long_as_the_one_that_is_asked_for() {
        let events = Some((0, 100 * DAY));
        let span = Span::of(window(Some(90 * DAY), Some(97 * DAY)), events, 200 * DAY);
        let span = span.expect("two periods");
        assert_eq!((span.before, span.from), (83 * DAY, 90 * DAY));
        assert_eq!(span.length(), "7 days");
        assert_eq!(
            [83 * DAY - 1, 83 * DAY, 90 * DAY, 97 * DAY].map(|at| span.is_now(at)),
            [None, Some(false), Some(true), None]
        );
        // The last 24 hours, before a moment.
        let span = Span::of(window(Some(199 * DAY), None), events, 200 * DAY);
        assert_eq!(
            span.map(|s| (s.to, s.length())),
            Some((200 * DAY, "1 day".into()))
        );
    }

    #[test]
    fn without_a_beginning_the_last_of_the_events_are_compared() {
        let of = |days: i64| Span::of(window(None, None), Some((0, days * DAY)), 1000 * DAY);
        assert_eq!(of(100).map(|s| s.length()).as_deref(), Some("30 days"));
        assert_eq!(of(59).map(|s| s.length()).as_deref(), Some("7 days"));
        assert_eq!(of(2).map(|s| s.length()).as_deref(), Some("1 day"));
        assert_eq!(of(1), None);
        let last = of(100).expect("two periods");
        assert_eq!((last.to, last.before), (100 * DAY + 1, 40 * DAY + 1));
        // An event of a wrong year is not the end of them.
        let odd = Span::of(window(None, None), Some((0, 9000 * DAY)), 100 * DAY);
        assert_eq!(odd.map(|s| s.to), Some(100 * DAY + 1));
        assert_eq!(Span::of(window(None, None), None, 0), None);
    }
}
