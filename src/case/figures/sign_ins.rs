//! Sign-ins of people: how many, and those beside lowered labels.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::asked::Asked;
use super::buckets::{Buckets, day_name};
use super::picture::{Beside, MOST_BESIDE, MOST_ROWS, SignIn, SignIns};
use super::rankings::Counts;
use crate::case::changes::LabelChange;
use crate::case::iso::iso;
use crate::case::rows::{Row, each, listed, within};
use crate::catalog::TIME;
use crate::engine::Session;
use crate::fault::Result;
use crate::hunt::Window;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// Sign-ins of a user and a day that are kept until the most telling of them are chosen.
const KEPT: usize = 10 * MOST_BESIDE;
/// Users whose sign-ins one query asks.
const ASKED: usize = 1000;
/// Table of sign-ins.
const SIGN_INS: &str = "SigninLogs";
/// Table of audit records, which tells of sign-ins too.
const AUDIT: &str = "UnifiedAuditLog";

/// The sign-ins of one person.
#[derive(Debug, Default)]
pub(super) struct Visits {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) risky: u64,
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
    pub(super) devices: Counts,
    pub(super) addresses: Counts,
    pub(super) countries: Counts,
}

/// What is known of sign-ins: the figures, and those of each person that is asked for.
pub(super) struct Known {
    pub(super) figures: SignIns,
    pub(super) visits: BTreeMap<String, Visits>,
}

/// Sign-ins in the making.
struct Making<'a> {
    asked: &'a Asked<'a>,
    buckets: &'a Buckets,
    /// How often each user lowered labels on each day, counted from 1970.
    lowered: BTreeMap<(String, i64), u64>,
    lowering: BTreeSet<String>,
    people: BTreeSet<&'a str>,
    beside: HashMap<(String, i64), (Vec<SignIn>, u64)>,
    known: Known,
}

/// The sign-ins of these people, and those beside lowered labels.
pub(super) fn of(
    session: &Session,
    people: &[String],
    changes: &[LabelChange],
    asked: &Asked<'_>,
    buckets: &Buckets,
) -> Result<Known> {
    let mut lowered: BTreeMap<(String, i64), u64> = BTreeMap::new();
    for change in changes {
        let day = buckets.day_number(change.change.time);
        let user = change.change.user.to_lowercase();
        *lowered.entry((user, day)).or_default() += 1;
    }
    let days = || vec![0; buckets.day_count()];
    let mut making = Making {
        asked,
        buckets,
        lowering: lowered.keys().map(|(user, _)| user.clone()).collect(),
        lowered,
        people: people.iter().map(String::as_str).collect(),
        beside: HashMap::new(),
        known: Known {
            figures: SignIns {
                succeeded: days(),
                failed: days(),
                risky: days(),
                lowered: days(),
                ..SignIns::default()
            },
            visits: BTreeMap::new(),
        },
    };
    for ((_, day), count) in &making.lowered {
        let at = buckets.day_place(*day);
        if let Some(sum) = at.and_then(|at| making.known.figures.lowered.get_mut(at)) {
            *sum += count;
        }
    }
    let users: BTreeSet<&String> = people.iter().chain(&making.lowering).collect();
    let users: Vec<String> = users
        .into_iter()
        .filter(|user| !user.is_empty())
        .cloned()
        .collect();
    let table = [SIGN_INS, AUDIT]
        .into_iter()
        .find(|table| session.has(table));
    for users in users.chunks(ASKED) {
        let Some(table) = table else {
            break;
        };
        let sql = sql(table, users, asked.window);
        each(session, &sql, |_| Ok(()), |row| making.take(row))?;
    }
    making.known.figures.is_known = session.has(SIGN_INS) || any(&making.known.visits);
    Ok(making.finish())
}

fn any(visits: &BTreeMap<String, Visits>) -> bool {
    visits.values().any(|one| one.succeeded + one.failed > 0)
}

/// The sign-ins of users, by time. A day before the window counts too: a label is lowered after a sign-in.
fn sql(table: &str, users: &[String], window: Window) -> String {
    let window = Window {
        from: window.from.map(|from| from.saturating_sub(DAY)),
        to: window.to,
    };
    let users = listed(users.iter());
    let within = within(window, "s");
    match table {
        AUDIT => format!(
            "SELECT arrow_cast(s.\"{TIME}\", 'Int64') AS \"Time\", lower(trim(s.\"UserId\")) AS \"User\", \
               CASE WHEN s.\"Operation\" = 'UserLoggedIn' THEN '0' ELSE coalesce(nullif(s.\"ErrorNumber\", ''), 'failed') END AS \"Result\", \
               CAST(NULL AS VARCHAR) AS \"Reason\", CAST(NULL AS VARCHAR) AS \"Risk\", s.\"IPAddress\", CAST(NULL AS VARCHAR) AS \"Country\", \
               CAST(NULL AS VARCHAR) AS \"Application\", CAST(NULL AS VARCHAR) AS \"Device\" \
             FROM \"{AUDIT}\" AS s WHERE s.\"RecordType\" = 15 AND s.\"Operation\" IN ('UserLoggedIn', 'UserLoginFailed') AND {within} \
               AND lower(trim(s.\"UserId\")) IN ({users}) ORDER BY \"Time\", s.\"Id\""
        ),
        _ => format!(
            "SELECT arrow_cast(s.\"{TIME}\", 'Int64') AS \"Time\", lower(trim(s.\"UserPrincipalName\")) AS \"User\", \
               s.\"ResultType\" AS \"Result\", s.\"ResultDescription\" AS \"Reason\", \
               CASE WHEN lower(s.\"RiskLevelDuringSignIn\") IN ('low', 'medium', 'high') THEN lower(s.\"RiskLevelDuringSignIn\") END AS \"Risk\", \
               s.\"IPAddress\", coalesce(nullif(trim(s.\"Location\"), ''), json_as_text(s.\"LocationDetails\", 'countryOrRegion')) AS \"Country\", \
               s.\"AppDisplayName\" AS \"Application\", json_as_text(s.\"DeviceDetail\", 'displayName') AS \"Device\" \
             FROM \"{SIGN_INS}\" AS s WHERE {within} AND lower(trim(s.\"UserPrincipalName\")) IN ({users}) ORDER BY \"Time\", s.\"Id\""
        ),
    }
}

