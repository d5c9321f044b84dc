//! What holds for all commands: quiet ones are silent, pipes hold no colours and may be closed, mistakes say what to do next.

use std::process::{Command, Stdio};

use crate::examples::{commands, help, prepared};

fn coldtrail(folder: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coldtrail"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

/// A line of each kind of command that answers from an archive, by its words.
const ANSWERS: [&[&str]; 24] = [
    &["tables", "-a", "archive"],
    &["gaps", "-a", "archive"],
    &["verify", "-a", "archive"],
    &["cost", "-a", "archive", "-r", "my-rules"],
    &["sql", "-a", "archive", "SELECT * FROM CloudAppEvents"],
    &["kql", "-a", "archive", "CloudAppEvents"],
    &["ask", "--list"],
    &["labels", "list", "-a", "archive"],
    &["labels", "export", "-a", "archive"],
    &[
        "labels",
        "history",
        "-a",
        "archive",
        "Carrier Contracts.docx",
    ],
    &["hunt", "-a", "archive", "-r", "my-rules"],
    &[
        "indicators",
        "-a",
        "archive",
        "--from-denials",
        "--documentation",
    ],
    &["alerts", "list", "-a", "archive"],
    &["alerts", "show", "-a", "archive", "6470991e"],
    &["notify", "sent", "-a", "archive"],
    &["report", "-a", "archive", "-r", "my-rules"],
    &["rules", "list", "my-rules"],
    &["rules", "show", "-r", "my-rules"],
    &["rules", "check", "my-rules"],
    &["rules", "test", "my-rules"],
    &["rules", "coverage"],
    &["rules", "convert", "my-rules"],
    &["timeline", "-a", "archive"],
    &["completions", "bash"],
];

#[test]
fn quiet_is_silent_and_pipes_have_no_colours() {
    let folder = prepared();
    for line in ANSWERS {
        let quiet = [line, &["--quiet", "--no-color"]].concat();
        let out = coldtrail(folder.path(), &quiet).output().expect("it runs");
        let told = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{line:?}: {told}");
        // A warning or a hint is what went wrong, or may.
        let is_told = |line: &&str| !line.starts_with("warning:") && !line.starts_with("hint:");
        let said: Vec<&str> = told.lines().filter(is_told).collect();
        assert!(said.is_empty(), "{line:?}: {said:?}");
        let verbose = [line, &["--verbose"]].concat();
        let loud = coldtrail(folder.path(), &verbose)
            .output()
            .expect("it runs");
        assert_eq!(loud.status.code(), Some(0), "{line:?}");
        for bytes in [&out.stdout, &out.stderr, &loud.stdout, &loud.stderr] {
            assert!(!bytes.contains(&0x1b), "{line:?} writes an escape");
        }
    }
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        assert!(!help(&words).contains('\u{1b}'), "{words:?}");
    }
}

#[test]
fn no_colour_is_asked_for_in_words_and_heeded_by_mistakes_too() {
    let folder = prepared();
    for (line, code, _) in MISTAKES {
        let plain = [&["--no-color"][..], line].concat();
        let out = coldtrail(folder.path(), &plain).output().expect("it runs");
        assert_eq!(out.status.code(), Some(code), "{line:?}");
        assert!(!out.stderr.contains(&0x1b), "{line:?} writes an escape");
    }
}

/// The lines of an answer in their order by letters, without moments and ids: a query gives rows in any order, and a report says when it was made.
fn lines(answer: &str) -> Vec<String> {
    let moment = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z";
    let id = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}";
    let own = regex::Regex::new(&format!("{moment}|{id}")).expect("a pattern");
    let mut lines: Vec<String> = answer
        .lines()
        .map(|line| own.replace_all(line, "…").into_owned())
        .collect();
    lines.sort();
    lines
}

