//! Everything that a report counts and draws: label events over time and by whom, what, where and with what; peaks; flows from label to label;
//! denials; sign-ins beside lowered labels; persons.
//!
//! `LabelEvents` is asked for its bounds, then gone through once, in no order; denials and lowered labels are those of the case. Sign-ins are asked of
//! the people alone who have a page or lowered a label. What is counted does not depend on the order of rows: two runs give the same.
//!
//! - [`picture`]: the figures as plain data; [`asked`]: what they are asked for.
//! - `buckets`: where a time stands in them; `events`: label events as rows; `label_counts`: what is counted of these; `rankings`: the most of something.
//! - `label_figures`, `peaks`, `access`, `sign_ins`, `persons`: the figures of each.

use chrono_tz::Tz;

use crate::archive::ledger::Ledger;
use crate::engine::Session;
use crate::fault::Result;

use super::changes::{self, LOWERED, LabelChange};
use super::iso::iso;
use super::label::Label;
use super::shortened::{LONG, shortened};
use super::{denials, reference};

pub use asked::{Asked, Span};
pub use buckets::Buckets;
pub use label_counts::Key;
pub use persons::Person;
pub use picture::Figures;

mod access;
pub mod asked;
mod buckets;
mod events;
mod label_counts;
mod label_figures;
mod peaks;
mod persons;
pub mod picture;
mod rankings;
mod sign_ins;

use label_counts::LabelCounts;
use picture::{Lowered, MOST_EVENTS};

/// What was counted.
#[derive(Debug, Clone)]
pub struct Counted {
    /// The figures.
    pub figures: Figures,
    /// Where a time stands in them.
    pub buckets: Buckets,
    /// The key figures.
    pub keys: Keys,
    /// Persons, those with the worst findings first.
    pub persons: Vec<Person>,
    /// How many there are.
    pub persons_total: u64,
    /// Labels that were lowered or removed at no known time: no figure has them.
    pub untimed: u64,
}

/// The key figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Labels that were set, changed or removed.
    pub labelling: Key,
    /// Protections that were set, changed or taken away.
    pub protecting: Key,
    /// Labels that were lowered or removed.
    pub lowered: Key,
    /// Denials.
    pub denied: Key,
    /// Users of label events, each once.
    pub users: Key,
    /// Devices of label events, each once.
    pub devices: Key,
}

/// Counts what is asked for. The session is to be open for all times.
pub(super) fn of(session: &Session, ledger: &Ledger, asked: &Asked<'_>) -> Result<Counted> {
    let now = |times: (i64, i64)| match times {
        // One event of a wrong year is not to stretch all pictures.
        (first, last) if first <= asked.now => (first, last.min(asked.now)),
        times => times,
    };
    let span = events::span(session, asked)?;
    let both = span.into_iter().chain(asked.times);
    let times = both.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).map(now);
    let buckets = Buckets::of(times, asked.zone);
    let memory = session.reserve("figures of a report");
    let mut counts = LabelCounts::default();
    events::each(
        session,
        (asked.reach(), asked.users),
        &mut counts,
        |counts, event| counts.add(event, asked, &buckets),
        |counts| {
            memory.try_resize(counts.bytes())?;
            Ok(())
        },
    )?;
    let managers = reference::managers(session)?;
    let mut changes = changes::of(session, ledger, asked.window, &LOWERED)?;
    changes.retain(|change| asked.is_of(&change.change.user.to_lowercase()));
    let denials = denials::of(session, ledger, asked.reach())?;
    let (persons, persons_total) = persons::chosen(&counts, &changes, &denials, asked);
    let known = sign_ins::of(session, &persons, &changes, asked, &buckets)?;
    let (access, denied) = access::access(&denials, &counts, asked, &buckets);
    let actions = label_figures::actions(&counts);
    let mut labels = label_figures::labels(&counts, &buckets, &actions);
    labels.lowered_total = changes.len() as u64;
    let last = changes.iter().rev().take(MOST_EVENTS);
    labels.lowered = last.map(|change| lowered(change, asked.zone)).collect();
    let names = reference::names(session, &persons)?;
    let sources = persons::Sources {
        counts: &counts,
        actions: actions.iter().map(|(number, ..)| *number).collect(),
        denials: &denials,
        visits: &known.visits,
        names: &names,
        managers: &managers,
        asked,
        buckets: &buckets,
    };
    let persons = sources.persons(&persons);
    let keys = Keys {
        labelling: counts.labelling.clone(),
        protecting: counts.protecting.clone(),
        lowered: counts.lowering.clone(),
        denied,
        users: counts.distinct_users.key(&buckets),
        devices: counts.distinct_devices.key(&buckets),
    };
    Ok(Counted {
        figures: Figures {
            unit: buckets.unit(),
            buckets: buckets.names(),
            days: buckets.day_names(),
            actions: actions.into_iter().map(|(_, name, _)| name).collect(),
            labels,
            access,
            sign_ins: known.figures,
        },
        buckets,
        keys,
        persons,
        persons_total,
        untimed: changes::untimed(session, asked.users)?,
    })
}

/// A label that was lowered as a document has it, with its time in a zone.
pub fn lowered(change: &LabelChange, zone: Option<Tz>) -> Lowered {
    let LabelChange {
        change,
        trace,
        lineage,
    } = change;
    let short = |text: &Option<String>| text.as_deref().map(|text| shortened(text, LONG));
    let called =
        |label: &Option<Label>| label.as_ref().map(|label| shortened(label.called(), LONG));
    Lowered {
        time: iso(change.time, zone),
        at: change.time,
        action: change.action.clone(),
        user: change.user.to_lowercase(),
        manager: change.manager.clone(),
        file: short(&change.file),
        old: called(&change.old),
        new: called(&change.new),
        justification: short(&change.justification),
        application: short(&trace.application),
        device: short(&trace.device),
        address: short(&trace.address),
        ingest: lineage.ingest,
        record: lineage.record,
    }
}
