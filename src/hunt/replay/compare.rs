//! Two replays side by side: what late data does to alerts, or what becomes of them under other rules.
//!
//! Alerts are about the same where a row of one is a row of the other, letter by letter, and their times meet: a row that says only a number is
//! equal in many runs and about other events in each. Where rows are sums of events, late events make other rows: then an alert over the same time
//! stands for it, unless both name entities of one kind and none of them is the same. Under other rules both must name one kind, too, where both name
//! something: much happens at the same time.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::alert::{Alert, AlertRows, seen};
use super::entity::AlertEntity;
use super::partners::Partners;
use super::schedule::Interval;

/// Which alerts can be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among<'a> {
    /// Those of rules with the same id: one set of rules, replayed in two ways.
    SameRule,
    /// All: an analytics rule and the custom detection made of it.
    AnyRule,
    /// Those of rules that belong together in two sets of rules.
    Partners(&'a Partners),
}

/// What became of an alert of the first replay in the second. The numbers are places in the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is there, at the same time and with the same rows.
    Same {
        /// Where.
        at: usize,
    },
    /// One of the same rows is there, so many microseconds later; earlier, where that is below zero.
    Shifted {
        /// Where.
        at: usize,
        /// How much later.
        by: i64,
    },
    /// One is there at the same time with more or fewer rows, or one about the same time with other rows, so many microseconds later.
    Changed {
        /// Where.
        at: usize,
        /// How much later.
        by: i64,
    },
    /// It is not there.
    Missing,
}

/// What two replays have in common, and what not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// What became of each alert of the first.
    pub fates: Vec<Fate>,
    /// Alerts of the second that stand for none of the first.
    pub added: Vec<usize>,
}

impl Comparison {
    /// How many are there at another time, or with other rows.
    pub fn other(&self) -> usize {
        let other = |fate: &&Fate| matches!(**fate, Fate::Shifted { .. } | Fate::Changed { .. });
        self.fates.iter().filter(other).count()
    }

    /// How many are missing.
    pub fn missing(&self) -> usize {
        let missing = |fate: &&Fate| **fate == Fate::Missing;
        self.fates.iter().filter(missing).count()
    }

    /// How many come later.
    pub fn late(&self) -> usize {
        let late = |fate: &&Fate| match **fate {
            Fate::Shifted { by, .. } | Fate::Changed { by, .. } => by > 0,
            Fate::Same { .. } | Fate::Missing => false,
        };
        self.fates.iter().filter(late).count()
    }
}

/// Alerts by the time of their first events, to be asked for those whose times meet another's.
#[derive(Default)]
struct ByTime {
    /// Time of the first event, and place; ascending once all are there.
    starts: Vec<(i64, usize)>,
    /// The longest time that one spans.
    longest: i64,
}

impl ByTime {
    fn add(&mut self, place: usize, alert: &Alert) {
        self.starts.push((alert.start, place));
        self.longest = alert.end.saturating_sub(alert.start).max(self.longest);
    }
}

/// Identifiers that many different entities share.
const DOMAINS: [&str; 3] = ["UPNSuffix", "NTDomain", "DnsDomain"];

/// What an alert names.
struct Named {
    /// Types of entities.
    kinds: HashSet<String>,
    /// By what: type of the entity and identifier.
    ways: HashSet<String>,
    /// The same with the value, in lower case.
    values: HashSet<(String, String)>,
}

impl Named {
    fn of(alert: &Alert) -> Named {
        // What it has no room for may be what another names.
        let entities: &[AlertEntity] = match alert.has_more_entities {
            true => &[],
            false => &alert.entities,
        };
        let kinds = entities.iter().map(|entity| entity.kind.to_lowercase());
        let kinds = kinds.collect();
        let (mut ways, mut values) = (HashSet::new(), HashSet::new());
        for entity in entities {
            let own = entity.identifiers.iter();
            for (name, value) in own.filter(|(name, _)| !DOMAINS.contains(&name.as_str())) {
                let way = format!("{} {name}", entity.kind).to_lowercase();
                values.insert((way.clone(), value.to_lowercase()));
                ways.insert(way);
            }
        }
        Named {
            kinds,
            ways,
            values,
        }
    }

