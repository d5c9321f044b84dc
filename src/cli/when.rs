//! Times and durations as people type them, and times as they are shown.

use std::sync::OnceLock;

use clap::Args;

use crate::engine::TimeRange;
use crate::fault::Error;

/// A time range.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Window {
    /// Only events at or after this time (UTC), such as 2026-05-01 or 2026-05-01T08:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<i64>,
    /// Only events before this time (UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) to: Option<i64>,
    /// Only events of so long before --at, or before this moment: 90m, 24h, 7d, 2w
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "from")]
    since: Option<i64>,
    /// What now() says, such as 2026-05-21 or 2026-05-21T08:00; nothing that came after it is seen. This moment when not given
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<i64>,
}

impl Window {
    /// All from a time on, or all that there is, as of a moment that is said or of this one.
    pub(super) fn beginning(from: Option<i64>, at: Option<i64>) -> Window {
        Window {
            from,
            at,
            ..Window::default()
        }
    }

    /// What `now()` says, in microseconds; the same throughout a run.
    pub(super) fn now(&self) -> i64 {
        static MOMENT: OnceLock<i64> = OnceLock::new();
        self.at.unwrap_or_else(|| *MOMENT.get_or_init(now))
    }

    /// The moment that --at names.
    pub(super) fn at(&self) -> Option<i64> {
        self.at
    }

    /// The first time that is asked for.
    pub(super) fn from(&self) -> Option<i64> {
        self.begins_at(self.now())
    }

    /// The same where `now()` is this moment.
    pub(super) fn begins_at(&self, moment: i64) -> Option<i64> {
        let since = self.since.map(|long| moment.saturating_sub(long));
        self.from.or(since)
    }

    /// The first time that is asked for as a time. One that --since gives is as odd as the moment of the command.
    pub(super) fn said_from(&self) -> Option<i64> {
        self.from
    }

    /// What is asked for lies before this time.
    pub(super) fn to(&self) -> Option<i64> {
        match (self.to, self.seen()) {
            (Some(to), Some(seen)) => Some(to.min(seen)),
            (to, seen) => to.or(seen),
        }
    }

    /// The times that are asked for.
    pub(super) fn range(&self) -> TimeRange {
        TimeRange {
            from: self.from(),
            to: self.to(),
        }
    }

    /// What can be seen at all lies before this time.
    pub(super) fn seen(&self) -> Option<i64> {
        // What happens at the moment itself is seen.
        self.at.map(|at| at.saturating_add(1))
    }

    pub(super) fn check(&self) -> crate::fault::Result<()> {
        match (self.from(), self.to()) {
            (Some(from), Some(to)) if from >= to => Err(Error::Usage(match (self.from, self.to) {
                (Some(_), Some(to)) if from >= to => {
                    "--from is not before --to: nothing lies between".into()
                }
                _ => format!(
                    "nothing lies between {} and {}, the time that is asked for",
                    time_text(from),
                    time_text(to)
                ),
            })),
            _ => Ok(()),
        }
    }
}

pub(super) fn time(text: &str) -> Result<i64, String> {
    let padded = match text.len() {
        10 => format!("{text}T00:00:00"),
        16 => format!("{text}:00"),
        _ => text.to_string(),
    };
    crate::ingest::time::iso(padded.as_bytes()).ok_or_else(|| match crate::rules::seconds(text) {
        Some(_) => {
            "not a time such as 2026-05-01 or 2026-05-01T08:00:00Z; --since takes durations".into()
        }
        None => "not a time such as 2026-05-01 or 2026-05-01T08:00:00Z".into(),
    })
}

/// Microseconds of a duration.
pub(super) fn duration(text: &str) -> Result<i64, String> {
    crate::rules::seconds(text)
        .filter(|seconds| *seconds > 0)
        .and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1_000_000))
        .ok_or_else(|| "not a duration such as 90m, 24h, 7d or 2w".into())
}

/// This moment, in microseconds.
pub(super) fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// Microseconds as ISO 8601.
pub(super) fn time_text(t: i64) -> String {
    chrono::DateTime::from_timestamp_micros(t).map_or_else(
        || t.to_string(),
        |t| t.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_read() {
        assert_eq!(time("1970-01-02"), Ok(86_400_000_000));
        assert_eq!(time("1970-01-01T01:00"), Ok(3_600_000_000));
        assert!(time("yesterday").is_err());
        assert!(time("24h").is_err_and(|why| why.contains("--since")));
        assert_eq!(duration("90m"), Ok(5_400_000_000));
        assert_eq!(duration("2w"), duration("14d"));
        for wrong in ["", "0h", "24", "1y", "-1h", "99999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_window_ends_where_nothing_more_is_seen() {
        let window = |from, to, since, at| Window {
            from,
            to,
            since,
            at,
        };
        let seen = window(None, Some(20), None, Some(10));
        assert_eq!((seen.from(), seen.to(), seen.now()), (None, Some(11), 10));
        let back = window(None, Some(9), Some(4), Some(10));
        assert_eq!((back.from(), back.to()), (Some(6), Some(9)));
        assert!(back.check().is_ok());
        assert!(window(Some(10), None, None, Some(9)).check().is_err());
        assert!(window(Some(10), None, None, Some(10)).check().is_ok());
        assert!(window(None, Some(6), Some(4), Some(10)).check().is_err());
        let open = window(None, None, None, None);
        assert_eq!((open.from(), open.to()), (None, None));
        assert_eq!(open.now(), window(None, None, Some(1), None).now());
    }
}
