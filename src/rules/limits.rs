//! What Sentinel and Defender XDR refuse of a rule, and what they take but do not do.
//!
//! Sources: Microsoft's `scheduled-rules-overview`, `create-analytics-rules`, `sentinel-service-limits`, `customize-alert-details` and
//! `custom-detection-rules`, as of autumn 2026.

use super::document::At;
use super::fields::Notes;
use super::model::{EntityMapping, Kind, Matching, Rule, Schedule};
use super::span::short;
use crate::kql::lexer::{self, TokenKind};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The shortest frequency and period.
const SHORTEST: u64 = 5 * MINUTE;
/// The longest frequency and period of an analytics rule.
const LONGEST: u64 = 14 * DAY;
/// The longest period of a rule that runs more often than every hour.
const LONGEST_OF_FREQUENT: u64 = 2 * DAY;
/// The longest lookback of a custom detection.
const LONGEST_LOOKBACK: u64 = 30 * DAY;
/// The longest suppression.
const LONGEST_SUPPRESSION: u64 = DAY;
/// The longest time for which an incident takes alerts.
const LONGEST_GROUPING: u64 = 7 * DAY;
/// Characters of a query.
const QUERY_CHARACTERS: usize = 10_000;
/// Entity mappings of a rule.
const MAPPINGS: usize = 10;
/// Identifiers of a mapping.
const IDENTIFIERS: usize = 3;
/// Custom details of a rule.
const CUSTOM_DETAILS: usize = 20;
/// Characters of the name of a custom detail.
const DETAIL_NAME: usize = 20;
/// Columns that a title, and a description, may show.
pub(super) const PARAMETERS: usize = 3;

/// Who refuses what is beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// The product that the rule is of: it is an error.
    Product,
    /// Nobody, as long as the rule stays here: it is a warning.
    Nobody,
}

/// Says what is beyond the limits. `place` is where a setting stands, by its name in Sentinel's YAML.
pub(super) fn check(
    rule: &Rule,
    strictness: Strictness,
    place: &dyn Fn(&str) -> At,
    notes: &mut Notes<'_>,
) {
    let mut say = |key: &str, message: String| match strictness {
        Strictness::Product => notes.error(place(key), message),
        Strictness::Nobody => notes.warning(place(key), message),
    };
    match rule.kind {
        Kind::Scheduled | Kind::Nrt => schedule(rule, &mut say),
        Kind::CustomDetection => lookback(rule, &mut say),
        Kind::Hunting | Kind::Sigma => {}
    }
    if matches!(rule.kind, Kind::Scheduled | Kind::Nrt) {
        query(rule, &mut say);
        settings(rule, &mut say);
    }
    mappings(&rule.entities, &mut say);
    oddities(rule, place, notes);
}

/// The same of an analytics rule of Sentinel in which something else is wrong: what rests on its schedule and its query alone. Of other settings
/// those that could not be read would be missed again.
pub(super) fn check_broken(rule: &Rule, place: &dyn Fn(&str) -> At, notes: &mut Notes<'_>) {
    if !matches!(rule.kind, Kind::Scheduled | Kind::Nrt) {
        return;
    }
    let mut say = |key: &str, message: String| notes.error(place(key), message);
    schedule(rule, &mut say);
    // Its frequency could not be read.
    if let Schedule::ByHand {
        period: Some(period),
    } = rule.schedule
    {
        of_schedule("queryPeriod", period, &mut say);
    }
    query(rule, &mut say);
}

type Say<'s> = dyn FnMut(&str, String) + 's;

fn schedule(rule: &Rule, say: &mut Say<'_>) {
    if let Schedule::Every { frequency, period } = rule.schedule {
        for (key, length) in [("queryFrequency", frequency), ("queryPeriod", period)] {
            of_schedule(key, length, say);
        }
        if period < frequency {
            let (period, frequency) = (short(period), short(frequency));
            say(
                "queryPeriod",
                format!(
                    "queryPeriod {period} is shorter than queryFrequency {frequency}: events between two runs are never seen"
                ),
            );
        } else if period > LONGEST_OF_FREQUENT && frequency < HOUR {
            let (period, frequency) = (short(period), short(frequency));
            say(
                "queryPeriod",
                format!(
                    "queryPeriod {period} is above 2d, which a rule may not have that runs every {frequency}: it must be 1h or more"
                ),
            );
        }
    }
    if let Some(length) = rule.suppression
        && !(SHORTEST..=LONGEST_SUPPRESSION).contains(&length)
    {
        let message = format!(
            "suppressionDuration is {}: it must be 5m to 24h",
            short(length)
        );
        say("suppressionDuration", message);
    }
}

