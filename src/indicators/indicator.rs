//! One indicator for each thing, of all that speaks of it; and what was left out, and why.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_128;

use super::allow::Allow;
use super::moments::{fitted, seconds};
use super::observable::Observable;
use super::sighting::Sighting;
use crate::rules::Severity;
use crate::text::count;

/// Labels of an indicator at most. One that is named by thousands of findings is described by the worst of them.
const MOST_LABELS: usize = 200;
/// Labels of one property at most: a thousand ids of sessions would leave no room for the names of files.
const MOST_OF_A_PROPERTY: usize = 50;

/// Something to watch for.
#[derive(Debug, Clone, PartialEq)]
pub struct Indicator {
    /// What it is.
    pub observable: Observable,
    /// What was found, in a few words: of several findings the worst.
    pub what: String,
    /// How often it was found.
    pub sightings: u64,
    /// The worst severity.
    pub severity: Severity,
    /// The highest confidence, where there is one.
    pub confidence: Option<u8>,
    /// The first event, in microseconds since 1970, UTC.
    pub first: Option<i64>,
    /// The last event.
    pub last: Option<i64>,
    /// ATT&CK tactics, each once, as Sentinel spells them.
    pub tactics: Vec<String>,
    /// ATT&CK techniques, each once.
    pub techniques: Vec<String>,
    /// All properties of what was found, each once: names and values.
    pub labels: Vec<(String, String)>,
    /// How many more there are than it has labels for.
    pub more_labels: usize,
}

impl Indicator {
    /// What is found and on what.
    pub fn name(&self) -> String {
        format!("{}: {}", self.what, self.observable.value())
    }

    /// What was found, how often, and when last: at most 100 characters.
    pub fn description(&self) -> String {
        let often = match self.sightings {
            1 => "once".to_string(),
            many => format!("{} times", count(many)),
        };
        let tail = match self.last {
            Some(last) => format!(" ({often}, last {})", seconds(last)),
            None => format!(" ({often})"),
        };
        fitted(&self.what, &tail)
    }

    /// Its labels as texts, and a last one that says what there is no room for.
    pub fn label_texts(&self) -> Vec<String> {
        let labels = self.labels.iter();
        let mut texts: Vec<String> = labels
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        if self.more_labels > 0 {
            texts.push(format!("and {} more", count(self.more_labels as u64)));
        }
        texts
    }
}

/// An indicator that is being put together.
struct Draft {
    indicator: Indicator,
    /// Fingerprints of the properties that it has or counts: an address of a whole office is in very many findings.
    known: HashSet<u128>,
    /// How many labels each property has.
    labelled: HashMap<String, usize>,
}

impl Draft {
    fn of(observable: Observable, sighting: &Sighting) -> Draft {
        let mut draft = Draft {
            indicator: Indicator {
                observable,
                what: sighting.what.clone(),
                sightings: 0,
                severity: sighting.severity,
                confidence: None,
                first: None,
                last: None,
                tactics: Vec::new(),
                techniques: Vec::new(),
                labels: Vec::new(),
                more_labels: 0,
            },
            known: HashSet::new(),
            labelled: HashMap::new(),
        };
        draft.add(sighting);
        draft
    }

    fn add(&mut self, sighting: &Sighting) {
        let all = &mut self.indicator;
        if sighting.severity > all.severity {
            all.severity = sighting.severity;
            all.what.clone_from(&sighting.what);
        }
        all.sightings += sighting.times;
        all.confidence = all.confidence.max(sighting.confidence);
        all.first = [all.first, sighting.first].into_iter().flatten().min();
        all.last = [all.last, sighting.last].into_iter().flatten().max();
        extend(&mut all.tactics, &sighting.tactics);
        extend(&mut all.techniques, &sighting.techniques);
        for property in &sighting.properties {
            let (name, value) = property;
            let fingerprint = xxh3_128(format!("{name}\u{1f}{value}").as_bytes());
            if !self.known.insert(fingerprint) {
                continue;
            }
            let of_this = self.labelled.entry(name.clone()).or_default();
            if all.labels.len() < MOST_LABELS && *of_this < MOST_OF_A_PROPERTY {
                *of_this += 1;
                all.labels.push(property.clone());
            } else {
                all.more_labels += 1;
            }
        }
    }
}

