//! The figures of a report are those that a count by hand over the files of the sample data gives.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command_line::run;
use crate::{STORY, ingest, project};

/// The moment that all of it is asked at.
const AT: &str = "2026-06-01T00:00:00Z";

/// The sample data without its copies in other formats, in an archive.
pub(crate) fn sample(folder: &Path) -> String {
    let path = folder.join("archive");
    let inputs = STORY.iter().chain(&["watchlists"]);
    let inputs: Vec<PathBuf> = inputs
        .map(|name| project(&format!("sample-data/{name}")))
        .collect();
    ingest(&path, &inputs);
    path.to_string_lossy().into_owned()
}

/// What a command prints.
pub(crate) fn printed(arguments: &[&str]) -> String {
    let out = run(arguments);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {said}");
    String::from_utf8(out.stdout).expect("text")
}

fn report(archive: &str, further: &[&str]) -> Value {
    let arguments = [
        &[
            "report",
            "-a",
            archive,
            "-r",
            "builtin:mip",
            "-f",
            "json",
            "--at",
            AT,
        ][..],
        further,
    ]
    .concat();
    serde_json::from_str(&printed(&arguments)).expect("a report is JSON")
}

/// Names and totals of a ranking.
fn totals(ranking: &Value) -> Vec<(String, u64)> {
    let rows = ranking["rows"].as_array().expect("rows");
    rows.iter()
        .map(|row| {
            let name = row["name"].as_str().expect("a name").to_string();
            (name, row["total"].as_u64().expect("a number"))
        })
        .collect()
}

fn total(ranking: &Value, name: &str) -> u64 {
    let found = totals(ranking).into_iter().find(|(own, _)| own == name);
    found.map_or(0, |(_, total)| total)
}

/// The days of a series that are not zero.
fn days(figures: &Value, series: &Value) -> Vec<(String, Value)> {
    let names = figures["days"].as_array().expect("days").iter();
    let counts = series.as_array().expect("a series").iter();
    names
        .zip(counts)
        .filter(|(_, count)| **count != json!(0) && **count != json!([0, 0, 0]))
        .map(|(day, count)| (day.as_str().expect("a day").to_string(), count.clone()))
        .collect()
}

fn key<'r>(report: &'r Value, id: &str) -> &'r Value {
    let figures = report["summary"]["figures"].as_array().expect("figures");
    let found = figures.iter().find(|figure| figure["id"] == id);
    found.unwrap_or_else(|| panic!("no figure {id}"))
}

#[test]
fn figures_are_those_of_a_count_by_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = sample(folder.path());
    let report = report(&archive, &[]);
    let figures = &report["figures"];
    keys(&report);
    labels(figures);
    access(figures);
    sign_ins(figures);
    people(&report);
    log(&report);
}

fn keys(report: &Value) {
    for (id, value) in [
        ("findings", 80),
        ("label_actions", 201),
        ("protection_actions", 45),
        ("lowered", 48),
        ("denials", 17),
        ("users", 16),
        ("devices", 13),
    ] {
        assert_eq!(key(report, id)["value"], value, "{id}");
        let series = key(report, id)["series"].as_array().expect("a series");
        assert_eq!(series.len(), 26, "{id}");
    }
    let severities = report["summary"]["by_severity"].as_array().expect("four");
    let sum: u64 = severities
        .iter()
        .filter_map(|one| one["count"].as_u64())
        .sum();
    assert_eq!((severities.len(), sum), (4, 80));
    let first = report["summary"]["lines"][0].as_str().expect("a line");
    for told in [
        "80 findings",
        "by 25 rules",
        "from 2026-05-04 to 2026-05-29",
    ] {
        assert!(first.contains(told), "{told}: {first}");
    }
    // A week against the week before: the events reach over 25 days.
    assert_eq!(report["summary"]["periods"]["length"], "7 days");
    assert_eq!(report["summary"]["periods"]["is_covered"], true);
    let findings = &report["findings"];
    assert_eq!(
        (&findings["total"], &findings["in_full"]),
        (&json!(80), &json!(80))
    );
    assert_eq!(findings["left_out"], json!([0, 0, 0, 0]));
}