    /// Whether both may name the same: where they cannot be compared, too.
    fn agrees(&self, other: &Named) -> bool {
        self.ways.is_disjoint(&other.ways) || !self.values.is_disjoint(&other.values)
    }

    /// Whether both may be about one thing, by its type; also where one does not say what it is about.
    fn is_about(&self, other: &Named) -> bool {
        self.kinds.is_empty() || other.kinds.is_empty() || !self.kinds.is_disjoint(&other.kinds)
    }
}

/// The alerts of a replay, to be looked for.
struct Index<'a> {
    alerts: &'a [Alert],
    among: Among<'a>,
    by_row: HashMap<(&'a str, u128), ByTime>,
    by_rule: HashMap<&'a str, ByTime>,
    /// What each names, once that is asked.
    named: OnceCell<Vec<Named>>,
}

impl<'a> Index<'a> {
    fn of(alerts: &'a [Alert], among: Among<'a>) -> Index<'a> {
        let mut index = Index {
            alerts,
            among,
            by_row: HashMap::new(),
            by_rule: HashMap::new(),
            named: OnceCell::new(),
        };
        for (place, alert) in alerts.iter().enumerate() {
            let rule = index.rule(alert);
            for row in &alert.fingerprints {
                let alerts = index.by_row.entry((rule, *row)).or_default();
                alerts.add(place, alert);
            }
            index.by_rule.entry(rule).or_default().add(place, alert);
        }
        let all = index.by_row.values_mut().chain(index.by_rule.values_mut());
        for alerts in all {
            alerts.starts.sort_unstable();
        }
        index
    }

    fn rule<'b>(&self, alert: &'b Alert) -> &'b str
    where
        'a: 'b,
    {
        match self.among {
            Among::SameRule => &alert.rule,
            Among::AnyRule => "",
            Among::Partners(partners) => partners.common(&alert.rule),
        }
    }

    /// Those that share a row and a moment with an alert.
    fn sharing(&self, alert: &Alert) -> Vec<usize> {
        let rule = self.rule(alert);
        let rows = alert.fingerprints.iter();
        rows.filter_map(|row| self.by_row.get(&(rule, *row)))
            .flat_map(|alerts| self.of_its_time(alerts, alert))
            .collect()
    }

    /// Those that share a moment with an alert, and name nothing else than it; where rules are others, something of its kind.
    fn meeting(&self, alert: &Alert) -> Vec<usize> {
        let Some(alerts) = self.by_rule.get(self.rule(alert)) else {
            return Vec::new();
        };
        let mut places = self.of_its_time(alerts, alert);
        if !places.is_empty() {
            let all = self
                .named
                .get_or_init(|| self.alerts.iter().map(Named::of).collect());
            let own = Named::of(alert);
            places.retain(|place| {
                let other = &all[*place];
                own.agrees(other) && (self.among == Among::SameRule || own.is_about(other))
            });
        }
        places
    }

    /// Of some alerts those that share a moment with another.
    fn of_its_time(&self, alerts: &ByTime, alert: &Alert) -> Vec<usize> {
        let starts = &alerts.starts;
        let earliest = alert.start.saturating_sub(alerts.longest);
        let first = starts.partition_point(|(start, _)| *start < earliest);
        let meant = activity(alert);
        starts[first..]
            .iter()
            .take_while(|(start, _)| *start <= alert.end)
            .map(|(_, place)| *place)
            .filter(|place| activity(&self.alerts[*place]).meets(meant))
            .collect()
    }

    /// Of some alerts the one that is written at the same time as another; else the first behind it, else the last before it. Of several, one that
    /// stands for as many rows. And how much later it is.
    fn nearest(&self, places: &[usize], alert: &Alert) -> Option<(usize, i64)> {
        let by = |place: &usize| {
            let by = self.alerts[*place].time().saturating_sub(alert.time());
            (*place, by)
        };
        places.iter().map(by).min_by_key(|(place, by)| {
            let before = *by < 0;
            let other_rows = self.alerts[*place].rows != alert.rows;
            (before, by.unsigned_abs(), other_rows, *place)
        })
    }
}

