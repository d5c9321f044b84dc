//! What becomes of alerts, whoever raised them: exclusions first, then what is new is told from what is known, and stored where that is wanted.
//!
//! Three steps, so that incidents can be made of the alerts that are left: [`sift`], then incidents of [`Sifted::kept`], then [`conclude`]. What a sweep
//! found becomes alerts by [`of_findings`], and incidents by [`incidents_of`].

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::DateTime;
use serde::Serialize;
use serde_json::{Map, Value};

use super::exclusions::{Exclusions, OfRule};
use super::finding::{END_TIME, Finding, settle};
use super::replay::alert::{Alert, AlertRows, Workspace};
use super::replay::incident::{self, Incident};
use super::replay::schedule::{Interval, Run};
use super::replay::{AlertEntity, ResultRow};
use crate::archive::Archive;
use crate::archive::conclusions::{self, Added, NewAlert, Row};
use crate::catalog::TIME;
use crate::fault::Result;
use crate::progress::Progress;
use crate::rules::{Rule, Severity};
use crate::text::{count, counted};

/// An alert that was raised.
#[derive(Debug, Clone, PartialEq)]
pub struct RaisedAlert {
    /// Id of its rule.
    pub rule: String,
    /// Name of its rule.
    pub rule_name: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub entities: Vec<AlertEntity>,
    /// Whether it is about more than these.
    pub has_more_entities: bool,
    /// Its row of `SecurityAlert`.
    pub row: Row,
}

impl RaisedAlert {
    /// An alert of a replay.
    pub fn of(alert: &Alert, rule: &Rule, workspace: &Workspace) -> RaisedAlert {
        RaisedAlert {
            rule: rule.id.clone(),
            rule_name: rule.name.clone(),
            severity: alert.severity,
            entities: alert.entities.clone(),
            has_more_entities: alert.has_more_entities,
            row: alert.row(rule, workspace),
        }
    }

    /// Its id, the same whenever it is raised.
    pub fn id(&self) -> &str {
        self.row
            .get("SystemAlertId")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// The end of what was swept, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepEnd {
    /// Before which time events were asked for, where that was said.
    pub asked: Option<i64>,
    /// That time, or else the last event.
    pub seen: i64,
}

/// An alert for each finding of a sweep, as of a run at its last event: so it is the same whenever and over whatever days it is found. Its times must
/// not have been moved to a zone. A finding that says no time has that of its records; where these are not known, it is of the end of what was swept,
/// which tells two apart only where it was asked for: the last event is another one after the next ingest. Findings of no rule are left out.
pub fn of_findings<'r>(
    findings: &[Finding],
    rule_of: impl Fn(&str) -> Option<&'r Rule>,
    end: SweepEnd,
) -> Vec<(&'r Rule, Alert)> {
    let mut raised = Vec::new();
    let mut seen: HashMap<(String, i64, u128), u64> = HashMap::new();
    for finding in findings {
        let Some(rule) = rule_of(&finding.rule) else {
            continue;
        };
        let times = span(finding);
        let (first, at) = times.unwrap_or((end.seen, end.seen));
        let known_by = times.map_or(end.asked.unwrap_or_default(), |(_, last)| last);
        let mut cells = Map::new();
        cells.insert(TIME.into(), finding.first.clone().into());
        if let Some(last) = &finding.last {
            cells.insert(END_TIME.into(), last.clone().into());
        }
        // Which of a list comes first is chance.
        for (name, value) in &finding.details {
            let mut value = value.clone();
            settle(&mut value);
            cells.insert(name.clone(), value);
        }
        let row = ResultRow::of(cells);
        let times = Interval {
            from: first,
            to: at.saturating_add(1),
        };
        let run = |at: i64| Run {
            number: 0,
            at,
            executed: at,
            window: times,
            ingested: times,
        };
        // Equal findings of a rule are told apart by their number.
        let equal = (rule.id.clone(), known_by, row.digest());
        let again = seen.entry(equal).or_default();
        let rows = [row];
        let mut alert = Alert::raise(rule, &run(known_by), (AlertRows::One, &rows), 1, *again);
        *again += 1;
        alert.run = run(at);
        (alert.start, alert.end) = (first, at);
        raised.push((rule, alert));
    }
    raised
}

