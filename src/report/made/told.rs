//! The summary of a report: figures, their change, and sentences that a manager reads in a minute.

use std::collections::{BTreeMap, HashMap};

use super::listed::{About, place_of};
use crate::case::figures::{Counted, Key, Span};
use crate::case::{LONG, shortened};
use crate::hunt::Hunt;
use crate::report::data::{Count, Health, KeyFigure, Periods, Rule, RuleCount, Summary};
use crate::report::heading::Heading;
use crate::rules::Severity;
use crate::text::{count, counted};

/// Tactics in the order of ATT&CK, as Sentinel spells them.
const TACTICS: [&str; 14] = [
    "Reconnaissance",
    "ResourceDevelopment",
    "InitialAccess",
    "Execution",
    "Persistence",
    "PrivilegeEscalation",
    "DefenseEvasion",
    "CredentialAccess",
    "Discovery",
    "LateralMovement",
    "Collection",
    "CommandAndControl",
    "Exfiltration",
    "Impact",
];
/// Change in percent from which on it is told.
const TELLING: f64 = 20.0;

/// What a summary is made of.
pub(super) struct Known<'a> {
    pub(super) hunt: &'a Hunt,
    pub(super) about: &'a About,
    pub(super) counted: &'a Counted,
    pub(super) span: Option<Span>,
    /// Whether the hunt had no beginning, and so went over the period before.
    pub(super) is_open: bool,
    /// Findings of the period before, where that was hunted in by itself.
    pub(super) before: Option<u64>,
    pub(super) health: &'a Health,
    pub(super) rules: &'a [Rule],
    pub(super) places: &'a HashMap<String, usize>,
    /// First and last event of the archive.
    pub(super) events: Option<(i64, i64)>,
}

/// The summary.
pub(super) fn summary(known: &Known<'_>, heading: &Heading) -> Summary {
    let mut over_time = vec![[0; 4]; known.counted.buckets.count()];
    let mut severities = [0; 4];
    for (finding, at) in known.hunt.findings.iter().zip(&known.about.at) {
        let severity = place_of(finding.severity);
        severities[severity] += 1;
        let bucket = at.and_then(|at| known.counted.buckets.bucket(at));
        if let Some(counts) = bucket.and_then(|bucket| over_time.get_mut(bucket)) {
            counts[severity] += 1;
        }
    }
    let by_severity: Vec<Count> = Severity::ALL
        .into_iter()
        .zip(severities)
        .map(|(severity, count)| Count {
            name: severity.name().to_string(),
            count,
        })
        .collect();
    let periods = periods(known, heading);
    let is_covered = periods.as_ref().is_some_and(|periods| periods.is_covered);
    let figures = figures(known, &by_severity, &over_time, is_covered);
    Summary {
        lines: lines(known, &figures, periods.as_ref(), heading),
        caveats: caveats(known),
        figures,
        periods,
        by_severity,
        by_tactic: by_tactic(known),
        by_rule: by_rule(known),
        findings_over_time: over_time,
    }
}

fn periods(known: &Known<'_>, heading: &Heading) -> Option<Periods> {
    let span = known.span?;
    Some(Periods {
        length: span.length(),
        from: heading.iso(span.from),
        to: heading.iso(span.to),
        before: heading.iso(span.before),
        is_covered: known.events.is_some_and(|(first, _)| first <= span.before),
    })
}

/// The key figures.
fn figures(
    known: &Known<'_>,
    by_severity: &[Count],
    over_time: &[[u64; 4]],
    is_covered: bool,
) -> Vec<KeyFigure> {
    let keys = &known.counted.keys;
    let figures = &known.counted.figures;
    let part = |name: &str, count: u64| Count {
        name: name.to_string(),
        count,
    };
    let of_actions = |wanted: &[&str]| -> Vec<Count> {
        let actions = figures.actions.iter().zip(&figures.labels.by_action);
        let wanted = actions.filter(|(action, _)| wanted.contains(&action.as_str()));
        wanted
            .map(|(action, n)| part(action.as_str(), *n))
            .collect()
    };
    let lowered = ["LabelDowngraded", "LabelRemoved"];
    let changed = [
        "LabelApplied",
        "LabelUpgraded",
        "LabelDowngraded",
        "LabelChanged",
        "LabelRemoved",
    ];
    let [inside, outside, unknown] = figures.access.by_side;
    let sides = vec![
        part("inside", inside),
        part("outside", outside),
        part("unknown", unknown),
    ];
    let found = found(known, over_time);
    [
        ("findings", "Findings", &found, by_severity.to_vec()),
        (
            "label_actions",
            "Label actions",
            &keys.labelling,
            of_actions(&changed),
        ),
        (
            "protection_actions",
            "Protection actions",
            &keys.protecting,
            Vec::new(),
        ),
        (
            "lowered",
            "Labels lowered or removed",
            &keys.lowered,
            of_actions(&lowered),
        ),
        ("denials", "Access denied", &keys.denied, sides),
        ("users", "Users of labels", &keys.users, Vec::new()),
        ("devices", "Devices", &keys.devices, Vec::new()),
    ]
    .into_iter()
    .map(|(id, name, key, parts)| {
        // Without a hunt in it nobody knows the findings of the period before.
        let hunted = id != "findings" || known.before.is_some() || known.is_open;
        let before = (is_covered && hunted).then_some(key.before);
        KeyFigure {
            id,
            name,
            value: key.value,
            parts,
            now: known.span.is_some().then_some(key.now),
            before,
            change: before.and_then(|before| change(key.now, before)),
            series: series(&key.series, known.counted.buckets.count()),
        }
    })
    .collect()
}

