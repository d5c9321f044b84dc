//! Exclusions: alerts that somebody decided not to see, by rule and entity.
//!
//! They stand in the watchlist [`LIST`], one a row:
//!
//! | column | |
//! |---|---|
//! | `Rule` | id or name of the rule; `*` stands for any letters, nothing for all rules |
//! | `EntityType` | type of the entities that are meant: `Account`, `IP`, …; nothing for every alert of the rule |
//! | `Entity` | what they are called: any of their identifiers, or `name@suffix`, `domain\name`, `host.domain`; `*` as above; of addresses also a range, `192.0.2.0/24` |
//! | `Expires` | time at which it ends; a day alone belongs to it. Nothing where it does not end |
//! | `Reason` | why |
//!
//! The case of letters does not matter. An alert is excluded where it has entities of a type and each of them is excluded, by one row or by several:
//! one entity that nobody excluded is a reason to see the alert. One that is about more than an alert has room for is seen, unless its rule is excluded
//! as a whole. A row that cannot be understood excludes nothing and is said: an alert too many is
//! seen, one too few is not.

use std::net::IpAddr;

use arrow::array::RecordBatch;
use chrono::{Days, NaiveDate, NaiveTime};

use super::replay::AlertEntity;
use crate::engine::{Session, output};
use crate::fault::Result;
use crate::ingest::time;
use crate::rules::ENTITY_TYPES;
use crate::text::address;

/// Name of the watchlist.
pub const LIST: &str = "Exclusions";
/// Said where a row has no reason.
const NO_REASON: &str = "no reason given";

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exclusion {
    rule: String,
    whom: Whom,
    /// In microseconds.
    expires: Option<i64>,
    reason: String,
}

/// Which alerts of a rule are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    All,
    /// Those of entities of a type that are called so.
    Entities {
        /// As [`plain`] text.
        kind: String,
        called: String,
    },
}

/// What is excluded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exclusions {
    list: Vec<Exclusion>,
    problems: Vec<String>,
}

impl Exclusions {
    /// Those of the watchlist; none where there is no such list.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn read(session: &Session) -> Result<Exclusions> {
        if !session.has_own_watchlist(LIST) {
            return Ok(Exclusions::default());
        }
        let (schema, batches) = session.collect(&format!("SELECT * FROM watchlists.\"{LIST}\""))?;
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let mut rows = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                rows.push(cells(batch, row)?);
            }
        }
        Ok(Exclusions::of(&names, &rows))
    }

    /// Those of these rows.
    pub fn of(columns: &[&str], rows: &[Vec<String>]) -> Exclusions {
        let mut all = Exclusions::default();
        let place = |name: &str| columns.iter().position(|c| c.eq_ignore_ascii_case(name));
        if let Some(missing) = ["Rule", "EntityType", "Entity"]
            .into_iter()
            .find(|name| place(name).is_none())
        {
            all.problems.push(format!(
                "watchlist `{LIST}`: it has no column `{missing}`, so nothing is excluded"
            ));
            return all;
        }
        for (number, row) in (1..).zip(rows) {
            let cell = |name: &str| {
                let cell = place(name).and_then(|at| row.get(at));
                cell.map_or("", |text| text.trim())
            };
            match exclusion(cell) {
                Ok(one) => all.list.push(one),
                Err(why) => all.problems.push(format!(
                    "watchlist `{LIST}`, row {number}: {why}; it excludes nothing"
                )),
            }
        }
        all
    }

    /// Rows that cannot be understood, and why.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// How many have ended by then.
    pub fn expired(&self, now: i64) -> usize {
        self.list.iter().filter(|one| !one.is_in_force(now)).count()
    }

    /// Why an alert of a rule, by id and name, is excluded; nothing where it is not.
    pub fn reason(&self, rule: (&str, &str), entities: &[AlertEntity], now: i64) -> Option<&str> {
        self.of_rule(rule, now).reason(entities)
    }

    /// Those of a rule, by id and name, that hold now. A hunt asks for them once: there may be many, and many alerts.
    pub(super) fn of_rule(&self, (id, name): (&str, &str), now: i64) -> OfRule<'_> {
        let (id, name) = (id.to_lowercase(), name.to_lowercase());
        let is_of = |one: &Exclusion| is_like(&one.rule, &id) || is_like(&one.rule, &name);
        let own = self.list.iter();
        OfRule(
            own.filter(|one| one.is_in_force(now) && is_of(one))
                .collect(),
        )
    }
}

