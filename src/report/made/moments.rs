//! The timeline of a report: events that findings rest on, labels that were lowered, access that was denied.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::archive::app_id;
use crate::case::figures::Figures;
use crate::case::{LONG, shortened};
use crate::catalog::audit::event_key;
use crate::hunt::{Hunt, LOOKED_UP};
use crate::report::data::{Moment, Timeline};
use crate::report::heading::Heading;
use crate::rules::Severity;

/// Events at most; those of the worst findings come first.
const MOST: usize = 5000;
/// Of these, events that are kept free for what is no finding.
const OTHERS: usize = 1000;
/// Findings that an event names.
const NAMED: usize = 5;
/// Why an event is there.
const FINDING: &str = "finding";
const LOWERED: &str = "lowered";
const DENIED: &str = "denied";

/// Why an event is wanted.
#[derive(Debug, Default)]
struct Why {
    reasons: BTreeSet<&'static str>,
    findings: Vec<usize>,
    severity: Option<Severity>,
}

/// The records whose events are wanted.
pub(super) struct Wanted {
    why: BTreeMap<(i64, i64), Why>,
    places: BTreeSet<(i64, i64)>,
    /// The records that findings rest on, by the identity of their events.
    copies: HashMap<String, (i64, i64)>,
    total: u64,
}

impl Wanted {
    pub(super) fn of(hunt: &Hunt, figures: &Figures) -> Wanted {
        let mut wanted = Wanted {
            why: BTreeMap::new(),
            places: BTreeSet::new(),
            copies: HashMap::new(),
            total: 0,
        };
        for finding in &hunt.findings {
            for evidence in finding.evidence.iter().take(LOOKED_UP) {
                let place = (evidence.ingest, evidence.record);
                if let Some(why) = wanted.add(place, FINDING, MOST - OTHERS) {
                    if why.findings.len() < NAMED && why.findings.last() != Some(&finding.number) {
                        why.findings.push(finding.number);
                    }
                    why.severity = why.severity.max(Some(finding.severity));
                    let id = evidence.event_id.as_str();
                    let id = app_id(None, Some(id)).unwrap_or(id);
                    if let Some(key) = event_key(id) {
                        wanted.copies.entry(key).or_insert(place);
                    }
                }
            }
        }
        for one in &figures.labels.lowered {
            wanted.add((one.ingest, one.record), LOWERED, MOST - OTHERS / 2);
        }
        for one in &figures.access.list {
            wanted.add((one.ingest, one.record), DENIED, MOST);
        }
        // What is not named one by one is counted all the same.
        let lowered = figures.labels.lowered_total - figures.labels.lowered.len() as u64;
        let denied = figures.access.denied - figures.access.list.len() as u64;
        wanted.total = wanted.places.len() as u64 + lowered + denied;
        wanted
    }

    /// Wants an event, as long as there are fewer than so many.
    fn add(&mut self, place: (i64, i64), reason: &'static str, most: usize) -> Option<&mut Why> {
        self.places.insert(place);
        if self.why.len() >= most && !self.why.contains_key(&place) {
            return None;
        }
        let why = self.why.entry(place).or_default();
        why.reasons.insert(reason);
        Some(why)
    }

    /// The records, by ingest and number.
    pub(super) fn places(&self) -> BTreeSet<(i64, i64)> {
        self.why.keys().copied().collect()
    }

    /// Adds to events why they are there. A record that two tables show stands there once. The view of audit records may show another copy of an event
    /// than the record that a finding rests on: it stands there as that record. What nothing wants is left out.
    pub(super) fn take(&self, events: Vec<Moment>) -> Vec<Moment> {
        let mut seen = HashSet::new();
        let mut taken = Vec::new();
        for mut event in events {
            let Some((place, why)) = self.wants(&event) else {
                continue;
            };
            if !seen.insert(place) {
                continue;
            }
            (event.ingest, event.record) = place;
            event.why = why.reasons.iter().copied().collect();
            event.findings = why.findings.clone();
            event.severity = why.severity.map(Severity::name);
            for text in [
                &mut event.said,
                &mut event.user,
                &mut event.address,
                &mut event.action,
                &mut event.object,
                &mut event.application,
            ] {
                *text = shortened(text, LONG);
            }
            taken.push(event);
        }
        taken
    }

    /// The record that an event stands for, and why it is wanted.
    fn wants(&self, event: &Moment) -> Option<((i64, i64), &Why)> {
        let own = (event.ingest, event.record);
        let place = match self.why.contains_key(&own) {
            true => own,
            false => *self.copies.get(&event_key(&event.event_id)?)?,
        };
        Some((place, self.why.get(&place)?))
    }

    /// The timeline of these events.
    pub(super) fn timeline(&self, events: Vec<Moment>, heading: &Heading) -> Timeline {
        Timeline {
            total: self.total.max(events.len() as u64),
            events,
            rest: format!("coldtrail timeline -a {} -o timeline.csv", heading.archive),
        }
    }
}
