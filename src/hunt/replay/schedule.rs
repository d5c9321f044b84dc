//! When a rule runs, and what each run sees. Times are microseconds.
//!
//! | | runs | executes | sees by event time | sees by ingestion time |
//! |---|---|---|---|---|
//! | scheduled | every `queryFrequency` | 5 min later | `queryPeriod` before | before it executes |
//! | NRT | every minute | 2 min later | 12 h before it executes | the minute before |
//! | custom detection | every frequency | at once | its lookback; 30 d the first time | before it executes |
//! | custom detection as events stream in | every minute | at once | all | the minute before |
//!
//! That a custom detection executes at once is for want of another word from Microsoft. The window of NRT rules is that of a recorded alert, which
//! was written at 20:22:30 and says that its query went from 08:22:26 to 20:20:27.

use crate::rules::{Kind, Rule, Schedule};

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds of a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds of a day.
pub const DAY: i64 = 24 * HOUR;

/// How much later than planned a scheduled rule executes.
pub const SCHEDULED_DELAY: i64 = 5 * MINUTE;
/// How much later than the end of its minute an NRT rule executes.
pub const NRT_DELAY: i64 = 2 * MINUTE;
/// How far back from its execution an NRT rule sees; what is ingested later than that after it happened is missed.
pub const NRT_REACH: i64 = 12 * HOUR;
/// How far back a custom detection looks when it runs for the first time.
pub const FIRST_LOOKBACK: i64 = 30 * DAY;

/// A stretch of time: its first moment belongs to it, its last does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Its first moment.
    pub from: i64,
    /// The first moment behind it.
    pub to: i64,
}

impl Interval {
    /// Whether a moment lies in it.
    pub fn holds(self, time: i64) -> bool {
        time >= self.from && time < self.to
    }

    /// Whether both share a moment.
    pub fn meets(self, other: Interval) -> bool {
        self.from.max(other.from) < self.to.min(other.to)
    }
}

/// One run of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Which of its schedule, from 0.
    pub number: u64,
    /// When it is planned for: what `now()` says.
    pub at: i64,
    /// When it executes, and its alerts are written.
    pub executed: i64,
    /// What every table is cut to by its time column.
    pub window: Interval,
    /// What every table is cut to by the time of ingestion.
    pub ingested: Interval,
}

impl Run {
    /// Whether it sees an event.
    pub fn sees(&self, time: i64, ingested: i64) -> bool {
        self.window.holds(time) && self.ingested.holds(ingested)
    }

    /// What a table is cut to by its time column alone, if each of its events is ingested so much later than it happens. It may be empty.
    pub fn cut(&self, delay: i64) -> Interval {
        let since = self.ingested.from.saturating_sub(delay);
        let until = self.ingested.to.saturating_sub(delay);
        Interval {
            from: self.window.from.max(since),
            to: self.window.to.min(until),
        }
    }
}

/// Which time of an event decides which runs can see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// When it happened.
    Event,
    /// When it was ingested.
    Ingestion,
}

/// What a run looks back for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// Events of so long before it, and of another time the first time.
    Period { usual: i64, first: i64 },
    /// Events that were ingested since the run before, at most so long after they happened.
    Fresh { reach: Option<i64> },
}

/// All runs of a rule over some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timetable {
    first: i64,
    step: i64,
    count: u64,
    delay: i64,
    sight: Sight,
}

impl Timetable {
    /// The runs that are planned within some time, the first at its beginning; nothing for a rule that is run by hand.
    pub fn of(rule: &Rule, over: Interval) -> Option<Timetable> {
        let custom = rule.kind == Kind::CustomDetection;
        let (step, delay, sight) = match rule.schedule {
            Schedule::ByHand { .. } => return None,
            Schedule::Every { frequency, period } => {
                let usual = micros(period);
                let first = match custom {
                    true => usual.max(FIRST_LOOKBACK),
                    false => usual,
                };
                let delay = if custom { 0 } else { SCHEDULED_DELAY };
                (micros(frequency), delay, Sight::Period { usual, first })
            }
            Schedule::NearRealTime if custom => (MINUTE, 0, Sight::Fresh { reach: None }),
            Schedule::NearRealTime => {
                let reach = Some(NRT_REACH);
                (MINUTE, NRT_DELAY, Sight::Fresh { reach })
            }
        };
        let step = step.max(SECOND);
        Some(Timetable {
            first: over.from,
            step,
            count: runs_within(over.to.saturating_sub(over.from), step),
            delay,
            sight,
        })
    }

