//! An alert, and its row of `SecurityAlert` as Sentinel writes it.
//!
//! Names, order and form of the columns and of `ExtendedProperties` are those of recorded alerts of 2020 to 2026. Where Sentinel makes up an identity,
//! one is worked out from what makes the alert the one it is, so that two replays give the same:
//!
//! - `SystemAlertId` from the rule's id, the time for which the run was planned, whether it stands for one row or all of the run, and the content of
//!   those rows; equal rows of a run are numbered. The order of the rows does not matter for an alert of all rows.
//! - `SystemAlertId` of a custom detection from the rule's id and from what makes two of its firings one alert, without the time.
//! - `VendorOriginalId` and `Correlation Id` from the alert and from the run.
//!
//! `TimeGenerated` and `ProcessingEndTime` are the moment at which the run executes; Sentinel needs some seconds more. What custom details look like
//! among `ExtendedProperties` is seen, where they stand is not: here behind the rule's name. The parameters with which it ran, where somebody set them,
//! are coldtrail's own, and stand behind these.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Map, Value};

use super::details;
use super::entity::{self, AlertEntity};
use super::result_row::{ResultRow, key_of};
use super::schedule::{Interval, Run, micros};
use super::stamp;
use crate::rules::{EventGrouping, Kind, Language, Rule, Severity};

/// Fingerprints of rows that an alert keeps, the smallest: enough to find it again in another replay.
const FINGERPRINTS: usize = 64;

/// The workspace in which the alerts would have been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its id, a GUID; `TenantId` in its tables.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Id of its subscription.
    pub subscription: String,
    /// Its resource group.
    pub resource_group: String,
}

impl Default for Workspace {
    fn default() -> Self {
        Workspace {
            id: "00000000-0000-0000-0000-000000000000".into(),
            name: "coldtrail".into(),
            subscription: String::new(),
            resource_group: String::new(),
        }
    }
}

/// Which rows of its run an alert stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertRows {
    /// All: the rule makes one alert of a run.
    All,
    /// One: the rule makes one alert of each.
    One,
    /// All, of which some have alerts of their own: the last alert of a run that has too many rows.
    Rest,
}

/// An alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Its id: the same in every replay.
    pub id: String,
    /// Id of its rule.
    pub rule: String,
    /// Its name.
    pub name: String,
    /// What it says, where a row says that and not the rule.
    pub description: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// ATT&CK tactics.
    pub tactics: Vec<String>,
    /// ATT&CK techniques and sub-techniques.
    pub techniques: Vec<String>,
    /// The run that raised it.
    pub run: Run,
    /// Time of its first event; where no row says one, the beginning of what the run saw.
    pub start: i64,
    /// Time of its last event; where no row says one, the end of what the run saw.
    pub end: i64,
    /// What it is about.
    pub entities: Vec<AlertEntity>,
    /// Whether it is about more than an alert has room for.
    pub has_more_entities: bool,
    /// What its rule shows of the rows.
    pub custom_details: Vec<(String, Vec<String>)>,
    /// Properties that the rows say: `AlertLink`, `ProductName`, …
    pub properties: BTreeMap<String, String>,
    /// Which rows it stands for.
    pub rows: AlertRows,
    /// How many rows the run gave.
    pub overall: u64,
    /// How often it was raised again, for rules of which equal alerts are one.
    pub repeats: u64,
    /// The row that it stands for, as JSON, where that is one.
    pub record: Option<String>,
    /// Fingerprints of rows that it stands for, ascending: at most the smallest few.
    pub fingerprints: Vec<u128>,
}

impl Alert {
    /// When it is written.
    pub fn time(&self) -> i64 {
        self.run.executed
    }

    /// What it says.
    pub fn description<'a>(&'a self, rule: &'a Rule) -> &'a str {
        self.description.as_deref().unwrap_or(&rule.description)
    }

