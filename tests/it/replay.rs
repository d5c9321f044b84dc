//! Replays: what is raised, and when; and rows that are read once give what each run would have found.

use std::collections::BTreeMap;
use std::path::Path;

use coldtrail::convert;
use coldtrail::engine::{self, Late, Session, Source};
use coldtrail::hunt::replay::Manner;
use coldtrail::hunt::replay::alert::Alert;
use coldtrail::hunt::replay::delay::Delay;
use coldtrail::hunt::replay::runs::{self, Options, Status};
use coldtrail::progress::Silent;
use coldtrail::rules::{Kind, Language, Operator, Query, Rule, Schedule, Trigger};
use serde_json::{Value, json};

use crate::command_line::run;
use crate::ingest;

pub(crate) const MINUTE: i64 = 60_000_000;
/// 2026-05-04T00:00:00Z
pub(crate) const FIRST: i64 = 1_777_852_800_000_000;

/// Queries of all shapes that are cut, or are not: filters, sums over nothing, joins, subqueries, rows that are worked out once, moments.
const QUERIES: [(Language, &str); 26] = [
    (
        Language::Kql,
        "SigninLogs | where ResultType == '50126' | project TimeGenerated, UserPrincipalName",
    ),
    (
        Language::Kql,
        "SigninLogs | where ResultType == '50126' | summarize n = count() by UserPrincipalName | where n > 1",
    ),
    (
        Language::Kql,
        "SigninLogs | where TimeGenerated > ago(20m) | where ResultType has '50126' | summarize n = count()",
    ),
    (
        Language::Kql,
        "SigninLogs | where TimeGenerated > ago(30m) and UserPrincipalName startswith 'a' | project UserPrincipalName, age = now() - TimeGenerated",
    ),
    (
        Language::Kql,
        "SigninLogs | where ingestion_time() > ago(10m) | where ResultType == '0' | project TimeGenerated, UserPrincipalName",
    ),
    (
        Language::Kql,
        "SigninLogs | where ResultType == '0' | join kind=leftanti (SigninLogs | where ResultType == '50126') on UserPrincipalName | project TimeGenerated, UserPrincipalName",
    ),
    (
        Language::Kql,
        "SigninLogs | where ResultType == '50126' | join kind=leftouter (AuditLogs | summarize changes = count() by OperationName) on $left.UserPrincipalName == $right.OperationName | project TimeGenerated, UserPrincipalName, changes",
    ),
    (
        Language::Kql,
        "union SigninLogs, AuditLogs | where OperationName != 'nothing' | summarize n = count() by bin(TimeGenerated, 5m)",
    ),
    (
        Language::Kql,
        "let failed = materialize(SigninLogs | where ResultType == '50126'); failed | join kind=inner (failed | summarize n = count() by UserPrincipalName) on UserPrincipalName | summarize total = sum(n) by UserPrincipalName",
    ),
    (
        Language::Kql,
        "SigninLogs | where UserPrincipalName in ((AuditLogs | where OperationName has 'a' | distinct OperationName)) | project TimeGenerated, UserPrincipalName",
    ),
    (
        Language::Kql,
        "let good = SigninLogs | where ResultType == '0' | distinct UserPrincipalName; SigninLogs | where ResultType == '50126' and UserPrincipalName !in (good) | summarize n = count() by UserPrincipalName",
    ),
    // A column that has no text is empty.
    (
        Language::Kql,
        "SigninLogs | where ResultType == '50126' and AppDisplayName in ((AuditLogs | distinct Category)) | project TimeGenerated, UserPrincipalName",
    ),
    (
        Language::Kql,
        "SigninLogs | where ResultType == '50126' and AppDisplayName !in ((AuditLogs | distinct Category)) | project TimeGenerated, UserPrincipalName",
    ),
    (
        Language::Kql,
        "let names = AuditLogs | where TimeGenerated > ago(9m) | distinct OperationName; SigninLogs | where UserPrincipalName in (names) or UserPrincipalName !in~ (names) and ResultType == '0' | summarize n = count() by UserPrincipalName",
    ),
    (
        Language::Kql,
        "let latest = toscalar(SigninLogs | where ResultType == '0' | summarize max(TimeGenerated)); SigninLogs | where TimeGenerated == latest and ResultType == '0' | summarize n = count() by UserPrincipalName",
    ),
    (
        Language::Kql,
        "let least = toscalar(AuditLogs | where OperationName != 'bob' | summarize count()); SigninLogs | where ResultType == '50126' | summarize n = count() by UserPrincipalName | where n > least",
    ),
    (
        Language::Kql,
        "SigninLogs | where TimeGenerated >= ago(5m) and ResultType == '50126' | summarize n = count() by UserPrincipalName",
    ),
    (
        Language::Kql,
        "SigninLogs | where TimeGenerated between (ago(12m) .. ago(3m)) | join kind=inner (SigninLogs | where TimeGenerated > ago(7m)) on UserPrincipalName | summarize n = count() by UserPrincipalName",
    ),
    (
        Language::Kql,
        "SigninLogs | where ResultType == '50126' | make-series n = count() default = 0 on TimeGenerated step 5m by UserPrincipalName | project UserPrincipalName, n",
    ),
    (
        Language::Kql,
        "SigninLogs | where ResultType == '50126' | make-series n = count() default = 0 on TimeGenerated from ago(30m) to now() step 10m by UserPrincipalName | project UserPrincipalName, n",
    ),
    (
        Language::Kql,
        "SigninLogs | sort by TimeGenerated asc, UserPrincipalName asc | extend before = prev(UserPrincipalName) | where before == UserPrincipalName | project TimeGenerated, UserPrincipalName",
    ),
    (Language::Kql, "print moment = startofday(now())"),
    (
        Language::Kql,
        "SigninLogs | where ResultType == '50126' | summarize n = count() | extend moment = now()",
    ),
    (
        Language::Kql,
        "SigninLogs | where hourofday(TimeGenerated) == hourofday(now()) | summarize n = count() by ResultType",
    ),
    (
        Language::Sql,
        "SELECT \"UserPrincipalName\", count(*) AS n FROM SigninLogs WHERE \"ResultType\" = '50126' GROUP BY 1 HAVING count(*) > 1",
    ),
    (
        Language::Sql,
        "SELECT s.\"TimeGenerated\", s.\"UserPrincipalName\" FROM SigninLogs AS s WHERE s.\"TimeGenerated\" > now() - INTERVAL '25 minutes' \
         AND NOT EXISTS (SELECT 1 FROM AuditLogs AS a WHERE a.\"OperationName\" = s.\"UserPrincipalName\")",
    ),
];

