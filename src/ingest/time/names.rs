//! Names under which tables that nobody described keep the time of a record.

/// Names by their letters and digits in lower case, the best first: when the event happened, when its record was made, when somebody
/// received it, when it began; of a list of things instead of events, when the thing was last used, and when it was changed; when it ended; of
/// which moment a report tells; when it was exported, and when it was read into something else.
const NAMES: [&[&str]; 12] = [
    &[
        "eventtime",
        "eventtimestamp",
        "eventdatetime",
        "eventdate",
        "eventcreatedtime",
        "eventcreationtime",
        "eventoccurred",
        "activitytime",
        "activitydatetime",
        "activitydate",
        "activitytimestamp",
        "actiontime",
        "actiondate",
        "operationtime",
        "operationdate",
        "timeofevent",
        "timeofaction",
        "timeperformed",
        "performedat",
        "performedon",
        "dateperformed",
        "occurred",
        "occurredat",
        "occurredon",
        "occurreddatetime",
        "occurredtime",
        "happened",
    ],
    &[
        "creationtime",
        "creationdate",
        "creationdatetime",
        "creationtimestamp",
        "createddatetime",
        "createdtime",
        "createddate",
        "createdat",
        "createdon",
        "createtime",
        "createdate",
        "datecreated",
        "timecreated",
        "created",
        "whencreated",
    ],
    &[
        "timestamp",
        "originaltimegenerated",
        "timegenerated",
        "generatedtime",
        "generationtime",
        "time",
        "datetime",
        "dateandtime",
        "timedate",
        "logtime",
        "logdate",
        "logdatetime",
        "logtimestamp",
        "recordtime",
        "recorddate",
        "requesttime",
        "requestdatetime",
        "signintime",
        "logintime",
        "logintimestamp",
        "logindate",
        "logontime",
        "epoch",
        "epochtime",
        "epochms",
        "epochseconds",
        "epochmillis",
        "timeepoch",
        "unixtime",
        "unixtimestamp",
        "timestampms",
        "timestampmillis",
        "ts",
        "isotime",
        "zeitstempel",
        "zeitpunkt",
        "horodatage",
        "日時",
        // In the language of a portal; mostly a clock beside a date.
        "時刻",
        "时间",
        "時間",
        "시간",
        "uhrzeit",
        "zeit",
        "heure",
        "hora",
        "ora",
        "orario",
        "tijd",
        "tijdstip",
        "klokkeslæt",
        "klokkeslett",
        "klockslag",
        "czas",
        "godzina",
        "čas",
        "saat",
        "время",
        "час",
        "ώρα",
        "kellonaika",
        "aika",
        "idő",
        "időpont",
        "waktu",
        "giờ",
    ],
    &[
        "date",
        "day",
        "activityday",
        "reportdate",
        // In the language of a portal.
        "datum",
        "fecha",
        "data",
        "dato",
        "дата",
        "tarih",
        "päivämäärä",
        "dátum",
        "ημερομηνία",
        "tanggal",
        "日付",
        "日期",
        "날짜",
    ],
    &[
        "received",
        "receivedtime",
        "receiveddatetime",
        "receiveddate",
        "datereceived",
        "timereceived",
        "sent",
        "sentdatetime",
        "senttime",
        "sentdate",
        "datesent",
        "origintimestamp",
        "deliveredtime",
        "messagetime",
        "messagereceivedtime",
        "emaildate",
        "emaildatesent",
        "emaildatereceived",
        "submitted",
        "submittedon",
        "submitteddatetime",
        "datesubmitted",
        "timesubmitted",
        "submissiontime",
        "submissiondate",
    ],
    &[
        "starttime",
        "startdatetime",
        "starttimestamp",
        "startedat",
        "started",
        "begintime",
        "startdate",
        "firstactivity",
        "firstactivitydatetime",
        "firsteventtime",
        "firstseen",
        "detectedtime",
        "detecteddatetime",
        "detectiontime",
        "alerttime",
        "detected",
        "detectedon",
        "timedetected",
        "datedetected",
        "jobstarttime",
        "jointime",
    ],
    &[
        "lastaccessed",
        "lastaccess",
        "lastaccesstime",
        "lastaccesseddatetime",
        "dateaccessed",
        "lastcheckin",
        "lastcheckindatetime",
        "lastcontact",
        "lastcontacted",
        "lastsync",
        "lastsyncdatetime",
        "lastsuccesssync",
        "lastactivity",
        "lastactivitytime",
        "lastactivitydate",
        "lastactivitydatetime",
        "lastlogon",
        "lastlogontime",
        "lastlogin",
        "lastlogintime",
        "lastsignin",
        "lastsignindatetime",
        "lastseen",
        "lastused",
        "lastuseddatetime",
        "lasteventtime",
    ],
    &[
        "risklastupdated",
        "lastmodified",
        "lastmodifiedtime",
        "lastmodifieddatetime",
        "lastmodifieddate",
        "modified",
        "modifiedtime",
        "modifieddatetime",
        "modifieddate",
        "modifiedon",
        "lastupdated",
        "lastupdatedtime",
        "lastupdatetime",
        "lastupdateddatetime",
        "lastupdatedatetime",
        "updatedat",
        "updated",
        "whenchanged",
        "enrollmentdate",
        "enrolleddatetime",
        "registrationdatetime",
    ],
    &[
        "endtime",
        "enddatetime",
        "enddate",
        "endtimestamp",
        "jobendtime",
        "completedat",
        "completed",
        "completeddatetime",
        "completiontime",
    ],
    &["reportrefreshdate", "snapshotdate", "snapshottime"],
    &["rundate", "rundatetime", "exportdate", "exporttime"],
    &[
        "ingestiontime",
        "ingesttime",
        "ingested",
        "eventingested",
        "indextime",
        "processedat",
        "collectedat",
        "timecollected",
        // Swedish and Danish for time; programs call threads and tenants so.
        "tid",
    ],
];