    /// The runs after which every event of some time was in a window: the last is the first at or behind its end. For rules that see what was just
    /// ingested, and for late events, the time is that of ingestion.
    pub fn covering(rule: &Rule, data: Interval) -> Option<Timetable> {
        let one = Timetable::of(rule, data)?;
        let to = data.to.saturating_add(one.step);
        Timetable::of(rule, Interval { to, ..data })
    }

    /// When a rule runs for the first time where nobody says it and data begins at this time: at the last whole multiple of its frequency, counted from
    /// 1970. So its runs, and with them the ids of its alerts, stay the same when earlier events come, or when a replay begins on another day.
    pub fn begin(rule: &Rule, data: i64) -> i64 {
        let step = match rule.schedule {
            Schedule::Every { frequency, .. } => micros(frequency),
            Schedule::NearRealTime | Schedule::ByHand { .. } => MINUTE,
        };
        data.saturating_sub(data.rem_euclid(step.max(SECOND)))
    }

    /// The same without the runs that would execute after a moment.
    pub fn executed_by(self, moment: i64) -> Timetable {
        let long = moment.saturating_sub(self.delay).saturating_sub(self.first);
        let until = runs_within(long.saturating_add(1), self.step);
        Timetable {
            count: self.count.min(until),
            ..self
        }
    }

    /// How many runs.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Time between two runs.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Which time of an event decides which runs can see it.
    pub fn axis(&self) -> Axis {
        match self.sight {
            Sight::Period { .. } => Axis::Event,
            Sight::Fresh { .. } => Axis::Ingestion,
        }
    }

    /// The run of a number.
    pub fn run(&self, number: u64) -> Run {
        let steps = i64::try_from(number).unwrap_or(i64::MAX);
        let at = self.first.saturating_add(self.step.saturating_mul(steps));
        let executed = at.saturating_add(self.delay);
        let (window, since) = match self.sight {
            Sight::Period { usual, first } => {
                let back = if number == 0 { first } else { usual };
                (at.saturating_sub(back), i64::MIN)
            }
            Sight::Fresh { reach } => {
                let from = reach.map_or(i64::MIN, |reach| executed.saturating_sub(reach));
                (from, at.saturating_sub(self.step))
            }
        };
        let to = match self.axis() {
            Axis::Event => executed,
            Axis::Ingestion => at,
        };
        Run {
            number,
            at,
            executed,
            window: Interval {
                from: window,
                to: at,
            },
            ingested: Interval { from: since, to },
        }
    }

    /// All runs, the first first.
    pub fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        (0..self.count).map(|number| self.run(number))
    }

    /// All that any run sees, by the time that decides; nothing where there are no runs.
    pub fn reach(&self) -> Option<Interval> {
        let last = self.count.checked_sub(1)?;
        let seen = |run: Run| match self.axis() {
            Axis::Event => run.window,
            Axis::Ingestion => run.ingested,
        };
        Some(Interval {
            from: seen(self.run(0)).from,
            to: seen(self.run(last)).to,
        })
    }

    /// The runs that see an event of that time, by the time that decides: the first, and the first that does not any more. The run that looks back
    /// further than others is not meant.
    pub(super) fn seeing(&self, time: i64) -> (i128, i128) {
        let long = match self.sight {
            Sight::Period { usual, .. } => usual,
            Sight::Fresh { .. } => self.step,
        };
        // A run sees what lies before it, and what is no older than it looks back.
        let since = i128::from(time) - i128::from(self.first);
        let step = i128::from(self.step);
        let first = since.div_euclid(step) + 1;
        let behind = (since + i128::from(long)).div_euclid(step) + 1;
        (first.max(0), behind.min(i128::from(self.count)))
    }

    /// What the first run sees, where it looks back further than others.
    pub(super) fn first_look(&self) -> Option<Interval> {
        match self.sight {
            Sight::Period { usual, first } if first > usual && self.count > 0 => {
                Some(self.run(0).window)
            }
            _ => None,
        }
    }
}