fn series(counts: &[u64], buckets: usize) -> Vec<u64> {
    match counts.len() == buckets {
        true => counts.to_vec(),
        false => vec![0; buckets],
    }
}

/// Findings as a key figure.
fn found(known: &Known<'_>, over_time: &[[u64; 4]]) -> Key {
    let mut found = Key {
        value: known.hunt.findings.len() as u64,
        series: over_time.iter().map(|counts| counts.iter().sum()).collect(),
        ..Key::default()
    };
    for at in known.about.at.iter().flatten() {
        match known.span.and_then(|span| span.is_now(*at)) {
            Some(true) => found.now += 1,
            Some(false) => found.before += 1,
            None => {}
        }
    }
    if let Some(before) = known.before {
        found.now = found.value;
        found.before = before;
    }
    found
}

/// The change in percent, to one place.
fn change(now: u64, before: u64) -> Option<f64> {
    if before == 0 {
        return None;
    }
    let change = (now as f64 - before as f64) / before as f64 * 100.0;
    Some((change * 10.0).round() / 10.0)
}

fn by_tactic(known: &Known<'_>) -> Vec<Count> {
    let mut tactics: BTreeMap<(usize, &str), u64> = BTreeMap::new();
    for finding in &known.hunt.findings {
        for tactic in &finding.tactics {
            let place = TACTICS.iter().position(|known| known == tactic);
            let key = (place.unwrap_or(TACTICS.len()), tactic.as_str());
            *tactics.entry(key).or_default() += 1;
        }
    }
    let tactics = tactics.into_iter().map(|((_, name), count)| Count {
        name: shortened(name, LONG),
        count,
    });
    tactics.collect()
}

fn by_rule(known: &Known<'_>) -> Vec<RuleCount> {
    let mut rules: BTreeMap<usize, (Severity, u64)> = BTreeMap::new();
    for finding in &known.hunt.findings {
        let place = known.places.get(finding.rule.as_str()).copied();
        let (severity, count) = rules
            .entry(place.unwrap_or(0))
            .or_insert((finding.severity, 0));
        *severity = finding.severity.max(*severity);
        *count += 1;
    }
    let mut rules: Vec<(usize, (Severity, u64))> = rules.into_iter().collect();
    rules.sort_by(|(one, a), (two, b)| b.cmp(a).then_with(|| one.cmp(two)));
    let rules = rules
        .into_iter()
        .map(|(rule, (severity, count))| RuleCount {
            rule,
            severity: severity.name(),
            count,
        });
    rules.collect()
}

/// What there is to say, the most important first.
fn lines(
    known: &Known<'_>,
    figures: &[KeyFigure],
    periods: Option<&Periods>,
    heading: &Heading,
) -> Vec<String> {
    let found = known.hunt.findings.len() as u64;
    let high = known.hunt.count(Severity::High) as u64;
    let mut first = match found {
        0 => "Nothing was found".to_string(),
        n => counted(n, "finding"),
    };
    if high > 0 {
        first += &format!(", {} of high severity", count(high));
    }
    first += &format!(
        ", by {} over {}",
        counted(known.health.rules_run, "rule"),
        counted(known.health.sum.events, "event")
    );
    let day = |t: i64| heading.iso(t).get(..10).unwrap_or_default().to_string();
    if let Some((from, to)) = known.events {
        let from = heading.from.map_or(from, |asked| asked.max(from));
        let to = heading.to.map_or(to, |asked| asked.min(to));
        first += &format!(" from {} to {}", day(from), day(to));
    }
    let mut lines = vec![format!("{first}.")];
    lines.extend(worst(known));
    lines.extend(lowered(known));
    lines.extend(denied(known));
    let told = figures.iter().filter(|figure| figure.id != "devices");
    let told = told.filter_map(|figure| Some((figure, figure.change?)));
    for (figure, change) in told.filter(|(_, change)| change.abs() >= TELLING) {
        let length = periods.map_or("", |periods| periods.length.as_str());
        let (more, percent) = match change > 0.0 {
            true => ("more", change),
            false => ("fewer", -change),
        };
        lines.push(format!(
            "{}: {} in {length}, {percent:.0} % {more} than in the {length} before.",
            figure.name,
            count(figure.now.unwrap_or_default())
        ));
    }
    lines
}

