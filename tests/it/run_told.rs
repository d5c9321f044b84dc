//! What a nightly run says and finds, beside the commands of its steps.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

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
    let night = Night::of(&["rms", "watchlists"], SHORT);
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

/// A hunt that fails on what it finds, and mails that go to this place.
fn failing(way: &str) -> String {
    format!(
        "archive = \"archive\"\n[ingest]\ninputs = [\"exports\"]\n\
         [hunt]\nrules = [\"builtin:mip\"]\nmin_level = \"high\"\nfail_on = \"high\"\n\
         [notify]\ndomains = [\"contoso.com\"]\naccess_denied = true\n{way}\n"
    )
}

#[test]
fn alerts_of_a_run_that_was_cut_off_are_told_of_by_the_next() {
    // A mail server that takes the call and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let away = failing(&format!(
        "smtp = \"smtp-plain://127.0.0.1:{port}\"\nsender = \"soc@contoso.com\"\nconnect_timeout = \"10m\""
    ));
    let night = Night::of(&["informationprotection", "rms", "watchlists"], &away);
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["run", "--create", "--at", "2026-07-01", "-c"])
        .arg(night.at("coldtrail.toml"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let said = BufReader::new(child.stderr.take().expect("what it says"));
    let mut lines = said.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("asking mail server")));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let stored = night.alerts().len();
    assert!(stored > 0);
    let file = night.at("coldtrail.toml");
    fs::write(&file, failing("outbox = \"outbox\"")).expect("a configuration");
    let (code, _, said) = night.run(&[]);
    assert_eq!(code, Some(1), "{said}");
    let told = format!("; {stored} new alert");
    let hunt = said.lines().find(|line| line.starts_with("hunt: "));
    assert!(hunt.is_some_and(|line| line.contains(&told)), "{said}");
    assert!(night.done().ends_with("nothing to do\n"));
}

#[test]
fn alerts_that_the_code_of_an_error_hides_are_told_of_by_the_next_run() {
    let settings = failing("outbox = \"outbox\"");
    let night = Night::of(&["informationprotection", "rms", "watchlists"], &settings);
    // A file where a folder is to be.
    fs::write(night.at("outbox"), "").expect("a file");
    assert_eq!(night.run(&[]).0, Some(3));
    fs::remove_file(night.at("outbox")).expect("the file");
    let (code, _, said) = night.run(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(night.done().ends_with("nothing to do\n"));
}

#[test]
fn a_dry_run_finds_what_would_fail() {
    let night = Night::of(&["rms", "watchlists"], "");
    let settings = "archive = \"archive\"\n[ingest]\ninputs = [\"exports\"]\n\
                    [hunt]\nrules = [\"builtin:mip\", \"my-rules\"]\n\
                    [report]\noutput = \"report.html\"\ntemplate = \"clothes\"\n\
                    [cost]\noutput = \"cost.txt\"\nprices = \"prices.yaml\"\n";
    fs::write(night.at("coldtrail.toml"), settings).expect("a configuration");
    for folder in ["my-rules", "clothes"] {
        fs::create_dir(night.at(folder)).expect("a folder");
    }
    let query = "SELECT \"TimeGenerated\", \"UserId\" FROM LabelEvents";
    let put = |name: &str, text: &str| fs::write(night.at(name), text).expect("a file");
    let good = [
        ("my-rules/mine.sql", rule(query)),
        ("clothes/title.txt", "Contoso\n".to_string()),
    ];
    let example = run(&["cost", "--example-prices"]);
    let prices = String::from_utf8_lossy(&example.stdout).into_owned();
    let mend = || {
        for (name, text) in &good {
            put(name, text);
        }
        put("prices.yaml", &prices);
        for broken in ["clothes/style.txt", "exports/watchlists/Labels.csv"] {
            let _ = fs::remove_file(night.at(broken));
        }
    };
    mend();
    let (code, _, said) = night.run(&["--dry-run"]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{said}");
    for (name, text, wanted, place) in [
        ("my-rules/mine.sql", rule("SELEC 1"), 20, "mine.sql"),
        (
            "my-rules/mine.sql",
            rule("SELECT x FROM LabelEvents"),
            20,
            "mine.sql",
        ),
        (
            "my-rules/mine.sql",
            rule(query).replace("High", "Loud"),
            20,
            "mine.sql",
        ),
        ("prices.yaml", "plans: [".to_string(), 3, "prices.yaml"),
        ("clothes/style.txt", "x".to_string(), 3, "clothes"),
        (
            "exports/watchlists/Labels.csv",
            "\u{0}".to_string(),
            10,
            "Labels.csv",
        ),
    ] {
        mend();
        put(name, &text);
        let (code, _, said) = night.run(&["--dry-run"]);
        assert_eq!(code, Some(wanted), "{name}: {said}");
        assert!(said.contains(place), "{name}: {said}");
        assert!(!night.at("archive").exists(), "{name}");
    }
}