/// Adds what is not there.
fn extend(all: &mut Vec<String>, further: &[String]) {
    for one in further {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}

/// What does not become an indicator, by the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOut(BTreeMap<String, BTreeSet<Observable>>);

impl LeftOut {
    /// Leaves one out; it counts once however often it is named.
    pub(super) fn add(&mut self, observable: &Observable, reason: &str) {
        let all = self.0.entry(reason.to_string()).or_default();
        if !all.contains(observable) {
            all.insert(observable.clone());
        }
    }

    /// Leaves out what others do too.
    pub fn extend(&mut self, others: LeftOut) {
        for (reason, all) in others.0 {
            self.0.entry(reason).or_default().extend(all);
        }
    }

    /// Whether something was left out for this reason.
    pub fn has(&self, reason: &str) -> bool {
        self.0.contains_key(reason)
    }

    /// A line for each reason: how many things of which kinds.
    pub fn lines(&self) -> Vec<String> {
        let reasons = self.0.iter();
        let line = |(reason, all): (&String, &BTreeSet<Observable>)| {
            let mut kinds: BTreeMap<(&str, &str), u64> = BTreeMap::new();
            for observable in all {
                *kinds.entry(observable.nouns()).or_default() += 1;
            }
            let kinds = kinds.into_iter().map(|((one, several), many)| match many {
                1 => format!("1 {one}"),
                many => format!("{} {several}", count(many)),
            });
            let kinds: Vec<String> = kinds.collect();
            format!("left out {}: {reason}", kinds.join(", "))
        };
        reasons.map(line).collect()
    }
}

/// What was gathered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gathered {
    /// Indicators in the order of what they are: each thing once.
    pub indicators: Vec<Indicator>,
    /// What does not become one.
    pub left_out: LeftOut,
}

/// One indicator for each thing that is named and that nothing speaks against. Of what was found no more is kept than an indicator says.
pub fn gather(sightings: impl IntoIterator<Item = Sighting>, allow: &Allow) -> Gathered {
    let mut drafts: BTreeMap<Observable, Draft> = BTreeMap::new();
    let mut left_out = LeftOut::default();
    for mut sighting in sightings {
        // A finding that names a thing twice found it once.
        let named: BTreeSet<Observable> = std::mem::take(&mut sighting.observables)
            .into_iter()
            .collect();
        for observable in named {
            match drafts.entry(observable) {
                Entry::Occupied(mut known) => known.get_mut().add(&sighting),
                Entry::Vacant(place) => match allow.reason(place.key()) {
                    Some(reason) => left_out.add(place.key(), &reason),
                    None => {
                        let observable = place.key().clone();
                        place.insert(Draft::of(observable, &sighting));
                    }
                },
            }
        }
    }
    Gathered {
        indicators: drafts.into_values().map(|draft| draft.indicator).collect(),
        left_out,
    }
}

#[cfg(test)]
mod tests {
    use super::super::allow::Documentation;
    use super::*;

    fn sighting(what: &str, severity: Severity, times: (i64, i64), named: &[&str]) -> Sighting {
        let named = named.iter();
        Sighting {
            what: what.into(),
            times: 1,
            severity,
            confidence: Some(40),
            first: Some(times.0),
            last: Some(times.1),
            tactics: vec!["Collection".into()],
            techniques: Vec::new(),
            properties: vec![("Rule".into(), what.into()), ("Same".into(), "x".into())],
            observables: named
                .map(|text| Observable::Address(text.parse().expect("an address")))
                .collect(),
        }
    }

    #[test]
    fn a_thing_that_several_findings_name_is_one_indicator_of_all() {
        let sightings = [
            sighting("low", Severity::Low, (20, 30), &["192.0.2.7", "192.0.2.7"]),
            sighting("high", Severity::High, (10, 15), &["192.0.2.7", "10.0.0.1"]),
        ];
        let allow = Allow::new(Documentation::Taken);
        let gathered = gather(sightings, &allow);
        let [one] = gathered.indicators.as_slice() else {
            panic!("{:?}", gathered.indicators);
        };
        assert_eq!(
            (one.sightings, one.first, one.last),
            (2, Some(10), Some(30))
        );
        assert_eq!((one.severity, one.what.as_str()), (Severity::High, "high"));
        assert_eq!(one.tactics, ["Collection"]);
        assert_eq!(one.label_texts(), ["Rule: low", "Same: x", "Rule: high"]);
        assert_eq!(one.name(), "high: 192.0.2.7");
        assert_eq!(
            one.description(),
            "high (2 times, last 1970-01-01T00:00:00Z)"
        );
        assert_eq!(
            gathered.left_out.lines(),
            ["left out 1 address: a private or local address"]
        );
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let mut many = sighting("many", Severity::Low, (1, 2), &["192.0.2.7"]);
        many.properties = (0..MOST_LABELS + 5)
            .map(|n| (format!("P{n}"), String::new()))
            .collect();
        let gathered = gather([many], &Allow::new(Documentation::Taken));
        let labels = gathered.indicators[0].label_texts();
        assert_eq!(labels.len(), MOST_LABELS + 1);
        assert_eq!(labels.last().map(String::as_str), Some("and 5 more"));
        // One of many values leaves room for what stands behind it.
        let mut often = sighting("often", Severity::Low, (1, 2), &["192.0.2.7"]);
        often.properties = (0..MOST_LABELS)
            .map(|n| ("SessionId".to_string(), n.to_string()))
            .chain([("FileName".to_string(), "Plan.docx".to_string())])
            .collect();
        let gathered = gather([often], &Allow::new(Documentation::Taken));
        let labels = gathered.indicators[0].label_texts();
        assert_eq!(labels.len(), MOST_OF_A_PROPERTY + 2);
        assert!(labels.contains(&"FileName: Plan.docx".to_string()));
        assert_eq!(labels.last().map(String::as_str), Some("and 150 more"));
    }
}
