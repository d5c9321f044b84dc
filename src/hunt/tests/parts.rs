//! Rules that a crew is asked in parts of the time: what they find is what they find without.

use std::path::Path;

use proptest::prelude::*;

use super::super::*;
use super::crew::{DAY, FIRST, Neighbour, ingested, swept};
use crate::archive::Archive;
use crate::rules::{self, Kind, Operator, Query, Schedule, Trigger};

/// Rules of which each row rests on one event.
const CUT: [(&str, &str); 10] = [
    (
        "event",
        "SigninLogs | where isnotempty(UserPrincipalName) | project TimeGenerated, UserPrincipalName, Id",
    ),
    (
        "later",
        "UnifiedAuditLog | parse UserId with Name '@' Domain | project TimeGenerated = TimeGenerated + 2d, Name, Domain, Operation",
    ),
    (
        "earlier",
        "SigninLogs | extend TimeGenerated = TimeGenerated - 30h | project TimeGenerated, UserPrincipalName, Id",
    ),
    ("untimed", "SigninLogs | project UserPrincipalName, Id"),
    (
        "partly-timed",
        "SigninLogs | extend TimeGenerated = iff(ResultType == '0', datetime(null), TimeGenerated) | project TimeGenerated, Id",
    ),
    (
        "as-text",
        "SigninLogs | project TimeGenerated = tostring(TimeGenerated), Id",
    ),
    (
        "expanded",
        "SigninLogs | mv-expand Part = split(UserPrincipalName, '@') to typeof(string) | project TimeGenerated, Part",
    ),
    (
        "united",
        "union withsource=From SigninLogs, UnifiedAuditLog | project TimeGenerated, From",
    ),
    (
        "of-a-view",
        "OfficeActivity | where isnotempty(UserId) | project TimeGenerated, UserId, Operation",
    ),
    ("wrong", "SigninLogs | where NoSuchColumn == 1"),
];
/// Rules that group, sort, or ask views that need the rows of all times.
const WHOLE: [(&str, &str); 4] = [
    (
        "grouped",
        "SigninLogs | summarize Count = count(), EndTime = max(TimeGenerated) by UserPrincipalName",
    ),
    (
        "sorted",
        "SigninLogs | sort by TimeGenerated asc | project TimeGenerated, Id",
    ),
    (
        "names",
        "CloudAppEvents | project TimeGenerated, ActionType",
    ),
    ("labels", "LabelEvents | project TimeGenerated, UserId"),
];
const SIGMA: &str = "title: Failed sign-in
id: 6c7c4c70-0000-4000-8000-0000000000aa
logsource: {product: azure, service: signinlogs}
detection:
  selection: {ResultType: 50126}
  condition: selection
level: medium
";

/// These rules: every other one looks back for three days, the others see all there is. One fires for its rows together.
fn with_rules(mut pack: Pack) -> Pack {
    for (number, (id, text)) in CUT.into_iter().chain(WHOLE).enumerate() {
        let mut rule = Rule::new(id, Kind::Scheduled, Query::new(Language::Kql, text));
        if number.is_multiple_of(2) {
            rule.schedule = Schedule::Every {
                frequency: 86_400,
                period: 3 * 86_400,
            };
        }
        pack.rules.push(rule);
    }
    let text = "SigninLogs | project TimeGenerated, UserPrincipalName";
    let mut many = Rule::new("many", Kind::Scheduled, Query::new(Language::Kql, text));
    many.trigger = Trigger {
        operator: Operator::GreaterThan,
        threshold: 30,
    };
    pack.rules.push(many);
    pack
}

/// The built-in pack and one in Sigma beside these rules.
fn pack(folder: &Path) -> Pack {
    let file = folder.join("failed.yml");
    std::fs::write(&file, SIGMA).expect("a file");
    with_rules(rules::load_to_run(&["builtin:mip".into(), file]).expect("the pack"))
}

fn how() -> Options {
    Options {
        now: (FIRST + 30 * DAY) * 10 + UNIX_EPOCH_TICKS,
        ..Options::default()
    }
}

/// Hunts without a crew and with one for whom rules are cut into so many parts. The queries that were cut, and what was found.
fn compared(
    archive: &Archive,
    pack: &Pack,
    window: Window,
    parts: usize,
) -> (BTreeSet<String>, Hunt) {
    let (alone, outcomes) = swept(archive, pack, window, &how(), None);
    let cutting = Cutting { parts, rows: 1 };
    let mut neighbour = Neighbour::of(archive, Some(cutting));
    let (hunt, by_crew) = swept(archive, pack, window, &how(), Some(&mut neighbour));
    assert_eq!(by_crew, outcomes, "{window:?} in {parts} parts");
    assert_eq!(hunt.findings, alone.findings, "{window:?} in {parts} parts");
    assert_eq!((&hunt.reads, hunt.events), (&alone.reads, alone.events));
    (neighbour.cut, hunt)
}

#[test]
fn rules_in_parts_find_what_they_find_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = ingested(&folder.path().join("archive"), "sample-data");
    let pack = pack(folder.path());
    let (cut, hunt) = compared(&archive, &pack, Window::default(), 3);
    for (id, text) in CUT {
        assert!(cut.contains(text), "{id}");
        let found = hunt.findings.iter().filter(|f| f.rule == id).count();
        assert_eq!(found > 1, id != "wrong", "{id}: {found}");
    }
    // The rule in Sigma.
    assert!(cut.iter().any(|text| text.contains("50126")));
    for (id, text) in WHOLE {
        assert!(!cut.contains(text), "{id}");
    }
    let many = hunt.findings.iter().filter(|f| f.rule == "many").count();
    assert!(many > 30, "{many}");
    // At no whole hour, open to one side, and before all events.
    let (from, to) = (FIRST + 7 * DAY + 12_345_678, FIRST + 16 * DAY + 1);
    for (from, to) in [
        (Some(from), Some(to)),
        (Some(from), None),
        (None, Some(to)),
        (Some(FIRST - 9 * DAY), Some(FIRST - DAY)),
    ] {
        compared(&archive, &pack, Window { from, to }, 3);
    }
}

#[test]
fn rules_of_few_rows_are_not_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = ingested(&folder.path().join("archive"), "sample-data/signin");
    let pack = with_rules(Pack::default());
    for cutting in [
        None,
        Some(Cutting { parts: 1, rows: 1 }),
        Some(Cutting {
            parts: 3,
            rows: 1_000_000,
        }),
    ] {
        let mut neighbour = Neighbour::of(&archive, cutting);
        swept(
            &archive,
            &pack,
            Window::default(),
            &how(),
            Some(&mut neighbour),
        );
        assert!(neighbour.cut.is_empty(), "{cutting:?}");
    }
}

#[test]
fn windows_and_parts_of_any_size_find_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = ingested(&folder.path().join("archive"), "sample-data");
    let pack = with_rules(Pack::default());
    let edge = || prop::option::of(FIRST - DAY..FIRST + 27 * DAY);
    proptest!(ProptestConfig::with_cases(8), |(one in edge(), two in edge(), parts in 2..12_usize)| {
        let window = match (one, two) {
            (Some(one), Some(two)) => Window { from: Some(one.min(two)), to: Some(one.max(two)) },
            (from, to) => Window { from, to },
        };
        compared(&archive, &pack, window, parts);
    });
}