/// Says that a length of a schedule is beyond its limits.
fn of_schedule(key: &str, length: u64, say: &mut Say<'_>) {
    if !(SHORTEST..=LONGEST).contains(&length) {
        let message = format!("{key} is {}: it must be 5m to 14d", short(length));
        say(key, message);
    }
}

fn lookback(rule: &Rule, say: &mut Say<'_>) {
    let Schedule::Every { frequency, period } = rule.schedule else {
        return;
    };
    if !(SHORTEST..=LONGEST).contains(&frequency) {
        let message = format!(
            "the frequency is {}: it must be 5m to 14d",
            short(frequency)
        );
        say("queryFrequency", message);
    }
    if period < frequency {
        let (period, frequency) = (short(period), short(frequency));
        say(
            "queryPeriod",
            format!("the lookback {period} is shorter than the frequency {frequency}"),
        );
    } else if period > LONGEST_LOOKBACK {
        let message = format!("the lookback is {}: it must be at most 30d", short(period));
        say("queryPeriod", message);
    }
}

fn query(rule: &Rule, say: &mut Say<'_>) {
    let text = &rule.query.text;
    let characters = text.chars().count();
    if characters > QUERY_CHARACTERS {
        let message = format!("the query has {characters} characters: at most 10,000 are taken");
        say("query", message);
    }
    if let Some(word) = asks_everything(text) {
        say(
            "query",
            format!("`{word} *` is not taken in an analytics rule"),
        );
    }
}

/// `search *` or `union *`, with whatever options between.
fn asks_everything(query: &str) -> Option<&str> {
    let (tokens, _) = lexer::lex(query);
    let kind = |at: usize| tokens.get(at).map(|token| token.kind);
    (0..tokens.len()).find_map(|at| {
        let word = tokens[at].span.of(query);
        if kind(at) != Some(TokenKind::Word) || !matches!(word, "search" | "union") {
            return None;
        }
        let mut next = at + 1;
        while kind(next) == Some(TokenKind::Word) && kind(next + 1) == Some(TokenKind::Assign) {
            next += 3;
        }
        (kind(next) == Some(TokenKind::Star)).then_some(word)
    })
}

fn mappings(mappings: &[EntityMapping], say: &mut Say<'_>) {
    if mappings.len() > MAPPINGS {
        let many = mappings.len();
        say(
            "entityMappings",
            format!("{many} entity mappings: at most 10 are taken"),
        );
    }
    for mapping in mappings {
        let (kind, many) = (&mapping.entity_type, mapping.field_mappings.len());
        if many > IDENTIFIERS {
            let message = format!("{many} identifiers of one {kind}: at most 3 are taken");
            say("entityMappings", message);
        } else if many == 0 {
            say(
                "entityMappings",
                format!("the mapping of {kind} has no identifier"),
            );
        }
    }
}

fn settings(rule: &Rule, say: &mut Say<'_>) {
    let details = rule.custom_details.len();
    if details > CUSTOM_DETAILS {
        say(
            "customDetails",
            format!("{details} custom details: at most 20 are taken"),
        );
    }
    let formats = [
        ("alertDisplayNameFormat", &rule.alert_details.name_format),
        (
            "alertDescriptionFormat",
            &rule.alert_details.description_format,
        ),
    ];
    for (key, format) in formats {
        let many = parameters(format.as_deref().unwrap_or_default()).len();
        if many > PARAMETERS {
            say(
                "alertDetailsOverride",
                format!("{key} shows {many} columns: at most 3 are taken"),
            );
        }
    }
    let Some(grouping) = &rule.incidents.grouping else {
        return;
    };
    let key = "incidentConfiguration";
    if !(SHORTEST..=LONGEST_GROUPING).contains(&grouping.lookback) {
        let length = short(grouping.lookback);
        say(
            key,
            format!("lookbackDuration is {length}: it must be 5m to 7d"),
        );
    }
    let chosen = grouping.by_entities.len()
        + grouping.by_alert_details.len()
        + grouping.by_custom_details.len();
    if grouping.method == Matching::Selected && chosen == 0 {
        say(
            key,
            "matchingMethod is Selected and nothing is selected: groupByEntities, groupByAlertDetails or groupByCustomDetails must name something".into(),
        );
    }
}

