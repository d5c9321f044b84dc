//! One mail to each manager: which labels the people who report to them lowered or removed.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::Serialize;

use super::letter::Addressed;
use super::plain::{Hidden, Moment, Plain};
use super::sent::{Key, Sent};
use crate::case::{Change, Label, LabelChange};

/// What these notices are called.
pub const KIND: &str = "label-changes";

/// What a manager is told. Like [`OwnerNotice`](super::denied::OwnerNotice) it has no place for where somebody was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManagerNotice {
    /// To whom it goes.
    pub manager: Plain,
    /// How many people made the changes.
    pub people: usize,
    /// The changes, by time.
    pub changes: Vec<Lowered>,
}

/// A label that was lowered or removed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lowered {
    /// When.
    pub time: Moment,
    /// Who did it.
    pub user: Plain,
    /// `Label lowered`, `Label removed`.
    pub what: Plain,
    /// The document or mail.
    pub file: Option<Plain>,
    /// The label before.
    pub old: Option<Plain>,
    /// The label after.
    pub new: Option<Plain>,
    /// The reason that was given.
    pub justification: Option<Plain>,
}

/// What is to be told of label changes.
#[derive(Debug, Default)]
pub struct Plan {
    /// The notices, by recipient.
    pub notices: Vec<Addressed<ManagerNotice>>,
    /// How many changes there are of people whose manager nobody knows, by these people.
    pub unmanaged: BTreeMap<String, usize>,
    /// How many changes there are of which the manager has been told.
    pub told: usize,
}

/// Changes by what a ledger knows of them.
type Told<'c> = BTreeMap<Key, Vec<&'c Change>>;

/// What is not told yet.
pub fn plan(changes: &[LabelChange], sent: &Sent, zone: Option<Tz>) -> Plan {
    let hidden = Hidden::of(changes.iter().map(|change| &change.trace));
    let mut plan = Plan::default();
    let mut groups: BTreeMap<(&str, Option<String>), Told<'_>> = BTreeMap::new();
    for change in changes.iter().map(|change| &change.change) {
        let Some(manager) = change.manager.as_deref() else {
            *plan.unmanaged.entry(change.user.clone()).or_default() += 1;
            continue;
        };
        let key = key_of(manager, change);
        if sent.is_told(&key) {
            plan.told += 1;
            continue;
        }
        let begun = sent.begun(&key).map(str::to_string);
        let group = groups.entry((manager, begun)).or_default();
        group.entry(key).or_default().push(change);
    }
    for ((manager, _), group) in groups {
        let mut all: Vec<&Change> = group.values().flatten().copied().collect();
        all.sort_by(|a, b| (a.time, &a.user, &a.file).cmp(&(b.time, &b.user, &b.file)));
        plan.notices.push(Addressed {
            to: manager.to_string(),
            last: all.last().map_or(0, |change| change.time),
            notice: notice(manager, &all, &hidden, zone),
            keys: group.into_keys().collect(),
        });
    }
    plan
}

fn key_of(manager: &str, change: &Change) -> Key {
    let second = change.time.div_euclid(1_000_000).to_string();
    let id = |label: &Option<Label>| label.as_ref().map_or(String::new(), |l| l.id.clone());
    let (old, new) = (id(&change.old), id(&change.new));
    Key::of([
        KIND,
        manager,
        change.user.as_str(),
        change.file.as_deref().unwrap_or_default(),
        change.action.as_str(),
        old.as_str(),
        new.as_str(),
        second.as_str(),
    ])
}

fn notice(manager: &str, all: &[&Change], hidden: &Hidden, zone: Option<Tz>) -> ManagerNotice {
    let plain = |text: &str| Plain::of(text, hidden);
    let mut people: Vec<&str> = all.iter().map(|change| change.user.as_str()).collect();
    people.sort_unstable();
    people.dedup();
    let changes = all.iter().map(|change| Lowered {
        time: Moment::of(change.time, zone),
        user: plain(&change.user),
        what: plain(match change.action.as_str() {
            "LabelDowngraded" => "Label lowered",
            "LabelRemoved" => "Label removed",
            other => other,
        }),
        file: change.file.as_deref().map(plain),
        old: change.old.as_ref().map(Label::called).map(plain),
        new: change.new.as_ref().map(Label::called).map(plain),
        justification: change.justification.as_deref().map(plain),
    });
    ManagerNotice {
        manager: plain(manager),
        people: people.len(),
        changes: changes.collect(),
    }
}

/// Notices on which templates are tried: with everything in it that there can be, and with as little.
pub fn examples() -> [ManagerNotice; 2] {
    let plain = |text: &str| Plain::of(text, &Hidden::default());
    let full = ManagerNotice {
        manager: plain("manager@example.org"),
        people: 1,
        changes: vec![Lowered {
            time: Moment::of(1_767_225_600_000_000, Some(Tz::UTC)),
            user: plain("somebody@example.org"),
            what: plain("Label removed"),
            file: Some(plain("Document.docx")),
            old: Some(plain("Confidential")),
            new: Some(plain("Public")),
            justification: Some(plain("no longer needed")),
        }],
    };
    let mut bare = full.clone();
    for change in &mut bare.changes {
        (change.file, change.old, change.new) = (None, None, None);
        change.justification = None;
    }
    [full, bare]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Lineage, Trace};

    fn change(user: &str, manager: Option<&str>, why: &str) -> LabelChange {
        LabelChange {
            change: Change {
                time: 1_000_000,
                action: "LabelRemoved".into(),
                user: user.into(),
                manager: manager.map(str::to_string),
                file: Some("Plan.docx".into()),
                old: None,
                new: None,
                justification: Some(why.into()),
            },
            trace: Trace {
                device: Some("WS-FLETCHER".into()),
                ..Trace::default()
            },
            lineage: Lineage::default(),
        }
    }

    #[test]
    fn each_manager_is_told_of_their_own_people() {
        let changes = [
            change(
                "frank@contoso.com",
                Some("alice@contoso.com"),
                "from WS-FLETCHER",
            ),
            change(
                "dave@contoso.com",
                Some("bob@contoso.com"),
                "at 2001:db8::7",
            ),
            change("scanner@contoso.com", None, ""),
        ];
        let plan = plan(&changes, &Sent::default(), None);
        let to: Vec<&str> = plan.notices.iter().map(|n| n.to.as_str()).collect();
        assert_eq!(to, ["alice@contoso.com", "bob@contoso.com"]);
        let why = |at: usize| plan.notices[at].notice.changes[0].justification.clone();
        assert_eq!(why(0).expect("a reason").as_str(), "from [removed]");
        assert_eq!(why(1).expect("a reason").as_str(), "at [address removed]");
        assert_eq!(plan.unmanaged["scanner@contoso.com"], 1);
    }
}
