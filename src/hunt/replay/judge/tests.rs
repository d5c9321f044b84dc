use std::convert::Infallible;

use serde_json::{Map, Value};

use super::super::delay::Delay;
use super::super::needed::needed;
use super::super::schedule::{Axis, HOUR, Interval, MINUTE, SECOND};
use super::*;
use crate::rules::{EntityMapping, FieldMapping, Language, Operator, Query, Schedule, Trigger};

fn rule(kind: Kind) -> Rule {
    let mut rule = Rule::new("r", kind, Query::new(Language::Kql, "T"));
    rule.name = "Rule".into();
    rule.schedule = match kind {
        Kind::Nrt => Schedule::NearRealTime,
        _ => Schedule::Every {
            frequency: 3600,
            period: 3600,
        },
    };
    rule
}

fn table(rule: &Rule, from: i64, to: i64) -> Timetable {
    Timetable::of(rule, Interval { from, to }).expect("it has a schedule")
}

fn row(n: i64) -> ResultRow {
    ResultRow {
        time: Some(n),
        cells: Map::from_iter([("N".to_string(), Value::from(n))]),
    }
}

fn rows(count: i64) -> Vec<ResultRow> {
    (0..count).map(row).collect()
}

/// What a run of so many rows raises.
fn raised(rule: &Rule, count: i64) -> Raised {
    let mut judge = Judge::new(rule);
    judge.judge(&table(rule, 0, HOUR).run(0), &rows(count));
    judge.finish()
}

#[test]
fn every_operator_compares_the_rows_of_one_run() {
    let mut rule = rule(Kind::Scheduled);
    let mut fires = |operator, threshold| -> Vec<i64> {
        rule.trigger = Trigger {
            operator,
            threshold,
        };
        let fires = |count: &i64| !raised(&rule, *count).alerts.is_empty();
        (0..5).filter(fires).collect()
    };
    assert_eq!(fires(Operator::GreaterThan, 0), [1, 2, 3, 4]);
    assert_eq!(fires(Operator::GreaterThan, 2), [3, 4]);
    assert_eq!(fires(Operator::LessThan, 2), [0, 1]);
    assert!(fires(Operator::LessThan, 0).is_empty());
    assert_eq!(fires(Operator::Equal, 0), [0]);
    assert_eq!(fires(Operator::Equal, 3), [3]);
    assert_eq!(fires(Operator::NotEqual, 0), [1, 2, 3, 4]);
    assert_eq!(fires(Operator::NotEqual, 3), [0, 1, 2, 4]);
}

#[test]
fn rows_are_never_counted_over_several_runs() {
    let mut rule = rule(Kind::Scheduled);
    rule.trigger = Trigger {
        operator: Operator::GreaterThan,
        threshold: 2,
    };
    let mut judge = Judge::new(&rule);
    for run in table(&rule, 0, 5 * HOUR).runs() {
        judge.judge(&run, &rows(2));
    }
    assert_eq!(judge.finish(), Raised::default());
}

#[test]
fn a_run_is_one_alert_or_one_for_each_row() {
    let mut rule = rule(Kind::Scheduled);
    let one = raised(&rule, 7).alerts;
    assert_eq!(one.len(), 1);
    assert_eq!((one[0].rows, one[0].overall), (AlertRows::All, 7));
    assert_eq!((one[0].start, one[0].end), (0, 6));
    rule.event_grouping = EventGrouping::AlertPerResult;
    let each = raised(&rule, 7).alerts;
    assert_eq!(each.len(), 7);
    let ids: HashSet<&str> = each.iter().map(|alert| alert.id.as_str()).collect();
    assert_eq!(ids.len(), 7);
    assert_eq!(each[3].record.as_deref(), Some("{\"N\":3}"));
    assert_eq!((each[3].start, each[3].end, each[3].overall), (3, 3, 7));
    // Over nothing there is one all the same.
    rule.trigger = Trigger {
        operator: Operator::Equal,
        threshold: 0,
    };
    let nothing = raised(&rule, 0).alerts;
    assert_eq!(nothing.len(), 1);
    assert_eq!(nothing[0].rows, AlertRows::All);
}

#[test]
fn of_more_than_150_rows_the_last_alert_is_of_all() {
    let mut rule = rule(Kind::Scheduled);
    rule.event_grouping = EventGrouping::AlertPerResult;
    let all = raised(&rule, 150).alerts;
    assert_eq!(all.len(), 150);
    assert!(all.iter().all(|alert| alert.rows == AlertRows::One));
    let more = raised(&rule, 151).alerts;
    assert_eq!(more.len(), 150);
    assert_eq!(more[148].record.as_deref(), Some("{\"N\":148}"));
    let last = &more[149];
    assert_eq!((last.rows, last.overall), (AlertRows::Rest, 151));
    // The entire set, those with alerts of their own too.
    assert_eq!((last.start, last.end), (0, 150));
}