fn labels(figures: &Value) {
    let labels = &figures["labels"];
    let counted: [(&str, u64); 11] = [
        ("LabelApplied", 140),
        ("FileOpened", 44),
        ("LabelDowngraded", 41),
        ("AccessDenied", 17),
        ("LabelUpgraded", 12),
        ("LabelRemoved", 7),
        ("FileDiscovered", 4),
        ("FileRenamed", 2),
        ("PolicyMatched", 2),
        ("LabelChanged", 1),
        ("LabelMismatch", 1),
    ];
    let names: Vec<&str> = counted.iter().map(|(name, _)| *name).collect();
    let counts: Vec<u64> = counted.iter().map(|(_, count)| *count).collect();
    assert_eq!(figures["actions"], json!(names));
    assert_eq!(labels["by_action"], json!(counts));
    assert_eq!(labels["total"], 271);
    // Over time it is the same.
    for (series, count) in labels["over_time"]
        .as_array()
        .expect("series")
        .iter()
        .zip(&counts)
    {
        let series = series.as_array().expect("a series");
        let sum: u64 = series.iter().filter_map(Value::as_u64).sum();
        assert_eq!(sum, *count);
    }
    assert_eq!(figures["unit"], "day");
    let users = &labels["by_user"];
    for (user, count) in [
        ("frank.fletcher@contoso.com", 62),
        ("erin.elder@contoso.com", 60),
        ("alice.archer@contoso.com", 24),
        ("trudy.tryer@fabrikam.com", 14),
        ("app@sharepoint", 3),
    ] {
        assert_eq!(total(users, user), count, "{user}");
    }
    let places = &labels["by_site"];
    for (site, count) in [
        ("contoso.sharepoint.com/sites/sales", 61),
        ("contoso.sharepoint.com/sites/records", 59),
        ("C: on a device", 38),
        (r"\\fs01.contoso.com\share", 4),
    ] {
        assert_eq!(total(places, site), count, "{site}");
    }
    let wanted = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
        pairs
            .iter()
            .map(|(name, n)| ((*name).to_string(), *n))
            .collect()
    };
    assert_eq!(
        totals(&labels["by_extension"]),
        wanted(&[
            ("xlsx", 159),
            ("docx", 81),
            ("pptx", 22),
            ("none", 8),
            ("jpg", 1)
        ])
    );
    assert_eq!(
        totals(&labels["by_how"]),
        wanted(&[
            ("Manual", 175),
            ("not said", 13),
            ("Recommended", 7),
            ("Auto", 3),
            ("Default", 3)
        ])
    );
    assert_eq!(
        totals(&labels["by_label"]),
        wanted(&[
            ("Internal", 105),
            ("General", 62),
            ("Confidential", 41),
            ("Highly Confidential", 19),
            ("Public", 13),
            ("Confidential\\Finance", 3)
        ])
    );
    assert_eq!(labels["by_label"]["unnamed"], 28);
    assert_eq!(
        totals(&labels["justifications"])[0],
        (
            "Content was reviewed and is no longer sensitive".to_string(),
            13
        )
    );
    let flows = labels["flows"].as_array().expect("flows").iter();
    let flows: Vec<String> = flows
        .map(|f| {
            format!("{} > {} {} {}", f["from"], f["to"], f["action"], f["count"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        flows[..6],
        [
            "Highly Confidential > General LabelDowngraded 15",
            r"Confidential\\Finance > Public LabelDowngraded 13",
            "Highly Confidential > Internal LabelDowngraded 13",
            "Confidential > null LabelRemoved 3",
            "Highly Confidential > null LabelRemoved 2",
            "Internal > null LabelRemoved 2",
        ]
    );
    // Frank's fourteen, and Alice's one.
    assert_eq!(labels["flows"][0]["users"], 2);
    let peaks = labels["peaks"].as_array().expect("peaks").iter();
    let peaks: Vec<String> = peaks
        .map(|p| {
            format!(
                "{} {} {} {} {} {}",
                p["of"], p["name"], p["day"], p["count"], p["usual"], p["times"]
            )
            .replace('"', "")
        })
        .collect();
    assert_eq!(
        peaks,
        [
            "all  2026-05-20 49 11.1 4.4",
            "user frank.fletcher@contoso.com 2026-05-20 40 1.8 21.8",
            "label Internal 2026-05-27 31 3.9 8.0",
            "user erin.elder@contoso.com 2026-05-27 30 2.3 13.0",
            "label General 2026-05-20 17 2.5 6.8",
            "label Internal 2026-05-20 16 4.7 3.4",
            "user trudy.tryer@fabrikam.com 2026-05-19 14 null null",
            "label Public 2026-05-20 13 null null",
        ]
    );
    let by_day = |series: &str| -> Vec<u64> {
        let series = labels[series].as_array().expect("a series");
        series.iter().filter_map(Value::as_u64).collect()
    };
    assert_eq!(
        by_day("users_by_day"),
        [
            4, 7, 7, 5, 6, 0, 0, 7, 7, 9, 8, 5, 0, 0, 7, 8, 7, 6, 4, 1, 0, 6, 6, 4, 4, 4
        ]
    );
    assert_eq!(
        by_day("devices_by_day"),
        [
            4, 7, 5, 5, 4, 0, 0, 7, 5, 9, 9, 5, 0, 0, 5, 6, 6, 3, 3, 0, 0, 5, 6, 4, 3, 4
        ]
    );
    assert_eq!(labels["lowered_total"], 48);
    assert_eq!(labels["lowered"].as_array().map(Vec::len), Some(48));
    let used = labels["used"].as_array().expect("labels");
    let finance = used
        .iter()
        .find(|label| label["name"] == "Confidential\\Finance");
    let finance = finance.expect("the label");
    assert_eq!(
        (&finance["downgraded"], &finance["rank"]),
        (&json!(13), &json!(4))
    );
    assert_eq!(finance["is_assumed"], false);
}

fn access(figures: &Value) {
    let access = &figures["access"];
    assert_eq!(
        (&access["denied"], &access["granted"]),
        (&json!(17), &json!(11))
    );
    assert_eq!(access["inside_domains"], json!(["contoso.com"]));
    assert_eq!(access["by_side"], json!([0, 17, 0]));
    assert_eq!(
        access["by_owner"]["rows"],
        json!([
            {"name": "frank.fletcher@contoso.com", "total": 14, "counts": [0, 14, 0]},
            {"name": "bob.baker@contoso.com", "total": 2, "counts": [0, 2, 0]},
            {"name": "dave.draper@contoso.com", "total": 1, "counts": [0, 1, 0]},
        ])
    );
    assert_eq!(
        access["by_outside"]["rows"],
        json!([
            {"name": "trudy.tryer@fabrikam.com", "total": 14},
            {"name": "oscar.outsider@example.org", "total": 2},
            {"name": "peggy.passer@fabrikam.com", "total": 1},
        ])
    );
    assert_eq!(total(&access["by_domain"], "fabrikam.com"), 15);
    assert_eq!(total(&access["by_document"], "Tender 07 Prices.xlsx"), 2);
    assert_eq!(
        days(figures, &access["by_day"]),
        [
            ("2026-05-08".to_string(), json!([0, 1, 0])),
            ("2026-05-18".to_string(), json!([0, 2, 0])),
            ("2026-05-19".to_string(), json!([0, 14, 0])),
        ]
    );
    // The last comes first.
    assert_eq!(access["list"][0]["user"], "trudy.tryer@fabrikam.com");
    assert_eq!(access["list"][16]["document"], "Patent Draft.docx");
}

fn sign_ins(figures: &Value) {
    let sign_ins = &figures["sign_ins"];
    let named = |pairs: &[(&str, u64)]| -> Vec<(String, Value)> {
        pairs
            .iter()
            .map(|(day, n)| ((*day).to_string(), json!(n)))
            .collect()
    };
    assert_eq!(
        days(figures, &sign_ins["lowered"]),
        named(&[
            ("2026-05-14", 5),
            ("2026-05-20", 40),
            ("2026-05-22", 1),
            ("2026-05-23", 1),
            ("2026-05-26", 1)
        ])
    );
    assert_eq!(
        days(figures, &sign_ins["succeeded"]),
        named(&[
            ("2026-05-04", 6),
            ("2026-05-11", 6),
            ("2026-05-14", 1),
            ("2026-05-18", 5),
            ("2026-05-25", 5)
        ])
    );
    assert_eq!(
        days(figures, &sign_ins["risky"]),
        named(&[("2026-05-14", 1)])
    );
    let beside = sign_ins["beside"].as_array().expect("users");
    let told: Vec<String> = beside
        .iter()
        .map(|b| {
            format!(
                "{} {} {} {}",
                b["user"], b["day"], b["lowered"], b["sign_ins_total"]
            )
            .replace('"', "")
        })
        .collect();
    assert_eq!(
        told,
        [
            "frank.fletcher@contoso.com 2026-05-20 40 0",
            "ivan.ironside@contoso.com 2026-05-14 5 1",
            "alice.archer@contoso.com 2026-05-26 1 2",
            "app@sharepoint 2026-05-23 1 0",
            "grace.glover@contoso.com 2026-05-22 1 0",
        ]
    );
    let ivan = &beside[1]["sign_ins"][0];
    assert_eq!(
        (
            &ivan["time"],
            &ivan["risk"],
            &ivan["address"],
            &ivan["country"]
        ),
        (
            &json!("2026-05-14T22:10:21Z"),
            &json!("high"),
            &json!("203.0.113.66"),
            &json!("CA")
        )
    );
}

fn people(report: &Value) {
    let people = report["people"]["list"].as_array().expect("people");
    let frank = people
        .iter()
        .find(|p| p["user"] == "frank.fletcher@contoso.com");
    let frank = frank.expect("a page");
    let actions: Vec<(&str, u64)> = report["figures"]["actions"]
        .as_array()
        .expect("actions")
        .iter()
        .zip(frank["actions"].as_array().expect("counts"))
        .map(|(name, n)| {
            (
                name.as_str().expect("a name"),
                n.as_u64().expect("a number"),
            )
        })
        .filter(|(_, n)| *n > 0)
        .collect();
    assert_eq!(
        actions,
        [
            ("LabelApplied", 21),
            ("FileOpened", 1),
            ("LabelDowngraded", 40)
        ]
    );
    assert_eq!(frank["name"], "Frank Fletcher");
    assert_eq!(
        (
            &frank["sign_ins"],
            &frank["failed_sign_ins"],
            &frank["denied_to_others"]
        ),
        (&json!(8), &json!(0), &json!(14))
    );
    assert_eq!(frank["devices"][0]["name"], "WS-FLETCHER");
    let found: u64 = frank["by_severity"]
        .as_array()
        .expect("four")
        .iter()
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(
        frank["findings"].as_array().map(|f| f.len() as u64),
        Some(found)
    );
    assert!(found > 40, "{found}");
}

fn log(report: &Value) {
    let sum = &report["health"]["sum"];
    assert_eq!(
        (&sum["files"], &sum["records"], &sum["broken"]),
        (&json!(11), &json!(524), &json!(0))
    );
    assert_eq!(report["health"]["rules_run"], 25);
    let rules = report["rules"].as_array().expect("rules");
    assert!(
        rules
            .iter()
            .all(|rule| rule["sha256"].as_str().is_some_and(|hash| hash.len() == 64))
    );
    // The timeline is in the order of time and knows why each event is there.
    let events = report["timeline"]["events"].as_array().expect("events");
    let times: Vec<i64> = events.iter().filter_map(|e| e["at"].as_i64()).collect();
    assert!(times.is_sorted() && times.len() == events.len());
    let because = |why: &str| {
        let why = json!(why);
        let told = events
            .iter()
            .filter(|e| e["why"].as_array().is_some_and(|all| all.contains(&why)));
        told.count()
    };
    assert_eq!((because("lowered"), because("denied")), (48, 17));
    assert!(because("finding") > 48);
    let downgrade = events.iter().find(|e| e["time"] == "2026-05-20T19:40:05Z");
    let said = downgrade.expect("an event")["said"].as_str();
    let said = said.expect("a sentence").to_lowercase();
    assert!(said.contains("frank.fletcher@contoso.com"), "{said}");
    let sheet = &report["findings"]["list"][0]["sheet"];
    assert!(sheet["evidence"][0]["said"].is_string(), "{sheet}");
}

#[test]
fn a_week_is_compared_with_the_week_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = sample(folder.path());
    let week = report(&archive, &["--from", "2026-05-18", "--to", "2026-05-25"]);
    assert_eq!(week["summary"]["periods"]["before"], "2026-05-11T00:00:00Z");
    for (id, now, before, change) in [
        ("label_actions", 71, 49, Some(44.9)),
        ("protection_actions", 36, 5, Some(620.0)),
        ("lowered", 42, 5, Some(740.0)),
        ("denials", 16, 0, None),
        ("users", 13, 11, Some(18.2)),
        ("devices", 9, 12, Some(-25.0)),
    ] {
        let key = key(&week, id);
        assert_eq!(
            (&key["value"], &key["now"], &key["before"]),
            (&json!(now), &json!(now), &json!(before)),
            "{id}"
        );
        assert_eq!(key["change"], json!(change), "{id}");
    }
    let hunt = printed(&[
        "hunt",
        "-a",
        &archive,
        "-r",
        "builtin:mip",
        "-f",
        "json",
        "--from",
        "2026-05-11",
        "--to",
        "2026-05-18",
    ]);
    let hunt: Value = serde_json::from_str(&hunt).expect("findings");
    let before = hunt["findings"].as_array().map(Vec::len);
    assert_eq!(key(&week, "findings")["before"], json!(before));
    assert_eq!(week["figures"]["labels"]["total"], 104);
}

#[test]
fn a_report_of_a_user_has_nothing_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = sample(folder.path());
    let ivan = report(
        &archive,
        &[
            "--user",
            "Ivan.Ironside@contoso.com",
            "--tz",
            "Europe/Berlin",
        ],
    );
    assert_eq!(ivan["users"], json!(["ivan.ironside@contoso.com"]));
    assert_eq!(
        totals(&ivan["figures"]["labels"]["by_user"]),
        [("ivan.ironside@contoso.com".to_string(), 10)]
    );
    assert_eq!(ivan["figures"]["labels"]["lowered_total"], 5);
    assert_eq!(ivan["figures"]["access"]["denied"], 0);
    assert_eq!(ivan["people"]["total"], 1);
    let list = ivan["findings"]["list"].as_array().expect("findings");
    assert!(!list.is_empty());
    for finding in list {
        let users = finding["users"].as_array().expect("users");
        assert!(
            users.contains(&json!("ivan.ironside@contoso.com")),
            "{finding}"
        );
    }
    // Half past ten in the evening in UTC is the next day in Berlin.
    assert_eq!(ivan["zone"], "Europe/Berlin");
    assert_eq!(
        days(&ivan["figures"], &ivan["figures"]["sign_ins"]["lowered"]),
        [("2026-05-15".to_string(), json!(5))]
    );
    let lowered = &ivan["figures"]["labels"]["lowered"][4]["time"];
    assert!(
        lowered
            .as_str()
            .is_some_and(|time| time.ends_with("+02:00")),
        "{lowered}"
    );
}

