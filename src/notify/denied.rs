//! One mail to each owner of documents: who was denied which of them.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::Serialize;

use super::letter::Addressed;
use super::plain::{Hidden, Moment, Plain};
use super::sent::{Key, Sent};
use crate::case::{Denial, Label, Owner, Refusal};

/// What these notices are called.
pub const KIND: &str = "access-denied";

/// What an owner is told. No field, and no field of a field, is of a type that could say from where or with what somebody asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OwnerNotice {
    /// To whom it goes.
    pub owner: Plain,
    /// How many denials it tells of.
    pub attempts: usize,
    /// How many people were denied.
    pub people: usize,
    /// The first of the denials.
    pub first: Moment,
    /// The last of the denials.
    pub last: Moment,
    /// The documents, by their names.
    pub documents: Vec<Document>,
}

/// A document, and who was denied it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// Its name, else the id of its content.
    pub name: Plain,
    /// Its label.
    pub label: Option<Plain>,
    /// Since when it is protected.
    pub protected_since: Option<Moment>,
    /// Who was denied it, the first to try first.
    pub denied: Vec<Denied>,
}

/// Somebody who was denied a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Denied {
    /// The address of the account.
    pub user: Plain,
    /// The name of the account.
    pub name: Option<Plain>,
    /// How often.
    pub attempts: usize,
    /// The first time.
    pub first: Moment,
    /// The last time, where there is more than one.
    pub last: Option<Moment>,
}

/// Denials that no owner can be told of: for the security team.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unowned {
    /// What the record says in the place of an owner; nothing where it says nothing.
    pub owner: String,
    /// Whether it is an account of no person.
    pub service: bool,
    /// The document.
    pub document: String,
    /// Who was denied it.
    pub user: String,
    /// How often.
    pub attempts: usize,
    /// When last, in microseconds since 1970.
    pub last: i64,
}

/// What is to be told of denials.
#[derive(Debug, Default)]
pub struct Plan {
    /// The notices, by recipient.
    pub notices: Vec<Addressed<OwnerNotice>>,
    /// Denials of documents whose owner is a service or not known.
    pub unowned: Vec<Unowned>,
    /// How many denials there are of which their owner has been told.
    pub told: usize,
}

/// Refusals by what a ledger knows of them.
type Told<'d> = BTreeMap<Key, Vec<&'d Refusal>>;

/// What is not told yet. A notice that was begun and is not known to have been sent is made again as it was, so that it has the same id.
pub fn plan(denials: &[Denial], sent: &Sent, zone: Option<Tz>) -> Plan {
    let hidden = Hidden::of(denials.iter().map(|denial| &denial.trace));
    let mut plan = Plan::default();
    let mut groups: BTreeMap<(String, Option<String>), Told<'_>> = BTreeMap::new();
    let mut unowned: BTreeMap<(String, bool, String, String), (usize, i64)> = BTreeMap::new();
    for refusal in denials.iter().map(|denial| &denial.refusal) {
        let Owner::Person(owner) = &refusal.owner else {
            let service = matches!(refusal.owner, Owner::Service(_));
            let said = refusal.owner.said().unwrap_or_default().to_string();
            let group = (
                said,
                service,
                refusal.document().to_string(),
                refusal.account().to_string(),
            );
            let (attempts, last) = unowned.entry(group).or_insert((0, refusal.time));
            *attempts += 1;
            *last = (*last).max(refusal.time);
            continue;
        };
        let key = key_of(owner, refusal);
        if sent.is_told(&key) {
            plan.told += 1;
            continue;
        }
        let begun = sent.begun(&key).map(str::to_string);
        let group = groups.entry((owner.clone(), begun)).or_default();
        group.entry(key).or_default().push(refusal);
    }
    for ((owner, _), refusals) in groups {
        let all: Vec<&Refusal> = refusals.values().flatten().copied().collect();
        let last = all.iter().map(|refusal| refusal.time).max();
        let notice = notice(&owner, all, &hidden, zone);
        plan.notices.push(Addressed {
            to: owner,
            keys: refusals.into_keys().collect(),
            last: last.unwrap_or_default(),
            notice,
        });
    }
    plan.unowned = unowned
        .into_iter()
        .map(
            |((owner, service, document, user), (attempts, last))| Unowned {
                owner,
                service,
                document,
                user,
                attempts,
                last,
            },
        )
        .collect();
    plan
}