    /// The product that raised it, for a rule of this kind.
    pub(super) fn product(&self, kind: Kind) -> &str {
        let (_, product, _) = products(kind);
        self.properties
            .get("ProductName")
            .map_or(product, String::as_str)
    }

    /// What an alert of all these rows says; `ordinal` tells equal rows of a run apart.
    pub(in crate::hunt) fn raise(
        rule: &Rule,
        run: &Run,
        (stands_for, rows): (AlertRows, &[ResultRow]),
        overall: u64,
        ordinal: u64,
    ) -> Alert {
        let said = details::said(rule, rows.first());
        let mut fingerprints: Vec<u128> = rows.iter().map(ResultRow::digest).collect();
        fingerprints.sort_unstable();
        let content: Vec<u8> = fingerprints.iter().flat_map(|f| f.to_le_bytes()).collect();
        let how = match stands_for {
            AlertRows::All | AlertRows::Rest => b"all",
            AlertRows::One => b"one",
        };
        let id = stamp::guid(&[
            b"alert",
            rule.id.as_bytes(),
            &run.at.to_le_bytes(),
            how,
            &content,
            &ordinal.to_le_bytes(),
        ]);
        fingerprints.truncate(FINGERPRINTS);
        let times = || rows.iter().filter_map(|row| row.time);
        let seen = seen(run);
        let (entities, has_more_entities) = entity::of_rows(rule, rows);
        let mut alert = Alert {
            id,
            rule: rule.id.clone(),
            name: said.name,
            description: said.description,
            severity: said.severity,
            tactics: said.tactics,
            techniques: said.techniques,
            run: *run,
            start: times().min().unwrap_or(seen.from),
            end: times().max().unwrap_or(seen.to),
            entities,
            has_more_entities,
            custom_details: details::custom(rule, rows),
            properties: said.properties,
            rows: stands_for,
            overall,
            repeats: 0,
            record: None,
            fingerprints,
        };
        if stands_for == AlertRows::One {
            alert.record = rows.first().map(ResultRow::json);
        }
        if rule.kind == Kind::CustomDetection {
            let same = alert.sameness();
            alert.id = stamp::guid(&[b"detection", rule.id.as_bytes(), same.as_bytes()]);
        }
        alert
    }

    /// Takes in another firing that is the same alert, with its rows.
    pub(super) fn take_in(&mut self, other: &Alert) {
        self.repeats += 1;
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
        self.fingerprints.extend(&other.fingerprints);
        self.fingerprints.sort_unstable();
        self.fingerprints.dedup();
        self.fingerprints.truncate(FINGERPRINTS);
    }