#[test]
fn the_timeline_says_of_each_event_why_it_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = sample(folder.path());
    // It rests on a sign-in of CloudAppEvents, which the view of audit records shows as a record of another file.
    let rule = "queries/entra/new-country-for-user.kql";
    let text = printed(&[
        "report", "-a", &archive, "-r", rule, "-f", "json", "--at", AT,
    ]);
    let report: Value = serde_json::from_str(&text).expect("a report is JSON");
    let evidence = report["findings"]["list"].as_array().expect("findings");
    let evidence = evidence
        .iter()
        .filter_map(|found| found["sheet"]["evidence"].as_array())
        .flatten();
    let mut evidence = evidence.filter(|of| of["table"] == "CloudAppEvents");
    let sign_in = evidence.next().expect("a record of CloudAppEvents");
    let events = report["timeline"]["events"].as_array().expect("events");
    for event in events {
        assert_ne!(event["why"], json!([]), "{event}");
    }
    let same = |event: &&Value| {
        event["ingest"] == sign_in["ingest"] && event["record"] == sign_in["record"]
    };
    let event = events.iter().find(same).expect("its event");
    assert_eq!(event["why"], json!(["finding"]));
    assert!(sign_in["said"].is_string(), "{sign_in}");
    assert_eq!(report["timeline"]["total"], events.len());
}