/// What a denial is known by, whichever log tells of it: logs of one event differ in the fractions of its second.
fn key_of(owner: &str, refusal: &Refusal) -> Key {
    let second = refusal.time.div_euclid(1_000_000).to_string();
    let document = refusal
        .content
        .as_deref()
        .unwrap_or_else(|| refusal.document());
    Key::of([
        KIND,
        owner,
        document,
        refusal.user.as_str(),
        second.as_str(),
    ])
}

fn notice(
    owner: &str,
    mut refusals: Vec<&Refusal>,
    hidden: &Hidden,
    zone: Option<Tz>,
) -> OwnerNotice {
    refusals.sort_by(|a, b| (a.time, &a.user, a.document()).cmp(&(b.time, &b.user, b.document())));
    let mut documents: BTreeMap<(&str, &str), Vec<&Refusal>> = BTreeMap::new();
    for refusal in &refusals {
        let id = refusal.content.as_deref().unwrap_or_default();
        let of = documents.entry((refusal.document(), id)).or_default();
        of.push(refusal);
    }
    let told = documents.into_iter();
    let told = told.map(|((_, id), refusals)| (document(&refusals, hidden, zone), id));
    let mut told: Vec<(Document, &str)> = told.collect();
    // By what the owner sees of the names: another order would tell how a name begins of which a part was removed.
    told.sort_by(|(a, a_id), (b, b_id)| (&a.name, a_id).cmp(&(&b.name, b_id)));
    let mut people: Vec<&str> = refusals
        .iter()
        .map(|refusal| refusal.user.as_str())
        .collect();
    people.sort_unstable();
    people.dedup();
    let moment =
        |refusal: Option<&&Refusal>| Moment::of(refusal.map_or(0, |refusal| refusal.time), zone);
    OwnerNotice {
        owner: Plain::of(owner, hidden),
        attempts: refusals.len(),
        people: people.len(),
        first: moment(refusals.first()),
        last: moment(refusals.last()),
        documents: told.into_iter().map(|(document, _)| document).collect(),
    }
}

/// The refusals of one document, in the order of time.
fn document(refusals: &[&Refusal], hidden: &Hidden, zone: Option<Tz>) -> Document {
    let plain = |text: &str| Plain::of(text, hidden);
    let mut denied: Vec<Denied> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for refusal in refusals {
        let when = Moment::of(refusal.time, zone);
        let next = denied.len();
        let place = *places.entry(&refusal.user).or_insert(next);
        match denied.get_mut(place) {
            Some(denied) => {
                denied.attempts += 1;
                denied.last = Some(when);
            }
            None => denied.push(Denied {
                user: plain(refusal.account()),
                name: refusal.user_name.as_deref().map(plain),
                attempts: 1,
                first: when,
                last: None,
            }),
        }
    }
    // The newest of what records say of it.
    let label = refusals.iter().rev().find_map(|r| r.label.as_ref());
    let since = refusals.iter().rev().find_map(|r| r.protected_since);
    let name = refusals.first().map_or("", |refusal| refusal.document());
    Document {
        name: plain(name),
        label: label.map(Label::called).map(plain),
        protected_since: since.map(|since| Moment::of(since, zone)),
        denied,
    }
}

/// Notices on which templates are tried: with everything in it that there can be, and with as little.
pub fn examples() -> [OwnerNotice; 2] {
    let full = example();
    let mut bare = full.clone();
    (bare.attempts, bare.first, bare.last) = (1, Moment::of(0, None), Moment::of(0, None));
    for document in &mut bare.documents {
        (document.label, document.protected_since) = (None, None);
        document.denied.truncate(1);
        for denied in &mut document.denied {
            (denied.attempts, denied.name, denied.last) = (1, None, None);
        }
    }
    [full, bare]
}