/// Exclusions of a rule.
pub(super) struct OfRule<'e>(Vec<&'e Exclusion>);

impl<'e> OfRule<'e> {
    /// Why an alert about these is excluded; nothing where it is not.
    pub(super) fn reason(&self, entities: &[AlertEntity]) -> Option<&'e str> {
        if self.0.is_empty() {
            return None;
        }
        let entities: Vec<Called> = entities.iter().map(Called::of).collect();
        let is_excluded = |entity: &Called| self.0.iter().any(|one| one.covers(entity));
        let found = self.0.iter().find(|one| match &one.whom {
            Whom::All => true,
            Whom::Entities { kind, .. } => {
                entities.iter().any(|entity| one.covers(entity))
                    && entities
                        .iter()
                        .filter(|entity| entity.kind == *kind)
                        .all(is_excluded)
            }
        });
        found.map(|one| one.reason.as_str())
    }
}

/// An entity as exclusions speak of it.
struct Called {
    /// Its type, as [`plain`] text.
    kind: String,
    /// What it is called, in lower case.
    names: Vec<String>,
}

impl Called {
    fn of(entity: &AlertEntity) -> Called {
        Called {
            kind: plain(&entity.kind),
            names: names(entity),
        }
    }
}

impl Exclusion {
    fn is_in_force(&self, now: i64) -> bool {
        self.expires.is_none_or(|end| now < end)
    }

    fn covers(&self, entity: &Called) -> bool {
        match &self.whom {
            Whom::Entities { kind, called } if entity.kind == *kind => {
                entity.names.iter().any(|name| is_called(name, called))
            }
            Whom::All | Whom::Entities { .. } => false,
        }
    }
}

fn cells(batch: &RecordBatch, row: usize) -> Result<Vec<String>> {
    let columns = batch.columns().iter();
    columns.map(|column| output::cell(column, row)).collect()
}

fn exclusion<'r>(cell: impl Fn(&str) -> &'r str) -> Result<Exclusion, String> {
    let lower = |name: &str| cell(name).to_lowercase();
    let whom = match (cell("EntityType"), cell("Entity")) {
        ("", "") => Whom::All,
        ("", entity) => return Err(format!("`{entity}` has no EntityType")),
        (kind, "") => {
            return Err(format!("it says {kind} and no Entity; `*` stands for any"));
        }
        (kind, _) if !ENTITY_TYPES.iter().any(|known| plain(known) == plain(kind)) => {
            let known = ENTITY_TYPES.join(", ");
            return Err(format!("`{kind}` is no type of entity: one of {known}"));
        }
        (kind, _) => Whom::Entities {
            kind: plain(kind),
            called: lower("Entity"),
        },
    };
    let expires = match cell("Expires") {
        "" => None,
        text => Some(end_of(text).ok_or_else(|| {
            format!("Expires is `{text}`, no time such as 2026-12-31 or 2026-12-31T08:00:00Z")
        })?),
    };
    let rule = match lower("Rule").as_str() {
        "" => "*".to_string(),
        rule => rule.to_string(),
    };
    if rule == "*" && whom == Whom::All {
        return Err("it names neither a rule nor an entity, and would exclude every alert".into());
    }
    Ok(Exclusion {
        rule,
        whom,
        expires,
        reason: match cell("Reason") {
            "" => NO_REASON.to_string(),
            reason => reason.to_string(),
        },
    })
}

/// The first moment at which an exclusion of this end does not hold.
fn end_of(text: &str) -> Option<i64> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let next = day.checked_add_days(Days::new(1))?;
        return Some(next.and_time(NaiveTime::MIN).and_utc().timestamp_micros());
    }
    time::iso(text.as_bytes())
}