/// A generator of numbers: the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).expect("31 bits") % end.max(1)
    }
}

pub(crate) fn iso(time: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(time).expect("a time of 2026");
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Events on whole and half minutes: they meet the edges of windows often, and each other.
pub(crate) fn events(dice: &mut Dice) -> (Vec<(String, Value)>, (i64, i64)) {
    let mut records = Vec::new();
    let mut times = Vec::new();
    for number in 0..4 + dice.below(24) {
        // In bunches, with long gaps between them.
        let time = FIRST + (dice.below(3) * 60 + dice.below(30)) * MINUTE / 2;
        times.push(time);
        let user = ["alice", "bob", "carla"][dice.below(3) as usize];
        let result = ["0", "50126"][dice.below(2) as usize];
        let (table, record) = match dice.below(4) {
            0 => (
                "AuditLogs",
                json!({"TimeGenerated": iso(time), "ActivityDateTime": iso(time), "Id": format!("a{number}"), "OperationName": user}),
            ),
            _ => (
                "SigninLogs",
                json!({
                    "TimeGenerated": iso(time),
                    "CreatedDateTime": iso(time),
                    "Id": format!("s{number}"),
                    "UserPrincipalName": user,
                    "OperationName": "Sign-in activity",
                    "ResultType": result,
                }),
            ),
        };
        records.push((table.to_string(), record));
    }
    let first = times.iter().min().expect("there are events");
    let last = times.iter().max().expect("there are events");
    (records, (*first, *last))
}

pub(crate) fn rule(dice: &mut Dice, (language, text): (Language, &str)) -> Rule {
    // A run a minute is a lot of runs.
    let kind = match dice.below(8) {
        0 => Kind::Nrt,
        1 | 2 => Kind::CustomDetection,
        _ => Kind::Scheduled,
    };
    let mut rule = Rule::new("r", kind, Query::new(language, text));
    rule.name = "A rule".into();
    rule.schedule = match kind {
        Kind::Nrt => Schedule::NearRealTime,
        // Periods shorter than the frequency leave gaps.
        _ => Schedule::Every {
            frequency: (300 * (1 + dice.below(6))).unsigned_abs(),
            period: (150 * (1 + dice.below(24))).unsigned_abs(),
        },
    };
    rule.trigger = match dice.below(4) {
        0 => Trigger {
            operator: Operator::Equal,
            threshold: 0,
        },
        1 => Trigger {
            operator: Operator::GreaterThan,
            threshold: 1,
        },
        _ => Trigger::ANY,
    };
    rule.suppression = (dice.below(3) == 0).then_some(1800);
    rule
}

pub(crate) fn delay(dice: &mut Dice) -> Delay {
    let minutes = |number: i64| number * MINUTE;
    match dice.below(3) {
        0 => Delay::None,
        1 => Delay::Fixed {
            tables: BTreeMap::new(),
            others: minutes(dice.below(20)),
        },
        _ => Delay::Fixed {
            tables: [("signinlogs".to_string(), minutes(dice.below(20)))].into(),
            others: minutes(dice.below(8)),
        },
    }
}

/// Alerts of a replay of each rule, and how many queries it took.
fn replayed_together(
    records: &[(String, Value)],
    data: (i64, i64),
    rules: &[&Rule],
    delay: &Delay,
    manner: Manner,
) -> Vec<(Vec<Alert>, u64)> {
    let rows = convert::in_memory(records).expect("events can be converted");
    let late = match delay {
        Delay::Fixed { tables, others } => Late {
            tables: tables.clone(),
            others: *others,
        },
        Delay::None | Delay::Export => Late::default(),
    };
    let options = engine::Options {
        threads: Some(2),
        late,
        recorded: *delay == Delay::Export,
        ..engine::Options::default()
    };
    let mut session = Session::open(Source::Memory(rows), &options).expect("a session");
    let how = Options {
        delay: delay.clone(),
        manner,
        memory: 1 << 30,
        ..Options::default()
    };
    let replayed = runs::replay(&mut session, rules, data, &how, &Silent).expect("a replay");
    assert_eq!(replayed.outcomes.len(), rules.len());
    let outcomes = replayed.outcomes.into_iter().map(|outcome| {
        let text = &outcome.rule.query.text;
        assert_eq!(outcome.status, Status::Replayed, "{text}");
        (outcome.alerts, outcome.asked)
    });
    outcomes.collect()
}

/// The same of one rule.
pub(crate) fn replayed(
    records: &[(String, Value)],
    data: (i64, i64),
    rule: &Rule,
    delay: &Delay,
    manner: Manner,
) -> (Vec<Alert>, u64) {
    let mut all = replayed_together(records, data, &[rule], delay, manner);
    all.pop().expect("one rule has one outcome")
}

#[test]
fn rows_that_are_read_once_give_what_each_run_finds() {
    let mut dice = Dice(15);
    let (mut raised, mut fewer) = (0, 0);
    for round in 0..2 {
        for query in QUERIES {
            let (records, data) = events(&mut dice);
            let rule = rule(&mut dice, query);
            let delay = delay(&mut dice);
            let replay = |manner| replayed(&records, data, &rule, &delay, manner);
            let (once, asked) = replay(Manner::Once);
            let (each, runs) = replay(Manner::EachRun);
            assert_eq!(
                once, each,
                "round {round}: {} {:?} {:?} {delay:?}",
                query.1, rule.kind, rule.schedule
            );
            raised += once.len();
            fewer += usize::from(asked < runs);
        }
    }
    assert!(raised > 30, "{raised} alerts");
    assert!(fewer > 10, "{fewer} took fewer queries");
}

/// Lets events say when they were ingested.
fn receive(dice: &mut Dice, records: &mut [(String, Value)]) {
    for (_, record) in records {
        let time = record["TimeGenerated"].as_str().expect("a text");
        let time = chrono::DateTime::parse_from_rfc3339(time).expect("a time");
        // One in four does not say it, and some say what cannot be.
        if dice.below(4) > 0 {
            let late = (dice.below(30) - 4) * MINUTE;
            record["_TimeReceived"] = iso(time.timestamp_micros() + late).into();
        }
    }
}

#[test]
fn rows_that_are_read_once_come_when_each_of_them_came() {
    let mut dice = Dice(16);
    let (mut raised, mut fewer, mut moved) = (0, 0, 0);
    for round in 0..2 {
        for query in QUERIES {
            let (mut records, data) = events(&mut dice);
            receive(&mut dice, &mut records);
            let rule = rule(&mut dice, query);
            let replay = |delay, manner| replayed(&records, data, &rule, delay, manner);
            let (once, asked) = replay(&Delay::Export, Manner::Once);
            let (each, runs) = replay(&Delay::Export, Manner::EachRun);
            assert_eq!(
                once, each,
                "round {round}: {} {:?} {:?}",
                query.1, rule.kind, rule.schedule
            );
            raised += once.len();
            fewer += usize::from(asked < runs);
            moved += usize::from(once != replay(&Delay::None, Manner::Once).0);
        }
    }
    assert!(raised > 15, "{raised} alerts");
    assert!(fewer > 5, "{fewer} took fewer queries");
    assert!(moved > 3, "{moved} are others than without a delay");
}

#[test]
fn rules_that_are_read_together_find_what_each_finds_alone() {
    let mut dice = Dice(16);
    for round in 0..3 {
        let (mut records, data) = events(&mut dice);
        let delay = match round {
            2 => Delay::Export,
            _ => delay(&mut dice),
        };
        if delay == Delay::Export {
            receive(&mut dice, &mut records);
        }
        let rules: Vec<Rule> = QUERIES
            .into_iter()
            .map(|query| rule(&mut dice, query))
            .collect();
        let all: Vec<&Rule> = rules.iter().collect();
        let together = replayed_together(&records, data, &all, &delay, Manner::Once);
        for (rule, (together, _)) in rules.iter().zip(together) {
            let (alone, _) = replayed(&records, data, rule, &delay, Manner::EachRun);
            assert_eq!(together, alone, "round {round}: {}", rule.query.text);
        }
    }
}

#[test]
fn runs_that_see_the_same_rows_are_asked_once() {
    // An event at 10:00 of the first day, and runs until the next evening.
    let ten = FIRST + 600 * MINUTE;
    let record = json!({"TimeGenerated": iso(ten), "CreatedDateTime": iso(ten), "Id": "s", "UserPrincipalName": "alice", "ResultType": "0"});
    let records = [("SigninLogs".to_string(), record)];
    let data = (ten, ten + 30 * 60 * MINUTE);
    for (text, alerts, asked) in [
        // All runs of a day see it.
        ("SigninLogs | where ResultType == '0'", 24, 1..=1),
        // Only the next one looks at it.
        ("SigninLogs | where TimeGenerated >= ago(1h)", 1, 1..=1),
        (
            "SigninLogs | where ResultType == '0' and TimeGenerated between (ago(3h) .. ago(1h))",
            3,
            1..=1,
        ),
        // What it says is another thing each time.
        ("SigninLogs | extend moment = now()", 24, 24..=24),
        ("SigninLogs | where ResultType == '1'", 0, 0..=0),
        // What must be lowered each time is asked where something is seen, and once over nothing.
        (
            "let least = toscalar(SigninLogs | where ResultType == '0' | count); SigninLogs | where ResultType == '0' | summarize n = count() by UserPrincipalName | where n >= least",
            24,
            24..=25,
        ),
    ] {
        let mut rule = Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, text));
        rule.schedule = Schedule::Every {
            frequency: 3600,
            period: 86_400,
        };
        let (raised, took) = replayed(&records, data, &rule, &Delay::None, Manner::Once);
        assert_eq!(raised.len(), alerts, "{text}");
        assert!(asked.contains(&took), "{text}: {took} queries");
    }
}