    /// What is equal for two firings of a custom detection that are one alert: entities, custom details, and what the rows say of the alert.
    fn sameness(&self) -> String {
        let mut entities: Vec<String> = self.entities.iter().map(AlertEntity::key).collect();
        entities.sort_unstable();
        let said = (&self.name, &self.description, self.severity.name());
        let details = self.custom_details.iter();
        let details: Vec<(&str, Vec<Cow<'_, str>>)> = details
            .map(|(name, values)| {
                let values = values.iter().map(|value| key_of(value));
                (name.as_str(), values.collect())
            })
            .collect();
        let same = (
            entities,
            details,
            &self.properties,
            said,
            (&self.tactics, &self.techniques),
        );
        serde_json::to_string(&same).expect("texts, lists and a map with text keys are JSON")
    }

    /// Its row of `SecurityAlert`, with all columns in Sentinel's order.
    pub fn row(&self, rule: &Rule, workspace: &Workspace) -> Map<String, Value> {
        let (provider, product, component) = products(rule.kind);
        let property = |name: &str| self.properties.get(name).map_or("", String::as_str);
        let own = |name: &str, usual: &str| match property(name) {
            "" => Value::from(usual),
            said => Value::from(said),
        };
        let kind = match rule.kind {
            Kind::CustomDetection => rule.id.clone(),
            _ => format!("{}_{}", workspace.id, rule.id),
        };
        let score = property("ConfidenceScore").parse::<f64>();
        let written = Value::from(stamp::moment(self.time()));
        let (techniques, subs) = split(&self.techniques);
        let tactics = match self.tactics.as_slice() {
            [] => "Unknown".to_string(),
            some => some.join(", "),
        };
        let text = |text: &str| Value::from(text);
        let vendor = stamp::guid(&[b"vendor", self.id.as_bytes()]);
        let columns = [
            ("TenantId", text(&workspace.id)),
            ("TimeGenerated", written.clone()),
            ("DisplayName", text(&self.name)),
            ("AlertName", text(&self.name)),
            ("AlertSeverity", text(self.severity.name())),
            ("Description", text(self.description(rule))),
            ("ProviderName", own("ProviderName", provider)),
            ("VendorName", text("Microsoft")),
            ("VendorOriginalId", text(&vendor)),
            ("SystemAlertId", text(&self.id)),
            ("ResourceId", text("")),
            ("SourceComputerId", text("")),
            ("AlertType", text(&kind)),
            ("ConfidenceLevel", own("ConfidenceLevel", "")),
            ("ConfidenceScore", score.map_or(Value::Null, Value::from)),
            ("IsIncident", Value::from(false)),
            ("StartTime", text(&stamp::moment(self.start))),
            ("EndTime", text(&stamp::moment(self.end))),
            ("ProcessingEndTime", written),
            ("RemediationSteps", own("RemediationSteps", "")),
            ("ExtendedProperties", text(&self.extended(rule, workspace))),
            ("Entities", text(&entity::column(&self.entities))),
            ("SourceSystem", text("Detection")),
            ("WorkspaceSubscriptionId", text(&workspace.subscription)),
            ("WorkspaceResourceGroup", text(&workspace.resource_group)),
            ("ExtendedLinks", own("ExtendedLinks", "")),
            ("ProductName", own("ProductName", product)),
            (
                "ProductComponentName",
                own("ProductComponentName", component),
            ),
            ("AlertLink", own("AlertLink", "")),
            ("Status", text("New")),
            ("CompromisedEntity", text("")),
            ("Tactics", text(&tactics)),
            ("Techniques", text(&techniques)),
            ("SubTechniques", text(&subs)),
            ("Type", text("SecurityAlert")),
        ];
        let named = columns.map(|(name, value)| (name.to_string(), value));
        named.into_iter().collect()
    }

    /// The text of `ExtendedProperties`.
    fn extended(&self, rule: &Rule, workspace: &Workspace) -> String {
        let seen = seen(&self.run);
        let mut all = Map::new();
        let mut say = |name: &str, value: String| all.insert(name.to_string(), Value::from(value));
        // Rules that run on what was just ingested, and custom detections, have neither.
        if let (Some(period), true) = (rule.schedule.period(), rule.kind != Kind::CustomDetection) {
            say("Query Period", stamp::span(micros(period)));
            say("Trigger Operator", rule.trigger.operator.name().to_string());
            say("Trigger Threshold", rule.trigger.threshold.to_string());
        }
        let planned = self.run.at.to_le_bytes();
        let correlation = stamp::guid(&[b"run", rule.id.as_bytes(), &planned]);
        say("Correlation Id", correlation);
        let overall = self.overall.to_string();
        say("Search Query Results Overall Count", overall);
        say("Data Sources", list(&workspace.name));
        match &self.record {
            Some(record) => {
                say("Query", recorded(record));
                say("OriginalQuery", rule.query.text.to_string());
            }
            None => {
                say("Query", asked(rule, self.run.at));
            }
        }
        say("Query Start Time UTC", stamp::second(seen.from));
        say("Query End Time UTC", stamp::next_second(seen.to));
        say("Analytic Rule Ids", list(&rule.id));
        let grouping = match rule.event_grouping {
            EventGrouping::SingleAlert => "SingleAlert",
            EventGrouping::AlertPerResult => "AlertPerEvent",
        };
        say("Event Grouping", grouping.to_string());
        say("Analytic Rule Name", rule.name.clone());
        if !self.custom_details.is_empty() {
            let details = self.custom_details.iter().cloned();
            let details: Map<String, Value> = details
                .map(|(name, values)| (name, Value::from(values)))
                .collect();
            say("Custom Details", Value::Object(details).to_string());
        }
        // Sentinel has no parameters: only a rule that was set says so.
        let set = rule.set();
        if !set.is_empty() {
            say("Parameters Set", Value::from_iter(set).to_string());
        }
        say("ProcessedBySentinel", "True".to_string());
        say("Alert generation status", "Full alert created".to_string());
        Value::Object(all).to_string()
    }
}

/// What a run saw, by the time of events; of a run that sees them however old they are, by the time of ingestion.
pub(super) fn seen(run: &Run) -> Interval {
    match run.window.from {
        i64::MIN => Interval {
            from: run.ingested.from,
            to: run.window.to,
        },
        _ => run.window,
    }
}

/// Provider, product and its component. Those of custom detections are not recorded: they are what `AlertInfo` calls them.
fn products(kind: Kind) -> (&'static str, &'static str, &'static str) {
    match kind {
        Kind::Nrt => ("ASI NRT Alerts", "Azure Sentinel", "NRT Alerts"),
        Kind::CustomDetection => (
            "Microsoft Defender XDR",
            "Microsoft Defender XDR",
            "Custom detection",
        ),
        Kind::Scheduled | Kind::Hunting | Kind::Sigma => {
            ("ASI Scheduled Alerts", "Azure Sentinel", "Scheduled Alerts")
        }
    }
}

/// Techniques and sub-techniques, each a list as text, empty where there are none. A sub-technique is one of its technique too.
fn split(techniques: &[String]) -> (String, String) {
    let (mut whole, mut subs): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for technique in techniques {
        let one = technique.split('.').next().unwrap_or(technique);
        if !whole.contains(&one) {
            whole.push(one);
        }
        if one != technique {
            subs.push(technique);
        }
    }
    let text = |list: Vec<&str>| match list.is_empty() {
        true => String::new(),
        false => Value::from(list).to_string(),
    };
    (text(whole), text(subs))
}

/// A list of one text, as text.
fn list(text: &str) -> String {
    Value::from(vec![text]).to_string()
}

/// The query with the time that it takes for now.
fn asked(rule: &Rule, now: i64) -> String {
    let text = &rule.query.text;
    match rule.query.language {
        Language::Kql => format!(
            "// The query_now parameter represents the time (in UTC) at which the scheduled analytics rule ran to produce this alert.\n\
             set query_now = datetime({});\n{text}",
            stamp::ticks(now)
        ),
        Language::Sql | Language::Sigma => text.to_string(),
    }
}

thread_local! {
    /// Its state takes 300 kB. Made anew for each of 50,000 alerts, between what is kept of them, it leaves holes of 15 GB in memory.
    static PACKER: RefCell<ZlibEncoder<Vec<u8>>> =
        RefCell::new(ZlibEncoder::new(Vec::new(), Compression::default()));
}

/// A query that gives back the row of an alert.
fn recorded(record: &str) -> String {
    let packed = PACKER.with_borrow_mut(|packer| {
        packer
            .write_all(record.as_bytes())
            .and_then(|()| packer.reset(Vec::new()))
    });
    let packed = packed.expect("a list of bytes takes all");
    format!(
        "// might contain sensitive data\nlet alertedEvent = datatable(compressedRec: string)\n['{}']\n\
         | extend raw = todynamic(zlib_decompress_from_base64_string(compressedRec)) | evaluate bag_unpack(raw) | project-away compressedRec;\n\
         alertedEvent",
        STANDARD.encode(packed)
    )
}

#[cfg(test)]
mod tests;
