use std::io::Read;

use flate2::read::ZlibDecoder;
use serde_json::json;

use super::super::schedule::{HOUR, MINUTE, SECOND, Timetable};
use super::*;
use crate::rules::{EntityMapping, FieldMapping, Operator, Query, Schedule, Trigger};

/// 2023-07-24T20:23:59.107Z
const RAN_2023: i64 = 1_690_230_239_107_000;
/// 2020-03-28T23:45:59.772005Z
const RAN_2020: i64 = 1_585_439_159_772_005;
/// 2022-07-03T08:36:02.920102Z
const RAN_2022: i64 = 1_656_837_362_920_102;

const RULE: &str = "11111111-58a9-4d66-af3a-b054778b4aa2";

fn workspace() -> Workspace {
    Workspace {
        id: "22222222-d55a-485c-b030-4cb167e8cffd".into(),
        name: "contoso-sentinel".into(),
        subscription: "33333333-8ef2-4c61-bc61-7fa8658ab74b".into(),
        resource_group: "test".into(),
    }
}

fn rule(text: &str, period: i64) -> Rule {
    let mut rule = Rule::new(RULE, Kind::Scheduled, Query::new(Language::Kql, text));
    rule.name = "Test alert".into();
    rule.description = "test alert".into();
    rule.schedule = Schedule::Every {
        frequency: (period / SECOND).unsigned_abs(),
        period: (period / SECOND).unsigned_abs(),
    };
    rule
}

fn run(rule: &Rule, at: i64) -> Run {
    let over = Interval {
        from: at,
        to: at + 1,
    };
    Timetable::of(rule, over).expect("a schedule").run(0)
}

fn rows(times: &[i64]) -> Vec<ResultRow> {
    let row = |(n, time): (usize, &i64)| ResultRow {
        time: Some(*time),
        cells: Map::from_iter([("N".to_string(), Value::from(n))]),
    };
    times.iter().enumerate().map(row).collect()
}

fn extended(row: &Map<String, Value>) -> Map<String, Value> {
    let text = row["ExtendedProperties"].as_str().expect("text");
    serde_json::from_str(text).expect("an object")
}

#[test]
fn the_alert_of_2023_is_written_as_recorded() {
    let rule = rule("union AzureActivity", 5 * HOUR);
    let run = run(&rule, RAN_2023);
    // The first and the last of its twelve rows: 19:45:43.196291 and 19:50:01.015524.
    let (first, last) = (1_690_227_943_196_291, 1_690_228_201_015_524);
    let mut times = vec![last, first];
    times.extend((1..11).map(|n| first + n * SECOND));
    let rows = rows(&times);
    let alert = Alert::raise(&rule, &run, (AlertRows::All, &rows), 12, 0);
    let row = alert.row(&rule, &workspace());
    let mut said = extended(&row);
    let mut recorded: Map<String, Value> =
        serde_json::from_str(include_str!("recorded-2023.json")).expect("an object");
    assert!(said.keys().eq(recorded.keys()), "{said:?}");
    assert_eq!(said["Correlation Id"].as_str().map(str::len), Some(36));
    said.remove("Correlation Id");
    recorded.remove("Correlation Id");
    assert_eq!(said, recorded);
    // Recorded are 20:29:01.801 and 20:29:01.761, that is, two and a half seconds of work.
    let executed = json!("2023-07-24T20:28:59.107Z");
    let recorded = [
        ("TenantId", json!("22222222-d55a-485c-b030-4cb167e8cffd")),
        ("TimeGenerated", executed.clone()),
        ("DisplayName", json!("Test alert")),
        ("AlertName", json!("Test alert")),
        ("AlertSeverity", json!("Medium")),
        ("Description", json!("test alert")),
        ("ProviderName", json!("ASI Scheduled Alerts")),
        ("VendorName", json!("Microsoft")),
        ("VendorOriginalId", row["VendorOriginalId"].clone()),
        ("SystemAlertId", json!(alert.id)),
        ("ResourceId", json!("")),
        ("SourceComputerId", json!("")),
        (
            "AlertType",
            json!("22222222-d55a-485c-b030-4cb167e8cffd_11111111-58a9-4d66-af3a-b054778b4aa2"),
        ),
        ("ConfidenceLevel", json!("")),
        ("ConfidenceScore", json!(null)),
        ("IsIncident", json!(false)),
        ("StartTime", json!("2023-07-24T19:45:43.196291Z")),
        ("EndTime", json!("2023-07-24T19:50:01.015524Z")),
        ("ProcessingEndTime", executed),
        ("RemediationSteps", json!("")),
        ("ExtendedProperties", row["ExtendedProperties"].clone()),
        ("Entities", json!("")),
        ("SourceSystem", json!("Detection")),
        (
            "WorkspaceSubscriptionId",
            json!("33333333-8ef2-4c61-bc61-7fa8658ab74b"),
        ),
        ("WorkspaceResourceGroup", json!("test")),
        ("ExtendedLinks", json!("")),
        ("ProductName", json!("Azure Sentinel")),
        ("ProductComponentName", json!("Scheduled Alerts")),
        ("AlertLink", json!("")),
        ("Status", json!("New")),
        ("CompromisedEntity", json!("")),
        ("Tactics", json!("Unknown")),
        ("Techniques", json!("")),
        // Newer than the recorded alert.
        ("SubTechniques", json!("")),
        ("Type", json!("SecurityAlert")),
    ];
    let recorded = recorded.map(|(name, value)| (name.to_string(), value));
    let written: Vec<(String, Value)> = row.into_iter().collect();
    assert_eq!(written, recorded);
}