#[test]
fn runs_are_asked_again_when_a_late_row_has_come() {
    // Two events, one of which comes between the runs of 13:00 and 14:00. All runs of a day see the first.
    let ten = FIRST + 600 * MINUTE;
    let record = |id: &str, time: i64, come: i64| {
        let record = json!({"TimeGenerated": iso(time), "CreatedDateTime": iso(time), "Id": id, "UserPrincipalName": "alice", "ResultType": "0", "_TimeReceived": iso(come)});
        ("SigninLogs".to_string(), record)
    };
    let records = [
        record("s", ten, ten),
        record("t", ten + 10 * MINUTE, ten + 210 * MINUTE),
    ];
    let data = (ten, ten + 30 * 60 * MINUTE);
    let query = Query::new(Language::Kql, "SigninLogs | where ResultType == '0'");
    let mut rule = Rule::new("r", Kind::Scheduled, query);
    rule.schedule = Schedule::Every {
        frequency: 3600,
        period: 86_400,
    };
    let replay = |manner| replayed(&records, data, &rule, &Delay::Export, manner);
    let (raised, took) = replay(Manner::Once);
    assert_eq!(raised.len(), 24);
    assert_eq!(took, 2);
    assert_eq!(raised, replay(Manner::EachRun).0);
}

#[test]
fn ingestion_time_is_that_of_the_delay() {
    // At 10:00 and an hour late: seen by the run of 11:00, which executes at 11:05, as ingested at its own moment.
    let record = |time: i64| json!({"TimeGenerated": iso(time), "CreatedDateTime": iso(time), "Id": "s", "UserPrincipalName": "alice", "ResultType": "0"});
    let ten = FIRST + 600 * MINUTE;
    let records = [("SigninLogs".to_string(), record(ten))];
    let text = "SigninLogs | project At = ingestion_time(), TimeGenerated";
    let mut rule = Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, text));
    rule.schedule = Schedule::Every {
        frequency: 3600,
        period: 7200,
    };
    rule.custom_details = [("At".to_string(), "At".to_string())].into();
    let delay: Delay = "1h".parse().expect("a delay");
    let (alerts, _) = replayed(&records, (ten, ten), &rule, &delay, Manner::Once);
    let said: Vec<(i64, &str)> = alerts
        .iter()
        .map(|alert| (alert.time(), alert.custom_details[0].1[0].as_str()))
        .collect();
    let eleven = (ten + 65 * MINUTE, "2026-05-04T11:00:00Z");
    let noon = (ten + 125 * MINUTE, "2026-05-04T11:00:00Z");
    assert_eq!(said, [eleven, noon]);
}

