//! The figures of label events, from what was counted of them.

use super::buckets::Buckets;
use super::label_counts::LabelCounts;
use super::peaks::peaks;
use super::picture::{Flow, LabelUse, Labels};

/// What stands behind a name that is taken from Microsoft's default label of that id.
const ASSUMED: &str = "(assumed)";
/// Flows between labels at most. A label has few others that come after it.
const MOST_FLOWS: usize = 200;

/// The actions that occur, the most frequent first, and their numbers.
pub(super) fn actions(counts: &LabelCounts) -> Vec<(u32, String, u64)> {
    let mut actions: Vec<(u32, String, u64)> = counts
        .by_action
        .iter()
        .map(|(action, count)| (*action, counts.actions.text(*action).to_string(), *count))
        .collect();
    actions.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.1.cmp(&b.1)));
    actions
}

/// The figures, with actions in this order.
pub(super) fn labels(
    counts: &LabelCounts,
    buckets: &Buckets,
    actions: &[(u32, String, u64)],
) -> Labels {
    let order: Vec<usize> = actions
        .iter()
        .map(|(action, ..)| usize::try_from(*action).unwrap_or(0))
        .collect();
    let over_time = actions.iter().map(|(action, ..)| {
        let of = |bucket| {
            counts
                .over_time
                .get(&(bucket, *action))
                .copied()
                .unwrap_or(0)
        };
        (0..buckets.count()).map(of).collect()
    });
    let named = |label: u32| match counts.fates.get(&label) {
        Some(fate) if !fate.name.is_empty() => fate.name.clone(),
        _ => counts.labels.text(label).to_string(),
    };
    Labels {
        total: counts.total,
        by_action: actions.iter().map(|(.., count)| *count).collect(),
        over_time: over_time.collect(),
        users_over_time: counts.distinct_users.key(buckets).series,
        devices_over_time: counts.distinct_devices.key(buckets).series,
        users_by_day: counts.distinct_users.by_day(buckets),
        devices_by_day: counts.distinct_devices.by_day(buckets),
        by_user: counts.by_user.ranking(&order),
        by_label: counts.by_label.ranking(&order),
        by_application: counts.by_application.ranking(&order),
        by_site: counts.by_site.ranking(&order),
        by_extension: counts.by_extension.ranking(&order),
        by_how: counts.by_how.ranking(&order),
        used: used(counts),
        flows: flows(counts, named),
        peaks: peaks(
            &counts.days,
            (&counts.users, &counts.user_days),
            (named, &counts.label_days),
        ),
        justifications: counts.justifications.ranking(&order),
        lowered: Vec::new(),
        lowered_total: 0,
    }
}

/// Labels that occur, the most sensitive first.
fn used(counts: &LabelCounts) -> Vec<LabelUse> {
    let mut used: Vec<LabelUse> = counts
        .fates
        .values()
        .map(|fate| LabelUse {
            id: fate.id.clone(),
            name: match fate.name.as_str() {
                "" => fate.id.clone(),
                name => name.to_string(),
            },
            is_assumed: fate.name.ends_with(ASSUMED),
            is_named: !fate.name.is_empty(),
            rank: fate.rank,
            applied: fate.applied,
            upgraded: fate.upgraded,
            downgraded: fate.downgraded,
            removed: fate.removed,
            opened: fate.opened,
            denied: fate.denied,
        })
        .collect();
    // Those without a rank come last.
    used.sort_by(|a, b| {
        let order = b.rank.cmp(&a.rank);
        order.then_with(|| (&a.name, &a.id).cmp(&(&b.name, &b.id)))
    });
    used
}

/// From which label to which.
fn flows(counts: &LabelCounts, named: impl Fn(u32) -> String) -> Vec<Flow> {
    let rank = |label: u32| counts.fates.get(&label).and_then(|fate| fate.rank);
    let mut flows: Vec<Flow> = counts
        .turns
        .iter()
        .map(|((old, new, action), turns)| Flow {
            from: named(*old),
            from_rank: rank(*old),
            to: new.map(&named),
            to_rank: new.and_then(rank),
            action: counts.actions.text(*action).to_string(),
            count: turns.count,
            users: turns.users.len() as u64,
        })
        .collect();
    let is_lowered =
        |flow: &Flow| ["LabelDowngraded", "LabelRemoved"].contains(&flow.action.as_str());
    flows.sort_by(|a, b| {
        let order = is_lowered(b).cmp(&is_lowered(a));
        order
            .then_with(|| b.count.cmp(&a.count))
            .then_with(|| (&a.from, &a.to, &a.action).cmp(&(&b.from, &b.to, &b.action)))
    });
    flows.truncate(MOST_FLOWS);
    flows
}
