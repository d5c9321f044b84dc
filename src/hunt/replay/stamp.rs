//! Times, spans and identities as Sentinel writes them into alerts.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::schedule::{DAY, HOUR, MINUTE, SECOND};

/// The first moment that a datetime of Kusto can be, and the last: the years 1 to 9999.
const KUSTO: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);

fn date(micros: i64) -> DateTime<Utc> {
    // A window may begin before all calendars. Years of other lengths than four digits are none that a reader takes.
    DateTime::from_timestamp_micros(micros.clamp(KUSTO.0, KUSTO.1))
        .expect("the calendar has the years 1 to 9999")
}

/// `2023-07-24 15:23:59Z`: the second in which a moment lies.
pub(super) fn second(micros: i64) -> String {
    date(micros).format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// The same of the first second that does not begin before a moment: ends are rounded up, as recorded.
pub(super) fn next_second(micros: i64) -> String {
    second(micros.saturating_add(SECOND - 1))
}

/// `2023-07-24T20:23:59.1070000Z`: a moment in ticks, as a literal of KQL.
pub(super) fn ticks(micros: i64) -> String {
    format!("{}0Z", date(micros).format("%Y-%m-%dT%H:%M:%S%.6f"))
}

/// `2023-07-24T20:29:01.761047Z`: a moment in a column, without zeros at the end of its fraction.
pub(super) fn moment(micros: i64) -> String {
    let date = date(micros);
    if date.timestamp_subsec_micros() == 0 {
        return date.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    }
    let text = date.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    format!("{}Z", text.trim_end_matches('0'))
}

/// `05:00:00`, `14.00:00:00`: a span of whole seconds as .NET writes it.
pub(super) fn span(micros: i64) -> String {
    let (days, hours) = (micros / DAY, micros % DAY / HOUR);
    let (minutes, seconds) = (micros % HOUR / MINUTE, micros % MINUTE / SECOND);
    match days {
        0 => format!("{hours:02}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}.{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// An identity in the form of a GUID that says the same of the same parts: the first half of their SHA-256, marked as version 8 (RFC 9562).
pub(super) fn guid(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of parts are the same bytes.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash.as_slice()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20]];
    format!("{}-{}", parts.join("-"), &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-07-24T20:23:59.107Z, when a recorded alert's rule ran.
    const RECORDED: i64 = 1_690_230_239_107_000;

    #[test]
    fn times_are_written_as_recorded() {
        assert_eq!(second(RECORDED - 5 * HOUR), "2023-07-24 15:23:59Z");
        assert_eq!(next_second(RECORDED), "2023-07-24 20:24:00Z");
        assert_eq!(ticks(RECORDED), "2023-07-24T20:23:59.1070000Z");
        assert_eq!(
            moment(RECORDED + 302_654_047),
            "2023-07-24T20:29:01.761047Z"
        );
        assert_eq!(moment(RECORDED), "2023-07-24T20:23:59.107Z");
    }

    #[test]
    fn whole_seconds_stay_as_they_are() {
        let whole = RECORDED - 107_000;
        assert_eq!(next_second(whole), "2023-07-24 20:23:59Z");
        assert_eq!(moment(whole), "2023-07-24T20:23:59Z");
        assert_eq!(moment(whole + SECOND), "2023-07-24T20:24:00Z");
        assert_eq!(ticks(whole), "2023-07-24T20:23:59.0000000Z");
        assert_eq!(second(i64::MIN), "0001-01-01 00:00:00Z");
        assert_eq!(moment(i64::MAX), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn spans_have_days_where_there_are_some() {
        assert_eq!(span(5 * HOUR), "05:00:00");
        assert_eq!(span(5 * MINUTE), "00:05:00");
        assert_eq!(span(14 * DAY), "14.00:00:00");
        assert_eq!(span(DAY + HOUR + MINUTE + SECOND), "1.01:01:01");
    }

    #[test]
    fn an_identity_depends_on_its_parts_and_on_where_one_ends() {
        let one = guid(&[b"ab", b"c"]);
        assert_eq!(one, guid(&[b"ab", b"c"]));
        assert_ne!(one, guid(&[b"a", b"bc"]));
        assert_ne!(one, guid(&[b"abc"]));
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'8');
        assert!(matches!(one.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }
}
