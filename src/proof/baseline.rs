//! What is usual in a series of hourly counts, and which hours fall short of it.
//!
//! An hour is compared with the same hour of other weeks, in short series with that of other days: nights and weekends are as
//! quiet as they always are. Events come in bursts (one person who opens forty files), so that an hour with forty events may have been
//! one chance alone. How large bursts are is measured in the series itself, and a hole counts as one when enough bursts are missing.
//! Knows nothing of tables and files.

use std::collections::BTreeMap;

/// Hours of a day.
const DAY: i64 = 24;
/// Hours of a week.
const WEEK: i64 = 7 * DAY;
/// Series of so many hours are compared week by week: from here on every hour has two others to be compared with. Shorter ones are
/// compared day by day, Saturdays and Sundays apart from the other days.
const WEEKLY_FROM: i64 = 3 * WEEK;
/// Weeks looked at before an hour and after it. What is usual changes in the course of a year.
const WEEKS: i64 = 8;
/// Days looked at before an hour and after it, in short series: all.
const DAYS: i64 = WEEKLY_FROM / DAY;
/// Fewer comparisons do not tell what is usual.
const COMPARISONS: usize = 2;
/// Bursts that are missing in a hole. By chance none of ten happens once in 22,000 times (e^-10).
const HOLE_BURSTS: f64 = 10.0;
/// Bursts that belong into low hours. By chance two or fewer of twenty happen less than once in a million times.
const LOW_BURSTS: f64 = 20.0;
/// Hours without an event that are told whatever is usual: nothing so far away is compared.
const SILENCE: i64 = WEEKS * WEEK;
/// Days with events for each such silence. Where there are fewer, silence is what is usual.
const DAYS_A_SILENCE: usize = 7;
/// An hour is low below one tenth of what is usual.
const LOW_PART: u64 = 10;

/// Hours that fall short, counted from 1970; `to` is the first hour after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Short {
    pub from: i64,
    pub to: i64,
    pub expected: u64,
    pub found: u64,
}

impl Short {
    fn has(&self, hour: i64) -> bool {
        (self.from..self.to).contains(&hour)
    }
}

/// Events by hour, without a break.
pub(super) struct Series {
    start: i64,
    /// Events before each hour of the series, and at its end all.
    sums: Vec<u64>,
    burst: f64,
}

impl Series {
    /// The hours from `start` to before `end`; those without a count have no events.
    pub(super) fn new(counts: &BTreeMap<i64, u64>, start: i64, end: i64) -> Series {
        let mut sums = vec![0];
        let mut sum = 0;
        for hour in start..end {
            sum += counts.get(&hour).copied().unwrap_or(0);
            sums.push(sum);
        }
        let mut series = Series {
            start,
            sums,
            burst: 1.0,
        };
        series.burst = series.measure();
        series
    }