/// About whom the worst findings are.
fn worst(known: &Known<'_>) -> Option<String> {
    let users = known.about.by_user.iter();
    let (user, counts) = users.max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)))?;
    let all: u64 = counts.iter().sum();
    let high = match counts[0] {
        0 => String::new(),
        n => format!(", {} of them of high severity", count(n)),
    };
    let people = match known.about.by_user.len() {
        1 => "1 person".to_string(),
        n => format!("{} people", count(n as u64)),
    };
    Some(format!(
        "The findings are about {people}; those about {} weigh most: {}{high}.",
        shortened(user, LONG),
        counted(all, "finding")
    ))
}

/// Who lowered labels.
fn lowered(known: &Known<'_>) -> Option<String> {
    let figures = &known.counted.figures;
    let total = known.counted.keys.lowered.value;
    if total == 0 {
        return None;
    }
    let slots: Vec<usize> = figures
        .actions
        .iter()
        .enumerate()
        .filter(|(_, action)| ["LabelDowngraded", "LabelRemoved"].contains(&action.as_str()))
        .map(|(slot, _)| slot)
        .collect();
    let of = |counts: &[u64]| -> u64 {
        let counts = slots.iter().filter_map(|slot| counts.get(*slot));
        counts.sum()
    };
    let persons = known.counted.persons.iter();
    let persons = persons.map(|person| (of(&person.actions), &person.user));
    let most = persons.max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)));
    let who = match most {
        Some((n, user)) if n > 0 => {
            format!(", {} of them by {}", count(n), shortened(user, LONG))
        }
        _ => String::new(),
    };
    Some(format!(
        "{} lowered or removed{who}.",
        match total {
            1 => "1 label was".to_string(),
            n => format!("{} labels were", count(n)),
        }
    ))
}

/// Who was denied access.
fn denied(known: &Known<'_>) -> Option<String> {
    let access = &known.counted.figures.access;
    if access.denied == 0 {
        return None;
    }
    let outside = match access.by_side[1] {
        0 => String::new(),
        n => format!(", {} of them to people from outside", count(n)),
    };
    let owner = access.by_owner.rows.first();
    let owner = owner.map_or(String::new(), |row| {
        format!("; most of what was denied belongs to {}", row.name)
    });
    Some(format!(
        "Access to protected documents was denied {}{outside}{owner}.",
        counted(access.denied, "time")
    ))
}

/// What is to be known before one believes the rest.
fn caveats(known: &Known<'_>) -> Vec<String> {
    let (health, mut caveats) = (known.health, Vec::new());
    let mut say = |n: u64, one: &str, rest: &str| {
        if n > 0 {
            caveats.push(format!("{} {rest}.", counted(n, one)));
        }
    };
    let sum = &health.sum;
    let cut_short = sum.broken.saturating_sub(sum.unreadable);
    say(cut_short, "file", "not read to the end");
    say(sum.unreadable, "file", "of which nothing could be read");
    say(sum.quarantined, "record", "could not be converted");
    say(health.rules_not_run, "rule", "did not run");
    let unjudged = known.rules.iter().filter(|rule| rule.unjudged.is_some());
    say(
        unjudged.count() as u64,
        "rule",
        "could not judge everything",
    );
    let gaps = |kinds: &[&str]| {
        let gaps = health.gaps.iter();
        gaps.filter(|gap| kinds.contains(&gap.kind)).count() as u64
    };
    say(gaps(&["hole", "low-hours"]), "gap", "in the events");
    say(
        gaps(&["cap"]),
        "export",
        "ended at a limit: events are missing",
    );
    say(
        gaps(&["missing-workload"]),
        "workload",
        "without records for some or all of the time",
    );
    say(
        gaps(&["zone-doubt", "outside-range"]),
        "doubt",
        "about times",
    );
    let untimed = health.gaps.iter().filter(|gap| gap.kind == "no-time");
    let untimed = untimed.filter_map(|gap| gap.found.parse::<u64>().ok());
    say(
        untimed.sum::<u64>(),
        "event",
        "without a time: no window of time finds them",
    );
    say(
        known.counted.untimed,
        "label",
        "lowered or removed at no known time: in no figure, and in no list of changes",
    );
    let excluded = health.excluded.iter().map(|one| one.count);
    say(
        excluded.sum::<u64>(),
        "alert",
        "left out by exclusions of the archive",
    );
    caveats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_in_percent_of_what_was_before() {
        for (now, before, wanted) in [
            (3, 2, Some(50.0)),
            (0, 4, Some(-100.0)),
            (1, 3, Some(-66.7)),
            (5, 0, None),
        ] {
            assert_eq!(change(now, before), wanted, "{now} {before}");
        }
    }
}
