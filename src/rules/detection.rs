//! Custom detections of Defender XDR, as Microsoft Graph writes them: with `schedule.frequency` and `schedule.lookback` since 2026, with
//! `schedule.period` before.

use std::collections::BTreeSet;

use super::document::{At, Node};
use super::fields::{Fields, Notes};
use super::limits::{self, Strictness};
use super::model::{
    AssetKind, EntityMapping, EventGrouping, FieldMapping, ImpactedAsset, Kind, Query, Rule,
    Schedule,
};
use super::sentinel::File;
use super::settings;
use super::span::{seconds, short};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// How far a detection looks back that runs once a day or less, and each on its first run.
const LONGEST_LOOKBACK: u64 = 30 * DAY;

/// Keys of a detection that say nothing to us.
const SILENT: [&str; 11] = [
    "@odata.context",
    "@odata.type",
    "@odata.etag",
    "createdBy",
    "createdDateTime",
    "lastModifiedBy",
    "lastModifiedDateTime",
    "lastRunDetails",
    "detectorId",
    "kind",
    "tags",
];

/// Keys of columns, and what they identify.
type Identifiers = &'static [(&'static str, &'static str)];

/// Entities of a detection: the key of their list, Sentinel's type, and what its columns are identifiers of.
const ENTITIES: [(&str, &str, Identifiers); 10] = [
    (
        "accounts",
        "Account",
        &[
            ("upn", "FullName"),
            ("userPrincipalName", "FullName"),
            ("name", "Name"),
            ("ntDomain", "NTDomain"),
            ("domain", "NTDomain"),
            ("sid", "Sid"),
            ("objectId", "AadUserId"),
            ("aadUserId", "AadUserId"),
            ("accountObjectId", "AadUserId"),
        ],
    ),
    (
        "hosts",
        "Host",
        &[
            ("deviceId", "MdatpDeviceId"),
            ("deviceName", "HostName"),
            ("hostName", "HostName"),
            ("fqdn", "FullName"),
            ("dnsDomain", "DnsDomain"),
        ],
    ),
    (
        "ips",
        "IP",
        &[("address", "Address"), ("ipAddress", "Address")],
    ),
    (
        "files",
        "File",
        &[
            ("name", "Name"),
            ("fileName", "Name"),
            ("directory", "Directory"),
            ("folderPath", "Directory"),
        ],
    ),
    (
        "fileHashes",
        "FileHash",
        &[("value", "Value"), ("algorithm", "Algorithm")],
    ),
    (
        "processes",
        "Process",
        &[("processId", "ProcessId"), ("commandLine", "CommandLine")],
    ),
    ("urls", "URL", &[("url", "Url")]),
    (
        "mailboxes",
        "Mailbox",
        &[
            ("primaryAddress", "MailboxPrimaryAddress"),
            ("emailAddress", "MailboxPrimaryAddress"),
        ],
    ),
    (
        "cloudApplications",
        "CloudApplication",
        &[("appId", "AppId"), ("name", "Name")],
    ),
    (
        "registryKeys",
        "RegistryKey",
        &[("key", "Key"), ("hive", "Hive")],
    ),
];

/// A detection. `outer` is what stands around it where it is wrapped in `properties`.
pub(super) fn read(
    node: &Node,
    outer: Option<&Node>,
    file: File<'_>,
    notes: &mut Notes<'_>,
) -> Option<Rule> {
    let before = notes.errors();
    let mut fields = Fields::of(node, "the detection", notes)?;
    let outer_id = outer.and_then(|outer| outer.get("id")).and_then(Node::text);
    let name = fields.word("displayName", notes);
    let id = ["detectorId", "id"].map(|key| fields.word(key, notes));
    let [detector, id] = id;
    let id = id
        .or(detector)
        .or(outer_id.map(String::from))
        .or_else(|| name.clone());
    let query = condition(&mut fields, file, notes);
    let mut rule = Rule::new(
        id.unwrap_or_else(|| file.stem.into()),
        Kind::CustomDetection,
        query?,
    );
    rule.name = name.unwrap_or_else(|| rule.id.clone());
    rule.enabled = fields.flag("isEnabled", notes).unwrap_or(true);
    rule.status = fields.word("status", notes);
    rule.event_grouping = EventGrouping::AlertPerResult;
    let at = fields.place("schedule");
    match schedule(&mut fields, notes) {
        Some(schedule) => rule.schedule = schedule,
        None if notes.errors() == before => notes.error(at, "a detection needs a `schedule`"),
        None => {}
    }
    let title = action(&mut rule, &mut fields, notes);
    let place = |key: &str| match key {
        "title" | "entityMappings" | "customDetails" => title,
        _ => at,
    };
    limits::check(&rule, Strictness::Product, &place, notes);
    fields.finish("the detection", &SILENT, notes);
    (notes.errors() == before).then_some(rule)
}

