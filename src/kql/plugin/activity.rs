//! Who was active when: counts of ids in windows of a timeline.
//!
//! Windows begin at the start of the analysis. Rows at its end count; rows without an instant do not. Where nobody was active in
//! what a window looks at, the result has no row for it. Distinct counts are exact.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::argument::{Columns, Given, Rows, scalar};
use super::call::{Call, Scalar};
use super::definition::Plugin;
use super::timeline::{Timeline, Windows};
use crate::function::value::{Key, Type, Value};

/// The arguments that all of these have, and the events of each combination of dimensions, in order of time.
struct Activity<'a> {
    timeline: Timeline<'a>,
    dimensions: Vec<Scalar<'a>>,
    start: i64,
    end: i64,
    groups: Vec<(Vec<Value>, Vec<Event>)>,
}

struct Event {
    at: i64,
    id: Key,
}

/// Events from one place up to but without another.
fn between(events: &[Event], from: i64, to: i64) -> &[Event] {
    let first = events.partition_point(|event| event.at < from);
    let last = events.partition_point(|event| event.at < to).max(first);
    events.get(first..last).unwrap_or_default()
}

fn distinct(events: &[Event]) -> HashSet<&Key> {
    events.iter().map(|event| &event.id).collect()
}

fn long(count: usize) -> Value {
    Value::Long(i64::try_from(count).unwrap_or(i64::MAX))
}

fn ratio(part: usize, whole: usize) -> Value {
    Value::Real(part as f64 / whole as f64)
}

impl<'a> Activity<'a> {
    /// Reads id and timeline, then start and end at that place, and dimensions from another on. Without start and end, the first
    /// and the last event are.
    fn new(call: &Call<'a>, range: Option<usize>, dimensions: usize) -> Result<Self, String> {
        let id = call.scalar(0)?;
        let timeline = Timeline::new(call, 1)?;
        let dimensions = call.scalars(dimensions)?;
        let mut groups = Vec::new();
        for group in call.groups(&dimensions) {
            let event = |row: usize| {
                let id = id.value(row).key();
                timeline.of(row).map(|at| Event { at, id })
            };
            let mut events: Vec<Event> = group.rows.into_iter().filter_map(event).collect();
            events.sort_by_key(|event| event.at);
            groups.push((group.values, events));
        }
        let (start, end) = match range {
            Some(at) => (timeline.place(call, at)?, timeline.place(call, at + 1)?),
            None => {
                let events = || groups.iter().flat_map(|(_, events)| events);
                let first = events().map(|event| event.at).min();
                let last = events().map(|event| event.at).max();
                (first.unwrap_or(0), last.unwrap_or(-1))
            }
        };
        Ok(Activity {
            timeline,
            dimensions,
            start,
            end,
            groups,
        })
    }

    /// The windows of the analysis, of the length at that place.
    fn windows(&self, call: &Call, step: usize) -> Result<Windows, String> {
        Ok(Windows {
            start: self.start,
            step: self.timeline.step(call, step)?,
        })
    }

    /// Events between start and end, by window.
    fn by_window<'e>(
        &self,
        events: &'e [Event],
        windows: &Windows,
    ) -> BTreeMap<i64, Vec<&'e Event>> {
        let mut found: BTreeMap<i64, Vec<&Event>> = BTreeMap::new();
        for event in between(events, self.start, self.end.saturating_add(1)) {
            if let Some(window) = windows.of(event.at) {
                found.entry(window).or_default().push(event);
            }
        }
        found
    }

    /// The result: timeline, dimensions where they belong, other columns; in the order of time.
    fn rows(&self, columns: &[(&str, Type)], dimensions: usize, mut rows: Vec<Vec<Value>>) -> Rows {
        let mut columns: Vec<(String, Type)> = columns
            .iter()
            .map(|(name, ty)| ((*name).to_owned(), *ty))
            .collect();
        let at = dimensions.min(columns.len());
        columns.splice(at..at, self.dimensions.iter().map(Scalar::column));
        rows.sort_by(|a, b| match (a.first(), b.first()) {
            (Some(a), Some(b)) => a.order(b),
            _ => a.len().cmp(&b.len()),
        });
        Rows { columns, rows }
    }

    /// The column of the timeline in the result.
    fn axis(&self) -> (&str, Type) {
        (self.timeline.scalar.name, self.timeline.scalar.ty)
    }
}

