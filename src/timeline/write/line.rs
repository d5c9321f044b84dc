//! What a writer is told: an event with its line and its file.

use std::borrow::Cow;

use chrono_tz::Tz;

use crate::engine::output::in_zone;
use crate::timeline::field::{Event, Field};

/// A line of a timeline.
pub(in crate::timeline) struct Line<'a> {
    /// When, in microseconds since 1970.
    pub(in crate::timeline) time: i64,
    /// What happened.
    pub(in crate::timeline) message: &'a str,
    /// What the time is the time of.
    pub(in crate::timeline) kind: &'static str,
    /// The file that it was ingested from.
    pub(in crate::timeline) file: &'a str,
    /// The event.
    pub(in crate::timeline) event: Event<'a>,
}

/// What stands beside time and message, as columns of a table and as keys of an object.
pub(super) const BESIDE: [(&str, Field); 14] = [
    ("user", Field::User),
    ("address", Field::Address),
    ("place", Field::Place),
    ("application", Field::Application),
    ("device", Field::Device),
    ("session", Field::Session),
    ("object", Field::Object),
    ("action", Field::Action),
    ("result", Field::Result),
    ("count", Field::Count),
    ("table", Field::Table),
    ("event_id", Field::EventId),
    ("ingest", Field::Ingest),
    ("record", Field::Record),
];

impl Line<'_> {
    /// The time as ISO 8601 with six digits of the second, so that texts sort as times do.
    pub(super) fn iso(&self, zone: Option<Tz>) -> String {
        let utc = iso(self.time);
        match zone.map(|zone| in_zone(&utc, zone)) {
            Some(Cow::Owned(moved)) => moved,
            _ => utc,
        }
    }
}

/// Microseconds as ISO 8601. What no calendar has stays a number.
fn iso(time: i64) -> String {
    chrono::DateTime::from_timestamp_micros(time).map_or_else(
        || time.to_string(),
        |time| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_all_their_digits_in_every_zone() {
        let line = Line {
            time: 1_779_306_005_123_400,
            message: "",
            kind: "",
            file: "",
            event: Event::of(0, &[]),
        };
        assert_eq!(line.iso(None), "2026-05-20T19:40:05.123400Z");
        assert_eq!(
            line.iso(Some(Tz::Europe__Berlin)),
            "2026-05-20T21:40:05.123400+02:00"
        );
        assert_eq!(line.iso(Some(Tz::UTC)), line.iso(None));
        assert_eq!(iso(i64::MAX), i64::MAX.to_string());
    }
}