fn condition(fields: &mut Fields<'_>, file: File<'_>, notes: &mut Notes<'_>) -> Option<Query> {
    let mut condition = fields.map("queryCondition", notes)?;
    let query = settings::query(&mut condition, "queryText", file.source, notes);
    condition.finish("queryCondition", &["lastModifiedDateTime"], notes);
    query
}

fn schedule(fields: &mut Fields<'_>, notes: &mut Notes<'_>) -> Option<Schedule> {
    let mut map = fields.map("schedule", notes)?;
    let frequency = span(&mut map, "frequency", notes);
    let lookback = span(&mut map, "lookback", notes);
    let period = span(&mut map, "period", notes);
    let at = map.at;
    if frequency.is_none() && !map.has("frequency") && !map.has("period") {
        notes.error(at, "`schedule` needs a `frequency`");
    }
    map.finish("`schedule`", &["nextRunDateTime", "@odata.type"], notes);
    let frequency = frequency.or(period)?;
    Some(match (frequency, lookback) {
        (0, _) => Schedule::NearRealTime,
        (frequency, Some(period)) => Schedule::Every { frequency, period },
        (frequency, None) => Schedule::Every {
            frequency,
            period: lookback_of(frequency),
        },
    })
}

/// Seconds of a span; `0` is near real time.
fn span(map: &mut Fields<'_>, key: &str, notes: &mut Notes<'_>) -> Option<u64> {
    let node = map.get(key, notes)?;
    let text = node.text().unwrap_or_default().trim();
    let found = match text {
        "0" => Some(0),
        text => seconds(text),
    };
    if found.is_none() {
        let message = format!("{key} `{text}` is no duration such as PT1H, 1H or 0");
        notes.error(node.at, message);
    }
    found
}

/// How far a detection looks back that says only how often it runs: four times as far, 30 days from a day on.
fn lookback_of(frequency: u64) -> u64 {
    match frequency {
        frequency if frequency < DAY => 4 * frequency,
        _ => LONGEST_LOOKBACK,
    }
}

/// Reads `detectionAction`. Gives the place of its title.
fn action(rule: &mut Rule, fields: &mut Fields<'_>, notes: &mut Notes<'_>) -> At {
    let at = fields.at;
    let Some(mut action) = fields.map("detectionAction", notes) else {
        notes.error(
            at,
            "a detection needs a `detectionAction` with an `alertTemplate`",
        );
        return at;
    };
    let Some(mut template) = action.map("alertTemplate", notes) else {
        notes.error(action.at, "`detectionAction` needs an `alertTemplate`");
        return at;
    };
    action.finish(
        "detectionAction",
        &[
            "responseActions",
            "automatedActions",
            "organizationalScope",
            "@odata.type",
        ],
        notes,
    );
    let at = template.place("title");
    match template.word("title", notes) {
        Some(title) => rule.alert_details.name_format = Some(title),
        None => notes.error(at, "`alertTemplate` needs a `title`"),
    }
    if let Some(description) = template.word("description", notes) {
        rule.description.clone_from(&description);
        rule.alert_details.description_format = Some(description);
    }
    match settings::severity(&mut template, "severity", notes) {
        Some(severity) => rule.severity = severity,
        None if !template.has("severity") => {
            notes.error(template.at, "`alertTemplate` needs a `severity`");
        }
        None => {}
    }
    match template.word("category", notes) {
        Some(category) => {
            // Categories are tactics, and a few kinds of threats beside them.
            let name = settings::tactic(&category).map_or(category, String::from);
            rule.tactics = vec![name];
        }
        None => notes.warning(template.at, "`alertTemplate` has no `category`"),
    }
    rule.techniques = settings::techniques(&mut template, &["mitreTechniques"], notes);
    rule.custom_details = template.pairs("customDetails", notes).into_iter().collect();
    rule.entities = entities(&mut template, notes);
    rule.impacted = impacted(&mut template, notes);
    if rule.entities.is_empty() {
        rule.entities = rule.impacted.iter().map(as_entity).collect();
    }
    template.finish(
        "alertTemplate",
        &["recommendedActions", "@odata.type"],
        notes,
    );
    at
}