/// A type of an entity in one spelling; alerts spell `CloudApplication` as `cloud-application`.
fn plain(kind: &str) -> String {
    kind.replace(['-', '_', ' '], "").to_lowercase()
}

/// What an entity is called, in lower case.
fn names(entity: &AlertEntity) -> Vec<String> {
    let identifiers = entity.identifiers.iter();
    let mut names: Vec<String> = identifiers.map(|(_, value)| value.to_lowercase()).collect();
    let value = |wanted: &str| {
        let mut identifiers = entity.identifiers.iter();
        let found = identifiers.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.to_lowercase())
    };
    for (first, between, second) in [
        ("Name", "@", "UPNSuffix"),
        ("NTDomain", "\\", "Name"),
        ("HostName", ".", "DnsDomain"),
    ] {
        if let (Some(first), Some(second)) = (value(first), value(second)) {
            names.push(format!("{first}{between}{second}"));
        }
    }
    names
}

fn is_called(name: &str, called: &str) -> bool {
    if is_like(called, name) {
        return true;
    }
    range(called).is_some_and(|range| address::parse(name).is_some_and(|ip| is_in(ip, range)))
}

/// A range of addresses: one of them, and how many of its first bits all have.
pub(crate) fn range(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/')?;
    let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?);
    let most = match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    (bits <= most).then_some((address, bits))
}

pub(crate) fn is_in(address: IpAddr, (of, bits): (IpAddr, u32)) -> bool {
    let (one, other, all) = match (address, of) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits()), u128::from(other.to_bits()), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    // A range of no bits has all addresses.
    let rest = all - bits;
    (one ^ other).checked_shr(rest).unwrap_or(0) == 0
}