#[test]
fn the_alert_over_nothing_of_2020_has_the_window_for_its_times() {
    let mut rule = rule("SecurityAlert", 5 * HOUR);
    rule.trigger = Trigger {
        operator: Operator::Equal,
        threshold: 0,
    };
    rule.tactics = vec!["InitialAccess".into(), "Persistence".into()];
    let run = run(&rule, RAN_2020);
    let alert = Alert::raise(&rule, &run, (AlertRows::All, &[]), 0, 0);
    let row = alert.row(&rule, &workspace());
    assert_eq!(row["StartTime"], "2020-03-28T18:45:59.772005Z");
    assert_eq!(row["EndTime"], "2020-03-28T23:45:59.772005Z");
    // Recorded is 23:51:06.093.
    assert_eq!(row["TimeGenerated"], "2020-03-28T23:50:59.772005Z");
    assert_eq!(row["Tactics"], "InitialAccess, Persistence");
    let said = extended(&row);
    assert_eq!(said["Trigger Operator"], "Equal");
    assert_eq!(said["Trigger Threshold"], "0");
    assert_eq!(said["Search Query Results Overall Count"], "0");
    assert_eq!(said["Query Start Time UTC"], "2020-03-28 18:45:59Z");
}

#[test]
fn an_alert_of_one_row_carries_it_and_the_rules_own_query() {
    let mut rule = rule("union AzureActivity\n", 5 * MINUTE);
    rule.event_grouping = EventGrouping::AlertPerResult;
    let run = run(&rule, RAN_2022);
    let rows = rows(&[RAN_2022 - MINUTE]);
    let alert = Alert::raise(&rule, &run, (AlertRows::One, &rows), 1, 0);
    assert_eq!((alert.start, alert.end), (run.at - MINUTE, run.at - MINUTE));
    let said = extended(&alert.row(&rule, &workspace()));
    let names: Vec<&str> = said.keys().map(String::as_str).collect();
    assert_eq!(names[6..8], ["Query", "OriginalQuery"]);
    assert_eq!(said["Event Grouping"], "AlertPerEvent");
    assert_eq!(said["OriginalQuery"], "union AzureActivity\n");
    assert_eq!(said["Query Period"], "00:05:00");
    assert_eq!(said["Query Start Time UTC"], "2022-07-03 08:31:02Z");
    let query = said["Query"].as_str().expect("text");
    let packed = query
        .strip_prefix("// might contain sensitive data\nlet alertedEvent = datatable(compressedRec: string)\n['")
        .and_then(|rest| rest.strip_suffix(
            "']\n| extend raw = todynamic(zlib_decompress_from_base64_string(compressedRec)) | evaluate bag_unpack(raw) | project-away compressedRec;\nalertedEvent",
        ))
        .expect("the recorded form");
    let packed = STANDARD.decode(packed).expect("base64");
    let mut text = String::new();
    let mut unpacked = ZlibDecoder::new(packed.as_slice());
    unpacked.read_to_string(&mut text).expect("zlib");
    assert_eq!(text, "{\"N\":0}");
}