    /// What hours are compared with, in words.
    pub(super) fn compared(&self) -> &'static str {
        match self.step() {
            WEEK => "the same hours of other weeks",
            _ => "the same hours of other days",
        }
    }

    fn hours(&self) -> i64 {
        self.sums.len() as i64 - 1
    }

    fn step(&self) -> i64 {
        if self.hours() >= WEEKLY_FROM {
            WEEK
        } else {
            DAY
        }
    }

    /// Events between two places of the series.
    fn sum(&self, from: i64, to: i64) -> u64 {
        self.sums[to as usize] - self.sums[from as usize]
    }

    /// Whether the day is a Saturday or a Sunday, in UTC.
    fn is_weekend(&self, at: i64) -> bool {
        // The first day of 1970 was a Thursday.
        ((self.start + at).div_euclid(DAY) + 3).rem_euclid(7) >= 5
    }

    /// Events of the same hours in other weeks or days, the smallest first. Those that lie mostly in `judged`, or mostly beyond the
    /// series, are left out.
    fn others(&self, from: i64, to: i64, judged: (i64, i64)) -> Vec<u64> {
        let step = self.step();
        let reach = if step == WEEK { WEEKS } else { DAYS };
        let mut totals = Vec::new();
        for shift in (1..=reach).flat_map(|n| [-n * step, n * step]) {
            let (a, b) = ((from + shift).max(0), (to + shift).min(self.hours()));
            if a >= b {
                continue;
            }
            let inside = (b.min(judged.1) - a.max(judged.0)).max(0);
            if (b - a - inside) * 2 < to - from {
                continue;
            }
            if step == DAY && self.is_weekend(from) != self.is_weekend(from + shift) {
                continue;
            }
            totals.push(self.sum(a, b));
        }
        totals.sort_unstable();
        totals
    }

    /// Events of a burst: how much more the counts spread than single events would.
    fn measure(&self) -> f64 {
        let (mut spread, mut events) = (0.0, 0.0);
        for at in 0..self.hours() {
            let others = self.others(at, at + 1, (at, at + 1));
            if others.len() < COMPARISONS {
                continue;
            }
            let n = others.len() as f64;
            let mean = others.iter().sum::<u64>() as f64 / n;
            let off = self.sum(at, at + 1) as f64 - mean;
            spread += off * off * n / (n + 1.0);
            events += mean;
        }
        if events > 0.0 {
            f64::max(spread / events, 1.0)
        } else {
            1.0
        }
    }

    /// Hours without an event that usually have some. What lies in `known` has been told already and does not count.
    pub(super) fn holes(&self, known: &[Short]) -> Vec<Short> {
        let mut out = Vec::new();
        for (from, to) in self.quiet() {
            let expected = self.expected(from, to, known);
            if expected as f64 >= HOLE_BURSTS * self.burst {
                out.push(Short {
                    from: self.start + from,
                    to: self.start + to,
                    expected,
                    found: 0,
                });
            }
        }
        out
    }

    /// Silences that are longer than what can be compared, with nothing expected in them, in a series that has events on many days. What touches
    /// `known` has been told already.
    pub(super) fn silences(&self, known: &[Short]) -> Vec<Short> {
        let mut silences = self.quiet();
        silences.retain(|(from, to)| to - from >= SILENCE);
        if self.days() < DAYS_A_SILENCE * silences.len() {
            return Vec::new();
        }
        let silences = silences.into_iter().map(|(from, to)| Short {
            from: self.start + from,
            to: self.start + to,
            expected: 0,
            found: 0,
        });
        let is_new = |silence: &Short| {
            let told = |k: &Short| k.from < silence.to && silence.from < k.to;
            !known.iter().any(told)
        };
        silences.filter(is_new).collect()
    }

    /// Places of the series between which there is no event.
    fn quiet(&self) -> Vec<(i64, i64)> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < self.hours() {
            let mut end = at;
            while end < self.hours() && self.sum(end, end + 1) == 0 {
                end += 1;
            }
            if end > at {
                out.push((at, end));
            }
            at = end + 1;
        }
        out
    }

    /// Days with an event, in UTC.
    fn days(&self) -> usize {
        let hours = (0..self.hours()).filter(|at| self.sum(*at, at + 1) > 0);
        let mut days: Vec<i64> = hours.map(|at| (self.start + at).div_euclid(DAY)).collect();
        days.dedup();
        days.len()
    }

    /// Events that these hours usually have, day by day. Days that can be compared with nothing add nothing.
    fn expected(&self, from: i64, to: i64, known: &[Short]) -> u64 {
        let mut expected = 0;
        let mut at = from;
        while at < to {
            let hour = self.start + at;
            if let Some(told) = known.iter().find(|k| k.has(hour)) {
                at = told.to - self.start;
                continue;
            }
            let day_end = at + DAY - hour.rem_euclid(DAY);
            let next = known
                .iter()
                .map(|k| k.from - self.start)
                .filter(|k| *k > at)
                .min()
                .unwrap_or(to);
            let end = to.min(day_end).min(next);
            expected += usual(&self.others(at, end, (from, to))).unwrap_or(0);
            at = end;
        }
        expected
    }

    /// Hours with events, but far fewer than usual.
    pub(super) fn low(&self, known: &[Short]) -> Vec<Short> {
        let mut out: Vec<Short> = Vec::new();
        // The first and the last hour of an export are seldom whole.
        for at in 1..self.hours() - 1 {
            let (hour, found) = (self.start + at, self.sum(at, at + 1));
            if found == 0 || known.iter().any(|k| k.has(hour)) {
                continue;
            }
            let Some(expected) = usual(&self.others(at, at + 1, (at, at + 1)))
                .filter(|usual| found.saturating_mul(LOW_PART) < *usual)
            else {
                continue;
            };
            match out.last_mut().filter(|before| before.to == hour) {
                Some(before) => {
                    before.to += 1;
                    before.expected += expected;
                    before.found += found;
                }
                None => out.push(Short {
                    from: hour,
                    to: hour + 1,
                    expected,
                    found,
                }),
            }
        }
        out.retain(|low| low.expected as f64 >= LOW_BURSTS * self.burst);
        out
    }
}

