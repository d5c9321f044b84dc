//! Where the values under a name go: into a column of a table, to the event's time, or beside the columns.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::entra::{self, Place};
use super::super::time::names;
use crate::catalog::Table;

/// Where the values under one name go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Into a column.
    Column(usize),
    /// The event's time; the lowest rank that has a value wins.
    Time(u8),
    /// The date, or the clock, of a W3C log.
    HalfTime(Half),
    /// A time without a zone, which the user names.
    Local(Box<Target>),
    /// A time on a clock that is so many minutes east of UTC, as its name says.
    East(i64, Box<Target>),
    /// Where [`entra::Parts`] says: another spelling of a column, or of a part of one.
    Spelled(Arc<Place>),
    /// Kept under its own name.
    Extra(String),
    /// As the inner one, and a time of the record.
    Timed(Box<Timed>),
    /// A name that says which table it is, nothing of the event.
    Skip,
}

impl Target {
    /// Whether the table has no column for the values.
    pub fn is_extra(&self) -> bool {
        match self {
            Target::Extra(_) => true,
            Target::Timed(timed) => timed.inner.is_extra(),
            Target::East(_, inner) => matches!(**inner, Target::Timed(_)),
            _ => false,
        }
    }

    /// Gives the values another name where they are kept under one.
    fn rename(&mut self, name: &str) {
        match self {
            Target::Extra(own) => *own = name.to_string(),
            Target::Timed(timed) => {
                timed.name = name.to_string();
                timed.inner.rename(name);
            }
            Target::Local(inner) | Target::East(_, inner) => inner.rename(name),
            _ => {}
        }
    }

    /// The same for values that the user named as the time of the record.
    pub fn asked(self, name: &str) -> Target {
        let minutes = names::offset(name).map_or(0, |(_, minutes)| minutes);
        let known = match self {
            // The zone that the user named counts for the time, too.
            Target::Local(inner) => return Target::Local(Box::new(inner.asked(name))),
            Target::East(_, inner) => *inner,
            other => other,
        };
        let inner = match known {
            Target::Timed(known) => known.inner,
            Target::Extra(_) if minutes != 0 => Target::Skip,
            other => other,
        };
        let timed = Target::Timed(Box::new(Timed {
            rank: 0,
            name: name.to_string(),
            inner,
        }));
        match minutes {
            0 => timed,
            _ => Target::East(minutes, Box::new(timed)),
        }
    }
}

/// Values under a name that may tell the time of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// How well it does: 0 is what the user named, which goes before all others; the rest count where the table's own time is missing.
    pub rank: u8,
    /// The name.
    pub name: String,
    /// Where the values go anyway.
    pub inner: Target,
}

/// Columns with the time at which the event itself was made, where `TimeGenerated` is missing.
pub const MADE: [&str; 7] = [
    "CreatedDateTime",
    "DetectedDateTime",
    "ActivityDateTime",
    "RiskLastUpdatedDateTime",
    "RequestTime",
    "RequestTime_t",
    "Happened",
];

/// One half of a time in a W3C log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// `2026-06-25`
    Date,
    /// `21:59:28`
    Clock,
}

/// Table of rows that are of no known table.
pub(super) const OTHER: &str = "OtherRecords";

/// Whether a column's name says that its times are local: `TimeGenerated [Local Time]`, `Timestamp Local time`, `Date (Local)`.
pub fn is_local(name: &str) -> bool {
    local_of(name).is_some()
}

/// The name of a column of local times without what says so.
fn local_of(name: &str) -> Option<&str> {
    const ENDS: [&str; 5] = [
        "[local time]",
        "(local time)",
        " local time",
        "[local]",
        "(local)",
    ];
    let name = name.trim_end();
    let lower = name.to_ascii_lowercase();
    // Lower-casing ASCII moves no byte.
    let end = ENDS.iter().find(|end| lower.ends_with(**end))?;
    Some(name[..name.len() - end.len()].trim_end())
}

/// Numbers the names of a header that stand there again, where no column has their values: `Name`, `Name_2`. Under one name the last of them
/// would be all that can be asked.
pub fn number(targets: &mut [Target], header: &[String]) {
    let mut taken: HashSet<String> = header.iter().map(|n| bare_name(n).to_string()).collect();
    let mut met: HashMap<&str, usize> = HashMap::new();
    for (target, name) in targets.iter_mut().zip(header) {
        let bare = bare_name(name);
        let times = met.entry(bare).or_insert(0);
        *times += 1;
        if *times == 1 {
            continue;
        }
        let stem = if bare.is_empty() { "column" } else { bare };
        let mut own = format!("{stem}_{times}");
        while !taken.insert(own.clone()) {
            *times += 1;
            own = format!("{stem}_{times}");
        }
        target.rename(&own);
    }
}

/// Finds where values under this name go, in a file of which the user may have said which column has the time.
pub fn target_timed(table: &Table, name: &str, column: Option<&str>) -> Target {
    if !column.is_some_and(|column| is_named(name, column)) {
        return target(table, name);
    }
    match local_of(name) {
        Some(bare) => Target::Local(Box::new(target(table, bare).asked(name))),
        None => target(table, name).asked(name),
    }
}