fn entities(template: &mut Fields<'_>, notes: &mut Notes<'_>) -> Vec<EntityMapping> {
    let mut mappings = Vec::new();
    let Some(map) = template.map("entityMappings", notes) else {
        return mappings;
    };
    for (key, list) in map.values() {
        let Some((_, kind, identifiers)) = ENTITIES.iter().find(|(name, ..)| *name == key) else {
            if !key.starts_with('@') {
                notes.warning(list.at, format!("entities in `{key}` are not known"));
            }
            continue;
        };
        for node in list.items() {
            let Some(columns) = Fields::of(node, "an entity", notes) else {
                continue;
            };
            let mut field_mappings = Vec::new();
            for (key, column) in columns.values() {
                let (Some(name), Some(column_name)) = (key.strip_suffix("Column"), column.text())
                else {
                    continue;
                };
                let known = identifiers.iter().find(|(from, _)| *from == name);
                field_mappings.push(FieldMapping {
                    identifier: known.map_or_else(|| capital(name), |(_, to)| String::from(*to)),
                    column_name: column_name.into(),
                });
            }
            mappings.push(EntityMapping {
                entity_type: String::from(*kind),
                field_mappings,
            });
        }
    }
    mappings
}

/// `accountUpn` as `AccountUpn`.
fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_uppercase().to_string() + letters.as_str()
    })
}

fn impacted(template: &mut Fields<'_>, notes: &mut Notes<'_>) -> Vec<ImpactedAsset> {
    let mut assets = Vec::new();
    for node in template.list("impactedAssets", notes) {
        let ty = node.get("@odata.type").and_then(Node::text);
        let kind = match ty.and_then(|ty| ty.rsplit('.').next()) {
            Some("impactedDeviceAsset") => AssetKind::Device,
            Some("impactedUserAsset") => AssetKind::User,
            Some("impactedMailboxAsset") => AssetKind::Mailbox,
            _ => {
                notes.error(node.at, "an impacted asset is an impactedDeviceAsset, impactedUserAsset or impactedMailboxAsset");
                continue;
            }
        };
        match node.get("identifier").and_then(Node::text) {
            Some(column) => assets.push(ImpactedAsset {
                kind,
                column: capital(column),
            }),
            None => notes.error(node.at, "an impacted asset needs an `identifier`"),
        }
    }
    assets
}

/// An impacted asset as an entity of a finding.
fn as_entity(asset: &ImpactedAsset) -> EntityMapping {
    let column = asset.column.as_str();
    let (kind, identifier) = match asset.kind {
        AssetKind::Device if column.ends_with("Name") => ("Host", "HostName"),
        AssetKind::Device => ("Host", "MdatpDeviceId"),
        AssetKind::User if column.ends_with("Sid") => ("Account", "Sid"),
        AssetKind::User if column.ends_with("ObjectId") => ("Account", "AadUserId"),
        AssetKind::User => ("Account", "FullName"),
        AssetKind::Mailbox if column.ends_with("ObjectId") => ("Account", "AadUserId"),
        AssetKind::Mailbox => ("Mailbox", "MailboxPrimaryAddress"),
    };
    EntityMapping {
        entity_type: kind.into(),
        field_mappings: vec![FieldMapping {
            identifier: identifier.into(),
            column_name: column.into(),
        }],
    }
}

