//! Times as documents say them.

use std::borrow::Cow;

use chrono::DateTime;
use chrono_tz::Tz;

use crate::engine::output::in_zone;

/// Microseconds since 1970 as ISO 8601, to the second, in a zone with its offset; in UTC where none is given. What no calendar has stays a number.
pub fn iso(time: i64, zone: Option<Tz>) -> String {
    let utc = DateTime::from_timestamp_micros(time).map_or_else(
        || time.to_string(),
        |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    match zone.map(|zone| in_zone(&utc, zone)) {
        Some(Cow::Owned(moved)) => moved,
        _ => utc,
    }
}
