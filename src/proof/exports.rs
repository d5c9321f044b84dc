//! What is missing in a file by the ledger's own words: its number of records, the range in its name, its end, its note.

use std::collections::HashSet;

use super::iso;
use super::missing::{Finding, Kind};
use crate::archive::ledger::{Entry, Ledger, Status};
use crate::ingest::{answers, time};

/// Numbers of records at which exports end, and which exports those are.
const CAPS: [(u64, &str); 7] = [
    (
        5_000,
        "one call of Search-UnifiedAuditLog, one page of Export-ActivityExplorerData",
    ),
    (
        10_000,
        "advanced hunting in its older portal, a session of Search-UnifiedAuditLog with mixed session commands",
    ),
    (30_000, "the portals of advanced hunting and Log Analytics"),
    (
        50_000,
        "the audit search of the Purview portal, a session of Search-UnifiedAuditLog, a blob of a Log Analytics data export",
    ),
    (
        100_000,
        "the advanced hunting API, the activity log of Defender for Cloud Apps",
    ),
    (
        250_000,
        "audit searches over Microsoft Graph, which go on in the next part",
    ),
    (1_000_000, "search jobs of Sentinel"),
];

/// Audit searches are asked for whole seconds.
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// Streaming exports put an event into the folder of the hour in which it arrived; delays of thirteen hours have been seen.
const LATE: i64 = DAY;
/// Times so far beyond a range, and no farther, look like a range in local time.
const ZONES: i64 = 14 * HOUR;

/// Findings about the files.
pub(super) fn findings(ledger: &Ledger) -> Vec<Finding> {
    let names: HashSet<&str> = ledger.entries.iter().map(|e| e.file.as_str()).collect();
    let whole: HashSet<&str> = ledger
        .entries
        .iter()
        .filter(|e| e.status == Status::Complete)
        .map(|e| e.file.as_str())
        .collect();
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for entry in &ledger.entries {
        // A file that was read again is told of once.
        if !seen.insert((&entry.file, &entry.sha256)) {
            continue;
        }
        out.extend(cap(entry, &names));
        // What was read whole later on is not missing.
        if entry.status != Status::Complete && !whole.contains(entry.file.as_str()) {
            out.push(about(
                entry,
                Kind::Incomplete,
                ("the whole file", entry.note.as_str()),
                match entry.status {
                    _ if answers::tells_of_search(&entry.note) => {
                        "a search and its state, without its records"
                    }
                    _ if answers::tells_of_error(&entry.note) => {
                        "the service gave an error in place of records"
                    }
                    Status::Unreadable => "nothing of the file could be read",
                    _ => "the file breaks off",
                },
            ));
        }
        out.extend(outside(entry));
        out.extend(zones(entry));
    }
    out
}

/// A finding about one file.
pub(super) fn about(
    entry: &Entry,
    kind: Kind,
    (expected, found): (&str, &str),
    why: impl Into<String>,
) -> Finding {
    let tables: Vec<&str> = entry.tables.keys().map(String::as_str).collect();
    Finding {
        kind,
        table: tables.join(", "),
        from: entry.times.map(|t| t.0),
        to: entry.times.map(|t| t.1),
        expected: expected.into(),
        found: found.into(),
        place: entry.file.clone(),
        why: why.into(),
    }
}

fn cap(entry: &Entry, names: &HashSet<&str>) -> Option<Finding> {
    let (_, which) = CAPS.iter().find(|(n, _)| *n == entry.records)?;
    if next_part(&entry.file).is_some_and(|next| names.contains(next.as_str())) {
        return None;
    }
    let mut finding = about(
        entry,
        Kind::Cap,
        ("more records", ""),
        format!("these end at exactly this number: {which}"),
    );
    finding.found = entry.records.into();
    Some(finding)
}

/// Name of the file in which an export goes on: `…-part3.csv` after `…-part2.csv`, `PT05M_1.json` after `PT05M.json`.
fn next_part(file: &str) -> Option<String> {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let (stem, ending) = name.split_at(name.find('.').unwrap_or(name.len()));
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (head, number) = stem.split_at(stem.len() - digits);
    let next = match number.parse::<u64>() {
        Ok(n) if head.ends_with("part") || head.ends_with('_') => {
            format!("{head}{}", n.checked_add(1)?)
        }
        _ if stem.starts_with("PT") => format!("{stem}_1"),
        _ => return None,
    };
    Some(match folder {
        "" if !file.starts_with('/') => format!("{next}{ending}"),
        folder => format!("{folder}/{next}{ending}"),
    })
}

/// The range that a file's name states; `to` is the first moment after it.
#[derive(Debug, PartialEq, Eq)]
struct Stated {
    from: i64,
    to: i64,
    how: &'static str,
}

fn stated(file: &str) -> Option<Stated> {
    let name = file.rsplit('/').next().unwrap_or(file);
    let found = seconds(name)
        .map(|(from, to)| Stated {
            from,
            // The last second belongs to it.
            to: to + SECOND,
            how: "the file's name",
        })
        .or_else(|| {
            days(name).map(|(from, to)| Stated {
                from,
                to: to + DAY,
                how: "the file's name",
            })
        })
        .or_else(|| hour(file));
    found.filter(|s| s.from < s.to)
}