/// Whether a column is the one that the user named, who may leave out what the portal added.
pub fn is_named(name: &str, column: &str) -> bool {
    let name = name.trim_start_matches('\u{feff}').trim();
    let column = column.trim();
    let is = |name: &str| name.eq_ignore_ascii_case(column);
    is(name)
        || is(bare_name(name))
        || local_of(name).is_some_and(is)
        || names::offset(name).is_some_and(|(bare, _)| is(bare))
}

/// Finds where values under this name go.
pub fn target(table: &Table, name: &str) -> Target {
    if let Some(bare) = local_of(name) {
        return match target(table, bare) {
            Target::Extra(_) => Target::Extra(name.to_string()),
            inner => Target::Local(Box::new(inner)),
        };
    }
    if let Some((bare, minutes)) = names::offset(name) {
        return on_clock(table, bare_name(name), bare, minutes);
    }
    let bare = bare_name(name);
    match bare.to_ascii_lowercase().as_str() {
        // A search job's TimeGenerated is the time the job ran.
        "_originaltimegenerated" => return Target::Time(0),
        "timestamp" => return Target::Time(1),
        "timegenerated" => return Target::Time(2),
        "$table" | "source_" if table.name == OTHER => return Target::Extra("Type".into()),
        "$table" | "source_" => return Target::Skip,
        _ => {}
    }
    match entra::find(table, bare) {
        Some(entra::Found::Column(i)) => return Target::Column(i),
        Some(entra::Found::Place(place)) => return Target::Spelled(place),
        None => {}
    }
    if table.name == "AipServiceUserLog" {
        match bare {
            "date" => return Target::HalfTime(Half::Date),
            "time" => return Target::HalfTime(Half::Clock),
            "c-info" => return Target::Column(table.at("ClientInfo")),
            "c-ip" => return Target::Column(table.at("ClientIP")),
            _ => {}
        }
        if let Some(i) = table.export_position(&bare.replace('-', "")) {
            return Target::Column(i);
        }
    }
    if let Some(i) = table.export_position(bare) {
        return Target::Column(i);
    }
    // A union of tables whose column has two types gives `DeviceDetail_dynamic` and `DeviceDetail_string`.
    for suffix in [
        "_dynamic",
        "_string",
        "_long",
        "_int",
        "_real",
        "_bool",
        "_datetime",
        "_guid",
    ] {
        if let Some(i) = bare
            .strip_suffix(suffix)
            .and_then(|b| table.export_position(b))
        {
            return Target::Column(i);
        }
    }
    let inner = Target::Extra(bare.to_string());
    match names::rank(bare) {
        None => inner,
        Some(rank) => Target::Timed(Box::new(Timed {
            rank,
            name: bare.to_string(),
            inner,
        })),
    }
}

/// Where values go under a name that says by which clock their times are; what is no time there is kept under the whole name.
fn on_clock(table: &Table, name: &str, bare: &str, minutes: i64) -> Target {
    // Nobody says it twice, and hostile input may say it endlessly.
    if names::offset(bare).is_some() {
        return Target::Extra(name.to_string());
    }
    let inner = match target(table, bare) {
        Target::Extra(_) => return Target::Extra(name.to_string()),
        Target::Timed(timed) => Target::Timed(Box::new(Timed {
            rank: timed.rank,
            name: name.to_string(),
            // It is kept as it came, and not as the instant.
            inner: match minutes {
                0 => Target::Extra(name.to_string()),
                _ => Target::Skip,
            },
        })),
        other => other,
    };
    match minutes {
        0 => inner,
        _ => Target::East(minutes, Box::new(inner)),
    }
}

/// `TimeGenerated [UTC]` → `TimeGenerated`.
pub fn bare_name(name: &str) -> &str {
    let name = name.trim_start_matches('\u{feff}').trim();
    name.strip_suffix("[UTC]").unwrap_or(name).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    #[test]
    fn names_find_their_column_whatever_the_portal_added() {
        let t = catalog::table("SigninLogs");
        assert_eq!(
            target(t, "CreatedDateTime [UTC]"),
            Target::Column(t.at("CreatedDateTime"))
        );
        assert_eq!(
            target(t, "DeviceDetail_dynamic"),
            Target::Column(t.at("DeviceDetail"))
        );
        assert_eq!(target(t, "TimeGenerated [UTC]"), Target::Time(2));
        assert_eq!(target(t, "_IngestId"), Target::Extra("_IngestId".into()));
        for own in ["_ResourceId", "_id"] {
            assert_eq!(target(t, own), Target::Extra(own.into()));
        }
        assert_eq!(
            target(t, "TimeGenerated [Local Time]"),
            Target::Local(Box::new(Target::Time(2)))
        );
        assert_eq!(
            target_timed(t, "When (Local Time)", Some("when")),
            Target::Local(Box::new(
                Target::Extra("When".into()).asked("When (Local Time)")
            ))
        );
        let t = catalog::table("CloudAppEvents");
        assert_eq!(
            target(t, "Timestamp Local time"),
            Target::Local(Box::new(Target::Time(1)))
        );
        assert_eq!(target(t, "Isp"), Target::Column(t.at("ISP")));
        assert_eq!(
            target(t, "RawEventData_UserId"),
            Target::Extra("RawEventData_UserId".into())
        );
    }
}