/// How many runs there are in a time, the first at its beginning.
fn runs_within(long: i64, step: i64) -> u64 {
    match long > 0 {
        // Whole steps before the last moment, and the run at the beginning.
        true => ((long - 1) / step).unsigned_abs() + 1,
        false => 0,
    }
}

/// Microseconds of whole seconds.
pub(super) fn micros(seconds: u64) -> i64 {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    seconds.saturating_mul(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Language, Query};

    fn rule(kind: Kind, schedule: Schedule) -> Rule {
        let mut rule = Rule::new("r", kind, Query::new(Language::Kql, "T"));
        rule.schedule = schedule;
        rule
    }

    fn every(frequency: i64, period: i64) -> Schedule {
        Schedule::Every {
            frequency: (frequency / SECOND).unsigned_abs(),
            period: (period / SECOND).unsigned_abs(),
        }
    }

    fn table(kind: Kind, schedule: Schedule, from: i64, to: i64) -> Timetable {
        Timetable::of(&rule(kind, schedule), Interval { from, to }).expect("it has a schedule")
    }

    #[test]
    fn a_scheduled_rule_runs_from_the_first_moment_in_steps_and_executes_five_minutes_later() {
        // 08:00 to 11:00, every hour, five hours back.
        let (from, to) = (8 * HOUR, 11 * HOUR);
        let table = table(Kind::Scheduled, every(HOUR, 5 * HOUR), from, to);
        let runs: Vec<Run> = table.runs().collect();
        assert_eq!(
            runs.iter().map(|run| run.at / HOUR).collect::<Vec<_>>(),
            [8, 9, 10]
        );
        let second = runs[1];
        assert_eq!(second.number, 1);
        assert_eq!(second.executed, 9 * HOUR + 5 * MINUTE);
        assert_eq!(
            second.window,
            Interval {
                from: 4 * HOUR,
                to: 9 * HOUR
            }
        );
        // Late events are seen until it executes, however old they are.
        assert!(second.sees(9 * HOUR - 1, 9 * HOUR + 5 * MINUTE - 1));
        assert!(!second.sees(9 * HOUR - 1, 9 * HOUR + 5 * MINUTE));
        assert_eq!(table.step(), HOUR);
        assert_eq!(table.axis(), Axis::Event);
    }

    #[test]
    fn runs_that_nobody_asks_for_begin_at_a_whole_multiple_of_the_frequency() {
        let odd = 8 * HOUR + 10 * MINUTE + 7 * SECOND;
        let begin = |kind, schedule, data| Timetable::begin(&rule(kind, schedule), data);
        let scheduled = |frequency, data| begin(Kind::Scheduled, every(frequency, DAY), data);
        assert_eq!(scheduled(HOUR, odd), 8 * HOUR);
        assert_eq!(scheduled(HOUR, 8 * HOUR), 8 * HOUR);
        assert_eq!(scheduled(5 * HOUR, odd), 5 * HOUR);
        assert_eq!(scheduled(HOUR, -1), -HOUR);
        let minute = begin(Kind::Nrt, Schedule::NearRealTime, odd);
        assert_eq!(minute, 8 * HOUR + 10 * MINUTE);
    }

    #[test]
    fn windows_have_their_first_moment_and_not_their_last() {
        let table = table(Kind::Scheduled, every(HOUR, HOUR), 8 * HOUR, 12 * HOUR);
        let seen = |time| table.runs().filter(|r| r.sees(time, time)).count();
        for time in [8 * HOUR - 1, 8 * HOUR, 9 * HOUR, 9 * HOUR + 1, 10 * HOUR] {
            assert_eq!(seen(time), 1, "{time}");
        }
        assert_eq!(seen(7 * HOUR - 1), 0);
        // Behind the last run.
        assert_eq!(seen(11 * HOUR), 0);
    }

    #[test]
    fn a_table_of_which_events_are_late_is_cut_to_what_a_run_sees_of_it() {
        let hourly = every(HOUR, 2 * HOUR);
        for (kind, schedule) in [
            (Kind::Scheduled, hourly),
            (Kind::Nrt, Schedule::NearRealTime),
            (Kind::CustomDetection, Schedule::NearRealTime),
            (Kind::CustomDetection, hourly),
        ] {
            let run = table(kind, schedule, 50 * HOUR, 60 * HOUR).run(3);
            for delay in [0, MINUTE, 6 * MINUTE, 3 * HOUR, 13 * HOUR] {
                let cut = run.cut(delay);
                for minute in 30 * 60..54 * 60 {
                    let time = minute * MINUTE;
                    assert_eq!(cut.holds(time), run.sees(time, time + delay));
                }
            }
        }
        // At eleven, an hour and four minutes late: what happened until 10:01 has come at 11:05.
        let run = table(Kind::Scheduled, hourly, 11 * HOUR, 12 * HOUR).run(0);
        let late = Interval {
            from: 9 * HOUR,
            to: 10 * HOUR + MINUTE,
        };
        assert_eq!(run.cut(HOUR + 4 * MINUTE), late);
    }

    #[test]
    fn a_time_ends_before_its_last_moment() {
        let count = |from, to| table(Kind::Scheduled, every(HOUR, HOUR), from, to).count();
        assert_eq!(count(0, 0), 0);
        assert_eq!(count(5, 4), 0);
        assert_eq!(count(0, 1), 1);
        assert_eq!(count(0, HOUR), 1);
        assert_eq!(count(0, HOUR + 1), 2);
        assert_eq!(count(0, 365 * DAY), 8760);
        assert_eq!(
            table(Kind::Scheduled, every(HOUR, HOUR), 0, 0).reach(),
            None
        );
    }

    #[test]
    fn runs_that_cover_data_end_with_the_first_that_has_its_last_event_behind_it() {
        let rule = rule(Kind::Scheduled, every(HOUR, HOUR));
        let cover = |from, to| {
            let table = Timetable::covering(&rule, Interval { from, to }).expect("a schedule");
            table.run(table.count() - 1).at
        };
        assert_eq!(cover(0, 90 * MINUTE), 2 * HOUR);
        assert_eq!(cover(0, 2 * HOUR), 2 * HOUR);
        assert_eq!(cover(0, 2 * HOUR + 1), 3 * HOUR);
    }

    #[test]
    fn what_would_execute_later_is_no_run() {
        let all = table(Kind::Scheduled, every(HOUR, HOUR), 8 * HOUR, 12 * HOUR);
        let count = |moment| all.executed_by(moment).count();
        // The run of nine executes at 09:05.
        assert_eq!(count(9 * HOUR + 5 * MINUTE - 1), 1);
        assert_eq!(count(9 * HOUR + 5 * MINUTE), 2);
        assert_eq!(count(8 * HOUR), 0);
        assert_eq!(count(20 * HOUR), 4);
        assert_eq!((count(i64::MIN), count(i64::MAX)), (0, 4));
    }

    #[test]
    fn an_nrt_rule_sees_the_minute_before_by_ingestion_two_minutes_late() {
        // Recorded: events of 20:19:10, 20:19:28 and 20:19:35, ingested at 20:19:47 and 20:20:03; the alert was written at 20:22:30 by a run that says
        // it looked from 08:22:26 to 20:20:27, that is, to 20:20:26 and a fraction.
        let clock = |h: i64, m: i64, s: i64| h * HOUR + m * MINUTE + s * SECOND;
        let at = clock(20, 20, 26) + 500_000;
        let run = table(Kind::Nrt, Schedule::NearRealTime, at, at + 1).run(0);
        assert_eq!(run.executed, clock(20, 22, 26) + 500_000);
        assert_eq!(run.window.from, clock(8, 22, 26) + 500_000);
        assert_eq!(run.window.to, at);
        for (time, ingested) in [
            (clock(20, 19, 10), clock(20, 19, 47)),
            (clock(20, 19, 28), clock(20, 20, 3)),
            (clock(20, 19, 35), clock(20, 20, 3)),
        ] {
            assert!(run.sees(time, ingested));
        }
        // The runs before and after do not see them again.
        let table = table(
            Kind::Nrt,
            Schedule::NearRealTime,
            at - MINUTE,
            at + 2 * MINUTE,
        );
        let seen = |time, ingested| table.runs().filter(|r| r.sees(time, ingested)).count();
        assert_eq!(table.count(), 3);
        assert_eq!(table.axis(), Axis::Ingestion);
        assert_eq!(seen(clock(20, 19, 10), clock(20, 19, 47)), 1);
    }

    #[test]
    fn what_is_ingested_twelve_hours_late_is_missed_by_nrt_rules() {
        let table = table(Kind::Nrt, Schedule::NearRealTime, 0, 2 * DAY);
        let seen = |time, ingested| table.runs().any(|run| run.sees(time, ingested));
        let ingested = DAY + 30 * SECOND;
        // The run of one minute past executes at three minutes past and sees twelve hours from there.
        let limit = DAY + 3 * MINUTE - 12 * HOUR;
        assert!(seen(limit, ingested));
        assert!(!seen(limit - 1, ingested));
    }

    #[test]
    fn a_custom_detection_looks_back_thirty_days_once_and_executes_at_once() {
        let (hour, lookback) = (HOUR, 4 * HOUR);
        let table = table(
            Kind::CustomDetection,
            every(hour, lookback),
            40 * DAY,
            40 * DAY + 3 * HOUR,
        );
        let runs: Vec<Run> = table.runs().collect();
        assert_eq!(runs.len(), 3);
        assert_eq!(runs[0].window.from, 10 * DAY);
        assert_eq!(runs[1].window.from, 40 * DAY - 3 * HOUR);
        assert_eq!(runs[2].window.from, 40 * DAY - 2 * HOUR);
        assert_eq!(runs[2].executed, 40 * DAY + 2 * HOUR);
        let reach = table.reach().expect("there are runs");
        assert_eq!((reach.from, reach.to), (10 * DAY, 40 * DAY + 2 * HOUR));
        let daily = table_of_a_day();
        assert_eq!(daily.run(1).window.from, 41 * DAY - 30 * DAY);
        assert_eq!(daily.first_look(), None);
    }

    fn table_of_a_day() -> Timetable {
        table(
            Kind::CustomDetection,
            every(DAY, 30 * DAY),
            40 * DAY,
            43 * DAY,
        )
    }

    #[test]
    fn with_fourfold_lookback_a_custom_detection_sees_each_event_in_four_runs() {
        // Its usual frequencies and lookbacks; in how many runs an event is, and in how many one of 29 days before the first.
        for (frequency, lookback, runs, early) in [
            (HOUR, 4 * HOUR, 4, 1),
            (3 * HOUR, 12 * HOUR, 4, 1),
            (12 * HOUR, 48 * HOUR, 4, 1),
            (DAY, 30 * DAY, 30, 2),
        ] {
            let schedule = every(frequency, lookback);
            let table = table(Kind::CustomDetection, schedule, 0, 40 * DAY);
            let seen = |time| table.runs().filter(|r| r.sees(time, time)).count();
            assert_eq!(seen(frequency / 2), runs, "{frequency}");
            assert_eq!(seen(frequency), runs, "{frequency}");
            assert_eq!(seen(-29 * DAY), early, "{frequency}");
        }
    }

    #[test]
    fn a_custom_detection_on_the_stream_sees_each_event_once_however_late() {
        let table = table(
            Kind::CustomDetection,
            Schedule::NearRealTime,
            0,
            2 * DAY + 1,
        );
        let seen = |time, ingested| table.runs().filter(|r| r.sees(time, ingested)).count();
        assert_eq!(seen(10, 10), 1);
        assert_eq!(seen(10, 2 * DAY - 1), 1);
        assert_eq!(table.run(5).executed, table.run(5).at);
    }

    #[test]
    fn a_rule_that_people_run_has_no_timetable() {
        let rule = rule(Kind::Hunting, Schedule::ByHand { period: None });
        let over = Interval { from: 0, to: DAY };
        assert_eq!(Timetable::of(&rule, over), None);
        assert_eq!(Timetable::covering(&rule, over), None);
    }

    #[test]
    fn settings_that_no_clock_has_overflow_nowhere() {
        let rule = rule(
            Kind::Scheduled,
            Schedule::Every {
                frequency: 0,
                period: u64::MAX,
            },
        );
        let over = Interval {
            from: 0,
            to: i64::MAX,
        };
        let table = Timetable::of(&rule, over).expect("it has a schedule");
        assert_eq!(table.run(0).window.from, -i64::MAX);
        assert_eq!(table.run(u64::MAX).at, i64::MAX);
        let one = Interval { from: 0, to: 10 };
        assert!(one.meets(Interval { from: 9, to: 12 }));
        assert!(!one.meets(Interval { from: 10, to: 12 }));
    }
}