/// The time of an alert's events, the last moment with it; of an alert that has no times of events, what its run saw.
fn activity(alert: &Alert) -> Interval {
    let of_events = Interval {
        from: alert.start,
        to: alert.end.max(alert.start),
    };
    // The end of a window is in the next one: two runs in a row have not seen the same.
    if of_events == seen(&alert.run) {
        return of_events;
    }
    Interval {
        to: of_events.to.saturating_add(1),
        ..of_events
    }
}

/// Whether two alerts stand for the same rows, as far as their fingerprints and numbers tell.
fn same_rows(one: &Alert, other: &Alert) -> bool {
    let number = |alert: &Alert| match alert.rows {
        AlertRows::One => 1,
        AlertRows::All | AlertRows::Rest => alert.overall,
    };
    one.fingerprints == other.fingerprints && number(one) == number(other)
}

fn is_empty(alert: &Alert) -> bool {
    alert.fingerprints.is_empty()
}

/// What became of the alerts of one replay in another.
pub fn compare(first: &[Alert], second: &[Alert], among: Among<'_>) -> Comparison {
    let index = Index::of(second, among);
    let mut met: HashSet<usize> = HashSet::new();
    let mut fates = Vec::with_capacity(first.len());
    for alert in first {
        let sharing = index.sharing(alert);
        if let Some((at, by)) = index.nearest(&sharing, alert) {
            met.extend(sharing);
            fates.push(match by {
                0 if same_rows(alert, &second[at]) => Fate::Same { at },
                0 => Fate::Changed { at, by },
                by => Fate::Shifted { at, by },
            });
            continue;
        }
        let meeting = index.meeting(alert);
        fates.push(match index.nearest(&meeting, alert) {
            None => Fate::Missing,
            // Two alerts over nothing have no rows that could differ.
            Some((at, by)) if is_empty(alert) && is_empty(&second[at]) => match by {
                0 => Fate::Same { at },
                by => Fate::Shifted { at, by },
            },
            Some((at, by)) => Fate::Changed { at, by },
        });
        met.extend(meeting);
    }
    let added = (0..second.len()).filter(|at| !met.contains(at)).collect();
    Comparison { fates, added }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::super::delay::Delay;
    use super::super::judge::{Raised, replay};
    use super::super::needed::needed;
    use super::super::result_row::ResultRow;
    use super::super::schedule::{HOUR, MINUTE, Run, Timetable};
    use super::*;
    use crate::rules::{EventGrouping, Kind, Language, Operator, Query, Rule, Schedule, Trigger};

    fn rule(frequency: i64, period: i64) -> Rule {
        let mut rule = Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, "T"));
        rule.schedule = Schedule::Every {
            frequency: (frequency / 1_000_000).unsigned_abs(),
            period: (period / 1_000_000).unsigned_abs(),
        };
        rule
    }

    /// A replay from 00:00 to 12:00 of a query that gives each event of its table.
    fn run(rule: &Rule, events: &[i64], delay: &Delay) -> Vec<Alert> {
        let over = Interval {
            from: 0,
            to: 12 * HOUR,
        };
        let table = Timetable::of(rule, over).expect("a schedule");
        let answer = |run: &Run| -> Result<Vec<ResultRow>, String> {
            let seen = events.iter().filter(|time| {
                let ingested = delay.ingested("T", **time, None);
                run.sees(**time, ingested)
            });
            let row = |time: &i64| ResultRow {
                time: Some(*time),
                cells: Map::from_iter([("Time".to_string(), Value::from(*time))]),
            };
            Ok(seen.map(row).collect())
        };
        let raised: Raised =
            replay(rule, &table, &needed(&table, events), &[], answer).expect("no error");
        raised.alerts
    }

    #[test]
    fn with_a_period_as_long_as_the_frequency_a_late_event_is_missed() {
        let rule = rule(HOUR, HOUR);
        // At 02:10 and 03:57. The run of 04:00 executes at 04:05 and does not see what comes at 04:07.
        let events = [2 * HOUR + 10 * MINUTE, 3 * HOUR + 57 * MINUTE];
        let at_once = run(&rule, &events, &Delay::None);
        let late = run(&rule, &events, &"10m".parse().expect("a delay"));
        let compared = compare(&at_once, &late, Among::SameRule);
        assert_eq!(compared.fates, [Fate::Same { at: 0 }, Fate::Missing]);
        assert_eq!((compared.missing(), compared.late()), (1, 0));
        assert!(compared.added.is_empty());
        // Seven minutes late is early enough.
        let late = run(&rule, &events, &"7m".parse().expect("a delay"));
        assert_eq!(compare(&at_once, &late, Among::SameRule).missing(), 0);
    }

    #[test]
    fn an_alert_that_lacks_a_late_event_is_changed() {
        let rule = rule(HOUR, HOUR);
        let events = [3 * HOUR + 20 * MINUTE, 3 * HOUR + 57 * MINUTE];
        let at_once = run(&rule, &events, &Delay::None);
        let late = run(&rule, &events, &"10m".parse().expect("a delay"));
        let compared = compare(&at_once, &late, Among::SameRule);
        assert_eq!(compared.fates, [Fate::Changed { at: 0, by: 0 }]);
        assert_eq!((compared.missing(), compared.late()), (0, 0));
    }

    #[test]
    fn an_alert_of_one_row_is_the_same_whatever_other_rows_its_run_lacks() {
        let mut rule = rule(HOUR, HOUR);
        rule.event_grouping = EventGrouping::AlertPerResult;
        let events = [3 * HOUR + 20 * MINUTE, 3 * HOUR + 57 * MINUTE];
        let at_once = run(&rule, &events, &Delay::None);
        let late = run(&rule, &events, &"10m".parse().expect("a delay"));
        let compared = compare(&at_once, &late, Among::SameRule);
        assert_eq!(compared.fates, [Fate::Same { at: 0 }, Fate::Missing]);
    }

    #[test]
    fn with_a_longer_period_a_late_event_makes_a_late_alert() {
        let rule = rule(HOUR, 2 * HOUR);
        let events = [3 * HOUR + 57 * MINUTE];
        let at_once = run(&rule, &events, &Delay::None);
        let late = run(&rule, &events, &"10m".parse().expect("a delay"));
        // Runs of four and five see it at once, only that of five sees it late.
        assert_eq!((at_once.len(), late.len()), (2, 1));
        let compared = compare(&at_once, &late, Among::SameRule);
        let fates = [Fate::Shifted { at: 0, by: HOUR }, Fate::Same { at: 0 }];
        assert_eq!(compared.fates, fates);
        assert_eq!((compared.missing(), compared.late()), (0, 1));
        let back = compare(&late, &at_once, Among::SameRule);
        assert_eq!(back.fates, [Fate::Same { at: 1 }]);
        assert!(back.added.is_empty());
    }

    #[test]
    fn an_alert_over_nothing_that_late_data_raises_is_added() {
        let mut rule = rule(HOUR, HOUR);
        rule.trigger = Trigger {
            operator: Operator::Equal,
            threshold: 0,
        };
        // Each hour has an event in its last minutes, but that from three to four.
        let events: Vec<i64> = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]
            .map(|hour| hour * HOUR + 58 * MINUTE)
            .to_vec();
        let at_once = run(&rule, &events, &Delay::None);
        let late = run(&rule, &events, &"10m".parse().expect("a delay"));
        // The run at midnight sees what was before, and that of four the hour without an event.
        assert_eq!((at_once.len(), late.len()), (2, 12));
        let compared = compare(&at_once, &late, Among::SameRule);
        assert_eq!(compared.fates, [Fate::Same { at: 0 }, Fate::Same { at: 4 }]);
        assert_eq!(compared.late(), 0);
        assert_eq!(compared.added, [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn equal_rows_of_other_times_are_about_something_else() {
        let rule = rule(HOUR, HOUR);
        let events = [1, 2, 3].map(|hour| hour * HOUR + 10 * MINUTE);
        let mut all = run(&rule, &events, &Delay::None);
        for alert in &mut all {
            // A row that says a number and no time.
            alert.fingerprints = vec![1];
            (alert.start, alert.end) = (alert.run.window.from, alert.run.window.to);
        }
        let one = compare(&all[..1], &all, Among::SameRule);
        assert_eq!(one.fates, [Fate::Same { at: 0 }]);
        assert_eq!(one.added, [1, 2]);
        let other = compare(&all[..1], &all[2..], Among::SameRule);
        assert_eq!((other.fates, other.added), (vec![Fate::Missing], vec![0]));
    }

    #[test]
    fn an_alert_about_somebody_else_is_another_one() {
        let rule = rule(HOUR, HOUR);
        let about = |number: u128, identifiers: &[(&str, &str)]| {
            let mut alert = run(&rule, &[HOUR + 10 * MINUTE], &Delay::None).remove(0);
            let identifiers = identifiers.iter();
            alert.fingerprints = vec![number];
            alert.entities = vec![AlertEntity {
                kind: "Account".into(),
                identifiers: identifiers
                    .map(|(name, value)| ((*name).into(), (*value).into()))
                    .collect(),
            }];
            alert
        };
        let ada = about(1, &[("Name", "ada"), ("UPNSuffix", "contoso.com")]);
        let ben = about(2, &[("Name", "ben"), ("UPNSuffix", "contoso.com")]);
        let also_ada = about(3, &[("Name", "Ada"), ("AadUserId", "7")]);
        let unknown = about(4, &[("AadUserId", "9")]);
        let fate = |one: &Alert, others: &[&Alert]| {
            let others: Vec<Alert> = others.iter().copied().cloned().collect();
            let compared = compare(std::slice::from_ref(one), &others, Among::AnyRule);
            (compared.fates[0], compared.added)
        };
        let changed = |at| Fate::Changed { at, by: 0 };
        assert_eq!(fate(&ada, &[&ben]), (Fate::Missing, vec![0]));
        assert_eq!(fate(&ada, &[&ben, &also_ada]), (changed(1), vec![0]));
        // A name and a number cannot be compared.
        assert_eq!(fate(&ada, &[&unknown]), (changed(0), vec![]));
        assert_eq!(fate(&also_ada, &[&unknown]), (Fate::Missing, vec![0]));
    }

    #[test]
    fn rows_that_differ_leave_an_alert_of_the_same_time() {
        let rule = rule(HOUR, HOUR);
        let one = run(
            &rule,
            &[HOUR + 10 * MINUTE, HOUR + 20 * MINUTE],
            &Delay::None,
        );
        let mut other = one.clone();
        other[0].fingerprints = vec![1];
        other[0].rule = "other".into();
        assert_eq!(
            compare(&one, &other, Among::AnyRule).fates,
            [Fate::Changed { at: 0, by: 0 }]
        );
        let apart = compare(&one, &other, Among::SameRule);
        assert_eq!((apart.missing(), apart.added), (1, vec![0]));
        other[0].start += HOUR;
        other[0].end += HOUR;
        let apart = compare(&one, &other, Among::AnyRule);
        assert_eq!((apart.missing(), apart.added), (1, vec![0]));
    }

    fn about(alert: &Alert, name: &str) -> Alert {
        let mut alert = alert.clone();
        alert.entities = vec![AlertEntity {
            kind: "Account".into(),
            identifiers: vec![("Name".into(), name.into())],
        }];
        // As after `summarize` under another rule.
        alert.fingerprints = vec![name.len() as u128];
        alert
    }

    #[test]
    fn an_alert_of_the_same_time_about_somebody_else_is_another_one() {
        let one = run(&rule(HOUR, HOUR), &[HOUR + 10 * MINUTE], &Delay::None);
        let ada = [about(&one[0], "ada")];
        let mut both = [about(&one[0], "robert"), about(&one[0], "ADA")];
        both[1].fingerprints = vec![99];
        let compared = compare(&ada, &both, Among::AnyRule);
        assert_eq!(compared.fates, [Fate::Changed { at: 1, by: 0 }]);
        assert_eq!((compared.added, compared.fates.len()), (vec![0], 1));
        // What cannot be compared may be the same under the same rule.
        let mut host = [about(&one[0], "laptop")];
        host[0].entities[0].kind = "Host".into();
        assert_eq!(compare(&ada, &host, Among::AnyRule).missing(), 1);
        assert_eq!(compare(&ada, &host, Among::SameRule).missing(), 0);
    }
}