/// A notice with everything in it that there can be.
pub fn example() -> OwnerNotice {
    let hidden = Hidden::default();
    let plain = |text: &str| Plain::of(text, &hidden);
    let moment = || Moment::of(1_767_225_600_000_000, Some(Tz::UTC));
    let denied = |last: Option<Moment>| Denied {
        user: plain("somebody@example.org"),
        name: Some(plain("Somebody")),
        attempts: 2,
        first: moment(),
        last,
    };
    OwnerNotice {
        owner: plain("owner@example.org"),
        attempts: 4,
        people: 1,
        first: moment(),
        last: moment(),
        documents: vec![Document {
            name: plain("Document.docx"),
            label: Some(plain("Confidential")),
            protected_since: Some(moment()),
            denied: vec![denied(Some(moment())), denied(None)],
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Trace;

    fn denial(owner: &str, user: &str, file: &str, second: i64) -> Denial {
        Denial {
            refusal: Refusal {
                time: second * 1_000_000 + 5,
                user: user.into(),
                user_name: None,
                result: "AccessDenied".into(),
                content: Some(format!("id of {file}")),
                file: Some(file.into()),
                label: None,
                owner: Owner::Person(owner.into()),
                protected_since: None,
            },
            trace: Trace {
                address: Some("192.0.2.7".into()),
                device: Some("WS-TRUDY".into()),
                ..Trace::default()
            },
            lineage: crate::case::Lineage::default(),
        }
    }

    #[test]
    fn each_owner_gets_one_notice_by_document_and_person() {
        let denials = [
            denial("dave@contoso.com", "trudy@fabrikam.com", "b.docx", 20),
            denial("dave@contoso.com", "trudy@fabrikam.com", "b.docx", 10),
            denial(
                "dave@contoso.com",
                "oscar@example.org",
                "a WS-TRUDY.docx",
                15,
            ),
            denial(
                "frank@contoso.com",
                "trudy@fabrikam.com",
                "192.0.2.7.docx",
                30,
            ),
        ];
        let plan = plan(&denials, &Sent::default(), None);
        let to: Vec<&str> = plan.notices.iter().map(|n| n.to.as_str()).collect();
        assert_eq!(to, ["dave@contoso.com", "frank@contoso.com"]);
        let dave = &plan.notices[0].notice;
        assert_eq!((dave.attempts, dave.people), (3, 2));
        let names: Vec<&str> = dave.documents.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["a [removed].docx", "b.docx"]);
        // A name whose beginning goes stands where it would stand if it were called so.
        let zed = [
            denial("z@contoso.com", "t@fabrikam.com", "192.0.2.7 a.docx", 1),
            denial("z@contoso.com", "t@fabrikam.com", "B.docx", 1),
            denial("z@contoso.com", "t@fabrikam.com", "WS-TRUDY.docx", 1),
        ];
        let zed = super::plan(&zed, &Sent::default(), None);
        let names = zed.notices[0].notice.documents.iter();
        let names: Vec<&str> = names.map(|d| d.name.as_str()).collect();
        assert_eq!(
            names,
            ["B.docx", "[address removed] a.docx", "[removed].docx"]
        );
        let trudy = &dave.documents[1].denied[0];
        assert_eq!(trudy.attempts, 2);
        assert_eq!(trudy.first, Moment::of(10_000_000, None));
        assert_eq!(trudy.last, Some(Moment::of(20_000_000, None)));
        let frank = &plan.notices[1].notice;
        assert_eq!(frank.documents[0].name.as_str(), "[address removed].docx");
    }

    #[test]
    fn what_an_owner_was_told_is_not_told_again() {
        let denials = [
            denial("dave@contoso.com", "trudy@fabrikam.com", "b.docx", 10),
            denial("dave@contoso.com", "trudy@fabrikam.com", "b.docx", 20),
        ];
        let first = plan(&denials[..1], &Sent::default(), None);
        let mut sent = Sent::default();
        sent.tell(&first.notices[0].keys);
        let second = plan(&denials, &sent, None);
        assert_eq!(second.told, 1);
        assert_eq!(second.notices[0].notice.attempts, 1);
        // Another log of the same event has another fraction of the second.
        let mut again = denials[0].clone();
        again.refusal.time += 400_000;
        assert_eq!(plan(&[again], &sent, None).told, 1);
    }

    #[test]
    fn services_and_unknown_owners_are_listed_for_the_team() {
        let mut service = denial("", "trudy@fabrikam.com", "b.docx", 10);
        service.refusal.owner = Owner::Service("scanner@contoso.com".into());
        let mut unknown = denial("", "trudy@fabrikam.com", "b.docx", 10);
        unknown.refusal.owner = Owner::Unknown(None);
        let plan = plan(&[service.clone(), unknown, service], &Sent::default(), None);
        assert!(plan.notices.is_empty());
        let listed = plan.unowned.iter();
        let listed: Vec<_> = listed
            .map(|u| (u.owner.as_str(), u.service, u.attempts))
            .collect();
        assert_eq!(listed, [("", false, 1), ("scanner@contoso.com", true, 2)]);
    }
}
