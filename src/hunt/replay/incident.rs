//! Alerts to incidents, as the rule says, and an incident's row of `SecurityIncident`.
//!
//! In a replay nobody works on incidents. Whether a closed incident takes further alerts matters only where the caller says after what time incidents
//! are closed.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::alert::{Alert, Workspace};
use super::schedule::micros;
use super::stamp;
use crate::rules::{AlertDetail, Grouping, Matching, Rule, Severity};

/// Alerts of an incident at most; the next begins another with the same details.
pub const INCIDENT_ALERTS: usize = 150;

/// An incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its number, from 1: in the order of their creation, and for the same moment by rule and alert.
    pub number: usize,
    /// Its name, a GUID: the same in every replay in which its first alert is the same.
    pub name: String,
    /// Its title: that of its first alert.
    pub title: String,
    /// What its first alert says.
    pub description: String,
    /// That of its worst alert.
    pub severity: Severity,
    /// Id of its rule.
    pub rule: String,
    /// Ids of its alerts, in the order in which they came.
    pub alerts: Vec<String>,
    /// ATT&CK tactics of its alerts.
    pub tactics: Vec<String>,
    /// ATT&CK techniques of its alerts.
    pub techniques: Vec<String>,
    /// Products that raised its alerts.
    products: Vec<String>,
    /// Parameters with which its rule ran, where somebody set them.
    set: BTreeMap<String, Value>,
    /// When its first alert was written.
    pub created: i64,
    /// When its last alert was written.
    pub modified: i64,
    /// Time of its first event.
    pub first_activity: i64,
    /// Time of its last event.
    pub last_activity: i64,
    /// When it is closed, where the caller says that incidents are.
    pub closes: Option<i64>,
    /// How often an alert opened it again.
    pub reopened: usize,
}

impl Incident {
    fn of(rule: &Rule, alert: &Alert, closed_after: Option<i64>) -> Incident {
        let mut incident = Incident {
            number: 0,
            name: stamp::guid(&[b"incident", alert.id.as_bytes()]),
            title: alert.name.clone(),
            description: alert.description(rule).to_string(),
            severity: alert.severity,
            rule: rule.id.clone(),
            alerts: Vec::new(),
            tactics: Vec::new(),
            techniques: Vec::new(),
            products: Vec::new(),
            set: rule.set(),
            created: alert.time(),
            modified: alert.time(),
            first_activity: alert.start,
            last_activity: alert.end,
            closes: closed_after.map(|long| alert.time().saturating_add(long)),
            reopened: 0,
        };
        incident.take(rule, alert);
        incident
    }

    fn take(&mut self, rule: &Rule, alert: &Alert) {
        self.alerts.push(alert.id.clone());
        self.severity = self.severity.max(alert.severity);
        self.modified = self.modified.max(alert.time());
        self.first_activity = self.first_activity.min(alert.start);
        self.last_activity = self.last_activity.max(alert.end);
        let product = alert.product(rule.kind);
        add(&mut self.tactics, &alert.tactics);
        add(&mut self.techniques, &alert.techniques);
        add(&mut self.products, &[product.to_string()]);
    }

    /// Its row of `SecurityIncident` after its last alert, or after it was closed. (Sentinel writes one for each change.)
    pub fn row(&self, workspace: &Workspace) -> Map<String, Value> {
        let text = |text: &str| Value::from(text);
        let time = |time: i64| Value::from(stamp::moment(time));
        let modified = self.closes.unwrap_or(self.modified);
        let status = match self.closes {
            Some(_) => "Closed",
            None => "New",
        };
        let mut additional = json!({
            "alertsCount": self.alerts.len(),
            "bookmarksCount": 0,
            "commentsCount": 0,
            "alertProductNames": self.products,
            "tactics": self.tactics,
            "techniques": self.techniques,
        });
        if !self.set.is_empty() {
            additional["parametersSet"] = Value::from_iter(self.set.clone());
        }
        let columns = [
            ("TenantId", text(&workspace.id)),
            ("TimeGenerated", time(modified)),
            ("IncidentName", text(&self.name)),
            ("Title", text(&self.title)),
            ("Description", text(&self.description)),
            ("Severity", text(self.severity.name())),
            ("Status", text(status)),
            ("Classification", text("")),
            ("ClassificationComment", text("")),
            ("ClassificationReason", text("")),
            (
                "Owner",
                json!({"objectId": null, "email": null, "assignedTo": null, "userPrincipalName": null}),
            ),
            ("ProviderName", text("Azure Sentinel")),
            ("ProviderIncidentId", text(&self.number.to_string())),
            ("FirstActivityTime", time(self.first_activity)),
            ("LastActivityTime", time(self.last_activity)),
            ("FirstModifiedTime", time(self.created)),
            ("LastModifiedTime", time(modified)),
            ("CreatedTime", time(self.created)),
            ("ClosedTime", self.closes.map_or(Value::Null, time)),
            ("IncidentNumber", Value::from(self.number)),
            ("RelatedAnalyticRuleIds", json!([self.rule])),
            ("AlertIds", json!(self.alerts)),
            ("BookmarkIds", json!([])),
            ("Comments", json!([])),
            ("Tasks", json!([])),
            ("Labels", json!([])),
            ("IncidentUrl", text("")),
            ("AdditionalData", additional),
            ("ModifiedBy", text("Incident created from alert")),
            ("SourceSystem", text("Azure")),
            ("Type", text("SecurityIncident")),
        ];
        let named = columns.map(|(name, value)| (name.to_string(), value));
        named.into_iter().collect()
    }
}