/// Failed sign-ins, hour by hour.
pub(crate) const FAILED_SIGN_IN: &str = "id: 15000000-0000-4000-8000-000000000001
name: Failed sign-in
description: Somebody failed.
severity: Medium
kind: Scheduled
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
tactics: [CredentialAccess]
relevantTechniques: [T1110]
query: |
  SigninLogs
  | where ResultType == '50126'
  | project TimeGenerated, UserPrincipalName
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: UserPrincipalName
version: 1.0.0
";

/// An archive with failures at 08:10, 08:20 and 10:59, and the rule.
fn failures(folder: &Path) -> (String, String) {
    let mut lines = String::new();
    for (number, time) in ["08:10", "08:20", "10:59"].into_iter().enumerate() {
        let time = format!("2026-05-04T{time}:00.0000000Z");
        let record = json!({
            "TenantId": "5d26137c-a741-42e6-93a9-aed857efb7f0", "SourceSystem": "Azure AD", "TimeGenerated": time,
            "OperationName": "Sign-in activity", "Category": "SignInLogs", "ResultType": "50126",
            "CorrelationId": format!("15000000-0000-4000-8000-10000000000{number}"), "Identity": "Ada",
            "AppDisplayName": "Office 365 SharePoint Online", "CreatedDateTime": time,
            "Id": format!("15000000-0000-4000-8000-00000000000{number}"), "IPAddress": "192.0.2.7",
            "UserPrincipalName": "ada@contoso.com", "Type": "SigninLogs",
        });
        lines.push_str(&format!("{record}\n"));
    }
    let export = folder.join("SigninLogs.json");
    std::fs::write(&export, lines).expect("an export");
    let archive = folder.join("archive");
    ingest(&archive, &[export]);
    let rule = folder.join("rule.yaml");
    std::fs::write(&rule, FAILED_SIGN_IN).expect("a rule");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    (text(&archive), text(&rule))
}

