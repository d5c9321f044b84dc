//! What a nightly run says and finds, beside the commands of its steps.

use std::fs;

use serde_json::Value;

use crate::command_line::run;
use crate::durable::text;
use crate::run::{Night, SHORT};

/// The steps that hunt, all over everything.
const HUNTING: &str = r#"archive = "archive"
[ingest]
inputs = ["exports"]
[hunt]
rules = ["builtin:mip", "my-rules"]
min_level = "medium"
[notify]
domains = ["contoso.com"]
findings = ["security@contoso.com"]
outbox = "outbox"
[indicators]
output = "indicators.json"
documentation = true
[report]
output = "report.json"
"#;

/// What is said of a hunt that another step has made.
const TAKEN: &str = "its findings are those of this run's hunt";

fn rule(text: &str) -> String {
    format!("/*\nid: mine\nname: Mine\nseverity: High\nqueryPeriod: 1d\n*/\n{text}")
}

/// Lines of JSON.
fn lines(said: &str) -> Vec<Value> {
    let lines = said.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("lines of JSON")
}

#[test]
fn steps_hunt_the_same_once_and_find_what_the_commands_find() {
    for (query, taken) in [
        (
            "SELECT \"TimeGenerated\", \"UserId\" FROM LabelEvents WHERE \"Action\" = 'LabelRemoved'",
            3,
        ),
        // What it sees has changed once the first hunt has stored its alerts.
        (
            "SELECT \"TimeGenerated\", \"AlertName\" FROM SecurityAlert",
            2,
        ),
    ] {
        let night = Night::of(&["informationprotection", "rms", "watchlists"], HUNTING);
        fs::create_dir(night.at("my-rules")).expect("a folder");
        fs::write(night.at("my-rules/mine.sql"), rule(query)).expect("a rule");
        let (code, _, said) = night.run(&["-v"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.matches(TAKEN).count(), taken, "{said}");
        let archive = text(&night.at("archive"));
        let mine = text(&night.at("my-rules"));
        for (command, more) in [
            ("report", &[][..]),
            ("indicators", &["--documentation"][..]),
        ] {
            let file = text(&night.at(&format!("own-{command}.json")));
            let asked = [
                "-a",
                &archive,
                "-r",
                "builtin:mip",
                "-r",
                &mine,
                "-m",
                "medium",
            ];
            let out = [
                &[command][..],
                &asked,
                &["--at", "2026-07-01", "-o", &file],
                more,
            ]
            .concat();
            let out = run(&out);
            assert_eq!(out.status.code(), Some(0), "{out:?}");
            let own = fs::read_to_string(&file).expect("a file");
            let of_run = fs::read_to_string(night.at(&format!("{command}.json")));
            assert!(own.len() > 200, "{command}: {own}");
            assert!(own == of_run.expect("a file"), "{command}: {query}");
        }
    }
}

#[test]
fn a_warning_is_said_once_a_run_and_counted_after_that() {
    let night = Night::of(&["rms"], HUNTING);
    fs::create_dir(night.at("my-rules")).expect("a folder");
    let query = "SELECT \"TimeGenerated\" FROM watchlists.\"Nowhere\"";
    fs::write(night.at("my-rules/mine.sql"), rule(query)).expect("a rule");
    let (code, _, said) = night.run(&["--log-format", "json"]);
    assert_eq!(code, Some(20), "{said}");
    let lines = lines(&said);
    let mine: Vec<&Value> = lines
        .iter()
        .filter(|line| line["level"] == "warning" && line["message"].to_string().contains("`mine`"))
        .collect();
    assert_eq!(mine.len(), 1, "{said}");
    assert_eq!(mine[0]["step"], "hunt", "{said}");
    let (last, of_steps) = lines.split_last().expect("lines");
    assert_eq!(last["step"], Value::Null, "{said}");
    for line in of_steps {
        assert!(line["step"].is_string(), "{line}");
    }
    for step in ["notify", "indicators", "report"] {
        let is_end = |line: &&Value| line["level"] == "outcome" && line["step"] == step;
        let end = lines.iter().find(is_end).expect("an outcome");
        assert!(end["warnings_repeated"].as_u64() >= Some(1), "{end}");
        let told = end["message"].as_str().unwrap_or_default();
        assert!(told.ends_with(" as above"), "{told}");
    }
}

#[test]
fn a_run_without_work_says_so_in_its_last_line() {
    let night = Night::of(&["rms"], SHORT);
    let status = |said: &str| lines(said).last().map(|line| line["status"].clone());
    let (_, _, said) = night.run(&["--log-format", "json"]);
    assert_eq!(status(&said), Some("done".into()), "{said}");
    let (_, _, said) = night.run(&["--log-format", "json"]);
    assert_eq!(status(&said), Some("nothing".into()), "{said}");
}

#[test]
fn an_archive_whose_disk_is_away_is_not_made_anew() {
    let night = Night::of(&["rms"], SHORT);
    let file = text(&night.at("coldtrail.toml"));
    for is_empty in [false, true] {
        if is_empty {
            // A place to mount a disk.
            fs::create_dir(night.at("archive")).expect("a folder");
        }
        for more in [&[][..], &["--dry-run"][..]] {
            let out = run(&[&["run", "-c", &file][..], more].concat());
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(3), "{said}");
            let wanted = format!("`coldtrail run -c {file} --create`");
            assert!(said.contains(&wanted), "{said}");
            assert_eq!(night.at("archive").exists(), is_empty);
        }
    }
    assert!(!night.at("archive/_nightly").exists());
    night.done();
    let out = run(&["run", "-c", &file, "--at", "2026-07-01"]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
}