/// The times of the first event and of the last, by the row of a finding, or else by its records where the time of each is known.
fn span(finding: &Finding) -> Option<(i64, i64)> {
    let first = moment(&finding.first);
    let last = finding.last.as_deref().and_then(moment).or(first);
    if let Some(last) = last {
        return Some((first.unwrap_or(last), last));
    }
    let times = finding.evidence.iter().map(|record| moment(&record.time));
    let times = times.collect::<Option<Vec<i64>>>()?;
    Some((*times.iter().min()?, *times.iter().max()?))
}

/// Alerts of a sweep, each id once: equal findings of a custom detection are one alert, over the time of all of them.
pub fn merged(alerts: Vec<(&Rule, Alert)>) -> Vec<(&Rule, Alert)> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<(&Rule, Alert)> = Vec::with_capacity(alerts.len());
    for (rule, alert) in alerts {
        let next = all.len();
        let place = *places.entry(alert.id.clone()).or_insert(next);
        if place == next {
            all.push((rule, alert));
            continue;
        }
        let known = &mut all[place].1;
        known.repeats += 1;
        known.start = known.start.min(alert.start);
        known.end = known.end.max(alert.end);
    }
    all
}

/// The incidents of the alerts of a sweep that are kept.
pub fn incidents_of(alerts: &[(&Rule, Alert)], is_kept: impl Fn(&Alert) -> bool) -> Vec<Incident> {
    let mut by_rule: BTreeMap<&str, (&Rule, Vec<Alert>)> = BTreeMap::new();
    for (rule, alert) in alerts.iter().filter(|(_, alert)| is_kept(alert)) {
        let (_, own) = by_rule
            .entry(rule.id.as_str())
            .or_insert_with(|| (*rule, Vec::new()));
        own.push(alert.clone());
    }
    for (_, own) in by_rule.values_mut() {
        own.sort_by(|a, b| (a.time(), a.start, &a.id).cmp(&(b.time(), b.start, &b.id)));
    }
    let raised = by_rule.values();
    let raised = raised.map(|(rule, alerts)| (*rule, alerts.as_slice()));
    incident::incidents(raised, None)
}

/// Microseconds of a time that a finding shows.
fn moment(text: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp_micros())
}

/// Alerts of a rule that were excluded for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// Id of the rule.
    pub rule: String,
    /// Why, in the words of the list.
    pub reason: String,
    /// How many.
    pub alerts: usize,
}

/// Alerts after exclusions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sifted {
    /// Those that are left, in the order in which they were raised.
    pub kept: Vec<RaisedAlert>,
    /// What was excluded, by rule and reason.
    pub excluded: Vec<Excluded>,
    /// Exclusions that have ended.
    pub expired: usize,
    /// Rows of the list that exclude nothing because they cannot be understood.
    pub problems: Vec<String>,
}

impl Sifted {
    /// Ids of the alerts that are left.
    pub fn ids(&self) -> HashSet<&str> {
        self.kept.iter().map(RaisedAlert::id).collect()
    }
}

/// Takes excluded alerts out, and counts them.
pub fn sift(raised: Vec<RaisedAlert>, exclusions: &Exclusions, now: i64) -> Sifted {
    let mut excluded: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut kept = Vec::new();
    let mut of_rules: HashMap<(String, String), OfRule<'_>> = HashMap::new();
    for alert in raised {
        let rule = (alert.rule.clone(), alert.rule_name.clone());
        let own = of_rules
            .entry(rule)
            .or_insert_with_key(|(id, name)| exclusions.of_rule((id.as_str(), name.as_str()), now));
        // What it names no entity of may be what nobody excluded.
        let entities: &[AlertEntity] = match alert.has_more_entities {
            true => &[],
            false => &alert.entities,
        };
        match own.reason(entities).map(str::to_string) {
            Some(reason) => *excluded.entry((alert.rule, reason)).or_default() += 1,
            None => kept.push(alert),
        }
    }
    let excluded = excluded
        .into_iter()
        .map(|((rule, reason), alerts)| Excluded {
            rule,
            reason,
            alerts,
        });
    Sifted {
        kept,
        excluded: excluded.collect(),
        expired: exclusions.expired(now),
        problems: exclusions.problems().to_vec(),
    }
}

