//! What is known of each person: a page of the report.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::asked::Asked;
use super::buckets::Buckets;
use super::label_counts::{LabelCounts, Numbered};
use super::picture::{Ranked, Ranking};
use super::rankings::Counts;
use super::sign_ins::Visits;
use crate::case::changes::LabelChange;
use crate::case::denial::Denial;

/// Persons with a page.
const MOST_PERSONS: usize = 200;
/// Devices, applications and addresses of a person that are named.
const NAMED: usize = 8;

/// What is known of a person beside findings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Person {
    /// The account, in lower case.
    pub user: String,
    /// The name, where the archive has it.
    pub name: Option<String>,
    /// To whom the person reports, where that is known.
    pub manager: Option<String>,
    /// Label events by action, in the order of the figures.
    pub actions: Vec<u64>,
    /// Label events of each bucket.
    pub activity: Vec<u64>,
    /// Documents that the person was denied.
    pub denied: u64,
    /// Denials of documents that the person owns.
    pub denied_to_others: u64,
    /// Sign-ins that succeeded.
    pub sign_ins: u64,
    /// Those that failed.
    pub failed_sign_ins: u64,
    /// Those at which a risk was seen.
    pub risky_sign_ins: u64,
    /// First and last event of labels, denials and sign-ins, in microseconds.
    pub times: Option<(i64, i64)>,
    /// Devices of label events and sign-ins, the most used first.
    pub devices: Vec<Ranked>,
    /// Applications of label events.
    pub applications: Vec<Ranked>,
    /// Addresses of sign-ins and label events.
    pub addresses: Vec<Ranked>,
    /// Countries of sign-ins.
    pub countries: Vec<Ranked>,
}

/// How much there is about whom.
#[derive(Debug, Default, Clone, Copy)]
struct Weight {
    found: [u64; 4],
    lowered: u64,
    denied: u64,
    events: u64,
}

/// The persons with a page, those with the worst findings first, and how many there are in all.
pub(super) fn chosen(
    counts: &LabelCounts,
    changes: &[LabelChange],
    denials: &[Denial],
    asked: &Asked<'_>,
) -> (Vec<String>, u64) {
    let mut weights: BTreeMap<String, Weight> = BTreeMap::new();
    for (user, found) in asked.found {
        weights.entry(user.clone()).or_default().found = *found;
    }
    for (user, habits) in &counts.habits {
        let user = counts.users.text(*user).to_string();
        weights.entry(user).or_default().events = habits.actions.values().sum();
    }
    for change in changes {
        let user = change.change.user.to_lowercase();
        weights.entry(user).or_default().lowered += 1;
    }
    for denial in denials.iter().filter(|d| asked.is_asked(d.refusal.time)) {
        let user = denial.refusal.user.to_lowercase();
        weights.entry(user).or_default().denied += 1;
    }
    weights.retain(|user, _| !user.is_empty() && asked.is_of(user));
    let total = weights.len() as u64;
    let mut persons: Vec<(String, Weight)> = weights.into_iter().collect();
    persons.sort_by(|(one, a), (two, b)| {
        let order = b.found.cmp(&a.found);
        let order = order.then_with(|| b.lowered.cmp(&a.lowered));
        let order = order.then_with(|| b.denied.cmp(&a.denied));
        let order = order.then_with(|| b.events.cmp(&a.events));
        order.then_with(|| one.cmp(two))
    });
    persons.truncate(MOST_PERSONS);
    (persons.into_iter().map(|(user, _)| user).collect(), total)
}

/// What is known of these persons.
pub(super) struct Sources<'a> {
    pub(super) counts: &'a LabelCounts,
    /// Numbers of the actions, in the order of the figures.
    pub(super) actions: Vec<u32>,
    pub(super) denials: &'a [Denial],
    pub(super) visits: &'a BTreeMap<String, Visits>,
    pub(super) names: &'a HashMap<String, String>,
    pub(super) managers: &'a BTreeMap<String, String>,
    pub(super) asked: &'a Asked<'a>,
    pub(super) buckets: &'a Buckets,
}

/// Denials of a person: as the one who asked, and as the owner.
#[derive(Debug, Default)]
struct Refusals {
    denied: u64,
    to_others: u64,
    times: Option<(i64, i64)>,
}