/// Ranks, as [`rank`] gives them, of names that tell what the rows are: of events, by when they happened, when they were stamped or when they
/// began; of things, by when they were used last or of which moment the report tells. When it was made is the time of an event, not of a thing.
const HAPPENED: u8 = 1;
const MADE: u8 = 2;
const STAMPED: u8 = 3;
const DAY: u8 = 4;
const BEGAN: u8 = 6;
const USED: u8 = 7;
const REPORTED: u8 = 10;

/// What a clock is called that stands beside a plain date.
const CLOCKS: [&str; 28] = [
    "time",
    "uhrzeit",
    "zeit",
    "heure",
    "hora",
    "ora",
    "orario",
    "tijd",
    "tijdstip",
    "klokkeslæt",
    "klokkeslett",
    "klockslag",
    "tid",
    "czas",
    "godzina",
    "čas",
    "saat",
    "время",
    "час",
    "ώρα",
    "kellonaika",
    "aika",
    "idő",
    "時刻",
    "时间",
    "時間",
    "시간",
    "giờ",
];

/// What a name says that does not change which time it is, behind it: the zone, and the type in tables of custom logs.
const BEHIND: [&str; 5] = ["utc", "gmt", "iso", "iso8601", "z"];

/// Keys above a record whose times are the record's own, in lists that were flattened: `AuditData.CreationTime`.
const ABOVE: [&str; 11] = [
    "auditdata",
    "raweventdata",
    "properties",
    "_source",
    "source",
    "fields",
    "result",
    "event",
    "data",
    "record",
    "rawdatajson",
];

/// A name by its letters and digits, without the words that do not tell one time from another.
pub fn folded(name: &str) -> String {
    let whole = letters(name);
    if is_listed(&whole) {
        return whole;
    }
    let name = ["_t", "_s", "_d", "_datetime", "_string"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name);
    let folded = letters(name);
    for word in BEHIND {
        match folded.strip_suffix(word) {
            Some(rest) if is_listed(rest) => return rest.to_string(),
            _ => {}
        }
    }
    folded
}