/// What becomes of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keeping {
    /// They are stored in the archive.
    pub store: bool,
    /// Only those that were never stored in this archive are given.
    pub new_only: bool,
}

/// What became of the alerts of a hunt, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Alerts that were raised, excluded ones among them.
    pub raised: usize,
    /// What was excluded, by rule and reason.
    pub excluded: Vec<Excluded>,
    /// Exclusions that have ended and excluded nothing.
    pub expired_exclusions: usize,
    /// Rows of the list of exclusions that cannot be understood.
    pub exclusions_not_understood: Vec<String>,
    /// Alerts that this archive did not have.
    pub new: usize,
    /// Alerts that were stored before.
    pub known: usize,
    /// What was stored now; nothing where that was not wanted.
    pub stored: Option<Added>,
}

/// Alerts and incidents, and what became of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Concluded {
    /// The alerts: those that are left after exclusions, or the new ones of them.
    pub alerts: Vec<RaisedAlert>,
    /// The incidents: all, or those with a new alert.
    pub incidents: Vec<Row>,
    /// In numbers.
    pub tally: Tally,
}

/// Tells new alerts from those that the archive has, and stores them with the incidents made of them where that is wanted.
///
/// # Errors
/// When the stored alerts cannot be read, or the new ones cannot be stored.
pub fn conclude(
    archive: &Archive,
    sifted: Sifted,
    mut incidents: Vec<Row>,
    keeping: Keeping,
    now: i64,
    progress: &dyn Progress,
) -> Result<Concluded> {
    let Sifted {
        kept: mut alerts,
        excluded,
        expired,
        problems,
    } = sifted;
    let known = conclusions::known(archive)?;
    let is_new = |alert: &RaisedAlert| !known.contains(alert.id());
    let new = alerts.iter().filter(|alert| is_new(alert)).count();
    let hidden: usize = excluded.iter().map(|e| e.alerts).sum();
    let mut tally = Tally {
        raised: alerts.len() + hidden,
        excluded,
        expired_exclusions: expired,
        exclusions_not_understood: problems,
        new,
        known: alerts.len() - new,
        stored: None,
    };
    if keeping.store {
        let rows: Vec<NewAlert<'_>> = alerts
            .iter()
            .map(|alert| NewAlert {
                rule: &alert.rule,
                row: &alert.row,
            })
            .collect();
        progress.step("storing alerts");
        let added = conclusions::add(archive, &rows, &incidents, now, progress)?;
        tally.stored = Some(added);
    }
    if keeping.new_only {
        alerts.retain(is_new);
        let new: HashSet<&str> = alerts.iter().map(RaisedAlert::id).collect();
        incidents.retain(|incident| {
            let ids = incident.get("AlertIds").and_then(Value::as_array);
            let mut ids = ids.into_iter().flatten().filter_map(Value::as_str);
            ids.any(|id| new.contains(id))
        });
    }
    Ok(Concluded {
        alerts,
        incidents,
        tally,
    })
}

