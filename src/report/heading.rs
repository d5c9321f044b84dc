//! What a report says of itself, and how it says times.

use chrono_tz::Tz;

use crate::engine::output;

/// What the report says of itself.
pub struct Heading {
    /// The archive as the user named it.
    pub archive: String,
    /// The time of the report, in microseconds.
    pub now: i64,
    /// The time range asked for.
    pub from: Option<i64>,
    /// The time range asked for.
    pub to: Option<i64>,
    /// The zone of its times; UTC where none is given. Those of the findings are in it already.
    pub zone: Option<Tz>,
}

impl Heading {
    /// A time in its zone.
    pub(super) fn iso(&self, t: i64) -> String {
        let utc = chrono::DateTime::from_timestamp_micros(t).map_or(String::new(), |t| {
            t.format("%Y-%m-%dT%H:%M:%SZ").to_string()
        });
        match self.zone {
            Some(zone) => output::in_zone(&utc, zone).into_owned(),
            None => utc,
        }
    }
}