#[test]
fn a_replay_says_which_alerts_there_would_have_been_and_when() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, rule) = failures(folder.path());
    let hunt = |more: &[&str]| {
        let mut arguments = vec![
            "hunt",
            "-a",
            &archive,
            "-r",
            &rule,
            "--replay",
            "--from",
            "2026-05-04T08:00",
        ];
        arguments.extend(more);
        let out = run(&arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        (text(&out.stdout), text(&out.stderr))
    };
    // The runs of nine and eleven see something and execute five minutes later; those of eight and ten do not.
    let (alerts, said) = hunt(&["-f", "json"]);
    let alerts: Value = serde_json::from_str(&alerts).expect("alerts are JSON");
    let times: Vec<&Value> = alerts
        .as_array()
        .expect("a list")
        .iter()
        .map(|alert| &alert["TimeGenerated"])
        .collect();
    assert_eq!(times, ["2026-05-04T09:05:00Z", "2026-05-04T11:05:00Z"]);
    assert_eq!(alerts[0]["StartTime"], "2026-05-04T08:10:00Z");
    assert_eq!(alerts[0]["EndTime"], "2026-05-04T08:20:00Z");
    let verdict = "2 alerts (2 medium) in 2 incidents from 4 runs of 1 rule, for which 2 queries were asked\n";
    assert!(said.ends_with(verdict), "{said}");
    // Run by run it is the same.
    let (each, said) = hunt(&["-f", "json", "--each-run"]);
    let each: Value = serde_json::from_str(&each).expect("alerts are JSON");
    assert_eq!(each, alerts);
    assert!(said.contains("4 queries were asked"), "{said}");
    // Ten minutes late, what happened at 10:59 is there at 11:09, and the run of noon does not look back so far.
    let (late, said) = hunt(&["-f", "ndjson", "--delay", "10m"]);
    assert_eq!(late.lines().count(), 1, "{late}");
    let missed = "without the delay: 2 alerts; of these 0 come later and 1 are missed, 0 come only with it\n";
    assert!(said.ends_with(missed), "{said}");
    let (incidents, _) = hunt(&["--incidents"]);
    assert_eq!(incidents.lines().count(), 3, "{incidents}");
    let (table, _) = hunt(&["-f", "csv"]);
    assert!(
        table.starts_with("TenantId,TimeGenerated,DisplayName,"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 3, "{table}");
}

#[test]
fn two_sets_of_rules_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, rule) = failures(folder.path());
    let other = folder.path().join("other.yaml");
    let twice = FAILED_SIGN_IN.replace("triggerThreshold: 0", "triggerThreshold: 1");
    std::fs::write(&other, twice).expect("a rule");
    let out = run(&[
        "hunt",
        "-a",
        &archive,
        "--replay",
        "--from",
        "2026-05-04T08:00",
        "--compare",
        &rule,
        &other.to_string_lossy(),
    ]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    let shown = String::from_utf8_lossy(&out.stdout);
    let only = shown
        .lines()
        .find(|line| line.trim_start().starts_with("only in the first"));
    let only = only.expect("the second rule wants two failures");
    assert!(only.contains("2026-05-04T11:05:00Z"), "{shown}");
    let verdict = "2 alerts and 1 alert: 1 the same, 1 only in the first, 0 only in the second\n";
    assert!(said.ends_with(verdict), "{said}");
}

#[test]
fn what_belongs_to_a_replay_needs_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, rule) = failures(folder.path());
    let cases: [&[&str]; 5] = [
        &["--delay", "5m"],
        &["--each-run"],
        &["--compare", &rule, &rule],
        &["--replay", "--compare", &rule, &rule, "--store"],
        &["--replay", "--delay", "soon"],
    ];
    for more in cases {
        let mut arguments = vec!["hunt", "-a", &archive];
        arguments.extend(more);
        assert_eq!(run(&arguments).status.code(), Some(2), "{more:?}");
    }
}