/// The median; of an even number the lower one in the middle, so that one large burst of two is not usual.
fn usual(totals: &[u64]) -> Option<u64> {
    (totals.len() >= COMPARISONS).then(|| totals[(totals.len() - 1) / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first hour of Monday, 4 May 2026.
    const MONDAY: i64 = 20_577 * DAY;

    /// So many days from that Monday on; `count` gives the events of an hour of a day.
    fn series(days: i64, count: impl Fn(i64, i64) -> u64) -> Series {
        let mut counts = BTreeMap::new();
        for day in 0..days {
            for hour in 0..DAY {
                let n = count(day, hour);
                if n > 0 {
                    counts.insert(MONDAY + day * DAY + hour, n);
                }
            }
        }
        let first = counts.keys().next().copied().expect("events");
        let last = counts.keys().next_back().copied().expect("events");
        Series::new(&counts, first, last + 1)
    }

    fn is_office(day: i64, hour: i64) -> bool {
        day % 7 < 5 && (8..18).contains(&hour)
    }

    #[test]
    fn a_lost_day_is_a_hole_and_nights_and_weekends_are_none() {
        for weeks in [6, 1] {
            let lost = 2 + 7 * (weeks / 2);
            let whole = series(7 * weeks, |d, h| if is_office(d, h) { 40 } else { 0 });
            assert!(whole.holes(&[]).is_empty(), "{weeks} weeks");
            let cut = series(7 * weeks, |d, h| match is_office(d, h) && d != lost {
                true => 40,
                false => 0,
            });
            let holes = cut.holes(&[]);
            assert_eq!(holes.len(), 1, "{weeks} weeks: {holes:?}");
            assert_eq!(holes[0].expected, 400, "{weeks} weeks");
            assert!(holes[0].has(MONDAY + lost * DAY + 12), "{holes:?}");
            // Night and hole are one: from the evening before to the morning after.
            assert_eq!(holes[0].to - holes[0].from, 14 + DAY);
            assert!(cut.holes(&holes).is_empty(), "it was told already");
        }
    }

    #[test]
    fn a_burst_that_does_not_come_again_is_no_hole() {
        let bursts = series(28, |d, h| match (d, h) {
            (0, 9) | (8, 11) | (16, 13) | (27, 15) => 500,
            _ => 0,
        });
        assert!(bursts.holes(&[]).is_empty());
        assert!(bursts.low(&[]).is_empty());
    }

    #[test]
    fn a_long_silence_is_told_whatever_is_usual() {
        // A week with one burst a day, more than a year of nothing, then a month with other bursts.
        let lost = series(500, |d, h| match (d, h) {
            (0..7, 9) => 300,
            (470.., h) if h == (d * 5) % 24 => 12,
            _ => 0,
        });
        assert!(lost.holes(&[]).is_empty(), "{:?}", lost.holes(&[]));
        let silences = lost.silences(&[]);
        assert_eq!(silences.len(), 1, "{silences:?}");
        assert_eq!(silences[0].from, MONDAY + 6 * DAY + 10);
        assert_eq!(silences[0].to, MONDAY + 470 * DAY + (470 * 5) % 24);
        assert!(lost.silences(&silences).is_empty(), "it was told already");
        // Where an event comes every few months, that is usual.
        let seldom = series(500, |d, h| u64::from(d % 90 == 0 && h == 9));
        assert!(seldom.silences(&[]).is_empty());
    }

    #[test]
    fn large_bursts_ask_for_longer_holes() {
        // The same events, one by one or in one burst a day at an hour that changes.
        let single =
            |lost: i64| series(28, move |d, h| u64::from(d != lost && (6..18).contains(&h)));
        assert!(single(-1).holes(&[]).is_empty());
        assert_eq!(single(16).holes(&[]).len(), 1);
        let bursts = series(28, |d, h| match d != 16 && h == (d * 5) % 24 {
            true => 12,
            false => 0,
        });
        assert!(bursts.burst > 5.0, "{}", bursts.burst);
        assert!(bursts.holes(&[]).is_empty());
    }

    #[test]
    fn hours_far_below_the_usual_are_low() {
        let steady = series(28, |d, h| match (d, h) {
            (9, 10 | 11) => 3,
            _ => 100,
        });
        let at = MONDAY + 9 * DAY + 10;
        assert_eq!(
            steady.low(&[]),
            [Short {
                from: at,
                to: at + 2,
                expected: 200,
                found: 6
            }]
        );
        assert!(steady.holes(&[]).is_empty());
        assert!(steady.low(&steady.low(&[])).is_empty());
    }

    #[test]
    fn few_hours_are_compared_with_nothing() {
        for hours in [1, 2, 3, 30] {
            let few = Series::new(&BTreeMap::from([(MONDAY, 5)]), MONDAY, MONDAY + hours);
            assert!(few.holes(&[]).is_empty());
            assert!(few.low(&[]).is_empty());
        }
    }
}