impl Making<'_> {
    fn take(&mut self, row: Row<'_>) -> Result<()> {
        let (Some(at), Some(user)) = (row.number(0)?, row.text(1)?) else {
            return Ok(());
        };
        let is_success = row.text(2)?.as_deref() == Some("0");
        let reason = match is_success {
            true => None,
            false => row.text(3)?.or(row.text(2)?),
        };
        let sign_in = SignIn {
            time: iso(at, self.asked.zone),
            at,
            result: if is_success { "succeeded" } else { "failed" },
            reason,
            risk: row.text(4)?,
            address: row.text(5)?,
            country: row.text(6)?,
            application: row.text(7)?,
            device: row.text(8)?,
        };
        if self.asked.is_asked(at) {
            self.count(&user, &sign_in);
        }
        if !self.lowering.contains(&user) {
            return Ok(());
        }
        // Of the same day, and of the day before the next one on which labels were lowered.
        let day = self.buckets.day_number(at);
        for day in [day, day + 1] {
            let key = (user.clone(), day);
            if !self.lowered.contains_key(&key) {
                continue;
            }
            let (kept, total) = self.beside.entry(key).or_default();
            *total += 1;
            kept.push(sign_in.clone());
            if kept.len() > KEPT {
                choose(kept);
            }
        }
        Ok(())
    }

    fn count(&mut self, user: &str, sign_in: &SignIn) {
        if self.people.contains(user) {
            let visits = self.known.visits.entry(user.to_string()).or_default();
            match sign_in.result {
                "succeeded" => visits.succeeded += 1,
                _ => visits.failed += 1,
            }
            visits.risky += u64::from(sign_in.risk.is_some());
            visits.first = visits.first.or(Some(sign_in.at));
            visits.last = Some(sign_in.at);
            let said = [
                (&mut visits.devices, &sign_in.device),
                (&mut visits.addresses, &sign_in.address),
                (&mut visits.countries, &sign_in.country),
            ];
            for (counts, text) in said {
                if let Some(text) = text {
                    counts.add(Some(text), 0);
                }
            }
        }
        if !self.lowering.contains(user) {
            return;
        }
        let Some(day) = self.buckets.day(sign_in.at) else {
            return;
        };
        let figures = &mut self.known.figures;
        let series = match sign_in.result {
            "succeeded" => &mut figures.succeeded,
            _ => &mut figures.failed,
        };
        if let Some(n) = series.get_mut(day) {
            *n += 1;
        }
        if let Some(n) = figures
            .risky
            .get_mut(day)
            .filter(|_| sign_in.risk.is_some())
        {
            *n += 1;
        }
    }

    fn finish(mut self) -> Known {
        let mut lowered: Vec<((String, i64), u64)> = self.lowered.into_iter().collect();
        lowered.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        lowered.truncate(MOST_ROWS);
        for ((user, day), count) in lowered {
            let key = (user, day);
            let (mut sign_ins, total) = self.beside.remove(&key).unwrap_or_default();
            choose(&mut sign_ins);
            self.known.figures.beside.push(Beside {
                user: key.0,
                day: day_name(day),
                lowered: count,
                sign_ins,
                sign_ins_total: total,
            });
        }
        self.known
    }
}

/// Leaves the most telling sign-ins, by time: those with a risk, then those that failed, then the last.
fn choose(sign_ins: &mut Vec<SignIn>) {
    sign_ins.sort_by_key(|one| (one.risk.is_none(), one.result == "succeeded", -one.at));
    sign_ins.truncate(MOST_BESIDE);
    sign_ins.sort_by_key(|one| one.at);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_risky_sign_in_is_not_crowded_out() {
        let sign_in = |at: i64, result: &'static str, risk: Option<&str>| SignIn {
            time: String::new(),
            at,
            result,
            reason: None,
            risk: risk.map(str::to_string),
            address: None,
            country: None,
            application: None,
            device: None,
        };
        let mut all: Vec<SignIn> = (10..100).map(|at| sign_in(at, "succeeded", None)).collect();
        all.push(sign_in(1, "succeeded", Some("high")));
        all.push(sign_in(2, "failed", None));
        choose(&mut all);
        assert_eq!(all.len(), MOST_BESIDE);
        assert_eq!([all[0].at, all[1].at, all[2].at], [1, 2, 82]);
    }
}