/// What the product of a detection cannot do that a rule of Sentinel asks for, in words.
pub fn missing_as_detection(rule: &Rule) -> Vec<String> {
    let mut missing = Vec::new();
    if rule.kind == Kind::CustomDetection {
        return missing;
    }
    if rule.tactics.len() > 1 {
        missing.push(format!(
            "{} tactics: a custom detection has one category",
            rule.tactics.len()
        ));
    }
    if let Some(length) = rule.suppression {
        missing.push(format!(
            "suppression for {}: a custom detection has none",
            short(length)
        ));
    }
    if !rule.trigger.is_any() {
        missing.push("a trigger other than `gt 0`: the query must count itself".into());
    }
    if rule.incidents.grouping.is_some() {
        missing.push("grouping of alerts: a custom detection leaves it to Defender XDR".into());
    }
    if !rule.incidents.create {
        missing.push(
            "alerts without incidents: those of a custom detection are always part of one".into(),
        );
    }
    let details = &rule.alert_details;
    let formats = [&details.name_format, &details.description_format];
    let shown: BTreeSet<&str> = formats
        .into_iter()
        .flat_map(|format| limits::parameters(format.as_deref().unwrap_or_default()))
        .collect();
    if shown.len() > limits::PARAMETERS {
        let many = shown.len();
        missing.push(format!(
            "{many} columns in name and description: 3 are taken over both"
        ));
    }
    missing
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;

    use super::super::document;
    use super::*;

    fn of(text: &str) -> (Option<Rule>, Vec<String>) {
        let documents = document::read(text).expect("it can be read");
        let mut notes = Notes::new("d.json");
        let file = File {
            source: text,
            shared: &OnceCell::new(),
            stem: "d",
        };
        let rule = read(&documents.roots[0], None, file, &mut notes);
        (rule, notes.list.iter().map(ToString::to_string).collect())
    }

    fn with(schedule: &str) -> (Option<Rule>, Vec<String>) {
        of(&format!(
            "{{\"id\": \"7\", \"displayName\": \"Forwarding\", \"queryCondition\": {{\"queryText\": \"CloudAppEvents\"}}, \
             \"schedule\": {schedule}, \"detectionAction\": {{\"alertTemplate\": {{\"title\": \"{{{{AccountUpn}}}} forwards\", \
             \"severity\": \"high\", \"category\": \"Collection\", \"mitreTechniques\": [\"T1114.003\"], \"impactedAssets\": \
             [{{\"@odata.type\": \"#microsoft.graph.security.impactedUserAsset\", \"identifier\": \"accountUpn\"}}]}}}}}}"
        ))
    }

    #[test]
    fn a_frequency_tells_the_lookback_unless_it_is_said() {
        for (schedule, want) in [
            (r#"{"period": "0"}"#, Schedule::NearRealTime),
            (
                r#"{"period": "1H"}"#,
                Schedule::Every {
                    frequency: HOUR,
                    period: 4 * HOUR,
                },
            ),
            (
                r#"{"period": "3H"}"#,
                Schedule::Every {
                    frequency: 3 * HOUR,
                    period: 12 * HOUR,
                },
            ),
            (
                r#"{"period": "12H"}"#,
                Schedule::Every {
                    frequency: 12 * HOUR,
                    period: 48 * HOUR,
                },
            ),
            (
                r#"{"period": "24H"}"#,
                Schedule::Every {
                    frequency: DAY,
                    period: 30 * DAY,
                },
            ),
            (
                r#"{"frequency": "PT2H", "lookback": "P1D"}"#,
                Schedule::Every {
                    frequency: 2 * HOUR,
                    period: DAY,
                },
            ),
        ] {
            let (rule, said) = with(schedule);
            let rule = rule.unwrap_or_else(|| panic!("{schedule}: {said:?}"));
            assert_eq!(rule.schedule, want, "{schedule}");
            assert!(said.is_empty(), "{said:?}");
        }
    }

    #[test]
    fn what_was_harmed_is_an_entity() {
        let (rule, said) = with(r#"{"period": "1H"}"#);
        let rule = rule.unwrap_or_else(|| panic!("{said:?}"));
        assert_eq!(rule.impacted[0].column, "AccountUpn");
        assert_eq!(rule.entities[0].entity_type, "Account");
        assert_eq!(rule.entities[0].field_mappings[0].identifier, "FullName");
        assert_eq!(rule.tactics, ["Collection"]);
        assert_eq!(
            rule.alert_details.name_format.as_deref(),
            Some("{{AccountUpn}} forwards")
        );
    }

    #[test]
    fn a_lookback_below_the_frequency_is_refused() {
        let (rule, said) = with(r#"{"frequency": "P1D", "lookback": "PT1H"}"#);
        assert!(rule.is_none());
        assert!(
            said[0].contains("the lookback 1h is shorter than the frequency 1d"),
            "{said:?}"
        );
        let (rule, said) = with(r#"{"period": "soon"}"#);
        assert!(rule.is_none());
        assert_eq!(said.len(), 1, "{said:?}");
    }
}