/// How many constants stand behind id and timeline.
fn constants(call: &Call) -> usize {
    let constant = |at: &usize| matches!(call.given(*at), Some(Given::Constant(..)));
    (2..call.arguments.len()).take_while(constant).count()
}

fn activity_counts_metrics(call: &Call) -> Result<Rows, String> {
    let activity = Activity::new(call, Some(2), 5)?;
    let windows = activity.windows(call, 4)?;
    let mut rows = Vec::new();
    for (values, events) in &activity.groups {
        let mut seen: HashSet<&Key> = HashSet::new();
        for (window, events) in activity.by_window(events, &windows) {
            let ids: HashSet<&Key> = events.iter().map(|event| &event.id).collect();
            let before = seen.len();
            seen.extend(&ids);
            let mut row = vec![activity.timeline.value(window)];
            row.extend_from_slice(values);
            let counts = [events.len(), ids.len(), seen.len() - before, seen.len()];
            row.extend(counts.map(long));
            rows.push(row);
        }
    }
    let columns = [
        activity.axis(),
        ("count", Type::Long),
        ("dcount", Type::Long),
        ("new_dcount", Type::Long),
        ("aggregated_dcount", Type::Long),
    ];
    Ok(activity.rows(&columns, 1, rows))
}

fn activity_metrics(call: &Call) -> Result<Rows, String> {
    let (range, step) = match constants(call) {
        0 | 1 => (None, 2),
        _ => (Some(2), 4),
    };
    let activity = Activity::new(call, range, step + 1)?;
    let windows = activity.windows(call, step)?;
    let mut rows = Vec::new();
    for (values, events) in &activity.groups {
        let by_window = activity.by_window(events, &windows);
        let ids = |window: i64| -> HashSet<&Key> {
            let events = by_window.get(&window).into_iter().flatten();
            events.map(|event| &event.id).collect()
        };
        for window in by_window.keys() {
            let own = ids(*window);
            let before = windows.shifted(*window, -1).map(ids).unwrap_or_default();
            let returned = own.intersection(&before).count();
            let mut row = vec![
                activity.timeline.value(*window),
                long(own.len()),
                long(own.len() - returned),
                ratio(returned, before.len()),
                ratio(before.len() - returned, before.len()),
            ];
            row.extend_from_slice(values);
            rows.push(row);
        }
    }
    let columns = [
        activity.axis(),
        ("dcount_values", Type::Long),
        ("dcount_newvalues", Type::Long),
        ("retention_rate", Type::Real),
        ("churn_rate", Type::Real),
    ];
    Ok(activity.rows(&columns, columns.len(), rows))
}

fn activity_engagement(call: &Call) -> Result<Rows, String> {
    let (range, inner) = match constants(call) {
        0..=2 => (None, 2),
        _ => (Some(2), 4),
    };
    let activity = Activity::new(call, range, inner + 2)?;
    let windows = activity.windows(call, inner)?;
    let outer = activity.timeline.distance(call, inner + 1)?;
    let mut rows = Vec::new();
    for window in windows.until(activity.end)? {
        let end = windows.shifted(window, 1).unwrap_or(i64::MAX);
        for (values, events) in &activity.groups {
            let inside = distinct(between(events, window, end)).len();
            let around = distinct(between(events, end.saturating_sub(outer), end)).len();
            if around == 0 {
                continue;
            }
            let mut row = vec![
                activity.timeline.value(window),
                long(inside),
                long(around),
                ratio(inside, around),
            ];
            row.extend_from_slice(values);
            rows.push(row);
        }
    }
    let columns = [
        activity.axis(),
        ("dcount_activities_inner", Type::Long),
        ("dcount_activities_outer", Type::Long),
        ("activity_ratio", Type::Real),
    ];
    Ok(activity.rows(&columns, columns.len(), rows))
}