fn letters(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn is_listed(folded: &str) -> bool {
    NAMES.iter().any(|names| names.contains(&folded))
}

/// How well a name tells the time of a record, 1 best; nothing where it is no name of a time.
pub fn rank(name: &str) -> Option<u8> {
    /// Names longer than that are no names of times.
    const LONGEST: usize = 80;
    if name.len() > LONGEST {
        return None;
    }
    let name = offset(name).map_or(name, |(bare, _)| bare);
    let own = match name.rsplit_once('.') {
        None => name,
        Some((above, own)) => {
            let above = above.rsplit('.').next().unwrap_or(above);
            // A creation time below `manager` is not the event's.
            ABOVE
                .contains(&above.to_lowercase().as_str())
                .then_some(own)?
        }
    };
    let folded = folded(own);
    let rank = NAMES
        .iter()
        .position(|names| names.contains(&folded.as_str()))?;
    Some(rank as u8 + 1)
}

/// The ranks that stand beside each other in a row or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beside(u32);

impl Beside {
    /// These.
    pub fn of(ranks: impl Iterator<Item = u8>) -> Self {
        Beside(ranks.fold(0, |all, rank| all | (1 << rank.min(31))))
    }

    fn has(self, rank: u8) -> bool {
        self.0 & (1 << rank.min(31)) != 0
    }

    /// How closely a name of this rank tells the time beside the others, least closest. In lists of things, when a thing was made is behind
    /// when it was used and behind what the report is about.
    pub fn place(self, rank: u8) -> u8 {
        let of_things = self.has(USED) || self.has(REPORTED);
        let of_events = [HAPPENED, STAMPED, BEGAN].into_iter().any(|r| self.has(r));
        match rank {
            MADE if of_things && !of_events => 2 * REPORTED + 1,
            rank => rank.saturating_mul(2),
        }
    }
}

/// A name without the clock that it says its times are by, and how many minutes east of UTC that is: `Date (UTC-08:00)`. Portals show times so
/// that are not in UTC.
pub fn offset(name: &str) -> Option<(&str, i64)> {
    let inner = name.trim_end().strip_suffix([')', ']'])?;
    let at = inner.rfind(['(', '['])?;
    let zone = inner[at + 1..].trim();
    let (utc, rest) = zone.split_at_checked(3)?;
    let is_utc = utc.eq_ignore_ascii_case("utc") || utc.eq_ignore_ascii_case("gmt");
    let minutes = super::words::signed(rest.trim()).filter(|_| is_utc)?;
    Some((inner[..at].trim_end(), minutes))
}

/// Whether a name is that of the clock that belongs to a date's name: `EventTime` to `EventDate`, `Uhrzeit` to `Datum`.
pub fn is_clock_of(date: &str, clock: &str) -> bool {
    let (date, clock) = (without_zone(date), without_zone(clock));
    let is_plain = NAMES[usize::from(DAY) - 1].contains(&date.as_str());
    (is_plain && CLOCKS.contains(&clock.as_str()))
        || (date.contains("date") && date.replace("date", "time") == clock)
}

/// Whether a name says nothing but that it is a clock.
pub fn is_plain_clock(name: &str) -> bool {
    CLOCKS.contains(&without_zone(name).as_str())
}

fn without_zone(name: &str) -> String {
    folded(offset(name).map_or(name, |(bare, _)| bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closer_a_name_is_to_the_event_the_better_it_is() {
        let order = [
            "eventTimestamp",
            "CreationTime",
            "@timestamp",
            "Date (UTC)",
            "Received",
            "StartTime",
            "LastAccessed",
            "End Time",
            "_IngestionTime",
        ];
        let ranks: Vec<u8> = order
            .iter()
            .map(|name| rank(name).unwrap_or_else(|| panic!("{name} is listed")))
            .collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
        assert_eq!(rank("AuditData.CreationTime"), rank("CreationTime"));
        assert_eq!(rank("CreationTime_t"), rank("CreationTime"));
        assert_eq!(rank("created_date_time"), rank("createdDateTime"));
        assert_eq!(rank("Date (UTC-08:00)"), rank("Date"));
        assert_eq!(offset("Date (UTC-08:00)"), Some(("Date", -480)));
        assert_eq!(
            offset("Time received [UTC+5:30]"),
            Some(("Time received", 330))
        );
        for none in ["Date (UTC)", "Date", "Date (CET)", "Date (é)", "(+02:00)"] {
            assert_eq!(offset(none), None, "{none}");
        }
        for other in ["manager.createdDateTime", "Colour", "Times", "", "Runtime"] {
            assert_eq!(rank(other), None, "{other}");
        }
    }

    #[test]
    fn when_a_thing_was_made_is_behind_when_it_was_used() {
        let first = |names: &[&'static str]| {
            let ranks = || names.iter().filter_map(|name| rank(name));
            let beside = Beside::of(ranks());
            let best = names
                .iter()
                .zip(ranks())
                .min_by_key(|(_, rank)| beside.place(*rank));
            best.map(|(name, _)| *name)
        };
        for names in [
            ["Last Activity Date", "Created Date", "Report Refresh Date"],
            ["LastLogonTime", "WhenCreated", "Deleted Date"],
            ["createdDateTime", "ModifiedTime", "LastModified"],
            ["createdDateTime", "lastActivityDateTime", "detectedOn"],
            ["created", "timestamp", "lastSeen"],
        ] {
            let known: Vec<&str> = names.into_iter().filter(|n| rank(n).is_some()).collect();
            assert_eq!(first(&known), Some(names[0]), "{names:?}");
        }
    }

    #[test]
    fn a_clock_belongs_to_its_date_in_any_language() {
        for (date, clock) in [
            ("EventDate", "Event Time"),
            ("Date", "Time"),
            ("Date (UTC)", "Time (UTC)"),
            ("Date (UTC+02:00)", "Time (UTC+02:00)"),
            ("Datum", "Uhrzeit"),
            ("Date", "Heure"),
            ("日付", "時刻"),
        ] {
            assert!(is_clock_of(date, clock), "{date}, {clock}");
        }
        assert!(!is_clock_of("EventDate", "LogTime") && !is_clock_of("Created", "Zeit"));
        assert!(CLOCKS.iter().all(|clock| is_listed(clock)));
        assert!(NAMES[usize::from(MADE) - 1].contains(&"created"));
        assert!(NAMES[usize::from(STAMPED) - 1].contains(&"timestamp"));
        assert!(NAMES[usize::from(DAY) - 1].contains(&"date"));
        assert!(NAMES[usize::from(BEGAN) - 1].contains(&"starttime"));
        assert!(NAMES[usize::from(USED) - 1].contains(&"lastlogon"));
        assert!(NAMES[usize::from(REPORTED) - 1].contains(&"reportrefreshdate"));
    }

    #[test]
    fn no_name_is_listed_twice() {
        let mut all: Vec<&str> = NAMES.iter().flat_map(|n| n.iter().copied()).collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|w| w[0] != w[1]), "{all:?}");
    }
}