/// Whether a text is like a pattern in which `*` stands for any letters.
pub(crate) fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-06-01T00:00:00Z
    const NOW: i64 = 1_780_272_000_000_000;
    const COLUMNS: [&str; 5] = ["rule", "EntityType", "Entity", "Expires", "Reason"];

    fn list(rows: &[[&str; 5]]) -> Exclusions {
        let rows: Vec<Vec<String>> = rows.iter().map(|r| r.map(String::from).into()).collect();
        Exclusions::of(&COLUMNS, &rows)
    }

    fn entity(kind: &str, identifiers: &[(&str, &str)]) -> AlertEntity {
        let identifiers = identifiers.iter();
        AlertEntity {
            kind: kind.into(),
            identifiers: identifiers
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        }
    }

    fn adele() -> AlertEntity {
        entity(
            "Account",
            &[("Name", "Adele"), ("UPNSuffix", "contoso.com")],
        )
    }

    fn alex() -> AlertEntity {
        entity("Account", &[("Name", "alex"), ("UPNSuffix", "contoso.com")])
    }

    #[test]
    fn an_alert_is_excluded_where_all_entities_of_a_type_are() {
        let one = list(&[["mass-*", "Account", "adele@contoso.com", "", "test account"]]);
        let rule = ("mass-download", "Mass download");
        assert_eq!(one.reason(rule, &[adele()], NOW), Some("test account"));
        assert_eq!(one.reason(rule, &[adele(), alex()], NOW), None);
        assert_eq!(one.reason(rule, &[], NOW), None);
        assert_eq!(one.reason(("other", "Other"), &[adele()], NOW), None);
        let address = entity("IP", &[("Address", "192.0.2.7")]);
        // Entities of other types do not count.
        let both = [adele(), address];
        assert_eq!(one.reason(rule, &both, NOW), Some("test account"));
        let two = list(&[
            ["mass download", "account", "ADELE@*", "", "one"],
            ["", "Account", "alex", "", "two"],
        ]);
        assert_eq!(two.reason(rule, &[adele(), alex()], NOW), Some("one"));
        // The row that has no part in it is not the reason.
        assert_eq!(two.reason(rule, &[alex()], NOW), Some("two"));
    }

    #[test]
    fn a_rule_can_be_excluded_as_a_whole_and_all_rules_cannot() {
        let all = list(&[["noisy", "", "", "", ""], ["*", "", "", "", "everything"]]);
        assert_eq!(all.reason(("noisy", ""), &[], NOW), Some(NO_REASON));
        assert_eq!(all.reason(("other", ""), &[], NOW), None);
        assert_eq!(all.problems().len(), 1);
        assert!(all.problems()[0].contains("row 2"), "{:?}", all.problems());
    }

    #[test]
    fn what_has_ended_excludes_nothing() {
        let of = |expires: &str| {
            let one = list(&[["r", "", "", expires, "why"]]);
            (one.reason(("r", ""), &[], NOW).is_some(), one.expired(NOW))
        };
        assert_eq!(of("2026-06-01"), (true, 0));
        assert_eq!(of("2026-06-01T00:00:01Z"), (true, 0));
        assert_eq!(of("2026-06-01T00:00:00Z"), (false, 1));
        assert_eq!(of("2026-05-31"), (false, 1));
    }

    #[test]
    fn rows_that_cannot_be_understood_exclude_nothing_and_are_said() {
        let wrong = list(&[
            ["r", "", "adele", "", ""],
            ["r", "Account", "", "", ""],
            ["r", "", "", "soon", ""],
            ["r", "User", "adele@*", "", ""],
        ]);
        assert_eq!(wrong.problems().len(), 4);
        assert!(wrong.problems()[3].contains("`User` is no type of entity: one of Account, "));
        assert_eq!(wrong.reason(("r", ""), &[adele()], NOW), None);
        let none = Exclusions::of(&["Rule", "Entity"], &[]);
        assert!(none.problems()[0].contains("`EntityType`"));
    }

    #[test]
    fn addresses_are_excluded_by_range() {
        let meant = |called: &str, address: &str| {
            let one = list(&[["", "ip", called, "", "our own"]]);
            let ip = entity("IP", &[("Address", address)]);
            one.reason(("r", ""), &[ip], NOW).is_some()
        };
        assert!(meant("192.0.2.0/24", "192.0.2.255"));
        assert!(meant("192.0.2.0/24", "192.0.2.7:443"));
        assert!(!meant("192.0.2.0/24", "192.0.3.1"));
        assert!(meant("0.0.0.0/0", "203.0.113.9"));
        assert!(meant("2001:db8::/32", "2001:db8:1::2"));
        assert!(!meant("2001:db8::/32", "2001:db9::2"));
        assert!(!meant("2001:db8::/32", "192.0.2.1"));
        assert!(!meant("192.0.2.0/33", "192.0.2.1"));
        assert!(meant("::/0", "2001:db9::2"));
    }

    #[test]
    fn patterns_stand_for_any_letters() {
        for (pattern, text, like) in [
            ("*", "", true),
            ("*", "a", true),
            ("a*", "ab", true),
            ("a*b", "ab", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*a", "ba", true),
            ("ab*b", "ab", false),
            ("ab", "abc", false),
            ("", "", true),
        ] {
            assert_eq!(is_like(pattern, text), like, "{pattern} {text}");
        }
    }

    #[test]
    fn types_are_known_in_both_spellings() {
        assert_eq!(plain("CloudApplication"), plain("cloud-application"));
        assert_ne!(plain("IP"), plain("Account"));
    }

    #[test]
    fn those_of_a_rule_are_chosen_once_and_say_the_same() {
        let all = list(&[
            ["mass-*", "account", "alex@contoso.com", "", "one"],
            ["*", "cloud-application", "teams", "", "two"],
            ["other", "Account", "*", "", "three"],
            ["*", "Account", "adele*", "2026-05-31", "four"],
        ]);
        let teams = entity("CloudApplication", &[("Name", "Teams")]);
        let own = all.of_rule(("Mass-Download", ""), NOW);
        assert_eq!(own.0.len(), 2);
        for (entities, why) in [
            (vec![alex()], Some("one")),
            (vec![adele()], None),
            (vec![adele(), teams], Some("two")),
            (Vec::new(), None),
        ] {
            assert_eq!(own.reason(&entities), why);
            let alone = all.reason(("mass-download", ""), &entities, NOW);
            assert_eq!(alone, why);
        }
    }
}