fn new_activity_metrics(call: &Call) -> Result<Rows, String> {
    let first_dimension = (2 + constants(call)).clamp(5, 6);
    let activity = Activity::new(call, Some(2), first_dimension)?;
    let windows = activity.windows(call, 4)?;
    let cohort = match first_dimension > 5 {
        true => windows.of(activity.timeline.place(call, 5)?),
        false => None,
    };
    let begins = windows.until(activity.end)?;
    let mut rows = Vec::new();
    for (values, events) in &activity.groups {
        let by_window: Vec<HashSet<&Key>> = begins
            .iter()
            .map(|begin| {
                let end = windows.shifted(*begin, 1).unwrap_or(i64::MAX);
                let end = end.min(activity.end.saturating_add(1));
                distinct(between(events, (*begin).max(activity.start), end))
            })
            .collect();
        let mut seen: HashSet<&Key> = HashSet::new();
        for (at, (from, ids)) in begins.iter().zip(&by_window).enumerate() {
            let new: HashSet<&Key> = ids.difference(&seen).copied().collect();
            seen.extend(&new);
            if new.is_empty() || cohort.is_some_and(|cohort| cohort != *from) {
                continue;
            }
            for (to, later) in begins.iter().zip(&by_window).skip(at) {
                let retained = new.intersection(later).count();
                let fresh = match to == from {
                    true => new.len(),
                    false => later.difference(&seen).count(),
                };
                let churned = new.len() - retained;
                let mut row = vec![
                    activity.timeline.value(*from),
                    activity.timeline.value(*to),
                    long(fresh),
                    long(retained),
                    Value::Real(churned as f64),
                    ratio(retained, new.len()),
                    ratio(churned, new.len()),
                ];
                row.extend_from_slice(values);
                rows.push(row);
            }
        }
    }
    let (name, ty) = activity.axis();
    let (from, to) = (format!("from_{name}"), format!("to_{name}"));
    let columns = [
        (from.as_str(), ty),
        (to.as_str(), ty),
        ("dcount_new_values", Type::Long),
        ("dcount_retained_values", Type::Long),
        ("dcount_churn_values", Type::Real),
        ("retention_rate", Type::Real),
        ("churn_rate", Type::Real),
    ];
    Ok(activity.rows(&columns, columns.len(), rows))
}

fn sliding_window_counts(call: &Call) -> Result<Rows, String> {
    let activity = Activity::new(call, Some(2), 6)?;
    let lookback = activity.timeline.distance(call, 4)?;
    let windows = activity.windows(call, 5)?;
    // A lookback is a multiple of the window.
    let lookback = match windows.step {
        super::timeline::Step::Length(step) => (lookback - lookback % step).max(step),
        super::timeline::Step::Calendar(_) => lookback,
    };
    let mut rows = Vec::new();
    for window in windows.until(activity.end)? {
        let end = windows.shifted(window, 1).unwrap_or(i64::MAX);
        for (values, events) in &activity.groups {
            let found = between(events, end.saturating_sub(lookback), end);
            if found.is_empty() {
                continue;
            }
            let mut row = vec![activity.timeline.value(window)];
            row.extend_from_slice(values);
            row.extend([long(found.len()), long(distinct(found).len())]);
            rows.push(row);
        }
    }
    let columns = [
        activity.axis(),
        ("Count", Type::Long),
        ("dcount", Type::Long),
    ];
    Ok(activity.rows(&columns, 1, rows))
}

fn session_count(call: &Call) -> Result<Rows, String> {
    let activity = Activity::new(call, Some(2), 6)?;
    let windows = activity.windows(call, 4)?;
    let lookback = activity.timeline.distance(call, 5)?;
    let mut rows = Vec::new();
    for (values, events) in &activity.groups {
        let mut last: HashMap<&Key, i64> = HashMap::new();
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        for event in between(events, i64::MIN, activity.end.saturating_add(1)) {
            let before = last.insert(&event.id, event.at);
            let is_new = before.is_none_or(|before| event.at.saturating_sub(before) > lookback);
            if event.at >= activity.start
                && let Some(window) = windows.of(event.at)
            {
                *counts.entry(window).or_default() += usize::from(is_new);
            }
        }
        for (window, count) in counts {
            let mut row = vec![activity.timeline.value(window)];
            row.extend_from_slice(values);
            row.push(long(count));
            rows.push(row);
        }
    }
    let columns = [activity.axis(), ("count_sessions", Type::Long)];
    Ok(activity.rows(&columns, 1, rows))
}

