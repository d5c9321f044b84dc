//! The runs of one rule, one after another: trigger, suppression, event grouping, and repeats that are one alert.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::alert::{Alert, AlertRows};
use super::result_row::ResultRow;
use super::schedule::{Run, Timetable, micros};
use crate::rules::{EventGrouping, Kind, Rule};

/// Alerts of a run of a scheduled rule at most. Of more rows, each but the last alert is of one row, and the last of all.
pub const SCHEDULED_ALERTS: usize = 150;
/// The same of an NRT rule.
pub const NRT_ALERTS: usize = 30;
/// Alerts of a run of a custom detection at most; what is more is lost. (Seen in 2026; 100 in 2024.)
pub const DETECTION_ALERTS: usize = 150;
/// Alerts of a rule that a replay holds. A rule that fires over nothing raises one a run, and one wrong date in the data makes a million runs.
pub const MOST_ALERTS: usize = 100_000;

/// What became of the runs of a rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Raised {
    /// Its alerts, in the order of its runs.
    pub alerts: Vec<Alert>,
    /// Runs that did not take place, because an alert had silenced the rule.
    pub suppressed: u64,
    /// Rows that got no alert, because their run had too many.
    pub dropped: u64,
    /// Whether it was given up, with more than [`MOST_ALERTS`].
    pub too_many: bool,
}

/// Judges the runs of a rule, which it must be given in their order. Runs that give no alert may be left out.
#[derive(Debug)]
pub struct Judge<'r> {
    rule: &'r Rule,
    /// The first moment for which it may be planned again.
    silent_until: Option<i64>,
    raised: Raised,
    /// Where the alerts of a custom detection are, by id.
    places: HashMap<String, usize>,
}

impl<'r> Judge<'r> {
    /// A judge before the first run of a rule.
    pub fn new(rule: &'r Rule) -> Judge<'r> {
        Judge {
            rule,
            silent_until: None,
            raised: Raised::default(),
            places: HashMap::new(),
        }
    }

    /// Whether a run takes place, for all that was judged before it. Its query need not be run where it does not.
    pub fn takes_place(&self, run: &Run) -> bool {
        self.silent_until.is_none_or(|until| run.at >= until)
    }

    /// Whether so many rows are an alert.
    pub fn fires(&self, rows: usize) -> bool {
        self.rule.trigger.fires(rows as u64)
    }

    /// Makes alerts of the rows of a run, where it takes place and they are enough, or few enough.
    pub fn judge(&mut self, run: &Run, rows: &[ResultRow]) {
        if !self.takes_place(run) {
            self.raised.suppressed += 1;
            return;
        }
        if !self.fires(rows.len()) {
            return;
        }
        self.silent_until = self
            .rule
            .suppression
            .map(|seconds| run.at.saturating_add(micros(seconds)));
        match self.rule.kind {
            Kind::CustomDetection => self.detections(run, rows),
            _ => self.alerts(run, rows),
        }
        self.raised.too_many = self.raised.alerts.len() > MOST_ALERTS;
    }

    /// Judges runs that see nothing.
    fn judge_nothing(&mut self, timetable: &Timetable, runs: Range<u64>, nothing: &[ResultRow]) {
        if !self.fires(nothing.len()) {
            let silent = runs.take_while(|number| !self.takes_place(&timetable.run(*number)));
            let silent = silent.count() as u64;
            self.raised.suppressed += silent;
            return;
        }
        for number in runs {
            if self.raised.too_many {
                return;
            }
            self.judge(&timetable.run(number), nothing);
        }
    }

    /// The alerts, and what was lost.
    pub fn finish(self) -> Raised {
        self.raised
    }

    fn alerts(&mut self, run: &Run, rows: &[ResultRow]) {
        let rule = self.rule;
        let overall = rows.len() as u64;
        let raise = |what, rows: &[ResultRow], ordinal| {
            Alert::raise(rule, run, (what, rows), overall, ordinal)
        };
        // That nothing came is one alert, however rows are grouped.
        if rule.event_grouping == EventGrouping::SingleAlert || rows.is_empty() {
            self.raised.alerts.push(raise(AlertRows::All, rows, 0));
            return;
        }
        let most = match rule.kind {
            Kind::Nrt => NRT_ALERTS,
            _ => SCHEDULED_ALERTS,
        };
        let single = if rows.len() > most { most - 1 } else { most };
        let mut equal: HashMap<u128, u64> = HashMap::new();
        for row in rows.iter().take(single) {
            let ordinal = equal.entry(row.digest()).or_default();
            let alert = raise(AlertRows::One, std::slice::from_ref(row), *ordinal);
            *ordinal += 1;
            self.raised.alerts.push(alert);
        }
        if rows.len() > most {
            self.raised.alerts.push(raise(AlertRows::Rest, rows, 0));
        }
    }

    fn detections(&mut self, run: &Run, rows: &[ResultRow]) {
        let mut of_run = HashSet::new();
        for row in rows {
            let row = std::slice::from_ref(row);
            let alert = Alert::raise(self.rule, run, (AlertRows::One, row), rows.len() as u64, 0);
            if !of_run.contains(&alert.id) {
                if of_run.len() == DETECTION_ALERTS {
                    self.raised.dropped += 1;
                    continue;
                }
                of_run.insert(alert.id.clone());
            }
            match self.places.get(&alert.id) {
                Some(place) => self.raised.alerts[*place].take_in(&alert),
                None => {
                    let place = self.raised.alerts.len();
                    self.places.insert(alert.id.clone(), place);
                    self.raised.alerts.push(alert);
                }
            }
        }
    }
}

/// Replays a rule: asks for the answers of the runs that can see a row and takes `nothing`, the answer over no rows, for all others.
///
/// # Errors
/// The first that `answer` returns.
pub fn replay<E, R: AsRef<[ResultRow]>>(
    rule: &Rule,
    timetable: &Timetable,
    needed: &[Range<u64>],
    nothing: &[ResultRow],
    mut answer: impl FnMut(&Run) -> Result<R, E>,
) -> Result<Raised, E> {
    let mut judge = Judge::new(rule);
    let mut next = 0;
    for range in needed {
        judge.judge_nothing(timetable, next..range.start, nothing);
        for number in range.clone() {
            if judge.raised.too_many {
                return Ok(judge.finish());
            }
            let run = timetable.run(number);
            match judge.takes_place(&run) {
                true => judge.judge(&run, answer(&run)?.as_ref()),
                false => judge.judge(&run, &[]),
            }
        }
        next = range.end;
    }
    judge.judge_nothing(timetable, next..timetable.count(), nothing);
    Ok(judge.finish())
}

#[cfg(test)]
mod tests;