#[test]
fn of_more_than_30_rows_of_an_nrt_rule_the_last_alert_is_of_all() {
    let mut rule = rule(Kind::Nrt);
    rule.event_grouping = EventGrouping::AlertPerResult;
    assert_eq!(raised(&rule, 30).alerts[29].rows, AlertRows::One);
    let more = raised(&rule, 31).alerts;
    assert_eq!(more.len(), 30);
    assert_eq!(more[28].rows, AlertRows::One);
    assert_eq!((more[29].rows, more[29].end), (AlertRows::Rest, 30));
}

#[test]
fn equal_rows_are_different_alerts() {
    let mut rule = rule(Kind::Scheduled);
    rule.event_grouping = EventGrouping::AlertPerResult;
    let mut judge = Judge::new(&rule);
    judge.judge(&table(&rule, 0, HOUR).run(0), &[row(1), row(1), row(2)]);
    let alerts = judge.finish().alerts;
    let ids: HashSet<&str> = alerts.iter().map(|alert| alert.id.as_str()).collect();
    assert_eq!(ids.len(), 3);
}

/// The hours for which an hourly rule that always has a row is planned and raises an alert.
fn alert_hours(suppression: Option<u64>) -> Vec<i64> {
    let mut rule = rule(Kind::Scheduled);
    rule.suppression = suppression;
    let mut judge = Judge::new(&rule);
    for run in table(&rule, 0, 8 * HOUR).runs() {
        judge.judge(&run, &rows(1));
    }
    let raised = judge.finish();
    assert_eq!(raised.alerts.len() as u64 + raised.suppressed, 8);
    raised.alerts.iter().map(|a| a.run.at / HOUR).collect()
}

#[test]
fn a_rule_is_silent_from_its_last_alert_for_the_duration() {
    assert_eq!(alert_hours(None), [0, 1, 2, 3, 4, 5, 6, 7]);
    // It runs again when three hours are over, not when more than three are.
    assert_eq!(alert_hours(Some(3 * 3600)), [0, 3, 6]);
    assert_eq!(alert_hours(Some(3 * 3600 + 1)), [0, 4]);
    assert_eq!(alert_hours(Some(3 * 3600 - 1)), [0, 3, 6]);
    assert_eq!(alert_hours(Some(3600)), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(alert_hours(Some(24 * 3600)), [0]);
}

#[test]
fn only_an_alert_silences() {
    let mut rule = rule(Kind::Scheduled);
    rule.suppression = Some(2 * 3600);
    rule.trigger = Trigger {
        operator: Operator::GreaterThan,
        threshold: 1,
    };
    let mut judge = Judge::new(&rule);
    for (run, count) in table(&rule, 0, 6 * HOUR).runs().zip([1, 2, 9, 1, 2, 2]) {
        judge.judge(&run, &rows(count));
    }
    let raised = judge.finish();
    let hours: Vec<i64> = raised.alerts.iter().map(|a| a.run.at / HOUR).collect();
    // At two it is silent; at three it runs and has too few.
    assert_eq!(hours, [1, 4]);
    assert_eq!(raised.suppressed, 2);
}

#[test]
fn a_rule_that_raises_alerts_without_end_is_given_up() {
    let mut rule = rule(Kind::Scheduled);
    rule.trigger = Trigger {
        operator: Operator::Equal,
        threshold: 0,
    };
    // The data of a year, and one event of the year 1.
    let table = table(&rule, 0, 17_000_000 * HOUR);
    let nothing = |_: &Run| Ok::<Vec<ResultRow>, Infallible>(Vec::new());
    let Ok(raised) = replay(&rule, &table, &[], &[], nothing);
    assert!(raised.too_many);
    assert_eq!(raised.alerts.len(), MOST_ALERTS + 1);
}

fn detection() -> Rule {
    let mut rule = rule(Kind::CustomDetection);
    rule.schedule = Schedule::Every {
        frequency: 3600,
        period: 4 * 3600,
    };
    rule.entities = vec![EntityMapping {
        entity_type: "Account".into(),
        field_mappings: vec![FieldMapping {
            identifier: "Name".into(),
            column_name: "N".into(),
        }],
    }];
    rule
}

#[test]
fn a_custom_detection_that_sees_an_event_four_times_raises_one_alert() {
    let rule = detection();
    let table = table(&rule, 0, 10 * HOUR);
    let mut judge = Judge::new(&rule);
    let event = 2 * HOUR + MINUTE;
    for run in table.runs().filter(|run| run.sees(event, event)) {
        judge.judge(&run, &[row(event)]);
    }
    let alerts = judge.finish().alerts;
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].run.at, 3 * HOUR);
    assert_eq!(alerts[0].repeats, 3);
}