fn active_users_count(call: &Call) -> Result<Rows, String> {
    let activity = Activity::new(call, Some(2), 8)?;
    let lookback = activity.timeline.distance(call, 4)?;
    let periods = activity.windows(call, 5)?;
    let wanted = call.count(6)?;
    let windows = activity.windows(call, 7)?;
    let mut rows = Vec::new();
    for (values, events) in &activity.groups {
        let mut of_id: HashMap<&Key, Vec<i64>> = HashMap::new();
        for event in events {
            of_id.entry(&event.id).or_default().push(event.at);
        }
        let mut active: BTreeMap<i64, BTreeSet<&Key>> = BTreeMap::new();
        for event in between(events, activity.start, activity.end.saturating_add(1)) {
            // The begin of the lookback does not belong to it.
            let from = event.at.saturating_sub(lookback);
            let times = of_id.get(&event.id).map(Vec::as_slice).unwrap_or_default();
            let first = times.partition_point(|at| *at <= from);
            let times = times.iter().skip(first).take_while(|at| **at <= event.at);
            let seen: HashSet<i64> = times.filter_map(|at| periods.of(*at)).collect();
            if seen.len() >= wanted
                && let Some(window) = windows.of(event.at)
            {
                active.entry(window).or_default().insert(&event.id);
            }
        }
        for (window, ids) in active {
            let mut row = vec![activity.timeline.value(window)];
            row.extend_from_slice(values);
            row.push(long(ids.len()));
            rows.push(row);
        }
    }
    let columns = [activity.axis(), ("dcount", Type::Long)];
    Ok(activity.rows(&columns, 1, rows))
}

const COUNTS: Plugin = Plugin {
    name: "activity_counts_metrics",
    arguments: (5, usize::MAX),
    parameters: &[
        scalar("IdColumn"),
        scalar("TimelineColumn"),
        scalar("Start"),
        scalar("End"),
        scalar("Step"),
        scalar("Dimension"),
    ],
    columns: Columns::Fixed,
    doc: "activity_counts_metrics(id, time, start, end, step, dimensions, …): in each window rows, ids, ids never seen before, ids so far",
    example: "datatable(who:string, n:long)[\"a\", 1, \"b\", 2, \"a\", 11, \"c\", 12] | evaluate activity_counts_metrics(who, n, 0, 20, 10)",
    answer: "n, count, dcount, new_dcount, aggregated_dcount; 0, 2, 2, 2, 2; 10, 2, 2, 1, 3",
    rows: activity_counts_metrics,
};