#[test]
fn quiet_changes_no_answer() {
    let folder = prepared();
    for line in ANSWERS {
        let answer = |more: &[&str]| {
            let asked = [line, more].concat();
            let out = coldtrail(folder.path(), &asked).output().expect("it runs");
            assert_eq!(out.status.code(), Some(0), "{asked:?}");
            String::from_utf8_lossy(&out.stdout).into_owned()
        };
        assert_eq!(
            lines(&answer(&["--quiet"])),
            lines(&answer(&[])),
            "{line:?}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn every_table_fits_eighty_columns() {
    let folder = prepared();
    let more: [&[&str]; 2] = [&["tables", "-a", "archive", "--days"], &["rules", "list"]];
    // Of these a terminal gets texts, not tables.
    let texts = [
        "ask",
        "completions",
        "cost",
        "indicators",
        "report",
        "timeline",
        "verify",
    ];
    let of_rules = ["show", "convert", "history", "export"];
    let is_table = |line: &&&[&str]| {
        !texts.contains(&line[0]) && !of_rules.contains(line.get(1).unwrap_or(&""))
    };
    let lines: Vec<&&[&str]> = ANSWERS.iter().chain(&more).filter(is_table).collect();
    assert!(lines.len() > 10, "{lines:?}");
    for line in lines {
        let shown = crate::terminal::shown_in(folder.path(), 80, line);
        let Some((shown, _)) = shown else {
            return;
        };
        for one in shown.lines() {
            assert!(one.chars().count() <= 80, "{line:?}: {one}");
        }
    }
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_is_no_mistake() {
    let folder = prepared();
    for line in ANSWERS {
        let mut child = coldtrail(folder.path(), line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        // Nobody reads at all: the first write meets a closed pipe.
        drop(child.stdout.take());
        let out = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{line:?}: {told}");
        assert!(!told.contains("error:"), "{line:?}: {told}");
        assert!(!told.contains("panicked"), "{line:?}: {told}");
    }
}

/// A mistake, the exit code, and a part of what is said to do next.
const MISTAKES: [(&[&str], i32, &str); 23] = [
    (&["sql", "-a", "nowhere", "SELECT 1"], 3, "coldtrail ingest"),
    (&["sql", "-a", "exports", "SELECT 1"], 3, "coldtrail ingest"),
    (
        &["sql", "-a", "archive", "SELECT * FROM LabelEvent"],
        2,
        "did you mean `LabelEvents`?",
    ),
    (
        &["sql", "-a", "archive", "SELECT UserIdd FROM LabelEvents"],
        2,
        "did you mean `UserId`?",
    ),
    (
        &["sql", "-a", "archive", "SELECT * FROM watchlists.VIPs"],
        2,
        "coldtrail tables",
    ),
    (
        &["sql", "-a", "archive", "SELECT 1", "--from", "soon"],
        2,
        "such as 2026-05-01",
    ),
    (
        &["sql", "-a", "archive", "SELECT 1", "-o", "labels.csv"],
        3,
        "--clobber",
    ),
    (
        &[
            "sql",
            "-a",
            "archive",
            "SELECT 1",
            "-o",
            "no/such/answer.csv",
        ],
        3,
        "make it",
    ),
    (
        &["sql", "-a", "archive", "SELECT 1", "--memory-limit", "much"],
        2,
        "such as 512MiB",
    ),
    (
        &["sql", "-a", "archive", "SELECT 1", "--temp-dir", "nowhere"],
        2,
        "name a folder",
    ),
    (
        &["ingest", "nothing-here", "-a", "archive"],
        3,
        "name a file or folder",
    ),
    (
        &["hunt", "-a", "archive", "-r", "nothing-here"],
        3,
        "rules are files, folders",
    ),
    (
        &["hunt", "-a", "archive", "-m", "dire"],
        2,
        "one of informational, low, medium, high",
    ),
    (
        &["hunt", "-a", "archive", "--timeout", "soon"],
        2,
        "such as 30s",
    ),
    (
        &[
            "hunt",
            "-a",
            "archive",
            "-r",
            "my-rules",
            "--set",
            "nothing.X=1",
        ],
        2,
        "coldtrail rules list",
    ),
    (
        &["alerts", "show", "-a", "archive", "zzz"],
        2,
        "coldtrail alerts list",
    ),
    (
        &["rules", "show", "no-such-rule"],
        2,
        "coldtrail rules list",
    ),
    (
        &["ask", "no-such-question", "-a", "archive"],
        2,
        "coldtrail ask --list",
    ),
    (
        &["tables", "-a", "archive", "--columns", "Nothing"],
        2,
        "coldtrail tables",
    ),
    (
        &["timeline", "-a", "archive", "--findings", "nothing.json"],
        3,
        "how it is written",
    ),
    (&["kql", "CloudAppEvents"], 2, "-a DIR"),
    (&["report", "-a", "archive", "-o", "x.docx"], 2, ".html"),
    (&["completions", "man"], 2, "--output"),
];

#[test]
fn every_mistake_says_what_to_do_next() {
    let folder = prepared();
    for (line, code, next) in MISTAKES {
        let out = coldtrail(folder.path(), line).output().expect("it runs");
        let told = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{line:?}: {told}");
        assert!(told.contains("error: "), "{line:?}: {told}");
        assert!(told.contains(next), "{line:?}: {told}");
    }
}

#[test]
fn json_holds_long_values_whole() {
    let folder = prepared();
    let all = commands();
    for line in ANSWERS {
        // Not every command has JSON; those that have it say so.
        let words = line.iter().take_while(|word| !word.starts_with('-'));
        let named: Vec<&str> = words.copied().collect();
        let command = all
            .iter()
            .find(|c| named.join(" ").starts_with(&c.join(" ")));
        let command = command.expect("a command");
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let text = help(&words);
        let has_json = text.contains("--format <FORMAT>") && text.contains("json");
        if !has_json || line[0] == "timeline" || line[0] == "indicators" {
            continue;
        }
        let asked = [line, &["-f", "json"]].concat();
        let out = coldtrail(folder.path(), &asked).output().expect("it runs");
        assert_eq!(out.status.code(), Some(0), "{line:?}");
        let value: serde_json::Value =
            serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{line:?}: {e}"));
        assert!(!value.to_string().contains('…'), "{line:?}");
    }
}