/// Adds what is not there yet.
fn add(list: &mut Vec<String>, more: &[String]) {
    for one in more {
        if !list.contains(one) {
            list.push(one.clone());
        }
    }
}

/// The incidents of some rules' alerts, which are given in the order in which they were written. With `closed_after`, each is closed so many
/// microseconds after it was created or opened again.
pub fn incidents<'a>(
    raised: impl IntoIterator<Item = (&'a Rule, &'a [Alert])>,
    closed_after: Option<i64>,
) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = Vec::new();
    for (rule, alerts) in raised {
        if rule.incidents.create {
            group(rule, alerts, closed_after, &mut incidents);
        }
    }
    // Those of one run stay in the order of its alerts.
    incidents.sort_by(|one, two| (one.created, &one.rule).cmp(&(two.created, &two.rule)));
    for (number, incident) in (1..).zip(&mut incidents) {
        incident.number = number;
    }
    incidents
}

fn group(rule: &Rule, alerts: &[Alert], closed_after: Option<i64>, incidents: &mut Vec<Incident>) {
    // The latest incident of alerts that belong together.
    let mut latest: HashMap<String, usize> = HashMap::new();
    for alert in alerts {
        let key = rule
            .incidents
            .grouping
            .as_ref()
            .and_then(|grouping| Some((grouping, key(grouping, alert)?)));
        let Some((grouping, key)) = key else {
            incidents.push(Incident::of(rule, alert, closed_after));
            continue;
        };
        let open = latest.get(&key).map(|place| &mut incidents[*place]);
        match open.filter(|incident| takes(incident, grouping, alert)) {
            Some(incident) => {
                if incident.closes.is_some_and(|closes| closes <= alert.time()) {
                    incident.closes = closed_after.map(|long| alert.time().saturating_add(long));
                    incident.reopened += 1;
                }
                incident.take(rule, alert);
            }
            None => {
                latest.insert(key, incidents.len());
                incidents.push(Incident::of(rule, alert, closed_after));
            }
        }
    }
}

/// Whether an incident takes an alert that belongs to it.
fn takes(incident: &Incident, grouping: &Grouping, alert: &Alert) -> bool {
    let until = incident.created.saturating_add(micros(grouping.lookback));
    let closed = incident.closes.is_some_and(|closes| closes <= alert.time());
    alert.time() < until
        && incident.alerts.len() < INCIDENT_ALERTS
        && (grouping.reopen_closed || !closed)
}

/// What is equal for alerts that belong together; nothing for one that belongs to none.
fn key(grouping: &Grouping, alert: &Alert) -> Option<String> {
    let entities = |wanted: &dyn Fn(&str) -> bool| {
        let meant = alert.entities.iter().filter(|e| wanted(&e.kind));
        let mut keys: Vec<String> = meant.map(|e| e.key()).collect();
        keys.sort_unstable();
        keys
    };
    let mut parts: Vec<String> = Vec::new();
    match grouping.method {
        Matching::AnyAlert => {}
        Matching::AllEntities => {
            parts = entities(&|_| true);
            if parts.is_empty() {
                return None;
            }
        }
        Matching::Selected => {
            for kind in &grouping.by_entities {
                let of_kind = entities(&|other: &str| other.eq_ignore_ascii_case(kind));
                if of_kind.is_empty() {
                    return None;
                }
                parts.extend(of_kind);
            }
            for detail in &grouping.by_alert_details {
                parts.push(match detail {
                    AlertDetail::DisplayName => alert.name.clone(),
                    AlertDetail::Severity => alert.severity.name().to_string(),
                });
            }
            for name in &grouping.by_custom_details {
                let mut details = alert.custom_details.iter();
                let (_, values) = details.find(|(known, _)| known == name)?;
                // The same values in another order are the same.
                let mut values: Vec<&String> = values.iter().collect();
                values.sort_unstable();
                parts.push(json!(values).to_string());
            }
        }
    }
    Some(parts.join("\u{1e}"))
}

#[cfg(test)]
mod tests;