#[test]
fn an_alert_of_a_custom_detection_stands_for_the_rows_of_all_its_firings() {
    let rule = detection();
    let mut judge = Judge::new(&rule);
    let [first, second] = [1, 2].map(|number| {
        let mut row = row(7);
        row.time = Some(number * MINUTE);
        row.cells.insert("Number".into(), number.into());
        row
    });
    for run in table(&rule, 0, 2 * HOUR).runs() {
        judge.judge(&run, &[first.clone(), second.clone()]);
    }
    let alerts = judge.finish().alerts;
    assert_eq!((alerts.len(), alerts[0].repeats), (1, 3));
    assert_eq!((alerts[0].start, alerts[0].end), (MINUTE, 2 * MINUTE));
    let mut rows = [first.digest(), second.digest()];
    rows.sort_unstable();
    assert_eq!(alerts[0].fingerprints, rows);
}

#[test]
fn a_custom_detection_raises_150_alerts_a_run() {
    let raised = raised(&detection(), 160);
    assert_eq!(raised.alerts.len(), 150);
    assert_eq!(raised.dropped, 10);
    // Rows about the same are one alert, so that they cost nothing.
    let rule = detection();
    let mut judge = Judge::new(&rule);
    let same = vec![row(1); 160];
    judge.judge(&table(&rule, 0, HOUR).run(0), &same);
    let raised = judge.finish();
    assert_eq!((raised.alerts.len(), raised.dropped), (1, 0));
}

/// A generator of numbers: the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).expect("31 bits") % end.max(1)
    }
}

/// An event that passes the filter of a rule: when it happened, and when it was ingested.
type Event = (i64, i64);

/// What a query answers over some events: a row each, a row of their number where there are some, or always a row of their number.
fn answer(query: i64, events: &[Event]) -> Vec<ResultRow> {
    let count = i64::try_from(events.len()).expect("a few");
    match query {
        0 => events.iter().map(|(time, _)| row(*time)).collect(),
        1 if events.is_empty() => Vec::new(),
        _ => vec![ResultRow {
            time: None,
            ..row(count)
        }],
    }
}

fn random_rule(dice: &mut Dice) -> Rule {
    let kinds = [Kind::Scheduled, Kind::Nrt, Kind::CustomDetection];
    let kind = kinds[usize::try_from(dice.below(3)).expect("small")];
    let mut rule = match kind {
        Kind::CustomDetection => detection(),
        _ => rule(kind),
    };
    if kind != Kind::Nrt {
        let frequency = (300 + dice.below(4) * 60).unsigned_abs();
        let period = frequency * (1 + dice.below(4)).unsigned_abs();
        rule.schedule = Schedule::Every { frequency, period };
    }
    let operators = [
        Operator::GreaterThan,
        Operator::LessThan,
        Operator::Equal,
        Operator::NotEqual,
    ];
    if kind == Kind::Scheduled {
        rule.trigger = Trigger {
            operator: operators[usize::try_from(dice.below(4)).expect("small")],
            threshold: dice.below(3).unsigned_abs(),
        };
        rule.suppression = (dice.below(2) == 0).then(|| (dice.below(30) * 60).unsigned_abs());
    }
    if dice.below(2) == 0 {
        rule.event_grouping = EventGrouping::AlertPerResult;
    }
    rule
}

#[test]
fn a_replay_that_skips_runs_raises_what_a_replay_of_all_runs_raises() {
    let mut dice = Dice(7);
    for round in 0..300 {
        let rule = random_rule(&mut dice);
        let from = 100 * HOUR;
        let table = table(&rule, from, from + 3 * HOUR);
        let delay = match dice.below(3) {
            0 => Delay::None,
            1 => "4m".parse().expect("a delay"),
            _ => Delay::Export,
        };
        // On whole minutes, so that edges and ties are met often; some before the first run.
        let mut events: Vec<Event> = (0..dice.below(10))
            .map(|_| {
                let time = from + (dice.below(200) - 20) * MINUTE;
                let late = dice.below(20) * MINUTE - 5 * SECOND;
                (time, delay.ingested("T", time, Some(time + late)))
            })
            .collect();
        events.sort_unstable();
        let query = dice.below(3);
        let over = |run: &Run| -> Result<Vec<ResultRow>, Infallible> {
            let seen: Vec<Event> = events
                .iter()
                .copied()
                .filter(|(time, ingested)| run.sees(*time, *ingested))
                .collect();
            Ok(answer(query, &seen))
        };
        let mut naive = Judge::new(&rule);
        for run in table.runs() {
            let Ok(rows) = over(&run);
            naive.judge(&run, &rows);
        }
        let mut times: Vec<i64> = events
            .iter()
            .map(|(time, ingested)| match table.axis() {
                Axis::Event => *time,
                Axis::Ingestion => *ingested,
            })
            .collect();
        times.sort_unstable();
        let mut asked = 0_u64;
        let needed = needed(&table, &times);
        let Ok(quick) = replay(&rule, &table, &needed, &answer(query, &[]), |run| {
            asked += 1;
            over(run)
        });
        assert_eq!(quick, naive.finish(), "round {round}");
        let most: u64 = needed.iter().map(|runs| runs.end - runs.start).sum();
        assert!(asked <= most && most <= table.count(), "round {round}");
    }
}