#[test]
fn an_nrt_alert_says_what_was_recorded_of_one() {
    let mut rule = rule("SecurityEvent", MINUTE);
    rule.kind = Kind::Nrt;
    rule.event_grouping = EventGrouping::AlertPerResult;
    rule.schedule = Schedule::NearRealTime;
    // 2026-08-10T20:20:26.5Z
    let at = 1_786_393_226_500_000;
    let run = run(&rule, at);
    let rows = rows(&[at - 76 * SECOND]);
    let alert = Alert::raise(&rule, &run, (AlertRows::One, &rows), 1, 0);
    let row = alert.row(&rule, &workspace());
    assert_eq!(row["ProviderName"], "ASI NRT Alerts");
    assert_eq!(row["ProductComponentName"], "NRT Alerts");
    let said = extended(&row);
    assert_eq!(said["Query Start Time UTC"], "2026-08-10 08:22:26Z");
    assert_eq!(said["Query End Time UTC"], "2026-08-10 20:20:27Z");
    assert_eq!(said["Event Grouping"], "AlertPerEvent");
    assert_eq!(said.get("Query Period"), None);
}

#[test]
fn custom_details_and_techniques_are_lists_as_text() {
    let mut rule = rule("T", HOUR);
    rule.techniques = vec!["T1078".into(), "T1110.003".into(), "T1110.001".into()];
    rule.custom_details = [("Number".to_string(), "N".to_string())].into();
    let run = run(&rule, RAN_2023);
    let alert = Alert::raise(&rule, &run, (AlertRows::All, &rows(&[1, 2])), 2, 0);
    let row = alert.row(&rule, &workspace());
    assert_eq!(row["Techniques"], "[\"T1078\",\"T1110\"]");
    assert_eq!(row["SubTechniques"], "[\"T1110.003\",\"T1110.001\"]");
    assert_eq!(
        extended(&row)["Custom Details"],
        "{\"Number\":[\"0\",\"1\"]}"
    );
}

#[test]
fn ids_are_those_of_the_rule_the_run_and_the_rows() {
    let rule = rule("T", HOUR);
    let one = run(&rule, RAN_2023);
    let two = run(&rule, RAN_2023 + HOUR);
    let mut rows = rows(&[10, 20, 30]);
    let id = |rule: &Rule, run: &Run, how, rows: &[ResultRow], ordinal| {
        Alert::raise(rule, run, (how, rows), 3, ordinal).id
    };
    let usual = id(&rule, &one, AlertRows::All, &rows, 0);
    assert_eq!(usual, id(&rule, &one, AlertRows::All, &rows, 0));
    assert_ne!(usual, id(&rule, &two, AlertRows::All, &rows, 0));
    assert_ne!(usual, id(&rule, &one, AlertRows::All, &rows[1..], 0));
    assert_ne!(
        id(&rule, &one, AlertRows::One, &rows[..1], 0),
        id(&rule, &one, AlertRows::One, &rows[..1], 1)
    );
    assert_ne!(
        id(&rule, &one, AlertRows::One, &rows[..1], 0),
        id(&rule, &one, AlertRows::All, &rows[..1], 0)
    );
    let mut other = rule.clone();
    other.id = "other".into();
    assert_ne!(usual, id(&other, &one, AlertRows::All, &rows, 0));
    rows.reverse();
    assert_eq!(usual, id(&rule, &one, AlertRows::All, &rows, 0));
}

#[test]
fn firings_of_a_custom_detection_about_the_same_are_one_alert() {
    let mut rule = rule("T", HOUR);
    rule.kind = Kind::CustomDetection;
    rule.entities = vec![EntityMapping {
        entity_type: "Account".into(),
        field_mappings: vec![FieldMapping {
            identifier: "Name".into(),
            column_name: "User".into(),
        }],
    }];
    let raised = |at: i64, user: &str| {
        let cells = Map::from_iter([
            ("User".to_string(), Value::from(user)),
            ("Time".to_string(), Value::from(at)),
        ]);
        let rows = [ResultRow { time: None, cells }];
        let run = run(&rule, at);
        Alert::raise(&rule, &run, (AlertRows::One, &rows), 1, 0).id
    };
    assert_eq!(raised(RAN_2023, "adele"), raised(RAN_2020, "Adele"));
    assert_ne!(raised(RAN_2023, "adele"), raised(RAN_2023, "alex"));
}

#[test]
fn what_was_packed_before_does_not_show_in_a_record() {
    let records = ["{\"User\":\"adele\"}", "{\"User\":\"alex\"}", "{}"];
    let texts = || records.map(recorded);
    let first = texts();
    assert_eq!(first, texts());
    for (text, record) in first.iter().zip(records) {
        let packed = text.split('\'').nth(1).expect("a text in quotes");
        let packed = STANDARD.decode(packed).expect("Base64");
        let mut unpacked = String::new();
        ZlibDecoder::new(packed.as_slice())
            .read_to_string(&mut unpacked)
            .expect("one whole stream");
        assert_eq!(unpacked, record);
    }
}