pub(super) const TABLE: &[Plugin] = &[
    COUNTS,
    Plugin {
        name: "activity_metrics",
        arguments: (3, usize::MAX),
        parameters: &[
            scalar("IdColumn"),
            scalar("TimelineColumn"),
            scalar("Start"),
            scalar("End"),
            scalar("Window"),
            scalar("Dimension"),
        ],
        doc: "activity_metrics(id, time, [start, end,] window, dimensions, …): in each window ids, and how many are new, came back and stayed away against the window before",
        example: "datatable(who:string, n:long)[\"a\", 1, \"b\", 2, \"a\", 11, \"c\", 12] | evaluate activity_metrics(who, n, 0, 20, 10)",
        answer: "n, dcount_values, dcount_newvalues, retention_rate, churn_rate; 0, 2, 2, NaN, NaN; 10, 2, 1, 0.5, 0.5",
        rows: activity_metrics,
        ..COUNTS
    },
    Plugin {
        name: "activity_engagement",
        arguments: (4, usize::MAX),
        parameters: &[
            scalar("IdColumn"),
            scalar("TimelineColumn"),
            scalar("Start"),
            scalar("End"),
            scalar("InnerActivityWindow"),
            scalar("OuterActivityWindow"),
            scalar("Dimension"),
        ],
        doc: "activity_engagement(id, time, [start, end,] inner, outer, dimensions, …): ids in each inner window, in the outer window that ends with it, and their ratio",
        example: "datatable(who:string, n:long)[\"a\", 1, \"b\", 2, \"a\", 11] | evaluate activity_engagement(who, n, 0, 19, 10, 20)",
        answer: "n, dcount_activities_inner, dcount_activities_outer, activity_ratio; 0, 2, 2, 1.0; 10, 1, 2, 0.5",
        rows: activity_engagement,
        ..COUNTS
    },
    Plugin {
        name: "new_activity_metrics",
        parameters: &[
            scalar("IdColumn"),
            scalar("TimelineColumn"),
            scalar("Start"),
            scalar("End"),
            scalar("Window"),
            scalar("Cohort"),
            scalar("Dimension"),
        ],
        doc: "new_activity_metrics(id, time, start, end, window, cohort, dimensions, …): for ids first seen in one window, how many of them later windows have; all windows, or the cohort's",
        example: "datatable(who:string, n:long)[\"a\", 1, \"b\", 2, \"a\", 11] | evaluate new_activity_metrics(who, n, 0, 19, 10, 0)",
        answer: "from_n, to_n, dcount_new_values, dcount_retained_values, dcount_churn_values, retention_rate, churn_rate; 0, 0, 2, 2, 0.0, 1.0, 0.0; 0, 10, 0, 1, 1.0, 0.5, 0.5",
        rows: new_activity_metrics,
        ..COUNTS
    },
    Plugin {
        name: "sliding_window_counts",
        arguments: (6, usize::MAX),
        parameters: &[
            scalar("IdColumn"),
            scalar("TimelineColumn"),
            scalar("Start"),
            scalar("End"),
            scalar("LookbackWindow"),
            scalar("Bin"),
            scalar("Dimension"),
        ],
        doc: "sliding_window_counts(id, time, start, end, lookback, bin, dimensions, …): rows and ids in the lookback that ends with each bin",
        example: "datatable(who:string, n:long)[\"a\", 1, \"b\", 2, \"a\", 11] | evaluate sliding_window_counts(who, n, 0, 29, 20, 10)",
        answer: "n, Count, dcount; 0, 2, 2; 10, 3, 2; 20, 1, 1",
        rows: sliding_window_counts,
        ..COUNTS
    },
    Plugin {
        name: "session_count",
        arguments: (6, usize::MAX),
        parameters: &[
            scalar("IdColumn"),
            scalar("TimelineColumn"),
            scalar("Start"),
            scalar("End"),
            scalar("Bin"),
            scalar("LookBackWindow"),
            scalar("Dimension"),
        ],
        doc: "session_count(id, time, start, end, bin, lookback, dimensions, …): rows in each bin whose id was not seen in the lookback before",
        example: "datatable(who:string, n:long)[\"a\", 1, \"a\", 4, \"a\", 11, \"b\", 12] | evaluate session_count(who, n, 0, 20, 10, 5)",
        answer: "n, count_sessions; 0, 1; 10, 2",
        rows: session_count,
        ..COUNTS
    },
    Plugin {
        name: "active_users_count",
        arguments: (8, usize::MAX),
        parameters: &[
            scalar("IdColumn"),
            scalar("TimelineColumn"),
            scalar("Start"),
            scalar("End"),
            scalar("LookbackWindow"),
            scalar("Period"),
            scalar("ActivePeriodsCount"),
            scalar("Bin"),
            scalar("Dimension"),
        ],
        doc: "active_users_count(id, time, start, end, lookback, period, periods, bin, dimensions, …): ids in each bin that were there in so many periods of the lookback",
        example: "datatable(who:string, n:long)[\"a\", 1, \"a\", 4, \"b\", 12] | evaluate active_users_count(who, n, 0, 20, 5, 1, 2, 10)",
        answer: "n, dcount; 0, 1",
        rows: active_users_count,
        ..COUNTS
    },
];
