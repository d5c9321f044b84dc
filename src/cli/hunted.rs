//! What the hunts of one run found: steps that ask for the same time need not hunt again.
//!
//! Rules, and how they run, are the same for all steps of a run. What a step may find besides depends on the time that it asks for, on the ingests, and
//! for rules over alerts on what the run has stored by then.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::archive::ledger::Ledger;
use crate::catalog::{ALERTS, INCIDENTS};
use crate::engine::views::alerts;
use crate::hunt::{Hunt, Window};

/// The tables in which alerts that a hunt stores are seen.
const OF_ALERTS: [&str; 4] = [ALERTS, INCIDENTS, alerts::ALERTS, alerts::INCIDENTS];

/// Hunts of one run.
#[derive(Debug, Clone, Default)]
pub(super) struct Hunted(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    made: Vec<Made>,
    /// Whether no step after this one hunts: findings can be many, and need not be held twice.
    is_last: bool,
}

#[derive(Debug)]
struct Made {
    window: Window,
    ingests: Ingests,
    hunt: Hunt,
}

/// How many ingests there were, and the last of them. Another program may have added one since.
type Ingests = (usize, Option<i64>);

fn ingests(ledger: &Ledger) -> Ingests {
    let ids = ledger.entries.iter().map(|entry| entry.id);
    (ledger.entries.len(), ids.max())
}

impl Hunted {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("no panic while it is held")
    }

    /// What was found in this time, where the run has hunted it and nothing has changed since.
    pub(super) fn found(&self, window: Window, ledger: &Ledger) -> Option<Hunt> {
        let mut held = self.held();
        let is_it = |made: &Made| made.window == window && made.ingests == ingests(ledger);
        let place = held.made.iter().position(is_it)?;
        match held.is_last {
            true => Some(held.made.swap_remove(place).hunt),
            false => Some(held.made[place].hunt.clone()),
        }
    }

    /// Notes what was found in this time, before anything became of it.
    pub(super) fn note(&self, window: Window, ledger: &Ledger, hunt: &Hunt) {
        let mut held = self.held();
        if !held.is_last {
            held.made.push(Made {
                window,
                ingests: ingests(ledger),
                hunt: hunt.clone(),
            });
        }
    }

    /// Alerts were stored: what rules over alerts found before may be more by now.
    pub(super) fn have_stored(&self) {
        self.held().made.retain(|made| !may_see_alerts(&made.hunt));
    }

    /// Whether no step after this one hunts.
    pub(super) fn is_last(&self, is_last: bool) {
        self.held().is_last = is_last;
    }
}

/// Whether a rule saw stored alerts, or would have if it had run.
fn may_see_alerts(hunt: &Hunt) -> bool {
    // A rule that did not run asked nothing: its words say what it would have asked.
    let mut outcomes = hunt.outcomes.iter();
    let speaks_of_alerts = |text: &str| {
        let text = text.to_lowercase();
        text.contains("alert") || text.contains("incident")
    };
    OF_ALERTS.iter().any(|name| hunt.reads.contains(*name))
        || outcomes.any(|outcome| {
            let rule = outcome.rule.as_ref();
            outcome.status.reason().is_some()
                && rule.is_some_and(|rule| speaks_of_alerts(&rule.query.text))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Kind, Language, Query, Rule};

    fn since(from: i64) -> Window {
        Window {
            from: Some(from),
            to: None,
        }
    }

    #[test]
    fn a_hunt_is_known_by_its_time_until_something_changes() {
        let (hunted, ledger) = (Hunted::default(), Ledger::default());
        assert!(hunted.found(since(1), &ledger).is_none());
        hunted.note(since(1), &ledger, &Hunt::default());
        assert!(hunted.found(since(1), &ledger).is_some());
        assert!(hunted.found(since(2), &ledger).is_none());
        assert!(hunted.found(Window::default(), &ledger).is_none());
        hunted.have_stored();
        assert!(hunted.found(since(1), &ledger).is_some());
        // The last who asks takes it.
        hunted.is_last(true);
        assert!(hunted.found(since(1), &ledger).is_some());
        assert!(hunted.found(since(1), &ledger).is_none());
    }

    #[test]
    fn what_rules_over_alerts_found_ends_when_alerts_are_stored() {
        let ledger = Ledger::default();
        let mut asks = Hunt::default();
        asks.reads.insert("SecurityAlert".into());
        let rule = |text: &str| Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, text));
        let mut would_ask = Hunt::default();
        would_ask.outcomes.push(crate::hunt::Outcome {
            id: "r".into(),
            rule: Some(rule("SecurityAlert | take 1")),
            status: crate::hunt::Status::NotRun("no time".into()),
            findings: 0,
            unjudged: None,
            absent: Vec::new(),
            unmapped: Vec::new(),
            counts_back: false,
            took: std::time::Duration::ZERO,
        });
        for hunt in [asks, would_ask] {
            let hunted = Hunted::default();
            hunted.note(since(1), &ledger, &hunt);
            hunted.have_stored();
            assert!(hunted.found(since(1), &ledger).is_none());
        }
    }
}