impl Sources<'_> {
    /// The persons, in this order.
    pub(super) fn persons(&self, users: &[String]) -> Vec<Person> {
        let numbers: BTreeMap<u32, &str> = users
            .iter()
            .filter_map(|user| Some((self.counts.users.find(user)?, user.as_str())))
            .collect();
        let used = |map| used(map, &numbers, &self.counts.places);
        let devices = used(&self.counts.user_devices);
        let applications = used(&self.counts.user_applications);
        let addresses = used(&self.counts.user_addresses);
        let refusals = self.refusals(users);
        let nothing = (BTreeMap::new(), Visits::default(), Refusals::default());
        let persons = users.iter().map(|user| {
            let number = self.counts.users.find(user);
            let habits = number.and_then(|number| self.counts.habits.get(&number));
            let visits = self.visits.get(user).unwrap_or(&nothing.1);
            let refused = refusals.get(user.as_str()).unwrap_or(&nothing.2);
            let action = |action: &u32| {
                let count = habits.and_then(|habits| habits.actions.get(action));
                count.copied().unwrap_or(0)
            };
            let activity = |bucket: usize| {
                let count = number.and_then(|n| self.counts.user_buckets.get(&(n, bucket)));
                count.copied().unwrap_or(0)
            };
            let of = |map: &Used<'_>| map.get(user.as_str()).unwrap_or(&nothing.0).clone();
            let times = [
                habits.and_then(|habits| habits.first.zip(habits.last)),
                visits.first.zip(visits.last),
                refused.times,
            ];
            Person {
                user: user.clone(),
                name: self.names.get(user).cloned(),
                manager: self.managers.get(user).cloned(),
                actions: self.actions.iter().map(action).collect(),
                activity: (0..self.buckets.count()).map(activity).collect(),
                denied: refused.denied,
                denied_to_others: refused.to_others,
                sign_ins: visits.succeeded,
                failed_sign_ins: visits.failed,
                risky_sign_ins: visits.risky,
                times: times.into_iter().flatten().reduce(around),
                devices: merged(of(&devices), &visits.devices),
                applications: merged(of(&applications), &Counts::default()),
                addresses: merged(of(&addresses), &visits.addresses),
                countries: merged(BTreeMap::new(), &visits.countries),
            }
        });
        persons.collect()
    }

    fn refusals(&self, users: &[String]) -> BTreeMap<String, Refusals> {
        let users: BTreeSet<&str> = users.iter().map(String::as_str).collect();
        let mut refusals: BTreeMap<String, Refusals> = BTreeMap::new();
        let asked = self.denials.iter();
        for denial in asked.filter(|denial| self.asked.is_asked(denial.refusal.time)) {
            let refusal = &denial.refusal;
            let user = refusal.user.to_lowercase();
            if users.contains(user.as_str()) {
                let of = refusals.entry(user).or_default();
                of.denied += 1;
                let time = (refusal.time, refusal.time);
                of.times = Some(of.times.map_or(time, |times| around(times, time)));
            }
            if let Some(owner) = refusal.owner.person().filter(|owner| users.contains(owner)) {
                refusals.entry(owner.to_string()).or_default().to_others += 1;
            }
        }
        refusals
    }
}

/// How often each of some users used what.
type Used<'a> = BTreeMap<&'a str, BTreeMap<String, u64>>;

fn used<'a>(
    map: &HashMap<(u32, u32), u64>,
    users: &BTreeMap<u32, &'a str>,
    texts: &Numbered,
) -> Used<'a> {
    let mut used: Used<'a> = BTreeMap::new();
    for ((user, what), count) in map {
        if let Some(user) = users.get(user).copied() {
            let own = used.entry(user).or_default();
            *own.entry(texts.text(*what).to_string()).or_default() += count;
        }
    }
    used
}

/// The most used of two sources.
fn merged(mut one: BTreeMap<String, u64>, two: &Counts) -> Vec<Ranked> {
    let Ranking { rows, .. } = two.ranking(&[]);
    for row in rows {
        *one.entry(row.name).or_default() += row.total;
    }
    let mut all: Vec<Ranked> = one
        .into_iter()
        .map(|(name, total)| Ranked {
            name,
            total,
            counts: Vec::new(),
        })
        .collect();
    all.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.name.cmp(&b.name)));
    all.truncate(NAMED);
    all
}

/// The least range with both.
fn around(one: (i64, i64), two: (i64, i64)) -> (i64, i64) {
    (one.0.min(two.0), one.1.max(two.1))
}