/// What is taken and is hardly meant.
fn oddities(rule: &Rule, place: &dyn Fn(&str) -> At, notes: &mut Notes<'_>) {
    for name in rule.custom_details.keys() {
        let long = name.chars().count() > DETAIL_NAME;
        if long || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let message =
                format!("custom detail `{name}`: a name is at most 20 letters and digits");
            notes.warning(place("customDetails"), message);
        }
    }
    if rule.kind == Kind::CustomDetection {
        let mut shown = Vec::new();
        let formats = [
            &rule.alert_details.name_format,
            &rule.alert_details.description_format,
        ];
        for format in formats {
            shown.extend(parameters(format.as_deref().unwrap_or_default()));
        }
        shown.sort_unstable();
        shown.dedup();
        if shown.len() > PARAMETERS {
            let many = shown.len();
            let message =
                format!("title and description show {many} columns: the API takes 3 over both");
            notes.warning(place("title"), message);
        }
    }
    let Some(grouping) = &rule.incidents.grouping else {
        return;
    };
    let at = place("incidentConfiguration");
    if !rule.incidents.create {
        notes.warning(
            at,
            "alerts are grouped and createIncident is false: no incident comes of it",
        );
    }
    if grouping.method != Matching::Selected {
        return;
    }
    for name in &grouping.by_entities {
        if !rule.entities.iter().any(|e| e.entity_type == *name) {
            notes.warning(
                at,
                format!("groupByEntities: no entity mapping is of type `{name}`"),
            );
        }
    }
    for name in &grouping.by_custom_details {
        if !rule.custom_details.contains_key(name) {
            notes.warning(
                at,
                format!("groupByCustomDetails: there is no custom detail `{name}`"),
            );
        }
    }
}

/// The columns that a format shows: those of `{{Column}}`, each once.
pub fn parameters(format: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for part in format.split("{{").skip(1) {
        if let Some((name, _)) = part.split_once("}}") {
            let name = name.trim();
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::model::{Language, Query, Trigger};
    use super::*;

    fn said(change: impl Fn(&mut Rule)) -> Vec<String> {
        let mut rule = Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, "T"));
        rule.trigger = Trigger::ANY;
        rule.schedule = Schedule::Every {
            frequency: HOUR,
            period: DAY,
        };
        change(&mut rule);
        let mut notes = Notes::new("r.yaml");
        check(&rule, Strictness::Product, &|_| At::default(), &mut notes);
        notes.list.iter().map(|said| said.message.clone()).collect()
    }

    #[test]
    fn a_schedule_has_its_edges() {
        let with =
            |frequency, period| said(|rule| rule.schedule = Schedule::Every { frequency, period });
        for (frequency, period) in [
            (SHORTEST, SHORTEST),
            (LONGEST, LONGEST),
            (HOUR, LONGEST),
            (SHORTEST, LONGEST_OF_FREQUENT),
        ] {
            assert!(with(frequency, period).is_empty(), "{frequency} {period}");
        }
        for (frequency, period, want) in [
            (
                SHORTEST - 1,
                HOUR,
                "queryFrequency is 299s: it must be 5m to 14d",
            ),
            (HOUR, LONGEST + 1, "it must be 5m to 14d"),
            (
                2 * HOUR,
                HOUR,
                "queryPeriod 1h is shorter than queryFrequency 2h",
            ),
            (HOUR - 1, LONGEST_OF_FREQUENT + 1, "is above 2d"),
        ] {
            let list = with(frequency, period);
            assert!(list.iter().any(|said| said.contains(want)), "{list:?}");
        }
    }

    #[test]
    fn a_query_may_not_ask_everything() {
        for (text, want) in [
            ("search * | take 1", Some("search")),
            ("union  * | count", Some("union")),
            (
                "union withsource=Table isfuzzy=true * | count",
                Some("union"),
            ),
            ("union T, U // union *", None),
            ("T | where a == 'search *' and b has_any (x)", None),
            ("T | project 2 * x", None),
        ] {
            assert_eq!(asks_everything(text), want, "{text}");
        }
    }

    #[test]
    fn columns_of_a_format_are_counted_once() {
        assert_eq!(
            parameters("{{A}} by {{ B }} and {{A}} {x} {{open"),
            ["A", "B"]
        );
    }

    #[test]
    fn what_is_selected_must_be_there() {
        let list = said(|rule| {
            rule.incidents.grouping = Some(super::super::model::Grouping {
                reopen_closed: false,
                lookback: 0,
                method: Matching::Selected,
                by_entities: vec!["Account".into()],
                by_alert_details: Vec::new(),
                by_custom_details: vec!["Reason".into()],
            });
        });
        assert_eq!(list.len(), 3, "{list:?}");
    }
}