impl Tally {
    /// What is said of it, a line each.
    pub fn lines(&self) -> Vec<String> {
        let hidden: usize = self.excluded.iter().map(|e| e.alerts).sum();
        let n = |n: usize| count(n as u64);
        let mut first = format!(
            "{} raised: {} new, {} stored before",
            counted(self.raised as u64, "alert"),
            n(self.new),
            n(self.known)
        );
        if hidden > 0 {
            first.push_str(&format!(", {} excluded", n(hidden)));
        }
        if let Some(added) = self.stored {
            first.push_str(&format!(
                "; {} and {} added to the archive",
                counted(added.alerts as u64, "alert"),
                counted(added.incidents as u64, "incident")
            ));
        }
        let mut lines = vec![first];
        lines.extend(self.excluded.iter().map(|e| {
            let alerts = counted(e.alerts as u64, "alert");
            format!("excluded {alerts} of rule `{}`: {}", e.rule, e.reason)
        }));
        if self.expired_exclusions > 0 {
            lines.push(format!(
                "{} ended and excluded nothing",
                counted(self.expired_exclusions as u64, "exclusion")
            ));
        }
        lines.extend(self.exclusions_not_understood.iter().cloned());
        lines
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hunt::Evidence;
    use crate::rules::{EntityMapping, FieldMapping, Kind, Language, Query};

    fn rule() -> Rule {
        let mut rule = Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, "T"));
        rule.name = "Rule".into();
        rule.entities = vec![EntityMapping {
            entity_type: "Account".into(),
            field_mappings: vec![FieldMapping {
                identifier: "FullName".into(),
                column_name: "User".into(),
            }],
        }];
        rule
    }

    fn finding(rule: &Rule, user: &str) -> Finding {
        let mut finding = Finding::bare(rule);
        finding.first = "2026-05-01T08:00:00Z".into();
        finding.last = Some("2026-05-01T09:00:00Z".into());
        finding.details.insert("User".into(), json!(user));
        finding
    }

    fn raised_of(findings: &[Finding], rule: &Rule) -> Vec<RaisedAlert> {
        raised_until(findings, rule, None, 0)
    }

    fn raised_until(
        findings: &[Finding],
        rule: &Rule,
        asked: Option<i64>,
        seen: i64,
    ) -> Vec<RaisedAlert> {
        let rule_of = |id: &str| (id == rule.id).then_some(rule);
        let end = SweepEnd { asked, seen };
        let alerts = of_findings(findings, rule_of, end).into_iter();
        let workspace = Workspace::default();
        alerts
            .map(|(rule, alert)| RaisedAlert::of(&alert, rule, &workspace))
            .collect()
    }

    fn raised(users: &[&str]) -> Vec<RaisedAlert> {
        let rule = rule();
        let findings: Vec<Finding> = users.iter().map(|user| finding(&rule, user)).collect();
        raised_of(&findings, &rule)
    }

    #[test]
    fn a_finding_is_the_same_alert_whenever_it_is_found() {
        let once = raised(&["adele@contoso.com", "alex@contoso.com"]);
        let again = raised(&["alex@contoso.com", "megan@contoso.com", "adele@contoso.com"]);
        assert_eq!(once[0], again[2]);
        assert_eq!(once[1], again[0]);
        assert_eq!(once[0].row["TimeGenerated"], "2026-05-01T09:00:00Z");
        assert_eq!(once[0].row["StartTime"], "2026-05-01T08:00:00Z");
        assert_eq!(once[0].row["EndTime"], "2026-05-01T09:00:00Z");
        assert_eq!(once[0].entities.len(), 1);
        let rule = rule();
        let listed = |files: [&str; 2]| {
            let mut finding = finding(&rule, "adele@contoso.com");
            finding.details.insert("Files".into(), json!({"of": files}));
            raised_of(&[finding], &rule)
        };
        assert_eq!(listed(["a", "b"]), listed(["b", "a"]));
        let equal = raised(&["alex@contoso.com", "alex@contoso.com"]);
        assert_eq!(equal[0].id(), once[1].id());
        assert_ne!(equal[0].id(), equal[1].id());
    }

    #[test]
    fn equal_findings_of_a_custom_detection_are_one_alert() {
        let mut rule = rule();
        rule.kind = Kind::CustomDetection;
        let mut findings = [
            finding(&rule, "adele@contoso.com"),
            finding(&rule, "adele@contoso.com"),
            finding(&rule, "alex@contoso.com"),
        ];
        findings[1].first = "2026-05-03T08:00:00Z".into();
        findings[1].last = None;
        let end = SweepEnd {
            asked: None,
            seen: 0,
        };
        let alerts = merged(of_findings(&findings, |_| Some(&rule), end));
        let said: Vec<(u64, String)> = alerts
            .iter()
            .map(|(rule, alert)| {
                let row = alert.row(rule, &Workspace::default());
                (alert.repeats, row["EndTime"].to_string())
            })
            .collect();
        let day = |day| format!("\"2026-05-{day}Z\"");
        assert_eq!(said, [(1, day("03T08:00:00")), (0, day("01T09:00:00"))]);
    }

    #[test]
    fn a_finding_without_a_time_is_the_same_alert_after_the_next_ingest() {
        let rule = rule();
        let mut finding = finding(&rule, "adele@contoso.com");
        (finding.first, finding.last) = (String::new(), None);
        let all = |finding: &Finding, seen| {
            raised_until(std::slice::from_ref(finding), &rule, None, seen).remove(0)
        };
        let (one, two) = (all(&finding, 1_000_000), all(&finding, 5_000_000));
        assert_eq!(one.id(), two.id());
        assert_eq!(one.row["TimeGenerated"], "1970-01-01T00:00:01Z");
        // Another day is another alert.
        let day = |asked| {
            let found = std::slice::from_ref(&finding);
            raised_until(found, &rule, Some(asked), asked).remove(0)
        };
        assert_ne!(day(1_000_000).id(), day(5_000_000).id());
        // So are further records.
        let record = |number: i64, time: &str| Evidence {
            ingest: 1,
            record: number,
            file: String::new(),
            table: String::new(),
            time: time.into(),
            event_id: String::new(),
        };
        finding.evidence = vec![
            record(2, "2026-05-01T09:00:00Z"),
            record(1, "2026-05-01T08:00:00Z"),
        ];
        let known = all(&finding, 5_000_000);
        assert_eq!(known.row["StartTime"], "2026-05-01T08:00:00Z");
        assert_eq!(known.row["TimeGenerated"], "2026-05-01T09:00:00Z");
        assert_eq!(known.id(), all(&finding, 9_000_000).id());
        finding.evidence.push(record(3, "2026-05-02T08:00:00Z"));
        assert_ne!(known.id(), all(&finding, 5_000_000).id());
        // Of too many to look up all, the last is not known.
        finding.evidence.push(record(4, ""));
        assert_eq!(all(&finding, 5_000_000).id(), one.id());
    }

    #[test]
    fn excluded_alerts_are_counted_by_rule_and_reason() {
        let columns = ["Rule", "EntityType", "Entity", "Reason"];
        let row = ["r", "Account", "adele@*", "a test account"];
        let exclusions = Exclusions::of(&columns, &[row.map(String::from).to_vec()]);
        let sifted = sift(
            raised(&["adele@contoso.com", "alex@contoso.com"]),
            &exclusions,
            0,
        );
        assert_eq!(sifted.kept.len(), 1);
        let excluded = Excluded {
            rule: "r".into(),
            reason: "a test account".into(),
            alerts: 1,
        };
        assert_eq!(sifted.excluded, [excluded]);
        assert_eq!(sifted.ids().len(), 1);
    }

    #[test]
    fn an_alert_that_has_no_room_for_all_its_entities_is_seen() {
        let columns = ["Rule", "EntityType", "Entity", "Reason"];
        let row = |rule: &str, kind: &str, entity: &str| {
            let cells = [rule, kind, entity, "known"].map(String::from).to_vec();
            Exclusions::of(&columns, &[cells])
        };
        let mut many = raised(&["adele@contoso.com"]);
        many[0].has_more_entities = true;
        let kept = |list: &Exclusions| sift(many.clone(), list, 0).kept.len();
        assert_eq!(kept(&row("r", "Account", "*")), 1);
        assert_eq!(kept(&row("r", "", "")), 0);
    }

    #[test]
    fn a_tally_says_what_was_hidden() {
        let tally = Tally {
            raised: 5,
            excluded: vec![Excluded {
                rule: "r".into(),
                reason: "known".into(),
                alerts: 2,
            }],
            expired_exclusions: 1,
            exclusions_not_understood: vec!["row 7".into()],
            new: 2,
            known: 1,
            stored: Some(Added {
                alerts: 2,
                incidents: 1,
            }),
        };
        assert_eq!(
            tally.lines(),
            [
                "5 alerts raised: 2 new, 1 stored before, 2 excluded; 2 alerts and 1 incident added to the archive",
                "excluded 2 alerts of rule `r`: known",
                "1 exclusion ended and excluded nothing",
                "row 7",
            ]
        );
    }
}
