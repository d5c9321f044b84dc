//! Which runs can see a row that passes the rule's filter. All others have the answer over nothing, which is worked out once.

use std::ops::Range;

use super::schedule::Timetable;

/// Numbers of the runs that can see one of these rows: ranges in order, none of which touches another.
///
/// The times are those of [`Timetable::axis`], in ascending order: of the rows of every filtered scan of the rule. Where events are ingested late,
/// runs are named that do not see them yet; none that sees one is left out.
pub fn needed(timetable: &Timetable, candidates: &[i64]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut add = |from: i128, to: i128| {
        let (Ok(from), Ok(to)) = (u64::try_from(from), u64::try_from(to)) else {
            return;
        };
        match runs.last_mut() {
            _ if from >= to => {}
            Some(last) if from <= last.end => last.end = last.end.max(to),
            _ => runs.push(from..to),
        }
    };
    if let Some(look) = timetable.first_look() {
        let at = candidates.partition_point(|time| *time < look.from);
        if candidates.get(at).is_some_and(|time| look.holds(*time)) {
            add(0, 1);
        }
    }
    for time in candidates {
        let (from, to) = timetable.seeing(*time);
        add(from, to);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::schedule::{Axis, DAY, HOUR, Interval, MINUTE, SECOND};
    use super::*;
    use crate::rules::{Kind, Language, Query, Rule, Schedule};

    fn table(kind: Kind, schedule: Schedule, from: i64, to: i64) -> Timetable {
        let mut rule = Rule::new("r", kind, Query::new(Language::Kql, "T"));
        rule.schedule = schedule;
        Timetable::of(&rule, Interval { from, to }).expect("it has a schedule")
    }

    fn of(table: &Timetable, times: &[i64]) -> Vec<(u64, u64)> {
        let runs = needed(table, times);
        runs.into_iter().map(|r| (r.start, r.end)).collect()
    }

    #[test]
    fn an_event_is_seen_by_the_runs_of_one_period_behind_it() {
        let schedule = Schedule::Every {
            frequency: 3600,
            period: 3 * 3600,
        };
        let table = table(Kind::Scheduled, schedule, 0, DAY);
        assert!(of(&table, &[]).is_empty());
        // Of 05:30: the runs at six, seven and eight.
        assert_eq!(of(&table, &[5 * HOUR + 30 * MINUTE]), [(6, 9)]);
        // Of five sharp: the run at five has ended, that at eight still begins with it.
        assert_eq!(of(&table, &[5 * HOUR]), [(6, 9)]);
        assert_eq!(of(&table, &[5 * HOUR - 1]), [(5, 8)]);
        assert_eq!(of(&table, &[5 * HOUR, 8 * HOUR]), [(6, 12)]);
        assert_eq!(of(&table, &[5 * HOUR, 12 * HOUR]), [(6, 9), (13, 16)]);
        // Before the first run, and behind the last.
        assert_eq!(of(&table, &[-HOUR]), [(0, 3)]);
        assert!(of(&table, &[-4 * HOUR]).is_empty());
        assert_eq!(of(&table, &[22 * HOUR, 23 * HOUR]), [(23, 24)]);
    }

    #[test]
    fn the_first_run_of_a_custom_detection_is_needed_for_thirty_days() {
        let schedule = Schedule::Every {
            frequency: 3600,
            period: 4 * 3600,
        };
        let table = table(
            Kind::CustomDetection,
            schedule,
            40 * DAY,
            40 * DAY + 10 * HOUR,
        );
        assert!(of(&table, &[9 * DAY]).is_empty());
        assert_eq!(of(&table, &[9 * DAY, 20 * DAY]), [(0, 1)]);
        assert_eq!(of(&table, &[40 * DAY - HOUR]), [(0, 4)]);
        assert_eq!(
            of(&table, &[20 * DAY, 40 * DAY + 5 * HOUR]),
            [(0, 1), (6, 10)]
        );
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

    #[test]
    fn the_needed_runs_are_those_that_see_a_row() {
        let mut dice = Dice(11);
        for round in 0..400 {
            let frequency = (1 + dice.below(90)).unsigned_abs();
            let schedule = match round % 4 {
                0 => Schedule::NearRealTime,
                // Periods shorter than the frequency leave gaps; some formats allow them.
                _ => Schedule::Every {
                    frequency,
                    period: (1 + dice.below(300)).unsigned_abs(),
                },
            };
            let kind = [Kind::Scheduled, Kind::Nrt, Kind::CustomDetection][round % 3];
            let from = dice.below(1000) * SECOND;
            let to = from + dice.below(3000) * SECOND;
            let table = table(kind, schedule, from, to);
            // Times on whole seconds meet the edges of windows often.
            let mut times: Vec<i64> = (0..dice.below(12))
                .map(|_| (dice.below(6000) - 1000) * SECOND)
                .collect();
            times.sort_unstable();
            let needed: Vec<u64> = needed(&table, &times).into_iter().flatten().collect();
            let naive: Vec<u64> = table
                .runs()
                .filter(|run| {
                    let span = match table.axis() {
                        Axis::Event => run.window,
                        Axis::Ingestion => run.ingested,
                    };
                    times.iter().any(|time| span.holds(*time))
                })
                .map(|run| run.number)
                .collect();
            assert_eq!(needed, naive, "round {round}: {table:?} {times:?}");
        }
    }
}
