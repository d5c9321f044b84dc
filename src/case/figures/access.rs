//! The figures of denials.

use std::collections::BTreeSet;

use super::asked::Asked;
use super::buckets::Buckets;
use super::label_counts::{Key, LabelCounts, domain};
use super::picture::{Access, Denied, MOST_EVENTS};
use super::rankings::Counts;
use crate::case::denial::{Denial, Owner};
use crate::case::iso::iso;
use crate::case::label::Label;
use crate::case::shortened::{LONG, shortened};

/// Where a requester is, in the order of the figures.
const SIDES: [&str; 3] = ["inside", "outside", "unknown"];
/// What stands for an owner whom no record names.
const NOBODY: &str = "(unknown)";

/// The figures of denials, and how many there are over time. The denials are in the order of time, those of the period before among them.
pub(super) fn access(
    denials: &[Denial],
    counts: &LabelCounts,
    asked: &Asked<'_>,
    buckets: &Buckets,
) -> (Access, Key) {
    let inside = inside(denials, counts, asked);
    let mut key = Key::default();
    let mut access = Access {
        granted: counts.granted,
        is_inside_said: !asked.inside.is_empty(),
        over_time: vec![[0; 3]; buckets.count()],
        by_day: vec![[0; 3]; buckets.day_count()],
        ..Access::default()
    };
    let mut rankings: [Counts; 7] = Default::default();
    for denial in denials.iter().filter(|denial| is_of(denial, asked)) {
        let refusal = &denial.refusal;
        key.add(refusal.time, asked, buckets);
        if !asked.is_asked(refusal.time) {
            continue;
        }
        let side = side(&refusal.user, &inside);
        access.denied += 1;
        access.by_side[side] += 1;
        let bucket = buckets.bucket(refusal.time);
        if let Some(sides) = bucket.and_then(|at| access.over_time.get_mut(at)) {
            sides[side] += 1;
        }
        let day = buckets.day(refusal.time);
        if let Some(sides) = day.and_then(|at| access.by_day.get_mut(at)) {
            sides[side] += 1;
        }
        rank(&mut rankings, denial, side);
    }
    let last = denials.iter().rev();
    let shown = last.filter(|denial| is_of(denial, asked) && asked.is_asked(denial.refusal.time));
    let shown = shown.take(MOST_EVENTS);
    access.list = shown
        .map(|denial| shown_as(denial, &inside, asked))
        .collect();
    access.inside_domains = inside.into_iter().collect();
    let [owner, within, outside, domains, labels, documents, results] = rankings;
    access.by_owner = owner.ranking(&[0, 1, 2]);
    access.by_inside = within.ranking(&[]);
    access.by_outside = outside.ranking(&[]);
    access.by_domain = domains.ranking(&[0, 1, 2]);
    access.by_label = labels.ranking(&[0, 1, 2]);
    access.by_document = documents.ranking(&[0, 1, 2]);
    access.by_result = results.ranking(&[0, 1, 2]);
    (access, key)
}

/// Whether a denial is of a user who is asked for, or of that user's document.
fn is_of(denial: &Denial, asked: &Asked<'_>) -> bool {
    let owner = denial.refusal.owner.person();
    asked.is_of(&denial.refusal.user.to_lowercase())
        || owner.is_some_and(|owner| asked.is_of(owner))
}

/// Counts a denial in the rankings: owners, requesters of the inside, those of the outside, domains, labels, documents, reasons.
fn rank(rankings: &mut [Counts; 7], denial: &Denial, side: usize) {
    let refusal = &denial.refusal;
    let user = match refusal.user.trim() {
        "" => None,
        user => Some(user.to_lowercase()),
    };
    let owner = refusal.owner.said().unwrap_or(NOBODY);
    let [owners, within, outside, domains, labels, documents, results] = rankings;
    owners.add(Some(owner), side);
    match side {
        0 => within.add(user.as_deref(), 0),
        _ => outside.add(user.as_deref(), 0),
    }
    domains.add(user.as_deref().and_then(domain), side);
    labels.add(refusal.label.as_ref().map(Label::called), side);
    documents.add(Some(refusal.document()), side);
    results.add(Some(&refusal.result), side);
}

/// The domains of the inside: those that the user says; else those of the owners of documents, and of those who set labels.
fn inside(denials: &[Denial], counts: &LabelCounts, asked: &Asked<'_>) -> BTreeSet<String> {
    if !asked.inside.is_empty() {
        return asked.inside.iter().cloned().collect();
    }
    let owners = denials
        .iter()
        .filter_map(|denial| match &denial.refusal.owner {
            Owner::Person(address) => domain(address),
            Owner::Service(_) | Owner::Unknown(_) => None,
        });
    let mut inside: BTreeSet<String> = owners.map(str::to_string).collect();
    inside.extend(counts.domains.iter().cloned());
    inside
}

/// Where a requester is: a place in [`SIDES`].
fn side(user: &str, inside: &BTreeSet<String>) -> usize {
    let user = user.to_lowercase();
    if user.contains("#ext#") || user.contains("urn:spo:guest") {
        return 1;
    }
    match domain(&user) {
        Some(domain) if inside.contains(domain) => 0,
        Some(_) if !inside.is_empty() => 1,
        _ => 2,
    }
}

fn shown_as(denial: &Denial, inside: &BTreeSet<String>, asked: &Asked<'_>) -> Denied {
    let (refusal, trace) = (&denial.refusal, &denial.trace);
    let short = |text: Option<&str>| text.map(|text| shortened(text, LONG));
    Denied {
        time: iso(refusal.time, asked.zone),
        at: refusal.time,
        user: shortened(&refusal.user.to_lowercase(), LONG),
        side: SIDES[side(&refusal.user, inside)],
        result: shortened(&refusal.result, LONG),
        document: shortened(refusal.document(), LONG),
        label: short(refusal.label.as_ref().map(Label::called)),
        owner: short(refusal.owner.said()),
        address: short(trace.address.as_deref()),
        country: short(trace.country.as_deref()),
        device: short(trace.device.as_deref()),
        application: short(trace.application.as_deref()),
        ingest: denial.lineage.ingest,
        record: denial.lineage.record,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_outside_whatever_domain_his_address_has() {
        let inside: BTreeSet<String> = ["contoso.com".to_string()].into();
        for (user, wanted) in [
            ("Alice@Contoso.com", "inside"),
            ("peggy@fabrikam.com", "outside"),
            ("peggy_fabrikam.com#EXT#@contoso.com", "outside"),
            ("urn:spo:guest#peggy@contoso.com", "outside"),
            ("s-1-5-18", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(SIDES[side(user, &inside)], wanted, "{user}");
        }
        assert_eq!(SIDES[side("a@contoso.com", &BTreeSet::new())], "unknown");
    }
}
