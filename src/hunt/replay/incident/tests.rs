use super::super::alert::AlertRows;
use super::super::entity::AlertEntity;
use super::super::schedule::{HOUR, Interval, MINUTE, Run};
use super::*;
use crate::rules::{Kind, Language, Query};

fn rule(method: Matching) -> Rule {
    let mut rule = Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, "T"));
    rule.incidents.grouping = Some(Grouping {
        reopen_closed: false,
        lookback: Grouping::DEFAULT_LOOKBACK,
        method,
        by_entities: Vec::new(),
        by_alert_details: Vec::new(),
        by_custom_details: Vec::new(),
    });
    rule
}

fn grouping(rule: &mut Rule) -> &mut Grouping {
    rule.incidents.grouping.as_mut().expect("it groups")
}

fn entity(kind: &str, value: &str) -> AlertEntity {
    AlertEntity {
        kind: kind.into(),
        identifiers: vec![("Name".into(), value.into())],
    }
}

/// An alert that is written at a time, about some accounts.
fn alert(time: i64, accounts: &[&str]) -> Alert {
    let window = Interval {
        from: time - HOUR,
        to: time,
    };
    Alert {
        id: format!("{time}-{}", accounts.join("-")),
        rule: "r".into(),
        name: "Alert".into(),
        description: None,
        severity: Severity::Medium,
        tactics: vec!["Impact".into()],
        techniques: Vec::new(),
        run: Run {
            number: 0,
            at: time,
            executed: time,
            window,
            ingested: window,
        },
        start: time - MINUTE,
        end: time - 1,
        entities: accounts
            .iter()
            .map(|name| entity("Account", name))
            .collect(),
        has_more_entities: false,
        custom_details: Vec::new(),
        properties: Default::default(),
        rows: AlertRows::All,
        overall: 1,
        repeats: 0,
        record: None,
        fingerprints: Vec::new(),
    }
}

/// How many alerts each incident has.
fn sizes(rule: &Rule, alerts: &[Alert], closed_after: Option<i64>) -> Vec<usize> {
    let incidents = incidents([(rule, alerts)], closed_after);
    incidents.iter().map(|i| i.alerts.len()).collect()
}

#[test]
fn each_alert_is_an_incident_where_the_rule_does_not_group() {
    let mut rule = rule(Matching::AnyAlert);
    let alerts = [alert(HOUR, &["a"]), alert(2 * HOUR, &["a"])];
    rule.incidents.grouping = None;
    assert_eq!(sizes(&rule, &alerts, None), [1, 1]);
    rule.incidents.create = false;
    assert!(sizes(&rule, &alerts, None).is_empty());
}

#[test]
fn an_incident_takes_alerts_for_five_hours_after_its_first() {
    let rule = rule(Matching::AnyAlert);
    let hourly: Vec<Alert> = (0..12).map(|hour| alert(hour * HOUR, &[])).collect();
    // At 00:00 to 04:00, at 05:00 to 09:00, at 10:00 and 11:00.
    assert_eq!(sizes(&rule, &hourly, None), [5, 5, 2]);
    let edge = [
        alert(0, &[]),
        alert(5 * HOUR - 1, &[]),
        alert(5 * HOUR, &[]),
    ];
    assert_eq!(sizes(&rule, &edge, None), [2, 1]);
}

#[test]
fn the_shortest_and_the_longest_lookback_count_from_the_first_alert() {
    let mut rule = rule(Matching::AnyAlert);
    grouping(&mut rule).lookback = 300;
    let alerts: Vec<Alert> = (0..7).map(|n| alert(n * 2 * MINUTE, &[])).collect();
    // At 0, 2 and 4 minutes; at 6, 8 and 10; at 12.
    assert_eq!(sizes(&rule, &alerts, None), [3, 3, 1]);
    grouping(&mut rule).lookback = 7 * 86_400;
    let daily: Vec<Alert> = (0..9).map(|day| alert(day * 24 * HOUR, &[])).collect();
    assert_eq!(sizes(&rule, &daily, None), [7, 2]);
}

#[test]
fn all_entities_must_be_equal_whatever_their_order_and_case() {
    let rule = rule(Matching::AllEntities);
    let alerts = [
        alert(0, &["adele", "alex"]),
        alert(1, &["Alex", "adele"]),
        alert(2, &["adele"]),
        alert(3, &["adele"]),
        alert(4, &["adele", "alex", "megan"]),
        // Nothing says that these two belong together.
        alert(5, &[]),
        alert(6, &[]),
    ];
    assert_eq!(sizes(&rule, &alerts, None), [2, 2, 1, 1, 1]);
}

#[test]
fn what_a_rule_selects_must_be_equal() {
    let mut rule = rule(Matching::Selected);
    grouping(&mut rule).by_entities = vec!["Account".into()];
    let mut alerts = [alert(0, &["a"]), alert(1, &["a"]), alert(2, &["b"])];
    alerts[0].entities.push(entity("IP", "1"));
    alerts[1].entities.push(entity("IP", "2"));
    assert_eq!(sizes(&rule, &alerts, None), [2, 1]);
    grouping(&mut rule).by_entities.push("IP".into());
    assert_eq!(sizes(&rule, &alerts, None), [1, 1, 1]);

    grouping(&mut rule).by_entities.clear();
    grouping(&mut rule).by_alert_details = vec![AlertDetail::DisplayName];
    alerts[0].name = "Other".into();
    assert_eq!(sizes(&rule, &alerts, None), [1, 2]);
    grouping(&mut rule)
        .by_alert_details
        .push(AlertDetail::Severity);
    alerts[2].severity = Severity::High;
    assert_eq!(sizes(&rule, &alerts, None), [1, 1, 1]);

    grouping(&mut rule).by_alert_details.clear();
    grouping(&mut rule).by_custom_details = vec!["Site".into()];
    for (alert, site) in alerts.iter_mut().zip(["x", "y", "x"]) {
        alert.custom_details = vec![("Site".into(), vec![site.into()])];
    }
    assert_eq!(sizes(&rule, &alerts, None), [2, 1]);
    for (alert, sites) in alerts.iter_mut().zip([["x", "y"], ["y", "x"], ["x", "x"]]) {
        alert.custom_details = vec![("Site".into(), sites.map(String::from).to_vec())];
    }
    assert_eq!(sizes(&rule, &alerts, None), [2, 1]);
    alerts[0].custom_details.clear();
    assert_eq!(sizes(&rule, &alerts, None), [1, 1, 1]);
}

