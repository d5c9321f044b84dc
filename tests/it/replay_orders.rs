//! Replays give the same, whatever order rows are read in: that of files and threads is another one each time.

use coldtrail::hunt::replay::Manner;
use coldtrail::hunt::replay::delay::Delay;
use coldtrail::rules::{EventGrouping, Kind, Language, Query, Rule, Schedule};
use serde_json::{Value, json};

use crate::replay::{FIRST, MINUTE, iso, replayed};

#[test]
fn alerts_are_the_same_in_whichever_order_rows_are_read() {
    let ten = FIRST + 600 * MINUTE;
    let records = (0..6).map(|number| {
        // Three at a time, so that their times do not say which comes first.
        let time = iso(ten + number / 3 * MINUTE);
        let record = json!({
            "TimeGenerated": time, "CreatedDateTime": time, "Id": format!("s{number}"), "ResultType": "0",
            "UserPrincipalName": (["carla", "alice", "bob"][number as usize % 3]),
            "IPAddress": format!("192.0.2.{}", 9 - number),
        });
        ("SigninLogs".to_string(), record)
    });
    let mut records: Vec<(String, Value)> = records.collect();
    for (text, alerts) in [
        (
            "SigninLogs | summarize make_set(IPAddress) by ResultType",
            1,
        ),
        (
            "SigninLogs | summarize tostring(make_set(IPAddress)), make_bag(bag_pack(UserPrincipalName, 1)) by bin(TimeGenerated, 1m)",
            2,
        ),
        (
            "SigninLogs | extend each = pack_array(1, 2) | mv-apply each on (summarize sum(toint(each))) | project UserPrincipalName, IPAddress",
            6,
        ),
    ] {
        let mut rule = Rule::new("r", Kind::Scheduled, Query::new(Language::Kql, text));
        rule.schedule = Schedule::Every {
            frequency: 3600,
            period: 3600,
        };
        rule.event_grouping = EventGrouping::AlertPerResult;
        let mut first: Option<Vec<String>> = None;
        for _ in 0..2 {
            for manner in [Manner::Once, Manner::EachRun] {
                let (raised, _) = replayed(
                    &records,
                    (ten, ten + 5 * MINUTE),
                    &rule,
                    &Delay::None,
                    manner,
                );
                let ids: Vec<String> = raised.into_iter().map(|alert| alert.id).collect();
                assert_eq!(ids.len(), alerts, "{text}");
                assert_eq!(first.get_or_insert_with(|| ids.clone()), &ids, "{text}");
            }
            records.reverse();
        }
    }
}