/// `UAL-20260501000000-20260502000000.csv`
fn seconds(name: &str) -> Option<(i64, i64)> {
    let rest = name.strip_prefix("UAL-")?;
    let one = |text: &str| -> Option<i64> {
        if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let spelled = format!(
            "{}-{}-{}T{}:{}:{}",
            &text[..4],
            &text[4..6],
            &text[6..8],
            &text[8..10],
            &text[10..12],
            &text[12..]
        );
        time::iso(spelled.as_bytes())
    };
    let (from, rest) = rest.split_once('-')?;
    let to = rest.get(..14)?;
    one(from).zip(one(to))
}

/// `AuditLog_2026-05-01_2026-05-20.csv`
fn days(name: &str) -> Option<(i64, i64)> {
    const DATE: usize = 10;
    let one = |text: &str| time::iso(format!("{text}T00:00:00").as_bytes());
    (0..name.len()).find_map(|at| {
        let from = one(name.get(at..at + DATE)?)?;
        let rest = name.get(at + DATE..)?.strip_prefix('_')?;
        Some((from, one(rest.get(..DATE)?)?))
    })
}

/// `…/y=2026/m=05/d=14/h=18/…`
fn hour(file: &str) -> Option<Stated> {
    let mut parts = file.split('/').peekable();
    let mut by_event = false;
    while let Some(part) = parts.next() {
        // Log Analytics puts records where their TimeGenerated belongs. What streams is put where it arrived; unknown is taken for that.
        by_event |= part.starts_with("am-") || part.starts_with("WorkspaceResourceId=");
        let Some(year) = part.strip_prefix("y=") else {
            continue;
        };
        let mut next = |key: &str| {
            parts
                .next_if(|p| p.starts_with(key))
                .map(|p| &p[key.len()..])
        };
        let (month, day, hour) = (next("m=")?, next("d=")?, next("h=")?);
        let from = time::iso(format!("{year}-{month}-{day}T{hour}:00:00").as_bytes())?;
        return Some(match by_event {
            true => Stated {
                from,
                to: from + HOUR,
                how: "the folder of the hour",
            },
            false => Stated {
                from: from - LATE,
                to: from + 2 * HOUR,
                how: "the folder of the hour, and what may arrive late",
            },
        });
    }
    None
}

fn outside(entry: &Entry) -> Option<Finding> {
    let range = stated(&entry.file)?;
    let (first, last) = entry.times?;
    if first >= range.from && last < range.to {
        return None;
    }
    let beyond = (range.from - first).max(last - range.to + 1);
    let zone = match beyond <= ZONES {
        true => "; that near, the range may be in local time",
        false => "",
    };
    let expected = format!("{} to {}", iso(range.from), iso(range.to));
    let found = format!("{} to {}", iso(first), iso(last));
    Some(about(
        entry,
        Kind::OutsideRange,
        (expected.as_str(), found.as_str()),
        format!("{} states the range{zone}", range.how),
    ))
}

/// What ingest noted of two times of one record.
fn zones(entry: &Entry) -> Option<Finding> {
    let said = entry
        .note
        .split("; ")
        .find(|part| part.contains("minutes from CreationTime"))?;
    let said = said.split(": ").next().unwrap_or(said);
    Some(about(
        entry,
        Kind::ZoneDoubt,
        ("CreationDate equal to CreationTime", said),
        "the export wrote its own times in another zone; events have the time of the record",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(file: &str) -> Option<(String, String)> {
        stated(file).map(|s| (iso(s.from), iso(s.to)))
    }

    #[test]
    fn ranges_are_read_from_names_and_folders() {
        let pair = |a: &str, b: &str| Some((a.to_string(), b.to_string()));
        assert_eq!(
            range("case/UAL-20260501000000-20260502000000.csv"),
            pair("2026-05-01T00:00:00Z", "2026-05-02T00:00:01Z")
        );
        assert_eq!(
            range("AuditLog_2026-05-01_2026-05-20.csv.gz"),
            pair("2026-05-01T00:00:00Z", "2026-05-21T00:00:00Z")
        );
        assert_eq!(
            range("am-signinlogs/WorkspaceResourceId=/x/y=2026/m=05/d=14/h=18/m=05/PT05M.json"),
            pair("2026-05-14T18:00:00Z", "2026-05-14T19:00:00Z")
        );
        assert_eq!(
            range(
                "insights-logs-advancedhunting-cloudappevents/tenantId=x/y=2026/m=05/d=14/h=18/m=00/PT1H.json"
            ),
            pair("2026-05-13T18:00:00Z", "2026-05-14T20:00:00Z")
        );
        for none in [
            "AuditLog_2026-05.csv",
            "UAL-Combined.csv",
            "UAL-20269901000000-20260502000000.csv",
            "AuditLog_2026-05-20_2026-05-01.csv",
            "é2026-05-0é_2026.csv",
            "y=2026/m=05/PT1H.json",
            "",
        ] {
            assert_eq!(range(none), None, "{none}");
        }
    }

    #[test]
    fn the_next_part_of_an_export_has_a_name() {
        let next = |file: &str| next_part(file).unwrap_or_default();
        assert_eq!(next("a/x-part9.csv"), "a/x-part10.csv");
        assert_eq!(next("x-part1.csv.gz"), "x-part2.csv.gz");
        assert_eq!(next("/h=18/PT05M.json"), "/h=18/PT05M_1.json");
        assert_eq!(next("PT05M_1.json"), "PT05M_2.json");
        assert_eq!(next("audit2026.csv"), "");
    }
}