#[test]
fn an_incident_has_150_alerts_and_the_next_begins_another() {
    let rule = rule(Matching::AnyAlert);
    let alerts: Vec<Alert> = (0..320).map(|n| alert(n * MINUTE / 2, &[])).collect();
    let incidents = incidents([(&rule, alerts.as_slice())], None);
    let sizes: Vec<usize> = incidents.iter().map(|i| i.alerts.len()).collect();
    assert_eq!(sizes, [150, 150, 20]);
    assert_eq!(incidents[1].created, 75 * MINUTE);
    assert_eq!(incidents[1].title, incidents[0].title);
}

#[test]
fn a_closed_incident_takes_alerts_only_where_the_rule_opens_it_again() {
    let mut rule = rule(Matching::AnyAlert);
    let alerts: Vec<Alert> = (0..4).map(|hour| alert(hour * HOUR, &[])).collect();
    assert_eq!(sizes(&rule, &alerts, None), [4]);
    // Closed at two, the third alert begins another.
    assert_eq!(sizes(&rule, &alerts, Some(2 * HOUR)), [2, 2]);
    grouping(&mut rule).reopen_closed = true;
    let incidents = incidents([(&rule, alerts.as_slice())], Some(2 * HOUR));
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].alerts.len(), 4);
    // Opened again at two, closed at four.
    assert_eq!(incidents[0].reopened, 1);
    assert_eq!(incidents[0].closes, Some(4 * HOUR));
    let row = incidents[0].row(&Workspace::default());
    assert_eq!(
        (&row["Status"], &row["ClosedTime"]),
        (&json!("Closed"), &json!("1970-01-01T04:00:00Z"))
    );
}

#[test]
fn incidents_are_numbered_by_their_creation() {
    let one = rule(Matching::AnyAlert);
    let mut two = rule(Matching::AnyAlert);
    two.id = "a".into();
    let of_one = [alert(HOUR, &["x"]), alert(9 * HOUR, &["x"])];
    let of_two = [alert(HOUR, &["y"]), alert(2 * HOUR, &["y"])];
    let given = [(&one, of_one.as_slice()), (&two, of_two.as_slice())];
    let incidents = incidents(given, None);
    let said: Vec<(usize, &str, usize)> = incidents
        .iter()
        .map(|i| (i.number, i.rule.as_str(), i.alerts.len()))
        .collect();
    assert_eq!(said, [(1, "a", 2), (2, "r", 1), (3, "r", 1)]);
    let turned = super::incidents([given[1], given[0]], None);
    assert_eq!(turned, incidents);
}

#[test]
fn incidents_of_one_run_are_numbered_as_its_alerts_are() {
    let mut rule = rule(Matching::AnyAlert);
    rule.incidents.grouping = None;
    let alerts = ["d", "a", "c", "b"].map(|name| alert(HOUR, &[name]));
    let incidents = incidents([(&rule, alerts.as_slice())], None);
    let said: Vec<&str> = incidents.iter().map(|i| i.alerts[0].as_str()).collect();
    let wanted: Vec<&str> = alerts.iter().map(|alert| alert.id.as_str()).collect();
    assert_eq!(said, wanted);
}

#[test]
fn an_incident_is_as_bad_as_its_worst_alert_and_says_what_all_say() {
    let rule = rule(Matching::AnyAlert);
    let mut alerts = [alert(HOUR, &["a"]), alert(3 * HOUR, &["b"])];
    alerts[1].severity = Severity::High;
    alerts[1].tactics = vec!["Impact".into(), "Discovery".into()];
    alerts[1].name = "Later".into();
    let incidents = incidents([(&rule, alerts.as_slice())], None);
    let row = incidents[0].row(&Workspace::default());
    assert_eq!(row["Title"], "Alert");
    assert_eq!(row["Severity"], "High");
    assert_eq!(row["IncidentNumber"], 1);
    assert_eq!(row["CreatedTime"], "1970-01-01T01:00:00Z");
    assert_eq!(row["LastModifiedTime"], "1970-01-01T03:00:00Z");
    assert_eq!(row["FirstActivityTime"], "1970-01-01T00:59:00Z");
    assert_eq!(row["LastActivityTime"], "1970-01-01T02:59:59.999999Z");
    assert_eq!(row["ClosedTime"], Value::Null);
    assert_eq!(row["AlertIds"], json!(["3600000000-a", "10800000000-b"]));
    assert_eq!(row["RelatedAnalyticRuleIds"], json!(["r"]));
    assert_eq!(
        row["AdditionalData"],
        json!({
            "alertsCount": 2, "bookmarksCount": 0, "commentsCount": 0,
            "alertProductNames": ["Azure Sentinel"], "tactics": ["Impact", "Discovery"], "techniques": [],
        })
    );
}
