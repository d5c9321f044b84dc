//! Persons as a report has them: what the case knows, with their findings.

use std::collections::HashMap;

use super::listed::About;
use crate::case::figures::picture::Ranked;
use crate::case::figures::{Counted, Person as Known};
use crate::case::{LONG, shortened};
use crate::report::data::{Count, People, Person};
use crate::report::heading::Heading;

/// Findings whose numbers a page has.
const NAMED: usize = 200;

/// The pages.
pub(super) fn people(counted: &Counted, about: &About, heading: &Heading) -> People {
    let mut findings: HashMap<&str, Vec<usize>> = HashMap::new();
    for person in &counted.persons {
        findings.insert(&person.user, Vec::new());
    }
    for (number, users) in (1..).zip(&about.users) {
        for user in users {
            if let Some(numbers) = findings.get_mut(user.as_str())
                && numbers.len() < NAMED
            {
                numbers.push(number);
            }
        }
    }
    let page = |person: &Known| Person {
        user: shortened(&person.user, LONG),
        name: person.name.as_deref().map(|name| shortened(name, LONG)),
        manager: person.manager.as_deref().map(|name| shortened(name, LONG)),
        by_severity: about.by_user.get(&person.user).copied().unwrap_or_default(),
        findings: findings
            .get(person.user.as_str())
            .cloned()
            .unwrap_or_default(),
        actions: person.actions.clone(),
        activity: person.activity.clone(),
        denied: person.denied,
        denied_to_others: person.denied_to_others,
        sign_ins: person.sign_ins,
        failed_sign_ins: person.failed_sign_ins,
        risky_sign_ins: person.risky_sign_ins,
        first: person.times.map(|times| heading.iso(times.0)),
        last: person.times.map(|times| heading.iso(times.1)),
        devices: counts(&person.devices),
        applications: counts(&person.applications),
        addresses: counts(&person.addresses),
        countries: counts(&person.countries),
    };
    People {
        list: counted.persons.iter().map(page).collect(),
        total: counted.persons_total,
    }
}

fn counts(ranked: &[Ranked]) -> Vec<Count> {
    let counts = ranked.iter().map(|row| Count {
        name: shortened(&row.name, LONG),
        count: row.total,
    });
    counts.collect()
}
