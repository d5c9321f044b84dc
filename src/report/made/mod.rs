//! The data of a report: from a hunt, from what the case counts, and from what an archive says of itself.
//!
//! - `sources`: what it is made of; `listed`: findings; `moments`: the timeline; `pages`: persons; `told`: the summary; `health`: what was read, and
//!   what not.

use std::collections::{BTreeSet, HashMap};

use super::data::{Head, Moment, Report, Rule};
use super::heading::Heading;
use crate::case::Case;
use crate::case::figures::Asked;
use crate::fault::Result;
use crate::hunt::{Hunt, Status};
use crate::ingest::own::GENERATOR;
use crate::rules::RuleParameter;
use crate::text::count;

mod health;
mod listed;
mod moments;
mod pages;
mod sources;
mod told;

pub use listed::is_about;
pub use sources::{Sources, periods};

use listed::About;
use moments::Wanted;

/// The data of a report. `look_up` gives the events of some records, by ingest and number, in the order of time and with what the timeline says of them;
/// why they are in the report is added.
///
/// # Errors
/// When the archive cannot be asked, or there is no memory for what is counted.
pub fn report(
    of: &Sources<'_>,
    heading: &Heading,
    look_up: impl FnOnce(&BTreeSet<(i64, i64)>) -> Result<Vec<Moment>>,
) -> Result<Report> {
    let lower = |texts: &[String]| -> Vec<String> {
        let texts = texts.iter().map(|text| text.trim().to_lowercase());
        texts.collect()
    };
    let (users, inside) = (lower(of.users), lower(of.inside));
    let about = About::of(&of.hunt.findings);
    let span = periods(of.ledger, heading);
    let asked = Asked {
        window: sources::window(heading),
        periods: span,
        users: &users,
        inside: &inside,
        zone: heading.zone,
        now: heading.now,
        times: about.times(),
        found: &about.by_user,
    };
    let counted = Case::of(of.session, of.ledger).figures(&asked)?;
    let rules = rules(of.hunt);
    // Of two of one name the first counts.
    let places: HashMap<String, usize> = rules
        .iter()
        .enumerate()
        .rev()
        .map(|(place, rule)| (rule.id.clone(), place))
        .collect();
    let wanted = Wanted::of(of.hunt, &counted.figures);
    let events = wanted.take(look_up(&wanted.places())?);
    let findings = listed::findings(of.hunt, &about, &rules, &places, &events, heading);
    let health = health::health(of, heading, &rules)?;
    let times = sources::times(of.ledger);
    let known = told::Known {
        hunt: of.hunt,
        about: &about,
        counted: &counted,
        span,
        is_open: heading.from.is_none(),
        before: of.before,
        health: &health,
        rules: &rules,
        places: &places,
        events: times,
    };
    let summary = told::summary(&known, heading);
    let people = pages::people(&counted, &about, heading);
    let zone = heading.zone.map_or("UTC", |zone| zone.name());
    Ok(Report {
        head: Head {
            generator: GENERATOR,
            version: env!("CARGO_PKG_VERSION"),
            title: "coldtrail report".into(),
            made: heading.iso(heading.now),
            zone: zone.into(),
            archive: heading.archive.clone(),
            from: heading.from.map(|t| heading.iso(t)),
            to: heading.to.map(|t| heading.iso(t)),
            users,
            first: times.map(|times| heading.iso(times.0)),
            last: times.map(|times| heading.iso(times.1)),
        },
        summary,
        findings,
        timeline: wanted.timeline(events, heading),
        people,
        health,
        figures: counted.figures,
        rules,
    })
}

/// What a parameter was, and what it is by itself where somebody set it.
fn parameter(parameter: &RuleParameter) -> String {
    let (name, value) = (&parameter.name, parameter.value());
    match &parameter.set {
        Some(_) => format!("{name} = {value} (by itself {})", parameter.default),
        None => format!("{name} = {value}"),
    }
}

/// The rules and what became of them.
fn rules(hunt: &Hunt) -> Vec<Rule> {
    let rules = hunt.outcomes.iter().map(|outcome| {
        let status = match &outcome.status {
            Status::Found => "found",
            Status::Lacks(_) => "lacks",
            status if status.reason().is_some() => "not run",
            _ => "nothing",
        };
        let reason = match &outcome.status {
            Status::Absent(why) | Status::Counted(why) => why.as_str(),
            status => status.reason().unwrap_or_default(),
        };
        let unjudged = outcome.unjudged.as_ref().map(|of| {
            let many = match of.count {
                0 => String::new(),
                n => format!("{} ", count(n)),
            };
            format!("{many}{} not judged: {}", of.what, of.why)
        });
        let mut told = Rule {
            id: outcome.id.clone(),
            name: outcome.id.clone(),
            severity: "",
            status,
            reason: reason.to_string(),
            findings: outcome.findings as u64,
            description: String::new(),
            tactics: Vec::new(),
            techniques: Vec::new(),
            false_positives: Vec::new(),
            references: Vec::new(),
            parameters: Vec::new(),
            unjudged,
            version: None,
            sha256: String::new(),
        };
        if let Some(rule) = &outcome.rule {
            told.name.clone_from(&rule.name);
            told.severity = rule.severity.name();
            told.description.clone_from(&rule.description);
            told.tactics.clone_from(&rule.tactics);
            told.techniques.clone_from(&rule.techniques);
            told.false_positives.clone_from(&rule.false_positives);
            told.references.clone_from(&rule.references);
            told.parameters = rule.parameters.iter().map(parameter).collect();
            told.version.clone_from(&rule.version);
            told.sha256 = health::sha256(&[rule.query.text.as_str()]);
        }
        told
    });
    rules.collect()
}
